//! The first load of a register: killed in the middle and taken up again, refused by name, and the
//! same population by digest as a load that nobody disturbed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jukinet::config::load_node;
use jukinet::runner::keys::StoreKeys;
use jukinet::runner::process::store_path;
use jukinet::token_file;
use ledger::entry::{Entry, EntryKind};
use nix::sys::signal::Signal;
use node::ports::Store as _;
use store::SqliteStore;

use crate::country::{Country, KUNITACHI, Ran, Tool, eventually, people, residents_csv, tool};

const RESIDENTS: u64 = 20_000;
const PATIENCE: Duration = Duration::from_secs(120);

fn import(country: &Country, node: &str, file: &Path) -> Ran {
    let (config, file) = (country.config(node), file.display().to_string());
    tool(&["import", "--json", "--config", &config, "--file", &file])
}

fn open(country: &Country, node: &str) -> Option<SqliteStore> {
    let config = load_node(&country.made.node(node)?.config).ok()?;
    let token = token_file::open(&config.token).ok()?;
    let keys = StoreKeys(Arc::clone(&token));
    SqliteStore::open_read_only(&store_path(&config), &config.ledger, &keys).ok()
}

/// Count of each entry that records a load.
fn recorded(country: &Country, node: &str) -> Vec<u64> {
    let store = open(country, node).unwrap();
    let entries = store.reads().entries_from(0, 1_000).unwrap();
    let parsed = entries.iter().map(|open| Entry::parse(&open.entry).unwrap());
    let loads = parsed.filter(|entry| entry.kind() == EntryKind::Loaded);
    loads.map(|entry| entry.count().unwrap()).collect()
}

#[test]
fn a_load_killed_in_the_middle_goes_on_and_ends_as_if_nothing_had_been() {
    let country = Country::make();
    let file = country.write("all.csv", residents_csv(&people(RESIDENTS, KUNITACHI)).as_bytes());
    let whole = import(&country, "prefecture-13", &file);
    assert_eq!(whole.code, 0, "{whole:?}");
    assert_eq!(whole.json()["taken"].as_u64(), Some(RESIDENTS));
    let digest = whole.json()["population_digest"].clone();
    assert_eq!(country.fsck("prefecture-13").json()["population_digest"], digest);
    assert_eq!(recorded(&country, "prefecture-13"), [RESIDENTS]);

    let (config, path) = (country.config("center"), file.display().to_string());
    let in_steps = ["import", "--config", &config, "--file", &path, "--commit-every", "500"];
    let loading = Tool::start(&in_steps);
    let mut store = None;
    eventually("a part of the residents is kept", PATIENCE, || {
        store = store.take().or_else(|| open(&country, "center"));
        let held = store.as_ref().and_then(|store| store.reads().residents_count().ok());
        held.is_some_and(|held| held >= 1_000)
    });
    drop(store);
    loading.signal(Signal::SIGKILL);
    loading.finish(PATIENCE);
    let part = country.fsck("center");
    assert_eq!(part.code, 0, "{part:?}");
    let kept = part.json()["residents"].as_u64().unwrap();
    assert!(kept < RESIDENTS && kept.is_multiple_of(500), "not in the middle: {kept}");

    let other = country.write("other.csv", residents_csv(&people(30, KUNITACHI)).as_bytes());
    let refused = import(&country, "center", &other);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("other.csv: another file is half loaded"), "{refused:?}");

    let again = import(&country, "center", &file);
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(again.json()["kept_before"].as_u64(), Some(kept));
    assert_eq!(again.json()["taken"].as_u64(), Some(RESIDENTS - kept));
    assert_eq!(again.json()["population_digest"], digest);
    let fsck = country.fsck("center");
    assert_eq!((fsck.code, &fsck.json()["population_digest"]), (0, &digest), "{fsck:?}");
    assert_eq!(recorded(&country, "center"), [RESIDENTS]);

    let once_more = import(&country, "center", &file);
    assert_eq!(once_more.code, 0, "{once_more:?}");
    assert_eq!(once_more.json()["taken"].as_u64(), Some(0));
    assert_eq!(recorded(&country, "center"), [RESIDENTS], "one load is recorded once");
    let late = import(&country, "center", &other);
    assert_eq!(late.code, 2, "{late:?}");
    assert!(late.stderr.contains("residents are held already"), "{late:?}");
}

#[test]
fn a_running_node_is_not_loaded_and_what_was_loaded_is_found() {
    let mut country = Country::make();
    let everyone = people(40, KUNITACHI);
    let file = country.write("all.csv", residents_csv(&everyone).as_bytes());
    assert_eq!(import(&country, "center", &file).code, 0);
    assert_eq!(import(&country, "prefecture-13", &file).code, 0);
    country.start_all(&["exchange-national", "exchange-13", "center", "agency-1"]);
    let refused = import(&country, "center", &file);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("stop the node first"), "{refused:?}");
    let code = ["--code", everyone[39].code.as_str()];
    eventually("the center answers", PATIENCE, || country.ask(&code).code == 0);
    assert_eq!(country.ask(&code).codes(), vec![everyone[39].code.clone()]);
    country.stop_all();
}

#[test]
fn wrong_rows_are_named_without_a_value_and_the_others_are_loaded() {
    let country = Country::make();
    let mut rows: Vec<String> = people(20, KUNITACHI).iter().map(|each| each.row()).collect();
    rows[4] = rows[4].replacen(',', "x,", 1);
    rows[9] = rows[8].clone();
    rows[14].push_str(",more");
    rows.push(people(1, "202029")[0].row());
    let text = format!("{}\n{}\n", crate::country::HEADER, rows.join("\n"));
    let file = country.write("odd.csv", text.as_bytes());
    let loaded = import(&country, "prefecture-13", &file);
    assert_eq!(loaded.code, 6, "{loaded:?}");
    let report = loaded.json();
    let figures = ["rows", "taken", "rejected", "skipped"].map(|name| report[name].as_u64());
    assert_eq!(figures, [Some(21), Some(17), Some(3), Some(1)], "{loaded:?}");
    let rejects = country.dir().join("odd.rejected.csv");
    assert_eq!(fs::metadata(&rejects).unwrap().permissions().mode() & 0o777, 0o600);
    let told = fs::read_to_string(rejects).unwrap();
    let told: Vec<String> = told
        .lines()
        .skip(1)
        .map(|line| line.split(',').take(3).collect::<Vec<_>>().join(","))
        .collect();
    assert_eq!(told, ["6,record_code,check-digit", "11,record_code,twice", "16,row,field-count"]);
    // A municipality keeps its own people only, and an agency none.
    assert_eq!(import(&country, "municipality-132047", &file).json()["taken"].as_u64(), Some(0));
    assert_eq!(import(&country, "agency-1", &file).code, 2);
}
