//! Which assumption moves the result most: each is set to its low and its high end, one at a time.
//!
//! Not an interval of the result: assumptions may be wrong together.

use serde::Serialize;

use super::evaluate::Case;
use super::life::Occasion;
use super::measures::{HIGH_ATTACK_FACTOR_RANGE, On, Size};
use super::uses::{Area, Scope, Use};

/// The ends of the smoothing that are tried, in rows.
const SMOOTHING_ROWS_RANGE: (f64, f64) = (0.25, 4.0);

/// One assumption, and the exposure of an average life with today's countermeasures at its ends.
#[derive(Clone, Debug, Serialize)]
pub struct Swing {
    pub scope: Scope,
    pub assumption: String,
    pub low: f64,
    pub high: f64,
}

impl Swing {
    #[must_use]
    pub fn width(&self) -> f64 {
        (self.high - self.low).abs()
    }
}

/// Every assumption in both scopes, the widest first; what moves nothing is left out.
pub(super) fn swings(case: &Case<'_>) -> Vec<Swing> {
    let mut swings = Vec::new();
    for scope in Scope::ALL {
        let mut own: Vec<Swing> = assumptions(case)
            .into_iter()
            .map(|(assumption, low, high)| {
                let total = |case: &Case<'_>| case.total(scope, On::Today);
                Swing { scope, assumption, low: total(&low), high: total(&high) }
            })
            .filter(|swing| swing.width() > 1e-9)
            .collect();
        own.sort_by(|a, b| b.width().total_cmp(&a.width()));
        swings.extend(own);
    }
    swings
}

/// Each assumption with the case at its low and its high end.
fn assumptions<'m>(case: &Case<'m>) -> Vec<(String, Case<'m>, Case<'m>)> {
    let mut all = Vec::new();
    for (scope, area) in Scope::ALL.into_iter().flat_map(|s| Area::ALL.map(|area| (s, area))) {
        let meant = |one: &Use| one.area == area && one.scope == scope;
        let word = if scope == Scope::Public { "public" } else { "private" };
        let low = rates(case, |one| if meant(one) { one.low / one.rate } else { 1.0 });
        let high = rates(case, |one| if meant(one) { one.high / one.rate } else { 1.0 });
        all.push((format!("rates of use: {}, {word}", area.name()), low, high));
    }
    let moves =
        |factor: f64| rates(case, |one| if one.trigger == Occasion::Moved { factor } else { 1.0 });
    all.push(("movings in a life: half, double".to_owned(), moves(0.5), moves(2.0)));
    let sized = |size| {
        let mut case = case.clone();
        case.strength.today = size;
        case
    };
    let name = "size of today's effects: strong, weak".to_owned();
    all.push((name, sized(Size::High), sized(Size::Low)));
    let against = |factor| {
        let mut case = case.clone();
        case.strength.high_attack = factor;
        case
    };
    let (weak, strong) = HIGH_ATTACK_FACTOR_RANGE;
    let name = format!("effect against difficult attacks: × {strong}, × {weak}");
    all.push((name, against(strong), against(weak)));
    let smoothed = |rows| {
        let mut case = case.clone();
        case.shape.smoothing = rows;
        case
    };
    let (few, many) = SMOOTHING_ROWS_RANGE;
    all.push((format!("smoothing: {few}, {many} rows"), smoothed(few), smoothed(many)));
    let mut pooled = case.clone();
    pooled.shape.places_of_all = true;
    all.push(("places: of all three countries".to_owned(), case.clone(), pooled));
    all
}

/// The case with other rates of use.
fn rates<'m>(case: &Case<'m>, factor: impl Fn(&Use) -> f64) -> Case<'m> {
    let mut case = case.clone();
    for (one, stages) in &mut case.usage.0 {
        let factor = factor(one);
        stages.iter_mut().for_each(|amount| *amount *= factor);
    }
    case
}
