//! Handing the prefectures their residents' disclosure data: every provision the center made, with
//! the proof that it stands in the center's ledger (S1: 提供状況の開示; 告示334号 第6).
//!
//! The ledger itself is the source: a durable counter says how far it was gone through, so that no
//! provision can be forgotten by a crash.

use std::collections::{BTreeMap, BTreeSet};

use law::code::RecordCode;
use law::time::Timestamp;
use ledger::entry::{Entry, EntryKind};
use wire::{DisclosureBatch, DisclosureRow, NodeId, Reply, Role};

use super::prefecture_node;
use crate::machine::{CallFailure, CallId};
use crate::member::Member;
use crate::outbox::Outbox;
use crate::ports::{Counter, Looked, OpenEntry, Reads, Write};
use crate::queue::{Acknowledged, Sender};

/// Ledger entries gone through in one step.
pub(super) const ENTRIES_PER_STEP_COUNT_MAX: usize = 256;
/// Earlier states of a person that are looked through for the prefectures she lived in.
const EARLIER_STATES_COUNT_MAX: usize = 64;
/// Rows in one batch: each carries its proof, about 2 kB.
pub(super) const ROWS_PER_BATCH_COUNT_MAX: usize = wire::limits::BATCH_DISCLOSURES_COUNT_MAX;

/// Steps gone through at once before a change of code is applied.
const STEPS_AT_ONCE_COUNT_MAX: usize = 16;

/// One sender per prefecture.
#[derive(Debug, Default)]
pub(super) struct Handover {
    /// Of the directory from which the senders were made.
    serial: u64,
    senders: BTreeMap<NodeId, Sender>,
    /// Prefectures for which something may wait: the others are not even looked at.
    busy: BTreeSet<NodeId>,
}

impl Handover {
    pub(super) fn tick(
        &mut self,
        member: &mut Member,
        now: Timestamp,
        reads: &dyn Reads,
        out: &mut Outbox,
    ) {
        self.meet(member);
        if member.directory_at(now).is_some() {
            self.send(member, now, reads, out);
        }
        // A look-up that fails now is tried again at the next tick; nothing is skipped.
        let Ok(from) = reads.counter(&Counter::Disclosed) else { return };
        let mut staged = Outbox::new();
        if let Ok(Some(step)) = queue_new(from, reads, &mut staged) {
            out.absorb(staged);
            self.busy.extend(step.to);
            out.again();
        }
    }

    /// Queue everything provided so far, whoever it concerns: after a change of code the residents
    /// would no longer be found under the code that the entries name. `false`: there is more than
    /// can be gone through now.
    pub(super) fn catch_up(&mut self, reads: &dyn Reads, out: &mut Outbox) -> Looked<bool> {
        let mut from = reads.counter(&Counter::Disclosed)?;
        let mut staged = Outbox::new();
        let mut to = BTreeSet::new();
        let mut whole = false;
        for _ in 0..STEPS_AT_ONCE_COUNT_MAX {
            let Some(step) = queue_new(from, reads, &mut staged)? else {
                whole = true;
                break;
            };
            from = step.up_to;
            to.extend(step.to);
        }
        out.absorb(staged);
        self.busy.extend(to);
        Ok(whole)
    }

    /// A sender for each prefecture of the directory, made anew when the directory changes.
    fn meet(&mut self, member: &Member) {
        let Some(directory) = member.directory.as_ref() else { return };
        if directory.serial == self.serial {
            return;
        }
        self.serial = directory.serial;
        for prefecture in directory.members.iter().filter(|m| m.role == Role::Prefecture) {
            let id = &prefecture.id;
            self.senders.entry(id.clone()).or_insert_with(|| {
                self.busy.insert(id.clone());
                Sender::new(id.clone())
            });
        }
        self.senders.retain(|id, _| member.find(id).is_some());
    }

    fn send(&mut self, member: &mut Member, now: Timestamp, reads: &dyn Reads, out: &mut Outbox) {
        let senders = &mut self.senders;
        self.busy.retain(|to| {
            let Some(sender) = senders.get_mut(to) else { return true };
            match next_batch(sender, now, reads) {
                Ok(Next::Batch(batch)) => {
                    let call = member.call_id();
                    sender.sent(now, call);
                    out.hand_over(call, to.clone(), batch);
                    true
                }
                Ok(Next::Later) | Err(_) => true,
                Ok(Next::Empty) => false,
            }
        });
    }

    pub(super) fn replied(
        &mut self,
        member: &mut Member,
        now: Timestamp,
        (call, outcome): (CallId, &Result<Reply, CallFailure>),
        reads: &dyn Reads,
        out: &mut Outbox,
    ) -> bool {
        let Some(sender) = self.senders.values_mut().find(|sender| sender.owns(call)) else {
            return false;
        };
        let Ok(Reply::DisclosureAck { applied }) = outcome else {
            sender.failed(now);
            return true;
        };
        match sender.acknowledged(now, *applied, reads, out) {
            Acknowledged::Further => out.again(),
            Acknowledged::Nothing => {}
            Acknowledged::Disputed => {
                let entry = member.entry(EntryKind::Stopped, now).terminal(sender.to.as_str());
                let remark = "disclosures stopped: more was acknowledged than was sent";
                member.note(entry.note(remark), out);
            }
        }
        true
    }
}

/// How far one step went, and for whom something was queued.
struct Step {
    up_to: u64,
    to: BTreeSet<NodeId>,
}

/// Put what was provided from ledger index `from` on into the queues of the prefectures concerned.
/// `None`: there is nothing new.
fn queue_new(from: u64, reads: &dyn Reads, out: &mut Outbox) -> Looked<Option<Step>> {
    let entries = reads.entries_from(from, ENTRIES_PER_STEP_COUNT_MAX)?;
    // By the index of the last one: entries past their term are not given and leave gaps.
    let Some(up_to) = entries.last().map(|open| open.index.saturating_add(1)) else {
        return Ok(None);
    };
    let mut to = BTreeSet::new();
    for open in &entries {
        let Some(subject) = provided_subject(open) else { continue };
        let Some(held) = reads.resident(&subject)? else { continue };
        // Every prefecture that ever had the person keeps her list: a false moving-in elsewhere
        // must not be able to lead her records away from where she looks.
        let mut areas = BTreeSet::from([held.identity.municipality.prefecture()]);
        for row in reads.history(&subject, EARLIER_STATES_COUNT_MAX)? {
            areas.insert(row.before.identity.municipality.prefecture());
        }
        for node in areas.into_iter().filter_map(prefecture_node) {
            let payload = open.index.to_be_bytes().to_vec();
            out.write(Write::Enqueue { to: node.clone(), payload });
            to.insert(node);
        }
    }
    out.write(Write::SetCounter(Counter::Disclosed, up_to));
    Ok(Some(Step { up_to, to }))
}

fn provided_subject(open: &OpenEntry) -> Option<RecordCode> {
    let entry = Entry::parse(&open.entry).ok()?;
    if entry.kind() != EntryKind::Provision {
        return None;
    }
    entry.subject()
}

enum Next {
    Batch(DisclosureBatch),
    /// In flight, in its wait, or not covered by a signed checkpoint yet.
    Later,
    Empty,
}

/// The next rows for one prefecture, as far as the signed checkpoint covers them.
fn next_batch(sender: &Sender, now: Timestamp, reads: &dyn Reads) -> Looked<Next> {
    let Some(next) = sender.next(now, ROWS_PER_BATCH_COUNT_MAX, reads)? else {
        return Ok(if sender.is_waiting(now) { Next::Later } else { Next::Empty });
    };
    let mut rows = Vec::new();
    for (sequence, payload) in next.items {
        let Ok(index) = payload.try_into().map(u64::from_be_bytes) else { break };
        let Some(proof) = reads.proof(index)? else { break };
        let open = reads.entries_from(index, 1)?.pop().filter(|open| open.index == index);
        let Some(open) = open else { break };
        let Some(subject) = provided_subject(&open) else { break };
        let OpenEntry { entry, salt, .. } = open;
        rows.push(DisclosureRow { sequence, subject, entry, salt, proof });
    }
    let first = rows.first().map(|row| row.sequence);
    Ok(first.map_or(Next::Later, |first_sequence| {
        Next::Batch(DisclosureBatch { first_sequence, rows })
    }))
}
