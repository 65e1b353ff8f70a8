//! `jukinet doctor`: what is wrong with this node and what to do. No personal data in it.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use node::ports::Store as _;
use serde_json::{Value, json};
use wire::directory::{Directory, SignedDirectory};

use crate::config::{self, Config, NodeConfig, ServerConfig, TokenConfig};
use crate::runner::keys::LedgerSigner;
use crate::runner::process::open_store_read_only;
use crate::talk::{Exit, Talk};
use crate::{character_file, clock, token_file};

/// Free space under which a node is told to make room: several days of its writes.
const FREE_MIB_MIN: u64 = 512;
/// How long a listener may take to answer on the same machine.
const REACH_PATIENCE: Duration = Duration::from_secs(2);

/// Options of `doctor`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  jukinet doctor --config center.toml --json\n\nLooks at the \
        configuration, the token, the store, the ledger, the directory, the disk and\nthe \
        listener; says for each what is wrong and what to do. Exit codes: 0 well, 3 not well.")]
pub struct DoctorArgs {
    /// The configuration of the node or terminal to look at
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// One thing looked at.
struct Finding {
    check: &'static str,
    ok: bool,
    detail: String,
    remedy: &'static str,
}

fn well(check: &'static str, detail: impl Into<String>) -> Finding {
    Finding { check, ok: true, detail: detail.into(), remedy: "" }
}

fn ill(check: &'static str, detail: impl Into<String>, remedy: &'static str) -> Finding {
    Finding { check, ok: false, detail: detail.into(), remedy }
}

pub fn run(args: &DoctorArgs, talk: Talk) -> Exit {
    let Some(file) = &args.config else {
        talk.fail("name the node to look at: --config FILE");
        return Exit::Usage;
    };
    let findings = examine(file);
    let ok = findings.iter().all(|finding| finding.ok);
    if args.json {
        let line = |f: &Finding| {
            let Finding { check, ok, detail, remedy } = f;
            json!({"check": check, "ok": ok, "detail": detail, "remedy": remedy})
        };
        let lines: Vec<Value> = findings.iter().map(line).collect();
        let software = concat!("jukinet/", env!("CARGO_PKG_VERSION"));
        talk.json(&json!({"ok": ok, "software": software, "findings": lines}));
    } else {
        for finding in &findings {
            let mark = if finding.ok { "ok " } else { "ILL" };
            talk.data(format!("{mark}  {:<13} {}", finding.check, finding.detail));
            if !finding.ok {
                talk.data(format!("     {:<13} → {}", "", finding.remedy));
            }
        }
    }
    if ok { Exit::Ok } else { Exit::Defect }
}

fn examine(file: &Path) -> Vec<Finding> {
    let loaded = config::load(file);
    match loaded.config {
        Some(Config::Node(config)) => {
            let mut findings = vec![well("configuration", format!("a {}", config.role))];
            findings.extend(node(&config));
            findings
        }
        Some(Config::Terminal(config)) => {
            let mut findings = vec![well("configuration", "a terminal")];
            findings.extend(lan_client(&config.token, &config.server));
            findings
        }
        Some(Config::Gateway(config)) => {
            let mut findings = vec![well("configuration", "a vendor gateway")];
            findings.extend(lan_client(&config.token, &config.server));
            if let Some(path) = &config.characters {
                findings.push(match character_file::read(path) {
                    Ok(table) => well("characters", format!("{} of them", table.len())),
                    Err(error) => {
                        ill("characters", error.to_string(), "repeat jukinet characters load")
                    }
                });
            }
            findings
        }
        None => {
            let lines: Vec<String> = loaded.findings.iter().map(ToString::to_string).collect();
            vec![ill(
                "configuration",
                lines.join("; "),
                "mend the lines named; config check repeats this",
            )]
        }
    }
}

fn node(config: &NodeConfig) -> Vec<Finding> {
    let mut findings = Vec::new();
    let token = match token_file::open(&config.token) {
        Ok(token) => {
            findings.push(token_kind(&config.token));
            Some(token)
        }
        Err(error) => {
            let remedy = "check the device and its PIN file; without the token nothing opens";
            findings.push(ill("token", error.to_string(), remedy));
            None
        }
    };
    if let Some(token) = token {
        findings.push(match LedgerSigner::new(&config.node, Arc::clone(&token)) {
            Ok(_) => well("ledger key", "there"),
            Err(error) => {
                ill("ledger key", error.to_string(), "repeat the key ceremony of this node")
            }
        });
        findings.extend(store(config, token));
    }
    findings.push(disk_space(&config.data));
    findings.push(listener(config));
    findings
}

fn token_kind(config: &TokenConfig) -> Finding {
    match config {
        TokenConfig::Software { .. } => {
            well("token", "opens; a sealed file: fit for demonstration, not for service")
        }
        TokenConfig::Pkcs11 { label, .. } => well("token", format!("opens; device {label}")),
    }
}

fn store(config: &NodeConfig, token: Arc<dyn token::Token>) -> Vec<Finding> {
    let store = match open_store_read_only(config, &token) {
        Ok(store) => store,
        Err(error) => {
            let remedy = "a node that never ran has no store yet; otherwise run fsck and restore";
            return vec![ill("store", error.to_string(), remedy)];
        }
    };
    let reads = store.reads();
    let mut findings = Vec::new();
    findings.push(match (reads.residents_count(), reads.entries_count()) {
        (Ok(residents), Ok(entries)) => {
            well("store", format!("opens; {residents} residents, {entries} entries"))
        }
        _ => ill("store", "opens but cannot be read", "run fsck"),
    });
    findings.push(match reads.checkpoint() {
        Ok(Some(_)) => well("checkpoint", "signed"),
        Ok(None) => well("checkpoint", "none yet: no entry was published"),
        Err(error) => ill("checkpoint", error.to_string(), "run fsck; the node rebuilds its files"),
    });
    findings.push(directory(config, reads.directory().ok().flatten()));
    findings
}

/// The directory's age says two things: whether the center is heard, and whether the clocks agree.
fn directory(config: &NodeConfig, kept: Option<Vec<u8>>) -> Finding {
    const CHECK: &str = "directory";
    let ask = "start the node where it reaches the center, or fetch the directory by hand";
    let Some(bytes) = kept else { return ill(CHECK, "none kept yet", ask) };
    let Ok(signed) = SignedDirectory::decode(&bytes) else {
        return ill(CHECK, "malformed", "restore the store");
    };
    let message = SignedDirectory::signing_bytes(&signed.body);
    if !token::verify::p256(&config.center.directory_key, &message, &signed.signature) {
        return ill(CHECK, "not signed by the configured center", "compare center.directory_key");
    }
    let Ok(directory) = Directory::decode(&signed.body) else {
        return ill(CHECK, "malformed", "restore the store");
    };
    let now = clock::now();
    let serial = directory.serial;
    if directory.issued_at.0 > now.0.saturating_add(60_000) {
        let remedy = "set this machine's clock: it is behind the center's";
        return ill(CHECK, format!("serial {serial} is issued in the future"), remedy);
    }
    if !directory.is_current(now) {
        let age = now.0.saturating_sub(directory.issued_at.0) / 1000;
        return ill(CHECK, format!("serial {serial} expired; issued {age} s ago"), ask);
    }
    well(CHECK, format!("serial {serial}, {} members", directory.members.len()))
}

fn disk_space(folder: &Path) -> Finding {
    match nix::sys::statvfs::statvfs(folder) {
        Ok(stat) => {
            let mib = stat.blocks_available().saturating_mul(stat.fragment_size()) >> 20;
            if mib < FREE_MIB_MIN {
                ill("disk", format!("{mib} MiB free"), "make room: a full disk stops all recording")
            } else {
                well("disk", format!("{mib} MiB free"))
            }
        }
        Err(error) => ill("disk", error.to_string(), "the data folder must exist and be readable"),
    }
}

fn listener(config: &NodeConfig) -> Finding {
    match TcpStream::connect_timeout(&config.listen, REACH_PATIENCE) {
        Ok(_) => well("listener", format!("{} answers", config.listen)),
        Err(error) => {
            let detail = format!("{} does not answer: {error}", config.listen);
            ill("listener", detail, "start the node: jukinet ROLE serve --config FILE")
        }
    }
}

/// What a terminal and a gateway have alike: a token, and one server on their LAN.
fn lan_client(token: &TokenConfig, server: &ServerConfig) -> Vec<Finding> {
    let token = match token_file::open(token) {
        Ok(_) => token_kind(token),
        Err(error) => ill("token", error.to_string(), "check the token and its PIN file"),
    };
    let server = match TcpStream::connect_timeout(&server.address, REACH_PATIENCE) {
        Ok(_) => well("server", format!("{} answers", server.node)),
        Err(error) => {
            let detail = format!("{} does not answer: {error}", server.node);
            ill("server", detail, "ask the server's administrator, or check the LAN cable")
        }
    };
    vec![token, server]
}
