//! Keyed digests of the persons of one municipality, summed over ranges of places: what two tiers
//! compare. In memory only; about 36 bytes a person.
//!
//! A person's place and digest are truncated HMACs under the key of the comparison. The sum of a
//! range is the exclusive or of its digests and their count: to whoever lacks the key it says
//! nothing, and a change of one person changes it whatever the others are.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use hmac::{Hmac, KeyInit as _, Mac as _};
use law::code::RecordCode;
use law::inquiry::Held;
use law::time::Timestamp;
use sha2::Sha256;
use wire::{PersonDigest, RangeDigest};

/// The key of one comparison.
pub(crate) type Key = [u8; 32];

/// Depths whose sums are kept; deeper ones are added up when asked for, over some hundred persons
/// in the greatest municipality.
const SUMMED_DEPTHS: u8 = 3;
const PLACE_DIGITS: u8 = wire::compare::PLACE_DIGITS_COUNT;

/// What is kept of one person: a digest, and the ten digits of the code with the walk that saw it.
#[derive(Clone, Copy)]
struct Leaf {
    digest: u64,
    who: u64,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Sum {
    count: u64,
    digest: u64,
}

/// The persons who are current in one municipality, as this node holds them.
pub(crate) struct Tree {
    key: Key,
    mac: Hmac<Sha256>,
    leaves: BTreeMap<u64, Leaf>,
    sums: BTreeMap<(u8, u64), Sum>,
    /// Walk that was under way when this tree was planted: only a later one fills it.
    pub(super) since: u64,
    pub(super) complete: bool,
    /// When the register was last found to differ from what its own changes explain.
    pub(super) disturbed: Timestamp,
    pub(super) used: Timestamp,
}

impl std::fmt::Debug for Tree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tree({} persons)", self.leaves.len())
    }
}

impl Tree {
    pub(super) fn new(key: Key, since: u64, now: Timestamp) -> Self {
        Self {
            key,
            mac: keyed(&key),
            leaves: BTreeMap::new(),
            sums: BTreeMap::new(),
            since,
            complete: false,
            disturbed: now,
            used: now,
        }
    }

    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    pub(crate) fn place(&self, code: &RecordCode) -> u64 {
        let mut mac = self.mac.clone();
        mac.update(b"place\n");
        mac.update(code.expose().as_bytes());
        truncated(mac)
    }

    fn digest(&self, held: &Held) -> u64 {
        let mut mac = self.mac.clone();
        mac.update(b"person\n");
        mac.update(&canonical(held));
        truncated(mac)
    }

    /// Put a person in, or in place of the same one. Whether the person was there, and whether
    /// anything is different now.
    pub(super) fn put(&mut self, held: &Held, walk: u64) -> (bool, bool) {
        let (place, digest) = (self.place(&held.identity.code), self.digest(held));
        let leaf = Leaf { digest, who: ten_digits(&held.identity.code) << 16 | (walk & 0xFFFF) };
        let before = self.leaves.insert(place, leaf);
        if let Some(before) = before {
            self.add(place, before.digest, false);
        }
        self.add(place, digest, true);
        (before.is_some(), before.is_none_or(|before| before.digest != digest))
    }

    pub(super) fn remove(&mut self, place: u64) -> bool {
        let Some(before) = self.leaves.remove(&place) else { return false };
        self.add(place, before.digest, false);
        true
    }

    /// Drop whom this walk did not see. Whether there was anybody.
    pub(super) fn sweep(&mut self, walk: u64) -> bool {
        let stale = |leaf: &Leaf| leaf.who & 0xFFFF != walk & 0xFFFF;
        let gone: Vec<u64> =
            self.leaves.iter().filter(|(_, leaf)| stale(leaf)).map(|(place, _)| *place).collect();
        gone.iter().for_each(|place| {
            self.remove(*place);
        });
        !gone.is_empty()
    }

    fn add(&mut self, place: u64, digest: u64, comes: bool) {
        for depth in 0..=SUMMED_DEPTHS {
            let sum = self.sums.entry((depth, prefix(place, depth))).or_default();
            sum.digest ^= digest;
            sum.count = if comes { sum.count + 1 } else { sum.count.saturating_sub(1) };
            if sum.count == 0 {
                self.sums.remove(&(depth, prefix(place, depth)));
            }
        }
    }

    pub(crate) fn digest_at(&self, place: u64) -> Option<u64> {
        self.leaves.get(&place).map(|leaf| leaf.digest)
    }

    pub(crate) fn code_at(&self, place: u64) -> Option<RecordCode> {
        let leaf = self.leaves.get(&place)?;
        RecordCode::from_ten_digits(leaf.who >> 16).ok()
    }

    pub(crate) fn count(&self) -> u64 {
        self.leaves.len() as u64
    }

    /// The sum of one range.
    pub(crate) fn sum(&self, depth: u8, prefix: u64) -> RangeDigest {
        let sum = if depth <= SUMMED_DEPTHS {
            self.sums.get(&(depth, prefix)).copied().unwrap_or_default()
        } else {
            let mut sum = Sum::default();
            for leaf in self.leaves.range(places(depth, prefix)).map(|(_, leaf)| leaf) {
                sum.count += 1;
                sum.digest ^= leaf.digest;
            }
            sum
        };
        RangeDigest { depth, prefix, count: sum.count, digest: sum.digest }
    }

    /// The sixteen parts of a range, those with nobody in them left out.
    pub(crate) fn parts(&self, depth: u8, prefix: u64) -> Vec<RangeDigest> {
        let Some(below) = depth.checked_add(1).filter(|below| *below <= PLACE_DIGITS) else {
            return Vec::new();
        };
        let shift = 64 - 4 * u32::from(below);
        let part = |digit: u64| self.sum(below, prefix | digit << shift);
        (0..16).map(part).filter(|sum| sum.count > 0).collect()
    }

    /// The persons of a range.
    pub(crate) fn persons(&self, depth: u8, prefix: u64) -> Vec<PersonDigest> {
        let within = self.leaves.range(places(depth, prefix));
        within.map(|(place, leaf)| PersonDigest { place: *place, digest: leaf.digest }).collect()
    }
}

/// The first `depth` hexadecimal digits of a place.
pub(crate) fn prefix(place: u64, depth: u8) -> u64 {
    place & !beyond(depth)
}

fn beyond(depth: u8) -> u64 {
    u64::MAX.checked_shr(4 * u32::from(depth)).unwrap_or(0)
}

fn places(depth: u8, prefix: u64) -> RangeInclusive<u64> {
    prefix..=prefix | beyond(depth)
}

fn keyed(key: &Key) -> Hmac<Sha256> {
    // One block, so that no length of key can be refused.
    let mut block = [0; 64];
    block.iter_mut().zip(key).for_each(|(place, byte)| *place = *byte);
    Hmac::<Sha256>::new(&block.into())
}

fn truncated(mac: Hmac<Sha256>) -> u64 {
    let bytes: [u8; 32] = mac.finalize().into_bytes().into();
    bytes.iter().take(8).fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// The ten digits in front of the check digit, as a number.
fn ten_digits(code: &RecordCode) -> u64 {
    let digits = code.expose().bytes().take(10);
    digits.fold(0, |value, byte| value * 10 + u64::from(byte.wrapping_sub(b'0')))
}

/// Everything that is held about a person, in one form: each text with its length in front.
fn canonical(held: &Held) -> Vec<u8> {
    let identity = &held.identity;
    let items = &identity.items;
    let mut bytes = Vec::with_capacity(256);
    let mut text = |text: &str| {
        bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    };
    text(identity.code.expose());
    text(items.name.expose());
    text(items.kana.expose());
    text(items.address.expose());
    text(match items.sex {
        law::people::Sex::Male => "m",
        law::people::Sex::Female => "f",
    });
    text(&items.birth.expose());
    text(identity.municipality.as_str());
    match &identity.other_names.alternative {
        Some(name) => text(&format!("+{}", name.expose())),
        None => text(""),
    }
    match &identity.other_names.former_surname {
        Some(name) => text(&format!("+{}", name.expose())),
        None => text(""),
    }
    match &held.change {
        Some(change) => {
            text(change.reason.key());
            text(&change.on.to_string());
            text(if change.foreign { "foreign" } else { "" });
        }
        None => text("-"),
    }
    text(if held.removed { "removed" } else { "" });
    bytes
}
