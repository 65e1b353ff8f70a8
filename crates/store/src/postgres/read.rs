//! Look-ups of [`PostgresStore`]: by keyed digest, then opened, then compared. No rule is decided
//! here.

use law::code::RecordCode;
use law::inquiry::Held;
use law::query::{IndexKind, Probe};
use node::ports::{
    Counter, FactPlace, ForeignEntry, HistoryRow, Looked, OpenEntry, ReadError, Reads, Space,
};
use postgres::Row;
use wire::NodeId;

use super::PostgresStore;
use super::link::{Params, read_error, store_error};
use crate::keyring::KeyTable as _;
use crate::keys::Domain;
use crate::places::{DIRECTORY_NAME, RESIDENTS_NAME, counter_name};
use crate::row::{EntryRow, ResidentRow};
use crate::schema::{from_sql, to_sql};

/// Rows asked for at once where some of them may be other people's: digests rarely collide, so one
/// step is nearly always enough.
const ENTRIES_PER_STEP_COUNT: usize = 256;

/// A column of a row.
pub(super) fn column<'a, T: postgres::types::FromSql<'a>>(row: &'a Row, place: usize) -> Looked<T> {
    row.try_get(place).map_err(|error| read_error(store_error(error)))
}

/// The bits of an epoch are those of a 32-bit number on the server.
pub(super) fn epoch_of(row: &Row, place: usize) -> Looked<u32> {
    let epoch: i32 = column(row, place)?;
    u32::try_from(epoch).map_err(|_| ReadError::Sealed { table: "resident" })
}

impl PostgresStore {
    fn rows(&self, sql: &str, params: Params<'_>) -> Looked<Vec<Row>> {
        self.link.query(sql, params).map_err(read_error)
    }

    fn row(&self, sql: &str, params: Params<'_>) -> Looked<Option<Row>> {
        self.link.one(sql, params).map_err(read_error)
    }

    /// The person with this code and the row's number.
    pub(super) fn find(&self, code: &RecordCode) -> Looked<Option<(i64, ResidentRow)>> {
        let kind = IndexKind::Code.number();
        let digest = self.sealing().code_digest(Domain::Term(kind), code);
        let rows = self.rows(
            "SELECT r.id, r.epoch, r.sealed FROM term t JOIN resident r ON r.id = t.resident
             WHERE t.digest = $1 AND t.kind = $2",
            &[&digest, &i16::from(kind)],
        )?;
        for row in &rows {
            let (id, found) = self.resident_in(row)?;
            // Two codes may share a truncated digest; only the opened row decides.
            if found.held.identity.code == *code {
                return Ok(Some((id, found)));
            }
        }
        Ok(None)
    }

    /// Open a row of (id, epoch, sealed).
    pub(super) fn resident_in(&self, row: &Row) -> Looked<(i64, ResidentRow)> {
        let id: i64 = column(row, 0)?;
        let sealed: &[u8] = column(row, 2)?;
        Ok((id, self.sealing().open_resident(id, epoch_of(row, 1)?, sealed)?))
    }

    /// The person's code and the codes the person had before.
    fn codes_of(&self, code: &RecordCode) -> Looked<Vec<RecordCode>> {
        let mut codes = vec![*code];
        if let Some((_, row)) = self.find(code)? {
            codes.extend(row.former);
        }
        Ok(codes)
    }

    fn entries_of_code(&self, code: &RecordCode, max: usize) -> Looked<Vec<OpenEntry>> {
        let digest = self.sealing().code_digest(Domain::Entry, code);
        let (mut found, mut below) = (Vec::new(), i64::MAX);
        while found.len() < max {
            let rows = self.rows(
                "SELECT e.idx, e.cohort, e.sealed FROM entry_subject s JOIN entry e
                 ON e.idx = s.idx WHERE s.digest = $1 AND s.idx < $2 AND e.sealed IS NOT NULL
                 ORDER BY s.idx DESC LIMIT $3",
                &[&digest, &below, &limit(max.min(ENTRIES_PER_STEP_COUNT), 0)],
            )?;
            let Some(last) = rows.last() else { break };
            below = column(last, 0)?;
            for row in &rows {
                let (index, opened) = self.entry_in(row)?;
                if opened.subject == Some(*code) && found.len() < max {
                    found.push(open(index, opened));
                }
            }
        }
        Ok(found)
    }

    fn entry_in(&self, row: &Row) -> Looked<(i64, EntryRow)> {
        let index: i64 = column(row, 0)?;
        let sealed: &[u8] = column(row, 2)?;
        Ok((index, self.sealing().open_entry(index, column(row, 1)?, sealed)?))
    }

    fn foreign_of_code(&self, code: &RecordCode, max: usize) -> Looked<Vec<(i64, ForeignEntry)>> {
        let digest = self.sealing().code_digest(Domain::Foreign, code);
        let (mut found, mut below) = (Vec::new(), i64::MAX);
        while found.len() < max {
            let rows = self.rows(
                "SELECT id, cohort, sealed FROM foreign_entry WHERE digest = $1 AND id < $2
                 ORDER BY id DESC LIMIT $3",
                &[&digest, &below, &limit(max.min(ENTRIES_PER_STEP_COUNT), 0)],
            )?;
            let Some(last) = rows.last() else { break };
            below = column(last, 0)?;
            for row in &rows {
                let id: i64 = column(row, 0)?;
                let opened = self.sealing().open_foreign(id, column(row, 1)?, column(row, 2)?)?;
                if opened.subject == *code && found.len() < max {
                    found.push((id, opened.foreign));
                }
            }
        }
        Ok(found)
    }

    /// A number kept by name; 0 when never set.
    pub(super) fn number(&self, name: &str) -> Looked<u64> {
        let row = self.row("SELECT value FROM counter WHERE name = $1", &[&name])?;
        row.map_or(Ok(0), |row| column(&row, 0).map(from_sql))
    }
}

impl Reads for PostgresStore {
    fn resident(&self, code: &RecordCode) -> Looked<Option<Held>> {
        Ok(self.find(code)?.map(|(_, row)| row.held))
    }

    fn candidates(&self, probe: &Probe, max: usize) -> Looked<Vec<Held>> {
        let kind = probe.kind.number();
        let digest = self.keys.digest(Domain::Term(kind), &probe.text);
        let rows = self.rows(
            "SELECT r.id, r.epoch, r.sealed FROM term t JOIN resident r ON r.id = t.resident
             WHERE t.digest = $1 AND t.kind = $2 ORDER BY t.resident LIMIT $3",
            &[&digest, &i16::from(kind), &limit(max, 1)],
        )?;
        rows.iter().map(|row| self.resident_in(row).map(|(_, row)| row.held)).collect()
    }

    fn counter(&self, counter: &Counter) -> Looked<u64> {
        self.number(&counter_name(counter))
    }

    fn queued(&self, to: &NodeId, after: u64, max: usize) -> Looked<Vec<(u64, Vec<u8>)>> {
        let rows = self.rows(
            "SELECT sequence, sealed FROM queue_item WHERE destination = $1 AND sequence > $2
             ORDER BY sequence LIMIT $3",
            &[&to.as_str(), &to_sql(after), &limit(max, 0)],
        )?;
        let item = |row: &Row| {
            let sequence: i64 = column(row, 0)?;
            let plain = self.sealing().open_item(to.as_str(), sequence, column(row, 1)?)?;
            Ok((from_sql(sequence), plain))
        };
        rows.iter().map(item).collect()
    }

    fn queue_bounds(&self, to: &NodeId) -> Looked<(u64, u64)> {
        let row = self
            .row("SELECT acknowledged, last FROM queue WHERE destination = $1", &[&to.as_str()])?;
        let Some(row) = row else { return Ok((0, 0)) };
        Ok((from_sql(column(&row, 0)?), from_sql(column(&row, 1)?)))
    }

    fn request_seen(&self, request: &[u8; 16]) -> Looked<bool> {
        let row = self.row("SELECT 1 FROM request WHERE id = $1", &[&request.as_slice()])?;
        Ok(row.is_some())
    }

    fn directory(&self) -> Looked<Option<Vec<u8>>> {
        self.link.named(DIRECTORY_NAME)
    }

    fn entries_about(&self, code: &RecordCode, max: usize) -> Looked<Vec<OpenEntry>> {
        let mut found = Vec::new();
        for code in self.codes_of(code)? {
            found.extend(self.entries_of_code(&code, max)?);
        }
        found.sort_by_key(|entry| std::cmp::Reverse(entry.index));
        found.truncate(max);
        Ok(found)
    }

    fn entries_from(&self, first: u64, max: usize) -> Looked<Vec<OpenEntry>> {
        let rows = self.rows(
            "SELECT idx, cohort, sealed FROM entry WHERE idx >= $1 AND sealed IS NOT NULL
             ORDER BY idx LIMIT $2",
            &[&to_sql(first), &limit(max, 0)],
        )?;
        rows.iter().map(|row| self.entry_in(row).map(|(index, row)| open(index, row))).collect()
    }

    fn foreign_about(&self, code: &RecordCode, max: usize) -> Looked<Vec<ForeignEntry>> {
        let mut found = Vec::new();
        for code in self.codes_of(code)? {
            found.extend(self.foreign_of_code(&code, max)?);
        }
        found.sort_by_key(|(id, _)| std::cmp::Reverse(*id));
        found.truncate(max);
        Ok(found.into_iter().map(|(_, foreign)| foreign).collect())
    }

    fn proof(&self, index: u64) -> Looked<Option<String>> {
        self.published.proof(&self.link, index)
    }

    fn checkpoint(&self) -> Looked<Option<String>> {
        Ok(self.published.note().map(str::to_owned))
    }

    fn history(&self, code: &RecordCode, max: usize) -> Looked<Vec<HistoryRow>> {
        let Some((resident, _)) = self.find(code)? else { return Ok(Vec::new()) };
        let rows = self.rows(
            "SELECT id, cohort, sealed FROM history WHERE resident = $1 ORDER BY id DESC LIMIT $2",
            &[&resident, &limit(max, 0)],
        )?;
        let open = |row: &Row| {
            self.sealing().open_history(column(row, 0)?, resident, column(row, 1)?, column(row, 2)?)
        };
        rows.iter().map(open).collect()
    }

    fn residents_count(&self) -> Looked<u64> {
        self.number(RESIDENTS_NAME)
    }

    fn entries_count(&self) -> Looked<u64> {
        super::entries_held(&self.link).map_err(read_error)
    }

    fn fact(&self, space: Space, key: &[u8]) -> Looked<Option<Vec<u8>>> {
        let place = self.keys.fact_place(space, key);
        let row = self.row(
            "SELECT sealed FROM fact WHERE space = $1 AND place = $2",
            &[&i16::from(space.number()), &place.as_slice()],
        )?;
        row.map(|row| self.sealing().open_fact(space, &place, column(&row, 0)?)).transpose()
    }

    fn facts(
        &self,
        space: Space,
        after: Option<FactPlace>,
        max: usize,
    ) -> Looked<Vec<(FactPlace, Vec<u8>)>> {
        // Every place is longer than the empty one, and so after it.
        let after: &[u8] = after.as_ref().map_or(&[], |place| place.as_slice());
        let rows = self.rows(
            "SELECT place, sealed FROM fact WHERE space = $1 AND place > $2 ORDER BY place
             LIMIT $3",
            &[&i16::from(space.number()), &after, &limit(max, 0)],
        )?;
        let fact = |row: &Row| {
            let place: &[u8] = column(row, 0)?;
            let place =
                FactPlace::try_from(place).map_err(|_| ReadError::Sealed { table: "fact" })?;
            Ok((place, self.sealing().open_fact(space, &place, column(row, 1)?)?))
        };
        rows.iter().map(fact).collect()
    }

    fn facts_count(&self, space: Space) -> Looked<u64> {
        let row =
            self.row("SELECT count(*) FROM fact WHERE space = $1", &[&i16::from(space.number())])?;
        row.map_or(Ok(0), |row| column(&row, 0).map(from_sql))
    }

    fn residents_after(&self, row: u64, max: usize) -> Looked<Vec<(u64, Held)>> {
        let rows = self.rows(
            "SELECT id, epoch, sealed FROM resident WHERE id > $1 ORDER BY id LIMIT $2",
            &[&to_sql(row), &limit(max, 0)],
        )?;
        let resident = |row: &Row| {
            let (id, found) = self.resident_in(row)?;
            Ok((from_sql(id), found.held))
        };
        rows.iter().map(resident).collect()
    }
}

fn open(index: i64, row: EntryRow) -> OpenEntry {
    OpenEntry { index: from_sql(index), entry: row.entry, salt: row.salt }
}

/// `max` rows and `more`, as SQL counts.
fn limit(max: usize, more: i64) -> i64 {
    i64::try_from(max).unwrap_or(i64::MAX).saturating_add(more)
}
