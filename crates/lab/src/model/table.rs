//! The machines as a table: from a state of one node and an input to its next state and what it
//! sends. Each row is filled once, by running the real machine along the way to that state; worlds
//! of many nodes are then combinations of rows.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use law::inquiry::Held;
use node::ports::{Counter, Reads, Space};
use wire::{NodeId, Reply, Request};

use super::fault::Fault;
use super::node::{Input, Messages, Node, Sent, Slot};
use super::scene::{self, Filing};
use super::words;
use crate::swarm::country::{Country, PLACES, Place};

/// What is to be seen of a node's state.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) held: Option<Held>,
    /// How often this node entered the resident: a release is good for one stay.
    pub(super) stays: usize,
    pub(super) aside: usize,
    /// Notices wait for the one before them.
    pub(super) early: bool,
    /// Notices wait for the tier above.
    pub(super) queued: bool,
    /// The last sequence applied of the cheat's queue.
    pub(super) applied_of_cheat: u64,
    pub(super) unkept: bool,
    pub(super) broken: Option<String>,
    /// All that makes a difference.
    pub(super) lines: Vec<String>,
}

/// A node's state: the way to it, and what is to be seen there.
#[derive(Debug)]
struct Row {
    way: Vec<Input>,
    view: Arc<View>,
}

/// Something on its way out, by the number of what is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Out {
    Ask { to: Place, slot: Slot, said: u64 },
    Tell { to: Place, said: u64 },
    Sign { to: Place },
}

/// A row's answer.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) next: u64,
    pub(super) out: Vec<Out>,
}

#[derive(Debug, Default)]
struct Rows {
    states: HashMap<(Place, u64), Arc<Row>>,
    steps: HashMap<(Place, u64, Input), Option<Arc<Step>>>,
    requests: HashMap<u64, Request>,
    replies: HashMap<u64, Reply>,
}

/// The table of one scene.
#[derive(Debug)]
pub(super) struct Table {
    country: &'static Country,
    filings: Vec<Filing>,
    fault: Option<Fault>,
    rows: RwLock<Rows>,
}

impl Messages for Table {
    fn request(&self, said: u64) -> Option<Request> {
        self.read().requests.get(&said).cloned()
    }

    fn reply(&self, said: u64) -> Option<Reply> {
        self.read().replies.get(&said).cloned()
    }
}

impl Table {
    pub(super) fn new(
        country: &'static Country,
        filings: Vec<Filing>,
        fault: Option<Fault>,
    ) -> Self {
        Self { country, filings, fault, rows: RwLock::default() }
    }

    pub(super) fn filings(&self) -> &[Filing] {
        &self.filings
    }

    /// Rows filled so far: states of single nodes, steps of single nodes.
    pub(super) fn size(&self) -> (usize, usize) {
        let rows = self.read();
        (rows.states.len(), rows.steps.len())
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Rows> {
        self.rows.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Rows> {
        self.rows.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state of a node in the morning.
    pub(super) fn first(&self, place: Place) -> Option<u64> {
        let node = Node::new(self.country, &self.filings, self.fault, place)?;
        self.enter(place, &node, Vec::new())
    }

    pub(super) fn view(&self, place: Place, state: u64) -> Option<Arc<View>> {
        self.read().states.get(&(place, state)).map(|row| Arc::clone(&row.view))
    }

    /// A message that no machine of ours made.
    pub(super) fn hear(&self, request: Request) -> Option<u64> {
        let said = words::key_of(&words::request(&request)?);
        self.write().requests.entry(said).or_insert(request);
        Some(said)
    }

    /// What the node does; `None` is a broken model.
    pub(super) fn step(&self, place: Place, state: u64, input: &Input) -> Option<Arc<Step>> {
        let place_of_row = (place, state, input.clone());
        if let Some(step) = self.read().steps.get(&place_of_row) {
            return step.clone();
        }
        let step = self.fill(place, state, input).map(Arc::new);
        self.write().steps.insert(place_of_row, step.clone());
        step
    }

    fn fill(&self, place: Place, state: u64, input: &Input) -> Option<Step> {
        let row = Arc::clone(self.read().states.get(&(place, state))?);
        let mut node = Node::new(self.country, &self.filings, self.fault, place)?;
        for earlier in &row.way {
            node.step(earlier, self)?;
        }
        let sent = node.step(input, self)?;
        let mut out = Vec::new();
        for one in sent {
            match one {
                Sent::Ask { to, slot, request } => {
                    let said = self.hear(request)?;
                    out.push(Out::Ask { to, slot, said });
                }
                Sent::Tell { to, reply } => {
                    if let Some(text) = words::reply(&reply) {
                        let said = words::key_of(&text);
                        self.write().replies.entry(said).or_insert(reply);
                        out.push(Out::Tell { to, said });
                    }
                }
                Sent::Sign { to } => out.push(Out::Sign { to }),
            }
        }
        let way = row.way.iter().cloned().chain([input.clone()]).collect();
        let next = self.enter(place, &node, way)?;
        Some(Step { next, out })
    }

    fn enter(&self, place: Place, node: &Node<'_>, way: Vec<Input>) -> Option<u64> {
        let view = view(place, node)?;
        let state = words::key_of(&view.lines);
        let row = Row { way, view: Arc::new(view) };
        self.write().states.entry((place, state)).or_insert_with(|| Arc::new(row));
        Some(state)
    }
}

fn view(place: Place, node: &Node<'_>) -> Option<View> {
    let reads: &dyn Reads = node.store();
    let code = scene::code()?;
    let key = code.expose().as_bytes();
    let municipality = place >= scene::A;
    let mut lines = words::kept(reads, municipality)?;
    lines.extend(node.under_way());
    lines.extend(node.broken.clone());
    lines.extend(node.unkept.then(|| "signed before it was kept".to_owned()));
    let held = reads.resident(&code).ok()?;
    let own = scene::town(place);
    let entered = |held: &Held| {
        let entry =
            |c: &law::inquiry::LastChange| c.reason.kind() == law::change::ChangeKind::Entry;
        Some(held.identity.municipality) == own && held.change.as_ref().is_some_and(entry)
    };
    let history = reads.history(&code, 64).ok()?;
    let before = history.iter().filter(|row| entered(&row.before)).count();
    let mut queued = false;
    for (node, _) in PLACES.iter().take(3) {
        let (acknowledged, last) = reads.queue_bounds(&NodeId::parse(node).ok()?).ok()?;
        queued |= acknowledged < last;
    }
    let cheat = NodeId::parse(PLACES.get(scene::CHEAT)?.0).ok()?;
    let arrival = reads.fact(Space::Arrival, key).ok()?.is_some();
    Some(View {
        stays: before + usize::from(held.as_ref().is_some_and(entered)),
        held,
        aside: reads.facts(Space::SetAside, None, 64).ok()?.len(),
        early: arrival && !municipality,
        queued,
        applied_of_cheat: reads.counter(&Counter::AppliedFrom(cheat)).ok()?,
        unkept: node.unkept,
        broken: node.broken.clone(),
        lines,
    })
}
