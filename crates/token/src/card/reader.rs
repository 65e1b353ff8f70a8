//! The reader's side: how a terminal logs an operator in with a card, and has it sign.
//!
//! The terminal believes nothing the card says until the center's signature and the card's own
//! proof stand. It decides no rights: revocation and term are checked here only so that an operator
//! learns of them at the counter; the center checks them again at every inquiry.

use std::fmt;
use std::sync::Arc;

use law::organ::{CardClass, CardId, Organ};
use law::time::Date;

use crate::card::apdu::{Command, Status, ins, split_response};
use crate::card::certificate::OPERATOR_CERTIFICATE_BYTES_MAX;
use crate::card::operator::{TAG_TERMINAL_CERTIFICATE, TAG_TERMINAL_PROOF};
use crate::card::tlv::put;
use crate::card::{
    CHALLENGE_BYTES, CardPort, CardPortError, CertificateFault, EF_CERTIFICATE, EF_OPERATOR,
    OPERATOR_AID, OperatorCertificate, TerminalCertificate, card_proof, pad_pin, terminal_proof,
};
use crate::error::TokenError;
use crate::key::{KeyName, PublicKey, Token};
use crate::verify;

/// Why a login or a signature did not come about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CardError {
    /// The card did not prove that the center issued it.
    #[error("the card is not genuine: its {what} does not stand; keep the card and report it")]
    NotGenuine {
        /// Which proof failed.
        what: &'static str,
    },
    /// The card's term is over.
    #[error("the card's term ended on {to}; ask for a new card")]
    Expired {
        /// Its last day.
        to: Date,
    },
    /// The card's term has not begun.
    #[error("the card's term begins on {from}; use it from that day")]
    NotYetValid {
        /// Its first day.
        from: Date,
    },
    /// The card has been revoked.
    #[error("the card is revoked; hand it to the person in charge of cards")]
    Revoked,
    /// The card does not accept this terminal.
    #[error("the card refuses this terminal; have the terminal certified by the center")]
    TerminalRefused,
    /// Wrong PIN.
    #[error("the PIN is wrong, {left} tries left; a blocked card must be issued again")]
    PinWrong {
        /// Tries left, at least one.
        left: u8,
    },
    /// No tries left.
    #[error("the card is blocked after too many wrong PINs; have it issued again")]
    Blocked,
    /// Not 4 to 12 digits.
    #[error("a card PIN has 4 to 12 digits; enter it again")]
    PinShape,
    /// The new PIN is too simple, or is the old one.
    #[error("the new PIN is too simple or the old one; choose another")]
    PinTooSimple,
    /// The card lost the session: it was reset or taken out.
    #[error("the card's session has ended; log in again")]
    SessionEnded,
    /// The card is not an operator card.
    #[error("the card is not an operator card; insert an operator card")]
    NotAnOperatorCard,
    /// The card broke the protocol.
    #[error("the card answered {status} while {attempt}; report the card")]
    Unexpected {
        /// What was being attempted.
        attempt: &'static str,
        /// The status word.
        status: Status,
    },
    /// The card broke the form of the protocol.
    #[error("the card's answer while {attempt} is malformed; report the card")]
    Malformed {
        /// What was being attempted.
        attempt: &'static str,
    },
    /// The terminal's own token failed.
    #[error("the terminal could not prove itself to the card")]
    Terminal(#[source] TokenError),
    /// The reader failed.
    #[error("the card could not be reached")]
    Port(#[from] CardPortError),
}

/// What a terminal shows a card: its certificate, and the token that holds its node key.
#[derive(Clone)]
pub struct TerminalIdentity {
    certificate: Vec<u8>,
    token: Arc<dyn Token>,
}

impl fmt::Debug for TerminalIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TerminalIdentity(…)")
    }
}

impl TerminalIdentity {
    /// Pairs a certificate with the token whose `Node` key it is about.
    ///
    /// # Errors
    /// When the certificate is malformed or about another key.
    pub fn new(certificate: Vec<u8>, token: Arc<dyn Token>) -> Result<Self, CertificateFault> {
        let about = TerminalCertificate::decode(&certificate)?.public_key;
        if token.public_key(KeyName::Node)? != PublicKey::P256(about) {
            return Err(CertificateFault::KeyMismatch);
        }
        Ok(Self { certificate, token })
    }
}

/// What a terminal trusts when it looks at a card.
#[derive(Debug, Clone)]
pub struct CardTrust {
    issuer_public: [u8; 65],
    today: Date,
    revoked: Vec<CardId>,
}

impl CardTrust {
    /// Trusts the card issuer's key, on this day.
    #[must_use]
    pub const fn new(issuer_public: [u8; 65], today: Date) -> Self {
        Self { issuer_public, today, revoked: Vec::new() }
    }

    /// Names cards known to be revoked.
    #[must_use]
    pub fn revoking(mut self, cards: impl IntoIterator<Item = CardId>) -> Self {
        self.revoked.extend(cards);
        self
    }

    fn check(&self, bytes: &[u8]) -> Result<OperatorCertificate, CardError> {
        let certificate = OperatorCertificate::verify(bytes, &self.issuer_public)
            .map_err(|_| CardError::NotGenuine { what: "certificate" })?;
        if self.revoked.contains(&certificate.card) {
            return Err(CardError::Revoked);
        }
        if self.today > certificate.to {
            return Err(CardError::Expired { to: certificate.to });
        }
        if self.today < certificate.from {
            return Err(CardError::NotYetValid { from: certificate.from });
        }
        Ok(certificate)
    }
}

/// An operator logged in. The session itself lives in the card: take the card out and it is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardSession {
    /// The card.
    pub card: CardId,
    /// Its organ.
    pub organ: Organ,
    /// Its kind.
    pub class: CardClass,
    /// Verifies what it signs.
    pub public_key: [u8; 65],
    /// Words for the operator's screen.
    pub label: String,
}

impl CardSession {
    /// Has the card sign a SHA-256 digest. `verify::p256_digest` checks it.
    ///
    /// # Errors
    /// [`CardError::SessionEnded`] when the card was out of the reader since login.
    pub fn sign(&self, port: &mut dyn CardPort, digest: [u8; 32]) -> Result<[u8; 64], CardError> {
        const ATTEMPT: &str = "signing";
        let command = Command::new(ins::PERFORM_SECURITY_OPERATION, 0x9e, 0x9a, &digest, Some(64));
        let (data, status) = exchange(port, &command, ATTEMPT)?;
        match status {
            Status::OK => {}
            Status::SECURITY_STATUS | Status::CONDITIONS => return Err(CardError::SessionEnded),
            status => return Err(CardError::Unexpected { attempt: ATTEMPT, status }),
        }
        let signature = data.try_into().map_err(|_| CardError::Malformed { attempt: ATTEMPT })?;
        // Another card may have been put in since login.
        if !verify::p256_digest(&self.public_key, &digest, &signature) {
            return Err(CardError::NotGenuine { what: "signature" });
        }
        Ok(signature)
    }
}

/// Logs an operator in: genuine card, accepted terminal, right PIN. `nonce` must be fresh entropy.
///
/// # Errors
/// The first thing that does not stand, by name.
pub fn login(
    port: &mut dyn CardPort,
    terminal: &TerminalIdentity,
    trust: &CardTrust,
    pin: &str,
    nonce: [u8; CHALLENGE_BYTES],
) -> Result<CardSession, CardError> {
    let pin = pad_pin(pin).ok_or(CardError::PinShape)?;
    let certificate = authenticate(port, terminal, trust, nonce)?;
    let command = Command::new(ins::VERIFY, 0x00, 0x01, pin.as_slice(), None);
    let (_, status) = exchange(port, &command, "verifying the PIN")?;
    pin_outcome(status, "verifying the PIN")?;
    let label = String::from_utf8(read_file(port, EF_OPERATOR, "reading the operator label")?)
        .map_err(|_| CardError::Malformed { attempt: "reading the operator label" })?;
    let OperatorCertificate { card, organ, class, sign_public, .. } = certificate;
    Ok(CardSession { card, organ, class, public_key: sign_public, label })
}

/// Changes the PIN. The operator must log in again afterwards.
///
/// # Errors
/// As [`login`], and [`CardError::PinTooSimple`].
pub fn pin_change(
    port: &mut dyn CardPort,
    terminal: &TerminalIdentity,
    trust: &CardTrust,
    (old, new): (&str, &str),
    nonce: [u8; CHALLENGE_BYTES],
) -> Result<(), CardError> {
    const ATTEMPT: &str = "changing the PIN";
    let old = pad_pin(old).ok_or(CardError::PinShape)?;
    let new = pad_pin(new).ok_or(CardError::PinShape)?;
    authenticate(port, terminal, trust, nonce)?;
    let data = zeroize::Zeroizing::new([old.as_slice(), new.as_slice()].concat());
    let command = Command::new(ins::CHANGE_REFERENCE_DATA, 0x00, 0x01, &data, None);
    match exchange(port, &command, ATTEMPT)? {
        (_, Status::WRONG_DATA) => Err(CardError::PinTooSimple),
        (_, status) => pin_outcome(status, ATTEMPT),
    }
}

/// Card proves itself to terminal, terminal to card: S1's mutual authentication (相互認証).
fn authenticate(
    port: &mut dyn CardPort,
    terminal: &TerminalIdentity,
    trust: &CardTrust,
    nonce: [u8; CHALLENGE_BYTES],
) -> Result<OperatorCertificate, CardError> {
    let select = Command::new(ins::SELECT, 0x04, 0x0c, &OPERATOR_AID, None);
    match exchange(port, &select, "selecting the operator application")? {
        (_, Status::OK) => {}
        _ => return Err(CardError::NotAnOperatorCard),
    }
    let bytes = read_file(port, EF_CERTIFICATE, "reading the card certificate")?;
    let certificate = trust.check(&bytes)?;

    let prove = Command::new(ins::INTERNAL_AUTHENTICATE, 0x00, 0x00, &nonce, Some(64));
    let proof = expect_ok(port, &prove, "asking the card to prove itself")?;
    let genuine = <[u8; 64]>::try_from(proof).is_ok_and(|proof| {
        verify::p256_digest(&certificate.auth_public, &card_proof(&bytes, &nonce), &proof)
    });
    if !genuine {
        return Err(CardError::NotGenuine { what: "proof" });
    }

    let ask = Command::new(ins::GET_CHALLENGE, 0x00, 0x00, &[], Some(CHALLENGE_BYTES));
    let challenge = expect_ok(port, &ask, "asking for a challenge")?;
    if challenge.len() != CHALLENGE_BYTES {
        return Err(CardError::Malformed { attempt: "asking for a challenge" });
    }
    let proof = terminal
        .token
        .sign(KeyName::Node, &terminal_proof(&bytes, &challenge, &nonce))
        .map_err(CardError::Terminal)?;
    let mut data = Vec::new();
    put(&mut data, TAG_TERMINAL_CERTIFICATE, &terminal.certificate)
        .and_then(|()| put(&mut data, TAG_TERMINAL_PROOF, &proof))
        .ok_or(CardError::TerminalRefused)?;
    let show = Command::new(ins::EXTERNAL_AUTHENTICATE, 0x00, 0x00, &data, None);
    match exchange(port, &show, "proving the terminal to the card")? {
        (_, Status::OK) => Ok(certificate),
        _ => Err(CardError::TerminalRefused),
    }
}

const fn pin_outcome(status: Status, attempt: &'static str) -> Result<(), CardError> {
    match (status, status.as_tries_left()) {
        (Status::OK, _) => Ok(()),
        (Status::BLOCKED, _) | (_, Some(0)) => Err(CardError::Blocked),
        (_, Some(left)) => Err(CardError::PinWrong { left }),
        (status, None) => Err(CardError::Unexpected { attempt, status }),
    }
}

/// Reads a whole elementary file, in parts of 256 bytes.
fn read_file(
    port: &mut dyn CardPort,
    file: u8,
    attempt: &'static str,
) -> Result<Vec<u8>, CardError> {
    let first = Command::new(ins::READ_BINARY, 0x80 | file, 0x00, &[], Some(256));
    let mut content = expect_ok(port, &first, attempt)?;
    let mut full = content.len() == 256;
    while full && content.len() <= OPERATOR_CERTIFICATE_BYTES_MAX {
        let offset = u16::try_from(content.len()).map_err(|_| CardError::Malformed { attempt })?;
        let [p1, p2] = offset.to_be_bytes();
        let part =
            expect_ok(port, &Command::new(ins::READ_BINARY, p1, p2, &[], Some(256)), attempt)?;
        full = part.len() == 256;
        content.extend_from_slice(&part);
    }
    Ok(content)
}

fn expect_ok(
    port: &mut dyn CardPort,
    command: &Command<'_>,
    attempt: &'static str,
) -> Result<Vec<u8>, CardError> {
    match exchange(port, command, attempt)? {
        (data, Status::OK) => Ok(data),
        (_, status) => Err(CardError::Unexpected { attempt, status }),
    }
}

fn exchange(
    port: &mut dyn CardPort,
    command: &Command<'_>,
    attempt: &'static str,
) -> Result<(Vec<u8>, Status), CardError> {
    let bytes = zeroize::Zeroizing::new(command.encode().ok_or(CardError::Malformed { attempt })?);
    let response = port.transmit(&bytes)?;
    match split_response(&response) {
        Some((data, status)) => Ok((data.to_vec(), status)),
        None => Err(CardError::Malformed { attempt }),
    }
}
