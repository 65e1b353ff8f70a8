//! The prefecture's disclosure data (本人確認情報提供状況の開示): its own entries and those that the
//! center hands over, shown to the resident with the proofs that they stand in the ledgers.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use law::code::{PrefectureCode, RecordCode};
use law::disclosure::{ViewPermit, ViewRequest, open_view};
use law::inquiry::Denial;
use law::time::Timestamp;
use ledger::entry::{Entry, EntryBuilder, EntryKind, recordable};
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
use crate::provider::{PARKED_COUNT_MAX, card_standing, judged, remember_request};

/// Most entries in one view: with their proofs about 2 kB each they stay within a frame.
pub(super) const VIEW_ROWS_COUNT_MAX: usize = 300;
/// Entries of each ledger that are looked through for a view. More than are shown, so that opening
/// views again and again cannot push what was provided out of sight.
const VIEW_ENTRIES_COUNT_MAX: usize = 4_096;

enum Waiting {
    View(Parked<(Ticket, ViewPermit, ResidentView)>),
    Refusal(Parked<(Ticket, [u8; 32], Denial)>),
}

/// The disclosure desk of the prefecture.
#[derive(Default)]
pub(super) struct Desk {
    waiting: BTreeMap<EntryId, Waiting>,
    /// Sequence of the row from the center that was last found not to hold.
    unproven: Option<u64>,
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
        let body = match self.readable(signed) {
            Ok(body) => body,
            Err(reason) => return out.unavailable(ticket, reason),
        };
        let Purpose::ResidentView { code, identified_by } = &body.purpose else {
            out.unavailable(ticket, "a prefecture shows residents' records only");
            return;
        };
        let Some(directory) = member.directory_at(now) else {
            out.unavailable(ticket, "no valid directory is held");
            return;
        };
        let made = (&body.request, body.asked_at);
        let Ok((judged_at, replayed)) = judged(now, made, reads) else {
            out.unavailable(ticket, "the register could not be read");
            return;
        };
        let mut operator = card_standing(directory, &body.card, &signed.signature, &digest);
        if let Some(standing) = operator.as_mut() {
            // What was signed names the organ; a session cannot lend it to another.
            standing.signature_valid &= from.organ.as_ref() == Some(&body.organ);
        }
        let request = ViewRequest {
            asker: body.organ,
            prefecture,
            operator,
            identified_by: identified_by.clone(),
            asked_at: body.asked_at,
            now: judged_at,
            replayed,
        };
        let verdict = open_view(request);
        let view = match &verdict {
            Ok(_) => collect(member, code, now, reads).map(Some),
            Err(_) => Ok(None),
        };
        remember_request(now, Some((body.request, body.asked_at)), out);
        let kind = if verdict.is_ok() { EntryKind::ViewOpened } else { EntryKind::Refusal };
        let entry = member
            .entry(kind, now)
            .asker(body.organ.to_string())
            .terminal(from.node.as_str())
            .card(body.card.as_str())
            .request(&digest);
        let entry = identified(entry, identified_by);
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

    fn readable(&self, signed: &SignedQuery) -> Result<QueryBody, &'static str> {
        if self.waiting.len() >= PARKED_COUNT_MAX {
            return Err("too many requests are waiting");
        }
        QueryBody::decode(&signed.body).map_err(|_| "the request is malformed")
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

/// How the resident was identified stands where an inquiry has its case.
fn identified(entry: EntryBuilder, words: &str) -> EntryBuilder {
    match recordable(words) {
        Some(words) => entry.case(words),
        None => entry,
    }
}

/// Everything recorded about the person, under the present code and, as the store follows them, the
/// earlier ones.
fn collect(
    member: &Member,
    code: &RecordCode,
    now: Timestamp,
    reads: &dyn Reads,
) -> Looked<ResidentView> {
    let own = own_origin(member, reads)?;
    let mut rows = Vec::new();
    for open in reads.entries_about(code, VIEW_ENTRIES_COUNT_MAX)? {
        rows.push(Found { place: Place::Own(open.index), entry: open.entry, salt: open.salt });
    }
    for foreign in reads.foreign_about(code, VIEW_ENTRIES_COUNT_MAX)? {
        let ForeignEntry { ledger, entry, salt, proof } = foreign;
        rows.push(Found { place: Place::Foreign { ledger, proof }, entry, salt });
    }
    let mut shown = Vec::new();
    for Found { place, entry, salt } in most_telling(rows) {
        let (ledger, proof) = match place {
            Place::Own(index) => (own.clone(), reads.proof(index)?.unwrap_or_default()),
            Place::Foreign { ledger, proof } => (ledger, proof),
        };
        shown.push(ViewRow { ledger, entry, salt, proof });
    }
    let ledgers = ledgers_of(member, &own, &shown, reads)?;
    let period_to = now.date_in_japan();
    let first = reads.entries_from(0, 1)?;
    let first = first.first().and_then(|open| Entry::parse(&open.entry).ok());
    let period_from = first.map_or(period_to, |entry| entry.at().date_in_japan());
    Ok(ResidentView { code: *code, period_from, period_to, ledgers, rows: shown })
}

struct Found {
    place: Place,
    entry: Vec<u8>,
    salt: [u8; 32],
}

enum Place {
    Own(u64),
    Foreign { ledger: String, proof: String },
}

/// Newest first; where there are more than fit, provisions stay and opened views go.
fn most_telling(rows: Vec<Found>) -> Vec<Found> {
    let mut rows: Vec<_> = rows
        .into_iter()
        .map(|row| {
            let entry = Entry::parse(&row.entry).ok();
            let provided = entry.as_ref().is_some_and(|e| e.kind() == EntryKind::Provision);
            let at = entry.map_or(0, |entry| entry.at().0);
            (provided, at, row)
        })
        .collect();
    rows.sort_by_key(|(provided, at, _)| Reverse((*provided, *at)));
    rows.truncate(VIEW_ROWS_COUNT_MAX);
    rows.sort_by_key(|(_, at, _)| Reverse(*at));
    rows.into_iter().map(|(_, _, row)| row).collect()
}

/// Origin of this node's ledger: as the directory has its key, or as the last checkpoint says.
fn own_origin(member: &Member, reads: &dyn Reads) -> Looked<String> {
    let listed = member.find(&member.identity.node).and_then(|own| own.ledger_vkey.as_deref());
    if let Some(origin) = listed.and_then(|key| key.split('+').next()) {
        return Ok(origin.to_owned());
    }
    let note = reads.checkpoint()?;
    let origin = note.as_deref().and_then(|note| note.lines().next());
    Ok(origin.unwrap_or(member.identity.node.as_str()).to_owned())
}

/// The ledgers that the rows stand in, with the keys by which they are checked at home.
fn ledgers_of(
    member: &Member,
    own: &str,
    rows: &[ViewRow],
    reads: &dyn Reads,
) -> Looked<Vec<ViewLedger>> {
    let entries = reads.entries_count()?;
    let members = member.directory.as_ref().map_or(&[][..], |held| held.members.as_slice());
    let used: BTreeSet<&str> = rows.iter().map(|row| row.ledger.as_str()).collect();
    let with_key = |m: &wire::directory::Member| {
        let key = m.ledger_vkey.as_ref()?;
        let origin = key.split('+').next().unwrap_or_default().to_owned();
        let size = if origin == own { entries } else { 0 };
        used.contains(origin.as_str()).then(|| ViewLedger { origin, vkey: key.clone(), size })
    };
    Ok(members.iter().filter_map(with_key).collect())
}

impl Desk {
    /// Disclosure data from the center: each row is verified against the center's ledger and
    /// against the resident it is said to be about, and kept once.
    pub(super) fn taken_over(
        &mut self,
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
            if up_to.checked_add(1) != Some(row.sequence) {
                break;
            }
            let DisclosureRow { sequence, subject, entry, salt, proof } = row;
            if !holds(&entry, salt, &proof, &subject, &key) {
                // It is shown to nobody; the queue stands until it is mended, and that is recorded.
                self.found_unproven(member, now, (from, sequence), out);
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
                .first(before.saturating_add(1))
                .last(up_to)
                .count(up_to - before);
            member.note(entry, out);
        }
        out.acknowledge_disclosures(ticket, up_to);
    }

    /// Recorded once, however often the row is sent again.
    fn found_unproven(
        &mut self,
        member: &mut Member,
        now: Timestamp,
        (from, sequence): (&Peer, u64),
        out: &mut Outbox,
    ) {
        if self.unproven.replace(sequence) == Some(sequence) {
            return;
        }
        let entry = member
            .entry(EntryKind::DisclosuresReceived, now)
            .terminal(from.node.as_str())
            .first(sequence)
            .count(0)
            .note("stopped: a row is not proven to be what it claims");
        member.note(entry, out);
    }
}

/// The row stands in the center's ledger, is a provision, and is about this resident: filed under
/// another it would tell one resident about another.
fn holds(
    entry: &[u8],
    salt: [u8; 32],
    proof: &str,
    subject: &RecordCode,
    key: &VerifierKey,
) -> bool {
    let row = ViewedRow { entry: entry.to_vec(), salt, proof: proof.to_owned() };
    verify_row(&row, key).is_ok_and(|entry| {
        entry.kind() == EntryKind::Provision && entry.subject().as_ref() == Some(subject)
    })
}
