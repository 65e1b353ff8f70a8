//! The items of a resident record (法7条, 30条の45) as one table, and a record's items as text.
//! Not a record: what belongs together is checked in `record`.

use std::collections::BTreeMap;
use std::fmt;

use super::fault::{Fault, Rule};
use super::record::HouseholdId;
use crate::change::ChangeReason;
use crate::code::RecordCode;
use crate::people::{Address, BirthDate, FormerSurname, Kana, Name, Sex, is_forbidden};
use crate::time::{Date, wareki};

/// Longest free text of an item in characters: no field of a printed record holds more.
const REMARK_LENGTH_CHARS_MAX: usize = 400;
/// Longest history of alternative names in characters: a line for each change, some tens of lines.
const HISTORY_LENGTH_CHARS_MAX: usize = 8_000;
/// The relationship (続柄) of the householder herself.
pub const HOUSEHOLDER: &str = "世帯主";

/// When a copy shows an item (法12条5項, 12条の3, 30条の51).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// 基礎証明事項, and what 令13条 writes into a deleted record: always shown.
    Basic,
    /// Item 4: householder and relationship.
    Relationship,
    /// Item 5.
    Domicile,
    /// Items 9 to 12.
    Entitlements,
    /// Item 13.
    Code,
    /// Item 14: former surname, alternative name, welfare.
    Other,
    /// 国籍等 and the lower column of 30条の45.
    Nationality,
    /// How the register is arranged (法6条1項); no item of the record.
    Arrangement,
}

/// Whose record has an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    Everyone,
    Japanese,
    Foreign,
}

/// How an item's text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Name,
    Kana,
    Surname,
    Address,
    Birth,
    Sex,
    Date,
    /// `2020-04-01` or `2020-04-01/2023-03-31`: acquired, lost.
    Span,
    /// The same with months, `2020-04/2023-03`.
    Months,
    Flag,
    Code,
    Remark,
    Household,
    PensionKind,
    PensionNumber,
    Status,
    CardNumber,
    Reason,
    History,
}

/// Makes the items from their table, so that a row is an item and nothing else is.
macro_rules! items {
    ($($item:ident: $key:literal, $label:literal, $form:ident, $group:ident, $whose:ident;)*) => {
        /// One item of the record.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Item {
            $($item,)*
        }

        impl Item {
            pub const ALL: [Self; 40] = [$(Self::$item,)*];

            const fn row(self) -> (&'static str, &'static str, Form, Group, Whose) {
                match self {
                    $(Self::$item => ($key, $label, Form::$form, Group::$group, Whose::$whose),)*
                }
            }
        }
    };
}

// Key, name on a copy, form, group of the copy, whose. The individual number (個人番号, 8の2) is no
// row: this register keeps none.
items! {
    // 1, 1の2, and 旧氏 of 令30条の13.
    Name: "name", "氏名", Name, Basic, Everyone;
    Kana: "kana", "氏名の振り仮名", Kana, Basic, Everyone;
    FormerSurname: "former_surname", "旧氏", Surname, Other, Japanese;
    FormerSurnameKana: "former_surname_kana", "旧氏の振り仮名", Kana, Other, Japanese;
    // 令30条の26.
    AlternativeName: "alternative_name", "通称", Name, Other, Foreign;
    AlternativeKana: "alternative_kana", "通称の振り仮名", Kana, Other, Foreign;
    Birth: "birth", "出生の年月日", Birth, Basic, Everyone;
    Sex: "sex", "男女の別", Sex, Basic, Everyone;
    Household: "household", "世帯", Household, Arrangement, Everyone;
    Relationship: "relationship", "続柄", Remark, Relationship, Everyone;
    // 5: 「none」 and 「unknown」 stand for 本籍なし and 本籍不明.
    Domicile: "domicile", "本籍", Remark, Domicile, Japanese;
    DomicileHead: "domicile_head", "筆頭者", Remark, Domicile, Japanese;
    Nationality: "nationality", "国籍・地域", Remark, Nationality, Foreign;
    ResidentSince: "resident_since", "住民となつた年月日", Date, Basic, Japanese;
    ForeignSince: "foreign_since", "外国人住民となつた年月日", Date, Basic, Foreign;
    Address: "address", "住所", Address, Basic, Everyone;
    AddressSince: "address_since", "住所を定めた年月日", Date, Basic, Everyone;
    FiledOn: "filed_on", "届出の年月日", Date, Basic, Everyone;
    FormerAddress: "former_address", "従前の住所", Address, Basic, Everyone;
    Voter: "voter", "選挙人名簿", Flag, Entitlements, Japanese;
    HealthInsurance: "health_insurance", "国民健康保険", Span, Entitlements, Everyone;
    ElderlyCare: "elderly_care", "後期高齢者医療", Span, Entitlements, Everyone;
    LongTermCare: "long_term_care", "介護保険", Span, Entitlements, Everyone;
    // 11 (令5条).
    Pension: "pension", "国民年金", Span, Entitlements, Everyone;
    PensionKind: "pension_kind", "年金種別", PensionKind, Entitlements, Everyone;
    PensionKindSince: "pension_kind_since", "種別変更年月日", Date, Entitlements, Everyone;
    PensionNumber: "pension_number", "基礎年金番号", PensionNumber, Entitlements, Everyone;
    ChildAllowance: "child_allowance", "児童手当", Months, Entitlements, Everyone;
    Rice: "rice", "米穀配給", Remark, Entitlements, Everyone;
    Code: "code", "住民票コード", Code, Code, Everyone;
    // 14 (令6条の2), and 令30条の27.
    Welfare: "welfare", "福祉の増進に資する事項", Remark, Other, Everyone;
    AlternativeHistory: "alternative_history", "通称の記載及び削除に関する事項", History, Other, Foreign;
    Status: "status", "区分", Status, Nationality, Foreign;
    ResidenceStatus: "residence_status", "在留資格", Remark, Nationality, Foreign;
    ResidencePeriod: "residence_period", "在留期間等", Remark, Nationality, Foreign;
    ResidenceExpires: "residence_expires", "在留期間の満了の日", Date, Nationality, Foreign;
    CardNumber: "card_number", "在留カード等の番号", CardNumber, Nationality, Foreign;
    // 令13条.
    DeletedBy: "deleted_by", "消除の事由", Reason, Basic, Everyone;
    DeletedOn: "deleted_on", "消除の年月日", Date, Basic, Everyone;
    Destination: "destination", "転出先", Address, Basic, Everyone;
}

impl Item {
    #[must_use]
    pub const fn key(self) -> &'static str {
        self.row().0
    }

    #[must_use]
    pub fn parse_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|item| item.key() == key)
    }

    /// As a copy of the record calls it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        self.row().1
    }

    #[must_use]
    pub const fn group(self) -> Group {
        self.row().3
    }

    pub(super) const fn whose(self) -> Whose {
        self.row().4
    }

    /// The item's text as the register keeps it.
    pub(super) fn written(self, text: &str) -> Result<String, Fault> {
        let kept = match self.row().2 {
            Form::Name => Name::parse(text).ok().map(|each| each.expose().to_owned()),
            Form::Kana => Kana::parse(text).ok().map(|each| each.expose().to_owned()),
            Form::Surname => FormerSurname::parse(text).ok().map(|each| each.expose().to_owned()),
            Form::Address => Address::parse(text).ok().map(|each| each.expose().to_owned()),
            Form::Birth => BirthDate::parse(text).ok().map(|each| each.expose()),
            Form::Sex => sex(text).map(|each| each.code().to_string()),
            Form::Date => Date::parse(text).ok().map(|each| each.to_string()),
            Form::Span => span(text, Date::parse).map(|_| text.to_owned()),
            Form::Months => span(text, month).map(|_| text.to_owned()),
            Form::Flag => (text == "yes").then(|| text.to_owned()),
            Form::Code => RecordCode::parse(text).ok().map(|each| each.expose().to_owned()),
            Form::Remark => remark(text, REMARK_LENGTH_CHARS_MAX),
            Form::Household => HouseholdId::parse(text).map(|each| each.as_str().to_owned()),
            Form::PensionKind => ["1", "voluntary"].contains(&text).then(|| text.to_owned()),
            Form::PensionNumber => digits(text, 10),
            Form::Status => STATUSES.iter().find(|row| row.0 == text).map(|row| row.0.to_owned()),
            Form::CardNumber => card_number(text),
            Form::Reason => ChangeReason::parse_key(text).map(|each| each.key().to_owned()),
            Form::History => {
                let lines = text.split(['\n', '\t']).all(|part| !part.chars().any(is_forbidden));
                (lines && text.chars().count() <= HISTORY_LENGTH_CHARS_MAX).then(|| text.to_owned())
            }
        };
        kept.ok_or_else(|| Fault::new(self.key(), Rule::Malformed))
    }

    /// The item's text as a copy prints it: dates in the Japanese calendar, keys as words.
    pub(super) fn printed(self, text: &str) -> String {
        let day = |iso: &str| Date::parse(iso).map_or_else(|_| iso.to_owned(), |on| wareki(&on));
        match self.row().2 {
            Form::Birth => BirthDate::parse(text).map_or_else(|_| text.to_owned(), |b| b.wareki()),
            Form::Sex => sex(text).map_or_else(String::new, |sex| sex.expose().to_owned()),
            Form::Date => day(text),
            Form::Span => match text.split_once('/') {
                Some((from, to)) => format!("{}取得　{}喪失", day(from), day(to)),
                None => format!("{}取得", day(text)),
            },
            Form::Months => match text.split_once('/') {
                Some((from, to)) => format!("{from}開始　{to}終了"),
                None => format!("{text}開始"),
            },
            Form::Flag => "登録".to_owned(),
            Form::PensionKind if text == "1" => "第一号被保険者".to_owned(),
            Form::PensionKind => "任意加入被保険者".to_owned(),
            Form::Status => {
                STATUSES.iter().find(|row| row.0 == text).map_or("", |row| row.1).to_owned()
            }
            Form::Reason => {
                ChangeReason::parse_key(text).map_or("", ChangeReason::japanese).to_owned()
            }
            Form::Remark if self == Self::Domicile && text == "none" => "本籍なし".to_owned(),
            Form::Remark if self == Self::Domicile && text == "unknown" => "本籍不明".to_owned(),
            Form::History => text.replace(['\n', '\t'], "　"),
            _ => text.to_owned(),
        }
    }
}

/// The upper column of 30条の45, and which items of the lower column each has.
pub(super) const STATUSES: [(&str, &str, &[Item]); 6] = [
    (
        "mid-long-term",
        "中長期在留者",
        &[Item::ResidenceStatus, Item::ResidencePeriod, Item::ResidenceExpires, Item::CardNumber],
    ),
    ("special-permanent", "特別永住者", &[Item::CardNumber]),
    ("temporary-refuge", "一時庇護許可者", &[Item::ResidencePeriod]),
    ("provisional-stay", "仮滞在許可者", &[Item::ResidencePeriod]),
    ("transitional-birth", "出生による経過滞在者", &[]),
    ("transitional-loss", "国籍喪失による経過滞在者", &[]),
];

/// Items of the lower column, whichever the status.
pub(super) const LOWER_COLUMN: [Item; 4] =
    [Item::ResidenceStatus, Item::ResidencePeriod, Item::ResidenceExpires, Item::CardNumber];

fn sex(text: &str) -> Option<Sex> {
    text.parse().ok().and_then(|code| Sex::from_code(code).ok())
}

fn remark(text: &str, max: usize) -> Option<String> {
    let text = text.trim();
    let fits = !text.is_empty() && text.chars().take(max + 1).count() <= max;
    (fits && !text.chars().any(is_forbidden)).then(|| text.to_owned())
}

fn digits(text: &str, count: usize) -> Option<String> {
    let kept = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    kept.then(|| text.to_owned())
}

/// Two letters, eight digits, two letters. UNCERTAIN: the form is published, no text was read.
fn card_number(text: &str) -> Option<String> {
    let kind = |at: usize, byte: u8| match at {
        0 | 1 | 10 | 11 => byte.is_ascii_uppercase(),
        _ => byte.is_ascii_digit(),
    };
    let fits = text.len() == 12 && text.bytes().enumerate().all(|(at, byte)| kind(at, byte));
    fits.then(|| text.to_owned())
}

fn span<T: PartialOrd, E>(text: &str, parse: impl Fn(&str) -> Result<T, E>) -> Option<()> {
    match text.split_once('/') {
        None => parse(text).ok().map(|_| ()),
        Some((from, to)) => {
            let (from, to) = (parse(from).ok()?, parse(to).ok()?);
            (from <= to).then_some(())
        }
    }
}

fn month(text: &str) -> Result<Date, crate::time::DateError> {
    Date::parse(&format!("{text}-01"))
}

/// A record's items as text, or the items a filing gives. An empty text takes an item away.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Sheet(BTreeMap<Item, String>);

impl Sheet {
    /// Puts an item, unchecked: [`super::ResidentRecord::parse`] checks a whole sheet.
    pub fn put(&mut self, item: Item, text: impl Into<String>) {
        self.0.insert(item, text.into());
    }

    /// The same, as long as the item has no text yet.
    pub fn put_default(&mut self, item: Item, text: impl Into<String>) {
        self.0.entry(item).or_insert_with(|| text.into());
    }

    pub(super) fn take_away(&mut self, item: Item) {
        self.0.remove(&item);
    }

    /// This sheet with what another says: its texts, and without what it leaves empty.
    pub(super) fn with(&self, edits: &Self) -> Self {
        let mut sheet = self.clone();
        for (item, text) in &edits.0 {
            if text.is_empty() {
                sheet.0.remove(item);
            } else {
                sheet.0.insert(*item, text.clone());
            }
        }
        sheet
    }

    #[must_use]
    pub fn has(&self, item: Item) -> bool {
        self.0.get(&item).is_some_and(|text| !text.is_empty())
    }

    /// Which items are given, not what they say.
    pub fn items(&self) -> impl Iterator<Item = Item> + '_ {
        self.0.keys().copied()
    }

    /// An item's text. Every use of this name is a place where a record becomes text.
    #[must_use]
    pub fn expose_item(&self, item: Item) -> Option<&str> {
        self.0.get(&item).map(String::as_str)
    }

    /// All texts, in the order of the items.
    pub fn expose_items(&self) -> impl Iterator<Item = (Item, &str)> + '_ {
        self.0.iter().map(|(item, text)| (*item, text.as_str()))
    }
}

impl fmt::Debug for Sheet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sheet(…)")
    }
}
