//! Steps of operators: inquiries by one clerk, by two at once, by many under load, and by whoever
//! has a card. Requests are made and signed by the same terminal machine and card as the desk's.

use std::collections::BTreeMap;
use std::time::Duration;

use nix::sys::signal::Signal;
use node::terminal::{InquiryForm, Outcome, TerminalFault};
use wire::Reply;

use super::people::Person;
use super::phrase::Slots;
use super::stage::{Asked, Done, Last, Miss, Stage};
use crate::live::LiveError;
use crate::live::line::Line;
use crate::live::operator::Signed;
use crate::live::place::Way;

/// How often a clerk asks again before giving up for good.
const TRIES_COUNT_MAX: usize = 6;
/// What is waited for where the phrase states no patience.
const PATIENCE: Duration = Duration::from_secs(20);
/// Inquiries on their way in one session.
const INQUIRIES_PER_SESSION_COUNT: usize = 100;
/// Most inquiries of one step.
const INQUIRIES_COUNT_MAX: usize = 2_000;

fn form(slots: &Slots, affair: &str, about: &Person) -> InquiryForm {
    let keys = Some(slots.text("keys")).filter(|keys| !keys.is_empty()).unwrap_or("record code");
    InquiryForm {
        affair: affair.to_owned(),
        case_number: slots.text("case").to_owned(),
        query: about.query(keys),
    }
}

/// Signs at a place, with its ordinary card or another.
fn sign(
    stage: &mut Stage<'_>,
    (place, card): (&str, Option<&str>),
    form: InquiryForm,
) -> Result<(Way, Signed), Signing> {
    let node = stage.node(place)?;
    let signed = |stage: &mut Stage<'_>| {
        let operator = stage.world.operator(&node, card)?;
        Ok((operator.way.clone(), operator.sign_form(form)?))
    };
    signed(stage).map_err(|error: LiveError| match error {
        LiveError::Card(fault) => Signing::Card(fault.to_string()),
        other => Signing::Other(other.into()),
    })
}

/// Why nothing was signed.
enum Signing {
    /// Card and terminal did not take each other.
    Card(String),
    Other(Miss),
}

impl From<Miss> for Signing {
    fn from(miss: Miss) -> Self {
        Self::Other(miss)
    }
}

impl From<Signing> for Miss {
    fn from(signing: Signing) -> Self {
        match signing {
            Signing::Card(fault) => Self::Broken(fault),
            Signing::Other(miss) => miss,
        }
    }
}

pub(super) fn one(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let person = stage.person(slots.text("who"))?;
    let form = form(slots, slots.text("affair"), &person);
    ask(stage, (slots.text("place"), None), form)
}

pub(super) fn with_card(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let person = stage.person(slots.text("who"))?;
    let form = form(slots, slots.text("affair"), &person);
    ask(stage, (slots.text("place"), Some(slots.text("card"))), form)
}

fn ask(stage: &mut Stage<'_>, at: (&str, Option<&str>), form: InquiryForm) -> Done {
    let signed = sign(stage, at, form);
    // Card and terminal authenticate each other before anything is sent.
    let (way, signed) = match signed {
        Err(Signing::Card(fault)) => {
            stage.last = Last::NotTaken(fault);
            return Ok(seen(&stage.last));
        }
        Err(Signing::Other(miss)) => return Err(miss),
        Ok(signed) => signed,
    };
    let prepared = signed.prepared;
    let came = stage.world.call(&way, signed.request);
    took(stage, came.map(|reply| prepared.accept(reply)))
}

fn took(stage: &mut Stage<'_>, came: Result<Result<Outcome, TerminalFault>, LiveError>) -> Done {
    stage.last = match came {
        Ok(Ok(Outcome::Unavailable(reason))) => Last::NoAnswer(reason),
        Ok(Ok(outcome)) => Last::Outcome(Box::new(outcome)),
        Ok(Err(fault)) => Last::NotTaken(fault.to_string()),
        Err(error) => Last::NoAnswer(error.to_string()),
    };
    Ok(seen(&stage.last))
}

/// What came of the last act, without anybody's data.
pub(super) fn seen(last: &Last) -> String {
    match last {
        Last::Outcome(outcome) => match outcome.as_ref() {
            Outcome::Answered(answer) => format!(
                "{} told, recorded as #{} of {}",
                answer.persons.len(),
                answer.index,
                answer.ledger
            ),
            Outcome::Refused(refusal) => format!("refused: {} ({})", refusal.rule, refusal.law),
            Outcome::View(view) => format!("a view of {} records", view.rows.len()),
            Outcome::Status(_) => "the state of the network".to_owned(),
            Outcome::Unavailable(reason) => format!("no answer: {reason}"),
        },
        Last::NoAnswer(reason) => format!("no answer: {reason}"),
        Last::NotTaken(fault) => format!("not taken by the terminal: {fault}"),
        Last::Many(all) => {
            let is = |asked: &&Asked| matches!(asked.came, Ok(Outcome::Answered(_)));
            let answered = all.iter().filter(is).count();
            let given_up: usize = all.iter().map(|asked| asked.given_up).sum();
            format!("{answered} of {} answered, {given_up} given up and asked again", all.len())
        }
        Last::Command(ran) => match ran.code {
            Some(0) => "exit 0".to_owned(),
            Some(code) => format!("exit {code}: {}", ran.said),
            None => "it went on and was stopped".to_owned(),
        },
        Last::Filed(verdict) => format!("{verdict:?}"),
        Last::Heard(bytes) => format!("{bytes} bytes came back"),
        Last::Entered(Ok(())) => "let in".to_owned(),
        Last::Entered(Err(why)) => format!("not let in: {why}"),
        Last::Nothing => "nothing".to_owned(),
    }
}

/// One after another, until the first refusal.
pub(super) fn one_by_one(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let mut told = 0;
    for person in stage.group(slots.text("group"))? {
        ask(stage, (slots.text("place"), None), form(slots, slots.text("affair"), &person))?;
        match &stage.last {
            Last::Outcome(outcome) if matches!(**outcome, Outcome::Answered(_)) => told += 1,
            _ => break,
        }
    }
    Ok(format!("{told} told, then: {}", seen(&stage.last)))
}

/// The reply to one question reaches the terminal that asked another.
pub(super) fn crossed(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let (who, whom) = (stage.person(slots.text("who"))?, stage.person(slots.text("whom"))?);
    let place = slots.text("place");
    let affair = slots.text("affair");
    let (_, own) = sign(stage, (place, None), form(slots, affair, &who))?;
    let (way, foreign) = sign(stage, (place, None), form(slots, affair, &whom))?;
    let reply = stage.world.call(&way, foreign.request)?;
    if !matches!(&reply, Reply::Answer(answer) if answer.persons.len() == 1) {
        return Err(Miss::Broken("the other question was not answered with a person".to_owned()));
    }
    took(stage, Ok(own.prepared.accept(reply)))
}

/// Two clerks at the same moment, again and again.
pub(super) fn two_at_once(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let (who, whom) = (stage.person(slots.text("who"))?, stage.person(slots.text("whom"))?);
    let mut questions = Vec::new();
    for _ in 0..slots.number("times") {
        questions.push(Question::new(slots.text("place"), slots.text("affair"), &who));
        questions.push(Question::new(slots.text("other"), slots.text("second"), &whom));
    }
    all_at_once(stage, slots, questions, PATIENCE, None)
}

pub(super) fn many(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let questions = of_group(stage, slots)?;
    all_at_once(stage, slots, questions, PATIENCE, None)
}

/// The same while a node stands still and clerks lose their patience.
pub(super) fn many_under_load(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let questions = of_group(stage, slots)?;
    let node = stage.node(slots.text("node"))?;
    let still = (node, slots.milliseconds("ms"));
    all_at_once(stage, slots, questions, slots.milliseconds("patience"), Some(still))
}

fn of_group(stage: &Stage<'_>, slots: &Slots) -> Result<Vec<Question>, Miss> {
    let group = stage.group(slots.text("group"))?;
    let (place, affair) = (slots.text("place"), slots.text("affair"));
    let once = group.iter().map(|about| Question::new(place, affair, about));
    let questions: Vec<Question> = (0..slots.number("times")).flat_map(|_| once.clone()).collect();
    if questions.len() > INQUIRIES_COUNT_MAX {
        let what = format!("{} inquiries; {INQUIRIES_COUNT_MAX} are enough", questions.len());
        return Err(Miss::Broken(what));
    }
    Ok(questions)
}

/// Who is to be asked about, where.
#[derive(Clone)]
struct Question {
    place: String,
    affair: String,
    about: Person,
    given_up: usize,
}

impl Question {
    fn new(place: &str, affair: &str, about: &Person) -> Self {
        let (place, affair) = (place.to_owned(), affair.to_owned());
        Self { place, affair, about: about.clone(), given_up: 0 }
    }
}

fn all_at_once(
    stage: &mut Stage<'_>,
    slots: &Slots,
    mut open: Vec<Question>,
    patience: Duration,
    mut still: Option<(String, Duration)>,
) -> Done {
    let mut done = Vec::new();
    for round in 1..=TRIES_COUNT_MAX {
        let last = round == TRIES_COUNT_MAX;
        let mut calls = Vec::new();
        let mut lines: BTreeMap<(String, usize), Line> = BTreeMap::new();
        let mut asked: BTreeMap<String, usize> = BTreeMap::new();
        for question in open {
            let form = form(slots, &question.affair, &question.about);
            let (way, signed) = sign(stage, (&question.place, None), form)?;
            let count = asked.entry(question.place.clone()).or_default();
            let key = (question.place.clone(), *count / INQUIRIES_PER_SESSION_COUNT);
            *count += 1;
            let line = match lines.get(&key) {
                Some(line) => line.clone(),
                None => lines.entry(key).or_insert(stage.world.line(&way)?).clone(),
            };
            calls.push((question, signed, line));
        }
        if let Some((node, _)) = &still {
            stage.world.signal(node, Signal::SIGSTOP);
        }
        let waiting: Vec<_> = calls
            .into_iter()
            .map(|(question, signed, line)| {
                let Signed { request, prepared } = signed;
                let call = async move { tokio::time::timeout(patience, line.call(request)).await };
                (question, prepared, stage.world.runtime().spawn(call))
            })
            .collect();
        if let Some((node, time)) = still.take() {
            std::thread::sleep(time);
            stage.world.signal(&node, Signal::SIGCONT);
        }
        open = Vec::new();
        for (mut question, prepared, call) in waiting {
            let came = match stage.world.runtime().block_on(call) {
                Ok(Ok(Ok((reply, _)))) => prepared.accept(reply).map_err(|fault| fault.to_string()),
                Ok(Ok(Err(error))) => Err(error.to_string()),
                _ => Err("no answer in time".to_owned()),
            };
            // Where nothing was decided, a clerk asks again, with a request of its own.
            let undecided = match &came {
                Ok(outcome) => matches!(outcome, Outcome::Unavailable(_)),
                Err(why) => *why != TerminalFault::OtherRequest.to_string(),
            };
            if undecided && !last {
                question.given_up += 1;
                open.push(question);
                continue;
            }
            let Question { about, given_up, .. } = question;
            done.push(Asked { about, came, given_up });
        }
    }
    stage.last = Last::Many(done);
    Ok(seen(&stage.last))
}

/// Opens what a resident may see about herself, with a card of a place.
pub(super) fn opens_view(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let code = stage.person(slots.text("who"))?.record_code()?;
    let node = stage.node(slots.text("place"))?;
    let card = Some(slots.text("card")).filter(|card| !card.is_empty());
    let operator = stage.world.operator(&node, card)?;
    let way = operator.way.clone();
    let signed = operator.sign_view(code)?;
    let prepared = signed.prepared;
    let came = stage.world.call(&way, signed.request);
    took(stage, came.map(|reply| prepared.accept(reply)))
}

/// The state of the network, as the monitoring room sees it.
pub(super) fn status(stage: &mut Stage<'_>, card: Option<&str>) -> Result<Outcome, Miss> {
    let operator = stage.world.operator("center", card)?;
    let way = operator.way.clone();
    let signed = operator.sign_status()?;
    let reply = stage.world.call(&way, signed.request)?;
    signed.prepared.accept(reply).map_err(|fault| Miss::Broken(fault.to_string()))
}
