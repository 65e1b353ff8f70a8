//! A reader that does not let one line of a file fill the memory.

use std::io::{self, Read};

/// A row of a register has a name, an address and some codes; 64 KiB hold any of them many times.
pub(super) const LINE_BYTES_MAX: usize = 64 * 1024;

/// Passes bytes on until a line is longer than [`LINE_BYTES_MAX`].
pub(super) struct ShortLines<R> {
    source: R,
    since_end: usize,
}

impl<R> std::fmt::Debug for ShortLines<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ShortLines")
    }
}

impl<R> ShortLines<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, since_end: 0 }
    }
}

impl<R: Read> Read for ShortLines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        for byte in buffer.iter().take(count) {
            self.since_end = if *byte == b'\n' { 0 } else { self.since_end + 1 };
            if self.since_end > LINE_BYTES_MAX {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is too long"));
            }
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_ends_the_file_and_many_short_ones_do_not() {
        let short = "x\n".repeat(LINE_BYTES_MAX);
        let mut text = String::new();
        assert!(ShortLines::new(short.as_bytes()).read_to_string(&mut text).is_ok());
        let long = "x".repeat(LINE_BYTES_MAX + 1);
        assert!(ShortLines::new(long.as_bytes()).read_to_string(&mut text).is_err());
    }
}
