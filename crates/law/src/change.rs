//! Change information (変更情報): why a record changed, and the notice a municipality sends about it.
//! Not the register's own history, which stays with the municipality.

use thiserror::Error;

use crate::code::RecordCode;
use crate::people::IdentityInformation;
use crate::time::Date;

/// The four rows of 規則11条.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind {
    Entry,
    Deletion,
    Correction,
    Code,
}

/// Reason for change (異動事由): the ten that S1 (保有情報の限定) allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeReason {
    MovedIn,
    Born,
    EnteredExOfficio,
    MovedOut,
    Died,
    DeletedExOfficio,
    MovedWithin,
    CorrectedExOfficio,
    CodeChangedOnRequest,
    CodeEnteredExOfficio,
}

impl ChangeReason {
    pub const ALL: [Self; 10] = [
        Self::MovedIn,
        Self::Born,
        Self::EnteredExOfficio,
        Self::MovedOut,
        Self::Died,
        Self::DeletedExOfficio,
        Self::MovedWithin,
        Self::CorrectedExOfficio,
        Self::CodeChangedOnRequest,
        Self::CodeEnteredExOfficio,
    ];

    const fn row(self) -> (&'static str, &'static str, ChangeKind) {
        use ChangeKind::{Code, Correction, Deletion, Entry};
        match self {
            Self::MovedIn => ("moved-in", "転入", Entry),
            Self::Born => ("born", "出生", Entry),
            Self::EnteredExOfficio => ("entered-ex-officio", "職権記載等", Entry),
            Self::MovedOut => ("moved-out", "転出", Deletion),
            Self::Died => ("died", "死亡", Deletion),
            Self::DeletedExOfficio => ("deleted-ex-officio", "職権消除等", Deletion),
            Self::MovedWithin => ("moved-within", "転居", Correction),
            Self::CorrectedExOfficio => ("corrected-ex-officio", "職権修正等", Correction),
            Self::CodeChangedOnRequest => {
                ("code-changed-on-request", "住民票コードの記載の変更請求", Code)
            }
            Self::CodeEnteredExOfficio => {
                ("code-entered-ex-officio", "住民票コードの職権記載等", Code)
            }
        }
    }

    #[must_use]
    pub const fn key(self) -> &'static str {
        self.row().0
    }

    #[must_use]
    pub fn parse_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.key() == key)
    }

    #[must_use]
    pub const fn japanese(self) -> &'static str {
        self.row().1
    }

    #[must_use]
    pub const fn kind(self) -> ChangeKind {
        self.row().2
    }
}

/// What is wrong with a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NoticeFault {
    #[error("previous code is missing; a change of code carries the code it replaces")]
    PreviousCodeMissing,
    #[error("previous code is present; only a change of code carries one")]
    PreviousCodeUnexpected,
    #[error("previous code equals the new one; a change of code needs two codes")]
    PreviousCodeSame,
    #[error(
        "municipality is a prefecture; send the code of the municipality that holds the record"
    )]
    NotAMunicipality,
    #[error("date of birth is later than the date of change; check both dates")]
    BornAfterChange,
}

impl NoticeFault {
    /// The column of a feed row that has to be looked at.
    #[must_use]
    pub const fn column(self) -> &'static str {
        match self {
            Self::PreviousCodeMissing | Self::PreviousCodeUnexpected | Self::PreviousCodeSame => {
                "previous_code"
            }
            Self::NotAMunicipality => "municipality",
            Self::BornAfterChange => "birth",
        }
    }
}

/// A notice (通知, 法30条の5): one resident, one event. For a deletion the record carries the values
/// that stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeNotice {
    pub reason: ChangeReason,
    pub changed_on: Date,
    pub record: IdentityInformation,
    /// The code before the change (令30条の5四号); only with a reason of kind `Code`.
    pub previous_code: Option<RecordCode>,
}

impl ChangeNotice {
    /// Checks what one notice can show by itself; whether it fits the register is the receiver's.
    pub fn check(&self) -> Result<(), NoticeFault> {
        match (self.reason.kind(), self.previous_code) {
            // 「なければその旨」: a code entered ex officio may replace none.
            (ChangeKind::Code, None) if self.reason != ChangeReason::CodeEnteredExOfficio => {
                return Err(NoticeFault::PreviousCodeMissing);
            }
            (ChangeKind::Code, Some(old)) if old == self.record.code => {
                return Err(NoticeFault::PreviousCodeSame);
            }
            (ChangeKind::Code, _) | (_, None) => {}
            (_, Some(_)) => return Err(NoticeFault::PreviousCodeUnexpected),
        }
        if self.record.municipality.is_prefecture() {
            return Err(NoticeFault::NotAMunicipality);
        }
        match self.record.items.birth.date() {
            Some(born) if born > self.changed_on => Err(NoticeFault::BornAfterChange),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::LocalGovernmentCode;
    use crate::people::{Address, BirthDate, FourItems, Kana, Name, Sex};

    fn notice(reason: ChangeReason, previous: Option<u64>) -> ChangeNotice {
        let code = |serial| RecordCode::from_ten_digits(serial).unwrap();
        ChangeNotice {
            reason,
            changed_on: Date::parse("2026-04-01").unwrap(),
            record: IdentityInformation {
                code: code(1),
                items: FourItems {
                    name: Name::parse("住基 花子").unwrap(),
                    kana: Kana::parse("ジュウキ ハナコ").unwrap(),
                    address: Address::parse("東京都国立市東1").unwrap(),
                    sex: Sex::Female,
                    birth: BirthDate::parse("1985-04-01").unwrap(),
                },
                municipality: LocalGovernmentCode::parse("132152").unwrap(),
            },
            previous_code: previous.map(code),
        }
    }

    #[test]
    fn the_ten_reasons_of_the_seed_have_one_key_each() {
        let kinds =
            [ChangeKind::Entry, ChangeKind::Deletion, ChangeKind::Correction, ChangeKind::Code];
        let counts =
            kinds.map(|kind| ChangeReason::ALL.iter().filter(|r| r.kind() == kind).count());
        assert_eq!(counts, [3, 3, 2, 2]);
        for reason in ChangeReason::ALL {
            assert_eq!(ChangeReason::parse_key(reason.key()), Some(reason));
        }
        assert_eq!(ChangeReason::parse_key("minor-correction"), None);
    }

    #[test]
    fn only_a_change_of_code_carries_the_code_before() {
        for reason in ChangeReason::ALL {
            let (without, with) = match reason {
                ChangeReason::CodeChangedOnRequest => {
                    (Err(NoticeFault::PreviousCodeMissing), Ok(()))
                }
                ChangeReason::CodeEnteredExOfficio => (Ok(()), Ok(())),
                _ => (Ok(()), Err(NoticeFault::PreviousCodeUnexpected)),
            };
            assert_eq!(notice(reason, None).check(), without, "{}", reason.key());
            assert_eq!(notice(reason, Some(2)).check(), with, "{}", reason.key());
        }
        let same = notice(ChangeReason::CodeChangedOnRequest, Some(1));
        assert_eq!(same.check(), Err(NoticeFault::PreviousCodeSame));
    }

    #[test]
    fn impossible_notices_are_named() {
        let mut early = notice(ChangeReason::Born, None);
        early.changed_on = Date::parse("1985-03-31").unwrap();
        assert_eq!(early.check(), Err(NoticeFault::BornAfterChange));
        let mut tokyo = notice(ChangeReason::Born, None);
        tokyo.record.municipality = LocalGovernmentCode::parse("130001").unwrap();
        assert_eq!(tokyo.check(), Err(NoticeFault::NotAMunicipality));
    }
}
