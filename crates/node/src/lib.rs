//! Who does it: one state machine per role of the network, and the ports they are given.
//!
//! No I/O, time or randomness of its own; no rule either: `law` decides, this crate obeys. Roles
//! are sibling modules and never import one another; what several share stands beside them.
//!
//! Reading order: [`machine`] (what a role is), [`outbox`] (the one door out), [`ports`] (what it
//! may look up and keep), `provider` (the spine on the answering side), then a role.

pub mod agency;
pub mod center;
pub mod exchange;
mod forwarder;
mod intake;
pub mod machine;
pub mod member;
pub mod municipality;
pub mod outbox;
mod people;
pub mod ports;
pub mod prefecture;
mod provider;
mod queue;
pub mod reconcile;
mod set_aside;
pub mod terminal;
