//! One resident as the generator hands it out: borrowed text, ready for a row, a record or a store.

use std::fmt::Write as _;

use law::code::RecordCode;
use law::people::Sex;

use super::person::Traits;
use super::place::Dwelling;
use super::protection::Protection;

/// Somebody who does not exist. Everything is borrowed and valid during the visit only.
#[derive(Clone, Copy)]
pub struct Resident<'a> {
    /// Place in the order of the file, from 0.
    pub index: u64,
    pub record_code: &'a RecordCode,
    pub family_name: &'a str,
    pub given_name: &'a str,
    pub family_kana: &'a str,
    pub given_kana: &'a str,
    pub sex: Sex,
    /// ISO, `00` for unknown parts.
    pub birth: &'a str,
    pub municipality_code: &'a str,
    pub address: &'a str,
    pub household_id: &'a str,
    pub relationship: &'a str,
    /// Empty for a Japanese national.
    pub nationality: &'a str,
    /// 通称: family and given name.
    pub alternative_name: Option<(&'a str, &'a str)>,
    pub traits: Traits,
    /// Stands in a file of its own only.
    pub protection: Option<Protection>,
    /// The address in numbers, for who keeps many.
    pub(crate) dwelling: Dwelling,
}

impl std::fmt::Debug for Resident<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Resident(…)")
    }
}

impl Resident<'_> {
    /// Appends one row of the residents' CSV. No cell can hold a comma, a quotation mark or a line
    /// end, so none is quoted (RFC 4180); the tables' tests hold them to it.
    pub fn write_csv(&self, text: &mut String) {
        for cell in [
            self.record_code.expose(),
            self.family_name,
            self.given_name,
            self.family_kana,
            self.given_kana,
        ] {
            text.push_str(cell);
            text.push(',');
        }
        text.push(char::from(b'0' + self.sex.code()));
        for cell in [
            self.birth,
            self.municipality_code,
            self.address,
            self.household_id,
            self.relationship,
            self.nationality,
        ] {
            text.push(',');
            text.push_str(cell);
        }
        text.push(',');
        if let Some((family, given)) = self.alternative_name {
            text.push_str(family);
            text.push('\u{3000}');
            text.push_str(given);
        }
        text.push('\n');
    }

    /// Appends one row of the file of protected residents; nothing for anybody else.
    pub fn write_protection(&self, text: &mut String) {
        let Some(protection) = self.protection else { return };
        let (begins, ends) = (protection.begins, protection.ends);
        let cells = [self.record_code.expose(), self.municipality_code, self.household_id];
        for cell in cells.into_iter().chain([protection.ground.key(), protection.role()]) {
            text.push_str(cell);
            text.push(',');
        }
        // Writing to a String cannot fail.
        writeln!(text, "{begins},{ends}").unwrap_or(());
    }
}
