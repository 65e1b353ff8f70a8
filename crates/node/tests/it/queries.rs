//! What is found: the machine against a naive scan that shares no code with the index, over some
//! hundred people who differ in little.

use law::inquiry::Held;
use law::people::BirthDate;
use law::query::QueryDraft;
use wire::{Reply, Request};

use crate::fixture::{KUNITACHI, NOW, agency, body, by_birth, by_code, code, person, sign};
use crate::world::{Node, peer};

const FAMILIES: [&str; 6] = ["青木", "青山", "井上", "井口", "上田", "大木"];
const GIVEN: [&str; 4] = ["一郎", "一子", "二郎", "花"];
const TOWNS: [&str; 5] = ["東", "西", "中", "北", "富士見台"];

/// Names × towns × days: 6 × 4 × 5 × 3 = 360 people.
fn people() -> Vec<Held> {
    let mut people = Vec::new();
    for (f, family) in FAMILIES.iter().enumerate() {
        for (g, given) in GIVEN.iter().enumerate() {
            for (t, town) in TOWNS.iter().enumerate() {
                for day in 1..=3 {
                    let number = people.len() as u64 + 1;
                    let name = format!("{family} {given}");
                    let address = format!("東京都国立市{town}{}番地{}", g + 1, f + 1);
                    let mut held = person(number, &name, &address, KUNITACHI);
                    let birth = format!("19{}0-0{}-0{day}", 5 + f % 3, 1 + t);
                    held.identity.items.birth = BirthDate::parse(&birth).unwrap();
                    people.push(held);
                }
            }
        }
    }
    people
}

/// Numbers of the people found, or `None` for "more than fifty".
fn ask(center: &mut Node, request: u64, query: QueryDraft) -> Option<Vec<u64>> {
    let mut body = body(agency(), "agency", 0, query);
    body.request[..8].copy_from_slice(&request.to_be_bytes());
    match center.ask(NOW, &peer("agency-1"), Request::Inquiry(sign(&body))) {
        Reply::Answer(answer) => {
            let number = |code: law::code::RecordCode| code.expose().parse::<u64>().unwrap() / 10;
            let mut found: Vec<u64> =
                answer.persons.iter().map(|person| number(person.code.unwrap())).collect();
            found.sort_unstable();
            Some(found)
        }
        Reply::Refusal(refusal) => {
            assert_eq!(refusal.rule, "more-than-50");
            None
        }
        _ => panic!("an answer or a refusal"),
    }
}

/// The naive side: plain text comparison on the records, no folding, no index.
fn scan(people: &[Held], wanted: impl Fn(&str, &str, &str) -> bool) -> Option<Vec<u64>> {
    let mut found = Vec::new();
    for (held, number) in people.iter().zip(1..) {
        let items = &held.identity.items;
        let name = items.name.expose().replace('\u{3000}', "");
        if wanted(&name, items.address.expose(), &items.birth.expose()) {
            found.push(number);
        }
    }
    (found.len() <= 50).then_some(found)
}

#[test]
fn exact_and_prefix_queries_find_what_a_scan_finds() {
    let people = people();
    let mut center = Node::of("center");
    center.hold(&people);
    let mut request = 0;
    let (mut many, mut none, mut some) = (0, 0, 0);
    for held in people.iter().step_by(7) {
        let items = &held.identity.items;
        let whole_name = items.name.expose().replace('\u{3000}', "");
        let (address, birth) = (items.address.expose(), items.birth.expose());
        let place = address.strip_prefix("東京都国立市").unwrap();
        for length in [1, 2, whole_name.chars().count()] {
            let name: String = whole_name.chars().take(length).collect();
            for prefix in [false, true] {
                let fits = |n: &str| if prefix { n.starts_with(&name) } else { n == name };
                request += 1;
                let found = ask(&mut center, request, by_birth(&name, &birth, prefix));
                let expected = scan(&people, |n, _, b| fits(n) && b == birth);
                assert_eq!(found, expected, "{name} {birth} {prefix}");
                for open in [place.chars().take(1).collect::<String>(), place.to_owned()] {
                    request += 1;
                    let asked = format!("東京都国立市{open}");
                    let query = QueryDraft {
                        name: Some(name.clone()),
                        address: Some(asked.clone()),
                        prefix,
                        ..QueryDraft::default()
                    };
                    let found = ask(&mut center, request, query);
                    // 法: whole name with the beginning of the address, or the whole address with
                    // the beginning of the name; without a prefix both whole.
                    let expected = scan(&people, |n, a, _| {
                        (a == asked && fits(n)) || (prefix && n == name && a.starts_with(&asked))
                    });
                    assert_eq!(found, expected, "{name} {asked} {prefix}");
                    match found.map(|found| found.len()) {
                        None => many += 1,
                        Some(0) => none += 1,
                        Some(_) => some += 1,
                    }
                }
            }
        }
    }
    assert!(some > 50 && none > 10, "{some} with, {none} without, {many} too many");
}

#[test]
fn a_code_finds_its_one_person() {
    let people = people();
    let mut center = Node::of("center");
    center.hold(&people);
    for number in [1, 17, 360] {
        assert_eq!(ask(&mut center, number, by_code(number)), Some(vec![number]));
    }
    assert_eq!(ask(&mut center, 1_000, by_code(361)), Some(vec![]));
    // A code with a wrong check digit is no code.
    let right = code(1).expose().parse::<u64>().unwrap();
    let wrong = format!("{:011}", if right % 10 == 0 { right + 1 } else { right - 1 });
    let query = QueryDraft { code: Some(wrong), ..QueryDraft::default() };
    let signed = sign(&body(agency(), "agency", 7, query));
    let reply = center.ask(NOW, &peer("agency-1"), Request::Inquiry(signed));
    assert!(matches!(reply, Reply::Refusal(refusal) if refusal.rule == "query-shape"));
}

#[test]
fn who_only_shares_the_index_neither_counts_nor_is_told() {
    // A hundred stand under the same first character and day; two are meant.
    let address = "東京都国立市東1番地1";
    let mut people: Vec<Held> =
        (1..=100).map(|n| person(n, &format!("住田 第{n}"), address, KUNITACHI)).collect();
    people.extend((101..=102).map(|n| person(n, &format!("住基 第{n}"), address, KUNITACHI)));
    let mut center = Node::of("center");
    center.hold(&people);
    let found = ask(&mut center, 1, by_birth("住基", "1985-04-01", true));
    assert_eq!(found, Some(vec![101, 102]));
    assert_eq!(center.entries().len(), 2);
}

#[test]
fn more_than_fifty_is_all_that_is_said() {
    let address = "東京都国立市東1番地1";
    for count in [50_u64, 51, 52, 300] {
        let mut center = Node::of("center");
        let people: Vec<Held> =
            (1..=count).map(|n| person(n, &format!("住基 第{n}"), address, KUNITACHI)).collect();
        center.hold(&people);
        let query = by_birth("住", "1985-04-01", true);
        let found = ask(&mut center, 1, query);
        let entry = center.entries().pop().unwrap();
        if count == 50 {
            assert_eq!(found.unwrap().len(), 50);
            assert_eq!(center.entries().len(), 50);
        } else {
            assert_eq!(found, None);
            let text = String::from_utf8(entry.encode()).unwrap();
            assert!(text.contains("more-than-50") && entry.count().is_none());
            assert!(!text.contains(&format!(" {count}")));
            assert_eq!(center.entries().len(), 1);
        }
    }
}
