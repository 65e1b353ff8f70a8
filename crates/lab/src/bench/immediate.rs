//! B1a, immediate provision end to end, each inquiry signed by the operator card, beside PostgreSQL
//! with pgaudit behind nginx: pairs of a closed and an open phase, then ours alone from one
//! operator to hundreds, and at the end both records against what was answered.

use std::path::Path;

use hdrhistogram::Histogram;

use super::audited::Audited;
use super::harness::Subject;
use super::pairs::{Pairs, Side, order, rounded};
use super::provision::{Bench, Done, SESSIONS_COUNT, Totals, closed_name, open_name, per_call};
use super::record::{Gate, Measured, Oracle, Party, Ratio};
use super::{BenchError, Options, SUITE, raise};
use crate::live::calibration::{self, histogram};
use crate::live::country::scratch;
use crate::live::{files, machine, packages, postgres};

/// Operators who ask at once in the pairs, and inquiries a second: what both sides carry.
const PAIR_OPERATORS: usize = 32;
const PAIR_RATE: u32 = 300;
/// Ours alone, after the pairs: operators who ask at once, closed loop.
const OPERATORS: [usize; 4] = [1, 8, 128, 384];
/// The same: inquiries a second, open loop.
const RATES: [u32; 3] = [200, 500, 1_000];
pub(crate) const SUBJECT: Subject = Subject {
    id: "B1",
    title: "Immediate provision end to end, each inquiry signed (B1a)",
    question: "How many provisions, each signed by an operator card and durably recorded before \
               its answer leaves, does a second of CPU carry, and how long does one take?",
};

/// Runs B1a to its figures.
pub(crate) fn run(options: &Options, say: &dyn Fn(&str)) -> Result<Measured, BenchError> {
    let version = postgres::version()?;
    packages::require()?;
    let folder = scratch();
    let done = measure(options, &folder, version, say);
    files::remove_folder(&folder);
    done
}

fn measure(
    options: &Options,
    folder: &Path,
    version: String,
    say: &dyn Fn(&str),
) -> Result<Measured, BenchError> {
    let country = raise(options, say)?;
    let mut bench = Bench::new(country, options, say)?;
    let first_entry = bench.keeping.entries()?;
    say("PostgreSQL with pgaudit, HTTP services and nginx …");
    let cores = machine::describe(folder).cores;
    let mut peer = Audited::make(folder, &bench.people, &bench.runtime, cores)?;
    peer.party.version = Some(version);
    bench.closed(16, 1)?;
    peer.closed(&bench.people, &bench.runtime, options.seed, 16, 1)?;
    let compared = pairs(&mut bench, &mut peer, options.seconds)?;
    let told = peer.audited()?;
    drop(peer.office);
    for operators in OPERATORS {
        let done = bench.closed(operators, options.seconds)?;
        bench.keep(done);
    }
    for rate in RATES {
        let done = bench.open(rate, options.seconds)?;
        bench.keep(done);
    }
    let persons = bench.ledger(first_entry)?;
    compared.finish(&mut bench.party, &mut peer.party);
    let gates = gates(&bench.party, &compared);
    Ok(measured(bench, peer.party, &compared, gates, persons + told)
        .on("residents", options.residents)
        .on("seed", options.seed))
}

fn measured(
    bench: Bench<'_>,
    peer: Party,
    compared: &Compared,
    gates: Vec<Gate>,
    told: u64,
) -> Measured {
    let Totals { signed, signing_us, .. } = bench.totals;
    let mut ours = bench.party;
    ours.figure("card_signing_us", "signing by one card", signing_us / per_call(signed), "µs");
    Measured {
        ours,
        peer: Some(peer),
        ratios: compared.ratios(),
        gates,
        tables: vec![bench.handovers],
        oracle: Oracle {
            what:
                "persons told by both sides, item by item, and their entries in our ledger and in \
                   the peer's audit table"
                    .to_owned(),
            compared: told,
            errors: 0,
        },
        left_out: vec![
            "B1b, inquiries under a mandate; the read index; 10 million residents".to_owned(),
        ],
        ..Measured::default()
    }
    .on("mode", "B1a, each inquiry signed by the operator card")
    .on("engine", "SQLite, sealed rows, no read index")
    .on("suite", SUITE)
    .on("mix", "70 % code, 20 % name and birth date, 10 % name and address")
    .on("sessions", SESSIONS_COUNT)
    .on("CPU by", bench.meter.accounting())
}

/// Both figures of each pair, by what is compared, and the latencies over all pairs.
struct Compared {
    cpu: Pairs,
    rate: Pairs,
    open_cpu: Pairs,
    p50: Pairs,
    p99: Pairs,
    closed: [Histogram<u64>; 2],
    open: [Histogram<u64>; 2],
}

/// Each side in its turn: a closed phase, then an open one.
fn pairs(bench: &mut Bench<'_>, peer: &mut Audited, seconds: u64) -> Result<Compared, BenchError> {
    let none = || [histogram(), histogram()];
    let mut compared = Compared {
        cpu: Pairs::default(),
        rate: Pairs::default(),
        open_cpu: Pairs::default(),
        p50: Pairs::default(),
        p99: Pairs::default(),
        closed: none(),
        open: none(),
    };
    for (number, pair) in (1..).zip(order()) {
        for side in pair {
            let (closed, open) = match side {
                Side::Ours => {
                    (bench.closed(PAIR_OPERATORS, seconds)?, bench.open(PAIR_RATE, seconds)?)
                }
                Side::Peer => {
                    let (people, runtime, seed) = (&bench.people, &bench.runtime, bench.seed);
                    (
                        peer.closed(people, runtime, seed, PAIR_OPERATORS, seconds)?,
                        peer.open(people, runtime, seed, PAIR_RATE, seconds)?,
                    )
                }
            };
            for (done, name) in [(&closed, "closed"), (&open, "open")] {
                let latency = done.phase.latency;
                let (p50, p99) = latency.map_or((0.0, 0.0), |latency| (latency.p50, latency.p99));
                let rate = done.phase.per_second.unwrap_or(0.0);
                let line = format!("{name} {rate} a second, p50 {p50} ms, p99 {p99} ms");
                (bench.say)(&format!("pair {number}: {side:?} {line}"));
            }
            let party = if side == Side::Ours { &mut bench.party } else { &mut peer.party };
            compared.add(side, number, closed, open, party);
        }
    }
    Ok(compared)
}

impl Compared {
    fn add(&mut self, side: Side, pair: u32, closed: Done, open: Done, party: &mut Party) {
        let cpu = |done: &Done| done.phase.cpu.as_ref().map_or(f64::NAN, |cpu| cpu.side);
        self.cpu.add(side, cpu(&closed));
        self.rate.add(side, closed.phase.per_second.unwrap_or(f64::NAN));
        self.open_cpu.add(side, cpu(&open));
        self.p50.add(side, open.phase.latency.map_or(f64::NAN, |latency| latency.p50));
        self.p99.add(side, open.phase.latency.map_or(f64::NAN, |latency| latency.p99));
        let [ours, peer] = &mut self.closed;
        let _ = if side == Side::Ours { ours } else { peer }.add(&closed.latency);
        let [ours, peer] = &mut self.open;
        let _ = if side == Side::Ours { ours } else { peer }.add(&open.latency);
        for mut phase in [closed.phase, open.phase] {
            phase.pair = Some(pair);
            party.phases.push(phase);
        }
    }

    fn ratios(&self) -> Vec<Ratio> {
        let all = [
            Ratio::less("cpu", "times more provisions a CPU second, closed loop", &self.cpu),
            Ratio::more("rate", "times more provisions a second, closed loop", &self.rate),
            Ratio::less("open_cpu", "times less CPU a provision, open loop", &self.open_cpu),
            Ratio::less("p50", "times faster at p50, open loop", &self.p50),
            Ratio::less("p99", "times faster at p99, open loop", &self.p99),
        ];
        all.into_iter().flatten().collect()
    }

    fn finish(&self, ours: &mut Party, peer: &mut Party) {
        for (place, side, party) in [(0, Side::Ours, ours), (1, Side::Peer, peer)] {
            let cpu = self.cpu.median(side);
            let label = "CPU for 1,000 provisions, closed loop";
            party.figure("cpu", label, cpu, "s");
            party.figure("per_cpu_second", "provisions a CPU second", 1_000.0 / cpu, "/s");
            let rate = self.rate.median(side);
            party.figure("per_second", "provisions a second, closed loop", rate, "/s");
            party.figure("open_p50", "p50, open loop", self.p50.median(side), "ms");
            party.figure("open_p99", "p99, open loop", self.p99.median(side), "ms");
            if let (Some(closed), Some(open)) = (self.closed.get(place), self.open.get(place)) {
                party.curve(&open_name(PAIR_RATE), open);
                party.curve(&closed_name(PAIR_OPERATORS), closed);
            }
        }
    }
}

/// Floor and goal of B1a, with the bound that verification alone sets on this machine.
fn gates(ours: &Party, compared: &Compared) -> Vec<Gate> {
    let cpu = compared.ratios().first().map(|ratio| ratio.median);
    let cores = f64::from(machine::describe(Path::new("/")).cores);
    let bound = 0.85 * cores * calibration::verifications_per_second();
    let phases = || ours.phases.iter();
    let best = phases().filter_map(|phase| phase.per_second).reduce(f64::max);
    let at_rate = phases().find(|phase| phase.name == open_name(1_000));
    let p99 = at_rate.and_then(|phase| phase.latency).map(|latency| latency.p99);
    vec![
        Gate::floor("provisions a CPU second against PostgreSQL", "×", 3.0, cpu),
        Gate::moonshot(
            "provisions a second, 85 % of what verification alone allows",
            "/s",
            rounded(bound),
            best,
        ),
        Gate::moonshot("p99, open loop at 1,000/s", "ms", 8.0, p99).at_most(),
    ]
}
