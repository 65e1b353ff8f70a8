//! What the paper says about its own rows, and what the rows say: every percentage and count of
//! S3 §4.1, §5, §6.1, §7 and table 4, recomputed.
//!
//! A figure that differs is reported with the line of the paper; neither side is corrected.

use serde::{Deserialize, Serialize};

use super::RiskError;
use super::incidents::{Country, Incident};
use super::tables::{broken, read};

const STATED: &str = include_str!("../../data/incidents_stated.tsv");
const TABLE: &str = "incidents_stated.tsv";

/// Quantile of the normal distribution for an interval of 95 in 100.
const QUANTILE_95: f64 = 1.96;

/// One figure of the paper.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stated {
    pub country: Country,
    /// Line of the paper's text as the project holds it.
    pub line: u32,
    #[serde(rename = "where")]
    pub place: String,
    pub what: String,
    /// Which rows are meant: `column=key,key;column=key`.
    pub rows: String,
    pub percent: Option<u32>,
    pub count: Option<u32>,
    pub note: String,
}

/// A figure beside its recomputation.
#[derive(Clone, Debug, Serialize)]
pub struct Compared {
    #[serde(flatten)]
    pub stated: Stated,
    /// Rows that are meant, and rows of the country.
    pub found: u32,
    pub of: u32,
    /// Rounded half up, as the paper rounds.
    pub recomputed: u32,
    /// Interval of 95 in 100 by Wilson, in percent: what so few rows can say about a share.
    pub low: f64,
    pub high: f64,
    pub agrees: bool,
}

/// The figures of the paper.
pub(super) fn stated() -> Result<Vec<Stated>, RiskError> {
    let rows: Vec<Stated> = read(TABLE, STATED)?;
    for row in &rows {
        if row.percent.is_none() && row.count.is_none() {
            return Err(broken(TABLE, row.line.to_string(), "neither a percentage nor a count"));
        }
    }
    Ok(rows)
}

/// Every figure of the paper beside its recomputation.
///
/// # Errors
/// A filter that names no column.
pub fn compare(stated: &[Stated], incidents: &[Incident]) -> Result<Vec<Compared>, RiskError> {
    stated.iter().map(|row| recompute(row, incidents)).collect()
}

fn recompute(stated: &Stated, incidents: &[Incident]) -> Result<Compared, RiskError> {
    let (mut found, mut of) = (0_u32, 0_u32);
    for incident in incidents.iter().filter(|incident| incident.country == stated.country) {
        of += 1;
        let meant = meant(&stated.rows, incident);
        let meant = meant.ok_or_else(|| {
            broken(TABLE, stated.line.to_string(), "a filter is `column=key,key;column=key`")
        })?;
        found += u32::from(meant);
    }
    let recomputed = percent(found, of);
    let agrees = stated.percent.is_none_or(|percent| percent == recomputed)
        && stated.count.is_none_or(|count| count == found);
    let (low, high) = wilson(found, of);
    Ok(Compared { stated: stated.clone(), found, of, recomputed, low, high, agrees })
}

/// Whether a filter means the row; `None` if it names no column.
fn meant(filter: &str, incident: &Incident) -> Option<bool> {
    let mut all = true;
    for condition in filter.split(';') {
        let (column, keys) = condition.split_once('=')?;
        let value = match column {
            "place" => incident.place.key(),
            "threat" => incident.threat.key(),
            "difficulty" => incident.difficulty.key(),
            "kind" => incident.kind.as_str(),
            _ => return None,
        };
        all &= keys.split(',').any(|key| key == value);
    }
    Some(all)
}

/// A share in whole percent, halves up; 0 of nothing.
#[must_use]
pub fn percent(found: u32, of: u32) -> u32 {
    (200 * found + of).checked_div(2 * of).unwrap_or(0)
}

/// The interval of Wilson for a share, in percent. Only operations that every machine rounds
/// alike, so that the report is the same bytes everywhere.
#[must_use]
pub fn wilson(found: u32, of: u32) -> (f64, f64) {
    if of == 0 {
        return (0.0, 100.0);
    }
    let (n, share) = (f64::from(of), f64::from(found) / f64::from(of));
    let square = QUANTILE_95 * QUANTILE_95;
    let middle = share + square / (2.0 * n);
    let spread = QUANTILE_95 * (share * (1.0 - share) / n + square / (4.0 * n * n)).sqrt();
    let scale = 100.0 / (1.0 + square / n);
    (((middle - spread) * scale).max(0.0), ((middle + spread) * scale).min(100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_go_up_and_nothing_is_nought() {
        assert_eq!(
            [percent(6, 16), percent(2, 16), percent(5, 16), percent(0, 0)],
            [38, 13, 31, 0]
        );
    }

    /// Values of R's `prop.test(correct = FALSE)`, to a tenth.
    #[test]
    fn the_interval_is_that_of_wilson() {
        let (low, high) = wilson(30, 34);
        assert!((low - 73.4).abs() < 0.1 && (high - 95.3).abs() < 0.1, "{low} {high}");
        let (low, high) = wilson(0, 7);
        assert!(low < 1e-9 && (high - 35.4).abs() < 0.1, "{low} {high}");
    }
}
