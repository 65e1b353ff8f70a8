//! Who acts: organs, operator cards and what each class of card may do. Not keys or certificates
//! (`token`), and not the directory that lists them (`wire`).

use std::fmt;

use thiserror::Error;

use crate::affair::{AffairId, AgencyCode};
use crate::code::{LocalGovernmentCode, PrefectureCode};
use crate::time::Date;

/// Longest name of an operator card, in bytes; the names stand in the ledger and on the card.
pub const CARD_ID_BYTES_MAX: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OrganError {
    #[error("organ is not in the form municipality:132152, prefecture:13, center or agency:A074")]
    Organ,
    #[error("card name is not 1 to 64 letters, digits, dots, hyphens or underscores")]
    Card,
}

/// A body that takes part in the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Organ {
    Municipality(LocalGovernmentCode),
    Prefecture(PrefectureCode),
    /// National center (指定情報処理機関).
    Center,
    /// National agency (国の機関等).
    Agency(AgencyCode),
}

impl Organ {
    pub fn parse(text: &str) -> Result<Self, OrganError> {
        if text == "center" {
            return Ok(Self::Center);
        }
        let (kind, code) = text.split_once(':').ok_or(OrganError::Organ)?;
        match kind {
            "municipality" => match LocalGovernmentCode::parse(code) {
                Ok(code) if !code.is_prefecture() => Ok(Self::Municipality(code)),
                _ => Err(OrganError::Organ),
            },
            "prefecture" => {
                PrefectureCode::parse(code).map(Self::Prefecture).map_err(|_| OrganError::Organ)
            }
            "agency" => AgencyCode::parse(code).map(Self::Agency).map_err(|_| OrganError::Organ),
            _ => Err(OrganError::Organ),
        }
    }
}

impl fmt::Display for Organ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Municipality(code) => write!(f, "municipality:{code}"),
            Self::Prefecture(code) => write!(f, "prefecture:{code}"),
            Self::Center => f.write_str("center"),
            Self::Agency(code) => write!(f, "agency:{code}"),
        }
    }
}

/// Name of an operator identification card (操作者識別カード); names a card, not a person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CardId(String);

impl CardId {
    pub fn parse(text: &str) -> Result<Self, OrganError> {
        let fits = (1..=CARD_ID_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
        if fits { Ok(Self(text.to_owned())) } else { Err(OrganError::Card) }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Class of card (操作者識別カードの種別).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CardClass {
    SystemAdministration,
    RegisterBusiness,
    CardIssuing,
    InquiryOnly,
    Disclosure,
    Observer,
}

impl CardClass {
    pub const ALL: [Self; 6] = [
        Self::SystemAdministration,
        Self::RegisterBusiness,
        Self::CardIssuing,
        Self::InquiryOnly,
        Self::Disclosure,
        Self::Observer,
    ];

    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::SystemAdministration => "system-administration",
            Self::RegisterBusiness => "register-business",
            Self::CardIssuing => "card-issuing",
            Self::InquiryOnly => "inquiry-only",
            Self::Disclosure => "disclosure",
            Self::Observer => "observer",
        }
    }

    #[must_use]
    pub fn parse(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.key() == key)
    }
}

/// What a card can be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CardFunction {
    Inquire,
    SendNotice,
    IssueCard,
    Administer,
    Disclose,
    Observe,
}

impl CardFunction {
    pub const ALL: [Self; 6] = [
        Self::Inquire,
        Self::SendNotice,
        Self::IssueCard,
        Self::Administer,
        Self::Disclose,
        Self::Observe,
    ];

    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Inquire => "inquire",
            Self::SendNotice => "send-notice",
            Self::IssueCard => "issue-card",
            Self::Administer => "administer",
            Self::Disclose => "disclose",
            Self::Observe => "observe",
        }
    }
}

/// S1 (操作者識別カード認証によるアクセス制御): the class of card limits what an operator reaches.
///
/// Whoever administers a machine cannot look anyone up, and whoever looks people up cannot
/// administer: the two never meet on one card. `golden/card_rights.txt` shows the whole table.
#[must_use]
pub const fn may(class: CardClass, function: CardFunction) -> bool {
    use CardFunction::{Administer, Disclose, Inquire, IssueCard, Observe, SendNotice};
    match class {
        CardClass::SystemAdministration => matches!(function, Administer | Observe),
        CardClass::RegisterBusiness => matches!(function, Inquire | SendNotice),
        CardClass::CardIssuing => matches!(function, IssueCard),
        CardClass::InquiryOnly => matches!(function, Inquire),
        CardClass::Disclosure => matches!(function, Disclose),
        CardClass::Observer => matches!(function, Observe),
    }
}

/// The rights table as text, the form of the golden file.
#[must_use]
pub fn card_rights() -> String {
    use fmt::Write as _;
    let mut text = format!("{:<22}", "class");
    for function in CardFunction::ALL {
        let _ = write!(text, " {:<11}", function.key());
    }
    for class in CardClass::ALL {
        let _ = write!(text, "\n{:<22}", class.key());
        for function in CardFunction::ALL {
            let _ = write!(text, " {:<11}", if may(class, function) { "yes" } else { "-" });
        }
    }
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// What the verified directory says about the card behind a request, and whether its signature
/// over this request held. `law` does not check signatures; it decides what follows from them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorStanding {
    pub card: CardId,
    pub organ: Organ,
    pub class: CardClass,
    pub affairs: Vec<AffairId>,
    pub revoked: bool,
    pub signature_valid: bool,
    /// First and last day of validity, both included.
    pub from: Date,
    pub to: Date,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn organs_read_back() {
        for text in ["municipality:132152", "prefecture:13", "center", "agency:A074"] {
            assert_eq!(Organ::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "center:", "municipality:130001", "prefecture:48", "agency:74", "x:1"] {
            assert_eq!(Organ::parse(text), Err(OrganError::Organ), "{text}");
        }
    }

    #[test]
    fn card_names_are_bounded() {
        assert_eq!(CardId::parse("agency-1-a.card").unwrap().to_string(), "agency-1-a.card");
        for text in ["", "a b", "あ", &"a".repeat(65)] {
            assert_eq!(CardId::parse(text), Err(OrganError::Card), "{text}");
        }
    }

    #[test]
    fn no_card_both_administers_and_inquires() {
        for class in CardClass::ALL {
            assert_eq!(CardClass::parse(class.key()), Some(class));
            let both = may(class, CardFunction::Inquire) && may(class, CardFunction::Administer);
            assert!(!both, "{}", class.key());
        }
    }

    #[test]
    fn rights_are_the_golden_table() {
        assert_eq!(card_rights(), include_str!("../golden/card_rights.txt"));
    }
}
