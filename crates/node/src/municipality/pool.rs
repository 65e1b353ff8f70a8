//! The municipality's pool of designated record codes (法30条の2第2項): asks the center for more before
//! it is empty, gives the existing register system one unused code at a time, and none twice.

use law::code::RecordCode;
use law::pool::wanted;
use law::time::Timestamp;
use ledger::entry::EntryKind;
use wire::{CodeTaken, NodeId, PoolRequest, Reply, TakeCode};

use crate::machine::{CallFailure, CallId, DrawId, Ticket};
use crate::member::{CALL_LOST_MS, Member};
use crate::outbox::Outbox;
use crate::ports::{Looked, ReadError, Reads, Space, Write};
use law::change::ChangeKind;

/// How often the pool is looked at, milliseconds.
const LOOK_EVERY_MS: u64 = 10_000;
/// First look after the start: the center and the directory come first.
const FIRST_LOOK_MS: u64 = 2_000;
/// Wait after an answer that brought nothing, milliseconds.
const RETRY_WAIT_MS: u64 = 5_000;
/// Codes of one request: as many as the center writes without keeping others waiting.
pub(crate) const REQUEST_CODES_COUNT_MAX: usize = 1_000;
/// Codes looked at before one is given out: those in use already are dropped on the way.
const TRIES_COUNT_MAX: usize = 16;
/// The one draw of this module.
const REQUEST_DRAW: DrawId = DrawId(1 << 33);
/// Where the request under way is kept, among what was given out.
const UNDER_WAY: &[u8] = b"pool-request";

/// The municipality's side of the pools.
#[derive(Debug, Default)]
pub(super) struct Stock {
    /// Codes in the pool, once counted.
    left: Option<u64>,
    under_way: Option<PoolRequest>,
    in_flight: Option<(CallId, Timestamp)>,
    drawing: bool,
    next_look: Option<Timestamp>,
}

impl Stock {
    /// Take up a request that was under way: its answer may be kept at the center.
    pub(super) fn new(reads: &dyn Reads) -> Self {
        let kept = reads.fact(Space::Issued, UNDER_WAY).ok().flatten();
        let under_way = kept.as_deref().and_then(request_from);
        Self { under_way, ..Self::default() }
    }

    /// Look whether the pool runs low.
    pub(super) fn tick(
        &mut self,
        member: &mut Member,
        (now, center): (Timestamp, NodeId),
        reads: &dyn Reads,
        out: &mut Outbox,
    ) {
        let due = *self.next_look.get_or_insert_with(|| now.plus_ms(FIRST_LOOK_MS));
        if self.in_flight.is_some_and(|(_, until)| now >= until) {
            self.in_flight = None;
        }
        if now < due || self.in_flight.is_some() || self.drawing {
            return;
        }
        self.next_look = Some(now.plus_ms(LOOK_EVERY_MS));
        if let Some(request) = &self.under_way {
            let call = member.call_id();
            self.in_flight = Some((call, now.plus_ms(CALL_LOST_MS)));
            out.ask_for_codes(call, center, request.clone());
            return;
        }
        if matches!(self.lacking(reads), Ok(Some(_))) {
            self.drawing = true;
            out.draw(REQUEST_DRAW, 16);
        }
    }

    /// How many codes to ask for now.
    fn lacking(&mut self, reads: &dyn Reads) -> Looked<Option<usize>> {
        let left = match self.left {
            Some(left) => left,
            None => *self.left.insert(reads.facts_count(Space::Pool)?),
        };
        let lacking = wanted(reads.residents_count()?, left);
        Ok(lacking.map(|count| count.min(REQUEST_CODES_COUNT_MAX)))
    }

    /// A number for the next request. `false`: it was drawn for somebody else.
    pub(super) fn drawn(
        &mut self,
        now: Timestamp,
        (draw, bytes): (DrawId, &[u8]),
        reads: &dyn Reads,
        out: &mut Outbox,
    ) -> bool {
        if draw != REQUEST_DRAW {
            return false;
        }
        self.drawing = false;
        let lacking = self.lacking(reads).ok().flatten();
        let count = lacking.and_then(|count| u32::try_from(count).ok());
        if let (Some(count), Ok(request)) = (count, <[u8; 16]>::try_from(bytes)) {
            let value = [request.as_slice(), &count.to_be_bytes()].concat();
            out.write(Write::PutFact { space: Space::Issued, key: UNDER_WAY.to_vec(), value });
            self.under_way = Some(PoolRequest { request, count });
            self.next_look = Some(now);
            out.again();
        }
        true
    }

    pub(super) fn owns(&self, call: CallId) -> bool {
        self.in_flight.is_some_and(|(in_flight, _)| in_flight == call)
    }

    /// The center's answer.
    pub(super) fn replied(
        &mut self,
        member: &mut Member,
        now: Timestamp,
        outcome: &Result<Reply, CallFailure>,
        reads: &dyn Reads,
        out: &mut Outbox,
    ) {
        self.in_flight = None;
        self.next_look = Some(now.plus_ms(RETRY_WAIT_MS));
        let Ok(Reply::Pool(pool)) = outcome else { return };
        if self.under_way.as_ref().is_none_or(|asked| asked.request != pool.request) {
            return;
        }
        let mut taken_in = 0;
        for code in &pool.codes {
            // Of another's making, or ours: a code in use is no unused code.
            match reads.resident(code) {
                Ok(None) => {}
                Ok(Some(_)) => continue,
                Err(_) => return,
            }
            taken_in += 1;
            out.write(Write::PutFact { space: Space::Pool, key: key(code), value: key(code) });
        }
        out.write(Write::DropFact { space: Space::Issued, key: UNDER_WAY.to_vec() });
        self.under_way = None;
        self.left = None;
        self.next_look = Some(now);
        let entry = member.entry(EntryKind::CodesReceived, now).count(taken_in);
        member.note(entry, out);
        out.again();
    }

    /// The existing register system takes a code for a resident who has none.
    pub(super) fn taken(
        &mut self,
        member: &mut Member,
        now: Timestamp,
        (ticket, asked): (Ticket, &TakeCode),
        reads: &dyn Reads,
        out: &mut Outbox,
    ) {
        let mut staged = Outbox::new();
        match self.take(asked, reads, &mut staged) {
            Ok(Some((code, new))) => {
                out.absorb(staged);
                if new {
                    let entry = member.entry(EntryKind::CodeTaken, now).count(1);
                    member.note(entry, out);
                }
                out.give_code(ticket, CodeTaken { request: asked.request, code });
            }
            Ok(None) => {
                self.left = Some(0);
                self.next_look = self.next_look.map(|look| look.min(now));
                out.unavailable(ticket, "pool-empty");
            }
            Err(_) => out.unavailable(ticket, "the pool could not be read"),
        }
    }

    /// The code for this request, and whether it is given out only now.
    fn take(
        &mut self,
        asked: &TakeCode,
        reads: &dyn Reads,
        out: &mut Outbox,
    ) -> Looked<Option<(RecordCode, bool)>> {
        if let Some(kept) = reads.fact(Space::Issued, &request_key(asked))? {
            return Ok(Some((code_from(&kept)?, false)));
        }
        for (_, kept) in reads.facts(Space::Pool, None, TRIES_COUNT_MAX)? {
            let code = code_from(&kept)?;
            out.write(Write::DropFact { space: Space::Pool, key: key(&code) });
            self.left = self.left.map(|left| left.saturating_sub(1));
            if reads.resident(&code)?.is_some() {
                continue;
            }
            let (by_request, by_code) = (request_key(asked), given_key(&code));
            let (space, value) = (Space::Issued, key(&code));
            out.write(Write::PutFact { space, key: by_request, value });
            let value = asked.request.to_vec();
            out.write(Write::PutFact { space, key: by_code, value });
            return Ok(Some((code, true)));
        }
        Ok(None)
    }

    /// Whoever was entered under a code of the pool in this step has it now: it leaves the pool,
    /// however the register system came by it, and the number it was taken under is forgotten.
    pub(super) fn written(&mut self, reads: &dyn Reads, out: &mut Outbox) {
        let entered = |write: &Write| match write {
            Write::PutResident(held) | Write::ReplaceCode { held, .. } => {
                let kind = held.change.as_ref().map(|change| change.reason.kind());
                let new = matches!(kind, None | Some(ChangeKind::Entry | ChangeKind::Code));
                new.then_some(held.identity.code)
            }
            _ => None,
        };
        let codes: Vec<RecordCode> = out.writes().iter().filter_map(entered).collect();
        for code in codes {
            if matches!(reads.fact(Space::Pool, &key(&code)), Ok(Some(_))) {
                out.write(Write::DropFact { space: Space::Pool, key: key(&code) });
                self.left = self.left.map(|left| left.saturating_sub(1));
            }
            if let Ok(Some(request)) = reads.fact(Space::Issued, &given_key(&code)) {
                let by_request = [b"r".as_slice(), &request].concat();
                out.write(Write::DropFact { space: Space::Issued, key: by_request });
                out.write(Write::DropFact { space: Space::Issued, key: given_key(&code) });
            }
        }
    }
}

fn key(code: &RecordCode) -> Vec<u8> {
    Space::about(code)
}

fn given_key(code: &RecordCode) -> Vec<u8> {
    [b"c".as_slice(), code.expose().as_bytes()].concat()
}

fn request_key(asked: &TakeCode) -> Vec<u8> {
    [b"r".as_slice(), &asked.request].concat()
}

fn code_from(kept: &[u8]) -> Looked<RecordCode> {
    let text = std::str::from_utf8(kept).unwrap_or_default();
    RecordCode::parse(text).map_err(|_| ReadError::Sealed { table: "pool" })
}

fn request_from(kept: &[u8]) -> Option<PoolRequest> {
    let (request, count) = kept.split_first_chunk::<16>()?;
    let count = u32::from_be_bytes(count.try_into().ok()?);
    Some(PoolRequest { request: *request, count })
}
