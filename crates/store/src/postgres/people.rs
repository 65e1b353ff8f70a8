//! The people whom one call of `apply` touches: fetched, changed in memory, written together.
//! Most changes come in batches of many people; one question per change would be mostly waiting.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use law::code::RecordCode;
use law::inquiry::Held;
use law::query::IndexKind;
use node::ports::{HistoryRow, StoreError, Write};

use super::PostgresStore;
use super::link::store_error;
use super::read::epoch_of;
use crate::keyring::from_read;
use crate::keys::Domain;
use crate::month::Month;
use crate::places::RESIDENTS_NAME;
use crate::row::ResidentRow;
use crate::sealing::Terms;

/// Somebody touched, as of now and as of the database.
struct Person {
    /// `None`: the row is to be deleted.
    row: Option<ResidentRow>,
    /// What is sealed it under; a row that was not rewritten keeps its own.
    epoch: u32,
    dirty: bool,
    /// The index terms in the database, and whether somebody present stands there.
    stored: Option<(Terms, bool)>,
}

/// A row of history that goes over to another person.
struct Moved {
    was: i64,
    now: i64,
    cohort: i32,
    row: HistoryRow,
}

/// The working set of one call.
#[derive(Default)]
pub(super) struct People {
    by_id: BTreeMap<i64, Person>,
    /// Answers found so far; absence is an answer too.
    by_code: HashMap<RecordCode, Option<i64>>,
    moved: BTreeMap<i64, Moved>,
}

impl std::fmt::Debug for People {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "People({})", self.by_id.len())
    }
}

/// Every code that these writes look up.
fn codes_of(writes: &[Write]) -> BTreeSet<RecordCode> {
    let mut codes = BTreeSet::new();
    for write in writes {
        match write {
            Write::PutResident(held) => {
                codes.insert(held.identity.code);
            }
            Write::ReplaceCode { previous, held } => {
                codes.extend([*previous, held.identity.code]);
            }
            Write::ExpireResident { code, .. } | Write::AppendHistory { code, .. } => {
                codes.insert(*code);
            }
            _ => {}
        }
    }
    codes
}

impl People {
    /// Everybody whom these writes name.
    pub(super) fn fetch(store: &PostgresStore, writes: &[Write]) -> Result<Self, StoreError> {
        let mut people = Self::default();
        let codes: Vec<RecordCode> = codes_of(writes).into_iter().collect();
        if !codes.is_empty() {
            people.look_up(store, &codes)?;
        }
        Ok(people)
    }

    fn look_up(&mut self, store: &PostgresStore, codes: &[RecordCode]) -> Result<(), StoreError> {
        let kind = IndexKind::Code.number();
        let digests: Vec<i64> = codes
            .iter()
            .map(|code| store.sealing().code_digest(Domain::Term(kind), code))
            .collect();
        let rows = store.link.query(
            "SELECT r.id, r.epoch, r.sealed FROM unnest($1::bigint[]) wanted
             JOIN term t ON t.digest = wanted AND t.kind = $2
             JOIN resident r ON r.id = t.resident",
            &[&digests, &i16::from(kind)],
        )?;
        for row in &rows {
            let id: i64 = row.try_get(0).map_err(store_error)?;
            // Whoever is here already may have another code by now, or be gone.
            if self.by_id.contains_key(&id) {
                continue;
            }
            let epoch = epoch_of(row, 1).map_err(from_read)?;
            let (_, found) = store.resident_in(row).map_err(from_read)?;
            // Another person's code with the same truncated digest stays a stranger.
            if !codes.contains(&found.held.identity.code) {
                continue;
            }
            let terms = store.sealing().terms(&found.held);
            let stored = Some((terms, !found.held.removed));
            self.by_code.insert(found.held.identity.code, Some(id));
            self.by_id.insert(id, Person { row: Some(found), epoch, dirty: false, stored });
        }
        for code in codes {
            self.by_code.entry(*code).or_insert(None);
        }
        Ok(())
    }

    /// The row of the person with this code, as of now.
    pub(super) fn id_of(
        &mut self,
        store: &PostgresStore,
        code: &RecordCode,
    ) -> Result<Option<i64>, StoreError> {
        if !self.by_code.contains_key(code) {
            self.look_up(store, &[*code])?;
        }
        Ok(self.by_code.get(code).copied().flatten())
    }

    fn rewrite(&mut self, id: i64, row: ResidentRow, epoch: u32) {
        let stored = self.by_id.remove(&id).and_then(|person| person.stored);
        self.by_code.insert(row.held.identity.code, Some(id));
        self.by_id.insert(id, Person { row: Some(row), epoch, dirty: true, stored });
    }

    fn former_of(&self, id: i64) -> Vec<RecordCode> {
        let row = self.by_id.get(&id).and_then(|person| person.row.as_ref());
        row.map(|row| row.former.clone()).unwrap_or_default()
    }

    pub(super) fn put(
        &mut self,
        store: &PostgresStore,
        held: &Held,
        next: &mut i64,
        epoch: u32,
    ) -> Result<(), StoreError> {
        let id = match self.id_of(store, &held.identity.code)? {
            Some(id) => id,
            None => {
                *next = next.saturating_add(1);
                *next
            }
        };
        self.rewrite(id, ResidentRow::new(held.clone(), self.former_of(id)), epoch);
        Ok(())
    }

    /// The person keeps the row, and with it the history, under a new code (法30条の3).
    pub(super) fn replace_code(
        &mut self,
        store: &PostgresStore,
        previous: &RecordCode,
        held: &Held,
        next: &mut i64,
        epoch: u32,
    ) -> Result<(), StoreError> {
        let code = held.identity.code;
        let Some(id) = self.id_of(store, previous)?.filter(|_| *previous != code) else {
            return self.put(store, held, next, epoch);
        };
        let mut codes = self.former_of(id);
        if let Some(other) = self.id_of(store, &code)? {
            // Both codes are held: from now on they are one person, whose rows come together.
            codes.extend(self.former_of(other));
            self.move_history(store, other, id)?;
            if let Some(person) = self.by_id.get_mut(&other) {
                person.row = None;
                person.dirty = true;
            }
        }
        codes.push(*previous);
        self.by_code.insert(*previous, None);
        self.rewrite(id, ResidentRow::new(held.clone(), codes), epoch);
        Ok(())
    }

    fn move_history(
        &mut self,
        store: &PostgresStore,
        from: i64,
        to: i64,
    ) -> Result<(), StoreError> {
        for moved in self.moved.values_mut().filter(|moved| moved.now == from) {
            moved.now = to;
        }
        let rows = store
            .link
            .query("SELECT id, cohort, sealed FROM history WHERE resident = $1", &[&from])?;
        for row in &rows {
            let id: i64 = row.try_get(0).map_err(store_error)?;
            if self.moved.contains_key(&id) {
                continue;
            }
            let cohort: i32 = row.try_get(1).map_err(store_error)?;
            let sealed: &[u8] = row.try_get(2).map_err(store_error)?;
            let row = store.sealing().open_history(id, from, cohort, sealed).map_err(from_read)?;
            self.moved.insert(id, Moved { was: from, now: to, cohort, row });
        }
        Ok(())
    }

    /// Seal the row of this person under another key; nothing else of it changes.
    pub(super) fn expire(
        &mut self,
        store: &PostgresStore,
        code: &RecordCode,
        epoch: u32,
    ) -> Result<(), StoreError> {
        if let Some(id) = self.id_of(store, code)?
            && let Some(person) = self.by_id.get_mut(&id)
        {
            person.epoch = epoch;
            person.dirty = true;
        }
        Ok(())
    }

    /// Write everybody who changed.
    pub(super) fn write(
        self,
        store: &PostgresStore,
        dice: law::Dice<'_>,
    ) -> Result<(), StoreError> {
        let mut change = RegisterChange::default();
        for (id, person) in self.by_id.iter().filter(|(_, person)| person.dirty) {
            change.add(store, *id, person, &mut *dice)?;
        }
        change.write(store)?;
        write_moved(store, &self.moved, dice)
    }
}

/// Rows and terms to write, column by column.
#[derive(Default)]
struct RegisterChange {
    ids: Vec<i64>,
    epochs: Vec<i32>,
    sealed: Vec<Vec<u8>>,
    gone: Vec<i64>,
    terms_in: (Vec<i64>, Vec<i16>, Vec<i64>),
    terms_out: (Vec<i64>, Vec<i16>, Vec<i64>),
    present: i64,
}

fn push(columns: &mut (Vec<i64>, Vec<i16>, Vec<i64>), (digest, kind): (i64, u8), id: i64) {
    columns.0.push(digest);
    columns.1.push(i16::from(kind));
    columns.2.push(id);
}

impl RegisterChange {
    fn add(
        &mut self,
        store: &PostgresStore,
        id: i64,
        person: &Person,
        dice: law::Dice<'_>,
    ) -> Result<(), StoreError> {
        let sealing = store.sealing();
        let (before, was) = match &person.stored {
            Some((terms, present)) => (terms.as_slice(), *present),
            None => (&[][..], false),
        };
        let after = person.row.as_ref().map(|row| sealing.terms(&row.held)).unwrap_or_default();
        for term in before.iter().filter(|term| !after.contains(term)) {
            push(&mut self.terms_out, *term, id);
        }
        let fresh: BTreeSet<_> = after.iter().filter(|term| !before.contains(term)).collect();
        for term in fresh {
            push(&mut self.terms_in, *term, id);
        }
        let present = person.row.as_ref().is_some_and(|row| !row.held.removed);
        self.present += i64::from(present) - i64::from(was);
        match &person.row {
            Some(row) => {
                self.sealed.push(sealing.seal_resident(id, person.epoch, row, dice)?);
                self.epochs.push(i32::try_from(person.epoch).unwrap_or(i32::MAX));
                self.ids.push(id);
            }
            None if person.stored.is_some() => self.gone.push(id),
            None => {}
        }
        Ok(())
    }

    fn write(&self, store: &PostgresStore) -> Result<(), StoreError> {
        let link = &store.link;
        if !self.gone.is_empty() {
            link.run("DELETE FROM resident WHERE id = ANY($1)", &[&self.gone])?;
        }
        if !self.ids.is_empty() {
            link.run(
                "INSERT INTO resident (id, epoch, sealed)
                 SELECT * FROM unnest($1::bigint[], $2::int[], $3::bytea[])
                 ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, sealed = excluded.sealed",
                &[&self.ids, &self.epochs, &self.sealed],
            )?;
        }
        let (digests, kinds, people) = &self.terms_out;
        if !digests.is_empty() {
            link.run(
                "DELETE FROM term t USING unnest($1::bigint[], $2::smallint[], $3::bigint[])
                 AS gone (digest, kind, resident)
                 WHERE t.digest = gone.digest AND t.kind = gone.kind
                   AND t.resident = gone.resident",
                &[digests, kinds, people],
            )?;
        }
        let (digests, kinds, people) = &self.terms_in;
        if !digests.is_empty() {
            link.run(
                "INSERT INTO term (digest, kind, resident)
                 SELECT * FROM unnest($1::bigint[], $2::smallint[], $3::bigint[])
                 ON CONFLICT DO NOTHING",
                &[digests, kinds, people],
            )?;
        }
        if self.present != 0 {
            store.add_to_number(RESIDENTS_NAME, self.present)?;
        }
        Ok(())
    }
}

fn write_moved(
    store: &PostgresStore,
    moved: &BTreeMap<i64, Moved>,
    dice: law::Dice<'_>,
) -> Result<(), StoreError> {
    let sealing = store.sealing();
    for (id, Moved { was, now, cohort, row }) in moved {
        let month = Month::from_number(*cohort);
        let sealed = sealing.seal_history(*id, *now, month, row, &mut *dice)?.sealed;
        store.link.run(
            "UPDATE history SET resident = $3, sealed = $4 WHERE resident = $2 AND id = $1",
            &[id, was, now, &sealed],
        )?;
    }
    Ok(())
}
