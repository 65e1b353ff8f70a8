//! What every role machine is: a function of (now, input, what it may look up) that leaves effects.
//!
//! No clock, disk, randomness or socket: the runner in `jukinet` and the world in `lab` bring
//! inputs and carry out what the [`Outbox`] holds. The same machine
//! therefore runs in production, in the simulator under one seed, and in tests.

use law::organ::Organ;
use law::time::Timestamp;
use ledger::receipt::Receipt;
use wire::{NodeId, Reply, Request, Role};

use crate::outbox::Outbox;
use crate::ports::Reads;

/// One request that waits for our reply; the runner knows which session it came over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// One call of ours that waits for a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// One signature asked of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignId(pub u64);

/// One draw of entropy asked of the runner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DrawId(pub u64);

/// Who is at the other end, as the mutual authentication of the session established it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    pub node: NodeId,
    pub role: Role,
    /// The organ it acts for; none for exchanges.
    pub organ: Option<Organ>,
}

/// Why a call brought no reply. The other side may or may not have acted: every request that
/// changes something can be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallFailure {
    NotReachable,
    Timeout,
    /// The exchange or the peer would not have the session.
    Refused,
    /// The reply was not of the protocol.
    Malformed,
}

/// What can happen to a machine.
#[derive(Debug)]
pub enum Input {
    Request {
        from: Peer,
        ticket: Ticket,
        request: Request,
    },
    Reply {
        call: CallId,
        outcome: Result<Reply, CallFailure>,
    },
    /// Entries asked for earlier are durable.
    Recorded(Receipt),
    Signed {
        sign: SignId,
        signature: Option<[u8; 64]>,
    },
    /// The entropy asked for, as many bytes as were asked for.
    Drawn {
        draw: DrawId,
        bytes: Vec<u8>,
    },
    /// Time has passed; sent at least every [`TICK_MS_MAX`].
    Tick,
}

/// Longest time between two ticks, milliseconds.
pub const TICK_MS_MAX: u64 = 250;

/// A role.
pub trait Machine: Send {
    /// Handle one input. What the outbox holds takes effect together or not at all; nothing in it
    /// leaves the machine before its writes and entries are durable.
    fn handle(&mut self, now: Timestamp, input: Input, reads: &dyn Reads) -> Outbox;
}
