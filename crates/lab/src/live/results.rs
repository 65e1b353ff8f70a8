//! Records, plots and the page of figures as files: read, written, compared.

use std::path::{Path, PathBuf};

use super::LiveError;
use crate::bench::plot;
use crate::bench::record::Record;
use crate::bench::report::{Sources, Stored};

/// Longest record or note that is read: a record holds figures, not answers.
const RESULT_BYTES_MAX: u64 = 4 << 20;
/// Records in one folder.
const RECORDS_COUNT_MAX: usize = 200;

/// Writes a record and its plots into `folder`; the names of the files.
pub(crate) fn write(folder: &Path, record: &Record) -> Result<Vec<PathBuf>, LiveError> {
    super::files::make_folder(folder)?;
    let name = format!("{}-{}-{}", record.id, record.machine.name, record.date);
    let path = folder.join(format!("{name}.json"));
    let text = serde_json::to_string_pretty(record)
        .map_err(|error| LiveError::content(&path, error.to_string()))?;
    std::fs::write(&path, text + "\n").map_err(LiveError::file(&path))?;
    let mut written = vec![path.clone()];
    let plots = plot::plots(record).map_err(|error| LiveError::content(&path, error))?;
    for plot in plots {
        let path = folder.join(format!("{name}-{}.svg", plot.suffix));
        std::fs::write(&path, plot.svg).map_err(LiveError::file(&path))?;
        written.push(path);
    }
    Ok(written)
}

/// Every record of a folder, in the order of the names, with its plots and the notes beside it.
pub(crate) fn read(folder: &Path) -> Result<Sources, LiveError> {
    let mut sources = Sources::default();
    for path in named(folder, "json")? {
        let record: Record = serde_json::from_str(&text(&path)?)
            .map_err(|error| LiveError::content(&path, error.to_string()))?;
        let name = stem(&path);
        let made = plot::plots(&record).map_err(|error| LiveError::content(&path, error))?;
        let plots = made.into_iter().map(|plot| (plot.what, format!("{name}-{}.svg", plot.suffix)));
        let plots: Vec<(String, String)> = plots.collect();
        let missing = plots.iter().find(|(_, file)| !folder.join(file).is_file());
        if let Some((_, file)) = missing {
            let what = format!("its plot {file} is not there; write it with bench report --plots");
            return Err(LiveError::content(&path, what));
        }
        sources.records.push(Stored { name, record, plots });
    }
    sources.records.sort_by_key(|stored| place(&stored.name));
    for path in named(&folder.join("notes"), "md")? {
        sources.notes.push((stem(&path), text(&path)?));
    }
    Ok(sources)
}

/// Draws the plots of every record again.
pub(crate) fn redraw(folder: &Path) -> Result<(), LiveError> {
    for path in named(folder, "json")? {
        let record: Record = serde_json::from_str(&text(&path)?)
            .map_err(|error| LiveError::content(&path, error.to_string()))?;
        let plots = plot::plots(&record).map_err(|error| LiveError::content(&path, error))?;
        for plot in plots {
            let path = folder.join(format!("{}-{}.svg", stem(&path), plot.suffix));
            std::fs::write(&path, plot.svg).map_err(LiveError::file(&path))?;
        }
    }
    Ok(())
}

/// B5 before B11, then what has no number.
fn place(name: &str) -> (u32, String) {
    let digits = name.strip_prefix('B').and_then(|rest| rest.split(['-', 'a', 'b']).next());
    (digits.and_then(|digits| digits.parse().ok()).unwrap_or(u32::MAX), name.to_owned())
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn named(folder: &Path, ending: &str) -> Result<Vec<PathBuf>, LiveError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = std::fs::read_dir(folder).map_err(LiveError::file(folder))?.flatten();
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .take(RECORDS_COUNT_MAX)
        .collect();
    paths.sort();
    Ok(paths)
}

pub(crate) fn text(path: &Path) -> Result<String, LiveError> {
    let size = std::fs::metadata(path).map_err(LiveError::file(path))?.len();
    if size > RESULT_BYTES_MAX {
        let what = format!("{size} bytes, more than {RESULT_BYTES_MAX}");
        return Err(LiveError::content(path, what));
    }
    std::fs::read_to_string(path).map_err(LiveError::file(path))
}
