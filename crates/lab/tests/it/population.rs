//! The population keeps to its tables, to its format and, byte for byte, to itself.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::sync::LazyLock;

use lab::population::tables::{AGE_CLASSES_COUNT, Tables, Unit};
use lab::population::{
    FOREIGN_SHARE, Format, HEADER, Options, PROTECTED_HEADER, RESIDENTS_PER_PROTECTED,
    RESIDENTS_PER_SAME_NAME_PAIR, Summary, generate, write,
};
use law::code::{LocalGovernmentCode, RecordCode};
use law::people::{Address, BirthDate, Kana, Name, Sex};

/// The demo's country: 国立市, 三鷹市, 松本市, 安曇野市.
fn demo() -> Options {
    let municipalities = ["132152", "132047", "202029", "202207"].map(str::to_owned).to_vec();
    Options { residents: 20_000, seed: 2003, municipalities }
}

fn nation(residents: u64, seed: u64) -> Options {
    Options { residents, seed, municipalities: Vec::new() }
}

fn make(options: &Options) -> (Vec<u8>, Summary) {
    let mut bytes = Vec::new();
    let summary = generate(options, &mut bytes, &mut |_| ()).unwrap();
    (bytes, summary)
}

#[derive(serde::Deserialize)]
struct Row {
    record_code: String,
    family_name: String,
    given_name: String,
    family_kana: String,
    given_kana: String,
    sex: u8,
    birth: String,
    municipality_code: String,
    address: String,
    household_id: String,
    relationship: String,
    nationality: String,
    alternative_name: String,
}

fn rows(bytes: &[u8]) -> Vec<Row> {
    let mut reader = csv::Reader::from_reader(bytes);
    assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>().join(","), HEADER);
    reader.deserialize().map(Result::unwrap).collect()
}

static DEMO: LazyLock<(Vec<u8>, Summary)> = LazyLock::new(|| make(&demo()));
static NATION: LazyLock<Vec<Row>> = LazyLock::new(|| rows(&make(&nation(200_000, 7)).0));

#[test]
fn same_options_same_bytes() {
    let (bytes, summary) = &*DEMO;
    assert_eq!(summary.rows, 20_000);
    assert_eq!(summary.bytes, bytes.len() as u64);
    let mut text = String::new();
    for (what, options) in [("the demo", demo()), ("the nation", nation(30_000, 1))] {
        for (form, format) in [("CSV", Format::Csv), ("binary", Format::Binary)] {
            let (mut bytes, mut guarded) = (Vec::new(), Vec::new());
            let summary = write(&options, format, &mut bytes, &mut guarded, &mut |_| ()).unwrap();
            let (rows, seed, size) = (summary.rows, options.seed, summary.bytes);
            writeln!(text, "{what}, {form}: {rows} residents, seed {seed}, {size} bytes").unwrap();
            writeln!(text, "  {}", summary.sha256).unwrap();
        }
    }
    super::golden::compare("population-sha256.txt", &text);
    let other = make(&Options { seed: 2004, ..demo() }).1;
    assert_ne!(other.sha256, summary.sha256);
}

#[test]
fn the_first_households_read_like_a_register() {
    let mut text = String::new();
    let mut households = BTreeSet::new();
    for row in rows(&DEMO.0) {
        if households.insert(row.household_id.clone()) {
            if households.len() > 20 {
                break;
            }
            writeln!(text, "{}  {}", row.household_id, row.address).unwrap();
        }
        writeln!(
            text,
            "    {}  {}  {} {}  {} {}  {}  {}  {} {}",
            row.relationship,
            row.record_code,
            row.family_name,
            row.given_name,
            row.family_kana,
            row.given_kana,
            row.sex,
            row.birth,
            row.nationality,
            row.alternative_name,
        )
        .unwrap();
    }
    let text: String = text.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    super::golden::compare("population-first-20-households.txt", &text);
}

#[test]
fn every_row_reads_back_through_the_law() {
    let mut codes = BTreeSet::new();
    let mut addresses = BTreeSet::new();
    for row in rows(&DEMO.0).iter().chain(NATION.iter().take(50_000)) {
        RecordCode::parse(&row.record_code).unwrap();
        let name = format!("{}\u{3000}{}", row.family_name, row.given_name);
        assert_eq!(Name::parse(&name).unwrap().expose(), name);
        Kana::parse(&format!("{}\u{3000}{}", row.family_kana, row.given_kana)).unwrap();
        Sex::from_code(row.sex).unwrap();
        let birth = BirthDate::parse(&row.birth).unwrap();
        assert_eq!(birth.expose(), row.birth);
        let code = LocalGovernmentCode::parse(&row.municipality_code).unwrap();
        Address::parse(&row.address).unwrap();
        let parts = law::municipality::split_address(&row.address);
        let known = law::municipality::find(&code).unwrap();
        assert_eq!(parts.prefecture, Some(known.prefecture_name), "{}", row.address);
        assert_eq!(parts.municipality, Some(known.name), "{}", row.address);
        assert!(row.address.ends_with('号'));
        addresses.insert(row.address.clone());
        if row.nationality.is_empty() {
            assert!(row.alternative_name.is_empty());
        } else {
            assert!(row.family_name.bytes().all(|b| b.is_ascii_uppercase() || b == b' '));
        }
    }
    for row in rows(&DEMO.0) {
        assert!(codes.insert(row.record_code), "a record code came twice");
    }
    // Sorted, an address that begins another one would stand right before one it begins.
    let sorted: Vec<&String> = addresses.iter().collect();
    for pair in sorted.windows(2) {
        assert!(!pair[1].starts_with(pair[0].as_str()), "{} begins {}", pair[0], pair[1]);
    }
}

#[test]
fn codes_are_unique_in_a_large_file() {
    let codes: BTreeSet<&str> = NATION.iter().map(|row| row.record_code.as_str()).collect();
    assert_eq!(codes.len(), 200_000);
}

/// Class of an age on the census day; the parts of unknown dates do not matter here.
fn class(birth: &str) -> usize {
    let year: usize = birth.get(..4).unwrap().parse().unwrap();
    let age = 2020 - year - usize::from(birth.get(5..) > Some("10-01"));
    (age / 5).min(AGE_CLASSES_COUNT - 1)
}

#[test]
fn margins_follow_the_census() {
    let tables = Tables::load().unwrap();
    let total: u64 = tables.units.iter().map(Unit::persons).sum();
    let mut by_unit: HashMap<&str, u64> = HashMap::new();
    let mut by_class = [0_u64; AGE_CLASSES_COUNT];
    for row in NATION.iter() {
        *by_unit.entry(&row.municipality_code).or_default() += 1;
        by_class[class(&row.birth)] += 1;
    }
    for unit in &tables.units {
        let wanted = unit.persons() * 200_000 / total;
        let found = by_unit.get(unit.code).copied().unwrap_or(0);
        assert!(found.abs_diff(wanted) <= 1 + wanted / 100, "{}: {found}/{wanted}", unit.code);
    }
    for (index, found) in by_class.iter().enumerate() {
        let persons = |unit: &Unit| {
            u64::from(unit.cells[index]) + u64::from(unit.cells[index + AGE_CLASSES_COUNT])
        };
        let wanted = tables.units.iter().map(persons).sum::<u64>() * 200_000 / total;
        assert!(found.abs_diff(wanted) <= 5 + wanted / 100, "class {index}: {found}/{wanted}");
    }
    let foreign = NATION.iter().filter(|row| !row.nationality.is_empty()).count() as u64;
    let wanted = 200_000 * FOREIGN_SHARE.0 / FOREIGN_SHARE.1;
    assert!(foreign.abs_diff(wanted) <= wanted / 100, "{foreign} foreign residents for {wanted}");
}

fn at_one_address(rows: &[Row]) -> Vec<Vec<&Row>> {
    let mut houses: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        houses.entry(&row.address).or_default().push(row);
    }
    houses.into_values().filter(|house| house.len() >= 40).collect()
}

#[test]
fn facilities_stand_where_the_cap_of_fifty_matters() {
    let demo = rows(&DEMO.0);
    for rows in [&demo, &*NATION] {
        let facilities = at_one_address(rows);
        let foreign = |house: &&Vec<&Row>| house.iter().all(|row| !row.nationality.is_empty());
        let dormitory = facilities.iter().find(foreign).unwrap();
        assert!(dormitory.len() >= 120);
        let initial = dormitory.iter().filter(|row| row.family_name.starts_with('N')).count();
        assert!(initial > 50, "{initial} names begin with N");
    }
    let homes = at_one_address(&demo);
    let homes: Vec<_> = homes.iter().filter(|h| h.iter().all(|r| class(&r.birth) >= 15)).collect();
    assert!(homes.len() >= 3);
    assert!(homes.iter().all(|home| home.len() <= 120));
}

#[test]
fn households_are_families() {
    let rows = rows(&DEMO.0);
    let mut houses: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in &rows {
        houses.entry(&row.household_id).or_default().push(row);
    }
    let (mut families, mut one_name, mut twins, mut alone) = (0, 0, 0, 0);
    for house in houses.values() {
        assert_eq!(house.iter().filter(|row| row.relationship == "世帯主").count(), 1);
        assert_eq!(house[0].relationship, "世帯主");
        assert!(house.iter().all(|row| row.address == house[0].address));
        alone += usize::from(house.len() == 1 && class(&house[0].birth) < 3);
        if house.len() > 1 {
            families += 1;
            one_name += usize::from(house.iter().all(|r| r.family_name == house[0].family_name));
            let births: BTreeSet<&str> = house.iter().map(|r| r.birth.as_str()).collect();
            twins += usize::from(births.len() < house.len());
        }
    }
    assert!(one_name * 100 > families * 95, "{one_name} of {families}");
    assert!(twins >= 3, "{twins} twins");
    assert!(alone < 20, "{alone} children live alone");
    let average = rows.len() * 100 / houses.len();
    assert!((190..260).contains(&average), "{average} persons in a hundred households");
    let mut namesakes: HashMap<(&str, &str, &str), u32> = HashMap::new();
    for row in &rows {
        *namesakes.entry((&row.family_name, &row.given_name, &row.birth)).or_default() += 1;
    }
    assert!(namesakes.values().any(|count| *count > 1), "nobody shares name and birthday");
    for shape in ['髙', '﨑', '邉', '𠮷', '澤', '\u{E0100}'] {
        assert!(NATION.iter().any(|row| row.family_name.contains(shape)), "{shape} is missing");
    }
    assert!(NATION.iter().any(|row| row.birth.ends_with("-00")));
}

/// The demo ships this file; it must be the one this program makes. `JUKINET_GOLDEN=write` makes
/// it.
#[test]
fn the_shipped_demo_file_is_the_generated_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../jukinet/assets/residents-demo.csv.gz");
    if std::env::var("JUKINET_GOLDEN").as_deref() == Ok("write") {
        let file = std::fs::File::create(path).unwrap();
        let level = flate2::Compression::best();
        let mut packer = flate2::GzBuilder::new().mtime(0).write(file, level);
        packer.write_all(&DEMO.0).unwrap();
        packer.finish().unwrap();
    }
    let packed = std::fs::read(path).unwrap();
    assert!(packed.len() <= 900 * 1024, "{} bytes", packed.len());
    assert_eq!(packed[4..8], [0; 4], "the gzip header carries a time");
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut unpacked).unwrap();
    assert!(unpacked == DEMO.0, "regenerate the asset: the population has changed");
}

#[test]
fn people_of_one_name_and_birthday_live_in_one_municipality() {
    for (rows, residents) in [(&rows(&DEMO.0), 20_000), (&*NATION, 200_000)] {
        let mut persons: HashMap<_, u64> = HashMap::new();
        for row in rows {
            let name = (&row.family_name, &row.given_name, &row.family_kana, &row.given_kana);
            let key = (name, &row.birth, row.sex, &row.municipality_code);
            *persons.entry(key).or_default() += 1;
        }
        let pairs: u64 = persons.values().map(|count| count - 1).sum();
        let promised = residents / RESIDENTS_PER_SAME_NAME_PAIR;
        assert!(pairs + promised / 20 >= promised, "{pairs} pairs for {promised}");
    }
}

#[test]
fn the_protected_stand_in_a_file_of_their_own() {
    let mut guarded = Vec::new();
    let mut bytes = Vec::new();
    let summary = write(&demo(), Format::Csv, &mut bytes, &mut guarded, &mut |_| ()).unwrap();
    assert!(bytes == DEMO.0, "asking for them moves no byte of the residents");
    let mut reader = csv::Reader::from_reader(guarded.as_slice());
    assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>().join(","), PROTECTED_HEADER);
    let residents = rows(&DEMO.0);
    let known: HashMap<&str, &Row> =
        residents.iter().map(|row| (row.record_code.as_str(), row)).collect();
    let (mut applicants, mut protected) = (BTreeSet::new(), 0);
    for row in reader.records().map(Result::unwrap) {
        protected += 1;
        let resident = known[&row[0]];
        assert_eq!((&row[1], &row[2]), (&*resident.municipality_code, &*resident.household_id));
        match &row[4] {
            "applicant" => assert!(applicants.insert(row[2].to_owned())),
            role => {
                assert_eq!((role, &*resident.relationship), ("included", "子"));
                assert!(applicants.contains(&row[2]), "included with an applicant only");
            }
        }
        let (begins, ends) = (&row[5], &row[6]);
        assert!(begins <= "2020-10-01" && "2020-10-01" <= ends, "{begins} to {ends}");
    }
    let wanted = 20_000 / RESIDENTS_PER_PROTECTED;
    assert_eq!(summary.tally.protected, protected);
    assert!(protected.abs_diff(wanted) <= 4, "{protected} protected for {wanted}");
}

#[test]
fn wrong_options_are_named() {
    let error = |options: &Options| {
        generate(options, &mut Vec::new(), &mut |_| ()).unwrap_err().to_string()
    };
    assert!(error(&nation(0, 1)).contains("between 1 and"));
    let unknown = Options { municipalities: vec!["999999".to_owned()], ..nation(1, 1) };
    assert!(error(&unknown).contains("999999"));
}

#[test]
fn a_city_means_its_wards_and_a_prefecture_its_municipalities() {
    let units = |code: &str| {
        let options = Options { municipalities: vec![code.to_owned()], ..nation(3_000, 1) };
        let rows = rows(&make(&options).0);
        rows.iter().map(|row| row.municipality_code.clone()).collect::<BTreeSet<_>>()
    };
    assert_eq!(units("011002").len(), 10);
    assert_eq!(units("200000").iter().filter(|code| !code.starts_with("20")).count(), 0);
}
