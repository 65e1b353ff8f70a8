//! Files that nothing reaches: source outside every module tree looks tested and is not.

use std::collections::BTreeSet;

use super::scan::words;
use super::{Finding, Tree};

/// Follows `mod name;` from the roots cargo would take; compile-fail files count as reached when a
/// test of their crate names their folder.
pub(super) fn unreferenced(tree: &Tree) -> Vec<Finding> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<String> =
        tree.files.iter().map(|file| file.path.clone()).filter(|path| is_root(path)).collect();
    while let Some(path) = open.pop() {
        let Some(rust) = tree.find(&path).and_then(|file| file.rust.as_ref()) else { continue };
        if !reached.insert(path.clone()) {
            continue;
        }
        for line in rust.code.lines() {
            if let Some(name) = declared(line) {
                let folder = module_folder(&path);
                open.push(format!("{folder}/{name}.rs"));
                open.push(format!("{folder}/{name}/mod.rs"));
            }
        }
    }
    tree.rust()
        .map(|(file, _)| file)
        .filter(|file| !reached.contains(&file.path) && !is_case(tree, &file.path))
        .map(|file| Finding::new(&file.path, 0, "no module and no test reaches this file"))
        .collect()
}

/// The name in `mod name;`, `pub mod name;`, `pub(crate) mod name;`.
fn declared(line: &str) -> Option<&str> {
    let line = line.trim();
    let declaration = line.strip_suffix(';')?;
    let list: Vec<&str> = words(declaration).collect();
    match list.as_slice() {
        ["mod", name] | ["pub", "mod", name] | ["pub", "crate" | "super", "mod", name] => {
            Some(name)
        }
        _ => None,
    }
}

/// `src/lib.rs`, `src/main.rs`, `src/bin/x.rs`, `build.rs`, `tests/x.rs`, `tests/x/main.rs`, …
fn is_root(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let ["crates", _, rest @ ..] = parts.as_slice() else { return false };
    matches!(
        rest,
        ["build.rs"]
            | ["src", "lib.rs" | "main.rs"]
            | ["src", "bin", _]
            | ["tests" | "examples" | "benches", _]
            | ["tests" | "examples" | "benches", _, "main.rs"]
    ) && path.ends_with(".rs")
}

/// Where the modules that a file declares are looked for.
fn module_folder(path: &str) -> String {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = name.strip_suffix(".rs").unwrap_or(name);
    let owns_folder = ["lib", "main", "mod"].contains(&stem) || is_root(path);
    if owns_folder { folder.to_owned() } else { format!("{folder}/{stem}") }
}

/// A compile-fail case whose folder some test of the crate names.
fn is_case(tree: &Tree, path: &str) -> bool {
    let Some((folder, _)) = path.rsplit_once('/') else { return false };
    let Some((krate, inside)) = folder.split_once("/tests/") else { return false };
    let named = format!("tests/{inside}/");
    tree.rust().any(|(file, _)| {
        file.path.starts_with(&format!("{krate}/tests/")) && file.text.contains(&named)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_no_module_declares_is_found() {
        let tree = Tree::of(&[
            ("crates/a/src/lib.rs", "mod one;\npub(crate) mod two;\n"),
            ("crates/a/src/one.rs", "mod deep;"),
            ("crates/a/src/one/deep.rs", ""),
            ("crates/a/src/two/mod.rs", "// mod three;"),
            ("crates/a/src/two/three.rs", ""),
            ("crates/a/tests/it/main.rs", "mod case;"),
            ("crates/a/tests/it/case.rs", "trybuild(\"tests/ui/*.rs\")"),
            ("crates/a/tests/ui/clone.rs", ""),
            ("crates/a/tests/other/clone.rs", ""),
        ]);
        let paths: Vec<_> = unreferenced(&tree).into_iter().map(|found| found.path).collect();
        assert_eq!(paths, ["crates/a/src/two/three.rs", "crates/a/tests/other/clone.rs"]);
    }
}
