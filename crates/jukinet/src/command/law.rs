//! `jukinet law`: the appended tables (別表) as data, and what they allow.
//! Not a decision of its own: `law` decides, this prints.

use clap::{Args, Subcommand};
use law::time::Date;
use law::{Affair, AgencyCode, Channel, Denial, Epoch, affair};
use serde_json::{Value, json};

use crate::clock;
use crate::talk::{Exit, Talk};

#[derive(Debug, Args)]
pub struct LawArgs {
    #[command(subcommand)]
    verb: LawVerb,
}

#[derive(Debug, Subcommand)]
enum LawVerb {
    /// List the affairs of the appended tables
    #[command(after_help = "Examples:\n  \
        jukinet law affairs --json\n  \
        jukinet law affairs --epoch today --agency A074")]
    Affairs(AffairsArgs),
    /// Whether an agency may receive identity confirmation information for an affair
    #[command(after_help = "Example:\n  \
        jukinet law may --agency A074 --affair 1-74-1 --channel immediate --on 2013-11-22\n\n\
        Exit codes: 0 allowed, 4 refused by rule.")]
    May(MayArgs),
}

#[derive(Debug, Args)]
struct AffairsArgs {
    /// Edition of the tables: 2013 or today
    #[arg(long, value_name = "E", value_parser = Epoch::parse)]
    epoch: Option<Epoch>,
    /// Only those of this agency, as A074
    #[arg(long, value_name = "A", value_parser = AgencyCode::parse)]
    agency: Option<AgencyCode>,
    /// One JSON document on stdout
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct MayArgs {
    /// The agency, as A074
    #[arg(long, value_name = "A", value_parser = AgencyCode::parse)]
    agency: AgencyCode,
    /// The affair, as table-item-number
    #[arg(long, value_name = "F")]
    affair: String,
    /// immediate (即時提供) or batch (一括提供)
    #[arg(long, value_name = "CHANNEL", value_parser = channel)]
    channel: Channel,
    /// The day it is asked on; today when absent
    #[arg(long, value_name = "DATE", value_parser = Date::parse)]
    on: Option<Date>,
    /// Edition of the tables: 2013 (the system as described) or today
    #[arg(long, value_name = "E", value_parser = Epoch::parse, default_value = "2013")]
    epoch: Epoch,
    /// One JSON document on stdout
    #[arg(long)]
    json: bool,
}

fn channel(text: &str) -> Result<Channel, &'static str> {
    Channel::parse(text).ok_or("must be immediate or batch")
}

pub fn run(args: &LawArgs, talk: Talk) -> Exit {
    match &args.verb {
        LawVerb::Affairs(args) => affairs(args, talk),
        LawVerb::May(args) => may(args, talk),
    }
}

fn affairs(args: &AffairsArgs, talk: Talk) -> Exit {
    let epochs = args.epoch.map_or_else(|| Epoch::ALL.to_vec(), |epoch| vec![epoch]);
    let mut rows: Vec<&Affair> = Vec::new();
    for epoch in epochs {
        match &args.agency {
            Some(agency) => rows.extend(affair::affairs_of(epoch, agency)),
            None => rows.extend(affair::affairs(epoch)),
        }
    }
    if args.json {
        talk.json(&rows.into_iter().map(row_json).collect());
    } else {
        for row in rows {
            let epoch = row.epoch.key();
            talk.data(format!("{epoch}\t{}\t{}\t{}", row.id, row.recipient, row.text));
        }
    }
    Exit::Ok
}

/// The shape that scripts rely on.
fn row_json(row: &Affair) -> Value {
    json!({
        "epoch": row.epoch.key(),
        "table": row.id.table(),
        "item": row.id.item(),
        "recipient": row.recipient,
        "affair_no": row.id.no(),
        "affair": row.text,
        "from": row.from.to_string(),
        "to": row.to.map(|to| to.to_string()),
    })
}

fn may(args: &MayArgs, talk: Talk) -> Exit {
    let on = args.on.unwrap_or_else(|| clock::now().date_in_japan());
    match law::may(&args.agency, &args.affair, args.channel, on, args.epoch) {
        Ok(row) => {
            allowed(args, row, talk);
            Exit::Ok
        }
        Err(denial) => {
            refusal(denial, args.json, talk);
            Exit::Refused
        }
    }
}

fn allowed(args: &MayArgs, row: &Affair, talk: Talk) {
    let law = row.article();
    if args.json {
        let mut document = row_json(row);
        if let Some(fields) = document.as_object_mut() {
            fields.insert("allowed".to_owned(), json!(true));
            fields.insert("law".to_owned(), json!(law));
            fields.insert("channel".to_owned(), json!(args.channel.key()));
        }
        talk.json(&document);
    } else {
        talk.data(format!("allowed\t{law}\t{}\t{}", row.recipient, row.text));
    }
}

/// A refusal as every command prints it: rule, law, hint, from the public mapping only.
pub fn refusal(denial: Denial, as_json: bool, talk: Talk) {
    let public = denial.public();
    let (rule, law, hint) = (public.rule, public.law, public.hint);
    if as_json {
        talk.json(&json!({"refusal": {"rule": rule, "law": law, "hint": hint}}));
    } else {
        talk.data(format!("refused\t{rule}\t{law}\t{hint}"));
    }
}
