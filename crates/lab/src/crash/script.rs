//! The day as its actors carry it out: the register system, an agency's operator, a disclosure
//! clerk. Each step is repeated until it is acknowledged; what was acknowledged is written down.

use std::path::Path;
use std::time::Duration;

use law::code::RecordCode;
use law::query::QueryDraft;
use ledger::entry::{Entry, EntryKind};
use node::terminal::Outcome;
use wire::{FeedBatch, FeedRow, FeedVerdict, Reply, Request};

use super::check::Told;
use super::day::{Standings, Step};
use super::{CrashError, Plant};
use crate::live::LiveError;
use crate::live::clock;
use crate::live::country::{TerminalFiles, terminals};
use crate::live::fleet::Fleet;
use crate::live::line::Line;
use crate::live::operator::{Operator, Signed};
use crate::live::place::{self, Way};

/// How long one answer is waited for.
const ANSWER_PATIENCE: Duration = Duration::from_secs(8);
/// Time between two tries of one step.
const TRY_EVERY: Duration = Duration::from_millis(15);

/// Why a step was not acknowledged.
#[derive(Debug)]
pub(crate) enum NotDone {
    /// Nobody answered, or not yet as it must be: it is tried again.
    Yet(String),
    /// An answer that must never come.
    Never(String),
}

impl NotDone {
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::Never(_))
    }
}

impl std::fmt::Display for NotDone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Yet(why) | Self::Never(why) => f.write_str(why),
        }
    }
}

impl From<LiveError> for NotDone {
    fn from(error: LiveError) -> Self {
        Self::Yet(error.to_string())
    }
}

/// Something that was acknowledged, and when it was heard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Acknowledged {
    pub(crate) at_us: u64,
    /// The day's changes up to this number are known to be kept: by the municipality, where
    /// nothing was asked; by the center, where it answered with the last of them.
    pub(crate) changes: u64,
    /// Answers given until now, where it is an answer.
    pub(crate) asked: Option<usize>,
}

/// The actors, their sessions, and what they were told.
pub(crate) struct Script {
    runtime: tokio::runtime::Runtime,
    clerk: Operator,
    desk: Operator,
    feed: Way,
    /// Sessions by server, opened when needed.
    lines: Vec<(String, Line)>,
    plant: Option<Plant>,
    pub(crate) acknowledged: Vec<Acknowledged>,
    pub(crate) standings: Standings,
    pub(crate) told: Told,
}

impl Script {
    pub(crate) fn new(dir: &Path, fleet: &Fleet, plant: Option<Plant>) -> Result<Self, CrashError> {
        let files = terminals(dir)?;
        let at = |place: &str| -> Result<&TerminalFiles, LiveError> {
            let found = files.iter().find(|terminal| terminal.place == place);
            found.ok_or_else(|| LiveError::NotRaised(format!("there is no terminal at {place}")))
        };
        Ok(Self {
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()?,
            clerk: Operator::log_in(at("agency-1")?)?,
            desk: Operator::log_in(at("prefecture-13")?)?,
            feed: place::feed(&fleet.config("municipality-132152"))?,
            lines: Vec::new(),
            plant,
            acknowledged: Vec::new(),
            standings: Standings::default(),
            told: Told::default(),
        })
    }

    /// Every session is given up; the next step opens its own.
    pub(crate) fn hang_up(&mut self) {
        self.lines.clear();
        std::thread::sleep(TRY_EVERY);
    }

    /// One try of one step.
    pub(crate) fn step(&mut self, step: &Step) -> Result<(), NotDone> {
        match step {
            Step::Feed(rows) => self.notify(rows),
            Step::Ask(code) => self.ask(code),
            Step::View(code) => self.view(code),
        }
    }

    fn line(&mut self, way: &Way) -> Result<Line, NotDone> {
        let server = way.server.to_string();
        if let Some((_, line)) = self.lines.iter().find(|(name, _)| *name == server) {
            return Ok(line.clone());
        }
        let opened = self
            .runtime
            .block_on(async { tokio::time::timeout(ANSWER_PATIENCE, Line::open(way)).await });
        let line = opened.map_err(|_| NotDone::Yet(format!("{server} opens no session")))??;
        self.lines.push((server, line.clone()));
        Ok(line)
    }

    fn call(&mut self, way: &Way, request: Request) -> Result<Reply, NotDone> {
        let line = self.line(way)?;
        let called = self
            .runtime
            .block_on(async { tokio::time::timeout(ANSWER_PATIENCE, line.call(request)).await });
        let silent = |_| NotDone::Yet(format!("{} does not answer", way.server));
        Ok(called.map_err(silent)??.0)
    }

    fn notify(&mut self, rows: &[FeedRow]) -> Result<(), NotDone> {
        let request = Request::Feed(FeedBatch { rows: rows.to_vec() });
        let way = self.feed.clone();
        if self.plant == Some(Plant::EarlyAcknowledgement) {
            let line = self.line(&way)?;
            self.runtime.spawn(async move { line.call(request).await });
            rows.iter().for_each(|row| self.standings.change(&row.notice));
            return Ok(());
        }
        match self.call(&way, request)? {
            Reply::FeedResult(outcomes) if outcomes.len() == rows.len() => {
                for outcome in &outcomes {
                    match &outcome.outcome {
                        FeedVerdict::Accepted { .. } | FeedVerdict::Duplicate => {}
                        FeedVerdict::Waiting => {
                            return Err(NotDone::Never(format!("row {} waits", outcome.row)));
                        }
                        FeedVerdict::Rejected { column, rule, .. } => {
                            let what = format!("row {} was rejected: {column} {rule}", outcome.row);
                            return Err(NotDone::Never(what));
                        }
                    }
                }
                rows.iter().for_each(|row| self.standings.change(&row.notice));
                let changes = self.standings.changes;
                self.acknowledged.push(Acknowledged {
                    at_us: clock::now_us(),
                    changes,
                    asked: None,
                });
                Ok(())
            }
            Reply::Unavailable { reason } => Err(NotDone::Yet(reason)),
            _ => Err(NotDone::Never("the feed was answered with something else".to_owned())),
        }
    }

    fn ask(&mut self, code: &RecordCode) -> Result<(), NotDone> {
        let query = QueryDraft {
            code: Some(code.expose().to_owned()),
            name: None,
            address: None,
            birth: None,
            prefix: false,
        };
        let signed = self.clerk.sign(query)?;
        let way = self.clerk.way.clone();
        let answer = match self.send(&way, signed)? {
            Outcome::Answered(answer) => answer,
            other => return Err(refused(other)),
        };
        let Some(person) = answer.persons.first() else {
            return Err(NotDone::Yet("nobody is found by this code".to_owned()));
        };
        self.told.answers.push((*code, answer.index));
        let stands = self.standings.people.get(code).map(|standing| &standing.held.identity.items);
        let as_told = stands
            .is_some_and(|items| items.address == person.address && items.name == person.name);
        if as_told {
            let (at_us, changes) = (clock::now_us(), self.standings.changes_until(code));
            let asked = Some(self.told.answers.len());
            self.acknowledged.push(Acknowledged { at_us, changes, asked });
        }
        if as_told { Ok(()) } else { Err(NotDone::Yet("the answer is an older state".to_owned())) }
    }

    fn view(&mut self, code: &RecordCode) -> Result<(), NotDone> {
        let signed = self.desk.sign_view(*code)?;
        let way = self.desk.way.clone();
        let view = match self.send(&way, signed)? {
            Outcome::View(view) => view,
            other => return Err(refused(other)),
        };
        let of_center = |entry: &[u8]| {
            Entry::parse(entry).is_ok_and(|entry| entry.kind() == EntryKind::Provision)
        };
        let rows = view.rows.into_iter().filter(|row| row.ledger.ends_with("/center"));
        let shown: Vec<Vec<u8>> =
            rows.map(|row| row.entry).filter(|entry| of_center(entry)).collect();
        let answered = self.told.answers.iter().filter(|(of, _)| of == code).count();
        if shown.len() < answered {
            return Err(NotDone::Yet("not every provision has come to be shown".to_owned()));
        }
        self.told.viewed = self.told.answers.clone();
        self.told.viewed.retain(|(of, _)| of == code);
        self.told.shown = shown;
        Ok(())
    }

    fn send(&mut self, way: &Way, signed: Signed) -> Result<Outcome, NotDone> {
        let reply = self.call(way, signed.request)?;
        signed.prepared.accept(reply).map_err(|fault| NotDone::Never(fault.to_string()))
    }
}

fn refused(outcome: Outcome) -> NotDone {
    match outcome {
        Outcome::Unavailable(reason) => NotDone::Yet(reason),
        Outcome::Refused(refusal) => NotDone::Never(format!("refused: {}", refusal.rule)),
        _ => NotDone::Never("an answer of another kind".to_owned()),
    }
}
