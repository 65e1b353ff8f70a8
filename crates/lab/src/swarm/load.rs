//! What the operators ask: lawful inquiries of every mode, and each kind of unlawful one, by the
//! seed.

use law::organ::Organ;
use law::people::IdentityInformation;
use law::query::QueryDraft;
use node::terminal::InquiryForm;

use super::check::{hyphenated, plain_name};
use super::country::{CENTER, CardKind, Country, MUNICIPALITIES, Place, on_card};
use super::nation::{Nation, municipality};
use crate::draw::Draw;

/// One inquiry as an operator makes it, and what is wrong with it.
#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) form: InquiryForm,
    pub(super) provider: Place,
    pub(super) card: CardKind,
    /// The card of this place is in the reader; usually the terminal's own.
    pub(super) card_of: Place,
    /// The terminal's clock is two minutes behind.
    pub(super) stale: bool,
    /// The card is in the reader since its last use.
    pub(super) left_in: bool,
    /// The card signed something else.
    pub(super) bad_signature: bool,
    pub(super) broken: Vec<&'static str>,
}

/// The ways to ask unlawfully, one rule each.
const FLAWS: [&str; 14] = [
    "operator-unknown",
    "card-revoked",
    "card-of-another-organ",
    "signature-invalid",
    "request-stale",
    "card-class",
    "affair-unknown",
    "affair-not-of-recipient",
    "affair-not-on-card",
    "case-number-missing",
    "query-shape",
    "query-shape",
    "prefix-too-short",
    "prefix-too-short",
];

/// An inquiry from the terminal of `place`; `agreed`: the second agency's agreement is in force.
pub(super) fn compose(
    country: &Country,
    nation: &Nation,
    place: Place,
    agreed: bool,
    draw: &mut Draw,
) -> Option<Script> {
    let site = country.sites.get(place)?;
    let flaw = if draw.permille(350) { draw.pick(&FLAWS).copied() } else { None };
    let (carried, other) = on_card(site);
    let affair = match flaw {
        Some("affair-unknown") => format!("{}-999-1", site.affairs.first()?.split('-').next()?),
        Some("affair-not-of-recipient") => draw.pick(&site.not_its_own)?.clone(),
        Some("affair-not-on-card") => draw.pick(other)?.clone(),
        _ => draw.pick(carried)?.clone(),
    };
    let provider = provider(place, &affair);
    let about = draw.pick(&nation.persons)?.record.clone();
    let query = match flaw {
        Some("query-shape") => misshapen(&about, draw),
        Some("prefix-too-short") => too_short(&about, draw),
        _ => lawful(nation, &about, draw),
    };
    let mut broken: Vec<&'static str> = flaw.into_iter().collect();
    let agency_two = matches!(site.organ, Organ::Agency(_)) && site.node.as_str() != "agency-1";
    if agency_two && !agreed {
        broken.push("agreement-missing");
    }
    Some(Script {
        form: InquiryForm {
            affair,
            case_number: match flaw {
                // Nothing, or nothing but spaces.
                Some("case-number-missing") => {
                    draw.pick(&["", " ", "\u{3000}\u{3000}"]).copied().unwrap_or("").to_owned()
                }
                _ => format!("令和8年第{}号", draw.below(1_000)),
            },
            query,
        },
        provider,
        card: match flaw {
            Some("operator-unknown") => CardKind::Unknown,
            Some("card-revoked") => CardKind::Revoked,
            Some("card-class") => CardKind::Observer,
            _ => CardKind::Good,
        },
        card_of: match flaw {
            Some("card-of-another-organ") => {
                if place == 1 {
                    2
                } else {
                    1
                }
            }
            _ => place,
        },
        stale: flaw == Some("request-stale"),
        left_in: false,
        bad_signature: flaw == Some("signature-invalid"),
        broken,
    })
}

/// Who answers, by the number of the table: 2 and 5 the prefecture, the others the center.
fn provider(place: Place, affair: &str) -> Place {
    match (affair.split('-').next(), place) {
        (Some("2" | "5"), 1 | 3 | 4) => 1,
        (Some("2" | "5"), _) => 2,
        _ => CENTER,
    }
}

/// What follows prefecture and municipality in an address.
fn rest_of(about: &IdentityInformation) -> (String, String) {
    let text = about.items.address.expose();
    let known = law::municipality::find(&about.municipality);
    let head = known.map(|m| format!("{}{}", m.prefecture_name, m.name)).unwrap_or_default();
    match text.strip_prefix(head.as_str()) {
        Some(rest) => (head, rest.to_owned()),
        None => (String::new(), text.to_owned()),
    }
}

fn begin(text: &str, count: usize) -> String {
    text.chars().take(count).collect()
}

fn lawful(nation: &Nation, about: &IdentityInformation, draw: &mut Draw) -> QueryDraft {
    let none = QueryDraft::default();
    let written = about.items.name.expose();
    let name = if draw.permille(500) { plain_name(written) } else { written.to_owned() };
    let address = about.items.address.expose();
    let whole = if draw.permille(400) { hyphenated(address) } else { address.to_owned() };
    let initial = begin(&name, 1);
    let birth = about.items.birth.expose();
    match draw.below(9) {
        0 => QueryDraft { code: Some(about.code.expose().to_owned()), ..none },
        1 => {
            // A former code finds nobody.
            let former = draw.pick(&nation.persons).and_then(|person| person.codes.first());
            QueryDraft { code: former.map(|code| code.expose().to_owned()), ..none }
        }
        2 | 3 => QueryDraft { name: Some(name), address: Some(whole), ..none },
        4 => QueryDraft { name: Some(name), birth: Some(birth), ..none },
        5 => QueryDraft { name: Some(initial), address: Some(whole), prefix: true, ..none },
        6 => {
            let (head, rest) = rest_of(about);
            let town = begin(&rest, 1 + usize::from(draw.permille(300)));
            let address = Some(format!("{head}{town}"));
            QueryDraft { name: Some(name), address, prefix: true, ..none }
        }
        7 if !birth.contains("-00") => {
            QueryDraft { name: Some(initial), birth: Some(birth), prefix: true, ..none }
        }
        _ => {
            // The dormitory, where there is one: more than fifty.
            let address = Some("東京都国立市谷保99番1号".to_owned());
            QueryDraft { name: Some("N".to_owned()), address, prefix: true, ..none }
        }
    }
}

fn misshapen(about: &IdentityInformation, draw: &mut Draw) -> QueryDraft {
    let none = QueryDraft::default();
    let name = Some(about.items.name.expose().to_owned());
    let code = Some(about.code.expose().to_owned());
    match draw.below(6) {
        5 => QueryDraft { code: Some(mistyped(about.code.expose())), ..none },
        0 => QueryDraft { name, ..none },
        1 => QueryDraft { code, name, ..none },
        2 => QueryDraft { code, prefix: true, ..none },
        3 => QueryDraft { birth: Some(about.items.birth.expose()), ..none },
        _ => none,
    }
}

/// A code with another check digit than its own.
fn mistyped(code: &str) -> String {
    let (digits, check) = code.split_at_checked(10).unwrap_or((code, ""));
    format!("{digits}{}", if check == "7" { '8' } else { '7' })
}

fn too_short(about: &IdentityInformation, draw: &mut Draw) -> QueryDraft {
    let none = QueryDraft { prefix: true, ..QueryDraft::default() };
    let name = Some(about.items.name.expose().to_owned());
    match draw.below(4) {
        0 => {
            let (head, _) = rest_of(about);
            QueryDraft { name, address: Some(head), ..none }
        }
        1 => QueryDraft { name, birth: Some("1960-00-00".to_owned()), ..none },
        2 => {
            let name = Some("％".to_owned());
            let address = Some(about.items.address.expose().to_owned());
            QueryDraft { name, address, ..none }
        }
        _ => QueryDraft { name, address: Some("東京都".to_owned()), ..none },
    }
}

/// A row that the communication server must reject: of another municipality, or an entry of
/// somebody who is there already.
pub(super) fn wrong_row(
    nation: &Nation,
    place: Place,
    draw: &mut Draw,
) -> Option<law::change::ChangeNotice> {
    let others: Vec<Place> = MUNICIPALITIES.into_iter().filter(|other| *other != place).collect();
    let deed = draw.pick(&nation.deeds)?;
    let mut notice = deed.notice.clone();
    notice.record.municipality = municipality(*draw.pick(&others)?)?;
    Some(notice)
}
