//! The published files: verified by the ledger's own verifier, made again when they are lost.

use std::fs;

use ledger::note::NoteSigner;
use ledger::verify::verify_ledger;
use node::ports::StoreError;
use store::ledger_files::LedgerDirectory;

use crate::bench::{Bench, ORIGIN, SqliteBench, TestSigner, signer};
use crate::people::entry;

fn verified_size(bench: &SqliteBench) -> u64 {
    let key = signer().verifier_key().clone();
    let verified = verify_ledger(&LedgerDirectory::new(&bench.ledger()), &[key]);
    assert!(verified.first_bad.is_none(), "{:?}", verified.first_bad);
    verified.size
}

fn fill(bench: &mut SqliteBench, count: u64) {
    let entries: Vec<_> = (0..count).map(|n| entry(n, &[n % 5])).collect();
    bench.record(&entries);
    bench.publish(&signer()).unwrap();
}

#[test]
fn what_is_published_verifies_at_every_size() {
    let mut bench = SqliteBench::new();
    let mut size = 0;
    bench.publish(&signer()).unwrap();
    assert_eq!(verified_size(&bench), 0);
    for count in [1, 254, 1, 1, 255, 513] {
        fill(&mut bench, count);
        size += count;
        assert_eq!(verified_size(&bench), size);
        assert_eq!(bench.reads().entries_count().unwrap(), size);
    }
    // Partial forms of full tiles go one checkpoint later.
    assert!(bench.ledger().join("tile/0/000").exists());
    assert!(!bench.ledger().join("tile/0/000.p").exists());
}

#[test]
fn lost_and_damaged_files_are_made_again() {
    for path in ["tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/001.p/44"] {
        for damage in [true, false] {
            let mut bench = SqliteBench::new();
            fill(&mut bench, 300);
            bench.store = None;
            let file = bench.ledger().join(path);
            if damage {
                let mut bytes = fs::read(&file).unwrap();
                bytes[5] ^= 1;
                fs::write(&file, bytes).unwrap();
            } else {
                fs::remove_file(&file).unwrap();
            }
            bench.open().unwrap();
            assert_eq!(verified_size(&bench), 300, "{path}");
            assert!(bench.reads().proof(299).unwrap().is_some());
        }
    }
}

#[test]
fn damage_away_from_the_edge_is_noticed_before_a_proof_leaves_and_repaired_on_demand() {
    let mut bench = SqliteBench::new();
    fill(&mut bench, 600);
    bench.crash();
    let file = bench.ledger().join("tile/0/000");
    let mut bytes = fs::read(&file).unwrap();
    bytes[40] ^= 1;
    fs::write(&file, bytes).unwrap();
    assert!(bench.reads().proof(0).is_err(), "the neighbour's hash is wrong");
    let report = bench.store().fsck().unwrap();
    assert!(!report.ok);
    assert_eq!(report.faults[0].place, "tile/0/000");
    bench.store_mut().repair_ledger_files().unwrap();
    assert!(bench.reads().proof(0).unwrap().is_some());
    assert_eq!(verified_size(&bench), 600);
    assert!(bench.store().fsck().unwrap().ok);
}

#[test]
fn a_lost_directory_is_published_again_whole() {
    let mut bench = SqliteBench::new();
    fill(&mut bench, 300);
    bench.store = None;
    fs::remove_dir_all(bench.ledger()).unwrap();
    bench.open().unwrap();
    assert_eq!(bench.reads().checkpoint().unwrap(), None);
    assert_eq!(bench.publish(&signer()).unwrap().size, 300);
    assert_eq!(verified_size(&bench), 300);
}

#[test]
fn another_key_cannot_fork_the_ledger_and_a_forged_checkpoint_is_refused() {
    let mut bench = SqliteBench::new();
    fill(&mut bench, 3);
    bench.record(&[entry(9, &[])]);
    let other = TestSigner::new(ORIGIN, 6);
    assert!(matches!(bench.publish(&other), Err(StoreError::Key(_))));
    assert_eq!(verified_size(&bench), 3);
    bench.store = None;
    let file = bench.ledger().join("checkpoint");
    let text = fs::read_to_string(&file).unwrap().replacen("\n3\n", "\n2\n", 1);
    fs::write(&file, text).unwrap();
    assert!(matches!(bench.open(), Err(StoreError::Damaged(_))));
}
