//! Writes the configurations and the first directory into the folders of a country.
//! Not a general TOML writer: the two shapes below are the whole of it.

use std::fmt::Write as _;
use std::path::Path;

use token::KeyName;
use wire::{NodeId, Role};

use super::plan::{Plan, PlanError};
use super::{CenterKeys, Lan, Made, ProvisionError, ProvisionedNode, plan};
use crate::config::reader::base64_text;
use crate::disk;

/// A text as a TOML basic string.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

pub(super) fn write(
    dir: &Path,
    plan: &Plan,
    nodes: &[ProvisionedNode],
    made: &[Made],
    lan: &Lan,
    keys: &CenterKeys,
    signed_directory: &[u8],
) -> Result<(), ProvisionError> {
    for (node, token) in nodes.iter().zip(made) {
        disk::write_private(&node.folder.join("data/directory.signed"), signed_directory)?;
        let exchange = match &node.exchange {
            Some(id) => Some(find(nodes, made, id)?),
            None => None,
        };
        let text = node_text(plan, node, token, exchange, lan, keys)?;
        disk::write_private(&node.config, text.as_bytes())?;
    }
    let ledgers: Vec<&str> = nodes.iter().map(|node| node.ledger_vkey.as_str()).collect();
    for (terminal, _) in &lan.terminals {
        let server = find(nodes, made, &terminal.server)?;
        let text = terminal_text(plan, terminal, server, &ledgers, keys)?;
        let file = dir.join("terminals").join(format!("{}.toml", terminal.place));
        disk::write_private(&file, text.as_bytes())?;
    }
    Ok(())
}

fn find<'a>(
    nodes: &'a [ProvisionedNode],
    made: &'a [Made],
    id: &NodeId,
) -> Result<(&'a ProvisionedNode, &'a Made), ProvisionError> {
    nodes
        .iter()
        .zip(made)
        .find(|(node, _)| node.node == *id)
        .ok_or(ProvisionError::Plan(PlanError::NoCenter))
}

fn node_text(
    plan: &Plan,
    node: &ProvisionedNode,
    token: &Made,
    exchange: Option<(&ProvisionedNode, &Made)>,
    lan: &Lan,
    keys: &CenterKeys,
) -> Result<String, ProvisionError> {
    let mut text = String::from(
        "# One node of the network. Made by the key ceremony; `jukinet config check` reads it.\n\
         # Paths are relative to this file. There are no defaults but the bounds in [sessions].\n",
    );
    let _ = writeln!(text, "role = {}", quoted(node.role.key()));
    let _ = writeln!(text, "node = {}", quoted(node.node.as_str()));
    if let Some(organ) = &node.organ {
        let _ = writeln!(text, "organ = {}", quoted(&organ.to_string()));
    }
    let _ = writeln!(text, "listen = {}", quoted(&node.address.to_string()));
    text.push_str(
        "data = \"data\"\n\
         ledger = \"ledger\"\n\
         ledger_vkey = \"ledger.vkey\"\n\
         # The directory to begin with, until the center pushes one.\n\
         directory = \"data/directory.signed\"\n",
    );
    let _ = writeln!(text, "tls_profile = {}", quoted(plan.tls_profile));
    text.push_str(&token_text("token", ""));
    text.push_str(&center_text(keys));
    if let Some((exchange, made)) = exchange {
        text.push_str("\n# The way out of this node.\n[exchange]\n");
        let _ = writeln!(text, "node = {}", quoted(exchange.node.as_str()));
        let _ = writeln!(text, "address = {}", quoted(&exchange.address.to_string()));
        let _ = writeln!(text, "pin = {}", quoted(&base64_text(&made.pin()?)));
    }
    for (terminal, made) in lan.terminals.iter().filter(|(each, _)| each.server == node.node) {
        let organ = terminal.organ.to_string();
        text.push_str(&lan_text(&terminal.node, Role::Terminal, &organ, &made.pin()?));
    }
    for (feed, made) in lan.feeds.iter().filter(|(each, _)| each.server == node.node) {
        text.push_str(&lan_text(&feed.node, Role::Feed, &feed.organ.to_string(), &made.pin()?));
        text.push_str("\n# How `jukinet notice` speaks with this node.\n[feed]\n");
        let _ = writeln!(text, "node = {}", quoted(feed.node.as_str()));
        let _ = writeln!(text, "server_pin = {}", quoted(&base64_text(&token.pin()?)));
        text.push_str(&token_text("feed.token", "feed/"));
    }
    Ok(text)
}

pub(super) fn token_text(table: &str, folder: &str) -> String {
    format!(
        "\n# A sealed file: for demonstration. In service: kind = \"pkcs11\", module, label, \
            pin_file.\n\
         [{table}]\nkind = \"software\"\n\
         file = \"{folder}token\"\npin_file = \"{folder}token.pin\"\n"
    )
}

fn center_text(keys: &CenterKeys) -> String {
    let mut text = String::from("\n# Whom to believe about everybody else.\n[center]\n");
    let _ = writeln!(text, "node = \"center\"");
    let _ = writeln!(text, "pin = {}", quoted(&base64_text(&keys.pin)));
    let _ = writeln!(text, "exchange = {}", quoted(keys.exchange.as_str()));
    for (name, key) in [
        (KeyName::Directory, &keys.directory),
        (KeyName::CardIssuer, &keys.card_issuer),
        (KeyName::TerminalAuthority, &keys.terminal_authority),
    ] {
        let name = name.key().replace('-', "_");
        let _ = writeln!(text, "{name}_key = {}", quoted(&base64_text(key)));
    }
    text
}

fn lan_text(node: &NodeId, role: Role, organ: &str, pin: &[u8; 32]) -> String {
    let mut text = String::from("\n# A machine of this node's own LAN.\n[[lan]]\n");
    let _ = writeln!(text, "node = {}", quoted(node.as_str()));
    let _ = writeln!(text, "role = {}", quoted(role.key()));
    let _ = writeln!(text, "organ = {}", quoted(organ));
    let _ = writeln!(text, "pin = {}", quoted(&base64_text(pin)));
    text
}

fn terminal_text(
    plan: &Plan,
    terminal: &plan::Terminal,
    server: (&ProvisionedNode, &Made),
    ledgers: &[&str],
    keys: &CenterKeys,
) -> Result<String, ProvisionError> {
    let (server, made) = server;
    let mut text = String::from(
        "# One terminal. Made by the key ceremony; `jukinet config check` reads it.\n\
         # Paths are relative to this file.\n\
         role = \"terminal\"\n",
    );
    let _ = writeln!(text, "node = {}", quoted(terminal.node.as_str()));
    let _ = writeln!(text, "place = {}", quoted(&terminal.place));
    let _ = writeln!(text, "organ = {}", quoted(&terminal.organ.to_string()));
    let _ = writeln!(text, "epoch = {}", quoted(plan.epoch.key()));
    text.push_str("# The pages for people; loopback only, because they are HTTP.\n");
    let _ = writeln!(text, "desk_listen = {}", quoted(&terminal.desk.to_string()));
    let _ = writeln!(text, "tls_profile = {}", quoted(plan.tls_profile));
    text.push_str("# Shown to cards: this terminal's certificate by the terminal authority.\n");
    let certificate = format!("{}/terminal.cert", terminal.place);
    let _ = writeln!(text, "certificate = {}", quoted(&certificate));
    text.push_str("# What operator cards must be certified by.\n");
    let _ = writeln!(text, "card_issuer_key = {}", quoted(&base64_text(&keys.card_issuer)));
    text.push_str("# Ledgers whose proofs this desk accepts (note verifier keys).\nledgers = [\n");
    for vkey in ledgers {
        let _ = writeln!(text, "  {},", quoted(vkey));
    }
    text.push_str("]\n");
    text.push_str(&token_text("token", &format!("{}/", terminal.place)));
    text.push_str("\n# The one node this terminal speaks with.\n[server]\n");
    let _ = writeln!(text, "node = {}", quoted(server.node.as_str()));
    let _ = writeln!(text, "role = {}", quoted(server.role.key()));
    let _ = writeln!(text, "organ = {}", quoted(&terminal.organ.to_string()));
    let _ = writeln!(text, "address = {}", quoted(&server.address.to_string()));
    let _ = writeln!(text, "pin = {}", quoted(&base64_text(&made.pin()?)));
    text.push_str(
        "\n# A card lies in the reader while the file <place>.inserted in this folder \
        names it.\n[card_reader]\n",
    );
    text.push_str("kind = \"file\"\nfolder = \"../cards\"\n");
    Ok(text)
}
