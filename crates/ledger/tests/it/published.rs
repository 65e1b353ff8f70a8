//! The published files as they grow: names, partial tiles, taking up again after a crash.
//!
//! Not here: damage (`damage`).

use ledger::publication::PublicationError;
use ledger::tile::{
    TileAddress, TileError, TileLevel, addresses, decode_bundle, decode_tile, encode_bundle,
    encode_tile,
};
use ledger::{
    HashReader, MemoryTree, Publication, TileHashes, consistency_proof, inclusion_proof, leaf_hash,
    root, verify_consistency, verify_inclusion,
};
use proptest::prelude::*;

use crate::support::{MapFiles, TestSigner, leaf, leaves, ledger_of, write};

#[test]
fn paths_are_those_of_the_specification() {
    let path = |level, index, width| TileAddress::tree(level, index, width).unwrap().path();
    assert_eq!(path(0, 1_234_067, 256), "tile/0/x001/x234/067");
    assert_eq!(path(0, 1067, 256), "tile/0/x001/067");
    assert_eq!(path(1, 0, 1), "tile/1/000.p/1");
    assert_eq!(path(0, 273, 112), "tile/0/273.p/112");
    assert_eq!(
        TileAddress::entries(1_000_000, 255).unwrap().path(),
        "tile/entries/x001/x000/000.p/255"
    );
    for (level, index, width) in [(0, 0, 0), (0, 0, 257), (8, 0, 1)] {
        assert!(TileAddress::tree(level, index, width).is_err());
    }
}

#[test]
fn a_tree_of_70000_has_the_tiles_the_specification_counts() {
    let of = |level| addresses(70_000).filter(move |tile| tile.level() == TileLevel::Tree(level));
    assert_eq!(of(0).filter(TileAddress::is_full).count(), 273);
    assert_eq!(of(0).last().map(|tile| tile.width()), Some(112));
    assert_eq!(of(1).map(|tile| tile.width()).collect::<Vec<_>>(), [256, 17]);
    assert_eq!(of(2).map(|tile| tile.width()).collect::<Vec<_>>(), [1]);
    assert_eq!(of(3).count(), 0);
    assert_eq!(addresses(70_000).filter(|tile| tile.level() == TileLevel::Entries).count(), 274);
    assert!(addresses(70_000).all(|tile| tile.leaves_needed().unwrap() <= 70_000));
    assert_eq!(
        addresses(256).map(|tile| tile.path()).collect::<Vec<_>>(),
        ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]
    );
    assert_eq!(addresses(0).count(), 0);
}

#[test]
fn only_canonical_paths_are_read() {
    for path in [
        "tile/0/0",
        "tile/0/0000",
        "tile/00/000",
        "tile/0/x000/001",
        "tile/0/001/067",
        "tile/0/x001/x067",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/8/000",
        "tile/64/000",
        "tile/+0/000",
        "tile/0/+01",
        "tile//000",
        "tile/0/",
        "tile/0/000.p/",
        "tile/0/000.p/1/2",
        "checkpoint",
        "/tile/0/000",
        "tile/0/000 ",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
        "tile/entries/000.p/1.tmp",
        "",
    ] {
        assert_eq!(TileAddress::parse(path), Err(TileError::Path), "{path}");
    }
}

#[test]
fn tiles_and_bundles_have_one_length_and_one_framing() {
    let hashes: Vec<_> = (0..3).map(|index| leaf_hash(&leaf(index))).collect();
    let tile = encode_tile(&hashes);
    assert_eq!(decode_tile(&tile, 3).unwrap(), hashes);
    let bundle = encode_bundle(&leaves(3));
    assert_eq!(bundle[..3], [0, 32, leaf(0)[0]]);
    assert_eq!(decode_bundle(&bundle, 3).unwrap(), leaves(3));
    for width in [0, 2, 4, 256] {
        assert!(matches!(decode_tile(&tile, width), Err(TileError::Length { .. })));
        assert!(matches!(decode_bundle(&bundle, width), Err(TileError::Length { .. })));
    }
    let longer = |bytes: &[u8]| [bytes, &[0]].concat();
    assert!(decode_tile(&longer(&tile), 3).is_err());
    assert!(decode_bundle(&longer(&bundle), 3).is_err());
    for at in [34, 35] {
        let mut bytes = bundle.clone();
        bytes[at] ^= 1;
        assert_eq!(decode_bundle(&bytes, 3), Err(TileError::LeafLength(1)));
    }
}

#[test]
fn a_growing_ledger_needs_exactly_the_files_of_each_size() {
    let mut publication = Publication::new();
    let mut files = MapFiles::default();
    let mut tree = MemoryTree::new();
    for step in [0_u64, 1, 1, 253, 1, 1, 300, 0, 511, 40, 700] {
        for index in publication.size()..publication.size() + step {
            publication.append(leaf(index));
            tree.append(leaf_hash(&leaf(index)));
        }
        write(&mut files, &publication);
        publication.mark_written();
        assert!(publication.files().is_empty(), "nothing is written twice");
        let size = publication.size();
        assert_eq!(publication.root(), root(&tree, size).unwrap());
        let rewritten = Publication::from_leaf_data(leaves(size), 0);
        for file in rewritten.files() {
            assert_eq!(files.files.get(&file.path), Some(&file.bytes), "{} of {size}", file.path);
        }
        let mut needed: Vec<String> = addresses(size).map(|tile| tile.path()).collect();
        let mut due: Vec<String> = rewritten.files().into_iter().map(|file| file.path).collect();
        needed.sort();
        due.sort();
        assert_eq!(needed, due);
    }
}

#[test]
fn a_full_file_names_the_partial_ones_it_replaces() {
    let publication = Publication::from_leaf_data(leaves(256), 255);
    let files = publication.files();
    let replaced: Vec<_> = files.iter().filter_map(|file| file.supersedes.as_deref()).collect();
    assert_eq!(replaced, ["tile/entries/000.p", "tile/0/000.p"]);
    assert_eq!(files.len(), 3);
    assert_eq!(files[2].path, "tile/1/000.p/1");
}

#[test]
fn a_ledger_is_taken_up_again_from_its_files() {
    let signer = TestSigner::ledger(crate::support::ORIGIN, 1);
    for size in [0, 1, 255, 256, 257, 700] {
        let data = leaves(size);
        let files = ledger_of(&data, &signer);
        let whole = Publication::from_leaf_data(data, 0);
        let mut again = Publication::from_files(&files, size, &whole.root()).unwrap();
        assert!(again.files().is_empty());
        again.append(leaf(size));
        let expected = Publication::from_leaf_data(leaves(size + 1), size);
        assert_eq!(again.files(), expected.files(), "size {size}");
        assert_eq!(again.root(), expected.root());

        let wrong = Publication::from_files(&files, size, &expected.root());
        assert_eq!(wrong.unwrap_err(), PublicationError::WrongRoot);
    }
    let mut files = ledger_of(&leaves(3), &signer);
    let root = Publication::from_leaf_data(leaves(3), 0).root();
    files.files.get_mut("tile/entries/000.p/3").unwrap()[5] ^= 1;
    let taken = Publication::from_files(&files, 3, &root);
    assert_eq!(taken.unwrap_err(), PublicationError::WrongRoot);
    files.files.remove("tile/0/000.p/3");
    let taken = Publication::from_files(&files, 3, &root);
    assert_eq!(taken.unwrap_err(), PublicationError::Missing("tile/0/000.p/3".to_owned()));
}

#[test]
fn hashes_come_from_memory_before_files_and_from_files_after() {
    let mut publication = Publication::from_leaf_data(leaves(700), 0);
    let mut tree = MemoryTree::new();
    (0..700).for_each(|index| tree.append(leaf_hash(&leaf(index))));
    let mut files = MapFiles::default();
    // Nothing written yet: full tiles that are due are served from memory.
    check_proofs(&publication, &tree, 700);
    write(&mut files, &publication);
    publication.mark_written();
    assert!(publication.hash(0, 3).is_err(), "a written full tile is no longer in memory");
    check_proofs(&publication.with_files(&files), &tree, 700);
    check_proofs(&TileHashes::new(&files, 700), &tree, 700);
    assert!(TileHashes::new(&files, 700).hash(0, 700).is_err());
    assert!(TileHashes::new(&files, 700).hash(63, 0).is_err());
    assert!(TileHashes::new(&files, 700).hash(200, 0).is_err());
}

fn check_proofs(reader: &dyn HashReader, tree: &MemoryTree, size: u64) {
    let head = root(reader, size).unwrap();
    assert_eq!(head, root(tree, size).unwrap());
    for index in [0, 1, 255, 256, 511, 512, 600, 699] {
        let path = inclusion_proof(reader, index, size).unwrap();
        assert_eq!(path, inclusion_proof(tree, index, size).unwrap());
        verify_inclusion(&leaf_hash(&leaf(index)), index, size, &path, &head).unwrap();
        let path = consistency_proof(reader, index, size).unwrap();
        let old = root(tree, index).unwrap();
        verify_consistency(index, &old, size, &head, &path).unwrap();
    }
}

proptest! {
    #[test]
    fn every_address_reads_back(
        level in 0_u8..9, index in any::<u64>(), shift in 0_u32..64, width in 1_u16..=256
    ) {
        let index = index >> shift;
        let address = if level == 8 {
            TileAddress::entries(index, width).unwrap()
        } else {
            TileAddress::tree(level, index, width).unwrap()
        };
        prop_assert_eq!(TileAddress::parse(&address.path()), Ok(address));
    }

    #[test]
    fn no_text_breaks_the_path_reader(path in "[a-z0-9./+x]{0,40}") {
        if let Ok(address) = TileAddress::parse(&path) {
            prop_assert_eq!(address.path(), path);
        }
    }
}
