//! Reading the tables of `data/`: tab separated, one header row, no quoting.

use serde::de::DeserializeOwned;

use super::RiskError;

/// Every row of a table.
pub(super) fn read<T: DeserializeOwned>(
    table: &'static str,
    text: &'static str,
) -> Result<Vec<T>, RiskError> {
    let mut reader =
        csv::ReaderBuilder::new().delimiter(b'\t').quoting(false).from_reader(text.as_bytes());
    let rows: Result<Vec<T>, csv::Error> = reader.deserialize().collect();
    rows.map_err(|source| RiskError::Table { table, source })
}

/// The rule that a row breaks.
pub(super) fn broken(table: &'static str, row: impl Into<String>, rule: &'static str) -> RiskError {
    RiskError::Row { table, row: row.into(), rule }
}

/// Words of a cell, separated by spaces.
pub(super) fn words(cell: &str) -> impl Iterator<Item = &str> {
    cell.split(' ').filter(|word| !word.is_empty())
}
