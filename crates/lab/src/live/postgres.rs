//! PostgreSQL as the peer of a bench: clusters of their own in a folder, on a socket in it, with
//! the configuration kept with the code; and the little of its protocol that a bench speaks. Not
//! the store's adapter: the peer holds plain rows.

use std::io::{BufReader, Read as _, Write as _};
use std::os::unix::fs::chown;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};

use super::{LiveError, clock, machine};

/// Where Debian keeps the version that is compared with.
const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";
const CONFIGURATION: &str = include_str!("../../peers/postgresql.conf");
/// Where that file stands in this repository, for the record.
pub(crate) const CONFIGURATION_FILE: &str = "crates/lab/peers/postgresql.conf";
/// How long a cluster may take to start, recovery included.
const START_PATIENCE: Duration = Duration::from_secs(300);
const STOP_PATIENCE: Duration = Duration::from_secs(30);
/// Longest message that a bench reads.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// One cluster. Dropping it stops it.
pub(crate) struct Cluster {
    folder: PathBuf,
    server: Option<Child>,
}

fn fault(what: impl std::fmt::Display) -> LiveError {
    LiveError::Peer(what.to_string())
}

/// The version that is installed, or why nothing can be compared.
pub(crate) fn version() -> Result<String, LiveError> {
    let path = Path::new(PROGRAMS).join("postgres");
    let said = Command::new(&path).arg("--version").output();
    let said = said.map_err(|error| {
        fault(format!("{}: {error}; install the package postgresql-15", path.display()))
    })?;
    Ok(String::from_utf8_lossy(&said.stdout).trim().to_owned())
}

/// The user that a server runs as: PostgreSQL refuses to be root.
fn user() -> Result<Option<(u32, u32)>, LiveError> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    let file = Path::new("/etc/passwd");
    let text = std::fs::read_to_string(file).map_err(LiveError::file(file))?;
    let line = text.lines().find(|line| line.starts_with("postgres:"));
    let mut fields = line.unwrap_or_default().split(':').skip(2).map(str::parse);
    match (fields.next(), fields.next()) {
        (Some(Ok(user)), Some(Ok(group))) => Ok(Some((user, group))),
        _ => Err(fault("there is no user postgres; install the package postgresql-15")),
    }
}

fn program(name: &str) -> Result<Command, LiveError> {
    let mut command = Command::new(Path::new(PROGRAMS).join(name));
    if let Some((user, group)) = user()? {
        command.uid(user).gid(group);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/");
    Ok(command)
}

impl Cluster {
    /// Makes and starts a cluster in `folder`, with `more` lines of configuration.
    pub(crate) fn make(folder: &Path, more: &str) -> Result<Self, LiveError> {
        std::fs::create_dir_all(folder).map_err(LiveError::file(folder))?;
        if let Some((user, group)) = user()? {
            chown(folder, Some(user), Some(group)).map_err(LiveError::file(folder))?;
        }
        let data = folder.join("data");
        let made = program("initdb")?
            .args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C"])
            .args(["--no-sync", "--no-instructions", "-D"])
            .arg(&data)
            .status()
            .map_err(fault)?;
        if !made.success() {
            return Err(fault(format!("initdb ended with {made}")));
        }
        let file = data.join("postgresql.conf");
        let socket = format!("unix_socket_directories = '{}'\n", folder.display());
        std::fs::write(&file, [CONFIGURATION, &socket, more].concat())
            .map_err(LiveError::file(&file))?;
        let mut cluster = Self { folder: folder.to_path_buf(), server: None };
        cluster.start()?;
        cluster.session()?;
        Ok(cluster)
    }

    /// Starts the server; it may still recover.
    pub(crate) fn start(&mut self) -> Result<(), LiveError> {
        let server = program("postgres")?.arg("-D").arg(self.data()).spawn().map_err(fault)?;
        self.server = Some(server);
        Ok(())
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// How another cluster reaches this one.
    pub(crate) fn address(&self) -> String {
        format!("host={} dbname=postgres user=postgres", self.folder.display())
    }

    /// A session, as soon as the server takes one.
    pub(crate) fn session(&self) -> Result<Session, LiveError> {
        let until = clock::monotonic() + START_PATIENCE;
        loop {
            match Session::open(&self.folder.join(".s.PGSQL.5432")) {
                Ok(session) => return Ok(session),
                Err(error) if clock::monotonic() > until => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_micros(500)),
            }
        }
    }

    /// The server's first process, the parent of all others.
    pub(crate) fn process(&self) -> Option<u32> {
        self.server.as_ref().map(Child::id)
    }

    /// SIGKILL for every process of the server, as if the machine had lost them.
    pub(crate) fn kill(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        let children = machine::children(server.id());
        let _ = server.kill();
        for child in children {
            let _ = kill(Pid::from_raw(i32::try_from(child).unwrap_or(i32::MAX)), Signal::SIGKILL);
        }
        let _ = server.wait();
    }

    /// Ends the server with a checkpoint.
    pub(crate) fn stop(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        let pid = Pid::from_raw(i32::try_from(server.id()).unwrap_or(i32::MAX));
        let _ = kill(pid, Signal::SIGINT);
        let until = clock::monotonic() + STOP_PATIENCE;
        while clock::monotonic() < until {
            if !matches!(server.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.server = Some(server);
        self.kill();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
    }
}

/// One session: text queries and their rows.
pub(crate) struct Session {
    read: BufReader<UnixStream>,
    write: UnixStream,
}

type Row = Vec<Option<String>>;

impl Session {
    fn open(socket: &Path) -> Result<Self, LiveError> {
        let write = UnixStream::connect(socket).map_err(LiveError::file(socket))?;
        let read = BufReader::new(write.try_clone().map_err(LiveError::file(socket))?);
        let mut session = Self { read, write };
        let mut body = 196_608_i32.to_be_bytes().to_vec();
        body.extend_from_slice(b"user\0postgres\0database\0postgres\0\0");
        session.send(None, &body)?;
        session.until_ready()?;
        Ok(session)
    }

    fn send(&mut self, kind: Option<u8>, body: &[u8]) -> Result<(), LiveError> {
        let length = i32::try_from(body.len() + 4).map_err(fault)?;
        let mut message: Vec<u8> = kind.into_iter().collect();
        message.extend_from_slice(&length.to_be_bytes());
        message.extend_from_slice(body);
        self.write.write_all(&message).map_err(fault)
    }

    /// Runs statements; the rows of the last that has any.
    pub(crate) fn run(&mut self, sql: &str) -> Result<Vec<Row>, LiveError> {
        let mut body = sql.as_bytes().to_vec();
        body.push(0);
        self.send(Some(b'Q'), &body)?;
        self.until_ready()
    }

    /// One number.
    pub(crate) fn number(&mut self, sql: &str) -> Result<u64, LiveError> {
        let rows = self.run(sql)?;
        let cell = rows.first().and_then(|row| row.first()).cloned().flatten();
        cell.and_then(|text| text.parse().ok()).ok_or_else(|| fault("a number was expected"))
    }

    fn until_ready(&mut self) -> Result<Vec<Row>, LiveError> {
        let (mut rows, mut failed) = (Vec::new(), None);
        loop {
            let mut head = [0; 5];
            self.read.read_exact(&mut head).map_err(fault)?;
            let [kind, a, b, c, d] = head;
            let length = usize::try_from(i32::from_be_bytes([a, b, c, d])).map_err(fault)?;
            let length = length.saturating_sub(4);
            if length > MESSAGE_BYTES_MAX {
                return Err(fault("a message is too long"));
            }
            let mut body = vec![0; length];
            self.read.read_exact(&mut body).map_err(fault)?;
            match kind {
                b'Z' => return failed.map_or(Ok(rows), Err),
                b'D' => rows.push(cells(&body)),
                b'T' => rows.clear(),
                b'E' => failed = Some(fault(said(&body))),
                _ => {}
            }
        }
    }
}

/// The cells of one row; a damaged message gives fewer.
fn cells(body: &[u8]) -> Row {
    let mut rest = body.get(2..).unwrap_or_default();
    let mut row = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = i32::from_be_bytes(*length);
        let Ok(length) = usize::try_from(length) else {
            row.push(None);
            rest = after;
            continue;
        };
        let Some((cell, next)) = after.split_at_checked(length) else { break };
        row.push(Some(String::from_utf8_lossy(cell).into_owned()));
        rest = next;
    }
    row
}

/// The words of an error: the field M.
fn said(body: &[u8]) -> String {
    let fields = body.split(|byte| *byte == 0);
    let message = fields.filter_map(|field| field.split_first()).find(|(kind, _)| **kind == b'M');
    message.map_or_else(String::new, |(_, text)| String::from_utf8_lossy(text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_errors_are_read() {
        let body = [&[0, 3][..], &[0, 0, 0, 2], b"47", &[0xff; 4], &[0, 0, 0, 0]].concat();
        assert_eq!(cells(&body), [Some("47".to_owned()), None, Some(String::new())]);
        assert_eq!(cells(&body[..5]), Vec::<Option<String>>::new());
        assert_eq!(said(b"SERROR\0C42P01\0Mno such table\0\0"), "no such table");
    }
}
