//! Who the scripts are about: synthetic residents drawn from the country's own file by a seed, or
//! born in a script. A name in a script is a part to play, never the name of the one who plays it.

use std::collections::{BTreeMap, BTreeSet};

use csv::ReaderBuilder;
use law::change::{ChangeNotice, ChangeReason};
use law::code::{LocalGovernmentCode, RecordCode};
use law::inquiry::ProvidedPerson;
use law::people::{
    Address, BirthDate, FourItems, IdentityInformation, ItemError, Kana, Name, OtherNames, Sex,
};
use law::query::{PROVISION_PERSONS_MAX, Query, QueryDraft};
use law::time::Date;
use wire::FeedRow;

use crate::draw::{Draw, SeedLabel};

/// Of the draws of this module.
const SEED_LABEL: SeedLabel = *b"jukinet scenario/1\0\0\0\0\0\0";

/// Why nobody can play a part.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PeopleError {
    #[error("the residents' file is not the CSV that jukilab population writes")]
    NotOurs,
    #[error("nobody is left in {0} to play this part; take more residents")]
    NobodyLeft(String),
    #[error("no address has more than {PROVISION_PERSONS_MAX} residents whose names begin alike")]
    NoCrowd,
    #[error("a notice cannot be made: {0}")]
    Item(#[from] ItemError),
    #[error("a notice cannot be made: a code or date is none")]
    Code,
}

/// One resident as the register of the municipality has her now.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) code: String,
    pub(crate) former_code: Option<String>,
    pub(crate) family: String,
    pub(crate) given: String,
    pub(crate) kana: String,
    pub(crate) sex: u8,
    pub(crate) birth: String,
    pub(crate) municipality: String,
    pub(crate) address: String,
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Person(…)")
    }
}

impl Person {
    pub(crate) fn name(&self) -> String {
        format!("{}\u{3000}{}", self.family, self.given)
    }

    pub(crate) fn record_code(&self) -> Result<RecordCode, PeopleError> {
        RecordCode::parse(&self.code).map_err(|_| PeopleError::Code)
    }

    /// Whether an answer tells exactly what stands in the register.
    pub(crate) fn is_told_by(&self, told: &ProvidedPerson) -> bool {
        told.code.as_ref().is_some_and(|code| code.expose() == self.code)
            && told.name.expose() == self.name()
            && told.kana.expose() == self.kana
            && told.address.expose() == self.address
            && told.birth.expose() == self.birth
            && told.sex.code() == self.sex
            && told.alternative_name.is_none()
    }

    /// A row of the register system about her.
    pub(crate) fn row(
        &self,
        reason: ChangeReason,
        on: Date,
        former_municipality: Option<&str>,
    ) -> Result<FeedRow, PeopleError> {
        let place = |text: &str| LocalGovernmentCode::parse(text).map_err(|_| PeopleError::Code);
        let former =
            self.former_code.as_deref().filter(|_| reason == ChangeReason::CodeChangedOnRequest);
        let record = IdentityInformation {
            code: self.record_code()?,
            items: FourItems {
                name: Name::parse(&self.name())?,
                kana: Kana::parse(&self.kana)?,
                address: Address::parse(&self.address)?,
                sex: Sex::from_code(self.sex)?,
                birth: BirthDate::parse(&self.birth)?,
            },
            municipality: place(&self.municipality)?,
            other_names: OtherNames::default(),
        };
        let previous_code =
            former.map(RecordCode::parse).transpose().map_err(|_| PeopleError::Code)?;
        let notice = ChangeNotice { reason, changed_on: on, record, previous_code, foreign: false };
        let former_municipality = former_municipality.map(place).transpose()?;
        Ok(FeedRow { row: 2, sequence: None, notice, former_municipality })
    }

    /// What an operator fills in.
    pub(crate) fn query(&self, keys: &str) -> QueryDraft {
        let first: String = self.family.chars().take(1).collect();
        let municipality = LocalGovernmentCode::parse(&self.municipality).ok();
        let municipality = municipality.as_ref().and_then(law::municipality::find);
        let municipality = municipality
            .map_or_else(String::new, |found| format!("{}{}", found.prefecture_name, found.name));
        let mut draft =
            QueryDraft { code: None, name: None, address: None, birth: None, prefix: false };
        match keys {
            "record code" | "住民票コード" => draft.code = Some(self.code.clone()),
            "former record code" | "以前の住民票コード" => {
                draft.code = Some(self.former_code.clone().unwrap_or_default());
            }
            "name and date of birth" | "氏名と生年月日" => {
                (draft.name, draft.birth) = (Some(self.name()), Some(self.birth.clone()));
            }
            "name and address" | "氏名と住所" => {
                (draft.name, draft.address) = (Some(self.name()), Some(self.address.clone()));
            }
            "first character and address" | "氏名の一字と住所" => {
                draft.prefix = true;
                (draft.name, draft.address) = (Some(first), Some(self.address.clone()));
            }
            "name and municipality" | "氏名と市町村名" => {
                draft.prefix = true;
                (draft.name, draft.address) = (Some(self.name()), Some(municipality));
            }
            _ => draft.name = Some(self.name()),
        }
        draft
    }
}

/// Everybody who can still play a part.
pub(crate) struct People {
    by_municipality: BTreeMap<String, Vec<Person>>,
    crowd: Vec<Person>,
    draw: Draw,
}

impl std::fmt::Debug for People {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("People(…)")
    }
}

impl People {
    /// From a residents' CSV, in an order drawn from the seed.
    pub(crate) fn parse(text: &str, seed: u64) -> Result<Self, PeopleError> {
        let all = rows(text)?;
        let mut draw = Draw::new(SEED_LABEL, seed, 1);
        let crowd = crowd(&all);
        let mut by_municipality: BTreeMap<String, Vec<Person>> = BTreeMap::new();
        for person in alone(all) {
            by_municipality.entry(person.municipality.clone()).or_default().push(person);
        }
        for people in by_municipality.values_mut() {
            for at in (1..people.len()).rev() {
                let with = draw.below(u32::try_from(at + 1).unwrap_or(u32::MAX));
                people.swap(at, usize::try_from(with).unwrap_or(at));
            }
        }
        Ok(Self { by_municipality, crowd, draw })
    }

    /// Somebody of a municipality who has not played a part yet.
    pub(crate) fn take(&mut self, municipality: &str) -> Result<Person, PeopleError> {
        let people = self.by_municipality.get_mut(municipality);
        let person = people.and_then(Vec::pop);
        person.ok_or_else(|| PeopleError::NobodyLeft(municipality.to_owned()))
    }

    /// More than may be provided, under one address, whose names begin alike.
    pub(crate) fn crowd(&self) -> Result<Vec<Person>, PeopleError> {
        if self.crowd.is_empty() { Err(PeopleError::NoCrowd) } else { Ok(self.crowd.clone()) }
    }

    /// A child of somebody who lives there, under a name that nobody else has.
    pub(crate) fn child(
        &mut self,
        municipality: &str,
        code: &str,
        today: Date,
    ) -> Result<Person, PeopleError> {
        let parent = self.take(municipality)?;
        let kana = parent.kana.split('\u{3000}').next().unwrap_or_default().to_owned();
        Ok(Person {
            code: code.to_owned(),
            given: "脚本".to_owned(),
            kana: format!("{kana}\u{3000}キャクホン"),
            sex: 1 + u8::from(self.draw.below(2) == 1),
            birth: today.to_string(),
            ..parent
        })
    }
}

/// Everybody in a residents' CSV, and whether without nationality and alternative name.
fn rows(text: &str) -> Result<Vec<(Person, bool)>, PeopleError> {
    let mut reader = ReaderBuilder::new().from_reader(text.as_bytes());
    let mut all = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|_| PeopleError::NotOurs)?;
        let cell = |at: usize| record.get(at).unwrap_or_default().to_owned();
        let person = Person {
            code: cell(0),
            former_code: None,
            family: cell(1),
            given: cell(2),
            kana: format!("{}\u{3000}{}", cell(3), cell(4)),
            sex: cell(5).parse().map_err(|_| PeopleError::NotOurs)?,
            birth: cell(6),
            municipality: cell(7),
            address: cell(8),
        };
        all.push((person, cell(11).is_empty() && cell(12).is_empty()));
    }
    Ok(all)
}

/// Those whom name and date of birth single out, and whom every kind of query can name.
fn alone(all: Vec<(Person, bool)>) -> Vec<Person> {
    let plain = |person: &Person| format!("{}{}{}", person.family, person.given, person.birth);
    let mut seen = BTreeSet::new();
    let mut doubled = BTreeSet::new();
    for (person, _) in &all {
        if !seen.insert(plain(person)) {
            doubled.insert(plain(person));
        }
    }
    let fits = |person: &Person| {
        !doubled.contains(&plain(person))
            && !person.birth.contains("-00")
            && Query::parse(&person.query("name and date of birth")).is_ok()
            && Query::parse(&person.query("name and address")).is_ok()
    };
    all.into_iter().filter(|(person, ours)| *ours && fits(person)).map(|(one, _)| one).collect()
}

/// One in `one_of` of a residents' CSV, and of one crowded address one more than may be provided.
pub(crate) fn thinned(text: &str, one_of: usize) -> Result<String, PeopleError> {
    let crowd = crowd(&rows(text)?);
    let wanted = crowd.iter().take(PROVISION_PERSONS_MAX + 1);
    let wanted: BTreeSet<&str> = wanted.map(|person| person.code.as_str()).collect();
    let mut thin = String::new();
    for (at, line) in text.lines().enumerate() {
        let code = line.split(',').next().unwrap_or_default();
        if at % one_of == 0 || wanted.contains(code) {
            thin.push_str(line);
            thin.push('\n');
        }
    }
    Ok(thin)
}

fn crowd(all: &[(Person, bool)]) -> Vec<Person> {
    let mut by_key: BTreeMap<(char, &str), Vec<&Person>> = BTreeMap::new();
    for (person, _) in all {
        if let Some(first) = person.family.chars().next() {
            by_key.entry((first, person.address.as_str())).or_default().push(person);
        }
    }
    let crowd = by_key.into_values().find(|people| people.len() > PROVISION_PERSONS_MAX);
    crowd.unwrap_or_default().into_iter().cloned().collect()
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::population;

    /// Made once: most of the time of these tests.
    static RESIDENTS: LazyLock<String> = LazyLock::new(|| {
        let mut text = Vec::new();
        let municipalities = ["132152", "202029"].map(str::to_owned).to_vec();
        let options = population::Options { residents: 20_000, seed: 7, municipalities };
        population::generate(&options, &mut text, &mut |_| {}).unwrap();
        thinned(&String::from_utf8(text).unwrap(), 16).unwrap()
    });

    fn people(seed: u64) -> People {
        assert!((1_250..1_350).contains(&RESIDENTS.lines().count()));
        People::parse(&RESIDENTS, seed).unwrap()
    }

    #[test]
    fn the_seed_casts_the_parts_and_nobody_plays_two() {
        let cast = |seed| {
            let mut people = people(seed);
            (0..20).map(|_| people.take("132152").unwrap().code).collect::<Vec<_>>()
        };
        assert_eq!(cast(1), cast(1));
        assert_ne!(cast(1), cast(2));
        let once: BTreeSet<String> = cast(1).into_iter().collect();
        assert_eq!(once.len(), 20);
        assert!(people(1).take("131016").is_err());
    }

    #[test]
    fn a_row_and_every_query_of_a_person_is_lawful() {
        let mut people = people(1);
        let today = Date::parse("2026-11-22").unwrap();
        let child = people.child("132152", "12345678903", today).unwrap();
        child.row(ChangeReason::Born, today, None).unwrap().notice.check().unwrap();
        for keys in ["record code", "氏名と生年月日", "name and address"] {
            assert!(Query::parse(&child.query(keys)).is_ok(), "{keys}");
        }
        for keys in ["name alone", "name and municipality"] {
            assert!(Query::parse(&child.query(keys)).is_err(), "{keys}");
        }
        let crowd = people.crowd().unwrap();
        assert!(crowd.len() > PROVISION_PERSONS_MAX);
    }
}
