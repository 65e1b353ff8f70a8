//! The clock: the one place of the shipped binary that asks the machine what time it is.
//! Not a timer (tokio has those) and never a source of order: order comes from sequences.

use law::time::Timestamp;

/// Now, in milliseconds since the Unix epoch.
///
/// A clock set before 1970 reads as zero: every time window then refuses, which is the safe side.
#[must_use]
pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp(since.map_or(0, |elapsed| u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)))
}

/// A point on the machine's steady clock, for waits and intervals only.
#[must_use]
pub fn monotonic() -> std::time::Instant {
    std::time::Instant::now()
}
