//! What a notice of change does to what is held about a person: the same at every tier.
//!
//! Pure bookkeeping, no permission: whether a notice may be believed is checked by the role that
//! receives it. Municipalities send in their own time, so notices about one person arrive in any
//! order across municipalities: a late one becomes history and never undoes what came after it.

use std::collections::BTreeMap;

use law::change::{ChangeKind, ChangeNotice, ChangeReason};
use law::code::{LocalGovernmentCode, RecordCode};
use law::inquiry::{Held, LastChange};
use law::time::Timestamp;

use crate::outbox::Outbox;
use crate::ports::{HistoryRow, Looked, Reads, Write};

/// Earlier states of one person that are looked through for the same notice sent again.
const EARLIER_STATES_COUNT_MAX: usize = 64;

/// What became of one notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The person now stands as the notice says.
    Changed,
    /// The person has been entered elsewhere since: kept as history only.
    Late,
    /// Nobody is held under that code for this municipality to change, or the code is another's.
    Unfounded,
}

/// What is held, as it will stand after the writes of this step: several notices in one batch may
/// concern one person.
pub(crate) struct Overlay<'a> {
    reads: &'a dyn Reads,
    changed: BTreeMap<RecordCode, Option<Held>>,
    /// History to keep, under the code the person has by now: the store keeps it after all else.
    history: Vec<(RecordCode, HistoryRow)>,
}

impl<'a> Overlay<'a> {
    pub(crate) fn new(reads: &'a dyn Reads) -> Self {
        Self { reads, changed: BTreeMap::new(), history: Vec::new() }
    }

    pub(crate) fn resident(&self, code: &RecordCode) -> Looked<Option<Held>> {
        match self.changed.get(code) {
            Some(held) => Ok(held.clone()),
            None => self.reads.resident(code),
        }
    }

    /// Whether the person stands, or stood before, exactly as this notice would make them: the same
    /// notice sent again.
    pub(crate) fn took(&self, notice: &ChangeNotice) -> Looked<bool> {
        let made = as_held(notice);
        let Some(held) = self.resident(&notice.record.code)? else { return Ok(false) };
        let code = &notice.record.code;
        if held == made || self.history.iter().any(|(of, row)| of == code && row.before == made) {
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
            ChangeKind::Entry => own || !entered_since(before.as_ref(), notice),
            ChangeKind::Deletion | ChangeKind::Correction => stands,
            ChangeKind::Number => false,
            ChangeKind::Code if before_code == code => before.is_none(),
            ChangeKind::Code => {
                if stands && self.resident(&code)?.is_some() {
                    self.contested(before, notice, now, out);
                    return Ok(Effect::Unfounded);
                }
                stands
            }
        };
        if acts {
            self.change(before_code, before, notice, now, out);
            return Ok(Effect::Changed);
        }
        if own || before.is_none() {
            return Ok(Effect::Unfounded);
        }
        self.keep(before_code, as_held(notice), notice, now);
        Ok(Effect::Late)
    }

    fn change(
        &mut self,
        before_code: RecordCode,
        before: Option<Held>,
        notice: &ChangeNotice,
        now: Timestamp,
        out: &mut Outbox,
    ) {
        let held = as_held(notice);
        let code = held.identity.code;
        if before_code == code {
            out.write(Write::PutResident(held.clone()));
        } else {
            out.write(Write::ReplaceCode { previous: before_code, held: held.clone() });
            self.changed.insert(before_code, None);
            for (of, _) in self.history.iter_mut().filter(|(of, _)| *of == before_code) {
                *of = code;
            }
        }
        if let Some(before) = before {
            self.keep(code, before, notice, now);
        }
        self.changed.insert(code, Some(held));
    }

    /// The new code is somebody's already. Whoever that is stays untouched; who had the previous
    /// code is no longer current under it.
    fn contested(
        &mut self,
        before: Option<Held>,
        notice: &ChangeNotice,
        now: Timestamp,
        out: &mut Outbox,
    ) {
        let Some(before) = before else { return };
        let change = Some(last_change(notice));
        let held = Held { identity: before.identity.clone(), change, removed: true };
        let code = held.identity.code;
        out.write(Write::PutResident(held.clone()));
        self.keep(code, before, notice, now);
        self.changed.insert(code, Some(held));
    }

    fn keep(&mut self, code: RecordCode, before: Held, notice: &ChangeNotice, now: Timestamp) {
        let (reason, on) = (notice.reason, notice.changed_on);
        self.history.push((code, HistoryRow { before, reason, on, recorded_at: now }));
    }

    /// Write the history: only now is it known which code each person ends up with.
    pub(crate) fn finish(self, out: &mut Outbox) {
        for (code, row) in self.history {
            out.write(Write::AppendHistory { code, row });
        }
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

/// Another municipality's change is of a later day: this entry was overtaken on its way. A
/// moving-out is no such change: its day is the planned one (令30条の5), and the person may be entered
/// elsewhere before it.
fn entered_since(before: Option<&Held>, notice: &ChangeNotice) -> bool {
    let overtakes = |held: &&Held| {
        held.change.as_ref().is_some_and(|change| {
            let leaving = held.removed && change.reason == ChangeReason::MovedOut;
            change.on > notice.changed_on && !leaving
        })
    };
    before.as_ref().is_some_and(overtakes)
}

impl std::fmt::Debug for Overlay<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Overlay({} changed)", self.changed.len())
    }
}
