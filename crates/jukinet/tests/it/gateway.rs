//! The vendor gateway in front of a municipality's server, both as processes: who may call, what is
//! taken, what is refused, and that nothing of it stays.

use std::fs;
use std::io::Write;
use std::path::Path;

use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384};
use serde_json::{Value, json};

use crate::country::{Country, KUNITACHI, MITAKA, Person, eventually};
use crate::vendor::{Gateway, VendorKey, answered, configure, files, person, row};

const ON: &str = "2024-04-01";

fn key() -> VendorKey {
    VendorKey::new(&PKCS_ECDSA_P256_SHA256)
}

fn batch(id: &str, rows: &[Value]) -> Value {
    json!({ "batch": id, "rows": rows })
}

fn moved_in(number: u64, sequence: u64) -> Value {
    row(&person(number), sequence, "moved-in", ON)
}

#[test]
fn a_batch_is_recorded_once_and_answered_alike_however_often_it_is_sent() {
    let country = Country::with_tiers();
    let key = key();
    let config = configure(&country, &key, "");
    let gateway = Gateway::start(&config);
    assert_eq!(gateway.get(&key, "/v1/health").json()["status"], "ok");
    let elsewhere = Person { municipality: MITAKA, ..person(2) };
    let rows = [
        moved_in(1, 1),
        row(&elsewhere, 2, "moved-in", ON),
        row(&person(3), 3, "moved-out", ON),
        moved_in(4, 4),
    ];
    let first = gateway.post(&key, &batch("2026-11-22.1", &rows));
    assert_eq!(first.status, 200, "{first:?}");
    assert!(first.head.contains("cache-control: no-store"), "{first:?}");
    let told = first.json();
    assert_eq!((&told["recorded"], &told["rejected"]), (&json!(2), &json!(2)), "{told}");
    assert_eq!(told["rows"][1]["rule"], "other-municipality");
    assert_eq!(told["rows"][2]["rule"], "not-recorded");
    assert_eq!(told["rows"][3], json!({"row": 4, "sequence": 4, "outcome": "recorded"}));
    // The same batch, also by a gateway that was started anew.
    let again = gateway.post(&key, &batch("2026-11-22.1", &rows));
    assert_eq!(again.json(), told);
    drop(gateway);
    let anew = Gateway::start(&config);
    assert_eq!(anew.post(&key, &batch("2026-11-22.1", &rows)).json(), told);
    country.await_tiers(KUNITACHI, 2);
}

#[test]
fn every_wrong_row_is_named_and_the_others_are_recorded() {
    let country = Country::with_tiers();
    let key = key();
    let gateway = Gateway::start(&configure(&country, &key, ""));
    let with = |number: u64, sequence: u64, field: &str, value: Value| {
        let mut row = moved_in(number, sequence);
        row[field] = value;
        row
    };
    let mut numberless = moved_in(20, 1);
    numberless.as_object_mut().unwrap().remove("sequence");
    let mut conflicting = moved_in(1, 12);
    conflicting["address"] = json!("東京都国立市東一丁目1番");
    let cases: Vec<(Value, &str, &str)> = vec![
        (moved_in(1, 1), "", ""),
        (with(2, 2, "record_code", json!("12345678901")), "record_code", "check-digit"),
        (with(3, 3, "birth", json!("1985-02-30")), "birth", "malformed"),
        (with(4, 4, "changed_on", json!("2124-01-01")), "changed_on", "in-the-future"),
        (with(5, 5, "sex", json!("1")), "sex", "field-type"),
        (with(6, 6, "family_name", json!(["鵺"])), "family_name", "field-type"),
        (with(7, 7, "reason", json!("moved-somewhere")), "reason", "unknown"),
        (with(8, 8, "given_name", json!("鵺\u{7}")), "family_name", "text"),
        (with(9, 9, "given_name", json!("鵺\u{e000}")), "family_name", "unknown-character"),
        (with(10, 10, "foreign", json!(1)), "foreign", "field-type"),
        (moved_in(11, 11), "", ""),
        (conflicting, "record_code", "conflicting-change"),
        (moved_in(13, 11), "sequence", "sequence-duplicate"),
        (moved_in(14, 15), "sequence", "sequence-gap"),
        (moved_in(15, 14), "sequence", "sequence-order"),
        (numberless, "sequence", "missing"),
        (json!("a row"), "row", "malformed"),
        (moved_in(16, 16), "", ""),
    ];
    let rows: Vec<Value> = cases.iter().map(|(row, ..)| row.clone()).collect();
    let sent = gateway.post(&key, &batch("ladder", &rows));
    assert_eq!(sent.status, 200, "{sent:?}");
    let told = sent.json();
    for (at, (_, column, rule)) in cases.iter().enumerate() {
        let row = &told["rows"][at];
        let named = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        assert_eq!((named("column"), named("rule")), ((*column).into(), (*rule).into()), "{row}");
        assert_eq!(row["outcome"], if rule.is_empty() { "recorded" } else { "rejected" });
    }
    for number in 1..=16 {
        let person = person(number);
        for needle in [&person.code, &person.family, &person.address, &person.birth] {
            assert!(!sent.body.contains(needle.as_str()), "a value is told back");
            assert!(!gateway.log().contains(needle.as_str()), "a value is in the log");
        }
    }
    country.await_tiers(KUNITACHI, 3);
}

/// A row of the register as vendors keep it: what a notice has, and items that the network has no
/// field for, each with a value found nowhere else.
fn register_row(number: u64, sequence: u64) -> (Value, Vec<String>) {
    let mut row = moved_in(number, sequence);
    let mut canaries = Vec::new();
    for field in ["household_id", "registered_domicile", "pension", "nationality"] {
        let canary = format!("canary-{field}-{number}-鷽替");
        row[field] = json!(canary);
        canaries.push(canary);
    }
    (row, canaries)
}

/// No canary in any file of the country, of the gateway or of its log.
fn no_trace(country: &Country, gateway: &Gateway, canaries: &[String]) {
    let mut all = files(country.dir());
    all.extend(files(gateway.home.path()));
    assert!(all.iter().any(|(path, _)| path.ends_with("gateway.log")), "the log is looked at");
    assert!(all.iter().any(|(path, _)| path.ends_with("register.sqlite")), "the store too");
    for (path, bytes) in all {
        for canary in canaries {
            let needle = canary.as_bytes();
            let found = bytes.windows(needle.len()).any(|window| window == needle);
            assert!(!found, "{}", path.display());
        }
    }
}

#[test]
fn a_whole_register_row_is_refused_with_its_batch_and_leaves_no_trace() {
    let mut country = Country::with_tiers();
    let key = key();
    let gateway = Gateway::start(&configure(&country, &key, ""));
    let (surplus, mut canaries) = register_row(2, 2);
    let refused = gateway.post(&key, &batch("whole", &[moved_in(1, 1), surplus]));
    assert_eq!((refused.status, refused.rule().as_str()), (422, "surplus-field"), "{refused:?}");
    let told = refused.json();
    assert_eq!((&told["row"], &told["field"]), (&json!(2), &json!("household_id")));
    assert!(told["refusal"]["law"].as_str().unwrap().contains("法30条の5"), "{told}");
    // A name of a field can itself be somebody's: it is not told back.
    let mut odd = moved_in(1, 1);
    odd["canary-name-鷽替"] = json!(true);
    canaries.push("canary-name-鷽替".to_owned());
    let refused = gateway.post(&key, &batch("odd", &[odd]));
    assert_eq!(refused.rule(), "surplus-field");
    canaries.push(person(1).family);
    for canary in &canaries {
        assert!(!refused.body.contains(canary.as_str()), "{refused:?}");
    }
    // Nothing of the batch was taken, its good row neither.
    assert!(country.nobody_held());
    country.stop_all();
    no_trace(&country, &gateway, &canaries);
    assert_eq!(files(gateway.home.path()).len(), 0, "the gateway writes no file");
    only_sockets_and_pipes(gateway.pid());
}

/// What the process holds open: no file but its log.
fn only_sockets_and_pipes(pid: u32) {
    // A secluded process shows this to root only.
    let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) else { return };
    for each in open.flatten() {
        let Ok(target) = fs::read_link(each.path()) else { continue };
        let text = target.display().to_string();
        let harmless = ["socket:", "pipe:", "anon_inode:", "/dev/null"];
        let log = target.extension().is_some_and(|extension| extension == "log");
        assert!(log || harmless.iter().any(|start| text.starts_with(start)), "{text}");
    }
}

#[test]
fn who_is_not_known_is_not_heard() {
    let country = Country::with_tiers();
    let known = VendorKey::new(&PKCS_ECDSA_P384_SHA384);
    let gateway = Gateway::start(&configure(&country, &known, ""));
    let stranger = VendorKey::new(&PKCS_ECDSA_P384_SHA384);
    for key in [None, Some(&stranger)] {
        let body = batch("stranger", &[moved_in(1, 1)]).to_string();
        let request = "POST /v1/change-batches";
        let heard = gateway.ask(key, request, "application/json", body.as_bytes());
        assert!(heard.is_err(), "{heard:?}");
        assert!(gateway.ask(key, "GET /openapi.json", "text/plain", b"").is_err());
    }
    assert!(gateway.log().contains("client-refused"), "{}", gateway.log());
    assert!(country.nobody_held());
    // A key of another kind than the network's own is a key.
    assert_eq!(gateway.post(&known, &batch("known", &[moved_in(1, 1)])).status, 200);
    country.await_tiers(KUNITACHI, 1);
}

#[test]
fn each_refusal_has_its_status_and_its_rule() {
    let country = Country::with_tiers();
    let key = key();
    let gateway = Gateway::start(&configure(&country, &key, ""));
    let limit = wire::limits::FEED_ROWS_COUNT_MAX;
    let many: Vec<Value> =
        (0..=limit as u64).map(|number| moved_in(number + 1, number + 1)).collect();
    let post = |kind: &str, body: &[u8]| {
        let answer = gateway.ask(Some(&key), "POST /v1/change-batches", kind, body).unwrap();
        (answer.status, answer.rule())
    };
    let json = |body: &Value| post("application/json; charset=utf-8", body.to_string().as_bytes());
    let huge = vec![b' '; 4 * 1024 * 1024 + 1];
    let one = [moved_in(1, 1)];
    let cases = [
        (post("text/csv", b"{}"), (415, "not-json")),
        (post("application/json", b"{\"batch\": \"a\", "), (400, "malformed")),
        (post("application/json", b"\xff"), (400, "malformed")),
        (post("application/json", &huge), (413, "too-large")),
        (json(&batch("", &one)), (400, "batch-id")),
        (json(&batch("国立市", &one)), (400, "batch-id")),
        (json(&batch("a", &[])), (400, "no-rows")),
        (json(&batch("a", &many)), (413, "too-many-rows")),
        (json(&json!({"batch": "a", "rows": [], "note": "x"})), (400, "malformed")),
    ];
    for (told, (status, rule)) in cases {
        assert_eq!((told.0, told.1.as_str()), (status, rule));
    }
    let lost = gateway.get(&key, "/v1/residents");
    assert_eq!((lost.status, lost.rule().as_str()), (404, "no-such-path"));
    let wrong = gateway.ask(Some(&key), "GET /v1/change-batches", "text/plain", b"").unwrap();
    assert_eq!(wrong.status, 405);
    // One batch of a client at a time: while the first is still coming, the second waits outside.
    let body = batch("slow", &one).to_string();
    let head = format!(
        "POST /v1/change-batches HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let mut slow = gateway.dial(Some(&key));
    eventually("the first batch holds the place", std::time::Duration::from_secs(30), || {
        // Dialed anew: on a busy machine the second may have come in before the first.
        slow = gateway.dial(Some(&key));
        slow.write_all(head.as_bytes()).unwrap();
        slow.flush().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(300));
        let busy = gateway.post(&key, &batch("second", &[]));
        busy.status == 429 && busy.rule() == "busy" && busy.head.contains("retry-after: ")
    });
    slow.write_all(body.as_bytes()).unwrap();
    slow.flush().unwrap();
    assert_eq!(answered(&mut slow).unwrap().status, 200);
    country.await_tiers(KUNITACHI, 1);
}

#[test]
fn a_code_is_taken_from_the_pool_once_for_each_request() {
    let country = Country::with_tiers();
    let key = key();
    let gateway = Gateway::start(&configure(&country, &key, ""));
    let take = |request: &str| {
        let body = json!({ "request": request }).to_string();
        let line = "POST /v1/record-codes";
        gateway.ask(Some(&key), line, "application/json", body.as_bytes()).unwrap()
    };
    let (first, second) = ("0".repeat(31) + "1", "0".repeat(31) + "2");
    let mut taken = take(&first);
    eventually("the center has designated codes", std::time::Duration::from_secs(60), || {
        taken = take(&first);
        assert!(taken.status == 200 || taken.rule() == "pool-empty", "{taken:?}");
        taken.status == 200
    });
    assert_eq!(take(&first).json(), taken.json(), "the same request, the same code");
    let other = take(&second).json();
    assert_ne!(other["record_code"], taken.json()["record_code"]);
    assert_eq!(take("not a number").rule(), "request-id");
    let code = taken.json()["record_code"].as_str().unwrap().to_owned();
    assert!(law::code::RecordCode::parse(&code).is_ok());
    assert!(!gateway.log().contains(&code), "the code is not in the log");
    // The resident is recorded under it.
    let person = Person { code, ..person(1) };
    let sent = gateway.post(&key, &batch("born", &[row(&person, 1, "moved-in", ON)]));
    assert_eq!(sent.json()["recorded"], 1, "{sent:?}");
    country.await_tiers(KUNITACHI, 1);
}

#[test]
fn without_the_server_a_batch_is_sent_again_later_and_nothing_is_lost() {
    let mut country = Country::with_tiers();
    let key = key();
    let gateway = Gateway::start(&configure(&country, &key, ""));
    country.kill9("municipality-132152");
    let one = batch("later", &[moved_in(1, 1)]);
    let refused = gateway.post(&key, &one);
    assert_eq!((refused.status, refused.rule().as_str()), (503, "unavailable"), "{refused:?}");
    assert!(refused.head.contains("retry-after: "), "{refused:?}");
    assert_eq!(gateway.get(&key, "/v1/health").status, 503);
    country.start("municipality-132152");
    eventually("the server is reached again", std::time::Duration::from_secs(30), || {
        gateway.get(&key, "/v1/health").status == 200
    });
    assert_eq!(gateway.post(&key, &one).json()["recorded"], 1);
    country.await_tiers(KUNITACHI, 1);
}

#[test]
fn the_document_is_the_golden_and_the_gateway_does_what_it_says() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/openapi.json");
    let text = format!("{:#}\n", jukinet::gateway::openapi::document());
    if std::env::var_os("JUKINET_GOLDEN_WRITE").is_some() {
        fs::write(&golden, &text).unwrap();
    }
    let kept = fs::read_to_string(&golden).unwrap_or_default();
    assert!(kept == text, "run with JUKINET_GOLDEN_WRITE=1 and read the difference in git");
    let country = Country::with_tiers();
    let key = key();
    let gateway = Gateway::start(&configure(&country, &key, ""));
    let served = gateway.get(&key, "/openapi.json").json();
    assert_eq!(served, jukinet::gateway::openapi::document());
    assert_eq!(served["openapi"], "3.1.0");
    every_reference_leads_somewhere(&served, &served);
    for (path, methods) in served["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let request = format!("{} {path}", method.to_uppercase());
            let answer = gateway.ask(Some(&key), &request, "text/plain", b"").unwrap();
            let known = operation["responses"].get(answer.status.to_string());
            assert!(known.is_some(), "{request}: {} is not in the document", answer.status);
        }
    }
    // A row with every field of the document is taken; without a required one it is not.
    let schema = &served["components"]["schemas"]["Row"];
    let mut whole = moved_in(1, 1);
    whole["former_municipality_code"] = Value::Null;
    whole["previous_code"] = Value::Null;
    whole["alternative_name"] = json!("鸞　麟");
    whole["former_surname"] = json!("鵺");
    whole["foreign"] = json!(true);
    let fields = |value: &Value| {
        value.as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(fields(&whole), fields(&schema["properties"]));
    let sent = gateway.post(&key, &batch("whole", std::slice::from_ref(&whole))).json();
    assert_eq!(sent["recorded"], 1, "{sent}");
    for field in schema["required"].as_array().unwrap() {
        let mut row = moved_in(2, 2);
        row.as_object_mut().unwrap().remove(field.as_str().unwrap()).unwrap();
        let sent = gateway.post(&key, &batch("less", &[row])).json();
        assert_eq!(sent["rows"][0]["column"], *field, "{sent}");
        assert_eq!(sent["rows"][0]["rule"], "missing", "{sent}");
    }
}

fn every_reference_leads_somewhere(at: &Value, document: &Value) {
    match at {
        Value::Object(fields) => {
            if let Some(reference) = fields.get("$ref") {
                let pointer = reference.as_str().unwrap().trim_start_matches('#');
                assert!(document.pointer(pointer).is_some(), "{reference}");
            }
            fields.values().for_each(|value| every_reference_leads_somewhere(value, document));
        }
        Value::Array(list) => {
            list.iter().for_each(|value| every_reference_leads_somewhere(value, document));
        }
        _ => {}
    }
}

#[test]
fn characters_outside_the_table_are_rejected_before_anything_is_sent() {
    let country = Country::with_tiers();
    let key = key();
    let table = law::character::CharacterTable::small().to_tsv();
    country.write("characters.tsv", table.as_bytes());
    let gateway =
        Gateway::start(&configure(&country, &key, "characters = \"../../characters.tsv\""));
    let mut odd = moved_in(2, 2);
    odd["given_name"] = json!("\u{2000B}");
    let sent = gateway.post(&key, &batch("characters", &[moved_in(1, 1), odd]));
    let told = sent.json();
    assert_eq!(told["rows"][0]["outcome"], "recorded", "{told}");
    assert_eq!(told["rows"][1]["column"], "family_name", "{told}");
    assert_eq!(told["rows"][1]["rule"], "unknown-character", "{told}");
    assert!(!sent.body.contains('\u{2000B}'), "the character is not told back");
    country.await_tiers(KUNITACHI, 1);
}
