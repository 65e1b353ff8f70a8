//! CPU time of groups of processes: by cgroup v2 where this user may make one, so that processes
//! that came and went are counted too, else by `/proc/PID/stat` of each process and its children.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::dice;
use super::machine::{children, family_cpu_seconds};

/// Where version 2 of the control groups is mounted: alone, or beside version 1.
const MOUNTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// A group is given up after this: it is empty, and a name left over harms nobody.
const REMOVAL_TRIES_MAX: u32 = 200;
const REMOVAL_PAUSE: Duration = Duration::from_millis(10);

/// Groups of processes by name. Dropping it gives the processes back to where they were.
#[derive(Debug)]
pub(crate) struct Accounts {
    /// The group above all of ours, and the one that its processes go back to.
    above: Option<(PathBuf, PathBuf)>,
    groups: Vec<Group>,
}

#[derive(Debug)]
struct Group {
    name: String,
    processes: Vec<u32>,
    folder: Option<PathBuf>,
}

impl Accounts {
    /// Groups these processes; a name that comes again joins the group it has.
    pub(crate) fn open<'n>(processes: impl IntoIterator<Item = (&'n str, u32)>) -> Self {
        let above = own_group().and_then(|home| {
            let name: [u8; 6] = dice::array();
            let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
            let above = home.join(format!("jukilab-{name}"));
            fs::create_dir(&above).ok()?;
            // A folder that counts nothing is no group, whatever its name.
            if usage(&above).is_none() {
                let _ = fs::remove_dir(&above);
                return None;
            }
            Some((above, home))
        });
        let mut accounts = Self { above, groups: Vec::new() };
        for (name, process) in processes {
            accounts.add(name, process);
        }
        accounts
    }

    fn add(&mut self, name: &str, process: u32) {
        let found = self.groups.iter().position(|group| group.name == name);
        let place = found.unwrap_or_else(|| {
            let folder = self.above.as_ref().map(|(above, _)| above.join(name));
            let folder = folder.filter(|folder| fs::create_dir(folder).is_ok());
            let name = name.to_owned();
            self.groups.push(Group { name, processes: Vec::new(), folder });
            self.groups.len() - 1
        });
        let Some(group) = self.groups.get_mut(place) else { return };
        group.processes.push(process);
        let joined = group.folder.as_ref().is_some_and(|folder| join_family(folder, process));
        if !joined && let Some(folder) = group.folder.take() {
            let _ = fs::remove_dir(folder);
        }
    }

    /// How the time is counted, for the record.
    pub(crate) fn accounting(&self) -> &'static str {
        let by_group = self.groups.iter().filter(|group| group.folder.is_some()).count();
        match by_group {
            0 => "/proc/PID/stat, hundredths of a second",
            all if all == self.groups.len() => "cgroup v2",
            _ => "cgroup v2 for some, /proc/PID/stat for others",
        }
    }

    /// CPU seconds, user and system, of each group until now.
    pub(crate) fn read(&self) -> Vec<(String, f64)> {
        self.groups.iter().map(|group| (group.name.clone(), group.seconds())).collect()
    }
}

impl Group {
    fn seconds(&self) -> f64 {
        let folder = self.folder.as_deref();
        folder.and_then(usage).unwrap_or_else(|| {
            self.processes.iter().map(|process| family_cpu_seconds(*process)).sum()
        })
    }
}

impl Drop for Accounts {
    fn drop(&mut self) {
        let Some((above, home)) = &self.above else { return };
        for folder in self.groups.iter().filter_map(|group| group.folder.as_deref()) {
            // A process may be started meanwhile, and one that ended takes a moment to leave.
            for _ in 0..REMOVAL_TRIES_MAX {
                let left = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
                for process in left.lines().filter_map(|line| line.parse().ok()) {
                    join(home, process);
                }
                if fs::remove_dir(folder).is_ok() {
                    break;
                }
                std::thread::sleep(REMOVAL_PAUSE);
            }
        }
        let _ = fs::remove_dir(above);
    }
}

/// The group of version 2 that this process is in.
fn own_group() -> Option<PathBuf> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let mount = MOUNTS.iter().map(Path::new);
    let mount = mount.into_iter().find(|mount| mount.join("cgroup.controllers").is_file())?;
    Some(mount.join(path))
}

/// Moves a process, with the children it will have, into a group.
fn join(folder: &Path, process: u32) -> bool {
    // Never made where it is not: that would be a file in a folder, and no group.
    let file = fs::OpenOptions::new().write(true).open(folder.join("cgroup.procs"));
    file.and_then(|mut file| file.write_all(process.to_string().as_bytes())).is_ok()
}

/// Moves a process and those it has started already; the ones to come follow by themselves.
fn join_family(folder: &Path, process: u32) -> bool {
    let joined = join(folder, process);
    for child in if joined { children(process) } else { Vec::new() } {
        join_family(folder, child);
    }
    joined
}

fn usage(folder: &Path) -> Option<f64> {
    seconds(&fs::read_to_string(folder.join("cpu.stat")).ok()?)
}

fn seconds(stat: &str) -> Option<f64> {
    let line = stat.lines().find_map(|line| line.strip_prefix("usage_usec "))?;
    line.trim()
        .parse::<u32>()
        .map(f64::from)
        .or_else(|_| line.trim().parse())
        .ok()
        .map(|us| us / 1e6)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn microseconds_of_a_group_are_read() {
        assert_eq!(seconds("usage_usec 1500000\nuser_usec 1\n"), Some(1.5));
        assert_eq!(seconds("usage_usec 9000000000\n"), Some(9_000.0));
        assert_eq!(seconds("user_usec 1\n"), None);
    }

    #[test]
    fn a_process_that_works_is_seen_whichever_way_time_is_counted() {
        let mut work = Command::new("sh")
            .args(["-c", "read go; i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; read end"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let accounts = Accounts::open([("worker", work.id())]);
        let before = accounts.read();
        let mut to = work.stdin.take().unwrap();
        std::io::Write::write_all(&mut to, b"go\n").unwrap();
        let until = std::time::Instant::now() + Duration::from_secs(20);
        while accounts.read()[0].1 - before[0].1 < 0.02 && std::time::Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        let after = accounts.read();
        drop(to);
        work.wait().unwrap();
        let folder = accounts.above.as_ref().map(|(above, _)| above.clone());
        drop(accounts);
        assert_eq!(after[0].0, "worker");
        assert!(after[0].1 - before[0].1 >= 0.02, "{after:?}");
        assert!(folder.is_none_or(|folder| !folder.exists()), "the groups are removed");
    }
}
