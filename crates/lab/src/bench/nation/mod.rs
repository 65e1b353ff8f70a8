//! B9, a part of the whole nation: real processes for one `scale`-th of the municipalities,
//! their prefectures, the center, agencies and exchanges, with one `scale`-th of the people, and
//! one compressed peak day during which processes are killed and lines are cut. At the end three
//! tiers must be the same, every ledger must verify, and nothing may be lost or doubled.
//!
//! Left out, and said in the record: what has no function yet (広域交付, batches), network
//! namespaces, and the peer.

mod actors;
mod day;
mod size;
mod told;
mod toll;
mod verify;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use law::code::RecordCode;
use law::inquiry::Held;

use self::actors::{Done, Hours};
use self::day::{Day, FreeCodes};
use self::size::Size;
use self::toll::{Kind, Toll};
use self::verify::{Found, Stores};
use super::BenchError;
use super::center::load;
use super::center::sample::{self, Question, Sampler, Way};
use super::harness::Subject;
use super::record::Measured;
use crate::live::country::{TerminalFiles, binary, scratch, terminals};
use crate::live::fleet::{self, Fleet};
use crate::live::{clock, dice, files, place, vault};
use crate::population;

pub(crate) const SUBJECT: Subject = Subject {
    id: "B9",
    title: "A part of the whole nation",
    question: "Does a part of the country live through a peak day with crashes and cut lines, and \
               what would the whole take?",
};

/// Of ten questions: seven by code, two by name and birth date, one by name and address (B1).
const MIX: [Way; 10] = [
    Way::Code,
    Way::Code,
    Way::NameBirth,
    Way::Code,
    Way::Code,
    Way::NameAddress,
    Way::Code,
    Way::Code,
    Way::NameBirth,
    Way::Code,
];
/// Different questions; they are asked in turn.
const QUESTIONS_COUNT_MAX: u64 = 1_000;
/// Operators of the agency who ask along the day.
const OPERATORS_COUNT: usize = 4;
/// How long the processes idle after the day, to know what they use by themselves.
const IDLE: Duration = Duration::from_secs(10);
/// How long a cut line stays cut.
const CUT: Duration = Duration::from_secs(2);
/// Beyond the end of the day: until everything is acknowledged, and until everything is settled.
const PATIENCE: Duration = Duration::from_secs(240);
const AGENCY: &str = "agency-1";

/// What the bench is run with.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) jukinet: Option<PathBuf>,
    pub(crate) scale: u64,
    /// Another number of people than the scale gives.
    pub(crate) residents: Option<u64>,
    pub(crate) seed: u64,
    /// Seconds into which the day is pressed.
    pub(crate) day_seconds: u64,
    pub(crate) work: Option<PathBuf>,
    pub(crate) plant: Option<Plant>,
}

/// A fault that is made up in what must be, so that the run has to find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plant {
    /// Another person than the one asked for.
    Answer,
    /// One resident fewer than the tiers hold.
    Tier,
}

/// One blow: what, to whom, and how long until it was over.
struct Struck {
    what: String,
    node: String,
    seconds: f64,
}

/// Everything that was found out.
struct Findings {
    size: Size,
    day: Day,
    load_seconds: f64,
    idle_cpu_per_second: f64,
    day_seconds: f64,
    settle_seconds: f64,
    /// CPU of the day by kind, what idles included.
    kinds: BTreeMap<&'static str, Kind>,
    struck: Vec<Struck>,
    feeds: Done,
    inquiries: Done,
    recorded: u64,
    found: Found,
}

fn population(size: &Size, seed: u64) -> population::Options {
    let municipalities = size.municipalities.iter().map(|code| code.as_str().to_owned()).collect();
    population::Options { residents: size.residents, seed, municipalities }
}

/// Runs the day to its figures.
pub(crate) fn run(wanted: &Wanted, say: &dyn Fn(&str)) -> Result<Measured, BenchError> {
    let folder = wanted.work.clone().unwrap_or_else(scratch);
    files::make_folder(&folder)?;
    let dir = folder.join("nation");
    let measured = nation(wanted, &dir, say);
    files::remove_folder(&dir);
    files::remove_if_empty(&folder);
    measured.map(|findings| told::told(wanted, &findings))
}

fn nation(wanted: &Wanted, dir: &Path, say: &dyn Fn(&str)) -> Result<Findings, BenchError> {
    let size = Size::of(wanted.scale, wanted.residents)
        .ok_or_else(|| BenchError::Void("no plan for so large a part; name a scale".to_owned()))?;
    let binary = binary(wanted.jukinet.as_deref())?;
    say(&format!(
        "keys and configurations of {} municipalities in {} prefectures …",
        size.municipalities.len(),
        size.prefectures().len()
    ));
    let codes: Vec<&str> = size.municipalities.iter().map(|code| code.as_str()).collect();
    fleet::prepare_places(&binary, dir, Duration::ZERO, &codes)?;
    let mut fleet = Fleet::new(&binary, dir);
    say(&format!("loading {} residents into three tiers …", size.residents));
    let start = clock::monotonic();
    let (people, sampler, free) = load_center(&size, wanted.seed, &fleet)?;
    load_tier(&size, wanted.seed, &fleet, |held| {
        format!("prefecture-{}", held.identity.municipality.prefecture())
    })?;
    load_tier(&size, wanted.seed, &fleet, |held| {
        format!("municipality-{}", held.identity.municipality.as_str())
    })?;
    let load_seconds = start.elapsed().as_secs_f64();
    let today = clock::now().date_in_japan();
    let day = Day::write(wanted.seed, today, size.changes, &people, &size.municipalities, free)
        .ok_or_else(|| BenchError::Void("the day could not be written".to_owned()))?;
    let mut questions = questions(&size, wanted.seed, sampler, &day)?;
    if wanted.plant == Some(Plant::Answer) {
        sample::plant_other_person(&mut questions);
    }
    let nodes = nodes(&size);
    say(&format!("starting {} processes …", nodes.len()));
    fleet.start(&nodes.iter().map(String::as_str).collect::<Vec<_>>())?;
    let unchanged = questions.first().and_then(|question| question.expected.first());
    let unchanged = unchanged.map(|identity| identity.code);
    let (size_of, day_of) = (&size, &day);
    let questions = questions.as_slice();
    let mut live = Live { wanted, size: size_of, day: day_of, questions, unchanged, say };
    live.through(&mut fleet, dir, &nodes).map(|lived| Findings {
        load_seconds,
        idle_cpu_per_second: lived.idle_cpu_per_second,
        day_seconds: lived.day_seconds,
        settle_seconds: lived.settle_seconds,
        kinds: lived.kinds,
        struck: lived.struck,
        feeds: lived.feeds,
        inquiries: lived.inquiries,
        recorded: lived.recorded,
        found: lived.found,
        size: size.clone(),
        day: Day {
            filings: BTreeMap::new(),
            stands: BTreeMap::new(),
            former: std::collections::BTreeSet::new(),
            ..day
        },
    })
}

/// Everybody into the center; on the way, who changes, who is asked about, which codes are free.
fn load_center(
    size: &Size,
    seed: u64,
    fleet: &Fleet,
) -> Result<(Vec<Held>, Sampler, FreeCodes), BenchError> {
    // Every occasion takes one person; some are two changes.
    let step = (size.residents / size.changes.max(1)).max(1);
    let mut people = Vec::new();
    let asked = QUESTIONS_COUNT_MAX.min(size.provisions).div_ceil(MIX.len() as u64);
    let mut sampler = Sampler::new(size.residents, asked.max(1), &MIX);
    let mut free = FreeCodes::draw(seed, size.changes.max(64));
    let mut store = vault::of_node("center", &fleet.folder("center"))?;
    begin_year(&mut store)?;
    let see = |index: u64, held: &Held| {
        free.taken(&held.identity.code);
        sampler.see(index, held);
        if index % step == step / 2 {
            people.push(held.clone());
        }
    };
    load::made(&population(size, seed), see, |residents| fill(&mut store, residents))?;
    Ok((people, sampler, free))
}

fn fill(
    store: &mut store::SqliteStore,
    residents: &mut dyn Iterator<Item = Held>,
) -> Result<u64, BenchError> {
    let loaded = store.first_load(residents, &mut dice::fill, &mut |_| ());
    loaded.map_err(|error| BenchError::Void(error.to_string()))
}

/// Under the key of this year, as `jukinet import` does it.
fn begin_year(store: &mut store::SqliteStore) -> Result<(), BenchError> {
    let year = u32::from(clock::now().date_in_japan().year());
    let begun = store::Erase::renew_rows(store, year, 0, 1, &mut dice::fill);
    begun.map(|_| ()).map_err(|error| BenchError::Void(error.to_string()))
}

/// Everybody into the nodes of one tier. The generator makes them municipality by municipality, so
/// one pass fills one store after the other.
fn load_tier(
    size: &Size,
    seed: u64,
    fleet: &Fleet,
    node_of: impl Fn(&Held) -> String,
) -> Result<(), BenchError> {
    load::made(
        &population(size, seed),
        |_, _| (),
        |residents| {
            let mut residents = residents.peekable();
            while let Some(first) = residents.peek() {
                let node = node_of(first);
                let mut store = vault::of_node(&node, &fleet.folder(&node))?;
                begin_year(&mut store)?;
                let mut of_node =
                    std::iter::from_fn(|| residents.next_if(|held| node_of(held) == node));
                fill(&mut store, &mut of_node)?;
            }
            Ok(())
        },
    )
}

/// Questions about people whom the day leaves as they are.
fn questions(
    size: &Size,
    seed: u64,
    sampler: Sampler,
    day: &Day,
) -> Result<Vec<Question>, BenchError> {
    let mut questions = sampler.questions();
    sample::find_expected(&population(size, seed), &mut questions, &mut |_| ())?;
    questions.retain(|question| {
        let mut named = question.expected.iter().map(|identity| &identity.code);
        named.all(|code| !day.stands.contains_key(code) && !day.former.contains(code))
    });
    if questions.is_empty() {
        return Err(BenchError::Void("nobody is left to be asked about".to_owned()));
    }
    Ok(questions)
}

/// Every node, the exchanges first.
fn nodes(size: &Size) -> Vec<String> {
    let prefectures = size.prefectures();
    let mut nodes = vec!["exchange-national".to_owned(), "center".to_owned()];
    nodes.extend(prefectures.iter().map(|code| format!("exchange-{code}")));
    nodes.extend(prefectures.iter().map(|code| format!("prefecture-{code}")));
    nodes.extend(["agency-1", "agency-2"].map(str::to_owned));
    nodes.extend(size.municipalities.iter().map(|code| format!("municipality-{}", code.as_str())));
    nodes
}

/// The day, lived.
struct Live<'a> {
    wanted: &'a Wanted,
    size: &'a Size,
    day: &'a Day,
    questions: &'a [Question],
    /// Somebody whom the day leaves alone.
    unchanged: Option<RecordCode>,
    say: &'a dyn Fn(&str),
}

struct Lived {
    idle_cpu_per_second: f64,
    day_seconds: f64,
    settle_seconds: f64,
    kinds: BTreeMap<&'static str, Kind>,
    struck: Vec<Struck>,
    feeds: Done,
    inquiries: Done,
    recorded: u64,
    found: Found,
}

impl Live<'_> {
    fn through(
        &mut self,
        fleet: &mut Fleet,
        dir: &Path,
        nodes: &[String],
    ) -> Result<Lived, BenchError> {
        let files = terminals(dir)?.into_iter().find(|terminal| terminal.place == AGENCY);
        let files =
            files.ok_or_else(|| BenchError::Void("the agency has no terminal".to_owned()))?;
        let mut toll = Toll::begin(fleet);
        (self.say)("the day begins …");
        let begin = clock::monotonic();
        let (feeds, inquiries, struck) = self.act(fleet, &mut toll, &files)?;
        let day_seconds = begin.elapsed().as_secs_f64();
        let faults: Vec<&String> = feeds.faults.iter().chain(&inquiries.faults).collect();
        if let Some(first) = faults.first() {
            return Err(BenchError::Void(format!("{} faults in the day: {first}", faults.len())));
        }
        (self.say)("everything is acknowledged; settling …");
        let ended = clock::monotonic();
        let stores = Stores::open(fleet, nodes)?;
        while let Some(what) = stores.unsettled(self.size, self.day)? {
            if ended.elapsed() > PATIENCE {
                return Err(BenchError::Void(format!("not settled in time: {what}")));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        let settle_seconds = ended.elapsed().as_secs_f64();
        let kinds = toll.by_kind(fleet);
        // Not before the day: a process that was just started still fills what it compares.
        let idle = Toll::begin(fleet);
        std::thread::sleep(IDLE);
        let idle_cpu_per_second = idle.cpu_seconds(fleet) / IDLE.as_secs_f64();
        let ill = fleet.stop_all();
        drop(stores);
        (self.say)("checking every store and every ledger …");
        let stores = Stores::open(fleet, nodes)?;
        let recorded = stores.get("center")?.kinds_from(0)?.provision;
        let hidden = (self.wanted.plant == Some(Plant::Tier)).then_some(self.unchanged).flatten();
        let mut found = stores.faults(self.size, self.day, hidden)?;
        if recorded < inquiries.persons {
            found.faults.push("persons were told whose provision is not recorded".to_owned());
        }
        found.faults.extend(ill.iter().map(|node| format!("{node} did not end well")));
        if let Some(first) = found.faults.first() {
            return Err(BenchError::Void(format!(
                "{} faults at the end of the day: {first}",
                found.faults.len()
            )));
        }
        Ok(Lived {
            idle_cpu_per_second,
            day_seconds,
            settle_seconds,
            kinds,
            struck,
            feeds,
            inquiries,
            recorded,
            found,
        })
    }

    /// Register systems and operators act, and meanwhile processes are killed and lines are cut.
    fn act(
        &self,
        fleet: &mut Fleet,
        toll: &mut Toll,
        files: &TerminalFiles,
    ) -> Result<(Done, Done, Vec<Struck>), BenchError> {
        let runtime = super::runtime()?;
        let handle = runtime.handle();
        let length = Duration::from_secs(self.wanted.day_seconds);
        let begin = clock::monotonic() + Duration::from_millis(100);
        let hours = Hours { begin, length, end_of_patience: begin + length + PATIENCE };
        let filed = AtomicU64::new(0);
        let mut ways = Vec::new();
        for (code, rows) in &self.day.filings {
            ways.push((
                place::feed(&fleet.config(&format!("municipality-{}", code.as_str())))?,
                rows,
            ));
        }
        let provisions = usize::try_from(self.size.provisions).unwrap_or(usize::MAX);
        std::thread::scope(|scope| {
            let filed = &filed;
            let mut feeders = Vec::new();
            for (way, rows) in ways {
                feeders.push(scope.spawn(move || actors::file(handle, way, rows, hours, filed)));
            }
            let mut operators = Vec::new();
            for nth in 0..OPERATORS_COUNT {
                let count =
                    provisions / OPERATORS_COUNT + usize::from(nth < provisions % OPERATORS_COUNT);
                let asked = (self.questions, nth, OPERATORS_COUNT);
                operators
                    .push(scope.spawn(move || actors::ask(handle, files, asked, count, hours)));
            }
            let struck = self.strike(fleet, toll, hours);
            let sum = |actors: Vec<std::thread::ScopedJoinHandle<'_, Done>>| {
                let mut sum = Done::new();
                for actor in actors {
                    match actor.join() {
                        Ok(done) => sum.add(done),
                        Err(_) => sum.faults.push("an actor's thread ended".to_owned()),
                    }
                }
                sum
            };
            Ok((sum(feeders), sum(operators), struck?))
        })
    }

    /// Five crashes and three cut lines, spread over the day; what, to whom, and for how long.
    fn strike(
        &self,
        fleet: &mut Fleet,
        toll: &mut Toll,
        hours: Hours,
    ) -> Result<Vec<Struck>, BenchError> {
        let prefectures = self.size.prefectures();
        let prefecture = |nth: usize| prefectures.get(nth % prefectures.len().max(1)).cloned();
        let municipality = self.size.municipalities.first().map_or("", |code| code.as_str());
        let (one, other) = (prefecture(0).unwrap_or_default(), prefecture(1).unwrap_or_default());
        let blows = [
            (true, format!("municipality-{municipality}")),
            (false, format!("exchange-{one}")),
            (true, format!("prefecture-{one}")),
            (true, "center".to_owned()),
            (false, "exchange-national".to_owned()),
            (true, format!("exchange-{other}")),
            (false, format!("exchange-{other}")),
            (true, AGENCY.to_owned()),
        ];
        let parts = u32::try_from(blows.len() + 1).unwrap_or(1);
        let mut struck = Vec::new();
        for ((kill, node), nth) in blows.into_iter().zip(1_u32..) {
            clock::sleep_until(hours.begin + hours.length / parts * nth);
            let at = clock::monotonic();
            let what = if kill { "kill -9, started again" } else { "line cut" };
            (self.say)(&format!("{what}: {node}"));
            if kill {
                toll.crash(fleet, &node)?;
            } else {
                fleet.freeze(&node);
                std::thread::sleep(CUT);
                fleet.thaw(&node);
            }
            let seconds = at.elapsed().as_secs_f64();
            struck.push(Struck { what: what.to_owned(), node, seconds });
        }
        Ok(struck)
    }
}
