//! Change files of the existing resident register system (既存住基システム): rows of CSV become notices
//! of change, or a named fault of one row. What the network does not need is read over and dropped.

mod between;
mod cells;
mod lines;
mod profile;

use std::io::{BufRead, BufReader, Read};

use csv::{ByteRecord, ReaderBuilder};
use law::character::CharacterTable;
use law::code::LocalGovernmentCode;
use wire::FeedRow;

pub(crate) use between::Between;
pub use cells::{CHANGES, NEEDED, OPTIONAL, RowFault};
pub(crate) use cells::{Cells, Reading};
use lines::ShortLines;
pub use profile::Profile;

/// Columns of a register that the network has no use for; allowed, and dropped here.
pub const DROPPED: [&str; 3] = ["household_id", "relationship", "nationality"];

/// Why a file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum FileFault {
    #[error("line {line}: {problem}; the file must be {profile} CSV with a header")]
    Csv { line: u64, problem: &'static str, profile: &'static str },
    #[error("the file is {found}, not {profile}; the file must be UTF-8, or name its --profile")]
    Mark { found: &'static str, profile: &'static str },
    #[error("the header lacks the column {0}")]
    Lacks(&'static str),
    // By its number: in a file without a header the first row would stand here.
    #[error(
        "column {0} of the header is unknown; known are those of the residents' CSV and sequence, \
         reason, changed_on, previous_code, former_municipality_code, former_surname, foreign"
    )]
    Unknown(usize),
    #[error("the header names a column twice ({0})")]
    Twice(String),
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
    fn read(header: &ByteRecord, profile: Profile) -> Result<Self, FileFault> {
        let mut index: Vec<(String, usize)> = Vec::new();
        for (place, name) in header.iter().enumerate() {
            let name = profile.decode(name).unwrap_or_default();
            let name = name.trim();
            let mut known = NEEDED.iter().chain(&OPTIONAL).chain(&DROPPED).chain(&CHANGES);
            if !known.any(|known| *known == name) {
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
}

/// The cells of one line, decoded; what is dropped is not even decoded.
struct Line {
    cells: Vec<(&'static str, String)>,
}

impl Cells for Line {
    fn cell(&self, column: &str) -> Option<&str> {
        let cell = self.cells.iter().find(|(name, _)| *name == column)?;
        Some(cell.1.as_str()).filter(|text| !text.is_empty())
    }
}

/// How a file is read.
#[derive(Clone, Copy, Debug)]
pub struct FileReading<'t> {
    /// Whose residents a list is read for; without one, everybody's (a first load).
    pub own: Option<LocalGovernmentCode>,
    pub profile: Profile,
    /// The set of characters that rows must keep to, where the office has its table.
    pub characters: Option<&'t CharacterTable>,
}

/// A file's rows, one by one: a large file is never held whole.
pub struct Rows<'t, R> {
    reader: csv::Reader<BufReader<ShortLines<R>>>,
    columns: Columns,
    record: ByteRecord,
    between: Between,
    row: u32,
    line: u64,
    how: FileReading<'t>,
}

impl<R> std::fmt::Debug for Rows<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rows(at {})", self.row)
    }
}

impl<'t, R: Read> Rows<'t, R> {
    /// Read the header.
    ///
    /// # Errors
    /// When the file is no CSV, or its columns are not those of a register.
    pub fn open(source: R, how: FileReading<'t>) -> Result<Self, FileFault> {
        let mut source = BufReader::new(ShortLines::new(source));
        let profile = how.profile.name();
        let start = source.fill_buf().map_err(|_| FileFault::Csv {
            line: 1,
            problem: "cannot be read",
            profile,
        })?;
        if let Some(found) = how.profile.contradicted_by(start) {
            return Err(FileFault::Mark { found, profile });
        }
        let mut reader = ReaderBuilder::new().flexible(true).from_reader(source);
        let header = reader.byte_headers().map_err(|error| csv_fault(&error, how.profile))?.clone();
        let columns = Columns::read(&header, how.profile)?;
        let (record, between) = (ByteRecord::new(), Between::default());
        Ok(Self { reader, columns, record, between, row: 1, line: 1, how })
    }

    /// Whether the file is a list of residents: rows that do not depend on their order.
    pub fn is_list(&self) -> bool {
        self.columns.list
    }

    /// The number of the row read last; the header has 1.
    pub fn number(&self) -> u32 {
        self.row
    }

    /// The line at which the row read last begins. More than its number where a quoted field holds
    /// a line end.
    pub fn line(&self) -> u64 {
        self.line
    }

    fn parse(&mut self) -> Row {
        let row = self.row;
        let characters = self.how.characters;
        let reading = Reading { list: self.columns.list, characters };
        let read = self.cells().and_then(|line| reading.row(row, &line));
        if read.is_err() {
            let sequence = self.sequence();
            self.between.pass_over(sequence);
        }
        match read {
            Ok(notice) if self.columns.list && self.is_elsewhere(&notice) => Row::Elsewhere,
            Ok(notice) => match self.between.admit(&notice) {
                Ok(()) => Row::Notice(notice),
                Err(fault) => Row::Fault { row, fault },
            },
            Err(fault) => Row::Fault { row, fault },
        }
    }

    fn is_elsewhere(&self, row: &FeedRow) -> bool {
        self.how.own.is_some_and(|own| row.notice.record.municipality != own)
    }

    /// The number of a row that may be no row otherwise.
    fn sequence(&self) -> Option<u64> {
        if self.record.len() != self.columns.index.len() {
            return None;
        }
        let (_, place) = self.columns.index.iter().find(|(name, _)| name == "sequence")?;
        self.how.profile.decode(self.record.get(*place)?)?.parse().ok()
    }

    fn cells(&self) -> Result<Line, RowFault> {
        let record = &self.record;
        if record.len() != self.columns.index.len() {
            let remedy = "give as many fields as the header has";
            return Err(RowFault::new("row", "field-count", remedy));
        }
        let used = NEEDED.iter().chain(&OPTIONAL).chain(&CHANGES);
        let mut cells = Vec::with_capacity(self.columns.index.len());
        for name in used {
            let Some((_, place)) = self.columns.index.iter().find(|(other, _)| other == name)
            else {
                continue;
            };
            let text = self.how.profile.decode(record.get(*place).unwrap_or_default());
            let text = text.ok_or_else(|| {
                let remedy = match self.how.profile {
                    Profile::Utf8 => "write the file in UTF-8, or name its --profile",
                    Profile::Windows31J => "write the file in Windows-31J, or name its --profile",
                };
                RowFault::new(name, "unknown-character", remedy)
            })?;
            cells.push((*name, text));
        }
        Ok(Line { cells })
    }
}

impl<R: Read> Iterator for Rows<'_, R> {
    type Item = Result<Row, FileFault>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.reader.read_byte_record(&mut self.record) {
            Ok(false) => None,
            Ok(true) => {
                self.row = self.row.saturating_add(1);
                self.line = self.record.position().map_or(0, csv::Position::line);
                Some(Ok(self.parse()))
            }
            Err(error) => Some(Err(csv_fault(&error, self.how.profile))),
        }
    }
}

fn csv_fault(error: &csv::Error, profile: Profile) -> FileFault {
    // The library's own text may quote the row: only its kind is told.
    let problem = match error.kind() {
        csv::ErrorKind::Io(_) => "cannot be read, or a line is too long",
        _ => "not CSV",
    };
    let line = error.position().map_or(0, csv::Position::line);
    FileFault::Csv { line, problem, profile: profile.name() }
}
