//! What goes wrong in a world, and how it ends: power cuts, partitions, clocks, refused writes,
//! messages that are overtaken; and the calm after it.

use law::time::Timestamp;
use node::machine::CallFailure;
use node::ports::Store as _;
use wire::Reply;

use super::check::Violation;
use super::country::{CENTER, MUNICIPALITIES, Place};
use super::faults::Faults;
use super::plant::Plant;
use super::world::{Event, OUTAGE_AFTER_MS, OUTAGE_MS, START, World, skew};

/// A message that is to be overtaken waits so long for another one.
const OVERTAKEN_MS_MAX: u64 = 2_000;

/// The most a clock jumps, either way.
const JUMP_MS_MAX: u32 = 120_000;

/// How a commit goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Torn {
    /// It says that it failed, and nothing is kept.
    Refused,
    /// It says that it failed, and all is kept.
    KeptAndRefused,
    /// The power fails before it, or after it and before anybody heard of it.
    PowerBefore,
    PowerAfter,
}

impl World {
    pub(super) fn plan_fault(&mut self, kind: Event) {
        let faults = self.network.faults;
        let mean = match kind {
            Event::Crash(_) => faults.crash_every_ms,
            Event::Jump => faults.jump_every_ms,
            _ => faults.partition_every_ms,
        };
        if !self.storm || mean == 0 {
            return;
        }
        let after = u64::from(mean / 2 + self.draws.faults.below(mean));
        let after = self.pace(after);
        let event = match kind {
            Event::Crash(_) => Event::Crash(self.any_place()),
            other => other,
        };
        self.at(after, event);
    }

    fn any_place(&mut self) -> Place {
        let count = u32::try_from(self.stations.len()).unwrap_or(1);
        usize::try_from(self.draws.faults.below(count)).unwrap_or(0)
    }

    pub(super) fn part(&mut self) {
        if !self.storm {
            return;
        }
        let draw = &mut self.draws.faults;
        self.network.cut_off = (0..self.stations.len()).filter(|_| draw.permille(350)).collect();
        self.checker.counts.partitions += 1;
        let parted = &self.network.cut_off;
        self.trace.line(self.now_ms, format_args!("cut off: {parted:?}"));
        let until = u64::from(300 + self.draws.faults.below(9_000));
        self.at(until, Event::Join);
    }

    pub(super) fn join(&mut self) {
        self.network.cut_off.clear();
        self.trace.line(self.now_ms, format_args!("the network is whole"));
        self.plan_fault(Event::Part);
    }

    /// Somebody sets a clock, or it was never right.
    pub(super) fn jump(&mut self) {
        if !self.storm {
            return;
        }
        let place = self.any_place();
        let by = skew(JUMP_MS_MAX, &mut self.draws.faults);
        if let Some(station) = self.stations.get_mut(place) {
            station.skew_ms = station.skew_ms.saturating_add(by);
            self.trace.line(self.now_ms, format_args!("place {place}: the clock jumps {by} ms"));
        }
        self.plan_fault(Event::Jump);
    }

    /// A message goes out, and takes with it the one it overtook.
    pub(super) fn post(&mut self, (from, to): (Place, Place), after_ms: u64, event: Event) {
        self.at(after_ms, event);
        self.let_go(from, to, after_ms + 1);
    }

    /// A message waits until another one between the same two places has gone by.
    pub(super) fn hold(&mut self, (from, to): (Place, Place), event: Event) {
        self.let_go(from, to, 1);
        self.held.insert((from, to), event);
        self.at(OVERTAKEN_MS_MAX, Event::LetGo(from, to));
    }

    pub(super) fn let_go(&mut self, from: Place, to: Place, after_ms: u64) {
        if let Some(event) = self.held.remove(&(from, to)) {
            self.at(after_ms, event);
        }
    }

    /// The tier of this place goes out for 72 hours. The others live on, more slowly.
    pub(super) fn outage(&mut self, place: Place) -> Result<(), Violation> {
        self.slow = true;
        self.trace.line(self.now_ms, format_args!("place {place} is out for days"));
        self.power_off(place, OUTAGE_MS)
    }

    pub(super) fn crash(&mut self, place: Place) -> Result<(), Violation> {
        if !self.storm {
            return Ok(());
        }
        self.plan_fault(Event::Crash(0));
        let down = u64::from(50 + self.draws.faults.below(5_000));
        self.power_off(place, down)
    }

    pub(super) fn power_off(&mut self, place: Place, down: u64) -> Result<(), Violation> {
        let Some(station) = self.stations.get_mut(place).filter(|s| s.machine.is_some()) else {
            return Ok(());
        };
        let (callers, lost) = station.crash();
        self.checker.crashed(place);
        self.trace.line(self.now_ms, format_args!("crash of place {place}"));
        if let Err(error) = lost {
            return Err(Violation::new("durable-record", format!("place {place}: {error}")));
        }
        for caller in callers {
            if self.draws.faults.permille(500) {
                self.at(1, Event::Reply { caller, outcome: Err(CallFailure::NotReachable) });
            }
        }
        self.at(down, Event::Restart(place));
        Ok(())
    }

    pub(super) fn restart(&mut self, place: Place) -> Result<(), Violation> {
        let out = self.slow && self.faults.outage == Some(place);
        if out && self.now_ms < OUTAGE_AFTER_MS + OUTAGE_MS {
            return Ok(());
        }
        let Some(station) = self.stations.get_mut(place).filter(|s| s.machine.is_none()) else {
            return Ok(());
        };
        self.checker.restarted(place, station.store.reads(), &self.nation)?;
        station.start(self.country, place);
        let incarnation = station.incarnation;
        if self.options.plant == Some(Plant::LyingDisk) && place == CENTER {
            station.store.set_commits(store::model::Commits::Lying);
        }
        self.slow &= self.faults.outage != Some(place);
        self.trace.line(self.now_ms, format_args!("place {place} is up again"));
        self.at(1, Event::Tick { place, incarnation });
        Ok(())
    }

    /// Whether the open group of a place fails to become durable as it should. `true`: it is over.
    pub(super) fn commit_fails(&mut self, place: Place) -> Result<bool, Violation> {
        let rate = self.network.faults.torn_write;
        if !self.storm || !self.draws.faults.permille(rate) {
            return Ok(false);
        }
        let kinds = [Torn::Refused, Torn::KeptAndRefused, Torn::PowerBefore, Torn::PowerAfter];
        let torn = self.draws.faults.pick(&kinds).copied().unwrap_or(Torn::Refused);
        self.trace.line(self.now_ms, format_args!("place {place}: a commit goes wrong: {torn:?}"));
        if matches!(torn, Torn::KeptAndRefused | Torn::PowerAfter)
            && let Some(station) = self.stations.get_mut(place)
        {
            let group = std::mem::take(&mut station.group);
            if let Err(error) = station.store.commit() {
                return Err(Violation::new("store", format!("place {place}: {error}")));
            }
            let reads = station.store.reads();
            self.checker.committed(place, reads, &self.nation, &group.touched)?;
        }
        if matches!(torn, Torn::PowerBefore | Torn::PowerAfter) {
            let down = u64::from(50 + self.draws.faults.below(5_000));
            self.power_off(place, down)?;
        } else {
            self.give_up(place)?;
        }
        Ok(true)
    }

    /// A group could not be kept: everyone who waits is told, and the machine begins again from
    /// what is durable. As `jukinet`'s engine does.
    pub(super) fn give_up(&mut self, place: Place) -> Result<(), Violation> {
        let Some(station) = self.stations.get_mut(place) else { return Ok(()) };
        station.store.rollback();
        station.group = super::station::Group::default();
        let waiting = std::mem::take(&mut station.tickets);
        station.machine = None;
        self.checker.gave_up(place);
        self.trace.line(self.now_ms, format_args!("place {place} gives a group up"));
        for caller in waiting.into_values() {
            let reason = "the record could not be kept".to_owned();
            let (reply, _) = super::network::reply(Reply::Unavailable { reason })?;
            self.send_back(place, caller, reply);
        }
        self.at(100, Event::Restart(place));
        Ok(())
    }

    /// The storm ends: nothing new is asked, everybody is up, the network is whole, clocks are set.
    pub(super) fn calm_down(&mut self) {
        self.storm = false;
        self.slow = false;
        self.nation.file_all();
        for place in MUNICIPALITIES {
            self.at(5, Event::Feed(place));
        }
        for nth in 0..self.nation.wrong.len() {
            if self.nation.wrong.get(nth).is_some_and(|wrong| !wrong.answered) {
                self.at(5, Event::Err(nth));
            }
        }
        self.network.faults = Faults::calm();
        self.network.cut_off.clear();
        self.trace.line(self.now_ms, format_args!("the storm is over"));
        for place in 0..self.stations.len() {
            let set = skew(0, &mut self.draws.faults);
            if let Some(station) = self.stations.get_mut(place) {
                station.skew_ms = set;
            }
            self.at(10, Event::Restart(place));
        }
    }

    pub(super) fn time(&self) -> Timestamp {
        Timestamp(START.0 + self.now_ms)
    }
}
