//! Benchmarks of the running system: real processes, real sessions, every answer compared with what
//! it must be; beside most of them a peer that does the same work in the same run. A wrong answer
//! makes a run void.

pub(crate) mod build;
pub(crate) mod cascade;
pub(crate) mod change;
pub(crate) mod erasure;
pub(crate) mod import;
pub(crate) mod load;
pub(crate) mod pairs;
pub(crate) mod people;
pub(crate) mod provision;
pub(crate) mod recovery;
pub(crate) mod usage;

use std::path::{Path, PathBuf};

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::live::calibration::Calibration;
use crate::live::country::{self, Country};
use crate::live::{LiveError, files, machine};
use crate::population::{self, PopulationError};

/// Residents that the shipped binary has embedded; more are generated.
const EMBEDDED_RESIDENTS: u64 = 20_000;
/// Where the demonstration's residents live.
const MUNICIPALITIES: [&str; 4] = ["132152", "132047", "202029", "202207"];
/// Above this the calibrations before and after differ too much for the figures to stand.
pub(crate) const DRIFT_MAX: f64 = 0.20;

/// A figure by its path; null where there is none.
pub(crate) fn at<'v>(figures: &'v Value, path: &str) -> &'v Value {
    figures.pointer(path).unwrap_or(&Value::Null)
}

/// Adds a figure to an object.
pub(crate) fn set(figures: &mut Value, name: &str, figure: Value) {
    if let Some(object) = figures.as_object_mut() {
        object.insert(name.to_owned(), figure);
    }
}

/// What a bench measured: ours, and where there is one, the peer's and the ratios.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) ours: Value,
    pub(crate) peer: Value,
    pub(crate) ratio: Value,
}

impl From<Value> for Measured {
    /// Our side alone.
    fn from(ours: Value) -> Self {
        Self { ours, peer: Value::Null, ratio: Value::Null }
    }
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
}

/// Runs `bench` between two calibrations on a machine that is described.
pub(crate) fn framed<M: Into<Measured>>(
    id: &str,
    bench: impl FnOnce(&dyn Fn(&str)) -> Result<M, BenchError>,
    say: &dyn Fn(&str),
) -> Result<Value, BenchError> {
    let folder = country::scratch();
    files::make_folder(&folder)?;
    let mut described = machine::describe(&folder);
    say("calibrating …");
    let before = Calibration::take(&folder)?;
    let measured = bench(say);
    say("calibrating …");
    let after = Calibration::take(&folder)?;
    files::remove_folder(&folder);
    let drift = after.drift_from(&before);
    if let Some(machine) = described.as_object_mut() {
        machine.insert("calibration_before".to_owned(), before.json());
        machine.insert("calibration_after".to_owned(), after.json());
        machine.insert("drift".to_owned(), json!((drift * 1_000.0).round() / 1_000.0));
        machine.insert("drift_acceptable".to_owned(), json!(drift <= DRIFT_MAX));
    }
    let Measured { ours, peer, ratio } = measured?.into();
    Ok(json!({
        "id": id,
        "machine": described,
        "ours": ours,
        "peer": peer,
        "ratio": ratio,
        "oracle_errors": 0,
    }))
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

/// Milliseconds at the usual quantiles, to a hundredth.
#[allow(clippy::cast_precision_loss, reason = "microseconds below an hour")]
pub(crate) fn quantiles(times: &Histogram<u64>) -> Value {
    let ms = |us: u64| (us as f64 / 10.0).round() / 100.0;
    json!({
        "p50": ms(times.value_at_quantile(0.5)),
        "p99": ms(times.value_at_quantile(0.99)),
        "p99_9": ms(times.value_at_quantile(0.999)),
        "max": ms(times.max()),
        "count": times.len(),
    })
}

/// `count` per second, to a tenth.
#[allow(clippy::cast_precision_loss, reason = "counts of one run")]
pub(crate) fn per_second(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { (count as f64 / seconds * 10.0).round() / 10.0 } else { 0.0 }
}
