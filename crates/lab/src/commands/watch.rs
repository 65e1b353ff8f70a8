//! A world to watch: one line for each event, places by their names, colored on a terminal, as fast
//! as it runs or at a pace.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::swarm::country::PLACES;

/// Virtual seconds per real second; 0: as fast as it goes.
static PACE: AtomicU64 = AtomicU64::new(0);
/// Virtual time of the line before, milliseconds.
static LAST_MS: AtomicU64 = AtomicU64::new(0);

/// A watched world never sleeps longer than this between two lines: a tier may be out for days.
const WATCH_PAUSE_MS_MAX: u64 = 3_000;

/// What a line is about, by words in it, and the color it gets.
const COLORS: [(&str, &str); 12] = [
    ("crash of", "31"),
    ("is out for", "31"),
    ("goes wrong", "31"),
    ("gives a group up", "31"),
    ("disk is full", "31"),
    ("do not open", "31"),
    ("cut off", "33"),
    ("clock jumps", "33"),
    ("a bit flips", "33"),
    ("hostile", "35"),
    ("refus", "36"),
    ("somebody", "32"),
];

pub(crate) fn set_pace(virtual_seconds: u32) {
    PACE.store(u64::from(virtual_seconds), Ordering::Relaxed);
}

/// One event, as it happens. `at_ms`: virtual time.
pub(crate) fn watch(at_ms: u64, line: &str) {
    let pace = PACE.load(Ordering::Relaxed);
    let before = LAST_MS.swap(at_ms, Ordering::Relaxed);
    if let Some(ms) = at_ms.saturating_sub(before).checked_div(pace) {
        std::thread::sleep(Duration::from_millis(ms.min(WATCH_PAUSE_MS_MAX)));
    }
    let mut talk = io::stderr().lock();
    let plain = !talk.is_terminal() || std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
    let text = named(line);
    let color = COLORS.iter().find(|(word, _)| line.contains(word)).filter(|_| !plain);
    // Nobody watches any more: the world goes on all the same.
    let _ = match color {
        Some((_, color)) => writeln!(talk, "\u{1b}[{color}m{text}\u{1b}[0m"),
        None => writeln!(talk, "{text}"),
    };
}

/// The line with its places by name.
pub(crate) fn named(line: &str) -> String {
    let mut text = String::with_capacity(line.len() + 16);
    let mut parts = line.split("place ");
    text.push_str(parts.next().unwrap_or(""));
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let (number, rest) = part.split_at(end);
        match number.parse::<usize>().ok().and_then(|place| PLACES.get(place)) {
            Some((name, _)) => text.push_str(name),
            None => {
                text.push_str("place ");
                text.push_str(number);
            }
        }
        text.push_str(rest);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_their_names() {
        let line = "    1.004 terminal-agency-1 to place 7: inquiry as 12";
        assert_eq!(named(line), "    1.004 terminal-agency-1 to agency-1: inquiry as 12");
        assert_eq!(named("place 0 replies"), "center replies");
        assert_eq!(named("place 99, place x"), "place 99, place x");
    }
}
