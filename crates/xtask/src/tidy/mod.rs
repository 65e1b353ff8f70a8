//! The rules that no compiler holds, each a function over the repository's files.
//!
//! A rule that cannot fail is worth nothing: every one has a unit test with an input that breaks
//! it. Allow-lists stand in `allow` with a reason per line and only shrink: a line that nothing
//! needs any more is a finding too.

mod allow;
mod crates;
mod docs;
mod layers;
mod people;
mod reach;
mod scan;
mod shape;
mod tree;
mod words;

use std::fmt;
use std::path::Path;

pub(crate) use tree::Tree;

use crate::Fault;

/// Something a rule objects to. Line 0 means the file as a whole.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) what: String,
}

impl Finding {
    pub(crate) fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

type Check = fn(&Tree) -> Vec<Finding>;

/// Every rule, by the name under which it is reported.
pub(crate) const RULES: &[(&str, Check)] = &[
    ("crate-table", crates::crate_table),
    ("pure-dependencies", crates::pure_dependencies),
    ("roles-apart", layers::roles_apart),
    ("os-access", layers::os_access),
    ("http-stays-at-the-desk", layers::http_stays_at_the_desk),
    ("no-serde-inside", layers::no_serde_inside),
    ("personal-display", people::personal_display),
    ("expose", people::expose),
    ("shown", people::shown),
    ("receipt-origin", people::receipt_origin),
    ("head-comment", shape::head_comment),
    ("file-length", shape::file_length),
    ("line-length", shape::line_length),
    ("function-length", shape::function_length),
    ("white-space", shape::white_space),
    ("unreferenced", reach::unreferenced),
    ("banned-code", words::banned_code),
    ("later-markers", words::later_markers),
    ("machine-paths", words::machine_paths),
    ("glossary", words::glossary),
    ("glossary-page", words::glossary_page),
    ("links", docs::links),
    ("promises", docs::promises),
    ("code-map", docs::code_map),
];

/// Runs every rule and returns what they found, each finding with its rule.
pub(crate) fn findings(tree: &Tree) -> Vec<(&'static str, Finding)> {
    let mut all = Vec::new();
    for (name, check) in RULES {
        let mut found = check(tree);
        found.sort();
        all.extend(found.into_iter().map(|finding| (*name, finding)));
    }
    all
}

/// `cargo xtask tidy`
pub(crate) fn run(root: &Path) -> Result<String, Fault> {
    let tree = Tree::load(root)?;
    let found = findings(&tree);
    for (rule, finding) in &found {
        crate::say(&format!("{finding} [{rule}]"));
    }
    match found.len() {
        0 => Ok(format!("{} rules over {} files", RULES.len(), tree.files.len())),
        count => Err(Fault::Stage(format!("tidy found {count} things"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names are what `ARCHITECTURE.md` and reviewers cite.
    #[test]
    fn every_rule_has_its_own_name() {
        let mut names: Vec<_> = RULES.iter().map(|(name, _)| name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), RULES.len());
    }
}
