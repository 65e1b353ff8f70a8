//! One municipality's register being filled: facilities are set aside, households composed, named
//! and housed, and everybody handed to the visitor in the order of the register.

use law::code::RecordCode;

use super::household;
use super::place::Dwelling;
use super::share::Share;
use super::tables::Unit;
use super::{PopulationError, Resident, facility, number, person, protection};
use crate::draw::Draw;

/// Foreign residents among all (BENCHMARKS §3.1: residents registered on 2024-01-01).
pub const FOREIGN_SHARE: (u64, u64) = (3_323_374, 124_885_175);

/// What goes on from one municipality to the next: the numbers, and shares not yet met.
#[derive(Debug)]
pub(crate) struct Counter {
    codes: number::Permutation,
    rows: u64,
    foreign: Share,
    office: protection::Office,
}

impl Counter {
    pub(crate) fn new(seed: u64) -> Result<Self, PopulationError> {
        let (are, of) = FOREIGN_SHARE;
        let office = protection::Office::new(seed)?;
        let codes = number::Permutation::new(seed);
        Ok(Self { codes, rows: 0, foreign: Share::new(are, of), office })
    }
}

/// One municipality being registered.
pub(crate) struct TownHall<'u> {
    unit: &'u Unit,
    cells: household::Cells,
    draw: Draw,
    households: u64,
    household: String,
    protected: Vec<Option<protection::Protection>>,
}

impl<'u> TownHall<'u> {
    pub(crate) fn new(unit: &'u Unit, cells: household::Cells, draw: Draw) -> Self {
        Self { unit, cells, draw, households: 0, household: String::new(), protected: Vec::new() }
    }

    /// Hands everybody of this municipality to `visit`.
    pub(crate) fn register<'t, E: From<PopulationError>>(
        &mut self,
        host: bool,
        namer: &mut person::Namer<'t>,
        counter: &mut Counter,
        visit: &mut dyn FnMut(&Resident<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        namer.enter(u64::from(self.cells.total()));
        counter.foreign.earn(u64::from(self.cells.total()));
        let facilities = facility::plan(&mut self.cells, host, &mut self.draw);
        let trainees = facilities.iter().filter(|f| f.kind == facility::FacilityKind::Dormitory);
        let trainees: usize = trainees.map(|facility| facility.residents.len()).sum();
        counter.foreign.spend(trainees as u64);
        namer.house(i64::try_from(trainees).unwrap_or(0));
        let (mut members, mut persons) = (Vec::new(), Vec::new());
        let mut address = String::new();
        while self.cells.total() > 0 {
            // The share is kept by asking each household for its part of what is left. Three heads
            // in ten are below 45 and are asked for more.
            let left = u64::from(self.cells.total());
            household::compose(&mut self.cells, &mut self.draw, &mut members);
            let young = members.first().is_some_and(|head| head.class <= 8);
            let part = counter.foreign.due() * 100_000 * if young { 22 } else { 5 } / left;
            if u64::from(self.draw.below(1_000_000)) < part {
                namer.foreign(&members, &mut self.draw, &mut persons);
            } else {
                namer.japanese(&members, &mut self.draw, &mut persons);
            }
            let foreign = persons.iter().filter(|person| !person.nationality.is_empty());
            counter.foreign.spend(foreign.count() as u64);
            eldest_first(&mut persons);
            let flat = self.draw.permille(if members.len() == 1 { 450 } else { 150 });
            let dwelling = Dwelling::draw(self.unit, flat, &mut self.draw);
            dwelling.write(self.unit, &mut address);
            counter.office.consider(&persons, &mut self.protected)?;
            self.hand_over(&persons, (dwelling, &address), counter, visit)?;
        }
        self.protected.clear();
        for (nth, facility) in (0_u32..).zip(facilities) {
            let dwelling = Dwelling::facility(self.unit, nth, &mut self.draw);
            dwelling.write(self.unit, &mut address);
            for (sex, class) in facility.residents {
                let head = household::HEAD;
                let member = household::Member { sex, class, relationship: head, twin: false };
                match facility.kind {
                    facility::FacilityKind::Dormitory => {
                        namer.trainee(&member, &mut self.draw, &mut persons);
                    }
                    facility::FacilityKind::NursingHome => {
                        namer.japanese(&[member], &mut self.draw, &mut persons);
                    }
                }
                self.hand_over(&persons, (dwelling, &address), counter, visit)?;
            }
        }
        Ok(())
    }

    fn hand_over<E: From<PopulationError>>(
        &mut self,
        persons: &[person::Person<'_>],
        (dwelling, address): (Dwelling, &str),
        counter: &mut Counter,
        visit: &mut dyn FnMut(&Resident<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.households += 1;
        number::household(self.unit.code, self.households, &mut self.household);
        let protected = self.protected.iter().copied().chain(std::iter::repeat(None));
        for (person, protection) in persons.iter().zip(protected) {
            let code = RecordCode::from_ten_digits(counter.codes.number(counter.rows));
            let code = code.map_err(PopulationError::from)?;
            let birth = std::str::from_utf8(&person.birth).unwrap_or("0000-00-00");
            visit(&Resident {
                index: counter.rows,
                record_code: &code,
                family_name: person.family.name,
                given_name: person.given.name,
                family_kana: person.family.kana,
                given_kana: person.given.kana,
                sex: person::sex_of(person.sex),
                birth,
                municipality_code: self.unit.code,
                address,
                household_id: &self.household,
                relationship: person.relationship,
                nationality: person.nationality,
                alternative_name: person
                    .alternative
                    .map(|(family, given)| (family.name, given.name)),
                traits: person.traits,
                dwelling,
                protection,
            })?;
            counter.rows += 1;
        }
        Ok(())
    }
}

/// A register lists children in the order of birth.
fn eldest_first(persons: &mut [person::Person<'_>]) {
    for children in persons.chunk_by_mut(|a, b| a.relationship == b.relationship) {
        children.sort_by_key(|child| child.birth);
    }
}
