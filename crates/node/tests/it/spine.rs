//! Permit → release → record → answer: what a machine lets out, when, and what it writes down.

use ledger::entry::{Entry, EntryKind};
use node::machine::{Input, Ticket};
use wire::{Reply, Request};

use crate::fixture::{KUNITACHI, NOW, agency, body, by_birth, by_code, code, person, sign};
use crate::world::{Node, peer};

const ADDRESS: &str = "東京都国立市東一丁目2番3号";

fn center() -> Node {
    let mut center = Node::of("center");
    center.hold(&[
        person(1, "住基 花子", ADDRESS, KUNITACHI),
        person(2, "住基 花代", ADDRESS, KUNITACHI),
        person(3, "別名 太郎", ADDRESS, KUNITACHI),
    ]);
    center
}

fn inquiry(request: u8, query: law::query::QueryDraft) -> Request {
    Request::Inquiry(sign(&body(agency(), "agency", request, query)))
}

fn asked(request: Request) -> Input {
    Input::Request { from: peer("agency-1"), ticket: Ticket(5), request }
}

#[test]
fn no_answer_leaves_before_its_receipt() {
    let mut center = center();
    let (parts, recorded) = center.raw(NOW, asked(inquiry(1, by_code(1))));
    assert!(parts.replies.is_empty() && parts.calls.is_empty());
    assert_eq!(recorded.len(), 1);
    // Time passes, other receipts come: still nothing.
    let (parts, _) = center.raw(NOW, Input::Tick);
    assert!(parts.replies.is_empty());
    let other = ledger::receipt::EntryId(recorded[0].entry.0 + 1);
    let stranger = ledger::receipt::Receipt::assert_durable(other, "elsewhere", 0, 1);
    let (parts, _) = center.raw(NOW, Input::Recorded(stranger));
    assert!(parts.replies.is_empty());

    let receipt = center.receipt(&recorded[0]);
    let (parts, _) = center.raw(NOW, Input::Recorded(receipt));
    assert_eq!(parts.replies.len(), 1);
    assert_eq!(parts.replies[0].ticket, Ticket(5));
    let Reply::Answer(answer) = &parts.replies[0].reply else { panic!("an answer") };
    assert_eq!(answer.persons.len(), 1);
    assert_eq!((answer.ledger.as_str(), answer.index), ("jukinet.example/center", 0));

    // The receipt opens it once.
    let receipt = center.receipt(&recorded[0]);
    let (parts, _) = center.raw(NOW, Input::Recorded(receipt));
    assert!(parts.replies.is_empty());
}

#[test]
fn a_refusal_is_recorded_before_it_leaves() {
    let mut center = center();
    let mut refused = body(agency(), "agency", 1, by_code(1));
    refused.case_number = String::new();
    let (parts, recorded) = center.raw(NOW, asked(Request::Inquiry(sign(&refused))));
    assert!(parts.replies.is_empty());
    let receipt = center.receipt(&recorded[0]);
    let (parts, _) = center.raw(NOW, Input::Recorded(receipt));
    let Reply::Refusal(refusal) = &parts.replies[0].reply else { panic!("a refusal") };
    assert_eq!(refusal.rule, "case-number-missing");
    let entries = center.entries();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].kind(), EntryKind::Refusal);
    assert_eq!(entries[0].rule(), Some("case-number-missing"));
    assert_eq!(entries[0].card(), Some("agency"));
    assert_eq!(entries[0].subject(), None);
}

#[test]
fn a_group_that_was_not_kept_answers_nobody() {
    let mut center = center();
    let (parts, recorded) = center.raw(NOW, asked(inquiry(1, by_code(1))));
    assert!(parts.replies.is_empty() && !recorded.is_empty());
    center.restart();
    assert!(center.entries().is_empty());
    // Also the memory of the request is gone with it: the asker may send it again.
    let Reply::Answer(answer) = center.ask(NOW, &peer("agency-1"), inquiry(1, by_code(1))) else {
        panic!("an answer")
    };
    assert_eq!(answer.persons.len(), 1);
}

#[test]
fn nobody_found_is_one_entry_about_nobody() {
    let mut center = center();
    let Reply::Answer(answer) = center.ask(NOW, &peer("agency-1"), inquiry(1, by_code(99))) else {
        panic!("an answer")
    };
    assert!(answer.persons.is_empty());
    let entries = center.entries();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].kind(), EntryKind::NoProvision);
    assert_eq!(entries[0].subject(), None);
    assert_eq!(entries[0].mode(), Some("code"));
}

#[test]
fn each_person_found_has_an_entry_that_names_nobody_else() {
    let mut center = center();
    let query = by_birth("住基", "1985-04-01", true);
    let Reply::Answer(answer) = center.ask(NOW, &peer("agency-1"), inquiry(1, query)) else {
        panic!("an answer")
    };
    assert_eq!(answer.persons.len(), 2);
    let entries = center.entries();
    let subjects: Vec<_> = entries.iter().map(Entry::subject).collect();
    assert_eq!(subjects, [Some(code(1)), Some(code(2))]);
    for (entry, other) in entries.iter().zip([2, 1]) {
        let text = String::from_utf8(entry.encode()).unwrap();
        assert!(!text.contains(code(other).expose()));
        assert_eq!(entry.kind(), EntryKind::Provision);
        assert_eq!(entry.items(), Some("name,kana,address,sex,birth,record-code,change"));
        assert_eq!(entry.case(), Some("令8-第17号"));
        assert_eq!(entry.mode(), Some("name-birth-prefix"));
    }
}

#[test]
fn personal_items_never_stand_in_an_entry() {
    let mut center = center();
    for (request, query) in [
        (1, by_code(1)),
        (2, by_birth("住基 花子", "1985-04-01", false)),
        (3, by_birth("住基 花子", "1985-04-02", false)),
        (4, by_birth("花子", "", true)),
    ] {
        center.ask(NOW, &peer("agency-1"), inquiry(request, query));
    }
    assert_eq!(center.entries().len(), 4);
    for entry in center.entries() {
        let text = String::from_utf8(entry.encode()).unwrap();
        for canary in ["住基", "花子", "国立", "1985", "ハナコ", "female"] {
            assert!(!text.contains(canary), "{canary} stands in an entry");
        }
        let named = entry.kind() == EntryKind::Provision;
        assert_eq!(text.contains(code(1).expose()), named);
    }
}
