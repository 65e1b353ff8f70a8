//! The residents' CSV: one row for each resident, written in pieces and hashed on the way.

use std::fmt::Write as _;
use std::io::Write;

use sha2::{Digest, Sha256};

use super::{PopulationError, Resident, Summary};

/// Header of the residents CSV; scripts rely on it.
pub const HEADER: &str = "record_code,family_name,given_name,family_kana,given_kana,sex,birth,\
municipality_code,address,household_id,relationship,nationality,alternative_name";

/// Rows are handed to the writer in pieces of about this size.
const CHUNK_BYTES: usize = 1 << 18;

/// The CSV being written and hashed.
pub(crate) struct Sheet<'w> {
    out: &'w mut dyn Write,
    buffer: String,
    hash: Sha256,
    rows: u64,
    bytes: u64,
}

impl<'w> Sheet<'w> {
    pub(crate) fn new(out: &'w mut dyn Write) -> Self {
        let mut buffer = String::with_capacity(CHUNK_BYTES + 4_096);
        buffer.push_str(HEADER);
        buffer.push('\n');
        Self { out, buffer, hash: Sha256::new(), rows: 0, bytes: 0 }
    }

    pub(crate) fn row(&mut self, resident: &Resident<'_>) -> Result<(), PopulationError> {
        resident.write_csv(&mut self.buffer);
        self.rows += 1;
        if self.buffer.len() >= CHUNK_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), PopulationError> {
        self.hash.update(self.buffer.as_bytes());
        self.bytes += self.buffer.len() as u64;
        self.out.write_all(self.buffer.as_bytes())?;
        self.buffer.clear();
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<Summary, PopulationError> {
        self.flush()?;
        self.out.flush()?;
        let mut sha256 = String::with_capacity(64);
        for byte in self.hash.finalize() {
            write!(sha256, "{byte:02x}").unwrap_or(());
        }
        Ok(Summary { rows: self.rows, bytes: self.bytes, sha256 })
    }
}
