//! Raising the country: folders, keys, processes, residents; and what scripts read about it.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use law::code::LocalGovernmentCode;
use law::time::Timestamp;
use serde_json::{Value, json};

use super::fleet::{Fleet, rss_mib};
use super::people::{Line, People};
use crate::provision::{Country, Plan, ProvisionedTerminal};
use crate::runner::terminal::Workplace;
use crate::{clock, config, dice, disk, provision};

/// How long the residents may take to reach the center.
const LOAD_PATIENCE: Duration = Duration::from_secs(300);
/// The municipality whose newcomer the story is about: 国立市.
pub const STORY_MUNICIPALITY: &str = "132152";

/// A country that runs.
pub struct Raised {
    pub country: Country,
    pub fleet: Fleet,
    pub people: People,
    /// Place in `people` of the one who moves in during the story.
    pub newcomer: usize,
    pub binary: PathBuf,
    pub ready_seconds: f64,
}

impl std::fmt::Debug for Raised {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Raised({} processes)", self.fleet.running.len())
    }
}

/// Make the keys, start the processes, load everyone but the newcomer.
pub fn raise(dir: &Path, people: People, say: &dyn Fn(&str)) -> Result<Raised, String> {
    let started = clock::monotonic();
    let binary = std::env::current_exe().map_err(|error| error.to_string())?;
    say("keys, cards and configurations …");
    let country = ceremony(dir, clock::now(), free_ports, &[])?;
    say("processes …");
    let fleet = Fleet::start(&binary, &country)?;
    let newcomer = people
        .lines
        .iter()
        .rposition(|line| line.municipality == STORY_MUNICIPALITY)
        .ok_or("nobody lives in the municipality of the story; ask for more residents")?;
    let everyone = dir.join("residents.csv");
    disk::write_private(&everyone, people.csv(|_| true).as_bytes())
        .map_err(|error| error.to_string())?;
    say("residents …");
    let mut raised = Raised { country, fleet, people, newcomer, binary, ready_seconds: 0.0 };
    raised.load(dir)?;
    raised.ready_seconds = seconds(started);
    raised.write_summary(&[])?;
    Ok(raised)
}

/// Keys, cards and configurations of the country in an empty folder; of the demonstration's own
/// municipalities where none are named.
fn ceremony(
    dir: &Path,
    at: Timestamp,
    ports: fn(usize) -> Result<Vec<u16>, String>,
    municipalities: &[LocalGovernmentCode],
) -> Result<Country, String> {
    disk::make_folder(dir).map_err(|error| error.to_string())?;
    if dir.join("nodes").exists() {
        return Err(format!("{} already holds a country; name an empty folder", dir.display()));
    }
    let plan = match municipalities {
        [] => Plan::demo(Vec::new(), at),
        named => Plan::of(named, Vec::new(), at),
    };
    let plan = plan.map_err(|error| error.to_string())?;
    let ports = ports(plan.ports_needed())?;
    let plan = Plan { ports, ..plan };
    let mut dice = dice::fill;
    provision::country(dir, &plan, &mut dice).map_err(|error| error.to_string())
}

/// A country to be started by others: its folder, its ceremony `age` seconds back, and the part of
/// `DIR/summary.json` that names its terminals.
pub fn prepare(dir: &Path, age: u64, municipalities: &[LocalGovernmentCode]) -> Result<(), String> {
    let at = Timestamp(clock::now().0.saturating_sub(age.saturating_mul(1_000)));
    let country = ceremony(dir, at, steady_ports, municipalities)?;
    let document = json!({"nodes": [], "terminals": terminals_json(&country), "checks": []});
    let text = serde_json::to_string_pretty(&document).map_err(|error| error.to_string())?;
    disk::write_private(&dir.join("summary.json"), text.as_bytes())
        .map_err(|error| error.to_string())
}

/// Ports nobody listens on now, below the range that outgoing connections take theirs from: a node
/// that is down for a while finds its own again.
fn steady_ports(count: usize) -> Result<Vec<u16>, String> {
    let mut found = Vec::new();
    let first = 10_240 + u16::from_le_bytes(dice::array()) % 20_000;
    for port in (first..32_000).chain(10_240..first) {
        if found.len() == count {
            return Ok(found);
        }
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            found.push(port);
        }
    }
    Err("not enough free ports on loopback".to_owned())
}

/// Seconds since a point, to a hundredth.
#[must_use]
pub fn seconds(since: Instant) -> f64 {
    (clock::monotonic().duration_since(since).as_secs_f64() * 100.0).round() / 100.0
}

/// Ports nobody listens on now.
fn free_ports(count: usize) -> Result<Vec<u16>, String> {
    let bind = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|e| e.to_string());
    let held: Vec<TcpListener> = (0..count).map(bind).collect::<Result<_, _>>()?;
    held.iter()
        .map(|listener| listener.local_addr().map(|at| at.port()).map_err(|e| e.to_string()))
        .collect()
}

impl Raised {
    /// Every municipality notifies its residents, all at once, and the center has them all.
    fn load(&mut self, dir: &Path) -> Result<(), String> {
        let skip = self.people.lines.get(self.newcomer).map(|line| line.code.clone());
        let mut sending = Vec::new();
        for node in self.country.nodes.iter().filter(|node| node.role == wire::Role::Municipality) {
            // A file of its own: how far a file was sent is noted beside it.
            let initial = dir.join(format!("initial-{}.csv", node.code));
            let own =
                |line: &Line| line.municipality == node.code && Some(&line.code) != skip.as_ref();
            let text = self.people.csv(own);
            disk::write_private(&initial, text.as_bytes()).map_err(|error| error.to_string())?;
            let child = Command::new(&self.binary)
                .args(["--quiet", "notice", "--json", "--config"])
                .arg(&node.config)
                .arg("--file")
                .arg(&initial)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .map_err(|error| error.to_string())?;
            sending.push((node.node.to_string(), child, initial));
        }
        for (node, child, initial) in sending {
            let output = child.wait_with_output().map_err(|error| error.to_string())?;
            if !output.status.success() {
                let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                return Err(format!("{node} did not take its residents: {why}"));
            }
            std::fs::remove_file(&initial).map_err(|error| error.to_string())?;
        }
        let everyone = (self.people.lines.len() as u64).saturating_sub(1);
        self.await_center(everyone)
    }

    /// Wait until the center holds this many residents.
    pub fn await_center(&mut self, residents: u64) -> Result<(), String> {
        let until = clock::monotonic() + LOAD_PATIENCE;
        let room = self.country.terminal("center").ok_or("the center has no terminal")?.clone();
        let mut workplace = log_in(&room)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        loop {
            let held = runtime.block_on(status(&mut workplace));
            if held.is_ok_and(|held| held == residents) {
                return Ok(());
            }
            if clock::monotonic() > until {
                return Err("the residents did not reach the center in time".to_owned());
            }
            let ended = self.fleet.ended();
            if !ended.is_empty() {
                return Err(format!("ended while loading: {}", ended.join(", ")));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// `DIR/summary.json`: what scripts rely on (CLI.md).
    pub fn write_summary(&self, checks: &[Value]) -> Result<(), String> {
        let document = json!({
            "nodes": self.nodes_json(true),
            "terminals": terminals_json(&self.country),
            "checks": checks,
            "residents": self.people.lines.len(),
            "ready_seconds": self.ready_seconds,
        });
        let text = serde_json::to_string_pretty(&document).map_err(|error| error.to_string())?;
        disk::write_private(&self.country.dir.join("summary.json"), text.as_bytes())
            .map_err(|error| error.to_string())
    }

    /// Nodes with role, code, address and memory; with process numbers for the summary.
    #[must_use]
    pub fn nodes_json(&self, with_pid: bool) -> Vec<Value> {
        let line = |node: &provision::ProvisionedNode| {
            let process = self.fleet.find(node.node.as_str()).map(|running| running.child.id());
            let mut line = json!({
                "node": node.node.as_str(),
                "role": node.role.key(),
                "code": node.code,
                "address": node.address.to_string(),
                "rss_mib": process.and_then(rss_mib),
            });
            if let (true, Some(object)) = (with_pid, line.as_object_mut()) {
                object.insert("pid".to_owned(), json!(process));
                object.insert("config".to_owned(), json!(node.config.display().to_string()));
            }
            line
        };
        let mut lines: Vec<Value> = self.country.nodes.iter().map(line).collect();
        for terminal in &self.country.terminals {
            let process = self.fleet.find(terminal.node.as_str()).map(|running| running.child.id());
            let mut line = json!({
                "node": terminal.node.as_str(),
                "role": "terminal",
                "code": terminal.place,
                "address": terminal.desk.to_string(),
                "rss_mib": process.and_then(rss_mib),
            });
            if let (true, Some(object)) = (with_pid, line.as_object_mut()) {
                object.insert("pid".to_owned(), json!(process));
                object.insert("config".to_owned(), json!(terminal.config.display().to_string()));
            }
            lines.push(line);
        }
        lines
    }
}

fn terminals_json(country: &Country) -> Vec<Value> {
    let line = |terminal: &ProvisionedTerminal| {
        let first = terminal.cards.first()?;
        let affairs: Vec<String> = first.affairs.iter().map(ToString::to_string).collect();
        let cards: Vec<Value> = terminal
            .cards
            .iter()
            .map(|card| {
                json!({
                    "operator": card.operator,
                    "card": card.file.display().to_string(),
                    "pin": card.pin.display().to_string(),
                    "class": card.class.key(),
                })
            })
            .collect();
        Some(json!({
            "place": terminal.place,
            "config": terminal.config.display().to_string(),
            "card": first.file.display().to_string(),
            "pin": first.pin.display().to_string(),
            "affairs": affairs,
            "desk": format!("http://{}/", terminal.desk),
            "cards": cards,
        }))
    };
    country.terminals.iter().filter_map(line).collect()
}

/// Log the ordinary operator of a terminal in, in this process.
fn log_in(terminal: &ProvisionedTerminal) -> Result<Workplace, String> {
    let config = config::load_terminal(&terminal.config).map_err(|error| error.to_string())?;
    let mut workplace = Workplace::open(config).map_err(|error| error.to_string())?;
    let card = terminal.cards.first().ok_or("the terminal has no card")?;
    let pin = disk::read_pin(&card.pin).map_err(|error| error.to_string())?;
    workplace.log_in(&card.file, &pin).map_err(|error| error.to_string())?;
    Ok(workplace)
}

/// Residents that the center holds now.
async fn status(workplace: &mut Workplace) -> Result<u64, String> {
    use node::terminal::Outcome;
    let signed =
        workplace.sign_query(wire::Purpose::NetworkStatus).map_err(|error| error.to_string())?;
    match workplace.sender().send(signed).await.map_err(|error| error.to_string())? {
        Outcome::Status(status) => {
            let center = status.nodes.iter().find(|node| node.role == wire::Role::Center);
            center.map(|node| node.residents).ok_or_else(|| "no center".to_owned())
        }
        _ => Err("no status".to_owned()),
    }
}
