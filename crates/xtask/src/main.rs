//! Chores of the repository: `cargo xtask test`, `tidy`, `golden`. It uses nothing of ours, so that
//! it can judge everything of ours, and it is not shipped.

mod licences;
mod shell;
mod stages;
mod tidy;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use thiserror::Error;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  test [--only STAGE]...  everything a commit must pass; --list names the stages
  tidy                    the rules that no compiler holds
  golden                  write the golden files anew, for `git diff`
  licences                licences and origins of every dependency
";

/// What can go wrong with a chore.
#[derive(Debug, Error)]
pub(crate) enum Fault {
    #[error("{command} could not be started: {source}; is it installed?")]
    Start { command: String, source: std::io::Error },
    #[error("{command} ended with {status}")]
    Status { command: String, status: String },
    #[error("{command} was still running after {seconds} s and was stopped")]
    Late { command: String, seconds: u64 },
    #[error("{0}")]
    Stage(String),
    /// Already said, stage by stage; the count stays the last line.
    #[error("some stages failed")]
    Counted,
    #[error("{0}\n\n{USAGE}")]
    Usage(String),
}

/// One line on stdout; a closed pipe is no reason to fail.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// The repository this program was built from.
pub(crate) fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).map_or_else(|| here.clone(), PathBuf::from)
}

fn run(arguments: &[String]) -> Result<(), Fault> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let root = root();
    let single = |outcome: Result<String, Fault>| outcome.map(|line| say(&format!("ok: {line}")));
    match words.as_slice() {
        ["test", "--list"] => {
            stages::list();
            Ok(())
        }
        ["test", rest @ ..] => stages::test(&root, &only(rest)?),
        ["tidy"] => single(tidy::run(&root)),
        ["golden"] => single(stages::write_goldens(&root)),
        ["licences"] => single(licences::run(&root)),
        ["help" | "--help"] => {
            say(USAGE.trim_end());
            Ok(())
        }
        [] => Err(Fault::Usage("no command".to_owned())),
        [other, ..] => Err(Fault::Usage(format!("unknown command or option near `{other}`"))),
    }
}

/// The stages named by `--only STAGE`, once each.
fn only<'a>(rest: &[&'a str]) -> Result<Vec<&'a str>, Fault> {
    rest.chunks(2)
        .map(|pair| match pair {
            ["--only", stage] => Ok(*stage),
            _ => Err(Fault::Usage("test takes --list or --only STAGE".to_owned())),
        })
        .collect()
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Fault::Counted) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("xtask: {fault}");
            ExitCode::from(if matches!(fault, Fault::Usage(_)) { 2 } else { 1 })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_in_pairs() {
        assert_eq!(only(&["--only", "fmt", "--only", "tidy"]).unwrap(), ["fmt", "tidy"]);
        assert!(only(&["--only"]).is_err());
        assert!(only(&["fmt"]).is_err());
    }

    #[test]
    fn the_root_is_where_the_workspace_is() {
        assert!(root().join("Cargo.lock").exists());
    }
}
