//! Roots, inclusion proofs and consistency proofs of RFC 6962, made from any store of hashes and
//! checked without one (the algorithms of RFC 9162, 2.1.3 and 2.1.4).
//!
//! Not here: the text form of a proof (`proof`) and what its checkpoint must be signed by.

use crate::tree::{Hash, complete_subtrees, empty_root, fold_right, node_hash};

/// Why a hash could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// The tree is smaller than that, or its files are incomplete.
    #[error("hash of level {level}, index {index} is not in the tree; rebuild the tiles")]
    Missing {
        /// Level 0 is the leaves.
        level: u8,
        /// Index within the level.
        index: u64,
    },
    /// What holds the hashes could not be read.
    #[error("hash of level {level}, index {index} could not be read: {reason}")]
    Unreadable {
        /// Level 0 is the leaves.
        level: u8,
        /// Index within the level.
        index: u64,
        /// What the reader said.
        reason: String,
    },
    /// A proof was asked for that the tree cannot have.
    #[error("a proof for {part} in a tree of {size} cannot exist; ask within the size")]
    OutOfRange {
        /// The leaf index or the older size.
        part: u64,
        /// The size of the tree.
        size: u64,
    },
}

/// Where the hashes of complete subtrees are: level 0 holds the leaf hashes, and hash `index` of
/// level `level` covers the leaves from `index << level` on, `1 << level` of them.
pub trait HashReader {
    /// The hash of one complete subtree.
    ///
    /// # Errors
    /// [`HashError`] where the subtree is not complete or cannot be read.
    fn hash(&self, level: u8, index: u64) -> Result<Hash, HashError>;
}

/// Why a proof does not hold. Deliberately few: whoever checks a proof needs to know that it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofFault {
    /// The index or the sizes cannot go together.
    #[error("proof is for a place outside the tree")]
    OutOfRange,
    /// Too few or too many hashes.
    #[error("proof has the wrong number of hashes for this tree size")]
    WrongLength,
    /// The hashes do not lead to the root.
    #[error("proof does not lead to the root of the checkpoint")]
    WrongRoot,
}

/// The root over the first `size` leaves.
///
/// # Errors
/// The reader's.
pub fn root(reader: &dyn HashReader, size: u64) -> Result<Hash, HashError> {
    range(reader, 0, size)
}

/// The hash over the leaves `start..end` of one split.
fn range(reader: &dyn HashReader, start: u64, end: u64) -> Result<Hash, HashError> {
    let mut subtrees = Vec::new();
    for (level, index) in complete_subtrees(start, end) {
        subtrees.push(reader.hash(level, index)?);
    }
    Ok(fold_right(&subtrees).unwrap_or_else(empty_root))
}

/// The largest power of two smaller than `n`, where RFC 6962 splits; `n` is at least 2.
const fn split(n: u64) -> u64 {
    match n.saturating_sub(1).checked_ilog2() {
        Some(bits) => 1 << bits,
        None => 1,
    }
}

/// The hashes that lead from leaf `index` to the root of a tree of `size`, lowest first.
///
/// # Errors
/// [`HashError::OutOfRange`] where the leaf is not in the tree, otherwise the reader's.
pub fn inclusion_proof(
    reader: &dyn HashReader,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, HashError> {
    if index >= size {
        return Err(HashError::OutOfRange { part: index, size });
    }
    let (mut start, mut end) = (0, size);
    let mut path = Vec::new();
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            path.push(range(reader, middle, end)?);
            end = middle;
        } else {
            path.push(range(reader, start, middle)?);
            start = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The hashes that show that a tree of `new` leaves continues one of `old` leaves.
///
/// Empty for equal sizes and for `old` 0, since every tree continues the empty one.
///
/// # Errors
/// [`HashError::OutOfRange`] where `old` is larger than `new`, otherwise the reader's.
pub fn consistency_proof(
    reader: &dyn HashReader,
    old: u64,
    new: u64,
) -> Result<Vec<Hash>, HashError> {
    if old > new {
        return Err(HashError::OutOfRange { part: old, size: new });
    }
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    let (mut start, mut end) = (0, new);
    let mut path = Vec::new();
    while old < end {
        let middle = start + split(end - start);
        if old <= middle {
            path.push(range(reader, middle, end)?);
            end = middle;
        } else {
            path.push(range(reader, start, middle)?);
            start = middle;
        }
    }
    // The subtree that ends where the old tree ended is the old root itself only if it starts at 0.
    if start > 0 {
        path.push(range(reader, start, end)?);
    }
    path.reverse();
    Ok(path)
}

/// Checks that `leaf` stands at `index` in the tree of `size` with `root` (RFC 9162, 2.1.3.2).
///
/// # Errors
/// [`ProofFault`].
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    path: &[Hash],
    root: &Hash,
) -> Result<(), ProofFault> {
    if index >= size {
        return Err(ProofFault::OutOfRange);
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in path {
        if last == 0 {
            return Err(ProofFault::WrongLength);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            (node, last) = skip_missing_siblings(node, last);
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofFault::WrongLength);
    }
    if hash == *root { Ok(()) } else { Err(ProofFault::WrongRoot) }
}

/// Checks that the tree of `new` leaves continues the tree of `old` leaves (RFC 9162, 2.1.4.2).
///
/// # Errors
/// [`ProofFault`].
pub fn verify_consistency(
    old: u64,
    old_root: &Hash,
    new: u64,
    new_root: &Hash,
    path: &[Hash],
) -> Result<(), ProofFault> {
    if old > new {
        return Err(ProofFault::OutOfRange);
    }
    if old == 0 || old == new {
        let expected = if old == 0 { empty_root() } else { *new_root };
        return match path {
            [] if *old_root == expected => Ok(()),
            [] => Err(ProofFault::WrongRoot),
            _ => Err(ProofFault::WrongLength),
        };
    }
    let (mut node, mut last) = (old - 1, new - 1);
    let complete = node.trailing_ones();
    node >>= complete;
    last >>= complete;
    let (first, rest) = if old.is_power_of_two() {
        (*old_root, path)
    } else {
        let (first, rest) = path.split_first().ok_or(ProofFault::WrongLength)?;
        (*first, rest)
    };
    let (mut old_hash, mut new_hash) = (first, first);
    for sibling in rest {
        if last == 0 {
            return Err(ProofFault::WrongLength);
        }
        if node & 1 == 1 || node == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            (node, last) = skip_missing_siblings(node, last);
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofFault::WrongLength);
    }
    let holds = old_hash == *old_root && new_hash == *new_root;
    if holds { Ok(()) } else { Err(ProofFault::WrongRoot) }
}

/// Moves up past the levels at which the last node has no sibling and is promoted as it is.
const fn skip_missing_siblings(mut node: u64, mut last: u64) -> (u64, u64) {
    while node & 1 == 0 && node != 0 {
        node >>= 1;
        last >>= 1;
    }
    (node, last)
}
