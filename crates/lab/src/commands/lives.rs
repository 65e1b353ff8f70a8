//! The events' file of `jukilab population --years`: CSV or one JSON document per line.

use std::io::Write;
use std::path::Path;

use clap::ValueEnum;
use law::time::Date;
use serde_json::{Value, json};

use super::population::Unfinished;
use crate::population::life::event::EVENTS_HEADER;
use crate::population::life::{LifeOptions, LifeSummary, live};
use crate::population::{Options, PopulationError};

/// How events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EventFormat {
    /// events.csv: one row for each event.
    Csv,
    /// events.jsonl: one document per line.
    Json,
}

impl EventFormat {
    pub(crate) const fn file(self) -> &'static str {
        match self {
            Self::Csv => "events.csv",
            Self::Json => "events.jsonl",
        }
    }
}

/// Which reasons for change a notice may have (規則11条).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Epoch {
    /// November 2013: abroad is a moving-in or moving-out like another.
    Founding,
    Today,
}

/// What to simulate and how to write it.
#[derive(Debug)]
pub(crate) struct Lives {
    pub(crate) years: u16,
    pub(crate) from: Date,
    pub(crate) epoch: Epoch,
    pub(crate) format: EventFormat,
}

/// Simulates the lives of the residents and writes their events to a file of `directory`.
pub(crate) fn write(
    lives: &Lives,
    population: &Options,
    directory: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<LifeSummary, PopulationError> {
    let mut events = Unfinished::create(directory, lives.format.file())?;
    let mut text = String::new();
    if lives.format == EventFormat::Csv {
        writeln!(events.file, "{EVENTS_HEADER}")?;
    }
    let options = LifeOptions {
        population: population.clone(),
        years: lives.years,
        from: lives.from,
        today: lives.epoch == Epoch::Today,
    };
    let mut visit = |event: &crate::population::life::event::Event<'_>| {
        text.clear();
        match lives.format {
            EventFormat::Csv => event.write_csv(&mut text),
            EventFormat::Json => event.write_json(&mut text),
        }
        Ok(events.file.write_all(text.as_bytes())?)
    };
    let lived = live(&options, &mut visit, progress);
    match lived {
        Ok(summary) => {
            events.keep()?;
            Ok(summary)
        }
        Err(error) => {
            events.drop_it();
            Err(error)
        }
    }
}

pub(crate) fn document(summary: &LifeSummary) -> Value {
    let kinds = summary.by_kind.iter().map(|(kind, count)| (kind.key().to_owned(), json!(count)));
    json!({
        "events": summary.events,
        "by_kind": kinds.collect::<serde_json::Map<_, _>>(),
        "residents_before": summary.residents_before,
        "residents_after": summary.residents_after,
        "dropped": summary.dropped,
        "world_bytes": summary.world_bytes,
    })
}

pub(crate) fn readable(summary: &LifeSummary) -> String {
    let mut text = format!("\n{:<24}{}\n", "events", summary.events);
    for (kind, count) in &summary.by_kind {
        text.push_str(&format!("  {:<22}{count}\n", kind.key()));
    }
    let after = [("residents after", summary.residents_after), ("dropped", summary.dropped)];
    for (what, count) in after {
        text.push_str(&format!("{what:<24}{count}\n"));
    }
    text
}
