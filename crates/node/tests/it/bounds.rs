//! Limits: how much may wait, how often is tried again, what an idle second costs, and that nothing
//! on the way out can be printed.

use law::change::ChangeReason;
use law::organ::Organ;
use node::machine::{CallFailure, Input, Ticket};
use node::ports::Reads as _;
use wire::{FeedBatch, FeedRow, Reply, Request};

use crate::fixture::{KUNITACHI, NOW, agency, area, body, by_code, code, id, notice, person, sign};
use crate::notices::register_system;
use crate::world::{Node, peer, terminal};

/// The same inquiry under another request number, unsigned: it is refused, and waits for its
/// record.
fn unsigned(number: u32) -> Request {
    let mut body = body(agency(), "agency", 0, by_code(1));
    body.request[..4].copy_from_slice(&number.to_be_bytes());
    Request::Inquiry(wire::SignedInquiry { body: body.encode(), signature: Vec::new() })
}

#[test]
fn a_flood_without_receipts_is_bounded_at_the_center() {
    let mut center = Node::of("center");
    let mut turned_away = 0;
    for number in 0..4_200_u32 {
        let from = peer("agency-1");
        let ticket = Ticket(u64::from(number));
        let input = Input::Request { from, ticket, request: unsigned(number) };
        let parts = center.machine.handle(NOW, input, &center.store).into_parts();
        if let Some(reply) = parts.replies.first() {
            assert!(matches!(reply.reply, Reply::Unavailable { .. }));
            assert!(parts.writes.is_empty() && parts.entries.is_empty());
            turned_away += 1;
        }
    }
    assert_eq!(turned_away, 4_200 - 4_096);
}

#[test]
fn a_flood_of_views_is_bounded_at_the_desk() {
    let mut tokyo = Node::of("prefecture-13");
    let mut turned_away = 0;
    let Request::ViewQuery(mut query) = crate::view::query("tokyo-desk", 1, 1, NOW) else {
        unreachable!()
    };
    query.signature.clear();
    for number in 0..4_100 {
        let from = terminal(Organ::Prefecture(area(13)));
        let request = Request::ViewQuery(query.clone());
        let input = Input::Request { from, ticket: Ticket(number), request };
        let parts = tokyo.machine.handle(NOW, input, &tokyo.store).into_parts();
        turned_away += parts.replies.len();
    }
    assert_eq!(turned_away, 4);
}

#[test]
fn only_so_many_inquiries_are_under_way_and_places_come_free() {
    let mut node = Node::of("agency-1");
    let mut calls = Vec::new();
    for number in 0..1_100_u32 {
        let from = terminal(agency());
        let ticket = Ticket(u64::from(number));
        let sent = node.step(NOW, Input::Request { from, ticket, request: unsigned(number) });
        calls.extend(sent.calls);
    }
    assert_eq!(calls.len(), 1_024);
    let call = calls[0].call;
    node.step(NOW, Input::Reply { call, outcome: Err(CallFailure::Timeout) });
    let from = terminal(agency());
    let input = Input::Request { from, ticket: Ticket(9_000), request: unsigned(9_000) };
    assert_eq!(node.step(NOW, input).calls.len(), 1);
    // Of the others nothing is ever heard: in time all places are free again.
    assert_eq!(node.tick(NOW.plus_ms(20_000)).replies.len(), 1_024);
}

fn kunitachi_with(count: u64) -> Node {
    let mut node = Node::of("municipality-132152");
    for first in (0..count).step_by(200) {
        let rows = (first + 1..=count.min(first + 200)).map(|n| FeedRow {
            row: 1,
            sequence: None,
            notice: notice(ChangeReason::MovedIn, "2026-04-01", n, "東京都国立市東1", KUNITACHI),
            former_municipality: None,
        });
        let request = Request::Feed(FeedBatch { rows: rows.collect() });
        let reply = node.step(
            NOW,
            Input::Request { from: register_system(KUNITACHI), ticket: Ticket(1), request },
        );
        // Replies of the prefecture are not brought here: only the first batch leaves.
        assert!(matches!(reply.replies[0].reply, Reply::FeedResult(_)));
    }
    node.restart();
    node
}

fn notices(sent: &crate::world::Sent) -> Option<(node::machine::CallId, usize)> {
    sent.calls.iter().find_map(|call| match &call.request {
        Request::Notices(batch) => Some((call.call, batch.notices.len())),
        _ => None,
    })
}

#[test]
fn a_queue_waits_longer_after_each_failure_and_never_too_long() {
    let mut node = kunitachi_with(300);
    let mut tries = Vec::new();
    for tenth in 0..200_u64 {
        let now = NOW.plus_ms(tenth * 100);
        if let Some((call, count)) = notices(&node.tick(now)) {
            assert_eq!(count, 180, "a batch is bounded");
            tries.push(tenth);
            let outcome = Err(CallFailure::NotReachable);
            node.step(now, Input::Reply { call, outcome });
        }
    }
    let waits: Vec<u64> = tries.windows(2).map(|two| two[1] - two[0]).collect();
    assert_eq!(&waits[..6], [1, 2, 4, 8, 16, 20]);
    assert!(waits[6..].iter().all(|wait| *wait == 20), "{waits:?}");
}

#[test]
fn an_acknowledgement_of_nothing_does_not_make_it_spin() {
    let mut node = kunitachi_with(3);
    let mut tries = 0;
    for tenth in 0..100_u64 {
        let now = NOW.plus_ms(tenth * 100);
        if let Some((call, _)) = notices(&node.tick(now)) {
            tries += 1;
            let outcome = Ok(Reply::NoticeAck { applied: 0, set_aside: Vec::new() });
            let sent = node.step(now, Input::Reply { call, outcome });
            assert_eq!(notices(&sent), None, "not again at once");
        }
    }
    assert!((5..=12).contains(&tries), "{tries} tries in 10 s");
}

#[test]
fn a_batch_of_which_nothing_is_heard_is_sent_again() {
    let mut node = kunitachi_with(3);
    let first = notices(&node.tick(NOW)).unwrap();
    assert_eq!(notices(&node.tick(NOW.plus_ms(19_900))), None);
    let second = notices(&node.tick(NOW.plus_ms(20_000))).unwrap();
    assert_ne!(first.0, second.0);
    // The late word on the first is nobody's any more; the second counts.
    let late = Input::Reply {
        call: first.0,
        outcome: Ok(Reply::NoticeAck { applied: 3, set_aside: Vec::new() }),
    };
    node.step(NOW.plus_ms(20_001), late);
    let bounds = node.store.queue_bounds(&id("prefecture-13")).unwrap();
    assert_eq!(bounds, (0, 3));
}

#[test]
fn an_idle_tick_writes_nothing() {
    for name in ["center", "prefecture-13", "municipality-132152", "agency-1"] {
        let mut node = Node::of(name);
        node.tick(NOW);
        // The request for record codes is written down once, before it is sent.
        node.tick(NOW.plus_ms(2_000));
        let writes: usize = (21..50).map(|n| node.tick(NOW.plus_ms(n * 100)).writes).sum();
        assert_eq!(writes, 0, "{name}: each write is an fsync ten times a second");
    }
}

#[test]
fn effects_cannot_be_printed() {
    let mut kunitachi = Node::of("municipality-132152");
    let one = notice(ChangeReason::MovedIn, "2026-04-01", 1, "東京都国立市東1", KUNITACHI);
    let rows = vec![FeedRow { row: 1, sequence: None, notice: one, former_municipality: None }];
    let request = Request::Feed(FeedBatch { rows });
    let from = register_system(KUNITACHI);
    let input = Input::Request { from, ticket: Ticket(1), request };
    let mut printed = format!("{input:?}");
    let (parts, _) = kunitachi.raw(NOW, input);
    printed += &format!("{parts:?}");
    let mut center = Node::of("center");
    center.hold(&[person(1, "住基 第1", "東京都国立市東1", KUNITACHI)]);
    let request = Request::Inquiry(sign(&body(agency(), "agency", 1, by_code(1))));
    let input = Input::Request { from: peer("agency-1"), ticket: Ticket(1), request };
    printed += &format!("{input:?}");
    let (parts, recorded) = center.raw(NOW, input);
    printed += &format!("{parts:?}");
    let receipt = center.receipt(&recorded[0]);
    printed += &format!("{:?}", center.raw(NOW, Input::Recorded(receipt)).0);
    let bytes = |text: &str| format!("{:?}", text.as_bytes()).replace(['[', ']'], "");
    for canary in ["住基", "国立", "ジュウキ", "1985", code(1).expose()] {
        assert!(!printed.contains(canary), "{canary}");
        assert!(!printed.contains(&bytes(canary)), "{canary} as numbers");
    }
}
