//! Who acts on the day: one register system for each municipality, which files its rows when they
//! are due, and the operators of an agency, who ask when it is time. Each tries again until it is
//! acknowledged, whatever was killed in between.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use node::terminal::Outcome;
use tokio::runtime::Handle;
use wire::{FeedBatch, FeedRow, FeedVerdict, Reply, Request};

use super::super::center::sample::{Question, Right};
use crate::live::calibration::histogram;
use crate::live::clock;
use crate::live::country::TerminalFiles;
use crate::live::line::Line;
use crate::live::operator::Operator;
use crate::live::place::Way;

/// How long one answer is waited for before the session is given up.
const ANSWER_PATIENCE: Duration = Duration::from_secs(6);
/// Time between two tries.
const TRY_EVERY: Duration = Duration::from_millis(40);
/// Rows of one batch: what has come due meanwhile, and no more.
const ROWS_PER_BATCH_COUNT: usize = 64;

/// When the day begins, how long it is, and when nobody waits any longer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hours {
    pub(super) begin: Instant,
    pub(super) length: Duration,
    pub(super) end_of_patience: Instant,
}

impl Hours {
    /// When the n-th of `count` is due.
    fn due(&self, nth: usize, count: usize) -> Instant {
        let share = u32::try_from(nth).unwrap_or(u32::MAX);
        let count = u32::try_from(count.max(1)).unwrap_or(u32::MAX);
        self.begin + self.length / count * share
    }
}

/// A client with one session, opened anew when it breaks.
struct Caller {
    handle: Handle,
    way: Way,
    line: Option<Line>,
}

impl Caller {
    /// A reply, or none: then the session is given up.
    fn call(&mut self, request: Request) -> Option<Reply> {
        let (way, line) = (&self.way, self.line.take());
        let called = self.handle.block_on(async {
            tokio::time::timeout(ANSWER_PATIENCE, async {
                let line = match line {
                    Some(line) => line,
                    None => Line::open(way).await.ok()?,
                };
                let (reply, _) = line.call(request).await.ok()?;
                Some((reply, line))
            })
            .await
        });
        let (reply, line) = called.ok().flatten()?;
        self.line = Some(line);
        Some(reply)
    }
}

/// What came of one actor's day.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) acknowledged: u64,
    /// Tries that were not acknowledged.
    pub(super) again: u64,
    /// From the moment it was due.
    pub(super) times: Histogram<u64>,
    /// Persons told, for who asks.
    pub(super) persons: u64,
    pub(super) refused: u64,
    /// What must never be, in words without a name.
    pub(super) faults: Vec<String>,
}

impl Done {
    pub(super) fn new() -> Self {
        Self {
            acknowledged: 0,
            again: 0,
            times: histogram(),
            persons: 0,
            refused: 0,
            faults: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.acknowledged += other.acknowledged;
        self.again += other.again;
        // Histograms of the same bounds always add up.
        let _ = self.times.add(&other.times);
        self.persons += other.persons;
        self.refused += other.refused;
        self.faults.extend(other.faults);
    }

    fn waits(&mut self, hours: &Hours, who: &str) -> bool {
        self.again += 1;
        if clock::monotonic() > hours.end_of_patience {
            self.faults.push(format!("{who} was not acknowledged to the end"));
            return false;
        }
        std::thread::sleep(TRY_EVERY);
        true
    }
}

/// Files one municipality's rows, each when it is due.
pub(super) fn file(
    handle: &Handle,
    way: Way,
    rows: &[FeedRow],
    hours: Hours,
    filed: &AtomicU64,
) -> Done {
    let mut done = Done::new();
    let who = way.server.to_string();
    let mut caller = Caller { handle: handle.clone(), way, line: None };
    let mut next = 0;
    while let Some(first) = rows.get(next) {
        let due = hours.due(next, rows.len());
        clock::sleep_until(due);
        let now = clock::monotonic();
        let batch: Vec<FeedRow> = std::iter::once(first)
            .chain(rows.iter().skip(next + 1))
            .zip(next..)
            .take(ROWS_PER_BATCH_COUNT)
            .take_while(|(_, nth)| hours.due(*nth, rows.len()) <= now)
            .map(|(row, _)| row.clone())
            .collect();
        let count = batch.len();
        let reply = caller.call(Request::Feed(FeedBatch { rows: batch }));
        let Some(Reply::FeedResult(outcomes)) = reply else {
            if !done.waits(&hours, &who) {
                return done;
            }
            continue;
        };
        for outcome in &outcomes {
            if let FeedVerdict::Rejected { column, rule, .. } = &outcome.outcome {
                done.faults.push(format!("{who}: a row was rejected: {column} {rule}"));
            }
        }
        if outcomes.len() != count || !done.faults.is_empty() {
            done.faults.push(format!("{who}: a batch was not taken as a whole"));
            return done;
        }
        let at = clock::monotonic();
        for nth in next..next + count {
            let elapsed = at.saturating_duration_since(hours.due(nth, rows.len()));
            done.times.saturating_record(clock::micros(elapsed));
        }
        next += count;
        done.acknowledged += count as u64;
        filed.fetch_add(count as u64, Ordering::Relaxed);
    }
    done
}

/// Has one operator ask `count` times along the day, the questions in turn from `first` on.
pub(super) fn ask(
    handle: &Handle,
    files: &TerminalFiles,
    (questions, first, step): (&[Question], usize, usize),
    count: usize,
    hours: Hours,
) -> Done {
    let mut done = Done::new();
    let mut operator = match Operator::log_in(files) {
        Ok(operator) => operator,
        Err(error) => {
            done.faults.push(format!("an operator could not log in: {error}"));
            return done;
        }
    };
    let mut caller = Caller { handle: handle.clone(), way: operator.way.clone(), line: None };
    let asked = questions.iter().cycle().skip(first).step_by(step.max(1));
    for (nth, question) in asked.take(count).enumerate() {
        let due = hours.due(nth, count);
        clock::sleep_until(due);
        loop {
            match once(&mut operator, &mut caller, question) {
                Ok(Some(persons)) => {
                    done.persons += persons;
                    break;
                }
                Ok(None) if done.waits(&hours, "an inquiry") => {}
                Ok(None) => return done,
                Err(what) => {
                    done.faults.push(what);
                    return done;
                }
            }
        }
        done.refused += u64::from(question.right() == Right::Refused);
        done.acknowledged += 1;
        done.times.saturating_record(clock::micros(due.elapsed()));
    }
    done
}

/// One try: how many persons were told, or none where nothing was decided.
fn once(
    operator: &mut Operator,
    caller: &mut Caller,
    question: &Question,
) -> Result<Option<u64>, String> {
    let way = question.way.key();
    let signed = operator.sign(question.query.clone()).map_err(|error| error.to_string())?;
    let Some(reply) = caller.call(signed.request) else { return Ok(None) };
    let outcome = signed.prepared.accept(reply);
    match (question.right(), outcome.map_err(|fault| format!("by {way}: {fault}"))?) {
        (_, Outcome::Unavailable(_)) => Ok(None),
        (Right::Answered, Outcome::Answered(answer)) if question.agrees(&answer.persons) => {
            Ok(Some(answer.persons.len() as u64))
        }
        (Right::Refused, Outcome::Refused(_)) => Ok(Some(0)),
        (_, Outcome::Answered(_)) => Err(format!("by {way}: somebody else was told")),
        (_, Outcome::Refused(refusal)) => Err(format!("by {way}: refused, {}", refusal.rule)),
        _ => Err(format!("by {way}: a reply of another kind")),
    }
}
