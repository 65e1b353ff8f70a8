//! A copy of a node's database as one moment had it, made beside the process that writes it.
//!
//! The copy is page by page, so two copies differ only where the database did; what stands in it is
//! sealed as it was. Where copies are kept, and under which key, is not decided here.

use std::path::Path;
use std::time::Duration;

use node::ports::StoreError;
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use crate::places::RESIDENTS_NAME;
use crate::schema::{self, Access, store_error};

/// Pages copied between two reports of progress: 16 MiB of the usual size.
const PAGES_PER_STEP_COUNT: i32 = 4_096;

/// How often a copy is tried again while another process holds the file.
const BUSY_TRIES_COUNT_MAX: u32 = 100;

/// What a copy holds by its own count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Residents who stand.
    pub residents: u64,
    /// Entries of the own ledger.
    pub entries: u64,
}

/// Copy the database at `from` into a new file `to`. `progress` hears pages done and pages in all.
/// Says what the copy counts.
///
/// # Errors
/// When either file cannot be used, or the database stays busy.
pub fn copy_database(
    from: &Path,
    to: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Copied, StoreError> {
    let source = schema::connect(from, Access::ReadOnly)?;
    crate::ledger_files::private_file(to).map_err(crate::ledger_files::io_error)?;
    let mut copy = Connection::open(to).map_err(store_error)?;
    // One read transaction holds one version, however much is written meanwhile.
    source.execute_batch("BEGIN DEFERRED").map_err(store_error)?;
    source.query_row("SELECT count(*) FROM meta", [], |_| Ok(())).map_err(store_error)?;
    let mut busy = 0;
    {
        let backup = Backup::new(&source, &mut copy).map_err(store_error)?;
        loop {
            match backup.step(PAGES_PER_STEP_COUNT).map_err(store_error)? {
                StepResult::Done => break,
                StepResult::More => busy = 0,
                _ if busy < BUSY_TRIES_COUNT_MAX => {
                    busy += 1;
                    std::thread::sleep(Duration::from_millis(50));
                }
                _ => return Err(StoreError::Io("the database stays busy; try again".into())),
            }
            let seen = backup.progress();
            let pages = |count: i32| u64::try_from(count).unwrap_or(0);
            progress(pages(seen.pagecount.saturating_sub(seen.remaining)), pages(seen.pagecount));
        }
    }
    source.execute_batch("COMMIT").map_err(store_error)?;
    let number = |sql: &str, of: &[&str]| -> Result<u64, StoreError> {
        let found = copy.query_row(sql, rusqlite::params_from_iter(of), |row| row.get(0));
        found.map(schema::from_sql).map_err(store_error)
    };
    let copied = Copied {
        residents: number(
            "SELECT coalesce(max(value), 0) FROM counter WHERE name = ?1",
            &[RESIDENTS_NAME],
        )?,
        entries: number("SELECT coalesce(max(idx) + 1, 0) FROM entry", &[])?,
    };
    drop(copy);
    std::fs::File::open(to)
        .and_then(|file| file.sync_all())
        .map_err(crate::ledger_files::io_error)?;
    Ok(copied)
}
