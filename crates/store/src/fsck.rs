//! What a check of a store reports: counts, faults by place, and one digest per municipality by
//! which the three tiers can be compared. Never a word about a person.

use std::collections::BTreeMap;

use law::code::LocalGovernmentCode;
use law::inquiry::Held;
use sha2::{Digest, Sha256};

use crate::codec::{RowFault, RowWriter};
use crate::row::write_identity;

/// Faults listed; a store with more is damaged as a whole, and `ok` says so anyway.
pub const FAULTS_LISTED_COUNT_MAX: usize = 1_000;

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// What is wrong.
    pub what: String,
    /// Where: a table and a row number, a queue, a file.
    pub place: String,
}

/// The result of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FsckReport {
    /// No fault was found.
    pub ok: bool,
    /// Residents held who are not removed.
    pub residents: u64,
    /// Entries in the ledger.
    pub entries: u64,
    /// What was found, at most [`FAULTS_LISTED_COUNT_MAX`].
    pub faults: Vec<Fault>,
    /// Municipality code to digest of its residents, in hexadecimal.
    pub population_digest: BTreeMap<String, String>,
}

impl FsckReport {
    pub(crate) fn fault(&mut self, what: impl Into<String>, place: impl Into<String>) {
        self.ok = false;
        if self.faults.len() < FAULTS_LISTED_COUNT_MAX {
            self.faults.push(Fault { what: what.into(), place: place.into() });
        }
    }
}

/// A person cannot be written down in the form that is digested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a person is longer than a row may be")]
pub struct NoCanonicalForm;

/// Digests of whole populations, independent of the order in which people are added. Holds 32 bytes
/// per resident while it runs.
#[derive(Debug, Default)]
pub struct PopulationDigest {
    records: BTreeMap<LocalGovernmentCode, Vec<[u8; 32]>>,
}

impl PopulationDigest {
    /// Add a person; who is removed lives elsewhere or nowhere, and is not counted.
    ///
    /// # Errors
    /// When the person has no canonical form; no person of ours is so long.
    pub fn add(&mut self, held: &Held) -> Result<(), NoCanonicalForm> {
        if held.removed {
            return Ok(());
        }
        let mut writer = RowWriter::new(1);
        write_identity(&mut writer, &held.identity);
        writer.u8(u8::from(held.removed));
        let mut hash = Sha256::new();
        hash.update(b"jukinet/1 resident\n");
        hash.update(writer.finish().map_err(|RowFault| NoCanonicalForm)?.as_slice());
        self.records.entry(held.identity.municipality).or_default().push(hash.finalize().into());
        Ok(())
    }

    /// Municipality code to digest, in hexadecimal.
    #[must_use]
    pub fn finish(self) -> BTreeMap<String, String> {
        let digest = |(municipality, mut records): (LocalGovernmentCode, Vec<[u8; 32]>)| {
            records.sort_unstable();
            let mut hash = Sha256::new();
            hash.update(b"jukinet/1 population\n");
            hash.update(municipality.as_str().as_bytes());
            hash.update(u64::try_from(records.len()).unwrap_or(u64::MAX).to_be_bytes());
            for record in &records {
                hash.update(record);
            }
            let hex = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
            (municipality.as_str().to_owned(), hex)
        };
        self.records.into_iter().map(digest).collect()
    }
}
