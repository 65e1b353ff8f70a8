//! `jukilab population`: writes residents.csv and says its rows and SHA-256.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{EXIT_FAILED, EXIT_USAGE, complain};
use crate::population::{Options, PopulationError, Summary, generate};

/// The progress bar moves once in this many rows.
const ROWS_PER_TICK: u64 = 10_000;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How many residents, 1 to 126146099.
    #[arg(long, value_name = "N")]
    residents: u64,
    /// The world to make; the same seed gives the same bytes.
    #[arg(long, value_name = "S")]
    seed: u64,
    /// Directory for residents.csv; made if missing.
    #[arg(long, value_name = "DIR", required_unless_present = "stdout")]
    out: Option<PathBuf>,
    /// Only these codes (municipality, ward, designated city or prefecture), separated by commas.
    #[arg(long, value_name = "CODES", value_delimiter = ',')]
    municipalities: Vec<String>,
    /// Write the CSV to stdout and the summary to stderr.
    #[arg(long, conflicts_with = "out")]
    stdout: bool,
    /// Print the summary as one JSON document.
    #[arg(long)]
    json: bool,
    /// No progress bar.
    #[arg(long)]
    quiet: bool,
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
    let made = match &arguments.out {
        Some(directory) => to_directory(&options, directory, &mut progress),
        None => generate(&options, &mut io::stdout().lock(), &mut progress),
    };
    bar.finish_and_clear();
    match made.and_then(|summary| Ok(report(arguments, &summary)?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            let usage = matches!(
                error,
                PopulationError::ResidentsOutOfRange | PopulationError::MunicipalityUnknown { .. }
            );
            ExitCode::from(if usage { EXIT_USAGE } else { EXIT_FAILED })
        }
    }
}

/// Writes beside the name and renames, so that a broken run leaves no half file under it.
fn to_directory(
    options: &Options,
    directory: &std::path::Path,
    progress: &mut dyn FnMut(u64),
) -> Result<Summary, PopulationError> {
    std::fs::create_dir_all(directory)?;
    let unfinished = directory.join("residents.csv.unfinished");
    let mut file = BufWriter::new(File::create(&unfinished)?);
    let made = generate(options, &mut file, progress);
    let kept = made.and_then(|summary| {
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        std::fs::rename(&unfinished, directory.join("residents.csv"))?;
        Ok(summary)
    });
    if kept.is_err() {
        // The failure that is reported is the one above; a leftover file does no harm.
        let _ = std::fs::remove_file(&unfinished);
    }
    kept
}

fn report(arguments: &Arguments, summary: &Summary) -> io::Result<()> {
    let path = arguments.out.as_ref().map(|directory| directory.join("residents.csv"));
    let text = if arguments.json {
        let json = serde_json::json!({
            "rows": summary.rows,
            "bytes": summary.bytes,
            "sha256": summary.sha256,
            "path": path,
        });
        format!("{json}\n")
    } else {
        format!("rows    {}\nbytes   {}\nsha256  {}\n", summary.rows, summary.bytes, summary.sha256)
    };
    if arguments.stdout {
        io::stderr().write_all(text.as_bytes())
    } else {
        io::stdout().write_all(text.as_bytes())
    }
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
