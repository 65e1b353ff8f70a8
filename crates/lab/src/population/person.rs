//! Persons: names and dates of birth for the members of a household or a facility.
//!
//! Spellings only, drawn independently of anybody who exists. Some coincidences are made on
//! purpose, because searches must cope with them: twins, and two people of one name and birthday.

use law::people::Sex;
use law::time::Date;

use super::PopulationError;
use super::household::{FEMALE, LODGER, MALE, Member};
use super::share::Share;
use super::tables::{AGE_CLASSES_COUNT, CELLS_COUNT, Nation, Spelling, Tables};
use crate::draw::Draw;

/// The census day: ages are counted on it, nobody is born after it.
pub const REFERENCE_DATE: &str = "2020-10-01";

/// One pair of the same name, sex and date of birth in one municipality for this many residents.
/// Chosen by this project: searches must cope with it in every file of that size.
pub const RESIDENTS_PER_SAME_NAME_PAIR: u64 = 2_000;

/// Rates in a thousand, each chosen by this project.
const FOREIGN_SPOUSE_RATE: u32 = 6;

/// Of residents of fifty and over, one in so many was recorded without the day of birth, the month
/// or the year. Chosen by this project.
pub const RESIDENTS_PER_UNKNOWN_BIRTH: u32 = 1_500;

/// Years that the class of 100 and over spans here.
const OLDEST_CLASS_YEARS: u16 = 7;

/// Somebody, borrowed from the tables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Person<'t> {
    pub(crate) sex: usize,
    pub(crate) birth: [u8; 10],
    pub(crate) family: Spelling,
    pub(crate) given: Spelling,
    pub(crate) relationship: &'static str,
    pub(crate) nationality: &'t str,
    /// 通称: family and given name.
    pub(crate) alternative: Option<(Spelling, Spelling)>,
    pub(crate) traits: Traits,
}

/// What a search or a screen has to cope with in somebody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "independent marks, counted one by one")]
pub struct Traits {
    /// The family name is written with another shape of a character (異体字).
    pub variant_character: bool,
    /// Born with the member of the household before.
    pub twin: bool,
    /// Has name, sex and date of birth of somebody else in the municipality.
    pub same_name: bool,
    /// Parts of the date of birth are unknown (不詳).
    pub unknown_birth: bool,
}

/// Dates of birth by age class, as text.
#[derive(Debug)]
struct Births {
    days: Vec<[u8; 10]>,
    /// Index of the first day of each class; the class ends before the class younger begins.
    starts: [u32; AGE_CLASSES_COUNT],
}

impl Births {
    fn new() -> Result<Self, PopulationError> {
        let day = |year| Date::new(year, 10, 2).map_err(|_| PopulationError::Calendar);
        let first = day(2020 - 100 - OLDEST_CLASS_YEARS)?;
        let end = day(2020)?.day_number();
        let mut days = Vec::new();
        let mut date = first;
        while date.day_number() < end {
            let text = date.to_string();
            days.push(text.as_bytes().try_into().map_err(|_| PopulationError::Calendar)?);
            date = date.add_days(1).map_err(|_| PopulationError::Calendar)?;
        }
        let mut starts = [0_u32; AGE_CLASSES_COUNT];
        for (start, class) in starts.iter_mut().zip(0_u16..).take(AGE_CLASSES_COUNT - 1) {
            let begin = day(2020 - 5 * (class + 1))?.day_number() - first.day_number();
            *start = u32::try_from(begin).map_err(|_| PopulationError::Calendar)?;
        }
        Ok(Self { days, starts })
    }

    fn draw(&self, class: usize, draw: &mut Draw) -> [u8; 10] {
        let start = self.starts.get(class).copied().unwrap_or(0);
        let all = u32::try_from(self.days.len()).unwrap_or(0);
        let end = class.checked_sub(1).and_then(|c| self.starts.get(c)).copied().unwrap_or(all);
        let mut offset = draw.below(end - start);
        if class + 1 == AGE_CLASSES_COUNT {
            // Few grow much older than a hundred.
            offset = offset.max(draw.below(end - start)).max(draw.below(end - start));
        }
        let index = usize::try_from(start + offset).unwrap_or(0);
        self.days.get(index).copied().unwrap_or(*b"1980-01-01")
    }
}

/// Names households and facilities.
#[derive(Debug)]
pub(crate) struct Namer<'t> {
    tables: &'t Tables,
    births: Births,
    /// The last head of this municipality named in each cell, to be met again once in a while.
    last: [Option<Person<'t>>; CELLS_COUNT],
    pairs: Share,
    /// Residents of the trainees' nationality whom others have to make up for, in thousandths.
    trainees_open: i64,
}

impl<'t> Namer<'t> {
    pub(crate) fn new(tables: &'t Tables) -> Result<Self, PopulationError> {
        let pairs = Share::new(1, RESIDENTS_PER_SAME_NAME_PAIR);
        Ok(Self {
            tables,
            births: Births::new()?,
            last: [None; CELLS_COUNT],
            pairs,
            trainees_open: 0,
        })
    }

    /// Another municipality begins.
    pub(crate) fn enter(&mut self, residents: u64) {
        self.last = [None; CELLS_COUNT];
        self.pairs.earn(residents);
    }

    /// So many trainees of one nationality are housed together: as many others of it are not, so
    /// that its share stays that of the table.
    pub(crate) fn house(&mut self, trainees: i64) {
        let weights = || self.tables.nations.iter().map(|nation| i64::from(nation.weight));
        let (all, own) = (weights().sum::<i64>().max(1), weights().next().unwrap_or(0));
        self.trainees_open += trainees * (1_000 - own * 1_000 / all);
    }

    /// A household with one Japanese family name; a few have a foreign spouse.
    pub(crate) fn japanese(
        &mut self,
        members: &[Member],
        draw: &mut Draw,
        out: &mut Vec<Person<'t>>,
    ) {
        out.clear();
        let (family, variant) = self.surname(draw);
        for member in members {
            let mut person = self.born(member, out.last(), draw);
            let spouse = matches!(member.relationship, "妻" | "夫");
            if spouse && draw.permille(FOREIGN_SPOUSE_RATE) {
                if let Some(nation) = self.nation(1, draw) {
                    self.name_foreign(&mut person, nation, None, draw);
                }
                out.push(person);
                continue;
            }
            (person.family, person.traits.variant_character) =
                if member.relationship == LODGER { self.surname(draw) } else { (family, variant) };
            let cohort = cohort(&person.birth, draw);
            for _ in 0..4 {
                person.given = self.given(member.sex, cohort, draw);
                if out.iter().all(|other| other.given.name != person.given.name) {
                    break;
                }
            }
            out.push(person);
        }
        if let ([member], [person]) = (members, out.as_mut_slice()) {
            self.meet_again(member, person, draw);
        }
    }

    /// A household of one nationality; in most of them, spouses keep their own family names.
    pub(crate) fn foreign(
        &mut self,
        members: &[Member],
        draw: &mut Draw,
        out: &mut Vec<Person<'t>>,
    ) {
        out.clear();
        let persons = i64::try_from(members.len()).unwrap_or(i64::MAX);
        let Some(nation) = self.nation(persons, draw) else { return };
        let mut family = None;
        let alias = self.alias(nation, draw);
        for member in members {
            let mut person = self.born(member, out.last(), draw);
            let kept = family.filter(|_| !matches!(member.relationship, "妻" | "夫" | LODGER));
            for _ in 0..4 {
                self.name_foreign(&mut person, nation, kept, draw);
                if out.iter().all(|other| other.given.name != person.given.name) {
                    break;
                }
            }
            family = family.or(Some(person.family));
            if let Some(family) = alias {
                let cohort = cohort(&person.birth, draw);
                person.alternative = Some((family, self.given(person.sex, cohort, draw)));
            }
            out.push(person);
        }
    }

    /// A trainee: seven in ten are named NGUYEN, all hold the dormitory's main nationality.
    pub(crate) fn trainee(&mut self, member: &Member, draw: &mut Draw, out: &mut Vec<Person<'t>>) {
        out.clear();
        let Some(nation) = self.tables.nations.first() else { return };
        let mut person = self.born(member, None, draw);
        let family = nation.families.items.first().copied().filter(|_| draw.permille(700));
        self.name_foreign(&mut person, nation, family, draw);
        out.push(person);
    }

    fn born(&self, member: &Member, before: Option<&Person<'t>>, draw: &mut Draw) -> Person<'t> {
        let none = Spelling { name: "", kana: "" };
        let birth = match before.filter(|_| member.twin) {
            Some(sibling) => sibling.birth,
            None => {
                let birth = self.births.draw(member.class, draw);
                if member.class >= 10 { sometimes_unknown(birth, draw) } else { birth }
            }
        };
        let unknown_birth = birth.ends_with(b"-00");
        Person {
            sex: member.sex,
            birth,
            family: none,
            given: none,
            relationship: member.relationship,
            nationality: "",
            alternative: None,
            traits: Traits { twin: member.twin, unknown_birth, ..Traits::default() },
        }
    }

    /// A family name; true where it is written with a variant character.
    pub(crate) fn surname(&self, draw: &mut Draw) -> (Spelling, bool) {
        let Some(surname) = self.tables.surnames.get(self.tables.surname_wheel.spin(draw)) else {
            return (Spelling { name: "佐藤", kana: "サトウ" }, false);
        };
        let mut name = surname.name;
        if !surname.variants.is_empty() {
            let mut nth = draw.below(1_000);
            for (shape, rate) in &surname.variants {
                if nth < *rate {
                    name = shape;
                    break;
                }
                nth -= rate;
            }
        }
        (Spelling { name, kana: surname.kana }, name != surname.name)
    }

    pub(crate) fn given(&self, sex: usize, cohort: usize, draw: &mut Draw) -> Spelling {
        let choice = self.tables.given.get(sex).and_then(|cohorts| cohorts.get(cohort));
        let item = choice.and_then(|choice| choice.spin(draw));
        item.unwrap_or(Spelling { name: "薫", kana: "カオル" })
    }

    fn nation(&mut self, persons: i64, draw: &mut Draw) -> Option<&'t Nation> {
        let mut index = self.tables.nation_wheel.spin(draw);
        if index == 0 && self.trainees_open >= persons * 1_000 {
            self.trainees_open -= persons * 1_000;
            // Other nationalities are nine in ten, so this ends.
            while index == 0 && self.tables.nations.len() > 1 {
                index = self.tables.nation_wheel.spin(draw);
            }
        }
        self.tables.nations.get(index)
    }

    fn name_foreign(
        &self,
        person: &mut Person<'t>,
        nation: &'t Nation,
        family: Option<Spelling>,
        draw: &mut Draw,
    ) {
        let none = Spelling { name: "DOE", kana: "ドウ" };
        let drawn = family.or_else(|| nation.families.spin(draw));
        person.family = drawn.unwrap_or(none);
        let given = nation.given.get(person.sex).and_then(|choice| choice.spin(draw));
        person.given = given.unwrap_or(none);
        person.nationality = nation.name;
    }

    /// A foreign resident who comes alone: place of the nationality in the table, names.
    pub(crate) fn newcomer(&mut self, sex: usize, draw: &mut Draw) -> (usize, Spelling, Spelling) {
        let index = self.tables.nation_wheel.spin(draw);
        let family = self.tables.nations.get(index).and_then(|nation| nation.families.spin(draw));
        let none = Spelling { name: "DOE", kana: "ドウ" };
        (index, family.unwrap_or(none), self.given_abroad(index, sex, draw))
    }

    /// A given name of a nationality.
    pub(crate) fn given_abroad(&self, nation: usize, sex: usize, draw: &mut Draw) -> Spelling {
        let choice = self.tables.nations.get(nation).and_then(|nation| nation.given.get(sex));
        let none = Spelling { name: "DOE", kana: "ドウ" };
        choice.and_then(|choice| choice.spin(draw)).unwrap_or(none)
    }

    /// The family name of a household's 通称, if it uses one. It is recorded on request with proof
    /// of use; groups settled for long have it more often.
    fn alias(&self, nation: &Nation, draw: &mut Draw) -> Option<Spelling> {
        let rate = match nation.name {
            "韓国" | "朝鮮" => 550,
            "中国" | "台湾" | "ブラジル" | "ペルー" => 150,
            _ => 20,
        };
        draw.permille(rate).then(|| self.surname(draw).0)
    }

    /// Somebody living alone has name and birthday of somebody else, while a pair is due.
    fn meet_again(&mut self, member: &Member, person: &mut Person<'t>, draw: &mut Draw) {
        let Some(last) = self.last.get_mut(member.sex * AGE_CLASSES_COUNT + member.class) else {
            return;
        };
        match *last {
            // Not always the first who comes: pairs are spread over the municipality.
            Some(other) if self.pairs.due() > 0 && draw.permille(100) => {
                self.pairs.spend(1);
                (person.family, person.given, person.birth) =
                    (other.family, other.given, other.birth);
                person.traits = Traits { same_name: true, twin: false, ..other.traits };
            }
            _ => *last = Some(*person),
        }
    }
}

/// Which generation's names a year of birth gives: 0 old, 1 middle, 2 young.
fn cohort(birth: &[u8; 10], draw: &mut Draw) -> usize {
    let [a, b, c, d, ..] = *birth;
    let year = [a, b, c, d].iter().fold(0_u32, |year, digit| year * 10 + u32::from(digit - b'0'));
    let (old, middle) = match year {
        0..1940 => (960, 40),
        1940..1950 => (850, 150),
        1950..1960 => (450, 530),
        1960..1970 => (120, 830),
        1970..1985 => (20, 830),
        1985..1995 => (5, 395),
        _ => (0, 120),
    };
    match draw.below(1_000) {
        nth if nth < old => 0,
        nth if nth < old + middle => 1,
        _ => 2,
    }
}

/// 日不詳, 月日不詳 and 年月日不詳: unknown parts are written 00 (FACTS: residence-card practice).
fn sometimes_unknown(birth: [u8; 10], draw: &mut Draw) -> [u8; 10] {
    if draw.below(RESIDENTS_PER_UNKNOWN_BIRTH) != 0 {
        return birth;
    }
    let [a, b, c, d, dash, e, f, ..] = birth;
    match draw.below(20) {
        0 => *b"0000-00-00",
        1..=8 => [a, b, c, d, dash, b'0', b'0', dash, b'0', b'0'],
        _ => [a, b, c, d, dash, e, f, dash, b'0', b'0'],
    }
}

pub(crate) fn sex_of(sex: usize) -> Sex {
    if sex == MALE { Sex::Male } else { Sex::Female }
}

const _: () = assert!(MALE == 0 && FEMALE == 1, "tables are ordered men first");
