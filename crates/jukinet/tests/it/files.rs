//! Change files as they come: in Windows-31J, with gaps and contradictions, cut off in the middle,
//! changed behind our back. The rows themselves are `notice`'s.

use std::fs;
use std::path::Path;
use std::time::Duration;

use jukinet::feed::Profile;
use nix::sys::signal::Signal;

use crate::country::{Country, HEADER, KUNITACHI, Person, Ran, Tool, eventually, people};
use crate::country::{residents_csv, tool};

const ON: &str = "2024-04-01";
const CHANGES: &str = ",sequence,reason,changed_on,previous_code";

fn person(number: u64) -> Person {
    Person::number(number, KUNITACHI)
}

fn notice(country: &Country, file: &Path, more: &[&str]) -> Ran {
    let arguments = country.notice_arguments(KUNITACHI, file);
    let mut all: Vec<&str> = arguments.iter().map(String::as_str).collect();
    all.extend(more);
    tool(&all)
}

/// Row, column and rule of each rejected row, and the bytes of the file.
fn rejects(path: &Path) -> (Vec<[String; 3]>, Vec<u8>) {
    let bytes = fs::read(path).unwrap();
    let profiles = [Profile::Utf8, Profile::Windows31J];
    let text = profiles.iter().find_map(|profile| profile.decode(&bytes)).unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let row = |record: csv::StringRecord| [0, 1, 2].map(|at| record[at].to_owned());
    let rows = reader.records().map(|record| row(record.unwrap())).collect();
    (rows, bytes)
}

fn expected(rows: &[(u32, &str, &str)]) -> Vec<[String; 3]> {
    rows.iter()
        .map(|(row, column, rule)| [row.to_string(), (*column).into(), (*rule).into()])
        .collect()
}

#[test]
fn windows_31j_is_read_strictly_and_answered_in_kind() {
    let country = Country::with_tiers();
    let odd = Person { family: "髙﨑".into(), given: "①太郎".into(), ..person(1) };
    let quoted =
        Person { address: "東京都国立市東一丁目1番, \"ハイツ\"".into(), ..person(2) };
    let cell = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let row = |person: &Person| {
        let row = person.row();
        row.replace(&person.address, &cell(&person.address))
    };
    let header = HEADER.split(',').map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(",");
    let encode = |text: &str| Profile::Windows31J.encode(text).unwrap();
    let mut bytes = encode(&format!("{header}\r\n{}\r\n{}\r\n", row(&odd), row(&quoted)));
    let half = encode(&person(3).row());
    let at = half.iter().rposition(|byte| *byte == b',').unwrap();
    // Half a character at the end of the address, and one of the office's own (外字).
    bytes.extend(&half);
    bytes.extend(b"\x83\r\n");
    bytes.extend(&half[..=at]);
    bytes.extend(b"\xf0\x40\r\n");
    bytes.extend(encode(&format!("{}\r\n", person(5).row())));
    let file = country.write("old.csv", &bytes);
    // In the wrong profile not one row is guessed at.
    let wrong = notice(&country, &file, &[]);
    assert_eq!((wrong.code, wrong.json()["accepted"].as_u64()), (6, Some(0)), "{wrong:?}");
    let read = notice(&country, &file, &["--profile", "windows-31j"]);
    assert_eq!((read.code, read.json()["accepted"].as_u64()), (6, Some(3)), "{read:?}");
    let (told, written) = rejects(&file.with_extension("rejected.csv"));
    assert_eq!(
        told,
        expected(&[(4, "address", "unknown-character"), (5, "address", "unknown-character")])
    );
    assert!(written.windows(2).filter(|pair| pair == b"\r\n").count() == 3, "its own line ends");
    country.await_tiers(KUNITACHI, 3);
    // The same people from a UTF-8 file are the same rows: nothing was changed on the way.
    let utf_8 = format!("\u{feff}{header}\r\n{}\r\n{}\r\n", row(&odd), row(&quoted));
    let same = country.write("new.csv", utf_8.as_bytes());
    let sent = notice(&country, &same, &[]);
    assert_eq!((sent.code, sent.json()["duplicates"].as_u64()), (0, Some(2)), "{sent:?}");
    let marked = notice(&country, &same, &["--profile", "windows-31j"]);
    assert_eq!(marked.code, 2);
    assert!(marked.stderr.contains("byte order mark"), "{marked:?}");
}

#[test]
fn what_rows_say_among_themselves_is_judged_and_the_rest_applied() {
    let country = Country::with_tiers();
    let change = |person: &Person, sequence: &str, reason: &str, more: &str| {
        format!("{},{sequence},{reason},{ON},{more}", person.row())
    };
    let moved = Person { address: "東京都国立市東二丁目2番".into(), ..person(1) };
    let other = Person { address: "東京都国立市東三丁目3番".into(), ..person(1) };
    let rows = [
        change(&person(1), "1", "moved-in", ",,,,"),
        change(&moved, "2", "moved-within", ",,,,"),
        change(&other, "3", "moved-within", ",,,,"),
        change(&person(3), "3", "moved-in", ",,,,"),
        change(&person(4), "7", "born", ",,,,"),
        change(&person(5), "5", "born", ",,,,"),
        change(&person(6), "8", "born", ",132047,,,"),
        change(&person(7), "9", "moved-in", ",132048,,,"),
        change(&person(8), "10", "born", ",,,,2"),
        change(&person(9), "11", "number-changed-on-request", ",,,,"),
        change(&person(10), "12", "born", ",,鸞　麟,鵺,1"),
        change(&person(11), "13", "moved-in", ",132047,,,"),
    ];
    let header = format!(
        "{HEADER}{CHANGES},former_municipality_code,alternative_name,former_surname,foreign"
    );
    let text = format!("{header}\n{}\n", rows.join("\n"));
    let file = country.write("among.csv", text.as_bytes());
    let wrong = [
        (4, "record_code", "conflicting-change"),
        (5, "sequence", "sequence-duplicate"),
        (6, "sequence", "sequence-gap"),
        (7, "sequence", "sequence-order"),
        (8, "former_municipality_code", "not-of-this-reason"),
        (9, "former_municipality_code", "malformed"),
        (10, "foreign", "malformed"),
        (11, "reason", "number-not-held"),
    ];
    for again in [false, true] {
        let sent = notice(&country, &file, &[]);
        assert_eq!(sent.code, 6, "{sent:?}");
        let report = sent.json();
        let taken = ["accepted", "duplicates", "waiting"].map(|key| report[key].as_u64().unwrap());
        assert_eq!((taken.iter().sum(), taken[2]), (4_u64, 1), "{report}");
        assert!(!again || taken[0] == 0, "nothing twice: {report}");
        assert_eq!(rejects(&file.with_extension("rejected.csv")).0, expected(&wrong), "{again}");
    }
}

#[test]
fn a_file_that_was_stopped_goes_on_where_it_was_and_a_changed_one_does_not() {
    const RESIDENTS: u64 = 6_000;
    let country = Country::with_tiers();
    let text = residents_csv(&people(RESIDENTS, KUNITACHI));
    let file = country.write("many.csv", text.as_bytes());
    let sidecar = country.dir().join("many.csv.progress");
    let arguments = country.notice_arguments(KUNITACHI, &file);
    let started = Tool::start(&arguments.each_ref().map(String::as_str));
    eventually("the first batch is acknowledged", Duration::from_secs(60), || sidecar.exists());
    started.signal(Signal::SIGINT);
    let stopped = started.finish(Duration::from_secs(30));
    assert_eq!(stopped.code, 1, "{stopped:?}");
    assert!(stopped.stderr.contains("the same command goes on there"), "{stopped:?}");
    let kept = fs::read_to_string(&sidecar).unwrap();
    assert!(!kept.contains(&person(1).code) && kept.contains("sha256"), "counts only: {kept}");
    // Another file under the same name is not gone on with.
    let changed = text.replacen("シケン", "シケソ", 1);
    fs::write(&file, changed).unwrap();
    let refused = notice(&country, &file, &[]);
    assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{refused:?}");
    assert!(refused.stderr.contains("the file has changed since its row"), "{refused:?}");
    fs::write(&file, &text).unwrap();
    let refused = notice(&country, &file, &["--profile", "windows-31j"]);
    assert!(refused.code == 2 && refused.stderr.contains("--profile"), "{refused:?}");
    // Killed without a word, then to the end.
    let started = Tool::start(&arguments.each_ref().map(String::as_str));
    std::thread::sleep(Duration::from_millis(500));
    started.signal(Signal::SIGKILL);
    started.finish(Duration::from_secs(30));
    let done = notice(&country, &file, &[]);
    assert_eq!(done.code, 0, "{done:?}");
    let report = done.json();
    let count = |key: &str| report[key].as_u64().unwrap();
    assert_eq!(count("accepted") + count("duplicates"), RESIDENTS, "{report}");
    assert!(count("duplicates") > 0 && count("rows") == RESIDENTS, "{report}");
    assert!(!sidecar.exists(), "done is done");
    country.await_tiers(KUNITACHI, RESIDENTS);
}

#[test]
fn rejected_rows_of_an_older_run_do_not_lie_about() {
    let country = Country::with_tiers();
    let wrong = residents_csv(&[person(1)]).replace(",2,19", ",3,19");
    let file = country.write("one.csv", wrong.as_bytes());
    assert_eq!(notice(&country, &file, &[]).code, 6);
    let rejected = country.dir().join("one.rejected.csv");
    assert_eq!(rejects(&rejected).0, expected(&[(2, "sex", "malformed")]));
    fs::write(&file, residents_csv(&[person(1)])).unwrap();
    assert_eq!(notice(&country, &file, &[]).code, 0);
    assert!(!rejected.exists(), "nothing is rejected any more");
    // A file of somebody else is not taken for one of ours.
    let precious = country.write("precious.txt", b"dear diary");
    let refused = notice(&country, &file, &["--rejects", &precious.display().to_string()]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert_eq!(fs::read(&precious).unwrap(), b"dear diary");
}

#[test]
fn characters_outside_the_table_of_the_office_are_not_sent() {
    let country = Country::with_tiers();
    let config = country.config("municipality-132152");
    let text = fs::read_to_string(&config).unwrap();
    country.write("characters.tsv", law::character::CharacterTable::small().to_tsv().as_bytes());
    let with = text.replace("[feed]\n", "[feed]\ncharacters = \"../../characters.tsv\"\n");
    fs::write(&config, with).unwrap();
    let rare = Person { given: "\u{2000B}".into(), ..person(2) };
    let shape = Person { family: "邉\u{E0119}".into(), ..person(3) };
    let unknown = Person { family: "邉\u{E0101}".into(), ..person(4) };
    let text = residents_csv(&[person(1), rare, shape, unknown]);
    let file = country.write("rare.csv", text.as_bytes());
    let sent = notice(&country, &file, &[]);
    assert_eq!((sent.code, sent.json()["accepted"].as_u64()), (6, Some(2)), "{sent:?}");
    let told = rejects(&country.dir().join("rare.rejected.csv"));
    let rule = "unknown-character";
    assert_eq!(told.0, expected(&[(3, "family_name", rule), (5, "family_name", rule)]));
    assert!(!String::from_utf8(told.1).unwrap().contains('\u{2000B}'));
    country.await_tiers(KUNITACHI, 2);
    fs::write(country.dir().join("characters.tsv"), "not a table").unwrap();
    let refused = notice(&country, &file, &[]);
    assert!(refused.code == 2 && refused.stderr.contains("characters.tsv"), "{refused:?}");
}

#[test]
fn what_a_register_holds_beyond_a_notice_is_dropped_before_it_is_sent() {
    let mut country = Country::with_tiers();
    let header = format!("{HEADER},household_id,relationship,nationality");
    let canaries = ["世帯鷽替7", "続柄鷽替8", "国籍鷽替9"];
    let row = |number: u64| format!("{},{}", person(number).row(), canaries.join(","));
    let text = format!("{header}\n{}\n{}\n", row(1), row(2));
    let file = country.write("register.csv", text.as_bytes());
    let sent = notice(&country, &file, &[]);
    assert_eq!((sent.code, sent.json()["accepted"].as_u64()), (0, Some(2)), "{sent:?}");
    country.await_tiers(KUNITACHI, 2);
    country.stop_all();
    // Sealed rows would hide a canary from this scan: the message itself is looked at, too.
    let message = sent_of(&text);
    let holds = |bytes: &[u8], needle: &str| {
        bytes.windows(needle.len()).any(|window| window == needle.as_bytes())
    };
    assert!(holds(&message, &person(1).family), "the message is readable");
    for canary in canaries {
        assert!(!holds(&message, canary), "{canary} is sent");
        for (path, bytes) in crate::vendor::files(country.dir()) {
            assert!(path == file || !holds(&bytes, canary), "{canary}: {}", path.display());
        }
    }
}

/// The rows of a file as the bytes that go to the server.
fn sent_of(text: &str) -> Vec<u8> {
    use jukinet::feed::{FileReading, Row, Rows};
    let how = FileReading { own: None, profile: Profile::Utf8, characters: None };
    let rows = Rows::open(text.as_bytes(), how).unwrap();
    let notice = |row: Row| match row {
        Row::Notice(row) => wire::RelayedNotice {
            municipality: row.notice.record.municipality,
            sequence: 1,
            notice: row.notice,
            release: None,
        },
        other => panic!("{other:?}"),
    };
    rows.flat_map(|row| notice(row.unwrap()).encode().unwrap()).collect()
}
