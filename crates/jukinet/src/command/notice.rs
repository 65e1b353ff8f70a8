//! `jukinet notice`: change notices from the existing resident register system (既存住基システム).

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use law::organ::Organ;
use serde_json::json;
use wire::limits::FEED_ROWS_COUNT_MAX;
use wire::{FeedBatch, FeedRow, FeedVerdict, NodeId, Reply, Request, Role};

use crate::config::{self, FeedConfig, NodeConfig};
use crate::feed::{Row, RowFault, Rows};
use crate::net::{Book, Caller, Identity, PeerEntry, PeerIdentity, PeerState};
use crate::runner::terminal::lan_caller;
use crate::talk::{Exit, Talk};
use crate::{clock, disk, token_file};

/// How long one batch may take: it is durable at the CS when it is answered.
const BATCH_PATIENCE: Duration = Duration::from_secs(30);

/// Options of `notice`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  jukinet notice --config municipality-132152.toml --file \
        changes.csv\n\nColumns: those of the residents' CSV, and sequence, reason, changed_on, \
        previous_code.\nWithout a column `reason` the file is a list of residents: rows of other \
        municipalities\nare skipped. The same file can be sent again: nothing is applied twice.\n\
        Exit codes: 0 all taken, 5 the server is not reachable, 6 some rows were rejected.")]
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

#[derive(Debug, Default)]
struct Counts {
    rows: u64,
    accepted: u64,
    duplicates: u64,
    waiting: u64,
    skipped: u64,
    rejected: Vec<(u32, RowFault)>,
}

pub fn run(args: &NoticeArgs, talk: Talk) -> Exit {
    let config = match config::load_node(&args.config) {
        Ok(config) => config,
        Err(error) => {
            talk.fail(error);
            return Exit::Usage;
        }
    };
    let mut counts = Counts::default();
    let sent = send_file(&config, &args.file, &mut counts, talk);
    // Rows rejected here come before those that the server rejected: told in the file's order.
    counts.rejected.sort_by_key(|(row, _)| *row);
    let rejects = args.rejects.clone().unwrap_or_else(|| args.file.with_extension("rejected.csv"));
    if !counts.rejected.is_empty()
        && let Err(error) = write_rejects(&rejects, &counts.rejected)
    {
        talk.fail(error);
    }
    // A file that was refused whole has no counts to tell.
    if sent.is_ok() || counts.rows > 0 {
        report(args, &counts, &rejects, talk);
    }
    match sent {
        Err((exit, why)) => {
            talk.fail(why);
            exit
        }
        Ok(()) if counts.rejected.is_empty() => Exit::Ok,
        Ok(()) => Exit::Partial,
    }
}

fn send_file(
    config: &NodeConfig,
    file: &Path,
    counts: &mut Counts,
    talk: Talk,
) -> Result<(), (Exit, String)> {
    let usage = |why: String| (Exit::Usage, why);
    let (Some(Organ::Municipality(own)), Some(feed)) = (&config.organ, &config.feed) else {
        return Err(usage(
            "this is not a municipality with a [feed]; give its configuration".into(),
        ));
    };
    let caller = feed_caller(config, feed).map_err(|why| (Exit::Failed, why))?;
    let source = File::open(file).map_err(|e| usage(format!("{}: {e}", file.display())))?;
    let bytes = source.metadata().map_or(0, |meta| meta.len());
    let bar = progress(bytes, talk);
    let source = bar.wrap_read(BufReader::new(source));
    let rows = Rows::open(source, *own).map_err(|e| usage(format!("{}: {e}", file.display())))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| (Exit::Failed, e.to_string()))?;
    let mut batch = Vec::with_capacity(FEED_ROWS_COUNT_MAX);
    for row in rows {
        counts.rows += 1;
        match row.map_err(|e| usage(format!("{}: {e}", file.display())))? {
            Row::Notice(row) => batch.push(row),
            Row::Elsewhere => counts.skipped += 1,
            Row::Fault { row, fault } => counts.rejected.push((row, fault)),
        }
        if batch.len() == FEED_ROWS_COUNT_MAX {
            runtime.block_on(send(&caller, &config.node, std::mem::take(&mut batch), counts))?;
        }
    }
    if !batch.is_empty() {
        runtime.block_on(send(&caller, &config.node, batch, counts))?;
    }
    bar.finish_and_clear();
    Ok(())
}

async fn send(
    caller: &Caller,
    server: &NodeId,
    rows: Vec<FeedRow>,
    counts: &mut Counts,
) -> Result<(), (Exit, String)> {
    let sent = rows.len();
    let request = Request::Feed(FeedBatch { rows });
    let reply = caller
        .call(server, request, BATCH_PATIENCE)
        .await
        .map_err(|failure| (Exit::Unreachable, failure.to_string()))?;
    match reply {
        Reply::FeedResult(outcomes) if outcomes.len() == sent => {
            for outcome in outcomes {
                match outcome.outcome {
                    FeedVerdict::Accepted { .. } => counts.accepted += 1,
                    FeedVerdict::Duplicate => counts.duplicates += 1,
                    FeedVerdict::Waiting => counts.waiting += 1,
                    FeedVerdict::Rejected { column, rule, remedy } => {
                        counts.rejected.push((outcome.row, RowFault { column, rule, remedy }));
                    }
                }
            }
            Ok(())
        }
        Reply::Unavailable { reason } => Err((Exit::Failed, format!("not taken: {reason}"))),
        _ => Err((Exit::Failed, "the server broke the protocol".to_owned())),
    }
}

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

fn progress(bytes: u64, talk: Talk) -> ProgressBar {
    if !talk.decorate() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(
        "{bar:40.cyan} {percent:>3}%  {bytes}/{total_bytes}  {eta} left",
    );
    let bar = ProgressBar::new(bytes);
    if let Ok(style) = style { bar.with_style(style) } else { bar }
}

/// Row, column, rule, remedy: never a value.
fn write_rejects(path: &Path, rejected: &[(u32, RowFault)]) -> Result<(), String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut write = || -> Result<(), csv::Error> {
        writer.write_record(["row", "column", "rule", "remedy"])?;
        for (row, fault) in rejected {
            let row = row.to_string();
            writer.write_record([&row, &fault.column, &fault.rule, &fault.remedy])?;
        }
        Ok(())
    };
    write().map_err(|error| error.to_string())?;
    let bytes = writer.into_inner().map_err(|error| error.to_string())?;
    disk::write_private(path, &bytes).map_err(|error| error.to_string())
}

fn report(args: &NoticeArgs, counts: &Counts, rejects: &Path, talk: Talk) {
    let rejected = counts.rejected.len();
    let Counts { rows, accepted, duplicates, skipped, .. } = counts;
    if args.json {
        let file = (rejected > 0).then(|| rejects.display().to_string());
        talk.json(&json!({
            "rows": rows, "accepted": accepted, "duplicates": duplicates,
            "skipped": skipped, "rejected": rejected, "rejects": file,
        }));
        return;
    }
    talk.data(format!(
        "{rows} rows: {accepted} accepted, {duplicates} sent before, {skipped} of other \
            municipalities, {rejected} rejected"
    ));
    if rejected > 0 {
        talk.say(format!("rejected rows with column, rule and remedy: {}", rejects.display()));
    }
}
