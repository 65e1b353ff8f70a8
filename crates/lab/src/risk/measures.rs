//! Countermeasures of this project: which class of incident each removes or bounds, at which
//! places, by how much, and which promise proves the part that exists.
//!
//! Sizes of effects are assumptions with bounds; that the function exists is not: a row of today
//! names its promises, each with words of its sentence, so that a number alone binds nothing; a row
//! that is not yet there names none.

use serde::{Deserialize, Serialize};

use super::RiskError;
use super::incidents::{Class, Difficulty, Place, places};
use super::tables::{broken, read, words};
use super::weights::Cell;

const MEASURES: &str = include_str!("../../data/countermeasures.tsv");
const TABLE: &str = "countermeasures.tsv";

/// Against an attack of high difficulty a countermeasure keeps this part of its effect (assumed),
/// and may keep so little or so much.
pub const HIGH_ATTACK_FACTOR: f64 = 0.5;
pub const HIGH_ATTACK_FACTOR_RANGE: (f64, f64) = (0.25, 1.0);

/// Whether a countermeasure exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    #[serde(rename = "today")]
    Today,
    #[serde(rename = "not yet")]
    NotYet,
}

#[derive(Deserialize)]
struct Row {
    key: String,
    name: String,
    status: Status,
    promises: String,
    tests: String,
    places: String,
    classes: String,
    effect: f64,
    low: f64,
    high: f64,
    reason: String,
}

/// A row of SPECIFICATION.md, and words of its sentence that say what the countermeasure does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Promise {
    pub number: String,
    pub words: String,
}

impl Promise {
    /// `P-085 a server without a card learns nothing`.
    fn parse(cell: &str) -> Option<Self> {
        let (number, words) = cell.trim().split_once(' ')?;
        let digits = number.strip_prefix("P-")?;
        let whole = !words.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        whole.then(|| Self { number: number.to_owned(), words: words.to_owned() })
    }
}

/// One effect of a countermeasure; a countermeasure may have several.
#[derive(Clone, Debug, Serialize)]
pub struct Effect {
    pub key: String,
    pub name: String,
    pub status: Status,
    pub promises: Vec<Promise>,
    pub tests: String,
    pub places: Vec<Place>,
    /// Indices of classes.
    pub classes: Vec<usize>,
    /// The part of such incidents that does not happen, or does not reach the resident.
    pub effect: f64,
    pub low: f64,
    pub high: f64,
    pub reason: String,
}

/// The effects.
pub(super) fn effects(classes: &[Class]) -> Result<Vec<Effect>, RiskError> {
    let rows: Vec<Row> = read(TABLE, MEASURES)?;
    rows.into_iter().map(|row| effect(row, classes)).collect()
}

fn effect(row: Row, classes: &[Class]) -> Result<Effect, RiskError> {
    let fail = |rule| broken(TABLE, &row.key, rule);
    let cells = row.promises.split(';').filter(|cell| !cell.is_empty());
    let promises: Option<Vec<Promise>> = cells.map(Promise::parse).collect();
    let promises = promises.ok_or_else(|| fail("a promise is its number and words of it"))?;
    if promises.is_empty() == (row.status == Status::Today) {
        return Err(fail("what is there today names its promises, what is not names none"));
    }
    if !(0.0 <= row.low && row.low <= row.effect && row.effect <= row.high && row.high < 1.0) {
        return Err(fail("0 ≤ low ≤ effect ≤ high < 1: nothing is removed for certain"));
    }
    let places = places(&row.places).ok_or_else(|| fail("a place is not one of the three"))?;
    let index = |key: &str| classes.iter().position(|class| class.class == key);
    let indices: Option<Vec<usize>> = if row.classes == "*" {
        Some((0..classes.len()).collect())
    } else {
        words(&row.classes).map(index).collect()
    };
    let classes = indices.ok_or_else(|| fail("a class is in no row of incident_classes.tsv"))?;
    let Row { key, name, status, tests, effect, low, high, reason, .. } = row;
    Ok(Effect { key, name, status, promises, tests, places, classes, effect, low, high, reason })
}

/// Which countermeasures are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On<'a> {
    Nothing,
    Today,
    All,
    Only(&'a str),
    AllBut(&'a str),
}

impl On<'_> {
    fn holds(self, effect: &Effect) -> bool {
        match self {
            Self::Nothing => false,
            Self::Today => effect.status == Status::Today,
            Self::All => true,
            Self::Only(key) => effect.key == key,
            Self::AllBut(key) => effect.key != key,
        }
    }
}

/// Which of its three sizes an effect is taken at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    Low,
    Assumed,
    High,
}

/// How effects are taken.
#[derive(Clone, Copy, Debug)]
pub struct Strength {
    pub today: Size,
    pub not_yet: Size,
    pub high_attack: f64,
}

impl Default for Strength {
    fn default() -> Self {
        let today = Size::Assumed;
        Self { today, not_yet: Size::Assumed, high_attack: HIGH_ATTACK_FACTOR }
    }
}

/// The part of each cell that is left: several effects on one cell act one after the other.
#[must_use]
pub fn left(effects: &[Effect], cells: &[Cell], on: On<'_>, strength: Strength) -> Vec<f64> {
    let of_cell = |cell: &Cell| {
        let mut left = 1.0;
        for effect in effects.iter().filter(|effect| on.holds(effect)) {
            if effect.places.contains(&cell.place) && effect.classes.contains(&cell.class) {
                let size = match effect.status {
                    Status::Today => strength.today,
                    Status::NotYet => strength.not_yet,
                };
                let size = match size {
                    Size::Low => effect.low,
                    Size::Assumed => effect.effect,
                    Size::High => effect.high,
                };
                let high = cell.difficulty == Difficulty::High;
                left *= 1.0 - size * if high { strength.high_attack } else { 1.0 };
            }
        }
        left
    };
    cells.iter().map(of_cell).collect()
}
