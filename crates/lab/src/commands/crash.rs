//! `jukilab crash`: kills real processes at their writes, syncs, renames and sends during a
//! scripted day, and says what was lost or doubled.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::{EXIT_DEFECT, EXIT_FAILED, EXIT_USAGE, complain};
use crate::crash::{self, Loss, Options, Outcome, Plant, Point, images};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Planted {
    /// Changes count as acknowledged when they are sent.
    EarlyAcknowledgement,
    /// The database's log is gone after the kill.
    LostLog,
    /// With --cut or --images: a sync keeps nothing.
    LyingSync,
}

/// What becomes of that which was not synced when the power fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Cut {
    /// All of it is gone.
    Whole,
    /// Each write is kept, lost or torn by the seed.
    Torn,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  jukilab crash --sample 60\n  jukilab crash --day\n  jukilab \
        crash --point center:day:fdatasync:12\n  jukilab crash --plant early-acknowledgement \
        --sample 60\n  jukilab crash --cut torn --sample 60\n  jukilab crash \
        --images\n\nNeeds strace and the right to trace (root, or the own user's processes). \
        The processes run\non loopback in a folder of their own, removed at the end. Exit codes: \
        0 nothing was lost or\ndoubled (with --plant: the planted fault was found), 1 it could \
        not be tried, 3 a defect.")]
pub(crate) struct Arguments {
    /// Every point of the day.
    #[arg(long, conflicts_with_all = ["sample", "point"])]
    day: bool,
    /// Points in an order drawn from the seed, each kind in turn, for this many seconds.
    #[arg(long, value_name = "S", conflicts_with = "point")]
    sample: Option<u64>,
    /// One point: NODE:start|day:CALL:N.
    #[arg(long, value_name = "POINT", value_parser = point)]
    point: Option<Point>,
    /// The power fails at the point: what was not synced is lost too.
    #[arg(long, value_enum, value_name = "LOSS", conflicts_with = "images")]
    cut: Option<Cut>,
    /// Every disk that a power cut can leave, from one recorded day of each node.
    #[arg(long, conflicts_with_all = ["day", "sample", "point"])]
    images: bool,
    /// With --plant lying-sync: only of files whose path holds this, as register.sqlite-wal.
    #[arg(long, value_name = "TEXT", requires = "plant")]
    lies_about: Option<String>,
    /// Countries in which points are tried at the same time.
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u8).range(1..=16))]
    jobs: u8,
    /// With --images: at most this many acts of each node, evenly spread.
    #[arg(long, value_name = "N", requires = "images")]
    most: Option<usize>,
    /// Nodes to kill; all three tiers when none is named.
    #[arg(long, value_name = "NODE", value_delimiter = ',')]
    victims: Vec<String>,
    /// Seed of the sample.
    #[arg(long, value_name = "S", default_value_t = 2003)]
    seed: u64,
    /// A fault planted on purpose, which must be found.
    #[arg(long, value_enum)]
    plant: Option<Planted>,
    /// The jukinet binary to kill; the one beside this program when none is named.
    #[arg(long, value_name = "PATH")]
    jukinet: Option<PathBuf>,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
    /// Say nothing on the way.
    #[arg(long)]
    quiet: bool,
}

fn point(text: &str) -> Result<Point, String> {
    Point::parse(text).ok_or_else(|| "NODE:start|day:CALL:N, as a failure prints it".to_owned())
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let named = arguments.day || arguments.sample.is_some() || arguments.point.is_some();
    if !named && !arguments.images {
        eprintln!("jukilab: name --day, --sample SECONDS, --point POINT or --images");
        return ExitCode::from(EXIT_USAGE);
    }
    let known = crash::victims();
    if let Some(odd) = arguments.victims.iter().find(|node| !known.contains(node)) {
        eprintln!("jukilab: {odd} is not one of {}", known.join(", "));
        return ExitCode::from(EXIT_USAGE);
    }
    if arguments.images {
        return run_images(arguments, known);
    }
    let options = Options {
        jukinet: arguments.jukinet.clone(),
        victims: if arguments.victims.is_empty() { known } else { arguments.victims.clone() },
        seed: arguments.seed,
        budget: arguments.sample.map(Duration::from_secs),
        point: arguments.point.clone(),
        plant: arguments.plant.map(|plant| match plant {
            Planted::EarlyAcknowledgement => Plant::EarlyAcknowledgement,
            Planted::LostLog => Plant::LostLog,
            Planted::LyingSync => Plant::LyingSync,
        }),
        jobs: usize::from(arguments.jobs),
        cut: arguments.cut.map(|cut| match cut {
            Cut::Whole => Loss::Whole,
            Cut::Torn => Loss::Torn,
        }),
    };
    let bar = bar(arguments);
    let mut progress = |done: usize, of: usize, outcome: &Outcome| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
        bar.set_message(format!("{} failures", outcome.failures.len()));
    };
    let tried = crash::run(&options, &mut progress);
    bar.finish_and_clear();
    match tried {
        Ok(outcome) => {
            if let Err(error) = report(arguments, &outcome) {
                complain(&error);
                return ExitCode::from(EXIT_FAILED);
            }
            let found = !outcome.failures.is_empty();
            if found == arguments.plant.is_some() {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(EXIT_DEFECT)
            }
        }
        Err(error) => {
            complain(&error);
            ExitCode::from(EXIT_FAILED)
        }
    }
}

fn report(arguments: &Arguments, outcome: &Outcome) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let Outcome { points, killed, passed, counts, by_call, failures, seconds } = outcome;
    let names = |points: &[Point]| -> Vec<String> { points.iter().map(Point::to_string).collect() };
    if arguments.json {
        let failed: Vec<_> = failures
            .iter()
            .map(|failure| json!({"point": failure.point.to_string(), "faults": failure.faults}))
            .collect();
        let document = json!({
            "points": points, "killed": killed, "not_reached": names(passed), "last": names(counts),
            "by_call": by_call,
            "failures": failed, "seconds": (seconds * 10.0).round() / 10.0,
            "planted": arguments.plant.is_some(), "seed": arguments.seed,
        });
        return writeln!(out, "{document}");
    }
    for failure in failures {
        writeln!(out, "{}", failure.point)?;
        for fault in &failure.faults {
            writeln!(out, "    {fault}")?;
        }
        let cut = match arguments.cut {
            None => String::new(),
            Some(Cut::Whole) => format!(" --cut whole --seed {}", arguments.seed),
            Some(Cut::Torn) => format!(" --cut torn --seed {}", arguments.seed),
        };
        writeln!(out, "    again: jukilab crash --point {}{cut}", failure.point)?;
    }
    let kinds: Vec<String> =
        by_call.iter().map(|(call, count)| format!("{call} {count}")).collect();
    writeln!(
        out,
        "{points} points, killed at {killed} ({}), {} not reached, {} with a fault, \
            {seconds:.0} s, seed {}",
        kinds.join(", "),
        passed.len(),
        failures.len(),
        arguments.seed
    )?;
    match (arguments.plant, failures.is_empty()) {
        (Some(_), false) => writeln!(out, "the planted fault was found"),
        (Some(_), true) => writeln!(out, "the planted fault was NOT found: the checks are blind"),
        (None, true) => writeln!(out, "nothing was lost or doubled"),
        (None, false) => Ok(()),
    }
}

fn run_images(arguments: &Arguments, known: Vec<String>) -> ExitCode {
    let options = images::Options {
        jukinet: arguments.jukinet.clone(),
        victims: if arguments.victims.is_empty() { known } else { arguments.victims.clone() },
        seed: arguments.seed,
        most: arguments.most,
        lying: match arguments.plant {
            Some(Planted::LyingSync) => Some(arguments.lies_about.clone().unwrap_or_default()),
            _ => None,
        },
    };
    let bar = bar(arguments);
    let mut progress = |node: &str, done: usize, of: usize, outcome: &images::Outcome| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
        bar.set_message(format!("{node}, {} failures", outcome.failures.len()));
    };
    let tried = images::run(&options, &mut progress);
    bar.finish_and_clear();
    let outcome = match tried {
        Ok(outcome) => outcome,
        Err(error) => {
            complain(&error);
            return ExitCode::from(EXIT_FAILED);
        }
    };
    if let Err(error) = report_images(arguments, &outcome) {
        complain(&error);
        return ExitCode::from(EXIT_FAILED);
    }
    let found = !outcome.failures.is_empty();
    if found == options.lying.is_some() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_DEFECT) }
}

fn report_images(arguments: &Arguments, outcome: &images::Outcome) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let images::Outcome { acts, opened, started, failures, seconds } = outcome;
    let loss = |loss| if loss == Loss::Whole { "whole" } else { "torn" };
    if arguments.json {
        let failed = failures.iter().map(|failure| {
            json!({
                "node": failure.node, "after": failure.after, "loss": loss(failure.loss),
                "faults": failure.faults,
            })
        });
        let document = json!({
            "acts": acts, "opened": opened, "started": started,
            "failures": failed.collect::<Vec<_>>(), "seconds": (seconds * 10.0).round() / 10.0,
            "planted": arguments.plant.is_some(), "seed": arguments.seed,
        });
        return writeln!(out, "{document}");
    }
    for failure in failures {
        let (node, after) = (&failure.node, failure.after);
        writeln!(out, "{node}, after act {after}, {} loss", loss(failure.loss))?;
        for fault in &failure.faults {
            writeln!(out, "    {fault}")?;
        }
    }
    writeln!(
        out,
        "{acts} acts recorded, {opened} disks opened, {started} given to a node, {} with a fault, \
            {seconds:.0} s, seed {}",
        failures.len(),
        arguments.seed
    )?;
    match (arguments.plant, failures.is_empty()) {
        (Some(_), false) => writeln!(out, "the planted fault was found"),
        (Some(_), true) => writeln!(out, "the planted fault was NOT found: the checks are blind"),
        (None, true) => writeln!(out, "nothing was lost or doubled"),
        (None, false) => Ok(()),
    }
}

fn bar(arguments: &Arguments) -> ProgressBar {
    if arguments.quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    match ProgressStyle::with_template("{bar:40} {pos}/{len} points  {eta} left  {msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
