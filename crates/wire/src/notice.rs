//! Change notices on their way up (Arts. 30-5, 30-11) and rows from the existing register system.

use law::change::ChangeNotice;
use law::code::LocalGovernmentCode;

use crate::error::{DecodeError, DecodeRule, EncodeError};
use crate::field::{self, At};
use crate::generated as twin;
use crate::limits::{
    BATCH_NOTICES_COUNT_MAX, FEED_ROWS_COUNT_MAX, FRAME_BYTES_MAX, REMEDY_BYTES_MAX, RULE_BYTES_MAX,
};
use crate::moving::SignedRelease;
use crate::person;

/// One municipality's notice with that municipality's own number, so that the center can tell a
/// repetition from news whichever way it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayedNotice {
    pub municipality: LocalGovernmentCode,
    /// The municipality's own, from 1, without gaps.
    pub sequence: u64,
    pub notice: ChangeNotice,
    /// With a moving-in: the former municipality's word. With a moving-out: the departure is
    /// confirmed (転出確定, 令13条3項).
    pub release: Option<SignedRelease>,
}

/// Notices from one sender's queue, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeBatch {
    /// Of the sender's queue, from 1; the rest follow without gaps.
    pub first_sequence: u64,
    pub notices: Vec<RelayedNotice>,
}

/// One notice of a batch that its receiver set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// Of the sender's queue.
    pub sequence: u64,
    /// Stable id of the reason.
    pub rule: String,
}

/// One row from the existing register system (既存住基システム).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedRow {
    /// Line of the file, so that a rejection can be found again.
    pub row: u32,
    /// The register system's own number, where it has one.
    pub sequence: Option<u64>,
    pub notice: ChangeNotice,
    /// With a moving-in from another municipality: that of the former address (従前の住所).
    pub former_municipality: Option<LocalGovernmentCode>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedBatch {
    pub rows: Vec<FeedRow>,
}

/// What became of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedVerdict {
    Accepted {
        /// The CS's own number for it.
        sequence: u64,
    },
    Duplicate,
    /// A moving-in that is kept and waits for the former municipality to let the resident go.
    Waiting,
    /// Words for the person at the register system; never the value that was wrong.
    Rejected {
        column: String,
        rule: String,
        remedy: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedOutcome {
    pub row: u32,
    pub outcome: FeedVerdict,
}

impl RelayedNotice {
    /// The bytes that wait in a sender's queue.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        field::encode::<twin::RelayedNotice, Self>("relayed_notice", self, FRAME_BYTES_MAX)
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        field::decode::<twin::RelayedNotice, Self>("relayed_notice", bytes, FRAME_BYTES_MAX)
    }
}

/// The id of a rule goes into the ledger as a word: nothing else may stand in it.
pub(crate) fn rule(at: At, value: String) -> Result<String, DecodeError> {
    let rule = at.filled(value, RULE_BYTES_MAX)?;
    let is_word = rule.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if is_word { Ok(rule) } else { Err(at.error(DecodeRule::Invalid)) }
}

impl From<&SetAside> for twin::SetAside {
    fn from(value: &SetAside) -> Self {
        Self { sequence: value.sequence, rule: value.rule.clone() }
    }
}

impl TryFrom<twin::SetAside> for SetAside {
    type Error = DecodeError;

    fn try_from(value: twin::SetAside) -> Result<Self, DecodeError> {
        const M: &str = "set_aside";
        Ok(Self {
            sequence: sequence(At(M, "sequence"), value.sequence)?,
            rule: rule(At(M, "rule"), value.rule)?,
        })
    }
}

/// Sequences begin at 1: 0 means "nothing yet" in every counter.
pub(crate) fn sequence(at: At, value: u64) -> Result<u64, DecodeError> {
    if value == 0 { Err(at.error(DecodeRule::OutOfOrder)) } else { Ok(value) }
}

impl From<&RelayedNotice> for twin::RelayedNotice {
    fn from(value: &RelayedNotice) -> Self {
        Self {
            municipality: value.municipality.as_str().to_owned(),
            sequence: value.sequence,
            notice: Some((&value.notice).into()),
            release: value.release.as_ref().map(Into::into),
        }
    }
}

impl TryFrom<twin::RelayedNotice> for RelayedNotice {
    type Error = DecodeError;

    fn try_from(value: twin::RelayedNotice) -> Result<Self, DecodeError> {
        const M: &str = "relayed_notice";
        Ok(Self {
            municipality: At(M, "municipality")
                .short(&value.municipality, LocalGovernmentCode::parse)?,
            sequence: sequence(At(M, "sequence"), value.sequence)?,
            notice: person::notice(value.notice)?,
            release: value.release.map(TryInto::try_into).transpose()?,
        })
    }
}

impl From<&NoticeBatch> for twin::NoticeBatch {
    fn from(value: &NoticeBatch) -> Self {
        Self {
            first_sequence: value.first_sequence,
            notices: value.notices.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<twin::NoticeBatch> for NoticeBatch {
    type Error = DecodeError;

    fn try_from(value: twin::NoticeBatch) -> Result<Self, DecodeError> {
        const M: &str = "notice_batch";
        Ok(Self {
            first_sequence: sequence(At(M, "first_sequence"), value.first_sequence)?,
            notices: At(M, "notices").rows(value.notices, BATCH_NOTICES_COUNT_MAX)?,
        })
    }
}

impl From<&FeedRow> for twin::FeedRow {
    fn from(value: &FeedRow) -> Self {
        Self {
            row: value.row,
            sequence: value.sequence,
            notice: Some((&value.notice).into()),
            former_municipality: value.former_municipality.map(|code| code.as_str().to_owned()),
        }
    }
}

impl TryFrom<twin::FeedRow> for FeedRow {
    type Error = DecodeError;

    fn try_from(value: twin::FeedRow) -> Result<Self, DecodeError> {
        Ok(Self {
            row: value.row,
            sequence: value
                .sequence
                .map(|number| sequence(At("feed_row", "sequence"), number))
                .transpose()?,
            notice: person::notice(value.notice)?,
            former_municipality: At("feed_row", "former_municipality")
                .short_if(value.former_municipality.as_deref(), LocalGovernmentCode::parse)?,
        })
    }
}

impl From<&FeedBatch> for twin::FeedBatch {
    fn from(value: &FeedBatch) -> Self {
        Self { rows: value.rows.iter().map(Into::into).collect() }
    }
}

impl TryFrom<twin::FeedBatch> for FeedBatch {
    type Error = DecodeError;

    fn try_from(value: twin::FeedBatch) -> Result<Self, DecodeError> {
        Ok(Self { rows: At("feed_batch", "rows").rows(value.rows, FEED_ROWS_COUNT_MAX)? })
    }
}

impl From<&FeedOutcome> for twin::FeedOutcome {
    fn from(value: &FeedOutcome) -> Self {
        use twin::feed_outcome::Verdict;
        let verdict = match &value.outcome {
            FeedVerdict::Accepted { sequence } => {
                Verdict::Accepted(twin::FeedAccepted { sequence: *sequence })
            }
            FeedVerdict::Duplicate => Verdict::Duplicate(twin::FeedDuplicate {}),
            FeedVerdict::Waiting => Verdict::Waiting(twin::FeedWaiting {}),
            FeedVerdict::Rejected { column, rule, remedy } => {
                Verdict::Rejected(twin::FeedRejected {
                    column: column.clone(),
                    rule: rule.clone(),
                    remedy: remedy.clone(),
                })
            }
        };
        Self { row: value.row, verdict: Some(verdict) }
    }
}

impl TryFrom<twin::FeedOutcome> for FeedOutcome {
    type Error = DecodeError;

    fn try_from(value: twin::FeedOutcome) -> Result<Self, DecodeError> {
        use twin::feed_outcome::Verdict;
        const M: &str = "feed_rejected";
        let outcome = match At("feed_outcome", "verdict").required(value.verdict)? {
            Verdict::Accepted(accepted) => FeedVerdict::Accepted {
                sequence: sequence(At("feed_accepted", "sequence"), accepted.sequence)?,
            },
            Verdict::Duplicate(_) => FeedVerdict::Duplicate,
            Verdict::Waiting(_) => FeedVerdict::Waiting,
            Verdict::Rejected(rejected) => FeedVerdict::Rejected {
                column: At(M, "column").text(rejected.column, RULE_BYTES_MAX)?,
                rule: At(M, "rule").filled(rejected.rule, RULE_BYTES_MAX)?,
                remedy: At(M, "remedy").text(rejected.remedy, REMEDY_BYTES_MAX)?,
            },
        };
        Ok(Self { row: value.row, outcome })
    }
}
