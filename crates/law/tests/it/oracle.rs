//! Probes, terms and `matches` against a second, naive reading of S1 that shares no code with them:
//! it compares names and towns as written in a tiny alphabet, and house numbers as numbers.

use std::collections::HashSet;

use law::people::IdentityInformation;
use law::query::{Probe, Query, terms};
use proptest::prelude::*;

use crate::support::{draft, person};

/// An address as the naive reading sees it.
#[derive(Debug, Clone)]
struct Place {
    prefecture: Option<&'static str>,
    municipality: Option<&'static str>,
    town: &'static str,
    numbers: Vec<u32>,
    /// Written as 1丁目2番3号 (every number closed) or as 1-2-3 (the last one open).
    closed: bool,
}

impl Place {
    fn text(&self) -> String {
        let mut text = self.prefecture.unwrap_or_default().to_owned();
        text += self.municipality.unwrap_or_default();
        text += self.town;
        let counters = ["丁目", "番", "号"];
        for (at, number) in self.numbers.iter().enumerate() {
            if self.closed {
                text += &format!("{number}{}", counters[at]);
            } else {
                text += &format!("{}{number}", if at == 0 { "" } else { "-" });
            }
        }
        text
    }

    fn is_empty(&self) -> bool {
        self.town.is_empty() && self.numbers.is_empty()
    }

    fn contradicts(&self, stored: &Self) -> bool {
        matches!((self.prefecture, stored.prefecture), (Some(a), Some(b)) if a != b)
    }

    fn is_whole(&self, stored: &Self) -> bool {
        self.municipality == stored.municipality
            && self.town == stored.town
            && self.numbers == stored.numbers
    }

    fn begins(&self, stored: &Self) -> bool {
        if self.municipality.is_some() && self.municipality != stored.municipality {
            return false;
        }
        let Some((last, before)) = self.numbers.split_last() else {
            return stored.town.starts_with(self.town);
        };
        let same = self.town == stored.town && stored.numbers.starts_with(before);
        same && stored.numbers.get(before.len()).is_some_and(|number| {
            if self.closed {
                number == last
            } else {
                number.to_string().starts_with(&last.to_string())
            }
        })
    }
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| *c != ' ').map(|c| if c == '髙' { '高' } else { c }).collect()
}

/// S1 in its own words; `None` where the query itself is below the minimum.
fn naive(name: &str, asked: &Place, prefix: bool, of: &str, stored: &Place) -> Option<bool> {
    if asked.is_empty() || plain(name).is_empty() {
        return None;
    }
    let (name, of) = (plain(name), plain(of));
    if asked.contradicts(stored) {
        return Some(false);
    }
    Some(if prefix {
        // 氏名の先頭一文字+住所全部, or 氏名全部+住所の先頭一文字.
        of.starts_with(&name) && asked.is_whole(stored) || of == name && asked.begins(stored)
    } else {
        of == name && asked.is_whole(stored)
    })
}

const NAMES: [&str; 4] = ["甲", "甲 乙", "高", "髙 乙"];
const TOWNS: [&str; 3] = ["東", "東西", "西"];
const NUMBERS: [&[u32]; 6] = [&[], &[1], &[1, 2], &[1, 20], &[12], &[1, 2, 30]];
const CITIES: [(&str, &str); 3] =
    [("東京都", "国立市"), ("東京都", "三鷹市"), ("長野県", "松本市")];

fn stored_places() -> Vec<Place> {
    let mut places = Vec::new();
    for (prefecture, municipality) in CITIES {
        for written in [true, false] {
            for town in TOWNS {
                for numbers in NUMBERS {
                    places.push(Place {
                        prefecture: written.then_some(prefecture),
                        municipality: Some(municipality),
                        town,
                        numbers: numbers.to_vec(),
                        closed: written,
                    });
                }
            }
        }
    }
    places
}

fn asked_places() -> Vec<Place> {
    let mut bodies: Vec<(Option<&str>, Option<&str>)> = vec![(None, None), (Some("東京都"), None)];
    for (prefecture, municipality) in CITIES {
        bodies.push((Some(prefecture), Some(municipality)));
        bodies.push((None, Some(municipality)));
    }
    let mut places = Vec::new();
    for (prefecture, municipality) in bodies {
        for town in ["", "東", "東西"] {
            for numbers in NUMBERS {
                for closed in [true, false] {
                    places.push(Place {
                        prefecture,
                        municipality,
                        town,
                        numbers: numbers.to_vec(),
                        closed,
                    });
                }
            }
        }
    }
    places
}

#[test]
fn every_small_query_finds_exactly_whom_the_seed_allows() {
    let mut register: Vec<(&str, Place, IdentityInformation, HashSet<Probe>)> = Vec::new();
    for place in stored_places() {
        for name in NAMES {
            let serial = u64::try_from(register.len()).unwrap();
            let identity = person(serial, name, &place.text(), "1985-04-01");
            let index = terms(&identity).into_iter().collect();
            register.push((name, place.clone(), identity, index));
        }
    }
    let (mut found, mut refused) = (0_u32, 0_u32);
    for asked in asked_places() {
        for name in ["甲", "甲乙", "髙"] {
            for prefix in [false, true] {
                let query = Query::parse(&draft(name, Some(&asked.text()), None, prefix));
                let probes = query.as_ref().map(Query::probes).unwrap_or_default();
                for (of, place, identity, index) in &register {
                    let expected = naive(name, &asked, prefix, of, place);
                    let got = query.as_ref().ok().map(|query| {
                        probes.iter().any(|probe| index.contains(probe)) && query.matches(identity)
                    });
                    assert_eq!(got, expected, "{name} {asked:?} {prefix} / {of} {place:?}");
                    found += u32::from(got == Some(true));
                    refused += u32::from(got.is_none());
                }
            }
        }
    }
    // The comparison is worth nothing if nobody is ever found or ever refused.
    assert!(found > 1_000 && refused > 1_000, "{found} {refused}");
}

proptest! {
    /// Whatever is typed: parsing is total, and a match always stands in the index.
    #[test]
    fn a_match_is_always_indexed(
        name in "[甲乙高髙 \u{3000}*%\u{E0100}\u{3099}あアｱ]{0,3}",
        asked in "(東京都|長野県)?(国立市|府中市|府中町|麻績村)?[東一二十のヶ字大1２3丁目番号ー -]{0,6}",
        own in "(東京都|長野県)?(国立市|府中市|府中町|麻績村)?[東一二十のヶ字大1２3丁目番号ー -]{1,6}",
        same in any::<bool>(),
        prefix in any::<bool>(),
    ) {
        let asked = if same { own.clone() } else { asked };
        prop_assume!(!own.chars().all(char::is_whitespace));
        prop_assume!(law::people::Name::parse(&name).is_ok());
        let identity = person(1, &name, &own, "1985-04-01");
        if let Ok(query) = Query::parse(&draft(&name, Some(&asked), None, prefix)) {
            let index = terms(&identity);
            let indexed = query.probes().iter().any(|probe| index.contains(probe));
            prop_assert!(indexed || !query.matches(&identity));
            prop_assert!(!same || query.matches(&identity));
        }
    }

    /// Name and birth date: the naive reading is two comparisons.
    #[test]
    fn name_and_birth(
        name in "[甲乙高髙]{0,2}",
        of in "[甲乙高髙]{1,3}",
        asked in prop::sample::select(vec!["1985-04-01", "1985-04-02", "1930-00-00"]),
        born in prop::sample::select(vec!["1985-04-01", "1930-00-00", "1930-01-01"]),
        prefix in any::<bool>(),
    ) {
        let unlawful = name.is_empty() || prefix && asked.ends_with("00");
        let (asked_name, own) = (plain(&name), plain(&of));
        let expected = (!unlawful).then(|| {
            asked == born && if prefix { own.starts_with(&asked_name) } else { own == asked_name }
        });
        let identity = person(1, &of, "東京都国立市東1", born);
        let got = Query::parse(&draft(&name, None, Some(asked), prefix)).ok().map(|query| {
            let index = terms(&identity);
            query.probes().iter().any(|probe| index.contains(probe)) && query.matches(&identity)
        });
        prop_assert_eq!(got, expected);
    }
}
