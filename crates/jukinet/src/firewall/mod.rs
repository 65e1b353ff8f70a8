//! Whom a machine may open a connection to, and who may open one to it: worked out from the
//! conversation table and the signed directory alone (S1: 市区町村設置ファイアウォール、指定情報処理機関設置
//! ファイアウォール). Pure. How the kernel is told is in [`nft`].
//!
//! Not who may *say* what: that is decided again above, by keys. A firewall that let everything
//! through would let nobody in.

pub mod nft;

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use wire::conversation::CONVERSATIONS;
use wire::{Directory, Member, MemberState, NodeId, Role, Via};

use crate::config::{NodeConfig, TerminalConfig};

/// An office network is no larger: 65,536 addresses of IPv4, a site's /48 of IPv6. A wider one
/// would be the Internet under another name.
const LAN_PREFIX_BITS_MIN: (u8, u8) = (16, 48);

/// Office networks of one node.
pub const LAN_NETWORKS_COUNT_MAX: usize = 16;

/// Why no rules can be made.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FirewallError {
    #[error("--lan {net}: wider than an office network; name the office's own (at least /{bits})")]
    TooWide { net: IpNet, bits: u8 },
    #[error("{count} terminals and feeds stand on this node's LAN; name its network with --lan")]
    LanMissing { count: usize },
    #[error("--lan {net}: nobody speaks to this node over a LAN; leave it out")]
    LanUnused { net: IpNet },
    #[error("at most {LAN_NETWORKS_COUNT_MAX} networks can be named with --lan")]
    LanMany,
    #[error("{node} is not in the directory; fetch the present one, or name it with --directory")]
    NotListed { node: NodeId },
    #[error(
        "{node} is isolated in this directory: until it is taken back nothing is opened for it"
    )]
    Isolated { node: NodeId },
    #[error("the directory gives {node} no address that reads as ip:port; the center must mend it")]
    Address { node: NodeId },
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    Host(IpAddr),
    Network(IpNet),
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Host(host) => host.fmt(f),
            Self::Network(net) => net.fmt(f),
        }
    }
}

impl Peer {
    pub(crate) fn is_v4(self) -> bool {
        match self {
            Self::Host(host) => host.is_ipv4(),
            Self::Network(net) => matches!(net, IpNet::V4(_)),
        }
    }
}

/// One thing that is let through: new connections by TCP, and what belongs to them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Opening {
    pub peer: Peer,
    /// Of whoever accepts the connection.
    pub port: u16,
    /// Who is meant, for people.
    pub why: String,
}

/// Everything that is let through one machine's firewall. What is not here is dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub node: NodeId,
    /// Of the directory it was made from; a terminal knows none.
    pub directory: Option<u64>,
    /// Connections that others may open.
    pub incoming: Vec<Opening>,
    /// Connections that this machine may open.
    pub outgoing: Vec<Opening>,
}

impl Plan {
    /// The plan of a node by its configuration and the directory.
    ///
    /// # Errors
    /// As [`FirewallError`] names them; nothing is guessed.
    pub fn of_node(
        config: &NodeConfig,
        directory: &Directory,
        lan: &[IpNet],
    ) -> Result<Self, FirewallError> {
        let own = member(directory, &config.node)?;
        let isolated = own.state == MemberState::Isolated;
        let mut plan = Self {
            node: config.node.clone(),
            directory: Some(directory.serial),
            incoming: Vec::new(),
            outgoing: Vec::new(),
        };
        // Until it is taken back nothing is opened for it: a table that drops everything.
        if isolated {
            return Ok(plan);
        }
        if config.role == Role::Exchange {
            plan.join(own, directory)?;
        } else if let Some(exchange) = &config.exchange {
            let role = config.role;
            let joined = format!("joined by {}", exchange.node);
            if CONVERSATIONS.iter().any(|row| row.to == role && row.via == Via::Exchange) {
                let peer = Peer::Host(exchange.address.ip());
                plan.incoming.push(Opening { peer, port: config.listen.port(), why: joined });
            }
            if CONVERSATIONS.iter().any(|row| row.from == role && row.via == Via::Exchange) {
                let peer = Peer::Host(exchange.address.ip());
                let why = format!("through {}", exchange.node);
                plan.outgoing.push(Opening { peer, port: exchange.address.port(), why });
            }
        }
        plan.open_lan(config, lan)?;
        plan.in_order();
        Ok(plan)
    }

    /// A terminal speaks with its one server and is spoken to by nobody.
    #[must_use]
    pub fn of_terminal(config: &TerminalConfig) -> Self {
        let outgoing = Opening {
            peer: Peer::Host(config.server.address.ip()),
            port: config.server.address.port(),
            why: format!("its server, {}", config.server.node),
        };
        let node = config.node.clone();
        Self { node, directory: None, incoming: Vec::new(), outgoing: vec![outgoing] }
    }

    /// An exchange joins the members connected to it, and hands on to every other exchange: a way
    /// has one exchange or two, never a third.
    fn join(&mut self, own: &Member, directory: &Directory) -> Result<(), FirewallError> {
        let own_port = address(own)?.port();
        for other in directory.members.iter().filter(|m| m.state == MemberState::Active) {
            let ours = other.exchange.as_ref() == Some(&own.id);
            let exchange = other.role == Role::Exchange && other.id != own.id;
            if !ours && !exchange {
                continue;
            }
            let at = address(other)?;
            let peer = Peer::Host(at.ip());
            let why = other.id.to_string();
            let speaks = exchange
                || CONVERSATIONS.iter().any(|r| r.from == other.role && r.via == Via::Exchange);
            let hears = exchange
                || CONVERSATIONS.iter().any(|r| r.to == other.role && r.via == Via::Exchange);
            if speaks {
                self.incoming.push(Opening { peer, port: own_port, why: why.clone() });
            }
            if hears {
                self.outgoing.push(Opening { peer, port: at.port(), why });
            }
        }
        Ok(())
    }

    fn open_lan(&mut self, config: &NodeConfig, lan: &[IpNet]) -> Result<(), FirewallError> {
        if lan.len() > LAN_NETWORKS_COUNT_MAX {
            return Err(FirewallError::LanMany);
        }
        let hears = CONVERSATIONS.iter().any(|row| row.to == config.role && row.via == Via::Lan);
        if let Some(net) = lan.first().filter(|_| !hears || config.lan.is_empty()) {
            return Err(FirewallError::LanUnused { net: *net });
        }
        if lan.is_empty() && hears && !config.lan.is_empty() {
            return Err(FirewallError::LanMissing { count: config.lan.len() });
        }
        for net in lan {
            let bits = match net {
                IpNet::V4(_) => LAN_PREFIX_BITS_MIN.0,
                IpNet::V6(_) => LAN_PREFIX_BITS_MIN.1,
            };
            if net.prefix_len() < bits {
                return Err(FirewallError::TooWide { net: *net, bits });
            }
            self.incoming.push(Opening {
                peer: Peer::Network(net.trunc()),
                port: config.listen.port(),
                why: format!("{} terminals and feeds of the office", config.lan.len()),
            });
        }
        Ok(())
    }

    fn in_order(&mut self) {
        for openings in [&mut self.incoming, &mut self.outgoing] {
            openings.sort();
            openings.dedup();
        }
    }
}

fn member<'d>(directory: &'d Directory, node: &NodeId) -> Result<&'d Member, FirewallError> {
    let found = directory.members.iter().find(|member| member.id == *node);
    found.ok_or_else(|| FirewallError::NotListed { node: node.clone() })
}

fn address(member: &Member) -> Result<SocketAddr, FirewallError> {
    member.address.parse().map_err(|_| FirewallError::Address { node: member.id.clone() })
}
