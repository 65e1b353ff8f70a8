//! Sealing of one row: AES-256-GCM, random nonce, padded to size classes, bound to its place.
//!
//! A sealed row is `nonce (12) ‖ ciphertext ‖ tag (16)`. The place (table and primary key) is
//! authenticated, so a row moved to another table or key does not open. No key is chosen here.

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead, Nonce, Payload};
use zeroize::Zeroizing;

/// Plain rows are padded to a multiple of this, so that a copied file tells short names from long
/// ones only in steps of a whole class.
pub(crate) const SIZE_CLASS_BYTES: usize = 64;

/// Largest plain row. A proof or a queued batch is the largest thing kept; frames end at 1 MiB.
pub(crate) const ROW_BYTES_MAX: usize = 4 << 20;

/// 96-bit nonces drawn at random: under one key at most 2^32 rows may be sealed (NIST SP 800-38D
/// 8.3). Cohorts have a key each month; residents and queues keep theirs until a row epoch is
/// begun, which nothing does by itself: all changes of the country, some ten million a year, stay
/// below for centuries. A row that was sealed earlier for the same place opens as well: who can
/// write the file can put one person's older row back, and no check finds it.
pub(crate) const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
const LENGTH_BYTES: usize = 4;

/// Why a row could not be sealed or opened. Carries no content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SealError {
    /// Longer than [`ROW_BYTES_MAX`].
    TooLong,
    /// The key, the place or the bytes are not the ones it was sealed with.
    NotAuthentic,
}

/// The place a row is bound to: table name and primary key.
pub(crate) fn place(table: &str, key: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(table.len() + 1 + key.len());
    bytes.extend_from_slice(table.as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(key);
    bytes
}

/// Seal `plain` for its place.
pub(crate) fn seal(
    cipher: &Aes256Gcm,
    place: &[u8],
    plain: &[u8],
    dice: law::Dice<'_>,
) -> Result<Vec<u8>, SealError> {
    if plain.len() > ROW_BYTES_MAX {
        return Err(SealError::TooLong);
    }
    let length = u32::try_from(plain.len()).map_err(|_| SealError::TooLong)?;
    let padded_len = (LENGTH_BYTES + plain.len()).next_multiple_of(SIZE_CLASS_BYTES);
    let mut padded = Zeroizing::new(Vec::with_capacity(padded_len));
    padded.extend_from_slice(&length.to_be_bytes());
    padded.extend_from_slice(plain);
    padded.resize(padded_len, 0);
    let mut nonce = [0u8; NONCE_BYTES];
    dice(&mut nonce);
    let body = cipher
        .encrypt(&Nonce::<Aes256Gcm>::from(nonce), Payload { msg: &padded, aad: place })
        .map_err(|_| SealError::TooLong)?;
    let mut out = Vec::with_capacity(NONCE_BYTES + body.len());
    out.extend_from_slice(&nonce);
    out.extend_from_slice(&body);
    Ok(out)
}

/// Open what [`seal`] made for the same place.
pub(crate) fn open(
    cipher: &Aes256Gcm,
    place: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    if sealed.len() < NONCE_BYTES + TAG_BYTES {
        return Err(SealError::NotAuthentic);
    }
    let (nonce, body) = sealed.split_at_checked(NONCE_BYTES).ok_or(SealError::NotAuthentic)?;
    let nonce = <[u8; NONCE_BYTES]>::try_from(nonce).map_err(|_| SealError::NotAuthentic)?;
    let padded = cipher
        .decrypt(&Nonce::<Aes256Gcm>::from(nonce), Payload { msg: body, aad: place })
        .map(Zeroizing::new)
        .map_err(|_| SealError::NotAuthentic)?;
    let (length, rest) = padded.split_at_checked(LENGTH_BYTES).ok_or(SealError::NotAuthentic)?;
    let length = <[u8; LENGTH_BYTES]>::try_from(length).map_err(|_| SealError::NotAuthentic)?;
    let length =
        usize::try_from(u32::from_be_bytes(length)).map_err(|_| SealError::NotAuthentic)?;
    rest.get(..length).map(|plain| Zeroizing::new(plain.to_vec())).ok_or(SealError::NotAuthentic)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SecretKey;

    fn cipher(byte: u8) -> Aes256Gcm {
        SecretKey::from_slice(&[byte; 32]).unwrap().cipher()
    }

    fn dice() -> impl FnMut(&mut [u8]) {
        let mut next = 0u8;
        move |out| {
            out.iter_mut().for_each(|b| {
                next = next.wrapping_add(1);
                *b = next;
            });
        }
    }

    #[test]
    fn a_row_opens_only_with_its_key_place_and_bytes() {
        let here = place("resident", &1i64.to_be_bytes());
        let sealed = seal(&cipher(1), &here, b"plain", &mut dice()).unwrap();
        assert_eq!(open(&cipher(1), &here, &sealed).unwrap().as_slice(), b"plain");
        assert!(open(&cipher(2), &here, &sealed).is_err());
        assert!(open(&cipher(1), &place("resident", &2i64.to_be_bytes()), &sealed).is_err());
        assert!(open(&cipher(1), &place("history", &1i64.to_be_bytes()), &sealed).is_err());
        for i in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[i] ^= 1;
            assert!(open(&cipher(1), &here, &bad).is_err(), "byte {i}");
        }
        for length in 0..sealed.len() {
            assert!(open(&cipher(1), &here, &sealed[..length]).is_err());
        }
    }

    #[test]
    fn lengths_show_only_their_class() {
        let here = place("t", b"k");
        let size = |n: usize| seal(&cipher(1), &here, &vec![9; n], &mut dice()).unwrap().len();
        assert_eq!(size(0), size(60));
        assert_eq!(size(60) + SIZE_CLASS_BYTES, size(61));
        assert_eq!(
            seal(&cipher(1), &here, &vec![0; ROW_BYTES_MAX + 1], &mut dice()),
            Err(SealError::TooLong)
        );
    }
}
