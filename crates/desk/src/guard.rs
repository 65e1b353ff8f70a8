//! The loopback rules: what a request must be before a page sees it, and what every response says.
//!
//! Loopback is per machine, not per user, and browsers let any site send requests to it. So: exact
//! `Host` (DNS rebinding), own `Origin` and `Sec-Fetch-Site: same-origin` on unsafe methods, a
//! session cookie that is `HttpOnly; SameSite=Strict`, a form token, and no query in the address
//! but the few that carry nothing about anyone. Residual risk: another user of the same machine can
//! reach the port; a terminal needs a single-user kiosk account. Cookies do not know ports, so
//! another listener on this host would be sent ours: it is worth nothing without the form token.

use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::fault::LoopbackFault;
use crate::form::{self, FORM_BODY_BYTES_MAX, Posted};
use crate::page::{Desk, Visitor, fault_page, see_other};
use crate::sessions::Visit;
use crate::texts::Lang;

/// Nothing may load from anywhere but this desk, and a string can never become script.
pub(crate) const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; \
     style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

const LANG_COOKIE: &str = "jk_lang";
const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// What stands at the door.
pub(crate) async fn guard(State(desk): State<Arc<Desk>>, request: Request, next: Next) -> Response {
    let mut response = match admit(&desk, request).await {
        Ok(Admitted::Page(request)) => next.run(*request).await,
        Ok(Admitted::Elsewhere(response)) => response,
        Err(refusal) => *refusal,
    };
    seal(response.headers_mut());
    response
}

enum Admitted {
    Page(Box<Request>),
    Elsewhere(Response),
}

async fn admit(desk: &Desk, request: Request) -> Result<Admitted, Box<Response>> {
    // A foreign name learns nothing about this desk, not even its language.
    let Some(host) = own_host(&desk.settings.host_allowed, &request) else {
        let fault = LoopbackFault::HostForeign;
        return Err(Box::new((fault.status(), fault.refused().rule).into_response()));
    };
    let (mut parts, body) = request.into_parts();
    let visitor = visitor(desk, &parts.headers, parts.uri.path(), &host);
    let refuse = |fault| Err(Box::new(fault_page(desk, &visitor, fault)));

    let unsafe_method = parts.method == Method::POST;
    if !unsafe_method && parts.method != Method::GET && parts.method != Method::HEAD {
        return refuse(LoopbackFault::MethodUnknown);
    }
    if let Err(fault) = check_site(&parts.headers, unsafe_method, &host) {
        return refuse(fault);
    }
    match check_query(parts.uri.path(), parts.uri.query().unwrap_or("")) {
        Err(fault) => return refuse(fault),
        Ok(Some(lang)) => return Ok(Admitted::Elsewhere(choose(lang, &visitor.path))),
        Ok(None) => {}
    }
    if unsafe_method {
        let refuse =
            |fault| Err(Box::new(posted_fault_page(desk, &visitor, &parts.headers, fault)));
        let posted = match read_form(&parts.headers, body).await {
            Ok(posted) => posted,
            Err(fault) => return refuse(fault),
        };
        if let Err(fault) = check_token(visitor.visit.as_ref(), &posted) {
            return refuse(fault);
        }
        parts.extensions.insert(posted);
        parts.extensions.insert(visitor);
        return Ok(Admitted::Page(Box::new(Request::from_parts(parts, Body::empty()))));
    }
    parts.extensions.insert(visitor);
    Ok(Admitted::Page(Box::new(Request::from_parts(parts, body))))
}

/// A page that answers a POST is kept by the browser together with the body of that POST, in its
/// session file; found by the profile test. So what a person sent from a page, with a name in it,
/// is never answered by a page, not even by a refusal: 303, and the refusal has its own address.
fn posted_fault_page(
    desk: &Desk,
    visitor: &Visitor,
    headers: &HeaderMap,
    fault: LoopbackFault,
) -> Response {
    if headers.get("sec-fetch-mode").is_some_and(|mode| mode.as_bytes() == b"navigate") {
        see_other(&format!("/refused/{}", fault.refused().rule))
    } else {
        fault_page(desk, visitor, fault)
    }
}

/// `GET /refused/{rule}`
pub(crate) async fn refused(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Path(rule): Path<String>,
) -> Response {
    let fault = LoopbackFault::ALL.into_iter().find(|fault| fault.refused().rule == rule);
    fault_page(&desk, &visitor, fault.unwrap_or(LoopbackFault::PageUnknown))
}

/// Whole-string comparison: "127.attacker.example" has fooled a prefix check before (CWE-346).
fn own_host(allowed: &[String], request: &Request) -> Option<String> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return None;
    };
    let host = host.to_str().ok()?;
    let agrees = request.uri().authority().is_none_or(|authority| authority.as_str() == host);
    allowed.iter().find(|own| agrees && *own == host).cloned()
}

fn visitor(desk: &Desk, headers: &HeaderMap, path: &str, host: &str) -> Visitor {
    let cookies = headers.get(header::COOKIE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let port = host.rsplit_once(':').map_or("", |(_, port)| port);
    let cookie_name = format!("jk_session_{port}");
    let cookie = form::cookie(cookies, &cookie_name).unwrap_or("").to_owned();
    let chosen = form::cookie(cookies, LANG_COOKIE).and_then(Lang::parse);
    Visitor {
        lang: chosen.unwrap_or_else(|| desk.backend.place().lang),
        path: own_path(path).to_owned(),
        visit: desk.sessions.visit(&cookie, desk.now()),
        cookie,
        cookie_name,
    }
}

/// A path that goes back into a page or a redirect. A browser reads `//host` and `/\host` as
/// another host (CWE-601), so such a path leads to the front page.
fn own_path(path: &str) -> &str {
    if path.starts_with("//") || path.contains('\\') { "/" } else { path }
}

fn check_site(headers: &HeaderMap, unsafe_method: bool, host: &str) -> Result<(), LoopbackFault> {
    let site = headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes);
    if !unsafe_method {
        // "none" is the kiosk launch or the address bar. "same-site" is another port of this host.
        return match site {
            None | Some(b"same-origin" | b"none") => Ok(()),
            Some(_) => Err(LoopbackFault::SiteForeign),
        };
    }
    if site != Some(b"same-origin") {
        return Err(LoopbackFault::SiteForeign);
    }
    let own = format!("http://{host}");
    let mut origins = headers.get_all(header::ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (Some(origin), None) if origin.as_bytes() == own.as_bytes() => Ok(()),
        _ => Err(LoopbackFault::OriginForeign),
    }
}

/// The only queries there are: the start token on the front page, the language, and whether the map
/// refreshes. Everything else is a form, so that no address ever holds identity data (C1).
fn check_query(path: &str, query: &str) -> Result<Option<Lang>, LoopbackFault> {
    let mut chosen = None;
    for (name, value) in form::query(query) {
        match (path, name.as_ref(), value.as_ref()) {
            ("/", "t", _) | ("/network", "auto", "on" | "off") => {}
            (_, "lang", lang) => {
                chosen = Some(Lang::parse(lang).ok_or(LoopbackFault::QueryUnknown)?);
            }
            _ => return Err(LoopbackFault::QueryUnknown),
        }
    }
    Ok(chosen)
}

/// Remembers the language and goes on without it in the address.
fn choose(lang: Lang, path: &str) -> Response {
    let mut response = see_other(path);
    let cookie = format!("{LANG_COOKIE}={}; Path=/; HttpOnly; SameSite=Strict", lang.code());
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}

async fn read_form(headers: &HeaderMap, body: Body) -> Result<Posted, LoopbackFault> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let essence = kind.split(';').next().unwrap_or("").trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(LoopbackFault::FormMalformed);
    }
    let bytes =
        to_bytes(body, FORM_BODY_BYTES_MAX).await.map_err(|_| LoopbackFault::FormMalformed)?;
    Posted::parse(&bytes)
}

fn check_token(visit: Option<&Visit>, posted: &Posted) -> Result<(), LoopbackFault> {
    use subtle::ConstantTimeEq;
    let visit = visit.ok_or(LoopbackFault::SessionMissing)?;
    let token = posted.get("csrf").as_bytes();
    if bool::from(visit.csrf.as_bytes().ct_eq(token)) && !token.is_empty() {
        Ok(())
    } else {
        Err(LoopbackFault::TokenWrong)
    }
}

/// The headers of every response, refusals and pictures included.
fn seal(headers: &mut HeaderMap) {
    const FIXED: [(&str, &str); 8] = [
        ("content-security-policy", CONTENT_SECURITY_POLICY),
        ("cache-control", "no-store"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("permissions-policy", "camera=(), geolocation=(), microphone=(), usb=(), serial=()"),
    ];
    for (name, value) in FIXED {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
}

/// A page that is not there.
pub(crate) async fn nowhere(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    fault_page(&desk, &visitor, LoopbackFault::PageUnknown)
}
