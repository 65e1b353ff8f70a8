//! `jukilab moves`: walks through every way in which a resident can move in a small world; a rule
//! that does not hold is told as a story.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget};

use super::{EXIT_DEFECT, EXIT_FAILED, complain};
use crate::model::scene::Scene;
use crate::model::{Options, Report, check};

/// Most things that happen one after the other: beyond it no machine's memory suffices.
const DEPTH_COUNT_MAX: u64 = 1_000;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Things that happen one after the other at most; without it, until nothing new comes up.
    #[arg(long, value_name = "N",
        value_parser = clap::value_parser!(u64).range(1..=DEPTH_COUNT_MAX))]
    depth: Option<u64>,
    /// Only the scenes with this many municipalities.
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u64).range(2..=3))]
    municipalities: Option<u64>,
    /// Only this scene.
    #[arg(long, value_name = "SCENE")]
    scene: Option<SceneName>,
    /// Power cuts on one way at most.
    #[arg(long, value_name = "N", default_value_t = 1)]
    crashes: u8,
    /// Doubled messages on one way at most.
    #[arg(long, value_name = "N", default_value_t = 1)]
    doubles: u8,
    /// Processor cores to use.
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u64).range(1..=256))]
    threads: u64,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
    /// No progress line.
    #[arg(long)]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SceneName {
    /// A moves to B; the moving-out may be taken back.
    Pair,
    /// The same, and somebody files the move at C as well.
    Wrong,
    /// A moves to B and comes back.
    Return,
    /// A moves to B and on to C.
    Chain,
    /// A moves to B; another municipality claims and notifies whatever helps it.
    Cheat,
}

impl SceneName {
    const fn scene(self) -> Scene {
        match self {
            Self::Pair => Scene::Pair,
            Self::Wrong => Scene::Wrong,
            Self::Return => Scene::Return,
            Self::Chain => Scene::Chain,
            Self::Cheat => Scene::Cheat,
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let wanted = |scene: &Scene| {
        let count = arguments.municipalities.and_then(|count| usize::try_from(count).ok());
        arguments.scene.is_none_or(|name| name.scene() == *scene)
            && count.is_none_or(|count| scene.municipalities_count() == count)
    };
    let mut reports = Vec::new();
    for scene in Scene::ALL.into_iter().filter(wanted) {
        let options = Options {
            scene,
            depth: arguments.depth.and_then(|depth| usize::try_from(depth).ok()),
            crashes: arguments.crashes,
            doubles: arguments.doubles,
            threads: usize::try_from(arguments.threads).unwrap_or(1),
            fault: None,
        };
        match walk(arguments, &options) {
            Ok(report) => {
                let found = report.found.is_some();
                reports.push((scene, report));
                if found {
                    break;
                }
            }
            Err(error) => {
                complain(&error);
                return ExitCode::from(EXIT_FAILED);
            }
        }
    }
    match tell(arguments, &reports) {
        Err(error) => {
            complain(&error);
            ExitCode::from(EXIT_FAILED)
        }
        Ok(()) if reports.iter().any(|(_, report)| report.found.is_some()) => {
            ExitCode::from(EXIT_DEFECT)
        }
        Ok(()) => ExitCode::SUCCESS,
    }
}

fn walk(arguments: &Arguments, options: &Options) -> Result<Report, crate::model::ModelError> {
    let hidden = arguments.quiet || !io::stderr().is_terminal();
    let target = if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(None, target);
    let report = check(options, &mut |worlds, depth| {
        bar.set_message(format!("{}: {worlds} worlds, depth {depth}", options.scene.key()));
        bar.tick();
    });
    bar.finish_and_clear();
    report
}

fn tell(arguments: &Arguments, reports: &[(Scene, Report)]) -> io::Result<()> {
    let mut talk = io::stderr().lock();
    for (scene, report) in reports {
        if let Some((rule, story)) = &report.found {
            writeln!(talk, "scene {}: not so: {rule}", scene.key())?;
            for line in story {
                writeln!(talk, "{line}")?;
            }
        }
    }
    let mut out = io::stdout().lock();
    if arguments.json {
        let scenes: Vec<_> = reports
            .iter()
            .map(|(scene, report)| {
                serde_json::json!({
                    "scene": scene.key(),
                    "worlds": report.worlds,
                    "steps": report.steps,
                    "depth": report.depth,
                    "machine_states": report.machine_states,
                    "machine_steps": report.machine_steps,
                    "broken": report.found.as_ref().map(|(rule, _)| rule),
                    "story": report.found.as_ref().map(|(_, story)| story),
                })
            })
            .collect();
        let ok = reports.iter().all(|(_, report)| report.found.is_none());
        return writeln!(out, "{}", serde_json::json!({ "ok": ok, "scenes": scenes }));
    }
    for (scene, report) in reports {
        writeln!(
            out,
            "{}: {} worlds, {} steps, depth {}, made of {} machine states and {} machine steps; {}",
            scene.key(),
            report.worlds,
            report.steps,
            report.depth,
            report.machine_states,
            report.machine_steps,
            if report.found.is_some() { "a rule is broken" } else { "every rule held" },
        )?;
    }
    Ok(())
}
