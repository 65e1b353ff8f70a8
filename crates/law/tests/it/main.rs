//! Tests of the law through its public face: the ladder of refusals, the enumeration of the tables,
//! queries against an independent oracle, and the proofs that must not compile.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests stop the test, which is what a broken fixture should do"
)]

mod card_rights;
mod characters;
mod enumeration;
mod folding;
mod ladder;
mod minimum;
mod oracle;
mod proofs;
mod register;
mod retention;
mod support;
