//! How long a record may be kept: by tier, by epoch, by what became of it. Pure dates; what is
//! destroyed, and how, is the store's.
//!
//! Terms begin with the day after that of receipt (民法140条) and end with the day before the
//! corresponding one, or with the last day of its month where there is none (民法143条2項). The day
//! that is returned is the last on which the record is kept: it goes after it, and never before.

use crate::affair::Epoch;
use crate::time::{Date, days_in_month};

/// Superseded and deleted records, then (令30条の6, 30条の11, 34条; S1: 保存期間五年).
pub const THEN_YEARS: u16 = 5;
/// Deletions that nothing followed, then (令30条の6第2号, 30条の11第2号).
pub const UNRESOLVED_YEARS: u16 = 80;
/// Everything, today (令30条の6, 30条の7, 34条 as amended).
pub const TODAY_YEARS: u16 = 150;
/// Written notifications and notices received (令34条: 届出書その他の書類).
pub const DOCUMENT_YEARS: u16 = 1;
/// Provision records and operation logs: the longest published practice (Gifu, Osaka; 三股町 rule
/// 5条). No article fixes it.
pub const PROVISION_YEARS: u16 = 7;

/// Who keeps the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tier {
    /// 市町村 (令34条).
    Municipality,
    /// 都道府県 (令30条の6).
    Prefecture,
    /// 指定情報処理機関, today 機構 (令30条の11, today 30条の7).
    Center,
}

impl Tier {
    pub const ALL: [Self; 3] = [Self::Municipality, Self::Prefecture, Self::Center];

    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Municipality => "municipality",
            Self::Prefecture => "prefecture",
            Self::Center => "center",
        }
    }

    /// The article that sets this tier's terms.
    #[must_use]
    pub const fn article(self, epoch: Epoch) -> &'static str {
        match (self, epoch) {
            (Self::Municipality, _) => "令34条",
            (Self::Prefecture, _) => "令30条の6",
            (Self::Center, Epoch::Founding) => "令30条の11",
            (Self::Center, Epoch::Today) => "令30条の7",
        }
    }
}

/// Whose terms apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Regime {
    pub tier: Tier,
    pub epoch: Epoch,
}

/// What followed a deletion other than by death, as far as it is known: each the day on which this
/// tier learned it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sequel {
    /// The next notice about the same person.
    pub next_notice: Option<Date>,
    /// 転出確定通知 (法9条1項, 令13条3項): the person was entered where she moved to.
    pub departure_confirmed: Option<Date>,
    /// That the person was recorded elsewhere for the first time.
    pub recorded_elsewhere: Option<Date>,
}

impl Regime {
    /// A record that the notice received on `next` replaced: an entry or a correction, whose term
    /// begins with the next notice (令30条の6第1号, 30条の11第1号).
    #[must_use]
    pub fn superseded(self, next: Date) -> Date {
        years_after(next, self.years())
    }

    /// A record deleted by death, by the notice received on `notice`.
    #[must_use]
    pub fn died(self, notice: Date) -> Date {
        years_after(notice, self.years())
    }

    /// A record deleted otherwise, by the notice received on `notice`.
    ///
    /// Then, above the municipality, until the later of five years and the earliest of what may
    /// follow, with 80 years as the end of waiting: 国外転出者等 (令30条の6第2号, 30条の11第2号). The
    /// center is told of no confirmation, so there only the next notice counts.
    #[must_use]
    pub fn deleted(self, notice: Date, sequel: &Sequel) -> Date {
        let term = years_after(notice, self.years());
        if self.epoch == Epoch::Today || self.tier == Tier::Municipality {
            return term;
        }
        let told = match self.tier {
            Tier::Center => [sequel.next_notice, None, None],
            Tier::Prefecture | Tier::Municipality => {
                [sequel.next_notice, sequel.departure_confirmed, sequel.recorded_elsewhere]
            }
        };
        let end_of_waiting = years_after(notice, UNRESOLVED_YEARS);
        let resolved = told.into_iter().flatten().min().unwrap_or(end_of_waiting);
        term.max(resolved.min(end_of_waiting))
    }

    const fn years(self) -> u16 {
        match self.epoch {
            Epoch::Founding => THEN_YEARS,
            Epoch::Today => TODAY_YEARS,
        }
    }

    /// The shortest term after which any value of a register may have to be gone: no key that seals
    /// values of several terms may outlive its first use by more.
    #[must_use]
    pub const fn shortest_years(self) -> u16 {
        self.years()
    }
}

/// A written notification or notice received on `received` (令34条).
#[must_use]
pub fn document(received: Date) -> Date {
    years_after(received, DOCUMENT_YEARS)
}

/// A provision record or another entry of the ledger, written on `at`.
#[must_use]
pub fn provision(at: Date) -> Date {
    years_after(at, PROVISION_YEARS)
}

/// The day on which a term of `years` ends that begins with the day after `day`: the day before the
/// corresponding one, or the last of its month where there is none (民法143条2項).
fn years_after(day: Date, years: u16) -> Date {
    let Ok(first) = day.add_days(1) else { return day };
    let (year, month) = (first.year().saturating_add(years), first.month());
    let end = match Date::new(year, month, first.day()) {
        Ok(corresponding) => corresponding.add_days(-1),
        Err(_) => Date::new(year, month, days_in_month(year, month)),
    };
    // Only a term beyond the year 9999 has no end that can be written.
    end.unwrap_or(day)
}

/// The terms as a document: one line for each tier, epoch and fate of a record.
#[must_use]
pub fn table() -> String {
    let notice = Date::new(2008, 2, 29);
    let (Ok(notice), Ok(soon), Ok(late)) = (notice, Date::new(2009, 6, 1), Date::new(2020, 6, 1))
    else {
        return String::new();
    };
    let after = |next: Option<Date>, confirmed: Option<Date>, elsewhere: Option<Date>| Sequel {
        next_notice: next,
        departure_confirmed: confirmed,
        recorded_elsewhere: elsewhere,
    };
    let mut text = String::from(
        "How long a record is kept. The notice is received on 2008-02-29; what follows it, on\n\
         2009-06-01 (soon) or 2020-06-01 (late). Each line begins with the last day of keeping.\n",
    );
    let mut line = |head: &str, until: Date| text.push_str(&format!("{until}  {head}\n"));
    for epoch in Epoch::ALL {
        for tier in Tier::ALL {
            let regime = Regime { tier, epoch };
            let head = format!("{epoch} {} ({}): ", tier.key(), tier.article(epoch));
            let fates = [
                ("replaced on 2008-02-29", regime.superseded(notice)),
                ("deleted by death", regime.died(notice)),
                ("deleted, nothing follows", regime.deleted(notice, &Sequel::default())),
                (
                    "deleted, next notice soon",
                    regime.deleted(notice, &after(Some(soon), None, None)),
                ),
                (
                    "deleted, next notice late",
                    regime.deleted(notice, &after(Some(late), None, None)),
                ),
                ("deleted, confirmed soon", regime.deleted(notice, &after(None, Some(soon), None))),
                ("deleted, confirmed late", regime.deleted(notice, &after(None, Some(late), None))),
                (
                    "deleted, recorded elsewhere late",
                    regime.deleted(notice, &after(None, None, Some(late))),
                ),
            ];
            for (fate, until) in fates {
                line(&format!("{head}{fate}"), until);
            }
        }
    }
    line("any tier: written notification or notice (令34条)", document(notice));
    line("any tier: provision record, operation log (practice)", provision(notice));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Date {
        Date::parse(text).unwrap()
    }

    #[test]
    fn terms_end_with_the_corresponding_day_or_the_last_of_its_month() {
        assert_eq!(years_after(day("2003-11-22"), 5), day("2008-11-22"));
        assert_eq!(years_after(day("2008-02-29"), 5), day("2013-02-28"));
        assert_eq!(years_after(day("2008-02-29"), 80), day("2088-02-29"));
        assert_eq!(years_after(day("2007-02-28"), 5), day("2012-02-29"));
        assert_eq!(years_after(day("2008-02-28"), 5), day("2013-02-28"));
        assert_eq!(years_after(day("2003-12-31"), 5), day("2008-12-31"));
        assert_eq!(years_after(day("9990-01-01"), 80), day("9990-01-01"));
    }

    #[test]
    fn a_deletion_waits_for_what_may_follow_but_never_less_than_its_term() {
        let then = |tier| Regime { tier, epoch: Epoch::Founding };
        let notice = day("2008-03-01");
        let both = Sequel {
            next_notice: Some(day("2030-01-01")),
            departure_confirmed: Some(day("2008-03-20")),
            recorded_elsewhere: None,
        };
        assert_eq!(then(Tier::Prefecture).deleted(notice, &both), day("2013-03-01"));
        assert_eq!(then(Tier::Center).deleted(notice, &both), day("2030-01-01"));
        assert_eq!(then(Tier::Municipality).deleted(notice, &Sequel::default()), day("2013-03-01"));
        let never = Sequel { next_notice: Some(day("2100-01-01")), ..Sequel::default() };
        for tier in [Tier::Prefecture, Tier::Center] {
            assert_eq!(then(tier).deleted(notice, &Sequel::default()), day("2088-03-01"));
            assert_eq!(then(tier).deleted(notice, &never), day("2088-03-01"));
        }
        let today = Regime { tier: Tier::Center, epoch: Epoch::Today };
        assert_eq!(today.deleted(notice, &both), day("2158-03-01"));
    }
}
