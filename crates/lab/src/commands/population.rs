//! `jukilab population`: writes residents, and on request who of them is protected, and says what
//! is in the file.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use law::time::Date;
use serde_json::{Value, json};

use super::lives::{self, Epoch, EventFormat, Lives};
use super::{EXIT_FAILED, EXIT_USAGE, complain};
use crate::population::life::{LIFE_YEARS_MAX, LifeSummary};
use crate::population::margins::MarginCount;
use crate::population::tables::Tables;
use crate::population::{self, Options, PopulationError, Summary};

/// The progress bar moves once in this many rows.
const ROWS_PER_TICK: u64 = 10_000;

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  jukilab population --residents 20000 --seed 2003 \
        --municipalities 132152,202029 --out people\n\nWhat is modelled, at which rates and from \
        where: docs/population.md. Everybody is invented.")]
pub(crate) struct Arguments {
    /// How many residents, 1 to 126146099.
    #[arg(long, value_name = "N")]
    residents: u64,
    /// The world to make; the same seed gives the same bytes.
    #[arg(long, value_name = "S")]
    seed: u64,
    /// Directory for residents.csv or residents.bin; made if missing.
    #[arg(long, value_name = "DIR", required_unless_present = "stdout")]
    out: Option<PathBuf>,
    /// Only these codes (municipality, ward, designated city or prefecture), separated by commas.
    #[arg(long, value_name = "CODES", value_delimiter = ',')]
    municipalities: Vec<String>,
    /// How residents are written.
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// Write protected.csv beside it: who is under support measures (支援措置), never a column of
    /// the residents.
    #[arg(long, requires = "out")]
    protected: bool,
    /// Write events.csv beside it: what happens to these residents in so many years, in the order
    /// of the calendar.
    #[arg(long, value_name = "N", requires = "out",
        value_parser = clap::value_parser!(u16).range(1..=i64::from(LIFE_YEARS_MAX)))]
    years: Option<u16>,
    /// First day of the events.
    #[arg(long, value_name = "DATE", requires = "years", default_value = "2020-10-02",
        value_parser = day)]
    from: Date,
    /// Reasons for change of today's rule, or of November 2013.
    #[arg(long, value_enum, requires = "years", default_value_t = Epoch::Today)]
    epoch: Epoch,
    /// How events are written.
    #[arg(long, value_enum, requires = "years", default_value_t = EventFormat::Csv)]
    events: EventFormat,
    /// Write margins.txt and pyramid.svg beside it: these residents against the tables.
    #[arg(long, requires = "out")]
    report: bool,
    /// Write the residents to stdout and the summary to stderr.
    #[arg(long, conflicts_with = "out")]
    stdout: bool,
    /// Print the summary as one JSON document.
    #[arg(long)]
    json: bool,
    /// No progress bar.
    #[arg(long)]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The residents' CSV, as jukinet import and notice take it.
    Csv,
    /// A stream of records with a digest at its end, for loaders.
    Binary,
}

impl Format {
    const fn file(self) -> &'static str {
        match self {
            Self::Csv => "residents.csv",
            Self::Binary => "residents.bin",
        }
    }

    const fn of(self) -> population::Format {
        match self {
            Self::Csv => population::Format::Csv,
            Self::Binary => population::Format::Binary,
        }
    }
}

fn day(text: &str) -> Result<Date, String> {
    Date::parse(text).map_err(|error| error.to_string())
}

/// What a run has made.
struct Made {
    summary: Summary,
    lives: Option<LifeSummary>,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let bar = bar(arguments);
    let mut next = ROWS_PER_TICK;
    let mut progress = |rows: u64| {
        if rows >= next {
            bar.set_position(rows);
            next = rows + ROWS_PER_TICK;
        }
    };
    let options = Options {
        residents: arguments.residents,
        seed: arguments.seed,
        municipalities: arguments.municipalities.clone(),
    };
    let format = arguments.format.of();
    let made = match &arguments.out {
        Some(directory) => to_directory(&options, arguments, directory, &mut progress),
        None => {
            let mut out = io::stdout().lock();
            population::write(&options, format, &mut out, &mut io::sink(), &mut progress)
        }
    };
    let made = made.and_then(|summary| {
        margins(&options, arguments)?;
        let lives = simulated(&options, arguments, &bar)?;
        Ok(Made { summary, lives })
    });
    bar.finish_and_clear();
    match made.and_then(|made| Ok(report(arguments, &made)?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            let usage = matches!(
                error,
                PopulationError::ResidentsOutOfRange
                    | PopulationError::LifeOutOfRange
                    | PopulationError::MunicipalityUnknown { .. }
            );
            ExitCode::from(if usage { EXIT_USAGE } else { EXIT_FAILED })
        }
    }
}

/// A file that gets its name only when it is whole.
pub(crate) struct Unfinished {
    beside: PathBuf,
    path: PathBuf,
    pub(crate) file: BufWriter<File>,
}

impl Unfinished {
    pub(crate) fn create(directory: &Path, name: &str) -> io::Result<Self> {
        let beside = directory.join(format!("{name}.unfinished"));
        let file = BufWriter::new(File::create(&beside)?);
        Ok(Self { beside, path: directory.join(name), file })
    }

    /// After a failure that is reported already; a leftover file does no harm.
    pub(crate) fn drop_it(self) {
        let _ = std::fs::remove_file(&self.beside);
    }

    pub(crate) fn keep(self) -> io::Result<()> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        std::fs::rename(&self.beside, &self.path)
    }
}

/// Counts the same residents once more, against the tables.
fn margins(options: &Options, arguments: &Arguments) -> Result<(), PopulationError> {
    let Some(directory) = arguments.out.as_ref().filter(|_| arguments.report) else {
        return Ok(());
    };
    let tables = Tables::load()?;
    let mut count = MarginCount::new(options, &tables)?;
    population::each(options, &mut |resident| -> Result<(), PopulationError> {
        count.see(resident);
        Ok(())
    })?;
    let margins = count.finish();
    std::fs::write(directory.join("margins.txt"), margins.page())?;
    Ok(std::fs::write(directory.join("pyramid.svg"), margins.pyramid())?)
}

fn simulated(
    options: &Options,
    arguments: &Arguments,
    bar: &ProgressBar,
) -> Result<Option<LifeSummary>, PopulationError> {
    let (Some(years), Some(directory)) = (arguments.years, &arguments.out) else { return Ok(None) };
    bar.set_length(u64::from(years) * 365);
    let lives =
        Lives { years, from: arguments.from, epoch: arguments.epoch, format: arguments.events };
    lives::write(&lives, options, directory, &mut |days| bar.set_position(days)).map(Some)
}

fn to_directory(
    options: &Options,
    arguments: &Arguments,
    directory: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<Summary, PopulationError> {
    std::fs::create_dir_all(directory)?;
    let mut residents = Unfinished::create(directory, arguments.format.file())?;
    let mut protected = match arguments.protected {
        true => Some(Unfinished::create(directory, "protected.csv")?),
        false => None,
    };
    let mut nowhere = io::sink();
    let guarded: &mut dyn Write = match &mut protected {
        Some(protected) => &mut protected.file,
        None => &mut nowhere,
    };
    let format = arguments.format.of();
    let made = population::write(options, format, &mut residents.file, guarded, progress);
    match made {
        Ok(summary) => {
            residents.keep()?;
            protected.map_or(Ok(()), Unfinished::keep)?;
            Ok(summary)
        }
        Err(error) => {
            residents.drop_it();
            protected.into_iter().for_each(Unfinished::drop_it);
            Err(error)
        }
    }
}

fn report(arguments: &Arguments, made: &Made) -> io::Result<()> {
    let text = if arguments.json {
        format!("{}\n", document(arguments, made))
    } else {
        let lives = made.lives.as_ref().map(lives::readable);
        readable(&made.summary) + &lives.unwrap_or_default()
    };
    if arguments.stdout {
        io::stderr().write_all(text.as_bytes())
    } else {
        io::stdout().write_all(text.as_bytes())
    }
}

fn document(arguments: &Arguments, made: &Made) -> Value {
    let summary = &made.summary;
    let tally = &summary.tally;
    let path = |name: &str| arguments.out.as_ref().map(|directory| directory.join(name));
    json!({
        "rows": summary.rows,
        "bytes": summary.bytes,
        "sha256": summary.sha256,
        "path": path(arguments.format.file()),
        "protected_path": arguments.protected.then(|| path("protected.csv")),
        "events_path": made.lives.as_ref().map(|_| path(arguments.events.file())),
        "lives": made.lives.as_ref().map(lives::document),
        "households": tally.households,
        "foreign": tally.foreign,
        "alternative_names": tally.alternative_names,
        "variant_characters": tally.variant_characters,
        "same_name_pairs": tally.same_name_pairs,
        "twin_births": tally.twin_births,
        "unknown_births": tally.unknown_births,
        "protected": tally.protected,
        "pension": {
            "under_20": tally.pension.under_20,
            "insured_20_to_59": tally.pension.insured_20_to_59,
            "from_60_to_64": tally.pension.from_60_to_64,
            "from_65": tally.pension.from_65,
            "unknown": tally.pension.unknown,
        },
    })
}

fn readable(summary: &Summary) -> String {
    let tally = &summary.tally;
    let pension = &tally.pension;
    let rows = [
        ("rows", summary.rows.to_string()),
        ("bytes", summary.bytes.to_string()),
        ("sha256", summary.sha256.clone()),
        ("households", tally.households.to_string()),
        ("foreign residents", tally.foreign.to_string()),
        ("alternative names", tally.alternative_names.to_string()),
        ("variant characters", tally.variant_characters.to_string()),
        ("same-name pairs", tally.same_name_pairs.to_string()),
        ("twin births", tally.twin_births.to_string()),
        ("unknown births", tally.unknown_births.to_string()),
        ("protected", tally.protected.to_string()),
        ("under 20", pension.under_20.to_string()),
        ("20 to 59, insured", pension.insured_20_to_59.to_string()),
        ("60 to 64", pension.from_60_to_64.to_string()),
        ("65 and over, pension", pension.from_65.to_string()),
        ("of unknown age", pension.unknown.to_string()),
    ];
    rows.iter().map(|(what, value)| format!("{what:<24}{value}\n")).collect()
}

fn bar(arguments: &Arguments) -> ProgressBar {
    if arguments.quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let target = ProgressDrawTarget::stderr();
    let bar = ProgressBar::with_draw_target(Some(arguments.residents), target);
    let colour = if std::env::var_os("NO_COLOR").is_some() { "" } else { ".cyan" };
    let style = format!("{{bar:40{colour}}} {{human_pos}} of {{human_len}} residents, {{per_sec}}");
    match ProgressStyle::with_template(&style) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
