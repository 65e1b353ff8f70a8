//! The appended tables (別表) and the affairs of the ministerial order (平成14年総務省令13号): who may
//! receive identity information, for what. Not the check itself, which is in `inquiry`.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use thiserror::Error;

use crate::time::Date;

static AFFAIRS_FOUNDING_TSV: &str = include_str!("../tables/affairs_2013.tsv");
static AFFAIRS_TODAY_TSV: &str = include_str!("../tables/affairs_2026.tsv");

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AffairError {
    #[error("affair is not in the form table-item-number, as 1-74-3")]
    Affair,
    #[error("agency is not in the form A074 or A001-2")]
    Agency,
    #[error("epoch is neither 2013 nor 2026")]
    Epoch,
}

/// Which state of the law applies. Both stay enforceable side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Epoch {
    /// The regime of the founding years; the oldest full text of the tables is of 2013.
    #[default]
    Founding,
    /// The law as of 2026-06-14.
    Today,
}

impl Epoch {
    pub const ALL: [Self; 2] = [Self::Founding, Self::Today];

    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Founding => "2013",
            Self::Today => "2026",
        }
    }

    pub fn parse(text: &str) -> Result<Self, AffairError> {
        Self::ALL.into_iter().find(|epoch| epoch.key() == text).ok_or(AffairError::Epoch)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

/// Number of an item in a table: 百二十の二 is `120-2`. Items inserted into inserted items would
/// need a third part; the tables have none so far, the type allows one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Item([u16; 3]);

impl Item {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = [0_u16; 3];
        let mut slots = parts.iter_mut();
        for part in text.split('-') {
            *slots.next()? = plain_number(part)?;
        }
        Some(Self(parts))
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, rest @ ..] = self.0;
        write!(f, "{first}")?;
        rest.iter().take_while(|part| **part != 0).try_for_each(|part| write!(f, "-{part}"))
    }
}

/// A positive number written the one way it can be written: two texts never mean one affair.
fn plain_number(text: &str) -> Option<u16> {
    let canonical = (1..=4).contains(&text.len())
        && !text.starts_with('0')
        && text.bytes().all(|b| b.is_ascii_digit());
    if canonical { text.parse().ok() } else { None }
}

/// Key of an affair (事務): appended table, item, number within the item; `1-74-3`, `1-120-2-1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AffairId {
    table: u8,
    item: Item,
    no: u16,
}

impl AffairId {
    pub fn parse(text: &str) -> Result<Self, AffairError> {
        let (table, rest) = text.split_once('-').ok_or(AffairError::Affair)?;
        let (item, no) = rest.rsplit_once('-').ok_or(AffairError::Affair)?;
        let table = match plain_number(table) {
            Some(table @ 1..=6) => u8::try_from(table).map_err(|_| AffairError::Affair)?,
            _ => return Err(AffairError::Affair),
        };
        Ok(Self {
            table,
            item: Item::parse(item).ok_or(AffairError::Affair)?,
            no: plain_number(no).ok_or(AffairError::Affair)?,
        })
    }

    /// Number of the appended table, 1 to 6.
    #[must_use]
    pub fn table(&self) -> u8 {
        self.table
    }

    /// Item of the table, `74` or `120-2`.
    #[must_use]
    pub fn item(&self) -> String {
        self.item.to_string()
    }

    /// Number of the affair within its item.
    #[must_use]
    pub fn no(&self) -> u16 {
        self.no
    }
}

impl FromStr for AffairId {
    type Err = AffairError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for AffairId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.table, self.item, self.no)
    }
}

/// One affair of one recipient, with the days on which it is known to be in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Affair {
    pub epoch: Epoch,
    pub id: AffairId,
    pub recipient: &'static str,
    pub text: &'static str,
    /// First day of the state of the law the row was read from; not the day it was enacted.
    pub from: Date,
    /// Last day in force, if the row has been repealed.
    pub to: Option<Date>,
}

impl Affair {
    /// True on the days the row is in force. The founding set is the whole regime of the seeds, of
    /// which only the 2013 text survives: its rows are not refused for days before that text.
    #[must_use]
    pub fn in_force(&self, on: Date) -> bool {
        let begun = self.epoch == Epoch::Founding || self.from <= on;
        begun && self.to.is_none_or(|last| on <= last)
    }

    /// The article that gives this affair the provision, with its table and item. Then: 法30条の7第3項
    /// to 第6項 and 30条の8; now: 法30条の9 to 30条の12 and 30条の15.
    #[must_use]
    pub fn article(&self) -> String {
        let article = match (self.epoch, self.id.table) {
            (Epoch::Founding, 1) => "法30条の7第3項",
            (Epoch::Founding, 2) => "法30条の7第4項第1号",
            (Epoch::Founding, 3) => "法30条の7第5項第1号",
            (Epoch::Founding, 4) => "法30条の7第6項第1号",
            (Epoch::Founding, _) => "法30条の8第1項第1号",
            (Epoch::Today, 1) => "法30条の9",
            (Epoch::Today, 2) => "法30条の10第1項",
            (Epoch::Today, 3) => "法30条の11第1項",
            (Epoch::Today, 4) => "法30条の12第1項",
            (Epoch::Today, _) => "法30条の15",
        };
        let table = ["一", "二", "三", "四", "五", "六"];
        let table = table.get(usize::from(self.id.table).wrapping_sub(1)).unwrap_or(&"");
        format!("{article} 別表第{table} {}の項", self.id.item())
    }
}

static FOUNDING: LazyLock<Vec<Affair>> =
    LazyLock::new(|| read_table(Epoch::Founding, AFFAIRS_FOUNDING_TSV));
static TODAY: LazyLock<Vec<Affair>> = LazyLock::new(|| read_table(Epoch::Today, AFFAIRS_TODAY_TSV));

/// A row that cannot be read grants nothing; that none is lost is the row-count test's business.
fn read_table(epoch: Epoch, tsv: &'static str) -> Vec<Affair> {
    let mut rows: Vec<Affair> =
        tsv.lines().skip(1).filter_map(|line| read_row(epoch, line)).collect();
    rows.sort_by_key(|row| row.id);
    rows
}

fn read_row(epoch: Epoch, line: &'static str) -> Option<Affair> {
    let mut cells = line.split('\t');
    let (table, item, no) = (cells.next()?, cells.next()?, cells.next()?);
    let (recipient, text) = (cells.next()?, cells.next()?);
    let (from, to) = (Date::parse(cells.next()?).ok()?, cells.next()?);
    let to = if to.is_empty() { None } else { Some(Date::parse(to).ok()?) };
    let id = AffairId::parse(&format!("{table}-{item}-{no}")).ok()?;
    Some(Affair { epoch, id, recipient, text, from, to })
}

/// All affairs of an epoch, in the order of the tables.
#[must_use]
pub fn affairs(epoch: Epoch) -> &'static [Affair] {
    match epoch {
        Epoch::Founding => &FOUNDING,
        Epoch::Today => &TODAY,
    }
}

#[must_use]
pub fn find(epoch: Epoch, id: &AffairId) -> Option<&'static Affair> {
    let rows = affairs(epoch);
    rows.binary_search_by_key(id, |row| row.id).ok().and_then(|at| rows.get(at))
}

/// A national agency, named by an item of table 1 whose upper column it stands in: `A041` is the
/// recipient of item 41. [`agencies`] lists each recipient once, under its first item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgencyCode(Item);

impl AgencyCode {
    pub fn parse(text: &str) -> Result<Self, AffairError> {
        let rest = text.strip_prefix('A').ok_or(AffairError::Agency)?;
        let (first, more) = rest.split_once('-').map_or((rest, None), |(a, b)| (a, Some(b)));
        if first.len() != 3 {
            return Err(AffairError::Agency);
        }
        let first = first.trim_start_matches('0');
        let item = match more {
            Some(more) => Item::parse(&format!("{first}-{more}")),
            None => Item::parse(first),
        };
        item.map(Self).ok_or(AffairError::Agency)
    }

    /// The upper column of table 1 (上欄) that this code stands for, if the item is live.
    #[must_use]
    pub fn recipient(&self, epoch: Epoch) -> Option<&'static str> {
        let rows = affairs(epoch);
        let at = rows.partition_point(|row| (row.id.table, row.id.item) < (1, self.0));
        rows.get(at).filter(|row| row.id.table == 1 && row.id.item == self.0).map(|r| r.recipient)
    }
}

impl fmt::Display for AgencyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, rest @ ..] = self.0.0;
        write!(f, "A{first:03}")?;
        rest.iter().take_while(|part| **part != 0).try_for_each(|part| write!(f, "-{part}"))
    }
}

/// A recipient of table 1 with its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agency {
    pub code: AgencyCode,
    pub name: &'static str,
}

/// The recipients of table 1, each once, in the order of the table.
#[must_use]
pub fn agencies(epoch: Epoch) -> Vec<Agency> {
    let mut list: Vec<Agency> = Vec::new();
    for row in affairs(epoch).iter().filter(|row| row.id.table == 1) {
        if !list.iter().any(|agency| agency.name == row.recipient) {
            list.push(Agency { code: AgencyCode(row.id.item), name: row.recipient });
        }
    }
    list
}

/// The affairs that table 1 gives to an agency; none for a code without a live item.
#[must_use]
pub fn affairs_of(epoch: Epoch, agency: &AgencyCode) -> Vec<&'static Affair> {
    let Some(name) = agency.recipient(epoch) else { return Vec::new() };
    affairs(epoch).iter().filter(|row| row.id.table == 1 && row.recipient == name).collect()
}

/// How the answer is provided (S1: 情報提供の方法).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// Immediate provision (即時提供): one question from a terminal.
    Immediate,
    /// Batch provision (一括提供): a file of questions.
    Batch,
}

impl Channel {
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Immediate => "immediate",
            Self::Batch => "batch",
        }
    }

    #[must_use]
    pub fn parse(key: &str) -> Option<Self> {
        [Self::Immediate, Self::Batch].into_iter().find(|channel| channel.key() == key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_affair_names_the_article_of_its_table() {
        let article = |epoch, id| find(epoch, &AffairId::parse(id).unwrap()).unwrap().article();
        assert_eq!(article(Epoch::Founding, "1-74-1"), "法30条の7第3項 別表第一 74の項");
        assert_eq!(article(Epoch::Founding, "4-1-1"), "法30条の7第6項第1号 別表第四 1の項");
        let row = affairs(Epoch::Founding).iter().find(|row| row.id.table == 5).unwrap();
        assert!(row.article().starts_with("法30条の8第1項第1号 別表第五"));
        for epoch in Epoch::ALL {
            assert!(affairs(epoch).iter().all(|row| row.article().starts_with("法30条の")));
        }
    }

    #[test]
    fn every_row_of_the_tables_is_read() {
        // FACTS of the ordinance: affair rows per table, 2013 and 2026.
        for (epoch, counts) in [
            (Epoch::Founding, [489, 35, 109, 34, 130, 0]),
            (Epoch::Today, [1311, 384, 436, 383, 435, 17]),
        ] {
            for (table, count) in (1_u8..).zip(counts) {
                let rows = affairs(epoch).iter().filter(|row| row.id.table == table).count();
                assert_eq!(rows, count, "{epoch} table {table}");
            }
            assert!(affairs(epoch).windows(2).all(|pair| pair[0].id < pair[1].id));
            assert!(affairs(epoch).iter().all(|row| row.recipient != "削除"));
        }
    }

    #[test]
    fn ids_read_back_and_have_one_spelling() {
        for row in affairs(Epoch::Today) {
            assert_eq!(AffairId::parse(&row.id.to_string()), Ok(row.id));
        }
        let id = AffairId::parse("1-120-2-3").unwrap();
        assert_eq!((id.table(), id.item().as_str(), id.no()), (1, "120-2", 3));
        for bad in
            ["", "1", "1-74", "7-1-1", "1-074-3", "1-74-0", "1-74-3-", "１-74-3", "1-1-2-3-4-5"]
        {
            assert_eq!(AffairId::parse(bad), Err(AffairError::Affair), "{bad}");
        }
    }

    #[test]
    fn agencies_are_listed_once_and_find_their_affairs() {
        for epoch in Epoch::ALL {
            let list = agencies(epoch);
            let mut total = 0;
            for agency in &list {
                assert_eq!(AgencyCode::parse(&agency.code.to_string()), Ok(agency.code));
                assert_eq!(agency.code.recipient(epoch), Some(agency.name));
                total += affairs_of(epoch, &agency.code).len();
            }
            let table_1 = affairs(epoch).iter().filter(|row| row.id.table() == 1).count();
            assert_eq!(total, table_1);
        }
        assert_eq!(agencies(Epoch::Founding).len(), 56);
        let pension = AgencyCode::parse("A074").unwrap();
        assert_eq!(pension.recipient(Epoch::Founding), Some("厚生労働省及び日本年金機構"));
        assert_eq!(AgencyCode::parse("A999").unwrap().recipient(Epoch::Founding), None);
        for bad in ["", "A", "A74", "074", "A074-", "A074-0", "A0074", "A000"] {
            assert_eq!(AgencyCode::parse(bad), Err(AffairError::Agency), "{bad}");
        }
    }
}
