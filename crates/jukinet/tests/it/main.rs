//! Tests of the shipped binary's edge, one integration binary for all of them.

mod commands;
mod config;
mod net;
mod pkcs11;
mod provision;
