//! Look-ups of [`SqliteStore`]: by keyed digest, then opened, then compared. No rule is decided
//! here.

use law::code::RecordCode;
use law::inquiry::Held;
use law::query::{IndexKind, Probe};
use node::ports::{Counter, FactPlace, ForeignEntry, HistoryRow, Looked, OpenEntry, Reads, Space};
use rusqlite::{OptionalExtension, Row, params};
use wire::NodeId;

use super::SqliteStore;
use crate::keys::Domain;
use crate::places::{RESIDENTS_NAME, counter_name};
use crate::row::{EntryRow, ResidentRow};
use crate::schema::{from_sql, read_error, to_sql};

/// A row of a table whose rows belong to cohorts: key, second key, cohort, sealed.
type CohortRow = (i64, i64, i32, Vec<u8>);

impl SqliteStore {
    /// The person with this code and the row's number.
    pub(super) fn find(&self, code: &RecordCode) -> Looked<Option<(i64, ResidentRow)>> {
        let kind = IndexKind::Code.number();
        let digest = self.keys.digest(Domain::Term(kind), code.expose());
        let mut statement = self.prepare(
            "SELECT r.id, r.epoch, r.sealed FROM term t JOIN resident r ON r.id = t.resident
             WHERE t.digest = ?1 AND t.kind = ?2",
        )?;
        let mut rows = statement.query(params![digest, kind]).map_err(read_error)?;
        while let Some(row) = rows.next().map_err(read_error)? {
            let (id, found) = self.resident_in(row)?;
            // Two codes may share a truncated digest; only the opened row decides.
            if found.held.identity.code == *code {
                return Ok(Some((id, found)));
            }
        }
        Ok(None)
    }

    /// Open a row of (id, epoch, sealed).
    pub(super) fn resident_in(&self, row: &Row<'_>) -> Looked<(i64, ResidentRow)> {
        let id: i64 = row.get(0).map_err(read_error)?;
        let epoch: u32 = row.get(1).map_err(read_error)?;
        let bytes = row.get_ref(2).and_then(|v| Ok(v.as_blob()?)).map_err(read_error)?;
        Ok((id, self.sealing().open_resident(id, epoch, bytes)?))
    }

    /// The person's code and the codes the person had before.
    fn codes_of(&self, code: &RecordCode) -> Looked<Vec<RecordCode>> {
        let mut codes = vec![*code];
        if let Some((_, row)) = self.find(code)? {
            codes.extend(row.former);
        }
        Ok(codes)
    }

    pub(super) fn prepare(&self, sql: &str) -> Looked<rusqlite::CachedStatement<'_>> {
        self.db.prepare_cached(sql).map_err(read_error)
    }

    pub(super) fn open_entry(&self, index: i64, cohort: i32, sealed: &[u8]) -> Looked<EntryRow> {
        self.sealing().open_entry(index, cohort, sealed)
    }

    pub(super) fn open_history(&self, row: &CohortRow) -> Looked<HistoryRow> {
        let (id, resident, cohort, sealed) = row;
        self.sealing().open_history(*id, *resident, *cohort, sealed)
    }

    fn entries_of_code(&self, code: &RecordCode, max: usize) -> Looked<Vec<OpenEntry>> {
        let mut statement = self.prepare(
            "SELECT e.idx, e.cohort, e.sealed FROM entry_subject s JOIN entry e ON e.idx = s.idx
             WHERE s.digest = ?1 AND e.sealed IS NOT NULL ORDER BY s.idx DESC",
        )?;
        let digest = self.keys.digest(Domain::Entry, code.expose());
        let mut rows = statement.query([digest]).map_err(read_error)?;
        let mut found = Vec::new();
        while let Some(row) =
            if found.len() < max { rows.next() } else { Ok(None) }.map_err(read_error)?
        {
            let (index, opened) = self.entry_in(row)?;
            if opened.subject == Some(*code) {
                found.push(open(index, opened));
            }
        }
        Ok(found)
    }

    fn entry_in(&self, row: &Row<'_>) -> Looked<(i64, EntryRow)> {
        let index: i64 = row.get(0).map_err(read_error)?;
        let cohort: i32 = row.get(1).map_err(read_error)?;
        let sealed = row.get_ref(2).and_then(|v| Ok(v.as_blob()?)).map_err(read_error)?;
        Ok((index, self.open_entry(index, cohort, sealed)?))
    }

    fn foreign_of_code(&self, code: &RecordCode, max: usize) -> Looked<Vec<(i64, ForeignEntry)>> {
        let mut statement = self.prepare(
            "SELECT id, cohort, sealed FROM foreign_entry WHERE digest = ?1 ORDER BY id DESC",
        )?;
        let digest = self.keys.digest(Domain::Foreign, code.expose());
        let mut rows = statement.query([digest]).map_err(read_error)?;
        let mut found = Vec::new();
        while let Some(row) =
            if found.len() < max { rows.next() } else { Ok(None) }.map_err(read_error)?
        {
            let id: i64 = row.get(0).map_err(read_error)?;
            let cohort: i32 = row.get(1).map_err(read_error)?;
            let sealed = row.get_ref(2).and_then(|v| Ok(v.as_blob()?)).map_err(read_error)?;
            let opened = self.sealing().open_foreign(id, cohort, sealed)?;
            if opened.subject == *code {
                found.push((id, opened.foreign));
            }
        }
        Ok(found)
    }

    /// A number kept by name; 0 when never set.
    pub(super) fn number(&self, name: &str) -> Looked<u64> {
        let value: Option<i64> = self
            .prepare("SELECT value FROM counter WHERE name = ?1")?
            .query_row([name], |row| row.get(0))
            .optional()
            .map_err(read_error)?;
        Ok(value.map_or(0, from_sql))
    }
}

impl Reads for SqliteStore {
    fn resident(&self, code: &RecordCode) -> Looked<Option<Held>> {
        Ok(self.find(code)?.map(|(_, row)| row.held))
    }

    fn candidates(&self, probe: &Probe, max: usize) -> Looked<Vec<Held>> {
        let kind = probe.kind.number();
        let mut statement = self.prepare(
            "SELECT r.id, r.epoch, r.sealed FROM term t JOIN resident r ON r.id = t.resident
             WHERE t.digest = ?1 AND t.kind = ?2 ORDER BY t.resident LIMIT ?3",
        )?;
        let digest = self.keys.digest(Domain::Term(kind), &probe.text);
        let mut rows = statement.query(params![digest, kind, limit(max, 1)]).map_err(read_error)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(read_error)? {
            found.push(self.resident_in(row)?.1.held);
        }
        Ok(found)
    }

    fn counter(&self, counter: &Counter) -> Looked<u64> {
        self.number(&counter_name(counter))
    }

    fn queued(&self, to: &NodeId, after: u64, max: usize) -> Looked<Vec<(u64, Vec<u8>)>> {
        let mut statement = self.prepare(
            "SELECT sequence, sealed FROM queue_item WHERE destination = ?1 AND sequence > ?2
             ORDER BY sequence LIMIT ?3",
        )?;
        let mut rows = statement
            .query(params![to.as_str(), to_sql(after), limit(max, 0)])
            .map_err(read_error)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(read_error)? {
            let sequence: i64 = row.get(0).map_err(read_error)?;
            let sealed = row.get_ref(1).and_then(|v| Ok(v.as_blob()?)).map_err(read_error)?;
            let plain = self.sealing().open_item(to.as_str(), sequence, sealed)?;
            found.push((from_sql(sequence), plain));
        }
        Ok(found)
    }

    fn queue_bounds(&self, to: &NodeId) -> Looked<(u64, u64)> {
        let bounds: Option<(i64, i64)> = self
            .prepare("SELECT acknowledged, last FROM queue WHERE destination = ?1")?
            .query_row([to.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
            .map_err(read_error)?;
        Ok(bounds.map_or((0, 0), |(acked, last)| (from_sql(acked), from_sql(last))))
    }

    fn request_seen(&self, request: &[u8; 16]) -> Looked<bool> {
        self.prepare("SELECT 1 FROM request WHERE id = ?1")?
            .exists([request.as_slice()])
            .map_err(read_error)
    }

    fn directory(&self) -> Looked<Option<Vec<u8>>> {
        self.prepare("SELECT value FROM meta WHERE name = 'directory'")?
            .query_row([], |row| row.get(0))
            .optional()
            .map_err(read_error)
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
        let mut statement = self.prepare(
            "SELECT idx, cohort, sealed FROM entry WHERE idx >= ?1 AND sealed IS NOT NULL
             ORDER BY idx LIMIT ?2",
        )?;
        let mut rows =
            statement.query(params![to_sql(first), limit(max, 0)]).map_err(read_error)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(read_error)? {
            let (index, opened) = self.entry_in(row)?;
            found.push(open(index, opened));
        }
        Ok(found)
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
        self.published.proof(&self.db, index)
    }

    fn checkpoint(&self) -> Looked<Option<String>> {
        Ok(self.published.note().map(str::to_owned))
    }

    fn history(&self, code: &RecordCode, max: usize) -> Looked<Vec<HistoryRow>> {
        let Some((resident, _)) = self.find(code)? else { return Ok(Vec::new()) };
        let mut statement = self.prepare(
            "SELECT id, resident, cohort, sealed FROM history WHERE resident = ?1
             ORDER BY id DESC LIMIT ?2",
        )?;
        let mut rows = statement.query(params![resident, limit(max, 0)]).map_err(read_error)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(read_error)? {
            found.push(self.open_history(&cohort_row(row).map_err(read_error)?)?);
        }
        Ok(found)
    }

    fn residents_count(&self) -> Looked<u64> {
        self.number(RESIDENTS_NAME)
    }

    fn entries_count(&self) -> Looked<u64> {
        let last: Option<i64> = self
            .prepare("SELECT max(idx) FROM entry")?
            .query_row([], |row| row.get(0))
            .map_err(read_error)?;
        Ok(last.map_or(0, |last| from_sql(last).saturating_add(1)))
    }

    fn fact(&self, space: Space, key: &[u8]) -> Looked<Option<Vec<u8>>> {
        self.kept_fact(space, key)
    }

    fn facts(
        &self,
        space: Space,
        after: Option<FactPlace>,
        max: usize,
    ) -> Looked<Vec<(FactPlace, Vec<u8>)>> {
        self.kept_facts(space, after, max)
    }

    fn facts_count(&self, space: Space) -> Looked<u64> {
        self.count_facts(space)
    }

    fn residents_after(&self, row: u64, max: usize) -> Looked<Vec<(u64, Held)>> {
        self.walk_residents(row, max)
    }
}

fn open(index: i64, row: EntryRow) -> OpenEntry {
    OpenEntry { index: from_sql(index), entry: row.entry, salt: row.salt }
}

pub(super) fn cohort_row(row: &Row<'_>) -> rusqlite::Result<CohortRow> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

/// `max` rows and `more`, as SQLite counts.
fn limit(max: usize, more: i64) -> i64 {
    i64::try_from(max).unwrap_or(i64::MAX).saturating_add(more)
}
