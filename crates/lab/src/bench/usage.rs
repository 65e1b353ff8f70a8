//! CPU time by who used it: the primary figure on a machine that the client shares.

use serde_json::{Value, json};

use crate::live::country::Country;
use crate::live::machine::{cpu_seconds, own_cpu_seconds};

/// CPU seconds used so far, by party.
#[derive(Clone, Debug)]
pub(crate) struct Usage {
    parties: Vec<(String, f64)>,
    others: f64,
    client: f64,
}

/// What was used between two moments.
#[derive(Clone, Debug)]
pub(crate) struct Spent(Usage);

impl Usage {
    /// Reads what the named nodes, all others together, and this process have used.
    pub(crate) fn read(country: &Country, named: &[&str]) -> Self {
        let mut parties: Vec<(String, f64)> =
            named.iter().map(|name| ((*name).to_owned(), 0.0)).collect();
        let mut others = 0.0;
        for (node, process) in country.nodes() {
            let used = cpu_seconds(*process);
            match parties.iter_mut().find(|(name, _)| name == node) {
                Some((_, seconds)) => *seconds += used,
                None => others += used,
            }
        }
        Self { parties, others, client: own_cpu_seconds() }
    }

    pub(crate) fn spent_since(&self, before: &Self) -> Spent {
        let parties = self.parties.iter().zip(&before.parties);
        Spent(Self {
            parties: parties.map(|((name, now), (_, then))| (name.clone(), now - then)).collect(),
            others: self.others - before.others,
            client: self.client - before.client,
        })
    }
}

impl Spent {
    /// All of our processes, without the client.
    pub(crate) fn ours(&self) -> f64 {
        self.0.parties.iter().map(|(_, seconds)| seconds).sum::<f64>() + self.0.others
    }

    /// CPU seconds per 1,000 operations, each party separately.
    #[allow(clippy::cast_precision_loss, reason = "counts of one run")]
    pub(crate) fn per_thousand(&self, operations: u64) -> Value {
        let each = |seconds: f64| {
            let per = seconds * 1_000.0 / (operations.max(1) as f64);
            (per * 10_000.0).round() / 10_000.0
        };
        let mut table = serde_json::Map::new();
        for (name, seconds) in &self.0.parties {
            table.insert(name.clone(), json!(each(*seconds)));
        }
        table.insert("others".to_owned(), json!(each(self.0.others)));
        table.insert("ours".to_owned(), json!(each(self.ours())));
        table.insert("client".to_owned(), json!(each(self.0.client)));
        Value::Object(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_second_is_somebodys() {
        let at = |center: f64, others, client| Usage {
            parties: vec![("center".to_owned(), center)],
            others,
            client,
        };
        let spent = at(3.0, 2.5, 1.0).spent_since(&at(1.0, 2.0, 0.5));
        assert!((spent.ours() - 2.5).abs() < 1e-9);
        let table = spent.per_thousand(500);
        assert_eq!(table["center"], 4.0);
        assert_eq!(table["others"], 1.0);
        assert_eq!(table["client"], 1.0);
    }
}
