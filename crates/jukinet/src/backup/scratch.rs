//! Copies that a backup or a drill makes in the node's data folder, and what a crash left of them.
//! What stands in them is sealed as in the store; the store's own files are not touched here.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::{BackupError, io};

/// Held shared by whoever has a copy in the folder.
const LOCK_NAME: &str = "copies.lock";
/// Begins the name of a drill's folder.
pub const DRILL_PREFIX: &str = "jukinet-drill-";
/// Hexadecimal digits in the name of a backup's copy.
const COPY_DIGITS_COUNT: usize = 16;

/// The right to have a copy in a data folder, until dropped.
#[derive(Debug)]
pub struct Scratch {
    _lock: File,
}

impl Scratch {
    /// Take it. When nobody else has a copy there, what lies about is of a run that was cut short,
    /// and goes.
    ///
    /// # Errors
    /// When the folder cannot be locked or cleared.
    pub fn take(data: &Path) -> Result<Self, BackupError> {
        let path = data.join(LOCK_NAME);
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(io(&path, "create"))?;
        if lock.try_lock().is_ok() {
            sweep(data)?;
            lock.unlock().map_err(io(&path, "unlock"))?;
        }
        lock.lock_shared().map_err(io(&path, "lock"))?;
        Ok(Self { _lock: lock })
    }
}

/// Name of a new copy of the database.
#[must_use]
pub fn copy_name(random: &str) -> String {
    format!("backup-{random}.tmp")
}

fn sweep(data: &Path) -> Result<(), BackupError> {
    for item in fs::read_dir(data).map_err(io(data, "list"))? {
        let item = item.map_err(io(data, "list"))?;
        let kind = item.file_type().map_err(io(data, "list"))?;
        let (name, path) = (item.file_name(), item.path());
        let Some(name) = name.to_str() else { continue };
        if kind.is_dir() && name.starts_with(DRILL_PREFIX) {
            fs::remove_dir_all(&path).map_err(io(&path, "remove"))?;
        } else if kind.is_file() && is_copy(name) {
            fs::remove_file(&path).map_err(io(&path, "remove"))?;
        }
    }
    Ok(())
}

/// A copy of the database, or what SQLite keeps beside one.
fn is_copy(name: &str) -> bool {
    let middle = name.strip_prefix("backup-").and_then(|rest| rest.split_once(".tmp"));
    middle.is_some_and(|(random, end)| {
        let digits = random.bytes().all(|byte| byte.is_ascii_hexdigit());
        digits
            && random.len() == COPY_DIGITS_COUNT
            && matches!(end, "" | "-journal" | "-wal" | "-shm")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_crash_left_goes_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let copy = copy_name("00112233445566ff");
        let left = [copy.clone(), format!("{copy}-wal"), format!("{copy}-journal")];
        let others = ["register.sqlite", "backup-of-mine.tmp", "backup-1.tmp", "jukinet-drill"];
        let fill = || {
            left.iter()
                .map(String::as_str)
                .chain(others)
                .for_each(|n| fs::write(at(n), n).unwrap());
            fs::create_dir_all(at("jukinet-drill-abc/data")).unwrap();
            fs::write(at("jukinet-drill-abc/data/register.sqlite"), b"x").unwrap();
        };
        fill();
        let held = Scratch::take(folder.path()).unwrap();
        let stands = |name: &str| at(name).exists();
        assert!(!left.iter().any(|name| stands(name)) && !stands("jukinet-drill-abc"));
        assert!(others.into_iter().all(stands), "only ours");
        fill();
        let beside = Scratch::take(folder.path()).unwrap();
        assert!(stands(&copy) && stands("jukinet-drill-abc"), "a run that goes on keeps its copy");
        drop((held, beside));
        drop(Scratch::take(folder.path()).unwrap());
        assert!(!stands(&copy) && !stands("jukinet-drill-abc"));
    }
}
