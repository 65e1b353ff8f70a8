//! Tag, length, value with one byte of each header: enough for card files and deterministic.
//!
//! A reader that knows the order asks for each tag in turn: an unknown, repeated or missing field
//! is a malformed file, so two readers can never understand the same bytes differently.

/// Appends one field. `None` when the value is longer than 255 bytes.
pub(crate) fn put(out: &mut Vec<u8>, tag: u8, value: &[u8]) -> Option<()> {
    out.extend_from_slice(&[tag, u8::try_from(value.len()).ok()?]);
    out.extend_from_slice(value);
    Some(())
}

/// Reads fields in a fixed order.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next field, which must have this tag.
    pub(crate) fn next(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (&[found, length], rest) = self.rest.split_first_chunk::<2>()?;
        if found != tag {
            return None;
        }
        let (value, rest) = rest.split_at_checked(usize::from(length))?;
        self.rest = rest;
        Some(value)
    }

    /// The next field as a fixed number of bytes.
    pub(crate) fn next_array<const N: usize>(&mut self, tag: u8) -> Option<[u8; N]> {
        self.next(tag)?.try_into().ok()
    }

    /// The next field as text.
    pub(crate) fn next_text(&mut self, tag: u8) -> Option<&'a str> {
        std::str::from_utf8(self.next(tag)?).ok()
    }

    /// What has not been read.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Nothing may be left.
    pub(crate) const fn end(&self) -> Option<()> {
        if self.rest.is_empty() { Some(()) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_in_order_or_not_at_all() {
        let mut out = Vec::new();
        put(&mut out, 0x80, &[1]).unwrap();
        put(&mut out, 0x81, b"card").unwrap();
        let mut fields = Fields::new(&out);
        assert_eq!(fields.next_array(0x80), Some([1]));
        assert_eq!(fields.next(0x82), None);
        assert_eq!(fields.next_text(0x81), Some("card"));
        assert_eq!(fields.end(), Some(()));
        assert_eq!(fields.next(0x81), None);
        assert_eq!(put(&mut out, 0x82, &[0; 256]), None);
        assert_eq!(Fields::new(&[0x80, 5, 1]).next(0x80), None);
    }
}
