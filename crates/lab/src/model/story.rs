//! A way through the worlds as a story: one line for each thing that happened.

use stateright::Path;

use super::node::CLAIM;
use super::scene::{Trick, name};
use super::world::{Action, Flight, Moves, State};
use super::{node::Messages as _, words};

/// The lines of a path, and how the nodes stand at its end.
pub(super) fn of(moves: &Moves, path: Path<State, Action>) -> Vec<String> {
    let steps = path.into_vec();
    let mut lines = Vec::new();
    for (state, action) in &steps {
        if let Some(action) = action {
            lines.push(format!("{}. {}", lines.len() + 1, line(moves, state, *action)));
        }
    }
    if let Some((last, _)) = steps.last() {
        lines.push("So it stands:".to_owned());
        for (place, state) in last.nodes.iter().enumerate() {
            if let Some(view) = moves.table.view(place, *state) {
                lines.push(format!("  {}: {}", name(place), view.lines.join(" | ")));
            }
        }
        let rest = moves.calm(last);
        lines.push("And once everything has arrived:".to_owned());
        match rest {
            None => lines.push("  it never comes to rest".to_owned()),
            Some(rest) => {
                for (place, state) in rest.nodes.iter().enumerate() {
                    if let Some(view) = moves.table.view(place, *state) {
                        lines.push(format!("  {}: {}", name(place), view.lines.join(" | ")));
                    }
                }
            }
        }
    }
    lines
}

fn line(moves: &Moves, state: &State, action: Action) -> String {
    match action {
        Action::File(nth) => {
            moves.table.filings().get(nth).map_or_else(String::new, |filing| filing.what.to_owned())
        }
        Action::Tick(place) => {
            format!("a long time passes at {}; it asks again", name(place))
        }
        Action::Crash(place) => format!("the power fails at {} and comes back", name(place)),
        Action::Cheat(nth) => match Trick::ALL.get(nth) {
            Some(Trick::Bare) => "the cheat notifies a moving-in without a release".to_owned(),
            Some(Trick::OwnKey) => {
                "the cheat notifies a moving-in with a release that it signed itself".to_owned()
            }
            Some(Trick::MeantForB) => {
                "the cheat notifies a moving-in with the release meant for B".to_owned()
            }
            Some(Trick::Claim) => "the cheat claims the resident from A".to_owned(),
            _ => "the cheat notifies a moving-in with the release its claim brought".to_owned(),
        },
        Action::Arrive(nth) | Action::Double(nth) => {
            let twice = if matches!(action, Action::Double(_)) {
                ", and will arrive once more"
            } else {
                ""
            };
            state
                .flights
                .get(nth)
                .map_or_else(String::new, |flight| format!("{}{twice}", flown(moves, *flight)))
        }
    }
}

fn flown(moves: &Moves, flight: Flight) -> String {
    match flight {
        Flight::Ask { from, to, live, said, .. } => {
            let late = if live { "" } else { " (late: nobody waits for the reply)" };
            let what = moves.table.request(said).and_then(|request| words::request(&request));
            let what = what.unwrap_or_default();
            format!("{} hears from {}: {what}{late}", name(to), name(from))
        }
        Flight::Tell { from, to, slot, said } => {
            let what = moves.table.reply(said).and_then(|reply| words::reply(&reply));
            let about = if slot == CLAIM { "the claim" } else { "its notices" };
            format!(
                "{} hears about {about} from {}: {}",
                name(to),
                name(from),
                what.unwrap_or_default()
            )
        }
        Flight::Sign { at, to, .. } => {
            format!("the token of {} signs the release to {}", name(at), name(to))
        }
    }
}
