//! The tests of the ledger as its users see it: one binary, one module per promise.
//!
//! Not here: anything that touches a disk; files are maps in memory.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a helper of a test that fails has failed the test"
)]

mod compile_fail;
mod damage;
mod entries;
mod merkle;
mod notes;
mod published;
mod rows;
mod support;
