//! Where an identifier is used in a life: government, medical, financial, commercial (S3 figure 4),
//! how often, and at whose place it leaves a copy.
//!
//! The rates are assumptions; each row says why it is what it is, and how wrong it may be.

use serde::{Deserialize, Serialize};

use super::RiskError;
use super::incidents::Place;
use super::life::{AGE_YEARS_MAX, Occasion, Tally};
use super::tables::{broken, read};

const USES: &str = include_str!("../../data/uses.tsv");
const TABLE: &str = "uses.tsv";

/// The four areas of S3's figure 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Area {
    Government,
    Medical,
    Financial,
    Commercial,
}

impl Area {
    pub const ALL: [Self; 4] = [Self::Government, Self::Medical, Self::Financial, Self::Commercial];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Government => "government (行政)",
            Self::Medical => "medical (医療)",
            Self::Financial => "financial (金融)",
            Self::Commercial => "commercial (民間)",
        }
    }
}

/// Who may use the identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Public bodies, as the Act of 2013 has it for the record code (法30条の42, 30条の43).
    Public,
    /// Private parties too, as S3 expects.
    Private,
}

impl Scope {
    pub const ALL: [Self; 2] = [Self::Public, Self::Private];

    /// Whether a use of the scope `other` happens in this one.
    #[must_use]
    pub fn includes(self, other: Self) -> bool {
        self == Self::Private || other == Self::Public
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Public => "public bodies only",
            Self::Private => "private parties too",
        }
    }
}

/// Stages of a life. S3 names none: birth and death are its ends, the rest is our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    Infancy,
    School,
    Youth,
    Work,
    Retirement,
    GreatAge,
    Death,
}

impl Stage {
    pub const ALL: [Self; 7] = [
        Self::Infancy,
        Self::School,
        Self::Youth,
        Self::Work,
        Self::Retirement,
        Self::GreatAge,
        Self::Death,
    ];

    /// First and last age; death is at any age.
    #[must_use]
    pub fn ages(self) -> (u8, u8) {
        match self {
            Self::Infancy => (0, 5),
            Self::School => (6, 17),
            Self::Youth => (18, 29),
            Self::Work => (30, 64),
            Self::Retirement => (65, 79),
            Self::GreatAge => (80, AGE_YEARS_MAX),
            Self::Death => (0, AGE_YEARS_MAX),
        }
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Infancy => "birth and infancy, 0–5",
            Self::School => "school, 6–17",
            Self::Youth => "setting out, 18–29",
            Self::Work => "work and family, 30–64",
            Self::Retirement => "retirement, 65–79",
            Self::GreatAge => "great age, from 80",
            Self::Death => "death",
        }
    }
}

/// One use of identifiers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Use {
    #[serde(rename = "use")]
    pub key: String,
    pub japanese: String,
    pub area: Area,
    pub scope: Scope,
    pub place: Place,
    pub trigger: Occasion,
    pub from: u8,
    pub to: u8,
    /// Uses at each occasion, and how low and high they may be.
    pub rate: f64,
    pub low: f64,
    pub high: f64,
    pub reason: String,
}

/// The uses.
pub(super) fn uses() -> Result<Vec<Use>, RiskError> {
    let rows: Vec<Use> = read(TABLE, USES)?;
    for row in &rows {
        if !(0.0 < row.low && row.low <= row.rate && row.rate <= row.high) {
            return Err(broken(TABLE, &row.key, "0 < low ≤ rate ≤ high"));
        }
        if row.from > row.to || row.to > AGE_YEARS_MAX {
            return Err(broken(TABLE, &row.key, "ages run upwards to 115"));
        }
        if (row.scope == Scope::Public) != (row.place == Place::LocalGovernment) {
            return Err(broken(TABLE, &row.key, "public uses are at public bodies, and only they"));
        }
    }
    Ok(rows)
}

impl Use {
    /// Uses in each stage of an average life.
    #[must_use]
    pub fn by_stage(&self, tally: &Tally) -> [f64; Stage::ALL.len()] {
        Stage::ALL.map(|stage| {
            if (stage == Stage::Death) != (self.trigger == Occasion::Died) {
                return 0.0;
            }
            let (from, to) = stage.ages();
            self.rate * tally.mean(self.trigger, from.max(self.from), to.min(self.to))
        })
    }
}
