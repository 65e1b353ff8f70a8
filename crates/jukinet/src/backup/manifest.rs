//! What one backup consists of: files and their blocks, signed by the node's ledger key. Names no
//! one; what is counted in it is sealed for the custodians. Blocks themselves are the vault's.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ledger::note::{NoteSigner, VerifierKey};
use serde::{Deserialize, Serialize};

use super::{BackupError, io};
use crate::disk;

const FORMAT: &str = "jukinet/1 backup";
const SIGNED_PREFIX: &[u8] = b"jukinet/1 backup manifest\n";
/// A center's database of 100 GB has 400,000 blocks of 66 characters.
const MANIFEST_BYTES_MAX: u64 = 64 << 20;
/// Backups that a folder is listed for.
const MANIFESTS_COUNT_MAX: usize = 10_000;

/// One file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Below the node's folder, as `data/register.sqlite`.
    pub path: String,
    pub bytes: u64,
    /// SHA-256 of the whole file.
    pub sha256: String,
    pub blocks: Vec<String>,
}

/// One backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub format: String,
    pub id: String,
    pub node: String,
    pub made_at: String,
    /// Fingerprint of the key it is sealed for.
    pub key: String,
    /// Verifier key of the node's ledger, which signs this.
    pub ledger_vkey: String,
    /// Bytes that this backup added to the folder.
    pub written_bytes: u64,
    pub files: Vec<FileEntry>,
    /// Counts, sealed for the custodians: base64.
    pub sealed: String,
}

/// As it stands in the file: the signed text, then the signature.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    manifest: String,
    signature: String,
}

/// What the custodians alone can read of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub residents: u64,
    pub entries: u64,
}

impl Manifest {
    /// The format of this version.
    #[must_use]
    pub fn format() -> String {
        FORMAT.to_owned()
    }

    /// Bytes of all files together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Sign it and write it into the folder of backups: the last step of making one.
    ///
    /// # Errors
    /// When the token does not sign or the file cannot be written.
    pub fn write(&self, folder: &Path, signer: &dyn NoteSigner) -> Result<(), BackupError> {
        let wrong = |why: String| BackupError::Manifest { id: self.id.clone(), why };
        let manifest = serde_json::to_string(self).map_err(|error| wrong(error.to_string()))?;
        let signature = signer
            .sign(&[SIGNED_PREFIX, manifest.as_bytes()].concat())
            .map_err(|error| wrong(error.to_string()))?;
        let signed = Signed { manifest, signature: BASE64_STANDARD.encode(signature) };
        let text = serde_json::to_string(&signed).map_err(|error| wrong(error.to_string()))?;
        let folder = folder.join("manifests");
        disk::make_folder(&folder)?;
        disk::write_private(&folder.join(format!("{}.json", self.id)), text.as_bytes())?;
        Ok(())
    }

    /// Read one and check its signature.
    ///
    /// # Errors
    /// When there is none of that id, or it is altered.
    pub fn read(folder: &Path, id: &str) -> Result<Self, BackupError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | 'T' | 'Z');
        if id.is_empty() || !id.chars().all(plain) {
            return Err(BackupError::NoBackup(id.to_owned()));
        }
        let path = folder.join("manifests").join(format!("{id}.json"));
        if !path.exists() {
            return Err(BackupError::NoBackup(id.to_owned()));
        }
        let wrong = |why: &str| BackupError::Manifest { id: id.to_owned(), why: why.to_owned() };
        let text = disk::read_text(&path, MANIFEST_BYTES_MAX)?;
        let signed: Signed = serde_json::from_str(&text).map_err(|_| wrong("is no manifest"))?;
        let manifest: Self =
            serde_json::from_str(&signed.manifest).map_err(|_| wrong("is no manifest"))?;
        let key =
            VerifierKey::parse(&manifest.ledger_vkey).map_err(|_| wrong("names no ledger key"))?;
        let signature: [u8; 64] = BASE64_STANDARD
            .decode(&signed.signature)
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| wrong("has no signature"))?;
        let message = [SIGNED_PREFIX, signed.manifest.as_bytes()].concat();
        if !token::verify::ed25519(key.public_key(), &message, &signature) {
            return Err(wrong("was altered: its signature does not hold"));
        }
        if manifest.format != FORMAT || manifest.id != id {
            return Err(wrong("is of another version, or was renamed"));
        }
        Ok(manifest)
    }

    /// Ids of all backups in the folder, oldest first.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn list(folder: &Path) -> Result<Vec<String>, BackupError> {
        let folder = folder.join("manifests");
        if !folder.exists() {
            return Ok(Vec::new());
        }
        let mut ids = Vec::new();
        for item in fs::read_dir(&folder).map_err(io(&folder, "list"))? {
            let name = item.map_err(io(&folder, "list"))?.file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(".json"));
            ids.extend(id.map(str::to_owned));
            if ids.len() > MANIFESTS_COUNT_MAX {
                return Err(BackupError::Form {
                    path: folder,
                    what: "a folder of this many backups",
                });
            }
        }
        ids.sort();
        Ok(ids)
    }
}
