//! Moving from one municipality to another (転出・転入): who may let a resident go, to whom, and when
//! an entry needs the former municipality's word.
//!
//! A resident is current in one municipality or on the way between two (法8条, 9条1項, 22条, 24条).
//! The law leaves it to paper (転出証明書, 令23条); here the former municipality signs, so that no
//! municipality can enter somebody who stands elsewhere on its own word.

use thiserror::Error;

use crate::change::{ChangeKind, ChangeNotice, ChangeReason};
use crate::code::LocalGovernmentCode;
use crate::fold::fold_name;
use crate::inquiry::Held;
use crate::people::{BirthDate, Name};
use crate::time::Date;

/// Years for which a moving-out within the country binds the next entry: as long as the former
/// municipality keeps the deleted record (令34条) it can be asked.
pub const RELEASE_YEARS: u16 = 5;

/// Why a municipality does not let a resident go. Recorded where it happens; the claiming
/// municipality learns only that it is not so, because each reason says something about one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HeldBack {
    #[error("nobody is held under that code")]
    Unknown,
    #[error("the name or the date of birth is another's")]
    NotThatPerson,
    #[error("the resident is recorded here, or died here")]
    NotMovedOut,
    #[error("the resident was let go to another municipality")]
    ReleasedElsewhere,
}

impl HeldBack {
    /// The word in records.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::NotThatPerson => "not-that-person",
            Self::NotMovedOut => "not-moved-out",
            Self::ReleasedElsewhere => "released-elsewhere",
        }
    }
}

/// Who is claimed, as the resident filed it at the new address (転入届, 法22条).
#[derive(Debug, Clone, Copy)]
pub struct Claimed<'a> {
    pub name: &'a Name,
    pub birth: &'a BirthDate,
    pub to: LocalGovernmentCode,
}

/// Whether `own` may let the resident go to the claiming municipality, and the day of leaving (for
/// a moving-out 転出の予定年月日). Whoever was deleted ex officio may be entered elsewhere as well; whoever
/// died moves nowhere. The same municipality is told the same again: its first answer may have been
/// lost.
pub fn may_release(
    own: LocalGovernmentCode,
    held: Option<&Held>,
    claimed: Claimed<'_>,
    released_to: Option<LocalGovernmentCode>,
) -> Result<Date, HeldBack> {
    let held = held.filter(|held| held.identity.municipality == own).ok_or(HeldBack::Unknown)?;
    let identity = &held.identity;
    let filed = fold_name(claimed.name.expose());
    let names = std::iter::once(&identity.items.name).chain(&identity.other_names.alternative);
    let named = names.map(|name| fold_name(name.expose())).any(|name| name == filed);
    if !named || *claimed.birth != identity.items.birth {
        return Err(HeldBack::NotThatPerson);
    }
    if released_to.is_some_and(|to| to != claimed.to) {
        return Err(HeldBack::ReleasedElsewhere);
    }
    match &held.change {
        Some(change) if held.removed && change.reason != ChangeReason::Died => Ok(change.on),
        _ => Err(HeldBack::NotMovedOut),
    }
}

/// Whether an entry by `notice` needs the word of the municipality where the person stands or which
/// the person is on the way from. Someone who was deleted ex officio or went abroad stands nowhere;
/// a moving-out within the country binds for [`RELEASE_YEARS`]. For someone who died no word is
/// given: only the place of death can put a mistake right.
#[must_use]
pub fn needs_release(held: Option<&Held>, notice: &ChangeNotice, today: Date) -> bool {
    let Some(held) = held.filter(|_| notice.reason.kind() == ChangeKind::Entry) else {
        return false;
    };
    if held.identity.municipality == notice.record.municipality {
        return false;
    }
    let bound = |on: Date| still_binds(on, today);
    match &held.change {
        _ if !held.removed => true,
        Some(change) if change.reason == ChangeReason::MovedOut => bound(change.on),
        Some(change) => change.reason == ChangeReason::Died,
        None => false,
    }
}

/// Whether a letting go of this day still binds on `today`: afterwards the former municipality
/// keeps nothing that it could answer from.
#[must_use]
pub fn still_binds(let_go: Date, today: Date) -> bool {
    today < years_after(let_go)
}

/// The same day [`RELEASE_YEARS`] later; 29 February becomes 28 February.
fn years_after(on: Date) -> Date {
    let year = on.year().saturating_add(RELEASE_YEARS);
    Date::new(year, on.month(), on.day()).or_else(|_| Date::new(year, 2, 28)).unwrap_or(on)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::RecordCode;
    use crate::inquiry::LastChange;
    use crate::people::{Address, FourItems, IdentityInformation, Kana, OtherNames, Sex};

    fn town(code: &str) -> LocalGovernmentCode {
        LocalGovernmentCode::parse(code).unwrap()
    }

    fn day(text: &str) -> Date {
        Date::parse(text).unwrap()
    }

    fn held(removed: Option<(ChangeReason, &str)>) -> Held {
        let (reason, on) = removed.unwrap_or((ChangeReason::Born, "1985-04-02"));
        Held {
            identity: IdentityInformation {
                code: RecordCode::from_ten_digits(1).unwrap(),
                items: FourItems {
                    name: Name::parse("髙橋 花子").unwrap(),
                    kana: Kana::parse("タカハシ ハナコ").unwrap(),
                    address: Address::parse("東京都国立市東1").unwrap(),
                    sex: Sex::Female,
                    birth: BirthDate::parse("1985-04-01").unwrap(),
                },
                municipality: town("132152"),
                other_names: OtherNames::default(),
            },
            change: Some(LastChange { reason, on: day(on), foreign: false }),
            removed: removed.is_some(),
        }
    }

    fn release(held: Option<&Held>, name: &str, birth: &str, to: Option<&str>) -> String {
        let name = Name::parse(name).unwrap();
        let birth = BirthDate::parse(birth).unwrap();
        let claimed = Claimed { name: &name, birth: &birth, to: town("221309") };
        match may_release(town("132152"), held, claimed, to.map(town)) {
            Ok(on) => on.to_string(),
            Err(held_back) => held_back.key().to_owned(),
        }
    }

    #[test]
    fn a_resident_is_let_go_once_to_one_municipality_after_moving_out() {
        let gone = held(Some((ChangeReason::MovedOut, "2013-10-20")));
        let (name, birth) = ("高橋 花子", "1985-04-01");
        assert_eq!(release(Some(&gone), name, birth, None), "2013-10-20");
        assert_eq!(release(Some(&gone), name, birth, Some("221309")), "2013-10-20");
        assert_eq!(release(Some(&gone), name, birth, Some("011011")), "released-elsewhere");
        assert_eq!(release(Some(&gone), "高橋 桃子", birth, None), "not-that-person");
        assert_eq!(release(Some(&gone), name, "1985-04-02", None), "not-that-person");
        assert_eq!(release(None, name, birth, None), "unknown");
        assert_eq!(release(Some(&held(None)), name, birth, None), "not-moved-out");
        let dead = held(Some((ChangeReason::Died, "2013-10-20")));
        assert_eq!(release(Some(&dead), name, birth, None), "not-moved-out");
        let deleted = held(Some((ChangeReason::DeletedExOfficio, "2013-10-20")));
        assert_eq!(release(Some(&deleted), name, birth, None), "2013-10-20");
    }

    #[test]
    fn an_entry_needs_the_word_of_where_the_person_stands() {
        let notice = |reason, municipality| ChangeNotice {
            reason,
            changed_on: day("2013-10-21"),
            record: IdentityInformation { municipality: town(municipality), ..held(None).identity },
            previous_code: None,
            foreign: false,
        };
        let today = day("2013-10-21");
        let needs = |held: Option<&Held>, reason, municipality, today| {
            needs_release(held, &notice(reason, municipality), today)
        };
        let (current, moved_in) = (held(None), ChangeReason::MovedIn);
        assert!(needs(Some(&current), moved_in, "221309", today));
        assert!(needs(Some(&current), ChangeReason::EnteredExOfficio, "221309", today));
        assert!(!needs(Some(&current), moved_in, "132152", today), "the same municipality");
        assert!(!needs(Some(&current), ChangeReason::MovedWithin, "221309", today));
        assert!(!needs(None, moved_in, "221309", today));
        let gone = held(Some((ChangeReason::MovedOut, "2013-10-20")));
        assert!(needs(Some(&gone), moved_in, "221309", today));
        let planned = held(Some((ChangeReason::MovedOut, "2013-10-30")));
        assert!(needs(Some(&planned), moved_in, "221309", today), "entered before the planned day");
        let dead = held(Some((ChangeReason::Died, "2013-10-20")));
        assert!(needs(Some(&dead), moved_in, "221309", today), "the dead move nowhere");
        assert!(!needs(Some(&gone), moved_in, "221309", day("2018-10-20")));
        for free in [ChangeReason::MovedOutAbroad, ChangeReason::DeletedExOfficio] {
            assert!(!needs(Some(&held(Some((free, "2013-10-20")))), moved_in, "221309", today));
        }
    }
}
