//! Single nodes of a prepared country as processes of the shipped binary: started, killed at a
//! chosen system call through `strace`, started again, stopped. What a kill must not break is
//! checked elsewhere (`crash`).

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{LiveError, clock};

/// How long a node may take until it accepts requests, on a busy machine.
const READY_PATIENCE: Duration = Duration::from_secs(60);
/// How long a node may take to end by itself.
const STOP_PATIENCE: Duration = Duration::from_secs(30);
/// How long the tracer may take until it holds every thread.
const ATTACH_PATIENCE: Duration = Duration::from_secs(10);
/// How long the key ceremony of a country may take.
const PREPARE_PATIENCE: Duration = Duration::from_secs(120);
/// A node's standard error, kept beside its files.
const LOG: &str = "log";
/// Time between two looks at a process.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Kill the process as it enters its `nth` call of `call`, counted for each thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Injection {
    pub(crate) call: String,
    pub(crate) nth: u32,
}

/// What a tracer is to do.
#[derive(Clone, Debug)]
pub(crate) enum Trace {
    /// Write every call of these kinds into a file.
    Count {
        calls: String,
        into: PathBuf,
    },
    Kill(Injection),
    /// Write every call of these kinds into a file, with its bytes; kill where told.
    Record {
        calls: String,
        kill: Option<Injection>,
        into: PathBuf,
    },
}

/// No call of a node carries more at once: a string that is cut short makes a record useless.
const RECORD_BYTES_MAX: &str = "16777216";

impl Trace {
    fn arguments(&self) -> Vec<String> {
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect();
        match self {
            Self::Count { calls, into } => {
                let into = into.display().to_string();
                words(&["-f", "-q", "-e", &format!("trace={calls}"), "-o", &into])
            }
            Self::Kill(Injection { call, nth }) => {
                let inject = format!("inject={call}:signal=KILL:when={nth}");
                let trace = format!("trace={call}");
                words(&["-f", "-q", "-e", &trace, "-e", &inject, "-o", "/dev/null"])
            }
            Self::Record { calls, kill, into } => {
                let (into, trace) = (into.display().to_string(), format!("trace={calls}"));
                let exact = ["-f", "-q", "-y", "-xx", "-ttt", "-s", RECORD_BYTES_MAX];
                let mut all = words(&exact);
                all.extend(words(&["-e", &trace, "-o", &into]));
                if let Some(Injection { call, nth }) = kill {
                    all.extend(words(&["-e", &format!("inject={call}:signal=KILL:when={nth}")]));
                }
                all
            }
        }
    }
}

/// Whether this machine lets one process trace another.
pub(crate) fn can_trace() -> Result<(), LiveError> {
    let said = Command::new("strace")
        .args(["-f", "-q", "-o", "/dev/null", "-e", "trace=exit_group", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match said {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(LiveError::NoTracing("it may not trace here; allow ptrace".to_owned())),
        Err(error) => Err(LiveError::NoTracing(format!("{error}; install the package strace"))),
    }
}

/// Makes the keys, cards and configurations of a country whose ceremony lies `age` back.
pub(crate) fn prepare(binary: &Path, dir: &Path, age: Duration) -> Result<(), LiveError> {
    prepare_places(binary, dir, age, &[])
}

/// The same with these municipalities; with the demonstration's where none are named.
pub(crate) fn prepare_places(
    binary: &Path,
    dir: &Path,
    age: Duration,
    municipalities: &[&str],
) -> Result<(), LiveError> {
    let mut child = Command::new(binary)
        .args(["--quiet", "demo", "--prepare", "--ceremony-age", &age.as_secs().to_string()])
        .arg("--dir")
        .arg(dir)
        .args(municipalities.iter().flat_map(|code| ["--municipalities", *code]))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(LiveError::file(binary))?;
    match wait(&mut child, PREPARE_PATIENCE) {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(LiveError::NotRaised(format!("demo --prepare ended with {status}"))),
        None => {
            let _ = child.kill();
            let _ = child.wait();
            Err(LiveError::NotRaised("demo --prepare did not end".to_owned()))
        }
    }
}

fn wait(child: &mut Child, patience: Duration) -> Option<std::process::ExitStatus> {
    let until = clock::monotonic() + patience;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if clock::monotonic() < until => std::thread::sleep(LOOK_EVERY),
            _ => return None,
        }
    }
}

/// Nodes of one prepared country. Dropping it kills what runs.
pub(crate) struct Fleet {
    binary: PathBuf,
    dir: PathBuf,
    running: BTreeMap<String, Child>,
    tracer: Option<Child>,
}

impl std::fmt::Debug for Fleet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fleet({} processes)", self.running.len())
    }
}

/// A node that was started and has not said yet that it is ready.
pub(crate) struct Starting {
    node: String,
    told: Receiver<String>,
}

impl Fleet {
    pub(crate) fn new(binary: &Path, dir: &Path) -> Self {
        let (binary, dir) = (binary.to_path_buf(), dir.to_path_buf());
        Self { binary, dir, running: BTreeMap::new(), tracer: None }
    }

    /// The folder of a node.
    pub(crate) fn folder(&self, node: &str) -> PathBuf {
        self.dir.join("nodes").join(node)
    }

    /// A node's configuration.
    pub(crate) fn config(&self, node: &str) -> PathBuf {
        self.folder(node).join("config.toml")
    }

    /// Forget everything the nodes kept: as after the key ceremony.
    pub(crate) fn wipe(&self, nodes: &[&str]) -> Result<(), LiveError> {
        for node in nodes {
            let folder = self.folder(node);
            for name in ["", "-wal", "-shm", ".lock"] {
                let file = folder.join("data").join(format!("register.sqlite{name}"));
                remove(&file, std::fs::remove_file(&file))?;
            }
            let terms = folder.join("token.retention");
            remove(&terms, std::fs::remove_file(&terms))?;
            let ledger = folder.join("ledger");
            remove(&ledger, std::fs::remove_dir_all(&ledger))?;
            std::fs::create_dir_all(&ledger).map_err(LiveError::file(&ledger))?;
        }
        Ok(())
    }

    /// Takes the database's log away from a dead node, as if nothing in it had been synced.
    pub(crate) fn lose_log(&self, node: &str) -> Result<(), LiveError> {
        for name in ["-wal", "-shm"] {
            let file = self.folder(node).join("data").join(format!("register.sqlite{name}"));
            remove(&file, std::fs::remove_file(&file))?;
        }
        Ok(())
    }

    /// Every file of a node but its log, by its path.
    pub(crate) fn files(&self, node: &str) -> Result<BTreeMap<String, Vec<u8>>, LiveError> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.folder(node)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).map_err(LiveError::file(&folder))?.flatten() {
                let path = entry.path();
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => folders.push(path),
                    Ok(kind) if kind.is_file() && entry.file_name() != LOG => {
                        let bytes = std::fs::read(&path).map_err(LiveError::file(&path))?;
                        found.insert(path.display().to_string(), bytes);
                    }
                    _ => {}
                }
            }
        }
        Ok(found)
    }

    /// Makes these the files of a dead node, its log apart.
    pub(crate) fn put_files(
        &self,
        node: &str,
        files: &BTreeMap<String, Vec<u8>>,
    ) -> Result<(), LiveError> {
        for path in self.files(node)?.into_keys().filter(|path| !files.contains_key(path)) {
            let path = PathBuf::from(path);
            remove(&path, std::fs::remove_file(&path))?;
        }
        for (path, bytes) in files {
            let path = PathBuf::from(path);
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).map_err(LiveError::file(folder))?;
            }
            let mut open = OpenOptions::new();
            // Keys are among them.
            let open = open.write(true).create(true).truncate(true).mode(0o600).open(&path);
            let mut file = open.map_err(LiveError::file(&path))?;
            file.write_all(bytes).map_err(LiveError::file(&path))?;
        }
        Ok(())
    }

    /// Starts nodes and waits until each is ready.
    pub(crate) fn start(&mut self, nodes: &[&str]) -> Result<(), LiveError> {
        let mut starting = Vec::new();
        for node in nodes {
            starting.push(self.launch(node, None)?);
        }
        starting.into_iter().try_for_each(Starting::ready)
    }

    /// Starts one node under a tracer; it may be killed before it is ready.
    pub(crate) fn start_traced(
        &mut self,
        node: &str,
        trace: &Trace,
    ) -> Result<Starting, LiveError> {
        self.launch(node, Some(trace))
    }

    fn launch(&mut self, node: &str, trace: Option<&Trace>) -> Result<Starting, LiveError> {
        let role = node.split('-').next().unwrap_or(node);
        let log = self.folder(node).join(LOG);
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(LiveError::file(&log))?;
        let mut command = match trace {
            None => Command::new(&self.binary),
            Some(trace) => {
                // -D: the node itself is our child, the tracer stands aside.
                let mut command = Command::new("strace");
                command.arg("-D").args(trace.arguments()).arg(&self.binary);
                command
            }
        };
        let mut child = command
            .args([role, "serve", "--config"])
            .arg(self.config(node))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(LiveError::file(&self.binary))?;
        let (tell, told) = channel();
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || {
                let mut line = String::new();
                let _ = BufReader::new(stdout).read_line(&mut line);
                let _ = tell.send(line);
            });
        }
        if let Some(mut before) = self.running.insert(node.to_owned(), child) {
            let _ = before.kill();
            let _ = before.wait();
        }
        Ok(Starting { node: node.to_owned(), told })
    }

    /// Attaches a tracer to every thread of a running node.
    pub(crate) fn attach(&mut self, node: &str, trace: &Trace) -> Result<(), LiveError> {
        let failed = |why: &str| LiveError::NoTracing(format!("{node}: {why}"));
        let pid = self.running.get(node).map(Child::id).ok_or_else(|| failed("does not run"))?;
        self.detach();
        let arguments = trace.arguments().into_iter().filter(|word| word != "-q");
        let mut tracer = Command::new("strace")
            .args(arguments)
            .args(["-p", &pid.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| LiveError::NoTracing(error.to_string()))?;
        let (tell, told) = channel();
        if let Some(stderr) = tracer.stderr.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                    let _ = tell.send(line);
                }
            });
        }
        self.tracer = Some(tracer);
        let until = clock::monotonic() + ATTACH_PATIENCE;
        loop {
            let left = until.saturating_duration_since(clock::monotonic());
            match told.recv_timeout(left) {
                Ok(line) if line.contains("attached") => return Ok(()),
                Ok(_) => {}
                Err(_) => return Err(failed("the tracer did not attach")),
            }
        }
    }

    /// Takes the tracer away; the node runs on.
    pub(crate) fn detach(&mut self) {
        let Some(mut tracer) = self.tracer.take() else { return };
        signal(&tracer, Signal::SIGINT);
        if wait(&mut tracer, ATTACH_PATIENCE).is_none() {
            let _ = tracer.kill();
            let _ = tracer.wait();
        }
    }

    /// The process of a running node.
    pub(crate) fn pid(&self, node: &str) -> Option<u32> {
        self.running.get(node).map(Child::id)
    }

    /// Every running node and its process.
    pub(crate) fn processes(&self) -> impl Iterator<Item = (&str, u32)> {
        self.running.iter().map(|(node, child)| (node.as_str(), child.id()))
    }

    /// Stops a node's time: it neither answers nor breaks a session, as a cut line does not.
    pub(crate) fn freeze(&self, node: &str) {
        if let Some(child) = self.running.get(node) {
            signal(child, Signal::SIGSTOP);
        }
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self, node: &str) {
        if let Some(child) = self.running.get(node) {
            signal(child, Signal::SIGCONT);
        }
    }

    /// Waits a moment for a node to be gone: a session breaks a little before its process is.
    pub(crate) fn gone(&mut self, node: &str, patience: Duration) -> bool {
        self.running.get_mut(node).is_none_or(|child| wait(child, patience).is_some())
    }

    /// Kills a node with SIGKILL.
    pub(crate) fn kill(&mut self, node: &str) {
        if let Some(mut child) = self.running.remove(node) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Sends a signal to a running node: it stands still, goes on, or ends.
    pub(crate) fn signal(&self, node: &str, which: Signal) {
        if let Some(child) = self.running.get(node) {
            signal(child, which);
        }
    }

    /// Ends every node in its own time; the names of those that did not end well.
    pub(crate) fn stop_all(&mut self) -> Vec<String> {
        self.detach();
        for child in self.running.values() {
            signal(child, Signal::SIGTERM);
        }
        let mut ill = Vec::new();
        for (node, mut child) in std::mem::take(&mut self.running) {
            if !wait(&mut child, STOP_PATIENCE).is_some_and(|status| status.success()) {
                let _ = child.kill();
                let _ = child.wait();
                ill.push(node);
            }
        }
        ill
    }

    /// The last lines of a node's log, for a report.
    pub(crate) fn log_tail(&self, node: &str) -> String {
        let text = std::fs::read_to_string(self.folder(node).join(LOG)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines.iter().rev().take(5).rev().copied().collect::<Vec<_>>().join("\n")
    }
}

impl Starting {
    /// Waits until the node accepts requests.
    pub(crate) fn ready(self) -> Result<(), LiveError> {
        let line = self.told.recv_timeout(READY_PATIENCE).unwrap_or_default();
        if line.starts_with("ready ") {
            return Ok(());
        }
        Err(LiveError::NotReady(self.node))
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if let Some(mut tracer) = self.tracer.take() {
            let _ = tracer.kill();
            let _ = tracer.wait();
        }
        for (_, mut child) in std::mem::take(&mut self.running) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn signal(child: &Child, which: Signal) {
    let _ = kill(Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX)), which);
}

/// What is not there is removed already.
fn remove(path: &Path, done: std::io::Result<()>) -> Result<(), LiveError> {
    match done {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(LiveError::file(path)(error))
        }
        _ => Ok(()),
    }
}

/// The record of a process that has ended: whole when the tracer has said how it ended.
pub(crate) fn recorded(file: &Path) -> Result<String, LiveError> {
    let until = clock::monotonic() + ATTACH_PATIENCE;
    loop {
        let text = std::fs::read_to_string(file).map_err(LiveError::file(file))?;
        let last = text.lines().next_back().unwrap_or_default();
        if text.ends_with('\n') && last.contains("+++ ") {
            return Ok(text);
        }
        if clock::monotonic() > until {
            return Err(LiveError::content(file, "the tracer did not finish its record"));
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// How often the busiest thread made each kind of call, as the tracer wrote it down.
pub(crate) fn counted(file: &Path) -> Result<BTreeMap<String, u32>, LiveError> {
    let text = std::fs::read_to_string(file).map_err(LiveError::file(file))?;
    Ok(busiest(&text))
}

/// Lines are `THREAD CALL(…` or, where another thread came between, `THREAD <... CALL resumed>`.
fn busiest(text: &str) -> BTreeMap<String, u32> {
    let mut each: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for line in text.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let Some((call, _)) = rest.trim_start().split_once('(') else { continue };
        if call.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
            *each.entry((thread, call)).or_default() += 1;
        }
    }
    let mut most = BTreeMap::new();
    for ((_, call), count) in each {
        let known: &mut u32 = most.entry(call.to_owned()).or_default();
        *known = (*known).max(count);
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_thread_counts_and_a_call_that_was_resumed_counts_once() {
        let text = "7 fsync(3) = 0\n7 pwrite64(3, \"x(\"..., 1, 0 <unfinished ...>\n\
                    9 fsync(4) = 0\n7 <... pwrite64 resumed>) = 1\n7 fsync(3) = 0\n\
                    7 +++ exited with 0 +++\n9 --- SIGTERM {si_code=0} ---\n";
        let most = busiest(text);
        assert_eq!(most.get("fsync"), Some(&2));
        assert_eq!(most.get("pwrite64"), Some(&1));
        assert_eq!(most.len(), 2);
    }
}
