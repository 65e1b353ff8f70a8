//! Words that may not stand in the repository: shortcuts in code, notes to self, names of the
//! machine it was written on, and synonyms of the glossary's terms.

use super::allow::holds;
use super::{Finding, Tree};

/// Code that is not finished, tests that cannot fail, and memory the compiler does not watch.
pub(super) fn banned_code(tree: &Tree) -> Vec<Finding> {
    const BANNED: &[(&str, &str)] = &[
        ("todo!", "finish it or refuse by name"),
        ("unimplemented!", "finish it or refuse by name"),
        ("dbg!", "left from debugging"),
        ("unsafe", "no unsafe in this repository"),
        ("assert!(true", "a test that cannot fail tests nothing"),
    ];
    let mut found = Vec::new();
    for (file, rust) in tree.rust() {
        for (index, line) in rust.code.lines().enumerate() {
            for (sign, why) in BANNED.iter().filter(|(sign, _)| holds(line, sign)) {
                found.push(Finding::new(&file.path, index + 1, format!("`{sign}`: {why}")));
            }
        }
        for (index, line) in file.text.lines().enumerate() {
            if rust.code.lines().nth(index).is_some_and(|code| code.contains("#[ignore"))
                && !starter(line).is_some_and(|name| rust.code.contains(&format!("fn {name}(")))
            {
                let what =
                    "an ignored test tests nothing, but for `started by <test of this file>`";
                found.push(Finding::new(&file.path, index + 1, what));
            }
        }
    }
    found
}

/// The test that runs this one in a process of its own: `#[ignore = "started by NAME"]`.
fn starter(line: &str) -> Option<&str> {
    let reason = line.trim().strip_prefix("#[ignore = \"")?.strip_suffix("\"]")?;
    reason.strip_prefix("started by ")
}

/// Notes to self belong in the tracker, known limits in the documents.
pub(super) fn later_markers(tree: &Tree) -> Vec<Finding> {
    const MARKERS: &[&str] = &["TODO", "FIXME", "XXX", "HACK"];
    const KINDS: &[&str] = &["md", "toml", "proto", "html", "css", "js", "mjs", "sh", ""];
    let mut found = Vec::new();
    for file in &tree.files {
        let text = match &file.rust {
            Some(rust) => &rust.comments,
            None if KINDS.contains(&file.extension()) => &file.text,
            None => continue,
        };
        for (index, line) in text.lines().enumerate() {
            if let Some(marker) = MARKERS.iter().find(|marker| holds(line, marker)) {
                found.push(Finding::new(&file.path, index + 1, format!("`{marker}`")));
            }
        }
    }
    found
}

/// Paths of the place where this was written mean nothing to whoever reads it.
pub(super) fn machine_paths(tree: &Tree) -> Vec<Finding> {
    // In two parts each, so that this file passes its own rule.
    const BANNED: &[(&str, &str)] =
        &[("/wo", "rk/"), ("/fa", "rm/"), (".lib", "rary"), ("../sha", "red"), ("/ro", "ot/")];
    let mut found = Vec::new();
    for file in &tree.files {
        for (index, line) in file.text.lines().enumerate() {
            for banned in BANNED.iter().map(|(one, two)| format!("{one}{two}")) {
                if line.contains(&banned) {
                    let what = format!("`{banned}`: a path of one machine");
                    found.push(Finding::new(&file.path, index + 1, what));
                }
            }
        }
    }
    found
}

const GLOSSARY: &str = "docs/glossary.tsv";

/// Every row of the data stands in the page that people read.
pub(super) fn glossary_page(tree: &Tree) -> Vec<Finding> {
    let page = tree.find("GLOSSARY.md").map_or("", |file| file.text.as_str());
    let mut found = Vec::new();
    let data = tree.find(GLOSSARY).map_or("", |file| file.text.as_str());
    for (index, line) in data.lines().enumerate().skip(1) {
        let cells: Vec<&str> = line.split('\t').take(3).collect();
        if !page.contains(&format!("| {} |", cells.join(" | "))) {
            found.push(Finding::new(GLOSSARY, index + 1, "GLOSSARY.md does not have this row"));
        }
    }
    found
}

/// One rejected variant and the term to use.
struct Rejected {
    words: Vec<String>,
    term: String,
}

/// Reads the `rejected` column; the variants of a row are separated by `; `.
fn rejected(tree: &Tree) -> Vec<Rejected> {
    let mut all = Vec::new();
    for line in tree.find(GLOSSARY).map_or("", |file| file.text.as_str()).lines().skip(1) {
        let mut cells = line.split('\t').skip(2);
        let (term, variants) = (cells.next().unwrap_or_default(), cells.next().unwrap_or_default());
        for variant in variants.split("; ").filter(|variant| !variant.trim().is_empty()) {
            let words = plain_words(variant).into_iter().map(|word| word.text).collect();
            all.push(Rejected { words, term: term.to_owned() });
        }
    }
    all
}

/// A word of a text in lower case.
struct Word {
    text: String,
    line: usize,
    /// Nothing but space, `-`, `_` or the mark of a comment stands between it and the one before.
    joined: bool,
}

/// The words of a text, `camelCase` and `snake_case` taken apart.
fn plain_words(text: &str) -> Vec<Word> {
    let mut found = Vec::new();
    let mut joined = false;
    for (index, line) in text.lines().enumerate() {
        let mut word = String::new();
        let mut before = ' ';
        for c in line.chars().chain([' ']) {
            let hump = c.is_ascii_uppercase() && before.is_ascii_lowercase();
            if (!c.is_ascii_alphanumeric() || hump) && !word.is_empty() {
                found.push(Word { text: std::mem::take(&mut word), line: index + 1, joined });
                joined = true;
            }
            if c.is_ascii_alphanumeric() {
                word.push(c.to_ascii_lowercase());
            } else {
                joined &= " \t_-/!".contains(c);
            }
            before = c;
        }
    }
    found
}

/// One term, one name. The glossary itself may name what it rejects.
pub(super) fn glossary(tree: &Tree) -> Vec<Finding> {
    const KINDS: &[&str] = &["rs", "md", "proto", "html", "js", "mjs", "toml"];
    let rejected = rejected(tree);
    let mut found = Vec::new();
    if rejected.is_empty() {
        found.push(Finding::new(GLOSSARY, 0, "no rejected variant; the list is missing or broken"));
    }
    for file in tree.files.iter().filter(|file| KINDS.contains(&file.extension())) {
        if file.path == "GLOSSARY.md" || file.path.contains("/golden/") {
            continue;
        }
        let words = plain_words(&file.text);
        for variant in &rejected {
            let length = variant.words.len();
            for at in words.windows(length.max(1)) {
                let same = variant.words.iter().eq(at.iter().map(|word| &word.text));
                let [first, rest @ ..] = at else { continue };
                if same && rest.iter().all(|word| word.joined) {
                    let what =
                        format!("`{}`: the term is {}", variant.words.join(" "), variant.term);
                    found.push(Finding::new(&file.path, first.line, what));
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn banned_code_is_found() {
        let count = |text| banned_code(&Tree::of(&[("crates/a/src/lib.rs", text)])).len();
        for bad in [
            "todo!()",
            "unimplemented!()",
            "dbg!(a)",
            "unsafe { a }",
            "#[ignore = \"slow\"]",
            "assert!(true);",
        ] {
            assert_eq!(count(bad), 1, "{bad}");
        }
        assert_eq!(count("#[ignore = \"started by a\"]\nfn b() {}\nfn a() {}"), 0);
        assert_eq!(count("#[ignore = \"started by a\"]\nfn b() {}"), 1);
        assert_eq!(count("#![forbid(unsafe_code)] // unsafe"), 0);
        assert_eq!(count("let a = \"todo!\";"), 0);
    }

    #[test]
    fn notes_to_self_are_found() {
        let count = |path, text| later_markers(&Tree::of(&[(path, text)])).len();
        assert_eq!(count("a.rs", "// TODO: later"), 1);
        assert_eq!(count("a.rs", "let a = \"TODO\";"), 0);
        assert_eq!(count("a.md", "FIXME"), 1);
        assert_eq!(count("a.md", "AUTODOC"), 0);
    }

    #[test]
    fn paths_of_one_machine_are_found() {
        let bad = format!("see {}{}main", "/wo", "rk/");
        assert_eq!(machine_paths(&Tree::of(&[("a.txt", &bad)])).len(), 1);
        assert_eq!(machine_paths(&Tree::of(&[("a.txt", "see docs/main")])), []);
    }

    #[test]
    fn a_row_that_the_page_does_not_have_is_found() {
        let count = |page| {
            let data = "japanese\tcode\tprose\trejected\n果\t`Fruit`\tfruit\tobst\n";
            glossary_page(&Tree::of(&[(GLOSSARY, data), ("GLOSSARY.md", page)])).len()
        };
        assert_eq!(count("| 果 | `Fruit` | fruit |\n"), 0);
        assert_eq!(count("| 果 | `Fruit` | berry |\n"), 1);
    }

    #[test]
    fn a_rejected_variant_is_found_in_prose_and_identifiers() {
        let table = "japanese\tcode\tprose\trejected\n果\t`Fruit`\tfruit\tround berry; obst\n";
        let count = |text| glossary(&Tree::of(&[(GLOSSARY, table), ("a.rs", text)])).len();
        assert_eq!(count("// a Round berry"), 1);
        assert_eq!(count("struct RoundBerry;"), 1);
        assert_eq!(count("let round_berry = 1;"), 1);
        assert_eq!(count("// a round\n// berry"), 1);
        assert_eq!(count("let obst_count = obst;"), 2);
        assert_eq!(count("// around berries, obstacle; round(berry) and round. Berry"), 0);
        assert_eq!(glossary(&Tree::of(&[("a.rs", "")])).len(), 1);
    }
}
