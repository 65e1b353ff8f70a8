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

/// Whether an affair reaches the records of this municipality's residents.
///
/// Then 法30条の7第4項 (別表第二) and 30条の8 (第五) are about the asker's own prefecture, 30条の7第5項
/// and 第6項 (第三, 第四) about 「他の都道府県」: a governor provides what the own municipalities notified
/// to organs elsewhere. Now 30条の10 and 30条の15 are about the prefecture that notified
/// (通知都道府県), 30条の11 and 30条の12 about every other (通知都道府県以外). Only the agencies of table 1
/// ask about the whole country.
#[must_use]
pub fn reaches(table: u8, asker: &Organ, holder: &LocalGovernmentCode) -> bool {
    let own = match asker {
        Organ::Municipality(code) => Some(code.prefecture()),
        Organ::Prefecture(code) => Some(*code),
        Organ::Agency(_) | Organ::Center => None,
    };
    match (table, own) {
        (1, None) => true,
        (2 | 5 | 6, Some(own)) => holder.prefecture() == own,
        (3 | 4, Some(own)) => holder.prefecture() != own,
        _ => false,
    }
}

/// 福島県知事 is one prefecture; 都県知事, 都府県知事 and 府県知事 leave out the others by kind. Every
/// prefecture manages rivers of 河川法9条2項 or 10条1項.
fn prefecture_named(column: &str, name: &str) -> bool {
    match column {
        "都県知事" => name.ends_with(['都', '県']),
        "都府県知事" => name.ends_with(['都', '府', '県']),
        "府県知事" => name.ends_with(['府', '県']),
        "都道府県知事"
        | "都道府県知事（自己利用）"
        | "都道府県知事その他の執行機関"
        | "都道府県知事又は教育委員会"
        | "都道府県知事以外の執行機関"
        | "教育委員会"
        | "監査委員" => true,
        column if column.starts_with("河川法") => true,
        // UNCERTAIN which: 関係県 of the Act on Minamata disease, 認定地方公共団体, 特区地方公共団体.
        column => column.strip_suffix("知事") == Some(name),
    }
}

fn municipality_named(column: &str, name: &str, kind: MunicipalityKind) -> bool {
    use MunicipalityKind::{City, DesignatedCity, DesignatedWard, SpecialWard};
    if kind == DesignatedWard {
        // The city's server asks, not the ward's (令31条: 市長).
        return false;
    }
    match column {
        "市町村長"
        | "市町村長その他の執行機関"
        | "選挙管理委員会"
        | "教育委員会"
        | "農業委員会" => true,
        "広島市又は長崎市の長" => matches!(name, "広島市" | "長崎市"),
        "市町村長（指定都市の長を除く。）" => kind != DesignatedCity,
        "指定都市の長" => kind == DesignatedCity,
        // 地域保健法5条1項 names these two itself, all other cities by cabinet order.
        "保健所を設置する市又は特別区の長" => {
            matches!(kind, DesignatedCity | SpecialWard)
        }
        // UNCERTAIN which towns and villages keep a 福祉事務所: none of them.
        column if column.starts_with("市長") => {
            matches!(kind, City | DesignatedCity | SpecialWard)
        }
        // UNCERTAIN which cities are 中核市 or 児童相談所設置市.
        column if column.starts_with("指定都市又は") || column.starts_with("指定都市若しくは") => {
            kind == DesignatedCity
        }
        // UNCERTAIN who else: 政令で定める市, 救助実施市, 災害発生市町村等, 認定地方公共団体, managers of
        // rivers, 町村長 without a 福祉事務所.
        _ => false,
    }
}
