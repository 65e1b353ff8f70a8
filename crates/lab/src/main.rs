//! `jukilab`: the laboratory's command line. It only parses and hands over to `lab::commands`.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    lab::commands::run(&lab::commands::Cli::parse())
}
