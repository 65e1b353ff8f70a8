//! What the center provided, on its way to the prefecture of the person: each once, with a proof.

use law::code::RecordCode;
use ledger::entry::{Entry, EntryKind};
use ledger::note::NoteSigner as _;
use ledger::view::{ViewedRow, verify_row};
use node::machine::Input;
use node::outbox::OutgoingCall;
use node::ports::{ForeignEntry, Leaf, NewEntry, Reads as _, Store as _};
use wire::{DisclosureBatch, Reply, Request};

use crate::fixture::{
    KUNITACHI, LedgerKey, MATSUMOTO, NOW, agency, body, by_birth, by_code, code, id, notice,
    person, sign,
};
use crate::notices::feed;
use crate::world::{Fate, Node, World, peer};

const TOKYO: &str = "東京都国立市東1";
const NAGANO: &str = "長野県松本市丸の内3";

fn world() -> World {
    let mut world = World::new();
    let people: Vec<_> = (1..=6)
        .map(|n| match n % 2 {
            0 => person(n, "住基 花子", NAGANO, MATSUMOTO),
            _ => person(n, "住基 花子", TOKYO, KUNITACHI),
        })
        .collect();
    world.node("center").hold(&people);
    world
}

fn inquire(world: &mut World, request: u8, number: u64) {
    let mut body = body(agency(), "agency", request, by_code(number));
    body.asked_at = world.now;
    let reply = world.ask("center", &peer("agency-1"), Request::Inquiry(sign(&body)));
    assert!(matches!(reply, Reply::Answer(_)));
}

fn foreign(world: &mut World, node: &str, about: RecordCode) -> Vec<ForeignEntry> {
    world.node(node).store.foreign_about(&about, 100).unwrap()
}

/// Each row verifies against the center's key and is about this person.
fn check(rows: &[ForeignEntry], about: RecordCode) {
    let key = LedgerKey::of(&id("center")).verifier_key().clone();
    for row in rows {
        let ForeignEntry { entry, salt, proof, ledger } = row.clone();
        assert_eq!(ledger, "jukinet.example/center");
        let entry = verify_row(&ViewedRow { entry, salt, proof }, &key).unwrap();
        assert_eq!(entry.subject(), Some(about));
        assert_eq!(entry.kind(), EntryKind::Provision);
    }
}

#[test]
fn every_provision_reaches_its_prefecture_once() {
    let mut world = world();
    let mut lost = 0;
    world.fate = Box::new(move |_, call| {
        if !matches!(call.request, Request::Disclosures(_)) {
            return Fate::Arrives;
        }
        lost += 1;
        [Fate::Lost, Fate::ReplyLost, Fate::Twice, Fate::Arrives][lost % 4]
    });
    for request in 0..30 {
        inquire(&mut world, request, u64::from(request % 6) + 1);
        if request % 7 == 3 {
            world.run(2);
            let names = ["center", "prefecture-13", "prefecture-20"];
            world.node(names[usize::from(request) % 3]).restart();
        }
    }
    let everyone = by_birth("住", "1985-04-01", true);
    let mut last = body(agency(), "agency", 99, everyone);
    last.asked_at = world.now;
    world.ask("center", &peer("agency-1"), Request::Inquiry(sign(&last)));
    world.fate = Box::new(|_, _| Fate::Arrives);
    world.run(100);
    for number in 1..=6 {
        let (home, other) = match number % 2 {
            0 => ("prefecture-20", "prefecture-13"),
            _ => ("prefecture-13", "prefecture-20"),
        };
        let rows = foreign(&mut world, home, code(number));
        assert_eq!(rows.len(), 6, "{number}");
        check(&rows, code(number));
        assert!(foreign(&mut world, other, code(number)).is_empty());
    }
    let received: u64 = world
        .node("prefecture-13")
        .entries_of(EntryKind::DisclosuresReceived)
        .iter()
        .filter_map(Entry::count)
        .sum();
    assert_eq!(received, 18, "recorded once each");
}

#[test]
fn a_provision_right_before_a_change_of_code_is_not_lost() {
    let mut world = World::new();
    let one = notice(law::change::ChangeReason::MovedIn, "2026-04-01", 1, TOKYO, KUNITACHI);
    feed(&mut world, vec![one.clone()]);
    world.run(3);
    // In one group: the provision, then the notice that takes the code away, before any tick.
    let center = world.node("center");
    let signed = sign(&body(agency(), "agency", 1, by_code(1)));
    let ticket = node::machine::Ticket(1);
    let from = peer("agency-1");
    let (_, recorded) =
        center.raw(NOW, Input::Request { from, ticket, request: Request::Inquiry(signed) });
    let mut recoded = one;
    recoded.reason = law::change::ChangeReason::CodeChangedOnRequest;
    recoded.previous_code = Some(code(1));
    recoded.record.code = code(2);
    let relayed = wire::RelayedNotice {
        municipality: recoded.record.municipality,
        sequence: 2,
        notice: recoded,
        release: None,
    };
    let batch = wire::NoticeBatch { first_sequence: 2, notices: vec![relayed] };
    let from = peer("prefecture-13");
    let (parts, _) =
        center.raw(NOW, Input::Request { from, ticket, request: Request::Notices(batch) });
    assert!(matches!(parts.replies[0].reply, Reply::NoticeAck { applied: 2, .. }));
    assert_eq!(center.store.resident(&code(1)).unwrap(), None);
    let receipt = center.receipt(&recorded[0]);
    center.raw(NOW, Input::Recorded(receipt));
    center.store.commit().unwrap();
    world.run(10);
    check(&foreign(&mut world, "prefecture-13", code(1)), code(1));
    assert_eq!(foreign(&mut world, "prefecture-13", code(1)).len(), 1);
}

/// Whoever notifies a false moving-in cannot lead a resident's records away from where she looks:
/// it is set aside, and the look-ups that follow stand in the list of where she really lives.
#[test]
fn a_false_moving_in_elsewhere_hides_nothing_from_the_resident() {
    let mut world = World::new();
    let moved_in = law::change::ChangeReason::MovedIn;
    feed(&mut world, vec![notice(moved_in, "2026-04-01", 1, NAGANO, MATSUMOTO)]);
    world.run(3);
    feed(&mut world, vec![notice(moved_in, "2026-05-01", 1, TOKYO, KUNITACHI)]);
    world.run(3);
    inquire(&mut world, 1, 1);
    world.run(10);
    let held = world.node("center").store.resident(&code(1)).unwrap().unwrap();
    assert_eq!(held.identity.municipality.as_str(), MATSUMOTO);
    for (prefecture, count) in [("prefecture-13", 0), ("prefecture-20", 1)] {
        let rows = foreign(&mut world, prefecture, code(1));
        check(&rows, code(1));
        assert_eq!(rows.len(), count, "{prefecture}");
    }
}

/// The batch that the center would send now.
fn disclosures(center: &mut Node) -> (OutgoingCall, DisclosureBatch) {
    center.publish();
    let mut calls = Vec::new();
    for tenths in 1..=3 {
        calls.extend(center.tick(NOW.plus_ms(tenths * 100)).calls);
    }
    let call = calls.into_iter().find(|call| matches!(call.request, Request::Disclosures(_)));
    let call = call.expect("a batch");
    let Request::Disclosures(batch) = call.request.clone() else { unreachable!() };
    (call, batch)
}

fn center_with_two() -> Node {
    let mut center = Node::of("center");
    center.hold(&[
        person(1, "住基 花子", TOKYO, KUNITACHI),
        person(3, "別名 太郎", TOKYO, KUNITACHI),
    ]);
    for (request, number) in [(1, 1), (2, 3)] {
        let signed = sign(&body(agency(), "agency", request, by_code(number)));
        center.ask(NOW, &peer("agency-1"), Request::Inquiry(signed));
    }
    center
}

#[test]
fn what_is_not_proven_is_never_kept() {
    let mut center = center_with_two();
    let (_, batch) = disclosures(&mut center);
    assert_eq!(batch.rows.len(), 2);
    let mut forgeries: Vec<(&str, DisclosureBatch)> = Vec::new();
    let mut add = |what, change: &dyn Fn(&mut DisclosureBatch)| {
        let mut forged = batch.clone();
        change(&mut forged);
        forgeries.push((what, forged));
    };
    add("entry", &|b| b.rows[0].entry[40] ^= 1);
    add("salt", &|b| b.rows[0].salt[0] ^= 1);
    add("proof", &|b| b.rows[0].proof = b.rows[1].proof.clone());
    add("no proof", &|b| b.rows[0].proof = "x".to_owned());
    add("subject", &|b| b.rows[0].subject = code(3));
    for (what, forged) in forgeries {
        let mut tokyo = Node::of("prefecture-13");
        for _ in 0..3 {
            let reply = tokyo.ask(NOW, &peer("center"), Request::Disclosures(forged.clone()));
            assert!(matches!(reply, Reply::DisclosureAck { applied: 0 }), "{what}");
        }
        for number in [1, 3] {
            assert!(tokyo.store.foreign_about(&code(number), 9).unwrap().is_empty(), "{what}");
        }
        let entries = tokyo.entries_of(EntryKind::DisclosuresReceived);
        assert_eq!(entries.len(), 1, "{what}: recorded once, however often it is sent");
        assert_eq!((entries[0].count(), entries[0].first()), (Some(0), Some(1)));
        let reply = tokyo.ask(NOW, &peer("center"), Request::Disclosures(batch.clone()));
        assert!(matches!(reply, Reply::DisclosureAck { applied: 2 }), "{what}");
    }
}

#[test]
fn an_entry_that_is_no_provision_is_not_disclosed_data() {
    // The center's own record of a refusal, properly proven: it is about nobody.
    let mut center = Node::of("center");
    let mut refused = body(agency(), "agency", 1, by_code(1));
    refused.case_number.clear();
    center.ask(NOW, &peer("agency-1"), Request::Inquiry(sign(&refused)));
    center.publish();
    let open = center.store.entries_from(0, 1).unwrap().remove(0);
    let proof = center.store.proof(0).unwrap().unwrap();
    let row = wire::DisclosureRow {
        sequence: 1,
        subject: code(1),
        entry: open.entry,
        salt: open.salt,
        proof,
    };
    let mut tokyo = Node::of("prefecture-13");
    let batch = DisclosureBatch { first_sequence: 1, rows: vec![row] };
    let reply = tokyo.ask(NOW, &peer("center"), Request::Disclosures(batch));
    assert!(matches!(reply, Reply::DisclosureAck { applied: 0 }));
    assert!(tokyo.store.foreign_about(&code(1), 9).unwrap().is_empty());
}

#[test]
fn what_was_opened_by_a_clerk_is_not_what_was_provided() {
    // About a resident and properly proven, and still not a provision of the center.
    let mut center = Node::of("center");
    let entry = Entry::build(EntryKind::ViewOpened, NOW, "center").subject(&code(1));
    let leaf = Leaf { subject: Some(code(1)), entry: entry.finish().unwrap().encode() };
    let new = NewEntry { id: ledger::receipt::EntryId(1), leaves: vec![leaf] };
    center.store.apply(&[], &[new], &mut |_| {}).unwrap();
    center.store.commit().unwrap();
    center.publish();
    let open = center.store.entries_from(0, 1).unwrap().remove(0);
    let proof = center.store.proof(0).unwrap().unwrap();
    let (entry, salt) = (open.entry, open.salt);
    let row = wire::DisclosureRow { sequence: 1, subject: code(1), entry, salt, proof };
    let mut tokyo = Node::of("prefecture-13");
    let batch = DisclosureBatch { first_sequence: 1, rows: vec![row] };
    let reply = tokyo.ask(NOW, &peer("center"), Request::Disclosures(batch));
    assert!(matches!(reply, Reply::DisclosureAck { applied: 0 }));
}

#[test]
fn nothing_is_handed_over_before_a_checkpoint_covers_it() {
    let mut center = center_with_two();
    for tenths in 1..=20 {
        let calls = center.tick(NOW.plus_ms(tenths * 100)).calls;
        assert!(!calls.iter().any(|call| matches!(call.request, Request::Disclosures(_))));
    }
    let (_, batch) = disclosures(&mut center);
    assert_eq!(batch.rows.len(), 2, "and nothing is forgotten meanwhile");
}

#[test]
fn a_batch_that_begins_with_what_is_known_goes_on_from_there() {
    let mut center = center_with_two();
    let (_, batch) = disclosures(&mut center);
    let mut first = batch.clone();
    first.rows.truncate(1);
    let mut tokyo = Node::of("prefecture-13");
    let applied = |tokyo: &mut Node, batch: &DisclosureBatch| {
        let request = Request::Disclosures(batch.clone());
        let Reply::DisclosureAck { applied } = tokyo.ask(NOW, &peer("center"), request) else {
            panic!("an acknowledgement")
        };
        applied
    };
    let mut second = batch.clone();
    second.rows.remove(0);
    assert_eq!(applied(&mut tokyo, &second), 0, "a gap");
    assert_eq!(applied(&mut tokyo, &first), 1);
    assert_eq!(applied(&mut tokyo, &batch), 2);
    assert_eq!(applied(&mut tokyo, &batch), 2);
    for number in [1, 3] {
        assert_eq!(tokyo.store.foreign_about(&code(number), 9).unwrap().len(), 1);
    }
}

#[test]
fn only_the_center_hands_over() {
    let mut center = center_with_two();
    let (_, batch) = disclosures(&mut center);
    let mut tokyo = Node::of("prefecture-13");
    for name in ["prefecture-20", "municipality-132152", "agency-1", "exchange-national"] {
        let reply = tokyo.ask(NOW, &peer(name), Request::Disclosures(batch.clone()));
        assert!(matches!(reply, Reply::Unavailable { .. }), "{name}");
    }
    let mut impostor = peer("center");
    impostor.node = id("center-2");
    let reply = tokyo.ask(NOW, &impostor, Request::Disclosures(batch));
    assert!(matches!(reply, Reply::Unavailable { .. }));
    assert!(tokyo.store.foreign_about(&code(1), 9).unwrap().is_empty());
}

#[test]
fn a_false_word_from_one_prefecture_does_not_stop_the_center() {
    let mut center = center_with_two();
    let (call, _) = disclosures(&mut center);
    let outcome = Ok(Reply::DisclosureAck { applied: u64::MAX });
    let sent = center.step(NOW, Input::Reply { call: call.call, outcome });
    assert_eq!(sent.broken, None);
    assert_eq!(center.entries_of(EntryKind::Stopped).len(), 1);
    let signed = sign(&body(agency(), "agency", 9, by_code(1)));
    let reply = center.ask(NOW, &peer("agency-1"), Request::Inquiry(signed));
    assert!(matches!(reply, Reply::Answer(_)));
}

#[test]
fn a_prefecture_that_is_not_in_the_directory_holds_up_nobody() {
    let mut world = world();
    let mut osaka = person(27, "住基 花子", "大阪府大阪市北区1", "271004");
    osaka.change = None;
    world.node("center").hold(&[osaka]);
    inquire(&mut world, 1, 27);
    inquire(&mut world, 2, 1);
    inquire(&mut world, 3, 2);
    world.run(10);
    assert_eq!(foreign(&mut world, "prefecture-13", code(1)).len(), 1);
    assert_eq!(foreign(&mut world, "prefecture-20", code(2)).len(), 1);
    let waiting = world.node("center").store.queue_bounds(&id("prefecture-27")).unwrap();
    assert_eq!(waiting, (0, 1), "it waits for the day that prefecture joins");
}
