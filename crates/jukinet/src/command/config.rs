//! `jukinet config`: every error of a configuration file with file and line, or what it says.
//! Not a start: no token is opened and no socket is bound.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::config::{self, Finding, Loaded};
use crate::talk::{Exit, Talk};

#[derive(Debug, Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    verb: ConfigVerb,
}

#[derive(Debug, Subcommand)]
enum ConfigVerb {
    /// Report every error with file and line
    #[command(after_help = "Example:\n  \
        jukinet config check --config center.toml\n\n\
        Exit codes: 0 usable, 2 not.")]
    Check(FileArgs),
    /// Show what holds; secrets are redacted
    #[command(after_help = "Example:\n  \
        jukinet config show --effective --config center.toml")]
    Show(ShowArgs),
}

#[derive(Debug, Args)]
struct FileArgs {
    /// The file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// One JSON document on stdout
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct ShowArgs {
    #[command(flatten)]
    file: FileArgs,
    /// With the bounds that the file leaves to their stated defaults
    #[arg(long)]
    effective: bool,
}

pub fn run(args: &ConfigArgs, talk: Talk) -> Exit {
    match &args.verb {
        ConfigVerb::Check(args) => check(args, talk),
        ConfigVerb::Show(args) => show(args, talk),
    }
}

fn check(args: &FileArgs, talk: Talk) -> Exit {
    let loaded = config::load(&args.config);
    if args.json {
        let findings: Vec<Value> = loaded.findings.iter().map(finding_json).collect();
        talk.json(&json!({"ok": loaded.config.is_some(), "findings": findings}));
    } else {
        loaded.findings.iter().for_each(|finding| talk.data(finding));
    }
    if loaded.config.is_some() {
        talk.say(format!("{}: usable", args.config.display()));
        Exit::Ok
    } else {
        Exit::Usage
    }
}

fn finding_json(finding: &Finding) -> Value {
    json!({
        "file": finding.file.display().to_string(),
        "line": finding.line,
        "field": finding.field,
        "problem": finding.problem,
    })
}

fn show(args: &ShowArgs, talk: Talk) -> Exit {
    let loaded = config::load(&args.file.config);
    if !loaded.findings.is_empty() {
        loaded.findings.iter().for_each(|finding| talk.fail(finding));
        return Exit::Usage;
    }
    if args.file.json {
        talk.json(&settings_json(&loaded, args.effective));
    } else {
        for each in loaded.settings.iter().filter(|each| args.effective || !each.defaulted) {
            let note = if each.defaulted { "  # default" } else { "" };
            talk.data(format!("{} = {}{note}", each.field, each.value));
        }
    }
    Exit::Ok
}

fn settings_json(loaded: &Loaded, effective: bool) -> Value {
    let chosen = loaded.settings.iter().filter(|each| effective || !each.defaulted);
    let fields: Map<String, Value> =
        chosen.map(|each| (each.field.clone(), json!(each.value))).collect();
    Value::Object(fields)
}
