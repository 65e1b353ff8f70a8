//! `jukilab swarm --planted`: how many of the planted faults the simulator's checkers find.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::ops::Range;
use std::process::ExitCode;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::{EXIT_DEFECT, EXIT_FAILED, EXIT_USAGE, complain};
use crate::live::workshop;
use crate::planted::{self, MeasureError, Plan, Row, SEEDS_DEFAULT, Score};

/// Where the found and the not found are written down, from the root of the source tree.
const PAGE: &str = "docs/planted.md";

#[derive(Debug, Args)]
pub(crate) struct PlantedArguments {
    /// Look for every planted fault (crates/lab/planted) in worlds from seed 0 upwards, in a copy
    /// of the sources that is built first; with --seeds N, in at most N worlds each.
    #[arg(long)]
    pub(crate) planted: bool,
    /// Only these planted faults.
    #[arg(long, value_name = "NAME", value_delimiter = ',', requires = "planted")]
    fault: Vec<String>,
    /// Look for each planted fault only as long as its own file says, and leave out the slow ones.
    #[arg(long, requires = "planted", conflicts_with = "write_doc")]
    quick: bool,
    /// Write what was found and what was not into docs/planted.md.
    #[arg(long, requires = "planted", conflicts_with = "fault")]
    write_doc: bool,
}

/// What the command around this one was told.
#[derive(Clone, Debug)]
pub(crate) struct Around {
    pub(crate) seeds: Option<Range<u64>>,
    pub(crate) jobs: usize,
    pub(crate) json: bool,
    pub(crate) quiet: bool,
}

pub(crate) fn run(arguments: &PlantedArguments, around: &Around) -> ExitCode {
    let seeds = match &around.seeds {
        None => SEEDS_DEFAULT,
        // `--seeds 2000`: so many worlds each.
        Some(seeds) if seeds.end == seeds.start.saturating_add(1) => seeds.start,
        Some(seeds) if seeds.start == 0 => seeds.end,
        Some(_) => 0,
    };
    if seeds == 0 {
        eprintln!("jukilab: --planted counts worlds from seed 0: --seeds 2000, or --seeds 0..2000");
        return ExitCode::from(EXIT_USAGE);
    }
    let plan = Plan {
        only: arguments.fault.clone(),
        seeds,
        quick: arguments.quick,
        jobs: around.jobs,
        quiet: around.quiet,
    };
    let bar = bar(around.quiet);
    let lines = bar.is_hidden() && !around.quiet;
    let progress = |all: usize, row: &Row| {
        if lines {
            eprint!("{}", planted::line(row));
        }
        bar.set_length(all as u64);
        bar.inc(1);
        bar.set_message(row.name.clone());
    };
    let measured = planted::measure(&plan, &progress);
    bar.finish_and_clear();
    let (score, root) = match measured {
        Ok(measured) => measured,
        Err(error) => {
            complain(&error);
            let usage = matches!(error, MeasureError::Unknown(_));
            return ExitCode::from(if usage { EXIT_USAGE } else { EXIT_FAILED });
        }
    };
    if arguments.write_doc
        && let Err(error) = workshop::write(&root.join(PAGE), &planted::page(&score))
    {
        complain(&error);
        return ExitCode::from(EXIT_FAILED);
    }
    if let Err(error) = report(around.json, &score) {
        complain(&error);
        return ExitCode::from(EXIT_FAILED);
    }
    // The quick look asks for those only that were found quickly before: all of them.
    let enough = score.is_enough() && !(plan.quick && score.found() < score.rows.len());
    if enough { ExitCode::SUCCESS } else { ExitCode::from(EXIT_DEFECT) }
}

fn report(as_json: bool, score: &Score) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if !as_json {
        return write!(out, "{}", planted::table(score));
    }
    let faults = score.rows.iter().map(|row| {
        json!({
            "fault": row.name,
            "breaks": row.breaks,
            "seed": row.found.as_ref().map(|found| found.seed),
            "rule": row.found.as_ref().map(|found| &found.rule),
            "rule_is_named": !row.unexpected,
            "failed": row.failed,
            "seconds": (row.seconds * 10.0).round() / 10.0,
        })
    });
    let ids: BTreeSet<&String> = score.rows.iter().flat_map(|row| &row.breaks).collect();
    let mut ids: Vec<&String> = ids.into_iter().collect();
    ids.sort_by_key(|id| planted::by_number(id));
    let document = json!({
        "found": score.found(),
        "faults": score.rows.len(),
        "percent": score.percent(),
        "seeds": score.seeds,
        "breaks": ids,
        "rows": faults.collect::<Vec<_>>(),
    });
    writeln!(out, "{document}")
}

fn bar(quiet: bool) -> ProgressBar {
    if quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    match ProgressStyle::with_template("{bar:40} {pos}/{len} faults  {eta} left  {msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
