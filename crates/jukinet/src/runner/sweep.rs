//! The erasure of one day: in steps short enough to stand between the node's own work.
//!
//! What is about to go is recorded in the ledger first, by counts; then rows, then keys, then the
//! renewal of keys of current rows that have grown old. A step that fails leaves everything sound,
//! and the next run goes on. Whose term has ended is the law's and the store's, not decided here.

use law::retention::{Regime, Tier};
use law::time::{Date, Timestamp};
use ledger::entry::{Entry, EntryKind};
use ledger::receipt::EntryId;
use node::ports::{Leaf, NewEntry, Store, StoreError};
use store::{Erase, Erased, Month};

use wire::Role;
use wire::directory::{Directory, SignedDirectory};

use crate::config::NodeConfig;
use crate::dice;

/// Rows in one step: some ten milliseconds of a node's time.
const ROWS_PER_STEP_COUNT_MAX: usize = 256;

/// Where a sweep stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Count,
    Rows,
    Keys,
    Renew,
    Done,
}

/// The erasure of everything whose month of expiry has ended on a day.
#[derive(Clone, Debug)]
pub struct Sweep {
    on: Date,
    before: Month,
    keep_from: u32,
    phase: Phase,
    due: Erased,
    erased: Erased,
}

impl Sweep {
    /// `regime` bounds how long a key of current rows may live.
    #[must_use]
    pub fn new(on: Date, regime: Regime) -> Self {
        // A key that seals the rows of a year is given up before the first of them could be due.
        let keep_from =
            (u32::from(on.year()) + 2).saturating_sub(u32::from(regime.shortest_years()));
        let before = Month::of_date(on);
        let (due, erased) = (Erased::default(), Erased::default());
        Self { on, before, keep_from, phase: Phase::Count, due, erased }
    }

    /// The day it is for.
    #[must_use]
    pub const fn on(&self) -> Date {
        self.on
    }

    /// Everything that expires before this month goes.
    #[must_use]
    pub const fn before(&self) -> Month {
        self.before
    }

    /// What was found to be due.
    #[must_use]
    pub const fn due(&self) -> &Erased {
        &self.due
    }

    /// What went so far.
    #[must_use]
    pub const fn erased(&self) -> &Erased {
        &self.erased
    }

    /// One step. `true`: nothing is left to do.
    ///
    /// # Errors
    /// As for a commit. The same sweep may be tried again, or a new one.
    pub fn step<S: Store + Erase>(
        &mut self,
        store: &mut S,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut dice = dice::fill;
        match self.phase {
            Phase::Count => {
                self.due = store.erasable_before(self.before)?;
                self.phase = if self.due.is_nothing() { Phase::Renew } else { Phase::Rows };
                if !self.due.is_nothing() {
                    self.record(store, now)?;
                }
            }
            Phase::Rows => {
                let some =
                    store.erase_some_before(self.before, ROWS_PER_STEP_COUNT_MAX, &mut dice)?;
                self.erased.add(&some);
                if some.rows() == 0 {
                    self.phase = Phase::Keys;
                }
            }
            Phase::Keys => {
                self.erased.add(&store.erase_keys_before(self.before)?);
                self.phase = Phase::Renew;
            }
            Phase::Renew => {
                let year = u32::from(self.on.year());
                if store.renew_rows(year, self.keep_from, ROWS_PER_STEP_COUNT_MAX, &mut dice)? {
                    self.phase = Phase::Done;
                }
            }
            Phase::Done => {}
        }
        Ok(self.phase == Phase::Done)
    }

    /// Durable before the first row goes. Counts, and nothing about anyone.
    fn record<S: Store>(&self, store: &mut S, now: Timestamp) -> Result<(), StoreError> {
        let Erased { cohorts, residents, history, entries, foreign } = self.due;
        let words = format!(
            "terms before {}: residents {residents}, history {history}, entries {entries}, \
             disclosures {foreign}, keys {cohorts}",
            self.before
        );
        let node = store.origin().rsplit('/').next().unwrap_or_default().to_owned();
        let rows = u64::try_from(self.due.rows()).unwrap_or(u64::MAX);
        let entry = Entry::build(EntryKind::Erased, now, node).count(rows).note(words).finish();
        let entry = entry.map_err(|error| StoreError::Io(error.to_string()))?;
        let leaf = Leaf { subject: None, entry: entry.encode() };
        let mut dice = dice::fill;
        store.apply(&[], &[NewEntry { id: EntryId(0), leaves: vec![leaf] }], &mut dice)?;
        store.commit()
    }
}

/// Whose terms bound the keys of this node's rows.
#[must_use]
pub fn regime(node: &NodeConfig, store: &impl Store) -> Regime {
    let tier = match node.role {
        Role::Municipality => Tier::Municipality,
        Role::Center => Tier::Center,
        _ => Tier::Prefecture,
    };
    let kept = store.reads().directory().ok().flatten();
    let signed = kept.and_then(|kept| SignedDirectory::decode(&kept).ok());
    let directory = signed.and_then(|signed| Directory::decode(&signed.body).ok());
    // Without a directory the node never served; the shorter terms are the safe ones for keys.
    Regime { tier, epoch: directory.map_or(law::Epoch::Founding, |directory| directory.epoch) }
}
