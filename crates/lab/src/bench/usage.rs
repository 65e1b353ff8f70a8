//! CPU time by who used it: the primary figure on a machine that the client shares.

use super::record::{Cpu, Share};
use crate::live::accounts::Accounts;
use crate::live::country::Country;
use crate::live::machine::own_cpu_seconds;

/// All processes of a side that are not told apart.
const OTHERS: &str = "others";

/// Counts what one side's processes use, each party apart.
pub(crate) struct Meter {
    accounts: Accounts,
}

/// CPU seconds used so far.
#[derive(Clone, Debug)]
pub(crate) struct Usage {
    parties: Vec<(String, f64)>,
    client: f64,
}

/// What was used between two moments.
#[derive(Clone, Debug)]
pub(crate) struct Spent {
    accounting: &'static str,
    usage: Usage,
}

impl Meter {
    /// The named nodes of a country, and all others together.
    pub(crate) fn of_country(country: &Country, named: &[&str]) -> Self {
        Self::of(country.nodes().iter().map(|(node, process)| {
            let named = named.contains(&node.as_str());
            (if named { node.as_str() } else { OTHERS }, *process)
        }))
    }

    /// Processes by the party they belong to.
    pub(crate) fn of<'n>(processes: impl IntoIterator<Item = (&'n str, u32)>) -> Self {
        Self { accounts: Accounts::open(processes) }
    }

    pub(crate) fn read(&self) -> Usage {
        Usage { parties: self.accounts.read(), client: own_cpu_seconds() }
    }

    pub(crate) fn spent_since(&self, before: &Usage) -> Spent {
        Spent { accounting: self.accounts.accounting(), usage: self.read().since(before) }
    }

    /// How time is counted.
    pub(crate) fn accounting(&self) -> &'static str {
        self.accounts.accounting()
    }
}

impl Usage {
    fn since(&self, before: &Self) -> Self {
        let parties = self.parties.iter().zip(&before.parties);
        Self {
            parties: parties.map(|((name, now), (_, then))| (name.clone(), now - then)).collect(),
            client: self.client - before.client,
        }
    }
}

impl Spent {
    /// All of the side's processes, without the client.
    pub(crate) fn side(&self) -> f64 {
        self.usage.parties.iter().map(|(_, seconds)| seconds).sum()
    }

    /// CPU seconds per 1,000 operations, each party separately.
    #[allow(clippy::cast_precision_loss, reason = "counts of one run")]
    pub(crate) fn per_thousand(&self, operations: u64) -> Cpu {
        let each = |seconds: f64| {
            let per = seconds * 1_000.0 / (operations.max(1) as f64);
            (per * 10_000.0).round() / 10_000.0
        };
        let share = |(name, seconds): &(String, f64)| Share {
            party: name.clone(),
            seconds: each(*seconds),
        };
        Cpu {
            accounting: self.accounting.to_owned(),
            parties: self.usage.parties.iter().map(share).collect(),
            side: each(self.side()),
            client: each(self.usage.client),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_second_is_somebodys() {
        let at = |center: f64, others: f64, client| Usage {
            parties: vec![("center".to_owned(), center), (OTHERS.to_owned(), others)],
            client,
        };
        let usage = at(3.0, 2.5, 1.0).since(&at(1.0, 2.0, 0.5));
        let spent = Spent { accounting: "cgroup v2", usage };
        assert!((spent.side() - 2.5).abs() < 1e-9);
        let cpu = spent.per_thousand(500);
        let seconds: Vec<f64> = cpu.parties.iter().map(|share| share.seconds).collect();
        assert_eq!(seconds, [4.0, 1.0]);
        assert!((cpu.side - 5.0).abs() < 1e-9 && (cpu.client - 1.0).abs() < 1e-9);
    }
}
