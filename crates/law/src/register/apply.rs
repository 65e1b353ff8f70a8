//! What follows from a filing or an act: the records after it, the notice to the network by
//! 規則11条, what was late, and who must be sent a code. Reads nothing and keeps nothing.
//!
//! Only a change of the four items, of the names beside them, of the code or of the municipality is
//! told to the network; a change of household, entitlements or status is the municipality's own.

use std::fmt;

use super::deadline::{Lateness, lateness};
use super::fault::{Fault, Rule};
use super::filing::{
    Act, CodeOrigin, Edit, FILING_PERSONS_COUNT_MAX, Filing, MinorKind, Newcomer, Origin,
};
use super::item::{Item, LOWER_COLUMN, Sheet, Whose};
use super::record::{HouseholdId, ResidentRecord};
use crate::affair::Epoch;
use crate::change::{ChangeNotice, ChangeReason};
use crate::code::{LocalGovernmentCode, RecordCode};
use crate::municipality;
use crate::people::Address;
use crate::time::Date;

/// Where and under which law the register is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    pub municipality: LocalGovernmentCode,
    pub epoch: Epoch,
}

/// What the register holds about those whom a filing concerns.
#[derive(Debug, Clone, Default)]
pub struct Residents {
    /// The records of [`Act::codes`] as they stand now, and all current members of their
    /// households and of [`Act::households`].
    pub records: Vec<ResidentRecord>,
    /// Of [`Act::codes`], those that were ever written here: never given again (法30条の2).
    pub written: Vec<RecordCode>,
}

/// A notice and what travels beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    pub notice: ChangeNotice,
    /// 従前の住所の市町村, when someone moved in from another one.
    pub former_municipality: Option<LocalGovernmentCode>,
}

/// One record, before and after.
#[derive(Clone, PartialEq, Eq)]
pub struct Change {
    /// None for a new record.
    pub before: Option<ResidentRecord>,
    pub after: ResidentRecord,
    pub valid_from: Date,
    pub outgoing: Option<Outgoing>,
}

impl fmt::Debug for Change {
    // Of a birth, the day itself is personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Change(…)")
    }
}

/// Which paper tells a resident her code (住民票コード通知票 and its two sisters).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllotmentKind {
    /// 法30条の2 3項
    New,
    /// 法30条の3 4項
    Changed,
    /// 令30条の4 2項
    Corrected,
}

/// A household that lost its householder and has two members or more: who follows is to be filed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HouseholdDue {
    pub household: HouseholdId,
    pub until: Date,
}

/// Everything that follows from one filing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub changes: Vec<Change>,
    pub lateness: Option<Lateness>,
    pub due: Vec<HouseholdDue>,
    pub allotments: Vec<(RecordCode, AllotmentKind)>,
}

/// Applies one filing or act.
///
/// # Errors
/// The first rule that it breaks; then nothing of it happens.
pub fn apply(known: &Residents, filing: &Filing, context: &Context) -> Result<Outcome, Fault> {
    let persons = filing.act.persons();
    if persons.len() > FILING_PERSONS_COUNT_MAX {
        return Err(Fault::new("persons", Rule::TooManyPersons));
    }
    if (1..persons.len()).any(|at| persons.iter().skip(at).any(|p| persons.get(at - 1) == Some(p)))
    {
        return Err(Fault::new("persons", Rule::NamedTwice));
    }
    let mut work = Work { known, filing, context, changes: Vec::new(), allotments: Vec::new() };
    let on = work.act()?;
    if work.changes.is_empty() {
        return Err(Fault::new("persons", Rule::Missing));
    }
    let due = work.settle(on)?;
    let lateness = lateness(filing).map_err(|_| Fault::new("filed_on", Rule::Malformed))?;
    Ok(Outcome { changes: work.changes, lateness, due, allotments: work.allotments })
}

pub(super) struct Work<'a> {
    pub(super) known: &'a Residents,
    pub(super) filing: &'a Filing,
    context: &'a Context,
    pub(super) changes: Vec<Change>,
    allotments: Vec<(RecordCode, AllotmentKind)>,
}

impl Work<'_> {
    /// The act itself; returns the day on which it took effect.
    fn act(&mut self) -> Result<Date, Fault> {
        use ChangeReason as R;
        let filing = self.filing;
        if !matches!(filing.act, Act::MovingOut { .. }) {
            self.happened(day_of(&filing.act)?)?;
        }
        match &filing.act {
            Act::MovingIn { moved_on, from, persons } => {
                persons.iter().try_for_each(|each| self.move_in(each, from, *moved_on))?;
            }
            Act::Birth { person } => self.birth(person, day_of(&filing.act)?)?,
            Act::Entry { on, persons } => {
                for each in persons {
                    let mut items = each.items.clone();
                    if items.has(Item::FormerAddress) {
                        items.put_default(Item::FiledOn, filing.filed_on.to_string());
                    }
                    self.enter(each.code, &items, R::EnteredExOfficio, *on, None)?;
                }
            }
            Act::MovingWithin { moved_on, persons } => {
                persons.iter().try_for_each(|each| self.move_within(each, *moved_on))?;
            }
            Act::HouseholdChange { changed_on, persons } => {
                for each in persons {
                    allowed(&each.items, |i| matches!(i, Item::Household | Item::Relationship))?;
                    // Whoever files for a household names members for whom nothing changes.
                    match self.edit(&each.code, &each.items, R::CorrectedExOfficio, *changed_on) {
                        Err(Fault { rule: Rule::NothingChanged, .. }) => {}
                        edited => edited?,
                    }
                }
                if self.changes.is_empty() {
                    return Err(Fault::new("person", Rule::NothingChanged));
                }
            }
            Act::MovingOut { leaving_on, to, abroad, persons } => {
                let reason = self.by_epoch(*abroad, R::MovedOutAbroad, R::MovedOut);
                for code in persons {
                    self.delete(code, reason, *leaving_on, Some(to))?;
                }
            }
            Act::Death { died_on, person } => self.delete(person, R::Died, *died_on, None)?,
            Act::Deletion { on, person } => {
                self.delete(person, R::DeletedExOfficio, *on, None)?;
            }
            Act::Correction { on, person } => self.correct(person, *on)?,
            Act::MinorCorrection { on, kind, person } => self.minor(*kind, person, *on)?,
            Act::ImmigrationNotice { on, person } => self.immigration(person, *on)?,
            Act::CodeChange { on, person, new_code } => {
                let kind = AllotmentKind::Changed;
                self.recode(person, new_code, R::CodeChangedOnRequest, kind, *on)?;
            }
            Act::CodeCorrection { on, person, new_code } => {
                let kind = AllotmentKind::Corrected;
                self.recode(person, new_code, R::CodeEnteredExOfficio, kind, *on)?;
            }
            Act::AlternativeName { on, person, name } => {
                self.alternative(person, name.as_ref(), *on)?;
            }
            Act::NationalityChange { on, person } => self.nationality(person, *on)?,
            Act::MovingOutWithdrawn { on, persons } => {
                persons.iter().try_for_each(|each| self.stay(each, *on))?;
            }
        }
        day_of(&filing.act)
    }

    fn by_epoch(&self, special: bool, today: ChangeReason, plain: ChangeReason) -> ChangeReason {
        if special && self.context.epoch == Epoch::Today { today } else { plain }
    }

    fn happened(&self, on: Date) -> Result<(), Fault> {
        if on > self.filing.filed_on {
            return Err(Fault::new("filed_on", Rule::NotYetHappened));
        }
        Ok(())
    }

    fn current(&self, code: &RecordCode) -> Result<&ResidentRecord, Fault> {
        let mut records = self.known.records.iter();
        records
            .find(|record| record.is_current() && record.code() == code)
            .ok_or(Fault::new(Item::Code.key(), Rule::NotRecorded))
    }

    pub(super) fn parse(&self, items: &Sheet) -> Result<ResidentRecord, Fault> {
        ResidentRecord::parse(items, self.context.epoch)
    }

    /// 法5条: the register is of those who live here.
    fn is_here(&self, address: &Address) -> Result<(), Fault> {
        let parts = municipality::split_address(address.expose());
        let own = municipality::find(&self.context.municipality);
        let elsewhere = own.is_some_and(|own| {
            parts.prefecture.is_some_and(|name| name != own.prefecture_name)
                || parts.municipality.is_some_and(|name| !name.starts_with(own.name))
        });
        if elsewhere {
            return Err(Fault::new(Item::Address.key(), Rule::AddressElsewhere));
        }
        Ok(())
    }

    fn move_in(&mut self, each: &Newcomer, from: &Origin, on: Date) -> Result<(), Fault> {
        use ChangeReason::{MovedIn, MovedInFromAbroad};
        let mut items = each.items.clone();
        let foreign = items.has(Item::Nationality);
        // 法22条1項: the date is that of the move, 8号 that of the filing.
        items.put(Item::FiledOn, self.filing.filed_on.to_string());
        if !foreign {
            items.put_default(Item::ResidentSince, on.to_string());
        }
        let (former, inland) = match from {
            Origin::Domestic { address, municipality } => {
                items.put(Item::FormerAddress, address.expose());
                (*municipality, true)
            }
            Origin::Abroad { place } => {
                items.put(Item::FormerAddress, place.expose());
                (None, false)
            }
            Origin::NewStatus if !foreign => {
                return Err(Fault::new(Item::Nationality.key(), Rule::NotForeign));
            }
            Origin::NewStatus => (None, false),
        };
        let reason = self.by_epoch(!inland, MovedInFromAbroad, MovedIn);
        self.enter(each.code, &items, reason, on, former)
    }

    fn birth(&mut self, person: &Newcomer, on: Date) -> Result<(), Fault> {
        let mut items = person.items.clone();
        // 法30条の2 2項: whoever was never recorded gets an unused code.
        if person.code == CodeOrigin::Carried {
            return Err(Fault::new("new_code", Rule::Missing));
        }
        let since =
            if items.has(Item::Nationality) { Item::ForeignSince } else { Item::ResidentSince };
        items.put_default(since, on.to_string());
        self.enter(CodeOrigin::Fresh, &items, ChangeReason::Born, on, None)
    }

    fn enter(
        &mut self,
        origin: CodeOrigin,
        items: &Sheet,
        reason: ChangeReason,
        on: Date,
        former_municipality: Option<LocalGovernmentCode>,
    ) -> Result<(), Fault> {
        let written = [Item::DeletedBy, Item::DeletedOn, Item::Destination];
        allowed(items, |item| !written.contains(&item))?;
        let after = self.parse(items)?;
        self.is_here(&after.four().address)?;
        match origin {
            CodeOrigin::Fresh => {
                self.fresh(after.code())?;
                self.allotments.push((*after.code(), AllotmentKind::New));
            }
            CodeOrigin::Carried if self.current(after.code()).is_ok() => {
                return Err(Fault::new(Item::Code.key(), Rule::AlreadyRecorded));
            }
            CodeOrigin::Carried => {}
        }
        self.push(None, after, Some(reason), on, former_municipality)
    }

    fn fresh(&self, code: &RecordCode) -> Result<(), Fault> {
        if self.known.written.contains(code) {
            return Err(Fault::new("new_code", Rule::CodeNotNew));
        }
        Ok(())
    }

    fn move_within(&mut self, each: &Edit, on: Date) -> Result<(), Fault> {
        let movable = [Item::Address, Item::Household, Item::Relationship];
        allowed(&each.items, |item| movable.contains(&item))?;
        if !each.items.has(Item::Address) {
            return Err(Fault::new(Item::Address.key(), Rule::Missing));
        }
        let before = self.current(&each.code)?.four().address.clone();
        let mut items = each.items.clone();
        items.put(Item::AddressSince, on.to_string());
        self.edit(&each.code, &items, ChangeReason::MovedWithin, on)?;
        match self.changes.last() {
            Some(change) if change.after.four().address == before => {
                Err(Fault::new(Item::Address.key(), Rule::AddressUnchanged))
            }
            _ => Ok(()),
        }
    }

    fn correct(&mut self, person: &Edit, on: Date) -> Result<(), Fault> {
        use Item as I;
        if person.items.items().any(|item| item == I::Code) {
            return Err(Fault::new(I::Code.key(), Rule::CodeByCorrection));
        }
        allowed(&person.items, |item| {
            !matches!(
                item,
                I::AlternativeName
                    | I::AlternativeKana
                    | I::AlternativeHistory
                    | I::DeletedBy
                    | I::DeletedOn
                    | I::Destination
            )
        })?;
        self.edit(&person.code, &person.items, ChangeReason::CorrectedExOfficio, on)
    }

    fn minor(&mut self, kind: MinorKind, person: &Edit, on: Date) -> Result<(), Fault> {
        allowed(&person.items, |item| kind.items().contains(&item))?;
        self.edit(&person.code, &person.items, ChangeReason::MinorCorrection, on)
    }

    fn immigration(&mut self, person: &Edit, on: Date) -> Result<(), Fault> {
        use Item as I;
        self.foreign(&person.code)?;
        let told = [I::Name, I::Kana, I::Birth, I::Sex, I::Nationality, I::Status];
        allowed(&person.items, |item| told.contains(&item) || LOWER_COLUMN.contains(&item))?;
        self.edit(&person.code, &person.items, ChangeReason::CorrectedExOfficio, on)
    }

    fn foreign(&self, code: &RecordCode) -> Result<&ResidentRecord, Fault> {
        let record = self.current(code)?;
        if record.is_foreign() {
            return Ok(record);
        }
        Err(Fault::new(Item::Nationality.key(), Rule::NotForeign))
    }

    /// 令30条の26, 30条の27: the name, and a line for each writing and striking out, with the
    /// municipality and the day; the lines move with the person.
    fn alternative(
        &mut self,
        code: &RecordCode,
        name: Option<&Sheet>,
        on: Date,
    ) -> Result<(), Fault> {
        let record = self.foreign(code)?.sheet();
        let named = |item| matches!(item, Item::AlternativeName | Item::AlternativeKana);
        let mut edits = name.cloned().unwrap_or_default();
        allowed(&edits, named)?;
        let city = municipality::find(&self.context.municipality).map_or("", |own| own.name);
        let mut lines: Vec<String> =
            record.expose_item(Item::AlternativeHistory).map(str::to_owned).into_iter().collect();
        if let Some(old) = record.expose_item(Item::AlternativeName) {
            lines.push(format!("削除\t{city}\t{on}\t{old}"));
        }
        if edits.has(Item::AlternativeName) {
            lines.push(format!("記載\t{city}\t{on}"));
        }
        edits.put_default(Item::AlternativeName, "");
        edits.put_default(Item::AlternativeKana, "");
        edits.put(Item::AlternativeHistory, lines.join("\n"));
        let same = record.with(&edits).expose_item(Item::AlternativeName)
            == record.expose_item(Item::AlternativeName);
        if same {
            return Err(Fault::new(Item::AlternativeName.key(), Rule::NothingChanged));
        }
        self.edit(code, &edits, ChangeReason::CorrectedExOfficio, on)
    }

    fn recode(
        &mut self,
        code: &RecordCode,
        new: &RecordCode,
        reason: ChangeReason,
        kind: AllotmentKind,
        on: Date,
    ) -> Result<(), Fault> {
        self.current(code)?;
        self.fresh(new)?;
        let mut edits = Sheet::default();
        edits.put(Item::Code, new.expose());
        self.allotments.push((*new, kind));
        self.edit(code, &edits, reason, on)
    }

    /// 令8条の2: one record ends and another begins, for the same person with the same code.
    fn nationality(&mut self, person: &Edit, on: Date) -> Result<(), Fault> {
        use ChangeReason as R;
        let record = self.current(&person.code)?.clone();
        let (naturalised, gone) = match record.is_foreign() {
            true => (true, Whose::Foreign),
            false => (false, Whose::Japanese),
        };
        let mut items = record.sheet().clone();
        Item::ALL.iter().filter(|i| i.whose() == gone).for_each(|i| items.take_away(*i));
        let items = items.with(&person.items);
        let (out, back) = match (self.context.epoch, naturalised) {
            (Epoch::Founding, _) => (R::DeletedExOfficio, R::EnteredExOfficio),
            (Epoch::Today, true) => (R::NaturalisationDeleted, R::NaturalisationEntered),
            (Epoch::Today, false) => (R::NationalityLossDeleted, R::NationalityLossEntered),
        };
        let after = self.parse(&items)?;
        if after.is_foreign() == record.is_foreign() || after.code() != record.code() {
            return Err(Fault::new(Item::Nationality.key(), Rule::NothingChanged));
        }
        self.delete(&person.code, out, on, None)?;
        self.push(None, after, Some(back), on, None)
    }

    fn delete(
        &mut self,
        code: &RecordCode,
        reason: ChangeReason,
        on: Date,
        to: Option<&Address>,
    ) -> Result<(), Fault> {
        let before = self.current(code)?.clone();
        let mut edits = Sheet::default();
        edits.put(Item::DeletedBy, reason.key());
        edits.put(Item::DeletedOn, on.to_string());
        if let Some(to) = to {
            edits.put(Item::Destination, to.expose());
        }
        let after = self.parse(&before.sheet().with(&edits))?;
        self.push(Some(before), after, Some(reason), on, None)
    }

    /// A planned moving-out is taken back before its day: nothing was told, nothing is. Whoever
    /// became householder meanwhile is named in the same filing.
    fn stay(&mut self, each: &Edit, on: Date) -> Result<(), Fault> {
        allowed(&each.items, |item| matches!(item, Item::Household | Item::Relationship))?;
        if self.current(&each.code).is_ok() {
            return self.edit(&each.code, &each.items, ChangeReason::CorrectedExOfficio, on);
        }
        let planned = |record: &&ResidentRecord| {
            let left = record.deletion().filter(|deletion| deletion.reason.is_moving_out());
            *record.code() == each.code && left.is_some()
        };
        let record = self.known.records.iter().rev().find(planned);
        let before = record.ok_or(Fault::new(Item::Code.key(), Rule::NotRecorded))?.clone();
        if before.deletion().is_none_or(|deletion| deletion.on <= self.filing.filed_on) {
            return Err(Fault::new(Item::DeletedOn.key(), Rule::AlreadyLeft));
        }
        let mut edits = each.items.clone();
        let written = [Item::DeletedBy, Item::DeletedOn, Item::Destination];
        written.into_iter().for_each(|item| edits.put(item, ""));
        let after = self.parse(&before.sheet().with(&edits))?;
        self.push(Some(before), after, None, on, None)
    }

    /// A current record with some items changed; told to the network only if it can see it.
    fn edit(
        &mut self,
        code: &RecordCode,
        edits: &Sheet,
        reason: ChangeReason,
        on: Date,
    ) -> Result<(), Fault> {
        let before = self.current(code)?.clone();
        let after = self.parse(&before.sheet().with(edits))?;
        if after == before {
            return Err(Fault::new("items", Rule::NothingChanged));
        }
        if after.is_foreign() != before.is_foreign() {
            return Err(Fault::new(Item::Nationality.key(), Rule::NationalityByCorrection));
        }
        self.is_here(&after.four().address)?;
        let own = self.context.municipality;
        let seen = before.identity(own) != after.identity(own);
        self.push(Some(before), after, seen.then_some(reason), on, None)
    }

    pub(super) fn push(
        &mut self,
        before: Option<ResidentRecord>,
        after: ResidentRecord,
        reason: Option<ChangeReason>,
        on: Date,
        former_municipality: Option<LocalGovernmentCode>,
    ) -> Result<(), Fault> {
        let outgoing = match reason {
            None => None,
            Some(reason) => {
                let old = before.as_ref().map(|record| *record.code());
                let notice = ChangeNotice {
                    reason,
                    changed_on: on,
                    record: after.identity(self.context.municipality),
                    previous_code: old.filter(|old| old != after.code()),
                    foreign: after.is_foreign(),
                };
                notice.check()?;
                Some(Outgoing { notice, former_municipality })
            }
        };
        self.changes.push(Change { before, after, valid_from: on, outgoing });
        Ok(())
    }
}

fn allowed(items: &Sheet, may: impl Fn(Item) -> bool) -> Result<(), Fault> {
    match items.items().find(|item| !may(*item)) {
        Some(item) => Err(Fault::new(item.key(), Rule::ItemNotAllowed)),
        None => Ok(()),
    }
}

/// The day on which an act takes effect; of a birth, the day of birth itself.
fn day_of(act: &Act) -> Result<Date, Fault> {
    Ok(match act {
        Act::MovingIn { moved_on: on, .. }
        | Act::MovingWithin { moved_on: on, .. }
        | Act::MovingOut { leaving_on: on, .. }
        | Act::Death { died_on: on, .. }
        | Act::HouseholdChange { changed_on: on, .. }
        | Act::Entry { on, .. }
        | Act::Deletion { on, .. }
        | Act::Correction { on, .. }
        | Act::MinorCorrection { on, .. }
        | Act::CodeChange { on, .. }
        | Act::CodeCorrection { on, .. }
        | Act::ImmigrationNotice { on, .. }
        | Act::AlternativeName { on, .. }
        | Act::NationalityChange { on, .. }
        | Act::MovingOutWithdrawn { on, .. } => *on,
        Act::Birth { person } => {
            let birth = person.items.expose_item(Item::Birth);
            let birth = birth.ok_or(Fault::new(Item::Birth.key(), Rule::Missing))?;
            Date::parse(birth).map_err(|_| Fault::new(Item::Birth.key(), Rule::Malformed))?
        }
    })
}
