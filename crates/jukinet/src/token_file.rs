//! Opens the token a configuration names: a sealed file, or a device behind PKCS#11.
//! Not the tokens themselves: those are `token::software` and `pkcs11`.

use std::sync::Arc;

use token::{SoftwareToken, Token, TokenError};

use crate::config::TokenConfig;
use crate::disk::{self, DiskError};
use crate::pkcs11::{Pkcs11Token, TokenPlace};

/// A sealed token holds six keys; a larger file is something else.
const TOKEN_BYTES_MAX: u64 = 64 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum TokenOpenError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("{place}: {source}")]
    Token { place: String, source: TokenError },
}

/// Opens the token with the PIN from its file. Both files must be readable by their owner only.
pub fn open(config: &TokenConfig) -> Result<Arc<dyn Token>, TokenOpenError> {
    match config {
        TokenConfig::Software { file, pin_file } => {
            let sealed = disk::read_private(file, TOKEN_BYTES_MAX)?;
            let pin = disk::read_pin(pin_file)?;
            let token = SoftwareToken::open(&sealed, &pin).map_err(|source| {
                TokenOpenError::Token { place: file.display().to_string(), source }
            })?;
            Ok(Arc::new(token))
        }
        TokenConfig::Pkcs11 { module, label, pin_file } => {
            let pin = disk::read_pin(pin_file)?;
            let place = TokenPlace::Label(label.clone());
            let token = Pkcs11Token::open(module, place, &pin).map_err(|source| {
                let place = format!("{} in {}", label, module.display());
                TokenOpenError::Token { place, source }
            })?;
            Ok(Arc::new(token))
        }
    }
}
