//! Lives of synthetic residents: lawful to the law's own checks, at the published rates, and the
//! same bytes for the same seed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::sync::LazyLock;

use lab::population::life::event::{ABROAD, EVENTS_HEADER, EventKind};
use lab::population::life::rates::{RESIDENTS_COUNTED, yearly};
use lab::population::life::{LifeOptions, LifeSummary, live};
use lab::population::{Options, PopulationError, each};
use law::affair::Epoch;
use law::change::{ChangeKind, ChangeReason};
use law::time::Date;
use sha2::{Digest, Sha256};

/// Two cities and two wards in two prefectures.
const PLACES: [&str; 4] = ["132152", "132047", "202029", "202207"];

fn options(residents: u64, years: u16) -> LifeOptions {
    LifeOptions {
        population: Options {
            residents,
            seed: 2003,
            municipalities: PLACES.map(str::to_owned).to_vec(),
        },
        years,
        from: Date::parse("2024-01-01").unwrap(),
        today: true,
    }
}

fn run(options: &LifeOptions) -> (String, LifeSummary) {
    let mut text = format!("{EVENTS_HEADER}\n");
    let mut visit = |event: &lab::population::life::event::Event<'_>| {
        event.write_csv(&mut text);
        Ok(())
    };
    let summary = live(options, &mut visit, &mut |_| ()).unwrap();
    (text, summary)
}

const RESIDENTS: u64 = 40_000;
const YEARS: u16 = 3;
static LIVES: LazyLock<(String, LifeSummary)> = LazyLock::new(|| {
    // From the census day: later, everybody is older and nobody has died meanwhile.
    let from = Date::parse("2020-10-02").unwrap();
    run(&LifeOptions { from, ..options(RESIDENTS, YEARS) })
});

#[test]
fn the_same_world_has_the_same_lives() {
    let (text, summary) = run(&options(5_000, 2));
    let mut digest = String::new();
    for byte in Sha256::digest(text.as_bytes()) {
        write!(digest, "{byte:02x}").unwrap();
    }
    let mut golden = format!("{} events of 5000 residents in two years\n", summary.events);
    writeln!(golden, "  {digest}").unwrap();
    for line in text.lines().take(12) {
        writeln!(golden, "{line}").unwrap();
    }
    super::golden::compare("life-events.txt", &golden);
    let other = Options { seed: 2004, ..options(5_000, 2).population };
    assert_ne!(run(&LifeOptions { population: other, ..options(5_000, 2) }).0, text);
}

/// Replays every event against a register of its own: who is not there cannot leave, who is there
/// cannot enter, and each is told of with what was true.
#[test]
fn every_event_is_one_that_the_law_takes() {
    let options = options(8_000, 4);
    let mut current: HashMap<String, String> = HashMap::new();
    let mut codes = BTreeSet::new();
    each(&options.population, &mut |resident| -> Result<(), PopulationError> {
        let code = resident.record_code.expose().to_owned();
        codes.insert(code.clone());
        current.insert(code, resident.municipality_code.to_owned());
        Ok(())
    })
    .unwrap();
    let mut sequences: BTreeMap<String, u64> = BTreeMap::new();
    let mut last = Date::parse("2024-01-01").unwrap();
    let mut seen = BTreeSet::new();
    let mut visit = |event: &lab::population::life::event::Event<'_>| {
        assert!(event.date >= last, "the calendar goes forward");
        last = event.date;
        seen.insert(event.kind);
        let code = event.resident.record_code.expose().to_owned();
        let place = event.resident.municipality_code.to_owned();
        let notice = event.notice().unwrap();
        let Some(notice) = notice else {
            assert_eq!((event.reason, event.sequence), (None, 0));
            assert_eq!(current.get(&code), Some(&place), "{event:?}");
            return Ok(());
        };
        assert_eq!(notice.check(), Ok(()), "{event:?}");
        assert!(notice.reason.is_of(Epoch::Today));
        let sequence = sequences.entry(place.clone()).or_default();
        *sequence += 1;
        assert_eq!(event.sequence, *sequence, "numbers of a municipality have no gaps");
        let known = current.get(&code).cloned();
        match notice.reason.kind() {
            ChangeKind::Entry => {
                assert_eq!(known, None, "{event:?}");
                assert_eq!(event.to, place);
                assert_eq!(
                    event.kind == EventKind::Born,
                    notice.record.items.birth.date() == Some(event.date)
                );
                if event.kind == EventKind::MovedIn {
                    assert!(codes.contains(&code), "a code stays with its resident");
                }
                codes.insert(code.clone());
                current.insert(code, place);
            }
            ChangeKind::Deletion => {
                assert_eq!(known.as_ref(), Some(&place), "{event:?}");
                assert_eq!(event.from, place);
                current.remove(&code);
            }
            ChangeKind::Correction => assert_eq!(known, Some(place), "{event:?}"),
            ChangeKind::Code => {
                let previous = notice.previous_code.unwrap().expose().to_owned();
                assert_eq!(current.remove(&previous), Some(place.clone()));
                assert!(codes.insert(code.clone()), "a code comes once");
                current.insert(code, place);
            }
            ChangeKind::Number => panic!("no number is held"),
        }
        Ok(())
    };
    let summary = live(&options, &mut visit, &mut |_| ()).unwrap();
    assert_eq!(current.len() as u64, summary.residents_after);
    assert_eq!(seen.len(), EventKind::ALL.len(), "{seen:?}");
}

#[test]
fn the_law_of_2013_knows_its_own_reasons_only() {
    let options = LifeOptions { today: false, ..options(3_000, 1) };
    let mut abroad = 0;
    let mut visit = |event: &lab::population::life::event::Event<'_>| {
        assert!(event.reason.is_none_or(|reason| reason.is_of(Epoch::Founding)));
        if event.kind == EventKind::MovedOutAbroad {
            assert_eq!((event.reason, event.to), (Some(ChangeReason::MovedOut), ABROAD));
            abroad += 1;
        }
        Ok(())
    };
    live(&options, &mut visit, &mut |_| ()).unwrap();
    assert!(abroad > 0);
}

/// Crude rates: so many of a year among so many residents; deaths and births follow the ages.
#[test]
fn a_year_brings_what_is_published() {
    let (_, summary) = &*LIVES;
    let years = u64::from(YEARS);
    let of = |kind| summary.by_kind.get(&kind).copied().unwrap_or(0);
    let mean = (summary.residents_before + summary.residents_after) / 2;
    let expect = |count: u64| count * mean * years / RESIDENTS_COUNTED;
    for (kind, count) in [
        (EventKind::Married, 2 * yearly::MARRIAGES),
        (EventKind::Divorced, 2 * yearly::DIVORCES),
        (EventKind::MovedOut, yearly::MOVES_BETWEEN),
        (EventKind::MovedIn, yearly::MOVES_BETWEEN),
        (EventKind::MovedWithin, yearly::MOVES_WITHIN),
        (EventKind::MovedInFromAbroad, yearly::FROM_ABROAD),
        (EventKind::MovedOutAbroad, yearly::TO_ABROAD),
        (EventKind::CodeChanged, yearly::CODE_CHANGES),
        (EventKind::CardLost, yearly::CARD_LOSSES),
        (EventKind::ProtectionBegins, yearly::PROTECTIONS),
    ] {
        let (found, wanted) = (of(kind), expect(count));
        assert!(found.abs_diff(wanted) <= 6 + wanted / 50, "{kind:?}: {found} for {wanted}");
    }
    // These four cities are younger than the nation: fewer deaths, about as many births.
    let (deaths, births) = (of(EventKind::Died), of(EventKind::Born));
    let (all_deaths, all_births) = (expect(yearly::DEATHS), expect(yearly::BIRTHS));
    assert!((all_deaths * 8 / 10..all_deaths * 11 / 10).contains(&deaths), "{deaths} deaths");
    assert!((all_births * 9 / 10..all_births * 13 / 10).contains(&births), "{births} births");
    assert!(summary.dropped * 1_000 < summary.events, "{} dropped", summary.dropped);
    assert!(summary.world_bytes <= 60 * summary.residents_after, "{}", summary.world_bytes);
}

/// Ages and months: deaths are old people's, moves come in March and April, and are young.
#[test]
fn events_keep_to_their_season_and_age() {
    let mut reader = csv::Reader::from_reader(LIVES.0.as_bytes());
    let names = reader.headers().unwrap().clone();
    let at = |name: &str| names.iter().position(|column| column == name).unwrap();
    let (birth, event, date) = (at("birth"), at("event"), at("date"));
    let (mut deaths, mut old, mut moves, mut spring, mut young) = (0, 0, 0, 0, 0);
    for row in reader.records().map(Result::unwrap) {
        let year = |cell: &str| cell.get(..4).unwrap().parse::<u32>().unwrap();
        let age = year(&row[date]) - year(&row[birth]).max(1_900);
        match &row[event] {
            "died" => {
                deaths += 1;
                old += u32::from(age >= 65);
            }
            "moved-out" => {
                moves += 1;
                spring += u32::from(matches!(row[date].get(5..7), Some("03" | "04")));
                young += u32::from((18..40).contains(&age));
            }
            _ => {}
        }
    }
    assert!(old * 100 > deaths * 85, "{old} of {deaths}");
    assert!((28..36).contains(&(spring * 100 / moves)), "{spring} of {moves} moves in spring");
    // Of all residents, they are 23 in 100; whole families move with them.
    assert!(young * 100 > moves * 42, "{young} of {moves}");
}

#[test]
fn what_cannot_be_simulated_is_named() {
    let error = |options: &LifeOptions| {
        live(options, &mut |_| Ok(()), &mut |_| ()).unwrap_err().to_string()
    };
    assert!(error(&options(10, 0)).contains("between 1 and 50"));
    let early = LifeOptions { from: Date::parse("2020-10-01").unwrap(), ..options(10, 1) };
    assert!(error(&early).contains("2020-10-01"));
}
