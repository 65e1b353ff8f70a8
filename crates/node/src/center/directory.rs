//! Issuing the directory: reissued every 60 s, valid 600 s, signed by the center's token, pushed to
//! every member.

use law::time::Timestamp;
use ledger::entry::EntryKind;
use token::KeyName;
use wire::Role;
use wire::directory::{DIRECTORY_REISSUE_MS, DIRECTORY_VALID_MS, Directory, SignedDirectory};

use crate::machine::SignId;
use crate::member::Member;
use crate::outbox::Outbox;

/// How long the token may take to sign before the center asks again, milliseconds.
const SIGNATURE_PATIENCE_MS: u64 = 10_000;

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
}

impl Issuer {
    pub(super) fn tick(&mut self, member: &mut Member, now: Timestamp, out: &mut Outbox) {
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
        let Some(signature) = signature else { return };
        let bytes = SignedDirectory { body: pending.body, signature }.encode();
        let Ok(serial) = member.take_directory(now, bytes.clone(), out) else {
            out.stop("the directory just signed does not verify".to_owned());
            return;
        };
        let entry = member.entry(EntryKind::DirectoryIssued, now).first(serial);
        member.note(entry, out);
        let members = member.directory.as_ref().map_or_else(Vec::new, |directory| {
            let others = directory.members.iter().filter(|other| other.role != Role::Center);
            others.map(|other| other.id.clone()).collect()
        });
        for to in members {
            let call = member.call_id();
            out.push_directory(call, to, bytes.clone());
        }
    }
}
