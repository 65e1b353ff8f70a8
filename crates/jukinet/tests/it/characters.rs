//! `jukinet characters`: taking a table over, looking a character up, checking a register.

use std::fs;
use std::path::Path;

use crate::country::tool;

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn a_character_is_found_by_each_of_its_names() {
    for name in ["J+9AD9", "U+9AD9", "MJ028902", "髙"] {
        let shown = tool(&["characters", "show", name, "--json"]);
        assert_eq!(shown.code, 0, "{shown:?}");
        let first = &shown.json()[0];
        assert_eq!(first["juki"], "J+9AD9", "{name}");
        assert_eq!(first["mj"], "MJ028902", "{name}");
        assert_eq!(first["text"], "髙", "{name}");
    }
    let shapes = tool(&["characters", "show", "邉", "--json"]);
    let codes: Vec<String> =
        shapes.json().as_array().unwrap().iter().map(|each| each["juki"].to_string()).collect();
    assert_eq!(codes, ["\"J+9089\"", "\"J+BD47\"", "\"J+BD49\""]);
    let one = tool(&["characters", "show", "邉\u{E0119}"]);
    assert!(one.stdout.starts_with("J+BD47\t"), "{one:?}");
    for unknown in ["J+AC00", "J+D800", "U+D800", "MJ999999", "한", "山川"] {
        assert_eq!(tool(&["characters", "show", unknown]).code, 1, "{unknown}");
    }
}

#[test]
fn a_list_is_taken_over_and_a_register_checked_against_it() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("list.tsv");
    fs::write(
        &list,
        "MJ文字図形名\t対応するUCS\t実装したUCS\t実装したMoji_JohoIVS\t住基ネット統一文字コード\n\
         MJ026190\tU+9089\tU+9089\t9089_E010F\tJ+9089\n\
         MJ026191\tU+9089\t\t9089_E0119\tJ+BD47\n",
    )
    .unwrap();
    let out = folder.path().join("tables");
    let loaded =
        tool(&["characters", "load", "--table", &text(&list), "--out", &text(&out), "--json"]);
    assert_eq!(loaded.code, 0, "{loaded:?}");
    assert!(
        loaded.json()["characters"].as_u64().unwrap() > 400,
        "with the 非漢字 of the small one"
    );
    let table = text(&out.join("characters.tsv"));
    let register = folder.path().join("register.csv");
    fs::write(
        &register,
        "record_code,family_name,given_name,address\n1,邉\u{E0119},アキ,-\n2,邉\u{E010F},アキ,-\n\
         3,鵺,アキ,-\n4,,アキ,\u{1F600}\n",
    )
    .unwrap();
    let arguments = ["characters", "check", "--file", &text(&register), "--table", &table];
    let checked = tool(&arguments);
    assert_eq!(checked.code, 6, "{checked:?}");
    let lines: Vec<&str> = checked.stdout.lines().collect();
    assert!(lines[0].starts_with("3\t3\tfamily_name\tcharacter 1 is the shape"), "{lines:?}");
    assert!(lines[1].starts_with("4\t4\tfamily_name\tcharacter 1 (kanji) is not"), "{lines:?}");
    assert!(lines[2].starts_with("5\t5\taddress\tcharacter 1 "), "{lines:?}");
    assert!(!checked.stdout.contains('鵺') && lines.len() == 3, "{checked:?}");
    // What was taken over can be taken over again.
    let again = folder.path().join("again");
    let twice = ["characters", "load", "--table", &table, "--out", &text(&again)];
    assert_eq!(tool(&twice).code, 0);
    assert_eq!(fs::read(again.join("characters.tsv")).unwrap(), fs::read(&table).unwrap());
    for damaged in ["", "mj\tjuki\timpl_ucs\tivs\nMJ1\tJ+9089\tU+9089\t\n"] {
        fs::write(&list, damaged).unwrap();
        let refused = tool(&["characters", "load", "--table", &text(&list), "--out", &text(&out)]);
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.stderr.contains("list.tsv"), "{refused:?}");
    }
}
