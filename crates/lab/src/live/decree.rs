//! A directory that the center signs out of turn: a card revoked, a node isolated. No command of
//! the product does this yet; whoever holds the center's token can, and the center takes a newer
//! directory file when it starts.

use std::path::{Path, PathBuf};

use law::time::Timestamp;
use token::KeyName;
use wire::directory::{DIRECTORY_REISSUE_MS, DIRECTORY_VALID_MS};
use wire::{Directory, SignedDirectory};

use super::keeping::Keeping;
use super::{LiveError, clock, place};

/// Signs the center's directory anew with a change, and leaves it where the center looks for a
/// newer one when it starts. `config` is the center's configuration; the center stands still.
pub(crate) fn decree(
    config: &Path,
    keeping: &Keeping,
    change: impl FnOnce(&mut Directory) -> bool,
) -> Result<(), LiveError> {
    let mut next = keeping.directory().ok_or_else(|| LiveError::Store {
        node: "center".to_owned(),
        why: "it keeps no directory".to_owned(),
    })?;
    if !change(&mut next) {
        return Err(LiveError::content(config, "the directory has no such row"));
    }
    next.serial += 1;
    // So old that the center issues the next one, and pushes it, as soon as it runs.
    next.issued_at = Timestamp(clock::now().0.saturating_sub(DIRECTORY_REISSUE_MS));
    next.expires_at = Timestamp(next.issued_at.0.saturating_add(DIRECTORY_VALID_MS));
    let body = next.encode()?;
    let token = place::node_token(config)?;
    let signature = token.sign(KeyName::Directory, &SignedDirectory::signing_bytes(&body))?;
    let file: PathBuf = place::directory_file(config)?;
    std::fs::write(&file, SignedDirectory { body, signature }.encode())
        .map_err(LiveError::file(&file))
}
