//! One module per command. Each reads its arguments, does its work and says how it ended.

pub mod backup;
pub mod characters;
pub mod code;
pub mod config;
pub mod demo;
pub mod doctor;
pub mod firewall;
pub mod fsck;
pub mod gateway;
pub mod import;
pub mod inquire;
pub mod law;
pub mod ledger_verify;
pub mod notice;
pub mod operator;
pub mod register;
pub mod resident;
pub mod retention;
pub mod serve;
pub mod set_aside;
pub mod store;
