//! Loading a register in bulk through COPY: rows as they come, index terms in order.

use law::inquiry::Held;
use node::ports::StoreError;
use postgres::types::Type;

use super::PostgresStore;
use super::link::store_error;
use crate::bulk::{ChunkTerms, PEOPLE_PER_COMMIT_COUNT_MAX, held_already, is_code, seal_in_order};
use crate::keyring::from_read;
use crate::places::RESIDENTS_NAME;
use crate::row::ResidentRow;

impl PostgresStore {
    /// Keep people who are not held yet, without history and without ledger entries. Durable chunk
    /// by chunk: after an error or a crash, what whole chunks held is kept.
    ///
    /// # Errors
    /// As for a commit; refused while a group is open, and at the first code that is held already.
    pub fn bulk_load(
        &mut self,
        people: &mut dyn Iterator<Item = Held>,
        dice: law::Dice<'_>,
    ) -> Result<u64, StoreError> {
        let mut loaded = 0u64;
        loop {
            let count =
                self.in_transaction(|store| store.load_chunk(people, loaded, &mut *dice))?;
            if count == 0 {
                break;
            }
            loaded = loaded.saturating_add(count);
        }
        // Statistics of tables that were empty a moment ago lead no plan anywhere.
        self.link.batch("ANALYZE resident; ANALYZE term")?;
        Ok(loaded)
    }

    /// One transaction's worth; the number of people in it.
    fn load_chunk(
        &mut self,
        people: &mut dyn Iterator<Item = Held>,
        before: u64,
        dice: law::Dice<'_>,
    ) -> Result<u64, StoreError> {
        let mut numbers = self.numbers()?;
        // Its key is drawn before the line is busy with rows.
        let sealer = self.sealing().sealer(numbers.epoch, &mut *dice)?;
        let mut terms = ChunkTerms::new(numbers.resident.saturating_add(1));
        let mut present = 0i64;
        self.link.copy_in(
            "COPY resident (id, epoch, sealed) FROM STDIN (FORMAT binary)",
            &[Type::INT8, Type::INT4, Type::BYTEA],
            &mut |rows| {
                let epoch = i32::try_from(numbers.epoch).unwrap_or(i32::MAX);
                let mut people = people.take(PEOPLE_PER_COMMIT_COUNT_MAX);
                let first = terms.first();
                seal_in_order(&sealer, &mut people, first, &mut *dice, &mut |person| {
                    rows.write(&[&person.id, &epoch, &person.sealed]).map_err(store_error)?;
                    present += i64::from(person.present);
                    terms.add(person.id, person.terms);
                    Ok(())
                })?;
                Ok(())
            },
        )?;
        let (first, count) = (terms.first(), terms.people());
        let terms = terms.in_order();
        self.refuse_codes_held(&terms, first, before)?;
        self.link.copy_in(
            "COPY term (digest, kind, resident) FROM STDIN (FORMAT binary)",
            &[Type::INT8, Type::INT2, Type::INT8],
            &mut |rows| {
                for (digest, kind, resident) in &terms {
                    rows.write(&[digest, &i16::from(*kind), resident]).map_err(store_error)?;
                }
                Ok(())
            },
        )?;
        if present != 0 {
            self.add_to_number(RESIDENTS_NAME, present)?;
        }
        numbers.resident = numbers.resident.saturating_add(i64::try_from(count).unwrap_or(0));
        self.numbers.set(Some(numbers));
        Ok(count)
    }

    fn refuse_codes_held(
        &self,
        terms: &[(i64, u8, i64)],
        first: i64,
        before: u64,
    ) -> Result<(), StoreError> {
        let codes: Vec<_> = terms.iter().filter(|(_, kind, _)| is_code(*kind)).collect();
        let mut suspects: Vec<(i64, i64)> = codes
            .windows(2)
            .filter_map(|pair| match pair {
                [(a, _, one), (b, _, other)] if a == b => Some((*one, *other)),
                _ => None,
            })
            .collect();
        let digests: Vec<i64> = codes.iter().map(|(digest, ..)| *digest).collect();
        for (digest, held) in self.code_holders_of(&digests)? {
            let same = codes.iter().filter(|(of, ..)| *of == digest);
            suspects.extend(same.map(|(_, _, loaded)| (held, *loaded)));
        }
        // Two codes may share a truncated digest; only the opened rows decide.
        for (one, other) in suspects {
            if self.row_of(one)?.held.identity.code == self.row_of(other)?.held.identity.code {
                return Err(held_already(before, other.saturating_sub(first)));
            }
        }
        Ok(())
    }

    fn code_holders_of(&self, digests: &[i64]) -> Result<Vec<(i64, i64)>, StoreError> {
        crate::raw::Raw::code_holders(&self.link, digests)
    }

    /// One row, opened.
    pub(super) fn row_of(&self, id: i64) -> Result<ResidentRow, StoreError> {
        let row = self.link.one("SELECT id, epoch, sealed FROM resident WHERE id = $1", &[&id])?;
        let row = row.ok_or_else(|| {
            StoreError::Damaged(format!("index term of resident row {id}, which is not there"))
        })?;
        self.resident_in(&row).map(|(_, row)| row).map_err(from_read)
    }
}
