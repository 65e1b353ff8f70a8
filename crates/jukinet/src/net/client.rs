//! The dialing side: finds the way to a peer, holds bounded sessions with it, matches replies.
//! Not a retry policy: a call that may have reached the peer is never repeated here, because only
//! the caller knows whether repeating is harmless.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use wire::connect::{ConnectReply, ConnectRequest};
use wire::{NodeId, Reply, Request, Role, Via, may_say};

use super::ALPN;
use super::book::{Book, PeerEntry, PeerState};
use super::identity::Identity;
use super::limits::{CONNECT_TIMEOUT, HANDSHAKE_TIMEOUT, SessionLimits};
use super::pool::{Pick, Pool};
use super::preamble::SignedConnect;
use super::tls::{Tls, unused_name};
use crate::{clock, dice};

/// Why a call brought no reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallFailure {
    #[error("{0} is not in the directory; wait for the next directory or check the name")]
    Unknown(String),
    #[error("{0} is isolated or its directory is stale; the center must reissue the directory")]
    NotActive(String),
    #[error("this node may not say that to {0}; see the conversation table")]
    NotAllowed(String),
    #[error("{to} is not reachable: {why}")]
    NotReachable { to: String, why: String },
    #[error("{0} ended the handshake; it does not accept this node's key")]
    RefusedByPeer(String),
    #[error("the exchange refused to connect to {0}")]
    RefusedByExchange(String),
    #[error("what answered is not {0}; nothing was sent to it")]
    PeerWrong(String),
    #[error("{0} did not answer in time")]
    Timeout(String),
    #[error("what was said is malformed: {0}")]
    Malformed(String),
}

impl CallFailure {
    /// Whether trying again later may succeed without anyone doing anything.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::NotReachable { .. }
                | Self::Timeout(_)
                | Self::RefusedByExchange(_)
                | Self::RefusedByPeer(_)
                | Self::NotActive(_)
        )
    }
}

/// What a caller is made with.
#[derive(Clone, Debug)]
pub struct CallerOptions {
    pub role: Role,
    pub identity: Identity,
    pub tls: Tls,
    pub book: Arc<Book>,
    /// The exchange this node dials through; none for LAN-only callers (terminal, feed).
    pub exchange: Option<NodeId>,
    /// Between two municipalities (S1: one session per communication).
    pub between_municipalities: SessionLimits,
    /// For every other pair.
    pub otherwise: SessionLimits,
}

/// Calls peers. Cheap to clone; all clones share the held sessions.
#[derive(Clone)]
pub struct Caller {
    inner: Arc<Inner>,
}

struct Inner {
    options: CallerOptions,
    pools: Mutex<HashMap<NodeId, Arc<Pool>>>,
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Caller({})", self.inner.options.identity.node().as_str())
    }
}

impl Caller {
    #[must_use]
    pub fn new(mut options: CallerOptions) -> Self {
        options.between_municipalities = options.between_municipalities.bounded();
        options.otherwise = options.otherwise.bounded();
        Self { inner: Arc::new(Inner { options, pools: Mutex::default() }) }
    }

    /// One request, one reply, within `limit` including the way there.
    pub async fn call(
        &self,
        to: &NodeId,
        request: Request,
        limit: Duration,
    ) -> Result<Reply, CallFailure> {
        let name = || to.as_str().to_owned();
        let options = &self.inner.options;
        let entry = options.book.by_node(to).ok_or_else(|| CallFailure::Unknown(name()))?;
        if entry.identity.state != PeerState::Active {
            return Err(CallFailure::NotActive(name()));
        }
        let via = if entry.identity.lan { Via::Lan } else { Via::Exchange };
        if may_say(options.role, entry.identity.role, request.kind()) != Some(via) {
            return Err(CallFailure::NotAllowed(name()));
        }
        let deadline = Instant::now() + limit;
        let pool = self.pool(&entry);
        timeout_at(deadline, self.through(&pool, &entry, request))
            .await
            .unwrap_or_else(|_| Err(CallFailure::Timeout(name())))
    }

    /// Whether this peer can be dialed now and is the one it should be: a handshake, and no word.
    pub async fn reaches(&self, to: &NodeId, limit: Duration) -> Result<(), CallFailure> {
        let name = || to.as_str().to_owned();
        let entry =
            self.inner.options.book.by_node(to).ok_or_else(|| CallFailure::Unknown(name()))?;
        let dialed = timeout(limit, self.connect(&entry)).await;
        dialed.unwrap_or_else(|_| Err(CallFailure::Timeout(name()))).map(|_| ())
    }

    /// Ends all held sessions with this peer (used when its key was replaced).
    pub fn forget(&self, to: &NodeId) {
        self.inner.pools.lock().unwrap_or_else(PoisonError::into_inner).remove(to);
    }

    fn pool(&self, entry: &PeerEntry) -> Arc<Pool> {
        let options = &self.inner.options;
        let municipal =
            (options.role, entry.identity.role) == (Role::Municipality, Role::Municipality);
        let limits = if municipal { options.between_municipalities } else { options.otherwise };
        let mut pools = self.inner.pools.lock().unwrap_or_else(PoisonError::into_inner);
        let pool = pools
            .entry(entry.identity.node.clone())
            .or_insert_with(|| Pool::new(entry.identity.node.clone(), limits));
        Arc::clone(pool)
    }

    async fn through(
        &self,
        pool: &Arc<Pool>,
        entry: &PeerEntry,
        request: Request,
    ) -> Result<Reply, CallFailure> {
        let _turn = pool.turn().await;
        loop {
            let freed = pool.freed();
            match pool.pick() {
                Pick::Use(call) => return call.exchange(request).await,
                Pick::Open(opening) => {
                    let stream = self.connect(entry).await?;
                    let call = opening.opened(stream, Arc::clone(&self.inner.options.book))?;
                    return call.exchange(request).await;
                }
                Pick::Wait => freed.await,
            }
        }
    }

    /// A finished handshake with exactly this peer.
    async fn connect(&self, entry: &PeerEntry) -> Result<TlsStream<TcpStream>, CallFailure> {
        let to = entry.identity.node.as_str();
        let unreachable = |why: String| CallFailure::NotReachable { to: to.to_owned(), why };
        let tcp = timeout(CONNECT_TIMEOUT, self.reach(entry))
            .await
            .unwrap_or_else(|_| Err(unreachable("the line did not open in time".to_owned())))?;
        let config = self
            .inner
            .options
            .tls
            .client(&entry.identity.node)
            .map_err(|error| unreachable(error.to_string()))?;
        let name = unused_name().ok_or_else(|| unreachable("no name".to_owned()))?;
        let stream = timeout(HANDSHAKE_TIMEOUT, TlsConnector::from(config).connect(name, tcp))
            .await
            .map_err(|_| unreachable("the handshake did not end in time".to_owned()))?
            .map_err(|error| handshake_failure(to, &error))?;
        if stream.get_ref().1.alpn_protocol() != Some(ALPN) {
            return Err(CallFailure::PeerWrong(to.to_owned()));
        }
        Ok(stream)
    }

    /// The TCP connection that leads there: direct on the LAN, else through the own exchange.
    async fn reach(&self, entry: &PeerEntry) -> Result<TcpStream, CallFailure> {
        let to = entry.identity.node.as_str();
        let unreachable = |why: String| CallFailure::NotReachable { to: to.to_owned(), why };
        let (address, relayed) = self
            .way(entry)
            .ok_or_else(|| unreachable("no address or exchange is known for it".to_owned()))?;
        let mut tcp =
            TcpStream::connect(&address).await.map_err(|error| unreachable(error.to_string()))?;
        let _ = tcp.set_nodelay(true);
        if relayed {
            let bytes = self.connect_request(&entry.identity.node)?;
            let io = |error: io::Error| unreachable(error.to_string());
            tcp.write_all(&bytes).await.map_err(io)?;
            let mut reply = [0u8; 1];
            match tcp.read_exact(&mut reply).await {
                Ok(_) => {}
                // Closed without a byte: the exchange did not accept the request.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(CallFailure::RefusedByExchange(to.to_owned()));
                }
                Err(error) => return Err(io(error)),
            }
            match ConnectReply::from_code(u8::from_be_bytes(reply)) {
                Some(ConnectReply::Accepted) => {}
                Some(reply) => return Err(unreachable(reply.to_string())),
                None => return Err(CallFailure::RefusedByExchange(to.to_owned())),
            }
        }
        Ok(tcp)
    }

    /// Address to dial, and whether a connect request goes first.
    fn way(&self, entry: &PeerEntry) -> Option<(String, bool)> {
        let options = &self.inner.options;
        let own = options.identity.node();
        let direct = || entry.address.clone().map(|address| (address, false));
        let is_exchange = entry.identity.role == Role::Exchange;
        if entry.identity.lan || options.exchange.as_ref() == Some(&entry.identity.node) {
            return direct();
        }
        if options.role == Role::Exchange {
            if is_exchange || entry.exchange.as_ref() == Some(own) {
                return direct();
            }
            let next = options.book.by_node(entry.exchange.as_ref()?)?;
            return Some((next.address?, true));
        }
        let exchange = options.book.by_node(options.exchange.as_ref()?)?;
        Some((exchange.address?, true))
    }

    fn connect_request(&self, to: &NodeId) -> Result<Vec<u8>, CallFailure> {
        let identity = &self.inner.options.identity;
        let mut request = ConnectRequest {
            from: identity.node().clone(),
            to: to.clone(),
            at: clock::now(),
            nonce: dice::array(),
            signature: [0; 64],
        };
        let failed = |why: String| CallFailure::NotReachable { to: to.as_str().to_owned(), why };
        request.signature =
            identity.sign(&request.signed_bytes()).map_err(|error| failed(error.to_string()))?;
        Ok(SignedConnect { request, public_key: *identity.public_key() }.encode())
    }
}

fn handshake_failure(to: &str, error: &io::Error) -> CallFailure {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(_)) => CallFailure::PeerWrong(to.to_owned()),
        Some(rustls::Error::AlertReceived(_)) => CallFailure::RefusedByPeer(to.to_owned()),
        _ => CallFailure::NotReachable { to: to.to_owned(), why: error.to_string() },
    }
}
