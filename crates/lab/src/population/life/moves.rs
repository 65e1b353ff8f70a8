//! Moves within a municipality, between municipalities, from and to another country.

use super::event::EventKind;
use super::rates::{self, share, yearly};
use super::world::{CHILD, HEAD, HUSBAND, NO_NAME, NONE, Person, RELATED, Standing, WIFE};
use super::{Act, Life, Place, PopulationError, WHOLE};
use crate::population::household::{FEMALE, MALE};
use crate::population::place::Dwelling;

/// Tries to find a destination of the wanted kind.
const DESTINATION_TRIES_COUNT: u32 = 400;

/// Flats in a thousand dwellings of movers (assumed: movers rent more often).
const FLATS: u32 = 500;

/// Somebody who has just moved, from one unit to another or within it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moved {
    index: u32,
    from: u16,
    to: u16,
}

impl Life<'_, '_> {
    /// A household or one grown member of it moves. Says how many persons moved.
    pub(super) fn relocation(&mut self, between: bool) -> Result<u32, PopulationError> {
        let today = self.number();
        let likelihood = |person: &Person| rates::likelihood(&rates::MOVES, person.class(today));
        let Some(index) = self.world.find(&mut self.draw, &likelihood) else { return Ok(0) };
        let Some(unit) = self.world.unit_of(index) else { return Ok(0) };
        let to = if between { self.destination(unit) } else { Some(unit) };
        let Some(to) = to else { return Ok(0) };
        let movers = self.movers(index);
        self.go(&movers, None, Some(to))?;
        self.told_moved().map(|()| u32::try_from(movers.len()).unwrap_or(u32::MAX))
    }

    /// Who goes along: head and spouse take everybody, whoever else lives there goes alone.
    fn movers(&self, index: u32) -> Vec<u32> {
        match self.world.person(index) {
            Some(person) if matches!(person.relationship, HEAD | WIFE | HUSBAND) => {
                self.world.members(person.house)
            }
            _ => vec![index],
        }
    }

    /// Another unit, by its residents; in the own prefecture as often as published.
    pub(super) fn destination(&mut self, own: u16) -> Option<u16> {
        let total = self.sums.last().copied().unwrap_or(0).max(1);
        let code = |unit: u16| self.world.units.get(usize::from(unit)).map_or("", |unit| unit.code);
        let counted = u32::try_from(yearly::MOVES_BETWEEN).unwrap_or(u32::MAX);
        let far = u64::from(self.draw.below(counted)) < yearly::MOVES_BETWEEN_PREFECTURES;
        let mut other = None;
        for _ in 0..DESTINATION_TRIES_COUNT {
            let place = self.draw.long() % total;
            let unit = self.sums.partition_point(|sum| *sum <= place);
            let unit = u16::try_from(unit).ok().filter(|unit| *unit != own);
            if let Some(unit) = unit {
                other = Some(unit);
                if rates::same_prefecture(code(unit), code(own)) != far {
                    return other;
                }
            }
        }
        other
    }

    /// Lets people go from where they are and settles them in a household, or in a new one in a
    /// unit. Where they arrive is told by [`Self::told_moved`], when relationships are settled.
    pub(super) fn go(
        &mut self,
        movers: &[u32],
        house: Option<u32>,
        unit: Option<u16>,
    ) -> Result<(), PopulationError> {
        let target = house.and_then(|house| self.world.house(house).map(|house| house.unit));
        let Some(to) = target.or(unit) else { return Ok(()) };
        for index in movers.iter().copied() {
            let Some(from) = self.world.unit_of(index) else { continue };
            if from != to {
                self.unprotect(index)?;
                let places = (Place::Unit(from), Place::Unit(to));
                self.tell(index, EventKind::MovedOut, places, None)?;
            }
            self.moved.push(Moved { index, from, to });
        }
        if let Some(house) = house {
            for index in movers.iter().copied() {
                self.world.leave(index);
                self.world.join(index, house);
            }
            return Ok(());
        }
        let dwelling = self.dwelling(to);
        let old = movers.first().and_then(|index| self.world.person(*index)).map(|p| p.house);
        if let Some(old) = old.filter(|old| self.world.members(*old) == movers) {
            self.world.rehouse(old, to, dwelling);
            return Ok(());
        }
        let house = self.world.found(to, dwelling);
        for (place, index) in movers.iter().copied().enumerate() {
            self.world.leave(index);
            self.world.join(index, house);
            self.world.change(index, |person| {
                person.relationship = match person.relationship {
                    _ if place == 0 => HEAD,
                    CHILD => CHILD,
                    _ => RELATED,
                }
            });
        }
        Ok(())
    }

    fn dwelling(&mut self, unit: u16) -> Dwelling {
        let flat = self.draw.permille(FLATS);
        let found = self.world.units.get(usize::from(unit)).copied();
        found.map_or_else(Dwelling::default, |unit| Dwelling::draw(unit, flat, &mut self.draw))
    }

    /// Tells of everybody who has arrived since the last time, and counts them.
    pub(super) fn told_moved(&mut self) -> Result<(), PopulationError> {
        for Moved { index, from, to } in std::mem::take(&mut self.moved) {
            let (kind, act) = if from == to {
                (EventKind::MovedWithin, Act::MoveWithin)
            } else {
                (EventKind::MovedIn, Act::MoveBetween)
            };
            self.owe(act, -WHOLE);
            self.tell(index, kind, (Place::Unit(from), Place::Unit(to)), None)?;
        }
        Ok(())
    }

    pub(super) fn leave_abroad(&mut self) -> Result<u32, PopulationError> {
        let today = self.number();
        let foreign = self.draw.permille(share::FOREIGN_LEAVING);
        let likelihood = |person: &Person| {
            let is = (person.nation > 0) == foreign;
            if is { rates::likelihood(&rates::MOVES, person.class(today)) } else { 0 }
        };
        let Some(index) = self.world.find(&mut self.draw, &likelihood) else { return Ok(0) };
        let movers = self.movers(index);
        for mover in movers.iter().copied() {
            self.unprotect(mover)?;
            let places = (self.here(mover), Place::Abroad);
            self.tell(mover, EventKind::MovedOutAbroad, places, None)?;
        }
        for mover in movers.iter().copied() {
            self.remove(mover, Standing::Abroad);
            if self.world.person(mover).is_some_and(|person| person.nation == 0) {
                self.abroad.push(mover);
            }
        }
        Ok(u32::try_from(movers.len()).unwrap_or(u32::MAX))
    }

    pub(super) fn arrive(&mut self) -> Result<u32, PopulationError> {
        let total = self.sums.last().copied().unwrap_or(0).max(1);
        let place = self.draw.long() % total;
        let unit = self.sums.partition_point(|sum| *sum <= place);
        let unit = u16::try_from(unit).unwrap_or_default();
        let dwelling = self.dwelling(unit);
        let house = self.world.found(unit, dwelling);
        let foreign = self.draw.permille(share::FOREIGN_COMING);
        let back = u32::try_from(self.abroad.len()).unwrap_or(u32::MAX);
        let index = if !foreign && back > 0 {
            let chosen = usize::try_from(self.draw.below(back)).unwrap_or_default();
            let index = self.abroad.swap_remove(chosen);
            self.world.change(index, |person| {
                (person.standing, person.relationship) = (Standing::Here, HEAD);
            });
            self.world.living += 1;
            self.world.join(index, house);
            index
        } else {
            let person = self.newcomer(foreign)?;
            self.world.enter(person, house)
        };
        let places = (Place::Abroad, Place::Unit(unit));
        self.tell(index, EventKind::MovedInFromAbroad, places, None)?;
        Ok(1)
    }

    /// Somebody of 18 to 42 who was not in the register before.
    fn newcomer(&mut self, foreign: bool) -> Result<Person, PopulationError> {
        let female = self.draw.permille(480);
        let sex = if female { FEMALE } else { MALE };
        let year = u32::from(self.today.year()) - 19 - self.draw.below(24);
        let birth = year * 10_000 + (1 + self.draw.below(12)) * 100 + 1 + self.draw.below(28);
        let (nation, family, given) = if foreign {
            let (nation, family, given) = self.namer.newcomer(sex, &mut self.draw);
            (u8::try_from(nation + 1).unwrap_or(u8::MAX), family, given)
        } else {
            let family = self.namer.surname(&mut self.draw).0;
            (0, family, self.namer.given(sex, 2, &mut self.draw))
        };
        Ok(Person {
            code: self.world.codes,
            house: NONE,
            next: NONE,
            spouse: NONE,
            birth,
            family: self.world.names.keep(family)?,
            given: self.world.names.keep(given)?,
            born_family: NO_NAME,
            alias: (NO_NAME, NO_NAME),
            nation,
            relationship: HEAD,
            female,
            standing: Standing::Here,
        })
    }
}
