//! Crash points: a scripted day with real processes, in which one of them is killed as it enters
//! its N-th write, sync, rename or send; started again, the day goes on, and nothing may be lost or
//! doubled. `strace` does the killing, so the shipped binary has no switch for it.
//!
//! A kill, not a power cut: what the system has taken in a write stays. Plants prove that the
//! checks can fail.

mod check;
mod day;
mod points;
mod script;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use law::time::Date;

use crate::live::country::{binary, scratch};
use crate::live::fleet::{self, Fleet, Injection, Trace};
use crate::live::{LiveError, clock, files};
use check::{TIERS, Tiers};
use day::{Day, DayError};
use points::{CALLS, Counts};
pub use points::{Phase, Point};
use script::Script;

/// Every process of the day, the victims first.
const NODES: [&str; 6] = [
    "municipality-132152",
    "prefecture-13",
    "center",
    "exchange-13",
    "exchange-national",
    "agency-1",
];
/// The directory is issued anew after 60 s: a ceremony that lies further back makes the center
/// issue one at once, so that every day has a renewal.
const CEREMONY_AGE: Duration = Duration::from_secs(75);
/// A directory is valid for 600 s; a country is made anew well before.
const COUNTRY_AGE_MAX: Duration = Duration::from_secs(400);
/// How long one step of the day may take, restart included.
const STEP_PATIENCE: Duration = Duration::from_secs(40);
/// The same where a plant is to be found: what does not come in this time will not come.
const STEP_PATIENCE_PLANTED: Duration = Duration::from_secs(6);
/// How long the queues may take to empty at the end of the day.
const DRAIN_PATIENCE: Duration = Duration::from_secs(20);

/// Why nothing could be enumerated.
#[derive(Debug, thiserror::Error)]
pub enum CrashError {
    #[error(transparent)]
    Live(#[from] LiveError),
    #[error(transparent)]
    Day(#[from] DayError),
    #[error("the operating system gave no event loop: {0}")]
    Runtime(#[from] std::io::Error),
    #[error("a store cannot be read: {0}")]
    Unreadable(String),
    #[error("the day does not end well although nothing was killed: {0}")]
    Unkilled(String),
}

/// A fault planted on purpose: the checks must find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// Changes count as acknowledged when they are sent, as if the node acknowledged before it
    /// commits.
    EarlyAcknowledgement,
    /// What the database's log held at the kill is gone, as if nothing had been synced.
    LostLog,
}

/// What to try.
#[derive(Clone, Debug)]
pub struct Options {
    /// The shipped binary; the one beside this program when none is named.
    pub jukinet: Option<PathBuf>,
    /// Nodes to kill.
    pub victims: Vec<String>,
    pub seed: u64,
    /// Stop after this time; without it every point is tried.
    pub budget: Option<Duration>,
    /// Only this point.
    pub point: Option<Point>,
    pub plant: Option<Plant>,
}

/// One point at which something did not hold.
#[derive(Clone, Debug)]
pub struct Failure {
    pub point: Point,
    pub faults: Vec<String>,
}

/// What was tried, and what came of it.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Points there are.
    pub points: usize,
    /// Points at which the process was killed.
    pub killed: usize,
    /// Points that the day did not come to this time: timers differ from run to run.
    pub passed: Vec<Point>,
    /// Counted on an undisturbed day: node, phase, call, how often.
    pub counts: Vec<Point>,
    /// Kills by kind of call.
    pub by_call: BTreeMap<String, usize>,
    pub failures: Vec<Failure>,
    pub seconds: f64,
}

/// A prepared country and what runs of it.
struct World {
    dir: PathBuf,
    fleet: Fleet,
    made: Instant,
}

impl World {
    fn make(binary: &Path) -> Result<Self, CrashError> {
        let dir = scratch();
        fleet::prepare(binary, &dir, CEREMONY_AGE)?;
        Ok(Self { fleet: Fleet::new(binary, &dir), dir, made: clock::monotonic() })
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.fleet.stop_all();
        files::remove_folder(&self.dir);
    }
}

/// Tries the points. `progress` hears how many are done, of how many.
///
/// # Errors
/// When nothing can be traced here, or the day does not end well by itself.
pub fn run(
    options: &Options,
    progress: &mut dyn FnMut(usize, usize, &Outcome),
) -> Result<Outcome, CrashError> {
    let begun = clock::monotonic();
    fleet::can_trace()?;
    let binary = binary(options.jukinet.as_deref())?;
    let mut world = World::make(&binary)?;
    let mut outcome = Outcome::default();
    let points = match &options.point {
        Some(point) => vec![point.clone()],
        None => {
            let counts = count(&mut world, &options.victims)?;
            outcome.counts = points::last(&counts);
            match options.budget {
                // A plant is about what a commit makes durable: other calls cannot show it.
                Some(_) if options.plant.is_some() => {
                    let mut sample = points::sampled(&counts, options.seed);
                    sample.retain(Point::is_of_a_commit);
                    sample
                }
                Some(_) => points::sampled(&counts, options.seed),
                None => points::all(&counts),
            }
        }
    };
    outcome.points = points.len();
    for (done, point) in points.iter().enumerate() {
        if options.budget.is_some_and(|budget| begun.elapsed() >= budget) {
            break;
        }
        progress(done, points.len(), &outcome);
        if world.made.elapsed() > COUNTRY_AGE_MAX {
            drop(world);
            world = World::make(&binary)?;
        }
        let Tried { killed, faults } = attempt(&mut world, Some(point), options.plant)?;
        if killed {
            outcome.killed += 1;
            *outcome.by_call.entry(point.call.clone()).or_default() += 1;
        } else {
            outcome.passed.push(point.clone());
        }
        if !faults.is_empty() {
            outcome.failures.push(Failure { point: point.clone(), faults });
            // One is enough to know that the plant is found.
            if options.plant.is_some() {
                break;
            }
        }
    }
    outcome.seconds = begun.elapsed().as_secs_f64();
    Ok(outcome)
}

/// How often each victim makes each kind of call on an undisturbed day.
fn count(world: &mut World, victims: &[String]) -> Result<Counts, CrashError> {
    let mut counts = Counts::new();
    let into = world.dir.join("trace");
    let trace = Trace::Count { calls: CALLS.join(","), into: into.clone() };
    for victim in victims {
        world.fleet.wipe(&NODES)?;
        world.fleet.start_traced(victim, &trace)?.ready()?;
        world.fleet.kill(victim);
        std::thread::sleep(Duration::from_millis(100));
        counts.insert((victim.clone(), Phase::Start), fleet::counted(&into)?);
        world.fleet.wipe(&NODES)?;
        world.fleet.start(&[victim])?;
        world.fleet.attach(victim, &trace)?;
        start_others(world, victim)?;
        let Tried { faults, .. } = day(world, victim, None)?;
        counts.insert((victim.clone(), Phase::Day), fleet::counted(&into)?);
        if let Some(fault) = faults.first() {
            return Err(CrashError::Unkilled(fault.clone()));
        }
    }
    Ok(counts)
}

fn start_others(world: &mut World, victim: &str) -> Result<(), CrashError> {
    let others: Vec<&str> = NODES.into_iter().filter(|node| *node != victim).collect();
    Ok(world.fleet.start(&others)?)
}

struct Tried {
    killed: bool,
    faults: Vec<String>,
}

/// One day, from empty stores, with a kill at `point`.
fn attempt(
    world: &mut World,
    point: Option<&Point>,
    plant: Option<Plant>,
) -> Result<Tried, CrashError> {
    world.fleet.wipe(&NODES)?;
    let Some(Point { node, phase, call, nth }) = point else {
        world.fleet.start(&NODES)?;
        return day(world, "center", plant);
    };
    let trace = Trace::Kill(Injection { call: call.clone(), nth: *nth });
    let mut killed = false;
    match phase {
        Phase::Start => {
            let starting = world.fleet.start_traced(node, &trace)?;
            start_others(world, node)?;
            if starting.ready().is_err() {
                killed = true;
                world.fleet.kill(node);
                world.fleet.start(&[node])?;
            }
        }
        Phase::Day => {
            world.fleet.start(&[node])?;
            world.fleet.attach(node, &trace)?;
            start_others(world, node)?;
        }
    }
    let tried = day(world, node, plant)?;
    Ok(Tried { killed: killed || tried.killed, ..tried })
}

/// The day itself: every step until it is done, the victim started again when it is gone; then
/// everything is stopped and checked.
fn day(world: &mut World, victim: &str, plant: Option<Plant>) -> Result<Tried, CrashError> {
    let mut script = Script::new(&world.dir, &world.fleet, plant)?;
    let mut killed = false;
    let today: Date = clock::now().date_in_japan();
    for (number, step) in (1..).zip(Day::write(today)?.steps) {
        let until = clock::monotonic() + plant.map_or(STEP_PATIENCE, |_| STEP_PATIENCE_PLANTED);
        loop {
            let why = match script.step(&step) {
                Ok(()) => break,
                Err(why) => why,
            };
            script.hang_up();
            if world.fleet.gone(victim, Duration::from_millis(20)) {
                killed = true;
                if let Err(error) = again(world, victim, plant) {
                    let log = world.fleet.log_tail(victim);
                    let faults = vec![format!("{victim} does not start again: {error}\n{log}")];
                    world.fleet.stop_all();
                    return Ok(Tried { killed, faults });
                }
            } else if why.is_final() || clock::monotonic() > until {
                world.fleet.stop_all();
                return Ok(Tried { killed, faults: vec![format!("step {number}: {why}")] });
            }
        }
    }
    if world.fleet.gone(victim, Duration::ZERO) {
        killed = true;
        again(world, victim, plant)?;
    }
    let tiers = Tiers::open(&world.fleet)?;
    let until = clock::monotonic() + DRAIN_PATIENCE;
    while !tiers.drained()? && clock::monotonic() < until {
        std::thread::sleep(Duration::from_millis(10));
        if world.fleet.gone(victim, Duration::ZERO) {
            killed = true;
            again(world, victim, plant)?;
        }
    }
    // A kill while it stops is a kill as any other: it is started and stopped once more.
    let ill = world.fleet.stop_all();
    if ill.iter().any(|node| node == victim) {
        killed = true;
        world.fleet.start(&[victim])?;
        world.fleet.stop_all();
    }
    let mut faults = check::faults(&tiers, &script.standings, &script.told)?;
    faults
        .extend(ill.iter().filter(|node| *node != victim).map(|node| format!("{node} ended ill")));
    Ok(Tried { killed, faults })
}

fn again(world: &mut World, victim: &str, plant: Option<Plant>) -> Result<(), CrashError> {
    world.fleet.kill(victim);
    world.fleet.detach();
    if plant == Some(Plant::LostLog) {
        world.fleet.lose_log(victim)?;
    }
    Ok(world.fleet.start(&[victim])?)
}

/// The nodes that may be killed.
#[must_use]
pub fn victims() -> Vec<String> {
    TIERS.map(str::to_owned).to_vec()
}
