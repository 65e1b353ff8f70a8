//! Synthetic residents: real municipality codes, town names, surname frequencies and age structure,
//! invented people. Same options, same bytes, on every machine; memory does not grow with the file.
//!
//! Not a copy of anybody: names are spellings, drawn independently of each other.

mod facility;
mod hashed;
mod household;
pub mod life;
pub mod margins;
mod number;
mod person;
mod place;
mod protection;
pub mod quota;
mod resident;
mod share;
mod sheet;
pub mod stream;
pub mod tables;
mod tally;
mod town;

use std::io::{self, Write};

use law::municipality::MunicipalityKind;

use crate::draw::{Draw, SeedLabel};
pub use person::{
    REFERENCE_DATE, RESIDENTS_PER_SAME_NAME_PAIR, RESIDENTS_PER_UNKNOWN_BIRTH, Traits,
};
pub use protection::{Ground, PROTECTED_HEADER, Protection, RESIDENTS_PER_PROTECTED};
pub use resident::Resident;
pub use sheet::HEADER;
use tables::{Tables, Unit};
pub use tally::{Counting, PensionAges, Tally};
pub use town::FOREIGN_SHARE;

/// Of this generator's streams.
const SEED_LABEL: SeedLabel = *b"jukinet population/2\0\0\0\0";

/// Most residents of one file: the nation of the census.
pub const RESIDENTS_COUNT_MAX: u64 = 126_146_099;

/// Why no population could be made.
#[derive(Debug, thiserror::Error)]
pub enum PopulationError {
    #[error("table {table} does not read as its README says; restore it from the repository")]
    Table { table: &'static str },
    #[error(
        "municipality {code} is not in the table; give a six-digit code of a municipality, ward \
            or prefecture"
    )]
    MunicipalityUnknown { code: String },
    #[error("residents must be between 1 and {RESIDENTS_COUNT_MAX}")]
    ResidentsOutOfRange,
    #[error(
        "years must be between 1 and {}, and the first day after {REFERENCE_DATE}",
        life::LIFE_YEARS_MAX
    )]
    LifeOutOfRange,
    #[error("a date of birth is outside the calendar; the reference date must lie after 1873")]
    Calendar,
    #[error("a record code was not accepted")]
    Code(#[from] law::code::CodeError),
    #[error("a text is longer than a record of the binary stream can hold; write CSV")]
    RecordTooLong,
    #[error("writing the residents")]
    Write(#[from] io::Error),
}

/// What to make.
#[derive(Clone, Debug)]
pub struct Options {
    pub residents: u64,
    pub seed: u64,
    /// Codes of municipalities, wards, designated cities or prefectures; empty means the nation.
    pub municipalities: Vec<String>,
}

/// How residents are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The residents' CSV.
    Csv,
    /// The stream of [`stream`].
    Binary,
}

/// What was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    pub rows: u64,
    pub bytes: u64,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
    pub tally: Tally,
}

/// Makes the residents one after the other and hands each to `visit`, without any text between: for
/// loaders and for whoever counts. Memory does not grow with their number.
///
/// # Errors
/// Options that name nothing, or what `visit` answers.
pub fn each<E: From<PopulationError>>(
    options: &Options,
    visit: &mut dyn FnMut(&Resident<'_>) -> Result<(), E>,
) -> Result<(), E> {
    if !(1..=RESIDENTS_COUNT_MAX).contains(&options.residents) {
        return Err(PopulationError::ResidentsOutOfRange.into());
    }
    let tables = Tables::load()?;
    let units = select(&tables.units, &options.municipalities)?;
    let (counts, host) = quota::by_unit(&units, options.residents);
    let mut quota = quota::CellQuota::default();
    let mut namer = person::Namer::new(&tables)?;
    let mut counter = town::Counter::new(options.seed)?;
    for (index, (unit, count)) in units.iter().zip(counts).enumerate() {
        let stream = unit.code.parse();
        let stream = stream.map_err(|_| PopulationError::Table { table: "towns.tsv" })?;
        let cells = household::Cells::new(quota.next(unit, count));
        let draw = Draw::new(SEED_LABEL, options.seed, stream);
        let mut town = town::TownHall::new(unit, cells, draw);
        town.register(host == Some(index), &mut namer, &mut counter, visit)?;
    }
    Ok(())
}

/// Writes the residents as CSV; `progress` hears how many rows are done.
///
/// # Errors
/// Options that name nothing, or a writer that fails.
pub fn generate(
    options: &Options,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> Result<Summary, PopulationError> {
    write(options, Format::Csv, out, &mut io::sink(), progress)
}

/// Writes the residents in one of the formats, and those under support measures to a file of their
/// own.
///
/// # Errors
/// Options that name nothing, or a writer that fails.
pub fn write(
    options: &Options,
    format: Format,
    out: &mut dyn Write,
    protected: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> Result<Summary, PopulationError> {
    let mut counting = Counting::new()?;
    let mut guarded = format!("{PROTECTED_HEADER}\n");
    let mut keep = |resident: &Resident<'_>| -> Result<(), PopulationError> {
        progress(resident.index);
        counting.see(resident);
        if resident.protection.is_some() {
            resident.write_protection(&mut guarded);
            protected.write_all(guarded.as_bytes())?;
            guarded.clear();
        }
        Ok(())
    };
    let written = match format {
        Format::Csv => {
            let mut sheet = sheet::Sheet::new(out);
            each(options, &mut |resident| {
                keep(resident)?;
                sheet.row(resident)
            })?;
            sheet.finish()?
        }
        Format::Binary => {
            let mut stream = stream::Writer::new(options, out)?;
            each(options, &mut |resident| {
                keep(resident)?;
                stream.resident(resident)
            })?;
            stream.finish()?
        }
    };
    protected.write_all(guarded.as_bytes())?;
    protected.flush()?;
    let hashed::Written { bytes, sha256 } = written;
    let tally = counting.finish();
    Ok(Summary { rows: tally.residents, bytes, sha256, tally })
}

/// The units that `wanted` names, in the order of their codes.
pub(crate) fn select<'u>(
    units: &'u [Unit],
    wanted: &[String],
) -> Result<Vec<&'u Unit>, PopulationError> {
    if wanted.is_empty() {
        return Ok(units.iter().collect());
    }
    let mut chosen = vec![false; units.len()];
    for code in wanted {
        let unknown = || PopulationError::MunicipalityUnknown { code: code.clone() };
        let parsed = law::code::LocalGovernmentCode::parse(code).map_err(|_| unknown())?;
        let begins = if parsed.is_prefecture() {
            None
        } else {
            let found = law::municipality::find(&parsed).ok_or_else(unknown)?;
            let city = found.kind == MunicipalityKind::DesignatedCity;
            Some((city, format!("{}{}", found.prefecture_name, found.name)))
        };
        let prefecture = parsed.prefecture().to_string();
        let mut found = false;
        for (mark, unit) in chosen.iter_mut().zip(units) {
            // A designated city has no register of its own: its wards are meant.
            let named = match &begins {
                None => unit.code.starts_with(&prefecture),
                Some((city, name)) => {
                    unit.code == code || (*city && unit.place.starts_with(name.as_str()))
                }
            };
            *mark |= named;
            found |= named;
        }
        if !found {
            return Err(unknown());
        }
    }
    Ok(units.iter().zip(chosen).filter_map(|(unit, mark)| mark.then_some(unit)).collect())
}
