//! `jukinet demo`: raises a country on loopback as real processes and tells its story.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use clap::Args;
use law::code::LocalGovernmentCode;
use serde_json::{Value, json};

use crate::demo::fleet;
use crate::demo::people::{EMBEDDED_RESIDENTS, EMBEDDED_SEED, Line, People};
use crate::demo::raise::{self, Raised};
use crate::demo::story;
use crate::talk::{Exit, Talk};
use crate::{dice, disk};

/// Most residents that a demonstration loads from a file of its own.
const POPULATION_BYTES_MAX: u64 = 1 << 30;

/// How often a running country is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Options of `demo`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  jukinet demo\n  jukinet demo --once --json\n  jukinet demo \
        --residents 20000 --dir ./country\n\nThe country is 1 center, 2 prefectures, 4 \
        municipalities, 2 agencies, 3 exchanges and their\nterminals, each a process of its own \
        on loopback. Its 20,000 residents are embedded (seed\n2003); other people: jukilab \
        population --out DIR, then --population DIR/residents.csv.")]
pub struct DemoArgs {
    /// Synthetic residents to load
    #[arg(long, value_name = "N", default_value_t = EMBEDDED_RESIDENTS)]
    pub residents: u64,
    /// Seed of the population; the embedded one has its own, others need --population
    #[arg(long, value_name = "S", default_value_t = EMBEDDED_SEED)]
    pub seed: u64,
    /// A residents' CSV to load instead of the embedded one
    #[arg(long, value_name = "FILE")]
    pub population: Option<PathBuf>,
    /// Keep state, configurations and cards here
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Run the story, verify, stop; exit 0 only if every check held
    #[arg(long)]
    pub once: bool,
    /// Make keys, cards and configurations in DIR and start nothing
    #[arg(long, requires = "dir", conflicts_with_all = ["once", "residents", "population", "json"])]
    pub prepare: bool,
    /// With --prepare: how many seconds ago the key ceremony was
    #[arg(long, value_name = "S", default_value_t = 0, requires = "prepare")]
    pub ceremony_age: u64,
    /// With --prepare: other municipalities than the demonstration's, under their prefectures
    #[arg(long, value_name = "CODE", value_delimiter = ',', requires = "prepare",
        value_parser = municipality)]
    pub municipalities: Vec<LocalGovernmentCode>,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// A code of the table of municipalities.
fn municipality(text: &str) -> Result<LocalGovernmentCode, String> {
    let code = LocalGovernmentCode::parse(text).map_err(|error| error.to_string())?;
    match law::municipality::find(&code) {
        Some(_) => Ok(code),
        None => Err("no municipality has this code; give six digits, as 132152".to_owned()),
    }
}

pub fn run(args: &DemoArgs, talk: Talk) -> Exit {
    if let (true, Some(dir)) = (args.prepare, &args.dir) {
        let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.clone());
        return match raise::prepare(&dir, args.ceremony_age, &args.municipalities) {
            Ok(()) => Exit::Ok,
            Err(why) => {
                talk.fail(format!("the country was not prepared: {why}"));
                Exit::Failed
            }
        };
    }
    let people = match people(args) {
        Ok(people) => people,
        Err(why) => {
            talk.fail(why);
            return Exit::Usage;
        }
    };
    let (dir, kept) = match &args.dir {
        Some(dir) => (std::path::absolute(dir).unwrap_or_else(|_| dir.clone()), true),
        None => (scratch(), false),
    };
    let end = Ending::watch((!kept).then(|| dir.clone()), talk);
    let exit = in_folder(args, people, &dir, (&end, talk));
    if !kept && let Err(error) = std::fs::remove_dir_all(&dir) {
        talk.fail(format!("{} could not be removed: {error}", dir.display()));
    }
    exit
}

/// The residents, if they are enough for the story: said before anything is raised.
fn people(args: &DemoArgs) -> Result<People, String> {
    let people = chosen(args)?;
    let at_home = |line: &Line| line.municipality == raise::STORY_MUNICIPALITY;
    if people.lines.iter().any(at_home) {
        return Ok(people);
    }
    Err(format!(
        "the story needs a resident of 国立市 ({}) and there is none; take more residents",
        raise::STORY_MUNICIPALITY
    ))
}

fn chosen(args: &DemoArgs) -> Result<People, String> {
    if let Some(file) = &args.population {
        let text =
            disk::read_text(file, POPULATION_BYTES_MAX).map_err(|error| error.to_string())?;
        let residents = (text.lines().count() as u64).saturating_sub(1);
        return Ok(People::parse(&text, residents)?.thinned(args.residents));
    }
    if args.seed != EMBEDDED_SEED {
        return Err(format!(
            "the embedded residents have the seed {EMBEDDED_SEED}; for another, make them with \
                jukilab population --seed {} and give --population",
            args.seed
        ));
    }
    People::embedded(args.residents)
}

fn scratch() -> PathBuf {
    let name: [u8; 6] = dice::array();
    let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
    std::env::temp_dir().join(format!("jukinet-demo-{name}"))
}

fn in_folder(args: &DemoArgs, people: People, dir: &Path, (end, talk): (&Ending, Talk)) -> Exit {
    let say = |line: &str| talk.say(line);
    let mut raised = match raise::raise(dir, people, &say) {
        Ok(raised) => raised,
        Err(why) => {
            talk.fail(format!("the country was not raised: {why}"));
            tell_logs(dir, talk);
            return Exit::Failed;
        }
    };
    announce(&raised, talk);
    let told = story::tell(&raised, &say);
    let nodes = raised.nodes_json(false);
    if let Err(why) = raised.write_summary(&told.checks) {
        talk.fail(why);
        return Exit::Failed;
    }
    let mut checks = told.checks;
    let mut failed = told.failed;
    if args.once {
        let well = raised.fleet.stop();
        failed += usize::from(!well);
        let detail =
            if well { "every process finished and ended well" } else { "some had to be killed" };
        checks.push(json!({"name": "stops-cleanly", "ok": well, "detail": detail}));
    }
    if args.json {
        talk.json(&document(&raised, nodes, &checks, &told.story));
    }
    end.story_told();
    if !args.once {
        wait_for_end(&mut raised, end, talk);
    }
    talk.say(format!("{} checks held, {failed} did not", checks.len() - failed));
    if failed == 0 { Exit::Ok } else { Exit::Failed }
}

fn document(raised: &Raised, nodes: Vec<Value>, checks: &[Value], story: &[Value]) -> Value {
    json!({
        "nodes": nodes,
        "residents": raised.people.lines.len(),
        "ready_seconds": raised.ready_seconds,
        "checks": checks,
        "story": story,
    })
}

fn announce(raised: &Raised, talk: Talk) {
    let rss: f64 = raised
        .nodes_json(false)
        .iter()
        .filter_map(|node| node.get("rss_mib").and_then(Value::as_f64))
        .sum();
    let people = raised.people.lines.len();
    talk.say(format!(
        "1 center · 2 prefectures · 4 municipalities · 2 agencies   {people} synthetic \
            residents   RSS {rss:.0} MiB   ready in {} s   127.0.0.1 only",
        raised.ready_seconds
    ));
    for terminal in &raised.country.terminals {
        let opens =
            raised.fleet.find(terminal.node.as_str()).and_then(|running| running.opens.clone());
        let pin = terminal.cards.first().and_then(|card| disk::read_pin(&card.pin).ok());
        if let (Some(opens), Some(pin)) = (opens, pin) {
            talk.say(format!("  open  {:<22} {opens}   PIN {}", terminal.place, *pin));
        }
    }
}

/// Keep the country until Ctrl-C; say so when one of its processes ends.
fn wait_for_end(raised: &mut Raised, end: &Ending, talk: Talk) {
    talk.say(format!("running in {}; Ctrl-C ends it", raised.country.dir.display()));
    let mut missing: Vec<String> = Vec::new();
    while end.awaited(LOOK_EVERY) {
        for name in raised.fleet.ended() {
            if !missing.contains(&name) {
                talk.say(format!("{name} has ended; start it again with its serve command"));
                missing.push(name);
            }
        }
    }
    raised.fleet.stop();
}

/// Ctrl-C and SIGTERM. While the country is raised and its story is told they end everything at
/// once; afterwards they are what is waited for.
struct Ending {
    told: Receiver<()>,
    busy: Arc<AtomicBool>,
}

impl Ending {
    /// Watch from now on. `scratch`: the folder that nobody wants to keep.
    fn watch(scratch: Option<PathBuf>, talk: Talk) -> Self {
        let (tell, told) = channel();
        let busy = Arc::new(AtomicBool::new(true));
        let at_work = Arc::clone(&busy);
        std::thread::spawn(move || {
            if !signalled() {
                return;
            }
            if !at_work.load(Ordering::SeqCst) {
                let _ = tell.send(());
                return;
            }
            talk.fail("ended before the story was told");
            fleet::end_all();
            // What is written meanwhile may be in the way once, not for ever: nothing is started
            // now.
            for scratch in scratch.iter().flat_map(|folder| std::iter::repeat_n(folder, 3)) {
                let _ = std::fs::remove_dir_all(scratch);
            }
            std::process::exit(Exit::Failed as i32);
        });
        Self { told, busy }
    }

    /// What happens from here on is only waiting.
    fn story_told(&self) {
        self.busy.store(false, Ordering::SeqCst);
    }

    /// `true`: the end is still awaited after this time.
    fn awaited(&self, time: Duration) -> bool {
        matches!(self.told.recv_timeout(time), Err(RecvTimeoutError::Timeout))
    }
}

/// Wait for Ctrl-C or SIGTERM. `false`: the system lets nobody wait for them.
fn signalled() -> bool {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.is_ok_and(|runtime| {
        runtime.block_on(async {
            let Ok(mut term) = signal(SignalKind::terminate()) else { return false };
            tokio::select! {
                pressed = tokio::signal::ctrl_c() => pressed.is_ok(),
                _ = term.recv() => true,
            }
        })
    })
}

/// The last line of every log, so that a failed start explains itself before its folder is removed.
fn tell_logs(dir: &Path, talk: Talk) {
    for folder in ["nodes", "terminals"] {
        let Ok(entries) = std::fs::read_dir(dir.join(folder)) else { continue };
        for entry in entries.flatten() {
            let log = std::fs::read_to_string(entry.path().join("log")).unwrap_or_default();
            if let Some(last) = log.lines().rfind(|line| line.contains("ERROR")) {
                talk.fail(format!("{}: {last}", entry.file_name().display()));
            }
        }
    }
}
