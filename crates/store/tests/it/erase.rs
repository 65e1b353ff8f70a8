//! Erasure by destroying cohort keys: what is past its month is gone, the rest opens, the ledger
//! still verifies.

use law::time::Timestamp;
use ledger::note::NoteSigner;
use node::ports::{Leaf, NewEntry, Store as _, StoreError, Write};
use store::{Erase as _, Month, SqliteStore};

use crate::bench::{Bench, SqliteBench, signer};
use crate::people::{
    NOW, code, entry, foreign, held, history, kept, kept_after, provision_text, removed,
};

/// 2031-11-22, five years later.
const LATER: Timestamp = Timestamp(1_953_075_600_000);

fn leaf_at(id: u64, at: Timestamp) -> NewEntry {
    let leaf = Leaf { subject: Some(code(1)), entry: provision_text(&code(1), id, at) };
    NewEntry { id: ledger::EntryId(id), leaves: vec![leaf] }
}

#[test]
fn months_are_those_of_japan() {
    assert_eq!(Month::of(NOW), Month::new(2026, 11).unwrap());
    assert_eq!(Month::of(LATER), Month::new(2031, 11).unwrap());
    // 2026-12-01 in Japan, still November in Greenwich.
    assert_eq!(Month::of(Timestamp(1_796_054_400_000 - 1)).to_string(), "2026-12");
    assert!(Month::new(2026, 13).is_none());
    assert_eq!(Month::parse("2031-11"), Month::new(2031, 11));
    assert_eq!(Month::parse("2031-11").unwrap().to_string(), "2031-11");
}

#[test]
fn rows_become_unreadable_when_their_cohort_goes() {
    let mut bench = SqliteBench::new();
    bench.put(&[
        Write::PutResident(held(1)),
        Write::AppendHistory { code: code(1), row: history(1, NOW), until: kept() },
        Write::AppendHistory { code: code(1), row: history(2, LATER), until: kept_after(LATER) },
        Write::PutForeign { subject: code(1), entry: foreign(1, NOW) },
        Write::PutForeign { subject: code(1), entry: foreign(2, LATER) },
    ]);
    bench.record(&[leaf_at(1, NOW), leaf_at(2, LATER), entry(3, &[2])]);
    bench.publish(&signer()).unwrap();

    // Not a day early: the month of expiry itself is still kept.
    let none = bench.erase(Month::new(2031, 11).unwrap()).unwrap();
    assert_eq!(none, store::Erased::default());
    let erased = bench.erase(Month::new(2031, 12).unwrap()).unwrap();
    assert_eq!((erased.history, erased.entries, erased.foreign, erased.cohorts), (1, 0, 0, 1));
    assert_eq!(bench.reads().history(&code(1), 9).unwrap(), vec![history(2, LATER)]);

    let erased = bench.erase(Month::new(2033, 12).unwrap()).unwrap();
    assert_eq!((erased.history, erased.entries, erased.foreign, erased.cohorts), (0, 2, 1, 1));
    let about = bench.reads().entries_about(&code(1), 9).unwrap();
    assert_eq!(about.iter().map(|entry| entry.index).collect::<Vec<_>>(), vec![1]);
    assert_eq!(bench.reads().entries_about(&code(2), 9).unwrap(), vec![]);
    assert_eq!(bench.reads().entries_from(0, 9).unwrap().len(), 1);
    assert_eq!(bench.reads().foreign_about(&code(1), 9).unwrap(), vec![foreign(2, LATER)]);
    assert_eq!(bench.reads().resident(&code(1)).unwrap(), Some(held(1)));

    // The ledger goes on and still verifies, erased entries included.
    assert_eq!(bench.reads().entries_count().unwrap(), 3);
    assert!(bench.reads().proof(0).unwrap().is_some());
    bench.crash();
    let recorded = bench.record(&[leaf_at(4, LATER)]);
    assert_eq!(recorded[0].first_index, 3);
    bench.publish(&signer()).unwrap();
    let key = signer().verifier_key().clone();
    let files = store::ledger_files::LedgerDirectory::new(&bench.ledger());
    let verified = ledger::verify::verify_ledger(&files, &[key]);
    assert!(verified.first_bad.is_none(), "{:?}", verified.first_bad);
    assert_eq!(verified.size, 4);
    let report = bench.store().fsck().unwrap();
    assert!(report.ok, "{:?}", report.faults);
}

#[test]
fn erased_keys_and_rows_leave_no_trace_in_database_or_log() {
    let mut bench = SqliteBench::new();
    bench.put(&[Write::PutResident(held(1))]);
    for n in 0..40 {
        bench.put(&[Write::AppendHistory { code: code(1), row: history(n, NOW), until: kept() }]);
    }
    bench.record(&[leaf_at(1, NOW)]);
    let mut gone = blobs(&bench, "SELECT wrapped FROM cohort");
    gone.extend(blobs(&bench, "SELECT sealed FROM history"));
    gone.extend(blobs(&bench, "SELECT sealed FROM entry"));
    assert_eq!(gone.len(), 43);
    assert!(gone.iter().all(|blob| in_files(&bench, blob)), "the search can find");
    bench.erase(Month::new(2033, 12).unwrap()).unwrap();
    assert!(!gone.iter().any(|blob| in_files(&bench, blob)));
    assert_eq!(bench.reads().resident(&code(1)).unwrap(), Some(held(1)));
}

/// Blobs as they stand in the file, seen from outside.
fn blobs(bench: &SqliteBench, sql: &str) -> Vec<Vec<u8>> {
    let db = rusqlite::Connection::open(bench.database()).unwrap();
    let mut statement = db.prepare(sql).unwrap();
    let found = statement.query_map([], |row| row.get(0)).unwrap();
    found.map(Result::unwrap).collect()
}

fn in_files(bench: &SqliteBench, part: &[u8]) -> bool {
    ["store.db", "store.db-wal"].iter().any(|name| {
        let bytes = std::fs::read(bench.dir.path().join(name)).unwrap_or_default();
        bytes.windows(part.len()).any(|window| window == part)
    })
}

#[test]
fn the_row_of_a_removed_resident_goes_with_its_month() {
    let mut bench = SqliteBench::new();
    let expire = |n, until| Write::ExpireResident { code: code(n), until };
    bench.put(&[
        Write::PutResident(removed(1)),
        expire(1, Some(kept())),
        Write::PutResident(removed(2)),
        expire(2, Some(kept())),
        // History that is kept longer keeps its person findable.
        Write::AppendHistory { code: code(2), row: history(2, LATER), until: kept_after(LATER) },
        Write::PutResident(removed(3)),
        expire(3, Some(kept())),
        expire(3, None),
        Write::PutResident(removed(4)),
        expire(4, Some(kept())),
        Write::PutResident(held(4)),
        expire(5, Some(kept())),
    ]);
    assert_eq!(bench.reads().resident(&code(1)).unwrap(), Some(removed(1)), "kept until then");
    let would = bench.store().erasable_before(Month::parse("2031-12").unwrap()).unwrap();
    assert_eq!((would.residents, would.history), (2, 0));
    let gone = blobs(&bench, "SELECT sealed FROM resident WHERE id = 1");
    let erased = bench.erase(Month::parse("2031-12").unwrap()).unwrap();
    assert_eq!((erased.residents, erased.cohorts), (1, 1));
    assert_eq!(bench.reads().resident(&code(1)).unwrap(), None);
    assert!(!in_files(&bench, &gone[0]));
    for n in [2, 3] {
        assert_eq!(bench.reads().resident(&code(n)).unwrap(), Some(removed(n)));
    }
    assert_eq!(bench.reads().resident(&code(4)).unwrap(), Some(held(4)));
    let report = bench.store().fsck().unwrap();
    assert!(report.ok, "{:?}", report.faults);
    let erased = bench.erase(Month::parse("2036-12").unwrap()).unwrap();
    assert_eq!((erased.residents, erased.history), (1, 1));
    assert!(bench.store().fsck().unwrap().ok);
}

#[test]
fn what_comes_after_its_month_goes_with_the_next_erasure() {
    let mut bench = SqliteBench::new();
    bench.put(&[Write::PutResident(held(1))]);
    bench.erase(Month::parse("2040-01").unwrap()).unwrap();
    bench.put(&[Write::AppendHistory { code: code(1), row: history(1, NOW), until: kept() }]);
    bench.crash();
    assert_eq!(bench.reads().history(&code(1), 9).unwrap().len(), 1);
    assert!(bench.store().fsck().unwrap().ok);
    assert_eq!(bench.erase(Month::parse("2040-02").unwrap()).unwrap().history, 1);
}

/// People, history and entries of November 2026.
fn filled() -> SqliteBench {
    let mut bench = SqliteBench::new();
    let mut writes: Vec<Write> = (0..10).map(|n| Write::PutResident(held(n))).collect();
    for n in 0..10 {
        writes.push(Write::AppendHistory { code: code(n), row: history(n, NOW), until: kept() });
    }
    writes.push(Write::PutResident(removed(20)));
    writes.push(Write::ExpireResident { code: code(20), until: Some(kept()) });
    bench.put(&writes);
    bench.record(&[leaf_at(1, NOW)]);
    bench.publish(&signer()).unwrap();
    bench
}

#[test]
fn an_erasure_that_is_cut_short_anywhere_is_finished_later() {
    let end = Month::parse("2031-12").unwrap();
    let whole = |bench: &SqliteBench| {
        assert!(bench.reads().history(&code(1), 9).unwrap().is_empty());
        assert_eq!(bench.reads().resident(&code(20)).unwrap(), None);
        assert!(!bench.token.names().contains(&"cohort-2031-11".to_owned()));
        let report = bench.store().fsck().unwrap();
        assert!(report.ok, "{:?}", report.faults);
    };
    // After any number of rows.
    for rows in 1..12 {
        let mut bench = filled();
        let some = bench.store_mut().erase_some_before(end, rows, &mut |out| out.fill(7)).unwrap();
        assert_eq!(some.rows(), rows.min(11));
        bench.crash();
        assert!(bench.store().fsck().unwrap().ok, "sound in between");
        assert!(bench.token.names().contains(&"cohort-2031-11".to_owned()));
        let early = bench.store_mut().erase_keys_before(end);
        assert_eq!(early.is_err(), rows < 11, "no key goes before its rows");
        bench.erase(end).unwrap();
        whole(&bench);
    }
    // The database is through, the token is not: the next start sees to it.
    let mut bench = filled();
    bench.token.stick(true);
    assert!(matches!(bench.erase(end), Err(StoreError::Key(_))));
    assert!(bench.token.names().contains(&"cohort-2031-11".to_owned()));
    bench.store = None;
    assert!(bench.open().is_err(), "a token that does not destroy is not passed over");
    bench.token.stick(false);
    bench.crash();
    whole(&bench);
    // The token made a key for a group that was given up: it serves the next one.
    let mut bench = filled();
    let late =
        Write::AppendHistory { code: code(1), row: history(1, LATER), until: kept_after(LATER) };
    bench.apply(std::slice::from_ref(&late));
    bench.rollback();
    assert!(bench.token.names().contains(&"cohort-2036-11".to_owned()));
    bench.put(&[late]);
    bench.crash();
    assert_eq!(bench.reads().history(&code(1), 9).unwrap().len(), 2);
}

/// A copy of database and ledger, as a thief or a backup has it.
fn copy_of(bench: &SqliteBench) -> tempfile::TempDir {
    let aside = tempfile::tempdir().unwrap();
    let copy = |from: &std::path::Path, to: &std::path::Path| {
        let status = std::process::Command::new("cp").arg("-a").args([from, to]).status();
        assert!(status.unwrap().success());
    };
    copy(&bench.database(), &aside.path().join("store.db"));
    copy(&bench.ledger(), &aside.path().join("ledger"));
    let log = bench.dir.path().join("store.db-wal");
    if log.exists() {
        copy(&log, &aside.path().join("store.db-wal"));
    }
    aside
}

#[test]
fn a_copy_of_six_years_ago_opens_only_what_is_not_yet_expired() {
    let mut bench = filled();
    let unended = Write::ExpireResident {
        code: code(21),
        until: Some(law::time::Date::parse("2106-11-22").unwrap()),
    };
    bench.store_mut().renew_rows(2026, 2022, 99, &mut |out| out.fill(3)).unwrap();
    bench.put(&[Write::PutResident(held(30)), Write::PutResident(removed(21)), unended]);
    let to = wire::NodeId::center();
    let fact = |value: &[u8]| Write::PutFact {
        space: node::ports::Space::Arrival,
        key: b"key".to_vec(),
        value: value.to_vec(),
    };
    bench.put(&[Write::Enqueue { to: to.clone(), payload: b"queued".to_vec() }, fact(b"fact")]);
    let aside = copy_of(&bench);
    let old = |token: &crate::bench::TermToken| {
        let (database, ledger) = (aside.path().join("store.db"), aside.path().join("ledger"));
        SqliteStore::open_read_only(&database, &ledger, token).unwrap()
    };
    assert_eq!(old(&bench.token).reads().history(&code(1), 9).unwrap().len(), 1, "before");
    assert_eq!(old(&bench.token).reads().resident(&code(30)).unwrap(), Some(held(30)));

    for year in 2027..=2032u32 {
        let keep_from = year + 2 - 5;
        while !bench
            .store_mut()
            .renew_rows(year, keep_from, 3, &mut |out| out.fill(u8::try_from(year % 251).unwrap()))
            .unwrap()
        {}
        bench.erase(Month::new(u16::try_from(year).unwrap(), 12).unwrap()).unwrap();
    }
    assert_eq!(bench.reads().resident(&code(30)).unwrap(), Some(held(30)), "the register goes on");
    let kept = |reads: &dyn node::ports::Reads| {
        (reads.queued(&to, 0, 9).ok(), reads.fact(node::ports::Space::Arrival, b"key").ok())
    };
    let whole = (Some(vec![(1, b"queued".to_vec())]), Some(Some(b"fact".to_vec())));
    assert_eq!(kept(bench.reads()), whole, "sealed anew");
    assert_eq!(kept(old(&bench.token).reads()), (None, None), "what was under way then");
    let then = old(&bench.token);
    assert!(then.reads().history(&code(1), 9).is_err(), "an expired row");
    for n in [1, 20, 30] {
        assert!(then.reads().resident(&code(n)).is_err(), "a row that may be expired: {n}");
    }
    assert_eq!(then.reads().entries_from(0, 9).unwrap().len(), 1, "seven years");
    assert_eq!(then.reads().resident(&code(21)).unwrap(), Some(removed(21)), "eighty years");
    drop(then);
    put_back(&bench, aside.path());
}

/// Putting such a copy back drops what it cannot open, and is sound.
fn put_back(bench: &SqliteBench, aside: &std::path::Path) {
    let mut restored = SqliteStore::open(
        &aside.join("store.db"),
        &aside.join("ledger"),
        &bench.token,
        crate::bench::ORIGIN,
        &mut |out| out.fill(9),
    )
    .unwrap();
    let before = bench.token.names();
    let dropped = restored.drop_unreadable(Month::parse("2032-12").unwrap(), 2029).unwrap();
    assert_eq!((dropped.history, dropped.residents, dropped.entries), (10, 12, 0));
    assert_eq!(bench.token.names(), before, "an old copy destroys nothing of today's");
    let report = restored.fsck().unwrap();
    assert!(report.ok, "{:?}", report.faults);
    restored.apply(&[Write::PutResident(held(5))], &[], &mut |out| out.fill(11)).unwrap();
    restored.commit().unwrap();
    assert_eq!(restored.reads().resident(&code(5)).unwrap(), Some(held(5)));
}

#[test]
fn keys_that_are_missing_before_their_time_drop_nothing() {
    let mut bench = filled();
    bench.store_mut().renew_rows(2026, 2022, 99, &mut |out| out.fill(3)).unwrap();
    bench.put(&[Write::PutResident(held(30))]);
    let rows = |bench: &SqliteBench| {
        ["resident", "history", "entry", "cohort"]
            .map(|table| blobs(bench, &format!("SELECT CAST(rowid AS BLOB) FROM {table}")).len())
    };
    let (all, before) = (rows(&bench), Month::parse("2026-11").unwrap());
    for term in ["row-2026", "cohort-2031-11", "cohort-2033-11"] {
        let lost = bench.token.lose(term);
        assert!(lost, "there is such a key: {term}");
        bench.crash();
        let refused = bench.store_mut().drop_unreadable(before, 2023).unwrap_err().to_string();
        assert!(refused.contains(term) && refused.contains("not this node's"), "{refused}");
        assert_eq!(rows(&bench), all, "nothing was dropped");
        bench.token.find(term);
    }
    bench.crash();
    assert_eq!(bench.store_mut().drop_unreadable(before, 2023).unwrap(), store::Erased::default());
    // Without any key it does not even open, for reading neither.
    let names = bench.token.names();
    names.iter().for_each(|name| assert!(bench.token.lose(name)));
    bench.store = None;
    let refused = bench.open().unwrap_err().to_string();
    assert!(refused.contains("none of the keys for terms"), "{refused}");
    let (database, ledger) = (bench.database(), bench.ledger());
    assert!(SqliteStore::open_read_only(&database, &ledger, &bench.token).is_err());
    names.iter().for_each(|name| bench.token.find(name));
    bench.crash();
    assert_eq!(rows(&bench), all);
    assert_eq!(bench.reads().resident(&code(30)).unwrap(), Some(held(30)));
}

#[test]
fn a_new_row_epoch_leaves_old_rows_readable() {
    let mut bench = SqliteBench::new();
    bench.put(&[Write::PutResident(held(1))]);
    bench.store_mut().begin_row_epoch(2027).unwrap();
    bench.put(&[Write::PutResident(held(2))]);
    bench.crash();
    assert_eq!(bench.token.names(), ["row-1", "row-2027"]);
    assert_eq!(bench.reads().resident(&code(1)).unwrap(), Some(held(1)));
    assert_eq!(bench.reads().resident(&code(2)).unwrap(), Some(held(2)));
    bench.apply(&[Write::PutResident(held(3))]);
    assert!(bench.store_mut().begin_row_epoch(2028).is_err(), "refused while a group is open");
    assert!(bench.erase(Month::new(2100, 1).unwrap()).is_err());
    bench.rollback();
    assert!(bench.store_mut().begin_row_epoch(24_300).is_err(), "a month is no epoch");
    while !bench.store_mut().renew_rows(2027, 2023, 1, &mut |out| out.fill(8)).unwrap() {}
    assert_eq!(bench.token.names(), ["row-2027"]);
    assert_eq!(bench.reads().resident(&code(1)).unwrap(), Some(held(1)));
}
