//! Folders and files of a live run: made, read, measured, removed. Nothing of it outlives the run.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;

use super::LiveError;

pub(crate) fn make_folder(path: &Path) -> Result<(), LiveError> {
    std::fs::create_dir_all(path).map_err(LiveError::file(path))
}

/// What cannot be removed now lies in the temporary folder; it is invented data.
pub(crate) fn remove_folder(path: &Path) {
    let _ = std::fs::remove_dir_all(path);
}

pub(crate) fn create(path: &Path) -> Result<BufWriter<File>, LiveError> {
    Ok(BufWriter::new(File::create(path).map_err(LiveError::file(path))?))
}

pub(crate) fn open(path: &Path) -> Result<BufReader<File>, LiveError> {
    Ok(BufReader::new(File::open(path).map_err(LiveError::file(path))?))
}

/// Bytes of a file, if it is there.
pub(crate) fn size(path: &Path) -> Option<u64> {
    std::fs::metadata(path).ok().map(|meta| meta.len())
}
