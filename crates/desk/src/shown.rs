//! The one place where personal data becomes text of a page.
//!
//! The types of `law` cannot print themselves. [`Shown`] can, and only templates do it; so "where
//! does a name reach a screen" is answered by searching for this word.

use std::borrow::Cow;
use std::fmt;

use law::code::RecordCode;
use law::people::{Address, BirthDate, Kana, Name};

use crate::texts::Lang;

/// Personal data on its way to the screen. The template engine escapes it like any text.
#[derive(Clone)]
pub struct Shown<'a>(Cow<'a, str>);

impl<'a> Shown<'a> {
    /// 氏名
    #[must_use]
    pub fn name(name: &'a Name) -> Self {
        Self(Cow::Borrowed(name.expose()))
    }

    /// 氏名のふりがな
    #[must_use]
    pub fn kana(kana: &'a Kana) -> Self {
        Self(Cow::Borrowed(kana.expose()))
    }

    /// 住所
    #[must_use]
    pub fn address(address: &'a Address) -> Self {
        Self(Cow::Borrowed(address.expose()))
    }

    /// 生年月日: the Japanese calendar first in Japanese, ISO in both.
    #[must_use]
    pub fn birth(birth: &BirthDate, lang: Lang) -> Self {
        let iso = birth.expose();
        Self(Cow::Owned(match lang {
            Lang::Ja => format!("{}（{iso}）", birth.wareki()),
            Lang::En => iso,
        }))
    }

    /// 住民票コード in groups that can be read aloud.
    #[must_use]
    pub fn code(code: &'a RecordCode) -> Self {
        Self(Cow::Owned(grouped(code.expose())))
    }

    /// The same with all but the last three digits covered.
    #[must_use]
    pub fn masked_code(code: &RecordCode) -> Self {
        Self::masked_text(code.expose())
    }

    /// The same for a code as it was typed in.
    #[must_use]
    pub fn masked_text(code: &str) -> Self {
        let digits = code.chars().count();
        let covered =
            code.chars().enumerate().map(|(at, digit)| if at + 3 >= digits { digit } else { '•' });
        Self(Cow::Owned(grouped(&covered.collect::<String>())))
    }

    /// What the operator typed, back into the field it came from.
    #[must_use]
    pub fn typed(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

/// 4-4-3, as the notice to the resident prints it.
fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at == 4 || at == 8 {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shown(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_code_shows_three_digits() {
        assert_eq!(Shown::masked_text("12345678901").to_string(), "•••• •••• 901");
        assert_eq!(Shown::masked_text("").to_string(), "");
    }

    #[test]
    fn debug_is_silent() {
        assert_eq!(format!("{:?}", Shown::typed("Hanako")), "Shown(…)");
    }
}
