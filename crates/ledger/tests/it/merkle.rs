//! The tree against the published vectors of RFC 6962 and against its own recursive definition.
//!
//! Not here: files and signatures.

use ledger::{
    Frontier, Hash, MemoryTree, ProofFault, consistency_proof, empty_root, inclusion_proof,
    leaf_hash, root, verify_consistency, verify_inclusion,
};
use proptest::prelude::*;

use crate::support::{leaf, naive_root};

/// The inputs of the reference tests of Certificate Transparency.
const INPUTS: [&[u8]; 8] = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
];

/// Their roots at the sizes 1 to 8.
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn tree_of(size: u64) -> (MemoryTree, Vec<Hash>) {
    let hashes: Vec<Hash> = (0..size).map(|index| leaf_hash(&leaf(index))).collect();
    let mut tree = MemoryTree::new();
    hashes.iter().for_each(|hash| tree.append(*hash));
    (tree, hashes)
}

fn flipped(hash: Hash, bit: usize) -> Hash {
    let mut bytes = hash.0;
    bytes[bit / 8 % 32] ^= 1 << (bit % 8);
    Hash(bytes)
}

#[test]
fn published_roots_come_out() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(empty_root().hex(), empty);
    assert_eq!(Frontier::new().root().hex(), empty);
    let (mut frontier, mut tree) = (Frontier::new(), MemoryTree::new());
    for (input, expected) in INPUTS.iter().zip(ROOTS) {
        frontier.append(leaf_hash(input));
        tree.append(leaf_hash(input));
        assert_eq!(frontier.root().hex(), expected);
        assert_eq!(root(&tree, tree.size()).unwrap().hex(), expected);
    }
}

#[test]
fn every_size_agrees_with_the_definition() {
    let (tree, hashes) = tree_of(300);
    let mut frontier = Frontier::new();
    for size in 0..=300 {
        let expected = naive_root(&hashes[..size]);
        let size = size as u64;
        assert_eq!(root(&tree, size).unwrap(), expected, "size {size}");
        assert_eq!(frontier.root(), expected, "size {size}");
        assert_eq!(Frontier::from_reader(&tree, size).unwrap(), frontier);
        if let Some(hash) = hashes.get(frontier.size() as usize) {
            frontier.append(*hash);
        }
    }
}

#[test]
fn every_small_proof_holds_and_no_other_does() {
    let (tree, hashes) = tree_of(34);
    for size in 1..=34_u64 {
        let head = root(&tree, size).unwrap();
        for index in 0..size {
            let path = inclusion_proof(&tree, index, size).unwrap();
            for other in 0..size + 2 {
                let held = verify_inclusion(&hashes[index as usize], other, size, &path, &head);
                assert_eq!(held.is_ok(), other == index, "{index} {other} of {size}");
            }
            assert!(inclusion_proof(&tree, size, size).is_err());
            let longer: Vec<Hash> = path.iter().copied().chain([head]).collect();
            let mut others = vec![longer];
            others.extend(path.split_last().map(|(_, shorter)| shorter.to_vec()));
            for other in others {
                let held = verify_inclusion(&hashes[index as usize], index, size, &other, &head);
                assert_eq!(held, Err(ProofFault::WrongLength));
            }
        }
        for old in 0..=size {
            let path = consistency_proof(&tree, old, size).unwrap();
            let old_head = root(&tree, old).unwrap();
            assert_eq!(verify_consistency(old, &old_head, size, &head, &path), Ok(()));
            let longer: Vec<Hash> = path.iter().copied().chain([head]).collect();
            assert!(verify_consistency(old, &old_head, size, &head, &longer).is_err());
            if let Some((_, shorter)) = path.split_last() {
                assert!(verify_consistency(old, &old_head, size, &head, shorter).is_err());
            }
        }
        assert!(consistency_proof(&tree, size + 1, size).is_err());
        assert!(verify_consistency(size + 1, &head, size, &head, &[]).is_err());
    }
}

#[test]
fn an_empty_tree_is_continued_only_from_the_empty_root() {
    let (tree, _) = tree_of(5);
    let head = root(&tree, 5).unwrap();
    assert!(verify_consistency(0, &empty_root(), 5, &head, &[]).is_ok());
    assert!(verify_consistency(0, &head, 5, &head, &[]).is_err());
    assert!(verify_consistency(5, &empty_root(), 5, &head, &[]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn one_flipped_bit_breaks_an_inclusion_proof(
        size in 1_u64..700, pick in any::<u64>(), place in any::<usize>(), bit in 0_usize..256
    ) {
        let (tree, hashes) = tree_of(size);
        let index = pick % size;
        let head = root(&tree, size).unwrap();
        let mut path = inclusion_proof(&tree, index, size).unwrap();
        let leaf = hashes[index as usize];
        prop_assert_eq!(verify_inclusion(&leaf, index, size, &path, &head), Ok(()));
        prop_assert!(verify_inclusion(&flipped(leaf, bit), index, size, &path, &head).is_err());
        prop_assert!(verify_inclusion(&leaf, index, size, &path, &flipped(head, bit)).is_err());
        let moved = index ^ (1 << (bit % 64));
        prop_assert!(verify_inclusion(&leaf, moved, size, &path, &head).is_err());
        if !path.is_empty() {
            let at = place % path.len();
            path[at] = flipped(path[at], bit);
            prop_assert!(verify_inclusion(&leaf, index, size, &path, &head).is_err());
        }
    }

    #[test]
    fn one_flipped_bit_breaks_a_consistency_proof(
        new in 1_u64..700, pick in any::<u64>(), place in any::<usize>(), bit in 0_usize..256
    ) {
        let (tree, _) = tree_of(new);
        let old = pick % (new + 1);
        let (first, second) = (root(&tree, old).unwrap(), root(&tree, new).unwrap());
        let mut path = consistency_proof(&tree, old, new).unwrap();
        prop_assert_eq!(verify_consistency(old, &first, new, &second, &path), Ok(()));
        let wrong = flipped(first, bit);
        prop_assert!(verify_consistency(old, &wrong, new, &second, &path).is_err());
        if old > 0 {
            let wrong = flipped(second, bit);
            prop_assert!(verify_consistency(old, &first, new, &wrong, &path).is_err());
        }
        if !path.is_empty() {
            let at = place % path.len();
            path[at] = flipped(path[at], bit);
            prop_assert!(verify_consistency(old, &first, new, &second, &path).is_err());
        }
    }
}

/// Sizes come from checkpoints and proofs that strangers hand over.
#[test]
fn the_largest_sizes_are_refused_without_overflow() {
    let (tree, hashes) = tree_of(1);
    let path = vec![hashes[0]; 64];
    for (index, size) in [(0, u64::MAX), (u64::MAX - 1, u64::MAX), (u64::MAX, u64::MAX), (0, 0)] {
        assert!(verify_inclusion(&hashes[0], index, size, &path, &hashes[0]).is_err());
        assert!(verify_consistency(index, &hashes[0], size, &hashes[0], &path).is_err());
        assert!(inclusion_proof(&tree, index, size).is_err());
    }
    assert!(consistency_proof(&tree, u64::MAX - 1, u64::MAX).is_err());
    assert!(root(&tree, u64::MAX).is_err());
}
