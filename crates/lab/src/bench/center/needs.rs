//! What a center of so many residents needs of a machine, asked before anything is made. From
//! bytes that were measured (docs/scale.md), with room to spare.

use std::path::Path;

use super::super::BenchError;
use crate::live::{LiveError, files, machine};

/// Rows, index and what a load sets aside on its way, at most, for one resident.
const DISK_BYTES_PER_RESIDENT: u64 = 318;
/// Keys, logs, ledger files and the log of the database, whatever the number.
const DISK_BYTES_BASE: u64 = 400 << 20;
/// The load: parcels, buckets being sorted, page cache. It grows by one bucket of terms.
const MEMORY_BYTES_BASE: u64 = 320 << 20;
const MEMORY_BYTES_PER_RESIDENT: u64 = 2;

/// Refuses a machine that is too small, naming what is needed and what is there.
pub(super) fn check(residents: u64, memory_gib: u32, work: &Path) -> Result<(), BenchError> {
    let disk = files::free_bytes(work);
    let memory = machine::available_bytes();
    let allowed = u64::from(memory_gib) << 30;
    let memory = memory.map_or(allowed, |memory| memory.min(allowed));
    match refusal(residents, disk, memory) {
        None => Ok(()),
        Some(what) => Err(LiveError::Content { path: work.to_path_buf(), what }.into()),
    }
}

fn refusal(residents: u64, disk: Option<u64>, memory: u64) -> Option<String> {
    let disk_needed = residents * DISK_BYTES_PER_RESIDENT + DISK_BYTES_BASE;
    let memory_needed = residents * MEMORY_BYTES_PER_RESIDENT + MEMORY_BYTES_BASE;
    if let Some(disk) = disk.filter(|disk| *disk < disk_needed) {
        let (needed, free) = (gigabytes(disk_needed), gigabytes(disk));
        return Some(format!(
            "{residents} residents need {needed} GB of disk here and {free} GB are free; name \
             another folder with --work, or fewer residents"
        ));
    }
    (memory < memory_needed).then(|| {
        let (needed, free) = (gigabytes(memory_needed), gigabytes(memory));
        format!(
            "{residents} residents need {needed} GB of memory and {free} GB may be used; end \
             something, or name fewer residents"
        )
    })
}

#[allow(clippy::cast_precision_loss, reason = "gigabytes to be read")]
fn gigabytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_is_too_small_is_refused_with_need_and_have() {
        let (enough, memory) = (Some(60_000_000_000), 8 << 30);
        assert_eq!(refusal(126_000_000, enough, memory), None);
        let why = refusal(126_000_000, Some(30_000_000_000), memory).unwrap();
        assert!(why.contains("40.5 GB of disk") && why.contains("30.0 GB are free"), "{why}");
        let why = refusal(126_000_000, enough, 100 << 20).unwrap();
        assert!(why.contains("of memory") && why.contains("0.1 GB"), "{why}");
        assert_eq!(refusal(1_000, None, memory), None);
    }
}
