//! The register of one municipality: a family over ten years as a text that a reviewer reads, and
//! what must never come apart, open or stay: filings and notices, the sealed file, deleted records.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use law::Epoch;
use law::code::{LocalGovernmentCode, RecordCode};
use law::people::Address;
use law::register::{
    Act, CodeOrigin, Edit, Filing, FilingNumber, HouseholdId, Item, MinorKind, Newcomer, Origin,
    Rule, Sheet,
};
use law::time::{Date, Timestamp};
use store::register::{AsOf, Filed, RegisterError, RegisterStore};

use crate::bench::TestToken;

const OLD: &str = "東京都国立市東1丁目2番地の3";
const NEW: &str = "東京都国立市富士見台2丁目4番地の5";

fn city(code: &str) -> LocalGovernmentCode {
    LocalGovernmentCode::parse(code).unwrap()
}

fn code(number: u64) -> RecordCode {
    RecordCode::from_ten_digits(3_141_592_600 + number * 7_919).unwrap()
}

fn day(iso: &str) -> Date {
    Date::parse(iso).unwrap()
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn dice() -> impl FnMut(&mut [u8]) {
    let mut next = 0x9e37_79b9u64;
    move |out| {
        out.iter_mut().for_each(|byte| {
            next = next.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = next.to_be_bytes()[1];
        });
    }
}

/// `key=text` pairs.
fn sheet(pairs: &[&str]) -> Sheet {
    let mut sheet = Sheet::default();
    for pair in pairs {
        let (key, text) = pair.split_once('=').unwrap();
        sheet.put(Item::parse_key(key).unwrap_or_else(|| panic!("{key}")), text);
    }
    sheet
}

fn person(number: u64, origin: CodeOrigin, pairs: &[&str]) -> Newcomer {
    let mut items = sheet(pairs);
    items.put(Item::Code, code(number).expose());
    Newcomer { code: origin, items }
}

fn edit(number: u64, pairs: &[&str]) -> Edit {
    Edit { code: code(number), items: sheet(pairs) }
}

/// An empty register in a folder of its own.
pub(crate) struct Office {
    dir: tempfile::TempDir,
    store: RegisterStore,
    epoch: Epoch,
    filed: u64,
}

impl Office {
    fn new(epoch: Epoch) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("register.db");
        let store = RegisterStore::create(&path, &TestToken(7), city("132152"), epoch, &mut dice());
        Self { dir, store: store.unwrap(), epoch, filed: 0 }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("register.db")
    }

    /// Files under the next number, at noon of the day.
    fn file(&mut self, on: &str, act: Act) -> Result<Filed, RegisterError> {
        self.filed += 1;
        let number = FilingNumber::parse(&format!("F-{:02}", self.filed)).unwrap();
        let now = Timestamp::parse_rfc3339(&format!("{on}T12:00:00+09:00")).unwrap();
        let mut dice = dice();
        (0..self.filed).for_each(|_| dice(&mut [0; 9]));
        self.store.file(&Filing { number, filed_on: day(on), act }, now, &mut dice)
    }

    fn rule(&mut self, on: &str, act: Act) -> Rule {
        match self.file(on, act) {
            Err(RegisterError::Refused(fault)) => fault.rule,
            other => panic!("{other:?}"),
        }
    }

    fn reopen(&self, path: &Path) -> Result<RegisterStore, node::ports::StoreError> {
        RegisterStore::open(path, &TestToken(7), city("132152"), self.epoch)
    }
}

fn resident(number: u64, household: &str, relationship: &str, name: &str) -> Newcomer {
    person(
        number,
        CodeOrigin::Fresh,
        &[
            &format!("household={household}"),
            &format!("relationship={relationship}"),
            &format!("name={name}"),
            "kana=サトウ ハナ",
            "birth=1985-04-01",
            "sex=2",
            &format!("address={OLD}"),
            "domicile=東京都三鷹市下連雀3丁目",
            "domicile_head=佐藤 健一",
        ],
    )
}

fn entry(on: &str, persons: Vec<Newcomer>) -> Act {
    Act::Entry { on: day(on), persons: persons.into_iter().map(with_since).collect() }
}

fn with_since(mut person: Newcomer) -> Newcomer {
    person.items.put_default(Item::ResidentSince, "2015-04-01");
    person
}

/// What a family files over ten years: day, act.
fn chronicle() -> Vec<(&'static str, Act)> {
    let mut all = early_years();
    all.extend(later_years());
    all
}

fn maria() -> Newcomer {
    person(
        5,
        CodeOrigin::Fresh,
        &[
            "household=H-2",
            "relationship=世帯主",
            "name=SANTOS MARIA",
            "kana=サントス マリア",
            "birth=1990-08-15",
            "sex=2",
            "address=東京都国立市中1丁目9番地",
            "nationality=フィリピン",
            "foreign_since=2019-05-01",
            "status=mid-long-term",
            "residence_status=技術・人文知識・国際業務",
            "residence_period=3年",
            "residence_expires=2022-04-20",
            "card_number=AB12345678CD",
        ],
    )
}

fn early_years() -> Vec<(&'static str, Act)> {
    let mitaka = Origin::Domestic {
        address: address("東京都三鷹市下連雀3丁目1番地"),
        municipality: Some(city("132047")),
    };
    let mut grandmother = resident(3, "H-1", "母", "佐藤 和子");
    grandmother.items.put(Item::Birth, "1930-00-00");
    let mut father = resident(1, "H-1", "世帯主", "佐藤 健一");
    father.items.put(Item::Sex, "1");
    father.items.put(Item::Pension, "2005-04-01");
    let mut mother = resident(2, "H-1", "妻（未届）", "鈴木 美咲");
    for mover in [&mut father, &mut mother, &mut grandmother] {
        mover.code = CodeOrigin::Carried;
    }
    let mut child = resident(4, "H-1", "子", "佐藤 陽菜");
    child.items.put(Item::Birth, "2017-06-01");
    vec![
        (
            "2016-04-10",
            Act::MovingIn {
                moved_on: day("2016-04-01"),
                from: mitaka,
                persons: vec![father, mother, grandmother],
            },
        ),
        (
            "2017-01-20",
            Act::Correction {
                on: day("2017-01-18"),
                person: edit(
                    2,
                    &[
                        "name=佐藤 美咲",
                        "former_surname=鈴木",
                        "former_surname_kana=スズキ",
                        "relationship=妻",
                    ],
                ),
            },
        ),
        ("2017-06-05", Act::Birth { person: child }),
        (
            "2018-03-20",
            Act::MovingWithin {
                moved_on: day("2018-03-01"),
                persons: (1..=4).map(|n| edit(n, &[&format!("address={NEW}")])).collect(),
            },
        ),
        (
            "2019-05-07",
            Act::MovingIn {
                moved_on: day("2019-05-01"),
                from: Origin::Abroad { place: address("フィリピン共和国マニラ市") },
                persons: vec![maria()],
            },
        ),
        (
            "2019-08-01",
            Act::AlternativeName {
                on: day("2019-08-01"),
                person: code(5),
                name: Some(sheet(&[
                    "alternative_name=山田 まりあ",
                    "alternative_kana=ヤマダ マリア",
                ])),
            },
        ),
    ]
}

fn later_years() -> Vec<(&'static str, Act)> {
    let on = |iso| day(iso);
    vec![
        (
            "2020-09-01",
            Act::HouseholdChange {
                changed_on: on("2020-09-01"),
                persons: vec![edit(3, &["household=H-3", "relationship=世帯主"])],
            },
        ),
        (
            "2022-04-25",
            Act::ImmigrationNotice {
                on: on("2022-04-20"),
                person: edit(5, &["residence_period=5年", "residence_expires=2027-04-20"]),
            },
        ),
        (
            "2023-05-01",
            Act::CodeChange { on: on("2023-05-01"), person: code(2), new_code: code(22) },
        ),
        ("2024-02-13", Act::Death { died_on: on("2024-02-11"), person: code(1) }),
        (
            "2024-02-20",
            Act::HouseholdChange {
                changed_on: on("2024-02-11"),
                persons: vec![edit(22, &["relationship=世帯主"]), edit(4, &["relationship=子"])],
            },
        ),
        (
            "2024-06-03",
            Act::MinorCorrection {
                on: on("2024-06-01"),
                kind: MinorKind::BuildingName,
                person: edit(22, &[&format!("address={NEW}くにたちハイツ201号")]),
            },
        ),
        (
            "2024-08-20",
            Act::MovingOut {
                leaving_on: on("2024-09-01"),
                to: address("長野県松本市丸の内3番7号"),
                abroad: false,
                persons: vec![code(3)],
            },
        ),
        (
            "2025-04-03",
            Act::NationalityChange {
                on: on("2025-04-01"),
                person: edit(
                    5,
                    &[
                        "name=山田 まりあ",
                        "kana=ヤマダ マリア",
                        "domicile=東京都国立市中1丁目",
                        "domicile_head=山田 まりあ",
                        "resident_since=2019-05-01",
                    ],
                ),
            },
        ),
        ("2025-06-02", entry("2025-06-01", vec![resident(6, "H-4", "世帯主", "田中 太郎")])),
        ("2026-01-10", Act::Deletion { on: on("2026-01-09"), person: code(6) }),
    ]
}

/// What followed from a filing, in one line for each thing.
fn told(text: &mut String, filed: &Filed) {
    let Filed::Done(outcome) = filed else { panic!("filed before") };
    for change in &outcome.changes {
        let name = change.after.name().expose();
        let kind = if change.before.is_none() { "new record" } else { "record" };
        let line = match &change.outgoing {
            None => "no notice".to_owned(),
            Some(out) => {
                let notice = &out.notice;
                let mut line = format!("notice {} on {}", notice.reason.key(), notice.changed_on);
                if notice.foreign {
                    line.push_str(", foreign");
                }
                if notice.previous_code.is_some() {
                    line.push_str(", with the code before");
                }
                if let Some(former) = out.former_municipality {
                    write!(line, ", from {former}").unwrap();
                }
                line
            }
        };
        writeln!(text, "  {name}: {kind}; {line}").unwrap();
    }
    if let Some(late) = outcome.lateness {
        writeln!(text, "  late by {} days ({}, due {})", late.days, late.article, late.due)
            .unwrap();
    }
    for due in &outcome.due {
        writeln!(text, "  {} owes a householder until {}", due.household.as_str(), due.until)
            .unwrap();
    }
    for (_, kind) in &outcome.allotments {
        writeln!(text, "  allotment notice: {kind:?}").unwrap();
    }
}

fn seen(text: &mut String, store: &RegisterStore, iso: &str) {
    writeln!(text, "as of {iso}").unwrap();
    for household in ["H-1", "H-2", "H-3", "H-4"] {
        let id = HouseholdId::parse(household).unwrap();
        for member in store.household(&id, AsOf::day(day(iso))).unwrap() {
            let item = |item| member.resident.sheet().expose_item(item).unwrap_or_default();
            let mut line =
                format!("  {household}  {} {}", item(Item::Relationship), item(Item::Name));
            for (word, other) in [("旧氏", Item::FormerSurname), ("通称", Item::AlternativeName)]
            {
                if !item(other).is_empty() {
                    write!(line, " ({word} {})", item(other)).unwrap();
                }
            }
            writeln!(text, "{line}  {}", item(Item::Address)).unwrap();
        }
    }
}

#[test]
fn a_family_over_ten_years() {
    let mut office = Office::new(Epoch::Today);
    let mut text = String::from("# A family over ten years: what was filed, what followed.\n");
    for (on, act) in chronicle() {
        let key = act.key();
        let filed = office.file(on, act).unwrap_or_else(|error| panic!("{on} {key}: {error}"));
        writeln!(text, "{on} F-{:02} {key}", office.filed).unwrap();
        told(&mut text, &filed);
    }
    for iso in [
        "2016-03-31",
        "2016-05-01",
        "2018-02-28",
        "2018-06-01",
        "2019-12-31",
        "2022-01-01",
        "2024-02-15",
        "2024-08-25",
        "2024-09-01",
        "2026-01-08",
        "2026-06-01",
    ] {
        seen(&mut text, &office.store, iso);
    }
    let late = office.store.late_filings(day("2026-06-01")).unwrap();
    writeln!(text, "late: {:?}", late.iter().map(|each| &each.number).collect::<Vec<_>>()).unwrap();
    writeln!(text, "outbox").unwrap();
    for iso in ["2024-08-25", "2024-09-01", "2026-06-01"] {
        let rows = office.store.outbox(day(iso)).unwrap();
        let waiting = office.store.outbox_count().unwrap();
        let (first, last) = (rows[0].sequence, rows[rows.len() - 1].sequence);
        writeln!(text, "  on {iso}: {first} to {last}, {waiting} wait in all").unwrap();
        assert_eq!(last - first + 1, rows.len() as u64, "numbers without gaps");
    }
    golden("register-family.txt", &text);
}

fn golden(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden").join(name);
    if std::env::var("JUKINET_GOLDEN").as_deref() == Ok("write") {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == text, "golden/{name} differs; this run made:\n{text}");
}

#[test]
fn what_was_known_then_can_still_be_read() {
    let mut office = Office::new(Epoch::Today);
    chronicle().into_iter().take(4).for_each(|(on, act)| {
        office.file(on, act).unwrap();
    });
    let before_filing = Timestamp::parse_rfc3339("2018-03-19T00:00:00Z").unwrap();
    let address = |known| {
        let at = AsOf { day: day("2018-03-10"), known };
        let version = office.store.by_code(&code(1), at).unwrap().unwrap();
        version.resident.four().address.expose().to_owned()
    };
    assert_eq!(address(None), NEW, "moved on the first, filed on the twentieth");
    assert_eq!(address(Some(before_filing)), OLD);
    let name = law::people::Name::parse("佐藤 美咲").unwrap();
    let birth = law::people::BirthDate::parse("1985-04-01").unwrap();
    let found = |iso| office.store.by_name_birth(&name, &birth, AsOf::day(day(iso))).unwrap().len();
    assert_eq!((found("2016-12-31"), found("2017-02-01")), (0, 1), "found by what stood then");
}

#[test]
fn a_filing_counts_once_and_a_refused_one_leaves_nothing() {
    let mut office = Office::new(Epoch::Today);
    let act = entry("2016-04-01", vec![resident(1, "H-1", "世帯主", "佐藤 花")]);
    office.file("2016-04-01", act.clone()).unwrap();
    office.filed -= 1;
    assert!(matches!(office.file("2016-04-01", act.clone()), Ok(Filed::Before)));
    assert_eq!(office.rule("2016-04-02", act), Rule::CodeNotNew);
    // The second person of a filing breaks a rule: the first is not entered either.
    let two = vec![resident(2, "H-2", "世帯主", "一"), resident(1, "H-3", "世帯主", "二")];
    assert_eq!(office.rule("2016-04-03", entry("2016-04-01", two)), Rule::CodeNotNew);
    let at = AsOf::day(day("2020-01-01"));
    assert!(office.store.by_code(&code(2), at).unwrap().is_none());
    assert_eq!(office.store.outbox_count().unwrap(), 1);
}

#[test]
fn a_code_once_written_is_never_given_again() {
    let mut office = Office::new(Epoch::Today);
    let act = entry("2016-04-01", vec![resident(1, "H-1", "世帯主", "佐藤 花")]);
    office.file("2016-04-01", act).unwrap();
    let change =
        |new| Act::CodeChange { on: day("2016-05-01"), person: code(1), new_code: code(new) };
    assert_eq!(office.rule("2016-05-01", change(1)), Rule::CodeNotNew);
    office.file("2016-05-01", change(2)).unwrap();
    let back = Act::CodeChange { on: day("2016-06-01"), person: code(2), new_code: code(1) };
    assert_eq!(office.rule("2016-06-01", back), Rule::CodeNotNew);
    let at = |iso| office.store.by_code(&code(1), AsOf::day(day(iso))).unwrap().is_some();
    assert_eq!((at("2016-04-15"), at("2016-05-15")), (true, false), "the old code leads nowhere");
}

#[test]
fn what_the_server_refused_gets_another_number_and_the_rest_is_done() {
    let mut office = Office::new(Epoch::Today);
    for n in 1..=4 {
        let person = resident(n, &format!("H-{n}"), "世帯主", "佐藤 花");
        office.file("2016-04-01", entry("2016-04-01", vec![person])).unwrap();
    }
    let on = day("2016-04-02");
    let first = office.store.outbox(on).unwrap();
    assert_eq!(first, office.store.outbox(on).unwrap(), "the same rows until they are marked");
    let marked = office.store.mark_sent(4, &[1]).unwrap();
    assert_eq!((marked.taken, marked.refused), (3, 1));
    let again = office.store.outbox(on).unwrap();
    let numbers: Vec<u64> = again.iter().map(|row| row.sequence).collect();
    assert_eq!(numbers, [5]);
    assert_eq!(again[0].outgoing, first[1].outgoing);
    assert!(office.store.mark_sent(2, &[]).is_err(), "more than wait");
}

#[test]
fn a_log_torn_anywhere_gives_whole_filings_with_their_notices() {
    let mut office = Office::new(Epoch::Today);
    for n in 1..=6 {
        let person = resident(n, &format!("H-{n}"), "世帯主", "佐藤 花");
        office.file("2016-04-01", entry("2016-04-01", vec![person])).unwrap();
    }
    let database = fs::read(office.path()).unwrap();
    let log = fs::read(office.dir.path().join("register.db-wal")).unwrap();
    let mut states = std::collections::BTreeSet::new();
    for cut in (0..=log.len()).step_by(log.len() / 60) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("register.db");
        fs::write(&path, &database).unwrap();
        fs::write(dir.path().join("register.db-wal"), &log[..cut]).unwrap();
        let Ok(store) = office.reopen(&path) else { continue };
        let at = AsOf::day(day("2020-01-01"));
        let held = (1..=6).filter(|n| store.by_code(&code(*n), at).unwrap().is_some()).count();
        assert_eq!(store.outbox_count().unwrap(), held as u64, "cut at {cut}");
        states.insert(held);
    }
    assert!(states.len() > 3, "the cuts fell between filings: {states:?}");
}

#[test]
fn the_file_is_sealed_and_opens_for_its_office_only() {
    let mut office = Office::new(Epoch::Today);
    for (on, act) in chronicle() {
        office.file(on, act).unwrap();
    }
    let needles =
        ["佐藤", "美咲", "富士見台", "SANTOS", "フィリピン", "AB12345678CD", "1985-04-01"];
    let codes: Vec<String> = (1..=6).map(|n| code(n).expose().to_owned()).collect();
    for name in ["register.db", "register.db-wal", "register.db-shm"] {
        let bytes = fs::read(office.dir.path().join(name)).unwrap();
        for needle in needles.into_iter().chain(codes.iter().map(String::as_str)) {
            let found = bytes.windows(needle.len()).any(|part| part == needle.as_bytes());
            assert!(!found, "{needle} stands in {name}");
        }
    }
    let path = office.path();
    assert!(office.reopen(&path).is_err(), "one process at a time");
    drop(office);
    let open =
        |token, town| RegisterStore::open(&path, &TestToken(token), city(town), Epoch::Today);
    assert!(open(8, "132152").is_err() && open(7, "132047").is_err());
}

#[test]
fn deleted_records_are_kept_five_years_and_then_erased() {
    let mut office = Office::new(Epoch::Founding);
    let persons =
        vec![resident(1, "H-1", "世帯主", "佐藤 花"), resident(2, "H-1", "妻", "佐藤 咲")];
    office.file("2005-04-01", entry("2005-04-01", persons)).unwrap();
    let death = Act::Death { died_on: day("2008-02-29"), person: code(1) };
    office.file("2008-03-01", death).unwrap();
    let at = AsOf::day(day("2008-06-01"));
    let widow = office.store.by_code(&code(2), at).unwrap().unwrap();
    assert!(widow.resident.is_householder(), "the one who remains, without a filing (令25条)");
    assert_eq!(office.store.erase_deleted(day("2013-02-28")).unwrap().records, 0);
    assert!(office.store.by_code(&code(1), at).unwrap().is_some());
    let erased = office.store.erase_deleted(day("2013-03-01")).unwrap();
    assert_eq!((erased.records, erased.versions), (1, 2));
    assert!(office.store.history(&code(1)).unwrap().is_empty());
    assert!(office.store.by_code(&code(2), at).unwrap().is_some(), "the living stay");
}

#[test]
fn a_planned_moving_out_is_told_on_its_day_or_taken_back_before_it() {
    let mut office = Office::new(Epoch::Today);
    let persons =
        vec![resident(1, "H-1", "世帯主", "佐藤 花"), resident(2, "H-1", "妻", "佐藤 咲")];
    office.file("2016-04-01", entry("2016-04-01", persons)).unwrap();
    let leave = |on| Act::MovingOut {
        leaving_on: day(on),
        to: address("長野県松本市丸の内3番7号"),
        abroad: false,
        persons: vec![code(1)],
    };
    office.file("2016-05-01", leave("2016-05-20")).unwrap();
    assert_eq!(office.store.outbox_count().unwrap(), 3);
    let stay = |relationship| Act::MovingOutWithdrawn {
        on: day("2016-05-10"),
        persons: vec![edit(1, &[]), edit(2, &[relationship])],
    };
    // The wife is householder from the twentieth; one of the two has to be.
    assert_eq!(office.rule("2016-05-10", stay("household=H-1")), Rule::NothingChanged);
    assert_eq!(office.rule("2016-05-20", stay("relationship=妻")), Rule::AlreadyLeft);
    office.file("2016-05-10", stay("relationship=妻")).unwrap();
    assert_eq!(office.store.outbox_count().unwrap(), 2, "the moving-out is not told");
    let id = HouseholdId::parse("H-1").unwrap();
    let members = office.store.household(&id, AsOf::day(day("2016-06-01"))).unwrap();
    let heads = members.iter().filter(|member| member.resident.is_householder()).count();
    assert_eq!((members.len(), heads), (2, 1));
    office.file("2016-06-01", leave("2016-06-10")).unwrap();
    assert_eq!(office.store.outbox(day("2016-06-09")).unwrap().len(), 2);
    let rows = office.store.outbox(day("2016-06-10")).unwrap();
    assert_eq!(rows.last().map(|row| row.outgoing.notice.changed_on), Some(day("2016-06-10")));
}
