//! Moving in from another municipality (転入, 法22条): kept until the former municipality has let the
//! resident go, then entered and notified with its signed word.
//!
//! Until then the resident is on the way and stands in no register: not here, because another
//! municipality could not be told apart from one that claims a stranger. The counter goes on: the
//! filing is accepted at once, and what is missing is asked for again and again.

use std::collections::BTreeMap;

use law::code::RecordCode;
use law::time::Timestamp;
use ledger::entry::EntryKind;
use wire::{Arrival, Departure, MoveClaim, RelayedNotice, ReleaseBody, Reply, SignedRelease};

use super::Municipality;
use super::departures::departure;
use crate::machine::{CallFailure, CallId};
use crate::member::CALL_LOST_MS;
use crate::outbox::Outbox;
use crate::people::Overlay;
use crate::ports::{FactPlace, Looked, ReadError, Reads, Space, Write};
use crate::set_aside::release_by;

/// Claims under way at once.
const CLAIMS_COUNT_MAX: usize = 16;
/// First wait before a claim is repeated, milliseconds; doubled up to [`CLAIM_WAIT_MS_MAX`].
const CLAIM_WAIT_MS_MIN: u64 = 1_000;
/// Longest wait: a moving-out that is recorded late is noticed within this time.
const CLAIM_WAIT_MS_MAX: u64 = 300_000;
/// Arrivals whose waits are remembered at once; the waits of others begin anew.
const WAITS_COUNT_MAX: usize = 65_536;
/// How often the kept arrivals are walked through when none is due, milliseconds.
const WALK_EVERY_MS: u64 = 500;

/// The moves into this municipality that are under way.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    asked: BTreeMap<CallId, (RecordCode, Timestamp)>,
    waits: BTreeMap<RecordCode, Wait>,
    /// Where the walk through the kept arrivals goes on.
    walked: Option<FactPlace>,
    walk_due: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct Wait {
    ms: u64,
    until: Timestamp,
}

/// The arrival kept for this person, if one waits.
pub(super) fn waiting(reads: &dyn Reads, code: &RecordCode) -> Looked<Option<Arrival>> {
    let kept = reads.fact(Space::Arrival, &Space::about(code))?;
    kept.map(|bytes| Arrival::decode(&bytes)).transpose().map_err(|_| unreadable())
}

fn unreadable() -> ReadError {
    ReadError::Store("an arrival cannot be read".to_owned())
}

/// Where the word is kept by which a resident came in from a municipality.
fn counted_key(word: &ReleaseBody) -> Vec<u8> {
    [Space::about(&word.code).as_slice(), word.from.as_str().as_bytes()].concat()
}

/// The resident came in by this very word and was let go back there since: what lets her come again
/// is another word. The former municipality repeats its old one until it has heard of our own, and
/// by it she would stand here while she is entered there.
fn counted_before(word: &ReleaseBody, reads: &dyn Reads) -> Looked<bool> {
    if departure(reads, &word.code)?.is_none_or(|since| since.to != word.from) {
        return Ok(false);
    }
    let Some(kept) = reads.fact(Space::Departure, &counted_key(word))? else { return Ok(false) };
    let counted = Departure::decode(&kept).map_err(|_| unreadable())?;
    Ok(counted.released_at == word.released_at)
}

impl Arrivals {
    pub(super) fn owns(&self, call: CallId) -> bool {
        self.asked.contains_key(&call)
    }

    /// A new arrival is to be asked about at once.
    pub(super) fn soon(&mut self) {
        self.walk_due = Timestamp(0);
    }

    fn later(&mut self, code: RecordCode, now: Timestamp) {
        if self.waits.len() >= WAITS_COUNT_MAX {
            self.waits.clear();
        }
        let ms = self.waits.get(&code).map_or(CLAIM_WAIT_MS_MIN, |wait| wait.ms * 2);
        let ms = ms.min(CLAIM_WAIT_MS_MAX);
        let until = Timestamp(now.0.saturating_add(ms));
        self.waits.insert(code, Wait { ms, until });
    }

    fn is_due(&self, code: &RecordCode, now: Timestamp) -> bool {
        let asked = self.asked.values().any(|(of, _)| of == code);
        !asked && self.waits.get(code).is_none_or(|wait| now >= wait.until)
    }
}

impl Municipality {
    /// Ask the former municipalities about some of those who wait.
    pub(super) fn claim(&mut self, now: Timestamp, reads: &dyn Reads, out: &mut Outbox) {
        let lost = |(_, until): &(RecordCode, Timestamp)| now >= *until;
        let gone: Vec<CallId> = self
            .arrivals
            .asked
            .iter()
            .filter(|(_, asked)| lost(asked))
            .map(|(id, _)| *id)
            .collect();
        for call in gone {
            if let Some((code, _)) = self.arrivals.asked.remove(&call) {
                self.arrivals.later(code, now);
            }
        }
        if now < self.arrivals.walk_due || self.member.directory_at(now).is_none() {
            return;
        }
        let room = CLAIMS_COUNT_MAX.saturating_sub(self.arrivals.asked.len());
        if room == 0 {
            return;
        }
        let Ok(page) = reads.facts(Space::Arrival, self.arrivals.walked, room) else { return };
        if page.len() < room {
            self.arrivals.walk_due = Timestamp(now.0.saturating_add(WALK_EVERY_MS));
            self.arrivals.walked = None;
        } else {
            self.arrivals.walked = page.last().map(|(place, _)| *place);
        }
        for (_, bytes) in page {
            let Ok(arrival) = Arrival::decode(&bytes) else {
                out.stop("a kept arrival cannot be read".to_owned());
                return;
            };
            let record = &arrival.notice.record;
            if self.arrivals.is_due(&record.code, now) {
                let call = self.member.call_id();
                let until = Timestamp(now.0.saturating_add(CALL_LOST_MS));
                self.arrivals.asked.insert(call, (record.code, until));
                out.claim_resident(call, self.claim_of(&arrival));
            }
        }
    }

    fn claim_of(&self, arrival: &Arrival) -> MoveClaim {
        let record = &arrival.notice.record;
        MoveClaim {
            code: record.code,
            name: record.items.name.clone(),
            birth: record.items.birth,
            from: arrival.former,
            to: self.code,
            moved_on: arrival.notice.changed_on,
        }
    }

    /// The former municipality answered, or did not.
    pub(super) fn claim_answered(
        &mut self,
        now: Timestamp,
        call: CallId,
        outcome: &Result<Reply, CallFailure>,
        reads: &dyn Reads,
        out: &mut Outbox,
    ) {
        let Some((code, _)) = self.arrivals.asked.remove(&call) else { return };
        let settled = match outcome {
            Ok(Reply::MoveReleased(release)) => self.arrived(now, &code, release, reads, out),
            Ok(Reply::MoveRefused) => self.not_yet(&code, reads, out).map(|()| false),
            _ => Ok(false),
        };
        match settled {
            Ok(true) => {
                self.arrivals.waits.remove(&code);
                out.again();
            }
            Ok(false) | Err(_) => self.arrivals.later(code, now),
        }
    }

    /// Enter the resident with the former municipality's word, if that is what this is.
    fn arrived(
        &mut self,
        now: Timestamp,
        code: &RecordCode,
        release: &SignedRelease,
        reads: &dyn Reads,
        out: &mut Outbox,
    ) -> Looked<bool> {
        let Some(arrival) = waiting(reads, code)? else { return Ok(true) };
        let lets_go = release_by(&self.member, release).filter(|body| {
            body.code == *code && body.to == self.code && body.from == arrival.former
        });
        let Some(word) = lets_go else { return Ok(false) };
        // A queue in dispute must not be numbered on: the arrival is kept and asked about again.
        if self.notices.is_disputed() || counted_before(&word, reads)? {
            return Ok(false);
        }
        let mut staged = Outbox::new();
        let mut overlay = Overlay::new(reads, self.member.regime());
        overlay.apply(self.code, &arrival.notice, now, &mut staged)?;
        overlay.finish(&mut staged);
        let (_, queued) = reads.queue_bounds(&self.notices.to)?;
        let relayed = RelayedNotice {
            municipality: self.code,
            sequence: queued.saturating_add(1),
            notice: arrival.notice,
            release: Some(release.clone()),
        };
        let payload = relayed.encode().map_err(|_| unreadable())?;
        staged.write(Write::Enqueue { to: self.notices.to.clone(), payload });
        let key = Space::about(code);
        staged.write(Write::DropFact { space: Space::Arrival, key: key.clone() });
        // Whoever comes back is no longer on the way to where we let them go.
        staged.write(Write::DropFact { space: Space::Departure, key });
        let counted = Departure { to: word.from, released_at: word.released_at, confirmed: true };
        let value = counted.encode().map_err(|_| unreadable())?;
        staged.write(Write::PutFact { space: Space::Departure, key: counted_key(&word), value });
        out.absorb(staged);
        let entry = self.member.entry(EntryKind::ResidentArrived, now);
        let entry = entry.asker(format!("municipality:{}", arrival.former.as_str()));
        let leaf = out.leaf(entry, Some(*code));
        let id = self.member.entry_id();
        out.record(id, leaf);
        Ok(true)
    }

    /// Kept, and marked for whoever looks: the former municipality was asked and did not let go.
    fn not_yet(&mut self, code: &RecordCode, reads: &dyn Reads, out: &mut Outbox) -> Looked<()> {
        if let Some(arrival) = waiting(reads, code)?.filter(|arrival| !arrival.refused) {
            let marked = Arrival { refused: true, ..arrival };
            let value = marked.encode().map_err(|_| unreadable())?;
            let key = Space::about(code);
            out.write(Write::PutFact { space: Space::Arrival, key, value });
        }
        Ok(())
    }
}
