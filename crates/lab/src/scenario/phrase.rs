//! A phrase of the vocabulary: fixed words with slots, in English and in Japanese, and what a line
//! of a script says with it. Not what is done then.

use std::collections::BTreeMap;

use regex::Regex;

/// What a slot may hold.
const SLOTS: &[(&str, &str)] = &[
    ("who", QUOTED),
    ("whom", QUOTED),
    ("group", QUOTED),
    ("case", r#"["「](?P<case>[^"「」]{0,40})["」]"#),
    ("text", r#"["「](?P<text>[^"「」]+)["」]"#),
    ("place", TOKEN),
    ("other", TOKEN),
    ("node", TOKEN),
    ("card", r"(?P<card>[a-z]+(?:-[0-9a-z]+)*)"),
    ("affair", r"(?P<affair>\d(?:-\d+)+)"),
    ("second", r"(?P<second>\d(?:-\d+)+)"),
    ("rule", r"(?P<rule>[0-9a-z-]+)"),
    ("reason", r"(?P<reason>[a-z-]+)"),
    ("n", r"(?P<n>\d{1,4})"),
    ("times", r"(?P<times>\d{1,4})"),
    ("ms", r"(?P<ms>\d{1,5})"),
    ("patience", r"(?P<patience>\d{1,5})"),
    ("keys", KEYS),
    ("kind", KINDS),
];
const QUOTED: &str = r#"["「](?P<SLOT>[^"「」]+)["」]"#;
const TOKEN: &str = r#"(?P<SLOT>[^\s"「」、,]+?)"#;
const KEYS: &str = "(?P<keys>record code|former record code|name and date of birth|name and \
    address|first character and address|name and municipality|name alone|住民票コード|\
    以前の住民票コード|氏名と生年月日|氏名と住所|氏名の一字と住所|氏名と市町村名|氏名だけ)";
const KINDS: &str = "(?P<kind>provisions?|refusals?|inquiries that found nobody|inquiry that \
    found nobody|提供|拒否|該当なし)";

/// What was said in the slots of one line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slots(BTreeMap<String, String>);

impl Slots {
    /// What stands in a slot; empty when the phrase has none of that name.
    pub(crate) fn text(&self, slot: &str) -> &str {
        self.0.get(slot).map_or("", String::as_str)
    }

    pub(crate) fn number(&self, slot: &str) -> usize {
        self.text(slot).parse().unwrap_or(0)
    }

    pub(crate) fn milliseconds(&self, slot: &str) -> std::time::Duration {
        std::time::Duration::from_millis(self.number(slot) as u64)
    }
}

/// Fixed words with slots, ready to be compared with lines.
#[derive(Debug)]
pub(crate) struct Pattern {
    words: &'static str,
    regex: Regex,
}

impl Pattern {
    /// `None`: the words name a slot that is none.
    pub(crate) fn new(words: &'static str) -> Option<Self> {
        let mut source = String::from("^");
        let mut rest = words;
        while let Some((before, after)) = rest.split_once('{') {
            let (slot, after) = after.split_once('}')?;
            let (_, holds) = SLOTS.iter().find(|(name, _)| *name == slot)?;
            source.push_str(&regex::escape(before));
            source.push_str(&holds.replace("SLOT", slot));
            rest = after;
        }
        source.push_str(&regex::escape(rest));
        source.push('$');
        Some(Self { words, regex: Regex::new(&source).ok()? })
    }

    pub(crate) const fn words(&self) -> &'static str {
        self.words
    }

    pub(crate) fn read(&self, line: &str) -> Option<Slots> {
        let found = self.regex.captures(line)?;
        let names = self.regex.capture_names().flatten();
        let slot = |name: &str| Some((name.to_owned(), found.name(name)?.as_str().to_owned()));
        Some(Slots(names.filter_map(slot).collect()))
    }

    /// How near a line comes to these words, 0 to 1.
    pub(crate) fn nearness(&self, line: &str) -> f64 {
        // What stands in slots says nothing about the words.
        let plain = |text: &str| {
            let mut inside = false;
            let keep = |c: &char| match c {
                '{' | '"' | '「' => {
                    inside = *c == '{' || !inside;
                    false
                }
                '}' | '」' => {
                    inside = false;
                    false
                }
                _ => !inside,
            };
            text.chars().filter(keep).collect::<String>()
        };
        strsim::normalized_levenshtein(&plain(self.words), &plain(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_whole_or_not_at_all() {
        let words = "the clerk of {place} asks about {who} by {keys}, case {case}";
        let pattern = Pattern::new(words).unwrap();
        let line = "the clerk of 三鷹市 asks about \"佐藤 花子\" by name and address, case \"\"";
        let slots = pattern.read(line).unwrap();
        assert_eq!(slots.text("place"), "三鷹市");
        assert_eq!(slots.text("who"), "佐藤 花子");
        assert_eq!(slots.text("keys"), "name and address");
        assert_eq!(slots.text("case"), "");
        assert!(pattern.read(&format!("{line} and more")).is_none());
        assert!(pattern.read(&line.replace("name and address", "shoe size")).is_none());
        assert!(Pattern::new("a {nonsense} slot").is_none());
    }

    #[test]
    fn japanese_words_need_no_spaces() {
        let pattern = Pattern::new("{place}の職員が{who}を{keys}で照会する").unwrap();
        let slots = pattern.read("国立市の職員が「佐藤 花子」を住民票コードで照会する").unwrap();
        assert_eq!((slots.text("place"), slots.text("who")), ("国立市", "佐藤 花子"));
    }

    #[test]
    fn nearness_looks_at_the_words_and_not_at_the_slots() {
        let pattern = Pattern::new("{who} is a resident of {place}").unwrap();
        let near = pattern.nearness("\"a very long name\" is a resident in 国立市");
        let far = pattern.nearness("the ledger verifies");
        assert!(near > 0.7 && far < 0.4, "{near} {far}");
    }
}
