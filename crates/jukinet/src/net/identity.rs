//! A node's own face in a handshake: a self-signed certificate and a signer, both over the token.
//! Not a trust decision: the certificate is a wrapper for the key, the directory is what counts.

use std::fmt;
use std::sync::Arc;

use rcgen::{CertificateParams, DistinguishedName, DnType, PKCS_ECDSA_P256_SHA256};
use rustls::pki_types::CertificateDer;
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{SignatureAlgorithm, SignatureScheme};
use token::{KeyName, PublicKey, Token};
use wire::NodeId;

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("the token has no usable node key: {0}; create it in the key ceremony")]
    Key(#[from] token::TokenError),
    #[error("the token's node key is not P-256; create it anew")]
    NotP256,
    #[error("the certificate over the node key cannot be made: {0}")]
    Certificate(#[from] rcgen::Error),
}

/// Who this process is: its name, its token, its certificate.
#[derive(Clone)]
pub struct Identity {
    node: NodeId,
    token: Arc<dyn Token>,
    public_key: [u8; 65],
    certified: Arc<CertifiedKey>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.node.as_str())
    }
}

impl Identity {
    /// Builds certificate and signer over the token's node key. The private key stays inside.
    pub fn new(node: NodeId, token: Arc<dyn Token>) -> Result<Self, IdentityError> {
        let PublicKey::P256(public_key) = token.public_key(KeyName::Node)? else {
            return Err(IdentityError::NotP256);
        };
        let key = TokenKey { token: Arc::clone(&token), public_key };
        let certified = certificate(&node, Vec::new(), key)?;
        Ok(Self { node, token, public_key, certified })
    }

    /// The same key under a certificate that bears these names: for clients that are no nodes and
    /// compare the name they dialed.
    pub fn certified_for(&self, names: Vec<String>) -> Result<Arc<CertifiedKey>, IdentityError> {
        let key = TokenKey { token: Arc::clone(&self.token), public_key: self.public_key };
        certificate(&self.node, names, key)
    }

    #[must_use]
    pub const fn node(&self) -> &NodeId {
        &self.node
    }

    /// The SEC1 point of the node key (what the directory pins).
    #[must_use]
    pub const fn public_key(&self) -> &[u8; 65] {
        &self.public_key
    }

    /// SHA-256 of the key's SubjectPublicKeyInfo.
    #[must_use]
    pub fn pin(&self) -> [u8; 32] {
        token::verify::pin(&self.public_key)
    }

    pub(super) fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.certified)
    }

    /// Signs with the node key (connect requests).
    pub(super) fn sign(&self, message: &[u8]) -> Result<[u8; 64], token::TokenError> {
        self.token.sign(KeyName::Node, message)
    }
}

/// A self-signed certificate over the key, the same whenever it is made.
fn certificate(
    node: &NodeId,
    names: Vec<String>,
    key: TokenKey,
) -> Result<Arc<CertifiedKey>, IdentityError> {
    let mut params = CertificateParams::new(names)?;
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, node.as_str());
    params.distinguished_name = name;
    let certificate: CertificateDer<'static> = params.self_signed(&key)?.der().clone();
    Ok(Arc::new(CertifiedKey::new(vec![certificate], Arc::new(key))))
}

/// The node key of a token, in the shapes that rcgen and rustls ask for.
#[derive(Clone)]
struct TokenKey {
    token: Arc<dyn Token>,
    public_key: [u8; 65],
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(…)")
    }
}

impl rcgen::PublicKeyData for TokenKey {
    fn der_bytes(&self) -> &[u8] {
        &self.public_key
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for TokenKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let raw =
            self.token.sign(KeyName::Node, message).map_err(|_| rcgen::Error::RemoteKeyError)?;
        Ok(signature_der(&raw))
    }
}

impl SigningKey for TokenKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered
            .contains(&SignatureScheme::ECDSA_NISTP256_SHA256)
            .then(|| Box::new(self.clone()) as Box<dyn Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl Signer for TokenKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        let raw = self
            .token
            .sign(KeyName::Node, message)
            .map_err(|error| rustls::Error::General(format!("token: {error}")))?;
        Ok(signature_der(&raw))
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ECDSA_NISTP256_SHA256
    }
}

/// r‖s as tokens give it, to the DER SEQUENCE of two INTEGERs that X.509 and TLS want.
fn signature_der(raw: &[u8; 64]) -> Vec<u8> {
    let (r, s) = raw.split_at(32);
    let mut body = Vec::with_capacity(70);
    integer_der(&mut body, r);
    integer_der(&mut body, s);
    // Two integers of at most 35 bytes each: the short form of the length always suffices.
    let mut der = vec![0x30, u8::try_from(body.len()).unwrap_or(u8::MAX)];
    der.append(&mut body);
    der
}

/// A positive INTEGER: leading zeros off, one zero on where the top bit would mean "negative".
fn integer_der(out: &mut Vec<u8>, bytes: &[u8]) {
    let start =
        bytes.iter().position(|byte| *byte != 0).unwrap_or_else(|| bytes.len().saturating_sub(1));
    let digits = bytes.get(start..).unwrap_or_default();
    let sign = digits.first().is_some_and(|byte| byte & 0x80 != 0);
    out.push(0x02);
    out.push(u8::try_from(digits.len()).unwrap_or(u8::MAX).saturating_add(u8::from(sign)));
    if sign {
        out.push(0);
    }
    out.extend_from_slice(digits);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn der_integers_are_minimal_and_positive() {
        let mut raw = [0u8; 64];
        raw[31] = 1; // r = 1
        raw[32] = 0x80; // s has its top bit set
        let der = signature_der(&raw);
        assert_eq!(&der[..5], &[0x30, 38, 0x02, 1, 1]);
        assert_eq!(&der[5..9], &[0x02, 33, 0, 0x80]);
        assert_eq!(der.len(), 40);
        assert_eq!(signature_der(&[0; 64]), [0x30, 6, 2, 1, 0, 2, 1, 0]);
    }
}
