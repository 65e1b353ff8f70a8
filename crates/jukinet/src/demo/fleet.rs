//! The country's processes: real ones of this very binary, started, watched, measured and stopped.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::clock;
use crate::provision::Country;

/// How long a process may take until it accepts requests.
const READY_PATIENCE: Duration = Duration::from_secs(40);
/// How long a process may take to finish what it accepted.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// Processes that were started and not yet stopped: who ends the demonstration early ends them too.
/// `None`: it is being ended, and nothing more is started.
static STARTED: Mutex<Option<Vec<Pid>>> = Mutex::new(Some(Vec::new()));

fn started() -> MutexGuard<'static, Option<Vec<Pid>>> {
    STARTED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// End every process of this demonstration from another thread, before this process ends itself.
pub fn end_all() {
    let pids = started().take().unwrap_or_default();
    for pid in &pids {
        let _ = kill(*pid, Signal::SIGTERM);
    }
    let until = clock::monotonic() + STOP_PATIENCE;
    while clock::monotonic() < until && pids.iter().any(|pid| runs(*pid)) {
        std::thread::sleep(Duration::from_millis(20));
    }
    for pid in pids.iter().filter(|pid| runs(**pid)) {
        let _ = kill(*pid, Signal::SIGKILL);
    }
}

/// A process that ended and was not yet waited for has no command line any more.
fn runs(pid: Pid) -> bool {
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

/// One running process.
#[derive(Debug)]
pub struct Running {
    /// Node id.
    pub name: String,
    pub child: Child,
    /// For a terminal: the address to open, with its one-time token.
    pub opens: Option<String>,
}

/// All of them. Dropping it stops them.
#[derive(Debug)]
pub struct Fleet {
    pub running: Vec<Running>,
}

impl Fleet {
    /// Start every node and terminal of the country; exchanges and the center first is not needed,
    /// because everyone tries again until the others are there.
    pub fn start(binary: &Path, country: &Country) -> Result<Self, String> {
        let mut fleet = Self { running: Vec::new() };
        let (tell, told) = channel();
        for node in &country.nodes {
            let name = node.node.as_str();
            let log = node.folder.join("log");
            let arguments = [node.role.key(), "serve", "--config"];
            fleet.launch(binary, (name, &arguments, &node.config), &log, &tell)?;
        }
        for terminal in &country.terminals {
            let log = country.dir.join("terminals").join(&terminal.place).join("log");
            let arguments = ["terminal", "serve", "--config"];
            let name = terminal.node.as_str();
            fleet.launch(binary, (name, &arguments, &terminal.config), &log, &tell)?;
        }
        drop(tell);
        fleet.await_ready(&told)?;
        Ok(fleet)
    }

    fn launch(
        &mut self,
        binary: &Path,
        (name, arguments, config): (&str, &[&str], &Path),
        log: &Path,
        tell: &std::sync::mpsc::Sender<(usize, Option<String>)>,
    ) -> Result<(), String> {
        let said = |error: std::io::Error| format!("{name} does not start: {error}");
        let log = File::create(log).map_err(said)?;
        let mut started = started();
        let pids = started.as_mut().ok_or("the demonstration is being ended")?;
        let mut child = Command::new(binary)
            .args(arguments)
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(said)?;
        pids.push(pid(&child));
        drop(started);
        let index = self.running.len();
        let tell = tell.clone();
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || {
                let mut line = String::new();
                let read = BufReader::new(stdout).read_line(&mut line);
                let line = read.is_ok().then(|| line.trim().to_owned());
                let _ = tell.send((index, line.filter(|line| line.starts_with("ready "))));
            });
        }
        self.running.push(Running { name: name.to_owned(), child, opens: None });
        Ok(())
    }

    fn await_ready(&mut self, told: &Receiver<(usize, Option<String>)>) -> Result<(), String> {
        let until = clock::monotonic() + READY_PATIENCE;
        for _ in 0..self.running.len() {
            let left = until.saturating_duration_since(clock::monotonic());
            match told.recv_timeout(left) {
                Ok((index, Some(line))) => {
                    if let Some(running) = self.running.get_mut(index) {
                        running.opens = line.split(' ').nth(2).map(str::to_owned);
                    }
                }
                Ok((index, None)) => {
                    let name = self.running.get(index).map_or("?", |running| running.name.as_str());
                    return Err(format!("{name} ended before it was ready; see its log"));
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    return Err("not every process became ready in time; see the logs".to_owned());
                }
            }
        }
        Ok(())
    }

    /// The process of a node or terminal.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Running> {
        self.running.iter().find(|running| running.name == name)
    }

    /// Names of processes that have ended although nobody stopped them.
    pub fn ended(&mut self) -> Vec<String> {
        let gone = |running: &mut Running| matches!(running.child.try_wait(), Ok(Some(_)));
        self.running
            .iter_mut()
            .filter_map(|running| gone(running).then(|| running.name.clone()))
            .collect()
    }

    /// Ask everyone to finish and stop; kill who does not. `true`: all ended by themselves, well.
    pub fn stop(&mut self) -> bool {
        for running in &self.running {
            let _ = kill(pid(&running.child), Signal::SIGTERM);
        }
        let until = clock::monotonic() + STOP_PATIENCE;
        let mut well = true;
        for running in &mut self.running {
            loop {
                match running.child.try_wait() {
                    Ok(Some(status)) => {
                        well &= status.success();
                        break;
                    }
                    Ok(None) if clock::monotonic() < until => {
                        std::thread::sleep(Duration::from_millis(20));
                    }
                    _ => {
                        well = false;
                        let _ = running.child.kill();
                        let _ = running.child.wait();
                        break;
                    }
                }
            }
        }
        self.running.clear();
        if let Some(pids) = started().as_mut() {
            pids.clear();
        }
        well
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.stop();
    }
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX))
}

/// Resident memory of a process in MiB, as the system accounts it.
#[must_use]
pub fn rss_mib(process: u32) -> Option<f64> {
    let status = std::fs::read_to_string(PathBuf::from(format!("/proc/{process}/status"))).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: u32 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some((f64::from(kib) / 1024.0 * 10.0).round() / 10.0)
}
