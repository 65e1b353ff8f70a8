//! What a node keeps in its own store in the form of messages: moves under way, and notices that
//! were set aside. Nothing here travels.

use std::fmt;

use law::change::ChangeNotice;
use law::code::LocalGovernmentCode;
use law::time::Timestamp;

use crate::error::{DecodeError, DecodeRule, EncodeError};
use crate::field::{self, At};
use crate::generated as twin;
use crate::id::NodeId;
use crate::limits::{FRAME_BYTES_MAX, WAITING_NOTICES_COUNT_MAX};
use crate::notice::{RelayedNotice, rule, sequence};
use crate::person;

/// A moving-in that waits for the former municipality (転出地) to let the resident go.
#[derive(Clone, PartialEq, Eq)]
pub struct Arrival {
    pub former: LocalGovernmentCode,
    pub filed_at: Timestamp,
    /// It was asked and did not let go yet.
    pub refused: bool,
    pub notice: ChangeNotice,
}

/// That a resident was let go, and to whom.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Departure {
    pub to: LocalGovernmentCode,
    pub released_at: Timestamp,
    /// The prefecture was told (転出確定, 令13条3項).
    pub confirmed: bool,
}

/// One notice that could not be applied as it stands.
#[derive(Clone, PartialEq, Eq)]
pub struct SetAsideNotice {
    /// Who sent it, or who above set it aside.
    pub from: NodeId,
    /// Of the queue it came in.
    pub sequence: u64,
    /// Stable id of the reason.
    pub rule: String,
    pub at: Timestamp,
    pub notice: RelayedNotice,
}

/// Notices about one resident that wait for the one before them, in order; at most
/// [`WAITING_NOTICES_COUNT_MAX`].
#[derive(Clone, Default, PartialEq, Eq)]
pub struct WaitingNotices {
    pub notices: Vec<SetAsideNotice>,
}

/// A time that was set; 0 never is.
fn time(at: At, value: u64) -> Result<Timestamp, DecodeError> {
    if value == 0 { Err(at.error(DecodeRule::Missing)) } else { Ok(Timestamp(value)) }
}

impl From<&Arrival> for twin::Arrival {
    fn from(value: &Arrival) -> Self {
        Self {
            former: value.former.as_str().to_owned(),
            filed_at: value.filed_at.0,
            refused: value.refused,
            notice: Some((&value.notice).into()),
        }
    }
}

impl TryFrom<twin::Arrival> for Arrival {
    type Error = DecodeError;

    fn try_from(value: twin::Arrival) -> Result<Self, DecodeError> {
        const M: &str = "arrival";
        Ok(Self {
            former: At(M, "former").short(&value.former, LocalGovernmentCode::parse)?,
            filed_at: time(At(M, "filed_at"), value.filed_at)?,
            refused: value.refused,
            notice: person::notice(value.notice)?,
        })
    }
}

impl From<&Departure> for twin::Departure {
    fn from(value: &Departure) -> Self {
        Self {
            to: value.to.as_str().to_owned(),
            released_at: value.released_at.0,
            confirmed: value.confirmed,
        }
    }
}

impl TryFrom<twin::Departure> for Departure {
    type Error = DecodeError;

    fn try_from(value: twin::Departure) -> Result<Self, DecodeError> {
        const M: &str = "departure";
        Ok(Self {
            to: At(M, "to").short(&value.to, LocalGovernmentCode::parse)?,
            released_at: time(At(M, "released_at"), value.released_at)?,
            confirmed: value.confirmed,
        })
    }
}

impl From<&SetAsideNotice> for twin::SetAsideNotice {
    fn from(value: &SetAsideNotice) -> Self {
        Self {
            from: value.from.as_str().to_owned(),
            sequence: value.sequence,
            rule: value.rule.clone(),
            at: value.at.0,
            notice: Some((&value.notice).into()),
        }
    }
}

impl TryFrom<twin::SetAsideNotice> for SetAsideNotice {
    type Error = DecodeError;

    fn try_from(value: twin::SetAsideNotice) -> Result<Self, DecodeError> {
        const M: &str = "set_aside_notice";
        Ok(Self {
            from: At(M, "from").short(&value.from, NodeId::parse)?,
            sequence: sequence(At(M, "sequence"), value.sequence)?,
            rule: rule(At(M, "rule"), value.rule)?,
            at: time(At(M, "at"), value.at)?,
            notice: At(M, "notice").required(value.notice)?.try_into()?,
        })
    }
}

impl From<&WaitingNotices> for twin::WaitingNotices {
    fn from(value: &WaitingNotices) -> Self {
        Self { notices: value.notices.iter().map(Into::into).collect() }
    }
}

impl TryFrom<twin::WaitingNotices> for WaitingNotices {
    type Error = DecodeError;

    fn try_from(value: twin::WaitingNotices) -> Result<Self, DecodeError> {
        let at = At("waiting_notices", "notices");
        Ok(Self { notices: at.rows(value.notices, WAITING_NOTICES_COUNT_MAX)? })
    }
}

macro_rules! kept {
    ($($t:ident $name:literal),*) => {$(
        impl $t {
            /// # Errors
            /// Never for values that were parsed; the same checks as on reading run first.
            pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
                field::encode::<twin::$t, Self>($name, self, FRAME_BYTES_MAX)
            }

            /// # Errors
            /// Names the field that is not as the schema says.
            pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
                field::decode::<twin::$t, Self>($name, bytes, FRAME_BYTES_MAX)
            }
        }

        impl fmt::Debug for $t {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($t), "(…)"))
            }
        }
    )*};
}
kept!(
    Arrival "arrival",
    Departure "departure",
    SetAsideNotice "set_aside_notice",
    WaitingNotices "waiting_notices"
);
