//! What every member of the network does alike: keep the signed directory, report to the center,
//! number its calls and entries.

use law::affair::Epoch;
use law::organ::{CardId, Organ};
use law::retention::{Regime, Tier};
use law::time::Timestamp;
use ledger::entry::{Entry, EntryBuilder, EntryKind};
use ledger::receipt::EntryId;
use wire::directory::{
    Directory, DirectoryError, Member as DirectoryMember, MemberState, OperatorCardRow,
    SignedDirectory,
};
use wire::{Heartbeat, MessageKind, NodeId, Role, may_say};

use crate::machine::{CallId, Peer, Ticket};
use crate::outbox::{CALL_PATIENCE_MS, Outbox};
use crate::ports::{Counter, Looked, Reads, Write};

/// How often a member reports to the center, milliseconds.
pub const HEARTBEAT_EVERY_MS: u64 = 5_000;
/// A directory older than this is asked for again (it is reissued every 60 s), milliseconds.
pub const DIRECTORY_STALE_MS: u64 = 150_000;
/// A call that was not even told to have failed by now is given up: nothing waits for ever.
pub(crate) const CALL_LOST_MS: u64 = 4 * CALL_PATIENCE_MS;
/// How often old request identifiers are forgotten, milliseconds: each time is a write.
const FORGET_EVERY_MS: u64 = 5_000;

/// What a machine must know of itself at start. From the configuration and the token; no secrets.
#[derive(Clone, Debug)]
pub struct Identity {
    pub node: NodeId,
    pub role: Role,
    /// The organ this node belongs to; none for an exchange.
    pub organ: Option<Organ>,
    /// The center's directory key, SEC1 P-256: the root of all trust between members.
    pub directory_key: [u8; 65],
    /// The node's own public key, SEC1 P-256: what the directory pins.
    pub node_key: [u8; 65],
    /// Version of the program, for the directory's minimum and for the monitoring room.
    pub software: String,
}

/// State that every member has.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) identity: Identity,
    pub(crate) directory: Option<Directory>,
    signed: Option<Vec<u8>>,
    next_call: u64,
    next_entry: u64,
    heartbeat_due: Timestamp,
    fetch_due: Timestamp,
    fetching: Option<(CallId, Timestamp)>,
    forget_due: Timestamp,
}

impl Member {
    /// Take up the directory that was kept, even an expired one: it tells where the center is.
    pub(crate) fn new(identity: Identity, reads: &dyn Reads) -> Self {
        let kept = reads.directory().ok().flatten();
        let directory = kept.as_deref().and_then(|bytes| {
            let signed = SignedDirectory::decode(bytes).ok()?;
            let message = SignedDirectory::signing_bytes(&signed.body);
            let ours = token::verify::p256(&identity.directory_key, &message, &signed.signature);
            if ours { Directory::decode(&signed.body).ok().map(sorted) } else { None }
        });
        Self {
            identity,
            signed: directory.is_some().then_some(kept).flatten(),
            directory,
            next_call: 1,
            next_entry: 1,
            heartbeat_due: Timestamp(0),
            fetch_due: Timestamp(0),
            fetching: None,
            forget_due: Timestamp(0),
        }
    }

    pub(crate) fn call_id(&mut self) -> CallId {
        let id = self.next_call;
        self.next_call += 1;
        CallId(id)
    }

    pub(crate) fn entry_id(&mut self) -> EntryId {
        let id = self.next_entry;
        self.next_entry += 1;
        EntryId(id)
    }

    /// An entry of this node at this time; the caller adds what it is about.
    pub(crate) fn entry(&self, kind: EntryKind, now: Timestamp) -> EntryBuilder {
        Entry::build(kind, now, self.identity.node.as_str())
    }

    /// Record an act that concerns no single resident and that nothing waits for.
    pub(crate) fn note(&mut self, entry: EntryBuilder, out: &mut Outbox) {
        let id = self.entry_id();
        let leaf = out.leaf(entry, None);
        out.record(id, leaf);
    }

    /// The directory, while it is valid: without one, nobody is spoken to.
    pub(crate) fn directory_at(&self, now: Timestamp) -> Option<&Directory> {
        self.directory.as_ref().filter(|directory| directory.is_current(now))
    }

    /// How long this node keeps what no longer stands: by its tier and the epoch that the directory
    /// names.
    pub(crate) fn regime(&self) -> Regime {
        let tier = match self.identity.role {
            Role::Municipality => Tier::Municipality,
            Role::Center => Tier::Center,
            _ => Tier::Prefecture,
        };
        let epoch = self.directory.as_ref().map_or(Epoch::Founding, |directory| directory.epoch);
        Regime { tier, epoch }
    }

    /// The bytes of the directory in force, for whoever asks.
    pub(crate) fn signed_directory(&self) -> Option<&[u8]> {
        self.signed.as_deref()
    }

    pub(crate) fn find(&self, node: &NodeId) -> Option<&DirectoryMember> {
        let members = &self.directory.as_ref()?.members;
        let place = members.binary_search_by(|member| member.id.cmp(node)).ok()?;
        members.get(place)
    }

    /// Whether what this peer says is listened to: the conversation table lets its role say it
    /// here, and the directory has it as that very member, not cut off. The sessions are judged by
    /// the same table; this holds even where a session should not have come about.
    ///
    /// An expired directory still tells who is who: what is written must go on (V16); what is told
    /// to anyone needs a current one, see [`Self::directory_at`].
    pub(crate) fn hears(&self, from: &Peer, kind: MessageKind) -> bool {
        if may_say(from.role, self.identity.role, kind).is_none() {
            return false;
        }
        match from.role {
            // Of the own office, pinned in the configuration.
            Role::Terminal | Role::Feed => from.organ == self.identity.organ,
            // Its signature is what counts, and a node without any directory must get one.
            Role::Center if kind == MessageKind::DirectoryPush => true,
            _ => self.find(&from.node).is_some_and(|member| {
                member.role == from.role
                    && member.organ == from.organ
                    && member.state == MemberState::Active
            }),
        }
    }

    /// Forget old request identifiers, now and then. A clock that runs ahead may forget too many:
    /// the store keeps up to when they were remembered, see [`crate::provider::judged`].
    pub(crate) fn forget_requests(&mut self, now: Timestamp, out: &mut Outbox) {
        if now >= self.forget_due {
            self.forget_due = Timestamp(now.0.saturating_add(FORGET_EVERY_MS));
            out.write(Write::ForgetRequestsBefore(now));
        }
    }

    /// Check a directory that arrived and put it in force when it is newer.
    pub(crate) fn take_directory(
        &mut self,
        now: Timestamp,
        bytes: Vec<u8>,
        out: &mut Outbox,
    ) -> Result<u64, DirectoryError> {
        let signed = SignedDirectory::decode(&bytes)?;
        let key = self.identity.directory_key;
        let current = self.directory.as_ref().map_or(0, |held| held.serial);
        let verify = token::verify::p256;
        let directory = sorted(Directory::verify_after(&signed, key, now, verify, current)?);
        let serial = directory.serial;
        if serial > current {
            out.write(Write::PutDirectory(bytes.clone()));
            out.write(Write::SetCounter(Counter::DirectorySerial, serial));
            out.adopt(directory.clone());
            self.directory = Some(directory);
            self.signed = Some(bytes);
        }
        Ok(serial)
    }

    /// A directory pushed by the center.
    pub(crate) fn directory_pushed(
        &mut self,
        now: Timestamp,
        ticket: Ticket,
        bytes: Vec<u8>,
        out: &mut Outbox,
    ) {
        match self.take_directory(now, bytes, out) {
            Ok(serial) => out.acknowledge_directory(ticket, serial),
            Err(_) => out.unavailable(ticket, "the directory was not accepted"),
        }
    }

    /// Report, and ask for a directory when the one held is getting old.
    pub(crate) fn tick(&mut self, now: Timestamp, reads: &dyn Reads, out: &mut Outbox) {
        let Some(center) = center_id() else { return };
        // A node that cannot read what it holds says nothing: silence is noticed, a report that
        // nothing waits would not be.
        if now >= self.heartbeat_due
            && let Ok(beat) = self.beat(reads)
        {
            self.heartbeat_due = Timestamp(now.0.saturating_add(HEARTBEAT_EVERY_MS));
            let call = self.call_id();
            out.heartbeat(call, center.clone(), beat);
        }
        let stale = self
            .directory
            .as_ref()
            .is_none_or(|held| now.0 > held.issued_at.0.saturating_add(DIRECTORY_STALE_MS));
        let lost = |(_, until): &mut (CallId, Timestamp)| now >= *until;
        let _ = self.fetching.take_if(lost);
        if stale && now >= self.fetch_due && self.fetching.is_none() {
            self.fetch_due = Timestamp(now.0.saturating_add(HEARTBEAT_EVERY_MS));
            let call = self.call_id();
            self.fetching = Some((call, Timestamp(now.0.saturating_add(CALL_LOST_MS))));
            out.fetch_directory(call, center);
        }
    }

    fn beat(&self, reads: &dyn Reads) -> Looked<Heartbeat> {
        let members = self.directory.as_ref().map_or(&[][..], |held| held.members.as_slice());
        let mut queued = 0_u64;
        for member in members {
            let (acknowledged, last) = reads.queue_bounds(&member.id)?;
            queued = queued.saturating_add(last.saturating_sub(acknowledged));
        }
        Ok(Heartbeat {
            software: self.identity.software.clone(),
            queued,
            residents: reads.residents_count()?,
            entries: reads.entries_count()?,
        })
    }

    /// Take a reply that belongs to the member's own calls. `false`: it is somebody else's.
    pub(crate) fn replied(
        &mut self,
        now: Timestamp,
        call: CallId,
        outcome: &Result<wire::Reply, crate::machine::CallFailure>,
        out: &mut Outbox,
    ) -> bool {
        if self.fetching.take_if(|(fetching, _)| *fetching == call).is_none() {
            return false;
        }
        if let Ok(wire::Reply::Directory(bytes)) = outcome {
            // A directory that does not verify is as good as none: the next fetch comes.
            let _ = self.take_directory(now, bytes.clone(), out);
        }
        true
    }
}

/// The lists are looked up by halves; they travel sorted, and here it is made sure.
fn sorted(mut directory: Directory) -> Directory {
    directory.members.sort_by(|a, b| a.id.cmp(&b.id));
    directory.operators.sort_by(|a, b| a.card.cmp(&b.card));
    directory
}

/// The row of an operator card in a directory that [`Member`] holds.
pub(crate) fn operator_in<'a>(
    directory: &'a Directory,
    card: &CardId,
) -> Option<&'a OperatorCardRow> {
    let place = directory.operators.binary_search_by(|row| row.card.cmp(card)).ok()?;
    directory.operators.get(place)
}

/// The center's node id: there is one center.
pub(crate) fn center_id() -> Option<NodeId> {
    NodeId::parse("center").ok()
}
