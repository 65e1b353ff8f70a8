//! Many worlds on several cores; what came of them is told in the order of their seeds, so that
//! two runs say the same.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;

use super::{Options, Outcome, SwarmError, run};

/// Run the worlds of `seeds` on `jobs` threads. `each` is told the outcomes in order and may stop.
///
/// # Errors
/// As [`run`].
pub fn run_many(
    seeds: Range<u64>,
    options: &Options,
    jobs: NonZeroUsize,
    each: &mut dyn FnMut(Outcome) -> ControlFlow<()>,
) -> Result<(), SwarmError> {
    let (next, stop) = (AtomicU64::new(seeds.start), AtomicBool::new(false));
    let work = |done: &mpsc::Sender<(u64, Result<Outcome, SwarmError>)>| {
        while !stop.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            // A receiver that is gone has heard enough.
            if seed >= seeds.end || done.send((seed, run(seed, options))).is_err() {
                return;
            }
        }
    };
    std::thread::scope(|scope| {
        let (done, outcomes) = mpsc::channel();
        for _ in 0..jobs.get() {
            let done = done.clone();
            scope.spawn(move || work(&done));
        }
        drop(done);
        let told = in_order(seeds.start, &outcomes, each);
        stop.store(true, Ordering::Relaxed);
        told
    })
}

fn in_order(
    first: u64,
    outcomes: &mpsc::Receiver<(u64, Result<Outcome, SwarmError>)>,
    each: &mut dyn FnMut(Outcome) -> ControlFlow<()>,
) -> Result<(), SwarmError> {
    let (mut early, mut turn) = (BTreeMap::new(), first);
    for (seed, outcome) in outcomes {
        early.insert(seed, outcome);
        while let Some(outcome) = early.remove(&turn) {
            turn += 1;
            if each(outcome?).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}
