//! What a notice of change does to what is held about a person: the same at every tier.
//!
//! Pure bookkeeping, no permission: whether a notice may be believed is checked by the role that
//! receives it. Municipalities send in their own time; what comes too early waits (`set_aside`),
//! and what a municipality says about somebody who is not its own changes nothing.

use std::cell::RefCell;
use std::collections::BTreeMap;

use law::change::{ChangeKind, ChangeNotice, ChangeReason};
use law::code::{LocalGovernmentCode, RecordCode};
use law::inquiry::{Held, LastChange};
use law::retention::{Regime, Sequel};
use law::time::{Date, Timestamp};

use crate::outbox::Outbox;
use crate::ports::{HistoryRow, Looked, Reads, Space, Write};

/// Earlier states of one person that are looked through for the same notice sent again.
const EARLIER_STATES_COUNT_MAX: usize = 64;

/// What became of one notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The person now stands as the notice says.
    Changed,
    /// Nobody is held under that code for this municipality to change, or the code is another's.
    Unfounded,
}

/// What is held, as it will stand after the writes of this step: several notices in one batch may
/// concern one person.
pub(crate) struct Overlay<'a> {
    reads: &'a dyn Reads,
    changed: BTreeMap<RecordCode, Option<Held>>,
    /// Looked up in this step: a notice is judged and then applied, and a row is opened once.
    seen: RefCell<BTreeMap<RecordCode, Option<Held>>>,
    /// History to keep, under the code the person has by now: the store keeps it after all else.
    history: Vec<Kept>,
    regime: Regime,
}

/// A row of history, whose it is, and the last day of keeping it.
struct Kept {
    code: RecordCode,
    row: HistoryRow,
    until: Date,
}

impl<'a> Overlay<'a> {
    /// `regime` says how long this tier keeps what no longer stands.
    pub(crate) fn new(reads: &'a dyn Reads, regime: Regime) -> Self {
        let (changed, seen) = (BTreeMap::new(), RefCell::default());
        Self { reads, changed, seen, history: Vec::new(), regime }
    }

    pub(crate) fn resident(&self, code: &RecordCode) -> Looked<Option<Held>> {
        match self.changed.get(code) {
            Some(held) => Ok(held.clone()),
            None => self.look_up(code),
        }
    }

    fn look_up(&self, code: &RecordCode) -> Looked<Option<Held>> {
        if let Some(held) = self.seen.borrow().get(code) {
            return Ok(held.clone());
        }
        let held = self.reads.resident(code)?;
        self.seen.borrow_mut().insert(*code, held.clone());
        Ok(held)
    }

    /// Whether this code was replaced by another: it is never anybody's again (法30条の2, 30条の3).
    pub(crate) fn is_retired(&self, code: &RecordCode) -> Looked<bool> {
        match self.changed.get(code) {
            Some(None) => Ok(true),
            Some(Some(_)) => Ok(false),
            None => Ok(self.reads.fact(Space::Retired, &Space::about(code))?.is_some()),
        }
    }

    /// Whether the person stands, or stood before, exactly as this notice would make them: the same
    /// notice sent again.
    pub(crate) fn took(&self, notice: &ChangeNotice) -> Looked<bool> {
        let made = as_held(notice);
        let Some(held) = self.resident(&notice.record.code)? else { return Ok(false) };
        let code = &notice.record.code;
        if held == made
            || self.history.iter().any(|kept| kept.code == *code && kept.row.before == made)
        {
            return Ok(true);
        }
        let earlier = self.reads.history(code, EARLIER_STATES_COUNT_MAX)?;
        Ok(earlier.iter().any(|row| row.before == made))
    }

    /// Bring the person to the state after `notice`, as writes in `out`. The values before are kept
    /// as history (異動前の本人確認情報).
    pub(crate) fn apply(
        &mut self,
        from: LocalGovernmentCode,
        notice: &ChangeNotice,
        now: Timestamp,
        out: &mut Outbox,
    ) -> Looked<Effect> {
        let code = notice.record.code;
        let before_code = notice.previous_code.unwrap_or(code);
        let before = self.resident(&before_code)?;
        let own = before.as_ref().is_some_and(|held| held.identity.municipality == from);
        let stands = own && before.as_ref().is_some_and(|held| !held.removed);
        let acts = match notice.reason.kind() {
            // Whoever stands elsewhere was let go: that is judged before.
            ChangeKind::Entry => true,
            ChangeKind::Deletion | ChangeKind::Correction => stands,
            ChangeKind::Number => false,
            ChangeKind::Code if before_code == code => before.is_none(),
            ChangeKind::Code => {
                if stands && self.resident(&code)?.is_some() {
                    self.contested(before, notice, now, out)?;
                    return Ok(Effect::Unfounded);
                }
                stands
            }
        };
        if acts {
            self.change(before_code, before, notice, now, out)?;
            return Ok(Effect::Changed);
        }
        Ok(Effect::Unfounded)
    }

    fn change(
        &mut self,
        before_code: RecordCode,
        before: Option<Held>,
        notice: &ChangeNotice,
        now: Timestamp,
        out: &mut Outbox,
    ) -> Looked<()> {
        let held = as_held(notice);
        let code = held.identity.code;
        // Looked up before anything moves: when what stood until now was received.
        let until = before.as_ref().map(|held| self.ends(&before_code, held, now)).transpose()?;
        if before_code == code {
            out.write(Write::PutResident(held.clone()));
        } else {
            out.write(Write::ReplaceCode { previous: before_code, held: held.clone() });
            let (key, value) = (Space::about(&before_code), Space::about(&code));
            out.write(Write::PutFact { space: Space::Retired, key, value });
            self.changed.insert(before_code, None);
            for kept in self.history.iter_mut().filter(|kept| kept.code == before_code) {
                kept.code = code;
            }
        }
        if let (Some(before), Some(until)) = (before, until) {
            self.keep(code, before, notice, now, until);
        }
        self.limit(&held, now, out);
        self.changed.insert(code, Some(held));
        Ok(())
    }

    /// The new code is somebody's already. Whoever that is stays untouched; who had the previous
    /// code is no longer current under it.
    fn contested(
        &mut self,
        before: Option<Held>,
        notice: &ChangeNotice,
        now: Timestamp,
        out: &mut Outbox,
    ) -> Looked<()> {
        let Some(before) = before else { return Ok(()) };
        let change = Some(last_change(notice));
        let held = Held { identity: before.identity.clone(), change, removed: true };
        let code = held.identity.code;
        let until = self.ends(&code, &before, now)?;
        out.write(Write::PutResident(held.clone()));
        self.keep(code, before, notice, now, until);
        self.limit(&held, now, out);
        self.changed.insert(code, Some(held));
        Ok(())
    }

    /// What is heard about somebody whom this tier holds as removed ends the waiting for it: the
    /// row is kept no longer than that asks for. Whoever stands, and whoever died, is left alone.
    pub(crate) fn departed(
        &self,
        code: &RecordCode,
        sequel: &Sequel,
        now: Timestamp,
        out: &mut Outbox,
    ) -> Looked<()> {
        let Some(held) = self.resident(code)?.filter(|held| held.removed) else { return Ok(()) };
        let received = self.received(code, now)?.date_in_japan();
        let until = removed_until(self.regime, &held, received, sequel);
        out.write(Write::ExpireResident { code: *code, until: Some(until) });
        Ok(())
    }

    /// When the state that stands was received, of this step's changes as well.
    fn received(&self, code: &RecordCode, now: Timestamp) -> Looked<Timestamp> {
        match self.history.iter().rev().find(|kept| kept.code == *code) {
            Some(kept) => Ok(kept.row.recorded_at),
            None => received(self.reads, code, now),
        }
    }

    /// The last day of keeping what stood until the notice that is received now.
    fn ends(&self, code: &RecordCode, before: &Held, now: Timestamp) -> Looked<Date> {
        let today = now.date_in_japan();
        if !before.removed {
            return Ok(self.regime.superseded(today));
        }
        let received = self.received(code, now)?;
        let sequel = Sequel { next_notice: Some(today), ..Sequel::default() };
        Ok(removed_until(self.regime, before, received.date_in_japan(), &sequel))
    }

    /// The row of somebody who is removed gets an end; the notice is received now.
    fn limit(&self, held: &Held, now: Timestamp, out: &mut Outbox) {
        if held.removed {
            let today = now.date_in_japan();
            let until = removed_until(self.regime, held, today, &Sequel::default());
            out.write(Write::ExpireResident { code: held.identity.code, until: Some(until) });
        }
    }

    fn keep(
        &mut self,
        code: RecordCode,
        before: Held,
        notice: &ChangeNotice,
        now: Timestamp,
        until: Date,
    ) {
        let (reason, on) = (notice.reason, notice.changed_on);
        let row = HistoryRow { before, reason, on, recorded_at: now };
        self.history.push(Kept { code, row, until });
    }

    /// Write the history: only now is it known which code each person ends up with.
    pub(crate) fn finish(self, out: &mut Outbox) {
        for Kept { code, row, until } in self.history {
            out.write(Write::AppendHistory { code, row, until });
        }
    }
}

/// The row of somebody who was removed by a repair gets an end like any other.
pub(crate) fn limit_removed(regime: Regime, held: &Held, now: Timestamp, out: &mut Outbox) {
    if held.removed {
        let until = removed_until(regime, held, now.date_in_japan(), &Sequel::default());
        out.write(Write::ExpireResident { code: held.identity.code, until: Some(until) });
    }
}

/// When the state that stands was received: its change put the state before it into the history.
/// What was received late lies after it, which keeps the row longer and never shorter.
fn received(reads: &dyn Reads, code: &RecordCode, now: Timestamp) -> Looked<Timestamp> {
    Ok(reads.history(code, 1)?.first().map_or(now, |row| row.recorded_at))
}

fn removed_until(regime: Regime, held: &Held, received: Date, sequel: &Sequel) -> Date {
    match held.change.as_ref().map(|change| change.reason) {
        Some(ChangeReason::Died) => regime.died(received),
        _ => regime.deleted(received, sequel),
    }
}

/// How a person stands after a notice.
fn as_held(notice: &ChangeNotice) -> Held {
    Held {
        identity: notice.record.clone(),
        change: Some(last_change(notice)),
        removed: notice.reason.kind() == ChangeKind::Deletion,
    }
}

fn last_change(notice: &ChangeNotice) -> LastChange {
    LastChange { reason: notice.reason, on: notice.changed_on, foreign: notice.foreign }
}

impl std::fmt::Debug for Overlay<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Overlay({} changed)", self.changed.len())
    }
}
