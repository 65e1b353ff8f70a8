//! Entries: one text each, strictly read, bounded, and without a place for anyone's name.
//!
//! Not here: rows with proofs (`rows`).

use law::code::RecordCode;
use law::time::Timestamp;
use ledger::entry::{ENTRY_BYTES_MAX, EntryError, recordable};
use ledger::sentence::{Lang, Words, sentence};
use ledger::{Entry, EntryKind, commitment};
use proptest::prelude::*;

const AT: Timestamp = Timestamp(1_795_309_380_000);

pub(crate) fn provision() -> Entry {
    Entry::build(EntryKind::Provision, AT, "center")
        .asker("agency:A074")
        .terminal("terminal-agency-1")
        .card("MHLW-0007")
        .affair("1-74-3")
        .case("令和8年第12号")
        .channel("immediate")
        .mode("name-birth")
        .items("name,address,sex,birth")
        .request(&[0xab; 32])
        .subject(&RecordCode::from_ten_digits(1_234_567_890).unwrap())
        .finish()
        .unwrap()
}

#[test]
fn an_entry_reads_as_a_document() {
    let code = RecordCode::from_ten_digits(1_234_567_890).unwrap();
    let expected = format!(
        "jukinet-entry/1\nkind provision\nat 2026-11-22T01:03:00.000Z\nnode center\n\
         asker agency:A074\nterminal terminal-agency-1\ncard MHLW-0007\naffair 1-74-3\n\
         case 令和8年第12号\nchannel immediate\nmode name-birth\nitems name,address,sex,birth\n\
         request {}\nresident {}\n",
        "ab".repeat(32),
        code.expose()
    );
    let entry = provision();
    assert_eq!(String::from_utf8(entry.encode()).unwrap(), expected);
    assert_eq!(Entry::parse(expected.as_bytes()).unwrap(), entry);
    assert_eq!(entry.subject(), Some(code));
    assert_eq!(entry.case(), Some("令和8年第12号"));
    assert_eq!(entry.request(), Some("ab".repeat(32).as_str()));
}

#[test]
fn debug_does_not_say_whom_it_is_about() {
    let entry = provision();
    let code = entry.subject().unwrap();
    let printed = format!("{entry:?}");
    assert!(!printed.contains(code.expose()), "{printed}");
    assert!(printed.contains("1-74-3") && printed.contains("RecordCode(…)"));
    let builder = Entry::build(EntryKind::ViewOpened, AT, "prefecture-13").subject(&code);
    assert!(!format!("{builder:?}").contains(code.expose()));
}

#[test]
fn malformed_texts_are_refused() {
    let good = String::from_utf8(provision().encode()).unwrap();
    for (from, to) in [
        ("jukinet-entry/1", "jukinet-entry/2"),
        ("kind provision", "kind gift"),
        ("kind provision", "kind Provision"),
        ("kind provision\n", ""),
        ("node center\n", "node center\nnode center\n"),
        ("asker agency:A074\n", "asker agency:A074\nasker agency:A074\n"),
        ("asker agency:A074\n", "asker  agency:A074\n"),
        ("asker agency:A074\n", "asker\n"),
        ("asker agency:A074\n", "asker \n"),
        ("asker agency:A074\n", ""),
        ("asker agency:A074\nterminal terminal-agency-1\n", "terminal t\nasker agency:A074\n"),
        ("mode name-birth", "name 住基太郎\nmode name-birth"),
        ("mode name-birth", "address 国立市\nmode name-birth"),
        ("at 2026-11-22T01:03:00.000Z", "at 2026-11-22T01:03:00Z"),
        ("at 2026-11-22T01:03:00.000Z", "at 2026-11-22T10:03:00.000+09:00"),
        ("at 2026-11-22T01:03:00.000Z", "at yesterday"),
        ("request abab", "request ABab"),
        ("request abab", "request ab"),
        ("resident 1234", "resident 1235"),
        ("case 令和", "case \u{202e}令和"),
        ("\n", "\r\n"),
        ("card MHLW-0007", "card MHLW 0007"),
        ("card MHLW-0007", "card ＭＨＬＷ"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from:?} has to occur");
        assert!(Entry::parse(bad.as_bytes()).is_err(), "{to:?}");
    }
    for bad in
        ["", "\n", "jukinet-entry/1\n", good.trim_end(), &format!("{good}\n"), &format!(" {good}")]
    {
        assert!(Entry::parse(bad.as_bytes()).is_err());
    }
    assert!(Entry::parse(b"jukinet-entry/1\nkind started\nat \xff\n").is_err());
    let long = format!("{good}note {}\n", "x".repeat(ENTRY_BYTES_MAX));
    assert_eq!(Entry::parse(long.as_bytes()), Err(EntryError::TooLong));
}

#[test]
fn numbers_have_one_spelling() {
    let entry = Entry::build(EntryKind::NoticesReceived, AT, "center").count(3).first(0).last(2);
    let good = String::from_utf8(entry.finish().unwrap().encode()).unwrap();
    assert!(good.ends_with("count 3\nfirst 0\nlast 2\n"));
    for count in ["03", "+3", "-3", "3.0", "３", "18446744073709551616"] {
        let bad = good.replace("count 3", &format!("count {count}"));
        assert!(Entry::parse(bad.as_bytes()).is_err(), "{count}");
    }
}

#[test]
fn only_entries_about_one_person_name_one() {
    let code = RecordCode::from_ten_digits(1_234_567_890).unwrap();
    for kind in EntryKind::ALL {
        assert_eq!(EntryKind::parse_key(kind.key()), Some(kind));
        let entry = Entry::build(kind, AT, "center")
            .asker("center")
            .affair("1-74-3")
            .request(&[1; 32])
            .terminal("center")
            .rule("query-shape")
            .count(3)
            .subject(&code)
            .finish();
        match kind {
            EntryKind::Provision
            | EntryKind::ViewOpened
            | EntryKind::ResidentReleased
            | EntryKind::ResidentArrived
            | EntryKind::Diverged
            | EntryKind::Repaired => assert!(entry.is_ok()),
            _ => assert_eq!(entry, Err(EntryError::NotAboutOnePerson { kind: kind.key() })),
        }
    }
}

#[test]
fn kinds_need_what_would_otherwise_be_missed() {
    let needs = |kind, field| {
        let refused = Entry::build(kind, AT, "center").finish().unwrap_err();
        assert_eq!(refused, EntryError::Needs { kind: kind.key(), field });
    };
    needs(EntryKind::Provision, "asker");
    needs(EntryKind::NoProvision, "asker");
    needs(EntryKind::Refusal, "rule");
    needs(EntryKind::NoticesReceived, "count");
    needs(EntryKind::FeedReceived, "count");
    needs(EntryKind::Loaded, "request");
    needs(EntryKind::DisclosuresReceived, "count");
    assert!(Entry::build(EntryKind::Started, AT, "center").finish().is_ok());
    assert!(Entry::build(EntryKind::Started, AT, "").finish().is_err());
    assert!(Entry::build(EntryKind::Started, AT, "two words").finish().is_err());
    assert!(Entry::build(EntryKind::Started, Timestamp(u64::MAX), "center").finish().is_err());
}

#[test]
fn a_note_is_a_machines_remark() {
    let noted = |note: &str| Entry::build(EntryKind::Stopped, AT, "center").note(note).finish();
    assert!(noted("receipt mismatch, 3 releases dropped").is_ok());
    for wrong in ["", " x", "住基太郎", "a\nkind stopped", "tab\t", &"x".repeat(201)] {
        assert!(noted(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn the_longest_entry_fits() {
    let wide = "𠮟".repeat(64);
    let word = "w".repeat(64);
    let entry = Entry::build(EntryKind::Provision, AT, word.as_str())
        .asker(word.as_str())
        .terminal(word.as_str())
        .card(word.as_str())
        .affair(wide.as_str())
        .case(wide.as_str())
        .channel(word.as_str())
        .mode(word.as_str())
        .items("i".repeat(200))
        .request(&[0xff; 32])
        .rule(word.as_str())
        .count(u64::MAX)
        .first(u64::MAX)
        .last(u64::MAX)
        .note("n".repeat(200))
        .subject(&RecordCode::from_ten_digits(1_234_567_890).unwrap())
        .finish()
        .unwrap();
    assert_eq!(Entry::parse(&entry.encode()).unwrap(), entry);
}

#[test]
fn a_refusal_of_garbage_can_be_recorded() {
    let garbage = format!(" \n\u{202e}事務\0{}", "ア".repeat(500));
    let affair = recordable(&garbage).unwrap();
    assert_eq!(affair.chars().count(), 64);
    let entry =
        Entry::build(EntryKind::Refusal, AT, "center").rule("affair-unknown").affair(affair);
    assert!(entry.finish().is_ok());
    assert_eq!(recordable(" \n\t "), None);
    assert_eq!(recordable("1-74-3").as_deref(), Some("1-74-3"));
}

#[test]
fn sentences_speak_to_the_resident() {
    let organ = |organ: &str| (organ == "agency:A074").then(|| "厚生労働省".to_owned());
    let affair = |id: &str| (id == "1-74-3").then(|| "年金の支給".to_owned());
    let words = Words { organ: &organ, affair: &affair };
    assert_eq!(
        sentence(&provision(), Lang::Ja, words),
        "2026-11-22 10:03 厚生労働省が、事務1-74-3（年金の支給）のため、\
         あなたの本人確認情報（氏名・住所・性別・生年月日）の提供を受けました"
    );
    assert_eq!(
        sentence(&provision(), Lang::En, words),
        "2026-11-22 10:03 厚生労働省 was provided with your identity confirmation information \
         (name, address, sex, date of birth) for affair 1-74-3 (年金の支給)"
    );
    let nothing = |_: &str| None;
    let silent = Words { organ: &nothing, affair: &nothing };
    let code = provision().subject().unwrap();
    for kind in EntryKind::ALL {
        let mut entry = Entry::build(kind, AT, "center")
            .asker("center")
            .affair("1-74-3")
            .request(&[1; 32])
            .terminal("center")
            .rule("query-shape")
            .count(3);
        if kind.is_about_one_person() {
            entry = entry.subject(&code);
        }
        let entry = entry.finish().unwrap();
        for lang in [Lang::Ja, Lang::En] {
            let said = sentence(&entry, lang, silent);
            assert!(said.starts_with("2026-11-22 10:03 "), "{said}");
            assert!(!said.contains(code.expose()) && !said.contains('\n'), "{said}");
        }
    }
}

/// The known answer was computed apart, with Python's hmac module.
#[test]
fn the_commitment_is_an_hmac() {
    let salt: [u8; 32] = std::array::from_fn(|at| at as u8);
    let hex: String =
        commitment(&salt, b"entry").iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "14c1a84252b036e27cb8574aeccbac0a4ddde51dae8d918c33fbebb23881909b");
    assert_ne!(commitment(&salt, b"entry"), commitment(&[0; 32], b"entry"));
    assert_ne!(commitment(&salt, b"entry"), commitment(&salt, b"entrY"));
}

fn word() -> impl Strategy<Value = String> {
    "[A-Za-z0-9._:/+-]{1,64}"
}

prop_compose! {
    fn any_entry()(
        kind in 0_usize..12, at in 0_u64..253_402_300_800_000, node in word(), asker in word(),
        affair in "[0-9-]{1,12}", case in "[ぁ-んa-z0-9]{1,20}( [ァ-ヶ]{1,20})?",
        terminal in proptest::option::of(word()), card in proptest::option::of(word()),
        note in proptest::option::of("[!-~]{1,40}"), rule in word(),
        request in any::<[u8; 32]>(), code in 0_u64..10_000_000_000,
        numbers in any::<(u64, u64, u64)>()
    ) -> Entry {
        let kind = EntryKind::ALL[kind];
        let mut entry = Entry::build(kind, Timestamp(at), node)
            .asker(asker).affair(affair).case(case).request(&request).rule(rule)
            .count(numbers.0).first(numbers.1).last(numbers.2);
        if let Some(terminal) = terminal { entry = entry.terminal(terminal); }
        if let Some(card) = card { entry = entry.card(card); }
        if let Some(note) = note { entry = entry.note(note); }
        if kind.is_about_one_person() {
            entry = entry.subject(&RecordCode::from_ten_digits(code).unwrap());
        }
        entry.finish().unwrap()
    }
}

proptest! {
    #[test]
    fn what_is_written_reads_back(entry in any_entry()) {
        let text = entry.encode();
        prop_assert!(text.len() <= ENTRY_BYTES_MAX);
        prop_assert_eq!(Entry::parse(&text), Ok(entry));
    }

    #[test]
    fn what_is_read_writes_back(
        entry in any_entry(), at in any::<proptest::sample::Index>(), byte in any::<u8>()
    ) {
        let mut text = entry.encode();
        let place = at.index(text.len());
        text[place] = byte;
        if let Ok(read) = Entry::parse(&text) {
            prop_assert_eq!(read.encode(), text);
        }
    }

    #[test]
    fn nothing_recordable_is_refused(text in any::<String>()) {
        if let Some(case) = recordable(&text) {
            let entry = Entry::build(EntryKind::Refusal, AT, "center").rule("x").case(case);
            prop_assert!(entry.finish().is_ok());
        }
    }
}
