//! The upper side of the comparison: says where it differs, withholds whom the tiers disagree
//! about, and takes the signed repair of the tier below.
//!
//! A repair replaces only what the sender saw, and only a person whom this tier holds as that very
//! municipality's, or nobody holds or ever held: people move by notice and release, never by
//! repair.

use std::collections::{BTreeMap, BTreeSet};

use law::code::{LocalGovernmentCode, RecordCode};
use law::inquiry::Held;
use law::time::Timestamp;
use ledger::entry::EntryKind;
use wire::limits::COMPARE_PERSONS_COUNT_MAX;
use wire::{
    Compare, Compared, RangeDigest, RangePersons, RepairBody, SignedRepair, Standing, Suspect,
    Suspicion,
};

use super::forest::{Forest, Side};
use super::unsettled::unsettled;
use crate::machine::{Peer, Ticket};
use crate::member::Member;
use crate::outbox::Outbox;
use crate::people::limit_removed;
use crate::ports::{Counter, Looked, ReadError, Reads, Space, Write};

/// A repair that was signed longer ago is of another hour.
const REPAIR_AGE_MS_MAX: u64 = 300_000;
/// Persons withheld at once; more differences than these are for people to look into.
const WITHHELD_COUNT_MAX: usize = 4_096;
/// Persons withheld that are taken up after a start, in one look.
const FACTS_AT_ONCE_COUNT_MAX: usize = 512;

/// Who is not provided because the tiers disagree, and whose resident that is.
pub(crate) type Withheld = BTreeMap<RecordCode, LocalGovernmentCode>;

/// The answering side at the prefecture and at the center.
#[derive(Debug, Default)]
pub(crate) struct Answering {
    /// When a municipality's tree last agreed with the one below.
    agreed: BTreeMap<LocalGovernmentCode, Timestamp>,
}

/// Whether a municipality is the sender's to speak for.
pub(crate) type Speaks<'a> = &'a dyn Fn(&LocalGovernmentCode) -> bool;

/// The persons who were withheld when this node stopped.
///
/// # Errors
/// When one of them cannot be read: who may be told about is not known then.
pub(crate) fn withheld_before(reads: &dyn Reads) -> Looked<Withheld> {
    let mut withheld = Withheld::new();
    let mut after = None;
    loop {
        let facts = reads.facts(Space::Comparison, after, FACTS_AT_ONCE_COUNT_MAX)?;
        let Some((last, _)) = facts.last() else { return Ok(withheld) };
        after = Some(*last);
        withheld.extend(facts.iter().filter_map(|(_, value)| withheld_from(value)));
    }
}

fn withheld_from(value: &[u8]) -> Option<(RecordCode, LocalGovernmentCode)> {
    let (code, municipality) = std::str::from_utf8(value).ok()?.split_once(' ')?;
    Some((RecordCode::parse(code).ok()?, LocalGovernmentCode::parse(municipality).ok()?))
}

impl Answering {
    /// Whether what is held about this municipality was the same below since the register was last
    /// found altered: only then may it be told on.
    pub(crate) fn is_vouched(&self, forest: &Forest, municipality: &LocalGovernmentCode) -> bool {
        match (self.agreed.get(municipality), forest.disturbed(municipality)) {
            (Some(agreed), Some(disturbed)) => *agreed >= disturbed,
            _ => false,
        }
    }

    /// Say where the two sides differ. `true`: they agree about everybody.
    pub(crate) fn compared(
        &mut self,
        now: Timestamp,
        ticket: Ticket,
        (asked, speaks): (&Compare, Speaks<'_>),
        (forest, withheld): (&mut Forest, &mut Withheld),
        out: &mut Outbox,
    ) -> bool {
        if !speaks(&asked.municipality) {
            out.unavailable(ticket, "the comparison is about another area");
            return false;
        }
        let Some(tree) = forest.tree((asked.municipality, Side::Answering), &asked.key, now) else {
            out.unavailable(ticket, "the comparison is being prepared");
            return false;
        };
        let mut told = Compared { parts: Vec::new(), persons: Vec::new() };
        for theirs in &asked.ranges {
            let RangeDigest { depth, prefix, .. } = *theirs;
            let ours = tree.sum(depth, prefix);
            if ours == *theirs {
                continue;
            }
            if ours.count <= COMPARE_PERSONS_COUNT_MAX as u64 {
                let persons = tree.persons(depth, prefix);
                told.persons.push(RangePersons { depth, prefix, persons });
            } else {
                told.parts.extend(tree.parts(depth, prefix));
            }
        }
        let whole = asked.ranges.iter().any(|range| range.depth == 0);
        let agree = whole && told.parts.is_empty() && told.persons.is_empty();
        if agree {
            self.agreed.insert(asked.municipality, now);
            let settled = |(code, of): (&RecordCode, &LocalGovernmentCode)| {
                (*of == asked.municipality).then_some(*code)
            };
            let codes: Vec<RecordCode> = withheld.iter().filter_map(settled).collect();
            for code in codes {
                trust(&code, withheld, out);
            }
        }
        out.tell_compared(ticket, told);
        agree
    }

    /// Two looks found the same difference: whom it is about is not provided until it is settled.
    pub(crate) fn suspected(
        member: &mut Member,
        now: Timestamp,
        (from, ticket): (&Peer, Ticket),
        (asked, speaks): (&Suspicion, Speaks<'_>),
        (forest, withheld, reads): (&Forest, &mut Withheld, &dyn Reads),
        out: &mut Outbox,
    ) {
        let tree = forest.filled(&(asked.municipality, Side::Answering));
        let tree = tree.filter(|tree| *tree.key() == asked.key && speaks(&asked.municipality));
        let Some(tree) = tree else {
            out.unavailable(ticket, "the comparison is being prepared");
            return;
        };
        let Ok(unsettled) = unsettled(reads) else {
            out.unavailable(ticket, "notices that wait come first");
            return;
        };
        let unsettled: BTreeSet<u64> = unsettled.iter().map(|code| tree.place(code)).collect();
        let judged = |suspect: &&Suspect| !unsettled.contains(&suspect.place);
        let mut standings = Vec::with_capacity(asked.persons.len());
        for suspect in asked.persons.iter().filter(judged) {
            let digest = tree.digest_at(suspect.place);
            let code = tree.code_at(suspect.place);
            if let Some(code) = code.filter(|_| digest == suspect.other && digest != suspect.own) {
                distrust(member, now, from, (code, asked.municipality), withheld, out);
            }
            let code = code.filter(|_| suspect.own.is_none());
            standings.push(Standing { place: suspect.place, digest, code });
        }
        if standings.is_empty() {
            out.unavailable(ticket, "notices that wait come first");
        } else {
            out.tell_suspected(ticket, standings);
        }
    }

    /// Put what the tier below holds in the place of what differed.
    pub(crate) fn repair(
        member: &mut Member,
        now: Timestamp,
        (from, ticket): (&Peer, Ticket),
        (signed, speaks): (&SignedRepair, Speaks<'_>),
        (forest, withheld, reads): (&Forest, &mut Withheld, &dyn Reads),
        out: &mut Outbox,
    ) {
        let body = match believed(member, from, signed).filter(|body| speaks(&body.municipality)) {
            Some(body) if body.repaired_at.distance_ms(now) <= REPAIR_AGE_MS_MAX => body,
            _ => {
                out.unavailable(ticket, "the repair is not signed by who may repair");
                return;
            }
        };
        match replacement(&body, from, forest, reads) {
            Err(_) => out.unavailable(ticket, "the register could not be read"),
            Ok(Outcome::Later) => out.unavailable(ticket, "notices are under way; compare again"),
            Ok(Outcome::Refused) => {
                // Recorded with its subject: whoever asks by repairs leaves a trace at the person.
                let entry = member.entry(EntryKind::Diverged, now).terminal(from.node.as_str());
                let id = member.entry_id();
                let leaf = out.leaf(entry.note("a repair was refused"), Some(body.code));
                out.record(id, leaf);
                out.tell_repaired(ticket, false);
            }
            Ok(Outcome::Replace(held)) => {
                if let Some(held) = held {
                    out.write(Write::PutResident(held.clone()));
                    limit_removed(member.regime(), &held, now, out);
                }
                trust(&body.code, withheld, out);
                let entry = member
                    .entry(EntryKind::Repaired, now)
                    .terminal(from.node.as_str())
                    .rule(body.reason.clone());
                let id = member.entry_id();
                let leaf = out.leaf(entry, Some(body.code));
                out.record(id, leaf);
                out.tell_repaired(ticket, true);
            }
        }
    }
}

fn replacement(
    body: &RepairBody,
    from: &Peer,
    forest: &Forest,
    reads: &dyn Reads,
) -> Looked<Outcome> {
    let tree = forest.filled(&(body.municipality, Side::Answering));
    let tree = tree.filter(|tree| *tree.key() == body.key);
    let Some(tree) = tree else { return Ok(Outcome::Later) };
    // What was notified before the repair was signed is applied, and nothing after it: neither
    // an older copy of the sender's register nor a newer notice is mixed with it.
    if reads.counter(&Counter::AppliedFrom(from.node.clone()))? != body.after {
        return Ok(Outcome::Later);
    }
    if unsettled(reads)?.contains(&body.code) {
        return Ok(Outcome::Later);
    }
    if tree.digest_at(tree.place(&body.code)) != body.seen {
        return Ok(Outcome::Refused);
    }
    let fits = |held: &Held| {
        held.identity.code == body.code && held.identity.municipality == body.municipality
    };
    if body.state.as_ref().is_some_and(|held| !fits(held)) {
        return Err(ReadError::Store("a repair is about two persons".to_owned()));
    }
    let here = reads.resident(&body.code)?;
    let elsewhere =
        here.as_ref().is_some_and(|held| held.identity.municipality != body.municipality);
    let retired =
        here.is_none() && reads.fact(Space::Retired, &Space::about(&body.code))?.is_some();
    // Whoever was let go is entered again by a notice with a word only.
    let gone = {
        let mut key = Space::about(&body.code);
        key.extend_from_slice(body.municipality.as_str().as_bytes());
        reads.fact(Space::Departure, &key)?.is_some()
    };
    let comes_back = gone && body.state.as_ref().is_some_and(|state| !state.removed);
    Ok(match (here, &body.state) {
        _ if elsewhere || retired || comes_back => Outcome::Refused,
        (_, Some(state)) => Outcome::Replace(Some(state.clone())),
        (Some(here), None) => Outcome::Replace(Some(Held { removed: true, ..here })),
        (None, None) => Outcome::Replace(None),
    })
}

enum Outcome {
    /// Not to be judged now.
    Later,
    /// The person stands differently by now, or is another municipality's.
    Refused,
    /// To be held from now on; none: there is nobody to change.
    Replace(Option<Held>),
}

/// A repair with a true signature of the sender's own node key, as the directory pins it.
fn believed(member: &Member, from: &Peer, signed: &SignedRepair) -> Option<RepairBody> {
    let sender = member.find(&from.node)?;
    let message = SignedRepair::signing_bytes(&signed.body);
    let signed_by_it = token::verify::pin(&signed.public_key) == sender.pin
        && token::verify::p256(&signed.public_key, &message, &signed.signature);
    if signed_by_it { RepairBody::decode(&signed.body).ok() } else { None }
}

fn distrust(
    member: &mut Member,
    now: Timestamp,
    from: &Peer,
    (code, municipality): (RecordCode, LocalGovernmentCode),
    withheld: &mut Withheld,
    out: &mut Outbox,
) {
    if withheld.len() >= WITHHELD_COUNT_MAX || withheld.insert(code, municipality).is_some() {
        return;
    }
    let value = format!("{} {municipality}", code.expose()).into_bytes();
    let key = Space::about(&code);
    out.write(Write::PutFact { space: Space::Comparison, key, value });
    let entry = member.entry(EntryKind::Diverged, now).terminal(from.node.as_str());
    let id = member.entry_id();
    let leaf = out.leaf(entry.note("withheld until it is settled"), Some(code));
    out.record(id, leaf);
}

fn trust(code: &RecordCode, withheld: &mut Withheld, out: &mut Outbox) {
    if withheld.remove(code).is_some() {
        let key = Space::about(code);
        out.write(Write::DropFact { space: Space::Comparison, key });
    }
}
