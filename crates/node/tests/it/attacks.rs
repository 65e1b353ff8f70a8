//! Attacks on moves, found by an audit: what a municipality, a lost message or an unlucky order
//! could do to a resident, each shut.

use law::change::{ChangeNotice, ChangeReason};
use law::time::Timestamp;
use node::machine::{Input, Ticket};
use node::ports::{Reads as _, Space, Store as _, Write};
use wire::{
    Departure, FeedBatch, FeedRow, NodeId, ReleaseBody, Reply, Request, SetAside, SignedRelease,
};

use crate::fixture::{
    KUNITACHI, MATSUMOTO, MITAKA, NOW, code, date, node_key, notice, release, town,
};
use crate::moving::file;
use crate::notices::register_system;
use crate::set_aside::{batch, told};
use crate::world::{Node, World, peer};

fn says(of: &str, reason: ChangeReason, on: &str) -> ChangeNotice {
    notice(reason, on, 1, "東京都国立市東1", of)
}

fn at(world: &mut World, node: &str) -> String {
    stands(world.node(node))
}

fn stands(node: &Node) -> String {
    match node.store.resident(&code(1)).unwrap() {
        None => "-".to_owned(),
        Some(held) if held.removed => "gone".to_owned(),
        Some(held) => held.identity.municipality.as_str().to_owned(),
    }
}

fn view(world: &mut World) -> [String; 6] {
    [
        "municipality-132152",
        "municipality-202029",
        "municipality-132047",
        "prefecture-13",
        "prefecture-20",
        "center",
    ]
    .map(|node| at(world, node))
}

fn signed(from: &str, to: &str, left_on: &str, released_at: Timestamp) -> SignedRelease {
    let body = ReleaseBody {
        code: code(1),
        from: town(from),
        to: town(to),
        left_on: date(left_on),
        released_at,
    };
    let key = node_key(&NodeId::municipality(&town(from)));
    let body = body.encode().unwrap();
    let signature = key.sign(&SignedRelease::signing_bytes(&body));
    SignedRelease { body, signature, public_key: key.public() }
}

fn in_kunitachi() -> World {
    let mut world = World::new();
    let born = says(KUNITACHI, ChangeReason::EnteredExOfficio, "2026-01-05");
    assert_eq!(file(&mut world, KUNITACHI, born, None), "accepted");
    world.run(5);
    world
}

/// Kunitachi (13) -> Matsumoto (20) -> Mitaka (13): an ordinary life.
#[test]
fn who_comes_back_to_another_municipality_of_the_first_prefecture_arrives() {
    let mut world = in_kunitachi();
    file(&mut world, KUNITACHI, says(KUNITACHI, ChangeReason::MovedOut, "2026-03-01"), None);
    file(
        &mut world,
        MATSUMOTO,
        says(MATSUMOTO, ChangeReason::MovedIn, "2026-03-02"),
        Some(KUNITACHI),
    );
    world.run(50);
    file(&mut world, MATSUMOTO, says(MATSUMOTO, ChangeReason::MovedOut, "2026-06-01"), None);
    file(&mut world, MITAKA, says(MITAKA, ChangeReason::MovedIn, "2026-06-02"), Some(MATSUMOTO));
    world.run(400);
    assert_eq!(view(&mut world), ["gone", "gone", MITAKA, MITAKA, "gone", MITAKA]);
}

/// a municipality lets somebody else's resident go to itself.
#[test]
fn nobody_lets_a_resident_go_to_oneself() {
    let mut center = Node::of("center");
    let entered = says(KUNITACHI, ChangeReason::EnteredExOfficio, "2026-01-05");
    center.ask(NOW, &peer("prefecture-13"), batch(1, vec![(entered, None)]));
    let mut all = Vec::new();
    for sequence in 1..=17 {
        let own = signed(MATSUMOTO, MATSUMOTO, "2026-04-30", NOW);
        let row = says(MATSUMOTO, ChangeReason::MovedIn, "2026-05-01");
        all.push(told(center.ask(
            NOW,
            &peer("prefecture-20"),
            batch(sequence, vec![(row, Some(own))]),
        )));
    }
    assert_eq!(all[0].1, vec![(1, "release-not-valid".to_owned())], "{all:?}");
    assert!(center.store.facts(Space::Arrival, None, 10).unwrap().is_empty());
}

/// moving-out and its confirmation in one batch.
#[test]
fn a_confirmation_in_the_batch_of_its_moving_out_counts() {
    let rows = || {
        vec![
            (says(KUNITACHI, ChangeReason::EnteredExOfficio, "2026-01-05"), None),
            (says(KUNITACHI, ChangeReason::MovedOut, "2026-05-10"), None),
            (
                says(KUNITACHI, ChangeReason::MovedOut, "2026-05-10"),
                Some(release(1, KUNITACHI, MATSUMOTO, "2026-05-10")),
            ),
        ]
    };
    let last = |batches: Vec<Request>| {
        let mut tokyo = Node::of("prefecture-13");
        let mut until = None;
        for request in batches {
            let from = peer("municipality-132152");
            let input = Input::Request { from, ticket: Ticket(1), request };
            let (parts, _) = tokyo.raw(NOW, input);
            tokyo.store.commit().unwrap();
            for write in parts.writes {
                if let Write::ExpireResident { until: day, .. } = write {
                    until = day;
                }
            }
        }
        until.map(|day| day.to_string())
    };
    let apart = rows().into_iter().zip(1..).map(|(row, first)| batch(first, vec![row])).collect();
    let apart = last(apart);
    let together = last(vec![batch(1, rows())]);
    assert_eq!(apart, together);
}

/// the last thing Kunitachi said is dated after the moving-in, and its moving-out is late.
#[test]
fn an_entry_with_a_release_is_not_lost_to_a_later_correction() {
    let mut center = Node::of("center");
    let (tokyo, nagano) = (peer("prefecture-13"), peer("prefecture-20"));
    let entered = says(KUNITACHI, ChangeReason::EnteredExOfficio, "2026-01-05");
    let corrected = says(KUNITACHI, ChangeReason::CorrectedExOfficio, "2026-05-12");
    center.ask(NOW, &tokyo, batch(1, vec![(entered, None), (corrected, None)]));
    let moved_in = says(MATSUMOTO, ChangeReason::MovedIn, "2026-05-11");
    let word = signed(KUNITACHI, MATSUMOTO, "2026-05-11", NOW);
    assert_eq!(told(center.ask(NOW, &nagano, batch(1, vec![(moved_in, Some(word))]))), (1, vec![]));
    let out = says(KUNITACHI, ChangeReason::MovedOut, "2026-05-11");
    center.ask(NOW, &tokyo, batch(3, vec![(out, None)]));
    assert_eq!(stands(&center), MATSUMOTO);
}

/// what is set aside as unfounded goes on to the center all the same.
#[test]
fn what_is_set_aside_is_not_passed_on() {
    let mut nagano = Node::of("prefecture-20");
    let died = says(MATSUMOTO, ChangeReason::Died, "2026-05-01");
    let reply = nagano.ask(NOW, &peer("municipality-202029"), batch(1, vec![(died.clone(), None)]));
    assert_eq!(told(reply), (1, vec![(1, "unfounded".to_owned())]));
    let queued = nagano.store.queued(&NodeId::center(), 0, 10).unwrap().len();
    // And there it becomes history of whoever has that code, wherever she stands.
    let mut center = Node::of("center");
    let entered = says(KUNITACHI, ChangeReason::EnteredExOfficio, "2026-01-05");
    center.ask(NOW, &peer("prefecture-13"), batch(1, vec![(entered, None)]));
    let reply = center.ask(NOW, &peer("prefecture-20"), batch(1, vec![(died, None)]));
    let history = center.store.history(&code(1), 10).unwrap();
    let areas: Vec<_> = history.iter().map(|row| row.before.identity.municipality).collect();
    assert_eq!((queued, told(reply).1.len(), areas), (0, 1, vec![]));
}

/// an entry dated before the last change needs no word, and makes its prefecture one that
/// "ever had" the resident.
#[test]
fn a_backdated_entry_without_a_word_leaves_nothing_about_the_resident() {
    let mut center = Node::of("center");
    let entered = says(KUNITACHI, ChangeReason::EnteredExOfficio, "2026-01-05");
    center.ask(NOW, &peer("prefecture-13"), batch(1, vec![(entered, None)]));
    let old = says(MATSUMOTO, ChangeReason::MovedIn, "2025-12-01");
    let reply = told(center.ask(NOW, &peer("prefecture-20"), batch(1, vec![(old, None)])));
    let history = center.store.history(&code(1), 10).unwrap();
    assert_eq!((reply.1.len(), history.len()), (1, 0));
}

/// let go six years ago; the rows of both municipalities have been erased since.
#[test]
fn a_departure_of_long_ago_keeps_nobody_out() {
    let mut world = World::new();
    let past = Timestamp(NOW.0 - 6 * 366 * 86_400_000);
    let kept = Departure { to: town(MATSUMOTO), released_at: past, confirmed: true };
    let write = Write::PutFact {
        space: Space::Departure,
        key: code(1).expose().as_bytes().to_vec(),
        value: kept.encode().unwrap(),
    };
    let kunitachi = world.node("municipality-132152");
    kunitachi.store.apply(&[write], &[], &mut |_| {}).unwrap();
    kunitachi.store.commit().unwrap();
    let back = says(KUNITACHI, ChangeReason::MovedIn, "2026-05-01");
    let without = file(&mut world, KUNITACHI, back.clone(), None);
    let with = file(&mut world, KUNITACHI, back, Some(MATSUMOTO));
    world.run(400);
    assert_eq!(at(&mut world, "municipality-132152"), KUNITACHI, "{without}, {with}");
}

/// deleted ex officio at the new place, and back at the old one.
#[test]
fn who_was_deleted_ex_officio_elsewhere_can_come_back() {
    let mut world = in_kunitachi();
    file(&mut world, KUNITACHI, says(KUNITACHI, ChangeReason::MovedOut, "2026-03-01"), None);
    file(
        &mut world,
        MATSUMOTO,
        says(MATSUMOTO, ChangeReason::MovedIn, "2026-03-02"),
        Some(KUNITACHI),
    );
    world.run(50);
    file(
        &mut world,
        MATSUMOTO,
        says(MATSUMOTO, ChangeReason::DeletedExOfficio, "2026-06-01"),
        None,
    );
    world.run(10);
    let ex_officio = says(KUNITACHI, ChangeReason::EnteredExOfficio, "2026-07-01");
    let without = file(&mut world, KUNITACHI, ex_officio, None);
    let back = says(KUNITACHI, ChangeReason::MovedIn, "2026-07-02");
    let with = file(&mut world, KUNITACHI, back, Some(MATSUMOTO));
    world.run(400);
    assert_eq!(at(&mut world, "municipality-132152"), KUNITACHI, "{without}, {with}");
}

/// garbage in place of a release, where none is needed.
#[test]
fn garbage_for_a_release_does_not_stop_the_stream() {
    let mut tokyo = Node::of("prefecture-13");
    let mut garbage = signed(KUNITACHI, KUNITACHI, "2026-04-30", NOW);
    garbage.body = vec![0xFF; 16];
    let entered = says(KUNITACHI, ChangeReason::EnteredExOfficio, "2026-01-05");
    let reply =
        tokyo.ask(NOW, &peer("municipality-132152"), batch(1, vec![(entered, Some(garbage))]));
    assert_eq!(told(reply), (1, vec![(1, "release-not-valid".to_owned())]));
    // Nor does one that nobody signed count because none was needed.
    let mut forged = signed(MATSUMOTO, KUNITACHI, "2026-04-30", NOW);
    forged.signature = [1; 64];
    let entered = says(KUNITACHI, ChangeReason::EnteredExOfficio, "2026-01-05");
    let reply =
        tokyo.ask(NOW, &peer("municipality-132152"), batch(2, vec![(entered, Some(forged))]));
    assert_eq!(told(reply), (2, vec![(2, "release-not-valid".to_owned())]));
}

/// after letting go, the former municipality enters her again at its prefecture.
#[test]
fn who_was_let_go_is_not_entered_again_by_the_former_municipality() {
    let mut world = in_kunitachi();
    file(&mut world, KUNITACHI, says(KUNITACHI, ChangeReason::MovedOut, "2026-03-01"), None);
    file(
        &mut world,
        MATSUMOTO,
        says(MATSUMOTO, ChangeReason::MovedIn, "2026-03-02"),
        Some(KUNITACHI),
    );
    world.run(50);
    assert_eq!(view(&mut world), ["gone", MATSUMOTO, "-", "gone", MATSUMOTO, MATSUMOTO]);
    let (_, last) = world
        .node("municipality-132152")
        .store
        .queue_bounds(&NodeId::parse("prefecture-13").unwrap())
        .unwrap();
    let again = says(KUNITACHI, ChangeReason::EnteredExOfficio, "2026-04-01");
    let request = batch(last + 1, vec![(again, None)]);
    let reply = world.ask("prefecture-13", &peer("municipality-132152"), request);
    assert_eq!((told(reply).1.len(), at(&mut world, "prefecture-13")), (1, "gone".to_owned()));
}

/// what the tier above says about a set-aside notice is a word in this node's ledger.
#[test]
fn a_rule_from_above_that_is_no_word_stops_nobody() {
    let mut kunitachi = Node::of("municipality-132152");
    let rows = vec![FeedRow {
        row: 1,
        sequence: None,
        notice: says(KUNITACHI, ChangeReason::EnteredExOfficio, "2026-01-05"),
        former_municipality: None,
    }];
    let from = register_system(KUNITACHI);
    let sent = kunitachi.step(
        NOW,
        Input::Request { from, ticket: Ticket(1), request: Request::Feed(FeedBatch { rows }) },
    );
    let mut calls = sent.calls;
    calls.extend(kunitachi.tick(NOW).calls);
    let call = calls.into_iter().find(|c| matches!(c.request, Request::Notices(_))).unwrap();
    let set_aside = vec![SetAside { sequence: 1, rule: "a rule\nwith a line".to_owned() }];
    let outcome = Ok(Reply::NoticeAck { applied: 1, set_aside });
    let sent = kunitachi.step(NOW, Input::Reply { call: call.call, outcome });
    assert_eq!(sent.broken, None);
}

/// somebody who died is entered elsewhere on that one's own word.
#[test]
fn the_dead_move_nowhere() {
    let mut center = Node::of("center");
    let (tokyo, nagano) = (peer("prefecture-13"), peer("prefecture-20"));
    let entered = says(KUNITACHI, ChangeReason::EnteredExOfficio, "2026-01-05");
    let died = says(KUNITACHI, ChangeReason::Died, "2026-02-05");
    center.ask(NOW, &tokyo, batch(1, vec![(entered, None), (died, None)]));
    let to = says(MATSUMOTO, ChangeReason::MovedIn, "2026-03-01");
    center.ask(NOW, &nagano, batch(1, vec![(to, None)]));
    assert_eq!(stands(&center), "gone");
}
