//! `jukilab codes`: draws record codes as the center does and says whether they betray anything.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Args;

use super::{EXIT_DEFECT, EXIT_USAGE, complain};
use crate::codes::{Bias, Options, Report, run as draw};

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  jukilab codes --draws 10000000 --municipalities 1741\n\nExit codes: \
        0 within all bounds, 2 wrong options, 3 out of bounds."
)]
pub(crate) struct Arguments {
    /// How many codes to draw, 10000 to 20000000.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    draws: u64,
    /// For how many municipalities in turn, a thousand codes at a time.
    #[arg(long, value_name = "N", default_value_t = 47)]
    municipalities: u64,
    /// Of the entropy; the same seed draws the same codes.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Go wrong on purpose, to see that it is found.
    #[arg(long, value_name = "BIAS")]
    bias: Option<Bias>,
    /// Print the figures as one JSON document.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let Arguments { draws, municipalities, seed, bias, json } = *arguments;
    match draw(Options { draws, municipalities, seed, bias }, &mut |_| {}) {
        Ok(report) => {
            show(&report, json);
            if report.holds() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_DEFECT) }
        }
        Err(error) => {
            complain(&error);
            ExitCode::from(EXIT_USAGE)
        }
    }
}

fn show(report: &Report, json: bool) {
    let mut out = io::stdout().lock();
    if json {
        let figures: Vec<_> = report
            .figures
            .iter()
            .map(|figure| {
                serde_json::json!({
                    "figure": figure.name,
                    "deviations": figure.value,
                    "bound": figure.bound,
                    "holds": figure.holds(),
                })
            })
            .collect();
        let (draws, holds) = (report.draws, report.holds());
        let document = serde_json::json!({"draws": draws, "holds": holds, "figures": figures});
        // A closed pipe is the reader's choice.
        let _ = writeln!(out, "{document}");
        return;
    }
    let _ = writeln!(out, "{} codes; standard deviations from chance, and the bound", report.draws);
    for figure in &report.figures {
        let word = if figure.holds() { "holds" } else { "OUT OF BOUNDS" };
        let _ = writeln!(
            out,
            "{:<50} {:>9.2}  {:>4.1}  {word}",
            figure.name, figure.value, figure.bound
        );
    }
}
