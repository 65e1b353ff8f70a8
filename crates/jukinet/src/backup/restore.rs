//! Opening a backup: files block by block, each held against the manifest, then the store with
//! today's token. What the token can no longer open has reached the end of its term, and goes.

use std::fs::File;
use std::io::Write;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use law::time::Date;
use node::ports::StoreError;
use sha2::{Digest as _, Sha256};
use store::{Erased, FsckReport, KeyError, KeySource, Month, SqliteStore};
use token::Token;
use zeroize::Zeroizing;

use super::create::{DATABASE_PATH, LEDGER_PATH, Progress};
use super::custody::OpeningKey;
use super::manifest::{Counts, Manifest};
use super::vault::Vault;
use super::{BackupError, hex, io};
use crate::config::NodeConfig;
use crate::runner::keys::{StoreKeys, origin};
use crate::runner::sweep::{keep_from, regime};
use crate::{dice, disk};

/// What came of opening the restored store.
#[derive(Debug)]
pub struct Opened {
    /// What was expired by now and is not there any more.
    pub dropped: Erased,
    pub report: FsckReport,
    /// The year in which a copy was made of which residents may be over by now, at the latest.
    pub over_in: u32,
}

impl Opened {
    /// What the backup counted and the restored store does not have, though no term can have
    /// ended since.
    #[must_use]
    pub fn missing(&self, manifest: &Manifest, counted: &Counts) -> Option<String> {
        let (found, dropped) = (&self.report, self.dropped.residents);
        if found.entries < counted.entries {
            return Some(format!("{} entries, {} were there", found.entries, counted.entries));
        }
        let made = manifest.made_at.split('-').next().and_then(|year| year.parse::<u32>().ok());
        let over = made.is_some_and(|made| made <= self.over_in);
        let gone = if over { u64::try_from(dropped).unwrap_or(u64::MAX) } else { 0 };
        (found.residents.saturating_add(gone) < counted.residents).then(|| {
            format!(
                "{} residents, {} were there: keys of their rows went with a year's renewal after \
                 this backup; a later backup has them",
                found.residents, counted.residents
            )
        })
    }
}

/// Which backup: the id given, else the newest of this node.
///
/// # Errors
/// When there is none, or it is altered.
pub fn choose(folder: &Path, id: Option<&str>, node: &str) -> Result<Manifest, BackupError> {
    if let Some(id) = id {
        return Manifest::read(folder, id);
    }
    let ids = Manifest::list(folder)?;
    let ends = format!("-{node}");
    match ids.iter().rev().find(|id| id.ends_with(&ends)) {
        Some(newest) => Manifest::read(folder, newest),
        None => Err(BackupError::NoBackup(format!("of {node}"))),
    }
}

/// What the custodians can read of a manifest. Fails by name when the key is another's.
///
/// # Errors
/// [`BackupError::OtherKey`]; `Manifest` when the shares together give no key that opens it.
pub fn counts(manifest: &Manifest, key: &OpeningKey) -> Result<Counts, BackupError> {
    if key.set() != manifest.key {
        let (wanted, held) = (manifest.key.clone(), key.set().to_owned());
        return Err(BackupError::OtherKey { wanted, held });
    }
    let wrong = || BackupError::Manifest {
        id: manifest.id.clone(),
        why: "does not open with these shares; one of them is not what it says".to_owned(),
    };
    let sealed = BASE64_STANDARD.decode(&manifest.sealed).map_err(|_| wrong())?;
    let plain = key.open(manifest.id.as_bytes(), &sealed).ok_or_else(wrong)?;
    serde_json::from_slice(&plain).map_err(|_| wrong())
}

/// Write the files of a backup below `to`, which must not hold a register yet.
///
/// # Errors
/// Names the block or the file that is not what the manifest says; nothing is started from it.
pub fn write_files(
    folder: &Path,
    manifest: &Manifest,
    key: &OpeningKey,
    places: &Places,
    progress: Progress<'_>,
) -> Result<(), BackupError> {
    // A log beside the place belongs to another database, and SQLite would play it into this one.
    for end in ["", "-wal", "-shm", "-journal"] {
        let mut beside = places.database.as_os_str().to_owned();
        beside.push(end);
        let beside = PathBuf::from(beside);
        if beside.symlink_metadata().is_ok() {
            return Err(BackupError::Taken(beside));
        }
    }
    let vault = Vault::new(folder);
    let (all, mut done) = (manifest.bytes(), 0u64);
    for file in &manifest.files {
        let path = places.of(&file.path).ok_or_else(|| BackupError::Manifest {
            id: manifest.id.clone(),
            why: "names a file that is no node's".to_owned(),
        })?;
        if let Some(parent) = path.parent() {
            disk::make_folder(parent)?;
        }
        // Not under its name before it is whole: a restore that is cut short starts over.
        let mut draft = path.as_os_str().to_owned();
        draft.push(".restoring");
        let draft = PathBuf::from(draft);
        disk::write_private(&draft, b"")?;
        let mut out = File::options().append(true).open(&draft).map_err(io(&draft, "open"))?;
        let mut hash = Sha256::new();
        for id in &file.blocks {
            let block = vault.get(&manifest.key, key, id)?;
            hash.update(&block);
            out.write_all(&block).map_err(io(&draft, "write"))?;
            done += u64::try_from(block.len()).unwrap_or(u64::MAX);
            progress(done, all);
        }
        out.sync_all().map_err(io(&draft, "flush"))?;
        if hex(&hash.finalize()) != file.sha256 {
            let what = "not what the manifest says of its file";
            return Err(BackupError::Block { id: file.path.clone(), what });
        }
        std::fs::rename(&draft, &path).map_err(io(&path, "put into place"))?;
    }
    Ok(())
}

/// Where the files of a node lie.
#[derive(Clone, Debug)]
pub struct Places {
    pub database: PathBuf,
    pub ledger: PathBuf,
}

impl Places {
    /// Below one folder, as in a backup.
    #[must_use]
    pub fn below(folder: &Path) -> Self {
        Self { database: folder.join(DATABASE_PATH), ledger: folder.join(LEDGER_PATH) }
    }

    /// Where a file of a backup belongs; `None` for a path that leads anywhere else.
    fn of(&self, path: &str) -> Option<PathBuf> {
        if path == DATABASE_PATH {
            return Some(self.database.clone());
        }
        let below = Path::new(path).strip_prefix(LEDGER_PATH).ok()?;
        let plain = below.components().all(|part| matches!(part, Component::Normal(_)));
        (plain && below.components().next().is_some()).then(|| self.ledger.join(below))
    }
}

/// Open the restored store, let go what has expired since, and check the rest.
///
/// # Errors
/// When the store does not open: with another token, or with a ledger ahead of it; when the token
/// lacks keys of terms that are not over, and then nothing goes.
pub fn open(
    places: &Places,
    node: &NodeConfig,
    token: &Arc<dyn Token>,
    today: Date,
) -> Result<Opened, BackupError> {
    let keys = NothingDestroyed(StoreKeys(Arc::clone(token)));
    let mut fill = dice::fill;
    let names = keys.retention_names().map_err(|error| StoreError::Key(error.to_string()))?;
    let origin = origin(&node.node);
    let mut store = SqliteStore::open(&places.database, &places.ledger, &keys, &origin, &mut fill)?;
    let regime = regime(node, &store);
    let before = latest(today, &names);
    let dropped = store.drop_unreadable(before, keep_from(before.year(), regime))?;
    let report = store.fsck()?;
    let over_in = before.year().saturating_sub(u32::from(regime.shortest_years()));
    Ok(Opened { dropped, report, over_in })
}

/// The month of today; a node that erased for a later day has begun the key of that year.
fn latest(today: Date, names: &[String]) -> Month {
    let year = |name: &String| name.strip_prefix("row-").and_then(|year| year.parse::<u16>().ok());
    let newest = names.iter().filter_map(year).max().filter(|year| *year > today.year());
    newest.and_then(|year| Month::new(year, 12)).unwrap_or_else(|| Month::of_date(today))
}

/// The node's token for an older copy of its store, which must not be what decides which of its
/// keys go.
struct NothingDestroyed(StoreKeys);

impl KeySource for NothingDestroyed {
    fn wrap(&self, plain: &[u8], nonce: [u8; 12]) -> Result<Vec<u8>, KeyError> {
        self.0.wrap(plain, nonce)
    }

    fn unwrap(&self, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        self.0.unwrap(wrapped)
    }

    fn retention_create(&self, _: &str) -> Result<(), KeyError> {
        Err(KeyError("a copy of a store makes no keys".to_owned()))
    }

    fn retention_wrap(&self, _: &str, _: &[u8], _: [u8; 12]) -> Result<Vec<u8>, KeyError> {
        Err(KeyError("a copy of a store makes no keys".to_owned()))
    }

    fn retention_unwrap(
        &self,
        name: &str,
        wrapped: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
        self.0.retention_unwrap(name, wrapped)
    }

    fn retention_destroy(&self, _: &str) -> Result<(), KeyError> {
        Ok(())
    }

    fn retention_names(&self) -> Result<Vec<String>, KeyError> {
        self.0.retention_names()
    }

    fn share(&self) -> Arc<dyn KeySource + Send + Sync> {
        Arc::new(Self(StoreKeys(Arc::clone(&self.0.0))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn residents_lost_to_a_renewal_are_not_taken_for_expired() {
        let manifest = Manifest {
            format: Manifest::format(),
            id: "2026-12-31T120000Z-center".to_owned(),
            node: "center".to_owned(),
            made_at: "2026-12-31T12:00:00Z".to_owned(),
            key: String::new(),
            ledger_vkey: String::new(),
            written_bytes: 0,
            files: Vec::new(),
            sealed: String::new(),
        };
        let counted = Counts { residents: 300, entries: 7 };
        let found = |residents, dropped, over_in| Opened {
            dropped: Erased { residents: dropped, ..Erased::default() },
            report: FsckReport { ok: true, residents, entries: 7, ..FsckReport::default() },
            over_in,
        };
        let missing = |opened: &Opened| opened.missing(&manifest, &counted);
        assert_eq!(missing(&found(300, 4, 2022)), None);
        let lost = missing(&found(20, 280, 2022)).unwrap();
        assert!(lost.contains("20 residents, 300 were there"), "{lost}");
        assert_eq!(missing(&found(20, 280, 2026)), None, "a term can have ended since");
        assert!(missing(&found(20, 279, 2026)).is_some());
        let fewer = Counts { residents: 300, entries: 8 };
        assert!(found(300, 0, 2022).missing(&manifest, &fewer).unwrap().contains("7 entries"));
    }

    #[test]
    fn a_token_that_has_begun_a_later_year_is_believed() {
        let today = Date::parse("2026-11-22").unwrap();
        let names = |all: &[&str]| all.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let month = |text: &str| Month::parse(text).unwrap();
        assert_eq!(latest(today, &names(&["cohort-2099-01", "row-2026"])), month("2026-11"));
        assert_eq!(latest(today, &names(&["row-2024", "row-2032"])), month("2032-12"));
        assert_eq!(latest(today, &[]), month("2026-11"));
    }
}
