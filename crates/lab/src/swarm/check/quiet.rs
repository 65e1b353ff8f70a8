//! When the network is at rest: the tiers agree with the truth and so with each other, and every
//! provision of the center has reached the prefecture that shows it to the resident, once.

use node::ports::Reads;

use super::super::country::{CENTER, MUNICIPALITIES, PREFECTURES, Place};
use super::super::nation::Nation;
use super::moves::set_aside_rightly;
use super::notices::{area, present, rows};
use super::plain::line;
use super::{Checker, Violation, unreadable};

/// Everything that must hold once nothing is under way.
pub(in super::super) fn at_rest<'s>(
    checker: &mut Checker,
    nation: &Nation,
    store: &dyn Fn(Place) -> Option<&'s dyn Reads>,
) -> Result<(), Violation> {
    let tiers = [CENTER].into_iter().chain(PREFECTURES).chain(MUNICIPALITIES);
    for place in tiers {
        let Some(store) = store(place) else { continue };
        for who in 0..nation.persons.len() {
            checker.person_at(place, store, nation, who)?;
            if !nation.entered_wrongly(who, place) && !nation.is_beyond(who, place) {
                tier_agrees(place, store, nation, who)?;
            }
        }
        // What a hostile node said lies aside there, too.
        if !nation.touched.contains(&place) {
            set_aside_rightly(place, store, nation, checker.restless)?;
        }
        Checker::queues_bounded(place, store)?;
    }
    disclosed_once(checker, nation, store)
}

/// Whether a tier at rest still holds this person as the register does.
pub(in super::super) fn still_agrees(
    place: Place,
    store: &dyn Reads,
    nation: &Nation,
    who: usize,
) -> Result<(), Violation> {
    tier_agrees(place, store, nation, who)
}

fn tier_agrees(
    place: Place,
    store: &dyn Reads,
    nation: &Nation,
    who: usize,
) -> Result<(), Violation> {
    let Some(person) = nation.persons.get(who) else { return Ok(()) };
    let wrong = |what: &str| {
        let detail = format!("place {place}, person {who}: {what}; {}", nation.story(who));
        Err(Violation::new("tiers-agree", detail))
    };
    let rows = rows(store, &person.codes)?;
    if present(&rows) > 1 {
        return wrong("present under two codes");
    }
    let Some(last) = nation.stands(who, area(place)) else {
        return if rows.is_empty() { Ok(()) } else { wrong("held, but of another area") };
    };
    let current = rows.iter().find(|held| held.identity.code == last.notice.record.code);
    let Some(held) = current else { return wrong("not held") };
    let at_home = person.home.is_some_and(|home| area(place).contains(&home));
    if held.removed == at_home {
        return wrong("removed or not");
    }
    let truth = law::inquiry::Held {
        identity: last.notice.record.clone(),
        change: Some(law::inquiry::LastChange {
            reason: last.notice.reason,
            on: last.notice.changed_on,
            foreign: false,
        }),
        removed: held.removed,
    };
    if line(held) != line(&truth) || held.identity.municipality != truth.identity.municipality {
        return wrong("the record differs from the register's");
    }
    Ok(())
}

/// S1: 本人確認情報提供状況の開示. Each of the center's provisions is shown by at least one prefecture,
/// and by none twice; one in which the person lived before shows it as well.
fn disclosed_once<'s>(
    checker: &Checker,
    nation: &Nation,
    store: &dyn Fn(Place) -> Option<&'s dyn Reads>,
) -> Result<(), Violation> {
    let lines = checker.durable.get(&CENTER).map_or(&[][..], Vec::as_slice);
    for (index, (entry, salt)) in lines.iter().enumerate() {
        let text = std::str::from_utf8(entry).unwrap_or("");
        let code = text.lines().find_map(|line| line.strip_prefix("resident "));
        let Some(code) = code.filter(|_| text.contains("\nkind provision\n")) else { continue };
        let Ok(code) = law::code::RecordCode::parse(code) else { continue };
        let who = nation.persons.iter().position(|person| person.codes.contains(&code));
        if who.is_some_and(|who| nation.is_shunned(who)) {
            continue;
        }
        let mut shown = Vec::new();
        for place in PREFECTURES {
            let Some(store) = store(place) else { continue };
            let about = store.foreign_about(&code, usize::MAX).map_err(unreadable)?;
            shown.push(about.iter().filter(|e| e.entry == *entry && e.salt == *salt).count());
        }
        if shown.iter().any(|copies| *copies > 1) || shown.iter().all(|copies| *copies == 0) {
            let detail = format!("line {index} of the center is shown {shown:?} times");
            return Err(Violation::new("disclosed-once", detail));
        }
    }
    Ok(())
}
