//! The writing side of the published files, without writing: leaves go in, file names and bytes
//! come out, and the store puts them on disk.
//!
//! Kept in memory is the right edge alone: at most 255 leaves and 255 hashes per tile level. Not
//! here: disk, order of writes against the checkpoint (files first, then the checkpoint), signing.

use crate::files::{LedgerFiles, Slot, hashes_at, slot};
use crate::proofs::{HashError, HashReader};
use crate::tile::{
    LEAF_DATA_BYTES, TILE_HASHES_MAX, TILE_HEIGHT, TileAddress, TileError, TileLevel,
    decode_bundle, decode_tile, encode_bundle, encode_tile, width_at, within,
};
use crate::tree::{Hash, complete_subtrees, empty_root, fold_right, leaf_hash};
use crate::{TileHashes, tile::TILE_LEVEL_MAX};

/// Why the right edge could not be taken up again from files.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublicationError {
    /// A file of the right edge is not there.
    #[error("ledger file {0} is missing; rebuild the files from the entries")]
    Missing(String),
    /// A file could not be read.
    #[error("ledger file {path} could not be read: {reason}")]
    Unreadable {
        /// Which.
        path: String,
        /// What the medium said.
        reason: String,
    },
    /// A file is not what its name says.
    #[error("ledger file {path} is damaged: {fault}; rebuild the files from the entries")]
    Damaged {
        /// Which.
        path: String,
        /// How.
        fault: TileError,
    },
    /// The files are well formed and belong to another tree.
    #[error(
        "ledger files do not lead to the root of the checkpoint; rebuild them from the entries"
    )]
    WrongRoot,
    /// The address arithmetic refused the size.
    #[error("ledger size cannot occur: {0}")]
    Size(#[from] TileError),
}

/// One file to write: whole, never appended to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TileFile {
    /// Relative to the ledger's directory.
    pub path: String,
    /// All of it.
    pub bytes: Vec<u8>,
    /// For a full file: the directory of its partial forms, which may be removed once a checkpoint
    /// that covers this file is durable. Until then they belong to earlier checkpoints.
    pub supersedes: Option<String>,
}

/// The right edge of a ledger and the files that are due.
#[derive(Debug, Clone, Default)]
pub struct Publication {
    size: u64,
    /// All files of the tree of this size are known to be on disk.
    written: u64,
    bundle: Vec<[u8; LEAF_DATA_BYTES]>,
    /// The partial tile of each level.
    edge: Vec<Vec<Hash>>,
    /// Full files since the last [`Self::mark_written`].
    full: Vec<(TileAddress, Vec<u8>)>,
}

impl Publication {
    /// An empty ledger.
    pub fn new() -> Self {
        Self::default()
    }

    /// Rebuilt from all leaf data in order, where the files of the first `written` leaves are known
    /// to be on disk; 0 makes every file due again.
    pub fn from_leaf_data(
        leaves: impl IntoIterator<Item = [u8; LEAF_DATA_BYTES]>,
        written: u64,
    ) -> Self {
        let mut publication = Self::new();
        for leaf in leaves {
            publication.append(leaf);
            if publication.size <= written {
                publication.mark_written();
            }
        }
        publication
    }

    /// Taken up again from the files of a tree of `size` leaves with this `root`, which comes from
    /// a verified checkpoint.
    ///
    /// # Errors
    /// [`PublicationError`]; the remedy is always [`Self::from_leaf_data`].
    pub fn from_files(
        files: &dyn LedgerFiles,
        size: u64,
        root: &Hash,
    ) -> Result<Self, PublicationError> {
        let mut publication = Self { size, written: size, ..Self::default() };
        for level in 0..=TILE_LEVEL_MAX {
            let hashes = hashes_at(size, level);
            let (index, width) = (hashes / 256, width_at(hashes, hashes / 256));
            let mut row = Vec::new();
            if width > 0 {
                let address = TileAddress::tree(level, index, width)?;
                row = read_as(files, &address, decode_tile)?;
            }
            publication.edge.push(row);
        }
        let width = width_at(size, size / 256);
        if width > 0 {
            let address = TileAddress::entries(size / 256, width)?;
            publication.bundle = read_as(files, &address, decode_bundle)?;
        }
        let from_leaves = publication.bundle.iter().map(|leaf| leaf_hash(leaf));
        let level_zero = publication.edge.first().into_iter().flatten().copied();
        if !from_leaves.eq(level_zero) || publication.root() != *root {
            return Err(PublicationError::WrongRoot);
        }
        Ok(publication)
    }

    /// Adds the data of one leaf: a commitment.
    pub fn append(&mut self, data: [u8; LEAF_DATA_BYTES]) {
        self.bundle.push(data);
        self.size = self.size.saturating_add(1);
        if self.bundle.len() == usize::from(TILE_HASHES_MAX) {
            let leaves = std::mem::take(&mut self.bundle);
            self.completed(TileLevel::Entries, 0, encode_bundle(&leaves));
        }
        let mut hash = leaf_hash(&data);
        for level in 0..=TILE_LEVEL_MAX {
            if self.edge.len() <= usize::from(level) {
                self.edge.push(Vec::new());
            }
            let Some(row) = self.edge.get_mut(usize::from(level)) else { return };
            row.push(hash);
            if row.len() < usize::from(TILE_HASHES_MAX) {
                return;
            }
            let hashes = std::mem::take(row);
            let Some(parent) = within(&hashes, TILE_HEIGHT, 0) else { return };
            self.completed(TileLevel::Tree(level), level, encode_tile(&hashes));
            hash = parent;
        }
    }

    fn completed(&mut self, kind: TileLevel, level: u8, bytes: Vec<u8>) {
        let index = (hashes_at(self.size, level) / 256).saturating_sub(1);
        let address = match kind {
            TileLevel::Entries => TileAddress::entries(index, TILE_HASHES_MAX),
            TileLevel::Tree(level) => TileAddress::tree(level, index, TILE_HASHES_MAX),
        };
        // The width is always full and the level within bounds, so the address always exists.
        self.full.extend(address.map(|address| (address, bytes)));
    }

    /// Leaves so far.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The size up to which files are known to be on disk.
    pub const fn written(&self) -> u64 {
        self.written
    }

    /// The root over all leaves so far: what the next checkpoint says.
    pub fn root(&self) -> Hash {
        let subtrees: Vec<Hash> = complete_subtrees(0, self.size)
            .into_iter()
            .filter_map(|(level, index)| self.in_edge(&slot(level, index, self.size)?))
            .collect();
        fold_right(&subtrees).unwrap_or_else(empty_root)
    }

    /// The files a checkpoint of the present size needs and that are not yet on disk: full ones
    /// first, then the changed partial ones. To be written, and synced, before that checkpoint.
    pub fn files(&self) -> Vec<TileFile> {
        let full = self.full.iter().map(|(address, bytes)| TileFile {
            path: address.path(),
            bytes: bytes.clone(),
            supersedes: Some(address.partial_directory()),
        });
        let mut files: Vec<TileFile> = full.collect();
        files.extend(self.partial(TileLevel::Entries, 0, || encode_bundle(&self.bundle)));
        for (level, row) in (0..=TILE_LEVEL_MAX).zip(&self.edge) {
            files.extend(self.partial(TileLevel::Tree(level), level, || encode_tile(row)));
        }
        files
    }

    fn partial(
        &self,
        kind: TileLevel,
        level: u8,
        bytes: impl FnOnce() -> Vec<u8>,
    ) -> Option<TileFile> {
        let hashes = hashes_at(self.size, level);
        if hashes == hashes_at(self.written, level) {
            return None;
        }
        let (index, width) = (hashes / 256, width_at(hashes, hashes / 256));
        let address = match kind {
            TileLevel::Entries => TileAddress::entries(index, width),
            TileLevel::Tree(level) => TileAddress::tree(level, index, width),
        };
        // A width of 0 is no address: empty tiles are not published.
        let address = address.ok()?;
        Some(TileFile { path: address.path(), bytes: bytes(), supersedes: None })
    }

    /// The full files so far, taken out, for whoever compares instead of writing.
    pub(crate) fn take_full(&mut self) -> Vec<(TileAddress, Vec<u8>)> {
        std::mem::take(&mut self.full)
    }

    /// Everything [`Self::files`] named is on disk.
    pub fn mark_written(&mut self) {
        self.full.clear();
        self.written = self.size;
    }

    /// All hashes of the tree: the edge from memory, the rest from the files on disk.
    pub const fn with_files<'a>(&'a self, files: &'a dyn LedgerFiles) -> PublishedHashes<'a> {
        PublishedHashes { publication: self, files: TileHashes::new(files, self.size) }
    }

    fn in_edge(&self, slot: &Slot) -> Option<Hash> {
        if slot.tile != hashes_at(self.size, slot.level) / 256 {
            return None;
        }
        within(self.edge.get(usize::from(slot.level))?, slot.height, slot.place)
    }

    fn in_full(&self, slot: &Slot) -> Option<Hash> {
        let address = TileAddress::tree(slot.level, slot.tile, TILE_HASHES_MAX).ok()?;
        let (_, bytes) = self.full.iter().find(|(full, _)| *full == address)?;
        within(&decode_tile(bytes, TILE_HASHES_MAX).ok()?, slot.height, slot.place)
    }
}

/// Serves what is in memory: the right edge, which suffices for every root, and the full tiles not
/// yet marked as written.
impl HashReader for Publication {
    fn hash(&self, level: u8, index: u64) -> Result<Hash, HashError> {
        slot(level, index, self.size)
            .and_then(|slot| self.in_edge(&slot).or_else(|| self.in_full(&slot)))
            .ok_or(HashError::Missing { level, index })
    }
}

/// The hashes of a ledger that is being written: memory before files.
#[derive(Debug)]
pub struct PublishedHashes<'a> {
    publication: &'a Publication,
    files: TileHashes<'a>,
}

impl HashReader for PublishedHashes<'_> {
    fn hash(&self, level: u8, index: u64) -> Result<Hash, HashError> {
        self.publication.hash(level, index).or_else(|_| self.files.hash(level, index))
    }
}

fn read_as<T>(
    files: &dyn LedgerFiles,
    address: &TileAddress,
    decode: fn(&[u8], u16) -> Result<Vec<T>, TileError>,
) -> Result<Vec<T>, PublicationError> {
    let path = address.path();
    match files.read(&path) {
        Ok(Some(bytes)) => decode(&bytes, address.width())
            .map_err(|fault| PublicationError::Damaged { path, fault }),
        Ok(None) => Err(PublicationError::Missing(path)),
        Err(reason) => Err(PublicationError::Unreadable { path, reason }),
    }
}
