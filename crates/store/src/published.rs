//! The published side of the ledger: tiles and checkpoint on disk, always behind the database.
//!
//! Order: commit, then tiles, then the signed checkpoint; each synced before the next. So the
//! checkpoint on disk never covers more than the database has, and a database that has less than
//! the checkpoint is an older copy put back, which is refused. Which engine keeps the entries does
//! not matter here: leaves come through [`Leaves`].

use ledger::checkpoint::{Checkpoint, parse_and_verify, signed_checkpoint};
use ledger::note::{Note, NoteSigner, VerifierKey};
use ledger::{
    Hash, HashError, HashReader, LedgerFiles, Publication, TileHashes, inclusion_proof, leaf_hash,
    proof, verify_inclusion,
};
use node::ports::{Looked, ReadError, StoreError};

use crate::ledger_files::{LedgerDirectory, io_error};

pub(crate) const CHECKPOINT_PATH: &str = "checkpoint";
pub(crate) const VERIFIER_KEY_PATH: &str = "ledger.vkey";

/// Leaves taken up before their files are written: bounds the memory of a rebuild to a few MiB.
const LEAVES_PER_WRITE_COUNT_MAX: u64 = 16_384;

/// Leaves compared with the database at start: one tile, the end where two histories would differ.
const LEAVES_COMPARED_COUNT_MAX: u64 = 256;

/// Leaf data of the entries, from whichever engine keeps them.
pub(crate) trait Leaves {
    /// Leaf data `first..until`, in order.
    fn leaves(&self, first: u64, until: u64) -> Result<Vec<[u8; 32]>, StoreError>;
}

/// What is on disk, and how it grows.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) files: LedgerDirectory,
    origin: String,
    /// Whether this process may write the files.
    writes: bool,
    publication: Publication,
    latest: Option<(Checkpoint, String)>,
    /// Partial files that an earlier checkpoint still needs; removed after the next one.
    obsolete: Vec<String>,
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

impl Published {
    /// Take up at start what an earlier run published, and refuse what it contradicts. `held` is
    /// the number of entries that are durable.
    pub(crate) fn adopt(
        files: LedgerDirectory,
        origin: &str,
        writes: bool,
        leaves: &dyn Leaves,
        held: u64,
    ) -> Result<Self, StoreError> {
        let mut own = Self {
            files,
            origin: origin.to_owned(),
            writes,
            publication: Publication::new(),
            latest: None,
            obsolete: Vec::new(),
        };
        let Some((checkpoint, note)) = own.checkpoint_on_disk()? else { return Ok(own) };
        let size = checkpoint.size;
        if size > held {
            return Err(StoreError::LedgerAhead { ledger: size, store: held });
        }
        let adopted = Publication::from_files(&own.files, size, &checkpoint.root)
            .ok()
            .filter(|publication| own.agrees(leaves, publication, size).unwrap_or(false));
        match adopted {
            Some(publication) => own.publication = publication,
            None => own.rebuild_files(leaves, &checkpoint, held)?,
        }
        own.latest = Some((checkpoint, note));
        Ok(own)
    }

    /// This ledger's origin line.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// The checkpoint as it lies on disk now, unread.
    pub(crate) fn note_on_disk(&self) -> Result<Option<Vec<u8>>, StoreError> {
        self.files.read(CHECKPOINT_PATH).map_err(StoreError::Io)
    }

    /// The latest signed checkpoint.
    pub(crate) fn note(&self) -> Option<&str> {
        self.latest.as_ref().map(|(_, note)| note.as_str())
    }

    /// How many of `committed` entries no checkpoint covers yet.
    pub(crate) fn unpublished(&self, committed: u64) -> u64 {
        let size = self.latest.as_ref().map_or(0, |(checkpoint, _)| checkpoint.size);
        committed.saturating_sub(size)
    }

    /// Publish every committed entry.
    pub(crate) fn publish(
        &mut self,
        leaves: &dyn Leaves,
        committed: u64,
        signer: &dyn NoteSigner,
    ) -> Result<Checkpoint, StoreError> {
        if !self.writes {
            return Err(read_only());
        }
        if let Some((checkpoint, _)) = &self.latest
            && checkpoint.size == committed
        {
            return Ok(checkpoint.clone());
        }
        self.require_signer(signer)?;
        let superseded = self.extend_files(leaves, committed)?;
        let checkpoint = Checkpoint {
            origin: self.origin.clone(),
            size: self.publication.size(),
            root: self.publication.root(),
        };
        let note = signed_checkpoint(&checkpoint, signer)
            .map_err(|error| StoreError::Key(error.to_string()))?;
        self.files.write(CHECKPOINT_PATH, note.as_bytes()).map_err(io_error)?;
        self.latest = Some((checkpoint.clone(), note));
        // Readers may still hold the checkpoint before this one: its partial files go one later.
        for directory in std::mem::replace(&mut self.obsolete, superseded) {
            if self.files.remove_directory(&directory).is_err() {
                // Left-over files do no harm, and the checkpoint is out: tried again next time.
                self.obsolete.push(directory);
            }
        }
        Ok(checkpoint)
    }

    /// tlog-proof of entry `index`; `None` while not covered.
    pub(crate) fn proof(&self, leaves: &dyn Leaves, index: u64) -> Looked<Option<String>> {
        let Some((checkpoint, note)) = &self.latest else { return Ok(None) };
        let size = checkpoint.size;
        if index >= size {
            return Ok(None);
        }
        let reader = EdgeThenFiles {
            publication: &self.publication,
            files: TileHashes::new(&self.files, size),
        };
        let hashes = inclusion_proof(&reader, index, size)
            .map_err(|error| ReadError::Store(format!("ledger files: {error}; run fsck")))?;
        let data = leaves
            .leaves(index, index.saturating_add(1))
            .map_err(|error| ReadError::Store(error.to_string()))?;
        let data = data
            .first()
            .ok_or_else(|| ReadError::Store(format!("entry {index} is missing; run fsck")))?;
        // A proof from damaged files must not reach a resident who would find it wrong at home.
        verify_inclusion(&leaf_hash(data), index, size, &hashes, &checkpoint.root).map_err(
            |_| ReadError::Store("ledger files do not prove the entry; run fsck".into()),
        )?;
        Ok(Some(proof::encode(index, &hashes, note)))
    }

    /// Make every published file again from the entries.
    pub(crate) fn repair(&mut self, leaves: &dyn Leaves, held: u64) -> Result<(), StoreError> {
        match self.latest.clone() {
            Some((checkpoint, _)) => self.rebuild_files(leaves, &checkpoint, held),
            None => Ok(()),
        }
    }

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
    fn extend_files(&mut self, leaves: &dyn Leaves, size: u64) -> Result<Vec<String>, StoreError> {
        let mut superseded = Vec::new();
        // Also once for nothing new: an attempt that failed left files due.
        loop {
            let first = self.publication.size();
            let until = size.min(first.saturating_add(LEAVES_PER_WRITE_COUNT_MAX));
            for leaf in leaves.leaves(first, until)? {
                self.publication.append(leaf);
            }
            for file in self.publication.files() {
                self.files.write(&file.path, &file.bytes).map_err(io_error)?;
                superseded.extend(file.supersedes);
            }
            self.publication.mark_written();
            if until >= size {
                return Ok(superseded);
            }
        }
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
    fn agrees(
        &self,
        leaves: &dyn Leaves,
        publication: &Publication,
        size: u64,
    ) -> Result<bool, StoreError> {
        let first = size.saturating_sub(LEAVES_COMPARED_COUNT_MAX);
        let reader = EdgeThenFiles { publication, files: TileHashes::new(&self.files, size) };
        let leaves = leaves.leaves(first, size)?;
        Ok((first..size).zip(&leaves).all(|(index, leaf)| {
            reader.hash(0, index).is_ok_and(|published| published == leaf_hash(leaf))
        }))
    }

    /// Make the files again from the database; they must lead to the checkpoint's root.
    fn rebuild_files(
        &mut self,
        leaves: &dyn Leaves,
        checkpoint: &Checkpoint,
        held: u64,
    ) -> Result<(), StoreError> {
        let mut publication = Publication::new();
        while publication.size() < checkpoint.size {
            let first = publication.size();
            let until = checkpoint.size.min(first.saturating_add(LEAVES_PER_WRITE_COUNT_MAX));
            let leaves = leaves.leaves(first, until)?;
            if leaves.is_empty() {
                return Err(StoreError::Damaged("the entries are not contiguous".into()));
            }
            for leaf in leaves {
                publication.append(leaf);
            }
            publication.mark_written();
        }
        if publication.root() != checkpoint.root {
            return Err(StoreError::LedgerAhead { ledger: checkpoint.size, store: held });
        }
        if !self.writes {
            self.publication = publication;
            return Ok(());
        }
        self.publication = Publication::new();
        self.extend_files(leaves, checkpoint.size).map(|_| ())
    }
}

/// The answer to a write on a store that was opened for reading.
pub(crate) fn read_only() -> StoreError {
    StoreError::Io("the store was opened for reading only".into())
}
