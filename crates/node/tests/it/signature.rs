//! Who may ask: every way to ask without the right card, at the right time, once. Zero answers, and
//! every refusal is on record.

use law::inquiry::ASKED_AT_SKEW_MS_MAX;
use law::organ::Organ;
use ledger::entry::EntryKind;
use wire::directory::{Directory, MemberState};
use wire::{InquiryBody, Reply, Request, SignedInquiry};

use crate::fixture::{
    self, KUNITACHI, MITAKA, NOW, agency, area, body, by_code, card_key, directory_key, person,
    sign, signed_by, town,
};
use crate::world::{Node, peer};

fn holding(name: &str) -> Node {
    let mut node = Node::of(name);
    node.hold(&[person(1, "住基 花子", "東京都国立市東1", KUNITACHI)]);
    node
}

/// The rule by which `center` refuses, which must also be the last thing on record.
fn refused(node: &mut Node, from: &str, signed: SignedInquiry) -> String {
    let before = node.entries().len();
    let Reply::Refusal(refusal) = node.ask(NOW, &peer(from), Request::Inquiry(signed)) else {
        panic!("a refusal")
    };
    let entries = node.entries();
    assert_eq!(entries.len(), before + 1);
    assert_eq!(entries[before].kind(), EntryKind::Refusal);
    assert_eq!(entries[before].rule(), Some(refusal.rule.as_str()));
    refusal.rule
}

fn agency_body(request: u8) -> InquiryBody {
    body(agency(), "agency", request, by_code(1))
}

#[test]
fn a_change_after_signing_is_noticed() {
    let mut center = holding("center");
    let mut changes: Vec<(&str, InquiryBody)> = Vec::new();
    let mut add = |what, change: &dyn Fn(&mut InquiryBody)| {
        let mut changed = agency_body(1);
        change(&mut changed);
        changes.push((what, changed));
    };
    add("query", &|b| b.query = by_code(2));
    add("case", &|b| b.case_number = "別件".to_owned());
    add("terminal", &|b| b.terminal = fixture::id("terminal-2"));
    add("request", &|b| b.request = [9; 16]);
    add("time", &|b| b.asked_at = NOW.plus_ms(1));
    let signature = sign(&agency_body(1)).signature;
    for (what, changed) in changes {
        let forged = SignedInquiry { body: changed.encode(), signature: signature.clone() };
        assert_eq!(refused(&mut center, "agency-1", forged), "signature-invalid", "{what}");
    }
}

#[test]
fn every_flipped_bit_of_a_signature_is_noticed() {
    let mut center = holding("center");
    let signed = sign(&agency_body(1));
    for place in 0..signed.signature.len() {
        let mut flipped = signed.clone();
        flipped.signature[place] ^= 1 << (place % 8);
        assert_eq!(refused(&mut center, "agency-1", flipped), "signature-invalid");
        // The replay memory must not be filled by what nobody signed, or the rule would change.
        center = holding("center");
    }
    for length in [0, 1, 63, 65] {
        let mut cut = signed.clone();
        cut.signature.resize(length, 1);
        assert_eq!(refused(&mut center, "agency-1", cut), "signature-invalid");
        center = holding("center");
    }
}

#[test]
fn a_server_without_a_card_learns_nothing() {
    // H02: a municipality's server that was taken over has everything but the card.
    let mut tokyo = holding("prefecture-13");
    let kunitachi = Organ::Municipality(town(KUNITACHI));
    for request in 0..50 {
        let body = body(kunitachi, "kunitachi", request, by_code(1));
        let own_key = fixture::Key::new(0x50 + request);
        let digest = wire::inquiry_digest(&body.encode());
        let signature = own_key.sign_digest(&digest).to_vec();
        let forged = SignedInquiry { body: body.encode(), signature };
        let name = format!("municipality-{KUNITACHI}");
        assert_eq!(refused(&mut tokyo, &name, forged), "signature-invalid");
    }
    assert_eq!(tokyo.entries_of(EntryKind::Provision).len(), 0);
    assert_eq!(tokyo.entries_of(EntryKind::Refusal).len(), 50);
}

#[test]
fn the_card_must_be_known_in_force_and_of_the_session() {
    let mut center = holding("center");
    let rule = |center: &mut Node, from: &str, organ: Organ, card: &str, request: u8| {
        refused(center, from, sign(&body(organ, card, request, by_code(1))))
    };
    assert_eq!(rule(&mut center, "agency-1", agency(), "nobody", 1), "operator-unknown");
    assert_eq!(rule(&mut center, "agency-1", agency(), "agency-revoked", 2), "card-revoked");
    assert_eq!(rule(&mut center, "agency-1", agency(), "agency-expired", 3), "card-expired");
    assert_eq!(rule(&mut center, "agency-1", agency(), "tokyo", 4), "card-of-another-organ");
    assert_eq!(rule(&mut center, "agency-1", agency(), "agency-admin", 5), "card-class");
    // The card's own organ and signature, over another member's session.
    let over = "prefecture-13";
    assert_eq!(rule(&mut center, over, agency(), "agency", 6), "card-of-another-organ");
    let tokyo = Organ::Prefecture(area(13));
    let mut lent = body(tokyo, "tokyo", 7, by_code(1));
    lent.organ = agency();
    assert_eq!(refused(&mut center, over, sign(&lent)), "signature-invalid");
}

#[test]
fn what_was_signed_for_one_answerer_is_no_inquiry_to_another() {
    let mut tokyo = holding("prefecture-13");
    let kunitachi = Organ::Municipality(town(KUNITACHI));
    let name = format!("municipality-{KUNITACHI}");
    for responder in [Organ::Center, Organ::Prefecture(area(20))] {
        let mut other = body(kunitachi, "kunitachi", 1, by_code(1));
        other.responder = responder;
        assert_eq!(refused(&mut tokyo, &name, sign(&other)), "signature-invalid");
        tokyo = holding("prefecture-13");
    }
}

#[test]
fn a_request_counts_once_also_after_a_restart() {
    let mut center = holding("center");
    let signed = sign(&agency_body(1));
    let request = Request::Inquiry(signed.clone());
    assert!(matches!(center.ask(NOW, &peer("agency-1"), request), Reply::Answer(_)));
    assert_eq!(refused(&mut center, "agency-1", signed.clone()), "request-replayed");
    center.restart();
    assert_eq!(refused(&mut center, "agency-1", signed.clone()), "request-replayed");
    // Forgetting goes on, and never too early: up to the last moment the time is fresh.
    for seconds in 1..=60 {
        let now = NOW.plus_ms(seconds * 1_000);
        center.tick(now);
        let reply = center.ask(now, &peer("agency-1"), Request::Inquiry(signed.clone()));
        let Reply::Refusal(refusal) = reply else { panic!("an answer after {seconds} s") };
        assert_eq!(refusal.rule, "request-replayed");
    }
    let now = NOW.plus_ms(ASKED_AT_SKEW_MS_MAX + 1);
    let reply = center.ask(now, &peer("agency-1"), Request::Inquiry(signed));
    assert!(matches!(reply, Reply::Refusal(refusal) if refusal.rule == "request-stale"));
}

/// H07: what was answered is not fresh again because somebody sets the clock back.
#[test]
fn a_clock_that_is_set_back_answers_nothing_twice() {
    let mut center = holding("center");
    let signed = sign(&agency_body(1));
    let request = || Request::Inquiry(signed.clone());
    assert!(matches!(center.ask(NOW, &peer("agency-1"), request()), Reply::Answer(_)));
    // By then it is forgotten, and its time is over.
    let later = NOW.plus_ms(3 * ASKED_AT_SKEW_MS_MAX);
    center.tick(later);
    for restarts in 0..2 {
        let reply = center.ask(NOW, &peer("agency-1"), request());
        let Reply::Refusal(refusal) = reply else { panic!("answered twice, {restarts} restarts") };
        assert_eq!(refusal.rule, "request-stale");
        center.restart();
    }
    // Another request of that time is no better; one of a little later was never forgotten.
    for (number, later_ms, rule) in [(2, 0, Some("request-stale")), (3, 1, None)] {
        let mut other = agency_body(number);
        other.asked_at = NOW.plus_ms(later_ms);
        let reply = center.ask(NOW, &peer("agency-1"), Request::Inquiry(sign(&other)));
        match (reply, rule) {
            (Reply::Refusal(refusal), Some(rule)) => assert_eq!(refusal.rule, rule),
            (Reply::Answer(_), None) => {}
            (reply, _) => panic!("request {number}: {reply:?}"),
        }
    }
    // What is signed ahead of the clock stays refused, whatever was forgotten.
    let mut early = agency_body(4);
    early.asked_at = later;
    let reply = center.ask(NOW, &peer("agency-1"), Request::Inquiry(sign(&early)));
    assert!(matches!(reply, Reply::Refusal(refusal) if refusal.rule == "request-stale"));
}

/// A clock that ran a day ahead forgets everything, and stops nothing when it is put right.
#[test]
fn a_clock_that_ran_ahead_is_put_right_and_work_goes_on() {
    let mut center = holding("center");
    let signed = sign(&agency_body(1));
    let request = || Request::Inquiry(signed.clone());
    assert!(matches!(center.ask(NOW, &peer("agency-1"), request()), Reply::Answer(_)));
    center.tick(NOW.plus_ms(86_400_000));
    let again = center.ask(NOW, &peer("agency-1"), request());
    assert!(matches!(again, Reply::Refusal(refusal) if refusal.rule == "request-stale"));
    let mut next = agency_body(2);
    next.asked_at = NOW.plus_ms(1);
    let reply = center.ask(NOW.plus_ms(1), &peer("agency-1"), Request::Inquiry(sign(&next)));
    assert!(matches!(reply, Reply::Answer(_)), "{reply:?}");
}

#[test]
fn a_request_of_the_future_is_remembered_as_long_as_it_is_fresh() {
    let mut center = holding("center");
    let mut early = agency_body(1);
    early.asked_at = NOW.plus_ms(ASKED_AT_SKEW_MS_MAX);
    let signed = sign(&early);
    let ask = |center: &mut Node, after: u64| {
        center.tick(NOW.plus_ms(after));
        center.ask(NOW.plus_ms(after), &peer("agency-1"), Request::Inquiry(signed.clone()))
    };
    assert!(matches!(ask(&mut center, 0), Reply::Answer(_)));
    for after in [1, 60_000, 119_999, 120_000] {
        assert!(matches!(ask(&mut center, after), Reply::Refusal(_)), "after {after} ms");
    }
}

#[test]
fn a_stale_time_is_refused_and_not_remembered() {
    let mut center = holding("center");
    for (request, asked_at) in
        [(1, NOW.0 - 60_001), (2, NOW.0 + 60_001), (3, 0), (4, u64::MAX), (5, u64::MAX / 2)]
    {
        let mut stale = agency_body(request);
        stale.asked_at = law::time::Timestamp(asked_at);
        assert_eq!(refused(&mut center, "agency-1", sign(&stale)), "request-stale");
        let seen = node::ports::Reads::request_seen(&center.store, &[request; 16]).unwrap();
        assert!(!seen, "a time that nobody vouched for keeps a place for ever");
    }
}

#[test]
fn an_isolated_member_is_not_heard() {
    let mut directory: Directory = fixture::directory(1, NOW);
    for member in &mut directory.members {
        if member.role == wire::Role::Agency {
            member.state = MemberState::Isolated;
        }
    }
    let mut center = Node::with("center", Some(signed_by(&directory_key(), &directory)));
    center.hold(&[person(1, "住基 花子", "東京都国立市東1", KUNITACHI)]);
    let reply = center.ask(NOW, &peer("agency-1"), Request::Inquiry(sign(&agency_body(1))));
    assert!(matches!(reply, Reply::Unavailable { .. }));
    assert!(center.entries().is_empty());
}

#[test]
fn bytes_that_are_no_inquiry_are_refused_and_recorded() {
    let mut center = holding("center");
    for body in [vec![], vec![0xFF; 64], b"select * from resident".to_vec()] {
        let signature = card_key("agency").sign_digest(&wire::inquiry_digest(&body)).to_vec();
        let noise = SignedInquiry { body, signature };
        assert_eq!(refused(&mut center, "agency-1", noise), "query-shape");
    }
}

#[test]
fn a_municipality_asks_its_own_prefecture_only() {
    let kunitachi = Organ::Municipality(town(KUNITACHI));
    let name = format!("municipality-{KUNITACHI}");
    let mut nagano = holding("prefecture-20");
    let mut elsewhere = body(kunitachi, "kunitachi", 1, by_code(1));
    elsewhere.responder = Organ::Prefecture(area(20));
    assert_eq!(refused(&mut nagano, &name, sign(&elsewhere)), "affair-not-of-recipient");
    let mut tokyo = holding("prefecture-13");
    let own = Request::Inquiry(sign(&body(kunitachi, "kunitachi", 1, by_code(1))));
    assert!(matches!(tokyo.ask(NOW, &peer(&name), own), Reply::Answer(_)));
    // The neighbour's server cannot use the same signed bytes.
    let neighbour = format!("municipality-{MITAKA}");
    let stolen = sign(&body(kunitachi, "kunitachi", 2, by_code(1)));
    assert_eq!(refused(&mut tokyo, &neighbour, stolen), "card-of-another-organ");
}
