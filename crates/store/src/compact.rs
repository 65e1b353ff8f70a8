//! The bytes of a resident's plain row: the same fields as everywhere, packed, because there are as
//! many of these rows as people in the country. Total both ways, as `codec`; what the older, wide
//! form was is in `row`.
//!
//! Digits stand two in a byte, a reading in full-width katakana takes one byte a character, and
//! what is usually not there takes one bit.

use law::change::ChangeReason;
use law::code::{LocalGovernmentCode, RecordCode};
use law::inquiry::{Held, LastChange};
use law::people::{
    Address, BirthDate, FormerSurname, FourItems, IdentityInformation, Kana, Name, OtherNames, Sex,
};
use law::time::Date;

use crate::codec::{RowFault, RowReader, RowWriter};

const REMOVED: u8 = 1;
const CHANGED: u8 = 1 << 1;
const FOREIGN: u8 = 1 << 2;
const SECOND_SEX: u8 = 1 << 3;
const ALTERNATIVE: u8 = 1 << 4;
const FORMER_SURNAME: u8 = 1 << 5;
/// The reading is packed.
const KATAKANA: u8 = 1 << 6;
const KNOWN: u8 = (KATAKANA << 1) - 1;

/// Texts up to this many bytes have one byte of length; it stands before the longer ones.
const LONG: u8 = u8::MAX;
/// Fills a half byte behind an odd number of digits.
const NO_DIGIT: u8 = 0xf;
/// A packed reading's byte for U+3000; the katakana block begins one above it.
const WIDE_SPACE: u8 = 0x9f;
const KATAKANA_FIRST: u32 = 0x30a0;
const KATAKANA_COUNT: u32 = 0x60;

pub(crate) fn write_held(writer: &mut RowWriter, held: &Held) -> Result<(), RowFault> {
    let IdentityInformation { code, items, municipality, other_names } = &held.identity;
    let packed = katakana(items.kana.expose());
    let bit = |is: bool, bit: u8| if is { bit } else { 0 };
    let change = held.change.as_ref();
    writer.u8(bit(held.removed, REMOVED)
        | bit(change.is_some(), CHANGED)
        | bit(change.is_some_and(|change| change.foreign), FOREIGN)
        | bit(items.sex.code() == 2, SECOND_SEX)
        | bit(other_names.alternative.is_some(), ALTERNATIVE)
        | bit(other_names.former_surname.is_some(), FORMER_SURNAME)
        | bit(packed.is_some(), KATAKANA));
    write_digits(writer, code.expose(), RECORD_CODE)?;
    write_digits(writer, municipality.as_str(), MUNICIPALITY)?;
    write_digits(writer, &items.birth.expose(), DAY)?;
    if let Some(LastChange { reason, on, .. }) = change {
        let number = ChangeReason::ALL.iter().position(|known| known == reason);
        writer.u8(number.and_then(|number| u8::try_from(number).ok()).ok_or(RowFault)?);
        write_digits(writer, &on.to_string(), DAY)?;
    }
    write_text(writer, items.name.expose().as_bytes());
    write_text(writer, packed.as_deref().unwrap_or_else(|| items.kana.expose().as_bytes()));
    write_text(writer, items.address.expose().as_bytes());
    if let Some(name) = &other_names.alternative {
        write_text(writer, name.expose().as_bytes());
    }
    if let Some(surname) = &other_names.former_surname {
        write_text(writer, surname.expose().as_bytes());
    }
    Ok(())
}

pub(crate) fn read_held(reader: &mut RowReader<'_>) -> Result<Held, RowFault> {
    let flags = reader.u8()?;
    let is = |bit: u8| flags & bit != 0;
    if flags & !KNOWN != 0 || is(FOREIGN) && !is(CHANGED) {
        return Err(RowFault);
    }
    let code = read_code(reader)?;
    let municipality = read_digits(reader, MUNICIPALITY)?;
    let municipality = LocalGovernmentCode::parse(&municipality).map_err(|_| RowFault)?;
    let birth = BirthDate::parse(&read_digits(reader, DAY)?).map_err(|_| RowFault)?;
    let change = if is(CHANGED) {
        let number = usize::from(reader.u8()?);
        let reason = *ChangeReason::ALL.get(number).ok_or(RowFault)?;
        let on = Date::parse(&read_digits(reader, DAY)?).map_err(|_| RowFault)?;
        Some(LastChange { reason, on, foreign: is(FOREIGN) })
    } else {
        None
    };
    let name = Name::parse(read_text(reader)?).map_err(|_| RowFault)?;
    let kana = if is(KATAKANA) {
        Kana::parse(&unpacked(read_bytes(reader)?)?)
    } else {
        Kana::parse(read_text(reader)?)
    };
    let kana = kana.map_err(|_| RowFault)?;
    let address = Address::parse(read_text(reader)?).map_err(|_| RowFault)?;
    let mut other_names = OtherNames::default();
    if is(ALTERNATIVE) {
        let name = Name::parse(read_text(reader)?).map_err(|_| RowFault)?;
        other_names.alternative = Some(name);
    }
    if is(FORMER_SURNAME) {
        let surname = FormerSurname::parse(read_text(reader)?).map_err(|_| RowFault)?;
        other_names.former_surname = Some(surname);
    }
    let sex = Sex::from_code(if is(SECOND_SEX) { 2 } else { 1 }).map_err(|_| RowFault)?;
    let items = FourItems { name, kana, address, sex, birth };
    let identity = IdentityInformation { code, items, municipality, other_names };
    Ok(Held { identity, change, removed: is(REMOVED) })
}

pub(crate) fn write_code(writer: &mut RowWriter, code: &RecordCode) -> Result<(), RowFault> {
    write_digits(writer, code.expose(), RECORD_CODE)
}

pub(crate) fn read_code(reader: &mut RowReader<'_>) -> Result<RecordCode, RowFault> {
    RecordCode::parse(&read_digits(reader, RECORD_CODE)?).map_err(|_| RowFault)
}

/// A form of digits: how many, and whether they are a day with its two hyphens.
#[derive(Clone, Copy)]
struct Form {
    digits: usize,
    day: bool,
}

const RECORD_CODE: Form = Form { digits: 11, day: false };
const MUNICIPALITY: Form = Form { digits: 6, day: false };
const DAY: Form = Form { digits: 8, day: true };

fn write_digits(writer: &mut RowWriter, text: &str, form: Form) -> Result<(), RowFault> {
    let mut half: Option<u8> = None;
    let mut digits = 0;
    for byte in text.bytes().filter(|byte| !(form.day && *byte == b'-')) {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10).ok_or(RowFault)?;
        digits += 1;
        half = match half {
            None => Some(digit << 4),
            Some(first) => {
                writer.u8(first | digit);
                None
            }
        };
    }
    if let Some(first) = half {
        writer.u8(first | NO_DIGIT);
    }
    if digits == form.digits { Ok(()) } else { Err(RowFault) }
}

fn read_digits(reader: &mut RowReader<'_>, form: Form) -> Result<String, RowFault> {
    let mut text = String::with_capacity(form.digits + 2);
    let mut count = 0;
    for byte in reader.take(form.digits.div_ceil(2))? {
        for digit in [byte >> 4, byte & 0xf] {
            match digit {
                0..10 if count < form.digits => text.push(char::from(b'0' + digit)),
                NO_DIGIT if count == form.digits => continue,
                _ => return Err(RowFault),
            }
            count += 1;
            if form.day && matches!(count, 4 | 6) {
                text.push('-');
            }
        }
    }
    Ok(text)
}

fn write_text(writer: &mut RowWriter, text: &[u8]) {
    match u8::try_from(text.len()) {
        Ok(length) if length < LONG => {
            writer.u8(length).raw(text);
        }
        _ => {
            writer.u8(LONG).bytes(text);
        }
    }
}

fn read_bytes<'a>(reader: &mut RowReader<'a>) -> Result<&'a [u8], RowFault> {
    match reader.u8()? {
        LONG => reader.bytes(),
        length => reader.take(usize::from(length)),
    }
}

fn read_text<'a>(reader: &mut RowReader<'a>) -> Result<&'a str, RowFault> {
    std::str::from_utf8(read_bytes(reader)?).map_err(|_| RowFault)
}

/// A reading of full-width katakana and spaces only, one byte each.
fn katakana(text: &str) -> Option<Vec<u8>> {
    text.chars()
        .map(|c| match u32::from(c) {
            0x3000 => Some(WIDE_SPACE),
            c => {
                let at = c.checked_sub(KATAKANA_FIRST).filter(|at| *at < KATAKANA_COUNT)?;
                Some(WIDE_SPACE + 1 + u8::try_from(at).ok()?)
            }
        })
        .collect()
}

fn unpacked(bytes: &[u8]) -> Result<String, RowFault> {
    let one = |byte: &u8| match byte.checked_sub(WIDE_SPACE) {
        Some(0) => Some('\u{3000}'),
        Some(at) => char::from_u32(KATAKANA_FIRST + u32::from(at) - 1),
        None => None,
    };
    bytes.iter().map(one).collect::<Option<String>>().ok_or(RowFault)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(kana: &str, birth: &str, address: &str) -> Held {
        let items = FourItems {
            name: Name::parse("髙橋　花子").unwrap(),
            kana: Kana::parse(kana).unwrap(),
            address: Address::parse(address).unwrap(),
            sex: Sex::Female,
            birth: BirthDate::parse(birth).unwrap(),
        };
        let identity = IdentityInformation {
            code: RecordCode::from_ten_digits(1_234_567_890).unwrap(),
            items,
            municipality: LocalGovernmentCode::parse("132152").unwrap(),
            other_names: OtherNames::default(),
        };
        Held { identity, change: None, removed: false }
    }

    fn bytes_of(held: &Held) -> Vec<u8> {
        let mut writer = RowWriter::new(3);
        write_held(&mut writer, held).unwrap();
        writer.finish().unwrap().to_vec()
    }

    fn read(bytes: &[u8]) -> Result<Held, RowFault> {
        let mut reader = RowReader::new(bytes, 3)?;
        let held = read_held(&mut reader)?;
        reader.finish()?;
        Ok(held)
    }

    fn everyone() -> Vec<Held> {
        let mut all = Vec::new();
        for kana in ["タカハシ　ハナコ", "たかはし　はなこ", "ヷー・ヿ", "ﾊﾅｺ"]
        {
            for birth in ["1985-04-01", "1985-04-00", "1930-00-00", "0000-00-00"] {
                for address in ["東京都国立市富士見台2丁目3番1号", &"国".repeat(390)]
                {
                    all.push(held(kana, birth, address));
                }
            }
        }
        for (nth, reason) in ChangeReason::ALL.into_iter().enumerate() {
            let mut one = held("ハナコ", "2001-12-31", "東京都国立市東一丁目1番1号");
            let on = Date::parse("2024-02-29").unwrap();
            one.change = Some(LastChange { reason, on, foreign: nth % 2 == 0 });
            one.removed = nth % 3 == 0;
            let other = &mut one.identity.other_names;
            other.alternative = (nth % 4 == 0).then(|| Name::parse("佐藤　花").unwrap());
            other.former_surname = (nth % 5 == 0).then(|| FormerSurname::parse("佐藤").unwrap());
            one.identity.items.sex = if nth % 2 == 0 { Sex::Male } else { Sex::Female };
            all.push(one);
        }
        all
    }

    #[test]
    fn everyone_comes_back_and_every_cut_is_refused() {
        for one in everyone() {
            let bytes = bytes_of(&one);
            assert!(read(&bytes).is_ok_and(|back| back == one));
            for length in 0..bytes.len() {
                assert!(read(&bytes[..length]).is_err(), "cut at {length}");
            }
        }
    }

    #[test]
    fn no_damaged_byte_is_a_panic_and_unknown_flags_are_refused() {
        for one in everyone().into_iter().step_by(7) {
            let bytes = bytes_of(&one);
            for at in 0..bytes.len() {
                for bit in 0..8 {
                    let mut bad = bytes.clone();
                    bad[at] ^= 1 << bit;
                    let _ = read(&bad);
                }
            }
            let mut bad = bytes;
            bad[1] |= 0x80;
            assert!(read(&bad).is_err());
        }
    }

    #[test]
    fn a_usual_row_stays_within_two_size_classes() {
        let usual = held(
            "タカハシ　ハナコ",
            "1985-04-01",
            "神奈川県横浜市神奈川区三ツ沢上町二丁目23番14-102号",
        );
        assert!(bytes_of(&usual).len() + 4 <= 2 * crate::seal::SIZE_CLASS_BYTES);
    }

    #[test]
    fn the_numbers_of_reasons_stand_as_they_were_first_written() {
        use ChangeReason as R;
        // A reason that is added comes last; one that is dropped keeps its place.
        let written = [
            R::MovedIn,
            R::Born,
            R::EnteredExOfficio,
            R::MovedOut,
            R::Died,
            R::DeletedExOfficio,
            R::MovedWithin,
            R::CorrectedExOfficio,
            R::CodeChangedOnRequest,
            R::CodeEnteredExOfficio,
            R::MinorCorrection,
            R::MovedInFromAbroad,
            R::NaturalisationEntered,
            R::NationalityLossEntered,
            R::MovedOutAbroad,
            R::NaturalisationDeleted,
            R::NationalityLossDeleted,
            R::NumberChangedOnRequest,
            R::NumberCorrectedExOfficio,
            R::NumberEnteredExOfficio,
        ];
        assert_eq!(ChangeReason::ALL, written);
    }
}
