//! F1 ヘルプ: the keys and the rules, on one page.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::page::{Chrome, Desk, Key, Visitor, html};

#[derive(Template)]
#[template(path = "help.html")]
struct HelpPage {
    c: Chrome,
    table: Vec<(&'static str, &'static str)>,
}

/// `GET /help`: holds nothing about anyone, so no card is asked for.
pub(crate) async fn help(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    let t = visitor.lang.texts();
    let table = vec![
        ("F1", t.key_help),
        ("F2", t.clear),
        ("F3", t.key_back),
        ("F6", t.key_code),
        ("F9", t.key_run),
        ("F12", t.key_end),
        ("Enter", t.help_enter),
        ("Esc", t.help_escape),
    ];
    let keys = vec![Key::go("F3", t.key_back, "/")];
    html(StatusCode::OK, &HelpPage { c: Chrome::new(&desk, &visitor, keys), table })
}
