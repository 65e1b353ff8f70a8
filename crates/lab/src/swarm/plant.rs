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
