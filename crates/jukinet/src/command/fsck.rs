//! `jukinet fsck`: store, ledger, keys and their cross-references.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use store::FsckReport;

use crate::config::{self, NodeConfig};
use crate::runner::process::open_store_read_only;
use crate::talk::{Exit, Talk};
use crate::token_file;

/// Options of `fsck`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  jukinet fsck --config center.toml\n\nMay run beside the running \
        node; it only reads.\nExit codes: 0 clean, 2 bad configuration, 3 a fault was found."
)]
pub struct FsckArgs {
    /// The configuration of the node to check
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// A node's store, checked.
pub struct Checked {
    pub node: NodeConfig,
    pub report: FsckReport,
}

impl std::fmt::Debug for Checked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Checked({}, ok: {})", self.node.node, self.report.ok)
    }
}

/// Open the store read-only and go through all of it.
///
/// # Errors
/// The exit code to end with, and why.
pub fn check(file: &Path) -> Result<Checked, (Exit, String)> {
    let node = config::load_node(file).map_err(|error| (Exit::Usage, error.to_string()))?;
    let token = token_file::open(&node.token).map_err(|error| (Exit::Failed, error.to_string()))?;
    let store =
        open_store_read_only(&node, &token).map_err(|error| (Exit::Defect, error.to_string()))?;
    let report = store.fsck().map_err(|error| (Exit::Defect, error.to_string()))?;
    Ok(Checked { node, report })
}

pub fn run(args: &FsckArgs, talk: Talk) -> Exit {
    let Checked { node, report } = match check(&args.config) {
        Ok(checked) => checked,
        Err((exit, why)) => {
            talk.fail(&why);
            if args.json {
                talk.json(&json!({"ok": false, "faults": [{"what": why, "place": "store"}]}));
            }
            return exit;
        }
    };
    if args.json {
        let faults: Vec<Value> = report
            .faults
            .iter()
            .map(|fault| json!({"what": fault.what, "place": fault.place}))
            .collect();
        talk.json(&json!({
            "ok": report.ok,
            "node": node.node.as_str(),
            "residents": report.residents,
            "entries": report.entries,
            "faults": faults,
            "population_digest": report.population_digest,
        }));
    } else {
        for fault in &report.faults {
            talk.data(format!("fault  {}: {}", fault.place, fault.what));
        }
        let word = if report.ok { "clean" } else { "NOT clean" };
        let (residents, entries) = (report.residents, report.entries);
        talk.data(format!("{}: {word}, {residents} residents, {entries} entries", node.node));
        for (municipality, digest) in &report.population_digest {
            talk.data(format!("  {municipality}  {digest}"));
        }
    }
    if report.ok { Exit::Ok } else { Exit::Defect }
}
