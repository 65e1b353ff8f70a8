//! Counters of what the edge turned away, and the log lines that go with them.
//! Not an intrusion detector: it counts and names; judging the counts is the monitoring room's.
//!
//! A line names the rule and the peer's socket address, never a byte of what was sent: what an
//! unknown sender writes may itself be somebody's data.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

/// Why the edge turned something away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// The first bytes were neither TLS nor a connect request (HTTP, Telnet, a scanner).
    ForeignProtocol,
    /// The first bytes did not come within the deadline.
    PreambleTimeout,
    /// A connect request that does not parse.
    ConnectMalformed,
    /// A connect request whose key or signature is not the member's.
    ConnectForged,
    /// A connect request outside the time window, or seen before.
    ConnectReplayed,
    /// A connect request between two that may not speak, or with an isolated one.
    ConnectForbidden,
    /// A handshake that failed for a reason of TLS (version, protocol name, suite).
    Handshake,
    /// A certificate whose key no member holds.
    PeerUnknown,
    /// A certificate of a member that the directory isolates, or of a stale directory.
    PeerIsolated,
    /// The peer is a member, but not the one that was dialed.
    PeerWrong,
    /// A frame that does not decode, or is too large.
    FrameMalformed,
    /// A message that this peer may not say to this node.
    Conversation,
    /// A bound was reached (sessions, splices, nonces).
    Bound,
}

impl Alarm {
    pub const ALL: [Self; 13] = [
        Self::ForeignProtocol,
        Self::PreambleTimeout,
        Self::ConnectMalformed,
        Self::ConnectForged,
        Self::ConnectReplayed,
        Self::ConnectForbidden,
        Self::Handshake,
        Self::PeerUnknown,
        Self::PeerIsolated,
        Self::PeerWrong,
        Self::FrameMalformed,
        Self::Conversation,
        Self::Bound,
    ];

    /// The stable name in logs and in `doctor`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ForeignProtocol => "foreign-protocol",
            Self::PreambleTimeout => "preamble-timeout",
            Self::ConnectMalformed => "connect-malformed",
            Self::ConnectForged => "connect-forged",
            Self::ConnectReplayed => "connect-replayed",
            Self::ConnectForbidden => "connect-forbidden",
            Self::Handshake => "handshake-failed",
            Self::PeerUnknown => "peer-unknown",
            Self::PeerIsolated => "peer-isolated",
            Self::PeerWrong => "peer-wrong",
            Self::FrameMalformed => "frame-malformed",
            Self::Conversation => "conversation-forbidden",
            Self::Bound => "bound-reached",
        }
    }
}

/// One counter per alarm, shared by all sessions of a process.
#[derive(Default)]
pub struct Alarms {
    counts: [AtomicU64; Alarm::ALL.len()],
}

impl fmt::Debug for Alarms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(Alarm::ALL.map(|alarm| (alarm.name(), self.count(alarm)))).finish()
    }
}

impl Alarms {
    fn cell(&self, alarm: Alarm) -> Option<&AtomicU64> {
        let place = Alarm::ALL.iter().position(|each| *each == alarm)?;
        self.counts.get(place)
    }

    /// How often this was turned away since the process started.
    #[must_use]
    pub fn count(&self, alarm: Alarm) -> u64 {
        self.cell(alarm).map_or(0, |cell| cell.load(Ordering::Relaxed))
    }

    /// Counts and logs. `detail` is text of our own, never of the peer.
    pub fn raise(&self, alarm: Alarm, from: Option<SocketAddr>, detail: &str) {
        if let Some(cell) = self.cell(alarm) {
            cell.fetch_add(1, Ordering::Relaxed);
        }
        let from = from.map_or_else(|| "-".to_owned(), |address| address.to_string());
        tracing::warn!(event = alarm.name(), from = %from, detail, "turned away");
    }
}
