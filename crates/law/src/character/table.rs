//! The table between Juki-net unified characters and Unicode text: the project's small one, and
//! MJ文字情報一覧表 when an operator has it. Not where the file is read: bytes are handed in.
//!
//! The list of the MJ characters is under a share-alike licence and is no part of this project.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use thiserror::Error;

use super::{CharacterClass, CharacterError, JukiChar, is_selector, spelled};

static SMALL_TSV: &str = include_str!("../../tables/characters.tsv");

static SMALL: LazyLock<CharacterTable> = LazyLock::new(small);

/// The published list has 58,862 rows; a longer file is something else.
const TABLE_ROWS_COUNT_MAX: usize = 100_000;

/// Names of a column in the published list and in extracts of it.
const MJ: &[&str] = &["mj", "MJ文字図形名"];
const JUKI: &[&str] = &["juki", "住基ネット統一文字コード"];
const UCS: &[&str] = &["impl_ucs", "実装したUCS"];
const IVS: &[&str] = &["ivs", "実装したMoji_JohoIVS", "実装したMoji_JohoコレクションIVS"];

/// Name of a glyph in MJ文字情報一覧表, as MJ028902.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MjName(u32);

impl MjName {
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("MJ").filter(|digits| digits.len() == 6)?;
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok().map(Self))?
    }
}

impl fmt::Display for MjName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MJ{:06}", self.0)
    }
}

/// What stands for one code: a character, or a character with its variation selector.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Glyph {
    pub base: char,
    pub selector: Option<char>,
    pub mj: Option<MjName>,
}

impl Glyph {
    #[must_use]
    pub fn text(&self) -> String {
        std::iter::once(self.base).chain(self.selector).collect()
    }
}

impl fmt::Debug for Glyph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Glyph(…)")
    }
}

/// What is wrong with a table as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TableFault {
    #[error("the table is not UTF-8 text; export it as tab-separated UTF-8")]
    NotText,
    #[error("the header lacks the column {0}; give MJ文字情報一覧表 as tab-separated text")]
    Lacks(&'static str),
    #[error("line {line}: {what}; the file is damaged or another one")]
    Row { line: usize, what: &'static str },
    #[error("the table has no row with a code; give MJ文字情報一覧表, not an extract without J+")]
    Empty,
    #[error("the table has more than {TABLE_ROWS_COUNT_MAX} rows; this is another file")]
    TooLong,
}

/// Codes and texts, one to one: no two codes share a spelling, no two spellings a code.
#[derive(Clone, Default)]
pub struct CharacterTable {
    glyphs: BTreeMap<JukiChar, Glyph>,
    codes: BTreeMap<(char, Option<char>), JukiChar>,
    /// The second spelling of a shape that is written without a selector.
    aliases: BTreeMap<(char, char), JukiChar>,
    by_mj: BTreeMap<MjName, JukiChar>,
}

impl fmt::Debug for CharacterTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CharacterTable({} characters)", self.glyphs.len())
    }
}

impl CharacterTable {
    /// The project's own: ASCII, kana, the kanji of JIS X 0208 and what the demonstration needs.
    #[must_use]
    pub fn small() -> &'static Self {
        &SMALL
    }

    /// MJ文字情報一覧表 as tab-separated text with its header, or what [`Self::to_tsv`] wrote. It
    /// knows no 非漢字: those come from the small table.
    pub fn parse(bytes: &[u8]) -> Result<Self, TableFault> {
        let text = std::str::from_utf8(bytes).map_err(|_| TableFault::NotText)?;
        let mut lines = text.trim_start_matches('\u{feff}').lines();
        let header: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
        let place = |names: &[&'static str], name: &'static str| {
            let found =
                header.iter().position(|cell| names.contains(&cell.trim_matches(['"', ' '])));
            found.ok_or(TableFault::Lacks(name))
        };
        let mj = place(MJ, "MJ文字図形名")?;
        let juki = place(JUKI, "住基ネット統一文字コード")?;
        let ucs = place(UCS, "実装したUCS")?;
        let ivs = place(IVS, "実装したMoji_JohoIVS")?;
        let mut table = Self::default();
        for (index, line) in lines.enumerate() {
            if index >= TABLE_ROWS_COUNT_MAX {
                return Err(TableFault::TooLong);
            }
            let cells: Vec<&str> = line.split('\t').map(str::trim).collect();
            let cell = |at: usize| cells.get(at).copied().unwrap_or_default();
            if cell(juki).is_empty() {
                continue;
            }
            let row = |what| TableFault::Row { line: index + 2, what };
            let code = JukiChar::parse(cell(juki)).ok_or_else(|| row("not a code J+xxxx"))?;
            let mj = match cell(mj) {
                "" => None,
                name => Some(MjName::parse(name).ok_or_else(|| row("not a name MJxxxxxx"))?),
            };
            let plain = spelling(cell(ucs)).ok_or_else(|| row("not a code point U+xxxx"))?;
            let sequence =
                spelling(cell(ivs)).ok_or_else(|| row("not a sequence U+xxxx U+xxxxx"))?;
            table.enter_row(code, mj, (plain, sequence)).map_err(row)?;
        }
        if table.glyphs.is_empty() {
            return Err(TableFault::Empty);
        }
        for (code, glyph) in small_ranges() {
            if !table.glyphs.contains_key(&code) && !table.codes.contains_key(&(glyph.base, None)) {
                table.enter(code, glyph).map_err(|what| TableFault::Row { line: 0, what })?;
            }
        }
        Ok(table)
    }

    /// A row has the code point under which a font shows exactly this shape, or the sequence that
    /// asks for it, or both; then the code point is the spelling and the sequence the alias.
    fn enter_row(
        &mut self,
        code: JukiChar,
        mj: Option<MjName>,
        (plain, sequence): (Option<Spelling>, Option<Spelling>),
    ) -> Result<(), &'static str> {
        let (base, selector) = plain.or(sequence).ok_or("neither a code point nor a sequence")?;
        self.enter(code, Glyph { base, selector, mj })?;
        if let (Some(_), Some((base, Some(selector)))) = (plain, sequence) {
            self.aliases.insert((base, selector), code);
        }
        Ok(())
    }

    fn enter(&mut self, code: JukiChar, glyph: Glyph) -> Result<(), &'static str> {
        if self.glyphs.insert(code, glyph).is_some() {
            return Err("a code stands twice");
        }
        if self.codes.insert((glyph.base, glyph.selector), code).is_some() {
            return Err("a spelling stands twice");
        }
        if let Some(mj) = glyph.mj {
            self.by_mj.insert(mj, code);
        }
        Ok(())
    }

    /// The text as unified characters, each with its own code.
    pub fn encode(&self, text: &str) -> Result<Vec<JukiChar>, CharacterError> {
        spelled(text)
            .enumerate()
            .map(|(index, (base, selector))| self.code_of(base, selector, index + 1))
            .collect()
    }

    /// Whether every character of the text has a code.
    pub fn check(&self, text: &str) -> Result<(), CharacterError> {
        spelled(text).enumerate().try_for_each(|(index, (base, selector))| {
            self.code_of(base, selector, index + 1).map(|_| ())
        })
    }

    fn code_of(
        &self,
        base: char,
        selector: Option<char>,
        position: usize,
    ) -> Result<JukiChar, CharacterError> {
        if let Some(code) = self.codes.get(&(base, selector)) {
            return Ok(*code);
        }
        Err(match selector {
            None => CharacterError::Outside { position, class: CharacterClass::of(base) },
            Some(selector) if self.aliases.contains_key(&(base, selector)) => {
                CharacterError::Spelling { position }
            }
            Some(_) => CharacterError::Sequence { position },
        })
    }

    /// The text of these codes. `encode` gives the same codes back.
    pub fn decode(&self, codes: &[JukiChar]) -> Result<String, CharacterError> {
        let mut text = String::with_capacity(codes.len() * 3);
        for (index, code) in codes.iter().enumerate() {
            let glyph =
                self.glyphs.get(code).ok_or(CharacterError::NoText { position: index + 1 })?;
            text.push(glyph.base);
            text.extend(glyph.selector);
        }
        Ok(text)
    }

    #[must_use]
    pub fn glyph(&self, code: JukiChar) -> Option<&Glyph> {
        self.glyphs.get(&code)
    }

    #[must_use]
    pub fn by_mj(&self, name: MjName) -> Option<JukiChar> {
        self.by_mj.get(&name).copied()
    }

    /// Every code whose glyph has this base character, the plain one first.
    pub fn by_base(&self, base: char) -> impl Iterator<Item = JukiChar> + '_ {
        self.codes.range((base, None)..=(base, Some(char::MAX))).map(|(_, code)| *code)
    }

    /// All codes in ascending order.
    pub fn codes(&self) -> impl Iterator<Item = JukiChar> + '_ {
        self.glyphs.keys().copied()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.glyphs.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.glyphs.is_empty()
    }

    /// The whole table in the columns that [`Self::parse`] reads.
    #[must_use]
    pub fn to_tsv(&self) -> String {
        let aliases: BTreeMap<JukiChar, char> =
            self.aliases.iter().map(|((_, selector), code)| (*code, *selector)).collect();
        let mut out = String::from("juki\tmj\timpl_ucs\tivs\n");
        for (code, glyph) in &self.glyphs {
            let mj = glyph.mj.map(|mj| mj.to_string()).unwrap_or_default();
            let base = u32::from(glyph.base);
            let plain = if glyph.selector.is_none() { point(base) } else { String::new() };
            let selector = glyph.selector.or_else(|| aliases.get(code).copied());
            let ivs =
                selector.map(|selector| format!("{} {}", point(base), point(selector.into())));
            out.push_str(&format!("{code}\t{mj}\t{plain}\t{}\n", ivs.unwrap_or_default()));
        }
        out
    }
}

fn point(code: u32) -> String {
    format!("U+{code:04X}")
}

type Spelling = (char, Option<char>);

/// `U+845B`, `U+845B U+E0102` or `845B_E0102`; `Some(None)` for an empty cell, `None` for what is
/// neither.
#[allow(clippy::option_option, reason = "an empty cell and a wrong one are two things")]
fn spelling(cell: &str) -> Option<Option<Spelling>> {
    let point = |text: &str| {
        let digits = text.strip_prefix("U+").unwrap_or(text);
        let hex = (4..=6).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
        if hex { char::from_u32(u32::from_str_radix(digits, 16).ok()?) } else { None }
    };
    let mut parts = cell.split([' ', '_']).filter(|part| !part.is_empty());
    let Some(base) = parts.next() else { return Some(None) };
    let base = point(base).filter(|c| !is_selector(*c))?;
    let selector = match parts.next() {
        None => None,
        Some(text) => Some(point(text).filter(|c| is_selector(*c))?),
    };
    if parts.next().is_some() { None } else { Some(Some((base, selector))) }
}

/// Rows of the small table, `kind`: `range` and `same` where the code equals the code point, `one`
/// for a single character. A row that cannot be read leaves its characters outside; a test counts.
fn small() -> CharacterTable {
    let mut table = CharacterTable::default();
    for (code, glyph) in small_singles().chain(small_ranges()) {
        let _ = table.enter(code, glyph);
    }
    table
}

fn small_rows(of: &'static str) -> impl Iterator<Item = [&'static str; 3]> {
    SMALL_TSV.lines().skip(1).filter_map(move |line| {
        let mut cells = line.split('\t');
        let kind = cells.next()?;
        let row = [cells.next()?, cells.next()?, cells.next()?];
        (kind == of).then_some(row)
    })
}

fn small_ranges() -> impl Iterator<Item = (JukiChar, Glyph)> {
    small_rows("range").flat_map(|[range, ..]| {
        let bound = |text: &str| u16::from_str_radix(text, 16).ok();
        let (first, last) = range.split_once('-').unwrap_or_default();
        let (first, last) = (bound(first).unwrap_or(1), bound(last).unwrap_or(0));
        (first..=last).filter_map(same)
    })
}

fn small_singles() -> impl Iterator<Item = (JukiChar, Glyph)> {
    let same_rows = small_rows("same").flat_map(|[_, text, _]| {
        text.chars().filter_map(|c| same(u16::try_from(u32::from(c)).ok()?))
    });
    let one_rows = small_rows("one").filter_map(|[code, text, mj]| {
        let code = JukiChar::new(u16::from_str_radix(code, 16).ok()?)?;
        let (base, selector) = spelled(text).next()?;
        Some((code, Glyph { base, selector, mj: MjName::parse(mj) }))
    });
    same_rows.chain(one_rows)
}

fn same(code: u16) -> Option<(JukiChar, Glyph)> {
    let base = char::from_u32(u32::from(code))?;
    Some((JukiChar::new(code)?, Glyph { base, selector: None, mj: None }))
}
