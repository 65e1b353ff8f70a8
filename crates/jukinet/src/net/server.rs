//! The accepting side: one listener, first bytes, TLS, sessions; on an exchange also the relay.
//! Not a web server and not a router of messages: every request goes to the one handler.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use wire::{Request, Role};

use super::ALPN;
use super::alarm::{Alarm, Alarms};
use super::book::{Book, PeerIdentity};
use super::exchange::{Exchange, Heading};
use super::limits::{HANDSHAKE_TIMEOUT, HANDSHAKES_MAX, SESSIONS_ACCEPTED_MAX, SessionLimits};
use super::preamble::{self, Opening};
pub use super::session::Responder;
use super::session::{self, Surroundings};
use super::tls::Tls;

/// Takes requests. Must not block: hand the request to the runner and return.
pub trait Handler: Send + Sync + 'static {
    fn handle(&self, peer: PeerIdentity, request: Request, responder: Responder);
}

impl<F> Handler for F
where
    F: Fn(PeerIdentity, Request, Responder) + Send + Sync + 'static,
{
    fn handle(&self, peer: PeerIdentity, request: Request, responder: Responder) {
        self(peer, request, responder);
    }
}

/// What a listener is run with.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// The role of this node: what may be said to it.
    pub role: Role,
    pub tls: Tls,
    pub book: Arc<Book>,
    pub alarms: Arc<Alarms>,
    /// Bounds of one accepted session (`sessions` is not used here).
    pub limits: SessionLimits,
    /// Present on an exchange only.
    pub relay: Option<Arc<Exchange>>,
}

/// Accepts until `stop` turns true; sessions then finish what they owe and close.
pub async fn serve<H: Handler>(
    listener: TcpListener,
    options: ServeOptions,
    handler: Arc<H>,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    let places = Arc::new(Semaphore::new(SESSIONS_ACCEPTED_MAX));
    let around = Arc::new(Surroundings {
        role: options.role,
        book: Arc::clone(&options.book),
        alarms: Arc::clone(&options.alarms),
        limits: options.limits.bounded(),
        handler,
        stop: stop.clone(),
    });
    let options = Arc::new(options);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        };
        let (stream, from) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, or a peer gone before it was accepted: the next may do.
                tracing::warn!(event = "accept-failed", %error, "not accepted");
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                continue;
            }
        };
        // Strangers share few places until they are known, so that they cannot hold those of
        // members.
        let Ok(unknown) = Arc::clone(&handshakes).try_acquire_owned() else {
            options.alarms.raise(Alarm::Bound, Some(from), "too many handshakes");
            continue;
        };
        let options = Arc::clone(&options);
        let around = Arc::clone(&around);
        let places = Places { unknown, sessions: Arc::clone(&places) };
        tokio::spawn(async move {
            accepted_one(stream, (from, places), &options, &around).await;
        });
    }
}

/// What an accepted connection holds: a stranger's place, exchanged for a session's once it is
/// known.
struct Places {
    unknown: OwnedSemaphorePermit,
    sessions: Arc<Semaphore>,
}

async fn accepted_one<H: Handler>(
    mut stream: TcpStream,
    (from, places): (SocketAddr, Places),
    options: &ServeOptions,
    around: &Surroundings<H>,
) {
    let _ = stream.set_nodelay(true);
    match preamble::read(&mut stream, options.relay.is_some()).await {
        Ok(Opening::Tls) => tls_session(stream, (from, places), options, around).await,
        Ok(Opening::Connect(signed)) => {
            let Some(relay) = &options.relay else { return };
            match relay.admit(&signed) {
                Ok(Heading::Here) => {
                    if Exchange::welcome(&mut stream).await {
                        tls_session(stream, (from, places), options, around).await;
                    }
                }
                Ok(Heading::On(hop)) => {
                    // A relayed pair has a place of its own kind.
                    drop(places);
                    relay.relay(stream, &signed, hop).await;
                }
                // Closed without a byte: the refused learns nothing.
                Err(alarm) => {
                    options.alarms.raise(alarm, Some(from), "connect request refused");
                }
            }
        }
        Err(alarm) => options.alarms.raise(alarm, Some(from), "closed before any reply"),
    }
}

async fn tls_session<H: Handler>(
    stream: TcpStream,
    (from, places): (SocketAddr, Places),
    options: &ServeOptions,
    around: &Surroundings<H>,
) {
    let config = match options.tls.server(from) {
        Ok(config) => config,
        Err(error) => {
            tracing::error!(event = "tls-config", %error, "no TLS configuration");
            return;
        }
    };
    let stream = match timeout(HANDSHAKE_TIMEOUT, TlsAcceptor::from(config).accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            options.alarms.raise(Alarm::Handshake, Some(from), &error.to_string());
            return;
        }
        Err(_) => {
            options.alarms.raise(Alarm::Handshake, Some(from), "timed out");
            return;
        }
    };
    let connection = stream.get_ref().1;
    if connection.alpn_protocol() != Some(ALPN) {
        options.alarms.raise(Alarm::Handshake, Some(from), "no protocol name was agreed");
        return;
    }
    // Asked again: the directory may have changed since the certificate was looked at.
    let Some(peer) = options.tls.peer(connection.peer_certificates()) else {
        options.alarms.raise(Alarm::PeerUnknown, Some(from), "no longer in the directory");
        return;
    };
    let Ok(_place) = places.sessions.try_acquire_owned() else {
        options.alarms.raise(Alarm::Bound, Some(from), "too many sessions");
        return;
    };
    drop(places.unknown);
    session::run(stream, peer, around).await;
}
