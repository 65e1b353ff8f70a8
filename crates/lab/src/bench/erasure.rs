//! B11, erasure of one month's cohort: history rows of twelve months of expiry, of which one has
//! ended. Ours destroys the month's key in the token and removes the rows; PostgreSQL deletes and
//! rewrites the table, or drops the month's partition. Afterwards every file of both sides is
//! searched, as raw bytes, for a name that only the erased rows held.

use std::path::Path;
use std::time::Instant;

use law::change::ChangeReason;
use law::code::{LocalGovernmentCode, RecordCode};
use law::inquiry::{Held, LastChange};
use law::people::{
    Address, BirthDate, FourItems, IdentityInformation, Kana, Name, OtherNames, Sex,
};
use law::time::{Date, Timestamp};
use node::ports::{HistoryRow, Store as _, Write};
use store::{Month, SqliteStore};

use super::harness::Subject;
use super::pairs::{PAIRS_COUNT, Pairs, Side, order, rounded};
use super::record::{Gate, Measured, Oracle, Party, Ratio};
use super::usage::Meter;
use super::{BenchError, Options, per_second};
use crate::live::country::scratch;
use crate::live::postgres::{self, Cluster, Session, version};
use crate::live::{clock, dice, files, machine, vault};

/// The name that only rows of the erased month hold: no table of ours has it.
const CANARY: &str = "鵺鸞鰐麒麟";
/// The name in all other rows.
const OTHER: &str = "試験太郎";
/// Months of expiry over which the rows lie; the first has ended.
const MONTHS: u16 = 12;
const YEAR: u16 = 2026;
/// Earlier states of one person.
const STATES_PER_PERSON: u64 = 12;
/// Rows of one transaction while the rows are made.
const ROWS_PER_COMMIT: u64 = 6_000;

/// One erasure: seconds, CPU seconds, and what a raw scan found afterwards.
struct Erasure {
    seconds: f64,
    cpu: f64,
    found: u64,
}

/// The ways in which the peer gets rid of a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// DELETE and VACUUM FULL on one table.
    Delete,
    /// DROP of the month's partition.
    Drop,
}

pub(crate) const SUBJECT: Subject = Subject {
    id: "B11",
    title: "Erasure of one month's cohort",
    question: "How fast is a month of history erased so that no byte of it can be read again?",
};

/// Runs B11 to its figures.
pub(crate) fn run(options: &Options, say: &dyn Fn(&str)) -> Result<Measured, BenchError> {
    let version = version()?;
    let rows = u64::from(options.changes) / STATES_PER_PERSON * STATES_PER_PERSON;
    let cohort = rows / u64::from(MONTHS);
    let folder = scratch();
    let done = pairs(rows, &folder, say);
    files::remove_folder(&folder);
    let sides = done?;
    let (ours, peer) = (sides.ours(cohort), sides.peer(cohort, version));
    let faster = Ratio::less("delete", "times faster than DELETE and VACUUM FULL", &sides.seconds);
    let median = faster.as_ref().map(|ratio| ratio.median);
    let dropping = Ratio::less("drop", "times faster than DROP of a partition", &sides.dropping);
    let cpu = Ratio::less("cpu", "times less CPU than DELETE and VACUUM FULL", &sides.cpu);
    Ok(Measured {
        ours,
        peer: Some(peer),
        ratios: [faster, dropping, cpu].into_iter().flatten().collect(),
        gates: vec![
            Gate::floor("times faster than PostgreSQL's DELETE and VACUUM FULL", "×", 5.0, median),
            Gate::floor("canaries found in our files", "", 0.0, Some(count(sides.ours_found)))
                .at_most(),
            Gate::moonshot("20 M rows", "s", 30.0, None).at_most(),
        ],
        oracle: Oracle {
            what: "rows of the other months that must be left, ours".to_owned(),
            compared: (rows - cohort) * PAIRS_COUNT as u64,
            errors: 0,
        },
        left_out: vec![
            "service beside the erasure; change of codes; a scan of the raw disk: files are \
             searched"
                .to_owned(),
        ],
        ..Measured::default()
    }
    .on("engine", "SQLite, sealed rows; one key a month, in the token")
    .on("rows", format!("{rows} history rows over {MONTHS} months, {cohort} of them erased")))
}

#[allow(clippy::cast_precision_loss, reason = "counts of one run")]
fn count(number: u64) -> f64 {
    number as f64
}

impl Sides {
    fn ours(&self, cohort: u64) -> Party {
        let mut ours = Party::named("jukinet store");
        let seconds = self.seconds.median(Side::Ours);
        ours.figure("seconds", "erasure", seconds, "s");
        ours.figure("rows_per_second", "rows erased", per_second(cohort, seconds), "rows/s");
        ours.figure("cpu_seconds", "CPU", self.cpu.median(Side::Ours), "s");
        let sealed = "rows sealed into their cohorts before";
        ours.figure("sealed_per_second", sealed, self.sealed, "rows/s");
        ours.figure("canaries", "canaries found in all files", count(self.ours_found), "");
        ours
    }

    fn peer(&self, cohort: u64, version: String) -> Party {
        let mut peer = Party::named("PostgreSQL, DELETE and VACUUM FULL; DROP of a partition");
        peer.version = Some(version);
        let lacks = "sealed rows; a dropped or rewritten file is only given back to the system";
        peer.lacks = Some(lacks.to_owned());
        peer.configuration = Some(postgres::CONFIGURATION_FILE.to_owned());
        let seconds = self.seconds.median(Side::Peer);
        peer.figure("seconds", "DELETE and VACUUM FULL", seconds, "s");
        peer.figure("rows_per_second", "rows erased", per_second(cohort, seconds), "rows/s");
        peer.figure("cpu_seconds", "CPU", self.cpu.median(Side::Peer), "s");
        peer.figure("drop_seconds", "DROP", self.dropping.median(Side::Peer), "s");
        let found = "canaries found after DELETE (log included)";
        peer.figure("canaries", found, count(self.deleted_found), "");
        let found = "canaries found after DROP (log included)";
        peer.figure("drop_canaries", found, count(self.dropped_found), "");
        peer
    }
}

/// Figures of all pairs.
#[derive(Default)]
struct Sides {
    seconds: Pairs,
    dropping: Pairs,
    cpu: Pairs,
    sealed: f64,
    ours_found: u64,
    deleted_found: u64,
    dropped_found: u64,
}

fn pairs(rows: u64, folder: &Path, say: &dyn Fn(&str)) -> Result<Sides, BenchError> {
    let mut sides = Sides::default();
    let mut cluster = Cluster::make(&folder.join("peer"), "")?;
    for (number, pair) in (1..).zip(order()) {
        for side in pair {
            if side == Side::Ours {
                let own = folder.join(format!("ours-{number}"));
                let (erasure, sealed) = ours(&own, rows)?;
                files::remove_folder(&own);
                say(&format!("pair {number}: ours {:.3} s", erasure.seconds));
                sides.seconds.add(side, erasure.seconds);
                sides.dropping.add(side, erasure.seconds);
                sides.cpu.add(side, erasure.cpu);
                sides.ours_found += erasure.found;
                sides.sealed = sealed;
                continue;
            }
            let deleted = peer(&mut cluster, rows, Way::Delete)?;
            let dropped = peer(&mut cluster, rows, Way::Drop)?;
            say(&format!(
                "pair {number}: PostgreSQL delete {:.3} s, drop {:.3} s; canaries left {} and {}",
                deleted.seconds, dropped.seconds, deleted.found, dropped.found
            ));
            sides.seconds.add(side, deleted.seconds);
            sides.dropping.add(side, dropped.seconds);
            sides.cpu.add(side, deleted.cpu);
            sides.deleted_found = sides.deleted_found.max(deleted.found);
            sides.dropped_found = sides.dropped_found.max(dropped.found);
        }
    }
    if sides.ours_found > 0 {
        let what = format!("{} canaries are left in our files", sides.ours_found);
        return Err(BenchError::Void(what));
    }
    Ok(sides)
}

fn odd(error: impl std::fmt::Display) -> BenchError {
    BenchError::Void(error.to_string())
}

fn held(number: u64, name: &str) -> Result<Held, BenchError> {
    let day = Date::parse("2021-01-15").map_err(odd)?;
    Ok(Held {
        identity: IdentityInformation {
            code: RecordCode::from_ten_digits(number).map_err(odd)?,
            items: FourItems {
                name: Name::parse(name).map_err(odd)?,
                kana: Kana::parse("シケン").map_err(odd)?,
                address: Address::parse("東京都国立市富士見台二丁目四十七番地の一").map_err(odd)?,
                sex: Sex::from_code(1).map_err(odd)?,
                birth: BirthDate::parse("1960-04-01").map_err(odd)?,
            },
            municipality: LocalGovernmentCode::parse("132152").map_err(odd)?,
            other_names: OtherNames::default(),
        },
        change: Some(LastChange { reason: ChangeReason::MovedWithin, on: day, foreign: false }),
        removed: false,
    })
}

/// The last day of the `month`-th month, or one within it.
fn within(month: u64) -> Result<Date, BenchError> {
    Date::parse(&format!("{YEAR}-{:02}-20", month + 1)).map_err(odd)
}

/// Persons with twelve earlier states each, one for every month of expiry. Rows a second.
fn fill(store: &mut SqliteStore, rows: u64) -> Result<f64, BenchError> {
    let (start, on) = (clock::monotonic(), within(0)?);
    for person in 0..rows / STATES_PER_PERSON {
        let now = held(person, OTHER)?;
        let code = now.identity.code;
        let mut writes = vec![Write::PutResident(now)];
        for month in 0..STATES_PER_PERSON {
            let before = held(person, if month == 0 { CANARY } else { OTHER })?;
            let reason = ChangeReason::MovedWithin;
            let row = HistoryRow { before, reason, on, recorded_at: Timestamp(1_610_668_800_000) };
            writes.push(Write::AppendHistory { code, row, until: within(month)? });
        }
        store.apply(&writes, &[], &mut dice::fill).map_err(odd)?;
        if ((person + 1) * STATES_PER_PERSON).is_multiple_of(ROWS_PER_COMMIT) {
            store.commit().map_err(odd)?;
        }
    }
    store.commit().map_err(odd)?;
    Ok(per_second(rows, start.elapsed().as_secs_f64()))
}

fn ours(folder: &Path, rows: u64) -> Result<(Erasure, f64), BenchError> {
    let mut store = vault::make(folder)?;
    let sealed = fill(&mut store, rows)?;
    let ended = Month::new(YEAR, 2).ok_or_else(|| odd("no such month"))?;
    let (cpu, start) = (machine::own_cpu_seconds(), clock::monotonic());
    let erased = store.erase_cohorts_before(ended, &mut dice::fill).map_err(odd)?;
    let seconds = start.elapsed().as_secs_f64();
    let cpu = machine::own_cpu_seconds() - cpu;
    let cohort = rows / u64::from(MONTHS);
    if u64::try_from(erased.history).unwrap_or(0) != cohort || erased.cohorts != 1 {
        return Err(odd(format!("{} rows were erased, not {cohort}", erased.history)));
    }
    left(&store, rows)?;
    let found = files::occurrences(folder, CANARY.as_bytes())?;
    Ok((Erasure { seconds, cpu, found }, sealed))
}

/// Everybody has the other eleven states and not the one that was erased.
fn left(store: &SqliteStore, rows: u64) -> Result<(), BenchError> {
    for person in 0..rows / STATES_PER_PERSON {
        let code = RecordCode::from_ten_digits(person).map_err(odd)?;
        let history = store.reads().history(&code, 64).map_err(odd)?;
        let canary = |row: &HistoryRow| row.before.identity.items.name.expose() == CANARY;
        if history.len() as u64 != STATES_PER_PERSON - 1 || history.iter().any(canary) {
            return Err(odd("a person's other states are not all there"));
        }
    }
    Ok(())
}

const COLUMNS: &str = "id bigint NOT NULL, code bigint NOT NULL, name text NOT NULL,
    kana text NOT NULL, address text NOT NULL, sex smallint NOT NULL, birth text NOT NULL,
    municipality text NOT NULL, reason text NOT NULL, changed_on date NOT NULL,
    until date NOT NULL";

fn make_table(session: &mut Session, rows: u64, way: Way) -> Result<(), BenchError> {
    session.run("DROP TABLE IF EXISTS history")?;
    let partition = if way == Way::Drop { "PARTITION BY RANGE (until)" } else { "" };
    session.run(&format!("CREATE TABLE history ({COLUMNS}) {partition}"))?;
    if way == Way::Drop {
        for month in 0..MONTHS {
            let from = format!("{YEAR}-{:02}-01", month + 1);
            session.run(&format!(
                "CREATE TABLE history_{month} PARTITION OF history FOR VALUES FROM ('{from}') TO \
                 ('{from}'::date + interval '1 month')"
            ))?;
        }
    }
    session.run("CREATE INDEX ON history (code, id); CREATE INDEX ON history (until)")?;
    session.run(&format!(
        "INSERT INTO history SELECT n, n / {STATES_PER_PERSON},
            CASE n % {STATES_PER_PERSON} WHEN 0 THEN '{CANARY}' ELSE '{OTHER}' END, 'シケン',
            '東京都国立市富士見台二丁目四十七番地の一', 1, '1960-04-01', '132152', 'moved-within',
            '2021-01-15', make_date({YEAR}, (n % {STATES_PER_PERSON})::int + 1, 20)
         FROM generate_series(0, {rows} - 1) AS n"
    ))?;
    session.run("CHECKPOINT")?;
    Ok(())
}

fn peer(cluster: &mut Cluster, rows: u64, way: Way) -> Result<Erasure, BenchError> {
    let mut session = cluster.session()?;
    make_table(&mut session, rows, way)?;
    let meter = Meter::of(cluster.process().map(|process| ("postgresql", process)));
    let before = meter.read();
    let start: Instant = clock::monotonic();
    match way {
        Way::Delete => {
            session.run(&format!("DELETE FROM history WHERE until < '{YEAR}-02-01'"))?;
            session.run("VACUUM FULL history")?;
        }
        Way::Drop => {
            session.run("DROP TABLE history_0")?;
        }
    }
    // Until here the old files are only forgotten, not given back.
    session.run("CHECKPOINT")?;
    let seconds = start.elapsed().as_secs_f64();
    let cpu = meter.spent_since(&before).side();
    let left = session.number("SELECT count(*) FROM history")?;
    if left != rows - rows / u64::from(MONTHS) {
        return Err(odd(format!("the peer has {left} rows left")));
    }
    let found = files::occurrences(&cluster.data(), CANARY.as_bytes())?;
    Ok(Erasure { seconds: rounded(seconds), cpu, found })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ended_month_is_gone_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (erasure, sealed) = ours(folder.path(), 240).unwrap();
        assert_eq!(erasure.found, 0);
        assert!(sealed > 0.0 && erasure.seconds > 0.0);
    }
}
