//! `jukinet inquire`: an immediate inquiry (即時提供) from a terminal, signed by the operator card.

use std::io::Read;
use std::path::PathBuf;

use clap::Args;
use law::inquiry::ProvidedPerson;
use law::query::QueryDraft;
use node::terminal::{InquiryForm, Outcome};
use serde_json::{Value, json};
use wire::{Answer, Refusal};

use super::operator::{self, Stopped};
use crate::disk;
use crate::talk::{Exit, Talk};

/// A query is a few lines.
const QUERY_FILE_BYTES_MAX: u64 = 16_384;

/// Options of `inquire`. Debug is by hand: what is asked is personal.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  jukinet inquire --config agency-1.toml --card kai.card --affair \
        1-74-1 --case 2026-11 --code 12345678901\n  jukinet inquire --config agency-1.toml \
        --card kai.card --affair 1-74-1 --case 2026-11 --name \"住基 太郎\" --birth 1985-04-01\n\n\
        The affair's table says which server answers. Exit codes: 0 answered (also with nobody\n\
        found), 4 refused by rule, 5 not reachable."
)]
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
    /// Read code, name, address, birth and prefix from a TOML file instead, or from standard input
    /// with "-": other users of the machine can see a command line, but not this
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["code", "name", "address", "birth", "prefix"]
    )]
    pub query_file: Option<PathBuf>,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

impl std::fmt::Debug for InquireArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InquireArgs(…)")
    }
}

pub fn run(args: &InquireArgs, talk: Talk) -> Exit {
    let query = match draft(args) {
        Ok(query) => query,
        Err(why) => {
            talk.fail(why);
            return Exit::Usage;
        }
    };
    let form = InquiryForm { affair: args.affair.clone(), case_number: args.case.clone(), query };
    let asked = operator::act(&args.config, &args.card, args.pin_file.as_deref(), |workplace| {
        workplace.sign_inquiry(form)
    });
    match asked {
        Ok(Outcome::Answered(answer)) => {
            show_answer(&answer, args.json, talk);
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
        Ok(Outcome::View(_) | Outcome::Status(_)) => {
            talk.fail("the server answered something else than was asked");
            Exit::Failed
        }
        Err(stopped) => stopped.tell(args.json, talk),
    }
}

/// The keys, from the options or from the file.
fn draft(args: &InquireArgs) -> Result<QueryDraft, String> {
    let Some(file) = &args.query_file else {
        return Ok(QueryDraft {
            code: args.code.clone(),
            name: args.name.clone(),
            address: args.address.clone(),
            birth: args.birth.as_deref().map(birth_text),
            prefix: args.prefix,
        });
    };
    let text = if file.as_os_str() == "-" {
        let mut text = String::new();
        let read = std::io::stdin().take(QUERY_FILE_BYTES_MAX).read_to_string(&mut text);
        read.map_err(|error| format!("standard input: {error}"))?;
        text
    } else {
        disk::read_text(file, QUERY_FILE_BYTES_MAX).map_err(|error| error.to_string())?
    };
    // The parser's own text would quote the line: what stands in it stays out of the message.
    let keys: QueryFile = toml::from_str(&text).map_err(|_| {
        format!(
            "{}: must be TOML with code, name, address, birth (texts) and prefix (true or false)",
            file.display()
        )
    })?;
    let birth = keys.birth.as_deref().map(birth_text);
    let QueryFile { code, name, address, prefix, .. } = keys;
    Ok(QueryDraft { code, name, address, birth, prefix })
}

/// A query as a file.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct QueryFile {
    code: Option<String>,
    name: Option<String>,
    address: Option<String>,
    birth: Option<String>,
    #[serde(default)]
    prefix: bool,
}

/// A date with an era becomes ISO; anything else goes as it is and is judged by law.
fn birth_text(text: &str) -> String {
    law::time::parse_wareki(text).map_or_else(|_| text.to_owned(), |date| date.to_string())
}

fn show_answer(answer: &Answer, json: bool, talk: Talk) {
    if json {
        let hits: Vec<Value> = answer.persons.iter().map(person_json).collect();
        talk.json(&json!({
            "receipt": {"ledger": answer.ledger, "index": answer.index},
            "hits": hits,
        }));
        return;
    }
    for person in &answer.persons {
        talk.data(person_line(person));
    }
    let seen = match answer.persons.len() {
        0 => "nobody found; the inquiry is".to_owned(),
        1 => "1 found, who can see that she was;".to_owned(),
        count => format!("{count} found, who can see that they were;"),
    };
    talk.say(format!("{seen} recorded as {} #{}", answer.ledger, answer.index));
}

/// The edge encoder: the one place of this command where what was provided becomes text.
fn person_json(person: &ProvidedPerson) -> Value {
    let mut hit = json!({
        "name": person.name.expose(),
        "kana": person.kana.expose(),
        "address": person.address.expose(),
        "sex": person.sex.code().to_string(),
        "birth": person.birth.expose(),
    });
    if let Some(object) = hit.as_object_mut() {
        if let Some(code) = &person.code {
            object.insert("record_code".to_owned(), json!(code.expose()));
        }
        if let Some(change) = &person.change {
            let change = json!({"reason": change.reason.key(), "on": change.on.to_string()});
            object.insert("change".to_owned(), change);
        }
    }
    hit
}

fn person_line(person: &ProvidedPerson) -> String {
    let code = person.code.as_ref().map_or("-", |code| code.expose());
    format!(
        "{code}\t{}\t{}\t{}\t{}\t{}",
        person.name.expose(),
        person.kana.expose(),
        person.address.expose(),
        person.sex.code(),
        person.birth.expose()
    )
}

pub(super) fn show_refusal(refusal: &Refusal, json: bool, talk: Talk) {
    Stopped::Refused {
        rule: refusal.rule.clone(),
        law: refusal.law.clone(),
        hint: refusal.hint.clone(),
        hint_en: refusal.hint_en.clone(),
    }
    .tell(json, talk);
}
