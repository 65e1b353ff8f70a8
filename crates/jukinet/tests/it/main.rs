//! Tests of the shipped binary's edge, one integration binary for all of them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a helper of a test fails its test"
)]

mod characters;
mod commands;
mod config;
mod country;
mod crash;
mod demo;
mod files;
mod gateway;
mod import;
mod moving;
mod net;
mod notice;
mod pkcs11;
mod provision;
mod refused;
mod register;
mod sealed_node;
mod stranger;
mod vendor;
