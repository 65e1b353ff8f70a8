//! The margins of a nation are those of its tables, and a file that was bent is seen.

use lab::population::margins::{MARGIN_RESIDENTS_MIN, MarginCount, Margins, Part};
use lab::population::tables::Tables;
use lab::population::{Options, PopulationError, Resident, each};
use law::people::Sex;

const NATION: u64 = 300_000;

fn counted(options: &Options, keep: &dyn Fn(&Resident<'_>) -> bool) -> Margins {
    let tables = Tables::load().unwrap();
    let mut count = MarginCount::new(options, &tables).unwrap();
    let mut visit = |resident: &Resident<'_>| -> Result<(), PopulationError> {
        if keep(resident) {
            count.see(resident);
        }
        Ok(())
    };
    each(options, &mut visit).unwrap();
    count.finish()
}

fn nation(residents: u64) -> Options {
    Options { residents, seed: 11, municipalities: Vec::new() }
}

/// Drawn parts scatter like whole households: five standard deviations of groups of three.
fn within_chance(part: &Part) -> bool {
    part.found.abs_diff(part.wanted).pow(2) <= 25 * 3 * part.wanted + 100
}

#[test]
fn a_nation_keeps_every_margin() {
    let margins = counted(&nation(NATION), &|_| true);
    assert_eq!(margins.residents, NATION);
    let off: Vec<_> = margins.parts().filter(|(_, part)| part.is_off()).collect();
    assert!(off.is_empty(), "{off:?}");
    let judged = |parts: &[Part]| parts.iter().filter(|p| p.wanted >= MARGIN_RESIDENTS_MIN).count();
    assert_eq!(judged(&margins.sexes), 2);
    assert!(judged(&margins.cells) >= 35 && judged(&margins.municipalities) >= 10);
    for municipality in &margins.municipalities {
        assert!(municipality.found.abs_diff(municipality.wanted) <= 1, "{municipality:?}");
    }
    for drawn in margins.surnames.iter().chain(&margins.nationality) {
        assert!(within_chance(drawn), "{drawn:?}");
    }
    // A dormitory or a nursing home stands in one town, with all who live there.
    let far = margins.towns.iter().filter(|town| !within_chance(town)).count();
    assert!(far * 200 < margins.towns.len(), "{far} of {} towns", margins.towns.len());
    assert!(margins.page().contains("0 parts are off in all"), "{}", margins.page());
}

#[test]
fn a_bent_file_is_seen() {
    let women_missing =
        |resident: &Resident<'_>| resident.sex == Sex::Male || !resident.index.is_multiple_of(20);
    let margins = counted(&nation(60_000), &women_missing);
    assert!(margins.sexes.iter().any(Part::is_off));
    assert!(margins.page().contains("OFF"));
    let without_tokyo = |resident: &Resident<'_>| !resident.municipality_code.starts_with("13");
    let margins = counted(&nation(200_000), &without_tokyo);
    assert!(margins.municipalities.iter().any(Part::is_off));
}

#[test]
fn the_pyramid_is_a_picture_of_both() {
    let options = Options { municipalities: vec!["132152".to_owned()], ..nation(2_000) };
    let picture = counted(&options, &|_| true).pyramid();
    assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
    // A background, then a bar and an outline for each class and sex.
    assert_eq!(picture.matches("<rect").count(), 1 + 2 * 2 * 21);
    assert!(picture.contains("2000 residents"));
}
