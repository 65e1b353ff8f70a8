//! What a copy of a resident record (住民票の写し) shows, to whom (法12条-12条の3, 30条の51).
//! Whether the request is proper (12条6項) is the clerk's to judge, not decided here.

use std::fmt;

use super::fault::{Fault, Rule};
use super::item::{Group, Item};
use super::record::ResidentRecord;
use crate::people::Name;

/// Who asks for the copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requester {
    /// 法12条: the resident or a member of her household.
    Household,
    /// 法12条の2: an organ of the state or of a local body.
    Organ,
    /// 法12条の3: anyone else.
    ThirdParty,
}

/// Items that are left out unless they are asked for (法12条5項, 12条の3 7項).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extra {
    Relationship,
    Domicile,
    Entitlements,
    Code,
    Other,
    Nationality,
}

impl Extra {
    pub const ALL: [Self; 6] = [
        Self::Relationship,
        Self::Domicile,
        Self::Entitlements,
        Self::Code,
        Self::Other,
        Self::Nationality,
    ];

    const fn row(self) -> (&'static str, Group) {
        match self {
            Self::Relationship => ("relationship", Group::Relationship),
            Self::Domicile => ("domicile", Group::Domicile),
            Self::Entitlements => ("entitlements", Group::Entitlements),
            Self::Code => ("code", Group::Code),
            Self::Other => ("other", Group::Other),
            Self::Nationality => ("nationality", Group::Nationality),
        }
    }

    #[must_use]
    pub const fn key(self) -> &'static str {
        self.row().0
    }

    #[must_use]
    pub fn parse_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|extra| extra.key() == key)
    }
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyRequest {
    pub requester: Requester,
    pub with: Vec<Extra>,
}

/// A copy's lines, ready to be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct RecordCopy {
    lines: Vec<(&'static str, String)>,
    deleted: bool,
}

impl RecordCopy {
    /// What `request` may see of the record.
    ///
    /// # Errors
    /// When someone outside the household asks for the record code: that is never given.
    pub fn of(
        record: &ResidentRecord,
        householder: Option<&Name>,
        request: &CopyRequest,
    ) -> Result<Self, Fault> {
        let outside = request.requester != Requester::Household;
        if outside && request.with.contains(&Extra::Code) {
            return Err(Fault::new(Item::Code.key(), Rule::CodeToOthers));
        }
        let shown = |group: Group| {
            group == Group::Basic || request.with.iter().any(|extra| extra.row().1 == group)
        };
        let mut lines = Vec::new();
        for (item, text) in record.sheet().expose_items() {
            if !shown(item.group()) {
                continue;
            }
            // 世帯主の氏名及び続柄 (法7条4号): the householder's name stands with the relationship.
            if item == Item::Relationship
                && let Some(name) = householder
            {
                lines.push(("世帯主の氏名", name.expose().to_owned()));
            }
            lines.push((item.label(), item.printed(text)));
        }
        Ok(Self { lines, deleted: !record.is_current() })
    }

    /// The lines, label and text. Every use of this name is a place where a record is printed.
    pub fn expose_lines(&self) -> impl Iterator<Item = (&'static str, &str)> + '_ {
        self.lines.iter().map(|(label, text)| (*label, text.as_str()))
    }

    /// The name of the paper: 除票 when the record is deleted.
    #[must_use]
    pub fn title(&self) -> &'static str {
        if self.deleted { "除票の写し" } else { "住民票の写し" }
    }

    /// 令15条: the statement that ends the copy.
    #[must_use]
    pub fn statement(&self) -> &'static str {
        if self.deleted {
            "この写しは、除票の原本と相違ないことを証明する。"
        } else {
            "この写しは、住民票の原本と相違ないことを証明する。"
        }
    }
}

impl fmt::Debug for RecordCopy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecordCopy(…)")
    }
}
