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

/// As [`write_private`], and writes over what the file held: best effort, for a disk that writes
/// where it is told to (SECURITY.md). Only under [`lock`]; read it with [`read_replaced`].
///
/// # Errors
/// When the new content cannot be written; then the old stands.
pub fn replace_secret(path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    // Of a run that was cut short.
    overwrite(OpenOptions::new().write(true).open(PathBuf::from(draft)).ok());
    // After the rename, through the file that was open before it: a crash in between must not
    // leave neither old nor new.
    let old = OpenOptions::new().write(true).open(path).ok();
    write_private(path, bytes)?;
    overwrite(old);
    Ok(())
}

fn overwrite(file: Option<File>) {
    let Some(mut file) = file else { return };
    let length = file.metadata().map_or(0, |found| found.len()).min(FILE_BYTES_MAX);
    let _ = std::io::copy(&mut std::io::repeat(0).take(length), &mut file);
    let _ = file.sync_all();
}

/// Reads a file that [`replace_secret`] may replace meanwhile, whole and of one version.
pub fn read_replaced(path: &Path, max: u64) -> Result<Vec<u8>, DiskError> {
    loop {
        let bytes = {
            check_private(path)?;
            let mut file = File::open(path).map_err(io(path, "open"))?;
            let read = file.metadata().map_err(io(path, "look at"))?.ino();
            let mut bytes = Vec::new();
            (&mut file)
                .take(max.saturating_add(1))
                .read_to_end(&mut bytes)
                .map_err(io(path, "read"))?;
            // It is written over only after another has its name.
            let now = fs::metadata(path).map_err(io(path, "look at"))?.ino();
            (read == now).then_some(bytes)
        };
        match bytes {
            Some(bytes) if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > max => {
                return Err(DiskError::TooLarge { path: path.to_path_buf(), max });
            }
            Some(bytes) => return Ok(bytes),
            None => {}
        }
    }
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
    fn what_a_replaced_secret_held_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.retention");
        replace_secret(&path, b"the first key").unwrap();
        let mut old = File::open(&path).unwrap();
        write_private(&folder.path().join("a.retention.new"), b"of a crash").unwrap();
        let mut draft = File::open(folder.path().join("a.retention.new")).unwrap();
        replace_secret(&path, b"the second").unwrap();
        let held = |file: &mut File| {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            bytes
        };
        assert_eq!(held(&mut old), [0; 13], "same length, nothing of it");
        // The same file as the draft: `write_private` takes it over.
        assert_eq!(held(&mut draft), b"the second");
        assert_eq!(read_replaced(&path, 99).unwrap(), b"the second");
        assert!(matches!(read_replaced(&path, 9), Err(DiskError::TooLarge { max: 9, .. })));
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
