//! Keys of the simulated nation: derived from names, the same in every run, secret to nobody.
//!
//! They sign as the real ones do, because the machines check signatures themselves. Nothing made
//! here is accepted anywhere outside the simulator.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use ed25519_dalek::Signer as _;
use ledger::note::{NoteSigner, SignError, VerifierKey};
use p256::elliptic_curve::ops::Reduce as _;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use p256::{FieldBytes, Scalar};
use sha2::{Digest, Sha256};
use wire::NodeId;

/// SHA-256 of the parts one after the other.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// A P-256 key: the center's for the directory, one for each operator card.
///
/// It signs with one nonce for ever, prepared once: a signature costs two multiplications instead
/// of a walk on the curve, a fifth of a whole world's time. That gives the key away, and these keys
/// are everybody's; verification is the real one.
#[derive(Clone)]
pub(crate) struct CardKey {
    secret: Scalar,
    /// The nonce's inverse, and the x of its point.
    inverse: Scalar,
    r: Scalar,
    public: [u8; 65],
}

impl std::fmt::Debug for CardKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CardKey(…)")
    }
}

impl CardKey {
    /// The key of this name. `None` never happens in practice: no name in use gives a bad scalar.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let bytes = sha256(&[b"jukilab key\n", name.as_bytes()]);
        let secret = p256::SecretKey::from_slice(&bytes).ok()?;
        let nonce = p256::SecretKey::from_slice(&sha256(&[b"jukilab nonce\n", &bytes])).ok()?;
        let public = uncompressed(&secret)?;
        let x: [u8; 32] = uncompressed(&nonce)?.get(1..33)?.try_into().ok()?;
        let inverse = Option::from(nonce.to_nonzero_scalar().invert_vartime())?;
        let secret = *secret.to_nonzero_scalar();
        Some(Self { secret, inverse, r: reduced(x), public })
    }

    pub(crate) fn public(&self) -> [u8; 65] {
        self.public
    }

    /// Signature over a digest, as a card makes it.
    pub(crate) fn sign_digest(&self, digest: &[u8; 32]) -> Option<[u8; 64]> {
        let s = self.inverse * (reduced(*digest) + self.r * self.secret);
        let signature = p256::ecdsa::Signature::from_scalars(self.r, s).ok()?;
        Some(signature.to_bytes().into())
    }

    /// Signature over a message, as a token makes it.
    pub(crate) fn sign(&self, message: &[u8]) -> Option<[u8; 64]> {
        self.sign_digest(&sha256(&[message]))
    }
}

fn reduced(bytes: [u8; 32]) -> Scalar {
    Scalar::reduce(&FieldBytes::from(bytes))
}

fn uncompressed(secret: &p256::SecretKey) -> Option<[u8; 65]> {
    <[u8; 65]>::try_from(secret.public_key().to_sec1_point(false).as_bytes()).ok()
}

/// Making the same P-256 key again for each of thousands of worlds would cost more than the worlds.
static CARD_KEYS: LazyLock<Mutex<BTreeMap<String, Option<CardKey>>>> =
    LazyLock::new(Mutex::default);

/// The key of this name, made once per process.
pub(crate) fn card_key(name: &str) -> Option<CardKey> {
    let mut keys = CARD_KEYS.lock().unwrap_or_else(PoisonError::into_inner);
    keys.entry(name.to_owned()).or_insert_with(|| CardKey::named(name)).clone()
}

/// The key of a node: what its releases are signed with and the directory pins.
pub(crate) fn node_key(node: &NodeId) -> Option<CardKey> {
    card_key(&format!("the node {node}"))
}

/// A ledger's key.
#[derive(Clone)]
pub(crate) struct LedgerKey {
    secret: ed25519_dalek::SigningKey,
    verifier: VerifierKey,
}

impl std::fmt::Debug for LedgerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LedgerKey(…)")
    }
}

impl LedgerKey {
    pub(crate) fn named(origin: &str) -> Option<Self> {
        let bytes = sha256(&[b"jukilab ledger\n", origin.as_bytes()]);
        let secret = ed25519_dalek::SigningKey::from_bytes(&bytes);
        let verifier = VerifierKey::ed25519(origin, &secret.verifying_key().to_bytes()).ok()?;
        Some(Self { secret, verifier })
    }
}

impl NoteSigner for LedgerKey {
    fn name(&self) -> &str {
        self.verifier.name()
    }

    fn verifier_key(&self) -> &VerifierKey {
        &self.verifier
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        Ok(self.secret.sign(message).to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_here_verifies_as_any_signature() {
        let (key, other) = (CardKey::named("one").unwrap(), CardKey::named("another").unwrap());
        let signature = key.sign(b"a message").unwrap();
        assert!(token::verify::p256(&key.public(), b"a message", &signature));
        assert!(!token::verify::p256(&key.public(), b"another", &signature));
        assert!(!token::verify::p256(&other.public(), b"a message", &signature));
    }
}
