//! The requests and replies of the network, by name. What each carries is in its topic's module;
//! who may say which is in [`crate::conversation`].

use std::fmt;

use crate::compare::{Compare, Compared, SignedRepair, Standing, Suspicion};
use crate::desk::{Heartbeat, NetworkStatus, SignedQuery};
use crate::disclosure::{DisclosureBatch, ResidentView};
use crate::inquiry::{Answer, Refusal, SignedInquiry};
use crate::moving::{MoveClaim, SignedRelease};
use crate::notice::{FeedBatch, FeedOutcome, NoticeBatch, SetAside};
use crate::pool::{CodeTaken, Pool, PoolRequest, TakeCode};

/// What a node may be asked.
#[derive(Clone, PartialEq, Eq)]
pub enum Request {
    Notices(NoticeBatch),
    Inquiry(SignedInquiry),
    Disclosures(DisclosureBatch),
    /// A [`crate::directory::SignedDirectory`] as bytes, for the node to verify.
    DirectoryPush(Vec<u8>),
    DirectoryFetch,
    Feed(FeedBatch),
    Heartbeat(Heartbeat),
    StatusQuery(SignedQuery),
    ViewQuery(SignedQuery),
    /// 転入通知, between two municipalities (法9条1項).
    MoveClaim(MoveClaim),
    /// 規則14条2項: more record codes, please.
    PoolRequest(PoolRequest),
    /// One code of the pool, for a resident who has none.
    TakeCode(TakeCode),
    /// Continuous reconciliation (継続的照合).
    Compare(Compare),
    Suspicion(Suspicion),
    Repair(SignedRepair),
}

/// What it may answer.
#[derive(Clone, PartialEq, Eq)]
pub enum Reply {
    /// Dealt with durably, in order, up to and including this sequence.
    NoticeAck {
        applied: u64,
        /// Those of the batch that were not applied, and why.
        set_aside: Vec<SetAside>,
    },
    Answer(Answer),
    Refusal(Refusal),
    DisclosureAck {
        applied: u64,
    },
    /// The serial now in use.
    DirectoryAck {
        serial: u64,
    },
    /// A [`crate::directory::SignedDirectory`] as bytes.
    Directory(Vec<u8>),
    FeedResult(Vec<FeedOutcome>),
    HeartbeatAck,
    Status(NetworkStatus),
    View(ResidentView),
    /// The former municipality lets the resident go.
    MoveReleased(SignedRelease),
    /// It does not; why is not said.
    MoveRefused,
    Pool(Pool),
    CodeTaken(CodeTaken),
    Compared(Compared),
    Suspected(Vec<Standing>),
    Repaired {
        /// False: the person stands differently by now, or is another municipality's.
        applied: bool,
    },
    /// Not now; the same request may be tried again later. Never says anything about a person.
    Unavailable {
        reason: String,
    },
}

/// The kinds of requests, for tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageKind {
    Notices,
    Inquiry,
    Disclosures,
    DirectoryPush,
    DirectoryFetch,
    Feed,
    Heartbeat,
    StatusQuery,
    ViewQuery,
    MoveClaim,
    PoolRequest,
    TakeCode,
    Compare,
    Suspicion,
    Repair,
}

/// The kinds of replies, for tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReplyKind {
    NoticeAck,
    Answer,
    Refusal,
    DisclosureAck,
    DirectoryAck,
    Directory,
    FeedResult,
    HeartbeatAck,
    Status,
    View,
    MoveReleased,
    MoveRefused,
    Pool,
    CodeTaken,
    Compared,
    Suspected,
    Repaired,
    Unavailable,
}

impl MessageKind {
    pub const ALL: [Self; 15] = [
        Self::Notices,
        Self::Inquiry,
        Self::Disclosures,
        Self::DirectoryPush,
        Self::DirectoryFetch,
        Self::Feed,
        Self::Heartbeat,
        Self::StatusQuery,
        Self::ViewQuery,
        Self::MoveClaim,
        Self::PoolRequest,
        Self::TakeCode,
        Self::Compare,
        Self::Suspicion,
        Self::Repair,
    ];

    /// The word in tables and logs.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Notices => "notices",
            Self::Inquiry => "inquiry",
            Self::Disclosures => "disclosures",
            Self::DirectoryPush => "directory-push",
            Self::DirectoryFetch => "directory-fetch",
            Self::Feed => "feed",
            Self::Heartbeat => "heartbeat",
            Self::StatusQuery => "status-query",
            Self::ViewQuery => "view-query",
            Self::MoveClaim => "move-claim",
            Self::PoolRequest => "pool-request",
            Self::TakeCode => "take-code",
            Self::Compare => "compare",
            Self::Suspicion => "suspicion",
            Self::Repair => "repair",
        }
    }
}

impl ReplyKind {
    pub const ALL: [Self; 18] = [
        Self::NoticeAck,
        Self::Answer,
        Self::Refusal,
        Self::DisclosureAck,
        Self::DirectoryAck,
        Self::Directory,
        Self::FeedResult,
        Self::HeartbeatAck,
        Self::Status,
        Self::View,
        Self::MoveReleased,
        Self::MoveRefused,
        Self::Pool,
        Self::CodeTaken,
        Self::Compared,
        Self::Suspected,
        Self::Repaired,
        Self::Unavailable,
    ];

    /// The word in tables and logs.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::NoticeAck => "notice-ack",
            Self::Answer => "answer",
            Self::Refusal => "refusal",
            Self::DisclosureAck => "disclosure-ack",
            Self::DirectoryAck => "directory-ack",
            Self::Directory => "directory",
            Self::FeedResult => "feed-result",
            Self::HeartbeatAck => "heartbeat-ack",
            Self::Status => "status",
            Self::View => "view",
            Self::MoveReleased => "move-released",
            Self::MoveRefused => "move-refused",
            Self::Pool => "pool",
            Self::CodeTaken => "code-taken",
            Self::Compared => "compared",
            Self::Suspected => "suspected",
            Self::Repaired => "repaired",
            Self::Unavailable => "unavailable",
        }
    }
}

/// Which replies a request may get. An asker drops the session on any other: a person's data must
/// not arrive as the answer to a heartbeat.
#[must_use]
pub const fn replies_to(kind: MessageKind) -> &'static [ReplyKind] {
    use ReplyKind as R;
    match kind {
        MessageKind::Notices => &[R::NoticeAck, R::Refusal, R::Unavailable],
        MessageKind::Inquiry => &[R::Answer, R::Refusal, R::Unavailable],
        MessageKind::Disclosures => &[R::DisclosureAck, R::Refusal, R::Unavailable],
        MessageKind::DirectoryPush => &[R::DirectoryAck, R::Refusal, R::Unavailable],
        MessageKind::DirectoryFetch => &[R::Directory, R::Refusal, R::Unavailable],
        MessageKind::Feed => &[R::FeedResult, R::Refusal, R::Unavailable],
        MessageKind::Heartbeat => &[R::HeartbeatAck, R::Refusal, R::Unavailable],
        MessageKind::StatusQuery => &[R::Status, R::Refusal, R::Unavailable],
        MessageKind::ViewQuery => &[R::View, R::Refusal, R::Unavailable],
        MessageKind::MoveClaim => &[R::MoveReleased, R::MoveRefused, R::Unavailable],
        MessageKind::PoolRequest => &[R::Pool, R::Unavailable],
        MessageKind::TakeCode => &[R::CodeTaken, R::Unavailable],
        MessageKind::Compare => &[R::Compared, R::Unavailable],
        MessageKind::Suspicion => &[R::Suspected, R::Unavailable],
        MessageKind::Repair => &[R::Repaired, R::Unavailable],
    }
}

impl Request {
    #[must_use]
    pub const fn kind(&self) -> MessageKind {
        match self {
            Self::Notices(_) => MessageKind::Notices,
            Self::Inquiry(_) => MessageKind::Inquiry,
            Self::Disclosures(_) => MessageKind::Disclosures,
            Self::DirectoryPush(_) => MessageKind::DirectoryPush,
            Self::DirectoryFetch => MessageKind::DirectoryFetch,
            Self::Feed(_) => MessageKind::Feed,
            Self::Heartbeat(_) => MessageKind::Heartbeat,
            Self::StatusQuery(_) => MessageKind::StatusQuery,
            Self::ViewQuery(_) => MessageKind::ViewQuery,
            Self::MoveClaim(_) => MessageKind::MoveClaim,
            Self::PoolRequest(_) => MessageKind::PoolRequest,
            Self::TakeCode(_) => MessageKind::TakeCode,
            Self::Compare(_) => MessageKind::Compare,
            Self::Suspicion(_) => MessageKind::Suspicion,
            Self::Repair(_) => MessageKind::Repair,
        }
    }
}

impl Reply {
    #[must_use]
    pub const fn kind(&self) -> ReplyKind {
        match self {
            Self::NoticeAck { .. } => ReplyKind::NoticeAck,
            Self::Answer(_) => ReplyKind::Answer,
            Self::Refusal(_) => ReplyKind::Refusal,
            Self::DisclosureAck { .. } => ReplyKind::DisclosureAck,
            Self::DirectoryAck { .. } => ReplyKind::DirectoryAck,
            Self::Directory(_) => ReplyKind::Directory,
            Self::FeedResult(_) => ReplyKind::FeedResult,
            Self::HeartbeatAck => ReplyKind::HeartbeatAck,
            Self::Status(_) => ReplyKind::Status,
            Self::View(_) => ReplyKind::View,
            Self::MoveReleased(_) => ReplyKind::MoveReleased,
            Self::MoveRefused => ReplyKind::MoveRefused,
            Self::Pool(_) => ReplyKind::Pool,
            Self::CodeTaken(_) => ReplyKind::CodeTaken,
            Self::Compared(_) => ReplyKind::Compared,
            Self::Suspected(_) => ReplyKind::Suspected,
            Self::Repaired { .. } => ReplyKind::Repaired,
            Self::Unavailable { .. } => ReplyKind::Unavailable,
        }
    }
}

impl fmt::Display for MessageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.key())
    }
}

impl fmt::Display for ReplyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.key())
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({}, …)", self.kind())
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({}, …)", self.kind())
    }
}
