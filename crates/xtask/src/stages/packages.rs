//! What the full test needs of a Debian machine: a software HSM, card tools, a browser with
//! Japanese fonts, node, PostgreSQL. Missing packages are installed as root and named otherwise.

use std::path::Path;

use crate::shell::{Call, installed};
use crate::{Fault, say};

/// A package, and a file or a program that shows it is there.
const NEEDED: &[(&str, Shown)] = &[
    ("softhsm2", Shown::Program("softhsm2-util")),
    ("opensc", Shown::Program("pkcs11-tool")),
    ("chromium", Shown::Program("chromium")),
    ("fonts-noto-cjk", Shown::Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")),
    ("fonts-morisawa-bizud-gothic", Shown::Path("/usr/share/fonts/truetype/bizud-gothic")),
    ("nodejs", Shown::Program("node")),
    ("npm", Shown::Program("npm")),
    ("postgresql", Shown::Path("/usr/lib/postgresql/15/bin/initdb")),
    ("strace", Shown::Program("strace")),
    ("nftables", Shown::Program("nft")),
    ("iproute2", Shown::Program("ip")),
];

#[derive(Debug, Clone, Copy)]
enum Shown {
    Program(&'static str),
    Path(&'static str),
}

fn missing(is_there: fn(Shown) -> bool) -> Vec<&'static str> {
    NEEDED.iter().filter(|(_, sign)| !is_there(*sign)).map(|(package, _)| *package).collect()
}

fn is_there(sign: Shown) -> bool {
    match sign {
        Shown::Program(program) => installed(program),
        Shown::Path(path) => Path::new(path).exists(),
    }
}

fn is_root() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| {
        status.lines().any(|line| {
            line.strip_prefix("Uid:")
                .is_some_and(|rest| rest.split_whitespace().nth(1) == Some("0"))
        })
    })
}

/// Installs what is missing, or says what is.
pub(super) fn run(root: &Path) -> Result<String, Fault> {
    let wanted = missing(is_there);
    if wanted.is_empty() {
        return Ok(format!("{} packages are there", NEEDED.len()));
    }
    let named = wanted.join(" ");
    if !is_root() {
        let what = format!("missing: {named}; as root: apt-get install {named}");
        return Err(Fault::Stage(what));
    }
    say(&format!("   missing: {named}"));
    let variables = &[("DEBIAN_FRONTEND", "noninteractive")];
    let apt = |words: &[&str]| Call { words, variables, quiet: true, limit: None }.run(root);
    apt(&["apt-get", "update", "--quiet", "--quiet"])?;
    let install = ["apt-get", "install", "--yes", "--no-install-recommends", "--quiet"];
    apt(&[&install[..], &wanted].concat())?;
    match missing(is_there).join(" ") {
        left if left.is_empty() => Ok(format!("installed {named}")),
        left => Err(Fault::Stage(format!("still missing after apt-get install: {left}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(missing(|_| true), Vec::<&str>::new());
        assert_eq!(missing(|_| false).len(), NEEDED.len());
        assert!(!is_there(Shown::Program("no-such-program")));
        assert!(is_there(Shown::Path("/proc")));
    }
}
