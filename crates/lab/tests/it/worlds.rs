//! Worlds by the many: on several threads, watched, made smaller, kept.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use lab::swarm::faults::{FaultKind, FaultSet};
use lab::swarm::kept::kept;
use lab::swarm::many::run_many;
use lab::swarm::plant::Plant;
use lab::swarm::shrink::shrink;
use lab::swarm::{Options, run};

#[test]
fn threads_change_nothing_and_the_order_is_that_of_the_seeds() {
    let options = Options { steps: 600, ..Options::default() };
    let traces = |jobs: usize| {
        let mut told = Vec::new();
        let each = &mut |outcome: lab::swarm::Outcome| {
            told.push((outcome.seed, outcome.trace));
            if told.len() == 6 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        run_many(20..30, &options, NonZeroUsize::new(jobs).unwrap(), each).unwrap();
        told
    };
    let (one, three) = (traces(1), traces(3));
    assert_eq!(one, three);
    assert_eq!(one.iter().map(|(seed, _)| *seed).collect::<Vec<_>>(), (20..26).collect::<Vec<_>>());
}

static LINES: AtomicUsize = AtomicUsize::new(0);

#[test]
fn a_world_that_is_watched_is_the_same_world() {
    let blind = Options { steps: 600, ..Options::default() };
    let watched = Options {
        watch: Some(|_, _| {
            LINES.fetch_add(1, Ordering::Relaxed);
        }),
        ..blind
    };
    assert_eq!(run(4, &blind).unwrap(), run(4, &watched).unwrap());
    assert!(LINES.load(Ordering::Relaxed) > 300);
}

#[test]
fn a_failing_world_is_made_smaller_and_still_fails() {
    let options = Options { plant: Some(Plant::OtherAnswer), ..Options::default() };
    let fails = |seed: &u64| run(*seed, &options).unwrap().violation.is_some();
    let full = |seed: &u64| run(*seed, &options).unwrap().faults.kinds().count() > 3;
    let seed = (0..100).find(|seed| full(seed) && fails(seed)).unwrap();
    let before = run(seed, &options).unwrap();
    let smaller = shrink(seed, &options).unwrap().unwrap();
    // This fault needs none of the others.
    assert_eq!(smaller.outcome.faults, FaultSet::NONE);
    assert!(smaller.options.steps <= before.steps, "{:?}", smaller.options);
    // What is printed is enough to meet it again.
    let again = run(seed, &smaller.options).unwrap();
    assert_eq!(again.violation.unwrap().rule, before.violation.unwrap().rule);
    let command = smaller.options.command(seed);
    let start = format!("jukilab swarm --seeds {seed} --steps {}", smaller.options.steps);
    assert_eq!(command, start + " --only none");
}

#[test]
fn a_world_that_holds_is_not_made_smaller() {
    assert!(shrink(1, &Options { steps: 300, ..Options::default() }).unwrap().is_none());
}

#[test]
fn kinds_are_switched_on_and_off() {
    let only = FaultSet::only(FaultKind::Crash).with(FaultKind::FullDisk);
    let options = Options { steps: 1_500, only: Some(only), ..Options::default() };
    let outcome = run(11, &options).unwrap();
    assert_eq!(outcome.violation, None);
    assert_eq!(outcome.faults, only);
    assert!(outcome.counts.crashes > 0 && outcome.counts.partitions == 0, "{:?}", outcome.counts);
    let options = Options { without: only, ..options };
    let outcome = run(11, &options).unwrap();
    assert_eq!((outcome.counts.crashes, outcome.counts.given_up), (0, 0));
}

#[test]
fn the_kept_seeds_hold() {
    for kept in kept().unwrap() {
        let outcome = run(kept.seed, &kept.options).unwrap();
        assert_eq!(outcome.violation, None, "seed {}: {}", kept.seed, kept.what);
    }
}

/// Enough seeds to meet a municipality, a prefecture and an agency that are somebody else's.
#[test]
fn a_hostile_node_is_told_nothing_and_changes_nobody_elses_resident() {
    let only = Some(FaultSet::only(FaultKind::Hostile));
    let options = Options { steps: 1_500, only, ..Options::default() };
    for seed in 0..10 {
        let outcome = run(seed, &options).unwrap();
        assert_eq!(outcome.violation, None, "seed {seed}:\n{}", outcome.last.join("\n"));
    }
}

#[test]
fn people_press_twice_lend_cards_and_try_on() {
    let only = Some(FaultSet::only(FaultKind::Habits));
    let options = Options { steps: 1_500, only, ..Options::default() };
    for seed in 0..6 {
        let outcome = run(seed, &options).unwrap();
        assert_eq!(outcome.violation, None, "seed {seed}:\n{}", outcome.last.join("\n"));
    }
}
