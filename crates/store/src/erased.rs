//! How much an erasure took away, or would: counts, nothing about anyone.

/// Rows and keys by what they held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Cohort keys destroyed.
    pub cohorts: usize,
    /// Rows of removed residents, with their index terms.
    pub residents: usize,
    /// History rows removed.
    pub history: usize,
    /// Own entries whose content was removed; their commitments stay, so the ledger still verifies.
    pub entries: usize,
    /// Other ledgers' entries removed.
    pub foreign: usize,
}

impl Erased {
    /// Rows of all tables together.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.residents + self.history + self.entries + self.foreign
    }

    /// Whether there is, or was, anything at all to do.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Count another part of the same erasure.
    pub fn add(&mut self, more: &Self) {
        self.cohorts += more.cohorts;
        self.residents += more.residents;
        self.history += more.history;
        self.entries += more.entries;
        self.foreign += more.foreign;
    }
}
