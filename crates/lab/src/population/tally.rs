//! What is in a file of residents, counted while it is made: what a search or an office will meet.

use law::time::Date;

use super::person::REFERENCE_DATE;
use super::{PopulationError, Resident};

/// Counts of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub residents: u64,
    pub households: u64,
    pub foreign: u64,
    pub alternative_names: u64,
    /// Family names written with a variant character (異体字).
    pub variant_characters: u64,
    /// Pairs of the same name, sex and date of birth in one municipality.
    pub same_name_pairs: u64,
    pub twin_births: u64,
    pub unknown_births: u64,
    pub protected: u64,
    pub pension: PensionAges,
}

/// Residents by what the national pension asks about their age, on the census day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PensionAges {
    pub under_20: u64,
    /// Insured (国民年金法7条1項1号: 二十歳以上六十歳未満).
    pub insured_20_to_59: u64,
    pub from_60_to_64: u64,
    /// Of the age of the old-age basic pension (国民年金法26条: 六十五歳に達したとき).
    pub from_65: u64,
    /// The year of birth is unknown.
    pub unknown: u64,
}

/// Counts residents as they come, in the order of the file.
#[derive(Debug)]
pub struct Counting {
    tally: Tally,
    household: String,
    /// Born on this day or before: of 20, 60, 65 on the census day.
    limits: [String; 3],
}

impl Counting {
    /// # Errors
    /// A reference date outside the calendar.
    pub fn new() -> Result<Self, PopulationError> {
        let reference = Date::parse(REFERENCE_DATE).map_err(|_| PopulationError::Calendar)?;
        let born = |age: u16| {
            let year = reference.year() - age;
            let day = Date::new(year, reference.month(), reference.day());
            day.map(|day| day.to_string()).map_err(|_| PopulationError::Calendar)
        };
        let limits = [born(20)?, born(60)?, born(65)?];
        Ok(Self { tally: Tally::default(), household: String::new(), limits })
    }

    /// One more.
    pub fn see(&mut self, resident: &Resident<'_>) {
        let tally = &mut self.tally;
        tally.residents += 1;
        if resident.household_id != self.household {
            self.household.clear();
            self.household.push_str(resident.household_id);
            tally.households += 1;
        }
        tally.foreign += u64::from(!resident.nationality.is_empty());
        tally.alternative_names += u64::from(resident.alternative_name.is_some());
        tally.variant_characters += u64::from(resident.traits.variant_character);
        tally.same_name_pairs += u64::from(resident.traits.same_name);
        tally.twin_births += u64::from(resident.traits.twin);
        tally.unknown_births += u64::from(resident.traits.unknown_birth);
        tally.protected += u64::from(resident.protection.is_some());
        let [of_20, of_60, of_65] = &self.limits;
        let pension = &mut tally.pension;
        // ISO dates compare as text; unknown parts are 00 and count as the beginning of their year.
        let class = match resident.birth {
            birth if birth.starts_with("0000") => &mut pension.unknown,
            birth if birth <= of_65.as_str() => &mut pension.from_65,
            birth if birth <= of_60.as_str() => &mut pension.from_60_to_64,
            birth if birth <= of_20.as_str() => &mut pension.insured_20_to_59,
            _ => &mut pension.under_20,
        };
        *class += 1;
    }

    #[must_use]
    pub fn finish(self) -> Tally {
        self.tally
    }
}
