//! The residents' CSV: one row for each resident, written in pieces and hashed on the way.

use std::io::Write;

use super::hashed::{Hashed, Written};
use super::{PopulationError, Resident};

/// Header of the residents CSV; scripts rely on it.
pub const HEADER: &str = "record_code,family_name,given_name,family_kana,given_kana,sex,birth,\
municipality_code,address,household_id,relationship,nationality,alternative_name";

/// Rows are handed to the writer in pieces of about this size.
const CHUNK_BYTES: usize = 1 << 18;

/// The CSV being written and hashed.
pub(crate) struct Sheet<'w> {
    out: Hashed<'w>,
    buffer: String,
}

impl<'w> Sheet<'w> {
    pub(crate) fn new(out: &'w mut dyn Write) -> Self {
        let mut buffer = String::with_capacity(CHUNK_BYTES + 4_096);
        buffer.push_str(HEADER);
        buffer.push('\n');
        Self { out: Hashed::new(out), buffer }
    }

    pub(crate) fn row(&mut self, resident: &Resident<'_>) -> Result<(), PopulationError> {
        resident.write_csv(&mut self.buffer);
        if self.buffer.len() >= CHUNK_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), PopulationError> {
        self.out.write(self.buffer.as_bytes())?;
        self.buffer.clear();
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<Written, PopulationError> {
        self.flush()?;
        Ok(self.out.finish()?)
    }
}
