//! Two people whose truncated digests are equal stay two people: made here by giving one the index
//! rows of the other, since among 126 million codes it may happen by itself.

use node::ports::Write;
use rusqlite::Connection;

use crate::bench::{Bench, SqliteBench};
use crate::people::{NOW, code, entry, foreign, held};

#[test]
fn equal_digests_never_join_two_people() {
    let mut bench = SqliteBench::new();
    bench.put(&[
        Write::PutResident(held(2)),
        Write::PutResident(held(1)),
        Write::PutForeign { subject: code(1), entry: foreign(1, NOW) },
        Write::PutForeign { subject: code(2), entry: foreign(2, NOW) },
    ]);
    bench.record(&[entry(1, &[1]), entry(2, &[2])]);
    let db = Connection::open(bench.database()).unwrap();
    db.execute_batch(
        "INSERT INTO term SELECT digest, kind, 1 FROM term WHERE kind = 1 AND resident = 2;
         INSERT INTO term SELECT digest, kind, 2 FROM term t WHERE kind = 1 AND resident = 1
            AND NOT EXISTS (SELECT 1 FROM term o WHERE o.digest = t.digest AND o.resident = 2);
         INSERT INTO entry_subject SELECT digest, 1 FROM entry_subject WHERE idx = 0;
         UPDATE foreign_entry SET digest = (SELECT digest FROM foreign_entry WHERE id = 1);",
    )
    .unwrap();
    drop(db);
    for n in [1, 2] {
        assert_eq!(bench.reads().resident(&code(n)).unwrap(), Some(held(n)));
    }
    let about = bench.reads().entries_about(&code(1), 9).unwrap();
    assert_eq!(about.iter().map(|entry| entry.index).collect::<Vec<_>>(), vec![0]);
    assert_eq!(bench.reads().foreign_about(&code(1), 9).unwrap(), vec![foreign(1, NOW)]);
    // The limit counts people found, not digests met.
    assert_eq!(bench.reads().foreign_about(&code(1), 1).unwrap(), vec![foreign(1, NOW)]);
}
