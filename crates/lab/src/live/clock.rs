//! The laboratory's clock, for live runs only: the simulator has its own time.

use std::time::{Duration, Instant};

use law::time::Timestamp;

/// Now, in milliseconds since the Unix epoch: what a terminal writes into an inquiry.
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp(since.map_or(0, |elapsed| u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)))
}

/// Now, in microseconds since the Unix epoch: the tracer's clock.
pub(crate) fn now_us() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, micros)
}

/// A point on the steady clock.
pub(crate) fn monotonic() -> Instant {
    Instant::now()
}

/// Sleeps until a point on the steady clock; the system's slack is about 50 µs.
pub(crate) fn sleep_until(point: Instant) {
    let left = point.saturating_duration_since(monotonic());
    if !left.is_zero() {
        std::thread::sleep(left);
    }
}

/// Whole microseconds, for histograms.
pub(crate) fn micros(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)
}
