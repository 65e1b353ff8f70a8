//! The binary stream of residents: what the CSV says in little more than half of its bytes.
//!
//! Not a message of the network, and nothing about support measures. All numbers are little-endian;
//! a text is one byte of length, then UTF-8.
//!
//! - Header: `jukipop` and a line feed; version (2 bytes); seed (8); residents (8); how many
//!   municipalities were asked for (2), then each as a text.
//! - Record: length of what follows (2 bytes, never 0); flags (1); record code without its check
//!   digit (5); birth as a number YYYYMMDD (4); given name, given kana, relationship; then what the
//!   flags say, in the order of their values.
//! - End: length 0 (2 bytes); residents written (8); SHA-256 of every byte before it (32).
//!
//! Flags: 1 a woman; 2 a new household (municipality code, 6 bytes; its number there, 4; address),
//! otherwise that of the record before; 4 a new family name (name, kana), otherwise that of the
//! record before; 8 foreign (nationality); 16 an alternative name (family, given).

pub mod reader;
mod writer;

pub use reader::{Reader, StreamError};
pub(crate) use writer::Writer;

const MAGIC: &[u8; 8] = b"jukipop\n";

/// Version of the format that is written, and the only one that is read.
const VERSION: u16 = 1;

/// Longest record: ten texts of 255 bytes and the fixed parts stay below.
pub const RECORD_LENGTH_BYTES_MAX: usize = 3_072;

/// Most municipalities a header names: every unit that keeps a register, and more.
pub const HEADER_MUNICIPALITIES_COUNT_MAX: usize = 4_096;

const FLAG_FEMALE: u8 = 1;
const FLAG_HOUSEHOLD: u8 = 2;
const FLAG_FAMILY: u8 = 4;
const FLAG_FOREIGN: u8 = 8;
const FLAG_ALTERNATIVE: u8 = 16;
