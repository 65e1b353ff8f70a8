//! Change files of the existing resident register system (既存住基システム): rows of CSV become notices
//! of change, or a named fault of one row. What the network does not need is read over and dropped.

mod lines;

use std::io::Read;

use csv::{ReaderBuilder, StringRecord};
use law::change::{ChangeNotice, ChangeReason};
use law::code::{LocalGovernmentCode, RecordCode};
use law::people::{Address, BirthDate, FourItems, IdentityInformation, Kana, Name, Sex};
use law::time::Date;
use lines::ShortLines;
use wire::FeedRow;

/// Columns that every file has.
const NEEDED: [&str; 9] = [
    "record_code",
    "family_name",
    "given_name",
    "family_kana",
    "given_kana",
    "sex",
    "birth",
    "municipality_code",
    "address",
];
/// Columns of a register that the network has no use for; allowed, and dropped here.
const DROPPED: [&str; 4] = ["household_id", "relationship", "nationality", "alternative_name"];
/// Columns of a file of changes. Without `reason` the file is a list of residents.
const CHANGES: [&str; 4] = ["sequence", "reason", "changed_on", "previous_code"];
/// Residents listed without a change were recorded at the first operation of the network
/// (一次稼働, 2002-08-05), or were born later.
const FIRST_OPERATION: &str = "2002-08-05";

/// Why a file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum FileFault {
    #[error("line {line}: {problem}; the file must be UTF-8 CSV with a header")]
    Csv { line: u64, problem: String },
    #[error("the header lacks the column {0}")]
    Lacks(&'static str),
    // By its number: in a file without a header the first row would stand here.
    #[error(
        "column {0} of the header is unknown; known are those of the residents' CSV and sequence, \
         reason, changed_on, previous_code"
    )]
    Unknown(usize),
    #[error("the header names a column twice ({0})")]
    Twice(String),
}

/// Why one row is not a notice. Never holds a value of the row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowFault {
    pub column: String,
    pub rule: String,
    pub remedy: String,
}

/// One row of a file.
#[derive(Debug)]
pub enum Row {
    Notice(FeedRow),
    /// A resident of another municipality in a list of residents: not ours to notify.
    Elsewhere,
    Fault {
        row: u32,
        fault: RowFault,
    },
}

struct Columns {
    index: Vec<(String, usize)>,
    list: bool,
}

impl Columns {
    fn read(header: &StringRecord) -> Result<Self, FileFault> {
        let mut index: Vec<(String, usize)> = Vec::new();
        for (place, name) in header.iter().enumerate() {
            let name = name.trim_start_matches('\u{feff}').trim();
            let known = NEEDED.iter().chain(&DROPPED).chain(&CHANGES).any(|k| *k == name);
            if !known {
                return Err(FileFault::Unknown(place + 1));
            }
            if index.iter().any(|(other, _)| other == name) {
                return Err(FileFault::Twice(name.to_owned()));
            }
            index.push((name.to_owned(), place));
        }
        let has = |name: &str| index.iter().any(|(other, _)| other == name);
        if let Some(lacks) = NEEDED.iter().find(|name| !has(name)) {
            return Err(FileFault::Lacks(lacks));
        }
        let list = !has("reason");
        Ok(Self { index, list })
    }

    fn cell<'r>(&self, record: &'r StringRecord, column: &str) -> Option<&'r str> {
        let place = self.index.iter().find(|(name, _)| name == column)?.1;
        record.get(place).filter(|cell| !cell.is_empty())
    }
}

/// A file's rows, one by one: a large file is never held whole.
pub struct Rows<R> {
    reader: csv::Reader<ShortLines<R>>,
    columns: Columns,
    record: StringRecord,
    row: u32,
    own: LocalGovernmentCode,
}

impl<R> std::fmt::Debug for Rows<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rows(at {})", self.row)
    }
}

impl<R: Read> Rows<R> {
    /// Read the header.
    ///
    /// # Errors
    /// When the file is no CSV, or its columns are not those of a register.
    pub fn open(source: R, own: LocalGovernmentCode) -> Result<Self, FileFault> {
        let mut reader = ReaderBuilder::new().flexible(true).from_reader(ShortLines::new(source));
        let header = reader.headers().map_err(|error| csv_fault(&error))?.clone();
        let columns = Columns::read(&header)?;
        Ok(Self { reader, columns, record: StringRecord::new(), row: 1, own })
    }

    fn parse(&self) -> Row {
        let row = self.row;
        let record = &self.record;
        if record.len() != self.columns.index.len() {
            let fault = fault("row", "field-count", "give as many fields as the header has");
            return Row::Fault { row, fault };
        }
        match self.notice() {
            Ok(notice) if self.columns.list && notice.record.municipality != self.own => {
                Row::Elsewhere
            }
            Ok(notice) => match self.sequence() {
                Ok(sequence) => {
                    Row::Notice(FeedRow { row, sequence, notice, former_municipality: None })
                }
                Err(fault) => Row::Fault { row, fault },
            },
            Err(fault) => Row::Fault { row, fault },
        }
    }

    fn sequence(&self) -> Result<Option<u64>, RowFault> {
        let Some(cell) = self.columns.cell(&self.record, "sequence") else { return Ok(None) };
        match cell.parse() {
            Ok(sequence) if sequence > 0 => Ok(Some(sequence)),
            _ => Err(fault("sequence", "malformed", "a whole number from 1")),
        }
    }

    fn notice(&self) -> Result<ChangeNotice, RowFault> {
        let record = self.identity()?;
        let cell = |column| self.columns.cell(&self.record, column);
        let reason = match cell("reason") {
            None if self.columns.list => ChangeReason::EnteredExOfficio,
            None => return Err(missing("reason")),
            Some(key) => ChangeReason::parse_key(key).ok_or_else(|| {
                fault("reason", "unknown", "one of the ten reasons, as moved-in or born")
            })?,
        };
        let changed_on = match cell("changed_on") {
            Some(text) => Date::parse(text)
                .map_err(|_| fault("changed_on", "malformed", "a date as 2026-11-22"))?,
            None if self.columns.list => recorded_since(&record.items.birth)?,
            None => return Err(missing("changed_on")),
        };
        let previous_code = match cell("previous_code") {
            None => None,
            Some(text) => Some(code("previous_code", text)?),
        };
        Ok(ChangeNotice { reason, changed_on, record, previous_code, foreign: false })
    }

    fn identity(&self) -> Result<IdentityInformation, RowFault> {
        let cell = |column: &'static str| {
            self.columns.cell(&self.record, column).ok_or_else(|| missing(column))
        };
        let both = |family: &'static str, given: &'static str| {
            let family = self.columns.cell(&self.record, family);
            let given = self.columns.cell(&self.record, given);
            match (family, given) {
                (Some(family), Some(given)) => Some(format!("{family}\u{3000}{given}")),
                (one, other) => one.or(other).map(str::to_owned),
            }
        };
        let name = both("family_name", "given_name").ok_or_else(|| missing("family_name"))?;
        let kana = both("family_kana", "given_kana").ok_or_else(|| missing("family_kana"))?;
        let characters = "no control or invisible characters, at most 200 characters";
        let sex = cell("sex")?.parse().ok().and_then(|code| Sex::from_code(code).ok());
        Ok(IdentityInformation {
            code: code("record_code", cell("record_code")?)?,
            items: FourItems {
                name: Name::parse(&name).map_err(|_| fault("family_name", "text", characters))?,
                kana: Kana::parse(&kana).map_err(|_| fault("family_kana", "text", characters))?,
                address: Address::parse(cell("address")?)
                    .map_err(|_| fault("address", "text", characters))?,
                sex: sex
                    .ok_or_else(|| fault("sex", "malformed", "1 male, 2 female (JIS X 0303)"))?,
                birth: BirthDate::parse(cell("birth")?).map_err(|_| {
                    fault("birth", "malformed", "a date as 1985-04-01, unknown parts 00")
                })?,
            },
            municipality: LocalGovernmentCode::parse(cell("municipality_code")?).map_err(|_| {
                fault("municipality_code", "malformed", "6 digits with their check digit")
            })?,
            other_names: law::people::OtherNames::default(),
        })
    }
}

impl<R: Read> Iterator for Rows<R> {
    type Item = Result<Row, FileFault>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.reader.read_record(&mut self.record) {
            Ok(false) => None,
            Ok(true) => {
                self.row = self.row.saturating_add(1);
                Some(Ok(self.parse()))
            }
            // The reader stands behind the row: one that is not text is that row's fault alone.
            Err(error) if matches!(error.kind(), csv::ErrorKind::Utf8 { .. }) => {
                self.row = self.row.saturating_add(1);
                let fault = fault("row", "not-utf-8", "write the file in UTF-8");
                Some(Ok(Row::Fault { row: self.row, fault }))
            }
            Err(error) => Some(Err(csv_fault(&error))),
        }
    }
}

fn recorded_since(birth: &BirthDate) -> Result<Date, RowFault> {
    let first = Date::parse(FIRST_OPERATION)
        .map_err(|_| fault("changed_on", "malformed", "give the column changed_on"))?;
    Ok(birth.date().map_or(first, |born| born.max(first)))
}

fn code(column: &'static str, text: &str) -> Result<RecordCode, RowFault> {
    RecordCode::parse(text)
        .map_err(|_| fault(column, "check-digit", "11 digits with the right check digit"))
}

fn missing(column: &'static str) -> RowFault {
    fault(column, "missing", "fill the field in")
}

fn fault(column: &str, rule: &str, remedy: &str) -> RowFault {
    RowFault { column: column.to_owned(), rule: rule.to_owned(), remedy: remedy.to_owned() }
}

fn csv_fault(error: &csv::Error) -> FileFault {
    // The library's own text may quote the row: only its kind is told.
    let problem = match error.kind() {
        csv::ErrorKind::Utf8 { .. } => "not UTF-8",
        csv::ErrorKind::Io(_) => "cannot be read",
        _ => "not CSV",
    };
    let line = error.position().map_or(0, csv::Position::line);
    FileFault::Csv { line, problem: problem.to_owned() }
}
