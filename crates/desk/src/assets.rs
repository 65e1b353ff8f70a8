//! The style sheet, the script and the icon, embedded. Nothing is read from disk or from elsewhere.

use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

pub(crate) const STYLE: &str = include_str!("../assets/desk.css");
pub(crate) const SCRIPT: &str = include_str!("../assets/desk.js");
const ICON: &str = include_str!("../assets/icon.svg");

/// `GET /assets/{name}`
pub(crate) async fn asset(Path(name): Path<String>) -> Response {
    let (kind, text) = match name.as_str() {
        "desk.css" => ("text/css; charset=utf-8", STYLE),
        "desk.js" => ("text/javascript; charset=utf-8", SCRIPT),
        "icon.svg" => ("image/svg+xml", ICON),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// U1: own JavaScript ≤ 10 KB; style and script small enough for a page of 60 KB.
    const SCRIPT_BYTES_MAX: usize = 10 * 1024;
    const STYLE_BYTES_MAX: usize = 40 * 1024;

    #[test]
    fn assets_stay_small_and_name_no_other_origin() {
        assert!(SCRIPT.len() <= SCRIPT_BYTES_MAX, "{} bytes", SCRIPT.len());
        assert!(STYLE.len() <= STYLE_BYTES_MAX, "{} bytes", STYLE.len());
        for text in [STYLE, SCRIPT] {
            assert!(
                !text.contains("http:") && !text.contains("https:") && !text.contains("@import")
            );
        }
        for word in ["localStorage", "sessionStorage", "indexedDB", "serviceWorker", "innerHTML"] {
            assert!(!SCRIPT.contains(word), "{word} keeps or parses what must not be kept (C1)");
        }
    }
}
