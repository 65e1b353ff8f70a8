//! `jukilab scenario`: plays scripts of people and events on real processes and says, step by step,
//! what was seen.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use indicatif::ProgressBar;
use serde_json::json;

use super::{EXIT_DEFECT, EXIT_FAILED, EXIT_USAGE, complain};
use crate::scenario::{self, Options, SHIPPED, ScenarioError, Scripts, Standing, Told, Where};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  jukilab scenario\n  jukilab scenario \
        crates/lab/scenarios/yokohama-2023.feature\n  jukilab scenario --only \"one byte\" \
        --json\n  jukilab scenario --list\n  jukilab scenario --steps\n  jukilab scenario \
        yokohama-2023.feature --installation ./country --exercise-that-changes-its-registers\n\n\
        Without a FILE, the scripts that come with jukilab. Exit codes: 0 everything held, 1 \
        nothing\ncould be played, 2 a script is not one, 3 something did not hold.")]
pub(crate) struct Arguments {
    /// Scripts in Gherkin, English or Japanese.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Only scenarios whose name holds these words.
    #[arg(long, value_name = "WORDS")]
    only: Option<String>,
    /// The jukinet binary to play with; the one beside this program when none is named.
    #[arg(long, value_name = "PATH")]
    jukinet: Option<PathBuf>,
    /// Raise the country here, in an empty folder, instead of the system's temporary one.
    #[arg(long, value_name = "DIR", conflicts_with = "installation")]
    dir: Option<PathBuf>,
    /// Leave the country's folder when done.
    #[arg(long, conflicts_with = "installation", requires = "dir")]
    keep: bool,
    /// Play in a running exercise installation, laid out like the folder of jukinet demo --dir.
    #[arg(long, value_name = "DIR")]
    installation: Option<PathBuf>,
    /// This installation is for exercises: births and moves of invented residents may be filed.
    #[arg(long, requires = "installation")]
    exercise_that_changes_its_registers: bool,
    /// Who plays which part.
    #[arg(long, value_name = "S", default_value_t = 2003)]
    seed: u64,
    /// What a name in a script means here, as 国立市=municipality-202029.
    #[arg(long, value_name = "NAME=PLACE", value_parser = renaming)]
    place: Vec<(String, String)>,
    /// List the scenarios and play none.
    #[arg(long, conflicts_with_all = ["steps", "write"])]
    list: bool,
    /// Print the vocabulary and play none.
    #[arg(long, conflicts_with = "write")]
    steps: bool,
    /// Write the page of the scripts and play none.
    #[arg(long, value_name = "FILE.md")]
    write: Option<PathBuf>,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
    /// Say nothing on the way.
    #[arg(long)]
    quiet: bool,
}

fn renaming(text: &str) -> Result<(String, String), String> {
    let (name, place) = text.split_once('=').ok_or("give NAME=PLACE")?;
    Ok((name.to_owned(), place.to_owned()))
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match attempt(arguments) {
        Ok(code) => code,
        Err(Stopped::Scenario(error)) => {
            complain(&error);
            let usage =
                matches!(error, ScenarioError::Script(_) | ScenarioError::NoneOfThatName(_));
            ExitCode::from(if usage { EXIT_USAGE } else { EXIT_FAILED })
        }
        Err(Stopped::File(path, error)) => {
            eprintln!("jukilab: {}: {error}", path.display());
            ExitCode::from(EXIT_USAGE)
        }
        Err(Stopped::Out(error)) => {
            complain(&error);
            ExitCode::from(EXIT_FAILED)
        }
    }
}

enum Stopped {
    Scenario(ScenarioError),
    File(PathBuf, io::Error),
    Out(io::Error),
}

impl<E: Into<ScenarioError>> From<E> for Stopped {
    fn from(error: E) -> Self {
        Self::Scenario(error.into())
    }
}

fn attempt(arguments: &Arguments) -> Result<ExitCode, Stopped> {
    // Also as a word: nobody calls a script that.
    if arguments.steps || arguments.files == [Path::new("steps")] {
        write!(io::stdout(), "{}", scenario::steps()).map_err(Stopped::Out)?;
        return Ok(ExitCode::SUCCESS);
    }
    let scripts = Scripts::parse(&texts(&arguments.files)?)?;
    if arguments.list {
        list(&scripts).map_err(Stopped::Out)?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(path) = &arguments.write {
        let failed = |error| Stopped::File(path.clone(), error);
        fs::write(path, scenario::page(&scripts)).map_err(failed)?;
        return Ok(ExitCode::SUCCESS);
    }
    let told = play(arguments, &scripts)?;
    let finding = told.iter().any(|told| told.standing.is_finding());
    report(arguments, &told).map_err(Stopped::Out)?;
    Ok(if finding { ExitCode::from(EXIT_DEFECT) } else { ExitCode::SUCCESS })
}

fn texts(files: &[PathBuf]) -> Result<Vec<(String, String)>, Stopped> {
    if files.is_empty() {
        let own = |(file, text): &(&str, &str)| ((*file).to_owned(), (*text).to_owned());
        return Ok(SHIPPED.iter().map(own).collect());
    }
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path).map_err(|error| Stopped::File(path.clone(), error))?;
        Ok((path.display().to_string(), text))
    };
    files.iter().map(read).collect()
}

fn list(scripts: &Scripts) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for (file, line, name, reach, open) in scripts.list() {
        let open = open.map_or_else(String::new, |open| format!("  (not yet: {open})"));
        writeln!(out, "{file}:{line}  [{reach}]  {name}{open}")?;
    }
    Ok(())
}

fn play(arguments: &Arguments, scripts: &Scripts) -> Result<Vec<Told>, ScenarioError> {
    let absolute = |dir: &Path| std::path::absolute(dir).unwrap_or_else(|_| dir.to_path_buf());
    let place = match &arguments.installation {
        Some(dir) => Where::Installation {
            dir: absolute(dir),
            changes: arguments.exercise_that_changes_its_registers,
        },
        None => Where::Own { dir: arguments.dir.as_deref().map(absolute), keep: arguments.keep },
    };
    let options = Options {
        jukinet: arguments.jukinet.clone(),
        place,
        seed: arguments.seed,
        only: arguments.only.clone(),
        places: arguments.place.clone(),
    };
    let shown = !arguments.quiet && io::stderr().is_terminal();
    let bar = if shown { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    bar.set_message("the country");
    let mut hear = |told: &Told| {
        bar.inc(1);
        if !arguments.json {
            bar.suspend(|| {
                let _ = tell(&mut io::stdout().lock(), told);
            });
        }
    };
    let played = scenario::play(scripts, &options, &mut hear);
    bar.finish_and_clear();
    played
}

/// One scenario, step by step.
fn tell(out: &mut dyn Write, told: &Told) -> io::Result<()> {
    let open = told.open.map_or_else(String::new, |open| format!(": {open}"));
    let note = match told.standing {
        Standing::Passed => String::new(),
        Standing::NotYet => format!("  (not yet{open})"),
        standing => format!("  ({})", standing.words()),
    };
    writeln!(out, "\n{}: {}{note}\n  {}:{}", told.feature, told.name, told.file, told.line)?;
    for step in &told.steps {
        let mark = match (step.held, told.standing) {
            (true, _) => "✓",
            (false, Standing::NotYet) => "…",
            (false, _) => "✗",
        };
        writeln!(out, "  {mark} {}  [{} ms]\n      {}", step.text, step.milliseconds, step.seen)?;
    }
    if told.standing == Standing::TagIsOld {
        let mark = told.open.unwrap_or_default();
        writeln!(out, "  ✗ everything held: take the mark @not-yet:{mark} away")?;
    }
    Ok(())
}

fn report(arguments: &Arguments, all: &[Told]) -> io::Result<()> {
    let count = |standing| all.iter().filter(|told| told.standing == standing).count();
    let mut out = io::stdout().lock();
    if arguments.json {
        let scenarios: Vec<_> = all.iter().map(document).collect();
        let document = json!({
            "ok": !all.iter().any(|told| told.standing.is_finding()),
            "passed": count(Standing::Passed),
            "failed": count(Standing::Failed),
            "not_yet": count(Standing::NotYet),
            "tag_is_old": count(Standing::TagIsOld),
            "left_out": count(Standing::LeftOut),
            "seed": arguments.seed,
            "scenarios": scenarios,
        });
        return writeln!(out, "{document}");
    }
    writeln!(
        out,
        "\n{} passed, {} failed, {} not yet, {} with an old tag, {} left out; seed {}",
        count(Standing::Passed),
        count(Standing::Failed),
        count(Standing::NotYet),
        count(Standing::TagIsOld),
        count(Standing::LeftOut),
        arguments.seed
    )
}

fn document(told: &Told) -> serde_json::Value {
    let step = |step: &scenario::Played| {
        let milliseconds = u64::try_from(step.milliseconds).unwrap_or(u64::MAX);
        json!({
            "line": step.line, "text": step.text, "held": step.held, "seen": step.seen,
            "milliseconds": milliseconds,
        })
    };
    json!({
        "file": told.file,
        "line": told.line,
        "feature": told.feature,
        "name": told.name,
        "standing": told.standing.words(),
        "open": told.open,
        "steps": told.steps.iter().map(step).collect::<Vec<_>>(),
    })
}
