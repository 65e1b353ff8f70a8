//! `jukinet resident`: what a resident is shown about her own record.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use law::code::RecordCode;
use node::terminal::Outcome;
use serde_json::json;
use wire::Purpose;

use super::inquire::show_refusal;
use super::operator;
use crate::talk::{Exit, Talk};
use crate::{disk, resident_file};

/// A code file holds one line.
const CODE_FILE_BYTES_MAX: u64 = 64;

#[derive(Debug, Args)]
pub struct ResidentArgs {
    #[command(subcommand)]
    pub verb: ResidentVerb,
}

#[derive(Debug, Subcommand)]
pub enum ResidentVerb {
    /// The resident's provision records with proofs, one self-contained file
    #[command(after_help = "Example:\n  jukinet resident view --config prefecture-13.toml --card \
            mado.card --code-file code.txt --identified-by 運転免許証 --out view.json\n\nCheck the \
            file anywhere, offline: jukinet ledger verify view.json")]
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

pub fn run(args: &ResidentArgs, talk: Talk) -> Exit {
    let ResidentVerb::View(args) = &args.verb;
    let code = match disk::read_text(&args.code_file, CODE_FILE_BYTES_MAX) {
        Ok(text) => text,
        Err(error) => {
            talk.fail(error);
            return Exit::Usage;
        }
    };
    let Ok(code) = RecordCode::parse(code.trim()) else {
        talk.fail(format!(
            "{}: must hold one resident record code, 11 digits with its check digit",
            args.code_file.display()
        ));
        return Exit::Usage;
    };
    let identified_by = args.identified_by.clone();
    let purpose = Purpose::ResidentView { code, identified_by };
    let asked = operator::act(&args.config, &args.card, args.pin_file.as_deref(), |workplace| {
        workplace.sign_query(purpose)
    });
    match asked {
        Ok(Outcome::View(view)) => {
            let document = resident_file::encode(&view);
            if let Err(error) = disk::write_private(&args.out, document.to_string().as_bytes()) {
                talk.fail(error);
                return Exit::Failed;
            }
            let (rows, out) = (view.rows.len(), args.out.display());
            if args.json {
                talk.json(&json!({"rows": rows, "out": out.to_string()}));
            } else {
                talk.say(format!("{rows} records written to {out}"));
            }
            Exit::Ok
        }
        Ok(Outcome::Refused(refusal)) => {
            show_refusal(&refusal, args.json, talk);
            Exit::Refused
        }
        Ok(Outcome::Unavailable(reason)) => {
            talk.fail(format!("no answer: {reason}"));
            Exit::Unreachable
        }
        Ok(_) => {
            talk.fail("the server answered something else than was asked");
            Exit::Failed
        }
        Err(stopped) => stopped.tell(args.json, talk),
    }
}
