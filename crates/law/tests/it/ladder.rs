//! The ladder: one inquiry that breaks every rule, mended one rule at a time. Each step must show
//! the next refusal in the order of precedence, and the last step a permit, a release, or more than
//! 50.

use law::inquiry::{ASKED_AT_SKEW_MS_MAX, Agreement, Inquiry};
use law::organ::{CardClass, CardId, OperatorStanding};
use law::time::{Date, Timestamp};
use law::{Affair, AffairId, AgencyCode, Channel, Denial, Epoch, authorize};

use crate::support::{by_code, draft, held, inquiry, organ, person};

type Mend = fn(&mut Inquiry);

fn operator(inquiry: &mut Inquiry) -> &mut OperatorStanding {
    inquiry.operator.as_mut().unwrap()
}

/// What is shown, and the repair that lets the next rule be seen.
const LADDER: &[(Denial, Mend)] = &[
    (Denial::OperatorUnknown, |i| {
        let past = Date::new(2020, 1, 1).unwrap();
        i.operator = Some(OperatorStanding {
            card: CardId::parse("desk-1").unwrap(),
            organ: organ("center"),
            class: CardClass::SystemAdministration,
            affairs: vec![],
            revoked: true,
            signature_valid: false,
            from: past,
            to: past,
        });
    }),
    (Denial::CardRevoked, |i| operator(i).revoked = false),
    (Denial::CardExpired, |i| operator(i).to = Date::new(2026, 11, 22).unwrap()),
    (Denial::CardOfAnotherOrgan, |i| operator(i).organ = i.asker),
    (Denial::SignatureInvalid, |i| operator(i).signature_valid = true),
    (Denial::RequestStale, |i| i.asked_at = Timestamp(i.now.0 - ASKED_AT_SKEW_MS_MAX)),
    (Denial::RequestReplayed, |i| i.replayed = false),
    (Denial::CardClass, |i| operator(i).class = CardClass::RegisterBusiness),
    (Denial::AffairUnknown, |i| i.affair = "3-1-1".to_owned()),
    // The epoch moves with the repair: the row exists only from the day of its text on.
    (Denial::AffairNotOfRecipient, |i| {
        i.affair = "1-74-1".to_owned();
        i.asker = organ("agency:A074");
        i.epoch = Epoch::Today;
    }),
    (Denial::AffairNotInForce, |i| i.epoch = Epoch::Founding),
    (Denial::AgreementMissing, |i| {
        let (from, to) = (Date::new(2020, 1, 1).unwrap(), Date::new(2027, 1, 1).unwrap());
        i.agreement = Some(Agreement { agency: AgencyCode::parse("A074").unwrap(), from, to });
    }),
    (Denial::AffairNotOnCard, |i| {
        operator(i).affairs = vec![AffairId::parse("1-74-1").unwrap()];
    }),
    (Denial::CaseNumberMissing, |i| i.case_number = "8-1-204".to_owned()),
    (Denial::QueryShape, |i| i.query = draft("住", Some("東京都国立市"), None, true)),
    (Denial::PrefixTooShort, |i| i.query = draft("住", None, Some("1985-04-01"), true)),
];

fn broken() -> Inquiry {
    let mut inquiry = inquiry(organ("agency:A074"), organ("center"), "9-9-9", Epoch::Founding);
    inquiry.operator = None;
    inquiry.agreement = None;
    inquiry.case_number = "\u{3000}".to_owned();
    inquiry.query = by_code("12345678904");
    inquiry.asked_at = Timestamp(inquiry.now.0 - ASKED_AT_SKEW_MS_MAX - 1);
    inquiry.replayed = true;
    inquiry
}

#[test]
fn each_rung_shows_the_next_rule() {
    let mut inquiry = broken();
    // A day before the text of 2026 was in force, so that one rung can show a row not yet in force.
    inquiry.now = Timestamp::parse_rfc3339("2026-06-13T03:00:00Z").unwrap();
    inquiry.asked_at = Timestamp(inquiry.now.0 - ASKED_AT_SKEW_MS_MAX - 1);
    let mut shown = Vec::new();
    for (denial, mend) in LADDER {
        assert_eq!(authorize(inquiry.clone()).err(), Some(*denial));
        shown.push(*denial);
        mend(&mut inquiry);
    }
    let permit = authorize(inquiry.clone()).unwrap();
    assert_eq!(permit.affair().id.to_string(), "1-74-1");
    let crowd = |n| (0..n).map(|i| held(person(i, "住基 花子", "東京都国立市東1", "1985-04-01")));
    assert_eq!(permit.release(crowd(51).collect()).err(), Some(Denial::MoreThan50));
    shown.push(Denial::MoreThan50);
    let release = authorize(inquiry).unwrap().release(crowd(50).collect()).unwrap();
    assert_eq!(release.persons().len(), 50);
    // The ladder has a rung for every rule of law, in the order of rank.
    let all: Vec<_> = Denial::ALL.into_iter().filter(|d| *d != Denial::Unavailable).collect();
    assert_eq!(shown, all);
}

#[test]
fn the_edges_of_terms_and_clocks_are_inside() {
    let base = || inquiry(organ("agency:A074"), organ("center"), "1-74-1", Epoch::Founding);
    let refused = |change: &dyn Fn(&mut Inquiry)| {
        let mut inquiry = base();
        change(&mut inquiry);
        authorize(inquiry).err()
    };
    let day = |text| Date::parse(text).unwrap();
    assert_eq!(refused(&|_| ()), None);
    assert_eq!(refused(&|i| operator(i).from = day("2026-11-22")), None);
    assert_eq!(refused(&|i| operator(i).from = day("2026-11-23")), Some(Denial::CardExpired));
    assert_eq!(refused(&|i| operator(i).to = day("2026-11-21")), Some(Denial::CardExpired));
    assert_eq!(refused(&|i| i.asked_at.0 += ASKED_AT_SKEW_MS_MAX), None);
    assert_eq!(refused(&|i| i.asked_at.0 += ASKED_AT_SKEW_MS_MAX + 1), Some(Denial::RequestStale));
    let missing = Some(Denial::AgreementMissing);
    assert_eq!(refused(&|i| i.agreement.as_mut().unwrap().to = day("2026-11-21")), missing);
    assert_eq!(refused(&|i| i.agreement.as_mut().unwrap().from = day("2026-11-23")), missing);
    let other = AgencyCode::parse("A041").unwrap();
    assert_eq!(refused(&|i| i.agreement.as_mut().unwrap().agency = other), missing);
    for (case, answer) in [
        ("", Some(Denial::CaseNumberMissing)),
        ("   ", Some(Denial::CaseNumberMissing)),
        ("8-1\n204", Some(Denial::CaseNumberMissing)),
        ("a\u{200B}b", Some(Denial::CaseNumberMissing)),
        (&"八".repeat(40), None),
        (&"八".repeat(41), Some(Denial::CaseNumberMissing)),
    ] {
        assert_eq!(refused(&|i| case.clone_into(&mut i.case_number)), answer, "{case:?}");
    }
}

#[test]
fn the_command_line_question_agrees_with_the_inquiry() {
    let agency = AgencyCode::parse("A074").unwrap();
    let day = Date::parse("2026-11-22").unwrap();
    let may = |affair, on, epoch| law::may(&agency, affair, Channel::Batch, on, epoch);
    assert!(may("1-74-1", day, Epoch::Founding).is_ok());
    assert_eq!(may("1-41-1", day, Epoch::Founding).err(), Some(Denial::AffairNotOfRecipient));
    assert_eq!(may("2-1-1", day, Epoch::Founding).err(), Some(Denial::AffairNotOfRecipient));
    assert_eq!(may("1-74", day, Epoch::Founding).err(), Some(Denial::AffairUnknown));
    let early = Date::parse("2026-06-13").unwrap();
    assert_eq!(may("1-74-1", early, Epoch::Today).err(), Some(Denial::AffairNotInForce));
    let found: &Affair = may("1-74-1", day, Epoch::Today).unwrap();
    assert_eq!(found.epoch, Epoch::Today);
}
