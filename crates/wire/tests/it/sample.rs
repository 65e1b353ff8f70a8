//! One value of every message, with invented people, for the goldens and for what is broken from
//! them. Not random values: those are in `property`.

use law::affair::{AffairId, AgencyCode, Channel, Epoch};
use law::change::{ChangeNotice, ChangeReason};
use law::code::{LocalGovernmentCode, RecordCode};
use law::denial::Denial;
use law::inquiry::{Agreement, Held, LastChange, ProvidedPerson};
use law::organ::{CardClass, CardId, Organ};
use law::people::{
    Address, BirthDate, FormerSurname, FourItems, IdentityInformation, Kana, Name, OtherNames, Sex,
};
use law::query::QueryDraft;
use law::time::{Date, Timestamp};
use wire::connect::ConnectRequest;
use wire::directory::DIRECTORY_VALID_MS;
use wire::*;

pub(crate) fn code() -> RecordCode {
    RecordCode::parse("12345678903").unwrap()
}

pub(crate) fn date(text: &str) -> Date {
    Date::parse(text).unwrap()
}

pub(crate) fn id(text: &str) -> NodeId {
    NodeId::parse(text).unwrap()
}

pub(crate) const AT: Timestamp = Timestamp(1_382_313_600_000);

pub(crate) fn kunitachi() -> LocalGovernmentCode {
    LocalGovernmentCode::parse("132152").unwrap()
}

pub(crate) fn items() -> FourItems {
    FourItems {
        name: Name::parse("国立\u{3000}花子").unwrap(),
        kana: Kana::parse("クニタチ\u{3000}ハナコ").unwrap(),
        address: Address::parse("東京都国立市富士見台2丁目47番地の1").unwrap(),
        sex: Sex::Female,
        birth: BirthDate::parse("1930-00-00").unwrap(),
    }
}

pub(crate) fn notice(reason: ChangeReason) -> ChangeNotice {
    ChangeNotice {
        reason,
        changed_on: date("2013-10-21"),
        record: IdentityInformation {
            code: code(),
            items: items(),
            municipality: kunitachi(),
            other_names: OtherNames::default(),
        },
        previous_code: (reason == ChangeReason::CodeChangedOnRequest)
            .then(|| RecordCode::parse("31415926530").unwrap()),
        foreign: false,
    }
}

pub(crate) fn relayed() -> RelayedNotice {
    RelayedNotice {
        municipality: kunitachi(),
        sequence: 70,
        notice: notice(ChangeReason::CodeChangedOnRequest),
        release: None,
    }
}

pub(crate) fn inquiry_body() -> InquiryBody {
    InquiryBody {
        request: *b"0123456789abcdef",
        asked_at: AT,
        terminal: id("terminal-agency-1"),
        organ: Organ::Agency(AgencyCode::parse("A074").unwrap()),
        card: CardId::parse("agency-1-0001").unwrap(),
        affair: "1-74-3".to_owned(),
        case_number: "裁定-2013-000123".to_owned(),
        channel: Channel::Immediate,
        responder: Organ::Center,
        query: QueryDraft {
            code: None,
            name: Some("国立\u{3000}花子".to_owned()),
            address: None,
            birth: Some("1930-00-00".to_owned()),
            prefix: true,
        },
    }
}

pub(crate) fn query_body(purpose: Purpose) -> QueryBody {
    QueryBody {
        request: *b"fedcba9876543210",
        asked_at: AT,
        terminal: id("terminal-prefecture-13"),
        organ: Organ::parse("prefecture:13").unwrap(),
        card: CardId::parse("prefecture-13-0002").unwrap(),
        purpose,
    }
}

pub(crate) fn resident_view_purpose() -> Purpose {
    Purpose::ResidentView { code: code(), identified_by: "住基カード".to_owned() }
}

pub(crate) fn disclosure_row() -> DisclosureRow {
    DisclosureRow {
        sequence: 9,
        subject: code(),
        entry: b"jukinet-entry/1\nkind provision\n".to_vec(),
        salt: [0x5a; 32],
        proof: "c2sp.org/tlog-proof@v1\nindex 4\n".to_owned(),
    }
}

pub(crate) fn directory() -> Directory {
    let member = |name: &str, role, organ: Option<&str>, pin, address: &str| Member {
        id: id(name),
        role,
        organ: organ.map(|organ| Organ::parse(organ).unwrap()),
        pin: [pin; 32],
        address: address.to_owned(),
        exchange: (role != Role::Exchange).then(|| id("exchange-national")),
        state: if pin == 3 { MemberState::Isolated } else { MemberState::Active },
        ledger_vkey: (role == Role::Center)
            .then(|| "jukinet.example/center+c41a5f4e+AQID".to_owned()),
    };
    Directory {
        serial: 12,
        issued_at: AT,
        expires_at: Timestamp(AT.0 + DIRECTORY_VALID_MS),
        members: vec![
            member("agency-1", Role::Agency, Some("agency:A074"), 1, "127.0.0.1:4001"),
            member("center", Role::Center, Some("center"), 2, "[::1]:4000"),
            member("exchange-national", Role::Exchange, None, 4, "127.0.0.1:4010"),
            member("municipality-132152", Role::Municipality, Some("municipality:132152"), 3, ""),
        ],
        operators: vec![OperatorCardRow {
            card: CardId::parse("agency-1-0001").unwrap(),
            organ: Organ::parse("agency:A074").unwrap(),
            class: CardClass::InquiryOnly,
            public_key: [4; 65],
            affairs: vec![AffairId::parse("1-74-3").unwrap()],
            revoked: false,
            from: date("2013-04-01"),
            to: date("2014-03-31"),
        }],
        agreements: vec![Agreement {
            agency: AgencyCode::parse("A074").unwrap(),
            from: date("2013-04-01"),
            to: date("2014-03-31"),
        }],
        epoch: Epoch::Founding,
    }
}

pub(crate) fn signed_directory() -> SignedDirectory {
    SignedDirectory { body: directory().encode().unwrap(), signature: [0x0d; 64] }
}

pub(crate) fn connect() -> ConnectRequest {
    ConnectRequest {
        from: id("municipality-132152"),
        to: id("prefecture-13"),
        at: AT,
        nonce: [0x11; 16],
        signature: [0x22; 64],
    }
}

pub(crate) fn refusal(denial: Denial) -> Refusal {
    Refusal::new([0xd1; 32], &denial.public())
}

fn town(code: &str) -> LocalGovernmentCode {
    LocalGovernmentCode::parse(code).unwrap()
}

pub(crate) fn release() -> SignedRelease {
    let body = ReleaseBody {
        code: code(),
        from: town("132152"),
        to: town("221309"),
        left_on: date("2013-10-20"),
        released_at: AT,
    };
    SignedRelease { body: body.encode().unwrap(), signature: [0x51; 64], public_key: [4; 65] }
}

/// Every optional part of a notice.
pub(crate) fn moved_in() -> RelayedNotice {
    let mut notice = notice(ChangeReason::MovedIn);
    notice.foreign = true;
    notice.record.other_names = OtherNames {
        alternative: Some(Name::parse("国立\u{3000}マリア").unwrap()),
        former_surname: Some(FormerSurname::parse("小金井").unwrap()),
    };
    RelayedNotice { municipality: town("221309"), sequence: 71, notice, release: Some(release()) }
}

pub(crate) fn person() -> ProvidedPerson {
    let items = items();
    let change =
        LastChange { reason: ChangeReason::MovedWithin, on: date("2013-10-21"), foreign: false };
    ProvidedPerson::received(
        Some(code()),
        items.name,
        items.kana,
        items.address,
        items.sex,
        items.birth,
        Some(change),
    )
}

pub(crate) fn repair_body() -> RepairBody {
    let notice = notice(ChangeReason::MovedWithin);
    let change = LastChange { reason: notice.reason, on: notice.changed_on, foreign: false };
    RepairBody {
        municipality: notice.record.municipality,
        code: notice.record.code,
        key: [0x4b; 32],
        seen: Some(8),
        state: Some(Held { identity: notice.record, change: Some(change), removed: false }),
        reason: "altered".to_owned(),
        after: 71,
        repaired_at: AT,
    }
}

/// One of each kind; a kind left out fails `golden::every_message_has_a_golden`.
pub(crate) fn requests() -> Vec<Request> {
    let signed = |body: Vec<u8>| SignedQuery { body, signature: vec![0x51; 64] };
    vec![
        Request::Notices(NoticeBatch { first_sequence: 301, notices: vec![relayed()] }),
        Request::Inquiry(SignedInquiry {
            body: inquiry_body().encode(),
            signature: vec![0x51; 64],
        }),
        Request::Disclosures(DisclosureBatch { first_sequence: 9, rows: vec![disclosure_row()] }),
        Request::DirectoryPush(signed_directory().encode()),
        Request::DirectoryFetch,
        Request::Feed(FeedBatch {
            rows: vec![
                FeedRow {
                    row: 2,
                    sequence: Some(70),
                    notice: notice(ChangeReason::Born),
                    former_municipality: None,
                },
                FeedRow {
                    row: 3,
                    sequence: None,
                    notice: notice(ChangeReason::Died),
                    former_municipality: None,
                },
            ],
        }),
        Request::Heartbeat(Heartbeat {
            software: "jukinet 0.1.0".to_owned(),
            queued: 3,
            residents: 75_466,
            entries: 1_204,
        }),
        Request::StatusQuery(signed(query_body(Purpose::NetworkStatus).encode())),
        Request::ViewQuery(signed(query_body(resident_view_purpose()).encode())),
        Request::MoveClaim(MoveClaim {
            code: code(),
            name: items().name,
            birth: items().birth,
            from: town("132152"),
            to: town("221309"),
            moved_on: date("2013-10-21"),
        }),
        Request::PoolRequest(PoolRequest { request: [0x31; 16], count: 2_000 }),
        Request::TakeCode(TakeCode { request: [0x32; 16] }),
        Request::Compare(Compare {
            municipality: town("132152"),
            key: [0x4b; 32],
            ranges: vec![
                RangeDigest::whole(70_123, 0x0123_4567_89ab_cdef),
                RangeDigest { depth: 2, prefix: 0x5c00_0000_0000_0000, count: 274, digest: 9 },
            ],
        }),
        Request::Suspicion(Suspicion {
            municipality: town("132152"),
            key: [0x4b; 32],
            persons: vec![
                Suspect { place: 0x5c12, own: Some(7), other: Some(8) },
                Suspect { place: 0x5c13, own: None, other: Some(9) },
                Suspect { place: 0x5c14, own: Some(10), other: None },
            ],
        }),
        Request::Repair(SignedRepair {
            body: repair_body().encode().unwrap(),
            signature: [0x51; 64],
            public_key: [0x04; 65],
        }),
    ]
}

/// Those about codes and comparisons.
fn later_replies() -> Vec<Reply> {
    vec![
        Reply::Pool(Pool { request: [0x31; 16], codes: vec![code()] }),
        Reply::CodeTaken(CodeTaken { request: [0x32; 16], code: code() }),
        Reply::Compared(Compared {
            parts: vec![RangeDigest { depth: 1, prefix: 5 << 60, count: 4_383, digest: 3 }],
            persons: vec![RangePersons {
                depth: 3,
                prefix: 0x5c1 << 52,
                persons: vec![PersonDigest { place: 0x5c12 << 48, digest: 8 }],
            }],
        }),
        Reply::Suspected(vec![
            Standing { place: 0x5c12, digest: Some(8), code: None },
            Standing { place: 0x5c13, digest: Some(9), code: Some(code()) },
            Standing { place: 0x5c14, digest: None, code: None },
        ]),
        Reply::Repaired { applied: true },
    ]
}

/// One of each kind, as [`requests`].
pub(crate) fn replies() -> Vec<Reply> {
    let rejected = FeedVerdict::Rejected {
        column: "address".to_owned(),
        rule: "required".to_owned(),
        remedy: "住所を入力してください".to_owned(),
    };
    let outcome = |row, outcome| FeedOutcome { row, outcome };
    vec![
        Reply::NoticeAck {
            applied: 301,
            set_aside: vec![SetAside { sequence: 300, rule: "not-released".to_owned() }],
        },
        Reply::Answer(Answer {
            digest: inquiry_digest(&inquiry_body().encode()),
            ledger: "jukinet.example/center".to_owned(),
            index: 88,
            persons: vec![person()],
        }),
        Reply::Refusal(refusal(Denial::MoreThan50)),
        Reply::DisclosureAck { applied: 9 },
        Reply::DirectoryAck { serial: 12 },
        Reply::Directory(signed_directory().encode()),
        Reply::FeedResult(vec![
            outcome(2, FeedVerdict::Accepted { sequence: 70 }),
            outcome(3, FeedVerdict::Duplicate),
            outcome(4, rejected),
            outcome(5, FeedVerdict::Waiting),
        ]),
        Reply::HeartbeatAck,
        Reply::Status(NetworkStatus {
            nodes: vec![NodeStatus {
                id: id("municipality-132152"),
                role: Role::Municipality,
                exchange: Some(id("exchange-13")),
                last_seen_ms: Some(AT.0),
                queued: 3,
                residents: 75_466,
                entries: 1_204,
                state: MemberState::Active,
            }],
            at: AT,
        }),
        Reply::MoveReleased(release()),
        Reply::MoveRefused,
        Reply::View(ResidentView {
            code: code(),
            period_from: date("2008-10-21"),
            period_to: date("2013-10-21"),
            ledgers: vec![ViewLedger {
                origin: "jukinet.example/center".to_owned(),
                vkey: "jukinet.example/center+c41a5f4e+AQID".to_owned(),
                size: 128,
            }],
            rows: vec![ViewRow {
                entry: b"jukinet-entry/1\nkind provision\n".to_vec(),
                salt: [0x5a; 32],
                proof: "c2sp.org/tlog-proof@v1\nindex 4\n".to_owned(),
                ledger: "jukinet.example/center".to_owned(),
            }],
        }),
        Reply::Unavailable { reason: "draining for a restart".to_owned() },
    ]
}

pub(crate) fn frames() -> Vec<Frame> {
    let requests = requests().into_iter().map(FrameBody::Request);
    let replies = replies().into_iter().chain(later_replies()).map(FrameBody::Reply);
    requests.chain(replies).map(|body| Frame { id: 7, body }).collect()
}
