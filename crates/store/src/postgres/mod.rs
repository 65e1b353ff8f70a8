//! The store on PostgreSQL, for a node that outgrows one machine: the same port, the same sealed
//! rows in the same places as on SQLite.
//!
//! Trust: the server and its administrator hold sealed rows, keyed digests and numbers, and can
//! answer no question about anyone; whoever runs this process with the token can. The ledger's
//! files stay beside this process. The line is in `link`, what ends it for good in `fence`, the
//! tables in `schema`, look-ups in `read`, changes in `write` and `people`, filling in bulk in
//! `bulk`, erasure in `erase`, raw rows in `raw`.

mod bulk;
mod erase;
mod fence;
mod keytable;
mod link;
mod people;
mod raw;
mod read;
mod schema;
mod target;
mod write;

use std::cell::Cell;
use std::path::Path;

use ledger::checkpoint::Checkpoint;
use ledger::note::NoteSigner;
use node::ports::{NewEntry, Reads, Recorded, Store, StoreError, Write};

pub use link::{Target, TargetError};
pub(crate) use target::PostgresTarget;

use crate::keyring::{KeyTable as _, Keyring, from_read};
use crate::keys::KeySource;
use crate::ledger_files::LedgerDirectory;
use crate::places::{EPOCH_NAME, ORIGIN_NAME};
use crate::published::{Leaves, Published, read_only};
use crate::schema::{Access, from_sql, to_sql};
use crate::sealing::Sealing;
use crate::sqlite::group_failed;
use crate::{Publish, check};
use link::{Link, store_error};

/// How often the outcome of a commit whose answer was lost is asked for.
const OUTCOME_ATTEMPTS_COUNT_MAX: u32 = 20;

/// Where the open group stands; see the store on SQLite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    Idle,
    Open,
    Failed,
}

/// The last numbers given, as of the open group. Only this process gives numbers, so they are asked
/// for once; a rollback or a lost session forgets them.
#[derive(Clone, Copy, Debug)]
struct Numbers {
    session: u64,
    resident: i64,
    history: i64,
    foreign: i64,
    entries: i64,
    epoch: u32,
}

/// A role's store in one PostgreSQL database and one directory of ledger files.
#[derive(Debug)]
pub struct PostgresStore {
    link: Link,
    keys: Keyring,
    origin: String,
    published: Published,
    group: Group,
    access: Access,
    numbers: Cell<Option<Numbers>>,
    /// Entries that are durable; what may be published.
    entries_committed: u64,
    /// How far a renewal of old rows has come; begun anew after a restart.
    renewed_up_to: i64,
}

impl PostgresStore {
    /// Open the store in this database, making its tables when there are none, with its ledger in
    /// `ledger_dir`.
    ///
    /// # Errors
    /// [`StoreError::LedgerAhead`] when the signed checkpoint on disk covers what the database does
    /// not have (an older copy of the database was put back); the others as named.
    pub fn open(
        target: &Target,
        ledger_dir: &Path,
        key_source: &dyn KeySource,
        origin: &str,
        dice: law::Dice<'_>,
    ) -> Result<Self, StoreError> {
        let link = Link::open(target, Access::ReadWrite)?;
        schema::require(&link, true)?;
        let mut writer = [0u8; 8];
        dice(&mut writer);
        link.claim(i64::from_be_bytes(writer))?;
        let keys = match Keyring::open(&link, key_source)? {
            Some(keys) => keys,
            None => initialise(&link, key_source, origin, dice)?,
        };
        Self::assemble(link, keys, ledger_dir, Some(origin), Access::ReadWrite)
    }

    /// Open an existing store for reading, also beside the process that writes it.
    ///
    /// # Errors
    /// As [`PostgresStore::open`]; `Key` when the store has never been opened for writing.
    pub fn open_read_only(
        target: &Target,
        ledger_dir: &Path,
        key_source: &dyn KeySource,
    ) -> Result<Self, StoreError> {
        let link = Link::open(target, Access::ReadOnly)?;
        schema::require(&link, false)?;
        let keys = Keyring::open(&link, key_source)?
            .ok_or_else(|| StoreError::Key("this store has no key yet".into()))?;
        Self::assemble(link, keys, ledger_dir, None, Access::ReadOnly)
    }

    fn assemble(
        link: Link,
        keys: Keyring,
        ledger_dir: &Path,
        origin: Option<&str>,
        access: Access,
    ) -> Result<Self, StoreError> {
        let kept = link.named(ORIGIN_NAME).map_err(from_read)?;
        let kept = kept.and_then(|bytes| String::from_utf8(bytes).ok());
        let kept =
            kept.ok_or_else(|| StoreError::Damaged("the store does not say whose it is".into()))?;
        if origin.is_some_and(|origin| origin != kept) {
            return Err(StoreError::Damaged(format!("the store belongs to ledger {kept}")));
        }
        let held = entries_held(&link)?;
        let files = LedgerDirectory::new(ledger_dir);
        let published = Published::adopt(files, &kept, access == Access::ReadWrite, &link, held)?;
        link.expect_entries(held);
        let store = Self {
            link,
            keys,
            origin: kept,
            published,
            group: Group::Idle,
            access,
            numbers: Cell::new(None),
            entries_committed: held,
            renewed_up_to: 0,
        };
        store.keys.set_erased_before(store.erased_before_held()?);
        store.keys.set_epoch(store.numbers()?.epoch);
        if access == Access::ReadWrite {
            store.destroy_ended_keys()?;
        }
        Ok(store)
    }

    /// Check everything: index structures, every row and index term, queues, cohorts, and the
    /// published ledger against the entries.
    ///
    /// # Errors
    /// Only when the check itself cannot be carried out; what it finds is in the report.
    pub fn fsck(&self) -> Result<crate::FsckReport, StoreError> {
        // One transaction holds one version; inside an open group, that group's.
        let alone = self.group != Group::Open;
        // Read before the database's version is fixed by the first row: a live node commits first
        // and publishes afterwards, so that version has at least what this checkpoint covers.
        let note = self.published.note_on_disk()?;
        if alone {
            self.link.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
            self.link.set_in_group(true);
        }
        let report = check::check(&self.link, &self.sealing(), &self.published, note);
        if alone {
            let ended = self.link.batch("ROLLBACK");
            self.link.set_in_group(false);
            ended?;
        }
        report
    }

    /// Make every published file again from the database, after `fsck` found one damaged.
    ///
    /// # Errors
    /// `LedgerAhead` when the database does not lead to the signed root; otherwise as named.
    pub fn repair_ledger_files(&mut self) -> Result<(), StoreError> {
        self.require_idle()?;
        self.published.repair(&self.link, self.entries_committed)
    }

    fn sealing(&self) -> Sealing<'_> {
        Sealing { keys: &self.keys, table: &self.link }
    }

    /// The last numbers given, asked for when they are not known.
    fn numbers(&self) -> Result<Numbers, StoreError> {
        if let Some(known) = self.numbers.get().filter(|n| n.session == self.link.session()) {
            return Ok(known);
        }
        let row = self.link.one(
            "SELECT (SELECT max(id) FROM resident), (SELECT max(id) FROM history),
                    (SELECT max(id) FROM foreign_entry), (SELECT max(idx) FROM entry),
                    (SELECT value FROM counter WHERE name = $1)",
            &[&EPOCH_NAME],
        )?;
        let row = row.ok_or_else(|| StoreError::Io("PostgreSQL: no answer".into()))?;
        let number = |place: usize| row.try_get::<_, Option<i64>>(place).map_err(store_error);
        let numbers = Numbers {
            session: self.link.session(),
            resident: number(0)?.unwrap_or(0),
            history: number(1)?.unwrap_or(0),
            foreign: number(2)?.unwrap_or(0),
            entries: number(3)?.map_or(0, |last| last.saturating_add(1)),
            epoch: u32::try_from(number(4)?.unwrap_or(1)).unwrap_or(1),
        };
        self.numbers.set(Some(numbers));
        Ok(numbers)
    }

    fn require_idle(&self) -> Result<(), StoreError> {
        if self.access == Access::ReadOnly {
            return Err(read_only());
        }
        if self.group != Group::Idle {
            return Err(StoreError::Io("a group is open; commit or roll it back first".into()));
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), StoreError> {
        match self.group {
            Group::Idle => {
                self.require_idle()?;
                // Outside a group: a lost line is taken up again here.
                self.link.batch("BEGIN")?;
                self.link.set_in_group(true);
                self.group = Group::Open;
                Ok(())
            }
            Group::Open => Ok(()),
            Group::Failed => Err(group_failed()),
        }
    }

    /// Undo whatever the group wrote; with a lost line the server has done so already.
    fn abandon(&mut self) {
        if !self.link.is_lost() {
            // A failure here leaves a line that is lost, and the next question takes it up again.
            let _ = self.link.batch("ROLLBACK");
        }
        self.link.set_in_group(false);
        self.numbers.set(None);
        self.keys.forget_fresh();
    }

    /// Commit, and when that is not acknowledged, ask the server for the outcome: a group that is
    /// durable is never given up.
    fn commit_group(&mut self) -> Result<u64, StoreError> {
        let held = from_sql(self.numbers()?.entries);
        // In a transaction that failed this fails too, where COMMIT would quietly roll back.
        let row = self.link.one("SELECT pg_current_xact_id()::text, pg_backend_pid()", &[])?;
        let row = row.ok_or_else(|| StoreError::Io("PostgreSQL: no answer".into()))?;
        self.link.require_same_session(row.try_get(1).map_err(store_error)?)?;
        let number: String = row.try_get(0).map_err(store_error)?;
        match self.link.batch("COMMIT") {
            Ok(()) => Ok(held),
            Err(error) => match self.outcome(&number)?.as_deref() {
                // A number of another server may be given anew by this one: the entries tell.
                Some("committed") => self.link.require_entries(held).map(|()| held),
                _ => Err(error),
            },
        }
    }

    /// What became of a transaction. A new session holds the writer's lock, so the old one has
    /// ended; in the same session a transaction that failed is ended first.
    fn outcome(&mut self, number: &str) -> Result<Option<String>, StoreError> {
        if !self.link.is_lost() {
            // A failure here is a lost line, and the next question takes it up again.
            let _ = self.link.batch("ROLLBACK");
        }
        self.link.set_in_group(false);
        for _ in 0..OUTCOME_ATTEMPTS_COUNT_MAX {
            let row = self.link.one("SELECT pg_xact_status($1::text::xid8)", &[&number])?;
            let status: Option<String> = row.and_then(|row| row.try_get(0).ok()).flatten();
            if status.as_deref() != Some("in progress") {
                return Ok(status);
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        Ok(None)
    }

    /// Run outside any group, as one transaction of its own.
    fn in_transaction<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.require_idle()?;
        self.begin()?;
        let done = work(self).and_then(|value| self.commit().map(|()| value));
        if done.is_err() {
            self.rollback();
        }
        done
    }
}

impl Store for PostgresStore {
    fn reads(&self) -> &dyn Reads {
        self
    }

    fn apply(
        &mut self,
        writes: &[Write],
        entries: &[NewEntry],
        dice: law::Dice<'_>,
    ) -> Result<Vec<Recorded>, StoreError> {
        let result = match self.begin() {
            Ok(()) => self.apply_all(writes, entries, dice),
            Err(error) => Err(error),
        };
        if result.is_err() {
            self.abandon();
            self.group = Group::Failed;
        }
        result
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        match self.group {
            Group::Idle => return Ok(()),
            Group::Failed => return Err(group_failed()),
            Group::Open => {}
        }
        match self.commit_group() {
            Ok(held) => {
                self.link.set_in_group(false);
                self.entries_committed = held;
                self.link.expect_entries(held);
                self.group = Group::Idle;
                Ok(())
            }
            Err(error) => {
                self.abandon();
                self.group = Group::Failed;
                Err(error)
            }
        }
    }

    fn rollback(&mut self) {
        if self.group != Group::Idle {
            self.abandon();
        }
        self.group = Group::Idle;
    }

    fn origin(&self) -> &str {
        &self.origin
    }
}

impl Publish for PostgresStore {
    fn publish(&mut self, signer: &dyn NoteSigner) -> Result<Checkpoint, StoreError> {
        self.published.publish(&self.link, self.entries_committed, signer)
    }

    fn unpublished(&self) -> u64 {
        self.published.unpublished(self.entries_committed)
    }
}

impl Leaves for Link {
    fn leaves(&self, first: u64, until: u64) -> Result<Vec<[u8; 32]>, StoreError> {
        let rows = self.query(
            "SELECT leaf_data FROM entry WHERE idx >= $1 AND idx < $2 ORDER BY idx",
            &[&to_sql(first), &to_sql(until)],
        )?;
        let leaf = |row: &postgres::Row| {
            let bytes: &[u8] = row.try_get(0).map_err(store_error)?;
            <[u8; 32]>::try_from(bytes)
                .map_err(|_| StoreError::Damaged("an entry's leaf has the wrong length".into()))
        };
        rows.iter().map(leaf).collect()
    }
}

fn entries_held(link: &Link) -> Result<u64, StoreError> {
    let row = link.one("SELECT max(idx) FROM entry", &[])?;
    let last: Option<i64> = match row {
        Some(row) => row.try_get(0).map_err(store_error)?,
        None => None,
    };
    Ok(last.map_or(0, |last| from_sql(last).saturating_add(1)))
}

/// The root key and the origin of a new store, in one transaction: a line lost on the way loses
/// both, and the start fails. The key in use is the one that is kept, read again.
fn initialise(
    link: &Link,
    key_source: &dyn KeySource,
    origin: &str,
    dice: law::Dice<'_>,
) -> Result<Keyring, StoreError> {
    link.batch("BEGIN")?;
    link.set_in_group(true);
    let kept = Keyring::create(link, key_source, dice).and_then(|_| {
        link.keep_named(ORIGIN_NAME, origin.as_bytes())?;
        link.batch("COMMIT")
    });
    if kept.is_err() && !link.is_lost() {
        let _ = link.batch("ROLLBACK");
    }
    link.set_in_group(false);
    kept?;
    Keyring::open(link, key_source)?
        .ok_or_else(|| StoreError::Damaged("the root key of the new store was not kept".into()))
}
