//! The raw rows of a PostgreSQL store, as checks and moves want them.

use node::ports::StoreError;
use postgres::Row;
use postgres::types::{ToSql, Type};

use super::link::{Link, store_error};
use crate::fsck::FsckReport;
use crate::raw::{Kind, Raw, RawRow, TABLES, Table, Value, page_sql};
use crate::schema::from_sql;

/// Index terms asked for in one question.
const TERMS_PER_QUESTION_COUNT_MAX: usize = 20_000;

impl Raw for Link {
    fn page(
        &self,
        table: &Table,
        after: Option<&[Value]>,
        max: usize,
    ) -> Result<Vec<RawRow>, StoreError> {
        let place = |number: usize, kind: Kind| format!("${number}::{}", type_name(kind));
        let sql = page_sql(table, after.is_some(), place);
        let limit = Value::Number(i64::try_from(max).unwrap_or(i64::MAX));
        let params: Vec<Column> = after
            .unwrap_or_default()
            .iter()
            .zip(table.key)
            .map(|(value, name)| Column::of(value, table.kind_of(name)))
            .chain([Column::of(&limit, Kind::Number64)])
            .collect();
        let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(Column::param).collect();
        let rows = self.query(&sql, &params)?;
        rows.iter().map(|row| values(table, row)).collect()
    }

    fn number_of(&self, sql: &str) -> Result<u64, StoreError> {
        let row = self.one(sql, &[])?;
        row.map_or(Ok(0), |row| row.try_get(0).map(from_sql).map_err(store_error))
    }

    fn terms_held(&self, terms: &[(i64, u8, i64)]) -> Result<Vec<bool>, StoreError> {
        let mut held = Vec::with_capacity(terms.len());
        for part in terms.chunks(TERMS_PER_QUESTION_COUNT_MAX) {
            let digests: Vec<i64> = part.iter().map(|term| term.0).collect();
            let kinds: Vec<i16> = part.iter().map(|term| i16::from(term.1)).collect();
            let people: Vec<i64> = part.iter().map(|term| term.2).collect();
            let rows = self.query(
                "SELECT EXISTS (SELECT 1 FROM term t WHERE t.digest = a.digest AND t.kind = a.kind
                                AND t.resident = a.resident)
                 FROM unnest($1::bigint[], $2::smallint[], $3::bigint[]) WITH ORDINALITY
                 AS a (digest, kind, resident, place) ORDER BY a.place",
                &[&digests, &kinds, &people],
            )?;
            for row in &rows {
                held.push(row.try_get(0).map_err(store_error)?);
            }
        }
        Ok(held)
    }

    fn subjects_held(&self, subjects: &[(i64, i64)]) -> Result<Vec<bool>, StoreError> {
        let (digests, indexes): (Vec<i64>, Vec<i64>) = subjects.iter().copied().unzip();
        let rows = self.query(
            "SELECT EXISTS (SELECT 1 FROM entry_subject s WHERE s.digest = a.digest
                            AND s.idx = a.idx)
             FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS a (digest, idx, place)
             ORDER BY a.place",
            &[&digests, &indexes],
        )?;
        rows.iter().map(|row| row.try_get(0).map_err(store_error)).collect()
    }

    fn code_holders(&self, digests: &[i64]) -> Result<Vec<(i64, i64)>, StoreError> {
        let mut wanted = digests.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        let rows = self.query(
            "SELECT t.digest, t.resident FROM unnest($1::bigint[]) wanted
             JOIN term t ON t.digest = wanted AND t.kind = 1 ORDER BY t.digest, t.resident",
            &[&wanted],
        )?;
        let pair = |row: &Row| {
            Ok((row.try_get(0).map_err(store_error)?, row.try_get(1).map_err(store_error)?))
        };
        rows.iter().map(pair).collect()
    }

    /// The server checks pages by their checksums whenever it reads them; here all are read. Deeper
    /// checks of its indexes are its own tools' (`pg_amcheck`).
    fn check_structure(&self, report: &mut FsckReport) -> Result<(), StoreError> {
        let invalid = self.number_of(
            "SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
             JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = 'jukinet' AND NOT (i.indisvalid AND i.indisready)",
        )?;
        if invalid != 0 {
            report.fault(format!("{invalid} indexes are not valid"), "database structure");
        }
        Ok(())
    }
}

impl Link {
    /// Keep raw rows of a table, which has none of them yet.
    pub(super) fn copy_raw(&self, table: &Table, rows: &[RawRow]) -> Result<(), StoreError> {
        let types: Vec<Type> = table.columns.iter().map(|(_, kind)| type_of(*kind)).collect();
        let sql = format!("COPY {} ({}) FROM STDIN (FORMAT binary)", table.name, table.names());
        self.copy_in(&sql, &types, &mut |writer| {
            for row in rows {
                let columns: Vec<Column> = row
                    .iter()
                    .zip(table.columns)
                    .map(|(value, (_, kind))| Column::of(value, *kind))
                    .collect();
                let params: Vec<&(dyn ToSql + Sync)> = columns.iter().map(Column::param).collect();
                writer.write(&params).map_err(store_error)?;
            }
            Ok(())
        })
        .map(|_| ())
    }

    /// Whether no table has a row.
    pub(super) fn is_empty(&self) -> Result<bool, StoreError> {
        for table in TABLES {
            if !self.page(table, None, 1)?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// A value in the width of its column.
enum Column {
    None(Option<Vec<u8>>),
    Number16(i16),
    Number32(i32),
    Number64(i64),
    Bytes(Vec<u8>),
    Text(String),
}

impl Column {
    fn of(value: &Value, kind: Kind) -> Self {
        match (value, kind) {
            (Value::None, _) => Self::None(None),
            (Value::Number(number), Kind::Number16) => {
                Self::Number16(i16::try_from(*number).unwrap_or(i16::MAX))
            }
            (Value::Number(number), Kind::Number32) => {
                Self::Number32(i32::try_from(*number).unwrap_or(i32::MAX))
            }
            (Value::Number(number), _) => Self::Number64(*number),
            (Value::Bytes(bytes), _) => Self::Bytes(bytes.clone()),
            (Value::Text(text), _) => Self::Text(text.clone()),
        }
    }

    fn param(&self) -> &(dyn ToSql + Sync) {
        match self {
            Self::None(none) => none,
            Self::Number16(number) => number,
            Self::Number32(number) => number,
            Self::Number64(number) => number,
            Self::Bytes(bytes) => bytes,
            Self::Text(text) => text,
        }
    }
}

fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Number16 => "smallint",
        Kind::Number32 => "int",
        Kind::Number64 => "bigint",
        Kind::Bytes | Kind::BytesOrNone => "bytea",
        Kind::Text => "text",
    }
}

fn type_of(kind: Kind) -> Type {
    match kind {
        Kind::Number16 => Type::INT2,
        Kind::Number32 => Type::INT4,
        Kind::Number64 => Type::INT8,
        Kind::Bytes | Kind::BytesOrNone => Type::BYTEA,
        Kind::Text => Type::TEXT,
    }
}

fn values(table: &Table, row: &Row) -> Result<RawRow, StoreError> {
    let value = |(place, (_, kind)): (usize, &(&str, Kind))| match kind {
        Kind::Number16 => row.try_get::<_, i16>(place).map(|n| Value::Number(n.into())),
        Kind::Number32 => row.try_get::<_, i32>(place).map(|n| Value::Number(n.into())),
        Kind::Number64 => row.try_get(place).map(Value::Number),
        Kind::Bytes => row.try_get(place).map(Value::Bytes),
        Kind::BytesOrNone => row
            .try_get::<_, Option<Vec<u8>>>(place)
            .map(|bytes| bytes.map_or(Value::None, Value::Bytes)),
        Kind::Text => row.try_get(place).map(Value::Text),
    };
    table.columns.iter().enumerate().map(|c| value(c).map_err(store_error)).collect()
}
