//! The trace of a run: every event in a line, hashed. Two runs of one seed give one hash.
//!
//! Lines name nodes, messages and digests, never a person; the last ones are kept for a failure.

use std::collections::VecDeque;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// Lines kept for the report of a failure.
const LINES_KEPT_MAX: usize = 60;

pub(super) struct Trace {
    hash: Sha256,
    last: VecDeque<String>,
    watch: Option<fn(u64, &str)>,
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Trace({} lines kept)", self.last.len())
    }
}

impl Trace {
    pub(super) fn new(watch: Option<fn(u64, &str)>) -> Self {
        Self { hash: Sha256::new(), last: VecDeque::new(), watch }
    }

    /// Add a line at a virtual time.
    pub(super) fn line(&mut self, at_ms: u64, text: std::fmt::Arguments<'_>) {
        let line = format!("{:>9}.{:03} {text}", at_ms / 1_000, at_ms % 1_000);
        self.hash.update(line.as_bytes());
        self.hash.update(b"\n");
        if let Some(watch) = self.watch {
            watch(at_ms, &line);
        }
        if self.last.len() == LINES_KEPT_MAX {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    pub(super) fn finish(self) -> (String, Vec<String>) {
        let mut hex = String::with_capacity(64);
        for byte in self.hash.finalize() {
            write!(hex, "{byte:02x}").unwrap_or(());
        }
        (hex, self.last.into())
    }
}
