//! Size and form: what a reader of the code may count on.

use super::scan::functions;
use super::tree::File;
use super::{Finding, Tree};

/// A file that is longer has two subjects.
const FILE_LINES_MAX: usize = 650;
/// Two windows side by side on a laptop.
const LINE_CHARS_MAX: usize = 100;
/// A function that is longer does not fit on a screen.
const FUNCTION_LINES_MAX: usize = 70;

/// Every `.rs` file opens with what it is and what it is not; files of the compile-fail tests are
/// data, and their reason stands in the test that names them.
pub(super) fn head_comment(tree: &Tree) -> Vec<Finding> {
    tree.rust()
        .filter(|(file, _)| !is_compile_fail(file))
        .filter(|(file, _)| !file.text.starts_with("//! "))
        .map(|(file, _)| Finding::new(&file.path, 1, "no `//!` head comment on the first line"))
        .collect()
}

fn is_compile_fail(file: &File) -> bool {
    file.path.contains("/tests/ui/") || file.path.contains("/tests/compile_fail/")
}

/// Source files, by lines.
pub(super) fn file_length(tree: &Tree) -> Vec<Finding> {
    tree.rust()
        .map(|(file, _)| (file, file.text.lines().count()))
        .filter(|(_, lines)| *lines > FILE_LINES_MAX)
        .map(|(file, lines)| {
            Finding::new(&file.path, 0, format!("{lines} lines; {FILE_LINES_MAX} are enough"))
        })
        .collect()
}

/// Lines of source, schema, scripts and manifests, by characters. A line of text that has no place
/// to break (an address, a long sentence in quotes) is no exception: it can be put elsewhere.
pub(super) fn line_length(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in &tree.files {
        if !["rs", "proto"].contains(&file.extension()) || is_compile_fail(file) {
            continue;
        }
        for (index, line) in file.text.lines().enumerate() {
            let chars = line.chars().count();
            if chars > LINE_CHARS_MAX {
                let what = format!("{chars} columns; {LINE_CHARS_MAX} are enough");
                found.push(Finding::new(&file.path, index + 1, what));
            }
        }
    }
    found
}

/// Functions, tests included: a test that is longer tests two things.
pub(super) fn function_length(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (file, rust) in tree.rust() {
        for function in functions(&rust.code) {
            if function.lines > FUNCTION_LINES_MAX {
                let what = format!(
                    "fn {} has {} lines; {FUNCTION_LINES_MAX} are enough",
                    function.name, function.lines
                );
                found.push(Finding::new(&file.path, function.line, what));
            }
        }
    }
    found
}

/// White space that no one sees and every diff shows. Tables of data and goldens are kept as made.
pub(super) fn white_space(tree: &Tree) -> Vec<Finding> {
    const KINDS: &[&str] = &["rs", "md", "toml", "proto", "html", "css", "js", "mjs", "yml"];
    let mut found = Vec::new();
    for file in tree.files.iter().filter(|file| KINDS.contains(&file.extension())) {
        if file.path.contains("/golden/") {
            continue;
        }
        for (index, line) in file.text.lines().enumerate() {
            if line.trim_end() != line {
                found.push(Finding::new(&file.path, index + 1, "white space at the end"));
            }
            if file.extension() == "rs" && line.contains('\t') {
                found.push(Finding::new(&file.path, index + 1, "a tab"));
            }
        }
        if !file.text.is_empty() && !file.text.ends_with('\n') {
            found.push(Finding::new(&file.path, 0, "no line end at the end"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(check: fn(&Tree) -> Vec<Finding>, path: &str, text: &str) -> usize {
        check(&Tree::of(&[(path, text)])).len()
    }

    #[test]
    fn a_file_without_a_head_comment_is_found() {
        assert_eq!(count(head_comment, "crates/a/src/lib.rs", "//! What it is.\n"), 0);
        assert_eq!(count(head_comment, "crates/a/src/lib.rs", "use std::fmt;\n"), 1);
        assert_eq!(count(head_comment, "crates/a/src/lib.rs", ""), 1);
        assert_eq!(count(head_comment, "crates/a/tests/ui/clone.rs", "fn main() {}"), 0);
    }

    #[test]
    fn a_file_that_is_too_long_is_found() {
        assert_eq!(count(file_length, "a.rs", &"\n".repeat(FILE_LINES_MAX)), 0);
        assert_eq!(count(file_length, "a.rs", &"\n".repeat(FILE_LINES_MAX + 1)), 1);
    }

    #[test]
    fn a_line_that_is_too_long_is_found() {
        assert_eq!(count(line_length, "a.rs", &"住".repeat(LINE_CHARS_MAX)), 0);
        assert_eq!(count(line_length, "a.rs", &"x".repeat(LINE_CHARS_MAX + 1)), 1);
        assert_eq!(count(line_length, "a.md", &"x".repeat(LINE_CHARS_MAX + 1)), 0);
    }

    #[test]
    fn a_function_that_is_too_long_is_found() {
        let function = |lines| format!("fn a() {{{}}}", "\n".repeat(lines - 1));
        assert_eq!(count(function_length, "a.rs", &function(FUNCTION_LINES_MAX)), 0);
        assert_eq!(count(function_length, "a.rs", &function(FUNCTION_LINES_MAX + 1)), 1);
    }

    #[test]
    fn white_space_at_the_end_is_found() {
        assert_eq!(count(white_space, "a.rs", "fn a() {}\n"), 0);
        assert_eq!(count(white_space, "a.rs", "fn a() {} \n"), 1);
        assert_eq!(count(white_space, "a.rs", "\tfn a() {}\n"), 1);
        assert_eq!(count(white_space, "a.md", "text"), 1);
        assert_eq!(count(white_space, "crates/a/golden/a.html", "text "), 0);
    }
}
