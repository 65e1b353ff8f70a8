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
use wire::limits::FEED_ROWS_COUNT_MAX;
use wire::{FeedBatch, FeedRow, FeedVerdict, Reply, Request};

use super::cascade::{Cascade, Plain, Wait};
use super::harness::Subject;
use super::pairs::{PAIRS_COUNT, Pairs, Side, order, rounded};
use super::people::People;
use super::record::{Gate, Latency, Measured, Oracle, Party, Phase, Ratio};
use super::usage::{Meter, Spent};
use super::{BenchError, Options, SUITE, per_second, raise, runtime};
use crate::live::calibration::histogram;
use crate::live::country::{Country, scratch};
use crate::live::keeping::Keeping;
use crate::live::line::Line;
use crate::live::{clock, files, place, postgres};

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

pub(crate) const SUBJECT: Subject = Subject {
    id: "B5",
    title: "A change on its way to the center",
    question: "How long until a change from the register system is durable at the center, through \
               municipality and prefecture, and how many a second go through?",
};
/// The phases, alike on both sides.
const SINGLES: &str = "single changes, open loop";
const BULK: &str = "bulk through one feed";

/// One side, over all pairs.
struct Sum {
    party: Party,
    latency: Histogram<u64>,
    near: Histogram<u64>,
}

/// Both figures of each pair, by what is compared.
#[derive(Default)]
struct Compared {
    p50: Pairs,
    p99: Pairs,
    rate: Pairs,
    cpu: Pairs,
}

/// Single changes of one side.
struct Singles {
    latency: Histogram<u64>,
    near: Histogram<u64>,
    seconds: f64,
    spent: Spent,
}

/// A bulk of one side.
struct Bulk {
    seconds: f64,
    spent: Spent,
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
    let (mut mine, mut theirs, compared, stand) = done?;
    for (sum, side) in [(&mut mine, Side::Ours), (&mut theirs, Side::Peer)] {
        sum.finish(&compared, side);
    }
    theirs.party.version = Some(version);
    theirs.party.lacks = Some("sealed rows, mutual TLS, signatures, a verifiable log".to_owned());
    theirs.party.configuration = Some(postgres::CONFIGURATION_FILE.to_owned());
    let bulk = options.changes / u32::try_from(PAIRS_COUNT).unwrap_or(1);
    Ok(measured(mine, theirs, &compared, stand)
        .on("engine", "SQLite, sealed rows, no read index")
        .on("suite", SUITE)
        .on("residents", options.residents)
        .on("seed", options.seed)
        .on("hops", "register system → municipality → prefecture → center, each durable")
        .on("rate of single changes", format!("{CHANGES_PER_SECOND} a second"))
        .on("changes of one bulk", bulk)
        .on("CPU by", ours.meter.accounting()))
}

fn measured(mine: Sum, theirs: Sum, compared: &Compared, stand: u64) -> Measured {
    let p50 = Ratio::less("p50", "times faster at p50 to the last tier", &compared.p50);
    let ratios = [
        p50.clone(),
        Ratio::less("p99", "times faster at p99 to the last tier", &compared.p99),
        Ratio::more("bulk", "times more changes a second in bulk", &compared.rate),
        Ratio::less("cpu", "times less CPU for a change in bulk", &compared.cpu),
    ];
    let ours = |id: &str| mine.party.value(id);
    let gates = vec![
        Gate::floor("latency against PostgreSQL, p50", "×", 3.0, p50.map(|ratio| ratio.median)),
        Gate::moonshot("p50 to the center", "ms", 1.0, ours("p50")).at_most(),
        Gate::moonshot("p99 to the center", "ms", 15.0, ours("p99")).at_most(),
        Gate::moonshot("changes through three hops", "/s", 20_000.0, ours("bulk_per_second")),
        Gate::moonshot("44,000 changes caught up", "s", 5.0, None).at_most(),
    ];
    Measured {
        ratios: ratios.into_iter().flatten().collect(),
        gates,
        oracle: Oracle {
            what: "residents of the municipality at the last tier of both sides, by their last \
                   address; each single change is also awaited there"
                .to_owned(),
            compared: stand,
            errors: 0,
        },
        left_out: vec![
            "NATS JetStream and Kafka as peers; 20 municipalities; an outage of 24 hours"
                .to_owned(),
        ],
        ours: mine.party,
        peer: Some(theirs.party),
        ..Measured::default()
    }
}

impl Sum {
    fn new(name: &str) -> Self {
        Self { party: Party::named(name), latency: histogram(), near: histogram() }
    }

    /// Adds one turn of this side.
    fn add(&mut self, side: Side, pair: u32, singles: &Singles, bulk: &Bulk, changes: u32) {
        let operations = singles.latency.len();
        self.party.phases.push(Phase {
            name: SINGLES.to_owned(),
            pair: Some(pair),
            operations,
            seconds: rounded(singles.seconds),
            per_second: None,
            latency: Latency::of(&singles.latency),
            cpu: Some(singles.spent.per_thousand(operations)),
        });
        let operations = u64::from(changes);
        self.party.phases.push(Phase {
            name: BULK.to_owned(),
            pair: Some(pair),
            operations,
            seconds: rounded(bulk.seconds),
            per_second: Some(per_second(operations, bulk.seconds)),
            latency: None,
            cpu: Some(bulk.spent.per_thousand(operations)),
        });
        // Histograms of the same bounds always add up.
        let _ = self.latency.add(&singles.latency);
        let _ = self.near.add(&singles.near);
        debug_assert!(side == Side::Ours || singles.near.is_empty());
    }

    /// The figures over all pairs.
    fn finish(&mut self, compared: &Compared, side: Side) {
        let party = &mut self.party;
        if let Some(latency) = Latency::of(&self.latency) {
            party.figure("p50", "p50 to the last tier", latency.p50, "ms");
            party.figure("p99", "p99 to the last tier", latency.p99, "ms");
            party.figure("p99_9", "p99.9 to the last tier", latency.p99_9, "ms");
        }
        if let Some(near) = Latency::of(&self.near) {
            party.figure("near_p50", "p50, durable at the municipality", near.p50, "ms");
            party.figure("near_p99", "p99, durable at the municipality", near.p99, "ms");
        }
        let rate = compared.rate.median(side);
        party.figure("bulk_per_second", "changes a second in bulk", rate, "/s");
        let cpu = compared.cpu.median(side);
        party.figure("bulk_cpu", "CPU for 1,000 changes in bulk", cpu, "s");
        party.curve(SINGLES, &self.latency);
    }
}

impl Compared {
    #[allow(clippy::cast_precision_loss, reason = "microseconds below an hour")]
    fn add(&mut self, side: Side, singles: &Singles, bulk: &Bulk, changes: u32) {
        let at = |quantile| singles.latency.value_at_quantile(quantile) as f64 / 1_000.0;
        self.p50.add(side, at(0.5));
        self.p99.add(side, at(0.99));
        self.rate.add(side, per_second(u64::from(changes), bulk.seconds));
        self.cpu.add(side, bulk.spent.side() * 1_000.0 / f64::from(changes.max(1)));
    }
}

/// The pairs: singles, then a bulk, each side in its turn; at the end everybody is compared.
fn compare(
    options: &Options,
    ours: &mut Ours,
    mut peer: Cascade,
    say: &dyn Fn(&str),
) -> Result<(Sum, Sum, Compared, u64), BenchError> {
    let mut mine = Sum::new("jukinet");
    let mut theirs = Sum::new("PostgreSQL, cascaded logical replication, remote_apply");
    let mut compared = Compared::default();
    let singles = u32::try_from(options.seconds).unwrap_or(1) * CHANGES_PER_SECOND;
    let bulk = options.changes / u32::try_from(PAIRS_COUNT).unwrap_or(1);
    let meter = Meter::of(peer.processes());
    ours.singles(singles / 4)?;
    ours.peer_singles(&mut peer, &meter, singles / 4)?;
    for (number, pair) in (1..).zip(order()) {
        for side in pair {
            let (one, many, sum) = match side {
                Side::Ours => (ours.singles(singles)?, ours.bulk(bulk)?, &mut mine),
                Side::Peer => {
                    let one = ours.peer_singles(&mut peer, &meter, singles)?;
                    (one, ours.peer_bulk(&mut peer, &meter, bulk)?, &mut theirs)
                }
            };
            compared.add(side, &one, &many, bulk);
            sum.add(side, number, &one, &many, bulk);
            say(&told(number, side, &one, &many, bulk));
        }
    }
    let stand = ours.everybody_stands(&mut peer)?;
    Ok((mine, theirs, compared, stand))
}

fn told(pair: u32, side: Side, singles: &Singles, bulk: &Bulk, changes: u32) -> String {
    let latency = Latency::of(&singles.latency);
    let (p50, p99) = latency.map_or((0.0, 0.0), |latency| (latency.p50, latency.p99));
    let rate = per_second(u64::from(changes), bulk.seconds);
    format!("pair {pair}: {side:?} p50 {p50} ms, p99 {p99} ms; bulk {rate} a second")
}

/// Our country with a feed, and the peer's changes in the same words.
struct Ours {
    /// Runs until it is dropped.
    _country: Country,
    people: People,
    /// How people stand at the peer: it has changes of its own.
    peer_people: People,
    residents: Vec<usize>,
    meter: Meter,
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
        let meter = Meter::of_country(&country, &PARTIES);
        Ok(Self {
            _country: country,
            people,
            peer_people,
            residents,
            meter,
            feeding,
            center,
            runtime,
            today,
            round,
        })
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
    fn singles(&mut self, count: u32) -> Result<Singles, BenchError> {
        let (mut latency, mut near_times) = (histogram(), histogram());
        let mut rows = Vec::new();
        for (place, index) in self.next(count).into_iter().enumerate() {
            rows.push((index, self.row(index, place)?));
        }
        let before = self.meter.read();
        let start = clock::monotonic() + Duration::from_millis(5);
        for (number, (index, (row, address))) in (0_u32..).zip(rows) {
            let due = start + Duration::from_secs(1) * number / CHANGES_PER_SECOND;
            clock::sleep_until(due);
            let code = row.notice.record.code;
            let feeding = self.feeding.clone();
            let fed = self.runtime.spawn(async move { feed(&feeding, vec![row]).await });
            let seen = self.arrived(&code, &address)?;
            let near = self.runtime.block_on(fed).map_err(std::io::Error::other)??;
            latency.saturating_record(clock::micros(seen.saturating_duration_since(due)));
            near_times.saturating_record(clock::micros(near.saturating_duration_since(due)));
            self.people.moved(index, address);
        }
        let (seconds, spent) = (start.elapsed().as_secs_f64(), self.meter.spent_since(&before));
        Ok(Singles { latency, near: near_times, seconds, spent })
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

    /// Many changes through one feed, as `jukinet notice` sends a file: batch after batch, until
    /// the center holds the last.
    fn bulk(&mut self, changes: u32) -> Result<Bulk, BenchError> {
        let mut rows = Vec::new();
        let mut last = None;
        for (place, index) in self.next(changes).into_iter().enumerate() {
            let (row, address) = self.row(index, place)?;
            last = Some((row.notice.record.code, address.clone()));
            rows.push(row);
            self.people.moved(index, address);
        }
        let before = self.meter.read();
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
        Ok(Bulk { seconds, spent: self.meter.spent_since(&before) })
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

    fn peer_singles(
        &mut self,
        peer: &mut Cascade,
        meter: &Meter,
        count: u32,
    ) -> Result<Singles, BenchError> {
        let mut latency = histogram();
        let moves = self.peer_moves(count)?;
        let before = meter.read();
        let start = clock::monotonic() + Duration::from_millis(5);
        for (number, (code, address)) in (0_u32..).zip(moves) {
            let due = start + Duration::from_secs(1) * number / CHANGES_PER_SECOND;
            clock::sleep_until(due);
            let seen = peer.change(&code, &address)?;
            latency.saturating_record(clock::micros(seen.saturating_duration_since(due)));
        }
        let (seconds, spent) = (start.elapsed().as_secs_f64(), meter.spent_since(&before));
        Ok(Singles { latency, near: histogram(), seconds, spent })
    }

    fn peer_bulk(
        &mut self,
        peer: &mut Cascade,
        meter: &Meter,
        changes: u32,
    ) -> Result<Bulk, BenchError> {
        let moves = self.peer_moves(changes)?;
        peer.wait(Wait::Here)?;
        let before = meter.read();
        let start = clock::monotonic();
        for batch in moves.chunks(FEED_ROWS_COUNT_MAX) {
            peer.batch(batch)?;
        }
        if let Some((code, address)) = moves.last() {
            peer.arrived(code, address)?;
        }
        let seconds = start.elapsed().as_secs_f64();
        let spent = meter.spent_since(&before);
        peer.wait(Wait::Everywhere)?;
        Ok(Bulk { seconds, spent })
    }

    /// Everybody of the municipality at the last tier of each side: the address of the last change.
    /// How many were compared.
    fn everybody_stands(&self, peer: &mut Cascade) -> Result<u64, BenchError> {
        let mut stand = 0;
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
            stand += 2;
        }
        Ok(stand)
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
