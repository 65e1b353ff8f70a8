//! A demonstration country raised with the shipped binary: started as a process, kept in a folder
//! of its own, stopped and removed at the end.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::{LiveError, clock, dice, files};

/// How long the keys, the processes, the residents and the story may take together.
const RAISE_PATIENCE: Duration = Duration::from_secs(900);
/// How long the processes may take to finish what they accepted.
const STOP_PATIENCE: Duration = Duration::from_secs(30);
/// What the demonstration says once its story is told and everything goes on running.
const RUNNING: &str = "running in ";

/// A country that runs. Dropping it stops and removes it.
pub(crate) struct Country {
    pub(crate) dir: PathBuf,
    demo: Option<Child>,
    nodes: Vec<(String, u32)>,
    terminals: Vec<TerminalFiles>,
}

/// The files of one terminal and its ordinary operator.
#[derive(Clone, Debug)]
pub(crate) struct TerminalFiles {
    pub(crate) place: String,
    pub(crate) config: PathBuf,
    pub(crate) card: PathBuf,
    pub(crate) pin: PathBuf,
    pub(crate) affairs: Vec<String>,
}

/// The binary named, or the one beside this program.
pub(crate) fn binary(named: Option<&Path>) -> Result<PathBuf, LiveError> {
    if let Some(path) = named {
        std::fs::metadata(path).map_err(LiveError::file(path))?;
        return Ok(path.to_path_buf());
    }
    let own = std::env::current_exe().map_err(LiveError::file(Path::new("jukilab")))?;
    let beside = own.with_file_name("jukinet");
    if beside.is_file() { Ok(beside) } else { Err(LiveError::NoBinary) }
}

/// A new folder under the system's temporary one, or under `JUKILAB_DIR`.
pub(crate) fn scratch() -> PathBuf {
    let name: [u8; 6] = dice::array();
    let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
    let base = std::env::var_os("JUKILAB_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    base.join(format!("jukilab-{name}"))
}

fn summary(dir: &Path) -> Result<Value, LiveError> {
    let path = dir.join("summary.json");
    let text = std::fs::read_to_string(&path).map_err(LiveError::file(&path))?;
    serde_json::from_str(&text).map_err(|error| LiveError::content(&path, error.to_string()))
}

/// Running processes by node, as the country in `dir` wrote them down.
pub(crate) fn processes(dir: &Path) -> Result<Vec<(String, u32)>, LiveError> {
    let summary = summary(dir)?;
    let nodes = summary.get("nodes").and_then(Value::as_array);
    let one = |node: &Value| {
        let pid = node.get("pid").and_then(Value::as_u64)?;
        Some((node.get("node")?.as_str()?.to_owned(), u32::try_from(pid).ok()?))
    };
    Ok(nodes.into_iter().flatten().filter_map(one).collect())
}

/// The terminals of a country that was prepared or raised in `dir`.
pub(crate) fn terminals(dir: &Path) -> Result<Vec<TerminalFiles>, LiveError> {
    Ok(terminals_of(&summary(dir)?))
}

fn terminals_of(summary: &Value) -> Vec<TerminalFiles> {
    let list = summary.get("terminals").and_then(Value::as_array);
    let one = |terminal: &Value| {
        let text = |name: &str| terminal.get(name).and_then(Value::as_str).map(str::to_owned);
        let path = |name: &str| text(name).map(PathBuf::from);
        let affairs = terminal.get("affairs").and_then(Value::as_array);
        let affairs = affairs.into_iter().flatten().filter_map(Value::as_str);
        Some(TerminalFiles {
            place: text("place")?,
            config: path("config")?,
            card: path("card")?,
            pin: path("pin")?,
            affairs: affairs.map(str::to_owned).collect(),
        })
    };
    list.into_iter().flatten().filter_map(one).collect()
}

impl Country {
    /// Raises a country in `dir` and waits until its story is told.
    pub(crate) fn raise(
        binary: &Path,
        dir: &Path,
        population: Option<&Path>,
        residents: u64,
    ) -> Result<Self, LiveError> {
        let mut command = Command::new(binary);
        command.args(["demo", "--residents", &residents.to_string(), "--dir"]).arg(dir);
        if let Some(file) = population {
            command.arg("--population").arg(file);
        }
        let mut demo = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(LiveError::file(binary))?;
        let said = await_running(&mut demo);
        let mut country = Self {
            dir: dir.to_path_buf(),
            demo: Some(demo),
            nodes: Vec::new(),
            terminals: Vec::new(),
        };
        said.map_err(LiveError::NotRaised)?;
        country.read_summary()?;
        Ok(country)
    }

    fn read_summary(&mut self) -> Result<(), LiveError> {
        let path = self.dir.join("summary.json");
        let summary = summary(&self.dir)?;
        let list = |name: &str| summary.get(name).and_then(Value::as_array).cloned();
        for node in list("nodes").unwrap_or_default() {
            let name = node.get("node").and_then(Value::as_str);
            let pid = node.get("pid").and_then(Value::as_u64);
            if let (Some(name), Some(pid)) = (name, pid.and_then(|pid| u32::try_from(pid).ok())) {
                self.nodes.push((name.to_owned(), pid));
            }
        }
        self.terminals = terminals_of(&summary);
        let ok = |check: &Value| check.get("ok") == Some(&Value::Bool(true));
        match list("checks") {
            Some(checks) if !checks.is_empty() && checks.iter().all(ok) => Ok(()),
            _ => Err(LiveError::content(&path, "not every check of the demonstration held")),
        }
    }

    /// Processes by node name, terminals included.
    pub(crate) fn nodes(&self) -> &[(String, u32)] {
        &self.nodes
    }

    /// The terminal at a place.
    pub(crate) fn terminal(&self, place: &str) -> Result<&TerminalFiles, LiveError> {
        let found = self.terminals.iter().find(|terminal| terminal.place == place);
        found.ok_or_else(|| LiveError::NotRaised(format!("there is no terminal at {place}")))
    }

    /// A node's configuration.
    pub(crate) fn config(&self, node: &str) -> PathBuf {
        self.dir.join("nodes").join(node).join("config.toml")
    }

    /// Stops every process; the files stay until the country is dropped.
    pub(crate) fn stop(&mut self) {
        let Some(mut demo) = self.demo.take() else { return };
        let _ = kill(Pid::from_raw(i32::try_from(demo.id()).unwrap_or(i32::MAX)), Signal::SIGTERM);
        let until = clock::monotonic() + STOP_PATIENCE;
        while clock::monotonic() < until {
            if !matches!(demo.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = demo.kill();
        let _ = demo.wait();
    }
}

impl Drop for Country {
    fn drop(&mut self) {
        self.stop();
        files::remove_folder(&self.dir);
    }
}

/// Reads what the demonstration says until it runs; the rest is drained, so that it never blocks.
fn await_running(demo: &mut Child) -> Result<(), String> {
    let Some(stderr) = demo.stderr.take() else { return Err("it says nothing".to_owned()) };
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let _ = tell.send(line);
        }
    });
    let until = clock::monotonic() + RAISE_PATIENCE;
    let mut last = String::new();
    loop {
        match told.recv_timeout(until.saturating_duration_since(clock::monotonic())) {
            Ok(line) if line.starts_with(RUNNING) => return Ok(()),
            Ok(line) => last = line,
            Err(RecvTimeoutError::Disconnected) => return Err(last),
            Err(RecvTimeoutError::Timeout) => {
                let _ = demo.kill();
                return Err("it took too long".to_owned());
            }
        }
    }
}
