//! The measurement: every fault is looked for in worlds from seed 0 upwards until a checker stops
//! one, several faults at a time.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use serde_json::Value;

use super::{
    FAULTS_FOLDER, Fault, FaultError, Found, Row, SWITCH_VARIABLE, Score, WeaveError, weave,
};
use crate::live::{LiveError, clock, workshop};
use crate::swarm::plant::Plant;
use crate::swarm::{Options, run as run_world};

/// Seeds of which the copy without a fault must leave the trace that this program leaves.
const CONTROL_SEEDS: [u64; 3] = [1, 2, 3];

/// One fault has this long. A fault that makes a machine go round in circles ends here, unfound.
const TRIAL_PATIENCE: Duration = Duration::from_secs(3_600);

/// Why nothing could be measured.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    #[error("the sources are not here; run it in the source tree (it builds a copy with cargo)")]
    NoSources,
    #[error(transparent)]
    Fault(#[from] FaultError),
    #[error(transparent)]
    Weave(#[from] WeaveError),
    #[error(transparent)]
    Live(#[from] LiveError),
    #[error(
        "without a fault the copy's world of seed {0} is another than this program's; build \
         jukilab anew from the sources that are here"
    )]
    NotTheSame(u64),
    #[error("no planted fault is called {0}; they are the files of crates/lab/planted")]
    Unknown(String),
}

/// What to measure.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Only these; empty: all.
    pub only: Vec<String>,
    /// Worlds each may take, from seed 0.
    pub seeds: u64,
    /// Each no longer than its own file allows; those that allow nothing are left out.
    pub quick: bool,
    pub jobs: usize,
    pub quiet: bool,
}

/// One thing that may be wrong.
#[derive(Clone)]
enum Trial {
    Fault(Fault),
    Plant(Plant),
}

impl Trial {
    fn name(&self) -> String {
        match self {
            Self::Fault(fault) => fault.name.clone(),
            Self::Plant(plant) => plant.name(),
        }
    }

    fn seeds(&self, plan: &Plan) -> Option<u64> {
        let within = match self {
            Self::Fault(fault) => fault.within,
            Self::Plant(plant) => Some(plant.within()),
        };
        if plan.quick { within.map(|within| within.min(plan.seeds)) } else { Some(plan.seeds) }
    }
}

/// The faults of a source tree.
///
/// # Errors
/// A file cannot be read, or is no fault.
pub fn faults_in(root: &Path) -> Result<Vec<Fault>, MeasureError> {
    let texts = workshop::texts(&root.join(FAULTS_FOLDER), ".toml")?;
    let faults = texts.iter().map(|(name, text)| Fault::parse(name, text));
    Ok(faults.collect::<Result<_, _>>()?)
}

/// Build the copy and look for each fault. `progress` hears of each row as it comes.
///
/// # Errors
/// The sources are not there, a fault does not apply, or the copy does not build.
pub fn measure(
    plan: &Plan,
    progress: &(dyn Fn(usize, &Row) + Sync),
) -> Result<(Score, PathBuf), MeasureError> {
    let root = workshop::source_root(FAULTS_FOLDER).ok_or(MeasureError::NoSources)?;
    let faults = faults_in(&root)?;
    let woven = weave(&faults, &|file| workshop::text(&root.join(file)).ok())?;
    let plants = Plant::ALL.into_iter().map(Trial::Plant);
    let all: Vec<Trial> = faults.into_iter().map(Trial::Fault).chain(plants).collect();
    let named = |name: &String| all.iter().any(|trial| trial.name() == *name);
    if let Some(odd) = plan.only.iter().find(|name| !named(name)) {
        return Err(MeasureError::Unknown(odd.clone()));
    }
    let wanted = |trial: &Trial| plan.only.is_empty() || plan.only.contains(&trial.name());
    let trials = all.into_iter().filter(wanted);
    let trials: Vec<(Trial, u64)> =
        trials.filter_map(|trial| trial.seeds(plan).map(|seeds| (trial, seeds))).collect();
    let program = workshop::build(&root, &woven, plan.quiet)?;
    same_worlds(&program)?;
    let rows = in_parallel(
        &trials,
        plan.jobs,
        &|(trial, seeds)| try_one(&program, trial, *seeds),
        progress,
    );
    Ok((Score { rows, seeds: plan.seeds }, root))
}

/// With no fault on, the copy behaves as the original.
fn same_worlds(program: &Path) -> Result<(), MeasureError> {
    let own = workshop::own_program()?;
    for seed in CONTROL_SEEDS {
        let words: Vec<String> =
            ["swarm", "--seeds", &seed.to_string(), "--json", "--quiet"].map(str::to_owned).into();
        let said = [&own, program].map(|at| workshop::printed(at, &words, None, TRIAL_PATIENCE));
        let [Ok(ours), Ok(copied)] = &said else { return Err(MeasureError::NotTheSame(seed)) };
        let trace =
            |said: &str| serde_json::from_str::<Value>(said).ok()?.get("last_trace").cloned();
        if trace(ours).is_none() || trace(ours) != trace(copied) {
            return Err(MeasureError::NotTheSame(seed));
        }
    }
    Ok(())
}

fn in_parallel(
    trials: &[(Trial, u64)],
    jobs: usize,
    work: &(dyn Fn(&(Trial, u64)) -> Row + Sync),
    progress: &(dyn Fn(usize, &Row) + Sync),
) -> Vec<Row> {
    let next = Mutex::new(trials.iter().enumerate());
    let rows: Mutex<Vec<(usize, Row)>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let taken = next.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some((nth, trial)) = taken else { return };
                    let row = work(trial);
                    progress(trials.len(), &row);
                    rows.lock().unwrap_or_else(PoisonError::into_inner).push((nth, row));
                }
            });
        }
    });
    let mut rows = rows.into_inner().unwrap_or_else(PoisonError::into_inner);
    rows.sort_by_key(|(nth, _)| *nth);
    rows.into_iter().map(|(_, row)| row).collect()
}

fn try_one(program: &Path, trial: &Trial, seeds: u64) -> Row {
    let begun = clock::monotonic();
    let (slip, breaks, rules, tried) = match trial {
        Trial::Fault(fault) => {
            let breaks = fault.invariants.iter().chain(&fault.incidents).cloned().collect();
            (fault.slip.clone(), breaks, fault.rules.clone(), looked_for(program, fault, seeds))
        }
        Trial::Plant(plant) => {
            let breaks = plant.breaks().iter().map(ToString::to_string).collect();
            let rules = plant.rules().iter().map(ToString::to_string).collect();
            (plant.slip().to_owned(), breaks, rules, looked_for_plant(*plant, seeds))
        }
    };
    let seconds = begun.elapsed().as_secs_f64();
    let (found, failed) = match tried {
        Ok(found) => (found, None),
        Err(why) => (None, Some(why)),
    };
    let unexpected = found.as_ref().is_some_and(|found| !rules.contains(&found.rule));
    Row { name: trial.name(), slip, breaks, found, unexpected, failed, seconds }
}

fn looked_for_plant(plant: Plant, seeds: u64) -> Result<Option<Found>, String> {
    let options =
        Options { plant: Some(plant), restless: plant.needs_restless(), ..Options::default() };
    for seed in 0..seeds {
        let outcome = run_world(seed, &options).map_err(|error| error.to_string())?;
        if let Some(violation) = outcome.violation {
            return Ok(Some(Found { seed, rule: violation.rule.to_owned() }));
        }
    }
    Ok(None)
}

/// Run worlds with the fault on. A world that is stopped with the fault off as well tells nothing
/// about the fault, and the next ones are looked at.
fn looked_for(program: &Path, fault: &Fault, seeds: u64) -> Result<Option<Found>, String> {
    let on = Some((SWITCH_VARIABLE, fault.name.as_str()));
    let mut from = 0;
    while from < seeds {
        let Some(found) = first_violation(program, fault, &format!("{from}..{seeds}"), on)? else {
            return Ok(None);
        };
        if first_violation(program, fault, &found.seed.to_string(), None)?.is_none() {
            return Ok(Some(found));
        }
        from = found.seed.saturating_add(1);
    }
    Ok(None)
}

fn first_violation(
    program: &Path,
    fault: &Fault,
    seeds: &str,
    switch: Option<(&str, &str)>,
) -> Result<Option<Found>, String> {
    let words = ["swarm", "--seeds", seeds, "--jobs", "1", "--json", "--quiet"];
    let words = words.into_iter().map(str::to_owned).chain(fault.options.iter().cloned());
    let words: Vec<String> = words.collect();
    let said = workshop::printed(program, &words, switch, TRIAL_PATIENCE)?;
    let said: Value = serde_json::from_str(&said).map_err(|error| error.to_string())?;
    let Some(violation) = said.get("violation").filter(|violation| !violation.is_null()) else {
        return Ok(None);
    };
    let seed = violation.get("seed").and_then(Value::as_u64);
    let rule = violation.get("rule").and_then(Value::as_str);
    let (seed, rule) = seed.zip(rule).ok_or("a violation without seed or rule")?;
    Ok(Some(Found { seed, rule: rule.to_owned() }))
}
