//! The center's monitoring room: who reported when, shown to an observer's card and recorded.

use std::collections::BTreeMap;

use law::disclosure::{ObservationPermit, ObservationRequest, observe};
use law::inquiry::Denial;
use law::time::Timestamp;
use ledger::entry::EntryKind;
use ledger::receipt::{EntryId, Receipt};
use wire::{
    Heartbeat, NetworkStatus, NodeId, NodeStatus, Purpose, QueryBody, SignedQuery, query_digest,
};

use crate::machine::{Peer, Ticket};
use crate::member::Member;
use crate::outbox::{Outbox, Parked};
use crate::ports::Reads;
use crate::provider::{PARKED_COUNT_MAX, card_standing, judged, remember_request};

enum Waiting {
    Status(Parked<(Ticket, ObservationPermit, NetworkStatus)>),
    Refusal(Parked<(Ticket, [u8; 32], Denial)>),
}

/// The monitoring room.
#[derive(Default)]
pub(super) struct Room {
    last: BTreeMap<NodeId, (Timestamp, Heartbeat)>,
    waiting: BTreeMap<EntryId, Waiting>,
}

impl std::fmt::Debug for Room {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Room({} nodes, {} waiting)", self.last.len(), self.waiting.len())
    }
}

impl Room {
    /// A member reported. Only members of the directory get this far; who has left it is forgotten.
    pub(super) fn reported(
        &mut self,
        member: &Member,
        now: Timestamp,
        node: &NodeId,
        beat: Heartbeat,
    ) {
        let known = member.directory.as_ref().map_or(0, |directory| directory.members.len());
        if self.last.len() > known {
            self.last.retain(|id, _| member.find(id).is_some());
        }
        self.last.insert(node.clone(), (now, beat));
    }

    pub(super) fn asked(
        &mut self,
        member: &mut Member,
        now: Timestamp,
        (from, ticket): (&Peer, Ticket),
        signed: &SignedQuery,
        reads: &dyn Reads,
        out: &mut Outbox,
    ) {
        if self.waiting.len() >= PARKED_COUNT_MAX {
            out.unavailable(ticket, "too many requests are waiting");
            return;
        }
        let digest = query_digest(&signed.body);
        let body = QueryBody::decode(&signed.body).ok();
        let Some(body) = body.filter(|body| matches!(body.purpose, Purpose::NetworkStatus)) else {
            out.unavailable(ticket, "the center's room shows the network only");
            return;
        };
        let made = (&body.request, body.asked_at);
        let (Some(directory), Ok((judged_at, replayed))) =
            (member.directory_at(now), judged(now, made, reads))
        else {
            out.unavailable(ticket, "no valid directory is held");
            return;
        };
        let mut operator = card_standing(directory, &body.card, &signed.signature, &digest);
        if let Some(standing) = operator.as_mut() {
            // What was signed names the organ; a session cannot lend it to another.
            standing.signature_valid &= from.organ.as_ref() == Some(&body.organ);
        }
        let request = ObservationRequest {
            asker: body.organ,
            operator,
            asked_at: body.asked_at,
            now: judged_at,
            replayed,
        };
        remember_request(now, Some((body.request, body.asked_at)), out);
        let verdict = observe(request);
        let kind = if verdict.is_ok() { EntryKind::StatusShown } else { EntryKind::Refusal };
        let entry = member
            .entry(kind, now)
            .asker(body.organ.to_string())
            .terminal(from.node.as_str())
            .card(body.card.as_str())
            .request(&digest);
        let id = member.entry_id();
        let waiting = match verdict {
            Ok(permit) => {
                let status = self.status(member, now, reads);
                let leaf = out.leaf(entry, None);
                Waiting::Status(out.park(id, vec![leaf], (ticket, permit, status)))
            }
            Err(denial) => {
                let entry = entry.rule(denial.public().rule);
                let leaf = out.leaf(entry, None);
                Waiting::Refusal(out.park(id, vec![leaf], (ticket, digest, denial)))
            }
        };
        self.waiting.insert(id, waiting);
    }

    pub(super) fn recorded(&mut self, receipt: Receipt, out: &mut Outbox) -> Option<Receipt> {
        match self.waiting.remove(&receipt.entry()) {
            Some(Waiting::Status(parked)) => out.show_network(parked, &receipt),
            Some(Waiting::Refusal(parked)) => out.refuse(parked, receipt),
            None => return Some(receipt),
        }
        None
    }

    fn status(&self, member: &Member, now: Timestamp, reads: &dyn Reads) -> NetworkStatus {
        let members = member.directory.as_ref().map_or(&[][..], |held| held.members.as_slice());
        let node = |m: &wire::directory::Member| {
            let own = m.id == member.identity.node;
            let last = self.last.get(&m.id);
            let beat = last.map(|(_, beat)| beat);
            NodeStatus {
                id: m.id.clone(),
                role: m.role,
                exchange: m.exchange.clone(),
                last_seen_ms: if own { Some(now.0) } else { last.map(|(at, _)| at.0) },
                queued: beat.map_or(0, |beat| beat.queued),
                residents: match (own, beat) {
                    (true, _) => reads.residents_count().unwrap_or(0),
                    (false, beat) => beat.map_or(0, |beat| beat.residents),
                },
                entries: match (own, beat) {
                    (true, _) => reads.entries_count().unwrap_or(0),
                    (false, beat) => beat.map_or(0, |beat| beat.entries),
                },
                state: m.state,
            }
        };
        NetworkStatus { at: now, nodes: members.iter().map(node).collect() }
    }
}
