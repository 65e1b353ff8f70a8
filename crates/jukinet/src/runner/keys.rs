//! The node's token as the other crates want it: a key source for the store, a signer for the
//! ledger.

use std::sync::Arc;

use ledger::note::{NoteSigner, SignError, VerifierKey};
use store::{KeyError, KeySource};
use token::{KeyName, PublicKey, Token, TokenError};
use zeroize::Zeroizing;

/// Wraps the store's root key under the token's storage key, and the keys of terms under its keys
/// for terms.
pub struct StoreKeys(pub Arc<dyn Token>);

impl std::fmt::Debug for StoreKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoreKeys(…)")
    }
}

impl KeySource for StoreKeys {
    fn wrap(&self, plain: &[u8], nonce: [u8; 12]) -> Result<Vec<u8>, KeyError> {
        self.0.wrap(KeyName::Storage, plain, nonce).map_err(|error| key_error(&error))
    }

    fn unwrap(&self, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        self.0.unwrap(KeyName::Storage, wrapped).map_err(|error| key_error(&error))
    }

    fn retention_create(&self, name: &str) -> Result<(), KeyError> {
        self.0.retention_create(name).map_err(|error| key_error(&error))
    }

    fn retention_wrap(
        &self,
        name: &str,
        plain: &[u8],
        nonce: [u8; 12],
    ) -> Result<Vec<u8>, KeyError> {
        self.0.retention_wrap(name, plain, nonce).map_err(|error| key_error(&error))
    }

    fn retention_unwrap(
        &self,
        name: &str,
        wrapped: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
        match self.0.retention_unwrap(name, wrapped) {
            Ok(plain) => Ok(Some(plain)),
            Err(TokenError::RetentionGone { .. }) => Ok(None),
            Err(error) => Err(key_error(&error)),
        }
    }

    fn retention_destroy(&self, name: &str) -> Result<(), KeyError> {
        self.0.retention_destroy(name).map_err(|error| key_error(&error))
    }

    fn retention_names(&self) -> Result<Vec<String>, KeyError> {
        self.0.retention_names().map_err(|error| key_error(&error))
    }

    fn share(&self) -> Arc<dyn KeySource + Send + Sync> {
        Arc::new(Self(Arc::clone(&self.0)))
    }
}

fn key_error(error: &TokenError) -> KeyError {
    KeyError(error.to_string())
}

/// Signs this node's checkpoints with the token's ledger key.
pub struct LedgerSigner {
    key: VerifierKey,
    token: Arc<dyn Token>,
}

impl std::fmt::Debug for LedgerSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LedgerSigner({})", self.key)
    }
}

/// Origin line of a node's ledger.
#[must_use]
pub fn origin(node: &wire::NodeId) -> String {
    format!("jukinet.example/{}", node.as_str())
}

impl LedgerSigner {
    /// The signer of this node's ledger.
    ///
    /// # Errors
    /// When the token has no Ed25519 key of that name.
    pub fn new(node: &wire::NodeId, token: Arc<dyn Token>) -> Result<Self, SignError> {
        let public =
            token.public_key(KeyName::Ledger).map_err(|error| SignError::new(error.to_string()))?;
        let PublicKey::Ed25519(public) = public else {
            return Err(SignError::new("the ledger key is no Ed25519 key"));
        };
        let key = VerifierKey::ed25519(&origin(node), &public)
            .map_err(|error| SignError::new(error.to_string()))?;
        Ok(Self { key, token })
    }
}

impl NoteSigner for LedgerSigner {
    fn name(&self) -> &str {
        self.key.name()
    }

    fn verifier_key(&self) -> &VerifierKey {
        &self.key
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        self.token.sign(KeyName::Ledger, message).map_err(|error| SignError::new(error.to_string()))
    }
}
