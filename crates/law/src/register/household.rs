//! The householder (世帯主): each household has one after every filing, or is told to file who it is.

use super::apply::{HouseholdDue, Work};
use super::deadline::FILING_DAYS;
use super::fault::{Fault, Rule};
use super::filing::Act;
use super::item::{HOUSEHOLDER, Item, Sheet};
use super::record::{HouseholdId, ResidentRecord};
use crate::time::Date;

impl Work<'_> {
    /// Every household touched has one householder. Where she left and one member remains, that one
    /// is it without a filing (令25条); where more remain, 14 days to file who follows (法25条).
    pub(super) fn settle(&mut self, on: Date) -> Result<Vec<HouseholdDue>, Fault> {
        let before = self.changes.iter().filter_map(|change| change.before.as_ref());
        let after = self.changes.iter().map(|change| &change.after);
        let mut touched: Vec<HouseholdId> =
            before.chain(after).map(|record| record.household().clone()).collect();
        touched.sort();
        touched.dedup();
        let arranged = self.filing.act.households();
        let mut due = Vec::new();
        for household in touched {
            let members = self.members(&household);
            let heads = members.iter().filter(|member| member.is_householder()).count();
            let missing = Fault::new(Item::Relationship.key(), Rule::HouseholderMissing);
            let lost = self.changes.iter().filter_map(|change| change.before.as_ref());
            let lost = lost.filter(|r| *r.household() == household).any(|r| r.is_householder());
            match (heads, members.as_slice()) {
                (0, []) | (1, _) => {}
                (2.., _) => {
                    return Err(Fault::new(Item::Relationship.key(), Rule::HouseholderTwice));
                }
                _ if arranged.contains(&household) && !self.is_birth() => return Err(missing),
                (_, [one]) => {
                    let one = one.clone();
                    self.promote(one, on)?;
                }
                _ if lost => {
                    let until = on.add_days(FILING_DAYS).map_err(|_| missing)?;
                    due.push(HouseholdDue { household, until });
                }
                _ => {}
            }
        }
        Ok(due)
    }

    /// A child may be born into a household whose next householder is not filed yet.
    fn is_birth(&self) -> bool {
        matches!(self.filing.act, Act::Birth { .. })
    }

    fn members(&self, household: &HouseholdId) -> Vec<ResidentRecord> {
        let changed = |record: &&ResidentRecord| {
            self.changes.iter().any(|change| change.before.as_ref() == Some(*record))
        };
        let standing = self.known.records.iter().filter(|record| !changed(record));
        let after = self.changes.iter().map(|change| &change.after);
        let here =
            |record: &&ResidentRecord| record.is_current() && record.household() == household;
        standing.chain(after).filter(here).cloned().collect()
    }

    fn promote(&mut self, member: ResidentRecord, on: Date) -> Result<(), Fault> {
        let mut edits = Sheet::default();
        edits.put(Item::Relationship, HOUSEHOLDER);
        let after = self.parse(&member.sheet().with(&edits))?;
        match self.changes.iter_mut().find(|change| change.after == member) {
            Some(change) => {
                change.after = after;
                Ok(())
            }
            None => self.push(Some(member), after, None, on, None),
        }
    }
}
