//! The wire as its peers see it: bytes that reviewers can read, bytes that nobody should have sent,
//! and the table of who may speak. Not here: what a role does with a message (`node`).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "helpers of tests; a panic is a failed test"
)]

mod conversation;
mod directory;
mod dump;
mod frame;
mod golden;
mod mutation;
mod property;
mod refusal;
mod sample;
