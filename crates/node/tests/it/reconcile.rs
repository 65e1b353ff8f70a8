//! Continuous reconciliation: one person who differs between the tiers is found in a few messages,
//! withheld, repaired and recorded; what is only on its way is no difference.

use std::collections::BTreeSet;

use law::change::{ChangeNotice, ChangeReason};
use law::inquiry::{Held, LastChange};
use law::organ::Organ;
use ledger::entry::EntryKind;
use node::machine::{Input, Peer, Ticket};
use node::ports::{Reads as _, Space};
use wire::{
    Compare, FeedBatch, FeedRow, MessageKind, RangeDigest, RepairBody, Reply, Request, Role,
    SignedRepair, Suspect, Suspicion,
};

use crate::fixture::{
    self, KUNITACHI, MATSUMOTO, MITAKA, by_code, code, date, id, node_key, notice, person, sign,
    town,
};
use crate::world::{Fate, World, peer};

const CS: &str = "municipality-132152";
const TOKYO: &str = "prefecture-13";
const TIERS: [&str; 3] = [CS, TOKYO, "center"];

fn resident(number: u64) -> Held {
    let address = format!("東京都国立市東{number}");
    let change =
        LastChange { reason: ChangeReason::MovedIn, on: date("2026-04-01"), foreign: false };
    let held = person(number, &format!("住基 第{number}"), &address, KUNITACHI);
    Held { change: Some(change), ..held }
}

/// A country in which Kunitachi's residents 1 to `count` are held by all three tiers.
fn country(count: u64) -> World {
    let mut world = World::new();
    let people: Vec<Held> = (1..=count).map(resident).collect();
    for tier in TIERS {
        world.node(tier).hold(&people);
    }
    world
}

fn alter(mut held: Held) -> Held {
    held.identity.items.name = law::people::Name::parse("偽名 太郎").unwrap();
    held
}

fn state(world: &mut World, tier: &str, number: u64) -> Option<Held> {
    world.node(tier).store.resident(&code(number)).unwrap()
}

fn asked(world: &World, from: &str) -> usize {
    let about = |kind| matches!(kind, MessageKind::Compare | MessageKind::Suspicion);
    world.said.iter().filter(|(by, _, kind)| *by == id(from) && about(*kind)).count()
}

/// Entries of that kind about residents, in any tier.
fn told(world: &mut World, kind: EntryKind) -> usize {
    TIERS.iter().map(|tier| world.node(tier).entries_of(kind).len()).sum()
}

#[test]
fn one_altered_person_is_found_and_repaired_within_a_minute() {
    for tier in [TOKYO, "center"] {
        let mut world = country(300);
        world.run(100);
        assert_eq!(told(&mut world, EntryKind::Diverged), 0);
        world.node(tier).hold(&[alter(resident(77))]);
        world.run(600);
        assert_eq!(state(&mut world, tier, 77), Some(resident(77)), "{tier}");
        for kind in [EntryKind::Diverged, EntryKind::Repaired] {
            let here = world.node(tier).entries_of(kind);
            assert_eq!(here.len(), 1, "{tier} {kind:?}");
            assert_eq!(here[0].subject(), Some(code(77)));
            let below = if tier == TOKYO { CS } else { TOKYO };
            let there = world.node(below).entries_of(kind);
            assert_eq!(there.len(), 1, "{below} {kind:?}");
            assert_eq!(there[0].rule(), Some("altered"));
        }
        assert_eq!(world.node(tier).store.facts_count(Space::Comparison).unwrap(), 0);
        // Nobody else was touched, and nothing more is found.
        for number in (1..=300).filter(|number| *number != 77) {
            assert_eq!(state(&mut world, tier, number), Some(resident(number)));
        }
        world.run(600);
        assert_eq!(told(&mut world, EntryKind::Diverged), 2);
    }
}

#[test]
fn a_missing_a_surplus_and_a_stale_person_are_set_right() {
    for tier in [TOKYO, "center"] {
        let mut world = country(200);
        // 9 never arrived above; 901 is held above only; 10 was removed below and not above.
        let new = resident(900);
        let gone = Held { removed: true, ..resident(10) };
        for below in TIERS.iter().take_while(|below| **below != tier) {
            world.node(below).hold(&[new.clone(), gone.clone()]);
        }
        if tier == TOKYO {
            world.node("center").hold(&[new.clone(), gone.clone()]);
        }
        world.node(tier).hold(&[resident(901)]);
        world.run(600);
        assert_eq!(state(&mut world, tier, 900), Some(new), "{tier}");
        assert!(state(&mut world, tier, 901).unwrap().removed, "{tier}");
        assert_eq!(state(&mut world, tier, 10), Some(gone), "{tier}");
        let below = if tier == TOKYO { CS } else { TOKYO };
        let repaired = world.node(below).entries_of(EntryKind::Repaired);
        let reasons: BTreeSet<(String, String)> = repaired
            .iter()
            .map(|entry| {
                let who = entry.subject().unwrap().expose().to_owned();
                (who, entry.rule().unwrap().to_owned())
            })
            .collect();
        let expected = [(10, "surplus"), (900, "missing"), (901, "surplus")]
            .map(|(number, why)| (code(number).expose().to_owned(), why.to_owned()));
        assert_eq!(reasons, expected.into_iter().collect(), "{tier}");
    }
}

#[test]
fn what_a_tier_forgot_while_it_stood_still_is_found_after_the_start() {
    let mut world = country(100);
    world.run(100);
    world.node("center").hold(&[alter(resident(5))]);
    world.node("center").restart();
    world.run(500);
    assert_eq!(state(&mut world, "center", 5), Some(resident(5)));
}

/// One in ten thousand: the root, three levels and the second look.
#[test]
fn a_difference_among_ten_thousand_takes_few_messages() {
    let mut world = country(10_000);
    world.run(300);
    world.node("center").hold(&[alter(resident(4_321))]);
    let (mut before, mut most) = (asked(&world, TOKYO), 0);
    let mut rounds = 0;
    while state(&mut world, "center", 4_321) != Some(resident(4_321)) {
        world.run(20);
        let now = asked(&world, TOKYO);
        most = most.max(now - before);
        before = now;
        rounds += 1;
        assert!(rounds < 40, "found within eighty seconds");
    }
    // log16(10,000) = 3.3 levels; two municipalities are asked about in the same time.
    assert!(most <= 5 + 2, "{most} messages for one difference");
}

fn feed(world: &mut World, town_code: &str, notices: Vec<ChangeNotice>) {
    let organ = Some(Organ::Municipality(town(town_code)));
    let from = Peer { node: id(&format!("feed-{town_code}")), role: Role::Feed, organ };
    let rows = (1_u32..).zip(notices).map(|(row, notice)| FeedRow {
        row,
        sequence: None,
        notice,
        former_municipality: None,
    });
    let batch = Request::Feed(FeedBatch { rows: rows.collect() });
    let to = format!("municipality-{town_code}");
    assert!(matches!(world.ask(&to, &from, batch), Reply::FeedResult(_)));
}

#[test]
fn what_is_on_its_way_is_no_difference() {
    let mut world = country(60);
    let mut dice = 1_u64;
    world.fate = Box::new(move |_, _| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        match dice >> 60 {
            0 | 1 => Fate::Lost,
            2 => Fate::ReplyLost,
            3 => Fate::Twice,
            _ => Fate::Arrives,
        }
    });
    for round in 0..100_u64 {
        let number = round % 60 + 1;
        let on = format!("2026-{:02}-{:02}", 5 + round / 28, round % 28 + 1);
        let address = format!("東京都国立市西{round}");
        let reason = ChangeReason::MovedWithin;
        feed(&mut world, KUNITACHI, vec![notice(reason, &on, number, &address, KUNITACHI)]);
        feed(
            &mut world,
            MITAKA,
            vec![notice(ChangeReason::Born, &on, 5_000 + round, "東京都三鷹市野崎1", MITAKA)],
        );
        world.run(37);
    }
    assert!(asked(&world, CS) > 8 && asked(&world, TOKYO) > 8, "it was compared all the time");
    assert_eq!(told(&mut world, EntryKind::Diverged), 0, "no false alarm");
    assert_eq!(world.node("center").store.facts_count(Space::Comparison).unwrap(), 0);
}

#[test]
fn whom_the_tiers_disagree_about_is_not_provided() {
    let mut world = country(50);
    world.run(100);
    // Repairs do not arrive: the difference stays.
    world.fate = Box::new(|_, call| match call.request {
        Request::Repair(_) => Fate::Lost,
        _ => Fate::Arrives,
    });
    world.node(TOKYO).hold(&[alter(resident(7))]);
    world.run(500);
    let organ = Organ::Municipality(town(KUNITACHI));
    let mut request = 0;
    let mut found = |world: &mut World, number: u64| {
        request += 1;
        let mut body = fixture::body(organ, "kunitachi", request, by_code(number));
        body.asked_at = world.now;
        match world.ask(TOKYO, &peer(CS), Request::Inquiry(sign(&body))) {
            Reply::Answer(answer) => answer.persons.len(),
            other => panic!("an answer, not {other:?}"),
        }
    };
    assert_eq!(found(&mut world, 7), 0, "withheld");
    assert_eq!(found(&mut world, 8), 1, "nobody else is");
    world.node(TOKYO).restart();
    assert_eq!(found(&mut world, 7), 0, "also after a start");
    world.fate = Box::new(|_, _| Fate::Arrives);
    world.run(600);
    assert_eq!(state(&mut world, TOKYO, 7), Some(resident(7)));
    assert_eq!(found(&mut world, 7), 1, "and provided again");
}

/// The prefecture's own record was altered: it must not be told on to the center as the truth.
#[test]
fn damage_in_the_middle_is_repaired_from_below_and_not_told_on() {
    let mut world = country(80);
    world.run(100);
    world.node(TOKYO).hold(&[alter(resident(3))]);
    for _ in 0..60 {
        world.run(20);
        assert_eq!(state(&mut world, "center", 3), Some(resident(3)), "never told on");
    }
    assert_eq!(state(&mut world, TOKYO, 3), Some(resident(3)));
    assert!(world.node("center").entries_of(EntryKind::Repaired).is_empty());
    // The same while the municipality is silent: nothing is repaired above from what may be wrong.
    world.fate = Box::new(|from, _| if *from == id(CS) { Fate::Lost } else { Fate::Arrives });
    world.node(TOKYO).hold(&[alter(resident(4))]);
    world.run(1_500);
    assert_eq!(state(&mut world, "center", 4), Some(resident(4)));
}

#[test]
fn an_empty_register_below_empties_nothing_above() {
    let mut world = country(200);
    let people: Vec<Held> =
        (1..=200).map(|number| Held { removed: true, ..resident(number) }).collect();
    world.node(CS).hold(&people);
    world.run(1_200);
    let stands = |world: &mut World, number| !state(world, TOKYO, number).unwrap().removed;
    assert!((1..=200).all(|number| stands(&mut world, number)));
    let stopped = world.node(CS).entries_of(EntryKind::Stopped);
    assert_eq!(stopped.len(), 1, "said once: somebody has to look");
}

fn repair(from: &str, body: &RepairBody) -> Request {
    let key = node_key(&id(from));
    let body = body.encode().unwrap();
    let signature = key.sign(&SignedRepair::signing_bytes(&body));
    Request::Repair(SignedRepair { body, signature, public_key: key.public() })
}

fn unheld(world: &World, number: u64, town_code: &str) -> RepairBody {
    let mut state = resident(number);
    state.identity.municipality = town(town_code);
    RepairBody {
        municipality: town(town_code),
        code: code(number),
        key: [5; 32],
        seen: None,
        state: Some(state),
        reason: "missing".to_owned(),
        after: 0,
        repaired_at: world.now,
    }
}

/// Plants a tree under the key [5; 32] and lets it be filled.
fn prepare(world: &mut World, tier: &str, from: &str, town_code: &str) {
    let compare = Request::Compare(Compare {
        municipality: town(town_code),
        key: [5; 32],
        ranges: vec![RangeDigest::whole(0, 0)],
    });
    for n in 0..100 {
        let now = world.now.plus_ms(n * 100);
        world.node(tier).tick(now);
        if let Reply::Compared(_) = world.node(tier).ask(now, &peer(from), compare.clone()) {
            return;
        }
    }
    panic!("the tree was never filled");
}

fn applied(world: &mut World, tier: &str, from: &str, request: Request) -> Option<bool> {
    let now = world.now;
    match world.node(tier).ask(now, &peer(from), request) {
        Reply::Repaired { applied } => Some(applied),
        Reply::Unavailable { .. } => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn only_the_owner_repairs_and_only_what_it_saw() {
    let mut world = country(20);
    let nagano = "municipality-202029";
    prepare(&mut world, TOKYO, CS, KUNITACHI);
    let good = unheld(&world, 500, KUNITACHI);
    // Signed by another node, altered on the way, of another hour, of another area.
    let Request::Repair(mut forged) = repair(nagano, &good) else { unreachable!() };
    assert_eq!(applied(&mut world, TOKYO, CS, Request::Repair(forged.clone())), None);
    forged.public_key = node_key(&id(CS)).public();
    assert_eq!(applied(&mut world, TOKYO, CS, Request::Repair(forged)), None);
    let old = RepairBody { repaired_at: fixture::NOW, ..good.clone() };
    let real_now = world.now;
    world.now = world.now.plus_ms(400_000);
    assert_eq!(applied(&mut world, TOKYO, CS, repair(CS, &old)), None);
    world.now = real_now;
    let other = RepairBody { municipality: town(MITAKA), ..unheld(&world, 500, MITAKA) };
    assert_eq!(applied(&mut world, TOKYO, CS, repair(CS, &other)), None);
    // Notices that the sender has not told of: an older copy of its register.
    let behind = RepairBody { after: 3, ..good.clone() };
    assert_eq!(applied(&mut world, TOKYO, CS, repair(CS, &behind)), None);
    // Somebody stands there already, or stands otherwise than was seen.
    let blind = RepairBody { state: Some(alter(resident(7))), code: code(7), ..good.clone() };
    assert_eq!(applied(&mut world, TOKYO, CS, repair(CS, &blind)), Some(false));
    assert_eq!(state(&mut world, TOKYO, 7), Some(resident(7)));
    assert!(world.node(TOKYO).entries_of(EntryKind::Repaired).is_empty());
    assert_eq!(applied(&mut world, TOKYO, CS, repair(CS, &good)), Some(true));
    assert_eq!(state(&mut world, TOKYO, 500), good.state);
    // A second time it is no longer so.
    assert_eq!(applied(&mut world, TOKYO, CS, repair(CS, &good)), Some(false));
}

#[test]
fn a_resident_of_another_municipality_is_not_touched_by_a_repair() {
    let mut world = country(20);
    let mut moved = resident(600);
    moved.identity.municipality = town(MATSUMOTO);
    world.node("center").hold(&[moved.clone()]);
    prepare(&mut world, "center", TOKYO, KUNITACHI);
    let claim = unheld(&world, 600, KUNITACHI);
    assert_eq!(applied(&mut world, "center", TOKYO, repair(TOKYO, &claim)), Some(false));
    assert_eq!(state(&mut world, "center", 600), Some(moved));
    // A prefecture speaks for its own area only.
    let far = unheld(&world, 601, MATSUMOTO);
    assert_eq!(applied(&mut world, "center", TOKYO, repair(TOKYO, &far)), None);
}

#[test]
fn nothing_that_is_compared_shows_a_person() {
    let mut world = country(120);
    world.run(50);
    world.node(TOKYO).hold(&[alter(resident(9))]);
    let seen = std::rc::Rc::new(std::cell::RefCell::new(Vec::<Vec<u8>>::new()));
    let ear = seen.clone();
    world.fate = Box::new(move |_, call| {
        if matches!(call.request, Request::Compare(_) | Request::Suspicion(_)) {
            let body = wire::FrameBody::Request(call.request.clone());
            let frame = wire::Frame { id: 1, body };
            ear.borrow_mut().push(wire::frame::encode(&frame).unwrap());
        }
        Fate::Arrives
    });
    world.run(600);
    let frames = seen.borrow();
    assert!(frames.len() > 6);
    for number in 1..=120 {
        let held = resident(number);
        for text in [
            held.identity.code.expose(),
            held.identity.items.name.expose(),
            held.identity.items.address.expose(),
        ] {
            let text = text.as_bytes();
            let shows = |frame: &Vec<u8>| frame.windows(text.len()).any(|part| part == text);
            assert!(!frames.iter().any(shows));
        }
    }
    // Two keys, two sets of digests: the day's key is drawn, not derived from anything kept.
    world.node(CS).restart();
    drop(frames);
    let before = seen.borrow().len();
    world.run(100);
    let frames = seen.borrow();
    assert!(frames.len() > before);
}

#[test]
fn a_stranger_learns_nothing_by_comparing() {
    let mut world = country(20);
    let compare = |of: &str| {
        Request::Compare(Compare {
            municipality: town(of),
            key: [5; 32],
            ranges: vec![RangeDigest::whole(0, 0)],
        })
    };
    let suspicion = Request::Suspicion(Suspicion {
        municipality: town(KUNITACHI),
        key: [5; 32],
        persons: vec![Suspect { place: 1, own: None, other: None }],
    });
    let now = world.now;
    for (tier, from, request) in [
        (TOKYO, "municipality-132047", compare(KUNITACHI)),
        (TOKYO, "municipality-202029", compare(MATSUMOTO)),
        ("center", "prefecture-20", compare(KUNITACHI)),
        ("center", "municipality-132152", compare(KUNITACHI)),
        (TOKYO, "municipality-132047", suspicion),
    ] {
        let ticket = Ticket(1);
        for n in 0..20 {
            let at = now.plus_ms(n * 100);
            world.node(tier).tick(at);
            let input = Input::Request { from: peer(from), ticket, request: request.clone() };
            let sent = world.node(tier).step(at, input);
            assert!(matches!(sent.replies[0].reply, Reply::Unavailable { .. }), "{from}");
        }
    }
}

/// A repair is no way around a release: who left for elsewhere, who died there and whoever had a
/// replaced code are entered by notices or not at all; and the attempt stands at the person.
#[test]
fn a_repair_enters_nobody_whom_a_notice_could_not() {
    for removed in [ChangeReason::MovedOut, ChangeReason::Died, ChangeReason::DeletedExOfficio] {
        let mut world = country(20);
        let mut gone = resident(600);
        gone.identity.municipality = town(MATSUMOTO);
        gone.removed = true;
        gone.change = Some(LastChange { reason: removed, on: date("2026-04-02"), foreign: false });
        world.node("center").hold(std::slice::from_ref(&gone));
        prepare(&mut world, "center", TOKYO, KUNITACHI);
        let mut claim = unheld(&world, 600, KUNITACHI);
        let on = date("2026-11-01");
        let change = LastChange { reason: ChangeReason::MovedIn, on, foreign: false };
        claim.state.as_mut().unwrap().change = Some(change);
        assert_eq!(applied(&mut world, "center", TOKYO, repair(TOKYO, &claim)), Some(false));
        assert_eq!(state(&mut world, "center", 600), Some(gone), "{removed:?}");
        let tried = world.node("center").entries_of(EntryKind::Diverged);
        assert_eq!(tried.last().and_then(|entry| entry.subject()), Some(code(600)));
    }
    let mut world = country(20);
    let mut recoded =
        notice(ChangeReason::CodeChangedOnRequest, "2026-05-01", 700, "東京都国立市東1", KUNITACHI);
    recoded.previous_code = Some(code(5));
    feed(&mut world, KUNITACHI, vec![recoded]);
    world.run(20);
    prepare(&mut world, TOKYO, CS, KUNITACHI);
    let mut back = unheld(&world, 5, KUNITACHI);
    back.after = 1;
    assert_eq!(applied(&mut world, TOKYO, CS, repair(CS, &back)), Some(false));
    assert_eq!(state(&mut world, TOKYO, 5), None);
}
