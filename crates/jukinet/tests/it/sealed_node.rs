//! Real processes whose long-lived keys are inside a PKCS#11 device: a municipality, an agency and
//! an exchange of a small country, asked, stopped, robbed and started again.
//!
//! SoftHSM2 stands in for the device. As in `pkcs11`, each case runs in a child of this binary
//! whose environment names the tokens; the nodes that it starts inherit it. Missing SoftHSM2 fails.

#![allow(clippy::print_stdout, reason = "times are told in the test's output and kept nowhere")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jukinet::config::{TokenConfig, load_node, load_terminal};
use jukinet::pkcs11::{Pkcs11Token, TokenPlace};
use jukinet::provision::{self, AdoptError};
use jukinet::{dice, disk, token_file};
use serde_json::Value;
use token::{KeyName, Token};
use wire::{Directory, NodeId, SignedDirectory};

use crate::country::{
    self, Country, KUNITACHI, Person, Ran, Tool, eventually, people, processes_of, residents_csv,
    tool,
};
use crate::pkcs11::{PIN, in_softhsm, initialize, module, run};

const CITY: &str = "municipality-132152";
const AGENCY: &str = "agency-1";
const EXCHANGE: &str = "exchange-13";
const KEYS: [KeyName; 3] = [KeyName::Node, KeyName::Ledger, KeyName::Storage];
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn nodes_live_with_all_their_keys_in_a_device() {
    outer("sealed_node::inside_nodes_live_with_all_their_keys_in_a_device");
}

#[test]
fn a_node_without_its_device_says_why_and_opens_nothing() {
    outer("sealed_node::inside_a_node_without_its_device_says_why_and_opens_nothing");
}

#[test]
fn a_device_that_is_pulled_out_and_put_back_serves_again() {
    outer("sealed_node::inside_a_device_that_is_pulled_out_and_put_back_serves_again");
}

#[test]
fn only_a_whole_token_takes_a_sealed_files_place_and_never_the_centers() {
    let mut country = Country::make();
    let device = device_config(country.dir(), "/nowhere.so".into(), "none");
    let mut adopt = |node: &str, token: &TokenConfig| {
        let id = NodeId::parse(node).unwrap();
        provision::adopt_token(&mut country.made, &id, token, dice::array()).unwrap_err()
    };
    assert!(matches!(adopt("center", &device), AdoptError::Center));
    assert!(matches!(adopt("agency-9", &device), AdoptError::NoNode(_)));
    let config = config_path(&country, CITY);
    let before = fs::read(&config).unwrap();
    // A feed's token holds a node key and nothing else.
    let poor = load_node(&config).unwrap().feed.unwrap().token;
    let id = NodeId::parse(CITY).unwrap();
    let refused = provision::adopt_token(&mut country.made, &id, &poor, dice::array());
    assert!(matches!(refused, Err(AdoptError::Key { key: KeyName::Ledger, .. })), "{refused:?}");
    assert_eq!(fs::read(&config).unwrap(), before, "a refusal writes nothing");
    assert!(country.made.node(CITY).unwrap().folder.join("token").exists());
}

/// The child takes a turn of its own; this one keeps the other tests of this process away
/// meanwhile.
fn outer(case: &str) {
    let _turn = country::turn();
    let said = in_softhsm(case);
    said.lines().filter(|line| line.starts_with("measured ")).for_each(|line| println!("{line}"));
}

/// Tokens first: a module that already runs in a process does not see what others initialize.
fn make_tokens(labels: &[&str]) {
    for label in labels {
        run(&mut initialize(label));
    }
}

fn device_config(folder: &Path, module: PathBuf, label: &str) -> TokenConfig {
    let pin_file = folder.join("device.pin");
    disk::write_private(&pin_file, format!("{PIN}\n").as_bytes()).unwrap();
    TokenConfig::Pkcs11 { module, label: label.to_owned(), pin_file }
}

fn open_device(label: &str) -> Pkcs11Token {
    Pkcs11Token::open(&module(), TokenPlace::Label(label.to_owned()), PIN).unwrap()
}

/// Generate a node's keys in the device of its name and let the node run on them.
fn seal(country: &mut Country, node: &str) {
    open_device(node).generate(&KEYS).unwrap();
    let config = device_config(&country.made.node(node).unwrap().folder, module(), node);
    let id = NodeId::parse(node).unwrap();
    provision::adopt_token(&mut country.made, &id, &config, dice::array()).unwrap();
}

fn config_path(country: &Country, node: &str) -> PathBuf {
    country.made.node(node).unwrap().config.clone()
}

fn swap_text(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert_eq!(text.matches(from).count(), 1, "{from} in {text}");
    disk::write_private(path, text.replace(from, to).as_bytes()).unwrap();
}

fn finding(doctor: &Ran, check: &str) -> Value {
    let json = doctor.json();
    let findings = json["findings"].as_array().unwrap();
    findings.iter().find(|finding| finding["check"] == check).cloned().unwrap_or_default()
}

fn doctor(country: &Country, node: &str) -> Ran {
    tool(&["doctor", "--json", "--config", &country.config(node)])
}

/// Feed people and wait until the prefecture and the center hold them too.
fn feed(country: &Country, people: &[Person]) {
    let file = country.write("fed.csv", residents_csv(people).as_bytes());
    let fed = country.notice(KUNITACHI, &file);
    assert_eq!((fed.code, fed.json()["rejected"].as_u64()), (0, Some(0)), "{fed:?}");
}

/// No key of these nodes lies in a file, and everybody else knows their devices' keys.
fn keys_are_the_devices(country: &Country, nodes: &[&str]) {
    let bytes = fs::read(country.made.node(CITY).unwrap().folder.join("data/directory.signed"));
    let signed = SignedDirectory::decode(&bytes.unwrap()).unwrap();
    let directory = Directory::decode(&signed.body).unwrap();
    for node in nodes {
        let made = country.made.node(node).unwrap();
        assert!(!made.folder.join("token").exists() && !made.folder.join("token.pin").exists());
        let point = *open_device(node).public_key(KeyName::Node).unwrap().p256().unwrap();
        let member = directory.members.iter().find(|each| each.id.as_str() == *node).unwrap();
        assert_eq!(member.pin, token::verify::pin(&point), "{node}");
        assert_eq!(member.ledger_vkey.as_ref(), Some(&made.ledger_vkey));
        if let Some(terminal) = country.made.terminal(node) {
            assert_eq!(load_terminal(&terminal.config).unwrap().server.pin, member.pin);
        }
    }
}

/// Doctor, fsck and the published ledger are sound, and the process has the module in its memory.
fn is_healthy(country: &Country, node: &str) {
    let made = country.made.node(node).unwrap();
    let seen = doctor(country, node);
    assert_eq!(seen.code, 0, "{seen:?}");
    assert_eq!(finding(&seen, "token")["detail"], format!("opens; device {node}"));
    assert_eq!(country.fsck(node).code, 0);
    let ledger = made.folder.join("ledger").display().to_string();
    let verified = tool(&["ledger", "verify", &ledger, "--json", "--key", &made.ledger_vkey]);
    assert_eq!(verified.code, 0, "{verified:?}");
    assert!(verified.json()["size"].as_u64() > Some(0));
    let pids = processes_of(&made.folder);
    let [pid] = pids.as_slice() else { panic!("{node}: {pids:?}") };
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    assert!(maps.contains("libsofthsm2"), "{node} runs without the device's module");
}

fn timed_start(country: &mut Country, node: &str) -> Duration {
    let from = Instant::now();
    country.start(node);
    from.elapsed()
}

#[test]
#[ignore = "started by nodes_live_with_all_their_keys_in_a_device"]
fn inside_nodes_live_with_all_their_keys_in_a_device() {
    let sealed = [EXCHANGE, CITY, AGENCY];
    make_tokens(&sealed);
    let mut country = Country::make();
    let before = country.made.node(CITY).unwrap().ledger_vkey.clone();
    sealed.iter().for_each(|node| seal(&mut country, node));
    assert_ne!(country.made.node(CITY).unwrap().ledger_vkey, before);
    keys_are_the_devices(&country, &sealed);
    measure_signing();
    country.start_all(&["exchange-national", EXCHANGE, "center"]);
    let in_file = timed_start(&mut country, "prefecture-13");
    let in_device = timed_start(&mut country, CITY);
    println!("measured start until ready: keys in a file {in_file:?}, in a device {in_device:?}");
    country.start(AGENCY);
    let everyone = people(20, KUNITACHI);
    feed(&country, &everyone[..10]);
    country.await_tiers(KUNITACHI, 10);
    let asked = country.ask(&["--code", &everyone[0].code]);
    assert_eq!(asked.codes(), [everyone[0].code.clone()], "{asked:?}");
    let took = (1..4).map(|at| country.ask(&["--code", &everyone[at].code]).took).min().unwrap();
    println!("measured inquiry with the command's own start: {took:?}");
    let refused = country.ask(&["--name", &everyone[1].name()]);
    assert_eq!(refused.code, 4, "a rule refuses as it does without a device: {refused:?}");
    sealed.iter().for_each(|node| is_healthy(&country, node));
    // A second ceremony over a store that is sealed already would lose it: refused by name.
    let (id, other) = (NodeId::parse(CITY).unwrap(), load_node(&config_path(&country, CITY)));
    let again =
        provision::adopt_token(&mut country.made, &id, &other.unwrap().token, dice::array());
    assert!(matches!(again, Err(AdoptError::Ran(_))), "{again:?}");

    country.stop_all();
    country.start_all(&["exchange-national", EXCHANGE, "center", "prefecture-13"]);
    let again = timed_start(&mut country, CITY);
    println!("measured second start until ready, keys in a device: {again:?}");
    country.start(AGENCY);
    feed(&country, &everyone);
    country.await_tiers(KUNITACHI, 20);
    let code = &everyone[19].code;
    eventually("the agency reaches the center again", PATIENCE, || {
        let asked = country.ask(&["--code", code]);
        asked.code == 0 && asked.codes() == [code.clone()]
    });
    sealed.iter().for_each(|node| is_healthy(&country, node));
    country.stop_all();
}

fn measure_signing() {
    const ROUNDS: usize = 200;
    let token = open_device(CITY);
    for key in [KeyName::Node, KeyName::Ledger] {
        let mut times: Vec<Duration> = (0..ROUNDS)
            .map(|_| {
                let from = Instant::now();
                token.sign(key, b"a transcript").unwrap();
                from.elapsed()
            })
            .collect();
        times.sort();
        let (half, most) = (times[ROUNDS / 2], times[ROUNDS * 99 / 100]);
        println!("measured signature of {}: median {half:?}, p99 {most:?}", key.key());
    }
}

/// The municipality alone: started, fed and stopped, so that its store holds people.
fn a_stopped_municipality(tokens: &[&str]) -> (Country, Vec<Person>) {
    make_tokens(tokens);
    let mut country = Country::make();
    seal(&mut country, CITY);
    country.start(CITY);
    let everyone = people(10, KUNITACHI);
    feed(&country, &everyone);
    country.stop(CITY);
    (country, everyone)
}

/// The node does not start, and says this; health and check say it too.
fn stays_down(country: &Country, words: &[&str]) {
    let config = country.config(CITY);
    let served = Tool::start(&["municipality", "serve", "--config", &config]).finish(PATIENCE);
    assert_eq!(served.code, 1, "{served:?}");
    assert!(!served.stdout.contains("ready"), "{served:?}");
    let seen = doctor(country, CITY);
    assert_eq!((seen.code, &seen.json()["ok"]), (3, &Value::Bool(false)), "{seen:?}");
    let token = finding(&seen, "token");
    assert_eq!(token["ok"], false, "{token}");
    let checked = country.fsck(CITY);
    assert_eq!(checked.code, 1, "{checked:?}");
    for word in words {
        assert!(served.stderr.contains(word), "{word}: {served:?}");
        assert!(token["detail"].as_str().unwrap().contains(word), "{word}: {token}");
        assert!(checked.stderr.contains(word), "{word}: {checked:?}");
    }
    for text in [&served.stderr, &seen.stdout, &checked.stderr] {
        assert!(!text.contains(PIN) && !text.contains("open sesamy"), "a PIN is told: {text}");
    }
}

#[test]
#[ignore = "started by a_node_without_its_device_says_why_and_opens_nothing"]
fn inside_a_node_without_its_device_says_why_and_opens_nothing() {
    let (mut country, everyone) = a_stopped_municipality(&[CITY, "elsewhere"]);
    let folder = country.made.node(CITY).unwrap().folder.clone();
    let config = config_path(&country, CITY);
    let kept = fs::read_to_string(&config).unwrap();
    pins_are_named(&country, &folder, &kept);

    let so = module().display().to_string();
    swap_text(&config, &so, "/nowhere/libvendor.so");
    stays_down(&country, &["loading the module", "/nowhere/libvendor.so"]);
    disk::write_private(&config, kept.as_bytes()).unwrap();
    let label = format!("label = \"{CITY}\"");
    swap_text(&config, &label, "label = \"lost\"");
    stays_down(&country, &["no token by that label", "lost"]);

    // A device of somebody else, first empty and then with keys of its own.
    disk::write_private(&config, kept.replace(&label, "label = \"elsewhere\"").as_bytes()).unwrap();
    opens_nothing(&config, "the token holds no key named storage");
    open_device("elsewhere").generate(&KEYS).unwrap();
    opens_nothing(&config, "does not open under storage");
    let stolen = copy_of(&country, &folder);
    opens_nothing(&stolen, "does not open under storage");
    let software = config_path(&country, "prefecture-13");
    use_sealed_file(&stolen, &load_node(&software).unwrap().token);
    opens_nothing(&stolen, "does not open under storage");
    nobody_is_readable(stolen.parent().unwrap(), &everyone);

    disk::write_private(&config, kept.as_bytes()).unwrap();
    country.start(CITY);
    is_healthy(&country, CITY);
    assert_eq!(country.fsck(CITY).json()["residents"], 10);
    country.stop(CITY);
}

/// A wrong PIN, no PIN file, and one that others may read.
fn pins_are_named(country: &Country, folder: &Path, config: &str) {
    let (pin, so) = (folder.join("device.pin"), module().display().to_string());
    disk::write_private(&pin, b"open sesamy\n").unwrap();
    stays_down(country, &["the PIN does not open this token", CITY, &so]);
    fs::remove_file(&pin).unwrap();
    stays_down(country, &[&pin.display().to_string()]);
    disk::write_private(&pin, format!("{PIN}\n").as_bytes()).unwrap();
    fs::set_permissions(&pin, fs::Permissions::from_mode(0o644)).unwrap();
    let loose = tool(&["municipality", "serve", "--config", &country.config(CITY)]);
    assert_eq!(loose.code, 2, "{loose:?}");
    let line = config.lines().position(|line| line.starts_with("pin_file")).unwrap() + 1;
    assert!(loose.stderr.contains(&format!("config.toml:{line}")), "{loose:?}");
    fs::set_permissions(&pin, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Puts another node's sealed file in the place of the device.
fn use_sealed_file(config: &Path, token: &TokenConfig) {
    let TokenConfig::Software { file, pin_file } = token else { panic!("a sealed file") };
    let text = fs::read_to_string(config).unwrap();
    let at = text.find("kind = \"pkcs11\"").unwrap();
    let end = at + text[at..].find("\n\n").unwrap();
    let sealed = format!("kind = \"software\"\nfile = {file:?}\npin_file = {pin_file:?}");
    disk::write_private(config, [&text[..at], &sealed, &text[end..]].concat().as_bytes()).unwrap();
}

/// The store does not open with the token that this configuration names.
fn opens_nothing(config: &Path, words: &str) {
    let path = config.display().to_string();
    let served = tool(&["municipality", "serve", "--config", &path]);
    assert_eq!(served.code, 1, "{served:?}");
    assert!(served.stderr.contains(words), "{words}: {served:?}");
    let checked = tool(&["fsck", "--json", "--config", &path]);
    assert_eq!((checked.code, &checked.json()["ok"]), (3, &Value::Bool(false)), "{checked:?}");
    assert!(checked.stderr.contains(words), "{words}: {checked:?}");
    let config = load_node(config).unwrap();
    let token = token_file::open(&config.token).unwrap();
    let opened = jukinet::runner::process::open_store(&config, &token).map(|_| ());
    assert!(opened.is_err_and(|error| error.to_string().contains(words)));
}

/// The node's folder as a thief copies it: all files, and a device that is not the node's.
fn copy_of(country: &Country, folder: &Path) -> PathBuf {
    let to = country.dir().join("stolen");
    run(std::process::Command::new("cp").args(["-a"]).args([folder, &to]));
    let config = to.join("config.toml");
    assert!(fs::read_to_string(&config).unwrap().contains("label = \"elsewhere\""));
    config
}

/// Nothing of a person stands in any file of this folder.
fn nobody_is_readable(folder: &Path, people: &[Person]) {
    let mut found = 0;
    for file in ["data/register.sqlite", "data/register.sqlite-wal"] {
        let bytes = fs::read(folder.join(file)).unwrap_or_default();
        found += bytes.len();
        for person in people {
            for text in [&person.code, &person.family, &person.given, &person.address] {
                let seen = bytes.windows(text.len()).any(|window| window == text.as_bytes());
                assert!(!seen, "{file} shows a person");
            }
        }
    }
    assert!(found > 0, "there was nothing to look at");
}

/// Where SoftHSM keeps the token of this label.
fn token_folder(label: &str) -> PathBuf {
    let config = std::env::var("SOFTHSM2_CONF").unwrap();
    let tokens = Path::new(&config).parent().unwrap().join("tokens");
    let holds = |folder: &PathBuf| {
        let bytes = fs::read(folder.join("token.object")).unwrap_or_default();
        bytes.windows(label.len()).any(|window| window == label.as_bytes())
    };
    let folders = fs::read_dir(tokens).unwrap().map(|entry| entry.unwrap().path());
    folders.into_iter().find(holds).unwrap_or_else(|| panic!("no token {label}"))
}

#[test]
#[ignore = "started by a_device_that_is_pulled_out_and_put_back_serves_again"]
fn inside_a_device_that_is_pulled_out_and_put_back_serves_again() {
    let (mut country, _) = a_stopped_municipality(&[CITY]);
    country.start(CITY);
    let slot = token_folder(CITY);
    let aside = country.dir().join("aside");
    let file = country.write("more.csv", residents_csv(&people(20, KUNITACHI)).as_bytes());
    for round in 0..2 {
        fs::rename(&slot, &aside).unwrap();
        let seen = doctor(&country, CITY);
        assert_eq!((seen.code, &finding(&seen, "token")["ok"]), (3, &Value::Bool(false)));
        // Nobody is spoken with by a node that cannot prove who it is.
        let without = country.notice(KUNITACHI, &file);
        assert_eq!(without.code, 5, "round {round}: {without:?}");
        assert!(country.runs(CITY), "{}", country.log(CITY));
        fs::rename(&aside, &slot).unwrap();
        let from = Instant::now();
        eventually("the node serves again", PATIENCE, || {
            country.notice(KUNITACHI, &file).code == 0
        });
        println!("measured from putting the device back to serving: {:?}", from.elapsed());
    }
    assert!(country.log(CITY).contains("its module starts anew"), "{}", country.log(CITY));
    eventually("the ledger is published again", PATIENCE, || {
        country.fsck(CITY).json()["residents"] == 20 && doctor(&country, CITY).code == 0
    });
    is_healthy(&country, CITY);
    country.stop(CITY);
}
