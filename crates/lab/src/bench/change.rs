//! B5, a change on its way up: register system → CS → prefecture → center, durable at each.
//!
//! The center's own acknowledgement is not visible from outside. So an agency asks the center by
//! code every two milliseconds from the moment the change was due; the first answer that shows the
//! change proves that the center held it. The figure is therefore an upper bound: it holds one
//! inquiry's own way, durable record included, which is told beside it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use law::time::Date;
use node::terminal::Outcome;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use wire::limits::FEED_ROWS_COUNT_MAX;
use wire::{FeedBatch, FeedRow, FeedVerdict, Reply, Request};

use super::load;
use super::people::People;
use super::usage::Usage;
use super::{BenchError, Options, at, per_second, quantiles, raise, runtime};
use crate::live::calibration::histogram;
use crate::live::country::Country;
use crate::live::line::Line;
use crate::live::operator::Operator;
use crate::live::{LiveError, clock, place};

/// Where people move: 国立市.
const MUNICIPALITY: &str = "132152";
const NODE: &str = "municipality-132152";
const PLACE: &str = "agency-1";
const PARTIES: [&str; 5] =
    ["municipality-132152", "prefecture-13", "center", "exchange-13", "exchange-national"];
/// Single changes a second: a counter on a busy day, far from any queue.
const CHANGES_PER_SECOND: u32 = 10;
/// Time between two probes of one change.
const PROBE_EVERY: Duration = Duration::from_millis(2);
/// Probes of one change that may be under way at once: a slow answer must not pile up more of them.
const PROBES_COUNT_MAX: u32 = 4;
/// How long one change may take before the run is void.
const CHANGE_PATIENCE: Duration = Duration::from_secs(20);
/// How long a bulk may take.
const BULK_PATIENCE: Duration = Duration::from_secs(300);
/// Operators that compare everybody after the bulk.
const COMPARERS_COUNT: usize = 64;

struct Bench<'a> {
    country: Country,
    people: People,
    residents: Vec<usize>,
    operator: Arc<Mutex<Operator>>,
    asking: Line,
    feeding: Line,
    runtime: tokio::runtime::Runtime,
    today: Date,
    say: &'a dyn Fn(&str),
}

/// Runs B5 to its figures.
pub(crate) fn run(options: &Options, say: &dyn Fn(&str)) -> Result<Value, BenchError> {
    let country = raise(options, say)?;
    let mut bench = Bench::new(country, say)?;
    bench.singles(1)?;
    let singles = bench.singles(options.seconds)?;
    let bulk = bench.bulk(options.changes)?;
    let compared = bench.compare()?;
    Ok(json!({
        "suite": "default (X25519MLKEM768)",
        "engine": "SQLite, sealed rows, no read index",
        "residents": options.residents,
        "hops": "register system → municipality → prefecture → center, each durable",
        "singles": singles,
        "bulk": bulk,
        "residents_compared": compared,
    }))
}

impl<'a> Bench<'a> {
    fn new(country: Country, say: &'a dyn Fn(&str)) -> Result<Self, BenchError> {
        let people = People::read(&country.dir.join("residents.csv"))?;
        let residents = people.of(MUNICIPALITY);
        let operator = Operator::log_in(country.terminal(PLACE)?)?;
        let runtime = runtime()?;
        let (ask, feed) = (operator.way.clone(), place::feed(&country.config(NODE))?);
        let asking = runtime.block_on(Line::open(&ask))?;
        let feeding = runtime.block_on(Line::open(&feed))?;
        let operator = Arc::new(Mutex::new(operator));
        let today = clock::now().date_in_japan();
        Ok(Self { country, people, residents, operator, asking, feeding, runtime, today, say })
    }

    /// Changes one by one, at a fixed rate.
    fn singles(&mut self, seconds: u64) -> Result<Value, BenchError> {
        let count = usize::try_from(seconds * u64::from(CHANGES_PER_SECOND)).unwrap_or(usize::MAX);
        let count = count.min(self.residents.len());
        let round = u32::try_from(seconds).unwrap_or(u32::MAX);
        let mut changes = Vec::with_capacity(count);
        for index in self.residents.iter().take(count) {
            let (notice, address) = self.people.moves(*index, round, self.today)?;
            let query = self.people.by_code(*index).map(|asked| asked.query);
            let row = FeedRow { row: 2, sequence: None, notice, former_municipality: None };
            changes.push((*index, row, address, query.unwrap_or_default()));
        }
        let before = Usage::read(&self.country, &PARTIES);
        let (tell, mut told) = mpsc::unbounded_channel();
        let probing = Probing {
            operator: Arc::clone(&self.operator),
            asking: self.asking.clone(),
            feeding: self.feeding.clone(),
        };
        let handle = self.runtime.handle().clone();
        let start = clock::monotonic() + Duration::from_millis(20);
        let moved: Vec<(usize, String)> =
            changes.iter().map(|(index, _, address, _)| (*index, address.clone())).collect();
        let pacer = std::thread::spawn(move || {
            for ((_, row, address, query), number) in changes.into_iter().zip(0_u32..) {
                let due = start + Duration::from_secs(1) * number / CHANGES_PER_SECOND;
                clock::sleep_until(due);
                let (tell, probing) = (tell.clone(), probing.clone());
                handle.spawn(async move {
                    let _ = tell.send(probing.follow(due, row, address, query).await);
                });
            }
        });
        let (mut seen, mut acknowledged, mut probe) = (histogram(), histogram(), histogram());
        while let Some(one) = told.blocking_recv() {
            let one = one?;
            seen.saturating_record(clock::micros(one.seen));
            acknowledged.saturating_record(clock::micros(one.acknowledged));
            probe.saturating_record(clock::micros(one.probe));
        }
        let _ = pacer.join();
        let spent = Usage::read(&self.country, &PARTIES).spent_since(&before);
        for (index, address) in moved {
            self.people.moved(index, address);
        }
        let figures = json!({
            "rate": CHANGES_PER_SECOND,
            "municipality_durable_ms": quantiles(&acknowledged),
            "center_seen_ms": quantiles(&seen),
            "of_which_probe_ms": quantiles(&probe),
            "cpu_seconds_per_1000_with_probes": spent.per_thousand(count as u64),
        });
        (self.say)(&format!(
            "single changes: durable at the municipality p50 {} ms; seen at the center p50 {} \
                ms, p99 {} ms (probe p50 {} ms)",
            at(&figures, "/municipality_durable_ms/p50"),
            at(&figures, "/center_seen_ms/p50"),
            at(&figures, "/center_seen_ms/p99"),
            at(&figures, "/of_which_probe_ms/p50")
        ));
        Ok(figures)
    }

    /// Many changes through one feed, as `jukinet notice` sends a file: batch after batch.
    fn bulk(&mut self, changes: u32) -> Result<Value, BenchError> {
        let mut rows = Vec::new();
        let mut last = None;
        let mut round = 1_000;
        let everybody = self.residents.iter().cycle().enumerate();
        for (place, index) in everybody.take(usize::try_from(changes).unwrap_or(0)) {
            round += u32::from(place % self.residents.len().max(1) == 0);
            let (notice, address) = self.people.moves(*index, round, self.today)?;
            rows.push(FeedRow { row: 2, sequence: None, notice, former_municipality: None });
            last = Some((*index, address.clone()));
            self.people.moved(*index, address);
        }
        let Some((index, address)) = last else { return Ok(Value::Null) };
        let query = self.people.by_code(index).map(|asked| asked.query).unwrap_or_default();
        let before = Usage::read(&self.country, &PARTIES);
        let start = clock::monotonic();
        self.runtime.block_on(async {
            for batch in rows.chunks(FEED_ROWS_COUNT_MAX) {
                feed(&self.feeding, batch.to_vec()).await?;
            }
            Ok::<_, BenchError>(())
        })?;
        let fed = start.elapsed().as_secs_f64();
        loop {
            let signed = lock(&self.operator).sign(query.clone())?;
            let (reply, _) = self.runtime.block_on(self.asking.call(signed.request))?;
            match signed.prepared.accept(reply) {
                Ok(Outcome::Answered(answer))
                    if answer.persons.iter().any(|one| People::lives_at(one, &address)) =>
                {
                    break;
                }
                Ok(Outcome::Answered(_) | Outcome::Unavailable(_))
                    if start.elapsed() < BULK_PATIENCE =>
                {
                    std::thread::sleep(Duration::from_millis(5));
                }
                _ => return Err(BenchError::Void("the bulk did not reach the center".to_owned())),
            }
        }
        let held = start.elapsed().as_secs_f64();
        let spent = Usage::read(&self.country, &PARTIES).spent_since(&before);
        let round = |seconds: f64| (seconds * 1_000.0).round() / 1_000.0;
        (self.say)(&format!(
            "{changes} changes: taken by the municipality in {fed:.2} s, held by the center in \
                {held:.2} s"
        ));
        Ok(json!({
            "changes": changes,
            "municipality_seconds": round(fed),
            "municipality_per_second": per_second(u64::from(changes), fed),
            "center_seconds": round(held),
            "center_per_second": per_second(u64::from(changes), held),
            "per_cpu_second": per_second(u64::from(changes), spent.ours()),
            "cpu_seconds_per_1000": spent.per_thousand(u64::from(changes)),
        }))
    }

    /// Everybody of the municipality, asked for by code: the center has the last address of each.
    fn compare(&self) -> Result<u64, BenchError> {
        let mix = self.residents.iter().filter_map(|index| self.people.by_code(*index)).collect();
        let magazine = load::sign_all(&mut lock(&self.operator), mix)?;
        let time = Duration::from_secs(40);
        let lines = [self.asking.clone()];
        let asked = load::closed(&lines, magazine.shots, COMPARERS_COUNT, time);
        let judged = load::judge(&self.people, self.runtime.block_on(asked)?.done);
        if judged.wrong > 0 || judged.answered != self.residents.len() as u64 {
            return Err(BenchError::Void(format!(
                "{} of {} residents are wrong at the center",
                judged.wrong,
                self.residents.len()
            )));
        }
        Ok(judged.answered)
    }
}

fn lock(operator: &Mutex<Operator>) -> std::sync::MutexGuard<'_, Operator> {
    operator.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends rows and takes them as accepted, or says why not.
async fn feed(line: &Line, rows: Vec<FeedRow>) -> Result<Instant, BenchError> {
    let sent = rows.len();
    let (reply, at) = line.call(Request::Feed(FeedBatch { rows })).await?;
    let Reply::FeedResult(outcomes) = reply else {
        return Err(BenchError::Void("the municipality did not take the changes".to_owned()));
    };
    let taken = |outcome: &wire::FeedOutcome| match &outcome.outcome {
        FeedVerdict::Accepted { .. } => None,
        FeedVerdict::Waiting => Some("a change waits for another municipality".to_owned()),
        FeedVerdict::Duplicate => Some("a change was taken for an earlier one".to_owned()),
        FeedVerdict::Rejected { column, rule, .. } => Some(format!("{column}: {rule}")),
    };
    match outcomes.iter().find_map(taken) {
        None if outcomes.len() == sent => Ok(at),
        None => Err(BenchError::Void("rows are missing in the outcome".to_owned())),
        Some(why) => Err(BenchError::Void(why)),
    }
}

/// What one change is followed with.
#[derive(Clone)]
struct Probing {
    operator: Arc<Mutex<Operator>>,
    asking: Line,
    feeding: Line,
}

/// How one change went, from the moment it was due.
struct Followed {
    acknowledged: Duration,
    seen: Duration,
    /// The way of the inquiry that saw it.
    probe: Duration,
}

/// What one probe found.
enum Probe {
    NotYet,
    There { asked: Instant, at: Instant },
    Void(BenchError),
}

impl Probing {
    async fn follow(
        self,
        due: Instant,
        row: FeedRow,
        address: String,
        query: law::query::QueryDraft,
    ) -> Result<Followed, BenchError> {
        let (tell, mut told) = mpsc::unbounded_channel();
        let feeding = self.feeding.clone();
        let fed = tokio::spawn(async move { feed(&feeding, vec![row]).await });
        let mut pace = tokio::time::interval(PROBE_EVERY);
        let mut under_way = 0;
        let (asked, at) = loop {
            tokio::select! {
                _ = pace.tick(), if under_way < PROBES_COUNT_MAX => {
                    under_way += 1;
                    let (probing, tell) = (self.clone(), tell.clone());
                    let (address, query) = (address.clone(), query.clone());
                    tokio::spawn(async move {
                        let _ = tell.send(probing.probe(&address, query).await);
                    });
                }
                Some(probe) = told.recv() => match probe {
                    Probe::There { asked, at } => break (asked, at),
                    Probe::Void(error) => return Err(error),
                    Probe::NotYet if due.elapsed() > CHANGE_PATIENCE => {
                        return Err(BenchError::Void("a change did not arrive".to_owned()));
                    }
                    Probe::NotYet => under_way -= 1,
                },
            }
        };
        let acknowledged = fed.await.map_err(std::io::Error::other)??;
        Ok(Followed {
            acknowledged: acknowledged.saturating_duration_since(due),
            seen: at.saturating_duration_since(due),
            probe: at.saturating_duration_since(asked),
        })
    }

    async fn probe(&self, address: &str, query: law::query::QueryDraft) -> Probe {
        let asked = clock::monotonic();
        match self.ask(query).await {
            Err(error) => Probe::Void(error.into()),
            Ok((Some(person), at)) if People::lives_at(&person, address) => {
                Probe::There { asked, at }
            }
            Ok(_) => Probe::NotYet,
        }
    }

    async fn ask(
        &self,
        query: law::query::QueryDraft,
    ) -> Result<(Option<law::inquiry::ProvidedPerson>, Instant), LiveError> {
        let signed = lock(&self.operator).sign(query)?;
        let (reply, at) = self.asking.call(signed.request).await?;
        match signed.prepared.accept(reply)? {
            Outcome::Answered(answer) => Ok((answer.persons.into_iter().next(), at)),
            _ => Ok((None, at)),
        }
    }
}
