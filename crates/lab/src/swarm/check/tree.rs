//! A Merkle tree and its proofs, written once more from RFC 6962 section 2.1 and RFC 9162 section
//! 2.1.3.2, over SHA-256 alone: what the ledgers publish is held against it. Nothing of `ledger`.

use sha2::{Digest as _, Sha256};

/// A node's hash.
pub(super) type Hash = [u8; 32];

/// What stands before an entry in its commitment.
const DOMAIN: &[u8] = b"jukinet/1 entry\n";

/// Block of SHA-256, for HMAC (RFC 2104).
const BLOCK_BYTES: usize = 64;

fn hash(parts: &[&[u8]]) -> Hash {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

fn node(left: &Hash, right: &Hash) -> Hash {
    hash(&[&[1], left, right])
}

/// HMAC-SHA-256 of the entry under its salt, by RFC 2104; then the leaf hash of RFC 6962.
pub(super) fn leaf(salt: &[u8; 32], entry: &[u8]) -> Hash {
    let mut inner = [0x36_u8; BLOCK_BYTES];
    let mut outer = [0x5c_u8; BLOCK_BYTES];
    for ((inner, outer), byte) in inner.iter_mut().zip(&mut outer).zip(salt) {
        *inner ^= byte;
        *outer ^= byte;
    }
    let first = hash(&[&inner, DOMAIN, entry]);
    let committed = hash(&[&outer, &first]);
    hash(&[&[0], &committed])
}

/// A tree that only grows: the roots of its whole subtrees, largest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Growing {
    size: u64,
    /// (levels, hash), each half the size of the one before it or smaller.
    whole: Vec<(u32, Hash)>,
}

impl Growing {
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn push(&mut self, leaf: Hash) {
        let (mut level, mut right) = (0, leaf);
        while let Some((_, left)) = self.whole.pop_if(|(left, _)| *left == level) {
            right = node(&left, &right);
            level += 1;
        }
        self.whole.push((level, right));
        self.size += 1;
    }

    pub(super) fn root(&self) -> Hash {
        let mut parts = self.whole.iter().rev().map(|(_, hash)| *hash);
        let Some(last) = parts.next() else { return hash(&[]) };
        parts.fold(last, |right, left| node(&left, &right))
    }
}

/// The root that a leaf and its inclusion proof lead to (RFC 9162 2.1.3.2); `None` when the proof
/// has not the length that index and size ask for.
pub(super) fn root_from(leaf: Hash, index: u64, size: u64, proof: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut first, mut last, mut root) = (index, size - 1, leaf);
    for hash in proof {
        if last == 0 {
            return None;
        }
        if first & 1 == 1 || first == last {
            root = node(hash, &root);
            while first & 1 == 0 && first != 0 {
                first >>= 1;
                last >>= 1;
            }
        } else {
            root = node(&root, hash);
        }
        first >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole tree from its leaves, as RFC 6962 defines it.
    fn whole(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => hash(&[]),
            [one] => *one,
            _ => {
                let half = leaves.len().next_power_of_two() / 2;
                let (left, right) = leaves.split_at(half);
                node(&whole(left), &whole(right))
            }
        }
    }

    fn path(leaves: &[Hash], index: usize) -> Vec<Hash> {
        if leaves.len() < 2 {
            return Vec::new();
        }
        let half = leaves.len().next_power_of_two() / 2;
        let (left, right) = leaves.split_at(half);
        let (mut inside, beside) = if index < half {
            (path(left, index), whole(right))
        } else {
            (path(right, index - half), whole(left))
        };
        inside.push(beside);
        inside
    }

    #[test]
    fn a_growing_tree_is_the_tree_of_its_leaves_and_proofs_lead_to_its_root() {
        let leaves: Vec<Hash> = (0..40_u8).map(|n| leaf(&[n; 32], &[n])).collect();
        let mut growing = Growing::default();
        assert_eq!(growing.root(), whole(&[]));
        for count in 1..=leaves.len() {
            growing.push(leaves[count - 1]);
            assert_eq!(growing.root(), whole(&leaves[..count]));
            for index in 0..count {
                let proof = path(&leaves[..count], index);
                let (at, size) = (index as u64, count as u64);
                assert_eq!(root_from(leaves[index], at, size, &proof), Some(growing.root()));
                let longer = [proof.clone(), vec![[0; 32]]].concat();
                assert_eq!(root_from(leaves[index], at, size, &longer), None);
                if count > 1 {
                    let other = (index + 1) % count;
                    let root = root_from(leaves[other], at, size, &proof);
                    assert_ne!(root, Some(growing.root()));
                }
            }
        }
        assert_eq!(root_from(leaves[0], 3, 3, &[]), None);
    }
}
