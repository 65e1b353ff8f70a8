//! An operator at a terminal: a card logged in, inquiries signed by it, replies taken only if they
//! belong to what was asked. Uses the same terminal machine as the shipped desk.

use std::path::Path;

use law::code::RecordCode;
use law::query::QueryDraft;
use node::terminal::{InquiryForm, Prepared, Terminal};
use token::card::{
    CardError, CardPortError, CardSession, CardTrust, ImagePort, OperatorCard, TerminalIdentity,
    login,
};
use wire::{Purpose, Request};

use super::country::TerminalFiles;
use super::place::{self, Way};
use super::{LiveError, clock, dice};

type Card = ImagePort<fn(&mut [u8]), fn(&[u8]) -> Result<(), CardPortError>>;

/// A logged-in operator, who logs in again when the card has signed as often as one PIN allows.
pub(crate) struct Operator {
    terminal: Terminal,
    identity: TerminalIdentity,
    card_issuer_key: [u8; 65],
    card: Card,
    pin: String,
    session: CardSession,
    affair: String,
    pub(crate) way: Way,
}

/// An inquiry with the card's signature, ready to go.
#[derive(Debug)]
pub(crate) struct Signed {
    pub(crate) request: Request,
    pub(crate) prepared: Prepared,
}

impl Operator {
    /// Opens the terminal, puts its ordinary operator's card in, logs it in.
    pub(crate) fn log_in(files: &TerminalFiles) -> Result<Self, LiveError> {
        Self::with_card(files, &files.card, &files.pin)
    }

    /// The same with another card in the reader.
    pub(crate) fn with_card(
        files: &TerminalFiles,
        card_file: &Path,
        pin_file: &Path,
    ) -> Result<Self, LiveError> {
        let place = place::terminal(&files.config)?;
        let image = std::fs::read(card_file).map_err(LiveError::file(card_file))?;
        let card = OperatorCard::from_image(&image)
            .map_err(|fault| LiveError::content(card_file, fault.to_string()))?;
        // A copy of the card, whose PIN is right: its memory does not change.
        let mut card: Card = ImagePort::new(card, dice::fill, |_| Ok(()));
        let identity = TerminalIdentity::new(place.certificate, place.token)
            .map_err(|fault| LiveError::content(&files.config, fault.to_string()))?;
        let card_issuer_key = place.card_issuer_key;
        let pin = place::pin(pin_file)?;
        let session = enter(&mut card, &identity, card_issuer_key, &pin)?;
        let mut terminal = Terminal::new(place.node, place.organ);
        terminal.card_entered(clock::now(), session.card.clone(), session.class);
        let affair = files.affairs.first().cloned().unwrap_or_default();
        let way = place.way;
        Ok(Self { terminal, identity, card_issuer_key, card, pin, session, affair, way })
    }

    /// Prepares an inquiry and has the card sign it.
    pub(crate) fn sign(&mut self, query: QueryDraft) -> Result<Signed, LiveError> {
        let case_number = "bench-1".to_owned();
        self.sign_form(InquiryForm { affair: self.affair.clone(), case_number, query })
    }

    /// Prepares an inquiry as it was filled in and has the card sign it.
    pub(crate) fn sign_form(&mut self, form: InquiryForm) -> Result<Signed, LiveError> {
        let prepared = self.terminal.inquiry(clock::now(), dice::array(), form)?;
        self.signed(prepared)
    }

    /// Prepares a look at the state of the network and has the card sign it.
    pub(crate) fn sign_status(&mut self) -> Result<Signed, LiveError> {
        let prepared = self.terminal.query(clock::now(), dice::array(), Purpose::NetworkStatus)?;
        self.signed(prepared)
    }

    /// Prepares a look at who got a resident's data and has the card sign it.
    pub(crate) fn sign_view(&mut self, code: RecordCode) -> Result<Signed, LiveError> {
        let purpose = Purpose::ResidentView { code, identified_by: "運転免許証".to_owned() };
        let prepared = self.terminal.query(clock::now(), dice::array(), purpose)?;
        self.signed(prepared)
    }

    fn signed(&mut self, prepared: Prepared) -> Result<Signed, LiveError> {
        let signature = match self.session.sign(&mut self.card, *prepared.digest()) {
            Err(CardError::SessionEnded) => {
                let (card, identity) = (&mut self.card, &self.identity);
                self.session = enter(card, identity, self.card_issuer_key, &self.pin)?;
                self.session.sign(&mut self.card, *prepared.digest())?
            }
            signed => signed?,
        };
        Ok(Signed { request: prepared.request(&signature), prepared })
    }
}

fn enter(
    card: &mut Card,
    identity: &TerminalIdentity,
    card_issuer_key: [u8; 65],
    pin: &str,
) -> Result<CardSession, CardError> {
    let trust = CardTrust::new(card_issuer_key, clock::now().date_in_japan());
    login(card, identity, &trust, pin, dice::array())
}
