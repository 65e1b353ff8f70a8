//! `jukinet demo`: raises a country on loopback as real processes and tells its story.

use std::path::PathBuf;

use clap::Args;

use crate::talk::{Exit, Talk};

/// Options of `demo`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  jukinet demo\n  jukinet demo --once --json\n  jukinet demo --residents 20000 --dir ./country")]
pub struct DemoArgs {
    /// Synthetic residents to load
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    pub residents: u64,
    /// Seed of the population: the same seed gives the same people
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// Keep state, configurations and cards here
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Run the story, verify, stop; exit 0 only if every check held
    #[arg(long)]
    pub once: bool,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

pub fn run(_args: &DemoArgs, talk: Talk) -> Exit {
    talk.fail("demo is not built yet");
    Exit::Failed
}
