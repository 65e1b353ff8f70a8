//! Erasure of whole cohorts: the key is destroyed, then the rows themselves (S1: 確実な消去).
//!
//! What must be erased when is not decided here; the caller names the month.

use node::ports::StoreError;
use rusqlite::{Connection, Params};

use super::SqliteStore;
use crate::month::Month;
use crate::schema::store_error;

/// How much an erasure took away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Cohort keys destroyed.
    pub cohorts: usize,
    /// History rows removed.
    pub history: usize,
    /// Own entries whose content was removed; their commitments stay, so the ledger still verifies.
    pub entries: usize,
    /// Other ledgers' entries removed.
    pub foreign: usize,
}

impl SqliteStore {
    /// Destroy everything whose month of expiry lies before `month`: keys, rows and index terms.
    ///
    /// A copy of the database made earlier still holds the wrapped keys: backups have to be kept
    /// without the `cohort` table, or for shorter than a month.
    ///
    /// # Errors
    /// As for a commit; refused while a group is open.
    pub fn erase_cohorts_before(&mut self, month: Month) -> Result<Erased, StoreError> {
        self.require_idle()?;
        self.db.execute_batch("BEGIN IMMEDIATE").map_err(store_error)?;
        let erased = erase(&self.db, month)
            .and_then(|erased| self.db.execute_batch("COMMIT").map(|()| erased));
        if erased.is_err() {
            self.abandon();
        }
        let erased = erased.map_err(store_error)?;
        self.keys.forget_cohorts();
        // The write-ahead log still holds the old pages; emptying it leaves the overwritten ones.
        self.db
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))
            .map_err(store_error)
            .and_then(|busy| match busy {
                0 => Ok(erased),
                _ => Err(StoreError::Io(
                    "rows are erased, but a reader keeps the log from being emptied; erase again"
                        .into(),
                )),
            })
    }
}

fn erase(db: &Connection, month: Month) -> rusqlite::Result<Erased> {
    let month = [month.number()];
    // Terms first: they are found through the rows.
    run(
        db,
        "DELETE FROM entry_subject WHERE idx IN
         (SELECT idx FROM entry WHERE cohort < ?1 AND sealed IS NOT NULL)",
        month,
    )?;
    Ok(Erased {
        entries: run(
            db,
            "UPDATE entry SET sealed = NULL WHERE cohort < ?1 AND sealed IS NOT NULL",
            month,
        )?,
        history: run(db, "DELETE FROM history WHERE cohort < ?1", month)?,
        foreign: run(db, "DELETE FROM foreign_entry WHERE cohort < ?1", month)?,
        cohorts: run(db, "DELETE FROM cohort WHERE month < ?1", month)?,
    })
}

fn run(db: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
    db.execute(sql, params)
}
