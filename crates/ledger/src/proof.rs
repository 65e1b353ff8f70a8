//! One leaf's proof as text (C2SP tlog-proof@v1): index, hashes and the signed checkpoint, enough
//! to check offline that an entry stands in a ledger.
//!
//! Not here: what the leaf means (`entry`, `view`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::checkpoint::{CheckpointError, OpenedCheckpoint, open};
use crate::note::{NOTE_BYTES_MAX, VerifierKey};
use crate::proofs::{ProofFault, verify_inclusion};
use crate::tree::{Hash, leaf_hash};

/// Hashes in an inclusion proof: one per bit of the largest size.
pub const PROOF_HASHES_MAX: usize = 64;

/// Bytes of a proof: the checkpoint note and 64 lines of 45 bytes, rounded up.
pub const PROOF_BYTES_MAX: usize = NOTE_BYTES_MAX + 4096;

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// Why a proof was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogProofError {
    /// The text is not a proof.
    #[error("proof is malformed ({0}); ask for it again")]
    Malformed(&'static str),
    /// The checkpoint in it.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The hashes in it.
    #[error("entry is not proved: {0}")]
    Inclusion(#[from] ProofFault),
}

/// A proof taken apart, nothing in it checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogProof {
    /// Place of the leaf in the ledger.
    pub index: u64,
    /// From the leaf's sibling up to the root's child.
    pub hashes: Vec<Hash>,
    /// The signed checkpoint, verbatim.
    pub checkpoint: String,
}

/// The text form.
pub fn encode(index: u64, hashes: &[Hash], checkpoint_note: &str) -> String {
    let mut text = format!("{HEADER}\nindex {index}\n");
    for hash in hashes {
        text.push_str(&STANDARD.encode(hash.0));
        text.push('\n');
    }
    text.push('\n');
    text.push_str(checkpoint_note);
    text
}

/// Reads the text form. A line of extra data is refused: the format leaves it unauthenticated, and
/// no ledger of ours writes one.
///
/// # Errors
/// [`LogProofError::Malformed`].
pub fn parse(text: &str) -> Result<LogProof, LogProofError> {
    let malformed = LogProofError::Malformed;
    if text.len() > PROOF_BYTES_MAX {
        return Err(malformed("too long"));
    }
    let (head, checkpoint) =
        text.split_once("\n\n").ok_or(LogProofError::Malformed("no blank line"))?;
    let mut lines = head.split('\n');
    if lines.next() != Some(HEADER) {
        return Err(malformed("first line is not c2sp.org/tlog-proof@v1"));
    }
    let index = lines.next().and_then(|line| line.strip_prefix("index "));
    let index = index
        .and_then(|index| index.parse().ok())
        .ok_or(LogProofError::Malformed("no index line"))?;
    let mut hashes = Vec::new();
    for line in lines {
        if hashes.len() == PROOF_HASHES_MAX {
            return Err(malformed("more than 64 hashes"));
        }
        let hash = STANDARD.decode(line).ok().and_then(|hash| hash.try_into().ok());
        hashes.push(Hash(hash.ok_or(LogProofError::Malformed("hash is not 32 bytes in base64"))?));
    }
    if encode(index, &hashes, checkpoint) != text {
        return Err(malformed("not in canonical form"));
    }
    Ok(LogProof { index, hashes, checkpoint: checkpoint.to_owned() })
}

impl LogProof {
    /// Checks that `data` is the leaf at this index of the ledger whose key is `log`, and returns
    /// the checkpoint that says so with the cosignatures of `witnesses`.
    ///
    /// # Errors
    /// [`LogProofError`].
    pub fn verify(
        &self,
        data: &[u8],
        log: &VerifierKey,
        witnesses: &[VerifierKey],
    ) -> Result<OpenedCheckpoint, LogProofError> {
        let opened = open(&self.checkpoint, log, witnesses)?;
        let Hash(root) = opened.checkpoint.root;
        let size = opened.checkpoint.size;
        verify_inclusion(&leaf_hash(data), self.index, size, &self.hashes, &Hash(root))?;
        Ok(opened)
    }
}
