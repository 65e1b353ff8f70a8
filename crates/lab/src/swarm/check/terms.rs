//! How long things are kept (V10): the terms that machines write down are held against a second
//! table of the law, founding epoch (令30条の6, 30条の11, 34条; S1: 保存期間五年), with a calendar of its
//! own; nothing of `law::retention`. At the end of a world months pass, and what has ended is gone.

use std::collections::BTreeMap;

use law::change::ChangeReason;
use law::code::RecordCode;
use law::inquiry::Held;
use law::time::{Date, Timestamp};
use node::ports::{Reads, Write};

use super::super::country::Place;
use super::talk::role;
use super::{Checker, Violation, unreadable};

/// Superseded and deleted records; deletions above the municipality that nothing followed.
const YEARS: i64 = 5;
const UNRESOLVED_YEARS: i64 = 80;
/// By this month every line of a world has ended: seven years after it was written, in 2026.
const PROVISIONS_END: (i64, i64) = (2033, 12);
/// Japan is nine hours ahead.
const JAPAN_MS: i64 = 9 * 3_600_000;
const DAY_MS: i64 = 86_400_000;

/// Months whose beginning is looked at when a world is over, which began on 22 November 2026: none
/// of the terms has ended, those of five years have, those of seven have.
pub(in super::super) const MONTHS: [(u16, u8); 3] = [(2031, 11), (2031, 12), (2034, 1)];

/// A day: year, month, day.
pub(super) type Day = (i64, i64, i64);

/// The day of a number of days since 1970-01-01, by counting eras of 400 years from 1 March.
fn day_of(days: i64) -> Day {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

fn days_since((year, month, day): Day) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let shifted = (month + 9) % 12;
    let of_year = (153 * shifted + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

pub(super) fn today(now: Timestamp) -> Day {
    let ms = i64::try_from(now.0).unwrap_or(0) + JAPAN_MS;
    day_of(ms.div_euclid(DAY_MS))
}

fn read(date: Date) -> Day {
    (i64::from(date.year()), i64::from(date.month()), i64::from(date.day()))
}

/// The last day of a term of years that begins with the day after (民法140条, 143条2項).
fn after((year, month, day): Day, years: i64) -> Day {
    let (year, month, day) = day_of(days_since((year, month, day)) + 1);
    let there = days_since((year + years, month, day));
    // No such day in that year: its month's last one, which is the day before the first of March.
    let exists = day_of(there) == (year + years, month, day);
    day_of(if exists { there - 1 } else { days_since((year + years, 3, 1)) - 1 })
}

/// What is known of a row that no longer stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Terms {
    /// When each place learned how a person stands now, and whether that was a deletion.
    received: BTreeMap<(Place, RecordCode), Day>,
    /// Rows of history by the last day of keeping them.
    earlier: Vec<(Place, RecordCode, Day)>,
    open: BTreeMap<Place, Vec<Learned>>,
}

#[derive(Clone, Debug)]
enum Learned {
    Received(RecordCode, Day),
    Renamed(RecordCode, RecordCode, Day),
    Earlier(RecordCode, Day),
}

impl Terms {
    fn received(&self, place: Place, code: &RecordCode) -> Option<Day> {
        let open = self.open.get(&place).map_or(&[][..], Vec::as_slice);
        let now = open.iter().rev().find_map(|learned| match learned {
            Learned::Received(of, day) | Learned::Renamed(_, of, day) if of == code => Some(*day),
            _ => None,
        });
        now.or_else(|| self.received.get(&(place, *code)).copied())
    }

    /// The last day of keeping a row that a notice received `today` replaced.
    fn of_earlier(&self, place: Place, before: &Held, code: &RecordCode, today: Day) -> Day {
        if !before.removed {
            return after(today, YEARS);
        }
        let received = self.received(place, code).unwrap_or(today);
        let term = after(received, YEARS);
        let died = before.change.is_some_and(|c| c.reason == ChangeReason::Died);
        if died || role(place) == "municipality" {
            return term;
        }
        // The next notice ends the waiting above, and never before five years are over.
        term.max(today)
    }

    pub(super) fn committed(&mut self, place: Place) {
        for learned in self.open.remove(&place).unwrap_or_default() {
            match learned {
                Learned::Received(code, day) => {
                    self.received.insert((place, code), day);
                }
                Learned::Renamed(before, code, day) => {
                    self.received.remove(&(place, before));
                    self.received.insert((place, code), day);
                }
                Learned::Earlier(code, day) => self.earlier.push((place, code, day)),
            }
        }
    }

    pub(super) fn crashed(&mut self, place: Place) {
        self.open.remove(&place);
    }
}

/// Until when the row of somebody who was deleted may be kept: five years after a death and at the
/// municipality; above it eighty, unless something followed. A confirmed departure follows, which
/// is told to the prefecture only, alone or in one step with the deletion.
fn of_deleted(place: Place, code: &RecordCode, received: Day, writes: &[Write]) -> Vec<Day> {
    let standing = writes.iter().rev().find_map(|write| match write {
        Write::PutResident(held) if held.identity.code == *code => Some(held),
        _ => None,
    });
    let died = standing.and_then(|held| held.change).map(|c| c.reason) == Some(ChangeReason::Died);
    let (five, eighty) = (after(received, YEARS), after(received, UNRESOLVED_YEARS));
    // After the row got its end, a second end in the same step is the confirmation's.
    let ends = |w: &&Write| matches!(w, Write::ExpireResident { code: of, .. } if of == code);
    let again = writes.iter().any(|w| ends(&w));
    match role(place) {
        "municipality" => vec![five],
        _ if died => vec![five],
        "prefecture" if standing.is_none() => vec![five],
        "prefecture" if again => vec![eighty, five],
        _ => vec![eighty],
    }
}

impl Checker {
    /// Terms are written down: those of the law.
    pub(super) fn terms_written(
        &mut self,
        place: Place,
        now: Timestamp,
        writes: &[Write],
    ) -> Result<(), Violation> {
        let today = today(now);
        let wrong = |what: &str, found: Day, wanted: Day| {
            let detail = format!("place {place}, {what}: until {found:?}, by law {wanted:?}");
            Err(Violation::new("retention", detail))
        };
        // The rows are kept after all else, and the day of a deletion is that of its own notice.
        let earlier = writes.iter().filter_map(|write| match write {
            Write::AppendHistory { code, row, until } => Some((code, row, read(*until))),
            _ => None,
        });
        let mut met = BTreeMap::new();
        let mut kept = Vec::new();
        for (code, row, until) in earlier {
            let before = row.before.identity.code;
            let times = met.entry(*code).or_insert(0);
            *times += 1;
            // What this very step brought and replaced again was received today.
            let wanted = match *times {
                1 => self.terms.of_earlier(place, &row.before, &before, today),
                _ => after(today, YEARS),
            };
            if until != wanted {
                return wrong("what stood before", until, wanted);
            }
            kept.push(Learned::Earlier(*code, until));
        }
        for (nth, write) in writes.iter().enumerate() {
            let before = writes.get(..nth).unwrap_or(&[]);
            let open = self.terms.open.entry(place).or_default();
            match write {
                Write::PutResident(held) => {
                    open.push(Learned::Received(held.identity.code, today));
                }
                Write::ReplaceCode { previous, held } => {
                    open.push(Learned::Renamed(*previous, held.identity.code, today));
                }
                Write::ExpireResident { code, until: Some(until) } => {
                    let received = self.terms.received(place, code).unwrap_or(today);
                    let wanted = of_deleted(place, code, received, before);
                    let until = read(*until);
                    if !wanted.contains(&until) {
                        let wanted = wanted.first().copied().unwrap_or(today);
                        return wrong("a row that was deleted", until, wanted);
                    }
                }
                _ => {}
            }
        }
        self.terms.open.entry(place).or_default().extend(kept);
        Ok(())
    }

    /// Months passed at a place, and what ended before the first of this one was erased: what has
    /// ended is gone, and what has not is there.
    pub(in super::super) fn months_passed(
        &self,
        place: Place,
        (year, month): (i64, i64),
        store: &dyn Reads,
    ) -> Result<(), Violation> {
        let wrong = |what: String| {
            let detail = format!("place {place}, {year}-{month:02}: {what}");
            Err(Violation::new("retention", detail))
        };
        let of_place = self.terms.earlier.iter().filter(|(at, ..)| *at == place);
        let lasts = |(_, _, (y, m, _)): &&(Place, RecordCode, Day)| (*y, *m) >= (year, month);
        let due = of_place.filter(lasts).count();
        // Earlier states follow a person through a change of code, hence the sums.
        let (mut there, mut over) = (0, 0);
        for (_, held) in store.residents_after(0, usize::MAX).map_err(unreadable)? {
            let code = held.identity.code;
            there += store.history(&code, usize::MAX).map_err(unreadable)?.len();
            let died = held.change.is_some_and(|c| c.reason == ChangeReason::Died);
            let short = died || role(place) == "municipality";
            let received = self.terms.received(place, &code);
            let ended = received
                .map(|day| after(day, YEARS))
                .is_some_and(|(y, m, _)| (y, m) < (year, month));
            over += usize::from(held.removed && short && ended);
        }
        if there != due {
            return wrong(format!("{there} earlier states, {due} within their term"));
        }
        if over > 0 {
            return wrong(format!("{over} deleted residents beyond their term"));
        }
        let lines = store.entries_from(0, usize::MAX).map_err(unreadable)?.len();
        let over_lines = (year, month) > PROVISIONS_END && lines > 0;
        if over_lines {
            return wrong(format!("{lines} lines of the ledger can still be read"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use law::inquiry::LastChange;
    use law::people::{Address, BirthDate, FourItems, IdentityInformation, Kana, Name, Sex};
    use node::ports::HistoryRow;

    const NOW: Timestamp = Timestamp(1_795_305_600_000);

    fn held(reason: ChangeReason, removed: bool) -> Held {
        Held {
            identity: IdentityInformation {
                code: RecordCode::from_ten_digits(7).unwrap(),
                items: FourItems {
                    name: Name::parse("山田　太郎").unwrap(),
                    kana: Kana::parse("ヤマダ　タロウ").unwrap(),
                    address: Address::parse("東京都国立市谷保1番1号").unwrap(),
                    sex: Sex::Male,
                    birth: BirthDate::parse("1960-01-01").unwrap(),
                },
                municipality: law::code::LocalGovernmentCode::parse("132152").unwrap(),
                other_names: law::people::OtherNames::default(),
            },
            change: Some(LastChange {
                reason,
                on: Date::parse("2021-01-01").unwrap(),
                foreign: false,
            }),
            removed,
        }
    }

    fn replaced(before: Held, until: &str) -> Write {
        let (code, reason) = (before.identity.code, ChangeReason::MovedWithin);
        let on = Date::parse("2021-02-01").unwrap();
        let row = HistoryRow { before, reason, on, recorded_at: NOW };
        Write::AppendHistory { code, row, until: Date::parse(until).unwrap() }
    }

    #[test]
    fn days_and_terms_are_those_of_the_civil_code() {
        assert_eq!(today(NOW), (2026, 11, 22));
        for days in [-1, 0, 59, 11_016, 19_000, 20_000, 40_000] {
            assert_eq!(days_since(day_of(days)), days);
        }
        assert_eq!((day_of(0), day_of(11_016)), ((1970, 1, 1), (2000, 2, 29)));
        assert_eq!(after((2026, 11, 22), 5), (2031, 11, 22));
        assert_eq!(after((2024, 2, 28), 5), (2029, 2, 28));
        assert_eq!(after((2023, 12, 31), 5), (2028, 12, 31));
    }

    #[test]
    fn a_term_off_by_one_day_is_found() {
        let before = held(ChangeReason::Born, false);
        let writes = |until| [replaced(before.clone(), until)];
        let mut checker = Checker::default();
        assert_eq!(checker.terms_written(0, NOW, &writes("2031-11-22")), Ok(()));
        for until in ["2031-11-21", "2031-11-23", "2026-11-22", "2106-11-22"] {
            let found = checker.terms_written(0, NOW, &writes(until)).unwrap_err();
            assert_eq!(found.rule, "retention", "{until}");
        }
    }

    #[test]
    fn a_deletion_waits_eighty_years_above_and_five_at_the_municipality() {
        let gone = held(ChangeReason::MovedOut, true);
        let writes = |until: &str, held: &Held| {
            let (code, until) = (held.identity.code, Date::parse(until).ok());
            [Write::PutResident(held.clone()), Write::ExpireResident { code, until }]
        };
        let rule = |place, until, held| {
            Checker::default().terms_written(place, NOW, &writes(until, held)).err().map(|v| v.rule)
        };
        assert_eq!(rule(0, "2106-11-22", &gone), None);
        assert_eq!(rule(3, "2031-11-22", &gone), None);
        assert_eq!(rule(0, "2031-11-22", &gone), Some("retention"));
        assert_eq!(rule(3, "2106-11-22", &gone), Some("retention"));
        let died = held(ChangeReason::Died, true);
        assert_eq!(rule(1, "2031-11-22", &died), None);
        assert_eq!(rule(1, "2106-11-22", &died), Some("retention"));
    }
}
