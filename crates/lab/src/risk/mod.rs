//! Incidents and the risk of a life: the 57 incidents of S3 with its own figures recomputed, and a
//! model of where identifiers are used from birth to death.
//!
//! Not a forecast: the rates of the model are assumptions, each a row of a table with its reason.

pub mod charts;
pub mod choices;
pub mod claims;
pub mod evaluate;
pub mod incidents;
pub mod life;
pub mod measures;
pub mod report;
pub mod stated;
pub mod tables;
pub mod tornado;
pub mod uses;
pub mod weights;

use incidents::{Class, Incident};
use life::Chance;
use measures::Effect;
use stated::Stated;
use uses::Use;

use crate::population::PopulationError;

/// Fewest and most residents whose lives are drawn: fewer give figures that chance moves, more
/// take minutes and bring no other digit.
pub const PERSONS_COUNT_MIN: u64 = 100;
pub const PERSONS_COUNT_MAX: u64 = 1_000_000;

/// What the report is made of unless told otherwise; `docs/risk.md` is this.
pub const SEED_DEFAULT: u64 = 1;
pub const PERSONS_DEFAULT: u64 = 10_000;

/// Why there is no figure.
#[derive(Debug, thiserror::Error)]
pub enum RiskError {
    #[error("table {table} does not read as its README says; restore it from the repository")]
    Table { table: &'static str, source: csv::Error },
    #[error("table {table}, {row}: {rule}")]
    Row { table: &'static str, row: String, rule: &'static str },
    #[error("persons must be between {PERSONS_COUNT_MIN} and {PERSONS_COUNT_MAX}")]
    Persons,
    #[error("no synthetic residents")]
    Population(#[from] PopulationError),
}

/// Every table of the model, read and held against each other.
#[derive(Clone, Debug)]
pub struct Model {
    pub incidents: Vec<Incident>,
    pub classes: Vec<Class>,
    pub stated: Vec<Stated>,
    pub chances: Vec<Chance>,
    pub uses: Vec<Use>,
    pub effects: Vec<Effect>,
}

impl Model {
    /// Reads the tables compiled in.
    ///
    /// # Errors
    /// A table that does not read, or a row that contradicts another table.
    pub fn load() -> Result<Self, RiskError> {
        let classes = incidents::classes()?;
        Ok(Self {
            incidents: incidents::incidents(&classes)?,
            stated: stated::stated()?,
            chances: life::chances()?,
            uses: uses::uses()?,
            effects: measures::effects(&classes)?,
            classes,
        })
    }
}
