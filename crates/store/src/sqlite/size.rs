//! How much of the file each table and index takes, in whole pages: for whoever plans a disk. No
//! row is opened.

use std::collections::BTreeMap;

use node::ports::StoreError;

use super::SqliteStore;
use crate::schema::{from_sql, store_error};

impl SqliteStore {
    /// Bytes by table and index. Reads every page once.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn bytes_by_table(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        self.db
            .prepare("SELECT name, sum(pgsize) FROM dbstat GROUP BY name")
            .and_then(|mut statement| {
                statement.query_map([], |row| Ok((row.get(0)?, from_sql(row.get(1)?))))?.collect()
            })
            .map_err(store_error)
    }
}
