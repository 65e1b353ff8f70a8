//! Copies of the files at any moment: a copy always opens whole, and never behind its checkpoint.

use std::fs;
use std::path::Path;

use node::ports::{Counter, Store, StoreError, Write};
use store::{Publish, SqliteStore};

use crate::bench::{Bench, ModelBench, ORIGIN, SqliteBench, TestDice, TestToken, signer};
use crate::people::{entry, held};

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for item in fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let target = to.join(item.file_name());
        if item.file_type().unwrap().is_dir() {
            copy_tree(&item.path(), &target);
        } else {
            fs::copy(item.path(), target).unwrap();
        }
    }
}

/// What a power cut leaves: everything but the shared-memory index, which is not a file to rely on.
fn power_cut(bench: &SqliteBench) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_tree(bench.dir.path(), copy.path());
    let _ = fs::remove_file(copy.path().join("store.db-shm"));
    copy
}

fn open(dir: &Path) -> Result<SqliteStore, StoreError> {
    let mut dice = TestDice(77);
    SqliteStore::open(
        &dir.join("store.db"),
        &dir.join("ledger"),
        &TestToken(0x5a),
        ORIGIN,
        &mut |out: &mut [u8]| dice.fill(out),
    )
}

/// Whole, and exactly at the last commit.
fn assert_at(dir: &Path, counter: u64, entries: u64, published: u64) {
    let mut store = open(dir).unwrap();
    assert_eq!(store.reads().counter(&Counter::Feed).unwrap(), counter);
    assert_eq!(store.reads().entries_count().unwrap(), entries);
    assert_eq!(store.reads().residents_count().unwrap(), counter);
    for index in 0..published {
        assert!(store.reads().proof(index).unwrap().is_some());
    }
    assert_eq!(store.reads().proof(published).unwrap(), None);
    let report = store.fsck().unwrap();
    assert!(report.ok, "{:?}", report.faults);
    assert_eq!(store.publish(&signer()).unwrap().size, entries);
    let report = store.fsck().unwrap();
    assert!(report.ok, "{:?}", report.faults);
}

#[test]
fn a_copy_made_at_any_moment_opens_at_the_last_commit() {
    let mut bench = SqliteBench::new();
    let (mut committed, mut entries, mut published) = (0u64, 0u64, 0u64);
    for round in 1..=12u64 {
        bench.apply(&[Write::PutResident(held(round)), Write::SetCounter(Counter::Feed, round)]);
        assert_at(power_cut(&bench).path(), committed, entries, published);
        // Rounds of different sizes cross a tile.
        let count = if round == 5 { 260 } else { round % 3 + 1 };
        let new: Vec<_> = (0..count).map(|n| entry(round * 1_000 + n, &[round])).collect();
        bench.try_apply(&[], &new).unwrap();
        assert_at(power_cut(&bench).path(), committed, entries, published);
        bench.try_commit().unwrap();
        (committed, entries) = (round, entries + count);
        assert_at(power_cut(&bench).path(), committed, entries, published);
        if round % 2 == 0 {
            bench.publish(&signer()).unwrap();
            published = entries;
            assert_at(power_cut(&bench).path(), committed, entries, published);
        }
    }
}

#[test]
fn a_log_torn_at_any_byte_gives_some_earlier_commit_or_is_refused() {
    let mut bench = SqliteBench::new();
    bench.put(&[Write::PutResident(held(1)), Write::SetCounter(Counter::Feed, 1)]);
    bench.record(&[entry(1, &[1])]);
    bench.publish(&signer()).unwrap();
    for round in 2..=4u64 {
        bench
            .try_apply(
                &[Write::PutResident(held(round)), Write::SetCounter(Counter::Feed, round)],
                &[entry(round, &[round])],
            )
            .unwrap();
        bench.try_commit().unwrap();
    }
    let wal = bench.dir.path().join("store.db-wal");
    let length = fs::metadata(&wal).unwrap().len();
    let mut seen = std::collections::BTreeSet::new();
    let mut dice = TestDice(3);
    for _ in 0..60 {
        let copy = power_cut(&bench);
        let cut = dice.next() % (length + 1);
        let file =
            fs::OpenOptions::new().write(true).open(copy.path().join("store.db-wal")).unwrap();
        file.set_len(cut).unwrap();
        match open(copy.path()) {
            Ok(store) => {
                let counter = store.reads().counter(&Counter::Feed).unwrap();
                assert_eq!(store.reads().residents_count().unwrap(), counter);
                assert_eq!(store.reads().entries_count().unwrap(), counter);
                assert!(store.reads().proof(0).unwrap().is_some());
                let report = store.fsck().unwrap();
                assert!(report.ok, "{:?}", report.faults);
                seen.insert(Some(counter));
            }
            // A log cut before the published entry is a disk that lost synced data: refused.
            Err(StoreError::LedgerAhead { ledger: 1, store: 0 }) => {
                seen.insert(None);
            }
            // Cut inside the very first transaction the file is a new, empty store.
            Err(error) => panic!("{error}"),
        }
    }
    assert!(seen.contains(&Some(4)) || seen.contains(&Some(3)), "{seen:?}");
    assert!(seen.len() > 1, "{seen:?}");
}

#[test]
fn an_older_database_beside_a_newer_ledger_is_refused() {
    let mut bench = SqliteBench::new();
    bench.record(&[entry(1, &[1])]);
    bench.publish(&signer()).unwrap();
    let backup = power_cut(&bench);
    bench.record(&[entry(2, &[1]), entry(3, &[2])]);
    bench.publish(&signer()).unwrap();
    bench.store = None;
    for name in ["store.db", "store.db-wal"] {
        let _ = fs::remove_file(bench.dir.path().join(name));
        let _ = fs::copy(backup.path().join(name), bench.dir.path().join(name));
    }
    assert!(matches!(bench.open(), Err(StoreError::LedgerAhead { ledger: 3, store: 1 })));
    // Put aside, written on, and put back: as long as the ledger, but another history.
    let aside = tempfile::tempdir().unwrap();
    copy_tree(backup.path(), aside.path());
    let mut store = open(aside.path()).unwrap();
    let mut dice = TestDice(99);
    let again = [entry(2, &[1]), entry(3, &[2]), entry(4, &[2])];
    store.apply(&[], &again, &mut |out: &mut [u8]| dice.fill(out)).unwrap();
    store.commit().unwrap();
    drop(store);
    let _ = fs::remove_file(bench.dir.path().join("store.db-wal"));
    fs::copy(aside.path().join("store.db"), bench.dir.path().join("store.db")).unwrap();
    assert!(matches!(bench.open(), Err(StoreError::LedgerAhead { ledger: 3, store: 4 })));
    // No database at all beside a ledger is the oldest copy there is.
    fs::remove_file(bench.dir.path().join("store.db")).unwrap();
    assert!(matches!(bench.open(), Err(StoreError::LedgerAhead { ledger: 3, store: 0 })));
}

#[test]
fn two_processes_cannot_write_one_store_but_one_may_check_it() {
    let mut bench = SqliteBench::new();
    bench.put(&[Write::PutResident(held(1))]);
    bench.record(&[entry(1, &[1])]);
    bench.publish(&signer()).unwrap();
    assert!(matches!(open(bench.dir.path()), Err(StoreError::Io(_))));
    let mut beside =
        SqliteStore::open_read_only(&bench.database(), &bench.ledger(), &TestToken(0x5a)).unwrap();
    bench.put(&[Write::PutResident(held(2))]);
    let report = beside.fsck().unwrap();
    assert!(report.ok && report.residents == 2, "{:?}", report.faults);
    assert!(beside.apply(&[Write::PutResident(held(3))], &[], &mut |_| ()).is_err());
    assert!(beside.publish(&signer()).is_err());
}

#[test]
fn another_token_another_origin_and_another_program_are_refused() {
    let mut bench = SqliteBench::new();
    bench.put(&[Write::PutResident(held(1))]);
    bench.store = None;
    let try_open = |token: u8, origin: &str| {
        SqliteStore::open(
            &bench.database(),
            &bench.ledger(),
            &TestToken(token),
            origin,
            &mut |out: &mut [u8]| out.fill(1),
        )
        .map(|_| ())
    };
    assert!(matches!(try_open(1, ORIGIN), Err(StoreError::Key(_))));
    assert!(matches!(try_open(0x5a, "jukinet.example/other"), Err(StoreError::Damaged(_))));
    let db = rusqlite::Connection::open(bench.database()).unwrap();
    db.pragma_update(None, "user_version", 3).unwrap();
    assert!(matches!(try_open(0x5a, ORIGIN), Err(StoreError::Version { found: 3, expected: 2 })));
    db.pragma_update(None, "user_version", 2).unwrap();
    db.pragma_update(None, "application_id", 7).unwrap();
    assert!(matches!(try_open(0x5a, ORIGIN), Err(StoreError::Damaged(_))));
    drop(db);
    fs::write(bench.database(), vec![b'x'; 8192]).unwrap();
    assert!(matches!(try_open(0x5a, ORIGIN), Err(StoreError::Damaged(_))));
}

#[test]
fn a_full_disk_loses_the_group_and_nothing_else() {
    let mut bench = SqliteBench::new();
    bench.put(&[Write::PutResident(held(1)), Write::SetCounter(Counter::Feed, 1)]);
    bench.store = None;
    // SQLite's own limit answers like a full disk; it is set from outside, on the file's size.
    bench.open().unwrap();
    bench.store_mut().limit_pages(40).unwrap();
    let mut failed = None;
    for n in 0..400u64 {
        let write = Write::Enqueue {
            to: wire::NodeId::center(),
            payload: vec![u8::try_from(n % 251).unwrap(); 2_000],
        };
        if let Err(error) = bench.try_apply(&[write], &[]) {
            failed = Some(error);
            break;
        }
    }
    assert!(matches!(failed, Some(StoreError::DiskFull)), "{failed:?}");
    assert!(bench.try_commit().is_err());
    bench.rollback();
    assert_eq!(bench.reads().queue_bounds(&wire::NodeId::center()).unwrap(), (0, 0));
    bench.put(&[Write::SetCounter(Counter::Feed, 2)]);
    bench.crash();
    assert_eq!(bench.reads().counter(&Counter::Feed).unwrap(), 2);
}

#[test]
fn a_disk_that_lies_is_caught_at_the_next_start() {
    let mut model = ModelBench::new();
    model.record(&[entry(1, &[1])]);
    model.publish(&signer()).unwrap();
    model.store.set_commits(store::model::Commits::Lying);
    model.record(&[entry(2, &[1])]);
    assert_eq!(model.reads().entries_count().unwrap(), 2);
    model.try_apply(&[], &[entry(3, &[1])]).unwrap();
    model.rollback();
    assert_eq!(model.reads().entries_count().unwrap(), 2, "a rollback keeps what was promised");
    model.store.lose_unsynced().unwrap();
    assert_eq!(model.reads().entries_count().unwrap(), 1);
    model.record(&[entry(4, &[1])]);
    model.publish(&signer()).unwrap();
    let ahead = model.store.lose_unsynced();
    assert!(matches!(ahead, Err(StoreError::LedgerAhead { ledger: 2, store: 1 })));
}
