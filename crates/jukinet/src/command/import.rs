//! `jukinet import`: the first load of a node's register from a residents' CSV, with the node
//! stopped. Not a change notice: nobody is notified, and a person who is held already is refused.
//!
//! One thread reads and checks rows, another seals and keeps them, whole chunks at a time. The
//! store's own count says after a crash how far it came, because a chunk is kept or not.

mod reading;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use law::inquiry::Held;
use ledger::entry::{Entry, EntryKind};
use ledger::receipt::EntryId;
use node::ports::{Leaf, NewEntry, ReadError, Reads, Store as _, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use store::{Erase as _, NodeStore, PopulationDigest, Publish as _};
use wire::Role;

use crate::config::{self, NodeConfig};
use crate::runner::keys::LedgerSigner;
use crate::runner::process::{self, ProcessError};
use crate::talk::{Exit, Talk};
use crate::{clock, dice, disk, token_file};
use reading::{Counts, Reading};

/// Parcels under way: with a kilobyte a person, a few megabytes.
const PARCELS_COUNT_MAX: usize = 8;
/// Bytes hashed at once.
const HASHED_BYTES: usize = 1 << 20;
/// Residents opened at once for the digest.
const DIGESTED_COUNT: usize = 4_096;
/// Entries looked through at once.
const ENTRIES_COUNT: usize = 1_024;
/// How far a file of progress may grow.
const PROGRESS_BYTES_MAX: u64 = 4_096;

/// Options of `import`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  jukinet import --config prefecture-13.toml --file \
        residents.csv\n\nColumns: those of the residents' CSV (jukilab population). The node must \
        be stopped. After a\ncrash the same command goes on where the last whole chunk ended; \
        another file is refused\nuntil then. A municipality takes its own residents, a prefecture \
        those of its municipalities;\nrows of others are skipped and counted.\nExit codes: 0 all \
        taken, 1 not taken (the node runs, the disk is full, a code is held\nalready), 2 the file \
        or the configuration is not one, 6 some rows were rejected.")]
pub struct ImportArgs {
    /// The configuration of the node to load
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Residents: CSV with a header, UTF-8
    #[arg(long, value_name = "RESIDENTS.csv")]
    pub file: PathBuf,
    /// Where rejected rows are written: row, column, rule, remedy
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,
    /// Persons that are made durable together; after a crash at most so many are read again
    #[arg(long, value_name = "N", default_value_t = 250_000,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub commit_every: u32,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// What an unfinished load has to know again: kept beside the store, before the first row.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Begun {
    /// SHA-256 of the whole file.
    file: String,
    /// Residents held before it.
    held_before: u64,
    finished: bool,
}

/// How a load ended.
struct Loaded {
    counts: Counts,
    taken: u64,
    seconds: f64,
    digest: Vec<(String, String)>,
    file: String,
}

type Stop = (Exit, String);

pub fn run(args: &ImportArgs, talk: Talk) -> Exit {
    let config = match config::load_node(&args.config) {
        Ok(config) => config,
        Err(error) => {
            talk.fail(error);
            return Exit::Usage;
        }
    };
    let rejects = args.rejects.clone().unwrap_or_else(|| args.file.with_extension("rejected.csv"));
    match load(args, &config, &rejects, talk) {
        Ok(loaded) => {
            report(args, &loaded, &rejects, talk);
            if loaded.counts.rejected > 0 { Exit::Partial } else { Exit::Ok }
        }
        Err((exit, why)) => {
            talk.fail(why);
            exit
        }
    }
}

fn load(
    args: &ImportArgs,
    config: &NodeConfig,
    rejects: &Path,
    talk: Talk,
) -> Result<Loaded, Stop> {
    if !matches!(config.role, Role::Municipality | Role::Prefecture | Role::Center) {
        let role = config.role;
        return Err((Exit::Usage, format!("a {role} keeps no register; name a node that does")));
    }
    let token = token_file::open(&config.token).map_err(|e| (Exit::Failed, e.to_string()))?;
    let mut store = process::open_store(config, &token).map_err(opened)?;
    // Under the key of this year from the first row on, so that a backup made next is whole.
    let year = u32::from(clock::now().date_in_japan().year());
    store
        .renew_rows(year, 0, 1, &mut dice::fill)
        .map_err(|error| (Exit::Failed, error.to_string()))?;
    let file = hash(&args.file, talk)?;
    let begun = begin(config, &store, &args.file, &file)?;
    let started = clock::monotonic();
    let held = residents(&store)?;
    let kept_before = held.saturating_sub(begun.held_before);
    let (counts, taken) = if begun.finished {
        let counts = read_over(args, config, rejects)?;
        (counts, 0)
    } else {
        pass_on(args, config, (&mut store, kept_before), rejects, talk)?
    };
    let seconds = clock::monotonic().duration_since(started).as_secs_f64();
    let everyone = kept_before + taken;
    if !begun.finished {
        record(config, &mut store, (&file, everyone, counts.rejected))?;
        publish(config, &mut store, token)?;
        write_begun(config, &Begun { finished: true, ..begun })?;
    }
    talk.say("digest of the population …");
    let digest = digest(&store)?;
    Ok(Loaded { counts: Counts { kept_before, ..counts }, taken, seconds, digest, file })
}

/// The lock of the store is the guard: a running node holds it.
fn opened(error: ProcessError) -> Stop {
    let hint = match &error {
        ProcessError::Store { .. } => "; stop the node first, if it runs",
        _ => "",
    };
    (Exit::Failed, format!("{error}{hint}"))
}

fn unread(error: ReadError) -> Stop {
    (Exit::Failed, error.to_string())
}

fn residents(store: &NodeStore) -> Result<u64, Stop> {
    store.reads().residents_count().map_err(unread)
}

fn named(file: &Path, why: impl std::fmt::Display) -> Stop {
    (Exit::Usage, format!("{}: {why}", file.display()))
}

/// SHA-256 of the whole file: what makes it the same file on the second try.
fn hash(file: &Path, talk: Talk) -> Result<String, Stop> {
    let source = File::open(file).map_err(|error| named(file, error))?;
    let bytes = source.metadata().map_or(0, |meta| meta.len());
    let bar = bar(bytes, "reading  {bar:40.cyan} {percent:>3}%  {bytes_per_sec}", talk);
    let mut source = bar.wrap_read(source);
    let mut hash = Sha256::new();
    let mut buffer = vec![0; HASHED_BYTES];
    loop {
        let count = source.read(&mut buffer).map_err(|error| named(file, error))?;
        if count == 0 {
            bar.finish_and_clear();
            return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect());
        }
        hash.update(buffer.get(..count).unwrap_or_default());
    }
}

fn begun_path(config: &NodeConfig) -> PathBuf {
    config.data.join("import.json")
}

/// A new load, or the one that was begun with this very file.
fn begin(config: &NodeConfig, store: &NodeStore, path: &Path, file: &str) -> Result<Begun, Stop> {
    let kept = begun_path(config);
    let text = match disk::read_text(&kept, PROGRESS_BYTES_MAX) {
        Ok(text) => Some(text),
        Err(_) if !kept.exists() => None,
        Err(error) => return Err((Exit::Failed, error.to_string())),
    };
    let known: Option<Begun> = match text {
        None => None,
        Some(text) => Some(serde_json::from_str(&text).map_err(|_| {
            let what = "is not this program's; remove it if no load is under way";
            (Exit::Failed, format!("{}: {what}", kept.display()))
        })?),
    };
    match known {
        Some(begun) if begun.file == file => Ok(begun),
        Some(begun) if !begun.finished => Err(named(
            path,
            format!(
                "another file is half loaded (SHA-256 {}…); finish that one first, or, to begin \
                 anew, remove {} and the database beside it",
                begun.file.get(..16).unwrap_or_default(),
                kept.display()
            ),
        )),
        _ => {
            let held_before = residents(store)?;
            if held_before > 0 {
                let why = "residents are held already; later changes go through jukinet notice";
                return Err(named(path, format!("{held_before} {why}")));
            }
            let begun = Begun { file: file.to_owned(), held_before, finished: false };
            write_begun(config, &begun)?;
            Ok(begun)
        }
    }
}

fn write_begun(config: &NodeConfig, begun: &Begun) -> Result<(), Stop> {
    let failed = |why: String| (Exit::Failed, why);
    let text = serde_json::to_vec(begun).map_err(|error| failed(error.to_string()))?;
    disk::write_private(&begun_path(config), &text).map_err(|error| failed(error.to_string()))
}

/// Reads and checks rows on a thread of its own, and keeps them on this one.
fn pass_on(
    args: &ImportArgs,
    config: &NodeConfig,
    (store, kept_before): (&mut NodeStore, u64),
    rejects: &Path,
    talk: Talk,
) -> Result<(Counts, u64), Stop> {
    let source = File::open(&args.file).map_err(|error| named(&args.file, error))?;
    let bytes = source.metadata().map_or(0, |meta| meta.len());
    let style = "{bar:40.cyan} {percent:>3}%  {msg}  {eta} left";
    let bar = bar(bytes, style, talk);
    let (parcels, parcels_in) = sync_channel(PARCELS_COUNT_MAX);
    let reading = Reading::open(args, config, bar.wrap_read(source), rejects, kept_before)?;
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || reading.run(&parcels));
        let mut people = People { parcels: parcels_in, parcel: Vec::new().into_iter(), taken: 0 };
        let started = clock::monotonic();
        let mut told = people.by_ref().inspect({
            let bar = bar.clone();
            let mut rows = 0_u64;
            move |_| {
                rows += 1;
                if rows.is_multiple_of(16_384) {
                    let seconds = clock::monotonic().duration_since(started).as_secs_f64();
                    bar.set_message(format!("{} rows/s", per_second(rows, seconds)));
                }
            }
        });
        let kept = keep(store, &mut told, args.commit_every);
        drop(told);
        // Without a receiver the reader ends at its next parcel.
        drop(people);
        let read = reader
            .join()
            .unwrap_or_else(|_| Err((Exit::Failed, "the reading thread ended".to_owned())));
        bar.finish_and_clear();
        let kept = kept.map_err(|error| (Exit::Failed, error.to_string()))?;
        Ok((read?, kept))
    })
}

/// Keeps everybody, `every` at once.
fn keep(
    store: &mut NodeStore,
    people: &mut dyn Iterator<Item = Held>,
    every: u32,
) -> Result<u64, StoreError> {
    let (mut dice, mut kept) = (dice::fill, 0);
    let every = usize::try_from(every).unwrap_or(usize::MAX);
    loop {
        match store.bulk_load(&mut people.take(every), &mut dice)? {
            0 => return Ok(kept),
            more => kept += more,
        }
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a figure to look at")]
#[allow(clippy::cast_precision_loss, reason = "a figure to look at")]
fn per_second(rows: u64, seconds: f64) -> u64 {
    if seconds > 0.0 { (rows as f64 / seconds) as u64 } else { 0 }
}

/// Rows of the file as the store wants them.
struct People {
    parcels: Receiver<Vec<Held>>,
    parcel: std::vec::IntoIter<Held>,
    taken: u64,
}

impl Iterator for People {
    type Item = Held;

    fn next(&mut self) -> Option<Held> {
        loop {
            if let Some(held) = self.parcel.next() {
                self.taken += 1;
                return Some(held);
            }
            self.parcel = self.parcels.recv().ok()?.into_iter();
        }
    }
}

/// A finished file once more: counts and rejected rows, nothing kept.
fn read_over(args: &ImportArgs, config: &NodeConfig, rejects: &Path) -> Result<Counts, Stop> {
    let source = File::open(&args.file).map_err(|error| named(&args.file, error))?;
    let reading = Reading::open(args, config, source, rejects, u64::MAX)?;
    let (parcels, _nobody) = sync_channel(1);
    reading.run(&parcels)
}

/// One entry for the whole load, once: a load that was broken after it finds it there.
fn record(
    config: &NodeConfig,
    store: &mut NodeStore,
    (file, taken, rejected): (&str, u64, u64),
) -> Result<(), Stop> {
    let failed = |why: String| (Exit::Failed, why);
    if is_recorded(store.reads(), file)? {
        return Ok(());
    }
    let digest: Option<[u8; 32]> = digest_of(file);
    let digest = digest.ok_or_else(|| failed("the file's digest is none".to_owned()))?;
    let entry = Entry::build(EntryKind::Loaded, clock::now(), config.node.as_str())
        .request(&digest)
        .count(taken)
        .note(format!("{rejected} rows rejected"))
        .finish()
        .map_err(|error| failed(error.to_string()))?;
    let leaf = Leaf { subject: None, entry: entry.encode() };
    let entries = [NewEntry { id: EntryId(0), leaves: vec![leaf] }];
    let mut dice = dice::fill;
    store.apply(&[], &entries, &mut dice).map_err(|error| failed(error.to_string()))?;
    store.commit().map_err(|error| failed(error.to_string()))
}

fn digest_of(hex: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    for (at, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(digest)
}

fn is_recorded(reads: &dyn Reads, file: &str) -> Result<bool, Stop> {
    let mut next = 0;
    loop {
        let entries = reads.entries_from(next, ENTRIES_COUNT).map_err(unread)?;
        let Some(last) = entries.last() else { return Ok(false) };
        next = last.index.saturating_add(1);
        let loaded = entries.iter().filter_map(|open| Entry::parse(&open.entry).ok());
        let mut loaded = loaded.filter(|entry| entry.kind() == EntryKind::Loaded);
        if loaded.any(|entry| entry.request() == Some(file)) {
            return Ok(true);
        }
    }
}

fn publish(
    config: &NodeConfig,
    store: &mut NodeStore,
    token: Arc<dyn token::Token>,
) -> Result<(), Stop> {
    let failed = |why: String| (Exit::Failed, why);
    let signer = LedgerSigner::new(&config.node, token).map_err(|e| failed(e.to_string()))?;
    store.publish(&signer).map(|_| ()).map_err(|error| failed(error.to_string()))
}

/// Every person opened again: what was kept is what can be read.
fn digest(store: &NodeStore) -> Result<Vec<(String, String)>, Stop> {
    let mut population = PopulationDigest::default();
    let mut after = 0;
    loop {
        let people = store.reads().residents_after(after, DIGESTED_COUNT).map_err(unread)?;
        let Some((last, _)) = people.last() else { break };
        after = *last;
        for (_, held) in &people {
            let odd = |_| (Exit::Defect, "a row has no canonical form".to_owned());
            population.add(held).map_err(odd)?;
        }
    }
    Ok(population.finish().into_iter().collect())
}

fn bar(length: u64, style: &str, talk: Talk) -> ProgressBar {
    if !talk.decorate() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(length);
    match ProgressStyle::with_template(style) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn report(args: &ImportArgs, loaded: &Loaded, rejects: &Path, talk: Talk) {
    let Loaded { counts, taken, seconds, digest, file } = loaded;
    let Counts { rows, elsewhere, rejected, kept_before } = counts;
    let rate = per_second(*taken, *seconds);
    if args.json {
        let rejects = (*rejected > 0).then(|| rejects.display().to_string());
        let digest: serde_json::Map<_, _> =
            digest.iter().map(|(code, digest)| (code.clone(), json!(digest))).collect();
        talk.json(&json!({
            "rows": rows, "taken": taken, "kept_before": kept_before, "skipped": elsewhere,
            "rejected": rejected, "rejects": rejects, "file_sha256": file,
            "seconds": (seconds * 100.0).round() / 100.0, "rows_per_second": rate,
            "population_digest": digest,
        }));
        return;
    }
    let mut out = std::io::stdout().lock();
    let _ = writeln!(
        out,
        "{rows} rows: {taken} taken in {seconds:.1} s ({rate} rows/s), {kept_before} taken \
            before, {elsewhere} of other areas, {rejected} rejected\nfile  sha256 {file}"
    );
    for (municipality, digest) in digest {
        let _ = writeln!(out, "  {municipality}  {digest}");
    }
    if *rejected > 0 {
        talk.say(format!("rejected rows with column, rule and remedy: {}", rejects.display()));
    }
}
