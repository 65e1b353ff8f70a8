//! The demonstration: a small country on loopback as real processes, with its story and its checks.
//!
//! Everything it does to the country it does as a user would: with the commands of this binary.

pub mod fleet;
pub mod moving;
pub mod people;
pub mod raise;
pub mod story;
