//! Checkpoints (C2SP tlog-checkpoint): origin, size and root, signed by the ledger and cosigned by
//! witnesses (C2SP tlog-cosignature, Ed25519 form).
//!
//! Not here: whether the published files bear a checkpoint out (`verify`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::note::{
    KeyKind, Note, NoteError, NoteSigner, VerifierKey, sign_checked, sign_note, signature_line,
};
use crate::proofs::{ProofFault, verify_consistency};
use crate::tree::Hash;

/// Why a checkpoint was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note around it.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The text is not that of a checkpoint.
    #[error("checkpoint is malformed ({0}); fetch it again")]
    Malformed(&'static str),
    /// It is of another ledger than the key.
    #[error("checkpoint is of {found}, not of {expected}")]
    Origin {
        /// The name of the verifier key.
        expected: String,
        /// The origin line.
        found: String,
    },
    /// Two checkpoints of one ledger do not continue each other.
    #[error("checkpoint of size {new} does not continue the one of size {old}: {fault}")]
    Inconsistent {
        /// Size of the older one.
        old: u64,
        /// Size of the newer one.
        new: u64,
        /// How the proof fails.
        fault: ProofFault,
    },
}

/// The state of a ledger at one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which ledger: `jukinet.example/<node-id>`.
    pub origin: String,
    /// How many leaves.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// A witness's statement that it saw this checkpoint continue all that it saw before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    /// The key name of the witness.
    pub witness: String,
    /// When, in seconds since the Unix epoch, by the witness's clock.
    pub seconds: u64,
}

/// A checkpoint whose signature was verified, with the cosignatures that were, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedCheckpoint {
    /// What the ledger signed.
    pub checkpoint: Checkpoint,
    /// At most one per witness key, in the order of the keys given.
    pub cosignatures: Vec<Cosignature>,
}

impl Checkpoint {
    /// The note text: three lines.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.0))
    }

    /// Reads the note text; only the canonical form, without extension lines, which no ledger of
    /// ours writes and no monitor could audit.
    ///
    /// # Errors
    /// [`CheckpointError::Malformed`].
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let malformed = CheckpointError::Malformed;
        let body =
            text.strip_suffix('\n').ok_or(CheckpointError::Malformed("no newline at the end"))?;
        let mut lines = body.split('\n');
        let (Some(origin), Some(size), Some(root), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(malformed("three lines are needed: origin, size, root"));
        };
        let size = size.parse().map_err(|_| malformed("size is no number"))?;
        let root = STANDARD.decode(root).ok().and_then(|root| root.try_into().ok());
        let root = Hash(root.ok_or(CheckpointError::Malformed("root is not 32 bytes in base64"))?);
        let checkpoint = Self { origin: origin.to_owned(), size, root };
        if origin.is_empty() || checkpoint.text() != text {
            return Err(malformed("not in canonical form"));
        }
        Ok(checkpoint)
    }
}

/// Signs a checkpoint under the key of its ledger.
///
/// # Errors
/// [`CheckpointError::Origin`] where the signer is another ledger's, otherwise the note's.
pub fn signed_checkpoint(
    checkpoint: &Checkpoint,
    signer: &dyn NoteSigner,
) -> Result<String, CheckpointError> {
    check_origin(checkpoint, signer.verifier_key())?;
    let text = checkpoint.text();
    // The text is read back, so that an origin with a line break is never signed.
    Checkpoint::parse(&text)?;
    Ok(sign_note(&text, signer)?)
}

/// Opens a signed checkpoint of the ledger whose key is `log`.
///
/// # Errors
/// [`CheckpointError`].
pub fn parse_and_verify(note: &str, log: &VerifierKey) -> Result<Checkpoint, CheckpointError> {
    Ok(open(note, log, &[])?.checkpoint)
}

/// Opens a signed checkpoint and counts the witnesses that cosigned it.
///
/// Lines of unknown keys are ignored, as the format requires; a line in the name of a known key
/// that does not verify refuses the whole note.
///
/// # Errors
/// [`CheckpointError`].
pub fn open(
    note: &str,
    log: &VerifierKey,
    witnesses: &[VerifierKey],
) -> Result<OpenedCheckpoint, CheckpointError> {
    let note = Note::parse(note)?;
    note.verify(log)?;
    let checkpoint = Checkpoint::parse(note.text())?;
    check_origin(&checkpoint, log)?;
    let mut cosignatures = Vec::new();
    for (place, witness) in witnesses.iter().enumerate() {
        // A key listed twice is one witness.
        if witnesses.iter().take(place).any(|earlier| earlier.public_key() == witness.public_key())
        {
            continue;
        }
        cosignatures.extend(cosignature_of(&note, witness)?);
    }
    Ok(OpenedCheckpoint { checkpoint, cosignatures })
}

fn check_origin(checkpoint: &Checkpoint, log: &VerifierKey) -> Result<(), CheckpointError> {
    if checkpoint.origin == log.name() {
        return Ok(());
    }
    Err(CheckpointError::Origin {
        expected: log.name().to_owned(),
        found: checkpoint.origin.clone(),
    })
}

fn cosignature_of(
    note: &Note<'_>,
    witness: &VerifierKey,
) -> Result<Option<Cosignature>, CheckpointError> {
    let mut latest: Option<u64> = None;
    for line in note.lines().iter().filter(|line| line.is_by(witness)) {
        let seconds = cosigned_at(note.text(), line.signature(), witness)
            .ok_or_else(|| NoteError::SignatureWrong(witness.name().to_owned()))?;
        latest = latest.max(Some(seconds));
    }
    Ok(latest.map(|seconds| Cosignature { witness: witness.name().to_owned(), seconds }))
}

fn cosigned_at(text: &str, bytes: &[u8], witness: &VerifierKey) -> Option<u64> {
    let (seconds, signature) = bytes.split_first_chunk::<8>()?;
    let seconds = u64::from_be_bytes(*seconds);
    let signature = signature.try_into().ok()?;
    let sane = witness.kind() == KeyKind::Cosignature && i64::try_from(seconds).is_ok();
    let good = sane && witness.verifies(cosigned_message(text, seconds).as_bytes(), signature);
    good.then_some(seconds)
}

fn cosigned_message(text: &str, seconds: u64) -> String {
    format!("cosignature/v1\ntime {seconds}\n{text}")
}

/// A witness adds its line to a checkpoint it has opened and found consistent with its last one.
///
/// # Errors
/// [`CheckpointError`] where the note is not the ledger's, or the witness's device does not sign.
pub fn cosign(
    note: &str,
    log: &VerifierKey,
    witness: &dyn NoteSigner,
    seconds: u64,
) -> Result<String, CheckpointError> {
    parse_and_verify(note, log)?;
    if i64::try_from(seconds).is_err() {
        return Err(CheckpointError::Malformed("time of the cosignature beyond 63 bits"));
    }
    let message = cosigned_message(Note::parse(note)?.text(), seconds);
    let signature = sign_checked(message.as_bytes(), witness, KeyKind::Cosignature)?;
    let mut timed = seconds.to_be_bytes().to_vec();
    timed.extend_from_slice(&signature);
    let cosigned = format!("{note}{}", signature_line(witness.verifier_key(), &timed));
    Note::parse(&cosigned)?;
    Ok(cosigned)
}

/// Opens two checkpoints of one ledger and checks that the newer continues the older: what a
/// witness does before it cosigns, and an auditor with last year's checkpoint in a drawer.
///
/// # Errors
/// [`CheckpointError`].
pub fn verify_continues(
    old_note: &str,
    new_note: &str,
    proof: &[Hash],
    log: &VerifierKey,
) -> Result<(Checkpoint, Checkpoint), CheckpointError> {
    let old = parse_and_verify(old_note, log)?;
    let new = parse_and_verify(new_note, log)?;
    verify_consistency(old.size, &old.root, new.size, &new.root, proof)
        .map_err(|fault| CheckpointError::Inconsistent { old: old.size, new: new.size, fault })?;
    Ok((old, new))
}
