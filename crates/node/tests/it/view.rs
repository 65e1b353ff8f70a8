//! The resident's own list at the prefecture's desk: whole, nobody else's, opened by the right
//! card, and itself on record.

use law::organ::{CardId, Organ};
use law::time::Timestamp;
use ledger::entry::{Entry, EntryKind};
use node::machine::{Input, Ticket};
use wire::{Purpose, QueryBody, Reply, Request, ResidentView, SignedQuery, query_digest};

use crate::fixture::{
    KUNITACHI, NOW, agency, area, body, by_code, card_key, code, id, person, sign, town,
};
use crate::notices::feed;
use crate::world::{Node, World, peer, terminal};

fn desk_organ() -> Organ {
    Organ::Prefecture(area(13))
}

fn query_body(card: &str, request: u8, number: u64, at: Timestamp) -> QueryBody {
    QueryBody {
        request: [request; 16],
        asked_at: at,
        terminal: id("terminal-1"),
        organ: desk_organ(),
        card: CardId::parse(card).unwrap(),
        purpose: Purpose::ResidentView {
            code: code(number),
            identified_by: "住民基本台帳カード".to_owned(),
        },
    }
}

fn signed(body: &QueryBody) -> Request {
    let bytes = body.encode();
    let signature = card_key(body.card.as_str()).sign_digest(&query_digest(&bytes)).to_vec();
    Request::ViewQuery(SignedQuery { body: bytes, signature })
}

/// A view as a card signs it.
pub(crate) fn query(card: &str, request: u8, number: u64, at: Timestamp) -> Request {
    signed(&query_body(card, request, number, at))
}

fn view(world: &mut World, request: u8, number: u64) -> ResidentView {
    let now = world.now;
    // Inquiries and views share one memory of requests.
    let query = query("tokyo-desk", 100 + request, number, now);
    match world.ask("prefecture-13", &terminal(desk_organ()), query) {
        Reply::View(view) => view,
        _ => panic!("a view"),
    }
}

fn entries(view: &ResidentView) -> Vec<Entry> {
    view.rows.iter().map(|row| Entry::parse(&row.entry).unwrap()).collect()
}

/// Kunitachi's clerk asks the prefecture, the agency the center, about the same person.
fn ask_both(world: &mut World, request: u8, number: u64) {
    let kunitachi = Organ::Municipality(town(KUNITACHI));
    for (to, from, organ, card) in [
        ("prefecture-13", "municipality-132152", kunitachi, "kunitachi"),
        ("center", "agency-1", agency(), "agency"),
    ] {
        let mut body = body(organ, card, request, by_code(number));
        body.asked_at = world.now;
        let reply = world.ask(to, &peer(from), Request::Inquiry(sign(&body)));
        assert!(matches!(reply, Reply::Answer(_)));
    }
}

fn entered(number: u64) -> law::change::ChangeNotice {
    let reason = law::change::ChangeReason::MovedIn;
    crate::fixture::notice(reason, "2026-04-01", number, "東京都国立市東1", KUNITACHI)
}

#[test]
fn the_list_is_whole_and_nobody_elses_also_after_a_change_of_code() {
    let mut world = World::new();
    feed(&mut world, vec![entered(1), entered(2)]);
    world.run(3);
    ask_both(&mut world, 1, 1);
    ask_both(&mut world, 2, 2);
    world.run(10);
    let before = view(&mut world, 1, 1);
    assert_eq!(before.rows.len(), 2);
    let mut recoded = entered(1);
    recoded.reason = law::change::ChangeReason::CodeChangedOnRequest;
    recoded.previous_code = Some(code(1));
    recoded.record.code = code(101);
    feed(&mut world, vec![recoded]);
    world.run(3);
    ask_both(&mut world, 3, 101);
    world.run(10);
    let after = view(&mut world, 2, 101);
    let list = entries(&after);
    let provided: Vec<_> = list.iter().filter(|e| e.kind() == EntryKind::Provision).collect();
    assert_eq!(provided.len(), 4, "two under the code before, two under this, none twice");
    assert_eq!(list.len(), 5, "and the view that was opened before");
    assert!(list.iter().all(|e| [Some(code(1)), Some(code(101))].contains(&e.subject())));
    // Newest first, and each with a ledger whose key is given.
    assert!(list.windows(2).all(|two| two[0].at() >= two[1].at()));
    let origins: Vec<&str> = after.ledgers.iter().map(|l| l.origin.as_str()).collect();
    assert_eq!(origins, ["jukinet.example/center", "jukinet.example/prefecture-13"]);
    assert!(after.rows.iter().all(|row| origins.contains(&row.ledger.as_str())));
    for row in after.rows.iter().filter(|row| !row.proof.is_empty()) {
        let key = &after.ledgers.iter().find(|l| l.origin == row.ledger).unwrap().vkey;
        let key = ledger::note::VerifierKey::parse(key).unwrap();
        let viewed = ledger::view::ViewedRow {
            entry: row.entry.clone(),
            salt: row.salt,
            proof: row.proof.clone(),
        };
        assert!(ledger::view::verify_row(&viewed, &key).is_ok());
    }
    assert!(view(&mut world, 3, 55).rows.is_empty(), "nobody has that code");
}

#[test]
fn the_opening_is_recorded_before_the_view_leaves() {
    let mut tokyo = Node::of("prefecture-13");
    let request = query("tokyo-desk", 1, 1, NOW);
    let from = terminal(desk_organ());
    let input = Input::Request { from, ticket: Ticket(3), request };
    let (parts, recorded) = tokyo.raw(NOW, input);
    assert!(parts.replies.is_empty());
    let entry = tokyo.entries().remove(0);
    assert_eq!(entry.kind(), EntryKind::ViewOpened);
    assert_eq!(entry.subject(), Some(code(1)));
    assert_eq!(entry.card(), Some("tokyo-desk"));
    let receipt = tokyo.receipt(&recorded[0]);
    let (parts, _) = tokyo.raw(NOW, Input::Recorded(receipt));
    assert!(matches!(&parts.replies[0].reply, Reply::View(view) if view.code == code(1)));
}

#[test]
fn the_wrong_card_opens_nothing_and_leaves_a_record() {
    let desk = terminal(desk_organ());
    let refused = |change: &dyn Fn(&mut QueryBody)| {
        let mut tokyo = Node::of("prefecture-13");
        tokyo.hold(&[person(1, "住基 花子", "東京都国立市東1", KUNITACHI)]);
        let mut body = query_body("tokyo-desk", 1, 1, NOW);
        change(&mut body);
        let Reply::Refusal(refusal) = tokyo.ask(NOW, &desk, signed(&body)) else {
            panic!("a refusal")
        };
        let entries = tokyo.entries();
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].kind(), EntryKind::Refusal);
        assert_eq!(entries[0].rule(), Some(refusal.rule.as_str()));
        assert_eq!(entries[0].subject(), None, "a refusal names no resident");
        refusal.rule
    };
    let card = |name: &'static str| move |b: &mut QueryBody| b.card = CardId::parse(name).unwrap();
    assert_eq!(refused(&card("tokyo")), "card-class");
    assert_eq!(refused(&card("nagano-desk")), "card-of-another-organ");
    assert_eq!(refused(&card("nobody")), "operator-unknown");
    assert_eq!(refused(&|b| b.asked_at = NOW.plus_ms(60_001)), "request-stale");
    assert_eq!(refused(&|b| b.organ = Organ::Prefecture(area(20))), "card-of-another-organ");
    let unidentified = |b: &mut QueryBody| {
        b.purpose = Purpose::ResidentView { code: code(1), identified_by: " ".to_owned() };
    };
    assert_eq!(refused(&unidentified), "case-number-missing");
    // Bytes changed after signing.
    let mut tokyo = Node::of("prefecture-13");
    let Request::ViewQuery(mut forged) = query("tokyo-desk", 1, 1, NOW) else { unreachable!() };
    forged.body = query_body("tokyo-desk", 1, 2, NOW).encode();
    let reply = tokyo.ask(NOW, &desk, Request::ViewQuery(forged));
    assert!(matches!(reply, Reply::Refusal(refusal) if refusal.rule == "signature-invalid"));
    // Once, also after a restart.
    let once = query("tokyo-desk", 7, 1, NOW);
    assert!(matches!(tokyo.ask(NOW, &desk, once.clone()), Reply::View(_)));
    tokyo.restart();
    let reply = tokyo.ask(NOW, &desk, once);
    assert!(matches!(reply, Reply::Refusal(refusal) if refusal.rule == "request-replayed"));
}

#[test]
fn opening_it_again_and_again_hides_nothing() {
    let mut world = World::new();
    feed(&mut world, vec![entered(1)]);
    world.run(3);
    ask_both(&mut world, 1, 1);
    world.run(10);
    let now = world.now;
    let tokyo = world.node("prefecture-13");
    for request in 0..400_u32 {
        let mut body = query_body("tokyo-desk", 0, 1, now);
        body.request[..4].copy_from_slice(&request.to_be_bytes());
        body.request[15] = 1;
        let reply = tokyo.ask(now, &terminal(desk_organ()), signed(&body));
        assert!(matches!(reply, Reply::View(_)));
    }
    let view = view(&mut world, 9, 1);
    assert_eq!(view.rows.len(), 300, "bounded");
    let list = entries(&view);
    let provided = list.iter().filter(|e| e.kind() == EntryKind::Provision).count();
    assert_eq!(provided, 2, "both provisions are still there");
}
