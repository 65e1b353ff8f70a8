//! What must hold when the day is over: everybody stands as the day says at all tiers that hold
//! him, nothing is there twice, no ledger lacks an entry, and the tiers agree with each other and
//! with the population that the generator and the day's bookkeeping give.

use std::collections::BTreeMap;

use law::code::RecordCode;
use law::inquiry::Held;
use node::ports::{ReadError, Reads};
use store::PopulationDigest;
use wire::NodeId;

use super::super::BenchError;
use super::super::center::load;
use super::day::{Day, Stand};
use super::size::Size;
use crate::live::fleet::Fleet;
use crate::live::keeping::Keeping;
use crate::live::place;
use crate::population;

/// More earlier states than anybody of the day has.
const STATES_COUNT_MAX: usize = 64;
/// Beyond so many people the whole check of three tiers reads too long; then every row is opened
/// and digested, and the index is tried by the day's own look-ups.
pub(super) const CHECKED_RESIDENTS_MAX: u64 = 200_000;
/// Residents opened at once.
const WALKED_COUNT: usize = 4_096;
/// Faults told; a day with more is wrong as a whole.
const FAULTS_TOLD_COUNT_MAX: usize = 20;

/// Stores by node, opened for reading.
pub(super) struct Stores(BTreeMap<String, Keeping>);

/// What was found at the end.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) compared: u64,
    pub(super) ledgers: u64,
    pub(super) entries: u64,
    /// Bytes of the databases by kind of tier, and residents in them.
    pub(super) disk: BTreeMap<&'static str, (u64, u64)>,
    pub(super) faults: Vec<String>,
}

fn unread(error: &ReadError) -> BenchError {
    BenchError::Void(format!("a store cannot be read: {error}"))
}

impl Stores {
    pub(super) fn open(fleet: &Fleet, nodes: &[String]) -> Result<Self, BenchError> {
        let mut stores = BTreeMap::new();
        for node in nodes {
            let token = place::node_token(&fleet.config(node))?;
            stores.insert(node.clone(), Keeping::of(node, &fleet.folder(node), token)?);
        }
        Ok(Self(stores))
    }

    pub(super) fn get(&self, node: &str) -> Result<&Keeping, BenchError> {
        self.0.get(node).ok_or_else(|| BenchError::Void(format!("{node} was not opened")))
    }

    /// The first thing that does not stand yet as the day says; none when all is settled.
    pub(super) fn unsettled(&self, size: &Size, day: &Day) -> Result<Option<String>, BenchError> {
        for (number, (code, stand)) in day.stands.iter().enumerate() {
            for tier in tiers(stand) {
                let held = self.get(&tier)?.reads().resident(code).map_err(|e| unread(&e))?;
                if held.as_ref() != Some(&stand.held) {
                    let reason = stand.held.change.as_ref().map(|change| change.reason.key());
                    let reason = reason.unwrap_or_default();
                    return Ok(Some(format!(
                        "{tier}: person {number} ({reason}) stands otherwise"
                    )));
                }
            }
        }
        let to: Vec<NodeId> = size
            .prefectures()
            .iter()
            .filter_map(|code| NodeId::parse(&format!("prefecture-{code}")).ok())
            .collect();
        let waiting = self.get("center")?.not_handed_over(&to)?;
        Ok((waiting > 0).then(|| format!("{waiting} disclosure rows are on their way")))
    }

    /// Everything, at rest. Who is `hidden` is left out of what must be: a planted fault.
    pub(super) fn faults(
        &self,
        size: &Size,
        day: &Day,
        hidden: Option<RecordCode>,
    ) -> Result<Found, BenchError> {
        let mut found = Found::default();
        let mut digests: BTreeMap<&str, BTreeMap<String, String>> = BTreeMap::new();
        for (node, keeping) in &self.0 {
            let verified = keeping.verify_ledger()?;
            if !verified.is_sound() || verified.size != keeping.entries()? {
                found.faults.push(format!("{node}: its ledger does not verify to the last entry"));
            }
            found.ledgers += 1;
            found.entries += verified.size;
            let Some(kind) = tier_kind(node) else { continue };
            let (residents, digest) = if size.residents <= CHECKED_RESIDENTS_MAX {
                let report = keeping.check()?;
                for fault in &report.faults {
                    found.faults.push(format!("{node}: {} ({})", fault.what, fault.place));
                }
                (report.residents, report.population_digest)
            } else {
                walked(keeping.reads())?
            };
            let bytes: u64 = keeping.bytes_by_table()?.values().sum();
            let disk = found.disk.entry(kind).or_default();
            *disk = (disk.0 + bytes, disk.1 + residents);
            digests.insert(node, digest);
        }
        self.people(day, &mut found)?;
        let expected = expected(size, day, hidden)?;
        for (code, wanted) in &expected {
            let prefecture = code.get(..2).unwrap_or_default();
            let places = [format!("municipality-{code}"), format!("prefecture-{prefecture}")];
            for node in places.iter().map(String::as_str).chain(["center"]) {
                let held = digests.get(node).and_then(|digest| digest.get(code));
                found.compared += 1;
                if held != Some(wanted) {
                    found.faults.push(format!("{node}: the residents of {code} are others"));
                }
            }
        }
        found.faults.truncate(FAULTS_TOLD_COUNT_MAX);
        Ok(found)
    }

    fn people(&self, day: &Day, found: &mut Found) -> Result<(), BenchError> {
        for (number, (code, stand)) in day.stands.iter().enumerate() {
            let Some(before) = stand.before else { continue };
            for tier in tiers(stand) {
                let reads = self.get(&tier)?.reads();
                let history = reads.history(code, STATES_COUNT_MAX).map_err(|e| unread(&e))?;
                found.compared += 1;
                if history.len() as u64 != before {
                    let states = history.len();
                    let what = format!("{tier}: person {number} has {states} earlier states");
                    found.faults.push(what);
                }
            }
        }
        let center = self.get("center")?.reads();
        for code in &day.former {
            found.compared += 1;
            if center.resident(code).map_err(|e| unread(&e))?.is_some() {
                found.faults.push("a former code still leads to somebody".to_owned());
            }
        }
        Ok(())
    }
}

/// Every row of a store opened: who is held, and the digests of them.
fn walked(reads: &dyn Reads) -> Result<(u64, BTreeMap<String, String>), BenchError> {
    let mut population = PopulationDigest::default();
    let (mut after, mut residents) = (0, 0);
    loop {
        let people = reads.residents_after(after, WALKED_COUNT).map_err(|e| unread(&e))?;
        let Some((last, _)) = people.last() else { return Ok((residents, population.finish())) };
        after = *last;
        for (_, held) in &people {
            residents += u64::from(!held.removed);
            population.add(held).map_err(|error| BenchError::Void(error.to_string()))?;
        }
    }
}

/// The nodes that hold this person as current.
fn tiers(stand: &Stand) -> [String; 3] {
    let municipality = stand.held.identity.municipality;
    [
        format!("municipality-{}", municipality.as_str()),
        format!("prefecture-{}", municipality.prefecture()),
        "center".to_owned(),
    ]
}

fn tier_kind(node: &str) -> Option<&'static str> {
    ["center", "prefecture", "municipality"].into_iter().find(|kind| node.starts_with(kind))
}

/// The digests of the population as the generator made it and the day changed it.
fn expected(
    size: &Size,
    day: &Day,
    hidden: Option<RecordCode>,
) -> Result<BTreeMap<String, String>, BenchError> {
    let mut digest = PopulationDigest::default();
    let mut seen: std::collections::BTreeSet<RecordCode> = std::collections::BTreeSet::new();
    let mut add =
        |held: &Held| digest.add(held).map_err(|error| BenchError::Void(error.to_string()));
    population::each(&super::population(size, day.seed), &mut |resident| {
        let code = resident.record_code;
        if day.former.contains(code) || hidden.as_ref() == Some(code) {
            return Ok(());
        }
        match day.stands.get(code) {
            Some(stand) => {
                seen.insert(*code);
                add(&stand.held)
            }
            None => match load::held_of(resident) {
                Some(held) => add(&held),
                None => Err(BenchError::Residents("a resident is none".to_owned())),
            },
        }
    })?;
    for (_, stand) in day.stands.iter().filter(|(code, _)| !seen.contains(*code)) {
        add(&stand.held)?;
    }
    Ok(digest.finish())
}
