//! Rows of the existing register system: what is rejected, by which name, and that a file can be
//! sent again.

use law::change::{ChangeNotice, ChangeReason};
use law::people::BirthDate;
use ledger::entry::EntryKind;
use node::machine::{Input, Ticket};
use node::ports::{Looked, ReadError, Reads};
use wire::{FeedBatch, FeedRow, FeedVerdict, Reply, Request};

use crate::fixture::{KUNITACHI, MITAKA, NOW, code, date, id, notice};
use crate::notices::register_system;
use crate::world::Node;

fn kunitachi() -> Node {
    Node::of("municipality-132152")
}

fn entered(number: u64) -> ChangeNotice {
    notice(ChangeReason::MovedIn, "2026-04-01", number, "東京都国立市東1", KUNITACHI)
}

fn as_reason(mut notice: ChangeNotice, reason: ChangeReason, on: &str) -> ChangeNotice {
    notice.reason = reason;
    notice.changed_on = date(on);
    notice
}

fn recoded(number: u64, new: u64) -> ChangeNotice {
    let mut notice = as_reason(entered(number), ChangeReason::CodeChangedOnRequest, "2026-05-01");
    notice.previous_code = Some(code(number));
    notice.record.code = code(new);
    notice
}

fn send(node: &mut Node, rows: Vec<(Option<u64>, ChangeNotice)>) -> Vec<String> {
    let rows = rows.into_iter().zip(1..).map(|((sequence, notice), row)| FeedRow {
        row,
        sequence,
        notice,
        former_municipality: None,
    });
    let request = Request::Feed(FeedBatch { rows: rows.collect() });
    let Reply::FeedResult(outcomes) = node.ask(NOW, &register_system(KUNITACHI), request) else {
        panic!("outcomes")
    };
    let word = |verdict: &FeedVerdict| match verdict {
        FeedVerdict::Accepted { .. } => "accepted".to_owned(),
        FeedVerdict::Waiting => "waiting".to_owned(),
        FeedVerdict::Duplicate => "duplicate".to_owned(),
        FeedVerdict::Rejected { column, rule, remedy } => {
            assert!(!remedy.is_empty());
            format!("{column}: {rule}")
        }
    };
    outcomes.iter().map(|outcome| word(&outcome.outcome)).collect()
}

fn send_one(node: &mut Node, notice: ChangeNotice) -> String {
    send(node, vec![(None, notice)]).remove(0)
}

#[test]
fn each_rejection_has_its_name() {
    let mut node = kunitachi();
    assert_eq!(send_one(&mut node, entered(1)), "accepted");
    assert_eq!(send_one(&mut node, entered(2)), "accepted");
    let left = as_reason(entered(3), ChangeReason::MovedOut, "2026-05-01");
    let gone = send(&mut node, vec![(None, entered(3)), (None, left.clone())]);
    assert_eq!(gone, ["accepted", "accepted"]);

    let mut elsewhere = entered(9);
    elsewhere.record.municipality = crate::fixture::town(MITAKA);
    let mut unborn = entered(9);
    unborn.record.items.birth = BirthDate::parse("2026-04-02").unwrap();
    let mut unasked = entered(9);
    unasked.previous_code = Some(code(8));
    let mut missing = recoded(1, 9);
    missing.previous_code = None;
    let mut same = recoded(1, 1);
    same.record.code = code(1);
    let born_again = as_reason(entered(1), ChangeReason::Born, "2026-06-01");
    let cases = [
        (elsewhere, "municipality_code: other-municipality"),
        (unborn, "birth: born-after-change"),
        (unasked, "previous_code: previous-code-unexpected"),
        (missing, "previous_code: previous-code-missing"),
        (same, "previous_code: previous-code-same"),
        (as_reason(entered(9), ChangeReason::MovedIn, "2026-11-23"), "changed_on: in-the-future"),
        (born_again, "record_code: already-recorded"),
        (
            as_reason(entered(9), ChangeReason::MovedWithin, "2026-06-01"),
            "record_code: not-recorded",
        ),
        (as_reason(entered(9), ChangeReason::Died, "2026-06-01"), "record_code: not-recorded"),
        (as_reason(left, ChangeReason::Died, "2026-06-01"), "record_code: not-recorded"),
        (recoded(1, 2), "record_code: code-in-use"),
        // The code of someone who has left: the records about it are not another's.
        (recoded(1, 3), "record_code: code-in-use"),
        (recoded(9, 10), "previous_code: not-recorded"),
        (recoded(3, 10), "previous_code: not-recorded"),
    ];
    let residents = node.store.residents_count().unwrap();
    let (_, queued) = node.store.queue_bounds(&id("prefecture-13")).unwrap();
    let recorded = node.entries().len();
    for (notice, expected) in cases.clone() {
        assert_eq!(send_one(&mut node, notice), expected);
    }
    assert_eq!(node.store.residents_count().unwrap(), residents);
    assert_eq!(node.store.queue_bounds(&id("prefecture-13")).unwrap().1, queued);
    assert_eq!(node.entries().len(), recorded + cases.len(), "what was rejected is on record");
    let planned = as_reason(entered(1), ChangeReason::MovedOut, "2026-12-01");
    assert_eq!(send_one(&mut node, planned), "accepted", "a moving-out may be planned");
}

#[test]
fn good_rows_pass_beside_bad_ones_and_one_person_may_have_several() {
    let mut node = kunitachi();
    let moved = as_reason(entered(1), ChangeReason::MovedWithin, "2026-05-01");
    let left = as_reason(entered(1), ChangeReason::MovedOut, "2026-06-01");
    let rows = vec![
        (None, moved.clone()),
        (None, entered(1)),
        (None, entered(1)),
        (None, moved),
        (None, left.clone()),
        (None, as_reason(left, ChangeReason::MovedWithin, "2026-07-01")),
        (None, entered(2)),
    ];
    let outcomes = send(&mut node, rows);
    assert_eq!(
        outcomes,
        [
            "record_code: not-recorded",
            "accepted",
            "duplicate",
            "accepted",
            "accepted",
            "record_code: not-recorded",
            "accepted"
        ]
    );
    let entry = node.entries_of(EntryKind::FeedReceived).pop().unwrap();
    assert_eq!((entry.count(), entry.note()), (Some(4), Some("2 rows rejected")));
    assert_eq!(node.store.history(&code(1), 9).unwrap().len(), 2);
}

#[test]
fn a_code_given_up_is_nobodys_in_the_same_file() {
    let mut node = kunitachi();
    let old = as_reason(entered(1), ChangeReason::MovedWithin, "2026-06-01");
    let mut new = old.clone();
    new.record.code = code(101);
    let rows = [entered(1), recoded(1, 101), old, new].map(|notice| (None, notice));
    assert_eq!(
        send(&mut node, rows.to_vec()),
        ["accepted", "accepted", "record_code: not-recorded", "accepted"]
    );
}

#[test]
fn the_same_file_changes_nothing_the_second_time() {
    for numbered in [true, false] {
        let mut moved = as_reason(entered(1), ChangeReason::MovedWithin, "2026-05-01");
        moved.record.items.address = law::people::Address::parse("東京都国立市西2").unwrap();
        let back = as_reason(entered(1), ChangeReason::CorrectedExOfficio, "2026-05-02");
        let gone = as_reason(entered(2), ChangeReason::Died, "2026-06-01");
        let file: Vec<_> = [entered(1), moved, back, entered(2), gone]
            .into_iter()
            .zip(10..)
            .map(|(notice, sequence)| (numbered.then_some(sequence), notice))
            .collect();
        let mut node = kunitachi();
        assert!(send(&mut node, file.clone()).iter().all(|word| word == "accepted"));
        let before = node.store.fsck().population_digest;
        node.restart();
        let again = send(&mut node, file);
        assert!(again.iter().all(|word| word == "duplicate"), "{numbered}: {again:?}");
        assert_eq!(node.store.fsck().population_digest, before);
        assert_eq!(node.store.queue_bounds(&id("prefecture-13")).unwrap().1, 5);
        assert_eq!(node.store.history(&code(1), 9).unwrap().len(), 2);
    }
}

#[test]
fn a_row_put_right_under_a_number_gone_past_is_not_lost_in_silence() {
    let mut node = kunitachi();
    let unknown = as_reason(entered(2), ChangeReason::MovedWithin, "2026-05-01");
    let first =
        send(&mut node, vec![(Some(1), entered(1)), (Some(2), unknown), (Some(3), entered(3))]);
    assert_eq!(first, ["accepted", "record_code: not-recorded", "accepted"]);
    let again = send(&mut node, vec![(Some(1), entered(1)), (Some(2), entered(2))]);
    assert_eq!(again, ["duplicate", "sequence: sequence-passed"]);
    assert_eq!(send(&mut node, vec![(Some(4), entered(2))]), ["accepted"]);
}

/// A register of which one person cannot be read, or whose queues stand otherwise.
struct Altered<'a> {
    reads: &'a dyn Reads,
    bad: Option<law::code::RecordCode>,
    queue: Option<(u64, u64)>,
}

macro_rules! passed_on {
    ($($name:ident($($arg:ident: $ty:ty),*) -> $ret:ty;)*) => {$(
        fn $name(&self, $($arg: $ty),*) -> Looked<$ret> { self.reads.$name($($arg),*) }
    )*};
}

impl Reads for Altered<'_> {
    fn resident(&self, code: &law::code::RecordCode) -> Looked<Option<law::inquiry::Held>> {
        if Some(*code) == self.bad {
            return Err(ReadError::Sealed { table: "resident" });
        }
        self.reads.resident(code)
    }

    fn queue_bounds(&self, to: &wire::NodeId) -> Looked<(u64, u64)> {
        self.queue.map_or_else(|| self.reads.queue_bounds(to), Ok)
    }

    passed_on! {
        candidates(probe: &law::query::Probe, max: usize) -> Vec<law::inquiry::Held>;
        counter(counter: &node::ports::Counter) -> u64;
        queued(to: &wire::NodeId, after: u64, max: usize) -> Vec<(u64, Vec<u8>)>;
        request_seen(request: &[u8; 16]) -> bool;
        directory() -> Option<Vec<u8>>;
        entries_about(code: &law::code::RecordCode, max: usize) -> Vec<node::ports::OpenEntry>;
        entries_from(first: u64, max: usize) -> Vec<node::ports::OpenEntry>;
        foreign_about(code: &law::code::RecordCode, max: usize) -> Vec<node::ports::ForeignEntry>;
        proof(index: u64) -> Option<String>;
        checkpoint() -> Option<String>;
        history(code: &law::code::RecordCode, max: usize) -> Vec<node::ports::HistoryRow>;
        residents_count() -> u64;
        entries_count() -> u64;
        fact(space: node::ports::Space, key: &[u8]) -> Option<Vec<u8>>;
        facts(
            space: node::ports::Space,
            after: Option<node::ports::FactPlace>,
            max: usize
        ) -> Vec<(node::ports::FactPlace, Vec<u8>)>;
        facts_count(space: node::ports::Space) -> u64;
        residents_after(row: u64, max: usize) -> Vec<(u64, law::inquiry::Held)>;
    }
}

#[test]
fn half_a_batch_is_never_applied() {
    let mut node = kunitachi();
    let rows = (1..=5).map(|n| FeedRow {
        row: u32::try_from(n).unwrap(),
        sequence: None,
        notice: entered(n),
        former_municipality: None,
    });
    let request = Request::Feed(FeedBatch { rows: rows.collect() });
    let broken = Altered { reads: &node.store, bad: Some(code(3)), queue: None };
    let from = register_system(KUNITACHI);
    let input = Input::Request { from, ticket: Ticket(1), request };
    let parts = node.machine.handle(NOW, input, &broken).into_parts();
    assert!(parts.writes.is_empty() && parts.entries.is_empty());
    assert!(matches!(parts.replies[0].reply, Reply::Unavailable { .. }));

    // The same for notices at the prefecture.
    let mut tokyo = Node::of("prefecture-13");
    let municipality = crate::fixture::town(KUNITACHI);
    let notices = (1..=5).map(|n| wire::RelayedNotice {
        municipality,
        sequence: n,
        notice: entered(n),
        release: None,
    });
    let batch = wire::NoticeBatch { first_sequence: 1, notices: notices.collect() };
    let broken = Altered { reads: &tokyo.store, bad: Some(code(3)), queue: None };
    let from = crate::world::peer("municipality-132152");
    let input = Input::Request { from, ticket: Ticket(1), request: Request::Notices(batch) };
    let parts = tokyo.machine.handle(NOW, input, &broken).into_parts();
    assert!(parts.writes.is_empty() && parts.entries.is_empty());
    assert!(matches!(parts.replies[0].reply, Reply::Unavailable { .. }));
}

#[test]
fn a_mistyped_number_does_not_shut_the_feed() {
    let mut node = kunitachi();
    let row = |number: u64, sequence: u64| (Some(sequence), entered(number));
    assert_eq!(send(&mut node, vec![row(1, 70)]), ["accepted"]);
    let far = "sequence: sequence-too-far";
    assert_eq!(send(&mut node, vec![row(2, u64::MAX), row(3, 71)]), [far, "accepted"]);
    assert_eq!(send(&mut node, vec![row(2, 1_000_072), row(2, 1_000_071)]), [far, "accepted"]);
}

/// Back-pressure: a tier whose own queue is full tells who brings more to come again, at both ends.
#[test]
fn a_full_queue_takes_nothing_more_and_drops_nothing() {
    let mut city = kunitachi();
    let row = FeedRow { row: 1, sequence: None, notice: entered(1), former_municipality: None };
    let fed = Request::Feed(FeedBatch { rows: vec![row] });
    let mut tokyo = Node::of("prefecture-13");
    let municipality = crate::fixture::town(KUNITACHI);
    let notice = entered(1);
    let notices = vec![wire::RelayedNotice { municipality, sequence: 1, notice, release: None }];
    let told = Request::Notices(wire::NoticeBatch { first_sequence: 1, notices });
    let from = [register_system(KUNITACHI), crate::world::peer("municipality-132152")];
    for ((node, request), from) in [(&mut city, fed), (&mut tokyo, told)].into_iter().zip(from) {
        let full = Altered { reads: &node.store, bad: None, queue: Some((7, 4_000_007)) };
        let input = Input::Request { from, ticket: Ticket(1), request };
        let parts = node.machine.handle(NOW, input, &full).into_parts();
        assert!(parts.writes.is_empty() && parts.entries.is_empty());
        assert!(matches!(parts.replies[0].reply, Reply::Unavailable { .. }));
    }
}
