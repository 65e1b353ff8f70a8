//! B5, a change on its way up: register system → CS → prefecture → center, durable at each; beside
//! it the same change through three PostgreSQL clusters joined by logical replication.
//!
//! When the center holds a change is seen in its own store, read beside the running process: what
//! can be read there is committed and synced. The peer commits with `remote_apply` at each hop, so
//! that its client hears of the last tier. Only the latency of ours holds a poll.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use law::code::RecordCode;
use law::time::Date;
use node::ports::ReadError;
use serde_json::json;
use wire::limits::FEED_ROWS_COUNT_MAX;
use wire::{FeedBatch, FeedRow, FeedVerdict, Reply, Request};

use super::cascade::{Cascade, Plain, Wait};
use super::pairs::{Pairs, Side, order, rounded};
use super::people::People;
use super::usage::Usage;
use super::{BenchError, Measured, Options, per_second, quantiles, raise, runtime};
use crate::live::calibration::histogram;
use crate::live::country::{Country, scratch};
use crate::live::keeping::Keeping;
use crate::live::line::Line;
use crate::live::{clock, files, machine, place, postgres};

/// Where people move: 国立市.
const MUNICIPALITY: &str = "132152";
const NODE: &str = "municipality-132152";
const PARTIES: [&str; 5] =
    ["municipality-132152", "prefecture-13", "center", "exchange-13", "exchange-national"];
/// Single changes a second: many counters on a busy day, far from any queue.
const CHANGES_PER_SECOND: u32 = 40;
/// Time between two looks into the center's store.
const LOOK_EVERY: Duration = Duration::from_micros(100);
/// How long one change, or a bulk, may take before the run is void.
const PATIENCE: Duration = Duration::from_secs(120);

/// Figures of one side, over all phases.
struct Sum {
    latency: Histogram<u64>,
    near: Histogram<u64>,
    p50: Pairs,
    p99: Pairs,
    rate: Pairs,
    cpu: Pairs,
}

/// One phase of one side.
struct Phase {
    latency: Histogram<u64>,
    near: Histogram<u64>,
}

/// Runs B5 to its figures.
pub(crate) fn run(options: &Options, say: &dyn Fn(&str)) -> Result<Measured, BenchError> {
    let version = postgres::version()?;
    let mut ours = Ours::new(options, say)?;
    say("three PostgreSQL clusters, joined …");
    let folder = scratch();
    let made = Cascade::make(&folder, &ours.plain());
    let done = made.and_then(|peer| compare(options, &mut ours, peer, say));
    files::remove_folder(&folder);
    let (sides, bulk_changes) = done?;
    let [mine, theirs] = &sides;
    let (p50, p99) = (merged(mine, theirs, |sum| &sum.p50), merged(mine, theirs, |sum| &sum.p99));
    let rate = merged(mine, theirs, |sum| &sum.rate);
    let cpu = merged(mine, theirs, |sum| &sum.cpu);
    let side = |sum: &Sum, side: Side| {
        json!({
            "latency_ms": quantiles(&sum.latency),
            "first_tier_ms": (!sum.near.is_empty()).then(|| quantiles(&sum.near)),
            "changes_per_second": rate.median(side),
            "cpu_seconds_per_1000": cpu.median(side),
        })
    };
    Ok(Measured {
        ours: json!({
            "suite": "default (X25519MLKEM768)",
            "engine": "SQLite, sealed rows, no read index",
            "residents": options.residents,
            "hops": "register system → municipality → prefecture → center, each durable",
            "rate": CHANGES_PER_SECOND,
            "bulk_changes": bulk_changes,
            "client_cpu_seconds": rounded(machine::own_cpu_seconds()),
            "figures": side(mine, Side::Ours),
        }),
        peer: json!({
            "name": "PostgreSQL, cascaded logical replication, remote_apply",
            "version": version,
            "lacks": "sealed rows, mutual TLS, signatures, a verifiable log",
            "configuration": "crates/lab/assets/peer-postgresql.conf",
            "figures": side(theirs, Side::Peer),
        }),
        ratio: json!({
            "times_faster_p50": p50.less(),
            "times_faster_p99": p99.less(),
            "changes_per_second": rate.more(),
            "times_less_cpu": cpu.less(),
        }),
    })
}

/// Both sides' figures in one, for the ratios.
fn merged(ours: &Sum, peer: &Sum, of: fn(&Sum) -> &Pairs) -> Pairs {
    let mut both = of(ours).clone();
    both.take_peer(of(peer));
    both
}

impl Sum {
    fn new() -> Self {
        Self {
            latency: histogram(),
            near: histogram(),
            p50: Pairs::default(),
            p99: Pairs::default(),
            rate: Pairs::default(),
            cpu: Pairs::default(),
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "microseconds below an hour")]
    fn add(&mut self, side: Side, phase: &Phase, rate: f64, cpu: f64) {
        let at = |quantile| phase.latency.value_at_quantile(quantile) as f64;
        self.p50.add(side, at(0.5));
        self.p99.add(side, at(0.99));
        self.rate.add(side, rate);
        self.cpu.add(side, cpu);
        // Histograms of the same bounds always add up.
        let _ = self.latency.add(&phase.latency);
        let _ = self.near.add(&phase.near);
    }
}

/// The pairs: singles, then a bulk, each side in its turn; at the end everybody is compared.
fn compare(
    options: &Options,
    ours: &mut Ours,
    mut peer: Cascade,
    say: &dyn Fn(&str),
) -> Result<([Sum; 2], u32), BenchError> {
    let mut sums = [Sum::new(), Sum::new()];
    let singles = u32::try_from(options.seconds).unwrap_or(1) * CHANGES_PER_SECOND;
    let bulk = options.changes / u32::try_from(super::pairs::PAIRS_COUNT).unwrap_or(1);
    ours.singles(singles / 4)?;
    ours.peer_singles(&mut peer, singles / 4)?;
    for (number, pair) in (1..).zip(order()) {
        for side in pair {
            let [mine, theirs] = &mut sums;
            match side {
                Side::Ours => {
                    let phase = ours.singles(singles)?;
                    let (rate, cpu) = ours.bulk(bulk)?;
                    mine.add(side, &phase, rate, cpu);
                }
                Side::Peer => {
                    let phase = ours.peer_singles(&mut peer, singles)?;
                    let (rate, cpu) = ours.peer_bulk(&mut peer, bulk)?;
                    theirs.add(side, &phase, rate, cpu);
                }
            }
        }
        let [mine, theirs] = &sums;
        let ms = |sum: &Sum, quantile| {
            let micros = u32::try_from(sum.latency.value_at_quantile(quantile)).unwrap_or(u32::MAX);
            rounded(f64::from(micros) / 1_000.0)
        };
        say(&format!(
            "pair {number}: p50 {} ms against {} ms, p99 {} against {}; bulk {:.0}/s against \
                {:.0}/s",
            ms(mine, 0.5),
            ms(theirs, 0.5),
            ms(mine, 0.99),
            ms(theirs, 0.99),
            mine.rate.median(Side::Ours),
            theirs.rate.median(Side::Peer),
        ));
    }
    ours.everybody_stands(&mut peer)?;
    Ok((sums, bulk))
}

/// Our country with a feed, and the peer's changes in the same words.
struct Ours {
    country: Country,
    people: People,
    /// How people stand at the peer: it has changes of its own.
    peer_people: People,
    residents: Vec<usize>,
    feeding: Line,
    center: Keeping,
    runtime: tokio::runtime::Runtime,
    today: Date,
    round: u32,
}

/// Whether the center holds this person as a resident of the municipality.
fn is_here(center: &Keeping, code: &str) -> bool {
    let held = RecordCode::parse(code).ok().and_then(|code| center.reads().resident(&code).ok()?);
    held.is_some_and(|held| !held.removed && held.identity.municipality.as_str() == MUNICIPALITY)
}

fn unread(error: &ReadError) -> BenchError {
    BenchError::Void(error.to_string())
}

impl Ours {
    fn new(options: &Options, say: &dyn Fn(&str)) -> Result<Self, BenchError> {
        let country = raise(options, say)?;
        let file: PathBuf = country.dir.join("residents.csv");
        let (people, peer_people) = (People::read(&file)?, People::read(&file)?);
        let center = Keeping::open(&country, "center")?;
        // The demonstration's story has moved some away: those who are there now can move within.
        let mut residents = people.of(MUNICIPALITY);
        residents.retain(|index| people.plain(*index).is_some_and(|it| is_here(&center, &it.code)));
        let runtime = runtime()?;
        let feeding = runtime.block_on(Line::open(&place::feed(&country.config(NODE))?))?;
        let today = clock::now().date_in_japan();
        let round = 0;
        Ok(Self { country, people, peer_people, residents, feeding, center, runtime, today, round })
    }

    /// The municipality's residents as the peer keeps them.
    fn plain(&self) -> Vec<Plain> {
        self.residents.iter().filter_map(|index| self.people.plain(*index)).collect()
    }

    /// The next residents to move, round after round.
    fn next(&mut self, count: u32) -> Vec<usize> {
        self.round += 1;
        let skip = usize::try_from(self.round).unwrap_or(0) * 97;
        let many = usize::try_from(count).unwrap_or(0);
        self.residents.iter().cycle().skip(skip).take(many).copied().collect()
    }

    fn row(&self, index: usize, place: usize) -> Result<(FeedRow, String), BenchError> {
        let round = self.round * 100 + u32::try_from(place / self.residents.len()).unwrap_or(0);
        let (notice, address) = self.people.moves(index, round, self.today)?;
        Ok((FeedRow { row: 2, sequence: None, notice, former_municipality: None }, address))
    }

    /// Changes one by one at a fixed rate, each followed until the center holds it.
    fn singles(&mut self, count: u32) -> Result<Phase, BenchError> {
        let mut phase = Phase { latency: histogram(), near: histogram() };
        let mut rows = Vec::new();
        for (place, index) in self.next(count).into_iter().enumerate() {
            rows.push((index, self.row(index, place)?));
        }
        let start = clock::monotonic() + Duration::from_millis(5);
        for (number, (index, (row, address))) in (0_u32..).zip(rows) {
            let due = start + Duration::from_secs(1) * number / CHANGES_PER_SECOND;
            clock::sleep_until(due);
            let code = row.notice.record.code;
            let feeding = self.feeding.clone();
            let fed = self.runtime.spawn(async move { feed(&feeding, vec![row]).await });
            let seen = self.arrived(&code, &address)?;
            let near = self.runtime.block_on(fed).map_err(std::io::Error::other)??;
            phase.latency.saturating_record(clock::micros(seen.saturating_duration_since(due)));
            phase.near.saturating_record(clock::micros(near.saturating_duration_since(due)));
            self.people.moved(index, address);
        }
        Ok(phase)
    }

    /// Waits until the center's store holds this person at this address.
    fn arrived(&self, code: &RecordCode, address: &str) -> Result<Instant, BenchError> {
        let until = clock::monotonic() + PATIENCE;
        loop {
            let held = self.center.reads().resident(code).map_err(|error| unread(&error))?;
            if held.is_some_and(|held| held.identity.items.address.expose() == address) {
                return Ok(clock::monotonic());
            }
            if clock::monotonic() > until {
                return Err(BenchError::Void("a change did not reach the center".to_owned()));
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Many changes through one feed, as `jukinet notice` sends a file: batch after batch. Changes
    /// a second until the center holds the last, and CPU seconds for a thousand.
    fn bulk(&mut self, changes: u32) -> Result<(f64, f64), BenchError> {
        let mut rows = Vec::new();
        let mut last = None;
        for (place, index) in self.next(changes).into_iter().enumerate() {
            let (row, address) = self.row(index, place)?;
            last = Some((row.notice.record.code, address.clone()));
            rows.push(row);
            self.people.moved(index, address);
        }
        let before = Usage::read(&self.country, &PARTIES);
        let start = clock::monotonic();
        self.runtime.block_on(async {
            for batch in rows.chunks(FEED_ROWS_COUNT_MAX) {
                feed(&self.feeding, batch.to_vec()).await?;
            }
            Ok::<_, BenchError>(())
        })?;
        if let Some((code, address)) = last {
            self.arrived(&code, &address)?;
        }
        let seconds = start.elapsed().as_secs_f64();
        let spent = Usage::read(&self.country, &PARTIES).spent_since(&before).ours();
        Ok((per_second(u64::from(changes), seconds), spent * 1_000.0 / f64::from(changes.max(1))))
    }

    fn peer_moves(&mut self, count: u32) -> Result<Vec<(String, String)>, BenchError> {
        let mut moves = Vec::new();
        for (place, index) in self.next(count).into_iter().enumerate() {
            let round = self.round * 100 + u32::try_from(place / self.residents.len()).unwrap_or(0);
            let (notice, address) = self.peer_people.moves(index, round, self.today)?;
            self.peer_people.moved(index, address.clone());
            moves.push((notice.record.code.expose().to_owned(), address));
        }
        Ok(moves)
    }

    fn peer_singles(&mut self, peer: &mut Cascade, count: u32) -> Result<Phase, BenchError> {
        let mut phase = Phase { latency: histogram(), near: histogram() };
        let moves = self.peer_moves(count)?;
        let start = clock::monotonic() + Duration::from_millis(5);
        for (number, (code, address)) in (0_u32..).zip(moves) {
            let due = start + Duration::from_secs(1) * number / CHANGES_PER_SECOND;
            clock::sleep_until(due);
            let seen = peer.change(&code, &address)?;
            phase.latency.saturating_record(clock::micros(seen.saturating_duration_since(due)));
        }
        Ok(phase)
    }

    fn peer_bulk(&mut self, peer: &mut Cascade, changes: u32) -> Result<(f64, f64), BenchError> {
        let moves = self.peer_moves(changes)?;
        peer.wait(Wait::Here)?;
        let before = peer.cpu_seconds();
        let start = clock::monotonic();
        for batch in moves.chunks(FEED_ROWS_COUNT_MAX) {
            peer.batch(batch)?;
        }
        if let Some((code, address)) = moves.last() {
            peer.arrived(code, address)?;
        }
        let seconds = start.elapsed().as_secs_f64();
        let spent = peer.cpu_seconds() - before;
        peer.wait(Wait::Everywhere)?;
        Ok((per_second(u64::from(changes), seconds), spent * 1_000.0 / f64::from(changes.max(1))))
    }

    /// Everybody of the municipality at the last tier of each side: the address of the last change.
    fn everybody_stands(&self, peer: &mut Cascade) -> Result<(), BenchError> {
        for index in &self.residents {
            let Some(mine) = self.people.plain(*index) else { continue };
            let code = RecordCode::parse(&mine.code)
                .map_err(|error| BenchError::Residents(error.to_string()))?;
            let held = self.center.reads().resident(&code).map_err(|error| unread(&error))?;
            let [_, _, address, ..] = &mine.cells;
            if held.is_none_or(|held| held.identity.items.address.expose() != address) {
                return Err(BenchError::Void("a resident stands wrongly at the center".to_owned()));
            }
            let Some(theirs) = self.peer_people.plain(*index) else { continue };
            let [_, _, address, ..] = &theirs.cells;
            if peer.address(&theirs.code)?.as_ref() != Some(address) {
                return Err(BenchError::Void("a resident stands wrongly at the peer".to_owned()));
            }
        }
        Ok(())
    }
}

/// Sends rows and takes them as accepted, or says why not.
pub(crate) async fn feed(line: &Line, rows: Vec<FeedRow>) -> Result<Instant, BenchError> {
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
