//! What the processes of a country use, by kind: CPU, the most memory of one of them, disk. A
//! process that is killed is counted before it goes.

use std::collections::BTreeMap;

use super::super::BenchError;
use crate::live::fleet::Fleet;
use crate::live::machine::{cpu_seconds, peak_mib, pss_mib};

/// One kind of process.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Kind {
    pub(super) processes: u64,
    pub(super) cpu_seconds: f64,
    /// The most that one of them held.
    pub(super) peak_mib: f64,
    /// The peaks of all together; what they share is counted in each.
    pub(super) peaks_mib: f64,
    /// What all hold at the end; what they share is counted once.
    pub(super) own_mib: f64,
}

/// What was used since it was begun.
#[derive(Debug, Default)]
pub(super) struct Toll {
    begun: BTreeMap<u32, f64>,
    killed: BTreeMap<&'static str, Kind>,
}

const KINDS: [&str; 5] = ["center", "prefecture", "municipality", "agency", "exchange"];

fn kind_of(node: &str) -> &'static str {
    let found = KINDS.into_iter().find(|kind| node.starts_with(kind));
    found.unwrap_or("others")
}

impl Toll {
    /// From here on.
    pub(super) fn begin(fleet: &Fleet) -> Self {
        let begun = fleet.processes().map(|(_, pid)| (pid, cpu_seconds(pid))).collect();
        Self { begun, killed: BTreeMap::new() }
    }

    fn used(&self, pid: u32) -> f64 {
        cpu_seconds(pid) - self.begun.get(&pid).copied().unwrap_or(0.0)
    }

    /// Kills a process, counted, and starts it again.
    pub(super) fn crash(&mut self, fleet: &mut Fleet, node: &str) -> Result<(), BenchError> {
        if let Some(pid) = fleet.pid(node) {
            let (used, peak) = (self.used(pid), peak_mib(pid).unwrap_or(0.0));
            let kind = self.killed.entry(kind_of(node)).or_default();
            kind.cpu_seconds += used;
            kind.peak_mib = kind.peak_mib.max(peak);
        }
        fleet.kill(node);
        Ok(fleet.start(&[node])?)
    }

    /// Until now, by kind.
    pub(super) fn by_kind(&self, fleet: &Fleet) -> BTreeMap<&'static str, Kind> {
        let mut kinds = self.killed.clone();
        for (node, pid) in fleet.processes() {
            let peak = peak_mib(pid).unwrap_or(0.0);
            let kind = kinds.entry(kind_of(node)).or_default();
            kind.processes += 1;
            kind.cpu_seconds += self.used(pid);
            kind.peak_mib = kind.peak_mib.max(peak);
            kind.peaks_mib += peak;
            kind.own_mib += pss_mib(pid).unwrap_or(peak);
        }
        kinds
    }

    /// CPU seconds of all until now.
    pub(super) fn cpu_seconds(&self, fleet: &Fleet) -> f64 {
        self.by_kind(fleet).values().map(|kind| kind.cpu_seconds).sum()
    }
}
