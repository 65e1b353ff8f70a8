//! B1a, immediate provision end to end, each inquiry signed by the operator card: agency terminal →
//! agency server → exchange → center and back, answered only when the center's record is durable.
//!
//! The card signs before the clock starts: in an office every operator has a card and a chip of his
//! own, here one processor would do it for all. What signing costs is told apart.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wire::NodeId;

use super::load::{self, Judged, Magazine, Phase};
use super::people::People;
use super::usage::{Spent, Usage};
use super::{BenchError, Options, at, per_second, quantiles, raise, runtime, set};
use crate::live::clock;
use crate::live::country::Country;
use crate::live::keeping::Keeping;
use crate::live::line::Line;
use crate::live::operator::Operator;

/// The agency whose operators ask.
const PLACE: &str = "agency-1";
/// Sessions of its terminal: the server answers 128 inquiries at once on each.
const SESSIONS_COUNT: usize = 4;
/// Parties whose CPU time is told apart.
const PARTIES: [&str; 3] = ["center", "agency-1", "exchange-national"];
/// Operators who ask at once, closed loop.
const OPERATORS: [usize; 5] = [1, 8, 32, 128, 384];
/// Inquiries a second, open loop.
const RATES: [u32; 3] = [200, 500, 1_000];
/// Inquiries signed for one closed phase, a second of it: more than any machine here answers.
const SUPPLY_PER_SECOND: u64 = 6_000;
/// What one operator who waits for each answer gets through at most, a second.
const SUPPLY_OF_ONE_PER_SECOND: u64 = 1_000;
/// How long the prefectures may take to get the disclosure rows of the whole run.
const HANDOVER_PATIENCE: Duration = Duration::from_secs(180);

/// The bench with its parts in hand.
struct Bench<'a> {
    country: Country,
    people: People,
    operator: Operator,
    lines: Vec<Line>,
    keeping: Keeping,
    runtime: tokio::runtime::Runtime,
    seed: u64,
    streams: u64,
    totals: Totals,
    say: &'a dyn Fn(&str),
}

/// Sums over all phases, warm-up included.
#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    answered: u64,
    persons: u64,
    empty: u64,
    unavailable: u64,
    signed: u64,
    signing_us: f64,
}

/// Runs B1a to its figures.
pub(crate) fn run(options: &Options, say: &dyn Fn(&str)) -> Result<Value, BenchError> {
    let country = raise(options, say)?;
    let mut bench = Bench::new(country, options, say)?;
    let first_entry = bench.keeping.entries()?;
    bench.closed(16, 1)?;
    let mut closed = Vec::new();
    for operators in OPERATORS {
        closed.push(bench.closed(operators, options.seconds)?);
    }
    let mut open = Vec::new();
    for rate in RATES {
        open.push(bench.open(rate, options.seconds)?);
    }
    let ledger = bench.ledger(first_entry)?;
    let totals = bench.totals;
    Ok(json!({
        "mode": "B1a, each inquiry signed by the operator card",
        "suite": "default (X25519MLKEM768)",
        "engine": "SQLite, sealed rows, no read index",
        "residents": options.residents,
        "seed": options.seed,
        "mix": "70 % code, 20 % name and birth, 10 % name and address",
        "sessions": SESSIONS_COUNT,
        "card_signing_us": (totals.signing_us / per_call(totals.signed)).round(),
        "closed": closed,
        "open": open,
        "ledger": ledger,
    }))
}

#[allow(clippy::cast_precision_loss, reason = "counts of one run")]
fn per_call(count: u64) -> f64 {
    count.max(1) as f64
}

impl<'a> Bench<'a> {
    fn new(country: Country, options: &Options, say: &'a dyn Fn(&str)) -> Result<Self, BenchError> {
        let people = People::read(&country.dir.join("residents.csv"))?;
        let operator = Operator::log_in(country.terminal(PLACE)?)?;
        let runtime = runtime()?;
        let way = operator.way.clone();
        let lines = runtime.block_on(async {
            let mut lines = Vec::new();
            for _ in 0..SESSIONS_COUNT {
                lines.push(Line::open(&way).await?);
            }
            Ok::<_, BenchError>(lines)
        })?;
        let keeping = Keeping::open(&country, "center")?;
        let seed = options.seed;
        let (streams, totals) = (0, Totals::default());
        Ok(Self { country, people, operator, lines, keeping, runtime, seed, streams, totals, say })
    }

    fn magazine(&mut self, count: u64) -> Result<Magazine, BenchError> {
        self.streams += 1;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let mix = self.people.mix(self.seed, self.streams, count);
        let magazine = load::sign_all(&mut self.operator, mix)?;
        let signed = magazine.shots.len() as u64;
        self.totals.signed += signed;
        self.totals.signing_us += magazine.signing_us * per_call(signed);
        Ok(magazine)
    }

    /// One closed phase, and the wait until its disclosure data has reached the prefectures, so
    /// that no phase pays for the one before.
    fn closed(&mut self, operators: usize, seconds: u64) -> Result<Value, BenchError> {
        let supply = if operators == 1 { SUPPLY_OF_ONE_PER_SECOND } else { SUPPLY_PER_SECOND };
        let magazine = self.magazine(supply * seconds)?;
        let before = Usage::read(&self.country, &PARTIES);
        let time = Duration::from_secs(seconds);
        let phase =
            self.runtime.block_on(load::closed(&self.lines, magazine.shots, operators, time))?;
        let (mut figures, judged) = self.figures(phase, &before)?;
        (self.say)(&format!(
            "{operators:>4} operators: {:>7} provisions a second, p50 {} ms, p99 {} ms",
            at(&figures, "/per_second"),
            at(&figures, "/latency_ms/p50"),
            at(&figures, "/latency_ms/p99")
        ));
        set(&mut figures, "operators", json!(operators));
        set(&mut figures, "handover", self.handover()?);
        self.add(&judged);
        Ok(figures)
    }

    fn open(&mut self, rate: u32, seconds: u64) -> Result<Value, BenchError> {
        let magazine = self.magazine(u64::from(rate) * seconds)?;
        let before = Usage::read(&self.country, &PARTIES);
        let phase = self.runtime.block_on(load::open(&self.lines, magazine.shots, rate))?;
        let (mut figures, judged) = self.figures(phase, &before)?;
        (self.say)(&format!(
            "{rate:>4} a second, open: p50 {} ms, p99 {} ms, p99.9 {} ms",
            at(&figures, "/latency_ms/p50"),
            at(&figures, "/latency_ms/p99"),
            at(&figures, "/latency_ms/p99_9")
        ));
        set(&mut figures, "rate", json!(rate));
        set(&mut figures, "handover", self.handover()?);
        self.add(&judged);
        Ok(figures)
    }

    fn figures(&self, phase: Phase, before: &Usage) -> Result<(Value, Judged), BenchError> {
        let spent: Spent = Usage::read(&self.country, &PARTIES).spent_since(before);
        let seconds = phase.seconds;
        let judged = load::judge(&self.people, phase.done);
        if judged.wrong > 0 {
            return Err(BenchError::Void(format!("{} answers are wrong", judged.wrong)));
        }
        let figures = json!({
            "answered": judged.answered,
            "persons": judged.persons,
            "unavailable": judged.unavailable,
            "seconds": (seconds * 1_000.0).round() / 1_000.0,
            "per_second": per_second(judged.answered, seconds),
            "per_cpu_second": per_second(judged.answered, spent.ours()),
            "latency_ms": quantiles(&judged.latency),
            "cpu_seconds_per_1000": spent.per_thousand(judged.answered),
        });
        Ok((figures, judged))
    }

    fn add(&mut self, judged: &Judged) {
        self.totals.answered += judged.answered;
        self.totals.persons += judged.persons;
        self.totals.empty += judged.empty;
        self.totals.unavailable += judged.unavailable;
    }

    /// How many disclosure rows still wait for the prefectures, and how long it takes them.
    fn handover(&self) -> Result<Value, BenchError> {
        let to: Vec<NodeId> = ["prefecture-13", "prefecture-20"]
            .iter()
            .filter_map(|name| NodeId::parse(name).ok())
            .collect();
        let start = clock::monotonic();
        let behind = self.keeping.not_handed_over(&to)?;
        let mut waiting = behind;
        while waiting > 0 && start.elapsed() < HANDOVER_PATIENCE {
            std::thread::sleep(Duration::from_millis(100));
            waiting = self.keeping.not_handed_over(&to)?;
        }
        if waiting > 0 {
            return Err(BenchError::Void(format!("{waiting} disclosure rows never arrived")));
        }
        Ok(json!({"rows_behind_at_end": behind, "seconds_to_catch_up": seconds_since(start)}))
    }

    /// The record against the answers: one leaf for each person told, none missing, none too many.
    fn ledger(&mut self, first_entry: u64) -> Result<Value, BenchError> {
        self.country.stop();
        let kinds = self.keeping.kinds_from(first_entry)?;
        let verification = self.keeping.verify_ledger()?;
        let Totals { persons, empty, unavailable, .. } = self.totals;
        if !verification.is_sound() {
            return Err(BenchError::Void("the center's ledger does not verify".to_owned()));
        }
        // A request that was told "not now" was not recorded as a provision, or the record shows
        // it.
        if kinds.provision != persons || kinds.no_provision != empty || kinds.refusal != 0 {
            return Err(BenchError::Void(format!(
                "{persons} persons were told and {} are recorded",
                kinds.provision
            )));
        }
        Ok(json!({
            "sound": true,
            "size": verification.size,
            "provision_leaves": kinds.provision,
            "persons_answered": persons,
            "unavailable": unavailable,
        }))
    }
}

fn seconds_since(start: Instant) -> f64 {
    (start.elapsed().as_secs_f64() * 100.0).round() / 100.0
}
