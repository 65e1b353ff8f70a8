//! Where jukinet runs: sockets, disk, clock, readers, configuration and the command line.
//!
//! Nothing here decides who may learn what (`law`), what may be said (`wire`) or what is recorded
//! (`ledger`): this crate hands bytes, time and entropy to the machines of `node` and carries out
//! what they ask for. The library exists for the tests; what is shipped is the one binary.

pub mod backup;
pub mod card_file;
pub mod character_file;
pub mod cli;
pub mod clock;
pub mod command;
pub mod config;
pub mod demo;
pub mod dice;
pub mod disk;
pub mod feed;
pub mod firewall;
pub mod gateway;
pub mod net;
pub mod pkcs11;
pub mod provision;
pub mod register;
pub mod resident_file;
pub mod runner;
pub mod seclude;
pub mod talk;
pub mod token_file;
