//! A move between two municipalities as real processes: claims over the exchanges, signed releases,
//! and what an operator sees while somebody waits.

use std::path::PathBuf;
use std::time::Duration;

use crate::country::{Country, HEADER, KUNITACHI, MITAKA, Person, eventually, tool};

const PATIENCE: Duration = Duration::from_secs(60);
const OLD: &str = "municipality-132152";
const NEW: &str = "municipality-132047";

fn change_file(country: &Country, name: &str, row: &str) -> PathBuf {
    let text = format!("{HEADER},reason,changed_on,former_municipality_code\n{row}\n");
    country.write(name, text.as_bytes())
}

/// The same person at the new address.
fn moved(person: &Person) -> Person {
    let address = "東京都三鷹市野崎1丁目1番".to_owned();
    Person { address, municipality: MITAKA, ..person.clone() }
}

fn residents(country: &Country, node: &str) -> u64 {
    let ran = country.fsck(node);
    assert_eq!(ran.code, 0, "{node}: {ran:?}");
    ran.json()["residents"].as_u64().unwrap()
}

fn set_aside(country: &Country, node: &str) -> Vec<(String, String)> {
    let ran = tool(&["set-aside", "list", "--json", "--config", &country.config(node)]);
    let rows = ran.json()["set_aside"].as_array().unwrap().clone();
    assert_eq!(ran.code, if rows.is_empty() { 0 } else { 6 }, "{ran:?}");
    let text = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap().to_owned();
    rows.iter().map(|row| (text(row, "kind"), text(row, "rule"))).collect()
}

#[test]
fn a_resident_moves_with_the_former_municipality_s_word() {
    let mut country = Country::with_tiers();
    country.start(NEW);
    let person = Person::number(1, KUNITACHI);
    let born = change_file(&country, "in.csv", &format!("{},moved-in,2024-01-05,", person.row()));
    assert_eq!(country.notice(KUNITACHI, &born).code, 0);
    country.await_tiers(KUNITACHI, 1);

    // Filed at the new municipality first: accepted, and on the list of what waits.
    let here = format!("{},moved-in,2024-05-02,{KUNITACHI}", moved(&person).row());
    let arriving = change_file(&country, "arriving.csv", &here);
    let filed = country.notice(MITAKA, &arriving);
    assert_eq!((filed.code, filed.json()["waiting"].as_u64()), (0, Some(1)), "{filed:?}");
    let refused = vec![("arrival".to_owned(), "not-released".to_owned())];
    eventually("the former municipality was asked", PATIENCE, || {
        set_aside(&country, NEW) == refused
    });
    let listed = tool(&["set-aside", "list", "--config", &country.config(NEW)]);
    for personal in [&person.code, &person.family, &person.birth] {
        assert!(!listed.stdout.contains(personal.as_str()), "nobody's data is listed");
    }
    assert_eq!((residents(&country, OLD), residents(&country, NEW)), (1, 0));

    // The moving-out is recorded; the new municipality is killed and comes back meanwhile.
    country.kill9(NEW);
    let gone = format!("{},moved-out,2024-05-01,", person.row());
    let leaving = change_file(&country, "leaving.csv", &gone);
    assert_eq!(country.notice(KUNITACHI, &leaving).code, 0);
    eventually("nobody is current anywhere", PATIENCE, || residents(&country, "center") == 0);
    country.start(NEW);
    eventually("the resident arrived", PATIENCE, || {
        residents(&country, NEW) == 1 && residents(&country, "center") == 1
    });
    assert_eq!(residents(&country, OLD), 0);
    for node in [OLD, NEW, "prefecture-13", "center"] {
        assert_eq!(set_aside(&country, node), vec![], "{node}");
    }
    let again = country.notice(MITAKA, &arriving).json();
    assert_eq!(again["duplicates"], 1, "the same file can be sent again");
}

#[test]
fn what_cannot_be_applied_is_listed_and_let_go_with_a_record() {
    let mut country = Country::with_tiers();
    country.start(NEW);
    let person = Person::number(1, KUNITACHI);
    let here = change_file(&country, "in.csv", &format!("{},moved-in,2024-01-05,", person.row()));
    assert_eq!(country.notice(KUNITACHI, &here).code, 0);
    country.await_tiers(KUNITACHI, 1);
    // The same resident entered elsewhere on that municipality's own word.
    let there = format!("{},moved-in,2024-05-02,", moved(&person).row());
    let there = change_file(&country, "there.csv", &there);
    assert_eq!(country.notice(MITAKA, &there).code, 0);
    let refused = vec![("refused".to_owned(), "not-released".to_owned())];
    eventually("it was set aside, and its sender knows", PATIENCE, || {
        set_aside(&country, "prefecture-13") == refused && set_aside(&country, NEW) == refused
    });
    assert_eq!(residents(&country, "center"), 1);
    let config = country.config("prefecture-13");
    let mut arguments = vec!["set-aside", "drop", "--config", &config, "--from", NEW];
    arguments.extend(["--number", "1", "--because", "entered by mistake"]);
    let running = tool(&arguments);
    assert_eq!(running.code, 1, "not beside the running node: {running:?}");
    country.stop("prefecture-13");
    let none = tool(&[&arguments[..7], &["2", "--because", "x"]].concat());
    assert_eq!(none.code, 4, "{none:?}");
    let dropped = tool(&arguments);
    assert_eq!(dropped.code, 0, "{dropped:?}");
    assert_eq!(set_aside(&country, "prefecture-13"), vec![]);
    let ledger = country.made.node("prefecture-13").unwrap().folder.join("ledger");
    let verified = tool(&["ledger", "verify", &ledger.display().to_string()]);
    assert_eq!(verified.code, 0, "{verified:?}");
    assert_eq!(country.fsck("prefecture-13").code, 0);
}
