//! Change information (変更情報): why a record changed, and the notice a municipality sends about it.
//! Not the register's own history, which stays with the municipality.

use thiserror::Error;

use crate::affair::Epoch;
use crate::code::RecordCode;
use crate::people::IdentityInformation;
use crate::time::Date;

/// The rows of 規則11条: what a change does to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind {
    Entry,
    Deletion,
    Correction,
    Code,
    /// Changes of the individual number (個人番号), which this network does not hold.
    Number,
}

/// Reason for change (異動事由): the ten that S1 (保有情報の限定) allows, 軽微な修正 of the years
/// after, and those of today's 規則11条.
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
    MinorCorrection,
    MovedInFromAbroad,
    NaturalisationEntered,
    NationalityLossEntered,
    MovedOutAbroad,
    NaturalisationDeleted,
    NationalityLossDeleted,
    NumberChangedOnRequest,
    NumberCorrectedExOfficio,
    NumberEnteredExOfficio,
}

impl ChangeReason {
    pub const ALL: [Self; 20] = [
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
        Self::MinorCorrection,
        Self::MovedInFromAbroad,
        Self::NaturalisationEntered,
        Self::NationalityLossEntered,
        Self::MovedOutAbroad,
        Self::NaturalisationDeleted,
        Self::NationalityLossDeleted,
        Self::NumberChangedOnRequest,
        Self::NumberCorrectedExOfficio,
        Self::NumberEnteredExOfficio,
    ];

    /// The ten of S1. 軽微な修正 came after it (UNCERTAIN: probably 平成16年総務省令33号).
    pub const SEED: [Self; 10] = [
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
        use ChangeKind::{Code, Correction, Deletion, Entry, Number};
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
            Self::MinorCorrection => ("minor-correction", "軽微な修正", Correction),
            Self::MovedInFromAbroad => ("moved-in-from-abroad", "国外転入等", Entry),
            Self::NaturalisationEntered => {
                ("naturalisation-entered", "職権記載等（帰化等）", Entry)
            }
            Self::NationalityLossEntered => {
                ("nationality-loss-entered", "職権記載等（国籍喪失）", Entry)
            }
            Self::MovedOutAbroad => ("moved-out-abroad", "国外転出", Deletion),
            Self::NaturalisationDeleted => {
                ("naturalisation-deleted", "職権消除等（帰化等）", Deletion)
            }
            Self::NationalityLossDeleted => {
                ("nationality-loss-deleted", "職権消除等（国籍喪失）", Deletion)
            }
            Self::NumberChangedOnRequest => {
                ("number-changed-on-request", "個人番号の変更請求", Number)
            }
            Self::NumberCorrectedExOfficio => {
                ("number-corrected-ex-officio", "個人番号の職権修正", Number)
            }
            Self::NumberEnteredExOfficio => {
                ("number-entered-ex-officio", "個人番号の職権記載等", Number)
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

    /// As S1 and the rule of November 2013 call it.
    #[must_use]
    pub const fn japanese(self) -> &'static str {
        self.row().1
    }

    /// As the rule of this epoch calls it: a 転入 of 2013 is a 国内転入 today.
    #[must_use]
    pub const fn japanese_in(self, epoch: Epoch) -> &'static str {
        match (self, epoch) {
            (Self::MovedIn, Epoch::Today) => "国内転入",
            (Self::MovedOut, Epoch::Today) => "国内転出",
            _ => self.row().1,
        }
    }

    #[must_use]
    pub const fn kind(self) -> ChangeKind {
        self.row().2
    }

    /// Whether 規則11条 of this epoch has it. The rule of 2013 knows eleven, today's twenty.
    #[must_use]
    pub fn is_of(self, epoch: Epoch) -> bool {
        match epoch {
            Epoch::Founding => self == Self::MinorCorrection || Self::SEED.contains(&self),
            Epoch::Today => true,
        }
    }

    /// 規則11条 of this epoch, row by row.
    pub fn in_epoch(epoch: Epoch) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |reason| reason.is_of(epoch))
    }

    /// 転出, whether within the country or abroad.
    #[must_use]
    pub const fn is_moving_out(self) -> bool {
        matches!(self, Self::MovedOut | Self::MovedOutAbroad)
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
    #[error("the change is one of the individual number; this network holds no individual number")]
    NumberNotHeld,
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
            Self::NumberNotHeld => "reason",
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
    /// The record is a foreign resident's (外国人住民に係る住民票, 令30条の32).
    pub foreign: bool,
}

impl ChangeNotice {
    /// Checks what one notice can show by itself; whether it fits the register is the receiver's.
    pub fn check(&self) -> Result<(), NoticeFault> {
        if self.reason.kind() == ChangeKind::Number {
            return Err(NoticeFault::NumberNotHeld);
        }
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
    use crate::people::{Address, BirthDate, FourItems, Kana, Name, OtherNames, Sex};

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
                other_names: OtherNames::default(),
            },
            previous_code: previous.map(code),
            foreign: false,
        }
    }

    #[test]
    fn the_ten_reasons_of_the_seed_have_one_key_each() {
        let kinds =
            [ChangeKind::Entry, ChangeKind::Deletion, ChangeKind::Correction, ChangeKind::Code];
        let counts =
            kinds.map(|kind| ChangeReason::SEED.iter().filter(|r| r.kind() == kind).count());
        assert_eq!(counts, [3, 3, 2, 2]);
        for reason in ChangeReason::ALL {
            assert_eq!(ChangeReason::parse_key(reason.key()), Some(reason));
        }
    }

    #[test]
    fn each_epoch_has_the_reasons_of_its_rule() {
        let count = |epoch| ChangeReason::in_epoch(epoch).count();
        assert_eq!((count(Epoch::Founding), count(Epoch::Today)), (11, 20));
        assert!(!ChangeReason::MovedOutAbroad.is_of(Epoch::Founding));
        assert_eq!(ChangeReason::MovedIn.japanese_in(Epoch::Founding), "転入");
        assert_eq!(ChangeReason::MovedIn.japanese_in(Epoch::Today), "国内転入");
        let of_numbers: Vec<_> = ChangeReason::ALL
            .into_iter()
            .filter(|r| notice(*r, None).check() == Err(NoticeFault::NumberNotHeld))
            .collect();
        assert_eq!(of_numbers.len(), 3, "no number is held, so none can change");
    }

    #[test]
    fn only_a_change_of_code_carries_the_code_before() {
        for reason in ChangeReason::SEED {
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
