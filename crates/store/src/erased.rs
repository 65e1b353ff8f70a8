//! Erasure as a runner sees it: its steps, and how much went, in counts and nothing about anyone.

use node::ports::StoreError;

use crate::month::Month;

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

/// Erasure by calendar, as a runner needs it of any engine: small steps between the node's work.
pub trait Erase {
    /// What lies before this month of expiry now.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn erasable_before(&self, month: Month) -> Result<Erased, StoreError>;

    /// At most `rows_max` of those rows, in one transaction; their keys stay. No rows in the
    /// answer: none are left.
    ///
    /// # Errors
    /// As for a commit; refused while a group is open.
    fn erase_some_before(
        &mut self,
        month: Month,
        rows_max: usize,
        dice: law::Dice<'_>,
    ) -> Result<Erased, StoreError>;

    /// The keys of those months, in the store and in the token.
    ///
    /// # Errors
    /// As for a commit; refused while rows are left.
    fn erase_keys_before(&mut self, month: Month) -> Result<Erased, StoreError>;

    /// Seal at most `rows_max` current rows of years before `keep_from` anew, and destroy the keys
    /// of those years once none is left. `true`: done.
    ///
    /// # Errors
    /// As for a commit; refused while a group is open.
    fn renew_rows(
        &mut self,
        year: u32,
        keep_from: u32,
        rows_max: usize,
        dice: law::Dice<'_>,
    ) -> Result<bool, StoreError>;
}
