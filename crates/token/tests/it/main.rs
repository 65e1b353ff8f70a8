//! Integration tests of `token`: the operator card from outside, as a terminal or a thief meets it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test helpers fail by panicking, as tests do"
)]

mod fuzz;
mod login;
mod transcripts;
mod world;
