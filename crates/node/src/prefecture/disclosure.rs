//! The prefecture's disclosure data (本人確認情報提供状況の開示): its own entries and those that the
//! center hands over, shown to the resident with the proofs that they stand in the ledgers.

use std::collections::{BTreeMap, BTreeSet};

use law::code::{PrefectureCode, RecordCode};
use law::disclosure::{ViewPermit, ViewRequest, open_view};
use law::inquiry::Denial;
use law::time::Timestamp;
use ledger::entry::{Entry, EntryBuilder, EntryKind};
use ledger::note::VerifierKey;
use ledger::receipt::{EntryId, Receipt};
use ledger::view::{ViewedRow, verify_row};
use wire::{
    DisclosureBatch, DisclosureRow, Purpose, QueryBody, ResidentView, SignedQuery, ViewLedger,
    ViewRow, query_digest,
};

use crate::machine::{Peer, Ticket};
use crate::member::Member;
use crate::outbox::{Outbox, Parked};
use crate::ports::{Counter, ForeignEntry, Looked, Reads, Write};
use crate::provider::card_standing;

/// Most entries in one view: with their proofs about 2 kB each they stay within a frame.
pub(super) const VIEW_ROWS_COUNT_MAX: usize = 300;
/// Earlier codes that are followed: a resident may change the code at any time (法30条の3).
const EARLIER_CODES_COUNT_MAX: usize = 64;

enum Waiting {
    View(Parked<(Ticket, ViewPermit, ResidentView)>),
    Refusal(Parked<(Ticket, [u8; 32], Denial)>),
}

/// The disclosure desk of the prefecture.
#[derive(Default)]
pub(super) struct Desk {
    waiting: BTreeMap<EntryId, Waiting>,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Desk({} waiting)", self.waiting.len())
    }
}

impl Desk {
    /// A resident, identified at the counter, asks who got what.
    #[expect(clippy::too_many_arguments, reason = "one step of a machine: all of it is its input")]
    pub(super) fn asked(
        &mut self,
        member: &mut Member,
        prefecture: PrefectureCode,
        now: Timestamp,
        (from, ticket): (&Peer, Ticket),
        signed: &SignedQuery,
        reads: &dyn Reads,
        out: &mut Outbox,
    ) {
        let digest = query_digest(&signed.body);
        let Ok(body) = QueryBody::decode(&signed.body) else {
            out.unavailable(ticket, "the request is malformed");
            return;
        };
        let Purpose::ResidentView { code, identified_by } = &body.purpose else {
            out.unavailable(ticket, "a prefecture shows residents' records only");
            return;
        };
        let Some(directory) = member.directory_at(now) else {
            out.unavailable(ticket, "no valid directory is held");
            return;
        };
        let Ok(replayed) = reads.request_seen(&body.request) else {
            out.unavailable(ticket, "the register could not be read");
            return;
        };
        let mut operator = card_standing(directory, &body.card, &signed.signature, &digest);
        if let (Some(standing), Some(organ)) = (operator.as_mut(), from.organ.as_ref()) {
            standing.signature_valid &= &body.organ == organ;
        }
        let request = ViewRequest {
            asker: body.organ.clone(),
            prefecture,
            operator,
            identified_by: identified_by.clone(),
            asked_at: body.asked_at,
            now,
            replayed,
        };
        let verdict = open_view(request);
        let view = match &verdict {
            Ok(_) => collect(member, code, now, reads),
            Err(_) => Ok(None),
        };
        let until = body.asked_at.0.saturating_add(2 * law::inquiry::ASKED_AT_SKEW_MS_MAX);
        out.write(Write::RequestSeen { request: body.request, until: Timestamp(until) });
        let kind = if verdict.is_ok() { EntryKind::ViewOpened } else { EntryKind::Refusal };
        let entry = member
            .entry(kind, now)
            .asker(body.organ.to_string())
            .terminal(from.node.as_str())
            .card(body.card.as_str())
            .request(&digest);
        let id = member.entry_id();
        match (verdict, view) {
            (_, Err(_)) => out.unavailable(ticket, "the register could not be read"),
            (Ok(permit), Ok(Some(view))) => {
                let leaf = out.leaf(entry, Some(*code));
                let parked = out.park(id, vec![leaf], (ticket, permit, view));
                self.waiting.insert(id, Waiting::View(parked));
            }
            (Ok(_), Ok(None)) => {
                self.refuse(id, entry, (ticket, digest, Denial::QueryShape), out);
            }
            (Err(denial), _) => self.refuse(id, entry, (ticket, digest, denial), out),
        }
    }

    fn refuse(
        &mut self,
        id: EntryId,
        entry: EntryBuilder,
        refused: (Ticket, [u8; 32], Denial),
        out: &mut Outbox,
    ) {
        let entry = entry.rule(refused.2.public().rule);
        let leaf = out.leaf(entry, None);
        let parked = out.park(id, vec![leaf], refused);
        self.waiting.insert(id, Waiting::Refusal(parked));
    }

    pub(super) fn recorded(&mut self, receipt: Receipt, out: &mut Outbox) -> Option<Receipt> {
        match self.waiting.remove(&receipt.entry()) {
            Some(Waiting::View(parked)) => out.disclose(parked, receipt),
            Some(Waiting::Refusal(parked)) => out.refuse(parked, receipt),
            None => return Some(receipt),
        }
        None
    }
}

/// Everything recorded about the person, under the present code and the earlier ones.
fn collect(
    member: &Member,
    code: &RecordCode,
    now: Timestamp,
    reads: &dyn Reads,
) -> Looked<Option<ResidentView>> {
    let mut codes = BTreeSet::from([*code]);
    for row in reads.history(code, EARLIER_CODES_COUNT_MAX)? {
        codes.insert(row.before.identity.code);
    }
    let own = reads.checkpoint()?.and_then(|note| note.lines().next().map(str::to_owned));
    let own = own.unwrap_or_default();
    let entries = reads.entries_count()?;
    let mut rows = Vec::new();
    for code in &codes {
        for entry in reads.entries_about(code, VIEW_ROWS_COUNT_MAX)? {
            let proof = reads.proof(entry.index)?.unwrap_or_default();
            let ledger = own.clone();
            rows.push(ViewRow { ledger, entry: entry.entry, salt: entry.salt, proof });
        }
        for foreign in reads.foreign_about(code, VIEW_ROWS_COUNT_MAX)? {
            let ForeignEntry { ledger, entry, salt, proof } = foreign;
            rows.push(ViewRow { ledger, entry, salt, proof });
        }
    }
    rows.truncate(VIEW_ROWS_COUNT_MAX);
    let ledgers = member.directory_at(now).map_or_else(Vec::new, |directory| {
        let with_key = |m: &wire::directory::Member| {
            let key = m.ledger_vkey.as_ref()?;
            let origin = key.split('+').next().unwrap_or_default().to_owned();
            let size = if origin == own { entries } else { 0 };
            Some(ViewLedger { origin, vkey: key.clone(), size })
        };
        let used = |l: &ViewLedger| rows.iter().any(|row| row.ledger == l.origin);
        directory.members.iter().filter_map(with_key).filter(used).collect()
    });
    let period_to = now.date_in_japan();
    let first = reads.entries_from(0, 1)?;
    let first = first.first().and_then(|open| Entry::parse(&open.entry).ok());
    let period_from = first.map_or(period_to, |entry| entry.at().date_in_japan());
    Ok(Some(ResidentView { code: *code, period_from, period_to, ledgers, rows }))
}

/// Disclosure data from the center: each row is verified against the center's ledger, kept once.
pub(super) fn taken_over(
    member: &mut Member,
    now: Timestamp,
    (from, ticket): (&Peer, Ticket),
    batch: DisclosureBatch,
    reads: &dyn Reads,
    out: &mut Outbox,
) {
    let counter = Counter::AppliedFrom(from.node.clone());
    let key = member
        .find(&from.node)
        .and_then(|center| center.ledger_vkey.as_deref())
        .and_then(|text| VerifierKey::parse(text).ok());
    let (Ok(before), Some(key)) = (reads.counter(&counter), key) else {
        out.unavailable(ticket, "the center's ledger key is not known here");
        return;
    };
    let mut up_to = before;
    for row in batch.rows {
        if row.sequence <= up_to {
            continue;
        }
        if row.sequence != up_to + 1 {
            break;
        }
        let DisclosureRow { sequence, subject, entry, salt, proof } = row;
        let viewed = ViewedRow { entry: entry.clone(), salt, proof: proof.clone() };
        if verify_row(&viewed, &key).is_err() {
            // What cannot be verified is not shown to anyone; the queue stands until it is mended.
            break;
        }
        let entry = ForeignEntry { ledger: key.name().to_owned(), entry, salt, proof };
        out.write(Write::PutForeign { subject, entry });
        up_to = sequence;
    }
    if up_to > before {
        out.write(Write::SetCounter(counter, up_to));
        let entry = member
            .entry(EntryKind::DisclosuresReceived, now)
            .terminal(from.node.as_str())
            .first(before + 1)
            .last(up_to)
            .count(up_to - before);
        member.note(entry, out);
    }
    out.acknowledge_disclosures(ticket, up_to);
}
