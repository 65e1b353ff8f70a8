//! The check finds what it is for, says where, and says nothing about anyone.

use law::people::Name;
use node::ports::{Counter, Write};
use rusqlite::Connection;
use wire::NodeId;

use crate::bench::{Bench, ModelBench, SqliteBench, TestToken, signer};
use crate::people::{NOW, code, entry, foreign, held, history, kept, removed};

fn filled() -> SqliteBench {
    let mut bench = SqliteBench::new();
    let mut writes: Vec<Write> = (0..20).map(|n| Write::PutResident(held(n))).collect();
    writes.push(Write::PutResident(removed(20)));
    writes.push(Write::AppendHistory { code: code(1), row: history(1, NOW), until: kept() });
    writes.push(Write::PutForeign { subject: code(2), entry: foreign(2, NOW) });
    writes.push(Write::SetCounter(Counter::Feed, 3));
    for n in 0..3 {
        writes.push(Write::Enqueue { to: NodeId::center(), payload: vec![n; 9] });
    }
    writes.push(Write::Acknowledge { to: NodeId::center(), up_to: 1 });
    let entries: Vec<_> = (0..5).map(|n| entry(n, &[n])).collect();
    bench.try_apply(&writes, &entries).unwrap();
    bench.try_commit().unwrap();
    bench.publish(&signer()).unwrap();
    bench
}

#[test]
fn a_sound_store_is_reported_sound() {
    let bench = filled();
    let report = bench.store().fsck().unwrap();
    assert!(report.ok, "{:?}", report.faults);
    assert_eq!((report.residents, report.entries), (20, 5));
    let municipalities: Vec<&str> = report.population_digest.keys().map(String::as_str).collect();
    assert_eq!(municipalities, vec!["132047", "132152"]);
}

#[test]
fn every_kind_of_damage_is_found_and_named_by_place() {
    let damages = [
        (
            "UPDATE resident SET sealed = (SELECT sealed FROM resident WHERE id = 2) WHERE id = 1",
            "resident row 1",
        ),
        ("DELETE FROM term WHERE resident = 3 AND kind = 2", "resident row 3"),
        ("INSERT INTO term VALUES (1, 2, 3)", "term"),
        ("UPDATE counter SET value = 19 WHERE name = 'residents'", "counter"),
        ("UPDATE history SET resident = 5", "history row 1"),
        ("UPDATE entry SET leaf_data = zeroblob(32) WHERE idx = 2", "entry 2"),
        ("UPDATE entry SET sealed = zeroblob(200) WHERE idx = 3", "entry 3"),
        ("DELETE FROM entry_subject WHERE idx = 1", "entry 1"),
        ("INSERT INTO entry_subject VALUES (7, 1)", "entry_subject"),
        ("UPDATE foreign_entry SET digest = digest + 1", "foreign_entry row 1"),
        ("DELETE FROM queue_item WHERE sequence = 2", "queue center 3"),
        ("DELETE FROM queue_item WHERE sequence = 3", "queue center"),
        ("UPDATE queue_item SET sequence = 4 WHERE sequence = 3", "queue center 4"),
        ("UPDATE cohort SET wrapped = zeroblob(120)", "cohort 2033-11"),
        ("DELETE FROM entry WHERE idx = 4", "checkpoint"),
    ];
    for (sql, place) in damages {
        let bench = filled();
        let db = Connection::open(bench.database()).unwrap();
        db.pragma_update(None, "foreign_keys", false).unwrap();
        assert!(db.execute(sql, []).unwrap() > 0, "{sql}");
        drop(db);
        let fresh = store::SqliteStore::open_read_only(
            &bench.database(),
            &bench.ledger(),
            &TestToken(0x5a),
        );
        // Damage at the end of the ledger is refused at the door already.
        let Ok(fresh) = fresh else {
            assert!(["checkpoint", "entry 2"].contains(&place), "{sql}");
            continue;
        };
        let report = fresh.fsck().unwrap();
        assert!(!report.ok, "{sql}");
        assert!(report.faults.iter().any(|f| f.place == place), "{sql}: {:?}", report.faults);
        let text = format!("{report:?}");
        for n in 0..20 {
            assert!(!text.contains(held(n).identity.code.expose()));
        }
    }
}

#[test]
fn population_digests_agree_between_tiers_and_see_every_difference() {
    let digest = |bench: &SqliteBench| bench.store().fsck().unwrap().population_digest;
    let (mut near, mut far) = (SqliteBench::new(), SqliteBench::new());
    near.put(&(0..30).map(|n| Write::PutResident(held(n))).collect::<Vec<_>>());
    // The other tier: another order, another way there, people removed since.
    far.put(&[Write::PutResident(held(77))]);
    far.put(&[Write::ReplaceCode { previous: code(77), held: held(3) }]);
    far.put(&(0..30).rev().map(|n| Write::PutResident(held(n))).collect::<Vec<_>>());
    far.put(&[Write::PutResident(removed(40))]);
    assert_eq!(digest(&near), digest(&far));
    let mut model = ModelBench::new();
    model.put(&(0..30).map(|n| Write::PutResident(held(n))).collect::<Vec<_>>());
    assert_eq!(digest(&near), model.store.fsck().population_digest);

    let mut other = held(7);
    other.identity.items.name = Name::parse("渡邊　花子").unwrap();
    far.put(&[Write::PutResident(other)]);
    let (a, b) = (digest(&near), digest(&far));
    assert_eq!(a["132047"], b["132047"]);
    assert_ne!(a["132152"], b["132152"]);
    far.put(&[Write::PutResident(held(7)), Write::PutResident(removed(8))]);
    assert_ne!(digest(&near), digest(&far));
}
