//! Facts beside the register: one sealed value per keyed digest, and walks over all residents. What
//! a fact means is the machine's.

use law::inquiry::Held;
use node::ports::{FactPlace, Looked, ReadError, Space, StoreError};
use rusqlite::{OptionalExtension, params};

use super::SqliteStore;
use crate::schema::{from_sql, read_error, to_sql};

const SEALED: ReadError = ReadError::Sealed { table: "fact" };

impl SqliteStore {
    pub(super) fn put_fact(
        &self,
        space: Space,
        key: &[u8],
        value: &[u8],
        dice: law::Dice<'_>,
    ) -> Result<(), StoreError> {
        let place = self.keys.fact_place(space, key);
        let sealed = self.sealing().seal_fact(space, &place, value, dice)?;
        self.run(
            "INSERT INTO fact (space, place, sealed) VALUES (?1, ?2, ?3)
             ON CONFLICT (space, place) DO UPDATE SET sealed = excluded.sealed",
            params![space.number(), place.as_slice(), sealed],
        )
    }

    pub(super) fn drop_fact(&self, space: Space, key: &[u8]) -> Result<(), StoreError> {
        let place = self.keys.fact_place(space, key);
        self.run(
            "DELETE FROM fact WHERE space = ?1 AND place = ?2",
            params![space.number(), place.as_slice()],
        )
    }

    pub(super) fn kept_fact(&self, space: Space, key: &[u8]) -> Looked<Option<Vec<u8>>> {
        let place = self.keys.fact_place(space, key);
        let sealed: Option<Vec<u8>> = self
            .prepare("SELECT sealed FROM fact WHERE space = ?1 AND place = ?2")?
            .query_row(params![space.number(), place.as_slice()], |row| row.get(0))
            .optional()
            .map_err(read_error)?;
        sealed.map(|sealed| self.open_fact(space, &place, &sealed)).transpose()
    }

    pub(super) fn kept_facts(
        &self,
        space: Space,
        after: Option<FactPlace>,
        max: usize,
    ) -> Looked<Vec<(FactPlace, Vec<u8>)>> {
        let mut statement = self.prepare(
            "SELECT place, sealed FROM fact WHERE space = ?1 AND place > ?2
             ORDER BY place LIMIT ?3",
        )?;
        // Every place is longer than the empty one, and so after it.
        let after = after.as_ref().map_or(&[][..], |place| place.as_slice());
        let limit = i64::try_from(max).unwrap_or(i64::MAX);
        let mut rows =
            statement.query(params![space.number(), after, limit]).map_err(read_error)?;
        let mut facts = Vec::new();
        while let Some(row) = rows.next().map_err(read_error)? {
            let place: Vec<u8> = row.get(0).map_err(read_error)?;
            let sealed: Vec<u8> = row.get(1).map_err(read_error)?;
            let place = FactPlace::try_from(place.as_slice()).map_err(|_| SEALED)?;
            facts.push((place, self.open_fact(space, &place, &sealed)?));
        }
        Ok(facts)
    }

    pub(super) fn count_facts(&self, space: Space) -> Looked<u64> {
        self.prepare("SELECT count(*) FROM fact WHERE space = ?1")?
            .query_row([space.number()], |row| row.get(0))
            .map(from_sql)
            .map_err(read_error)
    }

    pub(super) fn walk_residents(&self, row: u64, max: usize) -> Looked<Vec<(u64, Held)>> {
        let mut statement = self
            .prepare("SELECT id, epoch, sealed FROM resident WHERE id > ?1 ORDER BY id LIMIT ?2")?;
        let limit = i64::try_from(max).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![to_sql(row), limit]).map_err(read_error)?;
        let mut residents = Vec::new();
        while let Some(row) = rows.next().map_err(read_error)? {
            let (id, found) = self.resident_in(row)?;
            residents.push((from_sql(id), found.held));
        }
        Ok(residents)
    }

    fn open_fact(&self, space: Space, place: &FactPlace, sealed: &[u8]) -> Looked<Vec<u8>> {
        self.sealing().open_fact(space, place, sealed)
    }
}
