//! Why a filing cannot be taken or a copy cannot be given: field, rule, article, remedy.
//! Never a value: a fault is shown at a counter and may be written down.

use thiserror::Error;

use crate::change::NoticeFault;

/// Makes the rules from their table: key, article, remedy.
macro_rules! rules {
    ($($rule:ident: $key:literal, $law:literal, $remedy:literal;)*) => {
        /// The rules of the register, by name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Rule {
            $($rule,)*
        }

        impl Rule {
            const fn row(self) -> (&'static str, &'static str, &'static str) {
                match self {
                    $(Self::$rule => ($key, $law, $remedy),)*
                }
            }
        }
    };
}

rules! {
    Missing: "missing", "法7条", "give the item";
    Malformed: "malformed", "法7条", "write it in the form of docs/registers.md";
    NotOfThisRecord: "not-of-this-record", "法7条, 30条の45",
        "domicile, resident_since and voter are a Japanese resident's; nationality, status and \
            alternative name a foreign resident's, by the kind of status";
    NotOfThisLaw: "not-of-this-law", "令30条の13", "leave the item out; the law of 2013 has none";
    AlreadyRecorded: "already-recorded", "令7条",
        "the person has a record here; file a moving within or a correction";
    NotRecorded: "not-recorded", "法8条", "no current record has this code; compare the notice";
    CodeNotNew: "code-not-new", "法30条の2 2項, 30条の3 3項",
        "take an unused code of the own pool; no code is written twice";
    CodeByCorrection: "code-by-correction", "令30条の4", "use the act code-correction";
    HouseholderMissing: "householder-missing", "法7条4号, 25条",
        "say who is the householder: relationship 世帯主 for one member";
    HouseholderTwice: "householder-twice", "法7条4号", "a household has one householder";
    NotYetHappened: "not-yet-happened", "法22条, 23条, 25条",
        "only a moving-out is filed beforehand; file when it has happened";
    AddressUnchanged: "address-unchanged", "法23条",
        "give the new address, or file a household change";
    AddressElsewhere: "address-elsewhere", "法5条, 24条",
        "the address names another municipality; file a moving-out there";
    NothingChanged: "nothing-changed", "令9条", "the record says so already; file nothing";
    ItemNotAllowed: "item-not-allowed", "規則11条, 法30条の50",
        "this act does not change the item; use the act that does";
    AlreadyLeft: "already-left", "法24条, 令8条",
        "the day of the moving-out has come; file a moving-in or an entry";
    NotForeign: "not-a-foreign-resident", "法30条の45", "only a foreign resident's record has it";
    NationalityByCorrection: "nationality-by-correction", "令8条の2", "use the act nationality-change";
    TooManyPersons: "too-many-persons", "法26条", "file for one household at a time";
    NamedTwice: "named-twice", "法27条", "name each person once";
    OnePersonOnly: "one-person-only", "法30条の2 3項",
        "make one notice for each person, never one for a household";
    CodeToOthers: "code-to-others", "法12条の2, 12条の3 7項",
        "the record code is given to the resident and her household only";
    NoticeImpossible: "notice-impossible", "法30条の5", "compare the dates with the record";
}

impl Rule {
    #[must_use]
    pub const fn key(self) -> &'static str {
        self.row().0
    }

    /// The article behind the rule, numbered as in November 2013.
    #[must_use]
    pub const fn law(self) -> &'static str {
        self.row().1
    }

    #[must_use]
    pub const fn remedy(self) -> &'static str {
        self.row().2
    }
}

/// One rule, broken by one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{field}: {} ({}); {}", .rule.key(), .rule.law(), .rule.remedy())]
pub struct Fault {
    /// The item's key or the filing's field.
    pub field: &'static str,
    pub rule: Rule,
}

impl Fault {
    #[must_use]
    pub const fn new(field: &'static str, rule: Rule) -> Self {
        Self { field, rule }
    }
}

impl From<NoticeFault> for Fault {
    fn from(fault: NoticeFault) -> Self {
        Self::new(fault.column(), Rule::NoticeImpossible)
    }
}
