//! V2 once more, from the bytes that the operator card signed: who asks whom, with which card, for
//! which affair, in which case, what. Read by hand, judged by the plain tables of `country`, the
//! signature verified here. Nothing of `law`, `node`, `token` or `wire` decides.

use std::collections::BTreeSet;

use law::query::QueryDraft;
use law::time::Timestamp;
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use p256::ecdsa::{Signature, VerifyingKey};

use super::super::country::{CENTER, CardKind, Country, PLACES, Place, names_affair, on_card};
use super::super::keys::card_key;
use super::Reach;
use super::bytes::{Value, bytes, fields, number, text};
use super::plain::beyond_municipality;
use super::talk::{Speaker, Way, above, role};

/// S1 and the project's rule: a request counts around the moment it was made.
const FRESH_MS: u64 = 60_000;

/// The asker's own number: one line in the resident's list.
const CASE_CHARS_MAX: usize = 40;

/// What precedes what when several rules are broken: who asks, freshness, by what right, what.
pub(super) const PRECEDENCE: [&str; 15] = [
    "operator-unknown",
    "card-revoked",
    "card-of-another-organ",
    "signature-invalid",
    "request-stale",
    "request-replayed",
    "card-class",
    "affair-unknown",
    "affair-not-of-recipient",
    "agreement-missing",
    "affair-not-on-card",
    "case-number-missing",
    "query-shape",
    "prefix-too-short",
    "more-than-50",
];

/// An inquiry as it was signed.
#[derive(Clone, Debug)]
pub(super) struct Signed<'m> {
    pub(super) request: [u8; 16],
    pub(super) asked_at: u64,
    pub(super) terminal: &'m str,
    pub(super) organ: &'m str,
    pub(super) card: &'m str,
    pub(super) affair: &'m str,
    case: &'m str,
    pub(super) responder: &'m str,
    pub(super) draft: QueryDraft,
}

/// The body's fields; `None` when it is no inquiry.
pub(super) fn read(body: &[u8]) -> Option<Signed<'_>> {
    let of = fields(body)?;
    let query = fields(bytes(&of, 10)?)?;
    let key = |at| text(&query, at).map(str::to_owned);
    Some(Signed {
        request: bytes(&of, 1)?.try_into().ok()?,
        asked_at: number(&of, 2),
        terminal: text(&of, 3)?,
        organ: text(&of, 4)?,
        card: text(&of, 5)?,
        affair: text(&of, 6).unwrap_or(""),
        case: text(&of, 7).unwrap_or(""),
        responder: text(&of, 9)?,
        draft: QueryDraft {
            code: key(1),
            name: key(2),
            address: key(3),
            birth: key(4),
            prefix: query.contains(&(5, Value::Number(1))),
        },
    })
}

/// Under which circumstances an inquiry came to whoever answers it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hearing<'a> {
    pub(super) country: &'a Country,
    pub(super) way: Way,
    /// By the clock of the one who answers.
    pub(super) now: Timestamp,
    /// Whether the second agency has its agreement.
    pub(super) agreed: bool,
    /// This request was heard there before.
    pub(super) replayed: bool,
}

/// Every rule that this inquiry breaks; `None` when the plain tables do not say (an organ that a
/// row of the table names by a list kept elsewhere).
pub(super) fn broken(
    signed: &Signed<'_>,
    hearing: &Hearing<'_>,
    is_signed: impl FnOnce() -> bool,
) -> Option<BTreeSet<&'static str>> {
    let Hearing { country, way, now, agreed, replayed } = *hearing;
    let mut found = BTreeSet::new();
    let site = country.sites.get(way.from)?;
    let organ = PLACES.get(way.from)?.1;
    let (carried, rest) = on_card(site);
    let mut breaks = |rule, when: bool| {
        if when {
            found.insert(rule);
        }
    };
    match card_of(signed.card) {
        None => breaks("operator-unknown", true),
        Some((of, kind)) => {
            breaks("card-revoked", kind == CardKind::Revoked);
            breaks("card-of-another-organ", of != way.from);
            breaks("card-class", !matches!(kind, CardKind::Good | CardKind::Revoked));
            let on_it = country.sites.get(of).map_or(&[][..], |site| on_card(site).0);
            breaks("affair-not-on-card", !on_it.iter().any(|on| on == signed.affair));
        }
    }
    let terminal = format!("terminal-{}", site.node);
    let its_own = way.speaker != Speaker::Terminal || signed.terminal == terminal;
    let named = signed.organ == organ && Some(signed.responder) == PLACES.get(way.to).map(|p| p.1);
    breaks("signature-invalid", !named || !its_own || !is_signed());
    breaks("request-stale", is_stale(signed.asked_at, now));
    breaks("request-replayed", replayed);
    let table = table_of(way.from, way.to, signed.affair);
    let own = carried.iter().chain(rest).any(|affair| affair == signed.affair);
    let others = site.not_its_own.iter().any(|affair| affair == signed.affair);
    let known = names_affair(signed.affair);
    breaks("affair-unknown", !known);
    breaks("affair-not-of-recipient", known && (!table || (!own && others)));
    let unsure = known && table && !own && !others;
    let second = role(way.from) == "agency" && site.node.as_str() != "agency-1";
    breaks("agreement-missing", second && !agreed);
    let length = signed.case.chars().count();
    let blank = signed.case.chars().all(char::is_whitespace);
    let case = !blank && length <= CASE_CHARS_MAX && !signed.case.chars().any(char::is_control);
    breaks("case-number-missing", !case);
    match shape(&signed.draft)? {
        Ok(()) => {}
        Err(rule) => breaks(rule, true),
    }
    // Whoever is turned away before the tables are opened is turned away for that.
    let rank = |rule| PRECEDENCE.into_iter().position(|of| of == rule);
    let before = first(&found).map(rank) < Some(rank("affair-not-of-recipient"));
    (!unsure || (before && !found.is_empty())).then_some(found)
}

/// Whether a request is of another time than the clock's, whatever that clock said before (H07).
pub(super) fn is_stale(asked_at: u64, now: Timestamp) -> bool {
    asked_at.abs_diff(now.0) > FRESH_MS
}

/// Whether a request of this time may have been forgotten by a node whose clock once said `latest`:
/// then it is refused, fresh or not.
pub(super) fn may_be_forgotten(asked_at: u64, latest: Timestamp) -> bool {
    asked_at.saturating_add(2 * FRESH_MS) < latest.0
}

/// The rule that answers, of those broken.
pub(super) fn first(broken: &BTreeSet<&'static str>) -> Option<&'static str> {
    PRECEDENCE.into_iter().find(|rule| broken.contains(rule))
}

fn card_of(name: &str) -> Option<(Place, CardKind)> {
    let known = CardKind::ALL.into_iter().filter(|kind| *kind != CardKind::Unknown);
    let mut all = known.flat_map(|kind| (0..PLACES.len()).map(move |place| (place, kind)));
    all.find(|(place, kind)| kind.name(*place) == name)
}

/// Whether this organ may ask this one under this table: 1 agencies at the center, 2 a municipality
/// at its prefecture, 3 a prefecture and 4 a municipality at the center, 5 a prefecture itself.
fn table_of(from: Place, to: Place, affair: &str) -> bool {
    let table = affair.split('-').next().unwrap_or("");
    match (role(from), table) {
        ("agency", "1") | ("prefecture", "3") | ("municipality", "4") => to == CENTER,
        ("municipality", "2") => to == above(from),
        ("prefecture", "5") => to == from,
        _ => false,
    }
}

/// Whose residents a table reaches: 2 and 5 those of the asker's prefecture, 3 and 4 all others.
pub(super) fn reach(from: Place, affair: &str) -> Option<Reach> {
    let area = if matches!(from, 1 | 3 | 4) { "13" } else { "20" };
    match affair.split('-').next() {
        Some("2" | "5") => Some(Reach::Of(area)),
        Some("3" | "4") => Some(Reach::NotOf(area)),
        _ => None,
    }
}

/// S1: 照会条件の限定. `None`: a way of writing that this plain reading does not know.
fn shape(draft: &QueryDraft) -> Option<Result<(), &'static str>> {
    let prefix = draft.prefix;
    let begins = |text: &str| text.trim().starts_with(char::is_alphanumeric);
    let name = |name: &str| match name.trim() {
        "" => Err("query-shape"),
        _ if prefix && !begins(name) => Err("prefix-too-short"),
        name if !name.contains(char::is_alphanumeric) => Err("query-shape"),
        _ => Ok(()),
    };
    Some(match (&draft.code, &draft.name, &draft.address, &draft.birth) {
        (Some(code), None, None, None) if !prefix => match super::codes::is_code(code.trim()) {
            true => Ok(()),
            false => Err("query-shape"),
        },
        (None, Some(who), Some(address), None) => name(who).and_then(|()| {
            let beyond = begins(beyond_municipality(address.trim()));
            let short = if prefix { "prefix-too-short" } else { "query-shape" };
            if beyond { Ok(()) } else { Err(short) }
        }),
        (None, Some(who), None, Some(birth)) => {
            let parts: Vec<&str> = birth.trim().split('-').collect();
            let digits = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit());
            if parts.len() != 3 || birth.trim().len() != 10 || !parts.iter().all(digits) {
                return None;
            }
            let whole = !parts.contains(&"00");
            match name(who) {
                Ok(()) if prefix && !whole => Err("prefix-too-short"),
                other => other,
            }
        }
        _ => Err("query-shape"),
    })
}

/// Whether this card signed this digest.
pub(super) fn signed_by(card: &str, digest: &[u8; 32], signature: &[u8]) -> bool {
    let key = card_key(card).and_then(|key| VerifyingKey::from_sec1_bytes(&key.public()).ok());
    let signature = Signature::from_slice(signature).ok();
    key.zip(signature).is_some_and(|(key, sig)| key.verify_prehash(digest, &sig).is_ok())
}

#[cfg(test)]
mod tests {
    use super::super::super::country::country;
    use super::super::answers::digest_of;
    use super::*;
    use law::affair::Channel;
    use law::organ::{CardId, Organ};
    use wire::InquiryBody;

    const NOW: Timestamp = Timestamp(1_795_305_600_000);

    fn lawful() -> InquiryBody {
        let site = &country().unwrap().sites[7];
        InquiryBody {
            request: [7; 16],
            asked_at: NOW,
            terminal: wire::NodeId::parse("terminal-agency-1").unwrap(),
            organ: site.organ,
            card: CardId::parse("CARD-7-good").unwrap(),
            affair: site.affairs[0].clone(),
            case_number: "令和8年第1号".to_owned(),
            channel: Channel::Immediate,
            responder: Organ::Center,
            query: QueryDraft { code: Some("12345678903".to_owned()), ..QueryDraft::default() },
        }
    }

    fn judged(body: &InquiryBody, change: impl FnOnce(&mut Hearing<'_>)) -> Vec<&'static str> {
        let country = country().unwrap();
        let bytes = body.encode();
        let digest = digest_of(&bytes);
        let key = card_key(body.card.as_str()).unwrap();
        let signature = key.sign_digest(&digest).unwrap();
        let way = Way { from: 7, speaker: Speaker::Node, to: CENTER };
        let mut hearing = Hearing { country, way, now: NOW, agreed: true, replayed: false };
        change(&mut hearing);
        let signed = read(&bytes).unwrap();
        let verify = || signed_by(signed.card, &digest, &signature);
        broken(&signed, &hearing, verify).unwrap().into_iter().collect()
    }

    #[test]
    fn a_lawful_inquiry_breaks_nothing_and_each_condition_is_missed() {
        assert_eq!(judged(&lawful(), |_| ()), Vec::<&str>::new());
        let broken = |change: fn(&mut InquiryBody)| {
            let mut body = lawful();
            change(&mut body);
            judged(&body, |_| ())
        };
        let card = |name: &str| CardId::parse(name).unwrap();
        assert_eq!(
            broken(|b| b.card = CardId::parse("CARD-7-unknown").unwrap()),
            ["operator-unknown"]
        );
        assert!(
            broken(|b| b.card = CardId::parse("CARD-7-revoked").unwrap()).contains(&"card-revoked")
        );
        let mut other = lawful();
        other.card = card("CARD-8-good");
        assert!(judged(&other, |_| ()).contains(&"card-of-another-organ"));
        assert!(
            broken(|b| b.card = CardId::parse("CARD-7-observer").unwrap()).contains(&"card-class")
        );
        assert_eq!(
            broken(|b| b.responder = Organ::parse("prefecture:13").unwrap()),
            ["signature-invalid"]
        );
        assert_eq!(
            broken(|b| b.organ = Organ::parse("agency:A024").unwrap()),
            ["signature-invalid"]
        );
        assert_eq!(broken(|b| b.asked_at = Timestamp(NOW.0 - 60_001)), ["request-stale"]);
        assert!(broken(|b| b.affair = "1-999-1".to_owned()).contains(&"affair-unknown"));
        assert_eq!(broken(|b| b.case_number = " ".to_owned()), ["case-number-missing"]);
        assert_eq!(broken(|b| b.case_number = "1".repeat(41)), ["case-number-missing"]);
        assert_eq!(broken(|b| b.query.prefix = true), ["query-shape"]);
        assert_eq!(broken(|b| b.query.code = Some("12345678904".to_owned())), ["query-shape"]);
    }

    #[test]
    fn circumstances_count() {
        assert_eq!(judged(&lawful(), |h| h.replayed = true), ["request-replayed"]);
        assert_eq!(judged(&lawful(), |h| h.now = Timestamp(NOW.0 + 60_001)), ["request-stale"]);
        assert!(judged(&lawful(), |h| h.way.from = 8).contains(&"card-of-another-organ"));
        let mut second = lawful();
        let site = &country().unwrap().sites[8];
        second.card = CardId::parse("CARD-8-good").unwrap();
        (second.organ, second.affair) = (site.organ, site.affairs[0].clone());
        assert_eq!(judged(&second, |h| h.way.from = 8), Vec::<&str>::new());
        let none = judged(&second, |h| (h.way.from, h.agreed) = (8, false));
        assert_eq!(none, ["agreement-missing"]);
    }

    #[test]
    fn a_prefix_has_its_minimum() {
        let asks = |name: &str, address: &str, birth: &str, prefix| {
            let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let (name, address, birth) = (some(name), some(address), some(birth));
            shape(&QueryDraft { code: None, name, address, birth, prefix }).unwrap()
        };
        assert_eq!(asks("山", "東京都国立市谷", "", true), Ok(()));
        assert_eq!(asks("山", "東京都国立市", "", true), Err("prefix-too-short"));
        assert_eq!(asks("山田", "東京都", "", false), Err("query-shape"));
        assert_eq!(asks("％", "東京都国立市谷保", "", true), Err("prefix-too-short"));
        assert_eq!(asks("山", "", "1960-00-00", true), Err("prefix-too-short"));
        assert_eq!(asks("山田", "", "1960-00-00", false), Ok(()));
        assert_eq!(asks("山田", "", "", false), Err("query-shape"));
    }

    #[test]
    fn a_signature_of_another_card_or_over_other_bytes_is_none() {
        let (key, digest) = (card_key("CARD-7-good").unwrap(), [3; 32]);
        let signature = key.sign_digest(&digest).unwrap();
        assert!(signed_by("CARD-7-good", &digest, &signature));
        assert!(!signed_by("CARD-8-good", &digest, &signature));
        assert!(!signed_by("CARD-7-good", &[4; 32], &signature));
        assert!(!signed_by("CARD-7-good", &digest, &signature[1..]));
    }
}
