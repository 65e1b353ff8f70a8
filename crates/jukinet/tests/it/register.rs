//! The register as its office uses it: filings in, papers and notices out. Nothing but the
//! network's items leaves it, nothing personal is said on the way, every example of its page works.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use jukinet::feed::{FileReading, Profile, Row, Rows};
use jukinet::register::{GivenCodes, HEADER, RegisterConfig, notices_csv, read_filings};
use jukinet::{clock, dice};
use law::code::{LocalGovernmentCode, RecordCode};
use law::register::{Group, Item};
use law::time::Date;
use serde_json::Value;
use store::register::Filed;

use crate::country::{Country, KUNITACHI};

const PAGE: &str = include_str!("../../../../docs/registers.md");

/// The blocks of the page in one language.
fn blocks(language: &str) -> Vec<&'static str> {
    let open = format!("```{language}\n");
    PAGE.split(open.as_str()).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

struct Office {
    dir: tempfile::TempDir,
}

impl Office {
    fn new(epoch: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = blocks("toml")[0].replace("\"2013\"", &format!("\"{epoch}\""));
        fs::write(dir.path().join("register.toml"), config).unwrap();
        let office = Self { dir };
        office.config().create().unwrap();
        office
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn config(&self) -> RegisterConfig {
        RegisterConfig::load(&self.path("register.toml")).unwrap()
    }

    fn run(&self, verb: &str, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_jukinet"))
            .args(["register", verb, "--config", "register.toml", "--json"])
            .args(arguments)
            .current_dir(self.dir.path())
            .output()
            .unwrap()
    }

    /// Exit code and JSON.
    fn told(&self, verb: &str, arguments: &[&str]) -> (i32, Value) {
        let output = self.run(verb, arguments);
        let json = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        (output.status.code().unwrap(), json)
    }

    fn file(&self, name: &str, text: &str) -> (i32, Value) {
        fs::write(self.path(name), text).unwrap();
        self.told("file", &["--filing", name])
    }
}

fn code(number: u64) -> String {
    RecordCode::from_ten_digits(2_718_281_000 + number * 7_919).unwrap().expose().to_owned()
}

/// Items that the network may hold, the marks by which a notice names them, and what is derived.
const NETWORK: [Item; 9] = [
    Item::Name,
    Item::Kana,
    Item::Birth,
    Item::Sex,
    Item::Address,
    Item::Code,
    Item::FormerSurname,
    Item::AlternativeName,
    // 事由 and 年月日 of a deletion are change information (令30条の5).
    Item::DeletedBy,
];

/// What both residents have, each text of its own kind.
const COMMON: &str = r#"
household = "CANARY-HOUSEHOLD"
address = "東京都国立市東1丁目1番地"
health_insurance = "2001-01-31"
elderly_care = "2001-02-28/2002-02-27"
long_term_care = "2001-03-29"
pension = "2001-04-27"
pension_kind = "voluntary"
pension_kind_since = "2001-05-26"
pension_number = "9081726354"
child_allowance = "2001-06/2002-07"
rice = "金糸雀の米"
welfare = "金糸雀の福祉"
"#;

/// Two residents whose every other item holds something that stands nowhere else.
fn marked() -> String {
    format!(
        r#"
[[filing]]
number = "1"
filed_on = "2016-02-21"
act = "moving-in"
on = "2016-02-20"
{COMMON}
[filing.from]
address = "東京都三鷹市金糸雀町1番地"
municipality = "132047"
[[filing.person]]
code = "{0}"
name = "住基 花子"
kana = "ジュウキ ハナコ"
birth = "1985-04-01"
sex = 2
relationship = "世帯主"
domicile = "東京都千代田区金糸雀1番地"
domicile_head = "金糸雀 筆頭"
former_surname = "旧姓"
former_surname_kana = "キュウセイカナリア"
resident_since = "2001-07-25"
address_since = "2001-08-24"
voter = true
[[filing.person]]
code = "{1}"
name = "SANTOS MARIA"
kana = "サントス マリア"
birth = "1990-08-15"
sex = 2
relationship = "金糸雀の同居人"
nationality = "金糸雀国"
foreign_since = "2001-09-23"
status = "mid-long-term"
residence_status = "金糸雀の資格"
residence_period = "金糸雀の期間"
residence_expires = "2031-10-22"
card_number = "CA12345678RY"
alternative_history = "記載\t金糸雀市\t2001-11-20"
[[filing]]
number = "2"
filed_on = "2016-03-01"
act = "alternative-name"
on = "2016-03-01"
[[filing.person]]
code = "{1}"
alternative_name = "山田 まりあ"
alternative_kana = "ヤマダカナリア マリア"
[[filing]]
number = "3"
filed_on = "2016-04-01"
act = "moving-out"
on = "2016-04-01"
to = "長野県松本市金糸雀2番地"
[[filing.person]]
code = "{0}"
"#,
        code(1),
        code(2)
    )
}

#[test]
fn nothing_but_the_items_of_the_network_leaves_the_register() {
    let office = Office::new("2026");
    let mut register = office.config().open().unwrap();
    let mut canaries: Vec<(Item, String)> = Vec::new();
    for filing in read_filings(&marked(), &mut GivenCodes).unwrap() {
        let filed = register.file(&filing.unwrap(), clock::now(), &mut dice::fill).unwrap();
        let Filed::Done(outcome) = filed else { panic!("filed before") };
        for change in &outcome.changes {
            let items = change.after.sheet().expose_items();
            canaries.extend(items.map(|(item, text)| (item, text.to_owned())));
        }
    }
    // A new item of the record needs a canary here, or a place among the network's.
    for item in Item::ALL {
        assert!(canaries.iter().any(|(known, _)| *known == item), "{} has no canary", item.key());
    }
    // A flag, a status or the day of the deletion itself is no text that could be found anywhere.
    let plain = [Item::Voter, Item::Status, Item::DeletedOn, Item::PensionKind];
    canaries.retain(|(item, text)| {
        !NETWORK.contains(item) && !plain.contains(item) && text != "世帯主"
    });
    let rows = register.outbox(Date::parse("2016-04-02").unwrap()).unwrap();
    let csv = notices_csv(&rows).unwrap();
    let own = LocalGovernmentCode::parse("132152").unwrap();
    let feed: Vec<wire::FeedRow> = read_back(&csv, own);
    assert_eq!(feed.len(), 4);
    assert!(feed[1].notice.foreign && feed[0].former_municipality.is_some());
    for (read, made) in feed.iter().zip(&rows) {
        assert_eq!(read.notice, made.outgoing.notice, "the CSV says what the notice says");
    }
    let request = wire::Request::Feed(wire::FeedBatch { rows: feed });
    let frame = wire::Frame { id: 1, body: wire::FrameBody::Request(request) };
    let sent = wire::frame::encode(&frame).unwrap();
    assert!(canaries.len() > 40, "{}", canaries.len());
    for bytes in [&csv[..], &sent[..]] {
        for (item, text) in &canaries {
            // The town and the day of a change made here are the notice's own.
            let here = |part: &&str| part.len() > 6 && !["国立市", "2016-03-01"].contains(part);
            for part in text.split(['/', '\n', '\t']).filter(here) {
                let found = bytes.windows(part.len()).any(|window| window == part.as_bytes());
                assert!(!found, "{} left the register", item.key());
            }
        }
        let holds = |text: &str| bytes.windows(text.len()).any(|w| w == text.as_bytes());
        assert!(holds(&code(1)) && holds("旧姓") && holds("まりあ"), "and the rest does leave it");
    }
}

fn read_back(csv: &[u8], own: LocalGovernmentCode) -> Vec<wire::FeedRow> {
    let how = FileReading { own: Some(own), profile: Profile::Utf8, characters: None };
    let rows = Rows::open(csv, how).unwrap();
    rows.map(|row| match row.unwrap() {
        Row::Notice(row) => row,
        other => panic!("{other:?}"),
    })
    .collect()
}

#[test]
fn the_file_of_notices_has_no_column_for_more() {
    let items: Vec<&str> = Item::ALL.into_iter().map(Item::key).collect();
    let columns: Vec<&&str> = HEADER.iter().filter(|column| items.contains(*column)).collect();
    let network = ["sex", "birth", "address", "alternative_name", "former_surname"];
    assert!(columns.iter().all(|column| network.contains(*column)), "{columns:?}");
    assert!(Item::ALL.iter().any(|item| item.group() == Group::Entitlements));
}

#[test]
fn every_example_of_the_page_is_taken() {
    let office = Office::new("2013");
    let (exit, told) = office.file("moving-in.toml", blocks("toml")[1]);
    assert_eq!(exit, 0, "{told}");
    assert_eq!(told["filings"][0]["result"]["applied"]["notices"][0], "moved-in");
    let (exit, told) = office.file("day.json", blocks("json")[0]);
    assert_eq!((exit, told["refused"].as_u64()), (0, Some(0)), "{told}");
    assert_eq!(told["filings"][0]["result"]["applied"]["notices"], serde_json::json!([]));
    let (exit, again) = office.file("day.json", blocks("json")[0]);
    assert_eq!((exit, &again["filings"][1]["result"]["filed_before"]), (0, &Value::Bool(true)));
    for item in Item::ALL {
        let derived = [Item::Code, Item::DeletedBy, Item::DeletedOn].contains(&item);
        assert!(derived || PAGE.contains(&format!("`{}`", item.key())), "{}", item.key());
    }
}

#[test]
fn refusals_are_named_without_a_value_and_the_others_are_applied() {
    let office = Office::new("2013");
    office.file("first.toml", blocks("toml")[1]);
    let death = |number: &str, code: &str| {
        format!(
            r#"{{"number": "{number}", "filed_on": "2026-05-01", "act": "death",
                "on": "2026-05-01", "person": [{{"code": "{code}"}}]}}"#
        )
    };
    let wrong = [death("a", &code(9)), r#"{"number": "b", "act": "death", "shoe": 1}"#.to_owned()];
    let both = format!("[{},{},{}]", wrong[0], wrong[1], death("c", "12345678903"));
    let (exit, told) = office.file("some.json", &both);
    assert_eq!((exit, told["refused"].as_u64()), (6, Some(2)), "{told}");
    let refusal = &told["filings"][0]["result"]["refusal"];
    assert_eq!(
        (refusal["rule"].as_str(), refusal["field"].as_str()),
        (Some("not-recorded"), Some("code"))
    );
    assert!(refusal["law"].as_str().unwrap().contains("法8条"));
    let (exit, _) = office.file("one.json", &wrong[0]);
    assert_eq!(exit, 4);
    fs::write(office.path("some.json"), both.replace('a', "\u{7}")).unwrap();
    let broken = office.run("file", &["--filing", "some.json"]);
    let said = String::from_utf8(broken.stderr).unwrap() + &told.to_string();
    assert!(!said.contains(&code(9)) && !said.contains("12345678903"), "{said}");
    assert_eq!(office.file("no.toml", "name = ").0, 2);
}

#[test]
fn papers_show_what_the_law_lets_them_show() {
    let office = Office::new("2013");
    office.file("first.toml", blocks("toml")[1]);
    let copy = |arguments: &[&str]| {
        let mut all = vec!["--code", "12345678903", "--out", "copy.html"];
        all.extend(arguments);
        let (exit, told) = office.told("copy", &all);
        let page = fs::read_to_string(office.path("copy.html")).unwrap_or_default();
        (exit, told["refusal"]["rule"].as_str().unwrap_or_default().to_owned(), page)
    };
    let (exit, _, page) = copy(&[]);
    assert_eq!(exit, 0);
    assert!(page.contains("昭和60年4月1日") && page.contains("原本と相違ない"));
    for left_out in ["12345678903", "続柄", "本籍"] {
        assert!(!page.contains(left_out), "{left_out} was not asked for");
    }
    let (_, _, page) = copy(&["--with", "relationship,domicile,code"]);
    assert!(page.contains("12345678903") && page.contains("本籍") && page.contains("世帯主の氏名"));
    for outside in ["--third-party", "--organ"] {
        let (exit, rule, _) = copy(&["--with", "code", outside]);
        assert_eq!((exit, rule.as_str()), (4, "code-to-others"), "{outside}");
        assert_eq!(copy(&["--with", "domicile", outside]).0, 0);
    }
}

#[test]
fn a_code_is_told_to_one_person_inside_the_fold() {
    let office = Office::new("2013");
    office.file("first.toml", blocks("toml")[1]);
    let list = format!("12345678903,{}", code(9));
    let (exit, told) = office.told("allotment-notice", &["--code", &list, "--out", "a.html"]);
    assert_eq!((exit, told["refusal"]["rule"].as_str()), (4, Some("one-person-only")));
    let twice = ["--code", "12345678903", "--code", &code(9), "--out", "a.html"];
    assert_eq!(office.told("allotment-notice", &twice).0, 4);
    assert!(!office.path("a.html").exists());
    let one = ["--code", "12345678903", "--out", "a.html"];
    assert_eq!(office.told("allotment-notice", &one).0, 0);
    let page = fs::read_to_string(office.path("a.html")).unwrap();
    let (outside, inside) = page.split_once("<section class=\"inside\">").unwrap();
    assert!(
        outside.contains("住基　太郎") && inside.contains("<span>1234</span><span>5678</span>")
    );
    assert_eq!(page.matches("<span>1234</span>").count(), 1);
    for part in ["1234", "5678", "903"] {
        let shown = outside.split_once("<body>").unwrap().1;
        assert!(!shown.contains(part), "a part of the code stands outside the fold");
    }
    assert!(is_private(&office.path("a.html")));
}

fn is_private(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o077 == 0
}

#[test]
fn the_outbox_waits_until_the_server_has_taken_it() {
    let office = Office::new("2013");
    office.file("first.toml", blocks("toml")[1]);
    office.file("day.json", blocks("json")[0]);
    let outbox = |arguments: &[&str]| office.told("outbox", arguments);
    let (exit, told) = outbox(&["--out", "changes.csv", "--on", "2026-04-19"]);
    assert_eq!((exit, told["rows"].as_u64(), told["waiting"].as_u64()), (0, Some(1), Some(2)));
    assert!(is_private(&office.path("changes.csv")));
    assert_eq!(outbox(&["--out", "changes.csv", "--on", "2026-04-30"]).1["rows"], 2);
    let result = r#"{"rows": 2, "accepted": 1, "rejected": 1, "rejects": "rejected.csv"}"#;
    fs::write(office.path("result.json"), result).unwrap();
    fs::write(office.path("rejected.csv"), "row,column,rule,remedy\n3,x,y,z\n").unwrap();
    let (exit, told) = outbox(&["--mark-sent", "result.json"]);
    assert_eq!((exit, told["taken"].as_u64(), told["refused"].as_u64()), (6, Some(1), Some(1)));
    let (_, told) = outbox(&["--out", "changes.csv", "--on", "2026-04-30"]);
    assert_eq!((told["rows"].as_u64(), told["waiting"].as_u64()), (Some(1), Some(1)));
    let csv = fs::read_to_string(office.path("changes.csv")).unwrap();
    assert!(csv.contains(",3,code-changed-on-request,"), "another number, not the refused one");
    let (exit, shown) = office.told("show", &["--code", "27182818289", "--as-of", "2026-04-20"]);
    assert_eq!((exit, shown["records"][0]["items"]["voter"].as_str()), (0, Some("yes")));
    let (exit, _) = office.told("show", &["--code", "27182818289", "--as-of", "2026-04-19"]);
    assert_eq!(exit, 4, "not her code yet");
    let (_, home) = office.told("household", &["--id", "H-0001", "--as-of", "2026-04-20"]);
    assert_eq!(home["records"].as_array().map(Vec::len), Some(1));
    let (exit, told) = office.told("deadlines", &["--on", "2026-11-22"]);
    assert_eq!((exit, told["late"].as_array().map(Vec::len)), (0, Some(0)));
}

/// A year of filings, each a different reason; nine notices more than the four entries.
fn year() -> String {
    let person = |n: u64, household: &str, more: &str| {
        format!(
            r#"{{"new_code": "{}", "household": "{household}", "relationship": "世帯主",
                "name": "佐藤 {n}郎", "kana": "サトウ ロウ", "birth": "1985-04-01", "sex": "1",
                "address": "東京都国立市東{n}丁目1番地", {more}}}"#,
            code(n)
        )
    };
    let japanese = r#""domicile": "none", "resident_since": "2010-04-01""#;
    let foreign = r#""nationality": "韓国", "foreign_since": "2013-07-08",
        "status": "special-permanent", "card_number": "AB12345678CD""#;
    let child =
        person(5, "H1", japanese).replace("1985-04-01", "2014-05-01").replace("世帯主", "子");
    let acts = [
        format!(
            r#""act": "entry", "on": "2014-01-01", "person": [{}, {}, {}, {}]"#,
            person(1, "H1", japanese),
            person(2, "H2", japanese),
            person(3, "H3", japanese),
            person(4, "H4", foreign)
        ),
        format!(r#""act": "birth", "person": [{child}]"#),
        format!(
            r#""act": "moving-within", "on": "2014-06-01", "address": "東京都国立市西1丁目1番地",
               "person": [{{"code": "{}"}}, {{"code": "{}"}}]"#,
            code(1),
            code(5)
        ),
        format!(
            r#""act": "code-change", "on": "2014-06-02", "new_code": "{}",
               "person": [{{"code": "{}"}}]"#,
            code(11),
            code(1)
        ),
        format!(
            r#""act": "alternative-name", "on": "2014-06-03",
               "person": [{{"code": "{}", "alternative_name": "金田 花"}}]"#,
            code(4)
        ),
        format!(
            r#""act": "minor-correction", "on": "2014-06-04", "kind": "character-identified",
               "person": [{{"code": "{}", "name": "佐籐 2郎"}}]"#,
            code(2)
        ),
        format!(
            r#""act": "nationality-change", "on": "2014-06-05",
               "person": [{{"code": "{}", {japanese}}}]"#,
            code(4)
        ),
        format!(r#""act": "death", "on": "2014-06-06", "person": [{{"code": "{}"}}]"#, code(3)),
    ];
    let filing = |(at, act): (usize, &String)| {
        format!(r#"{{"number": "{at}", "filed_on": "2014-07-01", {act}}}"#)
    };
    let list: Vec<String> = acts.iter().enumerate().map(filing).collect();
    format!("[{}]", list.join(","))
}

#[test]
fn what_the_outbox_writes_the_server_takes_and_all_tiers_hold() {
    let office = Office::new("2013");
    let (exit, told) = office.file("year.json", &year());
    assert_eq!(exit, 0, "{told}");
    assert_eq!(office.told("outbox", &["--out", "changes.csv"]).1["rows"], 13);
    let country = Country::with_tiers();
    let sent = country.notice(KUNITACHI, &office.path("changes.csv"));
    let report = sent.json();
    assert_eq!((sent.code, report["accepted"].as_u64()), (0, Some(13)), "{sent:?}");
    fs::write(office.path("result.json"), &sent.stdout).unwrap();
    let (exit, told) = office.told("outbox", &["--mark-sent", "result.json"]);
    assert_eq!((exit, told["taken"].as_u64()), (0, Some(13)));
    assert_eq!(office.told("outbox", &["--out", "more.csv"]).1["waiting"], 0);
    country.await_tiers(KUNITACHI, 4);
}
