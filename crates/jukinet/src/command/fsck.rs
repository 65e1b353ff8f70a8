//! `jukinet fsck`: store, ledger, keys and their cross-references.

use std::path::PathBuf;

use clap::Args;

use crate::talk::{Exit, Talk};

/// Options of `fsck`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  jukinet fsck --config center.toml")]
pub struct FsckArgs {
    /// The configuration of the node to check
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

pub fn run(_args: &FsckArgs, talk: Talk) -> Exit {
    talk.fail("fsck is not built yet");
    Exit::Failed
}
