//! The tables on PostgreSQL: hash partitions of the tables that grow with the register. No row is
//! read here.
//!
//! Plain SQL only, so that an engine that speaks PostgreSQL's language can take its place. Plain
//! columns hold numbers, keyed digests and node names; all else is sealed.

use node::ports::StoreError;

use super::link::Link;
use crate::schema::{APPLICATION_ID, SCHEMA_VERSION};

/// The schema in the node's database.
pub(super) const SCHEMA: &str = "jukinet";

/// Partitions of each table that grows with the register. Fixed: a row's partition follows from its
/// key. Sixteen keep a partition of a nation's terms (126 million people, 760 million terms) below
/// 50 million rows, and let sixteen vacuum processes work side by side.
const PARTITIONS_COUNT: u32 = 16;

/// A table, and the column whose hash decides the partition. Look-ups name that column.
const PARTITIONED: &[(&str, &str, &str)] = &[
    ("resident", "id BIGINT PRIMARY KEY, epoch INTEGER NOT NULL, sealed BYTEA NOT NULL", "id"),
    (
        "term",
        "digest BIGINT NOT NULL, kind SMALLINT NOT NULL, resident BIGINT NOT NULL,
         PRIMARY KEY (digest, kind, resident)",
        "digest",
    ),
    (
        "history",
        "id BIGINT NOT NULL, resident BIGINT NOT NULL, cohort INTEGER NOT NULL,
         sealed BYTEA NOT NULL, PRIMARY KEY (resident, id)",
        "resident",
    ),
    (
        "entry_subject",
        "digest BIGINT NOT NULL, idx BIGINT NOT NULL, PRIMARY KEY (digest, idx)",
        "digest",
    ),
    (
        "foreign_entry",
        "id BIGINT NOT NULL, digest BIGINT NOT NULL, cohort INTEGER NOT NULL,
         sealed BYTEA NOT NULL, PRIMARY KEY (digest, id)",
        "digest",
    ),
    (
        "fact",
        "space SMALLINT NOT NULL, place BYTEA NOT NULL CHECK (length(place) = 16),
         sealed BYTEA NOT NULL, PRIMARY KEY (space, place)",
        "place",
    ),
];

/// Text is compared by its bytes, as SQLite does. Entries are not partitioned: they are appended
/// and read in their order.
const PLAIN: &str = "
CREATE TABLE engine (name TEXT COLLATE \"C\" PRIMARY KEY, value BIGINT NOT NULL);
CREATE TABLE meta (name TEXT COLLATE \"C\" PRIMARY KEY, value BYTEA NOT NULL);
CREATE TABLE cohort (month INTEGER PRIMARY KEY, wrapped BYTEA NOT NULL);
CREATE TABLE entry (
    idx BIGINT PRIMARY KEY, leaf_data BYTEA NOT NULL CHECK (length(leaf_data) = 32),
    cohort INTEGER NOT NULL, sealed BYTEA);
CREATE TABLE queue (
    destination TEXT COLLATE \"C\" PRIMARY KEY, acknowledged BIGINT NOT NULL,
    last BIGINT NOT NULL, CHECK (acknowledged <= last));
CREATE TABLE queue_item (
    destination TEXT COLLATE \"C\" NOT NULL, sequence BIGINT NOT NULL, sealed BYTEA NOT NULL,
    PRIMARY KEY (destination, sequence));
CREATE TABLE counter (name TEXT COLLATE \"C\" PRIMARY KEY, value BIGINT NOT NULL);
CREATE TABLE request (id BYTEA PRIMARY KEY, until BIGINT NOT NULL);
";

const INDEXES: &str = "
CREATE INDEX resident_expiry ON resident (epoch) WHERE epoch >= 22476;
CREATE INDEX history_id ON history (id);
CREATE INDEX history_cohort ON history (cohort);
CREATE INDEX entry_cohort ON entry (cohort) WHERE sealed IS NOT NULL;
CREATE INDEX entry_subject_idx ON entry_subject (idx);
CREATE INDEX foreign_entry_id ON foreign_entry (id);
CREATE INDEX foreign_entry_cohort ON foreign_entry (cohort);
CREATE INDEX request_until ON request (until);
";

/// The statements that make an empty store.
fn tables() -> String {
    let mut sql = format!("CREATE SCHEMA IF NOT EXISTS {SCHEMA};{PLAIN}");
    for (name, columns, by) in PARTITIONED {
        sql.push_str(&format!("CREATE TABLE {name} ({columns}) PARTITION BY HASH ({by});\n"));
        for remainder in 0..PARTITIONS_COUNT {
            sql.push_str(&format!(
                "CREATE TABLE {name}_p{remainder:02} PARTITION OF {name}
                 FOR VALUES WITH (MODULUS {PARTITIONS_COUNT}, REMAINDER {remainder});\n"
            ));
        }
    }
    sql.push_str(INDEXES);
    sql.push_str(&format!(
        "INSERT INTO engine VALUES ('application', {APPLICATION_ID}),
         ('version', {SCHEMA_VERSION}), ('writer', 0);"
    ));
    sql
}

/// Make the tables where there are none, and refuse those of another program or version.
pub(super) fn require(link: &Link, create: bool) -> Result<(), StoreError> {
    let found = link.one("SELECT to_regclass('jukinet.engine') IS NOT NULL", &[])?;
    if found.is_some_and(|row| row.try_get(0).unwrap_or(false)) {
        return version(link);
    }
    let taken = link.one("SELECT count(*) FROM pg_namespace WHERE nspname = 'jukinet'", &[])?;
    if taken.is_some_and(|row| row.try_get::<_, i64>(0).unwrap_or(1) != 0) {
        return Err(StoreError::Damaged(
            "schema jukinet is there, but it is not a store of this program".into(),
        ));
    }
    if !create {
        return Err(StoreError::Key("this store has no key yet".into()));
    }
    // One transaction: a crash in the middle leaves nothing, which the next start fills.
    link.batch(&format!("BEGIN; {} COMMIT;", tables())).inspect_err(|_| {
        let _ = link.batch("ROLLBACK");
    })
}

fn version(link: &Link) -> Result<(), StoreError> {
    let rows = link.query("SELECT name, value FROM engine", &[])?;
    let number = |wanted: &str| {
        rows.iter()
            .find(|row| row.try_get::<_, &str>(0).is_ok_and(|name| name == wanted))
            .and_then(|row| row.try_get::<_, i64>(1).ok())
            .unwrap_or(0)
    };
    if number("application") != i64::from(APPLICATION_ID) {
        return Err(StoreError::Damaged("the database is not a store of this program".into()));
    }
    let found = u32::try_from(number("version")).unwrap_or(u32::MAX);
    if found == SCHEMA_VERSION {
        return Ok(());
    }
    Err(StoreError::Version { found, expected: SCHEMA_VERSION })
}
