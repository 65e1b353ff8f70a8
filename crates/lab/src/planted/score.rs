//! What came of the planted faults: who was found, at which seed, by which rule, and the score.

use std::fmt::Write as _;

use super::{FOUND_PERCENT_MIN, WITHOUT_FAULT};

/// How a fault was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub seed: u64,
    pub rule: String,
}

/// One fault and what came of it.
#[derive(Clone, Debug)]
pub struct Row {
    pub name: String,
    pub slip: String,
    /// Invariants and incidents.
    pub breaks: Vec<String>,
    pub found: Option<Found>,
    /// Found by a rule that its file does not name: the file is to be read again.
    pub unexpected: bool,
    /// Why it could not be tried.
    pub failed: Option<String>,
    pub seconds: f64,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub struct Score {
    pub rows: Vec<Row>,
    /// Most seeds that one fault was looked for in.
    pub seeds: u64,
}

impl Score {
    #[must_use]
    pub fn found(&self) -> usize {
        self.rows.iter().filter(|row| row.found.is_some()).count()
    }

    /// Hundredths of the faults that were found, rounded down.
    #[must_use]
    pub fn percent(&self) -> u64 {
        let (found, all) = (self.found() as u64, self.rows.len() as u64);
        (found * 100).checked_div(all).unwrap_or(0)
    }

    #[must_use]
    pub fn is_enough(&self) -> bool {
        self.percent() >= FOUND_PERCENT_MIN
    }

    fn sentence(&self) -> String {
        let (found, all) = (self.found(), self.rows.len());
        let percent = found as f64 * 100.0 / all.max(1) as f64;
        format!("{found} of {all} found within {} seeds each: {percent:.1} %", self.seeds)
    }
}

/// V2 before V12 before J1.
#[must_use]
pub fn by_number(id: &str) -> (bool, u32) {
    let number = id.get(1..).and_then(|rest| rest.parse().ok()).unwrap_or(0);
    (id.starts_with('J'), number)
}

fn outcome(row: &Row) -> (String, String) {
    match (&row.found, &row.failed) {
        (Some(found), _) => {
            let mark = if row.unexpected { " (not named)" } else { "" };
            (found.seed.to_string(), format!("{}{mark}", found.rule))
        }
        (None, Some(why)) => ("-".to_owned(), format!("FAILED: {why}")),
        (None, None) => ("-".to_owned(), "NOT FOUND".to_owned()),
    }
}

/// One line of [`table`].
#[must_use]
pub fn line(row: &Row) -> String {
    let ((seed, rule), breaks) = (outcome(row), row.breaks.join(" "));
    format!("{:<34} {breaks:<16} {seed:>5} {:>7.1}  {rule}\n", row.name, row.seconds)
}

/// For a terminal.
#[must_use]
pub fn table(score: &Score) -> String {
    let mut text =
        format!("{:<34} {:<16} {:>5} {:>7}  {}\n", "fault", "breaks", "seed", "s", "rule");
    score.rows.iter().for_each(|row| text.push_str(&line(row)));
    let _ = writeln!(text, "{}", score.sentence());
    text
}

/// docs/planted.md.
#[must_use]
pub fn page(score: &Score) -> String {
    let mut text = String::from(
        "# Planted faults\n\nWritten by `jukilab swarm --planted --write-doc`; not by hand. Each \
         fault is a file under `crates/lab/planted`\n(those named `simulator-…` are switches of \
         the simulator's own runner, store and network): a slip that a careless\ndeveloper could \
         have made, put into a scratch copy of the sources\n\
         ([0021](decisions/0021-planted-faults.md)). A fault counts as found when a checker of the \
         simulator stops a world that\nholds without it. Seed: the first one, from 0 upwards, that \
         found it.\n\n",
    );
    let _ = writeln!(text, "**{}.**\n", score.sentence());
    text.push_str(
        "| fault | what was done | breaks | seed | found by |\n| --- | --- | --- | --- | --- |\n",
    );
    for row in &score.rows {
        let (seed, rule) = outcome(row);
        let (name, slip, breaks) = (&row.name, row.slip.replace('|', "\\|"), row.breaks.join(" "));
        let _ = writeln!(text, "| `{name}` | {slip} | {breaks} | {seed} | {rule} |");
    }
    text.push_str("\n## Without a fault\n\n| no. | why |\n| --- | --- |\n");
    for (id, why) in WITHOUT_FAULT {
        let _ = writeln!(text, "| {id} | {why} |");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, found: Option<u64>) -> Row {
        Row {
            name: name.to_owned(),
            slip: "Something | was forgotten.".to_owned(),
            breaks: vec!["V2".to_owned()],
            found: found.map(|seed| Found { seed, rule: "permit".to_owned() }),
            unexpected: false,
            failed: None,
            seconds: 1.0,
        }
    }

    #[test]
    fn the_score_is_not_rounded_up() {
        let mut rows: Vec<Row> = (0..19).map(|nth| row("one", Some(nth))).collect();
        rows.push(row("two", None));
        let score = Score { rows, seeds: 2_000 };
        assert_eq!((score.found(), score.percent(), score.is_enough()), (19, 95, true));
        let mut rows = score.rows;
        rows.push(row("three", None));
        let score = Score { rows, seeds: 2_000 };
        assert_eq!((score.percent(), score.is_enough()), (90, false));
        assert!(!Score::default().is_enough());
    }

    #[test]
    fn what_was_not_found_is_said() {
        let score = Score { rows: vec![row("one", Some(7)), row("two", None)], seeds: 5 };
        assert!(table(&score).contains("NOT FOUND"));
        let page = page(&score);
        assert!(page.contains("| `two` | Something \\| was forgotten. | V2 | - | NOT FOUND |"));
        assert!(page.contains("1 of 2 found within 5 seeds each: 50.0 %"));
    }
}
