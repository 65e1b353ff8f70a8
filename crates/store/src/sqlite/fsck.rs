//! The check of a whole store on one consistent version of it, also beside a live node.

use std::collections::BTreeMap;

use ledger::checkpoint::{Checkpoint, parse_and_verify};
use ledger::note::VerifierKey;
use ledger::tile::{TILE_HASHES_MAX, TileAddress, TileLevel};
use ledger::{LedgerFiles, Publication, commitment};
use node::ports::{ReadError, StoreError};
use rusqlite::Row;

use super::SqliteStore;
use super::publish::{CHECKPOINT_PATH, VERIFIER_KEY_PATH};
use super::read::{RESIDENTS_NAME, cohort_row, queue_place};
use crate::fsck::{FsckReport, PopulationDigest};
use crate::keys::Domain;
use crate::ledger_files::LedgerDirectory;
use crate::month::Month;
use crate::schema::{from_sql, read_error, store_error, to_sql};
use crate::seal;

/// Messages of SQLite's own check that are taken up.
const INTEGRITY_MESSAGES_COUNT_MAX: u32 = 100;

impl SqliteStore {
    /// Check everything: SQLite's own structures, every row and index term, queues, cohorts, and
    /// the published ledger against the entries.
    ///
    /// # Errors
    /// Only when the check itself cannot be carried out; what it finds is in the report.
    pub fn fsck(&self) -> Result<FsckReport, StoreError> {
        // One read transaction holds one version; inside an open group, that group's.
        let alone = self.db.is_autocommit();
        if alone {
            self.db.execute_batch("BEGIN DEFERRED").map_err(store_error)?;
        }
        let mut report = FsckReport { ok: true, ..FsckReport::default() };
        let done = self.check_all(&mut report);
        if alone {
            self.db.execute_batch("COMMIT").map_err(store_error)?;
        }
        done.map(|()| report).map_err(crate::keyring::from_read)
    }

    fn check_all(&self, report: &mut FsckReport) -> Result<(), ReadError> {
        // Read before the database's version is fixed by the first row: a live node commits first
        // and publishes afterwards, so that version has at least what this checkpoint covers.
        let note = self.files.read(CHECKPOINT_PATH).map_err(ReadError::Store)?;
        self.check_structure(report)?;
        self.check_residents(report)?;
        self.check_history(report)?;
        self.check_entries(report)?;
        self.check_foreign(report)?;
        self.check_queues(report)?;
        self.check_cohorts(report)?;
        self.check_published(note, report)
    }

    fn each(
        &self,
        sql: &str,
        mut visit: impl FnMut(&Row<'_>) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        let mut statement = self.db.prepare(sql).map_err(read_error)?;
        let mut rows = statement.query([]).map_err(read_error)?;
        while let Some(row) = rows.next().map_err(read_error)? {
            visit(row)?;
        }
        Ok(())
    }

    fn count(&self, sql: &str) -> Result<u64, ReadError> {
        self.db.query_row(sql, [], |row| row.get::<_, i64>(0)).map(from_sql).map_err(read_error)
    }

    fn check_structure(&self, report: &mut FsckReport) -> Result<(), ReadError> {
        self.each(&format!("PRAGMA integrity_check({INTEGRITY_MESSAGES_COUNT_MAX})"), |row| {
            let message: String = row.get(0).map_err(read_error)?;
            if message != "ok" {
                report.fault(message, "database structure");
            }
            Ok(())
        })?;
        self.each("PRAGMA foreign_key_check", |row| {
            let table: String = row.get(0).map_err(read_error)?;
            report.fault("a row refers to a row that is not there", table);
            Ok(())
        })
    }

    fn check_residents(&self, report: &mut FsckReport) -> Result<(), ReadError> {
        let mut population = PopulationDigest::default();
        let (mut terms, mut present) = (0u64, 0u64);
        self.each("SELECT id, epoch, sealed FROM resident ORDER BY id", |row| {
            let id: i64 = row.get(0).map_err(read_error)?;
            let place = || format!("resident row {id}");
            let Ok((_, opened)) = self.resident_in(row) else {
                report.fault("row does not open", place());
                return Ok(());
            };
            present += u64::from(!opened.held.removed);
            for (digest, kind) in self.terms_of(&opened.held) {
                terms += 1;
                let mut statement = self.prepare(
                    "SELECT 1 FROM term WHERE digest = ?1 AND kind = ?2 AND resident = ?3",
                )?;
                if !statement.exists((digest, kind, id)).map_err(read_error)? {
                    report.fault(format!("index term of kind {kind} is missing"), place());
                }
            }
            if self.find(&opened.held.identity.code).map(|found| found.map(|f| f.0)).ok()
                != Some(Some(id))
            {
                report.fault("the same code stands in another row too", place());
            }
            if population.add(&opened.held).is_err() {
                report.fault("row has no canonical form", place());
            }
            Ok(())
        })?;
        if self.count("SELECT count(*) FROM term")? != terms {
            report.fault("there are index terms that belong to no resident", "term");
        }
        if self.number(RESIDENTS_NAME)? != present {
            report.fault("the number of residents is not the number of rows", "counter");
        }
        report.residents = present;
        report.population_digest = population.finish();
        Ok(())
    }

    fn check_history(&self, report: &mut FsckReport) -> Result<(), ReadError> {
        self.each("SELECT id, resident, cohort, sealed FROM history ORDER BY id", |row| {
            let row = cohort_row(row).map_err(read_error)?;
            if self.open_history(&row).is_err() {
                report.fault("row does not open", format!("history row {}", row.0));
            }
            Ok(())
        })?;
        let sql = "SELECT count(*) FROM history WHERE resident NOT IN (SELECT id FROM resident)";
        if self.count(sql)? != 0 {
            report.fault("there is history of no resident", "history");
        }
        Ok(())
    }

    fn check_entries(&self, report: &mut FsckReport) -> Result<(), ReadError> {
        let (mut next, mut subjects) = (0u64, 0u64);
        self.each("SELECT idx, cohort, sealed, leaf_data FROM entry ORDER BY idx", |row| {
            let index: i64 = row.get(0).map_err(read_error)?;
            let place = || format!("entry {index}");
            if from_sql(index) != next {
                report.fault("entries before it are missing", place());
            }
            next = from_sql(index).saturating_add(1);
            // A destroyed cohort leaves the commitment alone, lawfully.
            let sealed: Option<Vec<u8>> = row.get(2).map_err(read_error)?;
            let Some(sealed) = sealed else { return Ok(()) };
            let cohort: i32 = row.get(1).map_err(read_error)?;
            let data: Vec<u8> = row.get(3).map_err(read_error)?;
            let Ok(opened) = self.open_entry(index, cohort, &sealed) else {
                report.fault("row does not open", place());
                return Ok(());
            };
            if commitment(&opened.salt, &opened.entry).as_slice() != data {
                report.fault("content is not what the ledger committed to", place());
            }
            let Some(code) = opened.subject else { return Ok(()) };
            subjects += 1;
            let digest = self.keys.digest(Domain::Entry, code.expose());
            let mut statement =
                self.prepare("SELECT 1 FROM entry_subject WHERE digest = ?1 AND idx = ?2")?;
            if !statement.exists((digest, index)).map_err(read_error)? {
                report.fault("index of its subject is missing", place());
            }
            Ok(())
        })?;
        if self.count("SELECT count(*) FROM entry_subject")? != subjects {
            report.fault("there are subjects of no entry", "entry_subject");
        }
        report.entries = next;
        Ok(())
    }

    fn check_foreign(&self, report: &mut FsckReport) -> Result<(), ReadError> {
        self.each("SELECT id, cohort, sealed, digest FROM foreign_entry ORDER BY id", |row| {
            let id: i64 = row.get(0).map_err(read_error)?;
            let cohort: i32 = row.get(1).map_err(read_error)?;
            let sealed: Vec<u8> = row.get(2).map_err(read_error)?;
            let digest: i64 = row.get(3).map_err(read_error)?;
            let place = || format!("foreign_entry row {id}");
            match self.open_foreign(id, cohort, &sealed) {
                Err(_) => report.fault("row does not open", place()),
                Ok(opened) => {
                    if self.keys.digest(Domain::Foreign, opened.subject.expose()) != digest {
                        report.fault("index of its subject is not its subject's", place());
                    }
                }
            }
            Ok(())
        })
    }

    fn check_queues(&self, report: &mut FsckReport) -> Result<(), ReadError> {
        let mut queues: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        self.each("SELECT destination, acknowledged, last FROM queue", |row| {
            let (to, acked, last) = (row.get(0), row.get(1), row.get(2));
            queues.insert(
                to.map_err(read_error)?,
                (acked.map_err(read_error)?, last.map_err(read_error)?),
            );
            Ok(())
        })?;
        let sql = "SELECT destination, sequence, sealed FROM queue_item
                   ORDER BY destination, sequence";
        self.each(sql, |row| {
            let to: String = row.get(0).map_err(read_error)?;
            let sequence: i64 = row.get(1).map_err(read_error)?;
            let sealed: Vec<u8> = row.get(2).map_err(read_error)?;
            if let Some((acked, _)) = queues.get_mut(&to) {
                if *acked + 1 != sequence {
                    report.fault("items before it are missing", format!("queue {to} {sequence}"));
                }
                *acked = sequence;
            }
            if seal::open(self.keys.queue(), &queue_place(&to, sequence), &sealed).is_err() {
                report.fault("item does not open", format!("queue {to} {sequence}"));
            }
            Ok(())
        })?;
        for (to, (reached, last)) in queues {
            if reached != last {
                report.fault("items at the end are missing", format!("queue {to}"));
            }
        }
        Ok(())
    }

    fn check_cohorts(&self, report: &mut FsckReport) -> Result<(), ReadError> {
        self.each("SELECT month FROM cohort ORDER BY month", |row| {
            let month = Month::from_number(row.get(0).map_err(read_error)?);
            if !matches!(self.keys.cohort(&self.db, month), Ok(Some(_))) {
                report.fault("key does not open", format!("cohort {month}"));
            }
            Ok(())
        })
    }

    /// The files against the entries, as far as the given checkpoint goes.
    fn check_published(
        &self,
        note: Option<Vec<u8>>,
        report: &mut FsckReport,
    ) -> Result<(), ReadError> {
        let Some(note) = note else { return Ok(()) };
        let key = self.files.read(VERIFIER_KEY_PATH).map_err(ReadError::Store)?;
        let key = key.and_then(|key| String::from_utf8(key).ok());
        let Some(key) = key.and_then(|key| VerifierKey::parse(&key).ok()) else {
            report.fault("verifier key is missing or does not parse", VERIFIER_KEY_PATH);
            return Ok(());
        };
        let note = String::from_utf8(note).ok();
        let Some(checkpoint) = note.and_then(|note| parse_and_verify(&note, &key).ok()) else {
            report.fault("checkpoint is not signed by ledger.vkey", CHECKPOINT_PATH);
            return Ok(());
        };
        if checkpoint.origin != self.origin {
            report.fault("checkpoint is another ledger's", CHECKPOINT_PATH);
        }
        if checkpoint.size > report.entries {
            report.fault("checkpoint covers entries that are not held", CHECKPOINT_PATH);
            return Ok(());
        }
        self.check_tiles(&checkpoint, report)
    }

    fn check_tiles(
        &self,
        checkpoint: &Checkpoint,
        report: &mut FsckReport,
    ) -> Result<(), ReadError> {
        let mut publication = Publication::new();
        let size = to_sql(checkpoint.size);
        self.each(
            &format!("SELECT leaf_data FROM entry WHERE idx < {size} ORDER BY idx"),
            |row| {
                publication.append(row.get(0).map_err(read_error)?);
                // Full files come due every 256 leaves; let go at once, so that memory stays small.
                if publication.size().is_multiple_of(u64::from(TILE_HASHES_MAX)) {
                    let full = publication.files();
                    for file in full.iter().filter(|file| file.supersedes.is_some()) {
                        match self.files.read(&file.path) {
                            Ok(Some(found)) if found == file.bytes => {}
                            Ok(Some(_)) => report.fault("not what the entries say", &file.path),
                            Ok(None) => report.fault("file is missing", &file.path),
                            Err(reason) => report.fault(reason, &file.path),
                        }
                    }
                    publication.mark_written();
                }
                Ok(())
            },
        )?;
        if publication.root() != checkpoint.root {
            report.fault("root is not that of the entries", CHECKPOINT_PATH);
        }
        // The partial files are those of the right edge.
        let files = AlsoFull(&self.files);
        if let Err(error) = Publication::from_files(&files, checkpoint.size, &checkpoint.root) {
            report.fault(error.to_string(), "right edge of the ledger");
        }
        Ok(())
    }
}

/// A node that goes on publishing while the check runs replaces partial files by full ones, which
/// begin with the same bytes.
struct AlsoFull<'a>(&'a LedgerDirectory);

impl LedgerFiles for AlsoFull<'_> {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        let found = self.0.read(path)?;
        let Ok(address) = TileAddress::parse(path) else { return Ok(found) };
        if found.is_some() || address.is_full() {
            return Ok(found);
        }
        let (full, unit) = match address.level() {
            TileLevel::Entries => (TileAddress::entries(address.index(), TILE_HASHES_MAX), 34),
            TileLevel::Tree(level) => {
                (TileAddress::tree(level, address.index(), TILE_HASHES_MAX), 32)
            }
        };
        let bytes = self.0.read(&full.map_err(|error| error.to_string())?.path())?;
        Ok(bytes
            .and_then(|bytes| bytes.get(..usize::from(address.width()) * unit).map(<[u8]>::to_vec)))
    }
}
