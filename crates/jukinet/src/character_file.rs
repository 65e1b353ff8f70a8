//! The table of Juki-net unified characters as a file: MJ文字情報一覧表 as an operator got it, or what
//! `jukinet characters load` made of it. Not the table itself: that is `law::character`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use law::character::{CharacterTable, TableFault};

use crate::disk::{self, DiskError};

/// The published list as tab-separated text has about 4 MiB.
const TABLE_BYTES_MAX: u64 = 16 * 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum CharacterFileError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("{path}: {fault}", path = .path.display())]
    Table { path: PathBuf, fault: TableFault },
}

/// Reads a table.
pub fn read(path: &Path) -> Result<Arc<CharacterTable>, CharacterFileError> {
    let bytes = disk::read(path, TABLE_BYTES_MAX)?;
    let table = CharacterTable::parse(&bytes)
        .map_err(|fault| CharacterFileError::Table { path: path.to_path_buf(), fault })?;
    Ok(Arc::new(table))
}
