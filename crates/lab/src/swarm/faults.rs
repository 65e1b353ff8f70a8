//! What is bad about one world: which kinds of faults it has and how strong they are, drawn from
//! its seed. Many worlds have few kinds, some have none, some have all.
//!
//! Each kind draws from a stream of its own: switching one off leaves the others as they were, so
//! that a failing world can be made smaller.

use std::fmt;

use super::country::{CENTER, Place};
use crate::draw::{Draw, SeedLabel};

const FAULTS_LABEL: SeedLabel = *b"jukinet swarm faults/1\0\0";

/// The stream that says which kinds are on; the strength of kind n is drawn from stream n.
const MIX_STREAM: u64 = 1_000;

/// Of a hundred worlds, those without any fault, and those with every kind that goes with others.
const CALM_PERCENT: u32 = 12;
const ALL_PERCENT: u32 = 8;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    Loss,
    Doubling,
    Echo,
    Lag,
    Reorder,
    Flip,
    Partition,
    Crash,
    TornWrite,
    FullDisk,
    Rot,
    Skew,
    Token,
    Habits,
    Restless,
    Hostile,
    Outage,
}

/// (kind, its word on the command line, in how many of a thousand mixed worlds it is on, what).
const KINDS: [(FaultKind, &str, u32, &str); 17] = [
    (FaultKind::Loss, "loss", 400, "messages that never arrive"),
    (FaultKind::Doubling, "doubling", 350, "requests that arrive twice"),
    (FaultKind::Echo, "echo", 300, "replies that arrive twice"),
    (FaultKind::Lag, "lag", 350, "messages that take seconds"),
    (FaultKind::Reorder, "reorder", 300, "messages that the next one overtakes"),
    (FaultKind::Flip, "flip", 250, "bits that flip on the line, which ends the connection"),
    (FaultKind::Partition, "partition", 400, "places that do not reach each other for seconds"),
    (FaultKind::Crash, "crash", 550, "power cuts of single nodes"),
    (FaultKind::TornWrite, "torn-write", 250, "commits that report failure, kept or not"),
    (FaultKind::FullDisk, "full-disk", 200, "writes that are refused"),
    (FaultKind::Rot, "rot", 200, "stored rows that do not open"),
    (FaultKind::Skew, "skew", 200, "clocks that are minutes off, and jump"),
    (FaultKind::Token, "token", 300, "signatures that fail, come late or come twice"),
    (FaultKind::Habits, "habits", 350, "people who press twice, share cards, try on"),
    (FaultKind::Restless, "restless", 250, "people changed while notices about them are under way"),
    (FaultKind::Hostile, "hostile", 150, "a node that says whatever can be said, by its own key"),
    (FaultKind::Outage, "outage", 12, "72 hours without one tier"),
];

impl FaultKind {
    pub const ALL: [Self; KINDS.len()] = [
        Self::Loss,
        Self::Doubling,
        Self::Echo,
        Self::Lag,
        Self::Reorder,
        Self::Flip,
        Self::Partition,
        Self::Crash,
        Self::TornWrite,
        Self::FullDisk,
        Self::Rot,
        Self::Skew,
        Self::Token,
        Self::Habits,
        Self::Restless,
        Self::Hostile,
        Self::Outage,
    ];

    /// The word on the command line.
    #[must_use]
    pub fn key(self) -> &'static str {
        KINDS.iter().find(|(kind, ..)| *kind == self).map_or("", |(_, key, ..)| key)
    }

    /// What it is, in a few words.
    #[must_use]
    pub fn about(self) -> &'static str {
        KINDS.iter().find(|(kind, ..)| *kind == self).map_or("", |(.., about)| about)
    }

    const fn bit(self) -> u32 {
        1 << (self as u32)
    }
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultSet(u32);

impl FaultSet {
    pub const NONE: Self = Self(0);

    #[must_use]
    pub fn all() -> Self {
        FaultKind::ALL.into_iter().fold(Self::NONE, Self::with)
    }

    #[must_use]
    pub const fn with(self, kind: FaultKind) -> Self {
        Self(self.0 | kind.bit())
    }

    #[must_use]
    pub const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    #[must_use]
    pub const fn with_all(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    #[must_use]
    pub const fn only(kind: FaultKind) -> Self {
        Self(kind.bit())
    }

    #[must_use]
    pub const fn has(self, kind: FaultKind) -> bool {
        self.0 & kind.bit() != 0
    }

    /// The kinds in it, in their order.
    pub fn kinds(self) -> impl Iterator<Item = FaultKind> {
        FaultKind::ALL.into_iter().filter(move |kind| self.has(*kind))
    }

    /// `crash,loss`, or `none`.
    ///
    /// # Errors
    /// The word that names no kind, and those that do.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self::NONE);
        }
        text.split(',').try_fold(Self::NONE, |set, word| {
            let kind = FaultKind::ALL.into_iter().find(|kind| kind.key() == word);
            let known = || Self::all().to_string();
            kind.map(|kind| set.with(kind))
                .ok_or_else(|| format!("{word} is no kind of fault; there are: {}", known()))
        })
    }
}

impl fmt::Display for FaultSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.kinds().map(FaultKind::key).collect();
        f.write_str(if words.is_empty() { "none" } else { "" })?;
        f.write_str(&words.join(","))
    }
}

/// The faults of one world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Faults {
    /// Which kinds are on.
    pub(super) kinds: FaultSet,
    /// Messages lost, in a thousand.
    pub(super) loss: u32,
    /// Requests that arrive a second time, in a thousand.
    pub(super) doubling: u32,
    /// Replies that arrive a second time, in a thousand.
    pub(super) echo: u32,
    /// Messages that take seconds instead of milliseconds, in a thousand.
    pub(super) lag: u32,
    /// Messages kept back until the next one of the same two places went by, in a thousand.
    pub(super) reorder: u32,
    /// Messages of which a bit flips on the line, in a thousand.
    pub(super) flip: u32,
    /// Mean time between partitions; 0 = none.
    pub(super) partition_every_ms: u32,
    /// Mean time between power cuts; 0 = none.
    pub(super) crash_every_ms: u32,
    /// Commits that report failure, in a thousand.
    pub(super) torn_write: u32,
    /// Steps whose writes are refused for want of space, in a thousand.
    pub(super) full_disk: u32,
    /// Steps in which a kind of stored rows does not open, in ten thousand.
    pub(super) rot: u32,
    /// The most a clock is off, either way, milliseconds.
    pub(super) skew_ms: u32,
    /// Mean time between jumps of a clock; 0 = none.
    pub(super) jump_every_ms: u32,
    /// Signatures that fail, come late or come twice, in a thousand.
    pub(super) token: u32,
    /// Acts of operators that are done out of habit, in a thousand.
    pub(super) habits: u32,
    /// People may be changed by one municipality while another's notices about them are still on
    /// their way, and a moving-out may be planned for a later day than the moving-in.
    pub(super) restless: bool,
    /// The place of a node that is somebody else's.
    pub(super) hostile: Option<Place>,
    /// Three days without the node of this place.
    pub(super) outage: Option<Place>,
}

impl Faults {
    /// The faults of this seed. With `only`, exactly those kinds; `without` are off in any case.
    pub(super) fn draw(seed: u64, only: Option<FaultSet>, without: FaultSet) -> Self {
        let kinds = only.unwrap_or_else(|| mix(seed)).without(without);
        let mut faults = Self { kinds, ..Self::default() };
        for kind in kinds.kinds() {
            let mut draw = Draw::new(FAULTS_LABEL, seed, u64::from(kind as u32));
            faults.strength(kind, &mut draw);
        }
        faults
    }

    fn strength(&mut self, kind: FaultKind, draw: &mut Draw) {
        match kind {
            FaultKind::Loss => self.loss = 1 + draw.below(80),
            FaultKind::Doubling => self.doubling = 1 + draw.below(80),
            FaultKind::Echo => self.echo = 1 + draw.below(80),
            FaultKind::Lag => self.lag = 1 + draw.below(120),
            FaultKind::Reorder => self.reorder = 1 + draw.below(150),
            FaultKind::Flip => self.flip = 1 + draw.below(40),
            FaultKind::Partition => self.partition_every_ms = 3_000 + draw.below(20_000),
            FaultKind::Crash => self.crash_every_ms = 1_500 + draw.below(12_000),
            FaultKind::TornWrite => self.torn_write = 1 + draw.below(30),
            FaultKind::FullDisk => self.full_disk = 1 + draw.below(20),
            FaultKind::Rot => self.rot = 1 + draw.below(100),
            FaultKind::Skew => {
                self.skew_ms = 1_000 + draw.below(180_000);
                self.jump_every_ms = 3_000 + draw.below(20_000);
            }
            FaultKind::Token => self.token = 10 + draw.below(300),
            FaultKind::Habits => self.habits = 20 + draw.below(300),
            FaultKind::Restless => self.restless = true,
            // The center is what everybody trusts: with it hostile, nothing here would hold.
            FaultKind::Hostile => self.hostile = draw.pick(&[1, 2, 3, 4, 5, 6, 7, 8]).copied(),
            FaultKind::Outage => self.outage = draw.pick(&[CENTER, 1, 2, 3, 6]).copied(),
        }
    }

    /// Nothing bad happens to messages, disks, clocks and tokens any more.
    pub(super) fn calm() -> Self {
        Self::default()
    }
}

/// Which kinds the seed has.
fn mix(seed: u64) -> FaultSet {
    let mut draw = Draw::new(FAULTS_LABEL, seed, MIX_STREAM);
    let world = draw.below(100);
    if world < CALM_PERCENT {
        return FaultSet::NONE;
    }
    let all = world < CALM_PERCENT + ALL_PERCENT;
    KINDS.iter().fold(FaultSet::NONE, |set, (kind, _, permille, _)| {
        // A world of days is slow: even among those with all, few last so long.
        let on = draw.permille(*permille) || (all && *kind != FaultKind::Outage);
        if on { set.with(*kind) } else { set }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_has_its_faults_and_switching_one_off_leaves_the_others() {
        for seed in 0..200 {
            let whole = Faults::draw(seed, None, FaultSet::NONE);
            assert_eq!(whole, Faults::draw(seed, Some(whole.kinds), FaultSet::NONE));
            for kind in whole.kinds.kinds() {
                let less = Faults::draw(seed, None, FaultSet::only(kind));
                assert!(!less.kinds.has(kind));
                let back = Faults::draw(seed, Some(less.kinds.with(kind)), FaultSet::NONE);
                assert_eq!(back, whole);
            }
        }
    }

    #[test]
    fn worlds_are_calm_mixed_and_full_and_every_kind_occurs() {
        let sets: Vec<FaultSet> = (0..500).map(mix).collect();
        for kind in FaultKind::ALL {
            assert!(sets.iter().any(|set| set.has(kind)), "{}", kind.key());
        }
        let count = |set: &FaultSet| set.kinds().count();
        assert!(sets.iter().filter(|set| count(set) == 0).count() > 20);
        assert!(sets.iter().filter(|set| count(set) >= FaultKind::ALL.len() - 1).count() > 10);
        assert!(sets.iter().filter(|set| (1..6).contains(&count(set))).count() > 150);
    }

    #[test]
    fn a_set_is_written_as_it_is_read() {
        for set in [FaultSet::NONE, FaultSet::all(), FaultSet::only(FaultKind::TornWrite)] {
            assert_eq!(FaultSet::parse(&set.to_string()), Ok(set));
        }
        let error = FaultSet::parse("crash,fire").unwrap_err();
        assert!(error.starts_with("fire is no kind of fault; there are: loss,"), "{error}");
    }
}
