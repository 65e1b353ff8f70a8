//! Making a backup, also beside a running node: ledger files first, then one version of the
//! database, so that no ledger in a backup is ahead of its database.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ledger::LedgerFiles as _;
use ledger::note::NoteSigner;
use ledger::tile::addresses;
use sha2::{Digest as _, Sha256};
use store::backup::copy_database;
use store::ledger_files::LedgerDirectory;

use super::custody::BackupKey;
use super::manifest::{Counts, FileEntry, Manifest};
use super::scratch::{Scratch, copy_name};
use super::vault::{BLOCK_BYTES_MAX, Vault};
use super::{BackupError, hex, io};
use crate::clock;
use crate::config::{NodeConfig, StoreConfig};
use crate::runner::process::store_path;

/// How often the right edge of a busy ledger is read again.
const EDGE_TRIES_COUNT_MAX: u32 = 200;
/// Name of the database below a node's folder, and below a backup's.
pub const DATABASE_PATH: &str = "data/register.sqlite";
/// Files of the ledger stand below this.
pub const LEDGER_PATH: &str = "ledger";

/// What is told while it runs: bytes done and bytes in all, as far as known.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// Back up a node into `folder`. The token signs the manifest.
///
/// # Errors
/// As named; what was written until then are blocks that the next backup uses.
pub fn create(
    node: &NodeConfig,
    key: &BackupKey,
    folder: &Path,
    signer: &dyn NoteSigner,
    progress: Progress<'_>,
) -> Result<Manifest, BackupError> {
    if node.store != StoreConfig::Sqlite {
        return Err(BackupError::Engine);
    }
    let _scratch = Scratch::take(&node.data)?;
    let vault = Vault::new(folder);
    let mut made = Made { vault: &vault, key, written: 0, files: Vec::new() };
    let ledger = LedgerDirectory::new(&node.ledger);
    made.ledger(&ledger)?;
    let aside = Aside(node.data.join(copy_name(&hex(&crate::dice::array::<8>()))));
    let copied = copy_database(&store_path(node), &aside.0, &mut |_, _| ())?;
    made.database(&aside.0, progress)?;
    let at = clock::now();
    let stamp: String = at.to_rfc3339().chars().filter(|c| !matches!(c, ':' | '.')).collect();
    let counts = Counts { residents: copied.residents, entries: copied.entries };
    let sealed = serde_json::to_vec(&counts).unwrap_or_default();
    let id = format!("{stamp}-{}", node.node.as_str());
    let manifest = Manifest {
        format: Manifest::format(),
        node: node.node.as_str().to_owned(),
        made_at: at.to_rfc3339(),
        key: key.fingerprint(),
        ledger_vkey: signer.verifier_key().to_string(),
        written_bytes: made.written,
        files: made.files,
        sealed: BASE64_STANDARD.encode(key.seal(id.as_bytes(), &sealed)?),
        id,
    };
    manifest.write(folder, signer)?;
    Ok(manifest)
}

/// A copy that goes, however the backup ends.
struct Aside(PathBuf);

impl Drop for Aside {
    fn drop(&mut self) {
        for end in ["", "-journal", "-wal", "-shm"] {
            let mut name = self.0.as_os_str().to_owned();
            name.push(end);
            let _ = fs::remove_file(PathBuf::from(name));
        }
    }
}

struct Made<'a> {
    vault: &'a Vault,
    key: &'a BackupKey,
    written: u64,
    files: Vec<FileEntry>,
}

impl Made<'_> {
    /// The files of one checkpoint: its right edge while that is the newest, then the full tiles,
    /// which never change.
    fn ledger(&mut self, files: &LedgerDirectory) -> Result<(), BackupError> {
        let read = |path: &str| {
            files.read(path).map_err(|why| BackupError::Manifest { id: path.to_owned(), why })
        };
        let Some(key) = read("ledger.vkey")? else { return Ok(()) };
        let mut edge = Vec::new();
        let mut size = 0;
        let mut settled = false;
        for _ in 0..EDGE_TRIES_COUNT_MAX {
            let Some(checkpoint) = read("checkpoint")? else { return Ok(()) };
            size = checkpoint_size(&checkpoint).ok_or(BackupError::Restless)?;
            edge = vec![("checkpoint".to_owned(), checkpoint)];
            settled = true;
            for address in addresses(size).filter(|address| !address.is_full()) {
                match read(&address.path())? {
                    Some(bytes) => edge.push((address.path(), bytes)),
                    None => settled = false,
                }
            }
            if settled {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        if !settled {
            return Err(BackupError::Restless);
        }
        self.whole("ledger.vkey", &key)?;
        for (path, bytes) in edge {
            self.whole(&path, &bytes)?;
        }
        for address in addresses(size).filter(ledger::tile::TileAddress::is_full) {
            let bytes = read(&address.path())?.ok_or(BackupError::Restless)?;
            self.whole(&address.path(), &bytes)?;
        }
        Ok(())
    }

    fn whole(&mut self, path: &str, bytes: &[u8]) -> Result<(), BackupError> {
        let mut blocks = Vec::new();
        for block in bytes.chunks(BLOCK_BYTES_MAX) {
            blocks.push(self.put(block)?);
        }
        self.files.push(FileEntry {
            path: format!("{LEDGER_PATH}/{path}"),
            bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            sha256: hex(&Sha256::digest(bytes)),
            blocks,
        });
        Ok(())
    }

    fn database(&mut self, copy: &Path, progress: Progress<'_>) -> Result<(), BackupError> {
        let mut file = File::open(copy).map_err(io(copy, "open"))?;
        let all = file.metadata().map_err(io(copy, "look at"))?.len();
        let (mut done, mut hash, mut blocks) = (0u64, Sha256::new(), Vec::new());
        loop {
            let mut block = Vec::new();
            let max = u64::try_from(BLOCK_BYTES_MAX).unwrap_or(u64::MAX);
            (&mut file).take(max).read_to_end(&mut block).map_err(io(copy, "read"))?;
            if block.is_empty() {
                break;
            }
            hash.update(&block);
            blocks.push(self.put(&block)?);
            done += u64::try_from(block.len()).unwrap_or(u64::MAX);
            progress(done, all);
        }
        let sha256 = hex(&hash.finalize());
        self.files.push(FileEntry { path: DATABASE_PATH.to_owned(), bytes: all, sha256, blocks });
        Ok(())
    }

    fn put(&mut self, block: &[u8]) -> Result<String, BackupError> {
        let (id, written) = self.vault.put(self.key, block)?;
        self.written += written;
        Ok(id)
    }
}

/// The second line of a checkpoint.
fn checkpoint_size(note: &[u8]) -> Option<u64> {
    std::str::from_utf8(note).ok()?.lines().nth(1)?.parse().ok()
}
