//! Folders and files of a live run: made, read, measured, removed. Nothing of it outlives the run.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::LiveError;

/// What an automaton for needles may take: a few hundred names and addresses.
const NEEDLES_BYTES_MAX: usize = 64 << 20;

pub(crate) fn make_folder(path: &Path) -> Result<(), LiveError> {
    std::fs::create_dir_all(path).map_err(LiveError::file(path))
}

/// What cannot be removed now lies in the temporary folder; it is invented data.
pub(crate) fn remove_folder(path: &Path) {
    let _ = std::fs::remove_dir_all(path);
}

/// A folder that holds something of somebody else's stays.
pub(crate) fn remove_if_empty(path: &Path) {
    let _ = std::fs::remove_dir(path);
}

pub(crate) fn create(path: &Path) -> Result<BufWriter<File>, LiveError> {
    Ok(BufWriter::new(File::create(path).map_err(LiveError::file(path))?))
}

pub(crate) fn open(path: &Path) -> Result<BufReader<File>, LiveError> {
    Ok(BufReader::new(File::open(path).map_err(LiveError::file(path))?))
}

pub(crate) fn text(path: &Path) -> Result<String, LiveError> {
    std::fs::read_to_string(path).map_err(LiveError::file(path))
}

pub(crate) fn bytes(path: &Path) -> Result<Vec<u8>, LiveError> {
    std::fs::read(path).map_err(LiveError::file(path))
}

pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), LiveError> {
    std::fs::write(path, bytes).map_err(LiveError::file(path))
}

pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), LiveError> {
    std::fs::copy(from, to).map(|_| ()).map_err(LiveError::file(from))
}

/// What is not there is removed already.
pub(crate) fn remove(path: &Path) {
    let _ = std::fs::remove_file(path);
}

/// Names of the folders in a folder, in order.
pub(crate) fn folders(path: &Path) -> Result<Vec<String>, LiveError> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path).map_err(LiveError::file(path))?.flatten() {
        if entry.path().is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Every file below a folder, in order.
pub(crate) fn below(folder: &Path) -> Result<Vec<PathBuf>, LiveError> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(LiveError::file(&folder))?.flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Copies a folder with everything in it. A file that goes away meanwhile is left out.
pub(crate) fn copy_folder(from: &Path, to: &Path) -> Result<(), LiveError> {
    for file in below(from)? {
        let to = to.join(file.strip_prefix(from).unwrap_or(&file));
        make_folder(to.parent().unwrap_or(&to))?;
        let _ = std::fs::copy(&file, &to);
    }
    Ok(())
}

/// For the owner's eyes only, as the product wants its secrets.
pub(crate) fn make_private(path: &Path) -> Result<(), LiveError> {
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(path, mode).map_err(LiveError::file(path))
}

/// The same for a folder and every file in it.
pub(crate) fn make_private_folder(path: &Path) -> Result<(), LiveError> {
    let mode = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(path, mode).map_err(LiveError::file(path))?;
    below(path)?.iter().try_for_each(|file| make_private(file))
}

/// How many files below a folder were searched, and the first in which one of the needles stands,
/// read as raw bytes.
pub(crate) fn first_with(
    folder: &Path,
    needles: &[Vec<u8>],
) -> Result<(usize, Option<PathBuf>), LiveError> {
    let literal = |needle: &Vec<u8>| {
        let bytes: String = needle.iter().map(|byte| format!("\\x{byte:02x}")).collect();
        format!("(?-u:{bytes})")
    };
    let any: Vec<String> = needles.iter().map(literal).collect();
    let any = regex::bytes::RegexBuilder::new(&any.join("|"))
        .size_limit(NEEDLES_BYTES_MAX)
        .build()
        .map_err(|_| LiveError::content(folder, "too many needles to search for at once"))?;
    let mut searched = 0;
    for file in below(folder)? {
        // A file that went away meanwhile holds nothing any more.
        let Ok(bytes) = std::fs::read(&file) else { continue };
        searched += 1;
        if any.is_match(&bytes) {
            return Ok((searched, Some(file)));
        }
    }
    Ok((searched, None))
}

/// Bytes of a file, if it is there.
pub(crate) fn size(path: &Path) -> Option<u64> {
    std::fs::metadata(path).ok().map(|meta| meta.len())
}

/// How often `needle` stands in any file below `folder`, read as raw bytes.
pub(crate) fn occurrences(folder: &Path, needle: &[u8]) -> Result<u64, LiveError> {
    let mut found = 0;
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(LiveError::file(&folder))?.flatten() {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(path),
                Ok(kind) if kind.is_file() => found += in_file(&path, needle)?,
                _ => {}
            }
        }
    }
    Ok(found)
}

fn in_file(path: &Path, needle: &[u8]) -> Result<u64, LiveError> {
    let mut file = File::open(path).map_err(LiveError::file(path))?;
    let (mut window, mut buffer) = (Vec::new(), vec![0; 1 << 20]);
    let mut found = 0;
    loop {
        let count = file.read(&mut buffer).map_err(LiveError::file(path))?;
        if count == 0 {
            return Ok(found);
        }
        window.extend_from_slice(buffer.get(..count).unwrap_or_default());
        found += window.windows(needle.len().max(1)).filter(|seen| *seen == needle).count() as u64;
        // What may begin a needle at the end of this piece is looked at with the next.
        let keep = window.len().min(needle.len().saturating_sub(1));
        window.drain(..window.len() - keep);
    }
}

/// Bytes that are free where this folder is.
pub(crate) fn free_bytes(folder: &Path) -> Option<u64> {
    let stat = nix::sys::statvfs::statvfs(folder).ok()?;
    Some(stat.blocks_available() * stat.fragment_size())
}

/// Lets the system forget what it keeps of these files in memory, so that the next reads come from
/// the disk. What is not yet on the disk is written first.
pub(crate) fn evict(folder: &Path) -> Result<(), LiveError> {
    use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
    for entry in std::fs::read_dir(folder).map_err(LiveError::file(folder))?.flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_file()) {
            let file = File::open(&path).map_err(LiveError::file(&path))?;
            file.sync_all().map_err(LiveError::file(&path))?;
            let advised = posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
            advised.map_err(|error| LiveError::file(&path)(error.into()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_needle_is_found_in_any_file_also_across_pieces() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("deep")).unwrap();
        let mut bytes = vec![b'x'; (1 << 20) - 3];
        bytes.extend_from_slice(b"canary and canary");
        std::fs::write(folder.path().join("deep/file"), &bytes).unwrap();
        std::fs::write(folder.path().join("other"), b"canar").unwrap();
        assert_eq!(occurrences(folder.path(), b"canary").unwrap(), 2);
        assert_eq!(occurrences(folder.path(), b"cuckoo").unwrap(), 0);
        let first = |needles: &[&[u8]]| {
            let needles: Vec<Vec<u8>> = needles.iter().map(|needle| needle.to_vec()).collect();
            first_with(folder.path(), &needles).unwrap()
        };
        let deep = folder.path().join("deep/file");
        assert_eq!(first(&[b"cuckoo", b"x\0.", b"y and c"]).1.as_ref(), Some(&deep));
        assert_eq!(first(&[b"cuckoo", b"canar.", "佐藤".as_bytes()]), (2, None));
        assert!(free_bytes(folder.path()).is_some_and(|free| free > 0));
    }
}
