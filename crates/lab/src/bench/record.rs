//! The one record that every bench leaves: what was asked, on which machine and how quiet it was,
//! figures of ours and of the peer by phase and pair, ratios, floors with their verdicts, and how
//! many answers were compared. Plain data: it measures nothing and knows no file.
//!
//! The fields `id`, `machine`, `ours`, `peer`, `ratio` (`median`, `min`, `max`) and `oracle_errors`
//! are what scripts rely on; others may be added. A bench fills a [`Measured`]; the harness makes
//! the record of it.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::pairs::{Pairs, Side, rounded};

/// The form of the record: raised when a field changes its meaning.
pub(crate) const RECORD_FORM: u32 = 1;
/// Points of a latency curve for each halving of what is left: enough for a smooth plot.
const POINTS_PER_HALVING: u32 = 4;

/// One run of one bench.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) form: u32,
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) question: String,
    /// The day in Japan.
    pub(crate) date: String,
    /// What to type to measure it again.
    pub(crate) command: String,
    /// The commit that was built, with `+` where the tree had changes.
    pub(crate) commit: Option<String>,
    pub(crate) origin: Origin,
    pub(crate) machine: Machine,
    /// Engine, suite, sizes, seed: whatever a reader must know to repeat the run.
    pub(crate) conditions: Vec<Condition>,
    pub(crate) calibration: Option<Noise>,
    pub(crate) counts: Counts,
    pub(crate) ours: Party,
    pub(crate) peer: Option<Party>,
    pub(crate) ratio: Option<Ratios>,
    pub(crate) gates: Vec<Gate>,
    pub(crate) tables: Vec<Table>,
    pub(crate) oracle: Oracle,
    pub(crate) oracle_errors: u64,
    /// What the bench leaves out, said plainly.
    pub(crate) left_out: Vec<String>,
}

/// Where the figures come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Origin {
    /// The harness measured and wrote them.
    Measured,
    /// A person wrote them down from runs of the same commands.
    ByHand,
}

/// The machine; never its host name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) name: String,
    pub(crate) cpu: Option<String>,
    pub(crate) cores: u32,
    pub(crate) memory_mib: Option<u64>,
    pub(crate) kernel: String,
    pub(crate) file_system: Option<String>,
    /// Load averages when the run began.
    pub(crate) load_average: String,
}

/// One thing a reader must know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Condition {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// The fixed work before and after a run, and how far the two are apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Noise {
    pub(crate) before: Value,
    pub(crate) after: Value,
    /// The largest relative change, as a fraction.
    pub(crate) drift: f64,
    /// The part of the work that changed most.
    pub(crate) drift_in: String,
    /// How often the run was made again because the drift was too large.
    pub(crate) reruns: u32,
}

/// Whether the figures may be quoted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) yes: bool,
    pub(crate) because: Option<String>,
}

/// One side of the comparison.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Party {
    pub(crate) name: String,
    pub(crate) version: Option<String>,
    /// Promises that this side does not keep.
    pub(crate) lacks: Option<String>,
    /// Files of this repository that configure it.
    pub(crate) configuration: Option<String>,
    pub(crate) figures: Vec<Figure>,
    pub(crate) phases: Vec<Phase>,
    pub(crate) curves: Vec<Curve>,
}

/// One number with its unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figure {
    /// Short and stable, for scripts.
    pub(crate) id: String,
    /// For people.
    pub(crate) label: String,
    pub(crate) value: f64,
    pub(crate) unit: String,
}

/// One stretch of load on one side.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Phase {
    /// The same on both sides, and for each pair.
    pub(crate) name: String,
    /// From 1; none where there are no pairs.
    pub(crate) pair: Option<u32>,
    pub(crate) operations: u64,
    pub(crate) seconds: f64,
    pub(crate) per_second: Option<f64>,
    pub(crate) latency: Option<Latency>,
    pub(crate) cpu: Option<Cpu>,
}

/// Milliseconds at the usual quantiles.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) p99_9: f64,
    pub(crate) max: f64,
    pub(crate) count: u64,
}

/// CPU seconds, user and system, for 1,000 operations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cpu {
    /// `cgroup v2` or `/proc/PID/stat`.
    pub(crate) accounting: String,
    /// Each party of this side.
    pub(crate) parties: Vec<Share>,
    /// All of them, the client apart.
    pub(crate) side: f64,
    pub(crate) client: f64,
}

/// What one party used for 1,000 operations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Share {
    pub(crate) party: String,
    pub(crate) seconds: f64,
}

/// Latencies of all pairs of one phase: quantile and milliseconds, rising.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Curve {
    pub(crate) phase: String,
    pub(crate) count: u64,
    pub(crate) points: Vec<[f64; 2]>,
}

/// The leading ratio, and all of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ratios {
    pub(crate) what: String,
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) all: Vec<Ratio>,
}

/// How many times better ours is, by pair; below 1 the peer is better.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ratio {
    pub(crate) id: String,
    pub(crate) label: String,
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) pairs: Vec<Pair>,
}

/// Both figures of a pair and their ratio.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pair {
    pub(crate) ours: f64,
    pub(crate) peer: f64,
    pub(crate) ratio: f64,
}

/// A floor or a moonshot, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Gate {
    pub(crate) kind: GateKind,
    pub(crate) what: String,
    /// Empty where something is counted, not timed.
    pub(crate) unit: String,
    pub(crate) bound: f64,
    pub(crate) better: Better,
    /// None where this run did not measure it.
    pub(crate) value: Option<f64>,
    pub(crate) verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum GateKind {
    Floor,
    Moonshot,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Better {
    AtLeast,
    AtMost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    Reached,
    NotReached,
    NotMeasured,
    /// Measured, but on a machine that was not quiet; see [`Counts::because`].
    DoesNotCount,
}

/// Rows that fit no phase: text and numbers as they are to be read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Table {
    pub(crate) title: String,
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<Value>>,
}

/// How many answers were compared with what they must be, and with what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Oracle {
    pub(crate) what: String,
    pub(crate) compared: u64,
    pub(crate) errors: u64,
}

/// What a bench measured; the harness adds machine, noise, commit and verdicts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measured {
    pub(crate) conditions: Vec<Condition>,
    pub(crate) ours: Party,
    pub(crate) peer: Option<Party>,
    /// The first one leads.
    pub(crate) ratios: Vec<Ratio>,
    pub(crate) gates: Vec<Gate>,
    pub(crate) tables: Vec<Table>,
    pub(crate) oracle: Oracle,
    pub(crate) left_out: Vec<String>,
}

impl Measured {
    /// Adds a condition.
    pub(crate) fn on(mut self, name: &str, value: impl ToString) -> Self {
        self.conditions.push(Condition { name: name.to_owned(), value: value.to_string() });
        self
    }
}

impl Party {
    /// A side by its name.
    pub(crate) fn named(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Adds a figure; one that is not a number is left out.
    pub(crate) fn figure(&mut self, id: &str, label: &str, value: f64, unit: &str) {
        if value.is_finite() {
            self.figures.push(Figure {
                id: id.to_owned(),
                label: label.to_owned(),
                value: rounded(value),
                unit: unit.to_owned(),
            });
        }
    }

    /// Adds the latencies of all pairs of a phase, in microseconds.
    pub(crate) fn curve(&mut self, phase: &str, times: &Histogram<u64>) {
        if !times.is_empty() {
            self.curves.push(Curve::of(phase, times));
        }
    }

    /// The figure of this name.
    pub(crate) fn value(&self, id: &str) -> Option<f64> {
        self.figures.iter().find(|figure| figure.id == id).map(|figure| figure.value)
    }
}

#[allow(clippy::cast_precision_loss, reason = "microseconds below an hour")]
fn ms(us: u64) -> f64 {
    us as f64 / 1_000.0
}

impl Latency {
    /// From microseconds; none where nothing was timed.
    pub(crate) fn of(times: &Histogram<u64>) -> Option<Self> {
        let at = |quantile| rounded(ms(times.value_at_quantile(quantile)));
        (!times.is_empty()).then(|| Self {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            max: rounded(ms(times.max())),
            count: times.len(),
        })
    }
}

impl Curve {
    fn of(phase: &str, times: &Histogram<u64>) -> Self {
        let points = times.iter_quantiles(POINTS_PER_HALVING);
        let points = points.map(|at| {
            let quantile = (at.quantile_iterated_to() * 1e6).round() / 1e6;
            [quantile, rounded(ms(at.value_iterated_to()))]
        });
        Self { phase: phase.to_owned(), count: times.len(), points: points.collect() }
    }
}

impl Ratio {
    /// `pairs` as times less: seconds, CPU, bytes.
    pub(crate) fn less(id: &str, label: &str, pairs: &Pairs) -> Option<Self> {
        Self::of(id, label, pairs, |ours, peer| peer / ours)
    }

    /// `pairs` as times more: operations a second.
    pub(crate) fn more(id: &str, label: &str, pairs: &Pairs) -> Option<Self> {
        Self::of(id, label, pairs, |ours, peer| ours / peer)
    }

    fn of(id: &str, label: &str, pairs: &Pairs, ratio: fn(f64, f64) -> f64) -> Option<Self> {
        let ours = pairs.figures(Side::Ours).iter().copied();
        let both = ours.zip(pairs.figures(Side::Peer).iter().copied());
        let pairs: Vec<Pair> = both
            .map(|(ours, peer)| Pair {
                ours: rounded(ours),
                peer: rounded(peer),
                ratio: rounded(ratio(ours, peer)),
            })
            .filter(|pair| pair.ratio.is_finite())
            .collect();
        let mut sorted: Vec<f64> = pairs.iter().map(|pair| pair.ratio).collect();
        sorted.sort_by(f64::total_cmp);
        Some(Self {
            id: id.to_owned(),
            label: label.to_owned(),
            median: sorted.get(sorted.len() / 2).copied()?,
            min: sorted.first().copied()?,
            max: sorted.last().copied()?,
            pairs,
        })
    }
}

impl Ratios {
    /// The first leads; none where nothing was compared.
    pub(crate) fn of(all: Vec<Ratio>) -> Option<Self> {
        let Ratio { label, median, min, max, .. } = all.first()?.clone();
        Some(Self { what: label, median, min, max, all })
    }
}

impl Gate {
    /// A floor: this much at least.
    pub(crate) fn floor(what: &str, unit: &str, bound: f64, value: Option<f64>) -> Self {
        Self::new(GateKind::Floor, Better::AtLeast, what, unit, bound, value)
    }

    /// A moonshot: this much at least.
    pub(crate) fn moonshot(what: &str, unit: &str, bound: f64, value: Option<f64>) -> Self {
        Self::new(GateKind::Moonshot, Better::AtLeast, what, unit, bound, value)
    }

    /// The same bound, as the most that may be.
    pub(crate) fn at_most(mut self) -> Self {
        self.better = Better::AtMost;
        self.judge(true);
        self
    }

    fn new(
        kind: GateKind,
        better: Better,
        what: &str,
        unit: &str,
        bound: f64,
        value: Option<f64>,
    ) -> Self {
        let (what, unit) = (what.to_owned(), unit.to_owned());
        let verdict = Verdict::NotMeasured;
        let mut gate = Self { kind, what, unit, bound, better, value, verdict };
        gate.judge(true);
        gate
    }

    /// Sets the verdict; where the run does not count, nothing was reached or missed but what is
    /// counted and not timed: a lost change is lost on any machine.
    pub(crate) fn judge(&mut self, counts: bool) {
        self.verdict = match self.value {
            None => Verdict::NotMeasured,
            Some(_) if !counts && !self.unit.is_empty() => Verdict::DoesNotCount,
            Some(value) => {
                let reached = match self.better {
                    Better::AtLeast => value >= self.bound,
                    Better::AtMost => value <= self.bound,
                };
                if reached { Verdict::Reached } else { Verdict::NotReached }
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::calibration::histogram;

    #[test]
    fn a_gate_is_reached_missed_or_not_judged() {
        let floor = Gate::floor("times faster", "×", 3.0, Some(2.9));
        assert_eq!(floor.verdict, Verdict::NotReached);
        assert_eq!(Gate::floor("times faster", "×", 3.0, Some(3.0)).verdict, Verdict::Reached);
        assert_eq!(
            Gate::moonshot("p99", "ms", 8.0, Some(9.0)).at_most().verdict,
            Verdict::NotReached
        );
        assert_eq!(Gate::moonshot("p99", "ms", 8.0, Some(7.0)).at_most().verdict, Verdict::Reached);
        assert_eq!(Gate::floor("leaked", "", 0.0, None).verdict, Verdict::NotMeasured);
        let mut noisy = Gate::floor("times faster", "×", 3.0, Some(9.0));
        noisy.judge(false);
        assert_eq!(noisy.verdict, Verdict::DoesNotCount);
        let mut lost = Gate::floor("changes lost", "", 0.0, Some(1.0)).at_most();
        lost.judge(false);
        assert_eq!(lost.verdict, Verdict::NotReached);
    }

    #[test]
    fn a_ratio_keeps_its_pairs_and_says_median_and_spread() {
        let mut pairs = Pairs::default();
        for (ours, peer) in [(1.0, 2.0), (1.0, 9.0), (2.0, 6.0)] {
            pairs.add(Side::Ours, ours);
            pairs.add(Side::Peer, peer);
        }
        let less = Ratio::less("faster", "times faster", &pairs).unwrap();
        assert_eq!((less.median, less.min, less.max), (3.0, 2.0, 9.0));
        assert_eq!(less.pairs[2], Pair { ours: 2.0, peer: 6.0, ratio: 3.0 });
        let ratios = Ratios::of(vec![less]).unwrap();
        let value = serde_json::to_value(&ratios).unwrap();
        assert_eq!((&value["median"], &value["max"]), (&3.0.into(), &9.0.into()));
        assert!(Ratio::more("none", "none", &Pairs::default()).is_none());
    }

    #[test]
    fn a_curve_rises_to_the_largest_value() {
        let mut times = histogram();
        for us in 1..=10_000 {
            times.saturating_record(us);
        }
        let mut party = Party::named("ours");
        party.curve("open", &times);
        let points = &party.curves[0].points;
        assert!(points.len() > 30, "{}", points.len());
        assert!(points.is_sorted_by(|one, two| one[0] <= two[0] && one[1] <= two[1]));
        assert!((points.last().unwrap()[0] - 1.0).abs() < 1e-9);
        let latency = Latency::of(&times).unwrap();
        assert!((latency.p50 - 5.0).abs() < 0.1 && latency.count == 10_000);
        assert!(Latency::of(&histogram()).is_none());
    }
}
