//! The frame around every page: the desk's state, the visitor, the header and the key legend.
//!
//! Not a page itself. Pages are askama templates; no HTML is written in Rust.

use std::fmt::{self, Display};
use std::sync::Arc;

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use law::organ::CardClass;
use law::time::Timestamp;

use crate::backend::{Backend, LinkState, OperatorSession, PlaceInfo, PlaceKind, Refused};
use crate::fault::LoopbackFault;
use crate::sessions::{Sessions, Visit};
use crate::texts::{Lang, Texts, fill};
use crate::{clock, login};

/// Handed-in time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;
/// Handed-in entropy: fills the whole slice.
pub type SharedDice = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// What the terminal process hands in.
#[derive(Clone)]
pub struct DeskSettings {
    /// Exact `Host` values, port included: "127.0.0.1:8443". Anything else is turned away.
    pub host_allowed: Vec<String>,
    /// The one-time token of the first start address, `http://HOST/?t=TOKEN`.
    pub start_token: String,
    /// The clock of the adapters.
    pub clock: Clock,
    /// The dice of the adapters; session ids, form tokens and handles come from it.
    pub dice: SharedDice,
}

impl fmt::Debug for DeskSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeskSettings")
            .field("host_allowed", &self.host_allowed)
            .finish_non_exhaustive()
    }
}

/// 128 bits: as hard to guess as a key.
const SECRET_BYTES: usize = 16;

/// Everything the handlers share.
pub(crate) struct Desk {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) settings: DeskSettings,
    pub(crate) sessions: Sessions,
    /// One question at a time: a form sent twice finds the first answer instead of asking again.
    pub(crate) asking: tokio::sync::Mutex<()>,
}

impl Desk {
    pub(crate) fn new(backend: Arc<dyn Backend>, settings: DeskSettings) -> Self {
        let sessions = Sessions::new(settings.start_token.clone());
        Self { backend, settings, sessions, asking: tokio::sync::Mutex::new(()) }
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.settings.clock)()
    }

    /// A fresh opaque name.
    pub(crate) fn secret(&self) -> String {
        let mut bytes = [0; SECRET_BYTES];
        (self.settings.dice)(&mut bytes);
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The operator behind a request, or the page that says why there is none. The card is asked
    /// for every time, so that without JavaScript, too, a card that has gone ends the session.
    pub(crate) fn operator(
        &self,
        visitor: &Visitor,
    ) -> Result<Arc<OperatorSession>, Box<Response>> {
        let Some(visit) = &visitor.visit else {
            return Err(Box::new(fault_page(self, visitor, LoopbackFault::SessionMissing)));
        };
        let Some(operator) = &visit.operator else {
            return Err(Box::new(see_other("/")));
        };
        if let Some(end) = self.over(visit) {
            return Err(Box::new(login::ended(self, end)));
        }
        self.sessions.touch(&visitor.cookie, self.now());
        Ok(Arc::clone(operator))
    }

    /// Why a signed-in session is over, if it is.
    pub(crate) fn over(&self, visit: &Visit) -> Option<login::End> {
        visit.operator.as_ref()?;
        if !self.backend.card_present() {
            Some(login::End::Card)
        } else if visit.idle {
            Some(login::End::Idle)
        } else {
            None
        }
    }
}

/// Who sent a request, as far as the guard found out.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    pub(crate) lang: Lang,
    pub(crate) path: String,
    /// The session id of the cookie, empty if there is none.
    pub(crate) cookie: String,
    /// Port-qualified: cookies do not know ports, and a demo runs several desks on one host.
    pub(crate) cookie_name: String,
    pub(crate) visit: Option<Visit>,
}

/// One key of the legend at the bottom.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) key: &'static str,
    pub(crate) label: &'static str,
    pub(crate) does: Does,
}

/// What a key does, as a real control that works without JavaScript.
#[derive(Clone, Debug)]
pub(crate) enum Does {
    /// Follows a link.
    Go(String),
    /// Submits a form of the page with `do` = the value.
    Send { form: &'static str, value: &'static str },
}

impl Key {
    pub(crate) fn go(key: &'static str, label: &'static str, href: &str) -> Self {
        Self { key, label, does: Does::Go(href.to_owned()) }
    }

    pub(crate) const fn send(
        key: &'static str,
        label: &'static str,
        form: &'static str,
        value: &'static str,
    ) -> Self {
        Self { key, label, does: Does::Send { form, value } }
    }
}

/// The frame of one page.
pub(crate) struct Chrome {
    pub(crate) lang: Lang,
    pub(crate) t: &'static Texts,
    pub(crate) place: PlaceInfo,
    pub(crate) operator: Option<Arc<OperatorSession>>,
    pub(crate) card_present: bool,
    pub(crate) now: Timestamp,
    pub(crate) csrf: String,
    pub(crate) path: String,
    pub(crate) keys: Vec<Key>,
}

impl Chrome {
    pub(crate) fn new(desk: &Desk, visitor: &Visitor, keys: Vec<Key>) -> Self {
        let visit = visitor.visit.as_ref();
        Self {
            lang: visitor.lang,
            t: visitor.lang.texts(),
            place: desk.backend.place(),
            operator: visit.and_then(|visit| visit.operator.clone()),
            card_present: desk.backend.card_present(),
            now: desk.now(),
            csrf: visit.map(|visit| visit.csrf.clone()).unwrap_or_default(),
            path: visitor.path.clone(),
            keys,
        }
    }

    pub(crate) fn fill(&self, text: &str, value: impl Display) -> String {
        fill(text, value)
    }

    pub(crate) fn today(&self) -> String {
        clock::date(self.lang, &self.now.date_in_japan())
    }

    pub(crate) fn time(&self) -> String {
        clock::hour_minute(self.now)
    }

    pub(crate) fn ago(&self, link: &LinkState) -> String {
        clock::ago(self.t, Some(link.at.0), self.now)
    }

    pub(crate) fn link_label<'a>(&self, link: &'a LinkState) -> &'a str {
        self.lang.pick(&link.label.0, &link.label.1)
    }

    pub(crate) const fn place_text(&self) -> &'static str {
        match self.place.kind {
            PlaceKind::Clerk => self.t.place_clerk,
            PlaceKind::Disclosure => self.t.place_disclosure,
            PlaceKind::NetworkRoom => self.t.place_network,
        }
    }

    pub(crate) fn class_text(&self) -> &'static str {
        self.operator.as_ref().map_or("", |operator| class_text(self.lang, operator.class))
    }

    pub(crate) const fn other_lang(&self) -> &'static str {
        self.lang.other().code()
    }

    pub(crate) fn hint<'a>(&self, refused: &'a Refused) -> &'a str {
        self.lang.pick(&refused.hint, &refused.hint_en)
    }
}

const fn class_text(lang: Lang, class: CardClass) -> &'static str {
    match class {
        CardClass::SystemAdministration => lang.pick("システム管理", "system administration"),
        CardClass::RegisterBusiness => lang.pick("住基業務", "register business"),
        CardClass::CardIssuing => lang.pick("カード発行", "card issuing"),
        CardClass::InquiryOnly => lang.pick("照会のみ", "inquiry only"),
        CardClass::Disclosure => lang.pick("開示", "disclosure"),
        CardClass::Observer => lang.pick("監視", "observer"),
    }
}

/// The page a kind of place starts with.
pub(crate) const fn home(kind: PlaceKind) -> &'static str {
    match kind {
        PlaceKind::Clerk => "/inquiry",
        PlaceKind::Disclosure => "/disclosure",
        PlaceKind::NetworkRoom => "/network",
    }
}

/// The keys every signed-in page has at the end of its legend.
pub(crate) fn common_keys(t: &Texts, mut first: Vec<Key>) -> Vec<Key> {
    first.insert(0, Key::go("F1", t.key_help, "/help"));
    first.push(Key::send("F12", t.key_end, "jk-logout", "end"));
    first
}

/// Renders a template. A template cannot fail on our data; if it does, nothing of it is shown.
pub(crate) fn html(status: StatusCode, template: &impl Template) -> Response {
    let Ok(text) = template.render() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    (status, [(header::CONTENT_TYPE, kind)], text).into_response()
}

/// POST → 303 → GET, so that reloading a page never sends a form again.
pub(crate) fn see_other(path: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    if let Ok(value) = HeaderValue::from_str(path) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    response
}

#[derive(Template)]
#[template(path = "fault.html")]
struct FaultPage {
    c: Chrome,
    refused: Refused,
}

/// The page for a broken loopback rule.
pub(crate) fn fault_page(desk: &Desk, visitor: &Visitor, fault: LoopbackFault) -> Response {
    let c = Chrome::new(desk, visitor, Vec::new());
    html(fault.status(), &FaultPage { c, refused: fault.refused() })
}
