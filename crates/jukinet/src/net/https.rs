//! HTTPS on the municipal LAN, for the vendor gateway alone: TLS 1.3 with clients known by the pin
//! of their key. Not on the network: no row of the conversation table carries HTTP, and no node
//! listens with this.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible,
    ServerConfig, SignatureScheme,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::limits::HANDSHAKE_TIMEOUT;
use super::tls::{TlsProfile, pin_of};

/// Connections at once: a few systems with a few connections each.
const CONNECTIONS_MAX: usize = 64;
/// A whole head of a request, also the wait for the next one on a kept connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// No connection lives longer: keys are renewed within a shift.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(3_600);
/// How long a request under way may take when the process is told to stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(35);
/// One request's head; nothing in it is long.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Who may call: a name for the log, and the pin of the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinnedName {
    pub name: String,
    pub pin: [u8; 32],
}

/// The client at the other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientName(pub Arc<str>);

/// What the listener is run with.
#[derive(Clone)]
pub struct HttpsOptions {
    pub profile: TlsProfile,
    pub certified: Arc<CertifiedKey>,
    pub clients: Arc<[PinnedName]>,
}

impl fmt::Debug for HttpsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpsOptions({} clients)", self.clients.len())
    }
}

impl HttpsOptions {
    fn tls(&self) -> Result<Arc<ServerConfig>, Error> {
        let provider = Arc::new(self.profile.provider());
        let clients = Arc::clone(&self.clients);
        let verifier = Arc::new(KnownClients { provider: Arc::clone(&provider), clients });
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(&self.certified))));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.max_early_data_size = 0;
        Ok(Arc::new(config))
    }

    fn name(&self, certificates: Option<&[CertificateDer<'_>]>) -> Option<ClientName> {
        let pin = pin_of(certificates?.first()?).ok()?;
        let known = self.clients.iter().find(|client| client.pin == pin)?;
        Some(ClientName(known.name.as_str().into()))
    }
}

/// Binds `address` and serves until `stop` turns true. `ready` gets the address that was bound.
pub async fn serve(
    address: SocketAddr,
    options: HttpsOptions,
    router: Router,
    mut stop: watch::Receiver<bool>,
    ready: impl FnOnce(SocketAddr),
) -> io::Result<()> {
    let tls = options.tls().map_err(io::Error::other)?;
    let listener = TcpListener::bind(address).await?;
    ready(listener.local_addr()?);
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let Ok((stream, from)) = accepted else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        // Beyond the bound a connection is closed at once: a client dials again.
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let (tls, router, options) = (Arc::clone(&tls), router.clone(), options.clone());
        let stop = stop.clone();
        tokio::spawn(async move {
            let _place = place;
            connection(stream, from, (tls, options), router, stop).await;
        });
    }
    // Every place back means every request under way is answered.
    let whole = u32::try_from(CONNECTIONS_MAX).unwrap_or(u32::MAX);
    let _ = timeout(DRAIN_TIMEOUT, places.acquire_many(whole)).await;
    Ok(())
}

async fn connection(
    stream: TcpStream,
    from: SocketAddr,
    (tls, options): (Arc<ServerConfig>, HttpsOptions),
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let stream = match timeout(HANDSHAKE_TIMEOUT, TlsAcceptor::from(tls).accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::warn!(event = "client-refused", %from, %error);
            return;
        }
        Err(_) => return,
    };
    let Some(client) = options.name(stream.get_ref().1.peer_certificates()) else { return };
    let service = TowerToHyperService::new(router.layer(axum::Extension(client)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let mut told = false;
    let over = tokio::time::sleep(CONNECTION_TIME_MAX);
    let mut over = std::pin::pin!(over);
    loop {
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = stop.wait_for(|stop| *stop), if !told => {
                told = true;
                connection.as_mut().graceful_shutdown();
            }
            () = over.as_mut() => return,
        }
    }
}

/// One alert for every refusal: a stranger does not learn what was wrong.
const fn refused() -> Error {
    Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)
}

#[derive(Debug)]
struct KnownClients {
    provider: Arc<CryptoProvider>,
    clients: Arc<[PinnedName]>,
}

impl ClientCertVerifier for KnownClients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let pin = pin_of(end_entity)?;
        if self.clients.iter().any(|client| client.pin == pin) {
            Ok(ClientCertVerified::assertion())
        } else {
            Err(refused())
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::PeerIncompatible(PeerIncompatible::Tls12NotOffered))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    /// Vendors' keys are of their own kinds.
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The pin of a certificate in DER, as configurations name a client by.
pub fn certificate_pin(der: &[u8]) -> Option<[u8; 32]> {
    pin_of(&CertificateDer::from(der)).ok()
}
