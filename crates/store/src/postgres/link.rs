//! The line to the server: where it may be, how a session is set up, and taking it up again after
//! it was lost. No table is known here.
//!
//! One session at a time. A session that is lost takes its open group with it, whole; the next
//! question outside a group takes the line up again, for a bounded time, and past the fence.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use node::ports::{ReadError, StoreError};
use postgres::binary_copy::BinaryCopyInWriter;
use postgres::config::Host;
use postgres::error::{Severity, SqlState};
use postgres::types::{ToSql, Type};
use postgres::{Client, Config, NoTls, Row, Statement};

use super::fence::Fence;
use super::schema::SCHEMA;
use crate::schema::Access;

/// How often, and after which pause, a lost line is tried again: half a minute, in which a server
/// that was restarted or failed over is back.
const RECONNECT_ATTEMPTS_COUNT_MAX: u32 = 60;
const RECONNECT_PAUSE: Duration = Duration::from_millis(500);
/// How long the session of a process that ended may still be closing when the next one starts.
const LOCK_ATTEMPTS_COUNT_MAX: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(100);
/// How long one attempt to connect may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The oldest server that the adapter was tried with.
const SERVER_VERSION_MIN: i32 = 150_000;
/// The advisory lock of the one process that writes: `JUKI`, 1.
const WRITER_LOCK: i64 = (0x4a55_4b49 << 32) | 1;

/// Parameters of a statement.
pub(super) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// The database a configuration names: `host=/run/postgresql dbname=…`, or a loopback address.
#[derive(Clone)]
pub struct Target {
    text: String,
    config: Box<Config>,
}

impl PartialEq for Target {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.config.get_password() == other.config.get_password()
    }
}

impl Eq for Target {}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Target({self})")
    }
}

/// Host and database; never user or password.
impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let host = self.config.get_hosts().first();
        let host = host.map_or_else(
            || "postgresql".to_owned(),
            |host| match host {
                Host::Tcp(name) => name.clone(),
                Host::Unix(path) => path.display().to_string(),
            },
        );
        write!(f, "{host} {}", self.config.get_dbname().unwrap_or_default())
    }
}

/// Why a target is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    #[error("is not a connection string: write host=/run/postgresql dbname=NAME user=NAME")]
    Form,
    #[error("names no dbname: each node has a database of its own")]
    Database,
    #[error("has a password in it: put it alone in a file and name that as password_file")]
    Password,
    #[error("names no host: write host=/run/postgresql (a Unix socket) or host=127.0.0.1")]
    Host,
    #[error(
        "host {0} is another machine, and this line is not encrypted: end a TLS tunnel \
            (stunnel, ssh -L, a proxy with verify-full) on this machine and name its socket or \
            loopback port"
    )]
    Remote(String),
}

impl Target {
    /// Read a connection string of libpq's keyword form.
    ///
    /// # Errors
    /// When it names no database or no host, or a host that is not this machine.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let mut config: Config = text.parse().map_err(|_| TargetError::Form)?;
        if config.get_dbname().is_none_or(str::is_empty) {
            return Err(TargetError::Database);
        }
        if config.get_password().is_some() {
            return Err(TargetError::Password);
        }
        if config.get_hosts().is_empty() {
            return Err(TargetError::Host);
        }
        for host in config.get_hosts() {
            match host {
                Host::Tcp(name) if !is_loopback(name) => {
                    return Err(TargetError::Remote(name.clone()));
                }
                _ => {}
            }
        }
        if let Some(address) = config.get_hostaddrs().iter().find(|ip| !ip.is_loopback()) {
            return Err(TargetError::Remote(address.to_string()));
        }
        config.application_name("jukinet").connect_timeout(CONNECT_TIMEOUT);
        Ok(Self { text: text.to_owned(), config: Box::new(config) })
    }

    /// The same with the password of the database's user.
    #[must_use]
    pub fn with_password(mut self, password: &str) -> Self {
        self.config.password(password);
        self
    }
}

fn is_loopback(name: &str) -> bool {
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// One session, its statements and whether a group is open on it.
pub(super) struct Link {
    target: Target,
    access: Access,
    /// `None` when it was lost.
    client: RefCell<Option<Client>>,
    statements: RefCell<BTreeMap<String, Statement>>,
    in_group: Cell<bool>,
    /// Counts sessions: whoever remembers numbers of the store must forget them with the session.
    session: Cell<u64>,
    /// The server's process that serves this session.
    backend: Cell<i32>,
    fence: Fence,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Link({}, session {})", self.target, self.session.get())
    }
}

impl Link {
    pub(super) fn open(target: &Target, access: Access) -> Result<Self, StoreError> {
        let (client, backend) = connect(target, access, LOCK_ATTEMPTS_COUNT_MAX)?;
        Ok(Self {
            target: target.clone(),
            access,
            client: RefCell::new(Some(client)),
            statements: RefCell::default(),
            in_group: Cell::new(false),
            session: Cell::new(1),
            backend: Cell::new(backend),
            fence: Fence::default(),
        })
    }

    pub(super) fn session(&self) -> u64 {
        self.session.get()
    }

    /// Statements without parameters and without rows: `BEGIN`, tables.
    pub(super) fn batch(&self, sql: &str) -> Result<(), StoreError> {
        self.with(|client, _| client.batch_execute(sql))
    }

    pub(super) fn query(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, StoreError> {
        self.with(|client, statements| {
            let statement = prepared(client, statements, sql)?;
            client.query(&statement, params)
        })
    }

    pub(super) fn one(&self, sql: &str, params: Params<'_>) -> Result<Option<Row>, StoreError> {
        Ok(self.query(sql, params)?.into_iter().next())
    }

    pub(super) fn run(&self, sql: &str, params: Params<'_>) -> Result<u64, StoreError> {
        self.with(|client, statements| {
            let statement = prepared(client, statements, sql)?;
            client.execute(&statement, params)
        })
    }

    /// `COPY … FROM STDIN (FORMAT binary)`; `feed` writes the rows, and may ask nothing meanwhile.
    pub(super) fn copy_in(
        &self,
        sql: &str,
        types: &[Type],
        feed: &mut dyn FnMut(&mut BinaryCopyInWriter<'_>) -> Result<(), StoreError>,
    ) -> Result<u64, StoreError> {
        self.fence.pass()?;
        let mut client = self.client.borrow_mut();
        let client = client.as_mut().ok_or_else(lost)?;
        let writer = client.copy_in(sql).map_err(store_error)?;
        let mut writer = BinaryCopyInWriter::new(writer, types);
        feed(&mut writer)?;
        writer.finish().map_err(store_error)
    }

    fn with<T>(
        &self,
        work: impl Fn(&mut Client, &mut BTreeMap<String, Statement>) -> Result<T, postgres::Error>,
    ) -> Result<T, StoreError> {
        self.fence.pass()?;
        match self.attempt(&work) {
            Err(_) if self.is_lost() && !self.in_group.get() => {
                self.reconnect()?;
                self.attempt(&work)
            }
            done => done,
        }
    }

    /// Once, over the session there is; one that has ended is put down.
    fn attempt<T>(
        &self,
        work: impl Fn(&mut Client, &mut BTreeMap<String, Statement>) -> Result<T, postgres::Error>,
    ) -> Result<T, StoreError> {
        let mut held = self.client.borrow_mut();
        let client = held.as_mut().ok_or_else(lost)?;
        work(client, &mut self.statements.borrow_mut()).map_err(|error| {
            if ends_session(&error) {
                *held = None;
            }
            store_error(error)
        })
    }

    /// Say that a group is open from here on, or no longer.
    pub(super) fn set_in_group(&self, open: bool) {
        self.in_group.set(open);
    }

    pub(super) fn is_lost(&self) -> bool {
        self.client.borrow().as_ref().is_none_or(Client::is_closed)
    }

    /// Take the line up again: another session, which holds the writer's lock again. Refuses to go
    /// on where another process wrote meanwhile, or where entries are missing.
    pub(super) fn reconnect(&self) -> Result<(), StoreError> {
        self.fence.pass()?;
        // The lock goes with the old session.
        *self.client.borrow_mut() = None;
        self.statements.borrow_mut().clear();
        let mut last = lost();
        for attempt in 0..RECONNECT_ATTEMPTS_COUNT_MAX {
            if attempt > 0 {
                std::thread::sleep(RECONNECT_PAUSE);
            }
            match self.new_session() {
                Ok((client, backend)) => {
                    *self.client.borrow_mut() = Some(client);
                    self.backend.set(backend);
                    self.session.set(self.session.get().saturating_add(1));
                    return Ok(());
                }
                Err(error) => last = error,
            }
            self.fence.pass()?;
        }
        Err(last)
    }

    fn new_session(&self) -> Result<(Client, i32), StoreError> {
        let (mut client, backend) = connect(&self.target, self.access, 1)?;
        self.fence.admit(&mut client)?;
        Ok((client, backend))
    }

    /// Note who writes from now on.
    pub(super) fn claim(&self, writer: i64) -> Result<(), StoreError> {
        self.run(
            "INSERT INTO engine (name, value) VALUES ('writer', $1)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            &[&writer],
        )?;
        self.fence.claimed(writer);
        Ok(())
    }

    /// So many entries are durable: no later session may have fewer.
    pub(super) fn expect_entries(&self, entries: u64) {
        self.fence.expect_entries(entries);
    }

    /// The same, and this session has them.
    pub(super) fn require_entries(&self, entries: u64) -> Result<(), StoreError> {
        self.fence.expect_entries(entries);
        let mut client = self.client.borrow_mut();
        self.fence.admit(client.as_mut().ok_or_else(lost)?)
    }

    /// Whether the server's process `found` is the one that holds this session's lock.
    pub(super) fn require_same_session(&self, found: i32) -> Result<(), StoreError> {
        self.fence.same_session(self.backend.get(), found)
    }
}

/// A session says good-bye when it is dropped, and waits for that on a runtime of its own, which no
/// thread of another runtime may do; so it is dropped on a thread that belongs to none.
impl Drop for Link {
    fn drop(&mut self) {
        if let Some(client) = self.client.get_mut().take() {
            let _ = std::thread::spawn(move || drop(client)).join();
        }
    }
}

/// Whether the session ended with this error: the line broke, or the server gave it up, as one that
/// goes down does (57P01 to 57P03). The line itself may close a moment later.
fn ends_session(error: &postgres::Error) -> bool {
    let broke = std::error::Error::source(error).is_some_and(|cause| cause.is::<std::io::Error>());
    error.is_closed() || broke || error.as_db_error().is_some_and(gives_up)
}

fn gives_up(said: &postgres::error::DbError) -> bool {
    matches!(said.parsed_severity(), Some(Severity::Fatal | Severity::Panic))
        || [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW]
            .contains(said.code())
}

fn lost() -> StoreError {
    StoreError::Io("the line to PostgreSQL is lost".into())
}

fn prepared(
    client: &mut Client,
    statements: &mut BTreeMap<String, Statement>,
    sql: &str,
) -> Result<Statement, postgres::Error> {
    if let Some(statement) = statements.get(sql) {
        return Ok(statement.clone());
    }
    let statement = client.prepare(sql)?;
    statements.insert(sql.to_owned(), statement.clone());
    Ok(statement)
}

/// A session, and the server's process that serves it.
fn connect(
    target: &Target,
    access: Access,
    lock_attempts: u32,
) -> Result<(Client, i32), StoreError> {
    let mut client = target.config.connect(NoTls).map_err(store_error)?;
    // Every look-up is by key: a plan made while a table was small must not read it whole later.
    // Generic plans once per session: sixteen partitions cost more to plan than to ask.
    client
        .batch_execute(&format!(
            "SET search_path = {SCHEMA}; SET synchronous_commit = on; SET enable_seqscan = off;
             SET enable_hashjoin = off; SET enable_mergejoin = off;
             SET plan_cache_mode = force_generic_plan; SET jit = off;
             SET client_min_messages = warning; SET bytea_output = hex;
             SET idle_in_transaction_session_timeout = 0; SET statement_timeout = 0"
        ))
        .map_err(store_error)?;
    let backend = require_sound(&mut client, access)?;
    match access {
        Access::ReadWrite => lock(&mut client, lock_attempts)?,
        Access::ReadOnly => {
            client.batch_execute("SET default_transaction_read_only = on").map_err(store_error)?;
        }
    }
    Ok((client, backend))
}

/// Acknowledged means durable: a server that does not sync is refused, whoever set it so. So is a
/// standby that was not promoted, for a writer: it may not have replayed what it has.
fn require_sound(client: &mut Client, access: Access) -> Result<i32, StoreError> {
    let row = client
        .query_one(
            "SELECT current_setting('server_version_num')::int, current_setting('fsync'),
                    current_setting('full_page_writes'), current_setting('server_encoding'),
                    pg_is_in_recovery(), pg_backend_pid()",
            &[],
        )
        .map_err(store_error)?;
    let text = |place: usize| row.try_get::<_, String>(place).map_err(store_error);
    let version: i32 = row.try_get(0).map_err(store_error)?;
    if version < SERVER_VERSION_MIN {
        return Err(StoreError::Io("the server is older than PostgreSQL 15".into()));
    }
    for (place, setting, wanted) in
        [(1, "fsync", "on"), (2, "full_page_writes", "on"), (3, "server_encoding", "UTF8")]
    {
        let found = text(place)?;
        if found != wanted {
            return Err(StoreError::Io(format!(
                "the server has {setting} = {found}: set it to {wanted}, or a commit is not durable"
            )));
        }
    }
    if access == Access::ReadWrite && row.try_get(4).map_err(store_error)? {
        return Err(StoreError::Io(
            "the server is a standby: promote it, or name the other".into(),
        ));
    }
    row.try_get(5).map_err(store_error)
}

/// One writing process per store: two would each publish a ledger of their own.
fn lock(client: &mut Client, attempts: u32) -> Result<(), StoreError> {
    for attempt in 0..attempts {
        if attempt > 0 {
            std::thread::sleep(LOCK_PAUSE);
        }
        let held: bool = client
            .query_one("SELECT pg_try_advisory_lock($1)", &[&WRITER_LOCK])
            .and_then(|row| row.try_get(0))
            .map_err(store_error)?;
        if held {
            return Ok(());
        }
    }
    Err(StoreError::Io("another process has this store open for writing".into()))
}

/// What the server says, in the port's words: the message names tables, never values; the detail,
/// which names values, stays out.
#[expect(clippy::needless_pass_by_value, reason = "used as a map_err function")]
pub(super) fn store_error(error: postgres::Error) -> StoreError {
    let Some(said) = error.as_db_error() else {
        return StoreError::Io(format!("PostgreSQL: {error}"));
    };
    let text = format!("PostgreSQL: {} ({})", said.message(), said.code().code());
    match *said.code() {
        SqlState::DISK_FULL => StoreError::DiskFull,
        SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => StoreError::Damaged(text),
        _ => StoreError::Io(text),
    }
}

/// The same for look-ups.
#[expect(clippy::needless_pass_by_value, reason = "used as a map_err function")]
pub(super) fn read_error(error: StoreError) -> ReadError {
    ReadError::Store(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_on_another_machine_is_refused_and_no_password_is_shown() {
        for good in [
            "host=/run/postgresql dbname=center",
            "host=127.0.0.1 port=5433 dbname=center user=jukinet",
            "host=localhost dbname=center",
            "host=::1 dbname=center",
        ] {
            let target = Target::parse(good).unwrap().with_password("secret");
            assert!(!format!("{target} {target:?}").contains("secret"));
        }
        for (bad, why) in [
            ("host=10.1.2.3 dbname=center", TargetError::Remote("10.1.2.3".into())),
            ("host=db.example dbname=center", TargetError::Remote("db.example".into())),
            (
                "host=localhost hostaddr=10.1.2.3 dbname=center",
                TargetError::Remote("10.1.2.3".into()),
            ),
            ("host=localhost dbname=center password=secret", TargetError::Password),
            ("host=/run/postgresql", TargetError::Database),
            ("dbname=center", TargetError::Host),
            ("register.sqlite", TargetError::Form),
        ] {
            assert_eq!(Target::parse(bad).unwrap_err(), why, "{bad}");
        }
    }
}
