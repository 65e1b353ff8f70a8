//! A command of the shipped binary, run to its end: exit code, document, words. Not the processes
//! that stay (`fleet`, `country`).

use std::ffi::OsStr;
use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::{LiveError, clock};

/// Time between two looks at the process.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What a command left.
#[derive(Debug)]
pub(crate) struct Ran {
    /// `None`: it had not ended in time and was killed.
    pub(crate) code: Option<i32>,
    /// The document on stdout, null when there was none.
    pub(crate) json: Value,
    /// The last line of its talk.
    pub(crate) said: String,
}

/// Runs the binary with these arguments, for at most `limit`.
pub(crate) fn run(binary: &Path, arguments: &[&OsStr], limit: Duration) -> Result<Ran, LiveError> {
    let mut child = Command::new(binary)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(LiveError::file(binary))?;
    let out = child.stdout.take().map(drain);
    let err = child.stderr.take().map(drain);
    let until = clock::monotonic() + limit;
    let code = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Some(status.code().unwrap_or(-1)),
            Ok(None) if clock::monotonic() < until => std::thread::sleep(LOOK_EVERY),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                break None;
            }
        }
    };
    let text = |reader: Option<std::thread::JoinHandle<Vec<u8>>>| {
        reader.and_then(|thread| thread.join().ok()).unwrap_or_default()
    };
    let (out, err) = (text(out), text(err));
    let said = String::from_utf8_lossy(&err).lines().last().unwrap_or_default().to_owned();
    Ok(Ran { code, json: serde_json::from_slice(&out).unwrap_or(Value::Null), said })
}

fn drain<R: Read + Send + 'static>(mut from: R) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        bytes
    })
}

/// Says `words` to an address in the clear; how many bytes came back until it hung up.
pub(crate) fn knock(
    address: SocketAddr,
    words: &[u8],
    patience: Duration,
) -> Result<usize, LiveError> {
    let to = address.to_string();
    let failed = |source| LiveError::Unreachable { to: to.clone(), source };
    let mut stream = TcpStream::connect_timeout(&address, patience).map_err(failed)?;
    stream.set_read_timeout(Some(patience)).map_err(failed)?;
    stream.write_all(words).map_err(failed)?;
    let (mut heard, mut buffer) = (0, [0; 256]);
    // A reset, an end and a silence are all the same here: nothing more comes.
    while let Ok(count) = stream.read(&mut buffer)
        && count > 0
    {
        heard += count;
    }
    Ok(heard)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_does_not_end_is_stopped_and_one_that_does_is_told() {
        let words = |list: [&'static str; 2]| list.map(OsStr::new);
        let shell = Path::new("/bin/sh");
        let script = "echo '{\"a\":1}'; echo a word >&2; exit 4";
        let ran = run(shell, &words(["-c", script]), Duration::from_secs(20)).unwrap();
        assert_eq!((ran.code, &ran.json["a"], ran.said.as_str()), (Some(4), &1.into(), "a word"));
        let ran = run(shell, &words(["-c", "exec sleep 60"]), Duration::from_millis(50)).unwrap();
        assert_eq!(ran.code, None);
    }
}
