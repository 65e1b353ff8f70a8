//! Signed notes, checkpoints and cosignatures, against keys and notes others published.
//!
//! Not here: whether files bear a checkpoint out (`damage`).

use ledger::Hash;
use ledger::checkpoint::{
    Checkpoint, CheckpointError, cosign, open, parse_and_verify, signed_checkpoint,
    verify_continues,
};
use ledger::note::{KeyKind, Note, NoteError, VerifierKey, sign_note};
use ledger::{MemoryTree, consistency_proof, leaf_hash, root};
use proptest::prelude::*;

use crate::support::{ORIGIN, TestSigner, leaf};

/// The example of the Go note package, whose format this is.
const NEUMANN_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const NEUMANN_NOTE: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\n\
    — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNI\
    uGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

/// The key of the Go checksum database.
const SUM_KEY: &str = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";

fn checkpoint(size: u64) -> Checkpoint {
    Checkpoint { origin: ORIGIN.to_owned(), size, root: Hash([7; 32]) }
}

#[test]
fn keys_and_notes_of_others_are_read() {
    let key = VerifierKey::parse(NEUMANN_KEY).unwrap();
    assert_eq!((key.name(), key.kind()), ("PeterNeumann", KeyKind::Note));
    assert_eq!(key.to_string(), NEUMANN_KEY);
    Note::parse(NEUMANN_NOTE).unwrap().verify(&key).unwrap();
    let sum = VerifierKey::parse(&format!("{SUM_KEY}\n")).unwrap();
    assert_eq!(sum.to_string(), SUM_KEY);
    let unsigned = Note::parse(NEUMANN_NOTE).unwrap().verify(&sum);
    assert_eq!(unsigned, Err(NoteError::Unsigned("sum.golang.org".to_owned())));
}

#[test]
fn every_changed_character_of_a_key_is_refused() {
    for at in 0..NEUMANN_KEY.len() {
        let mut bytes = NEUMANN_KEY.as_bytes().to_vec();
        bytes[at] ^= 1;
        let text = String::from_utf8(bytes).unwrap();
        assert!(VerifierKey::parse(&text).is_err(), "{text}");
    }
    assert!(VerifierKey::ed25519("two words", &[7; 32]).is_err());
    assert!(VerifierKey::ed25519("", &[7; 32]).is_err());
    assert!(VerifierKey::ed25519("zero", &[0; 32]).is_err(), "a key of small order");
}

#[test]
fn the_text_ends_at_the_last_blank_line() {
    let signer = TestSigner::ledger("a.example", 1);
    let note = sign_note("first\n\nsecond\n", &signer).unwrap();
    let parsed = Note::parse(&note).unwrap();
    assert_eq!(parsed.text(), "first\n\nsecond\n");
    parsed.verify(&signer.vkey).unwrap();
    for text in ["no newline", "tab\there\n", "", "line\r\n"] {
        assert!(sign_note(text, &signer).is_err(), "{text:?}");
    }
}

#[test]
fn a_wrong_line_in_the_name_of_the_key_refuses_the_note() {
    let signer = TestSigner::ledger(ORIGIN, 1);
    let note = signed_checkpoint(&checkpoint(9), &signer).unwrap();
    let other = signed_checkpoint(&checkpoint(8), &signer).unwrap();
    let stray = other.lines().last().unwrap();
    let doubled = format!("{note}{stray}\n");
    let refused = parse_and_verify(&doubled, &signer.vkey).unwrap_err();
    assert_eq!(refused, NoteError::SignatureWrong(ORIGIN.to_owned()).into());
}

#[test]
fn a_device_with_another_key_does_not_sign() {
    let mut signer = TestSigner::ledger(ORIGIN, 1);
    signer.vkey = TestSigner::ledger(ORIGIN, 2).vkey;
    let refused = signed_checkpoint(&checkpoint(1), &signer).unwrap_err();
    assert_eq!(refused, NoteError::SignerMismatch(ORIGIN.to_owned()).into());
    let witness = TestSigner::witness(ORIGIN, 1);
    assert!(signed_checkpoint(&checkpoint(1), &witness).is_err(), "a witness signs no ledger");
}

#[test]
fn checkpoints_have_one_form() {
    let text = checkpoint(0).text();
    assert_eq!(Checkpoint::parse(&text).unwrap(), checkpoint(0));
    for wrong in [
        text.replace("\n0\n", "\n00\n"),
        text.replace("\n0\n", "\n+0\n"),
        text.replace("\n0\n", "\n-1\n"),
        format!("{text}extension\n"),
        text.trim_end().to_owned(),
        text.replace(ORIGIN, ""),
        text.replace("BwcH", "BwcHBwcH"),
    ] {
        assert!(Checkpoint::parse(&wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn a_checkpoint_of_another_ledger_is_refused() {
    let signer = TestSigner::ledger("jukinet.example/prefecture-13", 1);
    let text = sign_note(&checkpoint(3).text(), &signer).unwrap();
    assert!(matches!(parse_and_verify(&text, &signer.vkey), Err(CheckpointError::Origin { .. })));
    assert!(signed_checkpoint(&checkpoint(3), &signer).is_err());
}

#[test]
fn cosignatures_are_counted_only_when_they_verify() {
    let signer = TestSigner::ledger(ORIGIN, 1);
    let first = TestSigner::witness("jukinet.example/prefecture-13", 2);
    let second = TestSigner::witness("jukinet.example/prefecture-20", 3);
    let absent = TestSigner::witness("audit.example", 4);
    let note = signed_checkpoint(&checkpoint(5), &signer).unwrap();
    let note = cosign(&note, &signer.vkey, &first, 1_795_300_000).unwrap();
    let note = cosign(&note, &signer.vkey, &second, 1_795_300_001).unwrap();
    let witnesses = [first.vkey.clone(), second.vkey.clone(), absent.vkey, first.vkey.clone()];
    let opened = open(&note, &signer.vkey, &witnesses).unwrap();
    assert_eq!(opened.cosignatures.len(), 2);
    assert_eq!(opened.cosignatures[0].seconds, 1_795_300_000);
    assert_eq!(open(&note, &signer.vkey, &[]).unwrap().cosignatures, []);

    // A cosignature moved to another checkpoint does not verify there.
    let other = signed_checkpoint(&checkpoint(6), &signer).unwrap();
    let line = note.lines().nth(5).unwrap();
    assert!(line.contains("prefecture-13"));
    let forged = format!("{other}{line}\n");
    assert!(parse_and_verify(&forged, &signer.vkey).is_ok());
    assert!(open(&forged, &signer.vkey, &witnesses).is_err());
    assert!(cosign(&note, &first.vkey, &second, 1).is_err(), "not a ledger's key");
    assert!(cosign(&note, &signer.vkey, &signer, 1).is_err(), "a ledger is no witness");
}

#[test]
fn a_checkpoint_is_shown_to_continue_another() {
    let signer = TestSigner::ledger(ORIGIN, 1);
    let mut tree = MemoryTree::new();
    (0..40).for_each(|index| tree.append(leaf_hash(&leaf(index))));
    let at = |size| {
        let root = root(&tree, size).unwrap();
        let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size, root };
        signed_checkpoint(&checkpoint, &signer).unwrap()
    };
    let proof = consistency_proof(&tree, 11, 40).unwrap();
    let (old, new) = verify_continues(&at(11), &at(40), &proof, &signer.vkey).unwrap();
    assert_eq!((old.size, new.size), (11, 40));
    let wrong = verify_continues(&at(12), &at(40), &proof, &signer.vkey);
    assert!(matches!(wrong, Err(CheckpointError::Inconsistent { old: 12, new: 40, .. })));
    assert!(verify_continues(&at(40), &at(11), &proof, &signer.vkey).is_err());
}

/// Bits of every grammar here, so that random texts get past the first check.
fn scraps() -> impl Strategy<Value = String> {
    let scrap = prop_oneof![
        Just("\n\n".to_owned()),
        Just("— ".to_owned()),
        Just(NEUMANN_NOTE.to_owned()),
        Just(NEUMANN_KEY.to_owned()),
        Just("c2sp.org/tlog-proof@v1\nindex ".to_owned()),
        Just("jukinet-entry/1\nkind provision\nat 2026-11-22T01:03:00.000Z\n".to_owned()),
        Just("18446744073709551616\n".to_owned()),
        "[A-Za-z0-9+/=]{0,60}\n?",
        any::<String>(),
    ];
    proptest::collection::vec(scrap, 0..8).prop_map(|scraps| scraps.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn no_text_breaks_a_reader(text in scraps()) {
        let signer = TestSigner::ledger(ORIGIN, 1);
        prop_assert!(parse_and_verify(&text, &signer.vkey).is_err());
        if let Ok(key) = VerifierKey::parse(&text) {
            prop_assert_eq!(key.to_string(), text.trim_end());
        }
        if let Ok(proof) = ledger::proof::parse(&text) {
            prop_assert!(proof.verify(&[0; 32], &signer.vkey, &[]).is_err());
        }
        prop_assert!(ledger::Entry::parse(text.as_bytes()).is_err());
        let _ = Checkpoint::parse(&text);
    }
}
