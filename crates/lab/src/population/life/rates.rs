//! How often things happen: published counts of a year, and who they happen to.
//!
//! The counts are those of BENCHMARKS §3.1. Which age they fall on is assumed (rounded from what is
//! generally known of Japan); the level is always brought to the published one.

use crate::population::household::{FEMALE, MALE};
use crate::population::tables::{AGE_CLASSES_COUNT, CELLS_COUNT, Unit};

/// Residents that the counts are out of: registered on 2024-01-01 (総務省).
pub const RESIDENTS_COUNTED: u64 = 124_885_175;

/// Events of one year among so many residents.
pub mod yearly {
    /// 2024, final (厚労省).
    pub const BIRTHS: u64 = 686_173;
    pub const DEATHS: u64 = 1_605_378;
    pub const MARRIAGES: u64 = 485_092;
    pub const DIVORCES: u64 = 185_904;
    /// Persons who moved between municipalities in 2024 (総務省).
    pub const MOVES_BETWEEN: u64 = 5_207_746;
    /// … of them between prefectures.
    pub const MOVES_BETWEEN_PREFECTURES: u64 = 2_523_249;
    /// 2024 (総務省).
    pub const FROM_ABROAD: u64 = 735_883;
    pub const TO_ABROAD: u64 = 371_615;
    /// Not published; assumed by BENCHMARKS §3.1.
    pub const MOVES_WITHIN: u64 = 5_000_000;
    /// Not published; assumed: one in 10,000 residents.
    pub const CODE_CHANGES: u64 = 12_500;
    /// Not published; assumed: two in 1,000 residents.
    pub const CARD_LOSSES: u64 = 250_000;
    /// Not published; assumed, so that one in 1,000 stays protected where seven in ten renew.
    pub const PROTECTIONS: u64 = 37_500;
}

/// Shares in a thousand, assumed where no source is named.
pub mod share {
    /// Of deliveries, of twins.
    pub const TWINS: u32 = 10;
    /// Of births, boys (the usual ratio of 105 to 100).
    pub const BOYS: u32 = 512;
    /// Unmarried women beside married ones of the same age.
    pub const UNMARRIED_MOTHERS: u32 = 10;
    /// Of marriages, the wife takes the husband's name (厚労省: about 95 in 100).
    pub const HUSBANDS_NAME: u32 = 950;
    /// Of divorces, the name of birth comes back (民法767条: unless kept within three months).
    pub const NAME_OF_BIRTH: u32 = 600;
    /// Of divorces with children, they go with the mother.
    pub const CHILDREN_WITH_MOTHER: u32 = 850;
    /// Of those who leave for abroad, foreign residents.
    pub const FOREIGN_LEAVING: u32 = 750;
    /// Of those who come from abroad, foreign residents.
    pub const FOREIGN_COMING: u32 = 850;
    /// Of measures that end, renewed.
    pub const RENEWED: u32 = 700;
}

/// Months in thousandths of the mean. Moves gather around the end of the school and business year;
/// deaths in winter; marriages in November and March. Assumed shapes.
pub(crate) const MOVES_BY_MONTH: [u32; 12] =
    [750, 800, 2100, 1600, 850, 900, 900, 900, 850, 850, 750, 750];
pub(crate) const DEATHS_BY_MONTH: [u32; 12] =
    [1200, 1120, 1050, 980, 940, 900, 920, 950, 930, 960, 990, 1060];
pub(crate) const MARRIAGES_BY_MONTH: [u32; 12] =
    [850, 1000, 1150, 950, 1050, 900, 1000, 950, 850, 950, 1450, 900];
pub(crate) const EVENLY: [u32; 12] = [1000; 12];

/// By five-year class (0–4 … 100 and over), in any unit.
type ByClass = [u32; AGE_CLASSES_COUNT];

const DEATHS_MALE: ByClass = [
    45, 7, 8, 25, 45, 50, 60, 80, 110, 170, 280, 440, 700, 1150, 1800, 2900, 5200, 9500, 16500,
    27000, 40000,
];
const DEATHS_FEMALE: ByClass = [
    40, 6, 7, 15, 22, 25, 33, 45, 70, 110, 170, 240, 340, 500, 800, 1400, 2700, 5500, 11000, 20500,
    34000,
];
const BIRTHS_FEMALE: ByClass = [0, 0, 0, 2, 20, 70, 90, 50, 11, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Who is likely to move, in thousandths of the likeliest.
pub(crate) const MOVES: ByClass = [
    0, 0, 0, 350, 1000, 950, 700, 480, 330, 240, 200, 170, 140, 110, 90, 90, 100, 130, 130, 100, 50,
];
/// Of the unmarried, who marries.
pub(crate) const MARRIAGES: ByClass =
    [0, 0, 0, 10, 350, 1000, 900, 500, 250, 120, 70, 45, 30, 20, 10, 5, 2, 0, 0, 0, 0];
/// Of the married, who divorces.
pub(crate) const DIVORCES: ByClass =
    [0, 0, 0, 500, 1000, 800, 650, 550, 480, 400, 280, 180, 100, 60, 40, 20, 10, 5, 0, 0, 0];

/// Rates per million and year for each cell, brought to the published count in the nation of the
/// census.
#[derive(Debug)]
pub(crate) struct CellRates {
    rates: [u64; CELLS_COUNT],
    max: u64,
}

impl CellRates {
    pub(crate) fn deaths(nation: &[Unit]) -> Self {
        Self::leveled(DEATHS_MALE, DEATHS_FEMALE, yearly::DEATHS, nation)
    }

    pub(crate) fn births(nation: &[Unit]) -> Self {
        Self::leveled([0; AGE_CLASSES_COUNT], BIRTHS_FEMALE, yearly::BIRTHS, nation)
    }

    fn leveled(men: ByClass, women: ByClass, published: u64, nation: &[Unit]) -> Self {
        let shape: Vec<u64> = men.into_iter().chain(women).map(u64::from).collect();
        let persons: u64 = nation.iter().map(Unit::persons).sum();
        let weighted = |unit: &Unit| -> u64 {
            unit.cells.iter().zip(&shape).map(|(count, shape)| u64::from(*count) * shape).sum()
        };
        let expected: u64 = nation.iter().map(weighted).sum();
        let wanted = u128::from(published) * u128::from(persons) / u128::from(RESIDENTS_COUNTED);
        let mut rates = [0; CELLS_COUNT];
        for (rate, shape) in rates.iter_mut().zip(shape) {
            let exact = u128::from(shape) * wanted * 1_000_000 / u128::from(expected.max(1));
            *rate = u64::try_from(exact).unwrap_or(0).min(1_000_000);
        }
        Self { rates, max: rates.into_iter().max().unwrap_or(1).max(1) }
    }

    /// Per million and year.
    pub(crate) fn of(&self, female: bool, class: usize) -> u64 {
        let sex = if female { FEMALE } else { MALE };
        self.rates.get(sex * AGE_CLASSES_COUNT + class).copied().unwrap_or(0)
    }

    /// In millionths of the highest rate.
    pub(crate) fn likelihood(&self, female: bool, class: usize) -> u32 {
        u32::try_from(self.of(female, class) * 1_000_000 / self.max).unwrap_or(0)
    }
}

/// In millionths, from a table in thousandths.
pub(crate) fn likelihood(table: &ByClass, class: usize) -> u32 {
    table.get(class).copied().unwrap_or(0) * 1_000
}

/// Whether two units lie in one prefecture.
pub(crate) fn same_prefecture(a: &str, b: &str) -> bool {
    a.get(..2) == b.get(..2)
}
