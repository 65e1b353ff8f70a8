//! `jukinet set-aside`: moves that wait and notices that could not be applied, and how one of them
//! is let go. Never shows who it is about: the sender finds the person by its own number.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use ledger::entry::{Entry, EntryKind};
use node::ports::{FactPlace, Leaf, NewEntry, Reads, Space, Store as _, Write};
use serde_json::{Value, json};
use store::Publish as _;
use wire::{Arrival, NodeId, Role, SetAsideNotice, WaitingNotices};

use crate::config::{self, NodeConfig};
use crate::runner::keys::LedgerSigner;
use crate::runner::process::{open_store, open_store_read_only};
use crate::talk::{Exit, Talk};
use crate::{clock, dice, token_file};

/// Facts read in one look-up.
const PAGE_COUNT_MAX: usize = 256;
/// Longest remark that a ledger entry takes.
const BECAUSE_CHARACTERS_MAX: usize = 120;

/// Options of `set-aside`.
#[derive(Debug, Args)]
pub struct SetAsideArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// What waits and what was set aside, with the rule; nobody's data
    #[command(
        after_help = "Example:\n  jukinet set-aside list --config municipality.toml\n\nMay run \
            beside the running node.\nExit codes: 0 nothing is set aside, 2 bad configuration, 6 \
            something is."
    )]
    List(ListArgs),
    /// Let one of them go, on a stopped node; the ledger keeps that and why
    #[command(after_help = "Example:\n  jukinet set-aside drop --config prefecture.toml --from \
            municipality-132152 \\\n    --number 71 --because \"sent again as 75\"\n\nAn arrival \
            of a municipality has the number that `list` shows.\nExit codes: 0 gone, 1 the node \
            runs, 2 bad usage, 4 there is none of that number.")]
    Drop(DropArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    /// The configuration of the node
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// One JSON document on stdout
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct DropArgs {
    /// The configuration of the node
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Who sent it, or who above set it aside, as `list` shows it
    #[arg(long, value_name = "NODE")]
    from: String,
    /// Its number, as `list` shows it
    #[arg(long, value_name = "NUMBER")]
    number: String,
    /// Why, for the ledger: ASCII, nobody's data
    #[arg(long, value_name = "WORDS", value_parser = because)]
    because: String,
}

fn because(text: &str) -> Result<String, String> {
    let fits = (1..=BECAUSE_CHARACTERS_MAX).contains(&text.len());
    if fits && text.trim() == text && text.chars().all(|c| (' '..='~').contains(&c)) {
        return Ok(text.to_owned());
    }
    Err(format!("give 1 to {BECAUSE_CHARACTERS_MAX} printable ASCII characters"))
}

pub fn run(args: &SetAsideArgs, talk: Talk) -> Exit {
    let ended = match &args.verb {
        Verb::List(args) => list(args, talk),
        Verb::Drop(args) => drop_one(args, talk),
    };
    ended.unwrap_or_else(|(exit, why)| {
        talk.fail(why);
        exit
    })
}

type Stopped = (Exit, String);

fn failed(error: &dyn std::fmt::Display) -> Stopped {
    (Exit::Failed, error.to_string())
}

/// One thing that stands aside.
struct Aside {
    kind: &'static str,
    from: String,
    /// The sender's number; of an arrival, the place it is kept at, which stays its own.
    number: String,
    rule: String,
    since: String,
    /// What letting it go changes in the store.
    gone: Write,
}

fn list(args: &ListArgs, talk: Talk) -> Result<Exit, Stopped> {
    let node = config::load_node(&args.config).map_err(|e| (Exit::Usage, e.to_string()))?;
    let token = token_file::open(&node.token).map_err(|error| failed(&error))?;
    let store = open_store_read_only(&node, &token).map_err(|error| failed(&error))?;
    let all = everything(&node, store.reads())?;
    if args.json {
        let rows: Vec<Value> = all
            .iter()
            .map(|one| {
                json!({
                    "kind": one.kind, "from": one.from, "number": one.number,
                    "rule": one.rule, "since": one.since,
                })
            })
            .collect();
        talk.json(&json!({"node": node.node.as_str(), "set_aside": rows}));
    } else {
        for Aside { kind, from, number, rule, since, .. } in &all {
            talk.data(format!("{since}  {kind:<8} {from:<24} {number:>16}  {rule}"));
        }
        talk.say(format!("{}: {} set aside or waiting", node.node, all.len()));
    }
    Ok(if all.is_empty() { Exit::Ok } else { Exit::Partial })
}

/// All that stands aside, oldest first.
fn everything(node: &NodeConfig, reads: &dyn Reads) -> Result<Vec<Aside>, Stopped> {
    let mut all = Vec::new();
    for_each(reads, Space::SetAside, |bytes| {
        let kept = SetAsideNotice::decode(bytes).map_err(|error| failed(&error))?;
        let key = Space::of_queue(&kept.from, kept.sequence);
        all.push(aside("refused", &kept, Write::DropFact { space: Space::SetAside, key }));
        Ok(())
    })?;
    if node.role != Role::Municipality {
        for_each(reads, Space::Arrival, |bytes| {
            let waiting = WaitingNotices::decode(bytes).map_err(|error| failed(&error))?;
            for kept in &waiting.notices {
                all.push(aside("early", kept, without(&waiting, kept)?));
            }
            Ok(())
        })?;
    } else {
        all.extend(arrivals(reads)?);
    }
    all.sort_by(|a, b| a.since.cmp(&b.since));
    Ok(all)
}

/// The same person's other notices go on waiting.
fn without(waiting: &WaitingNotices, gone: &SetAsideNotice) -> Result<Write, Stopped> {
    let others = waiting.notices.iter().filter(|kept| *kept != gone).cloned();
    let others = WaitingNotices { notices: others.collect() };
    // Kept under the code that the person has before the first of them.
    let notice = waiting.notices.first().map_or(&gone.notice.notice, |first| &first.notice.notice);
    let code = notice.previous_code.unwrap_or(notice.record.code);
    let (space, key) = (Space::Arrival, Space::about(&code));
    if others.notices.is_empty() {
        return Ok(Write::DropFact { space, key });
    }
    let value = others.encode().map_err(|error| failed(&error))?;
    Ok(Write::PutFact { space, key, value })
}

fn aside(kind: &'static str, kept: &SetAsideNotice, gone: Write) -> Aside {
    Aside {
        kind,
        from: kept.from.as_str().to_owned(),
        number: kept.sequence.to_string(),
        rule: kept.rule.clone(),
        since: kept.at.to_rfc3339(),
        gone,
    }
}

fn arrivals(reads: &dyn Reads) -> Result<Vec<Aside>, Stopped> {
    let mut found = Vec::new();
    each_place(reads, Space::Arrival, |place, bytes| {
        let arrival = Arrival::decode(bytes).map_err(|error| failed(&error))?;
        let code = arrival.notice.record.code;
        let rule = if arrival.refused { "not-released" } else { "not-answered" };
        let key = Space::about(&code);
        found.push(Aside {
            kind: "arrival",
            from: NodeId::municipality(&arrival.former).as_str().to_owned(),
            number: hex(place),
            rule: rule.to_owned(),
            since: arrival.filed_at.to_rfc3339(),
            gone: Write::DropFact { space: Space::Arrival, key },
        });
        Ok(())
    })?;
    Ok(found)
}

/// The first eight bytes of the place: a keyed digest, which says nothing and does not change.
fn hex(place: &FactPlace) -> String {
    place.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn for_each(
    reads: &dyn Reads,
    space: Space,
    mut visit: impl FnMut(&[u8]) -> Result<(), Stopped>,
) -> Result<(), Stopped> {
    each_place(reads, space, |_, bytes| visit(bytes))
}

fn each_place(
    reads: &dyn Reads,
    space: Space,
    mut visit: impl FnMut(&FactPlace, &[u8]) -> Result<(), Stopped>,
) -> Result<(), Stopped> {
    let mut after: Option<FactPlace> = None;
    loop {
        let page = reads.facts(space, after, PAGE_COUNT_MAX).map_err(|error| failed(&error))?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = Some(*last);
        for (place, bytes) in &page {
            visit(place, bytes)?;
        }
    }
}

fn drop_one(args: &DropArgs, talk: Talk) -> Result<Exit, Stopped> {
    let node = config::load_node(&args.config).map_err(|e| (Exit::Usage, e.to_string()))?;
    let token = token_file::open(&node.token).map_err(|error| failed(&error))?;
    let mut store = open_store(&node, &token).map_err(|error| failed(&error))?;
    let wanted = |one: &Aside| one.from == args.from && one.number == args.number;
    let Some(one) = everything(&node, store.reads())?.into_iter().find(wanted) else {
        let why = format!("nothing of {} has number {}", args.from, args.number);
        return Err((Exit::Refused, why));
    };
    let note = format!("let go by hand, number {}: {}", args.number, args.because);
    let entry = Entry::build(EntryKind::NoticesSetAside, clock::now(), node.node.as_str())
        .terminal(args.from.as_str())
        .rule("let-go")
        .count(1)
        .note(note)
        .finish()
        .map_err(|error| failed(&error))?;
    let leaves = vec![Leaf { subject: None, entry: entry.encode() }];
    let entries = [NewEntry { id: ledger::receipt::EntryId(0), leaves }];
    let writes = [one.gone];
    store.apply(&writes, &entries, &mut dice::fill).map_err(|error| failed(&error))?;
    store.commit().map_err(|error| failed(&error))?;
    let signer = LedgerSigner::new(&node.node, token).map_err(|error| failed(&error))?;
    store.publish(&signer).map_err(|error| failed(&error))?;
    talk.say(format!("{}: let go, and recorded", node.node));
    Ok(Exit::Ok)
}
