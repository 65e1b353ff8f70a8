//! `jukinet notice`: change notices from the existing resident register system (既存住基システム).

mod progress;
mod rejects;
mod sending;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use law::character::CharacterTable;
use law::organ::Organ;
use serde_json::json;
use wire::Role;

use crate::config::{self, FeedConfig, NodeConfig};
use crate::feed::{FileReading, Profile};
use crate::net::{Book, Caller, Identity, PeerEntry, PeerIdentity, PeerState};
use crate::runner::terminal::lan_caller;
use crate::talk::{Exit, Talk};
use crate::{character_file, clock, token_file};

use progress::{Progress, Resumed};
use rejects::Rejects;
use sending::{Counts, Journey, Stopped};

/// Options of `notice`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
        jukinet notice --config municipality-132152.toml --file changes.csv\n  \
        jukinet notice --config municipality-132152.toml --file old.csv --profile windows-31j\n\n\
        Columns: those of the residents' CSV, and sequence, reason, changed_on, previous_code,\n\
        former_municipality_code, former_surname, foreign. Without a column `reason` the file is\n\
        a list of residents: rows of other municipalities are skipped. The same file can be sent\n\
        again: nothing is applied twice. What was acknowledged stands in FILE.progress until the\n\
        end; after a crash or Ctrl-C the same command goes on behind it.\n\
        Exit codes: 0 all taken, 5 the server is not reachable, 6 some rows were rejected.")]
pub struct NoticeArgs {
    /// The configuration of the municipality that notifies
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Change notices: CSV with a header
    #[arg(long, value_name = "FILE")]
    pub file: PathBuf,
    /// How the file is written
    #[arg(long, value_name = "PROFILE", default_value = "utf-8")]
    pub profile: Profile,
    /// Where rejected rows are written: row, column, rule, remedy, line
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

pub fn run(args: &NoticeArgs, talk: Talk) -> Exit {
    let config = match config::load_node(&args.config) {
        Ok(config) => config,
        Err(error) => {
            talk.fail(error);
            return Exit::Usage;
        }
    };
    let rejects = args.rejects.clone().unwrap_or_else(|| args.file.with_extension("rejected.csv"));
    let mut counts = Counts::default();
    let sent = send_file(&config, args, &rejects, &mut counts, talk);
    // A file that was refused whole has no counts to tell.
    if sent.is_ok() || counts.rows > 0 {
        report(args, &counts, &rejects, talk);
    }
    match sent {
        Err((exit, why)) => {
            talk.fail(why);
            exit
        }
        Ok(()) if counts.rejected == 0 => Exit::Ok,
        Ok(()) => Exit::Partial,
    }
}

fn send_file(
    config: &NodeConfig,
    args: &NoticeArgs,
    rejects: &std::path::Path,
    counts: &mut Counts,
    talk: Talk,
) -> Result<(), Stopped> {
    let usage = |why: String| (Exit::Usage, why);
    let (Some(Organ::Municipality(own)), Some(feed)) = (&config.organ, &config.feed) else {
        return Err(usage(
            "this is not a municipality with a [feed]; give its configuration".into(),
        ));
    };
    let characters = table(feed).map_err(usage)?;
    let caller = feed_caller(config, feed).map_err(|why| (Exit::Failed, why))?;
    let resumed = Progress::open(&args.file, args.profile, &config.node).map_err(usage)?;
    let Resumed { progress, from } = resumed;
    let rejects = Rejects::open(rejects, args.profile, from.rejects_bytes).map_err(usage)?;
    if from.row > 0 {
        talk.say(format!("going on behind row {}, the last one acknowledged", from.row));
    }
    let how =
        FileReading { own: Some(*own), profile: args.profile, characters: characters.as_deref() };
    let journey =
        Journey { server: config.node.clone(), caller, progress, rejects, reached: from, talk };
    journey.run(&args.file, how, counts)
}

fn table(feed: &FeedConfig) -> Result<Option<Arc<CharacterTable>>, String> {
    feed.characters.as_deref().map(character_file::read).transpose().map_err(|e| e.to_string())
}

/// A caller that speaks to its own server as the existing register system.
fn feed_caller(config: &NodeConfig, feed: &FeedConfig) -> Result<Caller, String> {
    let token = token_file::open(&feed.token).map_err(|error| error.to_string())?;
    let identity = Identity::new(feed.node.clone(), token).map_err(|error| error.to_string())?;
    let server = PeerEntry {
        identity: PeerIdentity {
            node: config.node.clone(),
            role: Role::Municipality,
            organ: config.organ,
            state: PeerState::Active,
            lan: true,
        },
        pin: feed.server_pin,
        address: Some(config.listen.to_string()),
        exchange: None,
    };
    let book = Book::new(Vec::new(), vec![server], clock::now);
    Ok(lan_caller(Role::Feed, identity, book, config.tls_profile))
}

fn report(args: &NoticeArgs, counts: &Counts, rejects: &std::path::Path, talk: Talk) {
    let Counts { rows, accepted, duplicates, waiting, skipped, rejected } = counts;
    if args.json {
        let file = (*rejected > 0).then(|| rejects.display().to_string());
        talk.json(&json!({
            "rows": rows, "accepted": accepted, "duplicates": duplicates, "waiting": waiting,
            "skipped": skipped, "rejected": rejected, "rejects": file,
        }));
        return;
    }
    let waiting = if *waiting > 0 {
        format!("{waiting} waiting for the former municipality, ")
    } else {
        String::new()
    };
    talk.data(format!(
        "{rows} rows: {accepted} accepted, {duplicates} sent before, {waiting}{skipped} of other \
            municipalities, {rejected} rejected"
    ));
    if *rejected > 0 {
        talk.say(format!("rejected rows with column, rule and remedy: {}", rejects.display()));
    }
}
