//! Look-ups in the register: records by code, household, or name and date of birth, as of any day.

use law::code::RecordCode;
use law::people::{BirthDate, Name};
use law::register::{Act, HouseholdId, ResidentRecord, Residents};
use law::time::{Date, Timestamp};
use node::ports::StoreError;
use rusqlite::params;

use super::RegisterStore;
use super::file::damaged;
use super::row::decode_version;
use crate::schema::{from_sql, store_error};

/// What a keyed digest of this file stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Code = 1,
    Household = 2,
    NameBirth = 3,
    Filing = 4,
}

impl Kind {
    /// Names are found as the law's search folds them; whoever looks up compares the record too.
    pub(super) fn name_birth(name: &Name, birth: &BirthDate) -> String {
        format!("{}\u{0}{}", law::fold::fold_name(name.expose()), birth.expose())
    }
}

/// A moment of the register: what held on a day, as it was known at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AsOf {
    pub day: Date,
    /// None: as it is known now.
    pub known: Option<Timestamp>,
}

impl AsOf {
    #[must_use]
    pub fn day(day: Date) -> Self {
        Self { day, known: None }
    }
}

/// One version of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The record's number in this register; two records of one person have two.
    pub record: i64,
    pub number: i64,
    pub valid_from: Date,
    pub recorded_at: Timestamp,
    /// Which act wrote it, and under which reception number.
    pub act: String,
    pub filing: String,
    pub resident: ResidentRecord,
}

/// What a filing is judged by, with the number of each record.
pub(super) struct State {
    pub(super) residents: Residents,
    ids: Vec<i64>,
}

impl State {
    pub(super) fn id_of(&self, record: &ResidentRecord) -> Option<i64> {
        let at = self.residents.records.iter().position(|known| known == record)?;
        self.ids.get(at).copied()
    }

    fn add(&mut self, version: Version) {
        if !self.ids.contains(&version.record) {
            self.ids.push(version.record);
            self.residents.records.push(version.resident);
        }
    }
}

/// The version that held: of those that hold from that day or earlier, the one written last.
fn as_of(versions: Vec<Version>, at: AsOf) -> Option<Version> {
    let known = |version: &Version| at.known.is_none_or(|known| version.recorded_at <= known);
    versions.into_iter().rev().find(|version| version.valid_from <= at.day && known(version))
}

impl RegisterStore {
    fn records(&self, kind: Kind, text: &str) -> Result<Vec<i64>, StoreError> {
        let sql = "SELECT record FROM term WHERE digest = ?1 AND kind = ?2 ORDER BY record";
        let mut statement = self.db.prepare_cached(sql).map_err(store_error)?;
        let rows = statement
            .query_map(params![self.digest(kind, text), kind as u8], |row| row.get(0))
            .map_err(store_error)?;
        rows.collect::<Result<_, _>>().map_err(store_error)
    }

    /// All versions of one record, oldest first.
    pub(super) fn versions(&self, record: i64) -> Result<Vec<Version>, StoreError> {
        let sql = "SELECT number, recorded_at, sealed FROM version WHERE record = ?1
                   ORDER BY number";
        let mut statement = self.db.prepare_cached(sql).map_err(store_error)?;
        let rows = statement
            .query_map([record], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, Vec<u8>>(2)?))
            })
            .map_err(store_error)?;
        let mut versions = Vec::new();
        for row in rows {
            let (number, recorded_at, sealed) = row.map_err(store_error)?;
            let plain = self.unseal("version", &[record, number], &sealed)?;
            let row = decode_version(&plain, self.context.epoch).map_err(|_| damaged("version"))?;
            versions.push(Version {
                record,
                number,
                valid_from: row.valid_from,
                recorded_at: Timestamp(from_sql(recorded_at)),
                act: row.act,
                filing: row.filing,
                resident: row.resident,
            });
        }
        Ok(versions)
    }

    fn latest(&self, record: i64) -> Result<Version, StoreError> {
        self.versions(record)?.pop().ok_or_else(|| damaged("record"))
    }

    /// What [`law::register::apply`] has to know for an act.
    pub(super) fn state(&self, act: &Act) -> Result<State, StoreError> {
        let mut state = State { residents: Residents::default(), ids: Vec::new() };
        let mut households = act.households();
        for code in act.codes() {
            let mut written = false;
            for record in self.records(Kind::Code, code.expose())? {
                let versions = self.versions(record)?;
                written |= versions.iter().any(|version| *version.resident.code() == code);
                if let Some(last) = versions.into_iter().next_back() {
                    households.push(last.resident.household().clone());
                    state.add(last);
                }
            }
            if written {
                state.residents.written.push(code);
            }
        }
        households.sort();
        households.dedup();
        for household in households {
            for record in self.records(Kind::Household, household.as_str())? {
                let last = self.latest(record)?;
                if last.resident.is_current() && *last.resident.household() == household {
                    state.add(last);
                }
            }
        }
        Ok(state)
    }

    /// The record that had this code then, deleted ones included; the newest record of the person.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn by_code(&self, code: &RecordCode, at: AsOf) -> Result<Option<Version>, StoreError> {
        for record in self.records(Kind::Code, code.expose())?.into_iter().rev() {
            let version = as_of(self.versions(record)?, at);
            if let Some(version) = version.filter(|version| version.resident.code() == code) {
                return Ok(Some(version));
            }
        }
        Ok(None)
    }

    /// Every version of every record in which this code ever stood, oldest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn history(&self, code: &RecordCode) -> Result<Vec<Version>, StoreError> {
        let mut all = Vec::new();
        for record in self.records(Kind::Code, code.expose())? {
            let versions = self.versions(record)?;
            if versions.iter().any(|version| version.resident.code() == code) {
                all.extend(versions);
            }
        }
        Ok(all)
    }

    /// Who lived in a household then, the householder first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn household(&self, id: &HouseholdId, at: AsOf) -> Result<Vec<Version>, StoreError> {
        let here = |version: &Version| {
            let gone = version.resident.deletion().is_some_and(|gone| gone.on <= at.day);
            !gone && version.resident.household() == id
        };
        let mut members = Vec::new();
        for record in self.records(Kind::Household, id.as_str())? {
            members.extend(as_of(self.versions(record)?, at).filter(here));
        }
        members.sort_by_key(|version| (!version.resident.is_householder(), version.record));
        Ok(members)
    }

    /// Records of this name and date of birth then.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn by_name_birth(
        &self,
        name: &Name,
        birth: &BirthDate,
        at: AsOf,
    ) -> Result<Vec<Version>, StoreError> {
        let wanted = Kind::name_birth(name, birth);
        let same = |version: &Version| {
            Kind::name_birth(version.resident.name(), &version.resident.four().birth) == wanted
        };
        let mut found = Vec::new();
        for record in self.records(Kind::NameBirth, &wanted)? {
            found.extend(as_of(self.versions(record)?, at).filter(same));
        }
        Ok(found)
    }

    pub(super) fn version(&self, record: i64, number: i64) -> Result<Version, StoreError> {
        let found = self.versions(record)?.into_iter().find(|version| version.number == number);
        found.ok_or_else(|| damaged("outbox"))
    }
}

/// The month of a deletion, counted from year 0: as coarse as the months of expiry elsewhere.
pub(super) fn deletion_month(on: Date) -> i64 {
    i64::from(on.year()) * 12 + i64::from(on.month()) - 1
}
