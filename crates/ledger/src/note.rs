//! Signed notes (C2SP signed-note): a text, a blank line, and lines that each name a key and carry
//! its signature; and the verifier keys by which they are checked.
//!
//! Not here: what the text says (`checkpoint`) and where private keys are. Signing goes through
//! [`NoteSigner`], because the key of a ledger never leaves its tamper-resistant device.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::tree::hex;

/// Bytes of a note: room for a checkpoint and 16 post-quantum signatures of unknown witnesses of
/// about 5 kB each, which a reader must step over.
pub const NOTE_BYTES_MAX: usize = 128 * 1024;

/// Signature lines in a note: twice the 16 that every verifier has to accept.
pub const NOTE_SIGNATURES_MAX: usize = 32;

/// Characters of a key name or origin: a host name and a path fit.
pub const KEY_NAME_CHARACTERS_MAX: usize = 256;

/// What opens a signature line: em dash and space.
const SIGNATURE_PREFIX: &str = "\u{2014} ";

/// Why a note or a key was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The text cannot be a note.
    #[error("note is malformed ({0}); fetch it again")]
    Malformed(&'static str),
    /// The verifier key cannot be read.
    #[error("verifier key is malformed ({0}); it reads name+id+key on one line")]
    KeyMalformed(&'static str),
    /// No line was signed by this key.
    #[error("note carries no signature of {0}")]
    Unsigned(String),
    /// A line in the name of this key does not verify: the text was changed, or the line was.
    #[error("signature of {0} does not verify; the text is not what was signed")]
    SignatureWrong(String),
    /// The device did not sign.
    #[error("note could not be signed: {0}")]
    Signer(#[from] SignError),
    /// The device signed with another key than the one it names.
    #[error("signer of {0} holds another key than its verifier key; check the token")]
    SignerMismatch(String),
}

/// Why a device did not sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct SignError {
    /// What the device said, without secrets.
    pub reason: String,
}

impl SignError {
    /// With what the device said.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

/// Whatever holds the private key of a ledger or a witness.
pub trait NoteSigner {
    /// The key name, which is the origin of the ledger.
    fn name(&self) -> &str;
    /// The public half, by which the signature is checked before it is used.
    fn verifier_key(&self) -> &VerifierKey;
    /// Ed25519 over the message as it is.
    ///
    /// # Errors
    /// [`SignError`] with what the device said.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError>;
}

/// What a key signs, the type byte of its key id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// 0x01: the note text itself. The key of a ledger.
    Note,
    /// 0x04: a time and the note text (tlog-cosignature). The key of a witness.
    Cosignature,
}

impl KeyKind {
    const fn byte(self) -> u8 {
        match self {
            Self::Note => 0x01,
            Self::Cosignature => 0x04,
        }
    }
}

/// A public key under a name, as it stands in `ledger.vkey`.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    kind: KeyKind,
    id: [u8; 4],
    key: VerifyingKey,
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

/// The text form: `name+id+key`, id in hexadecimal, key in base64 with its type byte.
impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut typed = vec![self.kind.byte()];
        typed.extend_from_slice(self.key.as_bytes());
        write!(f, "{}+{}+{}", self.name, hex(&self.id), STANDARD.encode(typed))
    }
}

impl VerifierKey {
    /// The key of a ledger.
    ///
    /// # Errors
    /// [`NoteError::KeyMalformed`] for a name with spaces or plus signs, or bytes that are no key.
    pub fn ed25519(name: &str, public: &[u8; 32]) -> Result<Self, NoteError> {
        Self::of(name, KeyKind::Note, public)
    }

    /// The key of a witness.
    ///
    /// # Errors
    /// As for [`Self::ed25519`].
    pub fn cosignature(name: &str, public: &[u8; 32]) -> Result<Self, NoteError> {
        Self::of(name, KeyKind::Cosignature, public)
    }

    fn of(name: &str, kind: KeyKind, public: &[u8; 32]) -> Result<Self, NoteError> {
        if !is_key_name(name) {
            return Err(NoteError::KeyMalformed("name is empty or has a space or plus sign"));
        }
        let key = VerifyingKey::from_bytes(public)
            .map_err(|_| NoteError::KeyMalformed("bytes are no Ed25519 key"))?;
        if key.is_weak() {
            return Err(NoteError::KeyMalformed("key is of small order"));
        }
        let id = key_id(name, kind, public);
        Ok(Self { name: name.to_owned(), kind, id, key })
    }

    /// Reads the text form; a newline at the end is allowed, as files have it.
    ///
    /// # Errors
    /// [`NoteError::KeyMalformed`].
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let text = text.strip_suffix('\n').unwrap_or(text);
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::KeyMalformed("three parts joined by plus signs are needed"));
        };
        let typed = STANDARD.decode(key).map_err(|_| NoteError::KeyMalformed("key not base64"))?;
        let kind = match typed.first() {
            Some(0x01) => KeyKind::Note,
            Some(0x04) => KeyKind::Cosignature,
            _ => {
                return Err(NoteError::KeyMalformed("key type is neither Ed25519 nor cosignature"));
            }
        };
        let public = typed.get(1..).and_then(|key| key.try_into().ok());
        let public = public.ok_or(NoteError::KeyMalformed("key is not 32 bytes long"))?;
        let parsed = Self::of(name, kind, public)?;
        if hex(&parsed.id) != id {
            return Err(NoteError::KeyMalformed("id does not belong to this name and key"));
        }
        Ok(parsed)
    }

    /// The key name; for a ledger, its origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it signs.
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The first four bytes of the hash of name, type and key.
    pub const fn id(&self) -> [u8; 4] {
        self.id
    }

    /// The 32 bytes of the key.
    pub fn public_key(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// Whether `signature` is this key's over exactly `message`. Strict: one key, one encoding.
    pub fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.key.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

fn key_id(name: &str, kind: KeyKind, public: &[u8; 32]) -> [u8; 4] {
    let mut hasher = Sha256::new();
    hasher.update(name.as_bytes());
    hasher.update([b'\n', kind.byte()]);
    hasher.update(public);
    let hash: [u8; 32] = hasher.finalize().into();
    let [a, b, c, d, ..] = hash;
    [a, b, c, d]
}

/// Names stand between spaces on a line and between plus signs in a key, so they hold neither.
fn is_key_name(name: &str) -> bool {
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    !name.is_empty() && name.chars().count() <= KEY_NAME_CHARACTERS_MAX && !name.contains(forbidden)
}

/// One signature line, not yet believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureLine<'a> {
    name: &'a str,
    id: [u8; 4],
    signature: Vec<u8>,
}

impl SignatureLine<'_> {
    /// Whether the line is in the name of this key: both name and id.
    pub fn is_by(&self, key: &VerifierKey) -> bool {
        self.name == key.name && self.id == key.id
    }

    /// The bytes after the key id.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }
}

/// A note taken apart, none of its signatures checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note<'a> {
    text: &'a str,
    lines: Vec<SignatureLine<'a>>,
}

impl<'a> Note<'a> {
    /// Takes a note apart.
    ///
    /// # Errors
    /// [`NoteError::Malformed`].
    pub fn parse(note: &'a str) -> Result<Self, NoteError> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(NoteError::Malformed("longer than 128 KiB"));
        }
        if note.contains(|c: char| c < ' ' && c != '\n') {
            return Err(NoteError::Malformed("control character"));
        }
        let (body, signatures) =
            note.rsplit_once("\n\n").ok_or(NoteError::Malformed("no blank line"))?;
        let text = note
            .get(..body.len().saturating_add(1))
            .ok_or(NoteError::Malformed("no blank line"))?;
        let signatures =
            signatures.strip_suffix('\n').ok_or(NoteError::Malformed("no newline at the end"))?;
        let lines: Vec<_> =
            signatures.split('\n').map(parse_signature_line).collect::<Result<_, _>>()?;
        if lines.len() > NOTE_SIGNATURES_MAX {
            return Err(NoteError::Malformed("more than 32 signatures"));
        }
        Ok(Self { text, lines })
    }

    /// What was signed, with its last newline. Nothing in it is believed before a verification.
    pub const fn text(&self) -> &'a str {
        self.text
    }

    /// The signature lines in order.
    pub fn lines(&self) -> &[SignatureLine<'a>] {
        &self.lines
    }

    /// Checks the signature of a ledger's key over the text.
    ///
    /// # Errors
    /// [`NoteError::Unsigned`], [`NoteError::SignatureWrong`]; also where one of several lines of
    /// the same key is wrong, since no honest writer produces one.
    pub fn verify(&self, key: &VerifierKey) -> Result<(), NoteError> {
        let mut signed = false;
        for line in self.lines.iter().filter(|line| line.is_by(key)) {
            let good = key.kind == KeyKind::Note
                && <&[u8; 64]>::try_from(line.signature())
                    .is_ok_and(|signature| key.verifies(self.text.as_bytes(), signature));
            if !good {
                return Err(NoteError::SignatureWrong(key.name.clone()));
            }
            signed = true;
        }
        if signed { Ok(()) } else { Err(NoteError::Unsigned(key.name.clone())) }
    }
}

fn parse_signature_line(line: &str) -> Result<SignatureLine<'_>, NoteError> {
    let rest = line
        .strip_prefix(SIGNATURE_PREFIX)
        .ok_or(NoteError::Malformed("signature line without dash"))?;
    let (name, encoded) =
        rest.split_once(' ').ok_or(NoteError::Malformed("signature line without signature"))?;
    if !is_key_name(name) {
        return Err(NoteError::Malformed("key name in a signature line"));
    }
    let bytes =
        STANDARD.decode(encoded).map_err(|_| NoteError::Malformed("signature is not base64"))?;
    let (id, signature) =
        bytes.split_first_chunk::<4>().ok_or(NoteError::Malformed("signature without key id"))?;
    if signature.is_empty() {
        return Err(NoteError::Malformed("empty signature"));
    }
    Ok(SignatureLine { name, id: *id, signature: signature.to_vec() })
}

/// Signs a text that ends in a newline, and checks the device's answer before anyone relies on it.
///
/// # Errors
/// [`NoteError::Malformed`] where the text cannot be a note, [`NoteError::Signer`],
/// [`NoteError::SignerMismatch`].
pub fn sign_note(text: &str, signer: &dyn NoteSigner) -> Result<String, NoteError> {
    let key = signer.verifier_key();
    let signature = sign_checked(text.as_bytes(), signer, KeyKind::Note)?;
    let note = format!("{text}\n{}", signature_line(key, &signature));
    Note::parse(&note)?;
    Ok(note)
}

/// A signature that is known to verify.
pub(crate) fn sign_checked(
    message: &[u8],
    signer: &dyn NoteSigner,
    kind: KeyKind,
) -> Result<[u8; 64], NoteError> {
    let key = signer.verifier_key();
    if signer.name() != key.name || key.kind != kind {
        return Err(NoteError::SignerMismatch(key.name.clone()));
    }
    let signature = signer.sign(message)?;
    if key.verifies(message, &signature) {
        Ok(signature)
    } else {
        Err(NoteError::SignerMismatch(key.name.clone()))
    }
}

/// One signature line with its newline.
pub(crate) fn signature_line(key: &VerifierKey, signature: &[u8]) -> String {
    let mut bytes = key.id.to_vec();
    bytes.extend_from_slice(signature);
    format!("{SIGNATURE_PREFIX}{} {}\n", key.name, STANDARD.encode(bytes))
}
