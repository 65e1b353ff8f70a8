//! Cargo as a process, for the one bench that measures it.

use std::path::Path;
use std::process::{Command, Stdio};

/// What is run, in the folder of the workspace.
pub(crate) const COMMAND: &str = "cargo build --release -p jukinet -p jukinet-lab";

/// Builds everything into `target`.
pub(crate) fn release(target: &Path) -> Result<(), String> {
    let mut words = COMMAND.split(' ');
    let program = words.next().unwrap_or_default();
    let status = Command::new(program)
        .args(words)
        .arg("--target-dir")
        .arg(target)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err(format!("it ended with {status}")) }
}
