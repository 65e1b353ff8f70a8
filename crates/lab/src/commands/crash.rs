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
use crate::crash::{self, Options, Outcome, Plant, Point};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Planted {
    /// Changes count as acknowledged when they are sent.
    EarlyAcknowledgement,
    /// The database's log is gone after the kill.
    LostLog,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  jukilab crash --sample 60\n  jukilab crash --day\n  jukilab \
        crash --point center:day:fdatasync:12\n  jukilab crash --plant early-acknowledgement \
        --sample 60\n\nNeeds strace and the right to trace (root, or the own user's processes). \
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
    if !arguments.day && arguments.sample.is_none() && arguments.point.is_none() {
        eprintln!("jukilab: name --day, --sample SECONDS or --point POINT");
        return ExitCode::from(EXIT_USAGE);
    }
    let known = crash::victims();
    if let Some(odd) = arguments.victims.iter().find(|node| !known.contains(node)) {
        eprintln!("jukilab: {odd} is not one of {}", known.join(", "));
        return ExitCode::from(EXIT_USAGE);
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
        writeln!(out, "    again: jukilab crash --point {}", failure.point)?;
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
