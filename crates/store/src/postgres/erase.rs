//! Erasure of whole cohorts on PostgreSQL: rows in small transactions, then their keys, then the
//! token's keys for these terms (S1: 確実な消去). And the yearly renewal of the keys of current rows.
//!
//! The server keeps dead rows until vacuum and its log until it is recycled, and copies of both may
//! be anywhere. None of them opens once the token has destroyed its key for the term; so nothing
//! here waits for vacuum.

use node::ports::{FactPlace, StoreError};

use super::PostgresStore;
use super::link::{Params, store_error};
use crate::erased::{Erase, Erased};
use crate::keyring::{EXPIRY_EPOCH_MIN, epoch_of_expiry, expiry_in_epoch, from_read, row_key_name};
use crate::month::Month;
use crate::places::{EPOCH_NAME, ERASED_BEFORE_NAME, RESIDENTS_NAME, space_of};
use crate::row::ResidentRow;
use crate::schema::to_sql;

/// Rows that one pass looks at for a key that is to be given up: bounds the time between groups.
const ROWS_LOOKED_AT_COUNT_MAX: i64 = 2_048;

/// Rows erased in one transaction when all are wanted at once.
const ROWS_PER_COMMIT_COUNT_MAX: usize = 4_096;

fn wide(count: usize) -> i64 {
    to_sql(u64::try_from(count).unwrap_or(u64::MAX))
}

fn narrow(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

impl Erase for PostgresStore {
    fn erasable_before(&self, month: Month) -> Result<Erased, StoreError> {
        let count = |sql: &str| -> Result<usize, StoreError> {
            let found: Vec<i64> = self.column_of(sql, &[&month.number()])?;
            Ok(found.first().map_or(0, |found| usize::try_from(*found).unwrap_or(0)))
        };
        Ok(Erased {
            residents: count(&format!(
                "SELECT count(*) FROM resident WHERE epoch >= {EXPIRY_EPOCH_MIN} AND epoch < $1"
            ))?,
            history: count("SELECT count(*) FROM history WHERE cohort < $1")?,
            entries: count("SELECT count(*) FROM entry WHERE cohort < $1 AND sealed IS NOT NULL")?,
            foreign: count("SELECT count(*) FROM foreign_entry WHERE cohort < $1")?,
            cohorts: count("SELECT count(*) FROM cohort WHERE month < $1")?,
        })
    }

    fn erase_some_before(
        &mut self,
        month: Month,
        rows_max: usize,
        dice: law::Dice<'_>,
    ) -> Result<Erased, StoreError> {
        self.in_transaction(|store| store.erase_rows(month.number(), rows_max, dice))
    }

    fn erase_keys_before(&mut self, month: Month) -> Result<Erased, StoreError> {
        if self.erasable_before(month)?.rows() != 0 {
            return Err(StoreError::Io("rows of these months are left; erase them first".into()));
        }
        let cohorts = self.in_transaction(|store| {
            store.raise_number(ERASED_BEFORE_NAME, month.number().into())?;
            store.link.run("DELETE FROM cohort WHERE month < $1", &[&month.number()])
        })?;
        self.keys.set_erased_before(month);
        self.destroy_ended_keys()?;
        Ok(Erased { cohorts: narrow(cohorts), ..Erased::default() })
    }

    fn renew_rows(
        &mut self,
        year: u32,
        keep_from: u32,
        rows_max: usize,
        dice: law::Dice<'_>,
    ) -> Result<bool, StoreError> {
        if self.numbers()?.epoch < year {
            self.begin_row_epoch(year)?;
        }
        let old = keep_from.min(self.numbers()?.epoch);
        let names = self.old_row_keys(old)?;
        if names.is_empty() {
            return Ok(true);
        }
        let after = self.renewed_up_to;
        let upto = after.saturating_add(ROWS_LOOKED_AT_COUNT_MAX);
        self.renewed_up_to =
            self.in_transaction(|store| store.renew_between(old, (after, upto), rows_max, dice))?;
        if self.numbers()?.resident > self.renewed_up_to {
            return Ok(false);
        }
        if self.in_transaction(|store| store.renew_passing(old, rows_max, &mut *dice))? != 0 {
            return Ok(false);
        }
        self.renewed_up_to = 0;
        self.in_transaction(|store| {
            store.link.run("DELETE FROM meta WHERE name = ANY($1)", &[&names]).map(|_| ())
        })?;
        self.destroy_ended_keys()?;
        Ok(true)
    }
}

impl PostgresStore {
    /// Destroy everything whose month of expiry lies before `month`: rows, index terms, keys.
    ///
    /// # Errors
    /// As for its parts.
    pub fn erase_cohorts_before(
        &mut self,
        month: Month,
        dice: law::Dice<'_>,
    ) -> Result<Erased, StoreError> {
        let mut all = Erased::default();
        loop {
            let some = self.erase_some_before(month, ROWS_PER_COMMIT_COUNT_MAX, &mut *dice)?;
            if some.rows() == 0 {
                break;
            }
            all.add(&some);
        }
        all.add(&self.erase_keys_before(month)?);
        Ok(all)
    }

    /// The month before which everything is erased.
    #[must_use]
    pub fn erased_before(&self) -> Month {
        self.keys.erased_before()
    }

    /// Have the token destroy what it still holds for terms that are over: at every start, too, so
    /// that a run that was cut short is finished.
    pub(super) fn destroy_ended_keys(&self) -> Result<usize, StoreError> {
        self.keys.destroy_ended(&self.link, self.numbers()?.epoch)
    }

    pub(super) fn erased_before_held(&self) -> Result<Month, StoreError> {
        let kept: Vec<i64> =
            self.column_of("SELECT value FROM counter WHERE name = $1", &[&ERASED_BEFORE_NAME])?;
        let kept = kept.first().and_then(|kept| i32::try_from(*kept).ok());
        Ok(Month::from_number(kept.unwrap_or(0)))
    }

    fn raise_number(&self, name: &str, value: i64) -> Result<(), StoreError> {
        self.link
            .run(
                "INSERT INTO counter (name, value) VALUES ($1, $2)
                 ON CONFLICT (name) DO UPDATE SET value = greatest(counter.value, excluded.value)",
                &[&name, &value],
            )
            .map(|_| ())
    }

    fn erase_rows(
        &mut self,
        before: i32,
        rows_max: usize,
        dice: law::Dice<'_>,
    ) -> Result<Erased, StoreError> {
        let room = |done: &Erased| wide(rows_max.saturating_sub(done.rows()));
        let history = self.link.run(
            "DELETE FROM history h USING
             (SELECT resident, id FROM history WHERE cohort < $1 LIMIT $2) AS ended
             WHERE h.resident = ended.resident AND h.id = ended.id",
            &[&before, &wide(rows_max)],
        )?;
        let mut done = Erased { history: narrow(history), ..Erased::default() };
        done.foreign = narrow(self.link.run(
            "DELETE FROM foreign_entry f USING
             (SELECT digest, id FROM foreign_entry WHERE cohort < $1 LIMIT $2) AS ended
             WHERE f.digest = ended.digest AND f.id = ended.id",
            &[&before, &room(&done)],
        )?);
        done.entries = self.erase_entries(before, room(&done))?;
        // Last: by now no history of theirs is left that has ended.
        done.residents = self.erase_residents(before, room(&done), dice)?;
        Ok(done)
    }

    /// The commitments stay, so the ledger still verifies.
    fn erase_entries(&self, before: i32, max: i64) -> Result<usize, StoreError> {
        let ended: Vec<i64> = self.column_of(
            "SELECT idx FROM entry WHERE cohort < $1 AND sealed IS NOT NULL ORDER BY idx LIMIT $2",
            &[&before, &max],
        )?;
        if !ended.is_empty() {
            self.link.run("DELETE FROM entry_subject WHERE idx = ANY($1)", &[&ended])?;
            self.link.run("UPDATE entry SET sealed = NULL WHERE idx = ANY($1)", &[&ended])?;
        }
        Ok(ended.len())
    }

    fn erase_residents(
        &self,
        before: i32,
        max: i64,
        dice: law::Dice<'_>,
    ) -> Result<usize, StoreError> {
        let sql = format!(
            "SELECT id FROM resident WHERE epoch >= {EXPIRY_EPOCH_MIN} AND epoch < $1
             ORDER BY id LIMIT $2"
        );
        let mut erased = 0usize;
        loop {
            let room = max.saturating_sub(wide(erased));
            let ended: Vec<i64> = self.column_of(&sql, &[&before, &room])?;
            if ended.is_empty() {
                return Ok(erased);
            }
            for id in ended {
                erased += usize::from(self.erase_resident(id, &mut *dice)?);
            }
        }
    }

    /// Somebody of whom something else is still to be kept stays findable for as long.
    fn erase_resident(&self, id: i64, dice: law::Dice<'_>) -> Result<bool, StoreError> {
        let row = self.row_of(id)?;
        let longest: Vec<i32> = self.column_of(
            "SELECT cohort FROM history WHERE resident = $1 ORDER BY cohort DESC LIMIT 1",
            &[&id],
        )?;
        if let Some(month) = longest.first() {
            let epoch = epoch_of_expiry(Month::from_number(*month));
            return self.reseal(id, &row, epoch, dice).map(|()| false);
        }
        for (digest, kind) in self.sealing().terms(&row.held) {
            self.link.run(
                "DELETE FROM term WHERE digest = $1 AND kind = $2 AND resident = $3",
                &[&digest, &i16::from(kind), &id],
            )?;
        }
        self.link.run("DELETE FROM resident WHERE id = $1", &[&id])?;
        if !row.held.removed {
            self.add_to_number(RESIDENTS_NAME, -1)?;
        }
        Ok(true)
    }

    /// Seal a row under another key; nothing else of it changes.
    fn reseal(
        &self,
        id: i64,
        row: &ResidentRow,
        epoch: u32,
        dice: law::Dice<'_>,
    ) -> Result<(), StoreError> {
        let sealed = self.sealing().seal_resident(id, epoch, row, dice)?;
        self.link
            .run(
                "UPDATE resident SET epoch = $2, sealed = $3 WHERE id = $1",
                &[&id, &i32::try_from(epoch).unwrap_or(i32::MAX), &sealed],
            )
            .map(|_| ())
    }

    /// Start a new row epoch: rows written from now on are sealed under a key of their own.
    ///
    /// # Errors
    /// As for a commit; refused while a group is open.
    pub fn begin_row_epoch(&mut self, epoch: u32) -> Result<(), StoreError> {
        if expiry_in_epoch(epoch).is_some() {
            return Err(StoreError::Io("a row epoch is a year, not a month".into()));
        }
        self.in_transaction(|store| store.raise_number(EPOCH_NAME, epoch.into()))?;
        self.numbers.set(None);
        self.keys.set_epoch(self.numbers()?.epoch);
        Ok(())
    }

    /// Queue items and facts that were sealed in epochs before `old`, sealed anew; how many.
    fn renew_passing(
        &self,
        old: u32,
        rows_max: usize,
        dice: law::Dice<'_>,
    ) -> Result<usize, StoreError> {
        let before = old.to_be_bytes();
        let items = self.link.query(
            "SELECT destination, sequence, sealed FROM queue_item
             WHERE substring(sealed from 1 for 4) < $1 LIMIT $2",
            &[&before.as_slice(), &wide(rows_max)],
        )?;
        for row in &items {
            let to: String = row.try_get(0).map_err(store_error)?;
            let sequence: i64 = row.try_get(1).map_err(store_error)?;
            let sealed: Vec<u8> = row.try_get(2).map_err(store_error)?;
            let plain = self.sealing().open_item(&to, sequence, &sealed).map_err(from_read)?;
            let sealed = self.sealing().seal_item(&to, sequence, &plain, &mut *dice)?;
            self.link.run(
                "UPDATE queue_item SET sealed = $3 WHERE destination = $1 AND sequence = $2",
                &[&to, &sequence, &sealed],
            )?;
        }
        Ok(items.len().saturating_add(self.renew_facts(&before, rows_max, dice)?))
    }

    fn renew_facts(
        &self,
        before: &[u8],
        rows_max: usize,
        dice: law::Dice<'_>,
    ) -> Result<usize, StoreError> {
        let facts = self.link.query(
            "SELECT space, place, sealed FROM fact
             WHERE substring(sealed from 1 for 4) < $1 LIMIT $2",
            &[&before, &wide(rows_max)],
        )?;
        for row in &facts {
            let number: i16 = row.try_get(0).map_err(store_error)?;
            let kept: Vec<u8> = row.try_get(1).map_err(store_error)?;
            let sealed: Vec<u8> = row.try_get(2).map_err(store_error)?;
            let unknown = || StoreError::Damaged("a fact of no known space or place".into());
            let space = space_of(number.into()).ok_or_else(unknown)?;
            let place = FactPlace::try_from(kept.as_slice()).map_err(|_| unknown())?;
            let plain = self.sealing().open_fact(space, &place, &sealed).map_err(from_read)?;
            let sealed = self.sealing().seal_fact(space, &place, &plain, &mut *dice)?;
            self.link.run(
                "UPDATE fact SET sealed = $3 WHERE space = $1 AND place = $2",
                &[&number, &kept, &sealed],
            )?;
        }
        Ok(facts.len())
    }

    /// The rows `(after, upto]` that are older than `old`; how far it came.
    fn renew_between(
        &self,
        old: u32,
        (after, upto): (i64, i64),
        rows_max: usize,
        dice: law::Dice<'_>,
    ) -> Result<i64, StoreError> {
        let ids: Vec<i64> = self.column_of(
            "SELECT id FROM resident WHERE id > $1 AND id <= $2 AND epoch < $3
             ORDER BY id LIMIT $4",
            &[&after, &upto, &i32::try_from(old).unwrap_or(i32::MAX), &wide(rows_max)],
        )?;
        let epoch = self.numbers()?.epoch;
        for id in &ids {
            self.reseal(*id, &self.row_of(*id)?, epoch, &mut *dice)?;
        }
        let full = ids.len() >= rows_max;
        Ok(ids.last().copied().filter(|_| full).unwrap_or(upto))
    }

    /// Names of the kept keys of epochs before this one.
    fn old_row_keys(&self, before: u32) -> Result<Vec<String>, StoreError> {
        let prefix = row_key_name(0);
        let prefix = prefix.trim_end_matches('0');
        let names: Vec<String> =
            self.column_of("SELECT name FROM meta WHERE starts_with(name, $1)", &[&prefix])?;
        let is_old = |name: &String| {
            let epoch = name.strip_prefix(prefix).and_then(|epoch| epoch.parse::<u32>().ok());
            epoch.is_some_and(|epoch| epoch < before)
        };
        Ok(names.into_iter().filter(is_old).collect())
    }

    /// The first column of the answer.
    fn column_of<T: for<'a> postgres::types::FromSql<'a>>(
        &self,
        sql: &str,
        params: Params<'_>,
    ) -> Result<Vec<T>, StoreError> {
        let rows = self.link.query(sql, params)?;
        rows.iter().map(|row| row.try_get(0).map_err(store_error)).collect()
    }
}
