//! Names of keys, the `Token` trait, and public keys.
//!
//! The set of names is closed on purpose: a role can ask its token only for the six jobs of the
//! charter, so a key made for one job cannot be borrowed for another.

use zeroize::Zeroizing;

use crate::error::TokenError;

/// The keys a node may hold in its tamper-resistant device (耐タンパー装置).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyName {
    /// P-256: TLS and connect requests.
    Node,
    /// Ed25519: checkpoints of the ledger (C2SP signed notes know only Ed25519).
    Ledger,
    /// P-256: the center's signature under the directory.
    Directory,
    /// P-256: the center's signature under operator card certificates.
    CardIssuer,
    /// P-256: the center's signature under terminal certificates.
    TerminalAuthority,
    /// AES-256: wraps the root key of the store.
    Storage,
}

/// What kind of key a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// ECDSA over P-256 with SHA-256.
    P256,
    /// EdDSA over edwards25519.
    Ed25519,
    /// AES-256 in GCM mode.
    Aes256,
}

impl KeyName {
    /// Every name, in the order used in files.
    pub const ALL: [Self; 6] = [
        Self::Node,
        Self::Ledger,
        Self::Directory,
        Self::CardIssuer,
        Self::TerminalAuthority,
        Self::Storage,
    ];

    /// The name in configuration, in PKCS#11 labels and in messages.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Ledger => "ledger",
            Self::Directory => "directory",
            Self::CardIssuer => "card-issuer",
            Self::TerminalAuthority => "terminal-authority",
            Self::Storage => "storage",
        }
    }

    /// The inverse of [`KeyName::key`].
    #[must_use]
    pub fn parse_key(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.key() == text)
    }

    /// What kind of key this is.
    #[must_use]
    pub const fn kind(self) -> KeyKind {
        match self {
            Self::Node | Self::Directory | Self::CardIssuer | Self::TerminalAuthority => {
                KeyKind::P256
            }
            Self::Ledger => KeyKind::Ed25519,
            Self::Storage => KeyKind::Aes256,
        }
    }

    /// The number in sealed files; never reused.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Node => 1,
            Self::Ledger => 2,
            Self::Directory => 3,
            Self::CardIssuer => 4,
            Self::TerminalAuthority => 5,
            Self::Storage => 6,
        }
    }

    /// The inverse of [`KeyName::number`].
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.number() == number)
    }
}

/// The public half of a signing key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PublicKey {
    /// SEC1 uncompressed point: 04 ‖ x ‖ y.
    P256([u8; 65]),
    /// RFC 8032 encoding.
    Ed25519([u8; 32]),
}

impl PublicKey {
    /// The point, if this is a P-256 key.
    #[must_use]
    pub const fn p256(&self) -> Option<&[u8; 65]> {
        match self {
            Self::P256(point) => Some(point),
            Self::Ed25519(_) => None,
        }
    }

    /// The encoded point, if this is an Ed25519 key.
    #[must_use]
    pub const fn ed25519(&self) -> Option<&[u8; 32]> {
        match self {
            Self::Ed25519(point) => Some(point),
            Self::P256(_) => None,
        }
    }
}

/// What a token is made of, for status pages and the operator's eyes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenKind {
    /// A sealed file: for trials and for the demo, not for service.
    Software,
    /// A PKCS#11 device.
    Device {
        /// The token's label.
        label: String,
        /// Manufacturer and model, as the module says.
        model: String,
    },
}

/// Something that holds private keys and never gives them out.
pub trait Token: Send + Sync {
    /// The public half of a signing key.
    ///
    /// # Errors
    /// When the token holds no such key, the key has no public half, or the device fails.
    fn public_key(&self, key: KeyName) -> Result<PublicKey, TokenError>;

    /// Signs `message`. P-256: ECDSA over SHA-256 of the message, `r ‖ s`; Ed25519: RFC 8032.
    ///
    /// # Errors
    /// When the token holds no such key, the key does not sign, or the device fails.
    fn sign(&self, key: KeyName, message: &[u8]) -> Result<[u8; 64], TokenError>;

    /// Wraps a short value: `nonce ‖ AES-256-GCM(value) ‖ tag`. The nonce must never repeat.
    ///
    /// # Errors
    /// When the token holds no such key, the key does not wrap, or the device fails.
    fn wrap(&self, key: KeyName, plain: &[u8], nonce: [u8; 12]) -> Result<Vec<u8>, TokenError>;

    /// Opens what [`Token::wrap`] made.
    ///
    /// # Errors
    /// [`TokenError::WrapRefused`] when the value is altered or of another token.
    fn unwrap(&self, key: KeyName, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, TokenError>;

    /// Makes the retention key of this name; one that is there already stays as it is.
    ///
    /// # Errors
    /// When the name cannot be one, or the device or the shelf fails.
    fn retention_create(&self, name: &str) -> Result<(), TokenError>;

    /// Wraps a key under a retention key, as [`Token::wrap`] does under a named one.
    ///
    /// # Errors
    /// [`TokenError::RetentionGone`] when there is no such key; when the device fails.
    fn retention_wrap(
        &self,
        name: &str,
        plain: &[u8],
        nonce: [u8; 12],
    ) -> Result<Vec<u8>, TokenError>;

    /// Opens what [`Token::retention_wrap`] made.
    ///
    /// # Errors
    /// [`TokenError::RetentionGone`] when the key was destroyed; [`TokenError::RetentionRefused`]
    /// when the value is altered or another's.
    fn retention_unwrap(
        &self,
        name: &str,
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, TokenError>;

    /// Destroys a retention key for good; one that is not there is as good.
    ///
    /// # Errors
    /// When the device or the shelf fails; then the key is still there.
    fn retention_destroy(&self, name: &str) -> Result<(), TokenError>;

    /// Names of all retention keys there are.
    ///
    /// # Errors
    /// When the device or the shelf fails.
    fn retention_names(&self) -> Result<Vec<String>, TokenError>;

    /// What this token is made of.
    fn describe(&self) -> TokenKind;
}

/// Longest value a token wraps: tokens wrap keys, not records.
pub const WRAP_VALUE_BYTES_MAX: usize = 4096;

/// The additional data of a wrapped value. Every adapter uses it, so that a value wrapped under one
/// key name does not open under another even where two devices share key bytes.
#[must_use]
pub fn wrap_aad(key: KeyName) -> Vec<u8> {
    [b"jukinet/1 wrap\n", key.key().as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_go_there_and_back() {
        for name in KeyName::ALL {
            assert_eq!(KeyName::parse_key(name.key()), Some(name));
            assert_eq!(KeyName::from_number(name.number()), Some(name));
        }
        assert_eq!(KeyName::parse_key("nodes"), None);
        assert_eq!(KeyName::from_number(0), None);
        assert_eq!(KeyName::from_number(7), None);
    }
}
