//! Queue items and facts under the keys of current rows: sealed anew when such a key is given up,
//! and let go when an older copy is put back whose key is gone.

use node::ports::{FactPlace, StoreError};
use rusqlite::params;
use wire::NodeId;

use super::SqliteStore;
use crate::keyring::from_read;
use crate::places::{fact_sealed_at, queue_place, space_of};
use crate::schema::{store_error, to_sql};

/// Destination and sequence of a queue item, and its bytes.
type Item = (String, i64, Vec<u8>);
/// Space and place of a fact, and its bytes.
type Fact = (i64, Vec<u8>, Vec<u8>);

impl SqliteStore {
    /// Seal anew what was sealed in epochs before `old`, at most `rows_max` of each kind; how many.
    pub(super) fn renew_passing(
        &self,
        old: u32,
        rows_max: usize,
        dice: law::Dice<'_>,
    ) -> Result<usize, StoreError> {
        let before = old.to_be_bytes();
        let items = self.items(Some(&before), rows_max)?;
        let unopened = || StoreError::Damaged("a queue item or a fact does not open".into());
        for (to, sequence, sealed) in &items {
            let place = queue_place(to, *sequence);
            let plain = self.keys.open_passing(&self.db, &place, sealed).map_err(from_read)?;
            let plain = plain.ok_or_else(unopened)?;
            let sealed = self.keys.seal_passing(&self.db, &place, &plain, &mut *dice)?;
            self.run(
                "UPDATE queue_item SET sealed = ?3 WHERE destination = ?1 AND sequence = ?2",
                params![to, sequence, sealed.ok_or_else(unopened)?],
            )?;
        }
        let facts = self.facts_before(Some(&before), rows_max)?;
        for (number, place, sealed) in &facts {
            let at = fact_place(*number, place)?;
            let plain = self.keys.open_passing(&self.db, &at, sealed).map_err(from_read)?;
            let plain = plain.ok_or_else(unopened)?;
            let sealed = self.keys.seal_passing(&self.db, &at, &plain, &mut *dice)?;
            self.run(
                "UPDATE fact SET sealed = ?3 WHERE space = ?1 AND place = ?2",
                params![number, place, sealed.ok_or_else(unopened)?],
            )?;
        }
        Ok(items.len().saturating_add(facts.len()))
    }

    /// What no key opens any more. Items that went count as acknowledged: the one they were for has
    /// had them, or has been told since by what came after.
    pub(super) fn drop_passing(&self) -> Result<(), StoreError> {
        for (to, sequence, sealed) in self.items(None, usize::MAX)? {
            let place = queue_place(&to, sequence);
            if self.keys.open_passing(&self.db, &place, &sealed).map_err(from_read)?.is_none() {
                let to = NodeId::parse(&to)
                    .map_err(|_| StoreError::Damaged("a queue for no node".into()))?;
                self.acknowledge(to.as_str(), u64::try_from(sequence).unwrap_or(0))?;
            }
        }
        for (number, place, sealed) in self.facts_before(None, usize::MAX)? {
            let at = fact_place(number, &place)?;
            if self.keys.open_passing(&self.db, &at, &sealed).map_err(from_read)?.is_none() {
                self.run(
                    "DELETE FROM fact WHERE space = ?1 AND place = ?2",
                    params![number, place],
                )?;
            }
        }
        Ok(())
    }

    fn items(&self, before: Option<&[u8]>, max: usize) -> Result<Vec<Item>, StoreError> {
        self.db
            .prepare_cached(
                "SELECT destination, sequence, sealed FROM queue_item
                 WHERE ?1 IS NULL OR substr(sealed, 1, 4) < ?1
                 ORDER BY destination, sequence LIMIT ?2",
            )
            .and_then(|mut s| {
                let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
                s.query_map(params![before, wide(max)], row)?.collect()
            })
            .map_err(store_error)
    }

    fn facts_before(&self, before: Option<&[u8]>, max: usize) -> Result<Vec<Fact>, StoreError> {
        self.db
            .prepare_cached(
                "SELECT space, place, sealed FROM fact
                 WHERE ?1 IS NULL OR substr(sealed, 1, 4) < ?1 LIMIT ?2",
            )
            .and_then(|mut s| {
                let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
                s.query_map(params![before, wide(max)], row)?.collect()
            })
            .map_err(store_error)
    }
}

fn wide(count: usize) -> i64 {
    to_sql(u64::try_from(count).unwrap_or(u64::MAX))
}

fn fact_place(number: i64, place: &[u8]) -> Result<Vec<u8>, StoreError> {
    let unknown = || StoreError::Damaged("a fact of no known space or place".into());
    let space = space_of(number).ok_or_else(unknown)?;
    let place = FactPlace::try_from(place).map_err(|_| unknown())?;
    Ok(fact_sealed_at(space, &place))
}
