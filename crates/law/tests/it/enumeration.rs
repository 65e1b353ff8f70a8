//! Allowed set = statute table: every asker against every affair of every table in both epochs,
//! no more and no less, with the expectation read from the tables here a second time.

use std::collections::BTreeSet;

use law::affair::{affairs, agencies};
use law::code::LocalGovernmentCode;
use law::inquiry::{Item, authorize};
use law::organ::Organ;
use law::{Affair, Denial, Epoch};

use crate::support::{affairs_both, draft, held, inquiry, organ, person};

const MINAMATA: &str = "水俣病被害者の救済及び水俣病問題の解決に関する特別措置法\
    （平成二十一年法律第八十一号）第二条第二項に規定する関係県の知事";

fn allowed(epoch: Epoch, asker: Organ, responder: Organ) -> BTreeSet<String> {
    affairs(epoch)
        .iter()
        .filter(|row| match authorize(inquiry(asker, responder, &row.id.to_string(), epoch)) {
            Ok(_) => true,
            Err(denial) => {
                assert_eq!(denial, Denial::AffairNotOfRecipient);
                false
            }
        })
        .map(|row| row.id.to_string())
        .collect()
}

fn rows(epoch: Epoch, wanted: impl Fn(&Affair) -> bool) -> BTreeSet<String> {
    affairs(epoch).iter().filter(|row| wanted(row)).map(|row| row.id.to_string()).collect()
}

#[test]
fn agencies_get_their_rows_of_table_1_from_the_center_and_nothing_else() {
    let nowhere = [organ("prefecture:13"), organ("municipality:132152"), organ("agency:A041")];
    for epoch in Epoch::ALL {
        let mut union = BTreeSet::new();
        for agency in agencies(epoch) {
            let asker = Organ::Agency(agency.code);
            let got = allowed(epoch, asker, Organ::Center);
            let want = rows(epoch, |row| row.id.table() == 1 && row.recipient == agency.name);
            assert_eq!(got, want, "{asker}");
            union.extend(got);
        }
        assert_eq!(union, rows(epoch, |row| row.id.table() == 1));
        let asker = Organ::Agency(agencies(epoch)[0].code);
        for responder in nowhere {
            assert_eq!(allowed(epoch, asker, responder), BTreeSet::new());
        }
        assert_eq!(allowed(epoch, organ("agency:A999"), Organ::Center), BTreeSet::new());
    }
}

#[test]
fn prefectures_get_table_3_from_the_center_and_5_from_themselves() {
    for epoch in Epoch::ALL {
        // The columns that do not mean every prefecture, with those of the four they do mean.
        let special: [(&str, &[&str]); 7] = [
            ("福島県知事", &["07"]),
            ("沖縄県知事", &["47"]),
            ("都県知事", &["13", "07", "47"]),
            ("都府県知事", &["13", "07", "47"]),
            ("府県知事", &["07", "47"]),
            // Who they are is kept elsewhere, so nobody is.
            (MINAMATA, &[]),
            ("認定地方公共団体又は特区地方公共団体である都道府県の知事", &[]),
        ];
        for asker in ["01", "07", "13", "47"] {
            let general = |row: &Affair| {
                special
                    .iter()
                    .find(|(column, _)| *column == row.recipient)
                    .is_none_or(|(_, named)| named.contains(&asker))
            };
            let asker = &format!("prefecture:{asker}");
            let asker = organ(asker);
            let want = rows(epoch, |row| row.id.table() == 3 && general(row));
            assert_eq!(allowed(epoch, asker, Organ::Center), want);
            let own = if epoch == Epoch::Founding { &[5][..] } else { &[5, 6] };
            let want = rows(epoch, |row| own.contains(&row.id.table()) && general(row));
            assert_eq!(allowed(epoch, asker, asker), want);
            assert_eq!(allowed(epoch, asker, organ("prefecture:20")), BTreeSet::new());
            assert_eq!(allowed(epoch, asker, organ("municipality:132152")), BTreeSet::new());
        }
    }
}

#[test]
fn municipalities_get_tables_2_and_4_by_the_road_of_their_epoch() {
    // Kunitachi is an ordinary city: the rows whose upper column means every city, and no row whose
    // cities are listed elsewhere (中核市, 政令で定める市, 救助実施市 …). Spelled out from the column.
    let ordinary = |row: &Affair| {
        row.recipient.starts_with("市長")
            || [
                "市町村長",
                "市町村長その他の執行機関",
                "市町村長（指定都市の長を除く。）",
                "選挙管理委員会",
                "教育委員会",
                "農業委員会",
            ]
            .contains(&row.recipient)
    };
    let city = organ("municipality:132152");
    let of =
        |epoch, tables: &[u8]| rows(epoch, |row| tables.contains(&row.id.table()) && ordinary(row));
    let (then, now) = (Epoch::Founding, Epoch::Today);
    assert_eq!(allowed(then, city, Organ::Center), of(then, &[4]));
    assert_eq!(allowed(then, city, organ("prefecture:13")), of(then, &[2]));
    assert_eq!(allowed(now, city, Organ::Center), of(now, &[2, 4]));
    assert_eq!(allowed(now, city, organ("prefecture:13")), BTreeSet::new());
    for epoch in Epoch::ALL {
        for responder in ["prefecture:20", "municipality:132047", "agency:A074"] {
            assert_eq!(allowed(epoch, city, organ(responder)), BTreeSet::new());
        }
    }
}

#[test]
fn columns_that_name_a_kind_of_city_give_it_to_that_kind() {
    let has = |asker: &str, column: &str| {
        let got = allowed(Epoch::Founding, organ(asker), Organ::Center);
        let want = rows(Epoch::Founding, |row| row.id.table() == 4 && row.recipient == column);
        assert!(!want.is_empty());
        got.is_superset(&want)
    };
    let (hiroshima, yokohama, village) =
        ("municipality:341002", "municipality:141003", "municipality:204463");
    assert!(has(hiroshima, "広島市又は長崎市の長"));
    assert!(!has(yokohama, "広島市又は長崎市の長"));
    assert!(has(yokohama, "指定都市の長"));
    assert!(!has("municipality:132152", "指定都市の長"));
    assert!(has(village, "市町村長"));
    assert!(!has(village, "指定都市の長"));
    // Which cities are 中核市 is not at hand: a designated city is one of the two, others are unknown.
    let core = "指定都市又は地方自治法第二百五十二条の二十二第一項の中核市の長";
    assert!(has(yokohama, core) && !has("municipality:132152", core) && !has(village, core));
    // A ward of a designated city does not ask; its city does (令31条).
    assert!(!has("municipality:141046", "市町村長"));
}

#[test]
fn nobody_asks_the_center_as_the_center_and_unknown_towns_get_nothing() {
    for epoch in Epoch::ALL {
        for responder in ["center", "prefecture:13"] {
            assert_eq!(allowed(epoch, Organ::Center, organ(responder)), BTreeSet::new());
        }
        // 999 is no municipality of Tokyo, although its check digit is right.
        let unknown = (0..10).find_map(|d| Organ::parse(&format!("municipality:13999{d}")).ok());
        assert_eq!(allowed(epoch, unknown.unwrap(), Organ::Center), BTreeSet::new());
    }
}

#[test]
fn the_code_travels_then_and_stays_now() {
    for row in affairs_both().filter(|row| row.id.table() == 1).step_by(97) {
        let agency = agencies(row.epoch).into_iter().find(|a| a.name == row.recipient).unwrap();
        let asker = Organ::Agency(agency.code);
        let permit =
            authorize(inquiry(asker, Organ::Center, &row.id.to_string(), row.epoch)).unwrap();
        let code_travels = row.epoch == Epoch::Founding;
        assert_eq!(permit.items().contains(&Item::RecordCode), code_travels);
        let serial = 1_234_567_890;
        let hit = held(person(serial, "住基 花子", "東京都国立市東1", "1985-04-01"));
        let release = permit.release(vec![hit.clone(), hit.clone()]).unwrap();
        assert_eq!(release.persons().len(), 1);
        assert_eq!(release.persons()[0].code.is_some(), code_travels);
        assert_eq!(release.subjects(), [hit.identity.code]);
    }
}

#[test]
fn a_release_drops_whom_the_query_did_not_ask_for() {
    let permit =
        authorize(inquiry(organ("agency:A074"), Organ::Center, "1-74-1", Epoch::Founding)).unwrap();
    let stranger = held(person(5, "別 人", "東京都国立市東1", "1985-04-01"));
    assert!(permit.release(vec![stranger]).unwrap().persons().is_empty());
}

#[test]
fn tables_2_and_5_stay_at_home_and_3_and_4_end_there() {
    let at = |municipality: &str| {
        let mut identity = person(1_234_567_890, "住基 花子", "東京都国立市東1", "1985-04-01");
        identity.municipality = LocalGovernmentCode::parse(municipality).unwrap();
        held(identity)
    };
    let (tokyo, nagano) = ("132047", "202029");
    let (city, prefecture) = ("municipality:132152", "prefecture:13");
    let (then, now) = (Epoch::Founding, Epoch::Today);
    for (epoch, asker, responder, affair, told) in [
        (then, "agency:A074", "center", "1-74-1", [true, true]),
        (then, city, prefecture, "2-1-1", [true, false]),
        (then, prefecture, "center", "3-1-1", [false, true]),
        (then, city, "center", "4-1-1", [false, true]),
        (then, prefecture, prefecture, "5-1-1", [true, false]),
        (now, city, "center", "2-1-1", [true, false]),
        (now, city, "center", "4-1-1", [false, true]),
        (now, prefecture, "center", "3-1-1", [false, true]),
    ] {
        let (asker, responder) = (organ(asker), organ(responder));
        for (municipality, told) in [tokyo, nagano].into_iter().zip(told) {
            let permit = authorize(inquiry(asker, responder, affair, epoch)).unwrap();
            let release = permit.release(vec![at(municipality)]).unwrap();
            assert_eq!(release.persons().len(), usize::from(told), "{asker} {affair}");
            assert_eq!(release.subjects().len(), release.persons().len());
        }
    }
}

#[test]
fn who_is_out_of_reach_still_counts_among_the_fifty() {
    let mut asked = inquiry(organ("municipality:132152"), Organ::Center, "4-1-1", Epoch::Founding);
    asked.query = draft("住基 花子", None, Some("1985-04-01"), false);
    let people = |count: u64| {
        let one = |n| held(person(n, "住基 花子", "東京都国立市東1", "1985-04-01"));
        (1..=count).map(one).collect::<Vec<_>>()
    };
    let release = authorize(asked.clone()).unwrap().release(people(50)).unwrap();
    assert!(release.persons().is_empty() && release.subjects().is_empty());
    let denial = authorize(asked).unwrap().release(people(51)).unwrap_err();
    assert_eq!(denial, Denial::MoreThan50);
}
