//! Seeds that once broke a rule, and why: run again for ever. A seed repeats its world only as
//! long as the simulator draws alike; a kept one is a place where something was, not a proof.

use super::faults::FaultSet;
use super::{Options, STEPS_COUNT_MAX};

/// `seed`, `steps`, `only` (kinds, or `-` for those of the seed), `rule`, `what`.
const KEPT: &str = include_str!("../../seeds/kept.tsv");

/// A seed that is kept.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    pub seed: u64,
    pub options: Options,
    /// The rule that it broke.
    pub rule: &'static str,
    /// What was wrong.
    pub what: &'static str,
}

/// The list, or the first line of it that cannot be read.
///
/// # Errors
/// The line's number.
pub fn kept() -> Result<Vec<Kept>, String> {
    let lines = KEPT.lines().enumerate().skip(1);
    lines.map(|(at, line)| read(line).ok_or_else(|| format!("kept.tsv: line {}", at + 1))).collect()
}

fn read(line: &'static str) -> Option<Kept> {
    let cells: Vec<&str> = line.split('\t').collect();
    let [seed, steps, only, rule, what] = cells[..] else { return None };
    let only = if only == "-" { None } else { Some(FaultSet::parse(only).ok()?) };
    let steps = steps.parse().ok().filter(|steps| (1..=STEPS_COUNT_MAX).contains(steps))?;
    let options = Options { steps, only, ..Options::default() };
    Some(Kept { seed: seed.parse().ok()?, options, rule, what })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_can_be_read() {
        let kept = kept().unwrap();
        assert!(!kept.is_empty());
        assert!(kept.iter().all(|kept| !kept.rule.is_empty() && !kept.what.is_empty()));
        for broken in ["", "1\t2", "x\t10\t-\trule\twhat", "1\t0\t-\trule\twhat"] {
            assert!(read(broken).is_none(), "{broken}");
        }
    }
}
