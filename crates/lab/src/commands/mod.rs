//! The commands of `jukilab`: arguments, talk on stderr, data on stdout, exit codes.
//!
//! No work is done here; each command calls its module and prints what came of it.

mod bench;
mod codes;
mod crash;
mod lives;
mod moves;
mod planted;
mod population;
mod risk;
mod scenario;
mod swarm;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The laboratory of jukinet: synthetic residents, simulated nations.
#[derive(Debug, Parser)]
#[command(name = "jukilab", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Synthetic residents as CSV: same options, same bytes.
    Population(population::Arguments),
    /// A simulated nation under faults, checked after every step.
    Swarm(swarm::Arguments),
    /// Incidents of S3 with its figures recomputed, and where identifiers are exposed in a life.
    Risk(risk::Arguments),
    /// Every way in which a resident can move in a small world, walked through.
    Moves(moves::Arguments),
    /// A scripted day in which processes are killed at their writes, syncs and sends.
    Crash(crash::Arguments),
    /// Whether record codes betray anything: statistics over millions of draws.
    Codes(codes::Arguments),
    /// Scripts of people and events, played on real processes.
    Scenario(scenario::Arguments),
    /// Benchmarks of the running system, every answer checked.
    Bench(bench::Arguments),
}

/// Exit codes that scripts rely on.
pub(crate) const EXIT_FAILED: u8 = 1;
pub(crate) const EXIT_USAGE: u8 = 2;
pub(crate) const EXIT_DEFECT: u8 = 3;

/// Runs one command to its exit code.
#[must_use]
pub fn run(cli: &Cli) -> ExitCode {
    match &cli.command {
        Command::Population(arguments) => population::run(arguments),
        Command::Swarm(arguments) => swarm::run(arguments),
        Command::Risk(arguments) => risk::run(arguments),
        Command::Moves(arguments) => moves::run(arguments),
        Command::Crash(arguments) => crash::run(arguments),
        Command::Codes(arguments) => codes::run(arguments),
        Command::Scenario(arguments) => scenario::run(arguments),
        Command::Bench(arguments) => bench::run(arguments),
    }
}

/// Says on stderr what was attempted and why it failed, with the chain of causes.
pub(crate) fn complain(error: &dyn std::error::Error) {
    eprint!("jukilab: {error}");
    let mut cause = error.source();
    while let Some(inner) = cause {
        eprint!(": {inner}");
        cause = inner.source();
    }
    eprintln!();
}
