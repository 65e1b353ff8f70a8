//! The published pieces of the tree: names and bytes of tiles and entry bundles (C2SP tlog-tiles).
//!
//! A tile is up to 256 consecutive hashes of one level in eight, an entry bundle the data of up to
//! 256 leaves. Not here: reading and writing them as files (`files`, `publication`).

use crate::tree::{Hash, node_hash};

/// Hashes in a full tile: fixed by tlog-tiles.
pub const TILE_HASHES_MAX: u16 = 256;

/// Bytes of leaf data: one commitment. Every leaf of our ledgers is that long.
pub const LEAF_DATA_BYTES: usize = 32;

/// Tree levels one tile spans: a full tile of 256 hashes becomes one hash eight levels up.
pub const TILE_HEIGHT: u8 = 8;

/// The highest tile level that 64-bit sizes can reach; tlog-tiles itself allows 63.
pub const TILE_LEVEL_MAX: u8 = 7;

/// Why bytes or names are not those of a tile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    /// The level cannot occur.
    #[error("tile level {0} cannot occur; levels run from 0 to 7")]
    Level(u8),
    /// The width cannot occur.
    #[error("tile width {0} cannot occur; widths run from 1 to 256")]
    Width(u16),
    /// The name is not in the form of tlog-tiles.
    #[error("path is not that of a tile or entry bundle; use tile/<level>/<index>[.p/<width>]")]
    Path,
    /// The file is longer or shorter than its name says.
    #[error("file holds {found} bytes where its width asks for {expected}")]
    Length {
        /// Bytes the width asks for.
        expected: usize,
        /// Bytes there are.
        found: usize,
    },
    /// One entry of a bundle is not one commitment long.
    #[error("entry {0} of the bundle is not 32 bytes long")]
    LeafLength(usize),
}

/// Which kind of hash or data a published file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TileLevel {
    /// `tile/entries/…`: leaf data.
    Entries,
    /// `tile/<L>/…`: hashes of the subtrees of 256^L leaves.
    Tree(u8),
}

/// The place of one published file: level, index in the level, and how many hashes it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileAddress {
    level: TileLevel,
    index: u64,
    width: u16,
}

impl TileAddress {
    /// A tile of hashes.
    ///
    /// # Errors
    /// [`TileError::Level`], [`TileError::Width`].
    pub const fn tree(level: u8, index: u64, width: u16) -> Result<Self, TileError> {
        if level > TILE_LEVEL_MAX {
            return Err(TileError::Level(level));
        }
        Self::of(TileLevel::Tree(level), index, width)
    }

    /// An entry bundle.
    ///
    /// # Errors
    /// [`TileError::Width`].
    pub const fn entries(index: u64, width: u16) -> Result<Self, TileError> {
        Self::of(TileLevel::Entries, index, width)
    }

    const fn of(level: TileLevel, index: u64, width: u16) -> Result<Self, TileError> {
        if width == 0 || width > TILE_HASHES_MAX {
            return Err(TileError::Width(width));
        }
        Ok(Self { level, index, width })
    }

    /// Tree level or entries.
    pub const fn level(&self) -> TileLevel {
        self.level
    }

    /// Index within the level.
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// Hashes or entries held, 1 to 256.
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// Whether it will never change again.
    pub const fn is_full(&self) -> bool {
        self.width == TILE_HASHES_MAX
    }

    /// The number of leaves a tree must have before this file can exist; none beyond 64 bits.
    pub const fn leaves_needed(&self) -> Option<u64> {
        let shift = match self.level {
            TileLevel::Entries => 0,
            TileLevel::Tree(level) => TILE_HEIGHT as u32 * level as u32,
        };
        let Some(before) = self.index.checked_mul(TILE_HASHES_MAX as u64) else { return None };
        let Some(hashes) = before.checked_add(self.width as u64) else { return None };
        if shift >= u64::BITS || hashes > (u64::MAX >> shift) {
            None
        } else {
            Some(hashes << shift)
        }
    }

    /// The file name, relative to the ledger: `tile/0/x001/067` or `tile/entries/000.p/17`.
    pub fn path(&self) -> String {
        if self.is_full() {
            self.full_path()
        } else {
            format!("{}/{}", self.partial_directory(), self.width)
        }
    }

    /// The directory in which the partial forms of this file stand, obsolete once it is full.
    pub fn partial_directory(&self) -> String {
        format!("{}.p", self.full_path())
    }

    fn full_path(&self) -> String {
        let mut groups = format!("{:03}", self.index % 1000);
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups = format!("x{:03}/{groups}", rest % 1000);
            rest /= 1000;
        }
        match self.level {
            TileLevel::Entries => format!("tile/entries/{groups}"),
            TileLevel::Tree(level) => format!("tile/{level}/{groups}"),
        }
    }

    /// Reads a file name; only the one canonical form of each address is accepted.
    ///
    /// # Errors
    /// [`TileError::Path`].
    pub fn parse(path: &str) -> Result<Self, TileError> {
        let rest = path.strip_prefix("tile/").ok_or(TileError::Path)?;
        let (level, rest) = rest.split_once('/').ok_or(TileError::Path)?;
        let (groups, width) = match rest.split_once(".p/") {
            Some((groups, width)) => (groups, width.parse().map_err(|_| TileError::Path)?),
            None => (rest, TILE_HASHES_MAX),
        };
        let mut index: u64 = 0;
        for group in groups.split('/') {
            let digits = group.strip_prefix('x').unwrap_or(group);
            let value: u64 = digits.parse().map_err(|_| TileError::Path)?;
            let shifted = index.checked_mul(1000).and_then(|index| index.checked_add(value));
            index = shifted.ok_or(TileError::Path)?;
        }
        let address = if level == "entries" {
            Self::entries(index, width)
        } else {
            Self::tree(level.parse().map_err(|_| TileError::Path)?, index, width)
        }
        .map_err(|_| TileError::Path)?;
        // Comparing with our own spelling refuses leading zeros, missing x and a partial of 256.
        if address.path() == path { Ok(address) } else { Err(TileError::Path) }
    }
}

/// Every file that a tree of `size` leaves consists of, besides its checkpoint: entry bundles, then
/// tiles from the lowest level up.
pub fn addresses(size: u64) -> impl Iterator<Item = TileAddress> {
    let bundles = level_addresses(TileLevel::Entries, size);
    let tiles = (0..=TILE_LEVEL_MAX).flat_map(move |level| {
        level_addresses(TileLevel::Tree(level), size >> (u32::from(level) * 8))
    });
    bundles.chain(tiles)
}

fn level_addresses(level: TileLevel, hashes: u64) -> impl Iterator<Item = TileAddress> {
    (0..hashes.div_ceil(u64::from(TILE_HASHES_MAX))).map(move |index| TileAddress {
        level,
        index,
        width: width_at(hashes, index),
    })
}

/// How wide tile `index` of a level with `hashes` hashes is; 0 where it does not exist yet.
pub(crate) fn width_at(hashes: u64, index: u64) -> u16 {
    let before = index.saturating_mul(u64::from(TILE_HASHES_MAX));
    let left = hashes.saturating_sub(before);
    u16::try_from(left).unwrap_or(TILE_HASHES_MAX).min(TILE_HASHES_MAX)
}

/// The bytes of a tile.
pub fn encode_tile(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// Reads the bytes of a tile of `width` hashes.
///
/// # Errors
/// [`TileError::Length`].
pub fn decode_tile(bytes: &[u8], width: u16) -> Result<Vec<Hash>, TileError> {
    let (chunks, rest) = bytes.as_chunks::<32>();
    if chunks.len() != usize::from(width) || !rest.is_empty() {
        return Err(TileError::Length { expected: usize::from(width) * 32, found: bytes.len() });
    }
    Ok(chunks.iter().copied().map(Hash).collect())
}

/// Bytes of one leaf in a bundle: the length in two bytes, then the commitment.
const BUNDLE_LEAF_BYTES: usize = 2 + LEAF_DATA_BYTES;

/// The bytes of an entry bundle.
pub fn encode_bundle(leaves: &[[u8; LEAF_DATA_BYTES]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(leaves.len() * BUNDLE_LEAF_BYTES);
    for leaf in leaves {
        // 32, big-endian in two bytes.
        bytes.extend_from_slice(&[0, 32]);
        bytes.extend_from_slice(leaf);
    }
    bytes
}

/// Reads the bytes of an entry bundle of `width` leaves.
///
/// # Errors
/// [`TileError::Length`], [`TileError::LeafLength`].
pub fn decode_bundle(bytes: &[u8], width: u16) -> Result<Vec<[u8; LEAF_DATA_BYTES]>, TileError> {
    let (chunks, rest) = bytes.as_chunks::<BUNDLE_LEAF_BYTES>();
    if chunks.len() != usize::from(width) || !rest.is_empty() {
        let expected = usize::from(width) * BUNDLE_LEAF_BYTES;
        return Err(TileError::Length { expected, found: bytes.len() });
    }
    let mut leaves = Vec::with_capacity(chunks.len());
    for (place, chunk) in chunks.iter().enumerate() {
        let data = chunk.strip_prefix(&[0, 32]).and_then(|data| data.try_into().ok());
        leaves.push(data.ok_or(TileError::LeafLength(place))?);
    }
    Ok(leaves)
}

/// The hash `height` levels above the hashes of a tile: the `place`-th run of `1 << height` of
/// them.
pub(crate) fn within(hashes: &[Hash], height: u8, place: usize) -> Option<Hash> {
    let run = 1_usize.checked_shl(u32::from(height))?;
    let start = place.checked_mul(run)?;
    let mut row = hashes.get(start..start.checked_add(run)?)?.to_vec();
    while row.len() > 1 {
        row = row.as_chunks::<2>().0.iter().map(|[left, right]| node_hash(left, right)).collect();
    }
    row.first().copied()
}
