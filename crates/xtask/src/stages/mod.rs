//! The stages of `cargo xtask test`: everything a commit must pass, in the order in which a failure
//! costs least. Every stage runs even when one before it failed; the last line counts them.

mod chores;
mod goldens;
mod packages;

use std::path::Path;
use std::time::Instant;

use crate::{Fault, licences, say, tidy};

pub(crate) use goldens::write_goldens;

type Work = fn(&Path) -> Result<String, Fault>;

/// Name, what it holds, and the work.
const STAGES: &[(&str, &str, Work)] = &[
    ("packages", "what the full test needs of the machine is there", packages::run),
    ("fmt", "rustfmt would change nothing", chores::fmt),
    ("tidy", "the rules that no compiler holds", tidy::run),
    ("licences", "licences and origins of every dependency", licences::run),
    ("clippy", "no lint objects, tests included", chores::clippy),
    ("test", "every test of every crate, real processes included", chores::tests),
    ("goldens", "the goldens are what the tests would write", goldens::run),
    ("doc", "the documentation builds without a warning", chores::doc),
    ("browser", "the pages in a real browser", chores::browser),
    ("swarm", "the simulated country under kept and many more seeds", chores::swarm),
    ("planted", "the simulator finds the planted faults it found before", chores::planted),
    ("crash", "a day in which processes are killed at their writes and sends", chores::crash),
    ("scale", "a center loaded at once, a small nation through a peak day", chores::scale),
    ("scenarios", "scripts of people and events, played on real processes", chores::scenarios),
    ("demo", "a country on loopback holds every check of its story", chores::demo),
];

/// `cargo xtask test --list`
pub(crate) fn list() {
    for (name, what, _) in STAGES {
        say(&format!("{name:9} {what}"));
    }
}

/// `cargo xtask test`: all stages, or those named.
pub(crate) fn test(root: &Path, only: &[&str]) -> Result<(), Fault> {
    if let Some(unknown) = only.iter().find(|name| !STAGES.iter().any(|(known, ..)| known == *name))
    {
        return Err(Fault::Usage(format!("no stage is called `{unknown}`; see test --list")));
    }
    let begun = Instant::now();
    let mut summary = Vec::new();
    let mut failed = 0_usize;
    for (name, what, work) in STAGES {
        if !only.is_empty() && !only.contains(name) {
            continue;
        }
        say(&format!("\n== {name}: {what}"));
        let at = Instant::now();
        let outcome = work(root);
        let seconds = at.elapsed().as_secs_f64();
        let (mark, line) = match outcome {
            Ok(line) => ("ok  ", line),
            Err(fault) => {
                failed += 1;
                ("FAIL", fault.to_string())
            }
        };
        say(&format!("== {name}: {mark} in {seconds:.1} s: {line}"));
        summary.push(format!("{mark} {seconds:8.1} s  {name:9} {line}"));
    }
    say("\n== summary");
    for line in &summary {
        say(line);
    }
    let passed = summary.len() - failed;
    say(&format!("in {:.0} s", begun.elapsed().as_secs_f64()));
    say(&format!("{passed} passed, {failed} failed"));
    if failed == 0 { Ok(()) } else { Err(Fault::Counted) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_stage_is_refused() {
        assert!(matches!(test(&crate::root(), &["no-such"]), Err(Fault::Usage(_))));
    }

    #[test]
    fn every_stage_has_its_own_name() {
        let mut names: Vec<_> = STAGES.iter().map(|(name, ..)| name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), STAGES.len());
    }
}
