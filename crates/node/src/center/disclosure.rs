//! Handing the prefectures their residents' disclosure data: every provision the center made, with
//! the proof that it stands in the center's ledger (S1: 提供状況の開示; 告示334号 第6).
//!
//! The ledger itself is the source: a durable counter says how far it was gone through, so that no
//! provision can be forgotten by a crash.

use std::collections::BTreeMap;

use law::code::RecordCode;
use law::time::Timestamp;
use ledger::entry::{Entry, EntryKind};
use wire::{DisclosureBatch, DisclosureRow, NodeId, Reply, Role};

use super::prefecture_node;
use crate::machine::{CallFailure, CallId};
use crate::member::Member;
use crate::outbox::Outbox;
use crate::ports::{Counter, Looked, OpenEntry, Reads, Write};
use crate::queue::Sender;

/// Ledger entries gone through in one step.
pub(super) const ENTRIES_PER_STEP_COUNT_MAX: usize = 256;
/// Rows in one batch: each carries its proof, about 2 kB.
pub(super) const ROWS_PER_BATCH_COUNT_MAX: usize = wire::limits::BATCH_DISCLOSURES_COUNT_MAX;

/// One sender per prefecture.
#[derive(Debug, Default)]
pub(super) struct Handover {
    senders: BTreeMap<NodeId, Sender>,
}

impl Handover {
    pub(super) fn tick(
        &mut self,
        member: &mut Member,
        now: Timestamp,
        reads: &dyn Reads,
        out: &mut Outbox,
    ) {
        // A look-up that fails now is tried again at the next tick; nothing is skipped.
        let _ = queue_new(reads, out);
        let prefectures: Vec<NodeId> =
            member.directory_at(now).map_or_else(Vec::new, |directory| {
                let is = |m: &&wire::directory::Member| m.role == Role::Prefecture;
                directory.members.iter().filter(is).map(|m| m.id.clone()).collect()
            });
        for to in prefectures {
            let sender = self.senders.entry(to.clone()).or_insert_with(|| Sender::new(to.clone()));
            if let Ok(Some(batch)) = next_batch(sender, now, reads) {
                let call = member.call_id();
                sender.sent(call);
                out.hand_over(call, to, batch);
            }
        }
    }

    pub(super) fn replied(
        &mut self,
        now: Timestamp,
        call: CallId,
        outcome: &Result<Reply, CallFailure>,
        reads: &dyn Reads,
        out: &mut Outbox,
    ) -> bool {
        let Some(sender) = self.senders.values_mut().find(|sender| sender.owns(call)) else {
            return false;
        };
        let before = reads.queue_bounds(&sender.to).map_or(0, |(acknowledged, _)| acknowledged);
        match outcome {
            Ok(Reply::DisclosureAck { applied }) if *applied > before => {
                sender.acknowledged(*applied, reads, out);
                out.again();
            }
            _ => sender.failed(now),
        }
        true
    }
}

/// Put what was provided since the last step into the queues of the prefectures concerned.
fn queue_new(reads: &dyn Reads, out: &mut Outbox) -> Looked<()> {
    let from = reads.counter(&Counter::Disclosed)?;
    let entries = reads.entries_from(from, ENTRIES_PER_STEP_COUNT_MAX)?;
    if entries.is_empty() {
        return Ok(());
    }
    let mut staged = Outbox::new();
    for open in &entries {
        let Some(subject) = provided_subject(open) else { continue };
        let Some(held) = reads.resident(&subject)? else { continue };
        let Some(to) = prefecture_node(held.identity.municipality.prefecture()) else { continue };
        staged.write(Write::Enqueue { to, payload: open.index.to_be_bytes().to_vec() });
    }
    let up_to = from + entries.len() as u64;
    staged.write(Write::SetCounter(Counter::Disclosed, up_to));
    out.absorb(staged);
    if entries.len() == ENTRIES_PER_STEP_COUNT_MAX {
        out.again();
    }
    Ok(())
}

fn provided_subject(open: &OpenEntry) -> Option<RecordCode> {
    let entry = Entry::parse(&open.entry).ok()?;
    if entry.kind() != EntryKind::Provision {
        return None;
    }
    entry.subject()
}

/// The next rows for one prefecture, as far as the signed checkpoint covers them.
fn next_batch(
    sender: &Sender,
    now: Timestamp,
    reads: &dyn Reads,
) -> Looked<Option<DisclosureBatch>> {
    let Some(next) = sender.next(now, reads)? else { return Ok(None) };
    let mut rows = Vec::new();
    for (sequence, payload) in next.items.into_iter().take(ROWS_PER_BATCH_COUNT_MAX) {
        let Ok(index) = payload.try_into().map(u64::from_be_bytes) else { break };
        let Some(proof) = reads.proof(index)? else { break };
        let Some(open) = reads.entries_from(index, 1)?.pop() else { break };
        let Some(subject) = provided_subject(&open) else { break };
        let OpenEntry { entry, salt, .. } = open;
        rows.push(DisclosureRow { sequence, subject, entry, salt, proof });
    }
    let first = rows.first().map(|row| row.sequence);
    Ok(first.map(|first_sequence| DisclosureBatch { first_sequence, rows }))
}
