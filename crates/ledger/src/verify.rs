//! A whole ledger checked by someone who has its files and its verifier key and trusts nothing
//! else: every leaf hash, every tile of every level and the root are computed again from the entry
//! bundles.
//!
//! Not here: what the entries say. Commitments stay closed, so an auditor needs no one's data.

use std::collections::BTreeMap;
use std::fmt;

use crate::checkpoint::{
    Checkpoint, CheckpointError, Cosignature, OpenedCheckpoint, open, verify_continues,
};
use crate::files::{CHECKPOINT_PATH, LedgerFiles, TileHashes, VERIFIER_KEY_PATH};
use crate::note::VerifierKey;
use crate::proofs::{HashError, consistency_proof};
use crate::publication::Publication;
use crate::tile::{TileAddress, TileError, TileLevel, decode_bundle, width_at};
use crate::tree::{Hash, empty_root};

/// Names of files beyond the ledger that a report lists; the rest are counted.
pub const EXTRA_FILES_MAX: usize = 100;

/// What is wrong with one file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DamageKind {
    /// No key was given to check with.
    #[error("no verifier key was given; bring the ledger's own")]
    NoVerifierKey,
    /// It is not there.
    #[error("is missing")]
    Missing,
    /// The medium did not give it up.
    #[error("could not be read: {0}")]
    Unreadable(String),
    /// It has the wrong length or framing.
    #[error("is damaged: {0}")]
    Malformed(TileError),
    /// The checkpoint or its signature.
    #[error("is not acceptable: {0}")]
    Checkpoint(CheckpointError),
    /// The entries up to here give another hash at this place.
    #[error("differs from the entries at place {place}, which covers entries {first} to {last}")]
    Differs {
        /// Place within the file, from 0.
        place: u64,
        /// First entry it covers.
        first: u64,
        /// Last entry it covers.
        last: u64,
    },
    /// All files agree with one another and not with what was signed.
    #[error("signs another root than the entries give")]
    RootDiffers,
    /// The key beside the ledger is not the one the verifier brought.
    #[error("is not the verifier key that was given")]
    VerifierKeyDiffers,
}

/// The first thing found wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub path: String,
    /// What is wrong with it.
    pub what: DamageKind,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.what)
    }
}

impl Damage {
    fn new(path: &str, what: DamageKind) -> Self {
        Self { path: path.to_owned(), what }
    }
}

/// The report on a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a verification that is not looked at verifies nothing"]
pub struct Verification {
    /// Whose ledger, from the verified checkpoint; empty where that failed.
    pub origin: String,
    /// How many leaves, from the verified checkpoint.
    pub size: u64,
    /// The signed root.
    pub root: Hash,
    /// The witnesses whose cosignatures verify.
    pub cosignatures: Vec<Cosignature>,
    /// The first thing wrong; none where every byte was recomputed and agrees.
    pub first_bad: Option<Damage>,
    /// Files that the signed size does not call for, the first of them by name. A crash between
    /// files and checkpoint leaves such; they prove nothing and disprove nothing.
    pub extra: Vec<String>,
    /// How many of those there are.
    pub extra_count: u64,
}

impl Verification {
    /// Whether the ledger is exactly what its keeper signed.
    pub const fn is_sound(&self) -> bool {
        self.first_bad.is_none()
    }

    const fn of_nothing(root: Hash) -> Self {
        Self {
            origin: String::new(),
            size: 0,
            root,
            cosignatures: Vec::new(),
            first_bad: None,
            extra: Vec::new(),
            extra_count: 0,
        }
    }
}

/// Checks a whole ledger. The first of `vkeys` is the ledger's own key, the others are witnesses'.
///
/// Stops at the first damage: what lies behind it has no meaning yet.
pub fn verify_ledger(files: &dyn LedgerFiles, vkeys: &[VerifierKey]) -> Verification {
    let mut report = Verification::of_nothing(empty_root());
    report.first_bad = check(files, vkeys, &mut report).err();
    report
}

/// Checks a bare checkpoint: signature of the first key, cosignatures of the others.
///
/// # Errors
/// [`CheckpointError`].
pub fn verify_checkpoint(
    note: &str,
    vkeys: &[VerifierKey],
) -> Result<OpenedCheckpoint, CheckpointError> {
    let (log, witnesses) =
        vkeys.split_first().ok_or(CheckpointError::Malformed("no verifier key was given"))?;
    open(note, log, witnesses)
}

/// Why it could not be shown that a ledger continues an earlier checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContinuationError {
    /// One of the checkpoints, or the proof between them.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The hashes between them are not in the files.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The ledger has no readable checkpoint of its own.
    #[error("{0}")]
    Files(String),
}

/// Checks that the ledger in `files` continues a checkpoint kept from earlier: nothing that stood
/// then was altered, removed or moved since.
///
/// # Errors
/// [`ContinuationError`].
pub fn verify_continuation(
    files: &dyn LedgerFiles,
    old_note: &str,
    log: &VerifierKey,
) -> Result<(Checkpoint, Checkpoint), ContinuationError> {
    let note = read_checkpoint(files).map_err(|bad| ContinuationError::Files(bad.to_string()))?;
    let old = open(old_note, log, &[])?.checkpoint;
    let new = open(&note, log, &[])?.checkpoint;
    // The longer one must be the ledger's; a shorter one is a ledger that was cut back.
    let proof = if old.size <= new.size {
        consistency_proof(&TileHashes::new(files, new.size), old.size, new.size)?
    } else {
        Vec::new()
    };
    Ok(verify_continues(old_note, &note, &proof, log)?)
}

fn read_checkpoint(files: &dyn LedgerFiles) -> Result<String, Damage> {
    let bytes = read(files, CHECKPOINT_PATH)?;
    String::from_utf8(bytes).map_err(|_| {
        let what = CheckpointError::Malformed("not UTF-8");
        Damage::new(CHECKPOINT_PATH, DamageKind::Checkpoint(what))
    })
}

fn read(files: &dyn LedgerFiles, path: &str) -> Result<Vec<u8>, Damage> {
    let found =
        files.read(path).map_err(|reason| Damage::new(path, DamageKind::Unreadable(reason)))?;
    found.ok_or_else(|| Damage::new(path, DamageKind::Missing))
}

fn check(
    files: &dyn LedgerFiles,
    vkeys: &[VerifierKey],
    report: &mut Verification,
) -> Result<(), Damage> {
    let (log, witnesses) = vkeys
        .split_first()
        .ok_or_else(|| Damage::new(VERIFIER_KEY_PATH, DamageKind::NoVerifierKey))?;
    check_key_beside(files, log)?;
    let note = read_checkpoint(files)?;
    let opened = open(&note, log, witnesses)
        .map_err(|error| Damage::new(CHECKPOINT_PATH, DamageKind::Checkpoint(error)))?;
    report.origin = opened.checkpoint.origin;
    report.size = opened.checkpoint.size;
    report.root = opened.checkpoint.root;
    report.cosignatures = opened.cosignatures;
    let older = sort_listing(files, report)?;
    let compared = Compared { files, older };
    let publication = compared.entries(report.size)?;
    for file in publication.files() {
        // The partial bundle among these was read already; reading it again costs one file.
        if let Ok(address) = TileAddress::parse(&file.path) {
            compared.tile(&address, &file.bytes)?;
        }
    }
    if publication.root() != report.root {
        return Err(Damage::new(CHECKPOINT_PATH, DamageKind::RootDiffers));
    }
    Ok(())
}

/// A key file beside the ledger must be the verifier's own; whoever swaps both would otherwise hand
/// the next reader a key that fits a forged ledger.
fn check_key_beside(files: &dyn LedgerFiles, log: &VerifierKey) -> Result<(), Damage> {
    let path = VERIFIER_KEY_PATH;
    let found =
        files.read(path).map_err(|reason| Damage::new(path, DamageKind::Unreadable(reason)))?;
    let same = found.is_none_or(|bytes| {
        let text = String::from_utf8(bytes).unwrap_or_default();
        VerifierKey::parse(&text).is_ok_and(|key| key == *log)
    });
    if same { Ok(()) } else { Err(Damage::new(path, DamageKind::VerifierKeyDiffers)) }
}

/// Partial files of earlier checkpoints, by the file they grew into.
type Older = BTreeMap<(TileLevel, u64), Vec<u16>>;

/// Sorts the listing into what the size calls for, what an earlier size called for, and the rest.
fn sort_listing(files: &dyn LedgerFiles, report: &mut Verification) -> Result<Older, Damage> {
    let listed = files
        .list()
        .map_err(|reason| Damage::new("tile", DamageKind::Unreadable(reason)))?
        .unwrap_or_default();
    let mut older = Older::new();
    let mut extra = Vec::new();
    for path in listed {
        if path == CHECKPOINT_PATH || path == VERIFIER_KEY_PATH {
            continue;
        }
        match TileAddress::parse(&path) {
            Ok(tile) if tile.leaves_needed().is_some_and(|needed| needed <= report.size) => {
                older.entry((tile.level(), tile.index())).or_default().push(tile.width());
            }
            _ => extra.push(path),
        }
    }
    extra.sort_unstable();
    report.extra_count = extra.len() as u64;
    extra.truncate(EXTRA_FILES_MAX);
    report.extra = extra;
    Ok(older)
}

struct Compared<'a> {
    files: &'a dyn LedgerFiles,
    older: Older,
}

impl Compared<'_> {
    /// Reads all entry bundles and compares every full tile as soon as it is complete, so that
    /// memory stays at the right edge whatever the size.
    fn entries(&self, size: u64) -> Result<Publication, Damage> {
        let mut publication = Publication::new();
        for index in 0..size.div_ceil(256) {
            let width = width_at(size, index);
            let address = TileAddress::entries(index, width);
            let address = address.map_err(|error| malformed("tile/entries", error))?;
            let path = address.path();
            let bytes = read(self.files, &path)?;
            let leaves = decode_bundle(&bytes, width).map_err(|error| malformed(&path, error))?;
            for leaf in leaves {
                publication.append(leaf);
            }
            for (address, expected) in publication.take_full() {
                self.tile(&address, &expected)?;
            }
        }
        Ok(publication)
    }

    /// Compares one file, and the partial files it grew out of, with what the entries give.
    fn tile(&self, address: &TileAddress, expected: &[u8]) -> Result<(), Damage> {
        self.same(address, expected)?;
        let unit = expected.len() / usize::from(address.width());
        let older = self.older.get(&(address.level(), address.index()));
        for width in older.into_iter().flatten().filter(|width| **width < address.width()) {
            let earlier = match address.level() {
                TileLevel::Entries => TileAddress::entries(address.index(), *width),
                TileLevel::Tree(level) => TileAddress::tree(level, address.index(), *width),
            };
            let part = expected.get(..unit * usize::from(*width)).unwrap_or(expected);
            if let Ok(earlier) = earlier {
                self.same(&earlier, part)?;
            }
        }
        Ok(())
    }

    fn same(&self, address: &TileAddress, expected: &[u8]) -> Result<(), Damage> {
        let path = address.path();
        let found = read(self.files, &path)?;
        if found == expected {
            return Ok(());
        }
        if found.len() != expected.len() {
            let error = TileError::Length { expected: expected.len(), found: found.len() };
            return Err(malformed(&path, error));
        }
        let unit = expected.len() / usize::from(address.width());
        let at = found.iter().zip(expected).take_while(|(found, expected)| found == expected);
        let place = (at.count() / unit.max(1)) as u64;
        let span = match address.level() {
            TileLevel::Entries => 1,
            TileLevel::Tree(level) => 1_u64 << (u32::from(level) * 8),
        };
        let first = (address.index() * 256 + place) * span;
        let what = DamageKind::Differs { place, first, last: first + (span - 1) };
        Err(Damage::new(&path, what))
    }
}

fn malformed(path: &str, error: TileError) -> Damage {
    Damage::new(path, DamageKind::Malformed(error))
}
