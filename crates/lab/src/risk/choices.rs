//! What the model's own choices make of its two claims: the factor of private use, and the share
//! that countermeasures leave.
//!
//! Two choices are tried, and the rows decide neither: whose places count, and whether a place
//! counts for its uses or once. Redraws say how small the tables are and nothing else; what the
//! assumptions leave open stands beside them, never inside them.

use serde::Serialize;

use super::evaluate::{Case, ROUNDS_COUNT, Setting, interval, total};
use super::incidents::Incident;
use super::measures::{HIGH_ATTACK_FACTOR_RANGE, Size, Strength, left};
use super::tornado::rates;
use super::uses::Scope;
use super::weights::{Cell, again, weigh};

/// One total over another; the ends are those of redraws, in which what the rows say about both
/// cancels out.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Ratio {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

/// What is got when assumptions are at their ends together.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Span {
    pub low: f64,
    pub high: f64,
}

impl Span {
    /// The narrowest span that holds all of them.
    #[must_use]
    pub fn over(values: impl IntoIterator<Item = f64>) -> Self {
        let none = Self { low: f64::INFINITY, high: f64::NEG_INFINITY };
        values.into_iter().fold(none, |Self { low, high }, value| Self {
            low: low.min(value),
            high: high.max(value),
        })
    }
}

/// The share of a scope's exposure that a setting leaves.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Left {
    pub scope: Scope,
    pub setting: Setting,
    pub share: Ratio,
    /// Every effect at its strong and at its weak end, against difficult attacks too.
    pub by_sizes: Span,
}

/// The claims under one pair of choices.
#[derive(Clone, Debug, Serialize)]
pub struct Choice {
    /// Places of all three countries; else of the United States and Korea.
    pub places_of_all: bool,
    /// A place counts for each of its uses; else once, and shares of incidents stand alone.
    pub uses_counted: bool,
    /// Exposure with private use over exposure without it, no countermeasure on.
    pub factor: Ratio,
    /// Private uses at their low ends and public ones at their high ends, and the reverse.
    pub factor_by_rates: Span,
    pub left: Vec<Left>,
}

impl Choice {
    /// What a setting leaves of a scope.
    #[must_use]
    pub fn left(&self, scope: Scope, setting: Setting) -> Option<&Left> {
        self.left.iter().find(|left| left.scope == scope && left.setting == setting)
    }

    /// Whether the rest of the page shows this choice.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        self.uses_counted && !self.places_of_all
    }
}

/// The four pairs of choices, the one that the page shows first.
pub(super) fn choices(case: &Case<'_>, seed: u64) -> Vec<Choice> {
    let draw = |round: u32| again(&case.model.incidents, seed, u64::from(round));
    let rounds: Vec<Vec<&Incident>> = (0..ROUNDS_COUNT).map(draw).collect();
    let mut all = Vec::new();
    for places_of_all in [false, true] {
        let mut case = case.clone();
        case.shape.places_of_all = places_of_all;
        let mut samples = vec![weigh(&case.model.classes, &case.rows(), case.shape)];
        samples.extend(rounds.iter().map(|rows| weigh(&case.model.classes, rows, case.shape)));
        for uses_counted in [true, false] {
            let case = if uses_counted { case.clone() } else { case.once() };
            all.push(choice(&case, &samples, places_of_all, uses_counted));
        }
    }
    all
}

fn choice(case: &Case<'_>, samples: &[Vec<Cell>], places_of_all: bool, uses: bool) -> Choice {
    let totals = |case: &Case<'_>, scope: Scope, setting: Setting, samples: &[Vec<Cell>]| {
        let cells = samples.first().map_or(&[][..], Vec::as_slice);
        let left = left(&case.model.effects, cells, setting.on(), case.strength);
        let used = case.usage.at_places(scope);
        samples.iter().map(|cells| total(&used, cells, &left)).collect::<Vec<f64>>()
    };
    let without = |scope| totals(case, scope, Setting::Without, samples);
    let first = samples.get(..1).unwrap_or_default();
    let factor_at = |private_high: bool| {
        let case = rates(case, |one| {
            let high = private_high == (one.scope == Scope::Private);
            (if high { one.high } else { one.low }) / one.rate
        });
        let case = if uses { case } else { case.once() };
        let of = |scope| totals(&case, scope, Setting::Without, first);
        ratio(&of(Scope::Private), &of(Scope::Public)).value
    };
    let mut all = Vec::new();
    for (scope, setting) in
        Scope::ALL.into_iter().flat_map(|s| [(s, Setting::Today), (s, Setting::Complete)])
    {
        let whole = without(scope);
        let sized = |(size, high_attack)| {
            let mut case = case.clone();
            case.strength = Strength { today: size, not_yet: size, high_attack };
            ratio(&totals(&case, scope, setting, first), &whole).value
        };
        let (weak, strong) = HIGH_ATTACK_FACTOR_RANGE;
        all.push(Left {
            scope,
            setting,
            share: ratio(&totals(case, scope, setting, samples), &whole),
            by_sizes: Span::over([(Size::High, strong), (Size::Low, weak)].map(sized)),
        });
    }
    Choice {
        places_of_all,
        uses_counted: uses,
        factor: ratio(&without(Scope::Private), &without(Scope::Public)),
        factor_by_rates: Span::over([true, false].map(factor_at)),
        left: all,
    }
}

/// The ratio of totals, the first from the rows as they are, the others for the redraws.
fn ratio(above: &[f64], below: &[f64]) -> Ratio {
    let mut ratios = above.iter().zip(below).map(|(above, below)| above / below);
    let value = ratios.next().unwrap_or(0.0);
    let (low, high) = interval(&mut ratios.collect::<Vec<_>>());
    Ratio { value, low, high }
}
