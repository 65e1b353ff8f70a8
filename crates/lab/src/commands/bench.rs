//! `jukilab bench`: runs one benchmark and prints its record, for people or as one JSON document;
//! `bench report` writes the page of all records, `bench peers` sees to the packages of the peers.

mod page;
mod peers;
mod scale;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};

use super::{EXIT_DEFECT, EXIT_FAILED, EXIT_USAGE, complain};
use crate::bench::harness::{Frame, document, floor_missed, framed};
use crate::bench::record::Record;
use crate::bench::{
    BenchError, Options, build, center, change, erasure, immediate, import, nation, recovery,
    report,
};
use crate::live::{country, results};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Bench {
    /// Immediate provision end to end, each inquiry signed (B1a).
    #[value(name = "B1")]
    B1,
    /// A change on its way from the register system to the center.
    #[value(name = "B5")]
    B5,
    /// Recovery after kill -9 under load.
    #[value(name = "B8")]
    B8,
    /// A part of the nation through a peak day, with crashes and cut lines.
    #[value(name = "B9")]
    B9,
    /// Erasure of one month's cohort of history rows.
    #[value(name = "B11")]
    B11,
    /// A center of --residents, up to the whole country: load, start, look-ups, disk, memory.
    #[value(name = "center")]
    Center,
    /// The first load of a register of --residents.
    #[value(name = "import")]
    Import,
    /// Size of the binaries; with --cold, the time of a build from nothing.
    #[value(name = "build")]
    Build,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Write the page of all committed records, or check that it is the one that is there.
    Report(page::Arguments),
    /// The packages that the peers run from: what is there, and their installation.
    Peers(peers::Arguments),
}

const EXAMPLES: &str = "Examples:
  jukilab bench B1
  jukilab bench B5 --json --seconds 10
  jukilab bench B8 --changes 20000
  jukilab bench B11 --changes 240000 --out docs/performance
  jukilab bench import --residents 1000000
  jukilab bench build --cold
  jukilab bench report --check
  jukilab bench peers install

B1, B5, B8 and B11 run a peer beside ours; bench peers says which packages it needs. What is raised
runs on loopback and is removed at the end; set JUKILAB_DIR to keep its files on another disk. Exit
codes: 0 figures, 1 no figures, 3 a wrong answer: the run is void.";

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = EXAMPLES
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    task: Option<Task>,
    #[command(flatten)]
    run: Run,
}

#[derive(Debug, Args)]
struct Run {
    /// Which one.
    #[arg(value_enum, required = true)]
    bench: Option<Bench>,
    /// The jukinet binary to measure; the one beside this program when none is named.
    #[arg(long, value_name = "PATH")]
    jukinet: Option<PathBuf>,
    /// Seconds of each phase.
    #[arg(
        long,
        value_name = "S",
        default_value_t = 5,
        value_parser = clap::value_parser!(u64).range(1..=20)
    )]
    seconds: u64,
    /// Residents of the country; up to 20000 are embedded, more are generated.
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    residents: u64,
    /// Seed of the mix of inquiries, and of generated residents.
    #[arg(long, value_name = "S", default_value_t = 2003)]
    seed: u64,
    /// Changes in the bulk of B5 and in the backlog of B8; history rows of B11.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 10_000,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    changes: u32,
    /// Build from nothing as well (bench build); takes minutes and every core.
    #[arg(long)]
    cold: bool,
    #[command(flatten)]
    scale: scale::ScaleArguments,
    /// Name of this machine in the record; made from its processor where none is given.
    #[arg(long, value_name = "NAME")]
    machine: Option<String>,
    /// How often to run again when the machine was not quiet.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        value_parser = clap::value_parser!(u32).range(..=9)
    )]
    reruns: u32,
    /// Also write the record as JSON and its plots as SVG into this folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Exit with 1 when a floor is missed in a run that counts.
    #[arg(long)]
    gate: bool,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
    /// Say nothing on the way.
    #[arg(long)]
    quiet: bool,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match (&arguments.task, arguments.run.bench) {
        (Some(Task::Report(page)), _) => page::run(page),
        (Some(Task::Peers(peers)), _) => peers::run(peers),
        (None, Some(bench)) => run_bench(bench, &arguments.run),
        // Clap asks for one or the other.
        (None, None) => ExitCode::from(EXIT_USAGE),
    }
}

fn run_bench(bench: Bench, arguments: &Run) -> ExitCode {
    let say = |line: &str| {
        if !arguments.quiet {
            eprintln!("{line}");
        }
    };
    let planted = arguments.scale.plant.is_some();
    let done = measure(bench, arguments, &say).and_then(|record| {
        if planted {
            return Ok(Outcome::Blind);
        }
        print(arguments, &record)?;
        for path in keep(arguments, &record)? {
            say(&format!("written: {}", path.display()));
        }
        let missed = arguments.gate && floor_missed(&record.gates);
        Ok(if missed { Outcome::FloorMissed } else { Outcome::Figures })
    });
    match done {
        Ok(Outcome::Figures) => ExitCode::SUCCESS,
        Ok(Outcome::FloorMissed) => ExitCode::from(EXIT_FAILED),
        Ok(Outcome::Blind) => {
            eprintln!("the planted fault was not found: this run is blind");
            ExitCode::from(EXIT_DEFECT)
        }
        Err(BenchError::Void(what)) if planted => {
            eprintln!("the planted fault was found: {what}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&error);
            let void = matches!(error, BenchError::Void(_));
            ExitCode::from(if void { EXIT_DEFECT } else { EXIT_FAILED })
        }
    }
}

/// What a run that was not void came to.
enum Outcome {
    Figures,
    FloorMissed,
    /// A fault was planted, and the run did not see it.
    Blind,
}

/// Writes the record and its plots where that was asked for.
fn keep(arguments: &Run, record: &Record) -> Result<Vec<PathBuf>, BenchError> {
    match &arguments.out {
        Some(folder) => Ok(results::write(folder, record)?),
        None => Ok(Vec::new()),
    }
}

fn measure(bench: Bench, arguments: &Run, say: &dyn Fn(&str)) -> Result<Record, BenchError> {
    let options = Options {
        jukinet: arguments.jukinet.clone(),
        seconds: arguments.seconds,
        residents: arguments.residents,
        seed: arguments.seed,
        changes: arguments.changes,
    };
    // What is missing is said before five seconds of calibration, not after.
    country::binary(options.jukinet.as_deref())?;
    let frame = Frame {
        machine: arguments.machine.clone(),
        reruns: arguments.reruns,
        command: typed(std::env::args().skip(1)),
    };
    match bench {
        Bench::B1 => framed(immediate::SUBJECT, &frame, |say| immediate::run(&options, say), say),
        Bench::B5 => framed(change::SUBJECT, &frame, |say| change::run(&options, say), say),
        Bench::B8 => framed(recovery::SUBJECT, &frame, |say| recovery::run(&options, say), say),
        Bench::B9 => {
            let wanted = arguments.scale.nation(&options);
            framed(nation::SUBJECT, &frame, |say| nation::run(&wanted, say), say)
        }
        Bench::B11 => framed(erasure::SUBJECT, &frame, |say| erasure::run(&options, say), say),
        Bench::Center => {
            let (wanted, bar) = (arguments.scale.center(&options), scale::bar(arguments.quiet));
            framed(center::SUBJECT, &frame, |say| center::run(&wanted, &bar, say), say)
        }
        Bench::Import => framed(import::SUBJECT, &frame, |say| import::run(&options, say), say),
        Bench::Build => {
            let jukinet = arguments.jukinet.as_deref();
            framed(build::SUBJECT, &frame, |say| build::run(jukinet, arguments.cold, say), say)
        }
    }
}

/// What was typed, without what is a matter of this machine only: paths.
fn typed(words: impl Iterator<Item = String>) -> String {
    let mut kept = vec!["jukilab".to_owned()];
    let mut is_path = false;
    for word in words {
        let names_path =
            ["--jukinet", "--out", "--work"].iter().any(|option| word.starts_with(option));
        if !is_path && !names_path {
            kept.push(word.clone());
        }
        is_path = names_path && !word.contains('=');
    }
    kept.join(" ")
}

fn print(arguments: &Run, record: &Record) -> Result<(), BenchError> {
    let mut out = io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", document(record)?)?;
    } else {
        writeln!(out, "{}", report::section(record).trim_start())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_in_the_record_names_no_path() {
        let words =
            ["bench", "B1", "--out", "/some/folder", "--jukinet=/x/jukinet", "--seconds", "2"];
        let typed = typed(words.iter().map(|&word| word.to_owned()));
        assert_eq!(typed, "jukilab bench B1 --seconds 2");
    }
}
