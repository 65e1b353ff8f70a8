//! Plain rows of the register, before they are sealed: a version of a record, a filing, a household
//! that has to file, a notice to be sent. Parsing is total.

use law::Epoch;
use law::change::ChangeReason;
use law::code::{LocalGovernmentCode, RecordCode};
use law::register::{Filing, HouseholdDue, Item, Lateness, Outgoing, ResidentRecord, Sheet};
use law::time::Date;
use zeroize::Zeroizing;

use super::terms::{LateFiling, OpenHousehold};
use crate::codec::{RowFault, RowReader, RowWriter};

/// First byte of every plain row of a register.
const ROW_VERSION: u8 = 1;

type Encoded = Result<Zeroizing<Vec<u8>>, RowFault>;

/// What a version says besides its record.
pub(super) struct VersionRow {
    pub(super) valid_from: Date,
    pub(super) act: String,
    pub(super) filing: String,
    pub(super) resident: ResidentRecord,
}

pub(super) fn encode_version(
    resident: &ResidentRecord,
    valid_from: Date,
    filing: &Filing,
) -> Encoded {
    let mut writer = RowWriter::new(ROW_VERSION);
    writer.text(&valid_from.to_string()).text(filing.act.key()).text(filing.number.as_str());
    let items: Vec<(Item, &str)> = resident.sheet().expose_items().collect();
    writer.u8(u8::try_from(items.len()).map_err(|_| RowFault)?);
    for (item, text) in items {
        writer.text(item.key()).text(text);
    }
    writer.finish()
}

pub(super) fn decode_version(bytes: &[u8], epoch: Epoch) -> Result<VersionRow, RowFault> {
    let mut reader = RowReader::new(bytes, ROW_VERSION)?;
    let valid_from = date(&mut reader)?;
    let (act, filing) = (reader.text()?.to_owned(), reader.text()?.to_owned());
    let mut sheet = Sheet::default();
    for _ in 0..reader.u8()? {
        let item = Item::parse_key(reader.text()?).ok_or(RowFault)?;
        sheet.put(item, reader.text()?);
    }
    reader.finish()?;
    let resident = ResidentRecord::parse(&sheet, epoch).map_err(|_| RowFault)?;
    Ok(VersionRow { valid_from, act, filing, resident })
}

pub(super) fn encode_filing(filing: &Filing, lateness: Option<&Lateness>) -> Encoded {
    let mut writer = RowWriter::new(ROW_VERSION);
    writer.text(filing.number.as_str()).text(filing.act.key()).text(&filing.filed_on.to_string());
    match lateness {
        None => writer.u8(0),
        Some(late) => writer.u8(1).text(late.article).text(&late.due.to_string()),
    };
    writer.finish()
}

pub(super) fn decode_filing(bytes: &[u8]) -> Result<LateFiling, RowFault> {
    let mut reader = RowReader::new(bytes, ROW_VERSION)?;
    let (number, act) = (reader.text()?.to_owned(), reader.text()?.to_owned());
    let filed_on = date(&mut reader)?;
    let (article, due) = match reader.u8()? {
        0 => (String::new(), filed_on),
        1 => (reader.text()?.to_owned(), date(&mut reader)?),
        _ => return Err(RowFault),
    };
    reader.finish()?;
    let days = filed_on.day_number() - due.day_number();
    Ok(LateFiling { number, act, filed_on, article, due, days })
}

pub(super) fn encode_due(due: &HouseholdDue, filing: &Filing) -> Encoded {
    let mut writer = RowWriter::new(ROW_VERSION);
    writer.text(due.household.as_str()).text(&due.until.to_string()).text(filing.number.as_str());
    writer.finish()
}

pub(super) fn decode_due(bytes: &[u8]) -> Result<OpenHousehold, RowFault> {
    let mut reader = RowReader::new(bytes, ROW_VERSION)?;
    let household = law::register::HouseholdId::parse(reader.text()?).ok_or(RowFault)?;
    let (until, number) = (date(&mut reader)?, reader.text()?.to_owned());
    reader.finish()?;
    Ok(OpenHousehold { household, until, number })
}

/// A notice by reference: its items are those of the version, read when it is sent.
pub(super) struct NoticeRow {
    pub(super) record: i64,
    pub(super) number: i64,
    pub(super) reason: ChangeReason,
    pub(super) changed_on: Date,
    pub(super) previous_code: Option<RecordCode>,
    pub(super) former_municipality: Option<LocalGovernmentCode>,
}

impl NoticeRow {
    pub(super) fn new(record: i64, number: i64, outgoing: &Outgoing) -> Self {
        Self {
            record,
            number,
            reason: outgoing.notice.reason,
            changed_on: outgoing.notice.changed_on,
            previous_code: outgoing.notice.previous_code,
            former_municipality: outgoing.former_municipality,
        }
    }

    pub(super) fn encode(&self) -> Encoded {
        let unsigned = |number: i64| u64::try_from(number).map_err(|_| RowFault);
        let mut writer = RowWriter::new(ROW_VERSION);
        writer.u64(unsigned(self.record)?).u64(unsigned(self.number)?);
        writer.text(self.reason.key()).text(&self.changed_on.to_string());
        writer.text(self.previous_code.as_ref().map_or("", |code| code.expose()));
        writer.text(self.former_municipality.as_ref().map_or("", |code| code.as_str()));
        writer.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, RowFault> {
        let mut reader = RowReader::new(bytes, ROW_VERSION)?;
        let signed = |number: u64| i64::try_from(number).map_err(|_| RowFault);
        let row = Self {
            record: signed(reader.u64()?)?,
            number: signed(reader.u64()?)?,
            reason: ChangeReason::parse_key(reader.text()?).ok_or(RowFault)?,
            changed_on: date(&mut reader)?,
            previous_code: optional(reader.text()?, |text| RecordCode::parse(text).ok())?,
            former_municipality: optional(reader.text()?, |text| {
                LocalGovernmentCode::parse(text).ok()
            })?,
        };
        reader.finish()?;
        Ok(row)
    }
}

fn optional<T>(text: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, RowFault> {
    if text.is_empty() { Ok(None) } else { parse(text).map(Some).ok_or(RowFault) }
}

fn date(reader: &mut RowReader<'_>) -> Result<Date, RowFault> {
    Date::parse(reader.text()?).map_err(|_| RowFault)
}
