//! The existing resident register (既存住基) of one municipality, in a sealed SQLite file of its own.
//!
//! Trust: it holds every item of every record, so it is never the communication server's store,
//! and no node opens it; the one thing that leaves it is its outbox of notices. A copy of the file
//! answers nothing without the token. Every version of every record is kept, with the day from
//! which it holds and the moment it was written; a filing and its notices are one transaction.
//!
//! Not here: what a filing may do (`law::register`), what a file of notices looks like (`jukinet`).

mod file;
mod outbox;
mod read;
mod row;
mod terms;

use std::fs::File;
use std::path::{Path, PathBuf};

use aes_gcm::Aes256Gcm;
use law::Epoch;
use law::code::LocalGovernmentCode;
use law::register::{Context, Fault, Filing, Outcome};
use law::time::Timestamp;
use node::ports::StoreError;
use rusqlite::Connection;

use crate::keys::{IndexKey, KeySource};

pub use outbox::{Marked, OutboxRow};
pub use read::{AsOf, Version};
pub use terms::{ErasedRecords, LateFiling, OpenHousehold};

/// The register of one municipality.
pub struct RegisterStore {
    db: Connection,
    index: IndexKey,
    rows: Aes256Gcm,
    context: Context,
    _lock: File,
}

impl std::fmt::Debug for RegisterStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RegisterStore({})", self.context.municipality)
    }
}

/// Why a filing did not come into the register.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    #[error(transparent)]
    Refused(#[from] Fault),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What became of a filing.
#[derive(Debug)]
pub enum Filed {
    /// Durable, with all that follows from it.
    Done(Box<Outcome>),
    /// This reception number was filed before; nothing was changed.
    Before,
}

impl RegisterStore {
    /// Make an empty register.
    ///
    /// # Errors
    /// When there is a file already, or the token or the disk refuses.
    pub fn create(
        path: &Path,
        keys: &dyn KeySource,
        municipality: LocalGovernmentCode,
        epoch: Epoch,
        dice: law::Dice<'_>,
    ) -> Result<Self, StoreError> {
        let lock = lock(path)?;
        let db = file::connect(path)?;
        // A crash while it was made leaves an empty file, which this fills.
        if !file::is_empty(&db)? {
            return Err(StoreError::Io("there is a register already".into()));
        }
        let (index, rows) = file::initialise(&db, keys, municipality, dice)?;
        Ok(Self { db, index, rows, context: Context { municipality, epoch }, _lock: lock })
    }

    /// Open an existing one.
    ///
    /// # Errors
    /// `Damaged` when it is another municipality's or no register; the others as named.
    pub fn open(
        path: &Path,
        keys: &dyn KeySource,
        municipality: LocalGovernmentCode,
        epoch: Epoch,
    ) -> Result<Self, StoreError> {
        if !path.exists() {
            return Err(StoreError::Io("there is no register yet; make one".into()));
        }
        let lock = lock(path)?;
        let db = file::connect(path)?;
        let (index, rows) = file::unlock(&db, keys, municipality)?;
        Ok(Self { db, index, rows, context: Context { municipality, epoch }, _lock: lock })
    }

    /// Apply one filing: the versions, the notices and the reception number in one transaction, or
    /// nothing of it.
    ///
    /// # Errors
    /// `Refused` by the first rule that it breaks; `Store` when it could not be kept.
    pub fn file(
        &mut self,
        filing: &Filing,
        now: Timestamp,
        dice: law::Dice<'_>,
    ) -> Result<Filed, RegisterError> {
        self.within(|register| {
            if register.filed_before(filing)? {
                return Ok(Filed::Before);
            }
            let state = register.state(&filing.act)?;
            let outcome = law::register::apply(&state.residents, filing, &register.context)?;
            register.keep(filing, &state, &outcome, now, dice)?;
            Ok(Filed::Done(Box::new(outcome)))
        })
    }

    /// One transaction; whatever fails takes everything back.
    fn within<T, E: From<StoreError>>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        self.db.execute_batch("BEGIN IMMEDIATE").map_err(crate::schema::store_error)?;
        let result = work(self).and_then(|value| {
            self.db.execute_batch("COMMIT").map_err(crate::schema::store_error)?;
            Ok(value)
        });
        if result.is_err() && !self.db.is_autocommit() {
            // A failure here leaves the transaction open, and the next `BEGIN` refuses.
            let _ = self.db.execute_batch("ROLLBACK");
        }
        result
    }
}

/// One process per register; the file belongs to its owner alone.
fn lock(path: &Path) -> Result<File, StoreError> {
    let io = |error: std::io::Error| StoreError::Io(error.to_string());
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = crate::ledger_files::private_file(&PathBuf::from(name)).map_err(io)?;
    file.try_lock().map_err(|_| StoreError::Io("another process has this register open".into()))?;
    crate::ledger_files::private_file(path).map_err(io)?;
    Ok(file)
}
