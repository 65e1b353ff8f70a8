//! The asking side's server: records, passes on, hands back to the one who asked, keeps nothing.

use law::organ::Organ;
use ledger::entry::EntryKind;
use node::machine::{CallFailure, CallId, Input, Ticket};
use node::outbox::OutgoingCall;
use node::ports::Reads as _;
use wire::{Answer, Reply, Request, inquiry_digest};

use crate::fixture::{KUNITACHI, NOW, agency, body, by_birth, by_code, sign, town};
use crate::world::{Node, World, terminal};

fn asked(ticket: u64, request: u8) -> (Input, [u8; 32]) {
    let signed =
        sign(&body(agency(), "agency", request, by_birth("住基 花子", "1985-04-01", false)));
    let digest = inquiry_digest(&signed.body);
    let from = terminal(agency());
    let request = Request::Inquiry(signed);
    (Input::Request { from, ticket: Ticket(ticket), request }, digest)
}

/// Take one inquiry as far as the call to the center.
fn forwarded(node: &mut Node, ticket: u64, request: u8) -> (OutgoingCall, [u8; 32]) {
    let (input, digest) = asked(ticket, request);
    let mut sent = node.step(NOW, input);
    assert!(sent.replies.is_empty());
    assert_eq!(sent.calls.len(), 1);
    (sent.calls.remove(0), digest)
}

fn answer(digest: [u8; 32]) -> Reply {
    Reply::Answer(Answer { digest, ledger: "l".to_owned(), index: 0, persons: Vec::new() })
}

fn replied(node: &mut Node, call: CallId, reply: Reply) -> Vec<(Ticket, Reply)> {
    let sent = node.step(NOW, Input::Reply { call, outcome: Ok(reply) });
    sent.replies.into_iter().map(|reply| (reply.ticket, reply.reply)).collect()
}

#[test]
fn it_is_recorded_before_it_is_passed_on() {
    let mut node = Node::of("agency-1");
    let (parts, recorded) = node.raw(NOW, asked(1, 1).0);
    assert!(parts.calls.is_empty() && parts.replies.is_empty());
    let entry = node.entries().remove(0);
    assert_eq!(entry.kind(), EntryKind::Forwarded);
    assert_eq!(entry.case(), Some("令8-第17号"));
    assert_eq!(entry.subject(), None);
    let receipt = node.receipt(&recorded[0]);
    let (parts, _) = node.raw(NOW, Input::Recorded(receipt));
    assert_eq!(parts.calls.len(), 1);
    assert_eq!(parts.calls[0].to.as_str(), "center");
}

/// The record names the terminal; a program at one terminal cannot lay its question on another's.
#[test]
fn a_question_in_another_terminals_name_is_not_passed_on() {
    let mut node = Node::of("agency-1");
    let mut lent = body(agency(), "agency", 1, by_code(1));
    lent.terminal = crate::fixture::id("terminal-2");
    let request = Request::Inquiry(sign(&lent));
    let from = terminal(agency());
    let sent = node.step(NOW, Input::Request { from, ticket: Ticket(1), request });
    assert!(sent.calls.is_empty());
    assert!(matches!(sent.replies[0].reply, Reply::Unavailable { .. }));
}

#[test]
fn an_answer_goes_to_the_ticket_that_asked() {
    let mut node = Node::of("agency-1");
    let (first, first_digest) = forwarded(&mut node, 11, 1);
    let (second, second_digest) = forwarded(&mut node, 12, 2);
    let replies = replied(&mut node, second.call, answer(second_digest));
    assert_eq!(replies.len(), 1);
    assert_eq!(replies[0].0, Ticket(12));
    assert!(matches!(&replies[0].1, Reply::Answer(a) if a.digest == second_digest));
    assert!(replied(&mut node, second.call, answer(second_digest)).is_empty(), "once");
    assert!(replied(&mut node, CallId(9_999), answer(first_digest)).is_empty(), "unknown");
    let replies = replied(&mut node, first.call, answer(first_digest));
    assert_eq!(replies[0].0, Ticket(11));
}

#[test]
fn an_answer_to_another_question_is_not_passed_on() {
    // J1 and J2: under load the answering server mixes two answers up.
    let mut node = Node::of("agency-1");
    let (first, _) = forwarded(&mut node, 11, 1);
    let (_, second_digest) = forwarded(&mut node, 12, 2);
    let replies = replied(&mut node, first.call, answer(second_digest));
    assert_eq!(replies.len(), 1);
    assert_eq!(replies[0].0, Ticket(11));
    assert!(matches!(replies[0].1, Reply::Unavailable { .. }));
}

#[test]
fn what_is_no_answer_is_not_passed_on() {
    for reply in [
        Reply::HeartbeatAck,
        Reply::Directory(vec![1, 2, 3]),
        Reply::NoticeAck { applied: 3, set_aside: Vec::new() },
        Reply::DisclosureAck { applied: 3 },
        Reply::DirectoryAck { serial: 3 },
        Reply::FeedResult(Vec::new()),
    ] {
        let mut node = Node::of("agency-1");
        let (call, _) = forwarded(&mut node, 11, 1);
        let kind = reply.kind();
        let replies = replied(&mut node, call.call, reply);
        assert!(matches!(replies[0].1, Reply::Unavailable { .. }), "{kind}");
    }
}

#[test]
fn a_failure_is_told_and_nothing_waits_for_ever() {
    for failure in [
        CallFailure::NotReachable,
        CallFailure::Timeout,
        CallFailure::Refused,
        CallFailure::Malformed,
    ] {
        let mut node = Node::of("agency-1");
        let (call, _) = forwarded(&mut node, 11, 1);
        let sent = node.step(NOW, Input::Reply { call: call.call, outcome: Err(failure) });
        assert!(matches!(sent.replies[0].reply, Reply::Unavailable { .. }));
        assert_eq!(sent.replies[0].ticket, Ticket(11));
    }
    let mut node = Node::of("agency-1");
    let (call, digest) = forwarded(&mut node, 11, 1);
    assert!(node.tick(NOW.plus_ms(19_999)).replies.is_empty());
    let sent = node.tick(NOW.plus_ms(20_000));
    assert_eq!(sent.replies[0].ticket, Ticket(11));
    assert!(replied(&mut node, call.call, answer(digest)).is_empty(), "too late");
}

#[test]
fn its_ledger_and_store_hold_nothing_personal() {
    let mut world = World::new();
    let organ = Organ::Municipality(town(KUNITACHI));
    let address = "東京都国立市東1";
    let people = [crate::fixture::person(1, "住基 花子", address, KUNITACHI)];
    world.node("prefecture-13").hold(&people);
    for (request, query) in [(1, by_code(1)), (2, by_birth("住基 花子", "1985-04-01", false))] {
        let signed = sign(&body(organ, "kunitachi", request, query));
        let request = Request::Inquiry(signed);
        let reply = world.ask("municipality-132152", &terminal(organ), request);
        assert!(matches!(reply, Reply::Answer(answer) if answer.persons.len() == 1));
    }
    let node = world.node("municipality-132152");
    let entries = node.entries();
    assert_eq!(entries.len(), 2);
    for entry in entries {
        let text = String::from_utf8(entry.encode()).unwrap();
        for canary in ["住基", "花子", "国立", "1985", crate::fixture::code(1).expose()] {
            assert!(!text.contains(canary), "{canary}");
        }
        assert_eq!(entry.affair().unwrap(), crate::fixture::affair(2, &organ).to_string());
    }
    assert_eq!(node.store.residents_count().unwrap(), 0);
}
