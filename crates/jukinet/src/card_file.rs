//! A card reader without hardware: a file stands for an operator card (操作者識別カード).
//! Not the card's program (`token::card`): this inserts it, keeps its image, and notices removal.
//!
//! The file is the chip's memory. Its PIN counter is kept before each answer leaves, and one reader
//! holds the card at a time: two readers could spend the same three tries twice.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use token::card::{CardImageError, CardPort, CardPortError, OperatorCard};

use crate::dice;
use crate::disk::{self, DiskError};

/// The memory of such a chip is a few KiB.
const CARD_BYTES_MAX: u64 = 64 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum InsertError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("{path}: {source}; insert another card", path = .path.display())]
    Image { path: PathBuf, source: CardImageError },
    #[error("{path}: in use by another reader; take it out there first", path = .path.display())]
    InUse { path: PathBuf },
}

/// A card in the reader. Dropping it takes the card out.
pub struct CardFile {
    path: PathBuf,
    card: OperatorCard,
    // Released by the system when dropped, also after a crash.
    _held: File,
}

impl fmt::Debug for CardFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CardFile(…)")
    }
}

impl CardFile {
    /// Puts the card into the reader: powered up, no session.
    pub fn insert(path: &Path) -> Result<Self, InsertError> {
        let held = hold(path)?;
        let image = disk::read_private(path, CARD_BYTES_MAX)?;
        let mut card = OperatorCard::from_image(&image)
            .map_err(|source| InsertError::Image { path: path.to_path_buf(), source })?;
        card.reset();
        Ok(Self { path: path.to_path_buf(), card, _held: held })
    }

    /// Whether the card is still in the reader, that is, the file still there.
    #[must_use]
    pub fn is_present(&self) -> bool {
        self.path.is_file()
    }

    /// Cuts the power for a moment; the card's session is gone.
    pub fn reset(&mut self) {
        self.card.reset();
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl CardPort for CardFile {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, CardPortError> {
        if !self.is_present() {
            self.card.reset();
            return Err(CardPortError::Gone);
        }
        let answer = self.card.transmit(command, &mut dice::fill);
        if self.card.image_changed() {
            if disk::write_private(&self.path, &self.card.image()).is_err() {
                self.card.reset();
                return Err(CardPortError::NotPersisted);
            }
            self.card.image_kept();
        }
        Ok(answer)
    }
}

/// A pointer holds one file name.
const POINTER_BYTES_MAX: u64 = 256;

/// Lay a card into the reader of a place: a file `<place>.inserted` beside the cards names it.
/// Taking the card out is removing that file.
///
/// # Errors
/// When the pointer cannot be written.
pub fn put_in_reader(folder: &Path, place: &str, card: &Path) -> Result<(), DiskError> {
    let name = card.file_name().map(|name| name.to_string_lossy().into_owned());
    let pointer = folder.join(format!("{place}.inserted"));
    disk::write_private(&pointer, format!("{}\n", name.unwrap_or_default()).as_bytes())
}

/// The card that lies in the reader of a place, if one does.
#[must_use]
pub fn in_reader(folder: &Path, place: &str) -> Option<PathBuf> {
    let pointer = folder.join(format!("{place}.inserted"));
    let text = disk::read_text(&pointer, POINTER_BYTES_MAX).ok()?;
    // A name only: a pointer cannot lead out of the folder.
    let name = Path::new(text.trim()).file_name()?.to_owned();
    Some(folder.join(name)).filter(|card| card.is_file())
}

/// Where the PIN of a demonstration card lies when no other file is named.
#[must_use]
pub fn pin_path(card: &Path) -> PathBuf {
    card.with_extension("pin")
}

fn hold(path: &Path) -> Result<File, InsertError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let lock = PathBuf::from(name);
    let io = |source| DiskError::Io { path: lock.clone(), doing: "open", source };
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&lock)
        .map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(InsertError::InUse { path: path.to_path_buf() }),
        Err(TryLockError::Error(source)) => Err(io(source).into()),
    }
}
