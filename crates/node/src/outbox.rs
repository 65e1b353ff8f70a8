//! The one door out of a machine. Leaf module: only what stands here can fill an outbox.
//!
//! Personal data leaves through typed doors alone, one per legal basis; there is no general send.
//! What needs a record first is *parked* together with its ledger entry, and the door that lets it
//! out takes the parked value and the receipt: no answer without a permit (a [`Release`] exists
//! only after `law` permitted it), none without a record (a [`Receipt`] exists only when it is
//! durable).

use law::code::RecordCode;
use law::disclosure::{ObservationPermit, ViewPermit};
use law::inquiry::{Denial, Release};
use ledger::entry::EntryBuilder;
use ledger::receipt::{EntryId, Receipt};
use token::KeyName;
use wire::directory::Directory;
use wire::{
    Answer, DisclosureBatch, FeedOutcome, Heartbeat, MoveClaim, NetworkStatus, NodeId, NoticeBatch,
    Refusal, ReleaseBody, Reply, Request, ResidentView, SetAside, SignedInquiry, SignedRelease,
};

use crate::machine::{CallId, DrawId, SignId, Ticket};
use crate::ports::{Leaf, NewEntry, Write};

/// How long a call may wait for its reply, milliseconds.
pub const CALL_PATIENCE_MS: u64 = 5_000;

/// A reply on its way.
#[derive(Debug)]
pub struct OutgoingReply {
    pub ticket: Ticket,
    pub reply: Reply,
}

/// A call on its way.
#[derive(Debug)]
pub struct OutgoingCall {
    pub call: CallId,
    pub to: NodeId,
    pub request: Request,
    pub patience_ms: u64,
}

/// A signature asked of the token.
#[derive(Debug)]
pub struct SignRequest {
    pub sign: SignId,
    pub key: KeyName,
    pub message: Vec<u8>,
}

/// Entropy asked of the runner.
#[derive(Debug)]
pub struct DrawRequest {
    pub draw: DrawId,
    /// At most [`DRAW_BYTES_MAX`].
    pub bytes: usize,
}

/// Most entropy in one draw: a batch of record codes.
pub const DRAW_BYTES_MAX: usize = 256 * 1024;

/// What an outbox held, for whoever carries it out: commit `writes` and `entries` first.
#[derive(Debug, Default)]
pub struct Parts {
    pub writes: Vec<Write>,
    pub entries: Vec<NewEntry>,
    pub replies: Vec<OutgoingReply>,
    pub calls: Vec<OutgoingCall>,
    pub signatures: Vec<SignRequest>,
    pub draws: Vec<DrawRequest>,
    /// A newer directory is in force: whom to talk to is to be judged by it.
    pub adopted: Option<Directory>,
    /// There is more to do that this step's own writes made possible: a tick follows at once.
    pub again: bool,
    /// An invariant is broken: this machine must not go on. The reason, without personal data.
    pub broken: Option<String>,
}

/// Effects of one step of a machine.
#[derive(Debug, Default)]
#[must_use]
pub struct Outbox {
    parts: Parts,
}

/// A value that may not leave before its ledger entry is durable.
#[derive(Debug)]
pub struct Parked<T> {
    entry: EntryId,
    value: T,
}

impl<T> Parked<T> {
    /// The entry this value waits for.
    #[must_use]
    pub fn entry(&self) -> EntryId {
        self.entry
    }
}

impl Outbox {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Take the effects out. For the runner and the simulator.
    #[must_use]
    pub fn into_parts(self) -> Parts {
        self.parts
    }

    /// Keep something.
    pub(crate) fn write(&mut self, write: Write) {
        self.parts.writes.push(write);
    }

    /// Take over the writes and the entries of a step that was prepared aside and came out whole.
    pub(crate) fn absorb(&mut self, staged: Self) {
        self.parts.writes.extend(staged.parts.writes);
        self.parts.entries.extend(staged.parts.entries);
    }

    /// What this step keeps so far.
    pub(crate) fn writes(&self) -> &[Write] {
        &self.parts.writes
    }

    /// Record an act that nothing waits for (its own reply leaves after the group is durable).
    pub(crate) fn record(&mut self, entry: EntryId, leaf: Leaf) {
        self.parts.entries.push(NewEntry { id: entry, leaves: vec![leaf] });
    }

    /// The leaf of an entry. One that its own rules refuse would leave an act unrecorded: a bug,
    /// and the machine stops rather than go on without the record.
    pub(crate) fn leaf(&mut self, entry: EntryBuilder, subject: Option<RecordCode>) -> Leaf {
        let entry = match subject {
            Some(code) => entry.subject(&code),
            None => entry,
        };
        match entry.finish() {
            Ok(entry) => Leaf { subject, entry: entry.encode() },
            Err(error) => {
                self.stop(format!("an entry cannot be written: {error}"));
                Leaf { subject, entry: Vec::new() }
            }
        }
    }

    /// Record, and hold `value` back until that record is durable.
    pub(crate) fn park<T>(&mut self, entry: EntryId, leaves: Vec<Leaf>, value: T) -> Parked<T> {
        self.parts.entries.push(NewEntry { id: entry, leaves });
        Parked { entry, value }
    }

    /// A receipt opens the one value that waits for its entry.
    fn open<T>(&mut self, parked: Parked<T>, receipt: &Receipt) -> Option<T> {
        if receipt.entry() == parked.entry {
            return Some(parked.value);
        }
        self.parts.broken = Some(format!(
            "receipt of entry {} presented for what waits for entry {}",
            receipt.entry().0,
            parked.entry.0
        ));
        None
    }

    fn reply(&mut self, ticket: Ticket, reply: Reply) {
        self.parts.replies.push(OutgoingReply { ticket, reply });
    }

    fn call(&mut self, call: CallId, to: NodeId, request: Request) {
        let patience_ms = CALL_PATIENCE_MS;
        self.parts.calls.push(OutgoingCall { call, to, request, patience_ms });
    }

    // ---- doors that let personal data out, one per legal basis ----

    /// Provision of identity information (法30条の7, 30条の10): permit, release, record, answer.
    pub(crate) fn answer(&mut self, parked: Parked<(Ticket, Release)>, receipt: Receipt) {
        if let Some((ticket, release)) = self.open(parked, &receipt) {
            let answer = Answer {
                digest: *release.digest(),
                ledger: receipt.ledger().to_owned(),
                index: receipt.first_index(),
                persons: release.persons().to_vec(),
            };
            self.reply(ticket, Reply::Answer(answer));
        }
    }

    /// Notice of change, municipality → prefecture → center (法30条の5, 30条の11).
    pub(crate) fn notify(&mut self, call: CallId, to: NodeId, batch: NoticeBatch) {
        self.call(call, to, Request::Notices(batch));
    }

    /// The center's disclosure data for the prefecture of the persons concerned (S1:
    /// 住民に対する本人確認情報提供状況の開示; 告示334号 第6).
    pub(crate) fn hand_over(&mut self, call: CallId, to: NodeId, batch: DisclosureBatch) {
        self.call(call, to, Request::Disclosures(batch));
    }

    /// Disclosure to the resident of who got what (S1, same section), recorded before it is shown.
    pub(crate) fn disclose(
        &mut self,
        parked: Parked<(Ticket, ViewPermit, ResidentView)>,
        receipt: Receipt,
    ) {
        if let Some((ticket, _permit, view)) = self.open(parked, &receipt) {
            self.reply(ticket, Reply::View(view));
        }
    }

    /// Moving-in notice to the municipality of the former address, and to no one else (法9条1項).
    pub(crate) fn claim_resident(&mut self, call: CallId, claim: MoveClaim) {
        let to = NodeId::municipality(&claim.from);
        self.call(call, to, Request::MoveClaim(claim));
    }

    /// Let a resident go, once that is recorded: first the signature that proves it is asked for.
    pub(crate) fn sign_release(
        &mut self,
        sign: SignId,
        parked: Parked<ReleaseBody>,
        receipt: &Receipt,
    ) -> Option<Vec<u8>> {
        let body = self.open(parked, receipt)?.encode().ok()?;
        self.sign(sign, KeyName::Node, SignedRelease::signing_bytes(&body));
        Some(body)
    }

    /// The former municipality's signed word to the claiming one.
    pub(crate) fn release_resident(&mut self, ticket: Ticket, release: SignedRelease) {
        self.reply(ticket, Reply::MoveReleased(release));
    }

    /// Designated codes for the municipality that asked (法30条の7第1項).
    pub(crate) fn designate(&mut self, ticket: Ticket, pool: wire::Pool) {
        self.reply(ticket, Reply::Pool(pool));
    }

    /// One unused code of the own pool, for the register system to write (法30条の2第2項).
    pub(crate) fn give_code(&mut self, ticket: Ticket, taken: wire::CodeTaken) {
        self.reply(ticket, Reply::CodeTaken(taken));
    }

    /// Where a range differs: digests under the asker's key (法30条の5第1項, 30条の11第1項).
    pub(crate) fn tell_compared(&mut self, ticket: Ticket, compared: wire::Compared) {
        self.reply(ticket, Reply::Compared(compared));
    }

    /// How suspects stand, to the tier below; the codes of residents whom it should hold itself.
    pub(crate) fn tell_suspected(&mut self, ticket: Ticket, standings: Vec<wire::Standing>) {
        self.reply(ticket, Reply::Suspected(standings));
    }

    /// What the tier above is to hold about one resident (法30条の5第1項, 30条の11第1項): signed.
    pub(crate) fn repair(&mut self, call: CallId, to: NodeId, repair: wire::SignedRepair) {
        self.call(call, to, Request::Repair(repair));
    }

    // ---- doors for what holds no resident's data, or only passes it on ----

    pub(crate) fn compare(&mut self, call: CallId, to: NodeId, compare: wire::Compare) {
        self.call(call, to, Request::Compare(compare));
    }

    pub(crate) fn suspect(&mut self, call: CallId, to: NodeId, suspicion: wire::Suspicion) {
        self.call(call, to, Request::Suspicion(suspicion));
    }

    pub(crate) fn tell_repaired(&mut self, ticket: Ticket, applied: bool) {
        self.reply(ticket, Reply::Repaired { applied });
    }

    /// More codes, please (規則14条2項).
    pub(crate) fn ask_for_codes(&mut self, call: CallId, to: NodeId, request: wire::PoolRequest) {
        self.call(call, to, Request::PoolRequest(request));
    }

    /// A refusal, recorded before it leaves. Only the public mapping of the denial travels.
    pub(crate) fn refuse(&mut self, parked: Parked<(Ticket, [u8; 32], Denial)>, receipt: Receipt) {
        if let Some((ticket, digest, denial)) = self.open(parked, &receipt) {
            self.reply(ticket, Reply::Refusal(Refusal::new(digest, &denial.public())));
        }
    }

    /// Pass an operator's signed inquiry on to the server that answers it, once recorded here.
    pub(crate) fn forward_inquiry(
        &mut self,
        call: CallId,
        to: NodeId,
        parked: Parked<SignedInquiry>,
        receipt: &Receipt,
    ) {
        if let Some(inquiry) = self.open(parked, receipt) {
            self.call(call, to, Request::Inquiry(inquiry));
        }
    }

    /// Hand the answering server's reply to the terminal that asked, if it is one to the inquiry
    /// with this digest (J1). Nothing else is passed on.
    pub(crate) fn pass_back(&mut self, ticket: Ticket, asked: &[u8; 32], reply: Reply) {
        let ours = match &reply {
            Reply::Answer(answer) => answer.digest == *asked,
            Reply::Refusal(refusal) => refusal.digest == *asked,
            Reply::Unavailable { .. } => true,
            _ => false,
        };
        if ours {
            self.reply(ticket, reply);
        } else {
            self.unavailable(ticket, "the answering server broke the protocol");
        }
    }

    /// State of the network for the center's own room.
    pub(crate) fn show_network(
        &mut self,
        parked: Parked<(Ticket, ObservationPermit, NetworkStatus)>,
        receipt: &Receipt,
    ) {
        if let Some((ticket, _permit, status)) = self.open(parked, receipt) {
            self.reply(ticket, Reply::Status(status));
        }
    }

    pub(crate) fn acknowledge_notices(
        &mut self,
        ticket: Ticket,
        applied: u64,
        set_aside: Vec<SetAside>,
    ) {
        self.reply(ticket, Reply::NoticeAck { applied, set_aside });
    }

    /// The former municipality does not let a resident go; the reason stays in its own record.
    pub(crate) fn refuse_move(&mut self, ticket: Ticket) {
        self.reply(ticket, Reply::MoveRefused);
    }

    pub(crate) fn acknowledge_disclosures(&mut self, ticket: Ticket, applied: u64) {
        self.reply(ticket, Reply::DisclosureAck { applied });
    }

    pub(crate) fn feed_result(&mut self, ticket: Ticket, outcomes: Vec<FeedOutcome>) {
        self.reply(ticket, Reply::FeedResult(outcomes));
    }

    pub(crate) fn acknowledge_directory(&mut self, ticket: Ticket, serial: u64) {
        self.reply(ticket, Reply::DirectoryAck { serial });
    }

    pub(crate) fn give_directory(&mut self, ticket: Ticket, signed: Vec<u8>) {
        self.reply(ticket, Reply::Directory(signed));
    }

    pub(crate) fn push_directory(&mut self, call: CallId, to: NodeId, signed: Vec<u8>) {
        self.call(call, to, Request::DirectoryPush(signed));
    }

    pub(crate) fn fetch_directory(&mut self, call: CallId, to: NodeId) {
        self.call(call, to, Request::DirectoryFetch);
    }

    pub(crate) fn heartbeat(&mut self, call: CallId, to: NodeId, beat: Heartbeat) {
        self.call(call, to, Request::Heartbeat(beat));
    }

    pub(crate) fn heartbeat_ack(&mut self, ticket: Ticket) {
        self.reply(ticket, Reply::HeartbeatAck);
    }

    /// Not now; nothing was done and nothing is said about anyone.
    pub(crate) fn unavailable(&mut self, ticket: Ticket, reason: &'static str) {
        self.reply(ticket, Reply::Unavailable { reason: reason.to_owned() });
    }

    /// Ask the token for a signature.
    pub(crate) fn sign(&mut self, sign: SignId, key: KeyName, message: Vec<u8>) {
        self.parts.signatures.push(SignRequest { sign, key, message });
    }

    /// Ask for entropy: a machine has none of its own.
    pub(crate) fn draw(&mut self, draw: DrawId, bytes: usize) {
        self.parts.draws.push(DrawRequest { draw, bytes: bytes.min(DRAW_BYTES_MAX) });
    }

    /// Ask for a tick as soon as this step's writes can be read.
    pub(crate) fn again(&mut self) {
        self.parts.again = true;
    }

    /// Put a newer directory in force.
    pub(crate) fn adopt(&mut self, directory: Directory) {
        self.parts.adopted = Some(directory);
    }

    /// Stop: an invariant is broken.
    pub(crate) fn stop(&mut self, reason: String) {
        self.parts.broken = Some(reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(entry: u64) -> Receipt {
        Receipt::assert_durable(EntryId(entry), "jukinet.example/center", 0, 1)
    }

    fn parked(out: &mut Outbox) -> Parked<(Ticket, [u8; 32], Denial)> {
        out.park(EntryId(1), Vec::new(), (Ticket(1), [1; 32], Denial::QueryShape))
    }

    #[test]
    fn the_receipt_of_its_entry_opens_what_is_parked() {
        let mut out = Outbox::new();
        let waiting = parked(&mut out);
        assert!(out.parts.replies.is_empty());
        out.refuse(waiting, receipt(1));
        let parts = out.into_parts();
        assert_eq!(parts.replies.len(), 1);
        assert_eq!(parts.broken, None);
    }

    #[test]
    fn the_receipt_of_another_entry_opens_nothing_and_stops_the_machine() {
        let mut out = Outbox::new();
        let waiting = parked(&mut out);
        out.refuse(waiting, receipt(2));
        let signed = SignedInquiry { body: vec![1], signature: vec![2] };
        let inquiry = out.park(EntryId(3), Vec::new(), signed);
        out.forward_inquiry(CallId(1), NodeId::center(), inquiry, &receipt(1));
        let parts = out.into_parts();
        assert!(parts.replies.is_empty() && parts.calls.is_empty());
        assert!(parts.broken.is_some_and(|reason| reason.contains("entry")));
    }
}
