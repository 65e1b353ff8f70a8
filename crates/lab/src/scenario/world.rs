//! The country that scripts are played in: one raised for them, or a running installation that is
//! marked as an exercise one. Places by name, terminals, sessions, stores beside running nodes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use law::affair::Epoch;
use law::organ::Organ;
use law::time::Date;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use wire::{Reply, Request};

use super::people::{self, People, PeopleError, Person};
use crate::live::country::{self, TerminalFiles};
use crate::live::fleet::{self, Fleet};
use crate::live::keeping::Keeping;
use crate::live::line::Line;
use crate::live::operator::Operator;
use crate::live::place::{self, Way};
use crate::live::tool::{self, Ran};
use crate::live::{LiveError, clock, dice, files};
use crate::population;

/// Residents of whom a country raised for scripts has one in `ONE_OF`: so many that one address is
/// crowded, and then enough for every part.
const POPULATION: u64 = 20_000;
const ONE_OF: usize = 16;
/// The municipalities of the demonstration's plan.
const MUNICIPALITIES: [&str; 4] = ["132152", "132047", "202029", "202207"];
/// How long one answer is waited for.
const ANSWER_PATIENCE: Duration = Duration::from_secs(10);
/// How long a command of the binary may take, on a busy machine.
const COMMAND_PATIENCE: Duration = Duration::from_secs(60);
/// How long the first residents may take to the center.
const LOAD_PATIENCE: Duration = Duration::from_secs(120);
/// Time between two looks.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(25);
/// Origins of ledgers of demonstrations: a name that is nobody's on any network.
const EXERCISE_ORIGIN: &str = "jukinet.example/";

/// Why there is no country to play in.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    #[error(transparent)]
    Live(#[from] LiveError),
    #[error("the residents: {0}")]
    People(String),
    #[error("the residents cannot be made: {0}")]
    Population(#[from] population::PopulationError),
    #[error("the operating system gave no event loop: {0}")]
    Runtime(#[from] std::io::Error),
    #[error(
        "{0} is not marked as an exercise installation: a ledger there has an origin of its own. \
            Scripts are played only where every ledger's origin begins with {EXERCISE_ORIGIN}"
    )]
    NotForExercise(PathBuf),
    #[error("the country did not take its residents: {0}")]
    NotLoaded(String),
}

impl From<PeopleError> for WorldError {
    fn from(error: PeopleError) -> Self {
        Self::People(error.to_string())
    }
}

/// One server of the country.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) node: String,
    pub(crate) config: PathBuf,
    organ: Option<Organ>,
    /// Of a running installation.
    pid: Option<u32>,
}

/// The country and everybody's way into it.
pub(crate) struct World {
    pub(crate) dir: PathBuf,
    pub(crate) people: People,
    pub(crate) servers: Vec<Server>,
    binary: PathBuf,
    fleet: Option<Fleet>,
    terminals: Vec<TerminalFiles>,
    /// Names that scripts use for other places of this installation.
    renamed: Vec<(String, String)>,
    operators: BTreeMap<(String, String), Operator>,
    keepings: BTreeMap<String, Keeping>,
    runtime: tokio::runtime::Runtime,
    keep: bool,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "World({} servers)", self.servers.len())
    }
}

impl World {
    /// Raises a country of its own in `dir`.
    pub(crate) fn raise(
        binary: &Path,
        dir: &Path,
        seed: u64,
        keep: bool,
    ) -> Result<Self, WorldError> {
        fleet::prepare(binary, dir, Duration::ZERO)?;
        let municipalities = MUNICIPALITIES.map(str::to_owned).to_vec();
        let options = population::Options { residents: POPULATION, seed, municipalities };
        let mut text = Vec::new();
        population::generate(&options, &mut text, &mut |_| {})?;
        let text = people::thinned(&String::from_utf8_lossy(&text), ONE_OF)?;
        files::write(&dir.join("residents.csv"), text.as_bytes())?;
        let mut world = Self::open(binary, dir, seed, keep)?;
        let mut fleet = Fleet::new(binary, dir);
        let nodes: Vec<&str> = world.servers.iter().map(|server| server.node.as_str()).collect();
        fleet.start(&nodes)?;
        world.fleet = Some(fleet);
        world.load()?;
        Ok(world)
    }

    /// Joins a running installation, if it is marked as one for exercises.
    pub(crate) fn join(binary: &Path, dir: &Path, seed: u64) -> Result<Self, WorldError> {
        let mut world = Self::open(binary, dir, seed, true)?;
        let running = country::processes(dir)?;
        for server in &mut world.servers {
            let found = running.iter().find(|(node, _)| *node == server.node);
            server.pid = found.map(|(_, pid)| *pid);
        }
        Ok(world)
    }

    fn open(binary: &Path, dir: &Path, seed: u64, keep: bool) -> Result<Self, WorldError> {
        let mut servers = Vec::new();
        for node in files::folders(&dir.join("nodes"))? {
            let folder = dir.join("nodes").join(&node);
            let key = files::text(&folder.join("ledger.vkey"))?;
            if !key.starts_with(EXERCISE_ORIGIN) {
                return Err(WorldError::NotForExercise(dir.to_path_buf()));
            }
            let config = folder.join("config.toml");
            let organ = place::organ(&config)?;
            servers.push(Server { node, config, organ, pid: None });
        }
        let text = files::text(&dir.join("residents.csv"))?;
        Ok(Self {
            dir: dir.to_path_buf(),
            people: People::parse(&text, seed)?,
            servers,
            binary: binary.to_path_buf(),
            fleet: None,
            terminals: country::terminals(dir)?,
            renamed: Vec::new(),
            operators: BTreeMap::new(),
            keepings: BTreeMap::new(),
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()?,
            keep,
        })
    }

    /// Names that scripts use for other places of this installation.
    pub(crate) fn rename(&mut self, names: &[(String, String)]) {
        self.renamed = names.to_vec();
    }

    fn load(&mut self) -> Result<(), WorldError> {
        let file = self.dir.join("residents.csv");
        let mut held = 0;
        for server in self.servers.clone() {
            if !matches!(server.organ, Some(Organ::Municipality(_))) {
                continue;
            }
            let own = file.with_file_name(format!("initial-{}.csv", server.node));
            files::copy(&file, &own)?;
            let words = ["--quiet", "notice", "--json", "--config"].map(std::ffi::OsStr::new);
            let rest = [server.config.as_os_str(), "--file".as_ref(), own.as_os_str()];
            let ran = self.command(&[&words[..], &rest].concat())?;
            files::remove(&own);
            if ran.code != Some(0) {
                return Err(WorldError::NotLoaded(format!("{}: {}", server.node, ran.said)));
            }
            held += ran.json.get("accepted").and_then(serde_json::Value::as_u64).unwrap_or(0);
        }
        let until = clock::monotonic() + LOAD_PATIENCE;
        while self.keeping("center")?.residents()? < held {
            if clock::monotonic() > until {
                return Err(WorldError::NotLoaded("they did not reach the center".to_owned()));
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// The node that a script means by a name.
    pub(crate) fn node(&self, name: &str) -> Result<String, LiveError> {
        let renamed = self.renamed.iter().find(|(from, _)| from == name);
        let name = renamed.map_or(name, |(_, to)| to.as_str());
        let is = |server: &&Server| {
            server.node == name
                || match server.organ {
                    Some(Organ::Municipality(code)) => {
                        law::municipality::find(&code).is_some_and(|found| found.name == name)
                    }
                    Some(Organ::Prefecture(code)) => {
                        law::municipality::prefecture_name(code) == Some(name)
                    }
                    Some(Organ::Center) => name == "センター",
                    Some(Organ::Agency(code)) => {
                        code.recipient(Epoch::Founding).is_some_and(|all| all.contains(name))
                    }
                    None => false,
                }
        };
        let found = self.servers.iter().find(is);
        found.map(|server| server.node.clone()).ok_or_else(|| {
            LiveError::NotRaised(format!("no place here is called {name}; see --place"))
        })
    }

    pub(crate) fn server(&self, node: &str) -> Result<&Server, LiveError> {
        let found = self.servers.iter().find(|server| server.node == node);
        found.ok_or_else(|| LiveError::NotRaised(format!("there is no node {node}")))
    }

    /// The code of a municipality that a script names.
    pub(crate) fn municipality(&self, name: &str) -> Result<String, LiveError> {
        match self.server(&self.node(name)?)?.organ {
            Some(Organ::Municipality(code)) => Ok(code.as_str().to_owned()),
            _ => Err(LiveError::NotRaised(format!("{name} is no municipality"))),
        }
    }

    /// The text form of the organ at a place, as ledger entries name it.
    pub(crate) fn organ(&self, name: &str) -> Result<String, LiveError> {
        let organ = self.server(&self.node(name)?)?.organ;
        Ok(organ.map_or_else(String::new, |organ| organ.to_string()))
    }

    fn terminal(&self, place: &str) -> Result<TerminalFiles, LiveError> {
        let found = self.terminals.iter().find(|terminal| terminal.place == place);
        let none = || LiveError::NotRaised(format!("there is no terminal at {place}"));
        found.cloned().ok_or_else(none)
    }

    /// The operator of a place, with its ordinary card, or with another card file of the country.
    pub(crate) fn operator(
        &mut self,
        place: &str,
        card: Option<&str>,
    ) -> Result<&mut Operator, LiveError> {
        let terminal = self.terminal(place)?;
        let key = (place.to_owned(), card.unwrap_or_default().to_owned());
        if !self.operators.contains_key(&key) {
            let operator = match card {
                None => Operator::log_in(&terminal)?,
                Some(card) => {
                    let at = |end: &str| self.dir.join("cards").join(format!("{card}.{end}"));
                    Operator::with_card(&terminal, &at("card"), &at("pin"))?
                }
            };
            self.operators.insert(key.clone(), operator);
        }
        let none = || LiveError::NotRaised(format!("there is no operator at {place}"));
        self.operators.get_mut(&key).ok_or_else(none)
    }

    /// A session to a server, of its own: sessions end by themselves after a while.
    pub(crate) fn line(&self, way: &Way) -> Result<Line, LiveError> {
        let opening = async { tokio::time::timeout(ANSWER_PATIENCE, Line::open(way)).await };
        self.runtime.block_on(opening).map_err(|_| LiveError::SessionEnded)?
    }

    /// A terminal of one place knocks at another place's server: what it is told.
    pub(crate) fn knock_as(&self, terminal: &str, server: &str) -> Result<(), LiveError> {
        let mut way = place::terminal(&self.terminal(terminal)?.config)?.way;
        let there = place::terminal(&self.terminal(server)?.config)?.way;
        (way.server, way.address) = (there.server, there.address);
        let opening = async { tokio::time::timeout(ANSWER_PATIENCE, Line::open(&way)).await };
        let line = self.runtime.block_on(opening).map_err(|_| LiveError::SessionEnded)??;
        let asking = line.call(Request::DirectoryFetch);
        let asked = async { tokio::time::timeout(ANSWER_PATIENCE, asking).await };
        self.runtime.block_on(asked).map_err(|_| LiveError::SessionEnded)??;
        Ok(())
    }

    pub(crate) fn runtime(&self) -> &tokio::runtime::Runtime {
        &self.runtime
    }

    pub(crate) fn call(&self, way: &Way, request: Request) -> Result<Reply, LiveError> {
        let line = self.line(way)?;
        let calling = async { tokio::time::timeout(ANSWER_PATIENCE, line.call(request)).await };
        let called = self.runtime.block_on(calling).map_err(|_| LiveError::SessionEnded)?;
        Ok(called?.0)
    }

    /// The way of a municipality's register system.
    pub(crate) fn feed(&self, node: &str) -> Result<Way, LiveError> {
        place::feed(&self.server(node)?.config)
    }

    /// What a node has kept, beside the running process.
    pub(crate) fn keeping(&mut self, node: &str) -> Result<&Keeping, LiveError> {
        if !self.keepings.contains_key(node) {
            let config = self.server(node)?.config.clone();
            let folder = config.parent().unwrap_or_else(|| Path::new("")).to_path_buf();
            let opened = Keeping::of(node, &folder, place::node_token(&config)?)?;
            self.keepings.insert(node.to_owned(), opened);
        }
        let none = || LiveError::NotRaised(format!("there is no node {node}"));
        self.keepings.get(node).ok_or_else(none)
    }

    /// Runs a command of the product.
    pub(crate) fn command(&self, words: &[&std::ffi::OsStr]) -> Result<Ran, LiveError> {
        tool::run(&self.binary, words, COMMAND_PATIENCE)
    }

    /// Runs a command that must end by itself soon.
    pub(crate) fn command_within(
        &self,
        words: &[&std::ffi::OsStr],
        limit: Duration,
    ) -> Result<Ran, LiveError> {
        tool::run(&self.binary, words, limit)
    }

    pub(crate) fn listens(&self, node: &str) -> Result<SocketAddr, LiveError> {
        place::listens(&self.server(node)?.config)
    }

    /// Kills a node of the own country.
    pub(crate) fn kill(&mut self, node: &str) {
        if let Some(fleet) = &mut self.fleet {
            fleet.kill(node);
        }
    }

    /// Starts it again; sessions to it are opened anew.
    pub(crate) fn start(&mut self, node: &str) -> Result<(), LiveError> {
        self.keepings.remove(node);
        match &mut self.fleet {
            Some(fleet) => fleet.start(&[node]),
            None => Ok(()),
        }
    }

    /// A node stands still (`SIGSTOP`) or goes on (`SIGCONT`).
    pub(crate) fn signal(&self, node: &str, which: Signal) {
        if let Some(fleet) = &self.fleet {
            fleet.signal(node, which);
            return;
        }
        let pid = self.server(node).ok().and_then(|server| server.pid);
        if let Some(pid) = pid.and_then(|pid| i32::try_from(pid).ok()) {
            let _ = kill(Pid::from_raw(pid), which);
        }
    }

    /// A code that is nobody's, out of the pool of a municipality, as its register system takes it.
    pub(crate) fn take_code(&self, node: &str) -> Result<String, LiveError> {
        let way = self.feed(node)?;
        let until = clock::monotonic() + ANSWER_PATIENCE;
        let request = dice::array();
        loop {
            match self.call(&way, Request::TakeCode(wire::TakeCode { request }))? {
                Reply::CodeTaken(taken) => return Ok(taken.code.expose().to_owned()),
                // The pool fills itself from the center.
                Reply::Unavailable { .. } if clock::monotonic() < until => {
                    std::thread::sleep(LOOK_EVERY);
                }
                _ => return Err(LiveError::Peer(format!("{node} gave no code"))),
            }
        }
    }

    /// Draws somebody for a part.
    pub(crate) fn cast(&mut self, municipality: &str) -> Result<Person, PeopleError> {
        self.people.take(municipality)
    }
}

/// The day in Japan.
pub(crate) fn today() -> Date {
    clock::now().date_in_japan()
}

impl Drop for World {
    fn drop(&mut self) {
        self.keepings.clear();
        if let Some(mut fleet) = self.fleet.take() {
            fleet.stop_all();
            if !self.keep {
                files::remove_folder(&self.dir);
            }
        }
    }
}
