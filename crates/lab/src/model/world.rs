//! The world that the checker walks through: one state of each node, what is on its way, and what
//! has been released. Machines answer through the [`Table`]; the network here loses by never
//! delivering, doubles, and delivers in any order.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use stateright::{Model, Property};
use wire::{NoticeBatch, Request};

use super::fault::Fault;
use super::node::{CLAIM, Input, NOTICES, START, Slot};
use super::scene::{self, CHEAT, CHEATS_PREFECTURE, Scene, Trick};
use super::table::{Out, Table, View};
use super::words;
use crate::swarm::country::{CENTER, Place, country};

/// Places with a machine of ours, the center first.
const NODES_COUNT: usize = 6;
/// Notices that the cheat sends.
const CHEATS_COUNT_MAX: u64 = 2;
/// Rounds of fair delivery in which everything must come to rest.
const ROUNDS_COUNT_MAX: usize = 24;
/// Deliveries within one round.
const DELIVERIES_COUNT_MAX: usize = 400;

/// Something on its way. A world holds each at most once: twice the same is what doubling is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Flight {
    /// `live`: somebody still waits for the reply.
    Ask {
        from: Place,
        to: Place,
        slot: Slot,
        live: bool,
        said: u64,
    },
    Tell {
        from: Place,
        to: Place,
        slot: Slot,
        said: u64,
    },
    /// The token of `at` is to sign the release to `to`.
    Sign {
        at: Place,
        to: Place,
        live: bool,
    },
}

/// One world.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub(super) nodes: [u64; NODES_COUNT],
    pub(super) flights: Vec<Flight>,
    crashes: u8,
    doubles: u8,
    /// What the cheat's claim brought it.
    brought: Option<u64>,
    /// From whom, in which of the resident's stays there, to whom.
    released: Vec<(Place, usize, Place)>,
}

/// What can happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    File(usize),
    Tick(Place),
    /// The flight of this number arrives.
    Arrive(usize),
    /// It arrives, and will once more.
    Double(usize),
    Crash(Place),
    Cheat(usize),
}

/// The model of one scene.
#[derive(Debug)]
pub struct Moves {
    pub(super) table: Table,
    pub(super) scene: Scene,
    places: Vec<Place>,
    crashes: u8,
    doubles: u8,
    /// Verdicts about worlds at rest, by what they were when nothing was on its way.
    rests: Mutex<HashMap<u64, bool>>,
}

impl Moves {
    /// `None`: the simulator's own data is broken.
    pub fn new(scene: Scene, crashes: u8, doubles: u8, fault: Option<Fault>) -> Option<Self> {
        let table = Table::new(country().ok()?, scene::filings(scene)?, fault);
        let places = [CENTER, 1, 2].into_iter().chain(scene.municipalities().iter().copied());
        let places = places.collect();
        Some(Self { table, scene, places, crashes, doubles, rests: Mutex::default() })
    }

    /// States and steps of single nodes that were run for real.
    #[must_use]
    pub fn table_size(&self) -> (usize, usize) {
        self.table.size()
    }

    fn view(&self, state: &State, place: Place) -> Option<std::sync::Arc<View>> {
        self.table.view(place, *state.nodes.get(place)?)
    }

    /// One input to one node; `live`: whoever asked still waits.
    fn put(&self, state: &mut State, place: Place, input: &Input, live: bool) -> Option<()> {
        let step = self.table.step(place, *state.nodes.get(place)?, input)?;
        *state.nodes.get_mut(place)? = step.next;
        for out in &step.out {
            match *out {
                Out::Ask { to, slot, said } => {
                    silence(&mut state.flights, place, Some(slot));
                    add(state, Flight::Ask { from: place, to, slot, live: true, said });
                }
                Out::Tell { to, said } if live => {
                    if to == CHEAT {
                        state.brought = Some(said);
                    } else {
                        let slot =
                            if to >= scene::A && place >= scene::A { CLAIM } else { NOTICES };
                        add(state, Flight::Tell { from: place, to, slot, said });
                    }
                }
                Out::Tell { .. } => {}
                Out::Sign { to } => {
                    add(state, Flight::Sign { at: place, to, live });
                    let stay = self.view(state, place)?.stays;
                    let release = (place, stay, to);
                    if !state.released.contains(&release) {
                        state.released.push(release);
                        state.released.sort_unstable();
                    }
                }
            }
        }
        Some(())
    }

    fn arrive(&self, state: &mut State, flight: Flight) -> Option<()> {
        match flight {
            Flight::Ask { from, to, live, said, .. } => {
                self.put(state, to, &Input::Ask { from, said }, live)
            }
            Flight::Tell { to, slot, said, .. } => {
                self.put(state, to, &Input::Tell { slot, said }, false)
            }
            Flight::Sign { at, to, live } => self.put(state, at, &Input::Sign { to }, live),
        }
    }

    fn tick(&self, state: &mut State, place: Place) -> Option<()> {
        // Who waited for a reply or a signature waits no longer.
        silence(&mut state.flights, place, None);
        state.flights.retain(|flight| !matches!(flight, Flight::Sign { at, .. } if *at == place));
        self.put(state, place, &Input::Tick, false)
    }

    fn cheat(&self, state: &mut State, trick: Trick) -> Option<()> {
        if trick == Trick::Claim {
            let said = self.table.hear(Request::MoveClaim(scene::claim()?))?;
            let (from, to, slot) = (CHEAT, scene::A, CLAIM);
            add(state, Flight::Ask { from, to, slot, live: true, said });
            return Some(());
        }
        let brought =
            state.brought.and_then(|said| match super::node::Messages::reply(&self.table, said)? {
                wire::Reply::MoveReleased(release) => Some(release),
                _ => None,
            });
        let applied = self.view(state, CHEATS_PREFECTURE)?.applied_of_cheat;
        if applied >= CHEATS_COUNT_MAX {
            return None;
        }
        let sequence = applied.saturating_add(1);
        let row = scene::cheats_notice(trick, sequence, brought.as_ref(), START)?;
        let batch = NoticeBatch { first_sequence: sequence, notices: vec![row] };
        let said = self.table.hear(Request::Notices(batch))?;
        let input = Input::Ask { from: CHEAT, said };
        self.put(state, CHEATS_PREFECTURE, &input, false)
    }

    /// Everything arrives, then long times pass, until nothing changes any more.
    pub(super) fn calm(&self, state: &State) -> Option<State> {
        let mut state = state.clone();
        self.drain(&mut state)?;
        for _ in 0..ROUNDS_COUNT_MAX {
            let before = state.clone();
            for place in &self.places {
                if *place != CENTER {
                    self.tick(&mut state, *place)?;
                }
            }
            self.drain(&mut state)?;
            if state == before {
                return Some(state);
            }
        }
        None
    }

    fn drain(&self, state: &mut State) -> Option<()> {
        for _ in 0..DELIVERIES_COUNT_MAX {
            if state.flights.is_empty() {
                return Some(());
            }
            let flight = state.flights.remove(0);
            self.arrive(state, flight)?;
        }
        None
    }

    /// From here, once everything arrives, all tiers come to agree, and nothing waits.
    fn comes_to_agree(&self, state: &State) -> bool {
        let mut drained = state.clone();
        if self.drain(&mut drained).is_none() {
            return false;
        }
        let key = words::key_of(&drained);
        if let Some(known) = self.known(key) {
            return known;
        }
        let agrees = self.calm(&drained).is_some_and(|rest| self.agrees(&rest));
        self.rests.lock().unwrap_or_else(PoisonError::into_inner).insert(key, agrees);
        agrees
    }

    fn known(&self, key: u64) -> Option<bool> {
        self.rests.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied()
    }

    /// At rest: where the resident stands, or that the resident is on the way, is known alike.
    fn agrees(&self, state: &State) -> bool {
        let stands = self.stands(state);
        let cheated = self.scene == Scene::Cheat;
        // A prefecture believes its own municipality about somebody it never heard of. The center
        // does not, but what others say of that resident waits at this prefecture from then on.
        let misled = self.view(state, CHEATS_PREFECTURE).is_some_and(|view| {
            let current = view.held.as_ref().filter(|held| !held.removed);
            current.and_then(|held| scene::place_of(&held.identity.municipality)) == Some(CHEAT)
        });
        if cheated && misled {
            return true;
        }
        for place in &self.places {
            let Some(view) = self.view(state, *place) else { return false };
            let current = view.held.as_ref().filter(|held| !held.removed);
            let current = current.and_then(|held| scene::place_of(&held.identity.municipality));
            let area = |at: &Place| *place == CENTER || prefecture_of(*at) == *place;
            let tier = *place < scene::A;
            // Released to the cheat by right: then it stands there, where no machine of ours runs.
            let released = cheated && current == Some(CHEAT);
            if tier && !released && current != stands.first().copied().filter(area) {
                return false;
            }
            if view.queued || (view.early && !cheated) {
                return false;
            }
        }
        true
    }

    /// Municipalities that hold the resident as current.
    fn stands(&self, state: &State) -> Vec<Place> {
        let current = |place: &Place| {
            let view = self.view(state, *place);
            view.is_some_and(|view| view.held.as_ref().is_some_and(|held| !held.removed))
        };
        self.scene.municipalities().iter().copied().filter(current).collect()
    }

    fn one_place_at_most(&self, state: &State) -> bool {
        self.stands(state).len() <= 1
    }

    /// In no register: then a moving-out is recorded somewhere.
    fn nobody_vanishes(&self, state: &State) -> bool {
        let left = |place: &Place| {
            self.view(state, *place).is_some_and(|view| {
                let held = view.held.as_ref().filter(|held| held.removed);
                held.and_then(|held| held.change).is_some_and(|c| c.reason.is_moving_out())
            })
        };
        !self.stands(state).is_empty() || self.scene.municipalities().iter().any(left)
    }

    fn one_release(&self, state: &State) -> bool {
        let pairs = state.released.iter().zip(state.released.iter().skip(1));
        let kept = |place: &Place| self.view(state, *place).is_some_and(|view| !view.unkept);
        pairs.into_iter().all(|(a, b)| (a.0, a.1) != (b.0, b.1))
            && self.scene.municipalities().iter().all(kept)
    }

    /// The tiers above believe nobody whom nobody released.
    fn no_entry_without_release(&self, state: &State) -> bool {
        [CENTER, 1].iter().all(|tier| {
            let Some(view) = self.view(state, *tier) else { return false };
            let current = view.held.as_ref().filter(|held| !held.removed);
            let at = current.and_then(|held| scene::place_of(&held.identity.municipality));
            at.is_none_or(|at| at == scene::A || state.released.iter().any(|(_, _, to)| *to == at))
        })
    }

    fn nothing_set_aside(&self, state: &State) -> bool {
        self.scene == Scene::Cheat
            || self
                .places
                .iter()
                .all(|place| self.view(state, *place).is_some_and(|view| view.aside == 0))
    }

    fn nobody_stops(&self, state: &State) -> bool {
        self.places
            .iter()
            .all(|place| self.view(state, *place).is_some_and(|view| view.broken.is_none()))
    }
}

const fn prefecture_of(place: Place) -> Place {
    if place == scene::A || place == scene::C { 1 } else { 2 }
}

fn add(state: &mut State, flight: Flight) {
    if let Flight::Ask { from, to, slot, said, .. } = flight {
        let same = |f: &Flight| {
            matches!(f, Flight::Ask { from: a, to: b, slot: c, said: d, .. }
                if (*a, *b, *c, *d) == (from, to, slot, said))
        };
        state.flights.retain(|f| !same(f));
    }
    if let Err(place) = state.flights.binary_search(&flight) {
        state.flights.insert(place, flight);
    }
}

/// Nobody at `place` waits for replies in this slot (in any slot) any more. One message that
/// nobody waits for may still arrive; older ones are lost.
fn silence(flights: &mut Vec<Flight>, place: Place, only: Option<Slot>) {
    let about = |slot: Slot| only.is_none_or(|only| only == slot);
    flights.retain(|flight| match flight {
        Flight::Tell { to, slot, .. } => *to != place || !about(*slot),
        Flight::Ask { from, slot, live, .. } => *from != place || !about(*slot) || *live,
        Flight::Sign { .. } => true,
    });
    for flight in flights.iter_mut() {
        match flight {
            Flight::Ask { from, slot, live, .. } if *from == place && about(*slot) => *live = false,
            Flight::Sign { to, live, .. } if *to == place && about(CLAIM) => *live = false,
            _ => {}
        }
    }
    flights.sort_unstable();
    flights.dedup();
}

impl Model for Moves {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut nodes = [0; NODES_COUNT];
        for place in &self.places {
            let first = self.table.first(*place);
            if let (Some(node), Some(first)) = (nodes.get_mut(*place), first) {
                *node = first;
            }
        }
        let (flights, released) = (Vec::new(), Vec::new());
        vec![State { nodes, flights, crashes: 0, doubles: 0, brought: None, released }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        actions.extend((0..state.flights.len()).map(Action::Arrive));
        actions.extend((0..self.table.filings().len()).map(Action::File));
        actions.extend(self.places.iter().copied().filter(|p| *p != CENTER).map(Action::Tick));
        if self.scene == Scene::Cheat {
            actions.extend((0..Trick::ALL.len()).map(Action::Cheat));
        }
        if state.doubles < self.doubles {
            actions.extend((0..state.flights.len()).map(Action::Double));
        }
        if state.crashes < self.crashes {
            actions.extend(self.places.iter().copied().map(Action::Crash));
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::File(nth) => {
                let at = self.table.filings().get(nth)?.at;
                self.put(&mut state, at, &Input::File(nth), false)?;
            }
            Action::Tick(place) => self.tick(&mut state, place)?,
            Action::Arrive(nth) => {
                let flight = state.flights.remove(nth);
                self.arrive(&mut state, flight)?;
            }
            Action::Double(nth) => {
                state.doubles += 1;
                let flight = *state.flights.get(nth)?;
                self.arrive(&mut state, flight)?;
            }
            Action::Crash(place) => {
                state.crashes += 1;
                silence(&mut state.flights, place, None);
                let signs = |f: &Flight| matches!(f, Flight::Sign { at, .. } if *at == place);
                state.flights.retain(|flight| !signs(flight));
                self.put(&mut state, place, &Input::Crash, false)?;
            }
            Action::Cheat(nth) => self.cheat(&mut state, *Trick::ALL.get(nth)?)?,
        }
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("current in one municipality at most", Self::one_place_at_most),
            Property::always("in a register, or moved out", Self::nobody_vanishes),
            Property::always("released to one municipality", Self::one_release),
            Property::always("no entry without a release", Self::no_entry_without_release),
            Property::always("no honest notice is set aside", Self::nothing_set_aside),
            Property::always("no node stops", Self::nobody_stops),
            Property::always("all tiers come to agree", Self::comes_to_agree),
        ]
    }
}
