//! Load: many operators who each wait for their answer (closed loop), or inquiries that come when
//! they come (open loop). Latencies of the open loop count from the moment an inquiry was due, so a
//! stall is seen by everyone who would have come during it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use node::terminal::{Outcome, Prepared};
use tokio::sync::mpsc;
use wire::Reply;

use super::BenchError;
use super::people::{Asked, People};
use crate::live::calibration::histogram;
use crate::live::line::Line;
use crate::live::operator::{Operator, Signed};
use crate::live::{LiveError, clock};

/// An inquiry signed beforehand, with what must come back.
#[derive(Debug)]
pub(crate) struct Shot {
    signed: Signed,
    expected: Vec<usize>,
}

/// Signed inquiries, and what signing them cost.
pub(crate) struct Magazine {
    pub(crate) shots: Vec<Shot>,
    pub(crate) signing_us: f64,
}

/// Has the card sign every inquiry of a mix. A signature counts for a minute from now.
#[allow(clippy::cast_precision_loss, reason = "counts of one run")]
pub(crate) fn sign_all(operator: &mut Operator, mix: Vec<Asked>) -> Result<Magazine, LiveError> {
    let start = clock::monotonic();
    let mut shots = Vec::with_capacity(mix.len());
    for Asked { query, expected } in mix {
        shots.push(Shot { signed: operator.sign(query)?, expected });
    }
    let signing_us = start.elapsed().as_secs_f64() * 1e6 / (shots.len().max(1) as f64);
    Ok(Magazine { shots, signing_us })
}

impl Judged {
    pub(crate) fn new() -> Self {
        Self { answered: 0, persons: 0, empty: 0, unavailable: 0, wrong: 0, latency: histogram() }
    }
}

/// Someone who can be asked: a session of ours, or the peer's connections.
pub(crate) trait Asker: Clone + Send + Sync + 'static {
    /// An inquiry made beforehand, with what must come back.
    type Shot: Send + 'static;
    /// What came, with what must.
    type Reply: Send + 'static;

    /// Asks, and says when the reply was read.
    fn ask(
        &self,
        shot: Self::Shot,
    ) -> impl Future<Output = Result<(Self::Reply, Instant), LiveError>> + Send;
}

impl Asker for Line {
    type Shot = Shot;
    type Reply = (Prepared, Vec<usize>, Reply);

    async fn ask(&self, shot: Shot) -> Result<(Self::Reply, Instant), LiveError> {
        let Shot { signed: Signed { request, prepared }, expected } = shot;
        let (reply, at) = self.call(request).await?;
        Ok(((prepared, expected, reply), at))
    }
}

/// One reply, as it came.
pub(crate) struct Done<R> {
    pub(crate) reply: R,
    pub(crate) elapsed: Duration,
    at: Instant,
}

impl<R> Done<R> {
    /// A reply that was read at `at`.
    pub(crate) fn new(reply: R, elapsed: Duration, at: Instant) -> Self {
        Self { reply, elapsed, at }
    }
}

/// What came of a phase.
pub(crate) struct Phase<R> {
    pub(crate) seconds: f64,
    pub(crate) done: Vec<Done<R>>,
}

/// What the replies of a phase were worth.
pub(crate) struct Judged {
    pub(crate) answered: u64,
    pub(crate) persons: u64,
    pub(crate) empty: u64,
    pub(crate) unavailable: u64,
    pub(crate) wrong: u64,
    pub(crate) latency: Histogram<u64>,
}

async fn fire<A: Asker>(
    asker: &A,
    shot: A::Shot,
    due: Instant,
) -> Result<Done<A::Reply>, LiveError> {
    let (reply, at) = asker.ask(shot).await?;
    Ok(Done::new(reply, at.saturating_duration_since(due), at))
}

/// `operators` operators, each asking again as soon as it is answered, for `time` or until no
/// signed inquiry is left.
pub(crate) async fn closed<A: Asker>(
    lines: &[A],
    shots: Vec<A::Shot>,
    operators: usize,
    time: Duration,
) -> Result<Phase<A::Reply>, BenchError> {
    let magazine = Arc::new(Mutex::new(shots.into_iter()));
    let start = clock::monotonic();
    let end = start + time;
    let mut working = Vec::with_capacity(operators);
    for line in lines.iter().cycle().take(operators) {
        let (line, magazine) = (line.clone(), Arc::clone(&magazine));
        working.push(tokio::spawn(async move {
            let mut done = Vec::new();
            loop {
                let due = clock::monotonic();
                let next = (due < end)
                    .then(|| magazine.lock().unwrap_or_else(PoisonError::into_inner).next());
                let Some(Some(shot)) = next else { return Ok(done) };
                done.push(fire(&line, shot, due).await?);
            }
        }));
    }
    let mut done = Vec::new();
    for operator in working {
        let share: Result<Vec<Done<A::Reply>>, LiveError> =
            operator.await.map_err(std::io::Error::other)?;
        done.extend(share?);
    }
    Ok(phase(start, done))
}

/// One inquiry every 1/`rate` seconds, whether or not the ones before are answered.
pub(crate) async fn open<A: Asker>(
    lines: &[A],
    shots: Vec<A::Shot>,
    rate: u32,
) -> Result<Phase<A::Reply>, BenchError> {
    let (tell, mut told) = mpsc::unbounded_channel();
    let lines = lines.to_vec();
    let handle = tokio::runtime::Handle::current();
    let start = clock::monotonic() + Duration::from_millis(20);
    let pacer = tokio::task::spawn_blocking(move || {
        for ((shot, line), number) in shots.into_iter().zip(lines.iter().cycle()).zip(0_u32..) {
            let due = start + Duration::from_secs(1) * number / rate;
            clock::sleep_until(due);
            let (line, tell) = (line.clone(), tell.clone());
            handle.spawn(async move {
                let _ = tell.send(fire(&line, shot, due).await);
            });
        }
    });
    let mut done = Vec::new();
    while let Some(one) = told.recv().await {
        done.push(one?);
    }
    pacer.await.map_err(std::io::Error::other)?;
    Ok(phase(start, done))
}

fn phase<R>(start: Instant, done: Vec<Done<R>>) -> Phase<R> {
    let end = done.iter().map(|done| done.at).max().unwrap_or(start);
    Phase { seconds: end.saturating_duration_since(start).as_secs_f64(), done }
}

/// Compares every reply with the oracle.
pub(crate) fn judge(people: &People, done: Vec<Done<<Line as Asker>::Reply>>) -> Judged {
    let mut judged = Judged::new();
    for Done { reply: (prepared, expected, reply), elapsed, .. } in done {
        match prepared.accept(reply) {
            Ok(Outcome::Answered(answer)) => {
                judged.answered += 1;
                judged.persons += answer.persons.len() as u64;
                judged.empty += u64::from(answer.persons.is_empty());
                judged.wrong += u64::from(!people.agrees(&expected, &answer.persons));
                judged.latency.saturating_record(clock::micros(elapsed));
            }
            Ok(Outcome::Unavailable(_)) => judged.unavailable += 1,
            _ => judged.wrong += 1,
        }
    }
    judged
}
