//! The configuration of a center, prefecture, municipality or agency, and of an exchange.

use std::net::SocketAddr;
use std::path::PathBuf;

use law::organ::Organ;
use node::reconcile::{COMPARE_EVERY_MS, COMPARE_EVERY_MS_MAX};
use wire::{NodeId, Role};

use super::parts::{
    CenterConfig, LanPeer, SessionConfig, TokenConfig, WayOut, role, socket_address, tls_profile,
};
use super::reader::{Findings, Table};
use super::store::StoreConfig;
use crate::net::{PeerEntry, TlsProfile};

/// One node of the network. All paths are relative to the file's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeConfig {
    /// `role`: center, prefecture, municipality, agency or exchange.
    pub role: Role,
    /// `node`: its name in the directory, as `municipality-132152`.
    pub node: NodeId,
    /// `organ`: the organ that asks and answers with it, as `municipality:132152`. Not on an
    /// exchange, which is nobody's voice.
    pub organ: Option<Organ>,
    /// `listen`: `ip:port` on the closed network.
    pub listen: SocketAddr,
    /// `data`: folder of the store, mode 0700.
    pub data: PathBuf,
    /// `[store]`: the engine that keeps the store.
    pub store: StoreConfig,
    /// `ledger`: folder of the published ledger (C2SP layout).
    pub ledger: PathBuf,
    /// `ledger_vkey`: the note verifier key of this ledger.
    pub ledger_vkey: PathBuf,
    /// `directory`: the signed directory to begin with, until the center pushes one.
    pub directory: PathBuf,
    /// `tls_profile`: "default" or "cryptrec-strict".
    pub tls_profile: TlsProfile,
    /// `[token]`: where the node's keys are.
    pub token: TokenConfig,
    /// `[center]`: whom to believe about everybody else.
    pub center: CenterConfig,
    /// `[exchange]`: the way out. Not on an exchange itself.
    pub exchange: Option<WayOut>,
    /// `[sessions.…]`: bounds of held sessions.
    pub sessions: SessionConfig,
    /// `[comparison]` `every_seconds`: how often this tier compares with the one above; at the
    /// center, how often its register is read again. Milliseconds.
    pub comparing_ms: u64,
    /// `[[lan]]`: terminals and feeds of this node's own LAN.
    pub lan: Vec<LanPeer>,
    /// `[feed]`: how `jukinet notice` speaks with this municipality's server.
    pub feed: Option<FeedConfig>,
}

/// The existing resident register system (既存住基システム) as a client of the own server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedConfig {
    /// `node`: its name in the server's `[[lan]]`.
    pub node: NodeId,
    /// `server_pin`: the pin of the server's own node key.
    pub server_pin: [u8; 32],
    /// `characters`: the table of Juki-net unified characters. Rows with others are rejected before
    /// they are sent. Without it every character of the profile is taken.
    pub characters: Option<PathBuf>,
    /// `[feed.token]`
    pub token: TokenConfig,
}

impl NodeConfig {
    pub(super) fn read(table: &mut Table<'_, '_>, out: &mut Findings<'_>) -> Option<Self> {
        let role = table.parsed("role", out, role);
        let exchange_itself = role == Some(Role::Exchange);
        let node = table.parsed("node", out, NodeId::parse);
        let organ = if exchange_itself { None } else { table.parsed("organ", out, Organ::parse) };
        let listen = table.parsed("listen", out, socket_address);
        let data = table.path("data", out);
        let store = StoreConfig::read(table, out);
        let ledger = table.path("ledger", out);
        let ledger_vkey = table.path("ledger_vkey", out);
        let directory = table.path("directory", out);
        let tls_profile = table.parsed("tls_profile", out, tls_profile);
        let token = TokenConfig::read(table, out);
        let center = CenterConfig::read(table, out);
        let exchange = if exchange_itself { None } else { WayOut::read(table, out) };
        let sessions = SessionConfig::read(table, out);
        let comparing_ms = comparing_ms(table, out);
        let lan = LanPeer::read_all(table, out);
        let feed = match role {
            Some(Role::Municipality) => FeedConfig::read(table, out),
            _ => None,
        };
        if let (Some(node), Some(role)) = (&node, role)
            && node.role() != Some(role)
        {
            table.report("node", out, format!("names another role than {role}"));
        }
        if let (Some(organ), Some(role)) = (&organ, role)
            && organ_role(organ) != role
        {
            table.report("organ", out, format!("is not an organ of a {role}"));
        }
        if exchange.is_none() && !exchange_itself {
            return None;
        }
        if organ.is_none() && !exchange_itself {
            return None;
        }
        Some(Self {
            role: role?,
            node: node?,
            organ,
            listen: listen?,
            data: data?,
            store: store?,
            ledger: ledger?,
            ledger_vkey: ledger_vkey?,
            directory: directory?,
            tls_profile: tls_profile?,
            token: token?,
            center: center?,
            exchange,
            sessions,
            comparing_ms,
            lan,
            feed,
        })
    }

    /// The peers that hold before, and between, directories.
    #[must_use]
    pub fn anchors(&self) -> Vec<PeerEntry> {
        let center = (self.role != Role::Center).then(|| self.center.anchor());
        center.into_iter().chain(self.exchange.as_ref().map(WayOut::anchor)).collect()
    }

    /// The machines of the own LAN.
    #[must_use]
    pub fn lan_entries(&self) -> Vec<PeerEntry> {
        self.lan.iter().map(LanPeer::entry).collect()
    }
}

impl FeedConfig {
    fn read(table: &mut Table<'_, '_>, out: &mut Findings<'_>) -> Option<Self> {
        let mut feed = table.optional_table("feed", out)?;
        let node = feed.parsed("node", out, NodeId::parse);
        let server_pin = feed.bytes("server_pin", out);
        let characters = feed.has("characters").then(|| feed.path("characters", out)).flatten();
        let token = TokenConfig::read(&mut feed, out);
        feed.close(out);
        Some(Self { node: node?, server_pin: server_pin?, characters, token: token? })
    }
}

fn comparing_ms(table: &mut Table<'_, '_>, out: &mut Findings<'_>) -> u64 {
    let Some(mut comparison) = table.optional_table("comparison", out) else {
        return COMPARE_EVERY_MS;
    };
    let (default, max) = (COMPARE_EVERY_MS / 1_000, COMPARE_EVERY_MS_MAX / 1_000);
    let seconds = comparison.bound("every_seconds", default, max, out);
    comparison.close(out);
    seconds * 1_000
}

/// The role whose nodes speak for this organ.
#[must_use]
pub const fn organ_role(organ: &Organ) -> Role {
    match organ {
        Organ::Municipality(_) => Role::Municipality,
        Organ::Prefecture(_) => Role::Prefecture,
        Organ::Center => Role::Center,
        Organ::Agency(_) => Role::Agency,
    }
}
