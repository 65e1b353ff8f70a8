//! The register's file: its tables, its keys, and the writing of what a filing brings about.

use std::path::Path;

use aes_gcm::Aes256Gcm;
use law::code::LocalGovernmentCode;
use law::register::{Change, Filing, Outcome, ResidentRecord};
use law::time::Timestamp;
use node::ports::StoreError;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Params, params};

use super::RegisterStore;
use super::read::{Kind, State, deletion_month};
use super::row::{self, NoticeRow};
use crate::keys::{Domain, IndexKey, KeySource, SecretKey};
use crate::schema::{Access, settings, store_error, to_sql};
use crate::seal;

/// `JREG`: a register is not a node's store, and neither opens the other.
const APPLICATION_ID: i32 = 0x4a52_4547;
const SCHEMA_VERSION: i32 = 1;

/// Plain columns hold numbers, keyed digests, months of deletion and days on which a notice is due;
/// all else is sealed.
const TABLES: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE record (id INTEGER PRIMARY KEY, deletion_month INTEGER) STRICT;
CREATE INDEX record_deleted ON record (deletion_month) WHERE deletion_month IS NOT NULL;
CREATE TABLE version (
    record INTEGER NOT NULL REFERENCES record(id), number INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL, sealed BLOB NOT NULL,
    PRIMARY KEY (record, number)) STRICT, WITHOUT ROWID;
CREATE TABLE term (
    digest INTEGER NOT NULL, kind INTEGER NOT NULL,
    record INTEGER NOT NULL REFERENCES record(id),
    PRIMARY KEY (digest, kind, record)) STRICT, WITHOUT ROWID;
CREATE INDEX term_record ON term (record);
CREATE TABLE filing (
    id INTEGER PRIMARY KEY, digest INTEGER NOT NULL, late INTEGER NOT NULL,
    sealed BLOB NOT NULL) STRICT;
CREATE INDEX filing_digest ON filing (digest);
CREATE TABLE household_due (id INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT;
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY, due_on INTEGER NOT NULL, sequence INTEGER UNIQUE,
    sealed BLOB NOT NULL) STRICT;
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
";

pub(super) fn connect(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE;
    let db = Connection::open_with_flags(path, flags).map_err(store_error)?;
    settings(&db, Access::ReadWrite).map_err(store_error)?;
    Ok(db)
}

/// Whether nothing was ever made in this file.
pub(super) fn is_empty(db: &Connection) -> Result<bool, StoreError> {
    let sql = "SELECT count(*) = 0 FROM sqlite_schema";
    db.query_row(sql, [], |row| row.get(0)).map_err(store_error)
}

type Keys = (IndexKey, Aes256Gcm);

fn derive(root: &SecretKey) -> Result<Keys, StoreError> {
    let key = |label: &str| root.derive(label).map_err(|e| StoreError::Key(e.to_string()));
    let index = key("register index")?;
    let index = IndexKey::new(&index).map_err(|e| StoreError::Key(e.to_string()))?;
    Ok((index, key("register rows")?.cipher()))
}

/// Tables, root key and owner of a new register, in one transaction.
pub(super) fn initialise(
    db: &Connection,
    source: &dyn KeySource,
    municipality: LocalGovernmentCode,
    dice: law::Dice<'_>,
) -> Result<Keys, StoreError> {
    let root = SecretKey::draw(dice);
    let mut nonce = [0u8; 12];
    dice(&mut nonce);
    let wrapped =
        source.wrap(root.bytes(), nonce).map_err(|error| StoreError::Key(error.to_string()))?;
    let make = || {
        db.execute_batch(&format!("BEGIN IMMEDIATE; {TABLES}"))?;
        let meta = "INSERT INTO meta (name, value) VALUES (?1, ?2)";
        db.execute(meta, params!["root-key", wrapped])?;
        db.execute(meta, params!["municipality", municipality.as_str().as_bytes()])?;
        db.execute_batch(&format!(
            "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION};
             COMMIT;"
        ))
    };
    make().map_err(store_error)?;
    derive(&root)
}

/// The keys of an existing register, if it is this municipality's.
pub(super) fn unlock(
    db: &Connection,
    source: &dyn KeySource,
    municipality: LocalGovernmentCode,
) -> Result<Keys, StoreError> {
    let number = |name: &str| -> Result<i32, StoreError> {
        db.pragma_query_value(None, name, |row| row.get(0)).map_err(store_error)
    };
    if (number("application_id")?, number("user_version")?) != (APPLICATION_ID, SCHEMA_VERSION) {
        return Err(StoreError::Damaged("the file is not a register of this program".into()));
    }
    let meta = |name: &str| -> Result<Vec<u8>, StoreError> {
        db.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0))
            .map_err(store_error)
    };
    if meta("municipality")? != municipality.as_str().as_bytes() {
        return Err(StoreError::Damaged("this is another municipality's register".into()));
    }
    let plain =
        source.unwrap(&meta("root-key")?).map_err(|error| StoreError::Key(error.to_string()))?;
    let root = SecretKey::from_slice(&plain)
        .ok_or_else(|| StoreError::Key("the root key has the wrong length".into()))?;
    derive(&root)
}

/// A row that the code of its table cannot read, or another key sealed.
pub(super) fn damaged(table: &str) -> StoreError {
    StoreError::Damaged(format!("a row of {table} does not open"))
}

impl RegisterStore {
    pub(super) fn run(&self, sql: &str, params: impl Params) -> Result<usize, StoreError> {
        let mut statement = self.db.prepare_cached(sql).map_err(store_error)?;
        statement.execute(params).map_err(store_error)
    }

    pub(super) fn next_id(&self, table: &str) -> Result<i64, StoreError> {
        let sql = format!("SELECT coalesce(max(id), 0) + 1 FROM {table}");
        self.db.query_row(&sql, [], |row| row.get(0)).map_err(store_error)
    }

    pub(super) fn digest(&self, kind: Kind, text: &str) -> i64 {
        self.index.digest(Domain::Term(kind as u8), text)
    }

    pub(super) fn seal(
        &self,
        table: &str,
        key: &[i64],
        plain: &[u8],
        dice: law::Dice<'_>,
    ) -> Result<Vec<u8>, StoreError> {
        seal::seal(&self.rows, &place(table, key), plain, dice)
            .map_err(|_| StoreError::Io(format!("a row of {table} is too long")))
    }

    pub(super) fn unseal(
        &self,
        table: &str,
        key: &[i64],
        sealed: &[u8],
    ) -> Result<zeroize::Zeroizing<Vec<u8>>, StoreError> {
        seal::open(&self.rows, &place(table, key), sealed).map_err(|_| damaged(table))
    }

    /// The same reception number, found by digest and compared.
    pub(super) fn filed_before(&self, filing: &Filing) -> Result<bool, StoreError> {
        let digest = self.digest(Kind::Filing, filing.number.as_str());
        Ok(self
            .filings("WHERE digest = ?1", [digest])?
            .iter()
            .any(|row| row.number == filing.number.as_str()))
    }

    /// Write everything that follows from a filing. Runs inside the caller's transaction.
    pub(super) fn keep(
        &self,
        filing: &Filing,
        state: &State,
        outcome: &Outcome,
        now: Timestamp,
        dice: law::Dice<'_>,
    ) -> Result<(), StoreError> {
        for change in &outcome.changes {
            let record = match &change.before {
                None => self.new_record()?,
                Some(before) => state.id_of(before).ok_or_else(|| damaged("record"))?,
            };
            let number = self.add_version(record, filing, change, now, dice)?;
            let back = change.before.as_ref().is_some_and(|before| !before.is_current());
            if back && change.after.is_current() {
                self.take_back(record, change.valid_from)?;
            }
            if let Some(outgoing) = &change.outgoing {
                // What happens later is told then; what happened before, now.
                let due = change.valid_from.max(filing.filed_on);
                let plain = NoticeRow::new(record, number, outgoing).encode();
                let id = self.next_id("outbox")?.max(self.counter("outbox")? + 1);
                let plain = plain.map_err(|_| damaged("outbox"))?;
                let sealed = self.seal("outbox", &[id], &plain, dice)?;
                self.run(
                    "INSERT INTO outbox (id, due_on, sealed) VALUES (?1, ?2, ?3)",
                    params![id, due.day_number(), sealed],
                )?;
                self.set_counter("outbox", id)?;
            }
        }
        for due in &outcome.due {
            let id = self.next_id("household_due")?;
            let plain = row::encode_due(due, filing).map_err(|_| damaged("household_due"))?;
            let sealed = self.seal("household_due", &[id], &plain, dice)?;
            self.run(
                "INSERT INTO household_due (id, sealed) VALUES (?1, ?2)",
                params![id, sealed],
            )?;
        }
        let id = self.next_id("filing")?;
        let plain = row::encode_filing(filing, outcome.lateness.as_ref());
        let sealed = self.seal("filing", &[id], &plain.map_err(|_| damaged("filing"))?, dice)?;
        let digest = self.digest(Kind::Filing, filing.number.as_str());
        self.run(
            "INSERT INTO filing (id, digest, late, sealed) VALUES (?1, ?2, ?3, ?4)",
            params![id, digest, outcome.lateness.is_some(), sealed],
        )?;
        Ok(())
    }

    fn new_record(&self) -> Result<i64, StoreError> {
        // Never the number of an erased record: its sealed rows may lie in a backup.
        let id = self.next_id("record")?.max(self.counter("record")? + 1);
        self.run("INSERT INTO record (id) VALUES (?1)", [id])?;
        self.set_counter("record", id)?;
        Ok(id)
    }

    pub(super) fn counter(&self, name: &str) -> Result<i64, StoreError> {
        let sql = "SELECT value FROM counter WHERE name = ?1";
        let value = self.db.query_row(sql, [name], |row| row.get(0)).optional();
        value.map(|value| value.unwrap_or(0)).map_err(store_error)
    }

    pub(super) fn set_counter(&self, name: &str, value: i64) -> Result<(), StoreError> {
        self.run(
            "INSERT INTO counter (name, value) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            params![name, value],
        )?;
        Ok(())
    }

    fn add_version(
        &self,
        record: i64,
        filing: &Filing,
        change: &Change,
        now: Timestamp,
        dice: law::Dice<'_>,
    ) -> Result<i64, StoreError> {
        let sql = "SELECT coalesce(max(number), 0) + 1 FROM version WHERE record = ?1";
        let number: i64 =
            self.db.query_row(sql, [record], |row| row.get(0)).map_err(store_error)?;
        let plain = row::encode_version(&change.after, change.valid_from, filing)
            .map_err(|_| damaged("version"))?;
        let sealed = self.seal("version", &[record, number], &plain, dice)?;
        self.run(
            "INSERT INTO version (record, number, recorded_at, sealed) VALUES (?1, ?2, ?3, ?4)",
            params![record, number, to_sql(now.0), sealed],
        )?;
        self.index_version(record, &change.after)?;
        let month = change.after.deletion().map(|deletion| deletion_month(deletion.on));
        self.run("UPDATE record SET deletion_month = ?2 WHERE id = ?1", params![record, month])?;
        Ok(number)
    }

    /// Terms of every version stay: a record is found by what stood in it on any day.
    fn index_version(&self, record: i64, resident: &ResidentRecord) -> Result<(), StoreError> {
        let name_birth = Kind::name_birth(resident.name(), &resident.four().birth);
        for (kind, text) in [
            (Kind::Code, resident.code().expose()),
            (Kind::Household, resident.household().as_str()),
            (Kind::NameBirth, name_birth.as_str()),
        ] {
            self.run(
                "INSERT OR IGNORE INTO term (digest, kind, record) VALUES (?1, ?2, ?3)",
                params![self.digest(kind, text), kind as u8, record],
            )?;
        }
        Ok(())
    }
}

fn place(table: &str, key: &[i64]) -> Vec<u8> {
    let key: Vec<u8> = key.iter().flat_map(|number| number.to_be_bytes()).collect();
    seal::place(table, &key)
}
