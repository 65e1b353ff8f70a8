//! Changes from the existing register system (既存住基システム): checked row by row, applied to the
//! CS, queued for the prefecture, all in one step.
//!
//! A row that cannot be true is rejected by name and the others are applied; the same file can be
//! sent again.

use std::collections::BTreeMap;

use law::change::{ChangeKind, ChangeNotice, ChangeReason, NoticeFault};
use law::code::{LocalGovernmentCode, RecordCode};
use law::time::{Date, Timestamp};
use ledger::entry::EntryKind;
use wire::{Arrival, FeedBatch, FeedOutcome, FeedRow, FeedVerdict, RelayedNotice};

use super::Municipality;
use super::arrivals::waiting;
use super::departures::is_gone;
use crate::machine::Ticket;
use crate::outbox::Outbox;
use crate::people::Overlay;
use crate::ports::{Counter, Looked, ReadError, Reads, Space, Write};

/// How far a number may lie ahead of the last one taken: a year's changes of the largest city.
const SEQUENCE_STEP_MAX: u64 = 1_000_000;

/// What one row would do, after everything before it in the file.
enum Verdict {
    Apply,
    /// Kept until the former municipality has let the resident go.
    Wait(LocalGovernmentCode),
    /// Waits already.
    Waits,
    Duplicate,
    Reject {
        column: &'static str,
        rule: &'static str,
        remedy: &'static str,
    },
}

impl Municipality {
    /// Take a batch of rows; every row gets its outcome.
    pub(super) fn fed(
        &mut self,
        now: Timestamp,
        ticket: Ticket,
        batch: &FeedBatch,
        reads: &dyn Reads,
        out: &mut Outbox,
    ) {
        if self.notices.is_disputed() {
            out.unavailable(ticket, "the queue to the prefecture has to be settled first");
            return;
        }
        if self.notices.is_full(reads).unwrap_or(true) {
            out.unavailable(ticket, "too many notices wait for the prefecture; send again later");
            return;
        }
        let mut staged = Outbox::new();
        match self.feed_rows(now, batch, reads, &mut staged) {
            Ok(outcomes) => {
                out.absorb(staged);
                let accepted = |o: &&FeedOutcome| {
                    matches!(o.outcome, FeedVerdict::Accepted { .. } | FeedVerdict::Waiting)
                };
                let taken = outcomes.iter().filter(accepted).count() as u64;
                let rejected = |o: &&FeedOutcome| matches!(o.outcome, FeedVerdict::Rejected { .. });
                let rejected = outcomes.iter().filter(rejected).count();
                self.arrivals.soon();
                if taken > 0 || rejected > 0 {
                    let entry = self.member.entry(EntryKind::FeedReceived, now).count(taken);
                    let entry = entry.note(format!("{rejected} rows rejected"));
                    self.member.note(entry, out);
                    out.again();
                }
                out.feed_result(ticket, outcomes);
            }
            Err(_) => out.unavailable(ticket, "the register could not be read"),
        }
    }

    fn feed_rows(
        &self,
        now: Timestamp,
        batch: &FeedBatch,
        reads: &dyn Reads,
        out: &mut Outbox,
    ) -> Looked<Vec<FeedOutcome>> {
        let mut overlay = Overlay::new(reads, self.member.regime());
        let mut fed_up_to = reads.counter(&Counter::Feed)?;
        let fed_before = fed_up_to;
        let (_, mut queued) = reads.queue_bounds(&self.notices.to)?;
        let mut outcomes = Vec::with_capacity(batch.rows.len());
        let any = !reads.facts(Space::Arrival, None, 1)?.is_empty();
        let mut moves = Moves { reads, any, filed: BTreeMap::new() };
        for row in &batch.rows {
            let verdict = match self.check(now, row, fed_up_to, &overlay, &moves)? {
                Verdict::Duplicate => FeedVerdict::Duplicate,
                Verdict::Waits => FeedVerdict::Waiting,
                Verdict::Wait(former) => {
                    fed_up_to = row.sequence.unwrap_or(fed_up_to).max(fed_up_to);
                    let notice = row.notice.clone();
                    let arrival = Arrival { former, filed_at: now, refused: false, notice };
                    moves.file(arrival, out)?;
                    FeedVerdict::Waiting
                }
                Verdict::Reject { column, rule, remedy } => FeedVerdict::Rejected {
                    column: column.to_owned(),
                    rule: rule.to_owned(),
                    remedy: remedy.to_owned(),
                },
                Verdict::Apply => {
                    overlay.apply(self.code, &row.notice, now, out)?;
                    queued += 1;
                    fed_up_to = row.sequence.unwrap_or(fed_up_to).max(fed_up_to);
                    let notice = row.notice.clone();
                    let relayed = RelayedNotice {
                        municipality: self.code,
                        sequence: queued,
                        notice,
                        release: None,
                    };
                    let Ok(payload) = relayed.encode() else {
                        return Err(ReadError::Store("a notice cannot be encoded".to_owned()));
                    };
                    let to = self.notices.to.clone();
                    out.write(Write::Enqueue { to, payload });
                    FeedVerdict::Accepted { sequence: queued }
                }
            };
            outcomes.push(FeedOutcome { row: row.row, outcome: verdict });
        }
        overlay.finish(out);
        if fed_up_to > fed_before {
            out.write(Write::SetCounter(Counter::Feed, fed_up_to));
        }
        Ok(outcomes)
    }

    fn check(
        &self,
        now: Timestamp,
        row: &FeedRow,
        fed_up_to: u64,
        overlay: &Overlay<'_>,
        moves: &Moves<'_>,
    ) -> Looked<Verdict> {
        let notice = &row.notice;
        if let Some(verdict) = moves.about(row, overlay)? {
            return Ok(verdict);
        }
        let past = row.sequence.is_some_and(|sequence| sequence <= fed_up_to);
        if past && overlay.took(notice)? {
            return Ok(Verdict::Duplicate);
        }
        // A mistyped number would make every true one after it a passed one.
        let furthest = fed_up_to.saturating_add(SEQUENCE_STEP_MAX);
        let far = row.sequence.is_some_and(|sequence| fed_up_to > 0 && sequence > furthest);
        Ok(if far {
            reject("sequence", "sequence-too-far", "go on from the last number that was taken")
        } else if notice.record.municipality != self.code {
            reject("municipality_code", "other-municipality", "notify at the municipality named")
        } else if let Err(fault) = notice.check() {
            misshapen(fault)
        } else if !self.in_force(notice.reason) {
            reject("reason", "reason-of-another-epoch", "give a reason of the rule in force")
        } else if notice.changed_on > now.date_in_japan() && !notice.reason.is_moving_out() {
            reject("changed_on", "in-the-future", "only a planned moving-out may lie ahead")
        } else {
            match against_register(notice, row.sequence.is_none(), overlay)? {
                Verdict::Apply if past => passed(),
                Verdict::Apply => moves.admit(self.code, row, now.date_in_japan())?,
                other => other,
            }
        })
    }

    /// Whether the rule of the epoch in force (規則11条) has this reason.
    fn in_force(&self, reason: ChangeReason) -> bool {
        let directory = self.member.directory.as_ref();
        directory.is_none_or(|directory| reason.is_of(directory.epoch))
    }
}

/// Entries of people whom another municipality may have had before: 転入, 国外転入等, 職権記載等.
const fn comes_from_elsewhere(reason: ChangeReason) -> bool {
    matches!(
        reason,
        ChangeReason::MovedIn | ChangeReason::MovedInFromAbroad | ChangeReason::EnteredExOfficio
    )
}

/// Moves between municipalities, as they will stand after the writes of this step.
struct Moves<'a> {
    reads: &'a dyn Reads,
    /// Some arrival is kept: without one, none is looked up for each row.
    any: bool,
    /// Filed earlier in the same batch.
    filed: BTreeMap<RecordCode, Arrival>,
}

impl Moves<'_> {
    fn waiting(&self, code: &RecordCode) -> Looked<Option<Arrival>> {
        match self.filed.get(code) {
            Some(arrival) => Ok(Some(arrival.clone())),
            None if !self.any => Ok(None),
            None => waiting(self.reads, code),
        }
    }

    /// A row about somebody whose moving-in waits: the same row again, or one that came too early.
    fn about(&self, row: &FeedRow, overlay: &Overlay<'_>) -> Looked<Option<Verdict>> {
        let code = row.notice.previous_code.unwrap_or(row.notice.record.code);
        let Some(arrival) = self.waiting(&code)? else { return Ok(None) };
        // Came back under the same code meanwhile: the store forgets the arrival with this group.
        if overlay.took(&arrival.notice)? {
            return Ok(None);
        }
        Ok(Some(if arrival.notice == row.notice {
            Verdict::Waits
        } else {
            reject(
                "record_code",
                "moving-in-waits",
                "send it again when the former municipality has let the resident go",
            )
        }))
    }

    /// Whether a row that fits the register may be entered at once.
    fn admit(&self, own: LocalGovernmentCode, row: &FeedRow, today: Date) -> Looked<Verdict> {
        let column = "former_municipality_code";
        let notice = &row.notice;
        let entry = notice.reason.kind() == ChangeKind::Entry;
        Ok(match row.former_municipality {
            Some(former) if !comes_from_elsewhere(notice.reason) || former == own => reject(
                column,
                "former-municipality-unexpected",
                "give it with an entry of somebody whom another municipality had before",
            ),
            Some(former) if former.is_prefecture() => {
                reject(column, "not-a-municipality", "give the code of a municipality")
            }
            Some(former) => Verdict::Wait(former),
            None if entry && is_gone(self.reads, &notice.record.code, today)? => reject(
                column,
                "released",
                "the resident was let go to another municipality: send a moving-in from there",
            ),
            None => Verdict::Apply,
        })
    }

    fn file(&mut self, arrival: Arrival, out: &mut Outbox) -> Looked<()> {
        let code = arrival.notice.record.code;
        let value = arrival
            .encode()
            .map_err(|_| ReadError::Store("an arrival cannot be encoded".to_owned()))?;
        let key = Space::about(&code);
        out.write(Write::PutFact { space: Space::Arrival, key, value });
        self.filed.insert(code, arrival);
        Ok(())
    }
}

fn reject(column: &'static str, rule: &'static str, remedy: &'static str) -> Verdict {
    Verdict::Reject { column, rule, remedy }
}

/// What one notice shows by itself, in words for the person at the register system.
fn misshapen(fault: NoticeFault) -> Verdict {
    let (rule, remedy) = match fault {
        NoticeFault::PreviousCodeMissing => ("previous-code-missing", "give the code replaced"),
        NoticeFault::PreviousCodeUnexpected => {
            ("previous-code-unexpected", "only a change of code has a previous code")
        }
        NoticeFault::PreviousCodeSame => ("previous-code-same", "give two different codes"),
        NoticeFault::NotAMunicipality => {
            ("not-a-municipality", "give the municipality that holds the record")
        }
        NoticeFault::NumberNotHeld => {
            ("number-not-held", "this network holds no individual number; leave the row out")
        }
        NoticeFault::BornAfterChange => ("born-after-change", "check both dates"),
    };
    reject(fault.column(), rule, remedy)
}

/// A number that was gone past, with a change that is not recorded: the row was rejected then and
/// has been put right since. To call that a duplicate would lose the change without a word. A row
/// that is still wrong is told what is wrong, as the first time.
fn passed() -> Verdict {
    reject("sequence", "sequence-passed", "send what is not recorded yet under a new number")
}

/// Whether the change fits what is held. Without the sender's own sequence number, a row by which
/// the person stands or stood exactly so is the same row sent again.
fn against_register(
    notice: &ChangeNotice,
    unnumbered: bool,
    overlay: &Overlay<'_>,
) -> Looked<Verdict> {
    if unnumbered && overlay.took(notice)? {
        return Ok(Verdict::Duplicate);
    }
    let held = overlay.resident(&notice.record.code)?;
    let fresh = matches!(notice.reason.kind(), ChangeKind::Entry | ChangeKind::Code);
    if fresh && held.is_none() && overlay.is_retired(&notice.record.code)? {
        let remedy = "give the code that replaced it; a replaced code is never used again";
        return Ok(reject("record_code", "code-retired", remedy));
    }
    let known = held.is_some();
    let current = held.is_some_and(|held| !held.removed);
    Ok(match notice.reason.kind() {
        ChangeKind::Entry if current => {
            reject("record_code", "already-recorded", "send a correction, or check the code")
        }
        ChangeKind::Deletion | ChangeKind::Correction if !current => {
            reject("record_code", "not-recorded", "enter the person first, or check the code")
        }
        // Also the code of someone who has left: what is recorded about it is not another's.
        ChangeKind::Code if known => {
            reject("record_code", "code-in-use", "take another unused code of the pool")
        }
        ChangeKind::Code => match notice.previous_code {
            Some(previous) => match overlay.resident(&previous)? {
                Some(held) if !held.removed => Verdict::Apply,
                _ => reject("previous_code", "not-recorded", "check the previous code"),
            },
            // 令30条の5四号 「なければその旨」: entered ex officio for someone who had none.
            None => Verdict::Apply,
        },
        _ => Verdict::Apply,
    })
}
