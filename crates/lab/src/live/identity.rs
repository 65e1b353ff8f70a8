//! A client's own face in a handshake: a self-signed certificate and a signer over its token, and
//! the check that the server is the one whose pin the configuration names.
//!
//! Written from the protocol's description, not linked from the shipped binary: the laboratory is a
//! second implementation, so a change of the protocol that was not meant shows up here.

use std::fmt;
use std::sync::Arc;

use rcgen::{CertificateParams, DistinguishedName, DnType, PKCS_ECDSA_P256_SHA256};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, Resumption};
use rustls::crypto::aws_lc_rs::{default_provider, kx_group};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, Signer, SigningKey, SingleCertAndKey};
use rustls::{
    CertificateError, DigitallySignedStruct, Error, PeerIncompatible, SignatureAlgorithm,
    SignatureScheme,
};
use sha2::{Digest as _, Sha256};
use token::{KeyName, Token};
use wire::NodeId;

use super::LiveError;

/// The one application protocol.
const ALPN: &[u8] = b"jukinet/1";

/// A TLS configuration that shows this token's key and accepts this pin only.
pub(crate) fn client_config(
    node: &NodeId,
    token: Arc<dyn Token>,
    server_pin: [u8; 32],
) -> Result<Arc<ClientConfig>, LiveError> {
    let public = token.public_key(KeyName::Node)?;
    let public_key = *public.p256().ok_or(token::TokenError::KeyMissing { key: KeyName::Node })?;
    let key = TokenKey { token, public_key };
    let mut params = CertificateParams::new(Vec::new())?;
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, node.as_str());
    params.distinguished_name = name;
    let certificate: CertificateDer<'static> = params.self_signed(&key)?.der().clone();
    let certified = Arc::new(CertifiedKey::new(vec![certificate], Arc::new(key)));
    let provider = Arc::new(CryptoProvider {
        kx_groups: vec![kx_group::X25519MLKEM768, kx_group::SECP256R1MLKEM768, kx_group::SECP256R1],
        ..default_provider()
    });
    let verifier = Arc::new(Pinned { provider: Arc::clone(&provider), pin: server_pin });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    Ok(Arc::new(config))
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
        let raw = self.token.sign(KeyName::Node, message);
        raw.map(|raw| signature_der(&raw)).map_err(|_| rcgen::Error::RemoteKeyError)
    }
}

impl SigningKey for TokenKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let ours = offered.contains(&SignatureScheme::ECDSA_NISTP256_SHA256);
        ours.then(|| Box::new(self.clone()) as Box<dyn Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl Signer for TokenKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let raw = self.token.sign(KeyName::Node, message);
        raw.map(|raw| signature_der(&raw)).map_err(|error| Error::General(error.to_string()))
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ECDSA_NISTP256_SHA256
    }
}

/// r‖s to the DER SEQUENCE of two INTEGERs that X.509 and TLS want.
fn signature_der(raw: &[u8; 64]) -> Vec<u8> {
    let (r, s) = raw.split_at(32);
    let mut body = Vec::with_capacity(70);
    for number in [r, s] {
        let zeros = number.iter().take_while(|byte| **byte == 0).count().min(31);
        let digits = number.get(zeros..).unwrap_or_default();
        let sign = digits.first().is_some_and(|byte| byte & 0x80 != 0);
        // At most 33 bytes: the short form of a length always does.
        let length = u8::try_from(digits.len()).unwrap_or(u8::MAX);
        body.extend([0x02, length.saturating_add(u8::from(sign))]);
        body.extend(sign.then_some(0));
        body.extend_from_slice(digits);
    }
    let mut der = vec![0x30, u8::try_from(body.len()).unwrap_or(u8::MAX)];
    der.append(&mut body);
    der
}

#[derive(Debug)]
struct Pinned {
    provider: Arc<CryptoProvider>,
    pin: [u8; 32],
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let parsed = webpki::EndEntityCert::try_from(end_entity)
            .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
        let pin: [u8; 32] = Sha256::digest(parsed.subject_public_key_info().as_ref()).into();
        if pin == self.pin {
            return Ok(ServerCertVerified::assertion());
        }
        Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::PeerIncompatible(PeerIncompatible::Tls12NotOffered))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn der_integers_are_minimal_and_positive() {
        let mut raw = [0u8; 64];
        raw[31] = 1;
        raw[32] = 0x80;
        let der = signature_der(&raw);
        assert_eq!(&der[..5], &[0x30, 38, 0x02, 1, 1]);
        assert_eq!(&der[5..9], &[0x02, 33, 0, 0x80]);
        assert_eq!(signature_der(&[0; 64]), [0x30, 6, 2, 1, 0, 2, 1, 0]);
    }
}
