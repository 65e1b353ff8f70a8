//! The runner of the simulated nodes: hand an input to a machine, keep its effects, commit in
//! groups, let out what became durable. What `jukinet`'s runner does, under a virtual clock.

use std::collections::VecDeque;

use law::time::Timestamp;
use ledger::receipt::Receipt;
use node::machine::{CallFailure, Input, Ticket};
use node::outbox::{OutgoingCall, OutgoingReply, Parts, SignRequest};
use node::ports::{Counter, Reads, Recorded, Space, Store, Write};
use store::Publish;
use token::KeyName;
use wire::frame::FrameBody;
use wire::{NodeId, RelayedNotice, ReleaseBody, Reply, Request, SignedRelease};

use super::check::{Asking, Leaving, Violation, Way};
use super::country::{CENTER, PREFECTURES, Place};
use super::flaky::{Flaky, Rotten};
use super::hostile::{is_hostile, told_to_hostile};
use super::keys::node_key;
use super::nation::municipality;
use super::network::{self, Fate};
use super::plant::Plant;
use super::station::Caller;
use super::world::{Event, START, World};

/// Rot is counted in so many steps.
const ROT_STEPS_COUNT: u32 = 10_000;
/// How late a directory may come that was pushed before the one on its way now.
const LATE_PUSH_MS: u64 = 3_000;

/// Ticks between two signed checkpoints: about one a second.
const TICKS_PER_CHECKPOINT: u64 = 5;

impl World {
    /// Hand an input to the machine of a place, and every tick it asks for right after.
    pub(super) fn hand(&mut self, place: Place, input: Input) -> Result<(), Violation> {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let now = self.time();
            let Some(station) = self.stations.get_mut(place) else { return Ok(()) };
            let now = station.now(now);
            station.latest = station.latest.max(now);
            let Some(machine) = station.machine.as_mut() else { return Ok(()) };
            let store = station.store.reads();
            let faults = &mut self.draws.faults;
            let rotten = self.network.faults.rot > faults.below(ROT_STEPS_COUNT);
            let outbox = if rotten && self.storm {
                let rotten = Rotten::draw(faults);
                let what = format_args!("place {place}: rows do not open: {rotten:?}");
                self.trace.line(self.now_ms, what);
                self.checker.unsound.insert(place);
                machine.handle(now, input, &Flaky { store, rotten })
            } else {
                machine.handle(now, input, store)
            };
            let parts = outbox.into_parts();
            if let Some(reason) = &parts.broken {
                let detail = format!("place {place} stopped itself: {reason}");
                return Err(Violation::new("machine-stopped", detail));
            }
            if parts.again {
                inputs.push_back(Input::Tick);
            }
            let receipts = self.keep(place, parts)?;
            inputs.extend(receipts.into_iter().map(Input::Recorded));
        }
        Ok(())
    }

    /// What the token of this place signs.
    fn signed(&self, place: Place, wanted: &SignRequest) -> Option<[u8; 64]> {
        if wanted.key == KeyName::Directory {
            return self.country.directory_key.sign(&wanted.message);
        }
        node_key(&self.country.sites.get(place)?.node)?.sign(&wanted.message)
    }

    /// The token of this place signs, in its own time.
    fn token_signs(&mut self, place: Place, wanted: &SignRequest) {
        let (incarnation, sign) =
            (self.stations.get(place).map_or(0, |s| s.incarnation), wanted.sign);
        let mut after = u64::from(3 + self.draws.network.below(60));
        let mut signature = self.signed(place, wanted);
        if self.storm && self.draws.faults.permille(self.network.faults.token) {
            match self.draws.faults.below(4) {
                0 => signature = None,
                // Later than the machine waits for it, too.
                1 => after += u64::from(self.draws.faults.below(15_000)),
                2 => {
                    let again = after + u64::from(self.draws.faults.below(3_000));
                    self.at(again, Event::Signed { place, incarnation, sign, signature });
                }
                _ => return,
            }
        }
        self.at(after, Event::Signed { place, incarnation, sign, signature });
    }

    /// Put a step's effects into the open group, or let them out at once if they need none.
    fn keep(&mut self, place: Place, parts: Parts) -> Result<Vec<Receipt>, Violation> {
        let Parts { mut writes, entries, replies, calls, signatures, draws, adopted, .. } = parts;
        if let Some(station) = self.stations.get(place) {
            self.checker.reports(place, &calls, station.store.reads())?;
            self.checker.adopts(place, adopted.as_ref())?;
        }
        if let Some(plant) = self.options.plant {
            let put_aside = |w: &Write| matches!(w, Write::PutFact { space: Space::SetAside, .. });
            let aside = writes.iter().any(put_aside);
            writes.retain(|write| !plant.loses(place, write, aside));
        }
        for wanted in draws {
            let mut bytes = vec![0; wanted.bytes];
            self.draws.entropy.fill(&mut bytes);
            let incarnation = self.stations.get(place).map_or(0, |s| s.incarnation);
            self.at(0, Event::Drawn { place, incarnation, draw: wanted.draw, bytes });
        }
        for wanted in signatures {
            self.token_signs(place, &wanted);
        }
        let keeps = !writes.is_empty() || !entries.is_empty();
        let full = self.network.faults.full_disk;
        if keeps && self.storm && self.draws.faults.permille(full) {
            self.trace.line(self.now_ms, format_args!("place {place}: the disk is full"));
            return self.give_up(place).map(|()| Vec::new());
        }
        let Some(station) = self.stations.get_mut(place) else { return Ok(Vec::new()) };
        if keeps {
            let entropy = &mut self.draws.entropy;
            let mut dice = |bytes: &mut [u8]| entropy.fill(bytes);
            let intake = |w: &Write| matches!(w, Write::SetCounter(Counter::AppliedFrom(_), _));
            if self.options.plant == Some(Plant::NoticeTwice) && writes.iter().any(intake) {
                let _ = station.store.apply(&writes, &[], &mut dice);
            }
            let recorded = station.store.apply(&writes, &entries, &mut dice);
            let recorded = recorded.map_err(|error| {
                Violation::new("store", format!("place {place} does not keep: {error}"))
            })?;
            let now = station.now(Timestamp(START.0 + self.now_ms));
            let clock = (now, station.latest.max(now));
            self.checker.kept(place, clock, (&writes, &entries), &self.nation)?;
            station.group.touch(&writes);
            station.group.recorded.extend(recorded);
            if !station.group.open {
                station.group.open = true;
                let incarnation = station.incarnation;
                let after = u64::from(1 + self.draws.network.below(12));
                self.at(after, Event::Commit { place, incarnation });
            }
        }
        let Some(station) = self.stations.get_mut(place) else { return Ok(Vec::new()) };
        if !station.group.open {
            return self.let_out(place, replies, calls).map(|()| Vec::new());
        }
        let plant = self.options.plant;
        let (early, late): (Vec<_>, Vec<_>) =
            replies.into_iter().partition(|out| leaves_early(plant, &out.reply));
        station.group.replies.extend(late);
        station.group.calls.extend(calls);
        let receipts = if plant == Some(Plant::AnswerBeforeCommit) {
            let origin = station.store.origin().to_owned();
            receipts(&origin, std::mem::take(&mut station.group.recorded))
        } else {
            Vec::new()
        };
        self.let_out(place, early, Vec::new()).map(|()| receipts)
    }

    /// The group becomes durable; what waited for it leaves, then the receipts are handed in.
    pub(super) fn commit(&mut self, place: Place, incarnation: u32) -> Result<(), Violation> {
        if !self.is_up(place, incarnation) || self.commit_fails(place)? {
            return Ok(());
        }
        let Some(station) = self.stations.get_mut(place) else { return Ok(()) };
        let group = std::mem::take(&mut station.group);
        if let Err(error) = station.store.commit() {
            return Err(Violation::new("store", format!("place {place}: {error}")));
        }
        let origin = station.store.origin().to_owned();
        let reads = station.store.reads();
        self.checker.committed(place, reads, &self.nation, &group.touched)?;
        let lines = group.recorded.len();
        self.trace.line(self.now_ms, format_args!("place {place} commits, {lines} entries"));
        self.let_out(place, group.replies, group.calls)?;
        for receipt in receipts(&origin, group.recorded) {
            self.hand(place, Input::Recorded(receipt))?;
        }
        Ok(())
    }

    fn let_out(
        &mut self,
        place: Place,
        replies: Vec<OutgoingReply>,
        calls: Vec<OutgoingCall>,
    ) -> Result<(), Violation> {
        for outgoing in replies {
            self.reply(place, outgoing)?;
        }
        let incarnation = self.stations.get(place).map_or(0, |s| s.incarnation);
        for OutgoingCall { call, to, request, patience_ms } in calls {
            let caller = Caller::Node { place, incarnation, call: call.0 };
            if let Request::Inquiry(signed) = &request {
                self.checker.forwarded(place, signed)?;
            }
            let Some(to) = self.country.sites.iter().position(|site| site.node == to) else {
                return Err(Violation::new("conversation", format!("place {place} calls {to}")));
            };
            self.send(caller, to, request, patience_ms)?;
        }
        Ok(())
    }

    /// A call goes out over the network.
    pub(super) fn send(
        &mut self,
        caller: Caller,
        to: Place,
        request: Request,
        patience_ms: u64,
    ) -> Result<(), Violation> {
        let sites = &self.country.sites;
        let (Some(from), Some(site)) = (sites.get(caller.place()), sites.get(to)) else {
            return Ok(());
        };
        let (request, bytes) = network::request(caller.role(from), site.role, request)?;
        let late = matches!(request, Request::DirectoryPush(_)).then(|| request.clone());
        if let Some(earlier) = late.and_then(|late| self.pushed.insert(to, late))
            && self.storm
            && self.draws.network.permille(200)
        {
            self.at(LATE_PUSH_MS, Event::Request { to, caller, request: earlier });
        }
        let way = Way { from: caller.place(), speaker: caller.speaker(), to };
        self.checker.said(way, &request, &bytes, &self.nation)?;
        self.outstanding.insert(caller);
        self.at(patience_ms, Event::Timeout(caller));
        let (way, twice) = ((caller.place(), to), self.network.faults.doubling);
        match self.network.fate(way.0, to, twice, &mut self.draws.network) {
            Fate::Lost => {}
            Fate::NotReachable => {
                self.at(5, Event::Reply { caller, outcome: Err(CallFailure::NotReachable) });
            }
            Fate::Damaged => {
                network::damaged(FrameBody::Request(request), &mut self.draws.network);
                self.trace.line(self.now_ms, format_args!("a bit flips to place {to}"));
                self.at(9, Event::Reply { caller, outcome: Err(CallFailure::NotReachable) });
            }
            Fate::Overtaken => self.hold(way, Event::Request { to, caller, request }),
            Fate::Arrives { after_ms, again_after_ms } => {
                if let Some(again) = again_after_ms {
                    self.at(again, Event::Request { to, caller, request: request.clone() });
                }
                self.post(way, after_ms, Event::Request { to, caller, request });
            }
        }
        Ok(())
    }

    /// A request arrives.
    pub(super) fn requested(
        &mut self,
        to: Place,
        caller: Caller,
        mut request: Request,
    ) -> Result<(), Violation> {
        let (at, now) = (self.now_ms, self.time());
        let ticket = self.number();
        let from = self.country.sites.get(caller.place());
        let peer = from.and_then(|site| caller.peer(site));
        let (Some(station), Some(from)) = (self.stations.get_mut(to), peer) else { return Ok(()) };
        if station.machine.is_none() {
            self.at(2, Event::Reply { caller, outcome: Err(CallFailure::NotReachable) });
            return Ok(());
        }
        let now = station.now(now);
        let (kind, node) = (request.kind(), from.node.clone());
        self.trace.line(at, format_args!("{node} to place {to}: {kind} as {ticket}"));
        station.tickets.insert(ticket, caller);
        if is_hostile(caller) {
            self.checker.hostile_arrives(to, caller.place(), &request);
        } else {
            let way = Way { from: caller.place(), speaker: caller.speaker(), to };
            let asking = Asking { way, ticket, now, latest: station.latest, request: &request };
            self.checker.arrives(asking, station.store.reads(), &self.nation)?;
        }
        if self.options.plant == Some(Plant::OrderSwapped) {
            swap_two(&mut request);
        }
        if self.options.plant == Some(Plant::EntryUnreleased) && PREFECTURES.contains(&to) {
            self.release_falsely(at, &mut request);
        }
        self.hand(to, Input::Request { from, ticket: Ticket(ticket), request })
    }

    /// [`Plant::EntryUnreleased`]: the prefecture takes the sender's word for the former
    /// municipality's.
    fn release_falsely(&self, at: u64, request: &mut Request) {
        let Request::Notices(batch) = request else { return };
        for row in &mut batch.notices {
            let code = row.notice.record.code;
            let person = self.nation.persons.iter().find(|person| person.codes.contains(&code));
            let home = person.and_then(|person| person.home);
            if row.release.is_none()
                && row.notice.reason == law::change::ChangeReason::MovedIn
                && let Some(home) = home
            {
                row.release = false_release(home, row, at);
            }
        }
    }

    /// A reply leaves a place.
    fn reply(&mut self, place: Place, outgoing: OutgoingReply) -> Result<(), Violation> {
        let OutgoingReply { ticket, mut reply } = outgoing;
        let Some(station) = self.stations.get_mut(place) else { return Ok(()) };
        let Some(caller) = station.tickets.remove(&ticket.0) else { return Ok(()) };
        if let (Some(Plant::OtherAnswer), Reply::Answer(answer), CENTER) =
            (self.options.plant, &mut reply, place)
        {
            std::mem::swap(&mut answer.persons, &mut self.last_persons);
        }
        let (reply, bytes) = network::reply(reply)?;
        let isolated = self.isolated == Some(caller.place()) && place != caller.place();
        self.checker.cut_off(isolated, place, &reply)?;
        self.checker.sized(place, &reply, bytes.len())?;
        if is_hostile(caller) {
            told_to_hostile(place, &reply)?;
        } else {
            let leaving = Leaving { place, ticket: ticket.0, reply: &reply, bytes: &bytes };
            self.checker.leaves(leaving, station.store.reads(), &self.nation)?;
        }
        let (at, kind, number) = (self.now_ms, reply.kind(), ticket.0);
        self.trace.line(at, format_args!("place {place} replies {kind} to {number}"));
        self.send_back(place, caller, reply);
        Ok(())
    }

    /// A reply is on its way over the network.
    pub(super) fn send_back(&mut self, place: Place, caller: Caller, reply: Reply) {
        let (way, twice) = ((place, caller.place()), self.network.faults.echo);
        match self.network.fate(place, way.1, twice, &mut self.draws.network) {
            Fate::Lost | Fate::NotReachable => {}
            Fate::Damaged => {
                network::damaged(FrameBody::Reply(reply), &mut self.draws.network);
                self.trace.line(self.now_ms, format_args!("a bit flips back from place {place}"));
                self.at(9, Event::Reply { caller, outcome: Err(CallFailure::Malformed) });
            }
            Fate::Overtaken => self.hold(way, Event::Reply { caller, outcome: Ok(reply) }),
            Fate::Arrives { after_ms, again_after_ms } => {
                if let Some(again) = again_after_ms {
                    self.at(again, Event::Reply { caller, outcome: Ok(reply.clone()) });
                }
                self.post(way, after_ms, Event::Reply { caller, outcome: Ok(reply) });
            }
        }
    }

    /// A call comes to its end, whichever way comes first.
    pub(super) fn replied(
        &mut self,
        caller: Caller,
        outcome: Result<Reply, CallFailure>,
    ) -> Result<(), Violation> {
        if !self.outstanding.remove(&caller) {
            // The line drops what nobody waits for; where replies come twice, it does not.
            let echoed = self.network.faults.echo > 0 && outcome.is_ok();
            if !echoed || !matches!(caller, Caller::Node { .. }) {
                return Ok(());
            }
        }
        match caller {
            Caller::Node { place, incarnation, call } => {
                if !self.is_up(place, incarnation) {
                    return Ok(());
                }
                let call = node::machine::CallId(call);
                self.hand(place, Input::Reply { call, outcome })
            }
            Caller::Terminal { call, .. } => self.terminal_hears(call, outcome),
            Caller::Register { place, call } => self.register_hears(place, call, outcome),
        }
    }

    /// Sign and publish what is durable, about once a second.
    pub(super) fn publish(&mut self, place: Place) -> Result<(), Violation> {
        let site = self.country.sites.get(place);
        let (Some(station), Some(site)) = (self.stations.get_mut(place), site) else {
            return Ok(());
        };
        station.ticks += 1;
        if station.ticks % TICKS_PER_CHECKPOINT != 0 || station.store.unpublished() == 0 {
            return Ok(());
        }
        match station.store.publish(&site.ledger_key) {
            Ok(_) => {
                let note = station.store.checkpoint().ok().flatten().unwrap_or_default();
                self.checker.published(place, &note)
            }
            Err(error) => Err(Violation::new("store", format!("place {place}: {error}"))),
        }
    }
}

/// The one place of the simulator that says a record is durable: after the commit that holds it.
fn receipts(origin: &str, recorded: Vec<Recorded>) -> Vec<Receipt> {
    let receipt = |r: Recorded| Receipt::assert_durable(r.entry, origin, r.first_index, r.count);
    recorded.into_iter().map(receipt).collect()
}

/// Whether a planted fault lets this reply go before what it rests on is durable.
fn leaves_early(plant: Option<Plant>, reply: &Reply) -> bool {
    match plant {
        Some(Plant::AnswerBeforeCommit) => matches!(reply, Reply::Answer(_)),
        Some(Plant::AcknowledgeBeforeCommit) => matches!(reply, Reply::NoticeAck { .. }),
        _ => false,
    }
}

fn false_release(home: Place, row: &RelayedNotice, at: u64) -> Option<SignedRelease> {
    let (from, to) = (municipality(home)?, row.municipality);
    let released_at = Timestamp(START.0 + at);
    let left_on = row.notice.changed_on;
    let body = ReleaseBody { code: row.notice.record.code, from, to, left_on, released_at };
    let body = body.encode().ok()?;
    let key = node_key(&NodeId::municipality(&from))?;
    let signature = key.sign(&SignedRelease::signing_bytes(&body))?;
    Some(SignedRelease { body, signature, public_key: key.public() })
}

/// Swap two changes of one person within a batch, if there are two.
fn swap_two(request: &mut Request) {
    let Request::Notices(batch) = request else { return };
    let codes: Vec<_> = batch.notices.iter().map(|n| n.notice.record.code).collect();
    for (first, code) in codes.iter().enumerate() {
        let second = codes.iter().skip(first + 1).position(|other| other == code);
        if let Some(second) = second {
            batch.notices.swap(first, first + 1 + second);
            return;
        }
    }
}
