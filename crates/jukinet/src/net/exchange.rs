//! The dedicated exchange (専用交換装置): relays ciphertext between two nodes that the directory and the
//! conversation table allow, and keeps nothing. It cannot read what it relays: the TLS session runs
//! end to end through it.
//!
//! Who is trusted: nobody by address. A connect request is signed by a member's node key, within a
//! minute of this clock, with a nonce not seen before.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use law::time::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional_with_sizes};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use wire::connect::{CONNECT_SKEW_MS_MAX, ConnectReply};
use wire::{NodeId, Role, may_connect};

use super::alarm::{Alarm, Alarms};
use super::book::{Book, PeerEntry, PeerState};
use super::limits::{
    CONNECT_TIMEOUT, NONCES_MAX, SPLICE_BUFFER_BYTES, SPLICE_SECONDS_MAX, SPLICES_MAX,
    WRITE_TIMEOUT,
};
use super::preamble::SignedConnect;

/// Where an admitted connect request leads.
#[derive(Debug)]
pub(super) enum Heading {
    /// To this exchange itself.
    Here,
    On(Hop),
}

/// The next TCP connection.
#[derive(Debug)]
pub(super) struct Hop {
    address: String,
    /// Whether another exchange is there, which must see the connect request as well.
    forward: bool,
}

/// The relay of one exchange.
pub struct Exchange {
    node: NodeId,
    book: Arc<Book>,
    alarms: Arc<Alarms>,
    nonces: Mutex<Nonces>,
    places: Semaphore,
    clock: fn() -> Timestamp,
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Exchange({})", self.node.as_str())
    }
}

impl Exchange {
    #[must_use]
    pub fn new(
        node: NodeId,
        book: Arc<Book>,
        alarms: Arc<Alarms>,
        clock: fn() -> Timestamp,
    ) -> Arc<Self> {
        let nonces = Mutex::new(Nonces::default());
        let places = Semaphore::new(SPLICES_MAX);
        Arc::new(Self { node, book, alarms, nonces, places, clock })
    }

    /// Pairs being relayed now.
    #[must_use]
    pub fn relaying(&self) -> usize {
        SPLICES_MAX.saturating_sub(self.places.available_permits())
    }

    /// Whether this pair may be connected, and where the next hop is.
    pub(super) fn admit(&self, signed: &SignedConnect) -> Result<Heading, Alarm> {
        let request = &signed.request;
        let asker = self.book.by_node(&request.from).ok_or(Alarm::ConnectForged)?;
        let genuine = token::verify::pin(&signed.public_key) == asker.pin
            && token::verify::p256(&signed.public_key, &request.signed_bytes(), &request.signature);
        if !genuine || asker.identity.lan {
            return Err(Alarm::ConnectForged);
        }
        let now = (self.clock)();
        if now.0.abs_diff(request.at.0) > CONNECT_SKEW_MS_MAX {
            return Err(Alarm::ConnectReplayed);
        }
        let target = self.book.by_node(&request.to).ok_or(Alarm::ConnectForbidden)?;
        if !self.allowed(&asker, &target) {
            return Err(Alarm::ConnectForbidden);
        }
        let heading = self.heading(&asker, &target).ok_or(Alarm::ConnectForbidden)?;
        // Last, so that only requests of members in good standing take room in the memory.
        let mut nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        nonces.admit(request.nonce, now)?;
        Ok(heading)
    }

    /// Both active and allowed to speak. While the directory is stale only conversations with the
    /// center go through, because the next directory comes that way.
    fn allowed(&self, asker: &PeerEntry, target: &PeerEntry) -> bool {
        let (asker, target) = (&asker.identity, &target.identity);
        let standing = match (asker.state, target.state) {
            (PeerState::Active, PeerState::Active) => true,
            (PeerState::Isolated, _) | (_, PeerState::Isolated) => false,
            _ => asker.role == Role::Center || target.role == Role::Center,
        };
        standing && !target.lan && may_connect(asker.role, target.role)
    }

    /// At most two exchanges on the way: the asker's and the target's. No other is passed, so a
    /// request cannot go round.
    fn heading(&self, asker: &PeerEntry, target: &PeerEntry) -> Option<Heading> {
        if target.identity.node == self.node {
            return Some(Heading::Here);
        }
        let ours = Some(&self.node);
        if target.exchange.as_ref() == ours {
            let address = target.address.clone()?;
            return Some(Heading::On(Hop { address, forward: false }));
        }
        if asker.exchange.as_ref() != ours {
            return None;
        }
        let next = match target.identity.role {
            Role::Exchange => target.clone(),
            _ => self.book.by_node(target.exchange.as_ref()?)?,
        };
        if next.identity.role != Role::Exchange {
            return None;
        }
        Some(Heading::On(Hop { address: next.address?, forward: true }))
    }

    /// Tells the asker to begin its handshake with this exchange itself.
    pub(super) async fn welcome(stream: &mut TcpStream) -> bool {
        answer(stream, ConnectReply::Accepted).await
    }

    /// Dials on, answers the asker, and copies bytes until either end closes, the time is over or
    /// the directory no longer allows the pair.
    pub(super) async fn relay(&self, mut stream: TcpStream, signed: &SignedConnect, hop: Hop) {
        let Ok(_place) = self.places.try_acquire() else {
            self.alarms.raise(Alarm::Bound, None, "too many relayed pairs");
            answer(&mut stream, ConnectReply::Busy).await;
            return;
        };
        let dialed = timeout(CONNECT_TIMEOUT, dial_on(&hop, signed)).await;
        let mut onward = match dialed {
            Ok(Ok(onward)) => onward,
            Ok(Err(reply)) => {
                answer(&mut stream, reply).await;
                return;
            }
            Err(_) => {
                answer(&mut stream, ConnectReply::Unreachable).await;
                return;
            }
        };
        if !answer(&mut stream, ConnectReply::Accepted).await {
            return;
        }
        let mut directory = self.book.watch();
        // The directory may have changed while the other side was dialed.
        if !self.still_allowed(signed) {
            return;
        }
        let copy = copy_bidirectional_with_sizes(
            &mut stream,
            &mut onward,
            SPLICE_BUFFER_BYTES,
            SPLICE_BUFFER_BYTES,
        );
        tokio::pin!(copy);
        let end = tokio::time::sleep(Duration::from_secs(SPLICE_SECONDS_MAX));
        tokio::pin!(end);
        loop {
            tokio::select! {
                _ = &mut copy => return,
                () = &mut end => return,
                _ = directory.changed() => if !self.still_allowed(signed) {
                    self.alarms.raise(Alarm::ConnectForbidden, None, "a relayed pair was cut");
                    return;
                },
            }
        }
    }

    fn still_allowed(&self, signed: &SignedConnect) -> bool {
        let request = &signed.request;
        let asker = self.book.by_node(&request.from);
        let target = self.book.by_node(&request.to);
        match (asker, target) {
            (Some(asker), Some(target)) => self.allowed(&asker, &target),
            _ => false,
        }
    }
}

async fn dial_on(hop: &Hop, signed: &SignedConnect) -> Result<TcpStream, ConnectReply> {
    let unreachable = |_| ConnectReply::Unreachable;
    let mut onward = TcpStream::connect(&hop.address).await.map_err(unreachable)?;
    let _ = onward.set_nodelay(true);
    if hop.forward {
        onward.write_all(&signed.encode()).await.map_err(unreachable)?;
        let mut reply = [0u8; 1];
        onward.read_exact(&mut reply).await.map_err(unreachable)?;
        match ConnectReply::from_code(u8::from_be_bytes(reply)) {
            Some(ConnectReply::Accepted) => {}
            Some(reply) => return Err(reply),
            None => return Err(ConnectReply::Unreachable),
        }
    }
    Ok(onward)
}

async fn answer(stream: &mut TcpStream, reply: ConnectReply) -> bool {
    matches!(timeout(WRITE_TIMEOUT, stream.write_all(&[reply.code()])).await, Ok(Ok(())))
}

/// Nonces of the last two minutes. A nonce older than both window edges is refused by its time.
#[derive(Default)]
struct Nonces {
    seen: HashSet<[u8; 16]>,
    order: VecDeque<(Timestamp, [u8; 16])>,
}

impl Nonces {
    fn admit(&mut self, nonce: [u8; 16], now: Timestamp) -> Result<(), Alarm> {
        // A request may be dated a minute ahead and stay in the window a minute longer.
        let horizon = now.0.saturating_sub(2 * CONNECT_SKEW_MS_MAX);
        while self.order.front().is_some_and(|(at, _)| at.0 < horizon) {
            if let Some((_, old)) = self.order.pop_front() {
                self.seen.remove(&old);
            }
        }
        if self.seen.contains(&nonce) {
            return Err(Alarm::ConnectReplayed);
        }
        if self.order.len() >= NONCES_MAX {
            return Err(Alarm::Bound);
        }
        self.seen.insert(nonce);
        self.order.push_back((now, nonce));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_counts_once_and_is_forgotten_only_after_its_window() {
        let mut nonces = Nonces::default();
        let at = |ms| Timestamp(1_000_000 + ms);
        assert_eq!(nonces.admit([1; 16], at(0)), Ok(()));
        assert_eq!(nonces.admit([1; 16], at(2 * CONNECT_SKEW_MS_MAX)), Err(Alarm::ConnectReplayed));
        assert_eq!(nonces.admit([1; 16], at(2 * CONNECT_SKEW_MS_MAX + 1)), Ok(()));
        assert_eq!(nonces.order.len(), 1);
    }
}
