//! The one integration binary of `store`: the contract of the port on both adapters, and what only
//! the real one can show (files, crashes, erasure, checks).

mod bench;
mod contract;
mod crash;
mod erase;
mod fsck;
mod ledger_files;
mod people;
mod random;
mod scan;
