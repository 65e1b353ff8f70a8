//! `jukinet import` as a process that is watched: its answer, its CPU time, its peak of memory.

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::{LiveError, clock, machine};

/// Time between two looks at its memory.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What a load took.
pub(crate) struct Watched {
    pub(crate) answer: Value,
    pub(crate) seconds: f64,
    pub(crate) cpu_seconds: f64,
    pub(crate) peak_mib: f64,
}

/// Loads `file` into the node of `config`.
pub(crate) fn import(binary: &Path, config: &Path, file: &Path) -> Result<Watched, LiveError> {
    let start = clock::monotonic();
    let mut child = Command::new(binary)
        .args(["import", "--json", "--config"])
        .arg(config)
        .arg("--file")
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(LiveError::file(binary))?;
    let (mut peak_mib, mut cpu_seconds) = (0.0_f64, 0.0);
    let status = loop {
        peak_mib = peak_mib.max(machine::peak_mib(child.id()).unwrap_or(0.0));
        cpu_seconds = machine::cpu_seconds(child.id()).max(cpu_seconds);
        match child.try_wait().map_err(LiveError::file(binary))? {
            Some(status) => break status,
            None => std::thread::sleep(LOOK_EVERY),
        }
    };
    let seconds = start.elapsed().as_secs_f64();
    let mut text = String::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_string(&mut text).map_err(LiveError::file(binary))?;
    }
    if !status.success() {
        return Err(LiveError::NotRaised(format!("jukinet import ended with {status}")));
    }
    let answer = serde_json::from_str(text.trim())
        .map_err(|error| LiveError::content(file, error.to_string()))?;
    Ok(Watched { answer, seconds, cpu_seconds, peak_mib })
}
