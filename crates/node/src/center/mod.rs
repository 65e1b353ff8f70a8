//! The national center (指定情報処理機関): holds the identity information of all residents, answers
//! agencies, prefectures and municipalities, signs the directory, watches the network, and hands
//! the prefectures their residents' disclosure data.

mod directory;
mod disclosure;
mod network;
mod pool;

use law::change::ChangeKind;
use law::code::LocalGovernmentCode;
use law::organ::Organ;
use law::time::Timestamp;
use ledger::receipt::Receipt;
use wire::{NodeId, NoticeBatch, RelayedNotice, Reply, Request, Role};

use crate::intake::Intake;
use crate::machine::{CallFailure, CallId, Input, Machine, Peer, Ticket};
use crate::member::{Identity, Member};
use crate::outbox::Outbox;
use crate::ports::Reads;
use crate::provider::Provider;
use crate::reconcile::{Answering, COMPARE_EVERY_MS, Forest, bounded};
use directory::Issuer;
use disclosure::Handover;
use network::Room;
use pool::Designator;

/// The center's machine.
#[derive(Debug)]
pub struct Center {
    member: Member,
    provider: Provider,
    issuer: Issuer,
    handover: Handover,
    room: Room,
    designator: Designator,
    forest: Forest,
    answering: Answering,
    tick_asked: bool,
}

impl Center {
    /// Start from what was kept.
    #[must_use]
    pub fn new(identity: Identity, reads: &dyn Reads) -> Self {
        Self {
            member: Member::new(identity, reads),
            provider: Provider::new(Organ::Center, reads),
            issuer: Issuer::default(),
            handover: Handover::default(),
            room: Room::default(),
            designator: Designator::default(),
            forest: Forest::new(COMPARE_EVERY_MS / 2),
            answering: Answering::default(),
            tick_asked: false,
        }
    }

    /// Read the register again as often as the prefectures compare, every `ms` milliseconds.
    #[must_use]
    pub fn comparing_every(mut self, ms: u64) -> Self {
        self.forest = Forest::new(bounded(ms) / 2);
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
            out.unavailable(ticket, "this is not said to the center");
            return;
        }
        match (from.role, request) {
            (Role::Prefecture, Request::Notices(batch)) => {
                self.notified(now, (from, ticket), &batch, reads, out);
            }
            (Role::Agency | Role::Municipality | Role::Prefecture, Request::Inquiry(signed)) => {
                let asked = (from, ticket);
                self.provider.inquired(&mut self.member, now, asked, &signed, reads, out);
            }
            (Role::Municipality, Request::PoolRequest(request)) => {
                self.designator.asked(now, (from, ticket), &request, reads, out);
            }
            (
                Role::Prefecture,
                request @ (Request::Compare(_) | Request::Suspicion(_) | Request::Repair(_)),
            ) => self.is_compared(now, (from, ticket), &request, reads, out),
            (_, Request::DirectoryFetch) => match self.member.signed_directory() {
                Some(signed) => out.give_directory(ticket, signed.to_vec()),
                None => out.unavailable(ticket, "no directory was issued yet"),
            },
            (_, Request::Heartbeat(beat)) => {
                self.room.reported(&self.member, now, &from.node, beat);
                out.heartbeat_ack(ticket);
            }
            (Role::Terminal, Request::StatusQuery(signed)) => {
                let asked = (from, ticket);
                self.room.asked(&mut self.member, now, asked, &signed, reads, out);
            }
            _ => out.unavailable(ticket, "this is not said to the center"),
        }
    }

    /// 法30条の11: the notices of a prefecture's own municipalities.
    fn notified(
        &mut self,
        now: Timestamp,
        (from, ticket): (&Peer, Ticket),
        batch: &NoticeBatch,
        reads: &dyn Reads,
        out: &mut Outbox,
    ) {
        let Some(Organ::Prefecture(area)) = from.organ else {
            out.unavailable(ticket, "the sender is no prefecture");
            return;
        };
        let recodes = |row: &RelayedNotice| row.notice.reason.kind() == ChangeKind::Code;
        if batch.notices.iter().any(recodes) {
            match self.handover.catch_up(reads, out) {
                Ok(true) => {}
                Ok(false) | Err(_) => {
                    out.unavailable(ticket, "what was provided is still being handed over");
                    return;
                }
            }
        }
        let belongs = |relayed: &RelayedNotice| {
            relayed.municipality.prefecture() == area
                && relayed.notice.record.municipality == relayed.municipality
        };
        let intake = Intake { from, onward: None, belongs: &belongs };
        intake.take(&mut self.member, now, ticket, batch, reads, out);
    }

    fn replied(
        &mut self,
        now: Timestamp,
        call: CallId,
        outcome: Result<Reply, CallFailure>,
        reads: &dyn Reads,
        out: &mut Outbox,
    ) {
        let answered = (call, &outcome);
        if !self.handover.replied(&mut self.member, now, answered, reads, out) {
            let _ = self.member.replied(now, call, &outcome, out);
        }
    }

    fn recorded(&mut self, receipt: Receipt, out: &mut Outbox) {
        let rest = self.provider.recorded(receipt, out);
        let _ = rest.and_then(|receipt| self.room.recorded(receipt, out));
        // What was just recorded may concern residents whose prefecture is to know: one tick for
        // all that this group recorded.
        if !self.tick_asked {
            self.tick_asked = true;
            out.again();
        }
    }

    fn tick(&mut self, now: Timestamp, reads: &dyn Reads, out: &mut Outbox) {
        self.tick_asked = false;
        self.issuer.tick(&mut self.member, now, out);
        self.handover.tick(&mut self.member, now, reads, out);
        self.member.forget_requests(now, out);
        self.forest.tick(now, reads);
    }
}

impl Center {
    /// A prefecture compares its municipalities' residents with what is held here (法30条の11).
    fn is_compared(
        &mut self,
        now: Timestamp,
        (from, ticket): (&Peer, Ticket),
        request: &Request,
        reads: &dyn Reads,
        out: &mut Outbox,
    ) {
        let speaks =
            |of: &LocalGovernmentCode| from.organ == Some(Organ::Prefecture(of.prefecture()));
        let withheld = &mut self.provider.withheld;
        let who = (from, ticket);
        match request {
            Request::Compare(asked) => {
                let here = (&mut self.forest, withheld);
                let _ = self.answering.compared(now, ticket, (asked, &speaks), here, out);
            }
            Request::Suspicion(asked) => {
                let here = (&self.forest, withheld, reads);
                Answering::suspected(&mut self.member, now, who, (asked, &speaks), here, out);
            }
            Request::Repair(signed) => {
                let here = (&self.forest, withheld, reads);
                Answering::repair(&mut self.member, now, who, (signed, &speaks), here, out);
            }
            _ => out.unavailable(ticket, "this is not said to the center"),
        }
    }
}

impl Machine for Center {
    fn handle(&mut self, now: Timestamp, input: Input, reads: &dyn Reads) -> Outbox {
        let mut out = Outbox::new();
        match input {
            Input::Request { from, ticket, request } => {
                self.requested(now, (&from, ticket), request, reads, &mut out);
            }
            Input::Reply { call, outcome } => self.replied(now, call, outcome, reads, &mut out),
            Input::Recorded(receipt) => self.recorded(receipt, &mut out),
            Input::Signed { sign, signature } => {
                self.issuer.signed(&mut self.member, now, (sign, signature), &mut out);
            }
            Input::Drawn { draw, bytes } => {
                let drawn = (draw, bytes.as_slice());
                let _ = self.designator.drawn(&mut self.member, now, drawn, reads, &mut out);
            }
            Input::Tick => self.tick(now, reads, &mut out),
        }
        pool::remember_given_up(&mut out);
        self.forest.observe(out.writes(), reads);
        out
    }
}

/// The prefecture server of an area.
pub(crate) fn prefecture_node(code: law::code::PrefectureCode) -> Option<NodeId> {
    NodeId::parse(&format!("prefecture-{code}")).ok()
}
