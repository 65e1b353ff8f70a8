//! Golden APDU transcripts: what crosses the contacts, as a text a reviewer reads.
//!
//! `JUKINET_GOLDEN=write` writes them anew; without it they are compared.

use std::fmt::Write as _;
use std::path::PathBuf;

use token::KeyName;
use token::card::apdu::{Command, Status, ins, split_response};
use token::card::{
    CardPort, CardPortError, CardTrust, OPERATOR_AID, TerminalIdentity, login, pin_change,
};

use crate::world::{NONCE, PIN, World, day, insert, p256, profile, software, terminal, world};

/// Writes down everything it passes on.
struct Recorder<P> {
    port: P,
    text: String,
    bytes: usize,
}

impl<P: CardPort> Recorder<P> {
    fn new(port: P, head: &str) -> Self {
        Self { port, text: format!("{head}\n"), bytes: 0 }
    }

    fn note(&mut self, note: &str) {
        writeln!(self.text, "\n# {note}").unwrap();
    }

    fn login(&mut self, terminal: &TerminalIdentity, trust: &CardTrust, pin: &str) {
        let outcome = match login(self, terminal, trust, pin, NONCE) {
            Ok(session) => {
                let signed = session.sign(self, [0x5a; 32]).map_or("did not sign", |_| "signed");
                format!("logged in as {} ({}) and {signed}", session.card, session.class.key())
            }
            Err(error) => error.to_string(),
        };
        writeln!(self.text, "= {outcome}").unwrap();
    }

    fn finish(mut self, name: &str) {
        writeln!(self.text, "\n# {} bytes over the contacts", self.bytes).unwrap();
        compare(name, &self.text);
    }
}

impl<P: CardPort> CardPort for Recorder<P> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, CardPortError> {
        let response = self.port.transmit(command)?;
        self.bytes += command.len() + response.len();
        let (data, status) = split_response(&response).unwrap();
        writeln!(self.text, "\n{}", name(command)).unwrap();
        dump(&mut self.text, "> ", command);
        if !data.is_empty() {
            dump(&mut self.text, "< ", data);
        }
        writeln!(self.text, "< {status} {}", meaning(status)).unwrap();
        Ok(response)
    }
}

fn name(command: &[u8]) -> &'static str {
    match command[1] {
        ins::SELECT => "SELECT operator application",
        ins::READ_BINARY if command[2] == 0x82 => "READ BINARY operator label",
        ins::READ_BINARY => "READ BINARY card certificate",
        ins::INTERNAL_AUTHENTICATE => "INTERNAL AUTHENTICATE: card, prove yourself",
        ins::GET_CHALLENGE => "GET CHALLENGE",
        ins::EXTERNAL_AUTHENTICATE => "EXTERNAL AUTHENTICATE: terminal certificate and proof",
        ins::VERIFY => "VERIFY PIN",
        ins::CHANGE_REFERENCE_DATA => "CHANGE REFERENCE DATA",
        ins::PERFORM_SECURITY_OPERATION => "PSO: COMPUTE DIGITAL SIGNATURE",
        _ => "unknown instruction",
    }
}

fn meaning(status: Status) -> String {
    match (status, status.as_tries_left()) {
        (_, Some(left)) => format!("wrong PIN, tries left: {left}"),
        (Status::OK, _) => "done".to_owned(),
        (Status::AUTHENTICATION_FAILED, _) => "authentication failed".to_owned(),
        (Status::SECURITY_STATUS, _) => "security status not satisfied".to_owned(),
        (Status::BLOCKED, _) => "blocked".to_owned(),
        (Status::CONDITIONS, _) => "conditions of use not satisfied".to_owned(),
        (Status::WRONG_DATA, _) => "wrong data".to_owned(),
        (Status::NOT_FOUND, _) => "not found".to_owned(),
        (status, _) => format!("{status:?}"),
    }
}

fn dump(text: &mut String, lead: &str, bytes: &[u8]) {
    for row in bytes.chunks(32) {
        let row: Vec<String> = row.iter().map(|byte| format!("{byte:02X}")).collect();
        writeln!(text, "{lead}{}", row.join(" ")).unwrap();
    }
}

fn compare(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden").join(name);
    if std::env::var_os("JUKINET_GOLDEN").is_some_and(|value| value == "write") {
        std::fs::write(&path, text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == text, "{name} differs; read it, then JUKINET_GOLDEN=write\n{text}");
}

fn recorder(world: &World, head: &str) -> Recorder<impl CardPort> {
    Recorder::new(insert(world.card()).0, head)
}

#[test]
fn login_and_signature() {
    let world = world();
    let head = "Login with the right PIN, then one signature over a digest.";
    let mut port = recorder(&world, head);
    port.login(&world.terminal, &world.trust, PIN);
    port.finish("login.txt");
}

#[test]
fn wrong_pin_thrice() {
    let world = world();
    let head = "Three wrong PINs; the fourth try, with the right one, finds the card blocked.";
    let mut port = recorder(&world, head);
    for pin in ["0000", "0000", "0000", PIN] {
        port.note(if pin == PIN { "right PIN" } else { "wrong PIN" });
        port.login(&world.terminal, &world.trust, pin);
    }
    port.finish("wrong-pin-thrice.txt");
}

#[test]
fn commands_out_of_order() {
    let world = world();
    let head = "Commands before their time: each is refused, and none spends a try.";
    let mut port = recorder(&world, head);
    let digest = [0x5a; 32];
    let pin = *b"4629\xff\xff\xff\xff\xff\xff\xff\xff";
    let sign = Command::new(ins::PERFORM_SECURITY_OPERATION, 0x9e, 0x9a, &digest, Some(64));
    let verify = Command::new(ins::VERIFY, 0x00, 0x01, &pin, None);
    let label = Command::new(ins::READ_BINARY, 0x82, 0x00, &[], Some(256));
    let challenge = Command::new(ins::GET_CHALLENGE, 0x00, 0x00, &[], Some(16));
    let select = Command::new(ins::SELECT, 0x04, 0x0c, &OPERATOR_AID, None);
    let prove = Command::new(ins::INTERNAL_AUTHENTICATE, 0x00, 0x00, &NONCE, Some(64));
    let show = Command::new(ins::EXTERNAL_AUTHENTICATE, 0x00, 0x00, &[0; 64], None);
    let mut send = |note: &str, commands: &[&Command<'_>]| {
        port.note(note);
        for command in commands {
            port.transmit(&command.encode().unwrap()).unwrap();
        }
    };
    send("nothing selected", &[&sign, &verify, &challenge]);
    send("selected, nothing proved", &[&select, &sign, &verify, &label, &challenge]);
    send("card proved, terminal not", &[&prove, &sign, &verify, &label, &show]);
    send("a challenge is good for one proof", &[&prove, &challenge, &show, &show]);
    port.finish("out-of-order.txt");
}

#[test]
fn unaccepted_terminal() {
    let world = world();
    let rogue_center = software("rogue", &[KeyName::TerminalAuthority]);
    let rogue = terminal(&*rogue_center, "rogue terminal");
    let head = "A terminal whose certificate the center did not sign.";
    let mut port = recorder(&world, head);
    port.login(&rogue, &world.trust, PIN);
    port.finish("wrong-terminal.txt");
}

#[test]
fn revoked_and_expired() {
    let world = world();
    let issuer = p256(&*world.center, KeyName::CardIssuer);
    let head = "A card that is revoked, and one past its last day: the PIN is never sent.";
    let mut port = recorder(&world, head);
    port.note("revoked");
    let revoked = CardTrust::new(issuer, day("2026-11-22")).revoking([profile().card]);
    port.login(&world.terminal, &revoked, PIN);
    port.note("expired");
    let expired = CardTrust::new(issuer, day("2029-04-01"));
    port.login(&world.terminal, &expired, PIN);
    port.finish("revoked-and-expired.txt");
}

#[test]
fn pin_changed() {
    let world = world();
    let head = "The operator changes the PIN: too simple, then accepted.";
    let mut port = recorder(&world, head);
    for new in ["1234", "937514"] {
        let change = (PIN, new);
        let outcome = pin_change(&mut port, &world.terminal, &world.trust, change, NONCE);
        let outcome = outcome.map_or_else(|error| error.to_string(), |()| "changed".to_owned());
        writeln!(port.text, "= {outcome}").unwrap();
    }
    port.finish("pin-change.txt");
}

/// The promise behind the goldens: a login is a few hundred bytes.
#[test]
fn a_login_stays_small() {
    let world = world();
    let mut port = Recorder::new(insert(world.card()).0, "");
    login(&mut port, &world.terminal, &world.trust, PIN, NONCE).unwrap();
    assert!(port.bytes <= 800, "{} bytes", port.bytes);
}
