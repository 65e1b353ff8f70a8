//! Terms: filings that came late, households without a householder, and deleted records whose years
//! are over. What the terms are is `law::register`'s.

use law::register::{HouseholdId, deleted_kept_until};
use law::time::Date;
use node::ports::StoreError;
use rusqlite::{Params, params};

use super::RegisterStore;
use super::file::damaged;
use super::read::{AsOf, deletion_month};
use super::row::{decode_due, decode_filing};
use crate::schema::store_error;

/// A filing and by how much it was late; nobody is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateFiling {
    pub number: String,
    pub act: String,
    pub filed_on: Date,
    pub article: String,
    pub due: Date,
    pub days: i64,
}

/// A household that has to file who its householder is (法25条).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenHousehold {
    pub household: HouseholdId,
    pub until: Date,
    /// The filing by which it lost its householder.
    pub number: String,
}

/// What an erasure took away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErasedRecords {
    pub records: usize,
    pub versions: usize,
}

impl RegisterStore {
    pub(super) fn filings(
        &self,
        rest: &str,
        params: impl Params,
    ) -> Result<Vec<LateFiling>, StoreError> {
        let sql = format!("SELECT id, sealed FROM filing {rest} ORDER BY id");
        let rows = self.sealed_rows(&sql, params)?;
        rows.iter()
            .map(|(id, sealed)| {
                let plain = self.unseal("filing", &[*id], sealed)?;
                decode_filing(&plain).map_err(|_| damaged("filing"))
            })
            .collect()
    }

    fn sealed_rows(
        &self,
        sql: &str,
        params: impl Params,
    ) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        let mut statement = self.db.prepare_cached(sql).map_err(store_error)?;
        let rows = statement
            .query_map(params, |row| Ok((row.get(0)?, row.get(1)?)))
            .map_err(store_error)?;
        rows.collect::<Result<_, _>>().map_err(store_error)
    }

    /// Filings received up to this day that were late.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn late_filings(&self, on: Date) -> Result<Vec<LateFiling>, StoreError> {
        let mut late = self.filings("WHERE late = 1", [])?;
        late.retain(|filing| filing.filed_on <= on);
        Ok(late)
    }

    /// Households that still have no householder on this day.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn open_households(&self, on: Date) -> Result<Vec<OpenHousehold>, StoreError> {
        let mut open = Vec::new();
        for (id, sealed) in
            self.sealed_rows("SELECT id, sealed FROM household_due ORDER BY id", [])?
        {
            let plain = self.unseal("household_due", &[id], &sealed)?;
            let due = decode_due(&plain).map_err(|_| damaged("household_due"))?;
            let members = self.household(&due.household, AsOf::day(on))?;
            let headless =
                members.len() > 1 && !members.iter().any(|m| m.resident.is_householder());
            if headless {
                open.push(due);
            }
        }
        Ok(open)
    }

    /// Erase deleted records whose term is over (令34条): rows, index terms, and their traces in the
    /// write-ahead log. A backup keeps them for as long as it is kept.
    ///
    /// # Errors
    /// When the file cannot be written, or a reader keeps the log from being emptied.
    pub fn erase_deleted(&mut self, on: Date) -> Result<ErasedRecords, StoreError> {
        let erased = self.within(|register| {
            let sql = "SELECT id FROM record WHERE deletion_month <= ?1";
            let candidates: Vec<i64> = {
                let mut statement = register.db.prepare_cached(sql).map_err(store_error)?;
                let rows = statement.query_map([deletion_month(on)], |row| row.get(0));
                rows.map_err(store_error)?.collect::<Result<_, _>>().map_err(store_error)?
            };
            let mut erased = ErasedRecords::default();
            for record in candidates {
                if register.is_over(record, on)? {
                    register.run("DELETE FROM term WHERE record = ?1", params![record])?;
                    erased.versions +=
                        register.run("DELETE FROM version WHERE record = ?1", params![record])?;
                    erased.records +=
                        register.run("DELETE FROM record WHERE id = ?1", params![record])?;
                }
            }
            Ok::<_, StoreError>(erased)
        })?;
        let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
        let busy: i64 = self.db.query_row(sql, [], |row| row.get(0)).map_err(store_error)?;
        match busy {
            0 => Ok(erased),
            _ => Err(StoreError::Io("a reader keeps the log from being emptied".into())),
        }
    }

    fn is_over(&self, record: i64, on: Date) -> Result<bool, StoreError> {
        let last = self.versions(record)?.pop().ok_or_else(|| damaged("record"))?;
        let Some(deletion) = last.resident.deletion() else { return Ok(false) };
        Ok(deleted_kept_until(deletion.on, self.context.epoch).is_ok_and(|until| until < on))
    }
}
