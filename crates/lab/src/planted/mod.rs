//! Planted faults (docs/decisions/0021): slips that a careless developer could have made, each one
//! an edit of a scratch copy of the sources. They measure the simulator's checkers.
//!
//! Nothing here is in the shipped sources: a fault is a file under `crates/lab/planted`, and the
//! switch that turns it on exists in the copy only. Copying, building and running is `live`'s.

mod measure;
mod score;
mod weave;

use std::collections::BTreeSet;

use serde::Deserialize;

pub use measure::{MeasureError, Plan, faults_in, measure};
pub use score::{Found, Row, Score, by_number, line, page, table};
pub use weave::{SWITCH_VARIABLE, WeaveError, Woven, weave};

use crate::swarm::plant::Plant;

/// Folder of the faults, from the root of the source tree.
pub const FAULTS_FOLDER: &str = "crates/lab/planted";

/// Seeds that a fault may take to be found.
pub const SEEDS_DEFAULT: u64 = 2_000;

/// Share of the faults that must be found, in percent.
pub const FOUND_PERCENT_MIN: u64 = 95;

/// Invariants of docs/invariants.md and incidents that set requirements, by their numbers.
pub const INVARIANTS: u32 = 18;
pub const INCIDENTS: u32 = 11;

/// What no fault is planted against, and why.
pub const WITHOUT_FAULT: [(&str, &str); 4] = [
    ("V13", "support measures for protected residents are not built: there is nothing to break"),
    ("V14", "there is no limit per card and day yet: no stop that could be inexact"),
    ("V15", "no machine of the simulator ever holds a private key: tokens stand outside of it"),
    ("J9", "the flag that protects a victim from a relative is not built (V13)"),
];

/// One planted fault.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The name of its file.
    #[serde(skip)]
    pub name: String,
    /// What a careless developer did, in one sentence.
    pub slip: String,
    /// Invariants that it breaks: V1 to V18.
    pub invariants: Vec<String>,
    /// Incidents of the kind it would lead to: J1 to J11.
    #[serde(default)]
    pub incidents: Vec<String>,
    /// Rules of the checkers that may find it.
    pub rules: Vec<String>,
    /// Further options of the worlds it is looked for in.
    #[serde(default)]
    pub options: Vec<String>,
    /// Seeds within which the full test must find it; none: it takes too long for the full test.
    pub within: Option<u64>,
    pub edits: Vec<Edit>,
}

/// One place of the sources that the fault changes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// From the root of the source tree.
    pub file: String,
    /// Stands exactly once in that file.
    pub find: String,
    /// What stands there instead when the fault is on. A text with the word `PLANTED` is taken as
    /// it is, with the switch in that word's place.
    pub replace: String,
    #[serde(default)]
    pub form: Form,
}

/// What the text of an edit is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// An expression: `(if on { replace } else { find })`.
    #[default]
    Expression,
    /// Statements: the same without the brackets.
    Statements,
}

/// A fault file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    #[error("planted fault {name}: {why}")]
    File { name: String, why: String },
}

impl Fault {
    /// Read a fault from the text of its file.
    ///
    /// # Errors
    /// The text is not of this form, or names an invariant or incident that there is not.
    pub fn parse(name: &str, text: &str) -> Result<Self, FaultError> {
        let wrong = |why: String| FaultError::File { name: name.to_owned(), why };
        let fault: Self = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
        let known = |id: &str, letter: char, count: u32| {
            let number = id.strip_prefix(letter).and_then(|rest| rest.parse().ok());
            number.is_some_and(|number: u32| (1..=count).contains(&number))
        };
        if let Some(odd) = fault.invariants.iter().find(|id| !known(id, 'V', INVARIANTS)) {
            return Err(wrong(format!("{odd} is no invariant; V1 to V{INVARIANTS}")));
        }
        if let Some(odd) = fault.incidents.iter().find(|id| !known(id, 'J', INCIDENTS)) {
            return Err(wrong(format!("{odd} is no incident; J1 to J{INCIDENTS}")));
        }
        if fault.edits.is_empty() || fault.rules.is_empty() || fault.invariants.is_empty() {
            return Err(wrong("needs an edit, a rule that may find it, an invariant".to_owned()));
        }
        Ok(Self { name: name.to_owned(), ..fault })
    }
}

/// Invariants and incidents against which nothing is planted although no reason is stated.
#[must_use]
pub fn uncovered(faults: &[Fault]) -> Vec<String> {
    let mut covered: BTreeSet<&str> = WITHOUT_FAULT.iter().map(|(id, _)| *id).collect();
    for fault in faults {
        covered.extend(fault.invariants.iter().chain(&fault.incidents).map(String::as_str));
    }
    for plant in Plant::ALL {
        covered.extend(plant.breaks());
    }
    let invariants = (1..=INVARIANTS).map(|number| format!("V{number}"));
    let incidents = (1..=INCIDENTS).map(|number| format!("J{number}"));
    invariants.chain(incidents).filter(|id| !covered.contains(id.as_str())).collect()
}
