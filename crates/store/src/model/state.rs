//! The plain maps of [`super::ModelStore`], and how each write changes them. Total: whatever could
//! be refused was refused before it came here.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use law::code::RecordCode;
use law::inquiry::Held;
use law::query::{Probe, terms};
use law::retention::provision;
use law::time::Timestamp;
use ledger::commitment;
use node::ports::{Counter, FactPlace, ForeignEntry, HistoryRow, Leaf, OpenEntry, Space, Write};
use sha2::{Digest as _, Sha256};
use wire::NodeId;

use crate::erased::Erased;
use crate::month::Month;
use crate::row::{ResidentRow, entry_time};

/// One change, complete: performing it again on another copy gives the same.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Write(Write),
    Leaf {
        leaf: Leaf,
        salt: [u8; 32],
    },
    /// Everything whose month of expiry lies before this one.
    Erase(Month),
}

/// A row of history: whose, until when, what.
#[derive(Clone)]
struct Earlier {
    person: u64,
    expires: Month,
    row: HistoryRow,
}

/// An own entry; its content goes, its commitment stays.
#[derive(Clone)]
struct Kept {
    leaf: Option<Leaf>,
    salt: [u8; 32],
    data: [u8; 32],
    expires: Month,
}

/// Another ledger's entry.
#[derive(Clone)]
struct Foreign {
    subject: RecordCode,
    entry: ForeignEntry,
    expires: Month,
}

#[derive(Clone, Debug, Default)]
struct Queue {
    acknowledged: u64,
    last: u64,
    items: BTreeMap<u64, Vec<u8>>,
}

/// Everything one store holds.
#[derive(Clone, Default)]
pub(super) struct State {
    residents: BTreeMap<u64, ResidentRow>,
    by_code: BTreeMap<String, u64>,
    terms: BTreeMap<(u8, String), BTreeSet<u64>>,
    /// Removed residents whose rows have an end.
    expiring: BTreeMap<u64, Month>,
    /// Oldest first.
    history: Vec<Earlier>,
    entries: Vec<Kept>,
    foreign: Vec<Foreign>,
    erased_before: Option<Month>,
    queues: BTreeMap<NodeId, Queue>,
    counters: BTreeMap<Counter, u64>,
    requests: BTreeMap<[u8; 16], u64>,
    directory: Option<Vec<u8>>,
    facts: BTreeMap<(Space, FactPlace), Vec<u8>>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("residents", &self.residents.len())
            .field("entries", &self.entries.len())
            .finish_non_exhaustive()
    }
}

impl State {
    pub(super) fn perform(&mut self, op: &Op) {
        match op {
            Op::Leaf { leaf, salt } => {
                let data = commitment(salt, &leaf.entry);
                let expires = self.entry_month(&leaf.entry);
                self.entries.push(Kept { leaf: Some(leaf.clone()), salt: *salt, data, expires });
            }
            Op::Erase(month) => {
                self.erase(*month);
            }
            Op::Write(write) => self.write(write),
        }
    }

    fn write(&mut self, write: &Write) {
        match write {
            Write::PutResident(held) => self.put_resident(held),
            Write::ReplaceCode { previous, held } => self.replace_code(previous, held),
            Write::ExpireResident { code, until } => {
                if let Some(id) = self.id_of(code) {
                    match until {
                        Some(until) => {
                            let month = self.open_month(Month::of_date(*until));
                            self.expiring.insert(id, month);
                        }
                        None => {
                            self.expiring.remove(&id);
                        }
                    }
                }
            }
            Write::AppendHistory { code, row, until } => {
                let expires = self.open_month(Month::of_date(*until));
                let id = self.id_of(code);
                self.history.extend(id.map(|person| Earlier { person, expires, row: row.clone() }));
            }
            Write::SetCounter(counter, value) => {
                let kept = self.counters.entry(counter.clone()).or_default();
                *kept = (*kept).max(*value);
            }
            Write::Enqueue { to, payload } => {
                let queue = self.queues.entry(to.clone()).or_default();
                queue.last = queue.last.saturating_add(1);
                queue.items.insert(queue.last, payload.clone());
            }
            Write::Acknowledge { to, up_to } => {
                if let Some(queue) = self.queues.get_mut(to) {
                    queue.acknowledged = queue.acknowledged.max((*up_to).min(queue.last));
                    queue.items.retain(|sequence, _| sequence > up_to);
                }
            }
            Write::RequestSeen { request, until } => {
                let kept = self.requests.entry(*request).or_default();
                *kept = (*kept).max(until.0);
            }
            Write::ForgetRequestsBefore(before) => {
                let forgotten = self.requests.values().filter(|until| **until < before.0);
                if let Some(latest) = forgotten.copied().max() {
                    let counter = self.counters.entry(Counter::RequestsForgotten).or_default();
                    *counter = (*counter).max(latest);
                }
                self.requests.retain(|_, until| *until >= before.0);
            }
            Write::PutDirectory(bytes) => self.directory = Some(bytes.clone()),
            Write::PutForeign { subject, entry } => {
                let expires = self.entry_month(&entry.entry);
                self.foreign.push(Foreign { subject: *subject, entry: entry.clone(), expires });
            }
            Write::PutFact { space, key, value } => {
                self.facts.insert((*space, fact_place(key)), value.clone());
            }
            Write::DropFact { space, key } => {
                self.facts.remove(&(*space, fact_place(key)));
            }
        }
    }

    pub(super) fn fact(&self, space: Space, key: &[u8]) -> Option<Vec<u8>> {
        self.facts.get(&(space, fact_place(key))).cloned()
    }

    pub(super) fn facts(
        &self,
        space: Space,
        after: Option<FactPlace>,
        max: usize,
    ) -> Vec<(FactPlace, Vec<u8>)> {
        let first =
            after.map_or(Bound::Included((space, [0; 16])), |at| Bound::Excluded((space, at)));
        self.facts
            .range((first, Bound::Included((space, [0xff; 16]))))
            .take(max)
            .map(|((_, place), value)| (*place, value.clone()))
            .collect()
    }

    pub(super) fn facts_count(&self, space: Space) -> u64 {
        count(self.facts.keys().filter(|(of, _)| *of == space).count())
    }

    pub(super) fn residents_after(&self, row: u64, max: usize) -> Vec<(u64, Held)> {
        let Some(first) = row.checked_add(1) else { return Vec::new() };
        self.residents.range(first..).take(max).map(|(id, row)| (*id, row.held.clone())).collect()
    }

    /// As the adapter erases: history first, then whoever has none left.
    pub(super) fn erase(&mut self, month: Month) -> Erased {
        let mut done = Erased { history: self.history.len(), ..Erased::default() };
        self.history.retain(|earlier| earlier.expires >= month);
        done.history -= self.history.len();
        done.foreign = self.foreign.len();
        self.foreign.retain(|foreign| foreign.expires >= month);
        done.foreign -= self.foreign.len();
        for kept in self.entries.iter_mut().filter(|kept| kept.expires < month) {
            done.entries += usize::from(kept.leaf.take().is_some());
        }
        let ended: Vec<u64> =
            self.expiring.iter().filter(|(_, end)| **end < month).map(|(id, _)| *id).collect();
        for id in ended {
            let later = self.history.iter().filter(|earlier| earlier.person == id);
            match later.map(|earlier| earlier.expires).max() {
                Some(longest) => {
                    self.expiring.insert(id, longest);
                }
                None => {
                    self.remove(id);
                    done.residents += 1;
                }
            }
        }
        self.erased_before = self.erased_before.max(Some(month));
        done
    }

    fn open_month(&self, month: Month) -> Month {
        self.erased_before.map_or(month, |erased| month.max(erased))
    }

    /// Whatever has no time was refused before it came here.
    fn entry_month(&self, entry: &[u8]) -> Month {
        let at = entry_time(entry).unwrap_or(Timestamp(0));
        self.open_month(Month::of_date(provision(at.date_in_japan())))
    }

    fn id_of(&self, code: &RecordCode) -> Option<u64> {
        self.by_code.get(code.expose()).copied()
    }

    fn put_resident(&mut self, held: &Held) {
        match self.id_of(&held.identity.code) {
            Some(id) => {
                let former = self.remove(id).map(|row| row.former).unwrap_or_default();
                self.insert(id, ResidentRow::new(held.clone(), former));
            }
            None => {
                // Numbered as the adapter does, so that both give candidates in the same order.
                let id = self.residents.last_key_value().map_or(1, |(id, _)| id.saturating_add(1));
                self.insert(id, ResidentRow::new(held.clone(), []));
            }
        }
    }

    fn replace_code(&mut self, previous: &RecordCode, held: &Held) {
        let code = &held.identity.code;
        let Some(id) = self.id_of(previous).filter(|_| previous != code) else {
            return self.put_resident(held);
        };
        let mut codes = self.remove(id).map(|row| row.former).unwrap_or_default();
        if let Some(other) = self.id_of(code) {
            codes.extend(self.remove(other).map(|row| row.former).unwrap_or_default());
            for earlier in &mut self.history {
                if earlier.person == other {
                    earlier.person = id;
                }
            }
        }
        codes.push(*previous);
        self.insert(id, ResidentRow::new(held.clone(), codes));
    }

    fn insert(&mut self, id: u64, row: ResidentRow) {
        self.by_code.insert(row.held.identity.code.expose().to_owned(), id);
        for term in terms(&row.held.identity) {
            self.terms.entry((term.kind.number(), term.text)).or_default().insert(id);
        }
        self.residents.insert(id, row);
    }

    fn remove(&mut self, id: u64) -> Option<ResidentRow> {
        let row = self.residents.remove(&id)?;
        self.expiring.remove(&id);
        self.by_code.remove(row.held.identity.code.expose());
        for term in terms(&row.held.identity) {
            let key = (term.kind.number(), term.text);
            if let Some(people) = self.terms.get_mut(&key) {
                people.remove(&id);
                if people.is_empty() {
                    self.terms.remove(&key);
                }
            }
        }
        Some(row)
    }

    fn row_of(&self, code: &RecordCode) -> Option<&ResidentRow> {
        self.residents.get(&self.id_of(code)?)
    }

    fn codes_of(&self, code: &RecordCode) -> Vec<RecordCode> {
        let former = self.row_of(code).map(|row| row.former.clone()).unwrap_or_default();
        std::iter::once(*code).chain(former).collect()
    }

    pub(super) fn resident(&self, code: &RecordCode) -> Option<&Held> {
        self.row_of(code).map(|row| &row.held)
    }

    pub(super) fn residents(&self) -> impl Iterator<Item = &Held> {
        self.residents.values().map(|row| &row.held)
    }

    pub(super) fn present_count(&self) -> u64 {
        count(self.residents().filter(|held| !held.removed).count())
    }

    pub(super) fn entries_count(&self) -> u64 {
        count(self.entries.len())
    }

    pub(super) fn candidates(&self, probe: &Probe, most: usize) -> Vec<Held> {
        let people = self.terms.get(&(probe.kind.number(), probe.text.clone()));
        people
            .into_iter()
            .flatten()
            .filter_map(|id| self.residents.get(id))
            .take(most)
            .map(|row| row.held.clone())
            .collect()
    }

    pub(super) fn counter(&self, counter: &Counter) -> u64 {
        self.counters.get(counter).copied().unwrap_or(0)
    }

    pub(super) fn queued(&self, to: &NodeId, after: u64, max: usize) -> Vec<(u64, Vec<u8>)> {
        let Some(first) = after.checked_add(1) else { return Vec::new() };
        let items = self.queues.get(to).map(|queue| queue.items.range(first..));
        items
            .into_iter()
            .flatten()
            .take(max)
            .map(|(sequence, item)| (*sequence, item.clone()))
            .collect()
    }

    pub(super) fn queue_bounds(&self, to: &NodeId) -> (u64, u64) {
        self.queues.get(to).map_or((0, 0), |queue| (queue.acknowledged, queue.last))
    }

    pub(super) fn request_seen(&self, request: &[u8; 16]) -> bool {
        self.requests.contains_key(request)
    }

    pub(super) fn directory(&self) -> Option<Vec<u8>> {
        self.directory.clone()
    }

    fn numbered(&self) -> impl DoubleEndedIterator<Item = (u64, &Leaf, &[u8; 32])> {
        self.entries
            .iter()
            .enumerate()
            .filter_map(|(index, kept)| Some((count(index), kept.leaf.as_ref()?, &kept.salt)))
    }

    pub(super) fn entries_about(&self, code: &RecordCode, max: usize) -> Vec<OpenEntry> {
        let codes = self.codes_of(code);
        self.numbered()
            .rev()
            .filter(|(_, leaf, _)| leaf.subject.is_some_and(|subject| codes.contains(&subject)))
            .take(max)
            .map(open)
            .collect()
    }

    pub(super) fn entries_from(&self, first: u64, max: usize) -> Vec<OpenEntry> {
        self.numbered().filter(|(index, ..)| *index >= first).take(max).map(open).collect()
    }

    pub(super) fn foreign_about(&self, code: &RecordCode, max: usize) -> Vec<ForeignEntry> {
        let codes = self.codes_of(code);
        let about = self.foreign.iter().rev().filter(|of| codes.contains(&of.subject));
        about.take(max).map(|of| of.entry.clone()).collect()
    }

    pub(super) fn history(&self, code: &RecordCode, max: usize) -> Vec<HistoryRow> {
        let Some(id) = self.id_of(code) else { return Vec::new() };
        let rows = self.history.iter().rev().filter(|earlier| earlier.person == id);
        rows.take(max).map(|earlier| earlier.row.clone()).collect()
    }

    /// Leaf data `first..until`.
    pub(super) fn leaves(&self, first: u64, until: u64) -> Vec<[u8; 32]> {
        let leaves = self.entries.iter().skip(place(first));
        leaves.take(place(until.saturating_sub(first))).map(|kept| kept.data).collect()
    }
}

/// No key here: the order must only be the same in every run.
fn fact_place(key: &[u8]) -> FactPlace {
    let full: [u8; 32] = Sha256::digest(key).into();
    let mut place = [0; 16];
    place.iter_mut().zip(full).for_each(|(to, from)| *to = from);
    place
}

fn open((index, leaf, salt): (u64, &Leaf, &[u8; 32])) -> OpenEntry {
    OpenEntry { index, entry: leaf.entry.clone(), salt: *salt }
}

fn place(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
