//! What the tests share: a signer with a fixed seed, files in memory, ledgers of any size.
//!
//! Not here: assertions.

use std::collections::BTreeMap;

use ed25519_dalek::{Signer, SigningKey};
use ledger::checkpoint::{Checkpoint, signed_checkpoint};
use ledger::note::{NoteSigner, SignError, VerifierKey};
use ledger::{CHECKPOINT_PATH, Hash, LedgerFiles, Publication, VERIFIER_KEY_PATH, node_hash};
use sha2::{Digest, Sha256};

pub(crate) const ORIGIN: &str = "jukinet.example/center";

/// A key in memory; `vkey` may be swapped to play a device that holds another key than it says.
pub(crate) struct TestSigner {
    key: SigningKey,
    pub(crate) vkey: VerifierKey,
}

impl TestSigner {
    pub(crate) fn ledger(name: &str, seed: u8) -> Self {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let vkey = VerifierKey::ed25519(name, &key.verifying_key().to_bytes()).unwrap();
        Self { key, vkey }
    }

    pub(crate) fn witness(name: &str, seed: u8) -> Self {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let vkey = VerifierKey::cosignature(name, &key.verifying_key().to_bytes()).unwrap();
        Self { key, vkey }
    }
}

impl NoteSigner for TestSigner {
    fn name(&self) -> &str {
        self.vkey.name()
    }

    fn verifier_key(&self) -> &VerifierKey {
        &self.vkey
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        Ok(self.key.sign(message).to_bytes())
    }
}

/// The published files of one ledger, in memory.
#[derive(Clone, Default)]
pub(crate) struct MapFiles {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) listed: bool,
}

impl LedgerFiles for MapFiles {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(self.files.get(path).cloned())
    }

    fn list(&self) -> Result<Option<Vec<String>>, String> {
        Ok(self.listed.then(|| self.files.keys().cloned().collect()))
    }
}

/// Leaf data that no two indices share.
pub(crate) fn leaf(index: u64) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(b"leaf");
    hasher.update(index.to_be_bytes());
    hasher.finalize().into()
}

pub(crate) fn leaves(size: u64) -> Vec<[u8; 32]> {
    (0..size).map(leaf).collect()
}

/// A complete ledger over these leaves, written at once and signed.
pub(crate) fn ledger_of(data: &[[u8; 32]], signer: &TestSigner) -> MapFiles {
    let publication = Publication::from_leaf_data(data.iter().copied(), 0);
    let mut files = MapFiles::default();
    write(&mut files, &publication);
    sign(&mut files, publication.size(), publication.root(), signer);
    files.files.insert(VERIFIER_KEY_PATH.to_owned(), format!("{}\n", signer.vkey).into_bytes());
    files
}

pub(crate) fn write(files: &mut MapFiles, publication: &Publication) {
    for file in publication.files() {
        files.files.insert(file.path, file.bytes);
    }
}

pub(crate) fn sign(files: &mut MapFiles, size: u64, root: Hash, signer: &TestSigner) {
    let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size, root };
    let note = signed_checkpoint(&checkpoint, signer).unwrap();
    files.files.insert(CHECKPOINT_PATH.to_owned(), note.into_bytes());
}

/// The definition of RFC 6962, section 2.1, word for word: slow and obviously right.
pub(crate) fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash(Sha256::digest([]).into()),
        [one] => *one,
        many => {
            let mut middle = 1;
            while middle * 2 < many.len() {
                middle *= 2;
            }
            let (left, right) = many.split_at(middle);
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}
