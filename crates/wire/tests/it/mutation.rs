//! Goldens broken in every single bit, and in 200,000 random ways: nothing panics, and whatever is
//! still taken is exactly its own encoding. One seed, so that a failure repeats.

use crate::golden::{self, Golden};
use wire::{FrameDecoder, NodeId};

/// Unoptimized and on a busy machine this takes some seconds; more is for the fuzzer.
const MUTATIONS_COUNT: usize = 200_000;
const SEED: u64 = 0x6a75_6b69_0001;

/// splitmix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// True if the bytes were taken; then they must be the canonical ones.
fn taken(golden: &Golden, bytes: &[u8]) -> bool {
    match (golden.again)(bytes) {
        Some(again) => {
            assert_eq!(again, bytes, "{} took a second encoding", golden.file);
            true
        }
        None => false,
    }
}

#[test]
fn every_flipped_bit_is_refused_or_canonical() {
    for golden in golden::all() {
        let mut bytes = golden.bytes.clone();
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            taken(&golden, &bytes);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

fn mutate(random: &mut Random, bytes: &mut Vec<u8>, other: &[u8]) {
    const INTERESTING: [u8; 8] = [0x00, 0x01, 0x7f, 0x80, 0xff, 0x0a, 0x12, 0x30];
    let at = random.below(bytes.len());
    let length = random.below(16).min(bytes.len() - at);
    match random.below(8) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = random.next() as u8,
        2 => bytes[at] = INTERESTING[random.below(INTERESTING.len())],
        3 => drop(bytes.drain(at..at + length)),
        4 => {
            let copy = bytes[at..at + length].to_vec();
            bytes.splice(at..at, copy).for_each(drop);
        }
        5 => {
            let from = random.below(other.len());
            let upto = (from + random.below(32)).min(other.len());
            bytes.splice(at..at + length, other[from..upto].iter().copied()).for_each(drop);
        }
        6 => bytes.truncate(at + 1),
        _ => bytes.insert(at, random.next() as u8),
    }
    // A length that fits lets the mutation reach what is behind it.
    if random.below(2) == 0 && bytes.len() > 4 {
        let length = u32::try_from(bytes.len() - 4).unwrap_or(0);
        bytes[..4].copy_from_slice(&length.to_be_bytes());
    }
    if bytes.is_empty() {
        bytes.push(0);
    }
}

#[test]
fn random_mutations_are_refused_or_canonical() {
    // The two that are mostly padding or opaque bytes are left to the test above: they are long.
    let goldens: Vec<Golden> =
        golden::all().into_iter().filter(|golden| golden.bytes.len() < 700).collect();
    assert!(goldens.len() > 20);
    let mut random = Random(SEED);
    let (mut done, mut accepted) = (0, 0);
    while done < MUTATIONS_COUNT {
        let golden = &goldens[random.below(goldens.len())];
        let other = &goldens[random.below(goldens.len())];
        let mut bytes = golden.bytes.clone();
        for _ in 0..1 + random.below(3) {
            mutate(&mut random, &mut bytes, &other.bytes);
            accepted += usize::from(taken(golden, &bytes));
            done += 1;
        }
    }
    // If nothing were taken, the mutations would only test the first check.
    assert!(accepted > MUTATIONS_COUNT / 100, "only {accepted} of {done} were taken");
}

#[test]
fn random_bytes_never_panic() {
    let mut random = Random(SEED + 1);
    let goldens = golden::all();
    for _ in 0..20_000 {
        let length = random.below(200);
        let bytes: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
        let golden = &goldens[random.below(goldens.len())];
        taken(golden, &bytes);
        let mut decoder = FrameDecoder::new();
        decoder.push(&bytes);
        while let Ok(Some(_)) = decoder.next() {}
        let _ = NodeId::parse(&String::from_utf8_lossy(&bytes));
    }
}
