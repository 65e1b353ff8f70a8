//! Every table of a store as both engines have it: columns, keys, and rows as plain values. For
//! checks and moves, which go through all of it; nothing is opened here.

use node::ports::StoreError;

use crate::fsck::FsckReport;

/// Rows fetched at once; with sealed rows of some hundred bytes, well below a MiB.
pub(crate) const ROWS_PER_PAGE_COUNT_MAX: usize = 2_000;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// 16, 32 or 64 bits; the width is the engine's business.
    Number16,
    Number32,
    Number64,
    Bytes,
    /// Bytes that may have been erased.
    BytesOrNone,
    Text,
}

/// One value of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    None,
    Number(i64),
    Bytes(Vec<u8>),
    Text(String),
}

impl Value {
    pub(crate) fn number(&self) -> Option<i64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

/// One row, its values in the order of the table's columns.
pub(crate) type RawRow = Vec<Value>;

/// A table of a store.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [(&'static str, Kind)],
    /// Names of the columns by which rows are in order, each row alone at its place.
    pub(crate) key: &'static [&'static str],
}

impl Table {
    /// The key of a row.
    pub(crate) fn key_of(&self, row: &RawRow) -> Vec<Value> {
        let place = |name: &&str| self.columns.iter().position(|(column, _)| column == name);
        let values = self.key.iter().filter_map(place).filter_map(|place| row.get(place));
        values.cloned().collect()
    }

    /// What this column holds.
    pub(crate) fn kind_of(&self, name: &str) -> Kind {
        let found = self.columns.iter().find(|(column, _)| *column == name);
        found.map_or(Kind::Number64, |(_, kind)| *kind)
    }

    pub(crate) fn names(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        names.join(", ")
    }
}

macro_rules! table {
    ($name:ident, $($column:ident $kind:ident),+; key $($key:ident),+) => {
        Table {
            name: stringify!($name),
            columns: &[$((stringify!($column), Kind::$kind)),+],
            key: &[$(stringify!($key)),+],
        }
    };
}

/// Every table, in an order in which each stands after those that it refers to. A test compares
/// this list with what the engines really have.
pub(crate) const TABLES: &[Table] = &[
    table!(meta, name Text, value Bytes; key name),
    COHORT,
    RESIDENT,
    TERM,
    HISTORY,
    ENTRY,
    ENTRY_SUBJECT,
    FOREIGN_ENTRY,
    QUEUE,
    QUEUE_ITEM,
    table!(counter, name Text, value Number64; key name),
    table!(request, id Bytes, until Number64; key id),
    FACT,
];

pub(crate) const COHORT: Table = table!(cohort, month Number32, wrapped Bytes; key month);
pub(crate) const RESIDENT: Table =
    table!(resident, id Number64, epoch Number32, sealed Bytes; key id);
pub(crate) const TERM: Table = table!(
    term, digest Number64, kind Number16, resident Number64; key digest, kind, resident);
pub(crate) const HISTORY: Table = table!(
    history, id Number64, resident Number64, cohort Number32, sealed Bytes; key id);
pub(crate) const ENTRY: Table = table!(
    entry, idx Number64, leaf_data Bytes, cohort Number32, sealed BytesOrNone; key idx);
pub(crate) const ENTRY_SUBJECT: Table =
    table!(entry_subject, digest Number64, idx Number64; key digest, idx);
pub(crate) const FOREIGN_ENTRY: Table = table!(
    foreign_entry, id Number64, digest Number64, cohort Number32, sealed Bytes; key id);
pub(crate) const QUEUE: Table = table!(
    queue, destination Text, acknowledged Number64, last Number64; key destination);
pub(crate) const QUEUE_ITEM: Table = table!(
    queue_item, destination Text, sequence Number64, sealed Bytes; key destination, sequence);
pub(crate) const FACT: Table =
    table!(fact, space Number16, place Bytes, sealed Bytes; key space, place);

/// A store's rows as they stand in its tables.
pub(crate) trait Raw {
    /// Rows after this key, in order, at most `max`.
    fn page(
        &self,
        table: &Table,
        after: Option<&[Value]>,
        max: usize,
    ) -> Result<Vec<RawRow>, StoreError>;
    /// The answer to a question for one number, in SQL that both engines speak.
    fn number_of(&self, sql: &str) -> Result<u64, StoreError>;
    /// For each of these index terms, whether it is there.
    fn terms_held(&self, terms: &[(i64, u8, i64)]) -> Result<Vec<bool>, StoreError>;
    /// For each of these (digest, entry), whether it is there.
    fn subjects_held(&self, subjects: &[(i64, i64)]) -> Result<Vec<bool>, StoreError>;
    /// All rows found under these digests of codes: (digest, row), in order.
    fn code_holders(&self, digests: &[i64]) -> Result<Vec<(i64, i64)>, StoreError>;
    /// The engine's own check of its structures.
    fn check_structure(&self, report: &mut FsckReport) -> Result<(), StoreError>;
}

/// Go through a table page by page.
pub(crate) fn each_page(
    raw: &dyn Raw,
    table: &Table,
    visit: &mut dyn FnMut(&[RawRow]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut after: Option<Vec<Value>> = None;
    loop {
        let rows = raw.page(table, after.as_deref(), ROWS_PER_PAGE_COUNT_MAX)?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = Some(table.key_of(last));
        visit(&rows)?;
        if rows.len() < ROWS_PER_PAGE_COUNT_MAX {
            return Ok(());
        }
    }
}

/// The page's query: rows after a key, in its order; the last parameter is the number of rows.
/// `place` writes the n-th parameter as the engine wants it.
pub(crate) fn page_sql(
    table: &Table,
    after: bool,
    place: impl Fn(usize, Kind) -> String,
) -> String {
    let key = table.key.join(", ");
    let places: Vec<String> =
        table.key.iter().enumerate().map(|(n, name)| place(n + 1, table.kind_of(name))).collect();
    let condition =
        if after { format!("WHERE ({key}) > ({})", places.join(", ")) } else { String::new() };
    let limit = place(if after { places.len() + 1 } else { 1 }, Kind::Number64);
    format!("SELECT {} FROM {} {condition} ORDER BY {key} LIMIT {limit}", table.names(), table.name)
}
