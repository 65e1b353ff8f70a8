//! Integration tests of `token`: the operator card from outside, as a terminal or a thief meets it.

mod fuzz;
mod login;
mod transcripts;
mod world;
