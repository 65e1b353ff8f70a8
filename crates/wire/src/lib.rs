//! What nodes say to one another: messages as values, their bytes, and who may say what to whom.
//!
//! Bytes become types here and nowhere else: `schema/` is protobuf for vendors, the types below are
//! what the rest of the program sees, and the conversion between them is written by hand, total and
//! bounded. Every message has one encoding only; anything else, an unknown field included, is
//! refused, so a field for more than the Act names cannot be smuggled in.
//!
//! Not here: deciding who may learn what (`law`), keys and signatures (`token`; verification is
//! handed in), sockets and TLS (`jukinet`), what a role does with a message (`node`).

pub mod compare;
pub mod connect;
pub mod conversation;
pub mod desk;
pub mod directory;
pub mod disclosure;
mod error;
mod field;
pub mod frame;
mod id;
pub mod inquiry;
pub mod kept;
pub mod limits;
pub mod message;
pub mod moving;
pub mod notice;
mod person;
pub mod pool;

pub use compare::{
    Compare, Compared, PersonDigest, RangeDigest, RangePersons, RepairBody, SignedRepair, Standing,
    Suspect, Suspicion,
};
pub use conversation::{CONVERSATIONS, Conversation, Via, may_connect, may_say};
pub use desk::{
    Heartbeat, NetworkStatus, NodeStatus, Purpose, QueryBody, SignedQuery, query_digest,
};
pub use directory::{Directory, Member, MemberState, OperatorCardRow, SignedDirectory};
pub use disclosure::{DisclosureBatch, DisclosureRow, ResidentView, ViewLedger, ViewRow};
pub use error::{DecodeError, DecodeRule, EncodeError, FrameError};
pub use frame::{Frame, FrameBody, FrameDecoder};
pub use id::{NodeId, NodeIdError, Role};
pub use inquiry::{Answer, InquiryBody, Refusal, SignedInquiry, inquiry_digest};
pub use kept::{Arrival, Departure, SetAsideNotice, WaitingNotices};
pub use message::{MessageKind, Reply, ReplyKind, Request, replies_to};
pub use moving::{MoveClaim, ReleaseBody, SignedRelease};
pub use notice::{
    FeedBatch, FeedOutcome, FeedRow, FeedVerdict, NoticeBatch, RelayedNotice, SetAside,
};
pub use pool::{CodeTaken, Pool, PoolRequest, TakeCode};

/// The schema's types as prost makes them; nothing outside this crate sees them.
mod generated {
    #![allow(
        clippy::all,
        clippy::use_self,
        clippy::indexing_slicing,
        unreachable_pub,
        missing_debug_implementations,
        unused_qualifications,
        elided_lifetimes_in_paths,
        reason = "generated"
    )]
    include!(concat!(env!("OUT_DIR"), "/jukinet.v1.rs"));
}
