//! Changes of [`PostgresStore`], inside the open group. Whatever fails here fails the whole group.
//!
//! One call's writes are worked out in memory and sent as a few statements over arrays, so that a
//! batch of two hundred notices costs a dozen questions and not two thousand.

use std::collections::BTreeMap;

use law::time::Timestamp;
use node::ports::{
    Counter, FactPlace, ForeignEntry, HistoryRow, Leaf, NewEntry, Recorded, Space, StoreError,
    Write,
};

use super::link::store_error;
use super::people::People;
use super::{Numbers, PostgresStore};
use crate::keyring::epoch_of_expiry;
use crate::keys::Domain;
use crate::month::Month;
use crate::places::{DIRECTORY_NAME, counter_name};
use crate::row::ForeignRow;
use crate::schema::{from_sql, to_sql};
use crate::sealing::history_of_no_one;

/// One destination's queue as of now.
#[derive(Default)]
struct Queue {
    known: bool,
    acknowledged: i64,
    last: i64,
    /// Items up to here are to go.
    drop_up_to: i64,
    fresh: BTreeMap<i64, Vec<u8>>,
}

/// What a call changes besides people.
#[derive(Default)]
struct Change {
    counters: BTreeMap<String, i64>,
    queues: BTreeMap<String, Queue>,
    requests: BTreeMap<[u8; 16], i64>,
    forget_before: Option<i64>,
    directory: Option<Vec<u8>>,
    facts: BTreeMap<(Space, FactPlace), Option<Vec<u8>>>,
}

impl PostgresStore {
    pub(super) fn apply_all(
        &mut self,
        writes: &[Write],
        entries: &[NewEntry],
        dice: law::Dice<'_>,
    ) -> Result<Vec<Recorded>, StoreError> {
        let mut numbers = self.numbers()?;
        let mut people = People::fetch(self, writes)?;
        let mut change = Change { queues: self.queues_of(writes)?, ..Change::default() };
        let mut foreign = Vec::new();
        for write in writes {
            match write {
                Write::PutResident(held) => {
                    people.put(self, held, &mut numbers.resident, numbers.epoch)?;
                }
                Write::ReplaceCode { previous, held } => {
                    let next = &mut numbers.resident;
                    people.replace_code(self, previous, held, next, numbers.epoch)?;
                }
                Write::ExpireResident { code, until } => {
                    let month = |until| self.keys.open_month(Month::of_date(until));
                    let epoch = until.map_or(numbers.epoch, |until| epoch_of_expiry(month(until)));
                    people.expire(self, code, epoch)?;
                }
                Write::PutForeign { subject, entry } => foreign.push((*subject, entry)),
                Write::PutFact { space, key, value } => {
                    let place = self.keys.fact_place(*space, key);
                    let sealed = self.sealing().seal_fact(*space, &place, value, &mut *dice)?;
                    change.facts.insert((*space, place), Some(sealed));
                }
                Write::DropFact { space, key } => {
                    let place = self.keys.fact_place(*space, key);
                    change.facts.insert((*space, place), None);
                }
                other => change.note(other),
            }
        }
        self.append_history(writes, &mut people, &mut numbers, &mut *dice)?;
        people.write(self, &mut *dice)?;
        self.write_change(change, &mut *dice)?;
        self.put_foreign(&foreign, &mut numbers, &mut *dice)?;
        let recorded = self.append_entries(entries, &mut numbers, dice)?;
        self.numbers.set(Some(numbers));
        Ok(recorded)
    }

    /// The queues that these writes touch, as they stand.
    fn queues_of(&self, writes: &[Write]) -> Result<BTreeMap<String, Queue>, StoreError> {
        let mut queues: BTreeMap<String, Queue> = BTreeMap::new();
        for write in writes {
            if let Write::Enqueue { to, .. } | Write::Acknowledge { to, .. } = write {
                queues.entry(to.as_str().to_owned()).or_default();
            }
        }
        if queues.is_empty() {
            return Ok(queues);
        }
        let names: Vec<&String> = queues.keys().collect();
        let rows = self.link.query(
            "SELECT destination, acknowledged, last FROM queue WHERE destination = ANY($1)",
            &[&names],
        )?;
        for row in &rows {
            let to: String = row.try_get(0).map_err(store_error)?;
            let acknowledged: i64 = row.try_get(1).map_err(store_error)?;
            let last: i64 = row.try_get(2).map_err(store_error)?;
            queues.insert(to, Queue { known: true, acknowledged, last, ..Queue::default() });
        }
        Ok(queues)
    }

    /// History belongs to whoever has the code when all is applied.
    fn append_history(
        &self,
        writes: &[Write],
        people: &mut People,
        numbers: &mut Numbers,
        dice: law::Dice<'_>,
    ) -> Result<(), StoreError> {
        let sealing = self.sealing();
        let (mut ids, mut residents) = (Vec::new(), Vec::new());
        let (mut cohorts, mut sealed) = (Vec::new(), Vec::new());
        let mut append = |id, resident, month, row: &HistoryRow| {
            let row = sealing.seal_history(id, resident, month, row, &mut *dice)?;
            ids.push(id);
            residents.push(resident);
            cohorts.push(row.cohort.number());
            sealed.push(row.sealed);
            Ok::<_, StoreError>(())
        };
        for write in writes {
            if let Write::AppendHistory { code, row, until } = write {
                let resident = people.id_of(self, code)?.ok_or_else(history_of_no_one)?;
                numbers.history = numbers.history.saturating_add(1);
                let month = self.keys.open_month(Month::of_date(*until));
                append(numbers.history, resident, month, row)?;
            }
        }
        if ids.is_empty() {
            return Ok(());
        }
        self.link
            .run(
                "INSERT INTO history (id, resident, cohort, sealed)
                 SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::int[], $4::bytea[])",
                &[&ids, &residents, &cohorts, &sealed],
            )
            .map(|_| ())
    }

    fn write_change(&self, change: Change, dice: law::Dice<'_>) -> Result<(), StoreError> {
        let link = &self.link;
        if !change.counters.is_empty() {
            let (names, values): (Vec<String>, Vec<i64>) = change.counters.into_iter().unzip();
            // Monotonic: a counter that went back would let old messages be applied again.
            link.run(
                "INSERT INTO counter (name, value) SELECT * FROM unnest($1::text[], $2::bigint[])
                 ON CONFLICT (name) DO UPDATE SET value = greatest(counter.value, excluded.value)",
                &[&names, &values],
            )?;
        }
        if let Some(before) = change.forget_before {
            link.run(
                "INSERT INTO counter (name, value)
                 SELECT $2, max(until) FROM request WHERE until < $1 HAVING count(*) > 0
                 ON CONFLICT (name) DO UPDATE SET value = greatest(counter.value, excluded.value)",
                &[&before, &counter_name(&Counter::RequestsForgotten)],
            )?;
            link.run("DELETE FROM request WHERE until < $1", &[&before])?;
        }
        if !change.requests.is_empty() {
            let ids: Vec<&[u8]> = change.requests.keys().map(|id| id.as_slice()).collect();
            let until: Vec<i64> = change.requests.values().copied().collect();
            link.run(
                "INSERT INTO request (id, until) SELECT * FROM unnest($1::bytea[], $2::bigint[])
                 ON CONFLICT (id) DO UPDATE SET until = greatest(request.until, excluded.until)",
                &[&ids, &until],
            )?;
        }
        if let Some(bytes) = change.directory {
            link.run(
                "INSERT INTO meta (name, value) VALUES ($1, $2)
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                &[&DIRECTORY_NAME, &bytes],
            )?;
        }
        self.write_facts(&change.facts)?;
        self.write_queues(&change.queues, dice)
    }

    fn write_facts(
        &self,
        facts: &BTreeMap<(Space, FactPlace), Option<Vec<u8>>>,
    ) -> Result<(), StoreError> {
        let (mut kept, mut dropped) =
            ((Vec::new(), Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
        for ((space, place), sealed) in facts {
            let space = i16::from(space.number());
            match sealed {
                Some(sealed) => {
                    kept.0.push(space);
                    kept.1.push(place.as_slice());
                    kept.2.push(sealed.as_slice());
                }
                None => {
                    dropped.0.push(space);
                    dropped.1.push(place.as_slice());
                }
            }
        }
        if !dropped.0.is_empty() {
            self.link.run(
                "DELETE FROM fact f USING unnest($1::smallint[], $2::bytea[]) AS gone (space, place)
                 WHERE f.space = gone.space AND f.place = gone.place",
                &[&dropped.0, &dropped.1],
            )?;
        }
        if !kept.0.is_empty() {
            self.link.run(
                "INSERT INTO fact (space, place, sealed)
                 SELECT * FROM unnest($1::smallint[], $2::bytea[], $3::bytea[])
                 ON CONFLICT (space, place) DO UPDATE SET sealed = excluded.sealed",
                &[&kept.0, &kept.1, &kept.2],
            )?;
        }
        Ok(())
    }

    fn write_queues(
        &self,
        queues: &BTreeMap<String, Queue>,
        dice: law::Dice<'_>,
    ) -> Result<(), StoreError> {
        let sealing = self.sealing();
        let (mut names, mut sequences, mut sealed) = (Vec::new(), Vec::new(), Vec::new());
        let mut known = (Vec::new(), Vec::new(), Vec::new());
        let mut dropped = (Vec::new(), Vec::new());
        for (to, queue) in queues.iter().filter(|(_, queue)| queue.known) {
            known.0.push(to.as_str());
            known.1.push(queue.acknowledged);
            known.2.push(queue.last);
            if queue.drop_up_to > 0 {
                dropped.0.push(to.as_str());
                dropped.1.push(queue.drop_up_to);
            }
            for (sequence, payload) in &queue.fresh {
                names.push(to.as_str());
                sequences.push(*sequence);
                sealed.push(sealing.seal_item(to, *sequence, payload, &mut *dice)?);
            }
        }
        if !dropped.0.is_empty() {
            self.link.run(
                "DELETE FROM queue_item i
                 USING unnest($1::text[], $2::bigint[]) AS gone (name, upto)
                 WHERE i.destination = gone.name AND i.sequence <= gone.upto",
                &[&dropped.0, &dropped.1],
            )?;
        }
        if !known.0.is_empty() {
            self.link.run(
                "INSERT INTO queue (destination, acknowledged, last)
                 SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[])
                 ON CONFLICT (destination) DO UPDATE
                 SET acknowledged = excluded.acknowledged, last = excluded.last",
                &[&known.0, &known.1, &known.2],
            )?;
        }
        if !names.is_empty() {
            self.link.run(
                "INSERT INTO queue_item (destination, sequence, sealed)
                 SELECT * FROM unnest($1::text[], $2::bigint[], $3::bytea[])",
                &[&names, &sequences, &sealed],
            )?;
        }
        Ok(())
    }

    fn put_foreign(
        &self,
        foreign: &[(law::code::RecordCode, &ForeignEntry)],
        numbers: &mut Numbers,
        dice: law::Dice<'_>,
    ) -> Result<(), StoreError> {
        if foreign.is_empty() {
            return Ok(());
        }
        let sealing = self.sealing();
        let (mut ids, mut digests) = (Vec::new(), Vec::new());
        let (mut cohorts, mut sealed) = (Vec::new(), Vec::new());
        for (subject, entry) in foreign {
            numbers.foreign = numbers.foreign.saturating_add(1);
            let row = ForeignRow { subject: *subject, foreign: (*entry).clone() };
            let row = sealing.seal_foreign(numbers.foreign, &row, &mut *dice)?;
            ids.push(numbers.foreign);
            digests.push(self.sealing().code_digest(Domain::Foreign, subject));
            cohorts.push(row.cohort.number());
            sealed.push(row.sealed);
        }
        self.link
            .run(
                "INSERT INTO foreign_entry (id, digest, cohort, sealed)
                 SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::int[], $4::bytea[])",
                &[&ids, &digests, &cohorts, &sealed],
            )
            .map(|_| ())
    }

    fn append_entries(
        &self,
        entries: &[NewEntry],
        numbers: &mut Numbers,
        dice: law::Dice<'_>,
    ) -> Result<Vec<Recorded>, StoreError> {
        let mut leaves = LeafColumns::default();
        let mut recorded = Vec::with_capacity(entries.len());
        for new in entries {
            let first = numbers.entries;
            for leaf in &new.leaves {
                leaves.add(self, numbers.entries, leaf, &mut *dice)?;
                numbers.entries = numbers.entries.saturating_add(1);
            }
            let count = from_sql(numbers.entries.saturating_sub(first));
            recorded.push(Recorded { entry: new.id, first_index: from_sql(first), count });
        }
        leaves.write(self)?;
        Ok(recorded)
    }

    pub(super) fn add_to_number(&self, name: &str, more: i64) -> Result<(), StoreError> {
        self.link
            .run(
                "INSERT INTO counter (name, value) VALUES ($1, $2)
                 ON CONFLICT (name) DO UPDATE SET value = counter.value + excluded.value",
                &[&name, &more],
            )
            .map(|_| ())
    }
}

impl Change {
    /// Whatever is worked out without asking anything.
    fn note(&mut self, write: &Write) {
        match write {
            Write::SetCounter(counter, value) => {
                let kept = self.counters.entry(counter_name(counter)).or_default();
                *kept = (*kept).max(to_sql(*value));
            }
            Write::Enqueue { to, payload } => {
                let queue = self.queues.entry(to.as_str().to_owned()).or_default();
                queue.known = true;
                queue.last = queue.last.saturating_add(1);
                queue.fresh.insert(queue.last, payload.clone());
            }
            Write::Acknowledge { to, up_to } => {
                // An acknowledgement beyond the last item acknowledges what there is, and no more.
                if let Some(queue) = self.queues.get_mut(to.as_str()) {
                    let up_to = to_sql(*up_to).min(queue.last);
                    queue.acknowledged = queue.acknowledged.max(up_to);
                    queue.drop_up_to = queue.drop_up_to.max(up_to);
                    queue.fresh.retain(|sequence, _| *sequence > up_to);
                }
            }
            Write::RequestSeen { request, until } => {
                let kept = self.requests.entry(*request).or_insert(i64::MIN);
                *kept = (*kept).max(to_sql(until.0));
            }
            Write::ForgetRequestsBefore(Timestamp(before)) => {
                let before = to_sql(*before);
                let forgotten = self.requests.values().filter(|until| **until < before);
                if let Some(latest) = forgotten.copied().max() {
                    let name = counter_name(&Counter::RequestsForgotten);
                    let counter = self.counters.entry(name).or_insert(0);
                    *counter = (*counter).max(latest);
                }
                self.requests.retain(|_, until| *until >= before);
                self.forget_before = self.forget_before.max(Some(before));
            }
            Write::PutDirectory(bytes) => self.directory = Some(bytes.clone()),
            _ => {}
        }
    }
}

/// Entries to append, column by column.
#[derive(Default)]
struct LeafColumns {
    indexes: Vec<i64>,
    data: Vec<Vec<u8>>,
    cohorts: Vec<i32>,
    sealed: Vec<Vec<u8>>,
    digests: Vec<i64>,
    about: Vec<i64>,
}

impl LeafColumns {
    fn add(
        &mut self,
        store: &PostgresStore,
        index: i64,
        leaf: &Leaf,
        dice: law::Dice<'_>,
    ) -> Result<(), StoreError> {
        let (row, data) = store.sealing().seal_entry(index, leaf, dice)?;
        self.indexes.push(index);
        self.data.push(data.to_vec());
        self.cohorts.push(row.cohort.number());
        self.sealed.push(row.sealed);
        if let Some(code) = &leaf.subject {
            self.digests.push(store.sealing().code_digest(Domain::Entry, code));
            self.about.push(index);
        }
        Ok(())
    }

    fn write(&self, store: &PostgresStore) -> Result<(), StoreError> {
        if !self.indexes.is_empty() {
            store.link.run(
                "INSERT INTO entry (idx, leaf_data, cohort, sealed)
                 SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::int[], $4::bytea[])",
                &[&self.indexes, &self.data, &self.cohorts, &self.sealed],
            )?;
        }
        if !self.digests.is_empty() {
            store.link.run(
                "INSERT INTO entry_subject (digest, idx)
                 SELECT * FROM unnest($1::bigint[], $2::bigint[])",
                &[&self.digests, &self.about],
            )?;
        }
        Ok(())
    }
}
