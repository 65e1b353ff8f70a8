//! What is true: the residents, every change that happened to them, and the four municipal register
//! systems that tell their communication servers about it, in order, until it is acknowledged.
//!
//! This is the naive model the checkers compare the tiers with. It knows nothing of queues,
//! sequence counters at other nodes, or indexes.

use std::collections::{BTreeMap, BTreeSet};

use law::change::{ChangeKind, ChangeNotice, ChangeReason};
use law::code::{LocalGovernmentCode, RecordCode};
use law::people::{Address, BirthDate, FourItems, IdentityInformation, Kana, Name, Sex};
use law::time::Date;
use wire::FeedRow;

use super::SwarmError;
use super::country::{MUNICIPALITIES, PLACES, Place};
use super::register::Register;
use super::spare::spares;
use crate::draw::Draw;

/// Residents of each municipality at the start.
const RESIDENTS_PER_MUNICIPALITY: usize = 12;

/// Residents of the dormitory, where there is one: initial and address reach more than 50 persons.
const DORMITORY_PERSONS: usize = 56;

/// Rows of one feed batch.
pub(super) const FEED_BATCH_ROWS: usize = 16;

/// Each change gets a day of its own, so that a change can be told from every other one.
const FIRST_DAY: &str = "2021-01-01";
const DAYS_COUNT: i64 = 2_000;

/// Of a thousand moves, those whose moving-out is filed only after the moving-in.
const LATE_PERMILLE: u32 = 350;

/// Chance, at each act, that one of those is filed at last.
const FILED_PERMILLE: u32 = 60;

/// Reasons of the founding epoch.
const REASONS: [ChangeReason; 11] = [
    ChangeReason::MovedIn,
    ChangeReason::Born,
    ChangeReason::EnteredExOfficio,
    ChangeReason::MovedOut,
    ChangeReason::Died,
    ChangeReason::DeletedExOfficio,
    ChangeReason::MovedWithin,
    ChangeReason::CorrectedExOfficio,
    ChangeReason::CodeChangedOnRequest,
    ChangeReason::CodeEnteredExOfficio,
    ChangeReason::MinorCorrection,
];

/// Begins the names of residents whose trace is followed: nobody else's name has it.
pub(super) const CANARY_MARK: &str = "龗";

/// What follows it, and how many of each municipality's first residents have one.
const CANARY_LETTERS: [&str; 8] = ["甲", "乙", "丙", "丁", "戊", "己", "庚", "辛"];
const CANARIES_PER_MUNICIPALITY: usize = 2;

/// Record codes of the dormitory's residents, above those of the population.
const NEW_CODES_FIRST: u64 = 9_100_000_000;

/// A change that happened.
#[derive(Clone, Debug)]
pub(super) struct Deed {
    pub(super) person: usize,
    pub(super) place: Place,
    /// The register system's own number.
    pub(super) sequence: u64,
    pub(super) notice: ChangeNotice,
    /// With a moving-in from another municipality: that one.
    pub(super) former: Option<Place>,
    /// It was sent back once and goes without its number since: the number was passed.
    pub(super) renumbered: bool,
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
    /// Where the last deletion was recorded, while nobody has entered this person since.
    left: Option<Place>,
    /// The moving-out is not filed yet, though the person lives elsewhere.
    leaving: bool,
    /// Somebody made a mistake about this person; nothing else happens until it is found.
    pub(super) frozen: bool,
    /// Where a wrong filing about this person lies.
    pub(super) barred: Vec<Place>,
    /// The marked name that this person began with.
    pub(super) mark: Option<String>,
}

impl Person {
    fn new(record: IdentityInformation) -> Self {
        let name = record.items.name.expose();
        let marked = name.starts_with(CANARY_MARK);
        let mark = marked.then(|| name.chars().take_while(|c| c.is_alphanumeric()).collect());
        Self {
            mark,
            codes: vec![record.code],
            deeds: Vec::new(),
            home: None,
            record,
            dead: false,
            left: None,
            leaving: false,
            frozen: false,
            barred: Vec::new(),
        }
    }
}

/// A moving-out that will be filed late.
#[derive(Clone, Debug)]
struct Late {
    who: usize,
    from: Place,
    /// As it stood there.
    record: IdentityInformation,
    /// The moving-in that it should have come before.
    before: usize,
}

/// All residents and registers.
#[derive(Debug)]
pub(super) struct Nation {
    pub(super) persons: Vec<Person>,
    pub(super) deeds: Vec<Deed>,
    pub(super) registers: BTreeMap<Place, Register>,
    /// Filings that are not true.
    pub(super) wrong: Vec<Wrong>,
    /// Municipalities of a hostile node's area: nobody moves in or out.
    pub(super) shunned: Vec<Place>,
    /// Where what such a node says may lie aside.
    pub(super) touched: Vec<Place>,
    /// Strangers to a prefecture whom a hostile municipality of it may enter on its own word: the
    /// prefecture cannot know better, the center does.
    pub(super) intruded: BTreeSet<(usize, Place)>,
    late: Vec<Late>,
    next_code: u64,
    first_day: Date,
}

/// Who may be changed, by what has arrived where.
pub(super) struct May<'a> {
    /// People are changed whatever is still on its way about them.
    pub(super) restless: bool,
    /// Whether all that other places told of a person has arrived at the center.
    pub(super) settled: &'a dyn Fn(&Nation, usize, Place) -> bool,
}

impl May<'_> {
    fn change(&self, nation: &Nation, who: usize, place: Place) -> bool {
        self.restless || (self.settled)(nation, who, place)
    }
}

/// Code of the municipality at a place.
pub(super) fn municipality(place: Place) -> Option<LocalGovernmentCode> {
    let (_, organ) = PLACES.get(place)?;
    LocalGovernmentCode::parse(organ.strip_prefix("municipality:")?).ok()
}

/// A filing that is not true, and what becomes of it.
#[derive(Clone, Debug)]
pub(super) struct Wrong {
    pub(super) who: usize,
    pub(super) place: Place,
    pub(super) row: FeedRow,
    pub(super) answered: bool,
}

impl Wrong {
    /// Entered at once on the municipality's own word, and so for its own register only.
    pub(super) fn is_entry(&self) -> bool {
        self.row.former_municipality.is_none()
    }
}

impl Nation {
    /// A nation with its first residents, all of them still to be told to their servers.
    pub(super) fn new(draw: &mut Draw) -> Result<Self, SwarmError> {
        let mut nation = Self {
            persons: Vec::new(),
            deeds: Vec::new(),
            registers: MUNICIPALITIES.map(|place| (place, Register::default())).into(),
            wrong: Vec::new(),
            shunned: Vec::new(),
            touched: Vec::new(),
            intruded: BTreeSet::new(),
            late: Vec::new(),
            next_code: NEW_CODES_FIRST + u64::from(draw.below(1_000_000)) * 100,
            first_day: Date::parse(FIRST_DAY).map_err(|_| SwarmError::Country)?,
        };
        for place in MUNICIPALITIES {
            let home = municipality(place).ok_or(SwarmError::Country)?;
            let from = usize::try_from(draw.below(100)).unwrap_or(0);
            for spare in spares(place).iter().skip(from).take(RESIDENTS_PER_MUNICIPALITY) {
                let items = spare.items.clone();
                let items = nation.marked(items)?;
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
        self.persons.push(Person::new(record));
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
            self.next_code += 1;
            let code = RecordCode::from_ten_digits(self.next_code);
            let code = code.map_err(|_| SwarmError::Country)?;
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

    /// An unused code out of the pool of a municipality, as far as its register has one at hand
    /// (法30条の2第2項); otherwise it takes one, and whoever waits comes again.
    fn new_code(&mut self, place: Place) -> Option<RecordCode> {
        self.registers.get_mut(&place)?.next_code()
    }

    /// The first residents of each municipality get names that nobody else has.
    fn marked(&self, items: FourItems) -> Result<FourItems, SwarmError> {
        let here = self.persons.len() % RESIDENTS_PER_MUNICIPALITY;
        let town = self.persons.len() / RESIDENTS_PER_MUNICIPALITY;
        let Some(letter) = CANARY_LETTERS.get(town * CANARIES_PER_MUNICIPALITY + here) else {
            return Ok(items);
        };
        if here >= CANARIES_PER_MUNICIPALITY {
            return Ok(items);
        }
        let name = format!("{CANARY_MARK}{letter}\u{3000}太郎");
        Ok(FourItems { name: Name::parse(&name).map_err(SwarmError::Item)?, ..items })
    }

    /// Whether a code is, or was, somebody's.
    pub(super) fn was_somebodys(&self, code: &str) -> bool {
        self.persons.iter().flat_map(|person| &person.codes).any(|c| c.expose() == code)
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
        self.happens(who, place, (reason, None), previous_code);
    }

    fn happens(
        &mut self,
        who: usize,
        place: Place,
        (reason, former): (ChangeReason, Option<Place>),
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
            ChangeKind::Entry => {
                person.home = Some(place);
                person.left = None;
            }
            ChangeKind::Deletion if person.home == Some(place) => {
                person.home = None;
                person.left = Some(place);
            }
            _ => {}
        }
        let sequence = register.sequence;
        let (renumbered, acknowledged) = (false, false);
        let deed = Deed { person: who, place, sequence, notice, former, renumbered, acknowledged };
        self.deeds.push(deed);
    }

    /// One random change.
    pub(super) fn live(
        &mut self,
        draw: &mut Draw,
        may: &May<'_>,
    ) -> Result<Option<ChangeReason>, SwarmError> {
        if !self.late.is_empty() && draw.permille(FILED_PERMILLE) {
            self.file_late();
        }
        let Some(reason) = draw.pick(&REASONS).copied() else { return Ok(None) };
        let Some(place) = draw.pick(&MUNICIPALITIES).copied() else { return Ok(None) };
        let count = u32::try_from(self.persons.len()).unwrap_or(u32::MAX);
        let who = usize::try_from(draw.below(count)).unwrap_or(0);
        let Some(person) = self.persons.get(who).cloned() else { return Ok(None) };
        let free = !person.dead && !person.frozen;
        let done = match (reason.kind(), person.home) {
            _ if reason == ChangeReason::Born => self.birth(place, draw)?,
            _ if !free => false,
            (ChangeKind::Entry, _) if person.leaving || person.barred.contains(&place) => false,
            (ChangeKind::Entry, _) if self.crosses(who, place) => false,
            (ChangeKind::Entry, Some(home)) if home != place => {
                may.change(self, who, home) && self.everything_told(who, home, may) && {
                    self.move_between(who, home, place, draw)?;
                    true
                }
            }
            (ChangeKind::Entry, None) => self.enter_anew(who, place, reason, draw, may)?,
            (ChangeKind::Entry, _) | (_, None) => false,
            (kind, Some(home)) if may.change(self, who, home) => {
                self.change_at_home(who, home, reason, kind, draw)?
            }
            _ => false,
        };
        Ok(done.then_some(reason))
    }

    /// Somebody who stands nowhere is entered: from where the deletion is recorded, if elsewhere.
    fn enter_anew(
        &mut self,
        who: usize,
        place: Place,
        reason: ChangeReason,
        draw: &mut Draw,
        may: &May<'_>,
    ) -> Result<bool, SwarmError> {
        let left = self.persons.get(who).and_then(|person| person.left);
        let former = left.filter(|left| *left != place);
        // Nobody releases whoever was deleted ex officio: the deletion must be known by then.
        let known = if former.is_some() {
            may.change(self, who, place)
        } else {
            (may.settled)(self, who, place)
        };
        if !known {
            return Ok(false);
        }
        self.arrive(who, place, draw)?;
        let reason = if former.is_some() { ChangeReason::MovedIn } else { reason };
        self.happens(who, place, (reason, former), None);
        Ok(true)
    }

    /// A mover's former changes must be known everywhere, whichever place made them.
    fn everything_told(&self, who: usize, home: Place, may: &May<'_>) -> bool {
        let elsewhere = MUNICIPALITIES.into_iter().find(|place| *place != home);
        elsewhere.is_some_and(|place| may.change(self, who, place))
    }

    fn birth(&mut self, place: Place, draw: &mut Draw) -> Result<bool, SwarmError> {
        let Some(today) = self.today() else { return Ok(false) };
        let Some(model) = draw.pick(spares(place)) else { return Ok(false) };
        let birth = BirthDate::parse(&today.to_string()).map_err(SwarmError::Item)?;
        let items = FourItems { birth, ..model.items.clone() };
        let home = municipality(place).ok_or(SwarmError::Country)?;
        let Some(code) = self.new_code(place) else { return Ok(false) };
        let record = IdentityInformation {
            code,
            items,
            municipality: home,
            other_names: law::people::OtherNames::default(),
        };
        self.persons.push(Person::new(record));
        self.happen(self.persons.len() - 1, place, ChangeReason::Born, None);
        Ok(true)
    }

    /// 転出 and 転入: two municipalities, two filings, in either order. The planned day of moving out
    /// may be later than the day of moving in (令30条の5: 転出の予定年月日).
    fn move_between(
        &mut self,
        who: usize,
        from: Place,
        to: Place,
        draw: &mut Draw,
    ) -> Result<(), SwarmError> {
        let stood = self.persons.get(who).map(|person| person.record.clone());
        let late = draw.permille(LATE_PERMILLE);
        if !late {
            self.happen(who, from, ChangeReason::MovedOut, None);
        }
        self.arrive(who, to, draw)?;
        self.happens(who, to, (ChangeReason::MovedIn, Some(from)), None);
        if late && let (Some(record), Some(person)) = (stood, self.persons.get_mut(who)) {
            person.leaving = true;
            let before = self.deeds.len().saturating_sub(1);
            self.late.push(Late { who, from, record, before });
        }
        Ok(())
    }

    /// The oldest moving-out that was forgotten is filed at last.
    fn file_late(&mut self) {
        if self.late.is_empty() {
            return;
        }
        let Late { who, from, record, before } = self.late.remove(0);
        let Some(person) = self.persons.get_mut(who) else { return };
        let stands = std::mem::replace(&mut person.record, record);
        let happened = self.deeds.len();
        self.happen(who, from, ChangeReason::MovedOut, None);
        let happened = self.deeds.len() > happened;
        let Some(person) = self.persons.get_mut(who) else { return };
        person.record = stands;
        person.leaving = false;
        // Filed last, and yet what it tells of came before the moving-in.
        let moved_in = person.deeds.iter().position(|nth| *nth == before);
        if let (true, Some(place)) = (happened, moved_in)
            && let Some(nth) = person.deeds.pop()
        {
            person.deeds.insert(place, nth);
        }
    }

    /// Nobody forgets anything any more.
    pub(super) fn file_all(&mut self) {
        while !self.late.is_empty() {
            self.file_late();
        }
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
    ) -> Result<bool, SwarmError> {
        let mut previous = None;
        match kind {
            // No number is held, so none changes.
            ChangeKind::Number => {}
            ChangeKind::Code => {
                let Some(code) = self.new_code(home) else { return Ok(false) };
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
        Ok(true)
    }

    /// Somebody files what is not true: a moving-in of a person with a wrong date of birth, which
    /// nobody will release, or an entry of a neighbour's resident without anybody's word.
    pub(super) fn err(
        &mut self,
        draw: &mut Draw,
        settled: &dyn Fn(&Self, usize, Place) -> bool,
    ) -> Option<usize> {
        let count = u32::try_from(self.persons.len()).unwrap_or(u32::MAX);
        let who = usize::try_from(draw.below(count)).unwrap_or(0);
        let place = *draw.pick(&MUNICIPALITIES)?;
        let entry = draw.permille(400);
        let today = self.today()?;
        if self.is_shunned(who) || self.shunned.contains(&place) {
            return None;
        }
        let known = settled(self, who, place);
        let never_there = self.deeds_at(who, &[place]).is_empty();
        let person = self.persons.get_mut(who)?;
        let home = person.home.filter(|home| *home != place)?;
        if !never_there || person.frozen || person.leaving || person.barred.contains(&place) {
            return None;
        }
        let mut record = person.record.clone();
        record.municipality = municipality(place)?;
        let mut former = None;
        if entry {
            let neighbours = (home > 4) == (place > 4);
            if !known || !neighbours {
                return None;
            }
            person.frozen = true;
        } else {
            record.items.birth = BirthDate::parse("1901-01-01").ok()?;
            former = municipality(home);
        }
        person.barred.push(place);
        let notice = ChangeNotice {
            reason: ChangeReason::MovedIn,
            changed_on: today,
            record,
            previous_code: None,
            foreign: false,
        };
        let row = FeedRow { row: 1, sequence: None, notice, former_municipality: former };
        self.wrong.push(Wrong { who, place, row, answered: false });
        Some(self.wrong.len() - 1)
    }

    /// Whether an earlier change of the same person is still to be told to this server.
    pub(super) fn is_behind(&self, place: Place, nth: usize) -> bool {
        let of = |nth: &usize| self.deeds.get(*nth).map(|deed| deed.person);
        let waiting = self.registers.get(&place).map(|register| &register.waiting);
        let mut before = waiting.into_iter().flatten().take_while(|waits| **waits != nth);
        before.any(|waits| of(waits) == of(&nth))
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

#[cfg(test)]
impl Nation {
    /// Nobody yet, for the tests of the checkers.
    pub(super) fn empty() -> Result<Self, SwarmError> {
        Ok(Self {
            persons: Vec::new(),
            deeds: Vec::new(),
            registers: MUNICIPALITIES.map(|place| (place, Register::default())).into(),
            wrong: Vec::new(),
            late: Vec::new(),
            next_code: NEW_CODES_FIRST,
            first_day: Date::parse(FIRST_DAY).map_err(|_| SwarmError::Country)?,
            shunned: Vec::new(),
            touched: Vec::new(),
            intruded: BTreeSet::new(),
        })
    }

    /// Somebody with this code, entered at the first municipality.
    pub(super) fn invent(&mut self, code: RecordCode) -> Result<(), SwarmError> {
        let place = MUNICIPALITIES[0];
        let spare = spares(place).first().ok_or(SwarmError::Country)?;
        let municipality = municipality(place).ok_or(SwarmError::Country)?;
        let other_names = law::people::OtherNames::default();
        let items = spare.items.clone();
        self.settle(place, IdentityInformation { code, items, municipality, other_names });
        Ok(())
    }
}
