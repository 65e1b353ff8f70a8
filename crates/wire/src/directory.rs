//! The directory (members, keys, operator cards, agreements) as the center signs it every minute.
//!
//! [`Directory::verify`] is the only way in that checks the signature and the time; what it returns
//! can be asked who someone is. What an operator may do with that standing is `law`'s.

use law::affair::{AffairId, AgencyCode, Epoch};
use law::inquiry::Agreement;
use law::organ::{CardClass, CardId, OperatorStanding, Organ};
use law::time::{Date, Timestamp};
use prost::Message;
use std::net::SocketAddr;

use crate::error::{DecodeError, DecodeRule, EncodeError};
use crate::field::{self, At, mirrored};
use crate::generated as twin;
use crate::id::{NodeId, Role};
use crate::limits::{
    CARD_AFFAIRS_COUNT_MAX, DIRECTORY_AGREEMENTS_COUNT_MAX, DIRECTORY_BYTES_MAX,
    DIRECTORY_MEMBERS_COUNT_MAX, DIRECTORY_OPERATORS_COUNT_MAX, FRAME_BYTES_MAX,
    LEDGER_TEXT_BYTES_MAX,
};

/// Stands before the body under the center's signature.
pub const DIRECTORY_SIGNING_PREFIX: &[u8] = b"jukinet/1 directory\n";
/// A directory counts for ten minutes: the longest a node that cannot reach the center goes on.
pub const DIRECTORY_VALID_MS: u64 = 600_000;
/// The center issues a new one every minute, so that nine may be missed.
pub const DIRECTORY_REISSUE_MS: u64 = 60_000;
/// How far in the future a directory may be issued: the clocks of two nodes differ.
pub const DIRECTORY_SKEW_MS_MAX: u64 = 60_000;

const _: () = assert!(DIRECTORY_REISSUE_MS * 2 < DIRECTORY_VALID_MS);

/// Checks a P-256 signature (public key, message, r || s); the real one is `token::verify::p256`.
pub type Verify = fn(&[u8; 65], &[u8], &[u8; 64]) -> bool;

/// Whether a member may be spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MemberState {
    Active,
    /// Cut off from the network (切り離し, S1: 緊急時対応計画).
    Isolated,
}

/// One node of the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub id: NodeId,
    pub role: Role,
    /// Whose machine it is; an exchange belongs to none.
    pub organ: Option<Organ>,
    /// SHA-256 of the `SubjectPublicKeyInfo` of its node key.
    pub pin: [u8; 32],
    /// `ip:port`; empty for a member that nobody calls.
    pub address: String,
    /// The exchange it is connected to.
    pub exchange: Option<NodeId>,
    pub state: MemberState,
    /// Note verifier key of its ledger.
    pub ledger_vkey: Option<String>,
}

/// One operator identification card (操作者識別カード) that the center issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorCardRow {
    pub card: CardId,
    pub organ: Organ,
    pub class: CardClass,
    /// SEC1, uncompressed.
    pub public_key: [u8; 65],
    pub affairs: Vec<AffairId>,
    pub revoked: bool,
    /// First and last day.
    pub from: Date,
    pub to: Date,
}

impl OperatorCardRow {
    /// What `law` wants to know about the operator; the caller has checked the signature.
    #[must_use]
    pub fn standing(&self, signature_valid: bool) -> OperatorStanding {
        OperatorStanding {
            card: self.card.clone(),
            organ: self.organ,
            class: self.class,
            affairs: self.affairs.clone(),
            revoked: self.revoked,
            signature_valid,
            from: self.from,
            to: self.to,
        }
    }
}

/// Everything all nodes agree on. Lists are sorted when encoded; each key occurs once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    pub serial: u64,
    pub issued_at: Timestamp,
    /// Always `issued_at` + [`DIRECTORY_VALID_MS`].
    pub expires_at: Timestamp,
    pub members: Vec<Member>,
    pub operators: Vec<OperatorCardRow>,
    pub agreements: Vec<Agreement>,
    pub epoch: Epoch,
}

/// A directory's bytes with the center's signature over the prefix and them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedDirectory {
    pub body: Vec<u8>,
    pub signature: [u8; 64],
}

/// Why a directory is not taken. The one held before stays in use until it expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    #[error("the directory is not signed by the center's key; compare the configured center key")]
    BadSignature,
    #[error("the directory has expired; check this node's clock and its way to the center")]
    Expired,
    #[error("the directory was issued in the future; check this node's clock")]
    NotYet,
    #[error("the directory is malformed: {0}")]
    Malformed(#[from] DecodeError),
    #[error("directory serial {offered} is older than the one held, {held}; fetch a new one")]
    SerialOlder { held: u64, offered: u64 },
}

impl SignedDirectory {
    /// What the center's key signs.
    #[must_use]
    pub fn signing_bytes(body: &[u8]) -> Vec<u8> {
        [DIRECTORY_SIGNING_PREFIX, body].concat()
    }

    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        twin::SignedDirectory::from(self).encode_to_vec()
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        field::decode::<twin::SignedDirectory, Self>("signed_directory", bytes, FRAME_BYTES_MAX)
    }
}

impl Directory {
    /// The bytes to sign: lists sorted, limits checked.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        field::encode::<twin::Directory, Self>("directory", self, DIRECTORY_BYTES_MAX)
    }

    /// The body without any check of who signed it; [`Directory::verify`] is what a node calls.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        field::decode::<twin::Directory, Self>("directory", body, DIRECTORY_BYTES_MAX)
    }

    /// Signature first, so that only the center's bytes are decoded; then form; then time.
    pub fn verify(
        signed: &SignedDirectory,
        public: [u8; 65],
        now: Timestamp,
        verify: Verify,
    ) -> Result<Self, DirectoryError> {
        if !verify(&public, &SignedDirectory::signing_bytes(&signed.body), &signed.signature) {
            return Err(DirectoryError::BadSignature);
        }
        let directory = Self::decode(&signed.body)?;
        if directory.issued_at.0 > now.0.saturating_add(DIRECTORY_SKEW_MS_MAX) {
            return Err(DirectoryError::NotYet);
        }
        if !directory.is_current(now) {
            return Err(DirectoryError::Expired);
        }
        Ok(directory)
    }

    /// [`Directory::verify`] for a node that holds one already: an older serial is refused, because
    /// it would bring back a member that has been isolated or a card that has been revoked.
    pub fn verify_after(
        signed: &SignedDirectory,
        public: [u8; 65],
        now: Timestamp,
        verify: Verify,
        held: u64,
    ) -> Result<Self, DirectoryError> {
        let directory = Self::verify(signed, public, now, verify)?;
        if directory.serial < held {
            return Err(DirectoryError::SerialOlder { held, offered: directory.serial });
        }
        Ok(directory)
    }

    /// Still within its ten minutes.
    #[must_use]
    pub fn is_current(&self, now: Timestamp) -> bool {
        now.0 < self.expires_at.0
    }

    #[must_use]
    pub fn member(&self, id: &NodeId) -> Option<&Member> {
        self.members.iter().find(|member| member.id == *id)
    }

    /// Who holds this key: pins occur once.
    #[must_use]
    pub fn member_by_pin(&self, pin: &[u8; 32]) -> Option<&Member> {
        self.members.iter().find(|member| member.pin == *pin)
    }

    #[must_use]
    pub fn operator(&self, card: &CardId) -> Option<&OperatorCardRow> {
        self.operators.iter().find(|operator| operator.card == *card)
    }

    /// The agreement in force with this agency on this day.
    #[must_use]
    pub fn agreement(&self, agency: &AgencyCode, on: Date) -> Option<&Agreement> {
        self.agreements.iter().find(|agreement| {
            agreement.agency == *agency && agreement.from <= on && on <= agreement.to
        })
    }
}

mirrored!(
    role_to,
    role_from,
    Role,
    twin::Role,
    [Municipality, Prefecture, Center, Agency, Exchange, Certifier, Linkage, Terminal, Feed,]
);
mirrored!(state_to, state_from, MemberState, twin::MemberState, [Active, Isolated]);
mirrored!(
    class_to,
    class_from,
    CardClass,
    twin::CardClass,
    [SystemAdministration, RegisterBusiness, CardIssuing, InquiryOnly, Disclosure, Observer]
);

impl From<&SignedDirectory> for twin::SignedDirectory {
    fn from(value: &SignedDirectory) -> Self {
        Self { body: value.body.clone(), signature: value.signature.to_vec() }
    }
}

impl TryFrom<twin::SignedDirectory> for SignedDirectory {
    type Error = DecodeError;

    fn try_from(value: twin::SignedDirectory) -> Result<Self, DecodeError> {
        const M: &str = "signed_directory";
        Ok(Self {
            body: At(M, "body").bytes(value.body, DIRECTORY_BYTES_MAX)?,
            signature: At(M, "signature").fixed(&value.signature)?,
        })
    }
}

impl From<&Member> for twin::Member {
    fn from(value: &Member) -> Self {
        Self {
            id: value.id.to_string(),
            role: role_to(&value.role),
            organ: value.organ.as_ref().map(ToString::to_string),
            pin: value.pin.to_vec(),
            address: value.address.clone(),
            exchange: value.exchange.as_ref().map(ToString::to_string),
            state: state_to(&value.state),
            ledger_vkey: value.ledger_vkey.clone(),
        }
    }
}

impl TryFrom<twin::Member> for Member {
    type Error = DecodeError;

    fn try_from(value: twin::Member) -> Result<Self, DecodeError> {
        const M: &str = "member";
        if !value.address.is_empty() {
            At(M, "address").short(&value.address, str::parse::<SocketAddr>)?;
        }
        Ok(Self {
            id: At(M, "id").short(&value.id, NodeId::parse)?,
            role: role_from(At(M, "role"), value.role)?,
            organ: At(M, "organ").short_if(value.organ.as_deref(), Organ::parse)?,
            pin: At(M, "pin").fixed(&value.pin)?,
            address: value.address,
            exchange: At(M, "exchange").short_if(value.exchange.as_deref(), NodeId::parse)?,
            state: state_from(At(M, "state"), value.state)?,
            ledger_vkey: value
                .ledger_vkey
                .map(|vkey| At(M, "ledger_vkey").filled(vkey, LEDGER_TEXT_BYTES_MAX))
                .transpose()?,
        })
    }
}

impl From<&OperatorCardRow> for twin::OperatorCard {
    fn from(value: &OperatorCardRow) -> Self {
        Self {
            card: value.card.to_string(),
            organ: value.organ.to_string(),
            class: class_to(&value.class),
            public_key: value.public_key.to_vec(),
            affairs: value.affairs.iter().map(ToString::to_string).collect(),
            revoked: value.revoked,
            from: value.from.to_string(),
            to: value.to.to_string(),
        }
    }
}

impl TryFrom<twin::OperatorCard> for OperatorCardRow {
    type Error = DecodeError;

    fn try_from(value: twin::OperatorCard) -> Result<Self, DecodeError> {
        const M: &str = "operator_card";
        let affairs = At(M, "affairs");
        if value.affairs.len() > CARD_AFFAIRS_COUNT_MAX {
            return Err(affairs.error(DecodeRule::TooMany { max: CARD_AFFAIRS_COUNT_MAX }));
        }
        Ok(Self {
            card: At(M, "card").short(&value.card, CardId::parse)?,
            organ: At(M, "organ").short(&value.organ, Organ::parse)?,
            class: class_from(At(M, "class"), value.class)?,
            public_key: At(M, "public_key").fixed(&value.public_key)?,
            affairs: value
                .affairs
                .iter()
                .map(|affair| affairs.short(affair, AffairId::parse))
                .collect::<Result<_, _>>()?,
            revoked: value.revoked,
            from: At(M, "from").short(&value.from, Date::parse)?,
            to: At(M, "to").short(&value.to, Date::parse)?,
        })
    }
}

/// [`Agreement`] is `law`'s type; this one is ours, so that lists convert like all others.
struct Agreed(Agreement);

impl TryFrom<twin::Agreement> for Agreed {
    type Error = DecodeError;

    fn try_from(value: twin::Agreement) -> Result<Self, DecodeError> {
        const M: &str = "agreement";
        Ok(Self(Agreement {
            agency: At(M, "agency").short(&value.agency, AgencyCode::parse)?,
            from: At(M, "from").short(&value.from, Date::parse)?,
            to: At(M, "to").short(&value.to, Date::parse)?,
        }))
    }
}

impl From<&Directory> for twin::Directory {
    fn from(value: &Directory) -> Self {
        let mut members: Vec<&Member> = value.members.iter().collect();
        members.sort_by(|a, b| a.id.cmp(&b.id));
        let mut operators: Vec<&OperatorCardRow> = value.operators.iter().collect();
        operators.sort_by(|a, b| a.card.cmp(&b.card));
        let mut agreements: Vec<&Agreement> = value.agreements.iter().collect();
        agreements.sort_by_key(|row| (row.agency, row.from));
        Self {
            serial: value.serial,
            issued_at: value.issued_at.0,
            expires_at: value.expires_at.0,
            members: members.into_iter().map(Into::into).collect(),
            operators: operators.into_iter().map(Into::into).collect(),
            agreements: agreements
                .into_iter()
                .map(|row| twin::Agreement {
                    agency: row.agency.to_string(),
                    from: row.from.to_string(),
                    to: row.to.to_string(),
                })
                .collect(),
            epoch: value.epoch.to_string(),
        }
    }
}

impl TryFrom<twin::Directory> for Directory {
    type Error = DecodeError;

    fn try_from(value: twin::Directory) -> Result<Self, DecodeError> {
        const M: &str = "directory";
        let agreements: Vec<Agreed> =
            At(M, "agreements").list(value.agreements, DIRECTORY_AGREEMENTS_COUNT_MAX)?;
        let directory = Self {
            serial: value.serial,
            issued_at: Timestamp(value.issued_at),
            expires_at: Timestamp(value.expires_at),
            members: At(M, "members").list(value.members, DIRECTORY_MEMBERS_COUNT_MAX)?,
            operators: At(M, "operators").list(value.operators, DIRECTORY_OPERATORS_COUNT_MAX)?,
            agreements: agreements.into_iter().map(|Agreed(row)| row).collect(),
            epoch: At(M, "epoch").short(&value.epoch, Epoch::parse)?,
        };
        if directory.issued_at.0.checked_add(DIRECTORY_VALID_MS) != Some(directory.expires_at.0) {
            return Err(At(M, "expires_at").error(DecodeRule::Invalid));
        }
        let (members, operators) = (&directory.members, &directory.operators);
        unique(At(M, "members"), members.iter().map(|member| &member.id))?;
        unique(At(M, "pin"), members.iter().map(|member| &member.pin))?;
        unique(At(M, "operators"), operators.iter().map(|operator| &operator.card))?;
        let keys = directory.agreements.iter().map(|row| (row.agency, row.from));
        unique(At(M, "agreements"), keys)?;
        Ok(directory)
    }
}

/// One key, one row: two members with one pin could not be told apart.
fn unique<T: Ord>(at: At, keys: impl Iterator<Item = T>) -> Result<(), DecodeError> {
    let mut keys: Vec<T> = keys.collect();
    keys.sort_unstable();
    let count = keys.len();
    keys.dedup();
    if keys.len() == count { Ok(()) } else { Err(at.error(DecodeRule::Duplicate)) }
}
