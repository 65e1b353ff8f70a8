//! Nodes that are killed in the middle of their work, are away, or run out of disk: what was
//! acknowledged is kept, nothing is applied twice, and all tiers end with the same people.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jukinet::clock;
use jukinet::config::load_node;
use jukinet::runner::keys::StoreKeys;
use jukinet::runner::process::store_path;
use jukinet::token_file;
use law::time::Timestamp;
use ledger::entry::{Entry, EntryKind};
use node::ports::Store as _;
use store::SqliteStore;
use wire::NodeId;

use crate::country::{Country, KUNITACHI, Ran, Tool, eventually, people, residents_csv, tool};

const PATIENCE: Duration = Duration::from_secs(60);
/// Enough for several batches, so that a kill falls between them.
const RESIDENTS: u64 = 1_000;
const CITY: &str = "municipality-132152";

fn open(country: &Country, node: &str) -> SqliteStore {
    let config = load_node(&country.made.node(node).unwrap().config).unwrap();
    let token = token_file::open(&config.token).unwrap();
    let keys = StoreKeys(Arc::clone(&token));
    SqliteStore::open_read_only(&store_path(&config), &config.ledger, &keys).unwrap()
}

/// How many notices the entries of this kind in a node's ledger count together.
fn counted(store: &SqliteStore, kind: EntryKind) -> u64 {
    let (mut first, mut sum) = (0, 0);
    loop {
        let entries = store.reads().entries_from(first, 256).unwrap();
        let Some(last) = entries.last() else { return sum };
        first = last.index + 1;
        let parsed = entries.iter().map(|open| Entry::parse(&open.entry).unwrap());
        sum += parsed.filter(|e| e.kind() == kind).map(|e| e.count().unwrap()).sum::<u64>();
    }
}

/// Nothing lost and nothing doubled: what each tier recorded as received is what was sent, and
/// every queue is acknowledged to its end.
fn nothing_lost_or_doubled(country: &Country, sent: u64) {
    let (city, prefecture) = (open(country, CITY), open(country, "prefecture-13"));
    let center = open(country, "center");
    assert_eq!(counted(&city, EntryKind::FeedReceived), sent, "recorded at the municipality");
    assert_eq!(counted(&prefecture, EntryKind::NoticesReceived), sent, "at the prefecture");
    assert_eq!(counted(&center, EntryKind::NoticesReceived), sent, "at the center");
    eventually("every notice is acknowledged", PATIENCE, || {
        let onward = NodeId::parse("prefecture-13").unwrap();
        let last = NodeId::parse("center").unwrap();
        let to_prefecture = open(country, CITY).reads().queue_bounds(&onward).unwrap();
        let to_center = open(country, "prefecture-13").reads().queue_bounds(&last).unwrap();
        (to_prefecture, to_center) == ((sent, sent), (sent, sent))
    });
}

fn wal_bytes(country: &Country, node: &str) -> u64 {
    let data = country.made.node(node).unwrap().folder.join("data");
    fs::metadata(data.join("register.sqlite-wal")).map_or(0, |meta| meta.len())
}

fn feed_file(country: &Country) -> PathBuf {
    country.write("residents.csv", residents_csv(&people(RESIDENTS, KUNITACHI)).as_bytes())
}

/// Feed the residents and kill the node with SIGKILL as soon as it has kept something of them.
fn feed_and_kill(country: &mut Country, victim: &str) -> Ran {
    let file = feed_file(country);
    let quiet = wal_bytes(country, victim);
    let arguments = country.notice_arguments(KUNITACHI, &file);
    let feeding = Tool::start(&arguments.each_ref().map(String::as_str));
    eventually("the first batch is kept", PATIENCE, || {
        std::thread::sleep(Duration::from_millis(1));
        wal_bytes(country, victim) > quiet + 100_000
    });
    country.kill9(victim);
    feeding.finish(PATIENCE)
}

fn killed_in_the_middle(victim: &str) {
    let mut country = Country::with_tiers();
    let fed = feed_and_kill(&mut country, victim);
    // The dead node's files are sound as they lie, and hold a part of the people.
    let dead = country.fsck(victim);
    assert_eq!(dead.code, 0, "{dead:?}");
    let kept = dead.json()["residents"].as_u64().unwrap();
    assert!(kept > 0 && kept < RESIDENTS, "the kill was not in the middle: {kept}");
    if victim == CITY {
        assert_eq!(fed.code, 5, "{fed:?}");
        assert_eq!(fed.json()["rejected"], 0);
        let told = fed.json()["accepted"].as_u64().unwrap();
        assert!(told <= kept, "accepted {told} and kept {kept}");
    } else {
        assert_eq!(fed.code, 0, "a municipality does not wait for others: {fed:?}");
    }
    country.start(victim);
    let again = country.notice(KUNITACHI, &feed_file(&country));
    assert_eq!(again.code, 0, "{again:?}");
    let again = again.json();
    let (accepted, duplicates) = (again["accepted"].as_u64(), again["duplicates"].as_u64());
    assert_eq!(accepted.unwrap() + duplicates.unwrap(), RESIDENTS);
    assert_eq!(duplicates.unwrap(), if victim == CITY { kept } else { RESIDENTS });
    country.await_tiers(KUNITACHI, RESIDENTS);
    nothing_lost_or_doubled(&country, RESIDENTS);
    country.stop_all();
    assert!(country.tiers_equal(KUNITACHI, RESIDENTS), "after a clean stop");
}

#[test]
fn a_center_killed_in_the_middle_of_a_thousand_notices_has_them_all_once() {
    killed_in_the_middle("center");
}

#[test]
fn a_prefecture_killed_in_the_middle_of_a_thousand_notices_has_them_all_once() {
    killed_in_the_middle("prefecture-13");
}

#[test]
fn a_municipality_killed_in_the_middle_of_its_feed_takes_the_same_file_again() {
    killed_in_the_middle(CITY);
}

#[test]
fn what_is_notified_while_the_center_is_down_comes_through_and_inquiries_say_so() {
    let mut country = Country::with_agency();
    let everyone = people(30, KUNITACHI);
    let file = country.write("first.csv", residents_csv(&everyone[..10]).as_bytes());
    assert_eq!(country.notice(KUNITACHI, &file).code, 0);
    country.await_tiers(KUNITACHI, 10);
    let code = ["--code", &everyone[0].code];
    assert_eq!(country.ask(&code).codes(), vec![everyone[0].code.clone()]);
    country.kill9("center");
    for _ in 0..2 {
        let away = country.ask(&code);
        assert_eq!(away.code, 5, "{away:?}");
        assert!(away.took < Duration::from_secs(20), "{:?}", away.took);
        assert!(away.stderr.contains("no answer"), "{away:?}");
        assert_eq!(away.stdout, "");
    }
    let rest = country.write("rest.csv", residents_csv(&everyone[10..]).as_bytes());
    let queued = country.notice(KUNITACHI, &rest);
    assert_eq!((queued.code, queued.json()["accepted"].as_u64()), (0, Some(20)));
    country.start("center");
    country.await_tiers(KUNITACHI, 30);
    let code = ["--code", everyone[29].code.as_str()];
    eventually("the agency finds the center again", PATIENCE, || country.ask(&code).code == 0);
    assert_eq!(country.ask(&code).codes(), vec![everyone[29].code.clone()]);
    nothing_lost_or_doubled(&country, 30);
    // The own server away: the terminal says so at once, and again when it is back.
    country.kill9("agency-1");
    let away = country.ask(&code);
    assert_eq!(away.code, 5, "{away:?}");
    assert!(away.took < Duration::from_secs(5) && away.stderr.contains("agency-1"), "{away:?}");
    country.start("agency-1");
    eventually("the agency's server is back", PATIENCE, || country.ask(&code).code == 0);
}

#[test]
fn an_exchange_that_is_killed_delays_and_loses_nothing() {
    let mut country = Country::with_agency();
    let everyone = people(600, KUNITACHI);
    let file = country.write("all.csv", residents_csv(&everyone).as_bytes());
    country.kill9("exchange-13");
    assert_eq!(country.notice(KUNITACHI, &file).code, 0);
    let code = ["--code", &everyone[599].code];
    assert_eq!(country.ask(&code).codes(), Vec::<String>::new(), "not there yet");
    country.start("exchange-13");
    country.await_tiers(KUNITACHI, 600);
    country.kill9("exchange-national");
    assert_eq!(country.ask(&code).code, 5);
    country.start("exchange-national");
    eventually("the agency is heard again", PATIENCE, || country.ask(&code).code == 0);
    assert_eq!(country.ask(&code).codes(), vec![everyone[599].code.clone()]);
    nothing_lost_or_doubled(&country, 600);
}

/// Ten minutes after the last directory nobody may speak with anybody but the center, which issues
/// the next one: a country that was switched off longer than that comes back by itself.
#[test]
fn a_country_that_slept_for_an_hour_wakes_up_by_itself() {
    let an_hour_ago = Timestamp(clock::now().0 - 3_600_000);
    let mut country = Country::make_at(an_hour_ago);
    let everyone = people(5, KUNITACHI);
    let file = country.write("few.csv", residents_csv(&everyone).as_bytes());
    // Whoever wakes first waits for the others, in whatever order they come.
    for node in ["agency-1", CITY, "exchange-13", "prefecture-13", "center"] {
        country.start(node);
    }
    let code = ["--code", everyone[4].code.as_str()];
    assert_eq!(country.notice(KUNITACHI, &file).code, 0, "its own register needs nobody else");
    let alone = country.ask(&code);
    assert!(alone.code == 5 && alone.stdout.is_empty(), "{alone:?}");
    country.start("exchange-national");
    // Members ask for a new directory every five seconds; they need not wait for the center's
    // minute.
    let woken = Instant::now();
    eventually("the agency is heard", PATIENCE, || country.ask(&code).code == 0);
    assert!(woken.elapsed() < Duration::from_secs(30), "{:?}", woken.elapsed());
    country.await_tiers(KUNITACHI, 5);
    assert_eq!(country.ask(&code).codes(), vec![everyone[4].code.clone()]);
    country.stop_all();
}

/// A mounted memory disk; unmounted when the test ends, however it ends.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None where this user may not mount.
    fn mount(at: &Path, size: &str) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size},mode=0700"), "none"])
            .arg(at)
            .status();
        mounted.is_ok_and(|status| status.success()).then(|| Self(at.to_path_buf()))
    }

    fn resize(&self, size: &str) {
        let option = format!("remount,size={size}");
        let status = Command::new("mount").args(["-o", &option]).arg(&self.0).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the node that writes there may still be ending.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_refuses_by_name_keeps_what_it_said_and_goes_on_when_there_is_room() {
    let mut country = Country::make();
    let data = country.made.node(CITY).unwrap().folder.join("data");
    let directory = fs::read(data.join("directory.signed")).unwrap();
    let Some(disk) = SmallDisk::mount(&data, "800k") else {
        eprintln!("skipped: mounting a small disk needs root");
        return;
    };
    fs::write(data.join("directory.signed"), directory).unwrap();
    country.start_all(&["exchange-national", "exchange-13", "center", "prefecture-13", CITY]);
    let file = feed_file(&country);
    let refused = country.notice(KUNITACHI, &file);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("the record could not be kept"), "{refused:?}");
    let accepted = refused.json()["accepted"].as_u64().unwrap();
    assert!(accepted < RESIDENTS);
    assert!(country.runs(CITY), "{}", country.log(CITY));
    // Whole batches or nothing: exactly what was said to be accepted is there.
    let full = country.fsck(CITY);
    assert_eq!(full.code, 0, "{full:?}");
    assert_eq!(full.json()["residents"].as_u64(), Some(accepted));
    assert!(country.log(CITY).contains("group-given-up"));
    disk.resize("64m");
    let started = Instant::now();
    let again = country.notice(KUNITACHI, &file);
    assert_eq!(again.code, 0, "after {:?}: {again:?}", started.elapsed());
    assert_eq!(again.json()["duplicates"].as_u64(), Some(accepted));
    country.await_tiers(KUNITACHI, RESIDENTS);
    nothing_lost_or_doubled(&country, RESIDENTS);
    country.stop_all();
}

#[test]
fn a_full_disk_under_the_ledger_files_delays_checkpoints_and_loses_no_entry() {
    let mut country = Country::make();
    let folder = country.made.node(CITY).unwrap().folder.clone();
    let Some(disk) = SmallDisk::mount(&folder.join("ledger"), "12k") else {
        eprintln!("skipped: mounting a small disk needs root");
        return;
    };
    country.start_all(&["exchange-national", "exchange-13", "center", "prefecture-13", CITY]);
    let file = feed_file(&country);
    assert_eq!(country.notice(KUNITACHI, &file).code, 0);
    eventually("the log names it", PATIENCE, || country.log(CITY).contains("no checkpoint signed"));
    assert!(country.runs(CITY), "{}", country.log(CITY));
    disk.resize("8m");
    let verified = || {
        let ledger = folder.join("ledger").display().to_string();
        let ran = tool(&["ledger", "verify", "--json", &ledger]);
        (ran.code == 0).then(|| ran.json()["size"].as_u64().unwrap())
    };
    let entries = open(&country, CITY).reads().entries_count().unwrap();
    eventually("every entry is covered", PATIENCE, || verified() >= Some(entries));
    country.await_tiers(KUNITACHI, RESIDENTS);
    country.stop_all();
}
