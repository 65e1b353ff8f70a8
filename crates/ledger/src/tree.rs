//! The Merkle tree of RFC 6962: hashes, the frontier that grows it, and a whole tree in memory.
//!
//! Not here: proofs (`proofs`), files (`tile`). The frontier keeps one hash per set bit of the
//! size, so that appending costs O(log n) and a ledger of any age is extended from about twenty
//! hashes.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::proofs::{HashError, HashReader};

/// One SHA-256 value: a leaf hash, a subtree hash or a root.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The 64 lower-case hexadecimal digits.
    pub fn hex(&self) -> String {
        hex(&self.0)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({})", self.hex())
    }
}

/// Lower-case hexadecimal, two digits per byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The root of the tree without leaves: the hash of nothing (RFC 6962, 2.1).
pub fn empty_root() -> Hash {
    Hash(Sha256::digest([]).into())
}

/// The hash of one leaf. The prefix 0x00 keeps leaves and nodes apart (RFC 6962, 2.1).
pub fn leaf_hash(data: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([0x00]);
    hasher.update(data);
    Hash(hasher.finalize().into())
}

/// The hash of a node over its two children, with the prefix 0x01 (RFC 6962, 2.1).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([0x01]);
    hasher.update(left.0);
    hasher.update(right.0);
    Hash(hasher.finalize().into())
}

/// The right edge of an append-only tree: the complete subtrees that make up its size, largest
/// first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    subtrees: Vec<Hash>,
}

impl Frontier {
    /// The frontier of the empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// The frontier of a tree that is already published.
    ///
    /// # Errors
    /// The reader's, where it lacks one of the subtrees.
    pub fn from_reader(reader: &dyn HashReader, size: u64) -> Result<Self, HashError> {
        let mut subtrees = Vec::new();
        for (level, index) in complete_subtrees(0, size) {
            subtrees.push(reader.hash(level, index)?);
        }
        Ok(Self { size, subtrees })
    }

    /// Adds one leaf hash at the right.
    pub fn append(&mut self, leaf: Hash) {
        let mut hash = leaf;
        // Each trailing one bit of the old size is a complete subtree that now has its sibling.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.subtrees.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.subtrees.push(hash);
        self.size = self.size.saturating_add(1);
    }

    /// How many leaves the tree has.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root over all leaves so far.
    pub fn root(&self) -> Hash {
        fold_right(&self.subtrees).unwrap_or_else(empty_root)
    }
}

/// Joins complete subtrees, largest first, as RFC 6962 splits them; none for no subtrees.
pub(crate) fn fold_right(subtrees: &[Hash]) -> Option<Hash> {
    let mut rest = subtrees.iter().rev();
    let last = *rest.next()?;
    Some(rest.fold(last, |right, left| node_hash(left, &right)))
}

/// The complete subtrees (level, index) that make up the leaves `start..end`, left to right.
///
/// `start` must be a multiple of the power of two that the first of them spans; every split of
/// RFC 6962 makes such ranges.
pub(crate) fn complete_subtrees(start: u64, end: u64) -> Vec<(u8, u64)> {
    let mut found = Vec::new();
    let mut at = start;
    while at < end {
        let level = (end - at).ilog2();
        found.push((u8::try_from(level).unwrap_or(u8::MAX), at >> level));
        at += 1 << level;
    }
    found
}

/// A whole tree in memory, every complete subtree of it: for tests, the lab and small ledgers.
#[derive(Clone, Debug, Default)]
pub struct MemoryTree {
    levels: Vec<Vec<Hash>>,
}

impl MemoryTree {
    /// The empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one leaf hash at the right.
    pub fn append(&mut self, leaf: Hash) {
        let mut hash = leaf;
        let mut level = 0;
        loop {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let Some(row) = self.levels.get_mut(level) else { return };
            let left = row.last().copied().filter(|_| row.len() % 2 == 1);
            row.push(hash);
            let Some(left) = left else { return };
            hash = node_hash(&left, &hash);
            level += 1;
        }
    }

    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |row| row.len() as u64)
    }
}

impl HashReader for MemoryTree {
    fn hash(&self, level: u8, index: u64) -> Result<Hash, HashError> {
        let row = self.levels.get(usize::from(level));
        let place = usize::try_from(index).ok();
        row.zip(place)
            .and_then(|(row, place)| row.get(place))
            .copied()
            .ok_or(HashError::Missing { level, index })
    }
}
