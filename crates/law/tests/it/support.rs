//! People and inquiries for the tests. All persons are invented.

use law::code::{LocalGovernmentCode, RecordCode};
use law::inquiry::{Agreement, Held, Inquiry};
use law::organ::{CardClass, CardId, OperatorStanding, Organ};
use law::people::{Address, BirthDate, FourItems, IdentityInformation, Kana, Name, Sex};
use law::query::QueryDraft;
use law::time::{Date, Timestamp};
use law::{Affair, AffairId, Channel, Epoch};

pub(crate) fn person(serial: u64, name: &str, address: &str, birth: &str) -> IdentityInformation {
    IdentityInformation {
        code: RecordCode::from_ten_digits(serial).unwrap(),
        items: FourItems {
            name: Name::parse(name).unwrap(),
            kana: Kana::parse("カナ").unwrap(),
            address: Address::parse(address).unwrap(),
            sex: Sex::Female,
            birth: BirthDate::parse(birth).unwrap(),
        },
        municipality: LocalGovernmentCode::parse("132152").unwrap(),
        other_names: law::people::OtherNames::default(),
    }
}

pub(crate) fn held(identity: IdentityInformation) -> Held {
    Held { identity, change: None, removed: false }
}

pub(crate) fn draft(
    name: &str,
    address: Option<&str>,
    birth: Option<&str>,
    prefix: bool,
) -> QueryDraft {
    QueryDraft {
        code: None,
        name: Some(name.to_owned()),
        address: address.map(str::to_owned),
        birth: birth.map(str::to_owned),
        prefix,
    }
}

pub(crate) fn by_code(code: &str) -> QueryDraft {
    QueryDraft { code: Some(code.to_owned()), ..QueryDraft::default() }
}

/// An inquiry that breaks no rule but, perhaps, that of the tables.
pub(crate) fn inquiry(asker: Organ, responder: Organ, affair: &str, epoch: Epoch) -> Inquiry {
    let now = Timestamp::parse_rfc3339("2026-11-22T03:00:00Z").unwrap();
    let (from, to) = (Date::new(2026, 1, 1).unwrap(), Date::new(2026, 12, 31).unwrap());
    let agreement = match asker {
        Organ::Agency(agency) => Some(Agreement { agency, from, to }),
        _ => None,
    };
    Inquiry {
        asker,
        responder,
        affair: affair.to_owned(),
        case_number: "8-1-204".to_owned(),
        channel: Channel::Immediate,
        epoch,
        operator: Some(OperatorStanding {
            card: CardId::parse("desk-1").unwrap(),
            organ: asker,
            class: CardClass::InquiryOnly,
            affairs: AffairId::parse(affair).ok().into_iter().collect(),
            revoked: false,
            signature_valid: true,
            from,
            to,
        }),
        agreement,
        query: by_code("12345678903"),
        asked_at: now,
        now,
        replayed: false,
        digest: [7; 32],
    }
}

pub(crate) fn organ(text: &str) -> Organ {
    Organ::parse(text).unwrap()
}

pub(crate) fn affairs_both() -> impl Iterator<Item = &'static Affair> {
    Epoch::ALL.into_iter().flat_map(|epoch| law::affair::affairs(epoch).iter())
}
