//! Retention keys: one secret per term, made when the first row of that term is kept and destroyed
//! when the term has ended (S1: 確実な消去). Here: their names, and how a software token keeps them.
//!
//! They are not among the six named keys because they come and go. What is wrapped under a
//! destroyed one stays closed wherever copies of it are, also in a backup of years ago. That holds
//! as far as the destruction does: a device forgets an object for good, while of a file somebody
//! may have kept a copy. Which key has to go when is not decided here.
//!
//! File: `JUKIRETN` ‖ version ‖ nonce 12 ‖ sealed rows, each a length, a name and 32 bytes. It is
//! sealed under a key made from the token's storage key, so it opens nothing without the token.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::error::TokenError;
use crate::key::WRAP_VALUE_BYTES_MAX;
use crate::seal::{NONCE_BYTES, gcm_open, gcm_seal};

/// Longest name: `cohort-` and a month, `row-` and a year.
pub const RETENTION_NAME_BYTES_MAX: usize = 32;
/// Most keys held at once: 150 years of months, and room.
pub const RETENTION_KEYS_COUNT_MAX: usize = 4_096;
/// Largest file: every key with its name, and the frame around them.
pub const RETENTION_FILE_BYTES_MAX: u64 = 512 * 1024;

const MAGIC: &[u8; 8] = b"JUKIRETN";
const VERSION: u8 = 1;
const HEAD_BYTES: usize = MAGIC.len() + 1;
const FILE_LABEL: &[u8] = b"jukinet/1 retention file\n";

/// Where a software token's retention keys are kept, and where their entropy comes from.
pub trait RetentionShelf: Send + Sync {
    /// The file as kept last; `None` when there is none yet.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn load(&self) -> Result<Option<Vec<u8>>, String>;

    /// Replace the file so that a crash leaves the old one or the new one, durably.
    ///
    /// # Errors
    /// Why it cannot be written.
    fn keep(&self, sealed: &[u8]) -> Result<(), String>;

    /// Keep every other process from changing the file for as long as the answer lives: a change
    /// reads it, alters it and replaces it.
    ///
    /// # Errors
    /// Why it cannot be kept.
    fn exclusively(&self) -> Result<Box<dyn std::any::Any>, String>;

    /// Fill with random bytes.
    fn fill(&self, bytes: &mut [u8]);
}

/// The additional data of a value wrapped under a retention key, for every adapter.
#[must_use]
pub fn retention_aad(name: &str) -> Vec<u8> {
    [b"jukinet/1 retention\n", name.as_bytes()].concat()
}

/// Whether a retention key may have this name: it becomes a label in devices.
///
/// # Errors
/// [`TokenError::Malformed`].
pub fn check_retention_name(name: &str) -> Result<(), TokenError> {
    let fits = (1..=RETENTION_NAME_BYTES_MAX).contains(&name.len());
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if fits && name.bytes().all(plain) {
        return Ok(());
    }
    Err(TokenError::Malformed { what: "retention key's name" })
}

type Keys = BTreeMap<String, Zeroizing<[u8; 32]>>;

/// A software token's retention keys.
pub(crate) struct RetentionKeys {
    shelf: Box<dyn RetentionShelf>,
    seal: Zeroizing<[u8; 32]>,
    keys: Mutex<Option<Keys>>,
}

impl fmt::Debug for RetentionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RetentionKeys(…)")
    }
}

impl RetentionKeys {
    pub(crate) fn new(
        storage: &[u8; 32],
        shelf: Box<dyn RetentionShelf>,
    ) -> Result<Self, TokenError> {
        let mut mac = Hmac::<Sha256>::new_from_slice(storage)
            .map_err(|_| TokenError::Malformed { what: "storage key" })?;
        mac.update(FILE_LABEL);
        let seal = Zeroizing::new(mac.finalize().into_bytes().into());
        Ok(Self { shelf, seal, keys: Mutex::new(None) })
    }

    pub(crate) fn create(&self, name: &str) -> Result<(), TokenError> {
        check_retention_name(name)?;
        let mut held = self.held();
        let _alone = self.alone()?;
        // Read anew before every change: another process may have been here before this one.
        let mut keys = self.load()?;
        if !keys.contains_key(name) {
            if keys.len() >= RETENTION_KEYS_COUNT_MAX {
                return Err(TokenError::Malformed { what: "number of retention keys" });
            }
            let mut key = Zeroizing::new([0_u8; 32]);
            self.shelf.fill(key.as_mut_slice());
            if key.iter().all(|byte| *byte == 0) {
                return Err(TokenError::EntropyUseless { tries: 1 });
            }
            keys.insert(name.to_owned(), key);
            self.keep(&keys)?;
        }
        *held = Some(keys);
        Ok(())
    }

    pub(crate) fn destroy(&self, name: &str) -> Result<(), TokenError> {
        let mut held = self.held();
        let _alone = self.alone()?;
        let mut keys = self.load()?;
        if keys.remove(name).is_some() {
            self.keep(&keys)?;
        }
        *held = Some(keys);
        Ok(())
    }

    pub(crate) fn names(&self) -> Result<Vec<String>, TokenError> {
        let keys = self.load()?;
        let names = keys.keys().cloned().collect();
        *self.held() = Some(keys);
        Ok(names)
    }

    pub(crate) fn wrap(
        &self,
        name: &str,
        plain: &[u8],
        nonce: [u8; NONCE_BYTES],
    ) -> Result<Vec<u8>, TokenError> {
        if plain.len() > WRAP_VALUE_BYTES_MAX {
            let found = plain.len();
            return Err(TokenError::WrapTooLong { found, max: WRAP_VALUE_BYTES_MAX });
        }
        self.with_key(name, |key| gcm_seal(key, nonce, plain, &retention_aad(name)))?
            .map(|sealed| [nonce.as_slice(), &sealed].concat())
            .ok_or(TokenError::Malformed { what: "value to wrap" })
    }

    pub(crate) fn unwrap(
        &self,
        name: &str,
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, TokenError> {
        let (nonce, sealed) = wrapped
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or_else(|| TokenError::RetentionRefused { name: name.to_owned() })?;
        self.with_key(name, |key| gcm_open(key, *nonce, sealed, &retention_aad(name)))?
            .ok_or_else(|| TokenError::RetentionRefused { name: name.to_owned() })
    }

    fn alone(&self) -> Result<Box<dyn std::any::Any>, TokenError> {
        self.shelf.exclusively().map_err(|cause| TokenError::RetentionShelf { cause })
    }

    fn held(&self) -> MutexGuard<'_, Option<Keys>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A key that is not in memory may have been made by the node's own process meanwhile.
    fn with_key<T>(&self, name: &str, work: impl Fn(&[u8; 32]) -> T) -> Result<T, TokenError> {
        let mut held = self.held();
        if let Some(key) = held.as_ref().and_then(|keys| keys.get(name)) {
            return Ok(work(key));
        }
        let keys = self.load()?;
        let done = keys.get(name).map(|key| work(key));
        *held = Some(keys);
        done.ok_or_else(|| TokenError::RetentionGone { name: name.to_owned() })
    }

    fn load(&self) -> Result<Keys, TokenError> {
        let bytes = self.shelf.load().map_err(|cause| TokenError::RetentionShelf { cause })?;
        bytes.map_or_else(|| Ok(Keys::new()), |bytes| open_file(&self.seal, &bytes))
    }

    fn keep(&self, keys: &Keys) -> Result<(), TokenError> {
        let mut nonce = [0_u8; NONCE_BYTES];
        self.shelf.fill(&mut nonce);
        let mut plain = Zeroizing::new(Vec::with_capacity(keys.len() * 64));
        for (name, key) in keys {
            plain.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
            plain.extend_from_slice(name.as_bytes());
            plain.extend_from_slice(key.as_slice());
        }
        let head = [MAGIC.as_slice(), &[VERSION]].concat();
        let sealed = gcm_seal(&self.seal, nonce, &plain, &head)
            .ok_or(TokenError::Malformed { what: "retention keys" })?;
        self.shelf
            .keep(&[head.as_slice(), &nonce, &sealed].concat())
            .map_err(|cause| TokenError::RetentionShelf { cause })
    }
}

fn open_file(seal: &[u8; 32], file: &[u8]) -> Result<Keys, TokenError> {
    let bad = TokenError::Malformed { what: "file of retention keys" };
    let (head, rest) = file.split_at_checked(HEAD_BYTES).ok_or_else(|| bad.clone())?;
    if head != [MAGIC.as_slice(), &[VERSION]].concat() {
        return Err(bad);
    }
    let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>().ok_or_else(|| bad.clone())?;
    let plain = gcm_open(seal, *nonce, sealed, head).ok_or_else(|| bad.clone())?;
    let mut rest = plain.as_slice();
    let mut keys = Keys::new();
    while let Some((length, after)) = rest.split_first() {
        let (name, after) =
            after.split_at_checked(usize::from(*length)).ok_or_else(|| bad.clone())?;
        let (key, after) = after.split_first_chunk::<32>().ok_or_else(|| bad.clone())?;
        let name = std::str::from_utf8(name).map_err(|_| bad.clone())?;
        check_retention_name(name)?;
        keys.insert(name.to_owned(), Zeroizing::new(*key));
        rest = after;
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// A file in memory, and dice that count.
    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Shelved>>);

    /// The file, the count of the dice, whether the disk is full.
    type Shelved = (Option<Vec<u8>>, u8, bool);

    impl RetentionShelf for Memory {
        fn load(&self) -> Result<Option<Vec<u8>>, String> {
            Ok(self.0.lock().unwrap().0.clone())
        }

        fn keep(&self, sealed: &[u8]) -> Result<(), String> {
            let mut state = self.0.lock().unwrap();
            if state.2 {
                return Err("the disk is full".to_owned());
            }
            state.0 = Some(sealed.to_vec());
            Ok(())
        }

        fn exclusively(&self) -> Result<Box<dyn std::any::Any>, String> {
            Ok(Box::new(()))
        }

        fn fill(&self, bytes: &mut [u8]) {
            let mut state = self.0.lock().unwrap();
            state.1 += 1;
            bytes.fill(state.1);
        }
    }

    fn keys(shelf: &Memory) -> RetentionKeys {
        RetentionKeys::new(&[7; 32], Box::new(shelf.clone())).unwrap()
    }

    #[test]
    fn a_destroyed_key_opens_nothing_and_making_it_again_makes_another() {
        let shelf = Memory::default();
        let ours = keys(&shelf);
        ours.create("cohort-2031-11").unwrap();
        ours.create("cohort-2031-12").unwrap();
        let wrapped = ours.wrap("cohort-2031-11", b"key", [1; 12]).unwrap();
        ours.create("cohort-2031-11").unwrap();
        assert_eq!(ours.unwrap("cohort-2031-11", &wrapped).unwrap().as_slice(), b"key");
        assert!(matches!(
            ours.unwrap("cohort-2031-12", &wrapped),
            Err(TokenError::RetentionRefused { .. })
        ));
        let before = shelf.0.lock().unwrap().0.clone();
        ours.destroy("cohort-2031-11").unwrap();
        ours.destroy("cohort-2031-11").unwrap();
        for reader in [&ours, &keys(&shelf)] {
            assert!(matches!(
                reader.unwrap("cohort-2031-11", &wrapped),
                Err(TokenError::RetentionGone { .. })
            ));
            assert_eq!(reader.names().unwrap(), ["cohort-2031-12"]);
        }
        ours.create("cohort-2031-11").unwrap();
        assert!(ours.unwrap("cohort-2031-11", &wrapped).is_err());
        // What a copy of the file can do is said in SECURITY.md: it still opens.
        shelf.0.lock().unwrap().0 = before;
        assert!(keys(&shelf).unwrap("cohort-2031-11", &wrapped).is_ok());
    }

    #[test]
    fn what_could_not_be_kept_is_not_used() {
        let shelf = Memory::default();
        let ours = keys(&shelf);
        ours.create("row-1").unwrap();
        shelf.0.lock().unwrap().2 = true;
        assert!(matches!(ours.create("row-2"), Err(TokenError::RetentionShelf { .. })));
        assert!(ours.wrap("row-2", b"key", [1; 12]).is_err());
        assert!(ours.destroy("row-1").is_err());
        assert_eq!(ours.names().unwrap(), ["row-1"]);
        assert!(ours.wrap("row-1", b"key", [1; 12]).is_ok());
    }

    #[test]
    fn a_file_that_was_altered_or_is_anothers_is_refused() {
        let shelf = Memory::default();
        keys(&shelf).create("row-1").unwrap();
        let file = shelf.0.lock().unwrap().0.clone().unwrap();
        assert!(open_file(&keys(&shelf).seal, &file).is_ok());
        assert!(RetentionKeys::new(&[8; 32], Box::new(shelf.clone())).unwrap().names().is_err());
        for at in 0..file.len() {
            let mut bad = file.clone();
            bad[at] ^= 1;
            assert!(open_file(&keys(&shelf).seal, &bad).is_err(), "byte {at}");
            assert!(open_file(&keys(&shelf).seal, &file[..at]).is_err(), "cut at {at}");
        }
        for name in ["", "Cohort", "cohort 1", "x".repeat(33).as_str(), "戸"] {
            assert!(check_retention_name(name).is_err(), "{name}");
        }
    }
}
