//! What breaks jukinet: a synthetic population and a simulated nation.
//!
//! A laboratory, not a part of the product: the shipped binary never links this crate, and this
//! crate never links the shipped binary.

pub mod bench;
pub mod chart;
pub mod codes;
pub mod commands;
pub mod crash;
mod draw;
mod live;
pub mod model;
pub mod planted;
pub mod population;
pub mod risk;
pub mod scenario;
pub mod swarm;
