//! What a node has kept, read from its own files with its own token: the store beside the running
//! process, and the published ledger.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ledger::note::VerifierKey;
use ledger::verify::{Verification, verify_ledger};
use ledger::{Entry, EntryKind, LedgerFiles};
use node::ports::{Counter, Reads, Store as _};
use store::{FsckReport, KeyError, KeySource, SqliteStore};
use token::{KeyName, Token, TokenError};
use wire::{Directory, NodeId, SignedDirectory};
use zeroize::Zeroizing;

use super::country::Country;
use super::{LiveError, place};

/// Entries read at once.
const ENTRIES_PER_READ_COUNT: usize = 1_024;

/// One node's store, opened for reading.
pub(crate) struct Keeping {
    node: String,
    store: SqliteStore,
    folder: PathBuf,
}

/// Entries by what they record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kinds {
    pub(crate) provision: u64,
    pub(crate) no_provision: u64,
    pub(crate) refusal: u64,
}

struct TokenKeys(Arc<dyn Token>);

impl KeySource for TokenKeys {
    fn wrap(&self, plain: &[u8], nonce: [u8; 12]) -> Result<Vec<u8>, KeyError> {
        self.0.wrap(KeyName::Storage, plain, nonce).map_err(|error| KeyError(error.to_string()))
    }

    fn unwrap(&self, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        self.0.unwrap(KeyName::Storage, wrapped).map_err(|error| KeyError(error.to_string()))
    }

    fn retention_create(&self, _: &str) -> Result<(), KeyError> {
        Err(reads_only())
    }

    fn retention_wrap(&self, _: &str, _: &[u8], _: [u8; 12]) -> Result<Vec<u8>, KeyError> {
        Err(reads_only())
    }

    fn retention_unwrap(
        &self,
        name: &str,
        wrapped: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
        match self.0.retention_unwrap(name, wrapped) {
            Ok(plain) => Ok(Some(plain)),
            Err(TokenError::RetentionGone { .. }) => Ok(None),
            Err(error) => Err(KeyError(error.to_string())),
        }
    }

    fn retention_destroy(&self, _: &str) -> Result<(), KeyError> {
        Err(reads_only())
    }

    fn retention_names(&self) -> Result<Vec<String>, KeyError> {
        self.0.retention_names().map_err(|error| KeyError(error.to_string()))
    }

    fn share(&self) -> Arc<dyn KeySource + Send + Sync> {
        Arc::new(Self(Arc::clone(&self.0)))
    }
}

/// What is looked at here belongs to a running node.
fn reads_only() -> KeyError {
    KeyError("a bench makes and destroys no keys of a node".to_owned())
}

impl Keeping {
    pub(crate) fn open(country: &Country, node: &str) -> Result<Self, LiveError> {
        let config = country.config(node);
        let folder = config.parent().unwrap_or_else(|| Path::new("")).to_path_buf();
        Self::of(node, &folder, place::node_token(&config)?)
    }

    /// The store in a node's folder, with the token that is its key.
    pub(crate) fn of(node: &str, folder: &Path, token: Arc<dyn Token>) -> Result<Self, LiveError> {
        let keys = TokenKeys(token);
        let folder = folder.to_path_buf();
        let store = folder.join("data").join("register.sqlite");
        let store = SqliteStore::open_read_only(&store, &folder.join("ledger"), &keys)
            .map_err(|error| fault(node, &error))?;
        Ok(Self { node: node.to_owned(), store, folder })
    }

    pub(crate) fn reads(&self) -> &dyn Reads {
        self.store.reads()
    }

    /// Bytes of the database by table and index.
    pub(crate) fn bytes_by_table(&self) -> Result<BTreeMap<String, u64>, LiveError> {
        self.store.bytes_by_table().map_err(|error| fault(&self.node, &error))
    }

    /// Checks everything the store holds.
    pub(crate) fn check(&self) -> Result<FsckReport, LiveError> {
        self.store.fsck().map_err(|error| fault(&self.node, &error))
    }

    /// Residents it holds as current.
    pub(crate) fn residents(&self) -> Result<u64, LiveError> {
        self.reads().residents_count().map_err(|error| fault(&self.node, &error))
    }

    /// The directory it has, as it verified it.
    pub(crate) fn directory(&self) -> Option<Directory> {
        let kept = self.reads().directory().ok().flatten()?;
        Directory::decode(&SignedDirectory::decode(&kept).ok()?.body).ok()
    }

    /// Every entry, in order.
    pub(crate) fn every_entry(&self) -> Result<Vec<Entry>, LiveError> {
        let mut all = Vec::new();
        loop {
            let read = self.reads().entries_from(all.len() as u64, ENTRIES_PER_READ_COUNT);
            let entries = read.map_err(|error| fault(&self.node, &error))?;
            if entries.is_empty() {
                return Ok(all);
            }
            let parse =
                |entry: &[u8]| Entry::parse(entry).map_err(|error| fault(&self.node, &error));
            for open in &entries {
                all.push(parse(&open.entry)?);
            }
        }
    }

    /// How many changes the entries of this kind count together.
    pub(crate) fn counted(&self, kind: EntryKind) -> Result<u64, LiveError> {
        let (mut next, mut sum) = (0, 0);
        loop {
            let read = self.reads().entries_from(next, ENTRIES_PER_READ_COUNT);
            let entries = read.map_err(|error| fault(&self.node, &error))?;
            let Some(last) = entries.last() else { return Ok(sum) };
            next = last.index + 1;
            let parsed = entries.iter().filter_map(|open| Entry::parse(&open.entry).ok());
            sum += parsed.filter(|e| e.kind() == kind).filter_map(|e| e.count()).sum::<u64>();
        }
    }

    /// Entries in the ledger now.
    pub(crate) fn entries(&self) -> Result<u64, LiveError> {
        self.reads().entries_count().map_err(|error| fault(&self.node, &error))
    }

    /// What the entries from `first` on record.
    pub(crate) fn kinds_from(&self, first: u64) -> Result<Kinds, LiveError> {
        let mut kinds = Kinds::default();
        let mut next = first;
        loop {
            let read = self.reads().entries_from(next, ENTRIES_PER_READ_COUNT);
            let entries = read.map_err(|error| fault(&self.node, &error))?;
            let Some(last) = entries.last() else { return Ok(kinds) };
            next = last.index + 1;
            for open in &entries {
                match Entry::parse(&open.entry).map(|entry| entry.kind()) {
                    Ok(EntryKind::Provision) => kinds.provision += 1,
                    Ok(EntryKind::NoProvision) => kinds.no_provision += 1,
                    Ok(EntryKind::Refusal) => kinds.refusal += 1,
                    _ => {}
                }
            }
        }
    }

    /// Entries not yet gone through for disclosure, and rows not yet handed to these prefectures.
    pub(crate) fn not_handed_over(&self, to: &[NodeId]) -> Result<u64, LiveError> {
        let failed = |error: node::ports::ReadError| fault(&self.node, &error);
        let gone = self.reads().counter(&Counter::Disclosed).map_err(failed)?;
        let mut waiting = self.entries()?.saturating_sub(gone);
        for to in to {
            let (acknowledged, last) = self.reads().queue_bounds(to).map_err(failed)?;
            waiting += last.saturating_sub(acknowledged);
        }
        Ok(waiting)
    }

    /// Whether a checkpoint stands in the ledger's folder.
    pub(crate) fn has_published(&self) -> bool {
        self.folder.join("ledger").join("checkpoint").exists()
    }

    /// Recomputes the published ledger from its entry bundles.
    pub(crate) fn verify_ledger(&self) -> Result<Verification, LiveError> {
        let path = self.folder.join("ledger.vkey");
        let text = std::fs::read_to_string(&path).map_err(LiveError::file(&path))?;
        let key = VerifierKey::parse(text.trim())
            .map_err(|error| LiveError::content(&path, error.to_string()))?;
        Ok(verify_ledger(&Folder(self.folder.join("ledger")), &[key]))
    }
}

fn fault(node: &str, error: &dyn std::error::Error) -> LiveError {
    LiveError::Store { node: node.to_owned(), why: error.to_string() }
}

struct Folder(PathBuf);

impl LedgerFiles for Folder {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        match std::fs::read(self.0.join(path)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }
}
