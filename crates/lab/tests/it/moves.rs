//! Every way in which a resident can move in small worlds, walked through; and planted faults,
//! found.

use lab::model::fault::Fault;
use lab::model::scene::Scene;
use lab::model::{Options, Report, check};

/// Things that happen one after the other in the worlds of the ordinary test run; `jukilab moves`
/// looks further.
const DEPTH: usize = 9;

fn walk(options: &Options) -> Report {
    check(options, &mut |_, _| {}).unwrap()
}

fn holds(options: &Options, worlds_min: usize) {
    let report = walk(options);
    if let Some((rule, story)) = &report.found {
        panic!("{:?}: not so: {rule}\n{}", options.scene, story.join("\n"));
    }
    let Report { worlds, steps, machine_states, .. } = report;
    println!("{:?}: {worlds} worlds, {steps} steps, {machine_states}", options.scene);
    assert!(worlds >= worlds_min, "{:?}: only {worlds} worlds", options.scene);
}

#[test]
fn every_small_world_of_moves_holds() {
    for (scene, worlds_min) in [
        (Scene::Pair, 800),
        (Scene::Wrong, 2_000),
        (Scene::Return, 1_000),
        (Scene::Chain, 1_500),
        (Scene::Cheat, 2_000),
    ] {
        holds(&Options { depth: Some(DEPTH), ..Options::of(scene) }, worlds_min);
    }
}

#[test]
fn a_move_holds_under_power_cuts_and_doubled_messages() {
    let options =
        Options { crashes: 1, doubles: 1, depth: Some(DEPTH), ..Options::of(Scene::Pair) };
    holds(&options, 5_000);
}

/// What is deeper than the walks above reach: whole moves there and back, and on.
#[test]
fn whole_journeys_come_to_rest() {
    for scene in [Scene::Return, Scene::Chain] {
        holds(&Options { depth: Some(14), ..Options::of(scene) }, 10_000);
    }
}

#[test]
fn every_planted_fault_of_a_move_is_found() {
    for (fault, scene, rules) in [
        (
            Fault::DepartureNotKept,
            Scene::Pair,
            &["released to one municipality", "all tiers come to agree"][..],
        ),
        (
            Fault::CounterNotKept,
            Scene::Pair,
            &["no honest notice is set aside", "all tiers come to agree"],
        ),
        (
            Fault::OlderCopy,
            Scene::Pair,
            &["current in one municipality at most", "all tiers come to agree"],
        ),
        (
            Fault::NoReleaseNeeded,
            Scene::Cheat,
            &["no entry without a release", "all tiers come to agree"],
        ),
    ] {
        let crashes = u8::from(fault == Fault::OlderCopy);
        let options = Options { fault: Some(fault), crashes, ..Options::of(scene) };
        let report = walk(&Options { depth: Some(14), ..options });
        let (rule, story) = report.found.unwrap_or_else(|| panic!("{fault:?} was not found"));
        assert!(rules.contains(&rule), "{fault:?} was found by {rule}:\n{}", story.join("\n"));
        assert!(story.iter().any(|line| line.contains("moving-")), "{story:?}");
        println!("{fault:?}: {rule}\n{}", story.join("\n"));
    }
}
