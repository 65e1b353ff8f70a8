//! Answers and refusals (V1, V2, V3): none without a durable record, none without a permit, each
//! for the request that was asked, and exactly the people a naive scan finds.

use std::collections::BTreeSet;

use law::inquiry::{Held, ProvidedPerson};
use law::time::Timestamp;
use node::ports::{Reads, Space};
use wire::{Answer, Refusal, Reply, SignedInquiry};

use super::super::country::{PLACES, Place, country};
use super::super::keys::sha256;
use super::conjunction::{
    Hearing, Signed, broken, first, may_be_forgotten, reach, read, signed_by,
};
use super::lines::{field, hex};
use super::plain::{asks_for, line};
use super::talk::{Speaker, Way};
use super::{Asked, Checker, Expected, Handed, Line, Reach, Violation, unreadable};

/// S1: 「該当者が50人を超えるとき…提供を受けられない」, counted here once more.
const PERSONS_MAX: usize = 50;

/// Facts of one kind that a store of the simulator never has more of.
const FACTS_COUNT_MAX: usize = 10_000;

/// The digest that an answer must carry, computed from the bytes that were signed.
pub(in super::super) fn digest_of(body: &[u8]) -> [u8; 32] {
    sha256(&[b"jukinet/1 inquiry\n", body])
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

    /// An inquiry is handed to a node: what must it say, given what it now holds? `None`: it only
    /// passes it on, or the plain reading does not judge it. `latest`: the latest that its clock
    /// ever showed.
    pub(super) fn inquired(
        &mut self,
        way: Way,
        (now, latest): (Timestamp, Timestamp),
        inquiry: &SignedInquiry,
        store: &dyn Reads,
    ) -> Result<Option<Handed>, Violation> {
        let place = way.to;
        let Some(signed) = read(&inquiry.body) else {
            // A node of the simulator never sends such bytes, unless it lies.
            return Ok(None);
        };
        let answers = PLACES.get(place).is_some_and(|(_, organ)| *organ == signed.responder);
        if way.speaker == Speaker::Terminal && !answers {
            return Ok(None);
        }
        let digest = digest_of(&inquiry.body);
        let request = (place, signed.request);
        let replayed = self.seen.contains(&request) || self.seen_open.contains(&request);
        let known = self.asked.get(&digest);
        // The script knows what it signed with; what it says is held to account now and then.
        let vouched = known.filter(|_| digest.first().is_some_and(|byte| byte % 8 != 0));
        let is_signed = || match vouched {
            Some(asked) => !asked.broken.contains(&"signature-invalid"),
            None => signed_by(signed.card, &digest, &inquiry.signature),
        };
        let country = country().map_err(|e| Violation::new("simulator", e.to_string()))?;
        let hearing = Hearing { country, way, now, agreed: self.agreed, replayed };
        let Some(rules) = broken(&signed, &hearing, is_signed) else { return Ok(None) };
        if let Some(asked) = known {
            same_as_script(asked, &rules, way)?;
        }
        // What is refused as stale is not noted: by a clock set right it may still be asked, once.
        let new = !rules.contains("request-stale") && !replayed;
        if new {
            self.seen_open.insert(request);
        }
        let expected = match first(&rules) {
            Some(rule) => Expected::Refusal(rule),
            None => scan(&signed, way, store)?,
        };
        let noted = new.then_some(signed.request);
        let back = may_be_forgotten(signed.asked_at, latest);
        Ok(Some(Handed { digest, expected, noted, back }))
    }

    /// An answer or a refusal leaves the place that decided it.
    pub(super) fn decided(
        &mut self,
        place: Place,
        handed: Handed,
        reply: &Reply,
    ) -> Result<(), Violation> {
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
        let named = |(entry, _): &Line| {
            field(entry, "kind") == Some(kind) && field(entry, "request") == Some(&request)
        };
        let mut subjects: Vec<&str> =
            lines.iter().filter_map(|(entry, _)| field(entry, "resident")).collect();
        let mut codes: Vec<&str> =
            answer.persons.iter().filter_map(|p| p.code.as_ref().map(|c| c.expose())).collect();
        subjects.sort_unstable();
        codes.sort_unstable();
        let its_own = PLACES.get(place).map(|(node, _)| format!("jukinet.example/{node}"));
        let elsewhere = its_own.as_deref() != Some(answer.ledger.as_str());
        if lines.is_empty() || elsewhere || !lines.iter().all(named) || subjects != codes {
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
        self.refused.insert((digest, refusal.rule.clone()));
        Ok(())
    }

    /// A server hands on what another one answered to this very inquiry: unchanged, or not at all.
    pub(super) fn passed_on(
        &self,
        place: Place,
        digest: &[u8; 32],
        reply: &Reply,
    ) -> Result<(), Violation> {
        let (of, same) = match reply {
            Reply::Answer(answer) => {
                let told: Vec<String> = answer.persons.iter().map(told).collect();
                (answer.digest, self.released.get(digest) == Some(&told))
            }
            Reply::Refusal(refusal) => {
                (refusal.digest, self.refused.contains(&(*digest, refusal.rule.clone())))
            }
            _ => return Ok(()),
        };
        if of == *digest && same {
            return Ok(());
        }
        let detail = format!("place {place} passes on what no provider let out for this inquiry");
        Err(Violation::new("answer-binding", detail))
    }

    /// A server passes an inquiry on: it has recorded that.
    pub(in super::super) fn forwarded(
        &self,
        place: Place,
        signed: &SignedInquiry,
    ) -> Result<(), Violation> {
        if self.lies(place) {
            return Ok(());
        }
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
        // What a hostile prefecture let out is not followed.
        if self.lies(1) || self.lies(2) {
            return Ok(());
        }
        let told: Vec<String> = answer.persons.iter().map(told).collect();
        if answer.digest == *asked && self.released.get(asked) == Some(&told) {
            return Ok(());
        }
        Err(Violation::new("answer-binding", "a terminal shows another's answer".to_owned()))
    }

    /// A terminal shows a refusal: it is the one that this inquiry got.
    pub(in super::super) fn shown_refusal(
        &self,
        asked: &[u8; 32],
        refusal: &Refusal,
    ) -> Result<(), Violation> {
        if self.lies(1) || self.lies(2) {
            return Ok(());
        }
        let same = self.refused.contains(&(*asked, refusal.rule.clone()));
        if refusal.digest == *asked && same {
            return Ok(());
        }
        Err(Violation::new("answer-binding", "a terminal shows another's refusal".to_owned()))
    }
}

/// What the script meant and what it signed must be the same inquiry.
fn same_as_script(
    asked: &Asked,
    rules: &BTreeSet<&'static str>,
    way: Way,
) -> Result<(), Violation> {
    let of_itself = |rule: &&str| !matches!(*rule, "request-stale" | "request-replayed");
    let meant: BTreeSet<&str> = asked.broken.iter().copied().filter(of_itself).collect();
    let signed: BTreeSet<&str> = rules.iter().copied().filter(of_itself).collect();
    // A card of another organ carries other affairs as well; the script names the first flaw only.
    let elsewhere = asked.provider != way.to;
    if elsewhere || !meant.is_subset(&signed) || meant.is_empty() != signed.is_empty() {
        let detail = format!("meant {meant:?}, signed {signed:?}, to place {}", way.to);
        return Err(Violation::new("terminal", detail));
    }
    Ok(())
}

/// Everybody the provider holds, one after the other, but for those whom the tiers disagree about.
fn scan(signed: &Signed<'_>, way: Way, store: &dyn Reads) -> Result<Expected, Violation> {
    let withheld = store.facts(Space::Comparison, None, FACTS_COUNT_MAX).map_err(unreadable)?;
    let doubted = |held: &Held| {
        let code = held.identity.code.expose().as_bytes();
        withheld.iter().any(|(_, value)| value.starts_with(code))
    };
    let rows = store.residents_after(0, usize::MAX).map_err(unreadable)?;
    let rows = rows.into_iter().map(|(_, held)| held);
    let mut found: Vec<Held> =
        rows.filter(|held| asks_for(&signed.draft, held) && !doubted(held)).collect();
    if found.len() > PERSONS_MAX {
        return Ok(Expected::Refusal("more-than-50"));
    }
    let reaches = reach(way.from, signed.affair);
    found.retain(|held| {
        let home = held.identity.municipality.as_str();
        match reaches {
            None => true,
            Some(Reach::Of(area)) => home.starts_with(area),
            Some(Reach::NotOf(area)) => !home.starts_with(area),
        }
    });
    Ok(Expected::Persons(found.iter().map(line).collect()))
}
