//! A dedicated exchange (専用交換装置): lets two nodes speak that the directory and the conversation
//! table allow, relays their ciphertext, and keeps nothing of it.
//!
//! This machine keeps its directory and reports to the center; whom to connect is judged and the
//! bytes are moved in the runner's relay, by that directory. Its store never holds anything
//! relayed.

use law::time::Timestamp;
use wire::{Request, Role};

use crate::machine::{Input, Machine, Peer, Ticket};
use crate::member::{Identity, Member};
use crate::outbox::Outbox;
use crate::ports::Reads;

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
        if !self.member.hears(from, request.kind()) {
            out.unavailable(ticket, "this is not said to an exchange");
            return;
        }
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
            Input::Recorded(_) | Input::Signed { .. } | Input::Drawn { .. } => {}
            Input::Tick => self.member.tick(now, reads, &mut out),
        }
        out
    }
}
