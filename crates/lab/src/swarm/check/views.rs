//! What a resident is shown (V4): every provision about them, with proofs that hold, and nothing
//! about anybody else. What the center hands down is held against the center's own ledger.

use law::code::RecordCode;
use law::time::Timestamp;
use node::ports::{ForeignEntry, Reads, Write};
use wire::{Refusal, Reply, ResidentView, SignedQuery};

use super::super::country::{CENTER, MUNICIPALITIES, PLACES, PREFECTURES, Place};
use super::super::keys::sha256;
use super::super::nation::Nation;
use super::conjunction::{is_stale, may_be_forgotten};
use super::lines::{field, hex};
use super::talk::above;
use super::{Checker, Line, Violation, unreadable};

/// Kinds of lines about one person that stand in the ledgers of a prefecture and the center.
const SHOWN: [&str; 4] = ["provision", "view-opened", "diverged", "repaired"];

/// A look at the records of one resident, as the script asked for it.
#[derive(Clone, Debug)]
pub(in super::super) struct ViewAsked {
    pub(in super::super) who: usize,
    pub(in super::super) code: RecordCode,
    /// The rule that it breaks, by the script's own knowledge.
    pub(in super::super) broken: Option<&'static str>,
}

/// What a view must at least hold, known when it is asked for.
#[derive(Clone, Debug)]
pub(super) struct ViewDue {
    who: usize,
    code: RecordCode,
    broken: Vec<&'static str>,
    must: Vec<Line>,
    /// Lines of the own ledger that had no proof yet.
    unproven_from: u64,
    /// The request, if this is the one that must be remembered.
    noted: Option<(Place, [u8; 16])>,
    /// The prefecture's clock stood later before.
    back: bool,
}

/// The digest of a query, over what the card signed.
pub(in super::super) fn query_digest_of(body: &[u8]) -> [u8; 32] {
    sha256(&[b"jukinet/1 query\n", body])
}

fn wrong(place: Place, what: &str) -> Violation {
    Violation::new("view", format!("place {place}: {what}"))
}

/// Whether a line is about one of these codes.
fn about(line: &Line, codes: &[&str]) -> bool {
    field(&line.0, "resident").is_some_and(|code| codes.contains(&code))
}

impl Checker {
    /// The script asks for a view.
    pub(in super::super) fn asks_view(&mut self, body: &[u8], asked: ViewAsked) {
        self.views.insert(query_digest_of(body), asked);
    }

    /// A view is asked for at a prefecture.
    pub(super) fn view_asked(
        &mut self,
        place: Place,
        (now, latest): (Timestamp, Timestamp),
        signed: &SignedQuery,
        (store, nation): (&dyn Reads, &Nation),
    ) -> Result<Option<ViewDue>, Violation> {
        let Some(asked) = self.views.get(&query_digest_of(&signed.body)).cloned() else {
            return Ok(None);
        };
        let of = super::bytes::fields(&signed.body).unwrap_or_default();
        let request: Option<[u8; 16]> =
            super::bytes::bytes(&of, 1).and_then(|bytes| bytes.try_into().ok());
        let Some(request) = request.map(|request| (place, request)) else { return Ok(None) };
        let asked_at = super::bytes::number(&of, 2);
        let stale = is_stale(asked_at, now);
        let replayed = self.seen.contains(&request) || self.seen_open.contains(&request);
        let mut broken: Vec<&'static str> = asked.broken.into_iter().collect();
        for (rule, when) in [("request-stale", stale), ("request-replayed", replayed)] {
            broken.extend(when.then_some(rule));
        }
        let noted = (!stale && !replayed).then_some(request);
        self.seen_open.extend(noted);
        let back = may_be_forgotten(asked_at, latest);
        // The store follows a person through a change of code, once it has heard of it; among
        // restless people the old code may still be on its way.
        let person = nation.persons.get(asked.who);
        let known = store.resident(&asked.code).map_err(unreadable)?.is_some();
        let follows = known && !self.restless;
        let mut codes = vec![asked.code.expose()];
        if let Some(person) = person.filter(|_| follows) {
            codes.extend(person.codes.iter().take_while(|c| **c != asked.code).map(|c| c.expose()));
        }
        let own = self.durable.get(&place).map_or(&[][..], Vec::as_slice);
        let foreign = self.foreign.get(&place).map_or(&[][..], Vec::as_slice);
        let must = own.iter().chain(foreign).filter(|line| about(line, &codes)).cloned();
        let must = must.collect();
        let unproven_from = self.published_size(place);
        let (who, code) = (asked.who, asked.code);
        Ok(Some(ViewDue { who, code, broken, must, unproven_from, noted, back }))
    }

    /// The reply to it leaves the prefecture.
    pub(super) fn view_leaves(
        &mut self,
        place: Place,
        digest: &[u8; 32],
        due: &ViewDue,
        reply: &Reply,
        nation: &Nation,
    ) -> Result<(), Violation> {
        match reply {
            Reply::View(view) => {
                if let Some(rule) = due.broken.first() {
                    return Err(wrong(place, &format!("shown against {rule}")));
                }
                self.opened(place, digest, "view-opened")?;
                self.view_holds(place, due, view, nation)?;
                self.counts.views += 1;
                Ok(())
            }
            Reply::Refusal(refusal) => self.view_refused(place, digest, due, refusal),
            _ => {
                if let Some(request) = due.noted {
                    self.seen_open.remove(&request);
                }
                Ok(())
            }
        }
    }

    fn view_refused(
        &mut self,
        place: Place,
        digest: &[u8; 32],
        due: &ViewDue,
        refusal: &Refusal,
    ) -> Result<(), Violation> {
        if refusal.digest != *digest {
            let detail = format!("place {place}: a view refused with another digest");
            return Err(Violation::new("answer-binding", detail));
        }
        // A clock that was set back: what it may have forgotten is refused.
        let forgot = due.back && refusal.rule == "request-stale";
        if let Some(request) = due.noted.filter(|_| forgot) {
            self.seen.remove(&request);
            self.seen_open.remove(&request);
        }
        if !forgot && !due.broken.contains(&refusal.rule.as_str()) {
            let detail = format!("place {place}: a view refused by {}", refusal.rule);
            return Err(Violation::new("permit", detail));
        }
        self.opened(place, digest, "refusal")?;
        self.refused.insert((*digest, refusal.rule.clone()));
        Ok(())
    }

    fn opened(&self, place: Place, digest: &[u8; 32], kind: &str) -> Result<(), Violation> {
        let request = hex(digest);
        let lines = self.durable.get(&place).map_or(&[][..], Vec::as_slice);
        let recorded = lines.iter().rev().any(|(entry, _)| {
            field(entry, "kind") == Some(kind) && field(entry, "request") == Some(&request)
        });
        if recorded {
            return Ok(());
        }
        let detail = format!("place {place}: a view without a durable record");
        Err(Violation::new("record-before-answer", detail))
    }

    fn view_holds(
        &self,
        place: Place,
        due: &ViewDue,
        view: &ResidentView,
        nation: &Nation,
    ) -> Result<(), Violation> {
        if view.code != due.code {
            return Err(wrong(place, "of another resident"));
        }
        let person = nation.persons.get(due.who);
        let codes: Vec<&str> =
            person.into_iter().flat_map(|person| &person.codes).map(|c| c.expose()).collect();
        let own = PLACES.get(place).map(|(node, _)| format!("jukinet.example/{node}"));
        let mut shown: Vec<Line> = Vec::new();
        for row in &view.rows {
            let line = (row.entry.clone(), row.salt);
            let kind = field(&row.entry, "kind").unwrap_or("");
            if !about(&line, &codes) || !SHOWN.contains(&kind) {
                return Err(wrong(place, &format!("a line of {kind} about somebody else")));
            }
            if shown.contains(&line) {
                return Err(wrong(place, "a line twice"));
            }
            let here = own.as_deref() == Some(row.ledger.as_str());
            if !(here && row.proof.is_empty() && self.is_unproven(place, &line, due)) {
                let proven = self.proven(&row.ledger, &row.entry, &row.salt, &row.proof);
                let (of, _) = proven.map_err(|what| wrong(place, what))?;
                if of != place && of != CENTER {
                    return Err(wrong(place, "a line of a stranger's ledger"));
                }
            }
            shown.push(line);
        }
        let missing = due.must.iter().filter(|line| !shown.contains(line)).count();
        if missing > 0 {
            return Err(wrong(place, &format!("{missing} lines about this resident are missing")));
        }
        Ok(())
    }

    /// A line of the own ledger that no checkpoint covered when the view was asked for.
    fn is_unproven(&self, place: Place, line: &Line, due: &ViewDue) -> bool {
        let lines = self.durable.get(&place).map_or(&[][..], Vec::as_slice);
        let first = usize::try_from(due.unproven_from).unwrap_or(usize::MAX);
        lines.iter().skip(first).any(|kept| kept == line)
    }

    /// The residents whose lines at a prefecture, own and taken over, are the most.
    pub(in super::super) fn most_provided(
        &self,
        place: Place,
        nation: &Nation,
        most: usize,
    ) -> Vec<usize> {
        let own = self.durable.get(&place).map_or(&[][..], Vec::as_slice);
        let foreign = self.foreign.get(&place).map_or(&[][..], Vec::as_slice);
        let mut counts = std::collections::BTreeMap::<&str, usize>::new();
        for (entry, _) in own.iter().chain(foreign) {
            if let Some(code) = field(entry, "resident") {
                *counts.entry(code).or_default() += 1;
            }
        }
        let of = |who: usize| {
            let codes = nation.persons.get(who).map_or(&[][..], |person| person.codes.as_slice());
            codes.iter().filter_map(|code| counts.get(code.expose())).sum::<usize>()
        };
        let mut all: Vec<usize> = (0..nation.persons.len()).collect();
        all.sort_by_key(|who| (std::cmp::Reverse(of(*who)), *who));
        all.truncate(most);
        all
    }

    /// What a prefecture takes over from the center: each line stands in the center's ledger, is a
    /// provision, and about somebody whom a municipality of the area had.
    pub(super) fn taken_over(
        &mut self,
        place: Place,
        writes: &[Write],
        nation: &Nation,
    ) -> Result<(), Violation> {
        for write in writes {
            let Write::PutForeign { subject, entry } = write else { continue };
            let ForeignEntry { ledger, entry, salt, proof } = entry;
            let not =
                |what: &str| Err(Violation::new("disclosed", format!("place {place}: {what}")));
            if !PREFECTURES.contains(&place) {
                return not("keeps what only prefectures show");
            }
            match self.proven(ledger, entry, salt, proof) {
                Ok((CENTER, _)) => {}
                Ok(_) => return not("a line that is not the center's"),
                Err(what) => return not(what),
            }
            if field(entry, "kind") != Some("provision") {
                return not("a line that is no provision");
            }
            if field(entry, "resident") != Some(subject.expose()) {
                return not("a line filed under another resident");
            }
            let who = nation.persons.iter().position(|person| person.codes.contains(subject));
            let of_area = who.is_some_and(|who| {
                MUNICIPALITIES.into_iter().any(|at| {
                    above(at) == place
                        && (!nation.deeds_at(who, &[at]).is_empty()
                            || nation.entered_wrongly(who, at))
                })
            });
            if !of_area {
                return not("a line about a resident who never lived in the area");
            }
            let line = (entry.clone(), *salt);
            let kept = self.foreign.get(&place).is_some_and(|lines| lines.contains(&line));
            if kept || self.foreign_open.contains(&(place, line.clone())) {
                return not("a line twice");
            }
            self.foreign_open.push((place, line));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &[u8] = b"jukinet-entry/1\nkind provision\nresident 10000000006\n";

    fn due(must: &[Line]) -> ViewDue {
        ViewDue {
            who: 0,
            code: RecordCode::from_ten_digits(1_000_000_000).unwrap(),
            broken: Vec::new(),
            must: must.to_vec(),
            unproven_from: 0,
            noted: None,
            back: false,
        }
    }

    fn view(rows: &[(&[u8], [u8; 32])]) -> ResidentView {
        let day = law::time::Date::parse("2026-11-22").unwrap();
        let row = |(entry, salt): &(&[u8], [u8; 32])| wire::ViewRow {
            entry: entry.to_vec(),
            salt: *salt,
            proof: String::new(),
            ledger: "jukinet.example/prefecture-13".to_owned(),
        };
        ResidentView {
            code: due(&[]).code,
            period_from: day,
            period_to: day,
            ledgers: Vec::new(),
            rows: rows.iter().map(row).collect(),
        }
    }

    #[test]
    fn a_view_that_leaves_out_doubles_or_mixes_up_is_found() {
        let mut nation = Nation::empty().unwrap();
        nation.invent(due(&[]).code).unwrap();
        let mut checker = Checker::default();
        let (line, other) = ((ENTRY.to_vec(), [1; 32]), (ENTRY.to_vec(), [2; 32]));
        let stranger = b"jukinet-entry/1\nkind provision\nresident 12345678903\n".to_vec();
        checker.durable.insert(1, vec![line.clone(), other.clone(), (stranger.clone(), [3; 32])]);
        let must = due(&[line, other]);
        let holds = |rows: &[(&[u8], [u8; 32])]| {
            checker.view_holds(1, &must, &view(rows), &nation).map_err(|v| v.rule)
        };
        assert_eq!(holds(&[(ENTRY, [1; 32]), (ENTRY, [2; 32])]), Ok(()));
        assert_eq!(holds(&[(ENTRY, [1; 32])]), Err("view"), "one is missing");
        assert_eq!(holds(&[(ENTRY, [1; 32]); 2]), Err("view"), "one twice");
        let mixed = [(ENTRY, [1; 32]), (ENTRY, [2; 32]), (&stranger, [3; 32])];
        assert_eq!(holds(&mixed), Err("view"), "a stranger's");
        let made_up = [(ENTRY, [1; 32]), (ENTRY, [2; 32]), (ENTRY, [9; 32])];
        assert_eq!(holds(&made_up), Err("view"), "one that stands nowhere");
    }

    #[test]
    fn what_is_handed_down_without_proof_is_found() {
        let mut checker = Checker::default();
        let nation = Nation::empty().unwrap();
        let entry = ForeignEntry {
            ledger: "jukinet.example/center".to_owned(),
            entry: ENTRY.to_vec(),
            salt: [1; 32],
            proof: "c2sp.org/tlog-proof@v1\nindex 0\n\nnote".to_owned(),
        };
        let writes = [Write::PutForeign { subject: due(&[]).code, entry }];
        for place in [1, 3] {
            assert_eq!(checker.taken_over(place, &writes, &nation).unwrap_err().rule, "disclosed");
        }
    }

    #[test]
    fn a_view_shown_against_a_rule_or_without_a_record_is_found() {
        let mut checker = Checker::default();
        let nation = Nation::empty().unwrap();
        let shown = Reply::View(view(&[]));
        let mut asked = due(&[]);
        let found = checker.view_leaves(1, &[0; 32], &asked, &shown, &nation).unwrap_err();
        assert_eq!(found.rule, "record-before-answer");
        asked.broken = vec!["card-class"];
        let found = checker.view_leaves(1, &[0; 32], &asked, &shown, &nation).unwrap_err();
        assert_eq!(found.rule, "view");
    }
}
