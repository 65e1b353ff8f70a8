//! How far a file has been acknowledged, beside the file, so that the same command goes on after a
//! crash. Holds counts and the file's digest, nothing of any row.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use wire::NodeId;

use crate::feed::Profile;
use crate::{clock, disk};

/// A page of JSON; a larger file is something else.
const PROGRESS_BYTES_MAX: u64 = 4_096;
/// Written no more often than this; what is acknowledged in between is told to be a duplicate when
/// it is sent again.
const WRITE_EVERY_MS: u64 = 1_000;

/// What was acknowledged, with the outcomes of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Acknowledged {
    /// The last row, as the rejected rows number them; 0 before the first.
    pub(super) row: u32,
    /// Rows that the server holds.
    pub(super) taken: u64,
    pub(super) waiting: u64,
    pub(super) skipped: u64,
    pub(super) rejected: u64,
    /// Length of the file of rejected rows up to here.
    pub(super) rejects_bytes: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sidecar {
    /// SHA-256 of the change file, in hexadecimal digits.
    sha256: String,
    profile: String,
    server: String,
    acknowledged: Acknowledged,
}

/// The sidecar of one file.
pub(super) struct Progress {
    path: PathBuf,
    sidecar: Sidecar,
    written_ms: u64,
    /// The folder may not be written: said once, then done without.
    broken: bool,
}

/// A sidecar and where its file was left.
pub(super) struct Resumed {
    pub(super) progress: Progress,
    pub(super) from: Acknowledged,
}

impl Progress {
    /// The sidecar of this file, or a new one. A file that is not the one that was begun is
    /// refused.
    pub(super) fn open(file: &Path, profile: Profile, server: &NodeId) -> Result<Resumed, String> {
        let sha256 = digest(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let mut name = file.as_os_str().to_owned();
        name.push(".progress");
        let path = PathBuf::from(name);
        let (profile, server) = (profile.name().to_owned(), server.as_str().to_owned());
        let mut sidecar =
            Sidecar { sha256, profile, server, acknowledged: Acknowledged::default() };
        if path.exists() {
            let text = disk::read_text(&path, PROGRESS_BYTES_MAX).map_err(|e| e.to_string())?;
            let damaged = |_| format!("{}: damaged; remove it to begin anew", path.display());
            let begun: Sidecar = serde_json::from_str(&text).map_err(damaged)?;
            let row = begun.acknowledged.row;
            let changed = |what: &str| {
                Err(format!(
                    "{}: {what} since its row {row} was acknowledged; send what was begun, or \
                     remove {} to send this from its beginning",
                    file.display(),
                    path.display()
                ))
            };
            if begun.sha256 != sidecar.sha256 {
                return changed("the file has changed");
            }
            if begun.profile != sidecar.profile {
                return changed("another --profile was given");
            }
            if begun.server != sidecar.server {
                return changed("another municipality was named");
            }
            sidecar.acknowledged = begun.acknowledged;
        }
        let from = sidecar.acknowledged;
        Ok(Resumed { progress: Self { path, sidecar, written_ms: 0, broken: false }, from })
    }

    /// Keep how far it is, if the last time is a while ago. An error is told once.
    pub(super) fn reached(&mut self, acknowledged: Acknowledged) -> Option<String> {
        self.sidecar.acknowledged = acknowledged;
        let now = clock::now().0;
        if now.saturating_sub(self.written_ms) < WRITE_EVERY_MS {
            return None;
        }
        self.written_ms = now;
        self.write()
    }

    /// Keep how far it is now.
    pub(super) fn write(&mut self) -> Option<String> {
        if self.broken || self.sidecar.acknowledged.row == 0 {
            return None;
        }
        let text = serde_json::to_vec(&self.sidecar).ok()?;
        let error = disk::write_private(&self.path, &text).err()?;
        self.broken = true;
        Some(format!("{error}; after a crash the file would be sent from its beginning"))
    }

    /// The whole file is through.
    pub(super) fn done(self) {
        let _ = disk::remove(&self.path);
    }
}

fn digest(file: &Path) -> std::io::Result<String> {
    let mut source = File::open(file)?;
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 256 * 1024]);
    loop {
        let count = source.read(&mut buffer)?;
        if count == 0 {
            let digest = hasher.finalize();
            return Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect());
        }
        hasher.update(buffer.get(..count).unwrap_or_default());
    }
}
