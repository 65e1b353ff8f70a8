//! The closed vocabulary of scripts: every phrase in English and Japanese, what it does or asserts,
//! and how far it reaches into a country. What is not here cannot be said in a script.

use std::sync::LazyLock;

use super::phrase::{Pattern, Slots};
use super::stage::{Done, Stage};
use super::words::{FAULTS, INQUIRIES, REGISTER};
use super::words_of_outcomes::OUTCOMES;

/// Below this nearness a phrase is no hint.
const NEARNESS_MIN: f64 = 0.35;

/// How far a step reaches. In order: a scenario does the most of its steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Harm {
    /// Inquiries and looks: they leave entries in ledgers and nothing else.
    Looks,
    /// Registers of invented residents change, processes stand still for moments.
    Changes,
    /// Processes are killed, files altered or copied: only in a country of the script's own.
    Breaks,
}

impl Harm {
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Looks => "looks",
            Self::Changes => "changes",
            Self::Breaks => "breaks",
        }
    }
}

type Act = fn(&mut Stage<'_>, &Slots) -> Done;

/// One thing that can be said.
#[derive(Debug)]
pub(crate) struct Phrase {
    /// Of the part of a scenario it belongs to.
    pub(crate) part: &'static str,
    pub(crate) harm: Harm,
    pub(crate) english: &'static str,
    pub(crate) japanese: &'static str,
    /// What it does or asserts.
    pub(crate) says: &'static str,
    pub(crate) act: Act,
}

pub(super) const fn phrase(
    (part, harm): (&'static str, Harm),
    english: &'static str,
    japanese: &'static str,
    says: &'static str,
    act: Act,
) -> Phrase {
    Phrase { part, harm, english, japanese, says, act }
}

/// Every phrase, in the order of the page.
pub(crate) fn all() -> impl Iterator<Item = &'static Phrase> {
    [REGISTER, INQUIRIES, FAULTS, OUTCOMES].into_iter().flatten()
}

/// Phrases ready to be compared with lines, both languages.
static PATTERNS: LazyLock<Vec<(&Phrase, Pattern)>> = LazyLock::new(|| {
    let both = |phrase: &'static Phrase| {
        let patterns = [phrase.english, phrase.japanese].into_iter().filter_map(Pattern::new);
        patterns.map(move |pattern| (phrase, pattern))
    };
    all().flat_map(both).collect()
});

/// The phrase a line says, and what stands in its slots.
///
/// # Errors
/// When it says none: the nearest one, as a hint.
pub(crate) fn read(line: &str) -> Result<(&'static Phrase, Slots), String> {
    let read = PATTERNS.iter().find_map(|(phrase, pattern)| Some((*phrase, pattern.read(line)?)));
    if let Some(read) = read {
        return Ok(read);
    }
    let near = |(_, pattern): &(&Phrase, Pattern)| (pattern.nearness(line), pattern.words());
    let nearest = PATTERNS.iter().map(near).max_by(|a, b| a.0.total_cmp(&b.0));
    Err(match nearest.filter(|(nearness, _)| *nearness >= NEARNESS_MIN) {
        Some((_, words)) => format!("no step says this; the nearest is: {words}"),
        None => "no step says this; see jukilab scenario --steps".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phrase_can_be_compared_in_both_languages_with_the_same_slots() {
        for phrase in all() {
            let slots = |words: &str| {
                let named = words.split('{').skip(1).filter_map(|rest| rest.split('}').next());
                let mut named: Vec<String> = named.map(str::to_owned).collect();
                named.sort();
                named
            };
            assert_eq!(slots(phrase.english), slots(phrase.japanese), "{}", phrase.english);
            for words in [phrase.english, phrase.japanese] {
                assert!(Pattern::new(words).is_some(), "{words}");
            }
            assert!(phrase.says.ends_with('.'), "{}", phrase.says);
        }
    }

    /// A line that says a phrase, with something in each slot.
    fn example(words: &str) -> String {
        let mut line = words.to_owned();
        for (slot, value) in [
            ("who", "\"甲\""),
            ("whom", "\"乙\""),
            ("group", "\"丙\""),
            ("case", "\"1\""),
            ("text", "\"x y\""),
            ("place", "国立市"),
            ("other", "松本市"),
            ("node", "center"),
            ("card", "agency-1-wrong"),
            ("affair", "1-74-1"),
            ("second", "1-17-1"),
            ("rule", "more-than-50"),
            ("reason", "born"),
            ("n", "3"),
            ("times", "2"),
            ("ms", "100"),
            ("patience", "50"),
            ("keys", "name and address"),
            ("kind", "provisions"),
        ] {
            line = line.replace(&format!("{{{slot}}}"), value);
        }
        line
    }

    #[test]
    fn no_line_says_two_phrases() {
        for phrase in all() {
            for words in [phrase.english, phrase.japanese] {
                let line = example(words);
                let said = PATTERNS.iter().filter(|(_, pattern)| pattern.read(&line).is_some());
                let said: Vec<&str> = said.map(|(phrase, _)| phrase.english).collect();
                assert_eq!(said, [phrase.english], "{line}");
            }
        }
    }

    #[test]
    fn an_unknown_line_is_answered_with_the_nearest_phrase() {
        let hint = read(
            "the clerk in 国立市 asks about \"甲\" by shoe size for affair 1-74-1, \
                         case \"1\"",
        );
        assert!(hint.unwrap_err().contains("the clerk of {place} asks about {who} by {keys}"));
        assert!(read("盗んだファイルには誰の名もない").unwrap_err().contains("盗まれたファイル"));
        assert!(read("xyzzy").unwrap_err().contains("--steps"));
    }
}
