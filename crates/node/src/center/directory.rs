//! Issuing the directory: reissued every 60 s, valid 600 s, signed by the center's token, pushed to
//! every member.

use std::collections::VecDeque;

use law::time::Timestamp;
use ledger::entry::EntryKind;
use token::KeyName;
use wire::directory::{DIRECTORY_REISSUE_MS, DIRECTORY_VALID_MS, Directory, SignedDirectory};
use wire::{NodeId, Role};

use crate::machine::SignId;
use crate::member::Member;
use crate::outbox::Outbox;

/// How long the token may take to sign before the center asks again, milliseconds.
const SIGNATURE_PATIENCE_MS: u64 = 10_000;
/// Wait after the token would not sign, milliseconds.
const SIGNATURE_RETRY_MS: u64 = 1_000;
/// Members that get a new directory in one step. Each call carries a copy of up to 1 MiB: the whole
/// country at once would be gigabytes; at ten ticks a second it is reached within one.
const PUSHES_PER_STEP_COUNT_MAX: usize = 256;

#[derive(Debug)]
struct Pending {
    sign: SignId,
    body: Vec<u8>,
    until: Timestamp,
}

/// The directory's issuer.
#[derive(Debug, Default)]
pub(super) struct Issuer {
    pending: Option<Pending>,
    signs: u64,
    not_before: Option<Timestamp>,
    /// Who is still to get the directory in force.
    pushing: VecDeque<NodeId>,
}

impl Issuer {
    pub(super) fn tick(&mut self, member: &mut Member, now: Timestamp, out: &mut Outbox) {
        self.push(member, out);
        if self.not_before.is_some_and(|then| now < then) {
            return;
        }
        if self.pending.as_ref().is_some_and(|pending| now < pending.until) {
            return;
        }
        let Some(current) = member.directory.as_ref() else { return };
        if now.0 < current.issued_at.0.saturating_add(DIRECTORY_REISSUE_MS) {
            return;
        }
        let next = Directory {
            serial: current.serial + 1,
            issued_at: now,
            expires_at: Timestamp(now.0.saturating_add(DIRECTORY_VALID_MS)),
            ..current.clone()
        };
        self.signs += 1;
        let sign = SignId(self.signs);
        let Ok(body) = next.encode() else {
            out.stop("the directory is larger than a message may be".to_owned());
            return;
        };
        let message = SignedDirectory::signing_bytes(&body);
        let until = Timestamp(now.0.saturating_add(SIGNATURE_PATIENCE_MS));
        self.pending = Some(Pending { sign, body, until });
        out.sign(sign, KeyName::Directory, message);
    }

    /// The token signed (a late signature of an earlier request is never matched to a newer one).
    pub(super) fn signed(
        &mut self,
        member: &mut Member,
        now: Timestamp,
        (sign, signature): (SignId, Option<[u8; 64]>),
        out: &mut Outbox,
    ) {
        let Some(pending) = self.pending.take_if(|pending| pending.sign == sign) else { return };
        let Some(signature) = signature else {
            self.not_before = Some(Timestamp(now.0.saturating_add(SIGNATURE_RETRY_MS)));
            return;
        };
        let bytes = SignedDirectory { body: pending.body, signature }.encode();
        let Ok(serial) = member.take_directory(now, bytes, out) else {
            out.stop("the directory just signed does not verify".to_owned());
            return;
        };
        let entry = member.entry(EntryKind::DirectoryIssued, now).first(serial);
        member.note(entry, out);
        self.pushing = member.directory.as_ref().map_or_else(VecDeque::new, |directory| {
            let others = directory.members.iter().filter(|other| other.role != Role::Center);
            others.map(|other| other.id.clone()).collect()
        });
        self.push(member, out);
    }

    /// Give the directory in force to the next members. A push that fails is not repeated: that
    /// member gets the next one, or fetches it.
    fn push(&mut self, member: &mut Member, out: &mut Outbox) {
        let count = self.pushing.len().min(PUSHES_PER_STEP_COUNT_MAX);
        for to in self.pushing.drain(..count) {
            let Some(bytes) = member.signed_directory().map(<[u8]>::to_vec) else { return };
            out.push_directory(member.call_id(), to, bytes);
        }
    }
}
