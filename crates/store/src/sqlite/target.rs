//! A database file as the target of a move: filled under another name, synced, then renamed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use node::ports::StoreError;
use rusqlite::Connection;

use super::raw::{insert_raw, is_empty};
use super::{SqliteStore, lock};
use crate::ledger_files::io_error;
use crate::raw::{Raw, RawRow, Table};
use crate::schema::{self, Access, store_error};
use crate::transfer::Sink;

/// A new file, being filled.
#[derive(Debug)]
pub(crate) struct SqliteTarget {
    db: Connection,
    aside: PathBuf,
    path: PathBuf,
    _lock: File,
}

impl SqliteTarget {
    pub(crate) fn new(path: &Path) -> Result<Self, StoreError> {
        let lock = lock(path)?;
        // The lock made an empty file, which is as good as none; a store in it is not.
        if fs::metadata(path).map_err(io_error)?.len() > 0
            && !is_empty(&schema::connect(path, Access::ReadOnly)?)?
        {
            return Err(StoreError::Io(format!(
                "{} is not empty: name a folder without a store",
                path.display()
            )));
        }
        let aside = beside(path, ".moving");
        remove_all(&aside)?;
        crate::ledger_files::private_file(&aside).map_err(io_error)?;
        let db = schema::connect(&aside, Access::ReadWrite)?;
        // Synced once, as a whole, before it gets its name.
        db.pragma_update(None, "synchronous", "OFF").map_err(store_error)?;
        db.execute_batch("BEGIN IMMEDIATE").map_err(store_error)?;
        Ok(Self { db, aside, path: path.to_owned(), _lock: lock })
    }
}

impl Sink for SqliteTarget {
    fn put(&mut self, table: &Table, rows: &[RawRow]) -> Result<(), StoreError> {
        // The file has no name yet: a crash leaves only what the next attempt removes.
        insert_raw(&self.db, table, rows)?;
        self.db.execute_batch("COMMIT; BEGIN IMMEDIATE").map_err(store_error)
    }

    fn raw(&self) -> &dyn Raw {
        &self.db
    }

    fn finish(self: Box<Self>) -> Result<(), StoreError> {
        self.db.execute_batch("COMMIT").map_err(store_error)?;
        // One file, its log taken in.
        self.db.pragma_update(None, "journal_mode", "DELETE").map_err(store_error)?;
        let Self { db, aside, path, _lock } = *self;
        db.close().map_err(|(_, error)| store_error(error))?;
        File::open(&aside).and_then(|file| file.sync_all()).map_err(io_error)?;
        remove_all(&path)?;
        fs::rename(&aside, &path).map_err(io_error)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or_else(|| Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_error)
    }
}

/// The database file and what SQLite keeps beside it.
fn remove_all(path: &Path) -> Result<(), StoreError> {
    for name in ["", "-wal", "-shm", "-journal"] {
        match fs::remove_file(beside(path, name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(io_error(error));
            }
            _ => {}
        }
    }
    Ok(())
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

impl SqliteStore {
    pub(crate) fn raw(&self) -> &dyn Raw {
        &self.db
    }
}
