//! What B9 tells: figures, what was struck, what each kind of process took, and what the whole
//! country would take if every process stayed as it is here. Pure.

use super::super::pairs::rounded;
use super::super::record::{Gate, Latency, Measured, Oracle, Party, Phase, Table};
use super::super::{SUITE, per_second};
use super::size::{CHANGES_OF_A_PEAK_DAY, MUNICIPALITIES_COUNT, PROVISIONS_OF_A_PEAK_DAY};
use super::toll::Kind;
use super::verify::CHECKED_RESIDENTS_MAX;
use super::{Findings, Struck, Wanted};
use crate::population::RESIDENTS_COUNT_MAX;

/// Prefectures and agencies of the whole country, as B9 counts them.
const PREFECTURES_COUNT: u64 = 47;
const AGENCIES_COUNT: u64 = 10;
/// The whole country's gates.
const RSS_GIB_MAX: f64 = 22.0;
const WHOLE_DAY_SECONDS: f64 = 24.0 * 60.0;

/// Processes of a kind in one of `scale` of the country.
fn processes(kind: &str, scale: u64) -> f64 {
    let part = |of: u64| of.div_ceil(scale);
    count(match kind {
        "municipality" => part(MUNICIPALITIES_COUNT),
        "prefecture" => part(PREFECTURES_COUNT),
        "exchange" => part(PREFECTURES_COUNT) + 1,
        "agency" => part(AGENCIES_COUNT),
        _ => 1,
    })
}

#[allow(clippy::cast_precision_loss, reason = "counts of one run")]
const fn count(number: u64) -> f64 {
    number as f64
}

/// What one machine would need for one of `scale` of the country.
struct Forecast {
    memory_mib: f64,
    disk_gb: f64,
    /// CPU seconds of changes and provisions.
    work_cpu: f64,
    /// CPU seconds that all processes use in a second without any work.
    idle_cpu: f64,
}

fn forecast(findings: &Findings, scale: u64) -> Forecast {
    let Findings { size, kinds, found, day, .. } = findings;
    let each = |kind: &Kind| kind.own_mib / count(kind.processes.max(1));
    let memory_mib = kinds.iter().map(|(name, kind)| processes(name, scale) * each(kind)).sum();
    let residents = count(RESIDENTS_COUNT_MAX / scale);
    let of_disk = |(bytes, held): &(u64, u64)| count(*bytes) / count((*held).max(1)) * residents;
    let disk_gb = found.disk.values().map(of_disk).sum::<f64>() / 1e9;
    let acts = count(day.changes + size.provisions);
    let whole = count((CHANGES_OF_A_PEAK_DAY + PROVISIONS_OF_A_PEAK_DAY) / scale);
    let here: f64 = kinds.values().map(|kind| count(kind.processes)).sum();
    let there: f64 = kinds.keys().map(|name| processes(name, scale)).sum();
    Forecast {
        memory_mib,
        disk_gb,
        work_cpu: work(findings) / acts.max(1.0) * whole,
        idle_cpu: findings.idle_cpu_per_second / here.max(1.0) * there,
    }
}

/// CPU of the day without what the processes use by themselves.
fn work(findings: &Findings) -> f64 {
    let all: f64 = findings.kinds.values().map(|kind| kind.cpu_seconds).sum();
    let seconds = findings.day_seconds + findings.settle_seconds;
    (all - findings.idle_cpu_per_second * seconds).max(0.0)
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn tables(findings: &Findings, cores: f64) -> Vec<Table> {
    let kinds = findings.kinds.iter().map(|(name, kind)| {
        let mean = |mib: f64| rounded(mib / count(kind.processes.max(1)));
        vec![
            (*name).into(),
            kind.processes.into(),
            rounded(kind.cpu_seconds).into(),
            rounded(kind.peak_mib).into(),
            mean(kind.peaks_mib).into(),
            mean(kind.own_mib).into(),
        ]
    });
    let struck = findings.struck.iter();
    let struck = struck.map(|Struck { what, node, seconds }| {
        vec![what.as_str().into(), node.as_str().into(), rounded(*seconds).into()]
    });
    let disk = findings.found.disk.iter().map(|(tier, (bytes, residents))| {
        let each = rounded(count(*bytes) / count((*residents).max(1)));
        vec![(*tier).into(), (*bytes).into(), (*residents).into(), each.into()]
    });
    let forecasts = [findings.size.scale, 10, 1].map(|scale| {
        let forecast = forecast(findings, scale);
        let Forecast { memory_mib, disk_gb, work_cpu, idle_cpu } = forecast;
        // What idles takes its share of each second; work has the rest of the cores.
        let free = cores - idle_cpu;
        let least = if free > 0.0 {
            rounded(work_cpu / free).into()
        } else {
            "idling alone takes more than the cores".into()
        };
        vec![
            format!("1/{scale}").into(),
            rounded(memory_mib / 1024.0).into(),
            rounded(disk_gb).into(),
            rounded(work_cpu).into(),
            rounded(idle_cpu).into(),
            least,
        ]
    });
    let table = |title: &str, columns: &[&str], rows: Vec<Vec<serde_json::Value>>| Table {
        title: title.to_owned(),
        columns: strings(columns),
        rows,
    };
    vec![
        table(
            "Processes by kind",
            &["kind", "processes", "CPU s of the day", "peak MiB", "mean peak MiB", "mean PSS MiB"],
            kinds.collect(),
        ),
        table("Struck during the day", &["what", "node", "seconds"], struck.collect()),
        table("Disk by tier", &["tier", "bytes", "residents", "bytes a resident"], disk.collect()),
        table(
            "If every process stays as it is here",
            &["part", "memory GiB", "disk GB", "CPU s of the day", "idle CPU s/s", "least s"],
            forecasts.into_iter().collect(),
        ),
    ]
}

fn figures(findings: &Findings) -> Party {
    let Findings { day, found, feeds, inquiries, .. } = findings;
    let mut ours = Party::named("jukinet");
    let mut figure = |id: &str, label: &str, value: f64, unit: &str| {
        ours.figure(id, label, value, unit);
    };
    figure("load_seconds", "three tiers loaded", findings.load_seconds, "s");
    figure("day_seconds", "the day, to its last acknowledgement", findings.day_seconds, "s");
    figure("settle_seconds", "until all tiers stood alike", findings.settle_seconds, "s");
    figure("changes", "changes filed and acknowledged", count(day.changes), "");
    figure("moves", "moves between municipalities", count(day.moves), "");
    figure("provisions", "inquiries decided", count(inquiries.acknowledged), "");
    figure("refused", "of these refused: more than fifty", count(inquiries.refused), "");
    let again = feeds.again + inquiries.again;
    figure("tried_again", "tries that were not acknowledged", count(again), "");
    let undelivered = findings.recorded.saturating_sub(inquiries.persons);
    figure("undelivered", "provisions whose answer was cut off", count(undelivered), "");
    figure("ledgers", "ledgers verified to the last entry", count(found.ledgers), "");
    figure("entries", "entries in them", count(found.entries), "");
    figure("rss_mib", "most memory of all processes together", memory_mib(findings), "MiB");
    let own = findings.kinds.values().map(|kind| kind.own_mib).sum();
    figure("pss_mib", "of these at the end, shared pages once", own, "MiB");
    figure("work_cpu_seconds", "CPU of changes and provisions", work(findings), "s");
    figure("idle_cpu", "CPU of all without work", findings.idle_cpu_per_second, "s/s");
    for (name, done) in [("changes", feeds), ("provisions", inquiries)] {
        ours.phases.push(Phase {
            name: format!("{name}, from when they were due, crashes included"),
            operations: done.acknowledged,
            seconds: rounded(findings.day_seconds),
            per_second: Some(per_second(done.acknowledged, findings.day_seconds)),
            latency: Latency::of(&done.times),
            ..Phase::default()
        });
    }
    ours
}

fn memory_mib(findings: &Findings) -> f64 {
    findings.kinds.values().map(|kind| kind.peaks_mib).sum()
}

fn gates(findings: &Findings) -> Vec<Gate> {
    let is = |scale: u64, value: f64| (findings.size.scale == scale).then_some(value);
    let all = findings.day_seconds + findings.settle_seconds;
    let memory = memory_mib(findings) / 1024.0;
    vec![
        Gate::floor("a tenth of the country, its day", "s", 600.0, is(10, all)).at_most(),
        Gate::moonshot("the whole country's day", "s", WHOLE_DAY_SECONDS, is(1, all)).at_most(),
        Gate::moonshot("its memory", "GiB", RSS_GIB_MAX, is(1, memory)).at_most(),
    ]
}

/// The record's part of the run.
pub(super) fn told(wanted: &Wanted, findings: &Findings) -> Measured {
    let Findings { size, day, found, .. } = findings;
    let cores = std::thread::available_parallelism()
        .map_or(1.0, |cores| u32::try_from(cores.get()).map_or(1.0, f64::from));
    let oracle = Oracle {
        what: "answers against everybody made a second time; changed people at three tiers; \
               digests of each municipality at three tiers against the generator and the day"
            .to_owned(),
        compared: findings.inquiries.acknowledged + day.changes + found.compared,
        errors: 0,
    };
    let left_out = [
        "広域交付 (20,000 a day) and batch provision (4 million rows) have no function yet",
        "loopback in one network namespace; a cut line is an exchange whose time stands still",
        "terminals are not run: the operators speak to the agency's server themselves",
        "the peer, PostgreSQL logical replication with services in front, is not run",
    ];
    let mut left_out = strings(&left_out);
    if size.residents > CHECKED_RESIDENTS_MAX {
        left_out.push(format!(
            "the whole check of every store (fsck) is run up to {CHECKED_RESIDENTS_MAX} people; \
             here every row is opened and digested instead"
        ));
    }
    let (ours, gates, tables) = (figures(findings), gates(findings), tables(findings, cores));
    let shares = "40 % within, 25 % between, 12 % births, 15 % deaths, rest new codes and \
                  corrections: assumed";
    Measured { ours, gates, tables, oracle, left_out, ..Measured::default() }
        .on("scale", format!("1/{} of the country", size.scale))
        .on("residents", size.residents)
        .on("municipalities", size.municipalities.len())
        .on("prefectures", size.prefectures().len())
        .on("day pressed into", format!("{} s", wanted.day_seconds))
        .on("occasions by kind", shares)
        .on("seed", wanted.seed)
        .on("engine", "SQLite, sealed rows, no read index")
        .on("suite", SUITE)
}
