//! `jukinet code`: check digit and shape of resident record codes (住民票コード), and drawing new ones.
//! Not the designation of codes to residents: that is a prefecture's act.

use clap::{Args, Subcommand};
use law::code::RecordCode;
use serde_json::json;

use crate::dice;
use crate::talk::{Exit, Talk};

/// One call designates codes for a prefecture's new residents of a while, not for a country.
const CODES_DRAWN_MAX: u32 = 1_000_000;

/// Ten random digits: 10^10 numbers.
const NUMBERS: u64 = 10_000_000_000;

#[derive(Debug, Args)]
pub struct CodeArgs {
    #[command(subcommand)]
    verb: CodeVerb,
}

#[derive(Debug, Subcommand)]
enum CodeVerb {
    /// Check the shape and the check digit of a code
    #[command(after_help = "Example:\n  \
        jukinet code check 12345678901\n\n\
        Exit codes: 0 right, 3 wrong.")]
    Check(CheckArgs),
    /// Draw new codes from the operating system's generator
    #[command(after_help = "Example:\n  \
        jukinet code new --count 10")]
    New(NewArgs),
}

#[derive(Args)]
struct CheckArgs {
    /// The code: 11 digits, leading zeros kept
    code: String,
    /// One JSON document on stdout
    #[arg(long)]
    json: bool,
}

/// A code is personal: it is not printed by accident.
impl std::fmt::Debug for CheckArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CheckArgs(…)")
    }
}

#[derive(Debug, Args)]
struct NewArgs {
    /// How many
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=i64::from(CODES_DRAWN_MAX))
    )]
    count: u32,
    /// One JSON document on stdout
    #[arg(long)]
    json: bool,
}

pub fn run(args: &CodeArgs, talk: Talk) -> Exit {
    match &args.verb {
        CodeVerb::Check(args) => check(args, talk),
        CodeVerb::New(args) => draw(args, talk),
    }
}

fn check(args: &CheckArgs, talk: Talk) -> Exit {
    let checked = RecordCode::parse(&args.code);
    match (&checked, args.json) {
        (Ok(_), true) => talk.json(&json!({"ok": true})),
        (Ok(_), false) => talk.data("ok"),
        (Err(error), true) => talk.json(&json!({"ok": false, "problem": error.to_string()})),
        (Err(error), false) => talk.data(error),
    }
    if checked.is_ok() { Exit::Ok } else { Exit::Defect }
}

fn draw(args: &NewArgs, talk: Talk) -> Exit {
    let mut codes = Vec::new();
    while codes.len() < usize::try_from(args.count).unwrap_or(usize::MAX) {
        match RecordCode::from_ten_digits(below(NUMBERS)) {
            Ok(code) => codes.push(code),
            Err(error) => {
                talk.fail(error);
                return Exit::Failed;
            }
        }
    }
    if args.json {
        let codes: Vec<&str> = codes.iter().map(RecordCode::expose).collect();
        talk.json(&json!({ "codes": codes }));
    } else {
        codes.iter().for_each(|code| talk.data(code.expose()));
    }
    Exit::Ok
}

/// Uniform below `bound`: draws that would favour small numbers are thrown away.
fn below(bound: u64) -> u64 {
    let limit = u64::MAX - u64::MAX % bound;
    loop {
        let drawn = u64::from_le_bytes(dice::array());
        if drawn < limit {
            return drawn % bound;
        }
    }
}
