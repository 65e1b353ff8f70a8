//! The check of a whole store, on either engine: every row and index term, queues, cohorts, and the
//! published ledger against the entries. The caller holds one version of the store meanwhile.

mod files;

use std::collections::BTreeMap;

use ledger::commitment;
use node::ports::{Space, StoreError};

use crate::fsck::{FsckReport, PopulationDigest};
use crate::keys::Domain;
use crate::month::Month;
use crate::places::RESIDENTS_NAME;
use crate::published::Published;
use crate::raw::{
    COHORT, ENTRY, FACT, FOREIGN_ENTRY, HISTORY, QUEUE, QUEUE_ITEM, RESIDENT, Raw, RawRow, Value,
    each_page,
};
use crate::row::ResidentRow;
use crate::schema::from_sql;
use crate::sealing::Sealing;

/// A check under way.
struct Check<'a> {
    raw: &'a dyn Raw,
    sealing: &'a Sealing<'a>,
    report: FsckReport,
}

/// Go through everything. `note` is the checkpoint on disk, read before the version was fixed.
pub(crate) fn check(
    raw: &dyn Raw,
    sealing: &Sealing<'_>,
    published: &Published,
    note: Option<Vec<u8>>,
) -> Result<FsckReport, StoreError> {
    let report = FsckReport { ok: true, ..FsckReport::default() };
    let mut check = Check { raw, sealing, report };
    raw.check_structure(&mut check.report)?;
    check.residents()?;
    check.history()?;
    let mut files = files::FileCheck::new(published, note, &mut check.report)?;
    check.entries(&mut files)?;
    files.finish(&mut check.report);
    check.foreign()?;
    check.queues()?;
    check.cohorts()?;
    check.facts()?;
    Ok(check.report)
}

/// The n-th value of a row; what is missing reads as 0 or as nothing and does not open.
fn number(row: &RawRow, place: usize) -> i64 {
    row.get(place).and_then(Value::number).unwrap_or(0)
}

fn small(row: &RawRow, place: usize) -> i32 {
    i32::try_from(number(row, place)).unwrap_or(0)
}

fn bytes(row: &RawRow, place: usize) -> &[u8] {
    row.get(place).and_then(Value::bytes).unwrap_or_default()
}

fn text(row: &RawRow, place: usize) -> &str {
    row.get(place).and_then(Value::text).unwrap_or_default()
}

impl Check<'_> {
    fn residents(&mut self) -> Result<(), StoreError> {
        let mut population = PopulationDigest::default();
        let (mut terms, mut present) = (0u64, 0u64);
        let (raw, sealing, report) = (self.raw, self.sealing, &mut self.report);
        each_page(raw, &RESIDENT, &mut |rows| {
            let mut opened = Vec::with_capacity(rows.len());
            for row in rows {
                let id = number(row, 0);
                match open_resident(sealing, row) {
                    Some(found) => opened.push((id, found)),
                    None => report.fault("row does not open", format!("resident row {id}")),
                }
            }
            for (id, found) in &opened {
                present += u64::from(!found.held.removed);
                if population.add(&found.held).is_err() {
                    report.fault("row has no canonical form", format!("resident row {id}"));
                }
            }
            terms += terms_of_page(raw, sealing, &opened, report)?;
            same_codes(raw, sealing, &opened, report)
        })?;
        if raw.number_of("SELECT count(*) FROM term")? != terms {
            report.fault("there are index terms that belong to no resident", "term");
        }
        let sql = format!("SELECT value FROM counter WHERE name = '{RESIDENTS_NAME}'");
        if raw.number_of(&sql)? != present {
            report.fault("the number of residents is not the number of rows", "counter");
        }
        report.residents = present;
        report.population_digest = population.finish();
        Ok(())
    }

    fn history(&mut self) -> Result<(), StoreError> {
        let (raw, sealing, report) = (self.raw, self.sealing, &mut self.report);
        each_page(raw, &HISTORY, &mut |rows| {
            for row in rows {
                let (id, resident) = (number(row, 0), number(row, 1));
                if sealing.open_history(id, resident, small(row, 2), bytes(row, 3)).is_err() {
                    report.fault("row does not open", format!("history row {id}"));
                }
            }
            Ok(())
        })?;
        let sql = "SELECT count(*) FROM history h
                   WHERE NOT EXISTS (SELECT 1 FROM resident r WHERE r.id = h.resident)";
        if raw.number_of(sql)? != 0 {
            report.fault("there is history of no resident", "history");
        }
        Ok(())
    }

    fn entries(&mut self, files: &mut files::FileCheck<'_>) -> Result<(), StoreError> {
        let (mut next, mut subjects) = (0u64, 0u64);
        let (raw, sealing, report) = (self.raw, self.sealing, &mut self.report);
        each_page(raw, &ENTRY, &mut |rows| {
            let mut about = Vec::new();
            for row in rows {
                let index = number(row, 0);
                let place = || format!("entry {index}");
                if from_sql(index) != next {
                    report.fault("entries before it are missing", place());
                }
                next = from_sql(index).saturating_add(1);
                files.leaf(from_sql(index), bytes(row, 1), report);
                // A destroyed cohort leaves the commitment alone, lawfully.
                let Some(sealed) = row.get(3).and_then(Value::bytes) else { continue };
                let Ok(opened) = sealing.open_entry(index, small(row, 2), sealed) else {
                    report.fault("row does not open", place());
                    continue;
                };
                if commitment(&opened.salt, &opened.entry).as_slice() != bytes(row, 1) {
                    report.fault("content is not what the ledger committed to", place());
                }
                if let Some(code) = opened.subject {
                    about.push((sealing.code_digest(Domain::Entry, &code), index));
                }
            }
            subjects = subjects.saturating_add(u64::try_from(about.len()).unwrap_or(u64::MAX));
            for ((_, index), held) in about.iter().zip(raw.subjects_held(&about)?) {
                if !held {
                    report.fault("index of its subject is missing", format!("entry {index}"));
                }
            }
            Ok(())
        })?;
        if raw.number_of("SELECT count(*) FROM entry_subject")? != subjects {
            report.fault("there are subjects of no entry", "entry_subject");
        }
        report.entries = next;
        Ok(())
    }

    fn foreign(&mut self) -> Result<(), StoreError> {
        let (sealing, report) = (self.sealing, &mut self.report);
        each_page(self.raw, &FOREIGN_ENTRY, &mut |rows| {
            for row in rows {
                let id = number(row, 0);
                let place = || format!("foreign_entry row {id}");
                match sealing.open_foreign(id, small(row, 2), bytes(row, 3)) {
                    Err(_) => report.fault("row does not open", place()),
                    Ok(opened) => {
                        let digest = sealing.code_digest(Domain::Foreign, &opened.subject);
                        if digest != number(row, 1) {
                            report.fault("index of its subject is not its subject's", place());
                        }
                    }
                }
            }
            Ok(())
        })
    }

    fn queues(&mut self) -> Result<(), StoreError> {
        let (sealing, report) = (self.sealing, &mut self.report);
        let mut queues: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        each_page(self.raw, &QUEUE, &mut |rows| {
            for row in rows {
                queues.insert(text(row, 0).to_owned(), (number(row, 1), number(row, 2)));
            }
            Ok(())
        })?;
        each_page(self.raw, &QUEUE_ITEM, &mut |rows| {
            for row in rows {
                let (to, sequence) = (text(row, 0), number(row, 1));
                if let Some((reached, _)) = queues.get_mut(to) {
                    if reached.saturating_add(1) != sequence {
                        let place = format!("queue {to} {sequence}");
                        report.fault("items before it are missing", place);
                    }
                    *reached = sequence;
                }
                if sealing.open_item(to, sequence, bytes(row, 2)).is_err() {
                    report.fault("item does not open", format!("queue {to} {sequence}"));
                }
            }
            Ok(())
        })?;
        for (to, (reached, last)) in queues {
            if reached != last {
                report.fault("items at the end are missing", format!("queue {to}"));
            }
        }
        Ok(())
    }

    fn cohorts(&mut self) -> Result<(), StoreError> {
        let (sealing, report) = (self.sealing, &mut self.report);
        each_page(self.raw, &COHORT, &mut |rows| {
            for row in rows {
                let month = Month::from_number(small(row, 0));
                if !matches!(sealing.keys.cohort(sealing.table, month), Ok(Some(_))) {
                    report.fault("key does not open", format!("cohort {month}"));
                }
            }
            Ok(())
        })
    }

    fn facts(&mut self) -> Result<(), StoreError> {
        let (sealing, report) = (self.sealing, &mut self.report);
        each_page(self.raw, &FACT, &mut |rows| {
            for row in rows {
                let number = number(row, 0);
                let space =
                    Space::ALL.into_iter().find(|space| i64::from(space.number()) == number);
                let opened = space.is_some_and(|space| {
                    let place = <[u8; 16]>::try_from(bytes(row, 1));
                    place.is_ok_and(|place| sealing.open_fact(space, &place, bytes(row, 2)).is_ok())
                });
                if !opened {
                    let space = space.map_or("of no space", Space::key);
                    report.fault("row does not open", format!("fact {space}"));
                }
            }
            Ok(())
        })
    }
}

fn open_resident(sealing: &Sealing<'_>, row: &RawRow) -> Option<ResidentRow> {
    let epoch = u32::try_from(number(row, 1)).ok()?;
    sealing.open_resident(number(row, 0), epoch, bytes(row, 2)).ok()
}

/// Every term of these people is there; how many there are.
fn terms_of_page(
    raw: &dyn Raw,
    sealing: &Sealing<'_>,
    opened: &[(i64, ResidentRow)],
    report: &mut FsckReport,
) -> Result<u64, StoreError> {
    let mut terms = Vec::new();
    for (id, found) in opened {
        let mut own = sealing.terms(&found.held);
        own.sort_unstable();
        own.dedup();
        terms.extend(own.into_iter().map(|(digest, kind)| (digest, kind, *id)));
    }
    for ((_, kind, id), held) in terms.iter().zip(raw.terms_held(&terms)?) {
        if !held {
            let what = format!("index term of kind {kind} is missing");
            report.fault(what, format!("resident row {id}"));
        }
    }
    Ok(u64::try_from(terms.len()).unwrap_or(u64::MAX))
}

/// No code of these people stands in another row too.
fn same_codes(
    raw: &dyn Raw,
    sealing: &Sealing<'_>,
    opened: &[(i64, ResidentRow)],
    report: &mut FsckReport,
) -> Result<(), StoreError> {
    let digest = |found: &ResidentRow| {
        let kind = law::query::IndexKind::Code.number();
        sealing.code_digest(Domain::Term(kind), &found.held.identity.code)
    };
    let digests: Vec<i64> = opened.iter().map(|(_, found)| digest(found)).collect();
    let mut holders: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for (digest, row) in raw.code_holders(&digests)? {
        holders.entry(digest).or_default().push(row);
    }
    for ((id, found), digest) in opened.iter().zip(&digests) {
        for other in holders.get(digest).into_iter().flatten().filter(|other| *other != id) {
            let before = Value::Number(other.saturating_sub(1));
            let rows = raw.page(&RESIDENT, Some(&[before]), 1)?;
            let row = rows.first().filter(|row| number(row, 0) == *other);
            let row = row.and_then(|row| open_resident(sealing, row));
            if row.is_some_and(|row| row.held.identity.code == found.held.identity.code) {
                let place = format!("resident row {id}");
                report.fault("the same code stands in another row too", place);
            }
        }
    }
    Ok(())
}
