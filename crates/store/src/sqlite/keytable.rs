//! The tables of wrapped keys on SQLite, as the keyring wants them.

use node::ports::{ReadError, StoreError};
use rusqlite::{Connection, OptionalExtension, params};

use crate::keyring::KeyTable;
use crate::month::Month;
use crate::schema::{read_error, store_error};

impl KeyTable for Connection {
    fn named(&self, name: &str) -> Result<Option<Vec<u8>>, ReadError> {
        self.prepare_cached("SELECT value FROM meta WHERE name = ?1")
            .and_then(|mut s| s.query_row([name], |row| row.get(0)).optional())
            .map_err(read_error)
    }

    fn keep_named(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        self.prepare_cached("INSERT INTO meta (name, value) VALUES (?1, ?2)")
            .and_then(|mut s| s.execute(params![name, value]))
            .map(|_| ())
            .map_err(store_error)
    }

    fn wrapped(&self, month: Month) -> Result<Option<Vec<u8>>, ReadError> {
        self.prepare_cached("SELECT wrapped FROM cohort WHERE month = ?1")
            .and_then(|mut s| s.query_row([month.number()], |row| row.get(0)).optional())
            .map_err(read_error)
    }

    fn keep_wrapped(&self, month: Month, wrapped: &[u8]) -> Result<(), StoreError> {
        self.prepare_cached("INSERT INTO cohort (month, wrapped) VALUES (?1, ?2)")
            .and_then(|mut s| s.execute(params![month.number(), wrapped]))
            .map(|_| ())
            .map_err(store_error)
    }
}
