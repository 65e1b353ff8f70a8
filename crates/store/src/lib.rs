//! Where it is kept: `node`'s ports on SQLite, and a model of the same ports in memory.
//!
//! Every row with personal data is one sealed payload; what can be looked up is only what the keyed
//! digests of the legal search keys allow, so a copied file answers nothing. The ledger's published
//! files follow the database and never lead it. Paths, entropy and the token's key are handed in.
//!
//! Not here: what may be told to whom (`law`), when something must be erased, how tokens work
//! (`token`), and any storage engine of our own.
//!
//! - `schema`, `codec`, `compact`, `row`, `seal`: the file, plain rows, sealed rows
//! - `keys`, `keyring`, `month`: root key, derived keys, retention cohorts
//! - [`sqlite`], `ledger_files`: the adapter
//! - [`model`]: the same port without a disk, for the lab and as the measure of the adapter
//! - [`fsck`]: what a check reports
//! - [`register`]: the existing resident register, a file apart that no node opens

pub mod backup;
mod bulk;
mod check;
mod codec;
mod compact;
pub mod engine;
mod erased;
pub mod fsck;
mod keyring;
pub mod keys;
pub mod ledger_files;
pub mod model;
mod month;
mod places;
pub mod postgres;
mod published;
mod raw;
pub mod register;
mod row;
mod schema;
mod seal;
mod sealing;
pub mod sqlite;
mod transfer;

use ledger::checkpoint::Checkpoint;
use ledger::note::NoteSigner;
use node::ports::StoreError;

pub use engine::{NodeStore, Place};
pub use erased::{Erase, Erased};
pub use fsck::{Fault, FsckReport, PopulationDigest};
pub use keys::{KeyError, KeySource};
pub use model::ModelStore;
pub use month::Month;
pub use postgres::PostgresStore;
pub use sqlite::{LoadProgress, SqliteStore};
pub use transfer::{Moved, Progress, TableDigest};

/// What the runner does with a store besides the port: publish the ledger from time to time.
pub trait Publish {
    /// Publish every committed entry: write the files, then one signed checkpoint over them. Not
    /// tied to a commit, so that one signature can cover a second's work; without anything new the
    /// last checkpoint is returned and nothing is signed.
    ///
    /// # Errors
    /// `Key` when the signer does not sign or is not the ledger's; otherwise as for a commit. The
    /// database is not touched, and the next call goes on where this one stopped.
    fn publish(&mut self, signer: &dyn NoteSigner) -> Result<Checkpoint, StoreError>;

    /// How many committed entries no checkpoint covers yet.
    fn unpublished(&self) -> u64;
}
