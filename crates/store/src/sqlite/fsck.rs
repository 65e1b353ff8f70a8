//! The check of a whole store on one consistent version of it, also beside a live node.

use node::ports::StoreError;

use super::SqliteStore;
use crate::check::check;
use crate::fsck::FsckReport;
use crate::schema::store_error;

impl SqliteStore {
    /// Check everything: SQLite's own structures, every row and index term, queues, cohorts, and
    /// the published ledger against the entries.
    ///
    /// # Errors
    /// Only when the check itself cannot be carried out; what it finds is in the report.
    pub fn fsck(&self) -> Result<FsckReport, StoreError> {
        // Read before the database's version is fixed by the first row: a live node commits first
        // and publishes afterwards, so that version has at least what this checkpoint covers.
        let note = self.published.note_on_disk()?;
        // One read transaction holds one version; inside an open group, that group's.
        let alone = self.db.is_autocommit();
        if alone {
            self.db.execute_batch("BEGIN DEFERRED").map_err(store_error)?;
        }
        let report = check(&self.db, &self.sealing(), &self.published, note);
        if alone {
            self.db.execute_batch("COMMIT").map_err(store_error)?;
        }
        report
    }
}
