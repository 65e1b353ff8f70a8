//! Juki-net unified characters: the small table, a whole table when there is one, and that nothing
//! is ever replaced.
//!
//! With JUKINET_MJ_TABLE the tests read MJ文字情報一覧表 (tab-separated) from that path as well; it is
//! under a licence of its own and no part of the project.

use std::sync::LazyLock;

use law::character::{CharacterError, CharacterTable, JukiChar, JukiRange, MjName, TableFault};
use proptest::prelude::*;

/// Facts about single characters that the published description names.
const KNOWN: &[(&str, &str, &str)] = &[
    ("J+9AD8", "高", "MJ028901"),
    ("J+9AD9", "髙", "MJ028902"),
    ("J+5D0E", "崎", "MJ010541"),
    ("J+FA11", "﨑", "MJ030196"),
    ("J+B07A", "﨑\u{E0103}", "MJ030197"),
    ("J+9089", "邉", "MJ026190"),
    ("J+BD47", "邉\u{E0119}", "MJ026191"),
    ("J+BD5E", "邊\u{E010E}", "MJ026201"),
    ("J+AD37", "齋\u{E0104}", "MJ030061"),
    ("J+AEAC", "𠮷", "MJ032129"),
    ("J+B9D5", "葛", "MJ022336"),
    ("J+845B", "葛\u{E0102}", "MJ022335"),
    ("J+AD1D", "々", "MJ000001"),
];

/// The small table, and the whole one if this machine has it.
static TABLES: LazyLock<Vec<CharacterTable>> = LazyLock::new(|| {
    let mut tables = vec![CharacterTable::small().clone()];
    if let Some(path) = std::env::var_os("JUKINET_MJ_TABLE") {
        tables.push(CharacterTable::parse(&std::fs::read(path).unwrap()).unwrap());
    }
    tables
});

#[test]
fn every_code_of_a_table_gives_its_text_and_comes_back() {
    for table in TABLES.iter() {
        for code in table.codes() {
            let text = table.decode(&[code]).unwrap();
            assert_eq!(table.encode(&text).unwrap(), [code], "{code}");
        }
        let all: Vec<JukiChar> = table.codes().collect();
        let text = table.decode(&all).unwrap();
        assert_eq!(table.encode(&text).unwrap().len(), all.len());
        assert_eq!(table.decode(&table.encode(&text).unwrap()).unwrap(), text);
    }
}

#[test]
fn the_published_examples_are_in_every_table() {
    for table in TABLES.iter() {
        for (code, text, mj) in KNOWN {
            let code = JukiChar::parse(code).unwrap();
            assert_eq!(table.encode(text).unwrap(), [code], "{code}");
            assert_eq!(table.by_mj(MjName::parse(mj).unwrap()), Some(code));
            assert_eq!(table.glyph(code).unwrap().mj.unwrap().to_string(), *mj);
        }
    }
}

#[test]
fn the_small_table_is_read_to_its_last_row() {
    let table = CharacterTable::small();
    let rows = include_str!("../../tables/characters.tsv");
    let expected: usize = rows.lines().skip(1).map(characters_of).sum();
    assert_eq!(table.len(), expected);
    let kanji = |code: &JukiChar| code.range() == Some(JukiRange::Kanji);
    assert!(table.codes().filter(kanji).count() > 6_000, "the kanji of JIS X 0208");
    for text in ["住基\u{3000}太郎", "ジュウキ　タロウ", "東京都国立市富士見台２－３－１", "佐々木"]
    {
        assert_eq!(table.check(text), Ok(()));
    }
    assert_eq!(table.by_base('邉').count(), 3, "one spelling without and two with a selector");
}

fn characters_of(line: &str) -> usize {
    let cells: Vec<&str> = line.split('\t').collect();
    let number = |text: &str| usize::from_str_radix(text, 16).unwrap();
    match cells[0] {
        "range" => {
            let (first, last) = cells[1].split_once('-').unwrap();
            number(last) - number(first) + 1
        }
        "same" => cells[2].chars().count(),
        "one" => 1,
        other => unreachable!("{other}"),
    }
}

#[test]
fn what_is_outside_is_refused_by_place_and_never_replaced() {
    let table = CharacterTable::small();
    let place = |text: &str| table.encode(text).map_err(|error| (error.position(), error));
    assert!(matches!(place("山😀"), Err((2, CharacterError::Outside { .. }))));
    // Counted as a reader counts: the selector belongs to the character before it.
    assert!(matches!(place("葛\u{E0102}한"), Err((2, CharacterError::Outside { .. }))));
    assert_eq!(place("山\u{E0101}"), Err((1, CharacterError::Sequence { position: 1 })));
    assert_eq!(place("山\u{FE00}"), Err((1, CharacterError::Sequence { position: 1 })));
    assert!(matches!(place("\u{E0101}"), Err((1, CharacterError::Outside { .. }))));
    for c in ['\u{E000}', '\u{D7A3}', '\u{AD1D}', '\u{AEAC}'] {
        // J+AD1D is 々 and J+AEAC is 𠮷: the hangul at these code points are nobody.
        assert!(place(&c.to_string()).is_err(), "{c:?}");
    }
    let unknown = JukiChar::new(0xAC00).unwrap();
    assert_eq!(table.decode(&[unknown]), Err(CharacterError::NoText { position: 1 }));
}

const SAMPLE: &str = "mj\tjuki\tucs\timpl_ucs\tivs\n\
    MJ026190\tJ+9089\tU+9089\tU+9089\tU+9089 U+E010F\n\
    MJ026191\tJ+BD47\tU+9089\t\tU+9089 U+E0119\n\
    MJ000002\t\tU+3006\tU+3006\t\n";

#[test]
fn a_list_with_its_header_is_a_table() {
    let table = CharacterTable::parse(SAMPLE.as_bytes()).unwrap();
    assert!(table.check("邉\u{E0119}ア").is_ok(), "非漢字 come from the small table");
    assert!(table.check("山").is_err(), "kanji do not");
    // The same shape has two spellings: one of them is the spelling, the other is refused, because
    // it would come back as other bytes.
    assert_eq!(table.check("邉\u{E010F}"), Err(CharacterError::Spelling { position: 1 }));
    let published = SAMPLE
        .replace(
            "mj\tjuki\tucs\timpl_ucs\tivs",
            concat!(
                "MJ文字図形名\t住基ネット統一文字コード\t対応するUCS\t実装したUCS\t",
                "実装したMoji_JohoIVS"
            ),
        )
        .replace("U+9089 U+E0119", "9089_E0119");
    assert_eq!(CharacterTable::parse(published.as_bytes()).unwrap().to_tsv(), table.to_tsv());
    let again = CharacterTable::parse(table.to_tsv().as_bytes()).unwrap();
    assert_eq!(again.to_tsv(), table.to_tsv());
    assert_eq!(again.check("邉\u{E010F}"), Err(CharacterError::Spelling { position: 1 }));
}

#[test]
fn a_damaged_list_is_refused_with_its_line() {
    let line = |text: String| CharacterTable::parse(text.as_bytes()).unwrap_err();
    let row = |from: &str, to: &str| line(SAMPLE.replacen(from, to, 1));
    assert!(matches!(row("J+9089", "J+908"), TableFault::Row { line: 2, .. }));
    assert!(matches!(row("J+BD47", "J+9089"), TableFault::Row { line: 3, .. }));
    assert!(matches!(row("U+E0119", "U+9089"), TableFault::Row { line: 3, .. }));
    assert!(matches!(row("MJ026191", "MJ26191"), TableFault::Row { line: 3, .. }));
    assert!(matches!(row("\t\tU+9089 U+E0119", "\t\t"), TableFault::Row { line: 3, .. }));
    assert!(matches!(row("juki", "other"), TableFault::Lacks(_)));
    assert_eq!(line("mj\tjuki\timpl_ucs\tivs\n".to_owned()), TableFault::Empty);
    assert_eq!(CharacterTable::parse(b"\xff").unwrap_err(), TableFault::NotText);
}

proptest! {
    /// Whatever the text: either every byte comes back, or its first strange character is named.
    #[test]
    fn a_text_comes_back_whole_or_is_refused(text in "[ -~ぁ-んァ-ヶ一-龠邉邊葛\u{E0100}-\u{E0120}]{0,24}") {
        for table in TABLES.iter() {
            match table.encode(&text) {
                Ok(codes) => prop_assert_eq!(table.decode(&codes).unwrap(), text.clone()),
                Err(error) => prop_assert!((1..=24).contains(&error.position())),
            }
        }
    }
}
