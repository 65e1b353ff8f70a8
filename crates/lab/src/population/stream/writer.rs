//! Writes the binary stream; its bytes depend on the residents alone.

use std::io::Write;

use law::people::Sex;

use super::{
    FLAG_ALTERNATIVE, FLAG_FAMILY, FLAG_FEMALE, FLAG_FOREIGN, FLAG_HOUSEHOLD, MAGIC, VERSION,
};
use crate::population::hashed::{Hashed, Written};
use crate::population::{Options, PopulationError, Resident};

/// Records are handed to the writer in pieces of about this size.
const CHUNK_BYTES: usize = 1 << 18;

/// A stream being written.
pub(crate) struct Writer<'w> {
    out: Hashed<'w>,
    buffer: Vec<u8>,
    household: String,
    family: (String, String),
    written: u64,
}

impl<'w> Writer<'w> {
    pub(crate) fn new(options: &Options, out: &'w mut dyn Write) -> Result<Self, PopulationError> {
        let mut buffer = Vec::with_capacity(CHUNK_BYTES + 4_096);
        buffer.extend_from_slice(MAGIC);
        buffer.extend_from_slice(&VERSION.to_le_bytes());
        buffer.extend_from_slice(&options.seed.to_le_bytes());
        buffer.extend_from_slice(&options.residents.to_le_bytes());
        let named = u16::try_from(options.municipalities.len());
        let named = named.map_err(|_| PopulationError::RecordTooLong)?;
        buffer.extend_from_slice(&named.to_le_bytes());
        for code in &options.municipalities {
            text(&mut buffer, code)?;
        }
        let family = (String::new(), String::new());
        Ok(Self { out: Hashed::new(out), buffer, household: String::new(), family, written: 0 })
    }

    pub(crate) fn resident(&mut self, resident: &Resident<'_>) -> Result<(), PopulationError> {
        let start = self.buffer.len();
        let buffer = &mut self.buffer;
        buffer.extend_from_slice(&[0, 0]);
        let new_household = self.household != resident.household_id;
        let (family, kana) = (resident.family_name, resident.family_kana);
        let new_family = self.family.0 != family || self.family.1 != kana;
        let flag = |is: bool, flag: u8| if is { flag } else { 0 };
        buffer.push(
            flag(resident.sex == Sex::Female, FLAG_FEMALE)
                | flag(new_household, FLAG_HOUSEHOLD)
                | flag(new_family, FLAG_FAMILY)
                | flag(!resident.nationality.is_empty(), FLAG_FOREIGN)
                | flag(resident.alternative_name.is_some(), FLAG_ALTERNATIVE),
        );
        let ten = digits(resident.record_code.expose().as_bytes().iter().take(10));
        buffer.extend(ten.to_le_bytes().into_iter().take(5));
        let birth = digits(resident.birth.as_bytes().iter().filter(|byte| **byte != b'-'));
        buffer.extend(birth.to_le_bytes().into_iter().take(4));
        text(buffer, resident.given_name)?;
        text(buffer, resident.given_kana)?;
        text(buffer, resident.relationship)?;
        if new_household {
            buffer.extend_from_slice(resident.municipality_code.as_bytes());
            let number = resident.household_id.bytes().rev().take_while(|byte| *byte != b'-');
            let number = digits(number.collect::<Vec<_>>().iter().rev());
            buffer.extend(number.to_le_bytes().into_iter().take(4));
            text(buffer, resident.address)?;
            self.household.clear();
            self.household.push_str(resident.household_id);
        }
        if new_family {
            text(buffer, family)?;
            text(buffer, kana)?;
            self.family = (family.to_owned(), kana.to_owned());
        }
        if !resident.nationality.is_empty() {
            text(buffer, resident.nationality)?;
        }
        if let Some((family, given)) = resident.alternative_name {
            text(buffer, family)?;
            text(buffer, given)?;
        }
        let length = u16::try_from(buffer.len() - start - 2);
        let length = length.map_err(|_| PopulationError::RecordTooLong)?.to_le_bytes();
        for (place, byte) in buffer.iter_mut().skip(start).zip(length) {
            *place = byte;
        }
        self.written += 1;
        if self.buffer.len() >= CHUNK_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), PopulationError> {
        self.out.write(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<Written, PopulationError> {
        self.buffer.extend_from_slice(&[0, 0]);
        self.buffer.extend_from_slice(&self.written.to_le_bytes());
        self.flush()?;
        let digest = self.out.so_far();
        self.out.write(&digest)?;
        Ok(self.out.finish()?)
    }
}

fn text(buffer: &mut Vec<u8>, text: &str) -> Result<(), PopulationError> {
    buffer.push(u8::try_from(text.len()).map_err(|_| PopulationError::RecordTooLong)?);
    buffer.extend_from_slice(text.as_bytes());
    Ok(())
}

fn digits<'b>(bytes: impl Iterator<Item = &'b u8>) -> u64 {
    bytes.fold(0, |number, byte| number * 10 + u64::from(byte.wrapping_sub(b'0')))
}
