//! A dedicated exchange (専用交換装置): lets two nodes speak that the directory and the conversation
//! table allow, relays their ciphertext, and keeps nothing of it.
//!
//! This machine decides; the runner moves the bytes. Its store holds the directory and its own
//! administrative entries, never anything relayed.

use std::collections::BTreeMap;

use law::time::Timestamp;
use wire::connect::ConnectRequest;
use wire::conversation::may_connect;
use wire::directory::{Directory, MemberState};
use wire::{NodeId, Request, Role};

use crate::machine::{Input, Machine, Peer, Ticket};
use crate::member::{Identity, Member};
use crate::outbox::Outbox;
use crate::ports::Reads;

/// How far the clock of a connecting node may differ, milliseconds.
pub const CONNECT_SKEW_MS_MAX: u64 = 60_000;
/// Most connection nonces remembered; they are forgotten when their time is out of the window.
pub const NONCES_COUNT_MAX: usize = 1 << 20;

/// Where a permitted connection goes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// The target is attached here: dial it and splice.
    Deliver { address: String },
    /// The target is attached to another exchange: hand the same signed request on.
    PassOn { exchange: NodeId, address: String },
}

/// Why a connection is not relayed. Nothing of it is sent back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectRefusal {
    #[error("no valid directory is held")]
    NoDirectory,
    #[error("the caller is not in the directory")]
    UnknownCaller,
    #[error("the target is not in the directory")]
    UnknownTarget,
    #[error("the caller or the target is isolated")]
    Isolated,
    #[error("the connection request is not signed by the caller's key")]
    BadSignature,
    #[error("the connection request is too old or from the future")]
    Stale,
    #[error("the connection request was used before")]
    Replayed,
    #[error("these two roles have nothing to say to each other")]
    NoConversation,
    #[error("too many connections at once")]
    Busy,
}

/// Connection requests let through, against replay.
#[derive(Debug, Default)]
pub struct Gate {
    nonces: BTreeMap<(u64, [u8; 16]), ()>,
}

impl Gate {
    /// Decide on one connection request by this exchange's directory.
    pub fn route(
        &mut self,
        own: &NodeId,
        directory: &Directory,
        now: Timestamp,
        request: &ConnectRequest,
    ) -> Result<Route, ConnectRefusal> {
        if now >= directory.expires_at {
            return Err(ConnectRefusal::NoDirectory);
        }
        let from = directory.member(&request.from).ok_or(ConnectRefusal::UnknownCaller)?;
        let to = directory.member(&request.to).ok_or(ConnectRefusal::UnknownTarget)?;
        if [from, to].iter().any(|member| member.state != MemberState::Active) {
            return Err(ConnectRefusal::Isolated);
        }
        if now.0.abs_diff(request.at.0) > CONNECT_SKEW_MS_MAX {
            return Err(ConnectRefusal::Stale);
        }
        let message = request.signed_bytes();
        if !token::verify::p256(&from.public_key, &message, &request.signature) {
            return Err(ConnectRefusal::BadSignature);
        }
        if !may_connect(from.role, to.role) {
            return Err(ConnectRefusal::NoConversation);
        }
        self.remember(now, request)?;
        let exchange = to.exchange.as_ref().ok_or(ConnectRefusal::UnknownTarget)?;
        if exchange == own {
            return Ok(Route::Deliver { address: to.address.clone() });
        }
        let next = directory.member(exchange).ok_or(ConnectRefusal::UnknownTarget)?;
        Ok(Route::PassOn { exchange: next.id.clone(), address: next.address.clone() })
    }

    fn remember(
        &mut self,
        now: Timestamp,
        request: &ConnectRequest,
    ) -> Result<(), ConnectRefusal> {
        let oldest = now.0.saturating_sub(CONNECT_SKEW_MS_MAX);
        self.nonces = self.nonces.split_off(&(oldest, [0; 16]));
        if self.nonces.len() >= NONCES_COUNT_MAX {
            return Err(ConnectRefusal::Busy);
        }
        match self.nonces.insert((request.at.0, request.nonce), ()) {
            Some(()) => Err(ConnectRefusal::Replayed),
            None => Ok(()),
        }
    }
}

/// The exchange's machine: keeps its directory and reports to the center.
#[derive(Debug)]
pub struct Exchange {
    member: Member,
}

impl Exchange {
    /// Start from what was kept.
    #[must_use]
    pub fn new(identity: Identity, reads: &dyn Reads) -> Self {
        Self { member: Member::new(identity, reads) }
    }

    fn requested(
        &mut self,
        now: Timestamp,
        from: &Peer,
        ticket: Ticket,
        request: Request,
        out: &mut Outbox,
    ) {
        match (from.role, request) {
            (Role::Center, Request::DirectoryPush(bytes)) => {
                self.member.directory_pushed(now, ticket, bytes, out);
            }
            _ => out.unavailable(ticket, "this is not said to an exchange"),
        }
    }
}

impl Machine for Exchange {
    fn handle(&mut self, now: Timestamp, input: Input, reads: &dyn Reads) -> Outbox {
        let mut out = Outbox::new();
        match input {
            Input::Request { from, ticket, request } => {
                self.requested(now, &from, ticket, request, &mut out);
            }
            Input::Reply { call, outcome } => {
                let _ = self.member.replied(now, call, &outcome, &mut out);
            }
            Input::Recorded(_) | Input::Signed { .. } => {}
            Input::Tick => self.member.tick(now, reads, &mut out),
        }
        out
    }
}
