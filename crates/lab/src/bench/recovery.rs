//! B8, recovery after `kill -9` under load: a municipality's server with a backlog of changes is
//! killed between two acknowledgements and started again; seconds from its start to the first
//! acknowledged change, and how many acknowledged changes are missing (none may be). Beside it
//! PostgreSQL with the same changes since its last checkpoint.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use law::code::RecordCode;
use wire::FeedRow;
use wire::limits::FEED_ROWS_COUNT_MAX;

use super::cascade::{Plain, TABLES, load};
use super::change::feed;
use super::harness::Subject;
use super::pairs::{PAIRS_COUNT, Pairs, Side, order, rounded};
use super::people::People;
use super::record::{Gate, Measured, Oracle, Party, Ratio};
use super::{BenchError, Options, generated_for, runtime};
use crate::live::country::{binary, scratch};
use crate::live::fleet::{self, Fleet};
use crate::live::keeping::Keeping;
use crate::live::line::Line;
use crate::live::postgres::{self, Cluster, version};
use crate::live::{clock, files, place};

const MUNICIPALITY: &str = "132152";
const NODE: &str = "municipality-132152";
/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Time between two tries of a first change.
const TRY_EVERY: Duration = Duration::from_micros(500);
/// Round of the first change after the start: no earlier one comes so far.
const FIRST_ROUND: u32 = 900_000;
/// Between the kill and the start: the system lets go of the dead processes' memory.
const SETTLE: Duration = Duration::from_millis(300);

pub(crate) const SUBJECT: Subject = Subject {
    id: "B8",
    title: "Recovery after kill -9 under load",
    question: "How long after its start does a killed server take the next change, and is anything \
               that was acknowledged lost?",
};

/// Runs B8 to its figures.
pub(crate) fn run(options: &Options, say: &dyn Fn(&str)) -> Result<Measured, BenchError> {
    let version = version()?;
    let folder = scratch();
    let measured = pairs(options, &folder, say);
    files::remove_folder(&folder);
    let (seconds, residents, backlog) = measured?;
    let label = "start to the first acknowledged change";
    let party = |name: &str, side: Side| {
        let mut party = Party::named(name);
        party.figure("recovery_seconds", label, seconds.median(side), "s");
        party.figure("lost", "acknowledged changes lost", 0.0, "");
        party
    };
    let mut peer = party("PostgreSQL, crash recovery of the same backlog", Side::Peer);
    peer.version = Some(version);
    peer.lacks = Some("sealed rows, a verifiable log".to_owned());
    peer.configuration = Some(postgres::CONFIGURATION_FILE.to_owned());
    let faster = Ratio::less("recovery", "times faster to the first acknowledged change", &seconds);
    let median = faster.as_ref().map(|ratio| ratio.median);
    let ours = party("jukinet municipality", Side::Ours);
    let took = ours.value("recovery_seconds");
    let compared = residents * PAIRS_COUNT * 2;
    Ok(Measured {
        ours,
        peer: Some(peer),
        ratios: faster.into_iter().collect(),
        gates: vec![
            Gate::floor("times faster than PostgreSQL's recovery", "×", 5.0, median),
            Gate::floor("acknowledged changes lost", "", 0.0, Some(0.0)).at_most(),
            Gate::moonshot("recovery after kill -9", "s", 1.0, took).at_most(),
            Gate::moonshot("first answer from exec at 126 M residents", "s", 0.5, None).at_most(),
        ],
        oracle: Oracle {
            what: "residents whose last acknowledged address must stand after the start".to_owned(),
            compared: compared as u64,
            errors: 0,
        },
        left_out: vec![
            "power cut with dropped pages; start at 126 million; a JVM service start".to_owned(),
        ],
        ..Measured::default()
    }
    .on("engine", "SQLite, sealed rows, no read index")
    .on("residents", residents)
    .on("backlog", format!("{backlog} changes since the last checkpoint"))
    .on("seed", options.seed))
}

fn pairs(
    options: &Options,
    folder: &Path,
    say: &dyn Fn(&str),
) -> Result<(Pairs, usize, usize), BenchError> {
    let file = generated_for(options, folder, &[MUNICIPALITY])?;
    let people = People::read(&file)?;
    let backlog = usize::try_from(options.changes).unwrap_or(usize::MAX);
    let dir = folder.join("country");
    let binary = binary(options.jukinet.as_deref())?;
    fleet::prepare(&binary, &dir, Duration::ZERO)?;
    let mut fleet = Fleet::new(&binary, &dir);
    let mut seconds = Pairs::default();
    for (number, pair) in (1..).zip(order()) {
        for side in pair {
            let took = match side {
                Side::Ours => ours(&mut fleet, &people, backlog)?,
                Side::Peer => peer(&folder.join(format!("peer-{number}")), &people, backlog)?,
            };
            say(&format!("pair {number}: {side:?} {took:.3} s"));
            seconds.add(side, took);
        }
    }
    Ok((seconds, people.count(), backlog))
}

/// Changes in the order in which they are sent: everybody is entered, then moves, round by round.
struct Sent {
    rows: Vec<FeedRow>,
    /// Whom each row is about and where it leads.
    leads: Vec<(RecordCode, String)>,
}

fn changes(people: &People, backlog: usize) -> Result<Sent, BenchError> {
    let today = clock::now().date_in_japan();
    let mut sent = Sent { rows: Vec::new(), leads: Vec::new() };
    // One batch more than the backlog: the kill falls into it.
    for place in 0..people.count() + backlog + 40 * FEED_ROWS_COUNT_MAX {
        let index = place % people.count();
        let round = u32::try_from(place / people.count()).unwrap_or(u32::MAX);
        let (notice, address) = match round {
            0 => people.enters(index)?,
            _ => people.moves(index, round, today)?,
        };
        sent.leads.push((notice.record.code, address));
        sent.rows.push(FeedRow { row: 2, sequence: None, notice, former_municipality: None });
    }
    Ok(sent)
}

fn ours(fleet: &mut Fleet, people: &People, backlog: usize) -> Result<f64, BenchError> {
    fleet.wipe(&[NODE])?;
    fleet.start(&[NODE])?;
    let way = place::feed(&fleet.config(NODE))?;
    let runtime = runtime()?;
    let line = runtime.block_on(Line::open(&way))?;
    let Sent { rows, mut leads } = changes(people, backlog)?;
    let (notice, address) = people.moves(0, FIRST_ROUND, clock::now().date_in_japan())?;
    leads.push((notice.record.code, address));
    let first = FeedRow { row: 2, sequence: None, notice, former_municipality: None };
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let wrong = Arc::new(Mutex::new(None));
    let (told, fault) = (Arc::clone(&acknowledged), Arc::clone(&wrong));
    let feeder = runtime.spawn(async move {
        for batch in rows.chunks(FEED_ROWS_COUNT_MAX) {
            match feed(&line, batch.to_vec()).await {
                Ok(_) => told.fetch_add(batch.len(), Ordering::SeqCst),
                Err(BenchError::Live(_)) => return,
                Err(error) => {
                    *fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    return;
                }
            };
        }
    });
    let target = people.count() + backlog;
    let until = clock::monotonic() + PATIENCE * 5;
    while acknowledged.load(Ordering::SeqCst) < target {
        if let Some(error) = wrong.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(error);
        }
        if clock::monotonic() > until {
            return Err(BenchError::Void("the backlog was not taken in time".to_owned()));
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    fleet.kill(NODE);
    let _ = runtime.block_on(feeder);
    std::thread::sleep(SETTLE);
    let start = clock::monotonic();
    fleet.start(&[NODE])?;
    let took = runtime.block_on(first_change(&way, first, start))?;
    let told = acknowledged.load(Ordering::SeqCst);
    let keeping = Keeping::of(NODE, &fleet.folder(NODE), place::node_token(&fleet.config(NODE))?)?;
    let address = |code: &RecordCode| {
        let held = keeping.reads().resident(code).ok().flatten();
        held.map(|held| held.identity.items.address.expose().to_owned())
    };
    nothing_lost(&leads, told, address)?;
    fleet.kill(NODE);
    Ok(took)
}

/// Tries until a new change is acknowledged, and so durable.
async fn first_change(way: &place::Way, row: FeedRow, start: Instant) -> Result<f64, BenchError> {
    loop {
        if let Ok(line) = Line::open(way).await {
            match feed(&line, vec![row.clone()]).await {
                Ok(_) => return Ok(start.elapsed().as_secs_f64()),
                Err(BenchError::Live(_)) => {}
                Err(error) => return Err(error),
            }
        }
        if start.elapsed() > PATIENCE {
            return Err(BenchError::Void("no change was taken after the start".to_owned()));
        }
        tokio::time::sleep(TRY_EVERY).await;
    }
}

/// Everybody stands as the last acknowledged change says, or as one does that was still under way.
fn nothing_lost(
    leads: &[(RecordCode, String)],
    told: usize,
    mut address: impl FnMut(&RecordCode) -> Option<String>,
) -> Result<(), BenchError> {
    let mut last: HashMap<RecordCode, &str> = HashMap::new();
    for (code, address) in leads.iter().take(told) {
        last.insert(*code, address);
    }
    let after = leads.get(told..).unwrap_or_default();
    let mut lost = 0;
    for (code, wanted) in last {
        let found = address(&code).unwrap_or_default();
        let under_way = || after.iter().any(|(of, to)| *of == code && *to == found);
        if found != wanted && !under_way() {
            lost += 1;
        }
    }
    if lost == 0 {
        return Ok(());
    }
    Err(BenchError::Void(format!("{lost} residents lost an acknowledged change")))
}

fn peer(folder: &Path, people: &People, backlog: usize) -> Result<f64, BenchError> {
    let mut cluster = Cluster::make(folder, "")?;
    let mut session = cluster.session()?;
    session.run(TABLES)?;
    let Sent { leads, .. } = changes(people, backlog)?;
    let plain: Vec<Plain> = (0..people.count()).filter_map(|index| people.plain(index)).collect();
    // Entering everybody is part of the backlog here as it is there.
    load(&mut session, &plain)?;
    session.run("PREPARE change (bigint, text) AS SELECT change($1, $2)")?;
    let mut told = people.count();
    let moves = leads.get(told..).unwrap_or_default();
    for batch in moves.chunks(FEED_ROWS_COUNT_MAX) {
        if told >= people.count() + backlog {
            break;
        }
        let mut sql = "BEGIN;".to_owned();
        for (code, address) in batch {
            sql.push_str(&format!("EXECUTE change({}, '{address}');", code.expose()));
        }
        session.run(&(sql + "COMMIT"))?;
        told += batch.len();
    }
    cluster.kill();
    std::thread::sleep(SETTLE);
    let start = clock::monotonic();
    cluster.start()?;
    let mut session = cluster.session()?;
    if let Some((code, address)) = leads.get(told.saturating_sub(1)) {
        session.run(&format!("SELECT change({}, '{address}')", code.expose()))?;
    }
    let took = start.elapsed().as_secs_f64();
    nothing_lost(&leads, told, |code| {
        let sql = format!("SELECT address FROM resident WHERE code = {}", code.expose());
        session.run(&sql).ok()?.into_iter().next()?.into_iter().next().flatten()
    })?;
    drop(session);
    cluster.kill();
    files::remove_folder(folder);
    Ok(rounded(took))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledged_change_that_is_gone_voids_the_run() {
        let code = |number| RecordCode::from_ten_digits(number).unwrap();
        let leads: Vec<(RecordCode, String)> =
            [(1, "a"), (2, "b"), (1, "c"), (2, "d")].map(|(n, to)| (code(n), to.into())).into();
        let stands = |first: &'static str, second: &'static str| {
            nothing_lost(&leads, 3, move |of| {
                Some(if *of == code(1) { first } else { second }.to_owned())
            })
        };
        assert!(stands("c", "b").is_ok());
        assert!(stands("c", "d").is_ok(), "what was under way may have been kept");
        assert!(stands("a", "b").is_err());
        assert!(stands("c", "").is_err());
    }
}
