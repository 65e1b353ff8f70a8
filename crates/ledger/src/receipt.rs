//! The proof that an entry is durable, without which no answer leaves (法: 提供の記録; the spine).
//!
//! A leaf module, so that no other module of this crate can reach the fields. Not here: making
//! anything durable. Whoever calls the one constructor asserts it; tidy holds the list of callers.

/// The local number under which a machine handed an entry to its store, before it had a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(pub u64);

/// Proof that one entry, all its leaves included, is in the ledger and will survive a power cut.
///
/// Not `Clone`: it opens one release and is consumed by that.
#[derive(Debug, PartialEq, Eq)]
pub struct Receipt {
    entry: EntryId,
    ledger: String,
    first_index: u64,
    count: u64,
}

impl Receipt {
    /// The only way to make one. To be called after the commit that holds the entry returned, by
    /// the runner and by the simulated world, and by no one else.
    pub fn assert_durable(
        entry: EntryId,
        ledger: impl Into<String>,
        first_index: u64,
        count: u64,
    ) -> Self {
        Self { entry, ledger: ledger.into(), first_index, count }
    }

    /// Which entry.
    pub const fn entry(&self) -> EntryId {
        self.entry
    }

    /// The origin of the ledger that holds it.
    pub fn ledger(&self) -> &str {
        &self.ledger
    }

    /// The index of its first leaf.
    pub const fn first_index(&self) -> u64 {
        self.first_index
    }

    /// How many leaves it has, one per person provided.
    pub const fn count(&self) -> u64 {
        self.count
    }
}
