//! The port in memory: plain maps, no sealing, no files. What the adapter must agree with, and what
//! the lab runs a nation on. Deterministic: everything follows from the calls and the dice.
//!
//! It also shows what a crash takes away: see [`ModelStore::lose_unsynced`].

mod state;

use law::code::RecordCode;
use law::inquiry::Held;
use law::query::Probe;
use ledger::checkpoint::{Checkpoint, signed_checkpoint};
use ledger::note::NoteSigner;
use ledger::{HashReader, MemoryTree, inclusion_proof, leaf_hash, proof, root};
use node::ports::{
    Counter, FactPlace, ForeignEntry, HistoryRow, Looked, NewEntry, OpenEntry, ReadError, Reads,
    Recorded, Space, Store, StoreError, Write,
};
use wire::NodeId;

use crate::Publish;
use crate::erased::Erased;
use crate::fsck::{FsckReport, PopulationDigest};
use crate::month::Month;
use crate::row::entry_time;
use crate::sealing::{entry_without_time, history_of_no_one};
use crate::sqlite::group_failed;
use state::{Op, State};

/// Whether a commit does what it says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Commits {
    /// A commit is durable when it returns.
    #[default]
    Durable,
    /// A commit returns `Ok` and is durable only after the next honest one: a disk that lies.
    Lying,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    Idle,
    Open,
    Failed,
}

/// A role's store in memory.
#[derive(Debug)]
pub struct ModelStore {
    origin: String,
    /// What reads see.
    now: State,
    /// What a crash leaves.
    durable: State,
    /// Committed by a disk that lied.
    unsynced: Vec<Op>,
    /// Applied and not committed.
    pending: Vec<Op>,
    group: Group,
    commits: Commits,
    /// Entries that may be published.
    entries_committed: u64,
    tree: MemoryTree,
    latest: Option<(Checkpoint, String)>,
}

impl ModelStore {
    /// An empty store.
    pub fn new(origin: &str) -> Self {
        Self {
            origin: origin.to_owned(),
            now: State::default(),
            durable: State::default(),
            unsynced: Vec::new(),
            pending: Vec::new(),
            group: Group::Idle,
            commits: Commits::Durable,
            entries_committed: 0,
            tree: MemoryTree::new(),
            latest: None,
        }
    }

    /// Say whether commits from now on are to be believed.
    pub fn set_commits(&mut self, commits: Commits) {
        self.commits = commits;
    }

    /// A crash and a restart: the open group is lost, and so is whatever a lying disk had promised.
    /// What was published stays, as files do.
    ///
    /// # Errors
    /// [`StoreError::LedgerAhead`], as at the start of the real store, when the published
    /// checkpoint covers what was lost.
    pub fn lose_unsynced(&mut self) -> Result<(), StoreError> {
        self.pending.clear();
        self.unsynced.clear();
        self.now = self.durable.clone();
        self.group = Group::Idle;
        self.entries_committed = self.durable.entries_count();
        let Some((checkpoint, _)) = &self.latest else {
            self.tree = MemoryTree::new();
            return Ok(());
        };
        let ahead =
            StoreError::LedgerAhead { ledger: checkpoint.size, store: self.entries_committed };
        if checkpoint.size > self.entries_committed {
            return Err(ahead);
        }
        let mut tree = MemoryTree::new();
        for data in self.durable.leaves(0, checkpoint.size) {
            tree.append(leaf_hash(&data));
        }
        match root(&tree, checkpoint.size) {
            Ok(root) if root == checkpoint.root => {
                self.tree = tree;
                Ok(())
            }
            _ => Err(ahead),
        }
    }

    /// Counts and the population digests, comparable with the real store's.
    pub fn fsck(&self) -> FsckReport {
        let mut report = FsckReport { ok: true, ..FsckReport::default() };
        let mut population = PopulationDigest::default();
        for held in self.now.residents() {
            if population.add(held).is_err() {
                report.fault("a person has no canonical form", "resident");
            }
        }
        report.residents = self.now.present_count();
        report.entries = self.now.entries_count();
        report.population_digest = population.finish();
        report
    }

    /// Erase everything whose month of expiry lies before `month`, durably, as the real store does.
    ///
    /// # Errors
    /// Refused while a group is open.
    pub fn erase_cohorts_before(&mut self, month: Month) -> Result<Erased, StoreError> {
        if self.group != Group::Idle {
            return Err(StoreError::Io("a group is open; commit or roll it back first".into()));
        }
        let erased = self.now.erase(month);
        self.unsynced.push(Op::Erase(month));
        self.commit()?;
        Ok(erased)
    }

    fn perform(&mut self, op: Op) {
        self.now.perform(&op);
        self.pending.push(op);
    }

    fn apply_all(
        &mut self,
        writes: &[Write],
        entries: &[NewEntry],
        dice: law::Dice<'_>,
    ) -> Result<Vec<Recorded>, StoreError> {
        for write in writes {
            if let Write::PutForeign { entry, .. } = write {
                entry_time(&entry.entry).map_err(|_| entry_without_time())?;
            }
            if !matches!(write, Write::AppendHistory { .. }) {
                self.perform(Op::Write(write.clone()));
            }
        }
        // History belongs to whoever has the code when all is applied, so it comes last.
        for write in writes {
            if let Write::AppendHistory { code, .. } = write {
                if self.now.resident(code).is_none() {
                    return Err(history_of_no_one());
                }
                self.perform(Op::Write(write.clone()));
            }
        }
        let mut recorded = Vec::with_capacity(entries.len());
        for new in entries {
            let first_index = self.now.entries_count();
            for leaf in &new.leaves {
                entry_time(&leaf.entry).map_err(|_| entry_without_time())?;
                let mut salt = [0u8; 32];
                dice(&mut salt);
                self.perform(Op::Leaf { leaf: leaf.clone(), salt });
            }
            let count = self.now.entries_count().saturating_sub(first_index);
            recorded.push(Recorded { entry: new.id, first_index, count });
        }
        Ok(recorded)
    }

    fn abandon(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        self.pending.clear();
        self.now = self.durable.clone();
        for op in &self.unsynced {
            self.now.perform(op);
        }
    }
}

impl Store for ModelStore {
    fn reads(&self) -> &dyn Reads {
        self
    }

    fn apply(
        &mut self,
        writes: &[Write],
        entries: &[NewEntry],
        dice: law::Dice<'_>,
    ) -> Result<Vec<Recorded>, StoreError> {
        if self.group == Group::Failed {
            return Err(group_failed());
        }
        self.group = Group::Open;
        let result = self.apply_all(writes, entries, dice);
        if result.is_err() {
            self.abandon();
            self.group = Group::Failed;
        }
        result
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        if self.group == Group::Failed {
            return Err(group_failed());
        }
        self.unsynced.append(&mut self.pending);
        if self.commits == Commits::Durable {
            for op in self.unsynced.drain(..) {
                self.durable.perform(&op);
            }
        }
        self.entries_committed = self.now.entries_count();
        self.group = Group::Idle;
        Ok(())
    }

    fn rollback(&mut self) {
        self.abandon();
        self.group = Group::Idle;
    }

    fn origin(&self) -> &str {
        &self.origin
    }
}

impl Publish for ModelStore {
    fn publish(&mut self, signer: &dyn NoteSigner) -> Result<Checkpoint, StoreError> {
        if let Some((checkpoint, _)) = &self.latest
            && checkpoint.size == self.entries_committed
        {
            return Ok(checkpoint.clone());
        }
        for data in self.now.leaves(self.tree.size(), self.entries_committed) {
            self.tree.append(leaf_hash(&data));
        }
        let key = |error: &dyn std::fmt::Display| StoreError::Key(error.to_string());
        let size = self.tree.size();
        let root = root(&self.tree, size).map_err(|error| key(&error))?;
        let checkpoint = Checkpoint { origin: self.origin.clone(), size, root };
        let note = signed_checkpoint(&checkpoint, signer).map_err(|error| key(&error))?;
        self.latest = Some((checkpoint.clone(), note));
        Ok(checkpoint)
    }

    fn unpublished(&self) -> u64 {
        let size = self.latest.as_ref().map_or(0, |(checkpoint, _)| checkpoint.size);
        self.entries_committed.saturating_sub(size)
    }
}

impl Reads for ModelStore {
    fn resident(&self, code: &RecordCode) -> Looked<Option<Held>> {
        Ok(self.now.resident(code).cloned())
    }

    fn candidates(&self, probe: &Probe, max: usize) -> Looked<Vec<Held>> {
        Ok(self.now.candidates(probe, max.saturating_add(1)))
    }

    fn counter(&self, counter: &Counter) -> Looked<u64> {
        Ok(self.now.counter(counter))
    }

    fn queued(&self, to: &NodeId, after: u64, max: usize) -> Looked<Vec<(u64, Vec<u8>)>> {
        Ok(self.now.queued(to, after, max))
    }

    fn queue_bounds(&self, to: &NodeId) -> Looked<(u64, u64)> {
        Ok(self.now.queue_bounds(to))
    }

    fn request_seen(&self, request: &[u8; 16]) -> Looked<bool> {
        Ok(self.now.request_seen(request))
    }

    fn directory(&self) -> Looked<Option<Vec<u8>>> {
        Ok(self.now.directory())
    }

    fn entries_about(&self, code: &RecordCode, max: usize) -> Looked<Vec<OpenEntry>> {
        Ok(self.now.entries_about(code, max))
    }

    fn entries_from(&self, first: u64, max: usize) -> Looked<Vec<OpenEntry>> {
        Ok(self.now.entries_from(first, max))
    }

    fn foreign_about(&self, code: &RecordCode, max: usize) -> Looked<Vec<ForeignEntry>> {
        Ok(self.now.foreign_about(code, max))
    }

    fn proof(&self, index: u64) -> Looked<Option<String>> {
        let Some((checkpoint, note)) = &self.latest else { return Ok(None) };
        if index >= checkpoint.size {
            return Ok(None);
        }
        let reader: &dyn HashReader = &self.tree;
        let hashes = inclusion_proof(reader, index, checkpoint.size)
            .map_err(|error| ReadError::Store(error.to_string()))?;
        Ok(Some(proof::encode(index, &hashes, note)))
    }

    fn checkpoint(&self) -> Looked<Option<String>> {
        Ok(self.latest.as_ref().map(|(_, note)| note.clone()))
    }

    fn history(&self, code: &RecordCode, max: usize) -> Looked<Vec<HistoryRow>> {
        Ok(self.now.history(code, max))
    }

    fn residents_count(&self) -> Looked<u64> {
        Ok(self.now.present_count())
    }

    fn entries_count(&self) -> Looked<u64> {
        Ok(self.now.entries_count())
    }

    fn fact(&self, space: Space, key: &[u8]) -> Looked<Option<Vec<u8>>> {
        Ok(self.now.fact(space, key))
    }

    fn facts(
        &self,
        space: Space,
        after: Option<FactPlace>,
        max: usize,
    ) -> Looked<Vec<(FactPlace, Vec<u8>)>> {
        Ok(self.now.facts(space, after, max))
    }

    fn facts_count(&self, space: Space) -> Looked<u64> {
        Ok(self.now.facts_count(space))
    }

    fn residents_after(&self, row: u64, max: usize) -> Looked<Vec<(u64, Held)>> {
        Ok(self.now.residents_after(row, max))
    }
}
