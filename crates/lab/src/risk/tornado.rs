//! Which assumption moves which result most: each is set to its low and its high end, one at a
//! time.
//!
//! Not an interval of the result: assumptions may be wrong together.

use serde::Serialize;

use super::evaluate::Case;
use super::incidents::Country;
use super::life::Occasion;
use super::measures::{HIGH_ATTACK_FACTOR_RANGE, On, Size};
use super::uses::{Area, Scope, Use};

/// The ends of the smoothing that are tried, in rows.
const SMOOTHING_ROWS_RANGE: (f64, f64) = (0.25, 4.0);

/// Below this part of the result an assumption moves nothing that a page could show.
const SWING_SHOWN_MIN: f64 = 1e-6;

/// Rows that may not be incidents of an identifier, and why. S3 §4.2 calls the first a
/// demonstration on television; the second is of 1999, the first record code of 2002.
const DOUBTFUL: [(Country, u32, &str); 2] = [
    (Country::Us, 2, "without US 2 (a demonstration)"),
    (Country::Jp, 34, "without JP 34 (before the first code)"),
];

/// What is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Exposure with private use over exposure without it, no countermeasure on.
    Factor,
    /// Percent that today's countermeasures leave.
    LeftPublic,
    LeftPrivate,
    /// Exposure of an average life with today's countermeasures.
    ExposurePublic,
    ExposurePrivate,
}

impl Quantity {
    pub const ALL: [Self; 5] = [
        Self::Factor,
        Self::LeftPublic,
        Self::LeftPrivate,
        Self::ExposurePublic,
        Self::ExposurePrivate,
    ];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Factor => "factor of private use",
            Self::LeftPublic => "percent left by today's, public bodies only",
            Self::LeftPrivate => "percent left by today's, private parties too",
            Self::ExposurePublic => "exposure with today's, public bodies only",
            Self::ExposurePrivate => "exposure with today's, private parties too",
        }
    }

    fn of(self, case: &Case<'_>) -> f64 {
        let left = |scope| 100.0 * case.total(scope, On::Today) / case.total(scope, On::Nothing);
        match self {
            Self::Factor => factor(case, On::Nothing),
            Self::LeftPublic => left(Scope::Public),
            Self::LeftPrivate => left(Scope::Private),
            Self::ExposurePublic => case.total(Scope::Public, On::Today),
            Self::ExposurePrivate => case.total(Scope::Private, On::Today),
        }
    }

    /// Whether it means the same when a place counts once: an exposure has another unit then.
    fn is_ratio(self) -> bool {
        !matches!(self, Self::ExposurePublic | Self::ExposurePrivate)
    }
}

fn factor(case: &Case<'_>, on: On<'_>) -> f64 {
    case.total(Scope::Private, on) / case.total(Scope::Public, on)
}

/// One assumption, and the quantity at its ends.
#[derive(Clone, Debug, Serialize)]
pub struct Swing {
    pub assumption: String,
    pub low: f64,
    pub high: f64,
}

/// What moves a quantity, the widest first.
#[derive(Clone, Debug, Serialize)]
pub struct Tornado {
    pub quantity: Quantity,
    pub assumed: f64,
    pub swings: Vec<Swing>,
}

impl Tornado {
    /// How far an assumption takes the quantity from end to end, the assumed value among them.
    fn width(&self, swing: &Swing) -> f64 {
        let ends = [swing.low, swing.high];
        ends.iter().copied().fold(self.assumed, f64::max)
            - ends.iter().copied().fold(self.assumed, f64::min)
    }
}

/// Every quantity with every assumption that moves it.
pub(super) fn tornados(case: &Case<'_>) -> Vec<Tornado> {
    let assumptions = assumptions(case);
    Quantity::ALL.map(|quantity| tornado(case, &assumptions, quantity)).to_vec()
}

fn tornado(case: &Case<'_>, assumptions: &[Assumption<'_>], quantity: Quantity) -> Tornado {
    let mut made = Tornado { quantity, assumed: quantity.of(case), swings: Vec::new() };
    for Assumption { name, low, high, ratios_only } in assumptions {
        if quantity.is_ratio() || !ratios_only {
            let (low, high) = (quantity.of(low), quantity.of(high));
            made.swings.push(Swing { assumption: name.clone(), low, high });
        }
    }
    if quantity == Quantity::Factor {
        let sized = |size| factor(&with_sizes(case, size), On::Today);
        let assumption = "today's countermeasures on: weak, strong".to_owned();
        let (low, high) = (sized(Size::Low), sized(Size::High));
        made.swings.push(Swing { assumption, low, high });
    }
    let mut swings = std::mem::take(&mut made.swings);
    swings.retain(|swing| made.width(swing) > SWING_SHOWN_MIN * made.assumed);
    swings.sort_by(|a, b| made.width(b).total_cmp(&made.width(a)));
    Tornado { swings, ..made }
}

/// An assumption with the case at its low and its high end.
struct Assumption<'m> {
    name: String,
    low: Case<'m>,
    high: Case<'m>,
    ratios_only: bool,
}

fn assumptions<'m>(case: &Case<'m>) -> Vec<Assumption<'m>> {
    let mut all = Vec::new();
    let mut push = |name: String, low: Case<'m>, high: Case<'m>| {
        all.push(Assumption { name, low, high, ratios_only: false });
    };
    for (scope, area) in Scope::ALL.into_iter().flat_map(|s| Area::ALL.map(|area| (s, area))) {
        let meant = |one: &Use| one.area == area && one.scope == scope;
        let word = if scope == Scope::Public { "public" } else { "private" };
        let low = rates(case, |one| if meant(one) { one.low / one.rate } else { 1.0 });
        let high = rates(case, |one| if meant(one) { one.high / one.rate } else { 1.0 });
        push(format!("rates of use: {}, {word}", area.name()), low, high);
    }
    let moves =
        |factor: f64| rates(case, |one| if one.trigger == Occasion::Moved { factor } else { 1.0 });
    push("movings in a life: half, double".to_owned(), moves(0.5), moves(2.0));
    let name = "size of today's effects: strong, weak".to_owned();
    push(name, with_sizes(case, Size::High), with_sizes(case, Size::Low));
    let changed = |change: &dyn Fn(&mut Case<'m>)| {
        let mut case = case.clone();
        change(&mut case);
        case
    };
    let against = |factor| changed(&|case| case.strength.high_attack = factor);
    let (weak, strong) = HIGH_ATTACK_FACTOR_RANGE;
    let name = format!("effect against difficult attacks: × {strong}, × {weak}");
    push(name, against(strong), against(weak));
    let smoothed = |rows| changed(&|case| case.shape.smoothing = rows);
    let (few, many) = SMOOTHING_ROWS_RANGE;
    push(format!("smoothing: {few}, {many} rows"), smoothed(few), smoothed(many));
    let pooled = changed(&|case| case.shape.places_of_all = true);
    push("places: of all three countries".to_owned(), case.clone(), pooled);
    for (country, number, name) in DOUBTFUL {
        let without = changed(&|case| case.without = Some((country, number)));
        push(name.to_owned(), case.clone(), without);
    }
    let name = "a place counts once, not for each use".to_owned();
    all.push(Assumption { name, low: case.clone(), high: case.once(), ratios_only: true });
    all
}

fn with_sizes<'m>(case: &Case<'m>, size: Size) -> Case<'m> {
    let mut case = case.clone();
    case.strength.today = size;
    case
}

/// The case with other rates of use.
pub(super) fn rates<'m>(case: &Case<'m>, factor: impl Fn(&Use) -> f64) -> Case<'m> {
    let mut case = case.clone();
    for (one, stages) in &mut case.usage.0 {
        let factor = factor(one);
        stages.iter_mut().for_each(|amount| *amount *= factor);
    }
    case
}
