//! One municipality's register being filled: facilities are set aside, households composed, named
//! and housed, and everybody handed to the visitor in the order of the register.

use law::code::RecordCode;

use super::household;
use super::tables::Unit;
use super::{PopulationError, Resident, facility, number, person, place};
use crate::draw::Draw;

/// Foreign residents in a thousand (about 2.7 million of 126 million).
const FOREIGN_RATE: u64 = 27;

/// Numbers the residents of one file.
#[derive(Debug)]
pub(crate) struct Counter {
    codes: number::Permutation,
    rows: u64,
}

impl Counter {
    pub(crate) fn new(seed: u64) -> Self {
        Self { codes: number::Permutation::new(seed), rows: 0 }
    }
}

/// One municipality being registered.
pub(crate) struct TownHall<'u> {
    unit: &'u Unit,
    cells: household::Cells,
    draw: Draw,
    households: u64,
    household: String,
}

impl<'u> TownHall<'u> {
    pub(crate) fn new(unit: &'u Unit, cells: household::Cells, draw: Draw) -> Self {
        Self { unit, cells, draw, households: 0, household: String::new() }
    }

    /// Hands everybody of this municipality to `visit`.
    pub(crate) fn register<'t, E: From<PopulationError>>(
        &mut self,
        host: bool,
        namer: &mut person::Namer<'t>,
        counter: &mut Counter,
        visit: &mut dyn FnMut(&Resident<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut foreign = u64::from(self.cells.total()) * FOREIGN_RATE / 1_000;
        let facilities = facility::plan(&mut self.cells, host, &mut self.draw);
        let trainees = facilities.iter().filter(|f| f.kind == facility::FacilityKind::Dormitory);
        foreign = foreign.saturating_sub(trainees.map(|f| f.residents.len() as u64).sum());
        let (mut members, mut persons) = (Vec::new(), Vec::new());
        let mut address = String::new();
        while self.cells.total() > 0 {
            // The quota is kept by asking each household for its share of what is left.
            let left = u64::from(self.cells.total());
            household::compose(&mut self.cells, &mut self.draw, &mut members);
            let young = members.first().is_some_and(|head| head.class <= 8);
            let share = foreign * 500_000 * if young { 3 } else { 1 } / left;
            if u64::from(self.draw.below(1_000_000)) < share {
                namer.foreign(&members, &mut self.draw, &mut persons);
                foreign = foreign.saturating_sub(persons.len() as u64);
            } else {
                namer.japanese(&members, &mut self.draw, &mut persons);
            }
            eldest_first(&mut persons);
            let flat = self.draw.permille(if members.len() == 1 { 450 } else { 150 });
            place::dwelling(self.unit, flat, &mut self.draw, &mut address);
            self.hand_over(&persons, &address, counter, visit)?;
        }
        for (nth, facility) in (0_u32..).zip(facilities) {
            place::facility(self.unit, nth, &mut self.draw, &mut address);
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
                self.hand_over(&persons, &address, counter, visit)?;
            }
        }
        Ok(())
    }

    fn hand_over<E: From<PopulationError>>(
        &mut self,
        persons: &[person::Person<'_>],
        address: &str,
        counter: &mut Counter,
        visit: &mut dyn FnMut(&Resident<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.households += 1;
        number::household(self.unit.code, self.households, &mut self.household);
        for person in persons {
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
