//! The packages that the peers of the benches run from: Debian's, and a Python environment of
//! their own from the pinned list. Installed only when somebody asks for it; a bench that misses
//! one names it and the command.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::LiveError;

/// What installs them all.
pub(crate) const COMMAND: &str = "jukilab bench peers install";
/// Debian's packages; the version of PostgreSQL is part of what is compared.
const DEBIAN: [(&str, &str); 4] = [
    ("postgresql-15", "/usr/lib/postgresql/15/bin/postgres"),
    ("postgresql-15-pgaudit", "/usr/lib/postgresql/15/lib/pgaudit.so"),
    ("nginx-light", "/usr/sbin/nginx"),
    ("python3-venv", "/usr/lib/python3.11/ensurepip/__init__.py"),
];
const REQUIREMENTS: &str = include_str!("../../peers/requirements.txt");
const PYTHON: &str = "/usr/bin/python3";

/// One package and the file that shows that it is there.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) package: String,
    pub(crate) path: PathBuf,
    pub(crate) there: bool,
}

/// Where the Python environment is: `JUKILAB_PEERS`, else in the user's cache.
fn environment() -> PathBuf {
    let cache = || {
        let home = std::env::var_os("HOME").map_or_else(std::env::temp_dir, PathBuf::from);
        home.join(".cache/jukilab/peers")
    };
    std::env::var_os("JUKILAB_PEERS").map_or_else(cache, PathBuf::from)
}

/// The program that serves the HTTP side of a peer.
pub(crate) fn uvicorn() -> PathBuf {
    environment().join("bin/uvicorn")
}

/// nginx, as Debian installs it.
pub(crate) fn nginx() -> PathBuf {
    PathBuf::from("/usr/sbin/nginx")
}

/// Every package, and whether it is there.
pub(crate) fn parts() -> Vec<Part> {
    let debian = DEBIAN.iter().map(|(package, path)| ((*package).to_owned(), PathBuf::from(path)));
    let python = std::iter::once(("uvicorn, asyncpg and others".to_owned(), uvicorn()));
    debian
        .chain(python)
        .map(|(package, path)| Part { there: path.exists(), package, path })
        .collect()
}

/// Refuses with the names of what is missing and the command that installs it.
pub(crate) fn require() -> Result<(), LiveError> {
    missing(&parts())
}

fn missing(parts: &[Part]) -> Result<(), LiveError> {
    let names: Vec<&str> =
        parts.iter().filter(|part| !part.there).map(|part| part.package.as_str()).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(LiveError::Peer(format!("{} not installed; run: {COMMAND}", names.join(", "))))
}

/// apt-get for Debian's packages, then the Python environment; what they say goes to stderr.
pub(crate) fn install() -> Result<(), LiveError> {
    let wanted: Vec<&str> = DEBIAN.iter().map(|(package, _)| *package).collect();
    let there = DEBIAN.iter().all(|(_, path)| Path::new(path).exists());
    if !there {
        run(Command::new("apt-get").arg("update"))?;
        let mut apt = Command::new("apt-get");
        // The servers are started by the benches, each in a folder of its own, not by the system.
        apt.env("RUNLEVEL", "1").env("DEBIAN_FRONTEND", "noninteractive");
        run(apt.args(["install", "--yes", "--no-install-recommends"]).args(wanted))?;
    }
    let environment = environment();
    let list = environment.join("requirements.txt");
    run(Command::new(PYTHON).args(["-m", "venv"]).arg(&environment))?;
    std::fs::write(&list, REQUIREMENTS).map_err(LiveError::file(&list))?;
    let pip = environment.join("bin/pip");
    run(Command::new(pip).args(["install", "--quiet", "--requirement"]).arg(&list))
}

fn run(command: &mut Command) -> Result<(), LiveError> {
    let name = command.get_program().to_string_lossy().into_owned();
    let ended = command.stdin(Stdio::null()).stdout(std::io::stderr()).status();
    let ended = ended.map_err(|error| LiveError::Peer(format!("{name}: {error}")))?;
    if ended.success() {
        return Ok(());
    }
    Err(LiveError::Peer(format!("{name} ended with {ended}; apt-get has to be run by root")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_the_command_that_installs_it() {
        let part = |package: &str, there| Part {
            package: package.to_owned(),
            path: PathBuf::new(),
            there,
        };
        assert!(missing(&[part("nginx-light", true)]).is_ok());
        let refused = missing(&[part("nginx-light", false), part("postgresql-15", true)]);
        let said = refused.unwrap_err().to_string();
        assert!(said.contains("nginx-light") && said.contains(COMMAND), "{said}");
        assert!(!said.contains("postgresql-15"), "{said}");
    }

    #[test]
    fn every_python_package_is_pinned() {
        let lines = REQUIREMENTS.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let pinned = lines.clone().filter(|line| line.split("==").count() == 2).count();
        assert!(pinned >= 5 && pinned == lines.count());
    }
}
