//! Bytes nobody meant: the card answers all of them, signs for none, and tells none of its secrets.

use proptest::prelude::*;
use token::card::apdu::{Command, ins};
use token::card::{
    CardPort, CardPortError, OPERATOR_AID, OperatorCard, OperatorCertificate, TerminalCertificate,
};

use crate::world::{NONCE, PIN, dice, insert, world};

/// Random APDUs per run.
const APDUS: usize = 100_000;

/// The card's private keys, as its dice gave them: signing key first, then authentication key.
fn secrets() -> [[u8; 32]; 2] {
    let mut dice = dice("card");
    let mut keys = [[0; 32]; 2];
    keys.iter_mut().for_each(|key| dice(key));
    keys
}

fn tells(response: &[u8], secrets: &[[u8; 32]]) -> bool {
    secrets.iter().any(|key| response.windows(8).any(|window| key.windows(8).any(|k| k == window)))
}

/// A signature answer: 64 bytes and success to a signing command.
fn is_signature(command: &[u8], response: &[u8]) -> bool {
    command.get(1) == Some(&ins::PERFORM_SECURITY_OPERATION) && response.ends_with(&[0x90, 0x00])
}

/// A random source good enough to mutate bytes with.
struct Walk(u64);

impl Walk {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 1).unwrap() % bound
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[3]
    }
}

/// What a well-meaning terminal would send, in no order at all.
fn plausible(walk: &mut Walk) -> Vec<u8> {
    let pin = *b"0000\xff\xff\xff\xff\xff\xff\xff\xff";
    let pins = [pin, pin].concat();
    let command = match walk.below(9) {
        0 => Command::new(ins::SELECT, 0x04, 0x0c, &OPERATOR_AID, None),
        1 => Command::new(ins::READ_BINARY, 0x81, walk.byte(), &[], Some(256)),
        2 => Command::new(ins::READ_BINARY, walk.byte(), walk.byte(), &[], Some(256)),
        3 => Command::new(ins::INTERNAL_AUTHENTICATE, 0, 0, &NONCE, Some(64)),
        4 => Command::new(ins::GET_CHALLENGE, 0, 0, &[], Some(16)),
        5 => Command::new(ins::EXTERNAL_AUTHENTICATE, 0, 0, &[0x8a; 200], None),
        6 => Command::new(ins::VERIFY, 0, 1, &pin, None),
        7 => Command::new(ins::CHANGE_REFERENCE_DATA, 0, 1, &pins, None),
        _ => Command::new(ins::PERFORM_SECURITY_OPERATION, 0x9e, 0x9a, &[7; 32], Some(64)),
    };
    command.encode().unwrap()
}

#[test]
fn a_hundred_thousand_random_commands_win_nothing() {
    let mut card = world().card();
    let image = card.image();
    let secrets = secrets();
    let mut chip = dice("chip");
    let mut walk = Walk(0x9e37_79b9_7f4a_7c15);
    let mut succeeded = 0_usize;
    for _ in 0..APDUS {
        let mut apdu = plausible(&mut walk);
        match walk.below(4) {
            0 => {
                let length = walk.below(300);
                apdu = (0..length).map(|_| walk.byte()).collect();
            }
            1 => {
                let at = walk.below(apdu.len());
                apdu[at] = walk.byte();
            }
            2 => apdu.truncate(walk.below(apdu.len() + 1)),
            _ => {}
        }
        let response = card.transmit(&apdu, &mut chip);
        assert!((2..=258).contains(&response.len()), "{apdu:02x?}");
        assert!(!is_signature(&apdu, &response), "{apdu:02x?}");
        assert!(!tells(&response, &secrets), "{apdu:02x?}");
        succeeded += usize::from(response.ends_with(&[0x90, 0x00]));
    }
    assert!(succeeded > APDUS / 20, "the walk reaches the card's states: {succeeded}");
    assert_eq!(card.image(), image, "not one try was spent, nothing was changed");
}

/// The oracle knows one rule: no signature unless the last VERIFY of this session was right.
#[test]
fn a_walk_with_a_real_login_in_it_signs_only_after_verify() {
    let world = world();
    let mut taped = Tape { port: insert(world.card()).0, tape: Vec::new() };
    token::card::login(&mut taped, &world.terminal, &world.trust, PIN, NONCE).unwrap();
    let login = taped.tape;

    let secrets = secrets();
    let mut walk = Walk(0x2545_f491_4f6c_dd1d);
    let mut signed = 0;
    for round in 0..60 {
        let mut card = OperatorCard::from_image(&world.card().image()).unwrap();
        // The same chip entropy as on the tape, so that its proof fits this card too.
        let mut chip = dice("chip");
        let mut verified = false;
        let cut = walk.below(login.len() + 1);
        let strays = (0..6).map(|_| plausible(&mut walk));
        let sign = Command::new(ins::PERFORM_SECURITY_OPERATION, 0x9e, 0x9a, &[7; 32], Some(64));
        let commands = login[..cut].iter().cloned().chain([sign.encode().unwrap()]).chain(strays);
        for apdu in commands {
            let response = card.transmit(&apdu, &mut chip);
            let done = response.ends_with(&[0x90, 0x00]);
            let data = apdu.len() > 5;
            match apdu[1] {
                ins::VERIFY if data => verified = done,
                ins::SELECT | ins::INTERNAL_AUTHENTICATE | ins::EXTERNAL_AUTHENTICATE => {
                    verified &= !done && apdu[1] != ins::SELECT;
                }
                // A wrong old PIN ends it; a malformed command changes nothing.
                ins::CHANGE_REFERENCE_DATA if response[0] == 0x63 => verified = false,
                _ => {}
            }
            assert!(!is_signature(&apdu, &response) || verified, "round {round}: {apdu:02x?}");
            assert!(!tells(&response, &secrets));
            signed += usize::from(is_signature(&apdu, &response));
        }
    }
    assert!(signed > 0, "some walks reach a signature");
}

/// Keeps every command that passes.
pub(crate) struct Tape<P> {
    pub(crate) port: P,
    pub(crate) tape: Vec<Vec<u8>>,
}

impl<P: CardPort> CardPort for Tape<P> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, CardPortError> {
        self.tape.push(command.to_vec());
        self.port.transmit(command)
    }
}

proptest! {
    #[test]
    fn certificates_and_images_of_any_bytes_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..400)
    ) {
        prop_assert!(OperatorCertificate::decode(&bytes).is_err());
        prop_assert!(TerminalCertificate::decode(&bytes).is_err());
        prop_assert!(OperatorCard::from_image(&bytes).is_err());
        prop_assert!(token::SoftwareToken::open(&bytes, "1234").is_err());
    }

    #[test]
    fn commands_that_parse_encode_to_the_same_bytes(
        bytes in prop::collection::vec(any::<u8>(), 0..300)
    ) {
        let mut bytes = bytes;
        if let Some(class) = bytes.first_mut() { *class = 0; }
        if let Ok(command) = Command::parse(&bytes) {
            prop_assert_eq!(command.encode().unwrap(), bytes);
        }
    }
}
