//! The published files against the entries: fed with every leaf in order, as far as the given
//! checkpoint goes.

use ledger::checkpoint::{Checkpoint, parse_and_verify};
use ledger::note::VerifierKey;
use ledger::tile::{TILE_HASHES_MAX, TileAddress, TileLevel};
use ledger::{LedgerFiles, Publication};
use node::ports::StoreError;

use crate::fsck::FsckReport;
use crate::ledger_files::LedgerDirectory;
use crate::published::{CHECKPOINT_PATH, Published, VERIFIER_KEY_PATH};

/// The files of one ledger under check; `checkpoint` is `None` when there is nothing to check.
pub(super) struct FileCheck<'a> {
    files: &'a LedgerDirectory,
    checkpoint: Option<Checkpoint>,
    publication: Publication,
}

impl<'a> FileCheck<'a> {
    pub(super) fn new(
        published: &'a Published,
        note: Option<Vec<u8>>,
        report: &mut FsckReport,
    ) -> Result<Self, StoreError> {
        let checkpoint = match note {
            Some(note) => verified(published, note, report)?,
            None => None,
        };
        Ok(Self { files: &published.files, checkpoint, publication: Publication::new() })
    }

    /// The next entry's leaf data.
    pub(super) fn leaf(&mut self, index: u64, data: &[u8], report: &mut FsckReport) {
        let covered = self.checkpoint.as_ref().is_some_and(|checkpoint| index < checkpoint.size);
        let Ok(data) = <[u8; 32]>::try_from(data) else { return };
        if !covered {
            return;
        }
        self.publication.append(data);
        // Full files come due every 256 leaves; let go at once, so that memory stays small.
        if !self.publication.size().is_multiple_of(u64::from(TILE_HASHES_MAX)) {
            return;
        }
        let full = self.publication.files();
        for file in full.iter().filter(|file| file.supersedes.is_some()) {
            match self.files.read(&file.path) {
                Ok(Some(found)) if found == file.bytes => {}
                Ok(Some(_)) => report.fault("not what the entries say", &file.path),
                Ok(None) => report.fault("file is missing", &file.path),
                Err(reason) => report.fault(reason, &file.path),
            }
        }
        self.publication.mark_written();
    }

    /// After the last entry.
    pub(super) fn finish(self, report: &mut FsckReport) {
        let Some(checkpoint) = self.checkpoint else { return };
        if checkpoint.size > report.entries {
            report.fault("checkpoint covers entries that are not held", CHECKPOINT_PATH);
            return;
        }
        if self.publication.root() != checkpoint.root {
            report.fault("root is not that of the entries", CHECKPOINT_PATH);
        }
        // The partial files are those of the right edge.
        let files = AlsoFull(self.files);
        if let Err(error) = Publication::from_files(&files, checkpoint.size, &checkpoint.root) {
            report.fault(error.to_string(), "right edge of the ledger");
        }
    }
}

fn verified(
    published: &Published,
    note: Vec<u8>,
    report: &mut FsckReport,
) -> Result<Option<Checkpoint>, StoreError> {
    let key = published.files.read(VERIFIER_KEY_PATH).map_err(StoreError::Io)?;
    let key = key.and_then(|key| String::from_utf8(key).ok());
    let Some(key) = key.and_then(|key| VerifierKey::parse(&key).ok()) else {
        report.fault("verifier key is missing or does not parse", VERIFIER_KEY_PATH);
        return Ok(None);
    };
    let note = String::from_utf8(note).ok();
    let Some(checkpoint) = note.and_then(|note| parse_and_verify(&note, &key).ok()) else {
        report.fault("checkpoint is not signed by ledger.vkey", CHECKPOINT_PATH);
        return Ok(None);
    };
    if checkpoint.origin != published.origin() {
        report.fault("checkpoint is another ledger's", CHECKPOINT_PATH);
    }
    Ok(Some(checkpoint))
}

/// A node that goes on publishing while the check runs replaces partial files by full ones, which
/// begin with the same bytes.
struct AlsoFull<'a>(&'a LedgerDirectory);

impl LedgerFiles for AlsoFull<'_> {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        let found = self.0.read(path)?;
        let Ok(address) = TileAddress::parse(path) else { return Ok(found) };
        if found.is_some() || address.is_full() {
            return Ok(found);
        }
        let (full, unit) = match address.level() {
            TileLevel::Entries => (TileAddress::entries(address.index(), TILE_HASHES_MAX), 34),
            TileLevel::Tree(level) => {
                (TileAddress::tree(level, address.index(), TILE_HASHES_MAX), 32)
            }
        };
        let bytes = self.0.read(&full.map_err(|error| error.to_string())?.path())?;
        Ok(bytes
            .and_then(|bytes| bytes.get(..usize::from(address.width()) * unit).map(<[u8]>::to_vec)))
    }
}
