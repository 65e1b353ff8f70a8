//! Continuous reconciliation (継続的照合) between the tiers: keyed digests of ranges of persons, the
//! way down to one person, and the signed repair.
//!
//! The key is drawn by the asking node, changes every day and stands on no disk, so that nothing a
//! third person sees or keeps can be compared with anything. Not here: what is digested and what
//! may be repaired (`node`).

use std::fmt;

use law::code::{LocalGovernmentCode, RecordCode};
use law::inquiry::Held;
use law::time::Timestamp;

use crate::error::{DecodeError, DecodeRule, EncodeError};
use crate::field::{self, At};
use crate::generated as twin;
use crate::limits::{
    COMPARE_PARTS_COUNT_MAX, COMPARE_PERSONS_COUNT_MAX, COMPARE_RANGES_COUNT_MAX,
    REPAIR_BODY_BYTES_MAX, RULE_BYTES_MAX,
};
use crate::person;

/// Bytes of a SEC1 uncompressed P-256 point.
const PUBLIC_KEY_BYTES: usize = 65;
/// In front of every repair's body when it is signed.
const SIGNING_PREFIX: &[u8] = b"jukinet/1 repair\n";
/// Hexadecimal digits of a place.
pub const PLACE_DIGITS_COUNT: u8 = 16;

/// All persons whose place begins with `prefix`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangeDigest {
    /// Hexadecimal digits of the prefix, at most [`PLACE_DIGITS_COUNT`].
    pub depth: u8,
    /// In the highest bits; the rest is zero.
    pub prefix: u64,
    pub count: u64,
    pub digest: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PersonDigest {
    pub place: u64,
    pub digest: u64,
}

#[derive(Clone, PartialEq, Eq)]
pub struct Compare {
    pub municipality: LocalGovernmentCode,
    pub key: [u8; 32],
    pub ranges: Vec<RangeDigest>,
}

/// The persons of one range, where they are few.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangePersons {
    pub depth: u8,
    pub prefix: u64,
    pub persons: Vec<PersonDigest>,
}

/// Of each range that differs: its parts, or its persons. Empty: the two sides agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    pub parts: Vec<RangeDigest>,
    pub persons: Vec<RangePersons>,
}

/// One person about whom the two sides differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspect {
    pub place: u64,
    /// The asker's digest; none: it does not hold the person.
    pub own: Option<u64>,
    /// What the other side said before.
    pub other: Option<u64>,
}

#[derive(Clone, PartialEq, Eq)]
pub struct Suspicion {
    pub municipality: LocalGovernmentCode,
    pub key: [u8; 32],
    pub persons: Vec<Suspect>,
}

/// How a suspect stands at the other side now.
#[derive(Clone, PartialEq, Eq)]
pub struct Standing {
    pub place: u64,
    pub digest: Option<u64>,
    /// Of a person of the asker's municipality whom the asker does not hold.
    pub code: Option<RecordCode>,
}

/// What the tier below holds about one person, for the tier above to hold instead of what it has.
#[derive(Clone, PartialEq, Eq)]
pub struct RepairBody {
    pub municipality: LocalGovernmentCode,
    pub code: RecordCode,
    /// Of the comparison that found the difference.
    pub key: [u8; 32],
    /// Digest of what is to be replaced; none: nobody is held above.
    pub seen: Option<u64>,
    /// None: the person is not held below.
    pub state: Option<Held>,
    /// One word.
    pub reason: String,
    /// The sender's own notices up to here are part of what is said.
    pub after: u64,
    pub repaired_at: Timestamp,
}

/// A repair as it travels: the bytes that were signed, the signature of the sender's node key, and
/// that key, which the directory pins.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedRepair {
    pub body: Vec<u8>,
    pub signature: [u8; 64],
    pub public_key: [u8; PUBLIC_KEY_BYTES],
}

impl RangeDigest {
    /// Everybody.
    #[must_use]
    pub const fn whole(count: u64, digest: u64) -> Self {
        Self { depth: 0, prefix: 0, count, digest }
    }
}

impl RepairBody {
    /// # Errors
    /// For a reason that is no word.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        field::encode::<twin::RepairBody, Self>("repair_body", self, REPAIR_BODY_BYTES_MAX)
    }

    /// # Errors
    /// Names the field that is not as the schema says.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        field::decode::<twin::RepairBody, Self>("repair_body", bytes, REPAIR_BODY_BYTES_MAX)
    }
}

impl SignedRepair {
    /// What the node key signs.
    #[must_use]
    pub fn signing_bytes(body: &[u8]) -> Vec<u8> {
        [SIGNING_PREFIX, body].concat()
    }
}

/// A prefix has no bits beyond its digits.
fn place(at: At, depth: u32, prefix: u64) -> Result<u8, DecodeError> {
    let digits = u8::try_from(depth).ok().filter(|digits| *digits <= PLACE_DIGITS_COUNT);
    let digits = digits.ok_or_else(|| at.error(DecodeRule::UnknownValue))?;
    let beyond = u64::MAX.checked_shr(4 * u32::from(digits)).unwrap_or(0);
    if prefix & beyond == 0 { Ok(digits) } else { Err(at.error(DecodeRule::Invalid)) }
}

impl From<&RangeDigest> for twin::RangeDigest {
    fn from(value: &RangeDigest) -> Self {
        Self {
            depth: u32::from(value.depth),
            prefix: value.prefix,
            count: value.count,
            digest: value.digest,
        }
    }
}

impl TryFrom<twin::RangeDigest> for RangeDigest {
    type Error = DecodeError;

    fn try_from(value: twin::RangeDigest) -> Result<Self, DecodeError> {
        Ok(Self {
            depth: place(At("range_digest", "prefix"), value.depth, value.prefix)?,
            prefix: value.prefix,
            count: value.count,
            digest: value.digest,
        })
    }
}

impl From<&PersonDigest> for twin::PersonDigest {
    fn from(value: &PersonDigest) -> Self {
        Self { place: value.place, digest: value.digest }
    }
}

impl TryFrom<twin::PersonDigest> for PersonDigest {
    type Error = DecodeError;

    fn try_from(value: twin::PersonDigest) -> Result<Self, DecodeError> {
        Ok(Self { place: value.place, digest: value.digest })
    }
}

impl From<&Compare> for twin::Compare {
    fn from(value: &Compare) -> Self {
        Self {
            municipality: value.municipality.as_str().to_owned(),
            key: value.key.to_vec(),
            ranges: value.ranges.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<twin::Compare> for Compare {
    type Error = DecodeError;

    fn try_from(value: twin::Compare) -> Result<Self, DecodeError> {
        const M: &str = "compare";
        Ok(Self {
            municipality: At(M, "municipality")
                .short(&value.municipality, LocalGovernmentCode::parse)?,
            key: At(M, "key").fixed(&value.key)?,
            ranges: At(M, "ranges").rows(value.ranges, COMPARE_RANGES_COUNT_MAX)?,
        })
    }
}

impl From<&RangePersons> for twin::RangePersons {
    fn from(value: &RangePersons) -> Self {
        Self {
            depth: u32::from(value.depth),
            prefix: value.prefix,
            persons: value.persons.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<twin::RangePersons> for RangePersons {
    type Error = DecodeError;

    fn try_from(value: twin::RangePersons) -> Result<Self, DecodeError> {
        const M: &str = "range_persons";
        Ok(Self {
            depth: place(At(M, "prefix"), value.depth, value.prefix)?,
            prefix: value.prefix,
            persons: At(M, "persons").list(value.persons, COMPARE_PERSONS_COUNT_MAX)?,
        })
    }
}

impl From<&Compared> for twin::Compared {
    fn from(value: &Compared) -> Self {
        Self {
            parts: value.parts.iter().map(Into::into).collect(),
            persons: value.persons.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<twin::Compared> for Compared {
    type Error = DecodeError;

    fn try_from(value: twin::Compared) -> Result<Self, DecodeError> {
        const M: &str = "compared";
        Ok(Self {
            parts: At(M, "parts").list(value.parts, COMPARE_PARTS_COUNT_MAX)?,
            persons: At(M, "persons").list(value.persons, COMPARE_RANGES_COUNT_MAX)?,
        })
    }
}

impl From<&Suspect> for twin::Suspect {
    fn from(value: &Suspect) -> Self {
        Self { place: value.place, own: value.own, other: value.other }
    }
}

impl TryFrom<twin::Suspect> for Suspect {
    type Error = DecodeError;

    fn try_from(value: twin::Suspect) -> Result<Self, DecodeError> {
        Ok(Self { place: value.place, own: value.own, other: value.other })
    }
}

impl From<&Suspicion> for twin::Suspicion {
    fn from(value: &Suspicion) -> Self {
        Self {
            municipality: value.municipality.as_str().to_owned(),
            key: value.key.to_vec(),
            persons: value.persons.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<twin::Suspicion> for Suspicion {
    type Error = DecodeError;

    fn try_from(value: twin::Suspicion) -> Result<Self, DecodeError> {
        const M: &str = "suspicion";
        Ok(Self {
            municipality: At(M, "municipality")
                .short(&value.municipality, LocalGovernmentCode::parse)?,
            key: At(M, "key").fixed(&value.key)?,
            persons: At(M, "persons").rows(value.persons, COMPARE_PERSONS_COUNT_MAX)?,
        })
    }
}

impl From<&Standing> for twin::Standing {
    fn from(value: &Standing) -> Self {
        let code = value.code.map(|code| code.expose().to_owned());
        Self { place: value.place, digest: value.digest, code }
    }
}

impl TryFrom<twin::Standing> for Standing {
    type Error = DecodeError;

    fn try_from(value: twin::Standing) -> Result<Self, DecodeError> {
        Ok(Self {
            place: value.place,
            digest: value.digest,
            code: At("standing", "code").short_if(value.code.as_deref(), RecordCode::parse)?,
        })
    }
}

impl From<&RepairBody> for twin::RepairBody {
    fn from(value: &RepairBody) -> Self {
        Self {
            municipality: value.municipality.as_str().to_owned(),
            code: value.code.expose().to_owned(),
            key: value.key.to_vec(),
            seen: value.seen,
            state: value.state.as_ref().map(person::state_to),
            reason: value.reason.clone(),
            after: value.after,
            repaired_at: value.repaired_at.0,
        }
    }
}

impl TryFrom<twin::RepairBody> for RepairBody {
    type Error = DecodeError;

    fn try_from(value: twin::RepairBody) -> Result<Self, DecodeError> {
        const M: &str = "repair_body";
        Ok(Self {
            municipality: At(M, "municipality")
                .short(&value.municipality, LocalGovernmentCode::parse)?,
            code: At(M, "code").short(&value.code, RecordCode::parse)?,
            key: At(M, "key").fixed(&value.key)?,
            seen: value.seen,
            state: value.state.as_ref().map(person::state).transpose()?,
            reason: At(M, "reason").filled(value.reason, RULE_BYTES_MAX)?,
            after: value.after,
            repaired_at: match value.repaired_at {
                0 => return Err(At(M, "repaired_at").error(DecodeRule::Missing)),
                at => Timestamp(at),
            },
        })
    }
}

impl From<&SignedRepair> for twin::SignedRepair {
    fn from(value: &SignedRepair) -> Self {
        Self {
            body: value.body.clone(),
            signature: value.signature.to_vec(),
            public_key: value.public_key.to_vec(),
        }
    }
}

impl TryFrom<twin::SignedRepair> for SignedRepair {
    type Error = DecodeError;

    fn try_from(value: twin::SignedRepair) -> Result<Self, DecodeError> {
        const M: &str = "signed_repair";
        Ok(Self {
            body: At(M, "body").bytes(value.body, REPAIR_BODY_BYTES_MAX)?,
            signature: At(M, "signature").fixed(&value.signature)?,
            public_key: At(M, "public_key").fixed(&value.public_key)?,
        })
    }
}

macro_rules! redacted_debug {
    ($($t:ident),*) => {$(
        impl fmt::Debug for $t {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($t), "(…)"))
            }
        }
    )*};
}
redacted_debug!(Compare, Suspicion, Standing, RepairBody, SignedRepair);
