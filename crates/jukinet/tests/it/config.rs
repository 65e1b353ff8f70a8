//! Configuration files: the examples load, and every mistake is found with its line.

use std::path::{Path, PathBuf};

use jukinet::config::{Config, Loaded, load, parse};
use wire::Role;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

fn example(name: &str) -> String {
    std::fs::read_to_string(examples().join(name)).unwrap()
}

fn read(text: &str) -> Loaded {
    parse(Path::new("/etc/jukinet/node.toml"), text)
}

#[test]
fn every_example_loads() {
    let mut roles = Vec::new();
    for entry in std::fs::read_dir(examples()).unwrap() {
        let path = entry.unwrap().path();
        let loaded = load(&path);
        assert!(loaded.findings.is_empty(), "{:#?}", loaded.findings);
        match loaded.config.unwrap() {
            Config::Node(node) => roles.push(node.role),
            Config::Terminal(_) => roles.push(Role::Terminal),
            Config::Gateway(_) => roles.push(Role::Feed),
        }
    }
    roles.sort();
    let wanted = [
        Role::Municipality,
        Role::Prefecture,
        Role::Center,
        Role::Agency,
        Role::Exchange,
        Role::Terminal,
        Role::Feed,
    ];
    assert_eq!(roles, wanted);
}

/// Each pair: what is replaced in the municipality's example, and what must be said about it.
const MISTAKES: [(&str, &str, &str, &str); 14] = [
    ("role = \"municipality\"", "role = \"mayor\"", "role", "must be center"),
    ("node = \"municipality-132152\"", "node = \"Municipality\"", "node", "a node id has"),
    ("node = \"municipality-132152\"", "node = \"prefecture-13\"", "node", "another role"),
    ("organ = \"municipality:132152\"", "organ = \"municipality:132153\"", "organ", "organ is not"),
    ("organ = \"municipality:132152\"", "organ = \"prefecture:13\"", "organ", "is not an organ"),
    ("listen = \"10.13.1.5:7001\"", "listen = \"10.13.1.5\"", "listen", "must be ip:port"),
    ("listen = \"10.13.1.5:7001\"", "listen = 7001", "listen", "must be text"),
    ("data = ", "date = ", "date", "unknown field"),
    ("data = ", "date = ", "data", "missing"),
    ("tls_profile = \"cryptrec-strict\"", "tls_profile = \"fast\"", "tls_profile", "must be"),
    ("kind = \"pkcs11\"", "kind = \"paper\"", "token.kind", "must be"),
    ("[exchange]", "[exchanges]", "exchange", "missing table"),
    ("calls = 1", "calls = 0", "sessions.between_municipalities.calls", "whole number"),
    ("seconds = 600", "seconds = 86400", "sessions.otherwise.seconds", "from 1 to 3600"),
];

#[test]
fn each_mistake_is_named_with_its_line() {
    let text = example("municipality.toml");
    assert!(read(&text).config.is_some());
    for (right, wrong, field, problem) in MISTAKES {
        assert!(text.contains(right), "{right}");
        let broken = text.replacen(right, wrong, 1);
        let loaded = read(&broken);
        assert!(loaded.config.is_none(), "{wrong}");
        let found = loaded.findings.iter().find(|each| each.field == field);
        let found = found.unwrap_or_else(|| panic!("{wrong}: {:#?}", loaded.findings));
        assert!(found.problem.contains(problem), "{wrong}: {found}");
        if problem != "missing" && problem != "missing table" {
            let line = broken.lines().nth(found.line - 1).unwrap();
            assert!(line.contains(wrong.split(' ').next().unwrap()), "{wrong}: {found}");
        }
    }
}

#[test]
fn all_mistakes_come_at_once_in_the_order_of_the_file() {
    let mut text = example("municipality.toml");
    for (right, wrong, _, _) in [MISTAKES[5], MISTAKES[9], MISTAKES[13]] {
        text = text.replacen(right, wrong, 1);
    }
    let loaded = read(&text);
    let fields: Vec<&str> = loaded.findings.iter().map(|each| each.field.as_str()).collect();
    assert_eq!(fields, ["listen", "tls_profile", "sessions.otherwise.seconds"]);
    let text = loaded.findings[0].to_string();
    assert!(text.starts_with("/etc/jukinet/node.toml:"), "{text}");
}

#[test]
fn a_desk_that_leaves_the_machine_is_refused() {
    let text = example("terminal.toml");
    let open = text.replacen("desk_listen = \"127.0.0.1:", "desk_listen = \"0.0.0.0:", 1);
    assert_ne!(open, text);
    let loaded = read(&open);
    assert_eq!(loaded.findings[0].field, "desk_listen");
    assert!(loaded.findings[0].problem.contains("loopback"));
}

#[test]
fn a_pin_file_that_others_may_read_is_a_finding() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.toml");
    std::fs::write(&path, example("municipality.toml")).unwrap();
    let pin = folder.path().join("hsm.pin");
    std::fs::write(&pin, "1234\n").unwrap();
    std::fs::set_permissions(&pin, std::fs::Permissions::from_mode(0o644)).unwrap();
    let loaded = load(&path);
    assert_eq!(loaded.findings.len(), 1, "{:#?}", loaded.findings);
    assert_eq!(loaded.findings[0].field, "token.pin_file");
    std::fs::set_permissions(&pin, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(load(&path).config.is_some());
}

#[test]
fn what_is_shown_names_no_secret_and_marks_defaults() {
    let loaded = read(&example("municipality.toml"));
    let setting = |name: &str| loaded.settings.iter().find(|each| each.field == name).unwrap();
    assert_eq!(setting("token.pin_file").value, "(redacted)");
    assert!(!setting("sessions.between_municipalities.calls").defaulted);
    assert!(setting("sessions.otherwise.in_flight").defaulted);
}
