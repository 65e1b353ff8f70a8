//! The store's keys: one root key, wrapped by the node's token, and everything derived from it.
//!
//! Trust: whoever holds the token can open the store; whoever holds only the files cannot. This
//! module knows no token and no file: wrapping is handed in as [`KeySource`].

use std::sync::Arc;

use aes_gcm::aead::KeyInit;
use aes_gcm::{Aes256Gcm, Key};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Bytes of every symmetric key here (AES-256, HMAC-SHA-256).
pub const KEY_BYTES: usize = 32;

/// What can go wrong when the token is asked to wrap or unwrap.
#[derive(Debug, thiserror::Error)]
#[error("the token refused the storage key: {0}")]
pub struct KeyError(pub String);

/// The token's storage key (key-encryption key) and its keys for terms, as much of them as a store
/// needs. What was wrapped under a destroyed term's key stays closed, also in a copy of the store.
pub trait KeySource {
    /// Wrap a key under the token's storage key. `nonce` is fresh for every call.
    fn wrap(&self, plain: &[u8], nonce: [u8; 12]) -> Result<Vec<u8>, KeyError>;
    /// Unwrap what [`KeySource::wrap`] made.
    fn unwrap(&self, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError>;
    /// Make the token's key for this term; one that is there already stays as it is.
    fn retention_create(&self, name: &str) -> Result<(), KeyError>;
    /// Wrap a key under the token's key for a term. `nonce` is fresh for every call.
    fn retention_wrap(
        &self,
        name: &str,
        plain: &[u8],
        nonce: [u8; 12],
    ) -> Result<Vec<u8>, KeyError>;
    /// Unwrap it again; `None` when the token's key for that term was destroyed.
    fn retention_unwrap(
        &self,
        name: &str,
        wrapped: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError>;
    /// Destroy the token's key for a term; one that is not there is as good.
    fn retention_destroy(&self, name: &str) -> Result<(), KeyError>;
    /// Names of the terms for which the token holds a key.
    fn retention_names(&self) -> Result<Vec<String>, KeyError>;
    /// The same source, to be kept for as long as a store is open.
    fn share(&self) -> Arc<dyn KeySource + Send + Sync>;
}

/// A symmetric key in memory; zeroed when dropped, never printed.
pub(crate) struct SecretKey(Zeroizing<[u8; KEY_BYTES]>);

impl SecretKey {
    pub(crate) fn draw(dice: law::Dice<'_>) -> Self {
        let mut bytes = Zeroizing::new([0u8; KEY_BYTES]);
        dice(bytes.as_mut_slice());
        Self(bytes)
    }

    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        Some(Self(Zeroizing::new(<[u8; KEY_BYTES]>::try_from(bytes).ok()?)))
    }

    pub(crate) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// HKDF-SHA-256 with a label of its own, so that no two uses share a key.
    pub(crate) fn derive(&self, label: &str) -> Result<Self, KeyError> {
        let mut out = Zeroizing::new([0u8; KEY_BYTES]);
        let info = format!("jukinet/1 store {label}");
        Hkdf::<Sha256>::new(None, self.0.as_slice())
            .expand(info.as_bytes(), out.as_mut_slice())
            .map_err(|_| KeyError(format!("key {label} could not be derived")))?;
        Ok(Self(out))
    }

    pub(crate) fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(&Key::<Aes256Gcm>::from(*self.0))
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

/// What an index digest stands for. The byte separates the domains, so that equal codes give
/// different digests in different tables and a copied file does not join them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Domain {
    /// A search term; the byte is the index kind (1 to 6).
    Term(u8),
    /// The person an own entry is about.
    Entry,
    /// The person another ledger's entry is about.
    Foreign,
    /// A fact of this space; the byte is the space's number.
    Fact(u8),
}

impl Domain {
    fn byte(self) -> u8 {
        match self {
            Self::Term(kind) => kind,
            Self::Entry => 0xe1,
            Self::Foreign => 0xf1,
            Self::Fact(space) => 0x80 | space,
        }
    }
}

/// The keyed index: HMAC-SHA-256 truncated to 64 bits. Truncation keeps the index small; whoever
/// looks up compares the opened row as well, because among 126 million codes two may collide.
#[derive(Clone)]
pub(crate) struct IndexKey(Hmac<Sha256>);

impl IndexKey {
    pub(crate) fn new(key: &SecretKey) -> Result<Self, KeyError> {
        <Hmac<Sha256> as KeyInit>::new_from_slice(key.bytes())
            .map(Self)
            .map_err(|_| KeyError("the index key has the wrong length".into()))
    }

    /// 128 bits, where a collision would make one fact overwrite another.
    pub(crate) fn place(&self, domain: Domain, key: &[u8]) -> [u8; 16] {
        let mut mac = self.0.clone();
        mac.update(&[domain.byte()]);
        mac.update(key);
        let full: [u8; 32] = mac.finalize().into_bytes().into();
        let mut place = [0; 16];
        place.iter_mut().zip(full).for_each(|(to, from)| *to = from);
        place
    }

    pub(crate) fn digest(&self, domain: Domain, text: &str) -> i64 {
        let mut mac = self.0.clone();
        mac.update(&[domain.byte()]);
        mac.update(text.as_bytes());
        let full: [u8; 32] = mac.finalize().into_bytes().into();
        let [a, b, c, d, e, f, g, h, ..] = full;
        i64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

impl std::fmt::Debug for IndexKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IndexKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_domains_give_different_keys_and_digests() {
        let root = SecretKey::from_slice(&[7; 32]).unwrap();
        let index = IndexKey::new(&root.derive("index").unwrap()).unwrap();
        assert_ne!(root.derive("index").unwrap().bytes(), root.derive("row/1").unwrap().bytes());
        let digests = [Domain::Term(1), Domain::Term(2), Domain::Entry, Domain::Foreign]
            .map(|domain| index.digest(domain, "12345678901"));
        for (i, a) in digests.iter().enumerate() {
            assert!(digests.iter().skip(i + 1).all(|b| a != b));
        }
        assert_eq!(index.digest(Domain::Entry, "x"), index.digest(Domain::Entry, "x"));
    }

    #[test]
    fn a_key_of_the_wrong_length_is_refused_and_none_is_printed() {
        assert!(SecretKey::from_slice(&[1; 31]).is_none());
        assert_eq!(format!("{:?}", SecretKey::from_slice(&[1; 32]).unwrap()), "SecretKey(…)");
    }
}
