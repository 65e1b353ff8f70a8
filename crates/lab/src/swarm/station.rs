//! One node as a process would run it: its machine, its store, its open group, its tickets.
//!
//! Effects leave only after the group that made them is durable; a crash takes the group, the
//! machine and every waiting caller with it.

use std::collections::{BTreeMap, BTreeSet};

use law::code::RecordCode;
use law::organ::Organ;
use law::time::Timestamp;
use node::agency::Agency;
use node::center::Center;
use node::machine::{Machine, Peer};
use node::member::Identity;
use node::municipality::Municipality;
use node::outbox::{OutgoingCall, OutgoingReply};
use node::ports::{Reads, Recorded, Store, Write};
use node::prefecture::Prefecture;
use store::ModelStore;
use wire::{NodeId, Role};

use super::SwarmError;
use super::check::Speaker;
use super::country::{Country, Place, Site};
use super::keys::node_key;

/// Who waits for a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Caller {
    Node { place: Place, incarnation: u32, call: u64 },
    Terminal { place: Place, call: u64 },
    Register { place: Place, call: u64 },
}

impl Caller {
    pub(super) fn place(self) -> Place {
        match self {
            Self::Node { place, .. }
            | Self::Terminal { place, .. }
            | Self::Register { place, .. } => place,
        }
    }

    pub(super) fn role(self, site: &Site) -> Role {
        match self {
            Self::Node { .. } => site.role,
            Self::Terminal { .. } => Role::Terminal,
            Self::Register { .. } => Role::Feed,
        }
    }

    /// Who speaks, for the checkers.
    pub(super) fn speaker(self) -> Speaker {
        match self {
            Self::Node { .. } => Speaker::Node,
            Self::Terminal { .. } => Speaker::Terminal,
            Self::Register { .. } => Speaker::Register,
        }
    }

    /// As the mutual authentication of the session would establish it.
    pub(super) fn peer(self, site: &Site) -> Option<Peer> {
        let node = match self {
            Self::Node { .. } => site.node.clone(),
            Self::Terminal { .. } => NodeId::parse(&format!("terminal-{}", site.node)).ok()?,
            Self::Register { .. } => NodeId::parse(&format!("feed-{}", site.node)).ok()?,
        };
        Some(Peer { node, role: self.role(site), organ: Some(site.organ) })
    }
}

/// Effects that wait for the commit of their group.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) open: bool,
    pub(super) replies: Vec<OutgoingReply>,
    pub(super) calls: Vec<OutgoingCall>,
    pub(super) recorded: Vec<Recorded>,
    /// Codes whose rows the group touches.
    pub(super) touched: BTreeSet<RecordCode>,
}

impl Group {
    pub(super) fn touch(&mut self, writes: &[Write]) {
        for write in writes {
            match write {
                Write::PutResident(held) => {
                    self.touched.insert(held.identity.code);
                }
                Write::ReplaceCode { previous, held } => {
                    self.touched.insert(*previous);
                    self.touched.insert(held.identity.code);
                }
                Write::AppendHistory { code, .. } => {
                    self.touched.insert(*code);
                }
                _ => {}
            }
        }
    }
}

/// A node that may crash and come back.
pub(super) struct Station {
    pub(super) store: ModelStore,
    pub(super) machine: Option<Box<dyn Machine>>,
    pub(super) incarnation: u32,
    pub(super) group: Group,
    pub(super) tickets: BTreeMap<u64, Caller>,
    pub(super) ticks: u64,
    /// How far this node's clock is ahead of the world's, or behind it.
    pub(super) skew_ms: i64,
    /// The latest that its clock showed.
    pub(super) latest: Timestamp,
}

impl std::fmt::Debug for Station {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Station({}, up: {})", self.incarnation, self.machine.is_some())
    }
}

impl Station {
    /// A node with its first directory, up and running.
    pub(super) fn new(
        country: &Country,
        place: Place,
        directory: Vec<u8>,
        skew_ms: i64,
    ) -> Result<Self, SwarmError> {
        let site = country.sites.get(place).ok_or(SwarmError::Country)?;
        let mut store = ModelStore::new(&site.origin);
        let first = [Write::PutDirectory(directory)];
        let kept = store.apply(&first, &[], &mut |_| ()).and_then(|_| store.commit());
        kept.map_err(|_| SwarmError::Country)?;
        let group = Group::default();
        let tickets = BTreeMap::new();
        let (machine, incarnation, ticks, latest) = (None, 0, 0, Timestamp(0));
        let mut station =
            Self { store, machine, incarnation, group, tickets, ticks, skew_ms, latest };
        station.start(country, place);
        Ok(station)
    }

    /// Start the machine from what the store kept.
    pub(super) fn start(&mut self, country: &Country, place: Place) {
        let Some(site) = country.sites.get(place) else { return };
        let identity = Identity {
            node: site.node.clone(),
            role: site.role,
            organ: Some(site.organ),
            directory_key: country.directory_key.public(),
            node_key: node_key(&site.node).map_or([0; 65], |key| key.public()),
            software: "jukilab".to_owned(),
        };
        let reads: &dyn Reads = self.store.reads();
        let machine: Box<dyn Machine> = match site.organ {
            Organ::Center => Box::new(Center::new(identity, reads)),
            Organ::Prefecture(code) => {
                Box::new(Prefecture::new(identity, code, NodeId::center(), reads))
            }
            Organ::Municipality(code) => {
                let prefecture = NodeId::prefecture(code.prefecture());
                Box::new(Municipality::new(identity, code, prefecture, reads))
            }
            Organ::Agency(_) => Box::new(Agency::new(identity, reads)),
        };
        self.machine = Some(machine);
        self.incarnation += 1;
    }

    /// The power fails. Gives the callers that will never hear from it.
    pub(super) fn crash(&mut self) -> (Vec<Caller>, Result<(), node::ports::StoreError>) {
        self.machine = None;
        self.group = Group::default();
        self.store.rollback();
        let lost = self.store.lose_unsynced();
        (std::mem::take(&mut self.tickets).into_values().collect(), lost)
    }

    pub(super) fn now(&self, world: Timestamp) -> Timestamp {
        Timestamp(world.0.saturating_add_signed(self.skew_ms))
    }
}
