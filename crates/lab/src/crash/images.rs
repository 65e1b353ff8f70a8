//! Disks that a power cut of one recorded day leaves: after each act of a node two of them, one
//! with all that was not synced gone, one with it torn as the seed draws. Each is put back and
//! checked: opened by the store's own code, and before the node was ready, and now and then
//! later, by the node itself.
//!
//! Of the day one recording is enough: what a disk holds depends on the acts alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use ledger::entry::EntryKind;

use super::check::{self, TIERS, Tiers};
use super::day::{Day, Standings};
use super::record::{self, Act, Done};
use super::script::{Acknowledged, Script};
use super::{
    CALLS, CUT_LABEL, CrashError, DRAIN_PATIENCE, Disk, Loss, NODES, STEP_PATIENCE, World,
    start_others,
};
use crate::draw::Draw;
use crate::live::country::binary;
use crate::live::fleet::{self, Trace};
use crate::live::keeping::Keeping;
use crate::live::{clock, place};

/// Of the disks of the day, one in so many is also given to a real process.
const STARTED_EVERY: usize = 40;
/// Time between two looks at what the tier above has acknowledged.
const WATCH_EVERY: Duration = Duration::from_millis(1);

/// What to try.
#[derive(Clone, Debug)]
pub struct Options {
    pub jukinet: Option<std::path::PathBuf>,
    pub victims: Vec<String>,
    pub seed: u64,
    /// Try this many disks of each node, evenly spread; all when none is given.
    pub most: Option<usize>,
    /// Pretend that no sync of a file whose path holds this text kept anything: must be found.
    pub lying: Option<String>,
}

/// A disk with which something did not hold.
#[derive(Clone, Debug)]
pub struct Failure {
    pub node: String,
    /// How many acts had been done.
    pub after: usize,
    pub loss: Loss,
    pub faults: Vec<String>,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Acts on files that were recorded.
    pub acts: usize,
    /// Disks that were opened and checked.
    pub opened: usize,
    /// Disks with which a node was started.
    pub started: usize,
    pub failures: Vec<Failure>,
    pub seconds: f64,
}

/// A recorded day of one node.
struct Recorded {
    victim: String,
    done: Vec<Done>,
    acknowledged: Vec<Acknowledged>,
    answers: Vec<(law::code::RecordCode, u64)>,
    /// Changes that the tier below durably knows to be kept here, and when it was seen to.
    below: Seen,
    day: Day,
    /// When the node said that it was ready.
    ready_us: u64,
}

/// Tries the disks.
///
/// # Errors
/// When nothing can be traced here, or the undisturbed day does not end well.
pub fn run(
    options: &Options,
    progress: &mut dyn FnMut(&str, usize, usize, &Outcome),
) -> Result<Outcome, CrashError> {
    let begun = clock::monotonic();
    fleet::can_trace()?;
    let mut outcome = Outcome::default();
    let binary = binary(options.jukinet.as_deref())?;
    for victim in &options.victims {
        let mut world = World::make(&binary)?;
        world.fleet.wipe(&NODES)?;
        let before = world.fleet.files(victim)?;
        let recorded = record_day(&mut world, victim)?;
        outcome.acts += recorded.done.len();
        let mut disk = Disk::new(before);
        let changing: Vec<usize> = (0..recorded.done.len())
            .filter(|at| recorded.done.get(*at).is_some_and(|d| d.act != Act::Send))
            .collect();
        let stride = options.most.map_or(1, |most| changing.len().div_ceil(most.max(1)).max(1));
        for (nth, number) in changing.iter().enumerate() {
            let Some(done) = recorded.done.get(*number) else { continue };
            let lies = |path: &str| options.lying.as_ref().is_some_and(|of| path.contains(of));
            if !matches!(&done.act, Act::Sync { path, .. } if lies(path)) {
                disk.apply(*number, &done.act);
            }
            if nth % stride != 0 {
                continue;
            }
            progress(victim, nth, changing.len(), &outcome);
            let next = changing.get(nth + 1).copied().unwrap_or(recorded.done.len());
            for loss in [Loss::Whole, Loss::Torn] {
                let mut draw = Draw::new(CUT_LABEL, options.seed, *number as u64);
                world.fleet.put_files(victim, &disk.after_cut(loss, &mut draw))?;
                let early = done.at_us <= recorded.ready_us;
                let faults = if early || nth % STARTED_EVERY == 0 {
                    outcome.started += 1;
                    let mut faults = started(&mut world, &recorded);
                    if !early {
                        faults.extend(opened(&world, &recorded, next)?);
                    }
                    faults
                } else {
                    outcome.opened += 1;
                    opened(&world, &recorded, next)?
                };
                if !faults.is_empty() {
                    let node = victim.clone();
                    outcome.failures.push(Failure { node, after: number + 1, loss, faults });
                }
            }
            if options.lying.is_some() && !outcome.failures.is_empty() {
                break;
            }
        }
    }
    outcome.seconds = begun.elapsed().as_secs_f64();
    Ok(outcome)
}

/// Watches, through the store of the tier below, what `victim` has acknowledged to it.
struct Watch {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Seen, CrashError>>>,
}

/// Changes known to be kept above, and when, in microseconds, that was seen.
type Seen = Vec<(u64, u64)>;

impl Watch {
    fn begin(world: &World, victim: &str) -> Result<Self, CrashError> {
        let stop = Arc::new(AtomicBool::new(false));
        let below = TIERS.windows(2).find_map(|pair| match pair {
            [below, above] if *above == victim => Some(*below),
            _ => None,
        });
        let Some(below) = below else { return Ok(Self { stop, thread: None }) };
        let token = place::node_token(&world.fleet.config(below))?;
        let folder = world.fleet.folder(below);
        let (over, to) = (Arc::clone(&stop), check::onward(below));
        let thread = std::thread::spawn(move || {
            let (mut seen, mut last) = (Vec::new(), 0);
            let (Some(to), keeping) = (to, Keeping::of(below, &folder, token)?) else {
                return Ok(seen);
            };
            while !over.load(Ordering::Relaxed) {
                let (sent, _) = keeping.reads().queue_bounds(&to).map_err(check::unread)?;
                if sent > last {
                    last = sent;
                    seen.push((clock::now_us(), sent));
                }
                std::thread::sleep(WATCH_EVERY);
            }
            Ok(seen)
        });
        Ok(Self { stop, thread: Some(thread) })
    }

    fn end(self) -> Result<Seen, CrashError> {
        self.stop.store(true, Ordering::Relaxed);
        match self.thread {
            None => Ok(Vec::new()),
            Some(thread) => thread.join().map_err(|_| CrashError::Worker)?,
        }
    }
}

/// The day once, undisturbed, with a record of everything the victim does.
fn record_day(world: &mut World, victim: &str) -> Result<Recorded, CrashError> {
    let into = world.dir.join("record");
    let calls = [CALLS, record::FILE_CALLS].concat().join(",");
    let trace = Trace::Record { calls, kill: None, into: into.clone() };
    let starting = world.fleet.start_traced(victim, &trace)?;
    starting.ready()?;
    let ready_us = clock::now_us();
    start_others(world, victim)?;
    let mut script = Script::new(&world.dir, &world.fleet, None)?;
    let day = Day::write(clock::now().date_in_japan())?;
    let watch = Watch::begin(world, victim)?;
    for step in &day.steps {
        let until = clock::monotonic() + STEP_PATIENCE;
        while let Err(why) = script.step(step) {
            if why.is_final() || clock::monotonic() > until {
                return Err(CrashError::Unkilled(why.to_string()));
            }
            script.hang_up();
        }
    }
    let tiers = Tiers::open(&world.fleet)?;
    let until = clock::monotonic() + DRAIN_PATIENCE;
    while !tiers.drained()? && clock::monotonic() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(tiers);
    let below = watch.end()?;
    world.fleet.stop_all();
    let root = world.fleet.folder(victim).display().to_string();
    let done = record::read(&fleet::recorded(&into)?, &root)?;
    let (acknowledged, answers) = (script.acknowledged, script.told.answers);
    Ok(Recorded { victim: victim.to_owned(), done, acknowledged, answers, below, day, ready_us })
}

impl Recorded {
    /// What was acknowledged with bytes that left before the act `next`.
    fn acknowledged_before(&self, next: usize) -> impl Iterator<Item = &Acknowledged> {
        self.acknowledged.iter().filter(move |told| self.had_left(told.at_us, next))
    }

    /// Whether what was heard at this time had left before the act `next`: with the last bytes that
    /// were sent until then, at the latest.
    fn had_left(&self, heard_us: u64, next: usize) -> bool {
        let sends = self.done.iter().enumerate().filter(|(_, d)| d.act == Act::Send);
        let last = sends.take_while(|(_, d)| d.at_us <= heard_us).last();
        last.is_some_and(|(number, _)| number < next)
    }

    /// Changes that this node must still have.
    fn must_have(&self, next: usize) -> u64 {
        let by_answer = self.victim == "center";
        let by_feed = self.victim == TIERS[0];
        let told = self.acknowledged_before(next);
        let counts = told.filter(|a| if a.asked.is_some() { by_answer } else { by_feed });
        let told = counts.map(|told| told.changes).max().unwrap_or(0);
        let below = self.below.iter().filter(|(seen_us, _)| self.had_left(*seen_us, next));
        told.max(below.map(|(_, changes)| *changes).max().unwrap_or(0))
    }

    /// Whether a checkpoint had come to its place, folder synced, before the act `next`.
    fn published_before(&self, next: usize) -> bool {
        let mut placed = None;
        self.done.iter().take(next).any(|done| match &done.act {
            Act::Rename { to, .. } if to.ends_with("/ledger/checkpoint") => {
                placed = to.strip_suffix("/checkpoint").map(str::to_owned);
                false
            }
            Act::Sync { path, .. } => placed.as_ref() == Some(path),
            _ => false,
        })
    }

    /// Answers that this node must have recorded.
    fn answered(&self, next: usize) -> usize {
        let told = self.acknowledged_before(next).filter_map(|told| told.asked);
        if self.victim == "center" { told.max().unwrap_or(0) } else { 0 }
    }
}

/// The node itself starts with this disk, and ends well.
fn started(world: &mut World, recorded: &Recorded) -> Vec<String> {
    let victim = recorded.victim.as_str();
    if let Err(error) = world.fleet.start(&[victim]) {
        let log = world.fleet.log_tail(victim);
        world.fleet.stop_all();
        return vec![format!("it does not start: {error}\n{log}")];
    }
    match world.fleet.stop_all().is_empty() {
        true => Vec::new(),
        false => vec!["it ended ill".to_owned()],
    }
}

/// The store's own code opens this disk; what it holds is the day up to some change, and no
/// earlier than what was acknowledged.
fn opened(world: &World, recorded: &Recorded, next: usize) -> Result<Vec<String>, CrashError> {
    let victim = recorded.victim.as_str();
    let token = place::node_token(&world.fleet.config(victim))?;
    let keeping = match Keeping::of(victim, &world.fleet.folder(victim), token) {
        Ok(keeping) => keeping,
        Err(error) => return Ok(vec![format!("it does not open: {error}")]),
    };
    match held(&keeping, recorded, next) {
        Ok(faults) => Ok(faults),
        Err(error) => Ok(vec![format!("it cannot be read: {error}")]),
    }
}

fn held(keeping: &Keeping, recorded: &Recorded, next: usize) -> Result<Vec<String>, CrashError> {
    let victim = recorded.victim.as_str();
    let mut faults = Vec::new();
    let report = keeping.check()?;
    faults.extend(report.faults.iter().map(|found| format!("{} ({})", found.what, found.place)));
    if keeping.has_published() {
        let verified = keeping.verify_ledger()?;
        if !verified.is_sound() || verified.size > keeping.entries()? {
            faults.push("its published ledger does not verify".to_owned());
        }
    } else if recorded.published_before(next) {
        faults.push("its published checkpoint is gone".to_owned());
    }
    let kind =
        if victim == TIERS[0] { EntryKind::FeedReceived } else { EntryKind::NoticesReceived };
    let has = keeping.counted(kind)?;
    let must = recorded.must_have(next);
    if has < must {
        faults.push(format!("{has} changes are there, {must} were acknowledged"));
    }
    let standings: Standings = recorded.day.standings_after(has);
    check::people(keeping.reads(), &standings, &mut |what| faults.push(what))?;
    if let Some(onward) = check::onward(victim) {
        let (sent, last) = keeping.reads().queue_bounds(&onward).map_err(check::unread)?;
        if last != has || sent > last {
            faults.push(format!("{has} changes recorded, the queue stands at {sent} of {last}"));
        }
    }
    for (_, index) in recorded.answers.iter().take(recorded.answered(next)) {
        let read = keeping.reads().entries_from(*index, 1).map_err(check::unread)?;
        if read.first().is_none_or(|open| open.index != *index) {
            faults.push(format!("the answer with receipt {index} is not recorded"));
        }
    }
    Ok(faults)
}
