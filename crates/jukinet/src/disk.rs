//! Files that are not a store: configuration, sealed tokens, PIN files, cards, vkeys.
//! Not the register and not the ledger: those belong to `store`.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Nothing read whole at the edge is larger: the largest is a signed directory of a whole country.
pub const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A PIN is at most 12 digits and a token's PIN one line; anything longer is the wrong file.
pub const PIN_BYTES_MAX: u64 = 256;

#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    #[error("{path}: cannot {doing}: {source}")]
    Io { path: PathBuf, doing: &'static str, source: std::io::Error },
    #[error("{path}: larger than {max} bytes; this is not the file it should be")]
    TooLarge { path: PathBuf, max: u64 },
    #[error("{path}: mode {mode:o} lets others read it; run chmod 600 on it")]
    Readable { path: PathBuf, mode: u32 },
    #[error("{path}: not UTF-8 text")]
    NotText { path: PathBuf },
}

fn io(path: &Path, doing: &'static str) -> impl FnOnce(std::io::Error) -> DiskError {
    let path = path.to_path_buf();
    move |source| DiskError::Io { path, doing, source }
}

/// Removes a file.
///
/// # Errors
/// When it is not there or may not be removed.
pub fn remove(path: &Path) -> Result<(), DiskError> {
    fs::remove_file(path).map_err(io(path, "remove"))
}

/// Reads a whole file, refusing one larger than `max`.
pub fn read(path: &Path, max: u64) -> Result<Vec<u8>, DiskError> {
    let file = File::open(path).map_err(io(path, "open"))?;
    let mut bytes = Vec::new();
    file.take(max.saturating_add(1)).read_to_end(&mut bytes).map_err(io(path, "read"))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > max {
        return Err(DiskError::TooLarge { path: path.to_path_buf(), max });
    }
    Ok(bytes)
}

/// Reads a whole text file.
pub fn read_text(path: &Path, max: u64) -> Result<String, DiskError> {
    String::from_utf8(read(path, max)?).map_err(|_| DiskError::NotText { path: path.to_path_buf() })
}

/// Reads a file that only its owner may read (a sealed token, a card).
pub fn read_private(path: &Path, max: u64) -> Result<Vec<u8>, DiskError> {
    check_private(path)?;
    read(path, max)
}

/// Reads a PIN file: one line, its end-of-line removed, wiped from memory when dropped.
pub fn read_pin(path: &Path) -> Result<Zeroizing<String>, DiskError> {
    let bytes = Zeroizing::new(read_private(path, PIN_BYTES_MAX)?);
    let text =
        std::str::from_utf8(&bytes).map_err(|_| DiskError::NotText { path: path.to_path_buf() })?;
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Refuses a key or PIN file that group or others may touch.
pub fn check_private(path: &Path) -> Result<(), DiskError> {
    let mode = fs::metadata(path).map_err(io(path, "look at"))?.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(DiskError::Readable { path: path.to_path_buf(), mode });
    }
    Ok(())
}

/// Writes a file of mode 0600 so that a crash leaves the old content or the new, never half.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let draft = PathBuf::from(name);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)
        .map_err(io(&draft, "create"))?;
    file.write_all(bytes).map_err(io(&draft, "write"))?;
    file.sync_all().map_err(io(&draft, "flush"))?;
    fs::rename(&draft, path).map_err(io(path, "rename into place"))?;
    if let Some(folder) = path.parent() {
        // The rename itself is durable only when its folder is.
        if let Ok(folder) =
            File::open(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
        {
            folder.sync_all().map_err(io(path, "flush the folder of"))?;
        }
    }
    Ok(())
}

/// Waits until no other process holds the lock beside this file, and holds it until dropped.
pub fn lock(path: &Path) -> Result<File, DiskError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let beside = PathBuf::from(name);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&beside)
        .map_err(io(&beside, "create"))?;
    file.lock().map_err(io(&beside, "lock"))?;
    Ok(file)
}

/// Makes a folder of mode 0700, with its parents.
pub fn make_folder(path: &Path) -> Result<(), DiskError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io(path, "make"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_pin_file_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pin");
        write_private(&path, b"123456\n").unwrap();
        assert_eq!(read_pin(&path).unwrap().as_str(), "123456");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(read_pin(&path), Err(DiskError::Readable { .. })));
    }

    #[test]
    fn an_oversize_file_is_refused_not_truncated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write_private(&path, &[0; 11]).unwrap();
        assert!(matches!(read(&path, 10), Err(DiskError::TooLarge { max: 10, .. })));
        assert_eq!(read(&path, 11).unwrap().len(), 11);
    }
}
