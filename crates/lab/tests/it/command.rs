//! The command as scripts meet it: exit codes, stdout for data, stderr for talk.

use std::process::{Command, Output};

fn jukilab(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_jukilab")).args(arguments).output().unwrap()
}

#[test]
fn population_writes_the_file_and_says_its_hash() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().to_str().unwrap();
    let base = ["population", "--residents", "500", "--seed", "9"];
    let to_file = jukilab(&[&base[..], &["--out", out, "--json"]].concat());
    assert!(to_file.status.success());
    assert!(to_file.stderr.is_empty(), "talk without a terminal");
    let summary: serde_json::Value = serde_json::from_slice(&to_file.stdout).unwrap();
    let file = std::fs::read(directory.path().join("residents.csv")).unwrap();
    assert_eq!(summary["rows"], 500);
    assert_eq!(summary["bytes"], file.len());
    let to_stdout = jukilab(&[&base[..], &["--stdout"]].concat());
    assert_eq!(to_stdout.stdout, file);
    let said = String::from_utf8(to_stdout.stderr).unwrap();
    assert!(said.contains(summary["sha256"].as_str().unwrap()), "{said}");
}

#[test]
fn population_writes_events_margins_and_a_picture() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().to_str().unwrap();
    let base = ["population", "--residents", "1500", "--seed", "9", "--out", out, "--json"];
    let more = ["--format", "binary", "--protected", "--report", "--years", "1"];
    let made = jukilab(&[&base[..], &more, &["--municipalities", "132152"]].concat());
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let summary: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    let read = |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap();
    let rows = |name: &str| read(name).lines().count() as u64 - 1;
    assert_eq!(summary["lives"]["events"], rows("events.csv"));
    assert_eq!(summary["protected"], rows("protected.csv"));
    assert!(read("margins.txt").contains("family name"));
    assert!(read("pyramid.svg").starts_with("<svg"));
    let bytes = std::fs::read(directory.path().join("residents.bin")).unwrap();
    assert_eq!(summary["bytes"], bytes.len());
    let lines = jukilab(&[&base[..], &["--years", "1", "--events", "json"]].concat());
    assert!(lines.status.success());
    for line in read("events.jsonl").lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(event["date"].is_string() && event["event"].is_string());
    }
    assert_eq!(jukilab(&[&base[..], &["--years", "51"]].concat()).status.code(), Some(2));
    let early = [&base[..], &["--years", "1", "--from", "2020-10-01"]].concat();
    assert_eq!(jukilab(&early).status.code(), Some(2));
}

#[test]
fn wrong_options_are_usage_errors() {
    let unknown = ["population", "--residents", "5", "--seed", "1", "--stdout"];
    let unknown = [&unknown[..], &["--municipalities", "999999"]].concat();
    for arguments in [&unknown[..], &["population", "--residents", "5", "--seed", "1"], &[]] {
        let output = jukilab(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn swarm_says_what_it_saw() {
    let output = jukilab(&["swarm", "--seeds", "1..3", "--steps", "1500", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "talk without a terminal");
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["ok"], true);
    assert_eq!(document["worlds"], 2);
    assert!(document["answers"].as_u64().unwrap() > 0);
    for seeds in ["3..3", "x", "5..1"] {
        assert_eq!(jukilab(&["swarm", "--seeds", seeds]).status.code(), Some(2), "{seeds}");
    }
}

#[test]
fn a_bench_needs_a_name_a_length_and_a_binary_to_measure() {
    let wrong: [&[&str]; 3] =
        [&["bench"], &["bench", "B99"], &["bench", "B1", "--seconds", "0", "--quiet"]];
    for arguments in wrong {
        let output = jukilab(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty());
    }
    let nothing = ["bench", "B5", "--seconds", "1", "--jukinet", "/nowhere/jukinet", "--quiet"];
    let output = jukilab(&nothing);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty(), "no figures without a run");
    assert!(String::from_utf8(output.stderr).unwrap().contains("/nowhere/jukinet"));
}
