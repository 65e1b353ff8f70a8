//! Provision records on their way to the resident: from the center to the prefecture, from the
//! prefecture's node to its disclosure desk. The entries are opaque here; `ledger` reads and proves
//! them.

use std::fmt;

use law::code::RecordCode;
use law::time::Date;

use crate::error::{DecodeError, EncodeError};
use crate::field::{self, At};
use crate::generated as twin;
use crate::limits::{
    BATCH_DISCLOSURES_COUNT_MAX, ENTRY_BYTES_MAX, FRAME_BYTES_MAX, LEDGER_TEXT_BYTES_MAX,
    PROOF_BYTES_MAX, VIEW_LEDGERS_COUNT_MAX, VIEW_ROWS_COUNT_MAX,
};
use crate::notice::sequence;

/// One entry of the center's ledger about one resident of the receiving prefecture.
#[derive(Clone, PartialEq, Eq)]
pub struct DisclosureRow {
    /// Of this prefecture's queue, from 1.
    pub sequence: u64,
    pub subject: RecordCode,
    /// Canonical text (`ledger::entry`).
    pub entry: Vec<u8>,
    /// Salt of its commitment.
    pub salt: [u8; 32],
    /// C2SP tlog-proof.
    pub proof: String,
}

impl fmt::Debug for DisclosureRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DisclosureRow({}, …)", self.sequence)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisclosureBatch {
    pub first_sequence: u64,
    pub rows: Vec<DisclosureRow>,
}

/// A resident's own records (提供状況), for one page or one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResidentView {
    pub code: RecordCode,
    /// First and last day that the records cover.
    pub period_from: Date,
    pub period_to: Date,
    pub ledgers: Vec<ViewLedger>,
    pub rows: Vec<ViewRow>,
}

/// A ledger that rows of a view stand in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewLedger {
    pub origin: String,
    /// Note verifier key.
    pub vkey: String,
    pub size: u64,
}

#[derive(Clone, PartialEq, Eq)]
pub struct ViewRow {
    pub entry: Vec<u8>,
    pub salt: [u8; 32],
    pub proof: String,
    /// Origin of its ledger.
    pub ledger: String,
}

impl fmt::Debug for ViewRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ViewRow(…)")
    }
}

impl DisclosureRow {
    /// The bytes that wait in the center's queue.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        field::encode::<twin::DisclosureRow, Self>("disclosure_row", self, FRAME_BYTES_MAX)
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        field::decode::<twin::DisclosureRow, Self>("disclosure_row", bytes, FRAME_BYTES_MAX)
    }
}

impl From<&DisclosureRow> for twin::DisclosureRow {
    fn from(value: &DisclosureRow) -> Self {
        Self {
            sequence: value.sequence,
            subject: value.subject.expose().to_owned(),
            entry: value.entry.clone(),
            salt: value.salt.to_vec(),
            proof: value.proof.clone(),
        }
    }
}

impl TryFrom<twin::DisclosureRow> for DisclosureRow {
    type Error = DecodeError;

    fn try_from(value: twin::DisclosureRow) -> Result<Self, DecodeError> {
        const M: &str = "disclosure_row";
        Ok(Self {
            sequence: sequence(At(M, "sequence"), value.sequence)?,
            subject: At(M, "subject").short(&value.subject, RecordCode::parse)?,
            entry: At(M, "entry").bytes(value.entry, ENTRY_BYTES_MAX)?,
            salt: At(M, "salt").fixed(&value.salt)?,
            proof: At(M, "proof").filled(value.proof, PROOF_BYTES_MAX)?,
        })
    }
}

impl From<&DisclosureBatch> for twin::DisclosureBatch {
    fn from(value: &DisclosureBatch) -> Self {
        Self {
            first_sequence: value.first_sequence,
            rows: value.rows.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<twin::DisclosureBatch> for DisclosureBatch {
    type Error = DecodeError;

    fn try_from(value: twin::DisclosureBatch) -> Result<Self, DecodeError> {
        const M: &str = "disclosure_batch";
        Ok(Self {
            first_sequence: sequence(At(M, "first_sequence"), value.first_sequence)?,
            rows: At(M, "rows").rows(value.rows, BATCH_DISCLOSURES_COUNT_MAX)?,
        })
    }
}

impl From<&ViewLedger> for twin::ViewLedger {
    fn from(value: &ViewLedger) -> Self {
        Self { origin: value.origin.clone(), vkey: value.vkey.clone(), size: value.size }
    }
}

impl TryFrom<twin::ViewLedger> for ViewLedger {
    type Error = DecodeError;

    fn try_from(value: twin::ViewLedger) -> Result<Self, DecodeError> {
        const M: &str = "view_ledger";
        Ok(Self {
            origin: At(M, "origin").filled(value.origin, LEDGER_TEXT_BYTES_MAX)?,
            vkey: At(M, "vkey").filled(value.vkey, LEDGER_TEXT_BYTES_MAX)?,
            size: value.size,
        })
    }
}

impl From<&ViewRow> for twin::ViewRow {
    fn from(value: &ViewRow) -> Self {
        Self {
            entry: value.entry.clone(),
            salt: value.salt.to_vec(),
            proof: value.proof.clone(),
            ledger: value.ledger.clone(),
        }
    }
}

impl TryFrom<twin::ViewRow> for ViewRow {
    type Error = DecodeError;

    fn try_from(value: twin::ViewRow) -> Result<Self, DecodeError> {
        const M: &str = "view_row";
        Ok(Self {
            entry: At(M, "entry").bytes(value.entry, ENTRY_BYTES_MAX)?,
            salt: At(M, "salt").fixed(&value.salt)?,
            // Empty while the checkpoint that will cover it has not been signed yet.
            proof: At(M, "proof").text(value.proof, PROOF_BYTES_MAX)?,
            ledger: At(M, "ledger").filled(value.ledger, LEDGER_TEXT_BYTES_MAX)?,
        })
    }
}

impl From<&ResidentView> for twin::ResidentView {
    fn from(value: &ResidentView) -> Self {
        Self {
            code: value.code.expose().to_owned(),
            period_from: value.period_from.to_string(),
            period_to: value.period_to.to_string(),
            ledgers: value.ledgers.iter().map(Into::into).collect(),
            rows: value.rows.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<twin::ResidentView> for ResidentView {
    type Error = DecodeError;

    fn try_from(value: twin::ResidentView) -> Result<Self, DecodeError> {
        const M: &str = "resident_view";
        Ok(Self {
            code: At(M, "code").short(&value.code, RecordCode::parse)?,
            period_from: At(M, "period_from").short(&value.period_from, Date::parse)?,
            period_to: At(M, "period_to").short(&value.period_to, Date::parse)?,
            ledgers: At(M, "ledgers").list(value.ledgers, VIEW_LEDGERS_COUNT_MAX)?,
            rows: At(M, "rows").list(value.rows, VIEW_ROWS_COUNT_MAX)?,
        })
    }
}
