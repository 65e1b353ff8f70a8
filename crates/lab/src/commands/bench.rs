//! `jukilab bench`: runs one benchmark and prints its figures, for people or as one JSON document.

mod scale;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::{EXIT_DEFECT, EXIT_FAILED, complain};
use crate::bench::harness::{Frame, document, floor_missed, framed};
use crate::bench::record::Record;
use crate::bench::{
    BenchError, Options, build, center, change, erasure, import, nation, provision, recovery,
};
use crate::live::country;

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

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  jukilab bench B1\n  jukilab bench B5 --json --seconds 10\n  \
        jukilab bench B8 --changes 20000\n  jukilab bench B11 --changes 240000\n  jukilab bench \
        import --residents 1000000\n  jukilab bench build --cold\n\nB5, B8 and B11 run \
        PostgreSQL 15 beside ours. What is raised runs on loopback and is removed\nat the end; set \
        JUKILAB_DIR to keep its files on another disk. Exit codes: 0 figures, 1 no\nfigures, 3 a \
        wrong answer: the run is void.")]
pub(crate) struct Arguments {
    /// Which one.
    #[arg(value_enum)]
    bench: Bench,
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
    let say = |line: &str| {
        if !arguments.quiet {
            eprintln!("{line}");
        }
    };
    let measured = measure(arguments, &say);
    match measured.and_then(|record| Ok((document(&record)?, floor_missed(&record.gates)))) {
        Ok(_) if arguments.scale.plant.is_some() => {
            eprintln!("the planted fault was not found: this run is blind");
            ExitCode::from(EXIT_DEFECT)
        }
        Ok((document, missed)) => match print(arguments, &document) {
            Ok(()) if missed && arguments.gate => ExitCode::from(EXIT_FAILED),
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                complain(&error);
                ExitCode::from(EXIT_FAILED)
            }
        },
        Err(BenchError::Void(what)) if arguments.scale.plant.is_some() => {
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

fn measure(arguments: &Arguments, say: &dyn Fn(&str)) -> Result<Record, BenchError> {
    let options = Options {
        jukinet: arguments.jukinet.clone(),
        seconds: arguments.seconds,
        residents: arguments.residents,
        seed: arguments.seed,
        changes: arguments.changes,
    };
    // What is missing is said before five seconds of calibration, not after.
    country::binary(options.jukinet.as_deref())?;
    let frame =
        Frame { machine: arguments.machine.clone(), reruns: arguments.reruns, command: typed() };
    match arguments.bench {
        Bench::B1 => framed(provision::SUBJECT, &frame, |say| provision::run(&options, say), say),
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

/// What was typed, without folders of this machine.
fn typed() -> String {
    let words = std::env::args().skip(1).map(|word| match word.rsplit_once('/') {
        Some((_, last)) => last.to_owned(),
        None => word,
    });
    std::iter::once("jukilab".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

fn print(arguments: &Arguments, document: &Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if arguments.json {
        return writeln!(out, "{document}");
    }
    let mut lines = Vec::new();
    for part in ["id", "machine", "ours", "peer", "ratio"] {
        if let Some(value) = document.get(part).filter(|value| !value.is_null()) {
            flatten(part, value, &mut lines);
        }
    }
    let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, value) in lines {
        writeln!(out, "{name:width$}  {value}")?;
    }
    if let Some(because) = document.pointer("/counts/because").and_then(Value::as_str) {
        writeln!(out, "these figures do not count: {because}")?;
    }
    if document.get("peer").is_none_or(Value::is_null) {
        writeln!(out, "no peer was run beside it: these are absolute figures of this machine")?;
    }
    Ok(())
}

/// Every figure as a dotted name and its value; a list of like objects becomes one line each, so
/// that the phases of a bench can be read beside one another.
fn flatten(name: &str, value: &Value, lines: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                flatten(&format!("{name}.{field}"), value, lines);
            }
        }
        Value::Array(rows) => {
            for (row, value) in rows.iter().enumerate() {
                let mut figures = Vec::new();
                flatten("", value, &mut figures);
                let line: Vec<String> =
                    figures.iter().map(|(name, value)| format!("{name} {value}")).collect();
                let line = line.join("  ").replace(" .", " ");
                lines.push((format!("{name}[{row}]"), line.trim_start_matches('.').to_owned()));
            }
        }
        Value::String(text) => lines.push((name.to_owned(), text.clone())),
        other => lines.push((name.to_owned(), other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_gets_a_line_and_every_phase_one() {
        let document = serde_json::json!({"a": {"b": [{"c": "x", "d": {"e": 2}}]}, "d": null});
        let mut lines = Vec::new();
        flatten("ours", &document, &mut lines);
        let names: Vec<&str> = lines.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["ours.a.b[0]", "ours.d"]);
        assert_eq!(lines[0].1, "c x  d.e 2");
    }
}
