//! A terminal at work: the card in its reader, one session, signed requests to its server, and
//! nothing kept. Used by the desk's process and by the commands that act as an operator.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use node::terminal::{InquiryForm, Outcome, Prepared, Terminal, TerminalFault};
use token::card::{CardError, CardSession, CardTrust, TerminalIdentity, login};
use wire::{NodeId, Purpose, Role};

use crate::card_file::{CardFile, InsertError};
use crate::config::TerminalConfig;
use crate::disk::{self, DiskError};
use crate::net::{
    Alarms, Book, CallFailure, Caller, CallerOptions, Identity, IdentityError, SessionLimits, Tls,
};
use crate::token_file::{self, TokenOpenError};
use crate::{clock, dice};

/// How long an operator waits for an answer before the terminal says that there is none.
pub const ANSWER_PATIENCE: Duration = Duration::from_secs(15);
/// Most bytes of a terminal's certificate.
const CERTIFICATE_BYTES_MAX: u64 = 4_096;

/// Why a terminal cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum TerminalError {
    #[error(transparent)]
    Token(#[from] TokenOpenError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("the terminal's certificate cannot be used: {0}")]
    Certificate(String),
    #[error(transparent)]
    Insert(#[from] InsertError),
    #[error(transparent)]
    Card(#[from] CardError),
    #[error(transparent)]
    Fault(#[from] TerminalFault),
    #[error(transparent)]
    Call(#[from] CallFailure),
}

/// One terminal with its way to its server.
pub struct Workplace {
    config: TerminalConfig,
    identity: TerminalIdentity,
    caller: Caller,
    terminal: Terminal,
    session: Option<(CardFile, CardSession)>,
}

impl std::fmt::Debug for Workplace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Workplace({})", self.config.place)
    }
}

impl Workplace {
    /// A terminal without a card.
    pub fn open(config: TerminalConfig) -> Result<Self, TerminalError> {
        let token = token_file::open(&config.token)?;
        let certificate = disk::read(&config.certificate, CERTIFICATE_BYTES_MAX)?;
        let shown = TerminalIdentity::new(certificate, Arc::clone(&token))
            .map_err(|fault| TerminalError::Certificate(fault.to_string()))?;
        let book = Book::new(Vec::new(), vec![config.server.entry()], clock::now);
        let caller = lan_caller(
            Role::Terminal,
            Identity::new(config.node.clone(), token)?,
            book,
            config.tls_profile,
        );
        let terminal = Terminal::new(config.node.clone(), config.organ);
        Ok(Self { config, identity: shown, caller, terminal, session: None })
    }

    #[must_use]
    pub fn config(&self) -> &TerminalConfig {
        &self.config
    }

    /// Put a card in, authenticate each to the other, verify the PIN (S1: 操作者識別カードと端末機との
    /// 間で相互認証を行って初めて起動する).
    pub fn log_in(&mut self, card: &Path, pin: &str) -> Result<&CardSession, TerminalError> {
        self.log_out();
        let mut file = CardFile::insert(card)?;
        let now = clock::now();
        let trust = CardTrust::new(self.config.card_issuer_key, now.date_in_japan());
        let session = login(&mut file, &self.identity, &trust, pin, dice::array())?;
        self.terminal.card_entered(now, session.card.clone(), session.class);
        let (_, session) = self.session.insert((file, session));
        Ok(session)
    }

    /// Take the card out: the session is over, here and in the card.
    pub fn log_out(&mut self) {
        self.terminal.card_left();
        self.session = None;
    }

    /// The card that the session is with.
    #[must_use]
    pub fn inserted(&self) -> Option<&Path> {
        self.session.as_ref().map(|(card, _)| card.path())
    }

    /// The session in force; a card pulled out or an idle time too long ends it.
    pub fn session(&mut self) -> Option<&CardSession> {
        let present = self.session.as_ref().is_some_and(|(card, _)| card.is_present());
        if !present || self.terminal.session(clock::now()).is_err() {
            self.log_out();
        }
        self.session.as_ref().map(|(_, session)| session)
    }

    /// Prepare and sign an inquiry; [`send`](Self::sender) it without holding the terminal.
    pub fn sign_inquiry(&mut self, form: InquiryForm) -> Result<Signed, TerminalError> {
        let prepared = self.terminal.inquiry(clock::now(), dice::array(), form)?;
        self.sign(prepared)
    }

    /// Prepare and sign a look at the network or at a resident's records.
    pub fn sign_query(&mut self, purpose: Purpose) -> Result<Signed, TerminalError> {
        let prepared = self.terminal.query(clock::now(), dice::array(), purpose)?;
        self.sign(prepared)
    }

    fn sign(&mut self, prepared: Prepared) -> Result<Signed, TerminalError> {
        let (card, session) = self.session.as_mut().ok_or(TerminalFault::NoSession)?;
        match session.sign(card, *prepared.digest()) {
            Ok(signature) => Ok(Signed { prepared, signature }),
            Err(error) => {
                self.log_out();
                Err(error.into())
            }
        }
    }

    /// The way to the server, free of the terminal's lock.
    #[must_use]
    pub fn sender(&self) -> Sender {
        Sender { caller: self.caller.clone(), server: self.config.server.node.clone() }
    }
}

/// A request as the card signed it.
#[derive(Debug)]
pub struct Signed {
    prepared: Prepared,
    signature: [u8; 64],
}

/// Sends signed requests.
#[derive(Clone, Debug)]
pub struct Sender {
    caller: Caller,
    server: NodeId,
}

impl Sender {
    /// Send, and take the reply only if it belongs to this request.
    pub async fn send(&self, signed: Signed) -> Result<Outcome, TerminalError> {
        let Signed { prepared, signature } = signed;
        let request = prepared.request(&signature);
        let reply = self.caller.call(&self.server, request, ANSWER_PATIENCE).await?;
        Ok(prepared.accept(reply)?)
    }
}

/// A caller that dials its own server on the LAN and nobody else.
#[must_use]
pub fn lan_caller(
    role: Role,
    identity: Identity,
    book: Arc<Book>,
    profile: crate::net::TlsProfile,
) -> Caller {
    let alarms = Arc::new(Alarms::default());
    let tls = Tls::new(profile, identity.clone(), Arc::clone(&book), alarms);
    Caller::new(CallerOptions {
        role,
        identity,
        tls,
        book,
        exchange: None,
        between_municipalities: SessionLimits::ONE_CALL,
        otherwise: SessionLimits::HELD,
    })
}
