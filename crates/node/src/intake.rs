//! The receiving side of notices of change: applied once, in order, then acknowledged.
//!
//! The sender numbers its queue; what was applied is a durable counter in the same group as the
//! change itself, so that a crash, a duplicate or a batch sent again changes nothing.

use law::time::Timestamp;
use ledger::entry::EntryKind;
use wire::{NodeId, NoticeBatch, RelayedNotice};

use crate::machine::{Peer, Ticket};
use crate::member::Member;
use crate::outbox::Outbox;
use crate::people::{Effect, Overlay};
use crate::ports::{Counter, Looked, ReadError, Reads, Write};

/// What to do with a batch of notices from one sender.
pub(crate) struct Intake<'a> {
    pub(crate) from: &'a Peer,
    /// Where applied notices are passed on to; the center has nowhere.
    pub(crate) onward: Option<&'a NodeId>,
    /// Whether this sender may notify changes of that municipality.
    pub(crate) belongs: &'a dyn Fn(&RelayedNotice) -> bool,
}

impl Intake<'_> {
    /// Apply what is new of `batch` and acknowledge. A gap is not applied: the acknowledgement
    /// tells the sender where to go on.
    pub(crate) fn take(
        &self,
        member: &mut Member,
        now: Timestamp,
        ticket: Ticket,
        batch: &NoticeBatch,
        reads: &dyn Reads,
        out: &mut Outbox,
    ) {
        let mut staged = Outbox::new();
        match self.apply(now, batch, reads, &mut staged) {
            Ok(Applied { up_to, taken: 0, .. }) => out.acknowledge_notices(ticket, up_to),
            Ok(applied) => {
                out.absorb(staged);
                let entry = member
                    .entry(EntryKind::NoticesReceived, now)
                    .terminal(self.from.node.as_str())
                    .first(applied.first)
                    .last(applied.up_to)
                    .count(applied.taken);
                let entry = match applied.remark() {
                    Some(remark) => entry.note(remark),
                    None => entry,
                };
                member.note(entry, out);
                out.acknowledge_notices(ticket, applied.up_to);
                out.again();
            }
            Err(_) => out.unavailable(ticket, "the register could not be read"),
        }
    }

    fn apply(
        &self,
        now: Timestamp,
        batch: &NoticeBatch,
        reads: &dyn Reads,
        out: &mut Outbox,
    ) -> Looked<Applied> {
        let counter = Counter::AppliedFrom(self.from.node.clone());
        let before = reads.counter(&counter)?;
        let mut applied = Applied::after(before);
        let mut overlay = Overlay::new(reads);
        for (place, relayed) in (0_u64..).zip(&batch.notices) {
            // A sequence that does not exist is the sender's mistake, not a reason to fall over.
            let Some(sequence) = batch.first_sequence.checked_add(place) else { break };
            if sequence <= applied.up_to {
                continue;
            }
            if applied.up_to.checked_add(1) != Some(sequence) {
                break;
            }
            if (self.belongs)(relayed) && relayed.notice.check().is_ok() {
                match overlay.apply(relayed.municipality, &relayed.notice, now, out)? {
                    Effect::Changed => {}
                    Effect::Late => applied.late += 1,
                    Effect::Unfounded => applied.unfounded += 1,
                }
                if let Some(onward) = self.onward {
                    let payload = relayed.encode().map_err(|_| unsendable())?;
                    out.write(Write::Enqueue { to: onward.clone(), payload });
                }
            } else {
                applied.set_aside += 1;
            }
            applied.up_to = sequence;
            applied.taken += 1;
        }
        overlay.finish(out);
        if applied.taken > 0 {
            out.write(Write::SetCounter(counter, applied.up_to));
        }
        Ok(applied)
    }
}

/// What was decoded can be encoded again; if it cannot, nothing of the batch is applied.
fn unsendable() -> ReadError {
    ReadError::Store("a notice cannot be encoded".to_owned())
}

struct Applied {
    first: u64,
    up_to: u64,
    taken: u64,
    set_aside: u64,
    late: u64,
    unfounded: u64,
}

impl Applied {
    fn after(before: u64) -> Self {
        let first = before.saturating_add(1);
        Self { first, up_to: before, taken: 0, set_aside: 0, late: 0, unfounded: 0 }
    }

    /// What did not simply change a record, in words for the entry.
    fn remark(&self) -> Option<String> {
        let remarks = [
            (self.set_aside, "set aside: not for this sender to notify"),
            (self.late, "late: kept as history"),
            (self.unfounded, "unfounded: nobody to change, or the code is taken"),
        ];
        let said: Vec<String> = remarks
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, words)| format!("{count} {words}"))
            .collect();
        (!said.is_empty()).then(|| said.join("; "))
    }
}
