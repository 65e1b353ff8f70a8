//! Sealing under a PIN: scrypt, then AES-256-GCM. Internal; the file formats live with their
//! owners.
//!
//! Not a defence against offline guessing of a short PIN: a stolen file can be tried at the rate
//! scrypt allows. A tamper-resistant device is the answer to that, and S1 asks for one.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::error::TokenError;

/// 128 MiB and some 300 ms per try: opened once in years, guessed at for ever.
const PASSPHRASE_SCRYPT_LOG_N: u8 = 17;
pub(crate) const SALT_BYTES: usize = 16;
pub(crate) const NONCE_BYTES: usize = 12;
pub(crate) const TAG_BYTES: usize = 16;
pub(crate) const CHECK_BYTES: usize = 32;

/// A key and a check value, both from one PIN and salt.
pub(crate) struct PinKey {
    seal: Zeroizing<[u8; 32]>,
    check: Zeroizing<[u8; 32]>,
}

impl PinKey {
    /// scrypt with r = 8, p = 1. `None` for a cost that scrypt refuses.
    pub(crate) fn derive(pin: &[u8], salt: &[u8; SALT_BYTES], log_n: u8) -> Option<Self> {
        let params = scrypt::Params::new(log_n, 8, 1).ok()?;
        let mut out = Zeroizing::new([0_u8; 64]);
        scrypt::scrypt(pin, salt, &params, out.as_mut_slice()).ok()?;
        let mut key = Self { seal: Zeroizing::new([0; 32]), check: Zeroizing::new([0; 32]) };
        let (left, right) = out.split_at(32);
        key.seal.copy_from_slice(left);
        key.check.copy_from_slice(right);
        Some(key)
    }

    /// The value kept beside the sealed bytes, so that a wrong PIN and a damaged file can be told
    /// apart. It helps a guesser no more than the GCM tag already does.
    pub(crate) fn check_value(&self, purpose: &[u8]) -> [u8; CHECK_BYTES] {
        hmac(self.check.as_slice(), purpose)
    }

    /// Compares in constant time.
    pub(crate) fn check_matches(&self, purpose: &[u8], stored: &[u8; CHECK_BYTES]) -> bool {
        self.check_value(purpose).ct_eq(stored).into()
    }

    pub(crate) fn seal(
        &self,
        nonce: [u8; NONCE_BYTES],
        plain: &[u8],
        aad: &[u8],
    ) -> Option<Vec<u8>> {
        gcm_seal(&self.seal, nonce, plain, aad)
    }

    pub(crate) fn open(
        &self,
        nonce: [u8; NONCE_BYTES],
        sealed: &[u8],
        aad: &[u8],
    ) -> Option<Zeroizing<Vec<u8>>> {
        gcm_open(&self.seal, nonce, sealed, aad)
    }
}

/// Seals something small under a passphrase: salt 16 ‖ nonce 12 ‖ sealed. `purpose` is
/// authenticated, so that nothing sealed for one use opens in another.
///
/// # Errors
/// [`TokenError::Malformed`] when the value or the cost is refused.
pub fn seal_under_passphrase(
    purpose: &[u8],
    plain: &[u8],
    passphrase: &str,
    dice: crate::Dice<'_>,
) -> Result<Vec<u8>, TokenError> {
    let (mut salt, mut nonce) = ([0_u8; SALT_BYTES], [0_u8; NONCE_BYTES]);
    dice(&mut salt);
    dice(&mut nonce);
    PinKey::derive(passphrase.as_bytes(), &salt, PASSPHRASE_SCRYPT_LOG_N)
        .and_then(|key| key.seal(nonce, plain, purpose))
        .map(|sealed| [salt.as_slice(), &nonce, &sealed].concat())
        .ok_or(TokenError::Malformed { what: "value to seal" })
}

/// Opens what [`seal_under_passphrase`] made.
///
/// # Errors
/// [`TokenError::PinWrong`] when passphrase, purpose or bytes are not the ones.
pub fn open_under_passphrase(
    purpose: &[u8],
    sealed: &[u8],
    passphrase: &str,
) -> Result<Zeroizing<Vec<u8>>, TokenError> {
    let (salt, rest) = sealed.split_first_chunk::<SALT_BYTES>().ok_or(TokenError::PinWrong)?;
    let (nonce, body) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(TokenError::PinWrong)?;
    PinKey::derive(passphrase.as_bytes(), salt, PASSPHRASE_SCRYPT_LOG_N)
        .and_then(|key| key.open(*nonce, body, purpose))
        .ok_or(TokenError::PinWrong)
}

pub(crate) fn gcm_seal(
    key: &[u8; 32],
    nonce: [u8; NONCE_BYTES],
    plain: &[u8],
    aad: &[u8],
) -> Option<Vec<u8>> {
    let cipher = Aes256Gcm::new_from_slice(key).ok()?;
    cipher.encrypt(&Nonce::from(nonce), Payload { msg: plain, aad }).ok()
}

pub(crate) fn gcm_open(
    key: &[u8; 32],
    nonce: [u8; NONCE_BYTES],
    sealed: &[u8],
    aad: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let cipher = Aes256Gcm::new_from_slice(key).ok()?;
    cipher.decrypt(&Nonce::from(nonce), Payload { msg: sealed, aad }).ok().map(Zeroizing::new)
}

/// HMAC-SHA-256, which takes a key of any length.
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    use hmac::KeyInit as _;
    match Hmac::<Sha256>::new_from_slice(key) {
        Ok(mut mac) => {
            mac.update(message);
            mac.finalize().into_bytes().into()
        }
        // HMAC hashes a long key and pads a short one; no length is refused.
        Err(_) => [0; 32],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_with_the_same_pin_nonce_and_additional_data() {
        let salt = [7; SALT_BYTES];
        let key = PinKey::derive(b"1234", &salt, 10).unwrap();
        let other = PinKey::derive(b"1235", &salt, 10).unwrap();
        let sealed = key.seal([1; 12], b"secret", b"aad").unwrap();
        assert_eq!(key.open([1; 12], &sealed, b"aad").unwrap().as_slice(), b"secret");
        assert!(key.open([2; 12], &sealed, b"aad").is_none());
        assert!(key.open([1; 12], &sealed, b"aae").is_none());
        assert!(other.open([1; 12], &sealed, b"aad").is_none());
        let stored = key.check_value(b"p");
        assert!(key.check_matches(b"p", &stored));
        assert!(!other.check_matches(b"p", &stored));
        assert!(!key.check_matches(b"q", &stored));
    }
}
