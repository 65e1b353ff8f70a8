//! A national agency's server (国の機関等サーバ): passes its operators' inquiries to the center.
//!
//! It holds no register and keeps no answer; its ledger says which card asked for which affair.

use law::time::Timestamp;
use wire::{Request, Role};

use crate::forwarder::Forwarder;
use crate::machine::{Input, Machine, Peer, Ticket};
use crate::member::{Identity, Member};
use crate::outbox::Outbox;
use crate::ports::Reads;

/// The agency's machine.
#[derive(Debug)]
pub struct Agency {
    member: Member,
    forwarder: Forwarder,
}

impl Agency {
    /// Start from what was kept.
    #[must_use]
    pub fn new(identity: Identity, reads: &dyn Reads) -> Self {
        Self { member: Member::new(identity, reads), forwarder: Forwarder::default() }
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
            out.unavailable(ticket, "this is not said to an agency");
            return;
        }
        match (from.role, request) {
            (Role::Terminal, Request::Inquiry(signed)) => {
                let asked = (&from.node, ticket);
                self.forwarder.inquired(&mut self.member, now, asked, signed, out);
            }
            (Role::Center, Request::DirectoryPush(bytes)) => {
                self.member.directory_pushed(now, ticket, bytes, out);
            }
            _ => out.unavailable(ticket, "this is not said to an agency"),
        }
    }
}

impl Machine for Agency {
    fn handle(&mut self, now: Timestamp, input: Input, reads: &dyn Reads) -> Outbox {
        let mut out = Outbox::new();
        match input {
            Input::Request { from, ticket, request } => {
                self.requested(now, &from, ticket, request, &mut out);
            }
            Input::Reply { call, outcome } => {
                if !self.member.replied(now, call, &outcome, &mut out) {
                    let _ = self.forwarder.replied(call, outcome, &mut out);
                }
            }
            Input::Recorded(receipt) => {
                let _ = self.forwarder.recorded(&mut self.member, now, receipt, &mut out);
            }
            Input::Signed { .. } | Input::Drawn { .. } => {}
            Input::Tick => {
                self.member.tick(now, reads, &mut out);
                self.forwarder.tick(now, &mut out);
            }
        }
        out
    }
}
