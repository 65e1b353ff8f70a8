//! A throw-away PostgreSQL server: real, synced to disk, over a Unix socket, one per test process
//! and one more for whoever kills it. Without PostgreSQL these tests fail and say what is missing.

use std::io::Write as _;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use postgres::{Client, NoTls};
use store::postgres::Target;
use tempfile::TempDir;

/// Debian keeps the server's programs here, newest last.
const PROGRAMS: &[&str] = &[
    "/usr/lib/postgresql/15/bin",
    "/usr/lib/postgresql/16/bin",
    "/usr/lib/postgresql/17/bin",
    "/usr/lib/postgresql/18/bin",
];

/// The server refuses to run as root.
const USER: &str = "postgres";

/// Every statement and its parameters go to the log, so that a scan of the folder sees them too.
const SETTINGS: &str = "
listen_addresses = ''
fsync = on
synchronous_commit = on
full_page_writes = on
shared_buffers = 32MB
max_connections = 60
log_statement = 'all'
log_parameter_max_length = -1
log_parameter_max_length_on_error = -1
";

pub(crate) struct Cluster {
    folder: TempDir,
    guard: Option<Child>,
}

/// The server that the tests of this process share.
pub(crate) fn shared() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(Cluster::start)
}

fn programs() -> PathBuf {
    let found = PROGRAMS.iter().rev().map(Path::new).find(|path| path.join("initdb").exists());
    found
        .expect("PostgreSQL 15 or later is missing: apt-get install postgresql (cargo xtask test)")
        .to_owned()
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// User and group numbers of the server's own user.
fn server_user() -> (u32, u32) {
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find(|line| line.split(':').next() == Some(USER));
    let mut fields = line.expect("there is no user postgres").split(':').skip(2);
    (fields.next().unwrap().parse().unwrap(), fields.next().unwrap().parse().unwrap())
}

/// Run as the server's own user where this process is root.
fn as_server(command: &str) -> Command {
    if !is_root() {
        let mut shell = Command::new("sh");
        shell.args(["-c", command]);
        return shell;
    }
    let mut shell = Command::new("setpriv");
    shell.args(["--reuid", USER, "--regid", USER, "--clear-groups", "sh", "-c", command]);
    shell
}

impl Cluster {
    pub(crate) fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("jukinet-pg-").tempdir().unwrap();
        if is_root() {
            let (user, group) = server_user();
            std::os::unix::fs::chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        let (bin, at) = (programs(), folder.path().display().to_string());
        let make = format!(
            "umask 077; '{}/initdb' -D '{at}/data' --no-sync --auth=trust --encoding=UTF8 \
             --locale=C -U {USER} > '{at}/initdb.log' 2>&1",
            bin.display()
        );
        assert!(as_server(&make).status().unwrap().success(), "initdb failed: {at}/initdb.log");
        let mut settings = std::fs::OpenOptions::new()
            .append(true)
            .open(folder.path().join("data/postgresql.conf"))
            .unwrap();
        writeln!(settings, "{SETTINGS}unix_socket_directories = '{at}'").unwrap();
        let mut cluster = Self { folder, guard: None };
        cluster.run();
        cluster
    }

    /// Start the server. A shell guards it: when this process ends, however it ends, the pipe to
    /// the shell closes, and the server stops and its folder goes.
    pub(crate) fn run(&mut self) {
        let at = self.folder.path().display().to_string();
        let script = format!(
            "umask 077; '{}/postgres' -D '{at}/data' >> '{at}/server.log' 2>&1 & server=$!; \
             read line; [ \"$line\" = keep ] || {{ kill -INT $server; wait $server; \
             rm -rf '{at}'; exit; }}; kill -QUIT $server; wait $server",
            programs().display()
        );
        let guard = as_server(&script).stdin(Stdio::piped()).spawn().unwrap();
        self.guard = Some(guard);
        for _ in 0..600 {
            if self.try_admin("postgres").is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the server did not start: {at}/server.log");
    }

    /// Stop the server as a power cut would: at once, without a checkpoint.
    pub(crate) fn kill(&mut self) {
        let mut guard = self.guard.take().unwrap();
        guard.stdin.take().unwrap().write_all(b"keep\n").unwrap();
        guard.wait().unwrap();
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn target(&self, database: &str) -> Target {
        Target::parse(&self.line(database)).unwrap()
    }

    /// The database as a configuration names it.
    pub(crate) fn line(&self, database: &str) -> String {
        format!("host={} user={USER} dbname={database}", self.folder.path().display())
    }

    fn try_admin(&self, database: &str) -> Result<Client, postgres::Error> {
        Client::connect(&self.line(database), NoTls)
    }

    /// A session of the server's administrator.
    pub(crate) fn admin(&self, database: &str) -> Client {
        let mut client = self.try_admin(database).unwrap();
        client.batch_execute("SET search_path = jukinet, public").unwrap();
        client
    }

    /// An empty database of a name of its own.
    pub(crate) fn database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("node_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.admin("postgres").batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
        name
    }
}

/// End every session of this database, as an administrator or a lost line does.
pub(crate) fn kill_sessions(database: &str) {
    shared()
        .admin("postgres")
        .execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1",
            &[&database],
        )
        .unwrap();
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(mut guard) = self.guard.take() {
            drop(guard.stdin.take());
            let _ = guard.wait();
        }
    }
}
