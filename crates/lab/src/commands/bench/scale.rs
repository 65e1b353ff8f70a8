//! Options of the benches of size: a center of the whole country, a nation of real processes.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::bench::center::Wanted;
use crate::bench::{Options, nation};
use crate::live::country;

#[derive(Debug, Args)]
pub(super) struct ScaleArguments {
    /// Folder for the files of bench center and B9, on a disk with room; emptied at the end.
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
    /// Cores that bench center and what it starts may use.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 2,
        value_parser = clap::value_parser!(u32).range(1..=1_024)
    )]
    cores: u32,
    /// Memory that bench center and what it starts may use.
    #[arg(
        long,
        value_name = "GIB",
        default_value_t = 24,
        value_parser = clap::value_parser!(u32).range(1..=65_536)
    )]
    memory_gib: u32,
    /// Questions of bench center in each way of asking.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 300,
        value_parser = clap::value_parser!(u64).range(2..=100_000)
    )]
    sample: u64,
    /// Part of the nation of B9: one of so many.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 100,
        value_parser = clap::value_parser!(u64).range(9..=10_000)
    )]
    scale: u64,
    /// People of B9; as many as the scale gives where no number is given.
    #[arg(long, value_name = "N")]
    people: Option<u64>,
    /// Seconds into which the day of B9 is pressed.
    #[arg(
        long,
        value_name = "S",
        default_value_t = 60,
        value_parser = clap::value_parser!(u64).range(10..=86_400)
    )]
    day_seconds: u64,
    /// Leave the country of bench center in --work.
    #[arg(long)]
    keep: bool,
    /// Expect something wrong in bench center or B9: exit 0 only if the run finds it.
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(super) plant: Option<Planted>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Planted {
    /// Another person than the one asked for.
    Answer,
    /// One resident fewer than the tiers of B9 hold.
    Tier,
}

impl ScaleArguments {
    pub(super) fn center(&self, options: &Options) -> Wanted {
        Wanted {
            jukinet: options.jukinet.clone(),
            residents: options.residents,
            seed: options.seed,
            work: self.work.clone().unwrap_or_else(country::scratch),
            cores: self.cores,
            memory_gib: self.memory_gib,
            sample: self.sample,
            keep: self.keep,
            plant: self.plant.is_some(),
        }
    }

    pub(super) fn nation(&self, options: &Options) -> nation::Wanted {
        nation::Wanted {
            jukinet: options.jukinet.clone(),
            scale: self.scale,
            residents: self.people,
            seed: options.seed,
            day_seconds: self.day_seconds,
            work: self.work.clone(),
            plant: self.plant.map(|plant| match plant {
                Planted::Answer => nation::Plant::Answer,
                Planted::Tier => nation::Plant::Tier,
            }),
        }
    }
}

/// A bar on a terminal; nothing elsewhere.
pub(super) fn bar(quiet: bool) -> ProgressBar {
    if quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    let style = "{bar:40} {human_pos} of {human_len} {msg}, {per_sec}, {eta} left";
    match ProgressStyle::with_template(style) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
