//! T03 本人確認情報照会: the form, its meter, and sending it.
//!
//! What is typed becomes a [`Draft`], held in the operator's session and nowhere else. Whether
//! it may be asked is `law`'s to say; a draft that `law` would refuse for its shape is not sent at
//! all.

use std::fmt;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use law::query::{Query, QueryDraft, QueryMode};

use crate::backend::{AffairChoice, InquiryForm, OperatorSession, Refused};
use crate::form::{self, Posted};
use crate::meter::{self, MeterView};
use crate::page::{Chrome, Desk, Key, Visitor, common_keys, html, see_other};
use crate::sessions::Held;
use crate::shown::Shown;

/// What was typed, as typed. Personal: `Debug` is silent.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) affair: String,
    pub(crate) case_number: String,
    pub(crate) mode: QueryMode,
    pub(crate) code: String,
    pub(crate) name: String,
    pub(crate) address: String,
    pub(crate) birth: String,
    pub(crate) prefix: bool,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            affair: String::new(),
            case_number: String::new(),
            mode: QueryMode::NameAddress,
            code: String::new(),
            name: String::new(),
            address: String::new(),
            birth: String::new(),
            prefix: false,
        }
    }
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Draft(…)")
    }
}

impl Draft {
    fn read(posted: &Posted) -> Self {
        let text = |name| posted.trimmed(name).to_owned();
        Self {
            affair: text("affair"),
            case_number: text("case_number"),
            mode: QueryMode::parse(posted.get("mode")).unwrap_or(QueryMode::NameAddress),
            code: form::digits(posted.get("code")),
            name: text("name"),
            address: text("address"),
            birth: text("birth"),
            prefix: posted.get("prefix") == "on",
        }
    }

    /// The draft of one way to ask: what stands in the fields of the others is not sent.
    pub(crate) fn query(&self, mode: QueryMode) -> QueryDraft {
        let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let name = filled(&self.name);
        match mode {
            QueryMode::Code => QueryDraft { code: filled(&self.code), ..QueryDraft::default() },
            QueryMode::NameAddress => QueryDraft {
                name,
                address: filled(&self.address),
                prefix: self.prefix,
                ..QueryDraft::default()
            },
            QueryMode::NameBirth => QueryDraft {
                name,
                birth: filled(&self.birth),
                prefix: self.prefix,
                ..QueryDraft::default()
            },
        }
    }

    /// A field by the key that `law::query::meter` uses.
    pub(crate) fn field(&self, key: &str) -> &str {
        match key {
            "code" => &self.code,
            "name" => &self.name,
            "address" => &self.address,
            "birth" => &self.birth,
            _ => "",
        }
    }

    /// Where the hand goes next: the first field that is empty.
    fn next_field(&self) -> &'static str {
        let of_mode: &[&'static str] = match self.mode {
            QueryMode::Code => &["code"],
            QueryMode::NameAddress => &["name", "address"],
            QueryMode::NameBirth => &["name", "birth"],
        };
        if self.affair.is_empty() {
            "affair"
        } else if self.case_number.is_empty() {
            "case_number"
        } else {
            let empty = of_mode.iter().copied().find(|key| self.field(key).is_empty());
            empty.or_else(|| of_mode.first().copied()).unwrap_or("name")
        }
    }
}

#[derive(Template)]
#[template(path = "inquiry.html")]
struct InquiryPage<'a> {
    c: Chrome,
    once: String,
    affairs: &'a [AffairChoice],
    draft: &'a Draft,
    focus: &'static str,
    modes: Vec<(&'static str, &'static str, bool)>,
    meter: MeterView,
    refused: Option<Refused>,
}

impl InquiryPage<'_> {
    /// A typed value, on its way back into its field.
    fn typed<'b>(&self, text: &'b str) -> Shown<'b> {
        Shown::typed(text)
    }
}

#[derive(Template)]
#[template(path = "part/meter.html")]
struct MeterPart {
    c: Chrome,
    meter: MeterView,
}

/// `GET /inquiry`
pub(crate) async fn form(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    let operator = match desk.operator(&visitor) {
        Ok(operator) => operator,
        Err(response) => return *response,
    };
    let mut draft = desk.sessions.draft(&visitor.cookie);
    // A card for one affair leaves nothing to choose.
    if let ([only], true) = (operator.affairs.as_slice(), draft.affair.is_empty()) {
        draft.affair.clone_from(&only.id);
    }
    let t = visitor.lang.texts();
    let keys = vec![
        Key::send("F2", t.clear, "jk-clear", "clear"),
        Key::send("F9", t.key_run, "jk-inquiry", "ask"),
    ];
    let modes = QueryMode::ALL
        .into_iter()
        .map(|mode| (mode.key(), meter::title(t, mode), mode == draft.mode))
        .collect();
    let page = InquiryPage {
        c: Chrome::new(&desk, &visitor, common_keys(t, keys)),
        once: desk.secret(),
        affairs: &operator.affairs,
        focus: draft.next_field(),
        modes,
        meter: meter::view(visitor.lang, &draft),
        refused: desk.sessions.take_notice(&visitor.cookie),
        draft: &draft,
    };
    html(StatusCode::OK, &page)
}

/// `POST /meter`: the meter of a draft, as a piece of HTML for the page's script.
pub(crate) async fn meter(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Extension(posted): Extension<Posted>,
) -> Response {
    if let Err(response) = desk.operator(&visitor) {
        return *response;
    }
    let draft = Draft::read(&posted);
    let meter = meter::view(visitor.lang, &draft);
    desk.sessions.set_draft(&visitor.cookie, draft);
    let c = Chrome::new(&desk, &visitor, Vec::new());
    html(StatusCode::OK, &MeterPart { c, meter })
}

/// `POST /inquiry/clear`
pub(crate) async fn clear(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    if let Err(response) = desk.operator(&visitor) {
        return *response;
    }
    // The next inquiry is a new case, but the clerk is still at the same work.
    let affair = desk.sessions.draft(&visitor.cookie).affair;
    desk.sessions.set_draft(&visitor.cookie, Draft { affair, ..Draft::default() });
    see_other("/inquiry")
}

/// `POST /inquiry`
pub(crate) async fn ask(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Extension(posted): Extension<Posted>,
) -> Response {
    let operator = match desk.operator(&visitor) {
        Ok(operator) => operator,
        Err(response) => return *response,
    };
    let draft = Draft::read(&posted);
    desk.sessions.set_draft(&visitor.cookie, draft.clone());
    if posted.get("do") != "ask" {
        return see_other("/inquiry");
    }
    // The second of two equal forms waits here and then finds the handle of the first.
    let _one_at_a_time = desk.asking.lock().await;
    let once = posted.get("once");
    if let Some(handle) = desk.sessions.by_once(&visitor.cookie, once) {
        return see_other(&format!("/q/{handle}"));
    }
    if let Err(refused) = may_send(&draft) {
        desk.sessions.set_notice(&visitor.cookie, refused);
        return see_other("/inquiry");
    }
    let form = InquiryForm {
        affair: draft.affair.clone(),
        case_number: draft.case_number.clone(),
        draft: draft.query(draft.mode),
    };
    let held = match desk.backend.inquire(form).await {
        Ok(result) => Held::Answer {
            result,
            affair: affair_text(&operator, &draft.affair),
            case_number: draft.case_number,
        },
        Err(refused) => Held::Refused(refused),
    };
    let handle = desk.secret();
    desk.sessions.keep(&visitor.cookie, once, handle.clone(), held);
    see_other(&format!("/q/{handle}"))
}

/// Asks `law` about the shape alone, so that a slip costs no recorded refusal; what it would refuse
/// comes back in the words it would use.
fn may_send(draft: &Draft) -> Result<(), Refused> {
    use law::denial::Denial;
    let denial = if draft.affair.is_empty() {
        Some(Denial::AffairUnknown)
    } else if draft.case_number.is_empty() {
        Some(Denial::CaseNumberMissing)
    } else {
        Query::parse(&draft.query(draft.mode)).err()
    };
    denial.map_or(Ok(()), |denial| Err(Refused::from(denial.public())))
}

fn affair_text(operator: &OperatorSession, id: &str) -> String {
    let found = operator.affairs.iter().find(|affair| affair.id == id);
    found.map_or_else(|| id.to_owned(), |affair| format!("{} {}", affair.id, affair.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_sends_only_its_own_fields() {
        let draft = Draft {
            code: "1".into(),
            name: "n".into(),
            address: "a".into(),
            birth: "b".into(),
            prefix: true,
            ..Draft::default()
        };
        let code = draft.query(QueryMode::Code);
        assert!(code.name.is_none() && !code.prefix);
        let birth = draft.query(QueryMode::NameBirth);
        assert!(birth.code.is_none() && birth.address.is_none() && birth.prefix);
    }

    #[test]
    fn the_hand_goes_to_the_first_empty_field() {
        let mut draft = Draft::default();
        assert_eq!(draft.next_field(), "affair");
        draft.affair = "1-74-3".into();
        assert_eq!(draft.next_field(), "case_number");
        draft.case_number = "1".into();
        assert_eq!(draft.next_field(), "name");
        draft.name = "n".into();
        assert_eq!(draft.next_field(), "address");
        draft.address = "a".into();
        assert_eq!(draft.next_field(), "name");
    }

    #[test]
    fn debug_is_silent() {
        let draft = Draft { name: "Hanako".into(), ..Draft::default() };
        assert_eq!(format!("{draft:?}"), "Draft(…)");
    }
}
