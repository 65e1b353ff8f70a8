//! `jukilab bench report`: docs/performance.md from the committed records, or the check that the
//! page which is there is the one they give.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::super::{EXIT_DEFECT, EXIT_FAILED, complain};
use crate::bench::{BenchError, report};
use crate::live::{LiveError, results};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Folder of the records (JSON), their plots (SVG) and notes/*.md.
    #[arg(long, value_name = "DIR", default_value = "docs/performance")]
    results: PathBuf,
    /// The page; its links to the plots assume that it stands beside the folder.
    #[arg(long, value_name = "FILE", default_value = "docs/performance.md")]
    out: PathBuf,
    /// Draw the plots of every record again first.
    #[arg(long)]
    plots: bool,
    /// Write nothing; exit with 3 when the page is not what the records give.
    #[arg(long, conflicts_with = "plots")]
    check: bool,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match page(arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            let _ = writeln!(
                io::stderr(),
                "jukilab: {} is not what the records give; write it with jukilab bench report",
                arguments.out.display()
            );
            ExitCode::from(EXIT_DEFECT)
        }
        Err(error) => {
            complain(&error);
            ExitCode::from(EXIT_FAILED)
        }
    }
}

/// Whether the page stands as the records give it: always, once it was written.
fn page(arguments: &Arguments) -> Result<bool, BenchError> {
    if arguments.plots {
        results::redraw(&arguments.results)?;
    }
    let sources = results::read(&arguments.results)?;
    let page = report::page(&sources).map_err(BenchError::Record)?;
    if arguments.check {
        return Ok(results::text(&arguments.out)? == page);
    }
    std::fs::write(&arguments.out, page).map_err(LiveError::file(&arguments.out))?;
    Ok(true)
}
