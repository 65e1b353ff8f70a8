//! Entries of the ledgers as a resident would read them: lines of `key value`. Nothing of `ledger`.

use std::fmt::Write as _;

/// Value of a line `key value` in an entry's text.
pub(super) fn field<'e>(entry: &'e [u8], key: &str) -> Option<&'e str> {
    let text = std::str::from_utf8(entry).ok()?;
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").unwrap_or(());
    }
    text
}

/// A number in a line.
pub(super) fn number(entry: &[u8], key: &str) -> Option<u64> {
    field(entry, key)?.parse().ok()
}
