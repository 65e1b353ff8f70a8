//! Form bodies become bounded fields, once, at the edge (C1: nothing personal is a serde type).
//!
//! The parser is total: whatever the bytes are, the outcome is fields or a named fault. What the
//! fields mean is the business of the page that reads them.

use std::borrow::Cow;
use std::fmt;

use crate::fault::LoopbackFault;

/// The longest field is an address of 200 characters, 12 bytes each when percent-encoded; six
/// fields of that size and the tokens fit.
pub(crate) const FORM_BODY_BYTES_MAX: usize = 16 * 1024;
/// The largest form has ten fields.
pub(crate) const FORM_FIELDS_MAX: usize = 16;
/// 200 characters (the limit of `law::people`) of up to 4 bytes, and room for variation selectors.
pub(crate) const FORM_VALUE_BYTES_MAX: usize = 2048;

/// The fields of one POST whose origin, session and token have been checked by the guard.
#[derive(Clone)]
pub(crate) struct Posted {
    fields: Vec<(String, String)>,
}

impl fmt::Debug for Posted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Posted(…)")
    }
}

impl Posted {
    /// Reads an `application/x-www-form-urlencoded` body. A field that stands twice is a fault:
    /// two readers might choose differently.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, LoopbackFault> {
        if body.len() > FORM_BODY_BYTES_MAX {
            return Err(LoopbackFault::FormMalformed);
        }
        let mut fields: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(body) {
            let twice = fields.iter().any(|(known, _)| *known == name);
            // The decoder puts U+FFFD where bytes are not UTF-8; such a name would find nobody.
            let broken = value.contains('\u{FFFD}') || name.contains('\u{FFFD}');
            let large = value.len() > FORM_VALUE_BYTES_MAX || fields.len() >= FORM_FIELDS_MAX;
            if twice || broken || large {
                return Err(LoopbackFault::FormMalformed);
            }
            fields.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self { fields })
    }

    /// The value of a field; a field that is not there reads as empty, like one left blank.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.fields.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The value without the white space that people leave at its ends.
    pub(crate) fn trimmed(&self, name: &str) -> &str {
        self.get(name).trim()
    }
}

/// Full-width digits become ASCII, and the hyphens people put into a code disappear: an input
/// method left on must not cost the clerk a second try.
pub(crate) fn digits(text: &str) -> String {
    text.chars()
        .filter(|c| !matches!(c, '-' | '‐' | '－' | 'ー' | ' ' | '\u{3000}'))
        .map(|c| match c {
            '０'..='９' => char::from_u32(c as u32 - '０' as u32 + '0' as u32).unwrap_or(c),
            _ => c,
        })
        .collect()
}

/// Splits `a=b; c=d` of a cookie header.
pub(crate) fn cookie<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    header.split(';').find_map(|pair| {
        let (known, value) = pair.trim().split_once('=')?;
        (known == name).then_some(value)
    })
}

/// The pairs of a query string.
pub(crate) fn query(text: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    form_urlencoded::parse(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_decoded_once() {
        let posted = Posted::parse("name=%E7%94%B0%E4%B8%AD+%E8%8A%B1&x=%2541".as_bytes()).unwrap();
        assert_eq!(posted.get("name"), "田中 花");
        assert_eq!(posted.get("x"), "%41");
        assert_eq!(posted.get("absent"), "");
    }

    #[test]
    fn a_field_twice_is_refused() {
        assert!(Posted::parse(b"a=1&a=2").is_err());
    }

    #[test]
    fn bytes_that_are_not_text_are_refused() {
        assert!(Posted::parse(b"a=%FF").is_err());
    }

    #[test]
    fn sizes_are_bounded() {
        let many: Vec<String> = (0..=FORM_FIELDS_MAX).map(|i| format!("f{i}=1")).collect();
        assert!(Posted::parse(many.join("&").as_bytes()).is_err());
        assert!(
            Posted::parse(format!("a={}", "x".repeat(FORM_VALUE_BYTES_MAX + 1)).as_bytes())
                .is_err()
        );
        assert!(Posted::parse(&vec![b'a'; FORM_BODY_BYTES_MAX + 1]).is_err());
    }

    #[test]
    fn debug_is_silent() {
        assert_eq!(format!("{:?}", Posted::parse(b"name=Hanako").unwrap()), "Posted(…)");
    }

    #[test]
    fn full_width_digits_are_digits() {
        assert_eq!(digits("１２３-45 ６"), "123456");
    }

    #[test]
    fn cookies_are_found_by_whole_name() {
        assert_eq!(cookie("xjk=1; jk=2", "jk"), Some("2"));
        assert_eq!(cookie("", "jk"), None);
    }
}
