//! Benchmarks of the running system: real processes, real sessions, every answer compared with what
//! it must be; beside most of them a peer that does the same work in the same run. A wrong answer
//! makes a run void.
//!
//! Another bench needs a file of its own and three lines in the command. It measures, the harness
//! frames it (machine, calibration, reruns, verdicts) and makes the one record:
//!
//! ```text
//! pub(crate) const SUBJECT: Subject = Subject { id: "B6", title: "…", question: "…?" };
//!
//! pub(crate) fn run(options: &Options, say: &dyn Fn(&str)) -> Result<Measured, BenchError> {
//!     let (mut ours, mut peer) = (Party::named("jukinet ledger"), Party::named("Tessera POSIX"));
//!     let (mut times, mut rate) = (histogram(), Pairs::default());
//!     for (number, pair) in (1..).zip(order()) {             // A B B A
//!         for side in pair {
//!             let before = meter(side).read();                // Meter::of([("log", pid), …])
//!             … load, open loop from the moment each was due; each answer against the oracle …
//!             let spent = meter(side).spent_since(&before);   // CPU of this side and the client
//!             party(side).phases.push(Phase { pair: Some(number), cpu: …, latency: …, … });
//!             rate.add(side, per_second(operations, seconds));
//!         }
//!     }
//!     ours.curve("appends", &times);
//!     let more = Ratio::more("rate", "times more proved entries a second", &rate);
//!     let median = more.as_ref().map(|ratio| ratio.median);
//!     let gates = vec![Gate::floor("against Tessera", "×", 5.0, median)];
//!     let oracle = Oracle { what: "proofs verified".to_owned(), compared, errors: 0 };
//!     let ratios = more.into_iter().collect();                // the first one leads
//!     Ok(Measured { ours, peer: Some(peer), ratios, gates, oracle, ..Measured::default() }
//!         .on("engine", "…").on("CPU by", meter.accounting()))
//! }
//! // In the command:
//! Bench::B6 => framed(ledger::SUBJECT, &frame, |say| ledger::run(&options, say), say),
//! ```

pub(crate) mod audited;
pub(crate) mod build;
pub(crate) mod cascade;
pub(crate) mod center;
pub(crate) mod change;
pub(crate) mod erasure;
pub(crate) mod harness;
pub(crate) mod immediate;
pub(crate) mod import;
pub(crate) mod load;
pub(crate) mod nation;
pub(crate) mod pairs;
pub(crate) mod people;
pub(crate) mod plot;
pub(crate) mod provision;
pub(crate) mod published;
pub(crate) mod record;
pub(crate) mod recovery;
pub(crate) mod report;
pub(crate) mod usage;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::live::country::{self, Country};
use crate::live::{LiveError, files};
use crate::population::{self, PopulationError};

/// Residents that the shipped binary has embedded; more are generated.
const EMBEDDED_RESIDENTS: u64 = 20_000;
/// Where the demonstration's residents live.
const MUNICIPALITIES: [&str; 4] = ["132152", "132047", "202029", "202207"];

/// The TLS suite of every session that a bench measures.
pub(crate) const SUITE: &str = "default (X25519MLKEM768)";

/// A figure by its path; null where there is none.
pub(crate) fn at<'v>(figures: &'v Value, path: &str) -> &'v Value {
    figures.pointer(path).unwrap_or(&Value::Null)
}

/// What a bench is run with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The shipped binary; the one beside this program when none is named.
    pub jukinet: Option<PathBuf>,
    /// Length of one phase.
    pub seconds: u64,
    pub residents: u64,
    /// Seed of the mix of inquiries.
    pub seed: u64,
    /// Changes in the bulk of B5 and in the backlog of B8; history rows of B11.
    pub changes: u32,
}

/// Why a bench brought no figures.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    #[error(transparent)]
    Live(#[from] LiveError),
    #[error(transparent)]
    Population(#[from] PopulationError),
    #[error("the residents' file cannot be used: {0}")]
    Residents(String),
    #[error("the operating system gave no event loop: {0}")]
    Runtime(#[from] std::io::Error),
    #[error("the run is void: {0}")]
    Void(String),
    #[error("cargo could not build: {0}")]
    Build(String),
    #[error("a record of a bench cannot be used: {0}")]
    Record(String),
}

/// A country with this many residents, raised in a folder of its own.
pub(crate) fn raise(options: &Options, say: &dyn Fn(&str)) -> Result<Country, BenchError> {
    let binary = country::binary(options.jukinet.as_deref())?;
    let dir = country::scratch();
    say(&format!("raising a country of {} residents …", options.residents));
    if options.residents <= EMBEDDED_RESIDENTS {
        return Ok(Country::raise(&binary, &dir, None, options.residents)?);
    }
    let folder = country::scratch();
    let made = generated(options, &folder);
    let raised =
        made.and_then(|file| Ok(Country::raise(&binary, &dir, Some(&file), options.residents)?));
    files::remove_folder(&folder);
    raised
}

fn generated(options: &Options, folder: &Path) -> Result<PathBuf, BenchError> {
    generated_for(options, folder, &MUNICIPALITIES)
}

/// Residents of these municipalities (of the nation, where none is named) in a file.
pub(crate) fn generated_for(
    options: &Options,
    folder: &Path,
    municipalities: &[&str],
) -> Result<PathBuf, BenchError> {
    files::make_folder(folder)?;
    let path = folder.join("residents.csv");
    let wanted = population::Options {
        residents: options.residents,
        seed: options.seed,
        municipalities: municipalities.iter().map(|&code| code.to_owned()).collect(),
    };
    let mut file = files::create(&path)?;
    population::generate(&wanted, &mut file, &mut |_| ())?;
    file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    Ok(path)
}

/// A runtime whose one thread moves the client's bytes.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, BenchError> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?)
}

/// `count` per second, to a tenth.
#[allow(clippy::cast_precision_loss, reason = "counts of one run")]
pub(crate) fn per_second(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { (count as f64 / seconds * 10.0).round() / 10.0 } else { 0.0 }
}
