//! The scratch copy of the sources that planted faults are put into: made, built with cargo, run.
//!
//! The copy lies in the target folder and is built into it, so that nothing from outside is
//! compiled anew; what changed since the last time is written, everything else is left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{LiveError, clock};

/// What is copied, from the root of the source tree.
const COPIED: [&str; 3] = ["Cargo.toml", "Cargo.lock", "crates"];
/// Folders that no build of the laboratory needs.
const LEFT_OUT: [&str; 5] = ["tests", "examples", "benches", "node_modules", "planted"];
/// Folders that are copied although they are named like one of those.
const COPIED_ALL_THE_SAME: &str = "crates/lab/src/planted";
/// The program built from the copy has a name of its own beside the ordinary one.
const PROGRAM: &str = "jukilab-planted";
/// Optimised a little: worlds run several times faster for half a minute of compiling.
const OPTIMISED: [&str; 7] = ["law", "wire", "ledger", "token", "node", "store", "lab"];
/// How often a child is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The root of the source tree that the current folder is in.
pub(crate) fn source_root(mark: &str) -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    here.ancestors().find(|folder| folder.join(mark).is_dir()).map(Path::to_path_buf)
}

/// The texts of the files of a folder that end so, by their names without it.
pub(crate) fn texts(folder: &Path, ending: &str) -> Result<BTreeMap<String, String>, LiveError> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(LiveError::file(folder))?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(stem) = name.strip_suffix(ending) {
            found.insert(stem.to_owned(), text(&entry.path())?);
        }
    }
    Ok(found)
}

/// The text of one file.
pub(crate) fn text(path: &Path) -> Result<String, LiveError> {
    std::fs::read_to_string(path).map_err(LiveError::file(path))
}

/// Writes a document.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), LiveError> {
    std::fs::write(path, text).map_err(LiveError::file(path))
}

/// The program that runs.
pub(crate) fn own_program() -> Result<PathBuf, LiveError> {
    std::env::current_exe().map_err(LiveError::file(Path::new("jukilab")))
}

fn target(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

/// Brings the copy up to date and builds it. Gives the program.
pub(crate) fn build(
    root: &Path,
    woven: &BTreeMap<String, String>,
    quiet: bool,
) -> Result<PathBuf, LiveError> {
    let target = target(root);
    let copy = target.join("planted");
    let mut wanted = BTreeMap::new();
    for name in COPIED {
        gather(root, Path::new(name), &mut wanted)?;
    }
    for (path, text) in woven {
        wanted.insert(PathBuf::from(path), text.clone().into_bytes());
    }
    renamed(&mut wanted)?;
    bring_up_to_date(&copy, &wanted)?;
    let talk = || if quiet { Stdio::null() } else { Stdio::inherit() };
    let words = ["build", "--offline", "--locked", "-p", "jukinet-lab", "--bin", PROGRAM];
    let status = Command::new("cargo")
        .args(words)
        .current_dir(&copy)
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_TERM_QUIET", if quiet { "true" } else { "false" })
        .stdin(Stdio::null())
        .stdout(talk())
        .stderr(Stdio::inherit())
        .status()
        .map_err(LiveError::file(Path::new("cargo")))?;
    if !status.success() {
        return Err(LiveError::content(&copy, format!("the copy does not build: {status}")));
    }
    Ok(target.join("debug").join(PROGRAM))
}

/// Everything below `path` that a build needs.
fn gather(
    root: &Path,
    path: &Path,
    wanted: &mut BTreeMap<PathBuf, Vec<u8>>,
) -> Result<(), LiveError> {
    let full = root.join(path);
    if full.is_file() {
        let bytes = std::fs::read(&full).map_err(LiveError::file(&full))?;
        wanted.insert(path.to_path_buf(), bytes);
        return Ok(());
    }
    for entry in std::fs::read_dir(&full).map_err(LiveError::file(&full))?.flatten() {
        let below = path.join(entry.file_name());
        let left_out = LEFT_OUT.iter().any(|name| entry.file_name() == *name);
        if left_out && below != Path::new(COPIED_ALL_THE_SAME) {
            continue;
        }
        gather(root, &below, wanted)?;
    }
    Ok(())
}

/// The program's own name, and how much its crates are optimised.
fn renamed(wanted: &mut BTreeMap<PathBuf, Vec<u8>>) -> Result<(), LiveError> {
    let mut change = |path: &str, with: &dyn Fn(&str) -> String| {
        let path = PathBuf::from(path);
        let bytes = wanted.get_mut(&path);
        let bytes = bytes.ok_or_else(|| LiveError::content(&path, "is not in the copy"))?;
        *bytes = with(&String::from_utf8_lossy(bytes)).into_bytes();
        Ok::<(), LiveError>(())
    };
    let bin = format!("name = \"{PROGRAM}\"\n");
    change("crates/lab/Cargo.toml", &|text| text.replace("name = \"jukilab\"\n", &bin))?;
    change("Cargo.toml", &|text| {
        // What the edits leave unused or in brackets is nobody's concern here.
        let head = "[workspace.lints.rust]\n";
        let mut text = text.replace(head, &format!("{head}warnings = \"allow\"\n"));
        for krate in OPTIMISED {
            let head = format!("[profile.dev.package.jukinet-{krate}]");
            if !text.contains(&head) {
                text.push_str(&format!("\n{head}\nopt-level = 1\n"));
            }
        }
        text
    })
}

/// Writes what differs and removes what is no longer wanted: cargo builds no more than that.
fn bring_up_to_date(copy: &Path, wanted: &BTreeMap<PathBuf, Vec<u8>>) -> Result<(), LiveError> {
    for (path, bytes) in wanted {
        let full = copy.join(path);
        if std::fs::read(&full).is_ok_and(|there| there == *bytes) {
            continue;
        }
        if let Some(folder) = full.parent() {
            std::fs::create_dir_all(folder).map_err(LiveError::file(folder))?;
        }
        std::fs::write(&full, bytes).map_err(LiveError::file(&full))?;
    }
    let mut there = BTreeSet::new();
    listed(copy, Path::new(""), &mut there)?;
    for stale in there.iter().filter(|path| !wanted.contains_key(*path)) {
        let full = copy.join(stale);
        std::fs::remove_file(&full).map_err(LiveError::file(&full))?;
    }
    Ok(())
}

fn listed(copy: &Path, path: &Path, there: &mut BTreeSet<PathBuf>) -> Result<(), LiveError> {
    let full = copy.join(path);
    for entry in std::fs::read_dir(&full).map_err(LiveError::file(&full))?.flatten() {
        let below = path.join(entry.file_name());
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => listed(copy, &below, there)?,
            _ => {
                there.insert(below);
            }
        }
    }
    Ok(())
}

/// Runs the program with words and a switch; what it printed, or why there is nothing.
pub(crate) fn printed(
    program: &Path,
    words: &[String],
    switch: Option<(&str, &str)>,
    patience: Duration,
) -> Result<String, String> {
    let mut child = Command::new(program)
        .args(words)
        .envs(switch)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let until = clock::monotonic() + patience;
    // What it prints is one short document: it fits into the pipe, whenever it is read.
    let ended = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if clock::monotonic() < until => std::thread::sleep(LOOK_EVERY),
            Ok(None) => {
                let _ = child.kill().and_then(|()| child.wait().map(|_| ()));
                return Err(format!("it did not end within {} s", patience.as_secs()));
            }
            Err(error) => return Err(error.to_string()),
        }
    };
    let mut text = String::new();
    if let Some(mut out) = child.stdout.take() {
        use std::io::Read as _;
        out.read_to_string(&mut text).map_err(|error| error.to_string())?;
    }
    if text.is_empty() { Err(format!("it ended with {ended}")) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_follows_its_source() {
        let (root, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let put = |path: &str, text: &str| {
            let full = root.path().join(path);
            std::fs::create_dir_all(full.parent().unwrap()).unwrap();
            std::fs::write(full, text).unwrap();
        };
        put("crates/law/src/lib.rs", "one");
        put("crates/law/tests/it/main.rs", "left out");
        put("crates/lab/src/planted/mod.rs", "copied");
        put("crates/lab/planted/fault.toml", "left out");
        let mut wanted = BTreeMap::new();
        gather(root.path(), Path::new("crates"), &mut wanted).unwrap();
        assert_eq!(wanted.len(), 2, "{:?}", wanted.keys());
        bring_up_to_date(copy.path(), &wanted).unwrap();
        wanted.remove(Path::new("crates/law/src/lib.rs"));
        bring_up_to_date(copy.path(), &wanted).unwrap();
        assert!(copy.path().join("crates/lab/src/planted/mod.rs").is_file());
        assert!(!copy.path().join("crates/law/src/lib.rs").exists());
    }

    #[test]
    fn a_child_is_not_waited_for_for_ever() {
        let short = Duration::from_millis(50);
        let words = ["600".to_owned()];
        assert!(printed(Path::new("sleep"), &words, None, short).is_err());
        let said = printed(
            Path::new("printenv"),
            &["WHAT".to_owned()],
            Some(("WHAT", "this")),
            Duration::from_secs(10),
        );
        assert_eq!(said.as_deref(), Ok("this\n"));
    }
}
