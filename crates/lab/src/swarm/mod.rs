//! A simulated nation in one process: the production role machines under a virtual clock, on stores
//! in memory, over a network that loses, doubles, delays and parts, with nodes that crash.
//!
//! One seed is one world: every event follows from it. After every step the checkers of [`check`]
//! look; the first thing that does not hold ends the run. Engines, sockets and cards are outside.

mod aftermath;
pub mod check;
pub(crate) mod country;
pub mod faults;
mod flaky;
mod habits;
mod hostile;
pub mod kept;
pub(crate) mod keys;
mod load;
pub mod many;
mod nation;
mod network;
mod operate;
pub mod plant;
mod register;
mod serve;
pub mod shrink;
mod spare;
mod station;
mod storm;
mod trace;
mod world;

use check::{Counts, Violation};
use faults::{FaultKind, FaultSet, Faults};
use plant::Plant;

/// Events of the stormy part of a run, unless told otherwise.
pub const STEPS_DEFAULT: u64 = 4_000;

/// Most events of one run: what a machine can do in about a minute.
pub const STEPS_COUNT_MAX: u64 = 10_000_000;

/// Why no world could be made. A world that breaks a rule is an [`Outcome`], not an error.
#[derive(Debug, thiserror::Error)]
pub enum SwarmError {
    #[error("the simulated country's fixed data is not as expected")]
    Country,
    #[error("the residents of the simulated country could not be made")]
    Population(#[from] crate::population::PopulationError),
    #[error("a simulated resident's item was not accepted")]
    Item(law::people::ItemError),
}

/// How to run a world.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Events before the weather clears and the network must come to rest.
    pub steps: u64,
    /// Is told every event: virtual milliseconds, and a line. The world is the same without.
    pub watch: Option<fn(u64, &str)>,
    /// Exactly these kinds of faults, not those of the seed.
    pub only: Option<FaultSet>,
    /// Never these, whatever the seed says.
    pub without: FaultSet,
    /// [`FaultKind::Restless`] in any case.
    pub restless: bool,
    /// [`FaultKind::Outage`] in any case, of the node of this place (0 the center, 1 and 2 the
    /// prefectures, 3 to 6 the municipalities).
    pub outage: Option<usize>,
    /// A fault planted on purpose; tests only.
    pub plant: Option<Plant>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            steps: STEPS_DEFAULT,
            watch: None,
            only: None,
            without: FaultSet::NONE,
            restless: false,
            outage: None,
            plant: None,
        }
    }
}

impl Options {
    /// The command that repeats this world.
    #[must_use]
    pub fn command(&self, seed: u64) -> String {
        let mut command = format!("jukilab swarm --seeds {seed} --steps {}", self.steps);
        if let Some(only) = self.only {
            command += &format!(" --only {only}");
        }
        if self.without != FaultSet::NONE {
            command += &format!(" --without {}", self.without);
        }
        command += if self.restless { " --restless" } else { "" };
        command
            + match self.outage {
                None => "",
                Some(0) => " --outage center",
                Some(1 | 2) => " --outage prefecture",
                Some(_) => " --outage municipality",
            }
    }

    /// The faults of the world of this seed.
    fn faults(&self, seed: u64) -> Faults {
        let mut faults = Faults::draw(seed, self.only, self.without);
        // Not both unless asked for: see docs/swarm.md, outside.
        let outage = self.outage.is_some() || faults.outage.is_some();
        if outage && self.only.is_none() {
            let restless = FaultSet::only(FaultKind::Restless);
            faults = Faults::draw(seed, None, restless.with_all(self.without));
        }
        if self.restless {
            faults.kinds = faults.kinds.with(FaultKind::Restless);
            faults.restless = true;
        }
        if self.outage.is_some() {
            faults.kinds = faults.kinds.with(FaultKind::Outage);
            faults.outage = self.outage;
        }
        faults
    }
}

/// What came of one world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub seed: u64,
    pub steps: u64,
    /// Virtual time that passed.
    pub virtual_ms: u64,
    /// SHA-256 of the trace: equal for two runs of one seed.
    pub trace: String,
    pub counts: Counts,
    /// The kinds of faults that this world had.
    pub faults: FaultSet,
    pub violation: Option<Violation>,
    /// The last lines of the trace, for a failure.
    pub last: Vec<String>,
}

/// Run the world of `seed`.
///
/// # Errors
/// The simulator's own data is broken.
pub fn run(seed: u64, options: &Options) -> Result<Outcome, SwarmError> {
    let mut world = world::World::new(seed, *options)?;
    let result = world.live();
    Ok(world.finish(seed, result.err()))
}
