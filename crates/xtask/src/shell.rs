//! Starting other programs: what is run is printed, what fails is named, nothing runs for ever.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Fault, say};

/// How often a program under a time limit is looked at.
const POLL: Duration = Duration::from_millis(100);

/// One call of one program.
#[derive(Debug, Default)]
pub(crate) struct Call<'a> {
    pub(crate) words: &'a [&'a str],
    pub(crate) variables: &'a [(&'a str, &'a str)],
    pub(crate) quiet: bool,
    pub(crate) limit: Option<Duration>,
}

impl Call<'_> {
    fn text(&self) -> String {
        let variables = self.variables.iter().map(|(name, value)| format!("{name}={value}"));
        let words = self.words.iter().map(|word| (*word).to_owned());
        variables.chain(words).collect::<Vec<_>>().join(" ")
    }

    /// Runs it in `root` to its end.
    pub(crate) fn run(&self, root: &Path) -> Result<(), Fault> {
        let text = self.text();
        say(&format!("   $ {text}"));
        let (program, arguments) =
            self.words.split_first().ok_or_else(|| Fault::Stage("nothing to run".to_owned()))?;
        let mut command = Command::new(program);
        command.current_dir(root).args(arguments).envs(self.variables.iter().copied());
        command.stdin(Stdio::null());
        if self.quiet {
            command.stdout(Stdio::null());
        }
        let start = |source| Fault::Start { command: text.clone(), source };
        let mut child = command.spawn().map_err(start)?;
        let begun = Instant::now();
        let status = loop {
            let over = self.limit.is_some_and(|limit| begun.elapsed() > limit);
            let ended = match self.limit {
                None => Some(child.wait().map_err(start)?),
                Some(_) => child.try_wait().map_err(start)?,
            };
            match ended {
                Some(status) => break status,
                None if over => {
                    let _ = child.kill().and_then(|()| child.wait().map(|_| ()));
                    return Err(Fault::Late { command: text, seconds: begun.elapsed().as_secs() });
                }
                None => std::thread::sleep(POLL),
            }
        };
        if status.success() {
            Ok(())
        } else {
            Err(Fault::Status { command: text, status: status.to_string() })
        }
    }
}

/// A program with its arguments.
pub(crate) fn run(root: &Path, words: &[&str]) -> Result<(), Fault> {
    Call { words, ..Call::default() }.run(root)
}

/// What a program prints on stdout.
pub(crate) fn output(root: &Path, words: &[&str]) -> Result<String, Fault> {
    let command = words.join(" ");
    let (program, arguments) =
        words.split_first().ok_or_else(|| Fault::Stage("nothing to run".to_owned()))?;
    let output = Command::new(program)
        .current_dir(root)
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| Fault::Start { command: command.clone(), source })?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(Fault::Status { command, status: output.status.to_string() })
    }
}

/// Whether a program can be started from here.
pub(crate) fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_is_named() {
        let root = crate::root();
        assert!(run(&root, &["true"]).is_ok());
        let fault = run(&root, &["false"]).unwrap_err().to_string();
        assert!(fault.contains("false ended with"), "{fault}");
        let fault = run(&root, &["no-such-program"]).unwrap_err().to_string();
        assert!(fault.contains("could not be started"), "{fault}");
    }

    #[test]
    fn nothing_runs_for_ever() {
        let limit = Some(Duration::from_millis(50));
        let call = Call { words: &["sleep", "600"], limit, ..Call::default() };
        assert!(matches!(call.run(&crate::root()), Err(Fault::Late { .. })));
    }
}
