//! No byte of a ledger can be changed unseen: alteration, deletion, insertion, reordering,
//! truncation, forged tiles, wrong signatures, and every kind of single-byte mutation.
//!
//! Not here: what undamaged files look like (`published`).

use ledger::checkpoint::{Checkpoint, cosign, signed_checkpoint};
use ledger::verify::{
    DamageKind, EXTRA_FILES_MAX, verify_checkpoint, verify_continuation, verify_ledger,
};
use ledger::{CHECKPOINT_PATH, Publication, VERIFIER_KEY_PATH};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::{MapFiles, ORIGIN, TestSigner, leaf, leaves, ledger_of, sign, write};

const SIZES: [u64; 7] = [0, 1, 2, 255, 256, 257, 700];

fn signer() -> TestSigner {
    TestSigner::ledger(ORIGIN, 1)
}

fn damage(files: &MapFiles) -> Option<(String, DamageKind)> {
    let report = verify_ledger(files, &[signer().vkey]);
    report.first_bad.map(|bad| (bad.path, bad.what))
}

#[test]
fn sound_ledgers_are_sound() {
    for size in SIZES {
        for listed in [false, true] {
            let mut files = ledger_of(&leaves(size), &signer());
            files.listed = listed;
            let report = verify_ledger(&files, &[signer().vkey]);
            assert_eq!(report.first_bad, None, "size {size}");
            assert!(report.is_sound());
            assert_eq!((report.origin.as_str(), report.size), (ORIGIN, size));
            assert_eq!(report.root, Publication::from_leaf_data(leaves(size), 0).root());
            assert_eq!((report.extra_count, report.cosignatures.len()), (0, 0));
        }
    }
}

#[test]
fn every_bit_of_a_small_ledger_counts() {
    for size in [0, 1, 2] {
        let sound = ledger_of(&leaves(size), &signer());
        for (path, bytes) in &sound.files {
            for bit in 0..bytes.len() * 8 {
                let mut files = sound.clone();
                files.files.get_mut(path).unwrap()[bit / 8] ^= 1 << (bit % 8);
                assert!(damage(&files).is_some(), "size {size}, {path}, bit {bit}");
            }
        }
    }
}

/// A random byte of a random file, changed, removed or doubled.
#[test]
fn every_single_byte_mutation_is_seen() {
    for size in SIZES {
        let sound = ledger_of(&leaves(size), &signer());
        let total: usize = sound.files.values().map(Vec::len).sum();
        let mut runner = TestRunner::new(Config { cases: 600, ..Config::default() });
        let mutation = (0..total, 1_u8..=255, 0_u8..3);
        let outcome = runner.run(&mutation, |(at, mask, how)| {
            let mut files = sound.clone();
            let mut left = at;
            for (path, bytes) in &mut files.files {
                if left >= bytes.len() {
                    left -= bytes.len();
                    continue;
                }
                match how {
                    0 => bytes[left] ^= mask,
                    1 => drop(bytes.remove(left)),
                    _ => bytes.insert(left, mask),
                }
                // The key file is read with or without the newline at its end.
                let newline = path == VERIFIER_KEY_PATH && how == 1 && left == bytes.len();
                prop_assume!(!newline);
                break;
            }
            prop_assert!(damage(&files).is_some());
            Ok(())
        });
        assert!(outcome.is_ok(), "size {size}: {outcome:?}");
    }
}

#[test]
fn every_missing_emptied_or_truncated_file_is_seen() {
    for size in SIZES {
        let sound = ledger_of(&leaves(size), &signer());
        for path in sound.files.keys().filter(|path| *path != VERIFIER_KEY_PATH) {
            let mut files = sound.clone();
            files.files.remove(path);
            assert_eq!(damage(&files), Some((path.clone(), DamageKind::Missing)));
            for keep in [0, 1] {
                let mut files = sound.clone();
                let bytes = files.files.get_mut(path).unwrap();
                bytes.truncate((bytes.len() - 1) * keep);
                assert!(damage(&files).is_some(), "size {size}, {path}");
            }
        }
    }
}

/// The keeper rewrites entries and every tile above them; only the old signature stays.
#[test]
fn a_ledger_rewritten_below_its_checkpoint_is_seen() {
    for size in SIZES {
        let sound = ledger_of(&leaves(size), &signer());
        let mut altered = leaves(size);
        let mut reordered = leaves(size);
        let mut deleted = leaves(size);
        let mut inserted = leaves(size);
        if let Some(first) = altered.first_mut() {
            first[0] ^= 1;
        }
        let last = reordered.len().saturating_sub(1);
        if last > 0 {
            reordered.swap(0, last);
            deleted.remove(last / 2);
        }
        inserted.insert(last / 2, leaf(u64::MAX));
        for rewritten in [altered, reordered, deleted, inserted] {
            if rewritten == leaves(size) {
                continue;
            }
            let mut files = ledger_of(&rewritten, &signer());
            let checkpoint = sound.files[CHECKPOINT_PATH].clone();
            files.files.insert(CHECKPOINT_PATH.to_owned(), checkpoint);
            // An insertion into the empty ledger is a file beyond its size, which signs nothing.
            let beyond = size == 0 && verify_listed(&files) > 0;
            assert!(damage(&files).is_some() || beyond, "size {size}");
        }
    }
}

fn verify_listed(files: &MapFiles) -> u64 {
    let files = MapFiles { listed: true, ..files.clone() };
    verify_ledger(&files, &[signer().vkey]).extra_count
}

#[test]
fn the_report_says_which_entry_differs() {
    let mut files = ledger_of(&leaves(700), &signer());
    files.files.get_mut("tile/entries/001").unwrap()[34 * 7 + 10] ^= 0x40;
    let expected = DamageKind::Differs { place: 7, first: 263, last: 263 };
    assert_eq!(damage(&files), Some(("tile/0/001".to_owned(), expected)));

    let mut files = ledger_of(&leaves(700), &signer());
    files.files.get_mut("tile/1/000.p/2").unwrap()[33] ^= 1;
    let expected = DamageKind::Differs { place: 1, first: 256, last: 511 };
    assert_eq!(damage(&files), Some(("tile/1/000.p/2".to_owned(), expected)));
    let report = verify_ledger(&files, &[signer().vkey]);
    let said = report.first_bad.unwrap().to_string();
    assert!(said.contains("covers entries 256 to 511"), "{said}");
}

#[test]
fn another_key_another_root_and_another_vkey_file_are_seen() {
    let mut files = ledger_of(&leaves(4), &signer());
    sign(&mut files, 4, ledger::empty_root(), &signer());
    assert_eq!(damage(&files), Some((CHECKPOINT_PATH.to_owned(), DamageKind::RootDiffers)));

    let forger = TestSigner::ledger(ORIGIN, 9);
    let mut files = ledger_of(&leaves(4), &forger);
    assert_eq!(
        damage(&files),
        Some((VERIFIER_KEY_PATH.to_owned(), DamageKind::VerifierKeyDiffers))
    );
    files.files.remove(VERIFIER_KEY_PATH);
    assert!(
        matches!(damage(&files), Some((path, DamageKind::Checkpoint(_))) if path == CHECKPOINT_PATH)
    );

    let report = verify_ledger(&files, &[]);
    assert_eq!(report.first_bad.unwrap().what, DamageKind::NoVerifierKey);
}

#[test]
fn partial_files_of_earlier_checkpoints_are_checked_and_later_ones_reported() {
    let mut publication = Publication::new();
    let mut files = MapFiles { listed: true, ..MapFiles::default() };
    for size in [3, 100, 300] {
        (publication.size()..size).for_each(|index| publication.append(leaf(index)));
        write(&mut files, &publication);
        publication.mark_written();
        sign(&mut files, size, publication.root(), &signer());
    }
    assert_eq!(verify_ledger(&files, &[signer().vkey]).first_bad, None);
    for path in ["tile/0/000.p/3", "tile/0/000.p/100", "tile/entries/000.p/100"] {
        let mut worse = files.clone();
        worse.files.get_mut(path).unwrap()[40] ^= 1;
        assert_eq!(damage(&worse).unwrap().0, path);
    }
    for path in ["tile/0/001.p/45", "tile/1/000", "tile/entries/002", "tile/0/000.tmp", "notes.txt"]
    {
        files.files.insert(path.to_owned(), vec![1, 2, 3]);
    }
    let report = verify_ledger(&files, &[signer().vkey]);
    assert_eq!((report.first_bad, report.extra_count), (None, 5));
    for number in 0..2 * EXTRA_FILES_MAX {
        files.files.insert(format!("stray-{number}"), Vec::new());
    }
    let report = verify_ledger(&files, &[signer().vkey]);
    assert_eq!((report.extra.len(), report.extra_count), (EXTRA_FILES_MAX, 205));
}

#[test]
fn a_medium_that_fails_is_damage_and_not_absence() {
    struct Broken;
    impl ledger::LedgerFiles for Broken {
        fn read(&self, _: &str) -> Result<Option<Vec<u8>>, String> {
            Err("input/output error".to_owned())
        }
    }
    let report = verify_ledger(&Broken, &[signer().vkey]);
    assert!(matches!(report.first_bad.unwrap().what, DamageKind::Unreadable(_)));
}

#[test]
fn cosignatures_are_part_of_the_report_and_of_what_cannot_be_changed() {
    let witness = TestSigner::witness("jukinet.example/prefecture-13", 2);
    let mut files = ledger_of(&leaves(2), &signer());
    let note = String::from_utf8(files.files[CHECKPOINT_PATH].clone()).unwrap();
    let note = cosign(&note, &signer().vkey, &witness, 1_795_300_000).unwrap();
    files.files.insert(CHECKPOINT_PATH.to_owned(), note.clone().into_bytes());
    let keys = [signer().vkey, witness.vkey];
    assert_eq!(verify_ledger(&files, &keys).cosignatures.len(), 1);
    assert_eq!(verify_checkpoint(&note, &keys).unwrap().cosignatures.len(), 1);
    assert!(verify_checkpoint(&note, &[]).is_err());
    for at in 0..note.len() {
        let mut files = files.clone();
        files.files.get_mut(CHECKPOINT_PATH).unwrap()[at] ^= 1;
        let report = verify_ledger(&files, &keys);
        // A line whose key name was changed is a stranger's, which has to be ignored.
        assert!(report.first_bad.is_some() || report.cosignatures.is_empty(), "byte {at}");
    }
}

#[test]
fn a_ledger_is_held_to_a_checkpoint_kept_from_earlier() {
    let key = signer().vkey;
    let checkpoint_at = |size| {
        let root = Publication::from_leaf_data(leaves(size), 0).root();
        let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size, root };
        signed_checkpoint(&checkpoint, &signer()).unwrap()
    };
    let files = ledger_of(&leaves(700), &signer());
    for old in [0, 1, 255, 256, 300, 699, 700] {
        let (old_one, new) = verify_continuation(&files, &checkpoint_at(old), &key).unwrap();
        assert_eq!((old_one.size, new.size), (old, 700));
    }
    // Cut back to 600 entries and signed anew: sound by itself, and not what it was.
    let cut = ledger_of(&leaves(600), &signer());
    assert!(verify_ledger(&cut, std::slice::from_ref(&key)).is_sound());
    assert!(verify_continuation(&cut, &checkpoint_at(700), &key).is_err());
    // The history rewritten and signed anew: the same.
    let mut rewritten = leaves(700);
    rewritten[3] = leaf(9999);
    let forged = ledger_of(&rewritten, &signer());
    assert!(verify_ledger(&forged, std::slice::from_ref(&key)).is_sound());
    for old in [4, 300, 700] {
        assert!(verify_continuation(&forged, &checkpoint_at(old), &key).is_err());
    }
    assert!(verify_continuation(&MapFiles::default(), &checkpoint_at(4), &key).is_err());
}
