//! Synthetic residents: real municipality codes, town names, surname frequencies and age structure,
//! invented people. Same options, same bytes, on every machine; memory does not grow with the file.
//!
//! Not a copy of anybody: names are spellings, drawn independently of each other.

mod facility;
mod household;
mod number;
mod person;
mod place;
pub mod quota;
pub mod tables;

use std::fmt::Write as _;
use std::io::{self, Write};

use law::code::RecordCode;
use law::municipality::MunicipalityKind;
use sha2::{Digest, Sha256};

use crate::draw::{Draw, SeedLabel};
pub use person::REFERENCE_DATE;
use tables::{Tables, Unit};

/// Header of the residents CSV; scripts rely on it.
pub const HEADER: &str = "record_code,family_name,given_name,family_kana,given_kana,sex,birth,\
municipality_code,address,household_id,relationship,nationality,alternative_name";

/// Of this generator's streams.
const SEED_LABEL: SeedLabel = *b"jukinet population/1\0\0\0\0";

/// Most residents of one file: the nation of the census.
pub const RESIDENTS_COUNT_MAX: u64 = 126_146_099;

/// Foreign residents in a thousand (about 2.7 million of 126 million).
const FOREIGN_RATE: u64 = 27;

/// Rows are handed to the writer in pieces of about this size.
const CHUNK_BYTES: usize = 1 << 18;

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
    #[error("a date of birth is outside the calendar; the reference date must lie after 1873")]
    Calendar,
    #[error("a record code was not accepted")]
    Code(#[from] law::code::CodeError),
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

/// What was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    pub rows: u64,
    pub bytes: u64,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
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
    if !(1..=RESIDENTS_COUNT_MAX).contains(&options.residents) {
        return Err(PopulationError::ResidentsOutOfRange);
    }
    let tables = Tables::load()?;
    let units = select(&tables.units, &options.municipalities)?;
    let (counts, host) = quota::by_unit(&units, options.residents);
    let mut quota = quota::CellQuota::default();
    let mut namer = person::Namer::new(&tables)?;
    let mut sheet = Sheet::new(options.seed, out);
    for (index, (unit, count)) in units.iter().zip(counts).enumerate() {
        let stream = unit.code.parse();
        let stream = stream.map_err(|_| PopulationError::Table { table: "towns.tsv" })?;
        let mut town = TownHall {
            unit,
            cells: household::Cells::new(quota.next(unit, count)),
            draw: Draw::new(SEED_LABEL, options.seed, stream),
            households: 0,
        };
        town.register(host == Some(index), &mut namer, &mut sheet, progress)?;
    }
    sheet.finish()
}

/// The units that `wanted` names, in the order of their codes.
fn select<'u>(units: &'u [Unit], wanted: &[String]) -> Result<Vec<&'u Unit>, PopulationError> {
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

/// One municipality being registered.
struct TownHall<'u> {
    unit: &'u Unit,
    cells: household::Cells,
    draw: Draw,
    households: u64,
}

impl TownHall<'_> {
    fn register<'t>(
        &mut self,
        host: bool,
        namer: &mut person::Namer<'t>,
        sheet: &mut Sheet<'_>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), PopulationError> {
        let mut foreign = u64::from(self.cells.total()) * FOREIGN_RATE / 1_000;
        let facilities = facility::plan(&mut self.cells, host, &mut self.draw);
        let trainees = facilities.iter().filter(|f| f.kind == facility::FacilityKind::Dormitory);
        foreign = foreign.saturating_sub(trainees.map(|f| f.residents.len() as u64).sum());
        let (mut members, mut persons) = (Vec::new(), Vec::new());
        let mut address = String::new();
        while self.cells.total() > 0 {
            // The quota is kept by asking each household for its share of what is left.
            let left = u64::from(self.cells.total());
            household::compose(&mut self.cells, &mut self.draw, &mut members);
            let young = members.first().is_some_and(|head| head.class <= 8);
            let share = foreign * 500_000 * if young { 3 } else { 1 } / left;
            if u64::from(self.draw.below(1_000_000)) < share {
                namer.foreign(&members, &mut self.draw, &mut persons);
                foreign = foreign.saturating_sub(persons.len() as u64);
            } else {
                namer.japanese(&members, &mut self.draw, &mut persons);
            }
            eldest_first(&mut persons);
            let flat = self.draw.permille(if members.len() == 1 { 450 } else { 150 });
            place::dwelling(self.unit, flat, &mut self.draw, &mut address);
            self.write(&persons, &address, sheet)?;
            progress(sheet.rows);
        }
        for (nth, facility) in (0_u32..).zip(facilities) {
            place::facility(self.unit, nth, &mut self.draw, &mut address);
            for (sex, class) in facility.residents {
                let head = household::HEAD;
                let member = household::Member { sex, class, relationship: head, twin: false };
                match facility.kind {
                    facility::FacilityKind::Dormitory => {
                        namer.trainee(&member, &mut self.draw, &mut persons);
                    }
                    facility::FacilityKind::NursingHome => {
                        namer.japanese(&[member], &mut self.draw, &mut persons);
                    }
                }
                self.write(&persons, &address, sheet)?;
            }
        }
        progress(sheet.rows);
        Ok(())
    }

    fn write(
        &mut self,
        persons: &[person::Person<'_>],
        address: &str,
        sheet: &mut Sheet<'_>,
    ) -> Result<(), PopulationError> {
        self.households += 1;
        for person in persons {
            sheet.row(person, self.unit.code, address, self.households)?;
        }
        Ok(())
    }
}

/// A register lists children in the order of birth.
fn eldest_first(persons: &mut [person::Person<'_>]) {
    for children in persons.chunk_by_mut(|a, b| a.relationship == b.relationship) {
        children.sort_by_key(|child| child.birth);
    }
}

/// The CSV being written and hashed.
struct Sheet<'w> {
    out: &'w mut dyn Write,
    codes: number::Permutation,
    buffer: String,
    hash: Sha256,
    rows: u64,
    bytes: u64,
}

impl<'w> Sheet<'w> {
    fn new(seed: u64, out: &'w mut dyn Write) -> Self {
        let mut buffer = String::with_capacity(CHUNK_BYTES + 4_096);
        buffer.push_str(HEADER);
        buffer.push('\n');
        let codes = number::Permutation::new(seed);
        Self { out, codes, buffer, hash: Sha256::new(), rows: 0, bytes: 0 }
    }

    /// One row. No cell can hold a comma, a quotation mark or a line end, so none is quoted
    /// (RFC 4180); the tables' tests hold them to it.
    fn row(
        &mut self,
        person: &person::Person<'_>,
        municipality: &str,
        address: &str,
        household: u64,
    ) -> Result<(), PopulationError> {
        let code = RecordCode::from_ten_digits(self.codes.number(self.rows))?;
        let text = &mut self.buffer;
        for cell in [
            code.expose(),
            person.family.name,
            person.given.name,
            person.family.kana,
            person.given.kana,
        ] {
            text.push_str(cell);
            text.push(',');
        }
        text.push(person::sex_code(person.sex));
        text.push(',');
        text.push_str(std::str::from_utf8(&person.birth).unwrap_or("0000-00-00"));
        for cell in [municipality, address, municipality] {
            text.push(',');
            text.push_str(cell);
        }
        // Writing to a String cannot fail.
        write!(text, "-{household:07},").unwrap_or(());
        text.push_str(person.relationship);
        text.push(',');
        text.push_str(person.nationality);
        text.push(',');
        if let Some((family, given)) = person.alternative {
            text.push_str(family.name);
            text.push('\u{3000}');
            text.push_str(given.name);
        }
        text.push('\n');
        self.rows += 1;
        if self.buffer.len() >= CHUNK_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), PopulationError> {
        self.hash.update(self.buffer.as_bytes());
        self.bytes += self.buffer.len() as u64;
        self.out.write_all(self.buffer.as_bytes())?;
        self.buffer.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<Summary, PopulationError> {
        self.flush()?;
        self.out.flush()?;
        let mut sha256 = String::with_capacity(64);
        for byte in self.hash.finalize() {
            write!(sha256, "{byte:02x}").unwrap_or(());
        }
        Ok(Summary { rows: self.rows, bytes: self.bytes, sha256 })
    }
}
