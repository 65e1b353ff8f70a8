//! Which crate may depend on which: the table of ARCHITECTURE.md as a check of the manifests.

use super::{Finding, Tree};

/// Ours, bottom up: a crate and what of ours it may use.
const MAY_USE: &[(&str, &[&str])] = &[
    ("law", &[]),
    ("wire", &["law"]),
    ("ledger", &["law"]),
    ("token", &["law", "wire"]),
    ("node", &["law", "wire", "ledger", "token"]),
    // `wire` for `NodeId`, in which node's store port speaks (decision 0001).
    ("store", &["law", "wire", "ledger", "node"]),
    ("desk", &["law", "wire", "ledger", "node"]),
    ("jukinet", &["law", "wire", "ledger", "token", "node", "store", "desk"]),
    ("lab", &["law", "wire", "ledger", "token", "node", "store"]),
    ("xtask", &[]),
];

/// What tests may use besides: a model of the store plays the disk for the machines.
const TESTS_MAY_USE: &[(&str, &[&str])] = &[("node", &["store"])];

/// Crates that know no time, disk, network or randomness of their own.
pub(super) const PURE: &[&str] = &["law", "wire", "ledger", "token", "node"];

/// All that the pure crates may use from outside: computation, nothing that reaches out.
const PURE_EXTERNAL: &[&str] = &[
    "thiserror",
    "zeroize",
    "subtle",
    "sha2",
    "hmac",
    "hkdf",
    "aes-gcm",
    "scrypt",
    "p256",
    "ed25519-dalek",
    "aws-lc-rs",
    "base64",
    "unicode-normalization",
    "prost",
    "prost-build",
    "protox",
];

/// One dependency of a manifest.
#[derive(Debug, PartialEq, Eq)]
struct Dependency {
    name: String,
    line: usize,
    dev: bool,
}

/// Reads `[dependencies]`, `[dev-dependencies]`, `[build-dependencies]`, `[target.….dependencies]`.
fn dependencies(text: &str) -> Vec<Dependency> {
    let mut found = Vec::new();
    let (mut inside, mut dev) = (false, false);
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(section) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let (table, name) = match section.rsplit_once("dependencies.") {
                Some((table, name)) => (format!("{table}dependencies"), Some(name)),
                None => (section.to_owned(), None),
            };
            inside = table.ends_with("dependencies") && name.is_none();
            dev = table.contains("dev-dependencies");
            if let (true, Some(name)) = (table.ends_with("dependencies"), name) {
                found.push(Dependency { name: name.to_owned(), line: index + 1, dev });
            }
        } else if inside && !line.starts_with('#') {
            let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
            if !name.is_empty() && line.contains('=') {
                found.push(Dependency { name: name.to_owned(), line: index + 1, dev });
            }
        }
    }
    found
}

fn manifests(tree: &Tree) -> impl Iterator<Item = (&str, &str, Vec<Dependency>)> {
    tree.files.iter().filter_map(|file| {
        let krate = file.krate()?;
        (file.path == format!("crates/{krate}/Cargo.toml"))
            .then(|| (krate, file.path.as_str(), dependencies(&file.text)))
    })
}

/// Each crate uses what the table says and nothing else of ours; tests included.
pub(super) fn crate_table(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (krate, path, dependencies) in manifests(tree) {
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == krate) else {
            found.push(Finding::new(path, 0, "a crate without a row in the table of crates"));
            continue;
        };
        for dependency in dependencies {
            let name = dependency.name.strip_prefix("jukinet-").unwrap_or(&dependency.name);
            let ours = MAY_USE.iter().any(|(of_ours, _)| *of_ours == name);
            let mut tests = TESTS_MAY_USE.iter().filter(|(name, _)| *name == krate);
            let in_tests = dependency.dev && tests.any(|(_, more)| more.contains(&name));
            if ours && !allowed.contains(&name) && !in_tests {
                let what = format!("{krate} may not depend on {name}");
                found.push(Finding::new(path, dependency.line, what));
            }
        }
    }
    found
}

/// The pure crates use computation only; what their tests use does not ship.
pub(super) fn pure_dependencies(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (krate, path, dependencies) in manifests(tree) {
        for dependency in dependencies {
            let name = dependency.name.as_str();
            let ours = MAY_USE.iter().any(|(of_ours, _)| *of_ours == name);
            if PURE.contains(&krate) && !dependency.dev && !ours && !PURE_EXTERNAL.contains(&name) {
                let what = format!("{krate} is pure and may not use {name}");
                found.push(Finding::new(path, dependency.line, what));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_are_read_in_each_form() {
        let text = "[package]\nname = \"x\"\n[dependencies]\n# law\nlaw.workspace = true\n\
                    [target.'cfg(unix)'.dependencies]\nnix = \"1\"\n\
                    [dependencies.desk]\npath = \"\"\n\
                    [dev-dependencies]\nlab = { path = \"\" }\n[lints]\nworkspace = true\n";
        let names: Vec<_> =
            dependencies(text).into_iter().map(|found| (found.name, found.dev)).collect();
        let expected = [("law", false), ("nix", false), ("desk", false), ("lab", true)];
        assert_eq!(names, expected.map(|(name, dev)| (name.to_owned(), dev)));
    }

    #[test]
    fn a_dependency_upwards_is_found() {
        let bad = |krate: &str, text| {
            crate_table(&Tree::of(&[(&format!("crates/{krate}/Cargo.toml"), text)])).len()
        };
        assert_eq!(bad("law", "[dependencies]\nthiserror.workspace = true\n"), 0);
        assert_eq!(bad("law", "[dependencies]\nwire.workspace = true\n"), 1);
        assert_eq!(bad("jukinet", "[dev-dependencies]\nlab = { path = \"../lab\" }\n"), 1);
        assert_eq!(bad("lab", "[dependencies]\njukinet = { path = \"../jukinet\" }\n"), 1);
        assert_eq!(bad("xtask", "[dependencies]\njukinet-law = { path = \"../law\" }\n"), 1);
        assert_eq!(bad("node", "[dev-dependencies]\nstore.workspace = true\n"), 0);
        assert_eq!(bad("node", "[dependencies]\nstore.workspace = true\n"), 1);
        assert_eq!(bad("another", ""), 1);
    }

    #[test]
    fn a_pure_crate_with_a_runtime_is_found() {
        let bad = |krate: &str, text| {
            pure_dependencies(&Tree::of(&[(&format!("crates/{krate}/Cargo.toml"), text)])).len()
        };
        assert_eq!(bad("node", "[dependencies]\ntokio.workspace = true\n"), 1);
        assert_eq!(bad("node", "[dev-dependencies]\nproptest.workspace = true\n"), 0);
        assert_eq!(bad("wire", "[build-dependencies]\nprost-build.workspace = true\n"), 0);
        assert_eq!(bad("desk", "[dependencies]\ntokio.workspace = true\n"), 0);
    }
}
