//! `jukilab swarm`: runs worlds by seed; a failing one prints the command that repeats it.

use std::io::{self, IsTerminal, Write};
use std::ops::Range;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget};

use super::{EXIT_DEFECT, EXIT_FAILED, complain};
use crate::swarm::faults::FaultSet;
use crate::swarm::{Options, Outcome, STEPS_COUNT_MAX, STEPS_DEFAULT, run as run_world};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Seeds to run, the last one not included: 0..100, or one seed: 7.
    #[arg(long, value_name = "A..B", value_parser = parse_seeds)]
    seeds: Range<u64>,
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
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
    /// No progress bar.
    #[arg(long)]
    quiet: bool,
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

    const fn option(self) -> &'static str {
        match self {
            Self::Center => " --outage center",
            Self::Prefecture => " --outage prefecture",
            Self::Municipality => " --outage municipality",
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
    let hidden = arguments.quiet || arguments.watch || !io::stderr().is_terminal();
    let target = if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let count = arguments.seeds.end - arguments.seeds.start;
    let bar = ProgressBar::with_draw_target(Some(count), target);
    let options = Options {
        steps: arguments.steps,
        watch: arguments.watch,
        restless: arguments.restless,
        outage: arguments.outage.map(Tier::place),
        only: arguments.only,
        without: arguments.without,
        plant: None,
    };
    let mut sum = Sum::default();
    let mut failed = None;
    for seed in arguments.seeds.clone() {
        match run_world(seed, &options) {
            Ok(outcome) => {
                sum.add(&outcome);
                if outcome.violation.is_some() {
                    failed = Some(outcome);
                    break;
                }
            }
            Err(error) => {
                complain(&error);
                return ExitCode::from(EXIT_FAILED);
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    match report(arguments, &sum, failed.as_ref()) {
        Err(error) => {
            complain(&error);
            ExitCode::from(EXIT_FAILED)
        }
        Ok(()) if failed.is_some() => ExitCode::from(EXIT_DEFECT),
        Ok(()) => ExitCode::SUCCESS,
    }
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
        self.releases += outcome.counts.releases;
        self.trace.clone_from(&outcome.trace);
    }
}

fn report(arguments: &Arguments, sum: &Sum, failed: Option<&Outcome>) -> io::Result<()> {
    let repeat = failed.map(|outcome| repeat_command(arguments, outcome.seed));
    if let (Some(outcome), Some(repeat)) = (failed, &repeat) {
        let mut talk = io::stderr().lock();
        for line in &outcome.last {
            writeln!(talk, "{line}")?;
        }
        if let Some(violation) = &outcome.violation {
            writeln!(talk, "seed {}: {}: {}", outcome.seed, violation.rule, violation.detail)?;
        }
        writeln!(talk, "repeat it: {repeat}")?;
    }
    let mut out = io::stdout().lock();
    if arguments.json {
        let violation = failed.and_then(|o| Some((o.seed, o.violation.as_ref()?)));
        let violation = violation.map(|(seed, violation)| {
            serde_json::json!({
                "seed": seed, "rule": violation.rule, "detail": violation.detail, "repeat": repeat,
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
            "releases": sum.releases,
            "last_trace": sum.trace,
            "violation": violation,
        });
        return writeln!(out, "{document}");
    }
    writeln!(
        out,
        "{} worlds, {} events, {} virtual seconds: {} notices, {} answers about {} persons, \
         {} refusals, {} put off, {} crashes, {} partitions, {} releases; {}",
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
        sum.releases,
        if failed.is_some() { "a rule is broken" } else { "every rule held" },
    )
}

/// The one command that repeats a world.
fn repeat_command(arguments: &Arguments, seed: u64) -> String {
    let mut command = format!("jukilab swarm --seeds {seed} --steps {}", arguments.steps);
    if let Some(only) = arguments.only {
        command += &format!(" --only {only}");
    }
    if arguments.without != FaultSet::NONE {
        command += &format!(" --without {}", arguments.without);
    }
    if arguments.restless {
        command += " --restless";
    }
    command + arguments.outage.map_or("", Tier::option) + " --watch"
}
