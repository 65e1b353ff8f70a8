//! `jukilab swarm`: runs worlds by seed; a failing one prints the command that repeats it.

use std::io::{self, IsTerminal, Write};
use std::num::NonZeroUsize;
use std::ops::{ControlFlow, Range};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget};

use super::watch::{named, set_pace, watch};
use super::{EXIT_DEFECT, EXIT_FAILED, complain, planted};
use crate::swarm::faults::FaultSet;
use crate::swarm::kept::{Kept, kept};
use crate::swarm::many::run_many;
use crate::swarm::shrink::{Shrunk, shrink};
use crate::swarm::{Options, Outcome, STEPS_COUNT_MAX, STEPS_DEFAULT, run as run_world};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Seeds to run, the last one not included: 0..100, or one seed: 7.
    #[arg(long, value_name = "A..B", value_parser = parse_seeds,
        required_unless_present_any = ["kept", "planted"])]
    seeds: Option<Range<u64>>,
    /// The seeds that once broke a rule, instead.
    #[arg(long, conflicts_with = "seeds")]
    kept: bool,
    /// Worlds at a time; as many as there are cores, unless told otherwise.
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Make a failing world smaller: fewer kinds of faults, fewer events.
    #[arg(long)]
    shrink: bool,
    /// Events of each world's storm, before the network must come to rest.
    #[arg(long, value_name = "N", default_value_t = STEPS_DEFAULT,
        value_parser = clap::value_parser!(u64).range(1..=STEPS_COUNT_MAX))]
    steps: u64,
    /// Exactly these kinds of faults, instead of those that each seed draws: crash,loss; or none.
    #[arg(long, value_name = "KIND,…", value_parser = FaultSet::parse)]
    only: Option<FaultSet>,
    /// Never these kinds of faults.
    #[arg(long, value_name = "KIND,…", value_parser = FaultSet::parse, default_value = "none",
        hide_default_value = true)]
    without: FaultSet,
    /// Let municipalities change a person whom another one's notices are still about.
    #[arg(long)]
    restless: bool,
    /// Three days without the center, a prefecture or a municipality in each world.
    #[arg(long, value_name = "TIER")]
    outage: Option<Tier>,
    /// Print every event of every world to stderr.
    #[arg(long)]
    watch: bool,
    /// Watch at a pace: so many virtual seconds in a real one.
    #[arg(long, value_name = "N", requires = "watch",
        value_parser = clap::value_parser!(u32).range(1..))]
    pace: Option<u32>,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
    /// No progress bar.
    #[arg(long)]
    quiet: bool,
    #[command(flatten)]
    planted: planted::PlantedArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Tier {
    Center,
    Prefecture,
    Municipality,
}

impl Tier {
    const fn place(self) -> usize {
        match self {
            Self::Center => 0,
            Self::Prefecture => 1,
            Self::Municipality => 3,
        }
    }
}

fn parse_seeds(text: &str) -> Result<Range<u64>, String> {
    let number = |text: &str| text.parse::<u64>().map_err(|_| format!("{text} is not a number"));
    let seeds = match text.split_once("..") {
        Some((first, end)) => number(first)?..number(end)?,
        None => {
            let seed = number(text)?;
            seed..seed.checked_add(1).ok_or("the seed is too large")?
        }
    };
    if seeds.is_empty() { Err("no seed lies in this range".to_owned()) } else { Ok(seeds) }
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    if arguments.planted.planted {
        let jobs = arguments.jobs.or_else(|| std::thread::available_parallelism().ok());
        let around = planted::Around {
            seeds: arguments.seeds.clone(),
            jobs: jobs.map_or(1, NonZeroUsize::get),
            json: arguments.json,
            quiet: arguments.quiet,
        };
        return planted::run(&arguments.planted, &around);
    }
    let done = if arguments.kept { run_kept(arguments) } else { run_seeds(arguments) };
    match done {
        Ok(code) => code,
        Err(error) => {
            complain(&*error);
            ExitCode::from(EXIT_FAILED)
        }
    }
}

type Done = Result<ExitCode, Box<dyn std::error::Error>>;

fn options(arguments: &Arguments) -> Options {
    if let Some(pace) = arguments.pace {
        set_pace(pace);
    }
    Options {
        steps: arguments.steps,
        watch: arguments.watch.then_some(watch),
        restless: arguments.restless,
        outage: arguments.outage.map(Tier::place),
        only: arguments.only,
        without: arguments.without,
        plant: None,
    }
}

fn progress(arguments: &Arguments, count: u64) -> ProgressBar {
    let hidden = arguments.quiet || arguments.watch || !io::stderr().is_terminal();
    let target = if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    ProgressBar::with_draw_target(Some(count), target)
}

fn run_seeds(arguments: &Arguments) -> Done {
    let (options, seeds) = (options(arguments), arguments.seeds.clone().unwrap_or(0..0));
    let available = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    // Two worlds at once would be one story that nobody can follow.
    let jobs = if arguments.watch { None } else { arguments.jobs.or(Some(available)) };
    let bar = progress(arguments, seeds.end - seeds.start);
    let (mut sum, mut failed) = (Sum::default(), None);
    run_many(seeds, &options, jobs.unwrap_or(NonZeroUsize::MIN), &mut |outcome| {
        sum.add(&outcome);
        bar.inc(1);
        if outcome.violation.is_none() {
            return ControlFlow::Continue(());
        }
        failed = Some(outcome);
        ControlFlow::Break(())
    })?;
    bar.finish_and_clear();
    let mut smaller = None;
    if let (true, Some(outcome)) = (arguments.shrink, &failed) {
        smaller = shrink(outcome.seed, &Options { watch: None, ..options })?;
    }
    let failed = failed.map(|outcome| Failed { command: options.command(outcome.seed), outcome });
    report(arguments, &sum, failed.as_ref(), smaller.as_ref())?;
    Ok(if failed.is_some() { ExitCode::from(EXIT_DEFECT) } else { ExitCode::SUCCESS })
}

/// The seeds that once broke a rule.
fn run_kept(arguments: &Arguments) -> Done {
    let kept = kept()?;
    let bar = progress(arguments, u64::try_from(kept.len()).unwrap_or(u64::MAX));
    let (mut sum, mut failed) = (Sum::default(), None);
    for Kept { seed, options, rule, what } in kept {
        let outcome = run_world(seed, &options)?;
        sum.add(&outcome);
        bar.inc(1);
        if outcome.violation.is_some() {
            writeln!(io::stderr(), "kept for {rule}: {what}")?;
            failed = Some(Failed { command: options.command(seed), outcome });
            break;
        }
    }
    bar.finish_and_clear();
    report(arguments, &sum, failed.as_ref(), None)?;
    Ok(if failed.is_some() { ExitCode::from(EXIT_DEFECT) } else { ExitCode::SUCCESS })
}

/// A world that broke a rule, and what repeats it.
struct Failed {
    outcome: Outcome,
    command: String,
}

/// What all worlds together saw.
#[derive(Debug, Default)]
struct Sum {
    worlds: u64,
    steps: u64,
    virtual_ms: u64,
    notices: u64,
    answers: u64,
    persons: u64,
    refusals: u64,
    unavailable: u64,
    crashes: u64,
    partitions: u64,
    given_up: u64,
    releases: u64,
    trace: String,
}

impl Sum {
    fn add(&mut self, outcome: &Outcome) {
        self.worlds += 1;
        self.steps += outcome.steps;
        self.virtual_ms += outcome.virtual_ms;
        self.notices += outcome.counts.notices;
        self.answers += outcome.counts.answers;
        self.persons += outcome.counts.persons;
        self.refusals += outcome.counts.refusals;
        self.unavailable += outcome.counts.unavailable;
        self.crashes += outcome.counts.crashes;
        self.partitions += outcome.counts.partitions;
        self.given_up += outcome.counts.given_up;
        self.releases += outcome.counts.releases;
        self.trace.clone_from(&outcome.trace);
    }
}

fn tell(failed: &Failed, smaller: Option<&Shrunk>, shrinks: bool) -> io::Result<()> {
    let Failed { outcome, command } = failed;
    let mut talk = io::stderr().lock();
    for line in &outcome.last {
        writeln!(talk, "{}", named(line))?;
    }
    if let Some(violation) = &outcome.violation {
        writeln!(talk, "seed {}: {}: {}", outcome.seed, violation.rule, violation.detail)?;
    }
    writeln!(talk, "faults: {}", outcome.faults)?;
    writeln!(talk, "repeat it: {command} --watch")?;
    match smaller {
        Some(Shrunk { options, outcome, runs }) => {
            let smallest = options.command(outcome.seed);
            writeln!(talk, "after {runs} worlds, the smallest: {smallest} --watch")
        }
        None if !shrinks => writeln!(talk, "make it smaller: {command} --shrink"),
        None => Ok(()),
    }
}

fn report(
    arguments: &Arguments,
    sum: &Sum,
    failed: Option<&Failed>,
    smaller: Option<&Shrunk>,
) -> io::Result<()> {
    if let Some(failed) = failed {
        tell(failed, smaller, arguments.shrink)?;
    }
    let mut out = io::stdout().lock();
    if arguments.json {
        let smallest = smaller.map(|smaller| smaller.options.command(smaller.outcome.seed));
        let violation = failed.and_then(|f| Some((f, f.outcome.violation.as_ref()?)));
        let violation = violation.map(|(Failed { outcome, command }, violation)| {
            serde_json::json!({
                "seed": outcome.seed, "rule": violation.rule, "detail": violation.detail,
                "faults": outcome.faults.to_string(), "repeat": command, "smallest": smallest,
            })
        });
        let document = serde_json::json!({
            "ok": failed.is_none(),
            "worlds": sum.worlds,
            "steps": sum.steps,
            "virtual_seconds": sum.virtual_ms / 1_000,
            "notices": sum.notices,
            "answers": sum.answers,
            "persons": sum.persons,
            "refusals": sum.refusals,
            "unavailable": sum.unavailable,
            "crashes": sum.crashes,
            "partitions": sum.partitions,
            "given_up": sum.given_up,
            "releases": sum.releases,
            "last_trace": sum.trace,
            "violation": violation,
        });
        return writeln!(out, "{document}");
    }
    writeln!(
        out,
        "{} worlds, {} events, {} virtual seconds: {} notices, {} answers about {} persons, \
         {} refusals, {} put off, {} crashes, {} partitions, {} groups given up, {} releases; {}",
        sum.worlds,
        sum.steps,
        sum.virtual_ms / 1_000,
        sum.notices,
        sum.answers,
        sum.persons,
        sum.refusals,
        sum.unavailable,
        sum.crashes,
        sum.partitions,
        sum.given_up,
        sum.releases,
        if failed.is_some() { "a rule is broken" } else { "every rule held" },
    )
}
