//! Goldens: files that tests compare with and people read. Writing them anew must change nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::shell::Call;
use crate::tidy::Tree;
use crate::{Fault, say};

/// The tests of one crate that write goldens: the filters are names of their modules.
type Writers = BTreeMap<(String, &'static str), BTreeSet<String>>;

/// The variable that every golden test reads; in two parts, so that this file is no writer.
const VARIABLE: &str = concat!("JUKINET_", "GOLDEN");

/// Who writes goldens: the modules whose source names the variable, and those beside them
/// that call them.
fn writers(tree: &Tree) -> Writers {
    let folder = |path: &str| path.rsplit_once('/').map_or(String::new(), |(to, _)| to.to_owned());
    let readers: Vec<(String, &str)> = sources(tree)
        .filter(|(_, _, text)| text.contains(VARIABLE))
        .map(|(path, module, _)| (folder(path), module))
        .collect();
    let mut found = Writers::new();
    for (path, module, text) in sources(tree) {
        let krate = krate(path);
        let reads = text.contains(VARIABLE);
        let calls = readers
            .iter()
            .any(|(beside, name)| *beside == folder(path) && text.contains(&format!("{name}::")));
        if !reads && !calls {
            continue;
        }
        let package =
            if krate == "jukinet" { krate.to_owned() } else { format!("jukinet-{krate}") };
        let target = if path.contains("/tests/it/") { "--test=it" } else { "--lib" };
        found.entry((package, target)).or_default().insert(format!("{module}::"));
    }
    found
}

fn krate(path: &str) -> &str {
    path.split('/').nth(1).unwrap_or_default()
}

/// Path, module name and text of every source whose tests could write a golden.
fn sources(tree: &Tree) -> impl Iterator<Item = (&str, &str, &str)> {
    tree.files.iter().filter_map(|file| {
        let module = file.path.rsplit('/').next()?.strip_suffix(".rs")?;
        let known = file.path.starts_with("crates/") && krate(&file.path) != "xtask";
        let named = !["main", "mod", "lib"].contains(&module);
        (known && named).then_some((file.path.as_str(), module, file.text.as_str()))
    })
}

/// `cargo xtask golden`
pub(crate) fn write_goldens(root: &Path) -> Result<String, Fault> {
    let writers = writers(&Tree::load(root)?);
    for ((package, target), modules) in &writers {
        // One thread: a test must not read a file that another is just writing.
        let mut words = vec!["cargo", "test", "--quiet", "-p", package, target];
        words.extend(["--", "--test-threads=1"]);
        words.extend(modules.iter().map(String::as_str));
        let variables = &[(VARIABLE, "write")];
        Call { words: &words, variables, quiet: true, limit: None }.run(root)?;
    }
    Ok(format!("{} crates wrote their goldens", writers.len()))
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
            ("crates/wire/tests/it/main.rs", "mod golden;"),
            ("crates/wire/tests/it/golden.rs", &reads),
            ("crates/wire/tests/it/conversation.rs", "crate::golden::check(1)"),
            ("crates/wire/tests/it/frame.rs", "crate::sample::frame()"),
            ("crates/law/src/organ.rs", &reads),
            ("crates/law/src/query.rs", "golden::check(1)"),
            ("crates/xtask/src/shell.rs", &reads),
        ]);
        let set = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
        let expected = Writers::from([
            (("jukinet-law".to_owned(), "--lib"), set(&["organ::"])),
            (("jukinet-wire".to_owned(), "--test=it"), set(&["golden::", "conversation::"])),
        ]);
        assert_eq!(writers(&tree), expected);
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
