//! `jukinet retention`: erase what has reached the end of its term, on a stopped node, or say what
//! would go. A running node does the same once a day by itself.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use law::time::Date;
use node::ports::StoreError;
use serde_json::json;
use store::{Erase, Erased, Publish as _};

use crate::config;
use crate::runner::keys::LedgerSigner;
use crate::runner::process::{ProcessError, open_store, open_store_read_only};
use crate::runner::sweep::{Sweep, regime};
use crate::talk::{Exit, Talk};
use crate::{clock, token_file};

/// Options of `retention`.
#[derive(Debug, Args)]
pub struct RetentionArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Erase what had reached the end of its term on a day
    #[command(
        after_help = "Examples:\n  jukinet retention run --config center.toml --on 2026-12-01 \
            --dry-run\n  jukinet retention run --config center.toml --on 2026-12-01\n\nAsks for \
            nothing. A running node erases by itself once a day, and keeps this command out; \
            --dry-run only\nreads and may run beside it.\nExit codes: 0 done, 1 failed, 2 bad \
            usage or configuration, 4 refused: the day lies in the future."
    )]
    Run(RunArgs),
}

#[derive(Debug, Args)]
struct RunArgs {
    /// The configuration of the node
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The day whose ended terms count
    #[arg(long, value_name = "DATE", value_parser = date)]
    on: Date,
    /// Say what would go; change nothing
    #[arg(long)]
    dry_run: bool,
    /// Erase for a day that this machine's clock has not reached
    #[arg(long)]
    danger_date_in_future: bool,
    /// One JSON document on stdout
    #[arg(long)]
    json: bool,
}

fn date(text: &str) -> Result<Date, String> {
    Date::parse(text).map_err(|error| error.to_string())
}

pub fn run(args: &RetentionArgs, talk: Talk) -> Exit {
    let Verb::Run(args) = &args.verb;
    match sweep(args, talk) {
        Ok((node, gone)) => {
            say(args, talk, &node, &gone);
            Exit::Ok
        }
        Err((exit, why)) => {
            talk.fail(&why);
            if args.json {
                talk.json(&json!({"ok": false, "error": why}));
            }
            exit
        }
    }
}

type Stopped = (Exit, String);

fn sweep(args: &RunArgs, talk: Talk) -> Result<(String, Erased), Stopped> {
    let node = config::load_node(&args.config).map_err(|e| (Exit::Usage, e.to_string()))?;
    not_too_late(args)?;
    let failed = |error: &dyn std::fmt::Display| (Exit::Failed, error.to_string());
    let token = token_file::open(&node.token).map_err(|error| failed(&error))?;
    let name = node.node.as_str().to_owned();
    if args.dry_run {
        let store = open_store_read_only(&node, &token).map_err(|error| failed(&error))?;
        let before = store::Month::of_date(args.on);
        let due = store.erasable_before(before).map_err(|error| failed(&error))?;
        return Ok((name, due));
    }
    let mut store = open_store(&node, &token).map_err(|error| (Exit::Failed, busy(&error)))?;
    let mut sweep = Sweep::new(args.on, regime(&node, &store));
    let bar = bar(talk);
    loop {
        let done = sweep.step(&mut store, clock::now()).map_err(|error| failed(&error))?;
        bar.set_length(u64::try_from(sweep.due().rows()).unwrap_or(0));
        bar.set_position(u64::try_from(sweep.erased().rows()).unwrap_or(0));
        if done {
            break;
        }
    }
    bar.finish_and_clear();
    let signer = LedgerSigner::new(&node.node, token).map_err(|error| failed(&error))?;
    store.publish(&signer).map_err(|error| failed(&error))?;
    Ok((name, *sweep.erased()))
}

/// A clock that runs ahead, or a year mistyped, would destroy what must still be kept; a day is
/// what two time zones can differ by.
fn not_too_late(args: &RunArgs) -> Result<(), Stopped> {
    let today = clock::now().date_in_japan();
    let latest = today.add_days(1).unwrap_or(today);
    if args.on <= latest || args.danger_date_in_future || args.dry_run {
        return Ok(());
    }
    let why = format!(
        "--on {} lies after today, {today} in Japan: what is erased for it cannot be brought back; \
         check the date and this machine's clock, or add --danger-date-in-future",
        args.on
    );
    Err((Exit::Refused, why))
}

fn busy(error: &ProcessError) -> String {
    match error {
        ProcessError::Store { source: StoreError::Io(text), .. } if text.contains("another") => {
            format!(
                "{error}; the node is running and erases by itself once a day: stop it first, or \
                 use --dry-run"
            )
        }
        other => other.to_string(),
    }
}

fn bar(talk: Talk) -> ProgressBar {
    if !talk.decorate() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} rows {elapsed}");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn say(args: &RunArgs, talk: Talk, node: &str, gone: &Erased) {
    let before = store::Month::of_date(args.on).to_string();
    let rows = [
        ("residents", gone.residents),
        ("history", gone.history),
        ("entries", gone.entries),
        ("disclosures", gone.foreign),
        ("keys", gone.cohorts),
    ];
    if args.json {
        let mut document = json!({
            "ok": true,
            "node": node,
            "on": args.on.to_string(),
            "before": before,
            "dry_run": args.dry_run,
        });
        for (table, count) in rows {
            if let Some(object) = document.as_object_mut() {
                object.insert(table.to_owned(), json!(count));
            }
        }
        talk.json(&document);
        return;
    }
    let word = if args.dry_run { "would be erased" } else { "erased" };
    talk.data(format!("{node}: terms that ended before {before}"));
    for (table, count) in rows {
        talk.data(format!("  {table:<12} {count:>10} {word}"));
    }
}
