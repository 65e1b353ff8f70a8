//! The planted faults fit the sources of today, and every invariant and incident has one or a
//! reason why not. Whether they are found is `jukilab swarm --planted`'s to say: it builds a copy.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use lab::planted::{WITHOUT_FAULT, faults_in, uncovered, weave};
use lab::swarm::plant::Plant;

/// The goal of the issue was 40; what is there must not quietly become less.
const FAULTS_COUNT_MIN: usize = 90;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn every_edit_still_applies() {
    let root = root();
    let faults = faults_in(&root).unwrap();
    assert!(faults.len() >= FAULTS_COUNT_MIN, "{}", faults.len());
    let woven = weave(&faults, &|file| std::fs::read_to_string(root.join(file)).ok());
    let woven = woven.unwrap_or_else(|error| panic!("{error}"));
    for fault in &faults {
        let switch = format!("planted::is(\"{}\")", fault.name);
        for edit in &fault.edits {
            assert!(woven[&edit.file].contains(&switch), "{} in {}", fault.name, edit.file);
            assert_ne!(edit.find, edit.replace, "{}", fault.name);
        }
        assert!(fault.slip.ends_with('.'), "{}: a sentence", fault.name);
    }
}

#[test]
fn every_invariant_and_incident_has_a_fault_or_a_reason() {
    let faults = faults_in(&root()).unwrap();
    assert_eq!(uncovered(&faults), Vec::<String>::new());
    // A reason that no longer holds goes.
    let planted: BTreeSet<&str> = faults
        .iter()
        .flat_map(|f| f.invariants.iter().chain(&f.incidents))
        .map(|id| &**id)
        .collect();
    for (id, _) in WITHOUT_FAULT {
        assert!(!planted.contains(id), "{id} has a fault and a reason why it has none");
    }
    // Without any fault, nearly everything is open: the check is able to fail.
    assert!(uncovered(&[]).len() > 15);
}

#[test]
fn the_page_names_every_fault_and_nothing_else() {
    let root = root();
    let page = std::fs::read_to_string(root.join("docs/planted.md")).unwrap();
    let listed: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(name, _)| name))
        .collect();
    let faults = faults_in(&root).unwrap();
    let mut there: BTreeSet<String> = faults.into_iter().map(|fault| fault.name).collect();
    there.extend(Plant::ALL.map(Plant::name));
    let there: BTreeSet<&str> = there.iter().map(String::as_str).collect();
    assert_eq!(listed, there, "write it anew: jukilab swarm --planted --write-doc");
}
