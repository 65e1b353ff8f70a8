//! Who holds the keys: node tokens, the operator card, and the checks anyone can make with public
//! keys.
//!
//! S1 keeps every long-lived private key in a tamper-resistant device (耐タンパー装置) or on the
//! operator identification card (操作者識別カード). This crate holds what those devices *do*: a sealed
//! software token, the card's program and its reader side, and verification. It does no I/O, reads
//! no clock and draws no randomness: files, PKCS#11 modules and card readers are adapters of
//! `jukinet`, and entropy is handed in.
//!
//! One provider per job: signing is RustCrypto `p256` (RFC 6979, so a machine stays a pure
//! function) and `ed25519-dalek`; verification is `aws-lc-rs`, the hot path of the center; sealing
//! is AES-256-GCM of `aes-gcm` under a key from scrypt.

pub mod card;
mod error;
mod key;
pub mod retention;
mod seal;
pub mod software;
pub mod verify;

pub use error::TokenError;
pub use key::{KeyKind, KeyName, PublicKey, Token, TokenKind, WRAP_VALUE_BYTES_MAX, wrap_aad};
pub use seal::{open_under_passphrase, seal_under_passphrase};
pub use software::SoftwareToken;

/// Entropy, handed in: see `law`.
pub use law::Dice;
