//! The store on PostgreSQL under test: a database and a ledger directory of its own.

use std::path::PathBuf;

use ledger::checkpoint::Checkpoint;
use ledger::note::NoteSigner;
use node::ports::{NewEntry, Reads, Recorded, Store, StoreError, Write};
use postgres::Client;
use store::{Erased, Month, PostgresStore, Publish};
use tempfile::TempDir;

use crate::bench::{Bench, ORIGIN, TermToken, TestDice};
use crate::cluster::{Cluster, shared};

pub(crate) struct PostgresBench {
    pub(crate) dir: TempDir,
    pub(crate) store: Option<PostgresStore>,
    pub(crate) database: String,
    pub(crate) token: TermToken,
    dice: TestDice,
}

impl PostgresBench {
    pub(crate) fn new() -> Self {
        Self::on(shared())
    }

    pub(crate) fn on(cluster: &Cluster) -> Self {
        let mut bench = Self {
            dir: tempfile::tempdir().unwrap(),
            store: None,
            database: cluster.database(),
            token: TermToken::default(),
            dice: TestDice(1),
        };
        bench.open_on(cluster).unwrap();
        bench
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.dir.path().join("ledger")
    }

    pub(crate) fn open(&mut self) -> Result<(), StoreError> {
        self.open_on(shared())
    }

    pub(crate) fn open_on(&mut self, cluster: &Cluster) -> Result<(), StoreError> {
        self.store = None;
        let mut dice = |out: &mut [u8]| self.dice.fill(out);
        let store = PostgresStore::open(
            &cluster.target(&self.database),
            &self.dir.path().join("ledger"),
            &self.token,
            ORIGIN,
            &mut dice,
        )?;
        self.store = Some(store);
        Ok(())
    }

    pub(crate) fn store(&self) -> &PostgresStore {
        self.store.as_ref().unwrap()
    }

    pub(crate) fn store_mut(&mut self) -> &mut PostgresStore {
        self.store.as_mut().unwrap()
    }

    /// The database seen by its administrator.
    pub(crate) fn admin(&self) -> Client {
        shared().admin(&self.database)
    }
}

impl Bench for PostgresBench {
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
