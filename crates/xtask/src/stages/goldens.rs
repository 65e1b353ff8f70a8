//! Goldens: files that tests compare with and people read. Writing them anew must change nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::shell::Call;
use crate::tidy::Tree;
use crate::{Fault, say};

/// One group of tests that writes goldens: `cargo test -p <package> <target> <filter>`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Writer {
    package: String,
    target: &'static str,
    filter: String,
}

/// The variable that every golden test reads; in two parts, so that this file is no writer.
const VARIABLE: &str = concat!("JUKINET_", "GOLDEN");

/// Who writes goldens: the modules whose source names the variable.
fn writers(tree: &Tree) -> BTreeSet<Writer> {
    let mut found = BTreeSet::new();
    for file in tree.files.iter().filter(|file| file.rust.is_some()) {
        let Some(krate) = file.krate().filter(|krate| *krate != "xtask") else { continue };
        if !file.text.contains(VARIABLE) {
            continue;
        }
        let in_tests = file.path.starts_with(&format!("crates/{krate}/tests/it/"));
        let stem = file.path.rsplit('/').next().and_then(|name| name.strip_suffix(".rs"));
        let package =
            if krate == "jukinet" { krate.to_owned() } else { format!("jukinet-{krate}") };
        let target = if in_tests { "--test=it" } else { "--lib" };
        let filter = match stem {
            None | Some("main" | "mod" | "lib" | "support") => String::new(),
            Some(stem) => format!("{stem}::"),
        };
        found.insert(Writer { package, target, filter });
    }
    found
}

/// `cargo xtask golden`
pub(crate) fn write_goldens(root: &Path) -> Result<String, Fault> {
    let writers = writers(&Tree::load(root)?);
    for writer in &writers {
        let words =
            ["cargo", "test", "--quiet", "-p", &writer.package, writer.target, &writer.filter];
        let variables = &[(VARIABLE, "write")];
        Call { words: &words, variables, quiet: true, limit: None }.run(root)?;
    }
    Ok(format!("{} groups of tests wrote their goldens", writers.len()))
}

/// Path and content of every golden.
fn snapshot(tree: &Tree, root: &Path) -> BTreeMap<String, Vec<u8>> {
    let is_golden = |path: &str| path.contains("/golden/") || path.ends_with(".stderr");
    let paths = tree.files.iter().map(|file| &file.path).filter(|path| is_golden(path));
    paths.map(|path| (path.clone(), std::fs::read(root.join(path)).unwrap_or_default())).collect()
}

/// What is different between two snapshots.
fn changed(before: &BTreeMap<String, Vec<u8>>, after: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    paths.into_iter().filter(|path| before.get(*path) != after.get(*path)).cloned().collect()
}

/// Writes every golden anew and compares with what stood there.
pub(super) fn run(root: &Path) -> Result<String, Fault> {
    let before = snapshot(&Tree::load(root)?, root);
    let line = write_goldens(root)?;
    let after = snapshot(&Tree::load(root)?, root);
    let changed = changed(&before, &after);
    for path in &changed {
        say(&format!("   {path} was written differently; see git diff"));
    }
    match changed.len() {
        0 => Ok(format!("{} files unchanged; {line}", before.len())),
        count => Err(Fault::Stage(format!("{count} goldens are not what the tests write"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writers_are_found_by_the_variable_they_read() {
        let reads = format!("std::env::var(\"{VARIABLE}\")");
        let tree = Tree::of(&[
            ("crates/wire/tests/it/golden.rs", &reads),
            ("crates/law/src/organ.rs", &reads),
            ("crates/law/src/query.rs", ""),
            ("crates/xtask/src/main.rs", &reads),
        ]);
        let found: Vec<_> =
            writers(&tree).into_iter().map(|w| (w.package, w.target, w.filter)).collect();
        let expected =
            [("jukinet-law", "--lib", "organ::"), ("jukinet-wire", "--test=it", "golden::")];
        assert_eq!(found, expected.map(|(a, b, c)| (a.to_owned(), b, c.to_owned())));
    }

    #[test]
    fn a_changed_a_new_and_a_lost_golden_are_found() {
        let files = |list: &[(&str, &str)]| {
            list.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
        };
        let before = files(&[("a", "1"), ("b", "1"), ("c", "1")]);
        let after = files(&[("a", "1"), ("b", "2"), ("d", "1")]);
        assert_eq!(changed(&before, &after), ["b", "c", "d"]);
        assert_eq!(changed(&before, &before), Vec::<String>::new());
    }
}
