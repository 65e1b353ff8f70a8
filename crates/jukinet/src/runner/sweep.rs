//! The erasure of one day: in steps short enough to stand between the node's own work.
//!
//! What is about to go is recorded in the ledger first, by counts; then rows, then keys, then the
//! renewal of keys of current rows that have grown old. A step that fails leaves everything sound,
//! and the next run goes on. Whose term has ended is the law's and the store's, not decided here.

use law::retention::{Regime, Tier, document};
use law::time::{Date, Timestamp};
use ledger::entry::{Entry, EntryKind};
use ledger::receipt::EntryId;
use node::ports::{FactPlace, Leaf, NewEntry, Space, Store, StoreError, Write};
use store::{Erase, Erased, Month};

use wire::directory::{Directory, SignedDirectory};
use wire::{Role, SetAsideNotice};

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
    Aside,
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
    /// How far what was set aside has been walked through.
    walked: Option<FactPlace>,
}

impl Sweep {
    /// `regime` bounds how long a key of current rows may live.
    #[must_use]
    pub fn new(on: Date, regime: Regime) -> Self {
        let keep_from = keep_from(u32::from(on.year()), regime);
        let before = Month::of_date(on);
        let (due, erased) = (Erased::default(), Erased::default());
        let phase = Phase::Count;
        Self { on, before, keep_from, phase, due, erased, walked: None }
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
                    self.phase = Phase::Aside;
                }
            }
            Phase::Aside => {
                if self.forget_set_aside(store)? {
                    self.phase = Phase::Done;
                }
            }
            Phase::Done => {}
        }
        Ok(self.phase == Phase::Done)
    }

    /// A notice that was set aside and never put right is kept as long as any notice (令34条). Of one
    /// that cannot be read nobody knows the age: it stays for `jukinet fsck` to find.
    fn forget_set_aside<S: Store>(&mut self, store: &mut S) -> Result<bool, StoreError> {
        let page = store.reads().facts(Space::SetAside, self.walked, ROWS_PER_STEP_COUNT_MAX);
        let page = page.map_err(|error| StoreError::Io(error.to_string()))?;
        self.walked = page.last().map(|(place, _)| *place);
        let old = |kept: &SetAsideNotice| document(kept.at.date_in_japan()) < self.on;
        let writes: Vec<Write> = page
            .iter()
            .filter_map(|(_, bytes)| SetAsideNotice::decode(bytes).ok())
            .filter(old)
            .map(|kept| Space::of_queue(&kept.from, kept.sequence))
            .map(|key| Write::DropFact { space: Space::SetAside, key })
            .collect();
        if !writes.is_empty() {
            store.apply(&writes, &[], &mut dice::fill)?;
            store.commit()?;
        }
        Ok(page.len() < ROWS_PER_STEP_COUNT_MAX)
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

/// Keys of current rows of years before this one are given up in `year`: before the first of what
/// they seal could be due.
#[must_use]
pub fn keep_from(year: u32, regime: Regime) -> u32 {
    (year + 2).saturating_sub(u32::from(regime.shortest_years()))
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

#[cfg(test)]
mod tests {
    use law::affair::Epoch;
    use law::change::{ChangeNotice, ChangeReason};
    use law::code::{LocalGovernmentCode, RecordCode};
    use law::people::{
        Address, BirthDate, FourItems, IdentityInformation, Kana, Name, OtherNames, Sex,
    };
    use node::ports::Reads as _;
    use store::ModelStore;
    use wire::{NodeId, RelayedNotice};

    use super::*;

    fn aside(sequence: u64, on: &str) -> SetAsideNotice {
        let municipality = LocalGovernmentCode::parse("132152").unwrap();
        let record = IdentityInformation {
            code: RecordCode::from_ten_digits(sequence).unwrap(),
            items: FourItems {
                name: Name::parse("住基 花子").unwrap(),
                kana: Kana::parse("ジュウキ ハナコ").unwrap(),
                address: Address::parse("東京都国立市東1").unwrap(),
                sex: Sex::Female,
                birth: BirthDate::parse("1985-04-01").unwrap(),
            },
            municipality,
            other_names: OtherNames::default(),
        };
        let notice = ChangeNotice {
            reason: ChangeReason::MovedIn,
            changed_on: Date::parse(on).unwrap(),
            record,
            previous_code: None,
            foreign: false,
        };
        SetAsideNotice {
            from: NodeId::municipality(&municipality),
            sequence,
            rule: "not-released".to_owned(),
            at: Date::parse(on).unwrap().starts_in_japan(),
            notice: RelayedNotice { municipality, sequence, notice, release: None },
        }
    }

    #[test]
    fn what_was_set_aside_goes_after_a_year() {
        let mut store = ModelStore::new("jukinet.example/prefecture-13");
        let days = ["2025-11-20", "2025-11-22", "2026-11-21"];
        let writes: Vec<Write> = (1..)
            .zip(days)
            .map(|(sequence, on)| {
                let kept = aside(sequence, on);
                let key = Space::of_queue(&kept.from, sequence);
                Write::PutFact { space: Space::SetAside, key, value: kept.encode().unwrap() }
            })
            .collect();
        store.apply(&writes, &[], &mut |_| {}).unwrap();
        store.commit().unwrap();
        let regime = Regime { tier: Tier::Prefecture, epoch: Epoch::Founding };
        let mut sweep = Sweep::new(Date::parse("2026-11-22").unwrap(), regime);
        assert!(sweep.forget_set_aside(&mut store).unwrap());
        let kept = store.facts(Space::SetAside, None, 10).unwrap();
        let mut left: Vec<u64> =
            kept.iter().map(|(_, bytes)| SetAsideNotice::decode(bytes).unwrap().sequence).collect();
        left.sort_unstable();
        assert_eq!(left, [2, 3], "a year to the day is not over");
    }
}
