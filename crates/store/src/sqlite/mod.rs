//! The store on SQLite: opening, and the open group with its commit and rollback.
//!
//! Trust: a copy of the files answers nothing without the token; whoever runs this process with the
//! token can read everything. Look-ups are in `read`, changes in `write`, the published ledger in
//! `publish`, erasure in `erase`, checking in `fsck`, raw rows in `raw`.

mod bulk;
mod erase;
mod facts;
mod first_load;
mod fsck;
mod keytable;
mod passing;
mod publish;
mod raw;
mod read;
mod size;
mod spill;
mod target;
mod write;

use std::fs::File;
use std::path::{Path, PathBuf};

use node::ports::{NewEntry, Reads, Recorded, Store, StoreError, Write};
use rusqlite::{Connection, OptionalExtension};

pub use first_load::LoadProgress;
pub(crate) use target::SqliteTarget;

use crate::keyring::{KeyTable as _, Keyring};
use crate::keys::KeySource;
use crate::ledger_files::{LedgerDirectory, io_error};
use crate::places::{EPOCH_NAME, ORIGIN_NAME};
use crate::published::{Published, read_only};
use crate::schema::{self, Access, store_error};
use crate::sealing::Sealing;

/// Where the open group stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    /// Nothing is open; the next `apply` opens one.
    Idle,
    /// Something was applied and not yet committed.
    Open,
    /// Something failed and everything of the group is gone; only `rollback` leads on, so that no
    /// receipt can be made for an earlier part of a group that failed later.
    Failed,
    /// A first load began and has not ended: nothing leads on but a new opening, which refuses it.
    Lost,
}

/// A role's store in one SQLite database and one directory of ledger files.
#[derive(Debug)]
pub struct SqliteStore {
    db: Connection,
    keys: Keyring,
    origin: String,
    published: Published,
    group: Group,
    access: Access,
    /// Entries that are durable; what may be published.
    entries_committed: u64,
    /// How far a renewal of old rows has come; begun anew after a restart.
    renewed_up_to: i64,
    /// Held for as long as the store is open: one writing process per store.
    _lock: Option<File>,
    /// Another descriptor of the database, closed only after it.
    _synced: Option<File>,
}

impl SqliteStore {
    /// Open the store at `path`, creating it when there is none, with its ledger in `ledger_dir`.
    ///
    /// # Errors
    /// [`StoreError::LedgerAhead`] when the signed checkpoint on disk covers what the database does
    /// not have (an older copy of the database was put back); the others as named.
    pub fn open(
        path: &Path,
        ledger_dir: &Path,
        key_source: &dyn KeySource,
        origin: &str,
        dice: law::Dice<'_>,
    ) -> Result<Self, StoreError> {
        let lock = lock(path)?;
        let db = schema::connect(path, Access::ReadWrite)?;
        let keys = match Keyring::open(&db, key_source)? {
            Some(keys) => keys,
            None => initialise(&db, key_source, origin, dice)?,
        };
        Self::assemble(db, keys, ledger_dir, Some(origin), Access::ReadWrite, Some(lock))
    }

    /// Open an existing store for reading, also beside the process that writes it.
    ///
    /// # Errors
    /// As [`SqliteStore::open`]; `Key` when the store has never been opened for writing.
    pub fn open_read_only(
        path: &Path,
        ledger_dir: &Path,
        key_source: &dyn KeySource,
    ) -> Result<Self, StoreError> {
        let db = schema::connect(path, Access::ReadOnly)?;
        let keys = Keyring::open(&db, key_source)?
            .ok_or_else(|| StoreError::Key("this store has no key yet".into()))?;
        Self::assemble(db, keys, ledger_dir, None, Access::ReadOnly, None)
    }

    fn assemble(
        db: Connection,
        keys: Keyring,
        ledger_dir: &Path,
        origin: Option<&str>,
        access: Access,
        lock: Option<File>,
    ) -> Result<Self, StoreError> {
        first_load::require_none_under_way(&db)?;
        let kept: String = db
            .query_row("SELECT CAST(value AS TEXT) FROM meta WHERE name = ?1", [ORIGIN_NAME], |r| {
                r.get(0)
            })
            .map_err(store_error)?;
        if origin.is_some_and(|origin| origin != kept) {
            return Err(StoreError::Damaged(format!("the store belongs to ledger {kept}")));
        }
        let held = entries_held(&db)?;
        let files = LedgerDirectory::new(ledger_dir);
        let published = Published::adopt(files, &kept, access == Access::ReadWrite, &db, held)?;
        let store = Self {
            db,
            keys,
            origin: kept,
            published,
            group: Group::Idle,
            access,
            entries_committed: held,
            renewed_up_to: 0,
            _lock: lock,
            _synced: None,
        };
        store.keys.set_erased_before(store.erased_before_held()?);
        store.keys.set_epoch(store.row_epoch()?);
        store.require_terms()?;
        if access == Access::ReadWrite {
            store.destroy_ended_keys()?;
        }
        Ok(store)
    }

    /// Bound the database file: beyond it a write fails as on a full disk, and a disk shared with
    /// the log keeps room. Holds for as long as the store is open.
    ///
    /// # Errors
    /// When the database does not take the bound.
    pub fn limit_pages(&mut self, pages: u32) -> Result<(), StoreError> {
        self.db
            .pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
            .map_err(store_error)
    }

    fn row_epoch(&self) -> Result<u32, StoreError> {
        let epoch: Option<u32> = self
            .db
            .prepare_cached("SELECT value FROM counter WHERE name = ?1")
            .and_then(|mut s| s.query_row([EPOCH_NAME], |row| row.get(0)).optional())
            .map_err(store_error)?;
        Ok(epoch.unwrap_or(1))
    }

    fn entries_held(&self) -> Result<u64, StoreError> {
        entries_held(&self.db)
    }

    fn sealing(&self) -> Sealing<'_> {
        Sealing { keys: &self.keys, table: &self.db }
    }

    fn require_idle(&self) -> Result<(), StoreError> {
        if self.access == Access::ReadOnly {
            return Err(read_only());
        }
        if self.group != Group::Idle {
            return Err(StoreError::Io("a group is open; commit or roll it back first".into()));
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), StoreError> {
        match self.group {
            Group::Idle => {
                self.require_idle()?;
                self.db.execute_batch("BEGIN IMMEDIATE").map_err(store_error)?;
                self.group = Group::Open;
                Ok(())
            }
            // SQLite ends a transaction by itself on some errors; then the group is lost.
            Group::Open if !self.db.is_autocommit() => Ok(()),
            Group::Open | Group::Failed | Group::Lost => Err(group_failed()),
        }
    }

    /// Undo whatever the group wrote. SQLite may have done so already.
    fn abandon(&mut self) {
        if !self.db.is_autocommit() {
            // A failure here leaves the transaction open, and `begin` refuses to go on with it.
            let _ = self.db.execute_batch("ROLLBACK");
        }
        self.keys.forget_fresh();
    }
}

impl Store for SqliteStore {
    fn reads(&self) -> &dyn Reads {
        self
    }

    fn apply(
        &mut self,
        writes: &[Write],
        entries: &[NewEntry],
        dice: law::Dice<'_>,
    ) -> Result<Vec<Recorded>, StoreError> {
        let result = match self.begin() {
            Ok(()) => self.apply_all(writes, entries, dice),
            Err(error) => Err(error),
        };
        if result.is_err() && self.group != Group::Lost {
            self.abandon();
            self.group = Group::Failed;
        }
        result
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        match self.group {
            Group::Idle => return Ok(()),
            Group::Failed | Group::Lost => return Err(group_failed()),
            Group::Open => {}
        }
        // COMMIT outside a transaction fails, so a transaction that SQLite ended is told too.
        let done = self
            .entries_held()
            .and_then(|held| self.db.execute_batch("COMMIT").map(|()| held).map_err(store_error));
        match done {
            Ok(held) => {
                self.entries_committed = held;
                self.group = Group::Idle;
                Ok(())
            }
            Err(error) => {
                self.abandon();
                self.group = Group::Failed;
                Err(error)
            }
        }
    }

    fn rollback(&mut self) {
        self.abandon();
        if self.group != Group::Lost {
            self.group = Group::Idle;
        }
    }

    fn origin(&self) -> &str {
        &self.origin
    }
}

fn entries_held(db: &Connection) -> Result<u64, StoreError> {
    db.prepare_cached("SELECT max(idx) FROM entry")
        .and_then(|mut s| s.query_row([], |row| row.get::<_, Option<i64>>(0)))
        .map(|last| last.map_or(0, |last| schema::from_sql(last).saturating_add(1)))
        .map_err(store_error)
}

/// The root key and the origin of a new store, in one transaction.
fn initialise(
    db: &Connection,
    key_source: &dyn KeySource,
    origin: &str,
    dice: law::Dice<'_>,
) -> Result<Keyring, StoreError> {
    db.execute_batch("BEGIN IMMEDIATE").map_err(store_error)?;
    let keys = Keyring::create(db, key_source, dice).and_then(|keys| {
        db.keep_named(ORIGIN_NAME, origin.as_bytes())?;
        db.execute_batch("COMMIT").map_err(store_error)?;
        Ok(keys)
    });
    if keys.is_err() && !db.is_autocommit() {
        let _ = db.execute_batch("ROLLBACK");
    }
    keys
}

/// One writing process per store: two would each publish a ledger of their own.
fn lock(path: &Path) -> Result<File, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = crate::ledger_files::private_file(&PathBuf::from(name)).map_err(io_error)?;
    file.try_lock()
        .map_err(|_| StoreError::Io("another process has this store open for writing".into()))?;
    // SQLite gives its log and index files the permissions of the database: owner only.
    crate::ledger_files::private_file(path).map_err(io_error)?;
    Ok(file)
}

/// The answer to whoever goes on with a group that failed.
pub(crate) fn group_failed() -> StoreError {
    StoreError::Io("the group failed; roll it back first".into())
}
