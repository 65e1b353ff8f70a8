//! The register's rules, each by an example that breaks it: filings, terms, reasons, copies.

use law::Epoch;
use law::change::ChangeReason as R;
use law::code::{LocalGovernmentCode, RecordCode};
use law::people::Address;
use law::register::{
    Act, CodeOrigin, Context, CopyRequest, Edit, Extra, Fault, Filing, FilingNumber, Group, Item,
    MinorKind, Newcomer, Origin, Outcome, RecordCopy, Requester, ResidentRecord, Residents, Rule,
    Sheet, apply, deleted_kept_until,
};
use law::time::Date;

fn code(number: u64) -> RecordCode {
    RecordCode::from_ten_digits(1_618_033_900 + number).unwrap()
}

fn day(iso: &str) -> Date {
    Date::parse(iso).unwrap()
}

fn sheet(pairs: &[&str]) -> Sheet {
    let mut sheet = Sheet::default();
    for pair in pairs {
        let (key, text) = pair.split_once('=').unwrap();
        sheet.put(Item::parse_key(key).unwrap(), text);
    }
    sheet
}

fn items(number: u64, more: &[&str]) -> Sheet {
    let mut items = sheet(&[
        "name=住基 花子",
        "kana=ジュウキ ハナコ",
        "birth=1985-04-01",
        "sex=2",
        "address=東京都国立市東1丁目2番地",
        "household=H-1",
        "relationship=世帯主",
    ]);
    items.put(Item::Code, code(number).expose());
    for pair in more {
        let (key, text) = pair.split_once('=').unwrap();
        items.put(Item::parse_key(key).unwrap(), text);
    }
    items
}

const JAPANESE: [&str; 2] = ["domicile=none", "resident_since=2001-04-01"];
const FOREIGN: [&str; 4] = [
    "nationality=韓国",
    "foreign_since=2013-01-01",
    "status=special-permanent",
    "card_number=AB12345678CD",
];

fn japanese(number: u64, more: &[&str]) -> Sheet {
    let more: Vec<&str> = JAPANESE.iter().chain(more).copied().collect();
    items(number, &more)
}

fn foreign(number: u64, more: &[&str]) -> Sheet {
    let more: Vec<&str> = FOREIGN.iter().chain(more).copied().collect();
    items(number, &more)
}

/// Persons 1 to 3 of household H-1, the last one foreign.
fn known(epoch: Epoch) -> Residents {
    let sheets = [
        japanese(1, &[]),
        japanese(2, &["relationship=夫", "sex=1"]),
        foreign(3, &["relationship=同居人"]),
    ];
    let records = sheets.iter().map(|sheet| ResidentRecord::parse(sheet, epoch).unwrap());
    Residents { records: records.collect(), written: vec![code(1), code(2), code(3)] }
}

fn filed(epoch: Epoch, on: &str, act: Act) -> Result<Outcome, Fault> {
    let number = FilingNumber::parse("1").unwrap();
    let municipality = LocalGovernmentCode::parse("132152").unwrap();
    let filing = Filing { number, filed_on: day(on), act };
    apply(&known(epoch), &filing, &Context { municipality, epoch })
}

fn reasons(epoch: Epoch, act: Act) -> Vec<R> {
    let outcome = filed(epoch, "2014-06-01", act).unwrap();
    let notices = outcome.changes.iter().filter_map(|change| change.outgoing.as_ref());
    notices.map(|outgoing| outgoing.notice.reason).collect()
}

fn newcomer(items: Sheet) -> Newcomer {
    Newcomer { code: CodeOrigin::Fresh, items }
}

fn moving_in(items: Sheet, from: Origin) -> Act {
    Act::MovingIn { moved_on: day("2014-06-01"), from, persons: vec![newcomer(items)] }
}

fn abroad() -> Origin {
    Origin::Abroad { place: Address::parse("大韓民国ソウル").unwrap() }
}

fn inland() -> Origin {
    let address = Address::parse("長野県松本市丸の内3番7号").unwrap();
    Origin::Domestic { address, municipality: None }
}

fn edit(number: u64, pairs: &[&str]) -> Edit {
    Edit { code: code(number), items: sheet(pairs) }
}

fn correction(person: Edit) -> Act {
    Act::Correction { on: day("2014-06-01"), person }
}

fn moving_out(abroad: bool, on: &str) -> Act {
    let to = Address::parse("長野県松本市丸の内3番7号").unwrap();
    Act::MovingOut { leaving_on: day(on), to, abroad, persons: vec![code(2)] }
}

#[test]
fn each_act_is_told_by_the_reason_of_its_epoch() {
    use Epoch::{Founding, Today};
    let alone = |n: u64| japanese(n, &["household=H-9"]);
    let stranger = |n: u64| foreign(n, &["household=H-9"]);
    let both = |act: Act| (reasons(Founding, act.clone()), reasons(Today, act));
    let on = day("2014-06-01");
    let same = |reason| (vec![reason], vec![reason]);
    assert_eq!(both(moving_in(alone(9), inland())), same(R::MovedIn));
    let from_abroad = (vec![R::MovedIn], vec![R::MovedInFromAbroad]);
    assert_eq!(both(moving_in(alone(9), abroad())), from_abroad);
    assert_eq!(both(moving_in(stranger(9), Origin::NewStatus)), from_abroad);
    assert_eq!(both(moving_out(false, "2014-06-01")), same(R::MovedOut));
    let left = (vec![R::MovedOut], vec![R::MovedOutAbroad]);
    assert_eq!(both(moving_out(true, "2014-06-01")), left);
    let child = japanese(9, &["birth=2014-05-30", "relationship=子"]);
    assert_eq!(both(Act::Birth { person: newcomer(child) }), same(R::Born));
    assert_eq!(both(Act::Death { died_on: on, person: code(2) }), same(R::Died));
    let gone = Act::Deletion { on, person: code(2) };
    assert_eq!(both(gone), same(R::DeletedExOfficio));
    let change = Act::CodeChange { on, person: code(1), new_code: code(9) };
    assert_eq!(both(change), same(R::CodeChangedOnRequest));
    let mended = Act::CodeCorrection { on, person: code(1), new_code: code(9) };
    assert_eq!(both(mended), same(R::CodeEnteredExOfficio));
    let now = edit(3, &["domicile=none", "resident_since=2013-01-01"]);
    let naturalised = Act::NationalityChange { on, person: now };
    let old = vec![R::DeletedExOfficio, R::EnteredExOfficio];
    let new = vec![R::NaturalisationDeleted, R::NaturalisationEntered];
    assert_eq!(both(naturalised), (old.clone(), new));
    let lost =
        edit(2, &["nationality=韓国", "foreign_since=2014-06-01", "status=transitional-loss"]);
    let new = vec![R::NationalityLossDeleted, R::NationalityLossEntered];
    assert_eq!(both(Act::NationalityChange { on, person: lost }), (old, new));
}

#[test]
fn only_what_the_network_can_see_is_told() {
    let epoch = Epoch::Founding;
    for quiet in ["welfare=見守り", "voter=yes", "pension=2005-04-01", "domicile=unknown"] {
        assert_eq!(reasons(epoch, correction(edit(1, &[quiet]))), [], "{quiet}");
    }
    for seen in ["name=住基 華子", "kana=ジュウキ ハルコ", "birth=1985-04-02", "sex=1"] {
        assert_eq!(reasons(epoch, correction(edit(1, &[seen]))), [R::CorrectedExOfficio], "{seen}");
    }
    let split = edit(2, &["household=H-2", "relationship=世帯主"]);
    let act = Act::HouseholdChange { changed_on: day("2014-06-01"), persons: vec![split] };
    assert_eq!(reasons(epoch, act), [], "a household is the municipality's own");
    let longer = Act::ImmigrationNotice {
        on: day("2014-06-01"),
        person: edit(3, &["card_number=XY87654321ZW"]),
    };
    assert_eq!(reasons(epoch, longer), []);
    let name = Some(sheet(&["alternative_name=金田 花"]));
    let alternative = Act::AlternativeName { on: day("2014-06-01"), person: code(3), name };
    assert_eq!(reasons(epoch, alternative), [R::CorrectedExOfficio]);
}

type Case = (Act, &'static str, Rule);

/// Rules about those who get a record.
fn newcomers_refused() -> Vec<Case> {
    let on = day("2014-06-01");
    let alone = |more: &[&str]| {
        let more: Vec<&str> = more.iter().copied().chain(["household=H-9"]).collect();
        japanese(9, &more)
    };
    let carried = Newcomer { code: CodeOrigin::Carried, items: japanese(1, &["household=H-9"]) };
    let entry = |persons| Act::Entry { on, persons };
    vec![
        (moving_in(items(9, &["household=H-9"]), inland()), "domicile", Rule::Missing),
        (moving_in(alone(&["birth=1985-02-30"]), inland()), "birth", Rule::Malformed),
        (
            moving_in(alone(&["card_number=AB12345678CD"]), inland()),
            "card_number",
            Rule::NotOfThisRecord,
        ),
        (
            moving_in(foreign(9, &["residence_status=留学"]), abroad()),
            "residence_status",
            Rule::NotOfThisRecord,
        ),
        (moving_in(alone(&["former_surname=旧"]), inland()), "former_surname", Rule::NotOfThisLaw),
        (
            moving_in(alone(&["address=長野県松本市1番"]), inland()),
            "address",
            Rule::AddressElsewhere,
        ),
        (moving_in(alone(&[]), Origin::NewStatus), "nationality", Rule::NotForeign),
        (moving_in(japanese(9, &[]), inland()), "relationship", Rule::HouseholderTwice),
        (
            moving_in(alone(&["relationship=子"]), inland()),
            "relationship",
            Rule::HouseholderMissing,
        ),
        (entry(vec![newcomer(japanese(1, &["household=H-9"]))]), "new_code", Rule::CodeNotNew),
        (entry(vec![carried]), "code", Rule::AlreadyRecorded),
        (entry(vec![newcomer(alone(&[])), newcomer(alone(&[]))]), "persons", Rule::NamedTwice),
        (entry(Vec::new()), "persons", Rule::Missing),
        (
            entry((20..71).map(|n| newcomer(japanese(n, &[]))).collect()),
            "persons",
            Rule::TooManyPersons,
        ),
    ]
}

/// Rules about those who have one.
fn residents_refused() -> Vec<Case> {
    let on = day("2014-06-01");
    let within = |pair| Act::MovingWithin { moved_on: on, persons: vec![edit(1, &[pair])] };
    let minor =
        |pair| Act::MinorCorrection { on, kind: MinorKind::BuildingName, person: edit(1, &[pair]) };
    vec![
        (Act::CodeChange { on, person: code(1), new_code: code(2) }, "new_code", Rule::CodeNotNew),
        (Act::MovingOutWithdrawn { on, persons: vec![edit(9, &[])] }, "code", Rule::NotRecorded),
        (within("relationship=妻"), "address", Rule::Missing),
        (within("address=東京都国立市東1丁目2番地"), "address", Rule::AddressUnchanged),
        (within("name=別 人"), "name", Rule::ItemNotAllowed),
        (minor("name=住基 華子"), "name", Rule::ItemNotAllowed),
        (correction(edit(1, &["sex=2"])), "items", Rule::NothingChanged),
        (correction(edit(9, &["sex=1"])), "code", Rule::NotRecorded),
        (correction(edit(1, &["code=12345678903"])), "code", Rule::CodeByCorrection),
        (
            correction(edit(3, &["alternative_name=金田 花"])),
            "alternative_name",
            Rule::ItemNotAllowed,
        ),
        (correction(edit(1, &["deleted_by=died"])), "deleted_by", Rule::ItemNotAllowed),
        (Act::AlternativeName { on, person: code(1), name: None }, "nationality", Rule::NotForeign),
        (
            Act::AlternativeName { on, person: code(3), name: None },
            "alternative_name",
            Rule::NothingChanged,
        ),
        (
            Act::Death { died_on: day("2014-06-02"), person: code(1) },
            "filed_on",
            Rule::NotYetHappened,
        ),
        (
            Act::Death { died_on: day("1985-03-31"), person: code(1) },
            "birth",
            Rule::NoticeImpossible,
        ),
    ]
}

#[test]
fn every_rule_refuses_by_its_name() {
    for (act, field, rule) in newcomers_refused().into_iter().chain(residents_refused()) {
        let key = act.key();
        let fault = filed(Epoch::Founding, "2014-06-01", act).map(|_| ()).unwrap_err();
        assert_eq!((fault.field, fault.rule), (field, rule), "{key}: {fault}");
        let told = fault.to_string();
        assert!(told.contains(rule.key()) && told.contains(rule.law()), "{told}");
    }
    let flip = [
        "nationality=韓国",
        "foreign_since=2014-06-01",
        "status=transitional-loss",
        "domicile=",
        "resident_since=",
    ];
    let fault = filed(Epoch::Founding, "2014-06-01", correction(edit(1, &flip))).unwrap_err();
    assert_eq!(fault.rule, Rule::NationalityByCorrection);
}

#[test]
fn terms_end_on_their_last_day() {
    let moved = |filed_on: &str| {
        let persons =
            vec![edit(2, &["address=東京都国立市西1丁目", "household=H-9", "relationship=世帯主"])];
        let act = Act::MovingWithin { moved_on: day("2014-05-01"), persons };
        filed(Epoch::Founding, filed_on, act).unwrap().lateness
    };
    assert_eq!(moved("2014-05-15"), None, "the fourteenth day, the first not counted");
    let late = moved("2014-05-16").unwrap();
    assert_eq!((late.article, late.due, late.days), ("法23条", day("2014-05-15"), 1));
    let left = |on| filed(Epoch::Founding, "2014-06-01", moving_out(false, on)).unwrap().lateness;
    assert_eq!(left("2014-06-20"), None, "beforehand");
    assert_eq!(left("2014-06-01"), None);
    assert_eq!(left("2014-05-31").map(|late| (late.article, late.days)), Some(("法24条", 1)));
    let until = |epoch| deleted_kept_until(day("2012-02-29"), epoch).unwrap();
    assert_eq!(until(Epoch::Founding), day("2017-02-28"));
    assert_eq!(until(Epoch::Today), day("2162-02-28"));
}

#[test]
fn a_household_without_a_householder_owes_a_filing_unless_one_remains() {
    let died = |number| Act::Death { died_on: day("2014-06-01"), person: code(number) };
    let outcome = filed(Epoch::Founding, "2014-06-01", died(1)).unwrap();
    assert_eq!(outcome.due.len(), 1, "two remain");
    assert_eq!(outcome.due[0].until, day("2014-06-15"));
    let to = Address::parse("長野県松本市1番").unwrap();
    let leaving = Act::MovingOut {
        leaving_on: day("2014-06-01"),
        to,
        abroad: false,
        persons: vec![code(1), code(2)],
    };
    let outcome = filed(Epoch::Founding, "2014-06-01", leaving).unwrap();
    assert!(outcome.due.is_empty());
    let last = outcome.changes.last().unwrap();
    assert!(last.after.is_householder() && last.outgoing.is_none(), "令25条: without a filing");
    assert_eq!(*last.after.code(), code(3));
}

#[test]
fn alternative_names_keep_their_history() {
    let on = day("2014-06-01");
    let name = Some(sheet(&["alternative_name=金田 花", "alternative_kana=カネダ ハナ"]));
    let act = Act::AlternativeName { on, person: code(3), name };
    let record = filed(Epoch::Founding, "2014-06-01", act).unwrap().changes.remove(0).after;
    let history = record.sheet().expose_item(Item::AlternativeHistory);
    assert_eq!(history, Some("記載\t国立市\t2014-06-01"));
    let mut state = known(Epoch::Founding);
    state.records[2] = record;
    let act = Act::AlternativeName { on, person: code(3), name: None };
    let filing = Filing { number: FilingNumber::parse("2").unwrap(), filed_on: on, act };
    let municipality = LocalGovernmentCode::parse("132152").unwrap();
    let context = Context { municipality, epoch: Epoch::Founding };
    let record = apply(&state, &filing, &context).unwrap().changes.remove(0).after;
    assert!(!record.sheet().has(Item::AlternativeName));
    let history = record.sheet().expose_item(Item::AlternativeHistory).unwrap();
    assert_eq!(history.lines().last(), Some("削除\t国立市\t2014-06-01\t金田　花"));
}

#[test]
fn a_copy_shows_what_was_asked_for_and_the_code_to_nobody_outside() {
    let epoch = Epoch::Founding;
    let full =
        ["voter=yes", "pension=2005-04-01", "welfare=見守り", "former_address=長野県松本市1番"];
    let record = ResidentRecord::parse(&japanese(1, &full), epoch).unwrap();
    let shown = |requester, with: &[Extra]| {
        let request = CopyRequest { requester, with: with.to_vec() };
        RecordCopy::of(&record, Some(record.name()), &request)
            .map(|copy| copy.expose_lines().map(|(label, _)| label).collect::<Vec<_>>())
    };
    let basic = shown(Requester::ThirdParty, &[]).unwrap();
    let wanted = [
        "氏名",
        "氏名の振り仮名",
        "出生の年月日",
        "男女の別",
        "住民となつた年月日",
        "住所",
        "従前の住所",
    ];
    assert_eq!(basic, wanted, "基礎証明事項 (12条の3)");
    assert_eq!(shown(Requester::Household, &[]).unwrap(), basic, "12条5項");
    let all = shown(Requester::Household, &Extra::ALL).unwrap();
    let given = record.sheet().items().filter(|item| item.group() != Group::Arrangement);
    assert_eq!(all.len(), given.count() + 1, "and the householder's name");
    for outside in [Requester::ThirdParty, Requester::Organ] {
        let fault = shown(outside, &[Extra::Domicile, Extra::Code]).unwrap_err();
        assert_eq!((fault.field, fault.rule), ("code", Rule::CodeToOthers));
        let most: Vec<Extra> =
            Extra::ALL.into_iter().filter(|extra| *extra != Extra::Code).collect();
        assert!(!shown(outside, &most).unwrap().contains(&"住民票コード"));
    }
}

#[test]
fn nothing_of_a_record_is_printed_by_accident() {
    let act = moving_in(japanese(9, &["household=H-9"]), inland());
    let outcome = filed(Epoch::Founding, "2014-06-01", act.clone()).unwrap();
    let printed = format!("{outcome:?} {act:?} {:?}", known(Epoch::Founding));
    let child = japanese(9, &["birth=2014-05-30", "relationship=子"]);
    let born = filed(Epoch::Founding, "2014-06-01", Act::Birth { person: newcomer(child) });
    let printed = format!("{printed} {born:?}");
    for text in ["花子", "2014", "国立市", "1985", "H-9", "none", code(9).expose(), "松本"] {
        assert!(!printed.contains(text), "{text} in {printed}");
    }
}
