//! What each kind of plain row says: persons, history, entries. Parsing is total; a row that does
//! not parse is a fault of the store, never a panic. Sealing is done elsewhere (`seal`).

use law::change::ChangeReason;
use law::code::{LocalGovernmentCode, RecordCode};
use law::inquiry::{Held, LastChange};
use law::people::{
    Address, BirthDate, FormerSurname, FourItems, IdentityInformation, Kana, Name, OtherNames, Sex,
};
use law::time::{Date, Timestamp};
use node::ports::{ForeignEntry, HistoryRow};
use zeroize::Zeroizing;

use crate::codec::{RowFault, RowReader, RowWriter};
use crate::compact;

/// First byte of every plain row; a change of any layout below takes the next number.
const ROW_VERSION: u8 = 2;

/// First byte of a resident's row in its packed form (`compact`). Rows of the wide form, which
/// earlier versions wrote, are read as well and packed when they are next written.
const PACKED_VERSION: u8 = 3;

/// Earlier codes kept with a person, so that entries about them stay reachable. A code changes on
/// the resident's own request (法30条の3); beyond this many the oldest is let go.
pub(crate) const FORMER_CODES_COUNT_MAX: usize = 64;

/// A person as kept: what is held, and the codes the person had before.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ResidentRow {
    pub(crate) held: Held,
    pub(crate) former: Vec<RecordCode>,
}

impl ResidentRow {
    /// Earlier codes of one person, each once, the current one not among them, bounded.
    pub(crate) fn new(held: Held, codes: impl IntoIterator<Item = RecordCode>) -> Self {
        let mut former: Vec<RecordCode> = Vec::new();
        for code in codes {
            if code != held.identity.code && !former.contains(&code) {
                former.push(code);
            }
        }
        let surplus = former.len().saturating_sub(FORMER_CODES_COUNT_MAX);
        former.drain(..surplus);
        Self { held, former }
    }
}

/// An entry as kept: whom it is about, its salt, its text.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct EntryRow {
    pub(crate) subject: Option<RecordCode>,
    pub(crate) salt: [u8; 32],
    pub(crate) entry: Vec<u8>,
}

/// Another ledger's entry as kept.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ForeignRow {
    pub(crate) subject: RecordCode,
    pub(crate) foreign: ForeignEntry,
}

type Encoded = Result<Zeroizing<Vec<u8>>, RowFault>;

impl ResidentRow {
    pub(crate) fn encode(&self) -> Encoded {
        let mut writer = RowWriter::new(PACKED_VERSION);
        compact::write_held(&mut writer, &self.held)?;
        writer.u8(u8::try_from(self.former.len()).map_err(|_| RowFault)?);
        for code in &self.former {
            compact::write_code(&mut writer, code)?;
        }
        writer.finish()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, RowFault> {
        if bytes.first() == Some(&ROW_VERSION) {
            return Self::decode_wide(bytes);
        }
        let mut reader = RowReader::new(bytes, PACKED_VERSION)?;
        let held = compact::read_held(&mut reader)?;
        let count = reader.u8()?;
        let mut former = Vec::new();
        for _ in 0..count {
            former.push(compact::read_code(&mut reader)?);
        }
        reader.finish()?;
        Ok(Self { held, former })
    }

    fn decode_wide(bytes: &[u8]) -> Result<Self, RowFault> {
        let mut reader = RowReader::new(bytes, ROW_VERSION)?;
        let held = read_held(&mut reader)?;
        let count = reader.u8()?;
        let mut former = Vec::new();
        for _ in 0..count {
            former.push(read_code(&mut reader)?);
        }
        reader.finish()?;
        Ok(Self { held, former })
    }
}

impl EntryRow {
    pub(crate) fn encode(&self) -> Encoded {
        let mut writer = RowWriter::new(ROW_VERSION);
        writer.text(self.subject.as_ref().map_or("", |code| code.expose()));
        writer.fixed(&self.salt).bytes(&self.entry);
        writer.finish()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, RowFault> {
        let mut reader = RowReader::new(bytes, ROW_VERSION)?;
        let subject = match reader.text()? {
            "" => None,
            code => Some(RecordCode::parse(code).map_err(|_| RowFault)?),
        };
        let row = Self { subject, salt: reader.fixed()?, entry: reader.bytes()?.to_vec() };
        reader.finish()?;
        Ok(row)
    }
}

impl ForeignRow {
    pub(crate) fn encode(&self) -> Encoded {
        let mut writer = RowWriter::new(ROW_VERSION);
        writer.text(self.subject.expose()).text(&self.foreign.ledger);
        writer.bytes(&self.foreign.entry).fixed(&self.foreign.salt).text(&self.foreign.proof);
        writer.finish()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, RowFault> {
        let mut reader = RowReader::new(bytes, ROW_VERSION)?;
        let subject = read_code(&mut reader)?;
        let foreign = ForeignEntry {
            ledger: reader.text()?.to_owned(),
            entry: reader.bytes()?.to_vec(),
            salt: reader.fixed()?,
            proof: reader.text()?.to_owned(),
        };
        reader.finish()?;
        Ok(Self { subject, foreign })
    }
}

/// History rows need no wrapper: the person is the row's place.
pub(crate) fn encode_history(row: &HistoryRow) -> Encoded {
    let mut writer = RowWriter::new(ROW_VERSION);
    write_held(&mut writer, &row.before);
    writer.text(row.reason.key()).text(&row.on.to_string()).u64(row.recorded_at.0);
    writer.finish()
}

pub(crate) fn decode_history(bytes: &[u8]) -> Result<HistoryRow, RowFault> {
    let mut reader = RowReader::new(bytes, ROW_VERSION)?;
    let row = HistoryRow {
        before: read_held(&mut reader)?,
        reason: read_reason(&mut reader)?,
        on: read_date(&mut reader)?,
        recorded_at: Timestamp(reader.u64()?),
    };
    reader.finish()?;
    Ok(row)
}

/// The canonical fields of a person, in the order of the data items (法30条の5: 本人確認情報).
pub(crate) fn write_identity(writer: &mut RowWriter, identity: &IdentityInformation) {
    let items = &identity.items;
    writer.text(identity.code.expose()).text(items.name.expose()).text(items.kana.expose());
    writer.text(items.address.expose()).u8(items.sex.code()).text(&items.birth.expose());
    writer.text(identity.municipality.as_str());
    let other = &identity.other_names;
    writer.text(other.alternative.as_ref().map_or("", |name| name.expose()));
    writer.text(other.former_surname.as_ref().map_or("", |surname| surname.expose()));
}

fn write_held(writer: &mut RowWriter, held: &Held) {
    write_identity(writer, &held.identity);
    match &held.change {
        None => writer.u8(0),
        Some(change) => {
            let foreign = u8::from(change.foreign);
            writer.u8(1).text(change.reason.key()).text(&change.on.to_string()).u8(foreign)
        }
    };
    writer.u8(u8::from(held.removed));
}

fn read_held(reader: &mut RowReader<'_>) -> Result<Held, RowFault> {
    let code = read_code(reader)?;
    let items = FourItems {
        name: Name::parse(reader.text()?).map_err(|_| RowFault)?,
        kana: Kana::parse(reader.text()?).map_err(|_| RowFault)?,
        address: Address::parse(reader.text()?).map_err(|_| RowFault)?,
        sex: Sex::from_code(reader.u8()?).map_err(|_| RowFault)?,
        birth: BirthDate::parse(reader.text()?).map_err(|_| RowFault)?,
    };
    let municipality = LocalGovernmentCode::parse(reader.text()?).map_err(|_| RowFault)?;
    let other_names = OtherNames {
        alternative: read_if(reader, |text| Name::parse(text).ok())?,
        former_surname: read_if(reader, |text| FormerSurname::parse(text).ok())?,
    };
    let change = match reader.u8()? {
        0 => None,
        1 => Some(LastChange {
            reason: read_reason(reader)?,
            on: read_date(reader)?,
            foreign: read_bool(reader)?,
        }),
        _ => return Err(RowFault),
    };
    let removed = read_bool(reader)?;
    let identity = IdentityInformation { code, items, municipality, other_names };
    Ok(Held { identity, change, removed })
}

/// A text that may be empty: then there is none.
fn read_if<T>(
    reader: &mut RowReader<'_>,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, RowFault> {
    match reader.text()? {
        "" => Ok(None),
        text => parse(text).map(Some).ok_or(RowFault),
    }
}

fn read_bool(reader: &mut RowReader<'_>) -> Result<bool, RowFault> {
    match reader.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(RowFault),
    }
}

fn read_code(reader: &mut RowReader<'_>) -> Result<RecordCode, RowFault> {
    RecordCode::parse(reader.text()?).map_err(|_| RowFault)
}

fn read_reason(reader: &mut RowReader<'_>) -> Result<ChangeReason, RowFault> {
    ChangeReason::parse_key(reader.text()?).ok_or(RowFault)
}

fn read_date(reader: &mut RowReader<'_>) -> Result<Date, RowFault> {
    Date::parse(reader.text()?).map_err(|_| RowFault)
}

/// When an entry was written: the third line of its text, which every version of the format has.
/// Only the time is read here, because it decides the term of the row; the rest is the ledger's.
pub(crate) fn entry_time(entry: &[u8]) -> Result<Timestamp, RowFault> {
    let text = std::str::from_utf8(entry).map_err(|_| RowFault)?;
    let at = text.split('\n').nth(2).and_then(|line| line.strip_prefix("at ")).ok_or(RowFault)?;
    Timestamp::parse_rfc3339(at).map_err(|_| RowFault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_the_wide_form_are_read_and_written_packed() {
        let held = Held {
            identity: IdentityInformation {
                code: RecordCode::from_ten_digits(1_234_567_890).unwrap(),
                items: FourItems {
                    name: Name::parse("髙橋　花子").unwrap(),
                    kana: Kana::parse("タカハシ　ハナコ").unwrap(),
                    address: Address::parse("東京都国立市富士見台2丁目3番1号").unwrap(),
                    sex: Sex::Female,
                    birth: BirthDate::parse("1985-04-00").unwrap(),
                },
                municipality: LocalGovernmentCode::parse("132152").unwrap(),
                other_names: OtherNames::default(),
            },
            change: None,
            removed: false,
        };
        let row = ResidentRow::new(held, [RecordCode::from_ten_digits(77).unwrap()]);
        let mut wide = RowWriter::new(ROW_VERSION);
        write_held(&mut wide, &row.held);
        wide.u8(1).text(row.former[0].expose());
        let wide = wide.finish().unwrap();
        assert!(ResidentRow::decode(&wide).unwrap() == row);
        let packed = row.encode().unwrap();
        assert!(ResidentRow::decode(&packed).unwrap() == row);
        assert!(packed.len() * 3 < wide.len() * 2, "{} {}", packed.len(), wide.len());
        assert!(ResidentRow::decode(&[4]).is_err());
    }
}
