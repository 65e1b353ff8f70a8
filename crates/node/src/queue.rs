//! The sending side of a durable queue: one batch in flight, acknowledged by the receiver's own
//! count, sent again until it is.
//!
//! Exactly once is the receiver's work (it applies sequence numbers once); in order is both sides'.

use law::time::Timestamp;
use ledger::entry::EntryKind;
use wire::{NodeId, NoticeBatch, RelayedNotice, Reply};

use crate::machine::{CallFailure, CallId};
use crate::member::{CALL_LOST_MS, Member};
use crate::outbox::Outbox;
use crate::ports::{Looked, Reads, Write};
use crate::set_aside::refused_above;

/// Most items in one batch: with about 400 bytes each a batch stays far below a frame's limit.
pub(crate) const BATCH_ITEMS_COUNT_MAX: usize = wire::limits::BATCH_NOTICES_COUNT_MAX;
/// Notices that may wait in one queue: every resident of the largest municipality at once. Beyond
/// it the one who brings more is told to come again (back-pressure); what waits is never dropped.
pub(crate) const QUEUED_COUNT_MAX: u64 = 4_000_000;
/// First wait after a failed call, milliseconds; doubled up to [`RETRY_WAIT_MS_MAX`].
pub(crate) const RETRY_WAIT_MS_MIN: u64 = 100;
/// Longest wait between tries. A tier that was away for days is found again within this time.
pub(crate) const RETRY_WAIT_MS_MAX: u64 = 2_000;

/// Wait after the receiver claimed more than was ever sent, milliseconds: somebody has to look.
const DISPUTE_WAIT_MS: u64 = 60_000;

/// One queue's sender.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) to: NodeId,
    in_flight: Option<(CallId, Timestamp)>,
    wait_ms: u64,
    not_before: Timestamp,
    /// Acknowledged in a step whose writes are not to be read back yet.
    floor: u64,
    disputed: bool,
}

/// The next items to send.
pub(crate) struct NextBatch {
    pub(crate) first_sequence: u64,
    pub(crate) items: Vec<(u64, Vec<u8>)>,
}

/// What an acknowledgement meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acknowledged {
    /// The queue went on.
    Further,
    /// Nothing new was applied.
    Nothing,
    /// The receiver claims, for the first time, more than was ever sent.
    Disputed,
}

impl Sender {
    pub(crate) fn new(to: NodeId) -> Self {
        Self {
            to,
            in_flight: None,
            wait_ms: RETRY_WAIT_MS_MIN,
            not_before: Timestamp(0),
            floor: 0,
            disputed: false,
        }
    }

    pub(crate) fn owns(&self, call: CallId) -> bool {
        self.in_flight.is_some_and(|(in_flight, _)| in_flight == call)
    }

    /// The receiver claims to have applied what was never sent: either it lies, or our own database
    /// is an older copy. Nothing may be numbered after such a queue until that is settled, or what
    /// is new would be taken there for what is old and be lost.
    pub(crate) fn is_disputed(&self) -> bool {
        self.disputed
    }

    /// The queue takes no more for now.
    pub(crate) fn is_full(&self, reads: &dyn Reads) -> Looked<bool> {
        let (acknowledged, last) = reads.queue_bounds(&self.to)?;
        Ok(last.saturating_sub(acknowledged) >= QUEUED_COUNT_MAX)
    }

    /// A batch is in flight, or its repetition has to wait.
    pub(crate) fn is_waiting(&self, now: Timestamp) -> bool {
        self.in_flight.is_some_and(|(_, until)| now < until) || now < self.not_before
    }

    /// At most `max` items to send now, unless a batch is in flight, the wait is not over or
    /// nothing waits.
    pub(crate) fn next(
        &self,
        now: Timestamp,
        max: usize,
        reads: &dyn Reads,
    ) -> Looked<Option<NextBatch>> {
        if self.is_waiting(now) {
            return Ok(None);
        }
        let (kept, last) = reads.queue_bounds(&self.to)?;
        let acknowledged = kept.max(self.floor);
        if last <= acknowledged {
            return Ok(None);
        }
        let items = reads.queued(&self.to, acknowledged, max)?;
        Ok(items
            .first()
            .map(|(first, _)| *first)
            .map(|first_sequence| NextBatch { first_sequence, items }))
    }

    pub(crate) fn sent(&mut self, now: Timestamp, call: CallId) {
        self.in_flight = Some((call, Timestamp(now.0.saturating_add(CALL_LOST_MS))));
    }

    /// The receiver has durably applied everything up to `applied`. An acknowledgement that brings
    /// nothing new is a failure: sent again at once, the batch would go round for ever.
    pub(crate) fn acknowledged(
        &mut self,
        now: Timestamp,
        applied: u64,
        reads: &dyn Reads,
        out: &mut Outbox,
    ) -> Acknowledged {
        let Ok((kept, last)) = reads.queue_bounds(&self.to) else {
            self.failed(now);
            return Acknowledged::Nothing;
        };
        if applied > last {
            self.failed(now);
            self.not_before = Timestamp(now.0.saturating_add(DISPUTE_WAIT_MS));
            let known = std::mem::replace(&mut self.disputed, true);
            return if known { Acknowledged::Nothing } else { Acknowledged::Disputed };
        }
        self.disputed = false;
        if applied <= kept.max(self.floor) {
            self.failed(now);
            return Acknowledged::Nothing;
        }
        self.in_flight = None;
        self.wait_ms = RETRY_WAIT_MS_MIN;
        self.floor = applied;
        out.write(Write::Acknowledge { to: self.to.clone(), up_to: applied });
        Acknowledged::Further
    }

    /// The call failed: the same batch goes again after a growing wait.
    pub(crate) fn failed(&mut self, now: Timestamp) {
        self.in_flight = None;
        self.not_before = Timestamp(now.0.saturating_add(self.wait_ms));
        self.wait_ms = (self.wait_ms * 2).min(RETRY_WAIT_MS_MAX);
    }

    /// A reply to the batch of notices in flight.
    pub(crate) fn notified(
        &mut self,
        member: &mut Member,
        now: Timestamp,
        outcome: &Result<Reply, CallFailure>,
        reads: &dyn Reads,
        out: &mut Outbox,
    ) {
        let Ok(Reply::NoticeAck { applied, set_aside }) = outcome else {
            self.failed(now);
            return;
        };
        // Looked up first: the queue forgets what is acknowledged.
        let mut staged = Outbox::new();
        if refused_above(member, now, &self.to, set_aside, reads, &mut staged).is_err() {
            self.failed(now);
            return;
        }
        match self.acknowledged(now, *applied, reads, out) {
            Acknowledged::Further => {
                out.absorb(staged);
                out.again();
            }
            Acknowledged::Nothing => {}
            Acknowledged::Disputed => {
                let entry = member.entry(EntryKind::Stopped, now).terminal(self.to.as_str());
                let remark = "notices stopped: more was acknowledged than was sent";
                member.note(entry.note(remark), out);
            }
        }
    }

    /// Send the next notices that wait.
    pub(crate) fn send_notices(
        &mut self,
        member: &mut Member,
        now: Timestamp,
        reads: &dyn Reads,
        out: &mut Outbox,
    ) {
        let Ok(Some(next)) = self.next(now, BATCH_ITEMS_COUNT_MAX, reads) else { return };
        let read = next.items.iter().map(|(_, payload)| RelayedNotice::decode(payload));
        let Ok(notices) = read.collect::<Result<Vec<_>, _>>() else {
            out.stop("a queued notice cannot be read".to_owned());
            return;
        };
        let call = member.call_id();
        self.sent(now, call);
        let batch = NoticeBatch { first_sequence: next.first_sequence, notices };
        out.notify(call, self.to.clone(), batch);
    }
}
