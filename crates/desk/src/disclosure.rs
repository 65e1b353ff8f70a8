//! R24 開示タイムライン: who got what about the resident at the desk, with the outcome of each proof.
//!
//! It shows one resident's entries and nobody else's: the backend hands over only those. "Verified"
//! is the result of a computation done for this page, never a stored claim.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use law::code::RecordCode;

use crate::backend::{LookKind, Refused, Timeline, TimelineRow};
use crate::clock;
use crate::form::{self, Posted};
use crate::network::thousands;
use crate::page::{Chrome, Desk, Key, Visitor, common_keys, html, see_other};
use crate::sessions::Held;
use crate::shown::Shown;
use crate::texts::{Lang, Texts, fill};

/// The ways to identify a resident that this desk offers; the key goes into the record.
const IDENTIFIED_BY: [&str; 4] = ["card", "license", "passport", "two-documents"];

#[derive(Template)]
#[template(path = "disclosure.html")]
struct DisclosurePage {
    c: Chrome,
    once: String,
    ways: Vec<(&'static str, &'static str)>,
    refused: Option<Refused>,
}

/// One entry as the page tells it.
struct Line {
    day: String,
    new_day: bool,
    time: String,
    kind: &'static str,
    kind_text: &'static str,
    sentence: String,
    asker: String,
    affair: String,
    law: String,
    case: String,
    ledger: String,
    index: String,
    root: String,
    number: String,
    fault: Option<String>,
}

struct LedgerLine {
    origin: String,
    size: String,
    root: String,
}

#[derive(Template)]
#[template(path = "timeline.html")]
struct TimelinePage<'a> {
    c: Chrome,
    code: Shown<'a>,
    from: String,
    to: String,
    headline: String,
    bad: usize,
    lines: Vec<Line>,
    ledgers: Vec<LedgerLine>,
    left_ms: u64,
}

/// `GET /disclosure`
pub(crate) async fn form(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    if let Err(response) = desk.operator(&visitor) {
        return *response;
    }
    let t = visitor.lang.texts();
    let keys = vec![Key::send("F9", t.disclosure_run, "jk-disclosure", "open")];
    let texts = [t.id_card, t.id_license, t.id_passport, t.id_two];
    let page = DisclosurePage {
        c: Chrome::new(&desk, &visitor, common_keys(t, keys)),
        once: desk.secret(),
        ways: IDENTIFIED_BY.into_iter().zip(texts).collect(),
        refused: desk.sessions.take_notice(&visitor.cookie),
    };
    html(StatusCode::OK, &page)
}

/// `POST /disclosure`
pub(crate) async fn open(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Extension(posted): Extension<Posted>,
) -> Response {
    if let Err(response) = desk.operator(&visitor) {
        return *response;
    }
    let _one_at_a_time = desk.asking.lock().await;
    let once = posted.get("once");
    if let Some(handle) = desk.sessions.by_once(&visitor.cookie, once) {
        return see_other(&format!("/q/{handle}"));
    }
    let code = form::digits(posted.get("code"));
    let way = posted.get("identified_by");
    let known = IDENTIFIED_BY.contains(&way);
    if !known || RecordCode::parse(&code).is_err() {
        desk.sessions.set_notice(&visitor.cookie, incomplete());
        return see_other("/disclosure");
    }
    let held = match desk.backend.timeline(code.clone(), way.to_owned()).await {
        Ok(timeline) => Held::Timeline { timeline, code },
        Err(refused) => Held::Refused(refused),
    };
    let handle = desk.secret();
    desk.sessions.keep(&visitor.cookie, once, handle.clone(), held);
    see_other(&format!("/q/{handle}"))
}

/// A shape the page can see for itself; whether the resident may be told is not decided here.
fn incomplete() -> Refused {
    Refused {
        rule: "disclosure-incomplete".to_owned(),
        law: "法30条の37（開示の請求）".to_owned(),
        hint: "本人確認の方法を選び、住民票コード11けたを確かめて入力してください。".to_owned(),
        hint_en: "Choose how the resident was identified and check the 11 digits of the code."
            .to_owned(),
        left: None,
    }
}

/// The page for a held timeline.
pub(crate) fn timeline_page(
    desk: &Desk,
    visitor: &Visitor,
    timeline: &Timeline,
    code: &str,
    left_ms: u64,
) -> Response {
    let t = visitor.lang.texts();
    let keys = common_keys(t, vec![Key::go("F3", t.key_back, "/disclosure")]);
    let lang = visitor.lang;
    let headline = match timeline.rows.len() {
        0 => t.timeline_none.to_owned(),
        1 => t.timeline_count_one.to_owned(),
        more => fill(t.timeline_count, more),
    };
    let page = TimelinePage {
        c: Chrome::new(desk, visitor, keys),
        code: Shown::masked_text(code),
        from: clock::date(lang, &timeline.period_from.date_in_japan()),
        to: clock::moment(lang, timeline.period_to),
        headline,
        bad: timeline.rows.iter().filter(|row| row.verified.is_err()).count(),
        lines: lines(lang, timeline),
        ledgers: timeline
            .ledgers
            .iter()
            .map(|ledger| LedgerLine {
                origin: ledger.origin.clone(),
                size: thousands(ledger.size),
                root: ledger.root.clone(),
            })
            .collect(),
        left_ms,
    };
    html(StatusCode::OK, &page)
}

/// Newest first, as people look for "what was that last week".
fn lines(lang: Lang, timeline: &Timeline) -> Vec<Line> {
    let mut rows: Vec<&TimelineRow> = timeline.rows.iter().collect();
    rows.sort_by_key(|row| std::cmp::Reverse((row.at, row.index)));
    let mut before = String::new();
    rows.into_iter()
        .map(|row| {
            let mut line = line(lang, timeline, row);
            line.new_day = line.day != before;
            before.clone_from(&line.day);
            line
        })
        .collect()
}

fn line(lang: Lang, timeline: &Timeline, row: &TimelineRow) -> Line {
    let t = lang.texts();
    let root = timeline.ledgers.iter().find(|ledger| ledger.origin == row.ledger);
    let short = row.ledger.rsplit('/').next().unwrap_or(&row.ledger);
    Line {
        day: clock::date(lang, &row.at.date_in_japan()),
        new_day: false,
        time: clock::hour_minute(row.at),
        kind: kind_class(row.kind),
        kind_text: kind_text(t, row.kind),
        sentence: lang.pick(&row.sentence_ja, &row.sentence_en).to_owned(),
        asker: row.asker.clone(),
        affair: row.affair_text.clone(),
        law: row.law.clone(),
        case: row.case.clone(),
        ledger: row.ledger.clone(),
        index: thousands(row.index),
        root: root.map(|ledger| ledger.root.clone()).unwrap_or_default(),
        number: format!("{short} #{}", row.index),
        fault: row.verified.as_ref().err().cloned(),
    }
}

const fn kind_class(kind: LookKind) -> &'static str {
    match kind {
        LookKind::Provision => "provision",
        LookKind::Refusal => "refusal",
        LookKind::Notice => "notice",
        LookKind::View => "view",
        LookKind::Other => "other",
    }
}

const fn kind_text(t: &Texts, kind: LookKind) -> &'static str {
    match kind {
        LookKind::Provision => t.looks_provision,
        LookKind::Refusal => t.looks_refusal,
        LookKind::Notice => t.looks_notice,
        LookKind::View => t.looks_view,
        LookKind::Other => t.looks_other,
    }
}
