//! The sending side of a durable queue: one batch in flight, acknowledged by the receiver's own
//! count, sent again until it is.
//!
//! Exactly once is the receiver's work (it applies sequence numbers once); in order is both sides'.

use law::time::Timestamp;
use wire::NodeId;

use crate::machine::CallId;
use crate::outbox::Outbox;
use crate::ports::{Looked, Reads, Write};

/// Most items in one batch: with about 400 bytes each a batch stays far below a frame's limit.
pub(crate) const BATCH_ITEMS_COUNT_MAX: usize = wire::limits::BATCH_NOTICES_COUNT_MAX;
/// First wait after a failed call, milliseconds; doubled up to [`RETRY_WAIT_MS_MAX`].
pub(crate) const RETRY_WAIT_MS_MIN: u64 = 100;
/// Longest wait between tries. A tier that was away for days is found again within this time.
pub(crate) const RETRY_WAIT_MS_MAX: u64 = 2_000;

/// One queue's sender.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) to: NodeId,
    in_flight: Option<CallId>,
    wait_ms: u64,
    not_before: Timestamp,
    /// Acknowledged in a step whose writes are not to be read back yet.
    floor: u64,
}

/// The next items to send.
pub(crate) struct NextBatch {
    pub(crate) first_sequence: u64,
    pub(crate) items: Vec<(u64, Vec<u8>)>,
}

impl Sender {
    pub(crate) fn new(to: NodeId) -> Self {
        Self { to, in_flight: None, wait_ms: RETRY_WAIT_MS_MIN, not_before: Timestamp(0), floor: 0 }
    }

    pub(crate) fn owns(&self, call: CallId) -> bool {
        self.in_flight == Some(call)
    }

    /// The items to send now, unless a batch is in flight, the wait is not over or nothing waits.
    pub(crate) fn next(&self, now: Timestamp, reads: &dyn Reads) -> Looked<Option<NextBatch>> {
        if self.in_flight.is_some() || now < self.not_before {
            return Ok(None);
        }
        let (kept, last) = reads.queue_bounds(&self.to)?;
        let acknowledged = kept.max(self.floor);
        if last <= acknowledged {
            return Ok(None);
        }
        let items = reads.queued(&self.to, acknowledged, BATCH_ITEMS_COUNT_MAX)?;
        Ok(items
            .first()
            .map(|(first, _)| *first)
            .map(|first_sequence| NextBatch { first_sequence, items }))
    }

    pub(crate) fn sent(&mut self, call: CallId) {
        self.in_flight = Some(call);
    }

    /// The receiver has durably applied everything up to `applied`.
    pub(crate) fn acknowledged(&mut self, applied: u64, reads: &dyn Reads, out: &mut Outbox) {
        self.in_flight = None;
        self.wait_ms = RETRY_WAIT_MS_MIN;
        let Ok((acknowledged, last)) = reads.queue_bounds(&self.to) else { return };
        if applied > last {
            // It claims what was never sent: our database is an older copy, or it lies.
            let to = &self.to;
            out.stop(format!("{to} has applied {applied} of a queue that ends at {last}"));
        } else if applied > acknowledged {
            self.floor = applied;
            out.write(Write::Acknowledge { to: self.to.clone(), up_to: applied });
        }
    }

    /// The call failed: the same batch goes again after a growing wait.
    pub(crate) fn failed(&mut self, now: Timestamp) {
        self.in_flight = None;
        self.not_before = Timestamp(now.0.saturating_add(self.wait_ms));
        self.wait_ms = (self.wait_ms * 2).min(RETRY_WAIT_MS_MAX);
    }
}
