//! One scenario while it is played: who plays which part, what came of the last act, and what has
//! to be put back at its end.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use law::time::Timestamp;
use nix::sys::signal::Signal;
use node::terminal::Outcome;
use wire::FeedRow;

use super::people::{PeopleError, Person};
use super::world::{LOOK_EVERY, World};
use crate::live::tool::Ran;
use crate::live::{LiveError, clock, files};

/// How long the tiers may take where a phrase states no time.
pub(crate) const TIER_PATIENCE: Duration = Duration::from_secs(20);

/// Why a step did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Miss {
    /// Something else came of it than must.
    Differs { expected: String, seen: String },
    /// The product has nothing of this kind.
    NotThere(String),
    /// The step could not be tried.
    Broken(String),
}

impl Miss {
    pub(crate) fn differs(expected: impl Into<String>, seen: impl Into<String>) -> Self {
        Self::Differs { expected: expected.into(), seen: seen.into() }
    }
}

impl From<LiveError> for Miss {
    fn from(error: LiveError) -> Self {
        Self::Broken(error.to_string())
    }
}

impl From<PeopleError> for Miss {
    fn from(error: PeopleError) -> Self {
        Self::Broken(error.to_string())
    }
}

/// What was seen, in words without a person.
pub(crate) type Done = Result<String, Miss>;

/// What came of the last act.
#[derive(Debug, Default)]
pub(crate) enum Last {
    #[default]
    Nothing,
    Outcome(Box<Outcome>),
    /// Nobody answered, and why.
    NoAnswer(String),
    /// The terminal took no reply.
    NotTaken(String),
    /// Many inquiries, by whom they were about.
    Many(Vec<Asked>),
    Command(Ran),
    /// What the register system was told about its row.
    Filed(wire::FeedVerdict),
    /// Bytes that came back.
    Heard(usize),
    /// Whether a server let somebody in, and what was said if not.
    Entered(Result<(), String>),
}

/// One inquiry of many.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) about: Person,
    pub(crate) came: Result<Outcome, String>,
    /// Times it was given up before.
    pub(crate) given_up: usize,
}

/// What a scenario changed outside the registers.
#[derive(Debug)]
pub(crate) enum Changed {
    Stands(String),
    Down(String),
    Altered(PathBuf, Vec<u8>),
    Isolated(String),
}

/// A scenario while it is played.
#[derive(Debug)]
pub(crate) struct Stage<'w> {
    pub(crate) world: &'w mut World,
    pub(crate) parts: BTreeMap<String, Person>,
    pub(crate) groups: BTreeMap<String, Vec<Person>>,
    pub(crate) last: Last,
    pub(crate) last_row: Option<(String, FeedRow)>,
    pub(crate) changed: Vec<Changed>,
    /// Files that were taken away.
    pub(crate) stolen: Option<PathBuf>,
    pub(crate) ceremony: Option<PathBuf>,
    pub(crate) since: Timestamp,
}

impl<'w> Stage<'w> {
    pub(crate) fn new(world: &'w mut World) -> Self {
        Self {
            world,
            parts: BTreeMap::new(),
            groups: BTreeMap::new(),
            last: Last::Nothing,
            last_row: None,
            changed: Vec::new(),
            stolen: None,
            ceremony: None,
            since: clock::now(),
        }
    }

    pub(crate) fn person(&self, name: &str) -> Result<Person, Miss> {
        let found = self.parts.get(name).cloned();
        found.ok_or_else(|| Miss::Broken(format!("nobody plays \"{name}\" yet; cast the part")))
    }

    pub(crate) fn group(&self, name: &str) -> Result<Vec<Person>, Miss> {
        let found = self.groups.get(name).cloned();
        found.ok_or_else(|| Miss::Broken(format!("nobody plays \"{name}\" yet; cast the parts")))
    }

    /// Everybody who has a part.
    pub(crate) fn everybody(&self) -> Vec<&Person> {
        self.parts.values().chain(self.groups.values().flatten()).collect()
    }

    pub(crate) fn node(&self, name: &str) -> Result<String, Miss> {
        Ok(self.world.node(name)?)
    }

    /// A folder for what was taken away, new for every theft.
    pub(crate) fn hideout(&mut self) -> Result<PathBuf, Miss> {
        let folder = self.world.dir.join(format!("stolen-{}", clock::now().0));
        files::make_folder(&folder)?;
        self.stolen = Some(folder.clone());
        Ok(folder)
    }

    /// Puts back what the scenario changed, in the order of undoing.
    pub(crate) fn put_back(&mut self) -> Result<(), Miss> {
        for changed in std::mem::take(&mut self.changed).into_iter().rev() {
            match changed {
                Changed::Stands(node) => self.world.signal(&node, Signal::SIGCONT),
                Changed::Down(node) => self.world.start(&node)?,
                Changed::Altered(file, bytes) => files::write(&file, &bytes)?,
                Changed::Isolated(node) => {
                    super::faults::set_state(self, &node, wire::MemberState::Active)?;
                }
            }
        }
        if let Some(folder) = self.stolen.take() {
            files::remove_folder(&folder);
        }
        if let Some(folder) = self.ceremony.take() {
            files::remove_folder(&folder);
        }
        Ok(())
    }
}

/// Looks until it holds or the time is over; the last miss then, or how long it took.
pub(crate) fn until_it_holds(patience: Duration, mut look: impl FnMut() -> Done) -> Done {
    let started: Instant = clock::monotonic();
    loop {
        match look() {
            Ok(seen) => {
                let took = clock::monotonic().duration_since(started).as_millis();
                return Ok(format!("{seen}, after {took} ms"));
            }
            Err(miss @ (Miss::Broken(_) | Miss::NotThere(_))) => return Err(miss),
            Err(miss) if clock::monotonic().duration_since(started) > patience => {
                return Err(miss);
            }
            Err(_) => std::thread::sleep(LOOK_EVERY),
        }
    }
}
