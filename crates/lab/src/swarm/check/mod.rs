//! The checkers: what must hold after every step, judged without the code that is being judged.
//!
//! They read the stores' plain rows, the bytes on the line, the script's own knowledge of what it
//! asked, and the truth of `nation`; indexes, permits, queues and sequence counters are nobody's
//! witnesses here. Hashes, proofs, signatures, dates, tables and conversations are computed or
//! typed once more. Which checker is after which invariant: docs/invariants.md.

mod acts;
mod answers;
mod bytes;
mod codes;
mod conjunction;
mod hooks;
mod ledgers;
mod lines;
mod moves;
mod notices;
mod plain;
mod quiet;
mod reports;
mod secrets;
mod talk;
mod terms;
mod tree;
mod views;

use std::collections::{BTreeMap, BTreeSet};

use law::code::RecordCode;
use law::time::Date;
use node::ports::Reads;

use super::country::Place;
use super::nation::Nation;

pub(super) use hooks::{Asking, Leaving};
pub(super) use moves::on_the_way;
pub(super) use plain::{hyphenated, plain_name};
pub(super) use quiet::{at_rest, still_agrees};
pub(super) use talk::{Speaker, Way};
pub(super) use terms::MONTHS;
pub(super) use views::ViewAsked;

/// A broken rule, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which checker found it.
    pub rule: &'static str,
    /// What stood there; no personal data, the people are numbers.
    pub detail: String,
}

impl Violation {
    pub(super) fn new(rule: &'static str, detail: String) -> Self {
        Self { rule, detail }
    }
}

/// The residents of one prefecture (the first two digits of their municipality), or of all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Of(&'static str),
    NotOf(&'static str),
}

/// An inquiry as the script made it.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// Who answers: by the number of the table alone.
    pub(super) provider: Place,
    /// Public rules that it breaks by the script's own knowledge; empty = lawful in itself.
    pub(super) broken: Vec<&'static str>,
}

/// What a provider must reply to one request it was handed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Expected {
    /// Exactly these people, in any order.
    Persons(BTreeSet<String>),
    Refusal(&'static str),
}

/// One durable ledger line: its bytes and its salt.
type Line = (Vec<u8>, [u8; 32]);

/// A request that a provider was handed.
#[derive(Clone, Debug)]
struct Handed {
    digest: [u8; 32],
    expected: Expected,
    /// The request, if this is the one that it must remember.
    noted: Option<[u8; 16]>,
    /// The provider's clock stood later before.
    back: bool,
}

/// How often things were seen, for the report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub notices: u64,
    pub answers: u64,
    pub persons: u64,
    pub refusals: u64,
    pub unavailable: u64,
    pub crashes: u64,
    pub partitions: u64,
    /// Groups that could not be kept.
    pub given_up: u64,
    /// Releases that left a municipality.
    pub releases: u64,
    /// Residents who were shown who got what.
    pub views: u64,
}

/// Everything the checkers remember.
#[derive(Clone, Debug, Default)]
pub(super) struct Checker {
    restless: bool,
    /// Whether the second agency has its agreement.
    agreed: bool,
    /// The one node that may say anything, with its own key.
    pub(super) hostile: Option<Place>,
    /// Places whose disk or clock the world has damaged: they may stand still.
    pub(super) unsound: BTreeSet<Place>,
    /// What was durable at each place when its store last said so.
    durable: BTreeMap<Place, Vec<Line>>,
    /// Lines of the center that a prefecture took over: durably, and in the open group.
    foreign: BTreeMap<Place, Vec<Line>>,
    foreign_open: Vec<(Place, Line)>,
    asked: BTreeMap<[u8; 32], Asked>,
    views: BTreeMap<[u8; 32], ViewAsked>,
    /// Requests that wait for a reply.
    open: BTreeMap<(Place, u64), hooks::Open>,
    /// Requests handled at a place: durably, and in the open group.
    seen: BTreeSet<(Place, [u8; 16])>,
    seen_open: BTreeSet<(Place, [u8; 16])>,
    /// What each provider let out, by digest; and by which rules it refused: what comes twice is
    /// refused for that the second time.
    released: BTreeMap<[u8; 32], Vec<String>>,
    refused: BTreeSet<([u8; 32], String)>,
    /// Days of the changes of a person at a place, as last seen there durably.
    lives: BTreeMap<(Place, usize), Vec<Date>>,
    /// Municipalities that durably hold a person as current.
    standing: BTreeMap<usize, BTreeSet<Place>>,
    published: BTreeMap<Place, ledgers::Published>,
    acts: acts::Acts,
    pools: codes::Pools,
    terms: terms::Terms,
    /// Serial of the directory in force at each place.
    serials: BTreeMap<Place, u64>,
    /// Lengths of answers and of refusals that were seen.
    sizes: [BTreeSet<usize>; 2],
    pub(super) counts: Counts,
}

impl Checker {
    /// `restless`: see [`super::Options`]; `agreed`: the second agency's agreement is in force.
    pub(super) fn new(restless: bool, agreed: bool) -> Self {
        Self { restless, agreed, ..Self::default() }
    }

    /// A group became durable at `place`, as far as its store says.
    pub(super) fn committed(
        &mut self,
        place: Place,
        store: &dyn Reads,
        nation: &Nation,
        touched: &BTreeSet<RecordCode>,
    ) -> Result<(), Violation> {
        let lines = self.durable.entry(place).or_default();
        let new = store.entries_from(lines.len() as u64, usize::MAX).map_err(unreadable)?;
        let first = lines.len();
        lines.extend(new.into_iter().map(|open| (open.entry, open.salt)));
        let new: Vec<Vec<u8>> = lines.iter().skip(first).map(|(entry, _)| entry.clone()).collect();
        for entry in new {
            self.line_kept(place, &entry)?;
        }
        let (mine, others) =
            std::mem::take(&mut self.foreign_open).into_iter().partition(|(at, _)| *at == place);
        self.foreign_open = others;
        let mine: Vec<(Place, Line)> = mine;
        self.foreign.entry(place).or_default().extend(mine.into_iter().map(|(_, line)| line));
        self.terms.committed(place);
        let open = std::mem::take(&mut self.seen_open);
        let (now, later) = open.into_iter().partition(|(at, _)| *at == place);
        self.seen.extend::<BTreeSet<_>>(now);
        self.seen_open = later;
        for (who, person) in nation.persons.iter().enumerate() {
            if person.codes.iter().any(|code| touched.contains(code)) {
                self.person_at(place, store, nation, who)?;
            }
        }
        Ok(())
    }

    /// A place could not keep a group: what was not durable is gone, as after a crash.
    pub(super) fn gave_up(&mut self, place: Place) {
        self.crashed(place);
        self.counts.crashes -= 1;
        self.counts.given_up += 1;
    }

    /// A place crashed: what was not durable is gone, and nothing else.
    pub(super) fn crashed(&mut self, place: Place) {
        self.counts.crashes += 1;
        // One that was not durable yet is put in force once more.
        self.serials.remove(&place);
        self.seen_open.retain(|(at, _)| *at != place);
        self.foreign_open.retain(|(at, _)| *at != place);
        self.open.retain(|(at, _), _| *at != place);
        self.terms.crashed(place);
    }

    /// A place is up again: every line it ever said was durable still stands.
    pub(super) fn restarted(
        &mut self,
        place: Place,
        store: &dyn Reads,
        nation: &Nation,
    ) -> Result<(), Violation> {
        let lines = self.durable.entry(place).or_default();
        let kept = store.entries_from(0, usize::MAX).map_err(unreadable)?;
        let same = kept.len() == lines.len()
            && kept.iter().zip(lines.iter()).all(|(a, b)| (&a.entry, &a.salt) == (&b.0, &b.1));
        if !same {
            let detail = format!("place {place}: {} lines, {} promised", kept.len(), lines.len());
            return Err(Violation::new("durable-record", detail));
        }
        for who in 0..nation.persons.len() {
            self.person_at(place, store, nation, who)?;
        }
        Ok(())
    }
}

fn unreadable(error: node::ports::ReadError) -> Violation {
    Violation::new("store", error.to_string())
}
