//! The one integration binary of `node`: a small country of real machines over the store's model,
//! in one process, with messages pumped by hand. No sockets, no clock: time is what a test says.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests are tests too; clippy exempts only the functions marked as such"
)]

mod attacks;
mod bounds;
mod directory;
mod disclosure;
mod expiry;
mod feed;
mod fixture;
mod forwarder;
mod moving;
mod notices;
mod order;
mod pool;
mod queries;
mod reconcile;
mod roles;
mod set_aside;
mod signature;
mod spine;
mod terminal;
mod view;
mod world;
