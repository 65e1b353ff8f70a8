//! What people do out of habit: press twice, share a card, try on after a refusal with a little
//! changed, leave the card in the reader.

use law::query::QueryDraft;
use wire::Request;

use super::check::Violation;
use super::country::{CardKind, Place};
use super::load::{Script, compose};
use super::operate::TERMINAL_PATIENCE_MS;
use super::station::Caller;
use super::world::{Event, World};

/// First characters that somebody walks through who does not find whom they look for.
const INITIALS: [&str; 8] = ["N", "佐", "山", "田", "高", "小", "中", "渡"];

/// Somebody who was refused tries so often again.
const TRIES_COUNT_MAX: u8 = 4;

/// Scripts composed in search of one that is lawful in itself.
const COMPOSED_COUNT_MAX: usize = 8;

/// An inquiry that was refused, and how often it has been tried on.
#[derive(Clone, Debug)]
pub(super) struct Trying {
    pub(super) place: Place,
    pub(super) script: Script,
    pub(super) tries: u8,
}

impl World {
    /// Whether this act is done out of habit.
    pub(super) fn is_habit(&mut self) -> bool {
        let rate = self.faults.habits;
        self.storm && self.draws.load.permille(rate)
    }

    /// The finger was still on the key: the same message goes out once more.
    pub(super) fn press_again(&mut self, place: Place, message: Request) -> Result<(), Violation> {
        self.trace.line(self.now_ms, format_args!("somebody at place {place} presses twice"));
        let call = self.number();
        self.send(Caller::Terminal { place, call }, place, message, TERMINAL_PATIENCE_MS)
    }

    /// A colleague of another organ borrows the card and asks with it at their own terminal.
    pub(super) fn lend_card(&mut self, owner: Place) -> Result<(), Violation> {
        let places = u32::try_from(self.stations.len()).unwrap_or(1);
        let place = usize::try_from(1 + self.draws.load.below(places - 1)).unwrap_or(1);
        if place == owner {
            return Ok(());
        }
        for _ in 0..COMPOSED_COUNT_MAX {
            let draw = &mut self.draws.load;
            let script = compose(self.country, &self.nation, place, self.agreed, draw);
            let Some(mut script) = script.filter(|script| script.is_lawful()) else { continue };
            script.card_of = owner;
            script.broken.push("card-of-another-organ");
            // The affairs on the card are another organ's, too; who asks comes first.
            let who = format_args!("somebody lends the card of place {owner} to place {place}");
            self.trace.line(self.now_ms, who);
            return self.ask(place, script, 0);
        }
        Ok(())
    }

    /// Refused, and not taken to heart: the same again with another beginning of the name.
    pub(super) fn goes_on(&mut self, trying: Trying) {
        if trying.tries >= TRIES_COUNT_MAX || !self.is_habit() {
            return;
        }
        let after = u64::from(300 + self.draws.load.below(2_000));
        self.at(after, Event::Try(Box::new(trying)));
    }

    pub(super) fn try_on(&mut self, trying: Trying) -> Result<(), Violation> {
        if !self.storm {
            return Ok(());
        }
        let Trying { place, mut script, tries } = trying;
        let initial = self.draws.load.pick(&INITIALS).copied().unwrap_or("N");
        let query = &mut script.form.query;
        // What was wrong with the question itself stays wrong; otherwise the walk begins.
        let shape = ["query-shape", "prefix-too-short"];
        let asked_wrongly = script.broken.iter().any(|rule| shape.contains(rule));
        if !asked_wrongly && query.code.is_none() && (query.address.is_some() || query.prefix) {
            let name = Some(initial.to_owned());
            *query = QueryDraft { name, prefix: true, ..query.clone() };
            if !script.reaches_whole_address() {
                return Ok(());
            }
        }
        // Meanwhile somebody may have worked here with another card.
        script.left_in = script.left_in && self.card_left_in(place);
        self.trace.line(self.now_ms, format_args!("somebody at place {place} tries on"));
        self.ask(place, script, tries + 1)
    }

    /// The card that lies in the reader of a terminal, if its session still lasts.
    pub(super) fn card_left_in(&mut self, place: Place) -> bool {
        let now = self.time();
        let now = self.stations.get(place).map_or(now, |station| station.now(now));
        let good = CardKind::Good.name(place);
        let Some(terminal) = self.terminals.get_mut(&place) else { return false };
        terminal.session(now).is_ok_and(|session| session.card.as_str() == good)
    }
}

impl Script {
    /// Nothing is wrong with it, and it is made with the organ's own card.
    pub(super) fn is_lawful(&self) -> bool {
        let own = self.broken.iter().all(|rule| *rule == "agreement-missing");
        own && self.card == CardKind::Good && !self.stale && !self.bad_signature
    }

    /// With only the beginning of a name, the address must be one down to the number, or the
    /// question becomes another kind of wrong.
    fn reaches_whole_address(&self) -> bool {
        let query = &self.form.query;
        let whole = |text: &String| text.ends_with(|c: char| c == '号' || c.is_numeric());
        query.birth.is_some() || query.address.as_ref().is_some_and(whole)
    }
}
