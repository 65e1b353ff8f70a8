//! TLS 1.3 between pinned peers: configurations and the two certificate verifiers.
//! Not a public-key infrastructure: no issuer, no name, no date of a certificate is looked at. The
//! key is looked up in the book, and the handshake proves that the peer holds it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider, kx_group};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::SingleCertAndKey;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error,
    PeerIncompatible, ServerConfig, SignatureScheme,
};
use sha2::{Digest, Sha256};
use wire::NodeId;

use super::ALPN;
use super::alarm::{Alarm, Alarms};
use super::book::{Book, PeerIdentity, PeerState};
use super::identity::Identity;

/// Which key exchanges and ciphers are offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TlsProfile {
    /// Hybrids first (a recorded session must stay closed to a later quantum computer).
    #[default]
    Default,
    /// Only what the CRYPTREC list of ciphers for e-government recommends, hybrid included.
    CryptrecStrict,
}

impl TlsProfile {
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "default" => Some(Self::Default),
            "cryptrec-strict" => Some(Self::CryptrecStrict),
            _ => None,
        }
    }

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::CryptrecStrict => "cryptrec-strict",
        }
    }

    pub(super) fn provider(self) -> CryptoProvider {
        let kx_groups = match self {
            Self::Default => {
                vec![kx_group::X25519MLKEM768, kx_group::SECP256R1MLKEM768, kx_group::SECP256R1]
            }
            Self::CryptrecStrict => vec![kx_group::SECP256R1MLKEM768, kx_group::SECP256R1],
        };
        let mut cipher_suites =
            vec![cipher_suite::TLS13_AES_256_GCM_SHA384, cipher_suite::TLS13_AES_128_GCM_SHA256];
        if self == Self::Default {
            cipher_suites.push(cipher_suite::TLS13_CHACHA20_POLY1305_SHA256);
        }
        CryptoProvider { cipher_suites, kx_groups, ..default_provider() }
    }
}

/// What both ends of every session share.
#[derive(Clone)]
pub struct Tls {
    provider: Arc<CryptoProvider>,
    identity: Identity,
    book: Arc<Book>,
    alarms: Arc<Alarms>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tls({:?})", self.identity)
    }
}

impl Tls {
    #[must_use]
    pub fn new(
        profile: TlsProfile,
        identity: Identity,
        book: Arc<Book>,
        alarms: Arc<Alarms>,
    ) -> Self {
        Self { provider: Arc::new(profile.provider()), identity, book, alarms }
    }

    fn keys(&self) -> Arc<SingleCertAndKey> {
        Arc::new(SingleCertAndKey::from(self.identity.certified()))
    }

    /// The accepting side; `from` only for the log.
    pub fn server(&self, from: SocketAddr) -> Result<Arc<ServerConfig>, Error> {
        let verifier = Arc::new(PinnedClient {
            provider: Arc::clone(&self.provider),
            book: Arc::clone(&self.book),
            alarms: Arc::clone(&self.alarms),
            from,
        });
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(self.keys());
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.max_early_data_size = 0;
        Ok(Arc::new(config))
    }

    /// The dialing side: dialing X must reach X.
    pub fn client(&self, expected: &NodeId) -> Result<Arc<ClientConfig>, Error> {
        let verifier = Arc::new(PinnedServer {
            provider: Arc::clone(&self.provider),
            book: Arc::clone(&self.book),
            alarms: Arc::clone(&self.alarms),
            expected: expected.clone(),
        });
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_cert_resolver(self.keys());
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.resumption = Resumption::disabled();
        config.enable_early_data = false;
        // A name in the clear would tell the line who speaks with whom.
        config.enable_sni = false;
        Ok(Arc::new(config))
    }

    /// Who was at the other end of a finished handshake, by the book as it is now.
    #[must_use]
    pub fn peer(&self, certificates: Option<&[CertificateDer<'_>]>) -> Option<PeerIdentity> {
        let pin = pin_of(certificates?.first()?).ok()?;
        self.book.by_pin(&pin).filter(|peer| peer.state == PeerState::Active)
    }
}

/// The name rustls wants for every dial; never sent, never verified.
pub(super) fn unused_name() -> Option<ServerName<'static>> {
    ServerName::try_from("peer.invalid").ok()
}

/// SHA-256 of the certificate's SubjectPublicKeyInfo.
pub(super) fn pin_of(certificate: &CertificateDer<'_>) -> Result<[u8; 32], Error> {
    let parsed = webpki::EndEntityCert::try_from(certificate)
        .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
    Ok(Sha256::digest(parsed.subject_public_key_info().as_ref()).into())
}

/// One alert for every refusal: the peer does not learn whether it is unknown, isolated or wrong.
const fn refused() -> Error {
    Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)
}

fn look_up(
    book: &Book,
    alarms: &Alarms,
    certificate: &CertificateDer<'_>,
    from: Option<SocketAddr>,
) -> Result<PeerIdentity, Error> {
    let Some(peer) = book.by_pin(&pin_of(certificate)?) else {
        alarms.raise(Alarm::PeerUnknown, from, "a key that no member holds");
        return Err(refused());
    };
    if peer.state != PeerState::Active {
        let detail = format!("{} is {:?}", peer.node.as_str(), peer.state);
        alarms.raise(Alarm::PeerIsolated, from, &detail);
        return Err(refused());
    }
    Ok(peer)
}

#[derive(Debug)]
struct PinnedClient {
    provider: Arc<CryptoProvider>,
    book: Arc<Book>,
    alarms: Arc<Alarms>,
    from: SocketAddr,
}

impl ClientCertVerifier for PinnedClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        look_up(&self.book, &self.alarms, end_entity, Some(self.from))?;
        Ok(ClientCertVerified::assertion())
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

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

#[derive(Debug)]
struct PinnedServer {
    provider: Arc<CryptoProvider>,
    book: Arc<Book>,
    alarms: Arc<Alarms>,
    expected: NodeId,
}

impl ServerCertVerifier for PinnedServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let peer = look_up(&self.book, &self.alarms, end_entity, None)?;
        if peer.node != self.expected {
            let detail =
                format!("dialed {}, reached {}", self.expected.as_str(), peer.node.as_str());
            self.alarms.raise(Alarm::PeerWrong, None, &detail);
            return Err(refused());
        }
        Ok(ServerCertVerified::assertion())
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

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}
