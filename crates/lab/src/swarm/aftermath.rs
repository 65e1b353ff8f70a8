//! After a world has come to rest: residents look at their records, somebody alters a row behind a
//! node's back, and years pass until everything has ended.

use law::inquiry::Held;
use law::people::Kana;
use law::time::Date;
use node::ports::{Store, Write};

use super::check::{MONTHS, Violation, still_agrees};
use super::country::{CENTER, PREFECTURES, Place};
use super::world::World;

/// Residents who look at each prefecture.
const LOOKS_COUNT: usize = 3;

/// They have been answered by then.
const LOOKED_WITHIN_MS: u64 = 20_000;

/// Of a thousand worlds, those in which a row is altered behind a node's back.
const ALTERED_PERMILLE: u32 = 250;

/// V7: a difference between the tiers is found within this time, and repaired.
const REPAIRED_WITHIN_MS: u64 = 60_000;

impl World {
    /// What is tried when nothing is under way any more.
    pub(super) fn afterwards(&mut self) -> Result<(), Violation> {
        self.everybody_looks()?;
        // A node whose clock was ahead looks again only at the time that it had reached.
        let sound = self.faults.skew_ms == 0 && self.checker.hostile.is_none();
        if !self.faults.restless && sound && self.draws.faults.permille(ALTERED_PERMILLE) {
            self.a_row_is_altered()?;
        }
        self.years_pass()
    }

    /// At rest, a resident's own view is whole: every provision the center made is in it.
    fn everybody_looks(&mut self) -> Result<(), Violation> {
        for place in PREFECTURES {
            for who in self.checker.most_provided(place, &self.nation, LOOKS_COUNT) {
                self.look(place, who, None)?;
            }
        }
        let deadline = self.now_ms + LOOKED_WITHIN_MS;
        while !self.asking.is_empty() && self.now_ms < deadline {
            self.step()?;
        }
        Ok(())
    }

    /// One current resident's kana is altered in the store of the center or of a prefecture.
    fn a_row_is_altered(&mut self) -> Result<(), Violation> {
        let draw = &mut self.draws.faults;
        let place = usize::try_from(draw.below(3)).unwrap_or(CENTER);
        let count = u32::try_from(self.nation.persons.len()).unwrap_or(u32::MAX);
        let first = usize::try_from(draw.below(count)).unwrap_or(0);
        let all = (first..self.nation.persons.len()).chain(0..first);
        let Some((who, held)) = all.into_iter().find_map(|who| self.alterable(place, who)) else {
            return Ok(());
        };
        let Some(altered) = altered(held) else { return Ok(()) };
        let Some(station) = self.stations.get_mut(place) else { return Ok(()) };
        let kept = station.store.apply(&[Write::PutResident(altered)], &[], &mut |_| ());
        let kept = kept.and_then(|_| station.store.commit());
        kept.map_err(|error| Violation::new("store", error.to_string()))?;
        self.trace.line(self.now_ms, format_args!("a row of place {place} is altered"));
        let deadline = self.now_ms + REPAIRED_WITHIN_MS;
        while self.now_ms < deadline {
            self.step()?;
            let repaired = self
                .stations
                .get(place)
                .map(|station| still_agrees(place, station.store.reads(), &self.nation, who));
            if repaired == Some(Ok(())) {
                self.trace.line(self.now_ms, format_args!("place {place} is repaired"));
                return Ok(());
            }
        }
        let detail = format!("place {place}, person {who}: altered, and not found in a minute");
        Err(Violation::new("divergence-found", detail))
    }

    /// Whether a person can be judged at a place: current there, and nobody errs about them.
    fn alterable(&self, place: Place, who: usize) -> Option<(usize, Held)> {
        let person = self.nation.persons.get(who)?;
        if person.frozen || !person.barred.is_empty() || person.home.is_none() {
            return None;
        }
        let reads = self.stations.get(place)?.store.reads();
        still_agrees(place, reads, &self.nation, who).ok()?;
        let held = reads.resident(&person.record.code).ok().flatten();
        held.filter(|held| !held.removed).map(|held| (who, held))
    }

    /// The years go by in which what a world left behind comes to its end (V10).
    fn years_pass(&mut self) -> Result<(), Violation> {
        for (year, month) in MONTHS {
            for place in CENTER..self.stations.len() {
                let Some(station) = self.stations.get_mut(place) else { continue };
                let wrong =
                    |what: String| Violation::new("store", format!("place {place}: {what}"));
                station.machine = None;
                station.store.rollback();
                let first = Date::new(year, month, 1).map_err(|e| wrong(e.to_string()))?;
                let erased = station.store.erase_cohorts_before(store::Month::of_date(first));
                erased.map_err(|error| wrong(error.to_string()))?;
                let of = (i64::from(year), i64::from(month));
                self.checker.months_passed(place, of, station.store.reads())?;
            }
        }
        Ok(())
    }
}

fn altered(held: Held) -> Option<Held> {
    let mut held = held;
    held.identity.items.kana = Kana::parse("カエラレタ　カナ").ok()?;
    Some(held)
}
