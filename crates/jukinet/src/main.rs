//! The shipped binary: one subcommand per role, one process, one key set, one configuration.

use std::process::ExitCode;

fn main() -> ExitCode {
    jukinet::cli::run(std::env::args_os()).into()
}
