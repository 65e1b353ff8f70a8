//! The three main pages as files a reviewer reads: `golden/*.html`. `JUKINET_GOLDEN=write` renews.

use desk::PlaceKind::{Clerk, Disclosure, NetworkRoom};

use crate::browser::Browser;
use crate::fake::{CODES, code};
use crate::flows::ADDRESS;

fn check(name: &str, text: &str) {
    let path = format!("{}/golden/{name}.html", env!("CARGO_MANIFEST_DIR"));
    if std::env::var("JUKINET_GOLDEN").as_deref() == Ok("write") {
        std::fs::write(&path, text).unwrap();
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(known == text, "{name} differs from its golden; look at it with JUKINET_GOLDEN=write");
}

#[tokio::test]
async fn inquiry_and_result() {
    let mut browser = Browser::entered(Clerk).await;
    let page = browser.get("/inquiry").await;
    let mut fields = vec![
        ("do", "check"),
        ("affair", "4-2-1"),
        ("case_number", "令8-117"),
        ("mode", "name-address"),
        ("name", "試験 花子"),
        ("address", "東京都国立市"),
    ];
    let sent = browser.post("/inquiry", &page, &fields).await;
    let page = browser.follow(&sent).await;
    check("inquiry", &page.text);
    fields[0].1 = "ask";
    fields[5].1 = ADDRESS;
    let sent = browser.post("/inquiry", &page, &fields).await;
    check("result", &browser.follow(&sent).await.text);
}

#[tokio::test]
async fn timeline() {
    let mut browser = Browser::entered(Disclosure).await;
    let page = browser.get("/disclosure").await;
    let fields = [("identified_by", "card"), ("code", &code(CODES[0]))];
    let sent = browser.post("/disclosure", &page, &fields).await;
    check("timeline", &browser.follow(&sent).await.text);
}

#[tokio::test]
async fn network() {
    let mut browser = Browser::entered(NetworkRoom).await;
    check("network", &browser.get("/network").await.text);
}
