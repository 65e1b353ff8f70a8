//! Months of expiry: which retention cohort a row belongs to. No erasure happens here.

use law::time::Timestamp;

/// Identity confirmation information that stood before a change is kept five years from the notice
/// that replaced it (住民基本台帳法施行令30条の6 for prefectures, 30条の11 for the center; S1: 保存期間五年).
pub const HISTORY_RETENTION_MONTHS: i32 = 5 * 12;

/// Ledger entries: seven years, the longest published term of a provision-disclosure log (Gifu,
/// Osaka) and of an operation log (三股町 rule 5条).
pub const ENTRY_RETENTION_MONTHS: i32 = 7 * 12;

/// A calendar month in Japan, counted from year 0: the name of a retention cohort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(i32);

impl Month {
    /// `month` is 1 to 12.
    pub fn new(year: u16, month: u8) -> Option<Self> {
        (1..=12).contains(&month).then(|| Self(i32::from(year) * 12 + i32::from(month) - 1))
    }

    /// Reads `2031-11`.
    pub fn parse(text: &str) -> Option<Self> {
        let (year, month) = text.split_once('-')?;
        Self::new(year.parse().ok()?, month.parse().ok()?)
    }

    /// The month in which a moment falls, Japan time.
    pub fn of(at: Timestamp) -> Self {
        let date = at.date_in_japan();
        Self(i32::from(date.year()) * 12 + i32::from(date.month()) - 1)
    }

    /// The cohort of a row written at `at` and kept `months` full months: the row may be erased
    /// once the cohort's month has ended, so never early.
    pub(crate) fn of_expiry(at: Timestamp, months: i32) -> Self {
        Self(Self::of(at).0.saturating_add(months))
    }

    pub(crate) fn number(self) -> i32 {
        self.0
    }

    pub(crate) fn from_number(number: i32) -> Self {
        Self(number)
    }
}

impl std::fmt::Display for Month {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}", self.0.div_euclid(12), self.0.rem_euclid(12) + 1)
    }
}
