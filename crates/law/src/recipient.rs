//! Whether an organ is the recipient that an appended table names in its upper column (上欄).
//!
//! What the column says by name or by kind is checked. Of a list that is kept elsewhere (中核市, 政令で
//! 定める市, 福祉事務所を管理する町村長 …) only those count who are on it for certain; for all others it is
//! unknown, and what is unknown is refused.

use crate::affair::{Affair, Epoch};
use crate::code::LocalGovernmentCode;
use crate::municipality::{self, MunicipalityKind};
use crate::organ::Organ;

/// The appended tables an asker may name towards a responder; empty where none gives a right.
///
/// Then (法30条の7, 30条の8, 30条の10): the center answers agencies (table 1), prefectures (3) and
/// municipalities (4) for the delegating governors, a prefecture the municipalities of its area
/// (2), and uses its own for table 5. Now (30条の9 to 30条の12, 30条の15): only the center provides, to
/// municipalities under 2 and 4; a prefecture uses its own for tables 5 and 6.
#[must_use]
pub fn tables(epoch: Epoch, asker: &Organ, responder: &Organ) -> &'static [u8] {
    match (epoch, asker, responder) {
        (_, Organ::Agency(_), Organ::Center) => &[1],
        (_, Organ::Prefecture(_), Organ::Center) => &[3],
        (Epoch::Founding, Organ::Municipality(_), Organ::Center) => &[4],
        (Epoch::Today, Organ::Municipality(_), Organ::Center) => &[2, 4],
        (Epoch::Founding, Organ::Municipality(asker), Organ::Prefecture(home))
            if asker.prefecture() == *home =>
        {
            &[2]
        }
        (Epoch::Founding, Organ::Prefecture(asker), Organ::Prefecture(own)) if asker == own => &[5],
        (Epoch::Today, Organ::Prefecture(asker), Organ::Prefecture(own)) if asker == own => &[5, 6],
        _ => &[],
    }
}

/// Whether the upper column of this affair names this organ.
#[must_use]
pub fn names(affair: &Affair, organ: &Organ) -> bool {
    match organ {
        Organ::Agency(code) => code.recipient(affair.epoch) == Some(affair.recipient),
        Organ::Prefecture(code) => municipality::prefecture_name(*code)
            .is_some_and(|name| prefecture_named(affair.recipient, name)),
        Organ::Municipality(code) => municipality::find(code)
            .is_some_and(|row| municipality_named(affair.recipient, row.name, row.kind)),
        Organ::Center => false,
    }
}

/// 福島県知事 is one prefecture; 都県知事, 都府県知事 and 府県知事 leave out the others by kind; every
/// other wording means each prefecture (which rivers it manages is not in the column).
fn prefecture_named(column: &str, name: &str) -> bool {
    let kinds: &[char] = match column {
        "都県知事" => &['都', '県'],
        "都府県知事" => &['都', '府', '県'],
        "府県知事" => &['府', '県'],
        // UNCERTAIN which: the Act on the victims of Minamata disease was not at hand.
        column if column.ends_with("関係県の知事") => &['県'],
        column => {
            let named = column.strip_suffix("知事").unwrap_or_default();
            let is_one = municipality::prefecture_named(named).is_some();
            return !is_one || named == name;
        }
    };
    name.ends_with(kinds)
}

fn municipality_named(column: &str, name: &str, kind: MunicipalityKind) -> bool {
    use MunicipalityKind::{City, DesignatedCity, DesignatedWard, SpecialWard, Town, Village};
    let city = matches!(kind, City | DesignatedCity | SpecialWard);
    let head = column.split('（').next().unwrap_or(column);
    if kind == DesignatedWard {
        // The city's server asks, not the ward's (令31条: 市長).
        return false;
    }
    match column {
        "広島市又は長崎市の長" => return matches!(name, "広島市" | "長崎市"),
        "市町村長（指定都市の長を除く。）" => return kind != DesignatedCity,
        _ => {}
    }
    if column.ends_with("指定都市の長") && !column.contains("中核市") {
        return kind == DesignatedCity;
    }
    if head.starts_with("町村長") {
        return matches!(kind, Town | Village);
    }
    let everyone = ["市町村長", "選挙管理委員会", "教育委員会", "農業委員会", "監査委員"];
    let town_too =
        column.contains("町村長") || column.contains("市町村") || everyone.contains(&column);
    city || town_too
}
