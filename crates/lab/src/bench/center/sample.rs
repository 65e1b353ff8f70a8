//! Whom the center is asked about, how, and what must come back. The expected persons are found by
//! making the whole population a second time and looking at everybody, without any index.

use std::collections::HashMap;

use law::fold::{fold_address_open, fold_address_whole, fold_name};
use law::inquiry::{Held, ProvidedPerson};
use law::people::IdentityInformation;
use law::query::{PROVISION_PERSONS_MAX, QueryDraft};

use super::super::BenchError;
use super::load::held_of;
use crate::population::{self, Resident};

/// How the center can be asked, each measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Way {
    Code,
    NameBirth,
    NameAddress,
    /// The family name as the beginning of the name, and the birth date.
    FamilyBirth,
    /// One character as the beginning of the name, and the birth date.
    InitialBirth,
    /// The name, and the address up to its town.
    NameTown,
    /// One character as the beginning of the name, and the address.
    InitialAddress,
}

impl Way {
    pub(crate) const ALL: [Self; 7] = [
        Self::Code,
        Self::NameBirth,
        Self::NameAddress,
        Self::FamilyBirth,
        Self::InitialBirth,
        Self::NameTown,
        Self::InitialAddress,
    ];

    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::NameBirth => "name_birth",
            Self::NameAddress => "name_address",
            Self::FamilyBirth => "prefix_family_birth",
            Self::InitialBirth => "prefix_initial_birth",
            Self::NameTown => "prefix_name_town",
            Self::InitialAddress => "prefix_initial_address",
        }
    }

    const fn by_birth(self) -> bool {
        matches!(self, Self::NameBirth | Self::FamilyBirth | Self::InitialBirth)
    }

    const fn whole_name(self) -> bool {
        matches!(self, Self::NameBirth | Self::NameAddress | Self::NameTown)
    }
}

/// Takes note of every n-th person, for each way of asking another one.
#[derive(Debug)]
pub(crate) struct Sampler {
    step: u64,
    ways: &'static [Way],
    seen: Vec<Held>,
}

impl Sampler {
    /// `each` persons for each of these ways; a way that stands twice is asked twice as often.
    pub(crate) fn new(residents: u64, each: u64, ways: &'static [Way]) -> Self {
        let persons = each.saturating_mul(ways.len() as u64).max(1);
        Self { step: (residents / persons).max(1), ways, seen: Vec::new() }
    }

    pub(crate) fn see(&mut self, index: u64, held: &Held) {
        if index.is_multiple_of(self.step) {
            self.seen.push(held.clone());
        }
    }

    /// The questions, in turn by each way; whom one way cannot name is left out there.
    pub(crate) fn questions(self) -> Vec<Question> {
        let ways = self.ways.iter().cycle();
        self.seen
            .into_iter()
            .zip(ways)
            .filter_map(|(held, way)| Question::about(*way, held.identity))
            .collect()
    }
}

/// One question, and whom it asks for.
pub(crate) struct Question {
    pub(crate) way: Way,
    pub(crate) query: QueryDraft,
    /// The municipality of whoever it was made of; others are asked for by birth only.
    municipality: String,
    birth: String,
    /// Folded: the name or its beginning, the address or its beginning.
    name: String,
    address: String,
    pub(crate) expected: Vec<IdentityInformation>,
}

impl std::fmt::Debug for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Question({:?}, {} persons)", self.way, self.expected.len())
    }
}

/// What a right answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    Answered,
    /// More than fifty.
    Refused,
}

impl Question {
    fn about(way: Way, identity: IdentityInformation) -> Option<Self> {
        let items = &identity.items;
        let (name, birth) = (items.name.expose(), items.birth.expose());
        let initial: String = name.chars().take(1).collect();
        let asked_name = match way {
            Way::FamilyBirth => name.split('\u{3000}').next().unwrap_or(name).to_owned(),
            Way::InitialBirth | Way::InitialAddress => initial,
            _ => name.to_owned(),
        };
        let asked_address = match way {
            Way::NameTown => town_of(items.address.expose())?,
            _ => items.address.expose().to_owned(),
        };
        if way.by_birth() && birth.contains("-00") {
            return None;
        }
        let some = |is: bool, text: &String| is.then(|| text.clone());
        let by_code = way == Way::Code;
        let by_address = !by_code && !way.by_birth();
        let query = QueryDraft {
            code: by_code.then(|| identity.code.expose().to_owned()),
            name: some(!by_code, &asked_name),
            address: some(by_address, &asked_address),
            birth: some(way.by_birth(), &birth),
            prefix: !by_code && (!way.whole_name() || way == Way::NameTown),
        };
        let address = match way {
            Way::NameTown => fold_address_open(&asked_address),
            _ => fold_address_whole(&asked_address),
        };
        let municipality = identity.municipality.as_str().to_owned();
        let name = fold_name(&asked_name);
        let expected = if by_code { vec![identity] } else { Vec::new() };
        Some(Self { way, query, municipality, birth, name, address, expected })
    }

    fn fits_name(&self, folded: &str) -> bool {
        if self.way.whole_name() { folded == self.name } else { folded.starts_with(&self.name) }
    }

    fn fits_address(&self, folded: &str) -> bool {
        match self.way {
            Way::NameTown => folded.starts_with(&self.address),
            _ => folded == self.address,
        }
    }

    pub(crate) fn right(&self) -> Right {
        if self.expected.len() > PROVISION_PERSONS_MAX { Right::Refused } else { Right::Answered }
    }

    /// Whether an answer holds exactly the expected persons, item by item.
    pub(crate) fn agrees(&self, answer: &[ProvidedPerson]) -> bool {
        let mut left: Vec<&IdentityInformation> = self.expected.iter().collect();
        left.len() == answer.len()
            && answer.iter().all(|person| {
                let found = left.iter().position(|expected| is(expected, person));
                found.map(|at| left.swap_remove(at)).is_some()
            })
    }

    /// The same for what a store holds.
    pub(crate) fn agrees_held(&self, found: &[Held]) -> bool {
        let mut left: Vec<&IdentityInformation> = self.expected.iter().collect();
        left.len() == found.len()
            && found.iter().all(|held| {
                let found = left.iter().position(|expected| **expected == held.identity);
                found.map(|at| left.swap_remove(at)).is_some()
            })
    }
}

fn is(expected: &IdentityInformation, person: &ProvidedPerson) -> bool {
    let items = &expected.items;
    person.code.as_ref() == Some(&expected.code)
        && person.name == items.name
        && person.kana == items.kana
        && person.address == items.address
        && person.sex == items.sex
        && person.birth == items.birth
}

/// Expects at the first question whom another one asks for: a run that does not find it is blind.
pub(crate) fn plant_other_person(questions: &mut [Question]) {
    let mut by_code = questions.iter_mut().filter(|question| question.way == Way::Code);
    if let (Some(one), Some(other)) = (by_code.next(), by_code.next()) {
        std::mem::swap(&mut one.expected, &mut other.expected);
    }
}

/// The address up to where its numbers begin: a beginning that the law lets one ask for. Not where
/// the town itself ends in a numeral, which could be read two ways.
fn town_of(address: &str) -> Option<String> {
    const NUMERALS: &str = "〇一二三四五六七八九十百千";
    let end = address.find(|c: char| c.is_ascii_digit()).or_else(|| address.find("丁目"))?;
    let town = address.get(..end)?;
    let town = match town.find("丁目") {
        Some(at) => town.get(..at)?.trim_end_matches(|c| NUMERALS.contains(c)),
        None => town,
    };
    let ends_in_numeral = town.chars().next_back().is_none_or(|c| NUMERALS.contains(c));
    (!ends_in_numeral).then(|| town.to_owned())
}

/// Makes everybody once more and notes whom each question asks for, up to one more than may be
/// told.
pub(crate) fn find_expected(
    population: &population::Options,
    questions: &mut [Question],
    progress: &mut dyn FnMut(u64),
) -> Result<(), BenchError> {
    let mut by_birth: HashMap<String, Vec<usize>> = HashMap::new();
    let mut by_place: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, question) in questions.iter().enumerate() {
        match question.way {
            Way::Code => {}
            way if way.by_birth() => {
                by_birth.entry(question.birth.clone()).or_default().push(at);
            }
            _ => by_place.entry(question.municipality.clone()).or_default().push(at),
        }
    }
    let none = Vec::new();
    population::each(population, &mut |resident| -> Result<(), BenchError> {
        progress(resident.index);
        let births = by_birth.get(resident.birth).unwrap_or(&none);
        let places = by_place.get(resident.municipality_code).unwrap_or(&none);
        if births.is_empty() && places.is_empty() {
            return Ok(());
        }
        let names = names_of(resident);
        let mut address = None;
        for at in births.iter().chain(places) {
            let Some(question) = questions.get_mut(*at) else { continue };
            if question.expected.len() > PROVISION_PERSONS_MAX
                || !names.iter().any(|name| question.fits_name(name))
            {
                continue;
            }
            let fits = question.way.by_birth() || {
                let whole = || fold_address_whole(resident.address);
                question.fits_address(address.get_or_insert_with(whole))
            };
            if fits && let Some(held) = held_of(resident) {
                question.expected.push(held.identity);
            }
        }
        Ok(())
    })
}

/// The name and the alternative name, folded (令30条の26第7項: 氏名又は通称).
fn names_of(resident: &Resident<'_>) -> Vec<String> {
    let own = fold_name(&[resident.family_name, resident.given_name].concat());
    let other = resident.alternative_name;
    let other = other.map(|(family, given)| fold_name(&[family, given].concat()));
    std::iter::once(own).chain(other).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nation(residents: u64) -> population::Options {
        population::Options { residents, seed: 11, municipalities: vec!["132152".to_owned()] }
    }

    fn everyone(options: &population::Options) -> Vec<Held> {
        let mut all = Vec::new();
        population::each(options, &mut |resident| -> Result<(), BenchError> {
            all.push(held_of(resident).unwrap());
            Ok(())
        })
        .unwrap();
        all
    }

    #[test]
    fn whom_a_question_asks_for_is_whom_the_law_lets_it_find() {
        let options = nation(4_000);
        let all = everyone(&options);
        let mut sampler = Sampler::new(4_000, 40, &Way::ALL);
        all.iter().zip(0..).for_each(|(held, index)| sampler.see(index, held));
        let mut questions = sampler.questions();
        find_expected(&options, &mut questions, &mut |_| ()).unwrap();
        let mut ways = std::collections::BTreeSet::new();
        for question in &questions {
            let query = law::query::Query::parse(&question.query).unwrap();
            let found = all.iter().filter(|held| query.matches(&held.identity));
            let found: Vec<Held> = found.take(PROVISION_PERSONS_MAX + 1).cloned().collect();
            assert!(!found.is_empty());
            assert!(question.agrees_held(&found), "{question:?} {}", found.len());
            assert!(!question.agrees_held(&[]));
            ways.insert(question.way);
        }
        assert_eq!(ways.len(), Way::ALL.len());
    }

    #[test]
    fn a_town_ends_before_its_numbers_and_never_in_a_numeral() {
        let town = |address| town_of(address);
        assert_eq!(town("東京都国立市富士見台2番3号").as_deref(), Some("東京都国立市富士見台"));
        assert_eq!(town("東京都国立市東三丁目2番3号").as_deref(), Some("東京都国立市東"));
        assert_eq!(town("東京都国立市青柳字三2番3号"), None);
        assert_eq!(town("東京都国立市"), None);
    }
}
