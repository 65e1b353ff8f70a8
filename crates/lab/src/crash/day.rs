//! The scripted day: what is notified, asked and shown, in order; and how everybody must stand at
//! its end, by plain bookkeeping that shares nothing with the nodes' own.

use std::collections::BTreeMap;

use law::change::{ChangeKind, ChangeNotice, ChangeReason};
use law::code::{CodeError, LocalGovernmentCode, RecordCode};
use law::inquiry::{Held, LastChange};
use law::people::{
    Address, BirthDate, FourItems, IdentityInformation, ItemError, Kana, Name, OtherNames, Sex,
};
use law::time::Date;
use wire::FeedRow;

/// Where the day happens: 国立市.
pub(crate) const MUNICIPALITY: &str = "132152";
/// Ten digits of the first record code of the day; the others follow.
const FIRST_NUMBER: u64 = 3_000_000_000;
/// Distance of two persons' numbers.
const NUMBER_STEP: u64 = 7_919;

/// What a day cannot be written with.
#[derive(Debug, thiserror::Error)]
pub enum DayError {
    #[error("a record code of the day: {0}")]
    Code(#[from] CodeError),
    #[error("a person of the day: {0}")]
    Item(#[from] ItemError),
    #[error("the municipality of the day is none")]
    Municipality,
}

/// One act of the day.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// The register system hands over changes.
    Feed(Vec<FeedRow>),
    /// An agency asks the center for this person by code until the answer is the last state.
    Ask(RecordCode),
    /// The resident looks at who got the data.
    View(RecordCode),
}

/// One person, and what stood before, oldest first.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) held: Held,
    pub(crate) before: Vec<Held>,
}

/// Persons by the code they have now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standings {
    pub(crate) people: BTreeMap<RecordCode, Standing>,
    /// Codes that lead nowhere any more.
    pub(crate) former: Vec<RecordCode>,
    /// Changes taken note of.
    pub(crate) changes: u64,
    /// The number of the last change of each code.
    last: BTreeMap<RecordCode, u64>,
}

impl Standings {
    /// One more change has happened.
    pub(crate) fn change(&mut self, notice: &ChangeNotice) {
        let (reason, on, foreign) = (notice.reason, notice.changed_on, notice.foreign);
        let held = Held {
            identity: notice.record.clone(),
            change: Some(LastChange { reason, on, foreign }),
            removed: reason.kind() == ChangeKind::Deletion,
        };
        let code = notice.record.code;
        let before_code = notice.previous_code.unwrap_or(code);
        let mut before = Vec::new();
        if let Some(standing) = self.people.remove(&before_code) {
            before = standing.before;
            before.push(standing.held);
        }
        if before_code != code {
            self.former.push(before_code);
        }
        self.people.insert(code, Standing { held, before });
        self.changes += 1;
        self.last.insert(code, self.changes);
    }

    /// How many changes there were when this person last changed.
    pub(crate) fn changes_until(&self, code: &RecordCode) -> u64 {
        self.last.get(code).copied().unwrap_or(0)
    }

    /// Persons who are not removed.
    pub(crate) fn residents(&self) -> u64 {
        self.people.values().filter(|standing| !standing.held.removed).count() as u64
    }
}

/// What happens on the day.
#[derive(Clone, Debug)]
pub(crate) struct Day {
    pub(crate) steps: Vec<Step>,
}

impl Day {
    /// How everybody stands after the first `changes` changes.
    pub(crate) fn standings_after(&self, changes: u64) -> Standings {
        let mut standings = Standings::default();
        let rows = self.steps.iter().filter_map(|step| match step {
            Step::Feed(rows) => Some(rows),
            _ => None,
        });
        let first = usize::try_from(changes).unwrap_or(usize::MAX);
        rows.flatten().take(first).for_each(|row| standings.change(&row.notice));
        standings
    }

    /// The day of `today`: entries and births; a move, a correction, a new code, a death, a
    /// departure and an arrival; an inquiry; a look at its record; two more changes.
    pub(crate) fn write(today: Date) -> Result<Self, DayError> {
        use ChangeReason as R;
        let mut writer = Writer::new(today)?;
        let person = |number| Person { number, ..Person::default() };
        let mut first = Vec::new();
        for number in 1..=6 {
            first.push(writer.row(&person(number), R::EnteredExOfficio, None)?);
        }
        first.push(writer.row(&person(7), R::Born, None)?);
        let moved = Person { address: "富士見台二丁目四十七番地の一", ..person(1) };
        let corrected = Person { given: "訂正", ..person(2) };
        let recoded = Person { number: 103, ..person(3) };
        let mut second = vec![
            writer.row(&moved, R::MovedWithin, None)?,
            writer.row(&corrected, R::CorrectedExOfficio, None)?,
            writer.row(&recoded, R::CodeChangedOnRequest, Some(3))?,
            writer.row(&person(4), R::Died, None)?,
            writer.row(&person(5), R::MovedOut, None)?,
            writer.row(&person(8), R::MovedIn, None)?,
        ];
        // The register system numbers these: the other way by which a row is known again.
        for (row, sequence) in second.iter_mut().zip(1..) {
            row.sequence = Some(sequence);
        }
        let again = Person { address: "東二丁目一番地", ..person(1) };
        let third = vec![
            writer.row(&again, R::MovedWithin, None)?,
            writer.row(&person(6), R::DeletedExOfficio, None)?,
        ];
        let (asked, newcomer) = (code(1)?, code(8)?);
        let steps = vec![
            Step::Feed(first),
            Step::Feed(second),
            Step::Ask(newcomer),
            Step::Ask(asked),
            Step::View(asked),
            Step::Feed(third),
            Step::Ask(asked),
        ];
        Ok(Self { steps })
    }
}

fn code(number: u64) -> Result<RecordCode, CodeError> {
    RecordCode::from_ten_digits(FIRST_NUMBER + number * NUMBER_STEP)
}

/// What differs between persons and changes of the day.
#[derive(Clone, Copy, Debug)]
struct Person {
    number: u64,
    given: &'static str,
    address: &'static str,
}

impl Default for Person {
    fn default() -> Self {
        Self { number: 0, given: "試子", address: "中一丁目九番地" }
    }
}

struct Writer {
    today: Date,
    municipality: LocalGovernmentCode,
    rows: u32,
}

impl Writer {
    fn new(today: Date) -> Result<Self, DayError> {
        let municipality =
            LocalGovernmentCode::parse(MUNICIPALITY).map_err(|_| DayError::Municipality)?;
        Ok(Self { today, municipality, rows: 1 })
    }

    fn row(
        &mut self,
        person: &Person,
        reason: ChangeReason,
        previous: Option<u64>,
    ) -> Result<FeedRow, DayError> {
        let birth = match reason {
            ChangeReason::Born => BirthDate::parse(&self.today.to_string())?,
            _ => BirthDate::parse(&format!("19{}-04-01", 50 + person.number % 40))?,
        };
        let record = IdentityInformation {
            code: code(person.number)?,
            items: FourItems {
                name: Name::parse(&format!("停電\u{3000}{}", person.given))?,
                kana: Kana::parse("テイデン\u{3000}シケンコ")?,
                address: Address::parse(&format!("東京都国立市{}", person.address))?,
                sex: Sex::from_code(2)?,
                birth,
            },
            municipality: self.municipality,
            other_names: OtherNames::default(),
        };
        let previous_code = previous.map(code).transpose()?;
        let changed_on = self.today;
        let notice = ChangeNotice { reason, changed_on, record, previous_code, foreign: false };
        self.rows += 1;
        Ok(FeedRow { row: self.rows, sequence: None, notice, former_municipality: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_is_lawful_and_its_bookkeeping_adds_up() {
        let day = Day::write(Date::parse("2026-11-22").unwrap()).unwrap();
        let mut standings = Standings::default();
        for step in &day.steps {
            let Step::Feed(rows) = step else { continue };
            for row in rows {
                row.notice.check().unwrap();
                standings.change(&row.notice);
            }
        }
        assert_eq!((standings.changes, standings.people.len()), (15, 8));
        // Of eight, one died, one moved out, one was deleted.
        assert_eq!(standings.residents(), 5);
        assert_eq!(standings.former, [code(3).unwrap()]);
        let moved = &standings.people[&code(1).unwrap()];
        assert_eq!(moved.before.len(), 2);
        assert_eq!(standings.people[&code(103).unwrap()].before.len(), 1);
    }
}
