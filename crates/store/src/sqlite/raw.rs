//! The raw rows of a SQLite store, as checks and moves want them.

use node::ports::StoreError;
use rusqlite::types::{ToSqlOutput, Value as SqlValue, ValueRef};
use rusqlite::{Connection, Row, ToSql, params, params_from_iter};

use crate::fsck::FsckReport;
use crate::raw::{Raw, RawRow, TABLES, Table, Value, page_sql};
use crate::schema::{from_sql, store_error, to_sql};

/// Messages of SQLite's own check that are taken up.
const INTEGRITY_MESSAGES_COUNT_MAX: u32 = 100;

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::None => ToSqlOutput::Owned(SqlValue::Null),
            Self::Number(number) => ToSqlOutput::Owned(SqlValue::Integer(*number)),
            Self::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        })
    }
}

fn values(table: &Table, row: &Row<'_>) -> rusqlite::Result<RawRow> {
    let value = |place: usize| {
        Ok(match row.get::<_, SqlValue>(place)? {
            SqlValue::Null => Value::None,
            SqlValue::Integer(number) => Value::Number(number),
            SqlValue::Blob(bytes) => Value::Bytes(bytes),
            SqlValue::Text(text) => Value::Text(text),
            // No table has such a column.
            SqlValue::Real(_) => Value::None,
        })
    };
    (0..table.columns.len()).map(value).collect()
}

impl Raw for Connection {
    fn page(
        &self,
        table: &Table,
        after: Option<&[Value]>,
        max: usize,
    ) -> Result<Vec<RawRow>, StoreError> {
        let sql = page_sql(table, after.is_some(), |number, _| format!("?{number}"));
        let limit = Value::Number(to_sql(u64::try_from(max).unwrap_or(u64::MAX)));
        let params = after.unwrap_or_default().iter().chain([&limit]);
        self.prepare_cached(&sql)
            .and_then(|mut statement| {
                statement.query_map(params_from_iter(params), |row| values(table, row))?.collect()
            })
            .map_err(store_error)
    }

    fn number_of(&self, sql: &str) -> Result<u64, StoreError> {
        let mut statement = self.prepare(sql).map_err(store_error)?;
        let mut rows = statement.query([]).map_err(store_error)?;
        match rows.next().map_err(store_error)? {
            Some(row) => row.get(0).map(from_sql).map_err(store_error),
            None => Ok(0),
        }
    }

    fn terms_held(&self, terms: &[(i64, u8, i64)]) -> Result<Vec<bool>, StoreError> {
        let mut statement = self
            .prepare_cached("SELECT 1 FROM term WHERE digest = ?1 AND kind = ?2 AND resident = ?3")
            .map_err(store_error)?;
        let mut held = |term: &(i64, u8, i64)| statement.exists(*term).map_err(store_error);
        terms.iter().map(&mut held).collect()
    }

    fn subjects_held(&self, subjects: &[(i64, i64)]) -> Result<Vec<bool>, StoreError> {
        let mut statement = self
            .prepare_cached("SELECT 1 FROM entry_subject WHERE digest = ?1 AND idx = ?2")
            .map_err(store_error)?;
        let mut held = |subject: &(i64, i64)| statement.exists(*subject).map_err(store_error);
        subjects.iter().map(&mut held).collect()
    }

    fn code_holders(&self, digests: &[i64]) -> Result<Vec<(i64, i64)>, StoreError> {
        let mut statement = self
            .prepare_cached("SELECT resident FROM term WHERE digest = ?1 AND kind = 1")
            .map_err(store_error)?;
        let mut wanted = digests.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        let mut holders = Vec::new();
        for digest in wanted {
            let rows = statement.query_map(params![digest], |row| row.get(0));
            for resident in rows.map_err(store_error)? {
                holders.push((digest, resident.map_err(store_error)?));
            }
        }
        Ok(holders)
    }

    fn check_structure(&self, report: &mut FsckReport) -> Result<(), StoreError> {
        let mut found = |sql: &str, what: &str| -> rusqlite::Result<()> {
            let mut statement = self.prepare(sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let message: String = row.get(0)?;
                match what {
                    "" if message == "ok" => {}
                    "" => report.fault(message, "database structure"),
                    what => report.fault(what, message),
                }
            }
            Ok(())
        };
        let structure = format!("PRAGMA integrity_check({INTEGRITY_MESSAGES_COUNT_MAX})");
        found(&structure, "")
            .and_then(|()| {
                found("PRAGMA foreign_key_check", "a row refers to a row that is not there")
            })
            .map_err(store_error)
    }
}

/// Keep raw rows of a table, which has none of them yet.
pub(super) fn insert_raw(
    db: &Connection,
    table: &Table,
    rows: &[RawRow],
) -> Result<(), StoreError> {
    let places: Vec<String> = (1..=table.columns.len()).map(|n| format!("?{n}")).collect();
    let sql =
        format!("INSERT INTO {} ({}) VALUES ({})", table.name, table.names(), places.join(", "));
    let mut statement = db.prepare_cached(&sql).map_err(store_error)?;
    for row in rows {
        statement.execute(params_from_iter(row.iter())).map_err(store_error)?;
    }
    Ok(())
}

/// Whether no table has a row.
pub(super) fn is_empty(db: &Connection) -> Result<bool, StoreError> {
    for table in TABLES {
        if !db.page(table, None, 1)?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}
