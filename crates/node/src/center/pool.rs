//! The center designates record codes for municipalities (住民票コードの指定, 法30条の7; 規則14, 15条):
//! drawn at random, never one that was designated or written before.
//!
//! What was designated is kept sealed until the municipality asks for more, which says that it has
//! it: a lost answer brings the same codes again. Which codes were ever designated is kept as keyed
//! digests without an end.

use std::collections::BTreeMap;

use law::code::{LocalGovernmentCode, RecordCode};
use law::organ::Organ;
use law::pool::{DESIGNATION_CODES_COUNT_MAX, DrawError, draw, entropy_for};
use law::time::Timestamp;
use ledger::entry::EntryKind;
use wire::{Pool, PoolRequest};

use crate::machine::{DrawId, Peer, Ticket};
use crate::member::{CALL_LOST_MS, Member};
use crate::outbox::Outbox;
use crate::ports::{Looked, ReadError, Reads, Space, Write};

/// Designations under way at once; each waits for its entropy, which comes with the next group.
const UNDER_WAY_COUNT_MAX: usize = 64;
/// Draws of this module are numbered from here.
const FIRST_DRAW: u64 = 1 << 32;
/// Bytes of a code as kept.
const CODE_BYTES: usize = 11;
const REQUEST_BYTES: usize = 16;

#[derive(Debug)]
struct UnderWay {
    ticket: Ticket,
    municipality: LocalGovernmentCode,
    request: PoolRequest,
    until: Timestamp,
}

/// The center's side of the pools.
#[derive(Debug, Default)]
pub(super) struct Designator {
    under_way: BTreeMap<DrawId, UnderWay>,
    drawn: u64,
}

enum Fault {
    Look,
    Draw,
}

impl From<DrawError> for Fault {
    fn from(_: DrawError) -> Self {
        Self::Draw
    }
}

impl Designator {
    /// A municipality asks for codes.
    pub(super) fn asked(
        &mut self,
        now: Timestamp,
        (from, ticket): (&Peer, Ticket),
        request: &PoolRequest,
        reads: &dyn Reads,
        out: &mut Outbox,
    ) {
        let Some(Organ::Municipality(municipality)) = from.organ else {
            out.unavailable(ticket, "the sender is no municipality");
            return;
        };
        match allotted(&municipality, request, reads) {
            Ok(Some(codes)) => {
                out.designate(ticket, Pool { request: request.request, codes });
                return;
            }
            Ok(None) => {}
            Err(_) => {
                out.unavailable(ticket, "the designated codes could not be read");
                return;
            }
        }
        self.under_way.retain(|_, waiting| now < waiting.until);
        let twice = |waiting: &UnderWay| waiting.municipality == municipality;
        if self.under_way.len() >= UNDER_WAY_COUNT_MAX || self.under_way.values().any(twice) {
            out.unavailable(ticket, "codes are being designated; ask again");
            return;
        }
        let id = DrawId(FIRST_DRAW.saturating_add(self.drawn));
        self.drawn = self.drawn.saturating_add(1);
        let count = wanted_count(request);
        out.draw(id, entropy_for(count));
        let until = Timestamp(now.0.saturating_add(CALL_LOST_MS));
        let request = request.clone();
        self.under_way.insert(id, UnderWay { ticket, municipality, request, until });
    }

    /// The entropy is here. `false`: it was drawn for somebody else.
    pub(super) fn drawn(
        &mut self,
        member: &mut Member,
        now: Timestamp,
        (id, entropy): (DrawId, &[u8]),
        reads: &dyn Reads,
        out: &mut Outbox,
    ) -> bool {
        let Some(UnderWay { ticket, municipality, request, .. }) = self.under_way.remove(&id)
        else {
            return false;
        };
        let used = |code: &RecordCode| known(code, reads).map_err(|_| Fault::Look);
        let codes = match draw(entropy, wanted_count(&request), used) {
            Ok(codes) => codes,
            Err(Fault::Draw) => {
                out.unavailable(ticket, "not enough unused codes were drawn; ask again");
                return true;
            }
            Err(Fault::Look) => {
                out.unavailable(ticket, "the designated codes could not be read");
                return true;
            }
        };
        for code in &codes {
            issued(*code, out);
        }
        let mut value = request.request.to_vec();
        codes.iter().for_each(|code| value.extend_from_slice(code.expose().as_bytes()));
        let key = municipality.as_str().as_bytes().to_vec();
        out.write(Write::PutFact { space: Space::Pool, key, value });
        let entry = member
            .entry(EntryKind::CodesDesignated, now)
            .asker(Organ::Municipality(municipality).to_string())
            .count(codes.len() as u64);
        member.note(entry, out);
        out.designate(ticket, Pool { request: request.request, codes });
        true
    }
}

fn wanted_count(request: &PoolRequest) -> usize {
    usize::try_from(request.count).unwrap_or(usize::MAX).min(DESIGNATION_CODES_COUNT_MAX)
}

/// What this very request brought before, if it did.
fn allotted(
    municipality: &LocalGovernmentCode,
    request: &PoolRequest,
    reads: &dyn Reads,
) -> Looked<Option<Vec<RecordCode>>> {
    let Some(kept) = reads.fact(Space::Pool, municipality.as_str().as_bytes())? else {
        return Ok(None);
    };
    let Some((of, codes)) = kept.split_first_chunk::<REQUEST_BYTES>() else {
        return Err(ReadError::Sealed { table: "pool" });
    };
    if *of != request.request {
        return Ok(None);
    }
    let read = codes.chunks(CODE_BYTES).map(|digits| {
        let text = std::str::from_utf8(digits).unwrap_or_default();
        RecordCode::parse(text).map_err(|_| ReadError::Sealed { table: "pool" })
    });
    read.collect::<Looked<Vec<_>>>().map(Some)
}

/// Designated before by anyone, or written for anyone.
fn known(code: &RecordCode, reads: &dyn Reads) -> Looked<bool> {
    let key = code.expose().as_bytes();
    Ok(reads.fact(Space::Issued, key)?.is_some() || reads.resident(code)?.is_some())
}

/// Remember that a code was designated or written. The digest of the key is all that is needed.
fn issued(code: RecordCode, out: &mut Outbox) {
    let key = Space::about(&code);
    out.write(Write::PutFact { space: Space::Issued, key, value: vec![1] });
}

/// A code that nobody has any longer is still never designated again: one that was replaced
/// (法30条の3), one whose record will be erased.
pub(super) fn remember_given_up(out: &mut Outbox) {
    let given_up = |write: &Write| match write {
        Write::ReplaceCode { previous, .. } => Some(*previous),
        Write::ExpireResident { code, until: Some(_) } => Some(*code),
        _ => None,
    };
    let codes: Vec<RecordCode> = out.writes().iter().filter_map(given_up).collect();
    for code in codes {
        issued(code, out);
    }
}
