//! One resident record (住民票), whole: it can only be made from a sheet whose items belong together.
//! Not a version of it (`store::register` keeps those) and not what a copy shows (`copy`).

use std::fmt;

use super::fault::{Fault, Rule};
use super::item::{HOUSEHOLDER, Item, LOWER_COLUMN, STATUSES, Sheet, Whose};
use crate::affair::Epoch;
use crate::change::ChangeReason;
use crate::code::{LocalGovernmentCode, RecordCode};
use crate::people::{
    Address, BirthDate, FormerSurname, FourItems, IdentityInformation, Kana, Name, OtherNames, Sex,
};
use crate::time::Date;

/// Longest name of a household in the register's arrangement.
const HOUSEHOLD_LENGTH_BYTES_MAX: usize = 64;

/// A household (世帯) by its number in the register (法6条1項). Not a family: who lives together.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HouseholdId(String);

impl HouseholdId {
    /// ASCII letters, digits and hyphens.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=HOUSEHOLD_LENGTH_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        fits.then(|| Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for HouseholdId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HouseholdId(…)")
    }
}

/// That a record was deleted (消除, 令8条), why and as of which day (令13条).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deletion {
    pub reason: ChangeReason,
    pub on: Date,
}

/// Resident record (住民票, 法7条, 30条の45).
#[derive(Clone, PartialEq, Eq)]
pub struct ResidentRecord {
    code: RecordCode,
    four: FourItems,
    other_names: OtherNames,
    household: HouseholdId,
    foreign: bool,
    deletion: Option<Deletion>,
    sheet: Sheet,
}

impl fmt::Debug for ResidentRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResidentRecord(…)")
    }
}

fn given(sheet: &Sheet, item: Item) -> Result<&str, Fault> {
    sheet.expose_item(item).ok_or_else(|| Fault::new(item.key(), Rule::Missing))
}

/// A text that `Item::written` has passed parses; should the two ever differ, it is malformed.
fn typed<T, E>(
    sheet: &Sheet,
    item: Item,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, Fault> {
    parse(given(sheet, item)?).map_err(|_| Fault::new(item.key(), Rule::Malformed))
}

impl ResidentRecord {
    /// A record from its items: each in its form, none missing, none that this record cannot have.
    ///
    /// # Errors
    /// The first item that does not fit, in the order of the items.
    pub fn parse(items: &Sheet, epoch: Epoch) -> Result<Self, Fault> {
        let mut sheet = Sheet::default();
        for (item, text) in items.expose_items().filter(|(_, text)| !text.is_empty()) {
            sheet.put(item, item.written(text)?);
        }
        let foreign = sheet.has(Item::Nationality);
        belongs(&sheet, foreign, epoch)?;
        let four = FourItems {
            name: typed(&sheet, Item::Name, Name::parse)?,
            kana: typed(&sheet, Item::Kana, Kana::parse)?,
            address: typed(&sheet, Item::Address, Address::parse)?,
            sex: typed(&sheet, Item::Sex, |text| {
                text.parse().map_or(Err(()), |code| Sex::from_code(code).map_err(|_| ()))
            })?,
            birth: typed(&sheet, Item::Birth, BirthDate::parse)?,
        };
        let alternative = sheet.expose_item(Item::AlternativeName);
        let surname = sheet.expose_item(Item::FormerSurname);
        let other_names = OtherNames {
            alternative: alternative.and_then(|text| Name::parse(text).ok()),
            former_surname: surname.and_then(|text| FormerSurname::parse(text).ok()),
        };
        let household = typed(&sheet, Item::Household, |text| HouseholdId::parse(text).ok_or(()))?;
        given(&sheet, Item::Relationship)?;
        let code = typed(&sheet, Item::Code, RecordCode::parse)?;
        let deletion = deletion(&sheet)?;
        Ok(Self { code, four, other_names, household, foreign, deletion, sheet })
    }

    #[must_use]
    pub fn code(&self) -> &RecordCode {
        &self.code
    }

    #[must_use]
    pub fn name(&self) -> &Name {
        &self.four.name
    }

    #[must_use]
    pub fn four(&self) -> &FourItems {
        &self.four
    }

    #[must_use]
    pub fn household(&self) -> &HouseholdId {
        &self.household
    }

    #[must_use]
    pub fn is_householder(&self) -> bool {
        self.sheet.expose_item(Item::Relationship) == Some(HOUSEHOLDER)
    }

    /// A foreign resident's record (外国人住民に係る住民票).
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        self.foreign
    }

    #[must_use]
    pub fn deletion(&self) -> Option<Deletion> {
        self.deletion
    }

    #[must_use]
    pub fn is_current(&self) -> bool {
        self.deletion.is_none()
    }

    /// Every item as text.
    #[must_use]
    pub fn sheet(&self) -> &Sheet {
        &self.sheet
    }

    /// What the network may hold of this record (本人確認情報, 法30条の5), and nothing else of it.
    #[must_use]
    pub fn identity(&self, municipality: LocalGovernmentCode) -> IdentityInformation {
        IdentityInformation {
            code: self.code,
            items: self.four.clone(),
            municipality,
            other_names: self.other_names.clone(),
        }
    }
}

fn deletion(sheet: &Sheet) -> Result<Option<Deletion>, Fault> {
    if !sheet.has(Item::DeletedBy) {
        return match [Item::DeletedOn, Item::Destination].into_iter().find(|i| sheet.has(*i)) {
            Some(item) => Err(Fault::new(item.key(), Rule::NotOfThisRecord)),
            None => Ok(None),
        };
    }
    let reason = typed(sheet, Item::DeletedBy, |text| ChangeReason::parse_key(text).ok_or(()))?;
    Ok(Some(Deletion { reason, on: typed(sheet, Item::DeletedOn, Date::parse)? }))
}

/// Which items stand in this record: by nationality (30条の45), by status, by the law of the time.
fn belongs(sheet: &Sheet, foreign: bool, epoch: Epoch) -> Result<(), Fault> {
    let refuse = |item: Item, rule| Err(Fault::new(item.key(), rule));
    let other = if foreign { Whose::Japanese } else { Whose::Foreign };
    if let Some(item) = sheet.items().find(|item| item.whose() == other) {
        return refuse(item, Rule::NotOfThisRecord);
    }
    let surname = [Item::FormerSurname, Item::FormerSurnameKana];
    if epoch == Epoch::Founding
        && let Some(item) = surname.into_iter().find(|item| sheet.has(*item))
    {
        return refuse(item, Rule::NotOfThisLaw);
    }
    let required: &[Item] = if foreign {
        &[Item::ForeignSince, Item::Status]
    } else {
        &[Item::Domicile, Item::ResidentSince]
    };
    if let Some(item) = required.iter().find(|item| !sheet.has(**item)) {
        return refuse(*item, Rule::Missing);
    }
    if let Some(status) = sheet.expose_item(Item::Status) {
        let column = STATUSES.iter().find(|row| row.0 == status).map_or(&[][..], |row| row.2);
        for item in LOWER_COLUMN {
            match (column.contains(&item), sheet.has(item)) {
                // An unlimited stay (永住者) has neither period nor last day.
                (true, false) if !is_term(item) || !permanent(sheet) => {
                    return refuse(item, Rule::Missing);
                }
                (false, true) => return refuse(item, Rule::NotOfThisRecord),
                _ => {}
            }
        }
    }
    Ok(())
}

fn is_term(item: Item) -> bool {
    matches!(item, Item::ResidencePeriod | Item::ResidenceExpires)
}

fn permanent(sheet: &Sheet) -> bool {
    sheet.expose_item(Item::ResidenceStatus) == Some("永住者")
}
