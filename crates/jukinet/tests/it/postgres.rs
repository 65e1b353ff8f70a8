//! Nodes whose store is on PostgreSQL: the same journeys, a server that drops them, and moving a
//! node to the other engine and back.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::cluster::{kill_sessions, shared};
use crate::country::{Country, KUNITACHI, Ran, eventually, people, residents_csv, tool};

const PATIENCE: Duration = Duration::from_secs(60);
const RESIDENTS: u64 = 60;

/// A country none of whose processes runs yet; these nodes' stores are on PostgreSQL. Their
/// databases, by node.
fn made(nodes: &[&str]) -> (Country, Vec<String>) {
    let country = Country::make();
    let databases = nodes
        .iter()
        .map(|node| {
            let database = shared().database();
            let config = country.made.node(node).unwrap().config.clone();
            let text = fs::read_to_string(&config).unwrap();
            fs::write(&config, text + &on_postgresql(&database)).unwrap();
            database
        })
        .collect();
    (country, databases)
}

fn on_postgresql(database: &str) -> String {
    let line = shared().line(database);
    format!("\n[store]\nengine = \"postgresql\"\npostgresql = \"{line}\"\n")
}

fn start(country: &mut Country) {
    country.start_all(&[
        "exchange-national",
        "exchange-13",
        "center",
        "prefecture-13",
        "municipality-132152",
        "agency-1",
    ]);
}

/// The same node by another configuration, beside the first one.
fn beside(country: &Country, node: &str, change: impl Fn(String) -> String) -> PathBuf {
    let config = country.made.node(node).unwrap().config.clone();
    let other = config.with_file_name("other.toml");
    fs::write(&other, change(fs::read_to_string(&config).unwrap())).unwrap();
    other
}

fn digests(config: &str) -> serde_json::Value {
    let ran = tool(&["store", "digest", "--json", "--config", config]);
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.json()["tables"].clone()
}

fn move_store(from: &str, to: &str) -> Ran {
    tool(&["store", "move", "--json", "--config", from, "--to", to])
}

#[test]
fn notices_and_inquiries_pass_through_nodes_on_postgresql() {
    let (mut country, databases) =
        made(&["center", "prefecture-13", "municipality-132152", "agency-1"]);
    start(&mut country);
    let everyone = people(RESIDENTS, KUNITACHI);
    let file = country.write("residents.csv", residents_csv(&everyone).as_bytes());
    let fed = country.notice(KUNITACHI, &file);
    assert_eq!((fed.code, fed.json()["accepted"].as_u64()), (0, Some(RESIDENTS)), "{fed:?}");
    country.await_tiers(KUNITACHI, RESIDENTS);
    let one = ["--code", &everyone[7].code];
    assert_eq!(country.ask(&one).codes(), vec![everyone[7].code.clone()]);
    let name = everyone[9].name();
    let by_name = ["--name", &name, "--birth", &everyone[9].birth];
    assert_eq!(country.ask(&by_name).codes(), vec![everyone[9].code.clone()]);

    // Every line to the database is cut: the nodes take it up again and lose nothing.
    for database in &databases {
        kill_sessions(database);
    }
    eventually("the center answers again", PATIENCE, || country.ask(&one).code == 0);
    let more: Vec<_> = people(RESIDENTS + 20, KUNITACHI);
    let file = country.write("more.csv", residents_csv(&more).as_bytes());
    eventually("the municipality takes changes again", PATIENCE, || {
        country.notice(KUNITACHI, &file).code == 0
    });
    country.await_tiers(KUNITACHI, RESIDENTS + 20);
    country.kill9("prefecture-13");
    country.start("prefecture-13");
    assert!(country.tiers_equal(KUNITACHI, RESIDENTS + 20));
    country.stop_all();
    for node in ["center", "prefecture-13", "municipality-132152", "agency-1"] {
        let checked = country.fsck(node);
        assert_eq!(checked.code, 0, "{node}: {checked:?}");
    }
    let doctor = tool(&["doctor", "--config", &country.config("center")]);
    assert!(doctor.stdout.contains("80 residents"), "{doctor:?}");
}

#[test]
fn a_node_moves_to_postgresql_and_back_by_command_and_serves_on() {
    let (mut country, _) = made(&[]);
    start(&mut country);
    let everyone = people(RESIDENTS, KUNITACHI);
    let file = country.write("residents.csv", residents_csv(&everyone).as_bytes());
    assert_eq!(country.notice(KUNITACHI, &file).code, 0);
    country.await_tiers(KUNITACHI, RESIDENTS);
    let own = country.config("center");
    let database = shared().database();
    let to = beside(&country, "center", |text| text + &on_postgresql(&database));
    let to = to.display().to_string();
    let running = move_store(&own, &to);
    assert!(running.code == 1 && running.stderr.contains("stop the node"), "{running:?}");

    country.stop("center");
    let before = digests(&own);
    let moved = move_store(&own, &to);
    assert_eq!(moved.code, 0, "{moved:?}");
    assert_eq!(moved.json()["tables"], before);
    assert_eq!(digests(&to), before);
    let again = move_store(&own, &to);
    assert!(again.code == 1 && again.stderr.contains("not empty"), "{again:?}");
    let two = move_store(&own, &country.config("prefecture-13"));
    assert_eq!(two.code, 2, "{two:?}");

    // The center goes on over there, and what it answers is recorded over there.
    let first = fs::read_to_string(&own).unwrap();
    fs::write(&own, fs::read_to_string(&to).unwrap()).unwrap();
    country.start("center");
    let one = ["--code", &everyone[3].code];
    eventually("the center answers again", PATIENCE, || country.ask(&one).code == 0);
    country.stop("center");

    // And back, into a folder of its own.
    fs::write(&to, first.replace("data = \"data\"", "data = \"data-again\"")).unwrap();
    let back = move_store(&own, &to);
    assert_eq!(back.code, 0, "{back:?}");
    assert_eq!(digests(&own), digests(&to));
    fs::write(&own, fs::read_to_string(&to).unwrap()).unwrap();
    let checked = country.fsck("center");
    assert_eq!((checked.code, checked.json()["residents"].as_u64()), (0, Some(RESIDENTS)));
    country.start("center");
    eventually("the center answers again", PATIENCE, || country.ask(&one).code == 0);
    country.stop_all();
    let node = country.made.node("center").unwrap();
    let (ledger, key) = (node.folder.join("ledger"), node.folder.join("ledger/ledger.vkey"));
    let (ledger, key) = (ledger.display().to_string(), key.display().to_string());
    let verified = tool(&["ledger", "verify", &ledger, "--key", &key]);
    assert_eq!(verified.code, 0, "{verified:?}");
}

#[test]
fn a_configuration_that_names_no_usable_database_is_refused_with_its_line() {
    let country = Country::make();
    let own = country.config("center");
    let text = fs::read_to_string(&own).unwrap();
    for (store, why) in [
        ("engine = \"postgresql\"", "store.postgresql: missing"),
        ("engine = \"oracle\"", "must be \"sqlite\" or \"postgresql\""),
        ("engine = \"postgresql\"\npostgresql = \"host=10.0.0.9 dbname=a\"", "another machine"),
        (
            "engine = \"postgresql\"\npostgresql = \"host=/run dbname=a password=x\"",
            "password_file",
        ),
        ("engine = \"sqlite\"\npostgresql = \"host=/run dbname=a\"", "unknown field"),
    ] {
        fs::write(&own, format!("{text}\n[store]\n{store}\n")).unwrap();
        let ran = tool(&["config", "check", "--config", &own]);
        assert!(ran.code == 2 && format!("{ran:?}").contains(why), "{store}: {ran:?}");
    }
    // A server that is not there: named, and no guess made.
    let nowhere = "engine = \"postgresql\"\npostgresql = \"host=/nonexistent dbname=a\"";
    fs::write(&own, format!("{text}\n[store]\n{nowhere}\n")).unwrap();
    let ran = tool(&["center", "serve", "--config", &own]);
    assert!(ran.code == 1 && ran.stderr.contains("postgresql /nonexistent a"), "{ran:?}");
}
