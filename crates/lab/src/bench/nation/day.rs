//! One compressed peak day of a part of the country: which changes are filed where, in which order,
//! and how everybody must stand at its end. Pure; everything follows from the seed and the people.

use std::collections::{BTreeMap, BTreeSet};

use law::change::{ChangeKind, ChangeNotice, ChangeReason};
use law::code::{LocalGovernmentCode, RecordCode};
use law::inquiry::{Held, LastChange};
use law::people::{Address, BirthDate, Kana, Name, OtherNames};
use law::time::Date;
use wire::FeedRow;

use crate::draw::{Draw, SeedLabel};

/// Of this day's draws.
const SEED_LABEL: SeedLabel = *b"jukinet peak day/1\0\0\0\0\0\0";
/// Of a thousand occasions; a move between municipalities is two changes. Assumed: about the shares
/// of a March day, when people move.
const WITHIN_PERMILLE: u32 = 400;
const BETWEEN_PERMILLE: u32 = 250;
const BORN_PERMILLE: u32 = 120;
const DIED_PERMILLE: u32 = 150;
const NEW_CODE_PERMILLE: u32 = 20;

/// The rows that one municipality's register system files, in order.
pub(super) type Filings = BTreeMap<LocalGovernmentCode, Vec<FeedRow>>;

/// How one person must stand, and where his states before are complete.
pub(super) struct Stand {
    pub(super) held: Held,
    /// States before, at every tier that holds him; none where a move makes tiers differ.
    pub(super) before: Option<u64>,
}

/// The day.
pub(super) struct Day {
    pub(super) filings: Filings,
    pub(super) stands: BTreeMap<RecordCode, Stand>,
    /// Codes that lead nowhere any more.
    pub(super) former: BTreeSet<RecordCode>,
    pub(super) changes: u64,
    pub(super) moves: u64,
    pub(super) seed: u64,
}

impl std::fmt::Debug for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Day({} changes, {} moves)", self.changes, self.moves)
    }
}

/// Codes that nobody of the population has, for newborns and for new codes on request.
#[derive(Debug)]
pub(super) struct FreeCodes(BTreeSet<RecordCode>);

impl FreeCodes {
    pub(super) fn draw(seed: u64, count: u64) -> Self {
        let mut draw = Draw::new(SEED_LABEL, seed, 0);
        let mut codes = BTreeSet::new();
        while (codes.len() as u64) < count {
            let number = u64::from(draw.below(100_000)) * 100_000 + u64::from(draw.below(100_000));
            codes.extend(RecordCode::from_ten_digits(number).ok());
        }
        Self(codes)
    }

    /// Somebody has it.
    pub(super) fn taken(&mut self, code: &RecordCode) {
        self.0.remove(code);
    }
}

impl Day {
    /// About `changes` changes among these people, each of whom changes once.
    pub(super) fn write(
        seed: u64,
        today: Date,
        changes: u64,
        people: &[Held],
        places: &[LocalGovernmentCode],
        codes: FreeCodes,
    ) -> Option<Self> {
        let mut writer = Writer {
            draw: Draw::new(SEED_LABEL, seed, 1),
            today,
            codes: codes.0.into_iter().collect(),
            day: Self {
                filings: Filings::new(),
                stands: BTreeMap::new(),
                former: BTreeSet::new(),
                changes: 0,
                moves: 0,
                seed,
            },
        };
        for held in people {
            if writer.day.changes >= changes {
                break;
            }
            writer.occasion(held, places)?;
        }
        Some(writer.day)
    }
}

struct Writer {
    draw: Draw,
    today: Date,
    codes: Vec<RecordCode>,
    day: Day,
}

impl Writer {
    fn occasion(&mut self, held: &Held, places: &[LocalGovernmentCode]) -> Option<()> {
        use ChangeReason as R;
        let mut new = held.clone();
        let mut nth = self.draw.below(1_000);
        let mut falls = |permille: u32| {
            let hit = nth < permille;
            nth = nth.saturating_sub(permille);
            hit
        };
        if falls(WITHIN_PERMILLE) {
            new.identity.items.address = self.address(held.identity.items.address.expose())?;
            return self.change(held, new, R::MovedWithin, None);
        }
        if falls(BETWEEN_PERMILLE) {
            return self.moves(held, places);
        }
        if falls(BORN_PERMILLE) {
            return self.born(held);
        }
        if falls(DIED_PERMILLE) {
            new.removed = true;
            return self.change(held, new, R::Died, None);
        }
        if falls(NEW_CODE_PERMILLE) {
            new.identity.code = self.codes.pop()?;
            return self.change(held, new, R::CodeChangedOnRequest, Some(held.identity.code));
        }
        new.identity.items.name = Name::parse("訂正\u{3000}正").ok()?;
        new.identity.items.kana = Kana::parse("テイセイ\u{3000}タダシ").ok()?;
        self.change(held, new, R::CorrectedExOfficio, None)
    }

    fn address(&mut self, home: &str) -> Option<Address> {
        let room = self.draw.below(900) + 100;
        Address::parse(&format!("{home}\u{3000}ピーク荘{room}号室")).ok()
    }

    fn change(
        &mut self,
        old: &Held,
        new: Held,
        reason: ChangeReason,
        previous: Option<RecordCode>,
    ) -> Option<()> {
        let place = old.identity.municipality;
        self.file(place, &new, reason, (previous, None));
        self.day.former.extend(previous);
        let held = self.stands_as(new, reason);
        let stand = Stand { held, before: Some(1) };
        self.day.stands.insert(stand.held.identity.code, stand);
        Some(())
    }

    fn born(&mut self, parent: &Held) -> Option<()> {
        let mut new = parent.clone();
        let items = &mut new.identity.items;
        new.identity.code = self.codes.pop()?;
        let family = parent.identity.items.name.expose().split('\u{3000}').next()?.to_owned();
        let kana = parent.identity.items.kana.expose().split('\u{3000}').next()?.to_owned();
        items.name = Name::parse(&format!("{family}\u{3000}新生")).ok()?;
        items.kana = Kana::parse(&format!("{kana}\u{3000}シンセイ")).ok()?;
        items.birth = BirthDate::from(self.today);
        new.identity.other_names = OtherNames::default();
        self.file(new.identity.municipality, &new, ChangeReason::Born, (None, None));
        let held = self.stands_as(new, ChangeReason::Born);
        let stand = Stand { held, before: Some(0) };
        self.day.stands.insert(stand.held.identity.code, stand);
        Some(())
    }

    /// Filed at the new municipality and at the former one; which comes first is theirs to settle.
    fn moves(&mut self, held: &Held, places: &[LocalGovernmentCode]) -> Option<()> {
        let from = held.identity.municipality;
        let others: Vec<_> = places.iter().filter(|place| **place != from).collect();
        let to = **self.draw.pick(&others)?;
        let mut new = held.clone();
        new.identity.municipality = to;
        let found = law::municipality::find(&to)?;
        let home = format!("{}{}", found.prefecture_name, found.name);
        let block = self.draw.below(40) + 1;
        let address = format!("{home}転入町{block}番{}号", self.draw.below(20) + 1);
        new.identity.items.address = Address::parse(&address).ok()?;
        let mut leaving = held.clone();
        leaving.removed = true;
        self.file(from, &leaving, ChangeReason::MovedOut, (None, None));
        self.file(to, &new, ChangeReason::MovedIn, (None, Some(from)));
        let held = self.stands_as(new, ChangeReason::MovedIn);
        let stand = Stand { held, before: None };
        self.day.stands.insert(stand.held.identity.code, stand);
        self.day.moves += 1;
        Some(())
    }

    fn stands_as(&self, held: Held, reason: ChangeReason) -> Held {
        let change = Some(LastChange { reason, on: self.today, foreign: false });
        let removed = reason.kind() == ChangeKind::Deletion;
        Held { change, removed, ..held }
    }

    fn file(
        &mut self,
        place: LocalGovernmentCode,
        held: &Held,
        reason: ChangeReason,
        (previous_code, former_municipality): (Option<RecordCode>, Option<LocalGovernmentCode>),
    ) {
        let rows = self.day.filings.entry(place).or_default();
        let number = u32::try_from(rows.len() + 1).unwrap_or(u32::MAX);
        let (changed_on, record) = (self.today, held.identity.clone());
        let notice = ChangeNotice { reason, changed_on, record, previous_code, foreign: false };
        let sequence = Some(u64::from(number));
        rows.push(FeedRow { row: number + 1, sequence, notice, former_municipality });
        self.day.changes += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::BenchError;
    use crate::bench::center::load::held_of;
    use crate::population;

    #[test]
    fn every_row_of_the_day_is_lawful_and_its_bookkeeping_adds_up() {
        let municipalities = vec!["132152".to_owned(), "132047".to_owned()];
        let options = population::Options { residents: 900, seed: 3, municipalities };
        let mut people = Vec::new();
        let mut codes = FreeCodes::draw(3, 200);
        population::each(&options, &mut |resident| -> Result<(), BenchError> {
            codes.taken(resident.record_code);
            people.push(held_of(resident).unwrap());
            Ok(())
        })
        .unwrap();
        let places = ["132152", "132047"].map(|code| LocalGovernmentCode::parse(code).unwrap());
        let today = Date::parse("2026-03-29").unwrap();
        let day = Day::write(3, today, 400, &people, &places, codes).unwrap();
        assert!(day.changes >= 400 && day.moves > 40, "{day:?}");
        let rows: Vec<_> = day.filings.values().flatten().collect();
        assert_eq!(rows.len() as u64, day.changes);
        for row in &rows {
            row.notice.check().unwrap();
        }
        assert_eq!(day.stands.len() as u64 + day.moves, day.changes);
        let again: BTreeSet<_> = day.former.iter().filter(|c| day.stands.contains_key(c)).collect();
        assert!(again.is_empty() && !day.former.is_empty());
    }
}
