//! Where machines run: the engine commits their effects, the process gives them a network, a store
//! and a token, the terminal gives an operator a card and a desk.

pub mod edge;
pub mod engine;
pub mod keys;
pub mod process;
pub mod shown;
pub mod station;
pub mod sweep;
pub mod terminal;
