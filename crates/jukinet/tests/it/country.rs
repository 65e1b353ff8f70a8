//! A small country of real processes of the built binary, for tests: raised, asked, hurt,
//! restarted. Not the demonstration: these tests choose which processes run and kill them as they
//! please.
//!
//! One country at a time, every wait is bounded, and whatever happens nothing is left running: the
//! guard ends every process whose command line names its folder.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jukinet::provision::{self, Plan};
use jukinet::{clock, dice};
use law::code::{LocalGovernmentCode, RecordCode};
use law::time::Timestamp;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_jukinet");
/// The municipality that most of these tests are about: 国立市.
pub(crate) const KUNITACHI: &str = "132152";
pub(crate) const MITAKA: &str = "132047";
/// How long a process may take until it accepts requests, on a busy machine.
const READY_PATIENCE: Duration = Duration::from_secs(60);
const TOOL_PATIENCE: Duration = Duration::from_secs(90);

static TURN: Mutex<()> = Mutex::new(());

/// The right to run processes; a failed test passes it on.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends every process whose command line names this folder, also when the test panics.
pub(crate) struct Reaper(pub(crate) PathBuf);

impl Drop for Reaper {
    fn drop(&mut self) {
        for pid in processes_of(&self.0) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        let until = Instant::now() + Duration::from_secs(5);
        while !processes_of(&self.0).is_empty() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Processes whose command line names this folder. Zombies have none, so they do not count.
pub(crate) fn processes_of(folder: &Path) -> Vec<i32> {
    let needle = folder.as_os_str().as_encoded_bytes();
    let own = i32::try_from(std::process::id()).unwrap();
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| *pid != own)
        .filter(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.windows(needle.len()).any(|window| window == needle)
        })
        .collect()
}

/// What a command said and how it ended.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl std::fmt::Debug for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {} after {:?}\n{}\n{}", self.code, self.took, self.stdout, self.stderr)
    }
}

impl Ran {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub(crate) fn rule(&self) -> String {
        self.json()["refusal"]["rule"].as_str().unwrap_or_default().to_owned()
    }

    /// Codes of the persons found, sorted.
    pub(crate) fn codes(&self) -> Vec<String> {
        let json = self.json();
        let hits = json["hits"].as_array().unwrap_or_else(|| panic!("no hits: {self:?}"));
        let code = |hit: &Value| hit["record_code"].as_str().unwrap().to_owned();
        let mut codes: Vec<String> = hits.iter().map(code).collect();
        codes.sort();
        codes
    }
}

/// A command of the binary that runs, its output being collected.
pub(crate) struct Tool {
    child: Child,
    started: Instant,
    stdout: std::thread::JoinHandle<String>,
    stderr: std::thread::JoinHandle<String>,
}

fn collect(mut from: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

impl Tool {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::spawn(Command::new(BINARY).args(arguments))
    }

    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = collect(child.stdout.take().unwrap());
        let stderr = collect(child.stderr.take().unwrap());
        Self { child, started: Instant::now(), stdout, stderr }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub(crate) fn finish(mut self, patience: Duration) -> Ran {
        let code = match wait_bounded(&mut self.child, patience) {
            Some(status) => status.code().unwrap_or(-1),
            None => {
                let _ = self.child.kill();
                let _ = self.child.wait();
                -2
            }
        };
        let took = self.started.elapsed();
        let (stdout, stderr) = (self.stdout.join().unwrap(), self.stderr.join().unwrap());
        assert_ne!(code, -2, "did not end in {patience:?}:\n{stdout}\n{stderr}");
        Ran { code, stdout, stderr, took }
    }
}

/// Run a command of the binary to its end.
pub(crate) fn tool(arguments: &[&str]) -> Ran {
    Tool::start(arguments).finish(TOOL_PATIENCE)
}

fn wait_bounded(child: &mut Child, patience: Duration) -> Option<std::process::ExitStatus> {
    let until = Instant::now() + patience;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        if Instant::now() > until {
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Wait until something holds; panics with its name when it does not come true.
pub(crate) fn eventually(what: &str, patience: Duration, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + patience;
    while !holds() {
        assert!(Instant::now() < until, "not within {patience:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Free ports below the range that outgoing connections take theirs from, so that a node that is
/// down finds its own again.
fn ports(count: usize) -> Vec<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let base = 11_000 + u16::try_from(std::process::id() % 190).unwrap() * 100;
    let mut found = Vec::new();
    while found.len() < count {
        let port = base + NEXT.fetch_add(1, Ordering::Relaxed) % 2_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            found.push(port);
        }
    }
    found
}

/// A country whose processes this test starts and stops.
pub(crate) struct Country {
    pub(crate) made: provision::Country,
    running: BTreeMap<String, Child>,
    // Dropped in this order: processes, folder, turn.
    _reaper: Reaper,
    folder: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Country {
    /// Tokyo with two municipalities, two agencies; nothing runs yet.
    pub(crate) fn make() -> Self {
        Self::make_at(clock::now())
    }

    /// As made by a key ceremony at another time.
    pub(crate) fn make_at(ceremony: Timestamp) -> Self {
        let turn = turn();
        let folder = tempfile::Builder::new().prefix("jukinet-it-").tempdir().unwrap();
        let mut plan = Plan::demo(Vec::new(), ceremony).unwrap();
        plan.prefectures.truncate(1);
        plan.ports = ports(plan.ports_needed());
        let made = provision::country(folder.path(), &plan, &mut dice::fill).unwrap();
        let reaper = Reaper(folder.path().to_path_buf());
        Self { made, running: BTreeMap::new(), _reaper: reaper, folder, _turn: turn }
    }

    /// Center, prefecture, 国立市 and the exchanges between them: what notices need.
    pub(crate) fn with_tiers() -> Self {
        let mut country = Self::make();
        country.start_all(&[
            "exchange-national",
            "exchange-13",
            "center",
            "prefecture-13",
            "municipality-132152",
        ]);
        country
    }

    /// With the first agency as well, so that the center can be asked.
    pub(crate) fn with_agency() -> Self {
        let mut country = Self::with_tiers();
        country.start_all(&["agency-1"]);
        country
    }

    pub(crate) fn dir(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn config(&self, node: &str) -> String {
        self.made.node(node).unwrap().config.display().to_string()
    }

    pub(crate) fn log_path(&self, node: &str) -> PathBuf {
        self.made.node(node).unwrap().folder.join("log")
    }

    pub(crate) fn log(&self, node: &str) -> String {
        fs::read_to_string(self.log_path(node)).unwrap_or_default()
    }

    pub(crate) fn start_all(&mut self, nodes: &[&str]) {
        let mut ready = Vec::new();
        for node in nodes {
            let role = self.made.node(node).unwrap().role.key();
            let log = OpenOptions::new().create(true).append(true).open(self.log_path(node));
            let mut child = spawn_serve(role, &self.config(node), log.unwrap());
            let (tell, told) = channel();
            let stdout = child.stdout.take().unwrap();
            std::thread::spawn(move || {
                let mut line = String::new();
                let _ = BufReader::new(stdout).read_line(&mut line);
                let _ = tell.send(line);
            });
            ready.push(told);
            assert!(self.running.insert((*node).to_owned(), child).is_none(), "{node} runs");
        }
        let until = Instant::now() + READY_PATIENCE;
        for (node, told) in nodes.iter().zip(ready) {
            let line = told.recv_timeout(until.saturating_duration_since(Instant::now()));
            let line = line.unwrap_or_default();
            let expected = format!("ready {node} 127.0.0.1:");
            assert!(line.starts_with(&expected), "{node}: {line:?}\n{}", self.log(node));
        }
    }

    pub(crate) fn start(&mut self, node: &str) {
        self.start_all(&[node]);
    }

    pub(crate) fn kill9(&mut self, node: &str) {
        let mut child = self.running.remove(node).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// SIGTERM: must finish by itself and say that all is well.
    pub(crate) fn stop(&mut self, node: &str) {
        let mut child = self.running.remove(node).unwrap();
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGTERM).unwrap();
        let status = wait_bounded(&mut child, Duration::from_secs(30));
        assert!(status.is_some_and(|status| status.success()), "{node}: {status:?}");
    }

    pub(crate) fn stop_all(&mut self) {
        let nodes: Vec<String> = self.running.keys().cloned().collect();
        nodes.iter().for_each(|node| self.stop(node));
    }

    pub(crate) fn runs(&mut self, node: &str) -> bool {
        self.running.get_mut(node).is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.dir().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Send a file of changes to a municipality's server.
    pub(crate) fn notice(&self, municipality: &str, file: &Path) -> Ran {
        tool(&self.notice_arguments(municipality, file).each_ref().map(String::as_str))
    }

    pub(crate) fn notice_arguments(&self, municipality: &str, file: &Path) -> [String; 6] {
        let config = self.config(&format!("municipality-{municipality}"));
        let file = file.display().to_string();
        ["notice", "--json", "--config", &config, "--file", &file].map(str::to_owned)
    }

    pub(crate) fn fsck(&self, node: &str) -> Ran {
        tool(&["fsck", "--json", "--config", &self.config(node)])
    }

    /// Fsck is clean at the three tiers and all hold the same people of this municipality.
    pub(crate) fn tiers_equal(&self, municipality: &str, residents: u64) -> bool {
        let city = format!("municipality-{municipality}");
        let mut digests = Vec::new();
        for node in [city.as_str(), "prefecture-13", "center"] {
            let ran = self.fsck(node);
            assert_eq!(ran.code, 0, "{node}: {ran:?}");
            let report = ran.json();
            if report["residents"] != residents {
                return false;
            }
            digests.push(report["population_digest"][municipality].clone());
        }
        digests.iter().all(|digest| digest.is_string() && *digest == digests[0])
    }

    /// Fsck is clean and nobody is held anywhere.
    pub(crate) fn nobody_held(&self) -> bool {
        ["municipality-132152", "prefecture-13", "center"].iter().all(|node| {
            let ran = self.fsck(node);
            ran.code == 0 && ran.json()["residents"] == 0
        })
    }

    pub(crate) fn await_tiers(&self, municipality: &str, residents: u64) {
        let patience = Duration::from_secs(60);
        eventually("the three tiers hold the same people", patience, || {
            self.tiers_equal(municipality, residents)
        });
    }

    /// An inquiry of agency 1 with its clerk's card under its pension affair.
    pub(crate) fn ask(&self, keys: &[&str]) -> Ran {
        self.ask_with("agency-1", "agency-1-clerk", keys)
    }

    pub(crate) fn ask_with(&self, place: &str, card: &str, keys: &[&str]) -> Ran {
        let config = self.dir().join(format!("terminals/{place}.toml"));
        let card = self.dir().join(format!("cards/{card}.card"));
        inquire(&config, &card, "1-74-1", keys)
    }
}

fn spawn_serve(role: &str, config: &str, log: File) -> Child {
    Command::new(BINARY)
        .args([role, "serve", "--config", config])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .unwrap()
}

pub(crate) fn inquire(config: &Path, card: &Path, affair: &str, keys: &[&str]) -> Ran {
    let (config, card) = (config.display().to_string(), card.display().to_string());
    let mut arguments = vec!["inquire", "--json", "--config", &config, "--card", &card];
    arguments.extend(["--affair", affair, "--case", "it-1"]);
    arguments.extend(keys);
    tool(&arguments)
}

/// A person who does not exist, told by a number; no two share a name, an address or a code.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) code: String,
    pub(crate) family: String,
    pub(crate) given: String,
    pub(crate) birth: String,
    pub(crate) address: String,
    pub(crate) municipality: &'static str,
}

/// Characters of names that stand in nobody else's file by chance.
const SYLLABLES: [char; 20] = [
    '鰐', '鵺', '鸞', '麒', '麟', '黛', '鼎', '齋', '龍', '龕', '鬱', '驪', '馗', '飆', '韻', '靄',
    '霹', '雪', '隼', '閃',
];

impl Person {
    pub(crate) fn number(number: u64, municipality: &'static str) -> Self {
        let salt: u64 = if municipality == KUNITACHI { 1 } else { 5 };
        let code = RecordCode::from_ten_digits(salt * 1_000_000_000 + number * 7_919).unwrap();
        let at = |place: u32| SYLLABLES[usize::try_from(number / 20u64.pow(place) % 20).unwrap()];
        let own = LocalGovernmentCode::parse(municipality).unwrap();
        let town = law::municipality::find(&own).unwrap().name;
        Self {
            code: code.expose().to_owned(),
            family: format!("{}{}", at(1), at(0)),
            given: format!("{}{}", at(3), at(2)),
            birth: format!("{}-{:02}-{:02}", 1950 + number % 50, 1 + number % 12, 1 + number % 28),
            address: format!("東京都{town}富士見台{}丁目{}番", 1 + number % 4, 1 + number),
            municipality,
        }
    }

    pub(crate) fn name(&self) -> String {
        format!("{}\u{3000}{}", self.family, self.given)
    }

    /// The nine columns that every file has.
    pub(crate) fn row(&self) -> String {
        let Self { code, family, given, birth, address, municipality, .. } = self;
        format!("{code},{family},{given},シケン,カナ,2,{birth},{municipality},{address}")
    }
}

pub(crate) const HEADER: &str =
    "record_code,family_name,given_name,family_kana,given_kana,sex,birth,municipality_code,address";

/// A list of residents, without changes.
pub(crate) fn residents_csv(people: &[Person]) -> String {
    let rows: Vec<String> = people.iter().map(Person::row).collect();
    format!("{HEADER}\n{}\n", rows.join("\n"))
}

pub(crate) fn people(count: u64, municipality: &'static str) -> Vec<Person> {
    (1..=count).map(|number| Person::number(number, municipality)).collect()
}
