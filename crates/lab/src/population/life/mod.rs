//! Life events of a synthetic population over years: births, deaths, marriages, moves and what else
//! reaches a register, at published rates, in the order of the calendar.
//!
//! A pure function of options and seed. Streaming in time, not in people: a marriage needs two
//! persons and a move two municipalities, so everybody is kept, in about 45 bytes (`world`): one
//! gigabyte for 20 million residents. A life that is a function of seed and index alone would need
//! no memory, and could know neither its spouse nor its household.
//!
//! How often: each day gets its part of the year's number (`rates`), met exactly, with the rest
//! carried on. To whom: by age, standing and chance. Not a forecast: rates stay those of 2024.

mod acts;
pub mod event;
mod moves;
pub mod rates;
mod world;

use std::collections::{BTreeMap, HashMap, VecDeque};

use law::code::RecordCode;
use law::people::Sex;
use law::time::Date;

use super::person::Namer;
use super::tables::Tables;
use super::{
    Options, PopulationError, Protection, REFERENCE_DATE, Resident, Traits, number, protection,
};
use crate::draw::{Draw, SeedLabel};
use event::{ABROAD, Event, EventKind};
use rates::{CellRates, RESIDENTS_COUNTED, share, yearly};
use world::{NO_NAME, RELATIONSHIPS, Standing, World};

/// Of this module's stream.
const SEED_LABEL: SeedLabel = *b"jukinet life/1\0\0\0\0\0\0\0\0\0\0";

/// Longest simulation: two generations; rates of one year say nothing about more.
pub const LIFE_YEARS_MAX: u16 = 50;

/// Millionths of an event.
const WHOLE: i64 = 1_000_000;
const DAYS_PER_YEAR: i64 = 365;

/// What to simulate.
#[derive(Clone, Debug)]
pub struct LifeOptions {
    pub population: Options,
    /// 1 to [`LIFE_YEARS_MAX`].
    pub years: u16,
    /// First day; the residents are those of [`REFERENCE_DATE`], so the day after it at the
    /// earliest.
    pub from: Date,
    /// Reasons of today's 規則11条; otherwise those of November 2013, which know no 国外転出.
    pub today: bool,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LifeSummary {
    pub events: u64,
    /// Rows by kind of event; a move between municipalities is two rows.
    pub by_kind: BTreeMap<EventKind, u64>,
    pub residents_before: u64,
    pub residents_after: u64,
    /// Events that were due and found nobody to happen to: small worlds only.
    pub dropped: u64,
    /// Bytes kept for the world when it was largest.
    pub world_bytes: u64,
}

/// The kinds of drawn events, in the order in which a day goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Death,
    Birth,
    Marriage,
    Divorce,
    CodeChange,
    CardLoss,
    Protection,
    FromAbroad,
    ToAbroad,
    MoveWithin,
    MoveBetween,
}

impl Act {
    const ALL: [Self; 11] = [
        Self::Death,
        Self::Birth,
        Self::Marriage,
        Self::Divorce,
        Self::CodeChange,
        Self::CardLoss,
        Self::Protection,
        Self::FromAbroad,
        Self::ToAbroad,
        Self::MoveWithin,
        Self::MoveBetween,
    ];

    const fn by_month(self) -> [u32; 12] {
        match self {
            Self::Death => rates::DEATHS_BY_MONTH,
            Self::Marriage => rates::MARRIAGES_BY_MONTH,
            Self::MoveWithin | Self::MoveBetween => rates::MOVES_BY_MONTH,
            _ => rates::EVENLY,
        }
    }
}

type Visit<'v> = &'v mut dyn FnMut(&Event<'_>) -> Result<(), PopulationError>;

/// Simulates and hands every event to `visit`, day by day; `progress` hears the days done.
///
/// # Errors
/// Options that name nothing or too much, or what `visit` answers.
pub fn live(
    options: &LifeOptions,
    visit: Visit<'_>,
    progress: &mut dyn FnMut(u64),
) -> Result<LifeSummary, PopulationError> {
    let reference = Date::parse(REFERENCE_DATE).map_err(|_| PopulationError::Calendar)?;
    if !(1..=LIFE_YEARS_MAX).contains(&options.years) || options.from <= reference {
        return Err(PopulationError::LifeOutOfRange);
    }
    let tables = Tables::load()?;
    let mut life = Life::new(options, &tables, visit)?;
    let before = life.world.living;
    let end = i64::from(options.years) * DAYS_PER_YEAR;
    for day in 0..end {
        if day % DAYS_PER_YEAR == 0 {
            life.expect();
        }
        life.day()?;
        life.today = life.today.add_days(1).map_err(|_| PopulationError::Calendar)?;
        progress(u64::try_from(day).unwrap_or(0) + 1);
    }
    let mut summary = life.summary;
    summary.events = summary.by_kind.values().sum();
    summary.residents_before = before;
    summary.residents_after = life.world.living;
    summary.world_bytes = life.world.bytes();
    Ok(summary)
}

/// Where an event begins or ends.
#[derive(Clone, Copy)]
enum Place {
    Nowhere,
    Abroad,
    Unit(u16),
}

struct Life<'u, 'v> {
    world: World<'u>,
    namer: Namer<'u>,
    tables: &'u Tables,
    draw: Draw,
    codes: number::Permutation,
    deaths: CellRates,
    births: CellRates,
    today: Date,
    epoch_today: bool,
    /// Millionths of events of a year, and those due by now.
    yearly: [i64; Act::ALL.len()],
    due: [i64; Act::ALL.len()],
    /// Residents of the units up to each, for destinations.
    sums: Vec<u64>,
    mothers: HashMap<u32, u32>,
    /// Japanese residents who are abroad.
    abroad: Vec<u32>,
    guarded: HashMap<u32, Protection>,
    /// Measures by their last day, in that order.
    ends: VecDeque<(Date, u32)>,
    sequences: Vec<u64>,
    /// Who has gone somewhere and is not told of yet.
    moved: Vec<moves::Moved>,
    visit: Visit<'v>,
    summary: LifeSummary,
}

impl<'u, 'v> Life<'u, 'v> {
    fn new(
        options: &LifeOptions,
        tables: &'u Tables,
        visit: Visit<'v>,
    ) -> Result<Self, PopulationError> {
        let mut world = World::load(&options.population, tables)?;
        let mut sum = 0;
        let mut sums = Vec::with_capacity(world.units.len());
        for unit in &world.units {
            sum += unit.persons();
            sums.push(sum);
        }
        let mut protected = std::mem::take(&mut world.protected);
        protected.sort_by_key(|(index, protection)| (protection.ends, *index));
        let ends = protected.iter().map(|(index, it)| (it.ends.max(options.from), *index));
        let seed = options.population.seed;
        Ok(Self {
            ends: ends.collect(),
            guarded: protected.into_iter().collect(),
            sequences: vec![0; world.units.len()],
            world,
            namer: Namer::new(tables)?,
            tables,
            draw: Draw::new(SEED_LABEL, seed, 0),
            codes: number::Permutation::new(seed),
            deaths: CellRates::deaths(&tables.units),
            births: CellRates::births(&tables.units),
            today: options.from,
            epoch_today: options.today,
            yearly: [0; Act::ALL.len()],
            due: [0; Act::ALL.len()],
            sums,
            mothers: HashMap::new(),
            abroad: Vec::new(),
            moved: Vec::new(),
            visit,
            summary: LifeSummary::default(),
        })
    }

    /// Today as YYYYMMDD.
    fn number(&self) -> u32 {
        let (month, day) = (u32::from(self.today.month()), u32::from(self.today.day()));
        u32::from(self.today.year()) * 10_000 + month * 100 + day
    }

    /// How much the coming year brings: deaths and births by who is here, the rest by how many.
    fn expect(&mut self) {
        let today = self.number();
        let (mut deaths, mut births) = (0, 0);
        for person in self.world.persons.iter().filter(|p| p.standing == Standing::Here) {
            let class = person.class(today);
            deaths += self.deaths.of(person.female, class);
            births += self.births.of(person.female, class);
        }
        let living = u128::from(self.world.living);
        let crude = |count: u64| {
            let exact = u128::from(count) * living * 1_000_000 / u128::from(RESIDENTS_COUNTED);
            i64::try_from(exact).unwrap_or(i64::MAX)
        };
        for (act, yearly) in Act::ALL.into_iter().zip(&mut self.yearly) {
            *yearly = match act {
                Act::Death => i64::try_from(deaths).unwrap_or(i64::MAX),
                Act::Birth => i64::try_from(births).unwrap_or(i64::MAX),
                Act::Marriage => crude(yearly::MARRIAGES),
                Act::Divorce => crude(yearly::DIVORCES),
                Act::CodeChange => crude(yearly::CODE_CHANGES),
                Act::CardLoss => crude(yearly::CARD_LOSSES),
                Act::Protection => crude(yearly::PROTECTIONS),
                Act::FromAbroad => crude(yearly::FROM_ABROAD),
                Act::ToAbroad => crude(yearly::TO_ABROAD),
                Act::MoveWithin => crude(yearly::MOVES_WITHIN),
                Act::MoveBetween if self.sums.len() < 2 => 0,
                Act::MoveBetween => crude(yearly::MOVES_BETWEEN),
            };
        }
    }

    fn day(&mut self) -> Result<(), PopulationError> {
        self.measures_end()?;
        let month = usize::from(self.today.month() - 1);
        for (index, act) in Act::ALL.into_iter().enumerate() {
            let season = act.by_month().get(month).copied().unwrap_or(1_000);
            let part = self.yearly.get(index).copied().unwrap_or(0) * i64::from(season);
            self.owe(act, part / 1_000 / DAYS_PER_YEAR);
            while self.due.get(index).is_some_and(|due| *due >= WHOLE) {
                let happened = match act {
                    Act::Death => self.death()?,
                    Act::Birth => self.delivery()?,
                    Act::Marriage => self.marriage()?,
                    Act::Divorce => self.divorce()?,
                    Act::CodeChange => self.code_change()?,
                    Act::CardLoss => self.card_loss()?,
                    Act::Protection => self.protection()?,
                    Act::FromAbroad => self.arrive()?,
                    Act::ToAbroad => self.leave_abroad()?,
                    Act::MoveWithin => self.relocation(false)?,
                    Act::MoveBetween => self.relocation(true)?,
                };
                if happened == 0 {
                    self.summary.dropped += 1;
                }
                // Relocations are counted where people move, whatever made them.
                if happened == 0 || !matches!(act, Act::MoveWithin | Act::MoveBetween) {
                    self.owe(act, -WHOLE * i64::from(happened.max(1)));
                }
            }
        }
        Ok(())
    }

    /// Adds to what is due of an act; less than nothing is carried on as well.
    fn owe(&mut self, act: Act, millionths: i64) {
        if let Some((_, due)) = Act::ALL.into_iter().zip(&mut self.due).find(|(a, _)| *a == act) {
            *due += millionths;
        }
    }

    /// Hands one event about one resident, as they stand now, to the visitor.
    fn tell(
        &mut self,
        index: u32,
        kind: EventKind,
        (from, to): (Place, Place),
        previous: Option<u32>,
    ) -> Result<(), PopulationError> {
        let Some(person) = self.world.person(index).copied() else { return Ok(()) };
        let Some(house) = self.world.house(person.house).copied() else { return Ok(()) };
        let Some(unit) = self.world.units.get(usize::from(house.unit)).copied() else {
            return Ok(());
        };
        let reason = kind.reason(self.epoch_today);
        let mut sequence = 0;
        if reason.is_some()
            && let Some(next) = self.sequences.get_mut(usize::from(house.unit))
        {
            *next += 1;
            sequence = *next;
        }
        let named = |number: u32| RecordCode::from_ten_digits(self.codes.number(u64::from(number)));
        let code = named(person.code)?;
        let previous_code = previous.map(named).transpose()?;
        let (mut household, mut address) = (String::new(), String::new());
        number::household(unit.code, u64::from(house.number), &mut household);
        house.dwelling.write(unit, &mut address);
        let birth = iso(person.birth);
        let (family, given) =
            (self.world.names.get(person.family), self.world.names.get(person.given));
        let alias = (self.world.names.get(person.alias.0), self.world.names.get(person.alias.1));
        let nation = usize::from(person.nation).checked_sub(1);
        let nation = nation.and_then(|nation| self.tables.nations.get(nation));
        let relationship = RELATIONSHIPS.get(usize::from(person.relationship)).copied();
        let place = |place: Place| match place {
            Place::Nowhere => "",
            Place::Abroad => ABROAD,
            Place::Unit(unit) => self.world.units.get(usize::from(unit)).map_or("", |u| u.code),
        };
        let event = Event {
            date: self.today,
            kind,
            from: place(from),
            to: place(to),
            resident: Resident {
                index: u64::from(index),
                record_code: &code,
                family_name: family.name,
                given_name: given.name,
                family_kana: family.kana,
                given_kana: given.kana,
                sex: if person.female { Sex::Female } else { Sex::Male },
                birth: &birth,
                municipality_code: unit.code,
                address: &address,
                household_id: &household,
                relationship: relationship.unwrap_or_default(),
                nationality: nation.map_or("", |nation| nation.name),
                alternative_name: (person.alias.0 != NO_NAME)
                    .then_some((alias.0.name, alias.1.name)),
                traits: Traits::default(),
                protection: self.guarded.get(&index).copied(),
                dwelling: house.dwelling,
            },
            reason,
            previous_code,
            sequence,
        };
        *self.summary.by_kind.entry(kind).or_default() += 1;
        (self.visit)(&event)
    }

    /// Measures whose year is over end, or are renewed on request (事務処理要領 第5-10).
    fn measures_end(&mut self) -> Result<(), PopulationError> {
        while let Some((day, index)) = self.ends.front().copied().filter(|end| end.0 <= self.today)
        {
            self.ends.pop_front();
            let here = self.world.person(index).is_some_and(|p| p.standing == Standing::Here);
            let stands = self.guarded.get(&index).copied();
            let Some(stands) = stands.filter(|it| here && it.ends.max(day) == day) else {
                continue;
            };
            if self.draw.permille(share::RENEWED) {
                let ends = protection::year_after(day)?;
                self.guarded.insert(index, Protection { begins: day, ends, ..stands });
                self.ends.push_back((ends, index));
            } else {
                self.unprotect(index)?;
            }
        }
        Ok(())
    }

    fn unprotect(&mut self, index: u32) -> Result<(), PopulationError> {
        if self.guarded.contains_key(&index) {
            self.tell(index, EventKind::ProtectionEnds, (Place::Nowhere, Place::Nowhere), None)?;
            self.guarded.remove(&index);
        }
        Ok(())
    }
}

/// YYYYMMDD as the register writes it.
fn iso(number: u32) -> String {
    format!("{:04}-{:02}-{:02}", number / 10_000, number / 100 % 100, number % 100)
}
