//! A failing world made smaller: fewer kinds of faults, fewer events, and still the same rule
//! breaks.

use super::faults::{FaultKind, FaultSet};
use super::{Options, Outcome, SwarmError, run};

/// Worlds that are run for one shrinking: each kind a few times, and the bisection.
const SHRINK_RUNS_COUNT_MAX: u32 = 120;

/// The number of events is not made smaller by less than this.
const SHRINK_STEPS_MIN: u64 = 25;

/// The smallest world found.
#[derive(Clone, Debug)]
pub struct Shrunk {
    pub options: Options,
    pub outcome: Outcome,
    /// Worlds that were run for it.
    pub runs: u32,
}

/// Make the failing world of `seed` smaller; `None`: it does not fail.
///
/// # Errors
/// As [`run`].
pub fn shrink(seed: u64, options: &Options) -> Result<Option<Shrunk>, SwarmError> {
    let outcome = run(seed, options)?;
    if outcome.violation.is_none() {
        return Ok(None);
    }
    let mut smallest = Shrunk { options: *options, outcome, runs: 1 };
    smallest.options.only = Some(smallest.outcome.faults);
    // What came after the violation is nothing to it.
    let steps = smallest.outcome.steps;
    smallest.attempt(seed, |options| options.steps = options.steps.min(steps))?;
    smallest.attempt(seed, |options| switch_off(options, FaultSet::all()))?;
    smallest.kinds(seed)?;
    smallest.steps(seed)?;
    // With fewer events, some kinds may have nothing left to do.
    smallest.kinds(seed)?;
    Ok(Some(smallest))
}

fn switch_off(options: &mut Options, kinds: FaultSet) {
    options.only = options.only.map(|only| only.without(kinds));
    options.restless &= !kinds.has(FaultKind::Restless);
    options.outage = options.outage.filter(|_| !kinds.has(FaultKind::Outage));
}

impl Shrunk {
    /// Keep a change of the options if the same rule still breaks.
    fn attempt(
        &mut self,
        seed: u64,
        change: impl FnOnce(&mut Options),
    ) -> Result<bool, SwarmError> {
        let mut options = self.options;
        change(&mut options);
        if self.runs >= SHRINK_RUNS_COUNT_MAX {
            return Ok(false);
        }
        self.runs += 1;
        let outcome = run(seed, &options)?;
        let rule = |outcome: &Outcome| outcome.violation.as_ref().map(|found| found.rule);
        let same = rule(&outcome) == rule(&self.outcome);
        if same {
            (self.options, self.outcome) = (options, outcome);
        }
        Ok(same)
    }

    fn kinds(&mut self, seed: u64) -> Result<(), SwarmError> {
        for kind in self.outcome.faults.kinds() {
            self.attempt(seed, |options| switch_off(options, FaultSet::only(kind)))?;
        }
        Ok(())
    }

    fn steps(&mut self, seed: u64) -> Result<(), SwarmError> {
        let (mut low, mut high) = (0, self.options.steps);
        while high > low + SHRINK_STEPS_MIN {
            let middle = low + (high - low) / 2;
            if self.attempt(seed, |options| options.steps = middle)? {
                high = middle;
            } else {
                low = middle;
            }
        }
        Ok(())
    }
}
