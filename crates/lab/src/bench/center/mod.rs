//! `bench center`: a center that holds the residents of a whole country, up to 126 million: load,
//! start, look-ups in every lawful way with cold and warm files, disk and memory, on so many cores.
//!
//! The residents are made in this process and loaded into the center's own store; then the shipped
//! center is started on it, with an exchange and an agency whose operator asks. Who must be in an
//! answer is found by making everybody a second time.

mod ask;
pub(crate) mod load;
mod needs;
pub(crate) mod sample;

use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::ProgressBar;
use ledger::entry::{Entry, EntryKind};
use ledger::receipt::EntryId;
use node::ports::{Leaf, NewEntry, Store as _};
use sha2::{Digest as _, Sha256};
use store::SqliteStore;

use self::ask::{Agency, Asked};
use self::load::Load;
use self::sample::{Question, Way};
use super::BenchError;
use super::harness::Subject;
use super::record::{Gate, Measured, Oracle, Party, Table};
use crate::live::country::{binary, terminals};
use crate::live::fleet::{self, Fleet};
use crate::live::keeping::Keeping;
use crate::live::{LiveError, clock, confine, dice, files, machine, place, vault};
use crate::population;

pub(crate) const SUBJECT: Subject = Subject {
    id: "center",
    title: "A center of the whole country",
    question: "What does a center of so many residents take to load, start and answer?",
};

/// The processes that answer an agency.
const NODES: [&str; 3] = ["exchange-national", "center", "agency-1"];
const CENTER: &str = "center";
const AGENCY: &str = "agency-1";
/// Beyond so many the whole check reads too long; then counts, samples and look-ups stand for it.
const CHECKED_RESIDENTS_MAX: u64 = 2_000_000;

/// What the bench is run with.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) jukinet: Option<PathBuf>,
    pub(crate) residents: u64,
    pub(crate) seed: u64,
    /// A folder on the disk that is to hold it all; made, and removed at the end.
    pub(crate) work: PathBuf,
    pub(crate) cores: u32,
    pub(crate) memory_gib: u32,
    /// Questions in each way of asking.
    pub(crate) sample: u64,
    /// Leave the country behind.
    pub(crate) keep: bool,
    /// Expect somebody else once.
    pub(crate) plant: bool,
}

impl Wanted {
    fn population(&self) -> population::Options {
        let (residents, seed) = (self.residents, self.seed);
        population::Options { residents, seed, municipalities: Vec::new() }
    }

    fn country(&self) -> PathBuf {
        self.work.join("country")
    }
}

/// Runs it to its figures.
pub(crate) fn run(
    wanted: &Wanted,
    bar: &ProgressBar,
    say: &dyn Fn(&str),
) -> Result<Measured, BenchError> {
    files::make_folder(&wanted.work)?;
    if wanted.country().exists() {
        let what = "holds a country already; name another folder, or remove it".to_owned();
        return Err(LiveError::Content { path: wanted.work.clone(), what }.into());
    }
    needs::check(wanted.residents, wanted.memory_gib, &wanted.work)?;
    let measured = measure(wanted, bar, say);
    bar.finish_and_clear();
    if !wanted.keep {
        files::remove_folder(&wanted.country());
        files::remove_if_empty(&wanted.work);
    }
    measured
}

/// What was measured on the way.
struct Findings {
    confined: String,
    load: Load,
    bytes: Vec<(String, u64)>,
    checked: bool,
    compared: u64,
}

fn measure(wanted: &Wanted, bar: &ProgressBar, say: &dyn Fn(&str)) -> Result<Measured, BenchError> {
    let confined = confine::to(wanted.cores, wanted.memory_gib);
    say(&format!("held by {}", confined.said()));
    let binary = binary(wanted.jukinet.as_deref())?;
    let dir = wanted.country();
    fleet::prepare(&binary, &dir, Duration::ZERO)?;
    let folder = dir.join("nodes").join(CENTER);
    let (load, mut questions) = filled(wanted, &folder, bar, say)?;
    say("making everybody once more, to know whom each question asks for …");
    find_expected(wanted, &mut questions, bar)?;
    if wanted.plant {
        sample::plant_other_person(&mut questions);
    }
    let mut ours = Party::named("jukinet center");
    let mut compared = store_alone(&folder, &questions, &mut ours, say)?;
    say("starting exchange, center and agency …");
    let mut fleet = Fleet::new(&binary, &dir);
    compared += live(&mut fleet, &folder, &questions, &mut ours, say)?;
    fleet.stop_all();
    say("counting pages …");
    let keeping = Keeping::of(CENTER, &folder, place::node_token(&fleet.config(CENTER))?)?;
    let checked = wanted.residents <= CHECKED_RESIDENTS_MAX;
    if checked {
        say("checking the whole store …");
        let report = keeping.check()?;
        if !report.ok || report.residents != wanted.residents {
            return Err(BenchError::Void("the check of the store found faults".to_owned()));
        }
    }
    let findings = Findings {
        confined: confined.said().to_owned(),
        load,
        bytes: keeping.bytes_by_table()?.into_iter().collect(),
        checked,
        compared,
    };
    Ok(told(wanted, &findings, ours))
}

/// The loaded store, closed again, and the questions about who is in it.
fn filled(
    wanted: &Wanted,
    folder: &Path,
    bar: &ProgressBar,
    say: &dyn Fn(&str),
) -> Result<(Load, Vec<Question>), BenchError> {
    let mut store = vault::of_node(CENTER, folder)?;
    let failed = |error: &dyn std::fmt::Display| BenchError::Void(error.to_string());
    // Under the key of this year, as `jukinet import` does it.
    let year = u32::from(clock::now().date_in_japan().year());
    store::Erase::renew_rows(&mut store, year, 0, 1, &mut dice::fill).map_err(|e| failed(&e))?;
    say(&format!("making and loading {} residents …", wanted.residents));
    let (load, sampler) = load::load(wanted, &mut store, bar)?;
    record(wanted, &mut store)?;
    let rate = super::per_second(wanted.residents, load.seconds);
    say(&format!("loaded in {:.0} s, {rate:.0} residents a second", load.seconds));
    Ok((load, sampler.questions()))
}

/// The load stands in the ledger, as any first load.
fn record(wanted: &Wanted, store: &mut SqliteStore) -> Result<(), BenchError> {
    let failed = |why: String| BenchError::Void(why);
    let options = format!("jukilab bench center {} {}", wanted.residents, wanted.seed);
    let digest: [u8; 32] = Sha256::digest(options.as_bytes()).into();
    let entry = Entry::build(EntryKind::Loaded, clock::now(), CENTER)
        .request(&digest)
        .count(wanted.residents)
        .note("0 rows rejected".to_owned())
        .finish()
        .map_err(|error| failed(error.to_string()))?;
    let leaf = Leaf { subject: None, entry: entry.encode() };
    let entries = [NewEntry { id: EntryId(0), leaves: vec![leaf] }];
    store
        .apply(&[], &entries, &mut dice::fill)
        .and_then(|_| store.commit())
        .map_err(|error| failed(error.to_string()))
}

fn find_expected(
    wanted: &Wanted,
    questions: &mut [Question],
    bar: &ProgressBar,
) -> Result<(), BenchError> {
    bar.reset();
    bar.set_length(wanted.residents);
    bar.set_message("oracle");
    sample::find_expected(&wanted.population(), questions, &mut |index| {
        if index.is_multiple_of(65_536) {
            bar.set_position(index);
        }
    })?;
    if questions.is_empty() {
        return Err(BenchError::Void("nobody could be asked about".to_owned()));
    }
    Ok(())
}

/// The store by itself, in this process: first with nothing of it in memory, then again.
fn store_alone(
    folder: &Path,
    questions: &[Question],
    ours: &mut Party,
    say: &dyn Fn(&str),
) -> Result<u64, BenchError> {
    say("asking the store alone …");
    let data = folder.join("data");
    files::evict(&data)?;
    let token = place::node_token(&folder.join("config.toml"))?;
    let keeping = Keeping::of(CENTER, folder, token)?;
    for how in ["store alone, cold", "store alone, warm"] {
        let asked = ask::look_up(keeping.reads(), questions)?;
        ours.phases.extend(asked.phases(how));
    }
    Ok(2 * questions.len() as u64)
}

/// The running center: started twice, the second time with nothing of its files in memory.
fn live(
    fleet: &mut Fleet,
    folder: &Path,
    questions: &[Question],
    ours: &mut Party,
    say: &dyn Fn(&str),
) -> Result<u64, BenchError> {
    let first = questions.iter().find(|question| question.way == Way::Code);
    let first = first.ok_or_else(|| BenchError::Void("nobody to ask about by code".to_owned()))?;
    fleet.start(&NODES)?;
    let dir = folder.parent().and_then(Path::parent).unwrap_or(folder);
    let files = terminals(dir)?.into_iter().find(|terminal| terminal.place == AGENCY);
    let files = files.ok_or_else(|| BenchError::Void("the agency has no terminal".to_owned()))?;
    let mut agency = Agency::open(&files)?;
    agency.first_answer(first, clock::monotonic())?;
    say("killing the center, forgetting its pages, starting it again …");
    fleet.kill(CENTER);
    files::evict(&folder.join("data"))?;
    let start = clock::monotonic();
    fleet.start(&[CENTER])?;
    let ready = start.elapsed().as_secs_f64();
    let answered = agency.first_answer(first, start)?;
    ours.figure("ready_seconds", "exec to ready, cold, after kill -9", ready, "s");
    ours.figure("first_answer_seconds", "exec to the first right answer, cold", answered, "s");
    let mut asked: Vec<Asked> = Vec::new();
    for how in ["through agency and exchange, cold", "through agency and exchange, warm"] {
        say(&format!("asking {} questions {how} …", questions.len()));
        let all = agency.ask_all(questions)?;
        ours.phases.extend(all.phases(how));
        asked.push(all);
    }
    let refused: u64 = asked.iter().map(|asked| asked.refused).sum();
    let answered: u64 = asked.iter().map(|asked| asked.answered).sum();
    ours.figure("answered", "questions answered", count(answered), "");
    ours.figure("refused", "questions refused: more than fifty fit", count(refused), "");
    let (peak, now) = fleet
        .pid(CENTER)
        .map_or((None, None), |pid| (machine::peak_mib(pid), machine::rss_mib(pid)));
    ours.figure("center_peak_mib", "most memory the center held", peak.unwrap_or(f64::NAN), "MiB");
    ours.figure("center_mib", "memory of the center at the end", now.unwrap_or(f64::NAN), "MiB");
    Ok(2 * questions.len() as u64 + 2)
}

#[allow(clippy::cast_precision_loss, reason = "bytes, residents and questions of one run")]
const fn count(number: u64) -> f64 {
    number as f64
}

/// The figures as the record wants them.
fn told(wanted: &Wanted, findings: &Findings, mut ours: Party) -> Measured {
    let Findings { confined, load, bytes, checked, compared, .. } = findings;
    let each = |bytes: u64| count(bytes) / count(wanted.residents.max(1));
    let total: u64 = bytes.iter().map(|(_, bytes)| bytes).sum();
    let rate = super::per_second(wanted.residents, load.seconds);
    ours.figure("residents_per_second", "loaded, all included", rate, "/s");
    ours.figure("load_seconds", "the load", load.seconds, "s");
    ours.figure("rows_seconds", "of these making, sealing, rows", load.rows_seconds, "s");
    let index = load.seconds - load.rows_seconds;
    ours.figure("index_seconds", "of these index terms and sync", index, "s");
    ours.figure("load_cpu_seconds", "CPU of the load", load.cpu_seconds, "s");
    ours.figure("load_peak_mib", "most memory the load held", load.peak_mib, "MiB");
    ours.figure("database_bytes", "the database", count(total), "B");
    ours.figure("bytes_per_resident", "disk, a resident", each(total), "B");
    let rows = bytes
        .iter()
        .map(|(table, bytes)| {
            vec![table.as_str().into(), (*bytes).into(), super::pairs::rounded(each(*bytes)).into()]
        })
        .collect();
    let columns = ["table or index", "bytes", "bytes a resident"].map(str::to_owned).to_vec();
    let title = "Disk by table and index".to_owned();
    let first = ours.value("first_answer_seconds");
    let prefix = ours.phases.iter().filter(|phase| phase.name.contains("alone, warm: prefix"));
    let prefix = prefix.filter_map(|phase| phase.latency).map(|latency| latency.p99);
    let prefix = prefix.reduce(f64::max);
    let whole = wanted.residents >= population::RESIDENTS_COUNT_MAX - 1_000_000;
    let at_scale = |value: Option<f64>| value.filter(|_| whole);
    let gates = vec![
        Gate::moonshot("B8: first answer from exec at 126 M", "s", 0.5, at_scale(first)).at_most(),
        Gate::moonshot("B4: prefix p99 at 126 M, store", "ms", 1.0, at_scale(prefix)).at_most(),
    ];
    let mut left_out = vec![
        "one operator asks at a time: rates under load are B1's".to_owned(),
        "history, ledger and disclosure rows of a year are not in this database".to_owned(),
    ];
    if !checked {
        left_out.push(format!(
            "the whole check (fsck) is run up to {CHECKED_RESIDENTS_MAX} residents only"
        ));
    }
    let oracle = Oracle {
        what: "answers and refusals against everybody made a second time".to_owned(),
        compared: *compared,
        errors: 0,
    };
    let tables = vec![Table { title, columns, rows }];
    Measured { ours, gates, tables, oracle, left_out, ..Measured::default() }
        .on("residents", wanted.residents)
        .on("seed", wanted.seed)
        .on("engine", "SQLite, sealed rows, six keyed digests a resident, no read index")
        .on("suite", super::SUITE)
        .on("held by", confined)
        .on("cold", "pages of the files dropped by fadvise before the first of two rounds")
}
