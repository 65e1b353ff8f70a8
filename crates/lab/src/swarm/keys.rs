//! Keys of the simulated nation: derived from names, the same in every run, secret to nobody.
//!
//! They sign as the real ones do, because the machines check signatures themselves. Nothing made
//! here is accepted anywhere outside the simulator.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use ed25519_dalek::Signer as _;
use ledger::note::{NoteSigner, SignError, VerifierKey};
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
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
#[derive(Clone)]
pub(crate) struct CardKey {
    secret: p256::ecdsa::SigningKey,
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
        let secret = p256::ecdsa::SigningKey::from_slice(&bytes).ok()?;
        let point = secret.verifying_key().to_sec1_point(false);
        let public = <[u8; 65]>::try_from(point.as_bytes()).ok()?;
        Some(Self { secret, public })
    }

    pub(crate) fn public(&self) -> [u8; 65] {
        self.public
    }

    /// Signature over a digest, as a card makes it.
    pub(crate) fn sign_digest(&self, digest: &[u8; 32]) -> Option<[u8; 64]> {
        let signature: p256::ecdsa::Signature = self.secret.sign_prehash(digest).ok()?;
        Some(signature.to_bytes().into())
    }

    /// Signature over a message, as a token makes it.
    pub(crate) fn sign(&self, message: &[u8]) -> Option<[u8; 64]> {
        self.sign_digest(&sha256(&[message]))
    }
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
