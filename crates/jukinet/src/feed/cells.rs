//! One row by the names of its cells becomes one notice, or the fault of one cell. The same for a
//! line of CSV and for a row of the vendor gateway. Not where rows are compared with each other.

use law::change::{ChangeNotice, ChangeReason};
use law::character::CharacterTable;
use law::code::{LocalGovernmentCode, RecordCode};
use law::people::{
    Address, BirthDate, FormerSurname, FourItems, IdentityInformation, ItemError, Kana, Name,
    OtherNames, Sex,
};
use law::time::Date;
use wire::FeedRow;

/// Columns that every row has.
pub const NEEDED: [&str; 9] = [
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
/// Columns that a row may have, with what they stand for.
pub const OPTIONAL: [&str; 4] =
    ["former_municipality_code", "alternative_name", "former_surname", "foreign"];
/// Columns of a file of changes. Without `reason` the file is a list of residents.
pub const CHANGES: [&str; 4] = ["sequence", "reason", "changed_on", "previous_code"];
/// Residents listed without a change were recorded at the first operation of the network
/// (一次稼働, 2002-08-05), or were born later.
const FIRST_OPERATION: &str = "2002-08-05";

/// Why one row is not a notice. Never holds a value of the row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowFault {
    pub column: String,
    pub rule: String,
    pub remedy: String,
}

impl RowFault {
    pub(crate) fn new(column: &str, rule: &str, remedy: &str) -> Self {
        Self { column: column.to_owned(), rule: rule.to_owned(), remedy: remedy.to_owned() }
    }

    fn missing(column: &'static str) -> Self {
        Self::new(column, "missing", "fill the field in")
    }
}

/// A row whose cells are found by name; an empty cell is none.
pub(crate) trait Cells {
    fn cell(&self, column: &str) -> Option<&str>;
}

/// How rows are read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading<'t> {
    /// A list of residents: rows without a reason enter what stands.
    pub(crate) list: bool,
    /// The set in which records are exchanged, where the office has the table.
    pub(crate) characters: Option<&'t CharacterTable>,
}

impl Reading<'_> {
    /// The row numbered `row` of its file or batch.
    pub(crate) fn row(self, row: u32, cells: &dyn Cells) -> Result<FeedRow, RowFault> {
        let notice = self.notice(cells)?;
        let sequence = match cells.cell("sequence") {
            None => None,
            Some(text) => match text.parse() {
                Ok(sequence) if sequence > 0 => Some(sequence),
                _ => {
                    return Err(RowFault::new("sequence", "malformed", "a whole number from 1"));
                }
            },
        };
        let former_municipality = former_municipality(cells, notice.reason)?;
        Ok(FeedRow { row, sequence, notice, former_municipality })
    }

    fn notice(self, cells: &dyn Cells) -> Result<ChangeNotice, RowFault> {
        let record = self.identity(cells)?;
        let reason = match cells.cell("reason") {
            None if self.list => ChangeReason::EnteredExOfficio,
            None => return Err(RowFault::missing("reason")),
            Some(key) => ChangeReason::parse_key(key).ok_or_else(|| {
                RowFault::new("reason", "unknown", "one of the reasons, as moved-in or born")
            })?,
        };
        let changed_on = match cells.cell("changed_on") {
            Some(text) => Date::parse(text)
                .map_err(|_| RowFault::new("changed_on", "malformed", "a date as 2026-11-22"))?,
            None if self.list => recorded_since(&record.items.birth)?,
            None => return Err(RowFault::missing("changed_on")),
        };
        let previous_code = match cells.cell("previous_code") {
            None => None,
            Some(text) => Some(code("previous_code", text)?),
        };
        let foreign = match cells.cell("foreign") {
            None | Some("0") => false,
            Some("1") => true,
            Some(_) => {
                let remedy = "1 for a foreign resident, else 0 or empty";
                return Err(RowFault::new("foreign", "malformed", remedy));
            }
        };
        Ok(ChangeNotice { reason, changed_on, record, previous_code, foreign })
    }

    fn identity(self, cells: &dyn Cells) -> Result<IdentityInformation, RowFault> {
        let cell =
            |column: &'static str| cells.cell(column).ok_or_else(|| RowFault::missing(column));
        let name =
            self.item("family_name", &joined(cells, "family_name", "given_name")?, Name::parse)?;
        let kana =
            self.item("family_kana", &joined(cells, "family_kana", "given_kana")?, Kana::parse)?;
        let sex = cell("sex")?.parse().ok().and_then(|code| Sex::from_code(code).ok());
        let other = |column, parse| match cells.cell(column) {
            None => Ok(None),
            Some(text) => self.item(column, text, parse).map(Some),
        };
        let former_surname = match cells.cell("former_surname") {
            None => None,
            Some(text) => Some(self.item("former_surname", text, FormerSurname::parse)?),
        };
        Ok(IdentityInformation {
            code: code("record_code", cell("record_code")?)?,
            items: FourItems {
                name,
                kana,
                address: self.item("address", cell("address")?, Address::parse)?,
                sex: sex.ok_or_else(|| {
                    RowFault::new("sex", "malformed", "1 male, 2 female (JIS X 0303)")
                })?,
                birth: BirthDate::parse(cell("birth")?).map_err(|_| {
                    RowFault::new("birth", "malformed", "a date as 1985-04-01, unknown parts 00")
                })?,
            },
            municipality: municipality("municipality_code", cell("municipality_code")?)?,
            other_names: OtherNames {
                alternative: other("alternative_name", Name::parse)?,
                former_surname,
            },
        })
    }

    /// A text as an item, in characters of the set where its table is at hand.
    fn item<T>(
        self,
        column: &'static str,
        text: &str,
        parse: impl FnOnce(&str) -> Result<T, ItemError>,
    ) -> Result<T, RowFault> {
        if text.chars().any(is_private) {
            let remedy =
                "a character of the office's own (外字) cannot travel: use its unified one";
            return Err(RowFault::new(column, "unknown-character", remedy));
        }
        let item = parse(text).map_err(|_| {
            let remedy = "no control or invisible characters, at most 200 characters";
            RowFault::new(column, "text", remedy)
        })?;
        if let Some(error) = self.characters.and_then(|table| table.check(text).err()) {
            let remedy = format!("{error}; use a Juki-net unified character");
            return Err(RowFault::new(column, "unknown-character", &remedy));
        }
        Ok(item)
    }
}

fn is_private(c: char) -> bool {
    matches!(u32::from(c), 0xE000..=0xF8FF | 0xF_0000..)
}

fn joined(
    cells: &dyn Cells,
    family: &'static str,
    given: &'static str,
) -> Result<String, RowFault> {
    match (cells.cell(family), cells.cell(given)) {
        (Some(family), Some(given)) => Ok(format!("{family}\u{3000}{given}")),
        (one, other) => one.or(other).map(str::to_owned).ok_or_else(|| RowFault::missing(family)),
    }
}

fn former_municipality(
    cells: &dyn Cells,
    reason: ChangeReason,
) -> Result<Option<LocalGovernmentCode>, RowFault> {
    const COLUMN: &str = "former_municipality_code";
    match cells.cell(COLUMN) {
        None => Ok(None),
        Some(text) if reason == ChangeReason::MovedIn => municipality(COLUMN, text).map(Some),
        Some(_) => Err(RowFault::new(COLUMN, "not-of-this-reason", "give it with moved-in only")),
    }
}

fn municipality(column: &'static str, text: &str) -> Result<LocalGovernmentCode, RowFault> {
    LocalGovernmentCode::parse(text)
        .map_err(|_| RowFault::new(column, "malformed", "6 digits with their check digit"))
}

fn code(column: &'static str, text: &str) -> Result<RecordCode, RowFault> {
    RecordCode::parse(text)
        .map_err(|_| RowFault::new(column, "check-digit", "11 digits with the right check digit"))
}

fn recorded_since(birth: &BirthDate) -> Result<Date, RowFault> {
    let first = Date::parse(FIRST_OPERATION)
        .map_err(|_| RowFault::new("changed_on", "malformed", "give the column changed_on"))?;
    Ok(birth.date().map_or(first, |born| born.max(first)))
}
