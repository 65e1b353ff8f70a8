//! Moving a whole store to another engine, and the digest by which two stores are compared.
//!
//! A row's place and key do not depend on the engine, so rows go over as they are, sealed:
//! residents, terms, history, entries with their salts, queues, counters, facts, and the wrapped
//! keys with which later erasures take place over there as they would have here. Nothing is opened.
//!
//! The target is empty before, and either whole or empty after: on SQLite the file gets its name
//! at the end, on PostgreSQL all of it is one transaction.

use std::path::Path;

use ledger::LedgerFiles as _;
use node::ports::StoreError;
use sha2::{Digest as _, Sha256};

use crate::engine::{NodeStore, Place};
use crate::ledger_files::{LedgerDirectory, io_error};
use crate::postgres::PostgresTarget;
use crate::published::{CHECKPOINT_PATH, VERIFIER_KEY_PATH};
use crate::raw::{Raw, RawRow, TABLES, Table, Value, each_page};
use crate::sqlite::SqliteTarget;

/// One table of a store: how many rows, and a digest over all of them in order of their keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableDigest {
    pub table: &'static str,
    pub rows: u64,
    /// SHA-256, in hexadecimal.
    pub digest: String,
}

/// What a move did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The digests of both sides, which are the same.
    pub tables: Vec<TableDigest>,
}

/// Where rows of a move go.
pub(crate) trait Sink {
    fn put(&mut self, table: &Table, rows: &[RawRow]) -> Result<(), StoreError>;
    fn raw(&self) -> &dyn Raw;
    /// All is there and compared: make it the store.
    fn finish(self: Box<Self>) -> Result<(), StoreError>;
}

/// Told how many rows of how many are over.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

impl NodeStore {
    pub(crate) fn raw(&self) -> &dyn Raw {
        match self {
            Self::Sqlite(store) => store.raw(),
            Self::Postgres(store) => store.raw(),
        }
    }

    /// Names of all tables.
    #[must_use]
    pub fn tables() -> Vec<&'static str> {
        TABLES.iter().map(|table| table.name).collect()
    }

    /// The digest of every table. The same on two engines exactly when they hold the same.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn digest(&self, progress: Progress<'_>) -> Result<Vec<TableDigest>, StoreError> {
        digest(self.raw(), progress)
    }

    /// Rows of all tables.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn rows(&self) -> Result<u64, StoreError> {
        count(self.raw())
    }

    /// Copy everything to an empty place, compare the digests of both sides, and leave this store
    /// as it is. The ledger's checkpoint and key go along when the ledger's folder is another one;
    /// its other files are made again from the entries when the store is next opened.
    ///
    /// # Errors
    /// When the target is not empty or does not take the rows, or holds another thing afterwards;
    /// then nothing is left of it.
    pub fn move_to(
        &self,
        target: &Place,
        (ledger, target_ledger): (&Path, &Path),
        progress: Progress<'_>,
    ) -> Result<Moved, StoreError> {
        let carried = carried_files(ledger, target_ledger)?;
        let mut sink: Box<dyn Sink> = match target {
            Place::Sqlite(path) => Box::new(SqliteTarget::new(path)?),
            Place::Postgresql(target) => Box::new(PostgresTarget::new(target)?),
        };
        // Once to copy and twice to compare.
        let all = self.rows()?.saturating_mul(3);
        let mut done = 0u64;
        for table in TABLES {
            each_page(self.raw(), table, &mut |rows| {
                sink.put(table, rows)?;
                done = done.saturating_add(wide(rows.len()));
                progress(done, all);
                Ok(())
            })?;
        }
        let mut told = |more: u64, _: u64| progress(done.saturating_add(more), all);
        let here = digest(self.raw(), &mut told)?;
        let third = all / 3;
        let mut told =
            |more: u64, _: u64| progress(done.saturating_add(third).saturating_add(more), all);
        let there = digest(sink.raw(), &mut told)?;
        if here != there {
            return Err(StoreError::Damaged(
                "the copy does not have the digest of the original; nothing of it was kept".into(),
            ));
        }
        for (name, bytes) in carried {
            LedgerDirectory::new(target_ledger).write(name, &bytes).map_err(io_error)?;
        }
        sink.finish()?;
        Ok(Moved { tables: here })
    }
}

/// What of the ledger has to be carried to another folder: what is signed.
fn carried_files(from: &Path, to: &Path) -> Result<Vec<(&'static str, Vec<u8>)>, StoreError> {
    let (from, to) = (LedgerDirectory::new(from), LedgerDirectory::new(to));
    let mut carried = Vec::new();
    // The checkpoint last: what is there without it is taken up as nothing.
    for name in [VERIFIER_KEY_PATH, CHECKPOINT_PATH] {
        let (own, other) = (from.read(name), to.read(name));
        match (own.map_err(StoreError::Io)?, other.map_err(StoreError::Io)?) {
            (own, Some(other)) if own.as_ref() == Some(&other) => {}
            (_, Some(_)) => {
                return Err(StoreError::Io("the target's ledger folder has another ledger".into()));
            }
            (Some(own), None) => carried.push((name, own)),
            (None, None) => {}
        }
    }
    Ok(carried)
}

fn count(raw: &dyn Raw) -> Result<u64, StoreError> {
    let mut all = 0u64;
    for table in TABLES {
        all = all.saturating_add(raw.number_of(&format!("SELECT count(*) FROM {}", table.name))?);
    }
    Ok(all)
}

fn digest(raw: &dyn Raw, progress: Progress<'_>) -> Result<Vec<TableDigest>, StoreError> {
    let all = count(raw)?;
    let mut done = 0u64;
    let mut digests = Vec::with_capacity(TABLES.len());
    for table in TABLES {
        let mut hash = Sha256::new();
        let mut rows_of_table = 0u64;
        hash.update(format!("jukinet/1 table {}\n", table.name).as_bytes());
        each_page(raw, table, &mut |rows| {
            for value in rows.iter().flatten() {
                hash_value(&mut hash, value);
            }
            rows_of_table = rows_of_table.saturating_add(wide(rows.len()));
            done = done.saturating_add(wide(rows.len()));
            progress(done, all);
            Ok(())
        })?;
        let digest = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        digests.push(TableDigest { table: table.name, rows: rows_of_table, digest });
    }
    Ok(digests)
}

/// Every value says what it is and how long it is, so that no two rows read alike.
fn hash_value(hash: &mut Sha256, value: &Value) {
    let mut part = |kind: u8, bytes: &[u8]| {
        hash.update([kind]);
        hash.update(wide(bytes.len()).to_be_bytes());
        hash.update(bytes);
    };
    match value {
        Value::None => part(0, &[]),
        Value::Number(number) => part(1, &number.to_be_bytes()),
        Value::Bytes(bytes) => part(2, bytes),
        Value::Text(text) => part(3, text.as_bytes()),
    }
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
