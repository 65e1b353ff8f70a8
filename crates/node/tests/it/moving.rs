//! Moves between municipalities in the small country: a resident is current in one place or on the
//! way, whoever claims, whatever gets lost, and nobody enters a resident on their own word.

use law::change::{ChangeNotice, ChangeReason};
use law::code::LocalGovernmentCode;
use ledger::entry::EntryKind;
use node::machine::{Input, Ticket};
use node::ports::{Reads as _, Space, Store as _, Write};
use wire::{FeedBatch, FeedRow, FeedVerdict, MessageKind, Reply, Request, SetAsideNotice};

use crate::fixture::{KUNITACHI, MATSUMOTO, MITAKA, claim, code, notice, town};
use crate::notices::register_system;
use crate::world::{Fate, World, peer};

fn address(of: &str) -> &'static str {
    match of {
        MATSUMOTO => "長野県松本市丸の内3",
        MITAKA => "東京都三鷹市野崎1",
        _ => "東京都国立市東1",
    }
}

fn says(of: &str, reason: ChangeReason, on: &str) -> ChangeNotice {
    notice(reason, on, 1, address(of), of)
}

/// One row of the register system of `of`.
pub(crate) fn file(
    world: &mut World,
    of: &str,
    notice: ChangeNotice,
    former: Option<&str>,
) -> String {
    let former_municipality: Option<LocalGovernmentCode> = former.map(town);
    let rows = vec![FeedRow { row: 1, sequence: None, notice, former_municipality }];
    let request = Request::Feed(FeedBatch { rows });
    let name = format!("municipality-{of}");
    let Reply::FeedResult(outcomes) = world.ask(&name, &register_system(of), request) else {
        panic!("outcomes")
    };
    match &outcomes[0].outcome {
        FeedVerdict::Accepted { .. } => "accepted".to_owned(),
        FeedVerdict::Waiting => "waiting".to_owned(),
        FeedVerdict::Duplicate => "duplicate".to_owned(),
        FeedVerdict::Rejected { column, rule, .. } => format!("{column}: {rule}"),
    }
}

/// Where each node has person 1: a municipality's code while current, "gone" when removed.
fn at(world: &mut World, node: &str) -> String {
    match world.node(node).store.resident(&code(1)).unwrap() {
        None => "-".to_owned(),
        Some(held) if held.removed => "gone".to_owned(),
        Some(held) => held.identity.municipality.as_str().to_owned(),
    }
}

/// Kunitachi, Matsumoto, Mitaka, and the center's view.
fn view(world: &mut World) -> [String; 4] {
    ["municipality-132152", "municipality-202029", "municipality-132047", "center"]
        .map(|node| at(world, node))
}

fn in_kunitachi() -> World {
    let mut world = World::new();
    let born = says(KUNITACHI, ChangeReason::EnteredExOfficio, "2026-01-05");
    assert_eq!(file(&mut world, KUNITACHI, born, None), "accepted");
    world.run(5);
    assert_eq!(view(&mut world), [KUNITACHI, "-", "-", KUNITACHI]);
    world
}

fn moves_out(world: &mut World) {
    let out = says(KUNITACHI, ChangeReason::MovedOut, "2026-05-10");
    assert_eq!(file(world, KUNITACHI, out, None), "accepted");
}

fn moves_in(world: &mut World, to: &str) -> String {
    let moved_in = says(to, ChangeReason::MovedIn, "2026-05-01");
    file(world, to, moved_in, Some(KUNITACHI))
}

fn set_aside(world: &mut World, node: &str) -> Vec<String> {
    let kept = world.node(node).store.facts(Space::SetAside, None, 100).unwrap();
    let rule = |bytes: &[u8]| SetAsideNotice::decode(bytes).unwrap().rule;
    kept.iter().map(|(_, bytes)| rule(bytes)).collect()
}

#[test]
fn a_resident_is_on_the_way_until_the_former_municipality_lets_go() {
    let mut world = in_kunitachi();
    moves_out(&mut world);
    world.run(5);
    assert_eq!(view(&mut world), ["gone", "-", "-", "gone"]);
    // Kunitachi cannot be reached at first.
    world.fate = Box::new(|_, call| match call.request.kind() {
        MessageKind::MoveClaim => Fate::Lost,
        _ => Fate::Arrives,
    });
    assert_eq!(moves_in(&mut world, MATSUMOTO), "waiting");
    assert_eq!(moves_in(&mut world, MATSUMOTO), "waiting", "the same row again");
    world.run(10);
    assert_eq!(view(&mut world), ["gone", "-", "-", "gone"], "nobody enters on their own word");
    world.said.clear();
    world.fate = Box::new(|_, _| Fate::Arrives);
    world.run(30);
    assert_eq!(view(&mut world), ["gone", MATSUMOTO, "-", MATSUMOTO]);
    assert_eq!(at(&mut world, "prefecture-20"), MATSUMOTO);
    assert_eq!(at(&mut world, "prefecture-13"), "gone");
    assert_eq!(moves_in(&mut world, MATSUMOTO), "duplicate");
    // Both say so in their ledgers, about this very person.
    let released = world.node("municipality-132152").entries_of(EntryKind::ResidentReleased);
    assert_eq!(released.len(), 1);
    assert_eq!(released[0].subject(), Some(code(1)));
    assert_eq!(released[0].asker(), Some("municipality:202029"));
    let arrived = world.node("municipality-202029").entries_of(EntryKind::ResidentArrived);
    assert_eq!(arrived[0].subject(), Some(code(1)));
    // 法9条1項: straight between the two; neither prefecture nor center heard the claim.
    let claims: Vec<_> =
        world.said.iter().filter(|said| said.2 == MessageKind::MoveClaim).collect();
    assert_eq!(claims.len(), 1);
    assert_eq!(claims[0].1.as_str(), "municipality-132152");
    for node in ["prefecture-13", "prefecture-20", "center"] {
        assert_eq!(set_aside(&mut world, node), Vec::<String>::new(), "{node}");
    }
}

#[test]
fn a_moving_in_filed_first_waits_for_the_moving_out() {
    let mut world = in_kunitachi();
    assert_eq!(moves_in(&mut world, MATSUMOTO), "waiting");
    world.run(100);
    assert_eq!(view(&mut world), [KUNITACHI, "-", "-", KUNITACHI]);
    let refused = world.node("municipality-132152").entries_of(EntryKind::ReleaseRefused);
    assert!((3..=8).contains(&refused.len()), "asked again with growing waits: {}", refused.len());
    assert_eq!(refused[0].rule(), Some("not-moved-out"));
    assert_eq!(refused[0].subject(), None);
    moves_out(&mut world);
    world.run(200);
    assert_eq!(view(&mut world), ["gone", MATSUMOTO, "-", MATSUMOTO]);
}

#[test]
fn whoever_claims_second_gets_nobody() {
    let mut world = in_kunitachi();
    moves_out(&mut world);
    assert_eq!(moves_in(&mut world, MITAKA), "waiting");
    world.run(10);
    assert_eq!(moves_in(&mut world, MATSUMOTO), "waiting");
    world.run(50);
    assert_eq!(view(&mut world), ["gone", "-", MITAKA, MITAKA]);
    let refused = world.node("municipality-132152").entries_of(EntryKind::ReleaseRefused);
    assert!(refused.iter().all(|entry| entry.rule() == Some("released-elsewhere")));
    assert!(!refused.is_empty());
}

#[test]
fn a_name_that_is_not_the_resident_s_releases_nobody() {
    let mut world = in_kunitachi();
    moves_out(&mut world);
    let mut mistyped = says(MATSUMOTO, ChangeReason::MovedIn, "2026-05-01");
    mistyped.record.items.name = law::people::Name::parse("別人 太郎").unwrap();
    assert_eq!(file(&mut world, MATSUMOTO, mistyped, Some(KUNITACHI)), "waiting");
    world.run(10);
    assert_eq!(view(&mut world), ["gone", "-", "-", "gone"]);
    let refused = world.node("municipality-132152").entries_of(EntryKind::ReleaseRefused);
    assert_eq!(refused[0].rule(), Some("not-that-person"));
}

/// The asking municipality sees one and the same refusal, whatever the reason (charter §8.4).
#[test]
fn a_refused_claim_does_not_say_why() {
    let mut world = in_kunitachi();
    let asking = peer("municipality-202029");
    let claims = [claim(1, KUNITACHI, MATSUMOTO), claim(99, KUNITACHI, MATSUMOTO)];
    for claim in claims {
        let reply = world.ask("municipality-132152", &asking, Request::MoveClaim(claim));
        assert_eq!(reply, Reply::MoveRefused);
    }
    // And nobody claims for another municipality.
    let other = claim(1, KUNITACHI, MITAKA);
    let reply = world.ask("municipality-132152", &asking, Request::MoveClaim(other));
    assert!(matches!(reply, Reply::Unavailable { .. }));
}

/// Every message between the two municipalities lost once in each way, and each of them crashing in
/// between: one release, one entry.
#[test]
fn lost_and_doubled_claims_and_crashes_move_a_resident_once() {
    for fate in [Fate::Lost, Fate::ReplyLost, Fate::Twice] {
        for crash in ["", "municipality-132152", "municipality-202029"] {
            let mut world = in_kunitachi();
            moves_out(&mut world);
            let mut left = 2;
            world.fate = Box::new(move |_, call| {
                let hit = call.request.kind() == MessageKind::MoveClaim && left > 0;
                left -= usize::from(hit);
                if hit { fate } else { Fate::Arrives }
            });
            assert_eq!(moves_in(&mut world, MATSUMOTO), "waiting");
            world.run(3);
            if !crash.is_empty() {
                world.node(crash).restart();
            }
            world.run(100);
            assert_eq!(view(&mut world), ["gone", MATSUMOTO, "-", MATSUMOTO], "{fate:?} {crash}");
            let arrived = world.node("municipality-202029").entries_of(EntryKind::ResidentArrived);
            assert_eq!(arrived.len(), 1, "{fate:?} {crash}");
        }
    }
}

#[test]
fn a_moving_out_can_be_taken_back_until_the_resident_was_let_go() {
    let back = || says(KUNITACHI, ChangeReason::EnteredExOfficio, "2026-05-02");
    let mut world = in_kunitachi();
    moves_out(&mut world);
    assert_eq!(file(&mut world, KUNITACHI, back(), None), "accepted");
    assert_eq!(moves_in(&mut world, MATSUMOTO), "waiting");
    world.run(20);
    assert_eq!(view(&mut world), [KUNITACHI, "-", "-", KUNITACHI]);

    let mut world = in_kunitachi();
    moves_out(&mut world);
    assert_eq!(moves_in(&mut world, MATSUMOTO), "waiting");
    world.run(10);
    let rejected = file(&mut world, KUNITACHI, back(), None);
    assert_eq!(rejected, "former_municipality_code: released");
    assert_eq!(view(&mut world), ["gone", MATSUMOTO, "-", MATSUMOTO]);
    // Coming back takes the same way.
    let out = says(MATSUMOTO, ChangeReason::MovedOut, "2026-05-09");
    assert_eq!(file(&mut world, MATSUMOTO, out, None), "accepted");
    let again = says(KUNITACHI, ChangeReason::MovedIn, "2026-05-10");
    assert_eq!(file(&mut world, KUNITACHI, again, Some(MATSUMOTO)), "waiting");
    world.run(20);
    assert_eq!(view(&mut world), [KUNITACHI, "gone", "-", KUNITACHI]);
}

/// The token signs late, and the resident came back meanwhile: the word is not given any more.
#[test]
fn a_release_signed_after_the_resident_came_back_is_not_given() {
    let mut world = in_kunitachi();
    moves_out(&mut world);
    let (now, from) = (world.now, peer("municipality-202029"));
    let key = crate::fixture::node_key(&peer("municipality-132152").node);
    let kunitachi = world.node("municipality-132152");
    let request = Request::MoveClaim(claim(1, KUNITACHI, MATSUMOTO));
    let sent = kunitachi.step(now, Input::Request { from, ticket: Ticket(7), request });
    let wanted = sent.signatures.into_iter().next().expect("a release to sign");
    let back = Write::DropFact { space: Space::Departure, key: Space::about(&code(1)) };
    let _ = kunitachi.store.apply(&[back], &[], &mut |_| ()).unwrap();
    kunitachi.store.commit().unwrap();
    let signature = Some(key.sign(&wanted.message));
    let sent = kunitachi.step(now, Input::Signed { sign: wanted.sign, signature });
    let replies: Vec<_> = sent.replies.iter().map(|outgoing| &outgoing.reply).collect();
    assert!(matches!(replies[..], [Reply::Unavailable { .. }]), "{replies:?}");
}

/// Kunitachi let the resident come to Mitaka, which let go back to Kunitachi; Kunitachi has not
/// heard of that, and repeats its old word when Mitaka claims once more: nobody comes in by it
/// again.
#[test]
fn a_word_that_counted_before_brings_nobody_in_again() {
    let mut world = in_kunitachi();
    moves_out(&mut world);
    assert_eq!(moves_in(&mut world, MITAKA), "waiting");
    world.run(20);
    assert_eq!(view(&mut world), ["gone", "-", MITAKA, MITAKA]);
    let out = says(MITAKA, ChangeReason::MovedOut, "2026-05-08");
    assert_eq!(file(&mut world, MITAKA, out, None), "accepted");
    // Mitaka gives its word to Kunitachi, where it does not arrive.
    world.fate = Box::new(|from, call| match call.request.kind() {
        MessageKind::MoveClaim if from.as_str() == "municipality-132152" => Fate::ReplyLost,
        _ => Fate::Arrives,
    });
    let back = says(KUNITACHI, ChangeReason::MovedIn, "2026-05-09");
    assert_eq!(file(&mut world, KUNITACHI, back, Some(MITAKA)), "waiting");
    world.run(5);
    let again = says(MITAKA, ChangeReason::MovedIn, "2026-05-12");
    assert_eq!(file(&mut world, MITAKA, again, Some(KUNITACHI)), "waiting");
    world.run(20);
    assert_eq!(view(&mut world), ["gone", "-", "gone", "gone"], "on the way to Kunitachi");
    world.fate = Box::new(|_, _| Fate::Arrives);
    world.run(400);
    assert_eq!(view(&mut world), [KUNITACHI, "-", "gone", KUNITACHI]);
    // From there the way is the ordinary one.
    let out = says(KUNITACHI, ChangeReason::MovedOut, "2026-05-11");
    assert_eq!(file(&mut world, KUNITACHI, out, None), "accepted");
    world.run(800);
    assert_eq!(view(&mut world), ["gone", "-", MITAKA, MITAKA]);
}

#[test]
fn rows_about_a_move_that_cannot_be_are_named() {
    let mut world = in_kunitachi();
    let moved_in = |of: &str| says(of, ChangeReason::MovedIn, "2026-05-01");
    let mut send = |of: &str, notice, former| file(&mut world, of, notice, former);
    let born = says(MATSUMOTO, ChangeReason::Born, "2026-05-01");
    let column = "former_municipality_code";
    let unexpected = format!("{column}: former-municipality-unexpected");
    assert_eq!(send(MATSUMOTO, born, Some(KUNITACHI)), unexpected);
    assert_eq!(send(MATSUMOTO, moved_in(MATSUMOTO), Some(MATSUMOTO)), unexpected);
    let prefecture = send(MATSUMOTO, moved_in(MATSUMOTO), Some("130001"));
    assert_eq!(prefecture, format!("{column}: not-a-municipality"));
    let abroad = says(MATSUMOTO, ChangeReason::MovedInFromAbroad, "2026-05-01");
    assert_eq!(send(MATSUMOTO, abroad, None), "reason: reason-of-another-epoch");
    assert_eq!(send(MATSUMOTO, moved_in(MATSUMOTO), Some(KUNITACHI)), "waiting");
    let within = says(MATSUMOTO, ChangeReason::MovedWithin, "2026-05-02");
    assert_eq!(send(MATSUMOTO, within, None), "record_code: moving-in-waits");
    // Kunitachi itself still has her, and says so as before.
    assert_eq!(send(KUNITACHI, moved_in(KUNITACHI), None), "record_code: already-recorded");
}
