//! `jukinet store`: a node's store as a whole: its digest, and moving it to another engine.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use node::ports::StoreError;
use serde_json::{Value, json};
use store::{NodeStore, TableDigest};

use crate::config::{self, NodeConfig};
use crate::runner::process::{ProcessError, open_store, open_store_read_only, store_place};
use crate::talk::{Exit, Talk};
use crate::{disk, token_file};

/// Options of `store`.
#[derive(Debug, Args)]
pub struct StoreArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// A digest of every table: the same on two engines exactly when they hold the same
    #[command(after_help = "Example:\n  jukinet store digest --config center.toml\n\nOnly reads. \
        Beside a running node the tables are not of one moment; stop it to compare.\nExit codes: \
        0 told, 1 the store cannot be read, 2 bad configuration.")]
    Digest(DigestArgs),
    /// Copy a stopped node's store to the empty place another configuration names
    #[command(after_help = "Example:\n  jukinet store move --config center.toml --to \
        center-postgresql.toml\n\nThe second configuration is the first one with another [store], \
        data or ledger.\nEverything goes over: residents, history, the ledger's entries, queues, \
        counters and\nkeys. Both sides are compared by digest before the target is made a store; \
        after a failure\nit is empty. The old store stays: start the node on one of them only, and \
        remove the other.\nExit codes: 0 moved and equal, 1 not moved (the node runs, the target \
        is not empty), 2 bad\nconfiguration.")]
    Move(MoveArgs),
}

#[derive(Debug, Args)]
struct DigestArgs {
    /// The configuration of the node
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// One JSON document on stdout
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct MoveArgs {
    /// The configuration of the node as it is
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The configuration of the same node as it is to be
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// One JSON document on stdout
    #[arg(long)]
    json: bool,
}

type Stopped = (Exit, String);

pub fn run(args: &StoreArgs, talk: Talk) -> Exit {
    let (json, done) = match &args.verb {
        Verb::Digest(args) => (args.json, digest(args, talk)),
        Verb::Move(args) => (args.json, move_over(args, talk)),
    };
    match done {
        Ok(()) => Exit::Ok,
        Err((exit, why)) => {
            talk.fail(&why);
            if json {
                talk.json(&json!({"ok": false, "error": why}));
            }
            exit
        }
    }
}

fn load(file: &Path) -> Result<NodeConfig, Stopped> {
    config::load_node(file).map_err(|error| (Exit::Usage, error.to_string()))
}

fn failed(error: &dyn std::fmt::Display) -> Stopped {
    (Exit::Failed, error.to_string())
}

fn bar(talk: Talk, what: &'static str) -> ProgressBar {
    if !talk.decorate() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{prefix} {wide_bar} {percent} % {per_sec} {eta}");
    ProgressBar::new(0)
        .with_prefix(what)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn digest(args: &DigestArgs, talk: Talk) -> Result<(), Stopped> {
    let node = load(&args.config)?;
    let token = token_file::open(&node.token).map_err(|error| failed(&error))?;
    let store = open_store_read_only(&node, &token).map_err(|error| failed(&error))?;
    let bar = bar(talk, "digest");
    let tables = store
        .digest(&mut |done, all| {
            bar.set_length(all);
            bar.set_position(done);
        })
        .map_err(|error| failed(&error))?;
    bar.finish_and_clear();
    say(args.json, talk, &node, &tables, None);
    Ok(())
}

fn move_over(args: &MoveArgs, talk: Talk) -> Result<(), Stopped> {
    let (from, to) = (load(&args.config)?, load(&args.to)?);
    same_node(&from, &to)?;
    let source = store_place(&from).map_err(|error| failed(&error))?;
    let target = store_place(&to).map_err(|error| failed(&error))?;
    if source == target {
        return Err((Exit::Usage, "both configurations name the same store".to_owned()));
    }
    let token = token_file::open(&from.token).map_err(|error| failed(&error))?;
    // For writing, so that a running node keeps it from being copied under its feet.
    let store = open_store(&from, &token).map_err(|error| (Exit::Failed, busy(&error)))?;
    for folder in [&to.data, &to.ledger] {
        disk::make_folder(folder).map_err(|error| failed(&error))?;
    }
    let bar = bar(talk, "move");
    let moved = store
        .move_to(&target, (&from.ledger, &to.ledger), &mut |done, all| {
            bar.set_length(all);
            bar.set_position(done);
        })
        .map_err(|error| failed(&error))?;
    bar.finish_and_clear();
    drop(store);
    // Opened once, as the node will: its ledger's files are made again where the folder is new.
    let opened = open_store(&to, &token).map_err(|error| failed(&error))?;
    drop::<NodeStore>(opened);
    say(args.json, talk, &to, &moved.tables, Some((&source.to_string(), &target.to_string())));
    Ok(())
}

/// The rows are sealed under this node's keys; another node could not open one of them.
fn same_node(from: &NodeConfig, to: &NodeConfig) -> Result<(), Stopped> {
    if (&from.node, from.role) != (&to.node, to.role) {
        let why = format!(
            "the configurations are of two nodes, {} and {}: name two of one node",
            from.node, to.node
        );
        return Err((Exit::Usage, why));
    }
    if from.token != to.token {
        let why = "the configurations name two tokens: only the one that sealed the store opens it";
        return Err((Exit::Usage, why.to_owned()));
    }
    Ok(())
}

fn busy(error: &ProcessError) -> String {
    match error {
        ProcessError::Store { source: StoreError::Io(text), .. } if text.contains("another") => {
            format!("{error}; stop the node first")
        }
        other => other.to_string(),
    }
}

fn say(
    as_json: bool,
    talk: Talk,
    node: &NodeConfig,
    tables: &[TableDigest],
    moved: Option<(&str, &str)>,
) {
    if as_json {
        let tables: Vec<Value> = tables
            .iter()
            .map(|table| json!({"table": table.table, "rows": table.rows, "sha256": table.digest}))
            .collect();
        let mut told = json!({"ok": true, "node": node.node.as_str(), "tables": tables});
        if let (Some((from, to)), Some(map)) = (moved, told.as_object_mut()) {
            map.insert("from".to_owned(), json!(from));
            map.insert("to".to_owned(), json!(to));
            map.insert("equal".to_owned(), json!(true));
        }
        talk.json(&told);
        return;
    }
    for TableDigest { table, rows, digest } in tables {
        talk.data(format!("{table:14} {rows:>12}  {digest}"));
    }
    if let Some((from, to)) = moved {
        talk.data(format!(
            "{}: moved from {from} to {to}; both sides have these digests",
            node.node
        ));
        talk.say("start the node with the new configuration only, and remove the old store");
    }
}
