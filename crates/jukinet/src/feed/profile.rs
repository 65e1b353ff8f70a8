//! The two profiles in which register systems write their files: UTF-8, and Windows-31J as it
//! comes from older ones. Strict both ways: a byte that is no character of the profile is a fault
//! of its cell, never a replacement sign.

use encoding_rs::{EncoderResult, Encoding, SHIFT_JIS, UTF_8};

/// How a change file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Profile {
    /// UTF-8, with or without a byte order mark
    #[default]
    #[value(name = "utf-8")]
    Utf8,
    /// Shift JIS with the extensions of NEC and IBM, as Windows writes it (code page 932)
    #[value(name = "windows-31j")]
    Windows31J,
}

/// The first bytes of files that no profile of ours is.
const FOREIGN_MARKS: [(&[u8], &str); 2] = [(b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16")];
const UTF_8_MARK: &[u8] = b"\xef\xbb\xbf";

impl Profile {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Windows31J => "windows-31j",
        }
    }

    const fn encoding(self) -> &'static Encoding {
        match self {
            Self::Utf8 => UTF_8,
            Self::Windows31J => SHIFT_JIS,
        }
    }

    /// One cell as text; `None` when a byte of it is no character of the profile. The places that
    /// Windows-31J leaves to users (外字) become private-use characters, which no item may hold.
    #[must_use]
    pub fn decode(self, bytes: &[u8]) -> Option<String> {
        let text = self.encoding().decode_without_bom_handling_and_without_replacement(bytes)?;
        Some(text.into_owned())
    }

    /// Text of our own in the profile; `None` when it holds a character that the profile lacks.
    #[must_use]
    pub fn encode(self, text: &str) -> Option<Vec<u8>> {
        let mut encoder = self.encoding().new_encoder();
        let room = encoder.max_buffer_length_from_utf8_without_replacement(text.len())?;
        let mut bytes = vec![0; room];
        let (result, _, written) =
            encoder.encode_from_utf8_without_replacement(text, &mut bytes, true);
        bytes.truncate(written);
        (result == EncoderResult::InputEmpty).then_some(bytes)
    }

    /// How its lines end where we write them.
    #[must_use]
    pub const fn line_end(self) -> &'static str {
        match self {
            Self::Utf8 => "\n",
            Self::Windows31J => "\r\n",
        }
    }

    /// Another profile that the first bytes of a file give away.
    #[must_use]
    pub fn contradicted_by(self, start: &[u8]) -> Option<&'static str> {
        if self != Self::Utf8 && start.starts_with(UTF_8_MARK) {
            return Some("UTF-8 with a byte order mark");
        }
        FOREIGN_MARKS.iter().find(|(mark, _)| start.starts_with(mark)).map(|(_, name)| *name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_31j_is_read_with_its_extensions_and_nothing_is_replaced() {
        let read = |bytes: &[u8]| Profile::Windows31J.decode(bytes);
        assert_eq!(read(b"\x8d\x91\x97\xa7\x8e\x73").as_deref(), Some("国立市"));
        // NEC and IBM extensions: 髙 and 﨑.
        assert_eq!(read(b"\xfb\xfc\xfa\xb1").as_deref(), Some("髙﨑"));
        assert_eq!(read(b"\xb1\xdd").as_deref(), Some("ｱﾝ"));
        for bad in [&b"\x83"[..], b"\x83,", b"\xa0", b"\xff", b"\x81\x20", b"\xfd\x40"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
        assert_eq!(read(b"\xf0\x40").as_deref(), Some("\u{e000}"), "refused as an item");
        assert_eq!(Profile::Utf8.decode(b"\x8d\x91"), None);
    }

    #[test]
    fn what_a_profile_lacks_is_not_written() {
        assert_eq!(
            Profile::Windows31J.encode("国立市"),
            Some(b"\x8d\x91\x97\xa7\x8e\x73".to_vec())
        );
        assert_eq!(Profile::Windows31J.encode("𠮷"), None);
        assert_eq!(Profile::Utf8.encode("𠮷"), Some("𠮷".as_bytes().to_vec()));
    }

    #[test]
    fn a_mark_of_another_profile_is_seen() {
        assert_eq!(Profile::Utf8.contradicted_by(b"\xef\xbb\xbfrecord"), None);
        assert!(Profile::Windows31J.contradicted_by(b"\xef\xbb\xbfrecord").is_some());
        assert_eq!(Profile::Utf8.contradicted_by(b"\xff\xfer\0"), Some("UTF-16"));
    }
}
