//! What a desk asks for besides persons: the state of the network, a resident's own records. Also
//! the heartbeat, from which the center makes the state of the network.

use std::fmt;

use law::code::RecordCode;
use law::organ::{CardId, Organ};
use law::time::Timestamp;
use prost::Message;

use crate::directory::{MemberState, role_from, role_to, state_from, state_to};
use crate::error::DecodeError;
use crate::field::{self, At};
use crate::generated as twin;
use crate::id::{NodeId, Role};
use crate::inquiry::prefixed_digest;
use crate::limits::{
    DIRECTORY_MEMBERS_COUNT_MAX, IDENTIFIED_BY_BYTES_MAX, SHORT_TEXT_BYTES_MAX,
    SIGNED_BODY_BYTES_MAX, SOFTWARE_BYTES_MAX,
};

/// Stands before the body in the digest, so that a query's signature never counts for an inquiry.
pub const QUERY_DIGEST_PREFIX: &[u8] = b"jukinet/1 query\n";

/// What the operator card signs: SHA-256 of the prefix and the body's bytes as they travel.
#[must_use]
pub fn query_digest(body: &[u8]) -> [u8; 32] {
    prefixed_digest(QUERY_DIGEST_PREFIX, body)
}

/// A query on its way, as [`crate::inquiry::SignedInquiry`].
#[derive(Clone, PartialEq, Eq)]
pub struct SignedQuery {
    pub body: Vec<u8>,
    pub signature: Vec<u8>,
}

impl fmt::Debug for SignedQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignedQuery(…)")
    }
}

/// What a query is for.
#[derive(Clone, PartialEq, Eq)]
pub enum Purpose {
    /// The map of the network at the center.
    NetworkStatus,
    /// A resident's provision records, at the prefecture's disclosure desk (S1: 開示).
    ResidentView {
        code: RecordCode,
        /// How the clerk identified the resident.
        identified_by: String,
    },
}

impl fmt::Debug for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NetworkStatus => f.write_str("NetworkStatus"),
            Self::ResidentView { .. } => f.write_str("ResidentView(…)"),
        }
    }
}

/// One operator's query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryBody {
    /// Random; a second query with the same is a replay.
    pub request: [u8; 16],
    pub asked_at: Timestamp,
    pub terminal: NodeId,
    pub organ: Organ,
    pub card: CardId,
    pub purpose: Purpose,
}

impl QueryBody {
    /// The bytes to sign and to send; see [`crate::inquiry::InquiryBody::encode`].
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        twin::QueryBody::from(self).encode_to_vec()
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        field::decode::<twin::QueryBody, Self>("query_body", bytes, SIGNED_BODY_BYTES_MAX)
    }
}

/// What a member says about itself, so that the center sees it is there. Counts only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    pub software: String,
    /// Messages that wait to be sent.
    pub queued: u64,
    pub residents: u64,
    /// Size of its ledger.
    pub entries: u64,
}

/// One member as the center sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeStatus {
    pub id: NodeId,
    pub role: Role,
    pub exchange: Option<NodeId>,
    /// Unix milliseconds of its last heartbeat; `None` when there was none yet.
    pub last_seen_ms: Option<u64>,
    pub queued: u64,
    pub residents: u64,
    pub entries: u64,
    pub state: MemberState,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkStatus {
    pub nodes: Vec<NodeStatus>,
    pub at: Timestamp,
}

impl From<&SignedQuery> for twin::SignedQuery {
    fn from(value: &SignedQuery) -> Self {
        Self { body: value.body.clone(), signature: value.signature.clone() }
    }
}

impl TryFrom<twin::SignedQuery> for SignedQuery {
    type Error = DecodeError;

    fn try_from(value: twin::SignedQuery) -> Result<Self, DecodeError> {
        const M: &str = "signed_query";
        Ok(Self {
            body: At(M, "body").bytes(value.body, SIGNED_BODY_BYTES_MAX)?,
            signature: At(M, "signature").bytes(value.signature, SHORT_TEXT_BYTES_MAX)?,
        })
    }
}

impl From<&QueryBody> for twin::QueryBody {
    fn from(value: &QueryBody) -> Self {
        use twin::query_body::Purpose as Twin;
        let purpose = match &value.purpose {
            Purpose::NetworkStatus => Twin::NetworkStatus(twin::NetworkStatusPurpose {}),
            Purpose::ResidentView { code, identified_by } => {
                Twin::ResidentView(twin::ResidentViewPurpose {
                    code: code.expose().to_owned(),
                    identified_by: identified_by.clone(),
                })
            }
        };
        Self {
            request: value.request.to_vec(),
            asked_at: value.asked_at.0,
            terminal: value.terminal.to_string(),
            organ: value.organ.to_string(),
            card: value.card.to_string(),
            purpose: Some(purpose),
        }
    }
}

impl TryFrom<twin::QueryBody> for QueryBody {
    type Error = DecodeError;

    fn try_from(value: twin::QueryBody) -> Result<Self, DecodeError> {
        use twin::query_body::Purpose as Twin;
        const M: &str = "query_body";
        const VIEW: &str = "resident_view_purpose";
        let purpose = match At(M, "purpose").required(value.purpose)? {
            Twin::NetworkStatus(_) => Purpose::NetworkStatus,
            Twin::ResidentView(view) => Purpose::ResidentView {
                code: At(VIEW, "code").short(&view.code, RecordCode::parse)?,
                identified_by: At(VIEW, "identified_by")
                    .filled(view.identified_by, IDENTIFIED_BY_BYTES_MAX)?,
            },
        };
        Ok(Self {
            request: At(M, "request").fixed(&value.request)?,
            asked_at: Timestamp(value.asked_at),
            terminal: At(M, "terminal").short(&value.terminal, NodeId::parse)?,
            organ: At(M, "organ").short(&value.organ, Organ::parse)?,
            card: At(M, "card").short(&value.card, CardId::parse)?,
            purpose,
        })
    }
}

impl From<&Heartbeat> for twin::Heartbeat {
    fn from(value: &Heartbeat) -> Self {
        Self {
            software: value.software.clone(),
            queued: value.queued,
            residents: value.residents,
            entries: value.entries,
        }
    }
}

impl TryFrom<twin::Heartbeat> for Heartbeat {
    type Error = DecodeError;

    fn try_from(value: twin::Heartbeat) -> Result<Self, DecodeError> {
        Ok(Self {
            software: At("heartbeat", "software").filled(value.software, SOFTWARE_BYTES_MAX)?,
            queued: value.queued,
            residents: value.residents,
            entries: value.entries,
        })
    }
}

impl From<&NodeStatus> for twin::NodeStatus {
    fn from(value: &NodeStatus) -> Self {
        Self {
            id: value.id.to_string(),
            role: role_to(&value.role),
            exchange: value.exchange.as_ref().map(ToString::to_string),
            last_seen_ms: value.last_seen_ms,
            queued: value.queued,
            residents: value.residents,
            entries: value.entries,
            state: state_to(&value.state),
        }
    }
}

impl TryFrom<twin::NodeStatus> for NodeStatus {
    type Error = DecodeError;

    fn try_from(value: twin::NodeStatus) -> Result<Self, DecodeError> {
        const M: &str = "node_status";
        Ok(Self {
            id: At(M, "id").short(&value.id, NodeId::parse)?,
            role: role_from(At(M, "role"), value.role)?,
            exchange: At(M, "exchange").short_if(value.exchange.as_deref(), NodeId::parse)?,
            last_seen_ms: value.last_seen_ms,
            queued: value.queued,
            residents: value.residents,
            entries: value.entries,
            state: state_from(At(M, "state"), value.state)?,
        })
    }
}

impl From<&NetworkStatus> for twin::NetworkStatus {
    fn from(value: &NetworkStatus) -> Self {
        Self { nodes: value.nodes.iter().map(Into::into).collect(), at: value.at.0 }
    }
}

impl TryFrom<twin::NetworkStatus> for NetworkStatus {
    type Error = DecodeError;

    fn try_from(value: twin::NetworkStatus) -> Result<Self, DecodeError> {
        Ok(Self {
            nodes: At("network_status", "nodes").list(value.nodes, DIRECTORY_MEMBERS_COUNT_MAX)?,
            at: Timestamp(value.at),
        })
    }
}
