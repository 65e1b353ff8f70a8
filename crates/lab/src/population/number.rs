//! Numbers of the synthetic residents: record codes, a keyed permutation of the row counter, and
//! household numbers.
//!
//! Real codes are drawn at random without repetition (規則1条: 無作為に作成された十けたの数字). A
//! permutation of 0..10¹⁰ gives the same look with no memory of what was drawn before. It is no
//! cipher: the codes are invented, nobody is protected by it.

use std::fmt::Write as _;

use crate::draw::Draw;

/// Half of the ten digits.
const HALF_DIGITS_RANGE: u64 = 100_000;

/// Rounds of the Feistel network; four would do for looks, six mixes every digit.
const ROUNDS_COUNT: usize = 6;

/// Stream of the round keys; municipality streams are numbered by their codes and begin at 10,006.
const ROUND_KEY_STREAM: u64 = 1;

/// Gives each counter value below 10¹⁰ a ten-digit number of its own.
#[derive(Debug)]
pub(crate) struct Permutation([u64; ROUNDS_COUNT]);

impl Permutation {
    pub(crate) fn new(seed: u64) -> Self {
        let mut draw = Draw::new(super::SEED_LABEL, seed, ROUND_KEY_STREAM);
        Self(std::array::from_fn(|_| draw.long()))
    }

    /// Balanced Feistel network over pairs of five digits, additions modulo 10⁵.
    pub(crate) fn number(&self, counter: u64) -> u64 {
        let mut left = counter / HALF_DIGITS_RANGE % HALF_DIGITS_RANGE;
        let mut right = counter % HALF_DIGITS_RANGE;
        for key in self.0 {
            let next = (left + mix(key ^ right) % HALF_DIGITS_RANGE) % HALF_DIGITS_RANGE;
            left = right;
            right = next;
        }
        left * HALF_DIGITS_RANGE + right
    }
}

/// Writes a household's number: that of its municipality, then its place there.
pub(crate) fn household(municipality: &str, nth: u64, out: &mut String) {
    out.clear();
    // Writing to a String cannot fail.
    write!(out, "{municipality}-{nth:07}").unwrap_or(());
}

/// The finaliser of SplitMix64: every bit of the input moves every bit of the output.
fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_number_comes_twice() {
        let permutation = Permutation::new(2003);
        let seen: BTreeSet<u64> = (0..100_000).map(|n| permutation.number(n)).collect();
        assert_eq!(seen.len(), 100_000);
        assert!(seen.iter().all(|n| *n < 10_000_000_000));
        assert_ne!(Permutation::new(1).number(0), Permutation::new(2).number(0));
    }
}
