//! The software token: a set of keys sealed in one file under a PIN.
//!
//! It is what the demo and the tests run on, and it does what a device does, through the same
//! trait. It is not tamper-resistant: whoever has file and PIN has the keys, and a short PIN can be
//! guessed offline at the rate scrypt allows. S1 asks for a device (耐タンパー装置): use PKCS#11 in
//! service.
//!
//! File: `JUKITOKN` ‖ version ‖ scrypt log n ‖ salt 16 ‖ PIN check 32 ‖ nonce 12 ‖ sealed keys. All
//! that stands before the sealed keys is authenticated with them.

use std::collections::BTreeMap;
use std::fmt;

use ed25519_dalek::Signer as _;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use zeroize::Zeroizing;

use crate::Dice;
use crate::error::TokenError;
use crate::key::{KeyKind, KeyName, PublicKey, Token, TokenKind, WRAP_VALUE_BYTES_MAX, wrap_aad};
use crate::retention::{RetentionKeys, RetentionShelf};
use crate::seal::{CHECK_BYTES, NONCE_BYTES, PinKey, SALT_BYTES, TAG_BYTES, gcm_open, gcm_seal};
use crate::verify::sha256;

const MAGIC: &[u8; 8] = b"JUKITOKN";
const VERSION: u8 = 1;
const HEADER_BYTES: usize = MAGIC.len() + 2 + SALT_BYTES + CHECK_BYTES + NONCE_BYTES;
/// One key in the sealed part: its number and 32 bytes.
const KEY_BYTES: usize = 33;
const CHECK_PURPOSE: &[u8] = b"jukinet/1 token-pin";

/// 16 MiB and some 40 ms per try: noticeable to a guesser, not to a node that starts once.
pub const TOKEN_SCRYPT_LOG_N: u8 = 14;
/// A file may ask for more work, up to 256 MiB; beyond that it is an attack on this machine.
const TOKEN_SCRYPT_LOG_N_MAX: u8 = 18;
/// Below this a file would make guessing cheap; it was not written by us.
const TOKEN_SCRYPT_LOG_N_MIN: u8 = 10;
/// Shortest PIN; a token PIN may be a passphrase.
pub const TOKEN_PIN_CHARS_MIN: usize = 4;
/// Longest PIN: what PKCS#11 devices commonly take, and a bound on the work of one try.
pub const TOKEN_PIN_CHARS_MAX: usize = 64;
/// A P-256 scalar is refused about once in 2^32; 64 refusals mean a broken source.
const KEY_DRAW_TRIES_MAX: usize = 64;

enum Secret {
    P256(p256::ecdsa::SigningKey),
    Ed25519(ed25519_dalek::SigningKey),
    Aes256(Zeroizing<[u8; 32]>),
}

/// A token whose keys live in this process.
pub struct SoftwareToken {
    keys: BTreeMap<KeyName, Secret>,
    retention: Option<RetentionKeys>,
}

impl fmt::Debug for SoftwareToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SoftwareToken(…)")
    }
}

impl SoftwareToken {
    /// Draws the named keys and returns the sealed file.
    ///
    /// # Errors
    /// [`TokenError::PinShape`] for a PIN that is too short or too long,
    /// [`TokenError::EntropyUseless`] for a broken entropy source.
    pub fn create(keys: &[KeyName], pin: &str, dice: Dice<'_>) -> Result<Vec<u8>, TokenError> {
        check_pin(pin)?;
        let mut plain = Zeroizing::new(Vec::with_capacity(KeyName::ALL.len() * KEY_BYTES));
        for name in KeyName::ALL.into_iter().filter(|name| keys.contains(name)) {
            plain.push(name.number());
            plain.extend_from_slice(draw_secret(name.kind(), dice)?.as_slice());
        }
        seal_file(&plain, pin, TOKEN_SCRYPT_LOG_N, dice)
    }

    /// Opens a sealed file.
    ///
    /// # Errors
    /// [`TokenError::PinWrong`] for the wrong PIN; [`TokenError::Truncated`],
    /// [`TokenError::Malformed`] or [`TokenError::UnsupportedVersion`] for a bad file. A file whose
    /// salt or check value was altered cannot be told from a wrong PIN.
    pub fn open(file: &[u8], pin: &str) -> Result<Self, TokenError> {
        check_pin(pin)?;
        let (header, sealed) = split_header(file)?;
        let key = PinKey::derive(pin.as_bytes(), &header.salt, header.log_n)
            .ok_or(TokenError::Malformed { what: "scrypt cost" })?;
        if !key.check_matches(CHECK_PURPOSE, &header.check) {
            return Err(TokenError::PinWrong);
        }
        let plain = key
            .open(header.nonce, sealed, header.bytes)
            .ok_or(TokenError::Malformed { what: "sealed keys" })?;
        Ok(Self { keys: read_keys(&plain)?, retention: None })
    }

    /// Gives the token a place for its retention keys. Without one it has none.
    ///
    /// # Errors
    /// [`TokenError::KeyMissing`] when there is no storage key, under which they are sealed.
    pub fn with_retention(mut self, shelf: Box<dyn RetentionShelf>) -> Result<Self, TokenError> {
        let storage = self.wrapping_key(KeyName::Storage, "sealing retention keys")?;
        self.retention = Some(RetentionKeys::new(storage, shelf)?);
        Ok(self)
    }

    fn retention(&self) -> Result<&RetentionKeys, TokenError> {
        self.retention.as_ref().ok_or_else(|| TokenError::RetentionShelf {
            cause: "this token was opened without a place for them".to_owned(),
        })
    }

    /// Which keys it holds.
    pub fn names(&self) -> impl Iterator<Item = KeyName> + '_ {
        self.keys.keys().copied()
    }

    fn secret(&self, key: KeyName) -> Result<&Secret, TokenError> {
        self.keys.get(&key).ok_or(TokenError::KeyMissing { key })
    }

    fn wrapping_key(&self, key: KeyName, operation: &'static str) -> Result<&[u8; 32], TokenError> {
        match self.secret(key)? {
            Secret::Aes256(bytes) => Ok(bytes),
            Secret::P256(_) | Secret::Ed25519(_) => Err(TokenError::KeyUse { key, operation }),
        }
    }
}

impl Token for SoftwareToken {
    fn public_key(&self, key: KeyName) -> Result<PublicKey, TokenError> {
        match self.secret(key)? {
            Secret::P256(secret) => Ok(PublicKey::P256(p256_public(secret)?)),
            Secret::Ed25519(secret) => Ok(PublicKey::Ed25519(secret.verifying_key().to_bytes())),
            Secret::Aes256(_) => Err(TokenError::KeyUse { key, operation: "a public key" }),
        }
    }

    fn sign(&self, key: KeyName, message: &[u8]) -> Result<[u8; 64], TokenError> {
        match self.secret(key)? {
            Secret::P256(secret) => p256_sign_digest(secret, &sha256(&[message])),
            Secret::Ed25519(secret) => Ok(secret.sign(message).to_bytes()),
            Secret::Aes256(_) => Err(TokenError::KeyUse { key, operation: "signing" }),
        }
    }

    fn wrap(&self, key: KeyName, plain: &[u8], nonce: [u8; 12]) -> Result<Vec<u8>, TokenError> {
        let bytes = self.wrapping_key(key, "wrapping")?;
        if plain.len() > WRAP_VALUE_BYTES_MAX {
            let found = plain.len();
            return Err(TokenError::WrapTooLong { found, max: WRAP_VALUE_BYTES_MAX });
        }
        let sealed = gcm_seal(bytes, nonce, plain, &wrap_aad(key))
            .ok_or(TokenError::Malformed { what: "value to wrap" })?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    fn unwrap(&self, key: KeyName, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, TokenError> {
        let bytes = self.wrapping_key(key, "unwrapping")?;
        wrapped
            .split_first_chunk::<NONCE_BYTES>()
            .and_then(|(nonce, sealed)| gcm_open(bytes, *nonce, sealed, &wrap_aad(key)))
            .ok_or(TokenError::WrapRefused { key })
    }

    fn retention_create(&self, name: &str) -> Result<(), TokenError> {
        self.retention()?.create(name)
    }

    fn retention_wrap(
        &self,
        name: &str,
        plain: &[u8],
        nonce: [u8; 12],
    ) -> Result<Vec<u8>, TokenError> {
        self.retention()?.wrap(name, plain, nonce)
    }

    fn retention_unwrap(
        &self,
        name: &str,
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, TokenError> {
        self.retention()?.unwrap(name, wrapped)
    }

    fn retention_destroy(&self, name: &str) -> Result<(), TokenError> {
        self.retention()?.destroy(name)
    }

    fn retention_names(&self) -> Result<Vec<String>, TokenError> {
        self.retention()?.names()
    }

    fn describe(&self) -> TokenKind {
        TokenKind::Software
    }
}

/// ECDSA over a digest, deterministic (RFC 6979).
pub(crate) fn p256_sign_digest(
    secret: &p256::ecdsa::SigningKey,
    digest: &[u8; 32],
) -> Result<[u8; 64], TokenError> {
    let signature: p256::ecdsa::Signature = secret
        .sign_prehash(digest)
        .map_err(|_| TokenError::Malformed { what: "digest to sign" })?;
    Ok(signature.to_bytes().into())
}

/// The uncompressed public point.
pub(crate) fn p256_public(secret: &p256::ecdsa::SigningKey) -> Result<[u8; 65], TokenError> {
    secret
        .verifying_key()
        .to_sec1_point(false)
        .as_bytes()
        .try_into()
        .map_err(|_| TokenError::Malformed { what: "public key" })
}

/// Draws a P-256 key.
pub(crate) fn draw_p256(dice: Dice<'_>) -> Result<p256::ecdsa::SigningKey, TokenError> {
    let bytes = draw_secret(KeyKind::P256, dice)?;
    p256::ecdsa::SigningKey::from_slice(bytes.as_slice())
        .map_err(|_| TokenError::Malformed { what: "drawn key" })
}

fn draw_secret(kind: KeyKind, dice: Dice<'_>) -> Result<Zeroizing<[u8; 32]>, TokenError> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    for _ in 0..KEY_DRAW_TRIES_MAX {
        dice(bytes.as_mut_slice());
        // All zeros is what a source that does nothing leaves behind; refuse it for every kind.
        let usable = bytes.iter().any(|byte| *byte != 0)
            && (kind != KeyKind::P256
                || p256::ecdsa::SigningKey::from_slice(bytes.as_slice()).is_ok());
        if usable {
            return Ok(bytes);
        }
    }
    Err(TokenError::EntropyUseless { tries: KEY_DRAW_TRIES_MAX })
}

fn check_pin(pin: &str) -> Result<(), TokenError> {
    let chars = pin.chars().count();
    if (TOKEN_PIN_CHARS_MIN..=TOKEN_PIN_CHARS_MAX).contains(&chars) {
        return Ok(());
    }
    Err(TokenError::PinShape { min: TOKEN_PIN_CHARS_MIN, max: TOKEN_PIN_CHARS_MAX })
}

fn seal_file(plain: &[u8], pin: &str, log_n: u8, dice: Dice<'_>) -> Result<Vec<u8>, TokenError> {
    let mut salt = [0_u8; SALT_BYTES];
    let mut nonce = [0_u8; NONCE_BYTES];
    dice(&mut salt);
    dice(&mut nonce);
    let key = PinKey::derive(pin.as_bytes(), &salt, log_n)
        .ok_or(TokenError::Malformed { what: "scrypt cost" })?;
    let check = key.check_value(CHECK_PURPOSE);
    let header = [MAGIC.as_slice(), &[VERSION, log_n], &salt, &check, &nonce].concat();
    let sealed =
        key.seal(nonce, plain, &header).ok_or(TokenError::Malformed { what: "keys to seal" })?;
    Ok([header, sealed].concat())
}

struct Header<'a> {
    bytes: &'a [u8],
    log_n: u8,
    salt: [u8; SALT_BYTES],
    check: [u8; CHECK_BYTES],
    nonce: [u8; NONCE_BYTES],
}

fn split_header(file: &[u8]) -> Result<(Header<'_>, &[u8]), TokenError> {
    let rest = match file.split_first_chunk::<8>() {
        Some((magic, rest)) if magic == MAGIC => rest,
        _ if MAGIC.starts_with(file) => return Err(TokenError::Truncated { what: "header" }),
        _ => return Err(TokenError::Malformed { what: "magic" }),
    };
    let short = TokenError::Truncated { what: "header" };
    let (&version, rest) = rest.split_first().ok_or_else(|| short.clone())?;
    if version != VERSION {
        return Err(TokenError::UnsupportedVersion { found: version, supported: VERSION });
    }
    let (&log_n, rest) = rest.split_first().ok_or_else(|| short.clone())?;
    if !(TOKEN_SCRYPT_LOG_N_MIN..=TOKEN_SCRYPT_LOG_N_MAX).contains(&log_n) {
        return Err(TokenError::Malformed { what: "scrypt cost" });
    }
    let (salt, rest) = rest.split_first_chunk().ok_or_else(|| short.clone())?;
    let (check, rest) = rest.split_first_chunk().ok_or_else(|| short.clone())?;
    let (nonce, sealed) = rest.split_first_chunk().ok_or(short)?;
    let keys_bytes =
        sealed.len().checked_sub(TAG_BYTES).ok_or(TokenError::Truncated { what: "sealed keys" })?;
    if keys_bytes > KeyName::ALL.len() * KEY_BYTES {
        return Err(TokenError::Malformed { what: "length" });
    }
    if keys_bytes % KEY_BYTES != 0 {
        return Err(TokenError::Truncated { what: "sealed keys" });
    }
    let bytes = file.get(..HEADER_BYTES).unwrap_or_default();
    Ok((Header { bytes, log_n, salt: *salt, check: *check, nonce: *nonce }, sealed))
}

fn read_keys(plain: &[u8]) -> Result<BTreeMap<KeyName, Secret>, TokenError> {
    let bad = || TokenError::Malformed { what: "sealed keys" };
    let mut keys = BTreeMap::new();
    let (rows, rest) = plain.as_chunks::<KEY_BYTES>();
    if !rest.is_empty() {
        return Err(bad());
    }
    for row in rows {
        let (&number, bytes) = row.split_first().ok_or_else(bad)?;
        let name = KeyName::from_number(number).ok_or_else(bad)?;
        let bytes = Zeroizing::new(<[u8; 32]>::try_from(bytes).map_err(|_| bad())?);
        let secret = match name.kind() {
            KeyKind::P256 => Secret::P256(
                p256::ecdsa::SigningKey::from_slice(bytes.as_slice()).map_err(|_| bad())?,
            ),
            KeyKind::Ed25519 => Secret::Ed25519(ed25519_dalek::SigningKey::from_bytes(&bytes)),
            KeyKind::Aes256 => Secret::Aes256(bytes),
        };
        if keys.insert(name, secret).is_some() {
            return Err(bad());
        }
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify;

    fn dice(seed: u8) -> impl FnMut(&mut [u8]) {
        let mut counter = 0_u64;
        move |out: &mut [u8]| {
            for chunk in out.chunks_mut(32) {
                let block = sha256(&[&[seed], &counter.to_be_bytes()]);
                counter += 1;
                chunk.copy_from_slice(&block[..chunk.len()]);
            }
        }
    }

    fn token() -> SoftwareToken {
        let file = SoftwareToken::create(&KeyName::ALL, "open sesame", &mut dice(1)).unwrap();
        SoftwareToken::open(&file, "open sesame").unwrap()
    }

    #[test]
    fn every_signing_key_signs_and_its_public_key_verifies() {
        let token = token();
        for name in KeyName::ALL {
            match token.public_key(name) {
                Ok(PublicKey::P256(public)) => {
                    let signature = token.sign(name, b"message").unwrap();
                    assert!(verify::p256(&public, b"message", &signature));
                    assert!(!verify::p256(&public, b"massage", &signature));
                    assert_eq!(token.sign(name, b"message").unwrap(), signature, "deterministic");
                }
                Ok(PublicKey::Ed25519(public)) => {
                    let signature = token.sign(name, b"message").unwrap();
                    assert!(verify::ed25519(&public, b"message", &signature));
                }
                Err(error) => {
                    assert_eq!(name, KeyName::Storage);
                    assert_eq!(error, TokenError::KeyUse { key: name, operation: "a public key" });
                    assert!(token.sign(name, b"message").is_err());
                }
            }
        }
    }

    #[test]
    fn wrapping_goes_there_and_back_and_refuses_what_was_altered() {
        let token = token();
        let wrapped = token.wrap(KeyName::Storage, b"root key", [9; 12]).unwrap();
        assert_eq!(token.unwrap(KeyName::Storage, &wrapped).unwrap().as_slice(), b"root key");
        for at in 0..wrapped.len() {
            let mut altered = wrapped.clone();
            altered[at] ^= 1;
            let refused = TokenError::WrapRefused { key: KeyName::Storage };
            assert_eq!(token.unwrap(KeyName::Storage, &altered).unwrap_err(), refused);
        }
        assert!(token.unwrap(KeyName::Storage, &wrapped[..5]).is_err());
        assert!(matches!(
            token.wrap(KeyName::Node, b"x", [0; 12]),
            Err(TokenError::KeyUse { key: KeyName::Node, .. })
        ));
        assert!(matches!(
            token.wrap(KeyName::Storage, &[0; WRAP_VALUE_BYTES_MAX + 1], [0; 12]),
            Err(TokenError::WrapTooLong { .. })
        ));
    }

    #[test]
    fn each_way_a_file_can_be_wrong_has_its_own_name() {
        let file = SoftwareToken::create(&[KeyName::Node], "1234", &mut dice(2)).unwrap();
        let open = |file: &[u8], pin| SoftwareToken::open(file, pin).map(|_| ()).unwrap_err();
        assert_eq!(open(&file, "1235"), TokenError::PinWrong);
        assert!(matches!(open(&file, "123"), TokenError::PinShape { .. }));
        assert_eq!(open(b"", "1234"), TokenError::Truncated { what: "header" });
        assert_eq!(open(&file[..5], "1234"), TokenError::Truncated { what: "header" });
        assert_eq!(open(&file[..40], "1234"), TokenError::Truncated { what: "header" });
        let sealed = TokenError::Truncated { what: "sealed keys" };
        assert_eq!(open(&file[..file.len() - 1], "1234"), sealed);
        assert_eq!(open(&file[..HEADER_BYTES], "1234"), sealed);
        let with = |at: usize, value: u8| {
            let mut altered = file.clone();
            altered[at] = value;
            altered
        };
        assert_eq!(open(&with(0, b'X'), "1234"), TokenError::Malformed { what: "magic" });
        let version = TokenError::UnsupportedVersion { found: 2, supported: 1 };
        assert_eq!(open(&with(8, 2), "1234"), version);
        assert_eq!(open(&with(9, 63), "1234"), TokenError::Malformed { what: "scrypt cost" });
        let last = file.len() - 1;
        let altered = with(last, file[last] ^ 1);
        assert_eq!(open(&altered, "1234"), TokenError::Malformed { what: "sealed keys" });
    }

    #[test]
    fn a_missing_key_and_a_dead_entropy_source_are_named() {
        let file = SoftwareToken::create(&[KeyName::Node], "1234", &mut dice(3)).unwrap();
        let token = SoftwareToken::open(&file, "1234").unwrap();
        assert_eq!(token.names().collect::<Vec<_>>(), [KeyName::Node]);
        let missing = TokenError::KeyMissing { key: KeyName::Ledger };
        assert_eq!(token.sign(KeyName::Ledger, b"x").unwrap_err(), missing);
        let dead = SoftwareToken::create(&[KeyName::Storage], "1234", &mut |_: &mut [u8]| {});
        assert_eq!(dead.unwrap_err(), TokenError::EntropyUseless { tries: 64 });
        assert_eq!(format!("{token:?}"), "SoftwareToken(…)");
    }

    /// The P-256 half of RFC 6979, A.2.5: the same signature as everyone else's.
    #[test]
    fn signatures_are_those_of_rfc_6979() {
        let scalar = [
            0xc9, 0xaf, 0xa9, 0xd8, 0x45, 0xba, 0x75, 0x16, 0x6b, 0x5c, 0x21, 0x57, 0x67, 0xb1,
            0xd6, 0x93, 0x4e, 0x50, 0xc3, 0xdb, 0x36, 0xe8, 0x9b, 0x12, 0x7b, 0x8a, 0x62, 0x2b,
            0x12, 0x0f, 0x67, 0x21,
        ];
        let secret = p256::ecdsa::SigningKey::from_slice(&scalar).unwrap();
        let signature = p256_sign_digest(&secret, &sha256(&[b"sample"])).unwrap();
        assert_eq!(signature[..4], [0xef, 0xd4, 0x8b, 0x2a]);
        assert_eq!(signature[60..], [0x84, 0x3a, 0xcd, 0xa8]);
    }
}
