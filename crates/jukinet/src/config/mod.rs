//! Configuration: one TOML per process, read whole or refused whole.
//!
//! Unknown fields are errors, production fields have no defaults, and every error is reported with
//! file and line. Not where the values are used: opening tokens, sockets and stores comes after.

mod gateway;
mod node;
mod parts;
pub mod reader;
mod store;
mod terminal;

use std::path::{Path, PathBuf};

use toml::de::DeTable;
use wire::Role;

pub use gateway::{GATEWAY_CLIENTS_MAX, GatewayClient, GatewayConfig};
pub use node::{FeedConfig, NodeConfig, organ_role};
pub use parts::{
    CenterConfig, LAN_PEERS_MAX, LanPeer, ServerConfig, SessionConfig, TokenConfig, WayOut,
};
pub use reader::{Finding, Setting};
pub use store::StoreConfig;
pub use terminal::{CardReader, TerminalConfig};

use crate::disk;
use reader::{Findings, Table};

/// A configuration is a page or two; the largest lists every terminal of an office.
pub const CONFIG_BYTES_MAX: u64 = 256 * 1024;

/// What a file configures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Config {
    Node(Box<NodeConfig>),
    Terminal(Box<TerminalConfig>),
    /// The vendor gateway, which plays the role of a feed.
    Gateway(Box<GatewayConfig>),
}

/// What was read, and everything that is wrong with it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Present only when nothing is wrong.
    pub config: Option<Config>,
    pub findings: Vec<Finding>,
    /// What holds, defaults included, secrets redacted.
    pub settings: Vec<Setting>,
}

/// A configuration that cannot be used; one line per finding.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("{}", lines(.0))]
    Findings(Vec<Finding>),
    #[error(
        "{file}: configures a {found}, not a {wanted}; give the file of that role",
        file = .file.display()
    )]
    Role { file: PathBuf, found: Role, wanted: &'static str },
}

fn lines(findings: &[Finding]) -> String {
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Reads a file and everything that is wrong with it.
#[must_use]
pub fn load(file: &Path) -> Loaded {
    match disk::read_text(file, CONFIG_BYTES_MAX) {
        Ok(text) => parse(file, &text),
        Err(error) => {
            let mut out = Findings::new(file, "");
            out.add(0, "file", error);
            Loaded { config: None, findings: out.found, settings: Vec::new() }
        }
    }
}

/// Reads a text; `file` gives the folder of relative paths and the name in findings.
#[must_use]
pub fn parse(file: &Path, text: &str) -> Loaded {
    let mut out = Findings::new(file, text);
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let at = error.span().map_or(0, |span| span.start);
        out.add(at, "toml", error.message());
    }
    let mut table = Table::root(&document);
    let role = document.get_ref().get("role").and_then(|role| role.get_ref().as_str());
    let config = match role.and_then(Role::parse) {
        Some(Role::Terminal) => {
            TerminalConfig::read(&mut table, &mut out).map(|read| Config::Terminal(Box::new(read)))
        }
        Some(Role::Feed) => {
            GatewayConfig::read(&mut table, &mut out).map(|read| Config::Gateway(Box::new(read)))
        }
        Some(
            Role::Center | Role::Prefecture | Role::Municipality | Role::Agency | Role::Exchange,
        ) => NodeConfig::read(&mut table, &mut out).map(|read| Config::Node(Box::new(read))),
        _ => {
            table.report(
                "role",
                &mut out,
                "must be center, prefecture, municipality, agency, exchange, terminal or feed",
            );
            let mut found = out.found;
            found.truncate(reader::FINDINGS_MAX);
            return Loaded { config: None, findings: found, settings: out.settings };
        }
    };
    table.close(&mut out);
    let mut found = out.found;
    found.sort_by_key(|finding| finding.line);
    let config = config.filter(|_| found.is_empty());
    Loaded { config, findings: found, settings: out.settings }
}

/// The configuration of a node (not of a terminal), or every reason why not.
pub fn load_node(file: &Path) -> Result<NodeConfig, ConfigError> {
    let loaded = load(file);
    match loaded.config {
        Some(Config::Node(config)) => Ok(*config),
        Some(Config::Terminal(_)) => Err(ConfigError::Role {
            file: file.to_path_buf(),
            found: Role::Terminal,
            wanted: "node",
        }),
        Some(Config::Gateway(_)) => {
            Err(ConfigError::Role { file: file.to_path_buf(), found: Role::Feed, wanted: "node" })
        }
        None => Err(ConfigError::Findings(loaded.findings)),
    }
}

/// The configuration of a terminal, or every reason why not.
pub fn load_terminal(file: &Path) -> Result<TerminalConfig, ConfigError> {
    let loaded = load(file);
    match loaded.config {
        Some(Config::Terminal(config)) => Ok(*config),
        Some(Config::Node(config)) => Err(ConfigError::Role {
            file: file.to_path_buf(),
            found: config.role,
            wanted: "terminal",
        }),
        Some(Config::Gateway(_)) => Err(ConfigError::Role {
            file: file.to_path_buf(),
            found: Role::Feed,
            wanted: "terminal",
        }),
        None => Err(ConfigError::Findings(loaded.findings)),
    }
}
