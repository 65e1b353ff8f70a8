//! Moves between municipalities: nobody stands in two, nobody is let go without a record of to
//! whom, and what is set aside is what was wrong.

use std::collections::BTreeSet;

use law::code::RecordCode;
use node::ports::{Reads, Space};
use wire::{Arrival, Departure, ReleaseBody, SetAsideNotice, SignedRelease, WaitingNotices};

use super::super::country::{CENTER, MUNICIPALITIES, PREFECTURES, Place};
use super::super::nation::{Nation, Wrong};
use super::{Checker, Violation, unreadable};

/// More than any simulated store keeps of one kind.
const FACTS_COUNT_MAX: usize = 10_000;

impl Checker {
    /// A municipality durably holds a person as current, or not. Those that entered somebody on
    /// their own word are left out: what they hold is theirs alone.
    pub(super) fn stands_once(
        &mut self,
        place: Place,
        who: usize,
        current: bool,
        nation: &Nation,
    ) -> Result<(), Violation> {
        if !MUNICIPALITIES.contains(&place) {
            return Ok(());
        }
        let standing = self.standing.entry(who).or_default();
        if current {
            standing.insert(place);
        } else {
            standing.remove(&place);
        }
        if standing.len() > 1 {
            let detail = format!("person {who} stands at {standing:?}; {}", nation.story(who));
            return Err(Violation::new("stands-once", detail));
        }
        Ok(())
    }

    /// A release leaves a municipality: to whom is kept by then.
    pub(in super::super) fn releases(
        &mut self,
        place: Place,
        release: &SignedRelease,
        store: &dyn Reads,
    ) -> Result<(), Violation> {
        self.counts.releases += 1;
        let wrong =
            |what: &str| Err(Violation::new("released-once", format!("place {place}: {what}")));
        let Ok(body) = ReleaseBody::decode(&release.body) else {
            return wrong("a release that cannot be read");
        };
        let key = body.code.expose().as_bytes();
        let kept = store.fact(Space::Departure, key).map_err(unreadable)?;
        match kept.map(|bytes| Departure::decode(&bytes)) {
            Some(Ok(departure)) if departure.to == body.to => Ok(()),
            Some(Ok(_)) => wrong("released to two municipalities"),
            // Came back within the group in which the word was given: nobody is gone any more.
            None if store.resident(&body.code).map_err(unreadable)?.is_some_and(|h| !h.removed) => {
                Ok(())
            }
            _ => wrong("released, and not recorded to whom"),
        }
    }
}

/// Codes of those who wait at a store: movers at a municipality, early notices above.
pub(in super::super) fn on_the_way(store: &dyn Reads) -> Result<Vec<RecordCode>, Violation> {
    let facts = store.facts(Space::Arrival, None, FACTS_COUNT_MAX).map_err(unreadable)?;
    let mut codes = Vec::new();
    for (_, bytes) in facts {
        if let Ok(arrival) = Arrival::decode(&bytes) {
            codes.push(arrival.notice.record.code);
        } else if let Ok(early) = WaitingNotices::decode(&bytes) {
            codes.extend(early.notices.iter().map(|kept| kept.notice.notice.record.code));
        }
    }
    Ok(codes)
}

/// At rest: exactly the entries that were not true lie aside, each at the prefecture that refused
/// it and at the municipality that was told.
pub(super) fn set_aside_rightly(
    place: Place,
    store: &dyn Reads,
    nation: &Nation,
    restless: bool,
) -> Result<(), Violation> {
    let facts = store.facts(Space::SetAside, None, FACTS_COUNT_MAX).map_err(unreadable)?;
    let mut aside = Vec::new();
    for (_, bytes) in facts {
        let Ok(kept) = SetAsideNotice::decode(&bytes) else {
            let detail = format!("place {place}: what was set aside cannot be read");
            return Err(Violation::new("set-aside", detail));
        };
        // Among restless people a change of code may find its new code taken meanwhile.
        if !(restless && kept.rule == "unfounded") {
            let code = kept.notice.notice.record.code;
            let who = nation.persons.iter().position(|person| person.codes.contains(&code));
            let story = who.map_or_else(String::new, |who| nation.story(who));
            let (reason, on) = (kept.notice.notice.reason.key(), kept.notice.notice.changed_on);
            let from = kept.notice.municipality.as_str();
            let about = format!("{} of {from}, {reason} {on}: {story}", kept.rule);
            aside.push((code.expose().to_owned(), about));
        }
    }
    let concerns = |wrong: &&Wrong| {
        let above = if wrong.place > 4 { 2 } else { 1 };
        wrong.is_entry() && (wrong.place == place || place == above)
    };
    let told: Vec<String> = nation
        .wrong
        .iter()
        .filter(concerns)
        .map(|wrong| wrong.row.notice.record.code.expose().to_owned())
        .collect();
    let found: BTreeSet<&String> = aside.iter().map(|(code, _)| code).collect();
    if aside.len() == told.len() && told.iter().all(|code| found.contains(code)) {
        return Ok(());
    }
    let rules: BTreeSet<&String> = aside.iter().map(|(_, rule)| rule).collect();
    let (here, wrong) = (aside.len(), told.len());
    let tier = if place == CENTER {
        "the center"
    } else if PREFECTURES.contains(&place) {
        "a prefecture"
    } else {
        "a municipality"
    };
    let detail = format!("{tier}, place {place}: {here} aside for {wrong} wrong ones: {rules:?}");
    Err(Violation::new("set-aside", detail))
}
