//! The residents that were loaded, the mix of inquiries about them, and the oracle: what an answer
//! must hold, found without the network's own search.

use std::collections::HashMap;
use std::path::Path;

use law::change::{ChangeNotice, ChangeReason};
use law::code::{LocalGovernmentCode, RecordCode};
use law::fold::{fold_address_whole, fold_name};
use law::inquiry::ProvidedPerson;
use law::people::{Address, BirthDate, FourItems, IdentityInformation, Kana, Name, Sex};
use law::query::{PROVISION_PERSONS_MAX, QueryDraft};
use law::time::Date;

use super::BenchError;
use super::cascade::Plain;
use crate::draw::Draw;
use crate::live::files;

/// Separates the mix from every other use of a seed.
const MIX_LABEL: [u8; 24] = *b"jukinet bench mix/1\0\0\0\0\0";
/// Of a thousand inquiries: by code, by name and birth date; the rest by name and address.
const BY_CODE_PERMILLE: u32 = 700;
const BY_NAME_BIRTH_PERMILLE: u32 = 200;

/// One line of the residents' file.
struct Resident {
    code: String,
    name: String,
    kana: String,
    sex: String,
    birth: String,
    municipality: String,
    address: String,
}

/// Everybody, with the keys that inquiries may use.
pub(crate) struct People {
    residents: Vec<Resident>,
    by_name_birth: HashMap<(String, String), Vec<usize>>,
    by_name_address: HashMap<(String, String), Vec<usize>>,
}

/// An inquiry and the persons who must be in its answer.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) query: QueryDraft,
    pub(crate) expected: Vec<usize>,
}

impl People {
    /// Reads a residents' CSV.
    pub(crate) fn read(path: &Path) -> Result<Self, BenchError> {
        Self::parse(files::open(path)?)
    }

    pub(super) fn parse(source: impl std::io::Read) -> Result<Self, BenchError> {
        let fault = |error: csv::Error| BenchError::Residents(error.to_string());
        let mut residents = Vec::new();
        for record in csv::Reader::from_reader(source).records() {
            let record = record.map_err(fault)?;
            let cell = |at: usize| record.get(at).unwrap_or_default();
            let joined = |family: usize, given: usize| match (cell(family), cell(given)) {
                (one, "") | ("", one) => one.to_owned(),
                (family, given) => format!("{family}\u{3000}{given}"),
            };
            residents.push(Resident {
                code: cell(0).to_owned(),
                name: joined(1, 2),
                kana: joined(3, 4),
                sex: cell(5).to_owned(),
                birth: cell(6).to_owned(),
                municipality: cell(7).to_owned(),
                address: cell(8).to_owned(),
            });
        }
        if residents.is_empty() {
            return Err(BenchError::Residents("nobody is in it".to_owned()));
        }
        let mut people =
            Self { residents, by_name_birth: HashMap::new(), by_name_address: HashMap::new() };
        for (index, resident) in people.residents.iter().enumerate() {
            let (birth, address) = (resident.name_birth(), resident.name_address());
            people.by_name_birth.entry(birth).or_default().push(index);
            people.by_name_address.entry(address).or_default().push(index);
        }
        Ok(people)
    }

    /// Places of the residents of one municipality.
    pub(crate) fn of(&self, municipality: &str) -> Vec<usize> {
        let lives = |(_, resident): &(usize, &Resident)| resident.municipality == municipality;
        self.residents.iter().enumerate().filter(lives).map(|(index, _)| index).collect()
    }

    /// The mix of B1: the same seed asks the same things in the same order.
    pub(crate) fn mix(&self, seed: u64, stream: u64, count: usize) -> Vec<Asked> {
        let mut draw = Draw::new(MIX_LABEL, seed, stream);
        (0..count).filter_map(|_| self.one(&mut draw)).collect()
    }

    fn one(&self, draw: &mut Draw) -> Option<Asked> {
        let kind = draw.below(1_000);
        loop {
            let index = draw.below(u32::try_from(self.residents.len()).ok()?);
            let index = usize::try_from(index).ok()?;
            let asked = if kind < BY_CODE_PERMILLE {
                self.by_code(index)
            } else if kind < BY_CODE_PERMILLE + BY_NAME_BIRTH_PERMILLE {
                self.by_name_birth(index)
            } else {
                self.by_name_address(index)
            };
            // Partly known births cannot be asked for, and more than fifty are refused.
            if let Some(asked) = asked
                && asked.expected.len() <= PROVISION_PERSONS_MAX
            {
                return Some(asked);
            }
        }
    }

    /// An inquiry by code.
    pub(crate) fn by_code(&self, index: usize) -> Option<Asked> {
        let code = self.residents.get(index)?.code.clone();
        Some(Asked { query: draft(Some(code), None, None, None), expected: vec![index] })
    }

    fn by_name_birth(&self, index: usize) -> Option<Asked> {
        let resident = self.residents.get(index)?;
        let (name, birth) = (resident.name.clone(), resident.birth.clone());
        let expected = self.by_name_birth.get(&resident.name_birth())?.clone();
        let whole = !birth.contains("-00");
        whole.then(|| Asked { query: draft(None, Some(name), None, Some(birth)), expected })
    }

    fn by_name_address(&self, index: usize) -> Option<Asked> {
        let resident = self.residents.get(index)?;
        let (name, address) = (resident.name.clone(), resident.address.clone());
        let expected = self.by_name_address.get(&resident.name_address())?.clone();
        Some(Asked { query: draft(None, Some(name), Some(address), None), expected })
    }

    /// Whether an answer holds exactly the expected persons, item by item.
    pub(crate) fn agrees(&self, expected: &[usize], answer: &[ProvidedPerson]) -> bool {
        let mut left: Vec<&Resident> =
            expected.iter().filter_map(|index| self.residents.get(*index)).collect();
        left.len() == answer.len()
            && answer.iter().all(|person| {
                let found = left.iter().position(|resident| resident.is(person));
                found.map(|at| left.swap_remove(at)).is_some()
            })
    }

    /// Whether plain rows (code, name, kana, address, sex, birth) are exactly the expected persons.
    pub(crate) fn agrees_plainly(&self, expected: &[usize], answer: &[[String; 6]]) -> bool {
        let row = |index: &usize| {
            let Resident { code, name, kana, address, sex, birth, .. } =
                self.residents.get(*index)?;
            Some([code, name, kana, address, sex, birth].map(Clone::clone))
        };
        let mut wanted: Vec<[String; 6]> = expected.iter().filter_map(row).collect();
        let mut found = answer.to_vec();
        wanted.sort_unstable();
        found.sort_unstable();
        wanted == found
    }

    /// How many they are.
    pub(crate) fn count(&self) -> usize {
        self.residents.len()
    }

    /// The notice by which a resident is entered at first, and the address.
    pub(crate) fn enters(&self, index: usize) -> Result<(ChangeNotice, String), BenchError> {
        let odd = || BenchError::Residents("a line is no resident".to_owned());
        let resident = self.residents.get(index).ok_or_else(odd)?;
        let record = resident.identity(&resident.address).ok_or_else(odd)?;
        let first = Date::parse("2002-08-05").map_err(|_| odd())?;
        let changed_on = record.items.birth.date().map_or(first, |born| born.max(first));
        let reason = ChangeReason::EnteredExOfficio;
        let notice =
            ChangeNotice { reason, changed_on, record, previous_code: None, foreign: false };
        Ok((notice, resident.address.clone()))
    }

    /// The notice of a removal within the municipality, and the address it leads to.
    pub(crate) fn moves(
        &self,
        index: usize,
        round: u32,
        on: Date,
    ) -> Result<(ChangeNotice, String), BenchError> {
        let resident = self.residents.get(index);
        let resident = resident.ok_or_else(|| BenchError::Residents("no such line".to_owned()))?;
        let home = resident.address.split('\u{3000}').next().unwrap_or_default();
        let address = format!("{home}\u{3000}ベンチ荘{round}号室");
        let record = resident.identity(&address);
        let record = record.ok_or_else(|| BenchError::Residents("a line is no resident".into()))?;
        let reason = ChangeReason::MovedWithin;
        Ok((
            ChangeNotice { reason, changed_on: on, record, previous_code: None, foreign: false },
            address,
        ))
    }

    /// A resident as plain cells: name, kana, address, sex, birth, municipality.
    pub(crate) fn plain(&self, index: usize) -> Option<Plain> {
        let Resident { code, name, kana, sex, birth, municipality, address } =
            self.residents.get(index)?;
        let cells = [name, kana, address, sex, birth, municipality].map(Clone::clone);
        Some(Plain { code: code.clone(), cells })
    }

    /// Takes note of a removal, for the oracle of inquiries by code.
    pub(crate) fn moved(&mut self, index: usize, address: String) {
        if let Some(resident) = self.residents.get_mut(index) {
            resident.address = address;
        }
    }
}

fn draft(
    code: Option<String>,
    name: Option<String>,
    address: Option<String>,
    birth: Option<String>,
) -> QueryDraft {
    QueryDraft { code, name, address, birth, prefix: false }
}

impl Resident {
    fn name_birth(&self) -> (String, String) {
        (fold_name(&self.name), self.birth.clone())
    }

    fn name_address(&self) -> (String, String) {
        (fold_name(&self.name), fold_address_whole(&self.address))
    }

    fn is(&self, person: &ProvidedPerson) -> bool {
        person.code.as_ref().is_some_and(|code| code.expose() == self.code)
            && person.name.expose() == self.name
            && person.kana.expose() == self.kana
            && person.address.expose() == self.address
            && person.sex.code().to_string() == self.sex
            && person.birth.expose() == self.birth
    }

    fn identity(&self, address: &str) -> Option<IdentityInformation> {
        Some(IdentityInformation {
            code: RecordCode::parse(&self.code).ok()?,
            items: FourItems {
                name: Name::parse(&self.name).ok()?,
                kana: Kana::parse(&self.kana).ok()?,
                address: Address::parse(address).ok()?,
                sex: Sex::from_code(self.sex.parse().ok()?).ok()?,
                birth: BirthDate::parse(&self.birth).ok()?,
            },
            municipality: LocalGovernmentCode::parse(&self.municipality).ok()?,
            other_names: law::people::OtherNames::default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::population::{Options, generate};

    fn people() -> People {
        let municipalities = vec!["132152".to_owned()];
        let options = Options { residents: 600, seed: 5, municipalities };
        let mut bytes = Vec::new();
        generate(&options, &mut bytes, &mut |_| ()).unwrap();
        People::parse(bytes.as_slice()).unwrap()
    }

    fn provided(people: &People, index: usize) -> ProvidedPerson {
        let resident = &people.residents[index];
        let IdentityInformation { code, items, .. } = resident.identity(&resident.address).unwrap();
        let FourItems { name, kana, address, sex, birth } = items;
        ProvidedPerson::received(Some(code), name, kana, address, sex, birth, None)
    }

    #[test]
    fn the_oracle_takes_the_right_answer_and_nothing_else() {
        let people = people();
        let (first, second) = (provided(&people, 0), provided(&people, 1));
        assert!(people.agrees(&[0, 1], &[second.clone(), first.clone()]));
        assert!(people.agrees(&[], &[]));
        assert!(!people.agrees(&[0], &[]));
        assert!(!people.agrees(&[0], std::slice::from_ref(&second)));
        assert!(!people.agrees(&[0, 1], &[first.clone(), first.clone()]));
        let plain = |index: usize| {
            let Plain { code, cells: [name, kana, address, sex, birth, _] } =
                people.plain(index).unwrap();
            [code, name, kana, address, sex, birth]
        };
        assert!(people.agrees_plainly(&[0, 1], &[plain(1), plain(0)]));
        assert!(!people.agrees_plainly(&[0, 1], &[plain(0)]));
        let mut wrong = plain(0);
        wrong[3].push('号');
        assert!(!people.agrees_plainly(&[0], &[wrong]));
        let mut elsewhere = first;
        // Not the neighbour's address: they may live together.
        elsewhere.address = Address::parse("東京都千代田区千代田一番一号").unwrap();
        assert!(!people.agrees(&[0], &[elsewhere]));
    }

    #[test]
    fn the_mix_repeats_and_keeps_its_shares() {
        let people = people();
        let mix = people.mix(1, 1, 4_000);
        let again = people.mix(1, 1, 4_000);
        let code = |asked: &Asked| asked.query.code.clone();
        assert!(mix.iter().map(code).eq(again.iter().map(code)));
        assert!(!mix.iter().map(code).eq(people.mix(2, 1, 4_000).iter().map(code)));
        let share = |keep: fn(&QueryDraft) -> bool| {
            mix.iter().filter(|asked| keep(&asked.query)).count() * 1_000 / mix.len()
        };
        assert!((670..730).contains(&share(|query| query.code.is_some())));
        assert!((170..230).contains(&share(|query| query.birth.is_some())));
        assert!((80..120).contains(&share(|query| query.address.is_some())));
        assert!(mix.iter().all(|asked| !asked.expected.is_empty()));
    }

    #[test]
    fn a_removal_is_a_lawful_notice_and_the_oracle_follows_it() {
        let mut people = people();
        let today = Date::parse("2026-11-22").unwrap();
        let (notice, address) = people.moves(3, 2, today).unwrap();
        assert!(notice.check().is_ok());
        assert!(!people.agrees(&[3], &[with_address(&people, 3, &address)]));
        people.moved(3, address.clone());
        assert!(people.agrees(&[3], &[with_address(&people, 3, &address)]));
        let (_, third) = people.moves(3, 3, today).unwrap();
        assert_eq!(third.matches("ベンチ荘").count(), 1, "a second removal replaces the first");
    }

    fn with_address(people: &People, index: usize, address: &str) -> ProvidedPerson {
        let mut person = provided(people, index);
        person.address = Address::parse(address).unwrap();
        person
    }
}
