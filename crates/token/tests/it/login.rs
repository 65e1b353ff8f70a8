//! Logging in with a card: what works, and every way it must not.

use law::organ::CardClass;
use token::card::{
    CardError, CardImageError, CardPort, CardPortError, CardTrust, CertificateFault, ImagePort,
    OperatorCard, OperatorCertificate, PersonalizeError, TerminalCertificate, TerminalIdentity,
    login, pin_change,
};
use token::{KeyName, verify};

use crate::fuzz::Tape;
use crate::world::{NONCE, PIN, day, dice, insert, p256, profile, software, terminal, world};

#[test]
fn an_operator_logs_in_and_the_center_can_verify_what_the_card_signed() {
    let world = world();
    let (mut port, _) = insert(world.card());
    let session = login(&mut port, &world.terminal, &world.trust, PIN, NONCE).unwrap();
    assert_eq!(session.card, profile().card);
    assert_eq!(session.organ, profile().organ);
    assert_eq!(session.class, CardClass::RegisterBusiness);
    assert_eq!(session.label, profile().label);
    let digest = [0x5a; 32];
    let signature = session.sign(&mut port, digest).unwrap();
    assert!(verify::p256_digest(&session.public_key, &digest, &signature));
    assert!(!verify::p256_digest(&session.public_key, &[0x5b; 32], &signature));
    assert_eq!(world.card().certificate().sign_public, session.public_key);
    assert_ne!(world.card().certificate().auth_public, session.public_key);
}

#[test]
fn the_session_dies_with_the_power() {
    let world = world();
    let (mut port, _) = insert(world.card());
    let session = login(&mut port, &world.terminal, &world.trust, PIN, NONCE).unwrap();
    port.reset();
    assert_eq!(session.sign(&mut port, [1; 32]), Err(CardError::SessionEnded));
}

#[test]
fn another_card_put_in_after_login_does_not_sign_for_the_first() {
    let world = world();
    let (mut port, _) = insert(world.card());
    let session = login(&mut port, &world.terminal, &world.trust, PIN, NONCE).unwrap();
    let authority = p256(&*world.center, KeyName::TerminalAuthority);
    let other = OperatorCard::personalize(
        profile(),
        PIN,
        &*world.center,
        &authority,
        &mut dice("another card"),
    );
    let (mut other, _) = insert(other.unwrap());
    login(&mut other, &world.terminal, &world.trust, PIN, NONCE).unwrap();
    let swapped = session.sign(&mut other, [1; 32]);
    assert_eq!(swapped, Err(CardError::NotGenuine { what: "signature" }));
}

#[test]
fn three_wrong_pins_block_the_card_for_good_across_power_and_storage() {
    let world = world();
    let (mut port, kept) = insert(world.card());
    let mut wrong = || login(&mut port, &world.terminal, &world.trust, "0000", NONCE);
    assert_eq!(wrong(), Err(CardError::PinWrong { left: 2 }));
    assert_eq!(wrong(), Err(CardError::PinWrong { left: 1 }));
    assert_eq!(wrong(), Err(CardError::Blocked));
    let image = kept.borrow().last().unwrap().clone();
    let (mut port, _) = insert(OperatorCard::from_image(&image).unwrap());
    let right = login(&mut port, &world.terminal, &world.trust, PIN, NONCE);
    assert_eq!(right, Err(CardError::Blocked));
}

#[test]
fn a_spent_try_is_kept_before_the_answer_leaves_and_a_right_pin_gives_it_back() {
    let world = world();
    let (mut port, kept) = insert(world.card());
    // The first command stores the newly made card.
    let before = kept.borrow().len();
    let _ = login(&mut port, &world.terminal, &world.trust, "0000", NONCE);
    assert!(kept.borrow().len() > before);
    let after_one = kept.borrow().last().unwrap().clone();
    // Pulling the card now saves nothing: the kept image knows of the try.
    let (mut port, kept) = insert(OperatorCard::from_image(&after_one).unwrap());
    let second = login(&mut port, &world.terminal, &world.trust, "0000", NONCE);
    assert_eq!(second, Err(CardError::PinWrong { left: 1 }));
    login(&mut port, &world.terminal, &world.trust, PIN, NONCE).unwrap();
    let restored = kept.borrow().last().unwrap().clone();
    let (mut port, _) = insert(OperatorCard::from_image(&restored).unwrap());
    let first_again = login(&mut port, &world.terminal, &world.trust, "0000", NONCE);
    assert_eq!(first_again, Err(CardError::PinWrong { left: 2 }));
}

#[test]
fn an_image_that_cannot_be_kept_withholds_the_answer_and_ends_the_session() {
    let world = world();
    let card = OperatorCard::from_image(&world.card().image()).unwrap();
    // The disk is full for the second image: the one that gives the tries back.
    let mut images = 0;
    let persist = |_: &[u8]| {
        images += 1;
        if images == 2 { Err(CardPortError::NotPersisted) } else { Ok(()) }
    };
    let mut port = ImagePort::new(card, dice("chip"), persist);
    let wrong = login(&mut port, &world.terminal, &world.trust, "0000", NONCE);
    assert_eq!(wrong, Err(CardError::PinWrong { left: 2 }));
    let right = login(&mut port, &world.terminal, &world.trust, PIN, NONCE);
    assert_eq!(right, Err(CardError::Port(CardPortError::NotPersisted)));
    let sign = [&[0x00, 0x2a, 0x9e, 0x9a, 0x20][..], &[1; 32], &[0x40]].concat();
    assert_eq!(port.transmit(&sign).unwrap(), [0x69, 0x85]);
}

#[test]
fn a_terminal_proof_of_an_earlier_session_is_refused() {
    let world = world();
    let (port, _) = insert(OperatorCard::from_image(&world.card().image()).unwrap());
    let mut taped = Tape { port, tape: Vec::new() };
    login(&mut taped, &world.terminal, &world.trust, PIN, NONCE).unwrap();
    let Tape { mut port, tape } = taped;
    port.reset();
    // Same card, same terminal nonce, even the right PIN: only the card's challenge is new.
    let answers: Vec<Vec<u8>> =
        tape.iter().map(|command| port.transmit(command).unwrap()).collect();
    let status = |ins: u8| {
        let at = tape.iter().position(|command| command[1] == ins).unwrap();
        answers[at].clone()
    };
    assert_eq!(status(0x82), [0x63, 0x00]);
    assert_eq!(status(0x20), [0x69, 0x82]);
}

#[test]
fn a_terminal_that_the_center_did_not_certify_gets_nowhere_and_spends_no_try() {
    let world = world();
    let (mut port, kept) = insert(OperatorCard::from_image(&world.card().image()).unwrap());
    let rogue_center = software("rogue", &[KeyName::TerminalAuthority]);
    let rogue = terminal(&*rogue_center, "rogue terminal");
    let refused = login(&mut port, &rogue, &world.trust, PIN, NONCE);
    assert_eq!(refused, Err(CardError::TerminalRefused));
    assert!(kept.borrow().is_empty(), "nothing changed in the card");
    let genuine = login(&mut port, &world.terminal, &world.trust, "0000", NONCE);
    assert_eq!(genuine, Err(CardError::PinWrong { left: 2 }));
}

#[test]
fn a_stolen_terminal_certificate_is_worth_nothing_without_its_key() {
    let world = world();
    let token = software("thief", &[KeyName::Node]);
    let certificate = TerminalCertificate {
        terminal: wire::NodeId::parse("terminal-municipality-132152").unwrap(),
        organ: profile().organ,
        public_key: p256(&*software("terminal", &[KeyName::Node]), KeyName::Node),
    };
    let stolen = certificate.issue(&*world.center).unwrap();
    let fault = TerminalIdentity::new(stolen, token).unwrap_err();
    assert_eq!(fault, CertificateFault::KeyMismatch);
}

#[test]
fn cards_that_are_forged_expired_early_or_revoked_are_named() {
    let world = world();
    let issuer = p256(&*world.center, KeyName::CardIssuer);
    let attempt = |trust: &CardTrust| {
        let (mut port, _) = insert(world.card());
        login(&mut port, &world.terminal, trust, PIN, NONCE).unwrap_err()
    };
    let on = |date| CardTrust::new(issuer, day(date));
    assert_eq!(attempt(&on("2029-04-01")), CardError::Expired { to: day("2029-03-31") });
    assert_eq!(attempt(&on("2026-03-31")), CardError::NotYetValid { from: day("2026-04-01") });
    let revoked = on("2026-11-22").revoking([profile().card]);
    assert_eq!(attempt(&revoked), CardError::Revoked);
    let other = software("another center", &[KeyName::CardIssuer]);
    let forged = CardTrust::new(p256(&*other, KeyName::CardIssuer), day("2026-11-22"));
    assert_eq!(attempt(&forged), CardError::NotGenuine { what: "certificate" });
}

#[test]
fn a_card_that_only_copied_a_certificate_is_not_genuine() {
    let world = world();
    let (real, _) = insert(world.card());
    let mut copy = Replay { real, from: 0x88 };
    let verdict = login(&mut copy, &world.terminal, &world.trust, PIN, NONCE);
    assert_eq!(verdict, Err(CardError::NotGenuine { what: "proof" }));
}

/// Passes commands on, but answers one instruction with 64 bytes of its own.
struct Replay<P> {
    real: P,
    from: u8,
}

impl<P: CardPort> CardPort for Replay<P> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, CardPortError> {
        if command[1] == self.from {
            return Ok([vec![7; 64], vec![0x90, 0x00]].concat());
        }
        self.real.transmit(command)
    }
}

#[test]
fn the_pin_changes_only_for_whoever_knows_it_and_never_to_a_simple_one() {
    let world = world();
    let (mut port, kept) = insert(world.card());
    let mut change =
        |old, new| pin_change(&mut port, &world.terminal, &world.trust, (old, new), NONCE);
    assert_eq!(change(PIN, "123456"), Err(CardError::PinTooSimple));
    assert_eq!(change(PIN, "0000"), Err(CardError::PinTooSimple));
    assert_eq!(change(PIN, PIN), Err(CardError::PinTooSimple));
    assert_eq!(change("0000", "93751"), Err(CardError::PinWrong { left: 2 }));
    assert_eq!(change(PIN, "937514682930"), Ok(()));
    let image = kept.borrow().last().unwrap().clone();
    let (mut port, _) = insert(OperatorCard::from_image(&image).unwrap());
    let old = login(&mut port, &world.terminal, &world.trust, PIN, NONCE);
    assert_eq!(old, Err(CardError::PinWrong { left: 2 }));
    let session = login(&mut port, &world.terminal, &world.trust, "937514682930", NONCE).unwrap();
    session.sign(&mut port, [2; 32]).unwrap();
}

#[test]
fn a_pin_that_cannot_be_one_is_refused_before_the_card_sees_it() {
    let world = world();
    let (mut port, _) = insert(world.card());
    for pin in ["", "123", "12a4", "1234567890123", "１２３４"] {
        let refused = login(&mut port, &world.terminal, &world.trust, pin, NONCE);
        assert_eq!(refused, Err(CardError::PinShape), "{pin}");
    }
    let authority = p256(&*world.center, KeyName::TerminalAuthority);
    let made =
        OperatorCard::personalize(profile(), "12", &*world.center, &authority, &mut dice("x"));
    assert_eq!(made.map(|_| ()), Err(PersonalizeError::PinShape));
}

#[test]
fn an_image_survives_storage_and_every_flipped_bit_is_noticed() {
    let image = world().card().image();
    assert_eq!(OperatorCard::from_image(&image).unwrap().image(), image);
    for at in 0..image.len() {
        let mut altered = image.clone();
        altered[at] ^= 0x10;
        assert!(OperatorCard::from_image(&altered).is_err(), "byte {at}");
    }
    for length in 0..image.len() {
        assert!(OperatorCard::from_image(&image[..length]).is_err(), "length {length}");
    }
    let refused = |bytes: &[u8]| OperatorCard::from_image(bytes).map(|_| ()).unwrap_err();
    assert_eq!(refused(b"JUKITOKN"), CardImageError::NotACard);
    let mut newer = image;
    newer[8] = 2;
    let version = CardImageError::UnsupportedVersion { found: 2, supported: 1 };
    assert_eq!(refused(&newer), version);
}

#[test]
fn neither_pin_nor_signing_key_stands_in_the_image() {
    let world = world();
    let image = world.card().image();
    // The signing key is the first thing the card draws.
    let mut secret = [0; 32];
    dice("card")(&mut secret);
    assert!(!image.windows(8).any(|window| window == &secret[..8]));
    assert!(!image.windows(4).any(|window| window == PIN.as_bytes()));
}

#[test]
fn a_certificate_altered_anywhere_is_refused() {
    let world = world();
    let issuer = p256(&*world.center, KeyName::CardIssuer);
    let certificate = world.card().certificate().clone();
    let bytes = certificate.issue(&*world.center).unwrap();
    assert_eq!(OperatorCertificate::verify(&bytes, &issuer), Ok(certificate.clone()));
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        assert!(OperatorCertificate::verify(&altered, &issuer).is_err(), "byte {at}");
    }
    let mut backwards = certificate;
    backwards.to = day("2026-03-31");
    assert_eq!(backwards.issue(&*world.center), Err(CertificateFault::TermEmpty));
}
