//! A store moved from one engine to the other and back: the same rows, the same answers, the same
//! ledger, the same erasures.

use ledger::note::NoteSigner;
use node::ports::{Counter, Reads, Space, Store as _, StoreError, Write};
use store::{Erase as _, Month, NodeStore, Place, Publish as _};
use tempfile::TempDir;
use wire::NodeId;

use crate::bench::{Bench, ORIGIN, SqliteBench, TermToken, signer};
use crate::cluster::shared;
use crate::people::{NOW, code, entry, foreign, held, history, kept, removed};

/// Something in every table, and an erasure behind it.
fn filled() -> SqliteBench {
    let mut bench = SqliteBench::new();
    let mut writes: Vec<Write> = (0..30).map(|n| Write::PutResident(held(n))).collect();
    writes.push(Write::PutResident(removed(40)));
    writes.push(Write::ExpireResident { code: code(40), until: Some(kept()) });
    for n in 0..5 {
        writes.push(Write::AppendHistory { code: code(n), row: history(n, NOW), until: kept() });
        writes.push(Write::PutForeign { subject: code(n), entry: foreign(n, NOW) });
        writes.push(Write::Enqueue { to: NodeId::center(), payload: vec![7; 99] });
    }
    writes.push(Write::Acknowledge { to: NodeId::center(), up_to: 2 });
    writes.push(Write::SetCounter(Counter::Feed, 3));
    writes.push(Write::RequestSeen { request: [3; 16], until: NOW });
    writes.push(Write::PutDirectory(vec![1, 2, 3]));
    writes.push(Write::PutFact { space: Space::Pool, key: vec![9], value: vec![8] });
    bench.put(&writes);
    let entries: Vec<_> = (0..300).map(|n| entry(n, &[n % 30])).collect();
    bench.record(&entries);
    bench.put(&[Write::ReplaceCode { previous: code(3), held: held(60) }]);
    bench.publish(&signer()).unwrap();
    bench
}

/// Everything that the port answers about some people.
fn answers(reads: &dyn Reads) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for n in (0..30).chain([40, 60]) {
        let code = code(n);
        let person = reads.resident(&code).unwrap();
        all.push(person.map(|p| p.identity.items.address.expose().into()).unwrap_or_default());
        all.extend(reads.entries_about(&code, 99).unwrap().into_iter().map(|e| e.entry));
        all.extend(reads.foreign_about(&code, 99).unwrap().into_iter().map(|f| f.entry));
        all.push(vec![u8::try_from(reads.history(&code, 99).unwrap().len()).unwrap()]);
    }
    all.extend(reads.queued(&NodeId::center(), 0, 99).unwrap().into_iter().map(|(_, item)| item));
    all.push(reads.directory().unwrap().unwrap());
    all.push(reads.fact(Space::Pool, &[9]).unwrap().unwrap());
    all.push(reads.checkpoint().unwrap().unwrap().into_bytes());
    all.push(reads.proof(7).unwrap().unwrap().into_bytes());
    all
}

fn open(place: &Place, folder: &TempDir, token: &TermToken) -> NodeStore {
    NodeStore::open(place, &folder.path().join("ledger"), token, ORIGIN, &mut |out| out.fill(9))
        .unwrap()
}

#[test]
fn a_store_moves_to_postgresql_and_back_and_is_the_same() {
    let mut bench = filled();
    let (token, before) = (bench.token.clone(), answers(bench.reads()));
    bench.store = None;
    let here = Place::Sqlite(bench.database());
    let source = open(&here, &bench.dir, &token);

    let (mid, end) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let there = Place::Postgresql(shared().target(&shared().database()));
    let mut told = (0, 0);
    let ledgers = (bench.ledger(), mid.path().join("ledger"));
    let moved = source
        .move_to(&there, (&ledgers.0, &ledgers.1), &mut |done, all| told = (done, all))
        .unwrap();
    assert_eq!(told.0, told.1, "the bar reaches its end");
    assert_eq!(moved.tables, source.digest(&mut |_, _| ()).unwrap());
    assert!(moved.tables.iter().all(|table| table.rows > 0), "{:?}", moved.tables);

    let mut other = open(&there, &mid, &token);
    assert_eq!(other.digest(&mut |_, _| ()).unwrap(), moved.tables);
    assert_eq!(answers(other.reads()), before);
    let report = other.fsck().unwrap();
    assert!(report.ok, "{:?}", report.faults);
    assert_eq!(report, source.fsck().unwrap());
    // It goes on there: new rows, the ledger, an erasure with the keys that came along.
    let dice = &mut |out: &mut [u8]| out.fill(77);
    other.apply(&[Write::PutResident(held(90))], &[entry(900, &[90])], dice).unwrap();
    other.commit().unwrap();
    assert_eq!(other.publish(&signer()).unwrap().size, 301);
    let erased = other.erase_cohorts_before(Month::parse("2031-12").unwrap(), dice).unwrap();
    assert_eq!((erased.residents, erased.history, erased.cohorts), (1, 5, 1));
    assert!(!token.names().contains(&"cohort-2031-11".to_owned()));

    let back = Place::Sqlite(end.path().join("store.db"));
    let ledgers = (mid.path().join("ledger"), end.path().join("ledger"));
    let moved = other.move_to(&back, (&ledgers.0, &ledgers.1), &mut |_, _| ()).unwrap();
    let last = open(&back, &end, &token);
    assert_eq!(last.digest(&mut |_, _| ()).unwrap(), moved.tables);
    let report = last.fsck().unwrap();
    assert!(report.ok, "{:?}", report.faults);
    assert_eq!(report, other.fsck().unwrap());
    assert!(last.reads().proof(300).unwrap().is_some());
    let key = signer().verifier_key().clone();
    let files = store::ledger_files::LedgerDirectory::new(&end.path().join("ledger"));
    let verified = ledger::verify::verify_ledger(&files, &[key]);
    assert!(verified.first_bad.is_none(), "{:?}", verified.first_bad);
    assert_eq!(verified.size, 301);
    assert_eq!(last.erasable_before(Month::parse("2031-12").unwrap()).unwrap().rows(), 0);
}

#[test]
fn a_target_that_holds_something_is_refused_and_untouched() {
    let mut bench = filled();
    let token = bench.token.clone();
    bench.store = None;
    let source = open(&Place::Sqlite(bench.database()), &bench.dir, &token);
    let folder = tempfile::tempdir().unwrap();
    let taken = Place::Postgresql(shared().target(&shared().database()));
    let before = open(&taken, &folder, &TermToken::default()).digest(&mut |_, _| ()).unwrap();
    let taken_file = Place::Sqlite(folder.path().join("store.db"));
    drop(open(&taken_file, &folder, &TermToken::default()));
    let ledgers = (bench.ledger(), folder.path().join("ledger"));
    for place in [&taken, &taken_file] {
        let refused = source.move_to(place, (&ledgers.0, &ledgers.1), &mut |_, _| ());
        assert!(matches!(&refused, Err(StoreError::Io(why)) if why.contains("not empty")));
    }
    let after = open(&taken, &folder, &TermToken::default());
    assert_eq!(after.digest(&mut |_, _| ()).unwrap(), before);
    // A folder with another ledger in it is refused as well.
    std::fs::create_dir_all(folder.path().join("ledger")).unwrap();
    std::fs::write(folder.path().join("ledger/checkpoint"), "another").unwrap();
    let empty = Place::Postgresql(shared().target(&shared().database()));
    let refused = source.move_to(&empty, (&ledgers.0, &ledgers.1), &mut |_, _| ());
    assert!(matches!(refused, Err(StoreError::Io(why)) if why.contains("another ledger")));
}

#[test]
fn a_move_that_breaks_off_leaves_an_empty_target() {
    let mut bench = filled();
    let token = bench.token.clone();
    bench.store = None;
    let source = open(&Place::Sqlite(bench.database()), &bench.dir, &token);
    let (database, folder) = (shared().database(), tempfile::tempdir().unwrap());
    let there = Place::Postgresql(shared().target(&database));
    let ledgers = (bench.ledger(), folder.path().join("ledger"));
    // The session of the move is killed while it copies.
    let broken = source.move_to(&there, (&ledgers.0, &ledgers.1), &mut |done, _| {
        if done > 100 {
            crate::cluster::kill_sessions(&database);
        }
    });
    assert!(matches!(broken, Err(StoreError::Io(_))), "{broken:?}");
    assert!(!folder.path().join("ledger/checkpoint").exists());
    source.move_to(&there, (&ledgers.0, &ledgers.1), &mut |_, _| ()).unwrap();
    assert!(open(&there, &folder, &token).fsck().unwrap().ok);
}

#[test]
fn the_list_of_tables_is_that_of_both_engines() {
    let bench = filled();
    let mut listed: Vec<&str> = NodeStore::tables().to_vec();
    listed.sort_unstable();
    let db = rusqlite::Connection::open(bench.database()).unwrap();
    let names = |db: &rusqlite::Connection, sql: &str| -> Vec<String> {
        let mut statement = db.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    assert_eq!(names(&db, sql), listed);
    let other = crate::postgres_bench::PostgresBench::new();
    let rows = other
        .admin()
        .query(
            "SELECT relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE nspname = 'jukinet' AND relkind IN ('r', 'p') AND NOT relispartition
               AND relname <> 'engine' ORDER BY relname COLLATE \"C\"",
            &[],
        )
        .unwrap();
    let found: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(found, listed);
}
