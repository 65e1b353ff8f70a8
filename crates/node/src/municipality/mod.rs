//! A municipality's communication server (コミュニケーションサーバ, CS): keeps the identity information
//! of its residents, notifies every change to its prefecture, passes its operators' inquiries on.
//!
//! It holds nothing else of the register (S2 found gateways that held it whole).

mod arrivals;
mod departures;
mod feed;
mod pool;

use law::code::LocalGovernmentCode;
use law::time::Timestamp;
use wire::{NodeId, Reply, Request, Role};

use crate::forwarder::Forwarder;
use crate::machine::{CallFailure, CallId, Input, Machine, Peer, Ticket};
use crate::member::{Identity, Member};
use crate::outbox::Outbox;
use crate::ports::Reads;
use crate::queue::Sender;
use crate::reconcile::{Asking, COMPARE_EVERY_MS, Forest, Here, bounded};
use arrivals::Arrivals;
use departures::Departures;
use pool::Stock;

/// The municipality's machine.
#[derive(Debug)]
pub struct Municipality {
    member: Member,
    code: LocalGovernmentCode,
    forwarder: Forwarder,
    notices: Sender,
    arrivals: Arrivals,
    departures: Departures,
    stock: Stock,
    forest: Forest,
    asking: Asking,
}

impl Municipality {
    /// Start from what was kept. `prefecture` is the node that notices go to.
    #[must_use]
    pub fn new(
        identity: Identity,
        code: LocalGovernmentCode,
        prefecture: NodeId,
        reads: &dyn Reads,
    ) -> Self {
        let member = Member::new(identity, reads);
        Self {
            member,
            code,
            forwarder: Forwarder::default(),
            notices: Sender::new(prefecture),
            arrivals: Arrivals::default(),
            departures: Departures::default(),
            stock: Stock::new(reads),
            forest: Forest::new(COMPARE_EVERY_MS / 2),
            asking: Asking::new(COMPARE_EVERY_MS),
        }
    }

    /// Compare with the prefecture every `ms` milliseconds instead of every half minute.
    #[must_use]
    pub fn comparing_every(mut self, ms: u64) -> Self {
        self.forest = Forest::new(bounded(ms) / 2);
        self.asking = Asking::new(bounded(ms));
        self
    }

    fn requested(
        &mut self,
        now: Timestamp,
        (from, ticket): (&Peer, Ticket),
        request: Request,
        reads: &dyn Reads,
        out: &mut Outbox,
    ) {
        if !self.member.hears(from, request.kind()) {
            out.unavailable(ticket, "this is not said to a municipality");
            return;
        }
        match (from.role, request) {
            (Role::Terminal, Request::Inquiry(signed)) => {
                let asked = (&from.node, ticket);
                self.forwarder.inquired(&mut self.member, now, asked, signed, out);
            }
            (Role::Feed, Request::Feed(batch)) => self.fed(now, ticket, &batch, reads, out),
            (Role::Feed, Request::TakeCode(asked)) => {
                self.stock.taken(&mut self.member, now, (ticket, &asked), reads, out);
            }
            (Role::Municipality, Request::MoveClaim(claim)) => {
                self.claimed(now, (from, ticket), &claim, reads, out);
            }
            (Role::Center, Request::DirectoryPush(bytes)) => {
                self.member.directory_pushed(now, ticket, bytes, out);
            }
            _ => out.unavailable(ticket, "this is not said to a municipality"),
        }
    }

    fn replied(
        &mut self,
        now: Timestamp,
        call: CallId,
        outcome: Result<Reply, CallFailure>,
        reads: &dyn Reads,
        out: &mut Outbox,
    ) {
        if self.notices.owns(call) {
            self.notices.notified(&mut self.member, now, &outcome, reads, out);
            return;
        }
        if self.arrivals.owns(call) {
            self.claim_answered(now, call, &outcome, reads, out);
            return;
        }
        if self.asking.owns(call) {
            let here = Here { now, reads, to: &self.notices.to, vouched: &|_, _| true };
            self.asking.replied(&mut self.member, (&here, &self.forest), outcome, out);
            return;
        }
        if self.stock.owns(call) {
            self.stock.replied(&mut self.member, now, &outcome, reads, out);
            return;
        }
        if !self.member.replied(now, call, &outcome, out) {
            let _ = self.forwarder.replied(call, outcome, out);
        }
    }
}

impl Municipality {
    /// Go on comparing with the prefecture. A register that may be an older copy is no measure.
    fn compare(&mut self, now: Timestamp, reads: &dyn Reads, out: &mut Outbox) {
        self.forest.tick(now, reads);
        if !self.notices.is_disputed() {
            let here = Here { now, reads, to: &self.notices.to, vouched: &|_, _| true };
            let own = [self.code];
            self.asking.tick(&mut self.member, &here, (&mut self.forest, &own), out);
        }
    }
}

impl Machine for Municipality {
    fn handle(&mut self, now: Timestamp, input: Input, reads: &dyn Reads) -> Outbox {
        let mut out = Outbox::new();
        match input {
            Input::Request { from, ticket, request } => {
                self.requested(now, (&from, ticket), request, reads, &mut out);
            }
            Input::Reply { call, outcome } => self.replied(now, call, outcome, reads, &mut out),
            Input::Recorded(receipt) => {
                if let Some(receipt) = self.release_recorded(now, receipt, &mut out) {
                    let _ = self.forwarder.recorded(&mut self.member, now, receipt, &mut out);
                }
            }
            Input::Signed { sign, signature } => {
                let here = Here { now, reads, to: &self.notices.to, vouched: &|_, _| true };
                let signed = (sign, signature);
                if !self.asking.signed(&mut self.member, &here, signed, &mut out) {
                    self.release_signed(signed, reads, &mut out);
                }
            }
            Input::Drawn { draw, bytes } => {
                if !self.asking.drawn(now, (draw, &bytes), &mut self.forest) {
                    let _ = self.stock.drawn(now, (draw, &bytes), reads, &mut out);
                }
            }
            Input::Tick => {
                self.member.tick(now, reads, &mut out);
                self.notices.send_notices(&mut self.member, now, reads, &mut out);
                self.forwarder.tick(now, &mut out);
                self.claim(now, reads, &mut out);
                self.releases_tick(now, &mut out);
                let center = NodeId::center();
                self.stock.tick(&mut self.member, (now, center), reads, &mut out);
                self.compare(now, reads, &mut out);
            }
        }
        self.stock.written(reads, &mut out);
        self.forest.observe(out.writes(), reads);
        out
    }
}
