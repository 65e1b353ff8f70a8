//! The way of one file to the server: rows are read, gathered into batches, sent, and their
//! outcomes taken in the order of the file. Nothing is held but the batches under way.

use std::collections::VecDeque;
use std::fmt::Display;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::{JoinError, JoinHandle};
use wire::limits::FEED_ROWS_COUNT_MAX;
use wire::{FeedBatch, FeedRow, FeedVerdict, NodeId, Reply, Request};

use super::progress::{Acknowledged, Progress};
use super::rejects::{Reject, Rejects};
use crate::feed::{FileReading, Row, RowFault, Rows};
use crate::net::{CallFailure, Caller};
use crate::talk::{Exit, Talk};

/// How long one batch may take: it is durable at the CS when it is answered.
const BATCH_PATIENCE: Duration = Duration::from_secs(30);
/// Batches of a list of residents under way at once: its rows do not depend on each other. Changes
/// do, and go one batch at a time: a batch must not be taken when the one before it was not.
const LIST_BATCHES_IN_FLIGHT_MAX: usize = 4;
/// Rejected rows that wait for the answers to the rows before them.
const FAULTS_HELD_COUNT_MAX: usize = 1_000;

/// Why it stopped, and the exit code.
pub(super) type Stopped = (Exit, String);

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) rows: u64,
    pub(super) accepted: u64,
    /// Taken before: the server said so, or it was acknowledged in the run before this one.
    pub(super) duplicates: u64,
    pub(super) waiting: u64,
    pub(super) skipped: u64,
    pub(super) rejected: u64,
}

/// Rows that were read and whose outcome is not all known.
#[derive(Default)]
struct Batch {
    rows: Vec<FeedRow>,
    /// Number and line of each row that is sent.
    lines: Vec<(u32, u64)>,
    faults: Vec<Reject>,
    read: u64,
    skipped: u64,
    last_row: u32,
}

impl Batch {
    fn take(&mut self, row: Row, number: u32, line: u64) {
        self.read += 1;
        self.last_row = number;
        match row {
            Row::Notice(notice) => {
                self.rows.push(notice);
                self.lines.push((number, line));
            }
            Row::Elsewhere => self.skipped += 1,
            Row::Fault { row, fault } => self.faults.push(Reject { row, line, fault }),
        }
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= FEED_ROWS_COUNT_MAX || self.faults.len() >= FAULTS_HELD_COUNT_MAX
    }

    fn line_of(&self, row: u32) -> u64 {
        self.lines.iter().find(|(number, _)| *number == row).map_or(0, |(_, line)| *line)
    }
}

type Answer = Result<Reply, CallFailure>;

/// A batch under way; without an answer to wait for when no row of it was sent.
struct Sent {
    batch: Batch,
    answer: Option<JoinHandle<Answer>>,
}

/// What one batch came to.
#[derive(Default)]
struct Outcomes {
    accepted: u64,
    duplicates: u64,
    waiting: u64,
    rejected: Vec<(u32, RowFault)>,
}

pub(super) struct Journey {
    pub(super) server: NodeId,
    pub(super) caller: Caller,
    pub(super) progress: Progress,
    pub(super) rejects: Rejects,
    /// Where the run before stopped; then, how far this one is.
    pub(super) reached: Acknowledged,
    pub(super) talk: Talk,
}

impl Journey {
    pub(super) fn run(
        mut self,
        file: &Path,
        how: FileReading<'_>,
        counts: &mut Counts,
    ) -> Result<(), Stopped> {
        let usage = |why: &dyn Display| (Exit::Usage, format!("{}: {why}", file.display()));
        let source = File::open(file).map_err(|error| usage(&error))?;
        let bar = bar(source.metadata().map_or(0, |meta| meta.len()), self.talk);
        let rows = Rows::open(bar.wrap_read(source), how).map_err(|error| usage(&error))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| (Exit::Failed, error.to_string()))?;
        self.resume(counts);
        let done = runtime.block_on(self.all(rows, file, &bar, counts));
        bar.finish_and_clear();
        if done.is_ok() {
            self.progress.done();
        } else if let Some(why) = self.progress.write() {
            self.talk.say(why);
        }
        done
    }

    /// What the run before has acknowledged counts as sent before.
    fn resume(&self, counts: &mut Counts) {
        let Acknowledged { row, taken, waiting, skipped, rejected, .. } = self.reached;
        counts.rows = u64::from(row.saturating_sub(1));
        counts.duplicates = taken;
        (counts.waiting, counts.skipped, counts.rejected) = (waiting, skipped, rejected);
    }

    async fn all<R: Read>(
        &mut self,
        mut rows: Rows<'_, R>,
        file: &Path,
        bar: &ProgressBar,
        counts: &mut Counts,
    ) -> Result<(), Stopped> {
        let in_flight_max = if rows.is_list() { LIST_BATCHES_IN_FLIGHT_MAX } else { 1 };
        let before = self.reached.row;
        let rows_before = counts.rows;
        // Made once, so that a Ctrl-C between two answers is not lost.
        let mut interrupt =
            signal(SignalKind::interrupt()).map_err(|error| (Exit::Failed, error.to_string()))?;
        let mut under_way: VecDeque<Sent> = VecDeque::new();
        let mut batch = Batch::default();
        let mut ended = false;
        while !ended {
            match rows.next() {
                None => ended = true,
                // Read again, not sent again: what rows say among themselves needs the whole file.
                Some(Ok(_)) if rows.number() <= before => continue,
                Some(Ok(row)) => {
                    counts.rows += 1;
                    batch.take(row, rows.number(), rows.line());
                }
                Some(Err(error)) => {
                    drain(under_way, counts).await;
                    return Err((Exit::Usage, format!("{}: {error}", file.display())));
                }
            }
            if batch.is_full() || (ended && batch.read > 0) {
                under_way.push_back(self.send(std::mem::take(&mut batch)));
            }
            while under_way.len() >= in_flight_max || (ended && !under_way.is_empty()) {
                let Some(sent) = under_way.pop_front() else { break };
                if let Err(stopped) = self.answered(sent, &mut interrupt, counts).await {
                    drain(under_way, counts).await;
                    return Err(stopped);
                }
                tell(bar, counts.rows, rows_before);
            }
        }
        Ok(())
    }

    fn send(&self, mut batch: Batch) -> Sent {
        let rows = std::mem::take(&mut batch.rows);
        if rows.is_empty() {
            return Sent { batch, answer: None };
        }
        let (caller, server) = (self.caller.clone(), self.server.clone());
        let request = Request::Feed(FeedBatch { rows });
        let call = async move { caller.call(&server, request, BATCH_PATIENCE).await };
        Sent { batch, answer: Some(tokio::spawn(call)) }
    }

    /// Wait for a batch's answer, write its rejected rows and how far the file is.
    async fn answered(
        &mut self,
        sent: Sent,
        interrupt: &mut Signal,
        counts: &mut Counts,
    ) -> Result<(), Stopped> {
        let Sent { batch, answer } = sent;
        let outcomes = match answer {
            None => Outcomes::default(),
            Some(answer) => tokio::select! {
                biased;
                _ = interrupt.recv() => {
                    let row = self.reached.row;
                    let why = format!("stopped behind row {row}; the same command goes on there");
                    return Err((Exit::Failed, why));
                }
                answer = answer => outcomes(answer, batch.lines.len())?,
            },
        };
        outcomes.count(counts);
        let mut rejected = batch.faults.clone();
        rejected.extend(outcomes.rejected.iter().map(|(row, fault)| Reject {
            row: *row,
            line: batch.line_of(*row),
            fault: fault.clone(),
        }));
        // Rows rejected here and rows that the server rejected: told in the file's order.
        rejected.sort_by_key(|reject| reject.row);
        let count = u64::try_from(rejected.len()).unwrap_or(u64::MAX);
        counts.rejected += count - outcomes.rejected_count();
        counts.skipped += batch.skipped;
        let rejects_bytes = self.rejects.append(&rejected).map_err(|why| (Exit::Failed, why))?;
        self.reached.row = batch.last_row;
        self.reached.taken += outcomes.accepted + outcomes.duplicates;
        self.reached.waiting += outcomes.waiting;
        self.reached.skipped += batch.skipped;
        self.reached.rejected += count;
        self.reached.rejects_bytes = rejects_bytes;
        if let Some(why) = self.progress.reached(self.reached) {
            self.talk.say(why);
        }
        Ok(())
    }
}

impl Outcomes {
    fn rejected_count(&self) -> u64 {
        u64::try_from(self.rejected.len()).unwrap_or(u64::MAX)
    }

    fn count(&self, counts: &mut Counts) {
        counts.accepted += self.accepted;
        counts.duplicates += self.duplicates;
        counts.waiting += self.waiting;
        counts.rejected += self.rejected_count();
    }
}

fn outcomes(answer: Result<Answer, JoinError>, sent: usize) -> Result<Outcomes, Stopped> {
    let answer = answer.map_err(|error| (Exit::Failed, error.to_string()))?;
    match answer.map_err(|failure| (Exit::Unreachable, failure.to_string()))? {
        Reply::FeedResult(list) if list.len() == sent => {
            let mut outcomes = Outcomes::default();
            for outcome in list {
                match outcome.outcome {
                    FeedVerdict::Accepted { .. } => outcomes.accepted += 1,
                    FeedVerdict::Duplicate => outcomes.duplicates += 1,
                    FeedVerdict::Waiting => outcomes.waiting += 1,
                    FeedVerdict::Rejected { column, rule, remedy } => {
                        outcomes.rejected.push((outcome.row, RowFault { column, rule, remedy }));
                    }
                }
            }
            Ok(outcomes)
        }
        Reply::Unavailable { reason } => Err((Exit::Failed, format!("not taken: {reason}"))),
        _ => Err((Exit::Failed, "the server broke the protocol".to_owned())),
    }
}

/// Batches behind the one that failed: what the server took of them is counted, so that the report
/// is true. They are sent again with the next run, which is told that they are there already.
async fn drain(under_way: VecDeque<Sent>, counts: &mut Counts) {
    for Sent { batch, answer } in under_way {
        let Some(answer) = answer else { continue };
        if let Ok(outcomes) = outcomes(answer.await, batch.lines.len()) {
            outcomes.count(counts);
        }
    }
}

fn bar(bytes: u64, talk: Talk) -> ProgressBar {
    if !talk.decorate() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40.cyan} {percent:>3}%  {msg}  {eta} left");
    let bar = ProgressBar::new(bytes);
    if let Ok(style) = style { bar.with_style(style) } else { bar }
}

/// Rows so far, and how many of this run a second.
fn tell(bar: &ProgressBar, rows: u64, before: u64) {
    let milliseconds = u64::try_from(bar.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
    let rate = (rows - before).saturating_mul(1_000) / milliseconds;
    bar.set_message(format!("{rows} rows  {rate} rows/s"));
}
