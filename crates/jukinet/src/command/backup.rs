//! `jukinet backup`: key ceremony, making, listing, restoring, and the drill.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use store::SqliteStore;
use token::Token;
use zeroize::Zeroizing;

use crate::backup::create;
use crate::backup::custody::{self, BackupKey, OpeningKey};
use crate::backup::manifest::Manifest;
use crate::backup::restore::{self, Opened, Places};
use crate::backup::scratch::{DRILL_PREFIX, Scratch};
use crate::config::{self, NodeConfig};
use crate::runner::keys::{LedgerSigner, StoreKeys};
use crate::runner::process::store_path;
use crate::talk::{Exit, Talk};
use crate::{clock, disk, token_file};

/// Options of `backup`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  jukinet backup init --custodians 3 --out ceremony
  jukinet backup create --config center.toml --key ceremony/backup.pub --to /backups
  jukinet backup drill --config center.toml --from /backups --share 1.txt --share 3.txt

The node holds the public half only: whoever takes the node takes no backup with it.
Exit codes: 0 ok, 1 failed, 2 bad usage or configuration, 3 the restored store is not sound.")]
pub struct BackupArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a key pair and one share per custodian; any two of them open a backup
    Init(InitArgs),
    /// Back up a node, also while it runs; writes only what earlier backups do not hold
    Create(CreateArgs),
    /// List the backups in a folder
    List(ListArgs),
    /// Put a backup back where the configuration says; needs the shares and the node's token
    Restore(OpenArgs),
    /// Restore into a folder of its own, check it, and leave nothing
    Drill(OpenArgs),
}

#[derive(Debug, Args)]
struct InitArgs {
    /// How many custodians get a share
    #[arg(long, value_name = "N")]
    custodians: u8,
    /// How many of them open a backup
    #[arg(long, value_name = "N", default_value_t = custody::THRESHOLD_COUNT_MIN)]
    threshold: u8,
    /// A custodian's passphrase, one file each, in order; without any, the shares are plain
    #[arg(long, value_name = "FILE")]
    passphrase_file: Vec<PathBuf>,
    /// Where the public half and the shares are written
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[derive(Debug, Args)]
struct CreateArgs {
    /// The configuration of the node
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The public half of the backup key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The folder of backups
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// One JSON document on stdout
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct ListArgs {
    /// The folder of backups
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// One JSON document on stdout
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct OpenArgs {
    /// The configuration of the node, with the token it has today
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The folder of backups
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// A custodian's share; two are needed
    #[arg(long, value_name = "FILE")]
    share: Vec<PathBuf>,
    /// The passphrase of a share, in the order of the shares
    #[arg(long, value_name = "FILE")]
    passphrase_file: Vec<PathBuf>,
    /// Which backup; without it the newest of this node
    #[arg(long, value_name = "ID")]
    at: Option<String>,
    /// Put the files below this folder instead of where the configuration says
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// One JSON document on stdout
    #[arg(long)]
    json: bool,
}

type Stopped = (Exit, String);

pub fn run(args: &BackupArgs, talk: Talk) -> Exit {
    let (json, done) = match &args.verb {
        Verb::Init(args) => (false, init(args, talk)),
        Verb::Create(args) => (args.json, make(args, talk)),
        Verb::List(args) => (args.json, list(args, talk)),
        Verb::Restore(args) => (args.json, put_back(args, talk)),
        Verb::Drill(args) => (args.json, drill(args, talk)),
    };
    match done {
        Ok(exit) => exit,
        Err((exit, why)) => {
            talk.fail(&why);
            if json {
                talk.json(&json!({"ok": false, "error": why}));
            }
            exit
        }
    }
}

fn failed(error: &dyn std::fmt::Display) -> Stopped {
    (Exit::Failed, error.to_string())
}

fn init(args: &InitArgs, talk: Talk) -> Result<Exit, Stopped> {
    let given = args.passphrase_file.len();
    if given != 0 && given != usize::from(args.custodians) {
        let why = format!("{given} passphrase files for {} custodians", args.custodians);
        return Err((Exit::Usage, why));
    }
    let passphrases = args
        .passphrase_file
        .iter()
        .map(|path| disk::read_pin(path))
        .collect::<Result<Vec<Zeroizing<String>>, _>>()
        .map_err(|error| failed(&error))?;
    let key = custody::ceremony(args.custodians, args.threshold, &passphrases, &args.out)
        .map_err(|error| failed(&error))?;
    talk.data(format!("key {}", key.fingerprint()));
    talk.say(format!(
        "{} stays with the nodes. Each share-N.txt goes to its custodian and is then deleted here: \
         any {} of {} open every backup made for this key. Without them no backup opens, ever.",
        args.out.join(custody::PUBLIC_NAME).display(),
        args.threshold,
        args.custodians
    ));
    Ok(Exit::Ok)
}

/// A node as its configuration says, with its token open.
struct Ours {
    node: NodeConfig,
    token: Arc<dyn Token>,
}

fn node(file: &Path) -> Result<Ours, Stopped> {
    let node = config::load_node(file).map_err(|error| (Exit::Usage, error.to_string()))?;
    let token = token_file::open(&node.token).map_err(|error| failed(&error))?;
    Ok(Ours { node, token })
}

fn make(args: &CreateArgs, talk: Talk) -> Result<Exit, Stopped> {
    let Ours { node, token } = node(&args.config)?;
    let started = clock::monotonic();
    let key = BackupKey::read(&args.key).map_err(|error| failed(&error))?;
    let signer = LedgerSigner::new(&node.node, Arc::clone(&token)).map_err(|e| failed(&e))?;
    // What this token does not open is not worth keeping.
    let store = SqliteStore::open_read_only(&store_path(&node), &node.ledger, &StoreKeys(token))
        .map_err(|error| failed(&error))?;
    drop(store);
    let bar = bar(talk);
    let manifest = create::create(&node, &key, &args.to, &signer, &mut |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    })
    .map_err(|error| failed(&error))?;
    bar.finish_and_clear();
    let took = started.elapsed();
    if args.json {
        talk.json(&json!({
            "ok": true,
            "id": manifest.id,
            "files": manifest.files.len(),
            "bytes": manifest.bytes(),
            "written_bytes": manifest.written_bytes,
            "seconds": took.as_secs_f64(),
        }));
    } else {
        let (bytes, written) = (manifest.bytes(), manifest.written_bytes);
        talk.data(&manifest.id);
        talk.say(format!("{bytes} bytes, {written} of them new, in {took:.1?}"));
    }
    Ok(Exit::Ok)
}

fn list(args: &ListArgs, talk: Talk) -> Result<Exit, Stopped> {
    let ids = Manifest::list(&args.from).map_err(|error| failed(&error))?;
    let mut rows = Vec::new();
    let mut exit = Exit::Ok;
    for id in ids {
        match Manifest::read(&args.from, &id) {
            Ok(manifest) => rows.push(json!({
                "id": manifest.id,
                "node": manifest.node,
                "made_at": manifest.made_at,
                "key": manifest.key,
                "bytes": manifest.bytes(),
                "written_bytes": manifest.written_bytes,
            })),
            Err(error) => {
                talk.fail(&error);
                exit = Exit::Defect;
            }
        }
    }
    if args.json {
        talk.json(&json!({"ok": exit == Exit::Ok, "backups": rows}));
    } else {
        for row in &rows {
            let text = |name: &str| row.get(name).map(ToString::to_string).unwrap_or_default();
            let (id, key) = (text("id"), text("key"));
            let (bytes, new) = (text("bytes"), text("written_bytes"));
            let plain = |text: String| text.trim_matches('"').to_owned();
            talk.data(format!("{}  key {}  {bytes} bytes, {new} new", plain(id), plain(key)));
        }
    }
    Ok(exit)
}

/// Everything that is the same for a restore and a drill; where the files go is what differs.
fn open(
    args: &OpenArgs,
    opened: &Ours,
    places: &Places,
    talk: Talk,
) -> Result<(Manifest, Opened), Stopped> {
    let Ours { node, token } = opened;
    let passphrases = args
        .passphrase_file
        .iter()
        .map(|path| disk::read_pin(path).map(Some))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| failed(&error))?;
    let key = OpeningKey::from_shares(&args.share, &passphrases).map_err(|e| failed(&e))?;
    let manifest = restore::choose(&args.from, args.at.as_deref(), node.node.as_str())
        .map_err(|error| failed(&error))?;
    signed_by_this_node(node, &manifest)?;
    let counts = restore::counts(&manifest, &key).map_err(|error| failed(&error))?;
    let bar = bar(talk);
    restore::write_files(&args.from, &manifest, &key, places, &mut |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    })
    .map_err(|error| failed(&error))?;
    bar.finish_and_clear();
    drop(key);
    let today = clock::now().date_in_japan();
    let opened = restore::open(places, node, token, today)
        .map_err(|error| (Exit::Defect, error.to_string()))?;
    match opened.missing(&manifest, &counts) {
        Some(why) => Err((Exit::Defect, why)),
        None => Ok((manifest, opened)),
    }
}

/// A backup of somebody else, or signed by somebody else, is not put into this node's place.
fn signed_by_this_node(node: &NodeConfig, manifest: &Manifest) -> Result<(), Stopped> {
    let ours = disk::read_text(&node.ledger_vkey, 4_096).map_err(|error| failed(&error))?;
    if ours.trim() == manifest.ledger_vkey && manifest.node == node.node.as_str() {
        return Ok(());
    }
    let why = format!("backup {} is not signed by the ledger key of {}", manifest.id, node.node);
    Err((Exit::Failed, why))
}

fn put_back(args: &OpenArgs, talk: Talk) -> Result<Exit, Stopped> {
    let started = clock::monotonic();
    let opened = node(&args.config)?;
    let places = match &args.to {
        Some(folder) => Places::below(folder),
        None => Places { database: store_path(&opened.node), ledger: opened.node.ledger.clone() },
    };
    let (manifest, found) = open(args, &opened, &places, talk)?;
    Ok(say(args, talk, "restored", &manifest, &found, started.elapsed()))
}

fn drill(args: &OpenArgs, talk: Talk) -> Result<Exit, Stopped> {
    let started = clock::monotonic();
    let opened = node(&args.config)?;
    if args.to.is_some() {
        return Err((Exit::Usage, "a drill leaves nothing; use restore for --to".to_owned()));
    }
    let _scratch = Scratch::take(&opened.node.data).map_err(|error| failed(&error))?;
    let folder = tempfile::Builder::new()
        .prefix(DRILL_PREFIX)
        .tempdir_in(&opened.node.data)
        .map_err(|error| failed(&error))?;
    let done = open(args, &opened, &Places::below(folder.path()), talk);
    folder.close().map_err(|error| failed(&error))?;
    let (manifest, found) = done?;
    Ok(say(args, talk, "would restore", &manifest, &found, started.elapsed()))
}

fn say(
    args: &OpenArgs,
    talk: Talk,
    word: &str,
    manifest: &Manifest,
    found: &Opened,
    took: Duration,
) -> Exit {
    let (report, dropped) = (&found.report, &found.dropped);
    if args.json {
        talk.json(&json!({
            "ok": report.ok,
            "id": manifest.id,
            "residents": report.residents,
            "entries": report.entries,
            "expired": {
                "residents": dropped.residents,
                "history": dropped.history,
                "entries": dropped.entries,
                "disclosures": dropped.foreign,
            },
            "faults": report.faults.len(),
            "population_digest": report.population_digest,
            "seconds": took.as_secs_f64(),
        }));
    } else {
        for fault in &report.faults {
            talk.data(format!("fault  {}: {}", fault.place, fault.what));
        }
        let (residents, entries) = (report.residents, report.entries);
        talk.data(format!("{word} {}: {residents} residents, {entries} entries", manifest.id));
        talk.say(format!("{} rows had expired since; {took:.1?}", dropped.rows()));
    }
    if report.ok { Exit::Ok } else { Exit::Defect }
}

fn bar(talk: Talk) -> ProgressBar {
    if !talk.decorate() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {elapsed}");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
