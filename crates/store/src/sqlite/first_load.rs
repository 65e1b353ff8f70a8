//! The first load of a whole register into an empty store: as fast as the file can be written, all
//! of it or nothing. Not for a store that holds anybody; that is `bulk`.
//!
//! Rows are appended as they come, their index terms set aside (`spill`) and appended in the order
//! of the index. Nothing is synced on the way. Before the first row the store says durably that a
//! first load is under way, and after the last, when the whole file is synced, that it is over; a
//! store that still says so is refused at its opening: what a crash left of it is never served.

use std::fs::File;
use std::path::{Path, PathBuf};

use law::inquiry::Held;
use node::ports::StoreError;
use rusqlite::{Connection, Statement, params, params_from_iter};

use super::SqliteStore;
use super::spill::{SPILLED_ROWS_COUNT_MAX, Spill, Term};
use crate::bulk::{held_already, is_code, seal_in_order};
use crate::keyring::KeyTable as _;
use crate::ledger_files::io_error;
use crate::schema::{self, Access, store_error};

/// Name in `meta` of the mark that a first load is under way.
const UNDER_WAY_NAME: &str = "first-load";
/// Rows in one transaction: about what the page cache holds, so that few pages leave it twice.
const ROWS_PER_COMMIT_COUNT: u64 = 200_000;
/// Terms in one statement: its cursor stays at the right edge of the index from one to the next.
const TERMS_PER_STATEMENT_COUNT: usize = 128;

/// How far a first load has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadProgress {
    /// People whose rows are written.
    Rows(u64),
    /// Terms that are in the index, of all.
    Index { done: u64, all: u64 },
    /// Everything is written and is being synced.
    Syncing,
}

impl SqliteStore {
    /// Keep everybody, in a store that holds nobody. All or nothing: after an error or a crash the
    /// database has to be removed before it is loaded again, and is refused until then.
    ///
    /// # Errors
    /// As for a commit; refused while a group is open, when somebody is held already, and when two
    /// people have one code.
    pub fn first_load(
        &mut self,
        people: &mut dyn Iterator<Item = Held>,
        dice: law::Dice<'_>,
        progress: &mut dyn FnMut(LoadProgress),
    ) -> Result<u64, StoreError> {
        self.require_idle()?;
        if self.next_id("SELECT max(id) FROM resident")? != 1 {
            return Err(StoreError::Io("somebody is held already; a first load needs none".into()));
        }
        let path = self.db.path().map(PathBuf::from);
        let path = path.ok_or_else(|| StoreError::Io("the store has no file".into()))?;
        self.keep_meta(&[(UNDER_WAY_NAME, b"")])?;
        // From here on only a new opening, which asks for the mark, leads back to this store.
        self.group = super::Group::Lost;
        unsynced(&self.db)?;
        let mut spill = Spill::new(&beside(&path))?;
        let count = self.load_rows(people, &mut spill, dice, progress)?;
        self.load_index(spill, progress)?;
        progress(LoadProgress::Syncing);
        schema::settings(&self.db, Access::ReadWrite).map_err(store_error)?;
        let file = File::open(&path).map_err(io_error)?;
        file.sync_all().map_err(io_error)?;
        // Closing any descriptor of the file would release the database's own locks (POSIX).
        self._synced = Some(file);
        let over = "DELETE FROM meta WHERE name = ?1";
        self.db.execute(over, [UNDER_WAY_NAME]).map_err(store_error)?;
        self.group = super::Group::Idle;
        Ok(count)
    }

    fn keep_meta(&self, values: &[(&str, &[u8])]) -> Result<(), StoreError> {
        values.iter().try_for_each(|(name, value)| self.db.keep_named(name, value))
    }

    fn load_rows(
        &self,
        people: &mut dyn Iterator<Item = Held>,
        spill: &mut Spill,
        dice: law::Dice<'_>,
        progress: &mut dyn FnMut(LoadProgress),
    ) -> Result<u64, StoreError> {
        self.db.execute_batch("BEGIN IMMEDIATE").map_err(store_error)?;
        let sealer = self.sealing().sealer(self.row_epoch()?, &mut *dice)?;
        let mut insert = self
            .db
            .prepare("INSERT OR FAIL INTO resident (id, epoch, sealed) VALUES (?1, ?2, ?3)")
            .map_err(store_error)?;
        let (mut present, mut rows) = (0, 0);
        let count = seal_in_order(&sealer, people, 1, dice, &mut |person| {
            let row = params![person.id, sealer.epoch, person.sealed];
            insert.execute(row).map_err(store_error)?;
            for (digest, kind) in person.terms {
                spill.add(Term { digest, kind, row: person.id })?;
            }
            present += i64::from(person.present);
            rows += 1;
            if rows % ROWS_PER_COMMIT_COUNT == 0 {
                self.db.execute_batch("COMMIT; BEGIN IMMEDIATE").map_err(store_error)?;
                progress(LoadProgress::Rows(rows));
            }
            if person.id < SPILLED_ROWS_COUNT_MAX { Ok(()) } else { Err(too_many()) }
        })?;
        self.count_residents(0, present)?;
        self.db.execute_batch("COMMIT").map_err(store_error)?;
        progress(LoadProgress::Rows(count));
        Ok(count)
    }

    fn load_index(
        &self,
        spill: Spill,
        progress: &mut dyn FnMut(LoadProgress),
    ) -> Result<(), StoreError> {
        let mut many = self.insert_terms(TERMS_PER_STATEMENT_COUNT)?;
        let mut one = self.insert_terms(1)?;
        let (mut done, all) = (0, spill.terms());
        let mut batch = Vec::with_capacity(3 * TERMS_PER_STATEMENT_COUNT);
        let mut last: Option<Term> = None;
        spill.in_order(&mut |terms| {
            self.db.execute_batch("BEGIN IMMEDIATE").map_err(store_error)?;
            for term in terms {
                if let Some(before) = last.filter(|_| is_code(term.kind)) {
                    self.refuse_same_code(before, term)?;
                }
                last = Some(term);
                done += 1;
                batch.extend([term.digest, i64::from(term.kind), term.row]);
                if batch.len() >= 3 * TERMS_PER_STATEMENT_COUNT {
                    many.execute(params_from_iter(&batch)).map_err(store_error)?;
                    batch.clear();
                }
            }
            for term in batch.chunks(3) {
                one.execute(params_from_iter(term)).map_err(store_error)?;
            }
            batch.clear();
            self.db.execute_batch("COMMIT").map_err(store_error)?;
            progress(LoadProgress::Index { done, all });
            Ok(())
        })
    }

    fn insert_terms(&self, count: usize) -> Result<Statement<'_>, StoreError> {
        let rows = vec!["(?,?,?)"; count].join(",");
        let sql = format!("INSERT OR FAIL INTO term (digest, kind, resident) VALUES {rows}");
        self.db.prepare(&sql).map_err(store_error)
    }

    fn refuse_same_code(&self, before: Term, term: Term) -> Result<(), StoreError> {
        if (before.digest, before.kind) != (term.digest, term.kind) {
            return Ok(());
        }
        // Two codes may share a truncated digest; only the opened rows decide.
        if self.code_of_row(before.row)? == self.code_of_row(term.row)? {
            return Err(held_already(0, term.row.saturating_sub(1)));
        }
        Ok(())
    }
}

/// Refuse a store whose first load did not end.
pub(super) fn require_none_under_way(db: &Connection) -> Result<(), StoreError> {
    match db.named(UNDER_WAY_NAME).map_err(crate::keyring::from_read)? {
        None => Ok(()),
        Some(_) => Err(StoreError::Damaged(
            "a first load into this store did not end, so that what it holds is not the register; \
             remove the database with what stands beside it and load again"
                .into(),
        )),
    }
}

/// No log beside the file and no syncs: whatever happens before the end, the mark stands.
fn unsynced(db: &Connection) -> Result<(), StoreError> {
    let mode: String =
        db.query_row("PRAGMA journal_mode = MEMORY", [], |row| row.get(0)).map_err(store_error)?;
    if mode != "memory" {
        return Err(StoreError::Io("another process has this store open; end it first".into()));
    }
    // A term and its row come from one pair of hands; asking for each of six terms whether its row
    // is there would read the rows in the order of the digests, which is none.
    db.execute_batch("PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF").map_err(store_error)
}

/// The folder of the terms that are set aside.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".terms");
    PathBuf::from(name)
}

fn too_many() -> StoreError {
    StoreError::Io(format!("more than {SPILLED_ROWS_COUNT_MAX} people in one load"))
}
