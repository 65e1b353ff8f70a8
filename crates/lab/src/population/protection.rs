//! Residents under support measures (支援措置, 事務処理要領 第5-10): who they are and until when.
//!
//! Never a column of the residents' CSV: the network has no field for it, and a file that says who
//! hides is a file of its own. Drawn from a stream of its own, so that it moves no other byte.

use law::time::Date;

use super::PopulationError;
use super::household::HEAD;
use super::person::{Person, REFERENCE_DATE};
use super::share::Share;
use crate::draw::{Draw, SeedLabel};

/// One protected resident among so many. Assumed: the ministry counts them every first of December
/// and no total was found but "nearly 13,000" in 2009 (one in 10,000), before the measures grew.
pub const RESIDENTS_PER_PROTECTED: u64 = 1_000;

/// Header of the file of protected residents.
pub const PROTECTED_HEADER: &str =
    "record_code,municipality_code,household_id,ground,role,begins,ends";

/// Of this module's stream.
const SEED_LABEL: SeedLabel = *b"jukinet protection/1\0\0\0\0";

/// Why somebody is protected: (A) to (D) of 事務処理要領 第5-10.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    Violence,
    Stalking,
    ChildAbuse,
    Equivalent,
}

impl Ground {
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Violence => "violence",
            Self::Stalking => "stalking",
            Self::ChildAbuse => "child-abuse",
            Self::Equivalent => "equivalent",
        }
    }

    /// Shares are assumed: violence of a spouse is most of it.
    pub(crate) fn draw(with_child: bool, draw: &mut Draw) -> Self {
        match draw.below(100) {
            0..70 => Self::Violence,
            70..85 => Self::Stalking,
            85..90 if with_child => Self::ChildAbuse,
            85..90 => Self::Violence,
            _ => Self::Equivalent,
        }
    }
}

/// A measure as it stands for one resident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection {
    pub ground: Ground,
    /// False for somebody at the same address who is included (併せて支援を求める者).
    pub applicant: bool,
    pub begins: Date,
    /// A year later; it is renewed on request only.
    pub ends: Date,
}

impl Protection {
    #[must_use]
    pub const fn role(&self) -> &'static str {
        if self.applicant { "applicant" } else { "included" }
    }

    /// For whoever else of the household is included.
    fn included(self) -> Self {
        Self { applicant: false, ..self }
    }
}

/// The day a year after `begins`; a measure from 29 February ends on the 28th.
pub(crate) fn year_after(begins: Date) -> Result<Date, PopulationError> {
    let year = begins.year() + 1;
    Date::new(year, begins.month(), begins.day())
        .or_else(|_| Date::new(year, begins.month(), 28))
        .map_err(|_| PopulationError::Calendar)
}

/// Chooses the protected residents of one file.
#[derive(Debug)]
pub(crate) struct Office {
    share: Share,
    draw: Draw,
    reference: Date,
}

impl Office {
    pub(crate) fn new(seed: u64) -> Result<Self, PopulationError> {
        let reference = Date::parse(REFERENCE_DATE).map_err(|_| PopulationError::Calendar)?;
        let draw = Draw::new(SEED_LABEL, seed, 0);
        Ok(Self { share: Share::new(1, RESIDENTS_PER_PROTECTED), draw, reference })
    }

    /// The measure that a household is under, in the place of each of its members. Whoever lives
    /// with a spouse has not left, and is passed over.
    pub(crate) fn consider(
        &mut self,
        persons: &[Person<'_>],
        out: &mut Vec<Option<Protection>>,
    ) -> Result<(), PopulationError> {
        out.clear();
        out.resize(persons.len(), None);
        self.share.earn(persons.len() as u64);
        if self.share.due() == 0 {
            return Ok(());
        }
        let Some(head) = persons.first() else { return Ok(()) };
        let couple = persons.iter().any(|person| matches!(person.relationship, "妻" | "夫"));
        // Women are four in five of the victims of a spouse (assumed).
        let passed = if head.sex == super::household::FEMALE { 30 } else { 8 };
        if couple || !grown(head) || !self.draw.permille(passed) {
            return Ok(());
        }
        let with_child = persons.iter().any(|person| person.relationship == "子");
        let days = i64::from(self.draw.below(365));
        let begins = self.reference.add_days(-days).map_err(|_| PopulationError::Calendar)?;
        let ground = Ground::draw(with_child, &mut self.draw);
        let protection = Protection { ground, applicant: true, begins, ends: year_after(begins)? };
        let mut protected = 0;
        for (person, place) in persons.iter().zip(out.iter_mut()) {
            match person.relationship {
                HEAD => *place = Some(protection),
                "子" if !grown(person) => *place = Some(protection.included()),
                _ => continue,
            }
            protected += 1;
        }
        self.share.spend(protected);
        Ok(())
    }
}

/// Of twenty and over on the census day, or of unknown age (unknown parts are old people's).
fn grown(person: &Person<'_>) -> bool {
    person.birth <= *b"2000-10-01"
}
