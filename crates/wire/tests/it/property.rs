//! Any valid value comes back as it went.

use crate::sample::{AT, disclosure_row, inquiry_body, query_body};
use law::affair::Channel;
use law::change::{ChangeNotice, ChangeReason};
use law::code::{LocalGovernmentCode, RecordCode};
use law::inquiry::{LastChange, ProvidedPerson};
use law::organ::Organ;
use law::people::{Address, BirthDate, FourItems, IdentityInformation, Kana, Name, Sex};
use law::query::QueryDraft;
use law::time::{Date, Timestamp};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use wire::connect::ConnectRequest;
use wire::*;

fn record_code() -> impl Strategy<Value = RecordCode> {
    (0..10_000_000_000_u64).prop_map(|number| RecordCode::from_ten_digits(number).unwrap())
}

fn municipality() -> impl Strategy<Value = LocalGovernmentCode> {
    prop::sample::select(vec!["132152", "132047", "202029", "202207", "011002"])
        .prop_map(|code| LocalGovernmentCode::parse(code).unwrap())
}

fn day() -> impl Strategy<Value = Date> {
    (1900..2100_u16, 1..=12_u8, 1..=28_u8)
        .prop_map(|(year, month, day)| Date::new(year, month, day).unwrap())
}

fn birth() -> impl Strategy<Value = BirthDate> {
    let whole = day().prop_map(|day| day.to_string());
    let partial = (1900..2010_u16).prop_map(|year| format!("{year}-00-00"));
    prop_oneof![whole, partial].prop_map(|text| BirthDate::parse(&text).unwrap())
}

fn items() -> impl Strategy<Value = FourItems> {
    // Kanji with variation selectors and characters outside the basic plane, as in real registers.
    let name = "[一-龠𠀋𩸽]{1,20}(\u{E0100})?(\u{3000}[ぁ-んァ-ヶ一-龠]{1,20})?";
    let kana = "[ァ-ヶ]{1,20}\u{3000}[ァ-ヶ]{1,20}";
    (name, kana, "[一-龠]{2,30}[0-9]{1,3}(-[0-9]{1,3}){0,2}", any::<bool>(), birth()).prop_map(
        |(name, kana, address, female, birth)| FourItems {
            name: Name::parse(&name).unwrap(),
            kana: Kana::parse(&kana).unwrap(),
            address: Address::parse(&address).unwrap(),
            sex: if female { Sex::Female } else { Sex::Male },
            birth,
        },
    )
}

fn notice() -> impl Strategy<Value = ChangeNotice> {
    let reason = prop::sample::select(ChangeReason::ALL.to_vec());
    (reason, day(), items(), record_code(), municipality(), option::of(record_code())).prop_map(
        |(reason, changed_on, items, code, municipality, previous_code)| ChangeNotice {
            reason,
            changed_on,
            record: IdentityInformation {
                code,
                items,
                municipality,
                other_names: law::people::OtherNames::default(),
            },
            previous_code,
            foreign: false,
        },
    )
}

fn relayed() -> impl Strategy<Value = RelayedNotice> {
    (municipality(), 1..u64::MAX, notice()).prop_map(|(municipality, sequence, notice)| {
        RelayedNotice { municipality, sequence, notice, release: None }
    })
}

fn feed_row() -> impl Strategy<Value = FeedRow> {
    (any::<u32>(), option::of(1..u64::MAX), notice()).prop_map(|(row, sequence, notice)| FeedRow {
        row,
        sequence,
        notice,
        former_municipality: None,
    })
}

fn person() -> impl Strategy<Value = ProvidedPerson> {
    let change = (prop::sample::select(ChangeReason::ALL.to_vec()), day())
        .prop_map(|(reason, on)| LastChange { reason, on, foreign: false });
    (option::of(record_code()), items(), option::of(change)).prop_map(|(code, items, change)| {
        let FourItems { name, kana, address, sex, birth } = items;
        ProvidedPerson::received(code, name, kana, address, sex, birth, change)
    })
}

fn node_id() -> impl Strategy<Value = NodeId> {
    "[a-z0-9-]{1,64}".prop_map(|text| NodeId::parse(&text).unwrap())
}

fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        (1..u64::MAX, vec(relayed(), 1..6)).prop_map(|(first_sequence, notices)| {
            Request::Notices(NoticeBatch { first_sequence, notices })
        }),
        vec(feed_row(), 1..6).prop_map(|rows| Request::Feed(FeedBatch { rows })),
        (vec(any::<u8>(), 1..300), vec(any::<u8>(), 1..64))
            .prop_map(|(body, signature)| Request::Inquiry(SignedInquiry { body, signature })),
        vec(any::<u8>(), 1..300).prop_map(Request::DirectoryPush),
        ("[ -~]{1,64}", any::<u64>(), any::<u64>(), any::<u64>()).prop_map(
            |(software, queued, residents, entries)| {
                Request::Heartbeat(Heartbeat { software, queued, residents, entries })
            }
        ),
    ]
}

fn reply() -> impl Strategy<Value = Reply> {
    prop_oneof![
        (any::<[u8; 32]>(), "[a-z./]{1,40}", any::<u64>(), vec(person(), 0..8)).prop_map(
            |(digest, ledger, index, persons)| {
                Reply::Answer(Answer { digest, ledger, index, persons })
            }
        ),
        (any::<[u8; 32]>(), "[a-z-]{1,64}", "\\PC{0,60}", "\\PC{0,60}", "[ -~]{0,512}").prop_map(
            |(digest, rule, law, hint, hint_en)| {
                Reply::Refusal(Refusal { digest, rule, law, hint, hint_en })
            }
        ),
        any::<u64>().prop_map(|applied| Reply::NoticeAck { applied, set_aside: Vec::new() }),
        "\\PC{0,64}".prop_map(|reason| Reply::Unavailable { reason }),
    ]
}

fn draft() -> impl Strategy<Value = QueryDraft> {
    let text = || option::of("\\PC{0,16}");
    (text(), text(), text(), text(), any::<bool>()).prop_map(
        |(code, name, address, birth, prefix)| QueryDraft { code, name, address, birth, prefix },
    )
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn frames_come_back(
        id in any::<u64>(),
        body in prop_oneof![
            request().prop_map(FrameBody::Request),
            reply().prop_map(FrameBody::Reply),
        ],
        cut in 1..500_usize,
    ) {
        let frame = Frame { id, body };
        let bytes = frame::encode(&frame).unwrap();
        let mut decoder = FrameDecoder::new();
        let mut got = None;
        for piece in bytes.chunks(cut) {
            prop_assert_eq!(&got, &None);
            decoder.push(piece);
            got = decoder.next().unwrap();
        }
        prop_assert_eq!(got, Some(frame));
        prop_assert_eq!(decoder.finish(), Ok(()));
    }

    #[test]
    fn bodies_come_back(
        request in any::<[u8; 16]>(),
        at in any::<u64>(),
        terminal in node_id(),
        municipality in municipality(),
        case_number in "\\PC{0,32}",
        batch in any::<bool>(),
        query in draft(),
    ) {
        let body = InquiryBody {
            request,
            asked_at: Timestamp(at),
            terminal: terminal.clone(),
            organ: Organ::Municipality(municipality),
            case_number,
            channel: if batch { Channel::Batch } else { Channel::Immediate },
            query,
            ..inquiry_body()
        };
        prop_assert_eq!(InquiryBody::decode(&body.encode()), Ok(body));
        let body = QueryBody { request, terminal, ..query_body(Purpose::NetworkStatus) };
        prop_assert_eq!(QueryBody::decode(&body.encode()), Ok(body));
    }

    #[test]
    fn queued_rows_come_back(
        relayed in relayed(),
        entry in vec(any::<u8>(), 1..4_096),
        salt in any::<[u8; 32]>(),
        subject in record_code(),
    ) {
        prop_assert_eq!(RelayedNotice::decode(&relayed.encode().unwrap()), Ok(relayed));
        let row = DisclosureRow { entry, salt, subject, ..disclosure_row() };
        prop_assert_eq!(DisclosureRow::decode(&row.encode().unwrap()), Ok(row));
    }

    #[test]
    fn connect_requests_come_back(from in node_id(), to in node_id(), nonce in any::<[u8; 16]>()) {
        let request = ConnectRequest { from, to, at: AT, nonce, signature: [3; 64] };
        let bytes = request.encode();
        prop_assert_eq!(ConnectRequest::decode(&bytes), Ok(Some((request, bytes.len()))));
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in vec(any::<u8>(), 0..400)) {
        let _ = frame::decode(&bytes);
        let _ = InquiryBody::decode(&bytes);
        let _ = QueryBody::decode(&bytes);
        let _ = Directory::decode(&bytes);
        let _ = SignedDirectory::decode(&bytes);
        let _ = RelayedNotice::decode(&bytes);
        let _ = DisclosureRow::decode(&bytes);
        let _ = ConnectRequest::decode(&bytes);
    }

    #[test]
    fn digests_keep_the_two_kinds_apart(bytes in vec(any::<u8>(), 0..64)) {
        prop_assert_ne!(inquiry_digest(&bytes), query_digest(&bytes));
    }
}
