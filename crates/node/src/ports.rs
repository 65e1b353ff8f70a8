//! The ports of a machine: what it may look up, and what it may ask to be kept.
//!
//! Adapters (`store`, the simulator's model) implement them; a test hands in plain data. There is
//! no I/O here and no rule: whether something may be told is decided in `law` alone.

use law::change::ChangeReason;
use law::code::RecordCode;
use law::inquiry::Held;
use law::query::Probe;
use law::time::{Date, Timestamp};
use ledger::receipt::EntryId;
use wire::NodeId;

/// Most candidates one index probe may return before the inquiry is given up: a facility of several
/// thousand people at one address is real, a probe beyond it is a mistake or an attack.
pub const CANDIDATES_PER_PROBE_COUNT_MAX: usize = 20_000;

/// What can go wrong in a look-up. Never says anything about a person.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("the store could not be read: {0}")]
    Store(String),
    #[error("a kept row of {table} did not open: the store is damaged or its key is not the one")]
    Sealed { table: &'static str },
}

/// What can go wrong in keeping. After any of these the whole open group is rolled back.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the disk is full: nothing of this group was kept")]
    DiskFull,
    #[error("the store could not be written: {0}")]
    Io(String),
    #[error("the store is damaged: {0}")]
    Damaged(String),
    #[error(
        "the ledger on disk is ahead of the database (size {ledger} against {store}): the \
            database is an older copy"
    )]
    LedgerAhead { ledger: u64, store: u64 },
    #[error("the store's key could not be used: {0}")]
    Key(String),
    #[error("this store was written by version {found}, this program keeps version {expected}")]
    Version { found: u32, expected: u32 },
}

/// A look-up's result.
pub type Looked<T> = Result<T, ReadError>;

/// A named, durable, monotonic number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counter {
    /// Last sequence applied from this sender's queue.
    AppliedFrom(NodeId),
    /// Last sequence number of the existing register system's own numbering.
    Feed,
    /// Serial of the last directory issued or adopted.
    DirectorySerial,
    /// Ledger index up to which provisions were handed to the prefectures' queues.
    Disclosed,
    /// The latest time, in milliseconds, up to which an identifier was remembered that is forgotten
    /// now. The store raises it by itself, see [`Write::ForgetRequestsBefore`].
    RequestsForgotten,
}

/// What a role keeps besides its register, one sealed value per key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Space {
    /// Moving-in that waits for the former municipality's release; by record code.
    Arrival,
    /// Residents let go, and to whom; by record code. Above the municipality: who was confirmed to
    /// have left; by record code and municipality.
    Departure,
    /// Notices that could not be applied, set aside one by one; by sender and sequence.
    SetAside,
    /// Record codes that this municipality may still give out.
    Pool,
    /// Record codes designated once; never designated again.
    Issued,
    /// State of the comparison between the tiers.
    Comparison,
    /// Record codes that were replaced by others, never to be anybody's again; by the old code.
    Retired,
}

impl Space {
    pub const ALL: [Self; 7] = [
        Self::Arrival,
        Self::Departure,
        Self::SetAside,
        Self::Pool,
        Self::Issued,
        Self::Comparison,
        Self::Retired,
    ];

    /// Its number in stores; never reused.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Arrival => 1,
            Self::Departure => 2,
            Self::SetAside => 3,
            Self::Pool => 4,
            Self::Issued => 5,
            Self::Comparison => 6,
            Self::Retired => 7,
        }
    }

    /// The word in tables and tools.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Arrival => "arrival",
            Self::Departure => "departure",
            Self::SetAside => "set-aside",
            Self::Pool => "pool",
            Self::Issued => "issued",
            Self::Comparison => "comparison",
            Self::Retired => "retired",
        }
    }

    #[must_use]
    pub fn parse_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|space| space.key() == key)
    }

    /// The key of what was set aside of one sender's queue.
    #[must_use]
    pub fn of_queue(from: &NodeId, sequence: u64) -> Vec<u8> {
        [from.as_str().as_bytes(), &sequence.to_be_bytes()].concat()
    }

    /// The key of a fact about this person; a store keeps a keyed digest of it only.
    #[must_use]
    pub fn about(code: &RecordCode) -> Vec<u8> {
        code.expose().as_bytes().to_vec()
    }
}

/// Where a fact stands among those of its space: a keyed digest, so its order means nothing.
pub type FactPlace = [u8; 16];

/// One own ledger entry, opened.
#[derive(Clone, PartialEq, Eq)]
pub struct OpenEntry {
    /// Position in this node's ledger.
    pub index: u64,
    /// The entry's canonical text.
    pub entry: Vec<u8>,
    /// Salt of its commitment.
    pub salt: [u8; 32],
}

/// An entry of another node's ledger that concerns a resident of ours, with its proof.
#[derive(Clone, PartialEq, Eq)]
pub struct ForeignEntry {
    /// Origin of the ledger it stands in.
    pub ledger: String,
    pub entry: Vec<u8>,
    pub salt: [u8; 32],
    /// C2SP tlog-proof text.
    pub proof: String,
}

/// What stood before a change (異動前の本人確認情報).
#[derive(Clone, PartialEq, Eq)]
pub struct HistoryRow {
    pub before: Held,
    pub reason: ChangeReason,
    pub on: Date,
    pub recorded_at: Timestamp,
}

macro_rules! redacted_debug {
    ($($t:ident),*) => {$(
        impl std::fmt::Debug for $t {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($t), "(…)"))
            }
        }
    )*};
}
redacted_debug!(OpenEntry, ForeignEntry, HistoryRow, Leaf);

/// Look-ups on one consistent version of the store, the open group included.
pub trait Reads {
    /// The person with this code, removed or not.
    fn resident(&self, code: &RecordCode) -> Looked<Option<Held>>;
    /// Persons indexed under this probe: at most `max + 1` rows, unfiltered; the caller applies
    /// `Query::matches`.
    fn candidates(&self, probe: &Probe, max: usize) -> Looked<Vec<Held>>;
    /// 0 when never set.
    fn counter(&self, counter: &Counter) -> Looked<u64>;
    /// Queue items for `to` with a sequence greater than `after`, in order, at most `max`.
    fn queued(&self, to: &NodeId, after: u64, max: usize) -> Looked<Vec<(u64, Vec<u8>)>>;
    /// (highest acknowledged, highest enqueued) sequence of the queue for `to`; (0, 0) when empty.
    fn queue_bounds(&self, to: &NodeId) -> Looked<(u64, u64)>;
    /// Whether this request identifier was noted before.
    fn request_seen(&self, request: &[u8; 16]) -> Looked<bool>;
    /// The last directory kept, as signed bytes.
    fn directory(&self) -> Looked<Option<Vec<u8>>>;
    /// Own entries about this code, newest first, at most `max`.
    fn entries_about(&self, code: &RecordCode, max: usize) -> Looked<Vec<OpenEntry>>;
    /// Own entries from ledger index `first`, in order, at most `max`.
    fn entries_from(&self, first: u64, max: usize) -> Looked<Vec<OpenEntry>>;
    /// Other ledgers' entries about this code, newest first, at most `max`.
    fn foreign_about(&self, code: &RecordCode, max: usize) -> Looked<Vec<ForeignEntry>>;
    /// tlog-proof of entry `index` against the latest signed checkpoint; `None` while not covered.
    fn proof(&self, index: u64) -> Looked<Option<String>>;
    /// The latest signed checkpoint.
    fn checkpoint(&self) -> Looked<Option<String>>;
    /// Earlier states of the person who has this code now, newest first, at most `max`. History
    /// follows the person through a change of code.
    fn history(&self, code: &RecordCode, max: usize) -> Looked<Vec<HistoryRow>>;
    /// Residents held who are not removed.
    fn residents_count(&self) -> Looked<u64>;
    /// Entries in this node's ledger.
    fn entries_count(&self) -> Looked<u64>;
    /// The value kept under this key.
    fn fact(&self, space: Space, key: &[u8]) -> Looked<Option<Vec<u8>>>;
    /// Values after this place, in order of places, at most `max`.
    fn facts(
        &self,
        space: Space,
        after: Option<FactPlace>,
        max: usize,
    ) -> Looked<Vec<(FactPlace, Vec<u8>)>>;
    /// Facts kept in this space. Counts them: not for spaces of millions.
    fn facts_count(&self, space: Space) -> Looked<u64>;
    /// Residents with a row number greater than `row`, removed ones included, in order of rows, at
    /// most `max`. For walks over the whole register by the node itself, never for an inquiry.
    fn residents_after(&self, row: u64, max: usize) -> Looked<Vec<(u64, Held)>>;
}

/// One change to what is kept. Applied in order inside the open group; [`Write::AppendHistory`]
/// after all others, to whoever has the code by then.
#[derive(Clone, PartialEq, Eq)]
pub enum Write {
    /// Insert, or replace the row of the same code.
    PutResident(Held),
    /// The person known as `previous` is known as `held.identity.code` from now on; history and
    /// entries about the old code stay reachable. Inserts when `previous` is not held.
    ReplaceCode {
        previous: RecordCode,
        held: Held,
    },
    /// Keep the row of this person, who was removed, through this day (`law::retention`); with
    /// `None`, and after any later change of the person, without an end.
    ExpireResident {
        code: RecordCode,
        until: Option<Date>,
    },
    /// Keep what stood before, under the person who has `code` after this group, through the day
    /// `until` (`law::retention`).
    AppendHistory {
        code: RecordCode,
        row: HistoryRow,
        until: Date,
    },
    SetCounter(Counter, u64),
    /// Append to the queue for `to`; the store gives the next sequence (from 1, without gaps).
    Enqueue {
        to: NodeId,
        payload: Vec<u8>,
    },
    /// Forget queue items for `to` up to and including this sequence.
    Acknowledge {
        to: NodeId,
        up_to: u64,
    },
    /// Note a request identifier until the given time, against replay.
    RequestSeen {
        request: [u8; 16],
        until: Timestamp,
    },
    ForgetRequestsBefore(Timestamp),
    PutDirectory(Vec<u8>),
    PutForeign {
        subject: RecordCode,
        entry: ForeignEntry,
    },
    /// Keep, or replace, the value under this key.
    PutFact {
        space: Space,
        key: Vec<u8>,
        value: Vec<u8>,
    },
    DropFact {
        space: Space,
        key: Vec<u8>,
    },
}

/// Prints which write it is: queue payloads and residents are nobody's business in a log.
impl std::fmt::Debug for Write {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self {
            Self::PutResident(_) => "PutResident",
            Self::ReplaceCode { .. } => "ReplaceCode",
            Self::ExpireResident { .. } => "ExpireResident",
            Self::AppendHistory { .. } => "AppendHistory",
            Self::SetCounter(counter, value) => {
                return write!(f, "SetCounter({counter:?}, {value})");
            }
            Self::Enqueue { to, .. } => return write!(f, "Enqueue({to}, …)"),
            Self::Acknowledge { to, up_to } => return write!(f, "Acknowledge({to}, {up_to})"),
            Self::RequestSeen { .. } => "RequestSeen",
            Self::ForgetRequestsBefore(_) => "ForgetRequestsBefore",
            Self::PutDirectory(_) => "PutDirectory",
            Self::PutForeign { .. } => "PutForeign",
            Self::PutFact { space, .. } => return write!(f, "PutFact({space:?}, …)"),
            Self::DropFact { space, .. } => return write!(f, "DropFact({space:?}, …)"),
        };
        write!(f, "{name}(…)")
    }
}

/// One leaf of the ledger to be.
#[derive(Clone, PartialEq, Eq)]
pub struct Leaf {
    /// The resident whom the entry is about, if it is about one.
    pub subject: Option<RecordCode>,
    /// Canonical text of the entry (`ledger::entry`).
    pub entry: Vec<u8>,
}

/// Entries that must be durable together before what waits for them may leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// The machine's own number for it; the receipt carries it back.
    pub id: EntryId,
    /// At least one leaf; consecutive in the ledger.
    pub leaves: Vec<Leaf>,
}

/// Where the leaves of one [`NewEntry`] were put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    pub entry: EntryId,
    pub first_index: u64,
    pub count: u64,
}

/// What keeps a role's state. One group is open at any time; `apply` writes into it, later reads
/// see it, `commit` makes it durable.
pub trait Store {
    fn reads(&self) -> &dyn Reads;
    /// Apply one machine's effects to the open group. An error rolls the whole group back.
    fn apply(
        &mut self,
        writes: &[Write],
        entries: &[NewEntry],
        dice: law::Dice<'_>,
    ) -> Result<Vec<Recorded>, StoreError>;
    /// Make the open group durable. When this returns `Ok`, a crash cannot undo it.
    fn commit(&mut self) -> Result<(), StoreError>;
    /// Give the open group up.
    fn rollback(&mut self);
    /// This ledger's origin line.
    fn origin(&self) -> &str;
}
