//! Erasure by destroying cohort keys: what is past its month is gone, the rest opens, the ledger
//! still verifies.

use law::time::Timestamp;
use ledger::entry::EntryKind;
use ledger::note::NoteSigner;
use node::ports::{Leaf, NewEntry, Write};
use store::{ENTRY_RETENTION_MONTHS, HISTORY_RETENTION_MONTHS, Month};

use crate::bench::{Bench, SqliteBench, signer};
use crate::people::{NOW, code, entry, foreign, held, history, provision_text};

/// 2031-11-22, five years later.
const LATER: Timestamp = Timestamp(1_953_075_600_000);

fn leaf_at(id: u64, at: Timestamp) -> NewEntry {
    let leaf = Leaf { subject: Some(code(1)), entry: provision_text(&code(1), id, at) };
    NewEntry { id: ledger::EntryId(id), leaves: vec![leaf] }
}

#[test]
fn terms_are_those_of_the_ordinance() {
    assert_eq!(HISTORY_RETENTION_MONTHS, 60);
    assert_eq!(ENTRY_RETENTION_MONTHS, 84);
    assert_eq!(Month::of(NOW), Month::new(2026, 11).unwrap());
    assert_eq!(Month::of(LATER), Month::new(2031, 11).unwrap());
    // 2026-12-01 in Japan, still November in Greenwich.
    assert_eq!(Month::of(Timestamp(1_796_054_400_000 - 1)).to_string(), "2026-12");
    assert!(Month::new(2026, 13).is_none());
    assert_eq!(EntryKind::Provision.key(), "provision");
}

#[test]
fn rows_become_unreadable_when_their_cohort_goes() {
    let mut bench = SqliteBench::new();
    bench.put(&[
        Write::PutResident(held(1)),
        Write::AppendHistory { code: code(1), row: history(1, NOW) },
        Write::AppendHistory { code: code(1), row: history(2, LATER) },
        Write::PutForeign { subject: code(1), entry: foreign(1, NOW) },
        Write::PutForeign { subject: code(1), entry: foreign(2, LATER) },
    ]);
    bench.record(&[leaf_at(1, NOW), leaf_at(2, LATER), entry(3, &[2])]);
    bench.publish(&signer()).unwrap();

    // Not a day early: the month of expiry itself is still kept.
    let none = bench.store_mut().erase_cohorts_before(Month::new(2031, 11).unwrap()).unwrap();
    assert_eq!(none, store::Erased::default());
    let erased = bench.store_mut().erase_cohorts_before(Month::new(2031, 12).unwrap()).unwrap();
    assert_eq!((erased.history, erased.entries, erased.foreign, erased.cohorts), (1, 0, 0, 1));
    assert_eq!(bench.reads().history(&code(1), 9).unwrap(), vec![history(2, LATER)]);

    let erased = bench.store_mut().erase_cohorts_before(Month::new(2033, 12).unwrap()).unwrap();
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
        bench.put(&[Write::AppendHistory { code: code(1), row: history(n, NOW) }]);
    }
    bench.record(&[leaf_at(1, NOW)]);
    let mut gone = blobs(&bench, "SELECT wrapped FROM cohort");
    gone.extend(blobs(&bench, "SELECT sealed FROM history"));
    gone.extend(blobs(&bench, "SELECT sealed FROM entry"));
    assert_eq!(gone.len(), 43);
    assert!(gone.iter().all(|blob| in_files(&bench, blob)), "the search can find");
    bench.store_mut().erase_cohorts_before(Month::new(2033, 12).unwrap()).unwrap();
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
fn a_new_row_epoch_leaves_old_rows_readable() {
    let mut bench = SqliteBench::new();
    bench.put(&[Write::PutResident(held(1))]);
    assert_eq!(bench.store_mut().begin_row_epoch().unwrap(), 2);
    bench.put(&[Write::PutResident(held(2))]);
    bench.crash();
    assert_eq!(bench.reads().resident(&code(1)).unwrap(), Some(held(1)));
    assert_eq!(bench.reads().resident(&code(2)).unwrap(), Some(held(2)));
    bench.apply(&[Write::PutResident(held(3))]);
    assert!(bench.store_mut().begin_row_epoch().is_err(), "refused while a group is open");
    assert!(bench.store_mut().erase_cohorts_before(Month::new(2100, 1).unwrap()).is_err());
}
