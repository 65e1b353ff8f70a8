//! Moving out to another municipality (転出, 法24条): the resident is let go once, to the one
//! municipality that claims first with the right particulars, and the prefecture is told (転出確定,
//! 令13条3項).
//!
//! What the claiming municipality learns is yes or not: why not stays in this node's record.

use std::collections::BTreeMap;

use law::change::ChangeNotice;
use law::code::RecordCode;
use law::inquiry::Held;
use law::moving::{Claimed, HeldBack, may_release, still_binds};
use law::organ::Organ;
use law::time::{Date, Timestamp};
use ledger::entry::EntryKind;
use ledger::receipt::{EntryId, Receipt};
use wire::{Departure, MoveClaim, RelayedNotice, ReleaseBody, SignedRelease};

use super::Municipality;
use crate::machine::{Peer, SignId, Ticket};
use crate::outbox::{Outbox, Parked};
use crate::ports::{Looked, ReadError, Reads, Space, Write};

/// Claims that wait for their record or their signature at once.
const RELEASES_COUNT_MAX: usize = 256;
/// How long a signature is waited for, milliseconds; the claim comes again anyway.
const SIGNATURE_PATIENCE_MS: u64 = 20_000;

/// Releases under way.
#[derive(Debug, Default)]
pub(super) struct Departures {
    parked: BTreeMap<EntryId, (Ticket, Parked<ReleaseBody>)>,
    signing: BTreeMap<SignId, Signing>,
    signs: u64,
}

#[derive(Debug)]
struct Signing {
    ticket: Ticket,
    body: Vec<u8>,
    until: Timestamp,
}

/// To whom this person was let go, if to anyone.
pub(super) fn departure(reads: &dyn Reads, code: &RecordCode) -> Looked<Option<Departure>> {
    let kept = reads.fact(Space::Departure, &Space::about(code))?;
    kept.map(|bytes| Departure::decode(&bytes)).transpose().map_err(|_| unreadable())
}

fn unreadable() -> ReadError {
    ReadError::Store("a departure cannot be read".to_owned())
}

impl Municipality {
    /// Another municipality says that a resident of ours moved in there (転入通知, 法9条1項).
    pub(super) fn claimed(
        &mut self,
        now: Timestamp,
        (from, ticket): (&Peer, Ticket),
        claim: &MoveClaim,
        reads: &dyn Reads,
        out: &mut Outbox,
    ) {
        // The session says who speaks: nobody claims for another municipality.
        if from.organ != Some(Organ::Municipality(claim.to)) || claim.from != self.code {
            out.unavailable(ticket, "the claim names another municipality");
            return;
        }
        let under_way = self.departures.parked.len() + self.departures.signing.len();
        if under_way >= RELEASES_COUNT_MAX || self.notices.is_disputed() {
            out.unavailable(ticket, "too many moves are under way");
            return;
        }
        if self.member.directory_at(now).is_none() {
            out.unavailable(ticket, "no valid directory is held");
            return;
        }
        match self.decide(claim, reads) {
            Err(_) => out.unavailable(ticket, "the register could not be read"),
            Ok(Err(held_back)) => {
                let asker = Organ::Municipality(claim.to).to_string();
                let entry = self.member.entry(EntryKind::ReleaseRefused, now);
                self.member.note(entry.asker(asker).rule(held_back.key()), out);
                out.refuse_move(ticket);
            }
            Ok(Ok((left_on, known))) => {
                let body = ReleaseBody {
                    code: claim.code,
                    from: self.code,
                    to: claim.to,
                    left_on,
                    // The same word again is of the same time: when one counted, all have.
                    released_at: known.map_or(now, |known| known.released_at),
                };
                self.let_go(now, ticket, body, known, out);
            }
        }
    }

    /// Ask `law` whether the resident may go; with the day of leaving, what was kept about it.
    fn decide(
        &self,
        claim: &MoveClaim,
        reads: &dyn Reads,
    ) -> Looked<Result<(Date, Option<Departure>), HeldBack>> {
        let held = reads.resident(&claim.code)?;
        let known = departure(reads, &claim.code)?;
        let claimed = Claimed { name: &claim.name, birth: &claim.birth, to: claim.to };
        let released_to = known.map(|known| known.to);
        let left_on = may_release(self.code, held.as_ref(), claimed, released_to);
        Ok(left_on.map(|left_on| (left_on, known)))
    }

    /// Record first, then sign: what is durable before the signature exists is to whom, so that no
    /// crash lets a second municipality have the same resident.
    fn let_go(
        &mut self,
        now: Timestamp,
        ticket: Ticket,
        body: ReleaseBody,
        known: Option<Departure>,
        out: &mut Outbox,
    ) {
        if known.is_none() {
            let kept = Departure { to: body.to, released_at: now, confirmed: false };
            let Some(write) = keep(&body.code, &kept) else {
                out.unavailable(ticket, "the release cannot be kept");
                return;
            };
            out.write(write);
        }
        let asker = Organ::Municipality(body.to).to_string();
        let entry = self.member.entry(EntryKind::ResidentReleased, now).asker(asker);
        let leaf = out.leaf(entry, Some(body.code));
        let id = self.member.entry_id();
        let parked = out.park(id, vec![leaf], body);
        self.departures.parked.insert(id, (ticket, parked));
    }

    /// The record is durable: the signature may be made.
    pub(super) fn release_recorded(
        &mut self,
        now: Timestamp,
        receipt: Receipt,
        out: &mut Outbox,
    ) -> Option<Receipt> {
        let Some((ticket, parked)) = self.departures.parked.remove(&receipt.entry()) else {
            return Some(receipt);
        };
        self.departures.signs += 1;
        let sign = SignId(self.departures.signs);
        if let Some(body) = out.sign_release(sign, parked, &receipt) {
            let until = Timestamp(now.0.saturating_add(SIGNATURE_PATIENCE_MS));
            self.departures.signing.insert(sign, Signing { ticket, body, until });
        }
        None
    }

    /// The token signed: the word goes to the claiming municipality, and once to the prefecture.
    pub(super) fn release_signed(
        &mut self,
        (sign, signature): (SignId, Option<[u8; 64]>),
        reads: &dyn Reads,
        out: &mut Outbox,
    ) {
        let Some(Signing { ticket, body, .. }) = self.departures.signing.remove(&sign) else {
            return;
        };
        let Some(signature) = signature else {
            out.unavailable(ticket, "the release could not be signed");
            return;
        };
        let public_key = self.member.identity.node_key;
        let release = SignedRelease { body, signature, public_key };
        match self.confirm(&release, reads, out) {
            Ok(true) => out.release_resident(ticket, release),
            // Why is not said: it would tell where the resident is.
            Ok(false) => out.unavailable(ticket, "the release could not be signed"),
            Err(_) => out.unavailable(ticket, "the register could not be read"),
        }
    }

    /// 令13条3項: the prefecture learns that the departure is confirmed, once. `false`: nobody is let
    /// go there any more.
    fn confirm(
        &mut self,
        release: &SignedRelease,
        reads: &dyn Reads,
        out: &mut Outbox,
    ) -> Looked<bool> {
        let body = ReleaseBody::decode(&release.body).map_err(|_| unreadable())?;
        let known = departure(reads, &body.code)?;
        // Signed late, when the resident has come back meanwhile: nobody is on the way any more.
        if known.is_none_or(|known| known.to != body.to) {
            return Ok(false);
        }
        let known = known.filter(|known| !known.confirmed);
        let held = reads.resident(&body.code)?.filter(|held| held.removed);
        let (Some(known), Some(held)) = (known, held) else { return Ok(true) };
        let Some(notice) = moved_out(held) else { return Ok(true) };
        let (_, queued) = reads.queue_bounds(&self.notices.to)?;
        let relayed = RelayedNotice {
            municipality: self.code,
            sequence: queued.saturating_add(1),
            notice,
            release: Some(release.clone()),
        };
        let payload = relayed.encode().map_err(|_| unreadable())?;
        let write = keep(&body.code, &Departure { confirmed: true, ..known });
        out.write(write.ok_or_else(unreadable)?);
        out.write(Write::Enqueue { to: self.notices.to.clone(), payload });
        out.again();
        Ok(true)
    }

    /// Give up signatures that never came: the claim is repeated by whoever made it.
    pub(super) fn releases_tick(&mut self, now: Timestamp, out: &mut Outbox) {
        while let Some(oldest) = self.departures.signing.first_entry() {
            if now < oldest.get().until {
                return;
            }
            out.unavailable(oldest.remove().ticket, "the release could not be signed");
        }
    }
}

/// The moving-out as it was notified.
fn moved_out(held: Held) -> Option<ChangeNotice> {
    let change = held.change.filter(|change| change.reason.is_moving_out())?;
    Some(ChangeNotice {
        reason: change.reason,
        changed_on: change.on,
        record: held.identity,
        previous_code: None,
        foreign: change.foreign,
    })
}

fn keep(code: &RecordCode, departure: &Departure) -> Option<Write> {
    let value = departure.encode().ok()?;
    let key = Space::about(code);
    Some(Write::PutFact { space: Space::Departure, key, value })
}

/// Whether this person was let go and has not come back: nobody is entered again here by a simple
/// row, because the resident may stand elsewhere by now. A letting go of long ago binds nobody.
pub(super) fn is_gone(reads: &dyn Reads, code: &RecordCode, today: Date) -> Looked<bool> {
    let kept = departure(reads, code)?;
    Ok(kept.is_some_and(|kept| still_binds(kept.released_at.date_in_japan(), today)))
}
