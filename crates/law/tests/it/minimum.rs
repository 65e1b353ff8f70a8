//! The lawful minimum, case by case: what is refused, under which rule, and what does not widen.

use law::Denial;
use law::query::{Query, QueryDraft, QueryMode, meter};

use crate::support::{by_code, draft, person};

fn refusal(draft: &QueryDraft) -> Option<Denial> {
    Query::parse(draft).err()
}

#[test]
fn only_the_three_combinations_are_queries() {
    let full = QueryDraft {
        code: Some("12345678903".into()),
        name: Some("住基 花子".into()),
        address: Some("東京都国立市東1".into()),
        birth: Some("1985-04-01".into()),
        prefix: false,
    };
    let lawful = [0b0001, 0b0110, 0b1010];
    for mask in 0..16_u8 {
        for prefix in [false, true] {
            let keep =
                |bit: u8, field: &Option<String>| field.clone().filter(|_| mask >> bit & 1 == 1);
            let draft = QueryDraft {
                code: keep(0, &full.code),
                name: keep(1, &full.name),
                address: keep(2, &full.address),
                birth: keep(3, &full.birth),
                prefix,
            };
            let ok = lawful.contains(&mask) && !(prefix && mask == 1);
            assert_eq!(Query::parse(&draft).is_ok(), ok, "{mask:04b} {prefix}");
            if !ok {
                assert_eq!(refusal(&draft), Some(Denial::QueryShape));
            }
        }
    }
}

#[test]
fn below_the_minimum_is_refused() {
    let (shape, short) = (Some(Denial::QueryShape), Some(Denial::PrefixTooShort));
    for (name, address, prefix, answer) in [
        ("住", "東京都国立市東", true, None),
        ("住", "東京都国立市", true, short),
        ("住", "国立市", true, short),
        ("住", "東京都", true, short),
        ("住", "東京都国立市大字", true, short),
        ("住", "東京都国立市 ", true, short),
        ("住", "東京都国立市-", true, short),
        ("住", "東京都国立市*", true, short),
        ("住", "東京都国立市", false, shape),
        ("住", "", true, shape),
        ("", "東京都国立市東", true, shape),
        ("\u{3000} ", "東京都国立市東", true, shape),
        ("\u{E0100}", "東京都国立市東", true, shape),
        ("\u{200B}", "東京都国立市東", true, shape),
        ("住\u{200B}", "東京都国立市東", true, shape),
        ("\u{3099}", "東京都国立市東", true, short),
        ("*", "東京都国立市東", true, short),
        ("％", "東京都国立市東", true, short),
        ("_", "東京都国立市東", false, shape),
        ("住", "東\u{202E}京", true, shape),
    ] {
        let draft = draft(name, Some(address), None, prefix);
        assert_eq!(refusal(&draft), answer, "{name:?} {address:?} {prefix}");
    }
    for (birth, prefix, answer) in [
        ("1985-04-01", true, None),
        ("S60.4.1", true, None),
        ("1930-00-00", false, None),
        ("1930-00-00", true, short),
        ("1985-04-00", true, short),
        ("1985-04", true, shape),
        ("1985", false, shape),
        ("", false, shape),
        ("1985-%-%", true, shape),
    ] {
        assert_eq!(refusal(&draft("住", None, Some(birth), prefix)), answer, "{birth} {prefix}");
    }
    for code in ["", "1234567890", "12345678904", "1234567890*"] {
        assert_eq!(refusal(&by_code(code)), shape, "{code}");
    }
    let long = "住".repeat(201);
    assert_eq!(refusal(&draft(&long, None, Some("1985-04-01"), true)), shape);
}

#[test]
fn what_looks_like_a_wildcard_is_a_character() {
    let hanako = person(1, "住基 花子", "東京都国立市東1-2-30", "1930-01-01");
    for (name, address) in [
        ("住*", "東京都国立市東1-2-30"),
        ("住%", "東京都国立市東1-2-30"),
        ("住基花子", "東京都国立市東?"),
    ] {
        let query = Query::parse(&draft(name, Some(address), None, true)).unwrap();
        assert!(!query.matches(&hanako), "{name} {address}");
    }
    // A prefix is the beginning, not any part: 甲乙 stands in 甲甲乙, but not in front.
    let begins = Query::parse(&draft("甲乙", None, Some("1985-04-01"), true)).unwrap();
    assert!(!begins.matches(&person(1, "甲 甲乙", "東京都国立市東1", "1985-04-01")));
    assert!(begins.matches(&person(1, "甲 乙甲", "東京都国立市東1", "1985-04-01")));
    let unknown = Query::parse(&draft("住基花子", None, Some("1930-00-00"), false)).unwrap();
    assert!(!unknown.matches(&hanako));
    assert!(unknown.matches(&person(1, "住基花子", "国立市東1", "1930-00-00")));
}

#[test]
fn a_prefix_never_reaches_into_the_name_of_a_municipality() {
    let hanako = person(1, "住基 花子", "東京都国立市東1-2-3", "1985-04-01");
    for (address, finds) in [
        ("東京都国立市東", true),
        ("国立市東1", true),
        ("東京都東", true),
        ("東", true),
        ("東京都国", false),
        ("東京都国立", false),
        ("国", false),
        ("長野県東", false),
        ("三鷹市東", false),
        ("東京都国立市東1丁目2番", true),
        ("東京都国立市東1丁目2番3号", true),
        ("東京都国立市東1-2-30", false),
        ("東京都国立市東一", true),
    ] {
        let query = Query::parse(&draft("住基花子", Some(address), None, true)).unwrap();
        let terms = law::query::terms(&hanako);
        let found = query.probes().iter().any(|p| terms.contains(p)) && query.matches(&hanako);
        assert_eq!(found, finds, "{address}");
    }
    // One character of the name needs the whole address.
    let query = |address| Query::parse(&draft("住", Some(address), None, true)).unwrap();
    assert!(query("東京都国立市東1-2-3").matches(&hanako));
    assert!(!query("東京都国立市東1-2").matches(&hanako));
    assert!(!query("東1-2-3").matches(&hanako));
}

#[test]
fn the_meter_says_what_parsing_says() {
    let texts = |list: [&str; 4]| list.map(|text| Some(text.to_owned()));
    for name in texts(["", "住", "*", "住基花子"]) {
        for address in texts(["", "東京都国立市", "東京都国立市東1", "-"]) {
            for birth in texts(["", "1985-04-01", "1930-00-00", "x"]) {
                for prefix in [false, true] {
                    let typed = QueryDraft {
                        code: None,
                        name: name.clone(),
                        address: address.clone(),
                        birth: birth.clone(),
                        prefix,
                    };
                    let meter = meter(&typed);
                    let alone = |mode| match mode {
                        QueryMode::NameAddress => QueryDraft { birth: None, ..typed.clone() },
                        _ => QueryDraft { address: None, ..typed.clone() },
                    };
                    for mode in [QueryMode::NameAddress, QueryMode::NameBirth] {
                        let reached = meter.of(mode).unwrap().reached;
                        assert_eq!(reached, Query::parse(&alone(mode)).is_ok(), "{mode:?}");
                        assert_eq!(reached, meter.of(mode).unwrap().missing.is_empty());
                    }
                }
            }
        }
    }
    assert!(meter(&by_code("12345678903")).modes[0].reached);
    assert_eq!(meter(&QueryDraft::default()).modes[1].missing, ["name", "address"]);
}
