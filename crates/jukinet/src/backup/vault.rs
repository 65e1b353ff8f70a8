//! Blocks of backed-up files, each once, under a name that its content gives, each sealed for the
//! custodians. What belongs together is the manifest's.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::custody::{BackupKey, OpeningKey};
use super::{BackupError, hex, io};
use crate::disk;

/// Bytes of one block: a change of one page of a database costs one block.
pub const BLOCK_BYTES_MAX: usize = 256 * 1024;
/// A sealed block with its encapsulated key and tag.
const SEALED_BYTES_MAX: u64 = 256 * 1024 + 256;

/// A folder of blocks.
#[derive(Clone, Debug)]
pub struct Vault {
    root: PathBuf,
}

impl Vault {
    /// The blocks of the backups in this folder.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { root: folder.join("blocks") }
    }

    /// The name of a block for this key. What a block holds is sealed rows already, so its name
    /// says no more than that two backups hold the same block.
    #[must_use]
    pub fn name(key: &BackupKey, plain: &[u8]) -> String {
        let mut hash = Sha256::new();
        hash.update(b"jukinet/1 backup block\n");
        hash.update(key.fingerprint().as_bytes());
        hash.update(plain);
        hex(&hash.finalize())
    }

    fn path(&self, id: &str) -> Result<PathBuf, BackupError> {
        let bad = || BackupError::Block { id: "?".to_owned(), what: "no name of a block" };
        if id.len() != 64 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(bad());
        }
        let (folder, name) = id.split_at_checked(2).ok_or_else(bad)?;
        Ok(self.root.join(folder).join(name))
    }

    /// Keep a block that is not there yet. Says its name and how many bytes were written.
    ///
    /// # Errors
    /// When it cannot be sealed or written.
    pub fn put(&self, key: &BackupKey, plain: &[u8]) -> Result<(String, u64), BackupError> {
        let id = Self::name(key, plain);
        let path = self.path(&id)?;
        if path.exists() {
            return Ok((id, 0));
        }
        if let Some(folder) = path.parent() {
            disk::make_folder(folder)?;
        }
        let sealed = key.seal(id.as_bytes(), plain)?;
        disk::write_private(&path, &sealed)?;
        Ok((id, u64::try_from(sealed.len()).unwrap_or(u64::MAX)))
    }

    /// Whether a block is there.
    ///
    /// # Errors
    /// When the name is none.
    pub fn holds(&self, id: &str) -> Result<bool, BackupError> {
        Ok(self.path(id)?.exists())
    }

    /// A block, opened and held against its name.
    ///
    /// # Errors
    /// Names the block that is missing, altered or another key's.
    pub fn get(&self, for_key: &str, key: &OpeningKey, id: &str) -> Result<Vec<u8>, BackupError> {
        let wrong = |what| BackupError::Block { id: id.to_owned(), what };
        let path = self.path(id)?;
        let length = fs::metadata(&path).map_err(|_| wrong("missing"))?.len();
        if length > SEALED_BYTES_MAX {
            return Err(wrong("too long"));
        }
        let sealed = fs::read(&path).map_err(io(&path, "read"))?;
        let plain = key
            .open(id.as_bytes(), &sealed)
            .ok_or_else(|| wrong("altered, or sealed for another key"))?;
        let mut hash = Sha256::new();
        hash.update(b"jukinet/1 backup block\n");
        hash.update(for_key.as_bytes());
        hash.update(&plain);
        if hex(&hash.finalize()) == id { Ok(plain) } else { Err(wrong("not what its name says")) }
    }
}
