//! A store of which some rows do not open: what a flipped bit in a sealed row looks like to a
//! machine. An error each time, never other data.

use law::code::RecordCode;
use law::inquiry::Held;
use law::query::Probe;
use node::ports::{
    Counter, FactPlace, ForeignEntry, HistoryRow, Looked, OpenEntry, ReadError, Reads, Space,
};
use wire::NodeId;

use crate::draw::Draw;

/// Which rows do not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rotten {
    Residents,
    History,
    Queues,
    Entries,
    Facts,
    /// The disk does not answer at all.
    Everything,
}

impl Rotten {
    pub(super) fn draw(draw: &mut Draw) -> Self {
        match draw.below(6) {
            0 => Self::Residents,
            1 => Self::History,
            2 => Self::Queues,
            3 => Self::Entries,
            4 => Self::Facts,
            _ => Self::Everything,
        }
    }
}

/// What a machine reads through for one step.
pub(super) struct Flaky<'s> {
    pub(super) store: &'s dyn Reads,
    pub(super) rotten: Rotten,
}

impl Flaky<'_> {
    fn opens(&self, kind: Rotten, table: &'static str) -> Looked<()> {
        match self.rotten {
            Rotten::Everything => Err(ReadError::Store("the disk does not answer".to_owned())),
            rotten if rotten == kind => Err(ReadError::Sealed { table }),
            _ => Ok(()),
        }
    }
}

impl Reads for Flaky<'_> {
    fn resident(&self, code: &RecordCode) -> Looked<Option<Held>> {
        self.opens(Rotten::Residents, "resident")?;
        self.store.resident(code)
    }

    fn candidates(&self, probe: &Probe, max: usize) -> Looked<Vec<Held>> {
        self.opens(Rotten::Residents, "resident")?;
        self.store.candidates(probe, max)
    }

    fn counter(&self, counter: &Counter) -> Looked<u64> {
        self.opens(Rotten::Everything, "counter")?;
        self.store.counter(counter)
    }

    fn queued(&self, to: &NodeId, after: u64, max: usize) -> Looked<Vec<(u64, Vec<u8>)>> {
        self.opens(Rotten::Queues, "queue")?;
        self.store.queued(to, after, max)
    }

    fn queue_bounds(&self, to: &NodeId) -> Looked<(u64, u64)> {
        self.opens(Rotten::Everything, "queue")?;
        self.store.queue_bounds(to)
    }

    fn request_seen(&self, request: &[u8; 16]) -> Looked<bool> {
        self.opens(Rotten::Everything, "request")?;
        self.store.request_seen(request)
    }

    fn directory(&self) -> Looked<Option<Vec<u8>>> {
        self.opens(Rotten::Everything, "directory")?;
        self.store.directory()
    }

    fn entries_about(&self, code: &RecordCode, max: usize) -> Looked<Vec<OpenEntry>> {
        self.opens(Rotten::Entries, "entry")?;
        self.store.entries_about(code, max)
    }

    fn entries_from(&self, first: u64, max: usize) -> Looked<Vec<OpenEntry>> {
        self.opens(Rotten::Entries, "entry")?;
        self.store.entries_from(first, max)
    }

    fn foreign_about(&self, code: &RecordCode, max: usize) -> Looked<Vec<ForeignEntry>> {
        self.opens(Rotten::Entries, "foreign")?;
        self.store.foreign_about(code, max)
    }

    fn proof(&self, index: u64) -> Looked<Option<String>> {
        self.opens(Rotten::Everything, "ledger")?;
        self.store.proof(index)
    }

    fn checkpoint(&self) -> Looked<Option<String>> {
        self.opens(Rotten::Everything, "ledger")?;
        self.store.checkpoint()
    }

    fn history(&self, code: &RecordCode, max: usize) -> Looked<Vec<HistoryRow>> {
        self.opens(Rotten::History, "history")?;
        self.store.history(code, max)
    }

    fn residents_count(&self) -> Looked<u64> {
        self.opens(Rotten::Everything, "resident")?;
        self.store.residents_count()
    }

    fn entries_count(&self) -> Looked<u64> {
        self.opens(Rotten::Everything, "entry")?;
        self.store.entries_count()
    }

    fn fact(&self, space: Space, key: &[u8]) -> Looked<Option<Vec<u8>>> {
        self.opens(Rotten::Facts, "fact")?;
        self.store.fact(space, key)
    }

    fn facts(
        &self,
        space: Space,
        after: Option<FactPlace>,
        max: usize,
    ) -> Looked<Vec<(FactPlace, Vec<u8>)>> {
        self.opens(Rotten::Facts, "fact")?;
        self.store.facts(space, after, max)
    }

    fn facts_count(&self, space: Space) -> Looked<u64> {
        self.opens(Rotten::Facts, "fact")?;
        self.store.facts_count(space)
    }

    fn residents_after(&self, row: u64, max: usize) -> Looked<Vec<(u64, Held)>> {
        self.opens(Rotten::Residents, "resident")?;
        self.store.residents_after(row, max)
    }
}
