//! A batch of a vendor's system as JSON: its rows become rows of the feed, each with its own fault.
//! A row that holds more than a notice has is no row: the whole batch is refused, so that nobody
//! gets used to sending the register.

use std::fmt;

use law::character::CharacterTable;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use wire::FeedRow;
use wire::limits::FEED_ROWS_COUNT_MAX;

use super::refusal::Refusal;
use crate::feed::{Between, Cells, Reading, RowFault};

/// Longest name a client gives a batch.
pub(crate) const BATCH_ID_BYTES_MAX: usize = 64;
/// Fields of one row before the rest of it is only counted as surplus.
const FIELDS_COUNT_MAX: usize = 64;

/// What stands in one field of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Number,
    Flag,
}

/// The fields of a row: those of a notice, and no others. Names, kinds and whether each row has
/// them; the document is made from this table too.
pub(crate) const FIELDS: [(&str, Kind, bool); 17] = [
    ("sequence", Kind::Number, true),
    ("reason", Kind::Text, true),
    ("changed_on", Kind::Text, true),
    ("record_code", Kind::Text, true),
    ("previous_code", Kind::Text, false),
    ("family_name", Kind::Text, false),
    ("given_name", Kind::Text, false),
    ("family_kana", Kind::Text, false),
    ("given_kana", Kind::Text, false),
    ("sex", Kind::Number, true),
    ("birth", Kind::Text, true),
    ("municipality_code", Kind::Text, true),
    ("address", Kind::Text, true),
    ("former_municipality_code", Kind::Text, false),
    ("alternative_name", Kind::Text, false),
    ("former_surname", Kind::Text, false),
    ("foreign", Kind::Flag, false),
];

/// Items of the resident record (法7条) by the names that vendors give them: the only surplus names
/// that a refusal repeats. Any other could itself be somebody's.
const REGISTER_ITEMS: [&str; 16] = [
    "household_id",
    "household",
    "householder",
    "householder_name",
    "relationship",
    "nationality",
    "registered_domicile",
    "family_register",
    "former_address",
    "moved_in_on",
    "residence_status",
    "individual_number",
    "health_insurance",
    "pension",
    "child_allowance",
    "election",
];

/// A batch, its rows still as they came.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    batch: String,
    #[serde(borrow)]
    rows: Vec<&'a RawValue>,
}

/// What a batch becomes before the server sees it.
pub(crate) struct Batch {
    pub(crate) id: String,
    /// Each row's own number, for the answer.
    pub(crate) numbers: Vec<Option<u64>>,
    /// Rows for the server.
    pub(crate) rows: Vec<FeedRow>,
    /// Rows that are none; the first row is 1.
    pub(crate) faults: Vec<(u32, RowFault)>,
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batch({} rows, {} faults)", self.rows.len(), self.faults.len())
    }
}

/// Why a batch is refused whole, and at which row and field of the register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    pub(crate) refusal: Refusal,
    pub(crate) row: Option<u32>,
    pub(crate) field: Option<&'static str>,
}

impl From<Refusal> for Whole {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, row: None, field: None }
    }
}

/// Read a request's body.
pub(crate) fn read(body: &[u8], characters: Option<&CharacterTable>) -> Result<Batch, Whole> {
    // The library's own words may quote the body: none of them is passed on.
    let envelope: Envelope<'_> = serde_json::from_slice(body).map_err(|_| Refusal::Malformed)?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let id = envelope.batch;
    if !(1..=BATCH_ID_BYTES_MAX).contains(&id.len()) || !id.bytes().all(plain) {
        return Err(Refusal::BatchId.into());
    }
    if envelope.rows.is_empty() {
        return Err(Refusal::NoRows.into());
    }
    if envelope.rows.len() > FEED_ROWS_COUNT_MAX {
        return Err(Refusal::TooManyRows.into());
    }
    let mut lines = Vec::with_capacity(envelope.rows.len());
    for (row, raw) in (1_u32..).zip(&envelope.rows) {
        lines.push((row, line(raw, row)?));
    }
    let mut batch = Batch { id, numbers: Vec::new(), rows: Vec::new(), faults: Vec::new() };
    let (reading, mut between) = (Reading { list: false, characters }, Between::default());
    for (row, line) in lines {
        let (number, line) = line;
        batch.numbers.push(number);
        let read = line.and_then(|line| numbered(reading, row, &line));
        match read {
            Err(fault) => {
                between.pass_over(number);
                batch.faults.push((row, fault));
            }
            Ok(read) => match between.admit(&read) {
                Ok(()) => batch.rows.push(read),
                Err(fault) => batch.faults.push((row, fault)),
            },
        }
    }
    Ok(batch)
}

/// A row without a number could not be sent again.
fn numbered(reading: Reading<'_>, row: u32, line: &Line) -> Result<FeedRow, RowFault> {
    let read = reading.row(row, line)?;
    match read.sequence {
        Some(_) => Ok(read),
        None => Err(RowFault::new("sequence", "missing", "number every row")),
    }
}

/// The cells of one row.
struct Line {
    cells: Vec<(&'static str, String)>,
}

impl Cells for Line {
    fn cell(&self, column: &str) -> Option<&str> {
        let cell = self.cells.iter().find(|(name, _)| *name == column)?;
        Some(cell.1.as_str()).filter(|text| !text.is_empty())
    }
}

/// A row's number, and its cells or what is wrong with one.
type Numbered = (Option<u64>, Result<Line, RowFault>);

/// One row's fields by name: a fault of the row, or the refusal of the whole batch.
fn line(raw: &RawValue, row: u32) -> Result<Numbered, Whole> {
    let Ok(fields) = serde_json::from_str::<Fields<'_>>(raw.get()) else {
        let fault = RowFault::new("row", "malformed", "a row is an object of named fields");
        return Ok((None, Err(fault)));
    };
    surplus(&fields, row)?;
    let number = fields.list.iter().find(|(name, _)| name == "sequence");
    let number = number.and_then(|(_, value)| serde_json::from_str(value.get()).ok());
    Ok((number, cells(&fields)))
}

fn known(name: &str) -> Option<&'static (&'static str, Kind, bool)> {
    FIELDS.iter().find(|(field, ..)| *field == name)
}

fn surplus(fields: &Fields<'_>, row: u32) -> Result<(), Whole> {
    if let Some((name, _)) = fields.list.iter().find(|(name, _)| known(name).is_none()) {
        let field = REGISTER_ITEMS.iter().find(|item| **item == name.as_str()).copied();
        return Err(Whole { refusal: Refusal::SurplusField, row: Some(row), field });
    }
    if fields.more {
        return Err(Whole { refusal: Refusal::SurplusField, row: Some(row), field: None });
    }
    Ok(())
}

fn cells(fields: &Fields<'_>) -> Result<Line, RowFault> {
    let mut cells: Vec<(&'static str, String)> = Vec::with_capacity(fields.list.len());
    for (name, value) in &fields.list {
        let Some((field, kind, _)) = known(name) else { continue };
        if cells.iter().any(|(other, _)| other == field) {
            return Err(RowFault::new(field, "twice", "give each field once"));
        }
        match cell(*kind, value.get()) {
            Some(Some(text)) => cells.push((field, text)),
            Some(None) => {}
            None => {
                let remedy = match kind {
                    Kind::Text => "give it as text",
                    Kind::Number => "give it as a whole number",
                    Kind::Flag => "give it as true or false",
                };
                return Err(RowFault::new(field, "field-type", remedy));
            }
        }
    }
    Ok(Line { cells })
}

/// A value as the text of a cell: `Some(None)` for null, `None` for another type.
#[allow(clippy::option_option, reason = "no value and a wrong one are two things")]
fn cell(kind: Kind, raw: &str) -> Option<Option<String>> {
    if raw == "null" {
        return Some(None);
    }
    match kind {
        Kind::Text => serde_json::from_str::<String>(raw).ok().map(Some),
        Kind::Number => serde_json::from_str::<u64>(raw).ok().map(|n| Some(n.to_string())),
        Kind::Flag => serde_json::from_str::<bool>(raw).ok().map(|b| Some(u8::from(b).to_string())),
    }
}

/// Names and raw values of an object, in their order, none of them lost.
struct Fields<'a> {
    list: Vec<(String, &'a RawValue)>,
    more: bool,
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Fields { list: Vec::new(), more: false };
                while let Some(name) = map.next_key::<String>()? {
                    if fields.list.len() >= FIELDS_COUNT_MAX {
                        map.next_value::<IgnoredAny>()?;
                        fields.more = true;
                    } else {
                        fields.list.push((name, map.next_value()?));
                    }
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Collect)
    }
}
