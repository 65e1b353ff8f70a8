//! Checks with public keys only: signatures, and the pin of a key.
//!
//! Pure and allocation-light: the center verifies a card signature for every inquiry. No private
//! key is ever seen here.

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};

/// DER up to the point of a P-256 SubjectPublicKeyInfo (RFC 5480): SEQUENCE { SEQUENCE {
/// id-ecPublicKey, prime256v1 }, BIT STRING 04 ‖ x ‖ y }.
const SPKI_P256_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// Whether `signature` (`r ‖ s`) is ECDSA P-256 over SHA-256 of `message`.
#[must_use]
pub fn p256(public: &[u8; 65], message: &[u8], signature: &[u8; 64]) -> bool {
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public).verify(message, signature).is_ok()
}

/// Whether `signature` (`r ‖ s`) is ECDSA P-256 over this SHA-256 digest: what a card signs.
#[must_use]
pub fn p256_digest(public: &[u8; 65], digest: &[u8; 32], signature: &[u8; 64]) -> bool {
    Digest::import_less_safe(digest, &digest::SHA256).is_ok_and(|digest| {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public)
            .verify_digest(&digest, signature)
            .is_ok()
    })
}

/// Whether `signature` is Ed25519 (RFC 8032) over `message`.
#[must_use]
pub fn ed25519(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    UnparsedPublicKey::new(&ED25519, public).verify(message, signature).is_ok()
}

/// The SubjectPublicKeyInfo of a P-256 key in DER.
#[must_use]
pub fn spki_p256(public: &[u8; 65]) -> Vec<u8> {
    [SPKI_P256_PREFIX.as_slice(), public.as_slice()].concat()
}

/// The pin of a node key in the directory: SHA-256 of its SubjectPublicKeyInfo.
#[must_use]
pub fn pin(public: &[u8; 65]) -> [u8; 32] {
    sha256(&[&spki_p256(public)])
}

/// SHA-256 over the parts one after another.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    use sha2::Digest as _;
    let mut hasher = sha2::Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// A point in SEC1 compressed or uncompressed form, as 65 bytes. `None` when it is not on the
/// curve.
#[must_use]
pub fn p256_point(sec1: &[u8]) -> Option<[u8; 65]> {
    let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(sec1).ok()?;
    key.to_sec1_point(false).as_bytes().try_into().ok()
}

/// A point in SEC1 compressed form: what travels on cards, where bytes are dear.
#[must_use]
pub fn p256_compressed(public: &[u8; 65]) -> Option<[u8; 33]> {
    let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(public).ok()?;
    key.to_sec1_point(true).as_bytes().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unhex<const N: usize>(text: &str) -> [u8; N] {
        let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16).unwrap()).unwrap();
        let pairs = text.as_bytes().chunks(2);
        let bytes: Vec<u8> = pairs.map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect();
        bytes.try_into().unwrap()
    }

    /// RFC 6979, A.2.5, P-256 with SHA-256, message "sample".
    #[test]
    fn rfc_6979_sample_verifies_and_its_neighbours_do_not() {
        let public: [u8; 65] = unhex(concat!(
            "04",
            "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6",
            "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
        ));
        let signature: [u8; 64] = unhex(concat!(
            "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
            "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
        ));
        assert!(p256(&public, b"sample", &signature));
        assert!(!p256(&public, b"samplf", &signature));
        assert!(p256_digest(&public, &sha256(&[b"sam", b"ple"]), &signature));
        assert!(!p256_digest(&public, &sha256(&[b"sam", b"plf"]), &signature));
        let mut other = signature;
        other[63] ^= 1;
        assert!(!p256(&public, b"sample", &other));
        assert!(!p256(&[4; 65], b"sample", &signature));
        let short = p256_compressed(&public).unwrap();
        assert_eq!(p256_point(&short), Some(public));
        assert_eq!(p256_point(&[2; 20]), None);
    }

    /// RFC 8032, 7.1, test 2.
    #[test]
    fn rfc_8032_test_2_verifies() {
        let public = unhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        let signature = unhex(concat!(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da",
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ));
        assert!(ed25519(&public, &[0x72], &signature));
        assert!(!ed25519(&public, &[0x73], &signature));
    }

    /// Compared with the SPKI that OpenSSL writes for a P-256 key: 91 bytes, same prefix.
    #[test]
    fn spki_has_the_shape_of_rfc_5480() {
        let der = spki_p256(&[4; 65]);
        assert_eq!(der.len(), 91);
        assert_eq!(usize::from(der[1]), der.len() - 2);
        assert_eq!(pin(&[4; 65]), sha256(&[&der]));
    }
}
