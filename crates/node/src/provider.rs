//! The spine on the answering side: inquiry → permit → candidates → release → entry → receipt →
//! answer.
//!
//! Shared by the prefecture and the center; it decides nothing. `law` says who may learn what, the
//! outbox lets an answer out only against the receipt of its record.

use std::collections::{BTreeMap, BTreeSet};

use law::affair::Epoch;
use law::inquiry::{
    ASKED_AT_SKEW_MS_MAX, Agreement, Denial, Held, Inquiry, Permit, ProvidedPerson, Release,
    authorize,
};
use law::organ::{OperatorStanding, Organ};
use law::query::{PROVISION_PERSONS_MAX, Query, QueryDraft};
use law::time::Timestamp;
use ledger::entry::{EntryBuilder, EntryKind};
use ledger::receipt::{EntryId, Receipt};
use wire::directory::Directory;
use wire::{InquiryBody, Role, SignedInquiry, inquiry_digest};

use crate::forwarder::asked_for;
use crate::machine::{Peer, Ticket};
use crate::member::{Member, operator_in};
use crate::outbox::{Outbox, Parked};
use crate::ports::{CANDIDATES_PER_PROBE_COUNT_MAX, Counter, Looked, Reads, Write};
use crate::reconcile::{Withheld, withheld_before};

/// Most inquiries that may wait for their record at once; beyond it the peer is told to come again.
pub(crate) const PARKED_COUNT_MAX: usize = 4_096;

enum Waiting {
    Answer(Parked<(Ticket, Release)>),
    Refusal(Parked<(Ticket, [u8; 32], Denial)>),
}

/// The answering side of one organ.
pub(crate) struct Provider {
    organ: Organ,
    waiting: BTreeMap<EntryId, Waiting>,
    /// Whom the tiers disagree about: not provided until it is settled.
    pub(crate) withheld: Withheld,
    /// Who is withheld could not be read at the start: nobody is told anything until it can.
    unsure: bool,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Provider({}, {} waiting)", self.organ, self.waiting.len())
    }
}

/// What was asked, as far as it could be read, for the record.
struct Asked<'a> {
    peer: &'a Peer,
    ticket: Ticket,
    digest: [u8; 32],
    body: Option<&'a InquiryBody>,
}

impl Provider {
    pub(crate) fn new(organ: Organ, reads: &dyn Reads) -> Self {
        let kept = withheld_before(reads).ok();
        let (unsure, withheld) = (kept.is_none(), kept.unwrap_or_default());
        Self { organ, waiting: BTreeMap::new(), withheld, unsure }
    }

    /// Handle a signed inquiry that arrived over a mutually authenticated session from `peer`.
    pub(crate) fn inquired(
        &mut self,
        member: &mut Member,
        now: Timestamp,
        (peer, ticket): (&Peer, Ticket),
        signed: &SignedInquiry,
        reads: &dyn Reads,
        out: &mut Outbox,
    ) {
        if self.waiting.len() >= PARKED_COUNT_MAX {
            out.unavailable(ticket, "too many inquiries are waiting");
            return;
        }
        if self.unsure {
            let Ok(kept) = withheld_before(reads) else {
                out.unavailable(ticket, "the register could not be read");
                return;
            };
            (self.withheld, self.unsure) = (kept, false);
        }
        let digest = inquiry_digest(&signed.body);
        let body = InquiryBody::decode(&signed.body).ok();
        let asked = Asked { peer, ticket, digest, body: body.as_ref() };
        let Some(directory) = member.directory_at(now) else {
            out.unavailable(ticket, "no valid directory is held");
            return;
        };
        let verdict = match asked.body {
            None => Ok(Err(Denial::QueryShape)),
            Some(body) => self.decide(directory, now, peer, (body, signed, digest), reads),
        };
        match verdict {
            Err(_) => out.unavailable(ticket, "the register could not be read"),
            Ok(Ok(release)) => self.park_release(member, now, &asked, release, out),
            Ok(Err(denial)) => self.park_denial(member, now, &asked, denial, out),
        }
    }

    /// Ask `law`, then look up what it permits, then ask `law` again whether it may be told.
    fn decide(
        &self,
        directory: &Directory,
        now: Timestamp,
        peer: &Peer,
        (body, signed, digest): (&InquiryBody, &SignedInquiry, [u8; 32]),
        reads: &dyn Reads,
    ) -> Looked<Result<Release, Denial>> {
        let Some(asker) = peer.organ else {
            return Ok(Err(Denial::OperatorUnknown));
        };
        let mut operator = standing(directory, body, &signed.signature, &digest);
        if let Some(standing) = operator.as_mut() {
            // What was signed names the asker and the answerer; a session cannot lend it to others.
            standing.signature_valid &= body.organ == asker && body.responder == self.organ;
            standing.signature_valid &= peer.role != Role::Terminal || body.terminal == peer.node;
        }
        let (judged_at, replayed) = judged(now, (&body.request, body.asked_at), reads)?;
        let inquiry = Inquiry {
            agreement: agreement(directory, &asker, now),
            asker,
            responder: self.organ,
            affair: body.affair.clone(),
            case_number: body.case_number.clone(),
            channel: body.channel,
            epoch: epoch(directory),
            operator,
            query: body.query.clone(),
            asked_at: body.asked_at,
            now: judged_at,
            replayed,
            digest,
        };
        let permit = match authorize(inquiry) {
            Ok(permit) => permit,
            Err(denial) => return Ok(Err(denial)),
        };
        let hits = find(permit.query(), &self.withheld, reads)?;
        Ok(release(permit, hits))
    }

    fn park_release(
        &mut self,
        member: &mut Member,
        now: Timestamp,
        asked: &Asked<'_>,
        release: Release,
        out: &mut Outbox,
    ) {
        let leaves = if release.subjects().is_empty() {
            let entry = describe(member.entry(EntryKind::NoProvision, now), asked);
            vec![out.leaf(entry, None)]
        } else {
            let keys: Vec<&str> = release.items().iter().map(|item| item.key()).collect();
            let items = keys.join(",");
            let mut about = |code: &law::code::RecordCode| {
                let entry = describe(member.entry(EntryKind::Provision, now), asked);
                out.leaf(entry.items(items.as_str()), Some(*code))
            };
            release.subjects().iter().map(&mut about).collect()
        };
        remember_request(now, asked.body.map(|body| (body.request, body.asked_at)), out);
        let id = member.entry_id();
        let parked = out.park(id, leaves, (asked.ticket, release));
        self.waiting.insert(id, Waiting::Answer(parked));
    }

    fn park_denial(
        &mut self,
        member: &mut Member,
        now: Timestamp,
        asked: &Asked<'_>,
        denial: Denial,
        out: &mut Outbox,
    ) {
        let entry = describe(member.entry(EntryKind::Refusal, now), asked);
        let entry = entry.rule(denial.public().rule);
        let leaf = out.leaf(entry, None);
        remember_request(now, asked.body.map(|body| (body.request, body.asked_at)), out);
        let id = member.entry_id();
        let parked = out.park(id, vec![leaf], (asked.ticket, asked.digest, denial));
        self.waiting.insert(id, Waiting::Refusal(parked));
    }

    /// Let out what waited for this receipt. Gives the receipt back when it is not ours.
    pub(crate) fn recorded(&mut self, receipt: Receipt, out: &mut Outbox) -> Option<Receipt> {
        match self.waiting.remove(&receipt.entry()) {
            Some(Waiting::Answer(parked)) => out.answer(parked, receipt),
            Some(Waiting::Refusal(parked)) => out.refuse(parked, receipt),
            None => return Some(receipt),
        }
        None
    }
}

/// What the directory says of the card, and whether it signed these bytes.
pub(crate) fn card_standing(
    directory: &Directory,
    card: &law::organ::CardId,
    signature: &[u8],
    digest: &[u8; 32],
) -> Option<OperatorStanding> {
    let row = operator_in(directory, card)?;
    let signature_valid = <&[u8; 64]>::try_from(signature)
        .is_ok_and(|signature| token::verify::p256_digest(&row.public_key, digest, signature));
    Some(OperatorStanding {
        card: row.card.clone(),
        organ: row.organ,
        class: row.class,
        affairs: row.affairs.clone(),
        revoked: row.revoked,
        signature_valid,
        from: row.from,
        to: row.to,
    })
}

fn standing(
    directory: &Directory,
    body: &InquiryBody,
    signature: &[u8],
    digest: &[u8; 32],
) -> Option<OperatorStanding> {
    card_standing(directory, &body.card, signature, digest)
}

/// The agreement in force; where there is none, an ended one is as good as none to `law`.
fn agreement(directory: &Directory, asker: &Organ, now: Timestamp) -> Option<Agreement> {
    let Organ::Agency(agency) = asker else { return None };
    directory.agreement(agency, now.date_in_japan()).cloned()
}

/// The epoch of the law in force: part of the signed directory, so that all members agree.
pub(crate) fn epoch(directory: &Directory) -> Epoch {
    directory.epoch
}

/// Persons whom the query finds, at most one more than may be told: `law` refuses at the 51st.
fn find(query: &Query, withheld: &Withheld, reads: &dyn Reads) -> Looked<Option<Vec<Held>>> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for probe in query.probes() {
        let candidates = reads.candidates(&probe, CANDIDATES_PER_PROBE_COUNT_MAX)?;
        if candidates.len() > CANDIDATES_PER_PROBE_COUNT_MAX {
            return Ok(None);
        }
        for held in candidates {
            let told = query.matches(&held.identity) && !withheld.contains_key(&held.identity.code);
            if told && seen.insert(held.identity.code) {
                found.push(held);
            }
            if found.len() > PROVISION_PERSONS_MAX {
                return Ok(Some(found));
            }
        }
    }
    Ok(Some(found))
}

fn release(permit: Permit, hits: Option<Vec<Held>>) -> Result<Release, Denial> {
    match hits {
        Some(hits) => permit.release(hits),
        // More candidates than are ever looked through: unknown, therefore refused.
        None => Err(Denial::MoreThan50),
    }
}

fn describe(entry: EntryBuilder, asked: &Asked<'_>) -> EntryBuilder {
    let mut entry = entry.request(&asked.digest);
    if let Some(organ) = &asked.peer.organ {
        entry = entry.asker(organ.to_string());
    }
    match asked.body {
        None => entry,
        Some(body) => asked_for(entry, body)
            .terminal(body.terminal.as_str())
            .card(body.card.as_str())
            .channel(body.channel.key())
            .mode(mode_key(&body.query)),
    }
}

/// Which keys were given, for the record; the keys themselves are nobody's business there.
fn mode_key(query: &QueryDraft) -> &'static str {
    match (&query.code, &query.address, &query.birth, query.prefix) {
        (Some(_), _, _, _) => "code",
        (None, Some(_), _, false) => "name-address",
        (None, Some(_), _, true) => "name-address-prefix",
        (None, None, Some(_), false) => "name-birth",
        (None, None, Some(_), true) => "name-birth-prefix",
        (None, None, None, _) => "none",
    }
}

/// The time by which the freshness of a request is judged, and whether it was made before.
///
/// The time is the clock's, but for a request that may have been forgotten: signed so early that
/// its identifier would be forgotten with others that are. A clock that was set back would make it
/// fresh again, and nobody would know any more that it was answered; it is judged by the time at
/// which it was forgotten, and so is stale. The measure is the signed times of forgotten requests,
/// never the clock alone: one that ran a day ahead stops nothing when it is put right.
pub(crate) fn judged(
    now: Timestamp,
    (request, asked_at): (&[u8; 16], Timestamp),
    reads: &dyn Reads,
) -> Looked<(Timestamp, bool)> {
    let forgotten = reads.counter(&Counter::RequestsForgotten)?;
    let at = if remembered_until(asked_at).0 <= forgotten {
        Timestamp(now.0.max(forgotten))
    } else {
        now
    };
    Ok((at, reads.request_seen(request)?))
}

/// Until its signed time is stale here for certain.
fn remembered_until(asked_at: Timestamp) -> Timestamp {
    Timestamp(asked_at.0.saturating_add(2 * ASKED_AT_SKEW_MS_MAX))
}

/// Against replay: a request of about now is remembered until its signed time is stale here for
/// certain. One of another time is refused for that alone; remembering it until a time that nobody
/// has vouched for would let a stranger fill the memory.
pub(crate) fn remember_request(
    now: Timestamp,
    asked: Option<([u8; 16], Timestamp)>,
    out: &mut Outbox,
) {
    let Some((request, asked_at)) = asked else { return };
    if asked_at.distance_ms(now) <= ASKED_AT_SKEW_MS_MAX {
        out.write(Write::RequestSeen { request, until: remembered_until(asked_at) });
    }
}

// Kept out of the public types: what is provided is built by `law` alone.
const _: fn(&Release) -> &[ProvidedPerson] = Release::persons;
