//! Random draws: seeded ChaCha8 streams, integers only.
//!
//! Nothing here may depend on the machine: no floating point, no hash order, no word size.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Separates one use of a seed number from every other.
pub(crate) type SeedLabel = [u8; 24];

/// A stream of draws.
#[derive(Debug)]
pub(crate) struct Draw(ChaCha8Rng);

impl Draw {
    /// The stream `stream` of the world `seed`; streams of one seed are independent.
    pub(crate) fn new(label: SeedLabel, seed: u64, stream: u64) -> Self {
        let mut key = [0_u8; 32];
        let (head, tail) = key.split_at_mut(8);
        head.copy_from_slice(&seed.to_le_bytes());
        tail.copy_from_slice(&label);
        let mut generator = ChaCha8Rng::from_seed(key);
        generator.set_stream(stream);
        Self(generator)
    }

    pub(crate) fn word(&mut self) -> u32 {
        self.0.next_u32()
    }

    pub(crate) fn long(&mut self) -> u64 {
        self.0.next_u64()
    }

    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    /// A number below `bound`; 0 when `bound` is 0. The bias of the multiplication is below 2⁻¹⁰
    /// of a person for every bound used here.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        let wide = u64::from(self.word()) * u64::from(bound);
        u32::try_from(wide >> 32).unwrap_or(0)
    }

    /// A number of `low..=high`.
    pub(crate) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// True `rate` times in a thousand.
    pub(crate) fn permille(&mut self, rate: u32) -> bool {
        self.below(1_000) < rate
    }

    /// One of the items; `None` only of an empty slice.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let bound = u32::try_from(items.len()).unwrap_or(u32::MAX);
        items.get(usize::try_from(self.below(bound)).unwrap_or(0))
    }
}

/// Weighted choice by one draw and one look-up: the weights are spread over a table of equal slots.
#[derive(Debug)]
pub(crate) struct Wheel(Vec<u16>);

/// Slots of a wheel. Weights of a smaller sum get a slot for each unit and are met exactly; larger
/// ones are rounded.
const WHEEL_SLOTS_COUNT_MAX: u64 = 65_536;

impl Wheel {
    /// A wheel over `weights`; item `i` gets its share of the slots, rounded by running totals.
    pub(crate) fn new(weights: &[u32]) -> Self {
        let total = weights.iter().map(|w| u64::from(*w)).sum::<u64>().max(1);
        let wanted = total.min(WHEEL_SLOTS_COUNT_MAX);
        let mut slots = Vec::with_capacity(usize::try_from(wanted).unwrap_or(0));
        let mut sum = 0_u64;
        for (index, weight) in weights.iter().enumerate() {
            sum += u64::from(*weight);
            let end = usize::try_from(sum * wanted / total).unwrap_or(usize::MAX);
            slots.resize(end.max(slots.len()), u16::try_from(index).unwrap_or(u16::MAX));
        }
        Self(slots)
    }

    pub(crate) fn spin(&self, draw: &mut Draw) -> usize {
        draw.pick(&self.0).map_or(0, |index| usize::from(*index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_and_repeat() {
        let take = |seed, stream| {
            let mut draw = Draw::new(*b"a test of the draws/1\0\0\0", seed, stream);
            [draw.word(), draw.word(), draw.below(10)]
        };
        assert_eq!(take(1, 1), take(1, 1));
        assert_ne!(take(1, 1), take(1, 2));
        assert_ne!(take(1, 1), take(2, 1));
    }

    #[test]
    fn a_wheel_follows_its_weights() {
        let wheel = Wheel::new(&[1, 0, 3]);
        let mut draw = Draw::new([0; 24], 7, 0);
        let mut seen = [0_u32; 3];
        for _ in 0..40_000 {
            seen[wheel.spin(&mut draw)] += 1;
        }
        assert_eq!(seen[1], 0);
        assert!((9_600..10_400).contains(&seen[0]), "{seen:?}");
    }
}
