//! A resident's row: entry, salt and proof together or not at all; and the proof text itself.
//!
//! Not here: who may see a row.

use ledger::checkpoint::{Checkpoint, cosign, signed_checkpoint};
use ledger::view::{ViewedRow, open_row, verify_row};
use ledger::{EntryId, Publication, Receipt, commitment, inclusion_proof, proof};
use proptest::prelude::*;

use crate::entries::provision;
use crate::support::{ORIGIN, TestSigner, leaf};

fn signer() -> TestSigner {
    TestSigner::ledger(ORIGIN, 1)
}

/// A row at `index` of a ledger of `size`.
fn row(index: u64, size: u64) -> ViewedRow {
    let (entry, salt) = (provision().encode(), [0x5a; 32]);
    let mine = commitment(&salt, &entry);
    let data = (0..size).map(|at| if at == index { mine } else { leaf(at) });
    let publication = Publication::from_leaf_data(data, 0);
    let hashes = inclusion_proof(&publication, index, size).unwrap();
    let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size, root: publication.root() };
    let note = signed_checkpoint(&checkpoint, &signer()).unwrap();
    ViewedRow { entry, salt, proof: proof::encode(index, &hashes, &note) }
}

#[test]
fn a_row_opens() {
    for (index, size) in [(0, 1), (0, 2), (255, 256), (256, 257), (5, 700)] {
        let row = row(index, size);
        assert_eq!(verify_row(&row, &signer().vkey).unwrap(), provision());
        let opened = open_row(&row, &signer().vkey, &[]).unwrap();
        assert_eq!((opened.index, opened.checkpoint.checkpoint.size), (index, size));
        assert!(verify_row(&row, &TestSigner::ledger(ORIGIN, 2).vkey).is_err());
    }
}

#[test]
fn a_row_prints_nothing_about_anyone() {
    assert_eq!(format!("{:?}", row(0, 1)), "ViewedRow { .. }");
}

#[test]
fn the_proof_text_is_that_of_the_specification() {
    let text = row(2, 3).proof;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..2], ["c2sp.org/tlog-proof@v1", "index 2"]);
    assert_eq!((lines[2].len(), lines[3], lines[4], lines[5]), (44, "", ORIGIN, "3"));
    assert!(lines[8].starts_with("— jukinet.example/center "));
    for (from, to) in [
        ("@v1", "@v2"),
        ("index 2", "index 02"),
        ("index 2", "index +2"),
        ("index 2\n", "extra AAAA\nindex 2\n"),
        ("index 2\n", ""),
        ("=\n\n", "=\n"),
        ("=\n\n", "=\n\n\n"),
        ("=\n\n", "\n\n"),
    ] {
        let bad = text.replacen(from, to, 1);
        assert_ne!(bad, text);
        let refused = proof::parse(&bad).and_then(|proof| {
            let row = row(2, 3);
            proof.verify(&commitment(&row.salt, &row.entry), &signer().vkey, &[])
        });
        assert!(refused.is_err(), "{to:?}");
    }
    let many =
        format!("c2sp.org/tlog-proof@v1\nindex 0\n{}\nx", format!("{}\n", lines[2]).repeat(65));
    assert!(proof::parse(&many).is_err());
}

#[test]
fn witnesses_of_the_checkpoint_are_counted() {
    let witness = TestSigner::witness("jukinet.example/prefecture-13", 2);
    let mut row = row(1, 9);
    let parsed = proof::parse(&row.proof).unwrap();
    let note = cosign(&parsed.checkpoint, &signer().vkey, &witness, 1_795_300_000).unwrap();
    row.proof = proof::encode(parsed.index, &parsed.hashes, &note);
    let opened = open_row(&row, &signer().vkey, &[witness.vkey]).unwrap();
    assert_eq!(opened.checkpoint.cosignatures.len(), 1);
}

#[test]
fn a_receipt_says_what_was_asserted() {
    let receipt = Receipt::assert_durable(EntryId(7), ORIGIN, 40, 2);
    assert_eq!((receipt.entry(), receipt.ledger()), (EntryId(7), ORIGIN));
    assert_eq!((receipt.first_index(), receipt.count()), (40, 2));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn one_flipped_bit_closes_a_row(
        size in 1_u64..300, pick in any::<u64>(), bit in any::<proptest::sample::Index>()
    ) {
        let mut row = row(pick % size, size);
        let (entry, salt) = (row.entry.len() * 8, row.salt.len() * 8);
        let at = bit.index(entry + salt + row.proof.len() * 8);
        let mask = 1 << (at % 8);
        if at < entry {
            row.entry[at / 8] ^= mask;
        } else if at < entry + salt {
            row.salt[(at - entry) / 8] ^= mask;
        } else {
            let mut bytes = row.proof.into_bytes();
            bytes[(at - entry - salt) / 8] ^= mask;
            // Bytes that are no longer text cannot even be handed over.
            row.proof = String::from_utf8(bytes).unwrap_or_default();
        }
        prop_assert!(verify_row(&row, &signer().vkey).is_err());
    }
}
