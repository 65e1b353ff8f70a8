//! Steps at the register: parts are cast, and births, moves, deaths and changed codes are filed as
//! the existing register system of a municipality hands them over.

use law::change::ChangeReason;
use wire::{FeedBatch, FeedRow, FeedVerdict, Reply, Request};

use super::people::Person;
use super::phrase::Slots;
use super::stage::{Done, Last, Miss, Stage};
use super::world::today;

pub(super) fn cast(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let municipality = stage.world.municipality(slots.text("place"))?;
    let person = stage.world.cast(&municipality)?;
    stage.parts.insert(slots.text("who").to_owned(), person);
    Ok("drawn by the seed".to_owned())
}

pub(super) fn cast_many(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let municipality = stage.world.municipality(slots.text("place"))?;
    let mut group = Vec::new();
    for _ in 0..slots.number("n") {
        group.push(stage.world.cast(&municipality)?);
    }
    stage.groups.insert(slots.text("group").to_owned(), group);
    Ok("drawn by the seed".to_owned())
}

pub(super) fn cast_crowd(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let crowd = stage.world.people.crowd()?;
    let count = crowd.len();
    if let Some(first) = crowd.first() {
        stage.parts.insert(slots.text("group").to_owned(), first.clone());
    }
    stage.groups.insert(slots.text("group").to_owned(), crowd);
    Ok(format!("{count} in one dormitory"))
}

pub(super) fn born(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let place = slots.text("place");
    let (node, municipality) = (stage.node(place)?, stage.world.municipality(place)?);
    let code = stage.world.take_code(&node)?;
    let child = stage.world.people.child(&municipality, &code, today())?;
    filed(stage, &node, slots.text("who"), &child, (ChangeReason::Born, None))?;
    Ok("with a code out of the municipality's pool".to_owned())
}

pub(super) fn died(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    change(stage, slots.text("who"), ChangeReason::Died, |_| {})
}

pub(super) fn moves_within(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    change(stage, slots.text("who"), ChangeReason::MovedWithin, |person| {
        person.address.push_str("の9");
    })
}

pub(super) fn changes_code(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let person = stage.person(slots.text("who"))?;
    let node = format!("municipality-{}", person.municipality);
    let code = stage.world.take_code(&node)?;
    change(stage, slots.text("who"), ChangeReason::CodeChangedOnRequest, |person| {
        person.former_code = Some(std::mem::replace(&mut person.code, code));
    })
}

/// Something changes about a person, where she lives.
fn change(
    stage: &mut Stage<'_>,
    who: &str,
    reason: ChangeReason,
    edit: impl FnOnce(&mut Person),
) -> Done {
    let mut person = stage.person(who)?;
    edit(&mut person);
    let node = format!("municipality-{}", person.municipality);
    filed(stage, &node, who, &person, (reason, None))
}

pub(super) fn moves_out(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let (who, node) = (slots.text("who"), stage.node(slots.text("place"))?);
    // The former municipality knows the former address: that stands in its row.
    let municipality = stage.world.municipality(slots.text("place"))?;
    let mut former = stage.person(who)?;
    if former.municipality != municipality {
        former = stage.person(&left(who))?;
    }
    let row = former.row(ChangeReason::MovedOut, today(), None)?;
    send(stage, &node, row)
}

pub(super) fn moves_in(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let who = slots.text("who");
    let (place, other) = (slots.text("place"), slots.text("other"));
    let (node, municipality) = (stage.node(place)?, stage.world.municipality(place)?);
    let former = stage.world.municipality(other)?;
    let person = stage.person(who)?;
    // Who moves in lives where somebody of the place lived: a lawful address of it.
    let address = stage.world.cast(&municipality)?.address;
    let arrived = Person { municipality, address, ..person.clone() };
    let row = arrived.row(ChangeReason::MovedIn, today(), Some(&former))?;
    stage.parts.insert(left(who), person);
    stage.parts.insert(who.to_owned(), arrived);
    send(stage, &node, row)
}

/// How the part is called as the former municipality has it.
pub(super) fn left(who: &str) -> String {
    format!("{who} (before)")
}

pub(super) fn again(stage: &mut Stage<'_>, _: &Slots) -> Done {
    let Some((node, row)) = stage.last_row.clone() else {
        return Err(Miss::Broken("nothing was filed before".to_owned()));
    };
    send(stage, &node, row)
}

fn filed(
    stage: &mut Stage<'_>,
    node: &str,
    who: &str,
    person: &Person,
    (reason, former): (ChangeReason, Option<&str>),
) -> Done {
    let row = person.row(reason, today(), former)?;
    let said = send(stage, node, row)?;
    if matches!(stage.last, Last::Filed(FeedVerdict::Accepted { .. })) {
        stage.parts.insert(who.to_owned(), person.clone());
    }
    Ok(said)
}

fn send(stage: &mut Stage<'_>, node: &str, row: FeedRow) -> Done {
    stage.last_row = Some((node.to_owned(), row.clone()));
    let way = stage.world.feed(node)?;
    match stage.world.call(&way, Request::Feed(FeedBatch { rows: vec![row] }))? {
        Reply::FeedResult(outcomes) => {
            let Some(outcome) = outcomes.into_iter().next() else {
                return Err(Miss::Broken("the feed was answered with nothing".to_owned()));
            };
            let said = match &outcome.outcome {
                FeedVerdict::Accepted { sequence } => format!("taken as number {sequence}"),
                FeedVerdict::Duplicate => "known already".to_owned(),
                FeedVerdict::Waiting => "waits for the former municipality".to_owned(),
                FeedVerdict::Rejected { column, rule, .. } => format!("rejected: {column} {rule}"),
            };
            stage.last = Last::Filed(outcome.outcome);
            Ok(said)
        }
        Reply::Unavailable { reason } => {
            stage.last = Last::NoAnswer(reason.clone());
            Ok(format!("not taken: {reason}"))
        }
        _ => Err(Miss::Broken("the feed was answered with something else".to_owned())),
    }
}

pub(super) fn is_taken(stage: &mut Stage<'_>, _: &Slots) -> Done {
    verdict(stage, "taken", |verdict| matches!(verdict, FeedVerdict::Accepted { .. }))
}

pub(super) fn is_known(stage: &mut Stage<'_>, _: &Slots) -> Done {
    verdict(stage, "known already, and not applied again", |verdict| {
        matches!(verdict, FeedVerdict::Duplicate)
    })
}

pub(super) fn waits(stage: &mut Stage<'_>, _: &Slots) -> Done {
    verdict(stage, "waits for the former municipality", |verdict| {
        matches!(verdict, FeedVerdict::Waiting)
    })
}

fn verdict(stage: &Stage<'_>, expected: &str, holds: fn(&FeedVerdict) -> bool) -> Done {
    match &stage.last {
        Last::Filed(verdict) if holds(verdict) => Ok(expected.to_owned()),
        Last::Filed(FeedVerdict::Rejected { column, rule, .. }) => {
            Err(Miss::differs(expected, format!("rejected: {column} {rule}")))
        }
        Last::Filed(other) => Err(Miss::differs(expected, format!("{other:?}"))),
        _ => Err(Miss::differs(expected, "nothing was filed")),
    }
}
