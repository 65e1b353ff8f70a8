//! The tamper-resistant device (耐タンパー装置) behind PKCS#11: the adapter that gives a role its keys.
//!
//! Any module path works; SoftHSM2 is what the tests use. Keys are generated inside the device,
//! sensitive and non-extractable, and the adapter refuses to use a key that could leave it. The
//! device hashes nothing (many know raw ECDSA only), so SHA-256 is computed here. A lost session or
//! device is taken up again within the call; what cannot be mended the caller hears of.
//!
//! It does not set devices up (slots, security officer), holds no PIN policy and keeps no key
//! material. A module runs inside this process: to keep its memory out of the role's, point the
//! path at `p11-kit-client.so` with a token server under another user.

mod link;
mod retention;
mod shape;

use std::fmt;
use std::path::Path;

use cryptoki::error::Error;
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, AttributeType};
use sha2::{Digest as _, Sha256};
use token::{
    KeyKind, KeyName, PublicKey, Token, TokenError, TokenKind, WRAP_VALUE_BYTES_MAX, wrap_aad,
};
use zeroize::Zeroizing;

use link::{Line, fault, fault_of_mechanism, named};
use shape::{
    generate, generation_mechanism, is_tag_refusal, private_class, public_key, signing_mechanism,
};

pub use link::TokenPlace;

const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

/// A PKCS#11 token, logged in.
pub struct Pkcs11Token {
    line: Line,
    kind: TokenKind,
}

impl fmt::Debug for Pkcs11Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pkcs11Token(…)")
    }
}

impl Pkcs11Token {
    /// Loads the module, finds the token and logs in.
    ///
    /// # Errors
    /// [`TokenError::PinWrong`] and [`TokenError::PinLocked`] by name; [`TokenError::Device`] when
    /// the module does not load or the token is not there.
    pub fn open(module: &Path, place: TokenPlace, pin: &str) -> Result<Self, TokenError> {
        let line = Line::new(module, place, pin)?;
        let info = line.token_info()?;
        let label = info.label().trim_end().to_owned();
        let maker = (info.manufacturer_id().trim_end(), info.model().trim_end());
        let kind = TokenKind::Device { label, model: format!("{} {}", maker.0, maker.1) };
        line.call(|_| Ok(()))?;
        Ok(Self { line, kind })
    }

    /// Generates keys in the device, none of which can leave it.
    ///
    /// # Errors
    /// [`TokenError::KeyExists`] when one of the names is taken (nothing is generated then),
    /// [`TokenError::MechanismMissing`] when the device cannot make a key of that kind.
    pub fn generate(&self, keys: &[KeyName]) -> Result<(), TokenError> {
        self.line.call(|link| {
            for &key in keys {
                self.line.require(generation_mechanism(key.kind()))?;
                if !link.find(key, private_class(key))?.is_empty() {
                    return Err(TokenError::KeyExists { key }.into());
                }
            }
            for &key in keys {
                generate(&link.session, key)?;
            }
            Ok(())
        })
    }
}

impl Token for Pkcs11Token {
    fn public_key(&self, key: KeyName) -> Result<PublicKey, TokenError> {
        if key.kind() == KeyKind::Aes256 {
            return Err(TokenError::KeyUse { key, operation: "a public key" });
        }
        self.line.call(|link| {
            let handle = link.public(key)?;
            let attributes = link
                .session
                .get_attributes(handle, &[AttributeType::EcPoint])
                .map_err(|error| fault("reading a public key", error))?;
            match attributes.as_slice() {
                [Attribute::EcPoint(point)] => Ok(public_key(key.kind(), point)?),
                _ => Err(TokenError::Malformed { what: "public key" }.into()),
            }
        })
    }

    fn sign(&self, key: KeyName, message: &[u8]) -> Result<[u8; 64], TokenError> {
        let kind = key.kind();
        let digest: [u8; 32] = Sha256::digest(message).into();
        let (mechanism, data) = match kind {
            KeyKind::P256 => (Mechanism::Ecdsa, digest.as_slice()),
            KeyKind::Ed25519 => {
                let pure = EddsaParams::new(EddsaSignatureScheme::Ed25519);
                (Mechanism::Eddsa(pure), message)
            }
            KeyKind::Aes256 => return Err(TokenError::KeyUse { key, operation: "signing" }),
        };
        let signature = self.line.call(|link| {
            let handle = link.key(key)?;
            link.session
                .sign(&mechanism, handle, data)
                .map_err(|error| fault_of_mechanism("signing", signing_mechanism(kind), error))
        })?;
        signature.try_into().map_err(|_| TokenError::Malformed { what: "signature" })
    }

    fn wrap(&self, key: KeyName, plain: &[u8], nonce: [u8; 12]) -> Result<Vec<u8>, TokenError> {
        if key.kind() != KeyKind::Aes256 {
            return Err(TokenError::KeyUse { key, operation: "wrapping" });
        }
        if plain.len() > WRAP_VALUE_BYTES_MAX {
            let found = plain.len();
            return Err(TokenError::WrapTooLong { found, max: WRAP_VALUE_BYTES_MAX });
        }
        let aad = wrap_aad(key);
        let sealed = self.line.call(|link| {
            let handle = link.key(key)?;
            let mut used = nonce;
            let sealed = {
                let parameters = gcm(&mut used, &aad)?;
                link.session
                    .encrypt(&Mechanism::AesGcm(parameters), handle, plain)
                    .map_err(|error| fault_of_mechanism("wrapping", "CKM_AES_GCM", error))?
            };
            // Some devices put in a nonce of their own; then ours would not open the value.
            Ok([used.as_slice(), &sealed].concat())
        })?;
        if sealed.len() != NONCE_BYTES + plain.len() + TAG_BYTES {
            return Err(TokenError::Malformed { what: "wrapped value" });
        }
        Ok(sealed)
    }

    fn unwrap(&self, key: KeyName, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, TokenError> {
        if key.kind() != KeyKind::Aes256 {
            return Err(TokenError::KeyUse { key, operation: "unwrapping" });
        }
        let refused = TokenError::WrapRefused { key };
        let (nonce, sealed) =
            wrapped.split_first_chunk::<NONCE_BYTES>().ok_or_else(|| refused.clone())?;
        if sealed.len() < TAG_BYTES || sealed.len() > WRAP_VALUE_BYTES_MAX + TAG_BYTES {
            return Err(refused);
        }
        let aad = wrap_aad(key);
        self.line.call(|link| {
            let handle = link.key(key)?;
            let mut nonce = *nonce;
            let parameters = gcm(&mut nonce, &aad)?;
            match link.session.decrypt(&Mechanism::AesGcm(parameters), handle, sealed) {
                Ok(plain) => Ok(Zeroizing::new(plain)),
                Err(Error::Pkcs11(error, _)) if is_tag_refusal(&error) => {
                    Err(refused.clone().into())
                }
                Err(error) => Err(fault_of_mechanism("unwrapping", "CKM_AES_GCM", error)),
            }
        })
    }

    fn retention_create(&self, name: &str) -> Result<(), TokenError> {
        retention::create(&self.line, name)
    }

    fn retention_wrap(
        &self,
        name: &str,
        plain: &[u8],
        nonce: [u8; 12],
    ) -> Result<Vec<u8>, TokenError> {
        retention::wrap(&self.line, name, plain, nonce)
    }

    fn retention_unwrap(
        &self,
        name: &str,
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, TokenError> {
        retention::unwrap(&self.line, name, wrapped)
    }

    fn retention_destroy(&self, name: &str) -> Result<(), TokenError> {
        retention::destroy(&self.line, name)
    }

    fn retention_names(&self) -> Result<Vec<String>, TokenError> {
        retention::names(&self.line)
    }

    fn describe(&self) -> TokenKind {
        self.kind.clone()
    }
}

fn gcm<'a>(nonce: &'a mut [u8; NONCE_BYTES], aad: &'a [u8]) -> Result<GcmParams<'a>, TokenError> {
    let tag_bits = 128_u64;
    GcmParams::new(nonce, aad, tag_bits.into()).map_err(|error| named("preparing AES-GCM", &error))
}
