//! The page of figures: exactly what the command writes from the committed records.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

fn report(results: &Path, page: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jukilab"));
    command.args(["bench", "report", "--results"]).arg(results).arg("--out").arg(page);
    command.args(more).output().unwrap()
}

#[test]
fn the_page_is_what_the_records_give() {
    let page = docs().join("performance.md");
    let checked = report(&docs().join("performance"), &page, &["--check"]);
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(checked.status.success(), "{said}; write it with jukilab bench report");
    let text = std::fs::read_to_string(page).unwrap();
    assert!(text.contains("Published, not measured"));
}

#[test]
fn a_page_that_was_edited_by_hand_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("performance.md");
    let text = std::fs::read_to_string(docs().join("performance.md")).unwrap();
    std::fs::write(&page, text.replacen("reached", "surpassed", 1)).unwrap();
    let checked = report(&docs().join("performance"), &page, &["--check"]);
    assert_eq!(checked.status.code(), Some(3));
}

#[test]
fn records_of_two_machines_make_no_page() {
    let folder = tempfile::tempdir().unwrap();
    let (results, page) = (folder.path().join("performance"), folder.path().join("page.md"));
    std::fs::create_dir(&results).unwrap();
    let made = |name: &str, machine: &str| {
        let text = include_str!("fixtures/record.json").replace("a-machine", machine);
        std::fs::write(results.join(name), text).unwrap();
    };
    made("B0-one.json", "one");
    let plots = report(&results, &page, &["--plots"]);
    assert!(plots.status.success(), "{}", String::from_utf8_lossy(&plots.stderr));
    let text = std::fs::read_to_string(&page).unwrap();
    for part in ["B0", "2.00 (1.50–3.00)", "**not reached**", "performance/B0-one-latency.svg"] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    for plot in ["latency", "ratios", "cpu"] {
        let svg = std::fs::read_to_string(results.join(format!("B0-one-{plot}.svg"))).unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("fill=\"#FFFFFF\""), "{plot}");
    }
    made("B0-two.json", "two");
    let refused = report(&results, &page, &["--plots"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("2 machines"));
}
