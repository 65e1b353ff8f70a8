//! The tables of wrapped keys on PostgreSQL, as the keyring wants them.

use node::ports::{ReadError, StoreError};

use super::link::{Link, read_error, store_error};
use crate::keyring::KeyTable;
use crate::month::Month;

fn first(row: Option<postgres::Row>) -> Result<Option<Vec<u8>>, ReadError> {
    row.map(|row| row.try_get(0).map_err(|error| read_error(store_error(error)))).transpose()
}

impl KeyTable for Link {
    fn named(&self, name: &str) -> Result<Option<Vec<u8>>, ReadError> {
        first(self.one("SELECT value FROM meta WHERE name = $1", &[&name]).map_err(read_error)?)
    }

    fn keep_named(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        self.run("INSERT INTO meta (name, value) VALUES ($1, $2)", &[&name, &value]).map(|_| ())
    }

    fn wrapped(&self, month: Month) -> Result<Option<Vec<u8>>, ReadError> {
        let row = self.one("SELECT wrapped FROM cohort WHERE month = $1", &[&month.number()]);
        first(row.map_err(read_error)?)
    }

    fn keep_wrapped(&self, month: Month, wrapped: &[u8]) -> Result<(), StoreError> {
        self.run(
            "INSERT INTO cohort (month, wrapped) VALUES ($1, $2)",
            &[&month.number(), &wrapped],
        )
        .map(|_| ())
    }
}
