//! An event of somebody's life, as a row of the events' file and, where the network hears of it, as
//! the change notice it would be.

use law::change::{ChangeNotice, ChangeReason};
use law::code::{LocalGovernmentCode, RecordCode};
use law::people::{
    Address, BirthDate, FourItems, IdentityInformation, ItemError, Kana, Name, OtherNames,
};
use law::time::Date;
use serde_json::{Map, Value};

use crate::population::Resident;

/// Header of the events' CSV: when and what, then the columns of a change notice.
pub const EVENTS_HEADER: &str = "date,event,from,to,record_code,family_name,given_name,\
family_kana,given_kana,sex,birth,municipality_code,address,household_id,relationship,nationality,\
alternative_name,sequence,reason,changed_on,previous_code,former_municipality_code,foreign";

/// Stands for a municipality where somebody comes from or goes to another country.
pub const ABROAD: &str = "abroad";

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    Born,
    Died,
    Married,
    Divorced,
    NameChanged,
    MovedWithin,
    MovedOut,
    MovedIn,
    MovedOutAbroad,
    MovedInFromAbroad,
    CodeChanged,
    CardLost,
    ProtectionBegins,
    ProtectionEnds,
}

impl EventKind {
    pub const ALL: [Self; 14] = [
        Self::Born,
        Self::Died,
        Self::Married,
        Self::Divorced,
        Self::NameChanged,
        Self::MovedWithin,
        Self::MovedOut,
        Self::MovedIn,
        Self::MovedOutAbroad,
        Self::MovedInFromAbroad,
        Self::CodeChanged,
        Self::CardLost,
        Self::ProtectionBegins,
        Self::ProtectionEnds,
    ];

    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Born => "born",
            Self::Died => "died",
            Self::Married => "married",
            Self::Divorced => "divorced",
            Self::NameChanged => "name-changed",
            Self::MovedWithin => "moved-within",
            Self::MovedOut => "moved-out",
            Self::MovedIn => "moved-in",
            Self::MovedOutAbroad => "moved-out-abroad",
            Self::MovedInFromAbroad => "moved-in-from-abroad",
            Self::CodeChanged => "code-changed",
            Self::CardLost => "card-lost",
            Self::ProtectionBegins => "protection-begins",
            Self::ProtectionEnds => "protection-ends",
        }
    }

    /// The reason for change that the network is told (規則11条); `None` for what stays with the
    /// municipality. A change of name follows the family register and is corrected ex officio.
    #[must_use]
    pub const fn reason(self, today: bool) -> Option<ChangeReason> {
        Some(match self {
            Self::Born => ChangeReason::Born,
            Self::Died => ChangeReason::Died,
            Self::NameChanged => ChangeReason::CorrectedExOfficio,
            Self::MovedWithin => ChangeReason::MovedWithin,
            Self::MovedOut => ChangeReason::MovedOut,
            Self::MovedOutAbroad if !today => ChangeReason::MovedOut,
            Self::MovedOutAbroad => ChangeReason::MovedOutAbroad,
            Self::MovedIn => ChangeReason::MovedIn,
            Self::MovedInFromAbroad if !today => ChangeReason::MovedIn,
            Self::MovedInFromAbroad => ChangeReason::MovedInFromAbroad,
            Self::CodeChanged => ChangeReason::CodeChangedOnRequest,
            Self::Married
            | Self::Divorced
            | Self::CardLost
            | Self::ProtectionBegins
            | Self::ProtectionEnds => return None,
        })
    }
}

/// One event about one resident. For what ends a record, the values that stood.
#[derive(Clone, Copy)]
pub struct Event<'a> {
    pub date: Date,
    pub kind: EventKind,
    /// Municipality before; empty where there is none, [`ABROAD`] from another country.
    pub from: &'a str,
    /// Municipality after.
    pub to: &'a str,
    pub resident: Resident<'a>,
    pub reason: Option<ChangeReason>,
    pub previous_code: Option<RecordCode>,
    /// Number of the notice at its municipality; 0 where there is none.
    pub sequence: u64,
}

impl std::fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Event({}, {}, …)", self.date, self.kind.key())
    }
}

impl Event<'_> {
    /// Appends one row of the events' CSV.
    pub fn write_csv(&self, text: &mut String) {
        let mut first = true;
        self.cells(&mut |cell| {
            if !first {
                text.push(',');
            }
            first = false;
            text.push_str(cell);
        });
        text.push('\n');
    }

    /// Appends one line of JSON: the same cells by name, without the empty ones.
    pub fn write_json(&self, text: &mut String) {
        let mut names = EVENTS_HEADER.split(',');
        let mut map = Map::new();
        self.cells(&mut |cell| {
            if let Some(name) = names.next()
                && !cell.is_empty()
            {
                map.insert(name.to_owned(), Value::from(cell));
            }
        });
        text.push_str(&Value::Object(map).to_string());
        text.push('\n');
    }

    /// The cells in the order of the header.
    fn cells(&self, out: &mut dyn FnMut(&str)) {
        let resident = &self.resident;
        let date = self.date.to_string();
        for cell in [&date, self.kind.key(), self.from, self.to] {
            out(cell);
        }
        let mut row = String::new();
        resident.write_csv(&mut row);
        row.trim_end_matches('\n').split(',').for_each(&mut *out);
        let Some(reason) = self.reason else {
            return [""; 6].into_iter().for_each(out);
        };
        out(&self.sequence.to_string());
        out(reason.key());
        out(&date);
        out(self.previous_code.as_ref().map_or("", RecordCode::expose));
        out(if self.kind == EventKind::MovedIn { self.from } else { "" });
        out(if resident.nationality.is_empty() { "" } else { "1" });
    }

    /// The notice that the municipality sends, as the law has it.
    ///
    /// # Errors
    /// An item that the register could not hold; none is made.
    pub fn notice(&self) -> Result<Option<ChangeNotice>, ItemError> {
        let Some(reason) = self.reason else { return Ok(None) };
        let resident = &self.resident;
        let both = |family: &str, given: &str| format!("{family}\u{3000}{given}");
        let wrong = ItemError::Character { field: "municipality" };
        let alternative = resident.alternative_name.map(|(f, g)| Name::parse(&both(f, g)));
        Ok(Some(ChangeNotice {
            reason,
            changed_on: self.date,
            record: IdentityInformation {
                code: *resident.record_code,
                items: FourItems {
                    name: Name::parse(&both(resident.family_name, resident.given_name))?,
                    kana: Kana::parse(&both(resident.family_kana, resident.given_kana))?,
                    address: Address::parse(resident.address)?,
                    sex: resident.sex,
                    birth: BirthDate::parse(resident.birth)?,
                },
                municipality: LocalGovernmentCode::parse(resident.municipality_code)
                    .map_err(|_| wrong)?,
                other_names: OtherNames {
                    alternative: alternative.transpose()?,
                    former_surname: None,
                },
            },
            previous_code: self.previous_code,
            foreign: !resident.nationality.is_empty(),
        }))
    }
}
