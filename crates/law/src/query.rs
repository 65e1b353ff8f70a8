//! What may be asked (S1: 照会条件の限定): record code, name and address, or name and date of birth,
//! with a prefix never shorter than the lawful minimum. Not who may ask (`inquiry`).
//!
//! A query names the index entries it needs ([`Query::probes`]) and judges each person found there
//! ([`Query::matches`]). A store therefore needs no other index, and has none to browse.

use std::fmt;

use crate::code::RecordCode;
use crate::denial::Denial;
use crate::fold::{FoldedAddress, fold_name};
use crate::people::{ADDRESS_LENGTH_CHARS_MAX, BirthDate, IdentityInformation};
use crate::people::{NAME_LENGTH_CHARS_MAX, is_forbidden};
use crate::time::parse_wareki;

/// S1: 「該当者が50人を超えるときは本人確認情報の提供を受けられない」. Counted after folding.
pub const PROVISION_PERSONS_MAX: usize = 50;

/// Stands between the parts of an index text; no item can hold it.
const SEPARATOR: char = '\u{1F}';

/// What was typed, before anything is known about it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct QueryDraft {
    pub code: Option<String>,
    pub name: Option<String>,
    pub address: Option<String>,
    pub birth: Option<String>,
    pub prefix: bool,
}

impl fmt::Debug for QueryDraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QueryDraft(…)")
    }
}

/// The three lawful combinations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QueryMode {
    Code,
    NameAddress,
    NameBirth,
}

impl QueryMode {
    pub const ALL: [Self; 3] = [Self::Code, Self::NameAddress, Self::NameBirth];

    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::NameAddress => "name-address",
            Self::NameBirth => "name-birth",
        }
    }

    #[must_use]
    pub fn parse(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.key() == key)
    }
}

/// The six lawful search keys. The numbers are stored with the index digests and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum IndexKind {
    Code = 1,
    NameBirth = 2,
    NameAddress = 3,
    InitialAddress = 4,
    NameTown = 5,
    InitialBirth = 6,
}

impl IndexKind {
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

/// One key of the index in folded form. Personal: a store keeps only a keyed digest of it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Probe {
    pub kind: IndexKind,
    pub text: String,
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Probe({:?}, …)", self.kind)
    }
}

impl Probe {
    fn of(kind: IndexKind, left: &str, right: &str) -> Self {
        Self { kind, text: format!("{left}{SEPARATOR}{right}") }
    }
}

/// A lawful query. The fields are private: one that breaks a minimum cannot be made.
pub struct Query {
    form: Form,
    prefix: bool,
}

enum Form {
    Code(RecordCode),
    NameAddress { name: String, address: FoldedAddress },
    NameBirth { name: String, birth: BirthDate },
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Query({}, prefix: {}, …)", self.mode().key(), self.prefix)
    }
}

impl Query {
    /// Reads a draft; refuses with [`Denial::QueryShape`] what is none of the three combinations
    /// and with [`Denial::PrefixTooShort`] what is a combination below the minimum.
    pub fn parse(draft: &QueryDraft) -> Result<Self, Denial> {
        let prefix = draft.prefix;
        let form = match (&draft.code, &draft.name, &draft.address, &draft.birth) {
            (Some(code), None, None, None) if !prefix => {
                Form::Code(RecordCode::parse(code.trim()).map_err(|_| Denial::QueryShape)?)
            }
            (None, Some(name), Some(address), None) => Form::NameAddress {
                name: name_key(name, prefix)?,
                address: address_key(address, prefix)?,
            },
            (None, Some(name), None, Some(birth)) => {
                Form::NameBirth { name: name_key(name, prefix)?, birth: birth_key(birth, prefix)? }
            }
            _ => return Err(Denial::QueryShape),
        };
        Ok(Self { form, prefix })
    }

    #[must_use]
    pub fn mode(&self) -> QueryMode {
        match self.form {
            Form::Code(_) => QueryMode::Code,
            Form::NameAddress { .. } => QueryMode::NameAddress,
            Form::NameBirth { .. } => QueryMode::NameBirth,
        }
    }

    #[must_use]
    pub fn is_prefix(&self) -> bool {
        self.prefix
    }

    /// The index entries under which every matching person stands.
    #[must_use]
    pub fn probes(&self) -> Vec<Probe> {
        use IndexKind::{Code, InitialAddress, InitialBirth, NameAddress, NameBirth, NameTown};
        match (&self.form, self.prefix) {
            (Form::Code(code), _) => {
                vec![Probe { kind: Code, text: code.expose().to_owned() }]
            }
            (Form::NameBirth { name, birth }, false) => {
                vec![Probe::of(NameBirth, name, &birth.expose())]
            }
            (Form::NameBirth { name, birth }, true) => {
                vec![Probe::of(InitialBirth, &initial(name), &birth.expose())]
            }
            (Form::NameAddress { name, address }, false) => {
                vec![Probe::of(NameAddress, name, &whole_key(address))]
            }
            (Form::NameAddress { name, address }, true) => {
                let mut probes =
                    vec![Probe::of(InitialAddress, &initial(name), &whole_key(address))];
                for open in open_forms(address) {
                    let probe = Probe::of(NameTown, name, &initial(open));
                    if !probes.contains(&probe) {
                        probes.push(probe);
                    }
                }
                probes
            }
        }
    }

    /// Whether this query asks for this person, on the folded forms of both. The four items are
    /// taken as they are; whether the person may be told about is the permit's to say.
    #[must_use]
    pub fn matches(&self, person: &IdentityInformation) -> bool {
        names_of(person).any(|stored_name| self.matches_as(person, &stored_name))
    }

    /// [`Self::matches`] for one of the person's names, folded.
    fn matches_as(&self, person: &IdentityInformation, stored_name: &str) -> bool {
        let items = &person.items;
        match &self.form {
            Form::Code(code) => *code == person.code,
            Form::NameBirth { name, birth } => {
                *birth == items.birth && name_fits(name, stored_name, self.prefix)
            }
            Form::NameAddress { name, address } => {
                let stored = FoldedAddress::of(items.address.expose());
                if !compatible(address.prefecture, stored.prefecture) {
                    return false;
                }
                let whole = address.municipality == stored.municipality
                    && address.whole == stored.whole
                    && name_fits(name, stored_name, self.prefix);
                whole || self.prefix && *name == stored_name && begins(address, &stored)
            }
        }
    }
}

/// The name, and the alternative name of a foreign resident: 「氏名又は通称」 (令30条の26第7項).
fn names_of(person: &IdentityInformation) -> impl Iterator<Item = String> {
    let alternative = person.other_names.alternative.as_ref();
    std::iter::once(&person.items.name).chain(alternative).map(|name| fold_name(name.expose()))
}

fn name_fits(asked: &str, stored: &str, prefix: bool) -> bool {
    if prefix { stored.starts_with(asked) } else { stored == asked }
}

/// A part of the address that one side leaves out does not contradict the other side.
fn compatible(asked: Option<&str>, stored: Option<&str>) -> bool {
    match (asked, stored) {
        (Some(asked), Some(stored)) => asked == stored,
        _ => true,
    }
}

/// The stored address begins with the asked one: a municipality that was asked for is this one, and
/// what follows it begins alike. So 東京都国 never reaches into the name 国立市.
fn begins(asked: &FoldedAddress, stored: &FoldedAddress) -> bool {
    (asked.municipality.is_none() || asked.municipality == stored.municipality)
        && open_forms(asked).any(|open| stored.whole.starts_with(open))
}

fn open_forms(address: &FoldedAddress) -> impl Iterator<Item = &str> {
    std::iter::once(address.open.as_str()).chain(address.open_as_number.as_deref())
}

fn whole_key(address: &FoldedAddress) -> String {
    address.municipality_key() + &address.whole
}

fn initial(text: &str) -> String {
    text.chars().take(1).collect()
}

/// A text that could stand in a record at all: bounded, without invisible characters.
fn typed(text: &str, max: usize) -> Result<&str, Denial> {
    if text.chars().take(max + 1).count() > max || text.chars().any(is_forbidden) {
        return Err(Denial::QueryShape);
    }
    Ok(text.trim())
}

/// S1: 「氏名の先頭一文字」. The first character must be a letter of some script: a mark, a sign or a
/// wildcard is no beginning of a name.
fn name_key(text: &str, prefix: bool) -> Result<String, Denial> {
    let key = fold_name(typed(text, NAME_LENGTH_CHARS_MAX)?);
    if key.is_empty() {
        return Err(Denial::QueryShape);
    }
    if prefix && !key.starts_with(char::is_alphanumeric) {
        return Err(Denial::PrefixTooShort);
    }
    if key.chars().any(char::is_alphanumeric) { Ok(key) } else { Err(Denial::QueryShape) }
}

/// S1: 「住所の都道府県・市町村名を除いた先頭一文字」. Prefecture and municipality alone are no address.
fn address_key(text: &str, prefix: bool) -> Result<FoldedAddress, Denial> {
    let text = typed(text, ADDRESS_LENGTH_CHARS_MAX)?;
    if text.is_empty() {
        return Err(Denial::QueryShape);
    }
    let address = FoldedAddress::of(text);
    if !address.open.starts_with(char::is_alphanumeric) {
        return Err(if prefix { Denial::PrefixTooShort } else { Denial::QueryShape });
    }
    Ok(address)
}

/// S1: 「生年月日全部」. An exact query may repeat a recorded unknown (1930-00-00), which equals only
/// itself; a prefix query needs the whole date.
fn birth_key(text: &str, prefix: bool) -> Result<BirthDate, Denial> {
    let text = text.trim();
    let birth = match BirthDate::parse(text) {
        Ok(birth) => birth,
        Err(_) => BirthDate::from(parse_wareki(text).map_err(|_| Denial::QueryShape)?),
    };
    if prefix && !birth.is_whole() { Err(Denial::PrefixTooShort) } else { Ok(birth) }
}

/// What a store indexes for a person: a query finds the person iff one of its probes is here and
/// [`Query::matches`] agrees.
#[must_use]
pub fn terms(person: &IdentityInformation) -> Vec<Probe> {
    let address = FoldedAddress::of(person.items.address.expose());
    let birth = person.items.birth.expose();
    let (whole, town) = (whole_key(&address), initial(&address.whole));
    let mut terms = Vec::with_capacity(6);
    terms.push(Probe { kind: IndexKind::Code, text: person.code.expose().to_owned() });
    for name in names_of(person) {
        let first = initial(&name);
        let of_name = [
            Probe::of(IndexKind::NameBirth, &name, &birth),
            Probe::of(IndexKind::NameAddress, &name, &whole),
            Probe::of(IndexKind::InitialAddress, &first, &whole),
            Probe::of(IndexKind::NameTown, &name, &town),
            Probe::of(IndexKind::InitialBirth, &first, &birth),
        ];
        // Two names with one initial have some terms in common; each is kept once.
        let fresh = of_name.into_iter().filter(|term| !terms.contains(term)).collect::<Vec<_>>();
        terms.extend(fresh);
    }
    terms
}

/// How far one lawful combination has been typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModeMeter {
    pub mode: QueryMode,
    pub reached: bool,
    /// Keys of what is missing: `code`, `name`, `address`, `birth`.
    pub missing: Vec<&'static str>,
}

/// The legal meter of the inquiry page: each combination, reached or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meter {
    pub modes: [ModeMeter; 3],
}

impl Meter {
    #[must_use]
    pub fn of(&self, mode: QueryMode) -> Option<&ModeMeter> {
        self.modes.iter().find(|meter| meter.mode == mode)
    }
}

/// Measures a draft against each combination by itself: fields of the others are not looked at.
#[must_use]
pub fn meter(draft: &QueryDraft) -> Meter {
    let prefix = draft.prefix;
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    let code = !prefix && RecordCode::parse(text(&draft.code).trim()).is_ok();
    let name = name_key(&text(&draft.name), prefix).is_ok();
    let address = address_key(&text(&draft.address), prefix).is_ok();
    let birth = birth_key(&text(&draft.birth), prefix).is_ok();
    Meter {
        modes: [
            mode_meter(QueryMode::Code, &[("code", code)]),
            mode_meter(QueryMode::NameAddress, &[("name", name), ("address", address)]),
            mode_meter(QueryMode::NameBirth, &[("name", name), ("birth", birth)]),
        ],
    }
}

fn mode_meter(mode: QueryMode, parts: &[(&'static str, bool)]) -> ModeMeter {
    let missing: Vec<_> = parts.iter().filter(|(_, there)| !there).map(|(key, _)| *key).collect();
    ModeMeter { mode, reached: missing.is_empty(), missing }
}
