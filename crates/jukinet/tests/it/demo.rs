//! `jukinet demo` as its users and scripts see it: what it prints, what it leaves in its folder,
//! that its checks can fail, and that it never leaves a process behind.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::MutexGuard;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use jukinet::demo::people::{EMBEDDED_RESIDENTS, People, contains_any};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::country::{BINARY, Ran, Reaper, Tool, eventually, inquire, processes_of, tool, turn};

const PATIENCE: Duration = Duration::from_secs(240);
/// Residents of each municipality beside those of the dormitory.
const EACH_COUNT: usize = 200;

/// One line of the residents' file, read without any code of the product.
#[derive(Clone, Debug)]
struct Line {
    code: String,
    name: String,
    birth: String,
    municipality: String,
    address: String,
    text: String,
}

fn lines(text: &str) -> Vec<Line> {
    let line = |text: &str| {
        let cells: Vec<&str> = text.split(',').collect();
        Line {
            code: cells[0].to_owned(),
            name: format!("{}\u{3000}{}", cells[1], cells[2]),
            birth: cells[6].to_owned(),
            municipality: cells[7].to_owned(),
            address: cells[8].to_owned(),
            text: text.to_owned(),
        }
    };
    text.lines().skip(1).map(line).collect()
}

/// A folder for one demonstration, with few residents, one crowded address among them.
struct Stage {
    _reaper: Reaper,
    folder: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Stage {
    fn new() -> Self {
        let turn = turn();
        let folder = tempfile::Builder::new().prefix("jukinet-it-demo-").tempdir().unwrap();
        let asset = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/residents-demo.csv.gz");
        let mut text = String::new();
        GzDecoder::new(fs::File::open(asset).unwrap()).read_to_string(&mut text).unwrap();
        let everyone = lines(&text);
        let mut by_address: BTreeMap<&str, usize> = BTreeMap::new();
        everyone.iter().for_each(|line| *by_address.entry(&line.address).or_default() += 1);
        let crowded = by_address.iter().max_by_key(|(_, count)| **count).unwrap().0;
        let mut kept: BTreeMap<&str, usize> = BTreeMap::new();
        let mut few = format!("{}\n", text.lines().next().unwrap());
        for line in &everyone {
            let count = kept.entry(&line.municipality).or_default();
            *count += 1;
            if *count <= EACH_COUNT || line.address == *crowded {
                few.push_str(&line.text);
                few.push('\n');
            }
        }
        fs::write(folder.path().join("few.csv"), few).unwrap();
        Self { _reaper: Reaper(folder.path().to_path_buf()), folder, _turn: turn }
    }

    fn dir(&self) -> PathBuf {
        self.folder.path().join("country")
    }

    /// Start it with few residents; its scratch folders are ours as well.
    fn demo(&self, arguments: &[&str]) -> Tool {
        let population = self.folder.path().join("few.csv");
        let scratch = self.folder.path().join("tmp");
        fs::create_dir_all(&scratch).unwrap();
        let mut command = Command::new(BINARY);
        command.env("TMPDIR", scratch).arg("demo").arg("--population").arg(population);
        Tool::spawn(command.args(arguments))
    }

    fn kept(&self, arguments: &[&str]) -> Tool {
        let dir = self.dir().display().to_string();
        self.demo(&[&["--json", "--dir", &dir], arguments].concat())
    }

    fn summary(&self) -> Option<Value> {
        serde_json::from_slice(&fs::read(self.dir().join("summary.json")).ok()?).ok()
    }

    fn await_raised(&self) -> Value {
        let mut found = None;
        eventually("the residents are loaded", PATIENCE, || {
            found = self.summary();
            found.is_some()
        });
        found.unwrap()
    }

    fn nobody_left(&self) {
        let left = processes_of(self.folder.path());
        assert!(left.is_empty(), "still running: {left:?}");
    }
}

fn check<'a>(document: &'a Value, name: &str) -> &'a Value {
    let checks = document["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no check {name}"))
}

#[test]
fn once_tells_its_story_in_the_shape_that_scripts_rely_on_and_cleans_up() {
    let stage = Stage::new();
    let ran = stage.demo(&["--once", "--json"]).finish(PATIENCE);
    assert_eq!(ran.code, 0, "{ran:?}");
    let document = ran.json();
    let keys: BTreeSet<&str> = document.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = BTreeSet::from(["checks", "nodes", "ready_seconds", "residents", "story"]);
    assert_eq!(keys, expected);
    let nodes = document["nodes"].as_array().unwrap();
    let of = |role: &str| nodes.iter().filter(|node| node["role"] == role).count();
    let roles = ["center", "prefecture", "municipality", "agency", "exchange", "terminal"];
    assert_eq!(roles.map(of), [1, 2, 4, 2, 3, 9]);
    for node in nodes {
        assert!(node["code"].is_string() && node["rss_mib"].as_f64().unwrap() > 1.0, "{node}");
        assert!(node["address"].as_str().unwrap().starts_with("127.0.0.1:"), "{node}");
    }
    let file = fs::read_to_string(stage.folder.path().join("few.csv")).unwrap();
    assert_eq!(document["residents"].as_u64(), Some(file.lines().count() as u64 - 1));
    assert!(document["ready_seconds"].as_f64().unwrap() > 0.1);
    let checks = document["checks"].as_array().unwrap();
    assert!(checks.len() >= 13, "{}", checks.len());
    for check in checks {
        assert!(check["name"].is_string() && !check["detail"].as_str().unwrap().is_empty());
        assert_eq!(check["ok"], true, "{check}");
    }
    for step in document["story"].as_array().unwrap() {
        assert!(step["step"].is_string() && step["outcome"].is_string(), "{step}");
    }
    stage.nobody_left();
    let scratch = fs::read_dir(stage.folder.path().join("tmp")).unwrap().count();
    assert_eq!(scratch, 0, "the scratch folder is removed");
    assert!(ran.stderr.contains("127.0.0.1 only"), "{ran:?}");
}

#[test]
fn a_check_that_does_not_hold_is_named_and_the_exit_says_so() {
    let stage = Stage::new();
    // A clerk's PIN that is wrong from the first query on.
    let running = stage.kept(&["--once"]);
    stage.await_raised();
    fs::write(stage.dir().join("cards/agency-1-clerk.pin"), "000000\n").unwrap();
    let ran = running.finish(PATIENCE);
    assert_eq!(ran.code, 1, "{ran:?}");
    let document = ran.json();
    for name in ["query-by-name-and-birth", "queries-equal-naive-scan", "more-than-50-refused"] {
        assert_eq!(check(&document, name)["ok"], false, "{name}");
        assert_eq!(check(&stage.summary().unwrap(), name)["ok"], false, "{name}");
    }
    assert_eq!(check(&document, "stores-clean-and-tiers-equal")["ok"], true);
    assert_eq!(check(&document, "stops-cleanly")["ok"], true);
    stage.nobody_left();
    // A second country does not go on top of the first.
    let refused = stage.kept(&["--once"]).finish(PATIENCE);
    assert!(refused.code != 0 && refused.stderr.contains("already holds a country"), "{refused:?}");
}

#[test]
fn a_smaller_population_has_people_everywhere_and_one_too_small_is_said_at_once() {
    let everyone = People::embedded(EMBEDDED_RESIDENTS).unwrap();
    assert_eq!(everyone.lines.len() as u64, EMBEDDED_RESIDENTS);
    for count in [300, 1_000, 19_999] {
        let few = People::embedded(count).unwrap();
        assert_eq!(few.lines.len() as u64, count);
        let codes: BTreeSet<&str> = few.lines.iter().map(|line| line.code.as_str()).collect();
        assert_eq!(codes.len() as u64, count, "nobody twice");
        for municipality in ["132152", "132047", "202029", "202207"] {
            assert!(few.plain(municipality).is_some(), "{count}: nobody of {municipality}");
        }
        assert!(few.crowded().is_some(), "{count}: no crowd");
    }
    let started = Instant::now();
    for count in ["0", "20001"] {
        let ran = tool(&["demo", "--once", "--residents", count]);
        assert!(ran.code == 2 && ran.stderr.contains("more"), "{ran:?}");
    }
    assert!(started.elapsed() < Duration::from_secs(10));
}

fn pid_of(summary: &Value, node: &str) -> Pid {
    let nodes = summary["nodes"].as_array().unwrap();
    let found = nodes.iter().find(|each| each["node"] == node).unwrap();
    Pid::from_raw(i32::try_from(found["pid"].as_i64().unwrap()).unwrap())
}

#[test]
fn a_process_killed_during_the_story_is_noticed() {
    let stage = Stage::new();
    let running = stage.kept(&["--once"]);
    let summary = stage.await_raised();
    kill(pid_of(&summary, "prefecture-13"), Signal::SIGKILL).unwrap();
    let ran = running.finish(PATIENCE);
    assert_eq!(ran.code, 1, "{ran:?}");
    let document = ran.json();
    assert_eq!(check(&document, "municipality-asks-prefecture-and-center")["ok"], false);
    assert_eq!(check(&document, "resident-opens-timeline")["ok"], false);
    assert_eq!(check(&document, "stops-cleanly")["ok"], false);
    assert_eq!(check(&document, "wrong-card-refused")["ok"], true);
    stage.nobody_left();
}

#[test]
fn a_demonstration_that_is_ended_while_it_is_raised_leaves_nobody_behind() {
    let stage = Stage::new();
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let running = stage.demo(&["--json"]);
        eventually("its processes run", PATIENCE, || processes_of(stage.folder.path()).len() > 10);
        running.signal(signal);
        let started = Instant::now();
        let ended = running.finish(PATIENCE);
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{ended:?}");
        assert!(started.elapsed() < Duration::from_secs(30));
        eventually("all have ended", Duration::from_secs(15), || {
            processes_of(stage.folder.path()).is_empty()
        });
        assert_eq!(fs::read_dir(stage.folder.path().join("tmp")).unwrap().count(), 0);
    }
}

/// What a clerk may find for these keys, by going through the file.
fn scan(people: &[Line], keys: &[&str], prefix: bool) -> Vec<String> {
    let plain = |text: &str| text.replace('\u{3000}', "");
    let fits = |line: &&Line| match *keys {
        ["--code", code] => line.code == code,
        ["--name", name, "--birth", birth] => {
            let (own, name) = (plain(&line.name), plain(name));
            line.birth == birth && if prefix { own.starts_with(&name) } else { own == name }
        }
        ["--name", name, "--address", address] => {
            let (own, name) = (plain(&line.name), plain(name));
            if prefix {
                own.starts_with(&name) && line.address == address
                    || own == name && line.address.starts_with(address)
            } else {
                own == name && line.address == address
            }
        }
        _ => panic!("{keys:?}"),
    };
    let mut codes: Vec<String> = people.iter().filter(fits).map(|line| line.code.clone()).collect();
    codes.sort();
    codes
}

struct Desk {
    config: PathBuf,
    card: PathBuf,
    affair: String,
}

impl Desk {
    fn of(summary: &Value, place: &str) -> Self {
        let terminals = summary["terminals"].as_array().unwrap();
        let terminal = terminals.iter().find(|each| each["place"] == place).unwrap();
        let path = |key: &str| PathBuf::from(terminal[key].as_str().unwrap());
        let affairs = terminal["affairs"].as_array().unwrap();
        let affair = affairs.first().map_or("", |affair| affair.as_str().unwrap()).to_owned();
        Self { config: path("config"), card: path("card"), affair }
    }

    fn ask(&self, keys: &[&str], prefix: bool) -> Ran {
        let mut keys = keys.to_vec();
        keys.extend(prefix.then_some("--prefix"));
        inquire(&self.config, &self.card, &self.affair, &keys)
    }
}

fn layout(stage: &Stage, summary: &Value) {
    let dir = stage.dir();
    for node in summary["nodes"].as_array().unwrap() {
        for key in ["role", "code", "address"] {
            assert!(node[key].is_string(), "{key}: {node}");
        }
        let pid = node["pid"].as_u64().unwrap();
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
        assert!(String::from_utf8_lossy(&line).contains("serve"), "{node}");
    }
    for terminal in summary["terminals"].as_array().unwrap() {
        let place = terminal["place"].as_str().unwrap();
        let config = dir.join(format!("terminals/{place}.toml"));
        assert_eq!(terminal["config"].as_str().unwrap(), config.display().to_string());
        let card = terminal["card"].as_str().unwrap();
        assert!(card.starts_with(&dir.join(format!("cards/{place}-")).display().to_string()));
        assert_eq!(terminal["pin"].as_str().unwrap(), card.replace(".card", ".pin"));
        assert!(Path::new(card).is_file() && terminal["affairs"].is_array(), "{terminal}");
    }
    let mut names: Vec<String> = fs::read_dir(dir.join("nodes"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names.len(), 12, "{names:?}");
    for name in names {
        let node = dir.join("nodes").join(name);
        for file in ["config.toml", "data", "ledger/checkpoint", "ledger/tile", "ledger.vkey"] {
            assert!(node.join(file).exists(), "{file} in {}", node.display());
        }
    }
    let residents = fs::read_to_string(dir.join("residents.csv")).unwrap();
    assert_eq!(
        residents.lines().next().unwrap(),
        "record_code,family_name,given_name,family_kana,given_kana,sex,birth,municipality_code,\
         address,household_id,relationship,nationality,alternative_name"
    );
    assert_eq!(residents.lines().count() as u64 - 1, summary["residents"].as_u64().unwrap());
}

/// All shapes of all keys about people from all over the file.
fn answers_equal_a_scan(desk: &Desk, people: &[Line]) {
    let start = |text: &str, count: usize| text.chars().take(count).collect::<String>();
    // The story's newcomer, the last of 国立市, has moved meanwhile.
    let moved = people.iter().rev().find(|line| line.municipality == "132152");
    let moved = moved.map(|line| &line.code);
    let people_kept = people.iter().filter(|line| Some(&line.code) != moved);
    for line in people_kept.step_by(people.len() / 7) {
        let (code, name, birth, address) = (&line.code, &line.name, &line.birth, &line.address);
        let initial = start(name, 1);
        let town = start(address, address.chars().count() - 3);
        let shapes: [(&[&str], bool); 7] = [
            (&["--code", code], false),
            (&["--name", name, "--birth", birth], false),
            (&["--name", name, "--address", address], false),
            (&["--name", &initial, "--birth", birth], true),
            (&["--name", &initial, "--address", address], true),
            (&["--name", name, "--address", &town], true),
            (&["--name", name, "--birth", "1905-01-02"], false),
        ];
        for (keys, prefix) in shapes {
            let expected = scan(people, keys, prefix);
            let ran = desk.ask(keys, prefix);
            if expected.len() > 50 {
                assert_eq!((ran.code, ran.rule().as_str()), (4, "more-than-50"), "{ran:?}");
            } else {
                assert_eq!(ran.code, 0, "{ran:?}");
                assert_eq!(ran.codes(), expected, "{keys:?} {prefix}");
            }
        }
    }
}

fn refusals_are_named(desk: &Desk, people: &[Line]) {
    let line = &people[3];
    let town = "東京都三鷹市";
    let cases: [(&[&str], bool, &str); 6] = [
        (&["--code", "12345678901"], false, "query-shape"),
        (&["--code", &line.code], true, "query-shape"),
        (&["--name", &line.name], false, "query-shape"),
        (&["--name", "関", "--address", town], true, "prefix-too-short"),
        (&["--name", &line.name, "--birth", "1985-02-30"], false, "query-shape"),
        (&["--address", &line.address], false, "query-shape"),
    ];
    for (keys, prefix, rule) in cases {
        let ran = desk.ask(keys, prefix);
        assert_eq!((ran.code, ran.rule().as_str()), (4, rule), "{keys:?}: {ran:?}");
        for part in ["law", "hint"] {
            assert!(!ran.json()["refusal"][part].as_str().unwrap().is_empty(), "{part}");
        }
    }
    let other = inquire(&desk.config, &desk.card, "1-999-1", &["--code", &line.code]);
    assert_eq!((other.code, other.rule().as_str()), (4, "affair-unknown"));
}

/// Files below a folder that hold one of the needles.
fn holding(folder: &Path, needles: &[Vec<u8>], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            holding(&path, needles, found);
        } else {
            if contains_any(&fs::read(&path).unwrap(), needles) {
                found.push(path);
            }
        }
    }
}

/// No name, address or code of a resident in any file of any node, terminal or card; in the names,
/// in UTF-8 and UTF-16, of people who were asked about and people who were not.
fn nobody_stands_in_a_file(stage: &Stage, people: &[Line]) {
    let mut needles: Vec<Vec<u8>> = Vec::new();
    for line in people.iter().step_by(people.len() / 60) {
        let joined = line.name.replace('\u{3000}', "");
        for text in [&line.name, &joined, &line.address, &line.code] {
            needles.push(text.clone().into_bytes());
            needles.push(text.encode_utf16().flat_map(u16::to_le_bytes).collect());
        }
    }
    let mut found = Vec::new();
    for folder in ["nodes", "terminals", "cards"] {
        holding(&stage.dir().join(folder), &needles, &mut found);
    }
    assert!(found.is_empty(), "{found:?}");
    // The scan itself finds what is there.
    holding(&stage.dir(), &needles, &mut found);
    assert!(found.contains(&stage.dir().join("residents.csv")), "{found:?}");
    for pid in processes_of(stage.folder.path()) {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        assert!(!contains_any(&line, &needles), "command line of {pid}");
    }
}

/// Start every process again from its own configuration, as an administrator would.
fn restart(stage: &Stage, summary: &Value) -> Vec<Child> {
    let serve = |node: &Value| {
        let text = |key: &str| node[key].as_str().unwrap().to_owned();
        let log = stage.folder.path().join(format!("again-{}", text("node")));
        Command::new(BINARY)
            .args([&text("role"), "serve", "--config", &text("config")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(log).unwrap())
            .spawn()
            .unwrap()
    };
    summary["nodes"].as_array().unwrap().iter().map(serve).collect()
}

#[test]
fn a_country_that_is_kept_answers_like_a_scan_ends_with_ctrl_c_and_starts_again() {
    let stage = Stage::new();
    let mut running = stage.kept(&[]);
    eventually("the story is told", PATIENCE, || {
        assert!(running.runs(), "it ended");
        let told = |summary: Value| summary["checks"].as_array().is_some_and(|c| !c.is_empty());
        stage.summary().is_some_and(told)
    });
    let summary = stage.summary().unwrap();
    layout(&stage, &summary);
    let people = lines(&fs::read_to_string(stage.dir().join("residents.csv")).unwrap());
    let desk = Desk::of(&summary, "agency-1");
    answers_equal_a_scan(&desk, &people);
    refusals_are_named(&desk, &people);
    nobody_stands_in_a_file(&stage, &people);
    running.signal(Signal::SIGINT);
    let ended = running.finish(Duration::from_secs(30));
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.json()["checks"].as_array().unwrap().iter().all(|check| check["ok"] == true));
    stage.nobody_left();
    nobody_stands_in_a_file(&stage, &people);
    let mut again = restart(&stage, &summary);
    eventually("the country answers again", Duration::from_secs(60), || {
        desk.ask(&["--code", &people[5].code], false).code == 0
    });
    let clerk = Desk::of(&summary, "municipality-132152");
    let found = clerk.ask(&["--code", &people[5].code], false);
    assert_eq!(found.code, 0, "{found:?}");
    for node in summary["nodes"].as_array().unwrap().iter().filter(|n| n["role"] != "terminal") {
        let ran = tool(&["fsck", "--json", "--config", node["config"].as_str().unwrap()]);
        assert_eq!(ran.code, 0, "{node}: {ran:?}");
    }
    for child in &mut again {
        assert!(child.try_wait().unwrap().is_none(), "a process ended by itself");
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGTERM).unwrap();
    }
    assert!(again.iter_mut().all(|child| child.wait().unwrap().success()));
}
