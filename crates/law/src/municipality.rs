//! The municipalities of Japan and where an address stops naming one. Not a gazetteer of towns.

use std::ops::Range;
use std::sync::LazyLock;

use crate::code::{LocalGovernmentCode, PrefectureCode};
use crate::fold::fold_address_char;

static MUNICIPALITIES_TSV: &str = include_str!("../tables/municipalities.tsv");

/// What kind of body a row is; the appended tables name some kinds only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MunicipalityKind {
    City,
    /// Designated city (指定都市).
    DesignatedCity,
    /// Ward of a designated city; its register is the ward's, its server the city's (令31条).
    DesignatedWard,
    SpecialWard,
    Town,
    Village,
}

impl MunicipalityKind {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "city" => Self::City,
            "designated_city" => Self::DesignatedCity,
            "designated_ward" => Self::DesignatedWard,
            "special_ward" => Self::SpecialWard,
            "town" => Self::Town,
            "village" => Self::Village,
            _ => return None,
        })
    }
}

/// A municipality or a ward of a designated city, as of 2024-01-01.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Municipality {
    pub code: LocalGovernmentCode,
    pub prefecture: PrefectureCode,
    pub prefecture_name: &'static str,
    pub name: &'static str,
    pub kind: MunicipalityKind,
}

static ALL: LazyLock<Vec<Municipality>> = LazyLock::new(|| {
    let mut rows: Vec<Municipality> =
        MUNICIPALITIES_TSV.lines().skip(1).filter_map(read_row).collect();
    rows.sort_by_key(|row| row.code);
    rows
});

fn read_row(line: &'static str) -> Option<Municipality> {
    let mut cells = line.split('\t');
    let code = LocalGovernmentCode::parse(cells.next()?).ok()?;
    let (prefecture_name, name) = (cells.next()?, cells.next()?);
    let kind = MunicipalityKind::parse(cells.next()?)?;
    Some(Municipality { code, prefecture: code.prefecture(), prefecture_name, name, kind })
}

/// All rows, in the order of their codes.
#[must_use]
pub fn all() -> &'static [Municipality] {
    &ALL
}

#[must_use]
pub fn find(code: &LocalGovernmentCode) -> Option<&'static Municipality> {
    let rows = all();
    rows.binary_search_by_key(code, |row| row.code).ok().and_then(|at| rows.get(at))
}

/// Name of a prefecture, 東京都.
#[must_use]
pub fn prefecture_name(code: PrefectureCode) -> Option<&'static str> {
    let at = all().partition_point(|row| row.prefecture < code);
    all().get(at).filter(|row| row.prefecture == code).map(|row| row.prefecture_name)
}

/// The prefecture of this name, if there is one.
#[must_use]
pub fn prefecture_named(name: &str) -> Option<PrefectureCode> {
    all().iter().find(|row| row.prefecture_name == name).map(|row| row.prefecture)
}

/// An address taken apart: the names as the table writes them, the rest as the address does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressParts<'a> {
    pub prefecture: Option<&'static str>,
    pub municipality: Option<&'static str>,
    pub rest: &'a str,
}

/// Splits off prefecture and municipality: the longest name that fits, wards of designated cities
/// included, a county (郡) before a town or village skipped. Spelling differences that the address
/// fold removes (ヶ and ケ, old shapes, spaces) do not matter here either.
#[must_use]
pub fn split_address(address: &str) -> AddressParts<'_> {
    let front = front_of(address);
    let chars: Vec<char> = front.iter().map(|(c, _)| *c).collect();
    let prefecture = PREFECTURES.iter().find(|p| chars.starts_with(&p.folded));
    let start = prefecture.map_or(0, |p| p.folded.len());
    let rows = prefecture.map_or(0..FOLDED.len(), |p| p.rows.clone());
    let rows = FOLDED.get(rows).unwrap_or_default();
    let after = chars.get(start..).unwrap_or_default();
    let direct = longest(rows, after, |_| true).map(|(name, len)| (name, start + len));
    let found = direct.or_else(|| {
        let county = after.iter().take(COUNTY_NAME_CHARS_MAX).position(|c| *c == '郡')? + 1;
        let (name, len) = longest(rows, after.get(county..)?, |kind| {
            matches!(kind, MunicipalityKind::Town | MunicipalityKind::Village)
        })?;
        Some((name, start + county + len))
    });
    let used = found.map_or(start, |(_, used)| used);
    let end = used.checked_sub(1).and_then(|last| front.get(last)).map_or(0, |(_, end)| *end);
    // What the fold drops right behind the name (a space, a variation selector) belongs to it.
    let rest = address.split_at_checked(end).map_or(address, |(_, rest)| rest);
    AddressParts {
        prefecture: prefecture.map(|p| p.name),
        municipality: found.map(|(name, _)| name),
        rest: rest.trim_start_matches(|c| fold_address_char(c).is_none()),
    }
}

/// Longest name of a county, 郡 included; the longest in use has four characters.
const COUNTY_NAME_CHARS_MAX: usize = 6;
/// Prefecture (4), county (6) and municipality (11, with ward) together stay below this.
const FRONT_CHARS_MAX: usize = 32;

struct Prefecture {
    name: &'static str,
    folded: Vec<char>,
    rows: Range<usize>,
}

static PREFECTURES: LazyLock<Vec<Prefecture>> = LazyLock::new(|| {
    (1..=47)
        .filter_map(|number| {
            let code = PrefectureCode::new(number).ok()?;
            let name = prefecture_name(code)?;
            let from = all().partition_point(|row| row.prefecture < code);
            let to = all().partition_point(|row| row.prefecture <= code);
            Some(Prefecture { name, folded: folded(name), rows: from..to })
        })
        .collect()
});

/// The names of the rows of [`all`], folded, in the same order.
static FOLDED: LazyLock<Vec<(Vec<char>, &'static Municipality)>> =
    LazyLock::new(|| all().iter().map(|row| (folded(row.name), row)).collect());

fn folded(name: &str) -> Vec<char> {
    name.chars().filter_map(fold_address_char).collect()
}

/// The first characters of an address, folded, each with the byte offset at which it ends.
fn front_of(address: &str) -> Vec<(char, usize)> {
    address
        .char_indices()
        .filter_map(|(at, c)| Some((fold_address_char(c)?, at + c.len_utf8())))
        .take(FRONT_CHARS_MAX)
        .collect()
}

fn longest(
    rows: &[(Vec<char>, &'static Municipality)],
    text: &[char],
    allowed: impl Fn(MunicipalityKind) -> bool,
) -> Option<(&'static str, usize)> {
    rows.iter()
        .filter(|(name, row)| text.starts_with(name) && allowed(row.kind))
        .map(|(name, row)| (row.name, name.len()))
        .max_by_key(|(_, len)| *len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        let wards = all().iter().filter(|m| m.kind == MunicipalityKind::DesignatedWard).count();
        assert_eq!((all().len(), wards), (1912, 171));
        let code = LocalGovernmentCode::parse("132152").unwrap();
        let row = find(&code).unwrap();
        assert_eq!((row.prefecture_name, row.name), ("東京都", "国立市"));
        assert_eq!(PREFECTURES.len(), 47);
        assert!(FOLDED.iter().all(|(name, _)| name.len() <= 11));
    }

    #[test]
    fn addresses_split_at_the_longest_name() {
        for (address, prefecture, municipality, rest) in [
            ("東京都国立市富士見台2-3", Some("東京都"), Some("国立市"), "富士見台2-3"),
            ("国立市富士見台", None, Some("国立市"), "富士見台"),
            ("北海道札幌市中央区北一条", Some("北海道"), Some("札幌市中央区"), "北一条"),
            ("北海道札幌市", Some("北海道"), Some("札幌市"), ""),
            ("長野県東筑摩郡麻績村麻", Some("長野県"), Some("麻績村"), "麻"),
            ("千葉県鎌ヶ谷市道野辺", Some("千葉県"), Some("鎌ケ谷市"), "道野辺"),
            ("福島県郡山市朝日", Some("福島県"), Some("郡山市"), "朝日"),
            ("広島県安芸郡府中町大通", Some("広島県"), Some("府中町"), "大通"),
            ("東京都 国立市　中", Some("東京都"), Some("国立市"), "中"),
            ("東京都国", Some("東京都"), None, "国"),
            ("架空町1", None, None, "架空町1"),
            ("", None, None, ""),
        ] {
            let parts = AddressParts { prefecture, municipality, rest };
            assert_eq!(split_address(address), parts, "{address}");
        }
    }

    #[test]
    fn every_municipality_is_found_in_its_own_address() {
        for row in all() {
            let address = format!("{}{}本町1", row.prefecture_name, row.name);
            assert_eq!(split_address(&address).municipality, Some(row.name), "{address}");
        }
    }
}
