//! Months of expiry: which retention cohort a row belongs to. No erasure happens here.

use law::time::{Date, Timestamp};

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
        Self::of_date(at.date_in_japan())
    }

    /// The cohort of a row whose last day of keeping this is: it may be erased once the cohort's
    /// month has ended, so never early.
    pub fn of_date(date: Date) -> Self {
        Self(i32::from(date.year()) * 12 + i32::from(date.month()) - 1)
    }

    /// Its year.
    pub fn year(self) -> u32 {
        u32::try_from(self.0.div_euclid(12)).unwrap_or(0)
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
