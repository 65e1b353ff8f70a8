//! `jukinet resident`: what a resident is shown about her own record.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::talk::{Exit, Talk};

#[derive(Debug, Args)]
pub struct ResidentArgs {
    #[command(subcommand)]
    pub verb: ResidentVerb,
}

#[derive(Debug, Subcommand)]
pub enum ResidentVerb {
    /// The resident's provision records with proofs, one self-contained file
    #[command(
        after_help = "Example:\n  jukinet resident view --config prefecture-13.toml --card mado.card --code-file code.txt --identified-by 運転免許証 --out view.json"
    )]
    View(ViewArgs),
}

/// Options of `resident view`.
#[derive(Debug, Args)]
pub struct ViewArgs {
    /// The configuration of the disclosure desk's terminal
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// The operator card of the disclosure clerk; its PIN is read from --pin-file or CARD with .pin
    #[arg(long, value_name = "CARD")]
    pub card: PathBuf,
    /// The file that holds the card PIN
    #[arg(long, value_name = "FILE")]
    pub pin_file: Option<PathBuf>,
    /// A file holding the resident record code, so that it stays out of the shell's history
    #[arg(long, value_name = "FILE")]
    pub code_file: PathBuf,
    /// How the resident was identified at the counter
    #[arg(long, value_name = "TEXT")]
    pub identified_by: String,
    /// Where the file is written
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

pub fn run(_args: &ResidentArgs, talk: Talk) -> Exit {
    talk.fail("resident view is not built yet");
    Exit::Failed
}
