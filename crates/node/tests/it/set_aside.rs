//! Wrong notices between right ones: each is set aside with its rule, told to the sender, and the
//! stream goes on.

use law::change::{ChangeNotice, ChangeReason};
use ledger::entry::EntryKind;
use node::ports::{Reads as _, Space};
use wire::{
    NodeId, NoticeBatch, RelayedNotice, Reply, Request, SetAside, SetAsideNotice, SignedRelease,
};

use crate::fixture::{self, KUNITACHI, MATSUMOTO, MITAKA, NOW, code, date, node_key, notice, town};
use crate::world::{Node, World, peer};

fn entered(number: u64) -> ChangeNotice {
    notice(ChangeReason::EnteredExOfficio, "2026-04-01", number, "東京都国立市東1", KUNITACHI)
}

fn moved_in(number: u64, to: &str) -> ChangeNotice {
    notice(ChangeReason::MovedIn, "2026-05-01", number, "東京都三鷹市野崎1", to)
}

/// Left on the last of April, as [`left`] says.
fn release(number: u64, from: &str, to: &str) -> SignedRelease {
    fixture::release(number, from, to, "2026-04-30")
}

fn left(number: u64, from: &str) -> ChangeNotice {
    let mut notice = entered(number);
    notice.record.municipality = town(from);
    (notice.reason, notice.changed_on) = (ChangeReason::MovedOut, date("2026-04-30"));
    notice
}

pub(crate) fn batch(
    first_sequence: u64,
    rows: Vec<(ChangeNotice, Option<SignedRelease>)>,
) -> Request {
    let relayed = |((notice, release), sequence): ((ChangeNotice, _), u64)| RelayedNotice {
        municipality: notice.record.municipality,
        sequence,
        notice,
        release,
    };
    let notices = rows.into_iter().zip(first_sequence..).map(relayed).collect();
    Request::Notices(NoticeBatch { first_sequence, notices })
}

pub(crate) fn told(reply: Reply) -> (u64, Vec<(u64, String)>) {
    let Reply::NoticeAck { applied, set_aside } = reply else { panic!("an acknowledgement") };
    let pair = |SetAside { sequence, rule }| (sequence, rule);
    (applied, set_aside.into_iter().map(pair).collect())
}

fn kept(node: &Node) -> Vec<(u64, String)> {
    let facts = node.store.facts(Space::SetAside, None, 100).unwrap();
    let mut kept: Vec<_> = facts
        .iter()
        .map(|(_, bytes)| SetAsideNotice::decode(bytes).unwrap())
        .map(|kept| (kept.sequence, kept.rule))
        .collect();
    kept.sort();
    kept
}

fn said(rules: &[(u64, &str)]) -> Vec<(u64, String)> {
    rules.iter().map(|(sequence, rule)| (*sequence, (*rule).to_owned())).collect()
}

#[test]
fn one_wrong_record_stops_nothing() {
    let mut tokyo = Node::of("prefecture-13");
    let mut code_missing = entered(2);
    code_missing.reason = ChangeReason::CodeChangedOnRequest;
    let mut tomorrow = entered(3);
    tomorrow.changed_on = NOW.date_in_japan().add_days(3).unwrap();
    let mut number = entered(4);
    number.reason = ChangeReason::NumberChangedOnRequest;
    let mut today_only = entered(5);
    today_only.reason = ChangeReason::MovedInFromAbroad;
    let mut elsewhere = entered(6);
    elsewhere.record.municipality = town(MITAKA);
    let mut nobody = entered(7);
    nobody.reason = ChangeReason::Died;
    let rows =
        [entered(1), code_missing, tomorrow, number, today_only, elsewhere, nobody, entered(8)];
    let request = || batch(1, rows.iter().cloned().map(|row| (row, None)).collect());
    let kunitachi = peer("municipality-132152");
    let wrong = said(&[
        (2, "previous-code-missing"),
        (3, "in-the-future"),
        (4, "number-not-held"),
        (5, "reason-of-another-epoch"),
        (6, "not-for-this-sender"),
        (7, "unfounded"),
    ]);
    assert_eq!(told(tokyo.ask(NOW, &kunitachi, request())), (8, wrong.clone()));
    assert_eq!(tokyo.store.residents_count().unwrap(), 2);
    assert_eq!(kept(&tokyo), wrong);
    let entries = tokyo.entries_of(EntryKind::NoticesSetAside);
    assert_eq!(entries.len(), 6, "one entry for each rule");
    assert!(entries.iter().all(|entry| entry.subject().is_none()));
    // The acknowledgement was lost: what was set aside is told again, and nothing happens twice.
    assert_eq!(told(tokyo.ask(NOW, &kunitachi, request())), (8, wrong.clone()));
    assert_eq!(tokyo.entries_of(EntryKind::NoticesSetAside).len(), 6);
    assert_eq!(kept(&tokyo), wrong);
}

#[test]
fn a_release_that_is_not_one_enters_nobody() {
    let here = moved_in(1, MITAKA);
    let mut other_key = release(1, KUNITACHI, MITAKA);
    let mitaka = NodeId::municipality(&town(MITAKA));
    other_key.public_key = node_key(&mitaka).public();
    other_key.signature = node_key(&mitaka).sign(&SignedRelease::signing_bytes(&other_key.body));
    let mut changed = release(1, KUNITACHI, MITAKA);
    changed.body = release(1, KUNITACHI, MATSUMOTO).body;
    let tried = [
        (None, "not-released"),
        (Some(other_key), "release-not-valid"),
        (Some(changed), "release-not-valid"),
        (Some(fixture::release(1, KUNITACHI, MITAKA, "2026-04-29")), "release-spent"),
        (Some(release(1, MITAKA, MITAKA)), "release-not-valid"),
        (Some(release(2, KUNITACHI, MITAKA)), "release-not-valid"),
        (Some(release(1, KUNITACHI, MATSUMOTO)), "release-not-valid"),
    ];
    for (release, rule) in tried {
        let mut tokyo = Node::of("prefecture-13");
        let there = vec![(entered(1), None), (left(1, KUNITACHI), None)];
        tokyo.ask(NOW, &peer("municipality-132152"), batch(1, there));
        let from = peer("municipality-132047");
        let (applied, aside) = told(tokyo.ask(NOW, &from, batch(1, vec![(here.clone(), release)])));
        assert_eq!((applied, aside), (1, said(&[(1, rule)])));
        let held = tokyo.store.resident(&code(1)).unwrap().unwrap();
        assert_eq!(held.identity.municipality, town(KUNITACHI));
        let queued = tokyo.store.queued(&NodeId::center(), 0, 10).unwrap();
        assert_eq!(queued.len(), 2, "what is set aside is not passed on");
    }
    let mut tokyo = Node::of("prefecture-13");
    let there = vec![(entered(1), None), (left(1, KUNITACHI), None)];
    tokyo.ask(NOW, &peer("municipality-132152"), batch(1, there));
    let good = vec![(here, Some(release(1, KUNITACHI, MITAKA)))];
    assert_eq!(told(tokyo.ask(NOW, &peer("municipality-132047"), batch(1, good))), (1, vec![]));
    let held = tokyo.store.resident(&code(1)).unwrap().unwrap();
    assert_eq!(held.identity.municipality, town(MITAKA));
}

#[test]
fn what_is_said_after_an_early_entry_waits_behind_it() {
    let mut center = Node::of("center");
    let (tokyo, nagano) = (peer("prefecture-13"), peer("prefecture-20"));
    center.ask(NOW, &tokyo, batch(1, vec![(entered(1), None), (left(1, KUNITACHI), None)]));
    // Matsumoto let her go to Mitaka, but what it said is still on its way through Nagano.
    let mut within = moved_in(1, MITAKA);
    within.reason = ChangeReason::MovedWithin;
    within.changed_on = date("2026-05-20");
    let word = fixture::release(1, MATSUMOTO, MITAKA, "2026-05-10");
    let early = vec![(moved_in(1, MITAKA), Some(word)), (within, None)];
    assert_eq!(told(center.ask(NOW, &tokyo, batch(3, early))), (4, vec![]));
    let at = |center: &Node| {
        let held = center.store.resident(&code(1)).unwrap().unwrap();
        (held.identity.municipality.as_str().to_owned(), held.change.unwrap().reason)
    };
    assert_eq!(at(&center), (KUNITACHI.to_owned(), ChangeReason::MovedOut));
    // A crash in between forgets nothing of it.
    center.restart();
    let mut between = moved_in(1, MATSUMOTO);
    between.changed_on = date("2026-05-01");
    let mut on = left(1, MATSUMOTO);
    on.changed_on = date("2026-05-10");
    let between = vec![(between, Some(release(1, KUNITACHI, MATSUMOTO))), (on, None)];
    center.ask(NOW, &nagano, batch(1, between));
    assert_eq!(at(&center), (MITAKA.to_owned(), ChangeReason::MovedWithin));
    assert!(center.store.facts(Space::Arrival, None, 10).unwrap().is_empty());
    assert!(kept(&center).is_empty());
}

#[test]
fn the_sender_keeps_what_was_set_aside_above_it() {
    let mut world = World::new();
    world.node("center").hold(&[law::inquiry::Held {
        identity: moved_in(1, MATSUMOTO).record,
        change: None,
        removed: false,
    }]);
    let rows = vec![wire::FeedRow {
        row: 1,
        sequence: None,
        notice: entered(1),
        former_municipality: None,
    }];
    let request = Request::Feed(wire::FeedBatch { rows });
    let from = crate::notices::register_system(KUNITACHI);
    world.ask("municipality-132152", &from, request);
    world.run(5);
    assert_eq!(kept(world.node("center")), said(&[(1, "not-released")]));
    assert_eq!(kept(world.node("prefecture-13")), said(&[(1, "not-released")]));
    let entries = world.node("prefecture-13").entries_of(EntryKind::NoticesSetAside);
    assert_eq!(entries[0].terminal(), Some("center"));
}

#[test]
fn the_word_of_an_earlier_move_lets_nobody_go_again() {
    let mut center = Node::of("center");
    let (tokyo, nagano) = (peer("prefecture-13"), peer("prefecture-20"));
    let at = |center: &Node| {
        let held = center.store.resident(&code(1)).unwrap().unwrap();
        held.identity.municipality.as_str().to_owned()
    };
    let on = |mut notice: ChangeNotice, on: &str| {
        notice.changed_on = date(on);
        notice
    };
    let word = release(1, KUNITACHI, MATSUMOTO);
    center.ask(NOW, &tokyo, batch(1, vec![(entered(1), None), (left(1, KUNITACHI), None)]));
    let there = vec![
        (moved_in(1, MATSUMOTO), Some(word.clone())),
        (on(left(1, MATSUMOTO), "2026-05-31"), None),
    ];
    assert_eq!(told(center.ask(NOW, &nagano, batch(1, there))), (2, vec![]));
    let back = fixture::release(1, MATSUMOTO, KUNITACHI, "2026-05-31");
    let back = vec![(on(moved_in(1, KUNITACHI), "2026-06-01"), Some(back))];
    assert_eq!(told(center.ask(NOW, &tokyo, batch(3, back))), (3, vec![]));
    assert_eq!(at(&center), KUNITACHI);
    // Back in Kunitachi, and Matsumoto claims with the old word: she has not left, so it waits.
    let again = vec![(on(moved_in(1, MATSUMOTO), "2026-07-01"), Some(word))];
    assert_eq!(told(center.ask(NOW, &nagano, batch(3, again))), (3, vec![]));
    assert_eq!(at(&center), KUNITACHI);
    // And when she leaves for Mitaka, the old word does not name this moving-out.
    let off = vec![(on(left(1, KUNITACHI), "2026-08-01"), None)];
    center.ask(NOW, &tokyo, batch(4, off));
    assert_eq!(kept(&center), said(&[(3, "release-spent")]));
    let to = fixture::release(1, KUNITACHI, MITAKA, "2026-08-01");
    let to = vec![(on(moved_in(1, MITAKA), "2026-08-02"), Some(to))];
    assert_eq!(told(center.ask(NOW, &tokyo, batch(5, to))), (5, vec![]));
    assert_eq!(at(&center), MITAKA);
}

#[test]
fn a_code_that_was_replaced_is_never_anybody_s_again() {
    let mut tokyo = Node::of("prefecture-13");
    let from = peer("municipality-132152");
    let mut recoded = entered(1);
    recoded.reason = ChangeReason::CodeChangedOnRequest;
    recoded.previous_code = Some(code(1));
    recoded.record.code = code(2);
    let mut back = entered(3);
    back.reason = ChangeReason::CodeChangedOnRequest;
    back.previous_code = Some(code(3));
    back.record.code = code(1);
    let rows = vec![
        (entered(1), None),
        (entered(3), None),
        (recoded, None),
        (entered(1), None),
        (back, None),
    ];
    let retired = said(&[(4, "code-retired"), (5, "code-retired")]);
    assert_eq!(told(tokyo.ask(NOW, &from, batch(1, rows))), (5, retired));
    // Also in a later batch.
    let again = said(&[(6, "code-retired")]);
    assert_eq!(told(tokyo.ask(NOW, &from, batch(6, vec![(entered(1), None)]))), (6, again));
    assert_eq!(tokyo.store.residents_count().unwrap(), 2);
}
