//! All faults in one build: every edit becomes a branch on a switch that is read once at the start.
//! Text in, text out; nothing is copied or compiled here.

use std::collections::BTreeMap;

use super::{Edit, Fault, Form};

/// Names the fault that is on, to a program built from the copy.
pub const SWITCH_VARIABLE: &str = "JUKILAB_PLANTED";

/// The file that is added to the copy, and the module file that must name it.
const SWITCH_FILE: &str = "crates/law/src/planted.rs";
const SWITCH_PARENT: &str = "crates/law/src/lib.rs";

/// In an edit's text, where the switch stands.
const SWITCH_WORD: &str = "PLANTED";

/// Why an edit does not apply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeaveError {
    #[error("{file} is not there; fault {name} edits it")]
    NoFile { name: String, file: String },
    #[error("fault {name}: its text stands {times} times in {file}, not once")]
    NotOnce { name: String, file: String, times: usize },
    #[error("faults {first} and {second} overlap in {file}")]
    Overlap { first: String, second: String, file: String },
}

/// Files of the copy that differ from the sources: path from the root, text.
pub type Woven = BTreeMap<String, String>;

/// One place of one file with everything that may stand there.
struct Place<'a> {
    begin: usize,
    end: usize,
    edits: Vec<(&'a str, &'a Edit)>,
}

/// Apply all faults at once. `source` gives the text of a file.
///
/// # Errors
/// An edit's text does not stand exactly once, or two different edits overlap.
pub fn weave(
    faults: &[Fault],
    source: &dyn Fn(&str) -> Option<String>,
) -> Result<Woven, WeaveError> {
    let mut by_file: BTreeMap<&str, Vec<(&str, &Edit)>> = BTreeMap::new();
    for fault in faults {
        for edit in &fault.edits {
            by_file.entry(&edit.file).or_default().push((&fault.name, edit));
        }
    }
    let mut woven = Woven::new();
    for (file, edits) in by_file {
        let first = edits.first().map_or("", |(name, _)| name);
        let text = source(file)
            .ok_or_else(|| WeaveError::NoFile { name: first.to_owned(), file: file.to_owned() })?;
        woven.insert(file.to_owned(), one_file(file, &text, &edits)?);
    }
    let parent = match woven.remove(SWITCH_PARENT) {
        Some(text) => Some(text),
        None => source(SWITCH_PARENT),
    };
    let parent = parent.ok_or_else(|| WeaveError::NoFile {
        name: "the switch".to_owned(),
        file: SWITCH_PARENT.to_owned(),
    })?;
    woven.insert(SWITCH_PARENT.to_owned(), format!("{parent}\npub mod planted;\n"));
    woven.insert(SWITCH_FILE.to_owned(), switch());
    Ok(woven)
}

fn one_file(file: &str, text: &str, edits: &[(&str, &Edit)]) -> Result<String, WeaveError> {
    let mut places: BTreeMap<usize, Place<'_>> = BTreeMap::new();
    for (name, edit) in edits {
        let times = text.matches(&edit.find).count();
        let (Some(begin), 1) = (text.find(&edit.find), times) else {
            let (name, file) = ((*name).to_owned(), file.to_owned());
            return Err(WeaveError::NotOnce { name, file, times });
        };
        let end = begin + edit.find.len();
        let place = places.entry(begin).or_insert_with(|| Place { begin, end, edits: Vec::new() });
        if place.end != end {
            return Err(overlap(file, place.edits.first().map_or("", |(name, _)| name), name));
        }
        place.edits.push((name, edit));
    }
    let mut out = String::with_capacity(text.len() * 2);
    let (mut at, mut last) = (0, "");
    for place in places.values() {
        let first = place.edits.first().map_or("", |(name, _)| *name);
        // Behind the end of the one before it, or not there at all.
        let Some(between) = text.get(at..place.begin) else {
            return Err(overlap(file, last, first));
        };
        out.push_str(between);
        out.push_str(&switched(file, place));
        (at, last) = (place.end, first);
    }
    out.push_str(text.get(at..).unwrap_or_default());
    Ok(out)
}

fn overlap(file: &str, first: &str, second: &str) -> WeaveError {
    let (first, second) = (first.to_owned(), second.to_owned());
    WeaveError::Overlap { first, second, file: file.to_owned() }
}

/// What stands at one place of the copy.
fn switched(file: &str, place: &Place<'_>) -> String {
    let krate = if file.starts_with("crates/law/") { "crate" } else { "law" };
    let on = |name: &str| format!("{krate}::planted::is(\"{name}\")");
    let first = place.edits.first().map_or("", |(_, edit)| edit.replace.as_str());
    let alike = place.edits.iter().all(|(_, edit)| edit.replace == first);
    if alike && first.contains(SWITCH_WORD) {
        let any: Vec<String> = place.edits.iter().map(|(name, _)| on(name)).collect();
        return first.replace(SWITCH_WORD, &format!("({})", any.join(" || ")));
    }
    let mut text = String::new();
    for (name, edit) in &place.edits {
        let replace = edit.replace.replace(SWITCH_WORD, "true");
        text.push_str(&format!("if {} {{ {replace} }} else ", on(name)));
    }
    let original = place.edits.first().map_or("", |(_, edit)| edit.find.as_str());
    text.push_str(&format!("{{ {original} }}"));
    let statements = place.edits.iter().any(|(_, edit)| edit.form == Form::Statements);
    if statements { text } else { format!("({text})") }
}

/// The switch, as it stands in the copy.
fn switch() -> String {
    format!(
        "//! Which planted fault is on. In a scratch copy only; the sources have no such file.\n\n\
         use std::sync::OnceLock;\n\n\
         static ON: OnceLock<Option<String>> = OnceLock::new();\n\n\
         /// Whether this fault is on.\n\
         #[must_use]\n\
         pub fn is(name: &str) -> bool {{\n    \
         ON.get_or_init(|| std::env::var(\"{SWITCH_VARIABLE}\").ok()).as_deref() == Some(name)\n\
         }}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "crates/node/src/queue.rs";

    fn fault(name: &str, find: &str, replace: &str, form: Form) -> Fault {
        let (file, find) = (FILE.to_owned(), find.to_owned());
        Fault {
            name: name.to_owned(),
            slip: String::new(),
            invariants: vec!["V8".to_owned()],
            incidents: Vec::new(),
            rules: vec!["rule".to_owned()],
            options: Vec::new(),
            within: None,
            edits: vec![Edit { file, find, replace: replace.to_owned(), form }],
        }
    }

    fn woven(faults: &[Fault], text: &str) -> Result<String, WeaveError> {
        let source = |file: &str| match file {
            FILE => Some(text.to_owned()),
            SWITCH_PARENT => Some("//! law\n".to_owned()),
            _ => None,
        };
        weave(faults, &source).map(|woven| woven[FILE].clone())
    }

    #[test]
    fn an_edit_becomes_a_branch_on_its_switch() {
        let one = fault("wide", "a < b", "a <= b", Form::Expression);
        let on = "law::planted::is(\"wide\")";
        let text = woven(std::slice::from_ref(&one), "if a < b { go(); }").unwrap();
        assert_eq!(text, format!("if (if {on} {{ a <= b }} else {{ a < b }}) {{ go(); }}"));
        let two = fault("idle", "go();", "", Form::Statements);
        let text = woven(&[one, two], "if a < b { go(); }").unwrap();
        assert!(text.ends_with("{ if law::planted::is(\"idle\") {  } else { go(); } }"), "{text}");
        let raw = fault("raw", "x => true", "x => !PLANTED", Form::Expression);
        let text = woven(&[raw], "x => true").unwrap();
        assert_eq!(text, "x => !(law::planted::is(\"raw\"))");
    }

    #[test]
    fn two_faults_share_a_place_or_stand_apart() {
        let first = fault("first", "a < b", "true", Form::Expression);
        let second = fault("second", "a < b", "false", Form::Expression);
        let text = woven(&[first.clone(), second], "a < b").unwrap();
        assert_eq!(text.matches("planted::is").count(), 2);
        let across = fault("across", "b + c", "b", Form::Expression);
        let found = woven(&[first, across], "a < b + c").unwrap_err();
        assert!(matches!(found, WeaveError::Overlap { .. }), "{found}");
    }

    #[test]
    fn an_edit_that_no_longer_fits_is_named() {
        let one = fault("wide", "a < b", "a <= b", Form::Expression);
        let found = woven(std::slice::from_ref(&one), "a < b || a < b").unwrap_err();
        assert_eq!(
            found.to_string(),
            format!("fault wide: its text stands 2 times in {FILE}, not once")
        );
        assert!(matches!(woven(&[one], "").unwrap_err(), WeaveError::NotOnce { times: 0, .. }));
    }
}
