//! A machine made smaller: this process, and what it starts, held to a number of cores and an
//! amount of memory. By a control group of version 2 where this user may make one, else by the
//! affinity of threads, and then the memory is only measured; which of the two is said.

use std::fs;
use std::path::{Path, PathBuf};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use super::dice;

/// Microseconds in which a group may use its share of the cores.
const PERIOD_US: u64 = 100_000;
/// Where version 2 of the control groups is mounted: alone, or beside version 1.
const MOUNTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// Holds for as long as it lives.
#[derive(Debug)]
pub(crate) struct Confined {
    group: Option<(PathBuf, PathBuf)>,
    cores_before: Option<CpuSet>,
    said: String,
}

/// Confines this process and its children to come. Must be called before threads are started.
pub(crate) fn to(cores: u32, memory_gib: u32) -> Confined {
    let groups = MOUNTS.iter().find_map(|mount| group(Path::new(mount), cores, memory_gib));
    if let Some(group) = groups {
        let said = format!("cgroup v2: cpu.max {cores} cores, memory.max {memory_gib} GiB");
        return Confined { group: Some(group), cores_before: None, said };
    }
    let this = Pid::from_raw(0);
    let before = sched_getaffinity(this).ok();
    let said = match before.as_ref().and_then(|before| first(before, cores)) {
        Some(set) if sched_setaffinity(this, &set).is_ok() => {
            format!("affinity: {cores} cores; memory is measured, not bounded (no cgroup v2 here)")
        }
        _ => "nothing: neither cgroup v2 nor affinity may be set here".to_owned(),
    };
    Confined { group: None, cores_before: before, said }
}

impl Confined {
    /// How it is held, for the record.
    pub(crate) fn said(&self) -> &str {
        &self.said
    }
}

/// A new group below the one this process is in, with its bounds, and this process in it.
fn group(mount: &Path, cores: u32, memory_gib: u32) -> Option<(PathBuf, PathBuf)> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    // Without these two the mount is none of version 2, or they are held by version 1.
    let controllers = fs::read_to_string(mount.join("cgroup.controllers")).ok()?;
    if !["cpu", "memory"].iter().all(|one| controllers.split_whitespace().any(|c| c == *one)) {
        return None;
    }
    let home = mount.join(own.lines().find_map(|line| line.strip_prefix("0::/"))?);
    let name: [u8; 6] = dice::array();
    let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
    let group = home.join(format!("jukilab-{name}"));
    fs::create_dir(&group).ok()?;
    let quota = u64::from(cores) * PERIOD_US;
    let set = fs::write(group.join("cpu.max"), format!("{quota} {PERIOD_US}"))
        .and_then(|()| {
            let bytes = u64::from(memory_gib) << 30;
            fs::write(group.join("memory.max"), bytes.to_string())
        })
        .and_then(|()| fs::write(group.join("cgroup.procs"), std::process::id().to_string()));
    if set.is_err() {
        let _ = fs::remove_dir(&group);
        return None;
    }
    Some((group, home))
}

/// The first so many cores that may be used now.
fn first(before: &CpuSet, cores: u32) -> Option<CpuSet> {
    let mut set = CpuSet::new();
    let mut left = cores;
    for core in 0..CpuSet::count() {
        if left > 0 && before.is_set(core).unwrap_or(false) {
            set.set(core).ok()?;
            left -= 1;
        }
    }
    (left < cores).then_some(set)
}

impl Drop for Confined {
    fn drop(&mut self) {
        if let Some((group, home)) = &self.group {
            let _ = fs::write(home.join("cgroup.procs"), std::process::id().to_string());
            let _ = fs::remove_dir(group);
        }
        if let Some(before) = &self.cores_before {
            let _ = sched_setaffinity(Pid::from_raw(0), before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_cores_that_may_be_used_are_taken() {
        let mut may = CpuSet::new();
        for core in [1, 3, 5] {
            may.set(core).unwrap();
        }
        let set = first(&may, 2).unwrap();
        let taken: Vec<usize> = (0..8).filter(|core| set.is_set(*core).unwrap()).collect();
        assert_eq!(taken, [1, 3]);
        assert!(first(&may, 9).is_some_and(|set| set.is_set(5).unwrap()));
        assert!(first(&CpuSet::new(), 1).is_none());
    }
}
