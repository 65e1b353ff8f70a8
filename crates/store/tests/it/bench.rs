//! What every contract test runs on: a store that can crash and start again, real or model.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use ed25519_dalek::{Signer, SigningKey};
use ledger::checkpoint::Checkpoint;
use ledger::note::{NoteSigner, SignError, VerifierKey};
use node::ports::{NewEntry, Reads, Recorded, Store, StoreError, Write};
use store::{Erased, KeyError, KeySource, ModelStore, Month, Publish, SqliteStore};
use tempfile::TempDir;
use zeroize::Zeroizing;

pub(crate) const ORIGIN: &str = "jukinet.example/center";

/// A token for tests: XOR with one byte and the nonce in front. It only has to come back.
pub(crate) struct TestToken(pub(crate) u8);

impl KeySource for TestToken {
    fn wrap(&self, plain: &[u8], nonce: [u8; 12]) -> Result<Vec<u8>, KeyError> {
        let mut wrapped = nonce.to_vec();
        wrapped.push(self.0);
        wrapped.extend(plain.iter().map(|byte| byte ^ self.0));
        Ok(wrapped)
    }

    fn unwrap(&self, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        match wrapped.split_at_checked(13) {
            Some((head, rest)) if head.last() == Some(&self.0) => {
                Ok(Zeroizing::new(rest.iter().map(|byte| byte ^ self.0).collect()))
            }
            _ => Err(KeyError("wrapped by another token".into())),
        }
    }

    fn retention_create(&self, _: &str) -> Result<(), KeyError> {
        Ok(())
    }

    fn retention_wrap(&self, _: &str, plain: &[u8], nonce: [u8; 12]) -> Result<Vec<u8>, KeyError> {
        self.wrap(plain, nonce)
    }

    fn retention_unwrap(
        &self,
        _: &str,
        wrapped: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
        self.unwrap(wrapped).map(Some)
    }

    fn retention_destroy(&self, _: &str) -> Result<(), KeyError> {
        Ok(())
    }

    fn retention_names(&self) -> Result<Vec<String>, KeyError> {
        Ok(vec!["row-1".to_owned()])
    }

    fn share(&self) -> Arc<dyn KeySource + Send + Sync> {
        Arc::new(Self(self.0))
    }
}

/// The same token, which knows which keys for terms it still has; it can be made to fail.
#[derive(Clone, Default)]
pub(crate) struct TermToken(Arc<Mutex<Terms>>);

#[derive(Default)]
struct Terms {
    names: BTreeSet<String>,
    /// Destroying a key fails from now on.
    stuck: bool,
}

impl TermToken {
    const INNER: TestToken = TestToken(0x5a);

    pub(crate) fn names(&self) -> Vec<String> {
        self.0.lock().unwrap().names.iter().cloned().collect()
    }

    /// Without this key from now on, as from an older copy of the token.
    pub(crate) fn lose(&self, name: &str) -> bool {
        self.0.lock().unwrap().names.remove(name)
    }

    pub(crate) fn find(&self, name: &str) {
        self.0.lock().unwrap().names.insert(name.to_owned());
    }

    pub(crate) fn stick(&self, stuck: bool) {
        self.0.lock().unwrap().stuck = stuck;
    }

    fn require(&self, name: &str) -> Result<(), KeyError> {
        let held = self.0.lock().unwrap().names.contains(name);
        if held { Ok(()) } else { Err(KeyError(format!("no key {name}"))) }
    }
}

impl KeySource for TermToken {
    fn wrap(&self, plain: &[u8], nonce: [u8; 12]) -> Result<Vec<u8>, KeyError> {
        Self::INNER.wrap(plain, nonce)
    }

    fn unwrap(&self, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        Self::INNER.unwrap(wrapped)
    }

    fn retention_create(&self, name: &str) -> Result<(), KeyError> {
        self.0.lock().unwrap().names.insert(name.to_owned());
        Ok(())
    }

    fn retention_wrap(
        &self,
        name: &str,
        plain: &[u8],
        nonce: [u8; 12],
    ) -> Result<Vec<u8>, KeyError> {
        self.require(name)?;
        Self::INNER.wrap(plain, nonce)
    }

    fn retention_unwrap(
        &self,
        name: &str,
        wrapped: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
        if self.require(name).is_err() {
            return Ok(None);
        }
        Self::INNER.unwrap(wrapped).map(Some)
    }

    fn retention_destroy(&self, name: &str) -> Result<(), KeyError> {
        let mut terms = self.0.lock().unwrap();
        if terms.stuck {
            return Err(KeyError("the device is out".into()));
        }
        terms.names.remove(name);
        Ok(())
    }

    fn retention_names(&self) -> Result<Vec<String>, KeyError> {
        Ok(self.names())
    }

    fn share(&self) -> Arc<dyn KeySource + Send + Sync> {
        Arc::new(self.clone())
    }
}

/// Signs checkpoints; refuses while `broken`.
pub(crate) struct TestSigner {
    key: SigningKey,
    verifier: VerifierKey,
    pub(crate) broken: bool,
}

impl TestSigner {
    pub(crate) fn new(origin: &str, seed: u8) -> Self {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let verifier = VerifierKey::ed25519(origin, key.verifying_key().as_bytes()).unwrap();
        Self { key, verifier, broken: false }
    }
}

impl NoteSigner for TestSigner {
    fn name(&self) -> &str {
        self.verifier.name()
    }

    fn verifier_key(&self) -> &VerifierKey {
        &self.verifier
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        if self.broken {
            return Err(SignError::new("the device is out"));
        }
        Ok(self.key.sign(message).to_bytes())
    }
}

pub(crate) fn signer() -> TestSigner {
    TestSigner::new(ORIGIN, 5)
}

/// SplitMix64: dice that follow from a seed.
pub(crate) struct TestDice(pub(crate) u64);

impl TestDice {
    pub(crate) fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            let bytes = self.next().to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// A store under test.
pub(crate) trait Bench {
    fn reads(&self) -> &dyn Reads;
    fn try_apply(
        &mut self,
        writes: &[Write],
        entries: &[NewEntry],
    ) -> Result<Vec<Recorded>, StoreError>;
    fn try_commit(&mut self) -> Result<(), StoreError>;
    fn rollback(&mut self);
    fn publish(&mut self, signer: &dyn NoteSigner) -> Result<Checkpoint, StoreError>;
    fn unpublished(&self) -> u64;
    /// Erase what expired before the month.
    fn erase(&mut self, month: Month) -> Result<Erased, StoreError>;
    /// Lose the open group and start again.
    fn crash(&mut self);

    fn apply(&mut self, writes: &[Write]) {
        self.try_apply(writes, &[]).unwrap();
    }

    fn put(&mut self, writes: &[Write]) {
        self.apply(writes);
        self.try_commit().unwrap();
    }

    fn record(&mut self, entries: &[NewEntry]) -> Vec<Recorded> {
        let recorded = self.try_apply(&[], entries).unwrap();
        self.try_commit().unwrap();
        recorded
    }
}

/// The real store in a directory of its own.
pub(crate) struct SqliteBench {
    pub(crate) dir: TempDir,
    pub(crate) store: Option<SqliteStore>,
    pub(crate) dice: TestDice,
    pub(crate) token: TermToken,
}

impl SqliteBench {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let token = TermToken::default();
        let mut bench = Self { dir, store: None, dice: TestDice(1), token };
        bench.open().unwrap();
        bench
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.dir.path().join("store.db")
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.dir.path().join("ledger")
    }

    pub(crate) fn open(&mut self) -> Result<(), StoreError> {
        self.store = None;
        let mut dice = |out: &mut [u8]| self.dice.fill(out);
        let store = SqliteStore::open(
            &self.dir.path().join("store.db"),
            &self.dir.path().join("ledger"),
            &self.token,
            ORIGIN,
            &mut dice,
        )?;
        self.store = Some(store);
        Ok(())
    }

    pub(crate) fn store(&self) -> &SqliteStore {
        self.store.as_ref().unwrap()
    }

    pub(crate) fn store_mut(&mut self) -> &mut SqliteStore {
        self.store.as_mut().unwrap()
    }
}

impl Bench for SqliteBench {
    fn reads(&self) -> &dyn Reads {
        self.store().reads()
    }

    fn try_apply(
        &mut self,
        writes: &[Write],
        entries: &[NewEntry],
    ) -> Result<Vec<Recorded>, StoreError> {
        let dice = &mut self.dice;
        self.store.as_mut().unwrap().apply(writes, entries, &mut |out| dice.fill(out))
    }

    fn try_commit(&mut self) -> Result<(), StoreError> {
        self.store_mut().commit()
    }

    fn rollback(&mut self) {
        self.store_mut().rollback();
    }

    fn publish(&mut self, signer: &dyn NoteSigner) -> Result<Checkpoint, StoreError> {
        self.store_mut().publish(signer)
    }

    fn unpublished(&self) -> u64 {
        self.store().unpublished()
    }

    fn erase(&mut self, month: Month) -> Result<Erased, StoreError> {
        let dice = &mut self.dice;
        self.store.as_mut().unwrap().erase_cohorts_before(month, &mut |out| dice.fill(out))
    }

    fn crash(&mut self) {
        self.open().unwrap();
    }
}

/// The model.
pub(crate) struct ModelBench {
    pub(crate) store: ModelStore,
    dice: TestDice,
}

impl ModelBench {
    pub(crate) fn new() -> Self {
        Self { store: ModelStore::new(ORIGIN), dice: TestDice(1) }
    }
}

impl Bench for ModelBench {
    fn reads(&self) -> &dyn Reads {
        self.store.reads()
    }

    fn try_apply(
        &mut self,
        writes: &[Write],
        entries: &[NewEntry],
    ) -> Result<Vec<Recorded>, StoreError> {
        let dice = &mut self.dice;
        self.store.apply(writes, entries, &mut |out| dice.fill(out))
    }

    fn try_commit(&mut self) -> Result<(), StoreError> {
        self.store.commit()
    }

    fn rollback(&mut self) {
        self.store.rollback();
    }

    fn publish(&mut self, signer: &dyn NoteSigner) -> Result<Checkpoint, StoreError> {
        self.store.publish(signer)
    }

    fn unpublished(&self) -> u64 {
        self.store.unpublished()
    }

    fn erase(&mut self, month: Month) -> Result<Erased, StoreError> {
        self.store.erase_cohorts_before(month)
    }

    fn crash(&mut self) {
        self.store.lose_unsynced().unwrap();
    }
}
