//! A resident's own rows, checked without trusting whoever handed them over (提供状況の開示).
//!
//! A row is an entry, its salt and its proof; together they show that this very text stands in the
//! ledger. Not here: whether someone may see a row (`law`), and the page or file it is shown in.

use crate::checkpoint::OpenedCheckpoint;
use crate::commitment::commitment;
use crate::entry::{Entry, EntryError};
use crate::note::VerifierKey;
use crate::proof::{self, LogProofError};

/// One row as it travels: nothing in it is believed yet.
#[derive(Clone, PartialEq, Eq)]
pub struct ViewedRow {
    /// The text of the entry.
    pub entry: Vec<u8>,
    /// The salt under which it was committed to.
    pub salt: [u8; 32],
    /// The proof of its leaf, in the form of tlog-proof.
    pub proof: String,
}

/// An entry may name a resident, and its salt opens it: neither is printed.
impl std::fmt::Debug for ViewedRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ViewedRow").finish_non_exhaustive()
    }
}

/// Why a row is not what it claims to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    /// The text is not an entry.
    #[error("row is not an entry: {0}")]
    Entry(#[from] EntryError),
    /// The proof does not show this text in the ledger.
    #[error("row is not in the ledger: {0}")]
    Proof(#[from] LogProofError),
}

/// A row that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedRow {
    /// What it says.
    pub entry: Entry,
    /// Its place in the ledger.
    pub index: u64,
    /// The checkpoint that covers it, with the witnesses that cosigned.
    pub checkpoint: OpenedCheckpoint,
}

/// Checks one row against the key of the ledger it claims to come from.
///
/// # Errors
/// [`ViewError`].
pub fn verify_row(row: &ViewedRow, log: &VerifierKey) -> Result<Entry, ViewError> {
    Ok(open_row(row, log, &[])?.entry)
}

/// As [`verify_row`], with the place in the ledger and the cosignatures of `witnesses`.
///
/// # Errors
/// [`ViewError`].
pub fn open_row(
    row: &ViewedRow,
    log: &VerifierKey,
    witnesses: &[VerifierKey],
) -> Result<VerifiedRow, ViewError> {
    let proof = proof::parse(&row.proof)?;
    let leaf = commitment(&row.salt, &row.entry);
    let checkpoint = proof.verify(&leaf, log, witnesses)?;
    let entry = Entry::parse(&row.entry)?;
    Ok(VerifiedRow { entry, index: proof.index, checkpoint })
}
