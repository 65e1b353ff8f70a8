//! Changes of [`SqliteStore`], inside the open group. Whatever fails here fails the whole group.

use law::code::RecordCode;
use law::inquiry::Held;
use law::time::{Date, Timestamp};
use node::ports::{Counter, ForeignEntry, HistoryRow, Leaf, NewEntry, Recorded, StoreError, Write};
use rusqlite::{Params, params};

use super::SqliteStore;
use super::read::cohort_row;
use crate::keyring::{epoch_of_expiry, from_read};
use crate::keys::Domain;
use crate::month::Month;
use crate::places::{RESIDENTS_NAME, counter_name};
use crate::row::{ForeignRow, ResidentRow};
use crate::schema::{store_error, to_sql};
use crate::sealing::{InCohort, Terms, history_of_no_one};

impl SqliteStore {
    pub(super) fn apply_all(
        &mut self,
        writes: &[Write],
        entries: &[NewEntry],
        dice: law::Dice<'_>,
    ) -> Result<Vec<Recorded>, StoreError> {
        for write in writes {
            self.apply_one(write, dice)?;
        }
        // History belongs to whoever has the code when all is applied, so it comes last.
        for write in writes {
            if let Write::AppendHistory { code, row, until } = write {
                self.append_history(code, row, *until, dice)?;
            }
        }
        let mut next = self.entries_held()?;
        let mut recorded = Vec::with_capacity(entries.len());
        for new in entries {
            let first_index = next;
            for leaf in &new.leaves {
                self.append_leaf(next, leaf, dice)?;
                next = next.saturating_add(1);
            }
            recorded.push(Recorded { entry: new.id, first_index, count: next - first_index });
        }
        Ok(recorded)
    }

    fn apply_one(&self, write: &Write, dice: law::Dice<'_>) -> Result<(), StoreError> {
        match write {
            Write::PutResident(held) => self.put_resident(held, dice),
            Write::ReplaceCode { previous, held } => self.replace_code(previous, held, dice),
            Write::ExpireResident { code, until } => self.expire_resident(code, *until, dice),
            Write::AppendHistory { .. } => Ok(()),
            Write::SetCounter(counter, value) => {
                // Monotonic: a counter that went back would let old messages be applied again.
                self.run(
                    "INSERT INTO counter (name, value) VALUES (?1, ?2)
                     ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
                    params![counter_name(counter), to_sql(*value)],
                )
            }
            Write::Enqueue { to, payload } => self.enqueue(to.as_str(), payload, dice),
            Write::Acknowledge { to, up_to } => self.acknowledge(to.as_str(), *up_to),
            Write::RequestSeen { request, until } => self.run(
                "INSERT INTO request (id, until) VALUES (?1, ?2)
                 ON CONFLICT (id) DO UPDATE SET until = max(until, excluded.until)",
                params![request.as_slice(), to_sql(until.0)],
            ),
            Write::ForgetRequestsBefore(Timestamp(before)) => {
                let name = counter_name(&Counter::RequestsForgotten);
                self.run(
                    "INSERT INTO counter (name, value)
                     SELECT ?2, max(until) FROM request WHERE until < ?1 HAVING count(*) > 0
                     ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
                    params![to_sql(*before), name],
                )?;
                self.run("DELETE FROM request WHERE until < ?1", params![to_sql(*before)])
            }
            Write::PutDirectory(bytes) => self.run(
                "INSERT INTO meta (name, value) VALUES ('directory', ?1)
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                params![bytes],
            ),
            Write::PutForeign { subject, entry } => self.put_foreign(subject, entry, dice),
            Write::PutFact { space, key, value } => self.put_fact(*space, key, value, dice),
            Write::DropFact { space, key } => self.drop_fact(*space, key),
        }
    }

    pub(super) fn run(&self, sql: &str, params: impl Params) -> Result<(), StoreError> {
        let mut statement = self.db.prepare_cached(sql).map_err(store_error)?;
        statement.execute(params).map(|_| ()).map_err(store_error)
    }

    /// The next free number of a table whose rows are numbered.
    pub(super) fn next_id(&self, sql: &'static str) -> Result<i64, StoreError> {
        self.db
            .prepare_cached(sql)
            .and_then(|mut s| s.query_row([], |row| row.get::<_, Option<i64>>(0)))
            .map(|last| last.unwrap_or(0).saturating_add(1))
            .map_err(store_error)
    }

    fn put_resident(&self, held: &Held, dice: law::Dice<'_>) -> Result<(), StoreError> {
        match self.find(&held.identity.code).map_err(from_read)? {
            Some((id, old)) => {
                let new = ResidentRow::new(held.clone(), old.former.iter().copied());
                self.rewrite_resident(id, &old, &new, dice)
            }
            None => self.insert_resident(&ResidentRow::new(held.clone(), []), dice),
        }
    }

    fn insert_resident(&self, row: &ResidentRow, dice: law::Dice<'_>) -> Result<(), StoreError> {
        let id = self.next_id("SELECT max(id) FROM resident")?;
        let (epoch, sealed) = self.seal_resident(id, row, dice)?;
        self.run(
            "INSERT INTO resident (id, epoch, sealed) VALUES (?1, ?2, ?3)",
            params![id, epoch, sealed],
        )?;
        for (digest, kind) in self.terms_of(&row.held) {
            self.insert_term(digest, kind, id)?;
        }
        self.count_residents(0, present(&row.held))
    }

    fn rewrite_resident(
        &self,
        id: i64,
        old: &ResidentRow,
        new: &ResidentRow,
        dice: law::Dice<'_>,
    ) -> Result<(), StoreError> {
        let (epoch, sealed) = self.seal_resident(id, new, dice)?;
        self.run(
            "UPDATE resident SET epoch = ?2, sealed = ?3 WHERE id = ?1",
            params![id, epoch, sealed],
        )?;
        let (before, after) = (self.terms_of(&old.held), self.terms_of(&new.held));
        for (digest, kind) in before.iter().filter(|term| !after.contains(term)) {
            self.delete_term(*digest, *kind, id)?;
        }
        for (digest, kind) in after.iter().filter(|term| !before.contains(term)) {
            self.insert_term(*digest, *kind, id)?;
        }
        self.count_residents(present(&old.held), present(&new.held))
    }

    /// The row of somebody who was removed is sealed under the key of its month of expiry, which is
    /// destroyed with that month; whoever is not held has no row to expire.
    fn expire_resident(
        &self,
        code: &RecordCode,
        until: Option<Date>,
        dice: law::Dice<'_>,
    ) -> Result<(), StoreError> {
        let Some((id, row)) = self.find(code).map_err(from_read)? else { return Ok(()) };
        let epoch = match until {
            Some(until) => epoch_of_expiry(self.keys.open_month(Month::of_date(until))),
            None => self.row_epoch()?,
        };
        self.reseal(id, &row, epoch, dice)
    }

    /// The person keeps the row, and with it the history, under a new code (法30条の3).
    fn replace_code(
        &self,
        previous: &RecordCode,
        held: &Held,
        dice: law::Dice<'_>,
    ) -> Result<(), StoreError> {
        let code = &held.identity.code;
        let Some((id, old)) = self.find(previous).map_err(from_read)? else {
            return self.put_resident(held, dice);
        };
        if previous == code {
            return self.put_resident(held, dice);
        }
        let mut codes = old.former.clone();
        if let Some((other, row)) = self.find(code).map_err(from_read)? {
            // Both codes are held: from now on they are one person, whose rows come together.
            codes.extend(row.former.iter().copied());
            self.move_history(other, id, dice)?;
            self.delete_resident(other, &row)?;
        }
        codes.push(*previous);
        self.rewrite_resident(id, &old, &ResidentRow::new(held.clone(), codes), dice)
    }

    pub(super) fn delete_resident(&self, id: i64, row: &ResidentRow) -> Result<(), StoreError> {
        for (digest, kind) in self.terms_of(&row.held) {
            self.delete_term(digest, kind, id)?;
        }
        self.run("DELETE FROM resident WHERE id = ?1", params![id])?;
        self.count_residents(present(&row.held), 0)
    }

    fn move_history(&self, from: i64, to: i64, dice: law::Dice<'_>) -> Result<(), StoreError> {
        let rows = self
            .db
            .prepare_cached("SELECT id, resident, cohort, sealed FROM history WHERE resident = ?1")
            .and_then(|mut s| s.query_map([from], cohort_row)?.collect::<Result<Vec<_>, _>>())
            .map_err(store_error)?;
        for row in rows {
            let opened = self.open_history(&row).map_err(from_read)?;
            let month = Month::from_number(row.2);
            let sealed = self.sealing().seal_history(row.0, to, month, &opened, dice)?.sealed;
            self.run(
                "UPDATE history SET resident = ?2, sealed = ?3 WHERE id = ?1",
                params![row.0, to, sealed],
            )?;
        }
        Ok(())
    }

    pub(super) fn seal_resident(
        &self,
        id: i64,
        row: &ResidentRow,
        dice: law::Dice<'_>,
    ) -> Result<(u32, Vec<u8>), StoreError> {
        let epoch = self.row_epoch()?;
        Ok((epoch, self.sealing().seal_resident(id, epoch, row, dice)?))
    }

    pub(super) fn terms_of(&self, held: &Held) -> Terms {
        self.sealing().terms(held)
    }

    fn insert_term(&self, digest: i64, kind: u8, resident: i64) -> Result<(), StoreError> {
        self.run(
            "INSERT OR IGNORE INTO term (digest, kind, resident) VALUES (?1, ?2, ?3)",
            params![digest, kind, resident],
        )
    }

    fn delete_term(&self, digest: i64, kind: u8, resident: i64) -> Result<(), StoreError> {
        self.run(
            "DELETE FROM term WHERE digest = ?1 AND kind = ?2 AND resident = ?3",
            params![digest, kind, resident],
        )
    }

    pub(super) fn count_residents(&self, before: i64, after: i64) -> Result<(), StoreError> {
        if before == after {
            return Ok(());
        }
        self.run(
            "INSERT INTO counter (name, value) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
            params![RESIDENTS_NAME, after - before],
        )
    }

    fn append_history(
        &self,
        code: &RecordCode,
        row: &HistoryRow,
        until: Date,
        dice: law::Dice<'_>,
    ) -> Result<(), StoreError> {
        let (resident, _) = self.find(code).map_err(from_read)?.ok_or_else(history_of_no_one)?;
        let id = self.next_id("SELECT max(id) FROM history")?;
        let month = self.keys.open_month(Month::of_date(until));
        let sealed = self.sealing().seal_history(id, resident, month, row, dice)?.sealed;
        self.run(
            "INSERT INTO history (id, resident, cohort, sealed) VALUES (?1, ?2, ?3, ?4)",
            params![id, resident, month.number(), sealed],
        )
    }

    fn append_leaf(&self, index: u64, leaf: &Leaf, dice: law::Dice<'_>) -> Result<(), StoreError> {
        let index = to_sql(index);
        let (InCohort { cohort: month, sealed }, data) =
            self.sealing().seal_entry(index, leaf, dice)?;
        self.run(
            "INSERT INTO entry (idx, leaf_data, cohort, sealed) VALUES (?1, ?2, ?3, ?4)",
            params![index, data.as_slice(), month.number(), sealed],
        )?;
        match &leaf.subject {
            None => Ok(()),
            Some(code) => self.run(
                "INSERT INTO entry_subject (digest, idx) VALUES (?1, ?2)",
                params![self.keys.digest(Domain::Entry, code.expose()), index],
            ),
        }
    }

    fn put_foreign(
        &self,
        subject: &RecordCode,
        foreign: &ForeignEntry,
        dice: law::Dice<'_>,
    ) -> Result<(), StoreError> {
        let id = self.next_id("SELECT max(id) FROM foreign_entry")?;
        let row = ForeignRow { subject: *subject, foreign: foreign.clone() };
        let InCohort { cohort: month, sealed } = self.sealing().seal_foreign(id, &row, dice)?;
        self.run(
            "INSERT INTO foreign_entry (id, digest, cohort, sealed) VALUES (?1, ?2, ?3, ?4)",
            params![
                id,
                self.keys.digest(Domain::Foreign, subject.expose()),
                month.number(),
                sealed
            ],
        )
    }

    fn enqueue(&self, to: &str, payload: &[u8], dice: law::Dice<'_>) -> Result<(), StoreError> {
        let sequence: i64 = self
            .db
            .prepare_cached(
                "INSERT INTO queue (destination, acknowledged, last) VALUES (?1, 0, 1)
                 ON CONFLICT (destination) DO UPDATE SET last = last + 1 RETURNING last",
            )
            .and_then(|mut s| s.query_row([to], |row| row.get(0)))
            .map_err(store_error)?;
        let sealed = self.sealing().seal_item(to, sequence, payload, dice)?;
        self.run(
            "INSERT INTO queue_item (destination, sequence, sealed) VALUES (?1, ?2, ?3)",
            params![to, sequence, sealed],
        )
    }

    pub(super) fn acknowledge(&self, to: &str, up_to: u64) -> Result<(), StoreError> {
        // An acknowledgement beyond the last item acknowledges what there is, and no more.
        self.run(
            "UPDATE queue SET acknowledged = max(acknowledged, min(?2, last))
             WHERE destination = ?1",
            params![to, to_sql(up_to)],
        )?;
        self.run(
            "DELETE FROM queue_item WHERE destination = ?1 AND sequence <= ?2",
            params![to, to_sql(up_to)],
        )
    }
}

fn present(held: &Held) -> i64 {
    i64::from(!held.removed)
}
