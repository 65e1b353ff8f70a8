//! T01 カード認証: the way in, the way out, and the card watcher.
//!
//! It does not know what a PIN is worth: card and terminal check each other in the backend.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::backend::Refused;
use crate::fault::LoopbackFault;
use crate::form::{self, Posted};
use crate::page::{Chrome, Desk, Key, Visitor, fault_page, home, html, see_other};

/// A PIN has at most 12 digits; a longer text is not sent to the card.
const PIN_BYTES_MAX: usize = 64;

/// Why a session ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// The operator ended it.
    Logout,
    /// The card left the reader.
    Card,
    /// Nobody did anything for a while.
    Idle,
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    c: Chrome,
    refused: Option<Refused>,
    /// Why the session before this one ended.
    ended: Option<&'static str>,
}

/// `GET /`: spends a start token, or shows where the operator should be.
pub(crate) async fn front(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
) -> Response {
    let query = request.uri().query().unwrap_or("");
    if let Some((_, token)) = form::query(query).find(|(name, _)| name == "t") {
        return spend(&desk, &visitor, &token);
    }
    let Some(visit) = &visitor.visit else {
        return fault_page(&desk, &visitor, LoopbackFault::SessionMissing);
    };
    if visit.operator.is_none() {
        return login_page(&desk, &visitor);
    }
    match desk.over(visit) {
        Some(end) => ended(&desk, end),
        None => see_other(home(desk.backend.place().kind)),
    }
}

fn spend(desk: &Desk, visitor: &Visitor, token: &str) -> Response {
    let id = desk.secret();
    if !desk.sessions.start(token, id.clone(), desk.secret()) {
        return fault_page(desk, visitor, LoopbackFault::SessionMissing);
    }
    // A start replaces whoever was there, so the card's session goes with it.
    desk.backend.logout();
    with_cookie(see_other("/"), visitor, &id)
}

fn login_page(desk: &Desk, visitor: &Visitor) -> Response {
    let t = visitor.lang.texts();
    let keys =
        vec![Key::go("F1", t.key_help, "/help"), Key::send("F9", t.login_run, "jk-login", "login")];
    let refused = desk.sessions.take_notice(&visitor.cookie);
    let ended = visitor.visit.as_ref().and_then(|visit| visit.after).map(|end| match end {
        End::Logout => t.ended_logout,
        End::Card => t.ended_card,
        End::Idle => t.ended_idle,
    });
    let c = Chrome::new(desk, visitor, keys);
    html(StatusCode::OK, &LoginPage { c, refused, ended })
}

/// `POST /login`
pub(crate) async fn login(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Extension(posted): Extension<Posted>,
) -> Response {
    let _one_at_a_time = desk.asking.lock().await;
    let pin = form::digits(posted.get("pin"));
    let pin = if pin.len() > PIN_BYTES_MAX { String::new() } else { pin };
    match desk.backend.login(pin).await {
        Ok(operator) => {
            let id = desk.secret();
            desk.sessions.enter(id.clone(), desk.secret(), operator, desk.now());
            with_cookie(see_other(home(desk.backend.place().kind)), &visitor, &id)
        }
        Err(refused) => {
            desk.sessions.set_notice(&visitor.cookie, refused);
            see_other("/")
        }
    }
}

/// `POST /logout`
pub(crate) async fn logout(State(desk): State<Arc<Desk>>) -> Response {
    ended(&desk, End::Logout)
}

/// `GET /card`: the watcher's question. 204 while the card is in and the session lives.
pub(crate) async fn card(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    let alive = visitor.visit.as_ref().is_some_and(|visit| desk.over(visit).is_none());
    if alive && desk.backend.card_present() {
        StatusCode::NO_CONTENT.into_response()
    } else {
        StatusCode::GONE.into_response()
    }
}

/// Ends everything. The browser is told to forget, its cookie included, and goes on with a fresh
/// one-time token to the sign-in, which says why. The token is spent within the same redirect.
pub(crate) fn ended(desk: &Desk, end: End) -> Response {
    desk.sessions.end();
    desk.backend.logout();
    let token = desk.secret();
    let mut response = see_other(&format!("/?t={token}"));
    desk.sessions.mint(token, Some(end));
    response
        .headers_mut()
        .insert(HeaderName::from_static("clear-site-data"), HeaderValue::from_static("\"*\""));
    response
}

fn with_cookie(mut response: Response, visitor: &Visitor, id: &str) -> Response {
    // No `Secure`: this is plain HTTP on loopback. No `Max-Age`: it goes with the browser.
    let cookie = format!("{}={id}; Path=/; HttpOnly; SameSite=Strict", visitor.cookie_name);
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}
