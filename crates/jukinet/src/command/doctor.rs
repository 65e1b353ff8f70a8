//! `jukinet doctor`: what is wrong with this node and what to do. No personal data in it.

use std::path::PathBuf;

use clap::Args;

use crate::talk::{Exit, Talk};

/// Options of `doctor`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  jukinet doctor --config center.toml --json")]
pub struct DoctorArgs {
    /// The configuration of the node to look at
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

pub fn run(_args: &DoctorArgs, talk: Talk) -> Exit {
    talk.fail("doctor is not built yet");
    Exit::Failed
}
