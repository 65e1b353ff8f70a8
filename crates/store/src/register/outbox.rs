//! The outbox (送信待ち): notices that the communication server has not taken yet.
//!
//! A notice gets its number when it is due and first leaves, so that numbers are without gaps in
//! the order of what happened, also when a moving-out was filed weeks before its day.

use law::change::ChangeNotice;
use law::register::Outgoing;
use law::time::Date;
use node::ports::StoreError;
use rusqlite::{Params, params};

use super::RegisterStore;
use super::file::damaged;
use super::row::NoticeRow;
use crate::schema::{from_sql, store_error};

/// Counter of numbers given.
const SEQUENCE: &str = "sequence";

/// One notice to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    pub sequence: u64,
    pub outgoing: Outgoing,
}

/// What an acknowledgement did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marked {
    pub taken: usize,
    /// Refused by the server: they wait for a correction and get a new number when sent again.
    pub refused: usize,
}

impl RegisterStore {
    /// Number what is due on this day, and give everything that was not taken yet, in order. The
    /// same call gives the same rows again until they are marked.
    ///
    /// # Errors
    /// When the file cannot be read or written; then no number was given.
    pub fn outbox(&mut self, on: Date) -> Result<Vec<OutboxRow>, StoreError> {
        self.within(|register| {
            let due = register
                .ids("sequence IS NULL AND due_on <= ?1 ORDER BY due_on, id", [on.day_number()])?;
            let mut last = register.counter(SEQUENCE)?;
            for id in due {
                last += 1;
                register.run("UPDATE outbox SET sequence = ?2 WHERE id = ?1", params![id, last])?;
            }
            register.set_counter(SEQUENCE, last)?;
            register.numbered()
        })
    }

    /// How many wait, those of a later day included.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn outbox_count(&self) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM outbox";
        self.db.query_row(sql, [], |row| row.get(0)).map(from_sql).map_err(store_error)
    }

    /// The server's word on the first `sent` numbered rows: those at the places of `refused`
    /// (from 0) stay for another number, the others are done.
    ///
    /// # Errors
    /// When more were sent than wait, or the file cannot be written.
    pub fn mark_sent(&mut self, sent: usize, refused: &[usize]) -> Result<Marked, StoreError> {
        self.within(|register| {
            let numbered = register.ids("sequence IS NOT NULL ORDER BY sequence", [])?;
            if sent > numbered.len() {
                return Err(StoreError::Io("more rows were sent than wait in the outbox".into()));
            }
            let mut marked = Marked::default();
            for (at, id) in numbered.into_iter().take(sent).enumerate() {
                if refused.contains(&at) {
                    register.run("UPDATE outbox SET sequence = NULL WHERE id = ?1", [id])?;
                    marked.refused += 1;
                } else {
                    register.run("DELETE FROM outbox WHERE id = ?1", [id])?;
                    marked.taken += 1;
                }
            }
            Ok(marked)
        })
    }

    /// A record came back before the day of its deletion: what waits for that day is not told.
    pub(super) fn take_back(&self, record: i64, on: Date) -> Result<(), StoreError> {
        let later = "sequence IS NULL AND due_on > ?1";
        for id in self.ids(later, [on.day_number()])? {
            let sql = "SELECT sealed FROM outbox WHERE id = ?1";
            let sealed: Vec<u8> =
                self.db.query_row(sql, [id], |row| row.get(0)).map_err(store_error)?;
            let plain = self.unseal("outbox", &[id], &sealed)?;
            let row = NoticeRow::decode(&plain).map_err(|_| damaged("outbox"))?;
            if row.record == record && row.reason.is_moving_out() {
                self.run("DELETE FROM outbox WHERE id = ?1", [id])?;
            }
        }
        Ok(())
    }

    fn ids(&self, rest: &str, params: impl Params) -> Result<Vec<i64>, StoreError> {
        let sql = format!("SELECT id FROM outbox WHERE {rest}");
        let mut statement = self.db.prepare_cached(&sql).map_err(store_error)?;
        let rows = statement.query_map(params, |row| row.get(0)).map_err(store_error)?;
        rows.collect::<Result<_, _>>().map_err(store_error)
    }

    fn numbered(&self) -> Result<Vec<OutboxRow>, StoreError> {
        let sql = "SELECT id, sequence, sealed FROM outbox WHERE sequence IS NOT NULL
                   ORDER BY sequence";
        let mut statement = self.db.prepare_cached(sql).map_err(store_error)?;
        let rows = statement
            .query_map([], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, Vec<u8>>(2)?))
            })
            .map_err(store_error)?;
        let mut all = Vec::new();
        for row in rows {
            let (id, sequence, sealed) = row.map_err(store_error)?;
            let plain = self.unseal("outbox", &[id], &sealed)?;
            let row = NoticeRow::decode(&plain).map_err(|_| damaged("outbox"))?;
            all.push(OutboxRow { sequence: from_sql(sequence), outgoing: self.notice(&row)? });
        }
        Ok(all)
    }

    /// The notice as it was made: of the whole record, only what the network may hold.
    fn notice(&self, row: &NoticeRow) -> Result<Outgoing, StoreError> {
        let resident = self.version(row.record, row.number)?.resident;
        Ok(Outgoing {
            notice: ChangeNotice {
                reason: row.reason,
                changed_on: row.changed_on,
                record: resident.identity(self.context.municipality),
                previous_code: row.previous_code,
                foreign: resident.is_foreign(),
            },
            former_municipality: row.former_municipality,
        })
    }
}
