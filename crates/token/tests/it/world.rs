//! One small world with fixed dice: a center, a terminal, a card. Everything is a function of the
//! seed.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use law::organ::{CardClass, CardId, Organ};
use law::time::Date;
use token::card::{
    CardPortError, CardProfile, CardTrust, ImagePort, OperatorCard, TerminalCertificate,
    TerminalIdentity,
};
use token::{KeyName, SoftwareToken, Token};
use wire::NodeId;

pub(crate) const PIN: &str = "4629";
pub(crate) const NONCE: [u8; 16] = *b"terminal's nonce";

/// Dice for tests only: a keyed counter, so that streams of different names never meet.
pub(crate) fn dice(name: &'static str) -> impl FnMut(&mut [u8]) {
    use sha2::Digest as _;
    let mut counter = 0_u64;
    move |out: &mut [u8]| {
        for chunk in out.chunks_mut(32) {
            let block = sha2::Sha256::new()
                .chain_update(name)
                .chain_update(counter.to_be_bytes())
                .finalize();
            counter += 1;
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    }
}

pub(crate) fn day(text: &str) -> Date {
    Date::parse(text).unwrap()
}

pub(crate) fn software(name: &'static str, keys: &[KeyName]) -> Arc<dyn Token> {
    let file = SoftwareToken::create(keys, "1234", &mut dice(name)).unwrap();
    Arc::new(SoftwareToken::open(&file, "1234").unwrap())
}

pub(crate) fn p256(token: &dyn Token, key: KeyName) -> [u8; 65] {
    *token.public_key(key).unwrap().p256().unwrap()
}

pub(crate) struct World {
    pub(crate) center: Arc<dyn Token>,
    pub(crate) terminal: TerminalIdentity,
    pub(crate) trust: CardTrust,
}

pub(crate) fn profile() -> CardProfile {
    CardProfile {
        card: CardId::parse("132152-0007").unwrap(),
        organ: Organ::parse("municipality:132152").unwrap(),
        class: CardClass::RegisterBusiness,
        label: "市民課 窓口1".to_owned(),
        from: day("2026-04-01"),
        to: day("2029-03-31"),
    }
}

/// A terminal of Kunitachi, certified by this center.
pub(crate) fn terminal(center: &dyn Token, name: &'static str) -> TerminalIdentity {
    let token = software(name, &[KeyName::Node]);
    let certificate = TerminalCertificate {
        terminal: NodeId::parse("terminal-municipality-132152").unwrap(),
        organ: Organ::parse("municipality:132152").unwrap(),
        public_key: p256(&*token, KeyName::Node),
    };
    TerminalIdentity::new(certificate.issue(center).unwrap(), token).unwrap()
}

pub(crate) fn world() -> World {
    let center = software("center", &[KeyName::CardIssuer, KeyName::TerminalAuthority]);
    let terminal = terminal(&*center, "terminal");
    let trust = CardTrust::new(p256(&*center, KeyName::CardIssuer), day("2026-11-22"));
    World { center, terminal, trust }
}

impl World {
    pub(crate) fn card(&self) -> OperatorCard {
        let authority = p256(&*self.center, KeyName::TerminalAuthority);
        OperatorCard::personalize(profile(), PIN, &*self.center, &authority, &mut dice("card"))
            .unwrap()
    }
}

/// The images a port has kept, newest last.
pub(crate) type Kept = Rc<RefCell<Vec<Vec<u8>>>>;

/// A reader with a card in it.
pub(crate) type Reader =
    ImagePort<Box<dyn FnMut(&mut [u8])>, Box<dyn FnMut(&[u8]) -> Result<(), CardPortError>>>;

pub(crate) fn insert(card: OperatorCard) -> (Reader, Kept) {
    let kept = Kept::default();
    let keeper = Rc::clone(&kept);
    let persist = move |image: &[u8]| {
        keeper.borrow_mut().push(image.to_vec());
        Ok(())
    };
    (ImagePort::new(card, Box::new(dice("chip")), Box::new(persist)), kept)
}
