//! The card's program: what the chip of an operator card answers to each command.
//!
//! It enforces the order of S1's mutual authentication: the card proves itself, then the terminal,
//! then the operator by PIN, and only then is anything signed. No PIN is looked at before the
//! terminal has proved itself, so a thief's reader cannot even spend the tries. The session lives
//! in memory only and dies on reset, on SELECT and on every failed proof.
//!
//! It does not decide what an operator may ask: it signs any digest a terminal hands it within a
//! session. The contacts are not encrypted: terminal and reader are one machine.

use std::fmt;

use p256::ecdsa::SigningKey;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use law::organ::{CardClass, CardId, Organ};
use law::time::Date;

use crate::Dice;
use crate::card::apdu::{Command, Status, ins, respond};
use crate::card::image::{CardImage, OPERATOR_LABEL_BYTES_MAX, Opened, PinVault};
use crate::card::tlv::Fields;
use crate::card::{
    CARD_PIN_DIGITS_MAX, CARD_PIN_DIGITS_MIN, CARD_PIN_TRIES_MAX, CHALLENGE_BYTES, CardImageError,
    CertificateFault, EF_CERTIFICATE, EF_OPERATOR, OPERATOR_AID, OperatorCertificate,
    TerminalCertificate, card_proof, pad_pin, terminal_proof,
};
use crate::error::TokenError;
use crate::key::Token;
use crate::software::{draw_p256, p256_public, p256_sign_digest};
use crate::verify;

/// Signatures after one VERIFY. A full day at the counter is some hundreds; a stolen session stops.
pub const SESSION_SIGNATURES_MAX: u16 = 5_000;

/// Tags of the EXTERNAL AUTHENTICATE data field.
pub(crate) const TAG_TERMINAL_CERTIFICATE: u8 = 0x8a;
pub(crate) const TAG_TERMINAL_PROOF: u8 = 0x9e;

/// Why a card was not personalized.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PersonalizeError {
    /// The PIN is not 4 to 12 digits.
    #[error("a card PIN has 4 to 12 digits; choose another")]
    PinShape,
    /// The operator label is too long.
    #[error("the operator label is longer than {max} bytes; choose a shorter one")]
    LabelTooLong {
        /// Most bytes.
        max: usize,
    },
    /// The terminal authority's key is not a point of the curve.
    #[error("the terminal authority's public key is malformed; take it from the center's token")]
    AuthorityMalformed,
    /// The certificate could not be issued.
    #[error("the card certificate was not issued")]
    Certificate(#[from] CertificateFault),
    /// A key could not be made.
    #[error("the card's keys were not made")]
    Key(#[from] TokenError),
}

/// What a card is made for.
#[derive(Debug, Clone)]
pub struct CardProfile {
    /// The card's identifier.
    pub card: CardId,
    /// Whose operators use it.
    pub organ: Organ,
    /// The kind of card.
    pub class: CardClass,
    /// Words for the operator's screen, readable only after VERIFY.
    pub label: String,
    /// First day of use.
    pub from: Date,
    /// Last day of use.
    pub to: Date,
}

/// What has been proved since power-up.
enum Stage {
    Idle,
    Selected,
    CardProven {
        terminal_challenge: [u8; CHALLENGE_BYTES],
        card_challenge: Option<[u8; CHALLENGE_BYTES]>,
    },
    Mutual,
    Verified {
        key: Box<SigningKey>,
        signatures: u16,
    },
}

/// An operator card: a chip's memory and its session.
pub struct OperatorCard {
    image: CardImage,
    certificate: OperatorCertificate,
    auth_key: SigningKey,
    stage: Stage,
    current_file: Option<u8>,
    changed: bool,
}

impl fmt::Debug for OperatorCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OperatorCard(…)")
    }
}

impl OperatorCard {
    /// Makes a card: draws its two key pairs, has the center certify them, seals one under the PIN.
    ///
    /// # Errors
    /// For a PIN or label that does not fit, or when the issuer's token fails.
    pub fn personalize(
        profile: CardProfile,
        pin: &str,
        issuer: &dyn Token,
        terminal_authority: &[u8; 65],
        dice: Dice<'_>,
    ) -> Result<Self, PersonalizeError> {
        let pin = pad_pin(pin).ok_or(PersonalizeError::PinShape)?;
        let CardProfile { card, organ, class, label, from, to } = profile;
        if label.len() > OPERATOR_LABEL_BYTES_MAX {
            return Err(PersonalizeError::LabelTooLong { max: OPERATOR_LABEL_BYTES_MAX });
        }
        if verify::p256_point(terminal_authority) != Some(*terminal_authority) {
            return Err(PersonalizeError::AuthorityMalformed);
        }
        let sign_key = draw_p256(dice)?;
        let auth_key = draw_p256(dice)?;
        let sign_public = p256_public(&sign_key)?;
        let auth_public = p256_public(&auth_key)?;
        let certificate =
            OperatorCertificate { card, organ, class, sign_public, auth_public, from, to };
        let certificate_bytes = certificate.issue(issuer)?;
        let secret = Zeroizing::new(<[u8; 32]>::from(sign_key.to_bytes()));
        let vault = PinVault::seal(pin.as_slice(), &secret, &certificate_bytes, dice)
            .ok_or(TokenError::Malformed { what: "card key to seal" })?;
        let image = CardImage {
            certificate: certificate_bytes,
            label,
            terminal_authority: *terminal_authority,
            tries_left: CARD_PIN_TRIES_MAX,
            vault,
            auth_secret: Zeroizing::new(auth_key.to_bytes().into()),
        };
        Ok(Self::powered(image, certificate, auth_key, true))
    }

    /// A card from its image, powered up and without a session.
    ///
    /// # Errors
    /// When the bytes are not an intact image of this version.
    pub fn from_image(bytes: &[u8]) -> Result<Self, CardImageError> {
        let image = CardImage::decode(bytes)?;
        let bad = |part| CardImageError::Malformed { part };
        let certificate =
            OperatorCertificate::decode(&image.certificate).map_err(|_| bad("certificate"))?;
        let auth_key = SigningKey::from_slice(image.auth_secret.as_slice())
            .map_err(|_| bad("authentication key"))?;
        if p256_public(&auth_key).ok() != Some(certificate.auth_public) {
            return Err(bad("authentication key"));
        }
        Ok(Self::powered(image, certificate, auth_key, false))
    }

    const fn powered(
        image: CardImage,
        certificate: OperatorCertificate,
        auth_key: SigningKey,
        changed: bool,
    ) -> Self {
        let stage = Stage::Idle;
        Self { image, certificate, auth_key, stage, current_file: None, changed }
    }

    /// The memory to keep. It must be kept, with rights for its owner only, whenever
    /// [`OperatorCard::image_changed`] says so and before the response is handed on.
    #[must_use]
    pub fn image(&self) -> Vec<u8> {
        // Every field was bounded when the card was made or read, so encoding cannot fail.
        self.image.encode().unwrap_or_default()
    }

    /// Whether the memory differs from what was last kept.
    #[must_use]
    pub const fn image_changed(&self) -> bool {
        self.changed
    }

    /// Tells the card that its image has been kept.
    pub const fn image_kept(&mut self) {
        self.changed = false;
    }

    /// What the center certified: for the directory's row about this card.
    #[must_use]
    pub const fn certificate(&self) -> &OperatorCertificate {
        &self.certificate
    }

    /// Power off and on: the session dies, the memory stays.
    pub fn reset(&mut self) {
        self.stage = Stage::Idle;
        self.current_file = None;
    }

    /// Answers one command. Total: any bytes get a status.
    pub fn transmit(&mut self, apdu: &[u8], dice: Dice<'_>) -> Vec<u8> {
        match Command::parse(apdu).and_then(|command| self.execute(&command, dice)) {
            Ok(data) => respond(&data, Status::OK),
            Err(status) => respond(&[], status),
        }
    }

    fn execute(&mut self, command: &Command<'_>, dice: Dice<'_>) -> Result<Vec<u8>, Status> {
        if command.ins == ins::SELECT {
            return self.select(command);
        }
        if matches!(self.stage, Stage::Idle) {
            return Err(Status::CONDITIONS);
        }
        match command.ins {
            ins::READ_BINARY => self.read_binary(command),
            ins::INTERNAL_AUTHENTICATE => self.internal_authenticate(command),
            ins::GET_CHALLENGE => self.get_challenge(command, dice),
            ins::EXTERNAL_AUTHENTICATE => self.external_authenticate(command),
            ins::VERIFY => self.verify(command),
            ins::CHANGE_REFERENCE_DATA => self.change_reference_data(command, dice),
            ins::PERFORM_SECURITY_OPERATION => self.compute_signature(command),
            _ => Err(Status::UNKNOWN_INSTRUCTION),
        }
    }

    /// Selecting, even without success, ends the session.
    fn select(&mut self, command: &Command<'_>) -> Result<Vec<u8>, Status> {
        self.reset();
        if command.p1 != 0x04 || (command.p2 != 0x00 && command.p2 != 0x0c) {
            return Err(Status::WRONG_P1_P2);
        }
        if command.data != OPERATOR_AID {
            return Err(Status::NOT_FOUND);
        }
        self.stage = Stage::Selected;
        Ok(Vec::new())
    }

    /// The certificate is open to any reader; the operator's label only to a verified one.
    fn read_binary(&mut self, command: &Command<'_>) -> Result<Vec<u8>, Status> {
        no_data(command)?;
        let (file, offset) = if command.p1 & 0x80 == 0 {
            let file = self.current_file.ok_or(Status::CONDITIONS)?;
            (file, usize::from(u16::from_be_bytes([command.p1, command.p2])))
        } else {
            (command.p1 & 0x7f, usize::from(command.p2))
        };
        let verified = matches!(self.stage, Stage::Verified { .. });
        let content = match file {
            EF_CERTIFICATE => self.image.certificate.as_slice(),
            EF_OPERATOR if verified => self.image.label.as_bytes(),
            EF_OPERATOR => return Err(Status::SECURITY_STATUS),
            _ => return Err(Status::NOT_FOUND),
        };
        let rest = content.get(offset..).ok_or(Status::WRONG_OFFSET)?;
        let expected = command.expected.ok_or(Status::WRONG_LENGTH)?;
        let part = rest.get(..expected.min(rest.len())).unwrap_or_default().to_vec();
        self.current_file = Some(file);
        Ok(part)
    }

    fn internal_authenticate(&mut self, command: &Command<'_>) -> Result<Vec<u8>, Status> {
        parameters(command, 0x00, 0x00)?;
        let terminal_challenge: [u8; CHALLENGE_BYTES] =
            command.data.try_into().map_err(|_| Status::WRONG_LENGTH)?;
        room_for(command, 64)?;
        let digest = card_proof(&self.image.certificate, &terminal_challenge);
        let signature = p256_sign_digest(&self.auth_key, &digest);
        self.stage = Stage::CardProven { terminal_challenge, card_challenge: None };
        signature.map(Vec::from).map_err(|_| Status::MEMORY_FAILURE)
    }

    fn get_challenge(&mut self, command: &Command<'_>, dice: Dice<'_>) -> Result<Vec<u8>, Status> {
        parameters(command, 0x00, 0x00)?;
        no_data(command)?;
        if command.expected != Some(CHALLENGE_BYTES) {
            return Err(Status::WRONG_LENGTH);
        }
        let Stage::CardProven { card_challenge, .. } = &mut self.stage else {
            return Err(Status::CONDITIONS);
        };
        let mut challenge = [0; CHALLENGE_BYTES];
        dice(&mut challenge);
        if challenge == [0; CHALLENGE_BYTES] {
            return Err(Status::MEMORY_FAILURE);
        }
        *card_challenge = Some(challenge);
        Ok(challenge.to_vec())
    }

    /// One challenge, one try: whatever the outcome, the challenge is spent.
    fn external_authenticate(&mut self, command: &Command<'_>) -> Result<Vec<u8>, Status> {
        parameters(command, 0x00, 0x00)?;
        let Stage::CardProven { terminal_challenge, card_challenge: Some(card_challenge) } =
            self.stage
        else {
            return Err(Status::CONDITIONS);
        };
        self.stage = Stage::Selected;
        let mut fields = Fields::new(command.data);
        let certificate = fields.next(TAG_TERMINAL_CERTIFICATE).ok_or(Status::WRONG_DATA)?;
        let proof = fields.next_array(TAG_TERMINAL_PROOF).ok_or(Status::WRONG_DATA)?;
        fields.end().ok_or(Status::WRONG_DATA)?;
        let terminal = TerminalCertificate::verify(certificate, &self.image.terminal_authority)
            .map_err(|_| Status::AUTHENTICATION_FAILED)?;
        let message = terminal_proof(&self.image.certificate, &card_challenge, &terminal_challenge);
        if !verify::p256(&terminal.public_key, &message, &proof) {
            return Err(Status::AUTHENTICATION_FAILED);
        }
        self.stage = Stage::Mutual;
        Ok(Vec::new())
    }

    fn verify(&mut self, command: &Command<'_>) -> Result<Vec<u8>, Status> {
        parameters(command, 0x00, 0x01)?;
        self.require_mutual()?;
        if command.data.is_empty() {
            return match (&self.stage, self.image.tries_left) {
                (Stage::Verified { .. }, _) => Ok(Vec::new()),
                (_, 0) => Err(Status::BLOCKED),
                (_, left) => Err(Status::tries_left(left)),
            };
        }
        let key = self.try_pin(command.data)?;
        let key = SigningKey::from_slice(key.as_slice()).map_err(|_| Status::MEMORY_FAILURE)?;
        self.stage = Stage::Verified { key: Box::new(key), signatures: 0 };
        Ok(Vec::new())
    }

    /// Old and new PIN, each padded. The old one is asked for again even after VERIFY, so that a
    /// session left open does not lose its operator the card.
    fn change_reference_data(
        &mut self,
        command: &Command<'_>,
        dice: Dice<'_>,
    ) -> Result<Vec<u8>, Status> {
        parameters(command, 0x00, 0x01)?;
        self.require_mutual()?;
        let (old, new) =
            command.data.split_first_chunk::<CARD_PIN_DIGITS_MAX>().ok_or(Status::WRONG_LENGTH)?;
        let digits = padded_digits(new)?;
        if is_simple(digits) || bool::from(old.as_slice().ct_eq(new)) {
            return Err(Status::WRONG_DATA);
        }
        let secret = self.try_pin(old)?;
        self.image.vault = PinVault::seal(new, &secret, &self.image.certificate, dice)
            .ok_or(Status::MEMORY_FAILURE)?;
        self.changed = true;
        Ok(Vec::new())
    }

    /// Spends a try before it compares; a right PIN gives the tries back.
    fn try_pin(&mut self, padded: &[u8]) -> Result<Zeroizing<[u8; 32]>, Status> {
        // A block that cannot be a PIN is the terminal's mistake, not a guess.
        padded_digits(padded)?;
        let before = self.image.tries_left;
        let left = before.checked_sub(1).ok_or(Status::BLOCKED)?;
        self.image.tries_left = left;
        if !matches!(self.stage, Stage::Mutual) {
            self.stage = Stage::Mutual;
        }
        match self.image.vault.open(padded, &self.image.certificate) {
            Opened::Key(secret) => {
                self.image.tries_left = CARD_PIN_TRIES_MAX;
                self.changed |= before != CARD_PIN_TRIES_MAX;
                Ok(secret)
            }
            Opened::PinWrong => {
                self.changed = true;
                Err(Status::tries_left(left))
            }
            Opened::Damaged => {
                self.changed = true;
                Err(Status::MEMORY_FAILURE)
            }
        }
    }

    /// PSO: COMPUTE DIGITAL SIGNATURE over a digest made outside.
    fn compute_signature(&mut self, command: &Command<'_>) -> Result<Vec<u8>, Status> {
        parameters(command, 0x9e, 0x9a)?;
        let Stage::Verified { key, signatures } = &mut self.stage else {
            return Err(Status::SECURITY_STATUS);
        };
        let digest: [u8; 32] = command.data.try_into().map_err(|_| Status::WRONG_LENGTH)?;
        room_for(command, 64)?;
        if *signatures >= SESSION_SIGNATURES_MAX {
            self.stage = Stage::Mutual;
            return Err(Status::SECURITY_STATUS);
        }
        *signatures = signatures.saturating_add(1);
        p256_sign_digest(key, &digest).map(Vec::from).map_err(|_| Status::MEMORY_FAILURE)
    }

    const fn require_mutual(&self) -> Result<(), Status> {
        match self.stage {
            Stage::Mutual | Stage::Verified { .. } => Ok(()),
            Stage::Idle | Stage::Selected | Stage::CardProven { .. } => {
                Err(Status::SECURITY_STATUS)
            }
        }
    }
}

fn parameters(command: &Command<'_>, p1: u8, p2: u8) -> Result<(), Status> {
    if (command.p1, command.p2) == (p1, p2) { Ok(()) } else { Err(Status::WRONG_P1_P2) }
}

const fn no_data(command: &Command<'_>) -> Result<(), Status> {
    if command.data.is_empty() { Ok(()) } else { Err(Status::WRONG_LENGTH) }
}

fn room_for(command: &Command<'_>, bytes: usize) -> Result<(), Status> {
    match command.expected {
        Some(expected) if expected >= bytes => Ok(()),
        _ => Err(Status::WRONG_LENGTH),
    }
}

/// The digits of a padded PIN block.
fn padded_digits(block: &[u8]) -> Result<&[u8], Status> {
    if block.len() != CARD_PIN_DIGITS_MAX {
        return Err(Status::WRONG_LENGTH);
    }
    let length = block.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, padding) = block.split_at_checked(length).ok_or(Status::WRONG_DATA)?;
    if length < CARD_PIN_DIGITS_MIN || padding.iter().any(|byte| *byte != 0xff) {
        return Err(Status::WRONG_DATA);
    }
    Ok(digits)
}

/// Rules that implement 告示第334号 refuse simple passwords (睦沢町): one digit repeated, or a run. The
/// first PIN is the issuer's, and so is the care for it; this is about the operator's own choice.
fn is_simple(digits: &[u8]) -> bool {
    let steps = || digits.iter().zip(digits.iter().skip(1));
    steps().all(|(a, b)| a == b)
        || steps().all(|(a, b)| a.checked_add(1) == Some(*b))
        || steps().all(|(a, b)| b.checked_add(1) == Some(*a))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simple_pins_are_seen() {
        for simple in ["0000", "1234", "987654"] {
            assert!(is_simple(simple.as_bytes()), "{simple}");
        }
        for fine in ["1235", "0001", "2580"] {
            assert!(!is_simple(fine.as_bytes()), "{fine}");
        }
    }

    #[test]
    fn a_pin_block_is_digits_then_padding() {
        let block = pad_pin("0123").unwrap();
        assert_eq!(padded_digits(block.as_slice()), Ok(&b"0123"[..]));
        assert_eq!(padded_digits(b"0123"), Err(Status::WRONG_LENGTH));
        assert_eq!(padded_digits(b"012345678901"), Ok(&b"012345678901"[..]));
        assert_eq!(padded_digits(b"0123\xff\xff5\xff\xff\xff\xff\xff"), Err(Status::WRONG_DATA));
        assert_eq!(padded_digits(&[0xff; 12]), Err(Status::WRONG_DATA));
        assert!(pad_pin("123").is_none());
        assert!(pad_pin("1234567890123").is_none());
        assert!(pad_pin("12a4").is_none());
    }
}
