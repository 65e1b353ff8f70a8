//! Who is who on the network, as this node knows it now: the signed directory, the two anchors of
//! its configuration, and the machines of its own LAN. Not the verification of the directory's
//! signature: whoever calls [`Book::install`] has verified it.
//!
//! Unknown → refuse. A directory past its term makes every member of it `Stale`; the anchors (the
//! center and the node's own exchange) stay, because through them the next directory arrives.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use law::organ::Organ;
use law::time::Timestamp;
use tokio::sync::watch;
use wire::directory::{Directory, Member, MemberState};
use wire::{NodeId, Role};

/// Whether a peer may be spoken with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerState {
    Active,
    /// The directory isolates it (切り離し).
    Isolated,
    /// It was a member of a directory whose 600 seconds are over.
    Stale,
}

/// Who the other end of a session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerIdentity {
    pub node: NodeId,
    pub role: Role,
    pub organ: Option<Organ>,
    pub state: PeerState,
    /// A terminal or feed of this node's own LAN, known from its configuration.
    pub lan: bool,
}

/// What must be known to find a peer and to know it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerEntry {
    pub identity: PeerIdentity,
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub pin: [u8; 32],
    /// `ip:port`; none for a peer that only dials us.
    pub address: Option<String>,
    /// The exchange in front of it; none for an exchange and for the LAN.
    pub exchange: Option<NodeId>,
}

#[derive(Default)]
struct Pages {
    by_node: HashMap<NodeId, Arc<PeerEntry>>,
    by_pin: HashMap<[u8; 32], Arc<PeerEntry>>,
}

impl Pages {
    fn enter(&mut self, entry: PeerEntry) {
        let entry = Arc::new(entry);
        self.by_pin.insert(entry.pin, Arc::clone(&entry));
        self.by_node.insert(entry.identity.node.clone(), entry);
    }
}

struct Content {
    /// The center and the own exchange, from the configuration.
    anchors: Pages,
    lan: Pages,
    members: Pages,
    expires_at: Timestamp,
    serial: u64,
}

/// The peers of one process. Shared; a new directory is seen by all sessions at once.
pub struct Book {
    content: RwLock<Content>,
    changed: watch::Sender<u64>,
    clock: fn() -> Timestamp,
}

impl fmt::Debug for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let serial = self.read(|content| content.serial);
        write!(f, "Book(directory {serial})")
    }
}

impl Book {
    /// A book with nothing but the configured peers. `clock` decides when a directory is stale.
    #[must_use]
    pub fn new(
        anchors: Vec<PeerEntry>,
        lan: Vec<PeerEntry>,
        clock: fn() -> Timestamp,
    ) -> Arc<Self> {
        let mut content = Content {
            anchors: Pages::default(),
            lan: Pages::default(),
            members: Pages::default(),
            expires_at: Timestamp(0),
            serial: 0,
        };
        anchors.into_iter().for_each(|entry| content.anchors.enter(entry));
        lan.into_iter().for_each(|entry| content.lan.enter(entry));
        let (changed, _) = watch::channel(0);
        Arc::new(Self { content: RwLock::new(content), changed, clock })
    }

    /// Takes over a directory whose signature was verified. An older serial changes nothing.
    /// Held sessions with members that are no longer active end within the same second.
    pub fn install(&self, directory: &Directory) -> bool {
        let mut members = Pages::default();
        for member in &directory.members {
            members.enter(entry_of(member));
        }
        {
            let mut content = self.content.write().unwrap_or_else(PoisonError::into_inner);
            if directory.serial <= content.serial {
                return false;
            }
            content.members = members;
            content.expires_at = directory.expires_at;
            content.serial = directory.serial;
        }
        self.changed.send_replace(directory.serial);
        true
    }

    /// The serial of the directory in use; zero before the first.
    #[must_use]
    pub fn serial(&self) -> u64 {
        self.read(|content| content.serial)
    }

    /// Whose key this is.
    #[must_use]
    pub fn by_pin(&self, pin: &[u8; 32]) -> Option<PeerIdentity> {
        self.find(|pages| pages.by_pin.get(pin)).map(|entry| entry.identity)
    }

    /// Where and behind which key this node is.
    #[must_use]
    pub fn by_node(&self, node: &NodeId) -> Option<PeerEntry> {
        self.find(|pages| pages.by_node.get(node))
    }

    /// Fires with the serial whenever a new directory was installed.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Whether a session with this node may go on (asked again after each directory).
    #[must_use]
    pub fn is_active(&self, node: &NodeId) -> bool {
        self.by_node(node).is_some_and(|entry| entry.identity.state == PeerState::Active)
    }

    fn read<T>(&self, look: impl FnOnce(&Content) -> T) -> T {
        look(&self.content.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// LAN first (never in the directory), then the directory, then the anchors. An anchor is
    /// believed over a stale directory, but an isolation in a valid one is believed over it.
    fn find<'p>(
        &self,
        page: impl for<'a> Fn(&'a Pages) -> Option<&'a Arc<PeerEntry>> + 'p,
    ) -> Option<PeerEntry> {
        let now = (self.clock)();
        self.read(|content| {
            if let Some(entry) = page(&content.lan) {
                return Some(entry.as_ref().clone());
            }
            let fresh = now <= content.expires_at;
            let member = page(&content.members);
            if let (Some(entry), true) = (member, fresh) {
                return Some(entry.as_ref().clone());
            }
            if let Some(anchor) = page(&content.anchors) {
                let mut entry = anchor.as_ref().clone();
                // Who it is, the anchor says; where it is, only the last directory: without this
                // the exchange in front of the center would not find the way to the next directory.
                if entry.address.is_none() && member.is_some_and(|member| member.pin == entry.pin) {
                    entry.address = member.and_then(|member| member.address.clone());
                }
                return Some(entry);
            }
            let mut entry = member?.as_ref().clone();
            if entry.identity.state == PeerState::Active {
                entry.identity.state = PeerState::Stale;
            }
            Some(entry)
        })
    }
}

fn entry_of(member: &Member) -> PeerEntry {
    let state = match member.state {
        MemberState::Active => PeerState::Active,
        MemberState::Isolated => PeerState::Isolated,
    };
    PeerEntry {
        identity: PeerIdentity {
            node: member.id.clone(),
            role: member.role,
            organ: member.organ,
            state,
            lan: false,
        },
        pin: member.pin,
        address: Some(member.address.clone()).filter(|address| !address.is_empty()),
        exchange: member.exchange.clone(),
    }
}
