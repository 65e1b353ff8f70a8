//! The configuration of the vendor gateway: its listener on the municipal LAN, the vendors' clients
//! it knows, and the one communication server behind it.

use std::net::SocketAddr;
use std::path::PathBuf;

use law::organ::Organ;
use wire::{NodeId, Role};

use super::parts::{ServerConfig, TokenConfig, socket_address, tls_profile};
use super::reader::{Findings, Table};
use crate::net::TlsProfile;

/// Systems of one town hall that notify changes: the register system and a few beside it.
pub const GATEWAY_CLIENTS_MAX: usize = 16;
/// Names by which clients of one LAN call the gateway.
const NAMES_MAX: usize = 16;

/// One gateway. All paths are relative to the file's folder. There is no folder for data: the
/// gateway keeps nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayConfig {
    /// `node`: its name in the server's `[[lan]]`, as `feed-132152`.
    pub node: NodeId,
    /// `organ`: whose residents it notifies, as `municipality:132152`.
    pub organ: Organ,
    /// `listen`: `ip:port` on the municipal LAN.
    pub listen: SocketAddr,
    /// `names`: host names and addresses that stand in its certificate.
    pub names: Vec<String>,
    /// `tls_profile`: "default" or "cryptrec-strict".
    pub tls_profile: TlsProfile,
    /// `characters`: the table of Juki-net unified characters; rows with others are rejected.
    pub characters: Option<PathBuf>,
    /// `[token]`: the key of this feed, also of its certificate.
    pub token: TokenConfig,
    /// `[server]`: the communication server it hands changes to.
    pub server: ServerConfig,
    /// `[[client]]`: who may call.
    pub clients: Vec<GatewayClient>,
}

/// A vendor's system, known by its certificate's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayClient {
    /// `name`: what the log calls it.
    pub name: String,
    /// `pin`: SHA-256 of its certificate's SubjectPublicKeyInfo, base64.
    pub pin: [u8; 32],
}

impl GatewayConfig {
    pub(super) fn read(table: &mut Table<'_, '_>, out: &mut Findings<'_>) -> Option<Self> {
        let _ = table.parsed("role", out, super::parts::role);
        let node = table.parsed("node", out, NodeId::parse);
        let organ = table.parsed("organ", out, municipality);
        let listen = table.parsed("listen", out, socket_address);
        let names = table.texts("names", NAMES_MAX, out);
        let tls_profile = table.parsed("tls_profile", out, tls_profile);
        let characters = table.has("characters").then(|| table.path("characters", out)).flatten();
        let token = TokenConfig::read(table, out);
        let server = ServerConfig::read(table, out);
        let clients = GatewayClient::read_all(table, out);
        if names.is_empty() {
            table.report("names", out, "name the gateway as its clients call it");
        }
        if node.as_ref().is_some_and(|node| node.role() != Some(Role::Feed)) {
            table.report("node", out, "names another role than feed");
        }
        if let Some(server) = &server
            && (server.role != Role::Municipality || Some(server.organ) != organ)
        {
            table.report("server", out, "is not the server of this municipality");
        }
        Some(Self {
            node: node?,
            organ: organ?,
            listen: listen?,
            names,
            tls_profile: tls_profile?,
            characters,
            token: token?,
            server: server?,
            clients,
        })
    }
}

impl GatewayClient {
    fn read_all(table: &mut Table<'_, '_>, out: &mut Findings<'_>) -> Vec<Self> {
        let mut clients: Vec<Self> = Vec::new();
        for mut each in table.tables("client", GATEWAY_CLIENTS_MAX, out) {
            let name = each.parsed("name", out, client_name);
            let pin = each.bytes("pin", out);
            if let Some(pin) = pin
                && clients.iter().any(|other| other.pin == pin)
            {
                each.report("pin", out, "another client has this key; each has one of its own");
            }
            each.close(out);
            if let (Some(name), Some(pin)) = (name, pin) {
                clients.push(Self { name, pin });
            }
        }
        if clients.is_empty() {
            table.report("client", out, "missing; without a [[client]] nobody could call");
        }
        clients
    }
}

fn municipality(text: &str) -> Result<Organ, String> {
    match Organ::parse(text) {
        Ok(organ @ Organ::Municipality(_)) => Ok(organ),
        Ok(_) => Err("must be a municipality, as municipality:132152".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// A name goes into the log and nowhere else.
fn client_name(text: &str) -> Result<String, &'static str> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if (1..=32).contains(&text.len()) && text.bytes().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("must be 1 to 32 of a-z, 0-9 and hyphen")
    }
}
