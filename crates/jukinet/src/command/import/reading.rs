//! The reading side of `jukinet import`: rows in, persons out, faults into their file. It decides
//! nothing about what is held: that is the store's.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::SyncSender;

use law::code::RecordCode;
use law::inquiry::{Held, LastChange};
use law::organ::Organ;

use super::{ImportArgs, Stop, named};
use crate::config::NodeConfig;
use crate::disk;
use crate::feed::{FileReading, Profile, Row, RowFault, Rows};
use crate::talk::Exit;

/// Rows that travel together from the reading thread to the writing one.
const ROWS_PER_PARCEL_COUNT: usize = 1_024;
/// Rejected rows that are written down; a file with more is not a residents' file.
const REJECTED_COUNT_MAX: u64 = 1_000_000;
/// Codes that are compared with one another: 16 million take some 300 MB. A code that comes twice
/// beyond them is refused by the store, which ends the load.
const SEEN_COUNT_MAX: usize = 16 << 20;
/// Bytes read at once.
const READ_BYTES: usize = 1 << 20;

/// What the reading thread found.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) rows: u64,
    pub(super) elsewhere: u64,
    pub(super) rejected: u64,
    /// Rows of an earlier, broken run.
    pub(super) kept_before: u64,
}

/// The reading side: rows in, persons out, faults into their file.
pub(super) struct Reading<R> {
    rows: Rows<'static, R>,
    file: PathBuf,
    rejects: Rejects,
    mine: Mine,
    counts: Counts,
    /// Codes of the file so far.
    seen: HashSet<RecordCode>,
    /// Persons that an earlier run has kept: read over.
    skip: u64,
}

/// Whose residents this node keeps.
#[derive(Clone, Copy)]
enum Mine {
    Everybody,
    Of(Organ),
}

impl Mine {
    fn holds(self, held: &Held) -> bool {
        match self {
            Self::Everybody => true,
            Self::Of(Organ::Municipality(own)) => held.identity.municipality == own,
            Self::Of(Organ::Prefecture(own)) => held.identity.municipality.prefecture() == own,
            Self::Of(_) => false,
        }
    }
}

impl<R: Read> Reading<BufReader<R>> {
    pub(super) fn open(
        args: &ImportArgs,
        config: &NodeConfig,
        source: R,
        rejects: &Path,
        skip: u64,
    ) -> Result<Self, Stop> {
        let mine = match config.organ {
            Some(organ @ (Organ::Municipality(_) | Organ::Prefecture(_))) => Mine::Of(organ),
            _ => Mine::Everybody,
        };
        let source = BufReader::with_capacity(READ_BYTES, source);
        let how = FileReading { own: None, profile: Profile::Utf8, characters: None };
        let rows = Rows::open(source, how).map_err(|error| named(&args.file, error))?;
        if !rows.is_list() {
            let why = "holds changes; a first load takes a list of residents without reasons";
            return Err(named(&args.file, why));
        }
        Ok(Self {
            rows,
            file: args.file.clone(),
            rejects: Rejects { path: rejects.to_path_buf(), file: None },
            mine,
            counts: Counts::default(),
            seen: HashSet::new(),
            skip,
        })
    }
}

impl<R: Read> Reading<R> {
    pub(super) fn run(mut self, parcels: &SyncSender<Vec<Held>>) -> Result<Counts, Stop> {
        let mut parcel = Vec::with_capacity(ROWS_PER_PARCEL_COUNT);
        while let Some(row) = self.rows.next() {
            let row = row.map_err(|error| named(&self.file, error))?;
            let Some(held) = self.judge(row)? else { continue };
            parcel.push(held);
            if parcel.len() == ROWS_PER_PARCEL_COUNT {
                // A writer that has failed says why itself.
                if parcels.send(std::mem::take(&mut parcel)).is_err() {
                    return Ok(self.counts);
                }
            }
        }
        if !parcel.is_empty() {
            let _ = parcels.send(parcel);
        }
        self.rejects.finish()?;
        Ok(self.counts)
    }

    fn judge(&mut self, row: Row) -> Result<Option<Held>, Stop> {
        self.counts.rows += 1;
        let (number, notice) = match row {
            Row::Notice(row) => (row.row, row.notice),
            Row::Elsewhere => {
                self.counts.elsewhere += 1;
                return Ok(None);
            }
            Row::Fault { row, fault } => return self.reject(row, &fault),
        };
        if let Err(fault) = notice.check() {
            let remedy = fault.to_string();
            return self.reject(number, &RowFault::new(fault.column(), "not-lawful", &remedy));
        }
        let (reason, on, foreign) = (notice.reason, notice.changed_on, notice.foreign);
        let change = Some(LastChange { reason, on, foreign });
        let held = Held { identity: notice.record, change, removed: false };
        if !self.mine.holds(&held) {
            self.counts.elsewhere += 1;
            return Ok(None);
        }
        if self.seen.len() < SEEN_COUNT_MAX && !self.seen.insert(held.identity.code) {
            let remedy = "one person has one row; take the wrong one out or correct its code";
            return self.reject(number, &RowFault::new("record_code", "twice", remedy));
        }
        if self.skip > 0 {
            self.skip -= 1;
            return Ok(None);
        }
        Ok(Some(held))
    }

    fn reject(&mut self, row: u32, fault: &RowFault) -> Result<Option<Held>, Stop> {
        self.counts.rejected += 1;
        if self.counts.rejected > REJECTED_COUNT_MAX {
            return Err(named(&self.file, "a million rows are rejected; this is another file"));
        }
        self.rejects.add(row, fault)?;
        Ok(None)
    }
}

/// Rejected rows, written as they come; the file is made with the first.
struct Rejects {
    path: PathBuf,
    file: Option<csv::Writer<File>>,
}

impl Rejects {
    fn add(&mut self, row: u32, fault: &RowFault) -> Result<(), Stop> {
        let path = self.path.clone();
        let failed = |error: csv::Error| (Exit::Failed, format!("{}: {error}", path.display()));
        let writer = match &mut self.file {
            Some(writer) => writer,
            none => {
                // Made private, then written through: it may grow with the file.
                disk::write_private(&self.path, b"").map_err(|e| (Exit::Failed, e.to_string()))?;
                let open = File::options().append(true).open(&self.path);
                let open = open.map_err(|error| failed(error.into()))?;
                let mut writer = csv::Writer::from_writer(open);
                writer.write_record(["row", "column", "rule", "remedy"]).map_err(failed)?;
                none.insert(writer)
            }
        };
        let row = row.to_string();
        let path = &self.path;
        writer
            .write_record([&row, &fault.column, &fault.rule, &fault.remedy])
            .map_err(|error| (Exit::Failed, format!("{}: {error}", path.display())))
    }

    fn finish(&mut self) -> Result<(), Stop> {
        let Some(mut writer) = self.file.take() else { return Ok(()) };
        writer.flush().map_err(|error| (Exit::Failed, error.to_string()))
    }
}
