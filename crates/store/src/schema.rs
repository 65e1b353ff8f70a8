//! The database file: its tables, its settings, and how its errors are told. No row is read here.

use std::path::Path;

use node::ports::{ReadError, StoreError};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

/// `JUKI`: tells `file` and a wrong program what this database is.
pub(crate) const APPLICATION_ID: i32 = 0x4a55_4b49;

/// The version of the tables and of the rows in them.
pub(crate) const SCHEMA_VERSION: u32 = 2;

/// Page cache of the one connection: bounded, so that a node's memory does not grow with its
/// register.
pub(crate) const PAGE_CACHE_KIB_MAX: i64 = 64 * 1024;

/// How long a write waits for a reader in another process (fsck, a backup) to let go of the file.
const BUSY_TIMEOUT_MS_MAX: u32 = 5_000;

/// More statements than the adapter has, so that none is ever prepared twice.
const STATEMENTS_CACHED_COUNT_MAX: usize = 64;

/// Every table. Plain columns hold numbers, keyed digests and node names; all else is sealed.
const TABLES: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE cohort (month INTEGER PRIMARY KEY, wrapped BLOB NOT NULL) STRICT;
CREATE TABLE resident (
    id INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, sealed BLOB NOT NULL) STRICT;
CREATE INDEX resident_expiry ON resident (epoch) WHERE epoch >= 22476;
CREATE TABLE term (
    digest INTEGER NOT NULL, kind INTEGER NOT NULL,
    resident INTEGER NOT NULL REFERENCES resident(id),
    PRIMARY KEY (digest, kind, resident)) STRICT, WITHOUT ROWID;
CREATE TABLE history (
    id INTEGER PRIMARY KEY, resident INTEGER NOT NULL,
    cohort INTEGER NOT NULL, sealed BLOB NOT NULL) STRICT;
CREATE INDEX history_resident ON history (resident, id);
CREATE INDEX history_cohort ON history (cohort);
CREATE TABLE entry (
    idx INTEGER PRIMARY KEY, leaf_data BLOB NOT NULL CHECK (length(leaf_data) = 32),
    cohort INTEGER NOT NULL, sealed BLOB) STRICT;
CREATE INDEX entry_cohort ON entry (cohort) WHERE sealed IS NOT NULL;
CREATE TABLE entry_subject (
    digest INTEGER NOT NULL, idx INTEGER NOT NULL REFERENCES entry(idx),
    PRIMARY KEY (digest, idx)) STRICT, WITHOUT ROWID;
CREATE INDEX entry_subject_idx ON entry_subject (idx);
CREATE TABLE foreign_entry (
    id INTEGER PRIMARY KEY, digest INTEGER NOT NULL,
    cohort INTEGER NOT NULL, sealed BLOB NOT NULL) STRICT;
CREATE INDEX foreign_entry_digest ON foreign_entry (digest, id);
CREATE INDEX foreign_entry_cohort ON foreign_entry (cohort);
CREATE TABLE queue (
    destination TEXT PRIMARY KEY, acknowledged INTEGER NOT NULL, last INTEGER NOT NULL,
    CHECK (acknowledged <= last)) STRICT, WITHOUT ROWID;
CREATE TABLE queue_item (
    destination TEXT NOT NULL REFERENCES queue(destination), sequence INTEGER NOT NULL,
    sealed BLOB NOT NULL, PRIMARY KEY (destination, sequence)) STRICT, WITHOUT ROWID;
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE request (id BLOB PRIMARY KEY, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX request_until ON request (until);
CREATE TABLE fact (
    space INTEGER NOT NULL, place BLOB NOT NULL CHECK (length(place) = 16),
    sealed BLOB NOT NULL, PRIMARY KEY (space, place)) STRICT, WITHOUT ROWID;
";

/// Whether the file may be changed through this connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    ReadWrite,
    ReadOnly,
}

/// Open (and for `ReadWrite`, create) the database with the settings every connection has.
pub(crate) fn connect(path: &Path, access: Access) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX
        | match access {
            Access::ReadWrite => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
            Access::ReadOnly => OpenFlags::SQLITE_OPEN_READ_ONLY,
        };
    let connection = Connection::open_with_flags(path, flags).map_err(store_error)?;
    settings(&connection, access).map_err(store_error)?;
    version(&connection, access)?;
    Ok(connection)
}

pub(crate) fn settings(connection: &Connection, access: Access) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED_COUNT_MAX);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.pragma_update(None, "busy_timeout", BUSY_TIMEOUT_MS_MAX)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    // Temporary tables and sorters may hold opened digests; they must not reach the disk.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "cache_size", -PAGE_CACHE_KIB_MAX)?;
    if access == Access::ReadWrite {
        // Deleted rows are overwritten with zeros, not only unlinked (S1: 確実な消去).
        connection.pragma_update(None, "secure_delete", true)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // FULL syncs the log at every commit: acknowledged = durable (invariant 15).
        connection.pragma_update(None, "synchronous", "FULL")?;
    }
    Ok(())
}

fn version(connection: &Connection, access: Access) -> Result<(), StoreError> {
    let number = |name: &str| -> Result<i64, StoreError> {
        connection.pragma_query_value(None, name, |row| row.get(0)).map_err(store_error)
    };
    let found = u32::try_from(number("user_version")?).unwrap_or(u32::MAX);
    let application = number("application_id")?;
    if found == SCHEMA_VERSION && application == i64::from(APPLICATION_ID) {
        return Ok(());
    }
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(store_error)?;
    if found == 0 && application == 0 && tables == 0 && access == Access::ReadWrite {
        return create(connection).map_err(store_error);
    }
    if application != i64::from(APPLICATION_ID) {
        return Err(StoreError::Damaged("the file is not a store of this program".into()));
    }
    Err(StoreError::Version { found, expected: SCHEMA_VERSION })
}

/// One transaction: a crash in the middle leaves an empty file, which the next start fills.
fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE; {TABLES} PRAGMA application_id = {APPLICATION_ID};
         PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
    ))
}

/// What SQLite says, in the port's words. SQLite's messages name tables and columns, never values.
pub(crate) fn store_error(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::DiskFull,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Damaged(error.to_string())
        }
        _ => StoreError::Io(error.to_string()),
    }
}

/// The same for look-ups.
pub(crate) fn read_error(error: rusqlite::Error) -> ReadError {
    ReadError::Store(error.to_string())
}

/// Numbers of ours are below 2^63, the largest that SQLite keeps.
pub(crate) fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Back from SQLite; a negative number was never written and reads as 0.
pub(crate) fn from_sql(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
