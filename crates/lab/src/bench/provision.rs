//! Our side of B1a, immediate provision end to end, each inquiry signed by the operator card:
//! agency terminal → agency server → exchange → center and back, answered only when the center's
//! record is durable.
//!
//! The card signs before the clock starts: in an office every operator has a card and a chip of his
//! own, here one processor would do it for all. What signing costs is told apart.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde_json::json;
use wire::NodeId;

use super::load::{self, Asker, Judged, Magazine, Phase};
use super::pairs::rounded;
use super::people::People;
use super::record::{Latency, Party, Phase as RecordPhase, Table};
use super::usage::{Meter, Spent, Usage};
use super::{BenchError, Options, per_second, runtime};
use crate::live::clock;
use crate::live::country::Country;
use crate::live::keeping::Keeping;
use crate::live::line::Line;
use crate::live::operator::Operator;

/// The agency whose operators ask.
const PLACE: &str = "agency-1";
/// Sessions of its terminal: the server answers 128 inquiries at once on each.
pub(super) const SESSIONS_COUNT: usize = 4;
/// Parties whose CPU time is told apart.
const PARTIES: [&str; 3] = ["center", "agency-1", "exchange-national"];
/// Inquiries signed for one closed phase, a second of it: more than any machine here answers.
const SUPPLY_PER_SECOND: u64 = 6_000;
/// What one operator who waits for each answer gets through at most, a second.
const SUPPLY_OF_ONE_PER_SECOND: u64 = 1_000;
/// How long the prefectures may take to get the disclosure rows of the whole run.
const HANDOVER_PATIENCE: Duration = Duration::from_secs(180);

/// The bench with its parts in hand.
pub(super) struct Bench<'a> {
    country: Country,
    pub(super) people: People,
    operator: Operator,
    lines: Vec<Line>,
    pub(super) keeping: Keeping,
    pub(super) runtime: tokio::runtime::Runtime,
    pub(super) meter: Meter,
    pub(super) party: Party,
    pub(super) handovers: Table,
    pub(super) seed: u64,
    streams: u64,
    pub(super) totals: Totals,
    pub(super) say: &'a dyn Fn(&str),
}

/// Sums over all phases, warm-up included.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    persons: u64,
    empty: u64,
    pub(super) signed: u64,
    pub(super) signing_us: f64,
}

/// One phase as it goes into the record.
pub(super) struct Done {
    pub(super) phase: RecordPhase,
    pub(super) latency: Histogram<u64>,
    /// Disclosure rows that follow, and the seconds until they arrived; ours only.
    pub(super) follows: Option<(u64, f64)>,
}

#[allow(clippy::cast_precision_loss, reason = "counts of one run")]
pub(super) fn per_call(count: u64) -> f64 {
    count.max(1) as f64
}

impl<'a> Bench<'a> {
    pub(super) fn new(
        country: Country,
        options: &Options,
        say: &'a dyn Fn(&str),
    ) -> Result<Self, BenchError> {
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
        Ok(Self {
            meter: Meter::of_country(&country, &PARTIES),
            party: Party::named("jukinet, terminal to center and back"),
            handovers: Table {
                title: "Disclosure rows that follow the answers".to_owned(),
                columns: ["phase", "rows behind at its end", "s to catch up"]
                    .map(str::to_owned)
                    .to_vec(),
                rows: Vec::new(),
            },
            country,
            people,
            operator,
            lines,
            keeping,
            runtime,
            seed,
            streams,
            totals,
            say,
        })
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
    pub(super) fn closed(&mut self, operators: usize, seconds: u64) -> Result<Done, BenchError> {
        let supply = if operators == 1 { SUPPLY_OF_ONE_PER_SECOND } else { SUPPLY_PER_SECOND };
        let magazine = self.magazine(supply * seconds)?;
        let before = self.meter.read();
        let time = Duration::from_secs(seconds);
        let phase =
            self.runtime.block_on(load::closed(&self.lines, magazine.shots, operators, time))?;
        self.done(closed_name(operators), phase, &before)
    }

    pub(super) fn open(&mut self, rate: u32, seconds: u64) -> Result<Done, BenchError> {
        let magazine = self.magazine(u64::from(rate) * seconds)?;
        let before = self.meter.read();
        let phase = self.runtime.block_on(load::open(&self.lines, magazine.shots, rate))?;
        self.done(open_name(rate), phase, &before)
    }

    fn done(
        &mut self,
        name: String,
        phase: Phase<<Line as Asker>::Reply>,
        before: &Usage,
    ) -> Result<Done, BenchError> {
        let spent = self.meter.spent_since(before);
        let seconds = phase.seconds;
        let judged = load::judge(&self.people, phase.done);
        if judged.wrong > 0 {
            return Err(BenchError::Void(format!("{} answers are wrong", judged.wrong)));
        }
        let phase = phase_of(name, &judged, seconds, &spent);
        let follows = Some(self.handover()?);
        self.add(&judged);
        Ok(Done { phase, latency: judged.latency, follows })
    }

    /// Puts a phase that has no pair into the record.
    pub(super) fn keep(&mut self, done: Done) {
        let Done { phase, latency, follows } = done;
        if let Some(latency) = phase.latency {
            let rate = phase.per_second.unwrap_or(0.0);
            let (p50, p99) = (latency.p50, latency.p99);
            (self.say)(&format!("{}: {rate} a second, p50 {p50} ms, p99 {p99} ms", phase.name));
        }
        if let Some((behind, caught_up)) = follows {
            self.handovers.rows.push(vec![json!(phase.name), json!(behind), json!(caught_up)]);
        }
        self.party.curve(&phase.name, &latency);
        self.party.phases.push(phase);
    }

    fn add(&mut self, judged: &Judged) {
        self.totals.persons += judged.persons;
        self.totals.empty += judged.empty;
    }

    /// How many disclosure rows still wait for the prefectures, and how long it takes them.
    fn handover(&self) -> Result<(u64, f64), BenchError> {
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
        Ok((behind, seconds_since(start)))
    }

    /// The record against the answers: one leaf for each person told, none missing, none too many.
    pub(super) fn ledger(&mut self, first_entry: u64) -> Result<u64, BenchError> {
        self.country.stop();
        let kinds = self.keeping.kinds_from(first_entry)?;
        let verification = self.keeping.verify_ledger()?;
        let Totals { persons, empty, .. } = self.totals;
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
        Ok(persons)
    }
}

pub(super) fn closed_name(operators: usize) -> String {
    format!("closed loop, {operators} operators")
}

pub(super) fn open_name(rate: u32) -> String {
    format!("open loop, {rate} a second")
}

/// A phase of either side as the record has it.
pub(super) fn phase_of(name: String, judged: &Judged, seconds: f64, spent: &Spent) -> RecordPhase {
    RecordPhase {
        name,
        pair: None,
        operations: judged.answered,
        seconds: rounded(seconds),
        per_second: Some(per_second(judged.answered, seconds)),
        latency: Latency::of(&judged.latency),
        cpu: Some(spent.per_thousand(judged.answered)),
    }
}

fn seconds_since(start: Instant) -> f64 {
    (start.elapsed().as_secs_f64() * 100.0).round() / 100.0
}
