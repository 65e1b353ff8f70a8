//! What must hold when the day is over, whatever was killed: nothing acknowledged is missing,
//! nothing is there twice, the tiers agree, the ledgers verify. Every store is read at rest, with
//! its own node's token, and compared with the day's plain bookkeeping.

use law::code::RecordCode;
use law::inquiry::Held;
use ledger::entry::{Entry, EntryKind};
use node::ports::{ReadError, Reads};
use wire::NodeId;

use super::CrashError;
use super::day::Standings;
use crate::live::fleet::Fleet;
use crate::live::keeping::Keeping;
use crate::live::place;

/// The three tiers, from below.
pub(crate) const TIERS: [&str; 3] = ["municipality-132152", "prefecture-13", "center"];
/// More earlier states than anybody of the day has.
const STATES_COUNT_MAX: usize = 64;

/// What was acknowledged besides changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    /// Whom each answer of the agency was about, and its index in the center's ledger.
    pub(crate) answers: Vec<(RecordCode, u64)>,
    /// Those that the resident had to be shown when she looked.
    pub(crate) viewed: Vec<(RecordCode, u64)>,
    /// Provisions of the center, as the resident was shown them.
    pub(crate) shown: Vec<Vec<u8>>,
}

/// The stores of the three tiers, opened for reading.
pub(crate) struct Tiers(Vec<(&'static str, Keeping)>);

impl Tiers {
    pub(crate) fn open(fleet: &Fleet) -> Result<Self, CrashError> {
        let mut opened = Vec::new();
        for tier in TIERS {
            let token = place::node_token(&fleet.config(tier))?;
            opened.push((tier, Keeping::of(tier, &fleet.folder(tier), token)?));
        }
        Ok(Self(opened))
    }

    /// Whether every queue is acknowledged to its end.
    pub(crate) fn drained(&self) -> Result<bool, CrashError> {
        for (tier, keeping) in &self.0 {
            let Some(onward) = onward(tier) else { continue };
            let (acknowledged, last) = keeping.reads().queue_bounds(&onward).map_err(unread)?;
            if acknowledged != last {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Everything that does not hold, in words without a name.
pub(crate) fn faults(
    tiers: &Tiers,
    standings: &Standings,
    told: &Told,
) -> Result<Vec<String>, CrashError> {
    let mut faults = Vec::new();
    let mut digests = Vec::new();
    for (tier, keeping) in &tiers.0 {
        let mut fault = |what: String| faults.push(format!("{tier}: {what}"));
        people(keeping.reads(), standings, &mut fault)?;
        let report = keeping.check()?;
        for found in &report.faults {
            fault(format!("{} ({})", found.what, found.place));
        }
        digests.push(report.population_digest);
        let verified = keeping.verify_ledger()?;
        if !verified.is_sound() || verified.size != keeping.entries()? {
            fault("its ledger does not verify to the last entry".to_owned());
        }
        let received = match onward(tier).is_some_and(|to| to.as_str() == "prefecture-13") {
            true => EntryKind::FeedReceived,
            false => EntryKind::NoticesReceived,
        };
        let recorded = keeping.counted(received)?;
        if recorded != standings.changes {
            fault(format!("{recorded} changes recorded, {} were told", standings.changes));
        }
        if let Some(onward) = onward(tier) {
            let bounds = keeping.reads().queue_bounds(&onward).map_err(unread)?;
            if bounds != (standings.changes, standings.changes) {
                fault(format!("its queue stands at {bounds:?}, not at {}", standings.changes));
            }
        }
        if *tier == "center" {
            answers(keeping.reads(), told, &mut fault)?;
        }
    }
    if digests.windows(2).any(|pair| pair.first() != pair.last()) {
        faults.push("the tiers' digests of the population differ".to_owned());
    }
    Ok(faults)
}

pub(crate) fn onward(tier: &str) -> Option<NodeId> {
    let to = match tier {
        "municipality-132152" => "prefecture-13",
        "prefecture-13" => "center",
        _ => return None,
    };
    NodeId::parse(to).ok()
}

pub(crate) fn people(
    reads: &dyn Reads,
    standings: &Standings,
    fault: &mut dyn FnMut(String),
) -> Result<(), CrashError> {
    for (number, (code, standing)) in standings.people.iter().enumerate() {
        let held = reads.resident(code).map_err(unread)?;
        if held.as_ref() != Some(&standing.held) {
            let what = if held.is_none() { "is missing" } else { "does not stand as told" };
            fault(format!("person {number} {what}"));
        }
        let history = reads.history(code, STATES_COUNT_MAX).map_err(unread)?;
        let kept: Vec<&Held> = history.iter().rev().map(|row| &row.before).collect();
        if !kept.iter().copied().eq(standing.before.iter()) {
            let (found, wanted) = (kept.len(), standing.before.len());
            fault(format!("person {number} has {found} earlier states, not these {wanted}"));
        }
    }
    for code in &standings.former {
        if reads.resident(code).map_err(unread)?.is_some() {
            fault("a former code still leads to somebody".to_owned());
        }
    }
    let count = reads.residents_count().map_err(unread)?;
    if count != standings.residents() {
        fault(format!("{count} residents, {} were told", standings.residents()));
    }
    Ok(())
}

/// Each answer that was given is recorded where its receipt says, and was shown to the resident
/// once.
fn answers(
    reads: &dyn Reads,
    told: &Told,
    fault: &mut dyn FnMut(String),
) -> Result<(), CrashError> {
    for answer in &told.answers {
        let (_, index) = answer;
        let entry = reads.entries_from(*index, 1).map_err(unread)?;
        let recorded = entry.first().filter(|open| open.index == *index);
        let kind = recorded.and_then(|open| Entry::parse(&open.entry).ok()).map(|e| e.kind());
        if kind != Some(EntryKind::Provision) {
            fault(format!("the answer with receipt {index} is not recorded"));
            continue;
        }
        if !told.viewed.contains(answer) {
            continue;
        }
        let shown = told.shown.iter().filter(|e| recorded.is_some_and(|open| open.entry == **e));
        match shown.count() {
            1 => {}
            times => fault(format!("the record of answer {index} was shown {times} times")),
        }
    }
    Ok(())
}

pub(crate) fn unread(error: ReadError) -> CrashError {
    CrashError::Unreadable(error.to_string())
}
