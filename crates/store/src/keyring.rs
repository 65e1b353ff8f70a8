//! The keys in use: index, rows, queues, and one key per retention cohort, loaded as needed.
//!
//! Cohort keys and row keys are random and wrapped twice over: what stands in the tables opens only
//! with a key for that very term that lives in the token. When the term has ended the token
//! destroys its key, and with it every copy of the wrapped one, in backups of any age too (decision
//! 0017).

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use aes_gcm::Aes256Gcm;
use node::ports::{FactPlace, ReadError, Space, StoreError};
use zeroize::Zeroizing;

use crate::keys::{Domain, IndexKey, KeyError, KeySource, SecretKey};
use crate::month::Month;
use crate::seal;

/// Cohort keys held in memory at once: seven years of months and room for late rows.
const COHORTS_CACHED_COUNT_MAX: usize = 256;

/// The epoch before a sealed queue item or fact.
const EPOCH_BYTES: usize = 4;

/// Name of the wrapped root key in `meta`.
const ROOT_NAME: &str = "root-key";

/// Where the wrapped keys stand: the tables `meta` and `cohort` of either engine.
pub(crate) trait KeyTable {
    /// A named value of `meta`.
    fn named(&self, name: &str) -> Result<Option<Vec<u8>>, ReadError>;
    /// Keep a named value that is not there yet.
    fn keep_named(&self, name: &str, value: &[u8]) -> Result<(), StoreError>;
    /// The wrapped key of a cohort.
    fn wrapped(&self, month: Month) -> Result<Option<Vec<u8>>, ReadError>;
    /// Keep the wrapped key of a new cohort.
    fn keep_wrapped(&self, month: Month, wrapped: &[u8]) -> Result<(), StoreError>;
}

pub(crate) struct Keyring {
    index: IndexKey,
    /// The epoch in which current rows are written.
    epoch: Cell<u32>,
    source: Arc<dyn KeySource + Send + Sync>,
    /// Cohorts before this month are gone for good.
    erased_before: Cell<Month>,
    /// Keys drawn in the open group: gone when it is given up.
    fresh: RefCell<Vec<Term>>,
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
        table: &dyn KeyTable,
        source: &dyn KeySource,
    ) -> Result<Option<Self>, StoreError> {
        let wrapped = table.named(ROOT_NAME).map_err(from_read)?;
        let Some(wrapped) = wrapped else { return Ok(None) };
        let plain = source.unwrap(&wrapped).map_err(key_error)?;
        let root = SecretKey::from_slice(&plain)
            .ok_or_else(|| StoreError::Key("the unwrapped root key has the wrong length".into()))?;
        Self::from_root(&root, source).map(Some)
    }

    /// Draw and keep the root key of a new store. Runs inside the caller's transaction.
    pub(crate) fn create(
        table: &dyn KeyTable,
        source: &dyn KeySource,
        dice: law::Dice<'_>,
    ) -> Result<Self, StoreError> {
        let root = SecretKey::draw(dice);
        let mut nonce = [0u8; 12];
        dice(&mut nonce);
        let wrapped = source.wrap(root.bytes(), nonce).map_err(key_error)?;
        table.keep_named(ROOT_NAME, &wrapped)?;
        Self::from_root(&root, source)
    }

    fn from_root(root: &SecretKey, source: &dyn KeySource) -> Result<Self, StoreError> {
        let index = root.derive("index").map_err(key_error)?;
        Ok(Self {
            index: IndexKey::new(&index).map_err(key_error)?,
            epoch: Cell::new(1),
            source: source.share(),
            erased_before: Cell::new(Month::from_number(0)),
            fresh: RefCell::default(),
            rows: RefCell::default(),
            cohorts: RefCell::default(),
        })
    }

    pub(crate) fn index(&self) -> &IndexKey {
        &self.index
    }

    pub(crate) fn digest(&self, domain: Domain, text: &str) -> i64 {
        self.index.digest(domain, text)
    }

    /// Where the fact under this key stands.
    pub(crate) fn fact_place(&self, space: Space, key: &[u8]) -> FactPlace {
        self.index.place(Domain::Fact(space.number()), key)
    }

    /// Told by the store at its opening, and when a new epoch is durable.
    pub(crate) fn set_epoch(&self, epoch: u32) {
        self.epoch.set(epoch);
    }

    /// Seal what is kept for a while beside the register (queue items, facts) under the key of
    /// current rows. The epoch stands before it, so that it can be sealed anew when its key goes.
    pub(crate) fn seal_passing(
        &self,
        table: &dyn KeyTable,
        place: &[u8],
        plain: &[u8],
        dice: law::Dice<'_>,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let epoch = self.epoch.get();
        let cipher = self.row_to_write(table, epoch, &mut *dice)?;
        let sealed = seal::seal(&cipher, place, plain, dice).ok();
        Ok(sealed.map(|sealed| [epoch.to_be_bytes().as_slice(), &sealed].concat()))
    }

    /// Open it again; `None` when it does not open.
    pub(crate) fn open_passing(
        &self,
        table: &dyn KeyTable,
        place: &[u8],
        sealed: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, ReadError> {
        let Some((epoch, sealed)) = sealed.split_first_chunk::<EPOCH_BYTES>() else {
            return Ok(None);
        };
        let cipher = self.row(table, u32::from_be_bytes(*epoch))?;
        Ok(cipher.and_then(|cipher| seal::open(&cipher, place, sealed).ok()))
    }

    /// The key of a resident's row, if it has not been destroyed: a current row's by the epoch in
    /// which it was written, an expiring one's by its month (see [`expiry_in_epoch`]).
    pub(crate) fn row(
        &self,
        table: &dyn KeyTable,
        epoch: u32,
    ) -> Result<Option<Arc<Aes256Gcm>>, ReadError> {
        if let Some(month) = expiry_in_epoch(epoch) {
            return self.cohort(table, month);
        }
        if let Some(cipher) = self.rows.borrow().get(&epoch) {
            return Ok(Some(Arc::clone(cipher)));
        }
        let Some(wrapped) = table.named(&row_key_name(epoch))? else { return Ok(None) };
        let Some(key) = self.unwrap(&row_term(epoch), &wrapped, "meta")? else { return Ok(None) };
        let cipher = Arc::new(key.cipher());
        self.rows.borrow_mut().insert(epoch, Arc::clone(&cipher));
        Ok(Some(cipher))
    }

    /// The same, drawn at its first row. Runs inside the open group.
    pub(crate) fn row_to_write(
        &self,
        table: &dyn KeyTable,
        epoch: u32,
        dice: law::Dice<'_>,
    ) -> Result<Arc<Aes256Gcm>, StoreError> {
        if let Some(month) = expiry_in_epoch(epoch) {
            return self.cohort_to_write(table, month, dice);
        }
        if let Some(cipher) = self.row(table, epoch).map_err(from_read)? {
            return Ok(cipher);
        }
        if table.named(&row_key_name(epoch)).map_err(from_read)?.is_some() {
            return Err(destroyed(&row_term(epoch)));
        }
        let (key, wrapped) = self.draw(&row_term(epoch), dice)?;
        table.keep_named(&row_key_name(epoch), &wrapped)?;
        self.fresh.borrow_mut().push(Term::Row(epoch));
        let cipher = Arc::new(key.cipher());
        self.rows.borrow_mut().insert(epoch, Arc::clone(&cipher));
        Ok(cipher)
    }

    /// The key of a cohort, if it has not been destroyed.
    pub(crate) fn cohort(
        &self,
        table: &dyn KeyTable,
        month: Month,
    ) -> Result<Option<Arc<Aes256Gcm>>, ReadError> {
        if let Some(cipher) = self.cohorts.borrow().get(&month) {
            return Ok(Some(Arc::clone(cipher)));
        }
        let Some(wrapped) = table.wrapped(month)? else { return Ok(None) };
        let key = self.unwrap(&cohort_term(month), &wrapped, "cohort")?;
        Ok(key.map(|key| self.remember(month, &key)))
    }

    /// The key of a cohort, drawn at its first row. Runs inside the open group.
    pub(crate) fn cohort_to_write(
        &self,
        table: &dyn KeyTable,
        month: Month,
        dice: law::Dice<'_>,
    ) -> Result<Arc<Aes256Gcm>, StoreError> {
        if let Some(cipher) = self.cohort(table, month).map_err(from_read)? {
            return Ok(cipher);
        }
        if table.wrapped(month).map_err(from_read)?.is_some() {
            return Err(destroyed(&cohort_term(month)));
        }
        let (key, wrapped) = self.draw(&cohort_term(month), dice)?;
        table.keep_wrapped(month, &wrapped)?;
        self.fresh.borrow_mut().push(Term::Cohort(month));
        Ok(self.remember(month, &key))
    }

    /// The cohort for a row of this month of expiry: what comes after its end goes with the next
    /// erasure, because the key of an erased month is never made again.
    pub(crate) fn open_month(&self, month: Month) -> Month {
        month.max(self.erased_before.get())
    }

    /// The month before which everything is erased.
    pub(crate) fn erased_before(&self) -> Month {
        self.erased_before.get()
    }

    /// Told by the store at its opening, and when an erasure is durable.
    pub(crate) fn set_erased_before(&self, month: Month) {
        self.erased_before.set(self.erased_before.get().max(month));
    }

    /// A new key and its wrapped form. The token makes its own key for the term first; if the group
    /// is given up, that key stays and serves the next attempt.
    fn draw(&self, term: &str, dice: law::Dice<'_>) -> Result<(SecretKey, Vec<u8>), StoreError> {
        let key = SecretKey::draw(dice);
        let mut nonce = [0u8; 12];
        dice(&mut nonce);
        self.source.retention_create(term).map_err(key_error)?;
        let wrapped = self.source.retention_wrap(term, key.bytes(), nonce).map_err(key_error)?;
        Ok((key, wrapped))
    }

    fn unwrap(
        &self,
        term: &str,
        wrapped: &[u8],
        table: &'static str,
    ) -> Result<Option<SecretKey>, ReadError> {
        let plain = self
            .source
            .retention_unwrap(term, wrapped)
            .map_err(|error| ReadError::Store(error.to_string()))?;
        plain
            .map(|plain| SecretKey::from_slice(&plain).ok_or(ReadError::Sealed { table }))
            .transpose()
    }

    /// Refuse a store that holds wrapped keys of terms beside a token that has not one key for a
    /// term: nothing of it would open, and new rows would be joined to rows that nobody can read.
    pub(crate) fn require_terms(&self, held: bool) -> Result<(), StoreError> {
        if held && self.source.retention_names().map_err(key_error)?.is_empty() {
            return Err(StoreError::Key(
                "the token has none of the keys for terms under which this store is sealed: put \
                 the node's own back (the file .retention beside a sealed token, or its device)"
                    .into(),
            ));
        }
        Ok(())
    }

    /// Have the token destroy its keys for terms that are over: cohorts of erased months, and
    /// row epochs before `epoch` whose wrapped key is no longer kept. What stands in the tables
    /// says what is over, so that a run that was cut short is finished by the next one.
    pub(crate) fn destroy_ended(
        &self,
        table: &dyn KeyTable,
        epoch: u32,
    ) -> Result<usize, StoreError> {
        let (mut destroyed, erased_before) = (0, self.erased_before.get());
        self.require_terms(table.named(&row_key_name(epoch)).map_err(from_read)?.is_some())?;
        for name in self.source.retention_names().map_err(key_error)? {
            let term = Term::parse(&name);
            let over = match term {
                Some(Term::Cohort(month)) => month < erased_before,
                Some(Term::Row(of)) => {
                    of < epoch && table.named(&row_key_name(of)).map_err(from_read)?.is_none()
                }
                None => false,
            };
            if over {
                term.into_iter().for_each(|term| self.forget(term));
                self.source.retention_destroy(&name).map_err(key_error)?;
                destroyed += 1;
            }
        }
        Ok(destroyed)
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

    /// Forget the keys that were drawn in a group which was given up. The others stay: a device
    /// that is away for a while must not take away what is open already.
    pub(crate) fn forget_fresh(&self) {
        for term in self.fresh.take() {
            self.forget(term);
        }
    }

    fn forget(&self, term: Term) {
        match term {
            Term::Cohort(month) => self.cohorts.borrow_mut().remove(&month).is_some(),
            Term::Row(epoch) => self.rows.borrow_mut().remove(&epoch).is_some(),
        };
    }
}

/// The column `epoch` of a resident's row says which key seals it: below this number an epoch of
/// current rows (1 at first, then the year in which they were written), from it on the month in
/// which the row of a removed resident expires. No month of the calendar is below it: 1873-01.
pub(crate) const EXPIRY_EPOCH_MIN: u32 = 1873 * 12;

/// The month of expiry, if a resident's row has one.
pub(crate) fn expiry_in_epoch(epoch: u32) -> Option<Month> {
    let month = i32::try_from(epoch).ok()?;
    (epoch >= EXPIRY_EPOCH_MIN).then(|| Month::from_number(month))
}

/// The column `epoch` of a row that expires in this month.
pub(crate) fn epoch_of_expiry(month: Month) -> u32 {
    u32::try_from(month.number()).unwrap_or(0).max(EXPIRY_EPOCH_MIN)
}

/// What a key for a term is for, as its name in the token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Term {
    Cohort(Month),
    Row(u32),
}

impl Term {
    fn parse(name: &str) -> Option<Self> {
        match name.split_once('-')? {
            ("cohort", month) => Month::parse(month).map(Self::Cohort),
            ("row", epoch) => epoch.parse().ok().map(Self::Row),
            _ => None,
        }
    }
}

pub(crate) fn cohort_term(month: Month) -> String {
    format!("cohort-{month}")
}

pub(crate) fn row_term(epoch: u32) -> String {
    format!("row-{epoch}")
}

/// Name of an epoch's wrapped key in `meta`.
pub(crate) fn row_key_name(epoch: u32) -> String {
    format!("row-key/{epoch}")
}

/// Rows that cannot be opened must not be joined by new ones under a key of the same name.
fn destroyed(term: &str) -> StoreError {
    StoreError::Key(format!(
        "the token destroyed its key {term}: this is an older copy of the store; restore it by \
         jukinet backup restore"
    ))
}

#[expect(clippy::needless_pass_by_value, reason = "used as a map_err function")]
fn key_error(error: KeyError) -> StoreError {
    StoreError::Key(error.to_string())
}

/// A key is not there though its term is not over: whoever destroyed it was not this node.
pub(crate) fn not_ours(term: &str) -> StoreError {
    StoreError::Key(format!(
        "the token has no key {term}, whose term is not over: its keys for terms are not this \
         node's of today; nothing was dropped. Put the node's own back (the file .retention beside \
         a sealed token, or its device), move away what was restored, and restore again"
    ))
}

/// A look-up that failed while writing.
pub(crate) fn from_read(error: ReadError) -> StoreError {
    match error {
        ReadError::Store(text) => StoreError::Io(text),
        sealed @ ReadError::Sealed { .. } => StoreError::Damaged(sealed.to_string()),
    }
}
