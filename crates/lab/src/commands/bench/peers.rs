//! `jukilab bench peers`: whether the packages that the peers run from are there, and their
//! installation when somebody asks for it. No bench installs anything by itself.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::super::{EXIT_FAILED, complain};
use crate::live::packages;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Say which packages are there; exit with 1 when one is missing.
    Check,
    /// Install the Debian packages with apt-get (as root) and the Python ones into a folder of
    /// their own.
    Install,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let mut out = io::stdout().lock();
    if matches!(arguments.task, Task::Install)
        && let Err(error) = packages::install()
    {
        complain(&error);
        return ExitCode::from(EXIT_FAILED);
    }
    let mut missing = false;
    for part in packages::parts() {
        let state = if part.there { "there" } else { "missing" };
        missing |= !part.there;
        let _ = writeln!(out, "{:32} {state:8} {}", part.package, part.path.display());
    }
    if missing {
        let _ = writeln!(out, "install them with: {}", packages::COMMAND);
    }
    ExitCode::from(if missing { EXIT_FAILED } else { 0 })
}
