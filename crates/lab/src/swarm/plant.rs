//! Faults planted on purpose, to prove that the checkers can fail. Tests switch them on; no command
//! reaches them.

use node::ports::{Counter, Space, Write};

use super::country::{CENTER, PREFECTURES, Place};

/// A bug in the runner, the store or the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// A batch of notices is applied twice.
    NoticeTwice,
    /// Receipts are given before the commit, so answers leave before it.
    AnswerBeforeCommit,
    /// Two changes of one person swap places on the way.
    OrderSwapped,
    /// Notices are acknowledged before they are durable.
    AcknowledgeBeforeCommit,
    /// The center's disk says that it keeps what it does not keep.
    LyingDisk,
    /// A provider's answer carries the persons of the answer before it (横浜市, 2023-03-27).
    OtherAnswer,
    /// The directory writes more affairs on the cards than they were issued for.
    CardOverreach,
    /// A municipality signs releases and loses to whom.
    ReleaseTwice,
    /// A prefecture takes an entry that nobody released.
    EntryUnreleased,
    /// The center forgets a notice that came before the one before it.
    EarlyDropped,
    /// A prefecture does not go on after a notice that it set aside.
    SetAsideStops,
}

impl Plant {
    pub const ALL: [Self; 11] = [
        Self::NoticeTwice,
        Self::AnswerBeforeCommit,
        Self::OrderSwapped,
        Self::AcknowledgeBeforeCommit,
        Self::LyingDisk,
        Self::OtherAnswer,
        Self::CardOverreach,
        Self::ReleaseTwice,
        Self::EntryUnreleased,
        Self::EarlyDropped,
        Self::SetAsideStops,
    ];

    /// As it stands in docs/planted.md.
    #[must_use]
    pub fn name(self) -> String {
        let mut name = "simulator".to_owned();
        for letter in format!("{self:?}").chars() {
            if letter.is_ascii_uppercase() {
                name.push('-');
            }
            name.push(letter.to_ascii_lowercase());
        }
        name
    }

    /// What was done, in one sentence.
    #[must_use]
    pub const fn slip(self) -> &'static str {
        match self {
            Self::NoticeTwice => "The store applies a batch of notices twice.",
            Self::AnswerBeforeCommit => "The runner gives receipts before the commit.",
            Self::OrderSwapped => "Two changes of one person swap places on the way.",
            Self::AcknowledgeBeforeCommit => {
                "The runner lets acknowledgements go before the commit."
            }
            Self::LyingDisk => "The center's disk says that it keeps what it does not keep.",
            Self::OtherAnswer => "A provider's answer carries the persons of the answer before it.",
            Self::CardOverreach => {
                "The directory writes more affairs on cards than they were issued for."
            }
            Self::ReleaseTwice => "A municipality's store loses to whom a resident was let go.",
            Self::EntryUnreleased => "A prefecture takes an entry that nobody released.",
            Self::EarlyDropped => "The center forgets a notice that came before the one before it.",
            Self::SetAsideStops => "A prefecture does not go on after a notice that it set aside.",
        }
    }

    /// Invariants and incidents.
    #[must_use]
    pub const fn breaks(self) -> &'static [&'static str] {
        match self {
            Self::NoticeTwice => &["V9"],
            Self::AnswerBeforeCommit => &["V3"],
            Self::OrderSwapped => &["V9"],
            Self::AcknowledgeBeforeCommit | Self::LyingDisk => &["V8"],
            Self::OtherAnswer => &["V1", "J1"],
            Self::CardOverreach => &["V2", "J8"],
            Self::ReleaseTwice | Self::EntryUnreleased => &["V6"],
            Self::EarlyDropped => &["V7", "V9"],
            Self::SetAsideStops => &["V7"],
        }
    }

    /// Rules of the checkers that may find it.
    #[must_use]
    pub const fn rules(self) -> &'static [&'static str] {
        match self {
            Self::NoticeTwice => &["notice-exactly-once"],
            Self::AnswerBeforeCommit => &["record-before-answer"],
            Self::OrderSwapped => &["notice-order", "notice-exactly-once"],
            Self::AcknowledgeBeforeCommit => &["machine-stopped", "comes-to-rest", "notice-order"],
            Self::LyingDisk => &["durable-record"],
            Self::OtherAnswer => &["scan"],
            Self::CardOverreach => &["permit"],
            Self::ReleaseTwice => &["released-once"],
            Self::EntryUnreleased => &["set-aside", "tiers-agree", "notice-source"],
            Self::EarlyDropped => &["tiers-agree", "notice-order"],
            Self::SetAsideStops => &["comes-to-rest", "notice-exactly-once", "notice-order"],
        }
    }

    /// Only among restless people does a notice come before the one before it.
    #[must_use]
    pub const fn needs_restless(self) -> bool {
        matches!(self, Self::EarlyDropped)
    }

    /// Seeds within which the full test must find it.
    #[must_use]
    pub const fn within(self) -> u64 {
        40
    }

    /// Whether this write is lost at this place, of the ones that are made together.
    pub(super) fn loses(self, place: Place, write: &Write, aside: bool) -> bool {
        match (self, write) {
            (Self::ReleaseTwice, Write::PutFact { space: Space::Departure, .. }) => true,
            (Self::EarlyDropped, Write::PutFact { space: Space::Arrival, .. }) => place == CENTER,
            (Self::SetAsideStops, Write::SetCounter(Counter::AppliedFrom(_), _)) => {
                aside && PREFECTURES.contains(&place)
            }
            _ => false,
        }
    }
}
