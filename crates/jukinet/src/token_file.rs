//! Opens the token a configuration names: a sealed file, or a device behind PKCS#11.
//! Not the tokens themselves: those are `token::software` and `pkcs11`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use token::retention::{RETENTION_FILE_BYTES_MAX, RetentionShelf};
use token::{KeyName, SoftwareToken, Token, TokenError};

use crate::config::TokenConfig;
use crate::dice;
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
            // A terminal's or a feed's token keeps no store and has no keys for terms.
            if token.names().any(|name| name == KeyName::Storage) {
                let shelf = Box::new(FileShelf(retention_path(file)));
                let token = token.with_retention(shelf).map_err(|source| {
                    TokenOpenError::Token { place: file.display().to_string(), source }
                })?;
                return Ok(Arc::new(token));
            }
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

/// Where a sealed token keeps its keys for terms: beside its own file.
#[must_use]
pub fn retention_path(token: &Path) -> PathBuf {
    let mut path = token.as_os_str().to_owned();
    path.push(".retention");
    PathBuf::from(path)
}

/// The keys for terms of a sealed token, in a file that is replaced whole; the one before is
/// written over, because a key destroyed since stands in it.
struct FileShelf(PathBuf);

impl RetentionShelf for FileShelf {
    fn load(&self) -> Result<Option<Vec<u8>>, String> {
        if !self.0.exists() {
            return Ok(None);
        }
        disk::read_replaced(&self.0, RETENTION_FILE_BYTES_MAX)
            .map(Some)
            .map_err(|error| error.to_string())
    }

    fn keep(&self, sealed: &[u8]) -> Result<(), String> {
        disk::replace_secret(&self.0, sealed).map_err(|error| error.to_string())
    }

    fn exclusively(&self) -> Result<Box<dyn std::any::Any>, String> {
        let lock = disk::lock(&self.0).map_err(|error| error.to_string())?;
        Ok(Box::new(lock))
    }

    fn fill(&self, bytes: &mut [u8]) {
        dice::fill(bytes);
    }
}
