//! Juki-net unified characters (住基ネット統一文字): the one set of characters in which records are
//! exchanged, its codes, and the way between a code and Unicode text with ideographic variation
//! sequences (IVS). Not a fold and not a replacement: a character outside is refused by its place.
//!
//! A code is written J+9AD9. Some ranges coincide with Unicode, others overlap foreign scripts, so
//! a code is never read as UTF-16.

mod table;

use std::fmt;

use thiserror::Error;

pub use table::{CharacterTable, Glyph, MjName, TableFault};

/// One Juki-net unified character.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JukiChar(u16);

/// Where a code lies; the counts are those published in 2014 (安岡孝一).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JukiRange {
    /// 非漢字, 1,274 characters.
    NonKanji,
    /// 漢字, 806.
    KanjiExtension,
    /// 漢字, 13,185.
    Kanji,
    /// 漢字, 303.
    KanjiOwn,
    /// 変体仮名, 168. No machine-readable table of them was found.
    Hentaigana,
    /// 追加漢字, 5,172.
    KanjiAdded,
    /// 互換漢字, 99.
    KanjiCompatibility,
    /// 互換非漢字, 163.
    NonKanjiCompatibility,
}

impl JukiRange {
    pub const ALL: [(Self, u16, u16); 8] = [
        (Self::NonKanji, 0x0020, 0x33FF),
        (Self::KanjiExtension, 0x3400, 0x4DFF),
        (Self::Kanji, 0x4E00, 0x9FFF),
        (Self::KanjiOwn, 0xAAA0, 0xABFF),
        (Self::Hentaigana, 0xAC00, 0xACFF),
        (Self::KanjiAdded, 0xAD00, 0xD6FF),
        (Self::KanjiCompatibility, 0xF900, 0xFAFF),
        (Self::NonKanjiCompatibility, 0xFF00, 0xFFFE),
    ];

    #[must_use]
    pub const fn japanese(self) -> &'static str {
        match self {
            Self::NonKanji => "非漢字",
            Self::KanjiExtension | Self::Kanji | Self::KanjiOwn => "漢字",
            Self::Hentaigana => "変体仮名",
            Self::KanjiAdded => "追加漢字",
            Self::KanjiCompatibility => "互換漢字",
            Self::NonKanjiCompatibility => "互換非漢字",
        }
    }
}

impl JukiChar {
    /// `None` for a number that lies in no range of the set.
    #[must_use]
    pub fn new(code: u16) -> Option<Self> {
        let of = |(_, first, last): &(JukiRange, u16, u16)| (*first..=*last).contains(&code);
        JukiRange::ALL.iter().any(of).then_some(Self(code))
    }

    /// Reads `J+9AD9`: exactly four hexadecimal digits, capitals.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("J+").filter(|digits| digits.len() == 4)?;
        let capital = |b: u8| b.is_ascii_digit() || (b'A'..=b'F').contains(&b);
        if !digits.bytes().all(capital) {
            return None;
        }
        Self::new(u16::from_str_radix(digits, 16).ok()?)
    }

    #[must_use]
    pub const fn code(self) -> u16 {
        self.0
    }

    #[must_use]
    pub fn range(self) -> Option<JukiRange> {
        let of = |(_, first, last): &&(JukiRange, u16, u16)| (*first..=*last).contains(&self.0);
        JukiRange::ALL.iter().find(of).map(|(range, ..)| *range)
    }
}

impl fmt::Display for JukiChar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "J+{:04X}", self.0)
    }
}

/// A run of them can be a name: nothing is printed by accident.
impl fmt::Debug for JukiChar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JukiChar(…)")
    }
}

/// Which part of Unicode a character belongs to: all that a refusal says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CharacterClass {
    Latin,
    Kana,
    Kanji,
    /// CJK extension A.
    KanjiExtension,
    /// CJK extensions beyond the first plane.
    KanjiBeyond,
    KanjiCompatibility,
    /// A variation selector without a character before it.
    Selector,
    /// A character of a municipality's own (外字).
    PrivateUse,
    Hangul,
    Symbol,
    Other,
}

impl CharacterClass {
    #[must_use]
    pub fn of(c: char) -> Self {
        if is_selector(c) {
            return Self::Selector;
        }
        match u32::from(c) {
            0x0020..=0x024F | 0x1E00..=0x1EFF | 0xFF01..=0xFF5E => Self::Latin,
            0x3041..=0x30FF | 0x31F0..=0x31FF | 0xFF61..=0xFF9F | 0x1_AFF0..=0x1_B16F => Self::Kana,
            0x4E00..=0x9FFF => Self::Kanji,
            0x3400..=0x4DBF => Self::KanjiExtension,
            0x2_0000..=0x3_FFFF if !(0x2_F800..=0x2_FA1F).contains(&u32::from(c)) => {
                Self::KanjiBeyond
            }
            0xF900..=0xFAFF | 0x2_F800..=0x2_FA1F => Self::KanjiCompatibility,
            0xE000..=0xF8FF | 0xF_0000.. => Self::PrivateUse,
            0x1100..=0x11FF | 0x3130..=0x318F | 0xA960..=0xA97F | 0xAC00..=0xD7FF => Self::Hangul,
            0x2000..=0x303F | 0x3200..=0x33FF => Self::Symbol,
            _ => Self::Other,
        }
    }

    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Latin => "Latin letter or ASCII",
            Self::Kana => "kana",
            Self::Kanji => "kanji",
            Self::KanjiExtension => "kanji of extension A",
            Self::KanjiBeyond => "kanji beyond the basic plane",
            Self::KanjiCompatibility => "compatibility kanji",
            Self::Selector => "variation selector",
            Self::PrivateUse => "private use (外字)",
            Self::Hangul => "hangul",
            Self::Symbol => "symbol or punctuation",
            Self::Other => "other script",
        }
    }
}

/// Why a text is not in the set. Says where and which kind, never which character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CharacterError {
    #[error("character {position} ({}) is not in the table", .class.words())]
    Outside { position: usize, class: CharacterClass },
    #[error("character {position} has a variation selector that is not in the table")]
    Sequence { position: usize },
    /// The shape has a code, but another spelling stands for it: taking this one would give back
    /// other bytes than were written.
    #[error("character {position} is the shape that is written without its variation selector")]
    Spelling { position: usize },
    #[error("code {position} has no text in the table")]
    NoText { position: usize },
}

impl CharacterError {
    /// From 1, a character with its variation selector counted once.
    #[must_use]
    pub const fn position(self) -> usize {
        match self {
            Self::Outside { position, .. }
            | Self::Sequence { position }
            | Self::Spelling { position }
            | Self::NoText { position } => position,
        }
    }
}

/// Variation selectors, ideographic (IVS) and standardised.
#[must_use]
pub const fn is_selector(c: char) -> bool {
    matches!(c as u32, 0xFE00..=0xFE0F | 0xE_0100..=0xE_01EF)
}

/// A text as characters with their selectors: what a reader would count.
pub(crate) fn spelled(text: &str) -> impl Iterator<Item = (char, Option<char>)> + '_ {
    let mut chars = text.chars().peekable();
    std::iter::from_fn(move || {
        let base = chars.next()?;
        let selector = if is_selector(base) { None } else { chars.next_if(|c| is_selector(*c)) };
        Some((base, selector))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_four_hexadecimal_digits_of_a_range() {
        let code = JukiChar::parse("J+9AD9").unwrap();
        assert_eq!((code.code(), code.to_string()), (0x9AD9, "J+9AD9".to_owned()));
        assert_eq!(code.range(), Some(JukiRange::Kanji));
        for bad in ["J+9ad9", "J+9AD", "J+09AD9", "U+9AD9", "J+D800", "J+A000", "J+FFFF", "J+"] {
            assert_eq!(JukiChar::parse(bad), None, "{bad}");
        }
        assert_eq!(format!("{code:?}"), "JukiChar(…)");
    }

    #[test]
    fn ranges_ascend_and_do_not_overlap() {
        for pair in JukiRange::ALL.windows(2) {
            assert!(pair[0].1 <= pair[0].2 && pair[0].2 < pair[1].1);
        }
    }

    #[test]
    fn a_refusal_names_the_class_and_not_the_character() {
        for (c, class) in [
            ('A', CharacterClass::Latin),
            ('ア', CharacterClass::Kana),
            ('髙', CharacterClass::Kanji),
            ('㐀', CharacterClass::KanjiExtension),
            ('𠮷', CharacterClass::KanjiBeyond),
            ('﨑', CharacterClass::KanjiCompatibility),
            ('\u{E000}', CharacterClass::PrivateUse),
            ('\u{E0101}', CharacterClass::Selector),
            ('한', CharacterClass::Hangul),
            ('☎', CharacterClass::Symbol),
            ('я', CharacterClass::Other),
        ] {
            assert_eq!(CharacterClass::of(c), class, "{c:?}");
            let error = CharacterError::Outside { position: 3, class };
            assert!(!error.to_string().contains(c) || c == 'A', "{c:?}");
        }
    }

    #[test]
    fn a_selector_belongs_to_the_character_before_it() {
        let spelled: Vec<_> = spelled("葛\u{E0102}城\u{E0101}\u{E0101}").collect();
        let expected = [('葛', Some('\u{E0102}')), ('城', Some('\u{E0101}')), ('\u{E0101}', None)];
        assert_eq!(spelled, expected);
    }
}
