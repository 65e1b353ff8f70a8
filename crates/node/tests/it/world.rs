//! The world that carries out what machines ask for: commit first, then receipts, then messages. It
//! can lose, double and hold back what travels, and take a node's power away.

use std::collections::{BTreeMap, VecDeque};
use std::sync::OnceLock;

use law::inquiry::Held;
use law::organ::Organ;
use law::time::Timestamp;
use ledger::entry::{Entry, EntryKind};
use ledger::receipt::Receipt;
use node::agency::Agency;
use node::center::Center;
use node::exchange::Exchange;
use node::machine::{CallFailure, Input, Machine, Peer, SignId, Ticket};
use node::member::Identity;
use node::municipality::Municipality;
use node::outbox::{OutgoingCall, OutgoingReply, Parts, SignRequest};
use node::ports::{NewEntry, Reads, Recorded, Store as _, Write};
use node::prefecture::Prefecture;
use store::{ModelStore, Publish as _};
use wire::{NodeId, Reply, Request, Role};

use crate::fixture::{self, LedgerKey, NOW, directory_key, id, signed_by};

/// Ticks that one step may ask for at once.
const AGAIN_COUNT_MAX: usize = 64;

/// What left a node in one step.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) replies: Vec<OutgoingReply>,
    pub(crate) calls: Vec<OutgoingCall>,
    pub(crate) signatures: Vec<SignRequest>,
    pub(crate) adopted: bool,
    pub(crate) broken: Option<String>,
    pub(crate) writes: usize,
}

/// One node: machine, store, name.
pub(crate) struct Node {
    pub(crate) peer: Peer,
    pub(crate) machine: Box<dyn Machine>,
    pub(crate) store: ModelStore,
    dice: u64,
}

fn identity_of(peer: &Peer) -> Identity {
    Identity {
        node: peer.node.clone(),
        role: peer.role,
        organ: peer.organ,
        directory_key: directory_key().public(),
        node_key: fixture::node_key(&peer.node).public(),
        software: "test/1".to_owned(),
    }
}

fn machine_of(peer: &Peer, reads: &dyn Reads) -> Box<dyn Machine> {
    let identity = identity_of(peer);
    match (peer.role, peer.organ) {
        (Role::Center, _) => Box::new(Center::new(identity, reads)),
        (Role::Agency, _) => Box::new(Agency::new(identity, reads)),
        (Role::Prefecture, Some(Organ::Prefecture(code))) => {
            Box::new(Prefecture::new(identity, code, NodeId::center(), reads))
        }
        (Role::Municipality, Some(Organ::Municipality(code))) => {
            let prefecture = NodeId::prefecture(code.prefecture());
            Box::new(Municipality::new(identity, code, prefecture, reads))
        }
        _ => Box::new(Exchange::new(identity, reads)),
    }
}

impl Node {
    pub(crate) fn new(peer: Peer, directory: Option<Vec<u8>>) -> Self {
        let mut store = ModelStore::new(&fixture::origin(&peer.node));
        if let Some(bytes) = directory {
            store.apply(&[Write::PutDirectory(bytes)], &[], &mut |_| {}).unwrap();
            store.commit().unwrap();
        }
        let machine = machine_of(&peer, store.reads());
        Self { peer, machine, store, dice: 1 }
    }

    /// The node of that name with the directory of the fixture.
    pub(crate) fn of(name: &str) -> Self {
        static SIGNED: OnceLock<Vec<u8>> = OnceLock::new();
        let signed =
            SIGNED.get_or_init(|| signed_by(&directory_key(), &fixture::directory(1, NOW)));
        Self::with(name, Some(signed.clone()))
    }

    pub(crate) fn with(name: &str, directory: Option<Vec<u8>>) -> Self {
        Self::new(peer(name), directory)
    }

    /// Power off and on: what was not committed is gone, and so is all that the machine knew.
    pub(crate) fn restart(&mut self) {
        self.store.lose_unsynced().unwrap();
        self.machine = machine_of(&self.peer, self.store.reads());
    }

    /// Put people into the register directly.
    pub(crate) fn hold(&mut self, people: &[Held]) {
        let writes: Vec<Write> = people.iter().cloned().map(Write::PutResident).collect();
        self.keep(&writes, &[]);
        self.store.commit().unwrap();
    }

    fn keep(&mut self, writes: &[Write], entries: &[NewEntry]) -> Vec<Recorded> {
        let dice = &mut self.dice;
        self.store.apply(writes, entries, &mut |bytes| throw(dice, bytes)).unwrap()
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        throw(&mut self.dice, bytes);
    }

    /// One input, its effects applied and not committed: what leaves before any receipt.
    pub(crate) fn raw(&mut self, now: Timestamp, input: Input) -> (Parts, Vec<Recorded>) {
        let parts = self.machine.handle(now, input, self.store.reads()).into_parts();
        let recorded = self.keep(&parts.writes, &parts.entries);
        (parts, recorded)
    }

    pub(crate) fn receipt(&self, at: &Recorded) -> Receipt {
        let Recorded { entry, first_index, count } = *at;
        Receipt::assert_durable(entry, self.store.origin(), first_index, count)
    }

    /// One input and everything that follows from it here: commits, receipts, ticks at once.
    pub(crate) fn step(&mut self, now: Timestamp, input: Input) -> Sent {
        let mut sent = Sent::default();
        let mut inputs = VecDeque::from([input]);
        let mut again = 0;
        while let Some(input) = inputs.pop_front() {
            let (parts, recorded) = self.raw(now, input);
            self.store.commit().unwrap();
            sent.writes += parts.writes.len();
            sent.replies.extend(parts.replies);
            sent.calls.extend(parts.calls);
            sent.signatures.extend(parts.signatures);
            sent.adopted |= parts.adopted.is_some();
            if parts.broken.is_some() {
                sent.broken = parts.broken;
                return sent;
            }
            for wanted in parts.draws {
                let mut bytes = vec![0; wanted.bytes];
                self.fill(&mut bytes);
                inputs.push_back(Input::Drawn { draw: wanted.draw, bytes });
            }
            inputs.extend(recorded.iter().map(|at| Input::Recorded(self.receipt(at))));
            if parts.again && again < AGAIN_COUNT_MAX {
                again += 1;
                inputs.push_back(Input::Tick);
            }
        }
        sent
    }

    /// A request and the reply to it.
    pub(crate) fn ask(&mut self, now: Timestamp, from: &Peer, request: Request) -> Reply {
        let ticket = Ticket(77);
        let sent = self.step(now, Input::Request { from: from.clone(), ticket, request });
        assert_eq!(sent.broken, None);
        let mut replies = sent.replies;
        assert_eq!(replies.len(), 1, "one request, one reply");
        let reply = replies.remove(0);
        assert_eq!(reply.ticket, ticket);
        reply.reply
    }

    pub(crate) fn tick(&mut self, now: Timestamp) -> Sent {
        self.step(now, Input::Tick)
    }

    pub(crate) fn publish(&mut self) {
        let key = LedgerKey::of(&self.peer.node);
        self.store.publish(&key).unwrap();
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        let open = self.store.entries_from(0, 100_000).unwrap();
        open.iter().map(|open| Entry::parse(&open.entry).unwrap()).collect()
    }

    pub(crate) fn entries_of(&self, kind: EntryKind) -> Vec<Entry> {
        self.entries().into_iter().filter(|entry| entry.kind() == kind).collect()
    }
}

/// A node of the fixture as its peers see it.
pub(crate) fn peer(name: &str) -> Peer {
    let (node, role, organ) = fixture::nodes().into_iter().find(|node| node.0 == id(name)).unwrap();
    Peer { node, role, organ }
}

/// A terminal in the office of an organ.
pub(crate) fn terminal(organ: Organ) -> Peer {
    Peer { node: id("terminal-1"), role: Role::Terminal, organ: Some(organ) }
}

/// What becomes of a message on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Arrives,
    Lost,
    /// It arrives, and the sender never learns of it.
    ReplyLost,
    Twice,
}

/// Decides about each message: who sends it, and what it is.
pub(crate) type Way = Box<dyn FnMut(&NodeId, &OutgoingCall) -> Fate>;

/// Nodes and the way between them.
pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) nodes: BTreeMap<NodeId, Node>,
    pub(crate) fate: Way,
    /// Every call that was made: from, to, kind.
    pub(crate) said: Vec<(NodeId, NodeId, wire::MessageKind)>,
    tickets: u64,
}

impl World {
    pub(crate) fn new() -> Self {
        let nodes = fixture::nodes().into_iter().map(|(id, _, _)| {
            let node = Node::of(id.as_str());
            (id, node)
        });
        Self {
            now: NOW,
            nodes: nodes.collect(),
            fate: Box::new(|_, _| Fate::Arrives),
            said: Vec::new(),
            tickets: 1,
        }
    }

    pub(crate) fn node(&mut self, name: &str) -> &mut Node {
        self.nodes.get_mut(&id(name)).unwrap()
    }

    /// Let `rounds` tenths of a second pass.
    pub(crate) fn run(&mut self, rounds: usize) {
        for _ in 0..rounds {
            self.now = self.now.plus_ms(100);
            let names: Vec<NodeId> = self.nodes.keys().cloned().collect();
            for name in names {
                let node = self.nodes.get_mut(&name).unwrap();
                let sent = node.tick(self.now);
                node.publish();
                self.carry(&name, sent);
            }
        }
    }

    /// Give one node an input and let everything it causes happen; replies to `ticket` come back.
    pub(crate) fn put(&mut self, name: &str, input: Input) -> Vec<OutgoingReply> {
        let name = id(name);
        let sent = self.nodes.get_mut(&name).unwrap().step(self.now, input);
        self.carry(&name, sent)
    }

    /// A request from outside the country (a terminal, a register system) and its reply, which may
    /// come only after other nodes were asked.
    pub(crate) fn ask(&mut self, to: &str, from: &Peer, request: Request) -> Reply {
        self.tickets += 1;
        let ticket = Ticket(1_000_000 + self.tickets);
        let replies = self.put(to, Input::Request { from: from.clone(), ticket, request });
        let mut ours = replies.into_iter().filter(|reply| reply.ticket == ticket);
        let reply = ours.next().expect("a reply").reply;
        assert!(ours.next().is_none(), "one reply");
        reply
    }

    fn carry(&mut self, from: &NodeId, sent: Sent) -> Vec<OutgoingReply> {
        assert_eq!(sent.broken, None, "{from} stopped");
        let mut replies = sent.replies;
        for request in sent.signatures {
            let key = match request.key {
                token::KeyName::Directory => directory_key(),
                _ => fixture::node_key(from),
            };
            let signature = Some(key.sign(&request.message));
            let SignId(number) = request.sign;
            let input = Input::Signed { sign: SignId(number), signature };
            let sent = self.nodes.get_mut(from).unwrap().step(self.now, input);
            replies.extend(self.carry(from, sent));
        }
        for call in sent.calls {
            self.said.push((from.clone(), call.to.clone(), call.request.kind()));
            let fate = (self.fate)(from, &call);
            let outcome = self.deliver(from, &call, fate);
            let input = Input::Reply { call: call.call, outcome };
            let sent = self.nodes.get_mut(from).unwrap().step(self.now, input);
            replies.extend(self.carry(from, sent));
        }
        replies
    }

    fn deliver(
        &mut self,
        from: &NodeId,
        call: &OutgoingCall,
        fate: Fate,
    ) -> Result<Reply, CallFailure> {
        if fate == Fate::Lost || !self.nodes.contains_key(&call.to) {
            return Err(CallFailure::NotReachable);
        }
        let times = if fate == Fate::Twice { 2 } else { 1 };
        let mut reply = None;
        for _ in 0..times {
            self.tickets += 1;
            let ticket = Ticket(self.tickets);
            let peer = self.nodes[from].peer.clone();
            let request = call.request.clone();
            let input = Input::Request { from: peer, ticket, request };
            let sent = self.nodes.get_mut(&call.to).unwrap().step(self.now, input);
            let replies = self.carry(&call.to.clone(), sent);
            reply = replies.into_iter().find(|reply| reply.ticket == ticket).map(|r| r.reply);
        }
        match (fate, reply) {
            (Fate::ReplyLost, _) | (_, None) => Err(CallFailure::Timeout),
            (_, Some(reply)) => Ok(reply),
        }
    }
}

/// Bytes that are the same in every run.
fn throw(dice: &mut u64, bytes: &mut [u8]) {
    for byte in bytes {
        *dice ^= *dice << 13;
        *dice ^= *dice >> 7;
        *dice ^= *dice << 17;
        *byte = u8::try_from(*dice & 0xFF).unwrap();
    }
}
