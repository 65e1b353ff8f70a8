//! Record codes: designated once by the center, whatever is lost on the way, and given out once by
//! the municipality (法30条の2, 30条の7; 規則14条).

use std::collections::BTreeSet;

use law::change::ChangeReason;
use law::code::RecordCode;
use law::organ::Organ;
use ledger::entry::EntryKind;
use node::machine::Peer;
use node::ports::{Reads as _, Space, Store as _, Write};
use wire::{
    FeedBatch, FeedRow, FeedVerdict, MessageKind, PoolRequest, Reply, Request, Role, TakeCode,
};

use crate::fixture::{KUNITACHI, MITAKA, NOW, code, id, notice, person, town};
use crate::world::{Fate, Node, World, peer};

const CS: &str = "municipality-132152";

fn register_system() -> Peer {
    let organ = Some(Organ::Municipality(town(KUNITACHI)));
    Peer { node: id("feed-132152"), role: Role::Feed, organ }
}

fn take(world: &mut World, number: u8) -> Result<RecordCode, String> {
    let request = Request::TakeCode(TakeCode { request: [number; 16] });
    match world.ask(CS, &register_system(), request) {
        Reply::CodeTaken(taken) => {
            assert_eq!(taken.request, [number; 16]);
            Ok(taken.code)
        }
        Reply::Unavailable { reason } => Err(reason),
        _ => panic!("a code or none"),
    }
}

fn designated(center: &mut Node, from: &str, request: u8, count: u32) -> Vec<RecordCode> {
    let asked = Request::PoolRequest(PoolRequest { request: [request; 16], count });
    let ticket = node::machine::Ticket(5);
    let sent = center
        .step(NOW, node::machine::Input::Request { from: peer(from), ticket, request: asked });
    match sent.replies.into_iter().find(|reply| reply.ticket == ticket).unwrap().reply {
        Reply::Pool(pool) => pool.codes,
        _ => panic!("a pool"),
    }
}

#[test]
fn a_municipality_fills_its_pool_by_itself() {
    let mut world = World::new();
    assert_eq!(take(&mut world, 1), Err("pool-empty".to_owned()));
    world.run(100);
    let left = world.node(CS).store.facts_count(Space::Pool).unwrap();
    assert_eq!(left, 50, "as many as its population asks for");
    for entry in world.node("center").entries_of(EntryKind::CodesDesignated) {
        assert_eq!(entry.count(), Some(50));
        assert!(entry.asker().unwrap().starts_with("municipality"));
    }
    // Once only: nobody asks again while the pool is full.
    let asked = world.said.iter().filter(|(_, _, kind)| *kind == MessageKind::PoolRequest).count();
    assert_eq!(asked, 3, "one request from each municipality");
}

#[test]
fn one_request_brings_one_code_and_no_code_comes_twice() {
    let mut world = World::new();
    world.run(100);
    let first = take(&mut world, 1).unwrap();
    assert_eq!(take(&mut world, 1).unwrap(), first, "the answer was lost, say");
    world.node(CS).restart();
    assert_eq!(take(&mut world, 1).unwrap(), first, "and the power failed");
    let mut given = BTreeSet::from([first]);
    for number in 2..=60 {
        if let Ok(code) = take(&mut world, number) {
            assert!(given.insert(code), "given out once");
        }
        world.run(2);
    }
    assert!(given.len() > 50, "the pool was filled again on the way");
    let taken = world.node(CS).entries_of(EntryKind::CodeTaken);
    assert_eq!(taken.len(), given.len(), "each on record, repetitions not");
    assert!(taken.iter().all(|entry| entry.count() == Some(1) && entry.subject().is_none()));
}

#[test]
fn a_lost_answer_brings_the_same_codes_again() {
    let mut center = Node::of("center");
    let first = designated(&mut center, CS, 1, 40);
    assert_eq!(first.len(), 40);
    assert_eq!(designated(&mut center, CS, 1, 40), first);
    center.restart();
    assert_eq!(designated(&mut center, CS, 1, 40), first);
    // The next request says that the last one arrived.
    let second = designated(&mut center, CS, 2, 40);
    let other = designated(&mut center, "municipality-132047", 1, 40);
    let all: BTreeSet<RecordCode> = [first, second, other].concat().into_iter().collect();
    assert_eq!(all.len(), 120, "never overlapping");
    assert_eq!(center.entries_of(EntryKind::CodesDesignated).len(), 3);
}

#[test]
fn a_pool_arrives_whole_through_losses_and_crashes() {
    for fate in [Fate::Lost, Fate::ReplyLost, Fate::Twice] {
        let mut world = World::new();
        let mut fails = 2;
        world.fate = Box::new(move |_, call| {
            let pool = matches!(call.request, Request::PoolRequest(_));
            if pool && fails > 0 {
                fails -= 1;
                fate
            } else {
                Fate::Arrives
            }
        });
        for round in 0..30 {
            world.run(10);
            if round == 3 {
                world.node(CS).restart();
                world.node("center").restart();
            }
        }
        let kept = world.node(CS).store.facts(Space::Pool, None, 1_000).unwrap();
        assert_eq!(kept.len(), 50, "{fate:?}");
        let issued = world.node("center").store.facts_count(Space::Issued).unwrap();
        assert_eq!(issued, 150, "{fate:?}: nothing was designated and forgotten");
    }
}

/// The dice of the test world are the same after each start: without the record of what was
/// designated, the second center would designate the first one's codes again.
#[test]
fn what_is_or_was_somebodys_is_never_designated() {
    let mut probe = Node::of("center");
    let would_be = designated(&mut probe, CS, 1, 30);
    let mut center = Node::of("center");
    let mut lives = person(1, "住基 花子", "東京都国立市東1", KUNITACHI);
    lives.identity.code = would_be[0];
    center.hold(&[lives]);
    center
        .store
        .apply(
            &[Write::PutFact {
                space: Space::Issued,
                key: would_be[2].expose().as_bytes().to_vec(),
                value: vec![1],
            }],
            &[],
            &mut |bytes| bytes.fill(9),
        )
        .unwrap();
    center.store.commit().unwrap();
    let drawn = designated(&mut center, CS, 1, 30);
    assert!(!drawn.contains(&would_be[0]), "somebody has it");
    assert!(!drawn.contains(&would_be[2]), "it was designated before");
}

#[test]
fn a_code_that_somebody_gave_up_stays_out_of_every_pool() {
    let mut world = World::new();
    let feed = |world: &mut World, notices: Vec<law::change::ChangeNotice>| {
        let rows = (1_u32..).zip(notices).map(|(row, notice)| FeedRow {
            row,
            sequence: None,
            notice,
            former_municipality: None,
        });
        let batch = Request::Feed(FeedBatch { rows: rows.collect() });
        let Reply::FeedResult(outcomes) = world.ask(CS, &register_system(), batch) else {
            panic!("outcomes")
        };
        for outcome in outcomes {
            assert!(matches!(outcome.outcome, FeedVerdict::Accepted { .. }));
        }
    };
    let born = notice(ChangeReason::Born, "2026-04-01", 1, "東京都国立市東1", KUNITACHI);
    let mut recoded =
        notice(ChangeReason::CodeChangedOnRequest, "2026-05-01", 2, "東京都国立市東1", KUNITACHI);
    recoded.previous_code = Some(code(1));
    feed(&mut world, vec![born, recoded]);
    world.run(20);
    let center = world.node("center");
    let known = |number: u64| {
        center.store.fact(Space::Issued, code(number).expose().as_bytes()).unwrap().is_some()
    };
    assert!(known(1), "the old code is remembered");
}

#[test]
fn whoever_is_entered_takes_the_code_out_of_the_pool() {
    let mut world = World::new();
    world.run(100);
    let before = world.node(CS).store.facts_count(Space::Pool).unwrap();
    let taken = take(&mut world, 1).unwrap();
    let (_, kept) = world.node(CS).store.facts(Space::Pool, None, 1).unwrap().remove(0);
    let lying = RecordCode::parse(std::str::from_utf8(&kept).unwrap()).unwrap();
    let rows = (1_u32..).zip([taken, lying]).map(|(row, code)| {
        let mut born = notice(ChangeReason::Born, "2026-04-01", 1, "東京都国立市東1", KUNITACHI);
        born.record.code = code;
        FeedRow { row, sequence: None, notice: born, former_municipality: None }
    });
    let batch = Request::Feed(FeedBatch { rows: rows.collect() });
    assert!(matches!(world.ask(CS, &register_system(), batch), Reply::FeedResult(_)));
    let node = world.node(CS);
    assert_eq!(node.store.facts_count(Space::Pool).unwrap(), before - 2);
    assert_eq!(node.store.fact(Space::Pool, lying.expose().as_bytes()).unwrap(), None);
    // The request number is forgotten with its use: the same number brings another code.
    assert_ne!(take(&mut world, 1).unwrap(), taken);
}

#[test]
fn nobody_but_a_municipality_is_given_codes_and_none_is_printed() {
    let mut center = Node::of("center");
    let request = || Request::PoolRequest(PoolRequest { request: [1; 16], count: 5 });
    for from in ["prefecture-13", "agency-1"] {
        let reply = center.ask(NOW, &peer(from), request());
        assert!(matches!(reply, Reply::Unavailable { .. }), "{from}");
    }
    let mut kunitachi = Node::of(CS);
    let take = Request::TakeCode(TakeCode { request: [1; 16] });
    for from in ["municipality-132047", "prefecture-13", "center"] {
        let reply = kunitachi.ask(NOW, &peer(from), take.clone());
        assert!(matches!(reply, Reply::Unavailable { .. }), "{from}");
    }
    // A register system of another office.
    let mut stranger = register_system();
    stranger.organ = Some(Organ::Municipality(town(MITAKA)));
    let reply = kunitachi.ask(NOW, &stranger, take);
    assert!(matches!(reply, Reply::Unavailable { reason } if reason != "pool-empty"));
    let codes = designated(&mut center, CS, 1, 20);
    for open in center.store.entries_from(0, 100).unwrap() {
        let text = String::from_utf8(open.entry).unwrap();
        assert!(codes.iter().all(|code| !text.contains(code.expose())), "a count only");
    }
}
