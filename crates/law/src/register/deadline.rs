//! Terms: within how many days something is filed, and how long a deleted record is kept.
//! Not a calendar of holidays: a term that ends on one ends a day or more later (民法142条).

use crate::affair::Epoch;
use crate::time::{Date, DateError};

use super::filing::{Act, Filing, Origin};
use super::item::Item;

/// 転入・転居・世帯変更: 「した日から十四日以内」; the first day does not count (民法140条).
pub(super) const FILING_DAYS: i64 = 14;

/// A filing after its term. Whoever has no good reason pays up to 50,000 yen 過料 (法53条2項); that
/// is the court's to say (54条), the register only notes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lateness {
    pub article: &'static str,
    /// The last day on which it would have been in time.
    pub due: Date,
    pub days: i64,
}

/// Whether a filing came too late, by the article under which it is filed.
pub(super) fn lateness(filing: &Filing) -> Result<Option<Lateness>, DateError> {
    let (article, happened, days) = match &filing.act {
        Act::MovingIn { moved_on, from, persons } => {
            let foreign = persons.iter().any(|each| each.items.has(Item::Nationality));
            let article = match from {
                Origin::NewStatus => "法30条の47",
                Origin::Abroad { .. } if foreign => "法30条の46",
                _ => "法22条1項",
            };
            (article, *moved_on, FILING_DAYS)
        }
        Act::MovingWithin { moved_on, .. } => ("法23条", *moved_on, FILING_DAYS),
        Act::HouseholdChange { changed_on, .. } => ("法25条", *changed_on, FILING_DAYS),
        // 「あらかじめ」: on the day itself at the latest.
        Act::MovingOut { leaving_on, .. } => ("法24条", *leaving_on, 0),
        _ => return Ok(None),
    };
    let due = happened.add_days(days)?;
    let days = filing.filed_on.day_number() - due.day_number();
    Ok((days > 0).then_some(Lateness { article, due, days }))
}

/// The last day on which a deleted record (除票) is kept: five years (令34条1項), today 150.
///
/// # Errors
/// When that day lies beyond the calendar of this program.
pub fn deleted_kept_until(deleted_on: Date, epoch: Epoch) -> Result<Date, DateError> {
    let years = match epoch {
        Epoch::Founding => 5,
        Epoch::Today => 150,
    };
    let year = deleted_on.year().saturating_add(years);
    // A term that began on 29 February ends on the last day of that month (民法143条2項).
    Date::new(year, deleted_on.month(), deleted_on.day())
        .or_else(|_| Date::new(year, deleted_on.month(), 28))
}
