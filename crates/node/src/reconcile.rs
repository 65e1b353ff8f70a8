//! Continuous reconciliation (継続的照合): municipality and prefecture, prefecture and center compare
//! what they hold, find the one person who differs, withhold, repair and record it.
//!
//! The historic system did this with printed lists. Here the tier below asks the tier above every
//! half minute for one number about a whole municipality and follows a difference down, sixteen
//! parts at a time. Nothing but digests under a key of the day travels until a person is repaired.

mod answerer;
mod asker;
mod forest;
mod tree;
mod unsettled;

pub(crate) use answerer::{Answering, Withheld, withheld_before};
pub(crate) use asker::{Asking, Here};
pub(crate) use forest::Forest;

/// How often the tiers compare, milliseconds: what goes wrong is found and repaired within a
/// minute.
pub const COMPARE_EVERY_MS: u64 = 30_000;
/// Bounds of what may be configured, milliseconds.
pub const COMPARE_EVERY_MS_MIN: u64 = 1_000;
pub const COMPARE_EVERY_MS_MAX: u64 = 3_600_000;

/// What is configured, within its bounds.
pub(crate) const fn bounded(every_ms: u64) -> u64 {
    if every_ms < COMPARE_EVERY_MS_MIN {
        COMPARE_EVERY_MS_MIN
    } else if every_ms > COMPARE_EVERY_MS_MAX {
        COMPARE_EVERY_MS_MAX
    } else {
        every_ms
    }
}
