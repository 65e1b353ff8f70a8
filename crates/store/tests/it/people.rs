//! Made-up people and entries for the tests: everything follows from a number.

use law::affair::Epoch;
use law::change::ChangeReason;
use law::code::{LocalGovernmentCode, RecordCode};
use law::inquiry::{Held, LastChange};
use law::people::{Address, BirthDate, FourItems, IdentityInformation, Kana, Name, Sex};
use law::retention::{Regime, Tier};
use law::time::{Date, Timestamp};
use ledger::entry::{Entry, EntryKind};
use node::ports::{ForeignEntry, HistoryRow, Leaf, NewEntry};

/// 2026-11-22T01:00:00Z.
pub(crate) const NOW: Timestamp = Timestamp(1_795_309_200_000);

/// The last day of keeping what a notice received now replaced, then.
pub(crate) fn kept() -> Date {
    kept_after(NOW)
}

pub(crate) fn kept_after(at: Timestamp) -> Date {
    Regime { tier: Tier::Center, epoch: Epoch::Founding }.superseded(at.date_in_japan())
}

const FAMILIES: [(&str, &str); 8] = [
    ("佐藤", "サトウ"),
    ("鈴木", "スズキ"),
    ("髙橋", "タカハシ"),
    ("田中", "タナカ"),
    ("渡邉", "ワタナベ"),
    ("伊藤", "イトウ"),
    ("山本", "ヤマモト"),
    ("齋藤", "サイトウ"),
];
const GIVEN: [(&str, &str); 7] = [
    ("太郎", "タロウ"),
    ("花子", "ハナコ"),
    ("一郎", "イチロウ"),
    ("美咲", "ミサキ"),
    ("健", "ケン"),
    ("さくら", "サクラ"),
    ("翔太", "ショウタ"),
];

pub(crate) fn code(number: u64) -> RecordCode {
    // Spread out, so that no code is a run of zeros that any file contains.
    RecordCode::from_ten_digits((number * 7_919 + 1_234_567_891) % 10_000_000_000).unwrap()
}

pub(crate) fn municipality(text: &str) -> LocalGovernmentCode {
    LocalGovernmentCode::parse(text).unwrap()
}

pub(crate) fn identity(number: u64) -> IdentityInformation {
    let pick = |n: u64, of: usize| usize::try_from(n).unwrap() % of;
    let (family, family_kana) = FAMILIES[pick(number, FAMILIES.len())];
    let (given, given_kana) = GIVEN[pick(number / 8, GIVEN.len())];
    IdentityInformation {
        code: code(number),
        items: FourItems {
            name: Name::parse(&format!("{family}　{given}")).unwrap(),
            kana: Kana::parse(&format!("{family_kana}　{given_kana}")).unwrap(),
            address: Address::parse(&format!(
                "東京都国立市富士見台{}丁目{}番地の{}",
                number % 4 + 1,
                number / 4 % 50 + 1,
                number % 30 + 1
            ))
            .unwrap(),
            sex: if number.is_multiple_of(2) { Sex::Male } else { Sex::Female },
            birth: BirthDate::parse(&format!(
                "19{:02}-{:02}-{:02}",
                number % 90 + 10,
                number % 12 + 1,
                number % 28 + 1
            ))
            .unwrap(),
        },
        municipality: municipality(if number.is_multiple_of(3) { "132047" } else { "132152" }),
        other_names: law::people::OtherNames::default(),
    }
}

pub(crate) fn held(number: u64) -> Held {
    let on = Date::parse("2026-11-01").unwrap();
    Held {
        identity: identity(number),
        change: Some(LastChange { reason: ChangeReason::MovedIn, on, foreign: false }),
        removed: false,
    }
}

/// The same person at another address.
pub(crate) fn moved(number: u64, address: &str) -> Held {
    let mut held = held(number);
    held.identity.items.address = Address::parse(address).unwrap();
    held
}

pub(crate) fn removed(number: u64) -> Held {
    Held { removed: true, ..held(number) }
}

pub(crate) fn history(number: u64, at: Timestamp) -> HistoryRow {
    HistoryRow {
        before: held(number),
        reason: ChangeReason::MovedWithin,
        on: Date::parse("2026-11-10").unwrap(),
        recorded_at: at,
    }
}

pub(crate) fn entry_text(number: u64, at: Timestamp) -> Vec<u8> {
    Entry::build(EntryKind::Started, at, "center").count(number).finish().unwrap().encode()
}

pub(crate) fn provision_text(subject: &RecordCode, number: u64, at: Timestamp) -> Vec<u8> {
    Entry::build(EntryKind::Provision, at, "center")
        .asker("agency:A074")
        .affair("1-74-3")
        .case(format!("case {number}"))
        .request(&[9; 32])
        .subject(subject)
        .finish()
        .unwrap()
        .encode()
}

/// One entry with one leaf about each of these people, or one about nobody.
pub(crate) fn entry(id: u64, subjects: &[u64]) -> NewEntry {
    let about = |number: &u64| Leaf {
        subject: Some(code(*number)),
        entry: provision_text(&code(*number), id, NOW),
    };
    let mut leaves: Vec<Leaf> = subjects.iter().map(about).collect();
    if leaves.is_empty() {
        leaves.push(Leaf { subject: None, entry: entry_text(id, NOW) });
    }
    NewEntry { id: ledger::EntryId(id), leaves }
}

pub(crate) fn foreign(number: u64, at: Timestamp) -> ForeignEntry {
    ForeignEntry {
        ledger: "jukinet.example/center".into(),
        entry: provision_text(&code(number), number, at),
        salt: [7; 32],
        proof: "c2sp.org/tlog-proof@v1\n".into(),
    }
}
