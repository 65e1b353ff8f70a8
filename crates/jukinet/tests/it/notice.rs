//! Files of changes as registers really send them: wrong rows are named without a personal value,
//! the others are applied, and every reason of S1 arrives at the center.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use crate::country::{Country, HEADER, KUNITACHI, MITAKA, Person, Ran, residents_csv};

const CHANGES: &str = ",sequence,reason,changed_on,previous_code";
/// A day on which a change may have been made, for whoever runs this.
const ON: &str = "2024-04-01";

fn change(person: &Person, sequence: &str, reason: &str, on: &str, previous: &str) -> String {
    format!("{},{sequence},{reason},{on},{previous}", person.row())
}

fn changes_csv(rows: &[String]) -> Vec<u8> {
    format!("{HEADER}{CHANGES}\n{}\n", rows.join("\n")).into_bytes()
}

/// Nothing that was said or written holds anything about any of these people.
fn silent_about(people: &[Person], texts: &[&str]) {
    for text in texts {
        for person in people {
            for needle in [&person.code, &person.family, &person.given, &person.address] {
                assert!(!text.contains(needle.as_str()), "a personal value is told: {text}");
            }
            assert!(!text.contains(&person.birth), "a birth date is told: {text}");
        }
    }
}

fn rejects(country: &Country, name: &str) -> (String, Vec<[String; 4]>) {
    let path = country.dir().join(name);
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "only its owner reads it");
    let text = fs::read_to_string(path).unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    assert_eq!(reader.headers().unwrap(), vec!["row", "column", "rule", "remedy", "line"]);
    let row = |record: csv::StringRecord| [0, 1, 2, 3].map(|at| record[at].to_owned());
    let rows = reader.records().map(|record| row(record.unwrap())).collect();
    (text, rows)
}

/// Every way a row can be wrong, with the column and the rule that must be named for it.
fn wrong_rows(known: &Person) -> Vec<(Vec<u8>, &'static str, &'static str)> {
    let person = |number: u64| Person::number(700 + number, KUNITACHI);
    let entry = |person: &Person| change(person, "", "moved-in", ON, "");
    let digit = |code: &str| {
        let last = (code.as_bytes()[10] - b'0' + 1) % 10;
        format!("{}{last}", &code[..10])
    };
    let odd = Person { code: digit(&person(1).code), ..person(1) };
    let date = Person { birth: "1985-02-30".into(), ..person(2) };
    let town = Person { municipality: "132150", ..person(7) };
    let elsewhere = Person { municipality: MITAKA, ..person(8) };
    let control = Person { given: "鵺\u{7}鵺".into(), ..person(9) };
    let bidi = Person { address: "東京都国立市\u{202e}一".into(), ..person(10) };
    let mut broken = entry(&person(11)).into_bytes();
    let at = broken.iter().position(|byte| *byte == b',').unwrap() + 1;
    broken[at] = 0xff;
    let rows: Vec<(String, &'static str, &'static str)> = vec![
        (entry(&odd), "record_code", "check-digit"),
        (entry(&date), "birth", "malformed"),
        (change(&person(3), "", "moved-somewhere", ON, ""), "reason", "unknown"),
        (change(&person(4), "", "moved-in", "2024-13-01", ""), "changed_on", "malformed"),
        (change(&person(4), "", "moved-in", "2124-01-01", ""), "changed_on", "in-the-future"),
        (person(5).row(), "row", "field-count"),
        (format!("{},more", entry(&person(6))), "row", "field-count"),
        (entry(&town), "municipality_code", "malformed"),
        (entry(&elsewhere), "municipality_code", "other-municipality"),
        (entry(&control), "family_name", "text"),
        (entry(&bidi), "address", "text"),
        (change(&person(12), "", "moved-out", ON, ""), "record_code", "not-recorded"),
        (change(known, "", "moved-in", ON, ""), "record_code", "already-recorded"),
        (change(&person(13), "x", "moved-in", ON, ""), "sequence", "malformed"),
        (change(&person(14), "", "", ON, ""), "reason", "missing"),
        (
            change(&person(15), "", "code-changed-on-request", ON, &person(99).code),
            "previous_code",
            "not-recorded",
        ),
        (
            change(&person(16), "", "code-changed-on-request", ON, ""),
            "previous_code",
            "previous-code-missing",
        ),
    ];
    let rows = rows.into_iter().map(|(row, column, rule)| (row.into_bytes(), column, rule));
    rows.chain([(broken, "family_name", "unknown-character")]).collect()
}

#[test]
fn wrong_rows_are_named_without_a_value_and_the_others_are_applied() {
    let country = Country::with_agency();
    let known = Person::number(1, KUNITACHI);
    let first = country.write("first.csv", residents_csv(std::slice::from_ref(&known)).as_bytes());
    assert_eq!(country.notice(KUNITACHI, &first).code, 0);
    let wrong = wrong_rows(&known);
    let good: Vec<Person> =
        (0..=wrong.len() as u64).map(|number| Person::number(500 + number, KUNITACHI)).collect();
    let mut bytes = format!("{HEADER}{CHANGES}\n").into_bytes();
    // A right row before, between and after the wrong ones.
    for (at, person) in good.iter().enumerate() {
        bytes.extend(change(person, "", "moved-in", ON, "").into_bytes());
        bytes.push(b'\n');
        if let Some((row, ..)) = wrong.get(at) {
            bytes.extend(row);
            bytes.push(b'\n');
        }
    }
    let file = country.write("changes.csv", &bytes);
    let sent = country.notice(KUNITACHI, &file);
    assert_eq!(sent.code, 6, "{sent:?}");
    let report = sent.json();
    assert_eq!(report["accepted"].as_u64(), Some(good.len() as u64), "{sent:?}");
    assert_eq!(report["rejected"].as_u64(), Some(wrong.len() as u64), "{sent:?}");
    let (text, rows) = rejects(&country, "changes.rejected.csv");
    let expected: Vec<[String; 3]> = wrong
        .iter()
        .enumerate()
        .map(|(at, (_, column, rule))| [(3 + 2 * at).to_string(), (*column).into(), (*rule).into()])
        .collect();
    let told: Vec<[String; 3]> =
        rows.iter().map(|[row, column, rule, _]| [row, column, rule].map(Clone::clone)).collect();
    assert_eq!(told, expected);
    assert!(rows.iter().all(|[.., remedy]| remedy.len() > 8), "every row has a remedy: {text}");
    let mut everyone: Vec<Person> = (700..720).map(|n| Person::number(n, KUNITACHI)).collect();
    everyone.extend(good.iter().cloned().chain([known]));
    let log = country.log("municipality-132152");
    silent_about(&everyone, &[&text, &sent.stdout, &sent.stderr, &log]);
    // The same file again: nothing twice, the same rows still wrong.
    let again = country.notice(KUNITACHI, &file);
    assert_eq!(again.code, 6, "{again:?}");
    assert_eq!(again.json()["duplicates"].as_u64(), Some(good.len() as u64), "{again:?}");
    assert_eq!(rejects(&country, "changes.rejected.csv").1.len(), wrong.len());
    country.await_tiers(KUNITACHI, good.len() as u64 + 1);
}

#[test]
fn a_file_that_is_no_file_of_changes_is_refused_whole() {
    let country = Country::with_tiers();
    let person = Person::number(1, KUNITACHI);
    let lacks = HEADER.replace(",birth", "");
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (format!("{lacks}\n").into_bytes(), "lacks the column birth"),
        (
            format!("{HEADER},shoe_size\n{},27\n", person.row()).into_bytes(),
            "column 10 of the header",
        ),
        (format!("{HEADER},birth\n{},x\n", person.row()).into_bytes(), "twice (birth)"),
        (b"\xff\xfe\x00".to_vec(), "UTF-8"),
        (Vec::new(), "lacks the column"),
    ];
    for (bytes, words) in cases {
        let file = country.write("odd.csv", &bytes);
        let refused = country.notice(KUNITACHI, &file);
        assert_eq!(refused.code, 2, "{words}: {refused:?}");
        assert!(refused.stderr.contains(words), "{words}: {refused:?}");
        assert!(refused.stderr.contains("odd.csv"), "{words}: {refused:?}");
        assert_eq!(refused.stdout, "", "no counts of rows that were not read");
        silent_about(std::slice::from_ref(&person), &[&refused.stdout, &refused.stderr]);
    }
    let missing = country.notice(KUNITACHI, &PathBuf::from("/nonexistent/changes.csv"));
    assert_eq!(missing.code, 2, "{missing:?}");
    assert!(country.nobody_held());
}

/// Each reason once, on people who are there already where it needs them.
fn all_ten(people: &[Person]) -> Vec<(Person, &'static str, String)> {
    let keys = [
        "moved-in",
        "born",
        "entered-ex-officio",
        "moved-out",
        "died",
        "deleted-ex-officio",
        "moved-within",
        "corrected-ex-officio",
        "code-changed-on-request",
        "code-entered-ex-officio",
    ];
    let changed = |(person, key): (&Person, &'static str)| {
        let (mut after, mut previous) = (person.clone(), String::new());
        match key {
            "moved-within" => after.address = format!("{}201号", person.address),
            "corrected-ex-officio" => after.given = format!("{}雪", person.given),
            "code-changed-on-request" | "code-entered-ex-officio" => {
                previous.clone_from(&person.code);
                let next = person.code[..10].parse::<u64>().unwrap() + 3;
                let code = law::code::RecordCode::from_ten_digits(next).unwrap();
                after.code = code.expose().to_owned();
            }
            _ => {}
        }
        (after, key, previous)
    };
    people.iter().zip(keys).map(changed).collect()
}

#[test]
fn all_ten_reasons_reach_the_center_and_are_told_with_their_day() {
    let country = Country::with_agency();
    let before: Vec<Person> = (1..=10).map(|number| Person::number(number, KUNITACHI)).collect();
    let standing = country.write("standing.csv", residents_csv(&before[3..]).as_bytes());
    assert_eq!(country.notice(KUNITACHI, &standing).code, 0);
    let changes = all_ten(&before);
    let rows: Vec<String> = changes
        .iter()
        .zip(1..)
        .map(|((after, key, previous), at): (_, u32)| {
            change(after, &at.to_string(), key, ON, previous)
        })
        .collect();
    let file = country.write("ten.csv", &changes_csv(&rows));
    let sent = country.notice(KUNITACHI, &file);
    assert_eq!((sent.code, sent.json()["accepted"].as_u64()), (0, Some(10)), "{sent:?}");
    let again = country.notice(KUNITACHI, &file);
    assert_eq!((again.code, again.json()["duplicates"].as_u64()), (0, Some(10)), "{again:?}");
    country.await_tiers(KUNITACHI, 7);
    for (after, key, previous) in &changes {
        let found = country.ask(&["--code", &after.code]);
        let hit = &found.json()["hits"][0];
        assert_eq!(hit["change"]["reason"].as_str(), Some(*key), "{key}: {found:?}");
        assert_eq!(hit["change"]["on"].as_str(), Some(ON), "{key}");
        assert_eq!(hit["name"].as_str(), Some(after.name().as_str()), "{key}");
        assert_eq!(hit["address"].as_str(), Some(after.address.as_str()), "{key}");
        if !previous.is_empty() {
            let old: Ran = country.ask(&["--code", previous]);
            assert_eq!(old.codes(), Vec::<String>::new(), "the former code leads nowhere");
        }
    }
}

#[test]
fn a_corrected_row_under_a_number_gone_past_is_not_lost_without_a_word() {
    let country = Country::with_tiers();
    let person = |number: u64| Person::number(number, KUNITACHI);
    let rows = |list: &[(Person, &str)]| {
        let list: Vec<String> =
            list.iter().map(|(person, at)| change(person, at, "moved-in", ON, "")).collect();
        changes_csv(&list)
    };
    let send = |bytes: &[u8]| {
        let sent = country.notice(KUNITACHI, &country.write("numbered.csv", bytes));
        let report = sent.json();
        let count = |key: &str| report[key].as_u64().unwrap();
        (sent.code, count("accepted"), count("duplicates"), count("rejected"))
    };
    let wrong = Person { municipality: MITAKA, ..person(2) };
    let first = [(person(1), "1"), (wrong, "2"), (person(3), "3")];
    assert_eq!(send(&rows(&first)), (6, 2, 0, 1));
    // Put right under the old number: not taken, and said so; under a new one it is.
    let same = [(person(1), "1"), (person(2), "2"), (person(3), "3")];
    assert_eq!(send(&rows(&same)), (6, 0, 2, 1));
    let (_, told) = rejects(&country, "numbered.rejected.csv");
    assert_eq!(told[0][..3], ["3", "sequence", "sequence-passed"]);
    let put_right = [(person(2), "4")];
    assert_eq!(send(&rows(&put_right)), (0, 1, 0, 0));
    assert_eq!(send(&rows(&put_right)), (0, 0, 1, 0));
    country.await_tiers(KUNITACHI, 3);
}
