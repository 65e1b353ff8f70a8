//! The three page sets, walked through without JavaScript.

use std::sync::atomic::Ordering;

use axum::http::StatusCode;
use desk::PlaceKind::{Clerk, Disclosure, NetworkRoom};

use crate::browser::{Browser, Page};
use crate::fake::{CODES, HOSTILE, NAMES, code};

pub(crate) const ADDRESS: &str = "東京都国立市富士見台二丁目四十七番地の一";

async fn ask(browser: &mut Browser, name: &str, more: &[(&str, &str)]) -> Page {
    let page = browser.get("/inquiry").await;
    let mut fields = vec![
        ("do", "ask"),
        ("affair", "4-2-1"),
        ("case_number", "令8-117"),
        ("mode", "name-address"),
        ("name", name),
        ("address", ADDRESS),
    ];
    fields.extend_from_slice(more);
    browser.post("/inquiry", &page, &fields).await
}

#[tokio::test]
async fn an_inquiry_leads_to_an_opaque_handle_and_its_record() {
    let mut browser = Browser::entered(Clerk).await;
    let sent = ask(&mut browser, "試験 花子", &[]).await;
    let handle = sent.location();
    assert!(handle.starts_with("/q/") && handle.len() == 3 + 32, "{handle}");
    let page = browser.follow(&sent).await;
    for text in [
        NAMES[0],
        "しけん",
        ADDRESS,
        "昭和60年4月1日（1985-04-01）",
        "#48,211",
        "jukinet.example/center",
        "令8-117",
    ] {
        assert!(page.text.contains(text), "{text}");
    }
    assert!(
        page.text.contains("<noscript><meta http-equiv=\"refresh\" content=\"60\"></noscript>")
    );
    // The title goes into the browser's history: it names nobody.
    let title = page.text.split_once("<title>").unwrap().1.split("</title>").next().unwrap();
    assert_eq!(title, "照会の結果 | 照会窓口");
    assert!(browser.get(&handle).await.text.contains(NAMES[0]), "reloading asks nothing");
    assert_eq!(browser.fake.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_result_hides_after_a_minute_and_comes_back_on_request() {
    let mut browser = Browser::entered(Clerk).await;
    let sent = ask(&mut browser, "試験 花子", &[]).await;
    browser.follow(&sent).await;
    browser.fake.advance(60_000);
    let hidden = browser.follow(&sent).await;
    assert!(!hidden.text.contains(NAMES[0]) && !hidden.text.contains(ADDRESS));
    assert!(hidden.text.contains("#48,211"), "the receipt is no secret");
    let again = browser.post(&format!("{}/show", sent.location()), &hidden, &[]).await;
    assert!(browser.follow(&again).await.text.contains(NAMES[0]));
}

#[tokio::test]
async fn the_same_form_twice_asks_once() {
    let mut browser = Browser::entered(Clerk).await;
    let page = browser.get("/inquiry").await;
    let fields = [
        ("do", "ask"),
        ("affair", "4-2-1"),
        ("case_number", "1"),
        ("mode", "name-address"),
        ("name", "試験 花子"),
        ("address", ADDRESS),
    ];
    let one = browser.form("/inquiry", &page, &fields);
    let two = browser.form("/inquiry", &page, &fields);
    let (first, second) = (browser.send(one).await, browser.send(two).await);
    assert_eq!(first.location(), second.location());
    assert_eq!(browser.fake.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_refusal_says_rule_law_and_what_to_do_in_both_languages() {
    let mut browser = Browser::entered(Clerk).await;
    let sent = ask(&mut browser, "佐", &[("prefix", "on")]).await;
    let page = browser.follow(&sent).await;
    let public = law::denial::Denial::MoreThan50.public();
    for text in ["more-than-50", public.law, public.hint] {
        assert!(page.text.contains(text), "{text}");
    }
    let english = browser.get(&format!("{}?lang=en", sent.location())).await;
    assert_eq!(english.location(), sent.location(), "the language leaves the address at once");
    let page = browser.follow(&english).await;
    assert!(page.text.contains(public.hint_en) && page.text.contains("<html lang=\"en\">"));
}

#[tokio::test]
async fn what_the_law_would_refuse_for_its_shape_is_not_sent() {
    let mut browser = Browser::entered(Clerk).await;
    let sent = ask(&mut browser, "", &[]).await;
    assert_eq!(sent.location(), "/inquiry");
    let page = browser.follow(&sent).await;
    assert!(page.text.contains("query-shape") && page.text.contains(ADDRESS), "the text is kept");
    assert!(!browser.get("/inquiry").await.text.contains("query-shape"), "said once");
    assert_eq!(browser.fake.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn the_check_button_shows_the_meter_without_asking() {
    let mut browser = Browser::entered(Clerk).await;
    let page = browser.get("/inquiry").await;
    let fields = [
        ("do", "check"),
        ("affair", "4-2-1"),
        ("case_number", "1"),
        ("mode", "name-address"),
        ("name", "試験 花子"),
        ("address", "東京都国立市"),
    ];
    let sent = browser.post("/inquiry", &page, &fields).await;
    let page = browser.follow(&sent).await;
    assert!(page.text.contains("住所の残り全部") && page.text.contains("まだ照会できません"));
    assert!(page.text.contains("この照会は記録 #… として残り、本人が見ることができます。"));
    let part = browser
        .post(
            "/meter",
            &page,
            &[
                ("mode", "name-address"),
                ("affair", "4-2-1"),
                ("case_number", "1"),
                ("name", "試験 花子"),
                ("address", ADDRESS),
            ],
        )
        .await;
    assert!(part.text.contains("照会できます") && !part.text.contains("<html"));
    assert!(browser.get("/inquiry").await.text.contains(ADDRESS), "the meter keeps the draft");
    assert_eq!(browser.fake.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn going_back_keeps_the_text_and_a_new_inquiry_does_not() {
    let mut browser = Browser::entered(Clerk).await;
    let sent = ask(&mut browser, "試験 花子", &[]).await;
    let page = browser.follow(&sent).await;
    assert!(browser.get("/inquiry").await.text.contains(ADDRESS));
    let cleared = browser.post("/inquiry/clear", &page, &[]).await;
    let page = browser.follow(&cleared).await;
    assert!(!page.text.contains(ADDRESS) && page.text.contains("\"4-2-1\" selected"));
}

#[tokio::test]
async fn a_hostile_name_is_text() {
    let mut browser = Browser::entered(Clerk).await;
    let sent = ask(&mut browser, "敵対", &[("case_number2", "x\"><b>")]).await;
    let page = browser.follow(&sent).await;
    assert!(!page.text.contains("<script>alert") && !page.text.contains("<b>1-1"));
    assert!(page.text.contains("&#60;script&#62;alert"));
    let form = browser.get("/inquiry").await;
    let fields = [
        ("do", "check"),
        ("mode", "name-address"),
        ("name", HOSTILE),
        ("address", "\" autofocus onfocus=\"x"),
    ];
    let sent = browser.post("/inquiry", &form, &fields).await;
    let page = browser.follow(&sent).await;
    assert!(!page.text.contains("<script>alert") && !page.text.contains("\" autofocus onfocus"));
}

#[tokio::test]
async fn ending_drops_every_handle_and_tells_the_browser_to_forget() {
    let mut browser = Browser::entered(Clerk).await;
    let sent = ask(&mut browser, "試験 花子", &[]).await;
    let page = browser.follow(&sent).await;
    let ended = browser.post("/logout", &page, &[]).await;
    assert_eq!(ended.header("clear-site-data"), "\"*\"");
    assert_eq!(browser.follow(&sent).await.status, StatusCode::FORBIDDEN);
    // The way back in is a fresh one-time token, spent by the redirect; the old handle stays dead.
    let started = browser.follow(&ended).await;
    assert_eq!(browser.follow(&ended).await.status, StatusCode::FORBIDDEN);
    let login = browser.follow(&started).await;
    assert!(login.text.contains("業務を終了し、画面の情報を消しました"));
    browser.post("/login", &login, &[("pin", crate::fake::PIN)]).await;
    assert_eq!(browser.follow(&sent).await.status, StatusCode::NOT_FOUND);
    assert!(
        !browser.get("/inquiry").await.text.contains(ADDRESS),
        "nor the draft of the one before"
    );
}

#[tokio::test]
async fn a_card_that_leaves_ends_the_session_even_if_it_comes_back() {
    let mut browser = Browser::entered(Clerk).await;
    let sent = ask(&mut browser, "試験 花子", &[]).await;
    assert_eq!(browser.get("/card").await.status, StatusCode::NO_CONTENT);
    browser.fake.card(false);
    browser.fake.card(true);
    assert_eq!(browser.get("/card").await.status, StatusCode::GONE);
    let page = browser.follow(&sent).await;
    assert_eq!((page.header("clear-site-data").as_str(), page.text.as_str()), ("\"*\"", ""));
    let started = browser.follow(&page).await;
    assert!(browser.follow(&started).await.text.contains("カードが抜かれた"));
    assert_eq!(browser.follow(&sent).await.location(), "/", "nobody has signed in");
}

#[tokio::test]
async fn a_screen_left_alone_ends_and_the_card_watcher_does_not_keep_it_alive() {
    let mut browser = Browser::entered(Clerk).await;
    for _ in 0..6 {
        browser.fake.advance(100_000);
        browser.get("/card").await;
    }
    let ended = browser.get("/inquiry").await;
    let started = browser.follow(&ended).await;
    assert!(browser.follow(&started).await.text.contains("しばらく操作がなかった"));
}

#[tokio::test]
async fn a_wrong_pin_says_how_many_tries_are_left() {
    let mut browser = Browser::started(Clerk).await;
    let page = browser.get("/").await;
    let sent = browser.post("/login", &page, &[("pin", "9753")]).await;
    let page = browser.follow(&sent).await;
    assert!(page.text.contains("pin-wrong") && page.text.contains("あと 2 回です。"));
    assert!(!page.text.contains("9753"));
    assert!(!browser.get("/").await.text.contains("pin-wrong"), "said once");
}

#[tokio::test]
async fn without_a_card_there_is_no_field_for_a_pin_to_type_into() {
    let mut browser = Browser::started(Clerk).await;
    browser.fake.card(false);
    let page = browser.get("/").await;
    assert!(page.text.contains("カードを待っています") && page.text.contains("disabled"));
}

async fn open(browser: &mut Browser, ten: u64) -> Page {
    let page = browser.get("/disclosure").await;
    let fields = [("identified_by", "card"), ("code", &code(ten))];
    let sent = browser.post("/disclosure", &page, &fields).await;
    browser.follow(&sent).await
}

#[tokio::test]
async fn a_timeline_tells_one_sentence_per_entry_with_its_proof() {
    let mut browser = Browser::entered(Disclosure).await;
    let page = open(&mut browser, CODES[0]).await;
    assert_eq!(page.text.matches("検証済み</span>").count() - 1, 5);
    for text in [
        "日本年金機構が、年金の支払いのために",
        "法30条の7第3項",
        "jukinet.example/center",
        "この記録について質問する",
        "対象の期間",
    ] {
        assert!(page.text.contains(text), "{text}");
    }
    assert!(!page.text.contains(&code(CODES[0])), "the code stays covered");
}

#[tokio::test]
async fn nothing_happened_is_said_without_a_seal_that_nothing_earned() {
    let mut browser = Browser::entered(Disclosure).await;
    let page = open(&mut browser, CODES[1]).await;
    assert!(page.text.contains("だれにも提供されていません") && page.text.contains("48,230"));
    assert!(!page.text.contains("検証済み"));
}

#[tokio::test]
async fn a_disclosure_needs_an_identified_resident_and_a_whole_code() {
    let mut browser = Browser::entered(Disclosure).await;
    for fields in [
        [("identified_by", ""), ("code", &code(CODES[0]))],
        [("identified_by", "card"), ("code", "12345678901")],
    ] {
        let page = browser.get("/disclosure").await;
        let sent = browser.post("/disclosure", &page, &fields).await;
        assert_eq!(sent.location(), "/disclosure");
        assert!(browser.follow(&sent).await.text.contains("disclosure-incomplete"));
    }
}

#[tokio::test]
async fn the_map_says_state_in_color_word_and_time_and_twice() {
    let mut browser = Browser::entered(NetworkRoom).await;
    let page = browser.get("/network").await;
    for text in [
        "注意が必要な装置が 3 あります",
        "応答なし · 94秒前",
        "jk-node-silent",
        "切り離し中",
        "<table",
        "2人の承認",
        "年金窓口端末",
    ] {
        assert!(page.text.contains(text), "{text}");
    }
    assert_eq!(
        page.text.matches("class=\"jk-card\"").count(),
        12,
        "terminals stand in the table only"
    );
    assert!(page.text.contains("<noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript>"));
    let paused = browser.get("/network?auto=off").await;
    assert!(!paused.text.contains("http-equiv") && !paused.text.contains("data-refresh-ms"));
}
