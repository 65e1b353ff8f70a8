//! Purity and separation: what pure crates may touch, what roles may see of one another, where HTTP
//! and serde may appear.

use super::allow::{Power, breaches, holds, product};
use super::crates::PURE;
use super::scan::words;
use super::{Finding, Tree};

/// Folders of `node` that are no role.
const SHARED: &[&str] = &["reconcile"];

/// Roles of `node` are siblings: what one needs of another goes through a message, so that "this
/// traffic does not pass the center" stands in the conversation table (S1: 任意の二つのCS間で直通).
pub(super) fn roles_apart(tree: &Tree) -> Vec<Finding> {
    const HOME: &str = "crates/node/src/";
    let role_of = |path: &str| {
        let rest = path.strip_prefix(HOME)?;
        let folder = rest.split_once('/').map(|(folder, _)| folder.to_owned());
        // What several roles share stands beside them, also where it fills a folder.
        folder.filter(|folder| !SHARED.contains(&folder.as_str()))
    };
    let mut roles: Vec<String> = tree.files.iter().filter_map(|file| role_of(&file.path)).collect();
    roles.sort();
    roles.dedup();
    let mut found = Vec::new();
    for file in tree.files.iter().filter(|file| file.is_source()) {
        let Some(own) = role_of(&file.path) else { continue };
        for (index, line) in file.product_code().lines().enumerate() {
            for role in roles.iter().filter(|role| **role != own) {
                let sees = |from: &str| holds(line, &format!("{from}::{role}"));
                if sees("crate") || sees("super") {
                    let what = format!("the role {own} may not know the role {role}");
                    found.push(Finding::new(&file.path, index + 1, what));
                }
            }
        }
    }
    found
}

/// Every power over the operating system, and the adapters that hold it.
const POWERS: &[Power] = &[
    Power {
        what: "time is handed in; only the adapters read a clock",
        signs: &["SystemTime", "Instant::now", "Zoned::now", "Timestamp::now"],
        allowed: &[
            ("crates/jukinet/src/clock.rs", "the clock"),
            ("crates/jukinet/src/net/", "deadlines and session bounds on the runtime's own timer"),
            ("crates/lab/src/live/", "drives real nodes; not shipped"),
            ("crates/xtask/", "measures its stages; not shipped"),
        ],
    },
    Power {
        what: "entropy is handed in; only the dice draw it",
        signs: &["getrandom", "OsRng", "SysRng", "thread_rng", "ThreadRng"],
        allowed: &[
            ("crates/jukinet/src/dice.rs", "the dice"),
            ("crates/lab/src/live/", "drives real nodes; not shipped"),
        ],
    },
    Power {
        what: "files are touched by the disk adapters only",
        signs: &["std::fs", "tokio::fs"],
        allowed: &[
            ("crates/store/src/ledger_files.rs", "the published ledger"),
            ("crates/store/src/sqlite/", "the database file and its folder"),
            ("crates/store/src/register.rs", "the register's file and its lock"),
            ("crates/jukinet/src/backup/", "backups, of files and into files"),
            ("crates/jukinet/src/disk.rs", "files that are not a store"),
            ("crates/store/src/backup.rs", "the copy that a backup is made of"),
            ("crates/jukinet/src/card_file.rs", "the card image and its lock"),
            ("crates/jukinet/src/command/", "files an operator names on the command line"),
            ("crates/jukinet/src/demo/", "the folder of the demonstration"),
            ("crates/lab/src/commands/", "the lab writes what it makes; not shipped"),
            ("crates/lab/src/live/", "drives real nodes; not shipped"),
            ("crates/xtask/", "chores; not shipped"),
        ],
    },
    Power {
        what: "sockets belong to jukinet's net and runner",
        signs: &["TcpStream", "TcpListener", "UdpSocket", "UnixStream", "UnixListener"],
        allowed: &[
            ("crates/jukinet/src/net/", "the network"),
            ("crates/jukinet/src/runner/", "binds the listeners of a process"),
            ("crates/jukinet/src/command/doctor.rs", "tries whether a peer's port answers"),
            ("crates/jukinet/src/demo/", "finds free ports on loopback"),
            ("crates/lab/src/live/", "drives real nodes; not shipped"),
        ],
    },
    Power {
        what: "no process starts another, but for the demo and the lab",
        signs: &["process::Command", "Stdio", "tokio::process"],
        allowed: &[
            ("crates/jukinet/src/demo/", "starts the nodes of the demonstration"),
            ("crates/lab/src/live/", "drives real nodes; not shipped"),
            ("crates/xtask/", "chores; not shipped"),
        ],
    },
];

/// Invariant 11, and the place of every system call: pure crates stand on no list.
pub(super) fn os_access(tree: &Tree) -> Vec<Finding> {
    let mut found: Vec<Finding> =
        POWERS.iter().flat_map(|power| breaches(tree, power, product)).collect();
    for power in POWERS {
        for (entry, _) in power.allowed {
            if PURE.iter().any(|krate| entry.starts_with(&format!("crates/{krate}/"))) {
                found.push(Finding::new(entry, 0, "a pure crate on an allow-list"));
            }
        }
    }
    found
}

/// HTTP is between the desk and a browser on the same machine; no message carries it (S1:
/// 通信プロトコルの制限). Addresses in comments are not traffic.
pub(super) fn http_stays_at_the_desk(tree: &Tree) -> Vec<Finding> {
    const BANNED: &[&str] = &["http", "smtp", "ftp", "telnet"];
    let mut found = Vec::new();
    for file in &tree.files {
        let code = match (file.extension(), file.krate()) {
            ("proto", _) => file.text.lines().map(before_comment).collect::<Vec<_>>().join("\n"),
            ("rs", Some("wire" | "node" | "law" | "ledger" | "token" | "store")) => {
                file.product_code()
            }
            _ => continue,
        };
        for (index, line) in code.lines().enumerate() {
            let lower = line.to_lowercase();
            let parts = lower.split(|c: char| !c.is_alphanumeric());
            if let Some(word) = parts.into_iter().find(|part| BANNED.contains(part)) {
                let what = format!("`{word}` between nodes: the network carries jukinet/1 only");
                found.push(Finding::new(&file.path, index + 1, what));
            }
        }
    }
    found
}

fn before_comment(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

/// Inner types cannot be serialized: bytes are made in `wire` by hand, rows in `store`, pages in
/// `desk`; only configuration and JSON output at the edge use serde.
pub(super) fn no_serde_inside(tree: &Tree) -> Vec<Finding> {
    const OUTSIDE: &[&str] = &["jukinet", "lab", "xtask"];
    let mut found = Vec::new();
    for (file, rust) in tree.rust() {
        let Some(krate) = file.krate() else { continue };
        if OUTSIDE.contains(&krate) {
            continue;
        }
        for (index, line) in rust.code.lines().enumerate() {
            let banned = ["serde", "serde_json", "Serialize", "Deserialize"];
            if words(line).any(|word| banned.contains(&word)) {
                let what = format!("serde in {krate}: convert by hand at the edge");
                found.push(Finding::new(&file.path, index + 1, what));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_that_looks_at_another_is_found() {
        let center = ("crates/node/src/center/mod.rs", "use crate::outbox::Outbox;");
        let good = ("crates/node/src/municipality/mod.rs", "use super::center_node;");
        let bad = ("crates/node/src/municipality/feed.rs", "use crate::center::Center;");
        assert_eq!(roles_apart(&Tree::of(&[center, good])), []);
        assert_eq!(roles_apart(&Tree::of(&[center, bad])).len(), 1);
    }

    #[test]
    fn a_pure_crate_that_reaches_out_is_found() {
        let count = |path, text| os_access(&Tree::of(&[(path, text)])).len();
        for bad in [
            "let now = SystemTime::now();",
            "let now = std::time::Instant::now();",
            "std::fs::read(path);",
            "TcpStream::connect(address);",
            "getrandom::fill(&mut bytes);",
            "std::process::Command::new(\"ls\");",
        ] {
            assert_eq!(count("crates/node/src/center/mod.rs", bad), 1, "{bad}");
            assert_eq!(count("crates/desk/src/page.rs", bad), 1, "{bad}");
        }
        assert_eq!(count("crates/node/src/center/mod.rs", "// SystemTime::now()"), 0);
        assert_eq!(count("crates/wire/src/directory.rs", "use std::net::SocketAddr;"), 0);
        assert_eq!(count("crates/wire/tests/it/golden.rs", "std::fs::read(path);"), 0);
    }

    #[test]
    fn http_in_a_message_is_found() {
        let count = |path, text| http_stays_at_the_desk(&Tree::of(&[(path, text)])).len();
        assert_eq!(count("crates/wire/schema/a.proto", "message HttpRequest {}"), 0);
        assert_eq!(count("crates/wire/schema/a.proto", "string http_path = 1;"), 1);
        assert_eq!(count("crates/wire/schema/a.proto", "// https://example http\n"), 0);
        assert_eq!(count("crates/wire/src/conversation.rs", "via: Via::Http,"), 1);
        assert_eq!(count("crates/desk/src/page.rs", "use axum::http::Uri;"), 0);
    }

    #[test]
    fn serde_inside_is_found() {
        let count = |path, text| no_serde_inside(&Tree::of(&[(path, text)])).len();
        assert_eq!(count("crates/law/src/people.rs", "#[derive(Serialize)]"), 1);
        assert_eq!(count("crates/desk/src/page.rs", "use serde::Deserialize;"), 1);
        assert_eq!(count("crates/jukinet/src/config/mod.rs", "use serde::Deserialize;"), 0);
        assert_eq!(count("crates/law/src/people.rs", "// never Serialize"), 0);
    }
}
