//! The published side of the ledger, with its leaves from SQLite.

use ledger::checkpoint::Checkpoint;
use ledger::note::NoteSigner;
use node::ports::StoreError;
use rusqlite::{Connection, params};

use super::SqliteStore;
use crate::Publish;
use crate::published::Leaves;
use crate::schema::{store_error, to_sql};

impl Publish for SqliteStore {
    fn publish(&mut self, signer: &dyn NoteSigner) -> Result<Checkpoint, StoreError> {
        self.published.publish(&self.db, self.entries_committed, signer)
    }

    fn unpublished(&self) -> u64 {
        self.published.unpublished(self.entries_committed)
    }
}

impl Leaves for Connection {
    fn leaves(&self, first: u64, until: u64) -> Result<Vec<[u8; 32]>, StoreError> {
        self.prepare_cached("SELECT leaf_data FROM entry WHERE idx >= ?1 AND idx < ?2 ORDER BY idx")
            .and_then(|mut statement| {
                statement
                    .query_map(params![to_sql(first), to_sql(until)], |row| row.get(0))?
                    .collect()
            })
            .map_err(store_error)
    }
}

impl SqliteStore {
    /// Make every published file again from the database, after `fsck` found one damaged.
    ///
    /// # Errors
    /// `LedgerAhead` when the database does not lead to the signed root; otherwise as named.
    pub fn repair_ledger_files(&mut self) -> Result<(), StoreError> {
        self.require_idle()?;
        self.published.repair(&self.db, self.entries_committed)
    }
}
