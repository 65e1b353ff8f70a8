//! The bounds of sessions: what may be configured, and the ceilings no configuration passes.
//! Not the bounds of messages: those are `wire`'s.

use std::time::Duration;

/// No configuration may hold one session for more calls (S1: one session per communication; a held
/// session is the exception for busy pairs and stays one).
pub const SESSION_CALLS_MAX: u64 = 1_000_000;

/// Nor for longer: an hour, so that session keys do not outlive a shift.
pub const SESSION_SECONDS_MAX: u64 = 3_600;

/// Connections at once whose other end is not known yet: a handshake is over in milliseconds, and
/// who only opens connections must not keep members out.
pub const HANDSHAKES_MAX: usize = 256;

/// Sessions a node accepts at once. Each costs about 40 KiB of buffers and one descriptor.
pub const SESSIONS_ACCEPTED_MAX: usize = 2_048;

/// Requests of one session that may wait for their answer; beyond it the reader stops reading.
pub const IN_FLIGHT_SESSION_MAX: usize = 256;

/// Sessions this node holds to one peer at once.
pub const SESSIONS_PEER_MAX: usize = 64;

/// A handshake is two round trips; ten seconds is a line that is down.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The first bytes come at once or not at all; a slow sender would hold a descriptor.
pub const PREAMBLE_TIMEOUT: Duration = Duration::from_secs(5);

/// Dialing and being relayed through two exchanges.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an accepted session may say nothing before it is closed.
pub const SESSION_IDLE_MAX: Duration = Duration::from_secs(120);

/// How long the other side may refuse to take our bytes.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Pairs an exchange relays at once.
pub const SPLICES_MAX: usize = 4_096;

/// Each direction of a relayed pair; nothing is kept beyond these buffers.
pub const SPLICE_BUFFER_BYTES: usize = 32 * 1024;

/// A relayed pair lives no longer than the longest session plus its idle time.
pub const SPLICE_SECONDS_MAX: u64 = SESSION_SECONDS_MAX + SESSION_IDLE_MAX.as_secs();

/// Nonces an exchange remembers; a request is refused when there is no room, never forgotten.
pub const NONCES_MAX: usize = 1 << 18;

const _: () = assert!(SPLICE_SECONDS_MAX > SESSION_SECONDS_MAX);
const _: () = assert!(IN_FLIGHT_SESSION_MAX >= 1 && SESSIONS_PEER_MAX >= 1);

/// What the configuration chooses, already below the ceilings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    /// Calls on one session before it is closed and its keys destroyed.
    pub calls: u64,
    /// Seconds a session is used for new calls.
    pub seconds: u64,
    /// Sessions to one peer at once.
    pub sessions: usize,
    /// Calls waiting on one session at once (pipelining by frame id).
    pub in_flight: usize,
}

impl SessionLimits {
    /// S1: authenticate, fresh keys, exchange, destroy. Ordinary between two municipalities.
    pub const ONE_CALL: Self = Self { calls: 1, seconds: 30, sessions: 8, in_flight: 1 };

    /// For the busy pairs (municipality–prefecture, prefecture–center, agency–center).
    pub const HELD: Self = Self { calls: 100_000, seconds: 600, sessions: 4, in_flight: 128 };

    /// Clamps to the ceilings, so that no caller can hand in more.
    #[must_use]
    pub fn bounded(self) -> Self {
        Self {
            calls: self.calls.clamp(1, SESSION_CALLS_MAX),
            seconds: self.seconds.clamp(1, SESSION_SECONDS_MAX),
            sessions: self.sessions.clamp(1, SESSIONS_PEER_MAX),
            in_flight: self.in_flight.clamp(1, IN_FLIGHT_SESSION_MAX),
        }
    }
}
