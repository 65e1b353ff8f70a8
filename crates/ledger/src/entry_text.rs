//! The text form of an entry: a document a resident can read, of which there is exactly one per
//! entry.
//!
//! ```text
//! jukinet-entry/1
//! kind provision
//! at 2026-11-22T01:03:00.000Z
//! node center
//! asker agency:A074
//! affair 1-74-3
//! ```
//!
//! One `key value` per line, keys in a fixed order, none twice, LF at the end of each. Not here:
//! the rules of the values (`entry`).

use law::time::Timestamp;

use crate::entry::{ENTRY_BYTES_MAX, Entry, EntryError, EntryKind};
use crate::entry_field::Field;

const HEADER: &str = "jukinet-entry/1";

impl Entry {
    /// The text form: what is committed to, sealed, and shown to the resident it is about.
    pub fn encode(&self) -> Vec<u8> {
        let (kind, at) = (self.kind().key(), self.at().to_rfc3339());
        let mut text = format!("{HEADER}\nkind {kind}\nat {at}\nnode {}\n", self.node());
        for field in Field::ALL {
            if let Some(value) = self.value(field) {
                text.push_str(field.key());
                text.push(' ');
                text.push_str(value);
                text.push('\n');
            }
        }
        text.into_bytes()
    }

    /// Reads the text form, strictly: an unknown key or kind, another order, a repeated line or any
    /// second spelling of a value is an error.
    ///
    /// # Errors
    /// [`EntryError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, EntryError> {
        let malformed = EntryError::Malformed;
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(EntryError::TooLong);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| malformed("text is not UTF-8"))?;
        let body = text.strip_suffix('\n').ok_or(EntryError::Malformed("no newline at the end"))?;
        let mut lines = body.split('\n');
        if lines.next() != Some(HEADER) {
            return Err(malformed("first line is not jukinet-entry/1"));
        }
        let kind = EntryKind::parse_key(expect(lines.next(), "kind ")?)
            .ok_or(EntryError::Malformed("kind is unknown to this version"))?;
        let at = Timestamp::parse_rfc3339(expect(lines.next(), "at ")?)
            .map_err(|_| malformed("time is not RFC 3339 with milliseconds"))?;
        let mut builder = Self::build(kind, at, expect(lines.next(), "node ")?);
        let mut fields = Field::ALL.into_iter();
        for line in lines {
            let (key, value) =
                line.split_once(' ').ok_or(EntryError::Malformed("line without a value"))?;
            // The iterator only moves forward, so an earlier key, or the same again, is not found.
            let field = fields
                .find(|field| field.key() == key)
                .ok_or(EntryError::Malformed("key is unknown, repeated or out of order"))?;
            builder = builder.set(field, value);
        }
        let entry = builder.finish()?;
        if entry.encode() != bytes {
            return Err(malformed("not in canonical form"));
        }
        Ok(entry)
    }
}

fn expect<'a>(line: Option<&'a str>, prefix: &str) -> Result<&'a str, EntryError> {
    line.and_then(|line| line.strip_prefix(prefix))
        .ok_or(EntryError::Malformed("kind, at and node have to come first, in this order"))
}
