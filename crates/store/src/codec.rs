//! The bytes of a plain row: one version byte, then fields, each with its length. Total both ways.
//!
//! Written by hand because personal types are not serializable; what the fields mean is in `row`.

use zeroize::Zeroizing;

use crate::seal::ROW_BYTES_MAX;

/// A plain row that cannot be written or read. Carries no content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowFault;

/// Writes fields in order.
#[derive(Debug)]
pub(crate) struct RowWriter {
    bytes: Zeroizing<Vec<u8>>,
    fits: bool,
}

impl RowWriter {
    pub(crate) fn new(version: u8) -> Self {
        let mut bytes = Zeroizing::new(Vec::with_capacity(256));
        bytes.push(version);
        Self { bytes, fits: true }
    }

    pub(crate) fn u8(&mut self, value: u8) -> &mut Self {
        self.bytes.push(value);
        self
    }

    pub(crate) fn u64(&mut self, value: u64) -> &mut Self {
        self.bytes.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(crate) fn fixed(&mut self, value: &[u8; 32]) -> &mut Self {
        self.bytes.extend_from_slice(value);
        self
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        // A row that does not fit is refused as a whole at the end, never cut.
        match u32::try_from(value.len()) {
            Ok(length) if value.len() <= ROW_BYTES_MAX => {
                self.bytes.extend_from_slice(&length.to_be_bytes());
                self.bytes.extend_from_slice(value);
            }
            _ => self.fits = false,
        }
        self
    }

    pub(crate) fn text(&mut self, value: &str) -> &mut Self {
        self.bytes(value.as_bytes())
    }

    /// Bytes whose length stands elsewhere, or is always the same.
    pub(crate) fn raw(&mut self, value: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(value);
        self
    }

    pub(crate) fn finish(self) -> Result<Zeroizing<Vec<u8>>, RowFault> {
        if self.fits && self.bytes.len() <= ROW_BYTES_MAX { Ok(self.bytes) } else { Err(RowFault) }
    }
}

/// Reads fields in order; every read is bounded by what is there.
#[derive(Debug)]
pub(crate) struct RowReader<'a> {
    rest: &'a [u8],
}

impl<'a> RowReader<'a> {
    /// Refuses a row of another version.
    pub(crate) fn new(bytes: &'a [u8], version: u8) -> Result<Self, RowFault> {
        match bytes.split_first() {
            Some((found, rest)) if *found == version => Ok(Self { rest }),
            _ => Err(RowFault),
        }
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], RowFault> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(RowFault)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, RowFault> {
        self.take(1)?.first().copied().ok_or(RowFault)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, RowFault> {
        self.take(8)?.try_into().map(u64::from_be_bytes).map_err(|_| RowFault)
    }

    pub(crate) fn fixed(&mut self) -> Result<[u8; 32], RowFault> {
        self.take(32)?.try_into().map_err(|_| RowFault)
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], RowFault> {
        let length = self.take(4)?.try_into().map(u32::from_be_bytes).map_err(|_| RowFault)?;
        self.take(usize::try_from(length).map_err(|_| RowFault)?)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, RowFault> {
        std::str::from_utf8(self.bytes()?).map_err(|_| RowFault)
    }

    /// Nothing may be left over: a longer row was written by something else.
    pub(crate) fn finish(self) -> Result<(), RowFault> {
        if self.rest.is_empty() { Ok(()) } else { Err(RowFault) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_back_and_every_cut_is_refused() {
        let mut writer = RowWriter::new(3);
        writer.u8(9).u64(1 << 40).fixed(&[5; 32]).text("国立").bytes(b"");
        let row = writer.finish().unwrap();
        let read = |bytes: &[u8]| {
            let mut reader = RowReader::new(bytes, 3)?;
            let all = (
                reader.u8()?,
                reader.u64()?,
                reader.fixed()?,
                reader.text()?.to_owned(),
                reader.bytes()?.to_vec(),
            );
            reader.finish()?;
            Ok::<_, RowFault>(all)
        };
        assert_eq!(read(&row), Ok((9, 1 << 40, [5; 32], "国立".to_owned(), vec![])));
        for length in 0..row.len() {
            assert!(read(&row[..length]).is_err(), "cut at {length}");
        }
        let mut longer = row.to_vec();
        longer.push(0);
        assert!(read(&longer).is_err());
        assert!(RowReader::new(&row, 4).is_err());
    }

    #[test]
    fn a_field_beyond_the_bound_is_refused_whole() {
        let mut writer = RowWriter::new(1);
        writer.bytes(&vec![0; ROW_BYTES_MAX + 1]);
        assert!(writer.finish().is_err());
    }
}
