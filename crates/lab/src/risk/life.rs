//! Lives of synthetic residents from birth to death, as a function of seed and resident.
//!
//! Simple on purpose: chances by age, each a row of `life.tsv`; the lives of one household know
//! nothing of each other. Whoever is a resident today has lived until today.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::tables::{broken, read};
use super::{PERSONS_COUNT_MAX, PERSONS_COUNT_MIN, RiskError};
use crate::draw::{Draw, SeedLabel};
use crate::population::{self, PopulationError, REFERENCE_DATE};

const LIFE: &str = include_str!("../../data/life.tsv");
const TABLE: &str = "life.tsv";

/// Of the streams of lives; one stream per resident.
const SEED_LABEL: SeedLabel = *b"jukinet risk, lives/1\0\0\0";

/// Nobody of the model grows older.
pub const AGE_YEARS_MAX: u8 = 115;

/// The population has residents without a year of birth among those of fifty and over only: so
/// long at least they have lived.
const AGE_UNKNOWN_YEARS: u8 = 50;

/// At these ages a first post begins: without a university, and after one.
const WORK_AGES: (u8, u8) = (18, 22);

/// What happens in a life; `Year` stands for each year lived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    Year,
    Born,
    Arrived,
    Moved,
    Married,
    Parted,
    HadChild,
    EnteredUniversity,
    StartedWork,
    ChangedJob,
    Retired,
    LostCard,
    SufferedViolence,
    NeededCare,
    Died,
}

/// What is drawn in each year of a life, in this order; death comes last.
const DRAWN: [Occasion; 12] = [
    Occasion::Moved,
    Occasion::Married,
    Occasion::Parted,
    Occasion::HadChild,
    Occasion::EnteredUniversity,
    Occasion::StartedWork,
    Occasion::ChangedJob,
    Occasion::Retired,
    Occasion::LostCard,
    Occasion::SufferedViolence,
    Occasion::NeededCare,
    Occasion::Died,
];

/// Whom a chance is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sex {
    Male,
    Female,
    Both,
}

/// How often something happens in a year of life.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Chance {
    pub event: Occasion,
    pub sex: Sex,
    pub from: u8,
    pub to: u8,
    pub per_100000: u32,
    pub reason: String,
}

/// The chances.
pub(super) fn chances() -> Result<Vec<Chance>, RiskError> {
    let rows: Vec<Chance> = read(TABLE, LIFE)?;
    for row in &rows {
        let name = || format!("{:?} from {}", row.event, row.from);
        if !DRAWN.contains(&row.event) {
            return Err(broken(TABLE, name(), "this is not drawn"));
        }
        if row.from > row.to || row.to > AGE_YEARS_MAX || row.per_100000 > 100_000 {
            return Err(broken(TABLE, name(), "ages run upwards to 115, chances to 100000"));
        }
    }
    Ok(rows)
}

/// What of a resident a life is drawn from.
#[derive(Clone, Copy, Debug)]
pub struct Resident {
    pub sex: Sex,
    /// At the reference date of the population.
    pub age: u8,
    pub foreign: bool,
}

/// A life: first age in the register, age at death, and what happened at which age.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Life {
    pub from: u8,
    pub to: u8,
    pub events: Vec<(u8, Occasion)>,
}

/// How many lives there were, how many lived at each age, and what happened at which age.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub lives: u64,
    pub happened: BTreeMap<(Occasion, u8), u64>,
}

impl Tally {
    pub fn add(&mut self, life: &Life) {
        self.lives += 1;
        let years = (life.from..=life.to).map(|age| (Occasion::Year, age));
        let events = life.events.iter().map(|(age, occasion)| (*occasion, *age));
        for key in years.chain(events) {
            *self.happened.entry(key).or_default() += 1;
        }
    }

    /// How often something happened in a life between two ages, on average.
    #[must_use]
    pub fn mean(&self, occasion: Occasion, from: u8, to: u8) -> f64 {
        if from > to || self.lives == 0 {
            return 0.0;
        }
        let sum: u64 =
            self.happened.range((occasion, from)..=(occasion, to)).map(|(_, count)| count).sum();
        sum as f64 / self.lives as f64
    }
}

/// Draws the lives of `persons` synthetic residents.
///
/// # Errors
/// A number out of range, or a population that cannot be made.
pub fn lives(chances: &[Chance], seed: u64, persons: u64) -> Result<Tally, RiskError> {
    if !(PERSONS_COUNT_MIN..=PERSONS_COUNT_MAX).contains(&persons) {
        return Err(RiskError::Persons);
    }
    let options = population::Options { residents: persons, seed, municipalities: Vec::new() };
    let chart = Chart::new(chances);
    let mut tally = Tally::default();
    population::each(&options, &mut |one| {
        let sex = if one.sex == law::people::Sex::Male { Sex::Male } else { Sex::Female };
        let age = age(one.birth).ok_or(PopulationError::Calendar)?;
        let resident = Resident { sex, age, foreign: !one.nationality.is_empty() };
        tally.add(&live(resident, &chart, seed, one.index));
        Ok::<(), RiskError>(())
    })?;
    Ok(tally)
}

/// Age at the reference date of the population; unknown parts of a date of birth are `00`.
fn age(birth: &str) -> Option<u8> {
    let (year, day) = birth.split_once('-')?;
    if year == "0000" {
        return Some(AGE_UNKNOWN_YEARS);
    }
    let (year_now, day_now) = REFERENCE_DATE.split_once('-')?;
    let years = year_now.parse::<u16>().ok()?.checked_sub(year.parse().ok()?)?;
    let years = years.saturating_sub(u16::from(day > day_now));
    Some(u8::try_from(years).ok()?.min(AGE_YEARS_MAX))
}

/// The chances by sex, age and occasion, looked up once.
#[derive(Debug)]
pub struct Chart(BTreeMap<(u8, bool), [u32; DRAWN.len()]>);

impl Chart {
    #[must_use]
    pub fn new(chances: &[Chance]) -> Self {
        let mut chart: BTreeMap<(u8, bool), [u32; DRAWN.len()]> = BTreeMap::new();
        for age in 0..=AGE_YEARS_MAX {
            for (male, sex) in [(true, Sex::Male), (false, Sex::Female)] {
                let year = chart.entry((age, male)).or_default();
                for (slot, occasion) in year.iter_mut().zip(DRAWN) {
                    let row = chances.iter().find(|row| {
                        row.event == occasion
                            && (row.from..=row.to).contains(&age)
                            && (row.sex == sex || row.sex == Sex::Both)
                    });
                    *slot = row.map_or(0, |row| row.per_100000);
                }
            }
        }
        Self(chart)
    }

    fn year(&self, age: u8, sex: Sex) -> [u32; DRAWN.len()] {
        self.0.get(&(age, sex == Sex::Male)).copied().unwrap_or_default()
    }
}

/// Where somebody stands in life.
#[derive(Default)]
struct Standing {
    married: bool,
    student: bool,
    working: bool,
    cared_for: bool,
}

/// One life.
#[must_use]
pub fn live(resident: Resident, chart: &Chart, seed: u64, index: u64) -> Life {
    let mut draw = Draw::new(SEED_LABEL, seed, index);
    let mut standing = Standing::default();
    let mut events = Vec::new();
    let from = if resident.foreign && resident.age > WORK_AGES.0 {
        let age = draw.between(u32::from(WORK_AGES.0), u32::from(resident.age));
        u8::try_from(age).unwrap_or(WORK_AGES.0)
    } else {
        0
    };
    events.push((from, if from == 0 { Occasion::Born } else { Occasion::Arrived }));
    if from > 0 {
        // Who comes as an adult comes for a post; what came before left nothing in the register.
        standing.working = true;
        events.push((from, Occasion::StartedWork));
    }
    for age in from..=AGE_YEARS_MAX {
        for (occasion, chance) in DRAWN.into_iter().zip(chart.year(age, resident.sex)) {
            // Drawn whether it can happen or not, so that one chance does not shift the others.
            let drawn = draw.below(100_000) < chance;
            let last = occasion == Occasion::Died && age == AGE_YEARS_MAX;
            if last || (drawn && standing.allows(occasion, age, resident.age)) {
                standing.take(occasion);
                events.push((age, occasion));
                if occasion == Occasion::Died {
                    return Life { from, to: age, events };
                }
            }
        }
    }
    Life { from, to: AGE_YEARS_MAX, events }
}

impl Standing {
    fn allows(&self, occasion: Occasion, age: u8, age_today: u8) -> bool {
        let first_post = if self.student { WORK_AGES.1 } else { WORK_AGES.0 };
        match occasion {
            Occasion::Married => !self.married,
            Occasion::Parted | Occasion::HadChild => self.married,
            Occasion::StartedWork => !self.working && age == first_post,
            Occasion::ChangedJob => self.working,
            Occasion::NeededCare => !self.cared_for,
            Occasion::Died => age >= age_today,
            _ => true,
        }
    }

    fn take(&mut self, occasion: Occasion) {
        match occasion {
            Occasion::Married => self.married = true,
            Occasion::Parted => self.married = false,
            Occasion::EnteredUniversity => self.student = true,
            Occasion::StartedWork => self.working = true,
            Occasion::Retired => self.working = false,
            Occasion::NeededCare => self.cared_for = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lives_are_as_long_as_the_life_table_says_about() {
        let chances = chances().unwrap();
        let chart = Chart::new(&chances);
        for (sex, low, high) in [(Sex::Male, 80.0, 83.0), (Sex::Female, 86.0, 89.0)] {
            let child = Resident { sex, age: 0, foreign: false };
            let ages: f64 = (0..4_000).map(|i| f64::from(live(child, &chart, 3, i).to) + 0.5).sum();
            let mean = ages / 4_000.0;
            assert!((low..high).contains(&mean), "{sex:?} {mean}");
        }
    }

    #[test]
    fn a_life_is_a_function_of_seed_and_resident_and_outlives_today() {
        let chart = Chart::new(&chances().unwrap());
        for (index, age) in [(1, 0), (2, 47), (3, 93)] {
            let resident = Resident { sex: Sex::Female, age, foreign: index == 2 };
            let life = live(resident, &chart, 9, index);
            assert_eq!(life, live(resident, &chart, 9, index));
            assert_ne!(life, live(resident, &chart, 10, index));
            assert!(life.to >= age && life.from <= age, "{life:?}");
            assert_eq!(life.events.last(), Some(&(life.to, Occasion::Died)));
            assert_eq!(life.from > 0, index == 2);
        }
        let old = Resident { sex: Sex::Male, age: 93, foreign: false };
        assert!((0..200).all(|index| live(old, &chart, 9, index).to >= 93));
    }

    #[test]
    fn an_age_is_that_of_the_reference_date() {
        let births = ["1990-10-01", "1990-10-02", "1990-00-00", "1990-12-00", "0000-00-00"];
        assert_eq!(births.map(age), [30, 29, 30, 29, 50].map(Some));
        assert_eq!(age("nonsense"), None);
    }
}
