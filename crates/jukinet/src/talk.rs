//! What goes to the screen: data to stdout, talk to stderr, and the exit code.
//! Not a log: what a running role has to say goes through `tracing`.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use serde_json::Value;

/// How a command ended; scripts rely on the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Ok = 0,
    Failed = 1,
    /// Wrong usage or a bad configuration.
    Usage = 2,
    /// A verification found a defect.
    Defect = 3,
    /// Refused by a rule.
    Refused = 4,
    Unreachable = 5,
    /// Some rows were rejected.
    Partial = 6,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// How much a command may say, and whether it may ask.
#[derive(Clone, Copy, Debug)]
pub struct Talk {
    pub quiet: bool,
    pub no_input: bool,
}

impl Talk {
    /// One line of data. A closed pipe (`| head`) is the reader's choice, not an error.
    pub fn data(self, line: impl Display) {
        let _ = writeln!(io::stdout().lock(), "{line}");
    }

    /// One JSON document of data.
    pub fn json(self, document: &Value) {
        self.data(document);
    }

    /// Something for the person at the keyboard; silent with `--quiet`.
    pub fn say(self, line: impl Display) {
        if !self.quiet {
            let _ = writeln!(io::stderr().lock(), "{line}");
        }
    }

    /// Why it did not work; never silent.
    pub fn fail(self, line: impl Display) {
        let _ = writeln!(io::stderr().lock(), "{line}");
    }

    /// Whether colour and progress bars are welcome on stderr.
    #[must_use]
    pub fn decorate(self) -> bool {
        !self.quiet
            && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
            && io::stderr().is_terminal()
    }

    /// Whether a question may be asked.
    #[must_use]
    pub fn may_ask(self) -> bool {
        !self.no_input && io::stdin().is_terminal()
    }
}
