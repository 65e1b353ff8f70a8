//! The receiving side of notices of change: applied once, in order, then acknowledged.
//!
//! The sender numbers its queue; what was applied is a durable counter in the same group as the
//! change itself, so that a crash, a duplicate or a batch sent again changes nothing. A notice that
//! cannot be applied is set aside with its reason (`set_aside`), and the stream goes on.

use law::change::ChangeKind;
use law::inquiry::Held;
use law::retention::Sequel;
use law::time::Timestamp;
use ledger::entry::EntryKind;
use wire::{NodeId, NoticeBatch, RelayedNotice, SetAside, SetAsideNotice};

use crate::machine::{Peer, Ticket};
use crate::member::Member;
use crate::outbox::Outbox;
use crate::people::{Effect, Overlay};
use crate::ports::{Counter, Looked, Reads, Space, Write};
use crate::set_aside::{
    self, EarlyNotices, Gone, Known, Verdict, before_code, judge, leads_back, unkeepable,
};

/// What to do with a batch of notices from one sender.
pub(crate) struct Intake<'a> {
    pub(crate) from: &'a Peer,
    /// Where applied notices are passed on to; the center has nowhere.
    pub(crate) onward: Option<&'a NodeId>,
    /// Whether this sender may notify changes of that municipality.
    pub(crate) belongs: &'a dyn Fn(&RelayedNotice) -> bool,
}

/// One batch on its way through.
struct Passage<'a> {
    intake: &'a Intake<'a>,
    member: &'a Member,
    now: Timestamp,
    reads: &'a dyn Reads,
    overlay: Overlay<'a>,
    early: EarlyNotices<'a>,
    gone: Gone<'a>,
    applied: Applied,
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
        let applied = self.apply(now, member, batch, reads, &mut staged).and_then(|applied| {
            set_aside::keep(member, now, &applied.aside, reads, &mut staged)?;
            Ok(applied)
        });
        match applied {
            Ok(Applied { up_to, taken: 0, told_again, .. }) => {
                out.acknowledge_notices(ticket, up_to, told_again);
            }
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
                let up_to = applied.up_to;
                out.acknowledge_notices(ticket, up_to, applied.told(&self.from.node));
                out.again();
            }
            Err(_) => out.unavailable(ticket, "the register could not be read"),
        }
    }

    fn apply(
        &self,
        now: Timestamp,
        member: &Member,
        batch: &NoticeBatch,
        reads: &dyn Reads,
        out: &mut Outbox,
    ) -> Looked<Applied> {
        let counter = Counter::AppliedFrom(self.from.node.clone());
        let mut passage = Passage {
            intake: self,
            member,
            now,
            reads,
            overlay: Overlay::new(reads, member.regime()),
            early: EarlyNotices::new(reads)?,
            gone: Gone::new(reads),
            applied: Applied::after(reads.counter(&counter)?),
        };
        for (place, relayed) in (0_u64..).zip(&batch.notices) {
            // A sequence that does not exist is the sender's mistake, not a reason to fall over.
            let Some(sequence) = batch.first_sequence.checked_add(place) else { break };
            if sequence <= passage.applied.up_to {
                passage.again(sequence)?;
                continue;
            }
            if passage.applied.up_to.checked_add(1) != Some(sequence) {
                break;
            }
            passage.one(Came { from: &self.from.node, sequence }, relayed, out)?;
            passage.applied.up_to = sequence;
            passage.applied.taken += 1;
        }
        let Passage { overlay, early, gone, applied, .. } = passage;
        overlay.finish(out);
        gone.finish(out);
        early.finish(out)?;
        if applied.taken > 0 {
            out.write(Write::SetCounter(counter, applied.up_to));
        }
        Ok(applied)
    }
}

/// In whose queue a notice came, and where in it.
#[derive(Clone, Copy)]
struct Came<'a> {
    from: &'a NodeId,
    sequence: u64,
}

impl Passage<'_> {
    fn one(&mut self, came: Came<'_>, relayed: &RelayedNotice, out: &mut Outbox) -> Looked<()> {
        if !(self.intake.belongs)(relayed) {
            self.set_aside(came, relayed, "not-for-this-sender");
            return Ok(());
        }
        if self.early.holds_up(relayed)? {
            return self.let_wait(came, relayed);
        }
        if self.settle(came, relayed, out)? {
            self.those_that_waited(relayed, out)?;
        }
        Ok(())
    }

    /// What is known about the person whom this notice is about.
    fn known(&self, relayed: &RelayedNotice) -> Looked<Known> {
        let notice = &relayed.notice;
        let held = self.overlay.resident(&before_code(relayed))?;
        let retired = match notice.reason.kind() {
            ChangeKind::Entry if held.is_none() => self.overlay.is_retired(&notice.record.code)?,
            ChangeKind::Code => self.overlay.is_retired(&notice.record.code)?,
            _ => false,
        };
        let entry = notice.reason.kind() == ChangeKind::Entry;
        let gone = entry && held.as_ref().is_some_and(|h| h.removed) && self.gone.holds(relayed)?;
        Ok(Known { held, retired, gone })
    }

    /// Judge and act. `true`: something changed.
    fn settle(
        &mut self,
        came: Came<'_>,
        relayed: &RelayedNotice,
        out: &mut Outbox,
    ) -> Looked<bool> {
        let known = self.known(relayed)?;
        let verdict = judge(self.member, self.now, relayed, &known);
        let held = known.held;
        match verdict {
            Verdict::Aside(rule) => {
                self.set_aside(came, relayed, rule);
                return Ok(false);
            }
            Verdict::Early => {
                self.let_wait(came, relayed)?;
                return Ok(false);
            }
            Verdict::Confirmed => {
                let sequel = Sequel {
                    departure_confirmed: Some(self.now.date_in_japan()),
                    ..Sequel::default()
                };
                let code = relayed.notice.record.code;
                let own = |h: &Held| h.removed && h.identity.municipality == relayed.municipality;
                if held.as_ref().is_some_and(own) {
                    self.overlay.departed(&code, &sequel, self.now, out)?;
                    self.gone.set(relayed, true);
                }
            }
            Verdict::Apply => {
                let (from, notice) = (relayed.municipality, &relayed.notice);
                match self.overlay.apply(from, notice, self.now, out)? {
                    Effect::Changed if relayed.notice.reason.kind() == ChangeKind::Entry => {
                        self.gone.set(relayed, false);
                    }
                    Effect::Changed => {}
                    Effect::Unfounded => {
                        self.set_aside(came, relayed, "unfounded");
                        // A contested change of code has removed its person here, too.
                        if relayed.notice.reason.kind() != ChangeKind::Code {
                            return Ok(false);
                        }
                    }
                }
            }
        }
        if let Some(onward) = self.intake.onward {
            let payload = relayed.encode().map_err(|_| unkeepable())?;
            out.write(Write::Enqueue { to: onward.clone(), payload });
        }
        Ok(true)
    }

    /// What waited for this change may go on now, in its own order.
    fn those_that_waited(&mut self, relayed: &RelayedNotice, out: &mut Outbox) -> Looked<()> {
        let code = relayed.notice.record.code;
        let mut waiting = self.early.of(&code)?;
        let mut at = 0;
        while let Some(next) = waiting.notices.get(at) {
            // Behind one of the same municipality that still waits, its next one waits as well.
            let of = next.notice.municipality;
            let behind = waiting.notices.iter().take(at).any(|kept| kept.notice.municipality == of);
            let known = self.known(&next.notice)?;
            let behind = behind || leads_back(next, &code);
            if behind || judge(self.member, self.now, &next.notice, &known) == Verdict::Early {
                at += 1;
                continue;
            }
            let next = waiting.notices.remove(at);
            self.early.put(code, waiting.clone());
            self.early.ended(&next)?;
            let came = Came { from: &next.from, sequence: next.sequence };
            let _ = self.settle(came, &next.notice, out)?;
            waiting = self.early.of(&code)?;
            at = 0;
        }
        Ok(())
    }

    fn let_wait(&mut self, came: Came<'_>, relayed: &RelayedNotice) -> Looked<()> {
        let notice = self.kept(came, relayed, "early");
        if self.early.add(notice)? {
            self.applied.early += 1;
        } else {
            self.set_aside(came, relayed, "too-many-wait");
        }
        Ok(())
    }

    fn set_aside(&mut self, came: Came<'_>, relayed: &RelayedNotice, rule: &'static str) {
        let notice = self.kept(came, relayed, rule);
        self.applied.aside.push(notice);
    }

    fn kept(&self, came: Came<'_>, relayed: &RelayedNotice, rule: &str) -> SetAsideNotice {
        SetAsideNotice {
            from: came.from.clone(),
            sequence: came.sequence,
            rule: rule.to_owned(),
            at: self.now,
            notice: relayed.clone(),
        }
    }

    /// A sequence that was dealt with before: its acknowledgement may have been lost, and with it
    /// that it was set aside.
    fn again(&mut self, sequence: u64) -> Looked<()> {
        let any = match self.applied.any_aside {
            Some(any) => any,
            None => !self.reads.facts(Space::SetAside, None, 1)?.is_empty(),
        };
        self.applied.any_aside = Some(any);
        if any {
            let kept = set_aside::kept_before(&self.intake.from.node, sequence, self.reads)?;
            self.applied.told_again.extend(kept);
        }
        Ok(())
    }
}

struct Applied {
    first: u64,
    up_to: u64,
    taken: u64,
    early: u64,
    aside: Vec<SetAsideNotice>,
    told_again: Vec<SetAside>,
    any_aside: Option<bool>,
}

impl Applied {
    fn after(before: u64) -> Self {
        Self {
            first: before.saturating_add(1),
            up_to: before,
            taken: 0,
            early: 0,
            aside: Vec::new(),
            told_again: Vec::new(),
            any_aside: None,
        }
    }

    /// What the sender learns about: sequence and rule, nothing of the contents.
    fn told(self, to: &NodeId) -> Vec<SetAside> {
        let aside = self.aside.into_iter().filter(|kept| kept.from == *to);
        let aside = aside.map(|kept| SetAside { sequence: kept.sequence, rule: kept.rule });
        self.told_again.into_iter().chain(aside).collect()
    }

    /// What did not simply change a record, in words for the entry.
    fn remark(&self) -> Option<String> {
        let aside = u64::try_from(self.aside.len()).unwrap_or(u64::MAX);
        let remarks =
            [(aside, "set aside"), (self.early, "early: wait for the notice before them")];
        let said: Vec<String> = remarks
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, words)| format!("{count} {words}"))
            .collect();
        (!said.is_empty()).then(|| said.join("; "))
    }
}
