//! The first load of an empty store: what it holds is what single changes would have made, and
//! what a broken one leaves is refused.

use std::fs;
use std::path::Path;

use law::query::terms;
use node::ports::{StoreError, Write};
use store::{LoadProgress, SqliteStore};

use crate::bench::{Bench, ORIGIN, SqliteBench, TestDice, signer};
use crate::people::{code, entry, held, moved, removed};

fn load(
    bench: &mut SqliteBench,
    people: &[u64],
    progress: &mut dyn FnMut(LoadProgress),
) -> Result<u64, StoreError> {
    let mut dice = TestDice(9);
    let mut people = people.iter().map(|n| if n % 50 == 49 { removed(*n) } else { held(*n) });
    bench.store_mut().first_load(&mut people, &mut |out| dice.fill(out), progress)
}

/// Opens a copy of the files as they are now, for writing and for reading.
fn open_copy(bench: &SqliteBench) -> (Option<StoreError>, Option<StoreError>) {
    let copy = tempfile::tempdir().unwrap();
    for item in fs::read_dir(bench.dir.path()).unwrap() {
        let item = item.unwrap();
        if item.file_type().unwrap().is_file() {
            fs::copy(item.path(), copy.path().join(item.file_name())).unwrap();
        }
    }
    refusals(copy.path(), bench)
}

fn refusals(dir: &Path, bench: &SqliteBench) -> (Option<StoreError>, Option<StoreError>) {
    let (database, ledger) = (dir.join("store.db"), dir.join("ledger"));
    let mut dice = TestDice(77);
    let mut fill = |out: &mut [u8]| dice.fill(out);
    let writing = SqliteStore::open(&database, &ledger, &bench.token, ORIGIN, &mut fill).err();
    let reading = SqliteStore::open_read_only(&database, &ledger, &bench.token).err();
    (writing, reading)
}

fn assert_refused((writing, reading): (Option<StoreError>, Option<StoreError>)) {
    for refused in [writing, reading] {
        let why = refused.expect("a half loaded store was opened").to_string();
        assert!(why.contains("did not end"), "{why}");
    }
}

#[test]
fn a_first_load_is_what_single_changes_would_have_made() {
    let people: Vec<u64> = (0..2_000).collect();
    let mut slow = SqliteBench::new();
    let one = |n: &u64| if n % 50 == 49 { removed(*n) } else { held(*n) };
    slow.put(&people.iter().map(|n| Write::PutResident(one(n))).collect::<Vec<_>>());
    let mut fast = SqliteBench::new();
    let mut seen = Vec::new();
    assert_eq!(load(&mut fast, &people, &mut |step| seen.push(step)).unwrap(), 2_000);
    assert!(matches!(seen.first(), Some(LoadProgress::Rows(2_000))), "{seen:?}");
    assert!(matches!(seen.last(), Some(LoadProgress::Syncing)));
    assert_eq!(fast.store().fsck().unwrap(), slow.store().fsck().unwrap());
    assert!(!fast.dir.path().join("store.db.terms").exists());
    for n in (0..2_000).step_by(97) {
        for term in terms(&held(n).identity) {
            let all = usize::MAX >> 1;
            let by = |bench: &SqliteBench| bench.reads().candidates(&term, all).unwrap();
            assert!(by(&fast) == by(&slow));
        }
    }
    // It goes on as any store: changes, entries, a new opening.
    fast.put(&[Write::PutResident(moved(1, "東京都三鷹市野崎一丁目1番1号"))]);
    fast.record(&[entry(1, &[1])]);
    fast.publish(&signer()).unwrap();
    fast.open().unwrap();
    assert!(fast.store().fsck().unwrap().ok);
    assert_eq!(fast.reads().residents_count().unwrap(), 1_960);
}

#[test]
fn what_a_broken_first_load_left_is_refused_at_every_moment() {
    let mut bench = SqliteBench::new();
    let dir = bench.dir.path().to_path_buf();
    let copies = std::cell::RefCell::new(Vec::new());
    let copy = || {
        let copy = tempfile::tempdir().unwrap();
        for item in fs::read_dir(&dir).unwrap() {
            let item = item.unwrap();
            if item.file_type().unwrap().is_file() {
                fs::copy(item.path(), copy.path().join(item.file_name())).unwrap();
            }
        }
        copies.borrow_mut().push(copy);
    };
    let mut people = (0..3_000).map(held).inspect(|held| {
        if [code(0), code(1_500), code(2_999)].contains(&held.identity.code) {
            copy();
        }
    });
    let mut indexed = 0;
    let mut step = |step: LoadProgress| match step {
        LoadProgress::Index { .. } if indexed % 100 != 0 => indexed += 1,
        LoadProgress::Index { .. } => {
            indexed += 1;
            copy();
        }
        _ => copy(),
    };
    let mut dice = TestDice(9);
    let mut fill = |out: &mut [u8]| dice.fill(out);
    bench.store_mut().first_load(&mut people, &mut fill, &mut step).unwrap();
    let copies = copies.take();
    assert!(copies.len() >= 7, "{}", copies.len());
    for copy in &copies {
        assert_refused(refusals(copy.path(), &bench));
    }
    assert!(matches!(open_copy(&bench), (None, None)));
}

#[test]
fn two_people_with_one_code_break_a_first_load_and_nothing_of_it_is_served() {
    let mut bench = SqliteBench::new();
    let why = load(&mut bench, &[1, 2, 3, 4, 2], &mut |_| ()).unwrap_err().to_string();
    assert!(why.contains("person 5 of the load"), "{why}");
    assert!(!why.contains(code(2).expose()));
    assert!(bench.try_apply(&[Write::PutResident(held(9))], &[]).is_err());
    bench.rollback();
    assert!(bench.try_apply(&[Write::PutResident(held(9))], &[]).is_err());
    assert!(bench.try_commit().is_err());
    bench.store = None;
    assert_refused(open_copy(&bench));
    assert!(!bench.dir.path().join("store.db.terms").exists());
}

#[test]
fn a_first_load_is_refused_where_somebody_is_held() {
    let mut bench = SqliteBench::new();
    bench.put(&[Write::PutResident(held(1))]);
    let why = load(&mut bench, &[2, 3], &mut |_| ()).unwrap_err().to_string();
    assert!(why.contains("somebody is held already"), "{why}");
    bench.apply(&[Write::PutResident(held(9))]);
    assert!(load(&mut bench, &[2, 3], &mut |_| ()).is_err());
    bench.try_commit().unwrap();
    assert_eq!(bench.reads().residents_count().unwrap(), 2);
    assert!(matches!(open_copy(&bench), (None, None)));
}
