//! The people at the keys: operators at terminals, register systems at their servers.

use node::machine::CallFailure;
use node::outbox::CALL_PATIENCE_MS;
use node::terminal::Outcome as Shown;
use wire::{FeedBatch, FeedRow, FeedVerdict, Reply, Request};

use super::check::{Asked, ViewAsked, Violation};
use super::country::{CardKind, MUNICIPALITIES, PREFECTURES, Place, card_name_of};
use super::habits::Trying;
use super::keys::card_key;
use super::load::{Script, compose, wrong_row};
use super::nation::{FEED_BATCH_ROWS, May, Nation, municipality};
use super::station::Caller;
use super::world::{Event, World};

/// An operator waits a little longer than the server behind the terminal does.
pub(super) const TERMINAL_PATIENCE_MS: u64 = CALL_PATIENCE_MS * 3;

/// How far behind the clock of a terminal is whose requests are stale (S1: 60 s are allowed).
const STALE_MS: u64 = 120_000;

/// What may be wrong when a resident's records are to be shown, one rule each.
const VIEW_FLAWS: [&str; 5] = [
    "card-class",
    "card-of-another-organ",
    "operator-unknown",
    "signature-invalid",
    "case-number-missing",
];

/// Requests kept for being sent a second time.
const OVERHEARD_MAX: usize = 8;

impl World {
    /// Somebody does something.
    pub(super) fn act(&mut self) -> Result<(), Violation> {
        if !self.storm {
            return Ok(());
        }
        let pause = u64::from(40 + self.draws.load.below(260));
        let pause = self.pace(pause);
        self.at(pause, Event::Act);
        match self.draws.load.below(100) {
            0..43 => self.somebody_changes(),
            43..83 => self.somebody_asks(),
            83..87 => self.somebody_looks(),
            87..90 => self.somebody_errs(),
            90..95 => self.somebody_repeats(),
            _ => self.wrong_row_is_fed(),
        }
    }

    fn somebody_changes(&mut self) -> Result<(), Violation> {
        let (checker, restless) = (&self.checker, self.faults.restless);
        let settled =
            |nation: &Nation, who: usize, place: Place| checker.settled(nation, who, place);
        let may = May { restless, settled: &settled };
        match self.nation.live(&mut self.draws.load, &may) {
            Ok(Some(reason)) => {
                let reason = reason.key();
                self.trace.line(self.now_ms, format_args!("somebody: {reason}"));
            }
            Ok(None) => {}
            Err(error) => return Err(Violation::new("simulator", error.to_string())),
        }
        for place in MUNICIPALITIES {
            self.take_code(place)?;
            self.feed(place)?;
        }
        Ok(())
    }

    /// Somebody files what is not true.
    fn somebody_errs(&mut self) -> Result<(), Violation> {
        let checker = &self.checker;
        let settled =
            |nation: &Nation, who: usize, place: Place| checker.settled(nation, who, place);
        match self.nation.err(&mut self.draws.load, &settled) {
            Some(nth) => self.file_wrong(nth),
            None => Ok(()),
        }
    }

    /// Sent until it is answered, as any other row.
    pub(super) fn file_wrong(&mut self, nth: usize) -> Result<(), Violation> {
        let Some(wrong) = self.nation.wrong.get(nth) else { return Ok(()) };
        let (place, rows) = (wrong.place, vec![wrong.row.clone()]);
        let call = self.number();
        self.erring.insert(call, nth);
        let request = Request::Feed(FeedBatch { rows });
        self.send(Caller::Register { place, call }, place, request, CALL_PATIENCE_MS)
    }

    fn wrong_is_taken(
        &mut self,
        nth: usize,
        outcome: Result<Reply, CallFailure>,
    ) -> Result<(), Violation> {
        let Some(wrong) = self.nation.wrong.get_mut(nth) else { return Ok(()) };
        let Ok(Reply::FeedResult(results)) = outcome else {
            let again = self.pace(500);
            self.at(again, Event::Err(nth));
            return Ok(());
        };
        wrong.answered = true;
        let [result] = &results[..] else { return Ok(()) };
        let right = match &result.outcome {
            FeedVerdict::Waiting => !wrong.is_entry(),
            FeedVerdict::Accepted { .. } | FeedVerdict::Duplicate => wrong.is_entry(),
            FeedVerdict::Rejected { .. } => false,
        };
        if right {
            return Ok(());
        }
        let (place, outcome) = (wrong.place, &result.outcome);
        Err(Violation::new("feed", format!("place {place} answers a wrong filing {outcome:?}")))
    }

    fn somebody_asks(&mut self) -> Result<(), Violation> {
        let places = u32::try_from(self.stations.len()).unwrap_or(1);
        let place = usize::try_from(1 + self.draws.load.below(places - 1)).unwrap_or(1);
        let draw = &mut self.draws.load;
        let Some(mut script) = compose(self.country, &self.nation, place, self.agreed, draw) else {
            return Ok(());
        };
        if script.card == CardKind::Good && script.card_of == place && self.is_habit() {
            script.left_in = self.card_left_in(place);
        }
        self.ask(place, script, 0)
    }

    /// An operator asks.
    pub(super) fn ask(&mut self, place: Place, script: Script, tries: u8) -> Result<(), Violation> {
        let mut request = [0_u8; 16];
        self.draws.load.fill(&mut request);
        let name = script.card.name(script.card_of);
        let now = self.time();
        let now = self.stations.get(place).map_or(now, |station| station.now(now));
        let now = if script.stale { law::time::Timestamp(now.0 - STALE_MS) } else { now };
        let Some(terminal) = self.terminals.get_mut(&place) else { return Ok(()) };
        let (Ok(card), Some(key)) = (card_name_of(&name), card_key(&name)) else { return Ok(()) };
        // A card that was left in is still there.
        if !script.left_in {
            terminal.card_entered(now, card, law::organ::CardClass::InquiryOnly);
        }
        let prepared = terminal.inquiry(now, request, script.form.clone());
        let prepared = prepared.map_err(|fault| Violation::new("terminal", fault.to_string()))?;
        let mut digest = *prepared.digest();
        if let (true, [first, ..]) = (script.bad_signature, &mut digest) {
            *first ^= 1;
        }
        let Some(signature) = key.sign_digest(&digest) else { return Ok(()) };
        let message = prepared.request(&signature);
        if let Request::Inquiry(signed) = &message {
            let (provider, broken) = (script.provider, script.broken.clone());
            self.checker.asks(signed, Asked { provider, broken });
        }
        if self.overheard.len() < OVERHEARD_MAX {
            self.overheard.push((place, message.clone()));
        }
        let call = self.number();
        let lawful = script.is_lawful();
        self.asking.insert(call, (prepared, Some(Trying { place, script, tries })));
        let again = self.is_habit().then(|| message.clone());
        self.send(Caller::Terminal { place, call }, place, message, TERMINAL_PATIENCE_MS)?;
        if let Some(message) = again {
            self.press_again(place, message)?;
        }
        if lawful && tries == 0 && self.is_habit() {
            self.lend_card(place)?;
        }
        Ok(())
    }

    /// A request that was seen on a terminal's line is sent again.
    fn somebody_repeats(&mut self) -> Result<(), Violation> {
        let Some((place, message)) = self.overheard.pop() else { return Ok(()) };
        let call = self.number();
        self.send(Caller::Terminal { place, call }, place, message, TERMINAL_PATIENCE_MS)
    }

    /// A register takes a code out of the pool, for whoever needs one; the same request again until
    /// it is answered.
    fn take_code(&mut self, place: Place) -> Result<(), Violation> {
        let fresh = {
            let mut request = [0_u8; 16];
            self.draws.load.fill(&mut request);
            request
        };
        let Some(register) = self.nation.registers.get_mut(&place) else { return Ok(()) };
        if !register.lacks_code() {
            return Ok(());
        }
        let request = *register.taking.get_or_insert(fresh);
        let call = self.number();
        self.taking.insert(call);
        let request = Request::TakeCode(wire::TakeCode { request });
        self.send(Caller::Register { place, call }, place, request, CALL_PATIENCE_MS)
    }

    /// A resident stands at the desk of a prefecture and asks who got what.
    fn somebody_looks(&mut self) -> Result<(), Violation> {
        let draw = &mut self.draws.load;
        let count = u32::try_from(self.nation.persons.len()).unwrap_or(u32::MAX);
        let who = usize::try_from(draw.below(count)).unwrap_or(0);
        let place = draw.pick(&PREFECTURES).copied().unwrap_or(1);
        let flaw = if draw.permille(200) { draw.pick(&VIEW_FLAWS).copied() } else { None };
        self.look(place, who, flaw)
    }

    /// A view of one resident's records, by whichever card `flaw` says.
    pub(super) fn look(
        &mut self,
        place: Place,
        who: usize,
        flaw: Option<&'static str>,
    ) -> Result<(), Violation> {
        let Some(code) = self.nation.persons.get(who).map(|person| person.record.code) else {
            return Ok(());
        };
        let (of, kind) = match flaw {
            Some("card-class") => (place, CardKind::Good),
            Some("card-of-another-organ") => (3 - place, CardKind::Disclosure),
            Some("operator-unknown") => (place, CardKind::Unknown),
            _ => (place, CardKind::Disclosure),
        };
        let mut request = [0_u8; 16];
        self.draws.load.fill(&mut request);
        let name = kind.name(of);
        let now = self.time();
        let now = self.stations.get(place).map_or(now, |station| station.now(now));
        let Some(terminal) = self.terminals.get_mut(&place) else { return Ok(()) };
        let (Ok(card), Some(key)) = (card_name_of(&name), card_key(&name)) else { return Ok(()) };
        terminal.card_entered(now, card, law::organ::CardClass::Disclosure);
        let identified_by = match flaw {
            Some("case-number-missing") => " ".to_owned(),
            _ => "運転免許証".to_owned(),
        };
        let purpose = wire::Purpose::ResidentView { code, identified_by };
        let prepared = terminal.query(now, request, purpose);
        let prepared = prepared.map_err(|fault| Violation::new("terminal", fault.to_string()))?;
        let mut digest = *prepared.digest();
        if let (Some("signature-invalid"), [first, ..]) = (flaw, &mut digest) {
            *first ^= 1;
        }
        let Some(signature) = key.sign_digest(&digest) else { return Ok(()) };
        let message = prepared.request(&signature);
        if let Request::ViewQuery(signed) = &message {
            self.checker.asks_view(&signed.body, ViewAsked { who, code, broken: flaw });
        }
        let call = self.number();
        self.asking.insert(call, (prepared, None));
        self.send(Caller::Terminal { place, call }, place, message, TERMINAL_PATIENCE_MS)
    }

    pub(super) fn terminal_hears(
        &mut self,
        call: u64,
        outcome: Result<Reply, CallFailure>,
    ) -> Result<(), Violation> {
        // A repeated request has nobody who waits for the answer.
        let Some((prepared, trying)) = self.asking.remove(&call) else { return Ok(()) };
        let digest = *prepared.digest();
        match outcome.map(|reply| prepared.accept(reply)) {
            Ok(Ok(Shown::Answered(answer))) => self.checker.shown(&digest, &answer),
            Ok(Ok(Shown::Refused(refusal))) => {
                if let Some(trying) = trying {
                    self.goes_on(trying);
                }
                self.checker.shown_refusal(&digest, &refusal)
            }
            Ok(Ok(_)) | Err(_) => Ok(()),
            Ok(Err(fault)) => Err(Violation::new("answer-binding", fault.to_string())),
        }
    }

    /// A register tells its server the oldest rows that are not acknowledged.
    pub(super) fn feed(&mut self, place: Place) -> Result<(), Violation> {
        let call = self.number();
        let Some(register) = self.nation.registers.get_mut(&place) else { return Ok(()) };
        if register.in_flight || register.waiting.is_empty() {
            return Ok(());
        }
        register.in_flight = true;
        let rows: Vec<usize> = register.waiting.iter().take(FEED_BATCH_ROWS).copied().collect();
        let mut batch = Vec::with_capacity(rows.len());
        for (row, nth) in (1_u32..).zip(&rows) {
            if let Some(deed) = self.nation.deeds.get(*nth) {
                let sequence = (!deed.renumbered).then_some(deed.sequence);
                let former_municipality = deed.former.and_then(municipality);
                let notice = deed.notice.clone();
                batch.push(FeedRow { row, sequence, notice, former_municipality });
            }
        }
        self.feeding.insert(call, rows);
        let request = Request::Feed(FeedBatch { rows: batch });
        self.send(Caller::Register { place, call }, place, request, CALL_PATIENCE_MS)
    }

    /// A row that must not be taken.
    fn wrong_row_is_fed(&mut self) -> Result<(), Violation> {
        let Some(place) = self.draws.load.pick(&MUNICIPALITIES).copied() else { return Ok(()) };
        let Some(notice) = wrong_row(&self.nation, place, &mut self.draws.load) else {
            return Ok(());
        };
        if municipality(place) == Some(notice.record.municipality) {
            return Ok(());
        }
        let call = self.number();
        let rows = vec![FeedRow { row: 1, sequence: None, notice, former_municipality: None }];
        let request = Request::Feed(FeedBatch { rows });
        self.send(Caller::Register { place, call }, place, request, CALL_PATIENCE_MS)
    }

    pub(super) fn register_hears(
        &mut self,
        place: Place,
        call: u64,
        outcome: Result<Reply, CallFailure>,
    ) -> Result<(), Violation> {
        if self.taking.remove(&call) {
            let register = self.nation.registers.get_mut(&place);
            if let (Ok(Reply::CodeTaken(taken)), Some(register)) = (outcome, register)
                && register.taking == Some(taken.request)
            {
                register.takes(taken.code);
            }
            return Ok(());
        }
        if let Some(nth) = self.erring.remove(&call) {
            return self.wrong_is_taken(nth, outcome);
        }
        let Some(rows) = self.feeding.remove(&call) else {
            return wrong_row_refused(place, outcome);
        };
        if let Some(register) = self.nation.registers.get_mut(&place) {
            register.in_flight = false;
        }
        let Ok(Reply::FeedResult(results)) = outcome else {
            let again = u64::from(100 + self.draws.load.below(900));
            let again = self.pace(again);
            self.at(again, Event::Feed(place));
            return Ok(());
        };
        if results.len() != rows.len() {
            let detail =
                format!("place {place}: {} outcomes for {} rows", results.len(), rows.len());
            return Err(Violation::new("feed", detail));
        }
        let mut later = false;
        for (nth, result) in rows.iter().zip(&results) {
            later |= !self.row_is_taken(place, *nth, &result.outcome)?;
        }
        if later {
            let again = self.pace(400);
            self.at(again, Event::Feed(place));
            return Ok(());
        }
        self.feed(place)
    }

    /// `false`: the row was sent back and goes again later.
    fn row_is_taken(
        &mut self,
        place: Place,
        nth: usize,
        outcome: &FeedVerdict,
    ) -> Result<bool, Violation> {
        let behind = self.nation.is_behind(place, nth);
        let Some(deed) = self.nation.deeds.get_mut(nth) else { return Ok(true) };
        match outcome {
            FeedVerdict::Rejected { column, rule, .. } => {
                // What the register is told to send again once the moving-in is through.
                if behind || matches!(rule.as_str(), "moving-in-waits" | "sequence-passed") {
                    deed.renumbered = true;
                    return Ok(false);
                }
                let detail = format!("place {place} rejects a true row: {column}, {rule}");
                return Err(Violation::new("feed", detail));
            }
            FeedVerdict::Waiting if deed.former.is_none() => {
                let detail = format!("place {place} lets wait what nobody has to release");
                return Err(Violation::new("feed", detail));
            }
            FeedVerdict::Waiting => {}
            FeedVerdict::Accepted { .. } | FeedVerdict::Duplicate => {
                deed.acknowledged = true;
                if !self.nation.shunned.contains(&place) {
                    self.checker.accepted(place, deed)?;
                }
            }
        }
        if let Some(register) = self.nation.registers.get_mut(&place) {
            register.waiting.retain(|waiting| *waiting != nth);
        }
        Ok(true)
    }
}

fn wrong_row_refused(place: Place, outcome: Result<Reply, CallFailure>) -> Result<(), Violation> {
    let Ok(Reply::FeedResult(results)) = outcome else { return Ok(()) };
    let refused = |r: &wire::FeedOutcome| matches!(r.outcome, FeedVerdict::Rejected { .. });
    if results.iter().all(refused) {
        return Ok(());
    }
    Err(Violation::new("feed", format!("place {place} took a row of another municipality")))
}
