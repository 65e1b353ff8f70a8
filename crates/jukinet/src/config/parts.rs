//! The parts that several roles' configurations share: token, center, exchange, LAN peers, bounds.
//! Not the roles themselves.

use std::net::SocketAddr;
use std::path::PathBuf;

use law::organ::Organ;
use wire::{NodeId, Role};

use super::reader::{Findings, Table};
use crate::net::limits::{
    IN_FLIGHT_SESSION_MAX, SESSION_CALLS_MAX, SESSION_SECONDS_MAX, SESSIONS_PEER_MAX,
};
use crate::net::{PeerEntry, PeerIdentity, PeerState, SessionLimits, TlsProfile};

/// Terminals and feeds of one LAN; S1 counts a few per office.
pub const LAN_PEERS_MAX: usize = 256;

/// Where the node's keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenConfig {
    /// A sealed file. For demonstration and tests: the key is in this process's memory.
    Software {
        /// The sealed file, mode 0600.
        file: PathBuf,
        /// Its PIN, one line, mode 0600.
        pin_file: PathBuf,
    },
    /// A tamper-resistant device (耐タンパー装置) behind a PKCS#11 module.
    Pkcs11 {
        /// The vendor's shared library.
        module: PathBuf,
        /// The label of the token in it.
        label: String,
        /// Its user PIN, one line, mode 0600.
        pin_file: PathBuf,
    },
}

impl TokenConfig {
    pub fn read(table: &mut Table<'_, '_>, out: &mut Findings<'_>) -> Option<Self> {
        let mut token = table.table("token", out)?;
        let kind = token.parsed("kind", out, |text| match text {
            "software" | "pkcs11" => Ok(text.to_owned()),
            _ => Err("must be \"software\" or \"pkcs11\""),
        });
        let config = match kind.as_deref() {
            Some("software") => {
                let file = token.secret("file", out);
                let pin_file = token.secret("pin_file", out);
                file.zip(pin_file).map(|(file, pin_file)| Self::Software { file, pin_file })
            }
            Some(_) => {
                let module = token.path("module", out);
                let label = token.parsed("label", out, non_empty);
                let pin_file = token.secret("pin_file", out);
                module.zip(label).zip(pin_file).map(|((module, label), pin_file)| Self::Pkcs11 {
                    module,
                    label,
                    pin_file,
                })
            }
            None => {
                // Which of these belong is unknown; a misspelt name beside them still is one.
                token.pass_over(&["file", "pin_file", "module", "label"]);
                None
            }
        };
        token.close(out);
        config
    }
}

/// The center, as fixed at the key ceremony: whom to believe about everybody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CenterConfig {
    /// Its node name.
    pub node: NodeId,
    /// SHA-256 of its node key's SubjectPublicKeyInfo, base64.
    pub pin: [u8; 32],
    /// The exchange in front of it.
    pub exchange: NodeId,
    /// The key that signs directories, SEC1 uncompressed, base64.
    pub directory_key: [u8; 65],
    /// The key that signs operator card certificates.
    pub card_issuer_key: [u8; 65],
    /// The key that signs terminal certificates.
    pub terminal_authority_key: [u8; 65],
}

impl CenterConfig {
    pub fn read(table: &mut Table<'_, '_>, out: &mut Findings<'_>) -> Option<Self> {
        let mut center = table.table("center", out)?;
        let node = center.parsed("node", out, NodeId::parse);
        let pin = center.bytes("pin", out);
        let exchange = center.parsed("exchange", out, NodeId::parse);
        let directory_key = center.bytes("directory_key", out);
        let card_issuer_key = center.bytes("card_issuer_key", out);
        let terminal_authority_key = center.bytes("terminal_authority_key", out);
        center.close(out);
        Some(Self {
            node: node?,
            pin: pin?,
            exchange: exchange?,
            directory_key: directory_key?,
            card_issuer_key: card_issuer_key?,
            terminal_authority_key: terminal_authority_key?,
        })
    }

    /// The peer entry that holds before, and between, directories.
    #[must_use]
    pub fn anchor(&self) -> PeerEntry {
        PeerEntry {
            identity: PeerIdentity {
                node: self.node.clone(),
                role: Role::Center,
                organ: Some(Organ::Center),
                state: PeerState::Active,
                lan: false,
            },
            pin: self.pin,
            address: None,
            exchange: Some(self.exchange.clone()),
        }
    }
}

/// The node's own exchange: the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WayOut {
    pub node: NodeId,
    /// `ip:port` of its listener.
    pub address: SocketAddr,
    pub pin: [u8; 32],
}

impl WayOut {
    pub fn read(table: &mut Table<'_, '_>, out: &mut Findings<'_>) -> Option<Self> {
        let mut exchange = table.table("exchange", out)?;
        let node = exchange.parsed("node", out, NodeId::parse);
        let address = exchange.parsed("address", out, socket_address);
        let pin = exchange.bytes("pin", out);
        exchange.close(out);
        Some(Self { node: node?, address: address?, pin: pin? })
    }

    #[must_use]
    pub fn anchor(&self) -> PeerEntry {
        PeerEntry {
            identity: PeerIdentity {
                node: self.node.clone(),
                role: Role::Exchange,
                organ: None,
                state: PeerState::Active,
                lan: false,
            },
            pin: self.pin,
            address: Some(self.address.to_string()),
            exchange: None,
        }
    }
}

/// A machine of this node's own LAN: a terminal or the existing register system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LanPeer {
    pub node: NodeId,
    pub role: Role,
    /// The organ whose office it stands in.
    pub organ: Organ,
    pub pin: [u8; 32],
}

impl LanPeer {
    pub fn read_all(table: &mut Table<'_, '_>, out: &mut Findings<'_>) -> Vec<Self> {
        let mut peers = Vec::new();
        for mut lan in table.tables("lan", LAN_PEERS_MAX, out) {
            let node = lan.parsed("node", out, NodeId::parse);
            let role = lan.parsed("role", out, |text| match Role::parse(text) {
                Some(role @ (Role::Terminal | Role::Feed)) => Ok(role),
                _ => Err("must be \"terminal\" or \"feed\""),
            });
            let organ = lan.parsed("organ", out, Organ::parse);
            let pin = lan.bytes("pin", out);
            lan.close(out);
            if let (Some(node), Some(role), Some(organ), Some(pin)) = (node, role, organ, pin) {
                peers.push(Self { node, role, organ, pin });
            }
        }
        peers
    }

    #[must_use]
    pub fn entry(&self) -> PeerEntry {
        PeerEntry {
            identity: PeerIdentity {
                node: self.node.clone(),
                role: self.role,
                organ: Some(self.organ),
                state: PeerState::Active,
                lan: true,
            },
            pin: self.pin,
            address: None,
            exchange: None,
        }
    }
}

/// The server that a terminal or feed dials on its LAN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    pub node: NodeId,
    pub role: Role,
    pub organ: Organ,
    pub address: SocketAddr,
    pub pin: [u8; 32],
}

impl ServerConfig {
    pub fn read(table: &mut Table<'_, '_>, out: &mut Findings<'_>) -> Option<Self> {
        let mut server = table.table("server", out)?;
        let node = server.parsed("node", out, NodeId::parse);
        let role = server.parsed("role", out, role);
        let organ = server.parsed("organ", out, Organ::parse);
        let address = server.parsed("address", out, socket_address);
        let pin = server.bytes("pin", out);
        server.close(out);
        let (node, role, organ) = (node?, role?, organ?);
        Some(Self { node, role, organ, address: address?, pin: pin? })
    }

    #[must_use]
    pub fn entry(&self) -> PeerEntry {
        PeerEntry {
            identity: PeerIdentity {
                node: self.node.clone(),
                role: self.role,
                organ: Some(self.organ),
                state: PeerState::Active,
                lan: true,
            },
            pin: self.pin,
            address: Some(self.address.to_string()),
            exchange: None,
        }
    }
}

/// Session bounds by pair. Operating bounds have stated defaults; ceilings are in code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionConfig {
    /// Municipality to municipality: one call per session by default (S1).
    pub between_municipalities: SessionLimits,
    /// Every other pair.
    pub otherwise: SessionLimits,
}

impl SessionConfig {
    pub const DEFAULT: Self =
        Self { between_municipalities: SessionLimits::ONE_CALL, otherwise: SessionLimits::HELD };

    pub fn read(table: &mut Table<'_, '_>, out: &mut Findings<'_>) -> Self {
        let mut config = Self::DEFAULT;
        if let Some(mut sessions) = table.optional_table("sessions", out) {
            let pairs = [
                ("between_municipalities", &mut config.between_municipalities),
                ("otherwise", &mut config.otherwise),
            ];
            for (name, limits) in pairs {
                if let Some(mut pair) = sessions.optional_table(name, out) {
                    *limits = session_limits(&mut pair, *limits, out);
                    pair.close(out);
                }
            }
            sessions.close(out);
        }
        config
    }
}

fn session_limits(
    table: &mut Table<'_, '_>,
    default: SessionLimits,
    out: &mut Findings<'_>,
) -> SessionLimits {
    let size = |number: u64| usize::try_from(number).unwrap_or(1);
    let wide = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    SessionLimits {
        calls: table.bound("calls", default.calls, SESSION_CALLS_MAX, out),
        seconds: table.bound("seconds", default.seconds, SESSION_SECONDS_MAX, out),
        sessions: size(table.bound(
            "sessions",
            wide(default.sessions),
            wide(SESSIONS_PEER_MAX),
            out,
        )),
        in_flight: size(table.bound(
            "in_flight",
            wide(default.in_flight),
            wide(IN_FLIGHT_SESSION_MAX),
            out,
        )),
    }
}

pub(super) fn role(text: &str) -> Result<Role, &'static str> {
    Role::parse(text).ok_or("is not a role; see jukinet --help")
}

pub(super) fn socket_address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "must be ip:port, as 10.13.0.5:7001")
}

/// The desk is HTTP, and HTTP never leaves the machine (S1).
pub(super) fn loopback(text: &str) -> Result<SocketAddr, &'static str> {
    let address = socket_address(text)?;
    if !address.ip().is_loopback() {
        return Err(
            "must be a loopback address: the desk speaks HTTP, which may not leave the machine",
        );
    }
    Ok(address)
}

pub(super) fn non_empty(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() { Err("must not be empty") } else { Ok(text.to_owned()) }
}

pub(super) fn tls_profile(text: &str) -> Result<TlsProfile, &'static str> {
    TlsProfile::parse(text).ok_or("must be \"default\" or \"cryptrec-strict\"")
}
