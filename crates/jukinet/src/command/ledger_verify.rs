//! `jukinet ledger verify`: a ledger directory, a checkpoint, or a resident's file, offline.
//! Needs nothing of the network and nothing of the node: files and keys are enough.

use std::path::{Component, Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use ledger::LedgerFiles;
use ledger::checkpoint::{Cosignature, OpenedCheckpoint};
use ledger::note::VerifierKey;
use ledger::verify::{verify_checkpoint, verify_ledger};
use serde_json::{Value, json};

use crate::disk;
use crate::resident_file;
use crate::talk::{Exit, Talk};

/// The largest file of a ledger: an entry bundle of 256 leaves, or a note.
const LEDGER_FILE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Keys one can bring: every prefecture as a witness fits.
const KEYS_MAX: usize = 128;

#[derive(Debug, Args)]
pub struct LedgerArgs {
    #[command(subcommand)]
    verb: LedgerVerb,
}

#[derive(Debug, Subcommand)]
enum LedgerVerb {
    /// Verify a ledger directory, a checkpoint, or a resident's file
    #[command(after_help = "Examples:\n  \
        jukinet ledger verify ./nodes/center/ledger\n  \
        jukinet ledger verify resident.json --key \"$(cat ledger.vkey)\"\n\n\
        Without --key the key beside the ledger is used: that shows damage, not a\n\
        forgery by its keeper.\n\
        Exit codes: 0 sound, 3 a defect was found.")]
    Verify(VerifyArgs),
}

#[derive(Debug, Args)]
struct VerifyArgs {
    /// A ledger directory (C2SP tiles), a checkpoint file, or a resident's file
    path: PathBuf,
    /// Verifier key, or a file that holds one: first the ledger's, then witnesses'
    #[arg(long, value_name = "VKEY", num_args = 1..)]
    key: Vec<String>,
    /// One JSON document on stdout
    #[arg(long)]
    json: bool,
}

/// What was found, in the shape that scripts rely on.
#[derive(Debug, Default)]
struct Found {
    size: u64,
    root: String,
    origin: String,
    cosignatures: Vec<Value>,
    first_bad: Option<Value>,
    more: Vec<(&'static str, Value)>,
}

pub fn run(args: &LedgerArgs, talk: Talk) -> Exit {
    let LedgerVerb::Verify(args) = &args.verb;
    match verify(args, talk) {
        Ok(found) => report(&found, args.json, talk),
        Err(problem) => {
            talk.fail(problem);
            Exit::Usage
        }
    }
}

fn verify(args: &VerifyArgs, talk: Talk) -> Result<Found, String> {
    if args.key.len() > KEYS_MAX {
        return Err(format!("at most {KEYS_MAX} keys"));
    }
    let given = args.key.iter().map(|key| read_key(key)).collect::<Result<Vec<_>, _>>()?;
    if args.path.is_dir() {
        let keys = or_beside(given, &args.path, talk)?;
        return Ok(directory(&args.path, &keys));
    }
    let text = disk::read_text(&args.path, resident_file::RESIDENT_FILE_BYTES_MAX)
        .map_err(|error| error.to_string())?;
    match serde_json::from_str::<Value>(&text) {
        Ok(document) => Ok(resident(&document, &given, talk)),
        Err(_) => {
            let folder = args.path.parent().unwrap_or_else(|| Path::new(""));
            Ok(checkpoint(&text, &or_beside(given, folder, talk)?))
        }
    }
}

/// A key as text, or the name of a file that holds it.
fn read_key(text: &str) -> Result<VerifierKey, String> {
    let parse = |text: &str| VerifierKey::parse(text.trim()).map_err(|error| error.to_string());
    match parse(text) {
        Ok(key) => Ok(key),
        Err(problem) if Path::new(text).is_file() => {
            let text = disk::read_text(Path::new(text), 4096).map_err(|error| error.to_string())?;
            parse(&text).map_err(|_| problem)
        }
        Err(problem) => Err(format!("--key: {problem}")),
    }
}

fn or_beside(
    given: Vec<VerifierKey>,
    ledger: &Path,
    talk: Talk,
) -> Result<Vec<VerifierKey>, String> {
    if !given.is_empty() {
        return Ok(given);
    }
    let absolute =
        ledger.canonicalize().map_err(|error| format!("{}: {error}", ledger.display()))?;
    let beside = absolute.parent().map(|parent| parent.join("ledger.vkey"));
    let places = [beside, Some(absolute.join("ledger.vkey"))];
    let Some(file) = places.into_iter().flatten().find(|file| file.is_file()) else {
        return Err("no --key was given and no ledger.vkey lies beside the ledger".to_owned());
    };
    talk.say(format!("using the key in {}; bring your own with --key", file.display()));
    read_key(&file.display().to_string()).map(|key| vec![key])
}

fn directory(path: &Path, keys: &[VerifierKey]) -> Found {
    let report = verify_ledger(&Folder(path.to_path_buf()), keys);
    let first_bad = report
        .first_bad
        .as_ref()
        .map(|bad| json!({"path": bad.path, "problem": bad.what.to_string()}));
    Found {
        size: report.size,
        root: STANDARD.encode(report.root.0),
        origin: report.origin,
        cosignatures: cosignatures(&report.cosignatures),
        first_bad,
        more: vec![("extra_files", json!(report.extra_count))],
    }
}

fn checkpoint(note: &str, keys: &[VerifierKey]) -> Found {
    match verify_checkpoint(note, keys) {
        Ok(opened) => of_checkpoint(&opened),
        Err(error) => bad("checkpoint", &error.to_string()),
    }
}

fn of_checkpoint(opened: &OpenedCheckpoint) -> Found {
    Found {
        size: opened.checkpoint.size,
        root: STANDARD.encode(opened.checkpoint.root.0),
        origin: opened.checkpoint.origin.clone(),
        cosignatures: cosignatures(&opened.cosignatures),
        ..Found::default()
    }
}

/// A resident's file may span several ledgers: size, root and origin are those of the first row's
/// checkpoint, all of them stand in `ledgers`.
fn resident(document: &Value, keys: &[VerifierKey], talk: Talk) -> Found {
    let view = match resident_file::decode(document) {
        Ok(view) => view,
        Err(error) => return bad("file", &error.to_string()),
    };
    if keys.is_empty() {
        talk.say("using the keys in the file; bring the ledgers' own with --key");
    }
    let rows = match resident_file::verify(&view, keys) {
        Ok(rows) => rows,
        Err(error) => return bad(&format!("rows[{}]", error.row), &error.problem),
    };
    let mut found = rows.first().map(|row| of_checkpoint(&row.checkpoint)).unwrap_or_default();
    let ledgers: Vec<Value> =
        view.ledgers.iter().map(|each| json!({"origin": each.origin, "size": each.size})).collect();
    found.more = vec![("rows", json!(rows.len())), ("ledgers", json!(ledgers))];
    found
}

fn bad(path: &str, problem: &str) -> Found {
    Found { first_bad: Some(json!({"path": path, "problem": problem})), ..Found::default() }
}

fn cosignatures(list: &[Cosignature]) -> Vec<Value> {
    list.iter().map(|each| json!({"witness": each.witness, "at": each.seconds})).collect()
}

fn report(found: &Found, as_json: bool, talk: Talk) -> Exit {
    let ok = found.first_bad.is_none();
    if as_json {
        let mut document = json!({
            "ok": ok,
            "size": found.size,
            "root": found.root,
            "origin": found.origin,
            "cosignatures": found.cosignatures,
        });
        if let Some(fields) = document.as_object_mut() {
            if let Some(first_bad) = &found.first_bad {
                fields.insert("first_bad".to_owned(), first_bad.clone());
            }
            for (name, value) in &found.more {
                fields.insert((*name).to_owned(), value.clone());
            }
        }
        talk.json(&document);
    } else if let Some(first_bad) = &found.first_bad {
        let text = |name: &str| first_bad.get(name).and_then(Value::as_str).unwrap_or_default();
        talk.data(format!("defect\t{}\t{}", text("path"), text("problem")));
    } else {
        let witnesses = found.cosignatures.len();
        talk.data(format!("sound\t{}\t{}\t{}", found.origin, found.size, found.root));
        talk.say(format!("{witnesses} cosignatures of the witnesses whose keys were given"));
    }
    if ok { Exit::Ok } else { Exit::Defect }
}

/// A ledger in a folder. Paths come from the verifier, not from the files; still none may leave it.
#[derive(Debug)]
struct Folder(PathBuf);

impl LedgerFiles for Folder {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        let relative = Path::new(path);
        if !relative.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err("path leaves the ledger".to_owned());
        }
        let file = self.0.join(relative);
        if !file.exists() {
            return Ok(None);
        }
        disk::read(&file, LEDGER_FILE_BYTES_MAX).map(Some).map_err(|error| error.to_string())
    }
}
