//! Tests of the shipped binary's edge, one integration binary for all of them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a helper of a test fails its test"
)]

mod backup;
mod characters;
#[path = "../../../store/tests/it/cluster.rs"]
#[allow(dead_code, reason = "the store's own tests use the rest")]
mod cluster;
mod commands;
mod config;
mod country;
mod crash;
mod demo;
mod directory;
mod files;
mod firewall;
mod gateway;
mod import;
mod moving;
mod net;
mod notice;
mod pkcs11;
mod postgres;
mod provision;
mod reconcile;
mod refused;
mod register;
mod sealed_node;
mod stranger;
mod vendor;
