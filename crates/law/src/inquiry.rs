//! The decision: an [`Inquiry`] becomes a [`Permit`] or a [`Denial`], a permit and what was found
//! become a [`Release`]. Nothing else in the program makes either value.
//!
//! This is a leaf module on purpose: private fields are visible to descendant modules, so there
//! must be none. Recording (`ledger`) and sending (`node`) come after and cannot be skipped,
//! because the outbox takes only a release with its receipt.

use crate::affair::{self, Affair, AffairId, AgencyCode, Channel, Epoch};
use crate::change::ChangeReason;
use crate::code::RecordCode;
pub use crate::denial::{Denial, PublicRefusal};
use crate::organ::{self, CardFunction, CardId, OperatorStanding, Organ};
use crate::people::{Address, BirthDate, IdentityInformation, Kana, Name, Sex, is_forbidden};
use crate::query::{PROVISION_PERSONS_MAX, Query, QueryDraft, QueryMode};
use crate::recipient;
use crate::time::{Date, Timestamp};

/// How far the clock of a terminal and that of the responder may lie apart. Together with the
/// memory of seen requests, which must be at least this long, it makes a recorded request
/// worthless.
pub const ASKED_AT_SKEW_MS_MAX: u64 = 60_000;
/// Longest case number, in characters: it stands in the resident's list, one line.
pub const CASE_NUMBER_CHARS_MAX: usize = 40;

/// Agreement (協定書) between an agency and the center (S1: 責任体制の確立).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    pub agency: AgencyCode,
    /// First and last day, both included.
    pub from: Date,
    pub to: Date,
}

/// Everything the decision needs, gathered by the responder from its own verified sources: the
/// directory, the signature check, the memory of requests, its clock. Trusting the asker for any of
/// these fields would void the decision.
#[derive(Debug, Clone)]
pub struct Inquiry {
    pub asker: Organ,
    /// Center or prefecture.
    pub responder: Organ,
    pub affair: String,
    pub case_number: String,
    pub channel: Channel,
    pub epoch: Epoch,
    /// `None` when the directory does not know the card.
    pub operator: Option<OperatorStanding>,
    pub agreement: Option<Agreement>,
    pub query: QueryDraft,
    pub asked_at: Timestamp,
    pub now: Timestamp,
    pub replayed: bool,
    pub digest: [u8; 32],
}

/// An item of identity information (本人確認情報) that an affair may receive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Item {
    Name,
    Kana,
    Address,
    Sex,
    Birth,
    RecordCode,
    Change,
}

impl Item {
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Kana => "kana",
            Self::Address => "address",
            Self::Sex => "sex",
            Self::Birth => "birth",
            Self::RecordCode => "record-code",
            Self::Change => "change",
        }
    }
}

/// The items provided under an epoch.
///
/// Then: 法30条の7第3項から第6項まで provide 「保存期間に係る本人確認情報」 whole, and 法30条の5第1項
/// defines it with 7条13号 (the code) and the change information in it; no table and no recipient is
/// excepted, and 法30条の8 uses the same term. Now: 法30条の9 (国の機関), 30条の10第1項 and 30条の12第1項
/// (市町村), 30条の11第1項 (都道府県) and 30条の15 (自己利用) all except the code: 「住民票コード以外のもの」.
#[must_use]
pub const fn items(epoch: Epoch) -> &'static [Item] {
    use Item::{Address, Birth, Change, Kana, Name, RecordCode, Sex};
    match epoch {
        Epoch::Founding => &[Name, Kana, Address, Sex, Birth, RecordCode, Change],
        Epoch::Today => &[Name, Kana, Address, Sex, Birth, Change],
    }
}

/// The last change of a record: reason and day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastChange {
    pub reason: ChangeReason,
    pub on: Date,
    /// The record is a foreign resident's (令30条の32).
    pub foreign: bool,
}

/// What a prefecture or the center holds about one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub identity: IdentityInformation,
    pub change: Option<LastChange>,
    /// The record was deleted (消除) and is within its retention.
    pub removed: bool,
}

/// On what grounds a permit stands; carried on into the release and from there into the ledger.
#[derive(Debug)]
struct Grounds {
    asker: Organ,
    responder: Organ,
    affair: &'static Affair,
    case_number: String,
    channel: Channel,
    card: CardId,
    mode: QueryMode,
    prefix: bool,
    digest: [u8; 32],
}

macro_rules! grounds_getters {
    ($owner:ident) => {
        impl $owner {
            /// Digest of the request this stands for.
            #[must_use]
            pub fn digest(&self) -> &[u8; 32] {
                &self.grounds.digest
            }

            #[must_use]
            pub fn affair(&self) -> &'static Affair {
                self.grounds.affair
            }

            #[must_use]
            pub fn asker(&self) -> &Organ {
                &self.grounds.asker
            }

            #[must_use]
            pub fn responder(&self) -> &Organ {
                &self.grounds.responder
            }

            #[must_use]
            pub fn case_number(&self) -> &str {
                &self.grounds.case_number
            }

            #[must_use]
            pub fn channel(&self) -> Channel {
                self.grounds.channel
            }

            #[must_use]
            pub fn card(&self) -> &CardId {
                &self.grounds.card
            }

            #[must_use]
            pub fn mode(&self) -> QueryMode {
                self.grounds.mode
            }

            #[must_use]
            pub fn is_prefix(&self) -> bool {
                self.grounds.prefix
            }

            /// The items that may be told.
            #[must_use]
            pub fn items(&self) -> &'static [Item] {
                items(self.grounds.affair.epoch)
            }
        }
    };
}

/// Proof that this organ may ask this, now, for this affair. Made by [`authorize`] only; consumed
/// by [`Permit::release`]; neither copied nor kept.
#[derive(Debug)]
pub struct Permit {
    query: Query,
    grounds: Grounds,
}

/// Proof that these persons may be told about. Made by [`Permit::release`] only.
#[derive(Debug)]
pub struct Release {
    grounds: Grounds,
    persons: Vec<ProvidedPerson>,
    subjects: Vec<RecordCode>,
}

grounds_getters!(Permit);
grounds_getters!(Release);

/// One person as provided: exactly the items of the affair. The receiving side rebuilds this value
/// from the wire; it proves nothing by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvidedPerson {
    pub code: Option<RecordCode>,
    pub name: Name,
    pub kana: Kana,
    pub address: Address,
    pub sex: Sex,
    pub birth: BirthDate,
    pub change: Option<LastChange>,
    /// Alternative name (通称), which belongs to item 1 (令30条の26).
    pub alternative_name: Option<Name>,
}

impl ProvidedPerson {
    /// A person as received in an answer.
    #[must_use]
    pub fn received(
        code: Option<RecordCode>,
        name: Name,
        kana: Kana,
        address: Address,
        sex: Sex,
        birth: BirthDate,
        change: Option<LastChange>,
    ) -> Self {
        Self { code, name, kana, address, sex, birth, change, alternative_name: None }
    }

    /// The same person with the alternative name that came with the name.
    #[must_use]
    pub fn also_called(self, alternative_name: Option<Name>) -> Self {
        Self { alternative_name, ..self }
    }

    fn of(held: Held, items: &[Item]) -> Self {
        let four = held.identity.items;
        Self {
            code: items.contains(&Item::RecordCode).then_some(held.identity.code),
            name: four.name,
            kana: four.kana,
            address: four.address,
            sex: four.sex,
            birth: four.birth,
            change: held.change.filter(|_| items.contains(&Item::Change)),
            alternative_name: held.identity.other_names.alternative,
        }
    }
}

/// Decides an inquiry. The checks run in the order of [`Denial`]; the first failing one answers.
pub fn authorize(inquiry: Inquiry) -> Result<Permit, Denial> {
    let today = inquiry.now.date_in_japan();
    let operator = card_stands(&inquiry, today)?;
    request_is_fresh(&inquiry)?;
    // S1: 操作者識別カードの種別により接続できる範囲を限定.
    if !organ::may(operator.class, CardFunction::Inquire) {
        return Err(Denial::CardClass);
    }
    let affair = affair_of(
        inquiry.epoch,
        &inquiry.asker,
        &inquiry.responder,
        &inquiry.affair,
        inquiry.channel,
        today,
    )?;
    agreement_stands(&inquiry, today)?;
    if !operator.affairs.contains(&affair.id) {
        return Err(Denial::AffairNotOnCard);
    }
    if !is_case_number(&inquiry.case_number) {
        return Err(Denial::CaseNumberMissing);
    }
    let query = Query::parse(&inquiry.query)?;
    let grounds = Grounds {
        asker: inquiry.asker,
        responder: inquiry.responder,
        affair,
        card: operator.card.clone(),
        case_number: inquiry.case_number,
        channel: inquiry.channel,
        mode: query.mode(),
        prefix: query.is_prefix(),
        digest: inquiry.digest,
    };
    Ok(Permit { query, grounds })
}

/// S1 (操作者識別カード認証によるアクセス制御): the card is known, in force, the asker's own, and signed.
fn card_stands(inquiry: &Inquiry, today: Date) -> Result<&OperatorStanding, Denial> {
    let operator = inquiry.operator.as_ref().ok_or(Denial::OperatorUnknown)?;
    if operator.revoked {
        return Err(Denial::CardRevoked);
    }
    if today < operator.from || operator.to < today {
        return Err(Denial::CardExpired);
    }
    if operator.organ != inquiry.asker {
        return Err(Denial::CardOfAnotherOrgan);
    }
    if !operator.signature_valid {
        return Err(Denial::SignatureInvalid);
    }
    Ok(operator)
}

/// S1 (通信を行うごとに): a request counts once and only around the moment it was made.
fn request_is_fresh(inquiry: &Inquiry) -> Result<(), Denial> {
    if inquiry.asked_at.distance_ms(inquiry.now) > ASKED_AT_SKEW_MS_MAX {
        return Err(Denial::RequestStale);
    }
    if inquiry.replayed { Err(Denial::RequestReplayed) } else { Ok(()) }
}

/// 法30条の30: provision outside the tables is forbidden, so the tables are the only source of a yes.
fn affair_of(
    epoch: Epoch,
    asker: &Organ,
    responder: &Organ,
    text: &str,
    channel: Channel,
    on: Date,
) -> Result<&'static Affair, Denial> {
    let id = AffairId::parse(text).map_err(|_| Denial::AffairUnknown)?;
    let affair = affair::find(epoch, &id).ok_or(Denial::AffairUnknown)?;
    if !recipient::tables(epoch, asker, responder).contains(&id.table())
        || !recipient::names(affair, asker)
    {
        return Err(Denial::AffairNotOfRecipient);
    }
    match channel {
        // S1: 「一括提供の場合も同様」. 令30条の7 allows line and medium for every table alike.
        Channel::Immediate | Channel::Batch => {}
    }
    if affair.in_force(on) { Ok(affair) } else { Err(Denial::AffairNotInForce) }
}

/// S1 (責任体制の確立): the center provides to an agency only under an agreement.
fn agreement_stands(inquiry: &Inquiry, today: Date) -> Result<(), Denial> {
    let Organ::Agency(agency) = inquiry.asker else { return Ok(()) };
    match &inquiry.agreement {
        Some(a) if a.agency == agency && a.from <= today && today <= a.to => Ok(()),
        _ => Err(Denial::AgreementMissing),
    }
}

/// 1 to 40 printable characters, not blanks alone.
fn is_case_number(text: &str) -> bool {
    let length = text.chars().take(CASE_NUMBER_CHARS_MAX + 1).count();
    (1..=CASE_NUMBER_CHARS_MAX).contains(&length)
        && !text.chars().any(is_forbidden)
        && !text.chars().all(char::is_whitespace)
}

/// Whether the tables give an affair to an agency on a day: the decision without card and query.
pub fn may(
    agency: &AgencyCode,
    affair: &str,
    channel: Channel,
    on: Date,
    epoch: Epoch,
) -> Result<&'static Affair, Denial> {
    affair_of(epoch, &Organ::Agency(*agency), &Organ::Center, affair, channel, on)
}

impl Permit {
    #[must_use]
    pub fn query(&self) -> &Query {
        &self.query
    }

    /// Turns what a store found into what may be told. Rows the query does not ask for are dropped,
    /// a person found twice counts once; more than fifty persons and nobody is told about
    /// (S1: 照会条件の限定). The number itself goes nowhere. Persons whom the affair does not reach
    /// ([`recipient::reaches`]) count among the fifty and are then as if they were not there.
    pub fn release(self, hits: Vec<Held>) -> Result<Release, Denial> {
        let mut matching: Vec<Held> = Vec::new();
        for held in hits {
            let known = matching.iter().any(|other| other.identity.code == held.identity.code);
            if known || !self.query.matches(&held.identity) {
                continue;
            }
            if matching.len() == PROVISION_PERSONS_MAX {
                return Err(Denial::MoreThan50);
            }
            matching.push(held);
        }
        let table = self.grounds.affair.id.table();
        matching.retain(|held| {
            recipient::reaches(table, &self.grounds.asker, &held.identity.municipality)
        });
        let items = self.items();
        let subjects = matching.iter().map(|held| held.identity.code).collect();
        let persons = matching.into_iter().map(|held| ProvidedPerson::of(held, items)).collect();
        Ok(Release { grounds: self.grounds, persons, subjects })
    }
}

impl Release {
    #[must_use]
    pub fn persons(&self) -> &[ProvidedPerson] {
        &self.persons
    }

    /// Whom the answer is about, one per person, in the order of [`Release::persons`]: each gets an
    /// entry in the list the resident can see.
    #[must_use]
    pub fn subjects(&self) -> &[RecordCode] {
        &self.subjects
    }
}
