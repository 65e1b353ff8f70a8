//! The thread that runs one role machine over its store: inputs in, effects committed in groups,
//! and only then replies, calls and receipts out.
//!
//! Whatever leaves in one group leaves after that group is durable (one fsync for many steps). A
//! store that cannot be written gives the group up, tells everyone who waits, and starts the
//! machine again from what is durable: nothing is half-applied.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use law::retention::Regime;
use law::time::{Date, Timestamp};
use ledger::entry::{Entry, EntryKind};
use ledger::note::NoteSigner;
use ledger::receipt::{EntryId, Receipt};
use node::machine::{CallFailure, CallId, Input, Machine, Peer, SignId, Ticket};
use node::outbox::{DrawRequest, OutgoingCall, Parts, SignRequest};
use node::ports::{Leaf, NewEntry, Reads, Recorded, Store, StoreError};
use store::{Erase as _, NodeStore, Publish as _};
use wire::directory::{Directory, SignedDirectory};
use wire::{Reply, Request};

use super::sweep::Sweep;
use crate::{clock, dice};

/// Steps in one group: what one fsync is shared by at most.
pub const GROUP_STEPS_COUNT_MAX: usize = 512;
/// Requests that may wait for the machine; beyond it a peer is told to come again.
pub const EVENTS_COUNT_MAX: usize = 8_192;
/// Most characters of a note about this process itself.
const NOTE_CHARACTERS_MAX: usize = 160;
/// Time between two ticks.
const TICK_EVERY: Duration = Duration::from_millis(100);
/// Time between two signed checkpoints while entries arrive: one token signature for many entries.
const PUBLISH_EVERY: Duration = Duration::from_millis(200);

/// From the start of a process to its first erasure: whoever waits for the node comes first.
const SWEEP_FIRST_AFTER: Duration = Duration::from_secs(10);
/// From an erasure that failed to the next try.
const SWEEP_AGAIN_AFTER: Duration = Duration::from_secs(600);

/// What the edge brings.
pub enum Event {
    Request { peer: Peer, request: Request, reply: ReplyTo },
    Reply { generation: u64, call: CallId, outcome: Result<Reply, CallFailure> },
    Signed { generation: u64, sign: SignId, signature: Option<[u8; 64]> },
    Stop,
}

impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Request { .. } => "Request",
            Self::Reply { .. } => "Reply",
            Self::Signed { .. } => "Signed",
            Self::Stop => "Stop",
        })
    }
}

/// Where a reply goes.
pub type ReplyTo = Box<dyn FnOnce(Reply) + Send>;

/// What the edge carries out.
pub trait Edge: Send {
    fn call(&self, generation: u64, call: OutgoingCall, events: &SyncSender<Event>);
    fn sign(&self, generation: u64, request: SignRequest, events: &SyncSender<Event>);
    fn adopt(&self, directory: &Directory);
}

/// Makes the machine from what is durable; again after a failed group.
pub type MachineMaker = Box<dyn Fn(&dyn Reads) -> Box<dyn Machine> + Send>;

/// Why the engine stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error("an invariant is broken: {0}")]
    Broken(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One machine, its store and its way out.
pub struct Engine {
    machine: Box<dyn Machine>,
    make: MachineMaker,
    store: NodeStore,
    signer: Arc<dyn NoteSigner + Send + Sync>,
    edge: Box<dyn Edge>,
    events: SyncSender<Event>,
    generation: u64,
    next_ticket: u64,
    tickets: HashMap<Ticket, ReplyTo>,
    leaving: Vec<Parts>,
    recorded: Vec<Recorded>,
    /// Entropy that was asked for, on its way back to the machine.
    drawn: VecDeque<Input>,
    dirty: bool,
    /// A step asked for a tick; one tick serves all who asked.
    again: bool,
    unpublished: bool,
    published_at: Instant,
    /// Since when no checkpoint could be signed.
    unsigned_since: Option<Instant>,
    /// Whose terms bound the keys of current rows; without it nothing is erased by calendar.
    regime: Option<Regime>,
    sweep: Option<Sweep>,
    /// The day whose erasure is done.
    swept_on: Option<Date>,
    sweep_at: Instant,
}

impl Engine {
    pub fn new(
        make: MachineMaker,
        store: NodeStore,
        signer: Arc<dyn NoteSigner + Send + Sync>,
        edge: Box<dyn Edge>,
        events: SyncSender<Event>,
    ) -> Self {
        let machine = make(store.reads());
        Self {
            machine,
            make,
            store,
            signer,
            edge,
            events,
            generation: 1,
            next_ticket: 1,
            tickets: HashMap::new(),
            leaving: Vec::new(),
            recorded: Vec::new(),
            drawn: VecDeque::new(),
            dirty: false,
            again: false,
            unpublished: true,
            published_at: clock::monotonic(),
            unsigned_since: None,
            regime: None,
            sweep: None,
            swept_on: None,
            sweep_at: clock::monotonic() + SWEEP_FIRST_AFTER,
        }
    }

    /// Erase once a day what has reached the end of its term.
    #[must_use]
    pub fn erasing(mut self, regime: Regime) -> Self {
        self.regime = Some(regime);
        // Before the first row of this process is sealed: under the key of this year. Nothing is
        // old enough to be sealed anew by it.
        let year = u32::from(clock::now().date_in_japan().year());
        if let Err(error) = self.store.renew_rows(year, 0, 1, &mut dice::fill) {
            tracing::error!(event = "erasure", %error, "the key of the year is put off");
        }
        self
    }

    /// Run until told to stop. What was accepted before the stop is committed. Start and stop stand
    /// in the ledger, the stop with its reason.
    pub fn run(mut self, inbox: &Receiver<Event>) -> Result<(), EngineError> {
        self.note(EntryKind::Started, "the machine starts")?;
        let ended = self.serve(inbox);
        let why = match &ended {
            Ok(()) => "told to stop".to_owned(),
            Err(error) => error.to_string(),
        };
        // A store that can no longer be written cannot hold the note either: the error itself
        // stands.
        let noted = self.note(EntryKind::Stopped, &why);
        self.publish(true);
        ended.and(noted)
    }

    /// Record what this process did by itself.
    fn note(&mut self, kind: EntryKind, words: &str) -> Result<(), EngineError> {
        let origin = self.store.origin();
        let node = origin.rsplit('/').next().unwrap_or(origin).to_owned();
        let printable = |c: &char| (' '..='~').contains(c);
        let words: String = words.chars().filter(printable).take(NOTE_CHARACTERS_MAX).collect();
        let entry = Entry::build(kind, clock::now(), node).note(words.trim()).finish();
        let entry = entry.map_err(|error| EngineError::Broken(error.to_string()))?;
        let leaf = Leaf { subject: None, entry: entry.encode() };
        let mut dice = dice::fill;
        self.store.rollback();
        self.store.apply(&[], &[NewEntry { id: EntryId(0), leaves: vec![leaf] }], &mut dice)?;
        self.store.commit()?;
        self.unpublished = true;
        Ok(())
    }

    fn serve(&mut self, inbox: &Receiver<Event>) -> Result<(), EngineError> {
        let mut next_tick = clock::monotonic();
        loop {
            let now = clock::monotonic();
            let tick_in = next_tick.saturating_duration_since(now);
            let wait = if self.again { Duration::ZERO } else { tick_in };
            let mut steps: VecDeque<Input> = VecDeque::new();
            let mut stop = false;
            match inbox.recv_timeout(wait) {
                Ok(event) => stop |= self.accept(event, &mut steps),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => stop = true,
            }
            while steps.len() < GROUP_STEPS_COUNT_MAX {
                let Ok(event) = inbox.try_recv() else { break };
                stop |= self.accept(event, &mut steps);
            }
            if std::mem::take(&mut self.again) || clock::monotonic() >= next_tick {
                next_tick = clock::monotonic() + TICK_EVERY;
                steps.push_back(Input::Tick);
            }
            self.group(steps)?;
            self.publish(stop);
            self.sweep();
            if stop {
                return Ok(());
            }
        }
    }

    /// Turn an event into an input. `true`: stop after this group.
    fn accept(&mut self, event: Event, steps: &mut VecDeque<Input>) -> bool {
        match event {
            Event::Request { peer, request, reply } => {
                let ticket = Ticket(self.next_ticket);
                self.next_ticket += 1;
                self.tickets.insert(ticket, reply);
                steps.push_back(Input::Request { from: peer, ticket, request });
            }
            // A reply to a machine that was given up must not be matched to one of its successor.
            Event::Reply { generation, call, outcome } if generation == self.generation => {
                steps.push_back(Input::Reply { call, outcome });
            }
            Event::Signed { generation, sign, signature } if generation == self.generation => {
                steps.push_back(Input::Signed { sign, signature });
            }
            Event::Reply { .. } | Event::Signed { .. } => {}
            Event::Stop => return true,
        }
        false
    }

    /// One group and the receipts that follow from it, until nothing waits for a receipt. A tick
    /// that was asked for comes with the next group: what the receipts let out does not wait for
    /// the tick's writes, and one fsync serves the tick and whoever came meanwhile.
    fn group(&mut self, mut steps: VecDeque<Input>) -> Result<(), EngineError> {
        loop {
            if let Err(error) = self.steps(&mut steps).and_then(|()| self.commit()) {
                match error {
                    EngineError::Store(StoreError::Damaged(_) | StoreError::LedgerAhead { .. })
                    | EngineError::Broken(_) => {
                        return Err(error);
                    }
                    EngineError::Store(error) => return self.give_up(&error),
                }
            }
            self.release();
            steps.append(&mut self.drawn);
            if self.recorded.is_empty() && steps.is_empty() {
                return Ok(());
            }
            let origin = self.store.origin().to_owned();
            for Recorded { entry, first_index, count } in std::mem::take(&mut self.recorded) {
                let receipt = Receipt::assert_durable(entry, origin.clone(), first_index, count);
                steps.push_back(Input::Recorded(receipt));
            }
        }
    }

    fn steps(&mut self, steps: &mut VecDeque<Input>) -> Result<(), EngineError> {
        while let Some(input) = steps.pop_front() {
            let outbox = self.machine.handle(clock::now(), input, self.store.reads());
            let mut parts = outbox.into_parts();
            if let Some(reason) = parts.broken.take() {
                self.store.rollback();
                return Err(EngineError::Broken(reason));
            }
            if !parts.writes.is_empty() || !parts.entries.is_empty() {
                let mut dice = dice::fill;
                let recorded = self.store.apply(&parts.writes, &parts.entries, &mut dice)?;
                self.unpublished |= !recorded.is_empty();
                self.recorded.extend(recorded);
                self.dirty = true;
            }
            self.again |= parts.again;
            self.leaving.push(parts);
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), EngineError> {
        if std::mem::take(&mut self.dirty) {
            self.store.commit()?;
        }
        Ok(())
    }

    /// Everything the durable group holds may leave.
    fn release(&mut self) {
        for parts in std::mem::take(&mut self.leaving) {
            if let Some(directory) = &parts.adopted {
                self.edge.adopt(directory);
            }
            for reply in parts.replies {
                if let Some(send) = self.tickets.remove(&reply.ticket) {
                    send(reply.reply);
                }
            }
            for call in parts.calls {
                self.edge.call(self.generation, call, &self.events);
            }
            for request in parts.signatures {
                self.edge.sign(self.generation, request, &self.events);
            }
            for DrawRequest { draw, bytes } in parts.draws {
                let mut drawn = vec![0; bytes];
                dice::fill(&mut drawn);
                self.drawn.push_back(Input::Drawn { draw, bytes: drawn });
            }
        }
    }

    /// The group could not be kept: say so to all who wait, and begin again from what is durable.
    fn give_up(&mut self, error: &StoreError) -> Result<(), EngineError> {
        tracing::error!(event = "group-given-up", %error, "nothing of this group was kept");
        self.store.rollback();
        self.leaving.clear();
        self.recorded.clear();
        self.drawn.clear();
        self.dirty = false;
        self.again = false;
        self.generation += 1;
        for (_, reply) in self.tickets.drain() {
            reply(Reply::Unavailable { reason: "the record could not be kept".to_owned() });
        }
        // A machine made from a store that does not answer would begin with nothing: stop instead,
        // and be started again when the database is back.
        if let Err(error) = self.store.reads().entries_count() {
            return Err(EngineError::Store(StoreError::Io(error.to_string())));
        }
        self.machine = (self.make)(self.store.reads());
        // A full disk does not become free by trying again at once.
        std::thread::sleep(TICK_EVERY);
        Ok(())
    }

    /// One step of the day's erasure, between two groups: a step is short, and the next one comes
    /// after whoever waits meanwhile. A step that fails is tried again later.
    fn sweep(&mut self) {
        let Some(regime) = self.regime else { return };
        if clock::monotonic() < self.sweep_at {
            return;
        }
        let now = clock::now();
        let today = now.date_in_japan();
        if self.sweep.is_none() && self.swept_on != Some(today) {
            if !self.day_is_confirmed(now) {
                tracing::warn!(event = "erasure", "no valid directory confirms the day: put off");
                self.sweep_at = clock::monotonic() + SWEEP_AGAIN_AFTER;
                return;
            }
            self.sweep = Some(Sweep::new(today, regime));
        }
        let Some(sweep) = &mut self.sweep else { return };
        match sweep.step(&mut self.store, now) {
            Ok(false) => {}
            Ok(true) => {
                let gone = *sweep.erased();
                self.unpublished |= !gone.is_nothing();
                tracing::info!(event = "erased", rows = gone.rows(), keys = gone.cohorts);
                self.swept_on = Some(sweep.on());
                self.sweep = None;
            }
            Err(error) => {
                tracing::error!(event = "erasure", %error, "erasure is put off");
                self.store.rollback();
                self.sweep = None;
                self.sweep_at = clock::monotonic() + SWEEP_AGAIN_AFTER;
            }
        }
    }

    /// What is erased does not come back, so this machine's clock alone does not decide: a
    /// directory that the center signed within minutes must be valid by it.
    fn day_is_confirmed(&self, now: Timestamp) -> bool {
        let kept = self.store.reads().directory().ok().flatten();
        let signed = kept.and_then(|bytes| SignedDirectory::decode(&bytes).ok());
        let directory = signed.and_then(|signed| Directory::decode(&signed.body).ok());
        directory.is_some_and(|directory| directory.is_current(now))
    }

    /// Sign a checkpoint over the new entries, at most every [`PUBLISH_EVERY`]. It costs several
    /// fsyncs, so a tick that was asked for goes first, but not for longer than as much again.
    fn publish(&mut self, at_once: bool) {
        if !self.unpublished {
            return;
        }
        let now = clock::monotonic();
        let every = if self.again { 2 * PUBLISH_EVERY } else { PUBLISH_EVERY };
        if !at_once && now.duration_since(self.published_at) < every {
            return;
        }
        self.published_at = now;
        match self.store.publish(self.signer.as_ref()) {
            Ok(_) => {
                self.unpublished = false;
                self.unsigned_since = None;
            }
            // Said once: a device may be away for hours, and entries are durable meanwhile.
            Err(error) if self.unsigned_since.is_none() => {
                self.unsigned_since = Some(now);
                tracing::error!(event = "checkpoint", %error, "no checkpoint signed");
            }
            Err(_) => {}
        }
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Engine(generation {}, {} waiting)", self.generation, self.tickets.len())
    }
}
