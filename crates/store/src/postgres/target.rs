//! A PostgreSQL database as the target of a move: empty before, and all of it one transaction.

use node::ports::StoreError;

use super::link::{Link, Target};
use super::{PostgresStore, schema};
use crate::raw::{Raw, RawRow, Table};
use crate::schema::Access;
use crate::transfer::Sink;

/// An empty store, being filled.
#[derive(Debug)]
pub(crate) struct PostgresTarget {
    link: Link,
}

impl PostgresTarget {
    pub(crate) fn new(target: &Target) -> Result<Self, StoreError> {
        let link = Link::open(target, Access::ReadWrite)?;
        schema::require(&link, true)?;
        if !link.is_empty()? {
            return Err(StoreError::Io(format!("{target} is not empty: name an empty database")));
        }
        link.batch("BEGIN")?;
        link.set_in_group(true);
        Ok(Self { link })
    }
}

impl Sink for PostgresTarget {
    fn put(&mut self, table: &Table, rows: &[RawRow]) -> Result<(), StoreError> {
        self.link.copy_raw(table, rows)
    }

    fn raw(&self) -> &dyn Raw {
        &self.link
    }

    fn finish(self: Box<Self>) -> Result<(), StoreError> {
        self.link.batch("COMMIT")?;
        self.link.set_in_group(false);
        // Statistics of tables that were empty a moment ago lead no plan anywhere.
        self.link.batch("ANALYZE")
    }
}

impl PostgresStore {
    pub(crate) fn raw(&self) -> &dyn Raw {
        &self.link
    }
}
