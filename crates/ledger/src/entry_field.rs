//! The fields an entry can have, in their order, and what may stand in each.
//!
//! Not here: which kind of entry needs which field (`entry`), and how lines are read
//! (`entry_text`).

use law::code::RecordCode;

use crate::entry::EntryError;

/// Characters of a word: an organ, a card, a node, a rule.
pub const ENTRY_WORD_CHARACTERS_MAX: usize = 64;

/// Characters of free text: a case number or an affair as someone typed it.
pub const ENTRY_TEXT_CHARACTERS_MAX: usize = 64;

/// Characters of a list of items or of a note.
pub const ENTRY_NOTE_CHARACTERS_MAX: usize = 200;

/// The fields besides kind, time and node, in the order in which they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Field {
    Asker,
    Terminal,
    Card,
    Affair,
    Case,
    Channel,
    Mode,
    Items,
    Request,
    Rule,
    Count,
    First,
    Last,
    Resident,
    Note,
}

impl Field {
    pub(crate) const ALL: [Self; 15] = [
        Self::Asker,
        Self::Terminal,
        Self::Card,
        Self::Affair,
        Self::Case,
        Self::Channel,
        Self::Mode,
        Self::Items,
        Self::Request,
        Self::Rule,
        Self::Count,
        Self::First,
        Self::Last,
        Self::Resident,
        Self::Note,
    ];

    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Asker => "asker",
            Self::Terminal => "terminal",
            Self::Card => "card",
            Self::Affair => "affair",
            Self::Case => "case",
            Self::Channel => "channel",
            Self::Mode => "mode",
            Self::Items => "items",
            Self::Request => "request",
            Self::Rule => "rule",
            Self::Count => "count",
            Self::First => "first",
            Self::Last => "last",
            Self::Resident => "resident",
            Self::Note => "note",
        }
    }

    /// Checks a value against the rule of its field.
    pub(crate) fn check(self, value: &str) -> Result<(), EntryError> {
        let rule = match self {
            Self::Asker | Self::Terminal | Self::Card | Self::Channel | Self::Mode | Self::Rule => {
                is_word(value).then_some(()).ok_or(WORD_RULE)
            }
            Self::Affair | Self::Case => is_text(value).then_some(()).ok_or(TEXT_RULE),
            Self::Items | Self::Note => is_ascii_line(value).then_some(()).ok_or(NOTE_RULE),
            Self::Request => is_digest(value).then_some(()).ok_or(DIGEST_RULE),
            Self::Count | Self::First | Self::Last => {
                is_number(value).then_some(()).ok_or(NUMBER_RULE)
            }
            Self::Resident => RecordCode::parse(value)
                .ok()
                .filter(|code| code.expose() == value)
                .map(|_| ())
                .ok_or(CODE_RULE),
        };
        rule.map_err(|rule| EntryError::Field { field: self.key(), rule })
    }
}

pub(crate) const WORD_RULE: &str = "has to be 1 to 64 ASCII letters, digits or . _ : / + -";
const TEXT_RULE: &str =
    "has to be 1 to 64 characters on one line, without control characters or outer spaces";
const NOTE_RULE: &str = "has to be 1 to 200 printable ASCII characters without outer spaces";
const DIGEST_RULE: &str = "has to be 64 lower-case hexadecimal digits";
const NUMBER_RULE: &str = "has to be a decimal number without leading zeros";
const CODE_RULE: &str = "has to be a resident record code of 11 digits";

pub(crate) fn is_word(value: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._:/+-".contains(c);
    (1..=ENTRY_WORD_CHARACTERS_MAX).contains(&value.len()) && value.chars().all(allowed)
}

fn is_text(value: &str) -> bool {
    let length = value.chars().count();
    (1..=ENTRY_TEXT_CHARACTERS_MAX).contains(&length)
        && value.trim() == value
        && value.chars().all(is_visible)
}

/// Nothing that could hide, reorder or break what a resident reads.
fn is_visible(c: char) -> bool {
    let code = u32::from(c);
    let hides = matches!(code,
        0x00AD | 0x061C | 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x206F | 0xFEFF
        | 0xFFF9..=0xFFFB | 0xFDD0..=0xFDEF | 0xE0000..=0xE007F);
    !(c.is_control() || hides || code & 0xFFFE == 0xFFFE)
}

/// ASCII on purpose: a note is a machine's remark, and no resident's name fits into it.
fn is_ascii_line(value: &str) -> bool {
    (1..=ENTRY_NOTE_CHARACTERS_MAX).contains(&value.len())
        && value.trim() == value
        && value.chars().all(|c| (' '..='~').contains(&c))
}

fn is_digest(value: &str) -> bool {
    value.len() == 64 && value.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
}

fn is_number(value: &str) -> bool {
    value.parse::<u64>().is_ok_and(|number| number.to_string() == value)
}

/// Makes any text fit for the fields `affair` and `case`: what a stranger sent must not be able to
/// keep its own refusal from being recorded. None where nothing readable is left.
pub fn recordable(text: &str) -> Option<String> {
    let visible = |c: char| if is_visible(c) { c } else { char::REPLACEMENT_CHARACTER };
    let clipped: String =
        text.trim().chars().map(visible).take(ENTRY_TEXT_CHARACTERS_MAX).collect();
    let clipped = clipped.trim_end();
    (!clipped.is_empty()).then(|| clipped.to_owned())
}
