//! The folded forms that searching compares: one function each for names, readings and addresses,
//! applied alike to what is stored and to what is asked. Never used for display.
//!
//! Folding only merges what registers confuse (old and new shapes, widths, spaces); it never turns
//! a character into "anything". Wildcard characters stay the characters they are.

use std::collections::HashMap;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;

use crate::municipality::split_address;
use crate::people::is_invisible;

static NAME_FOLD_TSV: &str = include_str!("../tables/name_fold.tsv");

static SHAPES: LazyLock<HashMap<char, char>> = LazyLock::new(|| {
    NAME_FOLD_TSV.lines().skip(1).filter_map(|line| one_pair(line.split_once('\t')?)).collect()
});

fn one_pair((from, to): (&str, &str)) -> Option<(char, char)> {
    let (mut from, mut to) = (from.chars(), to.chars());
    let pair = (from.next()?, to.next()?);
    if from.next().is_none() && to.next().is_none() { Some(pair) } else { None }
}

/// L1 shape fold: the everyday shape of a kanji (髙 is 高, 邉 and 邊 are 辺).
fn shape(c: char) -> char {
    SHAPES.get(&c).copied().unwrap_or(c)
}

/// Variation selectors, ideographic (IVS) and standardised.
fn is_variation_selector(c: char) -> bool {
    matches!(u32::from(c), 0xFE00..=0xFE0F | 0xE_0100..=0xE_01EF)
}

/// What no folded form holds: spaces, variation selectors, invisible and control characters.
fn is_dropped(c: char) -> bool {
    c.is_whitespace() || is_variation_selector(c) || is_invisible(c) || c.is_control()
}

/// Width only: forms of the half- and full-width block become the usual ones, half-width kana with
/// its mark becomes one character. ㈱ and ① stay what they are.
fn widths(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars()
        .map(|c| match u32::from(c) {
            0xFF01..=0xFFEF => std::iter::once(c).nfkc().next().unwrap_or(c),
            _ => c,
        })
        .nfc()
}

/// Folded name: widths, composed characters, everyday shapes, Latin capitals, no spaces.
#[must_use]
pub fn fold_name(text: &str) -> String {
    widths(text).filter(|c| !is_dropped(*c)).map(shape).map(|c| c.to_ascii_uppercase()).collect()
}

/// Folded reading: katakana, large, without long-vowel marks, separators and spaces; ヂヅヰヱヲ and
/// the ヴ row become the letters they are heard as.
#[must_use]
pub fn fold_kana(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in widths(text).filter(|c| !is_dropped(*c)) {
        let c = match u32::from(c) {
            u @ (0x3041..=0x3096 | 0x309D..=0x309E) => char::from_u32(u + 0x60).unwrap_or(c),
            _ => c,
        };
        if folded.ends_with(AFTER_VU) {
            if let Some(voiced) = vu_row(c) {
                folded.pop();
                folded.push(voiced);
                continue;
            }
            folded.pop();
            folded.push('ブ');
        }
        match c {
            'ー' | '・' | '=' | '゠' | '.' => {}
            c if is_dash(c) => {}
            'ヷ' => folded.push('バ'),
            'ヸ' => folded.push('ビ'),
            'ヹ' => folded.push('ベ'),
            'ヺ' => folded.push('ボ'),
            c => folded.push(large_kana(c)),
        }
    }
    if folded.ends_with(AFTER_VU) {
        folded.pop();
        folded.push('ブ');
    }
    folded
}

/// ヴ waits for a small vowel before it is known which letter of the バ row it is.
const AFTER_VU: char = 'ヴ';

fn vu_row(c: char) -> Option<char> {
    Some(match c {
        'ァ' => 'バ',
        'ィ' => 'ビ',
        'ェ' => 'ベ',
        'ォ' => 'ボ',
        _ => return None,
    })
}

fn large_kana(c: char) -> char {
    match c {
        'ァ' => 'ア',
        'ィ' | 'ヰ' => 'イ',
        'ゥ' => 'ウ',
        'ェ' | 'ヱ' => 'エ',
        'ォ' | 'ヲ' => 'オ',
        'ヵ' => 'カ',
        'ヶ' => 'ケ',
        'ッ' => 'ツ',
        'ャ' => 'ヤ',
        'ュ' => 'ユ',
        'ョ' => 'ヨ',
        'ヮ' => 'ワ',
        'ヂ' => 'ジ',
        'ヅ' => 'ズ',
        c => c.to_ascii_uppercase(),
    }
}

fn is_dash(c: char) -> bool {
    matches!(c, '-' | '‐'..='―' | '−' | '─' | '━' | '﹣')
}

/// One character of an address folded by itself; `None` where the fold drops it. ヶ, ヵ, が and ガ
/// become ケ, の and 之 become ノ.
#[must_use]
pub(crate) fn fold_address_char(c: char) -> Option<char> {
    if is_dropped(c) {
        return None;
    }
    let c = match u32::from(c) {
        0xFF01..=0xFFEF => std::iter::once(c).nfkc().next().unwrap_or(c),
        _ => c,
    };
    Some(match shape(c) {
        'ヶ' | 'ヵ' | 'が' | 'ガ' => 'ケ',
        'の' | '之' => 'ノ',
        c if is_dash(c) => '-',
        c => c.to_ascii_uppercase(),
    })
}

/// A whole address in its comparison form: `国立市富士見台2-3-1-`.
///
/// The prefecture is left out (registers often do; [`crate::query`] compares it apart), the
/// municipality has the spelling of the table, and every number is closed by one hyphen, whatever
/// stood behind it: 丁目, 番地, 号, の, a hyphen or the end.
#[must_use]
pub fn fold_address_whole(address: &str) -> String {
    let folded = FoldedAddress::of(address);
    folded.municipality_key() + &folded.whole
}

/// The beginning of an address in the same form, left open at the end: `国立市富士見台2-3` also begins
/// `国立市富士見台2-30-`, while `2番3号` is closed and begins only that.
#[must_use]
pub fn fold_address_open(address: &str) -> String {
    let folded = FoldedAddress::of(address);
    folded.municipality_key() + &folded.open
}

/// An address taken apart and folded.
pub(crate) struct FoldedAddress {
    pub(crate) prefecture: Option<&'static str>,
    pub(crate) municipality: Option<&'static str>,
    /// What follows prefecture and municipality, every number closed.
    pub(crate) whole: String,
    /// The same, a number at the very end left open.
    pub(crate) open: String,
    /// Where `open` ends in kanji numerals, which only what follows would tell from a number (一 of
    /// 一番町): the same end read as a number. Closed, so it never reaches further than the text.
    pub(crate) open_as_number: Option<String>,
}

impl FoldedAddress {
    pub(crate) fn of(address: &str) -> Self {
        let parts = split_address(address);
        let chars: Vec<char> = widths(parts.rest.trim())
            .filter_map(|c| if c.is_whitespace() { Some(' ') } else { fold_address_char(c) })
            .collect();
        let numeral_end = chars.iter().rev().take_while(|c| is_kanji_numeral(**c)).count();
        let open_as_number = (numeral_end > 0).then(|| {
            let mut with_counter = chars.clone();
            with_counter.push('号');
            fold_rest(&with_counter, false)
        });
        Self {
            prefecture: parts.prefecture,
            municipality: parts.municipality,
            whole: fold_rest(&chars, true),
            open: fold_rest(&chars, false),
            open_as_number,
        }
    }

    pub(crate) fn municipality_key(&self) -> String {
        self.municipality.unwrap_or_default().chars().filter_map(fold_address_char).collect()
    }
}

/// Folds the part after the municipality, whose characters are folded one by one already.
fn fold_rest(chars: &[char], close_end: bool) -> String {
    let mut out = String::with_capacity(chars.len() * 3 + 1);
    let (mut rest, mut in_oaza, mut after_number) = (chars, false, false);
    while let [c, tail @ ..] = rest {
        // 大字 and the 字 that goes with it are written or left out at will.
        if let ['大', '字', tail @ ..] = rest {
            (rest, in_oaza) = (tail, true);
        } else if *c == '字' && (out.is_empty() || in_oaza) || *c == ' ' {
            rest = tail;
        } else if let Some((number, tail)) = take_number(rest, after_number) {
            out.push_str(&number);
            rest = skip_counter(tail);
            after_number = true;
            if close_end || rest.len() < tail.len() || !rest.is_empty() {
                out.push('-');
            }
        } else {
            if *c != '-' || !out.ends_with('-') {
                out.push(*c);
            }
            (rest, after_number) = (tail, false);
        }
    }
    out
}

/// A number at the front: ASCII digits, or kanji numerals behind a number or before a counter.
fn take_number(chars: &[char], after_number: bool) -> Option<(String, &[char])> {
    let ascii = chars.iter().take_while(|c| c.is_ascii_digit()).count();
    if ascii > 0 {
        let (number, tail) = chars.split_at_checked(ascii)?;
        return Some((number.iter().collect(), tail));
    }
    let kanji = chars.iter().take_while(|c| is_kanji_numeral(**c)).count();
    let (number, tail) = chars.split_at_checked(kanji)?;
    let counted = after_number || matches!(tail, ['丁' | '番' | '号' | '条' | '-' | 'ー', ..]);
    if kanji == 0 || !counted {
        return None;
    }
    Some((kanji_value(number)?.to_string(), tail))
}

/// Drops the counter behind a number, then hyphens and の that join it to the next one.
fn skip_counter(chars: &[char]) -> &[char] {
    let chars = skip_spaces(chars);
    let mut rest = match chars {
        ['丁', '目', rest @ ..] | ['番', '地', rest @ ..] => rest,
        // 五番町, 三番館: here 番 belongs to the name.
        ['番', '町' | '丁' | '館' | '街', ..] => return chars,
        ['丁' | '番' | '号' | 'ー', rest @ ..] => rest,
        rest => rest,
    };
    while let ['-' | 'ノ' | ' ', tail @ ..] = rest {
        rest = tail;
    }
    rest
}

fn skip_spaces(chars: &[char]) -> &[char] {
    match chars {
        [' ', tail @ ..] => skip_spaces(tail),
        rest => rest,
    }
}

fn is_kanji_numeral(c: char) -> bool {
    kanji_digit(c).is_some() || kanji_unit(c).is_some()
}

fn kanji_digit(c: char) -> Option<u32> {
    "〇一二三四五六七八九".chars().position(|d| d == c).and_then(|at| u32::try_from(at).ok())
}

fn kanji_unit(c: char) -> Option<u32> {
    match c {
        '十' => Some(10),
        '百' => Some(100),
        '千' => Some(1000),
        _ => None,
    }
}

/// Value of 二十三 or 二三; `None` for what is not one number, which then stays as it is.
fn kanji_value(chars: &[char]) -> Option<u32> {
    if chars.iter().all(|c| kanji_digit(*c).is_some()) {
        return chars
            .iter()
            .try_fold(0_u32, |value, c| value.checked_mul(10)?.checked_add(kanji_digit(*c)?));
    }
    let (mut total, mut digit, mut below) = (0, None, u32::MAX);
    for c in chars {
        match (kanji_digit(*c), kanji_unit(*c)) {
            (Some(d), _) if digit.is_none() && d > 0 => digit = Some(d),
            (_, Some(unit)) if unit < below => {
                total += digit.take().unwrap_or(1) * unit;
                below = unit;
            }
            _ => return None,
        }
    }
    Some(total + digit.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fold_to_everyday_shapes() {
        for (written, folded) in [
            ("髙﨑\u{3000}太郎", "高崎太郎"),
            ("渡邉", "渡辺"),
            ("渡邊", "渡辺"),
            ("𠮷田", "吉田"),
            ("葛\u{E0100}城", "葛城"),
            ("ﾏﾘｱ Ｌｏｐｅｚ", "マリアLOPEZ"),
            ("か\u{3099}", "が"),
            ("ｶﾞ", "ガ"),
            ("㈱一", "㈱一"),
        ] {
            assert_eq!(fold_name(written), folded);
        }
        assert_ne!(fold_name("斎"), fold_name("斉"));
        assert_ne!(fold_name("あい"), fold_name("アイ"));
    }

    #[test]
    fn shapes_fold_once_and_for_all() {
        assert_eq!(SHAPES.len(), NAME_FOLD_TSV.lines().count() - 1);
        for (from, to) in SHAPES.iter() {
            assert_eq!(shape(*to), *to, "{from} {to}");
            assert!(!is_dropped(*to));
            assert_eq!(fold_name(&fold_name(&from.to_string())), fold_name(&from.to_string()));
        }
        for c in "一二三四五六七八九十百千〇丁目番地号条字大".chars() {
            assert_eq!(shape(c), c);
        }
    }

    #[test]
    fn readings_fold_to_what_is_heard() {
        for (written, folded) in [
            ("じゅうき　たろう", "ジユウキタロウ"),
            ("ｼﾞｭｳｷ", "ジユウキ"),
            ("ヴァイオレット", "バイオレツト"),
            ("ヴ", "ブ"),
            ("ヴヴィ", "ブビ"),
            ("オーノ", "オノ"),
            ("チヅル", "チズル"),
            ("ヰヱヲ", "イエオ"),
        ] {
            assert_eq!(fold_kana(written), folded);
        }
    }

    #[test]
    fn addresses_fold_to_one_form() {
        let one = "国立市富士見台2-3-1-";
        for written in [
            "東京都国立市富士見台2丁目3番1号",
            "東京都国立市富士見台二丁目３番１号",
            "国立市富士見台2-3-1",
            "東京都国立市富士見台２－３－１",
            "東京都 国立市 富士見台 2ー3ー1",
            "東京都国立市富士見台2丁目3番地の1",
            "東京都国立市大字富士見台2−3‐1号",
        ] {
            assert_eq!(fold_address_whole(written), one, "{written}");
        }
        for (written, folded) in [
            ("札幌市中央区北一条西十二丁目", "札幌市中央区北1-条西12-"),
            ("札幌市中央区北1条西12丁目", "札幌市中央区北1-条西12-"),
            ("仙台市青葉区一番町", "仙台市青葉区1-番町"),
            ("千代田区霞が関2-1-3", "千代田区霞ケ関2-1-3-"),
            ("千代田区霞ヶ関二ー一ー三", "千代田区霞ケ関2-1-3-"),
            ("国立市東1-1 ハイツ101号室", "国立市東1-1-ハイツ101-室"),
            ("国立市東1-1ハイツ101号室", "国立市東1-1-ハイツ101-室"),
            ("国立市東1 101", "国立市東1-101-"),
            ("国立市八王子通り", "国立市八王子通り"),
            ("国立市東二-三-一", "国立市東2-3-1-"),
        ] {
            assert_eq!(fold_address_whole(written), folded, "{written}");
        }
    }

    #[test]
    fn numbers_are_open_only_at_the_end_of_a_prefix() {
        let stored = fold_address_whole("東京都国立市東1丁目2番30号");
        assert!(stored.starts_with(&fold_address_open("国立市東1-2-3")));
        assert!(!stored.starts_with(&fold_address_open("国立市東1丁目2番3号")));
        assert!(!stored.starts_with(&fold_address_open("国立市東1-2-3-")));
        assert!(stored.starts_with(&fold_address_open("国立市東1丁目")));
        assert_eq!(fold_address_open("国立市大字"), "国立市");
    }

    #[test]
    fn kanji_numbers_have_one_value() {
        let value = |text: &str| kanji_value(&text.chars().collect::<Vec<_>>());
        for (text, number) in
            [("十", 10), ("二十三", 23), ("百三", 103), ("一〇三", 103), ("千二百", 1200)]
        {
            assert_eq!(value(text), Some(number), "{text}");
        }
        for text in ["十十", "二三十", "十百", "〇十", "九九九九九九九九九九九"]
        {
            assert_eq!(value(text), None, "{text}");
        }
    }
}
