//! Erasure of whole cohorts: rows in small transactions, then their keys, then the token's keys for
//! these terms (S1: 確実な消去). And the yearly renewal of the keys of current rows.
//!
//! What must be erased when is not decided here; the caller names the month. A crash between any
//! two steps leaves rows or keys that the next run, or the next start, takes away.

use node::ports::StoreError;
use rusqlite::{OptionalExtension, Params, Row, params};

use super::SqliteStore;
use crate::erased::{Erase, Erased};
use crate::keyring::{
    EXPIRY_EPOCH_MIN, KeyTable as _, cohort_term, epoch_of_expiry, expiry_in_epoch, from_read,
    not_ours, row_key_name, row_term,
};
use crate::month::Month;
use crate::places::{EPOCH_NAME, ERASED_BEFORE_NAME, RESIDENTS_NAME};
use crate::row::ResidentRow;
use crate::schema::{store_error, to_sql};

/// Rows that one pass looks at for a key that is to be given up: bounds the time between groups.
const ROWS_LOOKED_AT_COUNT_MAX: i64 = 2_048;

impl Erase for SqliteStore {
    fn erasable_before(&self, month: Month) -> Result<Erased, StoreError> {
        let count = |sql: &str| -> Result<usize, StoreError> {
            self.db
                .query_row(sql, [month.number()], |row| row.get::<_, i64>(0))
                .map(|found| usize::try_from(found).unwrap_or(0))
                .map_err(store_error)
        };
        Ok(Erased {
            residents: count(&format!(
                "SELECT count(*) FROM resident WHERE epoch >= {EXPIRY_EPOCH_MIN} AND epoch < ?1"
            ))?,
            history: count("SELECT count(*) FROM history WHERE cohort < ?1")?,
            entries: count("SELECT count(*) FROM entry WHERE cohort < ?1 AND sealed IS NOT NULL")?,
            foreign: count("SELECT count(*) FROM foreign_entry WHERE cohort < ?1")?,
            cohorts: count("SELECT count(*) FROM cohort WHERE month < ?1")?,
        })
    }

    fn erase_some_before(
        &mut self,
        month: Month,
        rows_max: usize,
        dice: law::Dice<'_>,
    ) -> Result<Erased, StoreError> {
        self.in_transaction(|store| store.erase_rows(month, rows_max, dice))
    }

    fn erase_keys_before(&mut self, month: Month) -> Result<Erased, StoreError> {
        let left = self.erasable_before(month)?;
        if left.rows() != 0 {
            return Err(StoreError::Io("rows of these months are left; erase them first".into()));
        }
        let cohorts = self.in_transaction(|store| {
            store.run(
                "INSERT INTO counter (name, value) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
                params![ERASED_BEFORE_NAME, month.number()],
            )?;
            store.delete("DELETE FROM cohort WHERE month < ?1", [month.number()])
        })?;
        self.keys.set_erased_before(month);
        self.empty_log()?;
        self.destroy_ended_keys()?;
        Ok(Erased { cohorts, ..Erased::default() })
    }

    fn renew_rows(
        &mut self,
        year: u32,
        keep_from: u32,
        rows_max: usize,
        dice: law::Dice<'_>,
    ) -> Result<bool, StoreError> {
        if self.row_epoch()? < year {
            self.begin_row_epoch(year)?;
            // Its key at once, whether or not a row follows: the token then knows how late it is.
            let epoch = self.row_epoch()?;
            self.in_transaction(|store| store.keys.row_to_write(&store.db, epoch, &mut *dice))?;
        }
        let old = keep_from.min(self.row_epoch()?);
        let names = self.old_row_keys(old)?;
        if names.is_empty() {
            return Ok(true);
        }
        let after = self.renewed_up_to;
        let upto = after.saturating_add(ROWS_LOOKED_AT_COUNT_MAX);
        let last =
            self.in_transaction(|store| store.renew_between(old, after, upto, rows_max, dice))?;
        self.renewed_up_to = last;
        if self.next_id("SELECT max(id) FROM resident")? > last.saturating_add(1) {
            return Ok(false);
        }
        if self.in_transaction(|store| store.renew_passing(old, rows_max, &mut *dice))? != 0 {
            return Ok(false);
        }
        self.renewed_up_to = 0;
        self.in_transaction(|store| {
            for name in &names {
                store.run("DELETE FROM meta WHERE name = ?1", [name])?;
            }
            Ok(())
        })?;
        self.empty_log()?;
        self.destroy_ended_keys()?;
        Ok(true)
    }
}

impl SqliteStore {
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
            let some = self.erase_some_before(month, 4_096, &mut *dice)?;
            if some.rows() == 0 {
                break;
            }
            all.add(&some);
        }
        all.add(&self.erase_keys_before(month)?);
        Ok(all)
    }

    /// Have the token destroy what it still holds for terms that are over: at every start, too, so
    /// that a run that was cut short is finished.
    pub(super) fn destroy_ended_keys(&self) -> Result<usize, StoreError> {
        self.keys.destroy_ended(&self.db, self.row_epoch()?)
    }

    pub(super) fn in_transaction<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.require_idle()?;
        self.db.execute_batch("BEGIN IMMEDIATE").map_err(store_error)?;
        let done = work(self)
            .and_then(|value| self.db.execute_batch("COMMIT").map(|()| value).map_err(store_error));
        if done.is_err() {
            self.abandon();
        }
        done
    }

    /// The write-ahead log still holds the old pages; emptying it leaves the overwritten ones. A
    /// reader in another process may hold it: then the pages go with the next run, and until then
    /// the token's key for them is gone already.
    fn empty_log(&self) -> Result<(), StoreError> {
        self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(store_error)
    }

    fn delete(&self, sql: &str, params: impl Params) -> Result<usize, StoreError> {
        self.db.prepare_cached(sql).and_then(|mut s| s.execute(params)).map_err(store_error)
    }

    fn erase_rows(
        &mut self,
        month: Month,
        rows_max: usize,
        dice: law::Dice<'_>,
    ) -> Result<Erased, StoreError> {
        let before = month.number();
        let room = |done: &Erased| {
            to_sql(u64::try_from(rows_max.saturating_sub(done.rows())).unwrap_or(u64::MAX))
        };
        let mut done = Erased {
            history: self.delete(
                "DELETE FROM history WHERE id IN
                 (SELECT id FROM history WHERE cohort < ?1 LIMIT ?2)",
                params![before, to_sql(u64::try_from(rows_max).unwrap_or(u64::MAX))],
            )?,
            ..Erased::default()
        };
        done.foreign = self.delete(
            "DELETE FROM foreign_entry WHERE id IN
             (SELECT id FROM foreign_entry WHERE cohort < ?1 LIMIT ?2)",
            params![before, room(&done)],
        )?;
        done.entries = self.erase_entries(before, room(&done))?;
        // Last: by now no history of theirs is left that has ended.
        done.residents = self.erase_residents(before, room(&done), dice)?;
        Ok(done)
    }

    /// The commitments stay, so the ledger still verifies.
    fn erase_entries(&self, before: i32, max: i64) -> Result<usize, StoreError> {
        let ended: Vec<i64> = self.column(
            "SELECT idx FROM entry WHERE cohort < ?1 AND sealed IS NOT NULL LIMIT ?2",
            params![before, max],
        )?;
        for index in &ended {
            self.run("DELETE FROM entry_subject WHERE idx = ?1", [index])?;
            self.run("UPDATE entry SET sealed = NULL WHERE idx = ?1", [index])?;
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
            "SELECT id FROM resident WHERE epoch >= {EXPIRY_EPOCH_MIN} AND epoch < ?1 LIMIT ?2"
        );
        let mut erased = 0usize;
        loop {
            let room = max.saturating_sub(to_sql(u64::try_from(erased).unwrap_or(u64::MAX)));
            let ended: Vec<i64> = self.column(&sql, params![before, room])?;
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
        let Some(row) = self.resident_row(id)? else { return Ok(false) };
        let longest: Option<i32> = self
            .db
            .prepare_cached("SELECT max(cohort) FROM history WHERE resident = ?1")
            .and_then(|mut s| s.query_row([id], |row| row.get(0)))
            .map_err(store_error)?;
        match longest {
            Some(month) => {
                let epoch = epoch_of_expiry(Month::from_number(month));
                self.reseal(id, &row, epoch, dice).map(|()| false)
            }
            None => self.delete_resident(id, &row).map(|()| true),
        }
    }

    /// The rows `(after, upto]` that are older than `old`; how far it came.
    fn renew_between(
        &self,
        old: u32,
        after: i64,
        upto: i64,
        rows_max: usize,
        dice: law::Dice<'_>,
    ) -> Result<i64, StoreError> {
        let max = to_sql(u64::try_from(rows_max).unwrap_or(u64::MAX));
        let ids: Vec<i64> = self.column(
            "SELECT id FROM resident WHERE id > ?1 AND id <= ?2 AND epoch < ?3
             ORDER BY id LIMIT ?4",
            params![after, upto, old, max],
        )?;
        let epoch = self.row_epoch()?;
        for id in &ids {
            if let Some(row) = self.resident_row(*id)? {
                self.reseal(*id, &row, epoch, &mut *dice)?;
            }
        }
        let full = ids.len() >= rows_max;
        Ok(ids.last().copied().filter(|_| full).unwrap_or(upto))
    }

    /// Names of the kept keys of epochs before this one.
    fn old_row_keys(&self, before: u32) -> Result<Vec<String>, StoreError> {
        let prefix = row_key_name(0);
        let prefix = prefix.trim_end_matches('0');
        let names: Vec<String> =
            self.column("SELECT name FROM meta WHERE substr(name, 1, length(?1)) = ?1", [prefix])?;
        let is_old = |name: &String| {
            let epoch = name.strip_prefix(prefix).and_then(|epoch| epoch.parse::<u32>().ok());
            epoch.is_some_and(|epoch| epoch < before)
        };
        Ok(names.into_iter().filter(is_old).collect())
    }

    /// Start a new row epoch: rows written from now on are sealed under a key of their own.
    ///
    /// # Errors
    /// As for a commit; refused while a group is open.
    pub fn begin_row_epoch(&mut self, epoch: u32) -> Result<(), StoreError> {
        if expiry_in_epoch(epoch).is_some() {
            return Err(StoreError::Io("a row epoch is a year, not a month".into()));
        }
        self.in_transaction(|store| {
            store.run(
                "INSERT INTO counter (name, value) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
                params![EPOCH_NAME, epoch],
            )
        })?;
        self.keys.set_epoch(self.row_epoch()?);
        Ok(())
    }

    /// Whether the token is one that ever had keys for what is kept here.
    ///
    /// # Errors
    /// [`StoreError::Key`] when it has none at all.
    pub(super) fn require_terms(&self) -> Result<(), StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM cohort)
                   OR EXISTS (SELECT 1 FROM meta WHERE substr(name, 1, length(?1)) = ?1)";
        let prefix = row_key_name(0);
        let prefix = prefix.trim_end_matches('0');
        let held = self.db.query_row(sql, [prefix], |row| row.get(0)).map_err(store_error)?;
        self.keys.require_terms(held)
    }

    /// After an older copy was put back: whatever the token can no longer open is expired, and
    /// goes. Says how much that was. Over may be months before `before` and current rows of years
    /// before `keep_from`.
    ///
    /// # Errors
    /// [`StoreError::Key`], and nothing goes, when something does not open whose term is not over;
    /// as for a commit; refused while a group is open.
    pub fn drop_unreadable(&mut self, before: Month, keep_from: u32) -> Result<Erased, StoreError> {
        let (gone, closed) = self.unreadable()?;
        let early = |month: Month| (month >= before).then(|| not_ours(&cohort_term(month)));
        if let Some(why) = gone.iter().find_map(|month| early(Month::from_number(*month))) {
            return Err(why);
        }
        for epoch in &closed {
            let why = match expiry_in_epoch(*epoch) {
                Some(month) => early(month),
                None => (*epoch >= keep_from).then(|| not_ours(&row_term(*epoch))),
            };
            why.map_or(Ok(()), Err)?;
        }
        let epoch = self.row_epoch()?;
        let drawn = self.db.named(&row_key_name(epoch)).map_err(from_read)?.is_some();
        if drawn && self.keys.row(&self.db, epoch).map_err(from_read)?.is_none() {
            self.begin_row_epoch(before.year().max(epoch.saturating_add(1)))?;
        }
        let dropped = self.in_transaction(|store| store.drop_rows(&gone, &closed))?;
        self.empty_log()?;
        Ok(dropped)
    }

    /// Months of cohorts and epochs of residents' rows whose key the token does not open.
    fn unreadable(&self) -> Result<(Vec<i32>, Vec<u32>), StoreError> {
        let months: Vec<i32> = self.column(
            "SELECT month FROM cohort UNION SELECT cohort FROM history
             UNION SELECT cohort FROM foreign_entry
             UNION SELECT cohort FROM entry WHERE sealed IS NOT NULL",
            [],
        )?;
        let mut gone = Vec::new();
        for month in months {
            let of = Month::from_number(month);
            if self.keys.cohort(&self.db, of).map_err(from_read)?.is_none() {
                gone.push(month);
            }
        }
        let epochs: Vec<u32> = self.column("SELECT DISTINCT epoch FROM resident", [])?;
        let mut closed = Vec::new();
        for epoch in epochs {
            if self.keys.row(&self.db, epoch).map_err(from_read)?.is_none() {
                closed.push(epoch);
            }
        }
        Ok((gone, closed))
    }

    fn drop_rows(&self, months: &[i32], epochs: &[u32]) -> Result<Erased, StoreError> {
        let mut done = Erased::default();
        for month in months {
            self.run(
                "DELETE FROM entry_subject WHERE idx IN
                 (SELECT idx FROM entry WHERE cohort = ?1 AND sealed IS NOT NULL)",
                [month],
            )?;
            done.entries += self.delete(
                "UPDATE entry SET sealed = NULL WHERE cohort = ?1 AND sealed IS NOT NULL",
                [month],
            )?;
            done.history += self.delete("DELETE FROM history WHERE cohort = ?1", [month])?;
            done.foreign += self.delete("DELETE FROM foreign_entry WHERE cohort = ?1", [month])?;
            done.cohorts += self.delete("DELETE FROM cohort WHERE month = ?1", [month])?;
        }
        self.drop_passing()?;
        for epoch in epochs {
            // Their terms cannot be computed any more, so they are found through the rows.
            const OF_EPOCH: &str = "(SELECT id FROM resident WHERE epoch = ?1)";
            for table in ["term", "history"] {
                let sql = format!("DELETE FROM {table} WHERE resident IN {OF_EPOCH}");
                self.run(&sql, [epoch])?;
            }
            done.residents += self.delete("DELETE FROM resident WHERE epoch = ?1", [epoch])?;
            self.run("DELETE FROM meta WHERE name = ?1", [row_key_name(*epoch)])?;
        }
        self.recount_residents()?;
        Ok(done)
    }

    fn recount_residents(&self) -> Result<(), StoreError> {
        let ids: Vec<i64> = self.column("SELECT id FROM resident", [])?;
        let mut present = 0i64;
        for id in ids {
            let row = self.resident_row(id)?;
            present += i64::from(row.is_some_and(|row| !row.held.removed));
        }
        self.run(
            "INSERT INTO counter (name, value) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            params![RESIDENTS_NAME, present],
        )
    }

    /// The month before which everything is erased.
    #[must_use]
    pub fn erased_before(&self) -> Month {
        self.keys.erased_before()
    }

    pub(super) fn erased_before_held(&self) -> Result<Month, StoreError> {
        let kept: Option<i32> = self
            .db
            .prepare_cached("SELECT value FROM counter WHERE name = ?1")
            .and_then(|mut s| s.query_row([ERASED_BEFORE_NAME], |row| row.get(0)).optional())
            .map_err(store_error)?;
        Ok(Month::from_number(kept.unwrap_or(0)))
    }

    /// One row, opened.
    fn resident_row(&self, id: i64) -> Result<Option<ResidentRow>, StoreError> {
        let mut statement = self
            .db
            .prepare_cached("SELECT id, epoch, sealed FROM resident WHERE id = ?1")
            .map_err(store_error)?;
        let mut rows = statement.query([id]).map_err(store_error)?;
        let Some(row) = rows.next().map_err(store_error)? else { return Ok(None) };
        self.resident_in(row).map(|(_, row)| Some(row)).map_err(from_read)
    }

    /// Seal a row under another key; nothing else of it changes.
    pub(super) fn reseal(
        &self,
        id: i64,
        row: &ResidentRow,
        epoch: u32,
        dice: law::Dice<'_>,
    ) -> Result<(), StoreError> {
        let sealed = self.sealing().seal_resident(id, epoch, row, dice)?;
        self.run(
            "UPDATE resident SET epoch = ?2, sealed = ?3 WHERE id = ?1",
            params![id, epoch, sealed],
        )
    }

    fn column<T: rusqlite::types::FromSql>(
        &self,
        sql: &str,
        params: impl Params,
    ) -> Result<Vec<T>, StoreError> {
        let first = |row: &Row<'_>| row.get(0);
        self.db
            .prepare_cached(sql)
            .and_then(|mut s| s.query_map(params, first)?.collect())
            .map_err(store_error)
    }
}
