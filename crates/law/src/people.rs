//! The four items, the identity information and their parts: what the network holds about a person.
//! Not a resident record: household, family register and the rest never leave the municipality.
//!
//! Text is kept as written and never normalised; searching uses the folded form of `fold`.

use std::fmt;

use thiserror::Error;

use crate::code::{LocalGovernmentCode, RecordCode};
use crate::time::{Date, DateError, ERAS, days_in_month, era_of, iso_numbers, wareki, wareki_year};

/// Longest name in characters. The lengths of the real messages are not public; the longest
/// names of foreign residents stay well below this.
pub const NAME_LENGTH_CHARS_MAX: usize = 200;
/// Longest address in characters, building name included.
pub const ADDRESS_LENGTH_CHARS_MAX: usize = 400;
/// Longest former surname (旧氏) in characters: one family name, not a whole one.
pub const FORMER_SURNAME_LENGTH_CHARS_MAX: usize = 100;
/// First year that can stand in a birth date whose day is unknown (明治元年).
const BIRTH_FIRST_YEAR: u16 = 1868;

/// Why a text cannot be an item of the record. Never repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ItemError {
    #[error("{field} is empty; an item without text cannot be recorded")]
    Empty { field: &'static str },
    #[error("{field} is longer than {max} characters; shorten it as the register does")]
    TooLong { field: &'static str, max: usize },
    #[error("{field} holds a control, invisible or undefined character; type it again")]
    Character { field: &'static str },
    #[error("kana holds something else than kana; write the reading in kana")]
    NotKana,
    #[error("sex is neither 1 nor 2; use the code of the register")]
    Sex,
    #[error("birth date is not YYYY-MM-DD with 00 for unknown parts; {0}")]
    Birth(#[from] DateError),
}

/// Characters that no item may hold: control characters, noncharacters, and characters that print
/// nothing or reorder what is printed (two names that look alike must be alike).
#[must_use]
pub fn is_forbidden(c: char) -> bool {
    let u = u32::from(c);
    c.is_control()
        || (0xFDD0..=0xFDEF).contains(&u)
        || u & 0xFFFE == 0xFFFE
        || (0xE000..=0xF8FF).contains(&u)
        || u >= 0xF_0000
        || is_invisible(c)
}

/// Zero-width, joining, filling, direction and tag characters. Variation selectors are not here:
/// they choose the glyph that the person's name is written with.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    matches!(
        u32::from(c),
        0x00AD | 0x034F
            | 0x061C
            | 0x115F..=0x1160
            | 0x17B4..=0x17B5
            | 0x180B..=0x180F
            | 0x200B..=0x200F
            | 0x2028..=0x202E
            | 0x2060..=0x206F
            | 0x2800
            | 0x3164
            | 0xFEFF
            | 0xFFA0
            | 0xFFF0..=0xFFFB
            | 0x1_BCA0..=0x1_BCA3
            | 0x1_D173..=0x1_D17A
            | 0xE_0000..=0xE_00FF
            | 0xE_01F0..=0xE_0FFF
    )
}

fn item_text(field: &'static str, text: &str, max: usize) -> Result<(), ItemError> {
    if text.chars().all(char::is_whitespace) {
        return Err(ItemError::Empty { field });
    }
    if text.chars().take(max + 1).count() > max {
        return Err(ItemError::TooLong { field, max });
    }
    if text.chars().any(is_forbidden) {
        return Err(ItemError::Character { field });
    }
    Ok(())
}

macro_rules! personal_text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash)]
        pub struct $name(String);

        impl $name {
            /// The text as recorded. Every use of this name is a place where it becomes text.
            #[must_use]
            pub fn expose(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    };
}

personal_text! {
    /// Name (氏名): family name, one ideographic space, given name. One part is allowed.
    Name
}

personal_text! {
    /// Reading of the name (氏名の振り仮名) in kana.
    Kana
}

personal_text! {
    /// Address (住所) as the register writes it.
    Address
}

impl Name {
    /// Keeps the text as written, except that the first space between the parts becomes U+3000, the
    /// separator of the register, and spaces around the whole are dropped.
    pub fn parse(text: &str) -> Result<Self, ItemError> {
        item_text("name", text, NAME_LENGTH_CHARS_MAX)?;
        Ok(Self(separate(text.trim())))
    }
}

personal_text! {
    /// Former surname (旧氏).
    FormerSurname
}

impl FormerSurname {
    pub fn parse(text: &str) -> Result<Self, ItemError> {
        item_text("former_surname", text, FORMER_SURNAME_LENGTH_CHARS_MAX)?;
        Ok(Self(text.trim().to_owned()))
    }
}

impl Kana {
    pub fn parse(text: &str) -> Result<Self, ItemError> {
        item_text("kana", text, NAME_LENGTH_CHARS_MAX)?;
        let text = text.trim();
        if text.chars().all(is_kana) { Ok(Self(separate(text))) } else { Err(ItemError::NotKana) }
    }
}

impl Address {
    pub fn parse(text: &str) -> Result<Self, ItemError> {
        item_text("address", text, ADDRESS_LENGTH_CHARS_MAX)?;
        Ok(Self(text.trim().to_owned()))
    }
}

/// A name that has the register's separator already is parted there: family names of several words
/// have ASCII spaces of their own.
fn separate(text: &str) -> String {
    let spaces = [' ', '\u{3000}'];
    match text.split_once('\u{3000}').or_else(|| text.split_once(' ')) {
        Some((family, given)) => {
            let (family, given) =
                (family.trim_end_matches(spaces), given.trim_start_matches(spaces));
            format!("{family}\u{3000}{given}")
        }
        None => text.to_owned(),
    }
}

/// Hiragana, katakana in either width, their marks, spaces, hyphens and middle dots.
fn is_kana(c: char) -> bool {
    matches!(c, ' ' | '\u{3000}' | '-' | '‐' | '−' | '･')
        || matches!(u32::from(c), 0x3041..=0x309F | 0x30A0..=0x30FF | 0x31F0..=0x31FF
            | 0xFF65..=0xFF9F | 0x1_B000..=0x1_B16F)
}

/// Sex (男女の別) with the codes of JIS X 0303.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sex {
    Male,
    Female,
}

impl Sex {
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Male => 1,
            Self::Female => 2,
        }
    }

    pub fn from_code(code: u8) -> Result<Self, ItemError> {
        match code {
            1 => Ok(Self::Male),
            2 => Ok(Self::Female),
            _ => Err(ItemError::Sex),
        }
    }

    /// 男 or 女, as certificates print it.
    #[must_use]
    pub fn expose(self) -> &'static str {
        match self {
            Self::Male => "男",
            Self::Female => "女",
        }
    }
}

impl fmt::Debug for Sex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sex(…)")
    }
}

/// Date of birth (出生の年月日). Parts may be unknown (不詳); an unknown part is a value like any
/// other and equals only itself, so it never works as a wildcard.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BirthDate {
    year: Option<u16>,
    month: Option<u8>,
    day: Option<u8>,
}

impl BirthDate {
    /// Reads `1985-04-01`, `1985-04-00`, `1930-00-00` or `0000-00-00`.
    pub fn parse(iso: &str) -> Result<Self, ItemError> {
        let (year, month, day) = iso_numbers(iso)?;
        match (year, month, day) {
            (0, 0, 0) => Ok(Self { year: None, month: None, day: None }),
            (0, _, _) | (_, 0, 1..) => Err(DateError::Form.into()),
            (_, 0..=12, 0) if year < BIRTH_FIRST_YEAR => Err(DateError::OutOfRange.into()),
            (_, 0, 0) => Ok(Self { year: Some(year), month: None, day: None }),
            (_, 1..=12, 0) => Ok(Self { year: Some(year), month: Some(month), day: None }),
            _ => Ok(Self::from(Date::new(year, month, day)?)),
        }
    }

    /// ISO text with `00` for unknown parts.
    #[must_use]
    pub fn expose(&self) -> String {
        let (year, month, day) = (self.year, self.month, self.day);
        format!("{:04}-{:02}-{:02}", year.unwrap_or(0), month.unwrap_or(0), day.unwrap_or(0))
    }

    /// True when year, month and day are all known.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.day.is_some()
    }

    /// The calendar date, when it is wholly known.
    #[must_use]
    pub fn date(&self) -> Option<Date> {
        Date::new(self.year?, self.month?, self.day?).ok()
    }

    /// Japanese calendar with the register's 不詳; a span that crosses eras is given in 西暦.
    #[must_use]
    pub fn wareki(&self) -> String {
        let Some(year) = self.year else { return "年月日不詳".to_owned() };
        if let Some(date) = self.date() {
            return wareki(&date);
        }
        let (first, last) = match self.month {
            Some(month) => ((month, 1), (month, days_in_month(year, month))),
            None => ((1, 1), (12, 31)),
        };
        let era = |(month, day)| {
            Date::new(year, month, day).map_or_else(|_| ERAS.first(), |date| Some(era_of(&date)))
        };
        let year = match (era(first), era(last)) {
            (Some(a), Some(b)) if a == b => wareki_year(a, year),
            _ => format!("西暦{year}年"),
        };
        match self.month {
            Some(month) => format!("{year}{month}月日不詳"),
            None => format!("{year}月日不詳"),
        }
    }
}

impl From<Date> for BirthDate {
    fn from(date: Date) -> Self {
        Self { year: Some(date.year()), month: Some(date.month()), day: Some(date.day()) }
    }
}

impl fmt::Debug for BirthDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BirthDate(…)")
    }
}

/// The four items (4情報); the reading belongs to the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FourItems {
    pub name: Name,
    pub kana: Kana,
    pub address: Address,
    pub sex: Sex,
    pub birth: BirthDate,
}

/// Other names that item 1 (氏名) may have beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OtherNames {
    /// Alternative name (通称) of a foreign resident (令30条の26): searched like the name.
    pub alternative: Option<Name>,
    /// Former surname (旧氏), today's law only (令30条の13); at most
    /// [`FORMER_SURNAME_LENGTH_CHARS_MAX`].
    pub former_surname: Option<FormerSurname>,
}

/// Identity confirmation information (本人確認情報, 法30条の5): the four items and the record code,
/// with the municipality that holds the record. There is no field for anything more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityInformation {
    pub code: RecordCode,
    pub items: FourItems,
    pub municipality: LocalGovernmentCode,
    pub other_names: OtherNames,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_characters_and_get_one_separator() {
        assert_eq!(Name::parse("住基 太郎").unwrap().expose(), "住基\u{3000}太郎");
        assert_eq!(Name::parse(" 住基\u{3000} 太郎 ").unwrap().expose(), "住基\u{3000}太郎");
        assert_eq!(Name::parse("葛\u{E0100}城").unwrap().expose(), "葛\u{E0100}城");
        assert_eq!(Name::parse("MARIA").unwrap().expose(), "MARIA");
        let parts = Name::parse("DELA CRUZ\u{3000}JOHN PAUL").unwrap();
        assert_eq!(parts.expose(), "DELA CRUZ\u{3000}JOHN PAUL");
    }

    #[test]
    fn invisible_and_undefined_characters_are_refused() {
        for bad in
            ["a\u{200B}", "\u{202E}a", "a\u{FFFE}", "a\n", "a\u{FEFF}", "a\u{E000}", "a\u{E0041}"]
        {
            assert_eq!(Name::parse(bad), Err(ItemError::Character { field: "name" }), "{bad:?}");
        }
        assert_eq!(Address::parse("\u{3000} "), Err(ItemError::Empty { field: "address" }));
        let long = "あ".repeat(NAME_LENGTH_CHARS_MAX + 1);
        assert!(matches!(Name::parse(&long), Err(ItemError::TooLong { .. })));
        assert!(Kana::parse("ジュウキ　タロウ").is_ok());
        assert_eq!(Kana::parse("住基"), Err(ItemError::NotKana));
    }

    #[test]
    fn nothing_personal_is_printed() {
        let name = Name::parse("住基 太郎").unwrap();
        let birth = BirthDate::parse("1985-04-01").unwrap();
        let text = format!("{name:?}{birth:?}{:?}", Sex::Male);
        assert_eq!(text, "Name(…)BirthDate(…)Sex(…)");
    }

    #[test]
    fn unknown_parts_are_values() {
        for iso in ["1985-04-01", "1985-04-00", "1930-00-00", "0000-00-00"] {
            assert_eq!(BirthDate::parse(iso).unwrap().expose(), iso);
        }
        for bad in [
            "1985-00-01",
            "0000-04-01",
            "1867-00-00",
            "1872-01-01",
            "1985-13-00",
            "1985-02-29",
            "1985-4-1",
        ] {
            assert!(BirthDate::parse(bad).is_err(), "{bad}");
        }
        assert_ne!(BirthDate::parse("1930-00-00"), BirthDate::parse("1930-01-01"));
        let text = |iso| BirthDate::parse(iso).unwrap().wareki();
        assert_eq!(text("1985-04-01"), "昭和60年4月1日");
        assert_eq!(text("1930-00-00"), "昭和5年月日不詳");
        assert_eq!(text("1989-00-00"), "西暦1989年月日不詳");
        assert_eq!(text("1989-01-00"), "西暦1989年1月日不詳");
        assert_eq!(text("1989-02-00"), "平成元年2月日不詳");
        assert_eq!(text("0000-00-00"), "年月日不詳");
    }
}
