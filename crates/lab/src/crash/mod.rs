//! Crash points: a scripted day with real processes, in which one of them is killed as it enters
//! its N-th write, sync, rename or send; started again, the day goes on, and nothing may be lost or
//! doubled. `strace` does the killing, so the shipped binary has no switch for it.
//!
//! A kill leaves what the system has taken in a write. With a [`Loss`] the power fails instead: the
//! tracer's record says what was synced, and the rest is lost or torn before the node starts again.
//! [`images`] tries every disk that a cut of one day can leave. Plants prove that the checks can
//! fail.

mod check;
mod day;
mod disk;
pub mod images;
mod points;
mod record;
mod script;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use law::time::Date;

use crate::draw::Draw;
use crate::live::country::{binary, scratch};
use crate::live::fleet::{self, Fleet, Injection, Trace};
use crate::live::{LiveError, clock, files};
use check::{TIERS, Tiers};
use day::{Day, DayError};
pub use disk::Loss;
use disk::{Disk, Files};
use points::{CALLS, Counts};
pub use points::{Phase, Point};
pub use record::RecordError;
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
/// Time between two looks at how far the trial is.
const REPORT_EVERY: Duration = Duration::from_millis(200);
/// How long the queues may take to empty at the end of the day.
const DRAIN_PATIENCE: Duration = Duration::from_secs(20);

/// Why nothing could be enumerated.
#[derive(Debug, thiserror::Error)]
pub enum CrashError {
    #[error(transparent)]
    Live(#[from] LiveError),
    #[error(transparent)]
    Day(#[from] DayError),
    #[error("a thread of the trial broke off; its message stands above")]
    Worker,
    #[error("the operating system gave no event loop: {0}")]
    Runtime(#[from] std::io::Error),
    #[error(transparent)]
    Record(#[from] RecordError),
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
    /// With a power cut: a sync keeps nothing, as on a disk that lies.
    LyingSync,
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
    /// Countries in which points are tried at the same time.
    pub jobs: usize,
    /// The power fails at the point, and this becomes of what was not synced.
    pub cut: Option<Loss>,
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
    /// The power fails under the next victim that dies.
    cut: Option<Cut>,
}

/// A power cut to come.
struct Cut {
    loss: Loss,
    seed: u64,
    lying: bool,
    /// The victim's files before it began.
    before: Files,
    record: PathBuf,
}

/// Separates what a cut leaves from every other use of a seed.
const CUT_LABEL: [u8; 24] = *b"jukinet crash cut/1\0\0\0\0\0";

impl Cut {
    /// What the disk holds now that the process is gone.
    fn left(self, root: &Path) -> Result<Files, CrashError> {
        let done = record::read(&fleet::recorded(&self.record)?, &root.display().to_string())?;
        let mut disk = Disk::new(self.before);
        for (number, done) in done.iter().enumerate() {
            if !(self.lying && matches!(done.act, record::Act::Sync { .. })) {
                disk.apply(number, &done.act);
            }
        }
        let mut draw = Draw::new(CUT_LABEL, self.seed, done.len() as u64);
        Ok(disk.after_cut(self.loss, &mut draw))
    }
}

impl World {
    fn make(binary: &Path) -> Result<Self, CrashError> {
        let dir = scratch();
        fleet::prepare(binary, &dir, CEREMONY_AGE)?;
        Ok(Self { fleet: Fleet::new(binary, &dir), dir, made: clock::monotonic(), cut: None })
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
            let counts = match options.cut {
                None => count(&mut world, &options.victims)?,
                Some(_) => count_whole(&mut world, &options.victims)?,
            };
            outcome.counts = points::last(&counts);
            match options.budget {
                // A plant is about what a commit makes durable: other calls cannot show it.
                Some(_) if options.plant.is_some() => {
                    let mut sample = points::sampled(&counts, options.seed);
                    sample.retain(|point| point.is_of_a_commit(options.cut.is_some()));
                    sample
                }
                Some(_) => points::sampled(&counts, options.seed),
                None => points::all(&counts),
            }
        }
    };
    outcome.points = points.len();
    drop(world);
    let queue = Queue { points, next: AtomicUsize::new(0), begun, outcome: Mutex::new(outcome) };
    let jobs = options.jobs.max(1);
    let worked = std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..jobs).map(|_| scope.spawn(|| queue.work(&binary, options))).collect();
        while workers.iter().any(|worker| !worker.is_finished()) {
            std::thread::sleep(REPORT_EVERY);
            let done = queue.next.load(Ordering::Relaxed).min(queue.points.len());
            let outcome = queue.outcome.lock().unwrap_or_else(PoisonError::into_inner);
            progress(done, queue.points.len(), &outcome);
        }
        workers.into_iter().map(std::thread::ScopedJoinHandle::join).collect::<Vec<_>>()
    });
    for result in worked {
        result.map_err(|_| CrashError::Worker)??;
    }
    let mut outcome = queue.outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcome.failures.sort_by(|a, b| a.point.cmp(&b.point));
    outcome.passed.sort();
    outcome.seconds = begun.elapsed().as_secs_f64();
    Ok(outcome)
}

/// The points that are left, and what came of those before.
struct Queue {
    points: Vec<Point>,
    next: AtomicUsize,
    begun: Instant,
    outcome: Mutex<Outcome>,
}

impl Queue {
    /// Takes points until there are none, or the time is over, or a plant is found.
    fn work(&self, binary: &Path, options: &Options) -> Result<(), CrashError> {
        let mut world = World::make(binary)?;
        let over = || options.budget.is_some_and(|budget| self.begun.elapsed() >= budget);
        while let Some(point) = self.points.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            if over() {
                break;
            }
            if world.made.elapsed() > COUNTRY_AGE_MAX {
                drop(world);
                world = World::make(binary)?;
            }
            let Tried { killed, faults } = attempt(&mut world, point, options)?;
            let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
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
                    self.next.store(self.points.len(), Ordering::Relaxed);
                }
            }
        }
        Ok(())
    }
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

/// The same from the first instruction to the day's end: a power cut needs the whole record.
fn count_whole(world: &mut World, victims: &[String]) -> Result<Counts, CrashError> {
    let mut counts = Counts::new();
    let into = world.dir.join("trace");
    let trace = Trace::Count { calls: CALLS.join(","), into: into.clone() };
    for victim in victims {
        world.fleet.wipe(&NODES)?;
        let starting = world.fleet.start_traced(victim, &trace)?;
        start_others(world, victim)?;
        starting.ready()?;
        let Tried { faults, .. } = day(world, victim, None)?;
        counts.insert((victim.clone(), Phase::Start), fleet::counted(&into)?);
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
fn attempt(world: &mut World, point: &Point, options: &Options) -> Result<Tried, CrashError> {
    world.fleet.wipe(&NODES)?;
    let plant = options.plant;
    let Point { node, phase, call, nth } = point;
    let injection = Injection { call: call.clone(), nth: *nth };
    let trace = match options.cut {
        None => Trace::Kill(injection),
        Some(loss) => {
            let into = world.dir.join("record");
            let (before, record) = (world.fleet.files(node)?, into.clone());
            let lying = plant == Some(Plant::LyingSync);
            world.cut = Some(Cut { loss, seed: options.seed, lying, before, record });
            let calls = [CALLS, record::FILE_CALLS].concat().join(",");
            Trace::Record { calls, kill: Some(injection), into }
        }
    };
    let mut killed = false;
    match phase {
        Phase::Start => {
            let starting = world.fleet.start_traced(node, &trace)?;
            start_others(world, node)?;
            if starting.ready().is_err() {
                killed = true;
                again(world, node, None)?;
            }
        }
        Phase::Day => {
            world.fleet.start(&[node])?;
            world.fleet.attach(node, &trace)?;
            start_others(world, node)?;
        }
    }
    let tried = day(world, node, plant)?;
    world.cut = None;
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
        again(world, victim, None)?;
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
    if let Some(cut) = world.cut.take() {
        let left = cut.left(&world.fleet.folder(victim))?;
        world.fleet.put_files(victim, &left)?;
    }
    Ok(world.fleet.start(&[victim])?)
}

/// The nodes that may be killed.
#[must_use]
pub fn victims() -> Vec<String> {
    TIERS.map(str::to_owned).to_vec()
}
