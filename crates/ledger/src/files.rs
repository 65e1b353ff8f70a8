//! The published files of a ledger, read: the port they come through, and the hashes in them.
//!
//! Not here: writing them (`publication`) and judging them (`verify`).

use crate::proofs::{HashError, HashReader};
use crate::tile::{TILE_HEIGHT, TileAddress, decode_tile, width_at, within};
use crate::tree::Hash;

/// Name of the signed checkpoint among the files.
pub const CHECKPOINT_PATH: &str = "checkpoint";

/// Name of the ledger's own verifier key among the files. It proves nothing there; it is compared
/// with the key a verifier brings.
pub const VERIFIER_KEY_PATH: &str = "ledger.vkey";

/// Where the files of one ledger are: a directory, a medium, an archive, a test's map.
pub trait LedgerFiles {
    /// The bytes of one file, by its path within the ledger; none where it does not exist.
    ///
    /// # Errors
    /// What the medium said, where it is not known whether the file exists.
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String>;

    /// All paths, where the medium can list them; then files that do not belong are reported too.
    ///
    /// # Errors
    /// What the medium said.
    fn list(&self) -> Result<Option<Vec<String>>, String> {
        Ok(None)
    }
}

/// The hashes of a published tree of a given size, read from its tiles one by one, unverified.
pub struct TileHashes<'a> {
    files: &'a dyn LedgerFiles,
    size: u64,
}

impl std::fmt::Debug for TileHashes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TileHashes").field("size", &self.size).finish_non_exhaustive()
    }
}

impl<'a> TileHashes<'a> {
    /// The files must be those of a tree of `size` leaves.
    pub const fn new(files: &'a dyn LedgerFiles, size: u64) -> Self {
        Self { files, size }
    }
}

/// The tile that holds subtree (level, index), the height of the subtree in it, and its place
/// there.
pub(crate) struct Slot {
    pub(crate) level: u8,
    pub(crate) tile: u64,
    pub(crate) height: u8,
    pub(crate) place: usize,
}

/// Where a complete subtree stands in a tree of `size`; none where the tree does not hold it.
pub(crate) fn slot(level: u8, index: u64, size: u64) -> Option<Slot> {
    let complete = size.checked_shr(u32::from(level))?;
    if index >= complete {
        return None;
    }
    let height = level % TILE_HEIGHT;
    let first = index << height;
    let place = usize::try_from((first % 256) >> height).ok()?;
    Some(Slot { level: level / TILE_HEIGHT, tile: first / 256, height, place })
}

/// How many hashes tile level `level` of a tree of `size` has.
pub(crate) fn hashes_at(size: u64, level: u8) -> u64 {
    size.checked_shr(u32::from(level) * u32::from(TILE_HEIGHT)).unwrap_or(0)
}

impl HashReader for TileHashes<'_> {
    fn hash(&self, level: u8, index: u64) -> Result<Hash, HashError> {
        let missing = HashError::Missing { level, index };
        let unreadable = |reason: String| HashError::Unreadable { level, index, reason };
        let slot = slot(level, index, self.size).ok_or_else(|| missing.clone())?;
        let width = width_at(hashes_at(self.size, slot.level), slot.tile);
        let address = TileAddress::tree(slot.level, slot.tile, width)
            .map_err(|error| unreadable(error.to_string()))?;
        let bytes = self.files.read(&address.path()).map_err(unreadable)?;
        let bytes = bytes.ok_or_else(|| missing.clone())?;
        let hashes = decode_tile(&bytes, width).map_err(|error| unreadable(error.to_string()))?;
        within(&hashes, slot.height, slot.place).ok_or(missing)
    }
}
