//! Either engine behind one type: what a node's configuration names, opened.

use std::path::{Path, PathBuf};

use law::inquiry::Held;
use ledger::checkpoint::Checkpoint;
use ledger::note::NoteSigner;
use node::ports::{NewEntry, Reads, Recorded, Store, StoreError, Write};

use crate::keys::KeySource;
use crate::postgres::Target;
use crate::{Erase, Erased, FsckReport, Month, PostgresStore, Publish, SqliteStore};

/// Where a store is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A database file.
    Sqlite(PathBuf),
    /// A database of a PostgreSQL server.
    Postgresql(Target),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Postgresql(target) => write!(f, "postgresql {target}"),
        }
    }
}

impl Place {
    /// The engine's name in configuration.
    #[must_use]
    pub const fn engine(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgresql(_) => "postgresql",
        }
    }
}

/// A node's store on the engine that its configuration names.
#[derive(Debug)]
pub enum NodeStore {
    Sqlite(Box<SqliteStore>),
    Postgres(Box<PostgresStore>),
}

macro_rules! on_either {
    ($self:ident, $store:ident => $what:expr) => {
        match $self {
            Self::Sqlite($store) => $what,
            Self::Postgres($store) => $what,
        }
    };
}

impl NodeStore {
    /// Open the store for writing, making it when there is none.
    ///
    /// # Errors
    /// As [`SqliteStore::open`] and [`PostgresStore::open`].
    pub fn open(
        place: &Place,
        ledger_dir: &Path,
        keys: &dyn KeySource,
        origin: &str,
        dice: law::Dice<'_>,
    ) -> Result<Self, StoreError> {
        Ok(match place {
            Place::Sqlite(path) => {
                Self::Sqlite(Box::new(SqliteStore::open(path, ledger_dir, keys, origin, dice)?))
            }
            Place::Postgresql(target) => Self::Postgres(Box::new(PostgresStore::open(
                target, ledger_dir, keys, origin, dice,
            )?)),
        })
    }

    /// Open an existing store for reading, also beside the process that writes it.
    ///
    /// # Errors
    /// As [`SqliteStore::open_read_only`] and [`PostgresStore::open_read_only`].
    pub fn open_read_only(
        place: &Place,
        ledger_dir: &Path,
        keys: &dyn KeySource,
    ) -> Result<Self, StoreError> {
        Ok(match place {
            Place::Sqlite(path) => {
                Self::Sqlite(Box::new(SqliteStore::open_read_only(path, ledger_dir, keys)?))
            }
            Place::Postgresql(target) => {
                Self::Postgres(Box::new(PostgresStore::open_read_only(target, ledger_dir, keys)?))
            }
        })
    }

    /// Check everything; see the engines.
    ///
    /// # Errors
    /// Only when the check itself cannot be carried out.
    pub fn fsck(&self) -> Result<FsckReport, StoreError> {
        on_either!(self, store => store.fsck())
    }

    /// Make every published file again from the database.
    ///
    /// # Errors
    /// `LedgerAhead` when the database does not lead to the signed root; otherwise as named.
    pub fn repair_ledger_files(&mut self) -> Result<(), StoreError> {
        on_either!(self, store => store.repair_ledger_files())
    }

    /// Keep people who are not held yet, chunk by chunk; see the engines.
    ///
    /// # Errors
    /// As for a commit; refused at the first code that is held already.
    pub fn bulk_load(
        &mut self,
        people: &mut dyn Iterator<Item = Held>,
        dice: law::Dice<'_>,
    ) -> Result<u64, StoreError> {
        on_either!(self, store => store.bulk_load(people, dice))
    }

    /// Destroy everything whose month of expiry lies before `month`.
    ///
    /// # Errors
    /// As for the parts of it ([`Erase`]).
    pub fn erase_cohorts_before(
        &mut self,
        month: Month,
        dice: law::Dice<'_>,
    ) -> Result<Erased, StoreError> {
        on_either!(self, store => store.erase_cohorts_before(month, dice))
    }

    /// The month before which everything is erased.
    #[must_use]
    pub fn erased_before(&self) -> Month {
        on_either!(self, store => store.erased_before())
    }
}

impl Store for NodeStore {
    fn reads(&self) -> &dyn Reads {
        on_either!(self, store => store.reads())
    }

    fn apply(
        &mut self,
        writes: &[Write],
        entries: &[NewEntry],
        dice: law::Dice<'_>,
    ) -> Result<Vec<Recorded>, StoreError> {
        on_either!(self, store => store.apply(writes, entries, dice))
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        on_either!(self, store => store.commit())
    }

    fn rollback(&mut self) {
        on_either!(self, store => store.rollback());
    }

    fn origin(&self) -> &str {
        on_either!(self, store => store.origin())
    }
}

impl Publish for NodeStore {
    fn publish(&mut self, signer: &dyn NoteSigner) -> Result<Checkpoint, StoreError> {
        on_either!(self, store => store.publish(signer))
    }

    fn unpublished(&self) -> u64 {
        on_either!(self, store => store.unpublished())
    }
}

impl Erase for NodeStore {
    fn erasable_before(&self, month: Month) -> Result<Erased, StoreError> {
        on_either!(self, store => store.erasable_before(month))
    }

    fn erase_some_before(
        &mut self,
        month: Month,
        rows_max: usize,
        dice: law::Dice<'_>,
    ) -> Result<Erased, StoreError> {
        on_either!(self, store => store.erase_some_before(month, rows_max, dice))
    }

    fn erase_keys_before(&mut self, month: Month) -> Result<Erased, StoreError> {
        on_either!(self, store => store.erase_keys_before(month))
    }

    fn renew_rows(
        &mut self,
        year: u32,
        keep_from: u32,
        rows_max: usize,
        dice: law::Dice<'_>,
    ) -> Result<bool, StoreError> {
        on_either!(self, store => store.renew_rows(year, keep_from, rows_max, dice))
    }
}
