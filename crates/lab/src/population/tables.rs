//! The project's own small tables behind the population, parsed once.
//!
//! Sources and credits stand in `data/README.md`. Names are spellings, never persons.

use std::io::Read;

use super::PopulationError;
use crate::draw::{Draw, Wheel};

const SURNAMES: &str = include_str!("../../data/surnames.tsv");
const SURNAMES_TAIL: &str = include_str!("../../data/surnames_tail.tsv");
const GIVEN_MALE: &str = include_str!("../../data/given_male.tsv");
const GIVEN_FEMALE: &str = include_str!("../../data/given_female.tsv");
const FOREIGN: &str = include_str!("../../data/foreign.tsv");
const TOWNS: &str = include_str!("../../data/towns.tsv");
const AGE_GZ: &[u8] = include_bytes!("../../data/age.tsv.gz");

/// Five-year classes of the census, 0–4 up to 100 and over.
pub const AGE_CLASSES_COUNT: usize = 21;

/// Cells of one unit: classes of men, then classes of women.
pub const CELLS_COUNT: usize = 2 * AGE_CLASSES_COUNT;

/// Surname with its other shapes and their rate per thousand households.
#[derive(Debug)]
pub(crate) struct Surname {
    pub(crate) name: &'static str,
    pub(crate) kana: &'static str,
    /// Tens of thousands of persons.
    pub(crate) weight: u32,
    pub(crate) variants: Vec<(&'static str, u32)>,
}

/// A spelling and its reading.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spelling {
    pub(crate) name: &'static str,
    pub(crate) kana: &'static str,
}

/// Spellings drawn by weight.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) items: Vec<Spelling>,
    pub(crate) wheel: Wheel,
}

impl Choice {
    pub(crate) fn spin(&self, draw: &mut Draw) -> Option<Spelling> {
        self.items.get(self.wheel.spin(draw)).copied()
    }
}

/// Names of one nationality.
#[derive(Debug)]
pub(crate) struct Nation {
    pub(crate) name: &'static str,
    /// Thousandths of the foreign residents.
    pub(crate) weight: u32,
    pub(crate) families: Choice,
    pub(crate) given: [Choice; 2],
}

/// A part of a municipality.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Town {
    pub(crate) name: &'static str,
    /// Divided into 丁目.
    pub(crate) chome: bool,
}

/// A municipality or ward: the unit that keeps one register.
#[derive(Debug)]
pub struct Unit {
    /// Six-digit code of the municipality or ward.
    pub code: &'static str,
    /// Persons by sex (men first) and five-year class in the census of 2020.
    pub cells: [u32; CELLS_COUNT],
    /// Prefecture and municipality, as an address begins.
    pub(crate) place: String,
    pub(crate) towns: Vec<Town>,
}

impl Unit {
    /// Persons in the census.
    #[must_use]
    pub fn persons(&self) -> u64 {
        self.cells.iter().map(|n| u64::from(*n)).sum()
    }
}

/// All tables.
#[derive(Debug)]
pub struct Tables {
    pub(crate) surnames: Vec<Surname>,
    pub(crate) surname_wheel: Wheel,
    /// By sex (men first) and cohort (old, middle, young).
    pub(crate) given: [[Choice; 3]; 2],
    pub(crate) nations: Vec<Nation>,
    pub(crate) nation_wheel: Wheel,
    /// Units in the order of their codes.
    pub units: Vec<Unit>,
}

impl Tables {
    /// Parses the tables compiled in.
    ///
    /// # Errors
    /// A row that does not read as its README says.
    pub fn load() -> Result<Self, PopulationError> {
        let mut surnames = Vec::new();
        for [name, kana, weight, variants] in rows(SURNAMES).chain(rows(SURNAMES_TAIL)) {
            let weight = number("surnames.tsv", weight)?;
            let shape = |text: &'static str| {
                let (shape, rate) = text.split_once('/')?;
                Some((shape, rate.parse().ok()?))
            };
            let variants = variants.split(',').filter_map(shape).collect();
            surnames.push(Surname { name, kana, weight, variants });
        }
        let (nations, nation_wheel) = nations()?;
        let weights: Vec<u32> = surnames.iter().map(|surname| surname.weight).collect();
        Ok(Self {
            surnames,
            surname_wheel: Wheel::new(&weights),
            given: [given("given_male.tsv", GIVEN_MALE)?, given("given_female.tsv", GIVEN_FEMALE)?],
            nations,
            nation_wheel,
            units: units()?,
        })
    }
}

impl Tables {
    /// Every spelling that somebody can have.
    pub(crate) fn spellings(&self) -> impl Iterator<Item = Spelling> + '_ {
        let surnames = self.surnames.iter().flat_map(|surname| {
            let shapes = surname.variants.iter().map(|(shape, _)| *shape);
            let kana = surname.kana;
            shapes.chain([surname.name]).map(move |name| Spelling { name, kana })
        });
        let given = self.given.iter().flatten().flat_map(|choice| &choice.items).copied();
        let foreign = self.nations.iter().flat_map(|nation| {
            let given = nation.given.iter().flat_map(|choice| &choice.items);
            nation.families.items.iter().chain(given).copied()
        });
        surnames.chain(given).chain(foreign)
    }
}

/// Body rows of a table with exactly `N` cells; rows of another width end the table early, which
/// the row counts of the tests would show.
fn rows<const N: usize>(text: &'static str) -> impl Iterator<Item = [&'static str; N]> {
    text.lines().skip(1).map_while(|line| {
        let mut cells = line.split('\t');
        let mut row = [""; N];
        for cell in &mut row {
            *cell = cells.next()?;
        }
        cells.next().is_none().then_some(row)
    })
}

fn number(table: &'static str, text: &str) -> Result<u32, PopulationError> {
    text.parse().map_err(|_| PopulationError::Table { table })
}

fn given(table: &'static str, text: &'static str) -> Result<[Choice; 3], PopulationError> {
    let mut items = [Vec::new(), Vec::new(), Vec::new()];
    let mut weights = [Vec::new(), Vec::new(), Vec::new()];
    for [name, kana, cohort, weight] in rows(text) {
        let index = match cohort {
            "old" => 0,
            "middle" => 1,
            "young" => 2,
            _ => return Err(PopulationError::Table { table }),
        };
        if let (Some(items), Some(weights)) = (items.get_mut(index), weights.get_mut(index)) {
            items.push(Spelling { name, kana });
            weights.push(number(table, weight)?);
        }
    }
    let [old, middle, young] = weights;
    let wheels = [Wheel::new(&old), Wheel::new(&middle), Wheel::new(&young)];
    let [a, b, c] = items;
    let [x, y, z] = wheels;
    Ok([
        Choice { items: a, wheel: x },
        Choice { items: b, wheel: y },
        Choice { items: c, wheel: z },
    ])
}

fn nations() -> Result<(Vec<Nation>, Wheel), PopulationError> {
    const TABLE: &str = "foreign.tsv";
    let mut list: Vec<(&str, u32)> = Vec::new();
    for [nation, kind, _, _, weight] in rows(FOREIGN) {
        if kind == "nation" {
            list.push((nation, number(TABLE, weight)?));
        }
    }
    let choice = |nation: &str, wanted: &str| -> Result<Choice, PopulationError> {
        let mut items = Vec::new();
        let mut weights = Vec::new();
        for [of, kind, name, kana, weight] in rows(FOREIGN) {
            if of == nation && kind == wanted {
                items.push(Spelling { name, kana });
                weights.push(number(TABLE, weight)?);
            }
        }
        Ok(Choice { items, wheel: Wheel::new(&weights) })
    };
    let mut nations = Vec::with_capacity(list.len());
    for (name, weight) in &list {
        nations.push(Nation {
            name,
            weight: *weight,
            families: choice(name, "family")?,
            given: [choice(name, "male")?, choice(name, "female")?],
        });
    }
    let weights: Vec<u32> = list.iter().map(|(_, weight)| *weight).collect();
    Ok((nations, Wheel::new(&weights)))
}

fn units() -> Result<Vec<Unit>, PopulationError> {
    const TABLE: &str = "age.tsv.gz";
    let broken = PopulationError::Table { table: TABLE };
    let mut age = String::new();
    if flate2::read::GzDecoder::new(AGE_GZ).read_to_string(&mut age).is_err() {
        return Err(broken);
    }
    let mut age = age.lines().skip(1);
    let mut units = Vec::new();
    for [code, towns] in rows(TOWNS) {
        let mut cells = [0_u32; CELLS_COUNT];
        for (sex, half) in ["1", "2"].iter().zip(cells.chunks_mut(AGE_CLASSES_COUNT)) {
            let mut row = age.next().unwrap_or("").split('\t');
            if row.next() != Some(code) || row.next() != Some(*sex) {
                return Err(broken);
            }
            for cell in half {
                *cell = number(TABLE, row.next().unwrap_or(""))?;
            }
        }
        let known = law::code::LocalGovernmentCode::parse(code).ok();
        let Some(known) = known.as_ref().and_then(law::municipality::find) else {
            return Err(PopulationError::MunicipalityUnknown { code: code.to_owned() });
        };
        let towns = towns.split(',').map(|town| match town.strip_suffix('*') {
            Some(name) => Town { name, chome: true },
            None => Town { name: town.trim_matches('-'), chome: false },
        });
        units.push(Unit {
            code,
            cells,
            place: format!("{}{}", known.prefecture_name, known.name),
            towns: towns.collect(),
        });
    }
    Ok(units)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_read() {
        let tables = Tables::load().unwrap();
        assert_eq!(tables.surnames.len(), 600 + 1_615);
        let persons: u32 = tables.surnames.iter().map(|surname| surname.weight).sum();
        assert_eq!(persons, 12_615, "in tens of thousands, the nation");
        assert_eq!(tables.units.len(), 1_892);
        assert_eq!(tables.units.iter().map(Unit::persons).sum::<u64>(), 126_146_099);
        assert_eq!(tables.nations.len(), 20);
        let given: [usize; 2] =
            tables.given.each_ref().map(|s| s.iter().map(|c| c.items.len()).sum());
        assert_eq!(given, [406, 436]);
        for nation in &tables.nations {
            assert!(!nation.families.items.is_empty(), "{}", nation.name);
            assert!(nation.given.iter().all(|g| !g.items.is_empty()), "{}", nation.name);
        }
    }

    #[test]
    fn kunitachi_stands_as_published() {
        let tables = Tables::load().unwrap();
        let unit = tables.units.iter().find(|unit| unit.code == "132152").unwrap();
        assert_eq!(unit.persons(), 77_130);
        assert_eq!(unit.place, "東京都国立市");
    }
}
