//! What is true: the residents, every change that happened to them, and the four municipal register
//! systems that tell their communication servers about it, in order, until it is acknowledged.
//!
//! This is the naive model the checkers compare the tiers with. It knows nothing of queues,
//! sequence counters at other nodes, or indexes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::LazyLock;

use law::change::{ChangeKind, ChangeNotice, ChangeReason};
use law::code::{LocalGovernmentCode, RecordCode};
use law::people::{Address, BirthDate, FourItems, IdentityInformation, Kana, Name, Sex};
use law::time::Date;

use super::SwarmError;
use super::country::{MUNICIPALITIES, PLACES, Place};
use crate::draw::Draw;
use crate::population;

/// Residents of each municipality at the start.
const RESIDENTS_PER_MUNICIPALITY: usize = 12;

/// Residents of the dormitory, where there is one: initial and address reach more than 50 persons.
const DORMITORY_PERSONS: usize = 56;

/// Rows of one feed batch.
pub(super) const FEED_BATCH_ROWS: usize = 16;

/// Each change gets a day of its own, so that a change can be told from every other one.
const FIRST_DAY: &str = "2021-01-01";
const DAYS_COUNT: i64 = 2_000;

/// Record codes that new residents get, above those of the pool.
const NEW_CODES_FIRST: u64 = 9_100_000_000;

/// A change that happened.
#[derive(Clone, Debug)]
pub(super) struct Deed {
    pub(super) person: usize,
    pub(super) place: Place,
    /// The register system's own number.
    pub(super) sequence: u64,
    pub(super) notice: ChangeNotice,
    /// The communication server said that it has it.
    pub(super) acknowledged: bool,
}

/// Somebody.
#[derive(Clone, Debug)]
pub(super) struct Person {
    /// Every code this person ever had, the present one last.
    pub(super) codes: Vec<RecordCode>,
    pub(super) deeds: Vec<usize>,
    pub(super) home: Option<Place>,
    pub(super) record: IdentityInformation,
    pub(super) dead: bool,
}

/// A municipal register system.
#[derive(Clone, Debug, Default)]
pub(super) struct Register {
    /// Deeds not acknowledged yet, oldest first.
    pub(super) waiting: VecDeque<usize>,
    pub(super) in_flight: bool,
    sequence: u64,
}

/// All residents and registers.
#[derive(Debug)]
pub(super) struct Nation {
    pub(super) persons: Vec<Person>,
    pub(super) deeds: Vec<Deed>,
    pub(super) registers: BTreeMap<Place, Register>,
    next_code: u64,
    first_day: Date,
    restless: bool,
}

/// Somebody who may be put into a nation.
struct Spare {
    code: RecordCode,
    items: FourItems,
}

/// Spare residents by municipality, made once per process.
static POOL: LazyLock<Option<BTreeMap<Place, Vec<Spare>>>> = LazyLock::new(|| pool().ok());

fn pool() -> Result<BTreeMap<Place, Vec<Spare>>, SwarmError> {
    let codes = MUNICIPALITIES.map(|place| municipality(place).map(|code| code.to_string()));
    let options = population::Options {
        residents: 800,
        seed: 1,
        municipalities: codes.into_iter().collect::<Option<_>>().ok_or(SwarmError::Country)?,
    };
    let mut csv = Vec::new();
    population::generate(&options, &mut csv, &mut |_| ())?;
    let mut pool: BTreeMap<Place, Vec<Spare>> = BTreeMap::new();
    for row in csv::Reader::from_reader(csv.as_slice()).records() {
        let row = row.map_err(|_| SwarmError::Country)?;
        let spare = spare(&row).ok_or(SwarmError::Country)?;
        let place = MUNICIPALITIES.into_iter().find(|place| {
            municipality(*place).is_some_and(|code| row.get(7) == Some(code.as_str()))
        });
        pool.entry(place.ok_or(SwarmError::Country)?).or_default().push(spare);
    }
    Ok(pool)
}

fn spare(row: &csv::StringRecord) -> Option<Spare> {
    let cell = |index: usize| row.get(index).unwrap_or("");
    let items = FourItems {
        name: Name::parse(&format!("{}\u{3000}{}", cell(1), cell(2))).ok()?,
        kana: Kana::parse(&format!("{}\u{3000}{}", cell(3), cell(4))).ok()?,
        address: Address::parse(cell(8)).ok()?,
        sex: Sex::from_code(cell(5).parse().ok()?).ok()?,
        birth: BirthDate::parse(cell(6)).ok()?,
    };
    Some(Spare { code: RecordCode::parse(cell(0)).ok()?, items })
}

/// Code of the municipality at a place.
pub(super) fn municipality(place: Place) -> Option<LocalGovernmentCode> {
    let (_, organ) = PLACES.get(place)?;
    LocalGovernmentCode::parse(organ.strip_prefix("municipality:")?).ok()
}

fn spares(place: Place) -> &'static [Spare] {
    POOL.as_ref().and_then(|pool| pool.get(&place)).map_or(&[], Vec::as_slice)
}

impl Nation {
    /// A nation with its first residents, all of them still to be told to their servers.
    pub(super) fn new(restless: bool, draw: &mut Draw) -> Result<Self, SwarmError> {
        let mut nation = Self {
            persons: Vec::new(),
            deeds: Vec::new(),
            registers: MUNICIPALITIES.map(|place| (place, Register::default())).into(),
            next_code: NEW_CODES_FIRST + u64::from(draw.below(1_000_000)) * 100,
            restless,
            first_day: Date::parse(FIRST_DAY).map_err(|_| SwarmError::Country)?,
        };
        for place in MUNICIPALITIES {
            let home = municipality(place).ok_or(SwarmError::Country)?;
            let from = usize::try_from(draw.below(100)).unwrap_or(0);
            for spare in spares(place).iter().skip(from).take(RESIDENTS_PER_MUNICIPALITY) {
                let items = spare.items.clone();
                let record = IdentityInformation {
                    code: spare.code,
                    items,
                    municipality: home,
                    other_names: law::people::OtherNames::default(),
                };
                nation.settle(place, record);
            }
        }
        if draw.permille(350) {
            nation.build_dormitory()?;
        }
        Ok(nation)
    }

    fn settle(&mut self, place: Place, record: IdentityInformation) {
        let codes = vec![record.code];
        let person = Person { codes, deeds: Vec::new(), home: None, record, dead: false };
        self.persons.push(person);
        let who = self.persons.len() - 1;
        self.happen(who, place, ChangeReason::EnteredExOfficio, None);
    }

    /// More than fifty people named NGUYEN and the like at one address.
    fn build_dormitory(&mut self) -> Result<(), SwarmError> {
        let place = MUNICIPALITIES[0];
        let home = municipality(place).ok_or(SwarmError::Country)?;
        let text = |error| SwarmError::Item(error);
        for nth in 0..DORMITORY_PERSONS {
            let (family, kana) =
                if nth % 9 == 0 { ("NGO", "ゴ") } else { ("NGUYEN", "グエン") };
            let code = self.new_code()?;
            let items = FourItems {
                name: Name::parse(&format!("{family} VAN {}", letters(nth))).map_err(text)?,
                kana: Kana::parse(&format!("{kana} ヴァン")).map_err(text)?,
                address: Address::parse("東京都国立市谷保99番1号").map_err(text)?,
                sex: Sex::Male,
                birth: BirthDate::parse(&format!("1998-{:02}-15", 1 + nth % 12)).map_err(text)?,
            };
            self.settle(
                place,
                IdentityInformation {
                    code,
                    items,
                    municipality: home,
                    other_names: law::people::OtherNames::default(),
                },
            );
        }
        Ok(())
    }

    fn new_code(&mut self) -> Result<RecordCode, SwarmError> {
        self.next_code += 1;
        RecordCode::from_ten_digits(self.next_code).map_err(|_| SwarmError::Country)
    }

    /// The day of the next change.
    fn today(&self) -> Option<Date> {
        let days = i64::try_from(self.deeds.len()).ok().filter(|days| *days < DAYS_COUNT)?;
        self.first_day.add_days(days).ok()
    }

    /// Something happens to a person as the record now stands; the register will tell its server.
    fn happen(
        &mut self,
        who: usize,
        place: Place,
        reason: ChangeReason,
        previous_code: Option<RecordCode>,
    ) {
        let (Some(changed_on), nth) = (self.today(), self.deeds.len()) else { return };
        let Some(person) = self.persons.get_mut(who) else { return };
        let Some(register) = self.registers.get_mut(&place) else { return };
        let record = person.record.clone();
        let notice = ChangeNotice { reason, changed_on, record, previous_code, foreign: false };
        register.sequence += 1;
        register.waiting.push_back(nth);
        person.deeds.push(nth);
        match reason.kind() {
            ChangeKind::Entry => person.home = Some(place),
            ChangeKind::Deletion if person.home == Some(place) => person.home = None,
            _ => {}
        }
        let sequence = register.sequence;
        self.deeds.push(Deed { person: who, place, sequence, notice, acknowledged: false });
    }

    /// One random change. `may(person, place)`: whether this place may change this person now.
    pub(super) fn live(
        &mut self,
        draw: &mut Draw,
        may: &dyn Fn(&Self, usize, Place) -> bool,
    ) -> Result<Option<ChangeReason>, SwarmError> {
        let Some(reason) = draw.pick(&ChangeReason::ALL).copied() else { return Ok(None) };
        let Some(place) = draw.pick(&MUNICIPALITIES).copied() else { return Ok(None) };
        let count = u32::try_from(self.persons.len()).unwrap_or(u32::MAX);
        let who = usize::try_from(draw.below(count)).unwrap_or(0);
        let Some(person) = self.persons.get(who).cloned() else { return Ok(None) };
        let done = match (reason.kind(), person.home) {
            _ if reason == ChangeReason::Born => self.birth(place, draw)?,
            _ if person.dead => false,
            (ChangeKind::Entry, Some(home)) if home != place => {
                may(self, who, home) && self.everything_told(who, home, may) && {
                    self.move_between(who, home, place, draw)?;
                    true
                }
            }
            (ChangeKind::Entry, None) if may(self, who, place) => {
                self.arrive(who, place, draw)?;
                self.happen(who, place, reason, None);
                true
            }
            (ChangeKind::Entry, _) | (_, None) => false,
            (kind, Some(home)) if may(self, who, home) => {
                self.change_at_home(who, home, reason, kind, draw)?;
                true
            }
            _ => false,
        };
        Ok(done.then_some(reason))
    }

    /// A mover's former changes must be known everywhere, whichever place made them.
    fn everything_told(
        &self,
        who: usize,
        home: Place,
        may: &dyn Fn(&Self, usize, Place) -> bool,
    ) -> bool {
        let elsewhere = MUNICIPALITIES.into_iter().find(|place| *place != home);
        elsewhere.is_some_and(|place| may(self, who, place))
    }

    fn birth(&mut self, place: Place, draw: &mut Draw) -> Result<bool, SwarmError> {
        let Some(today) = self.today() else { return Ok(false) };
        let Some(model) = draw.pick(spares(place)) else { return Ok(false) };
        let birth = BirthDate::parse(&today.to_string()).map_err(SwarmError::Item)?;
        let items = FourItems { birth, ..model.items.clone() };
        let home = municipality(place).ok_or(SwarmError::Country)?;
        let record = IdentityInformation {
            code: self.new_code()?,
            items,
            municipality: home,
            other_names: law::people::OtherNames::default(),
        };
        let codes = vec![record.code];
        self.persons.push(Person { codes, deeds: Vec::new(), home: None, record, dead: false });
        self.happen(self.persons.len() - 1, place, ChangeReason::Born, None);
        Ok(true)
    }

    /// 転出 and 転入: two municipalities, two notices, no order between them. The planned day of moving
    /// out may be later than the day of moving in (令30条の5: 転出の予定年月日).
    fn move_between(
        &mut self,
        who: usize,
        from: Place,
        to: Place,
        draw: &mut Draw,
    ) -> Result<(), SwarmError> {
        let planned_later = self.restless && draw.permille(400);
        let stood = self.persons.get(who).map(|person| person.record.clone());
        if !planned_later {
            self.happen(who, from, ChangeReason::MovedOut, None);
        }
        self.arrive(who, to, draw)?;
        self.happen(who, to, ChangeReason::MovedIn, None);
        if planned_later && let (Some(stood), Some(person)) = (stood, self.persons.get_mut(who)) {
            let stands = std::mem::replace(&mut person.record, stood);
            self.happen(who, from, ChangeReason::MovedOut, None);
            if let Some(person) = self.persons.get_mut(who) {
                person.record = stands;
            }
        }
        Ok(())
    }

    /// The record as the new municipality writes it.
    fn arrive(&mut self, who: usize, place: Place, draw: &mut Draw) -> Result<(), SwarmError> {
        let code = municipality(place).ok_or(SwarmError::Country)?;
        if let (Some(person), Some(other)) = (self.persons.get_mut(who), draw.pick(spares(place))) {
            person.record.municipality = code;
            person.record.items.address = other.items.address.clone();
        }
        Ok(())
    }

    fn change_at_home(
        &mut self,
        who: usize,
        home: Place,
        reason: ChangeReason,
        kind: ChangeKind,
        draw: &mut Draw,
    ) -> Result<(), SwarmError> {
        let mut previous = None;
        match kind {
            // No number is held, so none changes.
            ChangeKind::Number => {}
            ChangeKind::Code => {
                let code = self.new_code()?;
                if let Some(person) = self.persons.get_mut(who) {
                    previous = Some(person.record.code);
                    person.record.code = code;
                    person.codes.push(code);
                }
            }
            ChangeKind::Correction if reason == ChangeReason::MovedWithin => {
                self.arrive(who, home, draw)?;
            }
            ChangeKind::Correction => {
                if let (Some(person), Some(other)) =
                    (self.persons.get_mut(who), draw.pick(spares(home)))
                {
                    person.record.items.name = other.items.name.clone();
                    person.record.items.kana = other.items.kana.clone();
                }
            }
            ChangeKind::Deletion if reason == ChangeReason::Died => {
                if let Some(person) = self.persons.get_mut(who) {
                    person.dead = true;
                }
            }
            ChangeKind::Deletion | ChangeKind::Entry => {}
        }
        self.happen(who, home, reason, previous);
        Ok(())
    }

    /// The deeds of a person at one place, in order.
    pub(super) fn deeds_at(&self, who: usize, places: &[Place]) -> Vec<&Deed> {
        let deeds = self.persons.get(who).map_or(&[][..], |person| person.deeds.as_slice());
        deeds
            .iter()
            .filter_map(|nth| self.deeds.get(*nth))
            .filter(|deed| places.contains(&deed.place))
            .collect()
    }

    /// What happened to a person, for a report: places, reasons and days, nothing personal.
    pub(super) fn story(&self, who: usize) -> String {
        let deeds = self.deeds_at(who, &MUNICIPALITIES);
        let told = deeds.iter().map(|deed| {
            let (reason, on) = (deed.notice.reason.key(), deed.notice.changed_on);
            format!("{} {reason} {on}", deed.place)
        });
        told.collect::<Vec<_>>().join(", ")
    }

    /// What a tier over `places` must hold about a person once everything has arrived.
    pub(super) fn stands(&self, who: usize, places: &[Place]) -> Option<&Deed> {
        let home = self.persons.get(who)?.home.filter(|home| places.contains(home));
        let within = home.map_or_else(|| places.to_vec(), |home| vec![home]);
        self.deeds_at(who, &within).last().copied()
    }
}

/// A few letters that differ for each number.
fn letters(nth: usize) -> String {
    let letter = |n: usize| char::from(b'A' + u8::try_from(n % 26).unwrap_or(0));
    [letter(nth / 26), letter(nth), letter(nth * 7 + 3)].into_iter().collect()
}
