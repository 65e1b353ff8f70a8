//! Loading a register in bulk: many people in few transactions, index terms in order.
//!
//! For the first filling of a node and for tests of size. A change of one person goes through
//! `apply`; a person who is held already is refused here, never replaced.

use law::code::RecordCode;
use law::inquiry::Held;
use node::ports::StoreError;
use rusqlite::params;

use super::SqliteStore;
use crate::bulk::{ChunkTerms, PEOPLE_PER_COMMIT_COUNT_MAX, held_already, seal_in_order};
use crate::keyring::from_read;
use crate::schema::store_error;

/// Page cache while a load runs: the index is met in order, so that most of one pass fits.
const LOAD_CACHE_KIB_MAX: i64 = 256 * 1024;

impl SqliteStore {
    /// Keep people who are not held yet, without history and without ledger entries. Durable chunk
    /// by chunk: after an error or a crash, what whole chunks held is kept.
    ///
    /// # Errors
    /// As for a commit; refused while a group is open, and at the first code that is held already.
    pub fn bulk_load(
        &mut self,
        people: &mut dyn Iterator<Item = Held>,
        dice: law::Dice<'_>,
    ) -> Result<u64, StoreError> {
        self.require_idle()?;
        self.db.pragma_update(None, "cache_size", -LOAD_CACHE_KIB_MAX).map_err(store_error)?;
        // A term and its row are written by the same lines below; asking for each of six terms
        // whether its row is there would read the rows in the order of the digests, which is none.
        self.db.pragma_update(None, "foreign_keys", false).map_err(store_error)?;
        let loaded = self.load_chunks(people, dice);
        let back = -crate::schema::PAGE_CACHE_KIB_MAX;
        self.db.pragma_update(None, "foreign_keys", true).map_err(store_error)?;
        self.db.pragma_update(None, "cache_size", back).map_err(store_error)?;
        loaded
    }

    fn load_chunks(
        &mut self,
        people: &mut dyn Iterator<Item = Held>,
        dice: law::Dice<'_>,
    ) -> Result<u64, StoreError> {
        let mut loaded = 0u64;
        loop {
            self.db.execute_batch("BEGIN IMMEDIATE").map_err(store_error)?;
            let done = self.load_chunk(people, loaded, dice).and_then(|count| {
                self.db.execute_batch("COMMIT").map(|()| count).map_err(store_error)
            });
            match done {
                Ok(0) => return Ok(loaded),
                Ok(count) => loaded = loaded.saturating_add(count),
                Err(error) => {
                    self.abandon();
                    return Err(error);
                }
            }
        }
    }

    /// One transaction's worth; the number of people in it.
    fn load_chunk(
        &self,
        people: &mut dyn Iterator<Item = Held>,
        before: u64,
        dice: law::Dice<'_>,
    ) -> Result<u64, StoreError> {
        let first = self.next_id("SELECT max(id) FROM resident")?;
        let sealer = self.sealing().sealer(self.row_epoch()?, &mut *dice)?;
        let mut terms = ChunkTerms::new(first);
        let mut present = 0i64;
        let mut insert = self
            .db
            .prepare_cached("INSERT INTO resident (id, epoch, sealed) VALUES (?1, ?2, ?3)")
            .map_err(store_error)?;
        let mut people = people.take(PEOPLE_PER_COMMIT_COUNT_MAX);
        seal_in_order(&sealer, &mut people, first, dice, &mut |person| {
            let row = params![person.id, sealer.epoch, person.sealed];
            insert.execute(row).map_err(store_error)?;
            present += i64::from(person.present);
            terms.add(person.id, person.terms);
            Ok(())
        })?;
        let count = terms.people();
        self.insert_terms_in_order(terms, before)?;
        self.count_residents(0, present)?;
        Ok(count)
    }

    fn insert_terms_in_order(&self, terms: ChunkTerms, before: u64) -> Result<(), StoreError> {
        let mut probe = self
            .db
            .prepare_cached("SELECT resident FROM term WHERE digest = ?1 AND kind = ?2")
            .map_err(store_error)?;
        let mut insert = self
            .db
            .prepare_cached(
                "INSERT OR IGNORE INTO term (digest, kind, resident) VALUES (?1, ?2, ?3)",
            )
            .map_err(store_error)?;
        let first = terms.first();
        for (digest, kind, resident) in terms.in_order() {
            if crate::bulk::is_code(kind) {
                // The page is needed for the insertion anyway, so the question costs little.
                let others: Vec<i64> = probe
                    .query_map(params![digest, kind], |row| row.get(0))
                    .and_then(Iterator::collect)
                    .map_err(store_error)?;
                for other in others {
                    if self.code_of_row(other)? == self.code_of_row(resident)? {
                        let of_load = resident.saturating_sub(first);
                        return Err(held_already(before, of_load));
                    }
                }
            }
            insert.execute(params![digest, kind, resident]).map_err(store_error)?;
        }
        Ok(())
    }

    /// Two codes may share a truncated digest; only the opened rows decide.
    pub(super) fn code_of_row(&self, id: i64) -> Result<RecordCode, StoreError> {
        let mut statement = self
            .db
            .prepare_cached("SELECT id, epoch, sealed FROM resident WHERE id = ?1")
            .map_err(store_error)?;
        let mut rows = statement.query([id]).map_err(store_error)?;
        let row = rows.next().map_err(store_error)?;
        let row = row.ok_or_else(|| {
            StoreError::Damaged(format!("index term of resident row {id}, which is not there"))
        })?;
        self.resident_in(row).map(|(_, row)| row.held.identity.code).map_err(from_read)
    }
}
