//! Every act has its line and every line its act (V3): the ledgers are counted against what was
//! handed in and what left. Lines are read as text; nothing of `ledger` or `node`.
//!
//! A crash may leave a line whose answer never left, so lines are never more than what was handed
//! in and never fewer than what left; a line that leaves is durable by then.

use std::collections::{BTreeMap, BTreeSet};

use wire::{FeedVerdict, Reply};

use super::super::country::{CENTER, PLACES, Place};
use super::bytes::{bytes, fields, number as field_number};
use super::lines::{field, number};
use super::{Checker, Violation};

/// Words for what a line tells, as S1 and the acts have them.
const KINDS: [&str; 23] = [
    "provision",
    "no-provision",
    "refusal",
    "notices-received",
    "feed-received",
    "loaded",
    "erased",
    "directory-issued",
    "disclosures-received",
    "view-opened",
    "status-shown",
    "forwarded",
    "resident-released",
    "release-refused",
    "resident-arrived",
    "notices-set-aside",
    "codes-designated",
    "codes-received",
    "code-taken",
    "diverged",
    "repaired",
    "started",
    "stopped",
];

/// Kinds that are about one person, and so the only ones that name a code.
const ABOUT_ONE: [&str; 6] =
    ["provision", "resident-released", "resident-arrived", "diverged", "repaired", "view-opened"];

/// What was counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Acts {
    /// Requests handed to a place, by what they ask and by what tells them apart.
    handed: BTreeMap<(Place, &'static str, String), u64>,
    /// Lines durable at a place, the same way.
    lines: BTreeMap<(Place, &'static str, String), u64>,
    /// Replies that left.
    left: BTreeMap<(Place, &'static str, String), u64>,
    /// (place, request, resident) of provisions.
    provided: BTreeSet<(Place, String, String)>,
    /// Last number of a sender's queue that a place recorded.
    up_to: BTreeMap<(Place, &'static str, String), u64>,
    /// Serials of directories that the center recorded.
    issued: BTreeSet<u64>,
}

impl Acts {
    /// Something was handed to a place.
    pub(super) fn handed(&mut self, place: Place, what: &'static str, which: String) {
        *self.handed.entry((place, what, which)).or_default() += 1;
    }

    fn line(&mut self, place: Place, what: &'static str, which: String) -> Result<(), String> {
        let key = (place, what, which);
        let handed = self.handed.get(&key).copied().unwrap_or(0);
        let lines = self.lines.entry(key).or_default();
        *lines += 1;
        if *lines > handed {
            return Err(format!("{lines} lines of {what} for {handed} requests"));
        }
        Ok(())
    }

    fn leaves(&mut self, place: Place, what: &'static str, which: String) -> Result<(), String> {
        let key = (place, what, which);
        let lines = self.lines.get(&key).copied().unwrap_or(0);
        let left = self.left.entry(key).or_default();
        *left += 1;
        if *left > lines {
            return Err(format!("{left} of {what} left, {lines} recorded"));
        }
        Ok(())
    }

    /// Numbers of a queue are recorded one after the other, none twice.
    fn follows(&mut self, place: Place, what: &'static str, entry: &[u8]) -> Result<(), String> {
        let from = field(entry, "terminal").unwrap_or("").to_owned();
        let (first, last) = (number(entry, "first"), number(entry, "last"));
        let count = number(entry, "count");
        let (Some(first), Some(last), Some(count)) = (first, last, count) else {
            return Err(format!("{what} without its numbers"));
        };
        let before = self.up_to.entry((place, what, from)).or_default();
        if first != *before + 1 || last < first || count != last - first + 1 {
            return Err(format!("{what} {first} to {last}, {count} of them, after {before}"));
        }
        *before = last;
        Ok(())
    }
}

impl Checker {
    /// A line became durable.
    pub(super) fn line_kept(&mut self, place: Place, entry: &[u8]) -> Result<(), Violation> {
        if self.lies(place) {
            return Ok(());
        }
        super::secrets::entry(place, entry)?;
        self.one_line(place, entry)
            .map_err(|what| Violation::new("ledger-line", format!("place {place}: {what}")))
    }

    fn one_line(&mut self, place: Place, entry: &[u8]) -> Result<(), String> {
        let word = field(entry, "kind").unwrap_or("");
        let kind = KINDS.into_iter().find(|kind| *kind == word).ok_or("of no known kind")?;
        if !entry.starts_with(b"jukinet-entry/1\n") {
            return Err("without its head".to_owned());
        }
        if field(entry, "node") != PLACES.get(place).map(|(node, _)| *node) {
            return Err(format!("{kind} of another node"));
        }
        let resident = field(entry, "resident");
        if resident.is_some() != ABOUT_ONE.contains(&kind) {
            return Err(format!("{kind} about the wrong number of persons"));
        }
        let request = field(entry, "request").unwrap_or("").to_owned();
        let acts = &mut self.acts;
        match kind {
            "provision" => {
                let resident = resident.unwrap_or("").to_owned();
                let first = !acts.provided.iter().any(|(at, of, _)| (*at, of) == (place, &request));
                if !acts.provided.insert((place, request.clone(), resident)) {
                    return Err("a person provided twice to one request".to_owned());
                }
                if first { acts.line(place, "inquiry", request) } else { Ok(()) }
            }
            "no-provision" => acts.line(place, "inquiry", request),
            "refusal" => {
                let view = acts.handed.contains_key(&(place, "view", request.clone()));
                acts.line(place, if view { "view" } else { "inquiry" }, request)
            }
            "view-opened" => acts.line(place, "view", request),
            "forwarded" => acts.line(place, "forward", request),
            "feed-received" => acts.line(place, "feed", String::new()),
            "code-taken" => acts.line(place, "take-code", String::new()),
            "codes-designated" => acts.line(place, "pool", of_organ(entry)),
            "codes-received" => acts.line(place, "codes", String::new()),
            "resident-released" => {
                acts.line(place, "claim", format!("{} {}", resident.unwrap_or(""), of_organ(entry)))
            }
            "release-refused" => acts.line(place, "refused-claim", of_organ(entry)),
            "notices-received" => acts.follows(place, "notices", entry),
            "disclosures-received" if number(entry, "count") != Some(0) => {
                acts.follows(place, "disclosures", entry)
            }
            "directory-issued" => {
                let serial = number(entry, "first").unwrap_or(0);
                let newest = acts.issued.last().copied().unwrap_or(1);
                if place != CENTER || serial != newest + 1 {
                    return Err(format!("directory {serial} issued after {newest}"));
                }
                acts.issued.insert(serial);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A reply leaves: what it rests on is recorded.
    pub(super) fn act_left(
        &mut self,
        place: Place,
        to: Place,
        reply: &Reply,
    ) -> Result<(), Violation> {
        let organ = || PLACES.get(to).map_or("", |(_, organ)| *organ).to_owned();
        let node = || PLACES.get(to).map_or("", |(node, _)| *node).to_owned();
        let acts = &mut self.acts;
        let done = match reply {
            Reply::FeedResult(outcomes) => {
                let nothing = |o: &wire::FeedOutcome| matches!(o.outcome, FeedVerdict::Duplicate);
                // Rows that wait already are no news either, and cannot be told from new ones here.
                let unsure =
                    |o: &wire::FeedOutcome| nothing(o) || matches!(o.outcome, FeedVerdict::Waiting);
                match outcomes.iter().all(unsure) {
                    true => Ok(()),
                    false => acts.leaves(place, "feed", String::new()),
                }
            }
            Reply::MoveRefused => acts.leaves(place, "refused-claim", organ()),
            Reply::MoveReleased(release) => {
                let of = fields(&release.body).unwrap_or_default();
                let code = super::bytes::text(&of, 1).unwrap_or("");
                acts.leaves(place, "claim", format!("{code} {}", organ()))
            }
            Reply::NoticeAck { applied, .. } => {
                let known = acts.up_to.get(&(place, "notices", node())).copied().unwrap_or(0);
                if *applied > known {
                    Err(format!("acknowledges notice {applied}, recorded up to {known}"))
                } else {
                    Ok(())
                }
            }
            Reply::DisclosureAck { applied } => {
                let known = acts.up_to.get(&(place, "disclosures", node())).copied().unwrap_or(0);
                if *applied > known {
                    Err(format!("acknowledges disclosure {applied}, recorded up to {known}"))
                } else {
                    Ok(())
                }
            }
            _ => Ok(()),
        };
        done.map_err(|what| {
            Violation::new("record-before-answer", format!("place {place}: {what}"))
        })
    }

    /// The center pushes a directory: it recorded that it issued it.
    pub(super) fn pushed(&self, from: Place, signed: &[u8]) -> Result<(), Violation> {
        let serial = serial_of(signed).unwrap_or(0);
        if from != CENTER || serial <= 1 || self.acts.issued.contains(&serial) {
            return Ok(());
        }
        let detail = format!("place {from} pushes directory {serial}, which it did not record");
        Err(Violation::new("record-before-answer", detail))
    }
}

fn of_organ(entry: &[u8]) -> String {
    field(entry, "asker").unwrap_or("").to_owned()
}

fn serial_of(signed: &[u8]) -> Option<u64> {
    let outer = fields(signed)?;
    Some(field_number(&fields(bytes(&outer, 1)?)?, 1))
}

/// When a kept directory ends; `None` when it cannot be read.
pub(super) fn directory_ends(signed: &[u8]) -> Option<u64> {
    let outer = fields(signed)?;
    Some(field_number(&fields(bytes(&outer, 1)?)?, 3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(kind: &str, rest: &str) -> Vec<u8> {
        format!("jukinet-entry/1\nkind {kind}\nat x\nnode center\n{rest}").into_bytes()
    }

    fn checker() -> Checker {
        let mut checker = Checker::default();
        checker.acts.handed(CENTER, "inquiry", "aa".to_owned());
        checker
    }

    #[test]
    fn a_line_without_an_act_and_a_doubled_line_are_found() {
        let mut checker = checker();
        let provision = line("provision", "request aa\nresident 12345678903\n");
        let other = line("provision", "request aa\nresident 01234567892\n");
        assert_eq!(checker.line_kept(CENTER, &provision), Ok(()));
        assert_eq!(checker.line_kept(CENTER, &other), Ok(()));
        for bad in [
            provision,
            line("refusal", "request aa\n"),
            line("no-provision", "request bb\n"),
            line("code-taken", "count 1\n"),
            line("nothing", ""),
            line("refusal", "request aa\nresident 12345678903\n"),
            line("provision", "request aa\n"),
            line("directory-issued", "first 3\n"),
        ] {
            let mut checker = checker.clone();
            assert_eq!(checker.line_kept(CENTER, &bad).unwrap_err().rule, "ledger-line");
        }
        let foreign = line("refusal", "request aa\n").to_ascii_lowercase();
        assert!(checker.line_kept(1, &foreign).is_err(), "of another node");
    }

    #[test]
    fn queue_numbers_with_a_gap_or_twice_are_found() {
        let notices = |first: u64, last: u64| {
            let count = last.saturating_sub(first) + 1;
            let rest =
                format!("terminal prefecture-13\ncount {count}\nfirst {first}\nlast {last}\n");
            line("notices-received", &rest)
        };
        let mut checker = Checker::default();
        assert_eq!(checker.line_kept(CENTER, &notices(1, 4)), Ok(()));
        for (first, last) in [(1, 4), (4, 5), (6, 7), (5, 4)] {
            let found = checker.clone().line_kept(CENTER, &notices(first, last)).unwrap_err();
            assert_eq!(found.rule, "ledger-line", "{first}..{last}");
        }
        assert_eq!(checker.line_kept(CENTER, &notices(5, 9)), Ok(()));
        let acknowledged = |applied| Reply::NoticeAck { applied, set_aside: Vec::new() };
        assert_eq!(checker.act_left(CENTER, 1, &acknowledged(9)), Ok(()));
        let early = checker.act_left(CENTER, 1, &acknowledged(10)).unwrap_err();
        assert_eq!(early.rule, "record-before-answer");
    }

    #[test]
    fn a_reply_whose_act_is_not_recorded_is_found() {
        let mut checker = Checker::default();
        let refused = checker.act_left(3, 4, &Reply::MoveRefused).unwrap_err();
        assert_eq!(refused.rule, "record-before-answer");
        let rejected = FeedVerdict::Accepted { sequence: 1 };
        let outcomes = vec![wire::FeedOutcome { row: 1, outcome: rejected }];
        let fed = checker.act_left(3, 3, &Reply::FeedResult(outcomes)).unwrap_err();
        assert_eq!(fed.rule, "record-before-answer");
        assert_eq!(checker.act_left(3, 4, &Reply::HeartbeatAck), Ok(()));
    }
}
