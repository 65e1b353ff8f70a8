//! The center of a loaded register, asked: through an agency's server and an exchange as its
//! operators do, and in its store alone. Every answer is compared with whom it must name.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use law::inquiry::Held;
use law::query::{PROVISION_PERSONS_MAX, Query};
use node::ports::{CANDIDATES_PER_PROBE_COUNT_MAX, Reads};
use node::terminal::Outcome;

use super::super::BenchError;
use super::super::record::{Latency, Phase};
use super::sample::{Question, Right, Way};
use crate::live::calibration::histogram;
use crate::live::clock;
use crate::live::country::TerminalFiles;
use crate::live::line::Line;
use crate::live::operator::Operator;

/// Time between two tries while the center is not there yet.
const TRY_EVERY: Duration = Duration::from_millis(5);
/// How long the first right answer may take.
const START_PATIENCE: Duration = Duration::from_secs(300);

/// What came of asking.
#[derive(Debug)]
pub(super) struct Asked {
    times: Vec<(Way, Histogram<u64>)>,
    pub(super) answered: u64,
    /// Because more than fifty persons fit.
    pub(super) refused: u64,
}

impl Asked {
    fn new() -> Self {
        let times = Way::ALL.iter().map(|way| (*way, histogram())).collect();
        Self { times, answered: 0, refused: 0 }
    }

    fn note(&mut self, way: Way, right: Right, elapsed: Duration) {
        for (_, times) in self.times.iter_mut().filter(|(of, _)| *of == way) {
            times.saturating_record(clock::micros(elapsed));
        }
        match right {
            Right::Answered => self.answered += 1,
            Right::Refused => self.refused += 1,
        }
    }

    /// One phase for each way, named after it and what was asked how.
    pub(super) fn phases(&self, how: &str) -> Vec<Phase> {
        let phase = |(way, times): &(Way, Histogram<u64>)| Phase {
            name: format!("{how}: {}", way.key()),
            operations: times.len(),
            latency: Latency::of(times),
            ..Phase::default()
        };
        self.times.iter().filter(|(_, times)| !times.is_empty()).map(phase).collect()
    }
}

fn wrong(question: &Question, what: &str) -> BenchError {
    BenchError::Void(format!("asked by {}: {what}", question.way.key()))
}

/// An agency's operator with a session to the agency's server.
pub(super) struct Agency {
    operator: Operator,
    line: Line,
    runtime: tokio::runtime::Runtime,
}

impl Agency {
    pub(super) fn open(terminal: &TerminalFiles) -> Result<Self, BenchError> {
        let operator = Operator::log_in(terminal)?;
        let runtime = super::super::runtime()?;
        let line = runtime.block_on(Line::open(&operator.way))?;
        Ok(Self { operator, line, runtime })
    }

    /// One question and what came; the time is that of the call.
    fn ask(&mut self, question: &Question) -> Result<(Outcome, Duration), BenchError> {
        let signed = self.operator.sign(question.query.clone())?;
        let start = clock::monotonic();
        let (reply, at) = self.runtime.block_on(self.line.call(signed.request))?;
        let elapsed = at.saturating_duration_since(start);
        let outcome = signed
            .prepared
            .accept(reply)
            .map_err(|fault| wrong(question, &format!("the reply is not taken: {fault}")))?;
        Ok((outcome, elapsed))
    }

    /// Asks until the center answers, and rightly; seconds since `start`.
    pub(super) fn first_answer(
        &mut self,
        question: &Question,
        start: Instant,
    ) -> Result<f64, BenchError> {
        loop {
            match self.ask(question)? {
                (Outcome::Answered(answer), _) if question.agrees(&answer.persons) => {
                    return Ok(start.elapsed().as_secs_f64());
                }
                (Outcome::Answered(_), _) => return Err(wrong(question, "a wrong first answer")),
                _ if start.elapsed() > START_PATIENCE => {
                    return Err(wrong(question, "no answer in five minutes"));
                }
                _ => std::thread::sleep(TRY_EVERY),
            }
        }
    }

    /// Asks everything, one after the other.
    pub(super) fn ask_all(&mut self, questions: &[Question]) -> Result<Asked, BenchError> {
        let mut asked = Asked::new();
        for question in questions {
            let (outcome, elapsed) = self.ask(question)?;
            match (question.right(), outcome) {
                (Right::Answered, Outcome::Answered(answer))
                    if question.agrees(&answer.persons) => {}
                (Right::Refused, Outcome::Refused(_)) => {}
                (right, Outcome::Answered(answer)) => {
                    let (told, all) = (answer.persons.len(), question.expected.len());
                    let what = format!("{told} persons were told, {all} fit ({right:?})");
                    return Err(wrong(question, &what));
                }
                (right, outcome) => {
                    return Err(wrong(question, &format!("{} ({right:?})", kind(&outcome))));
                }
            }
            asked.note(question.way, question.right(), elapsed);
        }
        Ok(asked)
    }
}

const fn kind(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Refused(_) => "refused",
        Outcome::Unavailable(_) => "told to come again",
        _ => "another kind of reply",
    }
}

/// The store alone: probes, opened candidates, and the query's own judgement, as the center's
/// machine does it. Stops at the first candidate that makes them too many.
pub(super) fn look_up(reads: &dyn Reads, questions: &[Question]) -> Result<Asked, BenchError> {
    let mut asked = Asked::new();
    for question in questions {
        let start = clock::monotonic();
        let found = found(reads, question)?;
        let elapsed = start.elapsed();
        let right = match question.right() {
            Right::Answered => question.agrees_held(&found),
            Right::Refused => found.len() > PROVISION_PERSONS_MAX,
        };
        if !right {
            let (found, all) = (found.len(), question.expected.len());
            return Err(wrong(question, &format!("the store gave {found} persons of {all}")));
        }
        asked.note(question.way, question.right(), elapsed);
    }
    Ok(asked)
}

fn found(reads: &dyn Reads, question: &Question) -> Result<Vec<Held>, BenchError> {
    let query = Query::parse(&question.query);
    let query = query.map_err(|denial| wrong(question, &denial.to_string()))?;
    let mut found: Vec<Held> = Vec::new();
    for probe in query.probes() {
        let candidates = reads.candidates(&probe, CANDIDATES_PER_PROBE_COUNT_MAX);
        for held in candidates.map_err(|error| wrong(question, &error.to_string()))? {
            let known = found.iter().any(|other| other.identity.code == held.identity.code);
            if query.matches(&held.identity) && !known {
                found.push(held);
            }
        }
    }
    Ok(found)
}
