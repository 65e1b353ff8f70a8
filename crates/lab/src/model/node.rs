//! One real machine on a store in memory, brought to where it is by the inputs it got: machines
//! cannot be copied, so a state of one is the way to it.
//!
//! A step is one input, the commit of what it wrote, and what follows at once from that. Only the
//! signature is apart: power may fail between the record and it.

use std::collections::{BTreeMap, VecDeque};

use law::organ::Organ;
use law::time::Timestamp;
use ledger::receipt::Receipt;
use node::center::Center;
use node::machine::{CallId, Input as NodeInput, Machine, Peer, SignId, Ticket};
use node::member::Identity;
use node::municipality::Municipality;
use node::outbox::{OutgoingCall, OutgoingReply, SignRequest};
use node::ports::{Counter, Space, Store as _, Write};
use node::prefecture::Prefecture;
use store::ModelStore;
use token::KeyName;
use wire::{FeedBatch, NodeId, ReleaseBody, Reply, Request, Role};

use super::fault::Fault;
use super::scene::{self, Filing};
use crate::swarm::country::{CENTER, Country, Place};
use crate::swarm::keys::node_key;

/// What of a node's own a call is about: its notices, or the resident it claims.
pub(super) type Slot = u8;
pub(super) const NOTICES: Slot = 0;
pub(super) const CLAIM: Slot = 1;

/// 2026-11-22T00:00:00Z, nine in the morning in Japan.
pub(super) const START: Timestamp = Timestamp(1_795_305_600_000);
/// A tick stands for a long time: every call that is out is given up, every wait is over.
const TICK_MS: u64 = 310_000;
/// Issued so late that it is valid all day: the day is what the model looks at.
const DIRECTORY_AT: Timestamp = Timestamp(START.0 + 43_000_000);
/// Ticks that one step may ask for at once.
const AGAIN_COUNT_MAX: usize = 16;

/// What can happen to one node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Input {
    /// A long time passes.
    Tick,
    /// Power off and on.
    Crash,
    /// A row of the register system, by its number in the scene.
    File(usize),
    Ask {
        from: Place,
        said: u64,
    },
    Tell {
        slot: Slot,
        said: u64,
    },
    /// The token signed the release to this municipality.
    Sign {
        to: Place,
    },
}

/// What a node sends out in a step.
#[derive(Clone, Debug)]
pub(super) enum Sent {
    Ask {
        to: Place,
        slot: Slot,
        request: Request,
    },
    Tell {
        to: Place,
        reply: Reply,
    },
    /// A signature is asked of the token: the release to this municipality.
    Sign {
        to: Place,
    },
}

/// Messages by their number.
pub(super) trait Messages {
    fn request(&self, said: u64) -> Option<Request>;
    fn reply(&self, said: u64) -> Option<Reply>;
}

/// A node at work.
pub(super) struct Node<'a> {
    country: &'static Country,
    filings: &'a [Filing],
    fault: Option<Fault>,
    place: Place,
    store: ModelStore,
    machine: Box<dyn Machine>,
    now: Timestamp,
    salt: u8,
    calls: BTreeMap<Slot, CallId>,
    tickets: BTreeMap<u64, Place>,
    next_ticket: u64,
    signing: Vec<(Place, SignId, Vec<u8>)>,
    /// A signature was asked for before it was durable to whom.
    pub(super) unkept: bool,
    pub(super) broken: Option<String>,
}

impl<'a> Node<'a> {
    /// The node of a place as it stands in the morning.
    pub(super) fn new(
        country: &'static Country,
        filings: &'a [Filing],
        fault: Option<Fault>,
        place: Place,
    ) -> Option<Self> {
        let site = country.sites.get(place)?;
        let mut store = ModelStore::new(&site.origin);
        let directory = country.directory(DIRECTORY_AT, true, 0, None).ok()?;
        let mut first = vec![Write::PutDirectory(directory)];
        if [CENTER, 1, scene::A].contains(&place) {
            first.push(Write::PutResident(law::inquiry::Held {
                identity: scene::record(scene::A)?,
                change: Some(law::inquiry::LastChange {
                    reason: law::change::ChangeReason::EnteredExOfficio,
                    on: law::time::Date::parse("2021-01-01").ok()?,
                    foreign: false,
                }),
                removed: false,
            }));
        }
        store.apply(&first, &[], &mut |_| {}).and_then(|_| store.commit()).ok()?;
        let machine = machine_of(country, place, &store)?;
        Some(Self {
            country,
            filings,
            fault,
            place,
            store,
            machine,
            now: START,
            salt: 0,
            calls: BTreeMap::new(),
            tickets: BTreeMap::new(),
            next_ticket: 1,
            signing: Vec::new(),
            unkept: false,
            broken: None,
        })
    }

    pub(super) fn store(&self) -> &ModelStore {
        &self.store
    }

    /// Calls that are out, and signatures that are waited for: what of the volatile state tells.
    pub(super) fn under_way(&self) -> Vec<String> {
        let calls = self.calls.keys().map(|slot| format!("call {slot} is out"));
        let signing = self.signing.iter().map(|(to, ..)| format!("signing for {to}"));
        calls.chain(signing).collect()
    }

    /// One step.
    pub(super) fn step(&mut self, input: &Input, messages: &dyn Messages) -> Option<Vec<Sent>> {
        self.now = self.now.plus_ms(1);
        let input = match input {
            Input::Tick => {
                self.now = self.now.plus_ms(TICK_MS);
                self.calls.clear();
                self.signing.clear();
                NodeInput::Tick
            }
            Input::Crash => {
                self.store.lose_unsynced().ok()?;
                self.forget();
                self.machine = machine_of(self.country, self.place, &self.store)?;
                self.calls.clear();
                self.tickets.clear();
                self.signing.clear();
                return Some(Vec::new());
            }
            Input::File(nth) => {
                let rows = vec![self.filings.get(*nth)?.row.clone()];
                let from = self.peer(self.place, Role::Feed)?;
                let (ticket, request) = (Ticket(0), Request::Feed(FeedBatch { rows }));
                NodeInput::Request { from, ticket, request }
            }
            Input::Ask { from, said } => {
                let mut request = messages.request(*said)?;
                self.believe(&mut request);
                let ticket = Ticket(self.next_ticket);
                self.tickets.insert(self.next_ticket, *from);
                self.next_ticket += 1;
                let role = self.country.sites.get(*from)?.role;
                NodeInput::Request { from: self.peer(*from, role)?, ticket, request }
            }
            Input::Tell { slot, said } => {
                let Some(call) = self.calls.remove(slot) else { return Some(Vec::new()) };
                NodeInput::Reply { call, outcome: Ok(messages.reply(*said)?) }
            }
            Input::Sign { to } => {
                let Some(nth) = self.signing.iter().position(|(of, ..)| of == to) else {
                    return Some(Vec::new());
                };
                let (_, sign, message) = self.signing.remove(nth);
                let key = node_key(&self.country.sites.get(self.place)?.node)?;
                NodeInput::Signed { sign, signature: key.sign(&message) }
            }
        };
        self.run(input)
    }

    fn peer(&self, place: Place, role: Role) -> Option<Peer> {
        let site = self.country.sites.get(place)?;
        let node = match role {
            Role::Feed => NodeId::parse(&format!("feed-{}", site.node)).ok()?,
            _ => site.node.clone(),
        };
        Some(Peer { node, role, organ: Some(site.organ) })
    }

    fn run(&mut self, input: NodeInput) -> Option<Vec<Sent>> {
        let mut inputs = VecDeque::from([input]);
        let (mut sent, mut again) = (Vec::new(), 0);
        while let Some(input) = inputs.pop_front() {
            let parts = self.machine.handle(self.now, input, &self.store).into_parts();
            let mut writes = parts.writes;
            writes.retain(|write| !self.loses(write));
            let salt = &mut self.salt;
            let mut dice = |bytes: &mut [u8]| {
                *salt = salt.wrapping_add(1);
                bytes.fill(*salt);
            };
            let recorded = self.store.apply(&writes, &parts.entries, &mut dice).ok()?;
            self.store.commit().ok()?;
            if parts.broken.is_some() {
                self.broken = parts.broken;
                return Some(sent);
            }
            for OutgoingReply { ticket, reply } in parts.replies {
                if let Some(to) = self.tickets.remove(&ticket.0) {
                    sent.push(Sent::Tell { to, reply });
                }
            }
            for OutgoingCall { call, to, request, .. } in parts.calls {
                let slot = match request {
                    Request::Notices(_) => NOTICES,
                    Request::MoveClaim(_) => CLAIM,
                    _ => continue,
                };
                let to = self.country.sites.iter().position(|site| site.node == to)?;
                self.calls.insert(slot, call);
                sent.push(Sent::Ask { to, slot, request });
            }
            for wanted in parts.signatures {
                sent.extend(self.wanted(wanted));
            }
            let origin = self.store.origin().to_owned();
            inputs.extend(recorded.iter().map(|at| {
                let (entry, first, count) = (at.entry, at.first_index, at.count);
                NodeInput::Recorded(Receipt::assert_durable(entry, &origin, first, count))
            }));
            if parts.again && again < AGAIN_COUNT_MAX {
                again += 1;
                inputs.push_back(NodeInput::Tick);
            }
        }
        Some(sent)
    }

    /// The token of a municipality is asked for a release; the center's for a directory is not
    /// part of this.
    fn wanted(&mut self, SignRequest { sign, key, message }: SignRequest) -> Option<Sent> {
        if key != KeyName::Node {
            return None;
        }
        let prefix = wire::SignedRelease::signing_bytes(&[]).len();
        let body = ReleaseBody::decode(message.get(prefix..)?).ok()?;
        let kept =
            node::ports::Reads::fact(&self.store, Space::Departure, body.code.expose().as_bytes());
        let kept = kept.ok().flatten().and_then(|bytes| wire::Departure::decode(&bytes).ok());
        self.unkept |= kept.is_none_or(|kept| kept.to != body.to);
        let to = scene::place_of(&body.to)?;
        self.signing.push((to, sign, message));
        Some(Sent::Sign { to })
    }

    // ---- faults planted on purpose ----

    fn loses(&self, write: &Write) -> bool {
        match self.fault {
            Some(Fault::DepartureNotKept) => {
                matches!(write, Write::PutFact { space: Space::Departure, .. })
            }
            Some(Fault::CounterNotKept) => {
                let counter = matches!(write, Write::SetCounter(Counter::AppliedFrom(_), _));
                self.place == CENTER && counter
            }
            _ => false,
        }
    }

    /// [`Fault::OlderCopy`]: the power fails and the departures come back from an older copy.
    fn forget(&mut self) {
        if self.fault == Some(Fault::OlderCopy)
            && let Some(code) = scene::code()
        {
            let key = code.expose().as_bytes().to_vec();
            let lost = [Write::DropFact { space: Space::Departure, key }];
            let _ = self.store.apply(&lost, &[], &mut |_| {}).and_then(|_| self.store.commit());
        }
    }

    /// [`Fault::NoReleaseNeeded`]: what a center would do that takes a sender's word for it.
    fn believe(&self, request: &mut Request) {
        let (Some(Fault::NoReleaseNeeded), CENTER, Request::Notices(batch)) =
            (self.fault, self.place, request)
        else {
            return;
        };
        for row in &mut batch.notices {
            let to = scene::place_of(&row.municipality);
            if row.release.is_none() && row.notice.reason == law::change::ChangeReason::MovedIn {
                row.release = to.and_then(|to| scene::word(scene::A, to, scene::A, START));
            }
        }
    }
}

fn machine_of(country: &Country, place: Place, store: &ModelStore) -> Option<Box<dyn Machine>> {
    let site = country.sites.get(place)?;
    let identity = Identity {
        node: site.node.clone(),
        role: site.role,
        organ: Some(site.organ),
        directory_key: country.directory_key.public(),
        node_key: node_key(&site.node)?.public(),
        software: "jukilab".to_owned(),
    };
    Some(match site.organ {
        Organ::Center => Box::new(Center::new(identity, store)),
        Organ::Prefecture(code) => {
            Box::new(Prefecture::new(identity, code, NodeId::center(), store))
        }
        Organ::Municipality(code) => {
            let prefecture = NodeId::prefecture(code.prefecture());
            Box::new(Municipality::new(identity, code, prefecture, store))
        }
        Organ::Agency(_) => return None,
    })
}
