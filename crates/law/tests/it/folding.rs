//! The folded forms are a document: what is written, what is compared. docs/characters.md gives the
//! rules, this golden file their examples.

use law::fold::{fold_address_open, fold_address_whole, fold_kana, fold_name};

const NAMES: &[&str] = &[
    "髙﨑　太郎",
    "高崎 太郎",
    "渡邉",
    "渡邊",
    "渡辺",
    "齋藤",
    "齊藤",
    "𠮷田",
    "葛\u{E0102}城",
    "ﾏﾘｱ Ｌｏｐｅｚ",
    "か\u{3099}",
    "㈱一",
    "％＿＊",
];

const READINGS: &[&str] =
    &["じゅうき　たろう", "ｼﾞｭｳｷ", "ヴァイオレット", "オーノ", "チヅル", "ヰヱヲ", "アン・マリー"];

const ADDRESSES: &[&str] = &[
    "東京都国立市富士見台2丁目3番1号",
    "東京都国立市富士見台二丁目３番１号",
    "国立市富士見台２－３－１",
    "東京都 国立市 富士見台 2ー3ー1",
    "東京都国立市富士見台2丁目3番地の1",
    "東京都国立市大字富士見台2−3‐1号",
    "札幌市中央区北一条西十二丁目",
    "仙台市青葉区一番町",
    "千代田区霞が関2-1-3",
    "千代田区霞ヶ関二ー一ー三",
    "国立市東1-1 ハイツ101号室",
    "国立市東1-1ハイツ101号室",
    "国立市八王子通り",
    "国立市三之町",
    "国立市三の町",
    "国立市大字東字中",
    "国立市東百二十三番地",
    "どこでもない町1-2",
];

fn document() -> String {
    let mut out = String::from("# names: written → compared\n");
    let line = |out: &mut String, written: &str, folded: &[String]| {
        out.push_str(&format!("{written} → {}\n", folded.join(" · ")));
    };
    NAMES.iter().for_each(|name| line(&mut out, name, &[fold_name(name)]));
    out.push_str("\n# readings: written → compared\n");
    READINGS.iter().for_each(|kana| line(&mut out, kana, &[fold_kana(kana)]));
    out.push_str("\n# addresses: written → whole · as the beginning of one\n");
    for address in ADDRESSES {
        line(&mut out, address, &[fold_address_whole(address), fold_address_open(address)]);
    }
    out
}

#[test]
fn the_golden_file_is_what_is_compared() {
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/folding.txt");
    if std::env::var_os("JUKINET_GOLDEN_WRITE").is_some() {
        std::fs::write(&golden, document()).unwrap();
    }
    let kept = std::fs::read_to_string(&golden).unwrap_or_default();
    assert!(kept == document(), "run with JUKINET_GOLDEN_WRITE=1 and read the difference in git");
}

#[test]
fn folding_twice_is_folding_once_and_the_same_text_folds_alike_every_time() {
    for name in NAMES {
        assert_eq!(fold_name(&fold_name(name)), fold_name(name), "{name}");
    }
    for kana in READINGS {
        assert_eq!(fold_kana(&fold_kana(kana)), fold_kana(kana), "{kana}");
    }
    for address in ADDRESSES {
        let folded = fold_address_whole(address);
        assert_eq!(fold_address_whole(&folded), folded, "{address}");
        assert_eq!(fold_address_whole(address), folded, "{address}");
    }
}
