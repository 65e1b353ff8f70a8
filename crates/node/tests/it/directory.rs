//! The signed directory: who takes which, when it is issued, and what stops without one.

use law::organ::Organ;
use ledger::entry::EntryKind;
use node::machine::{CallFailure, Input, SignId};
use node::ports::Reads as _;
use wire::directory::{Directory, SignedDirectory};
use wire::{Reply, Request};

use crate::fixture::{self, Key, NOW, agency, body, by_code, directory_key, sign, signed_by};
use crate::world::{Node, World, peer, terminal};

fn push(node: &mut Node, now: law::time::Timestamp, bytes: Vec<u8>) -> Option<u64> {
    match node.ask(now, &peer("center"), Request::DirectoryPush(bytes)) {
        Reply::DirectoryAck { serial } => Some(serial),
        Reply::Unavailable { .. } => None,
        _ => panic!("an acknowledgement"),
    }
}

fn held(node: &Node) -> Directory {
    let bytes = node.store.directory().unwrap().unwrap();
    Directory::decode(&SignedDirectory::decode(&bytes).unwrap().body).unwrap()
}

#[test]
fn a_newer_one_is_taken_and_nothing_else() {
    for name in ["municipality-132152", "prefecture-13", "agency-1", "exchange-national"] {
        let mut node = Node::of(name);
        let at = NOW.plus_ms(60_000);
        let five = signed_by(&directory_key(), &fixture::directory(5, at));
        assert_eq!(push(&mut node, at, five.clone()), Some(5), "{name}");
        assert_eq!(held(&node).serial, 5);
        let old = signed_by(&directory_key(), &fixture::directory(4, at));
        assert_eq!(push(&mut node, at, old), None, "{name}: an older serial");
        let forged = signed_by(&Key::new(0x66), &fixture::directory(6, at));
        assert_eq!(push(&mut node, at, forged), None, "{name}: another key");
        let mut cut = signed_by(&directory_key(), &fixture::directory(6, at));
        cut.truncate(cut.len() - 1);
        assert_eq!(push(&mut node, at, cut), None, "{name}: cut off");
        let ahead = fixture::directory(6, at.plus_ms(61_000));
        assert_eq!(push(&mut node, at, signed_by(&directory_key(), &ahead)), None, "{name}");
        let late = at.plus_ms(600_000);
        assert_eq!(push(&mut node, late, five.clone()), None, "{name}: expired");
        assert_eq!(held(&node).serial, 5);
        // The same again is as good as taken; also after a restart.
        node.restart();
        assert_eq!(push(&mut node, at, five), Some(5), "{name}");
    }
}

#[test]
fn an_expired_one_lets_nobody_be_told_anything() {
    let late = NOW.plus_ms(600_000);
    let mut center = Node::of("center");
    let mut asked = body(agency(), "agency", 1, by_code(1));
    asked.asked_at = late;
    let request = Request::Inquiry(sign(&asked));
    let reply = center.ask(late, &peer("agency-1"), request.clone());
    assert!(matches!(reply, Reply::Unavailable { .. }));
    let just_before = law::time::Timestamp(late.0 - 1);
    assert!(matches!(center.ask(just_before, &peer("agency-1"), request), Reply::Answer(_)));
    // The center hands nothing over either, and a prefecture shows no view.
    let mut tokyo = Node::of("prefecture-13");
    let query = crate::view::query("tokyo-desk", 1, 1, late);
    let desk = terminal(Organ::Prefecture(fixture::area(13)));
    assert!(matches!(tokyo.ask(late, &desk, query), Reply::Unavailable { .. }));
    assert!(tokyo.entries().is_empty());
}

#[test]
fn the_center_issues_one_a_minute_and_pushes_it_to_all() {
    let mut world = World::new();
    world.run(620);
    let center = world.node("center");
    let serial = held(center).serial;
    assert_eq!(serial, 2, "one in the first 62 s");
    assert_eq!(center.entries_of(EntryKind::DirectoryIssued).len(), 1);
    let members = fixture::nodes();
    for (name, _, _) in &members {
        assert_eq!(held(world.node(name.as_str())).serial, 2, "{name}");
    }
    let pushes = world.said.iter().filter(|said| said.2 == wire::MessageKind::DirectoryPush);
    assert_eq!(pushes.count(), members.len() - 1);
    world.run(1_200);
    assert_eq!(held(world.node("center")).serial, 4);
    assert_eq!(held(world.node("prefecture-20")).serial, 4);
}

#[test]
fn a_late_signature_is_never_matched_to_another_request() {
    let mut center = Node::of("center");
    let at = |seconds: u64| NOW.plus_ms(seconds * 1_000);
    let first = center.tick(at(60)).signatures.remove(0);
    assert!(center.tick(at(61)).signatures.is_empty(), "one at a time");
    let second = center.tick(at(71)).signatures.remove(0);
    assert_ne!(first.sign, second.sign);
    let signed = |request: &node::outbox::SignRequest| Some(directory_key().sign(&request.message));
    let late = Input::Signed { sign: first.sign, signature: signed(&first) };
    let sent = center.step(at(72), late);
    assert!(sent.calls.is_empty() && !sent.adopted);
    assert_eq!(held(&center).serial, 1);
    let stranger = Input::Signed { sign: SignId(99), signature: signed(&second) };
    assert!(!center.step(at(72), stranger).adopted);
    let right = Input::Signed { sign: second.sign, signature: signed(&second) };
    assert!(center.step(at(73), right).adopted);
    assert_eq!(held(&center).serial, 2);
    assert_eq!(held(&center).issued_at, at(71));
}

#[test]
fn a_token_that_does_not_sign_is_asked_again_and_not_at_once() {
    let mut center = Node::of("center");
    let at = |ms: u64| NOW.plus_ms(60_000 + ms);
    let request = center.tick(at(0)).signatures.remove(0);
    center.step(at(10), Input::Signed { sign: request.sign, signature: None });
    let asked: usize = (1..10).map(|n| center.tick(at(n * 100)).signatures.len()).sum();
    assert_eq!(asked, 0);
    assert_eq!(center.tick(at(1_100)).signatures.len(), 1);
}

#[test]
fn a_node_that_missed_the_pushes_fetches_one() {
    let mut node = Node::of("municipality-132152");
    let at = |seconds: u64| NOW.plus_ms(seconds * 1_000);
    let fetch = |calls: &[node::outbox::OutgoingCall]| {
        let mut calls = calls.iter().filter(|call| matches!(call.request, Request::DirectoryFetch));
        calls.next().map(|call| call.call)
    };
    assert_eq!(fetch(&node.tick(at(1)).calls), None);
    let call = fetch(&node.tick(at(151)).calls).expect("a fetch");
    assert_eq!(fetch(&node.tick(at(152)).calls), None, "one at a time");
    let failed = Input::Reply { call, outcome: Err(CallFailure::NotReachable) };
    node.step(at(153), failed);
    let call = fetch(&node.tick(at(160)).calls).expect("another fetch");
    // Nothing at all is heard of this one: it is given up.
    let call = {
        assert_eq!(fetch(&node.tick(at(170)).calls), None);
        let again = fetch(&node.tick(at(181)).calls).expect("a third fetch");
        assert_ne!(again, call);
        again
    };
    let bytes = signed_by(&directory_key(), &fixture::directory(2, at(180)));
    let got = Input::Reply { call, outcome: Ok(Reply::Directory(bytes)) };
    assert!(node.step(at(182), got).adopted);
    assert_eq!(held(&node).serial, 2);
    let forged = signed_by(&Key::new(0x66), &fixture::directory(3, at(182)));
    let unasked = Input::Reply { call, outcome: Ok(Reply::Directory(forged)) };
    assert!(!node.step(at(182), unasked).adopted);
}

#[test]
fn a_directory_that_the_center_did_not_sign_is_not_even_kept_at_start() {
    let forged = signed_by(&Key::new(0x66), &fixture::directory(9, NOW));
    let mut center = Node::with("center", Some(forged));
    let request = Request::Inquiry(sign(&body(agency(), "agency", 1, by_code(1))));
    assert!(matches!(center.ask(NOW, &peer("agency-1"), request), Reply::Unavailable { .. }));
    let reply = center.ask(NOW, &peer("agency-1"), Request::DirectoryFetch);
    assert!(matches!(reply, Reply::Unavailable { .. }));
    assert!(center.tick(NOW.plus_ms(70_000)).signatures.is_empty());
}
