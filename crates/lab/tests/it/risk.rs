//! Incidents and the risk of a life: the paper's figures from its rows, and a model in which a
//! countermeasure never makes anything worse.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::LazyLock;

use lab::risk::choices::{Choice, Left, Span};
use lab::risk::evaluate::{Axis, Case, Report, Setting, evaluate};
use lab::risk::incidents::{Country, Difficulty, Place, Threat};
use lab::risk::life::lives;
use lab::risk::measures::{Effect, On, Promise, Status};
use lab::risk::stated::compare;
use lab::risk::tornado::{Quantity, Swing};
use lab::risk::uses::Scope;
use lab::risk::{Model, PERSONS_DEFAULT, SEED_DEFAULT, charts, report};

/// A small report that two tests read; drawing the incidents again is most of its time.
static SMALL: LazyLock<(Model, Report)> = LazyLock::new(|| {
    let model = Model::load().unwrap();
    let report = evaluate(&model, 2, 300).unwrap();
    (model, report)
});

fn jukilab(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_jukilab")).args(arguments).output().unwrap()
}

fn counts<T: PartialEq + Copy>(
    model: &Model,
    all: &[T],
    of: impl Fn(&lab::risk::incidents::Incident) -> T,
) -> Vec<[usize; 3]> {
    let count = |value: T| {
        Country::ALL.map(|country| {
            let rows = model.incidents.iter().filter(|row| row.country == country);
            rows.filter(|row| of(row) == value).count()
        })
    };
    all.iter().map(|value| count(*value)).collect()
}

/// 16 + 7 + 34, and every margin counted by hand from the paper's tables 1 to 3.
#[test]
fn the_rows_are_the_57_of_the_paper() {
    let model = Model::load().unwrap();
    assert_eq!(model.incidents.len(), 57);
    let all = counts(&model, &[()], |_| ());
    assert_eq!(all, [[16, 7, 34]]);
    let places = counts(&model, &Place::ALL, |row| row.place);
    assert_eq!(places, [[1, 1, 34], [7, 0, 0], [8, 6, 0]]);
    let threats = counts(&model, &Threat::ALL, |row| row.threat);
    assert_eq!(
        threats,
        [[6, 3, 0], [5, 0, 1], [3, 2, 23], [0, 0, 7], [2, 0, 0], [0, 0, 1], [0, 2, 2]]
    );
    let difficulties = counts(&model, &Difficulty::ALL, |row| row.difficulty);
    assert_eq!(difficulties, [[5, 4, 0], [2, 1, 1], [9, 2, 33]]);
    let japan = model.incidents.iter().filter(|row| row.country == Country::Jp);
    let printed: Vec<&str> = japan.map(|row| row.place_printed.as_str()).collect();
    let begins = |word: &str| printed.iter().filter(|place| place.starts_with(word)).count();
    assert_eq!(["自治体DB", "住基カード", "自宅PC", "Digital"].map(begins), [25, 7, 1, 1]);
    let oldest = model.incidents.iter().filter(|row| row.country == Country::Us);
    assert_eq!(oldest.map(|row| row.year).min(), Some(2002), "S3:729");
    for row in &model.incidents {
        let printed = row.year_printed.replacen("20011", "2011", 1);
        assert!(printed.starts_with(&row.year.to_string()), "{:?} {}", row.country, row.number);
        for id in row.tests.split(' ') {
            let (letter, digits) = id.split_at(1);
            assert!("NHIMRASJW".contains(letter) && digits.parse::<u8>().is_ok(), "{id}");
        }
    }
    let departing: Vec<(Country, u32)> = model
        .incidents
        .iter()
        .filter(|row| row.departs_from_definition())
        .map(|row| (row.country, row.number))
        .collect();
    assert_eq!(departing, [(Country::Us, 9), (Country::Kr, 6)]);
}

/// S3's table 4 from its rows: 33 cells, of which one is not what the rows give; and of the prose
/// exactly the figures named here.
#[test]
fn the_percentages_of_the_paper_come_out_of_its_rows_but_for_seven_figures() {
    let model = Model::load().unwrap();
    let compared = compare(&model.stated, &model.incidents).unwrap();
    let table: Vec<_> = compared.iter().filter(|one| one.stated.place == "table 4").collect();
    assert_eq!(table.len(), 33);
    assert_eq!(table.iter().filter(|one| one.agrees).count(), 32);
    let stated = |country| -> Vec<u32> {
        let own = table.iter().filter(|one| one.stated.country == country);
        own.filter_map(|one| one.stated.percent).collect()
    };
    assert_eq!(stated(Country::Us), [6, 44, 50, 38, 31, 19, 13, 0, 31, 13, 56]);
    assert_eq!(stated(Country::Kr), [14, 0, 86, 43, 0, 29, 0, 29, 57, 14, 29]);
    assert_eq!(stated(Country::Jp), [100, 0, 0, 0, 3, 89, 3, 6, 0, 3, 97]);
    let differing: Vec<_> = compared
        .iter()
        .filter(|one| !one.agrees)
        .map(|one| (one.stated.line, one.found, one.of, one.recomputed))
        .collect();
    let expected = [
        (732, 8, 16, 50),
        (752, 8, 16, 50),
        (754, 15, 16, 94),
        (1117, 5, 7, 71),
        (1599, 30, 34, 88),
        (1603, 23, 34, 68),
        (1752, 30, 34, 88),
    ];
    assert_eq!(differing, expected);
    for one in compared.iter().filter(|one| !one.agrees) {
        assert!(!one.stated.note.is_empty(), "line {} says no reason", one.stated.line);
    }
}

#[test]
fn a_countermeasure_never_adds_exposure() {
    let model = Model::load().unwrap();
    let tally = lives(&model.chances, 4, 300).unwrap();
    let case = Case::new(&model, &tally);
    for scope in Scope::ALL {
        let total = |on| case.total(scope, on);
        let (nothing, today, all) = (total(On::Nothing), total(On::Today), total(On::All));
        assert!(nothing > today && today > all && all > 0.0, "{nothing} {today} {all}");
        for effect in &model.effects {
            let (only, lacking) = (total(On::Only(&effect.key)), total(On::AllBut(&effect.key)));
            assert!(only <= nothing && only > 0.0, "{}", effect.key);
            assert!(lacking >= all - 1e-9, "{}", effect.key);
            let reaches = effect.places.contains(&Place::LocalGovernment);
            if scope == Scope::Public && !reaches {
                assert!((only - nothing).abs() < 1e-9, "{} reaches too far", effect.key);
            }
        }
    }
    let (public, private) =
        (case.total(Scope::Public, On::All), case.total(Scope::Private, On::All));
    assert!(private > public, "a wider use exposes more");
}

/// Promises that do not hold the words which bind a countermeasure to them, or that another holds
/// too: words that fit several sentences bind to none.
fn unbound<'e>(specification: &str, effects: impl Iterator<Item = &'e Effect>) -> Vec<String> {
    let sentence = |line: &str| {
        let (number, rest) = line.strip_prefix("| ")?.split_once(' ')?;
        let (sentence, _) = rest.split_once(" | ")?;
        number.starts_with("P-").then(|| (number.to_owned(), sentence.to_owned()))
    };
    let sentences: Vec<(String, String)> = specification.lines().filter_map(sentence).collect();
    assert!(sentences.len() > 100, "the specification reads");
    let binds = |promise: &Promise| {
        let mut held = sentences.iter().filter(|(_, text)| text.contains(&promise.words));
        held.next().is_some_and(|(number, _)| *number == promise.number) && held.next().is_none()
    };
    let promises = effects.flat_map(|effect| effect.promises.iter().map(move |p| (effect, p)));
    let broken = promises.filter(|(_, promise)| !binds(promise));
    broken.map(|(effect, promise)| format!("{} {}", effect.key, promise.number)).collect()
}

/// What is said to exist names promises by number and by words that no other promise has.
#[test]
fn what_is_there_today_is_promised() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let specification = std::fs::read_to_string(root.join("SPECIFICATION.md")).unwrap();
    let model = Model::load().unwrap();
    assert!(model.effects.iter().any(|effect| effect.status == Status::NotYet));
    let today = || model.effects.iter().filter(|effect| effect.status == Status::Today);
    assert_eq!(unbound(&specification, today()), [""; 0]);
    for effect in today() {
        assert!(effect.promises.iter().all(|promise| promise.words.len() >= 12), "{}", effect.key);
    }
    // Planted: another promise that stands there, words of nobody, words of everybody.
    let planted = |number: &str, words: &str| {
        let mut effect = today().next().unwrap().clone();
        effect.promises = vec![Promise { number: number.to_owned(), words: words.to_owned() }];
        unbound(&specification, std::iter::once(&effect)).len()
    };
    assert_eq!(planted("P-265", "Any two custodians open a backup"), 0);
    assert_eq!(planted("P-003", "Any two custodians open a backup"), 1);
    assert_eq!(planted("P-265", "Any three custodians open a backup"), 1);
    assert_eq!(planted("P-265", " is "), 1);
}

/// Where a place counts once the factor is one over the share of local governments, which a
/// reader can count: 2 of 23 rows abroad, 36 of 57 in all, one row smoothed over three places.
#[test]
fn the_claims_are_as_wide_as_the_choices_of_the_page() {
    let (model, made) = &*SMALL;
    let choice = |all, uses| -> &Choice {
        let meant = |one: &&Choice| one.places_of_all == all && one.uses_counted == uses;
        made.choices.iter().find(meant).unwrap()
    };
    assert_eq!(made.choices.len(), 4);
    let smoothed = |rows: f64, of: f64| (of + 1.0) / (rows + 1.0 / 3.0);
    let near = |a: f64, b: f64| (a - b).abs() < 1e-9 * b;
    assert!(near(choice(false, false).factor.value, smoothed(2.0, 23.0)));
    assert!(near(choice(true, false).factor.value, smoothed(36.0, 57.0)));
    let two = choice(false, true);
    let without = |scope| made.total(scope, Setting::Without);
    assert!(near(two.factor.value, without(Scope::Private) / without(Scope::Public)));
    assert!(two.is_shown() && made.choices.iter().filter(|one| one.is_shown()).count() == 1);
    for one in &made.choices {
        assert_eq!(one.uses_counted, one.factor_by_rates.low < one.factor_by_rates.high - 1e-9);
        for Left { share, by_sizes: Span { low, high }, .. } in &one.left {
            assert!(*low < share.value && share.value < *high && *high < 1.0);
        }
    }
    let page = report::markdown(model, made);
    let (claims, _) = page.split_once("\n## ").unwrap();
    let Span { low, high } = Span::over(made.choices.iter().map(|one| one.factor.value));
    assert!(claims.contains(&format!("between {low:.1} and {high:.0}")), "{claims}");
    assert!(low < 2.0 && high > 9.0, "{low} {high}");
    assert!(!claims.contains("95 in 100"), "{claims}");
}

/// The tornado shows the factor and the share left, and the two rows that may be no incident.
#[test]
fn the_tornado_moves_what_is_claimed() {
    let (model, made) = &*SMALL;
    let swing = |quantity, begins: &str| -> &Swing {
        let own = made.tornados.iter().find(|one| one.quantity == quantity).unwrap();
        own.swings.iter().find(|one| one.assumption.starts_with(begins)).unwrap()
    };
    let (us, jp) = ("without US 2 (a demonstration)", "without JP 34 (before the first code)");
    let tally = lives(&model.chances, 2, 300).unwrap();
    let lacking = |country, number| {
        let mut case = Case::new(model, &tally);
        case.without = Some((country, number));
        let mut model = model.clone();
        model.incidents.retain(|row| (row.country, row.number) != (country, number));
        let fresh = Case::new(&model, &tally).total(Scope::Public, On::Today);
        assert!((case.total(Scope::Public, On::Today) - fresh).abs() < 1e-9);
        fresh
    };
    assert!((swing(Quantity::ExposurePublic, us).high - lacking(Country::Us, 2)).abs() < 1e-9);
    assert!((swing(Quantity::ExposurePublic, jp).high - lacking(Country::Jp, 34)).abs() < 1e-9);
    let places = swing(Quantity::Factor, "places: ");
    let pooled = made.choices.iter().find(|one| one.places_of_all && one.uses_counted).unwrap();
    assert!((places.high - pooled.factor.value).abs() < 1e-9);
    for quantity in [Quantity::LeftPublic, Quantity::LeftPrivate, Quantity::ExposurePublic] {
        let sizes = swing(quantity, "size of today's effects");
        assert!(sizes.low < sizes.high, "stronger effects leave less");
    }
    let sizes = swing(Quantity::Factor, "today's countermeasures on");
    assert!(sizes.low < sizes.high, "they act on public bodies, so the factor grows");
}

/// The parts of a figure are the whole, along every axis, and lie within their interval's ends.
#[test]
fn parts_add_up_and_a_seed_gives_the_same_bytes() {
    let model = Model::load().unwrap();
    let made = |seed| -> (Report, String) {
        let made = evaluate(&model, seed, 300).unwrap();
        let text = report::markdown(&model, &made);
        (made, text)
    };
    let (first, text) = made(7);
    for outcome in &first.outcomes {
        let total = outcome.total();
        for axis in [Axis::Stage, Axis::Area, Axis::Place, Axis::Difficulty, Axis::Class] {
            let sum: f64 = outcome.along(axis).map(|figure| figure.value).sum();
            assert!((sum - total).abs() < 1e-6 * total, "{axis:?}: {sum} of {total}");
        }
        let inside = |f: &lab::risk::evaluate::Figure| f.low <= f.value && f.value <= f.high;
        assert!(outcome.along(Axis::Total).all(inside));
    }
    let tally = lives(&model.chances, 7, 300).unwrap();
    let case = Case::new(&model, &tally);
    for outcome in &first.outcomes {
        let (total, other) = (outcome.total(), case.total(outcome.scope, outcome.setting.on()));
        assert!((total - other).abs() < 1e-9 * total, "{total} {other}");
    }
    for one in first.choices.iter().flat_map(|choice| &choice.left) {
        assert!(one.share.low <= one.share.value && one.share.high < 1.0);
    }
    assert_eq!(made(7).1, text);
    assert_ne!(made(8).1, text, "the seed decides the lives");
}

/// Page and charts stand in `docs/`; `JUKINET_GOLDEN=write` makes them anew.
#[test]
fn the_page_and_its_charts_are_what_the_command_makes() {
    let docs = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let model = Model::load().unwrap();
    let made = evaluate(&model, SEED_DEFAULT, PERSONS_DEFAULT).unwrap();
    let mut files = vec![("risk.md".to_owned(), report::markdown(&model, &made))];
    let drawn = charts::draw(&model, &made);
    files.extend(drawn.into_iter().map(|(name, svg)| (format!("risk/{name}"), svg)));
    for (name, text) in files {
        let path = docs.join(&name);
        if std::env::var("JUKINET_GOLDEN").as_deref() == Ok("write") {
            std::fs::create_dir_all(docs.join("risk")).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            kept == text,
            "docs/{name} differs; `jukilab risk report --out docs` makes it anew"
        );
    }
}

#[test]
fn the_command_prints_rows_figures_and_pages() {
    let output = jukilab(&["risk", "incidents", "--json"]);
    assert!(output.status.success() && output.stderr.is_empty());
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["incidents"].as_array().unwrap().len(), 57);
    assert_eq!((&document["differing"], &document["figures"][0]["of"]), (&7.into(), &16.into()));
    let output = jukilab(&["risk", "incidents"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("74 figures, 7 differ from the rows"), "{text}");

    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().to_str().unwrap();
    let base = ["risk", "report", "--seed", "3", "--persons", "200"];
    let page = jukilab(&base).stdout;
    let json = jukilab(&[&base[..], &["--json", "--out", out]].concat());
    assert!(json.status.success());
    let document: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(document["outcomes"].as_array().unwrap().len(), 6);
    assert_eq!(std::fs::read(directory.path().join("risk.md")).unwrap(), page);
    let svg = std::fs::read_to_string(directory.path().join("risk/incidents.svg")).unwrap();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    for persons in ["99", "1000001"] {
        let output = jukilab(&["risk", "report", "--persons", persons]);
        assert_eq!(output.status.code(), Some(2), "{persons}");
        assert!(output.stdout.is_empty());
    }
}
