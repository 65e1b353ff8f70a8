//! `jukinet firewall`: the rules of a machine's firewall, made from the conversation table and the
//! signed directory. It prints them; whoever runs the machine loads them.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use ipnet::IpNet;
use serde_json::{Value, json};
use wire::{Directory, SignedDirectory};

use crate::config::{self, Config, NodeConfig};
use crate::disk;
use crate::firewall::nft::Ruleset;
use crate::firewall::{Opening, Plan};
use crate::talk::{Exit, Talk};

/// A directory fits in one frame.
const DIRECTORY_BYTES_MAX: u64 = 1 << 20;

/// Options of `firewall`.
#[derive(Debug, Args)]
pub struct FirewallArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print the nftables rules of a node or a terminal: default drop, and what the tables allow
    #[command(after_help = "Examples:\n  jukinet firewall rules --config exchange.toml > \
            jukinet.nft\n  jukinet firewall rules --config municipality.toml --lan 10.13.1.0/24 \
            > jukinet.nft &&\n    nft -f jukinet.nft\n\nMake them anew whenever the directory \
            changes: an isolated member is in none of them.\nLoading replaces the table `inet \
            jukinet` and touches no other; names, time and updates\nneed rules of their own. \
            Exit codes: 0 printed, 2 bad usage or configuration, 3 the\ndirectory is not the \
            center's.")]
    Rules(RulesArgs),
}

#[derive(Debug, Args)]
struct RulesArgs {
    /// The configuration of the node or terminal
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// A signed directory; the one that the configuration names when none is given
    #[arg(long, value_name = "FILE")]
    directory: Option<PathBuf>,
    /// A network of the office's own terminals and feeds, as 10.13.1.0/24; repeat it for more
    #[arg(long, value_name = "NETWORK")]
    lan: Vec<IpNet>,
    /// One JSON document on stdout instead
    #[arg(long)]
    json: bool,
}

pub fn run(args: &FirewallArgs, talk: Talk) -> Exit {
    let Verb::Rules(args) = &args.verb;
    match plan(args) {
        Ok(plan) if args.json => talk.json(&document(&plan)),
        Ok(plan) => talk.data(Ruleset(&plan).to_string().trim_end()),
        Err((exit, why)) => {
            talk.fail(why);
            return exit;
        }
    }
    Exit::Ok
}

type Stopped = (Exit, String);

fn plan(args: &RulesArgs) -> Result<Plan, Stopped> {
    let usage = |why: &dyn std::fmt::Display| (Exit::Usage, why.to_string());
    let loaded = config::load(&args.config);
    match loaded.config {
        Some(Config::Terminal(terminal)) => {
            if args.lan.is_empty() && args.directory.is_none() {
                return Ok(Plan::of_terminal(&terminal));
            }
            Err(usage(&"a terminal has neither a LAN of its own nor a directory; leave them out"))
        }
        Some(Config::Node(node)) => {
            let directory = directory(&node, args.directory.as_deref())?;
            Plan::of_node(&node, &directory, &args.lan).map_err(|error| usage(&error))
        }
        Some(Config::Gateway(_)) => Err(usage(
            &"a gateway is reached from its register system only; it needs no such rules",
        )),
        None => Err(usage(&config::ConfigError::Findings(loaded.findings))),
    }
}

/// The directory, signed by the center that the configuration believes. Its age does not matter
/// here: rules say who may connect, and a node stops speaking by itself when its directory ends.
fn directory(node: &NodeConfig, named: Option<&Path>) -> Result<Directory, Stopped> {
    let path = named.unwrap_or(&node.directory);
    let bytes = disk::read(path, DIRECTORY_BYTES_MAX);
    let bytes = bytes.map_err(|error| (Exit::Usage, error.to_string()))?;
    let foreign = || {
        let path = path.display();
        (Exit::Defect, format!("{path} is not a directory signed by the configured center"))
    };
    let signed = SignedDirectory::decode(&bytes).map_err(|_| foreign())?;
    let message = SignedDirectory::signing_bytes(&signed.body);
    if !token::verify::p256(&node.center.directory_key, &message, &signed.signature) {
        return Err(foreign());
    }
    Directory::decode(&signed.body).map_err(|_| foreign())
}

fn document(plan: &Plan) -> Value {
    let list = |openings: &[Opening]| -> Vec<Value> {
        let one = |o: &Opening| json!({"peer": o.peer.to_string(), "port": o.port, "why": o.why});
        openings.iter().map(one).collect()
    };
    json!({
        "node": plan.node.to_string(),
        "directory": plan.directory,
        "incoming": list(&plan.incoming),
        "outgoing": list(&plan.outgoing),
        "everything_else": "dropped",
    })
}
