//! Ledgers as anyone may verify them (V5): checkpoints only grow, the root of each is recomputed
//! from the leaves that were seen, no two of one size differ, and what a prefecture or a resident
//! is shown stands where its proof says (V4). Notes and proofs are read here, by the C2SP texts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};

use super::super::country::{PLACES, Place};
use super::super::keys::sha256;
use super::tree::{Growing, Hash, leaf, root_from};
use super::{Checker, Violation};

/// Every so many checkpoints of a place, the signature is verified too.
const SIGNATURES_VERIFIED_EVERY: u64 = 64;

/// What a place published so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Published {
    /// The tree of the leaves that were published.
    tree: Growing,
    /// The last note, whole; and each root by its size.
    last: String,
    roots: std::collections::BTreeMap<u64, Hash>,
    notes: u64,
}

/// A checkpoint as its text says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) origin: String,
    pub(super) size: u64,
    pub(super) root: Hash,
}

/// C2SP tlog-checkpoint: origin, size, root, then signatures after an empty line.
pub(super) fn read_note(text: &str) -> Option<Note> {
    let (head, _) = text.split_once("\n\n")?;
    let mut lines = head.split('\n');
    let origin = lines.next()?.to_owned();
    let size = lines.next()?;
    let root = STANDARD.decode(lines.next()?).ok()?.try_into().ok()?;
    let plain = size == "0" || !size.starts_with('0');
    let size = size.parse().ok().filter(|_| plain && lines.next().is_none())?;
    Some(Note { origin, size, root })
}

/// Whether the note carries the ledger's own signature (C2SP signed-note, Ed25519).
pub(super) fn is_signed(text: &str, origin: &str) -> bool {
    let Some((head, signatures)) = text.split_once("\n\n") else { return false };
    let secret = sha256(&[b"jukilab ledger\n", origin.as_bytes()]);
    let key: VerifyingKey = ed25519_dalek::SigningKey::from_bytes(&secret).verifying_key();
    let id = sha256(&[origin.as_bytes(), b"\n\x01", key.as_bytes()]);
    let (message, begin) = (format!("{head}\n"), format!("\u{2014} {origin} "));
    signatures.lines().filter_map(|line| line.strip_prefix(begin.as_str())).any(|encoded| {
        let Ok(bytes) = STANDARD.decode(encoded) else { return false };
        let Some((hint, signature)) = bytes.split_first_chunk::<4>() else { return false };
        let signature = Signature::from_slice(signature);
        id.starts_with(hint)
            && signature.is_ok_and(|sig| key.verify_strict(message.as_bytes(), &sig).is_ok())
    })
}

/// A C2SP tlog-proof: index, hashes, checkpoint.
pub(super) fn read_proof(text: &str) -> Option<(u64, Vec<Hash>, &str)> {
    let (head, note) = text.split_once("\n\n")?;
    let mut lines = head.split('\n');
    lines.next().filter(|line| *line == "c2sp.org/tlog-proof@v1")?;
    let mut index = lines.next()?;
    if index.starts_with("extra ") {
        index = lines.next()?;
    }
    let index = index.strip_prefix("index ")?.parse().ok()?;
    let hashes = lines.map(|line| STANDARD.decode(line).ok()?.try_into().ok());
    Some((index, hashes.collect::<Option<_>>()?, note))
}

fn origin(place: Place) -> String {
    format!("jukinet.example/{}", PLACES.get(place).map_or("", |(node, _)| node))
}

impl Checker {
    /// A place signed and published a checkpoint.
    pub(in super::super) fn published(
        &mut self,
        place: Place,
        note: &str,
    ) -> Result<(), Violation> {
        let wrong = |what: &str| {
            Err(Violation::new("checkpoint", format!("ledger of place {place}: {what}")))
        };
        let lines = self.durable.get(&place).map_or(&[][..], Vec::as_slice);
        let published = self.published.entry(place).or_default();
        if published.last == note {
            return Ok(());
        }
        let Some(read) = read_note(note) else { return wrong("a note that cannot be read") };
        if read.origin != origin(place) {
            return wrong("another ledger's name");
        }
        let before = published.tree.size();
        if read.size < before {
            return wrong(&format!("it shrank from {before} to {}", read.size));
        }
        let held = lines.len() as u64;
        if read.size > held {
            return wrong(&format!("{} leaves published, {held} durable", read.size));
        }
        let first = usize::try_from(before).unwrap_or(usize::MAX);
        let new = usize::try_from(read.size - before).unwrap_or(usize::MAX);
        for (entry, salt) in lines.iter().skip(first).take(new) {
            published.tree.push(leaf(salt, entry));
        }
        if published.tree.root() != read.root {
            return wrong(&format!("the root of size {} is not that of its leaves", read.size));
        }
        let known = published.roots.insert(read.size, read.root);
        if known.is_some_and(|known| known != read.root) {
            return wrong(&format!("two roots of size {}", read.size));
        }
        let verify = published.notes.is_multiple_of(SIGNATURES_VERIFIED_EVERY);
        published.notes += 1;
        published.last = note.to_owned();
        if verify && !is_signed(note, &origin(place)) {
            return wrong("its checkpoint is not signed by it");
        }
        Ok(())
    }

    /// Whether an entry stands in a published ledger as this proof says. The places are found by
    /// the origin; `Err` says what is wrong.
    pub(super) fn proven(
        &self,
        ledger: &str,
        entry: &[u8],
        salt: &[u8; 32],
        proof: &str,
    ) -> Result<(Place, u64), &'static str> {
        let (index, hashes, note) = read_proof(proof).ok_or("the proof cannot be read")?;
        let note = read_note(note).ok_or("the proof's checkpoint cannot be read")?;
        let place = (0..PLACES.len()).find(|place| origin(*place) == note.origin);
        let place = place.filter(|_| note.origin == ledger).ok_or("it is of another ledger")?;
        let root = root_from(leaf(salt, entry), index, note.size, &hashes);
        if root != Some(note.root) {
            return Err("the proof does not lead to the root");
        }
        let published = self.published.get(&place);
        if published.and_then(|p| p.roots.get(&note.size)) != Some(&note.root) {
            return Err("its checkpoint was never published");
        }
        let at = usize::try_from(index).unwrap_or(usize::MAX);
        match self.durable.get(&place).and_then(|lines| lines.get(at)) {
            Some((kept, salted)) if kept == entry && salted == salt => Ok((place, index)),
            _ => Err("it does not stand there"),
        }
    }

    /// After a restart the ledger's files are still there; a smaller tree would be a shorter past.
    pub(super) fn published_size(&self, place: Place) -> u64 {
        self.published.get(&place).map_or(0, |published| published.tree.size())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use super::super::super::keys::LedgerKey;

    fn note(origin: &str, size: u64, root: Hash) -> String {
        let key = LedgerKey::named(origin).unwrap();
        let checkpoint = ledger::checkpoint::Checkpoint {
            origin: origin.to_owned(),
            size,
            root: ledger::Hash(root),
        };
        ledger::checkpoint::signed_checkpoint(&checkpoint, &key).unwrap()
    }

    fn checker(lines: u8) -> Checker {
        let mut checker = Checker::default();
        let lines = (0..lines).map(|n| (vec![n], [n; 32])).collect();
        checker.durable.insert(0, lines);
        checker
    }

    fn root_of(lines: u8) -> Hash {
        let mut tree = Growing::default();
        (0..lines).for_each(|n| tree.push(leaf(&[n; 32], &[n])));
        tree.root()
    }

    const CENTER: &str = "jukinet.example/center";

    #[test]
    fn honest_checkpoints_pass_and_are_signed() {
        let mut checker = checker(9);
        for size in [3, 3, 8, 9] {
            let note = note(CENTER, u64::from(size), root_of(size));
            assert_eq!(checker.published(0, &note), Ok(()), "{size}");
            assert!(is_signed(&note, CENTER));
            assert!(!is_signed(&note.replace('\u{2014}', "-"), CENTER));
        }
    }

    #[test]
    fn a_ledger_that_shrinks_forks_or_runs_ahead_is_found() {
        for (then, root) in [(2, root_of(2)), (8, root_of(7)), (10, root_of(9))] {
            let mut checker = checker(9);
            assert_eq!(checker.published(0, &note(CENTER, 5, root_of(5))), Ok(()));
            let found = checker.published(0, &note(CENTER, then, root)).unwrap_err();
            assert_eq!(found.rule, "checkpoint", "{then}");
        }
        let mut checker = checker(9);
        let other = note("jukinet.example/agency-1", 5, root_of(5));
        assert!(checker.published(0, &other).is_err());
        let unsigned = note(CENTER, 5, root_of(5)).replace("center", "agency-1");
        assert!(checker.published(0, &unsigned).is_err());
    }

    #[test]
    fn a_proof_counts_for_its_own_entry_and_a_published_checkpoint_only() {
        let mut checker = checker(4);
        let note = note(CENTER, 2, root_of(2));
        let other = STANDARD.encode(leaf(&[0; 32], &[0]));
        let proof = format!("c2sp.org/tlog-proof@v1\nindex 1\n{other}\n\n{note}");
        let asks = |checker: &Checker, entry: &[u8]| {
            checker.proven(CENTER, entry, &[1; 32], &proof).is_ok()
        };
        assert!(!asks(&checker, &[1]), "it was not published");
        assert_eq!(checker.published(0, &note), Ok(()));
        assert!(asks(&checker, &[1]));
        assert!(!asks(&checker, &[2]));
        assert!(checker.proven("jukinet.example/x", &[1], &[1; 32], &proof).is_err());
    }
}
