//! Five seconds of fixed work before and after a run, so that a figure tells how noisy its machine
//! was: P-256, fdatasync of 4 KiB, random reads of memory.

use std::fs::OpenOptions;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::Duration;

use hdrhistogram::Histogram;
use p256::ecdsa::SigningKey;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use serde_json::{Value, json};

use super::{LiveError, clock, dice};

/// Time for each of the three parts.
const PART: Duration = Duration::from_millis(1_660);
/// Larger than the caches a virtual machine usually gets.
const MEMORY_WORDS: usize = 16 << 20;
const BLOCK_BYTES: usize = 4_096;
/// Blocks of the file that is written round and round: preallocated, as a log would be.
const BLOCKS: u64 = 4_096;

/// What the fixed work gave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Calibration {
    pub(crate) signs_per_second: f64,
    pub(crate) verifies_per_second: f64,
    pub(crate) fdatasync_p50_us: u64,
    pub(crate) fdatasync_p99_us: u64,
    pub(crate) reads_ns: f64,
}

impl Calibration {
    /// Five seconds of work, with its file in `folder`.
    pub(crate) fn take(folder: &Path) -> Result<Self, LiveError> {
        let (signs_per_second, verifies_per_second) = signatures();
        let (fdatasync_p50_us, fdatasync_p99_us) = syncs(&folder.join("jukilab-calibration"))?;
        let reads_ns = reads();
        Ok(Self {
            signs_per_second,
            verifies_per_second,
            fdatasync_p50_us,
            fdatasync_p99_us,
            reads_ns,
        })
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "p256_signs_per_second": self.signs_per_second.round(),
            "p256_verifies_per_second": self.verifies_per_second.round(),
            "fdatasync_4k_p50_us": self.fdatasync_p50_us,
            "fdatasync_4k_p99_us": self.fdatasync_p99_us,
            "random_read_ns": (self.reads_ns * 10.0).round() / 10.0,
        })
    }

    /// The largest relative change of a median figure against an earlier calibration.
    #[allow(clippy::cast_precision_loss, reason = "microseconds of one system call")]
    pub(crate) fn drift_from(&self, before: &Self) -> (f64, &'static str) {
        let change = |now: f64, then: f64| if then > 0.0 { (now / then - 1.0).abs() } else { 0.0 };
        [
            (change(self.signs_per_second, before.signs_per_second), "signing"),
            (change(self.verifies_per_second, before.verifies_per_second), "verifying"),
            (change(self.fdatasync_p50_us as f64, before.fdatasync_p50_us as f64), "fdatasync"),
            (change(self.reads_ns, before.reads_ns), "random reads"),
        ]
        .into_iter()
        .fold((0.0, "nothing"), |most, part| if part.0 > most.0 { part } else { most })
    }
}

/// Verifications a second on one core: what bounds whoever must verify each inquiry.
pub(crate) fn verifications_per_second() -> f64 {
    signatures().1
}

/// Repeats `work` for `time`; how often a second.
fn rate(time: Duration, mut work: impl FnMut()) -> f64 {
    let start = clock::monotonic();
    let mut times = 0_u32;
    loop {
        work();
        times += 1;
        let elapsed = start.elapsed();
        if elapsed >= time {
            return f64::from(times) / elapsed.as_secs_f64();
        }
    }
}

/// The card's own signature (deterministic, in Rust) and the center's verification.
fn signatures() -> (f64, f64) {
    let Ok(key) = SigningKey::from_slice(&[7; 32]) else { return (0.0, 0.0) };
    let digest = [0x5a; 32];
    let signed = |digest: &[u8; 32]| -> Option<[u8; 64]> {
        let signature: p256::ecdsa::Signature = key.sign_prehash(digest).ok()?;
        Some(signature.to_bytes().into())
    };
    let point = key.verifying_key().to_sec1_point(false);
    let (Some(signature), Ok(public)) = (signed(&digest), <[u8; 65]>::try_from(point.as_bytes()))
    else {
        return (0.0, 0.0);
    };
    let signs = rate(PART / 2, || {
        std::hint::black_box(signed(std::hint::black_box(&digest)));
    });
    let verifies = rate(PART / 2, || {
        std::hint::black_box(token::verify::p256_digest(&public, &digest, &signature));
    });
    (signs, verifies)
}

fn syncs(path: &Path) -> Result<(u64, u64), LiveError> {
    let failed = LiveError::file(path);
    let measured = (|| -> std::io::Result<(u64, u64)> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
        let block = [0x5a; BLOCK_BYTES];
        for _ in 0..BLOCKS {
            file.write_all(&block)?;
        }
        file.sync_all()?;
        let mut times = histogram();
        let end = clock::monotonic() + PART;
        let mut at = 0;
        while clock::monotonic() < end {
            file.seek(SeekFrom::Start(at % BLOCKS * 4_096))?;
            file.write_all(&block)?;
            let start = clock::monotonic();
            file.sync_data()?;
            times.saturating_record(clock::micros(start.elapsed()));
            at += 1;
        }
        Ok((times.value_at_quantile(0.5), times.value_at_quantile(0.99)))
    })();
    let _ = std::fs::remove_file(path);
    measured.map_err(failed)
}

/// Microseconds up to a minute, three digits.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).unwrap_or_else(|_| {
        // Three digits within a minute is always a lawful histogram.
        std::process::abort()
    })
}

/// Each read depends on the one before: nanoseconds per read.
fn reads() -> f64 {
    let mut words = vec![0_u64; MEMORY_WORDS];
    let mut state = u64::from_le_bytes(dice::array());
    for word in &mut words {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        *word = state >> 20;
    }
    let (mut place, mut step) = (0_u64, 0_u64);
    let per_second = rate(PART, || {
        for _ in 0..1_000 {
            // The step keeps the walk from falling into a short circle that would fit a cache.
            step = step.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let at = usize::try_from((place ^ step) >> 20).unwrap_or(0) % MEMORY_WORDS;
            place = words.get(at).copied().unwrap_or(0).wrapping_mul(0x2545_f491_4f6c_dd1d);
        }
    });
    std::hint::black_box(place);
    1e9 / (per_second * 1_000.0).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drift_is_the_largest_relative_change() {
        let before = Calibration {
            signs_per_second: 1_000.0,
            verifies_per_second: 2_000.0,
            fdatasync_p50_us: 100,
            fdatasync_p99_us: 1_000,
            reads_ns: 50.0,
        };
        let after = Calibration { fdatasync_p50_us: 130, fdatasync_p99_us: 9_000, ..before };
        let (drift, part) = after.drift_from(&before);
        assert!((drift - 0.3).abs() < 1e-9 && part == "fdatasync");
        assert!(before.drift_from(&before).0 < 1e-9);
    }
}
