//! Continuous reconciliation of real processes: a record that was altered in the center's store
//! while the center stood still is found, repaired and on record within a minute.

use std::path::Path;
use std::time::{Duration, Instant};

use jukinet::config;
use jukinet::runner::process::{open_store, open_store_read_only};
use law::code::RecordCode;
use law::people::Name;
use ledger::entry::{Entry, EntryKind};
use node::ports::{Store as _, Write};

use crate::country::{Country, KUNITACHI, eventually, people, residents_csv};

const PEOPLE: u64 = 40;

/// Alters one record behind the node's back, with the node's own key.
fn falsify(country: &Country, node: &str, code: &RecordCode) {
    let config = config::load_node(Path::new(&country.config(node))).unwrap();
    let token = jukinet::token_file::open(&config.token).unwrap();
    let mut store = open_store(&config, &token).unwrap();
    let mut held = store.reads().resident(code).unwrap().unwrap();
    held.identity.items.name = Name::parse("偽名\u{3000}太郎").unwrap();
    let mut dice = |bytes: &mut [u8]| getrandom::fill(bytes).unwrap();
    store.apply(&[Write::PutResident(held)], &[], &mut dice).unwrap();
    store.commit().unwrap();
}

fn entries_about(country: &Country, node: &str, code: &RecordCode) -> Vec<EntryKind> {
    let config = config::load_node(Path::new(&country.config(node))).unwrap();
    let token = jukinet::token_file::open(&config.token).unwrap();
    let store = open_store_read_only(&config, &token).unwrap();
    let open = store.reads().entries_about(code, 100).unwrap();
    open.iter().map(|open| Entry::parse(&open.entry).unwrap().kind()).collect()
}

#[test]
fn one_falsified_record_is_found_and_repaired_within_a_minute() {
    let mut country = Country::with_tiers();
    let people = people(PEOPLE, KUNITACHI);
    let file = country.write("residents.csv", residents_csv(&people).as_bytes());
    assert_eq!(country.notice(KUNITACHI, &file).code, 0);
    country.await_tiers(KUNITACHI, PEOPLE);
    country.stop("center");
    let code = RecordCode::parse(&people[17].code).unwrap();
    falsify(&country, "center", &code);
    assert!(!country.tiers_equal(KUNITACHI, PEOPLE), "the test must be able to fail");
    country.start("center");
    let started = Instant::now();
    eventually("the record is as it was", Duration::from_secs(60), || {
        country.tiers_equal(KUNITACHI, PEOPLE)
    });
    eprintln!("repaired {:?} after the start", started.elapsed());
    for node in ["center", "prefecture-13"] {
        let kinds = entries_about(&country, node, &code);
        for kind in [EntryKind::Diverged, EntryKind::Repaired] {
            assert_eq!(kinds.iter().filter(|k| **k == kind).count(), 1, "{node} {kind:?}");
        }
        assert_eq!(country.fsck(node).code, 0);
    }
    assert_eq!(entries_about(&country, "municipality-132152", &code), vec![]);
}
