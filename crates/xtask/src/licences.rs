//! What the program is made of: every dependency comes from the one registry, under a licence on
//! the list, and none is of a kind we decided against (decision 0011). It reads `cargo metadata`;
//! it does not look for advisories.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::{Fault, say, shell};

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Licences whose terms a closed network and a public repository can both keep.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Crates that must not be linked, and why.
const BANNED: &[(&str, &str)] = &[
    ("openssl", "one TLS and one provider: rustls over aws-lc-rs"),
    ("openssl-sys", "one TLS and one provider: rustls over aws-lc-rs"),
    ("native-tls", "one TLS and one provider: rustls over aws-lc-rs"),
    ("ring", "one TLS and one provider: rustls over aws-lc-rs"),
    ("reqwest", "no HTTP between nodes"),
    ("ureq", "no HTTP between nodes"),
    ("bincode", "messages are protobuf, rows are written by hand"),
    ("chrono", "dates are law's; the edge uses jiff"),
];

/// Whether a licence expression of cargo can be met with licences of the list alone.
fn may_use(expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    either(&mut rest) == Some(true) && rest.is_empty()
}

/// `a OR b`
fn either(rest: &mut &[&str]) -> Option<bool> {
    let mut held = both(rest)?;
    while let Some(("OR", after)) = rest.split_first().map(|(word, after)| (*word, after)) {
        *rest = after;
        held |= both(rest)?;
    }
    Some(held)
}

/// `a AND b`, which binds closer.
fn both(rest: &mut &[&str]) -> Option<bool> {
    let mut held = one(rest)?;
    while let Some(("AND", after)) = rest.split_first().map(|(word, after)| (*word, after)) {
        *rest = after;
        held &= one(rest)?;
    }
    Some(held)
}

/// A name, a name `WITH` an exception, or an expression in brackets.
fn one(rest: &mut &[&str]) -> Option<bool> {
    match *rest {
        ["(", inner @ ..] => {
            *rest = inner;
            let held = either(rest)?;
            let (")", after) = rest.split_first().map(|(word, after)| (*word, after))? else {
                return None;
            };
            *rest = after;
            Some(held)
        }
        [name, "WITH", exception, after @ ..] => {
            let held = ALLOWED.contains(&format!("{name} WITH {exception}").as_str());
            *rest = after;
            Some(held)
        }
        [name, after @ ..] => {
            *rest = after;
            Some(ALLOWED.contains(name))
        }
        [] => None,
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// Every objection to origin and licence, and how many foreign packages were looked at. All that
/// the lock file names is looked at, optional packages too.
fn check(metadata: &Value) -> (usize, Vec<String>) {
    let (mut count, mut found) = (0, Vec::new());
    for package in list(metadata, "packages") {
        let (name, version) = (text(package, "name"), text(package, "version"));
        if package.get("source").is_none_or(Value::is_null) {
            if !name.starts_with("jukinet") && name != "xtask" {
                found.push(format!("{name}: a path outside the workspace"));
            }
            continue;
        }
        count += 1;
        if text(package, "source") != REGISTRY {
            found.push(format!("{name} {version}: from {}", text(package, "source")));
        }
        let licence = text(package, "license");
        if !may_use(licence) {
            found.push(format!("{name} {version}: licence `{licence}` is not on the list"));
        }
    }
    (count, found)
}

/// Objections to what is really built: `cargo tree`, one package a line. The lock file also names
/// packages that only a feature nobody asks for would bring.
fn banned(tree: &str) -> Vec<String> {
    let names: BTreeSet<&str> =
        tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let objections = BANNED.iter().filter(|(name, _)| names.contains(name));
    objections.map(|(name, why)| format!("{name}: {why}")).collect()
}

/// `cargo xtask licences`
pub(crate) fn run(root: &Path) -> Result<String, Fault> {
    let words = ["cargo", "metadata", "--format-version", "1", "--locked"];
    let metadata: Value = serde_json::from_str(&shell::output(root, &words)?)
        .map_err(|fault| Fault::Stage(format!("cargo metadata could not be read: {fault}")))?;
    let (count, mut found) = check(&metadata);
    let words = ["cargo", "tree", "--workspace", "--target", "all", "--edges", "all"];
    let tree = [&words[..], &["--prefix", "none", "--format", "{p}", "--locked"]].concat();
    found.extend(banned(&shell::output(root, &tree)?));
    for line in &found {
        say(line);
    }
    match found.len() {
        0 => Ok(format!("{count} packages from the registry, each under a licence on the list")),
        objections => Err(Fault::Stage(format!("{objections} packages may not be used"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn expressions_are_met_or_not() {
        for good in [
            "MIT",
            "MIT/Apache-2.0",
            "GPL-3.0 OR MIT",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
            "(MIT OR GPL-3.0) AND Unicode-3.0",
        ] {
            assert!(may_use(good), "{good}");
        }
        for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT", "MIT MIT", "Apache-2.0 WITH Other"] {
            assert!(!may_use(bad), "{bad}");
        }
    }

    fn metadata(source: &str, licence: &str) -> Value {
        json!({ "packages": [
            { "name": "a", "version": "1", "source": source, "license": licence },
            { "name": "jukinet", "version": "1", "source": null },
        ]})
    }

    #[test]
    fn licence_origin_and_name_are_each_able_to_fail() {
        assert_eq!(check(&metadata(REGISTRY, "MIT")), (1, Vec::new()));
        assert_eq!(check(&metadata(REGISTRY, "GPL-3.0")).1.len(), 1);
        assert_eq!(check(&metadata("git+https://example.org", "MIT")).1.len(), 1);
        let outside = json!({ "packages": [{ "name": "other", "source": null }] });
        assert_eq!(check(&outside).1.len(), 1);
        assert_eq!(banned("serde v1.0.0\nopenssl v0.10.1\n").len(), 1);
        assert_eq!(banned("serde v1.0.0\nopenssl-probe v0.1.0\n"), Vec::<String>::new());
    }
}
