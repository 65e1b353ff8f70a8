//! What can go wrong with a token, whatever it is made of.
//!
//! One enum for the software token and for the device adapters, because a role behaves the same
//! behind either. Not the errors of the operator card: those are `card::CardError`.

use crate::key::KeyName;

/// Why a token did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The PIN does not open the token.
    #[error("the PIN does not open this token; check the PIN file that belongs to it")]
    PinWrong,
    /// The PIN cannot be one.
    #[error("a token PIN has {min} to {max} characters; choose another")]
    PinShape {
        /// Fewest characters.
        min: usize,
        /// Most characters.
        max: usize,
    },
    /// The device refuses further tries.
    #[error("the token is locked after too many wrong PINs; its security officer must unlock it")]
    PinLocked,
    /// Bytes that are not what they should be.
    #[error("the token's {what} is malformed; restore the token from its backup")]
    Malformed {
        /// Which part.
        what: &'static str,
    },
    /// A file that ends too early.
    #[error("the token file ends inside its {what}; restore the token from its backup")]
    Truncated {
        /// Which part.
        what: &'static str,
    },
    /// A newer or unknown file version.
    #[error("token file version {found} is not supported, only {supported}; update the software")]
    UnsupportedVersion {
        /// What the file says.
        found: u8,
        /// What this program reads.
        supported: u8,
    },
    /// The token holds no such key.
    #[error("the token holds no key named {}; generate it first", key.key())]
    KeyMissing {
        /// The key asked for.
        key: KeyName,
    },
    /// The key is there but is not for this.
    #[error("the key {} is not for {operation}; use the key made for that", key.key())]
    KeyUse {
        /// The key asked for.
        key: KeyName,
        /// What was attempted.
        operation: &'static str,
    },
    /// A key by this name exists already.
    #[error("the token already holds a key named {}; remove it first", key.key())]
    KeyExists {
        /// The key asked for.
        key: KeyName,
    },
    /// The entropy handed in never gave a usable key.
    #[error("the entropy source gave no usable key in {tries} tries; it is broken")]
    EntropyUseless {
        /// How many were made.
        tries: usize,
    },
    /// A wrapped blob did not open.
    #[error("the wrapped value does not open under {}: altered, or of another token", key.key())]
    WrapRefused {
        /// The wrapping key.
        key: KeyName,
    },
    /// A retention key is not there.
    #[error("the token holds no retention key {name}: destroyed at its term, or another's token")]
    RetentionGone {
        /// Its name: a term, nothing about anyone.
        name: String,
    },
    /// A value wrapped under a retention key did not open.
    #[error("the wrapped value does not open under retention key {name}: altered, or another's")]
    RetentionRefused {
        /// Its name.
        name: String,
    },
    /// The retention keys could not be read or kept.
    #[error("the token's retention keys cannot be used: {cause}")]
    RetentionShelf {
        /// What the place they are kept in says.
        cause: String,
    },
    /// A value too long to wrap.
    #[error("a value of {found} bytes is too long to wrap, at most {max}; wrap a key instead")]
    WrapTooLong {
        /// Bytes given.
        found: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// The device lacks a mechanism.
    #[error("the token device does not offer {mechanism}; use a device or setting that does")]
    MechanismMissing {
        /// The PKCS#11 name.
        mechanism: &'static str,
    },
    /// The device would let a private key out.
    #[error("the key {} can leave the token; generate it again as non-extractable", key.key())]
    KeyExtractable {
        /// The key found.
        key: KeyName,
    },
    /// Anything else the device said.
    #[error("the token device failed while {attempt}: {cause}")]
    Device {
        /// What was being attempted.
        attempt: &'static str,
        /// The device's own words; never contains key material or a PIN.
        cause: String,
    },
}
