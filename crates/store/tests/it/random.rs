//! Any sequence of operations gives the same answers on the real store as on the model, crashes
//! included.

use law::query::terms;
use law::time::{Date, Timestamp};
use node::ports::{Counter, Space, Write};
use proptest::prelude::*;
use store::Month;
use wire::NodeId;

use crate::bench::{Bench, ModelBench, SqliteBench, signer};
use crate::people::{NOW, code, entry, foreign, held, history, moved, removed};
use crate::postgres_bench::PostgresBench;

/// Few people, so that operations meet.
const PEOPLE: u64 = 6;

#[derive(Clone, Debug)]
enum Step {
    Apply(Vec<Write>, Vec<Vec<u64>>),
    Commit,
    Rollback,
    Publish,
    Erase(u8),
    Crash,
}

fn person() -> impl Strategy<Value = u64> {
    0..PEOPLE
}

/// Some day of 2031 or of a few years after it.
fn day(years: u8) -> Date {
    Date::new(2031 + u16::from(years), 11, 22).unwrap()
}

fn destination() -> impl Strategy<Value = NodeId> {
    prop_oneof![Just("center"), Just("prefecture-13")].prop_map(|id| NodeId::parse(id).unwrap())
}

fn space() -> impl Strategy<Value = Space> {
    prop_oneof![Just(Space::Arrival), Just(Space::Pool)]
}

fn write() -> impl Strategy<Value = Write> {
    prop_oneof![
        4 => person().prop_map(|n| Write::PutResident(held(n))),
        2 => person().prop_map(|n| Write::PutResident(moved(n, "東京都三鷹市野崎一丁目1番1号"))),
        1 => person().prop_map(|n| Write::PutResident(removed(n))),
        2 => (person(), person()).prop_map(|(old, new)| Write::ReplaceCode {
            previous: code(old),
            held: held(new),
        }),
        2 => (person(), prop::option::of(0..5u8)).prop_map(|(n, years)| Write::ExpireResident {
            code: code(n),
            until: years.map(day),
        }),
        2 => (person(), 0..9u64, 0..5u8).prop_map(|(n, row, years)| Write::AppendHistory {
            code: code(n),
            row: history(row, NOW),
            until: day(years),
        }),
        1 => (0..5u64).prop_map(|n| Write::SetCounter(Counter::Feed, n)),
        3 => (destination(), any::<u8>())
            .prop_map(|(to, byte)| Write::Enqueue { to, payload: vec![byte; 3] }),
        2 => (destination(), 0..6u64).prop_map(|(to, up_to)| Write::Acknowledge { to, up_to }),
        1 => (0..4u8, 0..9u64).prop_map(|(id, until)| Write::RequestSeen {
            request: [id; 16],
            until: Timestamp(until),
        }),
        1 => (0..9u64).prop_map(|at| Write::ForgetRequestsBefore(Timestamp(at))),
        1 => any::<u8>().prop_map(|byte| Write::PutDirectory(vec![byte])),
        2 => (space(), 0..3u8, any::<u8>()).prop_map(|(space, key, byte)| Write::PutFact {
            space,
            key: vec![key],
            value: vec![byte; 2],
        }),
        1 => (space(), 0..3u8).prop_map(|(space, key)| Write::DropFact { space, key: vec![key] }),
        1 => (person(), 0..9u64).prop_map(|(subject, n)| Write::PutForeign {
            subject: code(subject),
            entry: foreign(n, NOW),
        }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let entries = prop::collection::vec(prop::collection::vec(person(), 0..3), 0..3);
    prop_oneof![
        6 => (prop::collection::vec(write(), 0..5), entries)
            .prop_map(|(writes, entries)| Step::Apply(writes, entries)),
        4 => Just(Step::Commit),
        1 => Just(Step::Rollback),
        2 => Just(Step::Publish),
        1 => (0..5u8).prop_map(Step::Erase),
        1 => Just(Step::Crash),
    ]
}

/// Everything the port can be asked, salts and proofs apart (those follow the dice).
fn answers(bench: &dyn Bench) -> Vec<String> {
    let reads = bench.reads();
    let mut all = vec![
        format!("{:?} {:?}", reads.residents_count().unwrap(), reads.entries_count().unwrap()),
        format!("{:?} {:?}", reads.directory().unwrap(), reads.counter(&Counter::Feed).unwrap()),
    ];
    for to in ["center", "prefecture-13"].map(|id| NodeId::parse(id).unwrap()) {
        all.push(format!("{:?}", reads.queue_bounds(&to).unwrap()));
        all.push(format!("{:?}", reads.queued(&to, 1, 3).unwrap()));
    }
    for id in 0..4u8 {
        all.push(format!("{}", reads.request_seen(&[id; 16]).unwrap()));
    }
    all.push(format!("{:?}", entries(&reads.entries_from(0, 99).unwrap())));
    for n in 0..PEOPLE {
        // Debug of personal types says nothing, so what is compared is exposed here, in a test.
        let person = reads.resident(&code(n)).unwrap();
        let text = |held: &law::Held| {
            let items = &held.identity.items;
            (
                held.identity.code.expose().to_owned(),
                items.address.expose().to_owned(),
                held.removed,
            )
        };
        all.push(format!("{:?}", person.as_ref().map(text)));
        let before = reads.history(&code(n), 4).unwrap();
        all.push(format!("{:?}", before.iter().map(|row| text(&row.before)).collect::<Vec<_>>()));
        all.push(format!("{:?}", entries(&reads.entries_about(&code(n), 4).unwrap())));
        let foreign = reads.foreign_about(&code(n), 3).unwrap();
        all.push(format!("{:?}", foreign.iter().map(|f| f.entry.clone()).collect::<Vec<_>>()));
        for term in terms(&held(n).identity) {
            let found = reads.candidates(&term, 3).unwrap();
            all.push(format!("{:?}", found.iter().map(text).collect::<Vec<_>>()));
        }
    }
    for space in [Space::Arrival, Space::Pool] {
        // Their order follows from keyed digests, and so from the store's own key.
        let facts = reads.facts(space, None, 9).unwrap();
        let mut values: Vec<Vec<u8>> = facts.into_iter().map(|(_, value)| value).collect();
        values.sort();
        let one = reads.fact(space, &[1]).unwrap();
        all.push(format!("{values:?} {one:?} {}", reads.facts_count(space).unwrap()));
    }
    let walked = reads.residents_after(0, 99).unwrap();
    let walked: Vec<_> = walked.iter().map(|(_, held)| held.identity.code.expose()).collect();
    all.push(format!("{walked:?}"));
    let covered: Vec<bool> = (0..20).map(|i| reads.proof(i).unwrap().is_some()).collect();
    all.push(format!("{covered:?} {}", bench.unpublished()));
    all
}

fn entries(found: &[node::ports::OpenEntry]) -> Vec<(u64, Vec<u8>)> {
    found.iter().map(|entry| (entry.index, entry.entry.clone())).collect()
}

fn perform(bench: &mut dyn Bench, step: &Step, id: u64) -> String {
    match step {
        Step::Apply(writes, subjects) => {
            let entries: Vec<_> = (id..).zip(subjects).map(|(id, who)| entry(id, who)).collect();
            let result = bench.try_apply(writes, &entries);
            if result.is_err() {
                bench.rollback();
            }
            format!("{result:?}")
        }
        Step::Commit => format!("{:?}", bench.try_commit()),
        Step::Rollback => {
            bench.rollback();
            String::new()
        }
        Step::Publish => format!("{:?}", bench.publish(&signer()).map(|c| c.size)),
        Step::Erase(years) => {
            let month = Month::new(2032 + u16::from(*years), 1).unwrap();
            // Keys are not counted alike: the model has none.
            format!("{:?}", bench.erase(month).map(|gone| gone.rows()))
        }
        Step::Crash => {
            bench.crash();
            String::new()
        }
    }
}

/// Both do the same steps and must answer alike throughout; the check then finds nothing.
fn alike<B: Bench>(
    mut real: B,
    steps: &[Step],
    check: impl Fn(&B) -> store::FsckReport,
) -> Result<(), TestCaseError> {
    let mut model = ModelBench::new();
    for (id, step) in (0u64..).step_by(10).zip(steps) {
        prop_assert_eq!(perform(&mut real, step, id), perform(&mut model, step, id));
        prop_assert_eq!(answers(&real), answers(&model), "after {:?}", step);
    }
    real.crash();
    model.crash();
    prop_assert_eq!(answers(&real), answers(&model));
    let checked = check(&real);
    prop_assert!(checked.ok, "{:?}", checked.faults);
    prop_assert_eq!(checked.population_digest, model.store.fsck().population_digest);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_store_on_sqlite_answers_like_the_model(
        steps in prop::collection::vec(step(), 1..24),
    ) {
        alike(SqliteBench::new(), &steps, |bench| bench.store().fsck().unwrap())?;
    }
}

proptest! {
    // A database of its own for each case takes its time.
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn the_store_on_postgresql_answers_like_the_model(
        steps in prop::collection::vec(step(), 8..40),
    ) {
        alike(PostgresBench::new(), &steps, |bench| bench.store().fsck().unwrap())?;
    }
}
