//! `bench import`: the first load of a prefecture (up to its own size) or of the center, with what
//! it takes: rows a second, CPU, memory, bytes a resident and bytes of the index. Our side alone.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::pairs::rounded;
use super::{BenchError, Options, at, generated_for};
use crate::live::country::{binary, scratch};
use crate::live::fleet::{self, Fleet};
use crate::live::keeping::Keeping;
use crate::live::{files, loading, place};

/// A prefecture is loaded up to this size, the center beyond it: 東京都 and the whole country.
const PREFECTURE_RESIDENTS_MAX: u64 = 5_000_000;
/// Room for the file, the database and its log, for one resident.
const DISK_BYTES_PER_RESIDENT: u64 = 2_000;

/// Runs one load to its figures.
pub(crate) fn run(options: &Options, say: &dyn Fn(&str)) -> Result<Value, BenchError> {
    let folder = scratch();
    files::make_folder(&folder)?;
    let measured = load(options, &folder, say);
    files::remove_folder(&folder);
    measured
}

fn load(options: &Options, folder: &Path, say: &dyn Fn(&str)) -> Result<Value, BenchError> {
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
    let each = |bytes: u64| rounded(ratio(bytes, taken));
    let total: u64 = tables.values().sum();
    Ok(json!({
        "node": node,
        "engine": "SQLite, sealed rows, six keyed digests a resident",
        "residents": taken,
        "seed": options.seed,
        "rows_per_second": at(&watched.answer, "/rows_per_second"),
        "load_seconds": at(&watched.answer, "/seconds"),
        "seconds_with_digests": rounded(watched.seconds),
        "cpu_seconds": rounded(watched.cpu_seconds),
        "peak_mib": watched.peak_mib,
        "database_bytes": total,
        "bytes_per_resident": each(total),
        "row_bytes_per_resident": each(bytes("resident")),
        "index_bytes": bytes("term"),
        "index_bytes_per_resident": each(bytes("term")),
        "file_bytes": files::size(&file),
        "file_sha256": at(&watched.answer, "/file_sha256"),
    }))
}

#[allow(clippy::cast_precision_loss, reason = "bytes and residents of one run")]
fn ratio(bytes: u64, residents: u64) -> f64 {
    bytes as f64 / residents.max(1) as f64
}
