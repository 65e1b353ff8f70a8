//! Reads the binary stream: total and bounded. Whatever is wrong has a name and a place, and what
//! was read before the end was reached is not vouched for: the digest stands at the end.

use std::fmt::Write as _;
use std::io::{self, Read};

use law::code::RecordCode;
use law::people::Sex;
use sha2::{Digest, Sha256};

use super::{
    FLAG_ALTERNATIVE, FLAG_FAMILY, FLAG_FEMALE, FLAG_FOREIGN, FLAG_HOUSEHOLD,
    HEADER_MUNICIPALITIES_COUNT_MAX, MAGIC, RECORD_LENGTH_BYTES_MAX, VERSION,
};
use crate::population::place::Dwelling;
use crate::population::{Options, RESIDENTS_COUNT_MAX, Resident, Traits};

/// What is wrong with a stream.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    #[error("not a stream of residents; make one with jukilab population --format binary")]
    NotAStream,
    #[error("version {found} of the stream is unknown; make it again with this program")]
    Version { found: u16 },
    #[error("the header says {field} that cannot be; make the stream again")]
    Header { field: &'static str },
    #[error("the stream was cut off after {records} records; make it again")]
    Cut { records: u64 },
    #[error("record {record} is not readable at {field}; make the stream again")]
    Record { record: u64, field: &'static str },
    #[error("the stream holds {found} records where it says {said}; make it again")]
    Count { found: u64, said: u64 },
    #[error("the digest at the end differs from the bytes before it; make the stream again")]
    Digest,
    #[error("bytes follow the end of the stream; make it again")]
    AfterEnd,
    #[error("reading the stream")]
    Read(#[source] io::Error),
}

/// A stream being read; one resident at a time.
pub struct Reader<R> {
    source: R,
    hash: Sha256,
    options: Options,
    records: u64,
    ended: bool,
    body: Vec<u8>,
    held: Held,
}

impl<R> std::fmt::Debug for Reader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reader({} records)", self.records)
    }
}

/// What a record gives, and what the next one may leave out.
#[derive(Default)]
struct Held {
    code: Option<RecordCode>,
    female: bool,
    birth: String,
    given: (String, String),
    relationship: String,
    municipality: String,
    household: String,
    address: String,
    family: (String, String),
    nationality: String,
    alternative: Option<(String, String)>,
}

impl<R: Read> Reader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// Bytes that are no header of a stream.
    pub fn new(source: R) -> Result<Self, StreamError> {
        let options = Options { residents: 0, seed: 0, municipalities: Vec::new() };
        let (hash, body, held) = (Sha256::new(), Vec::new(), Held::default());
        let mut reader = Self { source, hash, options, records: 0, ended: false, body, held };
        match reader.take::<8>() {
            Ok(magic) if &magic == MAGIC => {}
            Ok(_) | Err(StreamError::Cut { .. }) => return Err(StreamError::NotAStream),
            Err(error) => return Err(error),
        }
        let found = u16::from_le_bytes(reader.take()?);
        if found != VERSION {
            return Err(StreamError::Version { found });
        }
        reader.options.seed = u64::from_le_bytes(reader.take()?);
        reader.options.residents = u64::from_le_bytes(reader.take()?);
        if reader.options.residents > RESIDENTS_COUNT_MAX {
            return Err(StreamError::Header { field: "residents" });
        }
        let named = usize::from(u16::from_le_bytes(reader.take()?));
        let wrong = StreamError::Header { field: "municipalities" };
        if named > HEADER_MUNICIPALITIES_COUNT_MAX {
            return Err(wrong);
        }
        for _ in 0..named {
            let [length] = reader.take()?;
            let code = reader.take_bytes(usize::from(length))?;
            let Ok(code) = String::from_utf8(code) else { return Err(wrong) };
            reader.options.municipalities.push(code);
        }
        Ok(reader)
    }

    /// What the stream was made with.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The next resident; `None` once the end was reached and its digest is that of the bytes.
    ///
    /// # Errors
    /// A damaged stream, by what is wrong and where.
    #[allow(clippy::should_implement_trait, reason = "the resident borrows from the reader")]
    pub fn next(&mut self) -> Result<Option<Resident<'_>>, StreamError> {
        if self.ended {
            return Ok(None);
        }
        let length = usize::from(u16::from_le_bytes(self.take()?));
        if length == 0 {
            self.end()?;
            return Ok(None);
        }
        if length > RECORD_LENGTH_BYTES_MAX {
            return Err(self.wrong("length"));
        }
        self.body = self.take_bytes(length)?;
        let held = std::mem::take(&mut self.held);
        self.held = parse(&self.body, held).map_err(|field| self.wrong(field))?;
        self.records += 1;
        let held = &self.held;
        let Some(code) = held.code.as_ref() else { return Err(self.wrong("record code")) };
        Ok(Some(Resident {
            index: self.records - 1,
            record_code: code,
            family_name: &held.family.0,
            given_name: &held.given.0,
            family_kana: &held.family.1,
            given_kana: &held.given.1,
            sex: if held.female { Sex::Female } else { Sex::Male },
            birth: &held.birth,
            municipality_code: &held.municipality,
            address: &held.address,
            household_id: &held.household,
            relationship: &held.relationship,
            nationality: &held.nationality,
            alternative_name: held.alternative.as_ref().map(|(f, g)| (f.as_str(), g.as_str())),
            traits: Traits::default(),
            protection: None,
            dwelling: Dwelling::default(),
        }))
    }

    fn end(&mut self) -> Result<(), StreamError> {
        let said = u64::from_le_bytes(self.take()?);
        let digest: [u8; 32] = self.hash.clone().finalize().into();
        if self.take::<32>()? != digest {
            return Err(StreamError::Digest);
        }
        if said != self.records || said != self.options.residents {
            return Err(StreamError::Count { found: self.records, said });
        }
        match self.take::<1>() {
            Err(StreamError::Cut { .. }) => {}
            Ok(_) => return Err(StreamError::AfterEnd),
            Err(error) => return Err(error),
        }
        self.ended = true;
        Ok(())
    }

    fn wrong(&self, field: &'static str) -> StreamError {
        StreamError::Record { record: self.records, field }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], StreamError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn take_bytes(&mut self, length: usize) -> Result<Vec<u8>, StreamError> {
        let mut bytes = std::mem::take(&mut self.body);
        bytes.clear();
        bytes.resize(length, 0);
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), StreamError> {
        match self.source.read_exact(bytes) {
            Ok(()) => {
                self.hash.update(bytes);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(StreamError::Cut { records: self.records })
            }
            Err(error) => Err(StreamError::Read(error)),
        }
    }
}

/// One record; the error names the field.
fn parse(body: &[u8], mut held: Held) -> Result<Held, &'static str> {
    let mut rest = body;
    let flags = number(&mut rest, 1).ok_or("flags")?;
    let has = |flag: u8| flags & u64::from(flag) != 0;
    let known = FLAG_FEMALE | FLAG_HOUSEHOLD | FLAG_FAMILY | FLAG_FOREIGN | FLAG_ALTERNATIVE;
    if flags & !u64::from(known) != 0 {
        return Err("flags");
    }
    held.female = has(FLAG_FEMALE);
    let ten = number(&mut rest, 5).ok_or("record code")?;
    held.code = Some(RecordCode::from_ten_digits(ten).map_err(|_| "record code")?);
    let birth = number(&mut rest, 4).filter(|birth| *birth <= 99_991_231).ok_or("birth")?;
    held.birth.clear();
    let (year, month, day) = (birth / 10_000, birth / 100 % 100, birth % 100);
    // Writing to a String cannot fail.
    write!(held.birth, "{year:04}-{month:02}-{day:02}").unwrap_or(());
    text(&mut rest, &mut held.given.0).ok_or("given name")?;
    text(&mut rest, &mut held.given.1).ok_or("given kana")?;
    text(&mut rest, &mut held.relationship).ok_or("relationship")?;
    if has(FLAG_HOUSEHOLD) {
        let (code, tail) = rest.split_at_checked(6).ok_or("municipality")?;
        if !code.iter().all(u8::is_ascii_digit) {
            return Err("municipality");
        }
        held.municipality = String::from_utf8(code.to_vec()).map_err(|_| "municipality")?;
        rest = tail;
        let nth = number(&mut rest, 4).ok_or("household")?;
        crate::population::number::household(&held.municipality, nth, &mut held.household);
        text(&mut rest, &mut held.address).ok_or("address")?;
    } else if held.household.is_empty() {
        return Err("household");
    }
    if has(FLAG_FAMILY) {
        text(&mut rest, &mut held.family.0).ok_or("family name")?;
        text(&mut rest, &mut held.family.1).ok_or("family kana")?;
    }
    held.nationality.clear();
    if has(FLAG_FOREIGN) {
        text(&mut rest, &mut held.nationality).ok_or("nationality")?;
    }
    held.alternative = None;
    if has(FLAG_ALTERNATIVE) {
        let mut alternative = (String::new(), String::new());
        text(&mut rest, &mut alternative.0).ok_or("alternative name")?;
        text(&mut rest, &mut alternative.1).ok_or("alternative name")?;
        held.alternative = Some(alternative);
    }
    if rest.is_empty() { Ok(held) } else { Err("end of the record") }
}

fn number(rest: &mut &[u8], bytes: usize) -> Option<u64> {
    let (head, tail) = rest.split_at_checked(bytes)?;
    *rest = tail;
    Some(head.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// A cell of the CSV must not hold what ends a cell or a row.
fn text(rest: &mut &[u8], out: &mut String) -> Option<()> {
    let (length, tail) = rest.split_first()?;
    let (bytes, tail) = tail.split_at_checked(usize::from(*length))?;
    let text = std::str::from_utf8(bytes).ok()?;
    if text.chars().any(|c| c.is_control() || matches!(c, ',' | '"')) {
        return None;
    }
    *rest = tail;
    out.clear();
    out.push_str(text);
    Some(())
}
