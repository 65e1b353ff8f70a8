//! The trees of one side of the comparison, and the walk over the register that fills them.
//!
//! The walk never ends: what stands in the register is read again and again, some rows at a time,
//! so that a row that was altered behind this node's back is noticed without a restart. Changes
//! that this node makes itself enter at once. Only residents who are current in a municipality are
//! compared: whoever was removed is kept for different terms by the tiers (FACTS §2.4).

use std::collections::BTreeMap;

use law::code::{LocalGovernmentCode, RecordCode};
use law::inquiry::Held;
use law::time::Timestamp;

use super::tree::{Key, Tree};
use crate::ports::{Looked, Reads, Write};

/// Rows of one step while a tree is being filled: about ten milliseconds.
const FILL_ROWS_COUNT_MAX: usize = 2_000;
/// Rows of one step when all trees are filled: about one millisecond.
const REFRESH_ROWS_COUNT_MAX: usize = 250;
/// Shortest time between two steps, milliseconds.
const STEP_MS_MIN: u64 = 100;
/// Row numbers that are tried one by one after a row that does not open.
const SINGLE_ROWS_COUNT_MAX: usize = 256;
/// A tree that nobody asked about for so long is felled.
const UNUSED_MS_MAX: u64 = 900_000;
/// Every municipality and ward of the country, on both sides.
const TREES_COUNT_MAX: usize = 4_096;

/// Who drew the key: this node, to ask the tier above, or the tier below, which asks this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Asking,
    Answering,
}

impl Side {
    const BOTH: [Self; 2] = [Self::Asking, Self::Answering];
}

type Plot = (LocalGovernmentCode, Side);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Walk {
    Resting,
    Reading { after: u64 },
    Sweeping { after: Option<Plot> },
}

/// The trees, by municipality and side. One walk fills both sides, so that what one of them says is
/// true of the other.
#[derive(Debug)]
pub(crate) struct Forest {
    trees: BTreeMap<Plot, Tree>,
    walk: Walk,
    number: u64,
    began: Timestamp,
    next_step: Timestamp,
    refresh_ms: u64,
    /// Rows of the walk under way, and of the last whole one, that did not open.
    damaged: u64,
    damaged_before: u64,
}

impl Forest {
    /// `refresh_ms`: how often the whole register is read again, if it can be read in that time.
    pub(crate) fn new(refresh_ms: u64) -> Self {
        Self {
            trees: BTreeMap::new(),
            walk: Walk::Resting,
            number: 1,
            began: Timestamp(0),
            next_step: Timestamp(0),
            refresh_ms,
            damaged: 0,
            damaged_before: 0,
        }
    }

    /// The key of one side is no longer in use.
    pub(crate) fn clear(&mut self, side: Side) {
        self.trees.retain(|(_, of), _| *of != side);
    }

    /// The tree of that municipality under that key, once it is filled; planted when it is missing
    /// or was filled under another key.
    pub(crate) fn tree(&mut self, plot: Plot, key: &Key, now: Timestamp) -> Option<&Tree> {
        let known = self.trees.get(&plot).is_some_and(|tree| tree.key() == key);
        if !known {
            if self.trees.len() >= TREES_COUNT_MAX && !self.trees.contains_key(&plot) {
                return None;
            }
            let filled = self.trees.values().all(|tree| tree.complete);
            self.trees.insert(plot, Tree::new(*key, self.number, now));
            if filled {
                self.begin(now);
            }
        }
        let tree = self.trees.get_mut(&plot)?;
        tree.used = now;
        Some(&*tree).filter(|tree| tree.complete)
    }

    /// The tree as it stands, if it is filled.
    pub(crate) fn filled(&self, plot: &Plot) -> Option<&Tree> {
        self.trees.get(plot).filter(|tree| tree.complete)
    }

    /// When the register was last found to be other than this node's own changes explain, in what
    /// it holds of this municipality.
    pub(crate) fn disturbed(&self, municipality: &LocalGovernmentCode) -> Option<Timestamp> {
        let of = Side::BOTH.map(|side| self.trees.get(&(*municipality, side)));
        of.into_iter().flatten().map(|tree| tree.disturbed).max()
    }

    /// Rows of the register that did not open in the last whole walk or in this one.
    pub(crate) fn damaged(&self) -> u64 {
        self.damaged.max(self.damaged_before)
    }

    fn begin(&mut self, now: Timestamp) {
        self.number += 1;
        self.walk = Walk::Reading { after: 0 };
        self.began = now;
        self.damaged = 0;
    }

    /// One step of the walk.
    pub(crate) fn tick(&mut self, now: Timestamp, reads: &dyn Reads) {
        if self.trees.is_empty() || now < self.next_step {
            return;
        }
        self.next_step = now.plus_ms(STEP_MS_MIN);
        match self.walk {
            Walk::Resting => {
                self.trees.retain(|_, tree| now.0 < tree.used.0.saturating_add(UNUSED_MS_MAX));
                let unfilled = self.trees.values().any(|tree| !tree.complete);
                if unfilled || now.0 >= self.began.0.saturating_add(self.refresh_ms) {
                    self.begin(now);
                }
            }
            Walk::Reading { after } => self.read(now, after, reads),
            Walk::Sweeping { after } => self.sweep(now, after),
        }
    }

    fn read(&mut self, now: Timestamp, after: u64, reads: &dyn Reads) {
        let unfilled = self.trees.values().any(|tree| !tree.complete);
        let max = if unfilled { FILL_ROWS_COUNT_MAX } else { REFRESH_ROWS_COUNT_MAX };
        let (rows, last) = match reads.residents_after(after, max) {
            Ok(rows) => {
                let last = (rows.len() >= max).then(|| rows.last().map(|(row, _)| *row));
                (rows, last.flatten())
            }
            Err(_) => self.one_by_one(after, reads),
        };
        for (_, held) in &rows {
            self.seen(now, held);
        }
        self.walk = match last {
            Some(after) => Walk::Reading { after },
            None => Walk::Sweeping { after: None },
        };
    }

    /// A row among the next ones does not open: take the others. It counts as missing here.
    fn one_by_one(&mut self, mut after: u64, reads: &dyn Reads) -> (Vec<(u64, Held)>, Option<u64>) {
        let mut rows = Vec::new();
        for _ in 0..SINGLE_ROWS_COUNT_MAX {
            match reads.residents_after(after, 1) {
                Ok(one) => match one.into_iter().next() {
                    Some((row, held)) => {
                        after = row;
                        rows.push((row, held));
                    }
                    None => return (rows, None),
                },
                Err(_) => {
                    self.damaged += 1;
                    after = after.saturating_add(1);
                }
            }
        }
        (rows, Some(after))
    }

    fn seen(&mut self, now: Timestamp, held: &Held) {
        let number = self.number;
        if held.removed {
            return;
        }
        for side in Side::BOTH {
            let plot = (held.identity.municipality, side);
            let Some(tree) = self.trees.get_mut(&plot) else { continue };
            let (_, different) = tree.put(held, number);
            if different && tree.complete {
                tree.disturbed = now;
            }
        }
    }

    fn sweep(&mut self, now: Timestamp, after: Option<Plot>) {
        let number = self.number;
        let next = self.trees.iter_mut().find(|(plot, _)| after.is_none_or(|last| **plot > last));
        let Some((plot, tree)) = next else {
            self.damaged_before = self.damaged;
            self.walk = Walk::Resting;
            return;
        };
        if tree.sweep(number) && tree.complete {
            tree.disturbed = now;
        }
        if !tree.complete && number > tree.since {
            tree.complete = true;
            tree.disturbed = now;
        }
        self.walk = Walk::Sweeping { after: Some(*plot) };
        // Small trees take no time: the next one need not wait.
        if tree.count() < FILL_ROWS_COUNT_MAX as u64 {
            self.next_step = now;
        }
    }

    /// Take over what this step of the node changes. `reads` still shows what stood before.
    /// If the register cannot be read, all trees are felled, to be filled again.
    pub(crate) fn observe(&mut self, writes: &[Write], reads: &dyn Reads) {
        if self.trees.is_empty() {
            return;
        }
        let mut here = BTreeMap::new();
        for write in writes {
            let done = match write {
                Write::PutResident(held) => self.changed(held, reads, &mut here),
                Write::ReplaceCode { previous, held } => self
                    .gone(previous, reads, &mut here)
                    .and_then(|()| self.changed(held, reads, &mut here)),
                _ => Ok(()),
            };
            if done.is_err() {
                self.trees.clear();
                return;
            }
        }
    }

    fn changed(&mut self, held: &Held, reads: &dyn Reads, here: &mut Here) -> Looked<()> {
        let (code, number) = (held.identity.code, self.number);
        let municipality = held.identity.municipality;
        let (mut known, mut stands) = (true, false);
        for side in Side::BOTH {
            let Some(tree) = self.trees.get_mut(&(municipality, side)) else { continue };
            stands = true;
            known &= if held.removed {
                let place = tree.place(&code);
                tree.remove(place)
            } else {
                tree.put(held, number).0
            };
        }
        known &= stands;
        if !known {
            // Perhaps the person stood in another municipality until now.
            let before = match here.get(&code) {
                Some(before) => *before,
                None => reads.resident(&code)?.map(|held| held.identity.municipality),
            };
            if let Some(before) = before.filter(|before| *before != municipality) {
                self.take_out(before, &code);
            }
        }
        here.insert(code, Some(municipality));
        Ok(())
    }

    fn gone(&mut self, code: &RecordCode, reads: &dyn Reads, here: &mut Here) -> Looked<()> {
        let before = match here.get(code) {
            Some(before) => *before,
            None => reads.resident(code)?.map(|held| held.identity.municipality),
        };
        if let Some(before) = before {
            self.take_out(before, code);
        }
        here.insert(*code, None);
        Ok(())
    }

    fn take_out(&mut self, municipality: LocalGovernmentCode, code: &RecordCode) {
        for side in Side::BOTH {
            if let Some(tree) = self.trees.get_mut(&(municipality, side)) {
                let place = tree.place(code);
                tree.remove(place);
            }
        }
    }
}

/// Where persons stand after the writes of this step so far.
type Here = BTreeMap<RecordCode, Option<LocalGovernmentCode>>;
