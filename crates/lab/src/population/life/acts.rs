//! Births, deaths, marriages, divorces, changes of code, losses of cards, and support measures: one
//! of them at a time, to whom chance gives it. Each says how many times it happened.

use super::event::EventKind;
use super::rates::{self, share};
use super::world::{
    CHILD, GRANDCHILD, HEAD, HUSBAND, NO_NAME, NONE, Person, RELATED, Standing, WIFE, WIFES_CHILD,
};
use super::{Life, Place, PopulationError, Protection, protection};
use crate::population::household::{FEMALE, MALE};
use crate::population::protection::Ground;

/// Nobody marries younger (民法731条), and nobody asks for a card or a measure alone.
pub(super) const ADULT_AGE_YEARS: u32 = 18;

/// Residents made within so many places of each other may be one family.
const FAMILY_PLACES: u32 = 16;

/// Most years between the ages of a couple.
const COUPLE_YEARS_MAX: u32 = 12;

const NOWHERE: (Place, Place) = (Place::Nowhere, Place::Nowhere);

impl Life<'_, '_> {
    pub(super) fn here(&self, index: u32) -> Place {
        self.world.unit_of(index).map_or(Place::Nowhere, Place::Unit)
    }

    pub(super) fn death(&mut self) -> Result<u32, PopulationError> {
        let today = self.number();
        let rates = &self.deaths;
        let likelihood = |person: &Person| rates.likelihood(person.female, person.class(today));
        let Some(index) = self.world.find(&mut self.draw, &likelihood) else { return Ok(0) };
        self.unprotect(index)?;
        self.tell(index, EventKind::Died, (self.here(index), Place::Nowhere), None)?;
        self.part(index);
        self.remove(index, Standing::Dead);
        Ok(1)
    }

    /// Out of the household and the count.
    pub(super) fn remove(&mut self, index: u32, standing: Standing) {
        self.world.leave(index);
        self.world.change(index, |person| person.standing = standing);
        self.world.living -= 1;
    }

    /// Neither of the two is married any more.
    pub(super) fn part(&mut self, index: u32) {
        let Some(spouse) = self.world.person(index).map(|person| person.spouse) else { return };
        self.world.change(index, |person| person.spouse = NONE);
        self.world.change(spouse, |person| person.spouse = NONE);
    }

    pub(super) fn delivery(&mut self) -> Result<u32, PopulationError> {
        let today = self.number();
        let rates = &self.births;
        let likelihood = |person: &Person| {
            let likely = rates.likelihood(person.female, person.class(today));
            if person.spouse == NONE { likely / 1_000 * share::UNMARRIED_MOTHERS } else { likely }
        };
        let Some(mother) = self.world.find(&mut self.draw, &likelihood) else { return Ok(0) };
        let children = if self.draw.permille(share::TWINS) { 2 } else { 1 };
        for _ in 0..children {
            self.birth(mother)?;
        }
        Ok(children)
    }

    fn birth(&mut self, mother_index: u32) -> Result<(), PopulationError> {
        let Some(mother) = self.world.person(mother_index).copied() else { return Ok(()) };
        let father = self.world.person(mother.spouse).copied();
        let female = !self.draw.permille(share::BOYS);
        let sex = if female { FEMALE } else { MALE };
        // 国籍法2条: Japanese if one of the parents is.
        let japanese = mother.nation == 0 || father.is_some_and(|father| father.nation == 0);
        let (nation, family) = match father {
            Some(father) if japanese && mother.nation != 0 => (0, father.family),
            _ if japanese => (0, mother.family),
            _ => (mother.nation, mother.family),
        };
        let given = match usize::from(nation).checked_sub(1) {
            None => self.namer.given(sex, 2, &mut self.draw),
            Some(nation) => self.namer.given_abroad(nation, sex, &mut self.draw),
        };
        let relationship = match mother.relationship {
            HEAD | WIFE | HUSBAND => CHILD,
            CHILD | WIFES_CHILD => GRANDCHILD,
            _ => RELATED,
        };
        let child = Person {
            code: self.world.codes,
            house: NONE,
            spouse: NONE,
            birth: self.number(),
            family,
            given: self.world.names.keep(given)?,
            born_family: NO_NAME,
            alias: (NO_NAME, NO_NAME),
            nation,
            relationship,
            female,
            standing: Standing::Here,
            ..mother
        };
        let index = self.world.enter(child, mother.house);
        self.mothers.insert(index, mother_index);
        self.tell(index, EventKind::Born, (Place::Nowhere, self.here(index)), None)
    }

    pub(super) fn marriage(&mut self) -> Result<u32, PopulationError> {
        let today = self.number();
        let free = |person: &Person, female: bool| {
            let grown = person.age(today) >= ADULT_AGE_YEARS;
            let may = person.female == female && person.spouse == NONE && grown;
            if may { rates::likelihood(&rates::MARRIAGES, person.class(today)) } else { 0 }
        };
        let Some(man) = self.world.find(&mut self.draw, &|p| free(p, false)) else { return Ok(0) };
        let Some(groom) = self.world.person(man).copied() else { return Ok(0) };
        let suits = |person: &Person| {
            let apart = person.age(today).abs_diff(groom.age(today));
            if person.house == groom.house || apart > COUPLE_YEARS_MAX {
                return 0;
            }
            free(person, true) / (1 + apart / 3)
        };
        // Seven in ten meet where they live (assumed).
        let unit = self.world.unit_of(man).map(usize::from).unwrap_or_default();
        let near = self.world.ranges.get(unit).zip(self.world.ranges.get(unit + 1));
        let mut woman = None;
        if let Some((first, end)) = near.map(|(first, end)| (*first, *end))
            && self.draw.permille(700)
        {
            woman = self.world.find_in(&mut self.draw, first, end, &suits);
        }
        let woman = match woman {
            Some(woman) => Some(woman),
            None => self.world.find(&mut self.draw, &suits),
        };
        let Some(woman) = woman.filter(|woman| !self.related(man, *woman)) else { return Ok(0) };
        self.world.change(man, |person| person.spouse = woman);
        self.world.change(woman, |person| person.spouse = man);
        self.tell(man, EventKind::Married, NOWHERE, None)?;
        self.tell(woman, EventKind::Married, NOWHERE, None)?;
        self.take_one_name(man, woman)?;
        self.live_together(man, woman)?;
        Ok(1)
    }

    /// 民法734条, as far as it is known: parents, children and siblings of this world, and whoever
    /// was made side by side.
    fn related(&self, a: u32, b: u32) -> bool {
        let (of_a, of_b) = (self.mothers.get(&a), self.mothers.get(&b));
        let family = of_a == Some(&b) || of_b == Some(&a) || (of_a.is_some() && of_a == of_b);
        family || a.abs_diff(b) < FAMILY_PLACES
    }

    /// 民法750条; a foreign spouse keeps the name.
    fn take_one_name(&mut self, man: u32, woman: u32) -> Result<(), PopulationError> {
        let names = self.world.person(man).copied().zip(self.world.person(woman).copied());
        let Some((groom, bride)) = names.filter(|(a, b)| a.nation == 0 && b.nation == 0) else {
            return Ok(());
        };
        if groom.family == bride.family {
            return Ok(());
        }
        let his = self.draw.permille(share::HUSBANDS_NAME);
        let (who, family) = if his { (woman, groom.family) } else { (man, bride.family) };
        self.rename(who, family)
    }

    fn rename(&mut self, index: u32, family: u16) -> Result<(), PopulationError> {
        self.world.change(index, |person| {
            if person.born_family == NO_NAME {
                person.born_family = person.family;
            }
            person.family = family;
        });
        let here = self.here(index);
        self.tell(index, EventKind::NameChanged, (here, here), None)
    }

    /// The couple lives with whoever heads a household, his before hers; where neither does, in a
    /// new one. Minor children of the one who moves come along.
    fn live_together(&mut self, man: u32, woman: u32) -> Result<(), PopulationError> {
        let heads =
            |index: u32| self.world.person(index).is_some_and(|person| person.relationship == HEAD);
        let (host, guest) = if heads(man) || !heads(woman) { (man, woman) } else { (woman, man) };
        let Some(house) = self.world.person(host).map(|person| person.house) else { return Ok(()) };
        let with = self.dependants(guest);
        let as_spouse = if guest == woman { WIFE } else { HUSBAND };
        if heads(host) {
            self.go(&[&[guest], with.as_slice()].concat(), Some(house), None)?;
        } else {
            let unit = self.world.unit_of(host).unwrap_or_default();
            self.go(&[&[host, guest], with.as_slice()].concat(), None, Some(unit))?;
        }
        self.world.change(guest, |person| person.relationship = as_spouse);
        for child in with {
            let step = if guest == woman { WIFES_CHILD } else { RELATED };
            self.world.change(child, |person| person.relationship = step);
        }
        self.told_moved()
    }

    /// Minor children of a household's head.
    fn dependants(&self, index: u32) -> Vec<u32> {
        let today = self.number();
        let Some(person) = self.world.person(index).filter(|person| person.relationship == HEAD)
        else {
            return Vec::new();
        };
        let mut members = self.world.members(person.house);
        members.retain(|member| {
            self.world.person(*member).is_some_and(|person| {
                matches!(person.relationship, CHILD | WIFES_CHILD)
                    && person.age(today) < ADULT_AGE_YEARS
            })
        });
        members
    }

    pub(super) fn divorce(&mut self) -> Result<u32, PopulationError> {
        let today = self.number();
        let likelihood = |person: &Person| {
            let married = person.spouse != NONE && !person.female;
            if married { rates::likelihood(&rates::DIVORCES, person.class(today)) } else { 0 }
        };
        let Some(man) = self.world.find(&mut self.draw, &likelihood) else { return Ok(0) };
        let Some(woman) = self.world.person(man).map(|person| person.spouse) else { return Ok(0) };
        self.part(man);
        self.tell(man, EventKind::Divorced, NOWHERE, None)?;
        self.tell(woman, EventKind::Divorced, NOWHERE, None)?;
        if self.draw.permille(share::NAME_OF_BIRTH) {
            self.name_of_birth(man, woman)?;
        }
        let with_mother = self.draw.permille(share::CHILDREN_WITH_MOTHER);
        let (leaver, stays) = if with_mother { (man, woman) } else { (woman, man) };
        let family = self.world.person(stays).map(|person| person.house);
        let same = self.world.person(leaver).map(|person| person.house) == family;
        if same && let Some(unit) = self.world.unit_of(leaver) {
            // Whoever keeps the children stays; four in ten of the others leave the municipality
            // (assumed).
            let away = self.draw.permille(400).then(|| self.destination(unit)).flatten();
            self.go(&[leaver], None, Some(away.unwrap_or(unit)))?;
            self.told_moved()?;
        }
        Ok(1)
    }

    /// The one who took the other's name takes back the own (民法767条). Of couples of the first
    /// day, it is the wife, and her name of birth is drawn.
    fn name_of_birth(&mut self, man: u32, woman: u32) -> Result<(), PopulationError> {
        let names = self.world.person(man).copied().zip(self.world.person(woman).copied());
        let Some((husband, wife)) = names.filter(|(a, b)| a.nation == 0 && b.nation == 0) else {
            return Ok(());
        };
        if husband.family != wife.family {
            return Ok(());
        }
        let (who, born) = match (wife.born_family, husband.born_family) {
            (NO_NAME, NO_NAME) => {
                let drawn = self.namer.surname(&mut self.draw).0;
                (woman, self.world.names.keep(drawn)?)
            }
            (NO_NAME, his) => (man, his),
            (hers, _) => (woman, hers),
        };
        if born == wife.family {
            return Ok(());
        }
        self.rename(who, born)?;
        self.world.change(who, |person| person.born_family = NO_NAME);
        Ok(())
    }

    pub(super) fn code_change(&mut self) -> Result<u32, PopulationError> {
        let Some(index) = self.world.find(&mut self.draw, &|_| 1_000_000) else { return Ok(0) };
        let Some(old) = self.world.person(index).map(|person| person.code) else { return Ok(0) };
        let new = self.world.codes;
        self.world.codes += 1;
        self.world.change(index, |person| person.code = new);
        let here = self.here(index);
        self.tell(index, EventKind::CodeChanged, (here, here), Some(old))?;
        Ok(1)
    }

    pub(super) fn card_loss(&mut self) -> Result<u32, PopulationError> {
        let today = self.number();
        let grown =
            |person: &Person| if person.age(today) >= ADULT_AGE_YEARS { 1_000_000 } else { 0 };
        let Some(index) = self.world.find(&mut self.draw, &grown) else { return Ok(0) };
        self.tell(index, EventKind::CardLost, NOWHERE, None)?;
        Ok(1)
    }

    /// A measure for the head of a household without a couple, and the minor children there.
    pub(super) fn protection(&mut self) -> Result<u32, PopulationError> {
        let today = self.number();
        let guarded = &self.guarded;
        let alone = |person: &Person| {
            let may = person.relationship == HEAD && person.spouse == NONE;
            match person.age(today) {
                ADULT_AGE_YEARS.. if may && person.female => 1_000_000,
                ADULT_AGE_YEARS.. if may => 250_000,
                _ => 0,
            }
        };
        let Some(index) = self.world.find(&mut self.draw, &alone) else { return Ok(0) };
        if guarded.contains_key(&index) {
            return Ok(0);
        }
        let children = self.dependants(index);
        let ground = Ground::draw(!children.is_empty(), &mut self.draw);
        let (begins, ends) = (self.today, protection::year_after(self.today)?);
        let mut protected = 0;
        for member in [&[index], children.as_slice()].concat() {
            if self.guarded.contains_key(&member) {
                continue;
            }
            let applicant = member == index;
            self.guarded.insert(member, Protection { ground, applicant, begins, ends });
            self.ends.push_back((ends, member));
            self.tell(member, EventKind::ProtectionBegins, NOWHERE, None)?;
            protected += 1;
        }
        Ok(protected)
    }
}
