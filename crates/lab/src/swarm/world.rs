//! The world of one seed: the clock, the queue of events, and what each event does.

use std::collections::{BTreeMap, BTreeSet};

use law::time::Timestamp;
use node::machine::{CallFailure, DrawId, Input, SignId};
use node::ports::{Reads, Store};
use node::terminal::{Prepared, Terminal};
use wire::{Reply, Request};

use super::check::{self, Checker, Violation, at_rest};
use super::country::{
    CARD_AFFAIRS_COUNT, CENTER, Country, MUNICIPALITIES, PREFECTURES, Place, country,
};
use super::faults::Faults;
use super::habits::Trying;
use super::hostile::{area_of, touched_by};
use super::nation::Nation;
use super::network::Network;
use super::plant::Plant;
use super::station::{Caller, Station};
use super::trace::Trace;
use super::{Options, Outcome, SwarmError};
use crate::draw::{Draw, SeedLabel};

const SEED_LABEL: SeedLabel = *b"jukinet swarm/1\0\0\0\0\0\0\0\0\0";

/// 2026-11-22T00:00:00Z.
pub(super) const START: Timestamp = Timestamp(1_795_305_600_000);

/// How often a machine is told that time passes; below `node::machine::TICK_MS_MAX`.
const TICK_EVERY_MS: u64 = 200;

/// After the storm, the network must be at rest within this time.
/// A claim that was refused for long is repeated after up to five minutes.
const REST_WITHIN_MS: u64 = 420_000;

/// When a tier goes out, and for how long: 72 hours.
pub(super) const OUTAGE_AFTER_MS: u64 = 4_000;
pub(super) const OUTAGE_MS: u64 = 72 * 3_600_000;

/// Meanwhile everybody acts so much more rarely, and time is told so often.
const SLOWER_TIMES: u64 = 3_000;
const TICK_SLOW_MS: u64 = 300_000;

/// It is at rest when it has looked so for this long.
const REST_FOR_MS: u64 = 4_000;

/// Who is cut off in some worlds: the second agency, whose silence nobody waits for.
const ISOLATED: Place = 8;

/// The most a node's clock is ahead of another's where no clock is wrong.
const SKEW_MS_MAX: u32 = 1_500;

/// How far a clock is off: a little, or up to `wrong_ms` either way.
pub(super) fn skew(wrong_ms: u32, draw: &mut Draw) -> i64 {
    let ahead = i64::from(draw.below(SKEW_MS_MAX));
    let (wrong, back) = (i64::from(draw.below(wrong_ms)), draw.permille(500));
    ahead + if back { -wrong } else { wrong }
}

#[derive(Debug)]
pub(super) enum Event {
    Tick {
        place: Place,
        incarnation: u32,
    },
    Commit {
        place: Place,
        incarnation: u32,
    },
    Signed {
        place: Place,
        incarnation: u32,
        sign: SignId,
        signature: Option<[u8; 64]>,
    },
    Drawn {
        place: Place,
        incarnation: u32,
        draw: DrawId,
        bytes: Vec<u8>,
    },
    Request {
        to: Place,
        caller: Caller,
        request: Request,
    },
    Reply {
        caller: Caller,
        outcome: Result<Reply, CallFailure>,
    },
    Timeout(Caller),
    Crash(Place),
    Restart(Place),
    Part,
    Join,
    /// An operator or a register does something.
    Act,
    /// A register tells its server what is waiting.
    Feed(Place),
    /// What is not true is filed, or filed once more.
    Err(usize),
    /// A tier goes out for three days.
    Outage(Place),
    /// The hostile node says something.
    Attack,
    /// Somebody who was refused tries on.
    Try(Box<Trying>),
    /// A clock jumps.
    Jump,
    /// A message that was to be overtaken goes, whether or not another one went by.
    LetGo(Place, Place),
}

/// The seed's independent streams.
#[derive(Debug)]
pub(super) struct Draws {
    pub(super) network: Draw,
    pub(super) load: Draw,
    pub(super) faults: Draw,
    /// What the nodes take for entropy.
    pub(super) entropy: Draw,
    pub(super) hostile: Draw,
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) options: Options,
    /// What is bad about this world, all through it.
    pub(super) faults: Faults,
    pub(super) country: &'static Country,
    pub(super) now_ms: u64,
    queue: BTreeMap<(u64, u64), Event>,
    next_event: u64,
    pub(super) steps: u64,
    pub(super) stations: Vec<Station>,
    pub(super) terminals: BTreeMap<Place, Terminal>,
    pub(super) network: Network,
    pub(super) nation: Nation,
    pub(super) checker: Checker,
    pub(super) trace: Trace,
    pub(super) draws: Draws,
    /// Calls that no outcome has reached yet.
    pub(super) outstanding: BTreeSet<Caller>,
    pub(super) asking: BTreeMap<u64, (Prepared, Option<Trying>)>,
    pub(super) feeding: BTreeMap<u64, Vec<usize>>,
    /// Requests for a code of the pool that wait for their answer.
    pub(super) taking: BTreeSet<u64>,
    /// Wrong filings that wait for their answer.
    pub(super) erring: BTreeMap<u64, usize>,
    /// A tier is out for days: everybody takes their time.
    pub(super) slow: bool,
    pub(super) next_number: u64,
    pub(super) agreed: bool,
    /// Whom the directory calls isolated.
    pub(super) isolated: Option<Place>,
    pub(super) storm: bool,
    /// Persons of the last answer, for [`Plant::OtherAnswer`].
    pub(super) last_persons: Vec<law::inquiry::ProvidedPerson>,
    /// Requests that may be sent a second time.
    pub(super) overheard: Vec<(Place, Request)>,
    /// Messages that wait to be overtaken.
    pub(super) held: BTreeMap<(Place, Place), Event>,
    /// The directory that was last pushed to each place: it may come once more, late.
    pub(super) pushed: BTreeMap<Place, Request>,
}

impl World {
    pub(super) fn new(seed: u64, options: Options) -> Result<Self, SwarmError> {
        let country = country()?;
        let mut faults = Draw::new(SEED_LABEL, seed, 3);
        let mut load = Draw::new(SEED_LABEL, seed, 2);
        let drawn = options.faults(seed);
        let agreed = !faults.permille(200);
        let overreach = options.plant == Some(Plant::CardOverreach);
        let affairs = if overreach { 2 * CARD_AFFAIRS_COUNT } else { CARD_AFFAIRS_COUNT };
        let isolated = if faults.permille(150) { Some(ISOLATED) } else { None };
        let directory = country.directory(START, agreed, affairs, isolated)?;
        let mut stations = Vec::new();
        let mut terminals = BTreeMap::new();
        for (place, site) in country.sites.iter().enumerate() {
            let skew = skew(drawn.skew_ms, &mut faults);
            stations.push(Station::new(country, place, directory.clone(), skew)?);
            let name = wire::NodeId::parse(&format!("terminal-{}", site.node));
            let terminal = Terminal::new(name.map_err(|_| SwarmError::Country)?, site.organ);
            terminals.insert(place, terminal);
        }
        let mut nation = Nation::new(&mut load)?;
        nation.shunned = drawn.hostile.map(area_of).unwrap_or_default();
        nation.touched = drawn.hostile.map(touched_by).unwrap_or_default();
        let mut world = Self {
            options,
            faults: drawn,
            country,
            now_ms: 0,
            queue: BTreeMap::new(),
            next_event: 0,
            steps: 0,
            stations,
            terminals,
            network: Network::new(drawn),
            nation,
            checker: Checker::new(drawn.restless, agreed),
            trace: Trace::new(options.watch),
            draws: Draws {
                network: Draw::new(SEED_LABEL, seed, 1),
                load,
                faults,
                entropy: Draw::new(SEED_LABEL, seed, 4),
                hostile: Draw::new(SEED_LABEL, seed, 5),
            },
            outstanding: BTreeSet::new(),
            asking: BTreeMap::new(),
            feeding: BTreeMap::new(),
            taking: BTreeSet::new(),
            erring: BTreeMap::new(),
            slow: false,
            next_number: 0,
            agreed,
            isolated,
            pushed: BTreeMap::new(),
            storm: true,
            last_persons: Vec::new(),
            overheard: Vec::new(),
            held: BTreeMap::new(),
        };
        world.begin();
        Ok(world)
    }

    fn begin(&mut self) {
        for place in 0..self.stations.len() {
            let first = u64::from(self.draws.faults.below(200));
            self.at(first, Event::Tick { place, incarnation: 1 });
        }
        for place in MUNICIPALITIES {
            let first = u64::from(self.draws.faults.below(100));
            self.at(first, Event::Feed(place));
        }
        self.at(1_500, Event::Act);
        for kind in [Event::Crash(0), Event::Part, Event::Jump] {
            self.plan_fault(kind);
        }
        if let Some(place) = self.faults.hostile {
            self.checker.hostile = Some(place);
            self.checker.unsound.extend(self.nation.shunned.iter().copied().chain([place]));
            self.at(3_000, Event::Attack);
        }
        if let Some(place) = self.faults.outage {
            self.at(OUTAGE_AFTER_MS, Event::Outage(place));
        }
    }

    /// As long as `ms` is on most days; much longer while a tier is out for days.
    pub(super) fn pace(&self, ms: u64) -> u64 {
        if self.slow { ms * SLOWER_TIMES } else { ms }
    }

    /// Something happens `after_ms` from now.
    pub(super) fn at(&mut self, after_ms: u64, event: Event) {
        self.next_event += 1;
        self.queue.insert((self.now_ms + after_ms, self.next_event), event);
    }

    pub(super) fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// The storm, then the rest.
    pub(super) fn live(&mut self) -> Result<(), Violation> {
        let outage = self.faults.outage.map_or(0, |_| OUTAGE_AFTER_MS + OUTAGE_MS + 1);
        while self.steps < self.options.steps || self.now_ms < outage {
            self.step()?;
        }
        self.calm_down();
        let deadline = self.now_ms + REST_WITHIN_MS;
        let mut resting_since = None;
        while self.now_ms < deadline {
            self.step()?;
            if !self.rests() {
                resting_since = None;
            } else if self.now_ms - *resting_since.get_or_insert(self.now_ms) > REST_FOR_MS {
                let stations = &self.stations;
                let reads = |place: Place| stations.get(place).map(|s| s.store.reads());
                self.directories_are_the_centers()?;
                at_rest(&mut self.checker, &self.nation, &reads)?;
                // Where a hostile node speaks of its own residents, terms and differences are its
                // own.
                return if self.faults.hostile.is_some() { Ok(()) } else { self.afterwards() };
            }
        }
        Err(Violation::new("comes-to-rest", self.unrest()))
    }

    pub(super) fn step(&mut self) -> Result<(), Violation> {
        let Some(((at, _), event)) = self.queue.pop_first() else {
            return Err(Violation::new("comes-to-rest", "nothing is left to happen".to_owned()));
        };
        self.now_ms = at;
        self.steps += 1;
        self.happen(event)
    }

    fn happen(&mut self, event: Event) -> Result<(), Violation> {
        match event {
            Event::Tick { place, incarnation } => self.tick(place, incarnation),
            Event::Commit { place, incarnation } => self.commit(place, incarnation),
            Event::Signed { place, incarnation, sign, signature } => {
                if self.is_up(place, incarnation) {
                    self.hand(place, Input::Signed { sign, signature })?;
                }
                Ok(())
            }
            Event::Drawn { place, incarnation, draw, bytes } => {
                if self.is_up(place, incarnation) {
                    self.hand(place, Input::Drawn { draw, bytes })?;
                }
                Ok(())
            }
            Event::Request { to, caller, request } => self.requested(to, caller, request),
            Event::Reply { caller, outcome } => self.replied(caller, outcome),
            Event::Timeout(caller) => self.replied(caller, Err(CallFailure::Timeout)),
            Event::Crash(place) => self.crash(place),
            Event::Restart(place) => self.restart(place),
            Event::Part => {
                self.part();
                Ok(())
            }
            Event::Join => {
                self.join();
                Ok(())
            }
            Event::Attack => self.attack(),
            Event::Try(trying) => self.try_on(*trying),
            Event::Jump => {
                self.jump();
                Ok(())
            }
            Event::LetGo(from, to) => {
                self.let_go(from, to, 0);
                Ok(())
            }
            Event::Act => self.act(),
            Event::Err(nth) => self.file_wrong(nth),
            Event::Outage(place) => self.outage(place),
            Event::Feed(place) => self.feed(place),
        }
    }

    pub(super) fn is_up(&self, place: Place, incarnation: u32) -> bool {
        let station = self.stations.get(place);
        station.is_some_and(|s| s.machine.is_some() && s.incarnation == incarnation)
    }

    fn tick(&mut self, place: Place, incarnation: u32) -> Result<(), Violation> {
        if !self.is_up(place, incarnation) {
            return Ok(());
        }
        let every = if self.slow { TICK_SLOW_MS } else { TICK_EVERY_MS };
        self.at(every, Event::Tick { place, incarnation });
        self.publish(place)?;
        self.hand(place, Input::Tick)
    }

    fn queues(&self) -> Vec<(Place, Place)> {
        let up = MUNICIPALITIES.map(|place| (place, 1 + usize::from(place > 4)));
        let across = PREFECTURES.into_iter().flat_map(|p| [(p, CENTER), (CENTER, p)]);
        up.into_iter().chain(across).collect()
    }

    fn rests(&self) -> bool {
        let heard = |place: &Place| !self.nation.shunned.contains(place);
        let told = self.nation.registers.iter().filter(|(place, _)| heard(place));
        let told = told.into_iter().all(|(_, register)| register.waiting.is_empty());
        let answered = self.nation.wrong.iter().all(|wrong| wrong.answered);
        told && answered
            && self.asking.is_empty()
            && self.queues().into_iter().all(|(a, b)| self.is_hostile(a) || self.empty(a, b))
            && (CENTER..7).all(|place| self.arrived(place))
    }

    /// What this place sends is nobody's concern.
    fn is_hostile(&self, place: Place) -> bool {
        self.faults.hostile == Some(place) || self.nation.shunned.contains(&place)
    }

    /// Nobody is on the way into this place, but for those whom nobody will ever release.
    fn arrived(&self, place: Place) -> bool {
        let Some(station) = self.stations.get(place) else { return false };
        if self.nation.touched.contains(&place) {
            return true;
        }
        let waiting = check::on_the_way(station.store.reads());
        waiting.is_ok_and(|codes| codes.iter().all(|code| self.nation.lies_wrong(place, code)))
    }

    fn empty(&self, from: Place, to: Place) -> bool {
        let (Some(station), Some(site)) = (self.stations.get(from), self.country.sites.get(to))
        else {
            return false;
        };
        let reads: &dyn Reads = station.store.reads();
        station.machine.is_some()
            && reads.queue_bounds(&site.node).is_ok_and(|(sent, last)| sent == last)
    }

    fn unrest(&self) -> String {
        let queues: Vec<_> =
            self.queues().into_iter().filter(|(from, to)| !self.empty(*from, *to)).collect();
        let told = self.nation.registers.values().map(|register| register.waiting.len());
        let (asking, told) = (self.asking.len(), told.sum::<usize>());
        let waiting: Vec<_> = (CENTER..7).filter(|place| !self.arrived(*place)).collect();
        format!(
            "{asking} inquiries open, {told} rows not told, queues not empty: {queues:?}, \
             movers wait at: {waiting:?}"
        )
    }

    pub(super) fn finish(self, seed: u64, violation: Option<Violation>) -> Outcome {
        let (trace, last) = self.trace.finish();
        Outcome {
            seed,
            steps: self.steps,
            virtual_ms: self.now_ms,
            trace,
            counts: self.checker.counts,
            faults: self.faults.kinds,
            violation,
            last,
        }
    }
}
