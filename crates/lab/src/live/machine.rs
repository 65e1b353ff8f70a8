//! The machine a figure was measured on, and the CPU time its processes have used.

use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

use crate::bench::record::Machine;

/// The kernel counts CPU time in hundredths of a second on every Linux that runs here (USER_HZ).
const TICKS_PER_SECOND: f64 = 100.0;

/// Cores, model, kernel, file system of `folder`, load; named after its processor.
pub(crate) fn describe(folder: &Path) -> Machine {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cpu = model.map(|(_, name)| name.trim().to_owned());
    let cores = info.lines().filter(|line| line.starts_with("processor")).count();
    let cores = u32::try_from(cores).unwrap_or(u32::MAX);
    let memory = read("/proc/meminfo");
    let memory = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let memory_kib: Option<u64> =
        memory.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok());
    Machine {
        name: name(cpu.as_deref().unwrap_or("unknown"), cores),
        cpu,
        cores,
        memory_mib: memory_kib.map(|kib| kib / 1024),
        kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        file_system: file_system(&read("/proc/mounts"), folder),
        load_average: read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" "),
    }
}

/// A name that says what the machine is and not whose: the processor's words and the cores.
fn name(cpu: &str, cores: u32) -> String {
    let words = cpu.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '.');
    let telling = |word: &&str| !word.is_empty() && !["R", "TM", "CPU", "Processor"].contains(word);
    let words: Vec<String> = words.filter(telling).map(str::to_ascii_lowercase).collect();
    format!("{}-{cores}-cores", words.join("-"))
}

/// The commit of the tree this runs in, with `+` where files differ from it; none outside a tree.
pub(crate) fn commit() -> Option<String> {
    let git = |arguments: &[&str]| {
        let said = Command::new("git").args(arguments).stderr(Stdio::null()).output().ok()?;
        said.status.success().then(|| String::from_utf8_lossy(&said.stdout).trim().to_owned())
    };
    let commit = git(&["rev-parse", "--short=10", "HEAD"])?;
    let changed = git(&["status", "--porcelain", "--untracked-files=no"])?;
    Some(if changed.is_empty() { commit } else { format!("{commit}+") })
}

/// The type of the mount with the longest path above `folder`.
fn file_system(mounts: &str, folder: &Path) -> Option<String> {
    let mut found: Option<(usize, &str)> = None;
    for line in mounts.lines() {
        let mut fields = line.split(' ').skip(1);
        let (Some(at), Some(kind)) = (fields.next(), fields.next()) else { continue };
        if folder.starts_with(at) && found.is_none_or(|(length, _)| at.len() >= length) {
            found = Some((at.len(), kind));
        }
    }
    found.map(|(_, kind)| kind.to_owned())
}

/// Seconds of CPU, user and system, that a process has used; 0 for one that is gone.
pub(crate) fn cpu_seconds(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    ticks(&stat) / TICKS_PER_SECOND
}

/// Processes whose parent is this one.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let all = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_child = |process: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        rest.split_whitespace().nth(1).and_then(|text| text.parse().ok()) == Some(parent)
    };
    all.filter(is_child).collect()
}

/// Seconds of CPU of a process, of its children, and of those that ended and were waited for.
pub(crate) fn family_cpu_seconds(parent: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{parent}/stat")).unwrap_or_default();
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let waited = rest.split_whitespace().skip(13).take(2);
    let waited: f64 = waited.filter_map(|field| field.parse::<u32>().ok()).map(f64::from).sum();
    let living: f64 = children(parent).into_iter().map(cpu_seconds).sum();
    waited / TICKS_PER_SECOND + cpu_seconds(parent) + living
}

/// The most memory a process has held, in MiB.
pub(crate) fn peak_mib(process: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u32 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some((f64::from(kib) / 1024.0 * 10.0).round() / 10.0)
}

/// The memory a process holds now, in MiB.
pub(crate) fn rss_mib(process: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: u32 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some((f64::from(kib) / 1024.0 * 10.0).round() / 10.0)
}

/// The memory a process holds now with its share of what others hold too, in MiB: the program's own
/// pages lie in memory once, however many processes run it.
pub(crate) fn pss_mib(process: u32) -> Option<f64> {
    let rollup = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
    let line = rollup.lines().find(|line| line.starts_with("Pss:"))?;
    let kib: u32 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some((f64::from(kib) / 1024.0 * 10.0).round() / 10.0)
}

/// Memory that could be taken now without pushing others out.
pub(crate) fn available_bytes() -> Option<u64> {
    let memory = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = memory.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib * 1024)
}

/// Seconds of CPU that this process has used, to the microsecond.
#[allow(clippy::cast_precision_loss, reason = "microseconds of one run")]
pub(crate) fn own_cpu_seconds() -> f64 {
    let seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    getrusage(UsageWho::RUSAGE_SELF)
        .map_or(0.0, |usage| seconds(usage.user_time()) + seconds(usage.system_time()))
}

/// utime and stime: fields 14 and 15, counted after the command's closing parenthesis.
fn ticks(stat: &str) -> f64 {
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields = rest.split_whitespace().skip(11).take(2);
    fields.filter_map(|field| field.parse::<u32>().ok()).map(f64::from).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_with_spaces_and_brackets_does_not_shift_the_fields() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 120 30 0 0 20";
        assert!((ticks(stat) - 150.0).abs() < f64::EPSILON);
        assert!(own_cpu_seconds() >= 0.0);
    }

    #[test]
    fn a_machine_is_named_after_its_processor() {
        assert_eq!(name("Intel(R) Xeon(R) Processor @ 2.60GHz", 2), "intel-xeon-2.60ghz-2-cores");
        assert_eq!(name("unknown", 8), "unknown-8-cores");
    }

    #[test]
    fn the_nearest_mount_counts() {
        let mounts = "/dev/a / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n";
        assert_eq!(file_system(mounts, Path::new("/tmp/x")).as_deref(), Some("tmpfs"));
        assert_eq!(file_system(mounts, Path::new("/home")).as_deref(), Some("ext4"));
    }
}
