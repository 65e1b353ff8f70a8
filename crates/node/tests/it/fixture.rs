//! Names, keys and people of the small country. Everything follows from numbers; nothing is real.

use ed25519_dalek::Signer as _;
use law::affair::{AffairId, AgencyCode, Epoch, affairs, affairs_of, agencies};
use law::change::{ChangeNotice, ChangeReason};
use law::code::{LocalGovernmentCode, PrefectureCode, RecordCode};
use law::inquiry::{Agreement, Held};
use law::organ::{CardClass, CardId, Organ};
use law::people::{Address, BirthDate, FourItems, IdentityInformation, Kana, Name, Sex};
use law::query::QueryDraft;
use law::recipient;
use law::time::{Date, Timestamp};
use ledger::note::{NoteSigner, SignError, VerifierKey};
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use wire::directory::{
    DIRECTORY_SIGNING_PREFIX, DIRECTORY_VALID_MS, Directory, Member, MemberState, OperatorCardRow,
    SignedDirectory,
};
use wire::{
    InquiryBody, MoveClaim, NodeId, ReleaseBody, Role, SignedInquiry, SignedRelease, inquiry_digest,
};

pub(crate) const KUNITACHI: &str = "132152";
pub(crate) const MITAKA: &str = "132047";
pub(crate) const MATSUMOTO: &str = "202029";

/// Nine in the morning of 22 November 2026 in Japan.
pub(crate) const NOW: Timestamp = Timestamp(1_795_305_600_000);

pub(crate) fn id(text: &str) -> NodeId {
    NodeId::parse(text).unwrap()
}

pub(crate) fn town(code: &str) -> LocalGovernmentCode {
    LocalGovernmentCode::parse(code).unwrap()
}

pub(crate) fn area(number: u8) -> PrefectureCode {
    PrefectureCode::new(number).unwrap()
}

pub(crate) fn date(text: &str) -> Date {
    Date::parse(text).unwrap()
}

pub(crate) fn code(number: u64) -> RecordCode {
    RecordCode::from_ten_digits(number).unwrap()
}

/// A P-256 key that follows from a number.
pub(crate) struct Key(p256::ecdsa::SigningKey);

impl Key {
    pub(crate) fn new(number: u8) -> Self {
        Self(p256::ecdsa::SigningKey::from_slice(&[number; 32]).unwrap())
    }

    pub(crate) fn public(&self) -> [u8; 65] {
        self.0.verifying_key().to_sec1_point(false).as_bytes().try_into().unwrap()
    }

    pub(crate) fn sign_digest(&self, digest: &[u8; 32]) -> [u8; 64] {
        let signature: p256::ecdsa::Signature = self.0.sign_prehash(digest).unwrap();
        signature.to_bytes().into()
    }

    /// ECDSA over SHA-256 of a message, as a token signs.
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        use p256::ecdsa::signature::Signer as _;
        let signature: p256::ecdsa::Signature = self.0.sign(message);
        signature.to_bytes().into()
    }
}

pub(crate) fn directory_key() -> Key {
    Key::new(0x11)
}

/// The key of a node: what the directory pins and its releases are signed with.
pub(crate) fn node_key(node: &NodeId) -> Key {
    let sum = node.as_str().bytes().map(u32::from).sum::<u32>();
    Key::new(u8::try_from(sum % 150).unwrap() + 0x20)
}

/// The word of `from` that a resident may go to `to`; the moving-out says `left_on`.
pub(crate) fn release(number: u64, from: &str, to: &str, left_on: &str) -> SignedRelease {
    let body = ReleaseBody {
        code: code(number),
        from: town(from),
        to: town(to),
        left_on: date(left_on),
        released_at: NOW,
    };
    let key = node_key(&NodeId::municipality(&town(from)));
    let body = body.encode().unwrap();
    let signature = key.sign(&SignedRelease::signing_bytes(&body));
    SignedRelease { body, signature, public_key: key.public() }
}

/// That person `number` of [`notice`] moved in.
pub(crate) fn claim(number: u64, from: &str, to: &str) -> MoveClaim {
    let record =
        notice(ChangeReason::MovedIn, "2026-05-01", number, "東京都国立市東1", from).record;
    MoveClaim {
        code: record.code,
        name: record.items.name,
        birth: record.items.birth,
        from: town(from),
        to: town(to),
        moved_on: date("2026-05-01"),
    }
}

/// The signer of a node's ledger.
pub(crate) struct LedgerKey {
    key: ed25519_dalek::SigningKey,
    verifier: VerifierKey,
}

impl LedgerKey {
    pub(crate) fn of(node: &NodeId) -> Self {
        let mut seed = [7; 32];
        for (place, byte) in seed.iter_mut().zip(node.as_str().bytes()) {
            *place = byte;
        }
        let key = ed25519_dalek::SigningKey::from_bytes(&seed);
        let public = key.verifying_key().to_bytes();
        let verifier = VerifierKey::ed25519(&origin(node), &public).unwrap();
        Self { key, verifier }
    }
}

impl NoteSigner for LedgerKey {
    fn name(&self) -> &str {
        self.verifier.name()
    }

    fn verifier_key(&self) -> &VerifierKey {
        &self.verifier
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        Ok(self.key.sign(message).to_bytes())
    }
}

pub(crate) fn origin(node: &NodeId) -> String {
    format!("jukinet.example/{node}")
}

pub(crate) fn agency_code() -> AgencyCode {
    agencies(Epoch::Founding)[0].code
}

pub(crate) fn agency() -> Organ {
    Organ::Agency(agency_code())
}

/// An affair of the table that names this organ and is in force.
pub(crate) fn affair(table: u8, organ: &Organ) -> AffairId {
    if let Organ::Agency(code) = organ {
        return affairs_of(Epoch::Founding, code)[0].id;
    }
    let named = affairs(Epoch::Founding).iter().find(|affair| {
        affair.id.table() == table
            && recipient::names(affair, organ)
            && affair.in_force(NOW.date_in_japan())
    });
    named.unwrap().id
}

/// Each card: its name, key number, organ, class.
pub(crate) fn cards() -> Vec<(&'static str, u8, Organ, CardClass)> {
    let kunitachi = Organ::Municipality(town(KUNITACHI));
    let tokyo = Organ::Prefecture(area(13));
    vec![
        ("agency", 1, agency(), CardClass::InquiryOnly),
        ("agency-admin", 2, agency(), CardClass::SystemAdministration),
        ("agency-revoked", 3, agency(), CardClass::InquiryOnly),
        ("agency-expired", 4, agency(), CardClass::InquiryOnly),
        ("kunitachi", 5, kunitachi, CardClass::RegisterBusiness),
        ("tokyo", 6, tokyo, CardClass::InquiryOnly),
        ("tokyo-desk", 7, tokyo, CardClass::Disclosure),
        ("nagano-desk", 8, Organ::Prefecture(area(20)), CardClass::Disclosure),
        ("watch", 9, Organ::Center, CardClass::Observer),
    ]
}

pub(crate) fn card_key(card: &str) -> Key {
    let number = cards().iter().find(|row| row.0 == card).map_or(0x77, |row| row.1);
    Key::new(number)
}

fn card_row((name, number, organ, class): (&str, u8, Organ, CardClass)) -> OperatorCardRow {
    let ended = name.ends_with("expired");
    let affairs = [1, 2, 3, 4, 5].into_iter().filter(|table| {
        matches!(
            (table, &organ),
            (1, Organ::Agency(_)) | (2 | 4, Organ::Municipality(_)) | (3 | 5, Organ::Prefecture(_))
        )
    });
    OperatorCardRow {
        card: CardId::parse(name).unwrap(),
        organ,
        class,
        public_key: Key::new(number).public(),
        affairs: affairs.map(|table| affair(table, &organ)).collect(),
        revoked: name.ends_with("revoked"),
        from: date("2026-01-01"),
        to: date(if ended { "2026-06-30" } else { "2027-12-31" }),
    }
}

/// Every node of the country: name, role, organ.
pub(crate) fn nodes() -> Vec<(NodeId, Role, Option<Organ>)> {
    let mut list = vec![
        (id("agency-1"), Role::Agency, Some(agency())),
        (id("center"), Role::Center, Some(Organ::Center)),
        (id("exchange-national"), Role::Exchange, None),
    ];
    for code in [KUNITACHI, MITAKA, MATSUMOTO] {
        let organ = Organ::Municipality(town(code));
        list.push((id(&format!("municipality-{code}")), Role::Municipality, Some(organ)));
    }
    for number in [13, 20] {
        let organ = Organ::Prefecture(area(number));
        list.push((id(&format!("prefecture-{number}")), Role::Prefecture, Some(organ)));
    }
    list
}

pub(crate) fn directory(serial: u64, issued_at: Timestamp) -> Directory {
    let member = |(id, role, organ): (NodeId, Role, Option<Organ>)| {
        let pin = token::verify::pin(&node_key(&id).public());
        let exchange = (role != Role::Exchange).then(|| self::id("exchange-national"));
        let ledger_vkey = Some(LedgerKey::of(&id).verifier.to_string());
        let address = "127.0.0.1:1".to_owned();
        Member { id, role, organ, pin, address, exchange, state: MemberState::Active, ledger_vkey }
    };
    let agreement =
        Agreement { agency: agency_code(), from: date("2026-01-01"), to: date("2027-12-31") };
    Directory {
        serial,
        issued_at,
        expires_at: issued_at.plus_ms(DIRECTORY_VALID_MS),
        members: nodes().into_iter().map(member).collect(),
        operators: cards().into_iter().map(card_row).collect(),
        agreements: vec![agreement],
        epoch: Epoch::Founding,
    }
}

pub(crate) fn signed_by(key: &Key, directory: &Directory) -> Vec<u8> {
    let body = directory.encode().unwrap();
    let signature = key.sign(&[DIRECTORY_SIGNING_PREFIX, &body].concat());
    SignedDirectory { body, signature }.encode()
}

pub(crate) fn person(number: u64, name: &str, address: &str, town_code: &str) -> Held {
    Held { identity: identity(number, name, address, town_code), change: None, removed: false }
}

pub(crate) fn identity(
    number: u64,
    name: &str,
    address: &str,
    town_code: &str,
) -> IdentityInformation {
    IdentityInformation {
        code: code(number),
        items: FourItems {
            name: Name::parse(name).unwrap(),
            kana: Kana::parse("ジュウキ ハナコ").unwrap(),
            address: Address::parse(address).unwrap(),
            sex: Sex::Female,
            birth: BirthDate::parse("1985-04-01").unwrap(),
        },
        municipality: town(town_code),
        other_names: law::people::OtherNames::default(),
    }
}

/// A notice about the person with this number.
pub(crate) fn notice(
    reason: ChangeReason,
    on: &str,
    number: u64,
    address: &str,
    town_code: &str,
) -> ChangeNotice {
    let record = identity(number, &format!("住基 第{number}"), address, town_code);
    ChangeNotice { reason, changed_on: date(on), record, previous_code: None, foreign: false }
}

pub(crate) fn by_code(number: u64) -> QueryDraft {
    QueryDraft { code: Some(code(number).expose().to_owned()), ..QueryDraft::default() }
}

pub(crate) fn by_birth(name: &str, birth: &str, prefix: bool) -> QueryDraft {
    let (name, birth) = (Some(name.to_owned()), Some(birth.to_owned()));
    QueryDraft { name, birth, prefix, ..QueryDraft::default() }
}

/// An inquiry as a card would be asked to sign it.
pub(crate) fn body(organ: Organ, card: &str, request: u8, query: QueryDraft) -> InquiryBody {
    let (table, responder) = match organ {
        Organ::Municipality(code) => (2, Organ::Prefecture(code.prefecture())),
        Organ::Prefecture(_) => (3, Organ::Center),
        Organ::Agency(_) | Organ::Center => (1, Organ::Center),
    };
    InquiryBody {
        request: [request; 16],
        asked_at: NOW,
        terminal: id("terminal-1"),
        organ,
        card: CardId::parse(card).unwrap(),
        affair: affair(table, &organ).to_string(),
        case_number: "令8-第17号".to_owned(),
        channel: law::affair::Channel::Immediate,
        responder,
        query,
    }
}

pub(crate) fn sign(body: &InquiryBody) -> SignedInquiry {
    let bytes = body.encode();
    let digest = inquiry_digest(&bytes);
    let signature = card_key(body.card.as_str()).sign_digest(&digest).to_vec();
    SignedInquiry { body: bytes, signature }
}
