//! The simulator repeats itself, its worlds hold, and every planted fault is found.

use lab::swarm::plant::Plant;
use lab::swarm::{Options, run};

/// Seeds that may be needed to meet a planted fault.
const SEEDS_PER_PLANT_MAX: u64 = 300;

#[test]
fn one_seed_one_world() {
    let options = Options { steps: 2_500, ..Options::default() };
    for seed in [3, 2003] {
        let (first, second) = (run(seed, &options).unwrap(), run(seed, &options).unwrap());
        assert_eq!(first, second);
        assert_eq!(first.trace.len(), 64);
    }
    let traces = [5, 6].map(|seed| run(seed, &options).unwrap().trace);
    assert_ne!(traces[0], traces[1]);
}

#[test]
fn the_rules_hold_in_many_worlds() {
    let options = Options { steps: 2_500, ..Options::default() };
    let (mut crashes, mut answers, mut refusals) = (0, 0, 0);
    for seed in 0..40 {
        let outcome = run(seed, &options).unwrap();
        let last = outcome.last.join("\n");
        assert_eq!(outcome.violation, None, "seed {seed}:\n{last}");
        crashes += outcome.counts.crashes;
        answers += outcome.counts.answers;
        refusals += outcome.counts.refusals;
    }
    // Worlds in which nothing happens would hold as well.
    assert!(crashes > 50 && answers > 500 && refusals > 500, "{crashes} {answers} {refusals}");
}

/// People who move on before their notices have arrived, and movings-out planned for a later day.
#[test]
fn the_rules_hold_for_restless_people() {
    let options = Options { restless: true, ..Options::default() };
    for seed in 0..100 {
        let outcome = run(seed, &options).unwrap();
        let last = outcome.last.join("\n");
        assert_eq!(outcome.violation, None, "seed {seed}:\n{last}");
    }
}

/// Three days without a tier, whichever: everything that happened meanwhile arrives, once.
#[test]
fn three_days_without_a_tier_are_drained() {
    for (place, seeds) in [(0, 0..1), (1, 1..2), (3, 2..3)] {
        for seed in seeds {
            let options = Options { steps: 2_500, outage: Some(place), ..Options::default() };
            let outcome = run(seed, &options).unwrap();
            let last = outcome.last.join("\n");
            assert_eq!(outcome.violation, None, "place {place} out, seed {seed}:\n{last}");
            assert!(outcome.virtual_ms > 72 * 3_600_000);
            assert!(outcome.counts.notices > 50, "{:?}", outcome.counts);
        }
    }
}

fn found_by(plant: Plant) -> (u64, &'static str) {
    // Only among restless people does a notice come before the one before it.
    let restless = plant == Plant::EarlyDropped;
    let options = Options { plant: Some(plant), restless, ..Options::default() };
    for seed in 0..SEEDS_PER_PLANT_MAX {
        if let Some(violation) = run(seed, &options).unwrap().violation {
            return (seed, violation.rule);
        }
    }
    panic!("{plant:?} was not found in {SEEDS_PER_PLANT_MAX} seeds");
}

#[test]
fn every_planted_fault_is_found() {
    let mut strange = Vec::new();
    for plant in Plant::ALL {
        let (seed, rule) = found_by(plant);
        let wanted: &[&str] = match plant {
            Plant::NoticeTwice => &["notice-exactly-once"],
            Plant::AnswerBeforeCommit => &["record-before-answer"],
            Plant::OrderSwapped => &["notice-order", "notice-exactly-once"],
            Plant::AcknowledgeBeforeCommit => {
                &["machine-stopped", "comes-to-rest", "notice-order", "record-before-answer"]
            }
            Plant::LyingDisk => &["durable-record"],
            Plant::OtherAnswer => &["scan"],
            Plant::CardOverreach => &["permit"],
            Plant::ReleaseTwice => &["released-once", "comes-to-rest"],
            Plant::EntryUnreleased => {
                &["set-aside", "tiers-agree", "notice-source", "comes-to-rest"]
            }
            Plant::EarlyDropped => &["tiers-agree", "notice-order"],
            Plant::SetAsideStops => {
                &["comes-to-rest", "notice-exactly-once", "notice-order", "ledger-line"]
            }
        };
        if !wanted.contains(&rule) {
            strange.push(format!("{plant:?} was found at seed {seed} by {rule}"));
        }
    }
    assert!(strange.is_empty(), "{strange:#?}");
}
