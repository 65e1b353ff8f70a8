//! Bytes on their way into a file, counted and hashed.

use std::fmt::Write as _;
use std::io::{self, Write};

use sha2::{Digest, Sha256};

/// What was written.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) bytes: u64,
    /// SHA-256 in hex.
    pub(crate) sha256: String,
}

/// A writer that counts and hashes what passes.
pub(crate) struct Hashed<'w> {
    out: &'w mut dyn Write,
    hash: Sha256,
    bytes: u64,
}

impl<'w> Hashed<'w> {
    pub(crate) fn new(out: &'w mut dyn Write) -> Self {
        Self { out, hash: Sha256::new(), bytes: 0 }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    /// The digest of what has passed so far.
    pub(crate) fn so_far(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }

    pub(crate) fn finish(self) -> io::Result<Written> {
        self.out.flush()?;
        let mut sha256 = String::with_capacity(64);
        for byte in self.hash.finalize() {
            // Writing to a String cannot fail.
            write!(sha256, "{byte:02x}").unwrap_or(());
        }
        Ok(Written { bytes: self.bytes, sha256 })
    }
}
