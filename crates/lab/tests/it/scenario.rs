//! Scenarios as text: the page is what the files say, every file is played, and what is no script
//! or no place to play is refused by name. The playing itself is the stage `scenarios`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lab::scenario::{SHIPPED, Scripts, page};

fn shipped() -> Scripts {
    let texts: Vec<(String, String)> =
        SHIPPED.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect();
    Scripts::parse(&texts).unwrap()
}

fn jukilab(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_jukilab")).arg("scenario").args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn every_script_is_read_and_none_is_forgotten() {
    shipped();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut there: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    there.sort();
    let mut played: Vec<&str> = SHIPPED.iter().map(|(file, _)| *file).collect();
    played.sort_unstable();
    assert_eq!(there, played);
}

#[test]
fn every_incident_is_told_with_its_number_and_its_source() {
    let all = SHIPPED.iter().map(|(_, text)| *text).collect::<String>();
    for incident in 1..=12 {
        assert!(all.contains(&format!("(J{incident})")), "J{incident}");
    }
}

#[test]
fn the_page_is_what_the_scripts_say() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/scenarios.md");
    let written = std::fs::read_to_string(path).unwrap_or_default();
    let again = "write it again: jukilab scenario --write docs/scenarios.md";
    assert!(written == page(&shipped()), "docs/scenarios.md differs; {again}");
}

#[test]
fn a_step_that_says_nothing_is_refused_with_its_line_and_the_nearest_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("odd.feature");
    let script = "Feature: F\n\n  Scenario: S\n    Given \"甲\" is a resident in 国立市\n";
    std::fs::write(&file, script).unwrap();
    let output = jukilab(&[file.to_str().unwrap(), "--list"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("odd.feature:4"), "{said}");
    assert!(said.contains("{who} is a resident of {place}"), "{said}");
    let missing = jukilab(&["no-such.feature"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(text(&missing.stderr).contains("no-such.feature"));
    let nobody = jukilab(&["--only", "a scenario of this name"]);
    assert_eq!(nobody.status.code(), Some(2));
}

#[test]
fn scripts_and_vocabulary_are_listed_without_a_country() {
    let list = jukilab(&["--list"]);
    assert!(list.status.success() && list.stderr.is_empty());
    let list = text(&list.stdout);
    assert!(list.contains("yokohama-2023.feature:"), "{list}");
    assert!(list.contains("(not yet: support-measures)"), "{list}");
    for words in [&["--steps"][..], &["steps"]] {
        let steps = jukilab(words);
        assert!(steps.status.success());
        let steps = text(&steps.stdout);
        assert!(steps.contains("it is refused by rule {rule}"), "{steps}");
        assert!(steps.contains("規則{rule}により拒否される"), "{steps}");
    }
}

/// A folder laid out like an installation whose ledgers have this origin.
fn installation(folder: &Path, origin: &str) {
    let node = folder.join("nodes/center");
    std::fs::create_dir_all(&node).unwrap();
    std::fs::write(node.join("ledger.vkey"), format!("{origin}center+00000000+AAAA\n")).unwrap();
    std::fs::write(folder.join("residents.csv"), "record_code\n").unwrap();
}

#[test]
fn an_installation_that_is_not_for_exercises_is_not_played_in() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    let binary = env!("CARGO_BIN_EXE_jukilab");
    installation(folder.path(), "city.lg.jp/");
    let output = jukilab(&["--installation", dir, "--jukinet", binary]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty(), "nothing was played");
    let said = text(&output.stderr);
    assert!(said.contains("not marked as an exercise installation"), "{said}");
    let alone = jukilab(&["--exercise-that-changes-its-registers"]);
    assert_eq!(alone.status.code(), Some(2), "it needs an installation");
}
