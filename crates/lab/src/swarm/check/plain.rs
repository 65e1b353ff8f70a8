//! The naive oracle of searches: a scan over plain rows with its own, small idea of when two names
//! or two addresses are the same. No index, no code of `law::fold` or `law::query`.

use law::inquiry::Held;
use law::query::QueryDraft;

/// Shapes of one character that occur in the synthetic names: (as written, as asked).
const SHAPES: &str = "髙高﨑崎邉辺邊辺𠮷吉濱浜濵浜澤沢嶋島嶌島冨富廣広櫻桜栁柳桒桑國国眞真渊渕瀧滝\
齋斎齊斉黑黒曾曽德徳槇槙榮栄壽寿龍竜";

const PREFECTURES: [&str; 2] = ["東京都", "長野県"];
const MUNICIPALITIES: [&str; 4] = ["国立市", "三鷹市", "松本市", "安曇野市"];
const CHOME: [(&str, &str); 5] =
    [("一丁目", "1-"), ("二丁目", "2-"), ("三丁目", "3-"), ("四丁目", "4-"), ("五丁目", "5-")];

/// A name in the shapes that people type, spaces kept.
pub(in super::super) fn plain_name(name: &str) -> String {
    let shapes: Vec<char> = SHAPES.chars().collect();
    let plain = |c: char| {
        let found = shapes.chunks(2).find(|pair| pair.first() == Some(&c));
        found.and_then(|pair| pair.get(1)).copied().unwrap_or(c)
    };
    name.chars().filter(|c| !('\u{E0100}'..='\u{E01EF}').contains(c)).map(plain).collect()
}

/// An address with its block written 3-4-12.
pub(in super::super) fn hyphenated(address: &str) -> String {
    let mut text = address.to_owned();
    for (written, short) in CHOME {
        text = text.replace(written, short);
    }
    text.replace('番', "-").trim_end_matches('号').to_owned()
}

fn key_of_name(name: &str) -> String {
    plain_name(name).chars().filter(|c| *c != ' ' && *c != '\u{3000}').collect()
}

/// (prefecture, municipality, what follows).
fn parts(address: &str) -> (Option<&'static str>, Option<&'static str>, &str) {
    let prefecture = PREFECTURES.into_iter().find(|name| address.starts_with(name));
    let rest = prefecture.map_or(address, |name| address.strip_prefix(name).unwrap_or(address));
    let municipality = MUNICIPALITIES.into_iter().find(|name| rest.starts_with(name));
    let rest = municipality.map_or(rest, |name| rest.strip_prefix(name).unwrap_or(rest));
    (prefecture, municipality, rest)
}

/// What is left of an address when prefecture and municipality are taken off.
pub(super) fn beyond_municipality(address: &str) -> &str {
    parts(address).2
}

/// Whether the query asks for this person. S1: code; name and address; name and birth; with a
/// prefix, the union of the three minimums.
pub(super) fn asks_for(draft: &QueryDraft, held: &Held) -> bool {
    let identity = &held.identity;
    if let Some(code) = &draft.code {
        return code == identity.code.expose();
    }
    let asked_name = key_of_name(draft.name.as_deref().unwrap_or(""));
    let name = key_of_name(identity.items.name.expose());
    let begins = name.starts_with(&asked_name);
    if let Some(birth) = &draft.birth {
        let same_day = *birth == identity.items.birth.expose();
        return same_day && if draft.prefix { begins } else { name == asked_name };
    }
    let Some(asked) = &draft.address else { return false };
    let (prefecture, municipality, rest) = parts(asked);
    let (home, town, stored) = parts(identity.items.address.expose());
    if municipality != town || prefecture.is_some_and(|name| home != Some(name)) {
        return false;
    }
    let whole = hyphenated(rest) == hyphenated(stored);
    if draft.prefix {
        (whole && begins) || (name == asked_name && stored.starts_with(rest))
    } else {
        whole && name == asked_name
    }
}

/// Everything that may be told of a person, as one line. Founding epoch: all items and the change.
pub(super) fn line(held: &Held) -> String {
    let items = &held.identity.items;
    let change = held.change.map(|c| format!("{} {}", c.reason.key(), c.on)).unwrap_or_default();
    [
        held.identity.code.expose(),
        items.name.expose(),
        items.kana.expose(),
        items.address.expose(),
        items.sex.expose(),
        &items.birth.expose(),
        &change,
    ]
    .join("|")
}
