//! The pages as a browser meets them: loopback rules, flows without JavaScript, escaping, goldens.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests stop where something is not as it should be"
)]

mod browser;
mod fake;
mod flows;
mod goldens;
mod rules;
