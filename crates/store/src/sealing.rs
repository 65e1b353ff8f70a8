//! Rows sealed and opened with the keys of one store, wherever the rows are kept: which key, which
//! place, which term. No row is read or written here.

use std::sync::Arc;

use aes_gcm::Aes256Gcm;
use law::code::RecordCode;
use law::inquiry::Held;
use law::query::{Probe, terms};
use law::retention::provision;
use ledger::commitment;
use node::ports::{FactPlace, HistoryRow, Leaf, Looked, ReadError, Space, StoreError};
use zeroize::Zeroizing;

use crate::bulk::Sealer;
use crate::codec::RowFault;
use crate::keyring::{KeyTable, Keyring};
use crate::keys::{Domain, IndexKey};
use crate::month::Month;
use crate::places::{
    entry_place, fact_sealed_at, foreign_place, history_place, queue_place, resident_place,
};
use crate::row::{EntryRow, ForeignRow, ResidentRow, decode_history, encode_history, entry_time};
use crate::seal::{self, SealError};

/// The index terms of one person: (digest, kind).
pub(crate) type Terms = Vec<(i64, u8)>;

/// A sealed row and the cohort under whose key it is.
#[derive(Debug)]
pub(crate) struct InCohort {
    pub(crate) cohort: Month,
    pub(crate) sealed: Vec<u8>,
}

/// The keys of one store, and where their wrapped forms stand.
pub(crate) struct Sealing<'a> {
    pub(crate) keys: &'a Keyring,
    pub(crate) table: &'a dyn KeyTable,
}

impl std::fmt::Debug for Sealing<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealing(…)")
    }
}

impl Sealing<'_> {
    /// What a person can be found by.
    pub(crate) fn terms(&self, held: &Held) -> Terms {
        terms_under(self.keys.index(), held)
    }

    /// What threads of a load seal with, for rows of this epoch. Draws the epoch's key if there is
    /// none yet, so it runs inside the open group.
    pub(crate) fn sealer(&self, epoch: u32, dice: law::Dice<'_>) -> Result<Sealer, StoreError> {
        let cipher = self.keys.row_to_write(self.table, epoch, dice)?;
        Ok(Sealer { index: self.keys.index().clone(), cipher, epoch })
    }

    /// The digest of a code where rows are found by it.
    pub(crate) fn code_digest(&self, domain: Domain, code: &RecordCode) -> i64 {
        self.keys.digest(domain, code.expose())
    }

    pub(crate) fn open_resident(&self, id: i64, epoch: u32, sealed: &[u8]) -> Looked<ResidentRow> {
        let cipher = self.keys.row(self.table, epoch)?;
        cipher
            .and_then(|cipher| seal::open(&cipher, &resident_place(id, epoch), sealed).ok())
            .and_then(|plain| ResidentRow::decode(&plain).ok())
            .ok_or(ReadError::Sealed { table: "resident" })
    }

    pub(crate) fn seal_resident(
        &self,
        id: i64,
        epoch: u32,
        row: &ResidentRow,
        dice: law::Dice<'_>,
    ) -> Result<Vec<u8>, StoreError> {
        let cipher = self.keys.row_to_write(self.table, epoch, dice)?;
        let plain = row.encode().map_err(|RowFault| too_long("resident"))?;
        seal::seal(&cipher, &resident_place(id, epoch), &plain, dice)
            .map_err(|_: SealError| too_long("resident"))
    }

    pub(crate) fn open_history(
        &self,
        id: i64,
        resident: i64,
        cohort: i32,
        sealed: &[u8],
    ) -> Looked<HistoryRow> {
        self.open_in_cohort(&history_place(id, resident), cohort, sealed)?
            .and_then(|plain| decode_history(&plain).ok())
            .ok_or(ReadError::Sealed { table: "history" })
    }

    pub(crate) fn seal_history(
        &self,
        id: i64,
        resident: i64,
        cohort: Month,
        row: &HistoryRow,
        dice: law::Dice<'_>,
    ) -> Result<InCohort, StoreError> {
        let plain = encode_history(row).map_err(|RowFault| too_long("history"))?;
        self.seal_in_cohort("history", &history_place(id, resident), cohort, &plain, dice)
    }

    pub(crate) fn open_entry(&self, index: i64, cohort: i32, sealed: &[u8]) -> Looked<EntryRow> {
        self.open_in_cohort(&entry_place(index), cohort, sealed)?
            .and_then(|plain| EntryRow::decode(&plain).ok())
            .ok_or(ReadError::Sealed { table: "entry" })
    }

    /// The sealed entry and what the ledger commits to.
    pub(crate) fn seal_entry(
        &self,
        index: i64,
        leaf: &Leaf,
        dice: law::Dice<'_>,
    ) -> Result<(InCohort, [u8; 32]), StoreError> {
        let cohort = self.keys.open_month(entry_month(&leaf.entry)?);
        let mut salt = [0u8; 32];
        dice(&mut salt);
        let data = commitment(&salt, &leaf.entry);
        let row = EntryRow { subject: leaf.subject, salt, entry: leaf.entry.clone() };
        let plain = row.encode().map_err(|RowFault| too_long("entry"))?;
        let sealed = self.seal_in_cohort("entry", &entry_place(index), cohort, &plain, dice)?;
        Ok((sealed, data))
    }

    pub(crate) fn open_foreign(&self, id: i64, cohort: i32, sealed: &[u8]) -> Looked<ForeignRow> {
        self.open_in_cohort(&foreign_place(id), cohort, sealed)?
            .and_then(|plain| ForeignRow::decode(&plain).ok())
            .ok_or(ReadError::Sealed { table: "foreign_entry" })
    }

    pub(crate) fn seal_foreign(
        &self,
        id: i64,
        row: &ForeignRow,
        dice: law::Dice<'_>,
    ) -> Result<InCohort, StoreError> {
        let cohort = self.keys.open_month(entry_month(&row.foreign.entry)?);
        let plain = row.encode().map_err(|RowFault| too_long("foreign_entry"))?;
        self.seal_in_cohort("foreign_entry", &foreign_place(id), cohort, &plain, dice)
    }

    pub(crate) fn open_item(&self, to: &str, sequence: i64, sealed: &[u8]) -> Looked<Vec<u8>> {
        self.keys
            .open_passing(self.table, &queue_place(to, sequence), sealed)?
            .map(|plain| plain.to_vec())
            .ok_or(ReadError::Sealed { table: "queue_item" })
    }

    pub(crate) fn seal_item(
        &self,
        to: &str,
        sequence: i64,
        payload: &[u8],
        dice: law::Dice<'_>,
    ) -> Result<Vec<u8>, StoreError> {
        self.keys
            .seal_passing(self.table, &queue_place(to, sequence), payload, dice)?
            .ok_or_else(|| too_long("queue_item"))
    }

    pub(crate) fn open_fact(
        &self,
        space: Space,
        place: &FactPlace,
        sealed: &[u8],
    ) -> Looked<Vec<u8>> {
        self.keys
            .open_passing(self.table, &fact_sealed_at(space, place), sealed)?
            .map(|plain| plain.to_vec())
            .ok_or(ReadError::Sealed { table: "fact" })
    }

    pub(crate) fn seal_fact(
        &self,
        space: Space,
        place: &FactPlace,
        value: &[u8],
        dice: law::Dice<'_>,
    ) -> Result<Vec<u8>, StoreError> {
        self.keys
            .seal_passing(self.table, &fact_sealed_at(space, place), value, dice)?
            .ok_or_else(|| too_long("fact"))
    }

    fn open_in_cohort(
        &self,
        place: &[u8],
        cohort: i32,
        sealed: &[u8],
    ) -> Looked<Option<Zeroizing<Vec<u8>>>> {
        // A token that does not answer is no damage to the row.
        let cipher = self.keys.cohort(self.table, Month::from_number(cohort))?;
        Ok(cipher.and_then(|cipher| seal::open(&cipher, place, sealed).ok()))
    }

    fn seal_in_cohort(
        &self,
        table: &'static str,
        place: &[u8],
        cohort: Month,
        plain: &[u8],
        dice: law::Dice<'_>,
    ) -> Result<InCohort, StoreError> {
        let cipher: Arc<Aes256Gcm> = self.keys.cohort_to_write(self.table, cohort, dice)?;
        let sealed =
            seal::seal(&cipher, place, plain, dice).map_err(|_: SealError| too_long(table))?;
        Ok(InCohort { cohort, sealed })
    }
}

/// What a person can be found by, under this key.
pub(crate) fn terms_under(index: &IndexKey, held: &Held) -> Terms {
    let of = |term: &Probe| {
        let kind = term.kind.number();
        (index.digest(Domain::Term(kind), &term.text), kind)
    };
    terms(&held.identity).iter().map(of).collect()
}

/// The cohort of an entry, by the time written in it.
fn entry_month(entry: &[u8]) -> Result<Month, StoreError> {
    entry_time(entry)
        .map(|at| Month::of_date(provision(at.date_in_japan())))
        .map_err(|RowFault| entry_without_time())
}

pub(crate) fn entry_without_time() -> StoreError {
    StoreError::Damaged("an entry without a time was to be kept; its term is unknown".into())
}

pub(crate) fn history_of_no_one() -> StoreError {
    StoreError::Damaged("history of a person who is not held was to be kept".into())
}

pub(crate) fn too_long(table: &str) -> StoreError {
    StoreError::Io(format!("a row for {table} is longer than a row may be"))
}
