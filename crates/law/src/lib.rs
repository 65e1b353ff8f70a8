//! What may be done: who may learn what about whom, under which article. Pure: no clock, no disk,
//! no network, no randomness; whatever a rule needs is an argument.
//!
//! This crate is the only place that decides. It is not where bytes are parsed (`wire`), where
//! things are kept (`store`) or where the decision is recorded (`ledger`).

pub mod affair;
pub mod change;
pub mod character;
pub mod code;
pub mod denial;
pub mod disclosure;
pub mod fold;
pub mod inquiry;
pub mod moving;
pub mod municipality;
pub mod organ;
pub mod people;
pub mod pool;
pub mod query;
pub mod recipient;
pub mod register;
pub mod retention;
pub mod time;

pub use affair::{Affair, AffairId, AgencyCode, Channel, Epoch};
pub use denial::{Denial, PublicRefusal};
pub use inquiry::{Held, Inquiry, Permit, Release, authorize, may};

/// A source of random bytes handed in from outside: nothing in the pure crates draws its own.
pub type Dice<'a> = &'a mut dyn FnMut(&mut [u8]);
