//! Scripts: feature files in Gherkin, read into lines of the vocabulary. The parser is that of the
//! Cucumber project; what is refused here is what this vocabulary does not know.

use gherkin::{Feature, GherkinEnv};

use super::phrase::Slots;
use super::vocabulary::{self, Harm, Phrase};

/// Tag of a scenario whose outcome the product does not have yet; behind it, what is missing.
const NOT_YET: &str = "not-yet:";

/// What is not there yet, by the name a tag uses, in the words of SPECIFICATION.md ("Not yet
/// tested, or not yet there").
pub(crate) const OPEN: &[(&str, &str)] = &[
    ("support-measures", "support measures for victims of DV, stalking and the like"),
    ("residents-cards", "residents' cards, and what is told to the former address"),
    ("alarms", "alarms are counted, nothing watches them and no deadline stops anything"),
    ("heartbeat", "the loss of a monitor's heartbeat isolates nobody"),
    ("limits-on-persons", "no limit per card and day on distinct residents"),
    ("one-configuration", "nodes do not compare a digest of the country's configuration"),
    ("failover", "a relay or a device that stands still is not replaced by another"),
    ("review", "nobody is drawn a sample of inquiries to review"),
    ("isolation-command", "isolation and revocation have no command"),
    ("export", "no export with a mark that leads back to who made it"),
];

/// Why a script cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub struct ScriptError {
    pub file: String,
    pub line: usize,
    pub what: String,
}

/// One feature file.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) file: String,
    pub(crate) name: String,
    pub(crate) description: Vec<String>,
    pub(crate) scenes: Vec<Scene>,
}

/// One scenario of it.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub(crate) name: String,
    pub(crate) description: Vec<String>,
    pub(crate) line: usize,
    /// What the product lacks for it, by its name in [`OPEN`].
    pub(crate) open: Option<&'static str>,
    pub(crate) lines: Vec<Line>,
}

/// One step of it.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) number: usize,
    pub(crate) keyword: String,
    pub(crate) text: String,
    pub(crate) phrase: &'static Phrase,
    pub(crate) slots: Slots,
}

impl Scene {
    /// The most that one of its steps does to a country.
    pub(crate) fn harm(&self) -> Harm {
        self.lines.iter().map(|line| line.phrase.harm).max().unwrap_or(Harm::Looks)
    }
}

impl Script {
    /// Reads a feature file; `file` is what errors call it.
    ///
    /// # Errors
    /// Where it is no Gherkin, uses what is not supported, or says what no phrase says.
    pub(crate) fn parse(file: &str, text: &str) -> Result<Self, ScriptError> {
        let fault = |line: usize, what: String| ScriptError { file: file.to_owned(), line, what };
        let feature = Feature::parse(text, GherkinEnv::default())
            .map_err(|error| fault(1, format!("is not Gherkin: {error}")))?;
        let unsupported = "rules, outlines, tables and texts are not used here; write each \
                           scenario out";
        if let Some(rule) = feature.rules.first() {
            return Err(fault(rule.position.line, unsupported.to_owned()));
        }
        let before = feature.background.as_ref().map_or(&[][..], |before| &before.steps);
        let mut scenes: Vec<Scene> = Vec::new();
        for scenario in &feature.scenarios {
            let line = scenario.position.line;
            if !scenario.examples.is_empty() {
                return Err(fault(line, unsupported.to_owned()));
            }
            let tags = feature.tags.iter().chain(&scenario.tags);
            let open = open(tags).map_err(|what| fault(line, what))?;
            let mut lines = Vec::new();
            for step in before.iter().chain(&scenario.steps) {
                let number = step.position.line;
                if step.table.is_some() || step.docstring.is_some() {
                    return Err(fault(number, unsupported.to_owned()));
                }
                let text = step.value.trim().to_owned();
                let read = vocabulary::read(&text).map_err(|what| fault(number, what))?;
                let keyword = step.keyword.trim().to_owned();
                lines.push(Line { number, keyword, text, phrase: read.0, slots: read.1 });
            }
            if lines.is_empty() {
                return Err(fault(line, "a scenario without a step shows nothing".to_owned()));
            }
            let description = paragraphs(scenario.description.as_deref());
            let name = scenario.name.clone();
            if scenes.iter().any(|scene| scene.name == name) {
                return Err(fault(line, "two scenarios of one file have one name".to_owned()));
            }
            scenes.push(Scene { name, description, line, open, lines });
        }
        if scenes.is_empty() {
            return Err(fault(feature.position.line, "no scenario stands in it".to_owned()));
        }
        let description = paragraphs(feature.description.as_deref());
        Ok(Self { file: file.to_owned(), name: feature.name, description, scenes })
    }
}

fn open<'t>(tags: impl Iterator<Item = &'t String>) -> Result<Option<&'static str>, String> {
    let mut found = None;
    for tag in tags {
        let Some(name) = tag.trim_start_matches('@').strip_prefix(NOT_YET) else {
            return Err(format!("the tag @{tag} means nothing here; there is @{NOT_YET}NAME"));
        };
        let known = OPEN.iter().find(|(known, _)| *known == name);
        let known = known.ok_or_else(|| {
            let names: Vec<&str> = OPEN.iter().map(|(name, _)| *name).collect();
            format!("nothing open is called {name}; there is {}", names.join(", "))
        })?;
        found = Some(known.0);
    }
    Ok(found)
}

/// What is missing, in words.
pub(crate) fn open_words(name: &str) -> &'static str {
    OPEN.iter().find(|(known, _)| *known == name).map_or("", |(_, words)| words)
}

/// Lines of a description as paragraphs.
fn paragraphs(text: Option<&str>) -> Vec<String> {
    let mut all: Vec<String> = vec![String::new()];
    for line in text.unwrap_or_default().lines().map(str::trim) {
        let Some(last) = all.last_mut() else { continue };
        if line.is_empty() {
            all.push(String::new());
        } else {
            // Japanese runs on without a space.
            let wide = last.chars().last().is_some_and(|c| c > '\u{2fff}');
            if !last.is_empty() && !wide {
                last.push(' ');
            }
            last.push_str(line);
        }
    }
    all.retain(|paragraph| !paragraph.is_empty());
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> ScriptError {
        Script::parse("a.feature", text).unwrap_err()
    }

    #[test]
    fn both_languages_are_read_into_the_same_phrases() {
        let english = "Feature: F\n  Where and when.\n\n  Scenario: S\n    Given \"甲\" is a \
                       resident of 国立市\n    Then nobody is found\n";
        let japanese = "# language: ja\n機能: F\n  シナリオ: S\n    前提 「甲」は国立市の住民である\n    \
                        ならば 該当者はいない\n";
        let (one, two) =
            (Script::parse("a", english).unwrap(), Script::parse("b", japanese).unwrap());
        assert_eq!(one.description, ["Where and when."]);
        for (a, b) in one.scenes[0].lines.iter().zip(&two.scenes[0].lines) {
            assert!(std::ptr::eq(a.phrase, b.phrase), "{} {}", a.text, b.text);
            assert_eq!(a.slots, b.slots);
        }
    }

    #[test]
    fn an_unknown_step_names_its_line_and_the_nearest_phrase() {
        let text = "Feature: F\n\n  Scenario: S\n    Given \"甲\" is a resident in 国立市\n";
        let error = error(text);
        assert_eq!(error.line, 4);
        assert!(error.what.contains("{who} is a resident of {place}"), "{error}");
    }

    #[test]
    fn what_is_not_supported_is_refused_by_its_line() {
        let step = "    Then nobody is found\n";
        let table = format!("Feature: F\n  Scenario: S\n{step}      | a | b |\n");
        assert_eq!(error(&table).line, 3);
        let outline = format!(
            "Feature: F\n  Scenario Outline: S\n{step}    Examples:\n      | a |\n      | b |\n"
        );
        assert_eq!(error(&outline).line, 2);
        let twice = format!("Feature: F\n  Scenario: S\n{step}  Scenario: S\n{step}");
        assert_eq!(error(&twice).line, 4);
        assert!(error("Feature: F\n").what.contains("no scenario"));
        assert!(error("no feature at all\n").what.contains("Gherkin"));
    }

    #[test]
    fn a_tag_names_what_is_open_or_is_refused() {
        let tagged = |tag: &str| {
            let text = format!("Feature: F\n\n  @{tag}\n  Scenario: S\n    Then nobody is found\n");
            Script::parse("a", &text)
        };
        assert_eq!(tagged("not-yet:alarms").unwrap().scenes[0].open, Some("alarms"));
        assert!(tagged("not-yet:wings").unwrap_err().what.contains("support-measures"));
        assert!(tagged("slow").is_err());
    }
}
