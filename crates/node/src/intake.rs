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
use crate::people::Overlay;
use crate::ports::{Counter, Looked, Reads, Write};

/// What to do with a batch of notices from one sender.
pub(crate) struct Intake<'a> {
    pub(crate) from: &'a Peer,
    /// Where applied notices are passed on to; the center has nowhere.
    pub(crate) onward: Option<&'a NodeId>,
    /// Whether this sender may notify changes of that municipality.
    pub(crate) belongs: &'a dyn Fn(&RelayedNotice) -> bool,
}

impl Intake<'_> {
    /// Apply what is new of `batch` and acknowledge. A gap is not applied: the acknowledgement tells
    /// the sender where to go on.
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
                let entry = match applied.set_aside {
                    0 => entry,
                    n => entry.note(format!("{n} set aside: not for this sender to notify")),
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
        let mut applied = Applied { first: before + 1, up_to: before, taken: 0, set_aside: 0 };
        let mut overlay = Overlay::new(reads);
        for (sequence, relayed) in (batch.first_sequence..).zip(&batch.notices) {
            if sequence <= applied.up_to {
                continue;
            }
            if sequence != applied.up_to + 1 {
                break;
            }
            if (self.belongs)(relayed) && relayed.notice.check().is_ok() {
                overlay.apply(relayed.municipality, &relayed.notice, now, out)?;
                if let (Some(onward), Ok(payload)) = (self.onward, relayed.encode()) {
                    out.write(Write::Enqueue { to: onward.clone(), payload });
                }
            } else {
                applied.set_aside += 1;
            }
            applied.up_to = sequence;
            applied.taken += 1;
        }
        if applied.taken > 0 {
            out.write(Write::SetCounter(counter, applied.up_to));
        }
        Ok(applied)
    }
}

struct Applied {
    first: u64,
    up_to: u64,
    taken: u64,
    set_aside: u64,
}
