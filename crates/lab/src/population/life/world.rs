//! Everybody of a simulated world in numbers: about 45 bytes a resident, households included, and
//! the same again for a moment when it grows. Text is made when somebody has an event.

use std::collections::HashMap;

use crate::draw::Draw;
use crate::population::place::Dwelling;
use crate::population::tables::{AGE_CLASSES_COUNT, Spelling, Tables, Unit};
use crate::population::{Options, PopulationError, Protection, Resident, each, select};

/// Nobody, no household, no name.
pub(crate) const NONE: u32 = u32::MAX;
pub(crate) const NO_NAME: u16 = u16::MAX;

/// Tries to find somebody to whom an event can happen before it is let go.
const TRIES_COUNT_MAX: u32 = 20_000;

/// Age of a resident whose year of birth is unknown: those are old people.
const AGE_UNKNOWN_YEARS: u32 = 75;

/// 続柄, by number.
pub(crate) const RELATIONSHIPS: [&str; 12] =
    ["世帯主", "妻", "夫", "子", "父", "母", "子の子", "同居人", "弟", "妹", "縁故者", "妻の子"];
pub(crate) const HEAD: u8 = 0;
pub(crate) const WIFE: u8 = 1;
pub(crate) const HUSBAND: u8 = 2;
pub(crate) const CHILD: u8 = 3;
pub(crate) const GRANDCHILD: u8 = 6;
pub(crate) const LODGER: u8 = 7;
const BROTHER: u8 = 8;
const SISTER: u8 = 9;
pub(crate) const RELATED: u8 = 10;
pub(crate) const WIFES_CHILD: u8 = 11;

/// Where somebody stands with the register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Here,
    Dead,
    Abroad,
}

/// Somebody in numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Person {
    /// Counter of the record code.
    pub(crate) code: u32,
    pub(crate) house: u32,
    /// The next member of the household.
    pub(crate) next: u32,
    pub(crate) spouse: u32,
    /// YYYYMMDD, 0 for unknown parts.
    pub(crate) birth: u32,
    pub(crate) family: u16,
    pub(crate) given: u16,
    /// The family name of birth, where another one was taken since.
    pub(crate) born_family: u16,
    pub(crate) alias: (u16, u16),
    /// 0 for a Japanese national, else the place in the table of nationalities and 1.
    pub(crate) nation: u8,
    pub(crate) relationship: u8,
    pub(crate) female: bool,
    pub(crate) standing: Standing,
}

impl Person {
    pub(crate) fn age(&self, today: u32) -> u32 {
        if self.birth == 0 { AGE_UNKNOWN_YEARS } else { today.saturating_sub(self.birth) / 10_000 }
    }

    pub(crate) fn class(&self, today: u32) -> usize {
        usize::try_from(self.age(today) / 5).unwrap_or(0).min(AGE_CLASSES_COUNT - 1)
    }
}

/// A household in numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct House {
    first: u32,
    pub(crate) number: u32,
    pub(crate) dwelling: Dwelling,
    /// Place in the units of the world.
    pub(crate) unit: u16,
}

/// Every spelling that can occur, by number.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) list: Vec<Spelling>,
    numbers: HashMap<(&'static str, &'static str), u16>,
}

impl Names {
    fn new() -> Self {
        Self { list: Vec::new(), numbers: HashMap::new() }
    }

    /// The number of a spelling of the tables.
    pub(crate) fn keep(&mut self, spelling: Spelling) -> Result<u16, PopulationError> {
        if let Some(number) = self.numbers.get(&(spelling.name, spelling.kana)) {
            return Ok(*number);
        }
        let number = u16::try_from(self.list.len()).ok().filter(|number| *number < NO_NAME);
        let number = number.ok_or(PopulationError::Table { table: "surnames.tsv" })?;
        self.list.push(spelling);
        self.numbers.insert((spelling.name, spelling.kana), number);
        Ok(number)
    }

    fn find(&self, name: &str, kana: &str) -> Result<u16, PopulationError> {
        let numbers: &HashMap<(&str, &str), u16> = &self.numbers;
        let found = numbers.get(&(name, kana)).copied();
        found.ok_or(PopulationError::Table { table: "surnames.tsv" })
    }

    pub(crate) fn get(&self, number: u16) -> Spelling {
        let none = Spelling { name: "", kana: "" };
        self.list.get(usize::from(number)).copied().unwrap_or(none)
    }
}

/// The world and everybody in it.
#[derive(Debug)]
pub(crate) struct World<'u> {
    pub(crate) units: Vec<&'u Unit>,
    /// First resident of each unit as it was made, and the end.
    pub(crate) ranges: Vec<u32>,
    /// Households numbered so far, by unit.
    pub(crate) numbered: Vec<u32>,
    pub(crate) persons: Vec<Person>,
    pub(crate) houses: Vec<House>,
    pub(crate) names: Names,
    /// Residents who are here.
    pub(crate) living: u64,
    /// Record codes given so far.
    pub(crate) codes: u32,
    /// Who was protected at the beginning.
    pub(crate) protected: Vec<(u32, Protection)>,
}

impl<'u> World<'u> {
    /// Makes the residents of `options`.
    pub(crate) fn load(options: &Options, tables: &'u Tables) -> Result<Self, PopulationError> {
        let units = select(&tables.units, &options.municipalities)?;
        let mut names = Names::new();
        for spelling in tables.spellings() {
            names.keep(spelling)?;
        }
        let expected = usize::try_from(options.residents).unwrap_or(0);
        let numbered = vec![0; units.len()];
        let mut world = Self {
            units,
            ranges: Vec::new(),
            numbered,
            persons: Vec::with_capacity(expected + expected / 16),
            houses: Vec::with_capacity(expected / 2),
            names,
            living: 0,
            codes: 0,
            protected: Vec::new(),
        };
        let mut household = String::new();
        each(options, &mut |resident| world.settle(tables, resident, &mut household))?;
        let end = world.count();
        world.ranges.resize(world.units.len() + 1, end);
        world.marry_couples();
        Ok(world)
    }

    fn settle(
        &mut self,
        tables: &Tables,
        resident: &Resident<'_>,
        household: &mut String,
    ) -> Result<(), PopulationError> {
        let index = self.count();
        let mut unit = self.ranges.len().saturating_sub(1);
        while self.ranges.is_empty()
            || self.units.get(unit).is_some_and(|u| u.code != resident.municipality_code)
        {
            unit = self.ranges.len();
            self.ranges.push(index);
        }
        if *household != resident.household_id {
            household.clear();
            household.push_str(resident.household_id);
            self.found(u16::try_from(unit).unwrap_or(u16::MAX), resident.dwelling);
        }
        let nation = tables.nations.iter().position(|nation| nation.name == resident.nationality);
        let relationship = RELATIONSHIPS.iter().position(|name| *name == resident.relationship);
        let small = |place: Option<usize>| place.and_then(|place| u8::try_from(place).ok());
        // A name of another kind of reading: an alternative name has its kana in the tables only.
        let alias = match resident.alternative_name {
            Some((family, given)) => (self.spelled(family)?, self.spelled(given)?),
            None => (NO_NAME, NO_NAME),
        };
        let digits = resident.birth.bytes().filter(u8::is_ascii_digit);
        let person = Person {
            code: index,
            house: NONE,
            next: NONE,
            spouse: NONE,
            birth: digits.fold(0, |number, digit| number * 10 + u32::from(digit - b'0')),
            family: self.names.find(resident.family_name, resident.family_kana)?,
            given: self.names.find(resident.given_name, resident.given_kana)?,
            born_family: NO_NAME,
            alias,
            nation: small(nation).map_or(0, |nation| nation + 1),
            relationship: small(relationship).unwrap_or(LODGER),
            female: resident.sex == law::people::Sex::Female,
            standing: Standing::Here,
        };
        let house = u32::try_from(self.houses.len()).unwrap_or(1) - 1;
        let index = self.enter(person, house);
        if let Some(protection) = resident.protection {
            self.protected.push((index, protection));
        }
        Ok(())
    }

    fn spelled(&self, name: &str) -> Result<u16, PopulationError> {
        let found = self.names.list.iter().position(|spelling| spelling.name == name);
        let found = found.and_then(|place| u16::try_from(place).ok());
        found.ok_or(PopulationError::Table { table: "surnames.tsv" })
    }

    /// Head and spouse of one household are married.
    fn marry_couples(&mut self) {
        for house in 0..u32::try_from(self.houses.len()).unwrap_or(0) {
            let members = self.members(house);
            let of = |relationships: &[u8]| {
                members.iter().copied().find(|index| {
                    self.person(*index).is_some_and(|p| relationships.contains(&p.relationship))
                })
            };
            if let (Some(head), Some(spouse)) = (of(&[HEAD]), of(&[WIFE, HUSBAND])) {
                self.change(head, |person| person.spouse = spouse);
                self.change(spouse, |person| person.spouse = head);
            }
        }
    }

    /// Bytes reserved for residents and households.
    pub(crate) fn bytes(&self) -> u64 {
        let persons = self.persons.capacity() * size_of::<Person>();
        (persons + self.houses.capacity() * size_of::<House>()) as u64
    }

    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.persons.len()).unwrap_or(NONE)
    }

    pub(crate) fn person(&self, index: u32) -> Option<&Person> {
        self.persons.get(usize::try_from(index).ok()?)
    }

    pub(crate) fn change(&mut self, index: u32, act: impl FnOnce(&mut Person)) {
        let found = usize::try_from(index).ok().and_then(|index| self.persons.get_mut(index));
        if let Some(person) = found {
            act(person);
        }
    }

    pub(crate) fn house(&self, index: u32) -> Option<&House> {
        self.houses.get(usize::try_from(index).ok()?)
    }

    /// The unit where somebody lives.
    pub(crate) fn unit_of(&self, index: u32) -> Option<u16> {
        let person = self.person(index)?;
        self.house(person.house).map(|house| house.unit)
    }

    /// A new household without members.
    pub(crate) fn found(&mut self, unit: u16, dwelling: Dwelling) -> u32 {
        let mut number = 1;
        if let Some(numbered) = self.numbered.get_mut(usize::from(unit)) {
            *numbered += 1;
            number = *numbered;
        }
        if self.houses.len() == self.houses.capacity() {
            self.houses.reserve_exact(self.houses.len() / 16 + 1_024);
        }
        self.houses.push(House { first: NONE, number, dwelling, unit });
        u32::try_from(self.houses.len()).unwrap_or(1) - 1
    }

    pub(crate) fn rehouse(&mut self, house: u32, unit: u16, dwelling: Dwelling) {
        let moves = self.house(house).is_some_and(|house| house.unit != unit);
        let mut number = None;
        if moves && let Some(numbered) = self.numbered.get_mut(usize::from(unit)) {
            *numbered += 1;
            number = Some(*numbered);
        }
        let found = usize::try_from(house).ok().and_then(|house| self.houses.get_mut(house));
        if let Some(house) = found {
            (house.unit, house.dwelling) = (unit, dwelling);
            house.number = number.unwrap_or(house.number);
        }
    }

    /// A new person who is here from now on.
    pub(crate) fn enter(&mut self, person: Person, house: u32) -> u32 {
        let index = self.count();
        if self.persons.len() == self.persons.capacity() {
            self.persons.reserve_exact(self.persons.len() / 16 + 1_024);
        }
        self.persons.push(person);
        self.codes += 1;
        self.living += 1;
        self.join(index, house);
        index
    }

    /// Becomes the last member of a household.
    pub(crate) fn join(&mut self, index: u32, house: u32) {
        let last = self.members(house).last().copied();
        self.change(index, |person| (person.house, person.next) = (house, NONE));
        match last {
            Some(last) => self.change(last, |person| person.next = index),
            None => {
                let found = usize::try_from(house).ok().and_then(|at| self.houses.get_mut(at));
                if let Some(house) = found {
                    house.first = index;
                }
            }
        }
    }

    /// Members in order.
    pub(crate) fn members(&self, house: u32) -> Vec<u32> {
        let mut members = Vec::new();
        let mut next = self.house(house).map_or(NONE, |house| house.first);
        while let Some(person) = self.person(next) {
            members.push(next);
            next = person.next;
        }
        members
    }

    /// Leaves the household; whoever heads it afterwards is found among those who stay.
    pub(crate) fn leave(&mut self, index: u32) {
        let Some(house) = self.person(index).map(|person| person.house) else { return };
        let mut stay = self.members(house);
        stay.retain(|member| *member != index);
        let found = usize::try_from(house).ok().and_then(|at| self.houses.get_mut(at));
        if let Some(house) = found {
            house.first = stay.first().copied().unwrap_or(NONE);
        }
        for (place, member) in stay.iter().enumerate() {
            let next = stay.get(place + 1).copied().unwrap_or(NONE);
            self.change(*member, |person| person.next = next);
        }
        self.change(index, |person| (person.house, person.next) = (NONE, NONE));
        self.head_again(&stay);
    }

    /// 世帯主変更: the spouse, else the eldest; the others stand to the new head as they must.
    fn head_again(&mut self, members: &[u32]) {
        let persons = members.iter().filter_map(|m| Some((*m, *self.person(*m)?)));
        let persons: Vec<(u32, Person)> = persons.collect();
        if persons.iter().any(|(_, person)| person.relationship == HEAD) {
            return;
        }
        let spouse = persons.iter().find(|(_, p)| matches!(p.relationship, WIFE | HUSBAND));
        let eldest = persons.iter().min_by_key(|(_, person)| person.birth);
        let Some((head, former)) = spouse.or(eldest).copied() else { return };
        let was_child = matches!(former.relationship, CHILD | WIFES_CHILD);
        for (index, person) in persons {
            let relationship = match person.relationship {
                _ if index == head => HEAD,
                CHILD | WIFES_CHILD if was_child && person.female => SISTER,
                CHILD | WIFES_CHILD if was_child => BROTHER,
                CHILD | WIFES_CHILD if matches!(former.relationship, WIFE | HUSBAND) => CHILD,
                LODGER => LODGER,
                _ => RELATED,
            };
            self.change(index, |person| person.relationship = relationship);
        }
    }

    /// Somebody who is here, by chance and likelihood (in millionths).
    pub(crate) fn find(&self, draw: &mut Draw, likelihood: &dyn Fn(&Person) -> u32) -> Option<u32> {
        self.find_in(draw, 0, self.count(), likelihood)
    }

    /// The same among the residents of a range.
    pub(crate) fn find_in(
        &self,
        draw: &mut Draw,
        first: u32,
        end: u32,
        likelihood: &dyn Fn(&Person) -> u32,
    ) -> Option<u32> {
        for _ in 0..TRIES_COUNT_MAX {
            let index = first + draw.below(end.saturating_sub(first));
            let Some(person) = self.person(index) else { continue };
            if person.standing != Standing::Here {
                continue;
            }
            let likely = likelihood(person);
            if likely > 0 && draw.below(1_000_000) < likely {
                return Some(index);
            }
        }
        None
    }
}
