//! Every loopback rule, broken one at a time.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use desk::PlaceKind::{Clerk, Disclosure, NetworkRoom};

use crate::browser::{Browser, HOST, Page, TOKEN, encode};
use crate::fake::PIN;

fn rule(page: &Page) -> &str {
    let rest = page.text.split_once("<code>").map_or(page.text.as_str(), |(_, rest)| rest);
    rest.split('<').next().unwrap_or("")
}

#[tokio::test]
async fn a_foreign_host_is_turned_away_without_a_word_about_this_desk() {
    let mut browser = Browser::new(Clerk);
    for host in [
        "attacker.example",
        "127.0.0.1",
        "127.0.0.1:8802",
        "127.0.0.1:8801.attacker.example",
        "localhost:8801",
        "",
    ] {
        let request = Request::get(format!("/?t={TOKEN}")).header("host", host);
        let page = browser.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(page.status, StatusCode::MISDIRECTED_REQUEST, "{host}");
        assert_eq!(page.text, "desk-host-foreign");
    }
    let none = browser.send(Request::get("/").body(Body::empty()).unwrap()).await;
    assert_eq!(none.status, StatusCode::MISDIRECTED_REQUEST);
    let twice = Request::get("/").header("host", HOST).header("host", HOST);
    let twice = browser.send(twice.body(Body::empty()).unwrap()).await;
    assert_eq!(twice.status, StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn every_answer_carries_the_headers() {
    let mut browser = Browser::entered(Clerk).await;
    let mut pages = Vec::new();
    for path in [
        "/inquiry",
        "/help",
        "/nowhere",
        "/assets/desk.css",
        "/assets/desk.js",
        "/assets/none",
        "/card",
        "/",
    ] {
        pages.push((path, browser.get(path).await));
    }
    let foreign = Request::get("/").header("host", "x").body(Body::empty()).unwrap();
    pages.push(("foreign", browser.send(foreign).await));
    for (path, page) in pages {
        let policy = page.header("content-security-policy");
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            "font-src 'self'",
            "connect-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.split("; ").any(|known| known == part), "{path}: {part} in {policy}");
        }
        assert_eq!(page.header("cache-control"), "no-store", "{path}");
        assert_eq!(page.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(page.header("cross-origin-opener-policy"), "same-origin", "{path}");
        assert_eq!(page.header("cross-origin-resource-policy"), "same-origin", "{path}");
        assert_eq!(page.header("x-content-type-options"), "nosniff", "{path}");
    }
}

#[tokio::test]
async fn the_start_token_works_once_and_does_not_stay_in_the_address() {
    let mut browser = Browser::started(Clerk).await;
    assert!(!browser.cookies.values().any(|value| value == TOKEN));
    let again = browser.get(&format!("/?t={TOKEN}")).await;
    assert_eq!((again.status, rule(&again)), (StatusCode::FORBIDDEN, "desk-session"));
    let mut other = Browser::new(Clerk);
    let wrong = other.get("/?t=guess").await;
    assert_eq!((wrong.status, rule(&wrong)), (StatusCode::FORBIDDEN, "desk-session"));
    let bare = other.get("/").await;
    assert_eq!((bare.status, rule(&bare)), (StatusCode::FORBIDDEN, "desk-session"));
}

#[tokio::test]
async fn a_form_needs_token_origin_and_fetch_site() {
    let mut browser = Browser::started(Clerk).await;
    let page = browser.get("/").await;
    let fields = [("csrf", page.hidden("csrf")), ("pin", PIN.to_owned())];
    let body = encode(&fields.each_ref().map(|(name, value)| (*name, value.as_str())));
    let own = format!("http://{HOST}");
    let kind = "application/x-www-form-urlencoded";
    type Case<'a> = (&'a str, Option<&'a str>, Option<&'a str>, &'a str, &'a str);
    let cases: [Case<'_>; 9] = [
        ("desk-site-foreign", Some(&own), Some("cross-site"), kind, &body),
        ("desk-site-foreign", Some(&own), Some("same-site"), kind, &body),
        ("desk-site-foreign", Some(&own), Some("none"), kind, &body),
        ("desk-site-foreign", Some(&own), None, kind, &body),
        ("desk-origin-foreign", Some("http://127.0.0.1:9999"), Some("same-origin"), kind, &body),
        ("desk-origin-foreign", Some("null"), Some("same-origin"), kind, &body),
        ("desk-origin-foreign", None, Some("same-origin"), kind, &body),
        ("desk-form", Some(&own), Some("same-origin"), "text/plain", &body),
        ("desk-form-token", Some(&own), Some("same-origin"), kind, "pin=2468&csrf="),
    ];
    for (expected, origin, site, kind, body) in cases {
        let mut request = browser.request("POST", "/login").header("content-type", kind);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        if let Some(site) = site {
            request = request.header("sec-fetch-site", site);
        }
        let page = browser.send(request.body(Body::from(body.to_owned())).unwrap()).await;
        assert_eq!(rule(&page), expected, "{origin:?} {site:?}");
    }
    let none = browser.posted("/login", &[("pin", PIN)]);
    assert_eq!(rule(&browser.send(none).await), "desk-form-token");
    let good = browser.post("/login", &page, &[("pin", PIN)]).await;
    assert_eq!(good.location(), "/inquiry");
}

#[tokio::test]
async fn a_form_without_a_session_is_refused_even_with_a_token() {
    let mut browser = Browser::new(Clerk);
    let request = browser.posted("/login", &[("csrf", "x"), ("pin", PIN)]);
    assert_eq!(rule(&browser.send(request).await), "desk-session");
}

#[tokio::test]
async fn a_cookie_of_before_the_sign_in_is_worth_nothing_after_it() {
    let mut browser = Browser::started(Clerk).await;
    let before = browser.cookies.clone();
    let page = browser.get("/").await;
    browser.post("/login", &page, &[("pin", PIN)]).await;
    assert_ne!(browser.cookies, before);
    browser.cookies = before;
    assert_eq!(rule(&browser.get("/inquiry").await), "desk-session");
}

#[tokio::test]
async fn an_address_never_carries_data() {
    let mut browser = Browser::entered(Clerk).await;
    for path in [
        "/inquiry?name=x",
        "/inquiry?code=10000000017",
        "/?name=x",
        "/q/0?name=x",
        "/inquiry?t=x",
        "/inquiry?lang=fr",
        "/help?x",
    ] {
        let page = browser.get(path).await;
        assert_eq!(
            (page.status, rule(&page)),
            (StatusCode::BAD_REQUEST, "desk-address-data"),
            "{path}"
        );
    }
    // The form itself is a POST, and no page offers a form that is not.
    let page = browser.get("/inquiry").await;
    assert!(!page.text.contains("method=\"get\""));
    assert_eq!(page.text.matches("<form").count(), page.text.matches("method=\"post\"").count());
}

#[tokio::test]
async fn no_redirect_and_no_link_leads_to_another_host() {
    let mut browser = Browser::entered(Clerk).await;
    for path in ["//attacker.example/x", "/\\attacker.example/x"] {
        let chosen = browser.get(&format!("{path}?lang=en")).await;
        assert_eq!((chosen.status, chosen.location().as_str()), (StatusCode::SEE_OTHER, "/"));
        let unknown = browser.get(path).await;
        assert_eq!(rule(&unknown), "desk-page-unknown");
        assert!(!unknown.text.contains("attacker.example"), "{path}");
    }
    let chosen = browser.get("/help?lang=en").await;
    assert_eq!(chosen.location(), "/help");
}

#[tokio::test]
async fn a_link_from_another_site_or_port_is_refused() {
    let mut browser = Browser::entered(Clerk).await;
    for site in ["cross-site", "same-site"] {
        let request = browser.request("GET", "/inquiry").header("sec-fetch-site", site);
        let page = browser.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(rule(&page), "desk-site-foreign");
    }
    let request = browser.request("PUT", "/inquiry").body(Body::empty()).unwrap();
    assert_eq!(browser.send(request).await.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_desk_has_only_the_pages_of_its_place() {
    for (kind, own, others) in [
        (Clerk, "/inquiry", ["/disclosure", "/network"]),
        (Disclosure, "/disclosure", ["/inquiry", "/network"]),
        (NetworkRoom, "/network", ["/inquiry", "/disclosure"]),
    ] {
        let mut browser = Browser::entered(kind).await;
        assert_eq!(browser.get(own).await.status, StatusCode::OK);
        for path in others {
            assert_eq!(rule(&browser.get(path).await), "desk-page-unknown");
        }
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let mut browser = Browser::entered(Clerk).await;
    let page = browser.get("/inquiry").await;
    let long = "x".repeat(20_000);
    let page = browser.post("/inquiry", &page, &[("name", &long)]).await;
    assert_eq!(rule(&page), "desk-form");
}

#[tokio::test]
async fn a_page_never_answers_what_a_person_posted() {
    let mut browser = Browser::entered(Clerk).await;
    for body in ["csrf=stale&name=x", "name=%FF"] {
        let request = browser
            .request("POST", "/inquiry")
            .header("origin", format!("http://{HOST}"))
            .header("sec-fetch-site", "same-origin")
            .header("sec-fetch-mode", "navigate")
            .header("content-type", "application/x-www-form-urlencoded");
        let sent = browser.send(request.body(Body::from(body)).unwrap()).await;
        assert_eq!(sent.status, StatusCode::SEE_OTHER);
        let page = browser.follow(&sent).await;
        assert!(page.status.is_client_error() && rule(&page).starts_with("desk-form"));
    }
    assert_eq!(rule(&browser.get("/refused/anything").await), "desk-page-unknown");
}
