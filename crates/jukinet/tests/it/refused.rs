//! Cards that must not work at a desk, and nodes that must not start: each named, none by accident.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::country::{Country, KUNITACHI, Person, Ran, inquire, residents_csv, tool};

const CARD: &str = "agency-1-clerk";

fn pin_path(country: &Country, card: &str) -> PathBuf {
    country.dir().join(format!("cards/{card}.pin"))
}

fn asked(country: &Country, card: &str) -> Ran {
    country.ask_with("agency-1", card, &["--code", &Person::number(1, KUNITACHI).code])
}

fn refused(ran: &Ran, rule: &str) {
    assert_eq!((ran.code, ran.rule().as_str()), (4, rule), "{ran:?}");
    let refusal = &ran.json()["refusal"];
    for part in ["law", "hint", "hint_en"] {
        assert!(!refusal[part].as_str().unwrap().is_empty(), "{part}: {ran:?}");
    }
}

#[test]
fn a_wrong_pin_counts_down_blocks_the_card_and_is_never_forgotten() {
    let country = Country::with_agency();
    assert_eq!(asked(&country, CARD).code, 0);
    let pin = fs::read_to_string(pin_path(&country, CARD)).unwrap();
    let wrong = if pin.trim() == "918273" { "918274" } else { "918273" };
    let enter = |pin: &str| fs::write(pin_path(&country, CARD), format!("{pin}\n")).unwrap();
    enter(wrong);
    for left in [2, 1] {
        let ran = asked(&country, CARD);
        refused(&ran, "pin-wrong");
        let words = ran.json()["refusal"]["hint_en"].as_str().unwrap().to_owned();
        assert!(words.contains(&left.to_string()), "{left} tries left: {words}");
        assert!(!ran.stdout.contains(wrong) && !ran.stderr.contains(wrong), "{ran:?}");
    }
    // The right PIN in between gives all three tries back; only wrong ones in a row block.
    enter(pin.trim());
    assert_eq!(asked(&country, CARD).code, 0);
    enter(wrong);
    refused(&asked(&country, CARD), "pin-wrong");
    refused(&asked(&country, CARD), "pin-wrong");
    refused(&asked(&country, CARD), "card-blocked");
    enter(pin.trim());
    for _ in 0..2 {
        refused(&asked(&country, CARD), "card-blocked");
    }
    for odd in ["", "abcdef", "123", "1234567890123"] {
        enter(odd);
        let ran = asked(&country, CARD);
        assert!(ran.code == 4 || ran.code == 2, "{odd:?}: {ran:?}");
    }
}

#[test]
fn cards_and_terminals_that_are_not_what_they_should_be_open_nothing() {
    let mut country = Country::with_agency();
    refused(&asked(&country, "agency-1-wrong"), "card-of-another-organ");
    refused(&asked(&country, "agency-1-expired"), "card-expired");
    // A card out of the reader.
    let gone = asked(&country, "agency-1-nobody");
    assert_eq!(gone.code, 2, "{gone:?}");
    assert!(gone.stderr.contains("agency-1-nobody"), "{gone:?}");
    // A card file with one bit turned, and one that anybody may read.
    let card = country.dir().join(format!("cards/{CARD}.card"));
    let genuine = fs::read(&card).unwrap();
    let mut altered = genuine.clone();
    let middle = altered.len() / 2;
    altered[middle] ^= 1;
    fs::write(&card, altered).unwrap();
    let ran = asked(&country, CARD);
    assert!(ran.code == 2 || ran.code == 4, "{ran:?}");
    fs::write(&card, &genuine).unwrap();
    fs::set_permissions(&card, fs::Permissions::from_mode(0o644)).unwrap();
    let ran = asked(&country, CARD);
    assert!(ran.code == 2 && ran.stderr.contains("chmod 600"), "{ran:?}");
    fs::set_permissions(&card, fs::Permissions::from_mode(0o600)).unwrap();
    // This terminal with another's certificate: it cannot show that the certificate is its own.
    let at = |place: &str, file: &str| country.dir().join(format!("terminals/{place}/{file}"));
    let own = fs::read(at("agency-1", "terminal.cert")).unwrap();
    fs::copy(at("agency-2", "terminal.cert"), at("agency-1", "terminal.cert")).unwrap();
    let ran = asked(&country, CARD);
    assert!(ran.code == 1 || ran.code == 4, "{ran:?}");
    assert!(ran.stdout.contains("terminal") || ran.stderr.contains("terminal"), "{ran:?}");
    // Another terminal altogether, genuine to the card: this server does not know its key.
    for file in ["terminal.cert", "token", "token.pin"] {
        fs::copy(at("agency-2", file), at("agency-1", file)).unwrap();
    }
    let ran = asked(&country, CARD);
    assert_eq!((ran.code, ran.stdout.as_str()), (5, ""), "{ran:?}");
    let until = std::time::Instant::now() + Duration::from_secs(10);
    while !country.log("agency-1").contains("peer-unknown") {
        assert!(std::time::Instant::now() < until, "{}", country.log("agency-1"));
    }
    fs::write(at("agency-1", "terminal.cert"), own).unwrap();
    assert!(country.runs("agency-1"));
}

/// Serve with this configuration; it must end by itself.
fn serve(role: &str, config: &Path) -> Ran {
    tool(&[role, "serve", "--config", &config.display().to_string()])
}

/// The line of `text` on which `needle` stands.
fn line_of(text: &str, needle: &str) -> usize {
    1 + text.lines().position(|line| line.contains(needle)).unwrap_or_else(|| panic!("{needle}"))
}

/// What is replaced by what, and the field that must be named on that line.
const MISTAKES: [(&str, &str, &str); 18] = [
    ("role = \"municipality\"", "role = \"mayor\"", "role"),
    ("node = \"municipality-132152\"", "node = \"municipality 132152\"", "node"),
    ("node = \"municipality-132152\"", "node = \"agency-1\"", "node"),
    ("organ = \"municipality:132152\"", "organ = \"municipality:132153\"", "organ"),
    ("organ = \"municipality:132152\"", "organ = \"center\"", "organ"),
    ("listen = \"", "listen = \"localhost:80\" # \"", "listen"),
    ("listen = \"", "listen = 8080 # \"", "listen"),
    ("data = \"data\"", "data = \"\"", "data"),
    ("tls_profile = \"default\"", "tls_profile = \"fast\"", "tls_profile"),
    ("kind = \"software\"", "kind = \"sofware\"", "token.kind"),
    ("pin_file = \"token.pin\"", "pin_file = 4711", "token.pin_file"),
    ("exchange = \"exchange-national\"", "exchange = \"\"", "center.exchange"),
    ("directory_key = \"", "directory_key = \"AAAA\" # \"", "center.directory_key"),
    ("address = \"", "address = \"127.0.0.1\" # \"", "exchange.address"),
    ("role = \"terminal\"", "role = \"center\"", "lan[0].role"),
    ("server_pin = \"", "server_pin = \"no base64!\" # \"", "feed.server_pin"),
    ("ledger = \"ledger\"", "leger = \"ledger\"", "leger"),
    ("[center]", "[centr]", "centr"),
];

#[test]
fn every_mistake_in_a_configuration_is_named_with_its_line_before_anything_starts() {
    let country = Country::make();
    let config = country.made.node("municipality-132152").unwrap().config.clone();
    let right = fs::read_to_string(&config).unwrap();
    for (found, put, field) in MISTAKES {
        let text = right.replacen(found, put, 1);
        assert_ne!(text, right, "{found}");
        fs::write(&config, &text).unwrap();
        let ran = serve("municipality", &config);
        assert_eq!(ran.code, 2, "{put}: {ran:?}");
        let line = line_of(&text, put);
        let expected = format!("{}:{line}: {field}: ", config.display());
        assert!(ran.stderr.contains(&expected), "{expected}\n{ran:?}");
        assert_eq!(ran.stdout, "", "{put}");
    }
    // A missing field is named at its table; broken TOML where it breaks; all findings at once.
    let text = right.replacen("tls_profile = \"default\"\n", "", 1).replacen(
        "kind = \"software\"",
        "kindd = \"software\"",
        1,
    );
    fs::write(&config, &text).unwrap();
    let ran = serve("municipality", &config);
    assert_eq!(ran.code, 2);
    for words in ["tls_profile: missing", "token.kind: missing", "token.kindd: unknown field"] {
        assert!(ran.stderr.contains(words), "{words}: {ran:?}");
    }
    let text = right.replacen("[center]", "[center", 1);
    fs::write(&config, &text).unwrap();
    let ran = serve("municipality", &config);
    let expected = format!("{}:{}: ", config.display(), line_of(&text, "[center"));
    assert!(ran.code == 2 && ran.stderr.contains(&expected), "{expected}: {ran:?}");
    // The right file of another role.
    fs::write(&config, &right).unwrap();
    let ran = serve("center", &config);
    assert!(ran.code == 2 && ran.stderr.contains("not a center"), "{ran:?}");
    let terminal = country.dir().join("terminals/agency-1.toml");
    assert_eq!(serve("agency", &terminal).code, 2);
    assert_eq!(serve("terminal", &config).code, 2);
}

#[test]
fn a_desk_serves_this_machine_only() {
    let country = Country::make();
    let config = country.dir().join("terminals/agency-1.toml");
    let right = fs::read_to_string(&config).unwrap();
    for address in ["0.0.0.0:8080", "192.0.2.1:8080", "[::]:8080"] {
        let text =
            right.replacen("desk_listen = \"", &format!("desk_listen = \"{address}\" # "), 1);
        fs::write(&config, &text).unwrap();
        let ran = serve("terminal", &config);
        let line = line_of(&text, "desk_listen");
        let expected = format!("{}:{line}: desk_listen: must be a loopback", config.display());
        assert!(ran.code == 2 && ran.stderr.contains(&expected), "{ran:?}");
    }
}

#[test]
fn secrets_that_others_may_read_are_refused() {
    let country = Country::make();
    let node = country.made.node("municipality-132152").unwrap();
    for file in ["token", "token.pin", "feed/token.pin"] {
        let path = node.folder.join(file);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let ran = serve("municipality", &node.config);
        assert!(ran.code == 2 && ran.stderr.contains("chmod 600"), "{file}: {ran:?}");
        assert!(ran.stderr.contains(&format!("{}:", node.config.display())), "{file}: {ran:?}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

#[test]
fn a_node_with_a_forged_directory_a_wrong_pin_or_a_taken_port_does_not_start() {
    let mut country = Country::make();
    let node = country.made.node("municipality-132152").unwrap().clone();
    let directory = node.folder.join("data/directory.signed");
    let genuine = fs::read(&directory).unwrap();
    let mut forged = genuine.clone();
    let middle = forged.len() / 2;
    forged[middle] ^= 1;
    fs::write(&directory, forged).unwrap();
    let ran = serve("municipality", &node.config);
    assert!(ran.code == 1 && ran.stderr.contains("not signed by the center's key"), "{ran:?}");
    fs::write(&directory, &genuine).unwrap();
    // Another country's center would sign well, with a key that is not this one's.
    let config = fs::read_to_string(&node.config).unwrap();
    let key = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split('"').nth(1).unwrap().to_owned()
    };
    let issuer = key(&config, "card_issuer_key");
    let swapped = config.replace(&key(&config, "directory_key"), &issuer);
    fs::write(&node.config, swapped).unwrap();
    let ran = serve("municipality", &node.config);
    assert!(ran.code == 1 && ran.stderr.contains("not signed by the center's key"), "{ran:?}");
    fs::write(&node.config, &config).unwrap();
    let pin = node.folder.join("token.pin");
    let right = fs::read(&pin).unwrap();
    fs::write(&pin, "0000000000000000\n").unwrap();
    let ran = serve("municipality", &node.config);
    assert!(ran.code == 1 && ran.stderr.contains("token"), "{ran:?}");
    assert!(ran.stderr.to_lowercase().contains("pin"), "{ran:?}");
    assert!(!ran.stderr.contains("0000000000000000"), "{ran:?}");
    fs::write(&pin, right).unwrap();
    let taken = TcpListener::bind(node.address).unwrap();
    let ran = serve("municipality", &node.config);
    let expected = format!("cannot listen on {}", node.address);
    assert!(ran.code == 1 && ran.stderr.contains(&expected), "{ran:?}");
    drop(taken);
    country.start("municipality-132152");
    // A second process on the same data.
    let ran = serve("municipality", &node.config);
    assert!(ran.code == 1 && ran.stderr.contains("register.sqlite"), "{ran:?}");
    assert!(country.runs("municipality-132152"));
}

#[test]
fn a_terminal_asks_under_no_configuration_but_its_own() {
    let country = Country::with_agency();
    let person = Person::number(1, KUNITACHI);
    let file = country.write("one.csv", residents_csv(std::slice::from_ref(&person)).as_bytes());
    assert_eq!(country.notice(KUNITACHI, &file).code, 0);
    let card = country.dir().join(format!("cards/{CARD}.card"));
    let node = country.made.node("agency-1").unwrap().config.clone();
    let keys = ["--code", person.code.as_str()];
    let ran = inquire(&node, &card, "1-74-1", &keys);
    assert!(ran.code == 2 && ran.stderr.contains("not a terminal"), "{ran:?}");
    let terminal = country.dir().join("terminals/agency-1.toml");
    let ran = inquire(&terminal, &card, "1-74-1", &["--code", "123"]);
    refused(&ran, "query-shape");
    let ran = inquire(&terminal, &card, "74", &keys);
    refused(&ran, "affair-unknown");
    for mixed in [["--code", "1", "--name", "x"], ["--address", "x", "--birth", "1985-04-01"]] {
        assert_eq!(inquire(&terminal, &card, "1-74-1", &mixed).code, 2, "{mixed:?}");
    }
}
