//! Notices that cannot be applied as they stand: judged one by one, set aside with the reason, so
//! that one wrong record never stops the stream of all others. And notices that only came too
//! early: they wait for the one before them.
//!
//! What is wrong with a notice by itself is `law`'s to say; here stands whether it fits what is
//! held and whether its sender may say it.

use std::collections::BTreeMap;

use law::change::{ChangeKind, NoticeFault};
use law::code::RecordCode;
use law::inquiry::Held;
use law::moving::needs_release;
use law::organ::Organ;
use law::time::{Date, Timestamp};
use ledger::entry::EntryKind;
use wire::limits::WAITING_NOTICES_COUNT_MAX;
use wire::{
    NodeId, RelayedNotice, ReleaseBody, SetAside, SetAsideNotice, SignedRelease, WaitingNotices,
};

use crate::member::Member;
use crate::outbox::Outbox;
use crate::ports::{Looked, ReadError, Reads, Space, Write};

/// Notices kept aside at most. Beyond it they are recorded and not kept: somebody floods, and the
/// sender still has them.
pub(crate) const SET_ASIDE_COUNT_MAX: u64 = 100_000;

/// Days by which a change may lie ahead of this tier's clock: a municipality's day may have begun
/// earlier, nothing else may.
const AHEAD_DAYS_MAX: i64 = 1;

/// What to do with one notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Apply,
    /// The former municipality confirms that the resident left (転出確定, 令13条3項).
    Confirmed,
    /// The notice before it, of another municipality, has not arrived yet.
    Early,
    /// Set aside under this rule.
    Aside(&'static str),
}

/// What is known about the person whom a notice is about.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) held: Option<Held>,
    /// The code was replaced by another and is never anybody's again.
    pub(crate) retired: bool,
    /// The municipality that sends this confirmed that it let the person go.
    pub(crate) gone: bool,
}

/// Judge one notice against what is known about the person.
pub(crate) fn judge(
    member: &Member,
    now: Timestamp,
    relayed: &RelayedNotice,
    known: &Known,
) -> Verdict {
    let notice = &relayed.notice;
    if let Err(fault) = notice.check() {
        return Verdict::Aside(rule_of(fault));
    }
    let epoch = member.directory.as_ref().map(|directory| directory.epoch);
    if epoch.is_some_and(|epoch| !notice.reason.is_of(epoch)) {
        return Verdict::Aside("reason-of-another-epoch");
    }
    let today = now.date_in_japan();
    let latest = today.add_days(AHEAD_DAYS_MAX).unwrap_or(today);
    if notice.changed_on > latest && !notice.reason.is_moving_out() {
        return Verdict::Aside("in-the-future");
    }
    if known.retired {
        return Verdict::Aside("code-retired");
    }
    // A release that is there must be one, needed or not.
    let Ok(release) = relayed.release.as_ref().map(|r| release_by(member, r).ok_or(())).transpose()
    else {
        return Verdict::Aside("release-not-valid");
    };
    match (notice.reason.kind(), release) {
        (ChangeKind::Entry, release) => entry(member, relayed, known, release.as_ref(), today),
        (_, None) => Verdict::Apply,
        (_, Some(body)) if notice.reason.is_moving_out() && confirms(&body, relayed) => {
            Verdict::Confirmed
        }
        (_, Some(_)) => Verdict::Aside("release-not-valid"),
    }
}

/// Judge an entry: whoever stands elsewhere, or is on the way from there, needs that word.
fn entry(
    member: &Member,
    relayed: &RelayedNotice,
    known: &Known,
    release: Option<&ReleaseBody>,
    today: Date,
) -> Verdict {
    let needed = known.gone || needs_release(known.held.as_ref(), &relayed.notice, today);
    match release {
        Some(body) if admits(body, relayed) => fits(member, known.held.as_ref(), body, needed),
        Some(_) => Verdict::Aside("release-not-valid"),
        None if needed => Verdict::Aside("not-released"),
        None => Verdict::Apply,
    }
}

/// Whether this word is the one for this very move: it names the deletion that is held. Until that
/// deletion has arrived the entry waits for it, because the former municipality sent it first.
fn fits(member: &Member, held: Option<&Held>, body: &ReleaseBody, needed: bool) -> Verdict {
    // A prefecture hears the municipalities of its own area only.
    let hears = match member.identity.organ {
        Some(Organ::Prefecture(area)) => body.from.prefecture() == area,
        _ => true,
    };
    match held {
        Some(held) if held.identity.municipality == body.from && held.removed => {
            let same = held.change.as_ref().is_some_and(|change| change.on == body.left_on);
            if same || !needed { Verdict::Apply } else { Verdict::Aside("release-spent") }
        }
        Some(held) if !held.removed || hears => Verdict::Early,
        None if hears => Verdict::Early,
        _ => Verdict::Apply,
    }
}

/// The release, if the municipality it names signed it with the key that the directory pins.
pub(crate) fn release_by(member: &Member, release: &SignedRelease) -> Option<ReleaseBody> {
    let body = ReleaseBody::decode(&release.body).ok()?;
    let signer = member.find(&NodeId::municipality(&body.from))?;
    let message = SignedRelease::signing_bytes(&release.body);
    let signed = token::verify::pin(&release.public_key) == signer.pin
        && token::verify::p256(&release.public_key, &message, &release.signature);
    signed.then_some(body)
}

/// The release lets this very person go to this very municipality, which nobody does to oneself.
fn admits(body: &ReleaseBody, relayed: &RelayedNotice) -> bool {
    body.code == relayed.notice.record.code
        && body.to == relayed.municipality
        && body.from != body.to
}

fn confirms(body: &ReleaseBody, relayed: &RelayedNotice) -> bool {
    body.code == relayed.notice.record.code
        && body.from == relayed.municipality
        && body.from != body.to
}

const fn rule_of(fault: NoticeFault) -> &'static str {
    match fault {
        NoticeFault::PreviousCodeMissing => "previous-code-missing",
        NoticeFault::PreviousCodeUnexpected => "previous-code-unexpected",
        NoticeFault::PreviousCodeSame => "previous-code-same",
        NoticeFault::NotAMunicipality => "not-a-municipality",
        NoticeFault::BornAfterChange => "born-after-change",
        NoticeFault::NumberNotHeld => "number-not-held",
    }
}

/// Who was confirmed to have left which municipality of this tier, as it will stand after the
/// writes of this step: that municipality needs another's word to enter the person again.
pub(crate) struct Gone<'a> {
    reads: &'a dyn Reads,
    changed: BTreeMap<Vec<u8>, bool>,
}

impl<'a> Gone<'a> {
    pub(crate) fn new(reads: &'a dyn Reads) -> Self {
        Self { reads, changed: BTreeMap::new() }
    }

    pub(crate) fn holds(&self, relayed: &RelayedNotice) -> Looked<bool> {
        let key = gone_key(relayed);
        match self.changed.get(&key) {
            Some(gone) => Ok(*gone),
            None => Ok(self.reads.fact(Space::Departure, &key)?.is_some()),
        }
    }

    pub(crate) fn set(&mut self, relayed: &RelayedNotice, gone: bool) {
        self.changed.insert(gone_key(relayed), gone);
    }

    pub(crate) fn finish(self, out: &mut Outbox) {
        let space = Space::Departure;
        for (key, gone) in self.changed {
            out.write(if gone {
                Write::PutFact { space, key, value: vec![1] }
            } else {
                Write::DropFact { space, key }
            });
        }
    }
}

fn gone_key(relayed: &RelayedNotice) -> Vec<u8> {
    let mut key = Space::about(&relayed.notice.record.code);
    key.extend_from_slice(relayed.municipality.as_str().as_bytes());
    key
}

/// Notices that came too early, as they will stand after the writes of this step.
pub(crate) struct EarlyNotices<'a> {
    reads: &'a dyn Reads,
    /// Something waits in the store: without it nothing is looked up.
    any: bool,
    changed: BTreeMap<RecordCode, WaitingNotices>,
}

impl<'a> EarlyNotices<'a> {
    pub(crate) fn new(reads: &'a dyn Reads) -> Looked<Self> {
        let any = !reads.facts(Space::Arrival, None, 1)?.is_empty();
        Ok(Self { reads, any, changed: BTreeMap::new() })
    }

    /// What waits about this person, in order.
    pub(crate) fn of(&self, code: &RecordCode) -> Looked<WaitingNotices> {
        if let Some(waiting) = self.changed.get(code) {
            return Ok(waiting.clone());
        }
        if !self.any {
            return Ok(WaitingNotices::default());
        }
        match self.reads.fact(Space::Arrival, &Space::about(code))? {
            None => Ok(WaitingNotices::default()),
            Some(bytes) => WaitingNotices::decode(&bytes)
                .map_err(|_| ReadError::Store("a waiting notice cannot be read".to_owned())),
        }
    }

    /// Whether something of this municipality waits about this person: what it says next about the
    /// same person has to wait behind it.
    pub(crate) fn holds_up(&self, relayed: &RelayedNotice) -> Looked<bool> {
        let waiting = self.of(&self.first(before_code(relayed))?)?;
        let same = |kept: &SetAsideNotice| kept.notice.municipality == relayed.municipality;
        Ok(waiting.notices.iter().any(same))
    }

    /// Let one more wait. `false`: too many do already.
    pub(crate) fn add(&mut self, notice: SetAsideNotice) -> Looked<bool> {
        let code = self.first(before_code(&notice.notice))?;
        let mut waiting = self.of(&code)?;
        if waiting.notices.len() >= WAITING_NOTICES_COUNT_MAX {
            return Ok(false);
        }
        let new_code = notice.notice.notice.record.code;
        if new_code != before_code(&notice.notice) {
            // What follows comes under the new code: from there this leads back.
            let mut leads = self.of(&new_code)?;
            leads.notices.push(notice.clone());
            self.changed.insert(new_code, leads);
        }
        waiting.notices.push(notice);
        self.changed.insert(code, waiting);
        Ok(true)
    }

    /// Under which code those wait who wait about the person of this code: a change of code that
    /// waits itself stands under both.
    fn first(&self, mut code: RecordCode) -> Looked<RecordCode> {
        for _ in 0..WAITING_NOTICES_COUNT_MAX {
            let waiting = self.of(&code)?;
            match waiting.notices.iter().find(|kept| leads_back(kept, &code)) {
                Some(kept) => code = before_code(&kept.notice),
                None => break,
            }
        }
        Ok(code)
    }

    /// This one waits no longer: nothing leads back to it.
    pub(crate) fn ended(&mut self, notice: &SetAsideNotice) -> Looked<()> {
        let code = notice.notice.notice.record.code;
        let mut leads = self.of(&code)?;
        if leads.notices.contains(notice) {
            leads.notices.retain(|kept| kept != notice);
            self.changed.insert(code, leads);
        }
        Ok(())
    }

    pub(crate) fn put(&mut self, code: RecordCode, waiting: WaitingNotices) {
        self.changed.insert(code, waiting);
    }

    pub(crate) fn finish(self, out: &mut Outbox) -> Looked<()> {
        for (code, waiting) in self.changed {
            let key = Space::about(&code);
            if waiting.notices.is_empty() {
                out.write(Write::DropFact { space: Space::Arrival, key });
            } else {
                let value = waiting.encode().map_err(|_| unkeepable())?;
                out.write(Write::PutFact { space: Space::Arrival, key, value });
            }
        }
        Ok(())
    }
}

/// Kept under this code only to lead back to where it waits: a change to this code.
pub(crate) fn leads_back(kept: &SetAsideNotice, code: &RecordCode) -> bool {
    kept.notice.notice.record.code == *code && before_code(&kept.notice) != *code
}

/// The code under which the person stands before this notice.
pub(crate) fn before_code(relayed: &RelayedNotice) -> RecordCode {
    let notice = &relayed.notice;
    match notice.reason.kind() {
        ChangeKind::Code => notice.previous_code.unwrap_or(notice.record.code),
        _ => notice.record.code,
    }
}

/// Keep what was set aside, and record it: one entry for each reason.
pub(crate) fn keep(
    member: &mut Member,
    now: Timestamp,
    aside: &[SetAsideNotice],
    reads: &dyn Reads,
    out: &mut Outbox,
) -> Looked<()> {
    if aside.is_empty() {
        return Ok(());
    }
    let kept = reads.facts_count(Space::SetAside)?;
    let room = usize::try_from(SET_ASIDE_COUNT_MAX.saturating_sub(kept)).unwrap_or(usize::MAX);
    for notice in aside.iter().take(room) {
        let value = notice.encode().map_err(|_| unkeepable())?;
        let key = Space::of_queue(&notice.from, notice.sequence);
        out.write(Write::PutFact { space: Space::SetAside, key, value });
    }
    let mut rules: BTreeMap<(&NodeId, &str), (u64, u64)> = BTreeMap::new();
    for notice in aside {
        let about = (&notice.from, notice.rule.as_str());
        rules.entry(about).or_insert((0, notice.sequence)).0 += 1;
    }
    for ((from, rule), (count, first)) in rules {
        let entry = member
            .entry(EntryKind::NoticesSetAside, now)
            .terminal(from.as_str())
            .rule(rule)
            .first(first)
            .count(count);
        member.note(entry, out);
    }
    Ok(())
}

/// What the receiver above set aside of our queue, taken from the queue before it is forgotten.
pub(crate) fn refused_above(
    member: &mut Member,
    now: Timestamp,
    to: &NodeId,
    refused: &[SetAside],
    reads: &dyn Reads,
    out: &mut Outbox,
) -> Looked<()> {
    let mut aside = Vec::with_capacity(refused.len());
    for SetAside { sequence, rule } in refused {
        let after = sequence.saturating_sub(1);
        let queued = reads.queued(to, after, 1)?;
        let found = queued.first().filter(|(found, _)| found == sequence);
        let Some(notice) = found.and_then(|(_, payload)| RelayedNotice::decode(payload).ok())
        else {
            continue;
        };
        let (from, rule) = (to.clone(), rule.clone());
        aside.push(SetAsideNotice { from, sequence: *sequence, rule, at: now, notice });
    }
    keep(member, now, &aside, reads, out)
}

/// What was set aside of one sender's sequence earlier: told again when the batch comes again.
pub(crate) fn kept_before(
    from: &NodeId,
    sequence: u64,
    reads: &dyn Reads,
) -> Looked<Option<SetAside>> {
    let Some(bytes) = reads.fact(Space::SetAside, &Space::of_queue(from, sequence))? else {
        return Ok(None);
    };
    let kept = SetAsideNotice::decode(&bytes).ok();
    Ok(kept.map(|kept| SetAside { sequence, rule: kept.rule }))
}

pub(crate) fn unkeepable() -> ReadError {
    ReadError::Store("a notice cannot be encoded".to_owned())
}
