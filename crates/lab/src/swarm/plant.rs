//! Faults planted on purpose, to prove that the checkers can fail. Tests switch them on; no command
//! reaches them.

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
}

impl Plant {
    pub const ALL: [Self; 7] = [
        Self::NoticeTwice,
        Self::AnswerBeforeCommit,
        Self::OrderSwapped,
        Self::AcknowledgeBeforeCommit,
        Self::LyingDisk,
        Self::OtherAnswer,
        Self::CardOverreach,
    ];
}
