//! The ledger's directory: whole files, written so that a crash leaves the old one or the new one.
//!
//! The only place of this crate that touches files besides SQLite. What stands in them is decided
//! by `ledger`; the directory is handed in.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ledger::LedgerFiles;
use node::ports::StoreError;

/// No published file is larger: a full entry bundle has 8,704 bytes, a note at most 128 KiB.
const LEDGER_FILE_BYTES_MAX: u64 = 256 * 1024;

/// The directory that holds the published files of one ledger.
#[derive(Debug, Clone)]
pub struct LedgerDirectory {
    root: PathBuf,
}

impl LedgerDirectory {
    /// The directory need not exist yet.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Write a file whole: aside, synced, then renamed into place, then the directory synced.
    pub(crate) fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let target = self.root.join(path);
        let parent = target.parent().unwrap_or(&self.root);
        create_synced(parent)?;
        let mut aside = target.as_os_str().to_owned();
        aside.push(".tmp");
        let mut file = File::create(&aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        drop(file);
        fs::rename(&aside, &target)?;
        sync_directory(parent)
    }

    /// Remove a directory of obsolete partial files; one that is not there is as good.
    pub(crate) fn remove_directory(&self, path: &str) -> io::Result<()> {
        match fs::remove_dir_all(self.root.join(path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl LedgerFiles for LedgerDirectory {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        let path = self.root.join(path);
        match fs::metadata(&path) {
            Ok(found) if found.len() > LEDGER_FILE_BYTES_MAX => {
                return Err(format!("longer than {LEDGER_FILE_BYTES_MAX} bytes"));
            }
            Ok(_) => {}
            Err(error) if is_absence(&error) => return Ok(None),
            Err(error) => return Err(error.to_string()),
        }
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if is_absence(&error) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Create a directory and its parents; each new name is synced into the directory above it.
fn create_synced(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        create_synced(parent)?;
    }
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    parent.map_or(Ok(()), sync_directory)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Open or create a file that only its owner may read.
pub(crate) fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// What the operating system says, in the port's words; a path is not personal data.
#[expect(clippy::needless_pass_by_value, reason = "used as a map_err function")]
pub(crate) fn io_error(error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::DiskFull,
        _ => StoreError::Io(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_replaced_whole_and_absence_is_not_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let files = LedgerDirectory::new(&dir.path().join("not-there-yet"));
        assert_eq!(files.read("tile/0/000").unwrap(), None);
        files.write("tile/0/000.p/1", b"one").unwrap();
        files.write("tile/0/000.p/1", b"two").unwrap();
        assert_eq!(files.read("tile/0/000.p/1").unwrap().unwrap(), b"two");
        assert_eq!(files.read("tile/0/000.p/1.tmp").unwrap(), None);
        files.remove_directory("tile/0/000.p").unwrap();
        files.remove_directory("tile/0/000.p").unwrap();
        assert_eq!(files.read("tile/0/000.p/1").unwrap(), None);
    }

    #[test]
    fn a_file_beyond_the_bound_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let files = LedgerDirectory::new(dir.path());
        let length = usize::try_from(LEDGER_FILE_BYTES_MAX).unwrap() + 1;
        files.write("checkpoint", &vec![b'x'; length]).unwrap();
        assert!(files.read("checkpoint").is_err());
    }
}
