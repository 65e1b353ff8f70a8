//! The keys in use: index, rows, queues, and one key per retention cohort, loaded as needed.
//!
//! Cohort keys are random, not derived: destroying the wrapped copy in the `cohort` table makes
//! every row of that month unreadable for good, wherever copies of the rows themselves are.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use aes_gcm::Aes256Gcm;
use node::ports::{ReadError, StoreError};
use rusqlite::{Connection, OptionalExtension, params};

use crate::keys::{Domain, IndexKey, KeyError, KeySource, SecretKey};
use crate::month::Month;
use crate::schema::{read_error, store_error};
use crate::seal;

/// Cohort keys held in memory at once: seven years of months and room for late rows.
const COHORTS_CACHED_COUNT_MAX: usize = 256;

/// Name of the wrapped root key in `meta`.
const ROOT_NAME: &str = "root-key";

pub(crate) struct Keyring {
    root: SecretKey,
    index: IndexKey,
    queue: Aes256Gcm,
    cohort_wrap: Aes256Gcm,
    rows: RefCell<BTreeMap<u32, Arc<Aes256Gcm>>>,
    cohorts: RefCell<BTreeMap<Month, Arc<Aes256Gcm>>>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyring(…)")
    }
}

impl Keyring {
    /// Unwrap the root key of an existing store.
    pub(crate) fn open(
        db: &Connection,
        source: &dyn KeySource,
    ) -> Result<Option<Self>, StoreError> {
        let wrapped: Option<Vec<u8>> = db
            .query_row("SELECT value FROM meta WHERE name = ?1", [ROOT_NAME], |row| row.get(0))
            .optional()
            .map_err(store_error)?;
        let Some(wrapped) = wrapped else { return Ok(None) };
        let plain = source.unwrap(&wrapped).map_err(key_error)?;
        let root = SecretKey::from_slice(&plain)
            .ok_or_else(|| StoreError::Key("the unwrapped root key has the wrong length".into()))?;
        Self::from_root(root).map(Some)
    }

    /// Draw and keep the root key of a new store. Runs inside the caller's transaction.
    pub(crate) fn create(
        db: &Connection,
        source: &dyn KeySource,
        dice: law::Dice<'_>,
    ) -> Result<Self, StoreError> {
        let root = SecretKey::draw(dice);
        let mut nonce = [0u8; 12];
        dice(&mut nonce);
        let wrapped = source.wrap(root.bytes(), nonce).map_err(key_error)?;
        db.execute("INSERT INTO meta (name, value) VALUES (?1, ?2)", params![ROOT_NAME, wrapped])
            .map_err(store_error)?;
        Self::from_root(root)
    }

    fn from_root(root: SecretKey) -> Result<Self, StoreError> {
        let derive = |label: &str| root.derive(label).map_err(key_error);
        let (index, queue, cohort) = (derive("index")?, derive("queue")?, derive("cohort")?);
        Ok(Self {
            index: IndexKey::new(&index).map_err(key_error)?,
            queue: queue.cipher(),
            cohort_wrap: cohort.cipher(),
            rows: RefCell::default(),
            cohorts: RefCell::default(),
            root,
        })
    }

    pub(crate) fn digest(&self, domain: Domain, text: &str) -> i64 {
        self.index.digest(domain, text)
    }

    pub(crate) fn queue(&self) -> &Aes256Gcm {
        &self.queue
    }

    /// The key of current rows written in this epoch.
    pub(crate) fn row(&self, epoch: u32) -> Result<Arc<Aes256Gcm>, KeyError> {
        if let Some(cipher) = self.rows.borrow().get(&epoch) {
            return Ok(Arc::clone(cipher));
        }
        let cipher = Arc::new(self.root.derive(&format!("row/{epoch}"))?.cipher());
        self.rows.borrow_mut().insert(epoch, Arc::clone(&cipher));
        Ok(cipher)
    }

    /// The key of a cohort, if it has not been destroyed.
    pub(crate) fn cohort(
        &self,
        db: &Connection,
        month: Month,
    ) -> Result<Option<Arc<Aes256Gcm>>, ReadError> {
        if let Some(cipher) = self.cohorts.borrow().get(&month) {
            return Ok(Some(Arc::clone(cipher)));
        }
        let wrapped: Option<Vec<u8>> = db
            .prepare_cached("SELECT wrapped FROM cohort WHERE month = ?1")
            .and_then(|mut s| s.query_row([month.number()], |row| row.get(0)).optional())
            .map_err(read_error)?;
        let Some(wrapped) = wrapped else { return Ok(None) };
        let plain = seal::open(&self.cohort_wrap, &cohort_place(month), &wrapped)
            .ok()
            .and_then(|plain| SecretKey::from_slice(&plain))
            .ok_or(ReadError::Sealed { table: "cohort" })?;
        Ok(Some(self.remember(month, &plain)))
    }

    /// The key of a cohort, drawn at its first row. Runs inside the open group.
    pub(crate) fn cohort_to_write(
        &self,
        db: &Connection,
        month: Month,
        dice: law::Dice<'_>,
    ) -> Result<Arc<Aes256Gcm>, StoreError> {
        if let Some(cipher) = self.cohort(db, month).map_err(from_read)? {
            return Ok(cipher);
        }
        let key = SecretKey::draw(dice);
        let wrapped = seal::seal(&self.cohort_wrap, &cohort_place(month), key.bytes(), dice)
            .map_err(|_| StoreError::Key("the cohort key could not be wrapped".into()))?;
        db.prepare_cached("INSERT INTO cohort (month, wrapped) VALUES (?1, ?2)")
            .and_then(|mut s| s.execute(params![month.number(), wrapped]))
            .map_err(store_error)?;
        Ok(self.remember(month, &key))
    }

    fn remember(&self, month: Month, key: &SecretKey) -> Arc<Aes256Gcm> {
        let cipher = Arc::new(key.cipher());
        let mut cohorts = self.cohorts.borrow_mut();
        if cohorts.len() >= COHORTS_CACHED_COUNT_MAX {
            cohorts.clear();
        }
        cohorts.insert(month, Arc::clone(&cipher));
        cipher
    }

    /// Forget the cohort keys in memory: after a rollback (a key drawn in the group is gone) and
    /// after an erasure.
    pub(crate) fn forget_cohorts(&self) {
        self.cohorts.borrow_mut().clear();
    }
}

fn cohort_place(month: Month) -> Vec<u8> {
    seal::place("cohort", &month.number().to_be_bytes())
}

#[expect(clippy::needless_pass_by_value, reason = "used as a map_err function")]
fn key_error(error: KeyError) -> StoreError {
    StoreError::Key(error.to_string())
}

/// A look-up that failed while writing.
pub(crate) fn from_read(error: ReadError) -> StoreError {
    match error {
        ReadError::Store(text) => StoreError::Io(text),
        sealed @ ReadError::Sealed { .. } => StoreError::Damaged(sealed.to_string()),
    }
}
