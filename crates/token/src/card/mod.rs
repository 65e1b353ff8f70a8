//! The operator identification card (操作者識別カード): the card's own program, and the reader's side.
//!
//! S1: an operator reaches Juki-net only after card and terminal have authenticated each other, and
//! the kind of card bounds what the operator may do. Here is the card as an ISO 7816-4 program that
//! enforces the order of commands (`operator`), what it stores (`image`), the two certificates
//! (`certificate`), and the login a terminal performs (`reader`).
//!
//! Not here: what a card class may do (`law::organ`), whether a card stands in the center's
//! directory (`wire::directory`), PC/SC readers and card files (adapters of `jukinet`).

pub mod apdu;
mod certificate;
mod image;
mod operator;
mod port;
mod reader;
mod tlv;

pub use certificate::{
    CertificateFault, OperatorCertificate, TERMINAL_NAME_BYTES_MAX, TerminalCertificate,
};
pub use image::CardImageError;
pub use operator::{CardProfile, OperatorCard, PersonalizeError, SESSION_SIGNATURES_MAX};
pub use port::{CardPort, CardPortError, ImagePort};
pub use reader::{CardError, CardSession, CardTrust, TerminalIdentity, login, pin_change};

/// Application identifier: a proprietary one (F0…), because the real card's is not public.
pub const OPERATOR_AID: [u8; 6] = [0xf0, 0x4a, 0x55, 0x4b, 0x49, 0x01];
/// Fewest digits of a card PIN (ISO 9564).
pub const CARD_PIN_DIGITS_MIN: usize = 4;
/// Most digits of a card PIN (ISO 9564); also its padded length on the wire.
pub const CARD_PIN_DIGITS_MAX: usize = 12;
/// Wrong PINs before the card is blocked for good: three, as on the successor card.
pub const CARD_PIN_TRIES_MAX: u8 = 3;
/// Bytes of either side's challenge.
pub const CHALLENGE_BYTES: usize = 16;

/// Elementary files of the application, by short identifier.
pub(crate) const EF_CERTIFICATE: u8 = 1;
pub(crate) const EF_OPERATOR: u8 = 2;

/// What the card signs to prove itself: its certificate and the terminal's challenge.
pub(crate) fn card_proof(certificate: &[u8], terminal_challenge: &[u8]) -> [u8; 32] {
    let card = crate::verify::sha256(&[certificate]);
    crate::verify::sha256(&[b"jukinet/1 card-authentication\n", &card, terminal_challenge])
}

/// What the terminal signs to prove itself. Both challenges and the card are in it, so that a proof
/// made for one card or one session is worth nothing to another.
pub(crate) fn terminal_proof(
    certificate: &[u8],
    card_challenge: &[u8],
    terminal_challenge: &[u8],
) -> Vec<u8> {
    let card = crate::verify::sha256(&[certificate]);
    [b"jukinet/1 terminal-authentication\n".as_slice(), &card, card_challenge, terminal_challenge]
        .concat()
}

/// A PIN as it crosses the contacts: padded with FF, so that its length does not show.
pub(crate) fn pad_pin(pin: &str) -> Option<zeroize::Zeroizing<[u8; CARD_PIN_DIGITS_MAX]>> {
    let digits = pin.as_bytes();
    let fits = (CARD_PIN_DIGITS_MIN..=CARD_PIN_DIGITS_MAX).contains(&digits.len());
    if !fits || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut block = zeroize::Zeroizing::new([0xff; CARD_PIN_DIGITS_MAX]);
    block.iter_mut().zip(digits).for_each(|(to, from)| *to = *from);
    Some(block)
}
