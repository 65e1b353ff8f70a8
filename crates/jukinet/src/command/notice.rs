//! `jukinet notice`: change notices from the existing resident register system (既存住基システム).

use std::path::PathBuf;

use clap::Args;

use crate::talk::{Exit, Talk};

/// Options of `notice`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  jukinet notice --config municipality-132152.toml --file changes.csv")]
pub struct NoticeArgs {
    /// The configuration of the municipality that notifies
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Change notices: CSV with a header, UTF-8
    #[arg(long, value_name = "FILE")]
    pub file: PathBuf,
    /// Where rejected rows are written: row, column, rule
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

pub fn run(_args: &NoticeArgs, talk: Talk) -> Exit {
    talk.fail("notice is not built yet");
    Exit::Failed
}
