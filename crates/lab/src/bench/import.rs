//! `bench import`: the first load of a prefecture (up to its own size) or of the center, with what
//! it takes: rows a second, CPU, memory, bytes a resident and bytes of the index. Our side alone.

use std::path::Path;
use std::time::Duration;

use super::harness::Subject;
use super::record::{Measured, Oracle, Party};
use super::{BenchError, Options, at, generated_for};
use crate::live::country::{binary, scratch};
use crate::live::fleet::{self, Fleet};
use crate::live::keeping::Keeping;
use crate::live::{files, loading, place};

/// A prefecture is loaded up to this size, the center beyond it: 東京都 and the whole country.
const PREFECTURE_RESIDENTS_MAX: u64 = 5_000_000;
/// Room for the file, the database and its log, for one resident.
const DISK_BYTES_PER_RESIDENT: u64 = 2_000;

pub(crate) const SUBJECT: Subject = Subject {
    id: "import",
    title: "First load of a register",
    question: "How long does the first load take, and how much disk and memory?",
};

/// Runs one load to its figures.
pub(crate) fn run(options: &Options, say: &dyn Fn(&str)) -> Result<Measured, BenchError> {
    let folder = scratch();
    files::make_folder(&folder)?;
    let measured = load(options, &folder, say);
    files::remove_folder(&folder);
    measured
}

fn load(options: &Options, folder: &Path, say: &dyn Fn(&str)) -> Result<Measured, BenchError> {
    let needed = options.residents * DISK_BYTES_PER_RESIDENT;
    if files::free_bytes(folder).is_some_and(|free| free < needed) {
        let what = format!("{} needs {} MB of disk", folder.display(), needed / 1_000_000);
        return Err(BenchError::Residents(what));
    }
    let (node, area): (_, &[&str]) = if options.residents <= PREFECTURE_RESIDENTS_MAX {
        ("prefecture-13", &["130001"])
    } else {
        ("center", &[])
    };
    say(&format!("making {} residents …", options.residents));
    let file = generated_for(options, folder, area)?;
    let dir = folder.join("country");
    let binary = binary(options.jukinet.as_deref())?;
    fleet::prepare(&binary, &dir, Duration::ZERO)?;
    let fleet = Fleet::new(&binary, &dir);
    say(&format!("loading them into {node} …"));
    let watched = loading::import(&binary, &fleet.config(node), &file)?;
    let taken = at(&watched.answer, "/taken").as_u64().unwrap_or(0);
    if taken != options.residents {
        return Err(BenchError::Void(format!("{taken} of {} were taken", options.residents)));
    }
    let keeping = Keeping::of(node, &fleet.folder(node), place::node_token(&fleet.config(node))?)?;
    let held = keeping.reads().residents_count();
    if held.ok() != Some(taken) {
        return Err(BenchError::Void("the store holds another number of residents".to_owned()));
    }
    let tables = keeping.bytes_by_table()?;
    let bytes = |name: &str| tables.get(name).copied().unwrap_or(0);
    let total: u64 = tables.values().sum();
    let said = |name: &str| at(&watched.answer, name).as_f64().unwrap_or(f64::NAN);
    let mut ours = Party::named("jukinet");
    ours.figure("rows_per_second", "rows a second", said("/rows_per_second"), "rows/s");
    ours.figure("load_seconds", "the load", said("/seconds"), "s");
    ours.figure("seconds", "the whole command, digests included", watched.seconds, "s");
    ours.figure("cpu_seconds", "CPU of the whole command", watched.cpu_seconds, "s");
    ours.figure("peak_mib", "most memory held", watched.peak_mib, "MiB");
    ours.figure("bytes_per_resident", "disk, a resident", ratio(total, taken), "B");
    let rows = ratio(bytes("resident"), taken);
    ours.figure("row_bytes_per_resident", "of these sealed rows", rows, "B");
    let index = ratio(bytes("term"), taken);
    ours.figure("index_bytes_per_resident", "of these index terms", index, "B");
    let oracle = Oracle {
        what: "residents in the file and in the store".to_owned(),
        compared: taken,
        errors: 0,
    };
    let sha256 = at(&watched.answer, "/file_sha256").as_str().unwrap_or_default();
    Ok(Measured { ours, oracle, ..Measured::default() }
        .on("node", node)
        .on("engine", "SQLite, sealed rows, six keyed digests a resident")
        .on("residents", taken)
        .on("seed", options.seed)
        .on("file", format!("{} bytes, SHA-256 {sha256}", files::size(&file).unwrap_or(0))))
}

#[allow(clippy::cast_precision_loss, reason = "bytes and residents of one run")]
fn ratio(bytes: u64, residents: u64) -> f64 {
    bytes as f64 / residents.max(1) as f64
}
