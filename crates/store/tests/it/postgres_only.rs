//! What only PostgreSQL can show: lost lines, a killed server, two writers, what its files hold.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use law::people::Name;
use node::ports::{Counter, Store as _, StoreError, Write};
use store::{KeyError, KeySource, PostgresStore, Publish as _};
use wire::NodeId;
use zeroize::Zeroizing;

use crate::bench::{Bench, ORIGIN, SqliteBench, TermToken, TestDice, signer};
use crate::cluster::{Cluster, kill_sessions, shared};
use crate::people::{NOW, code, entry, foreign, held, history, kept};
use crate::postgres_bench::PostgresBench;

#[test]
fn a_lost_line_loses_the_open_group_whole_and_nothing_else() {
    let mut bench = PostgresBench::new();
    bench.put(&[Write::PutResident(held(1))]);
    bench.record(&[entry(1, &[1])]);
    bench.publish(&signer()).unwrap();
    bench.try_apply(&[Write::PutResident(held(2))], &[entry(2, &[2])]).unwrap();
    kill_sessions(&bench.database);
    assert!(bench.try_apply(&[Write::PutResident(held(3))], &[]).is_err());
    // A commit now would let a receipt be made for the first part, which is gone.
    assert!(bench.try_commit().is_err());
    bench.rollback();
    // The same store goes on, over a new line.
    assert_eq!(bench.reads().resident(&code(2)).unwrap(), None);
    assert_eq!(bench.reads().resident(&code(1)).unwrap(), Some(held(1)));
    assert_eq!(bench.record(&[entry(3, &[1])])[0].first_index, 1);
    assert_eq!(bench.publish(&signer()).unwrap().size, 2);
    assert!(bench.store().fsck().unwrap().ok);
    // Between two groups nothing is lost, and nobody notices.
    kill_sessions(&bench.database);
    bench.put(&[Write::PutResident(held(4))]);
    kill_sessions(&bench.database);
    assert_eq!(bench.reads().resident(&code(4)).unwrap(), Some(held(4)));
    // Lost at the commit itself: nothing of it is there.
    bench.try_apply(&[Write::PutResident(held(5))], &[]).unwrap();
    kill_sessions(&bench.database);
    assert!(bench.try_commit().is_err());
    bench.rollback();
    assert_eq!(bench.reads().resident(&code(5)).unwrap(), None);
}

#[test]
fn a_killed_server_comes_back_with_every_commit_and_no_more() {
    let mut cluster = Cluster::start();
    let mut bench = PostgresBench::on(&cluster);
    for round in 1..=3u64 {
        let feed = Write::SetCounter(Counter::Feed, round);
        bench.put(&[Write::PutResident(held(round)), feed]);
        bench.record(&[entry(round, &[round])]);
        bench.publish(&signer()).unwrap();
        bench.try_apply(&[Write::PutResident(held(99))], &[entry(99, &[99])]).unwrap();
        cluster.kill();
        assert!(bench.try_commit().is_err_and(|error| matches!(error, StoreError::Io(_))));
        cluster.run();
        bench.rollback();
        assert_eq!(bench.reads().counter(&Counter::Feed).unwrap(), round);
        assert_eq!(bench.reads().residents_count().unwrap(), round);
        assert_eq!(bench.reads().entries_count().unwrap(), round);
        let report = bench.store().fsck().unwrap();
        assert!(report.ok, "{:?}", report.faults);
    }
}

#[test]
fn two_processes_cannot_write_one_store_but_one_may_check_it() {
    let mut bench = PostgresBench::new();
    bench.put(&[Write::PutResident(held(1))]);
    bench.record(&[entry(1, &[1])]);
    bench.publish(&signer()).unwrap();
    let target = shared().target(&bench.database);
    let mut dice = TestDice(5);
    let second = PostgresStore::open(&target, &bench.ledger(), &bench.token, ORIGIN, &mut |out| {
        dice.fill(out);
    });
    assert!(matches!(second, Err(StoreError::Io(why)) if why.contains("another process")));
    let mut beside = PostgresStore::open_read_only(&target, &bench.ledger(), &bench.token).unwrap();
    bench.put(&[Write::PutResident(held(2))]);
    let report = beside.fsck().unwrap();
    assert!(report.ok && report.residents == 2, "{:?}", report.faults);
    assert!(beside.apply(&[Write::PutResident(held(3))], &[], &mut |_| ()).is_err());
    assert!(beside.publish(&signer()).is_err());
}

/// End the sessions of this database, and wait until they have ended.
fn end_sessions(database: &str) {
    kill_sessions(database);
    let left = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1";
    let mut admin = shared().admin("postgres");
    while admin.query_one(left, &[&database]).unwrap().get::<_, i64>(0) != 0 {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

/// Nothing goes through this store any more, whatever is asked first.
fn assert_shut(bench: &mut PostgresBench, is_why: fn(&StoreError) -> bool) {
    for round in 0..2 {
        assert!(bench.reads().resident(&code(1)).is_err(), "{round}");
        assert!(bench.reads().entries_count().is_err(), "{round}");
        let refused = bench.try_apply(&[Write::PutResident(held(9))], &[entry(9, &[9])]);
        assert!(refused.as_ref().is_err_and(is_why), "{round}: {refused:?}");
        assert!(bench.try_commit().is_err(), "{round}");
        bench.rollback();
        let loaded = bench.store_mut().bulk_load(&mut (20..22).map(held), &mut |out| out.fill(3));
        assert!(loaded.as_ref().is_err_and(is_why), "{round}: {loaded:?}");
        bench.rollback();
        // Also not over a session that an administrator ended meanwhile.
        kill_sessions(&bench.database);
    }
}

/// Residents, entries, and the number of the writer.
fn counted(bench: &PostgresBench) -> (i64, i64, i64) {
    let row = bench.admin().query_one(
        "SELECT (SELECT count(*) FROM resident), (SELECT count(*) FROM entry),
                (SELECT value FROM engine WHERE name = 'writer')",
        &[],
    );
    let row = row.unwrap();
    (row.get(0), row.get(1), row.get(2))
}

#[test]
fn a_writer_that_was_replaced_while_its_line_was_lost_does_not_go_on() {
    let mut bench = PostgresBench::new();
    bench.put(&[Write::PutResident(held(1))]);
    bench.record(&[entry(1, &[1])]);
    end_sessions(&bench.database);
    let target = shared().target(&bench.database);
    let mut dice = TestDice(5);
    let mut fill = |out: &mut [u8]| dice.fill(out);
    let mut second =
        PostgresStore::open(&target, &bench.ledger(), &bench.token, ORIGIN, &mut fill).unwrap();
    second.apply(&[Write::PutResident(held(2))], &[], &mut fill).unwrap();
    second.commit().unwrap();
    drop(second);
    let left = counted(&bench);
    assert_shut(
        &mut bench,
        |why| matches!(why, StoreError::Damaged(why) if why.contains("another")),
    );
    assert!(bench.publish(&signer()).is_err());
    assert_eq!(counted(&bench), left);
    // A new start looks at everything anew.
    bench.open().unwrap();
    assert_eq!(bench.reads().resident(&code(2)).unwrap(), Some(held(2)));
}

#[test]
fn a_database_that_lost_committed_entries_under_the_process_is_not_written_again() {
    let mut bench = PostgresBench::new();
    bench.put(&[Write::PutResident(held(1))]);
    bench.record(&[entry(1, &[1])]);
    bench.publish(&signer()).unwrap();
    // Committed, and in no checkpoint yet.
    bench.record(&[entry(2, &[1])]);
    let mut admin = bench.admin();
    admin
        .batch_execute(
            "CREATE TABLE public.away AS SELECT * FROM entry WHERE idx = 1;
             DELETE FROM entry_subject WHERE idx = 1; DELETE FROM entry WHERE idx = 1",
        )
        .unwrap();
    drop(admin);
    end_sessions(&bench.database);
    let left = counted(&bench);
    let behind = |why: &StoreError| matches!(why, StoreError::LedgerAhead { ledger: 2, store: 1 });
    assert_shut(&mut bench, behind);
    assert_eq!(counted(&bench), left);
    // What comes back later does not open it again.
    bench.admin().batch_execute("INSERT INTO entry SELECT * FROM public.away").unwrap();
    assert_shut(&mut bench, behind);
}

/// Ends the sessions of a database when the keyring has kept its root key and nothing else is.
struct Cutting<'a>(&'a TermToken, &'a str);

impl KeySource for Cutting<'_> {
    fn wrap(&self, plain: &[u8], nonce: [u8; 12]) -> Result<Vec<u8>, KeyError> {
        self.0.wrap(plain, nonce)
    }
    fn unwrap(&self, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        self.0.unwrap(wrapped)
    }
    fn retention_create(&self, name: &str) -> Result<(), KeyError> {
        self.0.retention_create(name)
    }
    fn retention_wrap(&self, name: &str, key: &[u8], nonce: [u8; 12]) -> Result<Vec<u8>, KeyError> {
        self.0.retention_wrap(name, key, nonce)
    }
    fn retention_unwrap(
        &self,
        name: &str,
        wrapped: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
        self.0.retention_unwrap(name, wrapped)
    }
    fn retention_destroy(&self, name: &str) -> Result<(), KeyError> {
        self.0.retention_destroy(name)
    }
    fn retention_names(&self) -> Result<Vec<String>, KeyError> {
        self.0.retention_names()
    }
    fn share(&self) -> Arc<dyn KeySource + Send + Sync> {
        end_sessions(self.1);
        self.0.share()
    }
}

#[test]
fn a_line_lost_while_a_store_is_new_leaves_no_store_without_its_key() {
    let (database, token) = (shared().database(), TermToken::default());
    let (target, dir) = (shared().target(&database), tempfile::tempdir().unwrap());
    let mut dice = TestDice(5);
    let mut fill = |out: &mut [u8]| dice.fill(out);
    let cutting = Cutting(&token, &database);
    let cut = PostgresStore::open(&target, dir.path(), &cutting, ORIGIN, &mut fill);
    assert!(matches!(cut, Err(StoreError::Io(_))), "{cut:?}");
    let kept = shared().admin(&database).query_one("SELECT count(*) FROM meta", &[]).unwrap();
    assert_eq!(kept.get::<_, i64>(0), 0);
    for n in 1..=2 {
        let mut store =
            PostgresStore::open(&target, dir.path(), &token, ORIGIN, &mut fill).unwrap();
        store.apply(&[Write::PutResident(held(n))], &[], &mut fill).unwrap();
        store.commit().unwrap();
        assert_eq!(store.reads().resident(&code(1)).unwrap(), Some(held(1)));
    }
}

#[test]
fn a_commit_that_the_server_refuses_keeps_nothing_and_the_line_goes_on() {
    let mut bench = PostgresBench::new();
    bench.record(&[entry(1, &[1])]);
    let refuse = "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql
                  AS $$BEGIN RAISE EXCEPTION 'refused at commit'; END$$;
                  CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON entry
                  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.refuse()";
    bench.admin().batch_execute(refuse).unwrap();
    bench.try_apply(&[Write::PutResident(held(2))], &[entry(2, &[2])]).unwrap();
    let refused = bench.try_commit();
    let is_told = |why: &StoreError| why.to_string().contains("refused at commit");
    assert!(refused.as_ref().is_err_and(is_told), "{refused:?}");
    bench.rollback();
    assert_eq!(bench.reads().resident(&code(2)).unwrap(), None);
    bench.admin().batch_execute("DROP TRIGGER refuse ON entry").unwrap();
    assert_eq!(bench.record(&[entry(3, &[1])])[0].first_index, 1);
    assert!(bench.store().fsck().unwrap().ok);
}

#[test]
fn an_older_database_another_token_and_another_program_are_refused() {
    let mut bench = PostgresBench::new();
    bench.record(&[entry(1, &[1]), entry(2, &[1])]);
    bench.publish(&signer()).unwrap();
    bench.store = None;
    let mut admin = bench.admin();
    admin.batch_execute("DELETE FROM entry_subject; DELETE FROM entry WHERE idx = 1").unwrap();
    assert!(matches!(bench.open(), Err(StoreError::LedgerAhead { ledger: 2, store: 1 })));
    admin.batch_execute("UPDATE engine SET value = 9 WHERE name = 'version'").unwrap();
    assert!(matches!(bench.open(), Err(StoreError::Version { found: 9, .. })));
    admin.batch_execute("UPDATE engine SET value = 9 WHERE name = 'application'").unwrap();
    assert!(matches!(bench.open(), Err(StoreError::Damaged(_))));
}

#[test]
fn damage_is_found_and_named_by_place() {
    let damages = [
        (
            "UPDATE resident SET sealed = (SELECT sealed FROM resident WHERE id = 2) WHERE id = 1",
            "resident row 1",
        ),
        ("DELETE FROM term WHERE resident = 3 AND kind = 2", "resident row 3"),
        ("INSERT INTO term VALUES (1, 2, 3)", "term"),
        ("UPDATE counter SET value = 19 WHERE name = 'residents'", "counter"),
        ("UPDATE history SET resident = 5", "history row 1"),
        ("UPDATE entry SET sealed = entry.leaf_data WHERE idx = 3", "entry 3"),
        ("DELETE FROM entry_subject WHERE idx = 1", "entry 1"),
        ("UPDATE foreign_entry SET digest = digest + 1", "foreign_entry row 1"),
        ("DELETE FROM queue_item WHERE sequence = 2", "queue center 3"),
    ];
    for (sql, place) in damages {
        let mut bench = PostgresBench::new();
        let mut writes: Vec<Write> = (0..20).map(|n| Write::PutResident(held(n))).collect();
        let row = history(1, NOW);
        writes.push(Write::AppendHistory { code: code(1), row, until: kept() });
        writes.push(Write::PutForeign { subject: code(2), entry: foreign(2, NOW) });
        for n in 0..3 {
            writes.push(Write::Enqueue { to: NodeId::center(), payload: vec![n; 9] });
        }
        writes.push(Write::Acknowledge { to: NodeId::center(), up_to: 1 });
        bench.put(&writes);
        bench.record(&(0..5).map(|n| entry(n, &[n])).collect::<Vec<_>>());
        assert!(bench.store().fsck().unwrap().ok);
        assert!(bench.admin().execute(sql, &[]).unwrap() > 0, "{sql}");
        let report = bench.store().fsck().unwrap();
        assert!(report.faults.iter().any(|f| f.place == place), "{sql}: {:?}", report.faults);
    }
}

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for item in fs::read_dir(dir).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

#[test]
fn the_server_holds_no_personal_text_in_tables_log_or_write_ahead_log() {
    let cluster = Cluster::start();
    let mut bench = PostgresBench::on(&cluster);
    let mut canary = held(7);
    canary.identity.items.name = Name::parse("金糸雀　炭鉱太郎").unwrap();
    let text = |part: &str| part.as_bytes().to_vec();
    bench.put(&[
        Write::PutResident(canary.clone()),
        Write::PutForeign { subject: code(7), entry: foreign(7, NOW) },
        Write::Enqueue { to: NodeId::center(), payload: text("金糸雀") },
        Write::PutFact {
            space: node::ports::Space::Pool,
            key: text("金糸雀"),
            value: text("金糸雀"),
        },
    ]);
    bench.record(&[entry(1, &[7])]);
    let term = law::query::terms(&canary.identity).remove(1);
    assert_eq!(bench.reads().candidates(&term, 9).unwrap().len(), 1);
    let mut loaded = (100..200).map(held);
    bench.store_mut().bulk_load(&mut loaded, &mut |out| out.fill(3)).unwrap();
    cluster.admin("postgres").batch_execute("CHECKPOINT").unwrap();
    let mut needles: Vec<Vec<u8>> = ["金糸雀", "炭鉱太郎"].map(text).to_vec();
    for n in (0..1).chain([7, 100, 150, 199]) {
        let person = held(n).identity;
        needles.push(text(person.code.expose()));
        needles.push(text(person.items.address.expose()));
    }
    let mut all = Vec::new();
    files(cluster.folder(), &mut all);
    let names: Vec<String> = all.iter().map(|path| path.display().to_string()).collect();
    for part in ["/pg_wal/0", "/base/", "server.log"] {
        assert!(names.iter().any(|name| name.contains(part)), "{part} was not looked at");
    }
    let mut seen_statement = false;
    for path in all.iter().filter(|path| path.is_file()) {
        let bytes = fs::read(path).unwrap_or_default();
        seen_statement |= holds(&bytes, b"INSERT INTO resident");
        for needle in &needles {
            assert!(!holds(&bytes, needle), "{}", path.display());
        }
    }
    assert!(seen_statement, "the log was written and looked at");
}

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    let first = needle[0];
    let mut at = 0;
    while let Some(next) = bytes[at..].iter().position(|byte| *byte == first) {
        at += next;
        if bytes[at..].starts_with(needle) {
            return true;
        }
        at += 1;
    }
    false
}

fn load(
    bulk: impl FnOnce(&mut dyn Iterator<Item = law::Held>) -> Result<u64, StoreError>,
    people: &[u64],
) -> Result<u64, StoreError> {
    bulk(&mut people.iter().map(|n| held(*n)))
}

#[test]
fn a_bulk_load_is_what_single_changes_would_have_made_and_refuses_who_is_there() {
    let people: Vec<u64> = (0..300).collect();
    let mut slow = PostgresBench::new();
    slow.put(&people.iter().map(|n| Write::PutResident(held(*n))).collect::<Vec<_>>());
    let wanted = slow.store().fsck().unwrap();
    let mut dice = TestDice(8);
    let mut near = SqliteBench::new();
    let mut far = PostgresBench::new();
    let mut fill = |out: &mut [u8]| dice.fill(out);
    assert_eq!(load(|p| near.store_mut().bulk_load(p, &mut fill), &people).unwrap(), 300);
    assert_eq!(load(|p| far.store_mut().bulk_load(p, &mut fill), &people).unwrap(), 300);
    assert_eq!(near.store().fsck().unwrap(), wanted);
    assert_eq!(far.store().fsck().unwrap(), wanted);
    // Somebody who is there already, and somebody who comes twice: nothing of that load is kept.
    for bad in [[500, 501, 7], [500, 501, 500]] {
        let near = load(|p| near.store_mut().bulk_load(p, &mut fill), &bad);
        let far = load(|p| far.store_mut().bulk_load(p, &mut fill), &bad);
        for refused in [near, far] {
            let why = refused.unwrap_err().to_string();
            assert!(why.contains("held already"), "{why}");
            assert!(!why.contains(held(7).identity.code.expose()));
        }
    }
    assert_eq!(near.reads().residents_count().unwrap(), 300);
    assert_eq!(far.reads().resident(&code(501)).unwrap(), None);
    assert_eq!(load(|p| near.store_mut().bulk_load(p, &mut fill), &[500, 501]).unwrap(), 2);
    assert_eq!(load(|p| far.store_mut().bulk_load(p, &mut fill), &[500, 501]).unwrap(), 2);
    assert_eq!(near.store().fsck().unwrap(), far.store().fsck().unwrap());
    far.put(&[Write::PutResident(held(600))]);
    assert!(far.store().fsck().unwrap().ok);
}
