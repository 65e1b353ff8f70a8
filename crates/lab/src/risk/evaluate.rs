//! Exposure: uses × weights × what countermeasures leave; by stage, area, place, difficulty and
//! class, with the interval that so few rows allow.
//!
//! The unit is one use at a place where every incident of the tables happens. It compares; it
//! does not count incidents.

use serde::Serialize;

use super::incidents::{Country, Difficulty, Incident, Place};
use super::life::Tally;
use super::measures::{On, Strength, left};
use super::uses::{Area, Scope, Stage, Use};
use super::weights::{Cell, Shape, again, weigh};
use super::{Model, RiskError, choices, stated, tornado};

/// Drawn again so often for the intervals; their ends move by less than a digit shown.
pub(super) const ROUNDS_COUNT: u32 = 1_000;

/// What is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    Without,
    Today,
    Complete,
}

impl Setting {
    pub const ALL: [Self; 3] = [Self::Without, Self::Today, Self::Complete];

    #[must_use]
    pub fn on(self) -> On<'static> {
        match self {
            Self::Without => On::Nothing,
            Self::Today => On::Today,
            Self::Complete => On::All,
        }
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Without => "without",
            Self::Today => "today",
            Self::Complete => "when complete",
        }
    }
}

/// By what a figure is broken down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    Total,
    Stage,
    Area,
    Place,
    Difficulty,
    Class,
}

/// Exposure of an average life, and where 95 in 100 redraws of the incidents lie: the smallness of
/// the tables only.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    pub axis: Axis,
    pub name: String,
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

/// The figures of one scope under one setting.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    pub scope: Scope,
    pub setting: Setting,
    pub figures: Vec<Figure>,
}

impl Outcome {
    /// The figures along an axis.
    pub fn along(&self, axis: Axis) -> impl Iterator<Item = &Figure> {
        self.figures.iter().filter(move |figure| figure.axis == axis)
    }

    #[must_use]
    pub fn total(&self) -> f64 {
        self.along(Axis::Total).map(|figure| figure.value).sum()
    }
}

/// What one countermeasure does to the total.
#[derive(Clone, Debug, Serialize)]
pub struct Alone {
    pub key: String,
    pub scope: Scope,
    /// Percent of the exposure that goes if it is the only one.
    pub alone: f64,
    /// Percent by which the exposure grows if it alone is missing from all.
    pub missed: f64,
}

/// Everything that a report shows.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub seed: u64,
    pub persons: u64,
    pub compared: Vec<stated::Compared>,
    /// Years of an average life in each stage.
    pub years: Vec<f64>,
    /// Uses of an average life in each stage: public, and private.
    pub uses: Vec<[f64; 2]>,
    pub outcomes: Vec<Outcome>,
    pub choices: Vec<choices::Choice>,
    pub alone: Vec<Alone>,
    pub tornados: Vec<tornado::Tornado>,
}

impl Report {
    /// The outcome of a scope under a setting.
    #[must_use]
    pub fn outcome(&self, scope: Scope, setting: Setting) -> Option<&Outcome> {
        self.outcomes.iter().find(|outcome| outcome.scope == scope && outcome.setting == setting)
    }

    /// The total of a scope under a setting.
    #[must_use]
    pub fn total(&self, scope: Scope, setting: Setting) -> f64 {
        self.outcome(scope, setting).map_or(0.0, Outcome::total)
    }
}

/// Uses of an average life: each use with its mean number in each stage.
#[derive(Clone, Debug)]
pub struct Usage<'m>(pub Vec<(&'m Use, [f64; Stage::ALL.len()])>);

impl<'m> Usage<'m> {
    #[must_use]
    pub fn new(uses: &'m [Use], tally: &Tally) -> Self {
        Self(uses.iter().map(|one| (one, one.by_stage(tally))).collect())
    }

    /// The uses that happen in a scope.
    fn within(&self, scope: Scope) -> impl Iterator<Item = &(&'m Use, [f64; Stage::ALL.len()])> {
        self.0.iter().filter(move |(one, _)| scope.includes(one.scope))
    }

    /// Uses at each place in a scope.
    pub(super) fn at_places(&self, scope: Scope) -> [(Place, f64); Place::ALL.len()] {
        Place::ALL.map(|place| {
            let here = self.within(scope).filter(|(one, _)| one.place == place);
            (place, here.flat_map(|(_, stages)| stages).sum())
        })
    }

    /// Each place used once in a life, spread as its uses are: shares of incidents alone.
    fn once(mut self) -> Self {
        let places = self.at_places(Scope::Private);
        for (one, stages) in &mut self.0 {
            let uses = at(&places, one.place);
            stages.iter_mut().for_each(|amount| *amount /= uses);
        }
        self
    }

    /// Public and private uses in each stage.
    fn by_stage(&self) -> Vec<[f64; 2]> {
        let mut sums = vec![[0.0; 2]; Stage::ALL.len()];
        for (one, stages) in &self.0 {
            for ([public, private], amount) in sums.iter_mut().zip(stages) {
                *(if one.scope == Scope::Public { public } else { private }) += amount;
            }
        }
        sums
    }
}

/// The number beside a place.
fn at(places: &[(Place, f64)], place: Place) -> f64 {
    places.iter().find(|(own, _)| *own == place).map_or(0.0, |(_, number)| *number)
}

/// The exposure of an average life, of which places are used so often.
pub(super) fn total(used: &[(Place, f64)], cells: &[Cell], left: &[f64]) -> f64 {
    let hits = cells.iter().zip(left).map(|(cell, left)| (cell.place, cell.weight * left));
    hits.map(|(place, hit)| at(used, place) * hit).sum()
}

/// Values in the order of `labels`.
fn values(
    usage: &Usage<'_>,
    scope: Scope,
    cells: &[Cell],
    left: &[f64],
    classes: usize,
) -> Vec<f64> {
    let hit = |cell: &Cell, left: &f64| cell.weight * left;
    let per_use: Vec<(Place, f64)> = Place::ALL
        .into_iter()
        .map(|place| {
            let own = cells.iter().zip(left).filter(|(cell, _)| cell.place == place);
            (place, own.map(|(cell, left)| hit(cell, left)).sum())
        })
        .collect();
    let mut stages = [0.0; Stage::ALL.len()];
    let mut areas = Area::ALL.map(|area| (area, 0.0));
    for (one, amounts) in usage.within(scope) {
        let weight = at(&per_use, one.place);
        let sum: f64 = amounts.iter().sum();
        for (stage, amount) in stages.iter_mut().zip(amounts) {
            *stage += amount * weight;
        }
        for (area, exposure) in &mut areas {
            *exposure += if *area == one.area { sum * weight } else { 0.0 };
        }
    }
    let used = usage.at_places(scope);
    let by = |keep: &dyn Fn(&Cell) -> bool| -> f64 {
        let own = cells.iter().zip(left).filter(|(cell, _)| keep(cell));
        own.map(|(cell, left)| at(&used, cell.place) * hit(cell, left)).sum()
    };
    let mut values = vec![stages.iter().sum()];
    values.extend(stages);
    values.extend(areas.map(|(_, exposure)| exposure));
    values.extend(used.map(|(place, uses)| uses * at(&per_use, place)));
    values.extend(Difficulty::ALL.map(|difficulty| by(&|cell| cell.difficulty == difficulty)));
    values.extend((0..classes).map(|class| by(&|cell| cell.class == class)));
    values
}

/// Names of the values, in their order.
fn labels(model: &Model) -> Vec<(Axis, String)> {
    let mut labels = vec![(Axis::Total, "total".to_owned())];
    labels.extend(Stage::ALL.map(|stage| (Axis::Stage, stage.name().to_owned())));
    labels.extend(Area::ALL.map(|area| (Axis::Area, area.name().to_owned())));
    labels.extend(Place::ALL.map(|place| (Axis::Place, place.name().to_owned())));
    labels.extend(Difficulty::ALL.map(|one| (Axis::Difficulty, one.name().to_owned())));
    labels.extend(model.classes.iter().map(|class| (Axis::Class, class.name.clone())));
    labels
}

/// One question to the model: which incidents, how weighed, which uses, what is on.
#[derive(Clone, Debug)]
pub struct Case<'m> {
    pub model: &'m Model,
    pub usage: Usage<'m>,
    pub shape: Shape,
    pub strength: Strength,
    /// A row that is left out.
    pub without: Option<(Country, u32)>,
}

impl<'m> Case<'m> {
    /// The case that the report shows.
    #[must_use]
    pub fn new(model: &'m Model, tally: &Tally) -> Self {
        Self {
            model,
            usage: Usage::new(&model.uses, tally),
            shape: Shape::default(),
            strength: Strength::default(),
            without: None,
        }
    }

    /// The rows that count.
    pub(super) fn rows(&self) -> Vec<&'m Incident> {
        let counts = |row: &&Incident| self.without != Some((row.country, row.number));
        self.model.incidents.iter().filter(counts).collect()
    }

    /// The exposure of an average life.
    #[must_use]
    pub fn total(&self, scope: Scope, on: On<'_>) -> f64 {
        let cells = weigh(&self.model.classes, &self.rows(), self.shape);
        let left = left(&self.model.effects, &cells, on, self.strength);
        total(&self.usage.at_places(scope), &cells, &left)
    }

    /// The case in which a place counts once, however often it is used.
    #[must_use]
    pub fn once(&self) -> Self {
        Self { usage: self.usage.clone().once(), ..self.clone() }
    }
}

/// Makes every figure of a report.
///
/// # Errors
/// A number of persons out of range, or a table that contradicts another.
pub fn evaluate(model: &Model, seed: u64, persons: u64) -> Result<Report, RiskError> {
    let tally = super::life::lives(&model.chances, seed, persons)?;
    let case = Case::new(model, &tally);
    let years = Stage::ALL.map(|stage| {
        let (from, to) = stage.ages();
        let year = super::life::Occasion::Year;
        if stage == Stage::Death { 0.0 } else { tally.mean(year, from, to) }
    });
    Ok(Report {
        seed,
        persons,
        compared: stated::compare(&model.stated, &model.incidents)?,
        years: years.to_vec(),
        uses: case.usage.by_stage(),
        outcomes: outcomes(&case, seed),
        choices: choices::choices(&case, seed),
        alone: alone(&case),
        tornados: tornado::tornados(&case),
    })
}

fn outcomes(case: &Case<'_>, seed: u64) -> Vec<Outcome> {
    let (model, classes) = (case.model, case.model.classes.len());
    let cells = weigh(&model.classes, &case.rows(), case.shape);
    let drawn: Vec<Vec<Cell>> = (0..ROUNDS_COUNT)
        .map(|round| {
            let rows = again(&model.incidents, seed, u64::from(round));
            weigh(&model.classes, &rows, case.shape)
        })
        .collect();
    let labels = labels(model);
    let mut outcomes = Vec::new();
    for (scope, setting) in Scope::ALL.into_iter().flat_map(|s| Setting::ALL.map(|t| (s, t))) {
        let left = left(&model.effects, &cells, setting.on(), case.strength);
        let value = |cells: &[Cell]| values(&case.usage, scope, cells, &left, classes);
        let first = value(&cells);
        let mut samples: Vec<Vec<f64>> = labels.iter().map(|_| Vec::new()).collect();
        for round in &drawn {
            for (sample, value) in samples.iter_mut().zip(value(round)) {
                sample.push(value);
            }
        }
        let figures = labels.iter().zip(first).zip(&mut samples).map(|((label, value), sample)| {
            let (low, high) = interval(sample);
            let (axis, name) = label.clone();
            Figure { axis, name, value, low, high }
        });
        outcomes.push(Outcome { scope, setting, figures: figures.collect() });
    }
    outcomes
}

/// Where 95 of 100 samples lie.
pub(super) fn interval(sample: &mut [f64]) -> (f64, f64) {
    sample.sort_by(f64::total_cmp);
    let cut = sample.len() * 25 / 1_000;
    let low = sample.get(cut).copied().unwrap_or(0.0);
    let high = sample.iter().rev().nth(cut).copied().unwrap_or(0.0);
    (low, high)
}

fn alone(case: &Case<'_>) -> Vec<Alone> {
    let mut keys: Vec<&str> = case.model.effects.iter().map(|effect| effect.key.as_str()).collect();
    keys.dedup();
    let mut all = Vec::new();
    for scope in Scope::ALL {
        let (nothing, complete) = (case.total(scope, On::Nothing), case.total(scope, On::All));
        for key in &keys {
            let with = case.total(scope, On::Only(key));
            let lacking = case.total(scope, On::AllBut(key));
            all.push(Alone {
                key: (*key).to_owned(),
                scope,
                alone: 100.0 * (1.0 - with / nothing),
                missed: 100.0 * (lacking / complete - 1.0),
            });
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::life::{Life, Occasion};
    use super::super::measures::{HIGH_ATTACK_FACTOR, Status};
    use super::*;

    /// A life of two years with one moving, against a sum written out over every occasion, use,
    /// place, class, difficulty and effect.
    #[test]
    fn a_tiny_life_is_what_a_sum_by_hand_gives() {
        let model = Model::load().unwrap();
        let events = vec![(0, Occasion::Born), (1, Occasion::Moved), (2, Occasion::Died)];
        let life = Life { from: 0, to: 2, events };
        let mut tally = Tally::default();
        tally.add(&life);
        let case = Case::new(&model, &tally);
        let mut occasions = life.events.clone();
        occasions.extend([0, 1, 2].map(|age| (age, Occasion::Year)));
        for (scope, setting) in Scope::ALL.iter().flat_map(|s| Setting::ALL.map(|t| (*s, t))) {
            let mut sum = 0.0;
            for (age, occasion) in &occasions {
                for one in model.uses.iter().filter(|one| scope.includes(one.scope)) {
                    if one.trigger == *occasion && one.from <= *age && *age <= one.to {
                        sum += one.rate * by_hand(&model, one.place, setting);
                    }
                }
            }
            let total = case.total(scope, setting.on());
            assert!(sum > 0.0 && (total - sum).abs() < 1e-9 * sum, "{scope:?} {total} {sum}");
        }
    }

    /// What one use at a place weighs, from the rows themselves.
    fn by_hand(model: &Model, place: Place, setting: Setting) -> f64 {
        let count = |keep: &dyn Fn(&Incident) -> bool| {
            model.incidents.iter().filter(|row| keep(row)).count() as f64
        };
        let foreign = |row: &Incident| row.country != Country::Jp;
        let at = (count(&|row| foreign(row) && row.place == place) + 1.0 / 3.0) / 24.0;
        let here = count(&|row| row.place == place);
        let possible = model.classes.iter().filter(|c| c.places.contains(&place)).count() as f64;
        let mut sum = 0.0;
        for (index, class) in model.classes.iter().enumerate() {
            if !class.places.contains(&place) {
                continue;
            }
            let there = count(&|row| row.place == place && row.class == class.class);
            let of_class = count(&|row| row.class == class.class);
            for difficulty in Difficulty::ALL {
                let such = count(&|row| row.class == class.class && row.difficulty == difficulty);
                let mut part = (there + 1.0 / possible) / (here + 1.0);
                part *= (such + 1.0 / 3.0) / (of_class + 1.0);
                let factor = if difficulty == Difficulty::High { HIGH_ATTACK_FACTOR } else { 1.0 };
                for effect in &model.effects {
                    let on = match setting {
                        Setting::Without => false,
                        Setting::Today => effect.status == Status::Today,
                        Setting::Complete => true,
                    };
                    if on && effect.places.contains(&place) && effect.classes.contains(&index) {
                        part *= 1.0 - effect.effect * factor;
                    }
                }
                sum += at * part;
            }
        }
        sum
    }

    #[test]
    fn the_interval_is_where_95_of_100_lie() {
        let mut sample: Vec<f64> = (0..1_000).rev().map(f64::from).collect();
        assert_eq!(interval(&mut sample), (25.0, 974.0));
    }
}
