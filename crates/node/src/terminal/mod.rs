//! A terminal (端末機): starts only with an operator card, has every request signed by the card, and
//! takes an answer only if it belongs to the very request that was signed.
//!
//! It keeps no identity information: what it shows lives in the operator's session and ends with
//! it.

use law::affair::{AffairId, Epoch};
use law::code::RecordCode;
use law::organ::{CardClass, CardId, Organ};
use law::query::QueryDraft;
use law::recipient::tables;
use law::time::Timestamp;
use wire::{
    Answer, InquiryBody, NetworkStatus, NodeId, Purpose, QueryBody, Refusal, Reply, Request,
    ResidentView, SignedInquiry, SignedQuery, inquiry_digest, query_digest,
};

/// A session without any use ends by itself, milliseconds (S2: terminals left logged in).
pub const SESSION_IDLE_MS_MAX: u64 = 10 * 60 * 1000;

/// What an operator fills in.
#[derive(Clone, Debug)]
pub struct InquiryForm {
    pub affair: String,
    pub case_number: String,
    pub query: QueryDraft,
}

/// The card's session at this terminal, after mutual authentication and PIN.
#[derive(Clone, Debug)]
pub struct CardSession {
    pub card: CardId,
    pub class: CardClass,
    last_used: Timestamp,
}

/// One terminal of one organ.
#[derive(Clone, Debug)]
pub struct Terminal {
    node: NodeId,
    organ: Organ,
    session: Option<CardSession>,
}

/// A request as it will be signed.
pub struct Prepared {
    kind: PreparedKind,
    body: Vec<u8>,
    digest: [u8; 32],
}

/// The body holds what was typed about a person.
impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Prepared(…)")
    }
}

#[derive(Clone, Copy)]
enum PreparedKind {
    Inquiry,
    View(RecordCode),
    Status,
}

/// What came of a request.
#[derive(Debug)]
pub enum Outcome {
    Answered(Answer),
    View(ResidentView),
    Status(NetworkStatus),
    Refused(Refusal),
    /// Nothing was decided; the request may be made again.
    Unavailable(String),
}

/// What a terminal does not accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TerminalFault {
    #[error("no operator card is in the reader, or its session has ended")]
    NoSession,
    /// The answer to somebody else's question: the incident of Yokohama, 2023-03-27 (J1).
    #[error("the reply belongs to another request; nothing of it is shown")]
    OtherRequest,
    #[error("the reply is not of the kind that was asked for")]
    OtherKind,
}

impl Terminal {
    /// A terminal without a session.
    #[must_use]
    pub fn new(node: NodeId, organ: Organ) -> Self {
        Self { node, organ, session: None }
    }

    /// The organ that this terminal belongs to.
    #[must_use]
    pub fn organ(&self) -> &Organ {
        &self.organ
    }

    /// A card passed mutual authentication and PIN. One session at a time: the former one ends.
    pub fn card_entered(&mut self, now: Timestamp, card: CardId, class: CardClass) {
        self.session = Some(CardSession { card, class, last_used: now });
    }

    /// The card left the reader: the session ends at once.
    pub fn card_left(&mut self) {
        self.session = None;
    }

    /// The session in force, which this use prolongs.
    pub fn session(&mut self, now: Timestamp) -> Result<&CardSession, TerminalFault> {
        let idle = |session: &CardSession| now.0.saturating_sub(session.last_used.0);
        if self.session.as_ref().is_some_and(|session| idle(session) > SESSION_IDLE_MS_MAX) {
            self.session = None;
        }
        let session = self.session.as_mut().ok_or(TerminalFault::NoSession)?;
        session.last_used = now;
        Ok(session)
    }

    /// Prepare an inquiry; the table of the affair says which server answers it.
    pub fn inquiry(
        &mut self,
        now: Timestamp,
        request: [u8; 16],
        form: InquiryForm,
    ) -> Result<Prepared, TerminalFault> {
        let card = self.session(now)?.card.clone();
        let responder = self.responder(&form.affair);
        let body = InquiryBody {
            request,
            asked_at: now,
            terminal: self.node.clone(),
            organ: self.organ,
            card,
            affair: form.affair,
            case_number: form.case_number,
            channel: law::affair::Channel::Immediate,
            responder,
            query: form.query,
        };
        let body = body.encode();
        Ok(Prepared { kind: PreparedKind::Inquiry, digest: inquiry_digest(&body), body })
    }

    /// The server that may answer for this affair, as the tables of `law` have it. What is in no
    /// table goes to the center, to be refused and recorded there.
    fn responder(&self, affair: &str) -> Organ {
        let table = AffairId::parse(affair).map_or(0, |id| id.table());
        let area = match self.organ {
            Organ::Municipality(code) => Some(Organ::Prefecture(code.prefecture())),
            Organ::Prefecture(code) => Some(Organ::Prefecture(code)),
            Organ::Center | Organ::Agency(_) => None,
        };
        let answers = |organ: &Organ| {
            let tables = |epoch| tables(epoch, &self.organ, organ).contains(&table);
            tables(Epoch::Founding) || tables(Epoch::Today)
        };
        area.into_iter().find(answers).unwrap_or(Organ::Center)
    }

    /// Prepare a look at the network, or at who got a resident's data.
    pub fn query(
        &mut self,
        now: Timestamp,
        request: [u8; 16],
        purpose: Purpose,
    ) -> Result<Prepared, TerminalFault> {
        let kind = match purpose {
            Purpose::NetworkStatus => PreparedKind::Status,
            Purpose::ResidentView { code, .. } => PreparedKind::View(code),
        };
        let card = self.session(now)?.card.clone();
        let body = QueryBody {
            request,
            asked_at: now,
            terminal: self.node.clone(),
            organ: self.organ,
            card,
            purpose,
        };
        let body = body.encode();
        Ok(Prepared { kind, digest: query_digest(&body), body })
    }
}

impl Prepared {
    /// What the card signs.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The request to send, with the card's signature.
    #[must_use]
    pub fn request(&self, signature: &[u8; 64]) -> Request {
        let body = self.body.clone();
        let signature = signature.to_vec();
        match self.kind {
            PreparedKind::Inquiry => Request::Inquiry(SignedInquiry { body, signature }),
            PreparedKind::View(_) => Request::ViewQuery(SignedQuery { body, signature }),
            PreparedKind::Status => Request::StatusQuery(SignedQuery { body, signature }),
        }
    }

    /// Take the reply, if it is one to this request (V1: no cross-delivery).
    pub fn accept(self, reply: Reply) -> Result<Outcome, TerminalFault> {
        match (self.kind, reply) {
            (PreparedKind::Inquiry, Reply::Answer(answer)) => {
                let ours = answer.digest == self.digest;
                if ours { Ok(Outcome::Answered(answer)) } else { Err(TerminalFault::OtherRequest) }
            }
            (_, Reply::Refusal(refusal)) => {
                let ours = refusal.digest == self.digest;
                if ours { Ok(Outcome::Refused(refusal)) } else { Err(TerminalFault::OtherRequest) }
            }
            (PreparedKind::View(code), Reply::View(view)) => {
                let ours = view.code == code;
                if ours { Ok(Outcome::View(view)) } else { Err(TerminalFault::OtherRequest) }
            }
            (PreparedKind::Status, Reply::Status(status)) => Ok(Outcome::Status(status)),
            (_, Reply::Unavailable { reason }) => Ok(Outcome::Unavailable(reason)),
            _ => Err(TerminalFault::OtherKind),
        }
    }
}
