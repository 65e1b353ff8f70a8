//! `jukinet inquire`: an immediate inquiry (即時提供) from a terminal, signed by the operator card.

use std::path::PathBuf;

use clap::Args;

use crate::talk::{Exit, Talk};

/// Options of `inquire`. Debug is by hand: what is asked is personal.
#[derive(Args)]
#[command(after_help = "Examples:\n  jukinet inquire --config agency-1.toml --card kai.card --affair 1-74-1 --case 2026-11 --code 12345678901\n  jukinet inquire --config agency-1.toml --card kai.card --affair 1-74-1 --case 2026-11 --name \"住基 太郎\" --birth 1985-04-01")]
pub struct InquireArgs {
    /// The configuration of the terminal
    #[arg(long, value_name = "TERMINAL.toml")]
    pub config: PathBuf,
    /// The operator card to insert; its PIN is read from --pin-file or CARD with .pin
    #[arg(long, value_name = "CARD")]
    pub card: PathBuf,
    /// The file that holds the card PIN
    #[arg(long, value_name = "FILE")]
    pub pin_file: Option<PathBuf>,
    /// The affair, as table-item-number
    #[arg(long, value_name = "AFFAIR")]
    pub affair: String,
    /// The case number the inquiry belongs to
    #[arg(long, value_name = "NO")]
    pub case: String,
    /// Whom to ask: center (default) or a prefecture, as prefecture:13
    #[arg(long, value_name = "ORGAN")]
    pub responder: Option<String>,
    /// Resident record code
    #[arg(long, value_name = "CODE", conflicts_with_all = ["name", "address", "birth"])]
    pub code: Option<String>,
    /// Family and given name joined by one space
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Address, beginning with the prefecture
    #[arg(long, value_name = "ADDRESS", conflicts_with = "birth")]
    pub address: Option<String>,
    /// Date of birth: ISO, or with an era as S60.4.1
    #[arg(long, value_name = "DATE")]
    pub birth: Option<String>,
    /// The keys given are prefixes; the legal minimums apply
    #[arg(long)]
    pub prefix: bool,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

impl std::fmt::Debug for InquireArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InquireArgs(…)")
    }
}

pub fn run(_args: &InquireArgs, talk: Talk) -> Exit {
    talk.fail("inquire is not built yet");
    Exit::Failed
}
