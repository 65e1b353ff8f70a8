//! Notices of change on their way up: once each, in order, whatever the way does to them.

use std::cell::RefCell;
use std::rc::Rc;

use law::change::{ChangeNotice, ChangeReason};
use law::inquiry::Held;
use ledger::entry::EntryKind;
use node::machine::{Input, Peer};
use node::ports::{Counter, Reads as _};
use wire::{FeedBatch, FeedRow, FeedVerdict, NoticeBatch, RelayedNotice, Reply, Request, Role};

use crate::fixture::{KUNITACHI, MATSUMOTO, MITAKA, NOW, code, id, notice, town};
use crate::world::{Fate, Node, World, peer};

pub(crate) fn register_system(town_code: &str) -> Peer {
    let organ = Some(law::organ::Organ::Municipality(town(town_code)));
    Peer { node: id(&format!("feed-{town_code}")), role: Role::Feed, organ }
}

/// Feed changes at their municipality; all must be accepted.
pub(crate) fn feed(world: &mut World, notices: Vec<ChangeNotice>) {
    for notice in notices {
        let town_code = notice.record.municipality.as_str().to_owned();
        let rows = vec![FeedRow { row: 1, sequence: None, notice, former_municipality: None }];
        let to = format!("municipality-{town_code}");
        let request = Request::Feed(FeedBatch { rows });
        let reply = world.ask(&to, &register_system(&town_code), request);
        let Reply::FeedResult(outcomes) = reply else { panic!("outcomes") };
        let accepted = matches!(outcomes[0].outcome, FeedVerdict::Accepted { .. });
        assert!(accepted, "{:?}", outcomes[0].outcome);
    }
}

fn held(world: &mut World, node: &str, number: u64) -> Option<Held> {
    world.node(node).store.resident(&code(number)).unwrap()
}

fn current_at(world: &mut World, node: &str, number: u64) -> Option<String> {
    held(world, node, number)
        .filter(|held| !held.removed)
        .map(|held| held.identity.municipality.as_str().to_owned())
}

fn entered(number: u64, town_code: &str) -> ChangeNotice {
    let address = if town_code == MATSUMOTO {
        "長野県松本市丸の内3"
    } else {
        "東京都国立市東1"
    };
    notice(ChangeReason::MovedIn, "2026-04-01", number, address, town_code)
}

fn changed(mut from: ChangeNotice, reason: ChangeReason, on: &str) -> ChangeNotice {
    from.reason = reason;
    from.changed_on = crate::fixture::date(on);
    from.previous_code = None;
    from
}

#[test]
fn all_ten_reasons_reach_prefecture_and_center() {
    let mut world = World::new();
    let one = entered(1, KUNITACHI);
    let mut moved = changed(one.clone(), ChangeReason::MovedWithin, "2026-05-01");
    moved.record.items.address = law::people::Address::parse("東京都国立市西2").unwrap();
    let corrected = changed(moved.clone(), ChangeReason::CorrectedExOfficio, "2026-05-02");
    let mut recoded = changed(corrected.clone(), ChangeReason::CodeChangedOnRequest, "2026-06-01");
    recoded.previous_code = Some(code(1));
    recoded.record.code = code(101);
    let mut again = changed(recoded.clone(), ChangeReason::CodeEnteredExOfficio, "2026-06-02");
    again.previous_code = Some(code(101));
    again.record.code = code(102);
    let left = changed(again.clone(), ChangeReason::MovedOut, "2026-07-01");
    let first = entered(50, KUNITACHI);
    let none_before = changed(first, ChangeReason::CodeEnteredExOfficio, "2026-07-01");
    feed(&mut world, vec![one, moved, corrected, recoded, again, left, none_before]);
    for (number, first, last) in [
        (2, ChangeReason::Born, ChangeReason::Died),
        (3, ChangeReason::EnteredExOfficio, ChangeReason::DeletedExOfficio),
    ] {
        let first = changed(entered(number, KUNITACHI), first, "2026-04-01");
        let last = changed(first.clone(), last, "2026-08-01");
        feed(&mut world, vec![first, last]);
    }
    world.run(5);
    for node in ["municipality-132152", "prefecture-13", "center"] {
        assert_eq!(held(&mut world, node, 1), None, "{node}: the first code is nobody's");
        assert_eq!(held(&mut world, node, 101), None);
        let one = held(&mut world, node, 102).unwrap();
        assert!(one.removed);
        assert_eq!(one.change.unwrap().reason, ChangeReason::MovedOut);
        assert_eq!(one.identity.items.address.expose(), "東京都国立市西2");
        let history = world.node(node).store.history(&code(102), 10).unwrap();
        assert_eq!(history.len(), 5, "{node}: every state before is kept");
        let reasons: Vec<_> = history.iter().map(|row| row.reason.key()).collect();
        assert_eq!(
            reasons,
            [
                "moved-out",
                "code-entered-ex-officio",
                "code-changed-on-request",
                "corrected-ex-officio",
                "moved-within"
            ]
        );
        assert!(held(&mut world, node, 2).unwrap().removed);
        assert!(held(&mut world, node, 3).unwrap().removed);
        assert_eq!(current_at(&mut world, node, 50).as_deref(), Some(KUNITACHI));
    }
}

#[test]
fn a_file_of_many_changes_of_one_person_stops_nobody() {
    // A correction and then a change of code in one batch: the history must follow the person, or
    // the store refuses it and the node stands still for a lawful file.
    let mut world = World::new();
    let one = entered(1, KUNITACHI);
    let moved = changed(one.clone(), ChangeReason::MovedWithin, "2026-05-01");
    let mut recoded = changed(one.clone(), ChangeReason::CodeChangedOnRequest, "2026-06-01");
    recoded.previous_code = Some(code(1));
    recoded.record.code = code(101);
    let last = changed(recoded.clone(), ChangeReason::CorrectedExOfficio, "2026-06-02");
    let rows = [one, moved, recoded, last].into_iter().zip(1..);
    let rows = rows
        .map(|(notice, row)| FeedRow { row, sequence: None, notice, former_municipality: None })
        .collect();
    let request = Request::Feed(FeedBatch { rows });
    let reply = world.ask("municipality-132152", &register_system(KUNITACHI), request);
    let Reply::FeedResult(outcomes) = reply else { panic!("outcomes") };
    assert!(outcomes.iter().all(|o| matches!(o.outcome, FeedVerdict::Accepted { .. })));
    world.run(5);
    for node in ["municipality-132152", "prefecture-13", "center"] {
        assert_eq!(world.node(node).store.history(&code(101), 10).unwrap().len(), 3, "{node}");
    }
}

#[test]
fn once_and_in_order_under_loss_doubling_and_power_cuts() {
    let mut world = World::new();
    let numbers = Rc::new(RefCell::new(0_usize));
    let counted = Rc::clone(&numbers);
    world.fate = Box::new(move |_, call| {
        if !matches!(call.request, Request::Notices(_)) {
            return Fate::Arrives;
        }
        *counted.borrow_mut() += 1;
        match *counted.borrow() % 4 {
            1 => Fate::Lost,
            2 => Fate::ReplyLost,
            3 => Fate::Twice,
            _ => Fate::Arrives,
        }
    });
    let names = ["municipality-132152", "prefecture-13", "center"];
    let mut cut = names.into_iter().cycle();
    for number in 1..=40 {
        let one = entered(number, KUNITACHI);
        let last = changed(one.clone(), ChangeReason::MovedWithin, "2026-05-01");
        feed(&mut world, vec![one, last]);
        world.run(3);
        if number % 5 == 0 {
            world.node(cut.next().unwrap()).restart();
        }
    }
    world.fate = Box::new(|_, _| Fate::Arrives);
    world.run(100);
    assert!(*numbers.borrow() > 40);
    for node in ["municipality-132152", "prefecture-13", "center"] {
        let node = world.node(node);
        assert_eq!(node.store.residents_count().unwrap(), 40);
        for number in 1..=40 {
            let history = node.store.history(&code(number), 10).unwrap();
            assert_eq!(history.len(), 1, "applied once");
            let held = node.store.resident(&code(number)).unwrap().unwrap();
            assert_eq!(held.change.unwrap().reason, ChangeReason::MovedWithin, "in order");
        }
    }
    let sent = world.node("municipality-132152").store.queue_bounds(&id("prefecture-13")).unwrap();
    assert_eq!(sent, (80, 80));
    let applied = Counter::AppliedFrom(id("municipality-132152"));
    assert_eq!(world.node("prefecture-13").store.counter(&applied).unwrap(), 80);
    // What was received is on record as often as it was applied: 80 notices, no more.
    let entries = world.node("prefecture-13").entries_of(EntryKind::NoticesReceived);
    assert_eq!(entries.iter().filter_map(ledger::entry::Entry::count).sum::<u64>(), 80);
}

fn relayed(sequence: u64, notice: ChangeNotice) -> RelayedNotice {
    RelayedNotice { municipality: notice.record.municipality, sequence, notice, release: None }
}

fn acknowledged(node: &mut Node, from: &str, batch: NoticeBatch) -> u64 {
    match node.ask(NOW, &peer(from), Request::Notices(batch)) {
        Reply::NoticeAck { applied, .. } => applied,
        _ => panic!("an acknowledgement"),
    }
}

#[test]
fn a_gap_is_not_applied_and_says_where_to_go_on() {
    let mut tokyo = Node::of("prefecture-13");
    let rows: Vec<_> = (1..=5).map(|n| relayed(n, entered(n, KUNITACHI))).collect();
    let batch = |first: usize, last: usize| NoticeBatch {
        first_sequence: first as u64,
        notices: rows[first - 1..last].to_vec(),
    };
    let from = "municipality-132152";
    assert_eq!(acknowledged(&mut tokyo, from, batch(2, 3)), 0);
    assert_eq!(tokyo.store.residents_count().unwrap(), 0);
    assert_eq!(acknowledged(&mut tokyo, from, batch(1, 2)), 2);
    assert_eq!(acknowledged(&mut tokyo, from, batch(1, 4)), 4);
    assert_eq!(acknowledged(&mut tokyo, from, batch(5, 5)), 5);
    assert_eq!(acknowledged(&mut tokyo, from, batch(2, 3)), 5);
    assert_eq!(tokyo.store.residents_count().unwrap(), 5);
    let passed_on = tokyo.store.queue_bounds(&id("center")).unwrap();
    assert_eq!(passed_on.1, 5);
    let at_end = NoticeBatch { first_sequence: u64::MAX, notices: rows[..2].to_vec() };
    assert_eq!(acknowledged(&mut tokyo, from, at_end), 5, "a sequence without end is no end");
}

#[test]
fn who_may_not_notify_is_set_aside_and_recorded() {
    let cases = [
        ("prefecture-13", "municipality-202029", entered(1, MATSUMOTO), "of another area"),
        ("prefecture-13", "municipality-132047", entered(1, KUNITACHI), "for a neighbour"),
        ("center", "prefecture-20", entered(1, KUNITACHI), "for another area"),
    ];
    for (to, from, notice, what) in cases {
        let mut node = Node::of(to);
        let batch = NoticeBatch { first_sequence: 1, notices: vec![relayed(1, notice)] };
        assert_eq!(acknowledged(&mut node, from, batch), 1, "{what}");
        assert_eq!(node.store.residents_count().unwrap(), 0, "{what}");
        assert_eq!(node.store.queue_bounds(&id("center")).unwrap(), (0, 0), "{what}");
        let entry = node.entries_of(EntryKind::NoticesReceived).pop().unwrap();
        assert!(entry.note().unwrap().contains("1 set aside"), "{what}");
    }
    // The envelope names the sender, the record somebody else's municipality.
    let mut tokyo = Node::of("prefecture-13");
    let mut lent = relayed(1, entered(1, KUNITACHI));
    lent.municipality = town(MITAKA);
    let batch = NoticeBatch { first_sequence: 1, notices: vec![lent] };
    assert_eq!(acknowledged(&mut tokyo, "municipality-132047", batch), 1);
    assert_eq!(tokyo.store.residents_count().unwrap(), 0);
    // And the other way round.
    let mut lent = relayed(2, entered(1, MITAKA));
    lent.municipality = town(KUNITACHI);
    let batch = NoticeBatch { first_sequence: 2, notices: vec![lent] };
    assert_eq!(acknowledged(&mut tokyo, "municipality-132047", batch), 2);
    assert_eq!(tokyo.store.residents_count().unwrap(), 0);
}

#[test]
fn the_existing_system_is_not_stopped_by_an_expired_directory() {
    let mut world = World::new();
    world.now = NOW.plus_ms(3_600_000);
    let later = world.now;
    world.fate = Box::new(|_, call| match call.request {
        Request::DirectoryFetch | Request::DirectoryPush(_) => Fate::Lost,
        _ => Fate::Arrives,
    });
    feed(&mut world, vec![entered(1, KUNITACHI)]);
    world.run(3);
    assert_eq!(current_at(&mut world, "prefecture-13", 1).as_deref(), Some(KUNITACHI));
    let tokyo = world.node("prefecture-13");
    let signed = crate::fixture::sign(&crate::fixture::body(
        law::organ::Organ::Municipality(town(KUNITACHI)),
        "kunitachi",
        1,
        crate::fixture::by_code(1),
    ));
    let reply = tokyo.ask(later, &peer("municipality-132152"), Request::Inquiry(signed));
    assert!(matches!(reply, Reply::Unavailable { .. }), "telling anyone needs a current one");
}

#[test]
fn a_claim_of_more_than_was_sent_halts_the_queue_and_not_the_node() {
    let mut kunitachi = Node::of("municipality-132152");
    let feed = |node: &mut Node, number: u64| {
        let rows = vec![FeedRow {
            row: 1,
            sequence: None,
            notice: entered(number, KUNITACHI),
            former_municipality: None,
        }];
        node.step(
            NOW,
            Input::Request {
                from: register_system(KUNITACHI),
                ticket: node::machine::Ticket(1),
                request: Request::Feed(FeedBatch { rows }),
            },
        )
    };
    let sent = feed(&mut kunitachi, 1);
    let call = sent.calls.iter().find(|call| matches!(call.request, Request::Notices(_))).unwrap();
    let lie = Input::Reply {
        call: call.call,
        outcome: Ok(Reply::NoticeAck { applied: u64::MAX, set_aside: Vec::new() }),
    };
    let sent = kunitachi.step(NOW, lie);
    assert_eq!(sent.broken, None, "one peer's word does not stop a municipality");
    assert_eq!(kunitachi.entries_of(EntryKind::Stopped).len(), 1);
    // Nothing is numbered after a queue that may be an older copy.
    let sent = feed(&mut kunitachi, 2);
    assert!(matches!(sent.replies[0].reply, Reply::Unavailable { .. }));
    assert_eq!(kunitachi.store.queue_bounds(&id("prefecture-13")).unwrap(), (0, 1));
    // It is asked again later, and a true word settles it.
    let later = NOW.plus_ms(60_000);
    assert!(!kunitachi.tick(NOW.plus_ms(59_000)).calls.iter().any(is_notices));
    let sent = kunitachi.tick(later);
    let call = sent.calls.iter().find(|call| is_notices(call)).unwrap();
    let truth = Input::Reply {
        call: call.call,
        outcome: Ok(Reply::NoticeAck { applied: 1, set_aside: Vec::new() }),
    };
    kunitachi.step(later, truth);
    let sent = feed(&mut kunitachi, 2);
    assert!(matches!(sent.replies[0].reply, Reply::FeedResult(_)));
}

fn is_notices(call: &node::outbox::OutgoingCall) -> bool {
    matches!(call.request, Request::Notices(_))
}
