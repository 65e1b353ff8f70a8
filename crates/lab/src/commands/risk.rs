//! `jukilab risk`: the incidents of S3 with its figures recomputed, and the report of the model.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{EXIT_FAILED, EXIT_USAGE, complain};
use crate::risk::evaluate::{Report, evaluate};
use crate::risk::stated::{Compared, compare};
use crate::risk::{Model, PERSONS_DEFAULT, RiskError, SEED_DEFAULT, charts, report};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The 57 incidents, and every figure that the paper states beside what its rows give.
    Incidents(IncidentsArguments),
    /// Exposure from birth to death, with and without countermeasures: a page and its charts.
    Report(ReportArguments),
}

#[derive(Debug, Args)]
struct IncidentsArguments {
    /// Print rows and comparison as one JSON document.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  jukilab risk report --seed 1 --persons 10000 --out docs\n\nA model \
        with assumed rates, not a forecast.\nExit codes: 0 made, 1 could not be written, 2 wrong \
        options."
)]
struct ReportArguments {
    /// Of the residents, their lives, and the incidents drawn again.
    #[arg(long, value_name = "S", default_value_t = SEED_DEFAULT)]
    seed: u64,
    /// How many lives, 100 to 1000000.
    #[arg(long, value_name = "N", default_value_t = PERSONS_DEFAULT)]
    persons: u64,
    /// Write risk.md and risk/*.svg into this directory; without it the page goes to stdout.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print every figure as one JSON document.
    #[arg(long)]
    json: bool,
}

/// What can go wrong on the way to a page.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error("no report")]
    Risk(#[from] RiskError),
    #[error("writing the report")]
    Write(#[from] io::Error),
    #[error("writing the figures")]
    Json(#[from] serde_json::Error),
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let done = match &arguments.what {
        What::Incidents(arguments) => incidents(arguments),
        What::Report(arguments) => make(arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            let usage = matches!(error, CommandError::Risk(RiskError::Persons));
            ExitCode::from(if usage { EXIT_USAGE } else { EXIT_FAILED })
        }
    }
}

fn incidents(arguments: &IncidentsArguments) -> Result<(), CommandError> {
    let model = Model::load()?;
    let compared = compare(&model.stated, &model.incidents)?;
    let mut out = io::stdout().lock();
    if arguments.json {
        let differing = compared.iter().filter(|one| !one.agrees).count();
        let document = serde_json::json!({
            "incidents": model.incidents,
            "classes": model.classes,
            "figures": compared,
            "differing": differing,
        });
        writeln!(out, "{document}")?;
        return Ok(());
    }
    for row in &model.incidents {
        writeln!(
            out,
            "{:<13} {:>2}  {:<8} {:<24} {:<27} {:<11} {}",
            row.country.name(),
            row.number,
            row.year_printed,
            row.place.name(),
            row.threat.name(),
            row.difficulty.name(),
            row.what
        )?;
    }
    writeln!(out)?;
    compared.iter().try_for_each(|one| figure(&mut out, one))?;
    let differing = compared.iter().filter(|one| !one.agrees).count();
    writeln!(out, "\n{} figures, {differing} differ from the rows", compared.len())?;
    Ok(())
}

/// One figure of the paper beside its recomputation.
fn figure(out: &mut impl io::Write, one: &Compared) -> io::Result<()> {
    let Compared { stated, found, of, recomputed, agrees, .. } = one;
    let percent = stated.percent.map_or_else(String::new, |percent| format!("{percent} %"));
    let count = stated.count.map_or_else(String::new, |count| format!("{count} cases"));
    let word = if *agrees { "agrees" } else { "DIFFERS" };
    let (country, place, line) = (stated.country.name(), &stated.place, stated.line);
    let what = &stated.what;
    writeln!(
        out,
        "{country:<13} {place:<8} line {line:<5} {what:<42} stated {percent:>5} {count:>9}   rows \
         {found:>2} of {of} = {recomputed:>3} %  {word}"
    )?;
    if !agrees {
        writeln!(out, "    {}", stated.note)?;
    }
    Ok(())
}

fn make(arguments: &ReportArguments) -> Result<(), CommandError> {
    let model = Model::load()?;
    let made = evaluate(&model, arguments.seed, arguments.persons)?;
    if let Some(directory) = &arguments.out {
        write(directory, &model, &made)?;
    }
    let mut out = io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", serde_json::to_string(&made)?)?;
    } else if arguments.out.is_none() {
        out.write_all(report::markdown(&model, &made).as_bytes())?;
    }
    Ok(())
}

fn write(directory: &Path, model: &Model, made: &Report) -> io::Result<()> {
    let charts = directory.join("risk");
    std::fs::create_dir_all(&charts)?;
    for (name, svg) in charts::draw(model, made) {
        std::fs::write(charts.join(name), svg)?;
    }
    std::fs::write(directory.join("risk.md"), report::markdown(model, made))?;
    eprintln!("risk.md and its charts are in {}", directory.display());
    Ok(())
}
