//! A browser without JavaScript: cookies, forms, redirects, and the headers a real one sends.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use desk::{Backend, PlaceKind};
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::fake::{Fake, PIN};

pub(crate) const HOST: &str = "127.0.0.1:8801";
pub(crate) const TOKEN: &str = "start-token-of-the-test";

/// An answer, read whole.
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Page {
    pub(crate) fn location(&self) -> String {
        self.header("location")
    }

    pub(crate) fn header(&self, name: &str) -> String {
        self.headers.get(name).map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default()
    }

    /// The value of a hidden input.
    pub(crate) fn hidden(&self, name: &str) -> String {
        let mark = format!("name=\"{name}\" value=\"");
        let rest = self.text.split_once(&mark).map_or("", |(_, rest)| rest);
        rest.split('"').next().unwrap_or("").to_owned()
    }
}

pub(crate) struct Browser {
    pub(crate) router: Router,
    pub(crate) fake: Arc<Fake>,
    pub(crate) cookies: BTreeMap<String, String>,
}

impl Browser {
    pub(crate) fn new(kind: PlaceKind) -> Self {
        let fake = Fake::new(kind);
        let settings = fake.settings(HOST, TOKEN);
        let router = desk::router(Arc::clone(&fake) as Arc<dyn Backend>, settings);
        Self { router, fake, cookies: BTreeMap::new() }
    }

    /// Started, but nobody has signed in.
    pub(crate) async fn started(kind: PlaceKind) -> Self {
        let mut browser = Self::new(kind);
        let page = browser.get(&format!("/?t={TOKEN}")).await;
        assert_eq!((page.status, page.location().as_str()), (StatusCode::SEE_OTHER, "/"));
        browser
    }

    /// An operator at work.
    pub(crate) async fn entered(kind: PlaceKind) -> Self {
        let mut browser = Self::started(kind).await;
        let page = browser.get("/").await;
        let page = browser.post("/login", &page, &[("pin", PIN)]).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER);
        browser
    }

    pub(crate) async fn send(&mut self, request: Request<Body>) -> Page {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        if parts.headers.contains_key("clear-site-data") {
            self.cookies.clear();
        }
        for cookie in parts.headers.get_all(header::SET_COOKIE) {
            let text = cookie.to_str().unwrap();
            assert!(text.contains("HttpOnly") && text.contains("SameSite=Strict"), "{text}");
            let (name, rest) = text.split_once('=').unwrap();
            self.cookies.insert(name.into(), rest.split(';').next().unwrap().into());
        }
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Page { status: parts.status, headers: parts.headers, text }
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> axum::http::request::Builder {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut builder = Request::builder().method(method).uri(path).header("host", HOST);
        if !cookies.is_empty() {
            builder = builder.header("cookie", cookies.join("; "));
        }
        builder
    }

    pub(crate) async fn get(&mut self, path: &str) -> Page {
        let request = self.request("GET", path).header("sec-fetch-site", "none");
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// Sends a form of `page` with its token and its idempotency key.
    pub(crate) async fn post(&mut self, path: &str, page: &Page, fields: &[(&str, &str)]) -> Page {
        let request = self.form(path, page, fields);
        self.send(request).await
    }

    pub(crate) fn form(&self, path: &str, page: &Page, fields: &[(&str, &str)]) -> Request<Body> {
        let (csrf, once) = (page.hidden("csrf"), page.hidden("once"));
        let mut all = vec![("csrf", csrf.as_str())];
        if !once.is_empty() {
            all.push(("once", &once));
        }
        all.extend_from_slice(fields);
        self.posted(path, &all)
    }

    pub(crate) fn posted(&self, path: &str, fields: &[(&str, &str)]) -> Request<Body> {
        self.request("POST", path)
            .header("origin", format!("http://{HOST}"))
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(encode(fields)))
            .unwrap()
    }

    pub(crate) async fn follow(&mut self, page: &Page) -> Page {
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
        let path = page.location();
        self.get(&path).await
    }
}

pub(crate) fn encode(fields: &[(&str, &str)]) -> String {
    let byte = |b: u8| match b {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(b).to_string(),
        _ => format!("%{b:02X}"),
    };
    let text = |text: &str| text.bytes().map(byte).collect::<String>();
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={}", text(name), text(value))).collect();
    pairs.join("&")
}
