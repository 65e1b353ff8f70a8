//! Answers and refusals: none without a durable record, none without a permit, each for the request
//! that was asked, and exactly the people a naive scan finds.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use law::inquiry::{Held, ProvidedPerson};
use law::time::Timestamp;
use node::ports::Reads;
use wire::{Answer, Refusal, Reply, SignedInquiry};

use super::super::country::Place;
use super::super::keys::sha256;
use super::super::nation::Nation;
use super::plain::{asks_for, line};
use super::{Asked, Checker, Expected, Handed, Reach, Violation, unreadable};

/// S1: 「該当者が50人を超えるとき…提供を受けられない」, counted here once more.
const PERSONS_MAX: usize = 50;

/// S1 and the project's rule: a request counts around the moment it was made.
const FRESH_MS: u64 = 60_000;

/// What precedes what when several rules are broken: who asks, freshness, by what right, what.
const PRECEDENCE: [&str; 15] = [
    "operator-unknown",
    "card-revoked",
    "card-of-another-organ",
    "signature-invalid",
    "request-stale",
    "request-replayed",
    "card-class",
    "affair-unknown",
    "affair-not-of-recipient",
    "agreement-missing",
    "affair-not-on-card",
    "case-number-missing",
    "query-shape",
    "prefix-too-short",
    "more-than-50",
];

/// The digest that an answer must carry, computed from the bytes that were signed.
pub(in super::super) fn digest_of(body: &[u8]) -> [u8; 32] {
    sha256(&[b"jukinet/1 inquiry\n", body])
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").unwrap_or(());
    }
    text
}

/// Value of a line `key value` in an entry's text.
fn field<'e>(entry: &'e [u8], key: &str) -> Option<&'e str> {
    let text = std::str::from_utf8(entry).ok()?;
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '))
}

fn told(person: &ProvidedPerson) -> String {
    let change = person.change.map(|c| format!("{} {}", c.reason.key(), c.on)).unwrap_or_default();
    [
        person.code.as_ref().map_or("", |code| code.expose()),
        person.name.expose(),
        person.kana.expose(),
        person.address.expose(),
        person.sex.expose(),
        &person.birth.expose(),
        &change,
    ]
    .join("|")
}

impl Checker {
    /// The script made this inquiry.
    pub(in super::super) fn asks(&mut self, signed: &SignedInquiry, asked: Asked) {
        self.asked.insert(digest_of(&signed.body), asked);
    }

    /// A provider is about to be handed a request: what must it say, given what it now holds?
    /// `latest`: the latest its clock ever showed.
    pub(in super::super) fn handed(
        &mut self,
        (place, now, latest): (Place, Timestamp, Timestamp),
        ticket: u64,
        signed: &SignedInquiry,
        store: &dyn Reads,
        nation: &Nation,
    ) -> Result<(), Violation> {
        let digest = digest_of(&signed.body);
        let Some(asked) = self.asked.get(&digest) else {
            let detail = format!("place {place} was asked what no terminal asked");
            return Err(Violation::new("permit", detail));
        };
        if asked.provider != place {
            return Ok(());
        }
        let mut broken = asked.broken.clone();
        // Whether it is stale is a matter of two clocks, not of what the script meant.
        broken.retain(|rule| *rule != "request-stale");
        // A provider whose clock was set back goes on with any time since its latest.
        let late = now.0.max(latest.0);
        let stale = asked.at.0 + FRESH_MS < now.0 || asked.at.0 > late + FRESH_MS;
        if stale {
            broken.push("request-stale");
        }
        let request = (place, asked.request);
        if self.seen.contains(&request) || self.seen_open.contains(&request) {
            broken.push("request-replayed");
        }
        let first = PRECEDENCE.into_iter().find(|rule| broken.contains(rule));
        let expected = match first {
            Some(rule) => Expected::Refusal(rule),
            None => scan(asked, store, nation)?,
        };
        // What is refused as stale is not noted: by a clock set right it may still be asked, once.
        let new = !stale && !broken.contains(&"request-replayed");
        if new {
            self.seen_open.insert(request);
        }
        let back = now.0 < latest.0;
        let noted = new.then_some(asked.request);
        self.expected.insert((place, ticket), Handed { digest, expected, noted, back });
        Ok(())
    }

    /// A reply leaves a place. Only replies to inquiries that the place itself answers matter here.
    pub(in super::super) fn leaves(
        &mut self,
        place: Place,
        ticket: u64,
        reply: &Reply,
    ) -> Result<(), Violation> {
        let Some(handed) = self.expected.remove(&(place, ticket)) else {
            return self.passed_on(place, reply);
        };
        let Handed { digest, mut expected, noted, back } = handed;
        match reply {
            Reply::Answer(answer) => self.answer_leaves(place, digest, expected, answer),
            Reply::Refusal(refusal) => {
                // A clock that was set back: what it may have forgotten is refused.
                if back && refusal.rule == "request-stale" {
                    expected = Expected::Refusal("request-stale");
                    if let Some(request) = noted {
                        self.seen.remove(&(place, request));
                        self.seen_open.remove(&(place, request));
                    }
                }
                self.refusal_leaves(place, digest, &expected, refusal)
            }
            Reply::Unavailable { .. } => {
                self.counts.unavailable += 1;
                // Nothing was decided: what was noted by this one only may be asked again.
                if let Some(request) = noted {
                    self.seen_open.remove(&(place, request));
                }
                Ok(())
            }
            _ => Err(Violation::new("conversation", format!("place {place}: {reply:?}"))),
        }
    }

    fn answer_leaves(
        &mut self,
        place: Place,
        digest: [u8; 32],
        expected: Expected,
        answer: &Answer,
    ) -> Result<(), Violation> {
        let wrong =
            |rule, what: String| Err(Violation::new(rule, format!("place {place}: {what}")));
        if answer.digest != digest {
            return wrong(
                "answer-binding",
                "the answer carries another request's digest".to_owned(),
            );
        }
        let Expected::Persons(wanted) = expected else {
            return wrong("permit", format!("answered what must be refused: {expected:?}"));
        };
        let told: Vec<String> = answer.persons.iter().map(told).collect();
        let found: BTreeSet<String> = told.iter().cloned().collect();
        if found.len() != told.len() || told.len() > PERSONS_MAX {
            return wrong(
                "permit",
                format!("{} persons, {} of them once", told.len(), found.len()),
            );
        }
        if found != wanted {
            let missing = wanted.difference(&found).count();
            let surplus = found.difference(&wanted).count();
            return wrong("scan", format!("{missing} persons missing, {surplus} too many"));
        }
        self.recorded(place, digest, answer)?;
        self.counts.answers += 1;
        self.counts.persons += told.len() as u64;
        self.released.insert(digest, told);
        Ok(())
    }

    /// The lines that the answer names stand in the durable ledger, one for each person.
    fn recorded(&self, place: Place, digest: [u8; 32], answer: &Answer) -> Result<(), Violation> {
        let first = usize::try_from(answer.index).unwrap_or(usize::MAX);
        let lines = self.durable.get(&place).map_or(&[][..], Vec::as_slice);
        let lines = lines.get(first..).unwrap_or(&[]);
        let lines = lines.get(..answer.persons.len().max(1)).unwrap_or(&[]);
        let request = hex(&digest);
        let kind = if answer.persons.is_empty() { "no-provision" } else { "provision" };
        let named = |(entry, _): &super::Line| {
            field(entry, "kind") == Some(kind) && field(entry, "request") == Some(&request)
        };
        let mut subjects: Vec<&str> =
            lines.iter().filter_map(|(entry, _)| field(entry, "resident")).collect();
        let mut codes: Vec<&str> =
            answer.persons.iter().filter_map(|p| p.code.as_ref().map(|c| c.expose())).collect();
        subjects.sort_unstable();
        codes.sort_unstable();
        if lines.is_empty() || !lines.iter().all(named) || subjects != codes {
            let detail =
                format!("place {place}: the answer names index {first}, not durable there");
            return Err(Violation::new("record-before-answer", detail));
        }
        Ok(())
    }

    fn refusal_leaves(
        &mut self,
        place: Place,
        digest: [u8; 32],
        expected: &Expected,
        refusal: &Refusal,
    ) -> Result<(), Violation> {
        let wrong =
            |rule, what: String| Err(Violation::new(rule, format!("place {place}: {what}")));
        if refusal.digest != digest {
            return wrong("answer-binding", "the refusal carries another digest".to_owned());
        }
        match expected {
            Expected::Refusal(rule) if *rule == refusal.rule => {}
            Expected::Refusal(rule) => {
                return wrong("permit", format!("refused by {}, not {rule}", refusal.rule));
            }
            Expected::Persons(found) => {
                let count = found.len();
                return wrong("permit", format!("refused by {}: {count} persons", refusal.rule));
            }
        }
        let lines = self.durable.get(&place).map_or(&[][..], Vec::as_slice);
        let request = hex(&digest);
        let recorded = lines.iter().rev().any(|(entry, _)| {
            field(entry, "kind") == Some("refusal")
                && field(entry, "request") == Some(&request)
                && field(entry, "rule") == Some(&refusal.rule)
        });
        if !recorded {
            return wrong("record-before-answer", "a refusal without a durable record".to_owned());
        }
        self.counts.refusals += 1;
        Ok(())
    }

    /// A server hands on what another one answered: unchanged, or not at all.
    fn passed_on(&self, place: Place, reply: &Reply) -> Result<(), Violation> {
        let Reply::Answer(answer) = reply else { return Ok(()) };
        let told: Vec<String> = answer.persons.iter().map(told).collect();
        if self.released.get(&answer.digest) == Some(&told) {
            return Ok(());
        }
        let detail = format!("place {place} passes on what no provider let out");
        Err(Violation::new("answer-binding", detail))
    }

    /// A server passes an inquiry on: it has recorded that.
    pub(in super::super) fn forwarded(
        &self,
        place: Place,
        signed: &SignedInquiry,
    ) -> Result<(), Violation> {
        let request = hex(&digest_of(&signed.body));
        let lines = self.durable.get(&place).map_or(&[][..], Vec::as_slice);
        let recorded = lines.iter().rev().any(|(entry, _)| {
            field(entry, "kind") == Some("forwarded") && field(entry, "request") == Some(&request)
        });
        if recorded {
            return Ok(());
        }
        let detail = format!("place {place} passed an inquiry on without a durable record");
        Err(Violation::new("record-before-answer", detail))
    }

    /// A terminal shows something: it is the answer to what this terminal asked.
    pub(in super::super) fn shown(
        &self,
        asked: &[u8; 32],
        answer: &Answer,
    ) -> Result<(), Violation> {
        let told: Vec<String> = answer.persons.iter().map(told).collect();
        if answer.digest == *asked && self.released.get(asked) == Some(&told) {
            return Ok(());
        }
        Err(Violation::new("answer-binding", "a terminal shows another's answer".to_owned()))
    }
}

/// Everybody the provider holds, one after the other.
fn scan(asked: &Asked, store: &dyn Reads, nation: &Nation) -> Result<Expected, Violation> {
    let mut found: Vec<Held> = Vec::new();
    for person in &nation.persons {
        for code in &person.codes {
            let held = store.resident(code).map_err(unreadable)?;
            found.extend(held.filter(|held| asks_for(&asked.draft, held)));
        }
    }
    if found.len() > PERSONS_MAX {
        return Ok(Expected::Refusal("more-than-50"));
    }
    found.retain(|held| {
        let home = held.identity.municipality.as_str();
        match asked.reaches {
            None => true,
            Some(Reach::Of(area)) => home.starts_with(area),
            Some(Reach::NotOf(area)) => !home.starts_with(area),
        }
    });
    Ok(Expected::Persons(found.iter().map(line).collect()))
}
