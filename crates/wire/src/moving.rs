//! What two municipalities say to each other about a resident who moves: the moving-in notice
//! (転入通知, 法9条1項) and the former municipality's signed release.
//!
//! The signature is what prefecture and center believe: a municipality that enters somebody who
//! stands elsewhere shows that the other one let go. What may be released is `law`'s to say.

use std::fmt;

use law::code::{LocalGovernmentCode, RecordCode};
use law::people::{BirthDate, Name};
use law::time::{Date, Timestamp};

use crate::error::{DecodeError, DecodeRule, EncodeError};
use crate::field::{self, At};
use crate::generated as twin;
use crate::limits::{NAME_BYTES_MAX, RELEASE_BODY_BYTES_MAX};

/// Bytes of a SEC1 uncompressed P-256 point.
const PUBLIC_KEY_BYTES: usize = 65;
/// In front of every release body when it is signed.
const SIGNING_PREFIX: &[u8] = b"jukinet/1 release\n";

/// 転入通知 (法9条1項): the municipality of the new address tells that of the former one, and asks to
/// be confirmed.
#[derive(Clone, PartialEq, Eq)]
pub struct MoveClaim {
    pub code: RecordCode,
    /// As filed; compared with the record, so that a mistyped code releases nobody.
    pub name: Name,
    pub birth: BirthDate,
    pub from: LocalGovernmentCode,
    pub to: LocalGovernmentCode,
    /// 転入をした年月日.
    pub moved_on: Date,
}

/// That a resident has left one municipality for one other.
#[derive(Clone, PartialEq, Eq)]
pub struct ReleaseBody {
    pub code: RecordCode,
    pub from: LocalGovernmentCode,
    pub to: LocalGovernmentCode,
    /// 転出の予定年月日.
    pub left_on: Date,
    pub released_at: Timestamp,
}

/// A release as it travels: the bytes that were signed, the signature of the former municipality's
/// node key, and that key, which the directory pins.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedRelease {
    pub body: Vec<u8>,
    pub signature: [u8; 64],
    pub public_key: [u8; PUBLIC_KEY_BYTES],
}

impl ReleaseBody {
    /// # Errors
    /// Never for values that were parsed; the same checks as the receiver's run first.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        field::encode::<twin::ReleaseBody, Self>("release_body", self, RELEASE_BODY_BYTES_MAX)
    }

    /// # Errors
    /// Names the field that is not as the schema says.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        field::decode::<twin::ReleaseBody, Self>("release_body", bytes, RELEASE_BODY_BYTES_MAX)
    }
}

impl SignedRelease {
    /// What the node key signs.
    #[must_use]
    pub fn signing_bytes(body: &[u8]) -> Vec<u8> {
        [SIGNING_PREFIX, body].concat()
    }
}

impl MoveClaim {
    /// The bytes kept while the claim waits.
    ///
    /// # Errors
    /// As for [`ReleaseBody::encode`].
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        field::encode::<twin::MoveClaim, Self>("move_claim", self, crate::limits::FRAME_BYTES_MAX)
    }
}

impl From<&MoveClaim> for twin::MoveClaim {
    fn from(value: &MoveClaim) -> Self {
        Self {
            code: value.code.expose().to_owned(),
            name: value.name.expose().to_owned(),
            birth: value.birth.expose(),
            from: value.from.as_str().to_owned(),
            to: value.to.as_str().to_owned(),
            moved_on: value.moved_on.to_string(),
        }
    }
}

impl TryFrom<twin::MoveClaim> for MoveClaim {
    type Error = DecodeError;

    fn try_from(value: twin::MoveClaim) -> Result<Self, DecodeError> {
        const M: &str = "move_claim";
        Ok(Self {
            code: At(M, "code").short(&value.code, RecordCode::parse)?,
            name: At(M, "name").parsed(&value.name, NAME_BYTES_MAX, Name::parse)?,
            birth: At(M, "birth").short(&value.birth, BirthDate::parse)?,
            from: At(M, "from").short(&value.from, LocalGovernmentCode::parse)?,
            to: At(M, "to").short(&value.to, LocalGovernmentCode::parse)?,
            moved_on: At(M, "moved_on").short(&value.moved_on, Date::parse)?,
        })
    }
}

impl From<&ReleaseBody> for twin::ReleaseBody {
    fn from(value: &ReleaseBody) -> Self {
        Self {
            code: value.code.expose().to_owned(),
            from: value.from.as_str().to_owned(),
            to: value.to.as_str().to_owned(),
            left_on: value.left_on.to_string(),
            released_at: value.released_at.0,
        }
    }
}

impl TryFrom<twin::ReleaseBody> for ReleaseBody {
    type Error = DecodeError;

    fn try_from(value: twin::ReleaseBody) -> Result<Self, DecodeError> {
        const M: &str = "release_body";
        Ok(Self {
            code: At(M, "code").short(&value.code, RecordCode::parse)?,
            from: At(M, "from").short(&value.from, LocalGovernmentCode::parse)?,
            to: At(M, "to").short(&value.to, LocalGovernmentCode::parse)?,
            left_on: At(M, "left_on").short(&value.left_on, Date::parse)?,
            released_at: match value.released_at {
                0 => return Err(At(M, "released_at").error(DecodeRule::Missing)),
                at => Timestamp(at),
            },
        })
    }
}

impl From<&SignedRelease> for twin::SignedRelease {
    fn from(value: &SignedRelease) -> Self {
        Self {
            body: value.body.clone(),
            signature: value.signature.to_vec(),
            public_key: value.public_key.to_vec(),
        }
    }
}

impl TryFrom<twin::SignedRelease> for SignedRelease {
    type Error = DecodeError;

    fn try_from(value: twin::SignedRelease) -> Result<Self, DecodeError> {
        const M: &str = "signed_release";
        Ok(Self {
            body: At(M, "body").bytes(value.body, RELEASE_BODY_BYTES_MAX)?,
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
redacted_debug!(MoveClaim, ReleaseBody, SignedRelease);
