//! The allow-lists: who may do what nobody else may, and why. They only shrink; `used` reports a
//! line that nothing needs any more.

use super::tree::{File, Tree};
use super::{Finding, scan};

/// A path, or a folder ending in `/`, and why it may.
pub(super) type Allowed = &'static [(&'static str, &'static str)];

/// Something that only some files may do.
pub(super) struct Power {
    pub(super) what: &'static str,
    /// Texts of code that show the power at work; matched at word boundaries.
    pub(super) signs: &'static [&'static str],
    pub(super) allowed: Allowed,
}

/// Whether `code` holds `sign` as whole words.
pub(super) fn holds(code: &str, sign: &str) -> bool {
    let boundary = |c: Option<char>| !c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let open = |text: &str, c: Option<char>| match text.chars().next() {
        Some(first) if first.is_alphanumeric() || first == '_' => boundary(c),
        _ => true,
    };
    code.match_indices(sign).any(|(at, _)| {
        let (before, rest) = code.split_at_checked(at).unwrap_or_default();
        let after = rest.get(sign.len()..).unwrap_or_default();
        let last: String = sign.chars().rev().take(1).collect();
        open(sign, before.chars().next_back()) && open(&last, after.chars().next())
    })
}

fn covers(entry: &str, path: &str) -> bool {
    entry == path || (entry.ends_with('/') && path.starts_with(entry))
}

/// Uses of a power outside its list, and lines of the list without a use. `code` says what of a
/// file is looked at. Entries of files that are not in the tree at all are judged only when the
/// tree holds their crate, so that a rule's test can be three lines long.
pub(super) fn breaches(tree: &Tree, power: &Power, code: fn(&File) -> String) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut needed = vec![false; power.allowed.len()];
    for file in &tree.files {
        let code = code(file);
        for (index, line) in code.lines().enumerate() {
            let Some(sign) = power.signs.iter().find(|sign| holds(line, sign)) else { continue };
            let mut may = false;
            for ((entry, _), needed) in power.allowed.iter().zip(needed.iter_mut()) {
                if covers(entry, &file.path) {
                    (may, *needed) = (true, true);
                }
            }
            if !may {
                let what = format!("`{sign}`: {}", power.what);
                found.push(Finding::new(&file.path, index + 1, what));
            }
        }
    }
    for ((entry, _), needed) in power.allowed.iter().zip(needed) {
        let krate = entry.split("/src/").next().unwrap_or_default();
        if !needed && tree.has(krate) {
            let what =
                format!("the allow-list names it, but it no longer needs to: {}", power.what);
            found.push(Finding::new(entry, 0, what));
        }
    }
    found
}

/// What of a file counts for the lists: a source without its tests.
pub(super) fn product(file: &File) -> String {
    file.product_code()
}

/// The same, and tests too: for powers that not even a test of another crate may use freely.
pub(super) fn everything(file: &File) -> String {
    file.rust.as_ref().map(|rust| scan::without_tests(&rust.code)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POWER: Power = Power {
        what: "only the clock reads it",
        signs: &["SystemTime", "Instant::now"],
        allowed: &[("crates/a/src/clock.rs", "reads it"), ("crates/b/src/", "may")],
    };

    #[test]
    fn signs_are_whole_words() {
        assert!(holds("let a = Instant::now();", "Instant::now"));
        assert!(!holds("let a = MyInstant::now();", "Instant::now"));
        assert!(!holds("let a = Instant::nowhere();", "Instant::now"));
        assert!(holds("a.expose()", ".expose()"));
    }

    #[test]
    fn use_elsewhere_and_lines_without_use_are_found() {
        let here = ("crates/a/src/clock.rs", "fn a() { SystemTime }");
        let there = ("crates/a/src/lib.rs", "fn a() { SystemTime }");
        assert_eq!(breaches(&Tree::of(&[here]), &POWER, product), []);
        assert_eq!(breaches(&Tree::of(&[here, there]), &POWER, product).len(), 1);
        let unused = breaches(&Tree::of(&[("crates/a/src/clock.rs", "")]), &POWER, product);
        assert_eq!(unused.len(), 1);
        let test = ("crates/a/tests/it/main.rs", "fn a() { SystemTime }");
        assert_eq!(breaches(&Tree::of(&[here, test]), &POWER, product), []);
        assert_eq!(breaches(&Tree::of(&[here, test]), &POWER, everything).len(), 1);
    }
}
