//! Pools of record codes (住民票コードの指定): how many a municipality gets, when it should ask for more,
//! and how codes are drawn (法30条の2, 30条の7; 規則14, 15条).
//!
//! Drawing is arithmetic over entropy that is handed in; whether a code was designated before is
//! for whoever keeps the record of them to say.

use thiserror::Error;

use crate::code::RecordCode;

/// Ten-digit numbers there are.
pub const NUMBERS_COUNT: u64 = 10_000_000_000;
/// Most codes of one designation.
pub const DESIGNATION_CODES_COUNT_MAX: usize = 10_000;
/// Entropy of one try, bytes. The low 40 bits are the draw.
pub const TRY_BYTES: usize = 5;

/// The greatest multiple of [`NUMBERS_COUNT`] that five bytes can say: what lies beyond is thrown
/// again, or small numbers would come more often.
const FAIR_BELOW: u64 = ((1 << 40) / NUMBERS_COUNT) * NUMBERS_COUNT;

/// Residents up to which a municipality holds this many codes ready. About two years of births and
/// first entries, 「当該都道府県の区域内の市町村の人口等を勘案し」 (法30条の7): 0.8 % of the residents are
/// born in a year, changes on request come on top. The figures are the project's own.
const READY_BY_RESIDENTS: [(u64, usize); 6] = [
    (2_000, 50),
    (10_000, 200),
    (50_000, 1_000),
    (200_000, 4_000),
    (400_000, 8_000),
    (u64::MAX, DESIGNATION_CODES_COUNT_MAX),
];

/// Why no codes could be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DrawError {
    #[error("the entropy ran out before enough unused codes were drawn; draw again with more")]
    EntropyExhausted,
}

/// How many codes a municipality of so many residents holds ready.
#[must_use]
pub fn ready_for(residents: u64) -> usize {
    let row = READY_BY_RESIDENTS.iter().find(|(up_to, _)| residents <= *up_to);
    row.map_or(DESIGNATION_CODES_COUNT_MAX, |(_, ready)| *ready)
}

/// How many codes a municipality asks for now, if any: it fills its pool up when less than half of
/// what it should hold is left (規則14条2項: when it foresees a shortage).
#[must_use]
pub fn wanted(residents: u64, left: u64) -> Option<usize> {
    let ready = ready_for(residents);
    let left = usize::try_from(left).unwrap_or(usize::MAX);
    (left < ready / 2).then(|| ready.saturating_sub(left)).filter(|count| *count > 0)
}

/// Entropy for a draw of so many codes, bytes: one try in a hundred is thrown again for fairness,
/// and a code of 1.3 in a hundred is in use when every resident of Japan has one.
#[must_use]
pub const fn entropy_for(count: usize) -> usize {
    (count + count / 16 + 64) * TRY_BYTES
}

/// Draw `count` codes, each ten-digit number as likely as any other, whatever was drawn before and
/// whoever asks (規則1条: 無作為に作成された十けたの数字). `used` says whether a code was designated or
/// written before; such a one is passed over, and none comes twice.
///
/// # Errors
/// [`DrawError::EntropyExhausted`] when the bytes do not suffice, or the error of `used`.
pub fn draw<E: From<DrawError>>(
    entropy: &[u8],
    count: usize,
    mut used: impl FnMut(&RecordCode) -> Result<bool, E>,
) -> Result<Vec<RecordCode>, E> {
    let mut drawn = Vec::with_capacity(count.min(DESIGNATION_CODES_COUNT_MAX));
    let mut here = std::collections::BTreeSet::new();
    for number in numbers(entropy) {
        if drawn.len() >= count {
            break;
        }
        let Ok(code) = RecordCode::from_ten_digits(number) else { continue };
        if !here.contains(&code) && !used(&code)? {
            here.insert(code);
            drawn.push(code);
        }
    }
    if drawn.len() < count { Err(DrawError::EntropyExhausted.into()) } else { Ok(drawn) }
}

/// The ten-digit numbers that these bytes make, by rejection: uniform when the bytes are.
pub fn numbers(entropy: &[u8]) -> impl Iterator<Item = u64> {
    entropy.chunks_exact(TRY_BYTES).filter_map(|bytes| {
        let value = bytes.iter().fold(0, |value, byte| (value << 8) | u64::from(*byte));
        (value < FAIR_BELOW).then_some(value % NUMBERS_COUNT)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Splitmix64: enough for a test that only needs bytes without a pattern.
    fn entropy(mut seed: u64, bytes: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes + 8);
        while out.len() < bytes {
            seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = seed;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            out.extend((mixed ^ (mixed >> 31)).to_le_bytes());
        }
        out.truncate(bytes);
        out
    }

    fn unused(_: &RecordCode) -> Result<bool, DrawError> {
        Ok(false)
    }

    #[test]
    fn a_draw_gives_codes_with_their_check_digit_and_none_twice() {
        let bytes = entropy(1, entropy_for(5_000));
        let codes = draw(&bytes, 5_000, unused).unwrap();
        let distinct: std::collections::BTreeSet<_> = codes.iter().collect();
        assert_eq!(distinct.len(), 5_000);
        assert!(codes.iter().all(|code| RecordCode::parse(code.expose()).is_ok()));
        // The same bytes said twice are the same numbers twice; the second is passed over.
        let twice = [&bytes[..50], &bytes[..50], &bytes[50..]].concat();
        assert_eq!(draw(&twice, 5_000, unused).unwrap(), codes);
    }

    #[test]
    fn what_was_designated_before_is_passed_over() {
        let bytes = entropy(2, entropy_for(200));
        let all = draw(&bytes, 200, unused).unwrap();
        let (gone, rest) = all.split_at(100);
        let codes = draw::<DrawError>(&bytes, 100, |code| Ok(gone.contains(code))).unwrap();
        assert_eq!(codes, rest);
        let none = draw::<DrawError>(&bytes, 100, |_| Ok(true));
        assert_eq!(none, Err(DrawError::EntropyExhausted));
        assert_eq!(draw(&bytes[..4], 1, unused), Err(DrawError::EntropyExhausted));
    }

    #[test]
    fn what_would_favour_small_numbers_is_thrown_again() {
        assert_eq!(FAIR_BELOW, 1_090_000_000_000);
        let bytes = |value: u64| value.to_be_bytes()[3..].to_vec();
        let said = |value| numbers(&bytes(value)).next();
        assert_eq!(said(0), Some(0));
        assert_eq!(said(NUMBERS_COUNT - 1), Some(NUMBERS_COUNT - 1));
        assert_eq!(said(NUMBERS_COUNT), Some(0));
        assert_eq!(said(FAIR_BELOW - 1), Some(NUMBERS_COUNT - 1));
        assert_eq!(said(FAIR_BELOW), None);
        assert_eq!(said((1 << 40) - 1), None);
    }

    #[test]
    fn a_pool_grows_with_the_municipality_and_is_filled_before_it_is_empty() {
        for (residents, ready) in [
            (0, 50),
            (2_000, 50),
            (2_001, 200),
            (70_000, 4_000),
            (400_000, 8_000),
            (3_700_000, 10_000),
        ] {
            assert_eq!(ready_for(residents), ready);
            assert_eq!(wanted(residents, 0), Some(ready));
            assert_eq!(wanted(residents, ready as u64 / 2), None);
            assert_eq!(wanted(residents, ready as u64 / 2 - 1), Some(ready / 2 + 1));
            assert_eq!(wanted(residents, u64::MAX), None);
        }
    }
}
