//! A prefecture server (都道府県サーバ): holds the identity information of its area, passes notices on
//! to the center, answers its municipalities and itself, and shows residents who got what.

mod disclosure;

use law::code::{LocalGovernmentCode, PrefectureCode};
use law::organ::Organ;
use law::time::Timestamp;
use ledger::receipt::Receipt;
use wire::{InquiryBody, NodeId, NoticeBatch, RelayedNotice, Reply, Request, Role, SignedInquiry};

use crate::forwarder::Forwarder;
use crate::intake::Intake;
use crate::machine::{CallFailure, CallId, Input, Machine, Peer, Ticket};
use crate::member::{Identity, Member};
use crate::outbox::Outbox;
use crate::ports::Reads;
use crate::provider::Provider;
use crate::queue::Sender;
use crate::reconcile::{Answering, Asking, COMPARE_EVERY_MS, Forest, Here, bounded};
use disclosure::Desk;

/// The prefecture's machine.
#[derive(Debug)]
pub struct Prefecture {
    member: Member,
    code: PrefectureCode,
    provider: Provider,
    forwarder: Forwarder,
    desk: Desk,
    center: NodeId,
    notices: Sender,
    forest: Forest,
    answering: Answering,
    asking: Asking,
}

impl Prefecture {
    /// Start from what was kept.
    #[must_use]
    pub fn new(
        identity: Identity,
        code: PrefectureCode,
        center: NodeId,
        reads: &dyn Reads,
    ) -> Self {
        Self {
            member: Member::new(identity, reads),
            code,
            provider: Provider::new(Organ::Prefecture(code), reads),
            forwarder: Forwarder::default(),
            desk: Desk::default(),
            notices: Sender::new(center.clone()),
            center,
            forest: Forest::new(COMPARE_EVERY_MS / 2),
            answering: Answering::default(),
            asking: Asking::new(COMPARE_EVERY_MS),
        }
    }

    /// Compare with the center every `ms` milliseconds instead of every half minute.
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
            out.unavailable(ticket, "this is not said to a prefecture");
            return;
        }
        match (from.role, request) {
            (Role::Municipality, Request::Notices(batch)) => {
                self.notified(now, (from, ticket), &batch, reads, out);
            }
            (Role::Municipality, Request::Inquiry(signed)) => {
                let asked = (from, ticket);
                self.provider.inquired(&mut self.member, now, asked, &signed, reads, out);
            }
            (
                Role::Municipality,
                request @ (Request::Compare(_) | Request::Suspicion(_) | Request::Repair(_)),
            ) => self.is_compared(now, (from, ticket), &request, reads, out),
            (Role::Terminal, Request::Inquiry(signed)) => {
                self.own_terminal_asks(now, (from, ticket), signed, reads, out);
            }
            (Role::Terminal, Request::ViewQuery(signed)) => {
                let asked = (from, ticket);
                self.desk.asked(&mut self.member, self.code, now, asked, &signed, reads, out);
            }
            (Role::Center, Request::Disclosures(batch)) => {
                self.desk.taken_over(&mut self.member, now, (from, ticket), batch, reads, out);
            }
            (Role::Center, Request::DirectoryPush(bytes)) => {
                self.member.directory_pushed(now, ticket, bytes, out);
            }
            _ => out.unavailable(ticket, "this is not said to a prefecture"),
        }
    }

    /// 法30条の5: notices come from the municipalities of the prefecture's own area.
    fn notified(
        &mut self,
        now: Timestamp,
        (from, ticket): (&Peer, Ticket),
        batch: &NoticeBatch,
        reads: &dyn Reads,
        out: &mut Outbox,
    ) {
        let Some(Organ::Municipality(sender)) = from.organ else {
            out.unavailable(ticket, "the sender is no municipality");
            return;
        };
        if self.notices.is_disputed() {
            out.unavailable(ticket, "the queue to the center has to be settled first");
            return;
        }
        if self.notices.is_full(reads).unwrap_or(true) {
            out.unavailable(ticket, "too many notices wait for the center");
            return;
        }
        let area = self.code;
        let belongs = |relayed: &RelayedNotice| {
            relayed.municipality == sender
                && relayed.notice.record.municipality == sender
                && sender.prefecture() == area
        };
        let intake = Intake { from, onward: Some(&self.center), belongs: &belongs };
        intake.take(&mut self.member, now, ticket, batch, reads, out);
    }

    /// The prefecture's own operators: its own records (別表第五) here, all others at the center.
    fn own_terminal_asks(
        &mut self,
        now: Timestamp,
        (from, ticket): (&Peer, Ticket),
        signed: SignedInquiry,
        reads: &dyn Reads,
        out: &mut Outbox,
    ) {
        let here = InquiryBody::decode(&signed.body)
            .is_ok_and(|body| body.responder == Organ::Prefecture(self.code));
        if here {
            let asked = (from, ticket);
            self.provider.inquired(&mut self.member, now, asked, &signed, reads, out);
        } else {
            self.forwarder.inquired(&mut self.member, now, (&from.node, ticket), signed, out);
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
        if self.asking.owns(call) {
            let vouched =
                |forest: &Forest, of: &LocalGovernmentCode| self.answering.is_vouched(forest, of);
            let here = Here { now, reads, to: &self.center, vouched: &vouched };
            self.asking.replied(&mut self.member, (&here, &self.forest), outcome, out);
            return;
        }
        if !self.member.replied(now, call, &outcome, out) {
            let _ = self.forwarder.replied(call, outcome, out);
        }
    }

    fn recorded(&mut self, now: Timestamp, receipt: Receipt, out: &mut Outbox) {
        let rest = self.provider.recorded(receipt, out);
        let rest = rest.and_then(|receipt| self.desk.recorded(receipt, out));
        let _ = rest.and_then(|r| self.forwarder.recorded(&mut self.member, now, r, out));
    }
}

impl Prefecture {
    /// A municipality compares its own residents with what is held here (法30条の5).
    fn is_compared(
        &mut self,
        now: Timestamp,
        (from, ticket): (&Peer, Ticket),
        request: &Request,
        reads: &dyn Reads,
        out: &mut Outbox,
    ) {
        let area = self.code;
        let speaks = |of: &LocalGovernmentCode| {
            from.organ == Some(Organ::Municipality(*of)) && of.prefecture() == area
        };
        let withheld = &mut self.provider.withheld;
        match request {
            Request::Compare(asked) => {
                let here = (&mut self.forest, withheld);
                if self.answering.compared(now, ticket, (asked, &speaks), here, out) {
                    self.asking.nudge(now, &asked.municipality);
                }
            }
            Request::Suspicion(asked) => {
                let here = (&self.forest, withheld, reads);
                let who = (from, ticket);
                Answering::suspected(&mut self.member, now, who, (asked, &speaks), here, out);
            }
            Request::Repair(signed) => {
                let here = (&self.forest, withheld, reads);
                let who = (from, ticket);
                Answering::repair(&mut self.member, now, who, (signed, &speaks), here, out);
            }
            _ => out.unavailable(ticket, "this is not said to a prefecture"),
        }
    }

    /// Go on comparing with the center, municipality by municipality.
    fn compare(&mut self, now: Timestamp, reads: &dyn Reads, out: &mut Outbox) {
        self.forest.tick(now, reads);
        if self.notices.is_disputed() {
            return;
        }
        let members = self.member.directory.iter().flat_map(|directory| &directory.members);
        let own = members.filter_map(|member| match member.organ {
            Some(Organ::Municipality(of)) if of.prefecture() == self.code => Some(of),
            _ => None,
        });
        let own: Vec<LocalGovernmentCode> = own.collect();
        let vouched =
            |forest: &Forest, of: &LocalGovernmentCode| self.answering.is_vouched(forest, of);
        let here = Here { now, reads, to: &self.center, vouched: &vouched };
        self.asking.tick(&mut self.member, &here, (&mut self.forest, &own), out);
    }
}

impl Machine for Prefecture {
    fn handle(&mut self, now: Timestamp, input: Input, reads: &dyn Reads) -> Outbox {
        let mut out = Outbox::new();
        match input {
            Input::Request { from, ticket, request } => {
                self.requested(now, (&from, ticket), request, reads, &mut out);
            }
            Input::Reply { call, outcome } => self.replied(now, call, outcome, reads, &mut out),
            Input::Recorded(receipt) => self.recorded(now, receipt, &mut out),
            Input::Signed { sign, signature } => {
                let vouched = |forest: &Forest, of: &LocalGovernmentCode| {
                    self.answering.is_vouched(forest, of)
                };
                let here = Here { now, reads, to: &self.center, vouched: &vouched };
                let signed = (sign, signature);
                let _ = self.asking.signed(&mut self.member, &here, signed, &mut out);
            }
            Input::Drawn { draw, bytes } => {
                let _ = self.asking.drawn(now, (draw, &bytes), &mut self.forest);
            }
            Input::Tick => {
                self.member.tick(now, reads, &mut out);
                self.notices.send_notices(&mut self.member, now, reads, &mut out);
                self.forwarder.tick(now, &mut out);
                self.member.forget_requests(now, &mut out);
                self.compare(now, reads, &mut out);
            }
        }
        self.forest.observe(out.writes(), reads);
        out
    }
}
