//! Backups: encrypted to a key that no node holds, opened by two custodians together, consistent
//! across a running node, and incremental by blocks.
//!
//! A node holds the public half only, so whoever takes the node takes no backup with it. A backup's
//! files are as sealed inside as the node's own: to read anything takes two shares and the token,
//! and rows whose term has ended open with neither. What may be kept how long is not decided here.
//!
//! - [`custody`]: the key pair and its shares
//! - [`vault`]: blocks by content, each sealed for itself
//! - [`manifest`]: what one backup consists of, signed by the node's ledger key
//! - [`create`], [`restore`]: the two ways

pub mod create;
pub mod custody;
pub mod manifest;
pub mod restore;
pub mod scratch;
pub mod vault;

use std::path::PathBuf;

use node::ports::StoreError;

use crate::disk::DiskError;

/// Why a backup was not made, or not opened.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("{path}: cannot {doing}: {source}", path = .path.display())]
    Io { path: PathBuf, doing: &'static str, source: std::io::Error },
    #[error("{path} is not {what}", path = .path.display())]
    Form { path: PathBuf, what: &'static str },
    #[error("the key pair could not be used: {0}")]
    Key(String),
    #[error("{path}: {why}", path = .path.display())]
    Share { path: PathBuf, why: String },
    #[error(
        "these shares do not open this backup: it was made for key {wanted}, they are of {held}"
    )]
    OtherKey { wanted: String, held: String },
    #[error("block {id} is {what}; take it from another copy of the backups")]
    Block { id: String, what: &'static str },
    #[error("backup {id}: {why}")]
    Manifest { id: String, why: String },
    #[error("there is no backup {0}; list them with jukinet backup list")]
    NoBackup(String),
    #[error("{0} is there already; a restore never writes over a register")]
    Taken(PathBuf),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(
        "this node's store is on PostgreSQL: back it up with the server's own tools and the \
         ledger's folder beside it (docs/operators.md)"
    )]
    Engine,
    #[error("the published ledger moved on faster than it could be read; try again")]
    Restless,
}

/// An error about a path.
pub(crate) fn io(
    path: &std::path::Path,
    doing: &'static str,
) -> impl FnOnce(std::io::Error) -> BackupError {
    let path = path.to_path_buf();
    move |source| BackupError::Io { path, doing, source }
}

/// Bytes as lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
