//! The one integration binary of `store`: the contract of the port on both adapters, and what only
//! the real one can show (files, crashes, erasure, checks).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests are tests too; clippy exempts only the functions marked as such"
)]

mod bench;
mod cluster;
mod collision;
mod contract;
mod crash;
mod erase;
mod first_load;
mod fsck;
mod ledger_files;
mod people;
mod postgres_bench;
mod postgres_only;
mod random;
mod register;
mod scan;
mod transfer;
