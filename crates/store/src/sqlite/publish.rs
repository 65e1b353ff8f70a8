//! The published side of the ledger: tiles and checkpoint on disk, always behind the database.
//!
//! Order: commit, then tiles, then the signed checkpoint; each synced before the next. So the
//! checkpoint on disk never covers more than the database has, and a database that has less than
//! the checkpoint is an older copy put back, which is refused.

use ledger::checkpoint::{Checkpoint, parse_and_verify, signed_checkpoint};
use ledger::note::{Note, NoteSigner, VerifierKey};
use ledger::{
    Hash, HashError, HashReader, LedgerFiles, Publication, TileHashes, inclusion_proof, leaf_hash,
};
use node::ports::StoreError;
use rusqlite::params;

use super::{SqliteStore, io_error};
use crate::Publish;
use crate::ledger_files::LedgerDirectory;
use crate::schema::{Access, store_error, to_sql};

pub(super) const CHECKPOINT_PATH: &str = "checkpoint";
pub(super) const VERIFIER_KEY_PATH: &str = "ledger.vkey";

/// Leaves taken up before their files are written: bounds the memory of a rebuild to a few MiB.
const LEAVES_PER_WRITE_COUNT_MAX: u64 = 16_384;

/// Leaves compared with the database at start: one tile, the end where two histories would differ.
const LEAVES_COMPARED_COUNT_MAX: u64 = 256;

/// What is on disk.
#[derive(Debug, Default)]
pub(super) struct Published {
    publication: Publication,
    latest: Option<(Checkpoint, String)>,
    /// Partial files that an earlier checkpoint still needs; removed after the next one.
    obsolete: Vec<String>,
}

impl Published {
    pub(super) fn latest(&self) -> Option<(&Checkpoint, &str)> {
        self.latest.as_ref().map(|(checkpoint, note)| (checkpoint, note.as_str()))
    }

    /// The path from leaf `index` to the root of the latest checkpoint.
    pub(super) fn inclusion(
        &self,
        files: &LedgerDirectory,
        index: u64,
    ) -> Result<Vec<Hash>, HashError> {
        let size = self.latest.as_ref().map_or(0, |(checkpoint, _)| checkpoint.size);
        let reader =
            EdgeThenFiles { publication: &self.publication, files: TileHashes::new(files, size) };
        inclusion_proof(&reader, index, size)
    }
}

/// Hashes of the latest checkpoint's tree. Memory may be further than the files after a publication
/// that failed half-way; a complete subtree is the same in every later tree.
struct EdgeThenFiles<'a> {
    publication: &'a Publication,
    files: TileHashes<'a>,
}

impl HashReader for EdgeThenFiles<'_> {
    fn hash(&self, level: u8, index: u64) -> Result<Hash, HashError> {
        self.publication.hash(level, index).or_else(|_| self.files.hash(level, index))
    }
}

impl Publish for SqliteStore {
    fn publish(&mut self, signer: &dyn NoteSigner) -> Result<Checkpoint, StoreError> {
        if self.access == Access::ReadOnly {
            return Err(StoreError::Io("the store was opened for reading only".into()));
        }
        if let Some((checkpoint, _)) = &self.published.latest
            && checkpoint.size == self.entries_committed
        {
            return Ok(checkpoint.clone());
        }
        self.require_signer(signer)?;
        let superseded = self.extend_files(self.entries_committed)?;
        let publication = &self.published.publication;
        let checkpoint = Checkpoint {
            origin: self.origin.clone(),
            size: publication.size(),
            root: publication.root(),
        };
        let note = signed_checkpoint(&checkpoint, signer)
            .map_err(|error| StoreError::Key(error.to_string()))?;
        self.files.write(CHECKPOINT_PATH, note.as_bytes()).map_err(io_error)?;
        self.published.latest = Some((checkpoint.clone(), note));
        // Readers may still hold the checkpoint before this one: its partial files go one later.
        for directory in std::mem::replace(&mut self.published.obsolete, superseded) {
            if self.files.remove_directory(&directory).is_err() {
                // Left-over files do no harm, and the checkpoint is out: tried again next time.
                self.published.obsolete.push(directory);
            }
        }
        Ok(checkpoint)
    }

    fn unpublished(&self) -> u64 {
        let size = self.published.latest.as_ref().map_or(0, |(checkpoint, _)| checkpoint.size);
        self.entries_committed.saturating_sub(size)
    }
}

impl SqliteStore {
    /// The key in `ledger.vkey` is the ledger's for good; another key would fork it.
    fn require_signer(&self, signer: &dyn NoteSigner) -> Result<(), StoreError> {
        let text = format!("{}\n", signer.verifier_key());
        match self.files.read(VERIFIER_KEY_PATH).map_err(StoreError::Io)? {
            Some(kept) if kept == text.as_bytes() => Ok(()),
            Some(_) => Err(StoreError::Key("the signer is not the one of ledger.vkey".into())),
            None => self.files.write(VERIFIER_KEY_PATH, text.as_bytes()).map_err(io_error),
        }
    }

    /// Write every file a tree of `size` leaves needs; returns the directories it makes obsolete.
    fn extend_files(&mut self, size: u64) -> Result<Vec<String>, StoreError> {
        let mut superseded = Vec::new();
        // Also once for nothing new: an attempt that failed left files due.
        loop {
            let first = self.published.publication.size();
            let until = size.min(first.saturating_add(LEAVES_PER_WRITE_COUNT_MAX));
            for leaf in self.leaves(first, until)? {
                self.published.publication.append(leaf);
            }
            for file in self.published.publication.files() {
                self.files.write(&file.path, &file.bytes).map_err(io_error)?;
                superseded.extend(file.supersedes);
            }
            self.published.publication.mark_written();
            if until >= size {
                return Ok(superseded);
            }
        }
    }

    /// Leaf data `first..until` from the database.
    fn leaves(&self, first: u64, until: u64) -> Result<Vec<[u8; 32]>, StoreError> {
        self.db
            .prepare_cached("SELECT leaf_data FROM entry WHERE idx >= ?1 AND idx < ?2 ORDER BY idx")
            .and_then(|mut statement| {
                statement
                    .query_map(params![to_sql(first), to_sql(until)], |row| row.get(0))?
                    .collect()
            })
            .map_err(store_error)
    }

    /// Take up at start what an earlier run published, and refuse what it contradicts.
    pub(super) fn adopt_published(&mut self) -> Result<(), StoreError> {
        let Some((checkpoint, note)) = self.checkpoint_on_disk()? else { return Ok(()) };
        let (size, held) = (checkpoint.size, self.entries_committed);
        if size > held {
            return Err(StoreError::LedgerAhead { ledger: size, store: held });
        }
        let adopted = Publication::from_files(&self.files, size, &checkpoint.root)
            .ok()
            .filter(|publication| self.agrees(publication, size).unwrap_or(false));
        match adopted {
            Some(publication) => self.published.publication = publication,
            None => self.rebuild_files(&checkpoint)?,
        }
        self.published.latest = Some((checkpoint, note));
        Ok(())
    }

    fn checkpoint_on_disk(&self) -> Result<Option<(Checkpoint, String)>, StoreError> {
        let damaged = |what: &str| StoreError::Damaged(format!("the ledger's {what}"));
        let Some(bytes) = self.files.read(CHECKPOINT_PATH).map_err(StoreError::Io)? else {
            return Ok(None);
        };
        let note =
            String::from_utf8(bytes).map_err(|_| damaged("checkpoint is not text; restore it"))?;
        let key = self.files.read(VERIFIER_KEY_PATH).map_err(StoreError::Io)?;
        let checkpoint = match key.map(String::from_utf8) {
            None => Note::parse(&note)
                .ok()
                .and_then(|parsed| Checkpoint::parse(parsed.text()).ok())
                .ok_or_else(|| damaged("checkpoint does not parse; restore it"))?,
            Some(key) => key
                .ok()
                .and_then(|key| VerifierKey::parse(&key).ok())
                .and_then(|key| parse_and_verify(&note, &key).ok())
                .ok_or_else(|| damaged("checkpoint is not signed by ledger.vkey; restore it"))?,
        };
        if checkpoint.origin != self.origin {
            return Err(damaged("checkpoint is another ledger's"));
        }
        Ok(Some((checkpoint, note)))
    }

    /// Whether the last leaves of the published tree are those of the database. An older database
    /// put back and written on differs at the end, because every salt is new.
    fn agrees(&self, publication: &Publication, size: u64) -> Result<bool, StoreError> {
        let first = size.saturating_sub(LEAVES_COMPARED_COUNT_MAX);
        let reader = EdgeThenFiles { publication, files: TileHashes::new(&self.files, size) };
        let leaves = self.leaves(first, size)?;
        Ok((first..size).zip(&leaves).all(|(index, leaf)| {
            reader.hash(0, index).is_ok_and(|published| published == leaf_hash(leaf))
        }))
    }

    /// Make the files again from the database; they must lead to the checkpoint's root.
    fn rebuild_files(&mut self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        let mut publication = Publication::new();
        while publication.size() < checkpoint.size {
            let first = publication.size();
            let until = checkpoint.size.min(first.saturating_add(LEAVES_PER_WRITE_COUNT_MAX));
            let leaves = self.leaves(first, until)?;
            if leaves.is_empty() {
                return Err(StoreError::Damaged("the entries are not contiguous".into()));
            }
            for leaf in leaves {
                publication.append(leaf);
            }
            publication.mark_written();
        }
        if publication.root() != checkpoint.root {
            return Err(StoreError::LedgerAhead {
                ledger: checkpoint.size,
                store: self.entries_committed,
            });
        }
        if self.access == Access::ReadOnly {
            self.published.publication = publication;
            return Ok(());
        }
        self.published.publication = Publication::new();
        self.extend_files(checkpoint.size).map(|_| ())
    }

    /// Make every published file again from the database, after `fsck` found one damaged.
    ///
    /// # Errors
    /// `LedgerAhead` when the database does not lead to the signed root; otherwise as named.
    pub fn repair_ledger_files(&mut self) -> Result<(), StoreError> {
        self.require_idle()?;
        match self.published.latest.clone() {
            Some((checkpoint, _)) => self.rebuild_files(&checkpoint),
            None => Ok(()),
        }
    }
}
