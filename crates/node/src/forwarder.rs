//! The asking side's server: takes an operator's signed inquiry from its terminal, records that it
//! passes it on, and hands the answer back.
//!
//! It cannot ask on its own: the center and the prefecture verify the card's signature themselves.
//! It keeps no answer, and its own entries hold nothing about any resident.

use std::collections::BTreeMap;

use law::organ::Organ;
use law::time::Timestamp;
use ledger::entry::{EntryBuilder, EntryKind, recordable};
use ledger::receipt::{EntryId, Receipt};
use wire::{InquiryBody, NodeId, Reply, SignedInquiry, inquiry_digest};

use crate::machine::{CallFailure, CallId, Ticket};
use crate::member::{CALL_LOST_MS, Member, center_id};
use crate::outbox::{Outbox, Parked};

/// Most inquiries under way at once from one organ's terminals.
pub(crate) const FORWARDED_COUNT_MAX: usize = 1_024;

/// The forwarding side of one organ.
#[derive(Debug, Default)]
pub(crate) struct Forwarder {
    waiting: BTreeMap<EntryId, Waiting>,
    /// In the order of the calls, therefore of time.
    asked: BTreeMap<CallId, Asked>,
}

#[derive(Debug)]
struct Waiting {
    ticket: Ticket,
    to: NodeId,
    digest: [u8; 32],
    parked: Parked<SignedInquiry>,
}

#[derive(Debug)]
struct Asked {
    ticket: Ticket,
    /// Of what was asked: the answer must be to that.
    digest: [u8; 32],
    until: Timestamp,
}

impl Forwarder {
    /// Record, then pass on to the organ that the signed body names.
    pub(crate) fn inquired(
        &mut self,
        member: &mut Member,
        now: Timestamp,
        (terminal, ticket): (&NodeId, Ticket),
        signed: SignedInquiry,
        out: &mut Outbox,
    ) {
        if self.waiting.len() + self.asked.len() >= FORWARDED_COUNT_MAX {
            out.unavailable(ticket, "too many inquiries are under way");
            return;
        }
        let Ok(body) = InquiryBody::decode(&signed.body) else {
            out.unavailable(ticket, "the inquiry is malformed");
            return;
        };
        // The record names the terminal: it must be the one that speaks, or somebody answers for
        // another's question.
        if body.terminal != *terminal || Some(&body.organ) != member.identity.organ.as_ref() {
            out.unavailable(ticket, "the inquiry names another terminal");
            return;
        }
        let Some(to) = responder_node(&body.responder) else {
            out.unavailable(ticket, "no organ of that name answers inquiries");
            return;
        };
        let digest = inquiry_digest(&signed.body);
        let entry = member
            .entry(EntryKind::Forwarded, now)
            .terminal(terminal.as_str())
            .card(body.card.as_str())
            .request(&digest);
        let entry = asked_for(entry, &body);
        let id = member.entry_id();
        let leaf = out.leaf(entry, None);
        let parked = out.park(id, vec![leaf], signed);
        self.waiting.insert(id, Waiting { ticket, to, digest, parked });
    }

    /// The record is durable: the inquiry may go.
    pub(crate) fn recorded(
        &mut self,
        member: &mut Member,
        now: Timestamp,
        receipt: Receipt,
        out: &mut Outbox,
    ) -> Option<Receipt> {
        let Some(Waiting { ticket, to, digest, parked }) = self.waiting.remove(&receipt.entry())
        else {
            return Some(receipt);
        };
        let call = member.call_id();
        out.forward_inquiry(call, to, parked, &receipt);
        let until = Timestamp(now.0.saturating_add(CALL_LOST_MS));
        self.asked.insert(call, Asked { ticket, digest, until });
        None
    }

    /// Give up calls of which nothing was heard at all: each holds a place among the bounded many.
    pub(crate) fn tick(&mut self, now: Timestamp, out: &mut Outbox) {
        while let Some(oldest) = self.asked.first_entry() {
            if now < oldest.get().until {
                return;
            }
            out.unavailable(oldest.remove().ticket, "the answering server is silent");
        }
    }

    /// The answering server replied, or did not. `None`: it was our call; otherwise it is given
    /// back.
    pub(crate) fn replied(
        &mut self,
        call: CallId,
        outcome: Result<Reply, CallFailure>,
        out: &mut Outbox,
    ) -> Option<Result<Reply, CallFailure>> {
        let Some(Asked { ticket, digest, .. }) = self.asked.remove(&call) else {
            return Some(outcome);
        };
        match outcome {
            Ok(reply) => out.pass_back(ticket, &digest, reply),
            Err(CallFailure::Timeout) => out.unavailable(ticket, "the answering server is silent"),
            Err(_) => out.unavailable(ticket, "the answering server cannot be reached"),
        }
        None
    }
}

/// The affair and the case as they were sent: what a stranger wrote must not be able to keep the
/// act from being recorded.
pub(crate) fn asked_for(mut entry: EntryBuilder, body: &InquiryBody) -> EntryBuilder {
    if let Some(affair) = recordable(&body.affair) {
        entry = entry.affair(affair);
    }
    if let Some(case) = recordable(&body.case_number) {
        entry = entry.case(case);
    }
    entry
}

/// The node that answers for an organ.
fn responder_node(organ: &Organ) -> Option<NodeId> {
    match organ {
        Organ::Center => center_id(),
        Organ::Prefecture(code) => NodeId::parse(&format!("prefecture-{code}")).ok(),
        Organ::Municipality(_) | Organ::Agency(_) => None,
    }
}
