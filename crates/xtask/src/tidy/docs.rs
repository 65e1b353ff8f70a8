//! Documents that name what does not exist: links, tests and the files of the code map.

use std::collections::BTreeSet;

use super::{Finding, Tree};

/// Links of markdown files to files of the repository.
pub(super) fn links(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in tree.files.iter().filter(|file| file.extension() == "md") {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (index, line) in file.text.lines().enumerate() {
            for target in targets(line) {
                let target = target.split(['#', ' ']).next().unwrap_or_default();
                let outside = target.contains("://") || target.starts_with("mailto:");
                if !target.is_empty() && !outside && !tree.has(&resolve(folder, target)) {
                    let what = format!("`{target}` does not exist");
                    found.push(Finding::new(&file.path, index + 1, what));
                }
            }
        }
    }
    found
}

/// The `target` of every `](target)`.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
}

fn resolve(folder: &str, target: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The texts between back-ticks.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Every `path.rs::name` in a document is a function of that file: a promise names its test. Short
/// paths are those of the code map: `law/tests/it/ladder.rs` is in `crates/law`.
pub(super) fn promises(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in tree.files.iter().filter(|file| file.extension() == "md") {
        for (index, line) in file.text.lines().enumerate() {
            for (path, name) in quoted(line).filter_map(|text| text.split_once("::")) {
                if !path.ends_with(".rs") {
                    continue;
                }
                let source = tree.find(&format!("crates/{path}")).or_else(|| tree.find(path));
                let text = source.map_or("", |source| source.text.as_str());
                let stands = text.contains(&format!("fn {name}("));
                if !stands {
                    let what = format!("`{path}::{name}` does not exist");
                    found.push(Finding::new(&file.path, index + 1, what));
                }
            }
        }
    }
    let counted = tree.find("SPECIFICATION.md").map(|file| file.text.lines());
    let mut seen = BTreeSet::new();
    for (index, line) in counted.into_iter().flatten().enumerate() {
        let Some(number) = line.strip_prefix("| P-").and_then(|rest| rest.split(' ').next()) else {
            continue;
        };
        if !seen.insert(number.to_owned()) {
            let what = format!("P-{number} is promised twice");
            found.push(Finding::new("SPECIFICATION.md", index + 1, what));
        }
        if !quoted(line).any(|text| text.contains(".rs::") || text.contains(".mjs")) {
            let what = format!("P-{number} names no test");
            found.push(Finding::new("SPECIFICATION.md", index + 1, what));
        }
    }
    found
}

const MAP: &str = "ARCHITECTURE.md";

/// The rows of the code map are the files of the crates: each source is under a row, each row is
/// there. A row is `` | `law/inquiry.rs` | … | `` or a folder, `` `jukinet/net/` ``.
pub(super) fn code_map(tree: &Tree) -> Vec<Finding> {
    let Some(map) = tree.find(MAP) else { return Vec::new() };
    let mut rows = Vec::new();
    for (index, line) in map.text.lines().enumerate() {
        let first = line.strip_prefix("| ").and_then(|rest| rest.split(" | ").next());
        for row in first.into_iter().flat_map(quoted) {
            let is_folder = row.ends_with('/') && row.contains('/');
            if row.ends_with(".rs") || is_folder {
                rows.push((index + 1, row));
            }
        }
    }
    let full =
        |row: &str| row.split_once('/').map(|(krate, rest)| format!("crates/{krate}/src/{rest}"));
    let mut found = Vec::new();
    for (line, row) in &rows {
        let path = full(row).unwrap_or_default();
        if !tree.has(path.trim_end_matches('/')) {
            found.push(Finding::new(MAP, *line, format!("`{row}` does not exist")));
        }
    }
    for file in tree.files.iter().filter(|file| file.is_source()) {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        let covered = rows
            .iter()
            .filter_map(|(_, row)| full(row))
            .any(|path| path == file.path || (path.ends_with('/') && file.path.starts_with(&path)));
        if !covered && !["lib.rs", "main.rs", "mod.rs"].contains(&name) {
            found.push(Finding::new(&file.path, 0, "the code map of ARCHITECTURE.md misses it"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_to_nothing_is_found() {
        let count =
            |text| links(&Tree::of(&[("docs/a.md", text), ("docs/b.md", ""), ("c.md", "")])).len();
        assert_eq!(count("[b](b.md) [c](../c.md#part) [d](https://example.org) [e](#here)"), 0);
        assert_eq!(count("[folder](../docs/)"), 0);
        assert_eq!(count("![picture](pictures/none.png)"), 1);
        assert_eq!(count("[c](c.md)"), 1);
    }

    #[test]
    fn a_promise_without_its_test_is_found() {
        let count = |text| {
            let test = ("crates/law/tests/it/ladder.rs", "fn stands() {}");
            promises(&Tree::of(&[("SPECIFICATION.md", text), test])).len()
        };
        assert_eq!(count("| P-001 | it stands | `law/tests/it/ladder.rs::stands` |"), 0);
        assert_eq!(count("| P-001 | it falls | `law/tests/it/ladder.rs::falls` |"), 1);
        assert_eq!(count("| P-001 | it says | by hand |"), 1);
        let twice = "| P-001 | a | `law/tests/it/ladder.rs::stands` |\n\
                     | P-001 | b | `law/tests/it/ladder.rs::stands` |";
        assert_eq!(count(twice), 1);
    }

    #[test]
    fn a_map_that_differs_from_the_ground_is_found() {
        let count = |text| {
            let one = ("crates/law/src/inquiry.rs", "");
            let two = ("crates/law/src/deep/query.rs", "");
            code_map(&Tree::of(&[(MAP, text), one, two])).len()
        };
        assert_eq!(count("| `law/inquiry.rs` | asks |\n| `law/deep/` | deep |\n"), 0);
        assert_eq!(count("| `law/inquiry.rs`, `law/deep/query.rs` | asks |\n"), 0);
        assert_eq!(count("| `law/inquiry.rs` | asks |\n"), 1);
        assert_eq!(
            count("| `law/inquiry.rs` | asks |\n| `law/deep/` | d |\n| `law/no.rs` | |\n"),
            1
        );
    }
}
