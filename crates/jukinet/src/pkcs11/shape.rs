//! What a key of ours looks like to a PKCS#11 module: its mechanism, its curve, its attributes.
//! Not how keys are found and used: that is the adapter above.

use cryptoki::error::RvError;
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, KeyType, ObjectClass};
use cryptoki::session::Session;
use token::{KeyKind, KeyName, PublicKey, TokenError};

use super::link::{Fault, fault_of_mechanism};

/// DER of the object identifier prime256v1.
const P256_PARAMETERS: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// DER of the object identifier id-Ed25519 (RFC 8410), as PKCS#11 3.0 prefers.
const ED25519_PARAMETERS: [u8; 5] = [0x06, 0x03, 0x2b, 0x65, 0x70];
/// DER PrintableString "edwards25519", as modules older than that want it.
const ED25519_PARAMETERS_NAMED: [u8; 14] = *b"\x13\x0cedwards25519";
const AES_KEY_BYTES: u64 = 32;

pub(super) const fn private_class(key: KeyName) -> ObjectClass {
    match key.kind() {
        KeyKind::P256 | KeyKind::Ed25519 => ObjectClass::PRIVATE_KEY,
        KeyKind::Aes256 => ObjectClass::SECRET_KEY,
    }
}

pub(super) fn generate(session: &Session, key: KeyName) -> Result<(), Fault> {
    const ATTEMPT: &str = "generating a key";
    let (_, mechanism) = generation_mechanism(key.kind());
    let failed = |error| fault_of_mechanism(ATTEMPT, mechanism, error);
    let pair = |mechanism: &Mechanism<'_>, curve: &[u8]| {
        session
            .generate_key_pair(mechanism, &public_template(key, curve), &private_template(key))
            .map(|_| ())
    };
    match key.kind() {
        KeyKind::P256 => pair(&Mechanism::EccKeyPairGen, &P256_PARAMETERS).map_err(failed),
        KeyKind::Ed25519 => {
            let mechanism = Mechanism::EccEdwardsKeyPairGen;
            // Modules differ in how they want this curve named.
            pair(&mechanism, &ED25519_PARAMETERS)
                .or_else(|_| pair(&mechanism, &ED25519_PARAMETERS_NAMED))
                .map_err(failed)
        }
        KeyKind::Aes256 => {
            session.generate_key(&Mechanism::AesKeyGen, &secret_template(key)).map_err(failed)?;
            Ok(())
        }
    }
}

/// What every key has: it lives in the token under our name.
fn common(key: KeyName, private: bool) -> Vec<Attribute> {
    vec![
        Attribute::Token(true),
        Attribute::Private(private),
        Attribute::Label(key.key().as_bytes().to_vec()),
        Attribute::Id(vec![key.number()]),
    ]
}

fn public_template(key: KeyName, curve: &[u8]) -> Vec<Attribute> {
    let mut template = common(key, false);
    template.extend([Attribute::Verify(true), Attribute::EcParams(curve.to_vec())]);
    template
}

fn private_template(key: KeyName) -> Vec<Attribute> {
    let mut template = common(key, true);
    template.extend([
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        Attribute::Derive(false),
    ]);
    template
}

/// Encrypt and decrypt, but not wrap and unwrap: what this key seals are bytes, and a key that can
/// wrap could be told to wrap other keys of the device.
fn secret_template(key: KeyName) -> Vec<Attribute> {
    let mut template = common(key, true);
    template.extend([
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::ValueLen(AES_KEY_BYTES.into()),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
        Attribute::Wrap(false),
        Attribute::Unwrap(false),
    ]);
    template
}

pub(super) const fn generation_mechanism(kind: KeyKind) -> (MechanismType, &'static str) {
    match kind {
        KeyKind::P256 => (MechanismType::ECC_KEY_PAIR_GEN, "CKM_EC_KEY_PAIR_GEN"),
        KeyKind::Ed25519 => {
            (MechanismType::ECC_EDWARDS_KEY_PAIR_GEN, "CKM_EC_EDWARDS_KEY_PAIR_GEN")
        }
        KeyKind::Aes256 => (MechanismType::AES_KEY_GEN, "CKM_AES_KEY_GEN"),
    }
}

pub(super) const fn signing_mechanism(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::P256 | KeyKind::Aes256 => "CKM_ECDSA",
        KeyKind::Ed25519 => "CKM_EDDSA",
    }
}

/// `CKA_EC_POINT` is a DER OCTET STRING by the book, and the bare point in some modules.
pub(super) fn public_key(kind: KeyKind, point: &[u8]) -> Result<PublicKey, TokenError> {
    let bad = |_| TokenError::Malformed { what: "public key" };
    match (kind, point) {
        (KeyKind::Ed25519, [0x04, 0x20, bare @ ..] | bare) if bare.len() == 32 => {
            bare.try_into().map(PublicKey::Ed25519).map_err(bad)
        }
        (_, [0x04, 0x41, bare @ ..] | bare) => bare.try_into().map(PublicKey::P256).map_err(bad),
    }
}

/// How modules say that a GCM tag does not match. SoftHSM2 says `GeneralError`.
pub(super) const fn is_tag_refusal(error: &RvError) -> bool {
    matches!(
        error,
        RvError::EncryptedDataInvalid
            | RvError::EncryptedDataLenRange
            | RvError::DataInvalid
            | RvError::SignatureInvalid
            | RvError::GeneralError
    )
}
