//! T04 照会結果: what an opaque handle stands for, for as long as it may be on the screen.
//!
//! The address holds the handle and nothing else. After its time a result is rendered without its
//! values, with or without JavaScript, whoever comes back to the page.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use law::change::ChangeReason;
use law::inquiry::ProvidedPerson;
use law::people::Sex;

use crate::backend::{InquiryResult, PlaceKind, Refused};
use crate::clock;
use crate::disclosure::timeline_page;
use crate::fault::LoopbackFault;
use crate::network::thousands;
use crate::page::{Chrome, Desk, Key, Visitor, common_keys, fault_page, home, html, see_other};
use crate::sessions::{Held, Look};
use crate::shown::Shown;
use crate::texts::{Lang, fill};

struct PersonView<'a> {
    title: String,
    name: Shown<'a>,
    /// 通称 of a foreign resident.
    alternative_name: Option<Shown<'a>>,
    kana: Shown<'a>,
    address: Shown<'a>,
    sex: &'static str,
    birth: Shown<'a>,
    code: Option<(Shown<'a>, Shown<'a>)>,
    change: Option<String>,
}

#[derive(Template)]
#[template(path = "result.html")]
struct ResultPage<'a> {
    c: Chrome,
    headline: String,
    persons: Vec<PersonView<'a>>,
    receipt: ReceiptView<'a>,
    seconds: u64,
    left_ms: u64,
}

struct ReceiptView<'a> {
    ledger: &'a str,
    /// The node that answered: the last part of its ledger's origin.
    server: &'a str,
    index: String,
    affair: &'a str,
    case_number: &'a str,
}

#[derive(Template)]
#[template(path = "hidden.html")]
struct HiddenPage<'a> {
    c: Chrome,
    handle: &'a str,
    receipt: Option<ReceiptView<'a>>,
}

#[derive(Template)]
#[template(path = "refused.html")]
struct RefusedPage<'a> {
    c: Chrome,
    refused: &'a Refused,
    recorded: bool,
    back: &'static str,
}

/// `GET /q/{handle}`
pub(crate) async fn result(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Path(handle): Path<String>,
) -> Response {
    if let Err(response) = desk.operator(&visitor) {
        return *response;
    }
    let Some(look) = desk.sessions.look(&visitor.cookie, &handle, desk.now()) else {
        return fault_page(&desk, &visitor, LoopbackFault::PageUnknown);
    };
    let Look { held, left_ms } = look;
    match (held.as_ref(), left_ms) {
        (Held::Refused(refused), _) => refused_page(&desk, &visitor, refused),
        (Held::Answer { result, affair, case_number }, None) => {
            let receipt = Some(receipt(result, affair, case_number));
            hidden_page(&desk, &visitor, &handle, receipt)
        }
        (Held::Timeline { .. }, None) => hidden_page(&desk, &visitor, &handle, None),
        (Held::Timeline { timeline, code }, Some(left_ms)) => {
            timeline_page(&desk, &visitor, timeline, code, left_ms)
        }
        (Held::Answer { result, affair, case_number }, Some(left_ms)) => {
            let receipt = receipt(result, affair, case_number);
            answer_page(&desk, &visitor, result, receipt, left_ms)
        }
    }
}

/// `POST /q/{handle}/show`
pub(crate) async fn show_again(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Path(handle): Path<String>,
) -> Response {
    if let Err(response) = desk.operator(&visitor) {
        return *response;
    }
    desk.sessions.show_again(&visitor.cookie, &handle);
    // Only a known handle goes into an address.
    if desk.sessions.look(&visitor.cookie, &handle, desk.now()).is_none() {
        return fault_page(&desk, &visitor, LoopbackFault::PageUnknown);
    }
    see_other(&format!("/q/{handle}"))
}

fn receipt<'a>(
    result: &'a InquiryResult,
    affair: &'a str,
    case_number: &'a str,
) -> ReceiptView<'a> {
    ReceiptView {
        ledger: &result.receipt_ledger,
        server: result.receipt_ledger.rsplit('/').next().unwrap_or(&result.receipt_ledger),
        index: thousands(result.receipt_index),
        affair,
        case_number,
    }
}

fn keys(desk: &Desk, visitor: &Visitor, more: Vec<Key>) -> Vec<Key> {
    let t = visitor.lang.texts();
    let kind = desk.backend.place().kind;
    let mut keys = Vec::new();
    if kind == PlaceKind::Clerk {
        keys.push(Key::send("F2", t.clear, "jk-clear", "clear"));
    }
    keys.push(Key::go("F3", t.key_back, home(kind)));
    keys.extend(more);
    common_keys(t, keys)
}

fn answer_page(
    desk: &Desk,
    visitor: &Visitor,
    result: &InquiryResult,
    receipt: ReceiptView<'_>,
    left_ms: u64,
) -> Response {
    let t = visitor.lang.texts();
    let headline = match result.persons.len() {
        0 => t.result_none.to_owned(),
        1 => t.result_found_one.to_owned(),
        more => fill(t.result_found, more),
    };
    let persons = result
        .persons
        .iter()
        .enumerate()
        .map(|(at, person)| person_view(visitor.lang, at + 1, person))
        .collect();
    let page = ResultPage {
        c: Chrome::new(desk, visitor, keys(desk, visitor, Vec::new())),
        headline,
        persons,
        receipt,
        seconds: left_ms.div_ceil(1000),
        left_ms,
    };
    html(StatusCode::OK, &page)
}

fn person_view(lang: Lang, number: usize, person: &ProvidedPerson) -> PersonView<'_> {
    let t = lang.texts();
    PersonView {
        title: fill(t.person_count, number),
        name: Shown::name(&person.name),
        alternative_name: person.alternative_name.as_ref().map(Shown::name),
        kana: Shown::kana(&person.kana),
        address: Shown::address(&person.address),
        sex: match person.sex {
            Sex::Male => t.sex_male,
            Sex::Female => t.sex_female,
        },
        birth: Shown::birth(&person.birth, lang),
        code: person.code.as_ref().map(|code| (Shown::masked_code(code), Shown::code(code))),
        change: person.change.as_ref().map(|change| {
            format!("{} {}", clock::date(lang, &change.on), reason_text(lang, change.reason))
        }),
    }
}

/// 異動事由: all have their Japanese in `law`; English is this page's own.
const fn reason_text(lang: Lang, reason: ChangeReason) -> &'static str {
    let en = match reason {
        ChangeReason::MovedIn => "moved in",
        ChangeReason::Born => "birth",
        ChangeReason::EnteredExOfficio => "entered ex officio",
        ChangeReason::MovedOut => "moved out",
        ChangeReason::Died => "death",
        ChangeReason::DeletedExOfficio => "deleted ex officio",
        ChangeReason::MovedWithin => "moved within the municipality",
        ChangeReason::CorrectedExOfficio => "corrected ex officio",
        ChangeReason::CodeChangedOnRequest => "code changed on request",
        ChangeReason::CodeEnteredExOfficio => "code entered ex officio",
        ChangeReason::MinorCorrection => "minor correction",
        ChangeReason::MovedInFromAbroad => "moved in from abroad",
        ChangeReason::NaturalisationEntered => "entered after naturalisation",
        ChangeReason::NationalityLossEntered => "entered after loss of nationality",
        ChangeReason::MovedOutAbroad => "moved abroad",
        ChangeReason::NaturalisationDeleted => "deleted after naturalisation",
        ChangeReason::NationalityLossDeleted => "deleted after loss of nationality",
        ChangeReason::NumberChangedOnRequest => "individual number changed on request",
        ChangeReason::NumberCorrectedExOfficio => "individual number corrected ex officio",
        ChangeReason::NumberEnteredExOfficio => "individual number entered ex officio",
    };
    lang.pick(reason.japanese(), en)
}

fn hidden_page(
    desk: &Desk,
    visitor: &Visitor,
    handle: &str,
    receipt: Option<ReceiptView<'_>>,
) -> Response {
    let again = Key::send("F9", visitor.lang.texts().show_again, "jk-again", "show");
    let c = Chrome::new(desk, visitor, keys(desk, visitor, vec![again]));
    html(StatusCode::OK, &HiddenPage { c, handle, receipt })
}

fn refused_page(desk: &Desk, visitor: &Visitor, refused: &Refused) -> Response {
    // An edge that could not be reached has recorded nothing; every refusal by rule has been.
    let recorded = refused.rule != "unavailable";
    let c = Chrome::new(desk, visitor, keys(desk, visitor, Vec::new()));
    let back = home(c.place.kind);
    html(StatusCode::OK, &RefusedPage { c, refused, recorded, back })
}
