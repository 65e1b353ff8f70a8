//! Notices of change: exactly once, in order per resident, at each tier, and never undone.
//!
//! The witness is the history that a store keeps about a person: which changes brought the record
//! to where it is. Each change of the script has a day of its own, so that the list can be read.

use std::collections::BTreeSet;

use law::code::RecordCode;
use law::inquiry::Held;
use law::time::Date;
use node::ports::{HistoryRow, Reads};

use super::super::country::{CENTER, MUNICIPALITIES, Place};
use super::super::nation::{Deed, Nation};
use super::{Checker, Violation, unreadable};

/// Municipalities whose notices reach a tier.
pub(super) fn area(place: Place) -> &'static [Place] {
    match place {
        CENTER => &MUNICIPALITIES,
        1 => &[3, 4],
        2 => &[5, 6],
        3 => &[3],
        4 => &[4],
        5 => &[5],
        6 => &[6],
        _ => &[],
    }
}

/// What a tier holds about a person, oldest code first. A person who left under one code and came
/// back under another stands there twice, once removed.
pub(super) fn rows(store: &dyn Reads, codes: &[RecordCode]) -> Result<Vec<Held>, Violation> {
    let mut found = Vec::new();
    for code in codes {
        found.extend(store.resident(code).map_err(unreadable)?);
    }
    Ok(found)
}

/// Rows that are not removed; twice present is nobody.
pub(super) fn present(rows: &[Held]) -> usize {
    rows.iter().filter(|held| !held.removed).count()
}

/// Days of the changes that a tier has applied about a person, oldest first. A change that arrived
/// after a later one is kept as history of itself.
fn life(rows: &[Held], store: &dyn Reads) -> Result<Vec<Date>, Violation> {
    let mut days = Vec::new();
    for held in rows {
        let history = store.history(&held.identity.code, usize::MAX).map_err(unreadable)?;
        let in_time = |row: &&HistoryRow| row.before.change.is_none_or(|c| c.on != row.on);
        let first = history.iter().rev().find(in_time);
        let first = first.map_or(held.change, |row| row.before.change);
        days.extend(first.map(|change| change.on));
        days.extend(history.iter().rev().map(|row| row.on));
    }
    Ok(days)
}

impl Checker {
    /// What a tier durably holds about one person.
    pub(super) fn person_at(
        &mut self,
        place: Place,
        store: &dyn Reads,
        nation: &Nation,
        who: usize,
    ) -> Result<(), Violation> {
        let Some(person) = nation.persons.get(who) else { return Ok(()) };
        if nation.entered_wrongly(who, place) || nation.is_beyond(who, place) {
            return Ok(());
        }
        let held = rows(store, &person.codes)?;
        self.stands_once(place, who, present(&held) > 0, nation)?;
        let days = life(&held, store)?;
        let wrong = |rule, what: &str| {
            let here: Vec<String> = days.iter().map(ToString::to_string).collect();
            let (story, here) = (nation.story(who), here.join(" "));
            let detail = format!("place {place}, person {who}: {what}; {story}; here: {here}");
            Err(Violation::new(rule, detail))
        };
        // Among restless people, a change of code may arrive after the entry under the new code.
        if !self.restless && present(&held) > 1 {
            return wrong("one-row-per-person", "present under two codes");
        }
        if days.iter().collect::<BTreeSet<_>>().len() != days.len() {
            return wrong("notice-exactly-once", "a change was applied twice");
        }
        let mut known = 0;
        for municipality in area(place) {
            let deeds = nation.deeds_at(who, &[*municipality]);
            let told: Vec<Date> = deeds.iter().map(|deed| deed.notice.changed_on).collect();
            let here: Vec<Date> = days.iter().filter(|day| told.contains(day)).copied().collect();
            // A late notice under a code that has been replaced since finds nobody to stand with.
            let in_order = if self.restless {
                let mut rest = told.iter();
                here.iter().all(|day| rest.any(|other| other == day))
            } else {
                told.starts_with(&here)
            };
            if !in_order {
                return wrong("notice-order", "changes are out of order or one is missing");
            }
            let acknowledged = deeds.iter().take_while(|deed| deed.acknowledged).count();
            if place == *municipality && here.len() < acknowledged {
                return wrong("acknowledged-is-durable", "a change told as accepted is not there");
            }
            if !self.told_from_below(place, *municipality, who, &told, here.len()) {
                return wrong("notice-order", "a tier knows more than the one below it");
            }
            known += here.len();
        }
        if known != days.len() {
            return wrong("notice-source", "a change that no municipality of the area made");
        }
        let before = self.lives.entry((place, who)).or_default();
        // Among restless people the rows of two codes grow independently.
        let kept = if self.restless {
            before.iter().all(|day| days.contains(day))
        } else {
            days.starts_with(before)
        };
        if !kept {
            return wrong("durable-record", "a change that was durable is gone");
        }
        if place == CENTER {
            self.counts.notices += days.len().saturating_sub(before.len()) as u64;
        }
        *before = days;
        Ok(())
    }

    /// A tier cannot have applied what the tier below it had not made durable.
    fn told_from_below(
        &self,
        place: Place,
        municipality: Place,
        who: usize,
        told: &[Date],
        here: usize,
    ) -> bool {
        let below = match place {
            CENTER => 1 + usize::from(municipality > 4),
            1 | 2 => municipality,
            _ => return true,
        };
        let days = self.lives.get(&(below, who)).map_or(&[][..], Vec::as_slice);
        days.iter().filter(|day| told.contains(day)).count() >= here
    }

    /// A register was told that a change is accepted: it is durable at its server.
    pub(in super::super) fn accepted(&self, place: Place, deed: &Deed) -> Result<(), Violation> {
        let days = self.lives.get(&(place, deed.person)).map_or(&[][..], Vec::as_slice);
        if days.contains(&deed.notice.changed_on) {
            return Ok(());
        }
        let detail = format!("place {place} accepted what is not durable there");
        Err(Violation::new("acknowledged-is-durable", detail))
    }

    /// Whether the center durably knows everything that places other than `place` told of a person.
    pub(in super::super) fn settled(&self, nation: &Nation, who: usize, place: Place) -> bool {
        let known = self.lives.get(&(CENTER, who)).map_or(&[][..], Vec::as_slice);
        let others: Vec<Place> = MUNICIPALITIES.into_iter().filter(|at| *at != place).collect();
        nation.deeds_at(who, &others).iter().all(|deed| known.contains(&deed.notice.changed_on))
    }
}
