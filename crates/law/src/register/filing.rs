//! What changes a record: filings of residents (届出, 法22条-25条) and acts ex officio (職権, 令12条).
//! Only what they say; what follows from it is `apply`'s.

use std::fmt;

use super::item::{Item, Sheet};
use super::record::HouseholdId;
use crate::code::{LocalGovernmentCode, RecordCode};
use crate::people::Address;
use crate::time::Date;

/// Persons in one filing: one household files together (法26条), institutions person by person.
pub const FILING_PERSONS_COUNT_MAX: usize = 50;
/// Longest reception number of a filing.
const NUMBER_LENGTH_BYTES_MAX: usize = 64;

/// Reception number (受付番号): the same number again is the same filing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FilingNumber(String);

impl FilingNumber {
    /// Printable ASCII without spaces.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=NUMBER_LENGTH_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One filing or act, received under one number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filing {
    pub number: FilingNumber,
    /// 届出の年月日; of an act ex officio, the day of the act.
    pub filed_on: Date,
    pub act: Act,
}

/// Where a new record's code comes from (法30条の2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeOrigin {
    /// Written before by the last municipality, and carried over (1項).
    Carried,
    /// Unused, from the own pool: a first record, or the last code is unknown (2項; 令30条の2).
    Fresh,
}

/// Someone who gets a record: her items, code and household among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newcomer {
    pub code: CodeOrigin,
    pub items: Sheet,
}

/// Someone whose record changes; an empty text takes an item away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    pub code: RecordCode,
    pub items: Sheet,
}

/// Where someone moved in from.
#[derive(Clone, PartialEq, Eq)]
pub enum Origin {
    /// 法22条; the municipality when it is known by its code.
    Domestic { address: Address, municipality: Option<LocalGovernmentCode> },
    /// 法22条 for Japanese, 30条の46 for foreign residents.
    Abroad { place: Address },
    /// 30条の47: lived here already, and came under the Act on this day.
    NewStatus,
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Origin(…)")
    }
}

/// The seven kinds of 軽微な修正 (規則21条の2, 27条の2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MinorKind {
    /// 常用平易な文字への変更
    PlainCharacter,
    /// 文字の同定
    CharacterIdentified,
    /// 行政区画・町字名の変更
    DistrictName,
    /// 地番の変更
    LotNumber,
    /// 住居表示の実施・変更
    ResidenceIndication,
    /// 建物名・賃貸人の変更
    BuildingName,
    /// 総務大臣が適当と認めるもの
    Recognised,
}

impl MinorKind {
    pub const ALL: [Self; 7] = [
        Self::PlainCharacter,
        Self::CharacterIdentified,
        Self::DistrictName,
        Self::LotNumber,
        Self::ResidenceIndication,
        Self::BuildingName,
        Self::Recognised,
    ];

    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::PlainCharacter => "plain-character",
            Self::CharacterIdentified => "character-identified",
            Self::DistrictName => "district-name",
            Self::LotNumber => "lot-number",
            Self::ResidenceIndication => "residence-indication",
            Self::BuildingName => "building-name",
            Self::Recognised => "recognised",
        }
    }

    #[must_use]
    pub fn parse_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.key() == key)
    }

    /// Items that a correction of this kind may touch.
    pub(super) const fn items(self) -> &'static [Item] {
        match self {
            Self::PlainCharacter | Self::CharacterIdentified => {
                &[Item::Name, Item::FormerSurname, Item::AlternativeName]
            }
            Self::DistrictName
            | Self::LotNumber
            | Self::ResidenceIndication
            | Self::BuildingName => &[Item::Address],
            Self::Recognised => &[
                Item::Name,
                Item::FormerSurname,
                Item::AlternativeName,
                Item::Kana,
                Item::Birth,
                Item::Sex,
                Item::Address,
            ],
        }
    }
}

/// What is filed or done.
#[derive(Clone, PartialEq, Eq)]
pub enum Act {
    /// 転入届 (法22条, 30条の46, 30条の47)
    MovingIn { moved_on: Date, from: Origin, persons: Vec<Newcomer> },
    /// 転居届 (法23条): address, household and relationships
    MovingWithin { moved_on: Date, persons: Vec<Edit> },
    /// 転出届 (法24条); the planned date
    MovingOut { leaving_on: Date, to: Address, abroad: bool, persons: Vec<RecordCode> },
    /// 出生届 or a notice of 9条2項; the day is the date of birth
    Birth { person: Newcomer },
    /// 死亡届 or a notice of 9条2項
    Death { died_on: Date, person: RecordCode },
    /// 世帯変更届 (法25条, 30条の48): household and relationships
    HouseholdChange { changed_on: Date, persons: Vec<Edit> },
    /// 職権記載 (令12条)
    Entry { on: Date, persons: Vec<Newcomer> },
    /// 職権消除 (令12条)
    Deletion { on: Date, person: RecordCode },
    /// 職権修正 (令9条, 12条): any item but code, nationality and alternative name
    Correction { on: Date, person: Edit },
    /// 軽微な修正 (規則11条3項二号)
    MinorCorrection { on: Date, kind: MinorKind, person: Edit },
    /// 住民票コードの記載の変更請求 (法30条の3)
    CodeChange { on: Date, person: RecordCode, new_code: RecordCode },
    /// 住民票コードに係る誤記又は記載漏れ (令30条の4)
    CodeCorrection { on: Date, person: RecordCode, new_code: RecordCode },
    /// 法務大臣からの通知 (法30条の50)
    ImmigrationNotice { on: Date, person: Edit },
    /// 通称の記載又は削除 (令30条の26): the name and its reading, or neither
    AlternativeName { on: Date, person: RecordCode, name: Option<Sheet> },
    /// 日本の国籍の取得又は喪失 (令8条の2): the items of the new record that the old one has not
    NationalityChange { on: Date, person: Edit },
    /// A planned moving-out (法24条) taken back before its day
    MovingOutWithdrawn { on: Date, persons: Vec<Edit> },
}

impl fmt::Debug for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Act({})", self.key())
    }
}

impl Act {
    #[must_use]
    pub const fn key(&self) -> &'static str {
        match self {
            Self::MovingIn { .. } => "moving-in",
            Self::MovingWithin { .. } => "moving-within",
            Self::MovingOut { .. } => "moving-out",
            Self::Birth { .. } => "birth",
            Self::Death { .. } => "death",
            Self::HouseholdChange { .. } => "household-change",
            Self::Entry { .. } => "entry",
            Self::Deletion { .. } => "deletion",
            Self::Correction { .. } => "correction",
            Self::MinorCorrection { .. } => "minor-correction",
            Self::CodeChange { .. } => "code-change",
            Self::CodeCorrection { .. } => "code-correction",
            Self::ImmigrationNotice { .. } => "immigration-notice",
            Self::AlternativeName { .. } => "alternative-name",
            Self::NationalityChange { .. } => "nationality-change",
            Self::MovingOutWithdrawn { .. } => "moving-out-withdrawn",
        }
    }

    fn newcomers(&self) -> &[Newcomer] {
        match self {
            Self::MovingIn { persons, .. } | Self::Entry { persons, .. } => persons,
            Self::Birth { person } => std::slice::from_ref(person),
            _ => &[],
        }
    }

    fn edits(&self) -> &[Edit] {
        match self {
            Self::MovingWithin { persons, .. }
            | Self::HouseholdChange { persons, .. }
            | Self::MovingOutWithdrawn { persons, .. } => persons,
            Self::Correction { person, .. }
            | Self::MinorCorrection { person, .. }
            | Self::ImmigrationNotice { person, .. }
            | Self::NationalityChange { person, .. } => std::slice::from_ref(person),
            _ => &[],
        }
    }

    /// The codes of the persons this is about, new ones included, in its order.
    #[must_use]
    pub fn persons(&self) -> Vec<RecordCode> {
        let new = self
            .newcomers()
            .iter()
            .filter_map(|each| RecordCode::parse(each.items.expose_item(Item::Code)?).ok());
        let mut codes: Vec<RecordCode> =
            new.chain(self.edits().iter().map(|each| each.code)).collect();
        match self {
            Self::MovingOut { persons, .. } => codes.extend(persons),
            Self::Death { person, .. }
            | Self::Deletion { person, .. }
            | Self::CodeChange { person, .. }
            | Self::CodeCorrection { person, .. }
            | Self::AlternativeName { person, .. } => codes.push(*person),
            _ => {}
        }
        codes
    }

    /// Every code in it, also those to be written: what [`super::Residents`] must know about.
    #[must_use]
    pub fn codes(&self) -> Vec<RecordCode> {
        let mut codes = self.persons();
        if let Self::CodeChange { new_code, .. } | Self::CodeCorrection { new_code, .. } = self {
            codes.push(*new_code);
        }
        codes
    }

    /// Households it names: their members belong into [`super::Residents`] too.
    #[must_use]
    pub fn households(&self) -> Vec<HouseholdId> {
        let sheets = self.newcomers().iter().map(|each| &each.items);
        let sheets = sheets.chain(self.edits().iter().map(|each| &each.items));
        sheets.filter_map(|s| HouseholdId::parse(s.expose_item(Item::Household)?)).collect()
    }
}
