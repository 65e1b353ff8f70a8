//! Who is listened to: everything the conversation table does not allow is not even looked at, by
//! the machines themselves, not only by the sessions in front of them.

use law::change::ChangeReason;
use law::organ::Organ;
use ledger::entry::EntryKind;
use node::machine::{Input, Peer, Ticket};
use wire::directory::MemberState;
use wire::{
    Compare, DisclosureBatch, FeedBatch, FeedRow, Heartbeat, MessageKind, NoticeBatch, PoolRequest,
    Purpose, QueryBody, RangeDigest, RelayedNotice, Reply, Request, Role, SignedQuery,
    SignedRepair, Suspect, Suspicion, TakeCode, may_say, query_digest,
};

use crate::fixture::{
    self, KUNITACHI, NOW, area, body, by_code, card_key, directory_key, id, notice, sign,
    signed_by, town,
};
use crate::world::{Node, World, peer, terminal};

/// One request of each kind.
fn requests() -> Vec<Request> {
    let one = notice(ChangeReason::MovedIn, "2026-04-01", 1, "東京都国立市東1", KUNITACHI);
    let relayed = RelayedNotice {
        municipality: town(KUNITACHI),
        sequence: 1,
        notice: one.clone(),
        release: None,
    };
    let signed = SignedQuery { body: vec![1], signature: vec![] };
    let beat = Heartbeat { software: "x".to_owned(), queued: 1, residents: 2, entries: 3 };
    vec![
        Request::Notices(NoticeBatch { first_sequence: 1, notices: vec![relayed] }),
        Request::Inquiry(sign(&body(fixture::agency(), "agency", 1, by_code(1)))),
        Request::Disclosures(DisclosureBatch { first_sequence: 1, rows: Vec::new() }),
        Request::DirectoryPush(signed_by(&directory_key(), &fixture::directory(9, NOW))),
        Request::DirectoryFetch,
        Request::Feed(FeedBatch {
            rows: vec![FeedRow { row: 1, sequence: None, notice: one, former_municipality: None }],
        }),
        Request::Heartbeat(beat),
        Request::StatusQuery(signed.clone()),
        Request::ViewQuery(signed),
        Request::MoveClaim(fixture::claim(1, KUNITACHI, fixture::MATSUMOTO)),
        Request::PoolRequest(PoolRequest { request: [1; 16], count: 5 }),
        Request::TakeCode(TakeCode { request: [2; 16] }),
        Request::Compare(Compare {
            municipality: town(KUNITACHI),
            key: [3; 32],
            ranges: vec![RangeDigest::whole(1, 2)],
        }),
        Request::Suspicion(Suspicion {
            municipality: town(KUNITACHI),
            key: [3; 32],
            persons: vec![Suspect { place: 1, own: None, other: None }],
        }),
        Request::Repair(SignedRepair { body: vec![1], signature: [1; 64], public_key: [4; 65] }),
    ]
}

fn everyone() -> Vec<Peer> {
    let mut peers: Vec<Peer> =
        fixture::nodes().iter().map(|(node, _, _)| peer(node.as_str())).collect();
    for (_, _, organ) in fixture::nodes() {
        let Some(organ) = organ else { continue };
        peers.push(terminal(organ));
        peers.push(Peer { node: id("feed-1"), role: Role::Feed, organ: Some(organ) });
    }
    for role in [Role::Certifier, Role::Linkage] {
        peers.push(Peer { node: id("other-1"), role, organ: None });
    }
    peers
}

#[test]
fn what_the_table_does_not_allow_has_no_effect() {
    let mut refused = 0;
    let requests = requests();
    for (name, role, organ) in fixture::nodes() {
        for from in everyone() {
            for request in requests.clone() {
                let kind = request.kind();
                let office = [Role::Terminal, Role::Feed].contains(&from.role);
                let allowed = may_say(from.role, role, kind).is_some();
                if allowed && (!office || from.organ == organ) {
                    continue;
                }
                let mut node = Node::of(name.as_str());
                let ticket = Ticket(1);
                let input = Input::Request { from: from.clone(), ticket, request };
                let (parts, _) = node.raw(NOW, input);
                let what = format!("{} → {name}: {kind}", from.node);
                assert!(parts.writes.is_empty() && parts.entries.is_empty(), "{what}");
                assert!(parts.calls.is_empty() && parts.adopted.is_none(), "{what}");
                assert_eq!(parts.replies.len(), 1, "{what}");
                assert!(matches!(parts.replies[0].reply, Reply::Unavailable { .. }), "{what}");
                refused += 1;
            }
        }
    }
    assert!(refused > 1_000, "{refused}");
}

#[test]
fn who_is_not_in_the_directory_is_not_listened_to() {
    let mut center = Node::of("center");
    for change in [
        (|peer: &mut Peer| peer.node = id("agency-9")) as fn(&mut Peer),
        |peer| peer.organ = Some(Organ::Prefecture(area(13))),
        |peer| peer.organ = None,
    ] {
        let mut stranger = peer("agency-1");
        change(&mut stranger);
        for request in requests() {
            if may_say(Role::Agency, Role::Center, request.kind()).is_none() {
                continue;
            }
            let reply = center.ask(NOW, &stranger, request);
            assert!(matches!(reply, Reply::Unavailable { .. }));
        }
    }
    assert!(center.entries().is_empty());
}

#[test]
fn an_isolated_municipality_is_not_taken_at_its_word() {
    let mut directory = fixture::directory(2, NOW);
    for member in &mut directory.members {
        if member.id == id("municipality-132152") {
            member.state = MemberState::Isolated;
        }
    }
    let mut tokyo = Node::of("prefecture-13");
    let one = notice(ChangeReason::MovedIn, "2026-04-01", 1, "東京都国立市東1", KUNITACHI);
    let batch = |sequence, notice: &law::change::ChangeNotice| {
        let relayed = RelayedNotice {
            municipality: town(KUNITACHI),
            sequence,
            notice: notice.clone(),
            release: None,
        };
        Request::Notices(NoticeBatch { first_sequence: sequence, notices: vec![relayed] })
    };
    let from = peer("municipality-132152");
    assert!(matches!(tokyo.ask(NOW, &from, batch(1, &one)), Reply::NoticeAck { applied: 1, .. }));
    let isolating = Request::DirectoryPush(signed_by(&directory_key(), &directory));
    assert!(matches!(tokyo.ask(NOW, &peer("center"), isolating), Reply::DirectoryAck { .. }));
    assert!(matches!(tokyo.ask(NOW, &from, batch(2, &one)), Reply::Unavailable { .. }));
}

fn status_query(card: &str, request: u8, organ: Organ) -> Request {
    let body = QueryBody {
        request: [request; 16],
        asked_at: NOW,
        terminal: id("terminal-1"),
        organ,
        card: law::organ::CardId::parse(card).unwrap(),
        purpose: Purpose::NetworkStatus,
    };
    let bytes = body.encode();
    let signature = card_key(card).sign_digest(&query_digest(&bytes)).to_vec();
    Request::StatusQuery(SignedQuery { body: bytes, signature })
}

#[test]
fn the_network_is_shown_to_an_observers_card_and_recorded() {
    let mut world = World::new();
    world.run(60);
    let center = world.node("center");
    let room = terminal(Organ::Center);
    let reply = center.ask(NOW, &room, status_query("watch", 1, Organ::Center));
    let Reply::Status(status) = reply else { panic!("a status") };
    assert_eq!(status.nodes.len(), fixture::nodes().len());
    assert!(status.nodes.iter().all(|node| node.last_seen_ms.is_some()), "all reported");
    assert_eq!(center.entries_of(EntryKind::StatusShown).len(), 1);
    let refused = |center: &mut Node, request| match center.ask(NOW, &room, request) {
        Reply::Refusal(refusal) => refusal.rule,
        _ => panic!("a refusal"),
    };
    let again = status_query("watch", 1, Organ::Center);
    assert_eq!(refused(center, again), "request-replayed");
    let other = status_query("agency", 2, Organ::Center);
    assert_eq!(refused(center, other), "card-of-another-organ");
    let lent = status_query("agency-admin", 3, fixture::agency());
    assert_eq!(refused(center, lent), "card-of-another-organ");
    assert_eq!(center.entries_of(EntryKind::StatusShown).len(), 1);
    assert_eq!(center.entries_of(EntryKind::Refusal).len(), 3);
}

#[test]
fn the_table_and_the_machines_know_the_same_messages() {
    let kinds: Vec<MessageKind> = requests().iter().map(Request::kind).collect();
    assert_eq!(kinds, MessageKind::ALL);
}
