//! An inquiry as the operator card signs it, its answer and its refusal.
//!
//! The signed bytes travel as they were signed: nobody on the way encodes them again, and the
//! decoder takes one encoding only, so there is nothing left to vary. Whether the inquiry is legal
//! is not decided here (`law::inquiry::authorize`).

use std::fmt;

use law::affair::Channel;
use law::denial::PublicRefusal;
use law::inquiry::ProvidedPerson;
use law::organ::{CardId, Organ};
use law::query::QueryDraft;
use law::time::Timestamp;
use prost::Message;
use sha2::{Digest, Sha256};

use crate::error::{DecodeError, DecodeRule};
use crate::field::{self, At, mirrored};
use crate::generated as twin;
use crate::id::NodeId;
use crate::limits::{
    ANSWER_BYTES_CLASSES, ANSWER_PERSONS_COUNT_MAX, CASE_NUMBER_BYTES_MAX, HINT_BYTES_MAX,
    HINT_EN_BYTES_MAX, LAW_BYTES_MAX, LEDGER_TEXT_BYTES_MAX, QUERY_ADDRESS_BYTES_MAX,
    QUERY_NAME_BYTES_MAX, REFUSAL_BYTES, RULE_BYTES_MAX, SHORT_TEXT_BYTES_MAX,
    SIGNED_BODY_BYTES_MAX,
};
use crate::person;

/// Stands before the body in the digest, so that a signature over something else never counts here.
pub const INQUIRY_DIGEST_PREFIX: &[u8] = b"jukinet/1 inquiry\n";

/// What the operator card signs: SHA-256 of the prefix and the body's bytes as they travel.
#[must_use]
pub fn inquiry_digest(body: &[u8]) -> [u8; 32] {
    prefixed_digest(INQUIRY_DIGEST_PREFIX, body)
}

pub(crate) fn prefixed_digest(prefix: &[u8], body: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(prefix).chain_update(body).finalize().into()
}

/// An inquiry on its way: the body's bytes and the card's signature over their digest. Its length
/// is not checked beyond the bound: a wrong one fails where the signature is verified, with its
/// rule.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedInquiry {
    pub body: Vec<u8>,
    pub signature: Vec<u8>,
}

impl fmt::Debug for SignedInquiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignedInquiry(…)")
    }
}

/// An inquiry (照会) by one operator for one case.
#[derive(Clone, PartialEq, Eq)]
pub struct InquiryBody {
    /// Random; a second inquiry with the same is a replay.
    pub request: [u8; 16],
    pub asked_at: Timestamp,
    pub terminal: NodeId,
    pub organ: Organ,
    pub card: CardId,
    /// As the operator gave it; `law` says whether it is one.
    pub affair: String,
    /// As the operator gave it; `law` refuses an empty one by its rule.
    pub case_number: String,
    pub channel: Channel,
    pub responder: Organ,
    pub query: QueryDraft,
}

impl fmt::Debug for InquiryBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InquiryBody(…)")
    }
}

impl InquiryBody {
    /// The bytes to sign and to send. A field over its limit is refused by whoever decodes; a
    /// terminal decodes its own body once before it asks the card.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        twin::InquiryBody::from(self).encode_to_vec()
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        field::decode::<twin::InquiryBody, Self>("inquiry_body", bytes, SIGNED_BODY_BYTES_MAX)
    }
}

/// What was provided, with the receipt: where in which ledger it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Of the inquiry it answers.
    pub digest: [u8; 32],
    /// Origin of the responder's ledger.
    pub ledger: String,
    pub index: u64,
    /// Empty when nobody was found.
    pub persons: Vec<ProvidedPerson>,
}

/// A refusal in the public words of its denial (charter §8.4). Every one has the same size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Of the inquiry it refuses; zeros when there was none to name.
    pub digest: [u8; 32],
    pub rule: String,
    pub law: String,
    pub hint: String,
    pub hint_en: String,
}

impl Refusal {
    #[must_use]
    pub fn new(digest: [u8; 32], public: &PublicRefusal) -> Self {
        Self {
            digest,
            rule: public.rule.to_owned(),
            law: public.law.to_owned(),
            hint: public.hint.to_owned(),
            hint_en: public.hint_en.to_owned(),
        }
    }
}

mirrored!(channel_to, channel_from, Channel, twin::Channel, [Immediate, Batch]);

impl From<&SignedInquiry> for twin::SignedInquiry {
    fn from(value: &SignedInquiry) -> Self {
        Self { body: value.body.clone(), signature: value.signature.clone() }
    }
}

impl TryFrom<twin::SignedInquiry> for SignedInquiry {
    type Error = DecodeError;

    fn try_from(value: twin::SignedInquiry) -> Result<Self, DecodeError> {
        const M: &str = "signed_inquiry";
        Ok(Self {
            body: At(M, "body").bytes(value.body, SIGNED_BODY_BYTES_MAX)?,
            signature: At(M, "signature").bytes(value.signature, SHORT_TEXT_BYTES_MAX)?,
        })
    }
}

/// `QueryDraft` is `law`'s type, hence a function.
fn draft_to(value: &QueryDraft) -> twin::QueryDraft {
    twin::QueryDraft {
        code: value.code.clone(),
        name: value.name.clone(),
        address: value.address.clone(),
        birth: value.birth.clone(),
        prefix: value.prefix,
    }
}

fn draft_from(value: twin::QueryDraft) -> Result<QueryDraft, DecodeError> {
    let bounded = |field, text: Option<String>, max| {
        text.map(|text| At("query_draft", field).text(text, max)).transpose()
    };
    Ok(QueryDraft {
        code: bounded("code", value.code, SHORT_TEXT_BYTES_MAX)?,
        name: bounded("name", value.name, QUERY_NAME_BYTES_MAX)?,
        address: bounded("address", value.address, QUERY_ADDRESS_BYTES_MAX)?,
        birth: bounded("birth", value.birth, SHORT_TEXT_BYTES_MAX)?,
        prefix: value.prefix,
    })
}

impl From<&InquiryBody> for twin::InquiryBody {
    fn from(value: &InquiryBody) -> Self {
        Self {
            request: value.request.to_vec(),
            asked_at: value.asked_at.0,
            terminal: value.terminal.to_string(),
            organ: value.organ.to_string(),
            card: value.card.to_string(),
            affair: value.affair.clone(),
            case_number: value.case_number.clone(),
            channel: channel_to(&value.channel),
            responder: value.responder.to_string(),
            query: Some(draft_to(&value.query)),
        }
    }
}

impl TryFrom<twin::InquiryBody> for InquiryBody {
    type Error = DecodeError;

    fn try_from(value: twin::InquiryBody) -> Result<Self, DecodeError> {
        const M: &str = "inquiry_body";
        Ok(Self {
            request: At(M, "request").fixed(&value.request)?,
            asked_at: Timestamp(value.asked_at),
            terminal: At(M, "terminal").short(&value.terminal, NodeId::parse)?,
            organ: At(M, "organ").short(&value.organ, Organ::parse)?,
            card: At(M, "card").short(&value.card, CardId::parse)?,
            affair: At(M, "affair").text(value.affair, SHORT_TEXT_BYTES_MAX)?,
            case_number: At(M, "case_number").text(value.case_number, CASE_NUMBER_BYTES_MAX)?,
            channel: channel_from(At(M, "channel"), value.channel)?,
            responder: At(M, "responder").short(&value.responder, Organ::parse)?,
            query: draft_from(At(M, "query").required(value.query)?)?,
        })
    }
}

/// [`ProvidedPerson`] is `law`'s type; this one is ours, so that lists convert like all others.
struct Received(ProvidedPerson);

impl TryFrom<twin::ProvidedPerson> for Received {
    type Error = DecodeError;

    fn try_from(value: twin::ProvidedPerson) -> Result<Self, DecodeError> {
        person::provided(&value).map(Self)
    }
}

impl From<&Answer> for twin::Answer {
    fn from(value: &Answer) -> Self {
        let mut answer = Self {
            digest: value.digest.to_vec(),
            ledger: value.ledger.clone(),
            index: value.index,
            persons: value.persons.iter().map(Into::into).collect(),
            padding: Vec::new(),
        };
        answer.padding = vec![0; answer_padding(answer.encoded_len())];
        answer
    }
}

/// Zeros that bring a message of this length to its size class. A length that no padding fills up
/// exactly, because the padding's own length takes one byte more from 128 on, goes to the next
/// class.
fn answer_padding(length: usize) -> usize {
    let fill = |class: &usize| match class.checked_sub(length)? {
        0 => Some(0),
        room @ 3..=129 => Some(room - 2),
        room @ 131..=16_386 => Some(room - 3),
        room @ 16_388.. => Some(room - 4),
        _ => None,
    };
    ANSWER_BYTES_CLASSES.iter().find_map(fill).unwrap_or(0)
}

impl TryFrom<twin::Answer> for Answer {
    type Error = DecodeError;

    fn try_from(value: twin::Answer) -> Result<Self, DecodeError> {
        const M: &str = "answer";
        let persons: Vec<Received> =
            At(M, "persons").list(value.persons, ANSWER_PERSONS_COUNT_MAX)?;
        Ok(Self {
            digest: At(M, "digest").fixed(&value.digest)?,
            ledger: At(M, "ledger").filled(value.ledger, LEDGER_TEXT_BYTES_MAX)?,
            index: value.index,
            persons: persons.into_iter().map(|Received(person)| person).collect(),
        })
    }
}

impl From<&Refusal> for twin::Refusal {
    fn from(value: &Refusal) -> Self {
        let mut refusal = Self {
            digest: value.digest.to_vec(),
            rule: value.rule.clone(),
            law: value.law.clone(),
            hint: value.hint.clone(),
            hint_en: value.hint_en.clone(),
            padding: Vec::new(),
        };
        // The padding's tag takes one byte and its length two (`limits` asserts that). A refusal
        // over the limits stays unpadded and is refused by the conversion below.
        const PADDING_HEAD_BYTES: usize = 3;
        let padding = REFUSAL_BYTES.saturating_sub(refusal.encoded_len() + PADDING_HEAD_BYTES);
        refusal.padding = vec![0; padding];
        refusal
    }
}

impl TryFrom<twin::Refusal> for Refusal {
    type Error = DecodeError;

    fn try_from(value: twin::Refusal) -> Result<Self, DecodeError> {
        const M: &str = "refusal";
        if value.encoded_len() != REFUSAL_BYTES {
            return Err(At(M, "padding").error(DecodeRule::WrongSize { expected: REFUSAL_BYTES }));
        }
        Ok(Self {
            digest: At(M, "digest").fixed(&value.digest)?,
            rule: At(M, "rule").filled(value.rule, RULE_BYTES_MAX)?,
            law: At(M, "law").text(value.law, LAW_BYTES_MAX)?,
            hint: At(M, "hint").text(value.hint, HINT_BYTES_MAX)?,
            hint_en: At(M, "hint_en").text(value.hint_en, HINT_EN_BYTES_MAX)?,
        })
    }
}
